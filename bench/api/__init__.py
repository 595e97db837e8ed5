"""The Python face: everything that the command line can do, as functions of frames, arrays and small frozen objects.

`root` is the folder with `bench.yaml` (None: the working directory or the nearest one above it); names that are not
given are the registry's. A user's mistake is a `bench.errors.BenchError` of one line.
"""

from bench.api.beginning import check_data, fetch, identity, init, new
from bench.api.looking import (
    agreement,
    check,
    check_board,
    compare,
    forecasts_figure,
    history,
    listed,
    load_board,
    load_boards,
    scope_of,
    score,
    show,
    try_entry,
    write_board,
)  # fmt: skip
from bench.api.publishing import cite, freeze, ledger, reproduce, update_ledger, verify, verify_edition, withdraw
from bench.api.running import EXECUTORS, RunReport, plan, run, run_study

__all__ = [
    "EXECUTORS", "RunReport", "agreement", "check", "check_board", "check_data", "cite", "compare", "fetch",
    "forecasts_figure", "freeze", "history", "identity", "init", "ledger", "listed", "load_board", "load_boards",
    "new", "plan", "reproduce", "run", "run_study", "scope_of", "score", "show", "try_entry", "update_ledger", "verify",
    "verify_edition", "withdraw", "write_board",
]  # fmt: skip

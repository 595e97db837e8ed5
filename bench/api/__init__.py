"""The Python face: everything that the command line can do, as functions of frames, arrays and small frozen objects.

`root` is the folder with `bench.yaml` (None: the working directory or the nearest one above it); names that are not
given are the registry's. A user's mistake is a `bench.errors.BenchError` of one line.
"""

from bench.api.looking import check, compare, history, listed, load_board, scope_of, score, show, try_entry
from bench.api.running import EXECUTORS, RunReport, plan, run, run_study

__all__ = [
    "EXECUTORS", "RunReport", "check", "compare", "history", "listed", "load_board", "plan", "run", "run_study",
    "scope_of", "score", "show", "try_entry",
]  # fmt: skip

"""volmark: a benchmark of daily volatility forecasts.

`import bench` imports nothing else: the functions below come from `bench.api` when they are first used. Entries run in
their own interpreters and import only `bench.plugin`, which needs numpy alone.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
FACE = (
    "agreement", "check", "check_board", "check_data", "cite", "compare", "fetch", "forecasts_figure", "freeze",
    "history", "identity", "init", "ledger", "listed", "load_board", "new", "plan", "reproduce", "run",
    "run_study", "scope_of", "score", "show", "try_entry", "update_ledger", "verify", "verify_edition", "withdraw",
    "write_board",
)  # fmt: skip
"""The functions of `bench.api` that are names of the package."""


def __getattr__(name: str) -> Any:
    if name in FACE:
        return getattr(import_module("bench.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*FACE, "__version__"])

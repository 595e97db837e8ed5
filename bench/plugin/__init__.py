"""What an entry's own process imports and runs: the classes that it derives from, its history, tasks and measures.

NumPy alone; a copy of this folder is all that a worker sees of the package. The classes are imported when they are
used: who reads metadata needs no NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.plugin.forecaster import Forecaster, PathForecaster, PerSymbol
    from bench.plugin.history import History, Series, example_history
    from bench.plugin.words import Task

_WHERE = {
    "Forecaster": "forecaster", "PathForecaster": "forecaster", "PerSymbol": "forecaster", "History": "history",
    "Series": "history", "example_history": "history", "Task": "words",
}  # fmt: skip

__all__ = ["Forecaster", "History", "PathForecaster", "PerSymbol", "Series", "Task", "example_history"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module `bench.plugin` has no attribute `{name}`")
    return getattr(import_module(f"bench.plugin.{_WHERE[name]}"), name)

"""What an entry's own process imports and runs: the classes that it derives from, its history, tasks and measures.

NumPy alone; a copy of this folder is all that a worker sees of the package.
"""

from bench.plugin.forecaster import Forecaster, PathForecaster, PerSymbol
from bench.plugin.history import History, Series, example_history
from bench.plugin.tasks import Task

__all__ = ["Forecaster", "History", "PathForecaster", "PerSymbol", "Series", "Task", "example_history"]

"""The interface that an entry implements. Needs numpy alone, and so may run in an environment of the entry's own.

An entry is a class with a `forecast` method. The harness makes one object per run, hands it the sessions one
by one, calls `fit` on the schedule of its `submission.yaml` and `forecast` after the close of every session.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.plugin.history import History, Series, example_history
from bench.plugin.tasks import Task

__all__ = ["Forecaster", "History", "PathForecaster", "PerSymbol", "Series", "Task", "example_history"]

Report = Callable[[str, dict[str, Any], NDArray[Any] | None], None]


class Forecaster:
    """Base of an entry that answers one task: `forecast` returns `(n_symbols,)`, the task's target.

    Parameters
    ----------
    task : Task
        What is forecast; `task.name`, and `task.ahead`, the number of unknown sessions it averages.
    seed : int
        Seed of this run. Draw with `self.generator("name")`, so that no draw depends on another.

    Further parameters of `__init__` are set by `parameters` in `submission.yaml`.

    Examples
    --------
    >>> class TrailingMean(Forecaster):
    ...     def __init__(self, task, seed=0, window=22):
    ...         super().__init__(task, seed)
    ...         self.window = window
    ...     def forecast(self, history):
    ...         return history.variance[-self.window :].mean(axis=0)
    >>> model = TrailingMean(Task("next-day", ahead=1))
    >>> model.forecast(example_history()).shape
    (2,)
    """

    def __init__(self, task: Task, seed: int = 0) -> None:
        self.task = task
        self.seed = seed

    def fit(self, history: History) -> None:
        """Estimate from what is known; called at the first origin and at every scheduled refit. Optional."""

    def forecast(self, history: History) -> ArrayLike:
        """Return the daily variance `(n_symbols,)` that the task asks for, each finite and > 0."""
        raise NotImplementedError(f"{type(self).__name__} has no `forecast(history)`")

    def generator(self, *names: str) -> np.random.Generator:
        """A random generator for this run's seed and these names: the same names give the same draws.

        >>> model = Forecaster(Task("next-day", ahead=1), seed=3)
        >>> bool(model.generator("a").random() == model.generator("a").random())
        True
        >>> bool(model.generator("a").random() == model.generator("b").random())
        False
        """
        digest = hashlib.sha256("\0".join([str(self.seed), *names]).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "little"))

    # What the harness sets; without a harness, reports go nowhere.
    _report: Report | None = None

    def progress(self, done: int, total: int, **facts: Any) -> None:
        """Move this run's progress bar; `facts` (epoch, loss, ...) are shown beside it."""
        if self._report is not None:
            self._report("progress", {"done": int(done), "total": int(total), **facts}, None)

    def record(self, **facts: Any) -> None:
        """Keep facts (JSON values) in the run record: warnings, curves, parameter counts."""
        if self._report is not None:
            self._report("record", facts, None)

    def weights(self, arrays: Mapping[str, ArrayLike], **facts: Any) -> None:
        """Hand over what was learnt; kept only where the run was asked to (`bench run --save-weights`)."""
        if self._report is not None:
            for name, array in arrays.items():
                self._report("weights", {"name": name, **facts}, np.asarray(array))

    def artifact(self, name: str, array: ArrayLike) -> None:
        """Keep an array with the run: attention weights, estimated curves. A later one of that name replaces it."""
        if self._report is not None:
            self._report("artifact", {"name": name}, np.asarray(array))


class PathForecaster(Forecaster):
    """Base of an entry that forecasts daily paths: `forecast` returns `(steps, n_symbols)`, sessions t+1 to t+steps.

    It is run once, to the longest horizon, and the harness turns the path into every task's target.
    `self.steps` is the number of sessions; `history.realized` is the next session's measure.

    Examples
    --------
    >>> class Last(PathForecaster):
    ...     def forecast(self, history):
    ...         return np.tile(history.variance[-1], (self.steps, 1))
    >>> Last(Task("path", ahead=21)).forecast(example_history()).shape
    (21, 2)
    """

    @property
    def steps(self) -> int:
        """Number of sessions that a path covers."""
        return self.task.ahead


class PerSymbol(Forecaster):
    """Mixin for univariate models: write `fit_symbol(series)` and `forecast_symbol(series)`.

    Every symbol gets an object of its own, a deep copy of this one as `__init__` left it, so `self` may keep
    what belongs to the symbol. That declares the symbols independent: the harness may spread them over
    several workers. `forecast_symbol` returns a number, or a path `(steps,)` with `PathForecaster`.

    Examples
    --------
    >>> class Mean(PerSymbol, PathForecaster):
    ...     def fit_symbol(self, series):
    ...         self.level = series.realized[series.known_rows].mean()
    ...     def forecast_symbol(self, series):
    ...         return np.full(self.steps, self.level)
    >>> model, history = Mean(Task("path", ahead=21)), example_history()
    >>> model.fit(history)
    >>> model.forecast(history).shape
    (21, 2)
    """

    _of_symbol: dict[str, PerSymbol] | None = None

    def fit_symbol(self, series: Series) -> None:
        """Estimate from one symbol. Optional."""

    def forecast_symbol(self, series: Series) -> ArrayLike:
        """Return one symbol's forecast: a number, or `(steps,)` for a path."""
        raise NotImplementedError(f"{type(self).__name__} has no `forecast_symbol(series)`")

    def fit(self, history: History) -> None:
        """Fit every symbol's object."""
        models = self._models(history)
        for done, (symbol, model) in enumerate(models.items(), start=1):
            model.fit_symbol(history.series(symbol))
            self.progress(done, len(models), symbol=symbol)

    def forecast(self, history: History) -> ArrayLike:
        """Forecast with every symbol's object; symbols are the last axis."""
        models = self._models(history)
        return np.stack(
            [np.asarray(model.forecast_symbol(history.series(name)), dtype=float) for name, model in models.items()],
            axis=-1,
        )

    def _models(self, history: History) -> dict[str, PerSymbol]:
        if self._of_symbol is None:
            report, self._report = self._report, None  # the copies share it; it is not theirs to copy
            self._of_symbol = {symbol: copy.deepcopy(self) for symbol in history.symbols}
            self._report = report
            for symbol, model in self._of_symbol.items():
                model._report = _naming(symbol, report)
        return self._of_symbol


def _naming(symbol: str, report: Report | None) -> Report | None:
    """A report that names the symbol: in its facts, and before the name of an artifact."""
    if report is None:
        return None

    def named(kind: str, facts: dict[str, Any], array: NDArray[Any] | None) -> None:
        if kind in ("artifact", "weights"):
            facts = {**facts, "name": f"{symbol}/{facts['name']}"}
        report(kind, {"symbol": symbol, **facts}, array)

    return named

"""Flat paths from the daily measure alone: nothing is estimated."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.plugin import History, PathForecaster, Task
from bench.recursions import backcast, ewma_step

Array = NDArray[np.float64]


class FlatPath(PathForecaster):
    """Base: the same variance for every session of the path; write `level(history)`, `(n_symbols,)`."""

    def fit(self, history: History) -> None:
        """Nothing to estimate."""
        self.record(parameters=0)

    def level(self, history: History) -> Array:
        """Return the daily variance of every session to come, `(n_symbols,)`."""
        raise NotImplementedError(f"{type(self).__name__} has no `level(history)`")

    def forecast(self, history: History) -> Array:
        """Return the path `(steps, n_symbols)`."""
        return np.tile(self.level(history), (self.steps, 1))


class RandomWalk(FlatPath):
    """The measure of the last session.

    A zero (a bar without range) would be a forecast of certainty: the symbol's smallest positive value since
    the start of the fit window takes its place.
    """

    def level(self, history: History) -> Array:
        """Return the last measure, `(n_symbols,)`."""
        last_var = history.variance[-1]
        if (last_var > 0).all():
            return last_var
        known_var = history.variance[history.fit_start :]
        return np.where(last_var > 0, last_var, np.where(known_var > 0, known_var, np.inf).min(axis=0))


class HistoricalMean(FlatPath):
    """The mean of every measure known since the start of the fit window."""

    def __init__(self, task: Task, seed: int = 0) -> None:
        super().__init__(task, seed)
        self.n_seen = 0
        self.sum_var = np.zeros(())

    def level(self, history: History) -> Array:
        """Return the mean so far, `(n_symbols,)`; only sessions that are new are added."""
        new_var = history.variance[max(self.n_seen, history.fit_start) :]
        self.sum_var = self.sum_var + new_var.sum(axis=0)
        self.n_seen = len(history)
        return self.sum_var / (self.n_seen - history.fit_start)


class TrailingMean(FlatPath):
    """The mean measure of the last `window` sessions."""

    def __init__(self, task: Task, seed: int = 0, window: int = 22) -> None:
        super().__init__(task, seed)
        self.window = window

    def level(self, history: History) -> Array:
        """Return the mean, `(n_symbols,)`."""
        return history.variance[-self.window :].mean(axis=0)


class Ewma(FlatPath):
    """The exponentially weighted mean of the measure: `h_{t+1} = decay h_t + (1 - decay) g_t`.

    RiskMetrics (1996), with the measure in the place of the squared return. It starts at the first session of
    the fit window from `bench.recursions.backcast` of the measure; years later nothing of that is left.
    """

    def __init__(self, task: Task, seed: int = 0, decay: float = 0.94) -> None:
        super().__init__(task, seed)
        self.decay = decay
        self.n_seen = 0
        self.level_var: Array = np.zeros(0)

    def level(self, history: History) -> Array:
        """Return the weighted mean, `(n_symbols,)`; one step for every session that is new."""
        if not self.n_seen:
            self.n_seen = history.fit_start
            self.level_var = backcast(history.variance[history.fit_start :], self.decay)
        for session_var in history.variance[self.n_seen :]:
            self.level_var = ewma_step(self.level_var, session_var, self.decay)
        self.n_seen = len(history)
        return self.level_var

"""Heterogeneous autoregressions: the task's own target by least squares on means of the measure over three spans.

Corsi (2009), Journal of Financial Econometrics 7. One direct regression per task and symbol.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.plugin import Forecaster, History, Task
from bench.tasks import trailing_mean

Array = NDArray[np.float64]

WEEK, MONTH = 5, 22


class Har(Forecaster):
    """HAR: ordinary least squares on the measure of today, its weekly and its monthly mean.

    A forecast is never below the smallest positive value of the target in the symbol's training rows: a linear
    model may go below zero.
    """

    def __init__(self, task: Task, seed: int = 0) -> None:
        super().__init__(task, seed)
        self.coefficients: Array = np.zeros(0)

    def fit(self, history: History) -> None:
        """Estimate on every row whose target is known, and whose regressors are."""
        self.smallest_var = smallest_positive(history.variance[history.fit_start :])
        x, y = self.regressors(history), self.response(history)
        rows = history.known_rows & np.isfinite(x).all(axis=(1, 2)) & np.isfinite(y).all(axis=1)
        self.floor_var = smallest_positive(history.realized[rows])
        fits = [least_squares(x[rows, j], y[rows, j]) for j in range(len(history.symbols))]
        self.coefficients = np.stack([coefficients for coefficients, _ in fits])
        self.residual_var = np.array([residual_var for _, residual_var in fits])
        self.record(
            fitted=str(history.dates[-1]),
            rows=int(rows.sum()),
            parameters=self.coefficients.shape[1],
            estimates={
                symbol: [float(f"{value:.6g}") for value in row]
                for symbol, row in zip(history.symbols, self.coefficients, strict=True)
            },
        )

    def forecast(self, history: History) -> Array:
        """Return what the regression says today, at least the floor, `(n_symbols,)`."""
        return np.maximum(self.fitted(history), self.floor_var)

    def fitted(self, history: History) -> Array:
        """Return today's regressors times the coefficients, `(n_symbols,)`."""
        return (self.regressors(history, MONTH)[-1] * self.coefficients).sum(axis=-1)

    def regressors(self, history: History, n_last: int = 0) -> Array:
        """Return a constant and the three means, `(rows, n_symbols, 4)`, from the last sessions or (0) from all."""
        return means(history.variance[-n_last:])

    def response(self, history: History) -> Array:
        """Return what is regressed, by origin, `(n_sessions, n_symbols)`."""
        return history.realized


class LogHar(Har):
    """HAR in logs: `ln y` on `ln g` and its weekly and monthly means.

    The forecast is `exp(x'b + s^2 / 2)`, the mean of a lognormal, with s^2 the residual variance (n - k in its
    denominator). Zeros of the measure and of the target count as the symbol's smallest positive training value.
    """

    def forecast(self, history: History) -> Array:
        """Return the expected variance that the regression in logs implies, `(n_symbols,)`."""
        return np.exp(self.fitted(history) + 0.5 * self.residual_var)

    def regressors(self, history: History, n_last: int = 0) -> Array:
        """Return a constant and the three means of ln g, `(rows, n_symbols, 4)`."""
        return means(log_above(history.variance[-n_last:], self.smallest_var))

    def response(self, history: History) -> Array:
        """Return ln y by origin, `(n_sessions, n_symbols)`."""
        return log_above(history.realized, smallest_positive(history.realized[history.known_rows]))


class LogHarVix(LogHar):
    """HAR in logs with ln VIX: what option prices know about the market."""

    def regressors(self, history: History, n_last: int = 0) -> Array:
        """Return those of `LogHar` and ln VIX, `(rows, n_symbols, 5)`."""
        x = super().regressors(history, n_last)
        log_vix = np.broadcast_to(np.log(history.vix[-n_last:, None, None]), (*x.shape[:2], 1))
        return np.concatenate([x, log_vix], axis=-1)


def means(values: Array) -> Array:
    """A constant, the values, their weekly and monthly trailing means: `(rows, n_symbols, 4)`; NaN at first."""
    columns = [np.ones_like(values), values, trailing_mean(values, WEEK), trailing_mean(values, MONTH)]
    return np.stack(columns, axis=-1)


def least_squares(x: Array, y: Array) -> tuple[Array, float]:
    """Coefficients `(k,)` and residual variance of `y (n,)` on `x (n, k)`."""
    coefficients = np.linalg.lstsq(x, y)[0]
    residuals = y - x @ coefficients
    return coefficients, float(residuals @ residuals / (len(y) - x.shape[1]))


def smallest_positive(values: Array) -> Array:
    """The smallest positive value of every symbol, `(n_symbols,)`; values are `(rows, n_symbols)`."""
    return np.where(values > 0, values, np.inf).min(axis=0)


def log_above(values: Array, smallest: Array) -> Array:
    """The logarithm, with `smallest` for values that are not positive; NaN stays NaN."""
    return np.log(np.where(values <= 0, smallest, values))

"""Linear regressions of the task's own target: in levels by weighted least squares, in logs by symbol, and pooled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from features import LOOKBACK, MONTH, Known, features, log_above, smallest_positive, spans
from numpy.typing import NDArray
from regressions import Linear, each_symbol, pooled, weighted

from bench.plugin import Forecaster, History, Task

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class HarWls(Forecaster):
    """HAR in levels by weighted least squares; the weight of a row is one over the measure at its origin.

    After Clements and Preve (2021), Journal of Banking and Finance 133: the error of a variance grows with the
    variance, so that ordinary least squares listens to a few weeks of crisis. Zeros of the measure count as the
    symbol's smallest positive training value; forecasts are at least that of the target.
    """

    def fit(self, history: History) -> None:
        """Estimate on every row whose target is known, and whose regressors are."""
        x, y = self.regressors(history, slice(None)), history.realized
        rows = usable(history.known_rows, x, y)
        self.floor_var = smallest_positive(y[rows])
        known_var = np.maximum(history.variance, smallest_positive(history.variance[history.fit_start :]))
        self.coefficients = np.stack(
            [weighted(x[rows, j], y[rows, j], 1.0 / known_var[rows, j]) for j in range(y.shape[1])]
        )
        self.record(fitted=str(history.dates[-1]), rows=int(rows.sum()), parameters=self.coefficients.shape[1])

    def forecast(self, history: History) -> Array:
        """Return what the regression says today, at least the floor, `(n_symbols,)`."""
        today = self.regressors(history, slice(-MONTH, None))[-1]
        return np.maximum((today * self.coefficients).sum(axis=-1), self.floor_var)

    def regressors(self, history: History, last: slice) -> Array:
        """Return a constant, the measure, its weekly and its monthly mean, `(rows, n_symbols, 4)`."""
        values = history.variance[last]
        return np.stack([np.ones_like(values), *spans(values)], axis=-1)


class LogLinear(Forecaster):
    """The log of the target on `terms`, one regression per symbol.

    The forecast is `exp(x'b + s^2 / 2)`, the mean of a lognormal, with s^2 the residual variance. Zeros of the measure
    and of the target count as the symbol's smallest positive training value. `learns_on` is `known`, every row whose
    target is known at the fit, or `fit-and-select`, the rows that a network learns from, which never grow.
    """

    regress = staticmethod(each_symbol)

    def __init__(
        self, task: Task, seed: int = 0, terms: Sequence[str] = ("har",), market: str = "", learns_on: str = "known"
    ) -> None:
        super().__init__(task, seed)
        self.terms, self.market, self.learns_on = tuple(terms), market, learns_on

    def fit(self, history: History) -> None:
        """Estimate on the rows that it learns on, as far as target and terms are known."""
        self.smallest_var = smallest_positive(history.variance[history.fit_start :])
        learnt = self.rows(history)
        y = log_above(history.realized, smallest_positive(history.realized[learnt]))
        x = self.inputs(history, slice(None))
        rows = usable(learnt, x, y)
        self.estimates: Linear = self.regress(x[rows], y[rows])
        self.record(fitted=str(history.dates[-1]), rows=int(rows.sum()), parameters=self.estimates.size)

    def forecast(self, history: History) -> Array:
        """Return the expected variance that the regression in logs implies, `(n_symbols,)`."""
        today = self.inputs(history, slice(-LOOKBACK, None))[-1]
        return np.exp(self.estimates.at(today) + 0.5 * self.estimates.residual_var)

    def inputs(self, history: History, last: slice) -> Array:
        """Return the terms of these sessions, `(rows, n_symbols, k)`."""
        return features(Known(history, last, self.smallest_var, self.market), self.terms)

    def rows(self, history: History) -> Mask:
        """Return the origins that are learnt from, `(n_sessions,)`."""
        if self.learns_on == "known":
            return history.known_rows
        return history.fit_rows | history.select_rows


class PanelLogLinear(LogLinear):
    """`LogLinear` with slopes that all symbols share, an intercept and a residual variance for each."""

    regress = staticmethod(pooled)


def usable(rows: Mask, x: Array, y: Array) -> Mask:
    """Return those of the rows whose features `(n, n_symbols, k)` and targets `(n, n_symbols)` are all finite."""
    return rows & np.isfinite(x).all(axis=(1, 2)) & np.isfinite(y).all(axis=1)

"""Boosted trees over all symbols at once: what a pooled log-HAR with the VIX and the market leaves unexplained.

Trees cannot extrapolate: a crisis beyond the range of the training rows would be forecast as the worst day in it. So a
linear regression comes first and the trees (Ke et al. 2017) learn its residuals. One model per task.
"""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from bench.plugin import Forecaster, History, Task
from bench.tasks import trailing_mean

Array = NDArray[np.float64]

WEEK, MONTH = 5, 22
LOOKBACK = MONTH + WEEK - 1
"""Sessions, its own included, that the longest feature of a row reaches back."""


class BoostedTrees(Forecaster):
    """LightGBM on the residuals of a pooled linear regression; target and measure are logs, less the symbol's level.

    Trained on the fit rows; the select rows say how many rounds are enough. An `exp` of an expected log lies below the
    mean, so forecasts are scaled by the mean of target over forecast: the constant of least QLIKE, and that of Duan's
    smearing where errors are alike everywhere. It is taken over fit and select rows, since residuals on the fit rows
    alone are too small (the trees have seen them), and the select rows alone are two years.
    """

    def __init__(
        self, task: Task, seed: int = 0, market: str = "SPY", max_rounds: int = 2000, patience: int = 100,
        **settings: float,
    ) -> None:  # fmt: skip
        super().__init__(task, seed)
        self.market, self.max_rounds, self.patience = market, max_rounds, patience
        draws = self.generator("trees").integers(2**31, size=3)
        names = ("bagging_seed", "feature_fraction_seed", "seed")
        self.settings = {
            "objective": "regression", "metric": "l2", "num_threads": 1, "deterministic": True, "force_row_wise": True,
            "verbosity": -1, **settings, **dict(zip(names, map(int, draws), strict=True)),
        }  # fmt: skip

    def fit(self, history: History) -> None:
        """Estimate levels, regression, trees and scale on the fit and select rows."""
        fit_var = history.variance[history.fit_rows]
        self.smallest_var = np.where(fit_var > 0, fit_var, np.inf).min(axis=0)
        self.level = log_above(fit_var, self.smallest_var).mean(axis=0)
        inputs = self.features(history, slice(None))
        usable = np.isfinite(inputs).all(axis=(1, 2))
        rows = [mask & usable for mask in (history.fit_rows, history.select_rows)]
        (x, y, y_var), (x_select, y_select, y_select_var) = (self.examples(history, inputs, mask) for mask in rows)
        self.coefficients = np.linalg.lstsq(with_constant(x), y)[0]
        train = lgb.Dataset(x, y, init_score=self.linear(x))
        select = lgb.Dataset(x_select, y_select, init_score=self.linear(x_select), reference=train)
        stopping = lgb.early_stopping(self.patience, verbose=False)
        self.trees = lgb.train(self.settings, train, self.max_rounds, valid_sets=[select], callbacks=[stopping])
        ratio = np.concatenate([y_var, y_select_var]) / np.exp(self.log_relative(np.concatenate([x, x_select])))
        self.scale = float(ratio.mean())
        leaves = sum(tree["num_leaves"] for tree in self.trees.dump_model()["tree_info"])
        self.record(
            rows=len(y), rounds=self.trees.best_iteration, scale=self.scale, parameters=leaves + len(self.coefficients)
        )

    def forecast(self, history: History) -> Array:
        """Return the expected variance of every symbol, `(n_symbols,)`."""
        inputs = self.features(history, slice(-LOOKBACK, None))[-1]
        return self.scale * np.exp(self.level + self.log_relative(inputs))

    def linear(self, x: Array) -> Array:
        """Return what the regression says of features `(n, k)`, `(n,)`."""
        return with_constant(x) @ self.coefficients

    def log_relative(self, x: Array) -> Array:
        """Return the log of the target over the symbol's level as regression and trees see it, `(n,)`."""
        return self.linear(x) + self.trees.predict(x)

    def examples(self, history: History, inputs: Array, rows: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
        """Return features `(n, k)`, log targets and targets `(n,)` of these rows, relative to the symbols' levels."""
        target_var = history.realized[rows]
        log_target = log_above(target_var, self.smallest_var) - self.level
        return inputs[rows].reshape(-1, inputs.shape[-1]), log_target.ravel(), (target_var / np.exp(self.level)).ravel()

    def features(self, history: History, last: slice) -> Array:
        """Return what is known at each close of these sessions, `(rows, n_symbols, k)`; NaN at first.

        Of the symbol, of the market (without it, of all symbols) and of all symbols: the log variance relative to its
        level, and its means over a week and a month. Of symbol and market, the leverage effect: the day's fall in
        units of last month's volatility. The log of the VIX, and how far it is from its mean of the week.
        """
        symbols = history.symbols
        market = [symbols.index(self.market)] if self.market in symbols else list(range(len(symbols)))
        log_var = log_above(history.variance[last], self.smallest_var) - self.level
        own = [log_var, trailing_mean(log_var, WEEK), trailing_mean(log_var, MONTH)]
        moves = history.returns[last] / np.exp(0.5 * (own[-1] + self.level))
        falls = np.minimum(moves, 0.0)
        log_vix = np.log(history.vix[last])[:, None]
        everybody = [
            *(values[:, market].mean(axis=1, keepdims=True) for values in (*own, falls)),
            *(values.mean(axis=1, keepdims=True) for values in own),
            log_vix,
            log_vix - trailing_mean(log_vix, WEEK),
        ]
        same = [np.broadcast_to(values, log_var.shape) for values in everybody]
        return np.stack([*own, moves, falls, trailing_mean(falls, WEEK), *same], axis=-1)


def with_constant(x: Array) -> Array:
    """Features `(n, k)` with a column of ones before them."""
    return np.column_stack([np.ones(len(x)), x])


def log_above(values: Array, smallest: Array) -> Array:
    """The logarithm, with `smallest` for values that are not positive; NaN stays NaN."""
    return np.log(np.where(values <= 0, smallest, values))

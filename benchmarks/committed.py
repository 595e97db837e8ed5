"""Committed losses, and worlds like them: series with the dynamics of the real ones and a mean that is known.

Each series has an autoregression of its own; the residuals of a day are drawn together for all of them, so what is
common to a day stays common. Used by the calibration of the tests (`real_sizes.py`) and of the sets (`coverage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.linalg import solve_toeplitz
from scipy.signal import lfilter

from bench.stats.losses import qlike

RESULTS = Path(__file__).parents[1] / "results" / "us21"
BOARDS = {
    "official, next-day": ("official", "next-day", 1),
    "official, week-ahead": ("official", "week-ahead", 5),
    "official, month-ahead": ("official", "month-ahead", 21),
    "development, next-day": ("development", "next-day", 1),
}
BURN_IN = 200

Array = np.ndarray


@dataclass
class Board:
    """QLIKE of the rows of a committed board, `(k, n_sessions, n_symbols)`."""

    rows: list[str]
    losses: Array
    horizon: int

    @property
    def daily(self) -> Array:
        return self.losses.mean(axis=2).T


def board(name: str) -> Board:
    """A committed board, from its forecasts and the published measure."""
    split, task, horizon = BOARDS[name]
    measure = pd.read_parquet(RESULTS / "realized.parquet").astype({"symbol": str})
    daily = measure.pivot(index="date", columns="symbol", values="measure_var")
    target = daily[::-1].rolling(horizon).mean()[::-1].shift(-1)
    paths = sorted((RESULTS / split / task).glob("*/forecasts.parquet"))
    tables = [pd.read_parquet(path).astype({"symbol": str}) for path in paths]
    forecasts = [table.pivot(index="origin", columns="symbol", values="forecast_var") for table in tables]
    origins = forecasts[0].index
    losses = qlike(target.loc[origins], np.stack([each.loc[origins].to_numpy() for each in forecasts]))
    return Board([path.parent.name for path in paths], losses, horizon)


def autoregression(series: Array, most: int = 25) -> tuple[Array, Array]:
    """Yule-Walker coefficients of the order that AIC chooses, and the residuals, of a series without its mean."""
    n, x = len(series), series - series.mean()
    gamma = np.array([x[k:] @ x[: n - k] for k in range(most + 1)]) / n
    best, score = np.empty(0), n * np.log(gamma[0])
    for order in range(1, most + 1):
        phi = solve_toeplitz(gamma[:order], gamma[1 : order + 1])
        aic = n * np.log(gamma[0] - phi @ gamma[1 : order + 1]) + 2 * order
        if aic < score:
            best, score = phi, aic
    residuals = lfilter([1, *-best], [1], x)[len(best) :]
    return best, residuals - residuals.mean()


def worlds(series: Array, draws: int, rng: np.random.Generator) -> Array:
    """Samples `(draws, n, k)` of mean zero like the columns of `series (n, k)`; residuals of a day stay together."""
    n, k = series.shape
    fits = [autoregression(series[:, j]) for j in range(k)]
    shortest = min(len(residuals) for _, residuals in fits)
    days = rng.integers(shortest, size=(n + BURN_IN, draws))
    made = np.empty((draws, n, k))
    for j, (phi, residuals) in enumerate(fits):
        common = residuals[-shortest:]  # of the same days for all series, so centred again: else the means are not 0
        made[:, :, j] = lfilter([1], [1, *-phi], (common - common.mean())[days], axis=0)[BURN_IN:].T
    return made

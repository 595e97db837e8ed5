"""What the networks see: daily features of every symbol, scaled by its fit rows, and windows of them.

A feature of row t is known at the close of session t. Each set of features is a function from recent arrays to
`(rows, n_symbols, n_features)`, so that training computes all rows in one call and a forecast only the last ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.plugin import History
from bench.tasks import trailing_mean

Array = NDArray[np.float64]

LAGS = 5
VOLUME_MEAN = 20
SESSIONS = 252
"""Trading sessions of a year: volatility is annualised by their root."""
MONTH = 21
LOOKBACK = LAGS - 1 + max(VOLUME_MEAN, MONTH) - 1
"""How many sessions before its own the longest feature of a row reaches."""


def lags(values: Array) -> list[Array]:
    """Return the values, and those of one to four sessions before, each `(rows, n_symbols)`; NaN at first."""
    return [np.concatenate([np.full_like(values[:k], np.nan), values[: len(values) - k]]) for k in range(LAGS)]


def volume_ratio(volume: Array) -> Array:
    """Return volume over its mean of 20 sessions, 1 where that mean is 0; NaN at first."""
    mean = trailing_mean(volume, VOLUME_MEAN)
    return np.divide(volume, mean, out=np.ones_like(mean), where=mean != 0)


def univariate(history: History, last: slice, smallest_var: Array) -> list[Array]:
    """Return five lags of annualised volatility and of returns: what a GARCH could know."""
    return [*lags(np.sqrt(SESSIONS * history.variance[last])), *lags(history.returns[last])]


def course(history: History, last: slice, smallest_var: Array) -> list[Array]:
    """Return five lags of annualised volatility, of returns and of the volume ratio, and the VIX."""
    own = [*univariate(history, last, smallest_var), *lags(volume_ratio(history.volume[last]))]
    return [*own, np.broadcast_to(history.vix[last, None], own[0].shape)]


def rolling(history: History, last: slice, smallest_var: Array) -> list[Array]:
    """Return `course` with the realised volatility of 21 sessions, the rolling target itself, for that of one."""
    vol = np.sqrt(SESSIONS * trailing_mean(history.variance[last], MONTH))
    return [*lags(vol), *course(history, last, smallest_var)[LAGS:]]


def logs(history: History, last: slice, smallest_var: Array) -> list[Array]:
    """Return ln g, its means over a week and a month, the return over its volatility, ln volume ratio, ln VIX.

    The logarithm of a variance is nearly normal, so a crisis lies within the range of the training rows; the
    means are those of log-HAR (Corsi 2009).
    """
    log_var = np.log(np.where(history.variance[last] > 0, history.variance[last], smallest_var))
    month = trailing_mean(log_var, VOLUME_MEAN)
    ratio = np.maximum(volume_ratio(history.volume[last]), 1e-3)
    log_vix = np.broadcast_to(np.log(history.vix[last, None]), log_var.shape)
    moves = history.returns[last] / np.exp(0.5 * month)
    return [log_var, trailing_mean(log_var, 5), month, moves, np.log(ratio), log_vix]


SETS: dict[str, Callable[[History, slice, Array], list[Array]]] = {
    "univariate": univariate,
    "course": course,
    "rolling": rolling,
    "logs": logs,
}
"""The sets of features that a row of `submission.yaml` may name."""


@dataclass
class Features:
    """A set of features and its scales: mean and standard deviation of every symbol over the fit rows."""

    name: str
    smallest_var: Array
    mean: Array
    std: Array

    @classmethod
    def of(cls, name: str, history: History) -> Features:
        """Return the features scaled on the fit rows of a history; a feature that never moves is only centred."""
        rows = history.fit_rows
        variance = history.variance[rows]
        smallest_var = np.where(variance > 0, variance, np.inf).min(axis=0)
        raw = np.stack(SETS[name](history, slice(None), smallest_var), axis=-1)[rows]
        std = np.nanstd(raw, axis=0)
        return cls(name, smallest_var, np.nanmean(raw, axis=0), np.where(std > 0, std, 1.0))

    @property
    def n_features(self) -> int:
        """How many there are."""
        return self.mean.shape[-1]

    def all_rows(self, history: History) -> Array:
        """Return the scaled features of all rows, `(n_sessions, n_symbols, n_features)`; NaN at first."""
        return self._scaled(history, slice(None))

    def last_rows(self, history: History, window: int) -> Array:
        """Return the scaled features of the last `window` rows, at a cost that does not grow with the history."""
        return self._scaled(history, slice(-(window + LOOKBACK), None))[-window:]

    def _scaled(self, history: History, last: slice) -> Array:
        raw = np.stack(SETS[self.name](history, last, self.smallest_var), axis=-1)
        return (raw - self.mean) / self.std


@dataclass
class Windows:
    """Windows of features, cut when a batch asks for them: `inputs` is `(n_symbols, n_sessions, n_features)`."""

    inputs: Tensor
    length: int

    @classmethod
    def of(cls, features: Array, length: int, device: torch.device) -> Windows:
        """Return windows of `length` rows of features `(n_sessions, n_symbols, n_features)`."""
        inputs = torch.from_numpy(np.ascontiguousarray(features.swapaxes(0, 1), dtype=np.float32))
        return cls(inputs.to(device), length)

    def cut(self, symbols: Tensor, rows: Tensor) -> Tensor:
        """Return the windows that end at these rows of these symbols.

        `symbols` and `rows` are `(n_networks, n_examples)`, the windows `(length, n_networks, n_features,
        n_examples)`: the layout of `cells`.
        """
        back = torch.arange(1 - self.length, 1, device=rows.device)
        return self.inputs[symbols, rows + back[:, None, None]].mT


def complete(features: Array, length: int) -> NDArray[np.bool_]:
    """Return which rows end a window without a gap, for all symbols: `(n_sessions,)`."""
    finite = np.isfinite(features).all(axis=(1, 2))
    return np.convolve(finite, np.ones(length))[: len(finite)] > length - 0.5

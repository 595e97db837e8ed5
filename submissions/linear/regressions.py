"""Least squares: of one symbol, weighted, and of all symbols at once with an intercept each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    """What was estimated: intercepts `(n_symbols,)`, slopes `(n_symbols, k)` or `(k,)` for all, residual variances."""

    intercepts: Array
    slopes: Array
    residual_var: Array

    @property
    def size(self) -> int:
        """Return how many numbers a regression has: each symbol's, or those of all where they share slopes."""
        return self.slopes.shape[-1] + (1 if self.slopes.ndim == 2 else len(self.intercepts))

    def at(self, x: Array) -> Array:
        """Return the fitted values `(..., n_symbols)` of features `(..., n_symbols, k)`."""
        return self.intercepts + (x * self.slopes).sum(axis=-1)


def each_symbol(x: Array, y: Array) -> Linear:
    """Return the regressions of `y (n, n_symbols)` on `x (n, n_symbols, k)`, one for every symbol.

    Residual variances have n - k - 1 in their denominator.
    """
    centre_x, centre_y = x.mean(axis=0), y.mean(axis=0)
    slopes = np.stack(
        [solve(x[:, j] - centre_x[j], y[:, j] - centre_y[j]) for j in range(y.shape[1])]
    )  # fmt: skip
    return finished(x, y, slopes, len(y) - x.shape[-1] - 1)


def pooled(x: Array, y: Array) -> Linear:
    """Return one regression of all symbols that share slopes `(k,)` and have an intercept each.

    Least squares on deviations from the symbol's means (the within estimator). Residual variances are the symbols'
    own, with n - 1 - k / n_symbols in their denominators: a symbol pays for its share of the slopes.
    """
    centred_x, centred_y = x - x.mean(axis=0), y - y.mean(axis=0)
    slopes = solve(centred_x.reshape(-1, x.shape[-1]), centred_y.ravel())
    return finished(x, y, slopes, len(y) - 1 - x.shape[-1] / y.shape[1])


def finished(x: Array, y: Array, slopes: Array, degrees: float) -> Linear:
    """Return slopes with the intercepts and residual variances that follow from them."""
    intercepts = y.mean(axis=0) - (x.mean(axis=0) * slopes).sum(axis=-1)
    residuals = y - Linear(intercepts, slopes, np.zeros(0)).at(x)
    return Linear(intercepts, slopes, (residuals**2).sum(axis=0) / degrees)


def solve(x: Array, y: Array) -> Array:
    """Return the slopes `(k,)` of `y (n,)` on `x (n, k)`, both centred; the smallest that will do where many would.

    Columns are brought to one scale first, so that which of them is redundant does not depend on units.
    """
    scale = np.sqrt((x**2).mean(axis=0))
    scale = np.where(scale > 0.0, scale, 1.0)
    return np.linalg.lstsq(x / scale, y)[0] / scale


def weighted(x: Array, y: Array, weights: Array) -> Array:
    """Return the coefficients `(k,)` that minimise the sum of `weights (n,)` times squared residuals."""
    root = np.sqrt(weights)
    return np.linalg.lstsq(x * root[:, None], y * root)[0]

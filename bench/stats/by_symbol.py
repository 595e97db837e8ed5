"""Tests of each symbol on its own: where does a difference come from?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.differences import check_options, of_series
from bench.stats.multiple import holm
from bench.stats.panel import mean_test
from bench.stats.protocol import Method, headline

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SymbolTestsResult:
    """Two-sided tests of k entries against a reference on each symbol, fields `(k, n_symbols)`.

    `holm_p_value` is adjusted over the symbols of an entry. `mean_difference` is of `loss - reference`:
    negative, the entry has the smaller loss. NaN where a symbol has too few sessions.
    """

    statistic: Array
    p_value: Array
    holm_p_value: Array
    mean_difference: Array
    method: Method
    horizon: int

    def better(self, level: float = 0.05) -> NDArray[np.int_]:
        """Number of symbols `(k,)` on which the entry has the smaller loss, Holm-adjusted p below `level`."""
        return np.asarray(((self.holm_p_value < level) & (self.mean_difference < 0)).sum(axis=1))

    def worse(self, level: float = 0.05) -> NDArray[np.int_]:
        """Number of symbols `(k,)` on which the reference has the smaller loss, Holm-adjusted p below `level`."""
        return np.asarray(((self.holm_p_value < level) & (self.mean_difference > 0)).sum(axis=1))


def symbol_tests(losses: ArrayLike, reference: ArrayLike, horizon: int = 1) -> SymbolTestsResult:
    """Tests of the losses `(k, n_sessions, n_symbols)` against `reference (n_sessions, n_symbols)`, by symbol.

    The protocol's headline test of each series. Rows that are NaN in either are left out. The symbols of a day
    move together: a count of rejections says where a difference shows, it is no evidence of its own, and 15 of
    21 is not fifteen times one.

    >>> rng = np.random.default_rng(1)
    >>> reference = rng.chisquare(2, (500, 3))
    >>> result = symbol_tests([reference - [0.0, 0.5, -0.5] + rng.normal(0, 1, (500, 3))], reference)
    >>> result.better().tolist(), result.worse().tolist()
    ([1], [1])
    """
    check_options(horizon, "two-sided")
    panels, other = np.asarray(losses, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if panels.ndim != 3 or other.shape != panels.shape[1:]:
        raise ValueError(f"losses {panels.shape}, reference {other.shape}: (k, n, symbols) and (n, symbols) are needed")
    k, _, symbols = panels.shape
    method = headline(horizon)
    statistic, p, mean = np.empty((3, k, symbols))
    for s in range(symbols):
        for entry in range(k):
            rows = ~(np.isnan(panels[entry, :, s]) | np.isnan(other[:, s]))
            one = mean_test(method, of_series(panels[entry, rows, s], other[rows, s]), horizon)
            statistic[entry, s], p[entry, s], mean[entry, s] = one.statistic, one.p_value, one.mean_difference
    return SymbolTestsResult(statistic, p, holm(p), mean, method, horizon)

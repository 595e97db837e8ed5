"""Tests of each symbol on its own: where does a difference come from?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.diebold_mariano import dm_test
from bench.stats.differences import check_options, of_series
from bench.stats.ewc import ewc_test
from bench.stats.multiple import holm

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
    method: Literal["bartlett", "cosine"]
    horizon: int

    def better(self, level: float = 0.05) -> NDArray[np.int_]:
        """Number of symbols `(k,)` on which the entry has the smaller loss, Holm-adjusted p below `level`."""
        return np.asarray(((self.holm_p_value < level) & (self.mean_difference < 0)).sum(axis=1))

    def worse(self, level: float = 0.05) -> NDArray[np.int_]:
        """Number of symbols `(k,)` on which the reference has the smaller loss, Holm-adjusted p below `level`."""
        return np.asarray(((self.holm_p_value < level) & (self.mean_difference > 0)).sum(axis=1))


def symbol_tests(losses: ArrayLike, reference: ArrayLike, horizon: int = 1) -> SymbolTestsResult:
    """Tests of the losses `(k, n_sessions, n_symbols)` against `reference (n_sessions, n_symbols)`, by symbol.

    The protocol's test of a series: `diebold_mariano` at horizon 1, `equal_weighted_cosine` above. Rows that
    are NaN in either are left out. The symbols of a day move together: a count of rejections says where a
    difference shows, it is no evidence of its own, and 15 of 21 is not fifteen times one.

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
    statistic, p, mean = np.empty((3, k, symbols))
    for s in range(symbols):
        for entry in range(k):
            rows = ~(np.isnan(panels[entry, :, s]) | np.isnan(other[:, s]))
            d = of_series(panels[entry, rows, s], other[rows, s])
            if horizon == 1:
                one = dm_test(d, 1, None, "bartlett", "two-sided")
                answer = one.statistic, one.p_value, one.mean_difference
            else:
                cosine = ewc_test(d, horizon, "two-sided")
                answer = cosine.statistic, cosine.p_value, cosine.mean_difference
            statistic[entry, s], p[entry, s], mean[entry, s] = answer
    return SymbolTestsResult(statistic, p, holm(p), mean, "bartlett" if horizon == 1 else "cosine", horizon)

"""Tests of two entries on a panel, by daily cross-sectional means: the symbols of a day are not independent."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from bench.stats.diebold_mariano import dm_test
from bench.stats.differences import Differences, of_panel
from bench.stats.ewc import ewc_test
from bench.stats.protocol import Method, beside, cosine_count, headline
from bench.stats.results import Alternative, Kernel, MeanTest


def panel_diebold_mariano(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    horizon: int = 1,
    *,
    lags: int | None = None,
    kernel: Kernel = "bartlett",
    alternative: Alternative = "two-sided",
) -> MeanTest:
    """The Diebold-Mariano test on the daily mean over symbols of `loss_a - loss_b (n_sessions, n_symbols)`.

    A cell that is NaN in either is left out of its day; a day without cells is left out, and the days around
    it count as neighbours (so do the days of a regime). On a full panel the standard error is that of
    Driscoll and Kraay (1998), Review of Economics and Statistics 80, for the mean of all cells. Stacking
    the cells as if independent rejects a true null far too often (docs/size_and_power.md: 29 to 78 % at 5 %).

    Also the test of a difference in hit rates: hand over `1 - hits` as the losses. Options and degenerate
    cases: `diebold_mariano`. Infinite losses raise ValueError.

    >>> import numpy as np
    >>> loss = np.random.default_rng(1).chisquare(1, (753, 21))
    >>> result = panel_diebold_mariano(loss, loss * 1.1)
    >>> result.n, result.lags, result.p_value < 0.01
    (753, 9, True)
    """
    return dm_test(of_panel(loss_a, loss_b), horizon, lags, kernel, alternative)


def panel_test(
    loss_a: ArrayLike, loss_b: ArrayLike, horizon: int = 1, alternative: Alternative = "two-sided"
) -> MeanTest:
    """The protocol's test of two entries on a panel: its headline at this horizon, with the other test `beside` it.

    Losses `(n_sessions, n_symbols)`, NaN cells as in `panel_diebold_mariano`; which test is which: `protocol`.

    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> result = panel_test(rng.chisquare(1, (753, 21)), rng.chisquare(1, (753, 21)), horizon=5)
    >>> result.method, result.df, result.beside.method, result.beside.lags
    ('cosine', 33, 'bartlett', 10)
    """
    return protocol_test(of_panel(loss_a, loss_b), horizon, alternative)


def protocol_test(d: Differences, horizon: int, alternative: Alternative = "two-sided") -> MeanTest:
    """The protocol's test of differences that are made already, with the other one `beside` it."""
    other = mean_test(beside(horizon), d, horizon, alternative)
    return replace(mean_test(headline(horizon), d, horizon, alternative), beside=other)


def mean_test(method: Method, d: Differences, horizon: int, alternative: Alternative = "two-sided") -> MeanTest:
    """The test of that name, as the protocol sets it, of differences that are made already."""
    if method == "cosine":
        return ewc_test(d, horizon, alternative, cosine_count(len(d), horizon))
    return dm_test(d, horizon, None, method, alternative)

"""The Clark-West test: does a larger model add anything to the smaller one that it contains?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bench.stats.differences import check_options, of_panel
from bench.stats.panel import protocol_test
from bench.stats.results import NestedResult


def clark_west(target_var: ArrayLike, small_var: ArrayLike, large_var: ArrayLike, horizon: int = 1) -> NestedResult:
    """One-sided test that a nesting model has no smaller MSE than the model that it nests, in population.

    Arrays of daily variance, `(n,)` or `(n_sessions, n_symbols)`, of which daily means over symbols are
    tested; cells with a NaN target are left out, a forecast must be finite (ValueError).

    If the small model is true, the large one estimates zeros, and the noise of doing so raises its MSE: equal
    models in population have unequal MSE in a sample. Tested is therefore the mean of
    `(y - small)^2 - [(y - large)^2 - (small - large)^2]`: Clark and West (2007), Approximately normal tests for
    equal predictive accuracy in nested models, Journal of Econometrics 138, equation 2.1, here in
    (percent^2)^2, with the variance and the distribution of `panel_test`. A t distribution instead of their
    normal one makes little of it, on the safe side. A small p says that the additional terms hold information,
    not that the large model forecasts better.

    >>> rng = np.random.default_rng(1)
    >>> signal = rng.chisquare(4, 500)
    >>> target, small, large = signal * rng.chisquare(4, 500) / 4, np.full(500, 4.0), 0.5 * signal + 2
    >>> result = clark_west(1e-4 * target, 1e-4 * small, 1e-4 * large)
    >>> result.test.p_value < 0.01, result.mse_difference < result.test.mean_difference
    (True, True)
    """
    check_options(horizon, "greater")
    target, small, large = (np.asarray(x, dtype=np.float64) for x in (target_var, small_var, large_var))
    if not target.shape == small.shape == large.shape or target.ndim not in (1, 2):
        raise ValueError(f"shapes {target.shape}, {small.shape}, {large.shape}: all (n,) or (n_sessions, n_symbols)")
    if np.isinf(target).any() or not (np.isfinite(small).all() and np.isfinite(large).all()):
        raise ValueError("target_var may be NaN where it is unknown; forecasts must be finite everywhere")
    target, small, large = (1e4 * (x if x.ndim == 2 else x[:, None]) for x in (target, small, large))
    adjustment = (small - large) ** 2
    loss_small, loss_large = (target - small) ** 2, (target - large) ** 2
    test = protocol_test(of_panel(loss_small + adjustment, loss_large), horizon, "greater")
    return NestedResult(of_panel(loss_small, loss_large).mean, test)

"""Panel regressions in logs: is a forecast right at every level, and does one add anything to another?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.differences import check_options
from bench.stats.ewc import standard_errors
from bench.stats.protocol import cosines_used

Array = NDArray[np.float64]

EXACT = 1e-12
"""Below it the variation of a regressor, as a share of its size, or a slope's distance from its null is rounding."""


@dataclass(frozen=True, eq=False)
class SlopesResult:
    """Slopes of k panel regressions with standard errors, and two-sided tests that they are `null`, each `(k,)`.

    `df` is the degrees of freedom of t. NaN where a regressor does not vary, or, with a `note`, in too few sessions.
    """

    slope: Array
    standard_error: Array
    statistic: Array
    p_value: Array
    null: float
    df: int
    n: int
    note: str = ""


def log_calibration(target_var: ArrayLike, forecasts_var: ArrayLike, horizon: int = 1) -> SlopesResult:
    """Mincer-Zarnowitz slopes in logs of k forecasts, and tests that they are 1.

    `ln y_it = a_i + b ln f_it + e_it` with `target_var (n_sessions, n_symbols)`, NaN or 0 where there is none, and
    `forecasts_var (k, n_sessions, n_symbols)`, daily variance: Pagan and Schwert (1990), Alternative models for
    conditional stock volatility, Journal of Econometrics 45. A slope below 1: the forecast moves too much, above 1 too
    little. Logs, so that a few days of March 2020 do not decide, as they do in `mincer_zarnowitz`; a level of its own
    for each symbol, since noise in the measure lowers the mean of its logarithm, and the slope alone is tested.

    Pooled least squares within symbols. The standard error is that of the daily sums of regressor times residual, by
    equal-weighted cosines (`equal_weighted_cosine`), so the symbols of a day may move together, as in Driscoll and
    Kraay (1998), and t has nu degrees of freedom.

    >>> rng = np.random.default_rng(1)
    >>> f = np.exp(rng.normal(-9, 0.5, (500, 4)))
    >>> result = log_calibration(f * rng.chisquare(8, (500, 4)) / 8, [f, f**2 * 1e4])
    >>> result.slope.round(1).tolist(), (result.p_value < 0.01).tolist(), result.df
    ([1.0, 0.5], [False, True], 16)
    """
    y, forecasts, cells = _logs(target_var, forecasts_var)
    return _slopes(np.broadcast_to(y, forecasts.shape), forecasts, cells, 1.0, horizon)


def encompassing_weights(
    target_var: ArrayLike, leader_var: ArrayLike, forecasts_var: ArrayLike, horizon: int = 1
) -> SlopesResult:
    """How much of each of k forecasts belongs into a combination with the leader, and tests that it is nothing.

    The weight w of `ln f = (1 - w) ln f_leader + w ln f_row` with the smallest squared error in logs: the slope of the
    leader's log error on the difference of the two log forecasts. Harvey, Leybourne and Newbold (1998), Tests for
    forecast encompassing, JBES 16, section 1; a level of its own for each symbol as in Fair and Schiller (1990),
    Comparing information in forecasts from econometric models, American Economic Review 80. At weight 0 the leader
    encompasses the row: it knows all that the row knows. A weight well above 0 is information that the leader lacks,
    also where the row's own loss is larger.

    Arrays, standard errors and degrees of freedom as in `log_calibration`; NaN for the leader itself.

    >>> rng = np.random.default_rng(1)
    >>> a, b, noise = np.exp(rng.normal(-1, 0.5, (3, 500, 4)))
    >>> result = encompassing_weights(a * b * noise, a, [a * b, a * noise**0.1, a])
    >>> result.slope.round(1).tolist()[0], (result.p_value < 0.01).tolist()
    (1.0, [True, True, False])
    """
    y, forecasts, cells = _logs(target_var, forecasts_var)
    leader = np.asarray(leader_var, dtype=np.float64)
    if leader.shape != y.shape or not (np.isfinite(leader) & (leader > 0)).all():
        raise ValueError(f"leader_var has shape {leader.shape}: {y.shape}, finite and positive, is needed")
    base = np.log(leader)
    return _slopes(np.broadcast_to(y - base, forecasts.shape), forecasts - base, cells, 0.0, horizon)


def _logs(target_var: ArrayLike, forecasts_var: ArrayLike) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Log target, log forecasts, and which cells have a target; days without any are left out later."""
    target, forecasts = np.asarray(target_var, dtype=np.float64), np.asarray(forecasts_var, dtype=np.float64)
    if target.ndim != 2 or forecasts.ndim != 3 or forecasts.shape[1:] != target.shape:
        raise ValueError(
            f"target_var {target.shape}, forecasts_var {forecasts.shape}: (n, symbols) and (k, n, symbols)"
        )
    if not (np.isfinite(forecasts) & (forecasts > 0)).all() or (target < 0).any() or np.isinf(target).any():
        raise ValueError("forecasts_var must be finite and positive, target_var a variance, NaN where unknown")
    cells = np.asarray(target > 0)
    return np.log(np.where(cells, target, 1.0)), np.log(forecasts), cells


def _slopes(y: Array, x: Array, cells: NDArray[np.bool_], null: float, horizon: int) -> SlopesResult:
    """Slopes of `y` on `x (k, n, symbols)` within symbols, on the cells."""
    check_options(horizon, "two-sided")
    days = cells.any(axis=1)
    cells = cells[days]
    n, nu = len(cells), cosines_used(len(cells), horizon)
    slope, error = np.full((2, len(x)), np.nan)
    for entry in range(len(x)):
        size = float(np.abs(x[entry]).max())
        inside, response = _within(x[entry][days], cells), _within(y[entry][days], cells)
        total = float((inside**2).sum())
        if nu and total > (EXACT * size) ** 2 * cells.sum():
            slope[entry] = (inside * response).sum() / total
            influence = (inside * (response - slope[entry] * inside)).sum(axis=1, keepdims=True)
            error[entry] = n * standard_errors(influence, nu)[0] / total
    # A certain slope (no residuals) has error 0 and is infinitely many errors from another null.
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.abs(slope - null) <= EXACT, 0.0, (slope - null) / error)
    p = np.minimum(1.0, 2.0 * special.stdtr(max(nu, 1), -np.abs(statistic)))
    note = "" if nu else f"no test: {n} sessions are too few for horizon {horizon}"
    return SlopesResult(slope, error, statistic, p, null, nu, n, note)


def _within(values: Array, cells: NDArray[np.bool_]) -> Array:
    """Values less the mean of their symbol over the cells, 0 elsewhere."""
    kept = np.where(cells, values, 0.0)
    means = kept.sum(axis=0) / np.maximum(cells.sum(axis=0), 1)
    return np.where(cells, kept - means, 0.0)

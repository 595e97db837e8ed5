"""Intervals of skill, of mean differences and of utility, from equal-weighted-cosine standard errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.daily import checked_daily, daily_mean_losses, paired
from bench.stats.differences import check_options
from bench.stats.ewc import standard_errors
from bench.stats.losses import realized_utility, skill
from bench.stats.protocol import cosines_used

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CosineIntervals:
    """Estimates of k entries with the ends of their intervals, each `(k,)`, and `df`, the cosines of the errors.

    `confidence` is the nominal coverage of each interval alone. NaN ends, and a `note`, with too few sessions.
    """

    estimate: Array
    low: Array
    high: Array
    confidence: float
    df: int
    n: int
    note: str = ""


def cosine_skill_intervals(
    losses: ArrayLike, reference: ArrayLike, horizon: int = 1, confidence: float = 0.90
) -> CosineIntervals:
    """Skill of k entries against a reference, `1 - geometric mean over symbols of loss / reference`, with intervals.

    `losses (k, n_sessions, n_symbols)` and `reference (n_sessions, n_symbols)`, NaN in the same cells (ValueError
    where not). With mean losses `Q_i` and `R_i` of a symbol, `theta = mean over symbols of ln(Q_i / R_i)` has the
    influence `psi_t = mean over symbols of (q_it / Q_i - r_it / R_i)` by session; the interval is `theta -+ t(nu) x`
    the equal-weighted-cosine standard error of the mean of psi, as `1 - exp(theta)`: the delta method, with the error
    and the degrees of freedom of `equal_weighted_cosine`. A cell that is NaN has no part in the mean of its symbol.

    Intervals of nominal 90 % cover 89 to 90 % where those of a percentile bootstrap cover 81 to 87 %
    (docs/size_and_power.md). One is for the entry against the reference: whether two entries differ cannot be read
    from whether their intervals overlap. A symbol on which both have loss 0 counts as equal.

    >>> rng = np.random.default_rng(1)
    >>> reference = rng.chisquare(2, (500, 3))
    >>> result = cosine_skill_intervals([0.9 * reference, reference], reference)
    >>> result.estimate.round(12).tolist(), result.low.round(12).tolist(), result.high.round(12).tolist()
    ([0.1, 0.0], [0.1, 0.0], [0.1, 0.0])
    """
    panels, base, cells = paired(losses, reference)
    weights = cells * (len(cells) / np.maximum(cells.sum(axis=0), 1)) / max(1, cells.shape[1])
    ratios = _relative_to_mean(base, weights)
    estimate, psi = np.empty(len(panels)), np.empty((len(cells), len(panels)))
    for entry, mine in enumerate(panels):
        estimate[entry] = skill(mine.sum(axis=0), base.sum(axis=0))
        psi[:, entry] = _relative_to_mean(mine, weights) - ratios
    half, df, note = _half_widths(psi, horizon, confidence)
    # Skill is 1 - exp(theta): what is added to theta multiplies what is left of 1.
    low, high = 1 - (1 - estimate) * np.exp(half), 1 - (1 - estimate) * np.exp(-half)
    return CosineIntervals(estimate, low, high, confidence, df, len(cells), note)


def cosine_mean_intervals(
    daily_values: ArrayLike, daily_reference: ArrayLike, horizon: int = 1, confidence: float = 0.90
) -> CosineIntervals:
    """Mean differences `daily_values (n, k) - daily_reference (n,)` with intervals, in their unit.

    Daily cross-sectional means (`daily_mean_losses`), finite; `mean -+ t(nu) x` the standard error of
    `equal_weighted_cosine`, so that 0 lies outside an interval of 95 % exactly where its p is below 5 %.

    >>> losses = np.random.default_rng(1).chisquare(2, (500, 2))
    >>> result = cosine_mean_intervals(losses, losses[:, 0])
    >>> result.low[0].item(), result.high[0].item(), (result.low[1] < result.estimate[1] < result.high[1]).item()
    (0.0, 0.0, True)
    """
    values = checked_daily(daily_values)
    reference = checked_daily(np.asarray(daily_reference, dtype=np.float64)[:, None])
    if len(reference) != len(values):
        raise ValueError(f"daily_values has {len(values)} sessions, daily_reference {len(reference)}")
    d = values - reference
    estimate = d.mean(axis=0) if len(d) else np.full(d.shape[1], np.nan)
    half, df, note = _half_widths(d, horizon, confidence)
    return CosineIntervals(estimate, estimate - half, estimate + half, confidence, df, len(d), note)


def utility_intervals(
    target_var: ArrayLike,
    forecasts_var: ArrayLike,
    reference_var: ArrayLike,
    horizon: int = 1,
    confidence: float = 0.90,
) -> CosineIntervals:
    """What k forecasts are worth over a reference, in basis points of wealth a year, with intervals.

    Differences of daily means over symbols of `realized_utility`: target and reference `(n_sessions, n_symbols)`,
    forecasts `(k, n_sessions, n_symbols)`, daily variance.

    >>> target = np.full((100, 2), 2e-4)
    >>> utility_intervals(target, [target, 2 * target], 2 * target).estimate.round(2).tolist()
    [34.31, 0.0]
    """
    forecasts = np.asarray(forecasts_var, dtype=np.float64)
    worth = daily_mean_losses(np.stack([realized_utility(target_var, f) for f in [*forecasts, reference_var]]))
    return cosine_mean_intervals(worth[:, :-1], worth[:, -1], horizon, confidence)


def _relative_to_mean(loss: Array, weights: Array) -> Array:
    """By day, the weighted sum over symbols of `loss / mean loss`, 1 where the mean is 0: all its losses are."""
    count = np.count_nonzero(weights, axis=0)
    means = loss.sum(axis=0) / np.maximum(count, 1)
    return np.asarray((np.divide(loss, means, out=np.ones_like(loss), where=means > 0) * weights).sum(axis=1))


def _half_widths(values: Array, horizon: int, confidence: float) -> tuple[Array, int, str]:
    """Half the widths `(k,)` of intervals of the means of `values (n, k)`, their degrees of freedom, a note."""
    check_options(horizon, "two-sided")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: between 0 and 1")
    n, k = values.shape
    nu = cosines_used(n, horizon)
    if nu == 0:
        return np.full(k, np.nan), 0, f"no interval: {n} sessions are too few for horizon {horizon}"
    return special.stdtrit(nu, 0.5 + 0.5 * confidence) * standard_errors(values, nu), nu, ""

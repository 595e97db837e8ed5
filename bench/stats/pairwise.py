"""All pairwise tests of k entries at once, equal to the tests one by one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.daily import checked_daily, difference_variances, relative
from bench.stats.diebold_mariano import dm_test, lags_used, small_sample_factor
from bench.stats.differences import Differences, check_options, of_series
from bench.stats.ewc import checked_count, cosines, ewc_test
from bench.stats.protocol import Method, cosine_count, headline
from bench.stats.results import MeanTest

Array = NDArray[np.float64]

RESOLVABLE = 2.80
"""Standard errors that a true difference must have to be found 80 % of the time at 5 %: 1.96 + 0.84."""


@dataclass(frozen=True, eq=False)
class PairwiseResult:
    """Two-sided tests of every pair: row i against column j, array fields `(k, k)`; others as in `MeanTest`.

    `mean_difference[i, j]` is the mean of `loss_i - loss_j` (negative: i has the smaller loss), antisymmetric
    like `statistic`; the diagonal has statistic 0 and p 1. Where no test is possible (too few sessions)
    statistics and p are NaN off the diagonal, and `note` says why.
    """

    method: Method
    statistic: Array
    p_value: Array
    mean_difference: Array
    standard_error: Array
    df: int
    lags: int
    horizon: int
    n: int
    note: str = ""


def pairwise_diebold_mariano(daily_losses: ArrayLike, horizon: int = 1, lags: int | None = None) -> PairwiseResult:
    """Diebold-Mariano tests of every pair of columns of `daily_losses (n, k)`, as `diebold_mariano` would answer.

    With the daily cross-sectional means of `daily_mean_losses` these are the panel tests. One matrix product
    per lag has the autocovariances of all differences: `gamma(i - j) = g_ii + g_jj - g_ij - g_ji`. Pairs that
    differ so little that the subtraction would lose digits, identical and constant ones among them, are
    tested one by one. Losses must be finite (ValueError); kernel, lags and degenerate cases:
    `diebold_mariano`.

    >>> rng = np.random.default_rng(1)
    >>> losses = rng.chisquare(2, (753, 4)) + [0.0, 0.0, 0.0, 0.5]
    >>> result = pairwise_diebold_mariano(losses)
    >>> result.lags, (result.p_value[3, :3] < 0.01).all().item(), result.p_value.diagonal().tolist()
    (9, True, [1.0, 1.0, 1.0, 1.0])
    """
    check_options(horizon, "two-sided")
    losses = checked_daily(daily_losses)
    n = len(losses)
    used = lags_used(n, horizon, lags, "bartlett")
    factor = small_sample_factor(n, horizon) if n > horizon else math.nan

    def single(d: Differences) -> MeanTest:
        return dm_test(d, horizon, lags, "bartlett", "two-sided")

    parts = _statistics(losses, lambda e: _bartlett(e, used), factor, n - 1, single)
    return PairwiseResult("bartlett", *parts, df=n - 1, lags=used, horizon=horizon, n=n, note=_note(factor, n))


def pairwise_equal_weighted_cosine(daily_losses: ArrayLike, horizon: int = 1, nu: int | None = None) -> PairwiseResult:
    """Equal-weighted-cosine tests of every pair of columns of `daily_losses (n, k)`, as `equal_weighted_cosine`.

    The cosine coefficients are linear in the series, so those of a difference are differences of the
    columns'. Other rules as in `pairwise_diebold_mariano`.

    >>> losses = np.random.default_rng(1).chisquare(2, (753, 4))
    >>> pairwise_equal_weighted_cosine(losses, horizon=21).df
    8
    """
    check_options(horizon, "two-sided")
    losses = checked_daily(daily_losses)
    n = len(losses)
    count = checked_count(n, horizon, nu)
    factor = 1.0 if count > 0 else math.nan

    def single(d: Differences) -> MeanTest:
        return ewc_test(d, horizon, "two-sided", count)

    parts = _statistics(losses, lambda e: _cosine(e, count), factor, count, single)
    return PairwiseResult("cosine", *parts, df=count, lags=0, horizon=horizon, n=n, note=_note(factor, n))


def pairwise_test(daily_losses: ArrayLike, horizon: int = 1, method: Method | None = None) -> PairwiseResult:
    """The protocol's headline test of every pair, or its test of that name.

    >>> losses = np.random.default_rng(1).chisquare(2, (753, 4))
    >>> [pairwise_test(losses, h).method for h in (1, 5)]
    ['bartlett', 'cosine']
    """
    check_options(horizon, "two-sided")
    if (method or headline(horizon)) == "cosine":
        losses = checked_daily(daily_losses)
        return pairwise_equal_weighted_cosine(losses, horizon, cosine_count(len(losses), horizon))
    return pairwise_diebold_mariano(daily_losses, horizon)


def smallest_resolvable_gap(pairs: PairwiseResult, reference: int, rows: ArrayLike | None = None) -> float:
    """The mean difference from the reference that 80 % of such samples would find, in the unit of the losses.

    `2.80 x` the standard error of the daily mean difference from column `reference`, median over `rows`
    (indices or mask; default all) other than the reference and what never differs from it. NaN where none is
    left. A smaller gap between two entries is neither shown nor excluded by the sample.

    >>> losses = np.random.default_rng(1).chisquare(2, (753, 4))
    >>> round(smallest_resolvable_gap(pairwise_test(losses), reference=0), 2)
    0.28
    """
    errors = pairs.standard_error[:, reference]
    chosen = np.zeros(len(errors), dtype=bool)
    chosen[slice(None) if rows is None else np.asarray(rows)] = True
    chosen &= errors > 0  # false for NaN too
    return RESOLVABLE * float(np.median(errors[chosen])) if chosen.any() else math.nan


def _statistics(
    losses: Array, covariance: Callable[[Array], Array], factor: float, df: int,
    single: Callable[[Differences], MeanTest],
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    """Statistics, p, mean differences and standard errors of all pairs; `factor` is NaN where there is no test."""
    n, k = losses.shape
    own = np.eye(k, dtype=bool)
    if n == 0:
        nothing = np.where(own, 0.0, np.nan)
        return nothing, np.where(own, 1.0, np.nan), nothing, nothing
    rel = relative(losses)
    difference = np.asarray(rel.means[:, None] - rel.means[None, :])
    if math.isnan(factor):
        nothing = np.where(own, 0.0, np.nan)
        return nothing, np.where(own, 1.0, np.nan), difference, nothing
    variances, unsafe = difference_variances(covariance(rel.centred), rel.floor)
    error = rel.scale * np.sqrt(variances / n)
    statistic = np.divide(difference, error, out=np.zeros((k, k)), where=error > 0) * factor
    p = np.minimum(1.0, 2.0 * special.stdtr(df, -np.abs(statistic)))
    for i, j in np.argwhere(np.triu(unsafe, 1)):
        one = single(of_series(losses[:, i], losses[:, j]))
        statistic[i, j], statistic[j, i] = one.statistic, -one.statistic
        difference[i, j], difference[j, i] = one.mean_difference, -one.mean_difference
        p[i, j] = p[j, i] = one.p_value
        error[i, j] = error[j, i] = one.standard_error
    np.fill_diagonal(statistic, 0.0)
    np.fill_diagonal(error, 0.0)
    np.fill_diagonal(p, 1.0)
    return statistic, p, difference, error


def _bartlett(e: Array, lags: int) -> Array:
    """Long-run covariance matrix `(k, k)` of centred series `(n, k)` with Bartlett weights."""
    n = len(e)
    total = e.T @ e
    for k in range(1, lags + 1):
        gamma = e[k:].T @ e[: n - k]
        total += (1.0 - k / (lags + 1)) * (gamma + gamma.T)
    return np.asarray(total / n)


def _cosine(e: Array, nu: int) -> Array:
    """Long-run covariance matrix `(k, k)` of centred series `(n, k)` from the first nu cosines."""
    coefficients = cosines(len(e), nu) @ e
    return np.asarray(coefficients.T @ coefficients / nu)


def _note(factor: float, n: int) -> str:
    return f"no test: {n} sessions are too few for the horizon" if math.isnan(factor) else ""

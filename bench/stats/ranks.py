"""Simultaneous confidence sets for the ranks of all entries: what a table in order of loss may claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.bootstrap import DRAWS, SEED, day_weights, long_enough, mean_block, too_few
from bench.stats.daily import Array, Relative, checked_daily, difference_variances, relative
from bench.stats.differences import check_options, of_series
from bench.stats.ewc import cosines
from bench.stats.protocol import cosines_used

Errors = Literal["bootstrap", "cosine"]
Largest = Callable[[Array, NDArray[np.bool_]], Array]
"""The largest statistic of each draw, from the inverse standard errors `(k, k)` and the pairs that are rejected."""

CHUNK = 250
"""Draws at a time: their means of 200 entries fit in a processor's cache."""


@dataclass(frozen=True, eq=False)
class RankSetsResult:
    """Sets of ranks `low` to `high (k,)` of k entries, 1 the smallest expected loss; all hold at once.

    `critical` is the number of standard errors at which the last step counts a difference. With too few sessions
    every set is all ranks, `critical` is NaN, and `note` says why.
    """

    low: NDArray[np.int_]
    high: NDArray[np.int_]
    confidence: float
    critical: float
    n: int
    block: int
    draws: int
    note: str = ""


def rank_sets(
    daily_losses: ArrayLike,
    horizon: int = 1,
    confidence: float = 0.90,
    draws: int = DRAWS,
    seed: int = SEED,
    errors: Errors = "bootstrap",
) -> RankSetsResult:
    """Confidence sets for the ranks of the columns of `daily_losses (n, k)`, daily means over symbols, any unit.

    All k sets hold the true ranks at once with probability `confidence` in large samples: Mogstad, Romano, Shaikh and
    Wilhelm (2024), Inference for ranks with applications to mobility across neighbourhoods and academic achievement
    across countries, Review of Economic Studies 91, section 3: two-sided, for all ranks, with step-down. These are the
    sets of `csranks(-means, covariance, simul = TRUE, stepdown = TRUE)` of the R package csranks, up to its draws.

    Of all ordered pairs, `(mean_i - mean_j) / its standard error` is compared with the quantile of the largest such
    statistic over the draws; pairs above it are rejected, and the rest is compared again without them, until nothing
    more is rejected. An entry has at least as many better ones as were found better than it. `errors` and draws are of

    - `bootstrap`: days in mean blocks of `mean_block`, the draws of `model_confidence_set`;
    - `cosine`: the first nu cosines, as in `equal_weighted_cosine`. In large samples a mean and its cosine coefficients
      are independent normal vectors of one covariance matrix (Lazarus, Lewis, Stock and Watson 2018), so a draw is
      nu + 1 vectors with the covariance of the coefficients: the first is the means, the others make their errors. One
      pair alone has t(nu). It holds its 90 % better where many entries are equal (docs/size_and_power.md).

    An entry that differs from another by nothing is never told apart from it, one that differs by a constant always.
    One column has rank 1. Losses must be finite, the confidence between 0 and 1 (ValueError).

    >>> losses = np.random.default_rng(1).chisquare(2, (500, 4)) + [0.8, 0.0, 0.0, 1.6]
    >>> result = rank_sets(losses, draws=1000)
    >>> [f"{low} to {high}" for low, high in zip(result.low, result.high)]
    ['3 to 3', '1 to 2', '1 to 2', '4 to 4']
    """
    check_options(horizon, "two-sided")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: between 0 and 1, 0.90 for sets of 90 %")
    if errors not in get_args(Errors):
        raise ValueError(f"errors is {errors!r}: one of {', '.join(get_args(Errors))}")
    losses = checked_daily(daily_losses)
    n, k = losses.shape
    block = mean_block(n, horizon) if errors == "bootstrap" else 0
    nu = cosines_used(n, horizon)
    if k == 1 or n == 0 or not (long_enough(n, horizon) if block else nu):
        short = too_few(n, block) if block else f"no test: {n} sessions are too few for horizon {horizon}"
        note = "one entry: nothing to compare" if k == 1 else short
        all_of = np.full(k, k)
        return RankSetsResult(np.ones_like(all_of), all_of, confidence, np.nan, n, block, draws, note)
    rel = relative(losses)
    gaps = (rel.means[:, None] - rel.means[None, :]) / rel.scale
    largest: Largest
    if block:
        drawn = (day_weights(n, block, draws, seed) @ rel.centred).T / n
        largest = partial(_largest_of_means, drawn)
    else:
        drawn = (cosines(n, nu) @ rel.centred).T / np.sqrt(n)
        largest = partial(_largest_of_cosines, drawn, draws, seed)
    deviations, certain = deviations_of_differences(losses, rel, drawn)
    worse, critical = _step_down(gaps, deviations, certain, largest, confidence)
    return RankSetsResult(1 + worse.sum(axis=1), k - worse.sum(axis=0), confidence, critical, n, block, draws)


def deviations_of_differences(losses: Array, rel: Relative, drawn: Array) -> tuple[Array, Array]:
    """Standard errors `(k, k)` of all mean differences, and which differences are certain.

    The root mean squares of the differences of `drawn (k, draws)`: bootstrap means of `rel.centred`, or its cosine
    coefficients over the root of n. A difference without variance has deviation 0; it is
    certain, +1 or -1 (else 0), where it is a constant other than 0. Nearly equal columns are looked at one by one.
    """
    variances, unsafe = difference_variances(drawn @ drawn.T / drawn.shape[1], rel.floor)
    deviations, certain = np.sqrt(variances), np.zeros_like(variances)
    for i, j in np.argwhere(np.triu(unsafe, 1)):
        d = of_series(losses[:, i], losses[:, j])
        one = 0.0 if d.constant else float(np.sqrt(np.mean((drawn[i] - drawn[j]) ** 2)))
        deviations[i, j] = deviations[j, i] = one
        if d.constant and not d.identical:
            certain[i, j], certain[j, i] = np.sign(d.mean), -np.sign(d.mean)
    np.fill_diagonal(deviations, 0.0)
    return deviations, certain


def _step_down(
    gaps: Array, deviations: Array, certain: Array, largest: Largest, confidence: float
) -> tuple[NDArray[np.bool_], float]:
    """Which entry is found worse than which, `worse[i, j]`, and the critical value of the last step."""
    inverse = np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    statistic = gaps * inverse
    worse, critical = certain > 0, np.nan
    while True:
        compared = (deviations > 0) & ~worse
        if not compared.any():
            return worse, critical
        critical = float(np.quantile(largest(inverse, worse), confidence))
        found = compared & (statistic > critical)
        if not found.any():
            return worse, critical
        worse = worse | found


def _largest_of_means(drawn: Array, inverse: Array, worse: NDArray[np.bool_]) -> Array:
    """The largest studentised difference of each draw `(draws,)` over the ordered pairs that are not rejected.

    Both orders of a pair without rejection are there, so its absolute value counts; of a rejected pair the other order.
    """
    k, draws = drawn.shape
    sign, decided = np.where(worse, -1.0, 1.0), worse | worse.T
    largest = np.full(draws, -np.inf)
    work = np.empty((k, CHUNK))
    for first in range(0, draws, CHUNK):
        part = np.ascontiguousarray(drawn[:, first : first + CHUNK])
        best = largest[first : first + CHUNK]
        for i in range(k - 1):
            z = np.subtract(part[i], part[i + 1 :], out=work[: k - i - 1, : part.shape[1]])
            z *= inverse[i, i + 1 :, None]
            one = np.flatnonzero(decided[i, i + 1 :])
            other = z[one] * sign[i, i + 1 :][one, None]
            np.abs(z, out=z)
            z[one] = other
            np.maximum(best, z.max(axis=0), out=best)
    return largest


def _largest_of_cosines(coefficients: Array, draws: int, seed: int, inverse: Array, worse: NDArray[np.bool_]) -> Array:
    """The same for draws of means and of errors like those of the `coefficients (k, nu)`."""
    k, nu = coefficients.shape
    generator = np.random.default_rng(seed)
    left_out = np.flatnonzero(worse | ~(inverse > 0))
    largest = np.empty(draws)  # of the squares, with a sign: one root a draw is enough
    error, square, products = np.empty((3, k, k))
    for draw in range(draws):
        mean, *others = generator.standard_normal((nu + 1, nu)) @ coefficients.T
        np.matmul(np.transpose(others), others, out=products)
        own = products.diagonal().copy()
        np.add(own[:, None], own, out=error)
        products *= 2
        error -= products
        np.subtract(mean[:, None], mean, out=square)
        square *= np.abs(square, out=products)
        error.ravel()[left_out] = 1.0
        square /= error
        square.ravel()[left_out] = -np.inf
        largest[draw] = square.max()
    return np.asarray(np.sign(largest) * np.sqrt(nu * np.abs(largest)))

"""Model confidence sets: which entries cannot be told from the best?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.bootstrap import DRAWS, SEED, day_weights, long_enough, mean_block, too_few
from bench.stats.daily import Array, Relative, checked_daily, difference_variances, relative
from bench.stats.differences import check_options, of_series
from bench.stats.ranks import deviations_of_differences

Statistic = Literal["max", "range"]

ZERO = 1e-10
"""Standard deviations below this share of the largest are zero but for rounding."""


@dataclass(frozen=True, eq=False)
class ConfidenceSetResult:
    """A model confidence set of k entries: `p_value (k,)` and `included (k,)`, which is `p_value > size`.

    An entry's p is the smallest `size` at which it would be left out. The set holds the entry of lowest
    expected loss with probability `1 - size` or more in large samples; of what it holds besides, none could be
    excluded as that entry, though two members may differ in a test of the two.
    With too few sessions all p are NaN, nothing is left out, and `note` says why.
    """

    p_value: Array
    included: NDArray[np.bool_]
    size: float
    n: int
    block: int
    draws: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class TiersResult:
    """Tiers of k entries, `tier (k,)` from 1, and the confidence set that is tier 1."""

    tier: NDArray[np.int_]
    first: ConfidenceSetResult


def model_confidence_set(
    daily_losses: ArrayLike,
    horizon: int = 1,
    size: float = 0.10,
    draws: int = DRAWS,
    seed: int = SEED,
    statistic: Statistic = "max",
) -> ConfidenceSetResult:
    """The model confidence set of the columns of `daily_losses (n, k)`, daily means over symbols, any unit.

    While more than one entry is left, a statistic is compared with its bootstrap distribution, and an entry leaves
    with that p, or with an earlier one that was larger. Hansen, Lunde and Nason (2011), The model confidence set,
    Econometrica 79, section 3.1.2; stationary bootstrap with mean blocks of `mean_block`.

    - `max`: the largest `(mean loss of i - mean over the set) / its bootstrap standard deviation`; i leaves.
    - `range`: the largest studentised difference of a pair, whose worse entry leaves.

    These are the draws and the answers of `arch.bootstrap.MCS` by `max` and `R` with the same seed (tested). It is
    repeated here because arch resamples the losses anew in each call, while the weights of the days serve all.

    Columns that differ by nothing share their p; of columns that differ by a constant, up to rounding, all
    but the smallest are certainly worse and have p 0. One column has p 1. Losses must be finite, the size
    between 0 and 1 (ValueError).

    >>> losses = np.random.default_rng(1).chisquare(2, (500, 4)) + [0.0, 0.0, 0.0, 0.8]
    >>> losses[:, 2] = losses[:, 0]
    >>> result = model_confidence_set(losses, draws=1000)
    >>> result.included.tolist(), bool(result.p_value[0] == result.p_value[2]), bool(result.p_value[3] < 0.01)
    ([True, True, True, False], True, True)
    """
    losses = _checked(daily_losses, horizon, size)
    if statistic not in get_args(Statistic):
        raise ValueError(f"statistic is {statistic!r}: one of {', '.join(get_args(Statistic))}")
    return _confidence_set(losses, horizon, size, draws, seed, all_p=True, statistic=statistic)


def set_sensitivity(
    daily_losses: ArrayLike,
    naive: ArrayLike,
    families: Sequence[str],
    horizon: int = 1,
    size: float = 0.10,
    draws: int = DRAWS,
    seed: int = SEED,
    statistic: Statistic = "max",
) -> dict[str, ConfidenceSetResult]:
    """The confidence set of all columns, of those that are not naive, and of the best of each family.

    An entry is in a set in comparison with the others in it: ten naive rows widen the maximum that it is compared with,
    and ten rows of one family count its luck ten times. Membership that hangs on them is weak. `naive (k,)` is a mask,
    `families` a name a column, of which the column with the smallest mean loss stands for it. Columns that are left out
    of a comparison have p NaN and are not included. Other arguments: `model_confidence_set`.

    >>> losses = np.random.default_rng(1).chisquare(2, (500, 4)) + [0.0, 0.2, 0.0, 0.8]
    >>> found = set_sensitivity(losses, [False, False, False, True], ["har", "har", "net", "mean"], draws=500)
    >>> [name for name in found], found["one of each family"].included.tolist()
    (['all', 'without naive', 'one of each family'], [True, False, True, False])
    """
    losses = _checked(daily_losses, horizon, size)
    k, means = losses.shape[1], losses.mean(axis=0)
    left_out, names = np.asarray(naive, dtype=bool), np.asarray(families, dtype=str)
    if left_out.shape != (k,) or names.shape != (k,):
        raise ValueError(f"naive {left_out.shape} and families {names.shape}: one value for each of {k} columns")
    best = [np.flatnonzero(names == name)[means[names == name].argmin()] for name in np.unique(names)]
    chosen = {
        "all": np.arange(k), "without naive": np.flatnonzero(~left_out), "one of each family": np.sort(best),
    }  # fmt: skip
    found = {}
    for name, columns in chosen.items():
        if len(columns):
            part = model_confidence_set(losses[:, columns], horizon, size, draws, seed, statistic)
            p, included = np.full(k, np.nan), np.zeros(k, dtype=bool)
            p[columns], included[columns] = part.p_value, part.included
            found[name] = replace(part, p_value=p, included=included)
    return found


def tiers(
    daily_losses: ArrayLike, horizon: int = 1, size: float = 0.10, draws: int = DRAWS, seed: int = SEED
) -> TiersResult:
    """Tiers of the columns of `daily_losses (n, k)`: 1 the confidence set, 2 the set of the rest, and so on.

    A reading aid without joint coverage: only tier 1 is a confidence set, and inside a tier nothing is
    ranked. Arguments, ties and errors: `model_confidence_set`.

    >>> losses = np.random.default_rng(1).chisquare(2, (500, 4)) + [0.0, 0.8, 0.0, 1.6]
    >>> tiers(losses, draws=1000).tier.tolist()
    [1, 2, 1, 3]
    """
    losses = _checked(daily_losses, horizon, size)
    tier = np.zeros(losses.shape[1], dtype=np.int_)
    first = _confidence_set(losses, horizon, size, draws, seed, all_p=True)
    tier[first.included] = 1
    while (tier == 0).any():
        rest = np.flatnonzero(tier == 0)
        following = _confidence_set(losses[:, rest], horizon, size, draws, seed, all_p=False)
        tier[rest[following.included]] = tier.max() + 1
    return TiersResult(tier, first)


def _checked(daily_losses: ArrayLike, horizon: int, size: float) -> Array:
    check_options(horizon, "two-sided")
    if not 0 < size < 1:
        raise ValueError(f"size is {size}: between 0 and 1, 0.10 for the 90 % set")
    return checked_daily(daily_losses)


def _confidence_set(
    losses: Array, horizon: int, size: float, draws: int, seed: int, all_p: bool, statistic: Statistic = "max"
) -> ConfidenceSetResult:
    """The set; without `all_p` the elimination ends with the set, whose p are then only known to be above size."""
    n, k = losses.shape
    block = mean_block(n, horizon)
    if k == 1 or not long_enough(n, horizon) or n == 0:
        p = np.ones(1) if k == 1 else np.full(k, np.nan)
        note = "one entry: nothing to compare" if k == 1 else too_few(n, block)
        return ConfidenceSetResult(p, np.ones(k, dtype=bool), size, n, block, draws, note)
    rel = relative(losses)
    twin = _twins(losses, rel)
    kept = np.flatnonzero(twin == np.arange(k))
    p = np.zeros(k)
    if len(kept) == 1:
        p[kept] = 1.0
    else:
        drawn = (day_weights(n, block, draws, seed) @ rel.centred[:, kept]).T / n
        means = rel.means[kept] / rel.scale
        if statistic == "max":
            p[kept] = _eliminate(means, drawn, 1.0 if all_p else size)
        else:
            p[kept] = _by_range(means, deviations_of_differences(losses[:, kept], rel, drawn)[0], drawn)
    same = twin >= 0
    p[same] = p[twin[same]]
    return ConfidenceSetResult(p, p > size, size, n, block, draws)


def _eliminate(means: Array, drawn: Array, enough: float) -> Array:
    """p of each entry, from mean losses `(k,)` and bootstrap means of the centred losses `(k, draws)`.

    Stops once p exceeds `enough`: entries left then have p 1, although theirs may be smaller.
    """
    p = np.ones(len(means))
    left = np.arange(len(means))
    reached = 0.0
    while len(left) > 1 and reached <= enough:
        deviation = drawn[left]
        deviation -= deviation.mean(axis=0)
        spread = np.sqrt(np.einsum("ij,ij->i", deviation, deviation) / deviation.shape[1])
        gap = means[left] - means[left].mean()
        certain = spread <= ZERO * spread.max()
        # The mean of two others, say: no variance against the set, so its gap, if there is one, is certain.
        gap[certain & (np.abs(gap) <= ZERO * np.abs(means[left]).max())] = 0.0
        spread[certain] = np.finfo(np.float64).tiny
        deviation[certain] = 0.0
        deviation /= spread[:, None]
        with np.errstate(over="ignore"):  # a certain gap is infinitely many standard deviations
            statistic = gap / spread
        worst = statistic == statistic.max()
        reached = max(reached, float((statistic.max() < deviation.max(axis=0)).mean()))
        p[left[worst]] = reached
        left = left[~worst]
    if len(left) == 1:
        p[left] = 1.0
    return p


def _by_range(means: Array, deviations: Array, drawn: Array) -> Array:
    """p of each entry by the range statistic, from means `(k,)`, standard deviations `(k, k)` and draws `(k, draws)`.

    Who leaves when follows from the means alone, so the sets are gone through from the last one up: each adds the
    pairs of one entry to the largest statistic of a draw.
    """
    k = len(means)
    statistic = (means[:, None] - means[None, :]) / np.where(deviations > 0, deviations, np.inf)
    np.fill_diagonal(statistic, -np.inf)
    order, observed = np.empty(k - 1, dtype=np.int_), np.empty(k - 1)
    for step in range(k - 1):
        worst = order[step] = statistic.argmax() // k
        observed[step] = statistic[worst].max()
        statistic[worst], statistic[:, worst] = -np.inf, -np.inf
    stay = list(np.setdiff1d(np.arange(k), order))
    p, largest = np.ones(k), np.zeros(drawn.shape[1])
    exceeded = np.empty(k - 1)
    for step in range(k - 2, -1, -1):
        entry = order[step]
        pairs = drawn[stay]
        pairs -= drawn[entry]
        pairs /= np.where(deviations[entry, stay] > 0, deviations[entry, stay], np.inf)[:, None]
        np.maximum(largest, np.abs(pairs, out=pairs).max(axis=0), out=largest)
        exceeded[step] = (observed[step] < largest).mean()
        stay.append(entry)
    p[order] = np.maximum.accumulate(exceeded)
    return p


def _twins(losses: Array, rel: Relative) -> NDArray[np.int_]:
    """For each column itself, or the column that it equals; -1 where it is another one plus a positive constant."""
    twin = np.arange(losses.shape[1])
    _, near = difference_variances(rel.centred.T @ rel.centred / len(losses), rel.floor)
    order = np.argsort(rel.means, kind="stable")
    for place, column in enumerate(order):
        for other in order[:place]:
            if near[column, other] and twin[other] == other:
                d = of_series(losses[:, column], losses[:, other])
                if d.constant:
                    twin[column] = other if d.identical else -1
                    break
    return twin

"""The stationary bootstrap over days: resampled weights of days, and intervals of skill.

All symbols and all entries of a day stay together in every draw, so their dependence stays too; stock-days
are never drawn one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.daily import paired
from bench.stats.differences import check_options
from bench.stats.losses import skill

Array = NDArray[np.float64]

DRAWS = 10_000
SEED = 1
CHUNK = 50
"""Draws that are made at a time: their days fit in a processor's cache."""
WIDTH = 512
"""Columns of a matrix product: narrow ones waste two thirds of the time, wide ones memory."""


@dataclass(frozen=True, eq=False)
class IntervalsResult:
    """Estimates of k entries with the ends of their intervals, each `(k,)`.

    `confidence` is the nominal coverage of each interval alone. NaN ends, and a `note`, where the sample is
    too short for the blocks.
    """

    estimate: Array
    low: Array
    high: Array
    confidence: float
    n: int
    block: int
    draws: int
    note: str = ""


def skill_intervals(
    losses: ArrayLike,
    reference: ArrayLike,
    horizon: int = 1,
    confidence: float = 0.90,
    draws: int = DRAWS,
    seed: int = SEED,
) -> IntervalsResult:
    """Skill of k entries against a reference, `1 - geometric mean over symbols of loss / reference`, with intervals.

    `losses (k, n_sessions, n_symbols)` and `reference (n_sessions, n_symbols)`, NaN in the same cells
    (ValueError where not). A draw of days is a vector of weights, so the mean losses of all symbols in all
    draws are one matrix product; the ratio is paired, since both losses get the same days.
    Interval: the percentiles of the draws, Efron (1979), with the stationary bootstrap of Politis and Romano
    (1994), JASA 89, mean block `mean_block`. With some 750 sessions intervals of nominal 90 % cover about 88 %
    of the time at horizon 1, 82 % at 5 and 21 (docs/size_and_power.md). An interval is for the entry against
    the reference: whether two entries differ cannot be read from whether their intervals overlap.

    >>> rng = np.random.default_rng(1)
    >>> reference = rng.chisquare(2, (500, 3))
    >>> result = skill_intervals([0.9 * reference, reference], reference, draws=500)
    >>> result.estimate.round(12).tolist(), result.low.round(12).tolist(), result.high.round(12).tolist()
    ([0.1, 0.0], [0.1, 0.0], [0.1, 0.0])
    """
    sums, base, _ = paired(losses, reference)
    # Means by symbol are sums over the same cells of both, so the counts cancel in their ratio.
    estimate = np.array([skill(total.sum(axis=0), base.sum(axis=0)) for total in sums])
    weights = _weights_or_none(len(base), horizon, draws, seed)
    low, high = np.full((2, len(sums)), np.nan)
    if weights is not None:
        drawn_base, symbols = weights @ base, base.shape[1]
        together = max(1, WIDTH // max(1, symbols))
        for first in range(0, len(sums), together):
            drawn = weights @ np.hstack(sums[first : first + together])
            for entry in range(first, min(first + together, len(sums))):
                mine = drawn[:, (entry - first) * symbols :][:, :symbols]
                low[entry], high[entry] = _ends(skill(mine, drawn_base), confidence)
    block = mean_block(len(base), horizon)
    note = "" if weights is not None else too_few(len(base), block)
    return IntervalsResult(estimate, low, high, confidence, len(base), block, draws, note)


def mean_block(n: int, horizon: int) -> int:
    """Mean length of a block of days, `max(ceil(sqrt(n)), 2h)`: longer than what overlapping targets share.

    >>> mean_block(753, 1), mean_block(733, 21), mean_block(10, 5)
    (28, 42, 10)
    """
    root = math.isqrt(n)
    return max(root + (root * root < n), 2 * horizon)


def long_enough(n: int, horizon: int) -> bool:
    """Whether a sample has two mean blocks or more: of one block every draw is nearly the sample itself.

    >>> long_enough(84, 21), long_enough(83, 21), long_enough(10, 1)
    (True, False, True)
    """
    return n >= 2 * mean_block(n, horizon)


def day_weights(n: int, block: int, draws: int = DRAWS, seed: int = SEED) -> Array:
    """How often each day was drawn, `(draws, n)`, read-only; rows sum to n: `day_weights @ x / n` are bootstrap means.

    The draws are those of `arch.bootstrap.StationaryBootstrap(block, ..., seed=seed)`, in its order.

    >>> weights = day_weights(100, block=10, draws=4)
    >>> weights.shape, weights.sum(axis=1).tolist()
    ((4, 100), [100.0, 100.0, 100.0, 100.0])
    """
    if n < 1 or block < 1 or draws < 1:
        raise ValueError(f"{n} days in blocks of {block}, {draws} draws: at least one of each")
    return _weights(n, block, draws, seed)


@lru_cache(maxsize=1)
def _weights(n: int, block: int, draws: int, seed: int) -> Array:
    """The weights, read-only: confidence sets and intervals of a task use the same ones some ten times."""
    weights = _counts(n, block, draws, seed).astype(np.float64)
    weights.flags.writeable = False
    return weights


@lru_cache(maxsize=4)
def _counts(n: int, block: int, draws: int, seed: int) -> NDArray[np.integer]:
    """The weights as small integers: tasks of the same length share them, and these take a quarter of the memory.

    Drawn here because importing arch takes half as long as a whole board; equal to arch's draws (tested).
    """
    generator = np.random.default_rng(seed)
    counts = np.empty((draws, n), dtype=np.min_scalar_type(n))
    days = np.arange(n)
    for first in range(0, draws, CHUNK):
        k = min(CHUNK, draws - first)
        fresh, chance = np.empty((k, n), dtype=np.int64), np.empty((k, n))
        for draw in range(k):
            fresh[draw] = generator.integers(n, size=n)
            generator.random(out=chance[draw])
        starts = chance <= 1.0 / block  # a new block begins here, with a fresh day
        starts[:, 0] = True
        begun = np.maximum.accumulate(np.where(starts, days, 0), axis=1)
        drawn = (np.take_along_axis(fresh, begun, axis=1) + days - begun) % n
        counts[first : first + k] = np.bincount((drawn + n * np.arange(k)[:, None]).ravel(), minlength=k * n).reshape(
            k, n
        )
    counts.flags.writeable = False
    return counts


def _weights_or_none(n: int, horizon: int, draws: int, seed: int) -> Array | None:
    check_options(horizon, "two-sided")
    return day_weights(n, mean_block(n, horizon), draws, seed) if long_enough(n, horizon) and n else None


def _ends(draws: Array, confidence: float) -> tuple[Array, Array]:
    """Both percentiles over the first axis."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: between 0 and 1")
    tail = 0.5 * (1 - confidence)
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def too_few(n: int, block: int) -> str:
    """The note of a sample that is too short to be resampled."""
    return f"no bootstrap: {n} sessions are fewer than two mean blocks of {block}"

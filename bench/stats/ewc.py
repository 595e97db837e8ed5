"""The equal-weighted-cosine test of equal predictive accuracy, and the standard errors that it rests on."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.differences import CONSTANT, IDENTICAL, Differences, check_options, of_panel, of_series, p_value
from bench.stats.protocol import cosines_used
from bench.stats.results import Alternative, MeanTest

Array = NDArray[np.float64]


def equal_weighted_cosine(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    horizon: int = 1,
    alternative: Alternative = "two-sided",
    nu: int | None = None,
) -> MeanTest:
    """Test of equal expected loss with a long-run variance from the first nu cosines, compared with t(nu).

    `t = sqrt(n) mean(d) / sqrt(Omega)`, `Omega = (1/nu) sum_{j=1..nu} Lambda_j^2` with
    `Lambda_j = sqrt(2/n) sum_{t=1..n} d_t cos(pi j (t - 1/2) / n)`: Lazarus, Lewis, Stock and Watson (2018),
    HAR inference: recommendations for practice, JBES 36, page 545. Their equation 4 takes `0.4 n^(2/3)`
    cosines, 33 of 753 sessions; the default here is `protocol.cosines_used`, 16 up to a week and 8 above, since the
    differences of real forecasts last for longer than those that their rule is made for.

    `loss_a`, `loss_b`: `(n,)`, or `(n_sessions, n_symbols)`, of which the daily cross-sectional means are
    tested (cells that are NaN are left out). With nu = 0 (n < 2h) statistic and p are NaN: see
    `note`. Identical losses have statistic 0 and p 1, a constant difference +-inf, as in `diebold_mariano`.

    >>> rng = np.random.default_rng(1)
    >>> result = equal_weighted_cosine(rng.chisquare(1, 753), rng.chisquare(1, 753), horizon=21)
    >>> result.df
    8
    """
    make = of_panel if np.ndim(loss_a) == 2 else of_series
    return ewc_test(make(loss_a, loss_b), horizon, alternative, nu)


def ewc_test(d: Differences, horizon: int, alternative: Alternative, nu: int | None = None) -> MeanTest:
    """The test of `equal_weighted_cosine` on differences that are made already."""
    check_options(horizon, alternative)
    n = len(d)
    nu = checked_count(n, horizon, nu)

    def result(statistic: float, p: float, standard_error: float, note: str = "") -> MeanTest:
        return MeanTest(
            "cosine", statistic, p, d.mean, standard_error, nu, 0, horizon, alternative, n, note, d.n_left_out
        )

    if nu == 0:
        return result(math.nan, math.nan, math.nan, f"no test: {n} sessions are too few for horizon {horizon}")
    if d.identical:
        return result(0.0, 1.0, 0.0, IDENTICAL)
    if d.constant:
        statistic = math.copysign(math.inf, d.mean)
        return result(statistic, p_value(statistic, nu, alternative), 0.0, CONSTANT)
    variance = cosine_variance(d.values / d.scale, nu)
    if not variance > 0:
        return result(math.nan, math.nan, 0.0, f"no test: the first {nu} cosines carry no variance")
    standard_error = d.scale * math.sqrt(variance / n)
    statistic = d.mean / standard_error
    return result(statistic, p_value(statistic, nu, alternative), standard_error)


def checked_count(n: int, horizon: int, nu: int | None) -> int:
    """The number of cosines asked for, or the protocol's; ValueError where a series of n has no such number."""
    if nu is None:
        return cosines_used(n, horizon)
    if not 0 <= nu < max(n, 1) or nu != int(nu):
        raise ValueError(f"nu is {nu}: a whole number of cosines, less than the {n} sessions")
    return int(nu)


def standard_errors(values: Array, nu: int) -> Array:
    """Standard errors `(k,)` of the means of the columns of `values (n, k)`, from their first `nu` cosines.

    >>> standard_errors(np.array([[1.0], [0.0], [0.0], [2.0]]), 1).round(5).tolist()
    [0.32664]
    """
    coefficients = cosines(len(values), nu) @ (values - values.mean(axis=0))
    return np.asarray(np.sqrt((coefficients**2).mean(axis=0) / len(values)))


def cosine_variance(values: Array, nu: int) -> float:
    """Mean square of the first `nu` type-II cosine coefficients of a series `(n,)`: its long-run variance.

    The mean of the series drops out: each cosine sums to 0.

    >>> round(cosine_variance(np.array([1.0, 0.0, 0.0, 2.0]), 1), 12)
    0.426776695297
    """
    # The mean is taken out although it has no part, so that a large one leaves no rounding behind.
    coefficients = cosines(len(values), nu) @ (values - values.mean())
    return float(np.mean(coefficients**2))


@lru_cache(maxsize=8)
def cosines(n: int, nu: int) -> Array:
    """The rows `sqrt(2/n) cos(pi j (t - 1/2) / n)`, j = 1 to nu, `(nu, n)`: orthonormal, and read-only.

    Kept for the last few samples, since a board asks for the same ones some thousand times.

    >>> rows = cosines(50, 3)
    >>> bool(np.allclose(rows @ rows.T, np.eye(3)))
    True
    """
    angles = np.pi * np.outer(np.arange(1, nu + 1), np.arange(n) + 0.5) / n
    rows = np.asarray(math.sqrt(2.0 / n) * np.cos(angles))
    rows.flags.writeable = False
    return rows

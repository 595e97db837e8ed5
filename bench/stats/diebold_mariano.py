"""The Diebold-Mariano test of equal predictive accuracy, for one series of losses per forecast."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.differences import CONSTANT, IDENTICAL, Differences, check_options, of_series, p_value
from bench.stats.protocol import bartlett_lags
from bench.stats.results import Alternative, Kernel, MeanTest

Array = NDArray[np.float64]

KERNELS = ("bartlett", "rectangular")


def diebold_mariano(
    loss_a: ArrayLike,
    loss_b: ArrayLike,
    horizon: int = 1,
    lags: int | None = None,
    kernel: Kernel = "bartlett",
    alternative: Alternative = "two-sided",
) -> MeanTest:
    """Test of equal expected loss of two forecasts, on `d_t = loss_a - loss_b`, with a HAC variance.

    `t = mean(d) / sqrt(V / n) * sqrt((n + 1 - 2h + h(h-1)/n) / n)`, compared with t(n - 1), where
    `V = gamma_0 + 2 sum_k w_k gamma_k` and `gamma_k = sum_t (d_t - mean)(d_{t-k} - mean) / n`.

    - `loss_a`, `loss_b`: `(n,)`, of the same sessions in their order, in any unit. They must be finite: drop
      the rows of both beforehand (ValueError names the first one).
    - `horizon`: h, the number of unknown sessions of a target.
    - `lags`: L. Default for `bartlett`: the integer cube root of n for h = 1, the larger of that and 2h else
      (at most n - 1); for `rectangular`: h - 1, the textbook test.
    - `kernel`: `bartlett`, `w_k = 1 - k / (L + 1)`, or `rectangular`, `w_k = 1`. The test of R's `dm.test` is
      `rectangular` for `varestimator="acf"` and `bartlett` with `lags=horizon - 1` for `"bartlett"`.
    - `alternative`: `less`: a has the smaller loss; `greater`: b has; or `two-sided`.

    Where V is not positive (`rectangular` only, or a constant d) the test is repeated with h = 1 and no lags,
    as R does, and `fallback` is true. Identical losses have statistic 0 and p 1 under every alternative; a
    constant difference other than 0 has statistic +-inf and `fallback` true; both up to rounding. With
    n <= h statistic and p are NaN: see `note`.

    Diebold and Mariano (1995), Comparing predictive accuracy, JBES 13, section 1.1; small-sample factor and
    t(n - 1): Harvey, Leybourne and Newbold (1997), Testing the equality of prediction mean squared errors,
    International Journal of Forecasting 13; Bartlett weights: Newey and West (1987), Econometrica 55.

    >>> rng = np.random.default_rng(1)
    >>> loss_b = rng.chisquare(1, 500)
    >>> result = diebold_mariano(rng.chisquare(1, 500), loss_b, alternative="less")
    >>> result.lags, result.fallback, 0 < result.p_value < 1
    (7, False, True)
    """
    return dm_test(of_series(loss_a, loss_b), horizon, lags, kernel, alternative)


def dm_test(d: Differences, horizon: int, lags: int | None, kernel: Kernel, alternative: Alternative) -> MeanTest:
    """The test of `diebold_mariano` on differences that are made already."""
    check_options(horizon, alternative)
    n = len(d)
    result = MeanTest(
        method=kernel, statistic=math.nan, p_value=math.nan, mean_difference=d.mean, standard_error=math.nan, df=n - 1,
        lags=lags_used(n, horizon, lags, kernel), horizon=horizon, alternative=alternative, n=n,
        n_left_out=d.n_left_out,
    )  # fmt: skip
    if n <= horizon:
        return replace(result, note=f"no test: {n} sessions are too few for horizon {horizon}")
    if d.identical:
        return replace(result, statistic=0.0, p_value=1.0, standard_error=0.0, note=IDENTICAL)
    if d.constant:
        statistic = math.copysign(math.inf, d.mean)
        return replace(
            result, statistic=statistic, p_value=p_value(statistic, n - 1, alternative), standard_error=0.0,
            lags=0, fallback=True, note=CONSTANT,
        )  # fmt: skip
    scaled = d.values / d.scale
    variance = long_run_variance(scaled, result.lags, kernel)
    if variance > 0:
        return _completed(result, d.scale * math.sqrt(variance / n))
    repeated = replace(
        result, lags=0, fallback=True,
        note=f"variance not positive with {result.lags} lags at horizon {horizon}: repeated with horizon 1, no lags",
    )  # fmt: skip
    return _completed(repeated, d.scale * math.sqrt(long_run_variance(scaled, 0, kernel) / n))


def long_run_variance(values: Array, lags: int, kernel: Kernel = "bartlett") -> float:
    """`gamma_0 + 2 sum_{k=1..lags} w_k gamma_k` of a series `(n,)`, each gamma_k divided by n.

    >>> long_run_variance(np.array([1.0, -1.0, 1.0, -1.0]), 1, "bartlett")
    0.25
    >>> long_run_variance(np.array([1.0, -1.0, 1.0, -1.0]), 1, "rectangular")
    -0.5
    """
    n = len(values)
    e = values - values.mean()
    gamma = np.array([e[k:] @ e[: n - k] for k in range(lags + 1)]) / n
    k = np.arange(1, lags + 1)
    weights = 1.0 - k / (lags + 1) if kernel == "bartlett" else np.ones(lags)
    return float(gamma[0] + 2.0 * (weights @ gamma[1:]))


def _completed(result: MeanTest, standard_error: float) -> MeanTest:
    """The result with statistic and p from a positive standard error."""
    factor = small_sample_factor(result.n, 1 if result.fallback else result.horizon)
    statistic = result.mean_difference / standard_error * factor
    return replace(
        result, statistic=statistic, p_value=p_value(statistic, result.df, result.alternative),
        standard_error=standard_error,
    )  # fmt: skip


def small_sample_factor(n: int, horizon: int) -> float:
    """`sqrt((n + 1 - 2h + h(h-1)/n) / n)`: Harvey, Leybourne and Newbold (1997), equation 9.

    >>> round(small_sample_factor(100, 1), 6), round(small_sample_factor(753, 21), 6)
    (0.994987, 0.972775)
    """
    h = horizon
    return math.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)


def lags_used(n: int, horizon: int, lags: int | None, kernel: str) -> int:
    """The lags asked for, or the protocol's; ValueError for an unknown kernel or an impossible number.

    >>> lags_used(753, 1, None, "bartlett"), lags_used(753, 21, None, "bartlett"), lags_used(753, 5, 3, "bartlett")
    (9, 42, 3)
    """
    if kernel not in KERNELS:
        raise ValueError(f"kernel is {kernel!r}: one of {', '.join(KERNELS)}")
    if lags is None:
        default = bartlett_lags(n, horizon) if kernel == "bartlett" else horizon - 1
        return max(0, min(default, n - 1))
    if not 0 <= lags < max(n, 1) or lags != int(lags):
        raise ValueError(f"lags is {lags}: a whole number from 0 to {max(n - 1, 0)}, sessions less one")
    return int(lags)

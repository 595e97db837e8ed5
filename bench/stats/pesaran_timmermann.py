"""The Pesaran-Timmermann test of directions, for one series. Read its warning."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.differences import check_options
from bench.stats.results import Alternative, PesaranTimmermannResult


def pesaran_timmermann(
    target_var: ArrayLike,
    forecast_var: ArrayLike,
    latest_var: ArrayLike,
    alternative: Alternative = "greater",
) -> PesaranTimmermannResult:
    """Test of independence of realised and forecast direction, both counted from `latest_var`; each `(n,)`.

    **Warning.** Both directions share `latest_var`, and volatility reverts: after a high value the target
    tends to fall below it, and any forecast near the mean says so. The test therefore rejects for a constant
    forecast, which knows nothing about tomorrow. It is no evidence of skill here; compare the hit rate with
    that of `historical-mean` by `panel_diebold_mariano` instead.

    `z = (P - P*) / sqrt(var P - var P*)` with P the share of hits, `P* = py px + (1 - py)(1 - px)`, py and px
    the shares of upward moves in target and forecast: Pesaran and Timmermann (1992), A simple nonparametric
    test of predictive performance, JBES 10. z is standard normal under independence; `greater`: more hits
    than that. Realised ties are left out; a forecast tie counts as not upward. NaN, with a `note`, where
    all directions of either are the same. ValueError where a value is not finite.

    >>> y, f, b = [2, 2, 2, 0, 0, 0, 2, 0], [2, 2, 2, 0, 0, 0, 0, 2], [1] * 8
    >>> result = pesaran_timmermann(y, f, b)
    >>> round(result.statistic, 3), result.hit_rate, result.expected_rate
    (1.512, 0.75, 0.5)
    """
    check_options(1, alternative)
    series = {"target_var": target_var, "forecast_var": forecast_var, "latest_var": latest_var}
    target, forecast, latest = arrays = [np.asarray(x, dtype=np.float64) for x in series.values()]
    if target.ndim != 1 or not target.shape == forecast.shape == latest.shape:
        raise ValueError(f"shapes {target.shape}, {forecast.shape} and {latest.shape}: all must be (n,)")
    for name, values in zip(series, arrays, strict=True):
        if not np.isfinite(values).all():
            at = np.flatnonzero(~np.isfinite(values))[0]
            raise ValueError(f"{name} is {values[at]} at position {at}: drop such rows of all three")
    moved = target != latest
    up, called_up = target[moved] > latest[moved], forecast[moved] > latest[moved]
    n = len(up)
    if n == 0:
        nan = math.nan
        note = "no test: the target never moves"
        return PesaranTimmermannResult(nan, nan, nan, nan, alternative, 0, note=note)
    hit_rate, py, px = float((up == called_up).mean()), float(up.mean()), float(called_up.mean())
    expected = py * px + (1 - py) * (1 - px)
    if {py, px} & {0.0, 1.0}:
        note = "no test: all directions of target or forecast are the same"
        return PesaranTimmermannResult(math.nan, math.nan, hit_rate, expected, alternative, n, note=note)
    spread = _variance(py, px, n)
    if not spread > 0:
        note = f"no test: {n} sessions are too few for the variance formula"
        return PesaranTimmermannResult(math.nan, math.nan, hit_rate, expected, alternative, n, note=note)
    statistic = (hit_rate - expected) / math.sqrt(spread)
    tails = {"less": special.ndtr(statistic), "greater": special.ndtr(-statistic)}
    tails["two-sided"] = 2 * special.ndtr(-abs(statistic))
    return PesaranTimmermannResult(statistic, float(tails[alternative]), hit_rate, expected, alternative, n)


def _variance(py: float, px: float, n: int) -> float:
    """`var P - var P*` under independence; the last term of var P* is of order 1/n^2."""
    expected = py * px + (1 - py) * (1 - px)
    variance_hits = expected * (1 - expected) / n
    first_order = ((2 * py - 1) ** 2 * px * (1 - px) + (2 * px - 1) ** 2 * py * (1 - py)) / n
    return variance_hits - first_order - 4 * py * px * (1 - py) * (1 - px) / n**2

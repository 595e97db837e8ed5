"""The Mincer-Zarnowitz regression: is a forecast right on average, at every level?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats.diebold_mariano import lags_used
from bench.stats.differences import ROUNDING, check_options
from bench.stats.results import CalibrationResult

Array = NDArray[np.float64]

EXACT = 1e-12
"""Relative size below which an error of the regression is rounding."""


def mincer_zarnowitz(target_var: ArrayLike, forecast_var: ArrayLike, horizon: int = 1) -> CalibrationResult:
    """The regression `target = intercept + slope x forecast + error` of one series, and a test of (0, 1).

    Both `(n,)` daily variance; rows with a NaN target are left out. OLS with Newey-West covariance (Bartlett,
    the lags of `diebold_mariano`) and a Wald test of intercept 0 and slope 1, compared with F(2, n - 2):
    Mincer and Zarnowitz (1969), The evaluation of economic forecasts, NBER; with a noisy but unbiased proxy
    the test stays valid and only R^2 falls: Andersen and Bollerslev (1998), International Economic Review 39.
    The intercept is in percent^2. Computed by statsmodels.

    Levels weigh as they are, so the largest days of the sample decide. Under overlap (`horizon` above 1) the
    test rejects too often: read it as a description there. NaN and a `note` where nothing can be tested: fewer
    than `horizon + 3` rows, a constant forecast. A perfect forecast has p 1, another exact
    line p 0. ValueError for other shapes or a
    forecast that is not finite.

    >>> rng = np.random.default_rng(1)
    >>> forecast = 1e-4 * rng.chisquare(4, 500)
    >>> result = mincer_zarnowitz(forecast * rng.chisquare(40, 500) / 40, 2 * forecast)
    >>> round(result.slope, 1), result.p_value < 0.01, result.lags
    (0.5, True, 7)
    """
    check_options(horizon, "two-sided")
    target, forecast = np.asarray(target_var, dtype=np.float64), np.asarray(forecast_var, dtype=np.float64)
    if target.ndim != 1 or target.shape != forecast.shape:
        raise ValueError(f"shapes {target.shape} and {forecast.shape}: both must be (n,)")
    if np.isinf(target).any() or not np.isfinite(forecast).all():
        raise ValueError("target_var may be NaN where it is unknown; forecast_var must be finite everywhere")
    known = ~np.isnan(target)
    y, x = 1e4 * target[known], 1e4 * forecast[known]
    n = len(y)
    nan = math.nan
    lags = lags_used(n, horizon, None, "bartlett")
    result = CalibrationResult(nan, nan, nan, nan, nan, nan, nan, lags, horizon, n)
    if n < horizon + 3:
        return replace(result, note=f"no test: {n} sessions are too few for horizon {horizon}")
    if np.ptp(x) <= ROUNDING * np.abs(x).max():
        return replace(result, note="no test: a constant forecast has no slope")
    if (np.abs(y - x) <= ROUNDING * np.abs(y)).all():
        return replace(
            result, statistic=0.0, p_value=1.0, intercept=0.0, slope=1.0, intercept_error=0.0, slope_error=0.0,
            r_squared=1.0, note="the forecast is the target",
        )  # fmt: skip
    return _regression(y, x, result)


def _regression(y: Array, x: Array, result: CalibrationResult) -> CalibrationResult:
    """The result with coefficients, their HAC standard errors and the Wald test."""
    from statsmodels.regression.linear_model import OLS  # a second to import: only where used

    regressors = np.column_stack([np.ones(len(x)), x])
    options = {"maxlags": result.lags, "kernel": "bartlett", "use_correction": False}
    fit = OLS(y, regressors).fit(cov_type="HAC", cov_kwds=options)
    found = replace(result, intercept=float(fit.params[0]), slope=float(fit.params[1]), r_squared=float(fit.rsquared))
    if fit.ssr <= EXACT**2 * float(y @ y):
        certain = "the target is an exact line in the forecast, another one than (0, 1)"
        return replace(found, statistic=math.inf, p_value=0.0, intercept_error=0.0, slope_error=0.0, note=certain)
    covariance = np.asarray(fit.cov_params())
    errors = np.sqrt(np.diag(covariance))
    if not abs(covariance[0, 1]) < (1 - EXACT) * errors[0] * errors[1]:
        return replace(found, note="no test: too few days carry the slope")
    wald = fit.wald_test((np.eye(2), np.array([0.0, 1.0])), use_f=True, scalar=True)
    return replace(
        found, statistic=float(wald.statistic), p_value=float(wald.pvalue),
        intercept_error=float(errors[0]), slope_error=float(errors[1]),
    )  # fmt: skip

"""Losses of a variance forecast, and how cells become one number: over days first, then over symbols.

Everything is daily variance, decimal, `(n_sessions, n_symbols)`; axes in front of these two (seeds, bootstrap
draws) pass through the averages. A target that is NaN gives a NaN loss, and NaN cells are left out of every
average. A forecast that is not finite and positive raises ValueError: it has no loss, and leaving it out
would reward failing. A regime is a selection of rows: `panel_average(loss[regime == "crisis"])`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SESSIONS_PER_YEAR = 252
"""Of a dataset that says nothing else."""
SAME = 1e-9
"""Relative difference below which two variances count as equal where only a sign is asked for: forecasts are
reproducible to this between machines, so a sign decided by less is decided by the machine."""


def annualised_vol(variance: ArrayLike, sessions_per_year: int = SESSIONS_PER_YEAR) -> Array:
    """Annualised volatility in percent, `100 sqrt(252 var)`, of daily variances of any shape.

    >>> float(annualised_vol(0.0001).round(2)), float(annualised_vol(0.0001, 365).round(2))
    (15.87, 19.1)
    """
    return np.asarray(100.0 * np.sqrt(sessions_per_year * np.asarray(variance, dtype=np.float64)))


def qlike(target_var: ArrayLike, forecast_var: ArrayLike) -> Array:
    """QLIKE by cell, `y/f - ln(y/f) - 1`: no unit, 0 at f = y, else positive; NaN where y is 0 or NaN.

    Robust to noise in the proxy: Patton (2011), Volatility forecast comparison using imperfect volatility
    proxies, Journal of Econometrics 160, with the constant that makes a perfect forecast 0. At y = 0 it is
    infinite for every forecast; such cells are left out for every entry alike: see `zero_targets`.

    >>> qlike([[1.0, 2.0, 0.0]], [[1.0, 1.0, 1.0]]).round(4)
    array([[0.    , 0.3069,    nan]])
    """
    target, forecast = _checked(target_var, forecast_var)
    ratio = np.where(target > 0, target, np.nan) / forecast
    return np.asarray(ratio - np.log(ratio) - 1.0)


def zero_targets(target_var: ArrayLike) -> int:
    """Number of cells whose target is 0, which QLIKE leaves out.

    >>> zero_targets([[0.0, 1.0], [0.0, float("nan")]])
    2
    """
    return int(np.count_nonzero(np.asarray(target_var) == 0))


def squared_error_var(target_var: ArrayLike, forecast_var: ArrayLike) -> Array:
    """Squared error of the variance by cell, in (percent^2)^2: `(1e4 (y - f))^2`. Robust: Patton (2011).

    >>> squared_error_var([[0.0003]], [[0.0001]]).round(9)
    array([[4.]])
    """
    target, forecast = _checked(target_var, forecast_var)
    return np.asarray((1e4 * (target - forecast)) ** 2)


def squared_error_vol(
    target_var: ArrayLike, forecast_var: ArrayLike, sessions_per_year: int = SESSIONS_PER_YEAR
) -> Array:
    """Squared error of the annualised volatility by cell, in squared percentage points.

    What people read, but not robust: noise in the proxy favours forecasts that are too low (Patton 2011).
    """
    target, forecast = _checked(target_var, forecast_var)
    gap = annualised_vol(target, sessions_per_year) - annualised_vol(forecast, sessions_per_year)
    return np.asarray(gap**2)


def absolute_error_vol(
    target_var: ArrayLike, forecast_var: ArrayLike, sessions_per_year: int = SESSIONS_PER_YEAR
) -> Array:
    """Absolute error of the annualised volatility by cell, in percentage points. Not robust (Patton 2011)."""
    target, forecast = _checked(target_var, forecast_var)
    gap = annualised_vol(target, sessions_per_year) - annualised_vol(forecast, sessions_per_year)
    return np.asarray(np.abs(gap))


def squared_error_log_vol(target_var: ArrayLike, forecast_var: ArrayLike) -> Array:
    """Squared error of the log volatility by cell, `(ln sqrt(y) - ln sqrt(f))^2`: no unit; NaN where y is 0 or NaN.

    Not robust: noise in the proxy favours forecasts of the mean of its logarithm, which lie too low (Patton 2011,
    where it is called MSE-LOG and taken of the variance: four times this one).

    >>> squared_error_log_vol([[1.0, 4.0, 0.0]], [[1.0, 1.0, 1.0]]).round(4)
    array([[0.    , 0.4805,    nan]])
    """
    target, forecast = _checked(target_var, forecast_var)
    return np.asarray((0.5 * np.log(np.where(target > 0, target, np.nan) / forecast)) ** 2)


def direction_hits(target_var: ArrayLike, forecast_var: ArrayLike, latest_var: ArrayLike) -> Array:
    """1 where the forecast lies on the same side of `latest_var` as the target, else 0; NaN on realised ties.

    `sign(f - b) = sign(y - b)`, with b the latest known value of the same quantity (`tasks.latest_known`).
    Realised ties (y = b) and cells without target or b are NaN: the same cells for every entry. A single
    forecast equal to b calls no direction although there was one: a miss. A forecast that equals b in most
    of the scored cells (the random walk) is not a forecast of direction: all NaN, shown as n/a. Equal means
    to `SAME`. Compute it on the whole score window and select rows afterwards.

    >>> direction_hits([[3.0, 1.0, 2.0, 4.0]], [[2.5, 2.5, 2.5, 2.0]], [[2.0, 2.0, 2.0, 2.0]])
    array([[ 1.,  0., nan,  0.]])
    >>> direction_hits([[3.0, 1.0]], [[2.0, 2.0]], [[2.0, 2.0]])
    array([[nan, nan]])
    """
    target, forecast = _checked(target_var, forecast_var)
    latest = np.asarray(latest_var, dtype=np.float64)
    if not target.shape == forecast.shape == latest.shape:
        raise ValueError(f"shapes of target {target.shape}, forecast {forecast.shape}, latest {latest.shape} differ")
    moved, called = _side(target, latest), _side(forecast, latest)
    scored = np.isfinite(moved) & (moved != 0)
    if np.count_nonzero(called[scored] == 0) > 0.5 * np.count_nonzero(scored):
        return np.full(target.shape, np.nan)
    return np.where(scored, np.where(moved == called, 1.0, 0.0), np.nan)


def realized_utility(
    target_var: ArrayLike, forecast_var: ArrayLike, sharpe_ratio: float = 0.4, risk_aversion: float = 2.0
) -> Array:
    """Utility of an investor who targets volatility by a forecast, by cell, in basis points of wealth a year.

    `1e4 (S^2 / g) (sqrt(y / f) - y / (2 f))` with Sharpe ratio S a year and relative risk aversion g: Bollerslev,
    Hood, Huss and Pedersen (2018), Risk everywhere: modeling and managing volatility, Review of Financial Studies 31,
    section 6. An asset of constant Sharpe ratio and volatility v earns `x S v - g x^2 v^2 / 2` with a position x; the
    best one is `S / (g v)`, here with the forecast for v. At f = y it is 400 basis points, the most that there is: the
    price that the investor would pay a year for the asset; a forecast of twice the variance gives 366, of half of it
    331. Larger is better. Costs of trading are not counted.

    Not robust: of a noisy proxy the root lies too low, which favours forecasts that are too high.

    >>> realized_utility([[1.0, 1.0, 1.0]], [[1.0, 2.0, 0.5]]).round(1)
    array([[400. , 365.7, 331.4]])
    """
    target, forecast = _checked(target_var, forecast_var)
    if not (sharpe_ratio > 0 and risk_aversion > 0):
        raise ValueError(f"sharpe_ratio {sharpe_ratio} and risk_aversion {risk_aversion} must be positive")
    ratio = target / forecast
    return np.asarray(1e4 * sharpe_ratio**2 / risk_aversion * (np.sqrt(ratio) - 0.5 * ratio))


def mean_by_symbol(loss: ArrayLike) -> Array:
    """Mean over days by symbol, `(..., n_symbols)`: NaN cells are left out, NaN for a symbol without cells.

    >>> mean_by_symbol([[1.0, 2.0], [3.0, float("nan")]])
    array([2., 2.])
    """
    return _mean(np.asarray(loss, dtype=np.float64), axis=-2)


def panel_average(loss: ArrayLike) -> Array:
    """Mean over symbols of the means over days, `(...)`: every symbol weighs the same.

    >>> float(panel_average([[1.0, 2.0], [3.0, float("nan")]]))
    2.0
    """
    return _mean(mean_by_symbol(loss), axis=-1)


def root_mean_square(squared_error: ArrayLike) -> Array:
    """Root of the panel average of a squared error: the RMSE, in the unit of the error (not a mean of roots).

    >>> float(root_mean_square([[1.0, 9.0], [9.0, 17.0]]))
    3.0
    """
    return np.sqrt(panel_average(squared_error))


def skill(symbol_loss: ArrayLike, reference_loss: ArrayLike) -> Array:
    """`1 - geometric mean over symbols of loss / reference loss`; positive: better than the reference.

    Both are means by symbol, `(..., n_symbols)`, on the same cells. Two losses of 0 count as equal (ratio 1);
    symbols that are NaN in either are left out.

    >>> float(skill([0.5, 2.0], [1.0, 1.0])), float(skill([0.8, 0.8], [1.0, 1.0]).round(12))
    (0.0, 0.2)
    """
    loss, reference = _same_symbols(symbol_loss, reference_loss)
    # 0/x, x/0 and 0/0 have the answers 1, -inf and "equal", given below or by log and exp themselves.
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where((loss == 0) & (reference == 0), 0.0, np.log(loss / reference))
    return np.asarray(1.0 - np.exp(_mean(logs, axis=-1)))


def wins(symbol_loss: ArrayLike, reference_loss: ArrayLike) -> int:
    """Number of symbols on which the mean loss `(n_symbols,)` is smaller than the reference's.

    >>> wins([0.5, 1.0, 2.0], [1.0, 1.0, 1.0])
    1
    """
    loss, reference = _same_symbols(symbol_loss, reference_loss)
    return int(np.count_nonzero(loss < reference))


def r_squared(target_var: ArrayLike, forecast_var: ArrayLike, reference_var: ArrayLike) -> float:
    """`1 - MSE / MSE of a reference forecast` of the variance, by symbol, then averaged over symbols.

    Out of sample, so the reference is what was forecast (`historical-mean`), not the mean of the score
    window: Campbell and Thompson (2008), Review of Financial Studies 21, equation 1. NaN for a symbol
    without cells or with a perfect reference, which is left out.

    >>> r_squared([[1.0], [3.0]], [[1.0], [2.0]], [[2.0], [2.0]])
    0.5
    """
    errors = mean_by_symbol(squared_error_var(target_var, forecast_var))
    reference = mean_by_symbol(squared_error_var(target_var, reference_var))
    ratio = np.divide(errors, reference, out=np.full_like(errors, np.nan), where=reference > 0)
    return float(_mean(1.0 - ratio, axis=-1))


def bias(target_var: ArrayLike, forecast_var: ArrayLike) -> float:
    """`mean f / mean y` by symbol, geometric mean over symbols: 1.1 is 10 % too high.

    Over the cells that have a target; a symbol whose targets are all 0 has no bias and is left out.

    >>> round(bias([[1.0, 2.0], [3.0, 2.0]], [[4.0, 1.0], [4.0, 1.0]]), 12)
    1.0
    """
    target, forecast = _checked(target_var, forecast_var)
    mean_target = mean_by_symbol(target)
    mean_forecast = mean_by_symbol(np.where(np.isnan(target), np.nan, forecast))
    nowhere = np.full_like(mean_target, np.nan)
    ratio = np.divide(mean_forecast, mean_target, out=nowhere, where=mean_target > 0)
    return float(np.exp(_mean(np.log(ratio), axis=-1)))


def _mean(values: Array, axis: int) -> Array:
    """Mean without NaN; NaN where nothing is left (`nanmean` warns there)."""
    present = ~np.isnan(values)
    count = present.sum(axis=axis)
    total = np.where(present, values, 0.0).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0))


def _side(value: Array, latest: Array) -> Array:
    """-1, 0 or 1: below, equal to (to `SAME`) or above the latest value; NaN where either is."""
    change = value - latest
    return np.where(np.abs(change) <= SAME * np.abs(latest), 0.0, np.sign(change))


def _same_symbols(symbol_loss: ArrayLike, reference_loss: ArrayLike) -> tuple[Array, Array]:
    loss, reference = np.asarray(symbol_loss, dtype=np.float64), np.asarray(reference_loss, dtype=np.float64)
    if loss.shape[-1:] != reference.shape[-1:]:
        raise ValueError(f"mean losses of {loss.shape[-1:]} and {reference.shape[-1:]} symbols: not the same")
    return loss, reference


def _checked(target_var: ArrayLike, forecast_var: ArrayLike) -> tuple[Array, Array]:
    """Both as arrays; ValueError where shapes differ, a target is negative or a forecast has no loss."""
    target, forecast = np.asarray(target_var, dtype=np.float64), np.asarray(forecast_var, dtype=np.float64)
    if target.shape != forecast.shape[forecast.ndim - target.ndim :]:
        raise ValueError(f"target_var has shape {target.shape}, forecast_var {forecast.shape}")
    if not (np.isnan(target) | ((target >= 0) & np.isfinite(target))).all():
        raise ValueError("target_var holds negative or infinite values: it is a variance, NaN where unknown")
    sound = np.isfinite(forecast) & (forecast > 0)
    if not sound.all():
        first = tuple(int(i) for i in np.argwhere(~sound)[0])
        raise ValueError(
            f"forecast_var is not finite and positive in {np.count_nonzero(~sound)} cells, "
            f"first at {first}: {forecast[first]}"
        )
    return target, forecast

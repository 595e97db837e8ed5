"""Daily variance measures from the four prices of a bar. Needs numpy alone.

All take prices of shape `(n_sessions, ...)`, the session first, and return decimal daily variance of the
same shape. With `u = ln(H/O)`, `d = ln(L/O)`, `c = ln(C/O)`; every measure is a function of ratios of
prices, so a common factor (a split, an adjustment, a currency) changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench.plugin.words import MEASURES as NAMES

Array = NDArray[np.float64]

LN2 = float(np.log(2.0))


def log_returns(close: Array) -> Array:
    """Close-to-close log returns `r_t = ln(C_t / C_{t-1})`; the first row is NaN.

    >>> log_returns(np.array([1.0, np.e, 1.0]))
    array([nan,  1., -1.])
    """
    returns = np.full(np.shape(close), np.nan)
    returns[1:] = np.log(close[1:] / close[:-1])
    return returns


def close_to_close(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Squared close-to-close log return; the first row is NaN."""
    return np.asarray(log_returns(close) ** 2)


def parkinson(open: Array, high: Array, low: Array, close: Array) -> Array:
    """`(ln H/L)^2 / (4 ln 2)`: Parkinson (1980), The extreme value method, Journal of Business 53.

    >>> float(parkinson(np.array([1.0]), np.array([np.e]), np.array([1.0]), np.array([1.0]))[0] * 4 * LN2)
    1.0
    """
    return np.asarray(np.log(high / low) ** 2 / (4.0 * LN2))


def garman_klass(open: Array, high: Array, low: Array, close: Array) -> Array:
    """`0.5 (u - d)^2 - (2 ln 2 - 1) c^2`: Garman and Klass (1980), Journal of Business 53.

    Never negative on a sound bar (|c| <= u - d, and 0.5 > 2 ln 2 - 1); 0 only where the range is zero.
    """
    return np.asarray(0.5 * np.log(high / low) ** 2 - (2.0 * LN2 - 1.0) * np.log(close / open) ** 2)


def rogers_satchell(open: Array, high: Array, low: Array, close: Array) -> Array:
    """`u (u - c) + d (d - c)`, free of drift: Rogers and Satchell (1991), Annals of Applied Probability 1."""
    u, d, c = np.log(high / open), np.log(low / open), np.log(close / open)
    return np.asarray(u * (u - c) + d * (d - c))


def garman_klass_overnight(open: Array, high: Array, low: Array, close: Array) -> Array:
    """`o^2 + GK` with `o = ln(O_t / C_{t-1})`: the whole day, night included; the first row is NaN."""
    overnight = np.full(np.shape(close), np.nan)
    overnight[1:] = np.log(open[1:] / close[:-1])
    return np.asarray(overnight**2 + garman_klass(open, high, low, close))


LEAST_VAR, MOST_VAR = 1e-16, 1e4
"""What a forecast of a daily variance may be: as volatility, from a millionth of a percent to 10,000 % a day."""


def is_variance(values: Array) -> NDArray[np.bool_]:
    """Where values can be forecasts of a daily variance: finite, > 0, and within what losses can be computed of.

    >>> is_variance(np.array([1e-4, 0.0, np.nan, 1e-320, np.inf])).tolist()
    [True, False, False, False, False]
    """
    return np.asarray((values >= LEAST_VAR) & (values <= MOST_VAR))


MEASURES: dict[str, Callable[[Array, Array, Array, Array], Array]] = dict(
    zip(NAMES, (close_to_close, parkinson, garman_klass, rogers_satchell, garman_klass_overnight), strict=True)
)
"""The measures a `dataset.yaml` may name."""

NOISE_FLOOR: dict[str, float] = {
    "close-to-close": 1.270,
    "parkinson": 0.168,
    "garman-klass": 0.125,
    "rogers-satchell": 0.164,
}
"""Expected QLIKE of the true variance against the measure, `-E ln(measure / variance)`, for one session of a
Brownian motion: what a perfect next-day forecast scores. gamma + ln 2 for a squared return; the others by
simulation to 0.001 (tested). With an overnight return it depends on how much of the variance the night has."""

"""Conditional variance by recursion: EWMA, GARCH, GJR-GARCH, EGARCH, all of order one. Needs numpy alone.

Every model has a `_filter` for a whole sample and a `_step` for one session more, so that a forecaster keeps
one number per symbol and never filters again. Residuals are `(n_sessions, ...)`, the session first. A filter
returns `(n_sessions + 1, ...)`: row t is the variance of session t given the sessions before it, and the
last row is the forecast for the session after the sample.

`parameters` come in the order of the `arch` package, each a number or an array that broadcasts over the rest
`(...)`: one call filters one symbol or all of them. Its conventions are kept: how a recursion starts
(`backcast`), |z| centred at sqrt(2 / pi). Variances are in the units of the residuals, squared; `omega`
depends on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Value = float | Array
Parameters = Sequence[Value] | Array

MEAN_ABS_NORMAL = float(np.sqrt(2.0 / np.pi))
"""E|z| of a standard normal z."""

LOG_LIMIT = 700.0
"""Bound on |ln h| in EGARCH: exp of it, and the mean of a thousand such numbers, is still finite."""


def backcast(square_var: Array, decay: float = 0.94, window: int = 75) -> Array:
    """The variance `(...)` that stands for what precedes a sample: its early rows, the first weighing most.

    `sum_t decay^t x_t / sum_t decay^t` over the first `window` rows of `square_var (n_sessions, ...)`,
    squared residuals or any other daily variance: the default start of the `arch` package.

    >>> float(backcast(np.array([4.0, 1.0]), decay=0.5))
    3.0
    """
    early = square_var[:window]
    weights = decay ** np.arange(len(early))
    return np.asarray(np.tensordot(weights / weights.sum(), early, axes=1))


def _recursion(first: Value, inputs: Array, step: Callable[[Any, Any], Any]) -> Array:
    """Rows `first, step(first, inputs[0]), ...`: one more than `inputs` has."""
    rows = np.empty((len(inputs) + 1, *np.broadcast_shapes(np.shape(first), inputs.shape[1:])))
    rows[0] = first
    for t, value in enumerate(inputs):
        rows[t + 1] = step(rows[t], value)
    return rows


def ewma_step(previous_var: Value, square_var: Value, decay: float = 0.94) -> Value:
    """The next session's variance: `h_{t+1} = decay h_t + (1 - decay) x_t`.

    `x_t` is the squared residual, or any other daily variance, of session t. J.P. Morgan and Reuters (1996),
    RiskMetrics Technical Document, 4th edition, chapter 5, which sets decay = 0.94 for daily data.

    >>> ewma_step(1.0, 2.0, decay=0.75)
    1.25
    """
    return decay * previous_var + (1.0 - decay) * square_var


def ewma_filter(square_var: Array, decay: float = 0.94, start_var: Value | None = None) -> Array:
    """Exponentially weighted variances `(n_sessions + 1, ...)` of `square_var (n_sessions, ...)`.

    The first row is `start_var`, by default `backcast(square_var)`.

    >>> ewma_filter(np.array([2.0, 0.0]), decay=0.5, start_var=1.0)
    array([1.  , 1.5 , 0.75])
    """
    first = backcast(square_var) if start_var is None else start_var
    return _recursion(first, square_var, lambda h, x: ewma_step(h, x, decay))


def garch_step(previous_var: Value, residual: Value, parameters: Parameters) -> Value:
    """The next session's variance: `h_{t+1} = omega + alpha e_t^2 + beta h_t`.

    `parameters` are omega, alpha, beta. Bollerslev (1986), Journal of Econometrics 31, equation 2, p = q = 1.

    >>> garch_step(1.0, 2.0, (0.25, 0.125, 0.5))
    1.25
    """
    omega, alpha, beta = parameters
    return omega + alpha * residual * residual + beta * previous_var


def garch_filter(residuals: Array, parameters: Parameters, start_var: Value | None = None) -> Array:
    """GARCH(1,1) variances `(n_sessions + 1, ...)` of `residuals (n_sessions, ...)`.

    The equation is that of `garch_step`. `start_var` stands for the squared residual and the variance before
    the sample, by default the `backcast` of the squared residuals: `h_0 = omega + (alpha + beta) start_var`.

    >>> garch_filter(np.array([1.0, 2.0]), (0.25, 0.25, 0.5), start_var=1.0)
    array([1.  , 1.  , 1.75])
    """
    omega, alpha, beta = parameters
    return gjr_filter(residuals, (omega, alpha, 0.0, beta), start_var)


def garch_path(next_var: Value, parameters: Parameters, steps: int) -> Array:
    """Expected variances `(steps, ...)` of the sessions from t+1 on, of which the first is `next_var`.

    `E h_{t+k+1} = omega + (alpha + beta) E h_{t+k}`, also with alpha + beta = 1 and so no long-run variance.

    >>> garch_path(np.array([2.0, 1.0]), (0.5, 0.25, 0.25), steps=3)
    array([[2.  , 1.  ],
           [1.5 , 1.  ],
           [1.25, 1.  ]])
    """
    omega, alpha, beta = parameters
    return gjr_path(next_var, (omega, alpha, 0.0, beta), steps)


def gjr_step(previous_var: Value, residual: Value, parameters: Parameters) -> Value:
    """The next session's variance: `h_{t+1} = omega + (alpha + gamma 1[e_t < 0]) e_t^2 + beta h_t`.

    `parameters` are omega, alpha, gamma, beta. Glosten, Jagannathan and Runkle (1993), Journal of Finance 48,
    with the indicator on negative residuals.

    >>> gjr_step(1.0, np.array([2.0, -2.0]), (0.25, 0.125, 0.25, 0.5))
    array([1.25, 2.25])
    """
    omega, alpha, gamma, beta = parameters
    return omega + (alpha + gamma * (residual < 0.0)) * residual * residual + beta * previous_var


def gjr_filter(residuals: Array, parameters: Parameters, start_var: Value | None = None) -> Array:
    """GJR-GARCH(1,1) variances `(n_sessions + 1, ...)` of `residuals (n_sessions, ...)`.

    The equation is that of `gjr_step`. `start_var` is as in `garch_filter`, half of it from negative
    residuals: `h_0 = omega + (alpha + gamma / 2 + beta) start_var`.

    >>> gjr_filter(np.array([[2.0, -2.0]]), (0.25, 0.125, 0.25, 0.5), start_var=1.0)
    array([[1.  , 1.  ],
           [1.25, 2.25]])
    """
    omega, alpha, gamma, beta = parameters
    start = backcast(residuals**2) if start_var is None else start_var
    first = omega + (alpha + 0.5 * gamma + beta) * start
    return _recursion(first, residuals, lambda h, e: gjr_step(h, e, parameters))


def gjr_path(next_var: Value, parameters: Parameters, steps: int) -> Array:
    """Expected variances `(steps, ...)` of the sessions from t+1 on, of which the first is `next_var`.

    `E h_{t+k+1} = omega + (alpha + gamma / 2 + beta) E h_{t+k}`, for z symmetric about zero.

    >>> gjr_path(2.0, (0.5, 0.125, 0.25, 0.25), steps=3)
    array([2.  , 1.5 , 1.25])
    """
    omega, alpha, gamma, beta = parameters
    persistence = alpha + 0.5 * gamma + beta
    path = np.empty((steps, *np.broadcast_shapes(np.shape(next_var), np.shape(omega), np.shape(persistence))))
    path[0] = next_var
    for k in range(1, steps):
        path[k] = omega + persistence * path[k - 1]
    return path


def _egarch_log(log_var: Value, z: Value, parameters: Parameters) -> Value:
    """`ln h_{t+1}` from `ln h_t` and `z_t`."""
    omega, alpha, gamma, beta = parameters
    next_log = omega + alpha * (np.abs(z) - MEAN_ABS_NORMAL) + gamma * z + beta * log_var
    return np.minimum(np.maximum(next_log, -LOG_LIMIT), LOG_LIMIT)


def egarch_step(previous_var: Value, residual: Value, parameters: Parameters) -> Value:
    """The next session's variance: `ln h_{t+1} = omega + alpha (|z_t| - E|z|) + gamma z_t + beta ln h_t`.

    `z_t = e_t / sqrt(h_t)` and `E|z| = sqrt(2 / pi)`; `parameters` are omega, alpha, gamma, beta. Nelson
    (1991), Econometrica 59, equations 2.1 and 2.2. |ln h| is kept within `LOG_LIMIT`, which no sane sample
    reaches.

    >>> float(egarch_step(4.0, 2.0 * MEAN_ABS_NORMAL, (0.0, 0.25, 0.0, 0.5)))
    2.0
    """
    return np.exp(_egarch_log(np.log(previous_var), residual / np.sqrt(previous_var), parameters))


def egarch_filter(residuals: Array, parameters: Parameters, start_var: Value | None = None) -> Array:
    """EGARCH(1,1) variances `(n_sessions + 1, ...)` of `residuals (n_sessions, ...)`.

    The equation is that of `egarch_step`; `ln h_0 = omega + beta ln(start_var)`, by default the `backcast` of
    the squared residuals.

    >>> egarch_filter(np.array([0.0]), (0.0, 0.0, 0.0, 0.5), start_var=16.0)
    array([4., 2.])
    """
    omega, _, _, beta = parameters
    start = backcast(residuals**2) if start_var is None else start_var
    first = np.exp(omega + beta * np.log(np.maximum(start, np.exp(-LOG_LIMIT))))
    return _recursion(first, residuals, lambda h, e: egarch_step(h, e, parameters))


def egarch_paths(next_var: Value, parameters: Parameters, draws: Array) -> Array:
    """Simulated variances `(n_draws + 1, n_paths, ...)` of the sessions from t+1 on; row 0 is `next_var`.

    `draws (n_draws, n_paths)` are the standard normal z of the sessions t+1, t+2, ...; the mean over paths is
    the forecast. With fixed draws one simulation serves a set of parameters: ln h is linear in its start,
    `ln h_{t+k} = beta^(k-1) ln h_{t+1} + (the same from h_{t+1} = 1)`, so the mean over paths from `next_var`
    is `next_var^(beta^(k-1))` times that from 1.

    >>> draws, parameters = np.random.default_rng(0).standard_normal((2, 500)), (0.1, 0.1, -0.1, 0.5)
    >>> paths, unit = egarch_paths(4.0, parameters, draws), egarch_paths(1.0, parameters, draws)
    >>> paths.shape, bool(np.allclose(paths.mean(axis=1), 4.0 ** (0.5 ** np.arange(3)) * unit.mean(axis=1)))
    ((3, 500), True)
    """
    shape = np.broadcast_shapes(np.shape(next_var), *(np.shape(parameter) for parameter in parameters))
    z = draws.reshape(*draws.shape, *[1] * len(shape))
    first = np.broadcast_to(np.log(next_var), (draws.shape[1], *shape))
    return np.asarray(np.exp(_recursion(first, z, lambda x, z_t: _egarch_log(x, z_t, parameters))))

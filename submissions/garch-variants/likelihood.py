"""Log-likelihoods of GJR-GARCH, EGARCH and FIGARCH for any density, with exact gradients.

A variance follows a recursion, so that what moves it at t moves all that comes after. The adjoint `a_t` is the
derivative of the whole likelihood by the variance of t (EGARCH: its logarithm), solved from the last session to the
first; a gradient is then a sum over sessions of adjoint times what a parameter adds there.

What precedes a sample is the `backcast` of the squared residuals, which depends on mu as in the filters.
"""

from __future__ import annotations

import numpy as np
from arch.univariate import EGARCH
from densities import Density
from numpy.typing import NDArray
from scipy.linalg.lapack import dtbtrs
from scipy.signal import fftconvolve, lfilter

from bench.plugin.recursions import MEAN_ABS_NORMAL, backcast

Array = NDArray[np.float64]

LAGS = 1000
"""Sessions that the long memory of FIGARCH reaches back, as in `arch`."""
COMPLEX_STEP = 1e-30
"""Imaginary part of a derivative by complex step: exact to rounding at any size this small."""


def gjr_likelihood(returns: Array, parameters: Array, density: Density) -> tuple[float, Array]:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, alpha, gamma, beta and a shape."""
    mu, omega, alpha, gamma, beta = parameters[:5]
    e = returns - mu
    square, falls = e * e, (e < 0.0) * e * e
    start, start_mu = backcast(square), -2.0 * backcast(e)
    persistence = alpha + 0.5 * gamma + beta
    news = omega + alpha * square + gamma * falls
    h = lfilter([1.0], [1.0, -beta], np.append(omega + persistence * start, news[:-1]))
    terms = density(e, h, parameters[5:])
    a = lfilter([1.0], [1.0, -beta], terms.by_h[::-1])[::-1]
    first, later = a[0], a[1:]
    by_mu = -2.0 * later @ (alpha * e + gamma * np.minimum(e, 0.0))[:-1] + first * persistence * start_mu
    gradient = [
        by_mu - np.sum(terms.by_e),
        np.sum(a),
        first * start + later @ square[:-1],
        0.5 * first * start + later @ falls[:-1],
        first * start + later @ h[:-1],
    ]
    return checked(terms.value, np.array([*gradient, *terms.by_shape]), h)


def garch_likelihood(returns: Array, parameters: Array, density: Density) -> tuple[float, Array]:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, alpha, beta and a shape."""
    value, gradient = gjr_likelihood(returns, np.insert(parameters, 3, 0.0), density)
    return value, np.delete(gradient, 3)


def egarch_likelihood(residuals: Array, parameters: Array, density: Density) -> tuple[float, Array]:
    """The log-likelihood of percent `residuals (n_sessions,)` at omega, alpha, gamma, beta and a shape.

    Minus infinity where the filter does not forget how it started (Wintenberger 2013, Scandinavian Journal of
    Statistics 40): there every rounding grows.
    """
    _, alpha, gamma, beta = parameters[:4]
    start = backcast(residuals**2)
    h = egarch_variances(residuals, parameters[:4], float(start))
    x, z = np.log(h), residuals / np.sqrt(h)
    slope = beta - 0.5 * (alpha * np.abs(z) + gamma * z)
    if not np.mean(np.log(np.abs(slope))) < 0.0:
        return -np.inf, np.zeros_like(parameters)
    terms = density(residuals, h, parameters[4:])
    bands = np.asfortranarray(np.stack([np.ones_like(slope), -slope]))
    a = dtbtrs(bands, terms.by_h * h, uplo="L", trans="T", diag="U")[0]
    first, later = a[0], a[1:]
    gradient = [
        np.sum(a),
        later @ (np.abs(z) - MEAN_ABS_NORMAL)[:-1],
        later @ z[:-1],
        first * np.log(start) + later @ x[:-1],
    ]
    return checked(terms.value, np.array([*gradient, *terms.by_shape]), h)


def egarch_variances(residuals: Array, parameters: Array, start: float) -> Array:
    """The variances `(n_sessions,)` of `bench.plugin.recursions.egarch_filter`, by the compiled filter of `arch`."""
    anything = np.tile([1e-300, 1e300], (len(residuals), 1))
    h = np.empty(len(residuals))
    return EGARCH(1, 1, 1).compute_variance(np.ascontiguousarray(parameters), residuals, h, np.log(start), anything)


def figarch_likelihood(returns: Array, parameters: Array, density: Density) -> tuple[float, Array]:
    """The log-likelihood of percent `returns (n_sessions,)` at mu, omega, phi, d, beta and a shape."""
    mu, omega, beta = parameters[0], parameters[1], parameters[4]
    e = returns - mu
    start_mu = -2.0 * backcast(e)
    past = padded(e * e)
    weights = figarch_weights(parameters[2:5])
    h = omega / (1.0 - beta) + fftconvolve(past[:-1], weights, "valid")
    terms = density(e, h, parameters[5:])
    a = terms.by_h
    by_past = fftconvolve(a, weights[::-1])
    by_square, by_start = by_past[LAGS:], by_past[:LAGS].sum()
    by_weights = fftconvolve(past[:-1], a[::-1], "valid")[::-1]
    total, level = np.sum(a), omega / (1.0 - beta)
    memory = by_weights @ figarch_slopes(parameters[2:5])
    gradient = [
        -2.0 * by_square @ e[:-1] + by_start * start_mu - np.sum(terms.by_e),
        total / (1.0 - beta),
        memory[0],
        memory[1],
        memory[2] + total * level / (1.0 - beta),
    ]
    return checked(terms.value, np.array([*gradient, *terms.by_shape]), h)


def padded(square: Array) -> Array:
    """Squared residuals after as many sessions as the memory is long, each the `backcast`: `(LAGS + n_sessions,)`."""
    return np.concatenate([np.full(LAGS, backcast(square)), square])


def figarch_weights(parameters: NDArray[np.inexact]) -> NDArray[np.inexact]:
    """The weights `(LAGS,)` of the squared residuals of one to `LAGS` sessions ago at phi, d, beta.

    `(1 - (1 - phi L)(1 - L)^d / (1 - beta L))`: Baillie, Bollerslev and Mikkelsen (1996), Journal of Econometrics 74,
    cut off as in `arch`.
    """
    phi, d, beta = parameters
    lag = np.arange(2, LAGS + 1)
    delta = d * np.concatenate([[1.0], np.cumprod((lag - 1.0 - d) / lag)])
    inputs = np.concatenate([[phi - beta + d], delta[1:] - phi * delta[:-1]])
    return lfilter([1.0], [1.0, -beta], inputs)


def figarch_slopes(parameters: Array) -> Array:
    """The derivatives of `figarch_weights` by phi, d, beta, `(LAGS, 3)`."""
    moved = parameters + 1j * COMPLEX_STEP * np.eye(3)
    return np.column_stack([figarch_weights(row).imag / COMPLEX_STEP for row in moved])


def checked(value: float, gradient: Array, h: Array) -> tuple[float, Array]:
    """Value and gradient, minus infinity where a variance is not positive."""
    return (value if (h > 0.0).all() and np.isfinite(value) else -np.inf), gradient

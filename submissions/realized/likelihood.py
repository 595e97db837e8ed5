"""Quasi-log-likelihoods of models in which a daily measure, or the return alone, moves a latent variance.

Gradients are exact: by an adjoint where the recursion is linear (the derivative of the whole likelihood by the state of
t, solved from the last session to the first), by complex steps for the Kalman filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import ztbtrs
from scipy.signal import lfilter

Array = NDArray[np.float64]

LOG_2PI = float(np.log(2.0 * np.pi))
COMPLEX_STEP = 1e-30
"""Imaginary part of a derivative by complex step: exact to rounding at any size this small."""
MEAN_LOG_CHI2 = -1.2703628454614782
"""Mean of ln z^2 for a standard normal z, `-gamma - ln 2`."""
VAR_LOG_CHI2 = float(np.pi**2 / 2.0)
"""Its variance."""


@dataclass(frozen=True)
class Drivers:
    """What moves a linear variance: `values (n_sessions, k)`, and what stands for the session before the first.

    `first (k,)` are the drivers of that session, `start_var` its variance.
    """

    values: Array
    first: Array
    start_var: float

    def filtered(self, parameters: Array) -> Array:
        """Return `h_{t+1} = omega + a'd_t + beta h_t`, `(n_sessions + 1,)`; `parameters` are omega, a, beta."""
        omega, weights, beta = parameters[0], parameters[1:-1], parameters[-1]
        first = omega + self.first @ weights + beta * self.start_var
        return lfilter([1.0], [1.0, -beta], np.append(first, omega + self.values @ weights))

    def slopes(self, adjoint: Array, state: Array) -> Array:
        """Return the gradient by omega, a, beta from adjoint and state of the sessions, each `(n_sessions,)`."""
        first, later = adjoint[0], adjoint[1:]
        by_weights = first * self.first + later @ self.values[:-1]
        return np.array([np.sum(adjoint), *by_weights, first * self.start_var + later @ state[:-1]])


def adjoint(by_state: Array, beta: float) -> Array:
    """`a_t = by_state_t + beta a_{t+1}`, `(n_sessions,)`."""
    return lfilter([1.0], [1.0, -beta], by_state[::-1])[::-1]


def multiplicative_likelihood(values: Array, drivers: Drivers, parameters: Array) -> tuple[float, Array]:
    """`-0.5 sum (ln h_t + values_t / h_t)` and its gradient, for `values (n_sessions,)` whose mean is h_t.

    Of squared returns it is the normal quasi-likelihood, of a positive measure twice the exponential one: the same
    function, and the estimates are consistent under both names (Engle and Gallo 2006, Journal of Econometrics 131).
    """
    h = drivers.filtered(parameters)[:-1]
    if not (h > 0.0).all():
        return -np.inf, np.zeros_like(parameters)
    ratio = values / h
    a = adjoint(0.5 * (ratio - 1.0) / h, parameters[-1])
    return float(-0.5 * np.sum(np.log(h) + ratio)), drivers.slopes(a, h)


def realized_garch_likelihood(
    returns: Array, log_measure: Array, drivers: Drivers, parameters: Array
) -> tuple[float, Array]:
    """The joint log-likelihood of percent returns and log measure in the log-linear Realized GARCH, and its gradient.

    Hansen, Huang and Shek (2012), Journal of Applied Econometrics 27, equations of section 2:

        ln h_{t+1} = omega + gamma ln x_t + beta ln h_t
        ln x_t = xi + phi ln h_t + tau1 z_t + tau2 (z_t^2 - 1) + u_t,   z_t = (r_t - mu) / sqrt(h_t)

    with z and u normal; the variance of u is concentrated out. `parameters` are mu, xi, phi, tau1, tau2, omega, gamma,
    beta; the drivers of ln h are ln x.
    """
    mu, xi, phi, tau1, tau2 = parameters[:5]
    x = drivers.filtered(parameters[5:])[:-1]
    k = np.exp(-0.5 * x)
    z = (returns - mu) * k
    u = log_measure - xi - phi * x - tau1 * z - tau2 * (z * z - 1.0)
    noise = np.mean(u * u)
    v = u / noise
    value = -0.5 * np.sum(LOG_2PI + x + z * z) - 0.5 * len(u) * (LOG_2PI + np.log(noise) + 1.0)
    by_x = 0.5 * (z * z - 1.0) + v * (phi - 0.5 * tau1 * z - tau2 * z * z)
    by_mu = np.sum(z * k - v * k * (tau1 + 2.0 * tau2 * z))
    gradient = [by_mu, np.sum(v), v @ x, v @ z, v @ (z * z - 1.0), *drivers.slopes(adjoint(by_x, parameters[-1]), x)]
    return (float(value) if np.isfinite(value) else -np.inf), np.array(gradient)


def volatility_likelihood(log_square: Array, parameters: Array) -> tuple[float, Array]:
    """The quasi-likelihood of stochastic volatility by the Kalman filter, and its gradient, at mean, phi, sigma^2.

    `log_square (n_sessions,)` is the log of squared returns: ln h, a normal autoregression, plus the log of a squared
    normal, which the filter takes for a normal of its mean and variance (Harvey, Ruiz and Shephard 1994, Review of
    Economic Studies 61).
    """
    moved = parameters + 1j * COMPLEX_STEP * np.eye(3)
    values = np.array([kalman_likelihood(log_square, row) for row in moved])
    value = float(values[0].real)
    return (value if np.isfinite(value) else -np.inf), values.imag / COMPLEX_STEP


def kalman_likelihood(log_square: Array, parameters: NDArray[np.complex128]) -> complex:
    """The quasi-likelihood at complex parameters."""
    mean, phi, sigma2 = (complex(value) for value in parameters)
    spread = predicted_variances(phi, sigma2, len(log_square))
    total = spread + VAR_LOG_CHI2
    gain = phi * spread / total
    observed = log_square - MEAN_LOG_CHI2 - mean
    bands = np.asfortranarray(np.stack([np.ones_like(gain), gain - phi]))
    inputs = np.concatenate([[0.0], (gain * observed)[:-1]])
    state = ztbtrs(bands, inputs, uplo="L", trans="N", diag="U")[0]
    error = observed - state
    return complex(-0.5 * np.sum(LOG_2PI + np.log(total) + error * error / total))


def predicted_variances(phi: complex, sigma2: complex, n_sessions: int) -> NDArray[np.complex128]:
    """The variance of ln h given the sessions before, `(n_sessions,)`: from the stationary one to its limit."""
    variances = np.empty(n_sessions, dtype=complex)
    variance = sigma2 / (1.0 - phi * phi)
    for t in range(n_sessions):
        variances[t] = variance
        following = phi * phi * variance * VAR_LOG_CHI2 / (variance + VAR_LOG_CHI2) + sigma2
        if following == variance:
            variances[t:] = variance
            break
        variance = following
    return variances

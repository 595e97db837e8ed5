"""The filter of stochastic volatility: ln z^2 as a mixture of seven normals, a Kalman step for each, then one normal.

Kim, Shephard and Chib (1998), Review of Economic Studies 65, table 4. They draw the components; here their
probabilities given the sessions so far weigh the steps, and the mixture that results is replaced by the normal of its
mean and variance (Harrison and Stevens 1976, Journal of the Royal Statistical Society B 38): nothing is drawn.
"""

from __future__ import annotations

import numpy as np
from likelihood import MEAN_LOG_CHI2
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARES = np.array([0.00730, 0.10556, 0.00002, 0.04395, 0.34001, 0.24566, 0.25750])
MEANS = np.array([-10.12999, -3.97281, -8.56686, 2.77786, 0.61942, 1.79518, -1.08819]) + MEAN_LOG_CHI2
VARIANCES = np.array([5.79596, 2.61369, 5.17950, 0.16735, 0.64009, 0.34023, 1.26261])


def predicted(state: tuple[float, float], log_square: float, parameters: Array) -> tuple[float, float]:
    """Mean and variance of the next session's ln h, from those of this session's and its log squared return.

    `parameters` are mean, phi, sigma^2 of ln h.
    """
    level, phi, sigma2 = parameters
    mean, variance = updated(state, log_square)
    return level + phi * (mean - level), phi * phi * variance + sigma2


def updated(state: tuple[float, float], log_square: float) -> tuple[float, float]:
    """Mean and variance of ln h once its log squared return is known."""
    mean, variance = state
    total = variance + VARIANCES
    error = log_square - mean - MEANS
    log_weights = np.log(SHARES / np.sqrt(total)) - 0.5 * error * error / total
    weights = np.exp(log_weights - log_weights.max())
    weights /= weights.sum()
    means = mean + variance / total * error
    after = float(weights @ means)
    within = weights @ (variance * VARIANCES / total)
    return after, float(within + weights @ (means - after) ** 2)

"""Models with a latent variance that the daily measure moves, and one that the return alone moves.

Symbol by symbol, at the maximum of a quasi-likelihood. Parameters are frozen between refits, the filter always runs to
the origin. Returns and measure are in percent, so variances are in percent squared; what leaves the models is decimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from likelihood import (
    Drivers,
    multiplicative_likelihood,
    realized_garch_likelihood,
    volatility_likelihood,
)
from maximum import Function, Region, maximise
from mixture import predicted
from numpy.typing import NDArray

from bench.plugin import PathForecaster, PerSymbol, Series, Task
from bench.plugin.recursions import backcast

Array = NDArray[np.float64]

PERCENT = 100.0
ROUNDING = 1e-9
"""A return counts as negative below minus this, in percent: a close at the open, rounded, does not."""
LEAST = 1e-8
"""The least constant of a variance, as a part of the mean of what it explains."""
OFFSET = 1e-3
"""Added to squared percent returns before their log: Kim, Shephard and Chib (1998), section 2.3."""


class Realized(PerSymbol, PathForecaster):
    """Base: one symbol's returns and measure, what is estimated from them, and the scale to the measure.

    `returns` is `open-to-close`, as the measure is, or `close-to-close`. Forecasts are multiplied by the mean of
    measure over conditional variance in the sample.
    """

    names: tuple[str, ...] = ()

    def __init__(self, task: Task, seed: int = 0, returns: str = "open-to-close") -> None:
        super().__init__(task, seed)
        self.is_intraday = returns == "open-to-close"

    def fit_symbol(self, series: Series) -> None:
        """Estimate on the sessions from `fit_start` on, filter them, and scale."""
        known_var = series.variance[series.fit_start :]
        self.smallest_var = float(np.where(known_var > 0.0, known_var, np.inf).min())
        returns, measure = self.sample(series, series.fit_start)
        self.n_seen = len(series)
        variances = self.learn(returns, measure)
        self.scale = float(np.mean(PERCENT**2 * known_var / variances))
        values = {name: float(f"{value:.6g}") for name, value in zip(self.names, self.parameters, strict=True)}
        self.record(
            fitted=str(series.dates[-1]), parameters=len(values) + 1, scale=float(f"{self.scale:.6g}"), estimates=values
        )

    def forecast_symbol(self, series: Series) -> Array:
        """Return the path `(steps,)`, after the filter has seen every session that is new."""
        for day in zip(*self.sample(series, self.n_seen), strict=True):
            self.see(*day)
        self.n_seen = len(series)
        return self.path() * (self.scale / PERCENT**2)

    def sample(self, series: Series, first: int) -> tuple[Array, Array]:
        """Return percent returns and measure of the sessions from `first` on; a measure of zero is the least known."""
        measure = series.variance[first:]
        positive = PERCENT**2 * np.where(measure > 0.0, measure, self.smallest_var)
        if self.is_intraday:
            return PERCENT * np.log(series.close[first:] / series.open[first:]), positive
        return PERCENT * series.returns[first:], positive

    def optimum(self, function: Function, starts: Sequence[Sequence[float]], region: Region) -> Array:
        """Return the maximum of a likelihood, or the first start where there is none."""
        found = maximise(function, [np.array(start) for start in starts], region)
        if found.problem:
            self.record(warning=found.problem)
        return found.estimates if np.isfinite(found.value) else np.array(starts[0])

    def learn(self, returns: Array, measure: Array) -> Array:
        """Estimate `parameters`, filter, and return the conditional variances of the sample, `(n_sessions,)`."""
        raise NotImplementedError

    def see(self, value: float, measure: float) -> None:
        """Take in one more session's return and measure."""
        raise NotImplementedError

    def path(self) -> Array:
        """Return the expected variances of the next sessions in percent squared, `(steps,)`."""
        raise NotImplementedError


class Mem(Realized):
    """Asymmetric multiplicative error model of the measure: Engle and Gallo (2006), Journal of Econometrics 131.

    `m_{t+1} = omega + (alpha + gamma 1[r_t < 0]) x_t + beta m_t`; several steps ahead half of the returns are negative.
    Gamma is not negative: one day of a flash crash can make a second, higher maximum where a rise is worse than a fall.
    """

    names = ("omega", "alpha", "gamma", "beta")

    def learn(self, returns: Array, measure: Array) -> Array:
        """Estimate and filter."""
        start = float(backcast(measure))
        drivers = Drivers(self.drivers(returns, measure), np.array([start, 0.5 * start]), start)
        self.parameters = self.optimum(
            partial(multiplicative_likelihood, measure, drivers),
            [[omega * measure.mean(), alpha, 0.1, beta] for omega, alpha, beta in ((0.05, 0.2, 0.7), (0.3, 0.4, 0.2))],
            Region.of(
                ([1, 0, 0, 0], LEAST * measure.mean()), ([0, 1, 0, 0], 0), ([0, 0, 1, 0], 0), ([0, 0, 0, 1], 0),
                ([0, -1, -0.5, -1], -1),
            ),
        )  # fmt: skip
        means = drivers.filtered(self.parameters)
        self.next_var = means[-1]
        return means[:-1]

    def see(self, value: float, measure: float) -> None:
        """Take one step of the recursion."""
        omega, *weights, beta = self.parameters
        self.next_var = omega + self.drivers(value, measure) @ weights + beta * self.next_var

    def path(self) -> Array:
        """Return the analytic path."""
        omega, alpha, gamma, beta = self.parameters
        return linear_path(self.next_var, omega, alpha + 0.5 * gamma + beta, self.steps)

    def drivers(self, returns: Array | float, measure: Array | float) -> Array:
        """Return the measure, and the measure after a negative return, `(..., 2)`."""
        return np.stack([measure, measure * (np.asarray(returns) < -ROUNDING)], axis=-1)


class Heavy(Realized):
    """HEAVY: the variance of the return is moved by the measure, and so is the mean of the measure.

    Shephard and Sheppard (2010), Journal of Applied Econometrics 25, equations 1 and 2:
    `h_{t+1} = omega + alpha x_t + beta h_t` and `m_{t+1} = omega' + alpha' x_t + beta' m_t`, estimated one by one. The
    path of h follows from that of m.
    """

    names = ("omega", "alpha", "beta", "omega_measure", "alpha_measure", "beta_measure")

    def learn(self, returns: Array, measure: Array) -> Array:
        """Estimate both equations and filter."""
        start = float(backcast(measure))
        square = returns**2
        of_return = Drivers(measure[:, None], np.array([start]), float(backcast(square)))
        of_measure = Drivers(measure[:, None], np.array([start]), start)
        both = [self.equation(square, of_return, [0, 0, -1]), self.equation(measure, of_measure, [0, -1, -1])]
        self.parameters = np.concatenate(both)
        variances = of_return.filtered(both[0])
        self.next_var, self.next_measure = variances[-1], of_measure.filtered(both[1])[-1]
        return variances[:-1]

    def equation(self, values: Array, drivers: Drivers, persistence: list[float]) -> Array:
        """Return omega, alpha, beta of the mean of `values`; `persistence` is the normal of what is at most one."""
        size = values.mean() / drivers.values.mean()
        starts = [[(1 - beta - alpha) * values.mean(), alpha * size, beta] for alpha, beta in ((0.3, 0.65), (0.5, 0.3))]
        least = LEAST * max(values.mean(), 1e-8)
        region = Region.of(([1, 0, 0], least), ([0, 1, 0], 0), ([0, 0, 1], 0), (persistence, -1))
        return self.optimum(partial(multiplicative_likelihood, values, drivers), starts, region)

    def see(self, value: float, measure: float) -> None:
        """Take one step of both recursions."""
        omega, alpha, beta, *rest = self.parameters
        self.next_var = omega + alpha * measure + beta * self.next_var
        self.next_measure = rest[0] + rest[1] * measure + rest[2] * self.next_measure

    def path(self) -> Array:
        """Return the analytic path of h."""
        omega, alpha, beta, *rest = self.parameters
        measures = linear_path(self.next_measure, rest[0], rest[1] + rest[2], self.steps)
        path = np.full(self.steps, self.next_var)
        for k in range(1, self.steps):
            path[k] = omega + alpha * measures[k - 1] + beta * path[k - 1]
        return path


class RealizedGarch(Realized):
    """Log-linear Realized GARCH with a leverage function: Hansen, Huang and Shek (2012).

    Several steps ahead, ln h is a first-order autoregression whose shocks `tau(z) + u` have a known moment generating
    function, so the expected h is exact for normal z and u.
    """

    names = ("mu", "xi", "phi", "tau1", "tau2", "omega", "gamma", "beta")

    def learn(self, returns: Array, measure: Array) -> Array:
        """Estimate and filter."""
        log_measure = np.log(measure)
        variance = max(float(returns.var()), LEAST)
        drivers = Drivers(log_measure[:, None], np.array([np.log(backcast(measure))]), float(np.log(variance)))
        level = log_measure.mean() - np.log(variance)
        starts = [
            [
                returns.mean(),
                level,
                1.0,
                -0.05,
                0.05,
                (1 - beta - gamma) * np.log(variance) - gamma * level,
                gamma,
                beta,
            ]
            for gamma, beta in ((0.35, 0.6), (0.2, 0.75))
        ]
        region = Region.of(([0] * 6 + [1, 0], 0), ([0] * 7 + [1], 0), ([0] * 7 + [-1], -1))
        self.parameters = self.optimum(
            partial(realized_garch_likelihood, returns, log_measure, drivers), starts, region
        )
        log_var = drivers.filtered(self.parameters[5:])
        self.next_log_var = log_var[-1]
        self.noise_var = self.noise(returns, log_measure, log_var[:-1])
        return np.exp(log_var[:-1])

    def noise(self, returns: Array, log_measure: Array, log_var: Array) -> float:
        """Return the variance of u."""
        mu, xi, phi, tau1, tau2 = self.parameters[:5]
        z = (returns - mu) * np.exp(-0.5 * log_var)
        return float(np.mean((log_measure - xi - phi * log_var - tau1 * z - tau2 * (z * z - 1.0)) ** 2))

    def see(self, value: float, measure: float) -> None:
        """Take one step of the recursion."""
        omega, gamma, beta = self.parameters[5:]
        self.next_log_var = omega + gamma * np.log(measure) + beta * self.next_log_var

    def path(self) -> Array:
        """Return the expected variances."""
        _, xi, phi, tau1, tau2, omega, gamma, beta = self.parameters
        persistence = beta + gamma * phi
        means = linear_path(self.next_log_var, omega + gamma * xi, persistence, self.steps)
        weights = gamma * persistence ** np.arange(self.steps - 1)
        return np.exp(means + np.append(0.0, np.cumsum(log_moment(weights, tau1, tau2, self.noise_var))))


class StochasticVolatility(Realized):
    """Stochastic volatility: ln h is a normal autoregression, and the return a normal of variance h.

    Estimated by the quasi-likelihood of the Kalman filter on the log squared return; filtered, given the estimates, by
    the auxiliary mixture (`mixture`), which knows what a Kalman filter does not: that a return near zero says little.
    """

    names = ("mean", "phi", "sigma2")

    def learn(self, returns: Array, measure: Array) -> Array:
        """Estimate and filter."""
        self.mu = returns.mean()
        values = np.array([self.log_square(value) for value in returns])
        level = values.mean() + 1.27
        self.parameters = self.optimum(
            partial(volatility_likelihood, values),
            [[level, 0.97, 0.05], [level, 0.85, 0.3]],
            Region.of(([0, 1, 0], 0), ([0, -1, 0], -0.9999), ([0, 0, 1], 1e-6)),
        )
        mean, phi, sigma2 = self.parameters
        self.state = mean, sigma2 / (1.0 - phi * phi)
        variances = np.empty(len(values))
        for t, value in enumerate(values):
            variances[t] = np.exp(self.state[0] + 0.5 * self.state[1])
            self.state = predicted(self.state, value, self.parameters)
        return variances

    def see(self, value: float, measure: float) -> None:
        """Take one step of the filter."""
        self.state = predicted(self.state, self.log_square(value), self.parameters)

    def path(self) -> Array:
        """Return the expected variances: means of lognormals."""
        mean, phi, sigma2 = self.parameters
        means = mean + (self.state[0] - mean) * phi ** np.arange(self.steps)
        return np.exp(means + 0.5 * linear_path(self.state[1], sigma2, phi * phi, self.steps))

    def log_square(self, value: float) -> float:
        """Return the log of the squared return about the mean, kept off minus infinity."""
        return float(np.log((value - self.mu) ** 2 + OFFSET))


def linear_path(first: float, constant: float, slope: float, steps: int) -> Array:
    """The path `(steps,)` of `x_{k+1} = constant + slope x_k` from its first value."""
    path = np.full(steps, first)
    for k in range(1, steps):
        path[k] = constant + slope * path[k - 1]
    return path


def log_moment(weights: Array, tau1: float, tau2: float, noise_var: float) -> Array:
    """`ln E exp(w (tau1 z + tau2 (z^2 - 1) + u))` for normal z and u, where that is finite, `(n,)`.

    It is where `2 w tau2 < 1`, which sane estimates are far from; the bound keeps the others finite.
    """
    left = np.maximum(1.0 - 2.0 * weights * tau2, 1e-3)
    shocks = 0.5 * (weights * tau1) ** 2 / left - 0.5 * np.log(left) - weights * tau2
    return shocks + 0.5 * weights**2 * noise_var

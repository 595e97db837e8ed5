"""GARCH models beside the course's: of open-to-close returns, with fat tails, with long memory.

Symbol by symbol, at the maximum of the likelihood. Parameters are frozen between refits, the filter always runs to the
origin. Returns are in percent, so variances inside the models are in percent squared; what leaves them is decimal.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from densities import Density, normal, student
from likelihood import (
    LAGS,
    egarch_likelihood,
    figarch_likelihood,
    figarch_weights,
    garch_likelihood,
    gjr_likelihood,
    padded,
)
from maximum import Region, maximise
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.special import stdtrit

from bench.plugin import PathForecaster, PerSymbol, Series, Task
from bench.plugin.recursions import (
    egarch_filter,
    egarch_paths,
    egarch_step,
    garch_filter,
    garch_path,
    garch_step,
    gjr_filter,
    gjr_path,
    gjr_step,
)

Array = NDArray[np.float64]

PERCENT = 100.0
RANGE = 1e5
"""How many times the sample's variance, or what part of it, a conditional variance may be; a crash day is 1e2."""
LEAST_OMEGA = 1e-8
"""The least omega, as a part of the sample's variance."""
LEAST_NU, MOST_NU, FIRST_NU = 2.05, 500.0, 6.0
"""Degrees of freedom of Student's t: the bounds of `arch`, and where the search starts."""
NEWS = (0.05, 0.90), (0.20, 0.50)
"""Alpha and beta of a slow and a fast model, where the search starts."""


class Variant(PerSymbol, PathForecaster):
    """Base: one symbol's returns, the estimates, a filter that runs on, and the scale to the measure.

    `returns` is `open-to-close` or `close-to-close`, `tails` is `normal` or `student`. Forecasts are multiplied by the
    mean of measure over conditional variance in the sample, the constant that minimises QLIKE there.
    """

    names: tuple[str, ...] = ()
    held_mean = False  # whether mu is the sample's mean, and not estimated with the rest

    def __init__(self, task: Task, seed: int = 0, returns: str = "close-to-close", tails: str = "normal") -> None:
        super().__init__(task, seed)
        self.is_intraday = returns == "open-to-close"
        self.density: Density = student if tails == "student" else normal
        self.has_shape = tails == "student"

    def fit_symbol(self, series: Series) -> None:
        """Estimate on the sessions from `fit_start` on, filter them, and scale."""
        returns = self.returns(series, series.fit_start)
        found = self.estimate(returns)
        self.mu, *rest = found
        self.parameters = np.array(rest[:-1] if self.has_shape else rest)
        self.shape = np.array(rest[-1:] if self.has_shape else [])
        self.bounds_var = sample_var(returns) / RANGE, sample_var(returns) * RANGE
        variances = np.clip(self.filtered(returns - self.mu), *self.bounds_var)
        self.next_var, self.n_seen = variances[-1], len(series)
        known_var = PERCENT**2 * series.variance[series.fit_start :]
        self.scale = float(np.mean(known_var / variances[:-1]))
        names = [*self.names, "nu"] if self.has_shape else self.names
        self.record(
            fitted=str(series.dates[-1]), parameters=len(found) + 1, scale=float(f"{self.scale:.6g}"),
            estimates={name: float(f"{value:.6g}") for name, value in zip(names, found, strict=True)},
        )  # fmt: skip

    def forecast_symbol(self, series: Series) -> Array:
        """Return the path `(steps,)`, after the filter has seen every session that is new."""
        for value in self.returns(series, self.n_seen):
            self.next_var = np.clip(self.stepped(value - self.mu), *self.bounds_var)
        self.n_seen = len(series)
        return self.path() * (self.scale / PERCENT**2)

    def returns(self, series: Series, first: int) -> Array:
        """Return the returns of the sessions from `first` on, in percent."""
        if self.is_intraday:
            return PERCENT * np.log(series.close[first:] / series.open[first:])
        return PERCENT * series.returns[first:]

    def estimate(self, returns: Array) -> Array:
        """Return mu, the parameters and the shape at the maximum of the likelihood."""
        sample = returns - returns.mean() if self.held_mean else returns
        shape = [FIRST_NU] if self.has_shape else []
        starts = [np.array([*start, *shape]) for start in self.starts(sample)]
        found = maximise(partial(self.likelihood, sample), starts, self.region(sample))
        if found.problem:
            self.record(warning=f"fit of {len(returns)} sessions: {found.problem}")
        estimates = found.estimates if np.isfinite(found.value) else starts[0]
        return np.insert(estimates, 0, returns.mean()) if self.held_mean else estimates

    def region(self, returns: Array) -> Region:
        """Return the bounds of the model, and those of the shape."""
        bounds = self.bounds(sample_var(returns))
        if not self.has_shape:
            return Region.of(*bounds)
        nu = np.eye(len(bounds[0][0]) + 1)[-1]
        return Region.of(*(([*row, 0.0], bound) for row, bound in bounds), (nu, LEAST_NU), (-nu, -MOST_NU))

    def likelihood(self, returns: Array, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient."""
        raise NotImplementedError

    def bounds(self, variance: float) -> list[tuple[list[float], float]]:
        """Return normals and bounds of the parameters without the shape."""
        raise NotImplementedError

    def starts(self, returns: Array) -> list[list[float]]:
        """Return where the search starts, without the shape."""
        raise NotImplementedError

    def filtered(self, residuals: Array) -> Array:
        """Return the variances `(n_sessions + 1,)`, the last that of the next session."""
        raise NotImplementedError

    def stepped(self, residual: float) -> float:
        """Return the variance of the next session after one more residual."""
        raise NotImplementedError

    def path(self) -> Array:
        """Return the expected variances of the next sessions in percent squared, `(steps,)`."""
        raise NotImplementedError


class Garch(Variant):
    """GARCH(1,1) with a constant mean, of persistence one at most: Bollerslev (1986), Journal of Econometrics 31."""

    names = ("mu", "omega", "alpha", "beta")

    def likelihood(self, returns: Array, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient."""
        return garch_likelihood(returns, parameters, self.density)

    def bounds(self, variance: float) -> list[tuple[list[float], float]]:
        """Return those of omega, alpha, beta and persistence."""
        least = LEAST_OMEGA * variance
        return [([0, 1, 0, 0], least), ([0, 0, 1, 0], 0), ([0, 0, 0, 1], 0), ([0, 0, -1, -1], -1)]

    def starts(self, returns: Array) -> list[list[float]]:
        """Return a slow and a fast model of the sample's variance."""
        mean, variance = returns.mean(), sample_var(returns)
        return [[mean, (1 - alpha - beta) * variance, alpha, beta] for alpha, beta in NEWS]

    def filtered(self, residuals: Array) -> Array:
        """Return the variances `(n_sessions + 1,)`."""
        return garch_filter(residuals, self.parameters)

    def stepped(self, residual: float) -> float:
        """Return the variance of the next session."""
        return garch_step(self.next_var, residual, self.parameters)

    def path(self) -> Array:
        """Return the analytic path."""
        return garch_path(self.next_var, self.parameters, self.steps)


class Gjr(Variant):
    """GJR-GARCH(1,1): Glosten, Jagannathan and Runkle (1993), Journal of Finance 48."""

    names = ("mu", "omega", "alpha", "gamma", "beta")

    def likelihood(self, returns: Array, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient."""
        return gjr_likelihood(returns, parameters, self.density)

    def bounds(self, variance: float) -> list[tuple[list[float], float]]:
        """Return those of omega, alpha, alpha + gamma, beta and persistence."""
        least = LEAST_OMEGA * variance
        positive = [([0, 1, 0, 0, 0], least), ([0, 0, 1, 0, 0], 0), ([0, 0, 1, 1, 0], 0), ([0, 0, 0, 0, 1], 0)]
        return [*positive, ([0, 0, -1, -0.5, -1], -1)]

    def starts(self, returns: Array) -> list[list[float]]:
        """Return a slow and a fast model of the sample's variance, both symmetric."""
        mean, variance = returns.mean(), sample_var(returns)
        return [[mean, (1 - alpha - beta) * variance, alpha, 0.0, beta] for alpha, beta in NEWS]

    def filtered(self, residuals: Array) -> Array:
        """Return the variances `(n_sessions + 1,)`."""
        return gjr_filter(residuals, self.parameters)

    def stepped(self, residual: float) -> float:
        """Return the variance of the next session."""
        return gjr_step(self.next_var, residual, self.parameters)

    def path(self) -> Array:
        """Return the analytic path."""
        return gjr_path(self.next_var, self.parameters, self.steps)


class Egarch(Variant):
    """EGARCH(1,1) with leverage: Nelson (1991), Econometrica 59; the mean over `n_paths` simulated paths.

    The mean return is that of the sample: |z| puts a kink in the likelihood of mu at every return. Draws are quantiles
    of the fitted density at uniforms that are the same for all origins and symbols. With Student's t the expected
    variance two steps ahead is infinite in theory (exp of |z|); the mean over paths is that of the draws.
    """

    names = ("mu", "omega", "alpha", "gamma", "beta")
    held_mean = True

    def __init__(
        self, task: Task, seed: int = 0, returns: str = "close-to-close", tails: str = "student", n_paths: int = 1000
    ) -> None:
        super().__init__(task, seed, returns, tails)
        self.n_paths = n_paths

    def fit_symbol(self, series: Series) -> None:
        """Estimate, filter, scale; then simulate from a variance of one."""
        super().fit_symbol(series)
        uniforms = self.generator("paths").random((self.steps - 1, self.n_paths))
        nu = self.shape[0] if self.has_shape else MOST_NU
        draws = stdtrit(nu, uniforms) * np.sqrt((nu - 2.0) / nu)
        self.unit_path = egarch_paths(1.0, self.parameters, draws).mean(axis=1)
        self.decay = self.parameters[-1] ** np.arange(self.steps)

    def likelihood(self, returns: Array, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient."""
        return egarch_likelihood(returns, parameters, self.density)

    def bounds(self, variance: float) -> list[tuple[list[float], float]]:
        """Return those of beta."""
        return [([0, 0, 0, 1], 0), ([0, 0, 0, -1], -1)]

    def starts(self, returns: Array) -> list[list[float]]:
        """Return a slow and a fast model of the sample's variance, both symmetric."""
        log_var = np.log(sample_var(returns))
        return [[(1 - beta) * log_var, alpha, 0.0, beta] for alpha, beta in ((0.1, 0.95), (0.3, 0.7))]

    def filtered(self, residuals: Array) -> Array:
        """Return the variances `(n_sessions + 1,)`."""
        return egarch_filter(residuals, self.parameters)

    def stepped(self, residual: float) -> float:
        """Return the variance of the next session."""
        return egarch_step(self.next_var, residual, self.parameters)

    def path(self) -> Array:
        """Return the mean over the simulated paths; its first step is exact."""
        return self.next_var**self.decay * self.unit_path


class Figarch(Variant):
    """FIGARCH(1,d,1): Baillie, Bollerslev and Mikkelsen (1996), Journal of Econometrics 74, bounds as in `arch`.

    The variance of a session weighs the squared residuals of the last 1,000; before the sample stands their `backcast`.
    """

    names = ("mu", "omega", "phi", "d", "beta")

    def likelihood(self, returns: Array, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient."""
        return figarch_likelihood(returns, parameters, self.density)

    def bounds(self, variance: float) -> list[tuple[list[float], float]]:
        """Return `0 <= phi <= (1 - d) / 2`, `0 <= beta <= phi + d`, beta below one, and those of omega and d."""
        least = LEAST_OMEGA * variance
        memory = [([0, 0, 0, 1, 0], 0), ([0, 0, 0, -1, 0], -1), ([0, 0, 1, 0, 0], 0), ([0, 0, -1, -0.5, 0], -0.5)]
        return [
            ([0, 1, 0, 0, 0], least),
            *memory,
            ([0, 0, 0, 0, 1], 0),
            ([0, 0, 1, 1, -1], 0),
            ([0, 0, 0, 0, -1], -0.999),
        ]

    def starts(self, returns: Array) -> list[list[float]]:
        """Return models of middling, long and short memory."""
        mean, variance = returns.mean(), sample_var(returns)
        memories = ((0.2, 0.4, 0.5), (0.1, 0.7, 0.7), (0.2, 0.2, 0.2))
        return [[mean, 0.1 * (1 - beta) * variance, phi, d, beta] for phi, d, beta in memories]

    def filtered(self, residuals: Array) -> Array:
        """Return the variances `(n_sessions + 1,)`, and keep the squared residuals that the next ones need."""
        past = padded(residuals**2)
        self.weights = figarch_weights(self.parameters[1:])
        self.level = self.parameters[0] / (1.0 - self.parameters[3])
        self.past = past[-LAGS:]
        return self.level + fftconvolve(past, self.weights, "valid")

    def stepped(self, residual: float) -> float:
        """Return the variance of the next session."""
        self.past = np.append(self.past[1:], residual**2)
        return self.level + self.past @ self.weights[::-1]

    def path(self) -> Array:
        """Return the path: a squared residual to come is expected to be its variance."""
        known = np.append(self.past, self.next_var)
        for _ in range(self.steps - 1):
            known = np.append(known, self.level + known[-LAGS:] @ self.weights[::-1])
        return known[LAGS:]


def sample_var(returns: Array) -> float:
    """The variance of percent returns, kept off zero for a series that does not move."""
    return max(float(returns.var()), 1e-8)

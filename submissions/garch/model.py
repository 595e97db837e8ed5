"""GARCH models of close-to-close returns, symbol by symbol.

`arch` estimates, `polish` goes on to the maximum of the likelihood, `bench.recursions` filters to the origin.
Parameters are frozen between refits, the filter always runs to the origin. Returns are in percent, so variances
inside the models are in percent squared; what leaves them is decimal.
"""

from __future__ import annotations

import warnings

import numpy as np
from arch import arch_model
from arch.utility.exceptions import ConvergenceWarning, StartingValueWarning
from numpy.typing import NDArray
from polish import Optimum, polish_egarch, polish_garch, polish_gjr

from bench.plugin import PathForecaster, PerSymbol, Series, Task
from bench.recursions import (
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
ALPHA, BETA = 0.05, 0.90
"""Where the optimiser starts a second time, and what stands in where no fit has worked yet."""
FAST = 0.20, 0.50
"""Alpha and beta of a model that forgets a shock within days, the other place to polish from."""


class Garch(PerSymbol, PathForecaster):
    """GARCH(1,1) with a constant mean and normal innovations.

    The target is open-to-close, the returns are close-to-close: forecasts are multiplied by the mean of
    measure over conditional variance in the sample, the constant that minimises QLIKE there, unless `scaled` is
    false. Persistence is at most one, as `arch` constrains it; at one the path grows by omega a session.
    """

    names = ("mu", "omega", "alpha", "beta")
    process, asymmetry = "GARCH", 0
    filter = staticmethod(garch_filter)
    step = staticmethod(garch_step)
    polish = staticmethod(polish_garch)

    def __init__(self, task: Task, seed: int = 0, scaled: bool = True) -> None:
        super().__init__(task, seed)
        self.scaled = scaled
        self.estimates: Array = np.zeros(0)

    def fit_symbol(self, series: Series) -> None:
        """Estimate on the sessions from `fit_start` on, filter them, and scale."""
        returns = PERCENT * series.returns[series.fit_start :]
        self.estimates = self.estimate(returns, str(series.dates[-1]))
        variances = self.filter(returns - self.estimates[0], self.estimates[1:])
        self.next_var, self.n_seen = variances[-1], len(series)
        self.bounds_var = sample_var(returns) / RANGE, sample_var(returns) * RANGE
        known_var = PERCENT**2 * series.variance[series.fit_start :]
        self.scale = float(np.mean(known_var / variances[:-1])) if self.scaled else 1.0
        self.record(
            fitted=str(series.dates[-1]),
            parameters=len(self.names) + self.scaled,
            estimates={name: float(f"{value:.6g}") for name, value in zip(self.names, self.estimates, strict=True)},
            scale=float(f"{self.scale:.6g}"),
        )

    def forecast_symbol(self, series: Series) -> Array:
        """Return the path `(steps,)`, after one step of the filter for every session that is new."""
        mu, parameters = self.estimates[0], self.estimates[1:]
        for value in series.returns[self.n_seen :]:
            self.next_var = np.clip(self.step(self.next_var, PERCENT * value - mu, parameters), *self.bounds_var)
        self.n_seen = len(series)
        return self.path() * (self.scale / PERCENT**2)

    def path(self) -> Array:
        """Return the expected variances of the next sessions in percent squared, `(steps,)`."""
        return garch_path(self.next_var, self.estimates[1:], self.steps)

    def estimate(self, returns: Array, today: str) -> Array:
        """Return `names`: the maximum of the likelihood, or what stands in where the optimiser fails twice."""
        start = self.starting_point(returns)
        for attempt, where in ((None, "arch's"), (start, "our own")):
            estimates, problem = self.maximise(returns, attempt)
            if not problem:
                return self.polished(estimates, returns, today)
            self.record(warning=f"fit of {today} from {where} starting values: {problem}")
        stand_in, what = (self.estimates, "last good estimates") if len(self.estimates) else (start, "starting point")
        self.record(warning=f"fit of {today} did not converge; the {what} stand in", fallback=True)
        return stand_in

    def maximise(self, returns: Array, start: Array | None) -> tuple[Array, str]:
        """Return the estimates and what is wrong with them, "" where nothing is."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):  # what is not finite is told below
            warnings.simplefilter("ignore", ConvergenceWarning)  # so is the flag
            warnings.simplefilter("error", StartingValueWarning)  # arch would go on from them all the same
            model = arch_model(
                returns, mean="Constant", vol=self.process, p=1, o=self.asymmetry, q=1, dist="normal", rescale=False
            )
            try:
                result = model.fit(disp="off", show_warning=False, starting_values=start)
            except (ValueError, ArithmeticError, np.linalg.LinAlgError, StartingValueWarning) as error:
                return np.zeros(0), f"{type(error).__name__}: {error}"
        estimates = np.asarray(result.params)
        if result.convergence_flag != 0:
            return estimates, f"{result.optimization_result.message} (code {result.convergence_flag})"
        return estimates, self.unusable(estimates, returns) if np.isfinite(estimates).all() else "not all are finite"

    def polished(self, estimates: Array, returns: Array, today: str) -> Array:
        """Return the maximum of the likelihood, or the best that came of looking for it from `estimates`.

        An optimiser stops near a maximum, elsewhere on another processor; the maximum itself follows from the data.
        A likelihood may have two, so that of a slow and that of a fast model are looked for too.
        """
        starts = [estimates, self.starting_point(returns), self.starting_point(returns, *FAST)]
        try:
            found = self.polish(returns, starts)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            found = Optimum(estimates, -np.inf, f"{type(error).__name__}: {error}")
        problem = self.unusable(found.estimates, returns)
        if problem or found.problem:
            self.record(warning=f"fit of {today}, polished: {problem or found.problem}")
        return estimates if problem else found.estimates

    def unusable(self, estimates: Array, returns: Array) -> str:
        """Return why finite estimates cannot be forecast with, "" where they can.

        On returns without clusters the likelihood of EGARCH is flat and may end where its filter runs away: a small
        variance makes a large shock, which with a negative alpha makes a smaller variance.
        """
        ratio = self.filter(returns - estimates[0], estimates[1:]) / sample_var(returns)
        inside = (ratio >= 1 / RANGE) & (ratio <= RANGE)  # false for NaN
        return "" if inside.all() else f"the filtered variance leaves {RANGE:g} times that of the sample, either way"

    def starting_point(self, returns: Array, alpha: float = ALPHA, beta: float = BETA) -> Array:
        """Return alpha, beta, no asymmetry, and the omega that gives the variance of the sample."""
        return np.array([returns.mean(), (1 - alpha - beta) * sample_var(returns), alpha, beta])


class Gjr(Garch):
    """GJR-GARCH(1,1): negative returns raise the variance more."""

    names = ("mu", "omega", "alpha", "gamma", "beta")
    process, asymmetry = "GARCH", 1
    filter = staticmethod(gjr_filter)
    step = staticmethod(gjr_step)
    polish = staticmethod(polish_gjr)

    def path(self) -> Array:
        """Return the expected variances of the next sessions in percent squared, `(steps,)`."""
        return gjr_path(self.next_var, self.estimates[1:], self.steps)

    def starting_point(self, returns: Array, alpha: float = ALPHA, beta: float = BETA) -> Array:
        """Return that of GARCH, with gamma 0."""
        return np.insert(super().starting_point(returns, alpha, beta), 3, 0.0)


class Egarch(Garch):
    """EGARCH(1,1) with leverage; several steps ahead, the mean over `n_paths` simulated paths.

    The draws are the same for all origins and symbols, so a path from a variance of one is simulated once per
    fit and then only moved to where the filter stands (`bench.recursions.egarch_paths` says why that is exact).
    """

    names = ("mu", "omega", "alpha", "gamma", "beta")
    process, asymmetry = "EGARCH", 1
    filter = staticmethod(egarch_filter)
    step = staticmethod(egarch_step)
    polish = staticmethod(polish_egarch)

    def __init__(self, task: Task, seed: int = 0, scaled: bool = True, n_paths: int = 1000) -> None:
        super().__init__(task, seed, scaled)
        self.n_paths = n_paths

    def fit_symbol(self, series: Series) -> None:
        """Estimate, filter, scale; then simulate from a variance of one."""
        super().fit_symbol(series)
        draws = self.generator("paths").standard_normal((self.steps - 1, self.n_paths))
        self.unit_path = egarch_paths(1.0, self.estimates[1:], draws).mean(axis=1)
        self.decay = self.estimates[-1] ** np.arange(self.steps)

    def path(self) -> Array:
        """Return the mean over the simulated paths in percent squared, `(steps,)`; its first step is exact."""
        return self.next_var**self.decay * self.unit_path

    def starting_point(self, returns: Array, alpha: float = ALPHA, beta: float = BETA) -> Array:
        """Return that of GARCH with gamma 0, and the omega that gives the log of the variance of the sample."""
        return np.array([returns.mean(), (1 - beta) * np.log(sample_var(returns)), alpha, 0.0, beta])


def sample_var(returns: Array) -> float:
    """The variance of percent returns, kept off zero for a series that does not move."""
    return max(float(returns.var()), 1e-8)

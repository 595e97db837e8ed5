"""Likelihoods session by session, estimates on simulated data, paths by simulation, and stability."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import likelihood
import mixture
import model
import numpy as np
import pytest
import yaml
from likelihood import Drivers
from scipy.stats import norm

from bench.plugin import Task, example_history
from bench.plugin.measures import garman_klass, log_returns

FAMILY = Path(__file__).parent
ROWS = {row["name"]: row for row in yaml.safe_load((FAMILY / "submission.yaml").read_text())["entries"]}
PATH = Task("path", ahead=21)
MEM = np.array([0.05, 0.25, 0.10, 0.65])
REALIZED = np.array([0.03, -0.3, 0.95, -0.05, 0.08, 0.06, 0.35, 0.60])
VOLATILITY = np.array([0.2, 0.96, 0.04])


def made(name):
    return getattr(model, ROWS[name]["class"])(PATH, **ROWS[name]["parameters"])


def simulated_mem(n_sessions=6000, seed=2):
    """Returns and a measure whose mean follows MEM, with gamma errors."""
    rng = np.random.default_rng(seed)
    omega, alpha, gamma, beta = MEM
    returns, shocks = rng.standard_normal(n_sessions), rng.gamma(4.0, 0.25, n_sessions)
    measure, mean = np.empty(n_sessions), omega / (1 - alpha - gamma / 2 - beta)
    for t in range(n_sessions):
        measure[t] = mean * shocks[t]
        mean = omega + (alpha + gamma * (returns[t] < 0)) * measure[t] + beta * mean
    return returns, measure


def simulated_realized_garch(n_sessions=6000, seed=2, noise=0.4):
    """Returns and log measure of the model."""
    rng = np.random.default_rng(seed)
    mu, xi, phi, tau1, tau2, omega, gamma, beta = REALIZED
    log_var, returns, log_measure = (omega + gamma * xi) / (1 - beta - gamma * phi), [], []
    for z, u in rng.standard_normal((n_sessions, 2)):
        returns.append(mu + np.exp(0.5 * log_var) * z)
        log_measure.append(xi + phi * log_var + tau1 * z + tau2 * (z * z - 1) + noise * u)
        log_var = omega + gamma * log_measure[-1] + beta * log_var
    return np.array(returns), np.array(log_measure)


def simulated_volatility(n_sessions=12000, seed=2):
    """Returns of stochastic volatility."""
    rng = np.random.default_rng(seed)
    mean, phi, sigma2 = VOLATILITY
    log_var, returns = mean, []
    for z, eta in rng.standard_normal((n_sessions, 2)):
        returns.append(np.exp(0.5 * log_var) * z)
        log_var = mean + phi * (log_var - mean) + np.sqrt(sigma2) * eta
    return np.array(returns)


def mem_drivers(returns, measure):
    return Drivers(np.column_stack([measure, measure * (returns < 0)]), np.array([1.0, 0.5]), 1.1)


def functions(n_sessions=300):
    """The likelihoods of short simulated samples, with where to look at them."""
    returns, measure = simulated_mem(n_sessions)
    other, log_measure = simulated_realized_garch(n_sessions)
    drivers = Drivers(log_measure[:, None], np.array([0.1]), 0.2)
    log_square = np.log(simulated_volatility(n_sessions) ** 2 + 1e-3)
    return {
        "mem": (partial(likelihood.multiplicative_likelihood, measure, mem_drivers(returns, measure)), MEM),
        "realized-garch": (partial(likelihood.realized_garch_likelihood, other, log_measure, drivers), REALIZED),
        "sv": (partial(likelihood.volatility_likelihood, log_square), VOLATILITY),
    }


@pytest.mark.parametrize("name", functions())
def test_gradients_are_those_of_the_value(name):
    function, point = functions()[name]
    steps = np.diag(1e-6 * np.maximum(np.abs(point), 1e-2))
    numeric = [(function(point + step)[0] - function(point - step)[0]) / (2 * step.sum()) for step in steps]
    assert np.allclose(function(point)[1], numeric, rtol=1e-5, atol=1e-4)


def test_multiplicative_likelihood_session_by_session():
    returns, measure = simulated_mem(200)
    omega, alpha, gamma, beta = MEM
    mean, total = omega + alpha + 0.5 * gamma + beta * 1.1, 0.0
    for value, x in zip(returns, measure, strict=True):
        total -= 0.5 * (np.log(mean) + x / mean)
        mean = omega + (alpha + gamma * (value < 0)) * x + beta * mean
    assert functions(200)["mem"][0](MEM)[0] == pytest.approx(total, rel=1e-12)


def test_realized_garch_session_by_session():
    returns, log_measure = simulated_realized_garch(200)
    mu, xi, phi, tau1, tau2, omega, gamma, beta = REALIZED
    x, densities, errors = omega + gamma * 0.1 + beta * 0.2, 0.0, []
    for value, measured in zip(returns, log_measure, strict=True):
        z = (value - mu) / np.exp(0.5 * x)
        densities += norm.logpdf(value, mu, np.exp(0.5 * x))
        errors.append(measured - xi - phi * x - tau1 * z - tau2 * (z * z - 1))
        x = omega + gamma * measured + beta * x
    densities += norm.logpdf(errors, scale=np.sqrt(np.mean(np.square(errors)))).sum()
    assert functions(200)["realized-garch"][0](REALIZED)[0] == pytest.approx(densities, rel=1e-12)


def test_kalman_filter_is_the_density_of_all_sessions_at_once():
    log_square = np.log(simulated_volatility(120) ** 2 + 1e-3)
    mean, phi, sigma2 = VOLATILITY
    lags = np.abs(np.subtract.outer(np.arange(120), np.arange(120)))
    covariance = sigma2 / (1 - phi**2) * phi**lags + np.pi**2 / 2 * np.eye(120)
    error = log_square - mean + np.euler_gamma + np.log(2.0)
    known = -0.5 * (
        120 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] + error @ np.linalg.solve(covariance, error)
    )
    assert likelihood.volatility_likelihood(log_square, VOLATILITY)[0] == pytest.approx(known, rel=1e-10)


# --- simulated data gives its parameters back


def learnt(entry, returns, measure):
    entry.learn(returns, measure)
    return entry.parameters


def test_mem_finds_its_parameters():
    assert np.allclose(learnt(made("mem"), *simulated_mem()), MEM, atol=0.04)


def test_heavy_finds_its_parameters():
    rng = np.random.default_rng(4)
    measure, mean, variance, returns = np.empty(8000), 1.0, 1.5, np.empty(8000)
    for t in range(8000):
        measure[t], returns[t] = mean * rng.gamma(4.0, 0.25), np.sqrt(variance) * rng.standard_normal()
        variance = 0.05 + 0.6 * measure[t] + 0.55 * variance
        mean = 0.05 + 0.4 * measure[t] + 0.55 * mean
    assert np.allclose(learnt(made("heavy"), returns, measure), [0.05, 0.6, 0.55, 0.05, 0.4, 0.55], atol=0.08)


def test_realized_garch_finds_its_parameters():
    returns, log_measure = simulated_realized_garch()
    entry = made("realized-garch")
    assert np.allclose(learnt(entry, returns, np.exp(log_measure)), REALIZED, atol=0.04)
    assert entry.noise_var == pytest.approx(0.16, rel=0.05)


def test_stochastic_volatility_finds_its_parameters():
    returns = simulated_volatility()
    mean, phi, sigma2 = learnt(made("sv"), returns, returns**2)
    shift = np.sqrt(2.0 * np.pi * model.OFFSET * np.exp(-VOLATILITY[0]))  # of E ln(r^2) by the offset, to first order
    assert mean == pytest.approx(VOLATILITY[0] + shift, abs=0.1)
    assert phi == pytest.approx(VOLATILITY[1], abs=0.02)
    assert sigma2 == pytest.approx(VOLATILITY[2], abs=0.02)


# --- the mixture


def test_the_mixture_has_the_moments_of_a_log_squared_normal():
    mean = mixture.SHARES @ mixture.MEANS
    assert mixture.SHARES.sum() == pytest.approx(1.0)
    assert mean == pytest.approx(likelihood.MEAN_LOG_CHI2, abs=1e-3)
    variance = mixture.SHARES @ (mixture.VARIANCES + (mixture.MEANS - mean) ** 2)
    assert variance == pytest.approx(likelihood.VAR_LOG_CHI2, abs=0.02)


@pytest.mark.parametrize("log_square", [-8.0, 0.0, 3.0])
def test_one_step_has_the_moments_of_bayes_rule(log_square):
    grid = np.linspace(-8.0, 10.0, 20001)
    spread = np.sqrt(mixture.VARIANCES)
    given = sum(
        share * norm.pdf(log_square, grid + mean, sd)
        for share, mean, sd in zip(mixture.SHARES, mixture.MEANS, spread, strict=True)
    )
    weights = given * norm.pdf(grid, 0.5, 0.7)
    weights /= weights.sum()
    mean = weights @ grid
    found = mixture.updated((0.5, 0.49), log_square)
    assert np.allclose(found, [mean, weights @ (grid - mean) ** 2], rtol=1e-6)


def test_a_return_near_zero_says_less_to_the_mixture_than_to_a_kalman_filter():
    variance, far = 0.5, -9.0
    kalman = variance / (variance + likelihood.VAR_LOG_CHI2) * (far - likelihood.MEAN_LOG_CHI2)
    assert kalman < mixture.updated((0.0, variance), far)[0] < 0.0


# --- paths


def test_a_path_of_realized_garch_is_a_mean_over_futures():
    entry = made("realized-garch")
    entry.parameters, entry.noise_var, entry.next_log_var = REALIZED, 0.16, 1.0
    _, xi, phi, tau1, tau2, omega, gamma, beta = REALIZED
    rng = np.random.default_rng(6)
    log_var, means = np.full(400_000, 1.0), []
    for _ in range(6):
        means.append(np.exp(log_var).mean())
        z, u = rng.standard_normal((2, log_var.size))
        measured = xi + phi * log_var + tau1 * z + tau2 * (z * z - 1) + 0.4 * u
        log_var = omega + gamma * measured + beta * log_var
    assert np.allclose(entry.path()[:6], means, rtol=5e-3)


def test_a_path_of_stochastic_volatility_is_a_mean_over_futures():
    entry = made("sv")
    entry.parameters, entry.state = VOLATILITY, (1.0, 0.3)
    mean, phi, sigma2 = VOLATILITY
    rng = np.random.default_rng(6)
    log_var, means = 1.0 + np.sqrt(0.3) * rng.standard_normal(400_000), []
    for _ in range(6):
        means.append(np.exp(log_var).mean())
        log_var = mean + phi * (log_var - mean) + np.sqrt(sigma2) * rng.standard_normal(log_var.size)
    assert np.allclose(entry.path()[:6], means, rtol=5e-3)


def test_paths_of_linear_models_by_hand():
    entry = made("mem")
    entry.parameters, entry.next_var = np.array([0.1, 0.2, 0.2, 0.5]), 2.0
    assert np.allclose(entry.path()[:3], [2.0, 1.7, 1.46])
    entry = made("heavy")
    entry.parameters, entry.next_var, entry.next_measure = np.array([0.1, 0.5, 0.5, 0.2, 0.3, 0.5]), 2.0, 1.0
    assert np.allclose(entry.path()[:3], [2.0, 1.6, 1.4])


# --- forecasts


class Bars:
    """One symbol with made-up bars, each price moved by a relative `noise`; some sessions close where they open."""

    fit_start = 5

    def __init__(self, noise=0.0, n_sessions=900):
        rng = np.random.default_rng(3)
        log_vol = np.zeros(n_sessions)
        for t in range(1, n_sessions):
            log_vol[t] = 0.97 * log_vol[t - 1] + 0.15 * rng.standard_normal()
        steps = 0.003 * np.exp(log_vol)[:, None] * rng.standard_normal((n_sessions, 10))
        steps[::50, -1] = -steps[::50, :-1].sum(axis=1)
        inside = np.concatenate([np.zeros((n_sessions, 1)), np.cumsum(steps, axis=1)], axis=1)
        prices = 50.0 * np.exp(np.concatenate([[0.0], np.cumsum(inside[:, -1])[:-1]])[:, None] + inside)
        prices[::50, -1] = prices[::50, 0]
        four = np.stack([prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]])
        four *= 1.0 + noise * np.random.default_rng(9).standard_normal(four.shape)
        four[1], four[2] = four.max(axis=0), four.min(axis=0)
        self.open, self.high, self.low, self.close = four
        self.variance, self.returns = garman_klass(*four), log_returns(self.close)
        self.dates = np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward")

    def __len__(self):
        return len(self.close)


@pytest.mark.parametrize("name", ROWS)
def test_forecasts_follow_from_the_data(name):
    paths = []
    for noise in (0.0, 1e-12):
        entry, bars = made(name), Bars(noise)
        entry.fit_symbol(bars)
        paths.append(entry.forecast_symbol(bars))
    assert np.allclose(*paths, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("name", ["mem", "heavy"])
def test_the_filter_runs_on_as_over_the_whole_sample(name):
    entry, bars = made(name), Bars()
    entry.fit_symbol(bars)
    known, longer = entry.parameters, Bars()
    for field in ("open", "high", "low", "close", "variance", "returns"):
        setattr(longer, field, np.concatenate([getattr(bars, field), getattr(bars, field)[500:540]]))
    path = entry.forecast_symbol(longer) / entry.scale
    again = made(name)
    again.smallest_var = entry.smallest_var
    pieces = iter([known[:3], known[3:]] if name == "heavy" else [known])
    again.optimum = lambda *_: next(pieces)
    again.learn(*again.sample(longer, longer.fit_start))
    assert np.allclose(again.path() / 1e4, path, rtol=1e-9)


def test_realized_garch_takes_the_step_of_its_equation():
    entry = made("realized-garch")
    entry.parameters, entry.next_log_var = REALIZED, 1.0
    entry.see(0.0, np.e)
    assert entry.next_log_var == pytest.approx(0.06 + 0.35 + 0.60)


@pytest.mark.parametrize("name", ROWS)
def test_answers_on_the_example_history(name):
    entry, history = made(name), example_history(n_sessions=400)
    entry.fit(history)
    path = np.asarray(entry.forecast(history))
    assert path.shape == (21, 2)
    assert (path > 0).all()
    assert 0.2 < path.mean() / history.variance.mean() < 5


def test_a_session_without_range_counts_as_the_smallest():
    bars = Bars()
    bars.variance[100] = 0.0
    entry = made("realized-garch")
    entry.fit_symbol(bars)
    assert np.isfinite(entry.forecast_symbol(bars)).all()
    assert entry.sample(bars, 100)[1][0] == 1e4 * entry.smallest_var

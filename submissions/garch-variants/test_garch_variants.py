"""Likelihoods session by session and against arch, the maximum, its stability, and the paths."""

from __future__ import annotations

from math import gamma as gamma_function
from pathlib import Path

import likelihood
import maximum
import model
import numpy as np
import pytest
import yaml
from arch import arch_model
from arch.data import sp500
from arch.univariate import FIGARCH
from densities import normal, student
from scipy.stats import norm
from scipy.stats import t as student_t

from bench.plugin import Task, example_history
from bench.plugin.measures import garman_klass, log_returns
from bench.plugin.recursions import backcast

FAMILY = Path(__file__).parent
ROWS = {row["name"]: row for row in yaml.safe_load((FAMILY / "submission.yaml").read_text())["entries"]}
PATH = Task("path", ahead=21)
DENSITIES = {"normal": (normal, []), "student": (student, [5.5])}
LIKELIHOODS = {
    "garch": (likelihood.garch_likelihood, [0.04, 0.05, 0.12, 0.83]),
    "gjr": (likelihood.gjr_likelihood, [0.04, 0.05, 0.03, 0.15, 0.83]),
    "egarch": (likelihood.egarch_likelihood, [0.01, 0.15, -0.12, 0.94]),
    "figarch": (likelihood.figarch_likelihood, [0.04, 0.05, 0.15, 0.45, 0.4]),
}


@pytest.fixture(scope="module")
def returns():
    """Percent log returns of the S&P 500, 2012 to 2016."""
    close = sp500.load()["Adj Close"]
    return (100 * np.log(close).diff()).loc["2012":"2016"].to_numpy()


def made(name):
    return getattr(model, ROWS[name]["class"])(PATH, **ROWS[name]["parameters"])


class Bars:
    """One symbol with made-up bars, each price moved by a relative `noise`."""

    fit_start = 5

    def __init__(self, noise=0.0, n_sessions=900, night=0.3):
        rng = np.random.default_rng(3)
        log_vol = np.zeros(n_sessions)
        for t in range(1, n_sessions):
            log_vol[t] = 0.97 * log_vol[t - 1] + 0.15 * rng.standard_normal()
        steps = 0.01 * np.exp(log_vol)[:, None] * rng.standard_t(6, (n_sessions, 10)) / 4.0
        gaps = night * 0.01 * np.exp(log_vol) * rng.standard_normal(n_sessions)
        inside = np.concatenate([np.zeros((n_sessions, 1)), np.cumsum(steps, axis=1)], axis=1)
        before = np.concatenate([[0.0], np.cumsum(inside[:, -1] + gaps)[:-1]]) + gaps
        prices = 50.0 * np.exp(before[:, None] + inside)
        four = np.stack([prices[:, 0], prices.max(axis=1), prices.min(axis=1), prices[:, -1]])
        four *= 1.0 + noise * np.random.default_rng(9).standard_normal(four.shape)
        four[1], four[2] = four.max(axis=0), four.min(axis=0)
        self.open, self.high, self.low, self.close = four
        self.variance, self.returns = garman_klass(*four), log_returns(self.close)
        self.dates = np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward")

    def __len__(self):
        return len(self.close)


# --- likelihoods


@pytest.mark.parametrize("shape", DENSITIES)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_gradients_are_those_of_the_value(name, shape, returns):
    density, nu = DENSITIES[shape]
    function, point = LIKELIHOODS[name][0], np.array([*LIKELIHOODS[name][1], *nu])
    steps = np.diag(1e-6 * np.maximum(np.abs(point), 1e-2))
    numeric = [
        (function(returns, point + step, density)[0] - function(returns, point - step, density)[0]) / (2 * step.sum())
        for step in steps
    ]
    assert np.allclose(function(returns, point, density)[1], numeric, rtol=1e-4, atol=1e-2)


def plain(name, returns, point):
    """Residuals and variances written down session by session."""
    mu, *rest = point if name != "egarch" else [0.0, *point]
    e = returns - mu
    weights = 0.94 ** np.arange(75)
    start = float(weights @ e[:75] ** 2 / weights.sum())
    h = np.empty(len(e))
    if name == "figarch":
        omega, phi, d, beta = rest
        # coefficients of (1 - L)^d by gamma functions, and of the quotient by long division
        fractional = [1.0, -d] + [0.0] * 998
        for k in range(2, 150):
            fractional[k] = gamma_function(k - d) / gamma_function(k + 1) / gamma_function(-d)
        for k in range(150, 1000):
            fractional[k] = fractional[k - 1] * (k - 1 - d) / k
        product = np.convolve(fractional, [1.0, -phi])[:1000]
        quotient = np.zeros(1000)
        for k in range(1000):
            quotient[k] = product[k] + (beta * quotient[k - 1] if k else 0.0)
        past = np.concatenate([np.full(1000, start), e**2])
        for t in range(len(e)):
            h[t] = omega / (1 - beta) - sum(quotient[1:] * past[t + 1000 - np.arange(1, 1000)])
        return e, h
    alpha, beta, gamma = rest[1], rest[-1], 0.0 if name == "garch" else rest[2]
    for t in range(len(e)):
        if name == "egarch":
            z = e[t - 1] / h[t - 1] ** 0.5 if t else 0.0
            moved = alpha * (abs(z) - (2 / np.pi) ** 0.5) + gamma * z if t else 0.0
            h[t] = np.exp(rest[0] + moved + beta * np.log(h[t - 1] if t else start))
        elif t:
            h[t] = rest[0] + (alpha + gamma * (e[t - 1] < 0)) * e[t - 1] ** 2 + beta * h[t - 1]
        else:
            h[t] = rest[0] + (alpha + gamma / 2 + beta) * start
    return e, h


@pytest.mark.parametrize("shape", DENSITIES)
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_likelihoods_session_by_session(name, shape, returns):
    density, nu = DENSITIES[shape]
    function, point = LIKELIHOODS[name]
    e, h = plain(name, returns, point)
    z = e / np.sqrt(h)
    if shape == "normal":
        known = norm.logpdf(z) - 0.5 * np.log(h)
    else:
        unit = np.sqrt(nu[0] / (nu[0] - 2))
        known = student_t.logpdf(z * unit, nu[0]) + np.log(unit) - 0.5 * np.log(h)
    tolerance = 1e-4 if name == "figarch" else 1e-10  # the plain sum stops one lag earlier
    assert function(returns, np.array([*point, *nu]), density)[0] == pytest.approx(known.sum(), rel=tolerance)


def test_long_memory_is_that_of_arch(returns):
    mu, *parameters = LIKELIHOODS["figarch"][1]
    e = returns - mu
    known = np.empty(len(e))
    bounds = np.tile([1e-300, 1e300], (len(e), 1))
    FIGARCH(1, 1).compute_variance(np.array(parameters), e, known, float(backcast(e**2)), bounds)
    entry = model.Figarch(PATH)
    entry.parameters = np.array(parameters)
    assert np.allclose(entry.filtered(e)[:-1], known, rtol=1e-10)


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        (model.Garch(PATH, tails="student"), {"vol": "GARCH", "dist": "t"}),
        (model.Gjr(PATH), {"vol": "GARCH", "o": 1}),
        (model.Egarch(PATH), {"vol": "EGARCH", "o": 1, "dist": "t"}),
        (model.Figarch(PATH), {"vol": "FIGARCH"}),
    ],
)
def test_arch_finds_nothing_higher(entry, options, returns):
    is_egarch = isinstance(entry, model.Egarch)
    sample = returns - returns.mean() if is_egarch else returns
    mean = "Zero" if is_egarch else "Constant"
    fitted = arch_model(sample, mean=mean, p=1, q=1, rescale=False, **options).fit(disp="off")
    found = entry.estimate(returns)[int(is_egarch) :]
    ours, theirs = (entry.likelihood(sample, np.asarray(point))[0] for point in (found, fitted.params))
    assert theirs <= ours + 1e-9
    assert theirs == pytest.approx(ours, abs=0.1)


# --- the maximum


def hill(point):
    """A hill with its top at (2, -1)."""
    away = point - [2.0, -1.0]
    return float(-(away[0] ** 2) - 3.0 * away[1] ** 2 - away[0] ** 4), np.array(
        [-2.0 * away[0] - 4.0 * away[0] ** 3, -6.0 * away[1]]
    )


@pytest.mark.parametrize(
    ("bound", "top"),
    [(([0.0, 1.0], -5.0), [2.0, -1.0]), (([0.0, 1.0], 0.5), [2.0, 0.5]), (([0.0, -1.0], 1.0), [2.0, -1.0])],
)
def test_maximum_inside_on_and_at_a_bound(bound, top):
    found = maximum.maximise(hill, [np.array([0.0, max(bound[1], -1.0) * bound[0][1]])], maximum.Region.of(bound))
    assert not found.problem
    assert np.allclose(found.estimates, top, atol=1e-9)


def test_a_bound_that_holds_back_nothing_is_let_go():
    region = maximum.Region.of(([0.0, -1.0], -1.0))
    assert np.allclose(maximum.polish(hill, np.array([0.0, 1.0]), region).estimates, [2.0, -1.0], atol=1e-9)


def test_a_function_without_values_is_a_problem():
    found = maximum.maximise(lambda point: (-np.inf, np.zeros(2)), [np.zeros(2)], maximum.Region.of(([1.0, 0.0], -1.0)))
    assert "not finite" in found.problem


def test_the_other_family_finishes_its_estimates_in_the_same_way():
    other = FAMILY.parent / "realized" / "maximum.py"
    assert (FAMILY / "maximum.py").read_bytes() == other.read_bytes()


# --- forecasts


@pytest.mark.parametrize("name", ROWS)
def test_forecasts_follow_from_the_data(name):
    paths = []
    for noise in (0.0, 1e-12):
        entry, bars = made(name), Bars(noise)
        entry.fit_symbol(bars)
        paths.append(entry.forecast_symbol(bars))
    assert np.allclose(*paths, rtol=1e-9, atol=0.0)
    assert (paths[0] > 0).all()


@pytest.mark.parametrize("name", ROWS)
def test_the_filter_runs_on_as_over_the_whole_sample(name):
    entry, bars = made(name), Bars()
    entry.fit_symbol(bars)
    rest = Bars(n_sessions=900)
    for field in ("open", "high", "low", "close", "variance", "returns"):
        setattr(rest, field, np.concatenate([getattr(bars, field), getattr(bars, field)[500:540]]))
    path = entry.forecast_symbol(rest)
    whole = entry.filtered(entry.returns(rest, rest.fit_start) - entry.mu)
    assert path[0] * 1e4 / entry.scale == pytest.approx(whole[-1], rel=1e-9)


def test_forecasts_are_scaled_to_the_measure():
    entry, bars = made("garch-t"), Bars()
    entry.fit_symbol(bars)
    fitted = entry.filtered(entry.returns(bars, bars.fit_start) - entry.mu)[:-1]
    assert np.mean(1e4 * bars.variance[bars.fit_start :] / (entry.scale * fitted)) == pytest.approx(1.0)


def test_open_to_close_returns_do_not_know_the_night():
    paths = {}
    for name in ("garch-oc", "garch-t"):
        for night in (0.0, 2.0):
            entry, bars = made(name), Bars(night=night)
            entry.fit_symbol(bars)
            paths[name, night] = entry.forecast_symbol(bars)
    assert np.allclose(paths["garch-oc", 0.0], paths["garch-oc", 2.0], rtol=1e-6)
    assert not np.allclose(paths["garch-t", 0.0], paths["garch-t", 2.0], rtol=1e-2)


def test_a_path_of_long_memory_repeats_the_filter():
    entry, bars = made("figarch"), Bars()
    entry.fit_symbol(bars)
    path = entry.path()
    residuals = np.concatenate([entry.returns(bars, bars.fit_start) - entry.mu, np.sqrt(path[:5])])
    past = np.concatenate([likelihood.padded(residuals[: -len(path[:5])] ** 2), path[:5]])
    again = entry.level + np.convolve(past, entry.weights, "valid")
    assert np.allclose(again[-6:], path[:6], rtol=1e-9)


@pytest.mark.parametrize("name", ROWS)
def test_answers_on_the_example_history(name):
    entry, history = made(name), example_history(n_sessions=400)
    entry.fit(history)
    path = np.asarray(entry.forecast(history))
    assert path.shape == (21, 2)
    assert (path > 0).all()


def test_returns_that_never_move_are_no_crash():
    entry = model.Garch(PATH)
    said = []
    entry.record = lambda **facts: said.append(facts)
    assert np.isfinite(entry.estimate(np.zeros(300))).all()

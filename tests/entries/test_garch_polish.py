"""The maximum of the likelihood of the GARCH family: derivatives, bounds, kinks, and forecasts that follow from it."""

from __future__ import annotations

import cmath
import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from arch import arch_model
from arch.data import sp500
from families import enter

from bench.data.load import load_panel
from bench.errors import DataError
from bench.plugin import Task, recursions
from bench.plugin.history import History, Tape
from bench.plugin.tasks import ONE_STEP, rows_inside
from bench.registry.config import Registry
from bench.registry.entries import discover

ROOT = Path(__file__).parents[2]
FAMILY = "garch"
enter(ROOT / "submissions" / FAMILY)

import likelihood  # noqa: E402
import polish  # noqa: E402

SPEC = importlib.util.spec_from_file_location("garch_model", ROOT / "submissions/garch/model.py")
garch = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(garch)

PATH = Task("path", ahead=21)
ENTRIES = {name: entry for name, entry in discover(ROOT / "submissions").entries.items() if entry.family == "garch"}
MODELS = {"garch": garch.Garch, "gjr": garch.Gjr, "egarch": garch.Egarch}
LIKELIHOODS = {
    "garch": likelihood.garch_likelihood,
    "gjr": likelihood.gjr_likelihood,
    "egarch": likelihood.egarch_likelihood,
}
PARAMETERS = {
    "garch": [0.05, 0.03, 0.10, 0.87],
    "gjr": [0.05, 0.04, 0.02, 0.15, 0.86],
    "egarch": [0.05, 0.01, 0.16, -0.12, 0.95],
}
CLOSE = 1e-9
"""Relative: by how much a forecast may change that follows from the data."""


def bursts(n_sessions=400, seed=5):
    """Percent returns whose volatility comes in bursts."""
    rng = np.random.default_rng(seed)
    log_vol = np.zeros(n_sessions)
    for t in range(1, n_sessions):
        log_vol[t] = 0.97 * log_vol[t - 1] + 0.15 * rng.standard_normal()
    return 0.05 + np.exp(log_vol) * rng.standard_t(5, n_sessions)


@pytest.fixture(scope="module")
def index_returns():
    """Percent log returns of the S&P 500, 2010-01-04 to 2018-12-31."""
    close = sp500.load()["Adj Close"]
    return (100 * np.log(close).diff()).loc["2010":"2018"].to_numpy()


# --- derivatives


def plain(name, returns, parameters):
    """The log-likelihood written down session by session, of complex parameters too."""
    mu, *rest = parameters
    omega, alpha, beta, gamma = rest[0], rest[1], rest[-1], (0.0 if name == "garch" else rest[2])
    weights = 0.94 ** np.arange(min(75, len(returns)))
    start = sum(w * (r - mu) ** 2 for w, r in zip(weights / weights.sum(), returns, strict=False))
    if name == "egarch":
        log_h = omega + beta * cmath.log(start)
    else:
        h = omega + (alpha + gamma / 2 + beta) * start
    total = 0.0
    for e in returns - mu:
        side = 1.0 if e.real > 0.0 else -1.0
        if name == "egarch":
            h, z = cmath.exp(log_h), e * cmath.exp(-log_h / 2)
            log_h = omega + alpha * (side * z - recursions.MEAN_ABS_NORMAL) + gamma * z + beta * log_h
        total -= (cmath.log(2 * np.pi) + cmath.log(h) + e * e / h) / 2
        if name != "egarch":
            h = omega + (alpha + gamma * (side < 0.0)) * e * e + beta * h
    return total


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_is_that_of_the_filter_and_of_arch(name):
    returns, parameters = bursts(), np.array(PARAMETERS[name])
    h = MODELS[name].filter(returns - parameters[0], parameters[1:])[:-1]
    expected = -0.5 * np.sum(np.log(2 * np.pi) + np.log(h) + (returns - parameters[0]) ** 2 / h)
    assert LIKELIHOODS[name](returns, parameters).value == pytest.approx(expected, rel=1e-12)
    about_zero = np.append(0.0, parameters[1:])  # where arch starts the filter from, too
    model = arch_model(returns, mean="Zero", vol=MODELS[name].process, o=MODELS[name].asymmetry, rescale=False)
    assert LIKELIHOODS[name](returns, about_zero).value == pytest.approx(
        model.fix(parameters[1:]).loglikelihood, rel=1e-10
    )


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_complex_steps(name):
    returns, parameters = bursts(), np.array(PARAMETERS[name])
    steps = 1e-30j * np.eye(len(parameters))
    expected = [plain(name, returns, parameters + step).imag / 1e-30 for step in steps]
    np.testing.assert_allclose(LIKELIHOODS[name](returns, parameters).gradient, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_the_hessian_is_that_of_differences_of_the_gradient(name):
    returns, parameters = bursts(), np.array(PARAMETERS[name])
    assert np.abs(returns - parameters[0]).min() > 1e-5  # no kink within a step
    here = LIKELIHOODS[name](returns, parameters)
    for j, row in enumerate(here.hessian):
        step = 1e-6 * np.eye(len(parameters))[j]
        up, down = (LIKELIHOODS[name](returns, parameters + way * step).gradient for way in (1, -1))
        np.testing.assert_allclose(row, (up - down) / 2e-6, rtol=1e-6, atol=1e-6 * np.abs(here.hessian).max())


def test_the_slopes_beside_a_kink_of_egarch():
    returns, parameters = bursts(), np.array(PARAMETERS["egarch"])
    parameters[0] = np.sort(returns)[200]
    here = likelihood.egarch_likelihood(returns, parameters)
    for way in (-1.0, 1.0):
        beside = parameters + way * 1e-9 * np.eye(5)[0]
        slope = likelihood.egarch_likelihood(returns, beside).gradient[0]
        assert here.gradient[0] + way * here.kink == pytest.approx(slope, rel=1e-5)
    assert abs(here.kink) > 1e-3


def test_an_egarch_that_runs_away_has_no_likelihood():
    returns, wild = bursts(), np.array([0.05, 0.0, -0.2, 0.1, 0.8])
    assert recursions.egarch_filter(returns - wild[0], wild[1:]).min() < 1e-300
    assert not likelihood.egarch_likelihood(returns, wild).is_finite
    alone, among = (polish.polish_egarch(returns, [wild, *others]) for others in ([], [np.array(PARAMETERS["egarch"])]))
    assert alone.problem
    assert not among.problem


# --- maxima


def free_errors(name, returns, estimates):
    """The standard errors of what is on no bound, zero for the rest, and the likelihood."""
    here = LIKELIHOODS[name](returns, estimates)
    free = np.flatnonzero(estimates != 0.0)
    errors = np.zeros(len(estimates))
    errors[free] = np.sqrt(np.diag(np.linalg.inv(-here.hessian[np.ix_(free, free)])))
    return errors, here


@pytest.mark.parametrize("name", MODELS)
def test_a_maximum_is_at_least_as_high_as_that_of_arch_and_flat(name, index_returns):
    model = MODELS[name](PATH)
    estimates, problem = model.maximise(index_returns, None)
    assert not problem
    found = model.polish(index_returns, [estimates])
    assert not found.problem
    assert found.value >= LIKELIHOODS[name](index_returns, estimates).value
    np.testing.assert_allclose(found.estimates, estimates, rtol=5e-3, atol=1e-9)
    errors, here = free_errors(name, index_returns, found.estimates)
    assert here.kink == 0.0
    assert np.abs(here.gradient * errors).max() < 1e-9


@pytest.mark.parametrize("name", MODELS)
def test_no_other_parameters_near_by_are_better(name, index_returns):
    rng = np.random.default_rng(1)
    model = MODELS[name](PATH)
    found = model.polish(index_returns, [model.starting_point(index_returns)])
    errors, _ = free_errors(name, index_returns, found.estimates)
    for size in np.repeat([1.0, 1e-1, 1e-2, 1e-3, 1e-4], 20):
        other = found.estimates + size * errors * rng.standard_normal(len(errors))
        assert LIKELIHOODS[name](index_returns, other).value < found.value


def test_without_clusters_alpha_is_zero_exactly():
    quiet = np.tile([1.0, -1.1, 0.9, -0.8, 1.05], 100) + 0.01 * np.random.default_rng(2).standard_normal(500)
    found = polish.polish_garch(quiet, [garch.Garch(PATH).starting_point(quiet)])
    assert found.estimates[2] == 0.0
    assert likelihood.garch_likelihood(quiet, found.estimates).gradient[2] < 0.0


def test_an_index_that_only_losses_move_has_an_alpha_of_zero_exactly(index_returns):
    model = garch.Gjr(PATH)
    for start in (model.maximise(index_returns, None)[0], model.starting_point(index_returns, *garch.FAST)):
        found = polish.polish_gjr(index_returns, [start])
        assert not found.problem
        assert found.estimates[2] == 0.0
        assert likelihood.gjr_likelihood(index_returns, found.estimates).gradient[2] < 0.0


@pytest.mark.parametrize("name", ["garch", "gjr"])
def test_where_variance_only_grows_persistence_is_one_exactly(name):
    rng = np.random.default_rng(3)
    growing = np.exp(np.linspace(-1.5, 1.5, 1500)) * rng.standard_normal(1500)
    model = MODELS[name](PATH)
    found = model.polish(growing, [model.starting_point(growing)])
    assert not found.problem
    weights = [0, 0, 1, 1] if name == "garch" else [0, 0, 1, 0.5, 1]
    assert found.estimates @ weights == pytest.approx(1.0, abs=3e-16)
    assert LIKELIHOODS[name](growing, found.estimates).gradient @ weights > 0.0


@pytest.mark.parametrize(("seed", "higher"), [(10, "slow"), (21, "fast")])
def test_of_two_maxima_the_higher_is_taken(seed, higher):
    """On slow waves, shocks that are forgotten within a session."""
    rng = np.random.default_rng(seed)
    returns = np.exp(0.25 * np.sin(np.linspace(0.0, 12.0, 1500))) * rng.standard_normal(1500)
    for t in rng.integers(100, 1490, 12):
        returns[t] = 6.0 * rng.choice([-1, 1])
        returns[t + 1] *= 2.5
    model = garch.Gjr(PATH)
    starts = {"slow": model.starting_point(returns), "fast": model.starting_point(returns, *garch.FAST)}
    alone = {name: polish.polish_gjr(returns, [start]).value for name, start in starts.items()}
    assert abs(alone["slow"] - alone["fast"]) > 0.4
    assert polish.polish_gjr(returns, list(starts.values())).value == alone[higher] == max(alone.values())


def test_a_maximum_of_egarch_on_a_kink_has_a_mean_that_is_a_return():
    returns = (100 * np.log(sp500.load()["Adj Close"]).diff()).to_numpy()[1:]
    found = polish.polish_egarch(returns, [garch.Egarch(PATH).starting_point(returns)])
    assert not found.problem
    assert found.estimates[0] in returns
    here = likelihood.egarch_likelihood(returns, found.estimates)
    assert here.gradient[0] - here.kink > 0.0 > here.gradient[0] + here.kink
    errors = np.sqrt(np.diag(np.linalg.inv(-here.hessian)))
    assert np.abs(here.gradient * errors)[1:].max() < 1e-9


# --- what does not get there


def test_a_polishing_that_stops_early_is_recorded_and_keeps_what_is_better(monkeypatch):
    monkeypatch.setattr(polish, "MAX_STEPS", 1)
    returns, facts = bursts(), []
    model = garch.Garch(PATH)
    model._report = lambda kind, fact, array: facts.append(fact)
    estimates = model.estimate(returns, "2020-01-02")
    (fact,) = facts
    assert fact["warning"].startswith("fit of 2020-01-02, polished: the gradient is still ")
    arch_alone, _ = model.maximise(returns, None)
    assert LIKELIHOODS["garch"](returns, estimates).value >= LIKELIHOODS["garch"](returns, arch_alone).value


def test_a_polishing_that_breaks_off_leaves_the_estimates_of_arch(monkeypatch):
    def breaks_off(returns, starts):
        raise np.linalg.LinAlgError("singular")

    returns, facts = bursts(), []
    model = garch.Egarch(PATH)
    model._report = lambda kind, fact, array: facts.append(fact)
    monkeypatch.setattr(model, "polish", breaks_off)
    estimates = model.estimate(returns, "2020-01-02")
    np.testing.assert_array_equal(estimates, model.maximise(returns, None)[0])
    assert [fact["warning"] for fact in facts] == ["fit of 2020-01-02, polished: LinAlgError: singular"]


def test_returns_that_do_not_move_have_no_maximum():
    still = np.zeros(300)
    assert polish.polish_egarch(still, [garch.Egarch(PATH).starting_point(still)]).problem


# --- forecasts


def forecasts(panel, symbols, name, n_sessions):
    """The path `(21, n_symbols)` of an entry that is fitted at the last of `n_sessions`."""
    columns = [panel.symbols.index(symbol) for symbol in symbols]
    first = panel.position(Registry(ROOT).dataset(panel.dataset).split("official").fit.first)
    rows = rows_inside(ONE_STEP, first, n_sessions - 1)
    tape = Tape(
        symbols, ["returns", "variance"], has_vix=False, ahead=1, fit_start=first, fit=rows, select=rows
    )  # fmt: skip
    values = np.stack([panel.returns, panel.variance]).transpose(0, 2, 1)[:, columns, :n_sessions]
    tape.extend(panel.dates[:n_sessions], np.full(n_sessions, np.nan), values, values[1, :, 1:])
    row = ENTRIES[name].row
    model, history = getattr(garch, row.class_)(PATH, **row.parameters), History(tape, n_sessions)
    model.fit(history)
    return model.forecast(history)


def shaken(panel, seed=9):
    """The panel with every price multiplied by `1 + 1e-12 z`."""
    rng = np.random.default_rng(seed)
    fields = ("open", "high", "low", "close")
    return replace(
        panel, **{f: getattr(panel, f) * (1 + 1e-12 * rng.standard_normal(panel.close.shape)) for f in fields}
    )


def elsewhere(monkeypatch):
    """Let the optimiser of `arch` start from a model that is far off."""
    real = garch.Garch.maximise
    monkeypatch.setattr(
        garch.Garch, "maximise", lambda self, returns, _: real(self, returns, self.starting_point(returns, 0.15, 0.7))
    )


PANELS = {"indices": (["NASDAQ", "SP500"], "2015-12-31"), "us21": (["MSFT", "NVDA", "WMT"], "2019-12-31")}
"""Symbols and origin: of MSFT and WMT the likelihood of GJR has two maxima there, of NVDA that of EGARCH."""


@pytest.fixture(scope="module", params=PANELS)
def market(request):
    """Bars, symbols and the number of sessions that are known."""
    symbols, origin = PANELS[request.param]
    try:
        panel = load_panel(Registry(ROOT).dataset(request.param))
    except DataError as error:
        if "no bars" not in str(error):
            raise
        pytest.skip("its bars are not here")
    return panel, symbols, int(np.searchsorted(panel.dates, np.datetime64(origin), "right"))


@pytest.mark.parametrize("name", ENTRIES)
def test_forecasts_follow_from_the_bars_and_not_from_where_an_optimiser_stops(name, market, monkeypatch):
    panel, symbols, n_sessions = market
    as_it_is = forecasts(panel, symbols, name, n_sessions)
    np.testing.assert_allclose(forecasts(shaken(panel), symbols, name, n_sessions), as_it_is, rtol=CLOSE)
    elsewhere(monkeypatch)
    np.testing.assert_allclose(forecasts(panel, symbols, name, n_sessions), as_it_is, rtol=CLOSE)

"""The baselines, the GARCH family and the HAR family: known answers, and what the protocol asks of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm
from arch.data import sp500
from families import enter

from bench.plugin import Forecaster, PathForecaster, PerSymbol, Task, example_history, recursions
from bench.plugin.history import History, Tape
from bench.plugin.tasks import ONE_STEP, rows_inside, target, trailing_mean
from bench.registry.entries import discover

SUBMISSIONS = Path(__file__).parents[2] / "submissions"
FAMILY = "garch"  # whose modules import each other by name, as in a worker; the others have one each
enter(SUBMISSIONS / FAMILY)
PATH = Task("path", ahead=21)
NEXT, WEEK, MONTH = Task("next-day", ahead=1), Task("week-ahead", ahead=5), Task("month-ahead", ahead=21)
FIT_START = 30


def load(family):
    spec = importlib.util.spec_from_file_location(f"{family}_model", SUBMISSIONS / family / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


baselines, garch, har = load("baselines"), load("garch"), load("har")
ENTRIES = {
    name: entry
    for name, entry in discover(SUBMISSIONS).entries.items()
    if entry.family in ("baselines", "garch", "har")
}


def make(name, task=None, seed=0):
    """An entry as the harness makes it."""
    row = ENTRIES[name].row
    task = task or (PATH if row.tasks == "path" else NEXT)
    return getattr(load(ENTRIES[name].family), row.class_)(task, seed=seed, **row.parameters)


def market(n_sessions=700, n_symbols=2, seed=4):
    """Returns, measure and VIX of a made-up market whose volatility comes in bursts."""
    rng = np.random.default_rng(seed)
    log_vol = np.zeros((n_sessions, n_symbols))
    for t in range(1, n_sessions):
        log_vol[t] = 0.97 * log_vol[t - 1] + 0.12 * rng.standard_normal(n_symbols)
    vol = 0.01 * np.exp(log_vol)
    returns = 0.0003 + vol * rng.standard_normal((n_sessions, n_symbols))
    variance = 0.7 * vol**2 * rng.chisquare(8, (n_sessions, n_symbols)) / 8
    returns[0] = np.nan
    return SimpleNamespace(returns=returns, variance=variance, vix=15 + 500 * vol.mean(axis=1))


def tape_of(data, task, n_sessions=None):
    """A tape with the first sessions of a market; the fit window takes two thirds."""
    total = len(data.variance)
    n_sessions = n_sessions or total
    row_task = ONE_STEP if task == PATH else task
    split = 2 * total // 3
    tape = Tape(
        [f"S{j}" for j in range(data.variance.shape[1])], ["returns", "variance"], has_vix=True,
        ahead=row_task.ahead, fit_start=FIT_START,
        fit=rows_inside(row_task, FIT_START, split - 1), select=rows_inside(row_task, split, total - 1),
    )  # fmt: skip
    values = np.stack([data.returns, data.variance]).transpose(0, 2, 1)
    realized = target(data.variance, row_task)[: n_sessions - row_task.ahead].T
    dates = np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward")
    tape.extend(dates, data.vix[:n_sessions], values[..., :n_sessions], realized)
    return tape


def history_of(data, task=PATH, n_sessions=None):
    return tape_of(data, task, n_sessions).history()


def recorded(model):
    """The facts that a model records from now on."""
    facts = []
    model._report = lambda kind, fact, array: facts.append(fact) if kind == "record" else None
    return facts


# --- every entry


def test_submissions_are_well_formed():
    assert set(ENTRIES) == {
        "random-walk", "historical-mean", "trailing-mean", "ewma", "garch", "garch-unscaled", "gjr-garch", "egarch",
        "har", "log-har", "log-har-vix",
    }  # fmt: skip
    assert ENTRIES["log-har-vix"].row.reads == ["bars", "vix"]
    for name in ENTRIES:
        assert isinstance(make(name), PathForecaster if ENTRIES[name].is_path else Forecaster)


@pytest.mark.parametrize("name", ENTRIES)
def test_answers_on_the_example_history(name):
    model, history = make(name), example_history()
    model.fit(history)
    forecast_var = np.asarray(model.forecast(history))
    assert forecast_var.shape == ((21, 2) if ENTRIES[name].is_path else (2,))
    assert np.isfinite(forecast_var).all()
    assert (forecast_var > 0).all()


@pytest.mark.parametrize("name", ENTRIES)
def test_later_sessions_change_nothing(name):
    data, changed = market(), market()
    for field in (changed.returns, changed.variance, changed.vix):
        field[501:] *= 3.0
    answers = []
    for each in (data, changed):
        model, tape = make(name), tape_of(each, PATH if ENTRIES[name].is_path else NEXT)
        model.fit(History(tape, 500))
        answers.append([np.asarray(model.forecast(History(tape, n))) for n in (500, 501, 502)])
    np.testing.assert_array_equal(answers[0][:2], answers[1][:2])
    assert (answers[0][2] != answers[1][2]).all()


@pytest.mark.parametrize("name", ENTRIES)
def test_session_by_session_equals_all_at_once(name):
    data = market()
    tape = tape_of(data, PATH if ENTRIES[name].is_path else NEXT)
    walked, jumped = make(name), make(name)
    for model in (walked, jumped):
        model.fit(History(tape, 350))
    for n in range(350, len(data.variance) + 1):
        last = walked.forecast(History(tape, n))
    np.testing.assert_allclose(last, jumped.forecast(tape.history()), rtol=1e-12)


# --- baselines


def test_baselines_by_hand():
    data = market()
    history = history_of(data)
    known = data.variance[FIT_START:]
    weighted = recursions.ewma_filter(known, 0.94)[-1]
    expected = {
        "random-walk": data.variance[-1],
        "historical-mean": known.mean(axis=0),
        "trailing-mean": data.variance[-22:].mean(axis=0),
        "ewma": weighted,
    }
    for name, level in expected.items():
        np.testing.assert_allclose(make(name).forecast(history), np.tile(level, (21, 1)), rtol=1e-12)


def test_historical_mean_is_that_of_the_known_rows():
    history = history_of(market())
    expected = history.realized[history.known_rows].mean(axis=0)
    np.testing.assert_allclose(make("historical-mean").forecast(history)[0], expected, rtol=1e-12)


def test_ewma_moves_by_one_step():
    data = market()
    model, tape = make("ewma"), tape_of(data, PATH)
    before = model.forecast(History(tape, 400))[0]
    after = model.forecast(History(tape, 401))[0]
    np.testing.assert_allclose(after, 0.94 * before + 0.06 * data.variance[400], rtol=1e-12)


def test_random_walk_replaces_a_zero_of_its_own_symbol():
    data = market()
    data.variance[FIT_START - 1, 0] = 1e-30  # before the fit window: no training value
    data.variance[-1, 0] = 0.0
    forecast_var = make("random-walk").forecast(history_of(data))
    assert (forecast_var[:, 0] == data.variance[FIT_START:-1, 0].min()).all()
    assert (forecast_var[:, 1] == data.variance[-1, 1]).all()


# --- GARCH family


@pytest.fixture(scope="module")
def index_returns():
    """Percent log returns of the S&P 500, 2010-01-04 to 2018-12-31."""
    close = sp500.load()["Adj Close"]
    return (100 * np.log(close).diff()).loc["2010":"2018"].to_numpy()


def test_garch_estimates_are_the_reference_ones(index_returns):
    assert len(index_returns) == 2264
    estimates, problem = garch.Garch(PATH).maximise(index_returns, None)
    assert not problem
    np.testing.assert_allclose(estimates, [0.0720913, 0.0346689, 0.159952, 0.804412], rtol=2e-4)
    estimates, problem = garch.Egarch(PATH).maximise(index_returns, None)
    assert not problem
    np.testing.assert_allclose(estimates, [0.0268265, -0.0182724, 0.169467, -0.214996, 0.944037], rtol=5e-3)


def test_garch_likelihood_is_that_of_r_fgarch(index_returns):
    mu, *parameters = 0.0721311, 0.0346796, 0.160021, 0.804369
    residuals = index_returns - mu
    h = recursions.garch_filter(residuals, parameters, np.mean(residuals**2))[:-1]
    log_likelihood = -0.5 * np.sum(np.log(2 * np.pi) + np.log(h) + residuals**2 / h)
    assert log_likelihood == pytest.approx(-2734.304529, abs=2e-6)


RECURSIONS = {
    "garch": (recursions.garch_filter, recursions.garch_path),
    "gjr-garch": (recursions.gjr_filter, recursions.gjr_path),
    "egarch": (recursions.egarch_filter, None),
}


@pytest.mark.parametrize("name", RECURSIONS)
def test_frozen_parameters_filter_to_the_origin_and_scale(name):
    data = market(n_symbols=1)
    model, tape = make(name), tape_of(data, PATH)
    model.fit(History(tape, 400))
    for n in range(400, 701):
        forecast_var = model.forecast(History(tape, n))[:, 0]
    run_filter, run_path = RECURSIONS[name]
    mu, *parameters = model._of_symbol["S0"].estimates
    h = run_filter(100 * data.returns[FIT_START:, 0] - mu, parameters)
    scale = np.mean(1e4 * data.variance[FIT_START:400, 0] / h[: 400 - FIT_START])
    if run_path is None:
        draws = model.generator("paths").standard_normal((20, 1000))
        path = recursions.egarch_paths(h[-1], parameters, draws).mean(axis=1)
    else:
        path = run_path(h[-1], parameters, 21)
    np.testing.assert_allclose(forecast_var, scale * path / 1e4, rtol=1e-10)
    assert forecast_var[0] == pytest.approx(scale * h[-1] / 1e4, rel=1e-12)


def test_unscaled_garch_forecasts_the_variance_of_returns():
    history = history_of(market())
    scaled, unscaled = make("garch"), make("garch-unscaled")
    for model in (scaled, unscaled):
        model.fit(history)
    scales = [model.scale for model in scaled._of_symbol.values()]
    np.testing.assert_allclose(scaled.forecast(history), unscaled.forecast(history) * scales, rtol=1e-12)
    assert max(scales) < 0.9  # the measure of this market is 0.7 of the variance of its returns


def test_egarch_draws_are_the_same_for_every_symbol():
    data = market(n_symbols=2)
    for field in (data.returns, data.variance):
        field[:, 1] = field[:, 0]
    model = make("egarch")
    model.fit(history_of(data))
    forecast_var = model.forecast(history_of(data))
    np.testing.assert_array_equal(forecast_var[:, 0], forecast_var[:, 1])


@pytest.mark.parametrize("name", ["garch", "gjr-garch", "egarch"])
def test_fits_are_recorded_by_symbol(name):
    model = make(name)
    facts = recorded(model)
    model.fit(history_of(market()))
    assert [fact["symbol"] for fact in facts] == ["S0", "S1"]
    assert all(fact["parameters"] == len(fact["estimates"]) + 1 for fact in facts)


class Unconverged:
    """Stands in for an arch model whose optimiser gives up."""

    def __init__(self, *args, **options):
        self.n_parameters = 4 + options["o"]

    def fit(self, **options):
        message = SimpleNamespace(message="gave up")
        return SimpleNamespace(params=np.ones(self.n_parameters), convergence_flag=4, optimization_result=message)


def not_finite(*args, **options):
    result = SimpleNamespace(params=np.full(4 + options["o"], np.nan), convergence_flag=0)
    return SimpleNamespace(fit=lambda **_: result)


@pytest.mark.parametrize("failing", [Unconverged, not_finite])
@pytest.mark.parametrize("name", ["garch", "gjr-garch", "egarch"])
def test_first_fit_without_convergence_uses_the_starting_point(name, failing, monkeypatch):
    data = market(n_symbols=1)
    history = history_of(data)
    model = make(name)
    facts = recorded(model)
    monkeypatch.setitem(model.maximise.__func__.__globals__, "arch_model", failing)
    model.fit(history)
    fallback = [fact for fact in facts if fact.get("fallback")]
    assert len(fallback) == 1
    assert fallback[0]["symbol"] == "S0"
    assert str(history.dates[-1]) in fallback[0]["warning"]
    assert len([fact for fact in facts if "warning" in fact]) == 3  # two attempts, then the stand-in
    estimates = model._of_symbol["S0"].estimates
    returns = 100 * data.returns[FIT_START:, 0]
    assert estimates[0] == returns.mean()
    assert (estimates[2], estimates[-1]) == (0.05, 0.90)
    long_run = np.exp(estimates[1] / 0.1) if name == "egarch" else estimates[1] / 0.05
    assert long_run == pytest.approx(returns.var())
    assert (model.forecast(history) > 0).all()


def test_refit_without_convergence_keeps_the_last_good_estimates(monkeypatch):
    tape = tape_of(market(), PATH)
    model = make("garch")
    model.fit(History(tape, 400))
    before = {symbol: each.estimates for symbol, each in model._of_symbol.items()}
    facts = recorded(model)
    for each in model._of_symbol.values():
        each._report = model._report
    monkeypatch.setitem(model.maximise.__func__.__globals__, "arch_model", Unconverged)
    model.fit(History(tape, 650))
    assert all((each.estimates == before[symbol]).all() for symbol, each in model._of_symbol.items())
    assert sum("last good estimates" in fact.get("warning", "") for fact in facts) == 2
    assert np.isfinite(model.forecast(tape.history())).all()


def test_second_attempt_starts_elsewhere(monkeypatch):
    model, history = make("garch"), history_of(market(n_symbols=1))
    facts = recorded(model)
    scope = model.maximise.__func__.__globals__
    real, calls = scope["arch_model"], []

    def first_fails(returns, **options):
        fitted = real(returns, **options)

        def fit(**settings):
            calls.append(settings["starting_values"])
            if len(calls) == 1:
                raise np.linalg.LinAlgError("singular")
            return fitted.fit(**settings)

        return SimpleNamespace(fit=fit)

    monkeypatch.setitem(scope, "arch_model", first_fails)
    model.fit(history)
    assert calls[0] is None
    assert list(calls[1][2:]) == [0.05, 0.90]
    assert "LinAlgError: singular" in facts[0]["warning"]
    assert not any(fact.get("fallback") for fact in facts)


@pytest.mark.parametrize("name", ["garch", "gjr-garch", "egarch"])
def test_a_price_that_does_not_move_or_jumps_gives_a_sane_path(name):
    still, jump = market(n_symbols=1), market(n_symbols=1)
    still.returns[1:] = 0.0
    jump.returns[-1] = -0.9
    for data in (still, jump):
        history = history_of(data)
        model = make(name)
        model.fit(history)
        forecast_var = model.forecast(history)
        assert np.isfinite(forecast_var).all()
        assert (forecast_var > 0).all()


def test_garch_family_is_per_symbol():
    assert all(issubclass(each, PerSymbol) for each in (garch.Garch, garch.Gjr, garch.Egarch))


# --- HAR family


def har_regressors(values):
    return sm.add_constant(np.column_stack([values, trailing_mean(values, 5), trailing_mean(values, 22)]))


@pytest.mark.parametrize("task", [NEXT, WEEK, MONTH], ids=lambda task: task.name)
def test_har_is_the_ols_of_statsmodels(task):
    data = market()
    history = history_of(data, task)
    model = make("har", task)
    model.fit(history)
    forecast_var = model.forecast(history)
    for j in range(2):
        x, y = har_regressors(data.variance[:, j]), target(data.variance[:, j], task)
        rows = slice(FIT_START - 1, len(y) - task.ahead)
        result = sm.OLS(y[rows], x[rows]).fit()
        np.testing.assert_allclose(model.coefficients[j], result.params, rtol=1e-8)
        assert forecast_var[j] == pytest.approx(result.predict(x[-1:])[0], rel=1e-10)


@pytest.mark.parametrize("name", ["log-har", "log-har-vix"])
def test_log_har_is_the_corrected_ols_of_statsmodels(name):
    data = market()
    history = history_of(data, WEEK)
    model = make(name, WEEK)
    model.fit(history)
    forecast_var = model.forecast(history)
    for j in range(2):
        x = har_regressors(np.log(data.variance[:, j]))
        if name == "log-har-vix":
            x = np.column_stack([x, np.log(data.vix)])
        rows = slice(FIT_START - 1, len(x) - 5)
        result = sm.OLS(np.log(target(data.variance[:, j], WEEK))[rows], x[rows]).fit()
        expected = np.exp(result.predict(x[-1:])[0] + result.mse_resid / 2)
        assert forecast_var[j] == pytest.approx(expected, rel=1e-9)


def test_log_har_correction_takes_the_bias_away():
    rng = np.random.default_rng(0)
    data = market(n_sessions=4000, n_symbols=1)
    data.variance = 1e-4 * np.exp(0.6 * rng.standard_normal((4000, 1)))  # no dynamics: the mean is known
    model = make("log-har")
    model.fit(history_of(data, NEXT))
    forecast_var = model.forecast(history_of(data, NEXT))[0]
    assert forecast_var == pytest.approx(1e-4 * np.exp(0.18), rel=0.05)


def test_har_floor_is_the_smallest_positive_training_target():
    data = market()
    history = history_of(data, WEEK)
    model = make("har", WEEK)
    model.fit(history)
    model.coefficients = -model.coefficients
    y = target(data.variance, WEEK)[FIT_START - 1 : -5]
    np.testing.assert_array_equal(model.forecast(history), y.min(axis=0))


def test_zeros_count_as_the_smallest_positive_training_value():
    zeros, replaced = market(), market()
    smallest = replaced.variance[FIT_START:, 0].min()
    for t in (100, 300, -1):
        zeros.variance[t, 0] = 0.0
        replaced.variance[t, 0] = smallest
    forecasts = []
    for data in (zeros, replaced):
        model = make("log-har")
        model.fit(history_of(data, NEXT))
        forecasts.append(model.forecast(history_of(data, NEXT)))
    np.testing.assert_allclose(*forecasts, rtol=1e-12)


def test_har_leaves_out_rows_without_regressors():
    data = market()
    data.vix[:100] = np.nan
    history = history_of(data, NEXT)
    model = make("log-har-vix")
    facts = recorded(model)
    model.fit(history)
    assert facts[0]["rows"] == len(history) - 1 - 100
    assert np.isfinite(model.forecast(history)).all()


def test_egarch_survives_returns_without_clusters():
    """The estimates are those of such a series, on which the filter runs away at its end."""
    returns = np.random.default_rng(0).standard_normal(1500)
    returns[-1] = 0.0
    model, running_away = make("egarch"), np.array([0.0, 0.0, -0.9, 0.0, 0.98])
    assert "leaves 100000 times that of the sample" in model.unusable(running_away, returns)
    assert model.unusable(np.array([0.0, 0.0, 0.1, -0.05, 0.95]), returns) == ""
    model.maximise = lambda values, start: (running_away, model.unusable(running_away, values))
    told = recorded(model)
    np.testing.assert_array_equal(model.estimate(returns, "today"), model.starting_point(returns))
    assert told[-1]["fallback"]


@pytest.mark.parametrize("name", ["garch", "gjr-garch", "egarch"])
def test_a_filter_out_of_sample_stays_in_range(name):
    history = history_of(market())
    model = make(name)
    model.fit(history)
    one = model._of_symbol[history.symbols[0]]
    one.step = lambda variance, residual, parameters: variance * 1e9
    one.n_seen -= 3
    assert one.forecast_symbol(history.series(history.symbols[0]))[0] <= 1e5 * one.bounds_var[1]
    assert one.next_var == one.bounds_var[1]

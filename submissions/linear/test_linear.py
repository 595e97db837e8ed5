"""The regressions against statsmodels, the terms by hand, and what may be learnt from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import model
import numpy as np
import pytest
import regressions
import statsmodels.api as sm
import yaml
from features import LOOKBACK, TERMS, Known, features, smallest_positive

from bench.plugin import Task, example_history
from bench.plugin.history import PANEL_FIELDS, Tape
from bench.plugin.tasks import ONE_STEP, Rows

ROWS = yaml.safe_load(Path(__file__).with_name("submission.yaml").read_text())["entries"]
NEXT, WEEK = Task("next-day", ahead=1), Task("week-ahead", ahead=5)
ALL = tuple(TERMS)


def sample(n=400, n_symbols=3, k=4, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, n_symbols, k)) * [1.0, 0.1, 10.0, 1.0] + rng.standard_normal(n_symbols)[:, None]
    y = x @ [0.5, -2.0, 0.03, 0.0] + np.arange(n_symbols) + 0.3 * rng.standard_normal((n, n_symbols))
    return x, y


def made(row, task=NEXT):
    return getattr(model, row["class"])(task, **row["parameters"])


# --- regressions


def test_each_symbol_is_ordinary_least_squares():
    x, y = sample()
    found = regressions.each_symbol(x, y)
    for j in range(3):
        known = sm.OLS(y[:, j], sm.add_constant(x[:, j])).fit()
        assert np.allclose([found.intercepts[j], *found.slopes[j]], known.params, rtol=1e-10)
        assert found.residual_var[j] == pytest.approx(known.mse_resid)


def test_pooled_is_least_squares_with_an_intercept_for_every_symbol():
    x, y = sample()
    found = regressions.pooled(x, y)
    own = np.tile(np.eye(3), (len(y), 1))
    known = sm.OLS(y.ravel(), np.column_stack([own, x.reshape(-1, 4)])).fit()
    assert np.allclose([*found.intercepts, *found.slopes], known.params, rtol=1e-10)
    assert np.allclose(found.at(x), known.fittedvalues.reshape(y.shape))
    assert found.residual_var.mean() == pytest.approx(known.mse_resid)
    assert (found.size, regressions.each_symbol(x, y).size) == (7, 5)


def test_a_column_that_says_nothing_new_changes_no_forecast():
    x, y = sample()
    more = np.concatenate([x, x[..., :1] + x[..., 1:2], np.ones_like(x[..., :1])], axis=-1)
    assert np.allclose(regressions.pooled(more, y).at(more), regressions.pooled(x, y).at(x), rtol=1e-9)


def test_weighted_is_weighted_least_squares():
    x, y = sample()
    weights = np.random.default_rng(1).uniform(0.1, 5.0, len(y))
    known = sm.WLS(y[:, 0], x[:, 0], weights=weights).fit().params
    assert np.allclose(regressions.weighted(x[:, 0], y[:, 0], weights), known, rtol=1e-10)


# --- terms


def flat(returns, n_sessions=40):
    """A history of two symbols with a measure of 4e-4, and the given last returns of the first symbol."""
    values = np.zeros((n_sessions, 2))
    values[-len(returns) :, 0] = returns
    price = np.exp(np.cumsum(values, axis=0))
    half = np.ones_like(price)
    half[-1] = 0.5
    return SimpleNamespace(
        returns=values, variance=np.full_like(values, 4e-4), close=price, open=price * np.exp(0.01 * (half - 1.0)),
        volume=100.0 * half, vix=np.linspace(10.0, 20.0, n_sessions), symbols=("A", "B"),
    )  # fmt: skip


def last(name, history, market=""):
    known = Known(history, slice(None), np.full(2, 1e-4), market)
    return [np.broadcast_to(column, (len(history.vix), 2))[-1] for column in TERMS[name](known)]


def test_leverage_is_a_mean_return_where_it_is_negative():
    history = flat([0.05, -0.02, 0.01])
    assert np.allclose(np.array(last("leverage", history))[:, 0], [0.0, 0.0, 0.0])
    history = flat([-0.05, 0.02])
    assert np.allclose(np.array(last("leverage", history))[:, 0], [0.0, -0.03 / 5, -0.03 / 22])
    assert np.allclose(np.array(last("falls", history))[:, 0], np.array([0.0, -0.03 / 5**0.5, -0.03 / 22**0.5]) / 0.02)


def test_size_night_and_volume_are_relative():
    history = flat([-0.03])
    assert last("size", history)[0] == pytest.approx([1.5, 0.0])
    night = abs(np.log(history.open[-1, 0] / history.close[-2, 0]))
    assert last("overnight", history)[0][0] == pytest.approx(night / 0.02)
    assert last("volume", history)[0] == pytest.approx(np.log(0.5 / (19.5 / 20)))
    history.volume[:] = 0.0
    assert last("volume", history)[0] == pytest.approx([0.0, 0.0])


def test_vix_terms():
    history = flat([0.0])
    levels = np.log(history.vix)
    assert last("vix", history)[0][0] == pytest.approx(levels[-1])
    assert last("vix-change", history)[0][0] == pytest.approx(levels[-1] - levels[-2])
    assert last("vix-surprise", history)[0][0] == pytest.approx(levels[-1] - levels[-22:].mean())


def test_the_market_is_a_symbol_or_the_mean_of_all():
    history = example_history()
    smallest = smallest_positive(history.variance)
    own = features(Known(history, slice(None), smallest), ["har"])
    of_b = features(Known(history, slice(None), smallest, "BBB"), ["market"])
    nowhere = features(Known(history, slice(None), smallest, "SPY"), ["market"])
    assert np.array_equal(of_b[50, 0], own[50, 1])
    assert np.allclose(nowhere[50, 0], own[50].mean(axis=0))


def test_the_last_sessions_are_enough_for_a_forecast():
    history = example_history()
    smallest = smallest_positive(history.variance)
    whole, short = (
        features(Known(history, part, smallest, "AAA"), ALL) for part in (slice(None), slice(-LOOKBACK, None))
    )
    assert np.allclose(whole[-1], short[-1], rtol=1e-12, atol=1e-14)
    assert np.isfinite(whole[-1]).all()


# --- models


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
@pytest.mark.parametrize("task", [NEXT, WEEK], ids=lambda task: task.name)
def test_answers_for_every_symbol(row, task):
    history, entry = example_history(n_sessions=500), made(row, task)
    entry.fit(history)
    forecast_var = entry.forecast(history)
    assert forecast_var.shape == (2,)
    assert (forecast_var > 0).all()
    assert 0.3 < forecast_var.mean() / history.variance.mean() < 3


def test_log_har_is_a_lognormal_mean():
    history = example_history(n_sessions=500)
    entry = model.LogLinear(NEXT, terms=["har"])
    entry.fit(history)
    x = features(Known(history, slice(None), smallest_positive(history.variance)), ["har"])
    rows = history.known_rows & np.isfinite(x).all(axis=(1, 2))
    known = sm.OLS(np.log(history.realized[rows, 1]), sm.add_constant(x[rows, 1])).fit()
    expected = known.params[0] + x[-1, 1] @ known.params[1:] + 0.5 * known.mse_resid
    assert entry.forecast(history)[1] == pytest.approx(np.exp(expected))


def longer(history, n_sessions):
    """The first sessions of a history, with the windows of a split of 300 and 100 sessions."""
    tape = Tape(
        list(history.symbols), list(PANEL_FIELDS), has_vix=True, ahead=1, fit_start=30,
        fit=Rows(29, 298), select=Rows(300, 398),
    )  # fmt: skip
    values = np.stack([getattr(history, name)[:n_sessions] for name in PANEL_FIELDS]).transpose(0, 2, 1)
    tape.extend(history.dates[:n_sessions], history.vix[:n_sessions], values, history.variance[1:n_sessions].T)
    return tape.history()


@pytest.mark.parametrize(("learns_on", "same"), [("fit-and-select", True), ("known", False)])
def test_a_frozen_regression_learns_nothing_later(learns_on, same):
    whole = example_history(n_sessions=700)
    found = []
    for n_sessions in (401, 700):
        entry = model.PanelLogLinear(ONE_STEP, terms=["har", "vix"], learns_on=learns_on)
        entry.fit(longer(whole, n_sessions))
        found.append(entry.estimates.slopes)
    assert np.allclose(*found, rtol=1e-12) == same


def test_weighted_har_listens_less_to_a_crisis():
    history = example_history(n_sessions=500)
    entry = model.HarWls(NEXT)
    entry.fit(history)
    x, y = entry.regressors(history, slice(None)), history.realized
    rows = history.known_rows & np.isfinite(x).all(axis=(1, 2))
    known = sm.WLS(y[rows, 0], x[rows, 0], weights=1.0 / history.variance[rows, 0]).fit().params
    assert np.allclose(entry.coefficients[0], known, rtol=1e-8)
    assert entry.forecast(history)[0] == pytest.approx(x[-1, 0] @ known)

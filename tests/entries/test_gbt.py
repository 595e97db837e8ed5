"""The boosted trees: what their features know, and a fit on made-up sessions."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from bench.plugin import Task, example_history

pytest.importorskip("lightgbm", reason="lightgbm is not installed: it lives in an environment of the entry's own")

SPEC = importlib.util.spec_from_file_location("gbt", Path(__file__).parents[2] / "submissions" / "gbt" / "model.py")
gbt = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(gbt)

FAMILY = "gbt"
SETTINGS = {"learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 20, "bagging_freq": 1, "bagging_fraction": 0.5}


def fitted(seed: int = 0, **changes: float):
    """A model of two symbols after `fit`, its history, and what it recorded."""
    history = example_history(n_sessions=400, symbols=("AAA", "SPY"))
    model = gbt.BoostedTrees(Task("next-day", ahead=1), seed=seed, max_rounds=30, patience=5, **{**SETTINGS, **changes})
    told = {}
    model._report = lambda kind, facts, array: told.update(facts)
    model.fit(history)
    return model, history, told


def test_features_of_the_last_row_do_not_depend_on_how_much_is_looked_at():
    model, history, _ = fitted()
    every = model.features(history, slice(None))
    assert np.array_equal(every[-1], model.features(history, slice(-gbt.LOOKBACK, None))[-1])
    complete = np.isfinite(every).all(axis=(1, 2))
    assert np.array_equal(np.flatnonzero(~complete), np.arange(gbt.LOOKBACK - 1))
    assert np.isfinite(model.features(history, slice(-gbt.LOOKBACK, None))[-1]).all()


def test_features_by_hand():
    model, history, _ = fitted()
    row = model.features(history, slice(None))[-1]
    log_var = np.log(history.variance) - np.log(history.variance[history.fit_rows]).mean(axis=0)
    assert row[0, :3] == pytest.approx([log_var[-1, 0], log_var[-5:, 0].mean(), log_var[-22:, 0].mean()])
    assert row[0, 6:9] == pytest.approx([log_var[-1, 1], log_var[-5:, 1].mean(), log_var[-22:, 1].mean()])
    assert row[1, 10:13] == pytest.approx([log_var[-n:].mean() for n in (1, 5, 22)])
    month_vol = np.exp(0.5 * np.log(history.variance[-22:, 0]).mean())
    assert row[0, 3] == pytest.approx(history.returns[-1, 0] / month_vol)
    assert row[0, 13] == pytest.approx(np.log(history.vix[-1]))


def test_forecasts_have_the_mean_of_the_target():
    model, history, told = fitted()
    inputs = model.features(history, slice(None))
    rows = (history.fit_rows | history.select_rows) & np.isfinite(inputs).all(axis=(1, 2))
    forecast_var = model.scale * np.exp(model.level + np.array([model.log_relative(x) for x in inputs[rows]]))
    assert (history.realized[rows] / forecast_var).mean() == pytest.approx(1.0)
    assert told["rounds"] >= 1
    assert told["parameters"] > 16


def test_a_seed_gives_the_same_forecasts_and_another_seed_others():
    one, same, other = (fitted(seed)[0].forecast(example_history(400, ("AAA", "SPY"))) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert (one > 0).all()

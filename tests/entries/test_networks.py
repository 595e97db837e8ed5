"""The networks as entries: what they learn from, that they learn it, and that the same seed gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from families import enter

from bench.plugin import Task, example_history
from bench.plugin.history import PANEL_FIELDS, Tape
from bench.plugin.measures import garman_klass, log_returns
from bench.plugin.tasks import rows_inside, target
from bench.registry.entries import discover

torch = pytest.importorskip("torch")
SUBMISSIONS = Path(__file__).parents[2] / "submissions"
FAMILY = "networks"
enter(SUBMISSIONS / FAMILY)

import features  # noqa: E402 - a family's modules import each other by name, from its folder
import garch_guide  # noqa: E402
import model  # noqa: E402
from losses import LOSSES, guided  # noqa: E402

NEXT, WEEK, ROLLING = Task("next-day", 1), Task("week-ahead", 5), Task("rolling-21d", 1, behind=20)
ROWS = {name: entry.row for name, entry in discover(SUBMISSIONS).entries.items() if entry.family == "networks"}
SMALL = {"units": 4, "batch": 32, "max_epochs": 2}


def tape_of(task=NEXT, n_sessions=320, n_shown=None, n_symbols=2, change=None):
    """A market whose volatility comes in bursts; the fit window is sessions 60 to 199, the select window to 259."""
    rng = np.random.default_rng(3)
    shape = (n_sessions, n_symbols)
    log_vol = np.zeros(shape)
    for t in range(1, n_sessions):
        log_vol[t] = 0.95 * log_vol[t - 1] + 0.2 * rng.standard_normal(n_symbols)
    vol = 0.01 * np.exp(log_vol)
    close = np.exp(4 + np.cumsum(vol * rng.standard_normal(shape), axis=0))
    open_ = close * np.exp(0.3 * vol * rng.standard_normal(shape))
    spread = np.exp(vol * (0.2 + np.abs(rng.standard_normal(shape))))
    high, low = np.maximum(open_, close) * spread, np.minimum(open_, close) / spread
    variance = garman_klass(open_, high, low, close)
    volume = 1e6 * np.exp(0.3 * rng.standard_normal(shape))
    values = np.stack([open_, high, low, close, volume, log_returns(close), variance])
    vix = 15 + 500 * vol.mean(axis=1)
    if change is not None:
        change(values, vix)
    n = n_shown or n_sessions
    tape = Tape(
        [f"S{j}" for j in range(n_symbols)], list(PANEL_FIELDS), has_vix=True, ahead=task.ahead, fit_start=60,
        fit=rows_inside(task, 60, 199), select=rows_inside(task, 200, 259),
    )  # fmt: skip
    dates = np.busday_offset("2010-01-04", np.arange(n), roll="forward")
    realized = target(values[-1], task)[: n - task.ahead].T
    tape.extend(dates, vix[:n], values[:, :n].transpose(0, 2, 1), realized)
    return tape


def history_of(*args, **kwargs):
    return tape_of(*args, **kwargs).history()


def fitted(cls, history, task=NEXT, seed=0, **parameters):
    """An entry after its fit, and what it reported."""
    entry, reports = cls(task, seed=seed, **{**SMALL, **parameters}), []
    entry._report = lambda kind, facts, array: reports.append((kind, facts, array))
    entry.fit(history)
    return entry, reports


def facts_of(reports, key):
    return [facts for kind, facts, _ in reports if kind == "record" and key in facts]


@pytest.mark.parametrize("name", ROWS)
def test_every_row_fits_and_forecasts(name):
    row = ROWS[name]
    task = {"next-day": NEXT, "rolling-21d": ROLLING}[row.tasks[0]]
    history = history_of(task, n_shown=261)
    entry, reports = fitted(getattr(model, row.class_), history, task, **{**row.parameters, **SMALL})
    forecast = entry.forecast(history)
    assert forecast.shape == (2,)
    assert np.isfinite(forecast).all()
    assert (forecast > 0).all()
    assert facts_of(reports, "parameters")[0]["parameters"] > 0
    assert all(len(facts["fit_loss"]) == facts["epochs"] for facts in facts_of(reports, "epochs"))
    assert row.seeds >= 5
    assert row.refit is None


@pytest.mark.parametrize("cls", [model.PerSymbol, model.Pooled, model.TsMixer])
def test_the_same_seed_gives_the_same_bytes(cls):
    history = history_of(n_shown=261)
    forecasts = [fitted(cls, history, seed=seed)[0].forecast(history).tobytes() for seed in (0, 0, 1)]
    assert forecasts[0] == forecasts[1] != forecasts[2]


@pytest.mark.parametrize("cls", [model.PerSymbol, model.Pooled])
def test_forecasts_do_not_depend_on_what_comes_later(cls):
    entry, _ = fitted(cls, history_of(n_shown=261))
    later = tape_of()
    then = type(later.history())(later, 280)
    assert entry.forecast(then).tobytes() == entry.forecast(history_of(n_shown=280)).tobytes()


def test_a_forecast_is_what_training_saw():
    """The cheap features of the last window are those of all rows, and symbols are not mixed up."""
    history = history_of(n_shown=261)
    for cls in (model.PerSymbol, model.Pooled):
        entry, _ = fitted(cls, history)
        windows = features.Windows.of(entry.features.all_rows(history), entry.window, entry.device)
        examples = entry.examples(np.array([260]), np.ones((261, 2, 1)))
        said = torch.exp(model.predict(entry.networks, windows, examples)).flatten().numpy()
        np.testing.assert_allclose(entry.forecast(history), said * entry.scale / 1e4, rtol=1e-5)


@pytest.mark.parametrize("name", features.SETS)
def test_features_of_the_last_rows_are_those_of_all(name):
    history = history_of()
    made = features.Features.of(name, history)
    every = made.all_rows(history)
    np.testing.assert_allclose(made.last_rows(history, 20), every[-20:], rtol=1e-12, atol=1e-12)
    assert np.isfinite(every[60:]).all()


def test_features_of_the_course_by_hand():
    history = history_of()
    raw = np.stack(features.course(history, slice(None), np.ones(2)), axis=-1)[100, 1]
    variance, returns, volume = (values[:, 1] for values in (history.variance, history.returns, history.volume))
    for k in range(5):
        assert raw[k] == np.sqrt(252 * variance[100 - k])
        assert raw[5 + k] == returns[100 - k]
        assert raw[10 + k] == pytest.approx(volume[100 - k] / volume[81 - k : 101 - k].mean(), rel=1e-12)
    assert raw[15] == history.vix[100]
    assert len(raw) == 16


def test_scales_come_from_fit_rows_alone():
    def change(values, vix):
        values[:, 201:] *= 3.0
        vix[201:] *= 3.0

    for name in features.SETS:
        plain, changed = (features.Features.of(name, history_of(change=each)) for each in (None, change))
        np.testing.assert_array_equal(plain.mean, changed.mean)
        np.testing.assert_array_equal(plain.std, changed.std)


def test_windows_end_at_their_row():
    values = np.arange(10.0)[:, None, None] + 100 * np.arange(2)[:, None]
    windows = features.Windows.of(values, 3, torch.device("cpu"))
    cut = windows.cut(torch.tensor([[0, 1]]), torch.tensor([[5, 9]]))
    assert cut.shape == (3, 1, 1, 2)
    assert cut[:, 0, 0].T.tolist() == [[3, 4, 5], [107, 108, 109]]


def test_rows_without_a_whole_window_are_left_out():
    values = np.zeros((8, 2, 1))
    values[2, 1] = np.nan
    assert features.complete(values, 3).tolist() == [False] * 5 + [True] * 3


def test_a_zero_counts_as_the_smallest_positive_value():
    def change(values, vix):
        values[-1, 100, 0] = 0.0

    history = history_of(n_shown=261, change=change)
    entry = model.PerSymbol(NEXT)
    rows = np.flatnonzero(history.fit_rows)
    targets = entry.targets(history, rows)[rows, 0, 0]
    positive = np.sort(history.realized[rows, 0])[1]
    assert targets.min() == 1e4 * positive
    entry, _ = fitted(model.TsMixer, history, features="logs")
    assert np.isfinite(entry.forecast(history)).all()


def test_losses_by_hand():
    y, f = torch.tensor([[4.0]], dtype=torch.float64), torch.tensor([[2.0]], dtype=torch.float64)
    values = {name: loss(f.log(), y[..., None]).item() for name, loss in LOSSES.items()}
    assert values["qlike"] == pytest.approx(2 - np.log(2) - 1)
    assert values["log-mse"] == pytest.approx(np.log(2) ** 2)
    assert values["mse"] == pytest.approx(4.0)
    assert values["volatility"] == pytest.approx(252 * (2 - np.sqrt(2)) ** 2)


@pytest.mark.parametrize("weight", [0.0, 0.01, 0.5, 1.0])
def test_guided_loss_by_hand(weight):
    y, garch, f = 4.0, 9.0, 2.25
    targets = torch.tensor([[[y, garch]]], dtype=torch.float64)
    value = guided(weight)(torch.tensor([[f]], dtype=torch.float64).log(), targets).item()
    real, guide, pred = np.sqrt(252 * np.array([y, garch, f]))
    assert value == pytest.approx(weight * (pred - real) ** 2 + (1 - weight) * (pred - guide) ** 2)


def test_the_guide_knows_nothing_later_than_its_origin():
    record = lambda **facts: None  # noqa: E731
    whole, short = history_of(WEEK), history_of(WEEK, n_shown=261)
    long_path, path = (garch_guide.garch_forecasts(each, WEEK, record) for each in (whole, short))
    np.testing.assert_array_equal(long_path[:261], path)
    assert np.isnan(path[:59]).all()
    assert np.isfinite(path[59:]).all()

    def change(values, vix):
        values[PANEL_FIELDS.index("returns"), 200:] *= 2.0

    changed = garch_guide.garch_forecasts(history_of(WEEK, change=change), WEEK, record)
    np.testing.assert_array_equal(changed[:200], path[:200])
    assert (changed[200] > long_path[200]).all()


def test_the_guide_is_a_scaled_garch():
    from bench.plugin.recursions import garch_filter

    history = history_of(n_shown=261)
    path = garch_guide.garch_forecasts(history, NEXT, lambda **facts: None)[:, 0]
    returns = 100 * history.returns[60:, 0]
    mu, *parameters = garch_guide.estimate(returns[:140], "S0", lambda **facts: None)
    variances = garch_filter(returns - mu, parameters)
    np.testing.assert_allclose(path[59:] / variances, path[59] / variances[0])
    kappa = (history.variance[60:200, 0] / variances[:140]).mean()
    assert path[59] / variances[0] == pytest.approx(kappa)
    with pytest.raises(ValueError, match="ahead only"):
        garch_guide.garch_forecasts(history, ROLLING, lambda **facts: None)


def test_forecasts_of_a_volatility_loss_are_scaled_to_the_mean():
    history = history_of(n_shown=261)
    for cls in (model.PerSymbol, model.Pooled):
        entry, _ = fitted(cls, history, loss=0.5)
        rows = np.flatnonzero(history.fit_rows)
        windows = features.Windows.of(entry.features.all_rows(history), entry.window, entry.device)
        examples = entry.examples(rows, np.ones((261, 2, 1)))
        said = torch.exp(model.predict(entry.networks, windows, examples)).reshape(2, -1).double().numpy()
        mean = (said * entry.scale[:, None]).mean(axis=1) / 1e4
        np.testing.assert_allclose(mean, history.realized[rows].mean(axis=0), rtol=1e-5)
    assert fitted(model.PerSymbol, history, loss="qlike")[0].scale.tolist() == [1.0, 1.0]


def test_attention_sums_to_one_and_sees_the_window_alone():
    history = history_of(n_shown=261)
    entry, reports = fitted(model.PerSymbol, history, attention=True)
    kept = [array for kind, facts, array in reports if kind == "artifact" and facts["name"] == "attention"]
    assert kept[0].shape == (2, 20)
    np.testing.assert_allclose(kept[0].sum(axis=1), 1.0, rtol=1e-5)
    windows = torch.randn(20, 2, 16, 3)
    weights = entry.networks.weights(entry.networks.hidden(windows))
    assert weights.shape == (20, 2, 1, 3)
    np.testing.assert_allclose(weights.sum(dim=0).detach(), 1.0, rtol=1e-5)

    def change(values, vix):
        values[4, :217] *= 1.5  # volume: the window reaches to session 241, its features 23 sessions before

    assert entry.forecast(history).tobytes() == entry.forecast(history_of(n_shown=261, change=change)).tobytes()


def test_what_is_odd_is_recorded():
    history = history_of(n_shown=261)
    entry, reports = fitted(model.PerSymbol, history, rate=float("inf"))
    warnings = facts_of(reports, "warning")
    assert warnings[0]["network"] == "S0"
    assert "not finite" in warnings[0]["warning"]
    assert facts_of(reports, "epochs")[0]["fit_loss"][-1] is None
    assert entry.device.type in ("cpu", "cuda")
    _, reports = fitted(model.PerSymbol, history, max_epochs=1)
    assert "epoch 1" in facts_of(reports, "warning")[0]["warning"]


def test_progress_names_stock_seed_epoch_and_loss():
    _, reports = fitted(model.PerSymbol, history_of(n_shown=261), seed=2)
    shown = [facts for kind, facts, _ in reports if kind == "progress"]
    assert {"stock", "seed", "epoch", "select_loss", "done", "total"} <= set(shown[0])
    assert shown[0]["seed"] == 2


def test_an_example_history_is_enough():
    history = example_history(n_sessions=200)
    entry = model.PerSymbol(NEXT, **{**SMALL, "window": 5})
    with pytest.raises(ValueError, match="no fit row"):
        model.PerSymbol(NEXT, **{**SMALL, "window": 190}).fit(history)
    entry.fit(history)
    assert entry.forecast(history).shape == (2,)


def test_an_unknown_name_is_told():
    for parameters in ({"cell": "rnn"}, {"features": "all"}, {"loss": "mae"}, {"precision": "half"}):
        with pytest.raises(ValueError, match="is none of"):
            model.PerSymbol(NEXT, **parameters)
    with pytest.raises(ValueError, match="float32"):
        fitted(model.TsMixer, history_of(n_shown=261), precision="bfloat16")

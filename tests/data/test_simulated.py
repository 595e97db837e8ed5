"""The simulated dataset: its truth, its bars, and that they are the same everywhere."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from bench.data.load import load_panel
from bench.data.panel import PRICES, Panel, oddities
from bench.data.simulated import STEPS, _digits, intraday, read_sessions, simulate, u_shape
from bench.errors import DataError
from bench.plugin.measures import parkinson, rogers_satchell
from bench.registry.config import Dataset, Registry

ROOT = Path(__file__).parents[2]


@cache
def simulated() -> tuple[Dataset, Panel]:
    dataset = Registry(ROOT).dataset("simulated")
    return dataset, load_panel(dataset)


def truth(panel: Panel) -> np.ndarray:
    if panel.true_var is None:
        pytest.fail("a simulated panel has a true variance")
    return panel.true_var


def index(panel: Panel) -> np.ndarray:
    if panel.vix is None:
        pytest.fail("a simulated panel has a VIX")
    return panel.vix


def test_identity_is_the_pinned_one() -> None:
    dataset, panel = simulated()
    found = {name: panel.until(dataset.split(name).score.last).identity() for name in ("development", "official")}
    assert found == dataset.identity


def test_garman_klass_is_unbiased_for_the_true_variance() -> None:
    _, panel = simulated()
    ratio = panel.variance / truth(panel)
    assert panel.variance.mean() / truth(panel).mean() == pytest.approx(1, abs=0.01)
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    # One session's ratio has a standard deviation of 0.52 (efficiency of 7.4 against the squared return).
    assert ratio.std() == pytest.approx(math.sqrt(2 / 7.4), abs=0.02)
    error = 0.52 / math.sqrt(len(ratio))
    assert np.abs(ratio.mean(axis=0) - 1).max() < 3.5 * error
    assert np.abs(panel.variance.mean(axis=0) / truth(panel).mean(axis=0) - 1).max() < 0.03


def test_the_other_measures_agree() -> None:
    _, panel = simulated()
    for measure in (parkinson, rogers_satchell):
        values = measure(panel.open, panel.high, panel.low, panel.close)
        assert (values / truth(panel)).mean() == pytest.approx(1, abs=0.01)


def test_proxy_noise_costs_an_eighth_of_qlike() -> None:
    _, panel = simulated()
    ratio = panel.variance / truth(panel)
    assert (ratio - np.log(ratio) - 1).mean() == pytest.approx(0.125, abs=0.005)


def test_bars_are_sound_rounded_and_have_a_range() -> None:
    _, panel = simulated()
    assert oddities(panel) == {"zero-range bars": 0, "zero-volume bars": 0, "|log return| > 0.25": 0}
    assert (panel.high >= np.maximum(panel.open, panel.close)).all()
    assert (panel.low <= np.minimum(panel.open, panel.close)).all()
    for name in PRICES:
        values = getattr(panel, name)[:50].ravel()
        assert [float(f"{value:.6g}") for value in values] == values.tolist()
    assert [float(f"{value:.10g}") for value in truth(panel)[:50].ravel()] == truth(panel)[:50].ravel().tolist()
    assert np.array_equal(index(panel), np.round(index(panel), 2))
    assert (panel.volume % 100 == 0).all()


def test_two_regimes_that_last() -> None:
    dataset, panel = simulated()
    crisis = index(panel) >= 20
    assert 0.25 <= crisis.mean() <= 0.45
    assert (crisis[1:] == crisis[:-1]).mean() > 0.9
    for split in ("development", "official"):
        score = dataset.split(split).score
        inside = crisis[: len(panel.until(score.last).dates)][panel.position(score.first) :]
        assert 0.2 < inside.mean() < 0.8


def test_stylised_facts() -> None:
    dataset, panel = simulated()
    vol = np.sqrt(truth(panel).mean(axis=0))
    assert vol.min() > 0.008 and vol.max() < 0.025
    returns, log_var = panel.returns[1:], np.log(truth(panel))
    market = panel.symbols.index(str(dataset.market))
    others = [j for j in range(len(panel.symbols)) if j != market]
    with_market = np.corrcoef(returns.T)[market, others]
    assert with_market.min() > 0.3 and with_market.max() < 0.9, "a common factor"
    assert np.corrcoef(returns[:-1, market], log_var[2:, market] - log_var[1:-1, market])[0, 1] < -0.2, "leverage"
    assert all(np.corrcoef(log_var[1:, j], log_var[:-1, j])[0, 1] > 0.7 for j in others), "persistence"
    centred = returns - returns.mean(axis=0)
    assert ((centred**4).mean(axis=0) / returns.var(axis=0) ** 2 > 4).all(), "fat tails"
    night = np.log(panel.open[1:] / panel.close[:-1])
    share = night.var(axis=0) / returns.var(axis=0)
    assert share.min() > 0.15 and share.max() < 0.45


def test_the_index_forecasts_the_market() -> None:
    """Its square is on average the mean variance of the next 21 sessions, nights included, times the premium."""
    dataset, panel = simulated()
    market = panel.symbols.index(str(dataset.market))
    squared = panel.returns[1:, market] ** 2
    coming = np.convolve(squared, np.ones(21) / 21, mode="valid")
    implied = index(panel)[: len(coming)] ** 2 / 1e4 / 252
    assert implied.mean() / coming.mean() == pytest.approx(1.25, rel=0.12)
    assert np.corrcoef(np.log(implied), np.log(coming))[0, 1] > 0.6


def test_more_sessions_change_no_earlier_bar_and_another_seed_all() -> None:
    dataset, panel = simulated()
    dates = read_sessions(dataset, "sessions.txt")
    bars, vix, true_var = simulate(dates[:300], dataset.symbols, "MKT", 1)
    assert np.array_equal(vix, index(panel)[:300]) and np.array_equal(true_var, truth(panel)[:300])
    opening = bars.pivot(index="date", columns="symbol", values="open").to_numpy()
    assert np.array_equal(opening, panel.open[:300])
    assert not np.array_equal(simulate(dates[:300], dataset.symbols, "MKT", 2)[1], vix)


def test_warm_up_cuts_the_truth_with_the_bars() -> None:
    dataset, panel = simulated()
    later = dataset.model_copy(update={"warmup_from": dataset.splits["official"].fit.first})
    cut = load_panel(later)
    assert np.array_equal(truth(cut), truth(panel)[-len(cut.dates) :]) and len(cut.dates) < len(panel.dates)


def test_a_step_ends_where_its_bridge_does_and_reaches_beyond() -> None:
    rng = np.random.default_rng(5)
    step_var = np.broadcast_to(1e-4 * u_shape(), (20_000, STEPS))
    moves = np.sqrt(step_var) * rng.standard_normal(step_var.shape)
    path = intraday(rng, moves, step_var)
    ends = np.cumsum(moves, axis=1)
    assert np.array_equal(path.close, ends[:, -1])
    assert (path.high > np.maximum(ends.max(axis=1), 0)).all() and (path.low < np.minimum(ends.min(axis=1), 0)).all()
    # The maximum of Brownian motion over the session is |N(0, V)|: mean sqrt(2 V / pi).
    assert path.high.mean() == pytest.approx(math.sqrt(2e-4 / math.pi), rel=0.015)
    assert path.low.mean() == pytest.approx(-math.sqrt(2e-4 / math.pi), rel=0.015)


def test_weights_of_the_session() -> None:
    weights = u_shape()
    assert math.fsum(weights) == pytest.approx(1, abs=1e-15)
    assert np.allclose(weights, weights[::-1]) and weights.argmin() in (STEPS // 2 - 1, STEPS // 2)


@pytest.mark.parametrize("digits", [6, 10])
def test_rounding_to_significant_digits(digits: int) -> None:
    values = np.exp(np.random.default_rng(0).uniform(-12, 12, 2000))
    assert _digits(values, digits).tolist() == [float(f"{value:.{digits - 1}e}") for value in values]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is no list of days"),
        ("", "is empty"),
        ("2009-01-02\nsoon\n", "is no list of days such as 2010-01-04"),
        ("2009-01-05\n2009-01-02\n", "2009-01-02 follows 2009-01-05; sort the days"),
    ],
)
def test_a_broken_list_of_sessions(content: str | None, message: str, tmp_path: Path) -> None:
    dataset = simulated()[0].model_copy(update={"folder": tmp_path})
    if content is not None:
        (tmp_path / "sessions.txt").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=f"simulated: .*sessions.txt.*{message}"):
        load_panel(dataset)


def test_a_model_without_market_or_with_a_negative_seed() -> None:
    dataset = simulated()[0]
    with pytest.raises(DataError, match="simulated: a simulated dataset needs a market; name one"):
        load_panel(dataset.model_copy(update={"market": None}))
    negative = dataset.model_copy(update={"source": dataset.source.model_copy(update={"seed": -1})})
    with pytest.raises(DataError, match=r"simulated: source.seed is -1; write a seed of 0 or more"):
        load_panel(negative)


def test_truth_is_no_part_of_the_identity() -> None:
    _, panel = simulated()
    assert replace(panel, true_var=None).identity() == panel.identity()

"""Daily variance measures: answers by hand, and what holds for every sound bar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bench.plugin.measures import MEASURES, NOISE_FLOOR, close_to_close, log_returns

LN2 = np.log(2.0)
# Two sessions in logs: open 0, high .03, low -.02, close .01; then open .02 (gap .01), high .02, low -.01, close 0.
LOG_BARS = np.array([[0.0, 0.03, -0.02, 0.01], [0.02, 0.02, -0.01, 0.0]])
BY_HAND = {
    "close-to-close": [np.nan, 0.01**2],
    "parkinson": [0.05**2 / (4 * LN2), 0.03**2 / (4 * LN2)],
    "garman-klass": [0.5 * 0.05**2 - (2 * LN2 - 1) * 0.01**2, 0.5 * 0.03**2 - (2 * LN2 - 1) * 0.02**2],
    "rogers-satchell": [0.03 * 0.02 + 0.02 * 0.03, 0.0 * 0.02 + 0.03 * 0.01],
    "garman-klass-overnight": [np.nan, 0.01**2 + 0.5 * 0.03**2 - (2 * LN2 - 1) * 0.02**2],
}


@st.composite
def sound_bars(draw):
    """Log prices (open, high, low, close) of consecutive sessions with high and low around open and close."""
    count = draw(st.integers(2, 6))
    bars = []
    for _ in range(count):
        open_, close = draw(st.floats(-0.1, 0.1)), draw(st.floats(-0.1, 0.1))
        high, low = draw(st.floats(0, 0.1)), draw(st.floats(0, 0.1))
        bars.append((open_, max(open_, close) + high, min(open_, close) - low, close))
    return np.array(bars)


def prices(log_bars: np.ndarray) -> list[np.ndarray]:
    return list(np.exp(log_bars).T)


def test_every_measure_has_an_answer_by_hand():
    assert set(BY_HAND) == set(MEASURES)


@pytest.mark.parametrize("name", MEASURES)
def test_by_hand(name):
    assert_allclose(MEASURES[name](*prices(LOG_BARS)), BY_HAND[name], rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("name", MEASURES)
def test_symbols_side_by_side_give_the_same_as_one_by_one(name):
    panel = [np.stack([p, p[::-1]], axis=1) for p in prices(LOG_BARS)]
    both = MEASURES[name](*panel)
    assert both.shape == (2, 2)
    assert_allclose(both[:, 0], BY_HAND[name], rtol=1e-12)


@pytest.mark.parametrize("name", MEASURES)
@given(bars=sound_bars(), factor=st.floats(1e-3, 1e3))
def test_a_common_price_factor_changes_nothing(name, bars, factor):
    plain = MEASURES[name](*prices(bars))
    scaled = MEASURES[name](*[factor * p for p in prices(bars)])
    assert_allclose(scaled, plain, rtol=1e-9, atol=1e-13)


@given(bars=sound_bars())
def test_no_measure_is_negative_on_sound_bars(bars):
    for name, measure in MEASURES.items():
        values = measure(*prices(bars))
        assert (values[~np.isnan(values)] >= -1e-16).all(), name


@given(bars=sound_bars())
def test_garman_klass_is_zero_only_where_the_range_is(bars):
    gk = MEASURES["garman-klass"](*prices(bars))
    span = bars[:, 1] - bars[:, 2]
    # |c| <= u - d, so GK >= (0.5 - (2 ln 2 - 1)) (u - d)^2 = .1137 (u - d)^2.
    assert (gk >= 0.11 * span**2 - 1e-16).all()
    assert (gk[span > 1e-6] > 0).all()


def test_a_bar_without_range_has_no_variance():
    flat = [np.full(3, 17.23)] * 4
    for name in ("parkinson", "garman-klass", "rogers-satchell"):
        assert MEASURES[name](*flat).tolist() == [0.0, 0.0, 0.0]


@given(bars=sound_bars())
def test_overnight_adds_the_squared_gap_and_nothing_else(bars):
    gap = bars[1:, 0] - bars[:-1, 3]
    whole, session = (MEASURES[name](*prices(bars)) for name in ("garman-klass-overnight", "garman-klass"))
    assert np.isnan(whole[0])
    assert_allclose(whole[1:] - session[1:], gap**2, rtol=1e-6, atol=1e-15)


def test_measures_are_right_on_average_for_a_driftless_random_walk():
    rng = np.random.default_rng(1)
    steps = 0.01 / np.sqrt(2000) * rng.standard_normal((1500, 2000))
    path = np.cumsum(steps, axis=1)
    bars = np.stack([np.zeros(1500), path.max(axis=1).clip(0), path.min(axis=1).clip(max=0), path[:, -1]])
    for name in ("parkinson", "garman-klass", "rogers-satchell"):
        # The discrete path misses a little of the range (about 5 % of the variance at 2000 steps).
        assert 0.90 < MEASURES[name](*np.exp(bars)).mean() / 1e-4 < 1.03, name


def test_log_returns_start_with_the_second_session():
    returns = log_returns(np.exp([0.0, 0.01, -0.01]))
    assert_allclose(returns, [np.nan, 0.01, -0.02], atol=1e-15)


def test_noise_floors_are_what_a_perfect_forecast_of_a_brownian_motion_scores():
    """With the extremes of the bridge inside every step, so that the path is continuous."""
    rng = np.random.default_rng(1)
    n, steps = 60_000, 40
    moves = rng.normal(0, 0.01 / np.sqrt(steps), (n, steps))
    after = np.cumsum(moves, axis=1)
    before, spread = after - moves, 2 * 0.01**2 / steps
    up = np.sqrt(moves**2 - spread * np.log(1 - rng.random((n, steps))))
    down = np.sqrt(moves**2 - spread * np.log(1 - rng.random((n, steps))))
    high = np.exp(((before + after + up) / 2).max(axis=1))
    low = np.exp(((before + after - down) / 2).min(axis=1))
    close = np.exp(after[:, -1])
    for name, floor in NOISE_FLOOR.items():
        value = (
            close_to_close(None, None, None, np.stack([np.ones(n), close]))[1]
            if name == "close-to-close"
            else (MEASURES[name](np.ones(n), high, low, close))
        )
        score = -np.log(value / 0.01**2).mean()
        assert score == pytest.approx(floor, abs=0.03 if name == "close-to-close" else 0.006), name

"""Losses by hand, what they are invariant to, and what is left out of an average."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from bench.stats import losses

positive_vars = st.floats(1e-8, 1e-1)


def test_losses_of_one_cell_by_hand():
    y, f = 4e-4, 1e-4  # 2 % and 1 % a day: 31.75 % and 15.87 % a year
    assert_allclose(losses.qlike(y, f), 4.0 - math.log(4.0) - 1.0, rtol=1e-14)
    assert_allclose(losses.squared_error_var(y, f), 9.0, rtol=1e-12)  # (4 - 1)^2 in (percent^2)^2
    assert_allclose(losses.squared_error_vol(y, f), 252.0, rtol=1e-12)  # (sqrt(252) (2 - 1))^2
    assert_allclose(losses.absolute_error_vol(y, f), math.sqrt(252), rtol=1e-12)
    assert_allclose(losses.annualised_vol(4e-4), 2 * math.sqrt(252), rtol=1e-12)


@given(positive_vars, positive_vars, st.floats(1e-3, 1e3))
def test_qlike_has_no_unit_and_its_minimum_at_the_target(y, f, unit):
    loss = losses.qlike(y, f)
    assert losses.qlike(y, y) == 0
    assert loss >= 0
    assert_allclose(losses.qlike(unit * y, unit * f), loss, rtol=1e-6, atol=1e-12)


@given(positive_vars, st.floats(1.01, 10))
def test_qlike_charges_more_for_too_low_than_for_too_high(y, factor):
    assert losses.qlike(y, y / factor) > losses.qlike(y, y * factor) > 0


@given(st.lists(positive_vars, min_size=2, max_size=20))
def test_both_robust_losses_are_least_at_the_mean_of_the_targets(targets):
    y = np.array(targets)
    for loss in (losses.qlike, losses.squared_error_var):
        at_mean = loss(y, np.full_like(y, y.mean())).mean()
        for factor in (0.9, 1.1):
            assert loss(y, np.full_like(y, factor * y.mean())).mean() >= at_mean


def test_a_zero_target_has_no_qlike_but_a_squared_error_and_is_counted():
    y, f = np.array([[0.0, 1e-4]]), np.array([[1e-4, 1e-4]])
    assert_allclose(losses.qlike(y, f), [[np.nan, 0.0]])
    assert_allclose(losses.squared_error_var(y, f), [[1.0, 0.0]])
    assert losses.zero_targets(y) == 1


def test_an_unknown_target_has_no_loss_at_all():
    for loss in (losses.qlike, losses.squared_error_var, losses.squared_error_vol, losses.absolute_error_vol):
        assert np.isnan(loss([np.nan], [1e-4])).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1e-4])
def test_a_forecast_without_a_loss_is_refused_and_located(bad):
    forecast = np.full((3, 2), 1e-4)
    forecast[2, 1] = bad
    with pytest.raises(ValueError, match=r"1 cells, first at \(2, 1\)"):
        losses.qlike(np.full((3, 2), 1e-4), forecast)


def test_unsound_targets_and_shapes_are_refused():
    with pytest.raises(ValueError, match="negative"):
        losses.qlike([-1e-4], [1e-4])
    with pytest.raises(ValueError, match="shape"):
        losses.qlike([1e-4], [1e-4, 1e-4])
    with pytest.raises(ValueError, match="shape"):
        losses.direction_hits([1e-4], [1e-4], [[1e-4]])
    with pytest.raises(ValueError, match="symbols"):
        losses.wins([1.0, 2.0], [1.0])


def test_averages_go_over_days_first():
    loss = np.array([[1.0, 10.0, np.nan], [3.0, np.nan, np.nan], [5.0, np.nan, np.nan]])
    assert_allclose(losses.mean_by_symbol(loss), [3.0, 10.0, np.nan])
    assert losses.panel_average(loss) == 6.5  # not 4.75, the mean of the four cells
    assert_allclose(losses.root_mean_square(loss), math.sqrt(6.5))
    assert np.isnan(losses.panel_average(np.full((2, 2), np.nan)))


def test_a_regime_is_a_selection_of_rows_and_leading_axes_pass_through():
    loss = np.arange(12.0).reshape(4, 3)
    crisis = np.array([True, False, False, True])
    assert losses.panel_average(loss[crisis]) == np.mean([0, 1, 2, 9, 10, 11])
    seeds = np.stack([loss, 2 * loss])
    assert_allclose(losses.panel_average(seeds), [5.5, 11.0])
    assert np.isnan(losses.panel_average(loss[np.zeros(4, dtype=bool)]))


def test_forecasts_of_several_seeds_share_one_target():
    y, f = np.full((4, 3), 2e-4), np.stack([np.full((4, 3), 2e-4), np.full((4, 3), 1e-4)])
    assert_allclose(losses.panel_average(losses.squared_error_var(y, f)), [0.0, 1.0])


def test_skill_is_one_less_the_geometric_mean_of_ratios():
    assert_allclose(losses.skill([0.2, 0.3], [0.4, 0.3]), 1 - math.sqrt(0.5))
    assert_allclose(losses.skill([0.2, np.nan], [0.4, 0.3]), 0.5)
    assert losses.skill([0.0, 0.0], [0.0, 0.0]) == 0
    assert losses.skill([0.0, 0.3], [0.4, 0.3]) == 1
    assert losses.skill([0.1, 0.3], [0.0, 0.3]) == -np.inf
    draws = losses.skill(np.array([[0.2, 0.2], [0.4, 0.4]]), np.array([0.4, 0.4]))
    assert_allclose(draws, [0.5, 0.0])


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=8), st.floats(0.1, 10))
def test_skill_does_not_depend_on_which_symbol_is_large(symbol_loss, factor):
    loss = np.array(symbol_loss)
    reference = loss[::-1]
    assert_allclose(losses.skill(loss, reference), 0.0, atol=1e-12)
    assert_allclose(losses.skill(factor * loss, loss), 1 - factor, rtol=1e-9, atol=1e-12)


def test_wins_counts_symbols_and_a_tie_is_none():
    assert losses.wins([0.1, 0.2, 0.3, np.nan], [0.2, 0.2, 0.2, 0.2]) == 1


def test_r_squared_is_by_symbol_against_a_forecast():
    y = np.array([[1e-4, 2e-4], [3e-4, 2e-4]])
    reference = np.array([[2e-4, 1e-4], [2e-4, 1e-4]])
    forecast = np.array([[1e-4, 2e-4], [2e-4, 3e-4]])
    # symbol 1: errors 0, 1 against 1, 1; symbol 2: errors 0, 1 against 1, 1
    assert_allclose(losses.r_squared(y, forecast, reference), 0.5)
    assert losses.r_squared(y, reference, reference) == 0
    assert_allclose(losses.r_squared(y, y, reference), 1.0)


def test_bias_is_a_ratio_of_means_over_the_cells_with_a_target():
    y = np.array([[1e-4, 2e-4], [3e-4, np.nan]])
    f = np.array([[4e-4, 1e-4], [4e-4, 9e-4]])
    assert_allclose(losses.bias(y, f), 1.0)  # 2 and 1/2
    assert_allclose(losses.bias(y, 2 * f), 2.0)


def test_direction_by_hand():
    b = np.full((1, 6), 2.0)
    y = np.array([[3.0, 3.0, 1.0, 1.0, 2.0, 3.0]])
    f = np.array([[2.5, 1.5, 1.5, 2.5, 2.5, 2.0]])
    # up/up, up/down, down/down, down/up, a realised tie, and a forecast that calls nothing: a miss
    assert_allclose(losses.direction_hits(y, f, b), [[1, 0, 1, 0, np.nan, 0]])


def test_cells_without_target_or_latest_value_are_left_out():
    hits = losses.direction_hits([np.nan, 3.0, 3.0], [2.5, 2.5, 2.5], [2.0, np.nan, 2.0])
    assert_allclose(hits, [np.nan, np.nan, 1.0])


def test_the_random_walk_has_no_direction_even_where_a_zero_was_replaced():
    rng = np.random.default_rng(1)
    b = rng.chisquare(1, (50, 3)) * 1e-4
    y = rng.chisquare(1, (50, 3)) * 1e-4
    assert np.isnan(losses.direction_hits(y, b, b)).all()
    assert np.isnan(losses.direction_hits(y, b * (1 + 1e-15), b)).all()  # by rounding only
    latest = b.copy()
    latest[:5, 0] = 0.0
    assert np.isnan(losses.direction_hits(y, b, latest)).all()


def test_a_constant_forecast_hits_far_more_than_half_because_volatility_reverts():
    rng = np.random.default_rng(1)
    g = rng.chisquare(3, (4000, 1)) * 1e-4
    hits = losses.direction_hits(g[1:], np.full((3999, 1), 3e-4), g[:-1])
    assert 0.70 < losses.panel_average(hits) < 0.80  # independent days: 3/4

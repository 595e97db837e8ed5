"""Rank sets, the range statistic, cosine intervals, log regressions, utility: known answers, properties, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import MCS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bench.stats import (
    cosine_mean_intervals,
    cosine_skill_intervals,
    encompassing_weights,
    equal_weighted_cosine,
    log_calibration,
    model_confidence_set,
    rank_sets,
    realized_utility,
    set_sensitivity,
    utility_intervals,
)
from bench.stats.ranks import CHUNK

DRAWS = 400


def daily(k: int = 5, n: int = 300, seed: int = 1) -> np.ndarray:
    """Daily losses `(n, k)` with a common and lasting part, and means that differ a little."""
    rng = np.random.default_rng(seed)
    common = np.convolve(rng.chisquare(2, n + 4), np.ones(5) / 5, "valid")[:, None]
    return common + rng.chisquare(2, (n, k)) * np.linspace(0.2, 0.3, k)


def sets(losses: np.ndarray, **options) -> list[tuple[int, int]]:
    result = rank_sets(losses, **{"draws": DRAWS, **options})
    return [(int(low), int(high)) for low, high in zip(result.low, result.high, strict=True)]


# Rank sets


@pytest.mark.parametrize("errors", ["bootstrap", "cosine"])
def test_rank_sets_of_a_case_that_can_be_read_off(errors):
    """The second is the first plus a constant, so worse for certain; the third is too noisy to be placed."""
    first = daily(1)[:, 0]
    noisy = first + 10 * np.random.default_rng(3).standard_normal(300)
    assert sets(np.column_stack([first, first + 0.1, noisy]), errors=errors) == [(1, 2), (2, 3), (1, 3)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(6)), st.sampled_from([1e-8, 1.0, 1e6]))
def test_rank_sets_follow_their_columns_and_have_no_unit(seed, order, unit):
    losses = daily(6, 120, seed) + 0.03 * np.arange(6)
    expected = sets(losses)
    assert sets(unit * losses[:, order]) == [expected[i] for i in order]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(6)), st.sampled_from(["bootstrap", "cosine"]))
def test_entries_that_are_far_apart_have_one_rank_each(seed, order, errors):
    losses = daily(6, 120, seed) + 50.0 * np.array(order)
    assert sets(losses, errors=errors) == [(rank + 1, rank + 1) for rank in order]


@pytest.mark.parametrize("errors", ["bootstrap", "cosine"])
def test_equal_entries_have_every_rank_and_twins_the_same_one(errors):
    losses = daily(4)
    assert sets(np.column_stack([losses[:, 0]] * 3), errors=errors) == [(1, 3)] * 3
    twins = np.column_stack([losses, losses[:, 0], np.nextafter(losses[:, 1], 9)])
    found = sets(twins + 99.0 * (np.arange(6) == 3), errors=errors)
    assert (found[4], found[5]) == (found[0], found[1])
    assert found[3] == (6, 6)


def test_a_higher_confidence_gives_wider_sets():
    losses = daily(8, 300) + 0.02 * np.arange(8)
    narrow, wide = (rank_sets(losses, confidence=c, draws=DRAWS) for c in (0.5, 0.99))
    assert narrow.critical < wide.critical
    assert (wide.low <= narrow.low).all()
    assert (wide.high >= narrow.high).all()
    assert (narrow.high - narrow.low).sum() < (wide.high - wide.low).sum()


def test_the_step_down_counts_more_than_one_step():
    """Far apart pairs are found first; without them the others need a smaller difference."""
    losses = daily(6) + np.array([0, 0.055, 5, 10, 15, 20])
    together = rank_sets(losses, draws=DRAWS)
    rest = rank_sets(losses[:, :2], draws=DRAWS)
    assert rest.critical <= together.critical < rank_sets(daily(6), draws=DRAWS).critical
    assert [(int(x), int(y)) for x, y in zip(together.low, together.high, strict=True)][2:] == [
        (3, 3), (4, 4), (5, 5), (6, 6)
    ]  # fmt: skip


@pytest.mark.parametrize("draws", [CHUNK - 1, CHUNK, CHUNK + 1])
def test_draws_in_pieces_are_all_counted(draws):
    losses = daily(3)
    result = rank_sets(losses, draws=draws, confidence=1 - 1e-9)
    assert result.draws == draws
    assert math.isfinite(result.critical)
    assert result.critical >= rank_sets(losses, draws=CHUNK - 1, confidence=1 - 1e-9).critical


@pytest.mark.parametrize(("horizon", "one_side", "both_sides"), [(1, 1.336757, 1.745884), (21, 1.396815, 1.859548)])
def test_two_entries_are_told_apart_by_the_cosine_test_of_the_pair(horizon, one_side, both_sides):
    """Of two columns the critical value is a quantile of t(nu); once one order is rejected, the other is left."""
    options = {"horizon": horizon, "draws": 20_000, "errors": "cosine"}
    equal, apart = np.random.default_rng(4).chisquare(2, (800, 2)), daily(2, 800) + np.array([0, 1])
    assert rank_sets(equal, **options).critical == pytest.approx(both_sides, rel=0.02)
    assert rank_sets(apart, **options).critical == pytest.approx(one_side, rel=0.02)


def test_cosine_sets_do_not_depend_on_order_or_unit():
    losses = daily(6) + 0.03 * np.arange(6)
    order = [3, 1, 5, 0, 2, 4]
    expected = sets(losses, errors="cosine")
    assert sets(1e-8 * losses[:, order], errors="cosine") == [expected[i] for i in order]


@pytest.mark.parametrize(("n", "horizon"), [(10, 21), (0, 1), (1, 1)])
def test_rank_sets_of_too_few_sessions_are_all_ranks(n, horizon):
    result = rank_sets(daily()[:n], horizon)
    assert (result.low == 1).all()
    assert (result.high == 5).all()
    assert "no bootstrap" in result.note
    assert math.isnan(result.critical)


def test_rank_sets_of_bad_input():
    assert sets(daily(1)) == [(1, 1)]
    with pytest.raises(ValueError, match="confidence is 90"):
        rank_sets(daily(), confidence=90)
    with pytest.raises(ValueError, match="nan at row 3"):
        rank_sets(np.where(np.arange(300)[:, None] == 3, np.nan, daily()))
    with pytest.raises(ValueError, match="horizon is 0"):
        rank_sets(daily(), 0)
    with pytest.raises(ValueError, match="'ewc': one of bootstrap, cosine"):
        rank_sets(daily(), errors="ewc")
    assert "too few" in rank_sets(daily()[:10], 21, errors="cosine").note


# Range statistic and sensitivity


@pytest.mark.parametrize(("k", "n", "horizon"), [(2, 100, 1), (5, 300, 1), (12, 300, 5), (30, 300, 21)])
def test_range_set_is_that_of_arch(k, n, horizon):
    losses = daily(k, n, seed=k)
    result = model_confidence_set(losses, horizon, draws=DRAWS, statistic="range")
    test = MCS(losses, 0.1, reps=DRAWS, block_size=result.block, method="R", bootstrap="stationary", seed=1)
    test.compute()
    assert_allclose(result.p_value, test.pvalues.Pvalue.sort_index(), atol=1e-12)
    assert np.ptp(result.p_value) > 0


def test_range_set_of_twins_and_of_an_unknown_statistic():
    losses = daily(4)
    p = model_confidence_set(losses, draws=DRAWS, statistic="range").p_value
    doubled = np.column_stack([losses, losses[:, 2], losses[:, 2] + 0.01])
    assert_array_equal(model_confidence_set(doubled, draws=DRAWS, statistic="range").p_value, [*p, p[2], 0])
    with pytest.raises(ValueError, match="'R': one of max, range"):
        model_confidence_set(losses, statistic="R")


def test_sensitivity_compares_parts_of_the_columns():
    losses = daily(5)
    naive = np.arange(5) == 4
    found = set_sensitivity(losses, naive, ["a", "b", "a", "b", "c"], draws=DRAWS)
    assert_array_equal(found["all"].p_value, model_confidence_set(losses, draws=DRAWS).p_value)
    without = model_confidence_set(losses[:, :4], draws=DRAWS)
    assert_array_equal(found["without naive"].p_value, [*without.p_value, np.nan])
    best = found["one of each family"].p_value
    means = losses.mean(axis=0)
    assert np.isnan(best[0]) == (means[0] > means[2])
    assert np.isfinite(best).sum() == 3
    assert not found["without naive"].included[4]
    assert "without naive" not in set_sensitivity(losses, np.ones(5), ["a"] * 5, draws=DRAWS)
    with pytest.raises(ValueError, match="one value for each of 5"):
        set_sensitivity(losses, naive[:4], ["a"] * 5)


# Intervals


def panels(k: int = 3, n: int = 300, symbols: int = 4) -> np.ndarray:
    return np.random.default_rng(1).chisquare(2, (k, n, symbols)) * np.linspace(1, 1.1, k)[:, None, None]


def test_skill_intervals_of_missing_cells_follow_the_means_that_are_left():
    """The error is the derivative of the skill by the weight of each day, which is changed here one by one."""
    losses = panels(2, 60)
    losses[:, 5, 1] = losses[:, 8] = losses[:, 20:50, 3] = np.nan
    result = cosine_skill_intervals(losses, losses[1])
    kept = np.delete(losses, 8, axis=1)
    n = kept.shape[1]

    def theta(weights: np.ndarray) -> float:
        means = [np.nansum(w[:, None] * x, axis=0) / (w[:, None] * ~np.isnan(x)).sum(axis=0)
                 for x, w in ((kept[0], weights), (kept[1], weights))]  # fmt: skip
        return float(np.log(means[0] / means[1]).mean())

    day = np.eye(n)
    influence = np.array([n * (theta(1 + 1e-6 * day[t]) - theta(1 - 1e-6 * day[t])) / 2e-6 for t in range(n)])
    error = equal_weighted_cosine(influence, np.zeros(n)).standard_error
    half = np.log((1 - result.low[0]) / (1 - result.high[0])) / 2
    assert_allclose(half, 1.745884 * error, rtol=1e-5)  # t(16), 95 %
    assert_allclose(1 - np.exp(theta(np.ones(n))), result.estimate[0], rtol=1e-12)
    assert (result.n, result.df) == (n, 16)


def test_skill_of_nothing_to_lose():
    losses = panels(2)
    losses[:, :, 0] = 0.0
    result = cosine_skill_intervals(losses, losses[1])
    assert (result.low[1], result.estimate[1], result.high[1]) == (0, 0, 0)
    assert result.low[0] < result.estimate[0] < result.high[0]
    perfect = cosine_skill_intervals(np.zeros((1, 300, 4)), panels(1)[0])
    assert (perfect.low[0], perfect.estimate[0], perfect.high[0]) == (1, 1, 1)


def test_mean_intervals_agree_with_the_test():
    losses = daily(3)
    one = equal_weighted_cosine(losses[:, 1], losses[:, 0])
    for confidence in (1 - one.p_value - 1e-6, 1 - one.p_value + 1e-6):
        result = cosine_mean_intervals(losses, losses[:, 0], confidence=confidence)
        assert (result.low[1] <= 0 <= result.high[1]) == (confidence > 1 - one.p_value)
    assert_allclose(result.estimate[1], one.mean_difference)


def test_intervals_that_cannot_be_made():
    losses = panels(2, 10)
    short = daily(2, 10)
    for result in (
        cosine_skill_intervals(losses, losses[0], 21),
        cosine_mean_intervals(short, short[:, 0], 21),
        cosine_mean_intervals(np.empty((0, 1)), np.empty(0)),
    ):
        assert np.isnan(result.low).all()
        assert np.isnan(result.high).all()
        assert "too few" in result.note
    with pytest.raises(ValueError, match="same cells"):
        cosine_skill_intervals(losses, np.where(losses[0] > 1, np.nan, losses[0]))
    with pytest.raises(ValueError, match="confidence is 90"):
        cosine_mean_intervals(short, short[:, 0], confidence=90)
    with pytest.raises(ValueError, match="10 sessions, daily_reference 9"):
        cosine_mean_intervals(short, short[:9, 0])


# Utility


def test_utility_of_known_forecasts():
    assert realized_utility([[1e-4]], [[1e-4]]).item() == pytest.approx(400)
    assert realized_utility([[4.0]], [[1.0]]).item() == pytest.approx(0)  # twice the volatility wanted: all lost
    assert realized_utility([[1.0]], [[1.0]], sharpe_ratio=0.8, risk_aversion=4).item() == pytest.approx(800)
    assert np.isnan(realized_utility([[np.nan]], [[1.0]])).all()
    with pytest.raises(ValueError, match="must be positive"):
        realized_utility([[1.0]], [[1.0]], risk_aversion=0)


@given(st.floats(1e-6, 1e-2), st.floats(0.05, 20).filter(lambda x: abs(x - 1) > 1e-3))
def test_no_forecast_is_worth_more_than_the_right_one(variance, factor):
    worth = realized_utility([[variance, variance]], [[variance, factor * variance]])[0]
    assert worth[0] > worth[1]


def test_utility_intervals_are_of_the_daily_means():
    rng = np.random.default_rng(1)
    target = rng.chisquare(4, (200, 3))
    forecasts = rng.chisquare(40, (2, 200, 3)) / 10
    target[3, 1] = np.nan
    result = utility_intervals(target, forecasts, forecasts[1], horizon=5)
    d = np.nanmean(realized_utility(target, forecasts[0]) - realized_utility(target, forecasts[1]), axis=1)
    one = equal_weighted_cosine(d, np.zeros(200), horizon=5)
    assert_allclose(result.estimate, [one.mean_difference, 0], atol=1e-12)
    assert_allclose(result.high[0] - result.low[0], 2 * 1.745884 * one.standard_error, rtol=1e-6)


# Regressions in logs


def test_slopes_of_one_symbol_are_those_of_the_single_series_in_logs():
    rng = np.random.default_rng(1)
    f = np.exp(rng.normal(-9, 0.5, (300, 1)))
    y = f**0.7 * rng.chisquare(8, (300, 1)) / 8
    slope, _ = np.polyfit(np.log(f[:, 0]), np.log(y[:, 0]), 1)
    assert_allclose(log_calibration(y, f[None]).slope, slope, rtol=1e-9)


def test_cells_without_a_target_have_no_part_in_a_slope():
    rng = np.random.default_rng(1)
    f = np.exp(rng.normal(-9, 0.5, (300, 3)))
    y = f * rng.chisquare(8, (300, 3)) / 8
    usual = log_calibration(y[:-1], f[None, :-1])
    y[-1] = np.nan
    with_gap = log_calibration(y, f[None])
    assert_array_equal(with_gap.slope, usual.slope)
    assert_array_equal(with_gap.p_value, usual.p_value)
    y[-2, 0] = 0.0
    y[:, 2] = np.nan
    assert np.isfinite(log_calibration(y, f[None]).p_value).all()
    assert log_calibration(y, f[None]).n == 299


def test_a_combination_has_the_weights_that_made_it():
    rng = np.random.default_rng(1)
    a, b = np.exp(rng.normal(-9, 0.5, (2, 300, 3)))
    exact = encompassing_weights(a**0.75 * b**0.25, a, [b, a])
    assert_allclose(exact.slope[0], 0.25, rtol=1e-9)
    assert exact.p_value[0] < 1e-12
    assert np.isnan([exact.slope[1], exact.standard_error[1], exact.p_value[1]]).all()
    perfect = log_calibration(a, [a])
    assert_allclose(perfect.slope, 1)
    assert perfect.p_value[0] == 1.0


def test_slopes_that_cannot_be_tested():
    f = np.exp(np.random.default_rng(1).normal(-9, 0.5, (30, 2)))
    result = log_calibration(f, [f, np.full_like(f, 1e-4)], 21)
    assert np.isnan(result.slope).all()
    assert "too few" in result.note
    assert np.isnan(log_calibration(f, [np.full_like(f, 1e-4)]).slope).all()
    for wrong in ([0 * f], [np.where(f > f.mean(), np.inf, f)]):
        with pytest.raises(ValueError, match="finite and positive"):
            log_calibration(f, wrong)
    with pytest.raises(ValueError, match="k, n, symbols"):
        log_calibration(f, f)
    with pytest.raises(ValueError, match="leader_var has shape"):
        encompassing_weights(f, f[:-1], [f])

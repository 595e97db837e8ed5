"""Many entries at once against the tests one by one, arch and statsmodels; degenerate input."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from arch.bootstrap import MCS, SPA, StationaryBootstrap
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from statsmodels.stats.multitest import multipletests

from bench.stats import (
    daily_mean_losses,
    day_weights,
    diebold_mariano,
    equal_weighted_cosine,
    holm,
    long_run_variance,
    mean_block,
    model_confidence_set,
    pairwise_diebold_mariano,
    pairwise_equal_weighted_cosine,
    pairwise_test,
    panel_test,
    skill_intervals,
    smallest_resolvable_gap,
    superior_predictive_ability,
    symbol_tests,
    tiers,
)

DRAWS = 400


@pytest.fixture(scope="module", autouse=True)
def _little_garbage():
    """Statsmodels collects garbage in every call, which takes long where much is loaded that is no garbage."""
    gc.freeze()
    yield
    gc.unfreeze()


def panels(k: int = 5, n: int = 300, symbols: int = 4, seed: int = 1) -> np.ndarray:
    """Losses `(k, n, symbols)` with common and persistent parts."""
    rng = np.random.default_rng(seed)
    common = np.convolve(rng.chisquare(2, n + 4), np.ones(5) / 5, "valid")[:, None]
    return common + rng.chisquare(2, (k, n, symbols)) * np.linspace(0.2, 0.3, k)[:, None, None]


def daily(k: int = 5, n: int = 300, seed: int = 1) -> np.ndarray:
    return daily_mean_losses(panels(k, n, seed=seed))


# Daily means


def test_daily_means_leave_out_what_is_nan_for_all():
    losses = panels(3, 20)
    losses[:, 4, 1] = np.nan
    losses[:, 7] = np.nan
    means = daily_mean_losses(losses)
    assert means.shape == (19, 3)
    assert_allclose(means[4], losses[:, 4, [0, 2, 3]].mean(axis=1))
    test = panel_test(losses[0], losses[1])
    assert_allclose(pairwise_test(means).statistic[0, 1], test.statistic, rtol=1e-10)


@pytest.mark.parametrize(
    ("value", "message"), [(math.nan, "entry 1 at row 2, symbol 3 is NaN for one"), (math.inf, "symbol 3 is infinite")]
)
def test_daily_means_of_different_cells_are_refused(value, message):
    losses = panels(3, 20)
    losses[1, 2, 3] = value
    with pytest.raises(ValueError, match=message):
        daily_mean_losses(losses)
    with pytest.raises(ValueError, match="shape"):
        daily_mean_losses(losses[0])


# Pairwise


@pytest.mark.parametrize("horizon", [1, 5, 21])
def test_pairwise_equals_one_by_one(horizon):
    losses = daily(8)
    bartlett = pairwise_diebold_mariano(losses, horizon)
    cosine = pairwise_equal_weighted_cosine(losses, horizon)
    for i in range(8):
        for j in range(8):
            one = diebold_mariano(losses[:, i], losses[:, j], horizon=horizon)
            other = equal_weighted_cosine(losses[:, i], losses[:, j], horizon=horizon)
            for together, single in ((bartlett, one), (cosine, other)):
                for name in ("statistic", "p_value", "mean_difference", "standard_error"):
                    assert_allclose(
                        getattr(together, name)[i, j], getattr(single, name), rtol=1e-10, atol=1e-13, err_msg=name
                    )
            assert (bartlett.lags, bartlett.df, cosine.df) == (one.lags, one.df, other.df)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-150, 1.0, 1e120]), st.sampled_from([0.0, 1.0, 1e-3, 1e-9, 1e-13]))
def test_pairwise_keeps_its_digits_for_near_twins_and_in_any_unit(seed, unit, closeness):
    rng = np.random.default_rng(seed)
    losses = unit * rng.chisquare(2, (60, 3))
    losses[:, 2] = losses[:, 0] * (1 + closeness * rng.standard_normal(60))
    result = pairwise_diebold_mariano(losses, 2, lags=3)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        one = diebold_mariano(losses[:, i], losses[:, j], horizon=2, lags=3)
        assert_allclose(result.statistic[i, j], one.statistic, rtol=1e-6, atol=1e-9)
        assert_allclose(result.p_value[i, j], one.p_value, rtol=1e-6, atol=1e-9)


def test_pairwise_is_antisymmetric_with_an_empty_diagonal():
    result = pairwise_test(daily())
    assert_array_equal(result.statistic, -result.statistic.T)
    assert_array_equal(result.p_value, result.p_value.T)
    assert_array_equal(result.p_value.diagonal(), 1.0)
    assert_array_equal(result.standard_error.diagonal(), 0.0)
    assert result.mean_difference[0, 4] < 0  # the first has the smaller loss
    assert result.statistic[0, 4] < 0


def test_pairwise_of_identical_and_constantly_different_columns():
    base = daily(1)
    losses = np.column_stack([base, base, base + 0.1])
    for horizon in (1, 5):
        result = pairwise_test(losses, horizon)
        assert (result.statistic[0, 1], result.p_value[0, 1]) == (0.0, 1.0)
        assert (result.statistic[0, 2], result.statistic[2, 1], result.p_value[1, 2]) == (-math.inf, math.inf, 0.0)
    assert pairwise_test(base).p_value.tolist() == [[1.0]]
    assert pairwise_test(np.ones((50, 2))).p_value.tolist() == [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize(("n", "horizon"), [(10, 21), (1, 1), (0, 1), (0, 5)])
def test_pairwise_of_too_few_sessions(n, horizon):
    result = pairwise_test(daily()[:n], horizon)
    assert np.isnan(result.p_value[0, 1])
    assert result.p_value[0, 0] == 1.0
    assert "too few" in result.note
    assert math.isnan(smallest_resolvable_gap(result, 0))
    assert not np.isnan(pairwise_test(daily()[:10]).p_value).any()


def test_what_is_not_a_table_of_losses_is_refused():
    losses = daily()
    losses[3, 2] = np.nan
    for test in (pairwise_test, model_confidence_set, tiers):
        with pytest.raises(ValueError, match="nan at row 3, column 2"):
            test(losses)
        with pytest.raises(ValueError, match="shape"):
            test(losses[:, 0])
        with pytest.raises(ValueError, match="horizon is 0"):
            test(daily(), 0)


def test_smallest_resolvable_gap_is_the_median_of_standard_errors():
    losses = daily()
    losses[:, 4] = losses[:, 1]
    pairs = pairwise_test(losses)
    errors = [diebold_mariano(losses[:, i], losses[:, 1]).standard_error for i in (0, 2, 3)]
    assert_allclose(smallest_resolvable_gap(pairs, 1), 2.80 * np.median(errors))
    assert_allclose(smallest_resolvable_gap(pairs, 1, [0, 1]), 2.80 * errors[0])
    assert math.isnan(smallest_resolvable_gap(pairs, 1, [1, 4]))
    assert math.isnan(smallest_resolvable_gap(pairwise_test(losses[:, :1]), 0))


# By symbol


@pytest.mark.parametrize("horizon", [1, 5])
def test_tests_by_symbol_are_those_of_each_series(horizon):
    losses = panels(3)
    losses[:, 9, 2] = np.nan
    losses[2, :, 0] += 1
    result = symbol_tests(losses, losses[0], horizon)
    rows = np.arange(300) != 9
    for entry in range(3):
        mine, base = losses[entry, rows, 2], losses[0, rows, 2]
        one = diebold_mariano(mine, base) if horizon == 1 else equal_weighted_cosine(mine, base, horizon, nu=17)
        assert_allclose(result.statistic[entry, 2], one.statistic)
        assert_allclose(result.p_value[entry, 2], one.p_value)
        assert_allclose(result.holm_p_value[entry], multipletests(result.p_value[entry], method="holm")[1])
    assert result.p_value[0].tolist() == [1.0] * 4
    assert (result.better()[0], result.worse()[0]) == (0, 0)
    assert result.worse()[2] == ((result.holm_p_value[2] < 0.05) & (result.mean_difference[2] > 0)).sum() > 0


def test_tests_by_symbol_of_too_few_sessions_count_nothing():
    losses = panels(2, 10)
    result = symbol_tests(losses, losses[1], 21)
    assert np.isnan(result.holm_p_value).all()
    assert result.better().tolist() == [0, 0]
    with pytest.raises(ValueError, match="reference"):
        symbol_tests(losses[0], losses[1])


# Many p-values


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_those_of_statsmodels(p):
    assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-15)
    assert_array_equal(holm([math.nan, *p, math.nan]), [math.nan, *holm(p), math.nan])


def test_adjusted_p_values_of_nothing_and_of_what_is_none():
    assert holm([]).size == 0
    assert np.isnan(holm([math.nan])).all()
    for wrong in ([0.5, 1.1], [-0.1], 0.5):
        with pytest.raises(ValueError, match="from 0 to 1"):
            holm(wrong)
    families = np.random.default_rng(1).uniform(size=(3, 4))
    assert_array_equal(holm(families), [holm(row) for row in families])


# Bootstrap


def test_day_weights_are_the_draws_of_arch():
    bootstrap = StationaryBootstrap(7, np.arange(40), seed=3)
    draws = [data[0][0] for data in bootstrap.bootstrap(20)]
    x = np.random.default_rng(1).normal(size=40)
    assert_allclose(day_weights(40, 7, 20, seed=3) @ x / 40, [x[draw].mean() for draw in draws])
    with pytest.raises(ValueError, match="at least one"):
        day_weights(0, 1)


def test_mean_blocks():
    assert [mean_block(n, 1) for n in (1, 9, 10, 16, 753)] == [2, 3, 4, 4, 28]
    assert [mean_block(753, h) for h in (5, 14, 15, 21)] == [28, 28, 30, 42]


def test_skill_interval_is_the_percentile_of_resampled_days():
    losses = panels(3, 60)
    losses[:, 5, 1] = losses[:, 8] = np.nan
    result = skill_intervals(losses, losses[0], draws=50)
    bootstrap = StationaryBootstrap(mean_block(59, 1), np.arange(59), seed=1)
    kept = np.delete(losses, 8, axis=1)
    drawn = []
    for data in bootstrap.bootstrap(50):
        means = np.nanmean(kept[:, data[0][0]], axis=1)
        drawn.append(1 - np.exp(np.log(means / means[0]).mean(axis=1)))
    assert_allclose(result.low, np.quantile(drawn, 0.05, axis=0), atol=1e-12)
    assert_allclose(result.high, np.quantile(drawn, 0.95, axis=0), atol=1e-12)
    means = np.nanmean(losses, axis=1)
    assert_allclose(result.estimate, 1 - np.exp(np.log(means / means[0]).mean(axis=1)), atol=1e-12)
    assert (result.low[0], result.estimate[0], result.high[0]) == (0, 0, 0)
    assert (result.n, result.note) == (59, "")


def test_intervals_that_cannot_be_made():
    losses = panels(2, 10)
    result = skill_intervals(losses, losses[0], 21)
    assert np.isnan(result.low).all()
    assert np.isnan(result.high).all()
    assert "no bootstrap" in result.note
    assert not np.isnan(skill_intervals(losses, losses[0], draws=50).low).any()
    with pytest.raises(ValueError, match="same cells"):
        skill_intervals(losses, np.where(losses[0] > 1, np.nan, losses[0]))
    with pytest.raises(ValueError, match="reference"):
        skill_intervals(losses[0], losses[0])
    with pytest.raises(ValueError, match="confidence is 90"):
        skill_intervals(losses, losses[0], confidence=90, draws=10)


# Confidence set


def arch_p_values(losses: np.ndarray, block: int, draws: int = DRAWS) -> np.ndarray:
    test = MCS(losses, 0.1, reps=draws, block_size=block, method="max", bootstrap="stationary", seed=1)
    test.compute()
    return test.pvalues.Pvalue.sort_index().to_numpy()


@pytest.mark.parametrize(("k", "n", "horizon"), [(2, 100, 1), (5, 300, 1), (12, 300, 5), (30, 300, 21)])
def test_confidence_set_is_that_of_arch(k, n, horizon):
    losses = daily(k, n, seed=k)
    result = model_confidence_set(losses, horizon, draws=DRAWS)
    assert result.block == mean_block(n, horizon)
    assert_allclose(result.p_value, arch_p_values(losses, result.block), atol=1e-12)
    assert_array_equal(result.included, result.p_value > 0.1)
    assert np.ptp(result.p_value) > 0


def test_confidence_set_does_not_depend_on_order_or_unit():
    losses = daily(6)
    p = model_confidence_set(losses, draws=DRAWS).p_value
    order = np.array([3, 1, 5, 0, 2, 4])
    assert_array_equal(model_confidence_set(1e-8 * losses[:, order], draws=DRAWS).p_value, p[order])
    assert p.max() == 1.0
    assert p.argmax() == losses.mean(axis=0).argmin()


def test_twins_are_dropped_and_put_back():
    losses = daily(4)
    p = model_confidence_set(losses, draws=DRAWS).p_value
    doubled = np.column_stack([losses, losses[:, 2], losses[:, 0], np.nextafter(losses[:, 0], 9)])
    assert_array_equal(model_confidence_set(doubled, draws=DRAWS).p_value, [*p, p[2], p[0], p[0]])
    shifted = np.column_stack([losses, losses[:, 2] + 0.01, losses[:, 2] + 0.01])
    assert_array_equal(model_confidence_set(shifted, draws=DRAWS).p_value, [*p, 0, 0])


def test_confidence_sets_of_degenerate_losses():
    one = daily(1)
    assert model_confidence_set(one).p_value.tolist() == [1.0]
    assert "one entry" in model_confidence_set(one).note
    assert model_confidence_set(np.column_stack([one] * 3), draws=DRAWS).p_value.tolist() == [1.0] * 3
    assert model_confidence_set(np.column_stack([one + 1, one]), draws=DRAWS).p_value.tolist() == [0.0, 1.0]
    constants = np.ones((50, 1)) * [2.0, 1.0, 1.0]
    assert model_confidence_set(constants, draws=DRAWS).p_value.tolist() == [0.0, 1.0, 1.0]
    two = daily(2)
    between = np.column_stack([two, two.mean(axis=1)])  # no variance against the mean of the three
    assert np.isfinite(model_confidence_set(between, draws=DRAWS).p_value).all()
    worse = model_confidence_set(between + np.array([0, 0, 1.0]), draws=DRAWS)
    assert worse.p_value[2] == 0.0
    with pytest.raises(ValueError, match="size is 90"):
        model_confidence_set(two, size=90)


@pytest.mark.parametrize(("n", "horizon"), [(10, 21), (10, 5), (0, 1), (1, 1)])
def test_confidence_set_of_too_few_sessions_leaves_nothing_out(n, horizon):
    result = model_confidence_set(daily()[:n], horizon)
    assert np.isnan(result.p_value).all()
    assert result.included.all()
    assert "no bootstrap" in result.note
    assert tiers(daily()[:n], horizon).tier.tolist() == [1] * 5
    assert np.isfinite(model_confidence_set(daily()[:10], draws=DRAWS).p_value).all()


def test_tiers_repeat_the_set_on_the_rest():
    losses = daily(9) + np.array([0.0, 0.2, 0.0, 0.4, 0.2, 0.0, 0.4, 0.8, 0.0])
    losses[:, 8] = losses[:, 3]
    result = tiers(losses, draws=DRAWS)
    rest, tier = np.arange(9), 1
    while len(rest):
        included = model_confidence_set(losses[:, rest], draws=DRAWS).included
        assert_array_equal(result.tier[rest[included]], tier)
        rest, tier = rest[~included], tier + 1
    assert result.tier.max() > 2
    assert result.tier[8] == result.tier[3]
    assert_array_equal(result.first.included, result.tier == 1)
    assert tiers(daily(1)).tier.tolist() == [1]


# Superior predictive ability


def test_superior_ability_is_that_of_arch_on_scaled_differences():
    losses = daily(5)
    result = superior_predictive_ability(losses[:, 4], losses[:, :4], draws=DRAWS)
    d = losses[:, 4:] - losses[:, :4]
    omega = [math.sqrt(long_run_variance(column, 6)) for column in d.T]
    test = SPA(np.zeros(300), -d / omega, block_size=result.block, reps=DRAWS, bootstrap="stationary", seed=1)
    test.compute()
    assert_allclose([result.lower, result.p_value, result.upper], test.pvalues, atol=1e-12)
    assert result.n_entries == 4
    assert superior_predictive_ability(losses[:, 0], losses[:, 1:], draws=DRAWS).p_value > 0.2


def test_superior_ability_of_degenerate_losses():
    losses = daily(3)
    reference = losses[:, 0]
    usual = superior_predictive_ability(reference, losses[:, 1:], draws=DRAWS)
    with_twin = superior_predictive_ability(reference, np.column_stack([losses, reference + 1]), draws=DRAWS)
    assert with_twin.p_value == usual.p_value
    assert "2 entries identical" in with_twin.note
    assert superior_predictive_ability(reference, losses[:, :1]).p_value == 1.0
    assert superior_predictive_ability(reference, losses - 1).p_value == 0.0
    assert math.isnan(superior_predictive_ability(reference[:10], losses[:10], 21).p_value)
    with pytest.raises(ValueError, match="nan at row 0"):
        superior_predictive_ability(np.full(300, np.nan), losses)
    with pytest.raises(ValueError, match="sessions"):
        superior_predictive_ability(reference[:9], losses)

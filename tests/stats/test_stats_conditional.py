"""Giacomini-White, Clark-West and Mincer-Zarnowitz: by hand, against regressions, size, degenerate input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import chi2, f, t
from statsmodels.regression.linear_model import OLS

from bench.stats import (
    clark_west,
    diebold_mariano,
    equal_weighted_cosine,
    giacomini_white,
    mincer_zarnowitz,
    panel_test,
)
from bench.stats.ewc import cosine_variance


def example(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.chisquare(2, n), rng.chisquare(2, n), (np.arange(n) // 30 % 3 == 2).astype(float)


# Giacomini-White


def test_martingale_variance_is_n_times_the_uncentred_r_squared():
    a, b, crisis = example()
    result = giacomini_white(a, b, crisis, variance="martingale")
    moments = (a - b)[:, None] * np.column_stack([np.ones(400), crisis])
    fit = OLS(np.ones(400), moments).fit()
    assert_allclose(result.statistic, 400 * (1 - fit.ssr / 400), rtol=1e-10)
    assert_allclose(result.p_value, chi2.sf(result.statistic, 2), rtol=1e-10)


@pytest.mark.parametrize(("horizon", "nu"), [(1, 21), (5, 21), (21, 9)])
def test_cosine_variance_by_hand_with_the_instruments_as_they_are_named(horizon, nu):
    a, b, crisis = example()
    result = giacomini_white(a, b, crisis, horizon)
    moments = (a - b)[:, None] * np.column_stack([np.ones(400), crisis])

    def variance(weights: list[float]) -> float:
        return cosine_variance(moments @ weights, nu)

    own, other, both = variance([1, 0]), variance([0, 1]), variance([1, 1])
    cross = 0.5 * (both - own - other)
    mean = moments.mean(axis=0)
    wald = 400 * mean @ np.linalg.inv(np.array([[own, cross], [cross, other]])) @ mean
    assert_allclose(result.statistic, wald, rtol=1e-9)
    assert result.df == nu - 1
    assert_allclose(result.p_value, f.sf(wald * (nu - 1) / (2 * nu), 2, nu - 1), rtol=1e-9)


def test_the_shift_is_the_slope_on_the_regime():
    a, b, crisis = example()
    result = giacomini_white(a, b, crisis)
    fit = OLS(a - b, np.column_stack([np.ones(400), crisis])).fit()
    assert_allclose(result.shift.mean_difference, fit.params[1], rtol=1e-10)
    assert_allclose(result.mean_crisis - result.mean_calm, fit.params[1], rtol=1e-10)
    centred = crisis - crisis.mean()
    influence = centred * fit.resid / crisis.var()
    assert_allclose(result.shift.standard_error, math.sqrt(cosine_variance(influence, 21) / 400), rtol=1e-10)
    assert (result.n_calm, result.n_crisis) == (280, 120)


def test_a_ranking_that_turns_with_the_regime_is_found_where_the_mean_says_nothing():
    a, b, crisis = example()
    turned = b + 0.5 * np.where(crisis == 1, 2.0, -1.0)
    assert diebold_mariano(a, turned).p_value > 0.2
    result = giacomini_white(a, turned, crisis)
    assert result.p_value < 0.01
    assert result.shift.p_value < 0.01
    assert result.mean_calm > 0 > result.mean_crisis


def test_neither_unit_nor_order_of_the_two_matters_and_a_panel_is_its_daily_mean():
    a, b, crisis = example()
    there, back = giacomini_white(a, b, crisis, 5), giacomini_white(1e-160 * b, 1e-160 * a, crisis, 5)
    assert_allclose(there.statistic, back.statistic)
    assert_allclose(there.shift.statistic, -back.shift.statistic)
    wide_a, wide_b = np.column_stack([a, a, a]), np.column_stack([b, b, b])
    wide_a[7], crisis[11] = np.nan, np.nan
    result = giacomini_white(wide_a, wide_b, crisis, 5)
    rows = np.setdiff1d(np.arange(400), [7, 11])
    assert_allclose(result.statistic, giacomini_white(a[rows], b[rows], crisis[rows], 5).statistic)
    assert (result.n, result.n_left_out) == (398, 2)


def test_conditional_tests_of_degenerate_losses():
    a, b, crisis = example()
    assert giacomini_white(a, a, crisis).p_value == 1.0
    assert giacomini_white(a + 1, a, crisis).p_value == 0.0
    assert giacomini_white(a + 1, a, crisis).shift.p_value == 1.0
    calm = giacomini_white(a, b, np.zeros(400))
    assert math.isnan(calm.p_value)
    assert calm.shift is None
    assert math.isnan(calm.mean_crisis)
    assert "never changes" in calm.note
    assert "too few" in giacomini_white(a[25:35], b[25:35], np.arange(10) % 2, 21).note
    assert math.isnan(giacomini_white(a[25:35], b[25:35], np.arange(10) % 2, 21).shift.p_value)
    assert 0 < giacomini_white(a[25:45], b[25:45], np.arange(20) % 2).p_value < 1
    assert "no variance in one" in giacomini_white(np.where(crisis == 1, a, b), b, crisis).note
    assert giacomini_white(a, b, np.full(400, np.nan)).n == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crisis": np.full(400, 20.0)}, "0 or 1"),
        ({"crisis": np.zeros(399)}, "one regime per session"),
        ({"loss_a": np.full(400, np.nan)}, "loss_a is nan"),
        ({"horizon": 5, "variance": "martingale"}, "at horizon 1"),
        ({"variance": "bartlett"}, "'bartlett'"),
        ({"horizon": 0}, "horizon is 0"),
    ],
)
def test_conditional_tests_that_cannot_be_meant(change, message):
    a, b, crisis = example()
    with pytest.raises(ValueError, match=message):
        giacomini_white(**{"loss_a": a, "loss_b": b, "crisis": crisis, **change})


def test_size_of_giacomini_white_under_overlap():
    rng = np.random.default_rng(3)
    h, n, draws = 5, 500, 400
    crisis = np.arange(n) // 25 % 2
    p = []
    for _ in range(draws):
        d = np.convolve(rng.standard_normal(n + h - 1), np.ones(h), "valid")
        p.append(giacomini_white(d, np.zeros(n), crisis, h).p_value)
    assert 0.02 <= np.mean(np.array(p) < 0.05) <= 0.09


# Clark-West


def test_clark_west_by_hand():
    # (y - small)^2 - (y - large)^2 + (small - large)^2 = 2 (y - small)(large - small)
    y, small, large = np.array([3.0, 1, 4, 1, 5, 9, 2, 6]), np.full(8, 3.0), np.array([2.0, 3, 3, 2, 4, 5, 2, 4])
    adjusted = 2 * (y - small) * (large - small)
    result = clark_west(1e-4 * y, 1e-4 * small, 1e-4 * large)
    one = diebold_mariano(adjusted, np.zeros(8), alternative="greater")
    assert_allclose(result.test.mean_difference, adjusted.mean(), rtol=1e-12)
    assert_allclose(result.test.statistic, one.statistic, rtol=1e-12)
    assert_allclose(result.test.p_value, one.p_value, rtol=1e-12)
    assert_allclose(result.mse_difference, ((y - small) ** 2 - (y - large) ** 2).mean(), rtol=1e-12)


@pytest.mark.parametrize("horizon", [1, 5])
def test_clark_west_of_a_panel_is_that_of_the_daily_mean(horizon):
    rng = np.random.default_rng(1)
    y, small, large = rng.chisquare(4, (3, 300, 5))
    y[4, 1], y[6] = np.nan, np.nan
    adjusted = np.nanmean(np.delete(2 * (y - small) * (large - small), 6, axis=0), axis=1)
    result = clark_west(1e-4 * y, 1e-4 * small, 1e-4 * large, horizon)
    options = {"horizon": horizon, "alternative": "greater"}
    one = (
        diebold_mariano(adjusted, np.zeros(299), **options)
        if horizon == 1
        else equal_weighted_cosine(adjusted, np.zeros(299), **options, nu=17)
    )
    assert_allclose(result.test.statistic, one.statistic, rtol=1e-9)
    assert result.test.method == panel_test(y, y, horizon).method


def test_clark_west_of_degenerate_forecasts():
    y, small, large = 1e-4 * np.random.default_rng(1).chisquare(4, (3, 50))
    assert clark_west(y, small, small).test.p_value == 1.0
    assert math.isnan(clark_west(y[:10], small[:10], large[:10], 21).test.p_value)
    assert clark_west(np.full(50, np.nan), small, large).test.n == 0
    with pytest.raises(ValueError, match="finite"):
        clark_west(y, small, np.where(small > 0, np.nan, large))
    with pytest.raises(ValueError, match="shapes"):
        clark_west(y, small, large[:9])
    with pytest.raises(ValueError, match="horizon is 0"):
        clark_west(y, small, large, 0)


# Mincer-Zarnowitz


def test_mincer_zarnowitz_by_matrix_algebra():
    rng = np.random.default_rng(1)
    n, lags = 300, 10
    x = rng.chisquare(4, n)
    y = 0.5 + 0.8 * x + x * np.convolve(rng.normal(0, 0.3, n + 4), np.ones(5), "valid")
    result = mincer_zarnowitz(1e-4 * y, 1e-4 * x, horizon=5)
    regressors = np.column_stack([np.ones(n), x])
    beta = np.linalg.solve(regressors.T @ regressors, regressors.T @ y)
    scores = regressors * (y - regressors @ beta)[:, None]
    meat = scores.T @ scores
    for k in range(1, lags + 1):
        gamma = scores[k:].T @ scores[:-k]
        meat += (1 - k / (lags + 1)) * (gamma + gamma.T)
    bread = np.linalg.inv(regressors.T @ regressors)
    covariance = bread @ meat @ bread
    off = beta - [0, 1]
    wald = off @ np.linalg.inv(covariance) @ off / 2
    assert_allclose([result.intercept, result.slope], beta, rtol=1e-9)
    assert_allclose([result.intercept_error, result.slope_error], np.sqrt(np.diag(covariance)), rtol=1e-9)
    assert_allclose(result.statistic, wald, rtol=1e-8)
    assert_allclose(result.p_value, f.sf(wald, 2, n - 2), rtol=1e-6)
    assert_allclose(result.r_squared, np.corrcoef(x, y)[0, 1] ** 2, rtol=1e-9)
    assert result.lags == lags


def test_mincer_zarnowitz_of_degenerate_forecasts():
    x = 1e-4 * np.random.default_rng(1).chisquare(4, 100)
    perfect = mincer_zarnowitz(x, x)
    assert (perfect.statistic, perfect.p_value, perfect.slope) == (0.0, 1.0, 1.0)
    for y, forecast, note in (
        (x, np.full(100, 1e-4), "constant forecast"),
        (x[:3], x[3:6], "too few"),
        (x[:10], x[10:20], ""),
        (x, np.where(np.arange(100) == 7, 2e-4, 1e-4), "too few days carry"),
    ):
        result = mincer_zarnowitz(y, forecast)
        assert note in result.note
        assert math.isnan(result.p_value) == bool(note)
    line = mincer_zarnowitz(2 * x, x)
    assert (line.statistic, line.p_value) == (math.inf, 0.0)
    assert_allclose(line.slope, 2)
    assert "exact line" in line.note
    known = np.where(np.arange(100) < 20, np.nan, x[::-1])
    assert mincer_zarnowitz(known, x) == mincer_zarnowitz(x[::-1][20:], x[20:])
    with pytest.raises(ValueError, match="finite"):
        mincer_zarnowitz(x, np.where(x > 0, np.inf, x))
    with pytest.raises(ValueError, match="shapes"):
        mincer_zarnowitz(x, x[:9])


def test_mincer_zarnowitz_of_a_forecast_that_is_twice_too_high():
    rng = np.random.default_rng(1)
    x = rng.chisquare(4, 700)
    y = x * rng.chisquare(10, 700) / 10
    assert mincer_zarnowitz(y, 2 * x).p_value < 1e-6
    assert mincer_zarnowitz(y, x).p_value > 0.05
    halved = mincer_zarnowitz(y, 2 * x)
    assert abs(halved.slope - 0.5) < t.ppf(0.995, 698) * halved.slope_error

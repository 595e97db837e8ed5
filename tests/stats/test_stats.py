"""Tests of differences against R, statsmodels and hand computation; degenerate input; size under a true null.

`tests/data/dm_inputs.csv` are made-up forecast errors of two pairs of methods, 500 sessions; `dm_reference.csv` is
what `dm.test` of R's `forecast` package 8.20 says of them.
"""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.weightstats import ttest_ind

from bench.stats import (
    diebold_mariano,
    equal_weighted_cosine,
    long_run_variance,
    panel_diebold_mariano,
    panel_test,
    pesaran_timmermann,
)
from bench.stats.ewc import cosine_variance
from bench.stats.protocol import bartlett_lags, beside, cosine_count, cosines_used, headline, integer_cube_root

DATA = Path(__file__).parent


def read(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


ERRORS = read("dm_inputs.csv")
ANSWERS = read("dm_reference.csv")


def errors(column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in ERRORS])


def example(n: int = 400, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.chisquare(1, n), rng.chisquare(1, n)


# Diebold-Mariano


@pytest.mark.parametrize("row", ANSWERS, ids=lambda r: "-".join(list(r.values())[:5]))
def test_agrees_with_r(row):
    h, power = int(row["h"]), int(row["power"])
    kernel = {"acf": "rectangular", "bartlett": "bartlett"}[row["varestimator"]]
    a, b = (np.abs(errors(f"{row['pair']}_e{i}")) ** power for i in (1, 2))
    result = diebold_mariano(
        a, b, horizon=h, lags=h - 1, kernel=kernel, alternative=row["alternative"].replace(".", "-")
    )
    assert_allclose(result.mean_difference, float(row["mean_d"]), rtol=0, atol=1e-10)
    assert_allclose(result.statistic, float(row["statistic"]), rtol=0, atol=1e-10)
    assert_allclose(result.p_value, float(row["p_value"]), rtol=0, atol=1e-10)
    assert (result.horizon, result.n, result.fallback) == (h, int(row["n"]), bool(row["warning"]))
    assert int(row["h_used"]) == (1 if result.fallback else h)


def test_the_reference_has_both_pairs_kernels_and_horizons():
    assert len(ANSWERS) == 48
    assert {(r["pair"], r["h"], r["varestimator"]) for r in ANSWERS} == {
        (p, h, v) for p in "AB" for h in "15" for v in ("acf", "bartlett")
    }


def test_statistic_by_hand():
    # d = 1, 2, 3, 6: mean 3, deviations -2, -1, 0, 3: gamma_0 = 14/4, gamma_1 = 2/4; L = 1, weight 1/2: V = 4.
    result = diebold_mariano([1.0, 2.0, 3.0, 6.0], np.zeros(4))
    assert result.lags == 1
    assert_allclose(result.standard_error, 1.0)
    assert_allclose(result.statistic, 3.0 * math.sqrt(3 / 4))
    # t(3) has the distribution function 1/2 + (x / (1 + x^2) + atan x) / pi at x = t / sqrt(3).
    x = result.statistic / math.sqrt(3)
    assert_allclose(result.p_value, 1 - 2 * (x / (1 + x * x) + math.atan(x)) / math.pi, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "horizon", "kernel", "lags"),
    [
        (753, 1, "bartlett", 9), (64, 1, "bartlett", 4), (27, 1, "bartlett", 3), (753, 5, "bartlett", 10),
        (753, 21, "bartlett", 42), (8000, 2, "bartlett", 20), (30, 21, "bartlett", 29),
        (753, 1, "rectangular", 0), (753, 5, "rectangular", 4),
    ],
)  # fmt: skip
def test_default_lags_follow_the_protocol(n, horizon, kernel, lags):
    assert diebold_mariano(*example(n), horizon=horizon, kernel=kernel).lags == lags


def test_cube_roots_are_exact():
    for root in range(1, 200):
        assert [integer_cube_root(root**3 + step) for step in (-1, 0, 1)] == [root - 1, root, root]
    assert integer_cube_root(10**15) == 10**5
    assert integer_cube_root((10**5 + 7) ** 3 - 1) == 10**5 + 6


def test_rectangular_falls_back_to_horizon_one_as_r_does():
    a = np.tile([2.0, 1.0], 50) + 0.01 * np.arange(100)
    b = np.full(100, 1.4)
    result = diebold_mariano(a, b, horizon=2, kernel="rectangular")
    once = diebold_mariano(a, b, horizon=1, lags=0)
    assert long_run_variance(a - b, 1, "rectangular") < 0
    assert (result.fallback, result.horizon, result.lags) == (True, 2, 0)
    assert_allclose(result.statistic, once.statistic, rtol=1e-12)
    assert_allclose(result.p_value, once.p_value, rtol=1e-12)
    assert "repeated with horizon 1" in result.note
    assert not once.fallback


@given(st.integers(0, 10_000), st.integers(1, 25), st.sampled_from(["bartlett", "rectangular"]))
def test_antisymmetric_and_without_unit(seed, horizon, kernel):
    a, b = example(60, seed)
    there, back = (diebold_mariano(*pair, horizon=horizon, kernel=kernel) for pair in ((a, b), (b, a)))
    assert_allclose(there.statistic, -back.statistic)
    assert_allclose(there.p_value, back.p_value)
    assert 0 <= there.p_value <= 1
    scaled = diebold_mariano(1e-180 * a, 1e-180 * b, horizon=horizon, kernel=kernel)
    assert_allclose(scaled.statistic, there.statistic)
    less = diebold_mariano(a, b, horizon=horizon, kernel=kernel, alternative="less").p_value
    greater = diebold_mariano(a, b, horizon=horizon, kernel=kernel, alternative="greater").p_value
    assert_allclose(less + greater, 1.0)
    assert_allclose(there.p_value, 2 * min(less, greater))
    assert_allclose(diebold_mariano(b, a, horizon=horizon, kernel=kernel, alternative="greater").p_value, less)


def test_less_means_that_the_first_has_the_smaller_loss():
    a, b = example()
    assert diebold_mariano(a, b + 1, alternative="less").p_value < 1e-6
    assert diebold_mariano(a, b + 1, alternative="greater").p_value > 1 - 1e-6
    assert diebold_mariano(a, b + 1).mean_difference < 0


@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
@pytest.mark.parametrize("horizon", [1, 5])
def test_identical_losses_are_no_evidence(alternative, horizon):
    a, _ = example()
    for b in (a, np.nextafter(a, 2)):  # also where they differ by rounding only
        for test in (diebold_mariano, equal_weighted_cosine):
            result = test(a, b, horizon=horizon, alternative=alternative)
            assert (result.statistic, result.p_value) == (0.0, 1.0)
            assert "identical" in result.note


@pytest.mark.parametrize("horizon", [1, 5])
def test_a_constant_difference_is_certain_and_flagged(horizon):
    a, _ = example()
    for test in (diebold_mariano, equal_weighted_cosine):
        for shift in (0.1, -0.1):
            result = test(a + shift, a, horizon=horizon)
            assert (result.statistic, result.p_value) == (math.copysign(math.inf, shift), 0.0)
            assert "constant" in result.note
    assert diebold_mariano(a + 0.1, a, horizon=horizon).fallback
    assert diebold_mariano(a + 0.1, a, alternative="less").p_value == 1.0
    assert diebold_mariano(a - 0.1, a, alternative="less").p_value == 0.0


def test_too_few_sessions_are_no_test_and_said():
    a, b = example(10)
    for result in (diebold_mariano(a, b, horizon=10), diebold_mariano(a[:1], b[:1]), diebold_mariano([], [])):
        assert math.isnan(result.statistic)
        assert math.isnan(result.p_value)
        assert "too few" in result.note
    assert 0 < diebold_mariano(a, b, horizon=9).p_value <= 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss_b": [1.0, math.nan, 3.0]}, "loss_b is nan at position 1"),
        ({"loss_a": [1.0, 2.0, math.inf]}, "loss_a is inf at position 2"),
        ({"loss_b": [1.0, 2.0]}, r"shapes \(3,\) and \(2,\)"),
        ({"loss_a": [[1.0], [2.0], [3.0]], "loss_b": [[1.0], [2.0], [3.0]]}, "shapes"),
        ({"horizon": 0}, "horizon is 0"),
        ({"lags": 3}, "lags is 3"),
        ({"lags": -1}, "lags is -1"),
        ({"kernel": "parzen"}, "kernel is 'parzen'"),
        ({"alternative": "two.sided"}, "alternative is 'two.sided'"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        diebold_mariano(**{"loss_a": [1.0, 2.0, 3.0], "loss_b": [2.0, 2.0, 1.0], **arguments})


# Panels


def panel(n: int = 300, symbols: int = 6, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common = np.convolve(rng.standard_normal(n + 4), np.ones(5), "valid")[:, None]
    return (common + rng.standard_normal((n, symbols))) ** 2, rng.chisquare(5, (n, symbols))


@pytest.mark.parametrize("horizon", [1, 5])
def test_panel_equals_driscoll_kraay(horizon):
    a, b = panel()
    n, symbols = a.shape
    result = panel_diebold_mariano(a, b, horizon=horizon)
    fit = OLS((a - b).ravel(), np.ones((n * symbols, 1))).fit(
        cov_type="hac-groupsum",
        cov_kwds={
            "time": np.repeat(np.arange(n), symbols), "maxlags": result.lags,
            "use_correction": False, "df_correction": False,
        },
    )  # fmt: skip
    factor = math.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)  # Harvey, Leybourne, Newbold
    assert_allclose(result.mean_difference, fit.params[0], rtol=1e-12)
    assert_allclose(result.standard_error, fit.bse[0], rtol=1e-12)
    assert_allclose(result.statistic, fit.tvalues[0] * factor, rtol=1e-12)


def test_a_panel_of_one_symbol_is_the_series():
    a, b = example()
    assert panel_diebold_mariano(a[:, None], b[:, None], horizon=5) == diebold_mariano(a, b, horizon=5)


def test_missing_cells_leave_their_day_and_empty_days_the_sample():
    a, b = panel(50, 3)
    a[4], b[7, 1], a[7, 2] = np.nan, np.nan, np.nan
    days = np.delete(np.arange(50), 4)
    by_day = np.nanmean((a - b)[days], axis=1)
    result = panel_diebold_mariano(a, b)
    assert (result.n, result.n_left_out) == (49, 1)
    assert_allclose(result.statistic, diebold_mariano(by_day, np.zeros(49)).statistic, rtol=1e-12)
    assert by_day[6] == a[7, 0] - b[7, 0]


def test_panels_that_cannot_be_compared():
    a, b = panel(20, 3)
    with pytest.raises(ValueError, match="loss_b is infinite at row 2"):
        panel_diebold_mariano(a, np.where(np.arange(20)[:, None] == 2, np.inf, b))
    with pytest.raises(ValueError, match="shapes"):
        panel_diebold_mariano(a, b[:, :2])
    empty = panel_diebold_mariano(np.full((20, 3), np.nan), b)
    assert (empty.n, empty.n_left_out) == (0, 20)
    assert math.isnan(empty.p_value)


def test_the_headline_is_bartlett_for_one_step_and_cosine_for_more():
    a, b = panel(753)
    one, five = panel_test(a, b, 1), panel_test(a, b, 5)
    assert [headline(h) for h in (1, 5, 21)] == ["bartlett", "cosine", "cosine"]
    assert [beside(h) for h in (1, 5, 21)] == ["cosine", "bartlett", "bartlett"]
    assert (replace(one, beside=None), one.beside) == (panel_diebold_mariano(a, b), equal_weighted_cosine(a, b, nu=33))
    assert replace(five, beside=None) == equal_weighted_cosine(a, b, horizon=5, nu=33)
    assert five.beside == panel_diebold_mariano(a, b, horizon=5)
    assert five.beside.lags == bartlett_lags(753, 5) == 10
    assert five.mean_difference == five.beside.mean_difference


def test_ten_days_of_a_month_ahead_are_no_test_but_no_error():
    a, b = panel(10, 3)
    result = panel_test(a, b, horizon=21)
    assert math.isnan(result.p_value)
    assert "too few" in result.note
    assert math.isnan(result.beside.p_value)
    assert 0 <= panel_test(a, b, horizon=1).p_value <= 1


# Equal-weighted cosine


def test_cosine_test_by_hand():
    # One cosine, so t(1). d = 0 0 0 0 0 0 0 8 has mean 1.
    d = np.array([0, 0, 0, 0, 0, 0, 0, 8.0])
    result = equal_weighted_cosine(d, np.zeros(8), nu=1)
    last = math.sqrt(2 / 8) * 8 * math.cos(math.pi * 7.5 / 8)
    assert result.df == 1
    assert_allclose(result.standard_error, abs(last) / math.sqrt(8), rtol=1e-12)
    assert_allclose(result.statistic, math.sqrt(8) / abs(last), rtol=1e-12)
    assert_allclose(result.p_value, 1 - 2 * math.atan(result.statistic) / math.pi, rtol=1e-12)  # Cauchy


def test_all_cosines_together_are_the_sample_variance():
    # The n - 1 cosines are an orthonormal basis of what is left without the mean.
    d, _ = example(50)
    assert_allclose(cosine_variance(d, 49), d.var(ddof=1), rtol=1e-12)
    assert_allclose(cosine_variance(d + 1e6, 7), cosine_variance(d, 7), rtol=1e-6)


@pytest.mark.parametrize(
    ("n", "horizon", "nu"),
    [(753, 1, 33), (753, 5, 33), (753, 21, 17), (733, 21, 17), (125, 1, 10), (1000, 1, 40), (41, 21, 0), (3, 1, 0)],
)
def test_number_of_cosines(n, horizon, nu):
    assert cosine_count(n, horizon) == nu


@pytest.mark.parametrize(
    ("n", "horizon", "nu"),
    [(753, 1, 16), (749, 5, 16), (733, 21, 8), (753, 6, 8), (159, 5, 15), (41, 21, 0), (2, 1, 1), (1, 1, 0)],
)
def test_number_of_cosines_of_the_second_protocol(n, horizon, nu):
    assert cosines_used(n, horizon) == nu
    assert equal_weighted_cosine(*example(n), horizon=horizon).df == nu


def test_a_number_of_cosines_that_there_is_not_is_refused():
    for nu in (-1, 30, 2.5):
        with pytest.raises(ValueError, match="whole number of cosines"):
            equal_weighted_cosine(*example(30), nu=nu)


def test_no_cosine_no_test():
    result = equal_weighted_cosine(*example(30), horizon=21)
    assert result.df == 0
    assert math.isnan(result.p_value)
    assert "too few" in result.note


# Size


def test_panel_test_keeps_its_size_where_stacking_does_not():
    """A true null with common, persistent differences: the panel test rejects about 5 %, stacked cells far more."""
    rng = np.random.default_rng(1)
    n, symbols, draws = 500, 10, 400
    rejected, stacked = 0, 0
    for _ in range(draws):
        shocks = rng.standard_normal(n + 2)
        common = shocks[2:] + 0.3 * shocks[1:-1] + 0.2 * shocks[:-2]
        d = common[:, None] + rng.standard_normal((n, symbols))
        rejected += panel_diebold_mariano(d, np.zeros_like(d)).p_value < 0.05
        stacked += ttest_ind(d.ravel(), np.zeros(d.size), usevar="unequal")[1] < 0.05
    assert 0.02 <= rejected / draws <= 0.09
    assert stacked / draws > 0.4


def test_cosine_test_keeps_its_size_under_overlap():
    rng = np.random.default_rng(2)
    h, n, draws = 21, 733, 600
    overlap = np.stack([np.convolve(rng.standard_normal(n + h - 1), np.ones(h), "valid") for _ in range(draws)])
    cosine, bartlett = (
        np.mean([test(d, np.zeros(n), horizon=h).p_value < 0.05 for d in overlap])
        for test in (equal_weighted_cosine, diebold_mariano)
    )
    assert 0.02 <= cosine <= 0.09
    assert cosine < bartlett


# Pesaran-Timmermann


def test_pesaran_timmermann_by_hand():
    # 10 days: the target rises on 6, the forecast on 5; both rise on 4, both fall on 3: 7 hits.
    y = np.array([2, 2, 2, 2, 2, 2, 0, 0, 0, 0.0])
    f = np.array([2, 2, 2, 2, 0, 0, 2, 0, 0, 0.0])
    result = pesaran_timmermann(y, f, np.ones(10))
    assert_allclose((result.hit_rate, result.expected_rate), (0.7, 0.5))
    # var P = .25/10; var P* = (.2^2 * .25 + 0 * .24)/10 + 4 * .6 * .5 * .4 * .5/100
    spread = 0.025 - (0.01 / 10 + 0.24 / 100)
    assert_allclose(result.statistic, 0.2 / math.sqrt(spread), rtol=1e-12)
    assert_allclose(result.p_value, 0.5 * math.erfc(result.statistic / math.sqrt(2)), rtol=1e-12)


def test_pesaran_timmermann_rejects_for_a_constant_which_is_why_it_is_off_the_board():
    g = np.random.default_rng(1).chisquare(2, 1001)
    assert pesaran_timmermann(g[1:], np.full(1000, 2.0), g[:-1]).p_value < 1e-6


def test_pesaran_timmermann_leaves_ties_out_and_says_where_it_has_no_answer():
    y, f, b = np.array([2, 0, 1, 2.0]), np.array([2, 0, 2, 2.0]), np.ones(4)
    assert pesaran_timmermann(y, f, b).n == 3
    assert "same" in pesaran_timmermann(y, np.full(4, 3.0), b).note
    assert "never moves" in pesaran_timmermann(b, f, b).note
    with pytest.raises(ValueError, match="forecast_var is nan at position 1"):
        pesaran_timmermann([1.0, 2.0], [1.0, math.nan], [1.0, 1.0])
    with pytest.raises(ValueError, match="shapes"):
        pesaran_timmermann(y, f[:3], b)

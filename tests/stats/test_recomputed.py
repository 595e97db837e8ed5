"""What the statistics say of committed forecasts, computed a second time: numpy, pandas and scipy, nothing of ours.

A few rows of the official split, from the files that everybody has, so an error in the library cannot hide in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from numpy.testing import assert_allclose, assert_array_equal
from scipy.fft import dct
from scipy.stats import t as student

from bench import stats
from bench.stats.losses import qlike, realized_utility

ROWS = ("gbt", "gru-pooled", "log-har-vix", "har", "garch", "historical-mean")
TASKS = {"next-day": 1, "week-ahead": 5, "month-ahead": 21}
NU = {1: 16, 5: 16, 21: 8}
DRAWS = 500


@dataclass
class Case:
    """A task: target and forecasts by row as tables of origin and symbol, and the horizon."""

    horizon: int
    target: pd.DataFrame
    forecasts: dict[str, pd.DataFrame]

    @property
    def losses(self) -> dict[str, pd.DataFrame]:
        ratios = {name: self.target / forecast for name, forecast in self.forecasts.items()}
        return {name: ratio - np.log(ratio) - 1 for name, ratio in ratios.items()}

    @property
    def stacked(self) -> np.ndarray:
        return np.stack([self.forecasts[name].to_numpy() for name in ROWS])


@pytest.fixture(scope="module", params=TASKS)
def case(request) -> Case:
    horizon = TASKS[request.param]
    measure = pd.read_parquet(ROOT / "results/us21/realized.parquet").astype({"symbol": str})
    daily = measure.pivot(index="date", columns="symbol", values="measure_var")
    target = daily[::-1].rolling(horizon).mean()[::-1].shift(-1)  # at t: the mean of t+1 to t+h
    forecasts = {}
    for name in ROWS:
        path = ROOT / f"results/us21/official/{request.param}/{name}/forecasts.parquet"
        table = pd.read_parquet(path).astype({"symbol": str})
        forecasts[name] = table.pivot(index="origin", columns="symbol", values="forecast_var")
    origins = forecasts["har"].index
    return Case(horizon, target.loc[origins], forecasts)


def error_of_mean(series: np.ndarray, horizon: int) -> float:
    """Equal-weighted-cosine standard error: scipy's orthonormal DCT-II has the cosines."""
    coefficients = dct(np.asarray(series) - np.mean(series), type=2, norm="ortho")[1 : NU[horizon] + 1]
    return float(np.sqrt(np.mean(coefficients**2) / len(series)))


def two_sided(statistic: float, horizon: int) -> float:
    return float(2 * student.sf(abs(statistic), NU[horizon]))


def holm_by_hand(p: dict[str, float]) -> dict[str, float]:
    adjusted, reached = {}, 0.0
    for place, name in enumerate(sorted(p, key=lambda each: p[each])):
        reached = max(reached, (len(p) - place) * p[name])
        adjusted[name] = min(1.0, reached)
    return adjusted


def test_cells_are_those_of_the_board(case):
    assert not case.target.isna().any().any()
    assert len(case.target) == {1: 753, 5: 749, 21: 733}[case.horizon]


def test_p_against_har_and_holm(case):
    h, p = case.horizon, {}
    for name in set(ROWS) - {"har"}:
        d = (case.losses[name] - case.losses["har"]).mean(axis=1)
        p[name] = two_sided(d.mean() / error_of_mean(d, h), h)
        one = stats.equal_weighted_cosine(case.losses[name], case.losses["har"], h)
        assert_allclose(one.p_value, p[name], rtol=1e-9)
    panels = qlike(case.target, case.stacked)
    pairs = stats.pairwise_equal_weighted_cosine(stats.daily_mean_losses(panels), h)
    har = ROWS.index("har")
    tested = np.delete(pairs.p_value[:, har], har)
    names = [name for name in ROWS if name != "har"]
    assert_allclose(tested, [p[name] for name in names], rtol=1e-9)
    assert_allclose(stats.holm(tested), [holm_by_hand(p)[name] for name in names], rtol=1e-9)
    errors = [error_of_mean((case.losses[name] - case.losses["har"]).mean(axis=1), h) for name in names]
    assert_allclose(stats.smallest_resolvable_gap(pairs, har), 2.8 * np.median(errors), rtol=1e-9)


def test_skill_and_its_interval(case):
    h, reference = case.horizon, case.losses["garch"]
    found = stats.cosine_skill_intervals(qlike(case.target, case.stacked), reference.to_numpy(), h)
    for i, name in enumerate(ROWS):
        mine = case.losses[name]
        theta = np.log(mine.mean() / reference.mean()).mean()
        psi = (mine / mine.mean() - reference / reference.mean()).mean(axis=1)
        half = student.ppf(0.95, NU[h]) * error_of_mean(psi, h)
        expected = [1 - np.exp(theta + half), 1 - np.exp(theta), 1 - np.exp(theta - half)]
        assert_allclose([found.low[i], found.estimate[i], found.high[i]], expected, rtol=1e-9, atol=1e-12)


def draws_of_days(n: int, block: int, draws: int) -> np.ndarray:
    """The stationary bootstrap, day by day: a new block with probability 1 / block, else the next day."""
    rng = np.random.default_rng(1)
    days = np.empty((draws, n), dtype=int)
    for draw in days:
        fresh, chance = rng.integers(n, size=n), rng.random(n)
        for t in range(n):
            draw[t] = fresh[t] if t == 0 or chance[t] <= 1 / block else (draw[t - 1] + 1) % n
    return days


def ranks_by_hand(means: np.ndarray, boot: np.ndarray, confidence: float) -> list[tuple[int, int]]:
    """The step-down over all ordered pairs, one pair at a time."""
    k = len(means)
    pairs = [(i, j) for i in range(k) for j in range(k) if i != j]
    deviation = {(i, j): np.sqrt(np.mean(((boot[:, i] - boot[:, j]) - (means[i] - means[j])) ** 2)) for i, j in pairs}
    kept, worse = set(pairs), set()
    while True:
        rows = [((boot[:, i] - boot[:, j]) - (means[i] - means[j])) / deviation[i, j] for i, j in kept]
        critical = np.quantile(np.max(rows, axis=0), confidence)
        rejected = {(i, j) for i, j in kept if (means[i] - means[j]) / deviation[i, j] > critical}
        if not rejected:
            break
        kept, worse = kept - rejected, worse | rejected
    return [(1 + sum(a == i for a, _ in worse), k - sum(b == i for _, b in worse)) for i in range(k)]


def test_rank_sets(case):
    h = case.horizon
    daily = np.column_stack([case.losses[name].mean(axis=1) for name in ROWS])
    block = max(int(np.ceil(np.sqrt(len(daily)))), 2 * h)
    boot = np.array([daily[days].mean(axis=0) for days in draws_of_days(len(daily), block, DRAWS)])
    expected = ranks_by_hand(daily.mean(axis=0), boot, 0.90)
    found = stats.rank_sets(stats.daily_mean_losses(qlike(case.target, case.stacked)), h, draws=DRAWS)
    assert found.block == block
    assert_array_equal(np.column_stack([found.low, found.high]), expected)


def test_utility_and_its_interval(case):
    h = case.horizon
    worth = {}
    for name in ROWS:
        ratio = case.target / case.forecasts[name]
        worth[name] = (1e4 * 0.4**2 / 2 * (np.sqrt(ratio) - ratio / 2)).mean(axis=1)
        utility = realized_utility(case.target, case.forecasts[name])
        assert_allclose(utility.mean(), worth[name].mean(), rtol=1e-9)
    found = stats.utility_intervals(case.target, case.stacked, case.forecasts["har"], h)
    for i, name in enumerate(ROWS):
        d = worth[name] - worth["har"]
        half = student.ppf(0.95, NU[h]) * error_of_mean(d, h)
        expected = [d.mean() - half, d.mean(), d.mean() + half]
        assert_allclose([found.low[i], found.estimate[i], found.high[i]], expected, rtol=1e-9, atol=1e-9)


def slope_by_dummies(y: pd.DataFrame, x: pd.DataFrame, horizon: int) -> tuple[float, float]:
    """Slope and its error with a dummy a symbol, from the moment matrices of the whole regression."""
    n, symbols = y.shape
    regressors = np.column_stack([np.tile(np.eye(symbols), (n, 1)), x.to_numpy().ravel()])
    coefficients, *_ = np.linalg.lstsq(regressors, y.to_numpy().ravel(), rcond=None)
    residuals = y.to_numpy().ravel() - regressors @ coefficients
    scores = (regressors * residuals[:, None]).reshape(n, symbols, -1).sum(axis=1)
    bread = np.linalg.inv(regressors.T @ regressors)
    influence = n * scores @ bread[:, -1]
    return float(coefficients[-1]), error_of_mean(influence, horizon)


def test_calibration_slopes(case):
    found = stats.log_calibration(case.target, case.stacked, case.horizon)
    for i, name in enumerate(ROWS[:4]):
        slope, error = slope_by_dummies(np.log(case.target), np.log(case.forecasts[name]), case.horizon)
        assert_allclose([found.slope[i], found.standard_error[i]], [slope, error], rtol=1e-9)
        assert_allclose(found.p_value[i], two_sided((slope - 1) / error, case.horizon), rtol=1e-8)


def test_encompassing_weights(case):
    leader = case.forecasts["gbt"]
    found = stats.encompassing_weights(case.target, leader, case.stacked, case.horizon)
    assert np.isnan(found.slope[0])
    for i, name in enumerate(ROWS[1:4], start=1):
        y, x = np.log(case.target / leader), np.log(case.forecasts[name] / leader)
        slope, error = slope_by_dummies(y, x, case.horizon)
        assert_allclose([found.slope[i], found.standard_error[i]], [slope, error], rtol=1e-9)
        assert_allclose(found.p_value[i], two_sided(slope / error, case.horizon), rtol=1e-8)

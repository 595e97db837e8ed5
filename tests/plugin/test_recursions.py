"""The variance recursions against the `arch` package, by hand, and against themselves step by step."""

from __future__ import annotations

import numpy as np
import pytest
from arch import arch_model
from arch.univariate import ConstantMean, EWMAVariance
from scipy.stats import norm

from bench.plugin import recursions

HORIZON = 21
MU = 0.05
GARCH = (0.03, 0.10, 0.87)
GJR = (0.04, 0.02, 0.15, 0.86)
EGARCH = (0.01, 0.16, -0.12, 0.95)

MODELS = {
    "garch": (GARCH, {"vol": "GARCH", "o": 0}, recursions.garch_filter, recursions.garch_step),
    "gjr": (GJR, {"vol": "GARCH", "o": 1}, recursions.gjr_filter, recursions.gjr_step),
    "egarch": (EGARCH, {"vol": "EGARCH", "o": 1}, recursions.egarch_filter, recursions.egarch_step),
}


@pytest.fixture(scope="module")
def returns():
    """Percent returns with bursts, so that every branch of the recursions matters."""
    rng = np.random.default_rng(5)
    log_vol = np.zeros(900)
    for t in range(1, 900):
        log_vol[t] = 0.97 * log_vol[t - 1] + 0.15 * rng.standard_normal()
    return MU + np.exp(log_vol) * rng.standard_t(5, 900)


def fixed(returns, parameters, **options):
    """arch's model of these returns with its parameters fixed."""
    return arch_model(returns, mean="Constant", rescale=False, **options).fix([MU, *parameters])


@pytest.mark.parametrize("model", MODELS)
def test_filter_is_that_of_arch(model, returns):
    parameters, options, run_filter, _ = MODELS[model]
    result = fixed(returns, parameters, **options)
    # arch starts a fixed filter from residuals about the sample mean, its forecasts from those about mu
    start_var = recursions.backcast((returns - returns.mean()) ** 2)
    variances = run_filter(returns - MU, parameters, start_var)
    np.testing.assert_allclose(variances[:-1], result.conditional_volatility**2, rtol=1e-10)
    one_step = result.forecast(horizon=1, start=0, method="analytic").variance.to_numpy()[:, 0]
    np.testing.assert_allclose(run_filter(returns - MU, parameters)[1:], one_step, rtol=1e-10)


@pytest.mark.parametrize(("model", "path"), [("garch", recursions.garch_path), ("gjr", recursions.gjr_path)])
def test_paths_are_the_analytic_forecasts_of_arch(model, path, returns):
    parameters, options, run_filter, _ = MODELS[model]
    expected = fixed(returns, parameters, **options).forecast(horizon=HORIZON, start=0).variance.to_numpy()
    paths = path(run_filter(returns - MU, parameters)[1:], parameters, HORIZON)
    np.testing.assert_allclose(paths.T, expected, rtol=1e-10)


def test_egarch_paths_are_those_of_arch_with_the_same_draws(returns):
    draws = np.random.default_rng(2).standard_normal((300, HORIZON))
    forecast = fixed(returns, EGARCH, vol="EGARCH", o=1).forecast(
        horizon=HORIZON, method="simulation", simulations=300, rng=lambda size: draws
    )
    next_var = recursions.egarch_filter(returns - MU, EGARCH)[-1]
    paths = recursions.egarch_paths(next_var, EGARCH, draws[:, :-1].T)
    np.testing.assert_allclose(paths.T, forecast.simulations.variances[-1], rtol=1e-10)
    np.testing.assert_allclose(paths.mean(axis=1), forecast.variance.to_numpy()[-1], rtol=1e-10)


def egarch_expectation(next_var, parameters, steps):
    """E h_{t+k} for normal z: a product of moments of exp(b (alpha (|z| - E|z|) + gamma z))."""
    omega, alpha, gamma, beta = parameters

    def moment(b):
        up, down = b * (alpha + gamma), b * (alpha - gamma)
        halves = np.exp(up**2 / 2) * norm.cdf(up) + np.exp(down**2 / 2) * norm.cdf(down)
        return np.exp(b * omega - b * alpha * recursions.MEAN_ABS_NORMAL) * halves

    return np.array([next_var ** (beta**k) * np.prod([moment(beta**j) for j in range(k)]) for k in range(steps)])


def test_egarch_mean_over_paths_approaches_the_expectation():
    draws = np.random.default_rng(3).standard_normal((HORIZON - 1, 200_000))
    path = recursions.egarch_paths(2.0, EGARCH, draws).mean(axis=1)
    np.testing.assert_allclose(path, egarch_expectation(2.0, EGARCH, HORIZON), rtol=5e-3)


def test_egarch_paths_scale_with_their_start():
    draws = np.random.default_rng(3).standard_normal((HORIZON - 1, 50))
    unit = recursions.egarch_paths(1.0, EGARCH, draws).mean(axis=1)
    direct = recursions.egarch_paths(3.0, EGARCH, draws).mean(axis=1)
    np.testing.assert_allclose(3.0 ** (EGARCH[-1] ** np.arange(HORIZON)) * unit, direct, rtol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_steps_continue_a_filter(model, returns):
    parameters, _, run_filter, step = MODELS[model]
    residuals = returns - MU
    whole = run_filter(residuals, parameters)
    variance = run_filter(residuals[:200], parameters)[-1]
    for t in range(200, len(residuals)):
        assert variance == whole[t]
        variance = step(variance, residuals[t], parameters)
    assert variance == whole[-1]


@pytest.mark.parametrize("model", MODELS)
def test_all_symbols_at_once_equal_one_by_one(model, returns):
    parameters, _, run_filter, _ = MODELS[model]
    residuals = np.stack([returns - MU, MU - returns, 2.0 * returns], axis=1)
    each = [np.asarray(parameters) * scale for scale in (1.0, 0.9, 0.8)]
    together = run_filter(residuals, np.transpose(each))
    assert together.shape == (len(returns) + 1, 3)
    alone = np.stack([run_filter(residuals[:, j], each[j]) for j in range(3)], axis=1)
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_paths_broadcast_over_symbols():
    parameters = np.transpose([GJR, GJR, EGARCH])
    assert recursions.gjr_path(1.0, parameters, 5).shape == (5, 3)
    assert recursions.gjr_path(np.ones((4, 3)), parameters, 5).shape == (5, 4, 3)
    draws = np.zeros((4, 7))
    paths = recursions.egarch_paths(np.array([1.0, 2.0, 3.0]), parameters, draws)
    assert paths.shape == (5, 7, 3)
    np.testing.assert_allclose(paths[0], np.tile([1.0, 2.0, 3.0], (7, 1)), rtol=1e-14)


def test_gjr_without_asymmetry_is_garch(returns):
    omega, alpha, beta = GARCH
    gjr = recursions.gjr_filter(returns, (omega, alpha, 0.0, beta))
    np.testing.assert_array_equal(gjr, recursions.garch_filter(returns, GARCH))


def test_integrated_garch_path_grows_by_omega():
    path = recursions.garch_path(2.0, (0.5, 0.25, 0.75), 4)
    np.testing.assert_array_equal(path, [2.0, 2.5, 3.0, 3.5])


def test_ewma_is_that_of_arch_and_continues(returns):
    model = ConstantMean(returns, volatility=EWMAVariance(0.94), rescale=False)
    variances = recursions.ewma_filter((returns - MU) ** 2)
    expected = model.fix([MU]).forecast(horizon=1, start=0).variance.to_numpy()[:, 0]
    np.testing.assert_allclose(variances[1:], expected, rtol=1e-10)
    assert recursions.ewma_step(variances[-2], (returns[-1] - MU) ** 2) == variances[-1]


def test_backcast_by_hand():
    rows = np.array([[1.0, 0.0], [2.0, 0.0], [100.0, 7.0]])
    np.testing.assert_allclose(recursions.backcast(rows, decay=0.5, window=2), [(1 + 0.5 * 2) / 1.5, 0.0])


@pytest.mark.parametrize("residual", [0.0, 1e-300, 1e150, -1e150])
def test_egarch_stays_finite_whatever_comes(residual):
    wild = (1.0, 50.0, -20.0, 1.0)
    variance = 1.0
    for _ in range(50):
        variance = recursions.egarch_step(variance, residual, wild)
        assert np.isfinite(variance)
        assert variance > 0
    draws = np.random.default_rng(0).standard_normal((HORIZON, 1000))
    assert np.isfinite(recursions.egarch_paths(1e250, wild, draws).mean(axis=1)).all()

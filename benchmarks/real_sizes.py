"""Size of the tests on the differences of committed rows: a section of docs/size_and_power.md.

The daily QLIKE differences of every row from `har` get an autoregression (order by AIC) and an ARMA(1, 1); samples are
drawn from their own residuals, with mean zero, so that the null is true, and tested.
"""

from __future__ import annotations

import warnings

import numpy as np
from committed import BOARDS, BURN_IN, autoregression, board
from scipy.signal import lfilter
from scipy.special import stdtr
from tabulate import tabulate

from bench import stats
from bench.stats.ewc import standard_errors
from bench.stats.pairwise import RESOLVABLE
from bench.stats.protocol import cosines_used

Array = np.ndarray


def moving_average(series: Array) -> tuple[Array, Array, Array]:
    """Polynomials of an ARMA(1, 1) by maximum likelihood, and its residuals."""
    from statsmodels.tsa.arima.model import ARIMA

    x = series - series.mean()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # starting values that are not stationary are replaced, and said
        fit = ARIMA(x / x.std(), order=(1, 0, 1), trend="n").fit()
    phi, theta, _ = fit.params
    residuals = fit.resid[1:] * x.std()
    return np.array([1, theta]), np.array([1, -phi]), residuals - residuals.mean()


def rates(series: Array, horizon: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:
    """Rejection rates at 5 % of samples like a series, by model (AR, ARMA) along the last axis."""
    n = len(series)
    phi, residuals = autoregression(series)
    models = [(np.ones(1), np.array([1, *-phi]), residuals), moving_average(series)]
    found: dict[str, list[float]] = {}
    for numerator, denominator, shocks in models:
        drawn = shocks[rng.integers(len(shocks), size=(n + BURN_IN, draws))]
        made = lfilter(numerator, denominator, drawn, axis=0)[BURN_IN:]
        bartlett = [stats.diebold_mariano(each, np.zeros(n), horizon).p_value for each in made.T]
        found.setdefault("Bartlett", []).append(np.mean(np.array(bartlett) < 0.05))
        nu = cosines_used(n, horizon)
        error = standard_errors(made, nu)
        for name, shift in (("EWC", 0.0), ("found", RESOLVABLE * float(np.median(error)))):
            p = 2 * stdtr(nu, -np.abs((made.mean(axis=0) + shift) / error))
            found.setdefault(name, []).append(np.mean(p < 0.05))
    return {name: np.array(values) for name, values in found.items()}


def table(draws: int) -> str:
    """Mean rates over the rows of each board, in percent: AR / ARMA, and the largest of a row."""
    rows = []
    for place, name in enumerate(BOARDS):
        real = board(name)
        base = real.daily[:, real.rows.index("har")]
        rng = np.random.default_rng([1, place])
        all_rates = [
            rates(real.daily[:, i] - base, real.horizon, draws, rng) for i, row in enumerate(real.rows) if row != "har"
        ]

        def cell(test: str, all_rates: list[dict[str, Array]] = all_rates) -> str:
            by_row = 100 * np.array([each[test] for each in all_rates])
            means = " / ".join(f"{mean:.1f}" for mean in by_row.mean(axis=0))
            return f"{means} (to {by_row.max():.0f})"

        nu = cosines_used(len(base), real.horizon)
        found = 100 * np.mean([each["found"] for each in all_rates])
        rows.append([name, len(base), len(all_rates), f"**{cell('EWC')}**", nu, cell("Bartlett"), f"{found:.0f}"])
    headers = ["board", "sessions", "rows", "EWC", "nu", "Bartlett", "found at 2.80"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    print(table(1000))

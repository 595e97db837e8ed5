"""Size and power of the tests in this benchmark's own setting, by simulation: writes docs/size_and_power.md.

    python benchmarks/size_and_power.py [--only worlds|real|coverage] [--draws 3000] [--output docs/size_and_power.md]

`worlds` are made up here, `real` and `coverage` are like the committed results (`real_sizes.py`, `coverage.py`); with
`--only` the other sections stay as they are. Seeded: the same page every time. About six minutes on one core.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import coverage
import numpy as np
import real_sizes
from scipy.signal import lfilter
from scipy.special import stdtr
from size_page import PAGE, WORLDS
from tabulate import tabulate

from bench import stats
from bench.stats.losses import qlike
from bench.stats.pairwise import RESOLVABLE
from bench.stats.protocol import cosines_used

SYMBOLS = 10
BURN_IN = 100
NOISE = 0.25
"""Standard deviation of a forecast's log error: HAR and GARCH forecasts differ by .25 to .35 in logs."""
PERSISTENCE = 0.8
"""First-order autocorrelation of that error; between real entries it is .75 to .95, fading faster than an AR(1)."""
DAYS = {1: 753, 5: 749, 21: 733}
"""Sessions of the official split by horizon."""
BATCH = 50

Array = np.ndarray
Sample = tuple[list[Array], Array]


def autoregression(rng: np.random.Generator, shape: tuple[int, int, int], phi: float, common: float) -> Array:
    """Gaussian AR(1) of unit variance `(time, samples, symbols)`, correlated by `common` across symbols."""
    time, samples, _ = shape
    shock = np.sqrt(common) * rng.standard_normal((time, samples, 1)) + np.sqrt(1 - common) * rng.standard_normal(shape)
    return np.asarray(lfilter([np.sqrt(1 - phi**2)], [1, -phi], shock, axis=0))


def samples(
    rng: np.random.Generator, draws: int, n: int, horizon: int, noise: Sequence[float], persistence: float
) -> Iterator[Sample]:
    """Samples of QLIKE `(n, SYMBOLS)` of one forecast per element of `noise`, and whether the origin is a crisis.

    Log variance is an AR(1) of .97 with a common factor, the daily measure has gamma noise, half of it shared by
    all symbols of a day, the target is its mean over the next `horizon` sessions, and a forecast is the same good
    forecast times a lasting error. Errors of equal size are exchangeable, so expected losses are equal, at every
    level of volatility.
    """
    time = n + horizon + BURN_IN
    for start in range(0, draws, BATCH):
        shape = (time, min(BATCH, draws - start), SYMBOLS)
        log_var = 0.7 * autoregression(rng, shape, 0.97, 0.6)
        daily = np.exp(log_var) * rng.gamma(4.0, 0.25, (time, shape[1], 1)) * rng.gamma(4.0, 0.25, shape)
        total = np.cumsum(np.concatenate([np.zeros((1, *shape[1:])), daily]), axis=0)
        origins = np.arange(BURN_IN, BURN_IN + n)
        target = (total[origins + horizon + 1] - total[origins + 1]) / horizon
        good = 0.97 ** (0.5 * (horizon + 1)) * log_var[origins]
        losses = [
            qlike(target, np.exp(good + size * autoregression(rng, shape, persistence, 0.6)[origins])) for size in noise
        ]
        level = log_var[origins].mean(axis=2)
        for sample in range(shape[1]):
            # The crisis threshold is the sample's own 60 % quantile: 313 of 753 sessions are in a crisis.
            crisis = level[:, sample] >= np.quantile(level[:, sample], 0.6)
            yield [loss[:, sample] for loss in losses], crisis


def stacked_p_value(a: Array, b: Array) -> float:
    """p of the t test that takes all stock-days for independent: the contrast, not a test of this project."""
    d = (a - b).ravel()
    return float(2 * stdtr(d.size - 1, -abs(d.mean()) / d.std(ddof=1) * np.sqrt(d.size)))


def pair_rates(draws: int, n: int, horizon: int, noise: tuple[float, float], persistence: float) -> dict[str, float]:
    """Rejection rates in percent of the tests of two forecasts, their mean gap and skill."""
    rng = np.random.default_rng([n, horizon, round(1000 * noise[1]), round(100 * persistence)])
    found: dict[str, list[float]] = defaultdict(list)
    for (a, b), crisis in samples(rng, draws, n, horizon, noise, persistence):
        test = stats.equal_weighted_cosine(a, b, horizon)
        conditional = stats.giacomini_white(a, b, crisis, horizon, nu=cosines_used(n, horizon))
        found["headline"].append(test.p_value < 0.05)
        found["Bartlett"].append(stats.panel_diebold_mariano(a, b, horizon).p_value < 0.05)
        found["GW"].append(conditional.p_value < 0.05)
        found["shift"].append(conditional.shift is not None and conditional.shift.p_value < 0.05)
        if horizon == 1:
            martingale = stats.giacomini_white(a, b, crisis, variance="martingale")
            found["GW, theorem 1"].append(martingale.p_value < 0.05)
        found["stacked"].append(stacked_p_value(a, b) < 0.05)
        found["gap"].append(b.mean() - a.mean())
        found["skill"].append(1 - a.mean() / b.mean())
        found["resolvable"].append(RESOLVABLE * test.standard_error)
    rates = {name: 100 * float(np.mean(values)) for name, values in found.items()}
    return rates | {name: rates[name] / 100 for name in ("gap", "resolvable")}


def many_rates(draws: int, n: int, horizon: int, entries: int = 5) -> dict[str, float]:
    """Rates in percent of what is said about several equal forecasts; the bootstrap has 500 draws here."""
    rng = np.random.default_rng([n, horizon, entries])
    found: dict[str, list[float]] = defaultdict(list)
    for losses, _ in samples(rng, draws, n, horizon, [NOISE] * entries, PERSISTENCE):
        daily = stats.daily_mean_losses(losses)
        kept = stats.model_confidence_set(daily, horizon, draws=500).included
        found["one stays"].append(kept[0])
        found["all stay"].append(kept.all())
        against = stats.holm(stats.pairwise_equal_weighted_cosine(daily, horizon).p_value[1:, 0])
        found["Holm"].append((against < 0.05).any())
        skill = stats.cosine_skill_intervals(losses[1:2], losses[0], horizon)
        found["interval"].append(skill.low[0] <= 0 <= skill.high[0])
        resampled = stats.skill_intervals(losses[1:2], losses[0], horizon, draws=500)
        found["resampled"].append(resampled.low[0] <= 0 <= resampled.high[0])
        for errors in ("bootstrap", "cosine"):
            sets = stats.rank_sets(daily, horizon, draws=500, errors=errors)
            found[f"ranks, {errors}"].append((sets.low == 1).all())
        if horizon == 1:
            superior = stats.superior_predictive_ability(daily[:, 0], daily[:, 1:], draws=200)
            found["SPA"].append(superior.p_value < 0.05)
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


def nested_rates(draws: int, n: int, slope: float) -> dict[str, float]:
    """Rejection rates in percent of Clark-West and of one-sided Diebold-Mariano, expanding mean against expanding OLS.

    The larger model adds a lasting regressor that matters by `slope`, to a target with a common shock.
    """
    rng = np.random.default_rng([n, round(1000 * slope)])
    before, found = 250, defaultdict(list)
    for _ in range(draws):
        shape = (before + n, 1, SYMBOLS)
        z = autoregression(rng, shape, 0.9, 0.3)[:, 0]
        y = 3 + slope * z + autoregression(rng, shape, 0.0, 0.4)[:, 0]
        count = np.arange(1, before + n + 1)[:, None]
        my, mz, myz, mzz = (np.cumsum(x, axis=0) / count for x in (y, z, y * z, z * z))
        beta = (myz - my * mz) / (mzz - mz**2 + (count == 1))
        known = slice(before - 1, before + n - 1)
        small, large = my[known], my[known] + beta[known] * (z[before:] - mz[known])
        target = y[before:]
        found["Clark-West"].append(stats.clark_west(1e-4 * target, 1e-4 * small, 1e-4 * large).test.p_value < 0.05)
        plain = stats.panel_diebold_mariano((target - large) ** 2, (target - small) ** 2, alternative="less")
        found["DM"].append(plain.p_value < 0.05)
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


def calibration_rate(draws: int, n: int) -> float:
    """Rejection rate in percent of Mincer-Zarnowitz for a forecast that is right."""
    rng = np.random.default_rng([n, 99])
    log_var = 0.7 * autoregression(rng, (n + BURN_IN, draws, 1), 0.97, 0.0)[BURN_IN:, :, 0]
    forecast = np.exp(log_var)
    target = forecast * rng.gamma(2.0, 0.5, forecast.shape)
    p = [stats.mincer_zarnowitz(target[:, i], forecast[:, i]).p_value for i in range(draws)]
    return 100 * float(np.mean(np.array(p) < 0.05))


USUAL = [
    *((h, n, PERSISTENCE) for h, days in DAYS.items() for n in (days, 500)),
    (1, DAYS[1], 0.0),
    (1, DAYS[1], 0.9),
    (21, DAYS[21], 0.9),
]
LASTING = [(1, 500, 0.9), (1, DAYS[1], 0.95), (1, 500, 0.95)]
"""Disagreement that lasts for longer than the tests are made for: shown, not promised."""


def size_table(draws: int, designs: list[tuple[int, int, float]]) -> str:
    """Rejection rates under the null, by horizon, length and persistence."""
    rows = []
    for horizon, n, persistence in designs:
        rates = pair_rates(draws, n, horizon, (NOISE, NOISE), persistence)
        names = ("headline", "Bartlett", "stacked", "GW", "shift", "GW, theorem 1")
        headline, *others = [f"{rates[name]:.1f}" if name in rates else "" for name in names]
        rows.append([horizon, n, f"{persistence:.2g}", f"**{headline}**", *others])
    headers = ["h", "n", "persistence", "headline", "Bartlett", "stacked", "GW", "regime shift"]
    return tabulate(rows, [*headers, "GW, theorem 1"], tablefmt="github", disable_numparse=True)


def power_table(draws: int) -> str:
    """Rejection rates of the headline where the second forecast is worse."""
    rows = []
    for horizon, n in DAYS.items():
        for noise in (0.27, 0.30, 0.35):
            rates = pair_rates(draws, n, horizon, (NOISE, noise), PERSISTENCE)
            gaps = [f"{rates['gap']:.4f}", f"{rates['resolvable']:.4f}", f"{rates['skill']:.1f} %"]
            rows.append([horizon, n, *gaps, f"**{rates['headline']:.0f}**", f"{rates['stacked']:.0f}"])
    headers = ["h", "n", "QLIKE gap", "resolvable gap", "skill", "found", "stacked"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def many_table(draws: int) -> str:
    """What the bootstrap and Holm say about five equal forecasts."""
    rows = []
    for horizon, n in DAYS.items():
        rates = many_rates(draws, n, horizon)
        names = ("one stays", "all stay", "ranks, bootstrap", "ranks, cosine", "interval", "resampled", "Holm", "SPA")
        rows.append([horizon, n, *(f"{rates[name]:.1f}" if name in rates else "" for name in names)])
    headers = [
        "h",
        "n",
        "one of them in the set",
        "all in the set",
        "all in rank 1, bootstrap",
        "all in rank 1, cosine",
    ]
    headers += ["0 in the 90 % interval", "0 in the bootstrap's", "Holm", "SPA"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def nested_table(draws: int) -> str:
    """Clark-West beside the plain one-sided test."""
    rows = []
    for slope in (0.0, 0.03, 0.06):
        rates = nested_rates(draws, DAYS[1], slope)
        rows.append([f"{slope:.2f}", f"{rates['Clark-West']:.1f}", f"{rates['DM']:.1f}"])
    return tabulate(rows, ["slope", "Clark-West", "Diebold-Mariano"], tablefmt="github", disable_numparse=True)


def made_up_worlds(draws: int) -> str:
    """The sections on made-up worlds."""
    few = max(1, draws // 4)
    return WORLDS.format(
        draws=draws, half=draws // 2, few=few, symbols=SYMBOLS, noise=NOISE, n=DAYS[1],
        error=100 * np.sqrt(0.05 * 0.95 / draws), rough=100 * np.sqrt(0.05 * 0.95 / few),
        size=size_table(draws, USUAL), lasting=size_table(draws, LASTING),
        power=power_table(few), many=many_table(few), nested=nested_table(draws // 2),
        calibration=calibration_rate(few, DAYS[1]),
    ).strip()  # fmt: skip


def section(page: Path, name: str, make: Callable[[], str], only: str | None) -> str:
    """A section, made anew, or as it stands on the page."""
    if only in (None, name):
        return make()
    text = page.read_text(encoding="utf-8")
    return text.split(f"<!-- {name} -->\n", 1)[1].split(f"\n<!-- /{name} -->", 1)[0]


def main() -> None:
    """Writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", choices=("worlds", "real", "coverage"), help="the section that is made anew")
    parser.add_argument("--draws", type=int, default=3000, help="simulated samples of a row of made-up worlds")
    parser.add_argument("--output", type=Path, default=Path("docs/size_and_power.md"))
    args = parser.parse_args()
    makers = {
        "real": lambda: real_sizes.table(1000),
        "coverage": lambda: f"{coverage.skill_table(200)}\n\n{coverage.set_table(100)}",
        "worlds": lambda: made_up_worlds(args.draws),
    }
    sections = {name: section(args.output, name, make, args.only) for name, make in makers.items()}
    args.output.write_text(PAGE.format(**sections), encoding="utf-8")
    print(f"written: {args.output}")


if __name__ == "__main__":
    main()

"""Coverage of skill intervals, rank sets and confidence sets on worlds like the committed ones: two sections of
docs/size_and_power.md.

Worlds are those of `committed.py`: the reference's losses and every row's differences from them, each with dynamics of
its own, residuals of a day together. What is true is known: the means that were measured, or no difference at all.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from committed import BOARDS, Board, board, worlds
from tabulate import tabulate

from bench import stats

ROWS = ("gbt", "log-har-vix", "gru-pooled", "har", "ewma", "garch-unscaled")
REFERENCE = "garch"
BATCH = 50

Array = np.ndarray


def skill_coverage(real: Board, draws: int, rng: np.random.Generator) -> dict[str, float]:
    """Percent of 90 % intervals that hold the true skill against the reference, cosine and bootstrap, and widths."""
    rows = [real.rows.index(name) for name in ROWS if name in real.rows]
    base = real.losses[real.rows.index(REFERENCE)]
    differences = real.losses[rows] - base
    n, symbols = base.shape
    series = np.concatenate([base[None], differences]).transpose(1, 0, 2).reshape(n, -1)
    means = series.mean(axis=0)
    true = 1 - np.exp(np.log1p(differences.mean(axis=1) / base.mean(axis=0)).mean(axis=1))
    found: dict[str, list[Array]] = defaultdict(list)
    for _ in range(0, draws, BATCH):
        for made in (worlds(series, BATCH, rng) + means).reshape(BATCH, n, -1, symbols):
            losses, reference = (made[:, 1:] + made[:, :1]).transpose(1, 0, 2), made[:, 0]
            ends = {
                "cosine": stats.cosine_skill_intervals(losses, reference, real.horizon),
                "bootstrap": stats.skill_intervals(losses, reference, real.horizon, draws=1000),
            }
            for name, interval in ends.items():
                found[name].append((interval.low <= true) & (true <= interval.high))
                found[f"{name} width"].append(interval.high - interval.low)
    middle = {name: np.median if "width" in name else np.mean for name in found}
    return {name: 100 * float(middle[name](values)) for name, values in found.items()}


def set_coverage(real: Board, draws: int, rng: np.random.Generator, equal: bool) -> dict[str, float]:
    """Percent of worlds in which all rank sets hold their rank, and in which a confidence set holds the best row."""
    base = real.rows.index("har")
    series = np.delete(real.daily, base, axis=1) - real.daily[:, [base]]
    means = np.zeros(series.shape[1]) if equal else series.mean(axis=0)
    true = np.append(means, 0.0)
    rank = 1 + (true[:, None] > true[None, :]).sum(axis=1)
    found: dict[str, list[float]] = defaultdict(list)
    made = worlds(series, draws, rng) + means
    for each in made:
        losses = np.column_stack([each, np.zeros(len(each))])
        for errors in ("bootstrap", "cosine"):
            sets = stats.rank_sets(losses, real.horizon, draws=500, errors=errors)
            found[errors].append(((sets.low <= rank) & (rank <= sets.high)).all())
            found[f"{errors} width"].append((sets.high - sets.low + 1).mean() / 100)
        for statistic in ("max", "range"):
            kept = stats.model_confidence_set(losses, real.horizon, draws=500, statistic=statistic).included
            found[statistic].append(kept[true == true.min()].all())
    return {name: 100 * float(np.mean(values)) for name, values in found.items()}


def skill_table(draws: int) -> str:
    """Coverage and width of skill intervals by board."""
    rows = []
    for place, name in enumerate(BOARDS):
        rates = skill_coverage(board(name), draws, np.random.default_rng([2, place]))
        widths = [f"{rates[f'{each} width']:.1f}" for each in ("cosine", "bootstrap")]
        rows.append([name, f"**{rates['cosine']:.1f}**", f"{rates['bootstrap']:.1f}", *widths])
    headers = ["board", "cosine covers", "bootstrap covers", "cosine width, points", "bootstrap width"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


def set_table(draws: int) -> str:
    """Coverage of rank sets and confidence sets by board, with the measured means and without any difference."""
    rows = []
    for place, name in enumerate(BOARDS):
        real = board(name)
        for equal in (False, True):
            rates = set_coverage(real, draws, np.random.default_rng([3, place, equal]), equal)
            truth = "all equal" if equal else "as measured"
            held = [f"**{rates[each]:.0f}** ({rates[f'{each} width']:.1f})" for each in ("bootstrap", "cosine")]
            rows.append([name, truth, len(real.rows), *held, f"{rates['max']:.0f}", f"{rates['range']:.0f}"])
    headers = ["board", "truth", "rows", "rank sets, bootstrap", "rank sets, cosine", "set by max", "set by range"]
    return tabulate(rows, headers, tablefmt="github", disable_numparse=True)


if __name__ == "__main__":
    print(skill_table(200), set_table(100), sep="\n\n")

"""The scores of one entry on a task: every metric of the table, on all sessions and by regime."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.board.cells import Scored
from bench.board.model import Scores
from bench.stats import losses
from bench.stats.metrics import METRICS
from bench.stats.regimes import CALM, CRISIS, UNKNOWN

Array = NDArray[np.float64]
ByCell = dict[str, Array | None]

LABELS = (CALM, CRISIS, UNKNOWN)
DIGITS = 10
"""Significant digits of every number on a board: the last bits of log and exp differ between processors."""


def number(value: Any) -> float:
    """A finite float with the digits of a board."""
    return float(f"{float(value):.{DIGITS}g}")


def number_or_none(value: Any) -> float | None:
    """The same, None for what is not finite."""
    return number(value) if math.isfinite(float(value)) else None


def by_cell(mine: Scored, baseline: Scored | None) -> ByCell:
    """Every metric of an entry by cell, `(n_origins, n_symbols)`, or one number; None where it needs a baseline."""
    case = mine.case(baseline)
    return {name: metric.by_cell(case) for name, metric in METRICS.items()}


def scores_of(mine: ByCell, yardstick: ByCell, horizon: int) -> Scores:
    """Every score of an entry, from its metrics by cell and those of the baseline, for the baseline itself none."""
    found: Scores = {}
    for name, metric in METRICS.items():
        found[name] = number_or_none(metric.score(mine[name]))
        if metric.p_name:
            found[metric.p_name] = _p_value(mine[name], yardstick.get(name), horizon)
    return found


def _p_value(mine: Array | None, yardstick: Array | None, horizon: int) -> float | None:
    """p of equal averages of a metric, by the panel test."""
    if mine is None or yardstick is None or np.isnan(mine).all() or np.isnan(yardstick).all():
        return None
    return number_or_none(stats.panel_test(mine, yardstick, horizon).p_value)


def regimes_of(mine: Scored, cells: ByCell, reference: Scored | None) -> dict[str, dict[str, Scores]]:
    """An entry's scores by regime, both definitions; only regimes that occur. `n` is the number of sessions."""
    shown = [metric for metric in METRICS.values() if metric.by_regime]

    def score(rows: NDArray[np.bool_]) -> Scores:
        found: Scores = {"n": int(rows.sum())}
        for metric in shown:
            values = cells[metric.name]
            found[metric.name] = number_or_none(metric.score(None if values is None else values[rows]))
        found["skill"] = None
        if reference is not None and reference is not mine:
            ours, theirs = losses.mean_by_symbol(mine.qlike[rows]), losses.mean_by_symbol(reference.qlike[rows])
            found["skill"] = number_or_none(losses.skill(ours, theirs))
        return found

    return {
        name: {label: score(labels == label) for label in LABELS if (labels == label).any()}
        for name, labels in mine.cells.regimes.items()
    }

"""What the tests say of all entries on one task: tiers, pairs, skill with intervals, regimes, symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.board.cells import Scored
from bench.board.model import Conditional, RegimeScore, Test
from bench.stats import losses, protocol
from bench.stats.regimes import CALM, CRISIS, UNKNOWN

Array = NDArray[np.float64]

LABELS = (CALM, CRISIS, UNKNOWN)
DIGITS = 10
"""Significant digits of every number on a board: the last bits of log and exp differ between processors."""


def number(value: Any) -> float:
    """A finite float with the digits of a board."""
    return float(f"{float(value):.{DIGITS}g}")


def number_or_none(value: Any) -> float | None:
    """The same, None for what is not finite."""
    return number(value) if math.isfinite(float(value)) else None


@dataclass(frozen=True)
class Inference:
    """Tests of the k entries of a task, in the order of `entries`; array fields `(k,)` unless said."""

    entries: list[str]
    daily: Array
    """Daily mean QLIKE `(n, k)`."""
    pairs: stats.PairwiseResult
    tiers: stats.TiersResult
    skill: stats.IntervalsResult | None
    symbols: stats.SymbolTestsResult | None
    holm: dict[str, Array]
    beside: stats.PairwiseResult
    """The protocol's other test."""

    def by(self, method: protocol.Method) -> stats.PairwiseResult:
        """The tests of that name, headline or beside it."""
        return self.pairs if self.pairs.method == method else self.beside

    def index(self, entry: str) -> int:
        """Position of an entry."""
        return self.entries.index(entry)


def infer(scored: dict[str, Scored], references: list[str]) -> Inference | None:
    """Returns the tests of all entries of a task; None where no session has a cell to score."""
    entries = list(scored)
    panels = np.stack([scored[entry].qlike for entry in entries])
    daily = stats.daily_mean_losses(panels)
    if not len(daily):
        return None
    horizon = next(iter(scored.values())).cells.task.ahead
    pairs = stats.pairwise_test(daily, horizon)
    present = [name for name in references if name in scored]
    columns = {name: entries.index(name) for name in present}
    skilled = references and references[0] in scored
    anchored = references and references[-1] in scored
    return Inference(
        entries,
        daily,
        pairs,
        stats.tiers(daily, horizon),
        stats.skill_intervals(panels, scored[references[0]].qlike, horizon) if skilled else None,
        stats.symbol_tests(panels, scored[references[-1]].qlike, horizon) if anchored else None,
        {name: _holm_without(pairs.p_value[:, column], column) for name, column in columns.items()},
        stats.pairwise_test(daily, horizon, protocol.beside(horizon)),
    )


def _holm_without(p_values: Array, column: int) -> Array:
    """Holm over the entries against a reference; the reference's own test is none."""
    tested = p_values.copy()
    tested[column] = np.nan
    return stats.holm(tested)


def tests_of(inference: Inference, entry: str) -> dict[str, Test]:
    """An entry's tests against every reference."""
    i, found = inference.index(entry), {}
    for name, adjusted in inference.holm.items():
        j = inference.index(name)
        if i == j:
            continue
        found[name] = Test(
            statistic=number_or_none(inference.pairs.statistic[i, j]),
            p_value=number_or_none(inference.pairs.p_value[i, j]),
            p_holm=number_or_none(adjusted[i]),
            mean_difference=number(inference.pairs.mean_difference[i, j]),
            other_p_value=number_or_none(inference.beside.p_value[i, j]),
        )
    return found


def regimes_of(mine: Scored, reference: Scored | None) -> dict[str, dict[str, RegimeScore]]:
    """An entry's scores by regime, both definitions; only regimes that occur."""

    def score(rows: NDArray[np.bool_]) -> RegimeScore:
        skill = None
        if reference is not None and reference is not mine:
            ours, theirs = losses.mean_by_symbol(mine.qlike[rows]), losses.mean_by_symbol(reference.qlike[rows])
            skill = number_or_none(losses.skill(ours, theirs))
        return RegimeScore(
            n=int(rows.sum()),
            qlike=number(losses.panel_average(mine.qlike[rows])),
            mse_var=number(losses.panel_average(mine.squared_error_var[rows])),
            skill=skill,
        )

    return {
        name: {label: score(labels == label) for label in LABELS if (labels == label).any()}
        for name, labels in mine.cells.regimes.items()
    }


def conditionals(scored: dict[str, Scored], reference: str) -> dict[str, Conditional]:
    """Giacomini-White of every entry against the reference, given the regime at the origin."""
    if reference not in scored:
        return {}
    base = scored[reference]
    labels = base.cells.regimes["origin"]
    crisis = np.where(labels == UNKNOWN, np.nan, labels == CRISIS)
    if not np.isfinite(crisis).any():
        return {}
    others = [entry for entry in scored if entry != reference]
    results = [stats.giacomini_white(scored[e].qlike, base.qlike, crisis, base.cells.task.ahead) for e in others]
    shifts = [math.nan if result.shift is None else result.shift.p_value for result in results]
    adjusted = stats.holm(np.array(shifts))
    return {
        entry: Conditional(
            p_value=number_or_none(result.p_value),
            shift_p_value=number_or_none(shift),
            shift_p_holm=number_or_none(holm),
            calm_difference=number(result.mean_calm) if result.n_calm else 0.0,
            crisis_difference=number(result.mean_crisis) if result.n_crisis else 0.0,
        )
        for entry, result, shift, holm in zip(others, results, shifts, adjusted, strict=True)
    }

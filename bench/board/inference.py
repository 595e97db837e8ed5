"""What the tests say of all entries on one task: tiers, pairs, skill with intervals, symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.board.cells import Scored
from bench.board.model import Conditional, Test
from bench.board.scores import number, number_or_none
from bench.stats import protocol
from bench.stats.regimes import CRISIS, UNKNOWN

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Inference:
    """Tests of the k entries of a task, in the order of `entries`; array fields `(k,)` unless said."""

    entries: list[str]
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
    adjusted = {}
    for column, name in ((entries.index(name), name) for name in references if name in scored):
        tested = pairs.p_value[:, column].copy()
        tested[column] = np.nan  # the reference's own test is none
        adjusted[name] = stats.holm(tested)
    skilled = scored.get(references[0]) if references else None
    anchor = scored.get(references[-1]) if references else None
    return Inference(
        entries,
        pairs,
        stats.tiers(daily, horizon),
        None if skilled is None else stats.skill_intervals(panels, skilled.qlike, horizon),
        None if anchor is None else stats.symbol_tests(panels, anchor.qlike, horizon),
        adjusted,
        stats.pairwise_test(daily, horizon, protocol.beside(horizon)),
    )


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

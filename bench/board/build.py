"""Builds the board of a dataset and split: every score and test, from stored results alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bench import stats
from bench.board.cells import Scored
from bench.board.conclusion import conclude
from bench.board.gather import BESIDE, Gathered, TaskScores, gather
from bench.board.inference import Inference, conditionals, infer, tests_of
from bench.board.model import Absent, Board, Card, Conditional, OtherSplit, Row, TaskTable
from bench.board.render.figures import figure_names
from bench.board.scores import LABELS, ByCell, by_cell, number, number_or_none, regimes_of, scores_of
from bench.errors import BenchError
from bench.plugin.history import READS
from bench.plugin.measures import NOISE_FLOOR
from bench.plugin.tasks import target
from bench.registry.config import Settings
from bench.stats import losses, protocol
from bench.store import Run, Scope, machine_of


def build_board(scope: Scope) -> Board:
    """Returns the board of a scope from its stored results; errors as `gather`."""
    return board_of(gather(scope))


def board_of(gathered: Gathered) -> Board:
    """Returns the board of gathered results; the other split's places are read beside them."""
    scope = gathered.scope
    settings, dataset, split = scope.settings, scope.dataset, scope.windows
    tables = [_table(settings, gathered, name, scores) for name, scores in gathered.tasks.items()]
    cards = _cards(gathered)
    other = None if scope.study else BESIDE.get(scope.split)
    luck = _luck(gathered, tables, cards, other) if other in dataset.splits else []
    board = Board(
        dataset=dataset.id, title=dataset.title, split=scope.split, study=scope.study, protocol=settings.protocol,
        measure=dataset.measure,
        noise_floor=NOISE_FLOOR.get(dataset.measure), symbols=list(dataset.symbols), market=dataset.market,
        data_identity=gathered.data_identity,
        windows={
            name: [str(window.first), None if window.last is None else str(window.last)]
            for name, window in (("fit", split.fit), ("select", split.select), ("score", split.score))
        },
        vix_crisis=settings.regimes.vix_crisis, headline=settings.headline, references=list(settings.references),
        baseline=settings.baseline, other_split=other if luck else None, inputs=gathered.inputs,
        tables=tables, cards=cards, luck=luck,
    )  # fmt: skip
    board.conclusion.extend(conclude(board))
    board.figures.extend(figure_names(board, gathered))
    return board


# One task -------------------------------------------------------------------------------------------


def _table(settings: Settings, gathered: Gathered, name: str, scores: TaskScores) -> TaskTable:
    cells = scores.cells
    inference = infer(scores.scored, settings.references) if scores.scored else None
    rows: list[Row] = []
    if inference is not None:
        given = conditionals(scores.scored, settings.references[0]) if settings.references else {}
        truth = _true_target(gathered, name)
        baseline = scores.scored.get(settings.baseline)
        yardstick = by_cell(baseline, None) if baseline else {}
        rows = [_row(gathered, scores, name, inference, given.get(name), truth, yardstick) for name in scores.scored]
    rows.sort(key=lambda row: (row.tier, row.qlike, row.entry))
    absent = scores.absent
    if inference is None:
        absent = absent + [Absent(entry, "done", "all targets are zero") for entry in scores.scored]
    return TaskTable(
        task=name, ahead=cells.task.ahead, behind=cells.task.behind, derived_from=settings.tasks[name].derived_from,
        n_origins=len(cells.origins), first_origin=str(cells.origins[0]), last_origin=str(cells.origins[-1]),
        zero_targets=losses.zero_targets(cells.target_var),
        method=inference.pairs.method if inference else "",
        lags=inference.by("bartlett").lags if inference else 0, cosines=inference.by("cosine").df if inference else 0,
        n_symbols=int((cells.target_var > 0).any(axis=0).sum()),
        block=inference.tiers.first.block if inference else 0,
        gap=_gap(settings, inference, rows), truth_agreement=_agreement(rows),
        regime_counts={
            definition: {label: int((labels == label).sum()) for label in LABELS}
            for definition, labels in cells.regimes.items()
        },
        rows=rows, absent=absent, pair_p=_pair_p(inference, rows),
    )  # fmt: skip


def _row(
    gathered: Gathered, scores: TaskScores, entry: str, inference: Inference, given: Conditional | None,
    truth: np.ndarray[Any, np.dtype[np.float64]] | None, yardstick: ByCell,
) -> Row:  # fmt: skip
    mine, i = scores.scored[entry], inference.index(entry)
    settings = gathered.scope.settings
    baseline = scores.scored.get(settings.baseline)
    reference = scores.scored.get(settings.references[0]) if settings.references else None
    cells = by_cell(mine, baseline)
    symbol_qlike = losses.mean_by_symbol(mine.qlike)
    market = gathered.scope.dataset.market
    other = reference is not None and reference is not mine
    skill = inference.skill if other else None
    symbols = inference.symbols if entry != settings.references[-1] else None
    return Row(
        entry=entry, derived=entry in scores.derived, tier=int(inference.tiers.tier[i]),
        set_p_value=number_or_none(inference.tiers.first.p_value[i]),
        scores=scores_of(cells, {} if mine is baseline else yardstick, scores.cells.task.ahead),
        market_qlike=None if market is None else number_or_none(symbol_qlike[scores.cells.symbols.index(market)]),
        true_qlike=None if truth is None else number(losses.panel_average(losses.qlike(truth, mine.forecast_var))),
        skill=None if skill is None else number_or_none(skill.estimate[i]),
        skill_low=None if skill is None else number_or_none(skill.low[i]),
        skill_high=None if skill is None else number_or_none(skill.high[i]),
        wins=losses.wins(symbol_qlike, losses.mean_by_symbol(reference.qlike)) if reference and other else None,
        symbols_better=None if symbols is None else int(symbols.better()[i]),
        symbols_worse=None if symbols is None else int(symbols.worse()[i]),
        tests=tests_of(inference, entry), regimes=regimes_of(mine, cells, reference), conditional=given,
        symbol_qlike=[number_or_none(value) for value in symbol_qlike],
    )  # fmt: skip


def _true_target(gathered: Gathered, task_name: str) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The task's target of the true variance, where the bars are simulated."""
    if gathered.realized.true_var is None:
        return None
    cells = gathered.tasks[task_name].cells
    rows = np.searchsorted(gathered.realized.dates, cells.origins)
    return np.asarray(target(gathered.realized.true_var, cells.task)[rows])


def _agreement(rows: list[Row]) -> float | None:
    """Kendall's tau (b: ties count) between the orders by proxy and by true variance, where the bars are simulated."""
    pairs = [(row.qlike, row.true_qlike) for row in rows if row.true_qlike is not None]
    if len(pairs) < 2:
        return None
    from scipy.stats import kendalltau  # type: ignore[import-untyped]  # half a second to import: only where used

    return number_or_none(kendalltau(*zip(*pairs, strict=True)).statistic)


def _gap(settings: Settings, inference: Inference | None, rows: list[Row]) -> float | None:
    """The smallest resolvable gap to the anchor, median over the first two tiers."""
    if inference is None or not settings.references or settings.references[-1] not in inference.entries:
        return None
    first_two = [inference.index(row.entry) for row in rows if row.tier <= 2]
    gap = stats.smallest_resolvable_gap(inference.by(protocol.GAP), inference.index(settings.references[-1]), first_two)
    return number_or_none(gap)


def _pair_p(inference: Inference | None, rows: list[Row]) -> list[list[float | None]]:
    if inference is None:
        return []
    order = [inference.index(row.entry) for row in rows]
    return [[number_or_none(inference.pairs.p_value[i, j]) for j in order] for i in order]


# The entries ----------------------------------------------------------------------------------------


def _cards(gathered: Gathered) -> list[Card]:
    """One card an entry; an entry that answers tasks one by one has their costs added up."""
    cards: dict[str, Card] = {}
    for place, run in gathered.runs.items():
        card = _card(run, gathered.seeds.get(place.entry, []))
        before = cards.get(place.entry)
        if before is None:
            cards[place.entry] = card
        elif "path" not in run.identity_of.get("task", {}):  # a path is one run, recorded with each of its tasks
            cards[place.entry] = Card(**{
                **vars(before),
                "fit_seconds": number(before.fit_seconds + card.fit_seconds),
                "forecast_ms": number(before.forecast_ms + card.forecast_ms),
                "peak_memory_mb": max(before.peak_memory_mb, card.peak_memory_mb),
                "warnings": before.warnings + card.warnings,
                "runs": max(before.runs, card.runs),
                "failures": before.failures + card.failures,
                "isolation": sorted({*before.isolation, *card.isolation}),
            })  # fmt: skip
    return [replace(cards[name], **_reproduced(gathered, name)) for name in sorted(cards)]


def _reproduced(gathered: Gathered, entry: str) -> dict[str, Any]:
    """The fields of a card that say on which days, and on what, an entry's forecasts were made again."""
    mine = {place: gathered.reproductions.get(place) for place in gathered.runs if place.entry == entry}
    machines = {machine_of(found.hardware) for found in mine.values() if found is not None}
    return {
        "reproduced": {place.task: None if found is None else found.date for place, found in mine.items()},
        "reproduced_on": "; ".join(sorted(filter(None, machines))),
    }


def _card(run: Run, seeds: list[Scored]) -> Card:
    measured = list(run.measured.seeds.values())
    records = [record for seed in measured for record in seed.records]
    counts = [record["parameters"] for record in records if type(record.get("parameters")) is int]
    origins = sum(seed.origins for seed in measured)
    singles = [float(losses.panel_average(seed.qlike)) for seed in seeds]
    spread = np.std(singles, ddof=1) if len(singles) > 1 else None
    return Card(
        entry=run.entry, family=str(run.about.get("family", "")), version=run.version,
        reads=[name for name in run.identity_of.get("reads", []) if name in READS],
        refit=run.identity_of.get("refit"), seeds=len(measured),
        seed_spread=None if spread is None else number(spread), tuned_on=run.about.get("tuned_on"), runs=run.runs,
        parameters=min(max(counts), 10**12) if counts else None,
        fit_seconds=number(sum(seed.fit_seconds for seed in measured)),
        forecast_ms=number(1000 * sum(seed.forecast_seconds for seed in measured) / max(1, origins)),
        peak_memory_mb=max((seed.peak_memory_mb for seed in measured), default=0.0),
        warnings=sum("warning" in record for record in records), isolation=run.measured.isolation,
        hardware=machine_of(run.measured.hardware), failures=run.failures,
    )  # fmt: skip


def _luck(gathered: Gathered, tables: list[TaskTable], cards: list[Card], other: str | None) -> list[OtherSplit]:
    """Places on this split and on the other one, headline task, of the entries that are on both."""
    headline = gathered.scope.settings.headline
    here = next((table for table in tables if table.task == headline), None)
    if here is None or other is None:
        return []
    try:
        there = gather(replace(gathered.scope, split=other), [headline]).tasks.get(headline)
    except BenchError:
        return []
    if there is None:
        return []
    mine = {row.entry: row.qlike for row in here.rows if row.entry in there.scored}
    theirs = {entry: number(losses.panel_average(there.scored[entry].qlike)) for entry in mine}
    tuned = {card.entry: card.tuned_on for card in cards}

    def place(scores: dict[str, float], entry: str) -> int:
        return 1 + sum(value < scores[entry] for value in scores.values())

    return [
        OtherSplit(entry, mine[entry], place(mine, entry), theirs[entry], place(theirs, entry), tuned.get(entry))
        for entry in sorted(mine, key=lambda entry: (mine[entry], entry))
    ]

"""Builds the board of a dataset and split: every score and test, from stored results alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce

import numpy as np

from bench import stats
from bench.board.aside import aside
from bench.board.cells import Array
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
from bench.stats import losses, protocol
from bench.store import Scope, machine_of


def build_board(scope: Scope) -> Board:
    """Returns the board of a scope from its stored results; errors as `gather`."""
    _, whole = begin_board(gather(scope))
    return whole()


def begin_board(gathered: Gathered) -> tuple[Board, Callable[[], Board]]:
    """Returns a board with its headline table alone, and what gives the whole of it.

    The other tables, and the places on the other split, are made in a second process meanwhile.
    """
    scope = gathered.scope
    settings, dataset, split = scope.settings, scope.dataset, scope.windows
    cards = [_card(gathered, entry) for entry in sorted({place.entry for place in gathered.runs})]
    further = [name for name in gathered.tasks if name != settings.headline]
    work = partial(_further, gathered, further, cards)
    rest = aside(work) if further else work
    begun = Board(
        dataset=dataset.id, title=dataset.title, split=scope.split, study=scope.study, protocol=settings.protocol,
        measure=dataset.measure,
        noise_floor=NOISE_FLOOR.get(dataset.measure), symbols=list(dataset.symbols), market=dataset.market,
        data_identity=gathered.data_identity,
        windows={
            name: [str(window.first), None if window.last is None else str(window.last)]
            for name, window in (("fit", split.fit), ("select", split.select), ("score", split.score))
        },
        sessions_per_year=dataset.sessions_per_year,
        vix_crisis=settings.regimes.vix_crisis, headline=settings.headline, references=list(settings.references),
        baseline=settings.baseline, other_split=None, inputs=gathered.inputs, cards=cards,
        tables=[_table(gathered, name) for name in gathered.tasks if name == settings.headline],
    )  # fmt: skip
    begun = replace(begun, figures=figure_names(begun, gathered))

    def whole() -> Board:
        tables, luck = rest()
        by_task = {table.task: table for table in begun.tables + tables}
        board = replace(
            begun, tables=[by_task[name] for name in gathered.tasks], luck=luck,
            other_split=BESIDE.get(scope.split) if luck else None,
        )  # fmt: skip
        return replace(board, conclusion=conclude(board))

    return begun, whole


def _further(gathered: Gathered, tasks: list[str], cards: list[Card]) -> tuple[list[TaskTable], list[OtherSplit]]:
    return [_table(gathered, name) for name in tasks], _luck(gathered, cards)


# One task -------------------------------------------------------------------------------------------


def _table(gathered: Gathered, name: str) -> TaskTable:
    settings, scores = gathered.scope.settings, gathered.tasks[name]
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
        gap=_gap(settings.references, inference, rows), truth_agreement=_agreement(rows),
        regime_counts={
            definition: {label: int((labels == label).sum()) for label in LABELS}
            for definition, labels in cells.regimes.items()
        },
        rows=rows, absent=absent, pair_p=_pair_p(inference, rows),
    )  # fmt: skip


def _row(
    gathered: Gathered, scores: TaskScores, entry: str, inference: Inference, given: Conditional | None,
    truth: Array | None, yardstick: ByCell,
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


def _true_target(gathered: Gathered, task_name: str) -> Array | None:
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


def _gap(references: list[str], inference: Inference | None, rows: list[Row]) -> float | None:
    """The smallest resolvable gap to the anchor, median over the first two tiers."""
    if inference is None or not references or references[-1] not in inference.entries:
        return None
    first_two = [inference.index(row.entry) for row in rows if row.tier <= 2]
    gap = stats.smallest_resolvable_gap(inference.by(protocol.GAP), inference.index(references[-1]), first_two)
    return number_or_none(gap)


def _pair_p(inference: Inference | None, rows: list[Row]) -> list[list[float | None]]:
    if inference is None:
        return []
    order = [inference.index(row.entry) for row in rows]
    return [[number_or_none(inference.pairs.p_value[i, j]) for j in order] for i in order]


# The entries ----------------------------------------------------------------------------------------


def _card(gathered: Gathered, entry: str) -> Card:
    """The card of an entry; where it answers tasks one by one, its costs are added up."""
    mine = {place: run for place, run in gathered.runs.items() if place.entry == entry}
    first, *more = mine.values()
    runs = [first, *(run for run in more if "path" not in run.identity_of.get("task", {}))]  # a path is one run
    measured = [list(run.measured.seeds.values()) for run in runs]
    records = [[record for seed in seeds for record in seed.records] for seeds in measured]
    told = [record.get("parameters") for record in records[0]]
    counts = [count for count in told if type(count) is int and count >= 0]
    singles = [float(losses.panel_average(seed.qlike)) for seed in gathered.seeds.get(entry, [])]
    fit = [sum(seed.fit_seconds for seed in seeds) for seeds in measured]
    milliseconds = [
        1000 * sum(seed.forecast_seconds for seed in seeds) / max(1, sum(seed.origins for seed in seeds))
        for seeds in measured
    ]
    again = {place.task: gathered.reproductions.get(place) for place in mine}
    machines = {machine_of(found.hardware) for found in again.values() if found is not None}
    return Card(
        entry=entry, family=str(first.about.get("family", "")), version=first.version,
        reads=[name for name in first.identity_of.get("reads", []) if name in READS],
        refit=first.identity_of.get("refit"), seeds=len(measured[0]),
        seed_spread=number(np.std(singles, ddof=1)) if len(singles) > 1 else None,
        tuned_on=first.about.get("tuned_on"), runs=max(run.runs for run in runs),
        parameters=min(max(counts), 10**12) if counts else None, fit_seconds=_added(fit),
        forecast_ms=_added(milliseconds),
        peak_memory_mb=max((seed.peak_memory_mb for seeds in measured for seed in seeds), default=0.0),
        warnings=sum("warning" in record for seeds in records for record in seeds),
        isolation=sorted({level for run in runs for level in run.measured.isolation}),
        failures=sum(run.failures for run in runs),
        hardware=machine_of(first.measured.hardware),
        reproduced={task: None if found is None else found.date for task, found in again.items()},
        reproduced_on="; ".join(sorted(filter(None, machines))),
    )  # fmt: skip


def _added(values: list[float]) -> float:
    """The sum, rounded at every step as boards have it."""
    return reduce(lambda before, value: number(before + number(value)), values, 0.0)


def _luck(gathered: Gathered, cards: list[Card]) -> list[OtherSplit]:
    """Places on this split and on the one beside it, headline task, of the entries that are on both."""
    scope = gathered.scope
    headline, other = scope.settings.headline, BESIDE.get(scope.split)
    if scope.study or other not in scope.dataset.splits or headline not in gathered.tasks:
        return []
    try:
        there = gather(replace(scope, split=other), [headline]).tasks[headline].scored
    except (BenchError, KeyError):  # no results there, or none of this task
        return []
    here = gathered.tasks[headline].scored
    both = [entry for entry in here if entry in there]
    sides = [{entry: number(losses.panel_average(scored[entry].qlike)) for entry in both} for scored in (here, there)]
    tuned = {card.entry: card.tuned_on for card in cards}

    def row(entry: str) -> OtherSplit:
        standing = ((side[entry], 1 + sum(value < side[entry] for value in side.values())) for side in sides)
        return OtherSplit(entry, *next(standing), *next(standing), tuned.get(entry))

    return sorted(map(row, both), key=lambda each: (each.qlike, each.entry))

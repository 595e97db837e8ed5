"""The table object of a board: every score and test of one dataset and split, from stored results alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import losses, store
from bench.config import Dataset, Settings
from bench.errors import BenchError
from bench.regimes import CALM, CRISIS, UNKNOWN
from bench.scores import Cells, Scored, cells_of, check_cells, induced_forecasts
from bench.stats import panel_test
from bench.store import Place, Realized, Stored

LABELS = (CALM, CRISIS, UNKNOWN)
DIGITS = 10
"""Significant digits of every number on a board: the last bits of log and exp differ between processors."""


@dataclass(frozen=True)
class Test:
    """The panel test of a row against a reference: p two-sided, mean difference of QLIKE (negative: better)."""

    p_value: float
    statistic: float
    mean_difference: float
    method: str
    bartlett_p_value: float
    lags: int


@dataclass(frozen=True)
class RegimeScore:
    """Scores on the sessions of one regime."""

    n: int
    qlike: float
    mse_var: float


@dataclass(frozen=True)
class Row:
    """One entry on one task. `direction` is None where it has none; `regimes` by definition, then label."""

    entry: str
    derived: bool
    qlike: float
    mse_var: float
    mse_vol: float
    rmse_vol: float
    mae_vol: float
    direction: float | None
    bias: float
    r_squared: float | None
    market_qlike: float | None
    tests: dict[str, Test]
    regimes: dict[str, dict[str, RegimeScore]]


@dataclass(frozen=True)
class Absent:
    """A result without scores: its state and the reason."""

    entry: str
    state: str
    reason: str


@dataclass(frozen=True)
class TaskTable:
    """All rows of one task, by rising QLIKE; `derived_from` where a forecast of another task implies them."""

    task: str
    ahead: int
    derived_from: str | None
    n_origins: int
    first_origin: str
    last_origin: str
    zero_targets: int
    regime_counts: dict[str, dict[str, int]]
    rows: list[Row]
    absent: list[Absent]


@dataclass(frozen=True)
class Card:
    """What an entry reads, how it is run, and what it took."""

    entry: str
    version: str
    reads: list[str]
    refit: int | None
    seeds: int
    parameters: int | None
    fit_seconds: float
    forecast_ms: float
    peak_memory_mb: float
    notes: int


@dataclass(frozen=True)
class Board:
    """One dataset on one split."""

    dataset: str
    title: str
    split: str
    protocol: str
    measure: str
    symbols: list[str]
    market: str | None
    data_identity: str
    windows: dict[str, list[str | None]]
    vix_crisis: float
    references: list[str]
    baseline: str
    hardware: list[str]
    tables: list[TaskTable] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)


def build_board(settings: Settings, dataset: Dataset, split_name: str, results: Path) -> Board:
    """Returns the board of a dataset and split from the results folder; no bars and no entries are read.

    Raises a `BenchError` where there are no results, where results come from bars of several identities, and
    where an entry's cells are not the task's.
    """
    stored = _stored(settings, dataset, split_name, results)
    if not stored:
        raise BenchError(
            f"no results of {dataset.id} on {split_name} in {results}: "
            f"run `bench run --dataset {dataset.id} --split {split_name}`"
        )
    identity = _one_identity(stored)
    realized = store.read_realized(results, dataset.id)
    tables = []
    for name, task in settings.task_objects.items():
        derived_from = settings.tasks[name].derived_from
        direct = {place.entry: item for place, item in stored.items() if place.task == name}
        source = {place.entry: item for place, item in stored.items() if place.task == derived_from}
        cells = cells_of(realized, dataset.split(split_name), task)
        if len(cells.origins) and (direct or source):
            tables.append(_table(settings, dataset, cells, direct, source, realized))
    split = dataset.split(split_name)
    return Board(
        dataset=dataset.id, title=dataset.title, split=split_name, protocol=settings.protocol, measure=dataset.measure,
        symbols=list(dataset.symbols), market=dataset.market, data_identity=identity,
        windows={
            name: [str(window.first), None if window.last is None else str(window.last)]
            for name, window in (("fit", split.fit), ("select", split.select), ("score", split.score))
        },
        vix_crisis=settings.regimes.vix_crisis, references=list(settings.references), baseline=settings.baseline,
        hardware=_hardware(stored.values()), tables=tables, cards=_cards(stored),
    )  # fmt: skip


def _stored(settings: Settings, dataset: Dataset, split_name: str, results: Path) -> dict[Place, Stored]:
    """Every result of the split, sorted by task and entry."""
    found = {}
    for task in settings.tasks:
        for path in sorted((results / dataset.id / split_name / task).glob("*/run.json")):
            place = Place(results, dataset.id, split_name, task, path.parent.name)
            found[place] = store.read(place)
    return found


def _one_identity(stored: dict[Place, Stored]) -> str:
    seen: dict[str, Place] = {}
    for place, item in stored.items():
        if item.run is not None and not item.problem:
            seen.setdefault(item.run.data_identity, place)
    if len(seen) > 1:
        (one, here), (other, there) = list(seen.items())[:2]
        raise BenchError(
            f"{here} and {there} come from different bars (identities {one[:12]} and {other[:12]}): "
            "a board holds one identity; run the older ones again"
        )
    return next(iter(seen), "")


# One task -------------------------------------------------------------------------------------------


def _table(
    settings: Settings, dataset: Dataset, cells: Cells, direct: dict[str, Stored], source: dict[str, Stored],
    realized: Realized,
) -> TaskTable:  # fmt: skip
    scored: dict[str, Scored] = {}
    absent: list[Absent] = []
    for is_direct, group in ((False, source), (True, direct)):
        for entry, item in group.items():
            if item.forecasts is None or item.state != store.DONE:
                reason = item.problem or (item.run.reason if item.run else None) or "not finished"
                absent.append(Absent(entry, item.state, reason))
                continue
            forecasts = item.forecasts if is_direct else induced_forecasts(realized, item.forecasts, cells.task)
            check_cells(cells, forecasts, f"{dataset.id}: {entry} on {cells.task.name}")
            scored[entry] = Scored(cells, forecasts.forecast_var)
    rows = [_row(settings, dataset, entry, entry not in direct, scored) for entry in scored]
    counts = {name: {label: int((labels == label).sum()) for label in LABELS} for name, labels in cells.regimes.items()}
    return TaskTable(
        task=cells.task.name, ahead=cells.task.ahead, derived_from=settings.tasks[cells.task.name].derived_from,
        n_origins=len(cells.origins), first_origin=str(cells.origins[0]), last_origin=str(cells.origins[-1]),
        zero_targets=losses.zero_targets(cells.target_var), regime_counts=counts,
        rows=sorted(rows, key=lambda row: (row.qlike, row.entry)), absent=sorted(absent, key=lambda row: row.entry),
    )  # fmt: skip


def _row(settings: Settings, dataset: Dataset, entry: str, derived: bool, scored: dict[str, Scored]) -> Row:
    mine = scored[entry]
    cells = mine.cells
    direction = float(losses.panel_average(mine.hits))
    baseline = scored.get(settings.baseline)
    market = None
    if dataset.market is not None:
        column = cells.symbols.index(dataset.market)
        market = _number(losses.mean_by_symbol(mine.qlike)[column])
    return Row(
        entry=entry,
        derived=derived,
        qlike=_number(losses.panel_average(mine.qlike)),
        mse_var=_number(losses.panel_average(mine.squared_error_var)),
        mse_vol=_number(losses.panel_average(mine.squared_error_vol)),
        rmse_vol=_number(losses.root_mean_square(mine.squared_error_vol)),
        mae_vol=_number(losses.panel_average(losses.absolute_error_vol(cells.target_var, mine.forecast_var))),
        direction=None if math.isnan(direction) else _number(direction),
        bias=_number(losses.bias(cells.target_var, mine.forecast_var)),
        r_squared=None
        if baseline is None
        else _number(losses.r_squared(cells.target_var, mine.forecast_var, baseline.forecast_var)),
        market_qlike=market,
        tests={name: _test(mine, scored[name]) for name in settings.references if name in scored and name != entry},
        regimes={
            name: {label: _regime(mine, labels == label) for label in LABELS if (labels == label).any()}
            for name, labels in cells.regimes.items()
        },
    )


def _test(mine: Scored, reference: Scored) -> Test:
    result = panel_test(mine.qlike, reference.qlike, horizon=mine.cells.task.ahead)
    headline = result.headline
    return Test(
        p_value=_number(headline.p_value),
        statistic=_number(headline.statistic),
        mean_difference=_number(headline.mean_difference),
        method=result.method,
        bartlett_p_value=_number(result.bartlett.p_value),
        lags=result.bartlett.lags,
    )


def _regime(mine: Scored, rows: np.ndarray[Any, np.dtype[np.bool_]]) -> RegimeScore:
    return RegimeScore(
        n=int(rows.sum()),
        qlike=_number(losses.panel_average(mine.qlike[rows])),
        mse_var=_number(losses.panel_average(mine.squared_error_var[rows])),
    )


def _number(value: Any) -> float:
    """A float with the digits of a board."""
    return float(f"{float(value):.{DIGITS}g}")


# What the entries are and took ----------------------------------------------------------------------


def _cards(stored: dict[Place, Stored]) -> list[Card]:
    """One card an entry; an entry that answers tasks one by one has their costs added up."""
    cards: dict[str, Card] = {}
    for place, item in stored.items():
        if item.run is None or item.state != store.DONE:
            continue
        is_path = "path" in item.run.identity_of.get("task", {})
        card = _card(item.run)
        before = cards.get(place.entry)
        if before is None:
            cards[place.entry] = card
        elif not is_path:  # a path is one run, recorded with each of its tasks
            cards[place.entry] = Card(**{
                **vars(before),
                "fit_seconds": _number(before.fit_seconds + card.fit_seconds),
                "forecast_ms": _number(before.forecast_ms + card.forecast_ms),
                "peak_memory_mb": max(before.peak_memory_mb, card.peak_memory_mb),
            })  # fmt: skip
    return [cards[name] for name in sorted(cards)]


def _card(run: store.Run) -> Card:
    seeds = list(run.measured.get("seeds", {}).values())
    records = [record for seed in seeds for record in seed.get("records", [])]
    counts = [record["parameters"] for record in records if isinstance(record.get("parameters"), int)]
    origins = sum(seed["origins"] for seed in seeds)
    return Card(
        entry=run.entry,
        version=run.version,
        reads=list(run.identity_of.get("reads", [])),
        refit=run.identity_of.get("refit"),
        seeds=len(seeds),
        parameters=max(counts, default=None),
        fit_seconds=_number(sum(seed["fit_seconds"] for seed in seeds)),
        forecast_ms=_number(1000 * sum(seed["forecast_seconds"] for seed in seeds) / max(1, origins)),
        peak_memory_mb=max((seed["peak_memory_mb"] for seed in seeds), default=0.0),
        notes=sum("warning" in record for record in records),
    )


def _hardware(stored: Iterable[Stored]) -> list[str]:
    """The machines that the results were made on, each once."""
    machines = set()
    for item in stored:
        hardware = item.run.measured.get("hardware") if item.run else None
        if hardware:
            machines.add(f"{hardware.get('processor')}, {hardware.get('cores')} cores")
    return sorted(machines)

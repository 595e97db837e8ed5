"""Stored results of one dataset and split, scored: what boards, figures and comparisons are made from."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from bench import store
from bench.board.cells import Cells, Scored, cells_of, check_cells, induced_forecasts
from bench.board.model import Absent
from bench.errors import BenchError
from bench.registry.config import Dataset
from bench.store import Place, Reproduction, Run, Scope, Stored, stale_parts
from bench.store.realized import Realized

BESIDE = {"official": "development"}
"""The split whose places stand beside a split's, on the board of the latter."""


@dataclass(frozen=True)
class TaskScores:
    """One task: the cells, every finished entry's losses, what is absent, and which rows are derived."""

    cells: Cells
    scored: dict[str, Scored]
    absent: list[Absent]
    derived: set[str]


@dataclass(frozen=True)
class Gathered:
    """Everything that is stored of a dataset and split: runs and reproductions by place, scores by task.

    `seeds` are those of entries with several, on the headline task.
    """

    scope: Scope
    data_identity: str
    realized: Realized
    runs: dict[Place, Run]
    reproductions: dict[Place, Reproduction]
    tasks: dict[str, TaskScores]
    seeds: dict[str, list[Scored]]

    @property
    def inputs(self) -> str:
        """The digest of what a board is made from."""
        return inputs_digest(self.scope, self.realized)


def gather(scope: Scope, tasks: Collection[str] | None = None) -> Gathered:
    """Returns the scored results of a scope, of all tasks or some; no bars and no entries are read.

    Of a study: its rows, and from the board the references and the baseline, as far as they have finished.

    Raises a `BenchError` where there are no results, where they come from bars of several identities, and where
    an entry's cells are not the task's.
    """
    settings, dataset = scope.settings, scope.dataset
    stored = _stored(scope, settings.tasks if tasks is None else tasks)
    if not stored:
        of_study = f" of the study {scope.study}" if scope.study else ""
        raise BenchError(
            f"no results{of_study} of {dataset.id} on {scope.split} in {scope.results}: "
            f"run `bench run --dataset {dataset.id} --split {scope.split}`"
        )
    realized = scope.realized()
    if realized.vix_crisis != settings.regimes.vix_crisis:
        raise BenchError(
            f"the regimes of {dataset.id} were labelled with a VIX of {realized.vix_crisis:g}, bench.yaml says "
            f"{settings.regimes.vix_crisis:g}: run `bench run --dataset {dataset.id}` to label them again"
        )
    done = {place: item for place, item in stored.items() if item.run is not None and item.state == store.DONE}
    runs = {place: item.run for place, item in done.items() if item.run is not None}
    reproductions = {place: found for place, run in runs.items() if (found := store.read_reproduction(place, run))}
    scores: dict[str, TaskScores] = {}
    for name, task in settings.task_objects.items():
        derived_from = settings.tasks[name].derived_from
        direct = {place.entry: item for place, item in stored.items() if place.task == name}
        source = {place.entry: item for place, item in stored.items() if place.task == derived_from}
        cells = cells_of(realized, scope.windows, task, dataset.sessions_per_year)
        if len(cells.origins) and (direct or source) and (tasks is None or name in tasks):
            scores[name] = _score(dataset, cells, direct, source, realized)
    seeds = {
        place.entry: [Scored(scores[place.task].cells, part.forecast_var) for part in item.seeds.values()]
        for place, item in done.items()
        if place.task == settings.headline and place.task in scores and len(item.seeds) > 1
    }
    return Gathered(scope, _one_identity(stored), realized, runs, reproductions, scores, seeds)


def inputs_digest(scope: Scope, realized: Realized) -> str:
    """sha256 of what a board is made from: records, measure, registry; the same digest, the same board."""
    digest = hashlib.sha256()
    dataset, beside = scope.dataset, BESIDE.get(scope.split)
    splits = [scope.split, *([beside] if beside in dataset.splits else [])]
    found = [place for name in splits for place in replace(scope, split=name, study=None).places()]
    found += scope.places() if scope.study else []
    paths = [place.folder / name for place in found for name in ("run.json", store.REPRODUCED)]
    for path in filter(Path.is_file, paths):
        digest.update(f"{path.relative_to(scope.results)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    digest.update(realized.until(scope.windows.score.last).digest().encode())
    # limits are of running entries: no board follows from them
    digest.update(scope.settings.model_dump_json(exclude={"limits"}).encode() + dataset.model_dump_json().encode())
    return digest.hexdigest()


def _stored(scope: Scope, tasks: Collection[str]) -> dict[Place, Stored]:
    """Every result of the split, sorted by task and entry; one made under other rules has no forecasts here."""
    settings, found = scope.settings, {}
    wanted = scope.places()
    if scope.study and wanted:
        studied = {place.task for place in wanted}
        studied |= {settings.tasks[task].derived_from or task for task in studied & set(settings.tasks)}
        beside = {*settings.references, settings.baseline}
        board = replace(scope, study=None).places()
        wanted += [place for place in board if place.entry in beside and place.task in studied]
    for place in wanted:
        if place.task not in tasks or place.task not in settings.tasks:
            continue
        item = store.read(place)
        if item.run is not None and item.problem is None and item.state == store.DONE:
            for part, *_ in stale_parts(item.run, scope)[:1]:
                item = Stored(item.run, problem=f"was made under another {part}: run it again")
        found[place] = item
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


def _score(
    dataset: Dataset, cells: Cells, direct: dict[str, Stored], source: dict[str, Stored], realized: Realized
) -> TaskScores:
    """Direct forecasts come before derived ones; both are checked to be of just these cells."""
    result = TaskScores(cells, {}, [], set())
    for entry, item in {**source, **direct}.items():
        if item.forecasts is None or item.state != store.DONE:
            reason = item.problem or (item.run.reason if item.run else None) or "not finished"
            result.absent.append(Absent(entry, item.state, reason))
            continue
        forecasts = item.forecasts if entry in direct else induced_forecasts(realized, item.forecasts, cells.task)
        check_cells(cells, forecasts, f"{dataset.id}: {entry} on {cells.task.name}")
        result.scored[entry] = Scored(cells, forecasts.forecast_var)
        if entry not in direct:
            result.derived.add(entry)
    result.absent.sort(key=lambda row: row.entry)
    return result

"""Freezing an edition: what is stored now, checked, and written under a name that does not change any more."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import __version__, store
from bench.board.cells import cells_of
from bench.board.gather import BESIDE
from bench.errors import BenchError, StorageError
from bench.files import as_json, write_atomic
from bench.publish import keeping
from bench.publish.citation import CitedEntry, Release, citation_files, read_metadata
from bench.publish.editions import FOLDER, PATTERN, SUMS, Edition, Facts, FrozenDataset
from bench.publish.guards import verify
from bench.publish.upkeep import Waiting, held
from bench.registry.config import Dataset, Registry
from bench.registry.entries import Entry, discover
from bench.store import MAIN_SPLIT, Run, Scope, stale_parts
from bench.store.realized import read_realized


def freeze(registry: Registry, name: str, waiting: Waiting = lambda: None) -> Path:
    """Freezes what is stored as an edition; returns its folder, which appears whole or not at all.

    Raises a `BenchError` where the name is taken or no `YEAR.NUMBER`, and with a line for each thing that is in the
    way: what the guards of `bench verify` say, and results that are missing or not those of today's `submissions/`.
    """
    if not PATTERN.fullmatch(name):
        raise BenchError(f"`{name}` is no name of an edition: write YEAR.NUMBER, such as 2026.1")
    target = registry.root / FOLDER / name
    if target.exists():
        raise BenchError(f"{target} is there, and an edition never changes: choose the next number")
    with held(registry.results, waiting=waiting):
        keeping.remove_strangers(registry.root)
        files = contents(registry, name)
        aside = target.with_name(f".{name}.tmp")
        shutil.rmtree(aside, ignore_errors=True)  # of a freeze that was killed
        try:
            for path, content in files.items():
                write_atomic(aside / path, content)
            keeping.keep(Edition(aside), registry.results)
            aside.rename(target)
        except OSError as error:
            raise StorageError(f"cannot store {target}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
            keeping.remove_strangers(registry.root)
    return target


def contents(registry: Registry, name: str) -> dict[str, bytes]:
    """Returns the files of an edition by path; the same results give the same bytes. Errors as `freeze`."""
    found = map(registry.dataset, registry.dataset_ids())
    datasets = [dataset for dataset in found if store.places(registry.results, dataset.id, MAIN_SPLIT)]
    if not datasets:
        raise BenchError(f"no results to freeze in {registry.results}: `bench run` makes them")
    entries = discover(registry.root / "submissions", registry.settings.tasks).entries
    problems = [str(failure) for failure in verify(registry).failures]
    for dataset in datasets:
        problems += _outdated(registry, dataset, entries) + _missing(registry, dataset, entries)
    if problems:
        raise BenchError("cannot freeze:\n" + "\n".join(f"  {problem}" for problem in problems))
    runs: list[Run] = []
    frozen: dict[str, FrozenDataset] = {}
    files: dict[str, bytes] = {"settings.yaml": (registry.root / "bench.yaml").read_bytes()}
    for dataset in datasets:
        mine = _runs_of(registry, dataset)
        runs += mine
        files |= _board_files(registry, dataset)
        frozen[dataset.id] = FrozenDataset(
            identity={run.split: run.data_identity for run in mine},
            measure=keeping.measure_of(registry.results, dataset).digest(),
        )
    facts = Facts(edition=name, version=__version__, protocol=registry.settings.protocol, datasets=frozen)
    cited = {entry: CitedEntry.of(entries[entry]) for entry in sorted({run.entry for run in runs})}
    files["edition.json"] = as_json(facts.model_dump())
    files["forecasts.json"] = as_json([_record(run) for run in runs])
    files["entries.json"] = as_json({key: entry.model_dump(exclude_none=True) for key, entry in cited.items()})
    files |= citation_files(Release(read_metadata(registry.root), facts.version, facts.protocol, name))
    sums = "".join(f"{hashlib.sha256(files[path]).hexdigest()}  {path}\n" for path in sorted(files))
    return {**dict(sorted(files.items())), SUMS: sums.encode()}


def _runs_of(registry: Registry, dataset: Dataset) -> list[Run]:
    """The records behind a dataset's official board.

    The board shows places on another split beside its own, so the headline results of that one belong to it.
    """
    wanted, beside = store.places(registry.results, dataset.id, MAIN_SPLIT), BESIDE.get(MAIN_SPLIT)
    if beside in dataset.splits:
        others = store.places(registry.results, dataset.id, beside)
        wanted += [place for place in others if place.task == registry.settings.headline]
    return [run for run in map(store.read_run, wanted) if run is not None]


def _outdated(registry: Registry, dataset: Dataset, entries: dict[str, Entry]) -> list[str]:
    """Official results without forecasts that are not of the entry as it is now; of the others the guards say it."""
    lines, scope = [], Scope(registry.settings, dataset, MAIN_SPLIT, registry.results)
    for place in scope.places():
        run, entry = store.read_run(place), entries.get(place.entry)
        if run is None or entry is None or run.state == store.DONE or place.task not in registry.settings.tasks:
            continue
        if stale_parts(run, scope, entry):
            again = f"`bench run {entry.name} --dataset {dataset.id}`"
            lines.append(f"{place} is not of the entry as it is under submissions/ now: {again}")
    return lines


def _missing(registry: Registry, dataset: Dataset, entries: dict[str, Entry]) -> list[str]:
    """What a run of all entries would make on the official split and nobody has run yet."""
    settings, split = registry.settings, dataset.split(MAIN_SPLIT)
    try:
        realized = read_realized(registry.results, dataset.id)
    except BenchError:  # there is no board without the measure: the guards say so
        return []
    scored = [name for name, task in settings.task_objects.items() if len(cells_of(realized, split, task).origins)]
    have = {(place.task, place.entry) for place in store.places(registry.results, dataset.id, MAIN_SPLIT)}
    lines = []
    for entry in entries.values():
        lacking = [task for task in entry.answers(settings) if task in scored and (task, entry.name) not in have]
        if lacking and entry.is_meant_for(dataset.id):
            again = f"`bench run {entry.name} --dataset {dataset.id}`"
            lines.append(f"{dataset.id}: {entry.name} has no result on {', '.join(lacking)}: {again}")
    return lines


def _board_files(registry: Registry, dataset: Dataset) -> dict[str, bytes]:
    """The board as it is committed, with its figures, and the dataset's definition."""
    folder = Scope(registry.settings, dataset, MAIN_SPLIT, registry.results).folder
    figures = json.loads((folder / "leaderboard.json").read_bytes())["figures"]
    names = ["LEADERBOARD.md", "leaderboard.json", "leaderboard.csv", *(f"figures/{name}.svg" for name in figures)]
    try:
        files = {f"{dataset.id}/{name}": (folder / name).read_bytes() for name in names}
    except OSError as error:
        again = f"`bench board --dataset {dataset.id}` makes it again"
        raise BenchError(f"{error.filename} cannot be read ({error.strerror}): {again}") from error
    files[f"{dataset.id}/dataset.yaml"] = (dataset.folder / "dataset.yaml").read_bytes()
    return files


def _record(run: Run) -> dict[str, Any]:
    left_out = "measured", "traceback"
    return {key: value for key, value in asdict(run).items() if key not in left_out and value not in (None, {})}

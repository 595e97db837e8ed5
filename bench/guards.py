"""The guards of what is published: results, boards and ledger agree with each other, and with what was there before.

Each failure names a file and both values. No bars are read and no model is run; boards are derived again from the
stored forecasts.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import git, ledger, store
from bench.campaign import identity_of
from bench.config import Registry
from bench.entries import Catalogue, discover
from bench.errors import BenchError, StorageError
from bench.ledger import Key
from bench.realized import Realized, changed_days, read_realized, same_sessions
from bench.regimes import UNKNOWN
from bench.store import DONE, Place, Run, Stored

RECORDS = ("run.json", "realized.parquet", ledger.NAME)
"""The files below results/ that a base is compared by."""


@dataclass(frozen=True)
class Failure:
    """One thing that is not as it must be: the guard that found it, the file, and what is wrong with both values."""

    guard: str
    file: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file}: {self.problem}"


@dataclass(frozen=True)
class Tree:
    """A registry with its results, each file read once."""

    registry: Registry
    stored: dict[Place, Stored]
    catalogue: Catalogue

    @cached_property
    def runs(self) -> dict[Key, Run]:
        """The finished results whose record can be read."""
        return ledger.finished(self.registry.results)

    @cached_property
    def boards(self) -> list[tuple[str, str, str | None]]:
        """Dataset, split and study of the boards that the results make."""
        found = {(place.dataset, place.split, place.study) for place in self.stored}
        return sorted(found, key=lambda board: (board[0], board[2] or "", board[1]))

    def shown(self, path: Path) -> str:
        """A path as it is named in a failure: below the root."""
        return str(path.relative_to(self.registry.root))

    def record(self, place: Place) -> str:
        """The record of a result, as it is named in a failure."""
        return self.shown(place.folder / "run.json")


@dataclass(frozen=True)
class Report:
    """What was verified, and the failures; `base` is the commit that it was compared with."""

    results: int
    boards: int
    events: int
    base: str | None
    failures: list[Failure] = field(default_factory=list)


def verify(registry: Registry, base: str | None = None) -> Report:
    """Returns what all guards say of a registry's results; those that compare need a `base`, any name of a commit.

    The base is the last commit that this checkout and `base` have in common, so that what others have added there
    since then is not missed here. Raises a `BenchError` where there is no such commit.
    """
    commit = None if base is None else git.common_commit(registry.root, base)
    stored = {place: store.read(place) for place in store.all_places(registry.results)}
    tree = Tree(registry, stored, discover(registry.root / "submissions", registry.settings.tasks))
    failures = [failure for guard in GUARDS for failure in guard(tree)]
    if commit is not None:
        with tempfile.TemporaryDirectory() as folder:
            git.export(registry.root, commit, _is_compared, Path(folder))
            failures += [failure for compare in COMPARISONS for failure in compare(tree, Path(folder))]
    events = registry.results / ledger.NAME
    lines = len(events.read_bytes().splitlines()) if events.is_file() else 0
    return Report(len(stored), len(tree.boards), lines, commit, failures)


def _is_compared(path: str) -> bool:
    parts = Path(path).parts
    if parts[0] == "results":
        return parts[-1] in RECORDS
    return path == "bench.yaml" or (parts[0] == "datasets" and parts[-1] == "dataset.yaml")


# Of the tree alone ----------------------------------------------------------------------------------


def records(tree: Tree) -> Iterator[Failure]:
    """Forecasts and records belong together: digests, identities, nothing without a record."""
    for place, item in tree.stored.items():
        file = tree.record(place)
        if item.problem:
            yield Failure("records", file, item.problem)
        elif item.run is None:
            yield Failure("records", file, "is not there, but its folder is: forecasts need the record of their run")
        elif item.run.identity != (derived := store.identity_from(item.run.identity_of)):
            yield Failure(
                "records", file, f"identity {item.run.identity[:12]} is not that of its parts ({derived[:12]})"
            )
        elif (place.folder / store.REPRODUCED).is_file() and store.read_reproduction(place, item.run) is None:
            yield Failure(
                "records", tree.shown(place.folder / store.REPRODUCED),
                f"is not about the present forecasts (digest {(item.run.digest or 'none')[:12]}), or not within its "
                "tolerance: remove it, or run `bench reproduce` again",
            )  # fmt: skip


def data(tree: Tree) -> Iterator[Failure]:
    """Results come from the bars that the registry pins."""
    known = tree.registry.dataset_ids()
    for place, item in tree.stored.items():
        file = tree.record(place)
        if place.dataset not in known:
            yield Failure("data", file, f"there is no datasets/{place.dataset}/dataset.yaml")
            continue
        dataset = tree.registry.dataset(place.dataset)
        if place.split not in dataset.splits:
            yield Failure("data", file, f"datasets/{place.dataset}/dataset.yaml has no split {place.split}")
            continue
        pinned = dataset.identity.get(place.split)
        if item.run is None:
            continue
        for name, value in (("data_identity", item.run.data_identity), ("data", item.run.identity_of.get("data"))):
            if pinned is not None and value != pinned:
                yield Failure(
                    "data", file,
                    f"{name} {str(value)[:12]}, datasets/{place.dataset}/dataset.yaml pins {pinned[:12]} for "
                    f"{place.split}",
                )  # fmt: skip


def code(tree: Tree) -> Iterator[Failure]:
    """Results were made by what is in submissions/ now, under the rules that hold now."""
    for problem in tree.catalogue.problems:
        yield Failure("code", "submissions", problem)
    settings = tree.registry.settings
    for place, item in tree.stored.items():
        entry, run = tree.catalogue.entries.get(place.entry), item.run
        if run is None or item.state != DONE or place.dataset not in tree.registry.dataset_ids():
            continue
        file = tree.record(place)
        dataset = tree.registry.dataset(place.dataset)
        if entry is None:
            yield Failure("code", file, f"no entry {place.entry} under submissions/: withdraw its results")
        elif entry.row.study != place.study:
            there = f"submissions/{entry.family}/submission.yaml has {_where(entry.row.study)}"
            yield Failure("code", file, f"{place.entry} lies under {_where(place.study)}, {there}")
        elif place.task in settings.tasks and place.split in dataset.splits:
            task = settings.task(place.task)
            now = identity_of(settings, dataset, place.split, run.data_identity, entry, task)
            for name, made, here in store.differing_parts(run.identity_of, now):
                yield Failure(
                    "code", file,
                    f"stale: made with {name} {made}, submissions/{entry.family} and the registry give {here}: "
                    f"`bench run {place.entry} --dataset {place.dataset} --split {place.split}`",
                )  # fmt: skip
        else:
            yield Failure("code", file, f"bench.yaml has no task {place.task}, or the dataset no split {place.split}")


def _where(study: str | None) -> str:
    return f"study {study}" if study else "the board"


def boards(tree: Tree) -> Iterator[Failure]:
    """Every board follows from the stored forecasts, and there is no board without results."""
    from bench.board import board_folder, build_board
    from bench.board.writing import disagreements

    registry = tree.registry
    expected = set()
    for dataset, split, study in tree.boards:
        folder = board_folder(registry.results, dataset, split, study)
        expected.add(folder)
        command = f"`bench board --dataset {dataset} --split {split}{f' --study {study}' if study else ''}`"
        try:
            board = build_board(registry.settings, registry.dataset(dataset), split, registry.results, study)
        except BenchError as error:
            yield Failure("boards", tree.shown(folder), f"no board can be derived: {error}")
            continue
        found = disagreements(board, registry.results)
        for path in dict.fromkeys(path for path, _ in found):
            first, *more = [what for file, what in found if file == path]
            further = f" (and {len(more)} more)" if more else ""
            yield Failure("boards", tree.shown(path), f"{first}{further}; {command} writes it again")
    for path in sorted(registry.results.rglob("leaderboard.json")):
        if path.parent not in expected:
            yield Failure("boards", tree.shown(path), "is a board without results: remove it and the files beside it")


def accounts(tree: Tree) -> Iterator[Failure]:
    """The ledger replays, and what it gives are the results here and the rows of the boards."""
    results = tree.registry.results
    path = tree.shown(results / ledger.NAME)
    if tree.runs and not (results / ledger.NAME).is_file():
        yield Failure("ledger", path, f"is not there, but {len(tree.runs)} results are: run `bench ledger --update`")
        return
    try:
        state = ledger.replay(ledger.read_events(results))
    except StorageError as error:
        yield Failure("ledger", path, str(error))
        return
    for key, what in ledger.gaps(state, tree.runs):
        yield Failure("ledger", tree.record(key.place(results)), f"{what}: run `bench ledger --update`")
    for file in sorted(results.rglob("leaderboard.json")):
        yield from _rows(tree, state, file)


def _rows(tree: Tree, state: ledger.State, file: Path) -> Iterator[Failure]:
    """Rows of a committed board that the ledger does not have, and results of the ledger that are no rows."""
    try:
        board = json.loads(file.read_bytes())
        place = board["dataset"], board["split"], board["study"]
        rows = {(_source(table, row), row["entry"]) for table in board["tables"] for row in table["rows"]}
        absent = {(table["task"], row["entry"]) for table in board["tables"] for row in table["absent"]}
    except (ValueError, KeyError, TypeError) as error:
        yield Failure("ledger", tree.shown(file), f"is no board ({type(error).__name__}: {error})")
        return
    dataset, split, study = place
    for task, entry in sorted(rows):
        if not any(Key(dataset, split, task, entry, where) in state for where in (study, None)):
            yield Failure("ledger", tree.shown(file), f"has a row {entry} on {task}, the ledger has no such result")
    for key in state:
        mine = (key.dataset, key.split, key.study) == place and key.task in tree.registry.settings.tasks
        if mine and (key.task, key.entry) not in rows | absent:
            yield Failure(
                "ledger", tree.shown(file), f"has no row {key.entry} on {key.task}, the ledger has its result"
            )


def _source(table: dict[str, Any], row: dict[str, Any]) -> str:
    """The task whose forecasts a row comes from."""
    return str(table["derived_from"] if row["derived"] else table["task"])


# Against a base -------------------------------------------------------------------------------------


def kept(tree: Tree, base: Path) -> Iterator[Failure]:
    """No result of the base is gone without a withdrawal, none is another one without a new version."""
    added = _added_events(tree.registry.results, base / "results")
    withdrawn = {event.key for event in added if event.event == ledger.WITHDRAWN}
    for key, old in ledger.finished(base / "results").items():
        place = key.place(tree.registry.results)
        run = store.read_run(place)
        file = tree.record(place)
        if (run is None or run.state != DONE) and key not in withdrawn:
            now = "nothing is here" if run is None else f"its state is {run.state}"
            yield Failure(
                "kept", file,
                f"{key} was done in the base (version {old.version}, identity {old.identity[:12]}), {now}, and the "
                "ledger does not say that it was withdrawn",
            )  # fmt: skip
        if run is None or _version(run) != _version(old):
            continue
        for name, before, after in (("identity", old.identity, run.identity), ("digest", old.digest, run.digest)):
            if before != after:
                yield Failure(
                    "kept", file,
                    f"{name} {str(after)[:12]}, in the base {str(before)[:12]}, both as version {run.version}: raise "
                    f"`version` of {key.entry} in submission.yaml and run it again",
                )  # fmt: skip


def _version(run: Run) -> tuple[str, Any]:
    """What a result must differ in from the one it replaces: the row's version, or the protocol of all."""
    return run.version, run.identity_of.get("protocol")


def _added_events(results: Path, base: Path) -> list[ledger.Event]:
    """The lines that the ledger has beyond the base's; none where one of the two cannot be read (told elsewhere)."""
    try:
        return ledger.read_events(results)[len(ledger.read_events(base)) :]
    except StorageError:
        return []


def appended(tree: Tree, base: Path) -> Iterator[Failure]:
    """The ledger begins with the base's lines."""
    old, new = (
        path.read_bytes().splitlines() if path.is_file() else []
        for path in (base / "results" / ledger.NAME, tree.registry.results / ledger.NAME)
    )
    for number, line in enumerate(old, start=1):
        here = new[number - 1] if number <= len(new) else None
        if here != line:
            said = "is gone" if here is None else f"is {here.decode(errors='replace')}"
            yield Failure(
                "appended", f"{tree.shown(tree.registry.results / ledger.NAME)}:{number}",
                f"{said}, in the base {line.decode(errors='replace')}: lines are only ever added",
            )  # fmt: skip
            return


def published(tree: Tree, base: Path) -> Iterator[Failure]:
    """The daily measure of published days stays what it is."""
    results = tree.registry.results
    for path in sorted((base / "results").glob("*/realized.parquet")):
        dataset = path.parent.name
        file = tree.shown(results / dataset / "realized.parquet")
        try:
            old, new = read_realized(base / "results", dataset), read_realized(results, dataset)
        except StorageError as error:
            yield Failure("published", file, str(error))
            continue
        if len(new.dates) < len(old.dates):
            yield Failure("published", file, f"{len(new.dates)} sessions, in the base {len(old.dates)}")
        if not same_sessions(old, new):
            yield Failure("published", file, "has other symbols or sessions than the base")
            continue
        changed = changed_days(old, new)
        if len(changed):
            i, j = changed[0]
            yield Failure(
                "published", file,
                f"{new.symbols[j]} on {new.dates[i]} is {new.measure_var[i, j]:.10g}, in the base "
                f"{old.measure_var[i, j]:.10g} ({len(changed)} values differ): a published day does not change",
            )  # fmt: skip
        yield from _labels(file, old, new)


def _labels(file: str, old: Realized, new: Realized) -> Iterator[Failure]:
    """Published sessions whose regime is another one; `unknown` may become known when its month is over."""
    n = min(len(old.dates), len(new.dates)) if old.vix_crisis == new.vix_crisis else 0
    for name in ("regime_month", "regime_origin"):
        before, after = getattr(old, name)[:n], getattr(new, name)[:n]
        changed = np.flatnonzero((before != after) & (before != UNKNOWN))
        if len(changed):
            i = changed[0]
            yield Failure("published", file, f"{name} of {old.dates[i]} is {after[i]}, in the base {before[i]}")


def pinned(tree: Tree, base: Path) -> Iterator[Failure]:
    """Pinned identities of bars change only with the protocol."""
    if _plain(base / "bench.yaml").get("protocol") != _plain(tree.registry.root / "bench.yaml").get("protocol"):
        return
    for path in sorted((base / "datasets").glob("*/dataset.yaml")):
        inside = path.relative_to(base)
        here = tree.registry.root / inside
        now = _plain(here).get("identity") or {}
        for split, value in (_plain(path).get("identity") or {}).items():
            if now.get(split) != value:
                yield Failure(
                    "pinned", str(inside),
                    f"identity of {split} {str(now.get(split))[:12]}, in the base {str(value)[:12]}: other bars need "
                    "a new protocol in bench.yaml",
                )  # fmt: skip


def _plain(path: Path) -> dict[str, Any]:
    """The keys of a YAML file as they stand, whatever version of ours wrote them; none where it is not there."""
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


GUARDS: tuple[Callable[[Tree], Iterator[Failure]], ...] = (records, data, code, boards, accounts)
COMPARISONS: tuple[Callable[[Tree, Path], Iterator[Failure]], ...] = (kept, appended, published, pinned)

"""The guards of what is published: results, boards and ledger agree with each other, and with what was there before.

Each failure names a file and both values. No bars are read and no model is run; boards are derived again from the
stored forecasts.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import numpy as np

from bench import store
from bench.board import build_board
from bench.board.agreement import disagreements
from bench.errors import BenchError, StorageError
from bench.publish import editions, git, keeping, ledger
from bench.publish.afterwards import sorted_out
from bench.publish.changes import COMPARISONS, is_compared, to_vouch_for
from bench.publish.ledger import Key
from bench.publish.tree import Fault, Problem, Tree
from bench.registry.config import Registry
from bench.store import DONE, Place, Scope, Stored, stale_parts

SEED_TOLERANCE = 1e-12
"""Relative: how far the mean over seeds, summed in another order, may be from the stored forecasts."""
ACTIVE = re.compile(
    r"""<(\w+:)?(script|foreignObject|iframe|!ENTITY)|\bon[a-z]+\s*=|javascript:"""
    r"""|href\s*=\s*(?!["'](#|data:image/(png|jpeg);))""",
    re.IGNORECASE,
)
"""What makes a picture run code, or lead elsewhere: ours refer to parts of themselves alone."""


@dataclass(frozen=True)
class Verification:
    """What was verified, and the failures; `base` is the commit that it was compared with.

    `notices` are no failures: what files cannot prove, and a person has to vouch for.
    """

    results: int
    boards: int
    events: int
    base: str | None
    failures: list[Problem] = field(default_factory=list)
    notices: list[Problem] = field(default_factory=list)


def verify(registry: Registry, base: str | None = None) -> Verification:
    """Returns what all guards say of a registry's results; those that compare need a `base`, any name of a commit.

    The base is the last commit that this checkout and `base` have in common, so that what others have added there
    since then is not missed here. A change may leave boards and ledger to the merge (`afterwards`). Raises a
    `BenchError` where there is no such commit.
    """
    commit = None if base is None else git.common_commit(registry.root, base)
    tree = Tree.of(registry)
    failures, notices = _told(tree, GUARDS), list[Problem]()
    if commit is not None:
        with tempfile.TemporaryDirectory() as folder:
            git.export(registry.root, commit, is_compared, Path(folder))
            failures += _told(tree, COMPARISONS, Path(folder))
            failures, notices = sorted_out(tree, Path(folder), failures)
            notices += _told(tree, {"vouched": to_vouch_for}, Path(folder))
    events = registry.results / ledger.NAME
    lines = len(events.read_bytes().splitlines()) if events.is_file() else 0
    return Verification(len(tree.stored), len(tree.boards), lines, commit, failures, notices)


def _told(tree: Tree, guards: Mapping[str, Callable[..., Iterator[Fault]]], *base: Path) -> list[Problem]:
    """What these guards find, by name; files are named as they lie below the root."""
    root = tree.registry.root
    return [
        Problem(name, str(path.relative_to(root)), what)
        for name, guard in guards.items()
        for path, what in guard(tree, *base)
    ]


# Of the tree alone ----------------------------------------------------------------------------------


def records(tree: Tree) -> Iterator[Fault]:
    """Forecasts and records belong together: digests, identities, nothing without a record."""
    for place, item in tree.stored.items():
        file = place.folder / "run.json"
        if item.problem:
            yield file, item.problem
        elif item.run is None:
            yield file, "is not there, but its folder is: forecasts need the record of their run"
        elif item.run.identity != (derived := store.identity_from(item.run.identity_of)):
            yield file, f"identity {item.run.identity[:12]} is not that of its parts ({derived[:12]})"
        else:
            for path, problem in (("seeds.parquet", _seeds_problem(item)),
                                  (store.REPRODUCED, _reproduction_problem(tree, place, item))):  # fmt: skip
                if problem:
                    yield place.folder / path, problem


def _seeds_problem(item: Stored) -> str | None:
    """Why finished forecasts are not the mean of the seeds that the record names; None where they are."""
    if item.run is None or item.forecasts is None:
        return None
    digests = item.run.seed_digests
    if len(digests) == 1:
        (digest,) = digests.values()
        said = f"run.json says {digest[:12]} of the one seed, {(item.run.digest or 'none')[:12]} of the mean"
        return None if digest == item.run.digest else said
    seeds = [item.seeds[int(seed)] for seed in digests if int(seed) in item.seeds]
    if not digests or len(seeds) < len(digests):
        return f"run.json names the seeds {', '.join(digests) or 'none'}, whose forecasts are not all there"
    mine = item.forecasts
    if any(seed.symbols != mine.symbols or not np.array_equal(seed.origins, mine.origins) for seed in seeds):
        return "has other origins or symbols than forecasts.parquet"
    mean = np.mean([seed.forecast_var for seed in seeds], axis=0)
    gap = float(np.abs(mean / mine.forecast_var - 1).max())
    return None if gap <= SEED_TOLERANCE else f"its mean differs from forecasts.parquet by up to {gap:.3g}, relative"


def _reproduction_problem(tree: Tree, place: Place, item: Stored) -> str | None:
    """What is wrong with the record that a result was made again; None where there is none, or nothing is."""
    if item.run is None or not (place.folder / store.REPRODUCED).is_file():
        return None
    again = "remove it, or run `bench reproduce` again"
    found = store.read_reproduction(place, item.run)
    if found is None:
        digest = (item.run.digest or "none")[:12]
        return f"is not about the present forecasts (digest {digest}), or not within its tolerance: {again}"
    entry = tree.catalogue.entry_at(place.study, place.entry)
    if entry is not None and not 0 <= found.largest_difference <= entry.row.tolerance:
        return (
            f"largest_difference {found.largest_difference:g}, submissions/{entry.family}/submission.yaml declares a "
            f"tolerance of {entry.row.tolerance:g}: {again}"
        )
    return None


def data(tree: Tree) -> Iterator[Fault]:
    """Results come from the bars that the registry pins."""
    for place, item in tree.stored.items():
        file, dataset = place.folder / "run.json", tree.dataset(place)
        if dataset is None:
            yield file, f"there is no datasets/{place.dataset}/dataset.yaml with a split {place.split}"
            continue
        pinned = dataset.identity.get(place.split)
        if item.run is None or pinned is None:
            continue
        for name, value in (("data_identity", item.run.data_identity), ("data", item.run.identity_of.get("data"))):
            if value != pinned:
                where = f"datasets/{place.dataset}/dataset.yaml pins {pinned[:12]} for {place.split}"
                yield file, f"{name} {str(value)[:12]}, {where}"


def code(tree: Tree) -> Iterator[Fault]:
    """Results were made by what is in submissions/ now, under the rules that hold now."""
    for problem in tree.catalogue.problems:
        yield tree.registry.root / "submissions", problem
    settings = tree.registry.settings
    for place, item in tree.stored.items():
        entry, dataset = tree.catalogue.entry_at(place.study, place.entry), tree.dataset(place)
        file, run = place.folder / "run.json", item.run
        if run is None or dataset is None:
            continue
        if entry is None:
            mend = ledger.how_to_withdraw(Key.of(place)) if run.state == DONE else "remove its folder"
            there = f"studies/{place.study}/study.yaml" if place.study else "submissions/"
            yield file, f"no entry {place.entry} under {there}: {mend}, or bring the entry back"
        elif item.state == DONE and place.task not in settings.tasks:
            yield file, f"bench.yaml has no task {place.task}"
        elif item.state == DONE:
            scope = Scope(settings, dataset, place.split, place.results, place.study)
            named = f"study {place.study}" if place.study else f"run {place.entry}"
            at = f" --dataset {place.dataset}" + ("" if place.study else f" --split {place.split}")
            for name, made, here in stale_parts(run, scope, entry):
                given = f"submissions/{entry.family} and the registry give {here}"
                yield file, f"stale: made with {name} {made}, {given}: `bench {named}{at}`"


def boards(tree: Tree) -> Iterator[Fault]:
    """Every board follows from the stored forecasts, and there is no board without results."""
    registry = tree.registry
    expected = set()
    for dataset, split, study in tree.boards:
        folder = registry.results / dataset
        command = f"`bench board --write --dataset {dataset} --split {split}{f' --study {study}' if study else ''}`"
        try:
            scope = Scope.of(registry, dataset, split, study=study)
            folder = scope.folder
            expected.add(folder)
            board = build_board(scope)
        except BenchError as error:
            yield folder, f"no board can be derived: {error}"
            continue
        for path, gaps in groupby(disagreements(board, folder), key=lambda gap: gap[0]):
            first, *more = [what for _, what in gaps]
            further = f" (and {len(more)} more)" if more else ""
            yield path, f"{first}{further}; {command} writes it again"
    for path in sorted(registry.results.rglob("leaderboard.json")):
        if path.is_file() and path.parent not in expected:  # an entry may bear that name, its folder is no board
            yield path, "is a board without results: remove it and the files beside it"


def accounts(tree: Tree) -> Iterator[Fault]:
    """The ledger replays, and what it gives are the results here; the rows of boards follow from these."""
    results = tree.results
    path = results / ledger.NAME
    if tree.runs and not path.is_file():
        yield path, f"is not there, but {len(tree.runs)} results are: run `bench ledger --update`"
        return
    try:
        state = ledger.replay(ledger.read_events(results))
    except StorageError as error:
        yield path, str(error)
        return
    for key, what in ledger.gaps(state, tree.runs):
        yield key.place(results).folder / "run.json", what


# Of what is shown and frozen ------------------------------------------------------------------------


def pictures(tree: Tree) -> Iterator[Fault]:
    """Figures are drawings: nothing in them runs or leads elsewhere."""
    for top in (tree.results, tree.registry.root / editions.FOLDER):
        for path in sorted(path for path in top.rglob("*") if path.suffix.lower() == ".svg" and path.is_file()):
            try:
                found = ACTIVE.search(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:
                yield path, "is no text in UTF-8"
                continue
            if found:
                yield path, f"holds `{found[0]}`: a figure runs and links nothing"


def frozen(tree: Tree) -> Iterator[Fault]:
    """The files of every edition are those of its checksums; what it rests on is kept, and nothing else is."""
    top = tree.registry.root / editions.FOLDER
    for folder in sorted(path for path in top.glob("[!.]*") if path.is_dir() and path.name not in editions.SHARED):
        yield from editions.check_sums(folder)
    yield from keeping.faults(tree.registry.root)


GUARDS: dict[str, Callable[[Tree], Iterator[Fault]]] = {
    "records": records, "data": data, "code": code, "boards": boards, "ledger": accounts, "pictures": pictures,
    "frozen": frozen,
}  # fmt: skip

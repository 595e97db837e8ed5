"""Editions: boards frozen under a name that papers can cite, and whether they still follow from the forecasts.

`editions/<name>/` holds the boards of all datasets on the official split, the rules that they were made under, the
record of every result with the digest of its forecasts, citations, and `SHA256SUMS` of all of this. It holds no
forecasts: those are in `results/`, or in git's history once they have been replaced there.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from bench import __version__, store
from bench.errors import BenchError, StorageError, did_you_mean
from bench.files import write_atomic
from bench.publish import git
from bench.publish.citation import CitedEntry, Release, read_metadata
from bench.registry.config import Base, Dataset, Label, Name, Registry, Settings, read_yaml
from bench.store import MAIN_SPLIT, Place, Run, Scope
from bench.store.realized import read_realized

T = TypeVar("T")
PATTERN = re.compile(r"([1-9]\d{3})\.([1-9]\d*)")
PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""What may become a part of a path."""
FOLDER = "editions"
"""Where they lie, below the root."""
SUMS = "SHA256SUMS"
MEASURED = ("cards", "inputs", "conclusion", "figures")
"""What a board says of the machines that made it, and in words: it does not follow from forecasts alone."""


class FrozenDataset(Base):
    """Which bars a dataset's results came from, by split, and the digest of its published measure."""

    identity: dict[Name, str]
    measure: str


class Facts(Base):
    """One `edition.json`."""

    edition: str
    version: Label
    protocol: Label
    datasets: dict[Name, FrozenDataset]


class Edition:
    """A frozen edition, read when asked for; a `BenchError` where a file of it is not what it should be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "edition.json").is_file():
            raise BenchError(f"{folder} is no edition: it has no edition.json")

    @cached_property
    def facts(self) -> Facts:
        """Its name, and what it was made with and from."""
        return self._read("edition.json", TypeAdapter(Facts))

    @cached_property
    def entries(self) -> dict[str, CitedEntry]:
        """Its entries by name, as they are cited."""
        return self._read("entries.json", TypeAdapter(dict[str, CitedEntry]))

    @cached_property
    def runs(self) -> list[Run]:
        """The record of every result, without what was measured."""
        runs = self._read("forecasts.json", TypeAdapter(list[Run]))
        for run in runs:
            if not all(map(PLAIN.fullmatch, (run.dataset, run.split, run.task, run.entry))):
                raise BenchError(f"{self.folder / 'forecasts.json'}: `{run.entry}` is no name of a result")
        return runs

    @cached_property
    def settings(self) -> Settings:
        """The rules of its boards."""
        return read_yaml(self.folder / "settings.yaml", Settings)

    @property
    def release(self) -> Release:
        """It, as something to be cited."""
        facts = self.facts
        return Release(read_metadata(self.folder), facts.version, facts.protocol, facts.edition)

    def dataset(self, name: str) -> Dataset:
        """A dataset as it was then."""
        return read_yaml(self.folder / name / "dataset.yaml", Dataset, id=name, folder=self.folder / name)

    def _read(self, name: str, kind: TypeAdapter[T]) -> T:
        try:
            return kind.validate_json((self.folder / name).read_bytes())
        except (OSError, ValidationError) as error:
            raise BenchError(f"{self.folder / name} is missing or damaged: {str(error).splitlines()[0]}") from error


def editions(root: Path) -> list[str]:
    """Names of the frozen editions, oldest first."""
    found = (PATTERN.fullmatch(path.name) for path in (root / FOLDER).glob("*/"))
    return [match[0] for match in sorted(filter(None, found), key=lambda match: (int(match[1]), int(match[2])))]


def open_edition(root: Path, name: str) -> Edition:
    """The edition of that name."""
    known = editions(root)
    if name not in known:
        raise BenchError(f"no edition `{name}`{did_you_mean(name, known) or ': none is frozen yet'}")
    return Edition(root / FOLDER / name)


def measure_digest(results: Path, dataset: Dataset) -> str:
    """Digest of the published measure as far as the official board uses it: the file may go on for other splits."""
    return read_realized(results, dataset.id).until(dataset.split(MAIN_SPLIT).score.last).digest()


def verify_edition(registry: Registry, folder: Path) -> list[str]:
    """Returns what is wrong with an edition, one line each; empty where it is whole and follows from its forecasts.

    First the checksums. Then every board is derived again, in a folder that holds the edition's results alone:
    forecasts and measure from `results/` or git's history, by digest. Last, markdown, CSV and citations are compared
    with what this version writes, if it is the one that made the edition. Raises a `BenchError` for what is no edition.
    """
    edition = Edition(folder)
    problems = [f"{path} {problem}" for path, problem in check_sums(folder)]
    if problems:
        return problems
    try:
        name = edition.facts.edition
        if folder.resolve().name != name:
            problems.append(f"{folder} is edition {name}: the folder has another name")
        for dataset in edition.facts.datasets:
            problems += _derive_again(registry, edition, dataset)
        problems += _other_entries(edition)
        if not problems and edition.facts.version == __version__:
            problems += _written_otherwise(edition)
    except BenchError as error:
        problems.append(str(error))
    if problems and edition.facts.version != __version__:
        problems.append(f"made by volmark {edition.facts.version}, this is {__version__}: {_how_to_go_back(edition)}")
    return problems


def check_sums(folder: Path) -> list[tuple[Path, str]]:
    """Returns which files of a folder are not what its `SHA256SUMS` says, and what is wrong with each."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return [(folder / SUMS, "is missing or damaged")]
    said = {path: digest for digest, between, path in (line.partition("  ") for line in lines) if between}
    there = {
        str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS
    }
    problems = [(folder / SUMS, f"says `{line[:80]}`: no line of checksums") for line in lines if "  " not in line]
    problems += [(folder / path, "is missing") for path in sorted(said.keys() - there.keys())]
    problems += [(folder / path, "is no file of the edition") for path in sorted(there.keys() - said.keys())]
    return problems + [
        (there[path], "was changed: its checksum differs")
        for path in sorted(said.keys() & there.keys())
        if hashlib.sha256(there[path].read_bytes()).hexdigest() != said[path]
    ]


def _derive_again(registry: Registry, edition: Edition, dataset_name: str) -> list[str]:
    """Where a frozen board is not the one that its forecasts give; or which of them cannot be found."""
    from bench.board.agreement import CHECK_TOLERANCE, unequal
    from bench.board.build import build_board
    from bench.board.writing import plain

    dataset = edition.dataset(dataset_name)
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        lost = _restore_measure(registry, edition, dataset, results)
        for run in edition.runs:
            if run.dataset == dataset_name:
                lost += _restore(registry, edition, run, results)
        if lost:
            return [*lost, f"{dataset_name}: not derived again: {_how_to_go_back(edition)}"]
        board = plain(build_board(Scope(edition.settings, dataset, MAIN_SPLIT, results)))
    path = edition.folder / dataset_name / "leaderboard.json"
    try:
        frozen = dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        return [f"{path} is missing or damaged: {error}"]
    for name in MEASURED:
        board.pop(name, None)
        frozen.pop(name, None)
    gaps = unequal(board, frozen, CHECK_TOLERANCE, new_fields=False)
    return [f"{path}: {where}: {frozen_} frozen, {derived} derived again" for where, derived, frozen_ in gaps]


def _other_entries(edition: Edition) -> list[str]:
    """Where the entries that are cited are not those of the records; of authors the records say nothing."""
    path = edition.folder / "entries.json"
    versions: dict[str, set[str]] = {}
    for run in edition.runs:
        versions.setdefault(run.entry, set()).add(run.version)
    problems = [f"{path}: {name} has no result in forecasts.json" for name in edition.entries if name not in versions]
    for name, found in versions.items():
        if name not in edition.entries:
            problems.append(f"{path}: {name} is not there, forecasts.json has results of it")
        elif edition.entries[name].version not in found:
            cited = edition.entries[name].version
            problems.append(f"{path}: {name} has version {cited}, in forecasts.json {', '.join(sorted(found))}")
    return problems


def _written_otherwise(edition: Edition) -> list[str]:
    """Which of the files that are written from others of the edition are not what this version writes from them."""
    from bench.board.agreement import unlike_renderings
    from bench.publish.freezing import citations

    problems = []
    for dataset in edition.facts.datasets:
        try:
            problems += [f"{path} {what}" for path, what in unlike_renderings(edition.folder / dataset)]
        except (OSError, ValidationError) as error:
            path = edition.folder / dataset / "leaderboard.json"
            problems.append(f"{path} is no board of version {__version__}: {str(error).splitlines()[0]}")
    for name, content in citations(edition.release.metadata, edition.facts).items():
        path = edition.folder / name
        if not path.is_file() or path.read_bytes() != content:
            problems.append(f"{path} is not what the edition's name, version and protocol give")
    return problems


def _restore(registry: Registry, edition: Edition, run: Run, results: Path) -> list[str]:
    """Puts a result of the edition into a results folder; where its forecasts are not to be found, a line says so."""
    place = Place(results, run.dataset, run.split, run.task, run.entry)
    path = _inside(registry, place.folder.relative_to(results) / "forecasts.parquet")
    store.write_run(place, replace(run, seed_digests={}))  # scores are of the mean over seeds
    if run.state != store.DONE:
        return []
    for content in _candidates(registry, path):
        write_atomic(place.folder / "forecasts.parquet", content)
        if store.read(place).problem is None:
            return []
    return [_lost(path, run.digest or "none")]


def _restore_measure(registry: Registry, edition: Edition, dataset: Dataset, results: Path) -> list[str]:
    wanted = edition.facts.datasets[dataset.id].measure
    path = _inside(registry, Path(dataset.id) / "realized.parquet")
    for content in _candidates(registry, path):
        write_atomic(results / dataset.id / "realized.parquet", content)
        try:
            if measure_digest(results, dataset) == wanted:
                return []
        except StorageError:
            continue
    return [_lost(path, wanted)]


def _inside(registry: Registry, path: Path) -> str:
    return str(registry.results.relative_to(registry.root) / path)


def _candidates(registry: Registry, path: str) -> Iterator[bytes]:
    """What a file holds now, then what it held before, newest first; nothing more where git does not know it."""
    with suppress(OSError):
        yield (registry.root / path).read_bytes()
    with suppress(BenchError):  # no clone: what was downloaded has no history
        yield from git.versions(registry.root, path)


def _lost(path: str, digest: str) -> str:
    return f"{path}: what the edition has of it (digest {digest[:12]}) is neither there nor in git's history"


def _how_to_go_back(edition: Edition) -> str:
    log = f"git log --diff-filter=A editions/{edition.facts.edition}"
    return f"check out the commit that added the edition (`{log}`; in a shallow clone `git fetch --unshallow` first)"

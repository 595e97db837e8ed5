"""Editions: boards frozen under a name that papers can cite; reading them.

`editions/<name>/` holds the boards of all datasets on the official split, the rules that they were made under, the
record of every result with the digest of its forecasts, citations, and `SHA256SUMS` of all of this. Forecasts and
measures are kept beside the editions, which share what they have in common: see `keeping`.
"""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field

from bench.errors import BenchError, did_you_mean
from bench.files import from_json
from bench.publish.citation import CitedEntry, Release, read_metadata
from bench.registry.config import Base, Dataset, Label, Name, Settings
from bench.registry.reading import read_regular, read_yaml
from bench.store import DONE, Run

T = TypeVar("T")
PATTERN = re.compile(r"([1-9]\d{3})\.([1-9]\d*)")
PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]*")
DIGEST = re.compile(r"[0-9a-f]{64}")
"""What may become a part of a path."""
FOLDER = "editions"
"""Where they lie, below the root."""
SHARED = FORECASTS, MEASURES = ("forecasts", "measures")
"""The folders beside them of what they rest on, each file named by its digest."""
SUMS = "SHA256SUMS"
MOST_BYTES = 64 * 2**20
"""Of a file with the records of an edition."""


class FrozenDataset(Base):
    """Which bars a dataset's results came from, by split, and the digest of its published measure."""

    identity: dict[Name, str]
    measure: Annotated[str, Field(pattern=f"^{DIGEST.pattern}$")]


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
        return self._read("edition.json", Facts)

    @cached_property
    def entries(self) -> dict[str, CitedEntry]:
        """Its entries by name, as they are cited."""
        return self._read("entries.json", dict[str, CitedEntry])

    @cached_property
    def runs(self) -> list[Run]:
        """The record of every result, without what was measured."""
        runs = self._read("forecasts.json", list[Run])
        for run in runs:
            if not all(map(PLAIN.fullmatch, (run.dataset, run.split, run.task, run.entry))):
                raise BenchError(f"{self.folder / 'forecasts.json'}: `{run.entry}` is no name of a result")
            if run.state == DONE and not DIGEST.fullmatch(run.digest or ""):
                raise BenchError(f"{self.folder / 'forecasts.json'}: {run.entry}: `{run.digest}` is no digest")
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

    def _read(self, name: str, kind: type[T]) -> T:
        try:
            return from_json(kind, read_regular(self.folder / name, MOST_BYTES))
        except (OSError, ValueError) as error:
            raise BenchError(f"{self.folder / name} is missing or damaged: {str(error).splitlines()[0]}") from error


def editions(root: Path) -> list[str]:
    """Names of the frozen editions, oldest first."""
    found = (PATTERN.fullmatch(path.name) for path in (root / FOLDER).glob("*/"))
    return [match[0] for match in sorted(filter(None, found), key=lambda match: (int(match[1]), int(match[2])))]


def open_edition(root: Path, name: str) -> Edition:
    """The edition of that name."""
    if name not in (known := editions(root)):
        raise BenchError(f"no edition `{name}`{did_you_mean(name, known) or ': none is frozen yet'}")
    return Edition(root / FOLDER / name)


def check_sums(folder: Path) -> list[tuple[Path, str]]:
    """Returns which files of a folder are not what its `SHA256SUMS` says, and what is wrong with each."""
    try:
        lines = read_regular(folder / SUMS).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return [(folder / SUMS, "is missing or damaged")]
    said = {path: digest for digest, between, path in (line.partition("  ") for line in lines) if between}
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {SUMS}
    changed = {path for path in said.keys() & there if sha256((folder / path).read_bytes()).hexdigest() != said[path]}
    found = (
        (said.keys() - there, "is missing"),
        (there - said.keys(), "is no file of the edition"),
        (changed, "was changed: its checksum differs"),
    )
    problems = [(folder / SUMS, f"says `{line[:80]}`: no line of checksums") for line in lines if "  " not in line]
    return problems + [(folder / path, problem) for paths, problem in found for path in sorted(paths)]

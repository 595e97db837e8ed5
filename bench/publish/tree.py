"""What the guards look at, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench import store
from bench.publish.ledger import Key
from bench.registry.config import Dataset, Registry
from bench.registry.entries import Catalogue, discover
from bench.registry.studies import with_studies
from bench.store import DONE, Place, Run, Stored

Fault = tuple[Path, str]
"""A file, and what is wrong with it: both values, and how to mend it where that is not plain."""


@dataclass(frozen=True)
class Problem:
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

    @classmethod
    def of(cls, registry: Registry) -> Tree:
        """That of a registry, as it is now."""
        stored = {place: store.read(place) for place in store.all_places(registry.results)}
        ours = discover(registry.root / "submissions", registry.settings.tasks)
        return cls(registry, stored, with_studies(registry, ours))

    @property
    def results(self) -> Path:
        """The folder of the results."""
        return self.registry.results

    @cached_property
    def _datasets(self) -> dict[str, Dataset]:
        known = {place.dataset for place in self.stored}.intersection(self.registry.dataset_ids())
        return {name: self.registry.dataset(name) for name in known}

    def dataset(self, place: Place) -> Dataset | None:
        """The dataset of a result; None where there is none that has its split."""
        found = self._datasets.get(place.dataset)
        return found if found is not None and place.split in found.splits else None

    @cached_property
    def records(self) -> dict[Key, Run]:
        """The records that can be read."""
        return {Key.of(place): item.run for place, item in self.stored.items() if item.run is not None}

    @cached_property
    def runs(self) -> dict[Key, Run]:
        """The finished results whose record can be read."""
        return {key: run for key, run in self.records.items() if run.state == DONE}

    @cached_property
    def boards(self) -> list[tuple[str, str, str | None]]:
        """The boards that the results make, as `boards_of`."""
        return boards_of(self.stored)


def boards_of(places: Iterable[Place]) -> list[tuple[str, str, str | None]]:
    """Dataset, split and study of the boards that results make, sorted, those without a study first."""
    found = {(place.dataset, place.split, place.study) for place in places}
    return sorted(found, key=lambda board: (board[0], board[2] or "", board[1]))

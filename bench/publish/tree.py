"""What the guards look at, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from bench.publish import ledger
from bench.publish.ledger import Key
from bench.registry.config import Registry
from bench.registry.entries import Catalogue
from bench.store import Place, Run, Stored


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

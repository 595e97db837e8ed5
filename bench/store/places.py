"""Where results lie: `results/<dataset>/<split>/<task>/<entry>/`, those of studies outside the board's folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.registry.config import Dataset, Registry, Settings, Split
from bench.store.realized import Realized, read_realized

MAIN_SPLIT = "official"
"""The split whose board lies at the top of its dataset."""


@dataclass(frozen=True)
class Place:
    """Where one result lives."""

    results: Path
    dataset: str
    split: str
    task: str
    entry: str
    study: str | None = None

    @property
    def folder(self) -> Path:
        """Folder of the result; rows of a study lie outside the board's folders."""
        top = self.results / self.dataset
        return (top / "studies" / self.study if self.study else top) / self.split / self.task / self.entry

    def __str__(self) -> str:
        return "/".join(self.folder.parts[len(self.results.parts) - 1 :])


@dataclass(frozen=True)
class Scope:
    """Which results are meant: those of a dataset on a split, on the board or in a study, in a results folder."""

    settings: Settings
    dataset: Dataset
    split: str
    results: Path
    study: str | None = None

    @classmethod
    def of(
        cls, registry: Registry, dataset: str | None, split: str | None, results: Path | None = None,
        study: str | None = None,
    ) -> Scope:  # fmt: skip
        """The scope of what is named, the registry's own where it is not; a `BenchError` for an unknown name."""
        settings = registry.settings
        chosen = registry.dataset(dataset or settings.dataset)
        scope = cls(settings, chosen, split or settings.split, results or registry.results, study)
        chosen.split(scope.split)
        return scope

    @property
    def windows(self) -> Split:
        """The windows of the split; a `BenchError` where the dataset has no such split."""
        return self.dataset.split(self.split)

    @property
    def folder(self) -> Path:
        """Where its board lies: the official one at the top of its dataset, others in their split's or study's."""
        top = self.results / self.dataset.id
        if self.study:
            return top / "studies" / self.study / self.split
        return top if self.split == MAIN_SPLIT else top / self.split

    def place(self, task: str, entry: str) -> Place:
        """Where one of its results lives."""
        return Place(self.results, self.dataset.id, self.split, task, entry, self.study)

    def places(self) -> list[Place]:
        """Where its results lie, sorted by task and entry."""
        return places(self.results, self.dataset.id, self.split, self.study)

    def realized(self) -> Realized:
        """The published measure of its dataset; a `StorageError` where there is none."""
        return read_realized(self.results, self.dataset.id)


def places(results: Path, dataset: str, split: str, study: str | None = None) -> list[Place]:
    """Where results of a split lie, those of the board or of one study, sorted by task and entry."""
    top = results / dataset / "studies" / study if study else results / dataset
    found = (path for path in (top / split).glob("*/*") if path.is_dir() and path.parent.name != "figures")
    at = sorted((path.parent.name, path.name) for path in found)
    return [Place(results, dataset, split, task, entry, study) for task, entry in at]


def all_places(results: Path) -> list[Place]:
    """Where results of every dataset, split and study lie, those of boards first, sorted."""
    boards = {path.relative_to(results).parts[:2] for path in results.glob("*/*/*/*") if path.is_dir()}
    studies = {path.relative_to(results).parts[:4] for path in results.glob("*/studies/*/*/*/*") if path.is_dir()}
    scopes: list[tuple[str, str, str | None]]
    scopes = [(dataset, split, None) for dataset, split in sorted(boards) if split not in ("studies", "figures")]
    scopes += [(dataset, split, study) for dataset, _, study, split in sorted(studies)]
    return [place for scope in scopes for place in places(results, *scope)]

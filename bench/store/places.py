"""Where results lie: `results/<dataset>/<split>/<task>/<entry>/`, those of studies outside the board's folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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


def places(results: Path, dataset: str, split: str, study: str | None = None) -> list[Place]:
    """Where results of a split lie, those of the board or of one study, sorted by task and entry."""
    top = results / dataset / "studies" / study if study else results / dataset
    found = (path for path in (top / split).glob("*/*") if path.is_dir() and path.parent.name != "figures")
    return sorted(
        (Place(results, dataset, split, path.parent.name, path.name, study) for path in found),
        key=lambda place: (place.task, place.entry),
    )


def all_places(results: Path) -> list[Place]:
    """Where results of every dataset, split and study lie, those of boards first, sorted."""
    boards = {path.relative_to(results).parts[:2] for path in results.glob("*/*/*/*") if path.is_dir()}
    studies = {path.relative_to(results).parts[:4] for path in results.glob("*/studies/*/*/*/*") if path.is_dir()}
    found = [place for dataset, split in sorted(boards) if split not in ("studies", "figures")
             for place in places(results, dataset, split)]  # fmt: skip
    return found + [
        place for dataset, _, study, split in sorted(studies) for place in places(results, dataset, split, study)
    ]

"""A clone as a person works in it: its registry, all entries, and what a person means by a name or a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import BenchError, did_you_mean
from bench.registry.config import Dataset, Registry
from bench.registry.entries import Catalogue, Entry, discover, read_family

SCRATCH = "scratch"
"""Where results of entries from outside go, below the root: git ignores it."""


def is_path(argument: str) -> bool:
    """Whether an argument means a folder: it has a separator in it, or holds a `submission.yaml`."""
    return os.sep in argument or "/" in argument or (Path(argument) / "submission.yaml").is_file()


@dataclass
class Workspace:
    """The registry of `root` (None: of the working directory or above it) and what lies below; read when asked for."""

    root: Path | None = None

    @classmethod
    def at(cls, root: Path | str | None) -> Workspace:
        """That of a folder, named in either way."""
        return cls(None if root is None else Path(root))

    @cached_property
    def registry(self) -> Registry:
        """Settings and datasets."""
        return Registry.find(self.root)

    @cached_property
    def catalogue(self) -> Catalogue:
        """All entries: ours, those of installed packages, and the variants of studies."""
        from bench.registry.installed import with_installed
        from bench.registry.studies import with_studies

        tasks = self.registry.settings.tasks
        return with_studies(self.registry, with_installed(discover(self.submissions, tasks), tasks))

    @property
    def cores(self) -> int:
        """How many processors this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    @property
    def submissions(self) -> Path:
        """The folder of the families that belong to this benchmark."""
        return self.registry.root / "submissions"

    def select(self, arguments: Iterable[str | Path] = (), dataset: str | None = None) -> list[Entry]:
        """The entries that a user named: by name, or all rows of a folder with a `submission.yaml` by its path.

        Where none is named, all of ours outside studies that are meant for the dataset.
        """
        wanted: list[str] = []
        families: dict[Path, list[Entry]] = {}
        for argument in map(str, arguments):
            known = argument in self.catalogue.entries or argument in self.catalogue.variants
            if known or not is_path(argument):
                wanted.append(argument)
                continue
            folder = Path(argument).expanduser().resolve()
            if not (folder / "submission.yaml").is_file():
                raise BenchError(f"no submission.yaml in {folder}: name an entry, or the folder of a family")
            families[folder] = read_family(folder, self.registry.settings.tasks)
            wanted += [entry.name for entry in families[folder]]
        return self.catalogue.with_families(families).select(wanted, dataset)

    def is_outside(self, entry: Entry) -> bool:
        """Whether an entry lies outside `submissions/`, so that its results are not this benchmark's."""
        return not entry.folder.resolve().is_relative_to(self.submissions.resolve())

    def dataset(self, name: str | None) -> Dataset:
        """The named dataset, or the registry's default."""
        return self.registry.dataset(name or self.registry.settings.dataset)

    def split(self, name: str | None) -> str:
        """The named split, or the registry's default."""
        return name or self.registry.settings.split

    def results(self, folder: Path | str | None, entries: Iterable[Entry] = ()) -> Path:
        """The named results folder; else the registry's, or `scratch/` where an entry lies outside `submissions/`."""
        if folder is not None:
            return Path(folder).resolve()
        outside = any(self.is_outside(entry) for entry in entries)
        return self.registry.root / SCRATCH if outside else self.registry.results

    def rows(self, kind: str) -> tuple[list[dict[str, Any]], list[str]]:
        """The entries, datasets, tasks or studies, one map each, and a line for each one left out."""
        listing = {
            "entries": self._entries, "datasets": self._datasets, "tasks": self._tasks, "studies": self._studies
        }  # fmt: skip
        if kind not in listing:
            raise BenchError(f"nothing called `{kind}` to list{did_you_mean(kind, listing)}")
        return listing[kind]()

    def _entries(self) -> tuple[list[dict[str, Any]], list[str]]:
        rows = [
            {
                "entry": entry.name,
                "family": entry.family if entry.package is None else f"{entry.family} (package {entry.package})",
                "version": entry.row.version,
                "tasks": "all horizons" if entry.is_path else ", ".join(entry.row.tasks),
                "reads": ", ".join(entry.row.reads),
                "description": entry.row.description,
            }
            for entry in sorted(self.catalogue.entries.values(), key=lambda entry: entry.package is not None)
        ]
        return rows, [*self.catalogue.problems, *self.catalogue.notes]

    def _datasets(self) -> tuple[list[dict[str, Any]], list[str]]:
        rows, problems = [], []
        for name in self.registry.dataset_ids():
            try:
                found = self.registry.dataset(name)
            except BenchError as error:
                problems.append(str(error))
                continue
            rows.append(
                {"dataset": found.id, "symbols": len(found.symbols), "measure": found.measure,
                 "splits": ", ".join(found.splits), "title": found.title}
            )  # fmt: skip
        return rows, problems

    def _studies(self) -> tuple[list[dict[str, Any]], list[str]]:
        rows = [
            {"study": study.name, "variants": len(study.variants), "varied": ", ".join(study.columns.values()),
             "datasets": ", ".join(study.spec.datasets), "question": study.spec.question}
            for study in self.catalogue.studies.values()
        ]  # fmt: skip
        return rows, [problem for problem in self.catalogue.problems if problem.startswith("studies/")]

    def _tasks(self) -> tuple[list[dict[str, Any]], list[str]]:
        rows = [
            {
                "task": name,
                "target": "mean daily variance of "
                + (f"{spec.behind} known and {spec.ahead} coming" if spec.behind else f"{spec.ahead} coming")
                + (" session" if spec.behind + spec.ahead == 1 else " sessions"),
                "rows": f"derived from {spec.derived_from}" if spec.derived_from else "forecast",
            }
            for name, spec in self.registry.settings.tasks.items()
        ]
        return rows, []

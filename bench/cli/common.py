"""What the commands share: options, output and the registry."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.errors import BenchError
from bench.registry.config import Dataset, Registry
from bench.registry.entries import Catalogue, Entry, discover, read_family
from bench.store.places import Scope

DatasetOption = Annotated[
    str | None, typer.Option("--dataset", "-d", help="Dataset; default: the registry's.", show_default=False)
]
SplitOption = Annotated[
    str | None, typer.Option("--split", "-s", help="Split; default: the registry's.", show_default=False)
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(
        "--results", help="Results folder; default: results/, or scratch/ for entries from outside.", show_default=False
    ),
]
TasksOption = Annotated[list[str] | None, typer.Option("--task", "-t", help="Task; may be repeated; default: all.")]
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes; default: all cores.")]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

SCRATCH = "scratch"
"""Where results of entries from outside go, below the root: git ignores it."""


def examples(*lines: str) -> str:
    """The end of a help text: its examples, one a line."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


def is_path(argument: str) -> bool:
    """Whether an argument means a folder: it has a separator in it, or holds a `submission.yaml`."""
    return os.sep in argument or "/" in argument or (Path(argument) / "submission.yaml").is_file()


def say(text: str) -> None:
    """A message on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show(text: str) -> None:
    """A result on stdout."""
    sys.stdout.write(f"{text}\n")


def show_json(value: Any) -> None:
    """A result on stdout as JSON."""
    show(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


@dataclass
class Workspace:
    """The registry and what was found below it; read when asked for."""

    root: Path | None

    @cached_property
    def registry(self) -> Registry:
        """The registry of `--root`, or of the working directory or the nearest folder above it."""
        return Registry.find(self.root)

    @cached_property
    def catalogue(self) -> Catalogue:
        """All entries: ours, those of installed packages, and the variants of studies."""
        from bench.registry.installed import with_installed
        from bench.registry.studies import with_studies

        tasks = self.registry.settings.tasks
        return with_studies(self.registry, with_installed(discover(self.submissions, tasks), tasks))

    @property
    def submissions(self) -> Path:
        """The folder of the families that belong to this benchmark."""
        return self.registry.root / "submissions"

    def select(self, arguments: Iterable[str], dataset: str | None = None) -> list[Entry]:
        """The entries that a user named: by name, or all rows of a folder with a `submission.yaml` by its path.

        Where none is named, all of ours outside studies that are meant for the dataset.
        """
        wanted: list[str] = []
        families: dict[Path, list[Entry]] = {}
        for argument in arguments:
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

    def scope(self, dataset: str | None, split: str | None, results: Path, study: str | None = None) -> Scope:
        """The results of a named dataset and split, or the registry's; a `BenchError` for an unknown split."""
        scope = Scope(self.registry.settings, self.dataset(dataset), self.split(split), results, study)
        scope.dataset.split(scope.split)
        return scope

    def results(self, folder: Path | None, entries: Iterable[Entry] = ()) -> Path:
        """The named results folder; else the registry's, or `scratch/` where an entry lies outside `submissions/`."""
        if folder is not None:
            return folder.resolve()
        outside = any(self.is_outside(entry) for entry in entries)
        return self.registry.root / SCRATCH if outside else self.registry.results

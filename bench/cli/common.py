"""What the commands share: options, output and the registry."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.config import Dataset, Registry
from bench.entries import Catalogue, discover

DatasetOption = Annotated[
    str | None, typer.Option("--dataset", "-d", help="Dataset; default: the registry's.", show_default=False)
]
SplitOption = Annotated[
    str | None, typer.Option("--split", "-s", help="Split; default: the registry's.", show_default=False)
]
ResultsOption = Annotated[
    Path | None, typer.Option("--results", help="Results folder; default: results/ of the clone.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def examples(*lines: str) -> str:
    """The end of a help text: its examples, one a line."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


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
        """All entries."""
        return discover(self.registry.root / "submissions", self.registry.settings.tasks)

    def dataset(self, name: str | None) -> Dataset:
        """The named dataset, or the registry's default."""
        return self.registry.dataset(name or self.registry.settings.dataset)

    def split(self, name: str | None) -> str:
        """The named split, or the registry's default."""
        return name or self.registry.settings.split

    def results(self, folder: Path | None) -> Path:
        """The named results folder, or the registry's."""
        return folder.resolve() if folder is not None else self.registry.results

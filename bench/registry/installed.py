"""Entries that installed packages bring: found by their entry points, without importing model code.

A package names itself, or the sub-package that holds `submission.yaml` and the code beside it::

    [project.entry-points."volmark.entries"]
    mine = "my_package.forecasters"
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Collection
from pathlib import Path

from bench.errors import BenchError
from bench.registry.entries import Catalogue, Entry, add_family, read_family

GROUP = "volmark.entries"


def with_installed(ours: Catalogue, tasks: Collection[str]) -> Catalogue:
    """Returns a catalogue with what installed packages bring; a name of ours wins, and what is left out is a note."""
    entries, notes = dict(ours.entries), list(ours.notes)
    points = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    for point in points:
        package = point.dist.name if point.dist is not None else point.name
        try:
            taken = add_family(entries, _family(point.value, package, tasks))
        except BenchError as error:
            notes.append(f"installed package {package}: {' '.join(str(error).split())}")
            continue
        for entry, other in taken:
            place = f"submissions/{other.family}" if other.package is None else f"installed package {other.package}"
            notes.append(f"installed package {package}: {entry.name} is taken by {place}")
    return Catalogue(dict(sorted(entries.items())), ours.problems, notes)


def _family(module: str, package: str, tasks: Collection[str]) -> list[Entry]:
    for folder in _folders(module):
        if (folder / "submission.yaml").is_file():
            return read_family(folder, tasks, package)
    raise BenchError(f"no submission.yaml in {module} (entry point group {GROUP}): ship it as package data")


def _folders(module: str) -> list[Path]:
    """Where a package or sub-package lies. Only its top level is looked up: looking up more would import it."""
    top, *below = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError) as error:  # a finder or a half-imported module that is broken
        raise BenchError(f"{top} cannot be found: {error}") from error
    if spec is None or spec.submodule_search_locations is None:
        raise BenchError(f"there is no package {top}: the entry point names a package or a sub-package")
    return [Path(location, *below) for location in spec.submodule_search_locations]

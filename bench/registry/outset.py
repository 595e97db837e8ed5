"""A folder to work in, for those who have the package and no clone."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.errors import BenchError, StorageError

SHIPPED = ("bench.yaml", "datasets", "submissions/baselines", "submissions/garch", "submissions/har")
"""What such a folder holds, by its path in a clone; the wheel has copies."""
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "test_*")


def begin(folder: Path) -> list[Path]:
    """Write a registry, its datasets and the classical entries into a folder; returns what was written.

    They are those of the installed package, or of the clone that it is installed from. Raises a `BenchError` where
    any of it is there already: nothing is overwritten.
    """
    shipped = Path(__file__).parent / "shipped"
    source = shipped if shipped.is_dir() else Path(__file__).parents[2]
    if taken := [name for name in SHIPPED if (folder / name).exists()]:
        raise BenchError(f"{folder} has {', '.join(taken)} already: name another folder")
    try:
        for name in SHIPPED:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (source / name).is_dir():
                shutil.copytree(source / name, target, ignore=NOT_SHIPPED)
            else:
                shutil.copy(source / name, target)
    except OSError as error:
        raise StorageError(f"cannot write {folder}: {error.strerror or error}") from error
    return [folder / name for name in SHIPPED]

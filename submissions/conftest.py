"""Each family is collected as a worker sees it; one that needs a package which is not installed here is not collected.

`bench check` runs such a family in its own environment.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from families import enter, missing

HERE = Path(__file__).parent


def family_of(path: Path) -> Path | None:
    """The folder of the family that a file or a folder belongs to."""
    inside = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    family = HERE / inside[0] if inside else HERE
    return family if inside and family.is_dir() else None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a family alone whose packages are not here."""
    family = family_of(collection_path)
    return True if family is not None and missing(family) else None


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Collect a file among its own modules."""
    if (family := family_of(collector.path)) is not None:
        enter(family)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Run a test among its own modules."""
    if (family := family_of(item.path)) is not None:
        enter(family)

"""Each family is collected as a worker sees it: its folder alone is on the path, and its packages are its own.

A family that needs a package which is not installed here is not collected: `bench check` runs it in its environment.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def family_of(path: Path) -> Path | None:
    """The folder of the family that a file belongs to."""
    inside = path.relative_to(HERE).parts if path.is_relative_to(HERE) else ()
    return HERE / inside[0] if len(inside) > 1 else None


@cache
def missing(family: Path) -> frozenset[str]:
    """What the modules of a family import at their top that is neither theirs nor installed."""
    own = {path.stem for path in family.glob("*.py")} | {path.name for path in family.iterdir() if path.is_dir()}
    named: set[str] = set()
    for path in family.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                named |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                named.add(node.module.partition(".")[0])
    return frozenset(name for name in named - own if importlib.util.find_spec(name) is None)


def enter(path: Path) -> None:
    """Put the family of a file on the path, and forget the modules of all others."""
    family = family_of(path)
    if family is None or str(family) in sys.path:
        return
    others = {str(folder) for folder in HERE.iterdir() if folder != family}
    sys.path[:] = [str(family), *(folder for folder in sys.path if folder not in others)]
    for name, module in list(sys.modules.items()):
        if str(Path(getattr(module, "__file__", None) or "/").parent) in others:
            del sys.modules[name]


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave a family alone whose packages are not here."""
    family = family_of(collection_path / "x" if collection_path.is_dir() else collection_path)
    return True if family is not None and family.is_dir() and missing(family) else None


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Collect a file among its own modules."""
    enter(collector.path)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Run a test among its own modules."""
    enter(item.path)

"""Families of entries as a worker sees them: one folder alone is on the path, and its packages are its own."""

from __future__ import annotations

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType


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


_ASIDE: dict[str, dict[str, ModuleType]] = {}
"""The modules of families that were left, by folder."""


def enter(family: Path) -> None:
    """Put a family first on the path, with its modules as it had them; those of others, which may have the same names,
    go aside.
    """
    if sys.path[:1] == [str(family)]:
        return
    others = {str(folder) for folder in family.parent.iterdir() if folder != family}
    sys.path[:] = [str(family), *(folder for folder in sys.path if folder not in others | {str(family)})]
    for name, module in list(sys.modules.items()):
        folder = str(Path(getattr(module, "__file__", None) or "/").parent)
        if folder in others and not name.startswith(("submissions", "conftest")):
            _ASIDE.setdefault(folder, {})[name] = sys.modules.pop(name)
    sys.modules.update(_ASIDE.pop(str(family), {}))

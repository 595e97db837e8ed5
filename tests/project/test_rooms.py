"""The rooms of the package: which may import which, held against the imports; the picture of the docs follows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from conftest import ROOT

GROUND = {"files", "errors"}
"""Modules that every room but `plugin` may import."""
MAY_IMPORT: dict[str, set[str]] = {
    "plugin": set(),
    "stats": set(),
    "registry": {"plugin"},
    "data": {"registry", "plugin"},
    "store": {"registry", "plugin"},
    "run": {"store", "data", "registry", "plugin", "stats"},
    "board": {"store", "registry", "stats", "plugin"},
    "audit": {"run", "store", "data", "registry", "stats", "plugin"},
    "publish": {"board", "run", "store", "registry", "stats", "plugin"},
    "api": {"publish", "audit", "board", "run", "store", "data", "registry", "stats", "plugin"},
    "cli": {"api", "publish", "audit", "board", "run", "store", "data", "registry", "stats", "plugin"},
}
"""The plan: arrows go down only."""
OUTSIDE = {"plugin": {"numpy"}, "stats": {"numpy", "scipy", "arch", "statsmodels"}}
"""What two rooms may import besides the standard library: the child has nothing else, and tests need nothing else."""
SHIMS = {"tasks", "recursions"}
"""Names by which entries of protocol 1.0 import the plugin modules."""


def imports(source: str) -> set[str]:
    """Every module that a source imports, inside functions too, by full name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "bench":
            found |= {f"bench.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def rooms() -> dict[str, set[str]]:
    """What each room, or module beside the rooms, imports."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "bench").rglob("*.py")):
        room = path.relative_to(ROOT / "bench").parts[0].removesuffix(".py")
        found.setdefault(room, set()).update(imports(path.read_text(encoding="utf-8")))
    return found


def arrows(found: dict[str, set[str]]) -> dict[str, set[str]]:
    """From each room to the rooms that it imports."""
    return {
        room: {name.split(".")[1] for name in names if name.startswith("bench.")} - {room, "__version__", *GROUND}
        for room, names in found.items()
        if room in MAY_IMPORT
    }


def violations(found: dict[str, set[str]]) -> list[str]:
    """Imports that the plan does not have."""
    told = [
        f"bench/{room} imports bench.{target}"
        for room, targets in arrows(found).items()
        for target in sorted(targets - MAY_IMPORT[room])
    ]
    for room, packages in OUTSIDE.items():
        known = {"bench", *packages}
        strange = {name.split(".")[0] for name in found.get(room, ())} - known - STANDARD
        told += [f"bench/{room} imports {name}" for name in sorted(strange)]
    return told


STANDARD = set(__import__("sys").stdlib_module_names)


def test_arrows_between_rooms_go_down():
    assert violations(rooms()) == []


@pytest.mark.parametrize(
    ("room", "planted", "told"),
    [
        ("store", "from bench.run.plan import plan", "bench/store imports bench.run"),
        ("board", "def late():\n    from bench import run", "bench/board imports bench.run"),
        ("plugin", "import pandas", "bench/plugin imports pandas"),
        ("stats", "from bench.plugin.tasks import Task", "bench/stats imports bench.plugin"),
        ("registry", "import bench.store.places", "bench/registry imports bench.store"),
    ],
)
def test_a_planted_import_is_found(room, planted, told):
    found = rooms()
    found[room] = found[room] | imports(planted)
    assert told in violations(found)


def test_every_module_lies_in_a_room():
    assert set(rooms()) - set(MAY_IMPORT) - GROUND - SHIMS - {"__init__", "__main__"} == set()


def picture() -> str:
    """The rooms and their arrows as a diagram; an arrow that a longer way implies is left out."""
    down = arrows(rooms())

    def reach(room: str) -> set[str]:
        return {further for target in down[room] for further in {target, *reach(target)}}

    lines = [
        f"    {room} --> {target}"
        for room, targets in down.items()
        for target in sorted(targets)
        if not any(target in reach(other) for other in targets - {target})
    ]
    return "\n".join(["```mermaid", "graph TD", *sorted(lines), "```"])


def test_the_picture_in_the_docs_is_that_of_the_imports():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- rooms -->\n(.*?)\n<!-- /rooms -->", page, flags=re.DOTALL)
    assert shown == picture(), f"write this between the markers:\n{picture()}"


def test_tests_lie_in_the_same_rooms():
    inside = {path.parent.name for path in Path(ROOT / "tests").glob("*/test_*.py")}
    assert set(MAY_IMPORT) - inside <= {"store"}  # the store is tested through what is run

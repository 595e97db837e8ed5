"""What `bench.publish` imports: arrows go one way, and reading an edition or citing one is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter

from conftest import ROOT

FOLDER = ROOT / "bench" / "publish"


def imported(name: str) -> set[str]:
    """The modules of the room that one of them imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "bench.publish":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bench.publish."):
            found.add(node.module.removeprefix("bench.publish."))
    return found


def test_there_is_no_circle() -> None:
    names = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    graph = {name: imported(name) for name in names}
    assert set().union(*graph.values()) <= names
    order = list(TopologicalSorter(graph).static_order())  # a circle raises
    assert order.index("editions") < order.index("changes") < order.index("guards") < order.index("freezing")


def test_imports_stand_at_the_top() -> None:
    for path in FOLDER.glob("*.py"):
        inside = [node for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                  if isinstance(function, ast.FunctionDef) for node in ast.walk(function)
                  if isinstance(node, ast.Import | ast.ImportFrom)]  # fmt: skip
        assert not inside, path


def test_citing_and_the_ledger_load_no_tests_and_figures() -> None:
    code = "import sys, bench.publish.cited, bench.publish.ledger; print({'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

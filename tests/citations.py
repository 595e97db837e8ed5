"""What citation files are checked with."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT


def parse_bibtex(text: str) -> list[tuple[str, dict[str, str]]]:
    """Key and fields of every item, braces counted as BibTeX counts them: one behind a backslash too."""
    items = []
    for start in re.finditer(r"^@\w+\{([^,\s{}]+),$", text, flags=re.MULTILINE):
        depth, fields, at = 1, {}, start.end()
        while depth:
            field = re.compile(r"\s*(\w+)\s*=\s*\{").match(text, at)
            assert field, f"no field at {text[at : at + 40]!r}"
            at = begin = field.end()
            depth = 2
            while depth > 1:
                depth += {"{": 1, "}": -1}.get(text[at], 0)
                at += 1
            fields[field[1]] = text[begin : at - 1]
            end = re.compile(r",?\s*\}").match(text, at)
            depth = 0 if end else 1
            at = end.end() if end else at + text[at : at + 1].count(",")
        items.append((start[1], fields))
    return items


def cffconvert() -> str:
    """The program that checks a CITATION.cff; it lives in an environment of its own."""
    found = ROOT / ".venv" / "cff" / "bin" / "cffconvert"
    program = str(found) if found.is_file() else shutil.which("cffconvert")
    if program is None:
        pytest.skip("cffconvert is not installed: `make test` puts it into .venv/cff")
    return program


def check_cff(path: Path) -> None:
    done = subprocess.run([cffconvert(), "--validate", "-i", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

"""Whether two boards agree: one that is made here, and one that is stored."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from bench.board.model import Board
from bench.board.render.markdown import render
from bench.board.writing import as_csv, plain

CHECK_TOLERANCE = 1e-9
"""Relative: how far scores of the same forecasts may differ between processors."""
NO_SCORES = ("cards", "inputs", "conclusion", "luck", "other_split", "figures")
"""What a board says of the machine that ran it and of another split, and what follows from that."""


def differences(board: Board, committed: Path, *, tolerance: float, everything: bool = False) -> list[str]:
    """Returns where a board differs from a committed leaderboard.json, one line each; empty where they agree.

    Numbers agree within `tolerance`, relative. The scores and tests of this split are compared, or everything; what
    follows from them comes last.
    """
    try:
        theirs = json.loads(committed.read_bytes())
    except FileNotFoundError:
        return [f"{committed} is not there"]
    except ValueError:
        return [f"{committed} is damaged"]
    mine = plain(board)
    for name in () if everything else NO_SCORES:
        mine.pop(name, None)
        theirs.pop(name, None)
    gaps = sorted(unequal(mine, theirs, tolerance), key=lambda gap: gap[0].partition(".")[0] in NO_SCORES)
    return [f"{where}: {_short(a)} here, {_short(b)} committed" for where, a, b in gaps]


def _short(value: Any) -> str:
    """A value as a person reads it: of a SHA-256 the beginning."""
    text = str(value)
    return text[:12] if re.fullmatch(r"[0-9a-f]{64}", text) else text


def disagreements(board: Board, folder: Path) -> list[tuple[Path, str]]:
    """Returns where the files in a board's folder are not what it says: which file, and what differs.

    The numbers of leaderboard.json agree within the last bits that processors differ in; the other files are
    renderings of it, to the byte. Of figures, which carry the versions of a library, it is asked that they are there.
    """
    path = folder / "leaderboard.json"
    gaps = [(path, gap) for gap in differences(board, path, tolerance=CHECK_TOLERANCE, everything=True)]
    if gaps:
        return gaps
    figures = [folder / "figures" / f"{name}.svg" for name in board.figures]
    return unlike_renderings(folder) + [(path, "is not there") for path in figures if not path.is_file()]


def unlike_renderings(folder: Path) -> list[tuple[Path, str]]:
    """Where the markdown and CSV of a board's folder are not the renderings of its leaderboard.json, to the byte.

    Raises a `ValidationError` where that is no board of this version.
    """
    gaps = []
    board = TypeAdapter(Board).validate_json((folder / "leaderboard.json").read_bytes())
    for name, text in (("LEADERBOARD.md", render(board)), ("leaderboard.csv", as_csv(board))):
        path = folder / name
        if not path.is_file():
            gaps.append((path, "is not there"))
        elif (there := path.read_bytes().decode(errors="replace")) != text:
            gaps.append((path, f"is not what the stored forecasts give: {_first_difference(there, text)}"))
    return gaps


def _first_difference(there: str, here: str) -> str:
    """The first line in which two texts differ, with the place and both sides."""
    pairs = enumerate(zip_longest(there.splitlines(), here.splitlines(), fillvalue=""), start=1)
    for number, (a, b) in pairs:
        if a != b:
            at = next((i for i, (x, y) in enumerate(zip_longest(a, b)) if x != y), 0)
            start = max(0, at - 20)
            return f"line {number} says `{a[start : at + 20]}`, they give `{b[start : at + 20]}`"
    return "the ends of lines differ"


def unequal(
    a: Any, b: Any, tolerance: float, *, new_fields: bool = True, where: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two JSON values differ; rows of entries are matched by name.

    `new_fields`: whether a field that only `a` has is a difference; a row always is.
    """
    rows = isinstance(a, list) and isinstance(b, list)
    if rows:
        a, b = _by_name(a), _by_name(b)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*(key for key in a if key in b or rows or new_fields), *(key for key in b if key not in a)]:
            inside = f"{where}.{key}".lstrip(".")
            yield from unequal(a.get(key), b.get(key), tolerance, new_fields=new_fields, where=inside)
    elif isinstance(a, float) and isinstance(b, float | int):
        if not math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * 1e-3):
            yield where, a, b
    elif a != b:
        yield where, a if not isinstance(a, dict) else "present", b if not isinstance(b, dict) else "present"


def _by_name(items: list[Any]) -> dict[str, Any]:
    def name(i: int, item: Any) -> str:
        return str(item.get("task") or item.get("entry")) if isinstance(item, dict) else str(i)

    return {name(i, item): item for i, item in enumerate(items)}

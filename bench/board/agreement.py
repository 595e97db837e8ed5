"""Whether two boards agree: one that is made here, and one that is stored."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.board.conclusion import conclude
from bench.board.model import Board
from bench.board.render.markdown import render
from bench.board.writing import as_csv, plain

NUMBER = re.compile(r"[+-]?\d*\.?\d+")
CHECK_TOLERANCE = 1e-9
"""Relative: how far scores of the same forecasts may differ between processors."""
NO_SCORES = ("cards", "inputs", "conclusion", "luck", "other_split", "figures", "undrawn")
"""What a board says of the machine that ran it and of another split, and what follows from that."""


def differences(board: Board, committed: Path, *, tolerance: float) -> list[str]:
    """Returns where a board differs from a committed leaderboard.json, one line each; empty where they agree.

    Numbers agree within `tolerance`, relative; what follows from scores and tests comes last.
    """
    theirs = _read(committed)
    if isinstance(theirs, str):
        return [theirs]
    gaps = sorted(unequal(plain(board), theirs, tolerance), key=lambda gap: gap[0].partition(".")[0] in NO_SCORES)
    return [f"{where}: {_short(a)} here, {_short(b)} committed" for where, a, b in gaps]


def _read(committed: Path) -> dict[str, Any] | str:
    """What a leaderboard.json holds, or what is wrong with it."""
    try:
        return dict(json.loads(committed.read_bytes()))
    except FileNotFoundError:
        return f"{committed} is not there"
    except (ValueError, TypeError):
        return f"{committed} is damaged"


@dataclass(frozen=True)
class Agreement:
    """Whether two boards say the same to a reader: `gaps` has a line where they do not.

    `largest` is the largest relative difference of any score or test, and `where` it is.
    """

    gaps: list[str]
    largest: float = 0.0
    where: str = ""

    @property
    def summary(self) -> str:
        """The largest relative difference in words."""
        return f"largest relative difference {self.largest:.2g}" + (f" ({self.where})" if self.where else "")


def agreement(board: Board, committed: Path, tolerances: Mapping[str, float] | None = None) -> Agreement:
    """Returns whether a reader sees the same on a board and on a committed one: what their scores and tests print.

    Rows, tiers and conclusions are the same, and every number to its printed digits; one at the edge of a digit may
    differ by one in the last. A row's numbers may differ besides by what `tolerances` grants it, relative. Costs and
    the places on another split are not compared: they are of the machine that ran, and of another board.
    """
    theirs = _read(committed)
    if isinstance(theirs, str):
        return Agreement([theirs])
    try:
        other = TypeAdapter(Board).validate_python(theirs)
    except ValidationError as error:
        return Agreement([f"{committed} is no board of this version: {str(error).splitlines()[0]}"])
    here, there = _sections(board), _sections(other)
    gaps = [f"{key[0]}: {gap}" for key in {**here, **there}
            for gap in _apart(key[1], here.get(key, {}), there.get(key, {}), tolerances or {})]  # fmt: skip
    mine, kept = ({k: part for k, part in each.items() if k not in NO_SCORES} for each in (plain(board), theirs))
    changes = [(abs(a - b) / max(abs(a), abs(b)), where) for where, a, b in unequal(mine, kept, 0.0)
               if isinstance(a, int | float) and isinstance(b, int | float) and max(abs(a), abs(b)) > 0]  # fmt: skip
    return Agreement(gaps, *max(changes, default=(0.0, "")))


Rows = dict[str, dict[str, str]]
"""The cells of each row by column, heads with the empty name; of a text the words of each line by position."""


def _sections(board: Board) -> dict[tuple[str, str], Rows]:
    """What a reader sees of a board's scores and tests: by heading, and by table or empty for the text beside them.

    The words of the conclusion that speak of costs go with the costs.
    """
    bare = replace(board, cards=[], luck=[], figures=[], undrawn=[], conclusion=[])
    text = render(replace(bare, conclusion=conclude(bare)))
    sections: dict[tuple[str, str], Rows] = {}
    heading, table, heads = "", "", [""]
    for line in filter(None, text.splitlines()):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        name = next((cell for cell in cells if cell.startswith("`")), "")
        if line.startswith("#"):
            heading = line.strip("# ")
        elif not line.startswith("|"):
            lines = sections.setdefault((heading, ""), {})
            lines[str(len(lines))] = {str(i): word for i, word in enumerate(line.split())}
        elif name or not set(line) <= set("|-: "):
            if not name:
                heads = [NUMBER.sub("#", cell) + " " * cells[:i].count(cell) for i, cell in enumerate(cells)]
                table = ", ".join(heads[:2])
            sections.setdefault((heading, table), {})[name] = dict(zip(heads, cells, strict=True))
    return sections


def _apart(table: str, here: Rows, there: Rows, tolerances: Mapping[str, float]) -> Iterator[str]:
    """The rows and lines in which two readers see different things."""
    if not here or not there:
        yield f"the {f'table `{table}`' if table else 'text'} is {'only here' if here else 'not here'}"
        return
    for column in {**here.get("", {}), **there.get("", {})}:
        if (column in here[""]) != (column in there[""]):
            yield f"column `{column}` is {'only here' if column in here[''] else 'not here'}"
    for name in {**here, **there}:
        entry = name.strip("`").partition("`")[0]
        if name not in here or name not in there:
            words = list((here.get(name) or there[name]).values())
            yield f"{entry if table else ' '.join(words[:12])} is {'only here' if name in here else 'not here'}"
            continue
        mine, theirs = here[name], there[name]
        shared = [column for column in {**mine, **theirs} if not table or (column in mine and column in theirs)]
        pairs = ((mine.get(column, ""), theirs.get(column, "")) for column in shared)
        for a, b in islice((pair for pair in pairs if not _reads_alike(*pair, tolerances.get(entry, 0.0))), 1):
            yield f"{(entry or 'heads') if table else 'text'}: {a} here, {b} committed"


def _reads_alike(a: str, b: str, tolerance: float) -> bool:
    """Whether two printed cells say the same: words alike, numbers apart by one in the last digit at most.

    >>> _reads_alike("+18.9 [+15.0, +23.2]", "+18.8 [+15.0, +23.2]", 0), _reads_alike("0.2472", "0.2474", 0)
    (True, False)
    >>> _reads_alike("↓ <.001", "↓ .001", 0), _reads_alike("↓ .040", "↑ .040", 0)
    (True, False)
    """
    first, second = a.replace("<", ""), b.replace("<", "")
    if NUMBER.sub("#", first) != NUMBER.sub("#", second):
        return False
    for mine, theirs in zip(NUMBER.findall(first), NUMBER.findall(second), strict=True):
        digits = max(len(text.partition(".")[2]) for text in (mine, theirs))
        allowed = 10.0**-digits if digits else 0.0  # whole numbers are counts: tiers, wins, sessions
        if abs(float(mine) - float(theirs)) > 1.001 * allowed + tolerance * abs(float(theirs)):
            return False
    return True


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
    gaps = [(path, gap) for gap in differences(board, path, tolerance=CHECK_TOLERANCE)]
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
    named = ((item.get("task") or item.get("entry")) if isinstance(item, dict) else i for i, item in enumerate(items))
    return {str(name): item for name, item in zip(named, items, strict=True)}

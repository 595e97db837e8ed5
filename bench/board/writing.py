"""Boards on disk, and whether two of them agree."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.board.markdown import render
from bench.board.table import Board
from bench.store import as_json, write_atomic

MAIN_SPLIT = "official"
COSTS = ("hardware", "cards")
"""What a board says of the machine that ran it, not of the forecasts."""


def board_folder(results: Path, dataset: str, split: str) -> Path:
    """Where a board lies: the official one at the top of its dataset, others in their split's folder."""
    return results / dataset if split == MAIN_SPLIT else results / dataset / split


def write_board(board: Board, results: Path) -> Path:
    """Writes LEADERBOARD.md and leaderboard.json; returns the path of the markdown."""
    folder = board_folder(results, board.dataset, board.split)
    write_atomic(folder / "leaderboard.json", as_json(plain(board)))
    path = folder / "LEADERBOARD.md"
    write_atomic(path, render(board).encode())
    return path


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON values: numbers that are not finite become None."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [clean(item) for item in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    cleaned: dict[str, Any] = clean(asdict(board))
    return cleaned


def differences(board: Board, committed: Path, *, tolerance: float, with_costs: bool = False) -> list[str]:
    """Returns where a board differs from a committed leaderboard.json, one line each; empty where they agree.

    Numbers agree within `tolerance`, relative; costs are compared only when asked for.
    """
    if not committed.is_file():
        return [f"{committed} is not there"]
    theirs = json.loads(committed.read_bytes())
    mine = plain(board)
    for name in () if with_costs else COSTS:
        mine.pop(name, None)
        theirs.pop(name, None)
    return [f"{where}: {a} here, {b} committed" for where, a, b in _unequal(mine, theirs, "", tolerance)]


def _unequal(a: Any, b: Any, where: str, tolerance: float) -> Iterator[tuple[str, Any, Any]]:
    """The leaves in which two JSON values differ; rows of entries are matched by name."""
    if isinstance(a, list) and isinstance(b, list):
        a, b = _by_name(a), _by_name(b)
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            yield from _unequal(a.get(key), b.get(key), f"{where}.{key}".lstrip("."), tolerance)
    elif isinstance(a, float) and isinstance(b, float | int):
        if not math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance * 1e-3):
            yield where, a, b
    elif a != b:
        yield where, a if not isinstance(a, dict) else "present", b if not isinstance(b, dict) else "present"


def _by_name(items: list[Any]) -> dict[str, Any]:
    def name(i: int, item: Any) -> str:
        return str(item.get("task") or item.get("entry")) if isinstance(item, dict) else str(i)

    return {name(i, item): item for i, item in enumerate(items)}

"""Boards on disk: markdown, JSON, CSV and figures; reading one back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.board.build import begin_board
from bench.board.gather import gather, inputs_digest
from bench.board.model import Board, flat
from bench.board.render.figures import draw
from bench.board.render.markdown import render
from bench.files import as_json, write_atomic
from bench.stats.losses import SESSIONS_PER_YEAR
from bench.store import Scope


def make_board(scope: Scope) -> tuple[Board, Path]:
    """Builds a board and writes LEADERBOARD.md, leaderboard.json, leaderboard.csv and figures/; errors as `gather`.

    Returns it with the path of its markdown.
    """
    gathered, folder, path = gather(scope), scope.folder, scope.folder / "LEADERBOARD.md"
    begun, whole = begin_board(gathered)
    drawn = draw(begun, gathered)
    figures = {name: svg for name, svg in drawn.items() if isinstance(svg, bytes)}
    undrawn = [f"{name}: {why}" for name, why in drawn.items() if isinstance(why, str)]
    board = replace(whole(), figures=list(figures), undrawn=undrawn)
    for name, svg in figures.items():
        write_atomic(folder / "figures" / f"{name}.svg", svg)
    write_atomic(folder / "leaderboard.csv", as_csv(board).encode())
    write_atomic(folder / "leaderboard.json", as_json(plain(board)))
    write_atomic(path, render(board).encode())
    return board, path


def current_board(scope: Scope) -> tuple[Board, Path] | None:
    """The board on disk if it was made from just what is stored now, else None."""
    path = scope.folder / "LEADERBOARD.md"
    if not path.is_file():
        return None
    try:
        board = TypeAdapter(Board).validate_json((scope.folder / "leaderboard.json").read_bytes())
        text = path.read_text(encoding="utf-8")
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
    return (board, path) if board.inputs == inputs_digest(scope, scope.realized()) and text == render(board) else None


def ensure_board(scope: Scope) -> tuple[Board, Path]:
    """The board on disk where it is that of what is stored, else one made now; with the path of its markdown."""
    return current_board(scope) or make_board(scope)


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON values."""
    values = asdict(board)
    for table in values["tables"]:
        table["rows"] = [flat(row) for row in table["rows"]]
    if not board.undrawn:
        del values["undrawn"]
    for card in values["cards"]:
        if not card["failures"]:  # a mark, where there is something to mark
            del card["failures"]
    if board.sessions_per_year == SESSIONS_PER_YEAR:  # said where it is another
        del values["sessions_per_year"]
    return values


def as_csv(board: Board) -> str:
    """One line for each entry and task: every number of the row, nested ones as `tests.har.p_holm`."""
    cards, lines = {card.entry: card for card in board.cards}, []
    for table in board.tables:
        for row in table.rows:
            values = flat(asdict(row)) | {"symbol_qlike": dict(zip(board.symbols, row.symbol_qlike, strict=True))}
            # the day on which the forecasts behind the row were made again
            source = table.derived_from if row.derived and table.derived_from else table.task
            day = cards[row.entry].reproduced.get(source) if row.entry in cards else None
            lines.append({"task": table.task, **dict(_leaves(values)), "reproduced": day or "self-reported"})
    sink = io.StringIO()
    writer = csv.DictWriter(sink, dict.fromkeys(key for line in lines for key in line), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return sink.getvalue()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested dictionaries, by their names with dots."""
    if not isinstance(value, dict):
        yield name, value
        return
    for key, item in value.items():
        yield from _leaves(item, f"{name}.{key}" if name else key)

"""Boards on disk: markdown, JSON, CSV and figures; reading one back."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.board.build import board_of
from bench.board.gather import Gathered, gather, inputs_digest
from bench.board.model import Board, Card, Row, TaskTable, flat
from bench.board.render.figures import draw
from bench.board.render.markdown import render
from bench.files import as_json, write_atomic
from bench.store import Scope


def make_board(scope: Scope) -> tuple[Board, Path]:
    """Builds a board and writes it; returns it with the path of its markdown."""
    gathered = gather(scope)
    board = board_of(gathered)
    return board, write_board(board, gathered)


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
    return (board, path) if board.inputs == inputs_digest(scope) and text == render(board) else None


def ensure_board(scope: Scope) -> tuple[Board, Path]:
    """The board on disk where it is that of what is stored, else one made now; with the path of its markdown."""
    return current_board(scope) or make_board(scope)


def write_board(board: Board, gathered: Gathered) -> Path:
    """Writes LEADERBOARD.md, leaderboard.json, leaderboard.csv and figures/; returns the path of the markdown."""
    folder = gathered.scope.folder
    for name, svg in draw(board, gathered).items():
        write_atomic(folder / "figures" / f"{name}.svg", svg)
    write_atomic(folder / "leaderboard.csv", as_csv(board).encode())
    write_atomic(folder / "leaderboard.json", as_json(plain(board)))
    path = folder / "LEADERBOARD.md"
    write_atomic(path, render(board).encode())
    return path


def plain(board: Board) -> dict[str, Any]:
    """The board as JSON values."""
    values = asdict(board)
    for table in values["tables"]:
        table["rows"] = [flat(row) for row in table["rows"]]
    for card in values["cards"]:
        if not card["failures"]:  # a mark, where there is something to mark
            del card["failures"]
    return values


def as_csv(board: Board) -> str:
    """One line for each entry and task: every number of the row, nested ones as `tests.har.p_holm`."""
    cards = {card.entry: card for card in board.cards}
    lines = [
        {"task": table.task, **_flat(row, board.symbols), "reproduced": _reproduced(table, row, cards.get(row.entry))}
        for table in board.tables
        for row in table.rows
    ]
    columns = list(dict.fromkeys(key for line in lines for key in line))
    sink = io.StringIO()
    writer = csv.DictWriter(sink, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return sink.getvalue()


def _reproduced(table: TaskTable, row: Row, card: Card | None) -> str:
    """On which day the forecasts behind a row were made again, or that they were not."""
    source = table.derived_from if row.derived and table.derived_from else table.task
    return (card.reproduced.get(source) if card else None) or "self-reported"


def _flat(row: Row, symbols: list[str]) -> dict[str, Any]:
    values = flat(asdict(row))
    values["symbol_qlike"] = dict(zip(symbols, row.symbol_qlike, strict=True))

    def flatten(value: Any, name: str) -> Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, item in value.items():
                yield from flatten(item, f"{name}.{key}" if name else key)
        else:
            yield name, value

    return dict(flatten(values, ""))

"""The headline table of a board as a terminal of some width shows it."""

from __future__ import annotations

from collections.abc import Collection

from tabulate import tabulate

from bench.board.model import Board
from bench.board.render.markdown import render_headline, score_columns

FIRST = ("tier", "entry", "QLIKE", "p vs ", "skill", "dir. acc.")
"""How the heads of columns begin that stay longest, in this order; others go first where there is no room."""
MARK = "> "


def render_terminal(board: Board, width: int, own: Collection[str] = ()) -> str:
    """Returns the headline table with as many columns as `width` holds, at least two; rows of `own` are marked.

    Without a width, or without rows, it is the whole table in markdown.
    """
    table = board.table(board.headline)
    if not width or table is None or not table.rows:
        return render_headline(board)
    columns = list(score_columns(board, table))
    while True:
        text = tabulate(
            [[(MARK if not i and row.entry in own else "") + cell(row) for i, (_, cell) in enumerate(columns)]
             for row in table.rows],
            headers=[head for head, _ in columns], tablefmt="simple", disable_numparse=True,
            colalign=["left", "left"] + ["right"] * (len(columns) - 2),
        )  # fmt: skip
        if len(columns) == 2 or len(text.partition("\n")[0]) <= width:
            absent = [f"{row.entry}: {row.state}: {row.reason}"[:width] for row in table.absent]
            return "\n".join([f"{board.dataset} {board.split}, {table.task}", "", text, *absent])
        columns.remove(max(columns[2:], key=lambda column: _rank(column[0])))


def _rank(head: str) -> int:
    return next((i for i, beginning in enumerate(FIRST) if head.startswith(beginning)), len(FIRST))

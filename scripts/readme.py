"""Writes the first rows of the official board into README.md, between its markers. usage: python scripts/readme.py"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import TypeAdapter

from bench.board import Board
from bench.board.render.markdown import render_headline
from bench.files import write_atomic

ROOT = Path(__file__).resolve().parents[1]
ROWS = 6


def filled(readme: str, board: Board) -> str:
    """The README with the first rows of the board's headline table."""
    table = render_headline(board, ROWS).split("\n\n")[1]
    block = f"<!-- board -->\n{table}\n<!-- /board -->"
    return re.sub(r"<!-- board -->.*?<!-- /board -->", lambda _: block, readme, flags=re.DOTALL)


def main() -> None:
    """Write the README."""
    board = TypeAdapter(Board).validate_json((ROOT / "results/us21/leaderboard.json").read_bytes())
    readme = ROOT / "README.md"
    write_atomic(readme, filled(readme.read_text(encoding="utf-8"), board).encode())


if __name__ == "__main__":
    main()

"""What the commands share: options, output and the registry."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from shutil import get_terminal_size
from textwrap import shorten
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.registry.workspace import Workspace

if TYPE_CHECKING:
    from bench.board.view import Figure, LoadedBoard


class Context(typer.Context):
    """What a command is called in: `obj` is the clone that a person works in."""

    obj: Workspace


DatasetOption = Annotated[
    str | None, typer.Option("--dataset", "-d", help="Dataset; default: the registry's.", show_default=False)
]
SplitOption = Annotated[
    str | None, typer.Option("--split", "-s", help="Split; default: the registry's.", show_default=False)
]
ResultsOption = Annotated[
    Path | None,
    typer.Option(
        "--results", help="Results folder; default: results/, or scratch/ for entries from outside.", show_default=False
    ),
]
TasksOption = Annotated[list[str] | None, typer.Option("--task", "-t", help="Task; may be repeated; default: all.")]
PADDING = 2
"""By how much tabulate makes a column wider than its head."""
LEAST = 12
"""Characters that a column is cut to at most."""
CORES = Workspace().cores
JobsOption = Annotated[int, typer.Option("--jobs", "-j", min=1, help="Worker processes; default: all cores.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def examples(*lines: str) -> str:
    """The end of a help text: its examples, one a line."""
    return "Examples:\n\n" + "\n\n".join(f"  {line}" for line in lines)


def say(text: str) -> None:
    """A message on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show(text: str) -> None:
    """A result on stdout."""
    sys.stdout.write(f"{text}\n")


def show_json(value: Any) -> None:
    """A result on stdout as JSON."""
    show(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False))


def waiting() -> None:
    """Told while another run holds the results."""
    say("waiting: a run holds these results")


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Rows as columns of text."""
    from tabulate import tabulate

    return tabulate(list(rows), headers="keys", tablefmt="simple", disable_numparse=True)


def fitted(rows: list[dict[str, Any]], width: int) -> str:
    """Rows as columns of text that `width` characters hold, their texts cut, the last one's to what is left.

    The version of an entry is left out where there is a width: `--json` has it. Whole where there is none.
    """
    if not width or not rows:
        return table(rows)
    first, *middle, last = [key for key in rows[0] if key != "version"]
    cut = [{first: row[first], **{key: _short(row[key], width // 5) for key in middle}} for row in rows]
    room = width - sum(2 + max(len(key) + PADDING, *(len(str(row[key])) for row in cut)) for key in (first, *middle))
    return table([{**row, last: _short(whole[last], room)} for row, whole in zip(cut, rows, strict=True)])


def _short(text: Any, most: int) -> str:
    return shorten(str(text), max(most, LEAST), placeholder="...")


def show_board(board: LoadedBoard, own: Collection[str] = ()) -> None:
    """The headline table, as wide as the terminal; whole and in markdown where there is none."""
    from bench.board.render.terminal import render_terminal

    show(render_terminal(board.board, get_terminal_size((0, 0)).columns, own))


def write_figure(path: Path, figure: Figure) -> None:
    """Write a figure, by the ending of its name, and say where."""
    figure.save(path)
    say(f"figure: {path}")

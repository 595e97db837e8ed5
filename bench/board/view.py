"""A board and a comparison as a person uses them in Python: frames, figures, tables in words and in LaTeX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from bench.board.compare import Comparison, Part, as_figure, as_text, compare
from bench.board.gather import TaskScores, gather
from bench.board.model import Board, Row, TaskTable
from bench.board.render.figures import draw, draw_forecasts
from bench.board.render.latex import DEFAULT, render_latex
from bench.board.render.markdown import render, render_headline
from bench.board.render.style import FORMS
from bench.board.writing import current_board
from bench.errors import BenchError, did_you_mean
from bench.files import write_atomic
from bench.store import Scope

COLUMNS = ["task", "entry", "metric", "reference", "value", "low", "high", "p", "p_holm"]
"""Of a board's frame; `p_holm` is adjusted over the entries tested against the reference."""
PARTS = {"_low": "low", "_high": "high", "_p_value": "p"}
"""Endings of fields of a row that belong to the metric before them."""


class Text(str):
    """Words that a prompt and a notebook show as they are."""

    __slots__ = ()
    __repr__ = str.__str__


@dataclass(frozen=True)
class Figure:
    """A figure; a notebook shows its SVG. `draw` makes a file of one of `FORMS` of it, where there is more than SVG."""

    svg: bytes
    draw: Callable[[str], bytes] | None = None

    @classmethod
    def of(cls, draw: Callable[[str], bytes]) -> Figure:
        """One that is drawn in every form."""
        return cls(draw("svg"), draw)

    def save(self, path: Path | str) -> Path:
        """Write the file, by its ending: `.svg`, and `.png` or `.pdf` of what is drawn anew; a `BenchError` else."""
        path = Path(path)
        form, known = path.suffix.lower().removeprefix("."), list(FORMS) if self.draw else ["svg"]
        if form not in known:
            said = ", ".join(f".{each}" for each in known)
            raise BenchError(f"{path}: this figure is written as {said}: give its name such an ending")
        write_atomic(path, self.draw(form) if self.draw and form != "svg" else self.svg)
        return path

    def _repr_svg_(self) -> str:
        return self.svg.decode()


@dataclass(frozen=True, repr=False)
class ComparedPair:
    """Two entries on one task; prints as a table. `result` has every number."""

    result: Comparison

    def summary(self) -> Text:
        """Difference, test, and where it comes from: regimes, symbols, days."""
        return Text(as_text(self.result))

    def frame(self) -> pd.DataFrame:
        """One row a part: all cells, each regime, each symbol; QLIKE of both, difference, share of it, and p."""
        result = self.result
        whole = Part("all", result.n_origins, result.a_qlike, result.b_qlike, 1.0, result.p_value)
        kinds = (("all", [whole]), ("regime", result.regimes), ("symbol", result.symbols))
        return pd.DataFrame([
            {"part": kind, "name": part.name, "n": part.n, result.a: part.a_qlike, result.b: part.b_qlike,
             "difference": part.difference, "share": part.share, "p": part.p_value}
            for kind, parts in kinds for part in parts
        ])  # fmt: skip

    def figure(self) -> Figure:
        """The cumulated difference over time, and the difference by symbol."""
        return Figure.of(partial(as_figure, self.result))

    def __repr__(self) -> str:
        return self.summary()


@dataclass(frozen=True, repr=False)
class LoadedBoard:
    """A board and the stored results behind it; prints as its headline table. `board` has every number."""

    board: Board
    scope: Scope

    @property
    def tasks(self) -> list[str]:
        """The tasks that have a table."""
        return [table.task for table in self.board.tables]

    @property
    def conclusion(self) -> Text:
        """What the tests say, in sentences."""
        return Text("\n".join(self.board.conclusion))

    def frame(self, task: str | None = None) -> pd.DataFrame:
        """Every number of a task's rows, one a line: columns `COLUMNS`; all tasks where none is named.

        `low` and `high` are the metric's interval, `p` its test, where it has them. The metric `difference` is QLIKE
        less that of `reference`, with the panel test's p.
        """
        tables = self.board.tables if task is None else [self._table(task)]
        lines = [line for table in tables for row in table.rows for line in _lines(self.board, table.task, row)]
        return pd.DataFrame(lines, columns=COLUMNS)

    def only(self, entries: Sequence[str]) -> LoadedBoard:
        """The board with the rows of these entries alone; tiers and tests stay those beside all others."""
        known = {card.entry for card in self.board.cards}
        for name in entries:
            if name not in known:
                raise BenchError(f"no `{name}` on this board{did_you_mean(name, known)}")
        tables = [_only(table, entries) for table in self.board.tables]
        cards = [card for card in self.board.cards if card.entry in entries]
        return replace(self, board=replace(self.board, tables=tables, cards=cards))

    def by_symbol(self, symbol: str, task: str | None = None) -> list[dict[str, Any]]:
        """The rows of a task (the headline where none is named) by the mean QLIKE of one symbol, beside that of all."""
        if symbol not in self.board.symbols:
            raise BenchError(f"this board has no symbol `{symbol}`{did_you_mean(symbol, self.board.symbols)}")
        at = self.board.symbols.index(symbol)
        rows = self._table(task or self.board.headline).rows
        found = [{"entry": row.entry, f"QLIKE of {symbol}": row.symbol_qlike[at], "QLIKE": row.qlike} for row in rows]
        return sorted(found, key=lambda row: math.inf if (value := row[f"QLIKE of {symbol}"]) is None else value)

    def compare(
        self, a: str, b: str, task: str | None = None, *, symbol: str | None = None, regime: str | None = None
    ) -> ComparedPair:
        """Two entries on a task (the headline where none is named), one symbol or one regime at the origin."""
        scores, of = scores_of(self.scope, task), self.scope
        return ComparedPair(compare(scores, a, b, dataset=of.dataset.id, split=of.split, symbol=symbol, regime=regime))

    def latex(self, task: str | None = None, columns: Sequence[str] = DEFAULT) -> Text:
        """A task's rows as a booktabs table with notes; columns are metrics and `latex.FIXED`."""
        return Text(render_latex(self.board, self._table(task or self.board.headline), columns))

    def figure(self, name: str) -> Figure:
        """A figure of the headline task; `board.figures` has the names."""
        if name not in self.board.figures:
            raise BenchError(f"this board has no figure `{name}`{did_you_mean(name, self.board.figures)}")
        drawn = draw(replace(self.board, figures=[name]), gather(self.scope))[name]
        if isinstance(drawn, str):
            raise BenchError(f"the figure `{name}` cannot be drawn: {drawn}")
        return Figure(drawn)

    def markdown(self) -> Text:
        """The whole board."""
        return Text(render(self.board))

    def _table(self, task: str) -> TaskTable:
        table = self.board.table(task)
        if table is None:
            raise BenchError(f"no results of `{task}` on this board{did_you_mean(task, self.tasks)}")
        return table

    def __repr__(self) -> str:
        return render_headline(self.board)


def load(scope: Scope) -> LoadedBoard:
    """Returns the board on disk where it is that of what is stored, else one made now; nothing is written."""
    from bench.board.build import build_board

    current = current_board(scope)
    return LoadedBoard(current[0] if current else build_board(scope), scope)


def scores_of(scope: Scope, task: str | None = None) -> TaskScores:
    """Returns all stored results of one task, scored; the headline where none is named."""
    settings = scope.settings
    name = settings.task(task or settings.headline).name
    source = settings.tasks[name].derived_from
    gathered = gather(scope, [name, *([source] if source else [])])
    if name not in gathered.tasks:
        raise BenchError(f"no results of {name} on {scope.dataset.id} {scope.split}")
    return gathered.tasks[name]


def forecasts_figure(scope: Scope, entry: str, task: str | None = None, symbol: str | None = None) -> Figure:
    """Returns one entry's forecasts beside realised volatility, on one symbol: the market where none is named."""
    scores = scores_of(scope, task)
    if entry not in scores.scored:
        raise BenchError(f"no finished result of `{entry}` on this task{did_you_mean(entry, scores.scored)}")
    symbol = symbol or scope.dataset.market or scope.dataset.symbols[0]
    if symbol not in scores.cells.symbols:
        raise BenchError(f"{scope.dataset.id} has no symbol `{symbol}`{did_you_mean(symbol, scores.cells.symbols)}")
    return Figure.of(partial(draw_forecasts, scores, entry, symbol))


def _only(table: TaskTable, entries: Sequence[str]) -> TaskTable:
    kept = [i for i, row in enumerate(table.rows) if row.entry in entries]
    return replace(
        table, rows=[table.rows[i] for i in kept], pair_p=[[table.pair_p[i][j] for j in kept] for i in kept],
        absent=[each for each in table.absent if each.entry in entries],
    )  # fmt: skip


def _lines(board: Board, task: str, row: Row) -> list[dict[str, Any]]:
    """The numbers of a row: a line each, intervals and p beside what they belong to, then the tests."""
    plain = {
        name: value for name, value in vars(row).items()
        if name != "conditional" and not isinstance(value, bool) and isinstance(value, int | float | None)
    }  # fmt: skip
    numbers = {**row.scores, **plain}
    found: dict[str, dict[str, Any]] = {}
    for name, value in numbers.items():
        metric, part = name, "value"
        for ending, column in PARTS.items():
            if name.endswith(ending) and name.removesuffix(ending) in numbers:
                metric, part = name.removesuffix(ending), column
        reference = board.skill_reference if metric == "skill" else None
        found.setdefault(metric, {"task": task, "entry": row.entry, "metric": metric, "reference": reference})
        found[metric][part] = value
    tests = [
        {"task": task, "entry": row.entry, "metric": "difference", "reference": name, "value": test.mean_difference,
         "p": test.p_value, "p_holm": test.p_holm}
        for name, test in row.tests.items()
    ]  # fmt: skip
    return [*found.values(), *tests]

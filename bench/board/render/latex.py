"""A task's rows as a LaTeX table (booktabs), with notes that say what the numbers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.board.model import Board, Row, TaskTable
from bench.board.render.numbers import NONE, percent, probability
from bench.errors import BenchError, did_you_mean
from bench.stats.metrics import METRICS

SPECIAL = {"\\": r"\textbackslash{}", **{c: f"\\{c}" for c in "&%$#_{}"}, "~": r"\textasciitilde{}",
           "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$"}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """How one column is headed, written and explained; `{reference}`, `{anchor}`, `{baseline}` are the board's."""

    head: str
    cell: Callable[[Row, Board], str]
    note: str = ""


def _p(row: Row, name: str) -> str:
    return probability(row.tests[name].p_holm) if name in row.tests else NONE


P_NOTE = "p: panel test of equal QLIKE, two-sided, Holm over the rows."
FIXED = {
    "tier": Column("tier", lambda row, board: str(row.tier), "Tier 1: the 90 % model confidence set."),
    "skill": Column(
        "skill vs {reference}, %", lambda row, board: percent(row.skill, row.skill_low, row.skill_high),
        "Skill: 1 less the geometric mean over symbols of QLIKE over that of {reference}, 90 % interval.",
    ),
    "wins": Column(
        "wins", lambda row, board: NONE if row.wins is None else str(row.wins),
        "Wins: symbols with a smaller QLIKE than {reference}.",
    ),
    "p_reference": Column("p vs {reference}", lambda row, board: _p(row, board.skill_reference), P_NOTE),
    "p_anchor": Column("p vs {anchor}", lambda row, board: _p(row, board.anchor), P_NOTE),
}  # fmt: skip
"""The columns beside those of the table of metrics."""
DEFAULT = ("qlike", "skill", "mse_var", "direction", "p_reference", "p_anchor")


def column_of(name: str) -> Column:
    """The column of a metric, or another one of a board; a `BenchError` where there is none of that name."""
    if name in FIXED:
        return FIXED[name]
    if name not in METRICS:
        raise BenchError(f"no column `{name}`{did_you_mean(name, [*FIXED, *METRICS])}")
    metric = METRICS[name]
    note = metric.note.replace("`", "").replace("{constant}", "")
    return Column(metric.title, lambda row, board: metric.printed(row.scores.get(metric.name)), note)


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(escaped("100 % of a_b"))
    100 \% of a\_b
    """
    return "".join(SPECIAL.get(c, c) for c in text)


def render_latex(board: Board, table: TaskTable, columns: Sequence[str] = DEFAULT) -> str:
    """Returns a `table` environment: caption, a row an entry in the board's order, notes below; needs booktabs."""
    chosen = [column_of(name) for name in columns]
    names = {"reference": board.skill_reference, "anchor": board.anchor, "baseline": board.baseline}

    def line(cells: Sequence[str]) -> str:
        return " & ".join(map(escaped, cells)) + r" \\"

    notes = dict.fromkeys(column.note.format(**names) for column in chosen if column.note)
    caption = (
        f"{board.dataset} {board.split}, {table.task}: {table.n_origins} origins from {table.first_origin} to "
        f"{table.last_origin}; protocol {board.protocol}, bars {board.data_identity[:12]}."
    )
    return "\n".join(
        [
            r"\begin{table}", r"\centering", rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(chosen)}}}", r"\toprule",
            line(["entry", *(column.head.format(**names) for column in chosen)]), r"\midrule",
            *(line([row.entry, *(column.cell(row, board) for column in chosen)]) for row in table.rows),
            r"\bottomrule", r"\end{tabular}", r"\par\smallskip\footnotesize",
            escaped(" ".join(notes)), r"\end{table}", "",
        ]
    )  # fmt: skip

"""A task's rows as a LaTeX table (booktabs), with notes that say what the numbers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.board.model import Board, Row, TaskTable
from bench.board.render.markdown import NONE, loss, percent, probability
from bench.errors import BenchError, did_you_mean

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


def _skill(row: Row) -> str:
    interval = "" if row.skill_low is None else f" [{percent(row.skill_low)}, {percent(row.skill_high)}]"
    return percent(row.skill) + interval


def _digits(name: str, form: str) -> Callable[[Row, Board], str]:
    def cell(row: Row, board: Board) -> str:
        value = getattr(row, name)
        return NONE if value is None else format(value, form)

    return cell


P_NOTE = "p: panel test of equal QLIKE, two-sided, Holm over the rows."
COLUMNS = {
    "tier": Column("tier", _digits("tier", "d"), "Tier 1: the 90 % model confidence set."),
    "qlike": Column("QLIKE", lambda row, board: loss(row.qlike), "QLIKE: y/f - ln(y/f) - 1, mean over days, symbols."),
    "skill": Column(
        "skill vs {reference}, %", lambda row, board: _skill(row),
        "Skill: 1 less the geometric mean over symbols of QLIKE over that of {reference}, 90 % interval.",
    ),
    "wins": Column("wins", _digits("wins", "d"), "Wins: symbols with a smaller QLIKE than {reference}."),
    "mse_var": Column("MSE var", _digits("mse_var", ".3f"), "MSE var: of the variance, (percent squared) squared."),
    "rmse_vol": Column("RMSE vol", _digits("rmse_vol", ".2f"), "RMSE vol: annualised percentage points, not robust."),
    "mae_vol": Column("MAE vol", _digits("mae_vol", ".2f"), "MAE vol: annualised percentage points, not robust."),
    "direction": Column("dir. acc.", _digits("direction", ".3f"), "Dir. acc.: read it beside that of {baseline}."),
    "bias": Column("bias", _digits("bias", ".3f"), "Bias: mean forecast over mean target."),
    "r_squared": Column("R2", _digits("r_squared", ".3f"), "R2: of the variance, against {baseline}, out of sample."),
    "p_reference": Column("p vs {reference}", lambda row, board: _p(row, board.skill_reference), P_NOTE),
    "p_anchor": Column("p vs {anchor}", lambda row, board: _p(row, board.anchor), P_NOTE),
}  # fmt: skip
DEFAULT = ("qlike", "skill", "mse_var", "direction", "p_reference", "p_anchor")


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is.

    >>> print(escaped("100 % of a_b"))
    100 \% of a\_b
    """
    return "".join(SPECIAL.get(c, c) for c in text)


def render_latex(board: Board, table: TaskTable, columns: Sequence[str] = DEFAULT) -> str:
    """Returns a `table` environment: caption, a row an entry in the board's order, notes below; needs booktabs."""
    for name in columns:
        if name not in COLUMNS:
            raise BenchError(f"no column `{name}`{did_you_mean(name, COLUMNS)}")
    chosen = [COLUMNS[name] for name in columns]
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

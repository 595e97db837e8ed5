"""What a study found: its table, figures and a page, from the study's board.

A study may bring an `analysis.py` with `table(results)` or `figures(table)` of its own; they stand in for those here.
It is the maintainers' code, reviewed like the library: it runs in this process and may import bench and pandas.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import stats
from bench.board.conclusion import LEVEL, side, verdict
from bench.board.model import Board, TaskTable
from bench.board.render.numbers import NONE, difference, grid, loss, percent, probability
from bench.board.render.style import COLOURS, GREY, SETTINGS, new_figure, render_figure
from bench.board.scores import number, number_or_none
from bench.errors import BenchError
from bench.files import remove, write_atomic
from bench.registry.entries import Entry
from bench.registry.studies import Study, as_word
from bench.store import DONE, MAIN_SPLIT, Scope, read_run, stale_parts

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

PAGE, TABLE = "README.md", "table.csv"
SHOWN: dict[str, Callable[[Any], str]] = {
    "qlike": loss, "seed_spread": loss, "skill": percent, "skill_low": percent, "skill_high": percent,
    "difference": difference, "p": probability, "p_holm": probability, "seconds": "{:.0f}".format,
}  # fmt: skip
"""How the columns of a table are printed; others as they are."""
NOTES = (
    "QLIKE of the mean variance over the seeds; `seed_spread`: standard deviation of the seeds' own QLIKE; `skill` "
    "against `{reference}` with its 90 % interval, in percent; `difference`, `p`, `p_holm`: QLIKE less that of "
    "`against`, and the panel test of it, two-sided, plain and adjusted for all tests of the study on that task; "
    "`seconds` of fitting."
)


@dataclass(frozen=True)
class StudyResults:
    """What an analysis is handed: the study, the scope of its results and their board, the references beside."""

    study: Study
    scope: Scope
    board: Board

    @property
    def folder(self) -> Path:
        """Where table, figures and page of the study lie; the folder of its board is below."""
        return self.scope.folder.parent


def table(results: StudyResults) -> DataFrame:
    """One row a task and variant, in the order of the study, missing ones left out: axes, scores, tests.

    `task` and the axes are the columns before `qlike`. Numbers are those of the board; `p` is its test of the pair.
    """
    import pandas as pd

    columns = ["task", *results.study.columns.values(), "qlike", "seed_spread", "skill", "skill_low", "skill_high",
               "against", "difference", "p", "p_holm", "seconds"]  # fmt: skip
    rows = [row for part in results.board.tables if part.derived_from is None for row in _rows(results, part)]
    return pd.DataFrame(rows, columns=columns)


def _rows(results: StudyResults, part: TaskTable) -> list[dict[str, Any]]:
    study, index = results.study, {row.entry: i for i, row in enumerate(part.rows)}
    cards = {card.entry: card for card in results.board.cards}
    found = []
    for name, variant in study.variants.items():
        if name not in index:
            continue
        row, card, other = part.rows[index[name]], cards[name], study.counterparts.get(name)
        found.append({"task": part.task, **_axes(study, variant), "qlike": row.qlike, "seed_spread": card.seed_spread,
                      "skill": row.skill, "skill_low": row.skill_low, "skill_high": row.skill_high,
                      "seconds": card.fit_seconds})  # fmt: skip
        if other in index:
            gap = number(row.qlike - part.rows[index[other]].qlike)
            found[-1] |= {"against": other, "difference": gap, "p": part.pair_p[index[name]][index[other]]}
    tested: list[dict[str, Any]] = [each for each in found if each.get("p") is not None]
    if tested:
        for each, p_value in zip(tested, stats.holm([each["p"] for each in tested]), strict=True):
            each["p_holm"] = number_or_none(p_value)
    return found


def figures(table: DataFrame) -> dict[str, Figure]:
    """`qlike`: the QLIKE of every variant, a panel a task; bars are one standard deviation of the seeds either way."""
    axes, tasks = axes_of(table), list(dict.fromkeys(table["task"]))
    most = max(int((table["task"] == task).sum()) for task in tasks)
    figure, panels = new_figure(7.2, (0.9 + 0.3 * most) * len(tasks), len(tasks), squeeze=False)
    for panel, task in zip(panels[:, 0], tasks, strict=True):
        rows = table[table["task"] == task].iloc[::-1]
        labels = [", ".join(f"{axis} {row[axis]}" for axis in axes) for _, row in rows.iterrows()]
        spread = rows["seed_spread"].astype(float).fillna(0.0)
        panel.errorbar(rows["qlike"], range(len(rows)), xerr=spread, fmt="o", color=COLOURS[0], ecolor=GREY, capsize=3)
        panel.set_yticks(range(len(rows)), labels)
        panel.set_ylim(-0.5, len(rows) - 0.5)
        panel.set_title(f"{task}: QLIKE, and the spread of its seeds")
    return {"qlike": figure}


def axes_of(table: DataFrame) -> list[str]:
    """The columns of a table that say where a variant stands."""
    columns = [str(name) for name in table.columns]
    return [name for name in columns[: columns.index("qlike")] if name != "task"]


# The page -------------------------------------------------------------------------------------------


def page(results: StudyResults, table: DataFrame, names: list[str]) -> str:
    """The study in markdown: its question, what the tests say, the table, the figures of these names."""
    study, board = results.study, results.board
    varied = (f"{short} ({', '.join(dict.fromkeys(as_word(entry.axis[axis]) for entry in study.variants.values()))})"
              for axis, short in study.columns.items())  # fmt: skip
    lines = [
        f"# {board.dataset}: study `{study.name}`",
        study.spec.question,
        f"{len(study.variants)} variants of `{study.spec.base}`: {'; '.join(varied)}. "
        f"[Their board on {board.split}]({board.split}/LEADERBOARD.md) has every score and the references beside them.",
        "## What the tests say",
        "\n".join(f"- {sentence}" for sentence in sentences(results, table)),
        *([f"In short: {study.spec.found.strip()}"] if study.spec.found else []),
        "## Table",
        _as_markdown(table),
        NOTES.format(reference=board.skill_reference),
        *(f"![{name}](figures/{name}.svg)" for name in names),
    ]
    return "\n\n".join(lines) + "\n"


def _as_markdown(table: DataFrame) -> str:
    names = [str(name) for name in table.columns]
    rows = [
        [NONE if value is None or value != value else SHOWN.get(name, str)(value)
         for name, value in zip(names, row, strict=True)]
        for row in table.itertuples(index=False)
    ]  # fmt: skip
    return grid(names, rows, left=len(axes_of(table)) + 1)


def sentences(results: StudyResults, table: DataFrame) -> list[str]:
    """What the tests of a table say, a sentence each; a table without the columns of ours says nothing."""
    needed = {"task", "qlike", "against", "difference", "p_holm", "seed_spread"}
    if not needed <= set(table.columns):
        return ["The table of this study has no tests of ours."]
    study, axes, said = results.study, axes_of(table), []
    names = {tuple(_axes(study, entry).values()): name for name, entry in study.variants.items()}
    for (task, other), rows in table.dropna(subset=["against"]).groupby(["task", "against"], sort=False):
        found: dict[str, list[str]] = {}
        for _, row in rows.iterrows():
            found.setdefault(side(row["p_holm"], row["difference"]), []).append(
                names[tuple(row[axis] for axis in axes)]
            )
        told = "; ".join(verdict(what, who) for what, who in found.items())
        said.append(f"On {task}, against `{other}` (panel test of QLIKE, Holm, 5 %): {told}.")
    if not said:
        return ["No pair of variants is compared: the base is none of them, or has no result."]
    p_holm, gap, spread = (table[name].astype(float) for name in ("p_holm", "difference", "seed_spread"))
    if ((p_holm < LEVEL) & (gap.abs() < spread)).any():
        said.append("A test of two sets of forecasts does not know that other seeds would have given others: "
                    "a difference told apart here that is smaller than `seed_spread` is not settled.")  # fmt: skip
    if results.board.split != MAIN_SPLIT:
        said.append(f"Settings are chosen on `{results.board.split}`: these tests are of the sessions that choices are "
                    "made on, and a p here is no evidence for others.")  # fmt: skip
    return said


def _axes(study: Study, variant: Entry) -> dict[str, str]:
    """Where a variant stands, by column of the table."""
    return {short: as_word(variant.axis[axis]) for axis, short in study.columns.items()}


# On disk --------------------------------------------------------------------------------------------


def write_study(results: StudyResults) -> Path:
    """Writes table, figures and page of a study; returns the path of the page. Figures of before are removed."""
    import matplotlib as mpl

    make_table, make_figures = analysis_of(results.study)
    made = make_table(results)
    if made.empty:
        raise BenchError(f"study {results.study.name}: no variant has finished: run `bench study {results.study.name}`")
    with mpl.rc_context(SETTINGS):
        drawn = make_figures(made)
    top = results.folder / "figures"
    for path in top.glob("*.svg"):
        if path.stem not in drawn:
            remove(path)
    for name in drawn:
        write_atomic(top / f"{name}.svg", render_figure(partial(drawn.__getitem__, name)))
    write_atomic(results.folder / TABLE, made.to_csv(index=False, lineterminator="\n").encode())
    write_atomic(results.folder / PAGE, page(results, made, sorted(drawn)).encode())
    return results.folder / PAGE


def analysis_of(
    study: Study,
) -> tuple[Callable[[StudyResults], DataFrame], Callable[[DataFrame], dict[str, Figure]]]:
    """The functions that make a study's table and figures: those of its `analysis.py`, ours where it has none."""
    path = study.folder / "analysis.py"
    spec = importlib.util.spec_from_file_location(f"volmark_study_{study.name}", path) if path.is_file() else None
    if spec is None or spec.loader is None:
        return table, figures
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, "table", table), getattr(module, "figures", figures)


def progress(study: Study, scope: Scope) -> tuple[int, int]:
    """How many results of a study are done and up to date, and how many it wants, on the dataset of a scope."""
    done = wanted = 0
    for entry in study.variants.values():
        for task in entry.answers(scope.settings):
            run = read_run(scope.place(task, entry.name))
            wanted += 1
            done += run is not None and run.state == DONE and not stale_parts(run, scope, entry)
    return done, wanted

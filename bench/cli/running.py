"""`bench run`, `bench study`: run what is missing, score it, write boards."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from bench import api
from bench.cli import common
from bench.cli.common import Context, examples, say, show, show_json

if TYPE_CHECKING:
    from bench.run.plan import Plan

app = typer.Typer(rich_markup_mode=None)
INTERRUPTED = 130
EntriesArgument = Annotated[
    list[str] | None, typer.Argument(help="Entries, or folders of families; default: all, without studies.")
]
PlanOption = Annotated[bool, typer.Option("--plan", help="Say what would be run, and stop.")]


@app.command(
    epilog=examples(
        "bench run",
        "bench run garch har --dataset indices --jobs 2",
        "bench run ./path/to/my_model --dataset indices",
        "bench run --split development --plan",
    )
)
def run(
    context: Context,
    entries: EntriesArgument = None,
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    task: common.TasksOption = None,
    jobs: common.JobsOption = common.CORES,
    plan_only: PlanOption = False,
    results: common.ResultsOption = None,
    save_weights: Annotated[bool, typer.Option("--save-weights", help="Keep what is learnt, in weights/.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Run what is missing, and write the board."""
    from bench.cli.progress import bars

    work = context.obj
    if plan_only:
        todo = api.plan(entries or (), dataset=dataset, split=split, tasks=task or (), results=results, root=work.root)
        _tell_plan(todo, as_json)
        return
    try:
        report = api.run(
            entries or (), dataset=dataset, split=split, tasks=task or (), results=results, root=work.root, jobs=jobs,
            save_weights=save_weights, watch=lambda n: bars(n, sys.stderr), say=say,
        )  # fmt: skip
    except KeyboardInterrupt:
        _interrupted()
    own = {entry.name for entry in work.select(entries)} if entries else set()
    _tell_outcome(report, own, as_json)
    if report.failed or work.catalogue.problems:
        raise typer.Exit(1)


@app.command(epilog=examples("bench study", "bench study layers --plan", "bench study precision --jobs 2"))
def study(
    context: Context,
    name: Annotated[str | None, typer.Argument(help="A study; default: list them.", show_default=False)] = None,
    dataset: common.DatasetOption = None,
    jobs: common.JobsOption = common.CORES,
    plan_only: PlanOption = False,
    results: common.ResultsOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Run a study, and write its page. Without a name, list the studies."""
    from bench.cli.progress import bars

    work = context.obj
    if name is None:
        rows, problems = work.rows("studies")
        show_json(rows) if as_json else show(common.table(rows))
        for problem in problems:
            say(f"left out: {problem}")
        return
    try:
        report, page = api.run_study(
            name, dataset=dataset, results=results, jobs=jobs, plan_only=plan_only, root=work.root,
            watch=lambda n: bars(n, sys.stderr), say=say,
        )  # fmt: skip
    except KeyboardInterrupt:
        _interrupted()
    if page is None:
        _tell_plan(report.plan, as_json)
        return
    if as_json:
        show_json({**report.counts, "failed": report.failed, "skipped": report.skipped(), "page": str(page)})
    else:
        show(page.read_text(encoding="utf-8"))
        say(f"{len(report.plan.units)} run, {len(report.failed)} failed; page: {page}")
    if report.failed:
        raise typer.Exit(1)


def _interrupted() -> None:
    say("stopped: what was finished is stored; run the same command again to go on")
    raise typer.Exit(INTERRUPTED) from None


def _tell_plan(todo: Plan, as_json: bool) -> None:
    facts = {
        "run": [str(unit.job) for unit in todo.units],
        "done": [str(place) for place in todo.done],
        "adopted": {str(place): str(source) for place, source in todo.adopted.items()},
        "skipped": {str(place): why for place, why in todo.skipped.items()},
        "damaged": todo.damaged,
    }
    if as_json:
        show_json(facts)
        return
    show(f"{len(todo.units)} to run, {len(todo.done)} results done, {len(todo.skipped)} skipped")
    for unit in todo.units:
        show(f"  run      {unit.job}")
    for place, source in todo.adopted.items():
        show(f"  adopted  {place.entry} {place.task}: {source.entry} is the same by identity")
    for place, why in todo.skipped.items():
        show(f"  skipped  {place.entry} {place.task}: {why}")
    for problem in todo.damaged:
        show(f"  damaged  {problem}")


def _tell_outcome(report: api.RunReport, own: Collection[str], as_json: bool) -> None:
    from bench.board.view import load

    for note in report.notes:
        say(note)
    for study_name, path in report.studies.items():
        say(f"study {study_name}: {path}")
    troubles = report.troubles()
    for who, reason in report.failed.items():
        say(f"failed: {who}: {reason}")
        for line in troubles[who].lines if who in troubles else ():
            say(f"  {line}")
    shown = None if report.board is None else str(report.board)
    if as_json:
        told = {who: asdict(trouble) for who, trouble in troubles.items()}
        show_json(
            {**report.counts, "failed": report.failed, "troubles": told, "skipped": report.skipped(), "board": shown}
        )
        return
    if shown is None:
        show("no board: only rows of studies were run")
    else:
        common.show_board(load(report.scope), own)
    counts = report.counts
    say(f"{counts['run']} run, {len(report.failed)} failed, {counts['were_done']} results were there; board: {shown}")

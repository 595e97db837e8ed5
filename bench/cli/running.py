"""`bench run`: run what is missing, score it, write the board."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import (
    CORES,
    DatasetOption,
    JobsOption,
    JsonOption,
    ResultsOption,
    SplitOption,
    TasksOption,
    Workspace,
    examples,
    say,
    show,
    show_json,
)

if TYPE_CHECKING:
    from bench.registry.entries import Entry
    from bench.run.campaign import Campaign
    from bench.run.plan import Plan


INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(
        "run",
        epilog=examples(
            "bench run",
            "bench run garch har --dataset indices --jobs 2",
            "bench run ./path/to/my_model --dataset indices",
            "bench run --split development --plan",
        ),
    )(run)


def run(
    context: typer.Context,
    entries: Annotated[
        list[str] | None, typer.Argument(help="Entries, or folders of families; default: all, without studies.")
    ] = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TasksOption = None,
    jobs: JobsOption = CORES,
    plan_only: Annotated[bool, typer.Option("--plan", help="Say what would be run, and stop.")] = False,
    results: ResultsOption = None,
    save_weights: Annotated[bool, typer.Option("--save-weights", help="Keep what is learnt, in weights/.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run what is missing on a dataset and split, score it, write the board."""
    from bench.files import locked
    from bench.run.bars import open_campaign, publish_measure, refuse_other_bars
    from bench.run.plan import plan

    work: Workspace = context.obj
    chosen = work.select(entries or [], work.dataset(dataset).id)
    for problem in (*work.catalogue.problems, *work.catalogue.notes):
        say(f"left out: {problem}")
    folder = work.results(results, chosen)
    campaign = open_campaign(work.registry, work.dataset(dataset).id, work.split(split), folder)
    if plan_only:
        _tell_plan(plan(campaign, chosen, task or []), as_json)
        return
    try:
        if results is None and folder != work.registry.results:
            _start_from(work.registry.results / campaign.scope.dataset.id, folder / campaign.scope.dataset.id)
        with locked(folder, campaign.scope.dataset.id, lambda: say("waiting: another run holds these results")):
            refuse_other_bars(campaign)
            todo = plan(campaign, chosen, task or [])
            for problem in todo.damaged:
                say(f"damaged, is run again: {problem}")
            publish_measure(campaign)
            failures = _execute(campaign, todo, jobs, work.registry.root / "weights" if save_weights else None)
            path, headline = _boards(work, campaign, chosen)
    except KeyboardInterrupt:
        say("stopped: what was finished is stored; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    for who, reason in failures.items():
        say(f"failed: {who}: {reason}")
    _tell_outcome(todo, failures, path, headline, as_json)
    if failures or work.catalogue.problems:
        raise typer.Exit(1)


def _execute(campaign: Campaign, todo: Plan, jobs: int, weights: Path | None) -> dict[str, str]:
    from bench.cli.progress import bars
    from bench.run.execute import Processes, execute

    with bars(len(todo.units), sys.stderr) as listener:
        return execute(campaign, todo, Processes(campaign.panel, jobs, listener), listener, weights)


def _start_from(committed: Path, folder: Path) -> None:
    """Let the scratch results of a dataset begin as a copy of the committed ones, so that a newcomer has company."""
    import shutil
    import tempfile

    if folder.exists() or not committed.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".copy-") as temporary:
        copy = shutil.copytree(committed, Path(temporary) / folder.name, ignore=shutil.ignore_patterns(".lock"))
        copy.rename(folder)
    say(f"{folder} starts as a copy of {committed}; remove it to start anew")


def _boards(work: Workspace, campaign: Campaign, chosen: list[Entry]) -> tuple[Path | None, str]:
    """Write the board, and those of the studies that were run, unless they are those of what is stored."""
    from bench.board import ensure_board
    from bench.board.gather import BESIDE
    from bench.board.render.markdown import render_headline

    scope = campaign.scope
    for study in sorted({entry.study for entry in chosen if entry.study}):
        of_study = replace(scope, study=study)
        if of_study.places():
            say(f"study {study}: {ensure_board(of_study)[1]}")
    if not scope.places():
        return None, "no board: only rows of studies were run"
    board, path = ensure_board(scope)
    for other, beside in BESIDE.items():  # a board that shows this split's places beside its own
        if beside == scope.split and replace(scope, split=other).places():
            ensure_board(replace(scope, split=other))
    known = {*work.catalogue.entries, *(entry.name for entry in chosen)}
    unknown = sorted({card.entry for card in board.cards} - known)
    if unknown:
        say(f"on the board but not under submissions/: {', '.join(unknown)} (remove their results if they are gone)")
    return path, render_headline(board)


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


def _tell_outcome(todo: Plan, failures: dict[str, str], path: Path | None, headline: str, as_json: bool) -> None:
    shown = None if path is None else str(path)
    if as_json:
        skipped = {f"{place.entry} {place.task}": why for place, why in todo.skipped.items()}
        counts = {"run": len(todo.units), "adopted": len(todo.adopted), "were_done": len(todo.done)}
        show_json({**counts, "failed": failures, "skipped": skipped, "board": shown})
        return
    show(headline)
    say(f"{len(todo.units)} run, {len(failures)} failed, {len(todo.done)} results were there; board: {shown}")

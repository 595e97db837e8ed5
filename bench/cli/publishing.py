"""What is published: `bench ledger`, `bench verify`, `bench reproduce`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import date
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
from bench.errors import BenchError, did_you_mean

if TYPE_CHECKING:
    from bench.publish.ledger import Event


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(
        "ledger",
        epilog=examples(
            "bench ledger har --dataset us21",
            "bench ledger --update",
            'bench ledger --withdraw my-model --dataset us21 --reason "its training data had later days"',
        ),
    )(ledger_)
    app.command(
        "verify", epilog=examples("bench verify", "bench verify --base origin/main", "bench verify editions/2026.1")
    )(verify_)
    app.command(
        "reproduce",
        epilog=examples(
            "bench reproduce har --dataset indices", "bench reproduce garch egarch --task next-day --jobs 2"
        ),
    )(reproduce_)


# The ledger -----------------------------------------------------------------------------------------


def ledger_(
    context: typer.Context,
    entries: Annotated[list[str] | None, typer.Argument(help="Show these entries; default: all.")] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Dataset; default: all.", show_default=False)
    ] = None,
    split: Annotated[str | None, typer.Option("--split", "-s", help="Split; default: all.", show_default=False)] = None,
    task: TasksOption = None,
    update: Annotated[bool, typer.Option("--update", help="Append what has changed in the results.")] = False,
    withdraw: Annotated[
        str | None,
        typer.Option("--withdraw", help="Remove an entry's results on --dataset, and say so.", show_default=False),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why they are withdrawn.", show_default=False)] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which results were accepted, replaced and withdrawn, or append to that."""
    from bench.publish import ledger

    work: Workspace = context.obj
    folder = work.results(results)
    if update and withdraw is not None:
        raise BenchError("--update and --withdraw are two steps: withdraw first")
    if withdraw is None and reason is not None:
        raise BenchError("--reason belongs to --withdraw ENTRY")
    if (update or withdraw is not None) and entries:
        raise BenchError("entries are named only to show them; to withdraw one: --withdraw ENTRY")
    before = ledger.read_events(folder)
    known = {event.entry for event in before} | set(work.catalogue.entries)
    for entry in entries or filter(None, [withdraw]):
        if entry not in known:
            raise BenchError(f"no entry `{entry}`{did_you_mean(entry, known)}")
    if withdraw is not None:
        _tell_events(_withdraw(work, folder, withdraw, reason or "", dataset, split, task or []), as_json, "")
    elif update:
        from bench.publish.upkeep import update_ledger

        nothing = "nothing has changed: the ledger has the results that are here"
        _tell_events(update_ledger(folder, _waiting), as_json, nothing)
    else:
        _tell_events(ledger.select(before, dataset, split, task or (), entries or ()), as_json, "no lines")


def _withdraw(
    work: Workspace, folder: Path, entry: str, reason: str, dataset: str | None, split: str | None, tasks: list[str]
) -> list[Event]:
    from bench.publish.upkeep import withdraw

    if dataset is None:
        raise BenchError("name the dataset whose results are withdrawn: --dataset DATASET")
    events, boards = withdraw(
        work.registry, folder, entry, reason, dataset=dataset, split=split, tasks=tasks, waiting=_waiting
    )
    _tell_boards(boards)
    if entry in work.catalogue.entries:
        say(f"its row is still under submissions/: remove it, or the next `bench run` makes {entry} again")
    return events


def _waiting() -> None:
    say("waiting: a run holds these results")


def _tell_boards(boards: Iterable[Path]) -> None:
    for path in boards:
        say(f"board: {path}")


def _tell_events(events: list[Event], as_json: bool, none: str) -> None:
    from tabulate import tabulate

    if as_json:
        show_json([event.plain() for event in events])
    elif not events:
        say(none)
    else:
        columns = ["event", "dataset", "split", "task", "entry", "version", "identity", "digest", "note"]
        show(tabulate(map(_row, events), headers=columns, tablefmt="simple", disable_numparse=True))


def _row(event: Event) -> list[str]:
    entry = event.entry + (f" (study {event.study})" if event.study else "")
    replaces = f"replaces {event.replaces.version} {event.replaces.identity[:12]}" if event.replaces else ""
    digests = event.identity[:12], event.digest[:12]
    return [event.event, *event.key[:3], entry, event.version, *digests, event.reason or replaces]


# The guards -----------------------------------------------------------------------------------------


def verify_(
    context: typer.Context,
    edition: Annotated[Path | None, typer.Argument(help="Folder of an edition; default: the results.")] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Commit or branch to compare with.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify results, boards and ledger, and that a change of them is sound; or derive an edition again."""
    work: Workspace = context.obj
    if edition is not None:
        _verify_edition(work, edition, base, as_json)
        return
    from bench.publish.guards import verify

    report = verify(work.registry, base)
    against = f", against {report.base[:12]}" if report.base else ""
    if as_json:
        show_json({"ok": not report.failures, **asdict(report)})
    else:
        for failure in report.failures:
            show(str(failure))
        for notice in report.notices:
            say(f"notice: {notice}")
        found = f"{report.results} results, {report.boards} boards, {report.events} lines of the ledger{against}"
        n_failures = len(report.failures)
        say(f"{n_failures} failure{'s' * (n_failures != 1)}: {found}" if n_failures else f"verified: {found}")
    if report.failures:
        raise typer.Exit(1)


def _verify_edition(work: Workspace, edition: Path, base: str | None, as_json: bool) -> None:
    from bench.publish.derivation import verify_edition

    if base is not None:
        raise BenchError("an edition is compared with nothing: leave --base away")
    if not edition.is_dir():
        raise BenchError(f"no folder {edition}: name an edition, such as editions/2026.1, or nothing for the results")
    problems = verify_edition(edition.resolve())
    if as_json:
        show_json({"ok": not problems, "edition": str(edition), "failures": problems})
    elif problems:
        show("\n".join(problems))
    else:
        say(f"verified: {edition}")
    if problems:
        raise typer.Exit(1)


# Reproduction ---------------------------------------------------------------------------------------


def reproduce_(
    context: typer.Context,
    entries: Annotated[list[str], typer.Argument(help="Entries.")],
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TasksOption = None,
    jobs: JobsOption = CORES,
    any_bars: Annotated[
        bool, typer.Option("--any-bars", help="Compare with other bars than the pinned ones too; keeps no record.")
    ] = False,
    day: Annotated[
        str | None, typer.Option("--date", help="Date of the record; default: today.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run entries again, compare with the published forecasts, and mark those that are the same."""
    from bench.cli.progress import bars
    from bench.publish import reproduction

    work: Workspace = context.obj
    chosen, split_name = work.dataset(dataset).id, work.split(split)
    try:
        day = (date.fromisoformat(day) if day else date.today()).isoformat()
    except ValueError:
        raise BenchError(f"--date {day}: write it as {date.today().isoformat()}") from None
    wanted = work.catalogue.select(entries)
    attempts = reproduction.reproduce(
        work.registry, wanted, chosen, split_name, task or [], day=day, jobs=jobs, any_bars=any_bars,
        watch=lambda n_units: bars(n_units, sys.stderr),
    )  # fmt: skip
    _tell_boards(reproduction.keep(work.registry, attempts, _waiting))
    if as_json:
        show_json([{**asdict(attempt), "place": str(attempt.place)} for attempt in attempts])
    else:
        for attempt in attempts:
            show(f"{attempt.place}: {attempt.outcome}: {attempt.detail}")
    if any(attempt.record is None for attempt in attempts):
        raise typer.Exit(1)

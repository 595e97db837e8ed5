"""What is published: `bench ledger`, `bench verify`, `bench reproduce`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    if withdraw is not None and dataset is None:
        raise BenchError("name the dataset whose results are withdrawn: --dataset DATASET")

    def is_wanted(event: Event) -> bool:
        named = dataset in (None, event.dataset) and split in (None, event.split)
        return named and (not task or event.task in task) and (not entries or event.entry in entries)

    if update:
        with _all_locked(folder):
            events = ledger.changes(ledger.replay(ledger.read_events(folder)), folder)
            ledger.append(folder, events)
        _tell_events(events, as_json, "nothing has changed: the ledger has the results that are here")
    elif withdraw is not None:
        events = _withdraw(work, folder, withdraw, is_wanted, " ".join((reason or "").split()))
        _tell_events(events, as_json, "")
    else:
        events = ledger.read_events(folder)
        for entry in entries or []:
            _check_known(work, entry, events)
        _tell_events(list(filter(is_wanted, events)), as_json, "no lines")


def _check_known(work: Workspace, entry: str, events: Iterable[Event]) -> None:
    """Raises where an entry is neither in the ledger nor under submissions/."""
    known = {event.entry for event in events} | set(work.catalogue.entries)
    if entry not in known:
        raise BenchError(f"no entry `{entry}`{did_you_mean(entry, known)}")


def _withdraw(
    work: Workspace, folder: Path, entry: str, is_wanted: Callable[[Event], bool], reason: str
) -> list[Event]:
    """Remove an entry's results that the ledger has, and write the boards without them."""
    from bench.publish import ledger

    if not reason:
        raise BenchError('a withdrawal needs a reason: --reason "..."')
    with _all_locked(folder):
        before = ledger.read_events(folder)
        _check_known(work, entry, before)
        state = ledger.replay(before)
        mine = [event for event in state.values() if event.entry == entry and is_wanted(event)]
        if not mine:
            raise BenchError(f"the ledger has no such result of {entry}; what was never accepted is just removed")
        events = ledger.withdraw(folder, mine, reason)
        _write_boards(work, folder, {event.dataset for event in events})
    if entry in work.catalogue.entries:
        say(f"its row is still under submissions/: remove it, or the next `bench run` makes {entry} again")
    return events


@contextmanager
def _all_locked(folder: Path) -> Iterator[None]:
    """Hold the results of every dataset for writing, one after the other in one order."""
    from bench.files import locked

    with ExitStack() as stack:
        for path in sorted(path for path in folder.glob("*") if path.is_dir()):
            stack.enter_context(locked(folder, path.name, lambda: say("waiting: a run holds these results")))
        yield


def _write_boards(work: Workspace, folder: Path, datasets: Iterable[str]) -> None:
    """Bring the boards of these datasets up to date."""
    from bench import store
    from bench.board import ensure_board
    from bench.store import Scope

    found = {(place.dataset, place.split, place.study or "") for place in store.all_places(folder)}
    for dataset, split, study in sorted(found):
        if dataset in datasets:
            _, path = ensure_board(Scope.of(work.registry, dataset, split, folder, study or None))
            say(f"board: {path}")


def _tell_events(events: list[Event], as_json: bool, none: str) -> None:
    from tabulate import tabulate

    if as_json:
        show_json([{name: value for name, value in asdict(event).items() if value is not None} for event in events])
    elif not events:
        say(none)
    else:
        rows = [
            {
                "event": event.event,
                "dataset": event.dataset,
                "split": event.split,
                "task": event.task,
                "entry": event.entry + (f" (study {event.study})" if event.study else ""),
                "version": event.version,
                "identity": event.identity[:12],
                "digest": event.digest[:12],
                "note": event.reason
                or (f"replaces {event.replaces.version} {event.replaces.identity[:12]}" if event.replaces else ""),
            }
            for event in events
        ]
        show(tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True))


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
        facts: dict[str, Any] = asdict(report)
        show_json({"ok": not report.failures, **facts})
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
    from bench.publish.editions import verify_edition

    if base is not None:
        raise BenchError("an edition is compared with nothing: leave --base away")
    if not edition.is_dir():
        raise BenchError(f"no folder {edition}: name an edition, such as editions/2026.1, or nothing for the results")
    problems = verify_edition(work.registry, edition.resolve())
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
    from bench.files import locked
    from bench.publish import reproduction

    work: Workspace = context.obj
    chosen, split_name, results = work.dataset(dataset).id, work.split(split), work.registry.results
    try:
        day = (date.fromisoformat(day) if day else date.today()).isoformat()
    except ValueError:
        raise BenchError(f"--date {day}: write it as {date.today().isoformat()}") from None
    wanted = work.catalogue.select(entries)
    attempts = reproduction.reproduce(
        work.registry, wanted, chosen, split_name, task or [], day=day, jobs=jobs, any_bars=any_bars,
        watch=lambda n_units: bars(n_units, sys.stderr),
    )  # fmt: skip
    kept = [attempt for attempt in attempts if attempt.record is not None]
    if kept:
        with locked(results, chosen, lambda: say("waiting: a run holds these results")):
            reproduction.keep(kept)
            _write_boards(work, results, {chosen})
    if as_json:
        show_json([{**asdict(attempt), "place": str(attempt.place)} for attempt in attempts])
    else:
        for attempt in attempts:
            show(f"{attempt.place}: {attempt.outcome}: {attempt.detail}")
    if len(kept) < len(attempts):
        raise typer.Exit(1)

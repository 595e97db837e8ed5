"""What is published: `bench ledger`, `bench verify`, `bench reproduce`, `bench cite`, `bench freeze`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import api
from bench.cli import common
from bench.cli.common import Context, say, show, show_json
from bench.errors import BenchError, did_you_mean

if TYPE_CHECKING:
    from bench.publish.ledger import Event

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog=common.examples(
        "bench ledger har --dataset us21",
        "bench ledger --update",
        'bench ledger --withdraw my-model --dataset us21 --reason "its training data had later days"',
    )
)
def ledger(
    context: Context,
    entries: Annotated[list[str] | None, typer.Argument(help="Show these entries; default: all.")] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="Dataset; default: all.", show_default=False)
    ] = None,
    split: Annotated[str | None, typer.Option("--split", "-s", help="Split; default: all.", show_default=False)] = None,
    task: common.TasksOption = None,
    update: Annotated[bool, typer.Option("--update", help="Append what has changed in the results.")] = False,
    withdraw: Annotated[
        str | None,
        typer.Option("--withdraw", help="Remove an entry's results on --dataset, and say so.", show_default=False),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="Why they are withdrawn.", show_default=False)] = None,
    results: common.ResultsOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Show which results were accepted and withdrawn. Or append to that."""
    root = context.obj.root
    if update and withdraw is not None:
        raise BenchError("--update and --withdraw are two steps: withdraw first")
    if withdraw is None and reason is not None:
        raise BenchError("--reason belongs to --withdraw ENTRY")
    if (update or withdraw is not None) and entries:
        raise BenchError("entries are named only to show them; to withdraw one: --withdraw ENTRY")
    none = "nothing has changed: the ledger has the results that are here"
    if update:
        events = api.update_ledger(results=results, root=root, waiting=common.waiting)
    elif withdraw is None:
        found = api.ledger(entries or (), dataset=dataset, split=split, tasks=task or (), results=results, root=root)
        events, none = found, "no lines"
    elif dataset is None:
        raise BenchError("name the dataset whose results are withdrawn: --dataset DATASET")
    else:
        events, boards = api.withdraw(
            withdraw, reason or "", dataset=dataset, split=split, tasks=task or (), results=results, root=root,
            waiting=common.waiting,
        )  # fmt: skip
        _tell_boards(boards)
        if withdraw in context.obj.catalogue.entries:
            say(f"its row is still under submissions/: remove it, or the next `bench run` makes {withdraw} again")
    _tell_events(events, as_json, none)


def _tell_boards(boards: Iterable[Path]) -> None:
    for path in boards:
        say(f"board: {path}")


def _tell_events(events: list[Event], as_json: bool, none: str) -> None:
    if as_json:
        show_json([event.plain() for event in events])
    elif not events:
        say(none)
    else:
        show(common.table(map(_row, events)))


def _row(event: Event) -> dict[str, str]:
    replaces = f"replaces {event.replaces.version} {event.replaces.identity[:12]}" if event.replaces else ""
    return {
        "event": event.event, "dataset": event.dataset, "split": event.split, "task": event.task,
        "entry": event.entry + (f" (study {event.study})" if event.study else ""), "version": event.version,
        "identity": event.identity[:12], "digest": event.digest[:12], "note": event.reason or replaces,
    }  # fmt: skip


@app.command(epilog=common.examples("bench verify", "bench verify --base origin/main", "bench verify editions/2026.1"))
def verify(
    context: Context,
    edition: Annotated[Path | None, typer.Argument(help="Folder of an edition; default: the results.")] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Commit or branch to compare with.", show_default=False)
    ] = None,
    as_json: common.JsonOption = False,
) -> None:
    """Verify what is published. Results, boards, ledger and a change of them; or an edition."""
    if edition is not None:
        if base is not None:
            raise BenchError("an edition is compared with nothing: leave --base away")
        problems = api.verify_edition(edition)
        _tell_verified(problems, {"edition": str(edition), "failures": problems}, str(edition), as_json)
        return
    report = api.verify(base, root=context.obj.root)
    if not as_json:
        for notice in report.notices:
            say(f"notice: {notice}")
    against = f", against {report.base[:12]}" if report.base else ""
    found = f"{report.results} results, {report.boards} boards, {report.events} lines of the ledger{against}"
    _tell_verified(list(map(str, report.failures)), asdict(report), found, as_json)


def _tell_verified(problems: list[str], report: dict[str, object], found: str, as_json: bool) -> None:
    if as_json:
        show_json({"ok": not problems, **report})
    elif problems:
        show("\n".join(problems))
        say(f"{len(problems)} failure{'s' * (len(problems) != 1)}: {found}")
    else:
        say(f"verified: {found}")
    if problems:
        raise typer.Exit(1)


@app.command(
    epilog=common.examples("bench reproduce har --dataset indices", "bench reproduce garch egarch --task next-day")
)
def reproduce(
    context: Context,
    entries: Annotated[list[str], typer.Argument(help="Entries.")],
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    task: common.TasksOption = None,
    jobs: common.JobsOption = common.CORES,
    any_bars: Annotated[
        bool, typer.Option("--any-bars", help="Compare with other bars than the pinned ones too; keeps no record.")
    ] = False,
    day: Annotated[
        str | None, typer.Option("--date", help="Date of the record; default: today.", show_default=False)
    ] = None,
    as_json: common.JsonOption = False,
) -> None:
    """Run entries again and compare. What is the same as published is marked so."""
    from bench.cli.progress import bars

    attempts, boards = api.reproduce(
        entries, dataset=dataset, split=split, tasks=task or (), day=day, jobs=jobs, any_bars=any_bars,
        root=context.obj.root, watch=lambda n_units: bars(n_units, sys.stderr), waiting=common.waiting,
    )  # fmt: skip
    _tell_boards(boards)
    if as_json:
        show_json([{**asdict(attempt), "place": str(attempt.place)} for attempt in attempts])
    else:
        for attempt in attempts:
            show(f"{attempt.place}: {attempt.outcome}: {attempt.detail}")
    if any(attempt.record is None for attempt in attempts):
        raise typer.Exit(1)


@app.command(epilog=common.examples("bench cite", "bench cite log-har --edition 2026.1", "bench cite har --format apa"))
def cite(
    context: Context,
    entry: Annotated[str | None, typer.Argument(help="Entry; default: the benchmark.", show_default=False)] = None,
    style: Annotated[str, typer.Option("--format", "-f", help="bibtex, apa or plain.")] = "bibtex",
    edition: Annotated[
        str | None, typer.Option("--edition", "-e", help="Frozen edition; default: the latest.", show_default=False)
    ] = None,
    dataset: common.DatasetOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Cite the benchmark, or an entry. At a frozen edition; an entry with its authors, score and own reference."""
    from bench.publish.citation import FORMATS, render

    chosen = next((name for name in FORMATS if name == style), None)
    if chosen is None:
        raise BenchError(f"no format `{style}`{did_you_mean(style, FORMATS)}")
    found = api.cite(entry, edition=edition, dataset=dataset, root=context.obj.root)
    for note in found.notes:
        say(note)
    if as_json:
        references = [asdict(each) for each in found.references]
        show_json({"edition": found.release.edition, "references": references, "bibtex": found.bibtex})
        return
    show(render(found.references, chosen))
    if found.bibtex and chosen == "bibtex":
        show(f"\n{found.bibtex}")
    elif found.bibtex:
        say(f"{entry} has a reference of its own, in BibTeX: `bench cite {entry}`")


@app.command(epilog=common.examples("bench freeze 2026.1", "bench verify editions/2026.1"))
def freeze(context: Context, name: Annotated[str, typer.Argument(help="Name of the edition: YEAR.NUMBER.")]) -> None:
    """Freeze an edition. Boards, forecasts and citation never change then; refused where anything is not sound."""
    show(str(api.freeze(name, root=context.obj.root, waiting=common.waiting)))
    say(f"commit all that is new in editions/; `bench verify editions/{name}` derives it again")

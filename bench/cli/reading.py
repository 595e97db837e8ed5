"""The readers: `bench board`, `bench compare`, `bench list`, `bench show`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.common import (
    DatasetOption,
    JsonOption,
    ResultsOption,
    SplitOption,
    Workspace,
    examples,
    is_path,
    say,
    show,
    show_json,
)
from bench.errors import BenchError, did_you_mean
from bench.registry.config import Settings

if TYPE_CHECKING:
    from bench.board.gather import TaskScores
    from bench.registry.config import Dataset
    from bench.registry.entries import Entry

TaskOption = Annotated[str | None, typer.Option("--task", "-t", help="Task; default: the headline.")]
AGAINST_TOLERANCE = 1e-6
"""Relative: how far scores of forecasts that were made again elsewhere may differ (optimisers stop where they stop)."""
KINDS = ("entries", "datasets", "tasks")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("board", epilog=examples("bench board", "bench board --dataset indices --check", "bench board --json"))(
        board
    )
    app.command("list", epilog=examples("bench list entries", "bench list datasets --json"))(list_)
    app.command(
        "compare",
        epilog=examples("bench compare log-har har", "bench compare garch egarch --task month-ahead --regime crisis"),
    )(compare_)
    app.command(
        "show", epilog=examples("bench show garch", "bench show log-har --json", "bench show lstm --figure lstm.svg")
    )(show_)


def board(
    context: typer.Context,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    results: ResultsOption = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the stored board differs.")] = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="Say whether the scores agree with another results folder's.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="The board of a study.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Print every table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rebuild the board from stored forecasts alone, and print its headline table."""
    from bench.board import build_board, differences, make_board
    from bench.board.agreement import disagreements
    from bench.board.render.markdown import render, render_headline
    from bench.board.writing import plain
    from bench.files import locked

    work: Workspace = context.obj
    scope = work.scope(dataset, split, work.results(results), study)
    if check:
        found = disagreements(build_board(scope), scope.folder)
        stored = scope.folder / "leaderboard.json"
        _agreement([what if path == stored else f"{path} {what}" for path, what in found], str(stored), as_json)
        return
    with locked(scope.results, scope.dataset.id, lambda: say("waiting: a run holds these results")):
        made, path = make_board(scope)
    if as_json:
        show_json(plain(made))
    else:
        show(render(made) if full else render_headline(made))
        say(f"board: {path}")
    if against is not None:
        other = replace(scope, results=against.resolve()).folder / "leaderboard.json"
        _agreement(differences(made, other, tolerance=AGAINST_TOLERANCE), str(other), False)


def _agreement(gaps: list[str], other: str, as_json: bool) -> None:
    """Say whether two boards agree; exit 1 where they do not."""
    if as_json:
        show_json({"agrees": not gaps, "with": other, "differences": gaps})
    elif not gaps:
        say(f"agrees with {other}")
    else:
        say("\n".join([f"differs from {other} in {len(gaps)} values:", *(f"  {gap}" for gap in gaps[:20])]))
    if gaps:
        raise typer.Exit(1)


def _draw_forecasts(
    work: Workspace, entry: Entry, path: Path, dataset: str | None, split: str | None, task: str | None,
    symbol: str | None, results: Path,
) -> None:  # fmt: skip
    from bench.board.render.figures import draw_forecasts
    from bench.files import write_atomic

    chosen, scores = _task_scores(work, dataset, split, task, results, entry.study)
    if entry.name not in scores.scored:
        raise BenchError(f"no finished result of `{entry.name}` on this task{did_you_mean(entry.name, scores.scored)}")
    symbol = symbol or chosen.market or chosen.symbols[0]
    if symbol not in scores.cells.symbols:
        raise BenchError(f"{chosen.id} has no symbol `{symbol}`{did_you_mean(symbol, scores.cells.symbols)}")
    write_atomic(path, draw_forecasts(scores, entry.name, symbol))
    say(f"figure: {path}")


def _task_scores(
    work: Workspace, dataset: str | None, split: str | None, task: str | None, results: Path, study: str | None = None
) -> tuple[Dataset, TaskScores]:
    """The named dataset or the registry's, and all stored results of one task on it, scored."""
    from bench.board.gather import gather

    scope = work.scope(dataset, split, results, study)
    task_name = scope.settings.task(task or scope.settings.headline).name
    gathered = gather(scope, tasks=_with_source(scope.settings, task_name))
    if task_name not in gathered.tasks:
        raise BenchError(f"no results of {task_name} on {scope.dataset.id} {scope.split}")
    return scope.dataset, gathered.tasks[task_name]


def compare_(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="Entry.")],
    b: Annotated[str, typer.Argument(help="Entry that it is compared with.")],
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TaskOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="One symbol alone.")] = None,
    regime: Annotated[str | None, typer.Option("--regime", help="calm or crisis, by the VIX at the origin.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="Write an SVG there.")] = None,
    study: Annotated[str | None, typer.Option("--study", help="Both are variants of this study, or beside it.")] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two entries: the difference, whether a test tells them apart, and where it comes from."""
    from dataclasses import asdict

    from bench.board.compare import as_figure, as_text, compare
    from bench.files import write_atomic

    work: Workspace = context.obj
    chosen, scores = _task_scores(work, dataset, split, task, work.results(results), study)
    result = compare(scores, a, b, dataset=chosen.id, split=work.split(split), symbol=symbol, regime=regime)
    if figure is not None:
        write_atomic(figure, as_figure(result))
        say(f"figure: {figure}")
    if as_json:
        show_json(asdict(result))
    else:
        show(as_text(result))


def _with_source(settings: Settings, task: str) -> list[str]:
    """A task, and the one that its rows are derived from."""
    source = settings.tasks[task].derived_from
    return [task, *([source] if source else [])]


def list_(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="entries, datasets or tasks.")] = "entries",
    as_json: JsonOption = False,
) -> None:
    """List what the registry knows; model code is not imported."""
    work: Workspace = context.obj
    if kind not in KINDS:
        raise BenchError(f"nothing called `{kind}` to list{did_you_mean(kind, KINDS)}")
    rows = {"entries": _entries, "datasets": _datasets, "tasks": _tasks}[kind](work)
    if as_json:
        show_json(rows)
    else:
        show(_columns(rows))
    if kind == "entries":
        for problem in (*work.catalogue.problems, *work.catalogue.notes):
            say(f"left out: {problem}")


def _entries(work: Workspace) -> list[dict[str, Any]]:
    return [
        {
            "entry": entry.name,
            "family": entry.family if entry.package is None else f"{entry.family} (package {entry.package})",
            "version": entry.row.version,
            "tasks": "all horizons" if entry.is_path else ", ".join(entry.row.tasks),
            "reads": ", ".join(entry.row.reads),
            "description": entry.row.description,
        }
        for entry in work.catalogue.entries.values()
    ]


def _datasets(work: Workspace) -> list[dict[str, Any]]:
    datasets = []
    for name in work.registry.dataset_ids():
        try:
            datasets.append(work.registry.dataset(name))
        except BenchError as error:
            say(f"left out: {error}")
    return [
        {
            "dataset": dataset.id,
            "symbols": len(dataset.symbols),
            "measure": dataset.measure,
            "splits": ", ".join(dataset.splits),
            "title": dataset.title,
        }
        for dataset in datasets
    ]


def _tasks(work: Workspace) -> list[dict[str, Any]]:
    return [
        {
            "task": name,
            "target": "mean daily variance of "
            + (f"{spec.behind} known and {spec.ahead} coming" if spec.behind else f"{spec.ahead} coming")
            + (" session" if spec.behind + spec.ahead == 1 else " sessions"),
            "rows": f"derived from {spec.derived_from}" if spec.derived_from else "forecast",
        }
        for name, spec in work.registry.settings.tasks.items()
    ]


def _columns(rows: list[dict[str, Any]]) -> str:
    from tabulate import tabulate

    return tabulate(rows, headers="keys", tablefmt="simple", disable_numparse=True)


def show_(
    context: typer.Context,
    entry: Annotated[str, typer.Argument(help="Name of an entry, or the folder of a family.")],
    figure: Annotated[Path | None, typer.Option("--figure", help="Write forecast against realised there, SVG.")] = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TaskOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of the figure; default: the market.")] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one entry: what it is, the state and QLIKE of its results; dataset, split and task are the figure's."""
    from bench.cli.card import card_of

    work: Workspace = context.obj
    chosen = work.select([entry])
    if figure is not None:
        _draw_forecasts(work, chosen[0], figure, dataset, split, task, symbol, work.results(results, chosen[:1]))
    cards = [card_of(work.registry, each, work.results(results, [each])) for each in chosen]
    if as_json:
        show_json(cards if is_path(entry) and len(cards) > 1 else cards[0])
        return
    for i, card in enumerate(cards):
        outcomes = card.pop("results")
        show(("\n" if i else "") + "\n".join(f"{key:14}{value}" for key, value in card.items() if value))
        if outcomes:
            show("\n" + _columns(outcomes))

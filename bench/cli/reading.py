"""The readers: `bench board`, `bench compare`, `bench score`, `bench list`, `bench show`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.common import (
    DatasetOption,
    JsonOption,
    ResultsOption,
    SplitOption,
    examples,
    say,
    show,
    show_json,
    table,
    waiting,
    write_figure,
)
from bench.registry.workspace import Workspace, is_path

app = typer.Typer(rich_markup_mode=None)
TaskOption = Annotated[str | None, typer.Option("--task", "-t", help="Task; default: the headline.")]
SHOWN = 20


@app.command(epilog=examples("bench board", "bench board --dataset indices --check", "bench board --json"))
def board(
    context: typer.Context,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    results: ResultsOption = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the stored board differs.")] = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Say whether a reader sees the same on another's board."),
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="The board of a study, and its page.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Print every table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Rebuild the board from stored forecasts alone, and print its headline table."""
    from bench.board import build_board, make_board
    from bench.board.agreement import disagreements
    from bench.board.render.markdown import render, render_headline
    from bench.board.studies import StudyResults, write_study
    from bench.board.writing import plain
    from bench.files import locked
    from bench.store import Scope

    work: Workspace = context.obj
    scope = Scope.of(work.registry, dataset, split, work.results(results), study)
    if check:
        found, stored = disagreements(build_board(scope), scope.folder), scope.folder / "leaderboard.json"
        _verdict([what if path == stored else f"{path} {what}" for path, what in found], str(stored), as_json)
        return
    with locked(scope.results, scope.dataset.id, waiting):
        made, path = make_board(scope)
        if study in work.catalogue.studies:
            write_study(StudyResults(work.catalogue.studies[study], scope, made))
    if as_json:
        show_json(plain(made))
    else:
        show(render(made) if full else render_headline(made))
        say(f"board: {path}")
    if against is not None:
        from bench.board.agreement import agreement

        other = replace(scope, results=against.resolve()).folder / "leaderboard.json"
        tolerances = {name: entry.row.tolerance for name, entry in work.catalogue.entries.items()}
        reading = agreement(made, other, tolerances)
        say(reading.summary)
        _verdict(reading.gaps, str(other), False)


def _verdict(gaps: list[str], other: str, as_json: bool) -> None:
    """Say whether two boards agree; exit 1 where they do not."""
    if as_json:
        show_json({"agrees": not gaps, "with": other, "differences": gaps})
    elif not gaps:
        say(f"agrees with {other}")
    else:
        say("\n".join([f"differs from {other} in {len(gaps)} values:", *(f"  {gap}" for gap in gaps[:SHOWN])]))
    if gaps:
        raise typer.Exit(1)


@app.command(
    epilog=examples("bench compare log-har har", "bench compare garch egarch --task month-ahead --regime crisis")
)
def compare(
    context: typer.Context,
    a: Annotated[str, typer.Argument(help="Entry.")],
    b: Annotated[str, typer.Argument(help="Entry that it is compared with.")],
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TaskOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="One symbol alone.")] = None,
    regime: Annotated[str | None, typer.Option("--regime", help="calm or crisis, by the VIX at the origin.")] = None,
    study: Annotated[str | None, typer.Option("--study", help="Two variants of a study.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="Write an SVG there.")] = None,
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two entries: the difference, whether a test tells them apart, and where it comes from."""
    from bench import api

    work: Workspace = context.obj
    pair = api.compare(
        a, b, dataset=dataset, split=split, task=task, symbol=symbol, regime=regime, study=study,
        results=work.results(results), root=work.root,
    )  # fmt: skip
    if figure is not None:
        write_figure(figure, pair.figure())
    show_json(asdict(pair.result)) if as_json else show(pair.summary())


@app.command(
    epilog=examples(
        "bench score mine.csv --dataset us21 --name mine",
        "bench score mine.parquet --task week-ahead --unit annual-percent",
    )
)
def score(
    context: typer.Context,
    forecasts: Annotated[Path, typer.Argument(help="CSV or parquet: origin or date, symbol, forecast_var or _vol.")],
    name: Annotated[str, typer.Option("--name", help="What the forecasts are called.")] = "brought",
    dataset: DatasetOption = None,
    split: SplitOption = None,
    task: TaskOption = None,
    unit: Annotated[
        str, typer.Option("--unit", help="daily, daily-percent, annual or annual-percent; nothing is guessed.")
    ] = "daily",
    results: ResultsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score forecasts made anywhere and test them beside the rows of a board; they are on none, nothing is written."""
    from bench import api

    work: Workspace = context.obj
    brought = api.score(
        forecasts, name=name, dataset=dataset, split=split, task=task, unit=unit, results=work.results(results),
        root=work.root,
    )  # fmt: skip
    show_json(asdict(brought)) if as_json else show(str(brought))
    if brought.doubt:
        say(f"look at the unit: {brought.doubt}")


@app.command("list", epilog=examples("bench list entries", "bench list datasets --json", "bench list studies"))
def list_(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="entries, datasets, tasks or studies.")] = "entries",
    as_json: JsonOption = False,
) -> None:
    """List what the registry knows; model code is not imported."""
    work: Workspace = context.obj
    rows, left_out = work.rows(kind)
    show_json(rows) if as_json else show(table(rows))
    for problem in left_out:
        say(f"left out: {problem}")


@app.command(
    "show", epilog=examples("bench show garch", "bench show log-har --json", "bench show lstm --figure lstm.svg")
)
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
    from bench.board.card import card_of

    work: Workspace = context.obj
    chosen = work.select([entry])
    if figure is not None:
        from bench.board.view import forecasts_figure
        from bench.store import Scope

        one = chosen[0]
        scope = Scope.of(work.registry, dataset, split, work.results(results, [one]), one.study)
        write_figure(figure, forecasts_figure(scope, one.name, task, symbol))
    cards = [card_of(work.registry, each, work.results(results, [each])) for each in chosen]
    if as_json:
        show_json(cards if is_path(entry) and len(cards) > 1 else cards[0])
        return
    for i, card in enumerate(cards):
        outcomes = card.pop("results")
        show(("\n" if i else "") + "\n".join(f"{key:14}{value}" for key, value in card.items() if value))
        if outcomes:
            show("\n" + table(outcomes))

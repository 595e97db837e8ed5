"""The readers: `bench board`, `bench compare`, `bench score`, `bench list`, `bench show`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated, Any

import typer

from bench import api
from bench.cli import common
from bench.cli.common import Context, examples, fitted, say, show, show_json, table
from bench.registry.workspace import is_path

app = typer.Typer(rich_markup_mode=None)
TaskOption = Annotated[str | None, typer.Option("--task", "-t", help="Task; default: the headline.")]
SHOWN = 20


@app.command(epilog=examples("bench board", "bench board --dataset indices --check", "bench board --json"))
def board(
    context: Context,
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    results: common.ResultsOption = None,
    write: Annotated[bool, typer.Option("--write", help="Make it anew from stored forecasts, and write it.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where the stored board differs.")] = False,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Say whether a reader sees the same on another's board."),
    ] = None,
    study: Annotated[str | None, typer.Option("--study", help="The board of a study, and its page.")] = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Rows by the QLIKE of one symbol.")] = None,
    entries: Annotated[str | None, typer.Option("--entries", help="These rows alone: NAME,NAME.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those of every dataset and split that has results.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print every table.")] = False,
    as_json: common.JsonOption = False,
) -> None:
    """Print a board. Nothing is written unless --write is said."""
    from bench.board.writing import plain

    root = context.obj.root
    where: dict[str, Any] = {"study": study, "results": results, "root": root}
    if every:
        _every(results, root, full, as_json)
        return
    if check:
        scope = api.scope_of(dataset, split, **where)
        _verdict(api.check_board(dataset, split, **where), str(scope.folder / "leaderboard.json"), as_json)
        return
    if write:
        found, path = api.write_board(dataset, split, **where, waiting=common.waiting)
        say(f"board: {path}")
    else:
        found = api.load_board(dataset, split, **where)
    if entries is not None:
        found = found.only([name.strip() for name in entries.split(",") if name.strip()])
    if symbol is not None:
        scores = found.by_symbol(symbol)
        show_json(scores) if as_json else show(table(map(_printed, scores)))
    elif as_json:
        show_json(plain(found.board))
    else:
        show(found.markdown()) if full else common.show_board(found)
    if against is not None:
        reading = api.agreement(found, against, root=root)
        say(reading.summary)
        _verdict(reading.gaps, str(against), False)


def _every(results: Path | None, root: Path | None, full: bool, as_json: bool) -> None:
    from bench.board.writing import plain

    boards = api.load_boards(results=results, root=root)
    if as_json:
        show_json([plain(each.board) for each in boards])
        return
    for i, each in enumerate(boards):
        if i:
            show("")
        show(each.markdown()) if full else common.show_board(each)


def _printed(row: dict[str, Any]) -> dict[str, str]:
    return {key: f"{value:.4f}" if isinstance(value, float) else str(value) for key, value in row.items()}


def _verdict(gaps: list[str], other: str, as_json: bool) -> None:
    """Say whether two boards agree; exit 1 where they do not."""
    if as_json:
        show_json({"agrees": not gaps, "with": other, "differences": gaps})
    elif not gaps:
        say(f"agrees with {other}")
    else:
        say("\n".join([*(f"  {gap}" for gap in gaps[:SHOWN]), f"differs from {other} in {len(gaps)} values"]))
    if gaps:
        raise typer.Exit(1)


@app.command(
    epilog=examples("bench compare log-har har", "bench compare garch egarch --task month-ahead --regime crisis")
)
def compare(
    context: Context,
    a: Annotated[str, typer.Argument(help="Entry.")],
    b: Annotated[str, typer.Argument(help="Entry that it is compared with.")],
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    task: TaskOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="One symbol alone.")] = None,
    regime: Annotated[str | None, typer.Option("--regime", help="calm or crisis, by the VIX at the origin.")] = None,
    study: Annotated[str | None, typer.Option("--study", help="Two variants of a study.")] = None,
    figure: Annotated[Path | None, typer.Option("--figure", help="Draw it there: .svg, .png or .pdf.")] = None,
    results: common.ResultsOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Compare two entries. The difference, whether a test tells them apart, and where it comes from."""
    pair = api.compare(
        a, b, dataset=dataset, split=split, task=task, symbol=symbol, regime=regime, study=study,
        results=results, root=context.obj.root,
    )  # fmt: skip
    if figure is not None:
        common.write_figure(figure, pair.figure())
    show_json(asdict(pair.result)) if as_json else show(pair.summary())


@app.command(
    epilog=examples(
        "bench score mine.csv --dataset us21 --name mine",
        "bench score mine.parquet --task week-ahead --unit annual-percent",
    )
)
def score(
    context: Context,
    forecasts: Annotated[Path, typer.Argument(help="CSV or parquet: origin or date, symbol, forecast_var or _vol.")],
    name: Annotated[str, typer.Option("--name", help="What the forecasts are called.")] = "brought",
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    task: TaskOption = None,
    unit: Annotated[
        str, typer.Option("--unit", help="daily, daily-percent, annual or annual-percent; nothing is guessed.")
    ] = "daily",
    results: common.ResultsOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Score forecasts of yours beside a board. They are tested against its rows, and nothing is written."""
    brought = api.score(
        forecasts, name=name, dataset=dataset, split=split, task=task, unit=unit, results=results,
        root=context.obj.root, say=say,
    )  # fmt: skip
    show_json(asdict(brought)) if as_json else show(str(brought))


@app.command("list", epilog=examples("bench list entries", "bench list datasets --json", "bench list studies"))
def list_(
    context: Context,
    kind: Annotated[str, typer.Argument(help="entries, datasets, tasks or studies.")] = "entries",
    as_json: common.JsonOption = False,
) -> None:
    """List what the registry knows. Model code is not imported."""
    rows, left_out = context.obj.rows(kind)
    show_json(rows) if as_json else show(fitted(rows, get_terminal_size((0, 0)).columns))
    for problem in left_out:
        say(f"left out: {problem}")


@app.command(
    "show", epilog=examples("bench show garch", "bench show log-har --json", "bench show lstm --figure lstm.svg")
)
def show_(
    context: Context,
    entry: Annotated[str, typer.Argument(help="Name of an entry, or the folder of a family.")],
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Draw its forecasts there: .svg, .png or .pdf.")
    ] = None,
    dataset: common.DatasetOption = None,
    split: common.SplitOption = None,
    task: TaskOption = None,
    symbol: Annotated[str | None, typer.Option("--symbol", help="Of the figure; default: the market.")] = None,
    results: common.ResultsOption = None,
    as_json: common.JsonOption = False,
) -> None:
    """Show an entry and its results. Dataset, split and task are the figure's."""
    if figure is not None:
        drawn = api.forecasts_figure(
            entry, dataset=dataset, split=split, task=task, symbol=symbol, results=results, root=context.obj.root
        )
        common.write_figure(figure, drawn)
    from bench.store import Trouble

    cards = api.show(entry, results=results, root=context.obj.root)
    if as_json:
        show_json(cards if is_path(entry) and len(cards) > 1 else cards[0])
        return
    for i, card in enumerate(cards):
        outcomes = card.pop("results")
        show(("\n" if i else "") + "\n".join(f"{key:14}{value}" for key, value in card.items() if value))
        troubles = {f"{row['dataset']} {row['split']} {row['task']}": row.pop("trouble") for row in outcomes}
        if outcomes:
            show("\n" + table(outcomes))
        for what, trouble in troubles.items():
            if trouble and (lines := Trouble(**trouble).lines):
                show("\n".join([f"\nfailed: {what}", *(f"  {line}" for line in lines)]))

"""`bench data fetch|check|identity`: bring bars, check them, say which ones they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.common import JsonOption, examples, say, show, show_json
from bench.registry.workspace import Workspace

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Bring bars, check them, say which ones they are.",
    epilog=examples("bench data check us21", "bench data identity indices", "bench data fetch us21"),
)
DatasetArgument = Annotated[str, typer.Argument(help="Name of a dataset.")]
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Snapshot folder; default: where it is found.", show_default=False)
]


@app.command(epilog=examples("bench data fetch us21", "bench data fetch us21 --folder new --replace"))
def fetch(
    context: typer.Context,
    dataset: DatasetArgument,
    folder: FolderOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a snapshot that is there.")] = False,
) -> None:
    """Fetch a snapshot by yfinance, check it, and store it; a snapshot that is there is kept if anything fails."""
    from bench.data.facts import facts_of, fetched

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    found = fetched(chosen, folder, replace)
    for note in found.notes:
        say(note)
    say(f"stored in {folder or 'the first snapshot folder'}")
    _tell(facts_of(chosen, found.panel), False)


@app.command(epilog=examples("bench data check us21", "bench data check us21 --against new/us21"))
def check(
    context: typer.Context,
    dataset: DatasetArgument,
    folder: FolderOption = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Snapshot folder to compare with, adjustments left aside.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the bars of a dataset; say what is odd, and whether they are the ones its boards were made from."""
    from bench.data.facts import facts_of
    from bench.data.load import load_panel

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    _tell(facts_of(chosen, load_panel(chosen, folder), against), as_json)


def _tell(facts: dict[str, Any], as_json: bool) -> None:
    """Print what checked bars hold, how odd they are, and which ones they are."""
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        if name != "identity":
            show(f"{name:22} {value}")
    for split, item in facts["identity"].items():
        show(f"{'identity ' + split:22} {item['identity']} ({item['is']})")


@app.command(epilog=examples("bench data identity us21", "bench data identity simulated --json"))
def identity(
    context: typer.Context, dataset: DatasetArgument, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Print the identity of the bars on every split that they cover."""
    from bench.data.facts import identities
    from bench.data.load import load_panel

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    found = identities(chosen, load_panel(chosen, folder))
    if as_json:
        show_json(found)
        return
    for split, item in found.items():
        show(f"{split:14}{item['identity']} ({item['is']})")

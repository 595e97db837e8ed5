"""`bench data fetch|check|identity`: bring bars, check them, say which ones they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench import api
from bench.cli.common import Context, JsonOption, examples, say, show, show_json

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
    context: Context,
    dataset: DatasetArgument,
    folder: FolderOption = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a snapshot that is there.")] = False,
) -> None:
    """Fetch a snapshot by yfinance, check it, and store it; a snapshot that is there is kept if anything fails."""
    found = api.fetch(dataset, folder=folder, replace=replace, root=context.obj.root)
    for note in found.notes:
        say(note)
    say(f"stored in {folder or 'the first snapshot folder'}")
    _tell(api.check_data(dataset, folder=folder, root=context.obj.root))


@app.command(epilog=examples("bench data check us21", "bench data check us21 --against new/us21"))
def check(
    context: Context,
    dataset: DatasetArgument,
    folder: FolderOption = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Snapshot folder to compare with, adjustments left aside.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the bars of a dataset; say what is odd, and whether they are the ones its boards were made from."""
    facts = api.check_data(dataset, folder=folder, against=against, root=context.obj.root)
    show_json(facts) if as_json else _tell(facts)


def _tell(facts: dict[str, Any]) -> None:
    for name, value in facts.items():
        if name != "identity":
            show(f"{name:22} {value}")
    for split, item in facts["identity"].items():
        show(f"{'identity ' + split:22} {item['identity']} ({item['is']})")


@app.command(epilog=examples("bench data identity us21", "bench data identity simulated --json"))
def identity(
    context: Context, dataset: DatasetArgument, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Print the identity of the bars on every split that they cover."""
    found = api.identity(dataset, folder=folder, root=context.obj.root)
    if as_json:
        show_json(found)
        return
    for split, item in found.items():
        show(f"{split:14}{item['identity']} ({item['is']})")

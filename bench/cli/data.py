"""`bench data fetch|check|identity`: bring bars, check them, say which ones they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli.common import JsonOption, Workspace, examples, say, show, show_json

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


@app.command(epilog=examples("bench data fetch us21", "bench data fetch us21 --folder /tmp/bars/us21"))
def fetch(context: typer.Context, dataset: DatasetArgument, folder: FolderOption = None) -> None:
    """Fetch a snapshot by yfinance, check it, and store it; a snapshot that is there is kept if anything fails."""
    from bench.sources import snapshot_folders
    from bench.sources.yahoo import fetch as fetch_bars

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    target = folder or snapshot_folders(chosen)[0]
    for note in fetch_bars(chosen, target).notes:
        say(note)
    say(f"stored in {target}")
    check(context, dataset, target, False)


@app.command(epilog=examples("bench data check us21", "bench data check indices --json"))
def check(
    context: typer.Context, dataset: DatasetArgument, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Check the bars of a dataset; say what is odd, and whether they are the ones its boards were made from."""
    from bench.panel import oddities
    from bench.sources import load_panel

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    panel = load_panel(chosen, folder)
    facts: dict[str, Any] = {
        "dataset": chosen.id,
        "sessions": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "symbols": len(panel.symbols),
        **oddities(panel),
        "identity": _identities(work, dataset, folder),
    }
    if as_json:
        show_json(facts)
        return
    for name, value in facts.items():
        if name != "identity":
            show(f"{name:22}{value}")
    for split, item in facts["identity"].items():
        show(f"{'identity ' + split:22}{item['identity']} ({item['is']})")


@app.command(epilog=examples("bench data identity us21", "bench data identity simulated --json"))
def identity(
    context: typer.Context, dataset: DatasetArgument, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Print the identity of the bars on every split that they cover."""
    found = _identities(context.obj, dataset, folder)
    if as_json:
        show_json(found)
        return
    for split, item in found.items():
        show(f"{split:14}{item['identity']} ({item['is']})")


def _identities(work: Workspace, name: str, folder: Path | None) -> dict[str, dict[str, str]]:
    """Identity by split, and whether it is the pinned one."""
    from bench.sources import load_panel
    from bench.splits import origins_of
    from bench.tasks import ONE_STEP

    dataset = work.dataset(name)
    whole = load_panel(dataset, folder)
    found = {}
    for split_name, split in dataset.splits.items():
        panel = whole.until(split.score.last)
        if not len(origins_of(panel.dates, split, ONE_STEP)):
            continue
        value, pinned = panel.identity(), dataset.identity.get(split_name)
        is_ = "not pinned" if pinned is None else "as pinned" if value == pinned else f"NOT the pinned {pinned[:12]}"
        found[split_name] = {"identity": value, "is": is_}
    return found

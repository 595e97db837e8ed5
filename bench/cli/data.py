"""`bench data fetch|check|identity`: bring bars, check them, say which ones they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.cli.common import JsonOption, Workspace, examples, say, show, show_json
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.data.panel import Panel
    from bench.registry.config import Dataset

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
    from bench.data.load import BARS_FILES, snapshot_folders
    from bench.data.yahoo import fetch as fetch_bars

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    target = folder or snapshot_folders(chosen)[0]
    if not replace and any((target / name).exists() for name in BARS_FILES):
        raise BenchError(f"{target} holds a snapshot: name another folder (--folder DIR) or say --replace")
    fetched = fetch_bars(chosen, target)
    for note in fetched.notes:
        say(note)
    say(f"stored in {target}")
    _tell(chosen, fetched.panel, False)


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
    from bench.data.load import load_panel
    from bench.data.vintages import compare_panels

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    panel = load_panel(chosen, folder)
    gaps = compare_panels(panel, load_panel(chosen, against)) if against else []
    _tell(chosen, panel, as_json, {gap.quantity: f"{gap.largest:.3g}, {gap.symbol} on {gap.day}" for gap in gaps})


def _tell(dataset: Dataset, panel: Panel, as_json: bool, gaps: dict[str, str] | None = None) -> None:
    """Print what a checked panel holds, how odd it is, which one it is, and how it differs from another."""
    from bench.data.panel import oddities

    facts: dict[str, Any] = {
        "dataset": dataset.id,
        "sessions": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "symbols": len(panel.symbols),
        **oddities(panel),
        **{f"largest difference of {quantity}": where for quantity, where in (gaps or {}).items()},
    }
    identities = _identities(dataset, panel)
    if as_json:
        show_json({**facts, "identity": identities})
        return
    for name, value in facts.items():
        show(f"{name:22} {value}")
    for split, item in identities.items():
        show(f"{'identity ' + split:22} {item['identity']} ({item['is']})")


@app.command(epilog=examples("bench data identity us21", "bench data identity simulated --json"))
def identity(
    context: typer.Context, dataset: DatasetArgument, folder: FolderOption = None, as_json: JsonOption = False
) -> None:
    """Print the identity of the bars on every split that they cover."""
    from bench.data.load import load_panel

    work: Workspace = context.obj
    chosen = work.dataset(dataset)
    found = _identities(chosen, load_panel(chosen, folder))
    if as_json:
        show_json(found)
        return
    for split, item in found.items():
        show(f"{split:14}{item['identity']} ({item['is']})")


def _identities(dataset: Dataset, whole: Panel) -> dict[str, dict[str, str]]:
    """Identity by split that the bars cover, and whether it is the pinned one."""
    from bench.plugin.tasks import ONE_STEP
    from bench.registry.windows import origins_of

    found = {}
    for split_name, split in dataset.splits.items():
        panel = whole.until(split.score.last)
        if not len(origins_of(panel.dates, split, ONE_STEP)):
            continue
        value, pinned = panel.identity(), dataset.identity.get(split_name)
        is_ = "not pinned" if pinned is None else "as pinned" if value == pinned else f"NOT the pinned {pinned[:12]}"
        found[split_name] = {"identity": value, "is": is_}
    return found

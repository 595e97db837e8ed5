"""The typer application: its commands and global options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench import __version__
from bench.cli import checking, citing, data, publishing, reading, running
from bench.cli.common import Workspace, examples, show

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="volmark: a benchmark of daily volatility forecasts.",
    epilog=examples("bench list entries", "bench run --dataset indices", "bench board --dataset us21"),
)


def _version(wanted: bool) -> None:
    if wanted:
        show(f"volmark {__version__}")
        raise typer.Exit


@app.callback()
def globals_(
    context: typer.Context,
    root: Annotated[
        Path | None, typer.Option("--root", help="Folder with bench.yaml; default: here or above.", show_default=False)
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Options before the command."""
    context.obj = Workspace(root)


running.register(app)
checking.register(app)
reading.register(app)
citing.register(app)
publishing.register(app)
app.add_typer(data.app, name="data")

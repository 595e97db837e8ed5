"""The application: its commands, each imported when it is used, and the options before a command."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bench import __version__
from bench.cli.common import examples, show
from bench.errors import BenchError, did_you_mean
from bench.registry.workspace import Workspace

MODULES = {
    "running": ("run", "study"),
    "trying": ("init", "new", "try", "check"),
    "reading": ("board", "compare", "score", "list", "show"),
    "publishing": ("cite", "freeze", "ledger", "verify", "reproduce"),
    "data": ("data",),
}
"""The commands by the module that has them, in the order of the help."""


class LazyGroup(TyperGroup):
    """Imports the module of a command when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return [name for names in MODULES.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name."""
        module = next((module for module, names in MODULES.items() if cmd_name in names), None)
        if module is None:
            raise BenchError(f"no command `{cmd_name}`{did_you_mean(cmd_name, self.list_commands(ctx))}")
        group = typer.main.get_group(import_module(f"bench.cli.{module}").app)
        group.name = cmd_name
        return group if module == cmd_name else group.commands[cmd_name]


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=True,
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

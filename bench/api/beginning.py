"""What one begins with: bars, and the folder of a new entry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.api.running import Root
from bench.errors import BenchError
from bench.registry.workspace import Workspace

if TYPE_CHECKING:
    from bench.data.yahoo import Fetched


def check_data(dataset: str, *, folder: Root = None, against: Root = None, root: Root = None) -> dict[str, Any]:
    """What the bars of a dataset hold, how odd they are, which ones they are; raises where they are unsound.

    `folder` is a snapshot folder (None: where it is found), `against` one whose adjustment-invariant values are
    compared.

    >>> check_data("indices")["symbols"]
    2
    """
    from bench.data.facts import facts_of
    from bench.data.load import load_panel

    chosen = Workspace.at(root).dataset(dataset)
    panel = load_panel(chosen, None if folder is None else Path(folder))
    return facts_of(chosen, panel, None if against is None else Path(against))


def identity(dataset: str, *, folder: Root = None, root: Root = None) -> dict[str, dict[str, str]]:
    """The identity of the bars on every split that they cover, and whether it is the pinned one.

    >>> identity("indices")["official"]["is"]
    'as pinned'
    """
    from bench.data.facts import identities
    from bench.data.load import load_panel

    chosen = Workspace.at(root).dataset(dataset)
    return identities(chosen, load_panel(chosen, None if folder is None else Path(folder)))


def fetch(dataset: str, *, folder: Root = None, replace: bool = False, root: Root = None) -> Fetched:
    """Brings a snapshot by yfinance, checks and stores it; one that is there stays where anything fails."""
    from bench.data.facts import fetched

    return fetched(Workspace.at(root).dataset(dataset), None if folder is None else Path(folder), replace)


def init(folder: Path | str) -> list[Path]:
    """Writes a registry, its datasets and the classical entries into a folder, to work there without a clone."""
    from bench.registry.outset import begin

    return begin(Path(folder))


def new(
    name: str, *, kind: str = "per-symbol", into: Root = None, author: str | None = None, root: Root = None
) -> list[Path]:
    """Writes the folder of a new entry: a model that works, its metadata, a test; returns their paths.

    `kind` is `per-symbol`, `pooled` or `torch`; `into` the folder of the entry's folder (None: `submissions/`).
    """
    from bench.registry.scaffold import scaffold

    work = Workspace.at(root)
    if name in work.catalogue.entries:
        raise BenchError(f"the name `{name}` is taken by {work.catalogue.entries[name].folder}: choose another one")
    return scaffold(name, kind, (Path(into) if into else work.submissions) / name, author)

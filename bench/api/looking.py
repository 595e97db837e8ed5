"""Boards, comparisons, brought forecasts, histories and trials: what is looked at and changes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.registry.workspace import Workspace

if TYPE_CHECKING:
    import pandas as pd

    from bench.audit.entries import Checked
    from bench.board.agreement import Agreement
    from bench.board.brought import Brought
    from bench.board.view import ComparedPair, Figure, LoadedBoard
    from bench.plugin import Forecaster, History
    from bench.registry.entries import Entry
    from bench.run.trial import Trial
    from bench.store import Scope


Root = Path | str | None


def warned(text: str) -> None:
    """A warning where the function that says it was called."""
    warnings.warn(text, stacklevel=3)


def load_board(
    dataset: str | None = None, split: str | None = None, *, study: str | None = None, results: Root = None,
    root: Root = None,
) -> LoadedBoard:  # fmt: skip
    """The board of a dataset and split, or of a study: from stored results alone, no bars needed; nothing is written.

    >>> board = load_board("indices")
    >>> board.frame("next-day").columns[:5].tolist()
    ['task', 'entry', 'metric', 'reference', 'value']
    """
    from bench.board.view import load

    return load(scope_of(dataset, split, study=study, results=results, root=root))


def load_boards(*, results: Root = None, root: Root = None) -> list[LoadedBoard]:
    """The boards of every dataset and split that has results, studies left aside.

    >>> [board.scope.split for board in load_boards() if board.scope.dataset.id == "us21"]
    ['development', 'official']
    """
    from bench.board.view import load
    from bench.store import all_places

    registry = Workspace.at(root).registry
    folder = registry.results if results is None else Path(results).resolve()
    places = [place for place in all_places(folder) if place.study is None and place.dataset in registry.dataset_ids()]
    found = sorted({(place.dataset, place.split) for place in places})
    return [load(scope_of(*each, results=folder, root=root)) for each in found]


def write_board(
    dataset: str | None = None, split: str | None = None, *, study: str | None = None, results: Root = None,
    root: Root = None, waiting: Callable[[], None] = lambda: None,
) -> tuple[LoadedBoard, Path]:  # fmt: skip
    """Makes a board anew from stored forecasts and writes it, of a study its page too; with the path of its markdown.

    `waiting` is called where another run holds the results.
    """
    from bench.board import make_board
    from bench.board.studies import StudyResults, write_study
    from bench.board.view import LoadedBoard
    from bench.files import locked

    work = Workspace.at(root)
    scope = scope_of(dataset, split, study=study, results=results, root=root)
    with locked(scope.results, scope.dataset.id, waiting):
        board, path = make_board(scope)
        if study in work.catalogue.studies:
            write_study(StudyResults(work.catalogue.studies[study], scope, board))
    return LoadedBoard(board, scope), path


def check_board(
    dataset: str | None = None, split: str | None = None, *, study: str | None = None, results: Root = None,
    root: Root = None,
) -> list[str]:  # fmt: skip
    """Where the files of a board are not what stored forecasts give on this machine, one line each; empty: nowhere."""
    from bench.board import build_board
    from bench.board.agreement import disagreements

    scope = scope_of(dataset, split, study=study, results=results, root=root)
    stored = scope.folder / "leaderboard.json"
    found = disagreements(build_board(scope), scope.folder)
    return [what if path == stored else f"{path} {what}" for path, what in found]


def agreement(board: LoadedBoard, against: Path | str, *, root: Root = None) -> Agreement:
    """Whether a reader sees the same on a board and on that of another results folder, up to the digits printed.

    >>> agreement(load_board("indices"), "results").gaps
    []
    """
    from bench.board.agreement import agreement as agreement_of

    other = replace(board.scope, results=Path(against).resolve()).folder / "leaderboard.json"
    rows = Workspace.at(root).catalogue.entries
    return agreement_of(board.board, other, {name: entry.row.tolerance for name, entry in rows.items()})


def scope_of(
    dataset: str | None = None, split: str | None = None, *, study: str | None = None, results: Root = None,
    root: Root = None,
) -> Scope:  # fmt: skip
    """Which results are meant: those of a dataset on a split, of the board or a study, in a results folder.

    Of a study, where none is named, the first of its datasets and its split.
    """
    from bench.store import Scope

    work = Workspace.at(root)
    if study in work.catalogue.studies and (spec := work.catalogue.studies[study].spec):
        dataset, split = dataset or spec.datasets[0], split or spec.split
    return Scope.of(work.registry, dataset, split, None if results is None else Path(results).resolve(), study)


def compare(
    a: str, b: str, *, dataset: str | None = None, split: str | None = None, task: str | None = None,
    symbol: str | None = None, regime: str | None = None, study: str | None = None, results: Root = None,
    root: Root = None,
) -> ComparedPair:  # fmt: skip
    """Two entries on a task: the difference, whether a test tells them apart, and where it comes from.

    Two variants of a study are named by `study`, or as `STUDY/VARIANT`.

    >>> compare("har", "garch", dataset="indices").result.n_symbols
    2
    """
    if study is None:
        (of_a, _, first), (of_b, _, second) = a.rpartition("/"), b.rpartition("/")
        if of_a and of_a == of_b:
            study, a, b = of_a, first, second
    board = load_board(dataset, split, study=study, results=results, root=root)
    return board.compare(a, b, task, symbol=symbol, regime=regime)


def score(
    forecasts: pd.DataFrame | Path | str, *, name: str = "brought", dataset: str | None = None,
    split: str | None = None, task: str | None = None, unit: str = "daily", results: Root = None, root: Root = None,
    say: Callable[[str], None] = warned,
) -> Brought:  # fmt: skip
    """Forecasts made anywhere, scored and tested beside the rows of a board. Nothing is written: it is on no board.

    Parameters
    ----------
    forecasts : DataFrame, or the path of a CSV or parquet file
        Columns `origin` or `date` (the session after the origin), `symbol`, and `forecast_var` or `forecast_vol`; or
        wide: an index named `origin` or `date`, one column a symbol, variances.
    unit : str
        `daily`, `daily-percent`, `annual` or `annual-percent`; nothing is guessed.
    say : callable
        Is told where the unit looks wrong.

    Raises
    ------
    BenchError
        With a line for each kind of wrong cell: missing, doubled, superfluous, no variance; the first three of each.
    """
    from bench.board.brought import read_table
    from bench.board.brought import score as score_of
    from bench.board.view import scores_of

    scope = scope_of(dataset, split, results=results, root=root)
    table = read_table(Path(forecasts)) if isinstance(forecasts, str | Path) else forecasts
    brought = score_of(scope, scores_of(scope, task), table, name, unit)
    if brought.doubt:
        say(f"look at the unit: {brought.doubt}")
    return brought


def history(
    dataset: str | None = None, *, until: date | str | None = None, reads: Sequence[str] | None = None,
    split: str = "development", task: str | None = None, root: Root = None,
) -> History:  # fmt: skip
    """What an entry knows after the close of a day: a real `History`, to write and debug a model with.

    `until` is that day (None: the last one that the split scores), `reads` what is handed out (None: all there is).

    >>> known = history("indices", until="2015-06-30")
    >>> str(known.dates[-1]), known.symbols
    ('2015-06-30', ('NASDAQ', 'SP500'))
    """
    from bench.run.trial import history_of

    return history_of(Workspace.at(root).registry, dataset, split, task, _day(until), reads)


def try_entry(
    entry: type[Forecaster] | str | Path, *, dataset: str | None = None, split: str = "development", last: int = 250,
    task: str | None = None, reads: Sequence[str] | None = None, refit: int | None = None,
    parameters: dict[str, Any] | None = None, seed: int = 0, root: Root = None, say: Callable[[str], None] = warned,
) -> Trial:  # fmt: skip
    """An entry walked in this process, on real history: prints, a debugger and whole tracebacks work.

    Nothing is isolated, limited or stored, and `say` is told so: by default it is a warning. The last `last` sessions
    of the split are forecast, with the fits that a run would make. An entry is a class, its name, or its folder;
    `reads`, `refit` and `parameters` are those of its row unless given here, of a class all there is, None and none.

    >>> from bench.plugin import Forecaster
    >>> class LastMonth(Forecaster):
    ...     def forecast(self, history):
    ...         return history.variance[-22:].mean(axis=0)
    >>> try_entry(LastMonth, dataset="indices", last=20, say=lambda warning: None).frame().shape
    (40, 5)
    """
    from bench.run.trial import WARNING, trial_of

    say(WARNING)
    work = Workspace.at(root)
    chosen: type[Forecaster] | Entry
    if isinstance(entry, type):
        chosen = entry
    else:
        named = work.select([entry])
        if len(named) > 1:
            raise BenchError(f"{entry} has several rows: name one of {', '.join(each.name for each in named)}")
        chosen = named[0]
    return trial_of(
        work.registry, chosen, dataset, split, task,
        last=last, reads=reads, refit=refit, parameters=parameters, seed=seed,
    )  # fmt: skip


def check(
    entries: Iterable[str], *, datasets: Iterable[str] = (), jobs: int | None = None, seconds: float = 120.0,
    root: Root = None,
) -> Iterator[Checked]:  # fmt: skip
    """What is found of each entry, as it is done: well-formed, deterministic, blind to the future, in its place."""
    from bench.audit.entries import check_entries

    work = Workspace.at(root)
    return check_entries(work, entries, datasets, jobs=jobs or work.cores, seconds=seconds)


def show(entry: str, *, results: Root = None, root: Root = None) -> list[dict[str, Any]]:
    """The card of an entry, of a family's folder those of all its rows: what it is, state and QLIKE of its results.

    >>> show("har")[0]["refit"]
    'every 252 sessions'
    """
    from bench.board.card import card_of

    work = Workspace.at(root)
    return [card_of(work.registry, each, work.results(results, [each])) for each in work.select([entry])]


def forecasts_figure(
    entry: str, *, dataset: str | None = None, split: str | None = None, task: str | None = None,
    symbol: str | None = None, results: Root = None, root: Root = None,
) -> Figure:  # fmt: skip
    """An entry's stored forecasts beside realised volatility, on one symbol: the market where none is named."""
    from bench.board import view

    work = Workspace.at(root)
    chosen = work.select([entry])[0]
    folder = work.results(results, [chosen])
    scope = scope_of(dataset, split, study=chosen.study, results=folder, root=root)
    return view.forecasts_figure(scope, chosen.name, task, symbol)


def listed(kind: str = "entries", *, root: Root = None) -> pd.DataFrame:
    """What the registry knows of a kind (`entries`, `datasets`, `tasks`, `studies`); no model code is imported.

    >>> listed("tasks")["task"].tolist()
    ['next-day', 'week-ahead', 'month-ahead', 'rolling-21d']
    """
    import pandas as pd

    return pd.DataFrame(Workspace.at(root).rows(kind)[0])


def _day(until: date | str | None) -> date | None:
    try:
        return date.fromisoformat(until) if isinstance(until, str) else until
    except ValueError:
        raise BenchError(f"until: {until} is no day; write it as 2015-06-30") from None

"""Boards, comparisons, brought forecasts, histories and trials: what is looked at and changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.registry.workspace import Workspace
from bench.store import Scope

if TYPE_CHECKING:
    import pandas as pd

    from bench.audit.entries import Checked
    from bench.board.brought import Brought
    from bench.board.view import ComparedPair, LoadedBoard
    from bench.plugin import Forecaster, History
    from bench.registry.entries import Entry
    from bench.run.trial import Trial


Root = Path | str | None


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


def scope_of(
    dataset: str | None = None, split: str | None = None, *, study: str | None = None, results: Root = None,
    root: Root = None,
) -> Scope:  # fmt: skip
    """Which results are meant: those of a dataset on a split, of the board or a study, in a results folder."""
    registry = Workspace.at(root).registry
    return Scope.of(registry, dataset, split, None if results is None else Path(results).resolve(), study)


def compare(
    a: str, b: str, *, dataset: str | None = None, split: str | None = None, task: str | None = None,
    symbol: str | None = None, regime: str | None = None, study: str | None = None, results: Root = None,
    root: Root = None,
) -> ComparedPair:  # fmt: skip
    """Two entries on a task: the difference, whether a test tells them apart, and where it comes from.

    >>> compare("har", "garch", dataset="indices").result.n_symbols
    2
    """
    board = load_board(dataset, split, study=study, results=results, root=root)
    return board.compare(a, b, task, symbol=symbol, regime=regime)


def score(
    forecasts: pd.DataFrame | Path | str, *, name: str = "brought", dataset: str | None = None,
    split: str | None = None, task: str | None = None, unit: str = "daily", results: Root = None, root: Root = None,
) -> Brought:  # fmt: skip
    """Forecasts made anywhere, scored and tested beside the rows of a board. Nothing is written: it is on no board.

    Parameters
    ----------
    forecasts : DataFrame, or the path of a CSV or parquet file
        Columns `origin` or `date` (the session after the origin), `symbol`, and `forecast_var` or `forecast_vol`; or
        wide: an index named `origin` or `date`, one column a symbol, variances.
    unit : str
        `daily`, `daily-percent`, `annual` or `annual-percent`; nothing is guessed.

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
    return score_of(scope, scores_of(scope, task), table, name, unit)


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
    parameters: dict[str, Any] | None = None, seed: int = 0, root: Root = None,
) -> Trial:  # fmt: skip
    """An entry walked in this process, on real history: prints, a debugger and whole tracebacks work.

    Nothing is isolated, limited or stored: what is said about this entry is said by nobody. The last `last` sessions
    of the split are forecast, with the fits that a run would make. An entry is a class, its name, or its folder;
    `reads`, `refit` and `parameters` are those of its row unless given here, of a class all there is, None and none.

    >>> from bench.plugin import Forecaster
    >>> class LastMonth(Forecaster):
    ...     def forecast(self, history):
    ...         return history.variance[-22:].mean(axis=0)
    >>> try_entry(LastMonth, dataset="indices", last=20).frame().shape
    (40, 5)
    """
    from bench.run.trial import trial_of

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
    entries: Iterable[str], *, datasets: Iterable[str] = (), jobs: int = 1, seconds: float = 120.0, root: Root = None
) -> list[Checked]:
    """What `bench check` finds of each entry: well-formed, deterministic, blind to the future, in its place."""
    from bench.audit.entries import check_entries

    return list(check_entries(Workspace.at(root), entries, datasets, jobs=jobs, seconds=seconds))


def show(entry: str, *, results: Root = None, root: Root = None) -> dict[str, Any]:
    """The card of an entry: what it is, and (`results`) state and QLIKE of its results."""
    from bench.board.card import card_of

    work = Workspace.at(root)
    (chosen,) = work.select([entry])
    return card_of(work.registry, chosen, work.results(results, [chosen]))


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

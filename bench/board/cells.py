"""Scores of forecasts on the cells of a task: from the published measure, without bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.plugin.tasks import Task, induced, latest_known, target
from bench.registry.config import Split
from bench.registry.windows import origins_of
from bench.stats import losses
from bench.stats.metrics import Case
from bench.store import Forecasts
from bench.store.realized import Realized

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """What every entry is scored on: targets `(n_origins, n_symbols)` of one task on one split.

    `latest_var` is the latest known value of the same quantity, `regimes` the labels `(n_origins,)` of each
    definition; `sessions_per_year` annualises.
    """

    task: Task
    origins: NDArray[np.datetime64]
    dates: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    target_var: Array
    latest_var: Array
    regimes: dict[str, NDArray[np.str_]]
    sessions_per_year: int = losses.SESSIONS_PER_YEAR


def cells_of(realized: Realized, split: Split, task: Task, sessions_per_year: int = losses.SESSIONS_PER_YEAR) -> Cells:
    """Returns the cells of a task's score window; none where the measure ends too early."""
    rows = origins_of(realized.dates, split, task)
    at, after = slice(rows.first, rows.last + 1), slice(rows.first + 1, rows.last + 2)
    return Cells(
        task=task,
        origins=realized.dates[at],
        dates=realized.dates[after],
        symbols=realized.symbols,
        target_var=target(realized.measure_var, task)[at],
        latest_var=latest_known(realized.measure_var, task)[at],
        regimes={"month": realized.regime_month[after], "origin": realized.regime_origin[after]},
        sessions_per_year=sessions_per_year,
    )


def check_cells(cells: Cells, forecasts: Forecasts, who: str) -> None:
    """Refuses forecasts that are not of just these cells, naming the first difference."""
    if forecasts.symbols != cells.symbols:
        odd = sorted(set(forecasts.symbols) ^ set(cells.symbols))
        raise BenchError(f"{who}: its symbols are not the dataset's (first difference: {odd[0] if odd else 'order'})")
    for name, mine, theirs in (
        ("origin", forecasts.origins, cells.origins),
        ("date", forecasts.dates, cells.dates),
    ):
        n = min(len(mine), len(theirs))
        wrong = np.flatnonzero(mine[:n] != theirs[:n])
        if len(wrong):
            first = wrong[0]
            raise BenchError(f"{who}: {name} {mine[first]} stands where {theirs[first]} is expected; run it again")
        if len(mine) != len(theirs):
            raise BenchError(f"{who}: {len(mine)} origins, expected {len(theirs)}; run it again")


def induced_forecasts(realized: Realized, forecasts: Forecasts, task: Task) -> Forecasts:
    """The forecasts of a task with known sessions that forecasts of its unknown ones imply, on the same origins."""
    rows = np.searchsorted(realized.dates, forecasts.origins)
    by_session = np.full(realized.measure_var.shape, np.nan)
    by_session[rows] = forecasts.forecast_var
    forecast_var = induced(by_session, realized.measure_var, task)[rows]
    return Forecasts(forecasts.origins, forecasts.dates, forecasts.symbols, forecast_var)


@dataclass(frozen=True)
class Scored:
    """The forecasts of one entry on the cells of a task, `(n_origins, n_symbols)`."""

    cells: Cells
    forecast_var: Array

    @cached_property
    def qlike(self) -> Array:
        """QLIKE by cell, computed when asked for; NaN where the target is 0."""
        return losses.qlike(self.cells.target_var, self.forecast_var)

    def case(self, baseline: Scored | None) -> Case:
        """What metrics look at: these forecasts and their cells, and another entry's as the baseline."""
        baseline_var = None if baseline is None or baseline is self else baseline.forecast_var
        cells = self.cells
        return Case(cells.target_var, self.forecast_var, cells.latest_var, baseline_var, cells.sessions_per_year)

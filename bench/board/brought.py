"""Forecasts that somebody brings: checked cell by cell, scored and tested beside a board's rows; nothing is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench import stats
from bench.board.cells import Cells, Scored
from bench.board.gather import TaskScores
from bench.board.model import Scores, flat
from bench.board.render.numbers import NONE, Columns, difference, percent, probability, table
from bench.board.scores import by_cell, number, number_or_none, scores_of
from bench.errors import BenchError, did_you_mean
from bench.plugin.measures import is_variance
from bench.stats import units
from bench.stats.metrics import METRICS, RANKING, Metric
from bench.stats.metrics import columns as metric_columns
from bench.stats.units import KINDS, UNITS
from bench.store import Scope

Array = NDArray[np.float64]

BROUGHT = "brought: the clock did not see it"
NO_ORIGIN = "a day that is no origin ({first} to {last}), or an origin and date that do not go together"
SHOWN = 3


@dataclass(frozen=True)
class Line:
    """A row of the board, or the brought one: scores by metric, skill with its interval, the test of the brought one.

    `difference` is the brought row's QLIKE less this one's, negative: the brought loss is smaller; `p_value` is of
    the protocol's panel test, two-sided, `p_holm` adjusted over the rows of the board.
    """

    entry: str
    scores: Scores
    skill: float | None = None
    skill_low: float | None = None
    skill_high: float | None = None
    difference: float | None = None
    p_value: float | None = None
    p_holm: float | None = None
    note: str = ""

    @property
    def qlike(self) -> float:
        """The score that orders the rows."""
        return float(self.scores[RANKING.name] or math.nan)


@dataclass(frozen=True)
class Brought:
    """Brought forecasts beside the rows of a board, in order of QLIKE; prints as a table.

    `doubt` says which unit the forecasts look like, where they are far from the measure.
    """

    name: str
    dataset: str
    split: str
    task: str
    reference: str
    n_origins: int
    lines: list[Line]
    doubt: str | None = None

    @property
    def row(self) -> Line:
        """The brought row."""
        return next(line for line in self.lines if line.note)

    def frame(self) -> pd.DataFrame:
        """One row an entry: the fields of `Line`, its scores among them."""
        return pd.DataFrame([flat(asdict(line)) for line in self.lines])

    def __str__(self) -> str:
        others = [metric for metric in metric_columns("main", METRICS) if metric is not RANKING]
        shown: Columns[Line] = [
            ("entry", lambda line: f"{line.entry} *" if line.note else line.entry),
            (RANKING.title, lambda line: RANKING.printed(line.qlike)),
            (f"skill vs {self.reference} %", lambda line: percent(line.skill, line.skill_low, line.skill_high)),
            *((each.title, partial(_printed, each)) for each in others),
            (f"{self.name} less it", lambda line: difference(line.difference)),
            ("p", lambda line: NONE if line.note else probability(line.p_value)),
            ("p, Holm", lambda line: NONE if line.note else probability(line.p_holm)),
        ]
        return "\n\n".join([
            f"{self.dataset} {self.split}, {self.task}, {self.n_origins} origins", table(self.lines, shown),
            f"* {BROUGHT}; it is on no board. p: panel test of {self.name} against the row, two-sided.",
        ])  # fmt: skip

    __repr__ = __str__


def _printed(metric: Metric, line: Line) -> str:
    return metric.printed(line.scores[metric.name])


def read_table(path: Path) -> pd.DataFrame:
    """A CSV or parquet file as a frame, everything of a CSV as text; a `BenchError` where it cannot be read."""
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:  # both libraries' own errors are ValueErrors
        raise BenchError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error


def score(scope: Scope, scores: TaskScores, forecasts: pd.DataFrame, name: str, unit: str = "daily") -> Brought:
    """Returns brought forecasts scored and tested beside every finished row of a task.

    Parameters
    ----------
    forecasts : DataFrame
        Columns `origin` or `date` (the session after the origin), `symbol`, `forecast_var` or `forecast_vol`; or wide:
        an index named `origin` or `date`, a column a symbol, variances.
    unit : str
        One of `UNITS`: daily or annual, decimal or percent.

    Raises
    ------
    BenchError
        Where the name is taken, a column or the unit is none, or the cells are not just those of the task.
    """
    if name in scores.scored:
        raise BenchError(f"{name} is a row of the board: give the brought forecasts another name")
    cells = scores.cells
    given, kind = long_form(forecasts)
    if unit not in UNITS:
        raise BenchError(f"no unit `{unit}`{did_you_mean(unit, UNITS)}")
    raw = on_cells(given, kind, cells, f"{scope.dataset.id} {scope.split} {cells.task.name}", unit)
    mine = Scored(cells, units.variance(raw, kind, unit, cells.sessions_per_year))
    everybody = {**scores.scored, name: mine}
    panels = np.stack([each.qlike for each in everybody.values()])
    reference = next((each for each in scope.settings.references if each in scores.scored), "")
    horizon = cells.task.ahead
    intervals = stats.skill_intervals(panels, scores.scored[reference].qlike, horizon) if reference else None
    tests = [stats.panel_test(mine.qlike, each.qlike, horizon) for each in scores.scored.values()]
    adjusted = stats.holm(np.array([test.p_value for test in tests]))
    baseline = scores.scored.get(scope.settings.baseline)
    yardstick = by_cell(baseline, None) if baseline else {}
    lines = []
    for i, (entry, each) in enumerate(everybody.items()):
        more: dict[str, Any] = {"note": BROUGHT}
        if entry != name:
            more = {"difference": number(tests[i].mean_difference), "p_value": number_or_none(tests[i].p_value),
                    "p_holm": number_or_none(adjusted[i])}  # fmt: skip
        if intervals is not None and entry != reference:
            for field, values in (("", intervals.estimate), ("_low", intervals.low), ("_high", intervals.high)):
                more[f"skill{field}"] = number_or_none(values[i])
        own = scores_of(by_cell(each, baseline), {} if each is baseline else yardstick, horizon)
        lines.append(Line(entry, own, **more))
    lines.sort(key=lambda line: (line.qlike, line.entry))
    return Brought(name, scope.dataset.id, scope.split, cells.task.name, reference, len(cells.origins), lines,
                   _doubt(raw, kind, unit, cells))  # fmt: skip


def _doubt(raw: Array, kind: str, unit: str, cells: Cells) -> str | None:
    """Which unit forecasts look like, where their median is far from the measure's; None where it is not."""
    found = units.size(raw, cells.target_var, kind, unit, cells.sessions_per_year)
    if found is None or not found.is_far:
        return None
    return (
        f"the median forecast is {found.ratio:.3g} times the median measure: read as {kind}, {unit}, they look like "
        f"{found.kind}, {found.unit}"
    )


def long_form(forecasts: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Forecasts in long form, and which of `KINDS` they are; a `BenchError` names the column that lacks."""
    when = forecasts.index.name
    if when in ("origin", "date") and "symbol" not in forecasts.columns:
        wide = forecasts.rename_axis(columns="symbol")
        return wide.reset_index().melt(id_vars=when, var_name="symbol", value_name="forecast_var"), "forecast_var"
    table = forecasts.reset_index() if when in ("origin", "date") else forecasts
    found = f"(found {', '.join(map(str, table.columns))})"
    kinds = [name for name in KINDS if name in table.columns]
    if len(kinds) != 1:
        raise BenchError(f"forecasts need one column of {' and '.join(KINDS)} {found}")
    if "symbol" not in table.columns or not {"origin", "date"} & set(table.columns):
        raise BenchError(f"forecasts need the columns origin or date, symbol, {kinds[0]} {found}")
    return table, kinds[0]


def on_cells(table: pd.DataFrame, kind: str, cells: Cells, what: str, unit: str = "daily") -> Array:
    """Values `(n_origins, n_symbols)` in their own unit; a `BenchError` has a line for every kind of wrong cell."""
    i, odd_day = _positions(table, cells)
    j = pd.Index(cells.symbols).get_indexer(pd.Index(table["symbol"].astype(str)))
    values = pd.to_numeric(table[kind], errors="coerce").to_numpy(dtype=float)
    sound = is_variance(units.variance(values, kind, unit, cells.sessions_per_year)) & (values > 0)
    place = np.where((i >= 0) & (j >= 0), i * len(cells.symbols) + j, -1)
    doubled = pd.Series(place).duplicated().to_numpy() & (place >= 0)
    count = np.bincount(place[place >= 0], minlength=cells.target_var.size)
    day = table["origin" if "origin" in table.columns else "date"].astype(str).str[:10]
    said = zip(day, table["symbol"], table[kind], strict=True)
    told = np.array([" ".join(map(str, parts)) for parts in said], dtype=object)
    empty = np.argwhere(count.reshape(cells.target_var.shape) == 0)
    missing = [f"{cells.origins[day]} {cells.symbols[symbol]}" for day, symbol in empty]
    wrong: dict[str, Sequence[str]] = {
        "with a symbol that is not the dataset's": list(told[j < 0]),
        f"with {NO_ORIGIN.format(first=cells.origins[0], last=cells.origins[-1])}": list(told[odd_day]),
        "whose forecast is no variance or volatility (not a number, not above 0)": list(told[~sound]),
        "that are there more than once": list(told[doubled]),
        "that are missing, by origin": missing,
    }
    lines = [f"  {len(found)} {name}: {', '.join(found[:SHOWN])}" for name, found in wrong.items() if len(found)]
    if lines:
        size = f"{len(cells.origins)} origins of {len(cells.symbols)} symbols"
        raise BenchError("\n".join([f"these are not the cells of {what} ({size}):", *lines]))
    return values[np.argsort(place)].reshape(cells.target_var.shape)


def _positions(table: pd.DataFrame, cells: Cells) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The origin that each row means, -1 for none, and which rows say none or two."""
    found = []
    for name, days in (("origin", cells.origins), ("date", cells.dates)):
        if name in table.columns:
            said = pd.DatetimeIndex(pd.to_datetime(table[name], errors="coerce", format="mixed"))
            found.append(pd.DatetimeIndex(days).get_indexer(said.tz_localize(None).normalize()))
    odd = (found[0] < 0) | (found[0] != found[-1])
    return np.where(odd, -1, found[0]), odd

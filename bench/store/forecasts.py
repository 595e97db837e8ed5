"""Forecasts as arrays and as parquet: `origin, date, symbol, [seed,] forecast_var`, sorted, one row a cell."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.files import Days, as_parquet, read_columns, repeat_days, tile_symbols
from bench.plugin.measures import is_variance

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of one entry on one task: `forecast_var (n_origins, n_symbols)`, decimal daily variance.

    `dates` is the session after the origin, for every task.
    """

    origins: Days
    dates: Days
    symbols: tuple[str, ...]
    forecast_var: Array

    def digest(self) -> str:
        """sha256 over the values: origins, dates and symbols as JSON, then the float64 bytes."""
        head = [[str(day) for day in self.origins], [str(day) for day in self.dates], list(self.symbols)]
        digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        digest.update(np.ascontiguousarray(self.forecast_var, dtype="<f8").tobytes())
        return digest.hexdigest()


def forecast_table(parts: dict[int, Forecasts], *, with_seed: bool = True) -> bytes:
    """Columns `origin, date, symbol, [seed,] forecast_var` of one or several seeds, sorted in that order."""
    first = next(iter(parts.values()))
    n, m, s = len(first.origins), len(first.symbols), len(parts)
    columns = {"origin": repeat_days(first.origins, m * s), "date": repeat_days(first.dates, m * s)}
    columns["symbol"] = tile_symbols(first.symbols, n, each=s)
    if with_seed:
        columns["seed"] = pa.array(np.tile(np.array(list(parts), dtype=np.int32), n * m))
    stacked = np.stack([part.forecast_var for part in parts.values()], axis=-1)
    columns["forecast_var"] = pa.array(stacked.ravel())
    return as_parquet(columns)


def read_forecasts(path: Path) -> Forecasts:
    """The forecasts of a parquet file without seeds; errors as `from_columns`."""
    return from_columns(read_columns(path)[0])


def from_columns(columns: dict[str, NDArray[Any]]) -> Forecasts:
    """Forecasts of sorted, complete columns; a ValueError where a cell is missing, out of order or no variance."""
    origin, n_rows = columns["origin"].astype("datetime64[D]"), len(columns["origin"])
    per_day = int(np.searchsorted(origin, origin[0], side="right")) if n_rows else 0
    if not per_day or n_rows % per_day:
        raise ValueError("not one row for every origin and symbol")
    symbols, grid = columns["symbol"].reshape(-1, per_day), origin.reshape(-1, per_day)
    if (symbols != symbols[0]).any() or (grid != grid[:, :1]).any():
        raise ValueError("rows are not sorted by origin and symbol")
    dates = columns["date"].astype("datetime64[D]")[::per_day]
    values = np.asarray(columns["forecast_var"], dtype=float).reshape(-1, per_day)
    if not is_variance(values).all():
        raise ValueError("a forecast is no daily variance")
    return Forecasts(grid[:, 0], dates, tuple(str(name) for name in symbols[0]), values)

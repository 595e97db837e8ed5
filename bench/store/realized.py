"""The published daily measure: what every forecast can be scored with, without bars."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.errors import StorageError
from bench.files import Days, as_parquet, read_columns, repeat_days, repeat_labels, tile_symbols, write_atomic

Array = NDArray[np.float64]

CHANGE_TOLERANCE = 1e-9
"""Relative: how far the measure of the same bars may differ between processors."""


@dataclass(frozen=True)
class Realized:
    """The published daily measure: arrays by session, `(n_sessions, n_symbols)` or `(n_sessions,)`.

    `regime_month` is that of the session's calendar month, `regime_origin` that at the close before the
    session, the origin of a forecast for it: `calm`, `crisis` or `unknown`, with crisis from `vix_crisis` on.
    """

    dates: Days
    symbols: tuple[str, ...]
    measure_var: Array
    regime_month: NDArray[np.str_]
    regime_origin: NDArray[np.str_]
    vix_crisis: float
    true_var: Array | None = None

    def until(self, day: date | None) -> Realized:
        """The measure without the sessions after `day`."""
        if day is None:
            return self
        n = int(np.searchsorted(self.dates, np.datetime64(day, "D"), side="right"))
        names = ("dates", "measure_var", "regime_month", "regime_origin", "true_var")
        cut: dict[str, Any] = {name: getattr(self, name)[:n] for name in names if getattr(self, name) is not None}
        return replace(self, **cut)

    def digest(self) -> str:
        """sha256 over dates, symbols, measure and regimes."""
        labels = [self.regime_month.tolist(), self.regime_origin.tolist(), self.vix_crisis]
        head = json.dumps([[str(day) for day in self.dates], list(self.symbols), *labels], separators=(",", ":"))
        return hashlib.sha256(head.encode() + np.ascontiguousarray(self.measure_var, dtype="<f8").tobytes()).hexdigest()


def same_sessions(old: Realized, new: Realized) -> bool:
    """Whether two measures have the same symbols, and the same sessions as far as the shorter one goes."""
    n = min(len(old.dates), len(new.dates))
    return old.symbols == new.symbols and np.array_equal(old.dates[:n], new.dates[:n])


def changed_values(old: Array, new: Array) -> NDArray[np.intp]:
    """Positions `(n, 2)` of the values that differ, as far as the shorter array goes; a NaN equals only another one."""
    n = min(len(old), len(new))
    old, new = old[:n], new[:n]
    same = np.abs(old - new) <= CHANGE_TOLERANCE * np.abs(new)
    return np.argwhere(~(same | (np.isnan(old) & np.isnan(new))))


def write_realized(results: Path, dataset: str, realized: Realized) -> bool:
    """Write `realized.parquet`; returns False where it already holds these values."""
    n, m = realized.measure_var.shape
    columns = {
        "date": repeat_days(realized.dates, m),
        "symbol": tile_symbols(realized.symbols, n),
        "measure_var": pa.array(realized.measure_var.ravel()),
        "regime_month": repeat_labels(realized.regime_month, m),
        "regime_origin": repeat_labels(realized.regime_origin, m),
    }
    if realized.true_var is not None:
        columns["true_var"] = pa.array(realized.true_var.ravel())
    metadata = {"vix_crisis": f"{realized.vix_crisis:g}", "digest": realized.digest()}
    return write_atomic(results / dataset / "realized.parquet", as_parquet(columns, metadata))


def read_realized(results: Path, dataset: str) -> Realized:
    """The published measure of a dataset; a `StorageError` where it is not there or not what it says it is."""
    path = results / dataset / "realized.parquet"
    try:
        columns, metadata = read_columns(path)
        if not {b"digest", b"vix_crisis"} <= set(metadata):
            raise ValueError("it does not say its digest")
        said = {key.decode(): value.decode() for key, value in metadata.items()}
        dates = columns["date"].astype("datetime64[D]")
        per_day = int(np.searchsorted(dates, dates[0], side="right"))
        realized = Realized(
            dates[::per_day],
            tuple(columns["symbol"][:per_day].tolist()),
            columns["measure_var"].reshape(-1, per_day),
            columns["regime_month"][::per_day],
            columns["regime_origin"][::per_day],
            float(said["vix_crisis"]),
            columns["true_var"].reshape(-1, per_day) if "true_var" in columns else None,
        )
        if realized.digest() != said["digest"]:
            raise ValueError("its digest differs")
    except FileNotFoundError:
        raise StorageError(f"no {path}: run `bench run --dataset {dataset}` first") from None
    except (OSError, pa.ArrowException, ValueError, KeyError, IndexError) as error:
        raise StorageError(f"{path} is damaged ({error}): remove it and run `bench run --dataset {dataset}`") from error
    return realized

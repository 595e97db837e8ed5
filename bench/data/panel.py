"""A panel of daily bars: its checks, its identity, and the comparison of two vintages of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plugin.measures import MEASURES, log_returns
from bench.plugin.words import column_of

Array = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
LARGE_RETURN = 0.25


@dataclass(frozen=True)
class Panel:
    """Checked daily bars of one dataset, session first: arrays `(n_sessions, n_symbols)`, symbols sorted.

    `column_var` is the daily measure where it is a column of the bars, None where it follows from the prices.
    `vix` and `true_var` (integrated open-to-close variance, known for simulated bars) may be None; `vix` is NaN
    before the day on which the dataset has it.
    """

    dataset: str
    measure: str
    dates: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    vix: Array | None = None
    true_var: Array | None = None
    column_var: Array | None = None

    @cached_property
    def variance(self) -> Array:
        """The dataset's daily measure, decimal variance."""
        if self.column_var is not None:
            return self.column_var
        return MEASURES[self.measure](self.open, self.high, self.low, self.close)

    @cached_property
    def returns(self) -> Array:
        """Close-to-close log returns; NaN in the first row."""
        return log_returns(self.close)

    def position(self, day: date, side: str = "left") -> int:
        """Number of sessions before `day` (`side="left"`), or up to and including it (`"right"`)."""
        return int(np.searchsorted(self.dates, np.datetime64(day, "D"), side=side))  # type: ignore[call-overload]

    def until(self, day: date | None) -> Panel:
        """The panel without the sessions after `day`."""
        if day is None:
            return self
        return self._cut(slice(self.position(day, "right")), slice(None))

    def part(self, symbols: Sequence[str], first: int = 0) -> Panel:
        """Some symbols, in the order given, and the sessions from position `first` on (negative: so many last ones).

        Every array in C order, as in a loaded panel: the last bit of a sum may depend on how its terms lie in memory.
        """
        at = [self.symbols.index(symbol) for symbol in symbols]
        return replace(self._cut(slice(first, None), at), symbols=tuple(symbols))

    def _cut(self, rows: slice, columns: list[int] | slice) -> Panel:
        arrays: dict[str, Any] = {
            name: np.ascontiguousarray(getattr(self, name)[rows, columns])
            for name in (*PRICES, "volume", "true_var", "column_var")
            if getattr(self, name) is not None
        }
        vix = None if self.vix is None else self.vix[rows]
        return replace(self, dates=self.dates[rows], vix=vix, **arrays)

    def identity(self) -> str:
        """sha256 of the canonical values: sessions, symbols, columns (a measure's too) and the VIX as float64 bytes.

        A JSON line with sessions and symbols, then open, high, low, close, volume and, where the measure is a column
        (which the line then says too), that one, each `(n_sessions, n_symbols)`, and the VIX `(n_sessions,)`,
        little-endian, in C order. Take the panel `until` the last score date first.
        """
        head = {"dates": [str(day) for day in self.dates], "symbols": list(self.symbols), "vix": self.vix is not None}
        columns = [getattr(self, name) for name in (*PRICES, "volume")]
        if self.column_var is not None:
            head["column"] = True
            columns.append(self.column_var)
        digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        for values in columns:
            digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        if self.vix is not None:
            digest.update(np.ascontiguousarray(self.vix, dtype="<f8").tobytes())
        return digest.hexdigest()


def oddities(panel: Panel) -> dict[str, int]:
    """Counts of what is reported but not refused: zero ranges, zero volume, |log return| above 0.25.

    Where the measure is a column, its zeros too.
    """
    zeros = {} if panel.column_var is None else {f"zero {column_of(panel.measure)}": int((panel.column_var == 0).sum())}
    return {
        "zero-range bars": int((panel.high == panel.low).sum()),
        "zero-volume bars": int((panel.volume == 0).sum()),
        f"|log return| > {LARGE_RETURN}": int((np.abs(panel.returns[1:]) > LARGE_RETURN).sum()),
        **zeros,
    }

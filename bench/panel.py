"""A panel of daily bars: its checks, its identity, and the comparison of two vintages of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.errors import DataError
from bench.measures import MEASURES, log_returns

Array = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", "symbol", *PRICES, "volume")
RANGE_TOLERANCE = 1e-9
"""Relative: how far an open or close may lie outside high and low (rounding of adjusted prices)."""
LARGE_RETURN = 0.25


@dataclass(frozen=True)
class Panel:
    """Checked daily bars of one dataset, session first: arrays `(n_sessions, n_symbols)`, symbols sorted.

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

    @cached_property
    def variance(self) -> Array:
        """The dataset's daily measure, decimal variance."""
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
        n = self.position(day, "right")
        arrays = {name: getattr(self, name)[:n] for name in (*PRICES, "volume")}
        optional = {
            name: None if getattr(self, name) is None else getattr(self, name)[:n] for name in ("vix", "true_var")
        }
        return replace(self, dates=self.dates[:n], **arrays, **optional)

    def identity(self) -> str:
        """sha256 of the canonical values: sessions, symbols, the five columns and the VIX as float64 bytes.

        A JSON line with sessions and symbols, then open, high, low, close, volume `(n_sessions, n_symbols)` and
        the VIX `(n_sessions,)`, little-endian, in C order. Take the panel `until` the last score date first.
        """
        head = {"dates": [str(day) for day in self.dates], "symbols": list(self.symbols), "vix": self.vix is not None}
        digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        for name in (*PRICES, "volume"):
            digest.update(np.ascontiguousarray(getattr(self, name), dtype="<f8").tobytes())
        if self.vix is not None:
            digest.update(np.ascontiguousarray(self.vix, dtype="<f8").tobytes())
        return digest.hexdigest()


def panel_from_frames(
    bars: pd.DataFrame,
    vix: pd.Series | None,
    *,
    dataset: str,
    symbols: list[str],
    measure: str,
    warmup_from: date,
    vix_from: date | None = None,
    with_volume: bool = True,
) -> Panel:
    """Returns the checked panel of long-form bars from `warmup_from` on.

    Parameters
    ----------
    bars : DataFrame
        Columns `date, symbol, open, high, low, close, volume`, in any order, with one row per session and symbol.
    vix : Series or None
        Close of the VIX, indexed by session; needed on every session from `vix_from` on.

    Raises
    ------
    DataError
        Where a check fails, with dataset, symbol, date, rule and what to do.
    """
    check = _Checks(dataset)
    columns = [name for name in COLUMNS if with_volume or name != "volume"]
    check.columns(bars, columns)
    bars = bars.loc[:, columns].assign(date=_days(bars["date"], dataset), symbol=bars["symbol"].astype(str))
    bars = bars[(bars["date"] >= np.datetime64(warmup_from)) & bars["symbol"].isin(symbols)]
    check.symbols(bars, symbols, warmup_from)
    check.duplicates(bars)
    wide = bars.set_index(["date", "symbol"]).unstack("symbol").sort_index()
    dates = wide.index.to_numpy().astype("datetime64[D]")
    ordered = sorted(symbols)
    arrays = {
        name: np.ascontiguousarray(wide[name].reindex(columns=ordered).to_numpy(dtype=np.float64))
        for name in columns
        if name not in ("date", "symbol")
    }
    present = bars.assign(present=True).pivot(index="date", columns="symbol", values="present")
    check.sessions(present.reindex(columns=ordered).notna().to_numpy(), dates, ordered)
    check.values(arrays, dates, ordered)
    vix_values = None
    if vix_from is not None:
        vix_values = _vix_on(vix, dates, vix_from)
        check.vix(vix_values, dates, vix_from)
    arrays.setdefault("volume", np.full((len(dates), len(ordered)), np.nan))
    return Panel(dataset=dataset, measure=measure, dates=dates, symbols=tuple(ordered), vix=vix_values, **arrays)


def _days(column: pd.Series, dataset: str) -> pd.Series:
    try:
        days = pd.to_datetime(column)
    except (ValueError, TypeError) as error:
        raise DataError(f"{dataset}: column date cannot be read as days: {error}") from error
    if days.dt.tz is not None:
        raise DataError(f"{dataset}: column date has a time zone; write sessions as plain days")
    if days.isna().any():
        raise DataError(f"{dataset}: column date is empty in row {int(days.isna().to_numpy().argmax())}; remove the row")
    return days.dt.normalize().astype("datetime64[s]")


def _vix_on(vix: pd.Series | None, dates: NDArray[np.datetime64], first: date) -> Array:
    if vix is None:
        return np.full(len(dates), np.nan)
    values = vix[~vix.index.duplicated()].reindex(pd.DatetimeIndex(dates)).to_numpy(dtype=np.float64)
    return np.where(dates >= np.datetime64(first), values, np.nan)


class _Checks:
    """The rules of the protocol, each a `DataError` that says where it is broken and what to do."""

    def __init__(self, dataset: str) -> None:
        self.dataset = dataset

    def columns(self, bars: pd.DataFrame, columns: list[str]) -> None:
        missing = [name for name in columns if name not in bars.columns]
        if missing:
            hint = "; without volume, say `volume: false` in dataset.yaml" if missing == ["volume"] else ""
            raise DataError(
                f"{self.dataset}: bars have no column {', '.join(missing)} (found {', '.join(map(str, bars.columns))})"
                f"; every bar needs {', '.join(columns)}{hint}"
            )

    def symbols(self, bars: pd.DataFrame, symbols: list[str], warmup_from: date) -> None:
        missing = sorted(set(symbols) - set(bars["symbol"]))
        if missing:
            raise DataError(
                f"{self.dataset}: no bars of {', '.join(missing)} from {warmup_from} on; "
                "bring them or take the symbol out of dataset.yaml"
            )

    def duplicates(self, bars: pd.DataFrame) -> None:
        doubled = bars[bars.duplicated(["date", "symbol"])]
        if len(doubled):
            row = doubled.iloc[0]
            raise DataError(
                f"{self.dataset}: {row['symbol']} has two bars on {row['date']:%Y-%m-%d}"
                f" ({len(doubled)} duplicates in all); keep one"
            )

    def sessions(self, present: NDArray[np.bool_], dates: NDArray[np.datetime64], symbols: list[str]) -> None:
        if present.all():
            return
        i, j = np.argwhere(~present)[0]
        count = int((~present[:, j]).sum())
        first = int(present[:, j].argmax())
        if first > 0:
            raise DataError(
                f"{self.dataset}: {symbols[j]} starts on {dates[first]}, the dataset on {dates[0]}; every symbol needs "
                f"every session: set warmup_from to {dates[first]} or later, or take {symbols[j]} out of dataset.yaml"
            )
        raise DataError(
            f"{self.dataset}: {symbols[j]} has no bar on {dates[i]}, a session of other symbols ({count} missing of "
            f"this symbol); every symbol needs every session: bring the bar or take the symbol out of dataset.yaml"
        )

    def values(self, arrays: dict[str, Array], dates: NDArray[np.datetime64], symbols: list[str]) -> None:
        for name, values in arrays.items():
            self._none(~np.isfinite(values), dates, symbols, f"{name} is NaN or infinite", "bring the bar again")
        for name in PRICES:
            self._none(arrays[name] <= 0, dates, symbols, f"{name} is not positive", "bring the bar again")
        top = np.maximum(arrays["open"], arrays["close"])
        bottom = np.minimum(arrays["open"], arrays["close"])
        hint = "adjust all four prices of a bar by the same factor (only the close adjusted looks like this)"
        above = top > arrays["high"] * (1 + RANGE_TOLERANCE)
        self._none(above, dates, symbols, "high lies below open or close", hint)
        below = bottom < arrays["low"] * (1 - RANGE_TOLERANCE)
        self._none(below, dates, symbols, "low lies above open or close", hint)
        if "volume" in arrays:
            self._none(arrays["volume"] < 0, dates, symbols, "volume is negative", "bring the bar again")

    def _none(
        self, broken: NDArray[np.bool_], dates: NDArray[np.datetime64], symbols: list[str], rule: str, hint: str
    ) -> None:
        if broken.any():
            i, j = np.argwhere(broken)[0]
            raise DataError(
                f"{self.dataset}: {symbols[j]} on {dates[i]}: {rule} ({int(broken.sum())} such bars); {hint}"
            )

    def vix(self, vix: Array, dates: NDArray[np.datetime64], first: date) -> None:
        missing = (dates >= np.datetime64(first)) & ~(np.isfinite(vix) & (vix > 0))
        if missing.any():
            i = int(missing.argmax())
            last = " (the newest session: its VIX may not be out yet)" if i == len(dates) - 1 else ""
            raise DataError(
                f"{self.dataset}: no VIX on {dates[i]}{last} ({int(missing.sum())} sessions without it); bring it, "
                "leave out the session, or say in dataset.yaml from which day there is one (vix.from)"
            )


def oddities(panel: Panel) -> dict[str, int]:
    """Counts of what is reported but not refused: zero ranges, zero volume, |log return| above 0.25."""
    return {
        "zero-range bars": int((panel.high == panel.low).sum()),
        "zero-volume bars": int((panel.volume == 0).sum()),
        f"|log return| > {LARGE_RETURN}": int((np.abs(panel.returns[1:]) > LARGE_RETURN).sum()),
    }


@dataclass(frozen=True)
class Difference:
    """The largest absolute difference of one quantity between two panels, and where it is."""

    quantity: str
    largest: float
    symbol: str
    day: str


def compare_panels(a: Panel, b: Panel) -> list[Difference]:
    """Returns how far two vintages differ in what no adjustment changes: ln(H/L), ln(C/O), close-to-close return.

    On the sessions and symbols that both have; a factor common to the prices of a bar, or of a symbol, drops out.
    """
    symbols = [s for s in a.symbols if s in b.symbols]
    dates = np.intersect1d(a.dates, b.dates)
    if not symbols or not len(dates):
        raise DataError(f"{a.dataset}: the two panels have no session and symbol in common")

    def quantities(panel: Panel) -> dict[str, Array]:
        at = np.ix_(np.searchsorted(panel.dates, dates), [panel.symbols.index(s) for s in symbols])
        return {
            "ln(H/L)": np.log(panel.high / panel.low)[at],
            "ln(C/O)": np.log(panel.close / panel.open)[at],
            "return": panel.returns[at],
        }

    mine, theirs = quantities(a), quantities(b)
    return [largest_difference(name, mine[name], theirs[name], dates, symbols) for name in mine]


def largest_difference(
    quantity: str, a: Array, b: Array, dates: NDArray[np.datetime64], symbols: list[str]
) -> Difference:
    """The largest absolute difference between two arrays `(n_sessions, n_symbols)`; NaN in either is passed over."""
    gap = np.nan_to_num(np.abs(a - b), nan=0.0)
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    return Difference(quantity, float(gap[i, j]), symbols[int(j)], str(dates[i]))

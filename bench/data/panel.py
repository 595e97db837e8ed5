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
from bench.plugin.measures import MEASURES, log_returns

Array = NDArray[np.float64]

PRICES = ("open", "high", "low", "close")
COLUMNS = ("date", "symbol", *PRICES, "volume")
RANGE_TOLERANCE = 1e-9
"""Relative: how far an open or close may lie outside high and low (rounding of adjusted prices)."""
LARGE_RETURN = 0.25
LATE_START = 10
"""Calendar days that the first session may lie after `warmup_from`: no exchange closes for longer."""


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
        return replace(
            self,
            dates=self.dates[:n],
            open=self.open[:n],
            high=self.high[:n],
            low=self.low[:n],
            close=self.close[:n],
            volume=self.volume[:n],
            vix=None if self.vix is None else self.vix[:n],
            true_var=None if self.true_var is None else self.true_var[:n],
        )

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

    A high or low that an open or close passes within the tolerance is moved to it, so that the panel's bars are
    sound exactly and no measure of variance comes out negative.

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
    days = as_days(bars["date"], f"{dataset}: bars")
    bars = bars.loc[:, columns].assign(date=days, symbol=bars["symbol"].astype(str))
    bars = bars[(bars["date"] >= np.datetime64(warmup_from)) & bars["symbol"].isin(symbols)]
    check.symbols(bars, symbols, warmup_from)
    check.duplicates(bars)
    bars = check.numbers(bars, columns)
    check.start(bars["date"].min(), warmup_from)
    ordered = sorted(symbols)
    dates, row = np.unique(bars["date"].to_numpy().astype("datetime64[D]"), return_inverse=True)
    column = pd.Index(ordered).get_indexer(pd.Index(bars["symbol"]))
    present = np.zeros((len(dates), len(ordered)), dtype=np.bool_)
    present[row, column] = True
    check.sessions(present, dates, ordered)
    arrays = {name: np.full((len(dates), len(ordered)), np.nan) for name in columns[2:]}
    for name, values in arrays.items():
        values[row, column] = bars[name].to_numpy()
    check.values(arrays, dates, ordered)
    arrays["high"] = np.maximum.reduce([arrays["high"], arrays["open"], arrays["close"]])
    arrays["low"] = np.minimum.reduce([arrays["low"], arrays["open"], arrays["close"]])
    vix_values = None
    if vix_from is not None:
        vix_values = _vix_on(vix, dates, vix_from, dataset)
        check.vix(vix_values, dates, vix_from)
    arrays.setdefault("volume", np.full((len(dates), len(ordered)), np.nan))
    return Panel(dataset=dataset, measure=measure, dates=dates, symbols=tuple(ordered), vix=vix_values, **arrays)


def as_days(column: pd.Series, where: str) -> pd.Series:
    """Returns a column of dates as days without a time zone; `where` opens the message of a `DataError`."""
    if pd.api.types.is_numeric_dtype(column):
        raise DataError(f"{where}: column date holds numbers ({column.iloc[0]}); write days as 2010-01-04")
    try:
        days = pd.to_datetime(column, format="ISO8601")  # 1/2/2020 may be January or February: refused
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0]
        raise DataError(f"{where}: column date cannot be read ({reason}); write days as 2010-01-04") from error
    if days.dt.tz is not None:
        raise DataError(f"{where}: column date has a time zone; write sessions as plain days (2010-01-04)")
    if days.isna().any():
        raise DataError(f"{where}: column date is empty in row {int(days.isna().to_numpy().argmax())}; remove the row")
    return days.dt.normalize().astype("datetime64[s]")


def _vix_on(vix: pd.Series | None, dates: NDArray[np.datetime64], first: date, dataset: str) -> Array:
    if vix is None:
        return np.full(len(dates), np.nan)
    if vix.index.has_duplicates:
        day = vix.index[vix.index.duplicated()][0]
        raise DataError(f"{dataset}: VIX has two values on {day:%Y-%m-%d}; keep one")
    values = vix.reindex(pd.DatetimeIndex(dates)).to_numpy(dtype=np.float64)
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

    def numbers(self, bars: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
        """The bars with every price and volume as float64."""
        converted = {}
        for name in columns[2:]:
            converted[name] = pd.to_numeric(bars[name], errors="coerce").astype("float64")
            broken = (converted[name].isna() & bars[name].notna()).to_numpy()
            if broken.any():
                row = bars.iloc[int(broken.argmax())]
                raise DataError(
                    f"{self.dataset}: {row['symbol']} on {row['date']:%Y-%m-%d}: {name} is no number ({row[name]!r}, "
                    f"{int(broken.sum())} such bars); write numbers as 1234.5"
                )
        return bars.assign(**converted)

    def start(self, first: pd.Timestamp, warmup_from: date) -> None:
        if (first.date() - warmup_from).days > LATE_START:
            raise DataError(
                f"{self.dataset}: bars start on {first:%Y-%m-%d}, dataset.yaml says warmup_from {warmup_from}; "
                f"bring the earlier bars or set warmup_from (and the splits) to {first:%Y-%m-%d} or later"
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
        last = len(dates) - 1 - int(present[::-1, j].argmax())
        if last == i - 1:
            raise DataError(
                f"{self.dataset}: {symbols[j]} ends on {dates[last]}, the dataset on {dates[-1]}; every symbol needs "
                f"every session: bring the later bars or take {symbols[j]} out of dataset.yaml"
            )
        raise DataError(
            f"{self.dataset}: {symbols[j]} has no bar on {dates[i]}, a session of other symbols ({count} missing of "
            f"this symbol); every symbol needs every session: bring the bar or take the symbol out of dataset.yaml"
        )

    def values(self, arrays: dict[str, Array], dates: NDArray[np.datetime64], symbols: list[str]) -> None:
        for name, values in arrays.items():
            hint = "bring the bar again" + ("" if name in PRICES else ", or say `volume: false` in dataset.yaml")
            self._none(~np.isfinite(values), dates, symbols, f"{name} is NaN or infinite", hint)
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

    And in the VIX, where both have one (in its own points, symbol "VIX"). Volume is left out: a split changes it.
    On the sessions and symbols that both have; a factor common to the prices of a bar, or of a symbol, drops out.
    """
    symbols = [s for s in a.symbols if s in b.symbols]
    dates = np.intersect1d(a.dates, b.dates)
    if not symbols or not len(dates):
        raise DataError(f"{a.dataset}: the two panels have no session and symbol in common")

    def quantities(panel: Panel) -> dict[str, Array]:
        at = np.ix_(np.searchsorted(panel.dates, dates), np.array([panel.symbols.index(s) for s in symbols]))
        return {
            "ln(H/L)": np.log(panel.high / panel.low)[at],
            "ln(C/O)": np.log(panel.close / panel.open)[at],
            "return": panel.returns[at],
        }

    mine, theirs = quantities(a), quantities(b)
    found = [largest_difference(name, mine[name], theirs[name], dates, symbols) for name in mine]
    if a.vix is not None and b.vix is not None:
        ours, other = (p.vix[np.searchsorted(p.dates, dates), None] for p in (a, b) if p.vix is not None)
        found.append(largest_difference("VIX", ours, other, dates, ["VIX"]))
    return found


def largest_difference(
    quantity: str, a: Array, b: Array, dates: NDArray[np.datetime64], symbols: list[str]
) -> Difference:
    """The largest absolute difference between two arrays `(n_sessions, n_symbols)`; NaN in either is passed over."""
    gap = np.nan_to_num(np.abs(a - b), nan=0.0)
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    return Difference(quantity, float(gap[i, j]), symbols[int(j)], str(dates[i]))

"""The rules of the protocol for bars: a checked panel, or a message that says where a rule is broken."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.panel import PRICES, Panel
from bench.errors import DataError

Array = NDArray[np.float64]

COLUMNS = ("date", "symbol", *PRICES, "volume")
RANGE_TOLERANCE = 1e-9
"""Relative: how far an open or close may lie outside high and low (rounding of adjusted prices)."""
LATE_START = 10
"""Calendar days that the first session may lie after `warmup_from`: no exchange closes for longer."""


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

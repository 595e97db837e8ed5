"""The rules of the protocol for bars: a checked panel, or a message that says where a rule is broken."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.panel import PRICES, Panel
from bench.errors import DataError
from bench.files import Days
from bench.plugin.measures import MOST_VAR
from bench.plugin.words import column_of

Array = NDArray[np.float64]

COLUMNS = ("date", "symbol", *PRICES, "volume")
IS_THERE = "is there"
"""Marks rows while they are put side by side; no measure's column may be called so."""
RANGE_TOLERANCE = 1e-9
"""Relative: how far an open or close may lie outside high and low (rounding of adjusted prices)."""
LATE_START = 10
"""Calendar days that the first session may lie after `warmup_from`: no exchange closes for longer."""
MOST_TOLD, MOST_DAYS = 20, 5
"""Gaps that a message tells, and days of each."""
DAILY = 252
"""Sessions of a year where `sessions_per_year` says nothing else."""
DAILY_GAP = 3.0
"""Calendar days: where the median session comes later than this after the one before it, bars are not daily."""


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
    sessions_per_year: int = DAILY,
) -> Panel:
    """Returns the checked panel of long-form bars from `warmup_from` on.

    A high or low that an open or close passes within the tolerance is moved to it, so that the panel's bars are
    sound exactly and no measure of variance comes out negative.

    Parameters
    ----------
    bars : DataFrame
        Columns `date, symbol, open, high, low, close, volume`, in any order, with one row per session and symbol; and
        the column that `measure` names, where it is one.
    vix : Series or None
        Close of the VIX, indexed by session; needed on every session from `vix_from` on.

    Raises
    ------
    DataError
        Where a check fails, with dataset, symbol, date, rule and what to do.
    """
    columns = [name for name in COLUMNS if with_volume or name != "volume"]
    measured = column_of(measure)
    columns += [measured] if measured else []
    missing = [name for name in columns if name not in bars.columns]
    if missing:
        hint = "; without volume, say `volume: false` in dataset.yaml" if missing == ["volume"] else ""
        raise DataError(
            f"{dataset}: bars have no column {', '.join(missing)} (found {', '.join(map(str, bars.columns))}); "
            f"every bar needs {', '.join(columns)}{hint}"
        )
    days = as_days(bars["date"], f"{dataset}: bars")
    bars = bars.loc[:, columns].assign(date=days, symbol=bars["symbol"].astype(str))
    bars = bars[(bars["date"] >= np.datetime64(warmup_from)) & bars["symbol"].isin(symbols)]
    _check_rows(dataset, bars, symbols, warmup_from)
    bars = bars.assign(**{name: _numbers(dataset, bars, name) for name in columns[2:]}, **{IS_THERE: 1.0})
    wide = bars.pivot(index="date", columns="symbol")
    dates, ordered = wide.index.to_numpy().astype("datetime64[D]"), sorted(symbols)
    arrays = {name: np.ascontiguousarray(wide[name].to_numpy()) for name in (*columns[2:], IS_THERE)}
    _check_sessions(dataset, arrays.pop(IS_THERE) == 1, dates, ordered)
    _check_gaps(dataset, dates, sessions_per_year)
    for broken, rule, hint in _rules(arrays, measured):
        if broken.any():
            i, j = np.argwhere(broken)[0]
            raise DataError(f"{dataset}: {ordered[j]} on {dates[i]}: {rule} ({int(broken.sum())} such bars); {hint}")
    arrays["high"] = np.maximum.reduce([arrays["high"], arrays["open"], arrays["close"]])
    arrays["low"] = np.minimum.reduce([arrays["low"], arrays["open"], arrays["close"]])
    arrays.setdefault("volume", np.full(arrays["close"].shape, np.nan))
    vix_values = None if vix_from is None else _vix_on(vix, dates, vix_from, dataset)
    column_var = arrays.pop(measured) if measured else None
    return Panel(
        dataset=dataset, measure=measure, dates=dates, symbols=tuple(ordered), vix=vix_values, column_var=column_var,
        **arrays,
    )  # fmt: skip


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


def _check_rows(dataset: str, bars: pd.DataFrame, symbols: list[str], warmup_from: date) -> None:
    missing = sorted(set(symbols) - set(bars["symbol"]))
    if missing:
        raise DataError(
            f"{dataset}: no bars of {', '.join(missing)} from {warmup_from} on; "
            "bring them or take the symbol out of dataset.yaml"
        )
    doubled = bars[bars.duplicated(["date", "symbol"])]
    if len(doubled):
        row = doubled.iloc[0]
        raise DataError(
            f"{dataset}: {row['symbol']} has two bars on {row['date']:%Y-%m-%d} ({len(doubled)} duplicates in all); "
            "keep one"
        )
    first = bars["date"].min()
    if (first.date() - warmup_from).days > LATE_START:
        raise DataError(
            f"{dataset}: bars start on {first:%Y-%m-%d}, dataset.yaml says warmup_from {warmup_from}; "
            f"bring the earlier bars or set warmup_from (and the splits) to {first:%Y-%m-%d} or later"
        )


def _numbers(dataset: str, bars: pd.DataFrame, name: str) -> pd.Series:
    """A column of prices or volumes as float64."""
    numbers = pd.to_numeric(bars[name], errors="coerce").astype("float64")
    broken = bars[numbers.isna() & bars[name].notna()]
    if len(broken):
        row = broken.iloc[0]
        raise DataError(
            f"{dataset}: {row['symbol']} on {row['date']:%Y-%m-%d}: {name} is no number ({row[name]!r}, "
            f"{len(broken)} such bars); write numbers as 1234.5"
        )
    return numbers


def _check_sessions(dataset: str, present: NDArray[np.bool_], dates: Days, symbols: list[str]) -> None:
    """Every symbol has every session: `present (n_sessions, n_symbols)`; all that lack are told at once."""
    lacking = [gap for symbol, own in zip(symbols, present.T, strict=True) for gap in _gaps(symbol, own, dates)]
    if len(lacking) == 1:
        what, mend = lacking[0]
        raise DataError(f"{dataset}: {what}; every symbol needs every session: {mend}")
    if lacking:
        told = [f"  {what}: {mend}" for what, mend in lacking[:MOST_TOLD]]
        more = [f"  and {len(lacking) - MOST_TOLD} more"] if len(lacking) > MOST_TOLD else []
        raise DataError("\n".join([f"{dataset}: every symbol needs every session:", *told, *more]))


def _gaps(symbol: str, own: NDArray[np.bool_], dates: Days) -> Iterator[tuple[str, str]]:
    """What a symbol lacks, `own (n_sessions,)`, and what to do: a late start, an early end, sessions in between."""
    there, out = np.flatnonzero(own), f"take {symbol} out of dataset.yaml"
    first, last = there[0], there[-1]
    if first > 0:
        mend = f"set warmup_from to {dates[first]} or later, or {out}"
        yield f"{symbol} starts on {dates[first]}, the dataset on {dates[0]}", mend
    if last < len(dates) - 1:
        yield f"{symbol} ends on {dates[last]}, the dataset on {dates[-1]}", f"bring the later bars or {out}"
    holes = dates[first : last + 1][~own[first : last + 1]]
    if len(holes):
        days = ", ".join(map(str, holes[:MOST_DAYS])) + (" ..." if len(holes) > MOST_DAYS else "")
        what = f"{symbol} has no bar on {days}, sessions of other symbols ({len(holes)} missing of this symbol)"
        yield what, f"bring the bar or {out}"


def _check_gaps(dataset: str, dates: Days, sessions_per_year: int) -> None:
    """Sessions lie as far apart as `sessions_per_year` says, to a factor of two; weekly bars are to be declared."""
    if len(dates) < 2:
        return
    gap, said = float(np.median(np.diff(dates).astype(float))), 365.25 / sessions_per_year
    if said / 2 <= gap <= max(2 * said, DAILY_GAP):
        return
    mend = f"say `sessions_per_year: {max(1, round(365.25 / gap))}`" if gap > DAILY_GAP else (
        f"take sessions_per_year out ({DAILY}) or set it to the sessions of a year"
    )  # fmt: skip
    raise DataError(
        f"{dataset}: the median session comes {gap:g} calendar days after the one before it, with {sessions_per_year} "
        f"sessions in a year it would be {said:.1f}; bring other bars, or in dataset.yaml {mend}"
    )


def _rules(bars: dict[str, Array], measured: str | None) -> Iterator[tuple[NDArray[np.bool_], str, str]]:
    """What no bar may be: where one is `(n_sessions, n_symbols)`, the rule that it breaks, and what to do."""
    again = "bring the bar again"
    for name, values in bars.items():
        hint = {
            "volume": f"{again}, or say `volume: false` in dataset.yaml",
            measured: "bring the value, or leave the session out for every symbol",
        }.get(name, again)
        yield ~np.isfinite(values), f"{name} is NaN or infinite", hint
    for name in PRICES:
        yield bars[name] <= 0, f"{name} is not positive", again
    top, bottom = np.maximum(bars["open"], bars["close"]), np.minimum(bars["open"], bars["close"])
    same = "adjust all four prices of a bar by the same factor (only the close adjusted looks like this)"
    yield top > bars["high"] * (1 + RANGE_TOLERANCE), "high lies below open or close", same
    yield bottom < bars["low"] * (1 - RANGE_TOLERANCE), "low lies above open or close", same
    if "volume" in bars:
        yield bars["volume"] < 0, "volume is negative", again
    if measured:
        unit = "it is the daily variance, decimal (0.0001: a volatility of 1 % a day)"
        yield bars[measured] < 0, f"{measured} is negative", unit
        yield bars[measured] > MOST_VAR, f"{measured} is above {MOST_VAR:g}", unit


def _vix_on(vix: pd.Series | None, dates: Days, first: date, dataset: str) -> Array:
    """The closes of the VIX by session, NaN before `first`; there must be one from then on."""
    values = np.full(len(dates), np.nan)
    if vix is not None:
        if vix.index.has_duplicates:
            day = vix.index[vix.index.duplicated()][0]
            raise DataError(f"{dataset}: VIX has two values on {day:%Y-%m-%d}; keep one")
        values = vix.reindex(pd.DatetimeIndex(dates)).to_numpy(dtype=np.float64)
    is_needed = dates >= np.datetime64(first)
    missing = is_needed & ~(np.isfinite(values) & (values > 0))
    if missing.any():
        i = int(missing.argmax())
        last = " (the newest session: its VIX may not be out yet)" if i == len(dates) - 1 else ""
        raise DataError(
            f"{dataset}: no VIX on {dates[i]}{last} ({int(missing.sum())} sessions without it); bring it, "
            "leave out the session, or say in dataset.yaml from which day there is one (vix.from)"
        )
    return np.where(is_needed, values, np.nan)

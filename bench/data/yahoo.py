"""Bars and VIX from Yahoo Finance through yfinance, for datasets of kind `snapshot`.

What yfinance does, and what follows from it here:

- `auto_adjust=True` multiplies open, high and low by adjusted close over close and hands the adjusted close out as
  close: the one factor for all four prices that the protocol asks for. It is said explicitly, since the default
  has changed between versions.
- A download of several tickers has columns (Price, Ticker). A ticker that failed (unknown name, no network, rate
  limit) does not raise: its columns are NaN or missing and the reason goes to the logger `yfinance`. So the log is
  read while the download runs, and reasons stand in the error.
- `end` is exclusive, and the bar of a session in progress is handed out like a finished one. Only sessions that
  are over are asked for: today counts from 20:00 New York on. (The VIX closes at 16:15 and volumes settle
  later; by 20:00 the UTC day of currencies and coins is over too, in summer and winter.)
"""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from bench.data.panel import PRICES, Panel
from bench.data.snapshot import check, refuse_csv, write_snapshot
from bench.errors import DataError
from bench.registry.config import Dataset, SnapshotSource

NEW_YORK = ZoneInfo("America/New_York")
SETTLED = time(20, 0)
"""New York time from which today's session counts as over."""


@dataclass(frozen=True)
class Fetched:
    """A snapshot just written: its folder, its checked panel, and remarks for the person who asked for it."""

    folder: Path
    panel: Panel
    notes: tuple[str, ...]


def fetch(dataset: Dataset, folder: Path, now: datetime | None = None) -> Fetched:
    """Returns the snapshot brought from Yahoo into `folder`: all sessions from `warmup_from` that are over.

    Downloaded at once, checked as a panel, and only then put in place of an older snapshot. The newest session is
    left out, with a note, while its VIX is not there.

    Parameters
    ----------
    now : datetime or None
        With a time zone; decides which session is the last one that is over. None: the clock.

    Raises
    ------
    DataError
        yfinance is not installed, the network or Yahoo refuses, a ticker has no bars, or the bars are unsound:
        nothing has been written, an older snapshot is as it was.
    """
    if not isinstance(dataset.source, SnapshotSource):
        raise DataError(f"{dataset.id}: bars of kind {dataset.source.kind} need no fetching")
    if dataset.measure_column:
        raise DataError(
            f"{dataset.id}: its measure is {dataset.measure}, which Yahoo does not have: bring bars with that column"
        )
    refuse_csv(folder)
    tickers = {s: dataset.source.tickers.get(s, s).upper() for s in dataset.symbols}
    vix_ticker = dataset.source.vix_ticker.upper() if dataset.vix else None
    last = last_session_over(now or datetime.now(NEW_YORK))
    asked = sorted({*tickers.values(), *([vix_ticker] if vix_ticker else [])})
    data, reasons = _download(dataset, asked, last)
    _refuse_missing(dataset, data, asked, reasons)
    bars = to_long(data, tickers, last, with_volume=dataset.volume)
    vix = vix_closes(data, vix_ticker, last) if vix_ticker else None
    if bars.empty:
        raise DataError(
            f"{dataset.id}: Yahoo has no finished session from {dataset.warmup_from} to {last}; nothing was written"
        )
    bars, notes = _without_unfinished(bars, vix)
    panel = check(dataset, bars, vix)
    write_snapshot(folder, bars, vix)
    return Fetched(folder, panel, notes)


def last_session_over(now: datetime) -> date:
    """Returns the last day whose session is over: today from 20:00 New York on, else yesterday.

    >>> last_session_over(datetime(2025, 1, 4, 0, 59, tzinfo=ZoneInfo("UTC")))
    datetime.date(2025, 1, 2)
    >>> last_session_over(datetime(2025, 1, 4, 1, 0, tzinfo=ZoneInfo("UTC")))
    datetime.date(2025, 1, 3)
    """
    there = now.astimezone(NEW_YORK)
    return there.date() if there.time() >= SETTLED else there.date() - timedelta(days=1)


def to_long(data: pd.DataFrame, tickers: dict[str, str], last: date, *, with_volume: bool = True) -> pd.DataFrame:
    """Returns long-form bars, sorted by symbol and date, of a download with columns (Price, Ticker).

    Days on which a ticker has no price at all (holidays of its own exchange, rows of other tickers) are no bars.
    """
    columns = [*PRICES, *(["volume"] if with_volume else [])]
    frames = []
    for symbol, ticker in sorted(tickers.items()):
        found = [name for name in columns if (name.capitalize(), ticker) in data.columns]
        values = {name: data[name.capitalize(), ticker].to_numpy(dtype="float64") for name in found}
        frame = pd.DataFrame({"date": _plain_days(data), "symbol": symbol, **values})
        frames.append(frame.dropna(subset=list(PRICES), how="all"))
    bars = pd.concat(frames, ignore_index=True)
    return bars[bars["date"] <= pd.Timestamp(last)].reset_index(drop=True)


def vix_closes(data: pd.DataFrame, ticker: str, last: date) -> pd.Series:
    """Returns the closes of the VIX by day, of a download with columns (Price, Ticker)."""
    closes = pd.Series(data["Close", ticker].to_numpy(dtype="float64"), index=_plain_days(data), name="vix").dropna()
    return closes[closes.index <= pd.Timestamp(last)]


def _plain_days(data: pd.DataFrame) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(data.index)
    return (index if index.tz is None else index.tz_localize(None)).normalize()


def _without_unfinished(bars: pd.DataFrame, vix: pd.Series | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The bars without the newest session where that has no VIX yet, and the note that says so.

    One session only: a VIX that ends earlier is a fault of the data, and the check names it.
    """
    newest = bars["date"].max()
    if vix is None or newest in vix.index:
        return bars, ()
    note = f"{newest:%Y-%m-%d} is left out: its VIX is not out yet; fetch again later to get this session"
    return bars[bars["date"] < newest].reset_index(drop=True), (note,)


def _download(dataset: Dataset, tickers: list[str], last: date) -> tuple[pd.DataFrame, list[str]]:
    """What yfinance brings for all tickers in one call, and the lines it logged meanwhile."""
    try:
        yfinance = importlib.import_module("yfinance")
    except ModuleNotFoundError as error:
        raise DataError(
            f"{dataset.id}: fetching bars needs {error.name}, which is not installed: "
            'run `pip install -e ".[fetch]"`, or bring the snapshot as files'
        ) from error
    data: Any = None
    failure: Exception | None = None
    with _logged("yfinance") as records, warnings.catch_warnings():
        # yfinance calls pandas in ways that pandas announces to end; nothing a user of ours can mend
        warnings.filterwarnings("ignore", module="yfinance")
        try:
            data = yfinance.download(
                tickers, start=dataset.warmup_from.isoformat(), end=(last + timedelta(days=1)).isoformat(),
                interval="1d", auto_adjust=True, actions=False, group_by="column", multi_level_index=True,
                progress=False,
            )  # fmt: skip
        except (yfinance.exceptions.YFException, OSError) as error:
            failure = error
    lines = [_one_line(record.getMessage()) for record in records]
    if any("RateLimit" in line or "Too Many Requests" in line for line in [*lines, repr(failure)]):
        raise DataError(
            f"{dataset.id}: Yahoo limits the rate of requests; nothing was written: wait some minutes, "
            f"then run `bench data fetch {dataset.id}` again"
        ) from failure
    if failure is not None:
        raise DataError(
            f"{dataset.id}: yfinance failed: {_one_line(failure)}; nothing was written, run the command again later"
        ) from failure
    if not isinstance(data, pd.DataFrame) or not isinstance(data.columns, pd.MultiIndex):
        raise DataError(
            f"{dataset.id}: yfinance {yfinance.__version__} answered in a form that is not known here; "
            "nothing was written; try another version of yfinance, or bring the snapshot as files"
        )
    return data, lines


@contextmanager
def _logged(name: str) -> Iterator[list[logging.LogRecord]]:
    """The warnings and errors that a logger gets meanwhile, kept from the terminal: the caller reports them."""
    logger, handler = logging.getLogger(name), BufferingHandler(sys.maxsize)
    handler.setLevel(logging.WARNING)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


def _refuse_missing(dataset: Dataset, data: pd.DataFrame, tickers: list[str], reasons: list[str]) -> None:
    """A `DataError` where a ticker has no close at all or lacks a column, with what yfinance logged about it."""
    needed = [name.capitalize() for name in PRICES]  # volume is the panel's affair: an index may have none
    absent = [t for t in tickers if any((n, t) not in data.columns or data[n, t].isna().all() for n in needed)]
    if not absent:
        return
    about = [line for line in reasons if any(ticker in line for ticker in absent)] or reasons
    hint = f" ({'; '.join(about)[:300]})" if about else ""
    raise DataError(
        f"{dataset.id}: Yahoo has no bars of {', '.join(absent)}{hint}; nothing was written: check the network, "
        "the names (source.tickers and source.vix_ticker in dataset.yaml), and run the command again"
    )


def _one_line(message: object) -> str:
    return " ".join(str(message).split())

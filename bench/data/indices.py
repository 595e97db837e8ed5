"""Index bars inside the `arch` package: S&P 500 and NASDAQ Composite, 1999-2018, and the VIX from 2014."""

from __future__ import annotations

import pandas as pd

from bench.data.panel import Panel
from bench.data.snapshot import check
from bench.errors import DataError, did_you_mean
from bench.registry.config import Dataset

SYMBOLS = ("NASDAQ", "SP500")


def load(dataset: Dataset) -> Panel:
    """Returns the checked panel of a dataset of kind `arch`; its symbols are SP500, NASDAQ or both."""
    unknown = [symbol for symbol in dataset.symbols if symbol not in SYMBOLS]
    if unknown:
        hint = did_you_mean(unknown[0], SYMBOLS)
        raise DataError(f"{dataset.id}: arch has no bars of {unknown[0]}{hint}; change symbols in dataset.yaml")
    bars = pd.concat([index_bars(symbol) for symbol in dataset.symbols], ignore_index=True)
    return check(dataset, bars, vix_closes() if dataset.vix else None)


def index_bars(symbol: str) -> pd.DataFrame:
    """Returns long-form bars of one index, all four prices times adjusted close over close.

    (For these two the factor is 1 on every session; it stands here because the rule is the protocol's.)
    """
    from arch.data import nasdaq, sp500  # here: arch takes a second to import

    source = {"NASDAQ": nasdaq, "SP500": sp500}[symbol].load()
    factor = source["Adj Close"] / source["Close"]
    prices = {name.lower(): source[name] * factor for name in ("Open", "High", "Low", "Close")}
    volume = source["Volume"].astype("float64")
    bars = pd.DataFrame({"date": source.index, "symbol": symbol, **prices, "volume": volume})
    return bars.reset_index(drop=True)


def vix_closes() -> pd.Series:
    """Returns the closes of the VIX by session; the source's empty rows (holidays) are dropped."""
    from arch.data import vix  # here: arch takes a second to import

    closes = vix.load()["vix"].dropna()
    return pd.Series(closes.to_numpy(dtype="float64"), index=pd.DatetimeIndex(closes.index), name="vix")

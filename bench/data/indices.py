"""Index bars inside the `arch` package: S&P 500 and NASDAQ Composite, 1999-2018, and the VIX from 2014."""

from __future__ import annotations

import pandas as pd

from bench.data.panel import PRICES, Panel
from bench.data.snapshot import check
from bench.errors import DataError, did_you_mean
from bench.registry.config import Dataset


def load(dataset: Dataset) -> Panel:
    """Returns the checked panel of a dataset of kind `arch`; its symbols are SP500, NASDAQ or both."""
    from arch.data import nasdaq, sp500, vix  # here: arch takes a second to import

    sources = {"NASDAQ": nasdaq, "SP500": sp500}
    frames = []
    for symbol in dataset.symbols:
        if symbol not in sources:
            hint = did_you_mean(symbol, sources)
            raise DataError(f"{dataset.id}: arch has no bars of {symbol}{hint}; change symbols in dataset.yaml")
        source = sources[symbol].load()
        factor = source["Adj Close"] / source["Close"]  # 1 on every session of these two; the rule is the protocol's
        prices = {name: source[name.capitalize()] * factor for name in PRICES}
        volume = source["Volume"].astype("float64")
        frames.append(pd.DataFrame({"date": source.index, "symbol": symbol, **prices, "volume": volume}))
    closes = vix.load()["vix"].astype("float64").dropna() if dataset.vix else None  # its holidays are empty rows
    return check(dataset, pd.concat(frames, ignore_index=True), closes)

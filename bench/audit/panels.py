"""What a check walks on: the last sessions of a panel, the same with other bars in a stretch of them, and a bait."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.load import load_panel
from bench.data.panel import PRICES, Panel
from bench.data.snapshot import write_snapshot
from bench.errors import DataError
from bench.plugin.words import column_of
from bench.registry.config import Dataset, Settings, Split
from bench.run.jobs import PanelReference

Array = NDArray[np.float64]

SHARES = (80, 500, 120, 60)
"""Sessions of warm-up, fit, select and score window; in these proportions where a dataset has fewer."""
LEAST_SESSIONS = 150
MOST_SYMBOLS = 6
SPLIT = "development"
"""The split whose last sessions are taken, where a dataset has it: a check is no look at the official window."""
SPREAD = 0.5
"""Standard deviation of the log factor between a replaced session's moves and those of the session it is drawn from."""


@dataclass(frozen=True)
class Ground:
    """A dataset as a check uses it: few sessions and symbols, and windows laid into them."""

    dataset: Dataset
    panel: Panel
    split: Split

    @property
    def reference(self) -> PanelReference:
        """What its jobs say that they walk; nothing is stored of them."""
        return PanelReference(self.dataset.id, "check")

    def __str__(self) -> str:
        dates = self.panel.dates
        return f"{self.dataset.id}: {len(self.panel.symbols)} symbols, {len(dates)} sessions to {dates[-1]}"


def ground_of(dataset: Dataset, settings: Settings) -> Ground:
    """Returns the last sessions of the development split, of the market and the first other symbols.

    Raises `DataError` where bars are missing or too few.
    """
    split = dataset.split(SPLIT if SPLIT in dataset.splits else settings.split)
    whole = load_panel(dataset).until(split.score.last)
    sizes = np.array(SHARES)
    if len(whole.dates) < sizes.sum():
        sizes = sizes * len(whole.dates) // sizes.sum()
    if sizes.sum() < LEAST_SESSIONS:
        raise DataError(f"{dataset.id}: {len(whole.dates)} sessions are too few to check an entry on")
    others = [symbol for symbol in whole.symbols if symbol != dataset.market]
    kept = sorted([*([dataset.market] if dataset.market else []), *others][:MOST_SYMBOLS])
    panel = whole.part(kept, -int(sizes.sum()))
    ends = np.cumsum(sizes)
    windows = zip(("fit", "select", "score"), ends, ends[1:], strict=False)
    days = {name: [str(panel.dates[first]), str(panel.dates[last - 1])] for name, first, last in windows}
    return Ground(dataset, panel, Split.model_validate(days))


def replaced(panel: Panel, first: int, last: int, rng: np.random.Generator) -> Panel:
    """The panel with other plausible bars in sessions `first` to `last`; all others keep their shape and moves.

    A replaced session takes the moves (overnight, to the high, low and close), volume, VIX and a measure that is a
    column from a session drawn from the whole panel, all symbols from the same one, with the moves scaled by
    `exp(SPREAD z)` and the measure by its square. Prices follow on
    from the close before; the prices after the stretch are multiplied so that they follow on too.
    """
    n = last + 1 - first
    drawn = rng.integers(1, len(panel.dates), n)
    scale = np.exp(SPREAD * rng.standard_normal(n))
    before = np.log(np.vstack([panel.open[:1], panel.close[:-1]]))
    begin = np.log(panel.open)
    moves = {"gap": begin - before, **{name: np.log(getattr(panel, name)) - begin for name in PRICES[1:]}}
    other = {name: values[drawn] * scale[:, None] for name, values in moves.items()}
    start = before[first] + np.cumsum(other["gap"] + other["close"], axis=0) - other["close"]  # the logs of the opens
    shift = start[-1] + other["close"][-1] - np.log(panel.close[last])
    prices = {}
    for name in PRICES:
        values = getattr(panel, name).copy()
        values[first : last + 1] = np.exp(start + (0.0 if name == "open" else other[name]))
        values[last + 1 :] *= np.exp(shift)
        prices[name] = values
    prices["high"] = np.maximum.reduce([prices["high"], prices["open"], prices["close"]])  # against the last bit
    prices["low"] = np.minimum.reduce([prices["low"], prices["open"], prices["close"]])
    volume = panel.volume.copy()
    volume[first : last + 1] = np.rint(volume[drawn] * scale[:, None])
    vix = None if panel.vix is None else panel.vix.copy()
    if vix is not None:
        vix[first : last + 1] = np.round(vix[drawn] * scale, 2)
    column_var = None if panel.column_var is None else panel.column_var.copy()
    if column_var is not None:
        column_var[first : last + 1] = column_var[drawn] * scale[:, None] ** 2
    return replace(panel, volume=volume, vix=vix, true_var=None, column_var=column_var, **prices)


def plant(panel: Panel, folder: Path) -> None:
    """Write the panel, future and all, as an entry that looks for data would find it: `<folder>/<dataset>/`.

    The files of a snapshot, the bars as CSV too, and the daily measure as `variance.npy` `(n_sessions, n_symbols)`.
    """
    n, m = panel.close.shape
    days = pd.DatetimeIndex(panel.dates)
    columns = {name: getattr(panel, name).ravel() for name in (*PRICES, "volume")}
    if panel.column_var is not None:
        columns[column_of(panel.measure) or ""] = panel.column_var.ravel()
    bars = pd.DataFrame({"date": days.repeat(m), "symbol": np.tile(panel.symbols, n), **columns})
    place = folder / panel.dataset
    write_snapshot(place, bars, None if panel.vix is None else pd.Series(panel.vix, index=days).dropna())
    bars.to_csv(place / "bars.csv", index=False)
    np.save(place / "variance.npy", panel.variance)

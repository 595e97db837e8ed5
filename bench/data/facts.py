"""What checked bars are: how many, how odd, which ones, and how they differ from another snapshot's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.data.load import BARS_FILES, load_panel, snapshot_folders
from bench.data.panel import Panel, oddities
from bench.data.vintages import compare_panels
from bench.errors import BenchError
from bench.plugin.measures import MEASURES
from bench.plugin.tasks import ONE_STEP
from bench.plugin.words import column_of
from bench.registry.config import Dataset
from bench.registry.windows import origins_of

if TYPE_CHECKING:
    from bench.data.yahoo import Fetched


def facts_of(dataset: Dataset, panel: Panel, against: Path | None = None) -> dict[str, Any]:
    """Returns what a checked panel holds, how odd it is, and its identity by split; `against`: another snapshot."""
    gaps = compare_panels(panel, load_panel(dataset, against)) if against else []
    return {
        "dataset": dataset.id,
        "sessions": len(panel.dates),
        "first": str(panel.dates[0]),
        "last": str(panel.dates[-1]),
        "symbols": len(panel.symbols),
        **oddities(panel),
        **_size_of_column(panel),
        **{f"largest difference of {gap.quantity}": f"{gap.largest:.3g}, {gap.symbol} on {gap.day}" for gap in gaps},
        "identity": identities(dataset, panel),
    }


def _size_of_column(panel: Panel) -> dict[str, str]:
    """The mean of a measure that is a column over that of the ranges: a wrong unit is seen by it."""
    ranges = float(np.mean(MEASURES["parkinson"](panel.open, panel.high, panel.low, panel.close)))
    if panel.column_var is None or not ranges:
        return {}
    return {f"{column_of(panel.measure)} / Parkinson": f"{float(np.mean(panel.column_var)) / ranges:.2g}"}


def identities(dataset: Dataset, whole: Panel) -> dict[str, dict[str, str]]:
    """Identity by split that the bars cover, and whether it is the pinned one."""
    found = {}
    for split_name, split in dataset.splits.items():
        panel = whole.until(split.score.last)
        if not len(origins_of(panel.dates, split, ONE_STEP)):
            continue
        value, pinned = panel.identity(), dataset.identity.get(split_name)
        is_ = "not pinned" if pinned is None else "as pinned" if value == pinned else f"NOT the pinned {pinned[:12]}"
        found[split_name] = {"identity": value, "is": is_}
    return found


def fetched(dataset: Dataset, folder: Path | None, replace: bool) -> Fetched:
    """Bring a snapshot by yfinance, check and store it; a `BenchError` where one is there that is to stay."""
    from bench.data.yahoo import fetch

    target = folder or snapshot_folders(dataset)[0]
    if not replace and any((target / name).exists() for name in BARS_FILES):
        raise BenchError(f"{target} holds a snapshot: name another folder (--folder DIR) or say --replace")
    return fetch(dataset, target)

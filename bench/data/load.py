"""Where bars come from: one module per `source.kind` of a `dataset.yaml`, each returning a checked panel.

A snapshot is a folder with `bars.parquet` (or `bars.csv`) and, where the dataset has a VIX, `vix.parquet` (or
`vix.csv`). Nothing heavy is imported here: the modules are, when a panel is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import DataError
from bench.registry.config import Dataset

if TYPE_CHECKING:
    from bench.data.panel import Panel

BENCH_DATA = "BENCH_DATA"
"""Environment variable: a folder that holds one snapshot folder per dataset id."""
BARS_FILES = ("bars.parquet", "bars.csv")
VIX_FILES = ("vix.parquet", "vix.csv")


def load_panel(dataset: Dataset, folder: Path | None = None) -> Panel:
    """Returns the checked panel of a dataset, from its `warmup_from` to the last session there is.

    Parameters
    ----------
    folder : Path or None
        Where the snapshot lies; None: `find_snapshot`. Embedded and simulated datasets need none and ignore it.

    Raises
    ------
    DataError
        Where bars are missing, unreadable or unsound: names dataset or file, symbol, date, rule and what to do.
    """
    if dataset.source.kind == "snapshot":
        from bench.data.snapshot import load as load_snapshot

        return load_snapshot(dataset, folder or find_snapshot(dataset))
    if dataset.source.kind == "arch":
        from bench.data.indices import load as load_embedded

        return load_embedded(dataset)
    from bench.data.simulated import load as load_simulated

    return load_simulated(dataset)


def snapshot_folders(dataset: Dataset) -> list[Path]:
    """The folders in which a snapshot is looked for, in order: `$BENCH_DATA/<id>` if set, then the dataset's own.

    The first one is where `bench data fetch` writes.
    """
    given = os.environ.get(BENCH_DATA)
    return [*([Path(given).expanduser() / dataset.id] if given else []), dataset.folder]


def find_snapshot(dataset: Dataset) -> Path:
    """Returns the first folder of `snapshot_folders` that holds bars; a `DataError` says how to get a snapshot."""
    folders = snapshot_folders(dataset)
    for folder in folders:
        if any((folder / name).is_file() for name in BARS_FILES):
            return folder
    files = "bars.parquet" if dataset.vix is None else "bars.parquet and vix.parquet"
    files += " (or .csv)"
    raise DataError(
        f"{dataset.id}: no bars (looked in {', '.join(map(str, folders))}). Bars are not part of volmark: "
        f"set {BENCH_DATA} to a folder that holds {dataset.id}/ with {files}, "
        f"or put {files} into {dataset.folder}, or run `bench data fetch {dataset.id}`"
    )

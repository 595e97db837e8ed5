"""Snapshots: bars and VIX in a local folder, read with one clear error per fault, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from pyarrow.lib import ArrowException

from bench.data.checks import as_days, panel_from_frames
from bench.data.load import BARS_FILES, VIX_FILES
from bench.data.panel import Panel
from bench.errors import DataError
from bench.registry.config import Dataset

EMPTY_CELLS = ("", "NA", "NaN", "nan", "null", "None")


def load(dataset: Dataset, folder: Path) -> Panel:
    """Returns the checked panel of the snapshot in `folder`; a `DataError` names file or bar and what to do."""
    return check(dataset, read_bars(dataset, folder), read_vix(dataset, folder) if dataset.vix else None)


def check(dataset: Dataset, bars: pd.DataFrame, vix: pd.Series | None) -> Panel:
    """Returns the panel of long-form bars and VIX closes by session, checked by the rules of the protocol."""
    return panel_from_frames(
        bars, vix, dataset=dataset.id, symbols=dataset.symbols, measure=dataset.measure,
        warmup_from=dataset.warmup_from, vix_from=dataset.vix.first if dataset.vix else None,
        with_volume=dataset.volume, sessions_per_year=dataset.sessions_per_year,
    )  # fmt: skip


def read_bars(dataset: Dataset, folder: Path) -> pd.DataFrame:
    """Returns the long-form bars of a snapshot as they are in the file, not yet checked."""
    further = ("volume" if dataset.volume else None, dataset.measure_column)
    columns = ", ".join(["date, symbol, open, high, low, close", *filter(None, further)])
    return _read_table(dataset, _only_file(dataset, folder, "bars", BARS_FILES, columns))


def read_vix(dataset: Dataset, folder: Path) -> pd.Series:
    """Returns the VIX closes of a snapshot, indexed by session; empty cells are left out."""
    without = "; if the dataset has no VIX, remove `vix` from dataset.yaml"
    path = _only_file(dataset, folder, "VIX", VIX_FILES, "date, close", without)
    frame = _read_table(dataset, path)
    missing = [name for name in ("date", "close") if name not in frame.columns]
    if missing:
        raise DataError(
            f"{dataset.id}: {path} has no column {', '.join(missing)} (found {', '.join(map(str, frame.columns))}); "
            "the VIX needs date, close"
        )
    try:
        closes = frame["close"].astype("float64").to_numpy()
    except (ValueError, TypeError) as error:
        raise DataError(f"{dataset.id}: {path}: column close holds no numbers ({error}); write 17.35") from error
    days = as_days(frame["date"], f"{dataset.id}: {path}")
    return pd.Series(closes, index=pd.DatetimeIndex(days), name="vix").dropna()


def write_snapshot(folder: Path, bars: pd.DataFrame, vix: pd.Series | None) -> None:
    """Replace the snapshot in `folder`: both files are on the disk whole before either takes the old one's place.

    The VIX goes first: should the machine stop between the two, old bars with a longer VIX are a sound snapshot,
    new bars with an older VIX are not. `bars` and `vix` must have passed `check`.

    Raises
    ------
    DataError
        Where the folder cannot be written or holds a snapshot as CSV; the old snapshot is as it was.
    """
    refuse_csv(folder)
    frames = {"bars.parquet": bars}
    if vix is not None:
        frames = {"vix.parquet": pd.DataFrame({"date": vix.index, "close": vix.to_numpy()}), **frames}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=folder) as aside:
            for name, frame in frames.items():
                with (Path(aside) / name).open("wb") as file:
                    frame.to_parquet(file, index=False)
                    file.flush()
                    os.fsync(file.fileno())
            for name in frames:
                (Path(aside) / name).replace(folder / name)
    except OSError as error:
        raise DataError(f"{folder}: the snapshot cannot be written ({error}); the old one is as it was") from error


def refuse_csv(folder: Path) -> None:
    """A `DataError` where a folder holds bars or VIX as CSV: a parquet file beside it would make two snapshots."""
    found = [name for name in ("bars.csv", "vix.csv") if (folder / name).is_file()]
    if found:
        raise DataError(
            f"{folder} holds {', '.join(found)}: a fetched snapshot would stand beside it; move it away first"
        )


def _only_file(
    dataset: Dataset, folder: Path, what: str, names: tuple[str, ...], columns: str, otherwise: str = ""
) -> Path:
    """The one file of these names; two of them may disagree, so that is an error."""
    found = [folder / name for name in names if (folder / name).is_file()]
    if not found:
        raise DataError(
            f"{dataset.id}: no {what} in {folder}: put {' or '.join(names)} there, with the columns {columns}, "
            f"or run `bench data fetch {dataset.id}`{otherwise}"
        )
    if len(found) > 1:
        raise DataError(f"{dataset.id}: {folder} has {' and '.join(p.name for p in found)}: remove one of them")
    return found[0]


def _read_table(dataset: Dataset, path: Path) -> pd.DataFrame:
    """A parquet or CSV file as a frame; whatever is wrong with the file is one `DataError`."""
    try:
        frame = _read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (OSError, ValueError, ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{dataset.id}: {path} cannot be read: it is truncated or no {path.suffix[1:]} file ({reason}); "
            f"bring it again or run `bench data fetch {dataset.id}`"
        ) from error
    if frame.empty:
        raise DataError(f"{dataset.id}: {path} holds no rows; bring it again or run `bench data fetch {dataset.id}`")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    # All as text first. A symbol is text whatever it looks like (NA, TRUE and 005930 are tickers), and the parser's
    # own floats are off by a last bit in some versions of pandas: the same file must have the same identity.
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    columns = {name: text[name] if name in ("date", "symbol") else _numbers(text[name]) for name in text.columns}
    return pd.DataFrame(columns)


def _numbers(column: pd.Series) -> pd.Series:
    """The column as float64, empty cells as NaN; as it is where a cell is no number: the check names the row."""
    filled = column.where(~column.isin(EMPTY_CELLS))
    try:
        return filled.astype("float64")
    except ValueError:
        return filled

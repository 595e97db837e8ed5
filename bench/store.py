"""Results on disk: forecasts and run records, written atomically, checked by digest when read.

`results/<dataset>/<split>/<task>/<entry>/` holds `run.json` (state, identity, digests, what was measured),
`forecasts.parquet` (`origin, date, symbol, forecast_var`; the mean over seeds), and, where there are several
seeds, `seeds.parquet`. `results/<dataset>/realized.parquet` holds the published daily measure.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.errors import StorageError

Array = NDArray[np.float64]
Days = NDArray[np.datetime64]

DONE, FAILED, SKIPPED, MISSING = "done", "failed", "skipped", "missing"
"""The states of a result; the only ones."""

LINE = 120


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of one entry on one task: `forecast_var (n_origins, n_symbols)`, decimal daily variance.

    `dates` is the session after the origin, for every task.
    """

    origins: Days
    dates: Days
    symbols: tuple[str, ...]
    forecast_var: Array

    def digest(self) -> str:
        """sha256 over the values: origins, dates and symbols as JSON, then the float64 bytes."""
        head = [[str(day) for day in self.origins], [str(day) for day in self.dates], list(self.symbols)]
        digest = hashlib.sha256(json.dumps(head, separators=(",", ":")).encode() + b"\n")
        digest.update(np.ascontiguousarray(self.forecast_var, dtype="<f8").tobytes())
        return digest.hexdigest()


@dataclass
class Run:
    """What `run.json` says of one result."""

    entry: str
    version: str
    dataset: str
    split: str
    task: str
    state: str
    identity: str
    data_identity: str
    identity_of: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None
    seed_digests: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    traceback: str | None = None
    about: dict[str, Any] = field(default_factory=dict)
    runs: int = 1
    measured: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where one result lives."""

    results: Path
    dataset: str
    split: str
    task: str
    entry: str
    study: str | None = None

    @property
    def folder(self) -> Path:
        """Folder of the result; rows of a study lie outside the board's folders."""
        top = self.results / self.dataset
        return (top / "studies" / self.study if self.study else top) / self.split / self.task / self.entry

    def __str__(self) -> str:
        return "/".join(self.folder.parts[len(self.results.parts) - 1 :])


@dataclass(frozen=True)
class Stored:
    """A result as read: its record and forecasts, or why there is none (`problem`: damaged files)."""

    run: Run | None
    forecasts: Forecasts | None = None
    seeds: dict[int, Forecasts] = field(default_factory=dict)
    problem: str | None = None

    @property
    def state(self) -> str:
        """One of the four states."""
        return MISSING if self.run is None or self.problem else self.run.state


# Writing -------------------------------------------------------------------------------------------


def write_atomic(path: Path, content: bytes) -> bool:
    """Write a file so that it is whole or not there; returns False where it already held just that.

    A temporary file beside it, fsync, rename. Raises `StorageError` for a full or read-only disk.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StorageError(
            f"cannot store {path}: {error.strerror or error}; mend that and run again: what was stored before is kept"
        ) from error
    return True


def as_json(value: Any) -> bytes:
    """JSON bytes for people too: what fits in a line stays in one; keys in the given order; NaN refused."""
    return (_pretty(value, "") + "\n").encode()


def _pretty(value: Any, indent: str) -> str:
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(line) + len(indent) <= LINE or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {_pretty(item, inner)}" for key, item in value.items()]
    else:
        parts = [_pretty(item, inner) for item in value]
    ends = "{}" if isinstance(value, dict) else "[]"
    return f"{ends[0]}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{ends[1]}"


def _as_parquet(columns: dict[str, pa.Array], metadata: dict[str, str] | None = None) -> bytes:
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _repeat(days: Days, times: int) -> pa.Array:
    return pa.array(np.repeat(days.astype("datetime64[D]"), times), type=pa.date32())


def _tile(symbols: tuple[str, ...], times: int) -> pa.Array:
    codes = pa.array(np.tile(np.arange(len(symbols), dtype=np.int32), times))
    return pa.DictionaryArray.from_arrays(codes, pa.array(symbols, type=pa.string()))


def _labels(labels: NDArray[np.str_], times: int) -> pa.Array:
    names, codes = np.unique(labels, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(np.repeat(codes.astype(np.int32), times)), pa.array(names))


def _forecast_table(parts: dict[int, Forecasts], *, with_seed: bool = True) -> bytes:
    """Columns `origin, date, symbol, [seed,] forecast_var` of one or several seeds, sorted in that order."""
    first = next(iter(parts.values()))
    n, m, s = len(first.origins), len(first.symbols), len(parts)
    columns = {"origin": _repeat(first.origins, m * s), "date": _repeat(first.dates, m * s)}
    if not with_seed:
        columns["symbol"] = _tile(first.symbols, n)
    else:
        codes = np.tile(np.repeat(np.arange(m, dtype=np.int32), s), n)
        columns["symbol"] = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(first.symbols, type=pa.string()))
        columns["seed"] = pa.array(np.tile(np.array(list(parts), dtype=np.int32), n * m))
    stacked = np.stack([part.forecast_var for part in parts.values()], axis=-1)
    columns["forecast_var"] = pa.array(stacked.ravel())
    return _as_parquet(columns)


def store_seeds(place: Place, run: Run, seeds: dict[int, Forecasts], n_seeds: int) -> None:
    """Store the seeds of a result; with the last one their mean becomes the entry's forecasts.

    The record is written last: a run that is killed before it leaves a result that counts as missing.
    """
    seeds = dict(sorted(seeds.items()))
    run.state, run.reason, run.traceback = MISSING, None, None
    run.seed_digests = {str(seed): part.digest() for seed, part in seeds.items()}
    if n_seeds > 1:
        write_atomic(place.folder / "seeds.parquet", _forecast_table(seeds))
    else:
        _remove(place.folder / "seeds.parquet")
    if len(seeds) == n_seeds:
        first = next(iter(seeds.values()))
        mean = np.mean([part.forecast_var for part in seeds.values()], axis=0)
        forecasts = Forecasts(first.origins, first.dates, first.symbols, mean)
        write_atomic(place.folder / "forecasts.parquet", _forecast_table({0: forecasts}, with_seed=False))
        run.state, run.digest = DONE, forecasts.digest()
    write_run(place, run)


def write_artifacts(place: Place, seed: int, artifacts: dict[str, Array]) -> None:
    """Keep the arrays that an entry sent as artifacts, one file a seed."""
    if not artifacts:
        return
    sink = io.BytesIO()
    np.savez_compressed(sink, allow_pickle=False, **dict(sorted(artifacts.items())))
    write_atomic(place.folder / f"artifacts-{seed}.npz", sink.getvalue())


def store_without(place: Place, run: Run, seeds: dict[int, Forecasts]) -> None:
    """Store a failed or skipped result: its record, no forecasts; seeds that did finish are kept for the next try."""
    run.seed_digests = {str(seed): part.digest() for seed, part in sorted(seeds.items())}
    if seeds:
        write_atomic(place.folder / "seeds.parquet", _forecast_table(dict(sorted(seeds.items()))))
    write_run(place, run)
    stale = [place.folder / "forecasts.parquet"]
    if not seeds:
        stale += [place.folder / "seeds.parquet", *place.folder.glob("artifacts-*.npz")]
    for path in stale:
        _remove(path)


def write_run(place: Place, run: Run) -> None:
    """Write `run.json`, leaving out what is empty."""
    kept = {key: value for key, value in vars(run).items() if value not in (None, {})}
    write_atomic(place.folder / "run.json", as_json(kept))


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error


# Reading -------------------------------------------------------------------------------------------


def read_run(place: Place) -> Run | None:
    """The record of a result; None where it is not there or damaged."""
    try:
        return Run(**json.loads((place.folder / "run.json").read_bytes()))
    except (ValueError, TypeError, OSError):
        return None


def read(place: Place) -> Stored:
    """Returns a stored result; damage (a truncated or edited file) is told in `problem`, not raised."""
    if not (place.folder / "run.json").is_file():
        return Stored(None)
    run = read_run(place)
    if run is None:
        return Stored(None, problem=f"{place}/run.json is damaged")
    if run.state not in (DONE, FAILED, SKIPPED, MISSING):
        return Stored(None, problem=f"{place}/run.json has no state `{run.state}`")
    try:
        seeds = _read_seeds(place, run)
        forecasts = _read_forecasts(place.folder / "forecasts.parquet") if run.state == DONE else None
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        return Stored(run, problem=f"{place}: forecasts cannot be read: {' '.join(str(error).split())[:200]}")
    if forecasts is not None and forecasts.digest() != run.digest:
        return Stored(run, problem=f"{place}/forecasts.parquet is not what its run.json says (digest differs)")
    for seed, part in seeds.items():
        if part.digest() != run.seed_digests.get(str(seed)):
            return Stored(run, problem=f"{place}/seeds.parquet is not what its run.json says (seed {seed})")
    if forecasts is not None and not seeds:
        seeds = {0: forecasts}
    return Stored(run, forecasts, seeds)


def _read_seeds(place: Place, run: Run) -> dict[int, Forecasts]:
    path = place.folder / "seeds.parquet"
    if not path.is_file():
        if len(run.seed_digests) > 1 or (run.seed_digests and run.state == MISSING):
            raise ValueError("seeds.parquet is missing")
        return {}
    table = pq.read_table(path)
    found = np.unique(table["seed"].to_numpy())
    return {int(seed): _from_table(table.filter(pa.compute.equal(table["seed"], int(seed)))) for seed in found}


def _read_forecasts(path: Path) -> Forecasts:
    return _from_table(pq.read_table(path, use_threads=False))


def _from_table(table: pa.Table) -> Forecasts:
    """Forecasts of a sorted, complete table; a ValueError where a cell is missing or out of order."""
    symbol = table["symbol"].combine_chunks()
    names = np.asarray(symbol.dictionary.to_pylist() if pa.types.is_dictionary(symbol.type) else symbol.to_pylist())
    codes = symbol.indices.to_numpy() if pa.types.is_dictionary(symbol.type) else np.arange(len(symbol))
    n_rows = table.num_rows
    origin = table["origin"].to_numpy().astype("datetime64[D]")
    per_day = int(np.searchsorted(origin, origin[0], side="right")) if n_rows else 0
    if not per_day or n_rows % per_day:
        raise ValueError("not one row for every origin and symbol")
    columns = names[codes].reshape(-1, per_day)
    grid = origin.reshape(-1, per_day)
    if (columns != columns[0]).any() or (grid != grid[:, :1]).any():
        raise ValueError("rows are not sorted by origin and symbol")
    dates = table["date"].to_numpy().astype("datetime64[D]")[::per_day]
    values = table["forecast_var"].to_numpy().reshape(-1, per_day)
    return Forecasts(grid[:, 0], dates, tuple(str(name) for name in columns[0]), np.asarray(values, dtype=float))


# The published measure ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Realized:
    """The published daily measure: arrays by session, `(n_sessions, n_symbols)` or `(n_sessions,)`.

    `regime_month` is that of the session's calendar month, `regime_origin` that at the close before the
    session, the origin of a forecast for it: `calm`, `crisis` or `unknown`.
    """

    dates: Days
    symbols: tuple[str, ...]
    measure_var: Array
    regime_month: NDArray[np.str_]
    regime_origin: NDArray[np.str_]
    true_var: Array | None = None


def write_realized(results: Path, dataset: str, realized: Realized) -> bool:
    """Write `realized.parquet`; returns False where it already holds these values."""
    path = results / dataset / "realized.parquet"
    n, m = realized.measure_var.shape
    columns = {
        "date": _repeat(realized.dates, m),
        "symbol": _tile(realized.symbols, n),
        "measure_var": pa.array(realized.measure_var.ravel()),
        "regime_month": _labels(realized.regime_month, m),
        "regime_origin": _labels(realized.regime_origin, m),
    }
    if realized.true_var is not None:
        columns["true_var"] = pa.array(realized.true_var.ravel())
    return write_atomic(path, _as_parquet(columns))


def read_realized(results: Path, dataset: str) -> Realized:
    """The published measure of a dataset."""
    path = results / dataset / "realized.parquet"
    try:
        table = pq.read_table(path)
        dates = table["date"].to_numpy().astype("datetime64[D]")
        per_day = int(np.searchsorted(dates, dates[0], side="right"))
        firsts = table.take(np.arange(0, len(dates), per_day))
        shape = (-1, per_day)
        return Realized(
            dates[::per_day],
            tuple(table["symbol"].slice(0, per_day).to_pylist()),
            table["measure_var"].to_numpy().reshape(shape),
            np.asarray(firsts["regime_month"].to_pylist()),
            np.asarray(firsts["regime_origin"].to_pylist()),
            table["true_var"].to_numpy().reshape(shape) if "true_var" in table.column_names else None,
        )
    except FileNotFoundError:
        raise StorageError(f"no {path}: run `bench run --dataset {dataset}` first") from None
    except (OSError, pa.ArrowException, ValueError, KeyError, IndexError) as error:
        raise StorageError(f"{path} is damaged ({error}); run `bench run --dataset {dataset}` to write it") from error


@contextmanager
def locked(results: Path, dataset: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the results of one dataset for writing; another run waits (`waiting` is called once) until it is free.

    The lock is the system's, so it is gone with a killed process.
    """
    path = results / dataset / ".lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise StorageError(f"cannot write in {path.parent}: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        for leftover in path.parent.rglob(".*.tmp"):  # of a run that was killed while it wrote
            _remove(leftover)
        yield

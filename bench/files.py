"""Files of results: written whole or not at all, locked against a second run, JSON for people, parquet columns."""

from __future__ import annotations

import fcntl
import io
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import TypeAdapter

from bench.errors import StorageError

T = TypeVar("T")
_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)  # building one takes a while
Days = NDArray[np.datetime64]

LINE = 120


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


def from_json(kind: type[T], content: bytes) -> T:
    """A value of that kind, checked; a pydantic `ValidationError`, which is a `ValueError`, where it is none."""
    value: T = _adapter(kind).validate_json(content)
    return value


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot remove {path}: {error.strerror or error}") from error


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
            remove(leftover)
        yield


def as_parquet(columns: dict[str, pa.Array], metadata: dict[str, str] | None = None) -> bytes:
    """The bytes of a parquet file (zstd) with these columns, and metadata of ours."""
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def repeat_days(days: Days, times: int) -> pa.Array:
    """A column with every day so many times, one after the other."""
    return pa.array(np.repeat(days.astype("datetime64[D]"), times), type=pa.date32())


def tile_symbols(symbols: tuple[str, ...], times: int, each: int = 1) -> pa.Array:
    """A column with all symbols in a row, `each` of them so often, and all of that so many times."""
    codes = pa.array(np.tile(np.repeat(np.arange(len(symbols), dtype=np.int32), each), times))
    return pa.DictionaryArray.from_arrays(codes, pa.array(symbols, type=pa.string()))


def repeat_labels(labels: NDArray[np.str_], times: int) -> pa.Array:
    """A column with every label so many times, one after the other."""
    names, codes = np.unique(labels, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(np.repeat(codes.astype(np.int32), times)), pa.array(names))


def read_columns(path: Path) -> tuple[dict[str, NDArray[Any]], dict[bytes, bytes]]:
    """The columns of a parquet file as arrays, days as `datetime64[D]`, and its metadata; none may have a gap.

    Through buffers: `to_numpy` and `read_table` of pyarrow import pandas, which takes as long as reading a board.
    """
    if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for a writer
        raise OSError("it is no regular file")
    table = pq.ParquetFile(path).read(use_threads=False)
    return {name: _values(table[name].combine_chunks()) for name in table.column_names}, table.schema.metadata or {}


def _values(column: pa.Array) -> NDArray[Any]:
    if column.null_count:
        raise ValueError("a value is missing")
    if pa.types.is_dictionary(column.type):
        codes: NDArray[Any] = np.from_dlpack(column.indices)
        return np.asarray(np.asarray(column.dictionary.to_pylist())[codes])
    if pa.types.is_date32(column.type):
        return np.asarray(np.from_dlpack(column.view(pa.int32())).astype("datetime64[D]"))
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        return np.asarray(np.from_dlpack(column))
    return np.asarray(column.to_pylist())

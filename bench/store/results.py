"""Results on disk: forecasts and run records, checked by digest when read.

`results/<dataset>/<split>/<task>/<entry>/` holds `run.json` (state, identity, digests, what was measured),
`forecasts.parquet` (`origin, date, symbol, forecast_var`; the mean over seeds), where there are several seeds
`seeds.parquet`, what an entry sent as artifacts, `artifacts-<seed>.npz`, and where it was run again with the
same outcome `reproduced.json`.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from bench.errors import StorageError
from bench.files import Days, as_json, as_parquet, remove, repeat_days, tile_symbols, write_atomic
from bench.plugin.measures import is_variance

Array = NDArray[np.float64]

State = Literal["done", "failed", "skipped", "missing"]
DONE, FAILED, SKIPPED, MISSING = get_args(State)
"""The states of a result; the only ones."""
REPRODUCED = "reproduced.json"
SHOWN = 60
"""Characters of a part of an identity that a message shows."""


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


@dataclass(frozen=True)
class SeedCost:
    """What one seed took and what its entry recorded; `isolation` is the level that shut it in, empty where unknown."""

    fit_seconds: float
    forecast_seconds: float
    start_seconds: float
    fits: int
    origins: int
    peak_memory_mb: float
    isolation: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Measured:
    """What lies outside identity and equality: versions, hardware, and the cost of every seed."""

    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, SeedCost] = field(default_factory=dict)

    @property
    def isolation(self) -> list[str]:
        """The levels that shut the seeds in, as far as they are known."""
        return sorted({seed.isolation for seed in self.seeds.values()} - {""})


@dataclass
class Run:
    """What `run.json` says of one result.

    `identity_of` are the parts that `identity` is the digest of; `about` describes the entry and is no part of
    it; `runs` counts the identities that were run here so far.
    """

    entry: str
    version: str
    dataset: str
    split: str
    task: str
    state: State
    identity: str
    data_identity: str
    identity_of: dict[str, Any] = field(default_factory=dict)
    digest: str | None = None
    seed_digests: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    traceback: str | None = None
    about: dict[str, str | None] = field(default_factory=dict)
    runs: int = 1
    measured: Measured = field(default_factory=Measured)


def machine_of(hardware: dict[str, Any]) -> str:
    """Processor and number of cores in words; empty where they are not known."""
    return f"{hardware.get('processor')}, {hardware.get('cores')} cores" if hardware else ""


@dataclass(frozen=True)
class Reproduction:
    """What `reproduced.json` says: when and where a result was made again, and how far it was from this digest.

    `largest_difference` is relative, of single forecasts; `date` is an ISO date.
    """

    date: str
    digest: str
    largest_difference: float
    tolerance: float
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)


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
    def state(self) -> State:
        """One of the four states."""
        return "missing" if self.run is None or self.problem else self.run.state


def places(results: Path, dataset: str, split: str, study: str | None = None) -> list[Place]:
    """Where results of a split lie, those of the board or of one study, sorted by task and entry."""
    top = results / dataset / "studies" / study if study else results / dataset
    found = (path for path in (top / split).glob("*/*") if path.is_dir() and path.parent.name != "figures")
    return sorted(
        (Place(results, dataset, split, path.parent.name, path.name, study) for path in found),
        key=lambda place: (place.task, place.entry),
    )


def all_places(results: Path) -> list[Place]:
    """Where results of every dataset, split and study lie, those of boards first, sorted."""
    boards = {path.relative_to(results).parts[:2] for path in results.glob("*/*/*/*") if path.is_dir()}
    studies = {path.relative_to(results).parts[:4] for path in results.glob("*/studies/*/*/*/*") if path.is_dir()}
    found = [place for dataset, split in sorted(boards) if split not in ("studies", "figures")
             for place in places(results, dataset, split)]  # fmt: skip
    return found + [
        place for dataset, _, study, split in sorted(studies) for place in places(results, dataset, split, study)
    ]


def identity_from(parts: dict[str, Any]) -> str:
    """The identity of a result: sha256 of what its forecasts depend on, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def differing_parts(made: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Returns the parts in which two identities differ, by name with both values as they are shown."""
    now = json.loads(json.dumps(now))
    names = [*now, *(name for name in made if name not in now)]
    return [
        (name, str(made.get(name))[:SHOWN], str(now.get(name))[:SHOWN])
        for name in names
        if made.get(name) != now.get(name)
    ]


def same_identity(place: Place, identity: str) -> Place | None:
    """Returns where another entry's finished result of the same identity lies, on the board or in a study, if any does.

    An identity says all that makes forecasts what they are; the name of the row is no part of it.
    """
    studies = (path.name for path in sorted((place.results / place.dataset / "studies").glob("*")))
    for study in (None, *studies):
        for other in places(place.results, place.dataset, place.split, study):
            run = read_run(other) if other.task == place.task and other != place else None
            if run is not None and run.identity == identity and run.state == DONE and not read(other).problem:
                return other
    return None


# Writing -------------------------------------------------------------------------------------------


def store_seeds(place: Place, run: Run, seeds: dict[int, Forecasts], n_seeds: int) -> None:
    """Store the seeds of a result; with the last one their mean becomes the entry's forecasts.

    The record is written last and names the seeds that count: a run that is killed before it loses one seed.
    """
    seeds = dict(sorted(seeds.items()))
    run.state, run.reason, run.traceback = "missing", None, None
    run.seed_digests = {str(seed): part.digest() for seed, part in seeds.items()}
    if n_seeds > 1:
        write_atomic(place.folder / "seeds.parquet", _forecast_table(seeds))
    if len(seeds) == n_seeds:
        first = next(iter(seeds.values()))
        mean = np.mean([part.forecast_var for part in seeds.values()], axis=0)
        forecasts = Forecasts(first.origins, first.dates, first.symbols, mean)
        write_atomic(place.folder / "forecasts.parquet", _forecast_table({0: forecasts}, with_seed=False))
        run.state, run.digest = "done", forecasts.digest()
    write_run(place, run)
    _remove_strangers(place, run, keep_seeds=n_seeds > 1)


def store_without(place: Place, run: Run, seeds: dict[int, Forecasts]) -> None:
    """Store a failed or skipped result: its record, no forecasts; seeds that did finish are kept for the next try."""
    run.seed_digests = {str(seed): part.digest() for seed, part in sorted(seeds.items())}
    if seeds:
        write_atomic(place.folder / "seeds.parquet", _forecast_table(dict(sorted(seeds.items()))))
    write_run(place, run)
    remove(place.folder / "forecasts.parquet")
    _remove_strangers(place, run, keep_seeds=bool(seeds))


def write_run(place: Place, run: Run) -> None:
    """Write `run.json`, leaving out what is empty."""
    kept = {key: value for key, value in asdict(run).items() if value not in (None, {})}
    write_atomic(place.folder / "run.json", as_json(kept))


def adopt(place: Place, run: Run, source: Place, n_seeds: int) -> None:
    """Store as this result what another entry's run of the same identity has made: it would make it again."""
    stored = read(source)
    if stored.run is None or stored.problem:
        raise StorageError(f"{source}: cannot be read any more: {stored.problem or 'it is gone'}; run again")
    for path in sorted(source.folder.glob("artifacts-*.npz")):
        write_atomic(place.folder / path.name, path.read_bytes())
    run.measured = stored.run.measured
    store_seeds(place, run, stored.seeds, n_seeds)


def write_artifacts(place: Place, seed: int, artifacts: dict[str, Array]) -> None:
    """Keep the arrays that an entry sent as artifacts, one file a seed; written before the record that counts."""
    path = place.folder / f"artifacts-{seed}.npz"
    if not artifacts:
        remove(path)
        return
    write_atomic(path, _archive(artifacts))


def write_weights(folder: Path, run: Run, seed: int, weights: dict[str, Array], facts: dict[str, Any]) -> None:
    """Keep what one seed has learnt: `seed-N.npz`, and beside it `seed-N.json` that says whose it is."""
    about = {"entry": run.entry, "version": run.version, "identity": run.identity, "task": run.task, "seed": seed}
    write_atomic(folder / f"seed-{seed}.npz", _archive(weights))
    write_atomic(folder / f"seed-{seed}.json", as_json({**about, **facts}))


def _archive(arrays: dict[str, Array]) -> bytes:
    """The bytes of an npz without a date; np.savez would take some names as its own arguments."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return sink.getvalue()


def remove_result(place: Place) -> None:
    """Remove a result with all its files, if it is there."""
    try:
        if place.folder.is_dir():
            shutil.rmtree(place.folder)
    except OSError as error:
        raise StorageError(f"cannot remove {place}: {error.strerror or error}") from error


def write_reproduction(place: Place, reproduction: Reproduction) -> None:
    """Keep beside a result that it was made again."""
    write_atomic(place.folder / REPRODUCED, as_json(asdict(reproduction)))


def _remove_strangers(place: Place, run: Run, *, keep_seeds: bool) -> None:
    """Remove what the record does not name: seeds, artifacts and reproductions of an earlier identity."""
    if not keep_seeds:
        remove(place.folder / "seeds.parquet")
    for path in place.folder.glob("artifacts-*.npz"):
        if path.stem.removeprefix("artifacts-") not in run.seed_digests:
            remove(path)
    if read_reproduction(place, run) is None:
        remove(place.folder / REPRODUCED)


def _forecast_table(parts: dict[int, Forecasts], *, with_seed: bool = True) -> bytes:
    """Columns `origin, date, symbol, [seed,] forecast_var` of one or several seeds, sorted in that order."""
    first = next(iter(parts.values()))
    n, m, s = len(first.origins), len(first.symbols), len(parts)
    columns = {"origin": repeat_days(first.origins, m * s), "date": repeat_days(first.dates, m * s)}
    if not with_seed:
        columns["symbol"] = tile_symbols(first.symbols, n)
    else:
        codes = np.tile(np.repeat(np.arange(m, dtype=np.int32), s), n)
        columns["symbol"] = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(first.symbols, type=pa.string()))
        columns["seed"] = pa.array(np.tile(np.array(list(parts), dtype=np.int32), n * m))
    stacked = np.stack([part.forecast_var for part in parts.values()], axis=-1)
    columns["forecast_var"] = pa.array(stacked.ravel())
    return as_parquet(columns)


# Reading -------------------------------------------------------------------------------------------


@cache
def _run_adapter() -> TypeAdapter[Run]:
    return TypeAdapter(Run)


@cache
def _reproduction_adapter() -> TypeAdapter[Reproduction]:
    return TypeAdapter(Reproduction)


def read_run(place: Place) -> Run | None:
    """The record of a result; None where it is not there, damaged, or another result's."""
    try:
        run = _run_adapter().validate_json((place.folder / "run.json").read_bytes())
    except (OSError, ValidationError):
        return None
    named = (run.dataset, run.split, run.task, run.entry)
    return run if named == (place.dataset, place.split, place.task, place.entry) else None


def read_reproduction(place: Place, run: Run) -> Reproduction | None:
    """That a result was made again, within the tolerance; None where no such record is about its present digest."""
    try:
        found = _reproduction_adapter().validate_json((place.folder / REPRODUCED).read_bytes())
    except (OSError, ValidationError):
        return None
    return found if found.digest == run.digest and found.largest_difference <= found.tolerance else None


def read(place: Place) -> Stored:
    """Returns a stored result; damage (a truncated, edited or moved file) is told in `problem`, not raised."""
    if not (place.folder / "run.json").is_file():
        return Stored(None)
    run = read_run(place)
    if run is None:
        return Stored(None, problem=f"{place}/run.json is damaged, or another result's")
    try:
        seeds = _read_seeds(place, run)
        forecasts = _read_forecasts(place.folder / "forecasts.parquet") if run.state == DONE else None
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        return Stored(run, problem=f"{place}: forecasts cannot be read: {' '.join(str(error).split())[:200]}")
    if forecasts is not None and (digest := forecasts.digest()) != run.digest:
        both = f"digest {digest[:12]}, run.json says {(run.digest or 'none')[:12]}"
        return Stored(run, problem=f"{place}/forecasts.parquet is not what its run.json says ({both})")
    for seed, digest in run.seed_digests.items():
        if seeds and (int(seed) not in seeds or seeds[int(seed)].digest() != digest):
            return Stored(run, problem=f"{place}/seeds.parquet is not what its run.json says (seed {seed})")
    if forecasts is not None and not seeds:
        seeds = {0: forecasts}
    return Stored(run, forecasts, seeds)


def _read_seeds(place: Place, run: Run) -> dict[int, Forecasts]:
    """The seeds that the record names; others came from a run that was killed before its record."""
    path = place.folder / "seeds.parquet"
    if not path.is_file():
        if len(run.seed_digests) > 1 or (run.seed_digests and run.state != DONE):
            raise ValueError("seeds.parquet is missing")
        return {}
    if not run.seed_digests:
        return {}
    table = pq.read_table(path)
    found = {int(seed) for seed in np.unique(table["seed"].to_numpy())} & {int(seed) for seed in run.seed_digests}
    return {seed: _from_table(table.filter(pa.compute.equal(table["seed"], seed))) for seed in sorted(found)}


def _read_forecasts(path: Path) -> Forecasts:
    return _from_table(pq.read_table(path, use_threads=False))


def _from_table(table: pa.Table) -> Forecasts:
    """Forecasts of a sorted, complete table; a ValueError where a cell is missing, out of order or no variance."""
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
    values = np.asarray(table["forecast_var"].to_numpy(), dtype=float).reshape(-1, per_day)
    if not is_variance(values).all():
        raise ValueError("a forecast is no daily variance")
    return Forecasts(grid[:, 0], dates, tuple(str(name) for name in columns[0]), values)

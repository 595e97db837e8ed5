"""Results on disk: forecasts and run records, checked by digest when read.

`results/<dataset>/<split>/<task>/<entry>/` holds `run.json` (state, identity, digests, what was measured),
`forecasts.parquet` (`origin, date, symbol, forecast_var`; the mean over seeds), where there are several seeds
`seeds.parquet`, what an entry sent as artifacts, `artifacts-<seed>.npz`, where it was run again with the
same outcome `reproduced.json`, and where it failed the end of what it wrote, `output.txt`.
"""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.errors import StorageError
from bench.files import as_json, remove, write_atomic
from bench.store.forecasts import Forecasts, forecast_table, from_table, read_forecasts
from bench.store.places import Place, places
from bench.store.records import (
    DONE,
    FAILED,
    MISSING,
    REPRODUCED,
    SKIPPED,
    Failure,
    Outcome,
    Run,
    State,
    read_reproduction,
    read_run,
    write_run,
)

Array = NDArray[np.float64]
FORECASTS, SEEDS, OUTPUT = "forecasts.parquet", "seeds.parquet", "output.txt"


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


@dataclass
class Pending:
    """A result in the making: the record to be written, how many seeds it wants, those that are there, and what came
    of those that failed.
    """

    place: Place
    run: Run
    n_seeds: int
    seeds: dict[int, Forecasts] = field(default_factory=dict)
    failed: dict[int, Outcome] = field(default_factory=dict)


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


def save(result: Pending, seed: int, outcome: Outcome, forecasts: Forecasts | None, weights: Path | None = None) -> Run:
    """Store what came of one seed; returns the record. `forecasts` are those of this result's task, None of a failure.

    Artifacts and forecasts are written first, the record that counts them last: a run that is killed in between loses
    one seed. What a failed result has of other seeds is kept for the next try; of several that failed the lowest is
    told of, whichever ended first. `weights`: a folder for what was learnt.
    """
    place, run = result.place, result.run
    if outcome.failure is not None or forecasts is None:
        result.seeds.pop(seed, None)
        result.failed[seed] = outcome
        return _save_failed(result)
    result.seeds[seed] = forecasts
    run.measured = run.measured.with_seed(seed, outcome)
    _write_artifacts(place, seed, outcome.artifacts)
    if weights is not None and outcome.weights:
        _write_weights(weights / place.folder.relative_to(place.results), run, seed, outcome)
    return _save_seeds(result) if run.state != FAILED else _write_without(result)


def skip(result: Pending, why: str) -> Run:
    """Store that an entry cannot run on this dataset, and why."""
    run = result.run
    _set_failure(run, None)
    run.state, run.reason, run.digest = SKIPPED, why, None
    result.seeds.clear()
    return _write_without(result)


def _save_seeds(result: Pending) -> Run:
    """Store the seeds of a result; with the last one their mean becomes the entry's forecasts."""
    place, run, seeds = result.place, result.run, dict(sorted(result.seeds.items()))
    _set_failure(run, None)
    run.state, run.reason = MISSING, None
    run.seed_digests = {str(seed): part.digest() for seed, part in seeds.items()}
    if result.n_seeds > 1:
        write_atomic(place.folder / SEEDS, forecast_table(seeds))
    if len(seeds) == result.n_seeds:
        first = next(iter(seeds.values()))
        mean = np.mean([part.forecast_var for part in seeds.values()], axis=0)
        forecasts = Forecasts(first.origins, first.dates, first.symbols, mean)
        write_atomic(place.folder / FORECASTS, forecast_table({0: forecasts}, with_seed=False))
        run.state, run.digest = DONE, forecasts.digest()
    write_run(place, run)
    _remove_strangers(place, run, keep_seeds=result.n_seeds > 1)
    return run


def _save_failed(result: Pending) -> Run:
    """Store a failed result: its record with why, the end of what the entry wrote, no forecasts."""
    seed, outcome = min(result.failed.items())
    failure = outcome.failure or Failure("protocol", "no forecasts came back")
    run = result.run
    _set_failure(run, failure)
    run.state, run.digest = FAILED, None
    run.reason = (f"seed {seed}: " if result.n_seeds > 1 else "") + failure.reason
    path = result.place.folder / OUTPUT
    write_atomic(path, outcome.output.encode()) if outcome.output else remove(path)
    return _write_without(result)


def _set_failure(run: Run, failure: Failure | None) -> None:
    run.failure = failure.kind if failure else None
    run.traceback, run.where = (failure.traceback or None, failure.where) if failure else (None, None)
    run.warned = dict(failure.warned) if failure else {}


def _write_without(result: Pending) -> Run:
    place, run, seeds = result.place, result.run, dict(sorted(result.seeds.items()))
    run.seed_digests = {str(seed): part.digest() for seed, part in seeds.items()}
    if seeds:
        write_atomic(place.folder / SEEDS, forecast_table(seeds))
    write_run(place, run)
    remove(place.folder / FORECASTS)
    _remove_strangers(place, run, keep_seeds=bool(seeds))
    return run


def adopt(result: Pending, source: Place) -> Run:
    """Store as this result what another entry's run of the same identity has made: it would make it again."""
    place, stored = result.place, read(source)
    if stored.run is None or stored.problem:
        raise StorageError(f"{source}: cannot be read any more: {stored.problem or 'it is gone'}; run again")
    for path in sorted(source.folder.glob("artifacts-*.npz")):
        write_atomic(place.folder / path.name, path.read_bytes())
    result.run.measured = stored.run.measured
    result.seeds = dict(stored.seeds)
    return _save_seeds(result)


def _write_artifacts(place: Place, seed: int, artifacts: dict[str, Array]) -> None:
    """Keep the arrays that an entry sent as artifacts, one file a seed; written before the record that counts."""
    path = place.folder / f"artifacts-{seed}.npz"
    if not artifacts:
        remove(path)
        return
    write_atomic(path, _archive(artifacts))


def _write_weights(folder: Path, run: Run, seed: int, outcome: Outcome) -> None:
    """Keep what one seed has learnt: `seed-N.npz`, and beside it `seed-N.json` that says whose it is."""
    about = {"entry": run.entry, "version": run.version, "identity": run.identity, "task": run.task, "seed": seed}
    write_atomic(folder / f"seed-{seed}.npz", _archive(outcome.weights))
    write_atomic(folder / f"seed-{seed}.json", as_json({**about, **outcome.weights_facts}))


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


def _remove_strangers(place: Place, run: Run, *, keep_seeds: bool) -> None:
    """Remove what the record does not name: seeds, artifacts and reproductions of an earlier identity."""
    if not keep_seeds:
        remove(place.folder / SEEDS)
    if run.state != FAILED:
        remove(place.folder / OUTPUT)
    for path in place.folder.glob("artifacts-*.npz"):
        if path.stem.removeprefix("artifacts-") not in run.seed_digests:
            remove(path)
    if read_reproduction(place, run) is None:
        remove(place.folder / REPRODUCED)


# Reading -------------------------------------------------------------------------------------------


def read(place: Place) -> Stored:
    """Returns a stored result; damage (a truncated, edited or moved file) is told in `problem`, not raised."""
    if not (place.folder / "run.json").is_file():
        return Stored(None)
    run = read_run(place)
    if run is None:
        return Stored(None, problem=f"{place}/run.json is damaged, or another result's")
    try:
        seeds = _read_seeds(place, run)
        forecasts = read_forecasts(place.folder / FORECASTS) if run.state == DONE else None
    except (OSError, pa.ArrowException, ValueError, KeyError) as error:
        return Stored(run, problem=f"{place}: forecasts cannot be read: {' '.join(str(error).split())[:200]}")
    if forecasts is not None and (digest := forecasts.digest()) != run.digest:
        both = f"digest {digest[:12]}, run.json says {(run.digest or 'none')[:12]}"
        return Stored(run, problem=f"{place}/{FORECASTS} is not what its run.json says ({both})")
    for seed, digest in run.seed_digests.items():
        if seeds and (int(seed) not in seeds or seeds[int(seed)].digest() != digest):
            return Stored(run, problem=f"{place}/{SEEDS} is not what its run.json says (seed {seed})")
    if forecasts is not None and not seeds:
        seeds = {0: forecasts}
    return Stored(run, forecasts, seeds)


def _read_seeds(place: Place, run: Run) -> dict[int, Forecasts]:
    """The seeds that the record names; others came from a run that was killed before its record."""
    path = place.folder / SEEDS
    if not path.is_file():
        if len(run.seed_digests) > 1 or (run.seed_digests and run.state != DONE):
            raise ValueError("seeds.parquet is missing")
        return {}
    if not run.seed_digests:
        return {}
    table = pq.read_table(path)
    found = {int(seed) for seed in np.unique(table["seed"].to_numpy())} & {int(seed) for seed in run.seed_digests}
    return {seed: from_table(table.filter(pa.compute.equal(table["seed"], seed))) for seed in sorted(found)}

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
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.errors import StorageError
from bench.files import as_json, read_columns, remove, write_atomic
from bench.store.forecasts import Forecasts, forecast_table, from_columns, read_forecasts
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
        _say_failed(result)
        return _write(result)
    result.seeds[seed] = forecasts
    run.measured = run.measured.with_seed(seed, outcome)
    artifacts = place.folder / f"artifacts-{seed}.npz"
    if outcome.artifacts:
        write_atomic(artifacts, _archive(outcome.artifacts))
    else:
        remove(artifacts)
    if weights is not None and outcome.weights:
        _write_weights(weights / place.folder.relative_to(place.results), run, seed, outcome)
    if run.state != FAILED:
        _say(run, MISSING)
    return _write(result)


def skip(result: Pending, why: str) -> Run:
    """Store that an entry cannot run on this dataset, and why."""
    _say(result.run, SKIPPED, why)
    result.seeds.clear()
    return _write(result)


def _say_failed(result: Pending) -> None:
    """Put why a result failed into its record, and the end of what the entry wrote beside it."""
    seed, outcome = min(result.failed.items())
    failure = outcome.failure or Failure("protocol", "no forecasts came back")
    _say(result.run, FAILED, (f"seed {seed}: " if result.n_seeds > 1 else "") + failure.reason, failure)
    if outcome.output:
        write_atomic(result.place.folder / OUTPUT, outcome.output.encode())
    else:
        remove(result.place.folder / OUTPUT)


def _say(run: Run, state: State, reason: str | None = None, failure: Failure | None = None) -> None:
    run.state, run.reason = state, reason
    run.failure = failure.kind if failure else None
    run.traceback, run.where = (failure.traceback or None, failure.where) if failure else (None, None)
    run.warned = dict(failure.warned) if failure else {}


def adopt(result: Pending, source: Place) -> Run:
    """Store as this result what another entry's run of the same identity has made: it would make it again."""
    stored = read(source)
    if stored.run is None or stored.problem:
        raise StorageError(f"{source}: cannot be read any more: {stored.problem or 'it is gone'}; run again")
    for path in sorted(source.folder.glob("artifacts-*.npz")):
        write_atomic(result.place.folder / path.name, path.read_bytes())
    run = result.run
    run.measured, result.seeds = stored.run.measured, dict(stored.seeds)
    _say(run, MISSING)
    return _write(result)


def _write(result: Pending) -> Run:
    """Store the seeds of a result, with the last one their mean as its forecasts, then the record.

    What the record does not name is removed: files of an earlier identity.
    """
    folder, run, seeds = result.place.folder, result.run, dict(sorted(result.seeds.items()))
    run.seed_digests = {str(seed): part.digest() for seed, part in seeds.items()}
    run.digest = None
    with_seeds = bool(seeds) and result.n_seeds > 1
    if with_seeds:
        write_atomic(folder / SEEDS, forecast_table(seeds))
    if run.state == MISSING and len(seeds) == result.n_seeds:
        mean = np.mean([part.forecast_var for part in seeds.values()], axis=0)
        forecasts = replace(next(iter(seeds.values())), forecast_var=mean)
        write_atomic(folder / FORECASTS, forecast_table({0: forecasts}, with_seed=False))
        run.state, run.digest = DONE, forecasts.digest()
    write_run(result.place, run)
    for path, is_kept in (
        (folder / FORECASTS, run.state == DONE),
        (folder / OUTPUT, run.state == FAILED),
        (folder / SEEDS, with_seeds),
        (folder / REPRODUCED, read_reproduction(result.place, run) is not None),
    ):
        if not is_kept:
            remove(path)
    for path in folder.glob("artifacts-*.npz"):
        if path.stem.removeprefix("artifacts-") not in run.seed_digests:
            remove(path)
    return run


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
        forecasts = None
        if run.state == DONE:
            forecasts = read_forecasts(place.folder / FORECASTS)
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
    columns, _ = read_columns(path)
    seeds = columns["seed"]
    found = {int(seed) for seed in np.unique(seeds)} & {int(seed) for seed in run.seed_digests}
    return {
        seed: from_columns({name: values[seeds == seed] for name, values in columns.items()}) for seed in sorted(found)
    }

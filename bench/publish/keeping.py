"""What editions rest on, kept beside them: forecasts and measures, each in a file that is named by its digest.

`editions/forecasts/<digest>.parquet` and `editions/measures/<digest>.parquet` are written once and never change.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from bench import store
from bench.errors import BenchError, StorageError
from bench.files import remove, write_atomic
from bench.publish.editions import DIGEST, FOLDER, FORECASTS, MEASURES, SHARED, Edition, editions, open_edition
from bench.publish.tree import Fault
from bench.registry.config import Dataset
from bench.store import DONE, MAIN_SPLIT, Place, Run
from bench.store.realized import Realized, read_realized, write_realized


def measure_of(results: Path, dataset: Dataset) -> Realized:
    """The published measure as far as the official board uses it: the file may go on for other splits."""
    return read_realized(results, dataset.id).until(dataset.split(MAIN_SPLIT).score.last)


def keep(edition: Edition, results: Path) -> None:
    """Copies what an edition rests on from a results folder to beside it, as far as it is not kept already."""
    for run, path in _forecasts(edition):
        if not path.exists():
            write_atomic(path, (_place(results, run).folder / "forecasts.parquet").read_bytes())
    for name, path in _measures(edition):
        if not path.exists():
            with tempfile.TemporaryDirectory() as scratch:
                write_realized(Path(scratch), name, measure_of(results, edition.dataset(name)))
                write_atomic(path, (Path(scratch) / name / "realized.parquet").read_bytes())


def restore(edition: Edition, results: Path) -> list[Fault]:
    """Puts an edition's records, forecasts and measures into an empty results folder.

    Returns what cannot be found, or is not what its name says.
    """
    faults: list[Fault] = []
    for run in edition.runs:
        store.write_run(_place(results, run), replace(run, seed_digests={}))  # scores are of the mean over seeds
    for run, path in _forecasts(edition):
        place = _place(results, run)
        problem = _copy(path, place.folder / "forecasts.parquet") or store.read(place).problem
        faults += [(path, problem)] if problem else []
    for name, path in _measures(edition):
        problem = _copy(path, results / name / "realized.parquet") or _not_the_measure(results, name, path.stem)
        faults += [(path, problem)] if problem else []
    return faults


def faults(root: Path) -> Iterator[Fault]:
    """What the editions below a root rest on and is not there or not what its name says; and files of none of them."""
    found: dict[Path, str] = {}
    for name in editions(root):
        try:
            with tempfile.TemporaryDirectory() as scratch:
                found.update(restore(open_edition(root, name), Path(scratch)))
        except BenchError as error:
            found[root / FOLDER / name] = str(error)
    yield from sorted(found.items())
    with suppress(BenchError):  # what an edition that cannot be read rests on is not known
        for path in strangers(root):
            yield path, "is nothing that an edition rests on: remove it; `bench freeze` adds what one needs"


def strangers(root: Path) -> list[Path]:
    """Files and links among what is kept that no edition rests on; a `BenchError` where an edition cannot be read."""
    known: set[Path] = set()
    for edition in (open_edition(root, name) for name in editions(root)):
        known.update(path for _, path in [*_forecasts(edition), *_measures(edition)])
    folders = [root / FOLDER / name for name in SHARED]
    there = [*folders, *(path for folder in folders for path in folder.rglob("*"))]
    return sorted(path for path in there if path not in known and (path.is_symlink() or path.is_file()))


def remove_strangers(root: Path) -> None:
    """Remove what a freeze that did not end has left. Errors as `strangers`."""
    for path in strangers(root):
        if DIGEST.fullmatch(path.stem):
            remove(path)


def _forecasts(edition: Edition) -> list[tuple[Run, Path]]:
    """The finished results of an edition, with where their forecasts are kept."""
    folder = edition.folder.parent / FORECASTS
    return [(run, folder / f"{run.digest}.parquet") for run in edition.runs if run.state == DONE]


def _measures(edition: Edition) -> list[tuple[str, Path]]:
    """The datasets of an edition, with where their measures are kept."""
    folder = edition.folder.parent / MEASURES
    return [(name, folder / f"{facts.measure}.parquet") for name, facts in edition.facts.datasets.items()]


def _place(results: Path, run: Run) -> Place:
    return Place(results, run.dataset, run.split, run.task, run.entry)


def _copy(kept: Path, target: Path) -> str | None:
    """Copies a kept file; returns why it cannot, None where it could. A link is no file of an edition."""
    if kept.is_symlink() or not kept.is_file():
        return "is not there, and an edition rests on it: restore it (`git checkout`)"
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kept, target)
    return None


def _not_the_measure(results: Path, dataset: str, digest: str) -> str | None:
    """Why a restored measure is not the one of a digest; None where it is."""
    try:
        found = read_realized(results, dataset).digest()
    except StorageError as error:
        return str(error)
    return None if found == digest else f"is another measure, of digest {found[:12]}"

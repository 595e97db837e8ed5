"""The records of results: `run.json`, what a run took and where, and `reproduced.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from bench.files import as_json, from_json, write_atomic
from bench.plugin.tasks import Rows
from bench.registry.reading import read_regular
from bench.store.places import Place

Array = NDArray[np.float64]

State = Literal["done", "failed", "skipped", "missing"]
DONE, FAILED, SKIPPED, MISSING = get_args(State)
"""The states of a result; the only ones."""
REPRODUCED = "reproduced.json"
MOST_RECORD = 16 * 2**20
"""Bytes of a `run.json` that is read."""


FailureKind = Literal[
    "raised", "timeout", "memory", "output", "protocol", "crashed", "shape", "forecast", "environment", "isolation"
]
"""How a walk may fail: the entry raised, took too long, used too much, wrote too much, broke the interface, ended,
answered in another shape, with what is no variance, its packages cannot be installed, or it could not be shut in."""


@dataclass(frozen=True)
class Frame:
    """A line of an entry's own file that was being run: `file` below its folder, and the function."""

    file: str
    line: int
    function: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True)
class Where:
    """Where a walk broke off: `phase` (`start`, `fit`, `forecast`), the `session` (an ISO date) up to which it had been
    handed history, and the entry's own `frames`, outermost first.

    >>> str(Where("forecast", "2015-11-16", [Frame("model.py", 6, "helper")]))
    'model.py:6 in helper, forecast on 2015-11-16'
    """

    phase: str
    session: str | None = None
    frames: list[Frame] = field(default_factory=list)

    def __str__(self) -> str:
        when = f"{self.phase} on {self.session}" if self.session else self.phase
        return ", ".join([*map(str, self.frames[-1:]), when])


@dataclass(frozen=True)
class Failure:
    """Why a walk brought nothing: its kind, set where it was seen, the reason in words, the end of a traceback, where
    it was, and the entry's RuntimeWarnings, each with how often it was seen at least.
    """

    kind: FailureKind
    reason: str
    traceback: str = ""
    where: Where | None = None
    warned: dict[str, int] = field(default_factory=dict)


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


@dataclass(frozen=True)
class Outcome:
    """What came of one walk, as plain data: forecasts or a failure; what it took, reported and ran on.

    `forecast_var` is `(n_origins, n_symbols)`, of paths `(n_origins, steps, n_symbols)`, at the origins `rows`;
    `hardware` is that of the machine that walked.
    """

    rows: Rows
    forecast_var: Array
    cost: SeedCost | None = None
    versions: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    weights_facts: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None
    output: str = ""

    @classmethod
    def failed(cls, failure: Failure, output: str = "") -> Outcome:
        """That of a walk that brought nothing; `output` is the end of what the entry wrote to stdout and stderr."""
        return cls(Rows(0, -1), np.zeros(0), failure=failure, output=output)


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

    def with_seed(self, seed: int, outcome: Outcome) -> Measured:
        """The same with what one more seed took."""
        seeds = self.seeds if outcome.cost is None else {**self.seeds, str(seed): outcome.cost}
        in_order = dict(sorted(seeds.items(), key=lambda item: int(item[0])))
        return Measured(outcome.versions, outcome.hardware, in_order)


@dataclass
class Run:
    """What `run.json` says of one result.

    `identity_of` are the parts that `identity` is the digest of; `about` describes the entry and is no part of
    it; `axis` is where a variant of a study stands; `runs` counts the identities that were run here so far, `failures`
    the walks that had failed before the ones of this record: each had been handed days that these had not seen yet.
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
    failure: FailureKind | None = None
    reason: str | None = None
    traceback: str | None = None
    where: Where | None = None
    warned: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    about: dict[str, str | None] = field(default_factory=dict)
    axis: dict[str, Any] = field(default_factory=dict)
    runs: int = 1
    measured: Measured = field(default_factory=Measured)

    @property
    def protocol(self) -> str:
        """The rules that it was made under."""
        return str(self.identity_of.get("protocol", ""))


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


def write_run(place: Place, run: Run) -> None:
    """Write `run.json`, leaving out what is empty."""
    kept = {key: value for key, value in asdict(run).items() if value not in (None, {}, 0)}
    write_atomic(place.folder / "run.json", as_json(kept))


def write_reproduction(place: Place, reproduction: Reproduction) -> None:
    """Keep beside a result that it was made again."""
    write_atomic(place.folder / REPRODUCED, as_json(asdict(reproduction)))


def read_run(place: Place) -> Run | None:
    """The record of a result; None where it is not there, damaged, or another result's."""
    try:
        run = from_json(Run, read_regular(place.folder / "run.json", MOST_RECORD))
    except (OSError, ValueError):
        return None
    named = (run.dataset, run.split, run.task, run.entry)
    return run if named == (place.dataset, place.split, place.task, place.entry) else None


def read_reproduction(place: Place, run: Run) -> Reproduction | None:
    """That a result was made again, within the tolerance; None where no such record is about its present digest."""
    try:
        found = from_json(Reproduction, read_regular(place.folder / REPRODUCED))
    except (OSError, ValueError):
        return None
    return found if found.digest == run.digest and found.largest_difference <= found.tolerance else None

"""An entry in this process, for prints and a debugger: the worker's own code and the clock's frames, no isolation.

Nothing is shut in, limited, watched or stored, and what the entry raises comes through as it is.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.panel import Panel
from bench.errors import EntryError
from bench.plugin import Forecaster, History, wire
from bench.plugin.answers import ContractError
from bench.plugin.tasks import Rows, Task
from bench.plugin.worker import Worker
from bench.registry.windows import origins_of
from bench.run.clock import Clock, hello_of
from bench.run.failure import EntryFailure
from bench.run.jobs import Job

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Tried:
    """What came of a walk in this process: `forecast_var` at `rows`, and the model as the last session left it.

    `records` and `artifacts` are what the entry handed over.
    """

    rows: Rows
    forecast_var: Array
    model: Forecaster
    fits: int
    fit_seconds: float
    forecast_seconds: float
    records: list[dict[str, Any]]
    artifacts: dict[str, Array]


class _Here:
    """Stands in the place of a worker process; limits of time are not kept."""

    def __init__(self, hello: dict[str, Any]) -> None:
        self.on_progress: Callable[[dict[str, Any]], None] = lambda facts: None
        self.records: list[dict[str, Any]] = []
        self.artifacts: dict[str, Array] = {}
        self.worker = Worker(hello, self._report)
        self._answers: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Answer a frame at once."""
        answer = self.worker.answer(*wire.parsed(data))
        if answer is not None:
            self._answers.append(answer)

    def receive(self, what: str, seconds: float, crew: Sequence[Any] = ()) -> tuple[dict[str, Any], bytes]:
        """The answer to the last question."""
        _, meta, payload = wire.parsed(self._answers.pop(0))
        return meta, payload

    def look(self, crew: Sequence[Any] = ()) -> None:
        """Nothing is to be seen: nobody is waited for."""

    def _report(self, kind: str, facts: dict[str, Any], array: NDArray[Any] | None) -> None:
        if kind == "record":
            self.records.append(facts)
        elif kind == "artifact" and array is not None:
            self.artifacts[str(facts["name"])] = np.array(array, dtype=float)


def try_job(job: Job, panel: Panel, task: Task, last: int, code: Path | type[Forecaster]) -> Tried:
    """Walks the last origins that a task scores, as a run would, in this process.

    The schedule of fits is the run's: the last fit that is due before the first of these origins is made, and it sees
    what it would see in a run. `code` is the entry's folder, or its class.

    Raises
    ------
    EntryError
        Where the entry does not keep to the interface: another shape, a value that is no variance.
    """
    origins = origins_of(panel.dates, job.windows, task)
    start = max(0, len(origins) - last)
    begin = start // job.refit * job.refit if job.refit else 0
    with _importable(code if isinstance(code, Path) else None):
        try:
            here = _Here(hello_of(job) if isinstance(code, Path) else {**hello_of(job), "class": code})
            clock = Clock([here], panel, job)
            rows = Rows(origins.first + begin, origins.last)
            forecast_var = clock.run(rows, lambda done, total, facts: None, skip=start - begin)
        except (EntryFailure, ContractError) as error:
            raise EntryError(f"{job.entry}: {error}") from error
    return Tried(
        Rows(origins.first + start, origins.last), forecast_var, here.worker.model, clock.fits,
        clock.fit_seconds, clock.forecast_seconds, here.records, here.artifacts,
    )  # fmt: skip


def history_of_job(job: Job, panel: Panel, until: date | None) -> History:
    """The history that a worker of this job has at the last session up to a day, or at the last one that is scored."""
    here = _Here({**hello_of(job), "class": Forecaster})
    position = panel.position(until, "right") - 1 if until else origins_of(panel.dates, job.windows, job.task).last
    if position < 0:
        raise EntryError(f"{panel.dataset}: no session up to {until}, the first one is {panel.dates[0]}")
    Clock([here], panel, job).hand_out(0, position)
    return here.worker.tape.history()


@contextmanager
def _importable(folder: Path | None) -> Iterator[None]:
    """Modules of an entry's folder can be imported by their bare names, as in a worker; they are forgotten after."""
    if folder is None:
        yield
        return
    ours = {path.stem for path in folder.iterdir()} - sys.stdlib_module_names

    def take_out() -> dict[str, ModuleType]:
        return {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] in ours}

    before = take_out()
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        take_out()
        sys.modules.update(before)

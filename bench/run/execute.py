"""Walks a plan and stores each outcome as it comes. Who does the walking is exchangeable: processes here, or others.

An executor takes jobs and gives futures of outcomes; storing stays with the one who drives it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from bench import store
from bench.data.panel import Panel
from bench.errors import BenchError, StorageError
from bench.plugin.shut import PROCESS
from bench.run.campaign import Campaign
from bench.run.clock import walk
from bench.run.cold import forget
from bench.run.environments import packages_of
from bench.run.failure import Stopped, printable
from bench.run.jobs import Job
from bench.run.pace import Pace, Step
from bench.run.plan import Plan, Unit
from bench.run.sandbox import level, visible
from bench.run.stage import sweep_stages
from bench.store import Failure, Outcome


class Executor(Protocol):
    """Who walks: `width` jobs side by side; `stop` ends what runs and drops what waits.

    Walks of one family (`Job.family`) never run at the same time unless they keep a `Pace`.
    """

    width: int

    def submit(self, jobs: Sequence[Job]) -> list[Future[Outcome]]:
        """Begin jobs, now or when there is room; what fails about an entry is told by its outcome."""

    def stop(self) -> None:
        """End all jobs; their futures end with `Stopped` or as cancelled."""


@dataclass
class Listener:
    """What is told about a running plan; each may be replaced."""

    started: Callable[[Job], None] = lambda job: None
    progressed: Callable[[Job, int, int, dict[str, Any]], None] = lambda job, done, total, facts: None
    ended: Callable[[Job, str | None], None] = lambda job, reason: None


class Processes:
    """Worker processes on this machine, each with a thread that feeds it the days of one panel.

    Walks of one family are begun together, as many as there is room for, and keep pace; the next ones of it begin when
    the last of them has ended, and what those left in memory is put out of it first. Other families fill the room.
    """

    def __init__(self, panel: Panel, width: int, listener: Listener | None = None) -> None:
        self.width = max(1, width)
        self._panel, self._listener = panel, listener or Listener()
        self._pool, self._stop = ThreadPoolExecutor(self.width), threading.Event()
        self._lock = threading.Lock()
        self._free = self.width
        self._waiting: dict[str, list[_Walk]] = {}
        self._running: dict[str, int] = {}
        self._walked: set[str] = set()
        sweep_stages()

    def submit(self, jobs: Sequence[Job]) -> list[Future[Outcome]]:
        """Begin jobs when there is room for them, the families in their order."""
        walks = [_Walk(job, Future()) for job in jobs]
        with self._lock:
            for walk_ in walks:
                self._waiting.setdefault(walk_.job.family, []).append(walk_)
            self._begin()
        return [each.future for each in walks]

    def stop(self) -> None:
        """Kill the workers and wait until they are gone."""
        self._stop.set()
        with self._lock:
            dropped = [each for walks in self._waiting.values() for each in walks]
            self._waiting.clear()
        for each in dropped:
            each.future.cancel()
        self._pool.shutdown()

    def _begin(self) -> None:
        """Begin what there is room for; the lock is held."""
        for family in [name for name in self._waiting if name not in self._running]:
            batch, rest = self._waiting[family][: self._free], self._waiting[family][self._free :]
            if not batch:
                return
            self._free -= len(batch)
            self._running[family] = len(batch)
            self._waiting[family] = rest
            if not rest:
                del self._waiting[family]
            again = family in self._walked or any(each.job.again for each in batch)
            self._walked.add(family)
            self._pool.submit(self._run, batch, again)

    def _run(self, batch: Sequence[_Walk], again: bool) -> None:
        """Walk the jobs of a family at one pace, the first of them in this thread."""
        pace = Pace(len(batch))
        try:
            if again:
                _forget(batch[0].job)
        finally:  # whatever is wrong with this machine's files, each walk tells what is wrong with it
            for number, each in enumerate(batch[1:], start=1):
                self._pool.submit(self._end, each, pace, number)
            self._end(batch[0], pace, 0)

    def _end(self, each: _Walk, pace: Pace, number: int) -> None:
        """Walk one job, and make room for others."""
        try:
            with pace.walk(number) as step:
                result = self._walk(each.job, step)
        except BaseException as error:  # noqa: BLE001 - it is raised where the outcome is asked for
            self._leave(each.job.family)
            each.future.set_exception(error)
        else:
            self._leave(each.job.family)
            each.future.set_result(result)

    def _leave(self, family: str) -> None:
        with self._lock:
            self._free += 1
            self._running[family] -= 1
            if not self._running[family]:
                del self._running[family]
            if not self._stop.is_set():
                self._begin()

    def _walk(self, job: Job, step: Step) -> Outcome:
        if self._stop.is_set():
            raise Stopped
        self._listener.started(job)
        try:
            return walk(
                job, self._panel, stop=self._stop.is_set, step=step,
                progress=lambda done, total, facts: self._listener.progressed(job, done, total, facts),
            )  # fmt: skip
        except OSError as error:  # no room for the worker's folder, no process to be had
            raise StorageError(f"cannot run a worker for {job.entry}: {error}") from error


@dataclass(frozen=True)
class _Walk:
    """A job, and where its outcome is awaited."""

    job: Job
    future: Future[Outcome]


def _forget(job: Job) -> None:
    """Put out of memory what the workers of a job can read, where its level is to keep walks apart."""
    if level(job.limits.sandbox) != PROCESS:
        packages = packages_of(job.files)
        forget(place for place in visible(packages) if not place.startswith(("/sys", "/proc")))


def execute(
    campaign: Campaign, todo: Plan, executor: Executor, listener: Listener | None = None, weights: Path | None = None
) -> dict[str, str]:
    """Walks every unit of a plan and stores what comes; returns the reason of each that failed.

    `weights` is a folder for what entries learn, None to keep none. An entry that fails is stored as failed and
    the rest goes on. A full disk or an interrupt ends the executor's jobs and is raised; what was stored is kept.
    """
    listener = listener or Listener()
    failures: dict[str, str] = {}
    try:
        for place, why in todo.skipped.items():
            store.skip(todo.pending[place], why)
        for place, source in todo.adopted.items():
            store.adopt(todo.pending[place], source)
        workers = max(1, executor.width // max(1, len(todo.units)))
        jobs = [replace(unit.job, workers=workers, save_weights=weights is not None) for unit in todo.units]
        futures = dict(zip(executor.submit(jobs), todo.units, strict=True))
        for future in as_completed(futures):
            unit = futures.pop(future)  # and with it, once stored, the forecasts
            reason = _take(campaign, unit, future, weights)
            if reason is not None:
                failures[str(unit.job)] = reason
            listener.ended(unit.job, reason)
    finally:  # also after a full disk or an interrupt: no worker outlives the run
        executor.stop()
    return failures


def _take(campaign: Campaign, unit: Unit, future: Future[Outcome], weights: Path | None) -> str | None:
    """Store one unit's outcome; returns why it failed, if it did."""
    try:
        outcome = future.result()
        for task, result in unit.serves:
            forecasts = None if outcome.failure else campaign.forecasts(outcome, task)
            store.save(result, unit.job.seed, outcome, forecasts, weights)
    except (BenchError, Stopped):  # the storage or the settings: no later unit would fare better
        raise
    except Exception as error:  # noqa: BLE001 - whatever one entry leads to must not cost the others their results
        outcome = Outcome.failed(
            Failure("crashed", printable(f"the harness broke off: {type(error).__name__}: {error}"))
        )
        for _, result in unit.serves:
            store.save(result, unit.job.seed, outcome, None)
    return outcome.failure.reason if outcome.failure else None

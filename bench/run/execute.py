"""Walks a plan and stores each outcome as it comes. Who does the walking is exchangeable: processes here, or others.

An executor takes jobs and gives futures of outcomes; storing stays with the one who drives it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from bench import store
from bench.data.panel import Panel
from bench.errors import BenchError, StorageError
from bench.run.campaign import Campaign
from bench.run.clock import walk
from bench.run.failure import Stopped, printable
from bench.run.jobs import Job
from bench.run.plan import Plan, Unit
from bench.run.stage import sweep_stages
from bench.store import Failure, Outcome


class Executor(Protocol):
    """Who walks: `width` jobs side by side; `stop` ends what runs and drops what waits."""

    width: int

    def submit(self, job: Job) -> Future[Outcome]:
        """Begin a job, now or when there is room; what fails about the entry is told by its outcome."""

    def stop(self) -> None:
        """End all jobs; their futures end with `Stopped` or as cancelled."""


@dataclass
class Listener:
    """What is told about a running plan; each may be replaced."""

    started: Callable[[Job], None] = lambda job: None
    progressed: Callable[[Job, int, int, dict[str, Any]], None] = lambda job, done, total, facts: None
    ended: Callable[[Job, str | None], None] = lambda job, reason: None


class Processes:
    """Worker processes on this machine, each with a thread that feeds it the days of one panel."""

    def __init__(self, panel: Panel, width: int, listener: Listener | None = None) -> None:
        self.width = max(1, width)
        self._panel, self._listener = panel, listener or Listener()
        self._pool, self._stop = ThreadPoolExecutor(self.width), threading.Event()
        sweep_stages()

    def submit(self, job: Job) -> Future[Outcome]:
        """Begin a job when one of `width` threads is free."""
        return self._pool.submit(self._walk, job)

    def stop(self) -> None:
        """Kill the workers and wait until they are gone."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _walk(self, job: Job) -> Outcome:
        if self._stop.is_set():
            raise Stopped
        self._listener.started(job)
        try:
            return walk(
                job, self._panel, stop=self._stop.is_set,
                progress=lambda done, total, facts: self._listener.progressed(job, done, total, facts),
            )  # fmt: skip
        except OSError as error:  # no room for the worker's folder, no process to be had
            raise StorageError(f"cannot run a worker for {job.entry}: {error}") from error


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
        futures: dict[Future[Outcome], Unit] = {}
        for unit in todo.units:
            futures[executor.submit(replace(unit.job, workers=workers, save_weights=weights is not None))] = unit
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

"""Runs what is missing: plans units of work, walks them in parallel, stores each as it ends.

A unit is one entry, one task (or the path) and one seed. The plan compares identities with what is stored, so
a run that was killed goes on where it was.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench import store
from bench.errors import BenchError, StorageError
from bench.plugin.tasks import Task, from_path
from bench.run.campaign import Campaign
from bench.run.clock import Walk, walk
from bench.run.failure import EntryFailure, Stopped
from bench.run.plan import Plan, Unit
from bench.run.stage import sweep_stages
from bench.store import FAILED, SKIPPED, Forecasts, Measured, Place, SeedCost, State


@dataclass
class Listener:
    """What is told about a running plan; each may be replaced."""

    started: Callable[[Unit], None] = lambda unit: None
    progressed: Callable[[Unit, int, int, dict[str, Any]], None] = lambda unit, done, total, facts: None
    ended: Callable[[Unit, str | None], None] = lambda unit, reason: None


def execute(
    campaign: Campaign, todo: Plan, jobs: int, listener: Listener | None = None, weights: Path | None = None
) -> dict[str, str]:
    """Walks every unit of a plan and stores what comes; returns the reason of each that failed.

    `weights` is a folder for what entries learn, None to keep none. An entry that fails is stored as failed and
    the rest goes on. A full disk or an interrupt ends the workers and is raised; what was stored is kept.
    """
    listener = listener or Listener()
    sweep_stages()
    for place, why in todo.skipped.items():
        _store_without(todo, place, SKIPPED, why)
    for place, source in todo.adopted.items():
        store.adopt(place, todo.runs[place], source, todo.runs[place].identity_of["seeds"])
    failures: dict[str, str] = {}
    stop = threading.Event()
    workers = max(1, jobs // len(todo.units)) if todo.units else 1
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        futures: dict[Future[Walk], Unit] = {
            pool.submit(_walk_unit, campaign, unit, workers, listener, stop, weights is not None): unit
            for unit in todo.units
        }
        try:
            for future in as_completed(futures):
                unit = futures.pop(future)  # and with it, once stored, the forecasts
                reason = _take(campaign, todo, unit, future, weights)
                if reason is not None:
                    failures[str(unit)] = reason
                listener.ended(unit, reason)
        except BaseException:  # a full disk, an interrupt: end the workers, then tell
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return failures


def _walk_unit(
    campaign: Campaign, unit: Unit, workers: int, listener: Listener, stop: threading.Event, save_weights: bool
) -> Walk:
    if stop.is_set():
        raise Stopped
    listener.started(unit)
    try:
        return walk(
            campaign.panel, campaign.split, unit.entry, unit.task, unit.seed, campaign.settings.limits,
            workers=workers, save_weights=save_weights, stop=stop.is_set,
            progress=lambda done, total, facts: listener.progressed(unit, done, total, facts),
        )  # fmt: skip
    except OSError as error:  # no room for the worker's folder, no process to be had
        raise StorageError(f"cannot run a worker for {unit.entry.name}: {error}") from error


def _take(campaign: Campaign, todo: Plan, unit: Unit, future: Future[Walk], weights: Path | None) -> str | None:
    """Store one unit's outcome; returns why it failed, if it did."""
    try:
        _store(campaign, todo, unit, future.result(), weights)
        return None
    except (BenchError, Stopped):  # the storage or the settings: no later unit would fare better
        raise
    except EntryFailure as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - whatever one entry leads to must not cost the others their results
        failure = EntryFailure(f"the harness broke off: {type(error).__name__}: {error}")
    for task in unit.serves:
        place = campaign.place(unit.entry, task.name)
        todo.stored[place].pop(unit.seed, None)
        seed = f"seed {unit.seed}: " if unit.entry.row.seeds > 1 else ""
        _store_without(todo, place, FAILED, seed + failure.reason, failure.traceback)
    return failure.reason


def _store(campaign: Campaign, todo: Plan, unit: Unit, result: Walk, weights: Path | None) -> None:
    """Store what a walk brought."""
    for task in unit.serves:
        place = campaign.place(unit.entry, task.name)
        run, seeds = todo.runs[place], todo.stored[place]
        seeds[unit.seed] = _forecasts(campaign, task, result, unit.entry.is_path)
        run.measured = _measured(run.measured, unit.seed, result)
        store.write_artifacts(place, unit.seed, result.measured.artifacts)
        if weights is not None and result.measured.weights:
            folder = weights / place.folder.relative_to(place.results)
            store.write_weights(folder, run, unit.seed, result.measured.weights, result.measured.weights_facts)
        if run.state == FAILED:  # another seed failed: keep this one for the next try
            store.store_without(place, run, seeds)
        else:
            store.store_seeds(place, run, seeds, unit.entry.row.seeds)


def _store_without(todo: Plan, place: Place, state: State, reason: str, traceback: str = "") -> None:
    run = todo.runs[place]
    run.state, run.reason, run.traceback, run.digest = state, reason, traceback or None, None
    store.store_without(place, run, todo.stored.get(place, {}) if state == FAILED else {})


def _forecasts(campaign: Campaign, task: Task, result: Walk, is_path: bool) -> Forecasts:
    """One task's forecasts out of a walk: paths become the task's target on its own origins."""
    rows, dates = campaign.origins(task), campaign.panel.dates
    first = rows.first - result.rows.first
    forecast_var = result.forecast_var[first : first + len(rows)]
    if is_path:
        forecast_var = from_path(forecast_var, task)
    return Forecasts(
        dates[rows.first : rows.last + 1], dates[rows.first + 1 : rows.last + 2], campaign.panel.symbols, forecast_var
    )


def _measured(before: Measured, seed: int, result: Walk) -> Measured:
    """The measured block with one more seed."""
    m = result.measured
    cost = SeedCost(
        fit_seconds=round(m.fit_seconds, 3),
        forecast_seconds=round(m.forecast_seconds, 3),
        start_seconds=round(m.start_seconds, 3),
        fits=m.fits,
        origins=m.n_origins,
        peak_memory_mb=round(m.peak_memory_mb, 1),
        isolation=m.isolation,
        records=m.records,
    )
    seeds = {**before.seeds, str(seed): cost}
    return Measured(m.versions, hardware(), dict(sorted(seeds.items(), key=lambda item: int(item[0]))))


@cache
def hardware() -> dict[str, Any]:
    """Processor and cores of this machine, for the record."""
    processor = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        processor = next(line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"processor": processor, "cores": os.cpu_count()}

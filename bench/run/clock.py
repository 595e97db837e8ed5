"""The clock: one entry walks through the score window of a split, session by session.

The worker holds the history up to the origin, answers with a forecast, and only then receives the next
session. What has not happened yet is not in its memory, and it is told of no file that has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.panel import Panel
from bench.plugin import wire
from bench.plugin.history import fields_of
from bench.plugin.measures import LEAST_VAR, MOST_VAR, is_variance
from bench.plugin.tasks import ONE_STEP, Rows, Task, rows_inside, target
from bench.registry.config import Dataset, Limits, Split
from bench.registry.entries import PATH, Entry
from bench.registry.windows import origins_of, positions
from bench.run.child import WorkerProcess
from bench.run.environments import environment_of
from bench.run.failure import EntryFailure
from bench.run.stage import staged

Array = NDArray[np.float64]
WATCH = "watch"
"""The kind of a report that says what an entry did outside its own folder."""
Progress = Callable[[int, int, dict[str, Any]], None]


@dataclass
class Measured:
    """What a walk took and reported, and where it ran; outside the identity of a result."""

    isolation: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    fit_seconds: float = 0.0
    forecast_seconds: float = 0.0
    start_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    fits: int = 0
    n_origins: int = 0
    records: list[dict[str, Any]] = field(default_factory=list)
    artifacts: dict[str, Array] = field(default_factory=dict)
    weights: dict[str, Array] = field(default_factory=dict)
    weights_facts: dict[str, Any] = field(default_factory=dict)

    def collect(self, crew: list[WorkerProcess]) -> None:
        """Take over the records and artifacts that the workers sent."""
        for kind, facts, array in (report for worker in crew for report in worker.reports):
            if kind == WATCH:
                continue
            if array is None:
                self.records.append(facts)
            elif kind == "artifact":
                self.artifacts[str(facts.get("name"))] = array
            else:
                self.weights[str(facts.pop("name"))] = array
                self.weights_facts |= facts


@dataclass
class Audit:
    """What a check adds to a walk: `data` is planted where an entry that looks around finds it; `seen` is what it did.

    Each thing seen has a `kind` of `bench.plugin.watch` and says `what`; of an entry that fails too.
    """

    data: Path
    seen: list[dict[str, Any]] = field(default_factory=list)

    def gather(self, crew: list[WorkerProcess]) -> None:
        """Take over what the workers saw."""
        self.seen += [facts for worker in crew for kind, facts, _ in worker.reports if kind == WATCH]


@dataclass(frozen=True)
class Walk:
    """Forecasts of one run: `forecast_var` is `(n_origins, n_symbols)`, or `(n_origins, steps, n_symbols)` of paths."""

    rows: Rows
    forecast_var: Array
    measured: Measured


def lacking(dataset: Dataset, entry: Entry) -> str | None:
    """Why an entry cannot run on a dataset: what it reads and the dataset does not hand out; None if it can."""
    reads = entry.row.reads
    if "vix" in reads and (dataset.vix is None or not dataset.vix.entries):
        return f"reads the VIX, which {dataset.id} does not hand to entries"
    if "volume" in reads and not dataset.volume:
        return f"reads volume, which {dataset.id} does not have"
    return None


class _Feed:
    """The sessions of a panel as frames for one worker, which may hold some of its symbols only."""

    def __init__(self, panel: Panel, entry: Entry, row_task: Task, columns: slice) -> None:
        self.fields = fields_of(entry.row.reads)
        self.has_vix = "vix" in entry.row.reads
        self.symbols = list(panel.symbols[columns])
        self._dates = panel.dates.astype("<i8")
        vix = panel.vix if self.has_vix and panel.vix is not None else np.full(len(panel.dates), np.nan)
        self._vix = vix.astype("<f8")
        self._values = np.stack([getattr(panel, name)[:, columns] for name in self.fields], axis=1).astype("<f8")
        self._realized = target(panel.variance[:, columns], row_task).astype("<f8")
        self._ahead = row_task.ahead

    def tape(self, windows: dict[str, Any]) -> bytes:
        """The frame that says what the sessions will hold."""
        meta = {"symbols": self.symbols, "fields": self.fields, "has_vix": self.has_vix, **windows}
        return wire.frame(wire.TAPE, meta)

    def sessions(self, first: int, last: int) -> bytes:
        """The frame that hands out sessions `first` to `last`, and the targets that they complete."""
        n, known_from, known_to = last + 1 - first, max(0, first - self._ahead), max(0, last + 1 - self._ahead)
        payload = b"".join(
            (
                self._dates[first : last + 1].tobytes(),
                self._vix[first : last + 1].tobytes(),
                self._values[first : last + 1].tobytes(),
                self._realized[known_from:known_to].tobytes(),
            )
        )
        return wire.frame(wire.SESSIONS, {"n": n, "known": known_to - known_from}, payload)


def walk(
    panel: Panel,
    split: Split,
    entry: Entry,
    task: Task,
    seed: int,
    limits: Limits,
    *,
    workers: int = 1,
    save_weights: bool = False,
    audit: Audit | None = None,
    progress: Progress = lambda done, total, facts: None,
    stop: Callable[[], bool] = lambda: False,
) -> Walk:
    """Returns one entry's forecasts at every origin of the split's score window.

    Parameters
    ----------
    panel : Panel
        Bars up to the last score date.
    task : Task
        The task; for an entry of paths, the longest one: its `ahead` is the number of steps.
    workers : int
        Processes for the symbols of an entry that declares them independent; forecasts do not depend on it.
    save_weights : bool
        Whether to keep what the entry hands over as learnt.
    audit : Audit or None
        What to plant, and where to keep what the entry was seen doing.
    progress, stop : callable
        Told origins done, their number and what the entry reports; asked whether to end with `Stopped`.

    Raises
    ------
    EntryFailure
        Where the entry fails, overruns a limit, or a forecast is not finite and > 0.
    """
    row_task = ONE_STEP if entry.is_path else task
    rows = origins_of(panel.dates, split, row_task)
    environment = environment_of(entry.folder, limits.environment_seconds)
    measured = Measured(versions=environment.versions, n_origins=len(rows))
    with ExitStack() as stack:
        started = time.perf_counter()
        stage = stack.enter_context(staged(entry.folder, entry.code_files(), audit.data if audit else None))

        def start() -> WorkerProcess:
            worker = WorkerProcess(stage, limits, environment.packages, stop)
            stack.callback(worker.close)
            worker.send(wire.frame(wire.HELLO, _hello(entry, task, seed, save_weights, audit is not None)))
            return worker

        crew: list[WorkerProcess] = []
        if audit is not None:
            stack.callback(audit.gather, crew)
        crew.append(start())
        answer, _ = crew[0].receive("start", limits.start_seconds)
        if workers > 1 and answer.get("independent"):
            others = [start() for _ in range(min(workers, len(panel.symbols)) - 1)]
            crew += others
            for worker in others:
                worker.receive("start", limits.start_seconds, crew)
        measured.start_seconds, measured.isolation = time.perf_counter() - started, crew[0].isolation
        clock = _Clock(crew, panel, split, entry, row_task, limits)
        shape = (task.ahead, len(panel.symbols)) if entry.is_path else (len(panel.symbols),)
        forecast_var = clock.run(rows, shape, measured, progress)
        measured.peak_memory_mb = max(worker.peak_memory_mb() for worker in crew)
        measured.collect(crew)
    return Walk(rows, forecast_var, measured)


def _hello(entry: Entry, task: Task, seed: int, save_weights: bool, watch: bool) -> dict[str, Any]:
    return {
        "watch": watch,
        "save_weights": save_weights,
        "class": entry.row.target,
        "parameters": entry.row.parameters,
        "task": asdict(replace(task, name=PATH) if entry.is_path else task),
        "path": entry.is_path,
        "seed": seed,
    }


class _Clock:
    """The days of one walk: hands them out, asks for fits and forecasts, checks what comes back."""

    def __init__(
        self, crew: list[WorkerProcess], panel: Panel, split: Split, entry: Entry, row_task: Task, limits: Limits
    ) -> None:
        self.crew, self.panel, self.entry, self.limits = crew, panel, entry, limits
        shares = np.array_split(np.arange(len(panel.symbols)), len(crew))
        self.columns = [slice(int(share[0]), int(share[-1]) + 1) for share in shares]
        self.feeds = [_Feed(panel, entry, row_task, columns) for columns in self.columns]
        windows = {
            name: asdict(rows_inside(row_task, *positions(panel.dates, window)))
            for name, window in (("fit", split.fit), ("select", split.select))
        }
        for worker, feed in zip(crew, self.feeds, strict=True):
            worker.send(feed.tape({**windows, "ahead": row_task.ahead, "fit_start": panel.position(split.fit.first)}))

    def run(self, rows: Rows, shape: tuple[int, ...], measured: Measured, progress: Progress) -> Array:
        """Forecasts of shape `shape` at every origin of `rows`."""
        forecast_var = np.empty((len(rows), *shape))
        refit, first = self.entry.row.refit, 0
        for i, origin in enumerate(range(rows.first, rows.last + 1)):
            for worker, feed in zip(self.crew, self.feeds, strict=True):
                worker.on_progress = lambda facts, i=i: progress(i, len(rows), facts)  # type: ignore[misc]
                worker.send(feed.sessions(first, origin))
            first = origin + 1
            day = self.panel.dates[origin]
            if i == 0 or (refit and i % refit == 0):
                started = time.perf_counter()
                self._ask(wire.FIT, f"fit on {day}", self.limits.fit_seconds)
                measured.fit_seconds += time.perf_counter() - started
                measured.fits += 1
            started = time.perf_counter()
            answers = self._ask(wire.FORECAST, f"forecast on {day}", self.limits.forecast_seconds)
            measured.forecast_seconds += time.perf_counter() - started
            for columns, payload in zip(self.columns, answers, strict=True):
                part = forecast_var[i, ..., columns]
                if len(payload) != part.nbytes:
                    raise EntryFailure(f"forecast on {day} has {len(payload)} bytes, expected {part.nbytes}")
                part[...] = np.frombuffer(payload, dtype="<f8").reshape(part.shape)
            self._check(forecast_var[i], day)
            progress(i + 1, len(rows), {})
        return forecast_var

    def _ask(self, op: bytes, what: str, seconds: float) -> list[bytes]:
        for worker in self.crew:
            worker.send(wire.frame(op))
        return [worker.receive(what, seconds, self.crew)[1] for worker in self.crew]

    def _check(self, forecast_var: Array, day: np.datetime64) -> None:
        """A forecast that is not finite and > 0, or that no daily variance can be, fails the run."""
        fine = is_variance(forecast_var)
        if fine.all():
            return
        bad = np.argwhere(~fine)[0]
        value = forecast_var[tuple(bad)]
        shown = "NaN" if np.isnan(value) else f"{value:g}"
        step = f", step {bad[0] + 1}," if forecast_var.ndim == 2 else ""
        why = "" if not np.isfinite(value) or value <= 0 else f", no daily variance ({LEAST_VAR:g} to {MOST_VAR:g})"
        raise EntryFailure(f"forecast for {self.panel.symbols[bad[-1]]} on {day}{step} is {shown}{why}")

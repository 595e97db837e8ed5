"""The clock: one entry walks through the score window of a split, session by session.

The worker holds the history up to the origin, answers with a forecast, and only then receives the next
session. What has not happened yet is not in its memory, and it is told of no file that has it.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.data.panel import Panel
from bench.plugin import wire
from bench.plugin.history import fields_of
from bench.plugin.measures import LEAST_VAR, MOST_VAR, is_variance
from bench.plugin.shut import PROCESS
from bench.plugin.tasks import Rows, rows_inside, target
from bench.registry.entries import PATH
from bench.registry.windows import origins_of, positions
from bench.run.child import WorkerProcess
from bench.run.environments import REQUIREMENTS, environment_of
from bench.run.failure import EntryFailure
from bench.run.jobs import Job
from bench.run.pace import Step, alone
from bench.run.reports import check_artifacts, kept_records
from bench.run.sandbox import level
from bench.run.stage import staged
from bench.store import Outcome, SeedCost

Array = NDArray[np.float64]
RECORD, ARTIFACT, WEIGHTS, WATCH = "record", "artifact", "weights", "watch"
"""The kinds of reports that are kept; the last one says what an entry did outside its own folder."""
Progress = Callable[[int, int, dict[str, Any]], None]


class Member(Protocol):
    """What the clock needs of a worker: a process of its own, or this one (`bench.run.here`)."""

    on_progress: Callable[[dict[str, Any]], None]

    def send(self, data: bytes) -> None:
        """Take in a frame."""

    def receive(self, what: str, seconds: float, crew: Sequence[Any] = ()) -> tuple[dict[str, Any], bytes]:
        """The answer to the last question: its JSON and payload."""

    def look(self, crew: Sequence[Any] = ()) -> None:
        """Called now and then while other walks are waited for; may raise."""


@dataclass
class Audit:
    """What a check adds to a walk: `data` is planted where an entry that looks around finds it; `seen` is what it did.

    Each thing seen has a `kind` of `bench.plugin.watch` and says `what`; of an entry that fails too.
    """

    data: Path
    seen: list[dict[str, Any]] = field(default_factory=list)

    def gather(self, crew: list[WorkerProcess]) -> None:
        """Take over what the workers saw."""
        self.seen += [facts for worker in crew for kind, facts, _ in worker.reports.kept if kind == WATCH]


class _Feed:
    """The sessions of a panel as frames for one worker, which may hold some of its symbols only."""

    def __init__(self, panel: Panel, job: Job, columns: slice) -> None:
        self.fields = fields_of(job.reads)
        self.has_vix = "vix" in job.reads
        self.symbols = list(panel.symbols[columns])
        self._dates = panel.dates.astype("<i8")
        vix = panel.vix if self.has_vix and panel.vix is not None else np.full(len(panel.dates), np.nan)
        self._vix = vix.astype("<f8")
        self._values = np.stack([getattr(panel, name)[:, columns] for name in self.fields], axis=1).astype("<f8")
        self._realized = target(panel.variance[:, columns], job.realized_task).astype("<f8")
        self._ahead = job.realized_task.ahead

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
    job: Job,
    panel: Panel,
    *,
    audit: Audit | None = None,
    progress: Progress = lambda done, total, facts: None,
    stop: Callable[[], bool] = lambda: False,
    step: Step | None = None,
) -> Outcome:
    """Returns what came of a job on its panel: forecasts at every origin of the score window, or why there are none.

    Parameters
    ----------
    panel : Panel
        Bars up to the last score date.
    audit : Audit or None
        What to plant, and where to keep what the entry was seen doing.
    progress, stop : callable
        Told origins done, their number and what the entry reports; asked whether to end with `Stopped`.
    step : Step or None
        Its part of a pace that it keeps with other walks; None: it waits for nobody.
    """
    crew: list[WorkerProcess] = []
    try:
        return _walk(job, panel, audit, progress, stop, step or alone(), crew)
    except EntryFailure as error:  # the workers are closed, and what they wrote is complete
        warned = {what: count for worker in crew for what, count in worker.reports.warned.items()}
        output = next((said for worker in crew if (said := worker.output())), "")
        return Outcome.failed(error.warned(warned), output)


def isolation_of(job: Job) -> str:
    """The level that the workers of a job must reach; raises `EntryFailure` where it has none that it may run at."""
    own_packages = REQUIREMENTS in job.files
    reached = level(job.limits.sandbox, own_packages=own_packages)
    if own_packages and reached == PROCESS:
        raise EntryFailure(
            "isolation", f"{REQUIREMENTS}: packages of an entry's own run shut in alone, and there is neither "
            "bubblewrap nor Landlock (Linux 5.13) here"
        )  # fmt: skip
    return reached


def _walk(
    job: Job, panel: Panel, audit: Audit | None, progress: Progress, stop: Callable[[], bool], step: Step,
    crew: list[WorkerProcess],
) -> Outcome:  # fmt: skip
    rows = origins_of(panel.dates, job.windows, job.realized_task)
    step.begin(rows.first)
    isolation = isolation_of(job)
    environment = environment_of(job.files, job.limits.environment_seconds)
    with ExitStack() as stack:
        started = time.perf_counter()
        stage = stack.enter_context(staged(job.files, audit.data if audit else None))

        def start() -> WorkerProcess:
            worker = WorkerProcess(stage, job.limits, environment.packages, isolation, stop)
            crew.append(worker)
            stack.callback(worker.close)
            worker.send(wire.frame(wire.HELLO, hello_of(job, audit is not None)))
            return worker

        if audit is not None:
            stack.callback(audit.gather, crew)
        start()
        answer, _ = crew[0].receive("start", job.limits.start_seconds)
        if job.workers > 1 and answer.get("independent"):
            others = [start() for _ in range(min(job.workers, len(panel.symbols)) - 1)]
            for worker in others:
                worker.receive("start", job.limits.start_seconds, crew)
        start_seconds = time.perf_counter() - started
        clock = Clock(crew, panel, job, step)
        forecast_var = clock.run(rows, progress)
        peak = max(worker.peak_memory_mb() for worker in crew)
        if peak > job.limits.memory_mb:  # between two looks, which are a few a second
            raise EntryFailure("memory", f"used more than {job.limits.memory_mb:g} MB of memory")
        reports = [report for worker in crew for report in worker.reports.kept]
    cost = SeedCost(
        fit_seconds=round(clock.fit_seconds, 3), forecast_seconds=round(clock.forecast_seconds, 3),
        start_seconds=round(start_seconds, 3), fits=clock.fits, origins=len(rows), peak_memory_mb=round(peak, 1),
        isolation=isolation, records=kept_records([facts for kind, facts, _ in reports if kind == RECORD]),
    )  # fmt: skip
    artifacts = {str(f["name"]): array for kind, f, array in reports if kind == ARTIFACT and array is not None}
    check_artifacts(artifacts)  # of the crew together
    learnt = [(facts, array) for kind, facts, array in reports if kind == WEIGHTS and array is not None]
    return Outcome(
        rows, forecast_var, cost, environment.versions, hardware(),
        artifacts=artifacts,
        weights={str(facts["name"]): array for facts, array in learnt},
        weights_facts={k: v for facts, _ in learnt for k, v in facts.items() if k != "name"},
    )  # fmt: skip


def hello_of(job: Job, watch: bool = False) -> dict[str, Any]:
    """What the first frame tells a worker of its job."""
    return {
        "watch": watch,
        "save_weights": job.save_weights,
        "class": job.target,
        "parameters": job.parameters,
        "task": asdict(replace(job.task, name=PATH) if job.is_path else job.task),
        "path": job.is_path,
        "seed": job.seed,
    }


class Clock:
    """The days of one walk: hands them out, asks for fits and forecasts, checks what comes back."""

    def __init__(self, crew: Sequence[Member], panel: Panel, job: Job, step: Step | None = None) -> None:
        self.crew, self.panel, self.job, self.limits, self.step = crew, panel, job, job.limits, step or alone()
        self.fit_seconds = self.forecast_seconds = 0.0
        self.fits = 0
        task, split = job.realized_task, job.windows
        shares = np.array_split(np.arange(len(panel.symbols)), len(crew))
        self.columns = [slice(int(share[0]), int(share[-1]) + 1) for share in shares]
        self.feeds = [_Feed(panel, job, columns) for columns in self.columns]
        windows = {
            name: asdict(rows_inside(task, *positions(panel.dates, window)))
            for name, window in (("fit", split.fit), ("select", split.select))
        }
        for worker, feed in zip(crew, self.feeds, strict=True):
            worker.send(feed.tape({**windows, "ahead": task.ahead, "fit_start": panel.position(split.fit.first)}))

    def hand_out(self, first: int, last: int) -> None:
        """Send sessions `first` to `last` to every worker."""
        for worker, feed in zip(self.crew, self.feeds, strict=True):
            worker.send(feed.sessions(first, last))

    def run(self, rows: Rows, progress: Progress, skip: int = 0) -> Array:
        """Forecasts at every origin of `rows`: `(n_origins, n_symbols)`, of paths `(n_origins, steps, n_symbols)`.

        At the first `skip` of them nothing is asked but what the schedule of fits asks for; they are left out.
        """
        n_symbols = len(self.panel.symbols)
        shape = (self.job.task.ahead, n_symbols) if self.job.is_path else (n_symbols,)
        forecast_var = np.empty((len(rows) - skip, *shape))
        refit, first = self.job.refit, 0
        for i, origin in enumerate(range(rows.first, rows.last + 1)):
            for worker in self.crew:
                worker.on_progress = lambda facts, i=i: progress(i, len(rows), facts)  # type: ignore[misc]
            self.step.wait(origin, lambda: self.crew[0].look(self.crew))
            self.hand_out(first, origin)
            first = origin + 1
            day = self.panel.dates[origin]
            if i == 0 or (refit and i % refit == 0):
                started = time.perf_counter()
                self._ask(wire.FIT, f"fit on {day}", self.limits.fit_seconds)
                self.fit_seconds += time.perf_counter() - started
                self.fits += 1
            if i < skip:
                self.step.answered(origin)
                continue
            started = time.perf_counter()
            answers = self._ask(wire.FORECAST, f"forecast on {day}", self.limits.forecast_seconds)
            self.forecast_seconds += time.perf_counter() - started
            for columns, payload in zip(self.columns, answers, strict=True):
                part = forecast_var[i - skip, ..., columns]
                if len(payload) != part.nbytes:
                    reason = f"forecast on {day} has {len(payload)} bytes, expected {part.nbytes}"
                    raise EntryFailure("shape", reason).at("forecast", str(day))
                part[...] = np.frombuffer(payload, dtype="<f8").reshape(part.shape)
            self.step.answered(origin)
            self._check(forecast_var[i - skip], day)
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
        reason = f"forecast for {self.panel.symbols[bad[-1]]} on {day}{step} is {shown}{why}"
        raise EntryFailure("forecast", reason).at("forecast", str(day))


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

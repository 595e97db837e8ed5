"""The checks of one entry on one short panel: each a line that holds, or says what to change.

An entry is walked as it is, a second time, with another seed, with other bars after a random origin, and with other
bars before the first one. All walks have a file of the bars, future and all, planted within reach: what is handed out
day by day cannot tell of the future, a file can.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.audit.findings import Finding, Report
from bench.audit.panels import Ground, plant, replaced
from bench.audit.scores import score_of, size
from bench.plugin import watch
from bench.plugin.tasks import ONE_STEP, Task
from bench.registry.config import Settings
from bench.registry.entries import Entry
from bench.registry.windows import origins_of
from bench.run.clock import Audit, walk
from bench.run.jobs import job_of
from bench.run.plan import lacking
from bench.store import Failure, FailureKind, Outcome, SeedCost, Trouble

Array = NDArray[np.float64]

RUNS, SHAPES, POSITIVE = "imports and runs", "shapes", "finite and positive"
SAME, SEEDS = "deterministic for a seed", "another seed differs"
SIZE = "size"
FUTURE, PAST, LIMITS = "the future does not matter", "the past does", "within limits of time and memory"
NETWORK, WRITES, DATA = "opens no network", "writes nothing outside its working directory", "reads no dataset file"

USE_LESS = LIMITS, "do slow work in `fit`; use less"
FAILURES: dict[FailureKind, tuple[str, str]] = {
    "shape": (SHAPES, "return (n_symbols,), or with `tasks: path` (steps, n_symbols)"),
    "forecast": (POSITIVE, "a variance is finite and > 0: put a floor under it, leave out NaN features"),
    **dict.fromkeys(("timeout", "memory", "output"), USE_LESS),
}
"""By the kind of a failed walk, the check that it answers, and what to change; all others answer `RUNS`."""
OUTSIDE = {
    NETWORK: ({watch.NETWORK}, "an entry uses what it is handed, and nothing that it fetches"),
    WRITES: ({watch.WRITES, watch.PROGRAM}, "write in the working directory, or use `self.artifact`; start no program"),
    DATA: ({watch.DATA, watch.READS}, "read `history`, and files of the entry's folder beside `__file__`"),
}


MOST_TOLD = 5
"""Things that a line names of what was seen outside."""


@dataclass(frozen=True)
class _Walk:
    """What came of one walk, and what the entry was seen doing."""

    outcome: Outcome
    seen: list[dict[str, Any]]

    @property
    def forecast_var(self) -> Array:
        return self.outcome.forecast_var


class _Checker:
    """The walks of one entry on one ground, within a budget of seconds.

    On the panel as it is, with another future after the cut, and with another past up to the first origin; each is
    planted in `folder`.
    """

    def __init__(self, entry: Entry, ground: Ground, settings: Settings, seconds: float, folder: Path) -> None:
        self.entry, self.ground, self.settings, self.folder = entry, ground, settings, folder
        self.seconds, self._ends = seconds, time.monotonic() + seconds
        panel = ground.panel
        self.origins = {
            task: origins_of(panel.dates, ground.split, ONE_STEP if entry.is_path else task)
            for task in entry.walked(settings)
        }
        shortest = min(self.origins.values(), key=len)
        digest = hashlib.sha256(f"{entry.code_digest()}{ground.dataset.id}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:16], "little"))
        self.cut = shortest.first + int(rng.integers(len(shortest) // 3, max(1, 2 * len(shortest) // 3)))
        self.panels = {
            "as is": panel,
            "future": replaced(panel, self.cut + 1, len(panel.dates) - 1, rng),
            "past": replaced(panel, 0, min(rows.first for rows in self.origins.values()), rng),
        }
        for name, changed in self.panels.items():
            plant(changed, folder / name)

    def walk(self, name: str, task: Task, seed: int = 0) -> _Walk:
        """One walk, failed or not, on the panel of that name, by any other name on the panel as it is."""
        name = name if name in self.panels else "as is"
        audit = Audit(self.folder / name)
        left = max(0.1, min(self._ends - time.monotonic(), self.settings.limits.run_seconds))
        limits = self.settings.limits.model_copy(update={"run_seconds": left})
        job = job_of(self.entry, task, seed, self.ground.split, limits, self.ground.reference)
        return _Walk(walk(job, self.panels[name], audit=audit), audit.seen)

    def why(self, failure: Failure, during: str = "") -> list[Finding]:
        """The findings of a failed walk: the check that it answers, and those before it, which it got past."""
        out_of_budget = self.seconds < self.settings.limits.run_seconds and time.monotonic() >= self._ends
        if failure.kind == "timeout" and out_of_budget:
            done = f"not done in {self.seconds:g} s on a short panel: --timeout SECONDS gives it more"
            return [Finding(LIMITS, False, done)]
        check, advice = FAILURES.get(failure.kind, (RUNS, "docs/write-an-entry.md lists the messages"))
        if failure.reason.startswith(ModuleNotFoundError.__name__):
            advice = "install it, or name it in a requirements.txt beside model.py"
        order = [RUNS, SHAPES, POSITIVE]
        before = order[: order.index(check)] if check in order else []
        passed = [Finding(name, True) for name in before]
        return [*passed, Finding(check, False, f"{failure.reason}{during}; {advice}")]


def check_on(entry: Entry, ground: Ground, settings: Settings, *, jobs: int = 1, seconds: float = 120.0) -> Report:
    """Returns the findings of an entry on a short panel.

    Every task is walked as it is and with another future; the first one also a second time, with another seed, and
    with another past.

    Parameters
    ----------
    jobs : int
        Walks side by side.
    seconds : float
        After which what is not done yet counts as not passed.
    """
    report = Report(entry.name, ground.dataset.id, skipped=lacking(ground.dataset, entry))
    if report.skipped:
        return report
    with TemporaryDirectory(prefix="volmark-check-") as folder, ThreadPoolExecutor(max(1, jobs)) as pool:
        checker = _Checker(entry, ground, settings, seconds, Path(folder))
        head, *others = checker.origins
        base = checker.walk("as is", head)
        if base.outcome.failure is not None:
            report.trouble = Trouble.of(base.outcome)
            mend = Finding("the other checks", None, "wait until that is mended")
            report.findings = [*checker.why(base.outcome.failure), *_outside([base], failed_only=True), mend]
            return report
        plan = [("future", task, 0) for task in checker.origins] + [("as is", task, 0) for task in others]
        plan += [("again", head, 0), ("past", head, 0)]
        plan += [("seed", head, 1)] if entry.row.seeds > 1 else []
        walks = {key: pool.submit(checker.walk, *key) for key in plan}
        outcomes = {key: each.result() for key, each in walks.items()}
    outcomes["as is", head, 0] = base
    for (name, task, _), each in outcomes.items():
        if each.outcome.failure is not None:
            report.trouble = Trouble.of(each.outcome)
            why = checker.why(each.outcome.failure, f" ({task.name}, {name})")
            report.findings = [*why, *_outside(list(outcomes.values()), failed_only=True)]
            return report
    report.findings = _findings(checker, outcomes, head)
    shown = next(iter(settings.path_tasks.values())) if entry.is_path else head
    report.scores = score_of(entry, ground, base.outcome, shown)
    return report


def _findings(checker: _Checker, outcomes: dict[tuple[str, Task, int], _Walk], head: Task) -> list[Finding]:
    """What walks that all came to their end say; `head` is the task that was walked in every way."""
    entry, ground, settings = checker.entry, checker.ground, checker.settings
    base = outcomes["as is", head, 0]
    as_is = {task: outcomes["as is", task, 0].outcome for task in checker.origins}
    same = _deterministic(base, outcomes["again", head, 0])
    return [
        *(Finding(name, True) for name in (RUNS, SHAPES, POSITIVE)),
        Finding(SIZE, *size(entry, ground, settings, as_is)),
        same,
        *([_seeds(base, outcomes["seed", head, 1])] if entry.row.seeds > 1 else []),
        _future(checker, outcomes) if same.passed else Finding(FUTURE, None, "make it deterministic first"),
        _past(entry, base, outcomes["past", head, 0], ground.panel.symbols),
        _limits([each.outcome.cost for each in outcomes.values() if each.outcome.cost is not None], settings),
        *_outside(list(outcomes.values())),
    ]


def _deterministic(base: _Walk, again: _Walk) -> Finding:
    if np.array_equal(base.forecast_var, again.forecast_var):
        return Finding(SAME, True, "two runs are bit-identical")
    share = np.mean(base.forecast_var != again.forecast_var)
    advice = "draw with `self.generator(...)`, read no clock, iterate over no set"
    return Finding(SAME, False, f"two runs with one seed differ in {share:.0%} of the forecasts: {advice}")


def _seeds(base: _Walk, other: _Walk) -> Finding:
    if not np.array_equal(base.forecast_var, other.forecast_var):
        return Finding(SEEDS, True)
    advice = "draw with `self.generator(...)`, or say `seeds: 1`"
    return Finding(SEEDS, False, f"seed 1 forecasts what seed 0 does: {advice}")


def _future(checker: _Checker, outcomes: dict[tuple[str, Task, int], _Walk]) -> Finding:
    """Whether no forecast up to the cut depends on the bars after it, of every task."""
    day = checker.ground.panel.dates[checker.cut]
    for task, rows in checker.origins.items():
        n = checker.cut + 1 - rows.first
        base, other = (outcomes[name, task, 0].forecast_var[:n] for name in ("as is", "future"))
        if not np.array_equal(base, other):
            at = np.argwhere(base != other)[0]
            where = f"{checker.ground.panel.symbols[at[-1]]} on {checker.ground.panel.dates[rows.first + at[0]]}"
            return Finding(
                FUTURE, False,
                f"bars after {day} were replaced, and the {task.name} forecast for {where} changed: it knows bars that "
                "it was not handed; use `history` alone",
            )  # fmt: skip
    return Finding(FUTURE, True, f"other bars after {day} change no forecast up to it")


def _past(entry: Entry, base: _Walk, other: _Walk, symbols: Sequence[str]) -> Finding:
    """Whether the forecasts of every symbol depend on the bars up to the first origin, unless declared constant."""
    changed = (base.forecast_var != other.forecast_var).any(axis=tuple(range(base.forecast_var.ndim - 1)))
    if entry.row.constant:
        wrong = "the row says `constant: true`, and other bars change its forecasts: take that out"
        return Finding(PAST, not changed.any(), wrong if changed.any() else "declared constant, and it is")
    if changed.all():
        return Finding(PAST, True, "other bars before the first origin change the forecasts of every symbol")
    still = ", ".join(name for name, moved in zip(symbols, changed, strict=True) if not moved)
    advice = "use what is handed out, or declare it in submission.yaml: `constant: true`"
    return Finding(PAST, False, f"other bars before the first origin leave {still} as they were: {advice}")


def _limits(costs: Sequence[SeedCost], settings: Settings) -> Finding:
    slowest = max(costs, key=lambda each: each.fit_seconds + each.forecast_seconds)
    memory = max(each.peak_memory_mb for each in costs)
    took = (
        f"start {slowest.start_seconds:.1f} s, {slowest.fits} fit {slowest.fit_seconds:.1f} s, {slowest.origins} "
        f"forecasts {slowest.forecast_seconds:.1f} s, {memory:.0f} of {settings.limits.memory_mb:g} MB"
    )
    return Finding(LIMITS, True, took)


def _outside(outcomes: Sequence[_Walk], failed_only: bool = False) -> list[Finding]:
    """What the watch saw; where an entry failed early, that it saw nothing says little."""
    seen = [(str(facts.get("kind")), str(facts.get("what"))) for outcome in outcomes for facts in outcome.seen]
    findings = []
    for check, (kinds, advice) in OUTSIDE.items():
        what = list(dict.fromkeys(text for kind, text in seen if kind in kinds))
        if what:
            more = f" and {len(what) - MOST_TOLD} more" if len(what) > MOST_TOLD else ""
            findings.append(Finding(check, False, f"{', '.join(what[:MOST_TOLD])}{more}; {advice}"))
        elif not failed_only:
            findings.append(Finding(check, True))
    return findings

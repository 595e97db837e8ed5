"""What is missing: units of work, from the identities of what is stored.

A unit is one entry, one task (or the path) and one seed; a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from bench import store
from bench.plugin.tasks import Task
from bench.registry.config import Dataset
from bench.registry.entries import Entry
from bench.run.campaign import Campaign
from bench.run.jobs import Job, PanelReference, job_of
from bench.store import Measured, Pending, Place, stale_parts


@dataclass(frozen=True)
class Unit:
    """A job, and the results that it makes: each with its task."""

    job: Job
    serves: tuple[tuple[Task, Pending], ...]


@dataclass
class Plan:
    """What is to do: `units` to walk; what is `done`; results to mark `skipped`; `damaged` files found.

    `adopted` are results that another row of the same identity has: place and source. `pending` are the results in the
    making, by place: `execute` adds to them as units end.
    """

    units: list[Unit] = field(default_factory=list)
    done: list[Place] = field(default_factory=list)
    skipped: dict[Place, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    adopted: dict[Place, Place] = field(default_factory=dict)
    pending: dict[Place, Pending] = field(default_factory=dict)


def lacking(dataset: Dataset, entry: Entry) -> str | None:
    """Why an entry cannot run on a dataset: what it reads and the dataset does not hand out; None if it can."""
    reads = entry.row.reads
    if "vix" in reads and (dataset.vix is None or not dataset.vix.entries):
        return f"reads the VIX, which {dataset.id} does not hand to entries"
    if "volume" in reads and not dataset.volume:
        return f"reads volume, which {dataset.id} does not have"
    return None


def plan(campaign: Campaign, entries: Iterable[Entry], wanted: Iterable[str] = ()) -> Plan:
    """Returns what is missing of these entries and tasks (all that an entry answers where none is named)."""
    tasks = campaign.scope.settings.tasks
    names = [campaign.scope.settings.task(name).name for name in wanted]
    asked = {*names, *(source for name in names if (source := tasks[name].derived_from))}
    todo = Plan()
    for entry in entries:
        answered = campaign.tasks_of(entry)
        _plan_entry(campaign, entry, {n: task for n, task in answered.items() if not asked or n in asked}, todo)
    return todo


def _plan_entry(campaign: Campaign, entry: Entry, tasks: dict[str, Task], todo: Plan) -> None:
    missing: dict[int, list[tuple[Task, Pending]]] = {}
    for name, task in tasks.items():
        place = campaign.place(entry, name)
        result = Pending(place, campaign.new_run(entry, task), entry.row.seeds)
        for seed in _missing_seeds(campaign, entry, result, todo):
            missing.setdefault(seed, []).append((task, result))
    windows, limits = campaign.scope.windows, campaign.scope.settings.limits
    panel = PanelReference(campaign.scope.dataset.id, campaign.data_identity)
    again = any((campaign.place(entry, name).folder / "run.json").is_file() for name in tasks)

    def unit(task: Task, seed: int, serves: list[tuple[Task, Pending]]) -> Unit:
        return Unit(replace(job_of(entry, task, seed, windows, limits, panel), again=again), tuple(serves))

    for seed, serves in sorted(missing.items()):
        if entry.is_path:
            todo.units.append(unit(campaign.scope.settings.longest_path, seed, serves))
        else:
            todo.units += [unit(task, seed, [(task, result)]) for task, result in serves]


def _missing_seeds(campaign: Campaign, entry: Entry, result: Pending, todo: Plan) -> list[int]:
    """The seeds that a result lacks; a result that needs no walk is noted in the plan and lacks none."""
    place, run = result.place, result.run
    todo.pending[place] = result
    stored = store.read(place)
    same = stored.run is not None and not stale_parts(stored.run, campaign.scope, entry, campaign.data_identity)
    if same and stored.state == store.DONE:
        todo.done.append(place)
        return []
    why = lacking(campaign.scope.dataset, entry)
    if why is not None:
        todo.skipped[place] = why
        return []
    if stored.problem:
        todo.damaged.append(stored.problem)
    if same and not stored.problem:
        result.seeds = dict(stored.seeds)
    if stored.run is not None:
        run.measured = stored.run.measured if result.seeds else Measured()
        run.failures = stored.run.failures + int(stored.run.state == store.FAILED)
        run.runs = stored.run.runs + int(stored.run.state == store.DONE and not same)
    source = store.same_identity(place, run.identity)
    if source is not None:
        todo.adopted[place] = source
        return []
    return [seed for seed in range(entry.row.seeds) if seed not in result.seeds]

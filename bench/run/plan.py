"""What is missing: units of work, from the identities of what is stored.

A unit is one entry, one task (or the path) and one seed; a run that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench import store
from bench.plugin.tasks import Task
from bench.registry.entries import Entry
from bench.run.campaign import Campaign
from bench.run.clock import lacking
from bench.store import Forecasts, Measured, Place, Run


@dataclass(frozen=True)
class Unit:
    """One walk: `task` is what the worker is given; `serves` are the tasks whose results it makes."""

    entry: Entry
    task: Task
    seed: int
    serves: tuple[Task, ...]

    def __str__(self) -> str:
        parts = [self.entry.name, "all horizons" if self.entry.is_path else self.task.name]
        return " ".join(parts + ([f"seed {self.seed}"] if self.entry.row.seeds > 1 else []))


@dataclass
class Plan:
    """What is to do: `units` to walk; what is `done`; results to mark `skipped`; `damaged` files found.

    `adopted` are results that another row of the same identity has: place and source. `runs` are the records to be
    written and `stored` the seeds that count already, by place: `execute` adds to both as units end.
    """

    units: list[Unit] = field(default_factory=list)
    done: list[Place] = field(default_factory=list)
    skipped: dict[Place, str] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)
    adopted: dict[Place, Place] = field(default_factory=dict)
    stored: dict[Place, dict[int, Forecasts]] = field(default_factory=dict)
    runs: dict[Place, Run] = field(default_factory=dict)


def plan(campaign: Campaign, entries: Iterable[Entry], wanted: Iterable[str] = ()) -> Plan:
    """Returns what is missing of these entries and tasks (all that an entry answers where none is named)."""
    wanted = [campaign.settings.task(name).name for name in wanted]
    todo = Plan()
    for entry in entries:
        tasks = campaign.tasks_of(entry)
        if wanted:
            tasks = {name: task for name, task in tasks.items() if name in wanted or _derives(campaign, wanted, name)}
        _plan_entry(campaign, entry, tasks, todo)
    return todo


def _derives(campaign: Campaign, wanted: list[str], name: str) -> bool:
    """Whether a wanted task's rows are derived from the task `name`."""
    return any(campaign.settings.tasks[each].derived_from == name for each in wanted)


def _plan_entry(campaign: Campaign, entry: Entry, tasks: dict[str, Task], todo: Plan) -> None:
    missing: dict[int, list[Task]] = {}
    for name, task in tasks.items():
        place = campaign.place(entry, name)
        why = lacking(campaign.dataset, entry)
        run = todo.runs[place] = campaign.new_run(entry, task, store.MISSING)
        stored = store.read(place)
        same = stored.run is not None and stored.run.identity == run.identity
        if same and stored.state == store.DONE:
            todo.done.append(place)
            continue
        if why is not None:
            todo.skipped[place] = why
            continue
        if stored.problem:
            todo.damaged.append(stored.problem)
        keep = stored.seeds if same and not stored.problem else {}
        todo.stored[place] = dict(keep)
        if stored.run is not None:
            run.measured = stored.run.measured if keep else Measured()
            run.runs = stored.run.runs + int(stored.run.state == store.DONE and not same)
        source = store.same_identity(place, run.identity)
        if source is not None:
            todo.adopted[place] = source
            continue
        for seed in range(entry.row.seeds):
            if seed not in keep:
                missing.setdefault(seed, []).append(task)
    for seed, serves in sorted(missing.items()):
        if entry.is_path:
            longest = max(campaign.settings.path_tasks.values(), key=lambda task: task.ahead)
            todo.units.append(Unit(entry, longest, seed, tuple(serves)))
        else:
            todo.units += [Unit(entry, task, seed, (task,)) for task in serves]

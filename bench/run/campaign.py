"""One dataset on one split with a results folder: what a run is made for, and what makes a result what it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import store
from bench.data.panel import Panel
from bench.plugin.tasks import Rows, Task
from bench.registry.config import Dataset, Settings, Split
from bench.registry.entries import Entry
from bench.registry.windows import origins_of
from bench.store import Place, Run, State
from bench.store.identity import identity_of


@dataclass(frozen=True)
class Campaign:
    """One dataset on one split, and the folder of its results; `panel` ends with the last session scored."""

    settings: Settings
    dataset: Dataset
    split_name: str
    panel: Panel
    data_identity: str
    results: Path

    @property
    def split(self) -> Split:
        """The windows of the split."""
        return self.dataset.split(self.split_name)

    def origins(self, task: Task) -> Rows:
        """The origins that a task scores; empty where the bars end too early."""
        return origins_of(self.panel.dates, self.split, task)

    def tasks_of(self, entry: Entry) -> dict[str, Task]:
        """The tasks that an entry answers and that have an origin to score."""
        if entry.is_path:
            tasks = self.settings.path_tasks
        else:
            tasks = {name: self.settings.task(name) for name in entry.row.tasks}
        return {name: task for name, task in tasks.items() if len(self.origins(task))}

    def place(self, entry: Entry, task: str) -> Place:
        """Where a result of this campaign is stored."""
        return Place(self.results, self.dataset.id, self.split_name, task, entry.name, entry.row.study)

    def identity_of(self, entry: Entry, task: Task) -> dict[str, Any]:
        """What makes a result of this campaign what it is."""
        return identity_of(self.settings, self.dataset, self.split_name, self.data_identity, entry, task)

    def new_run(self, entry: Entry, task: Task, state: State) -> Run:
        """A record of a result of this campaign, without its outcome."""
        parts = self.identity_of(entry, task)
        identity = store.identity_from(parts)
        return Run(
            entry=entry.name, version=entry.row.version, dataset=self.dataset.id, split=self.split_name,
            task=task.name, state=state, identity=identity, data_identity=self.data_identity, identity_of=parts,
            about={"family": entry.family, "description": entry.row.description, "tuned_on": entry.row.tuned_on},
        )  # fmt: skip

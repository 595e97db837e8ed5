"""What a run is made for: the results that are meant, and the bars that they come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.data.panel import Panel
from bench.plugin.tasks import Rows, Task, from_path
from bench.registry.entries import Entry
from bench.registry.windows import origins_of
from bench.store import MISSING, Forecasts, Outcome, Place, Run, Scope, identity_from, identity_of


@dataclass(frozen=True)
class Campaign:
    """A scope with its bars; `panel` ends with the last session scored."""

    scope: Scope
    panel: Panel
    data_identity: str

    def origins(self, task: Task) -> Rows:
        """The origins that a task scores; empty where the bars end too early."""
        return origins_of(self.panel.dates, self.scope.windows, task)

    def tasks_of(self, entry: Entry) -> dict[str, Task]:
        """The tasks that an entry answers and that have an origin to score."""
        return {name: task for name, task in entry.answers(self.scope.settings).items() if len(self.origins(task))}

    def place(self, entry: Entry, task: str) -> Place:
        """Where a result of this campaign is stored."""
        return replace(self.scope, study=entry.study).place(task, entry.name)

    def new_run(self, entry: Entry, task: Task) -> Run:
        """A record of a result of this campaign, without its outcome."""
        parts = identity_of(self.scope, entry, task, self.data_identity)
        return Run(
            entry=entry.name, version=entry.row.version, dataset=self.scope.dataset.id, split=self.scope.split,
            task=task.name, state=MISSING, identity=identity_from(parts), data_identity=self.data_identity,
            identity_of=parts,
            about={"family": entry.family, "description": entry.row.description, "tuned_on": entry.row.tuned_on},
            axis=entry.axis,
        )  # fmt: skip

    def forecasts(self, outcome: Outcome, task: Task) -> Forecasts:
        """One task's forecasts out of a walk: paths become the task's target on its own origins."""
        rows, dates = self.origins(task), self.panel.dates
        first = rows.first - outcome.rows.first
        forecast_var = outcome.forecast_var[first : first + len(rows)]
        if forecast_var.ndim == 3:
            forecast_var = from_path(forecast_var, task)
        origins, after = dates[rows.first : rows.last + 1], dates[rows.first + 1 : rows.last + 2]
        return Forecasts(origins, after, self.panel.symbols, forecast_var)

"""How large and how good the forecasts of a short panel are: their size beside the measure, and QLIKE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.audit.panels import Ground
from bench.plugin.tasks import Task, from_path, target
from bench.registry.config import Settings
from bench.registry.entries import Entry
from bench.registry.windows import origins_of
from bench.run.clock import walk
from bench.run.jobs import job_of
from bench.stats import units
from bench.stats.losses import panel_average, qlike
from bench.store import Outcome

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """QLIKE of one row on the short panel, against the measure and against the true variance."""

    entry: str
    task: str
    against_measure: float
    against_truth: float


def size(entry: Entry, ground: Ground, settings: Settings, walks: Mapping[Task, Outcome]) -> tuple[bool, str]:
    """Whether the forecasts of every task are about as large as what they forecast; by how much, or what to change."""
    told = []
    for walked, outcome in walks.items():
        for task in settings.path_tasks.values() if entry.is_path else (walked,):
            measure_var, forecast_var = _beside(entry, ground, outcome, task)
            found = units.size(forecast_var, measure_var)
            if found is None:
                continue
            told.append(f"{task.name} {found.ratio:.2g}")
            if found.is_far:
                is_sum = task.ahead > 1 and 0.5 < found.ratio / task.ahead < 2
                like = f"the sum of its {task.ahead} sessions" if is_sum else found.likely
                return False, (
                    f"the median {task.name} forecast is {found.ratio:.3g} times the median measure: it looks like "
                    f"{like}; return decimal daily variances (1e-4 is 1 % a day), for several sessions their mean"
                )
    return True, f"median forecast over median measure: {', '.join(told)}" if told else ""


def _beside(
    entry: Entry, ground: Ground, outcome: Outcome, task: Task, var: Array | None = None
) -> tuple[Array, Array]:
    """Targets, of the measure or another variance, and the forecasts of them: `(n_origins, n_symbols)`."""
    rows = origins_of(ground.panel.dates, ground.split, task)
    forecast_var = outcome.forecast_var[: len(rows)]
    measure_var = target(ground.panel.variance if var is None else var, task)[rows.first : rows.last + 1]
    return measure_var, from_path(forecast_var, task) if entry.is_path else forecast_var


def score_of(entry: Entry, ground: Ground, outcome: Outcome, task: Task) -> list[Score]:
    """QLIKE of a walk for a task against the measure and the true variance; none where that is unknown."""
    panel = ground.panel
    if panel.true_var is None:
        return []
    losses = []
    for var in (panel.variance, panel.true_var):
        measure_var, forecast_var = _beside(entry, ground, outcome, task, var)
        losses.append(float(panel_average(qlike(measure_var, forecast_var))))
    return [Score(entry.name, task.name, *losses)]


def reference_scores(references: Sequence[Entry], ground: Ground, settings: Settings, task: Task) -> list[Score]:
    """The same of entries that answer the task, for the eye to compare with; one that fails is left out."""
    scores = []
    for entry in references:
        if task.behind if entry.is_path else task.name not in entry.row.tasks:
            continue
        walked = settings.longest_path if entry.is_path else task
        outcome = walk(job_of(entry, walked, 0, ground.split, settings.limits, ground.reference), ground.panel)
        if outcome.failure is None:
            scores += score_of(entry, ground, outcome, task)
    return scores

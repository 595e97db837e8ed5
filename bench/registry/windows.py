"""Where a split's windows lie among the sessions of a dataset, and the origins that it scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.errors import BenchError
from bench.plugin.tasks import Rows, Task, score_rows
from bench.registry.config import Split, Window

Days = NDArray[np.datetime64]


def positions(dates: Days, window: Window) -> tuple[int, int]:
    """First and last session inside a window, as positions in `dates`; last < first where there is none."""
    first = int(np.searchsorted(dates, np.datetime64(window.first, "D")))
    if window.last is None:
        return first, len(dates) - 1
    return first, int(np.searchsorted(dates, np.datetime64(window.last, "D"), side="right")) - 1


def origins_of(dates: Days, split: Split, task: Task) -> Rows:
    """The origins of a task's score window, as positions in `dates`; may be empty."""
    first, last = positions(dates, split.score)
    rows = score_rows(task, first, last)
    return Rows(max(rows.first, 0), rows.last)


def nothing_to_score(dataset: str, name: str, dates: Days, split: Split) -> BenchError:
    """The error for a split without a session to score."""
    end = f" to {split.score.last}" if split.score.last else ""
    return BenchError(
        f"{dataset}: nothing to score on `{name}`: its window is {split.score.first}{end}, the bars end on {dates[-1]}"
    )

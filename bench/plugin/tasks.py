"""What is forecast: the target of every origin, from the dataset's daily measure. Needs numpy alone.

A forecast with origin t is made after the close of session t. The target of a task is the mean of the
daily measure over `behind` known sessions and `ahead` unknown ones, `g_{t-behind+1} .. g_{t+ahead}`.
Arrays have the session first, `(n_sessions, ...)`; all are decimal daily variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bench.plugin.words import ONE_STEP as ONE_STEP
from bench.plugin.words import Task as Task

Array = NDArray[np.float64]


def trailing_mean(variance: Array, window: int) -> Array:
    """Mean of the last `window` rows, the row itself included; NaN in the first `window - 1` rows.

    >>> trailing_mean(np.array([1.0, 2.0, 4.0]), 2)
    array([nan, 1.5, 3. ])
    """
    means = np.full(np.shape(variance), np.nan)
    if len(variance) >= window:
        means[window - 1 :] = sliding_window_view(variance, window, axis=0).mean(axis=-1)
    return means


def target(variance: Array, task: Task) -> Array:
    """The task's realized target by origin: row t is what a forecast made at t should have said.

    NaN where the target needs a session before the first row or after the last one.

    >>> target(np.array([1.0, 2.0, 3.0, 4.0]), Task("two-ahead", ahead=2))
    array([2.5, 3.5, nan, nan])
    >>> target(np.array([1.0, 2.0, 3.0, 4.0]), Task("rolling", ahead=1, behind=1))
    array([1.5, 2.5, 3.5, nan])
    """
    realized = np.full(np.shape(variance), np.nan)
    means = trailing_mean(variance, task.length)
    known = max(0, len(variance) - task.ahead)
    realized[:known] = means[task.ahead :]
    return realized


def latest_known(variance: Array, task: Task) -> Array:
    """The latest known value of the quantity a task forecasts: the mean of as many sessions, up to the origin.

    The yardstick of directional accuracy: `g_t` for one session, a trailing mean of the same length else.
    """
    return trailing_mean(variance, task.length)


def from_path(path_var: Array, task: Task) -> Array:
    """A task's forecast from daily paths `(..., steps, n_symbols)`: their mean over the first `ahead` steps."""
    if task.behind:
        raise ValueError(f"{task.name}: a path covers no known sessions; derive it with `induced`")
    return np.asarray(path_var[..., : task.ahead, :].mean(axis=-2))


def induced(forecast_var: Array, variance: Array, task: Task) -> Array:
    """The forecast of a task with known sessions that a forecast of its unknown ones implies.

    `forecast_var[t]` is the mean over the `ahead` sessions after t, `variance` the measure by session:
    `(sum of the known days + ahead * forecast) / length`.

    >>> induced(np.array([8.0, 8.0]), np.array([2.0, 4.0]), Task("rolling", ahead=1, behind=2))
    array([       nan, 4.66666667])
    """
    known = trailing_mean(variance, task.behind) * task.behind
    return np.asarray((known + task.ahead * forecast_var) / task.length)


@dataclass(frozen=True)
class Rows:
    """A run of origins, `first` to `last` inclusive, as positions of sessions; empty when last < first."""

    first: int
    last: int

    def __len__(self) -> int:
        return max(0, self.last - self.first + 1)

    def mask(self, n_sessions: int) -> NDArray[np.bool_]:
        """Boolean array `(n_sessions,)`, true on these rows."""
        rows = np.arange(n_sessions)
        return np.asarray((rows >= self.first) & (rows <= self.last))


def rows_inside(task: Task, first: int, last: int) -> Rows:
    """The origins whose target lies, with every session of it, in sessions `first` to `last`.

    >>> rows_inside(Task("week", ahead=5), 10, 20)
    Rows(first=9, last=15)
    >>> rows_inside(Task("rolling", ahead=1, behind=20), 10, 40)
    Rows(first=29, last=39)
    """
    return Rows(first - 1 + task.behind, last - task.ahead)


def score_rows(task: Task, first: int, last: int) -> Rows:
    """The origins whose *unknown* sessions all lie in sessions `first` to `last`: those of a score window.

    >>> score_rows(Task("rolling", ahead=1, behind=20), 10, 40)
    Rows(first=9, last=39)
    """
    return Rows(first - 1, last - task.ahead)

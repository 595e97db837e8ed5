"""A job: one walk of one entry as plain data, so that any process, here or elsewhere, can do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.plugin.tasks import ONE_STEP, Task
from bench.registry.config import Limits, Split
from bench.registry.entries import Entry


@dataclass(frozen=True)
class PanelReference:
    """Which panel a job walks: the dataset's bars of this identity. Who walks has them, or loads them by it."""

    dataset: str
    identity: str


@dataclass(frozen=True)
class Job:
    """One entry, one task (of paths, the longest) and one seed, with all that its worker is given but the bars.

    `files` are the entry's code by path, `digest` is that of the identity; `target` is `module:Class`; `seeds` is how
    many of them the row has. `again`: a walk of this result was recorded before. `workers`: processes for the symbols
    of an entry that declares them independent; forecasts do not depend on it.
    """

    entry: str
    family: str
    files: Mapping[str, bytes]
    digest: str
    target: str
    parameters: Mapping[str, Any]
    reads: tuple[str, ...]
    refit: int | None
    is_path: bool
    task: Task
    seed: int
    seeds: int
    windows: Split
    limits: Limits
    panel: PanelReference
    again: bool = False
    workers: int = 1
    save_weights: bool = False

    def __str__(self) -> str:
        parts = [self.entry, "all horizons" if self.is_path else self.task.name]
        return " ".join(parts + ([f"seed {self.seed}"] if self.seeds > 1 else []))

    @property
    def realized_task(self) -> Task:
        """The task whose target the worker sees as `history.realized`, and whose origins are walked."""
        return ONE_STEP if self.is_path else self.task


def job_of(entry: Entry, task: Task, seed: int, windows: Split, limits: Limits, panel: PanelReference) -> Job:
    """The job of walking an entry, as its files are now, through the score window of a split."""
    row = entry.row
    return Job(
        entry=entry.name, family=entry.family, files=entry.code(), digest=entry.code_digest(), target=row.target,
        parameters=row.parameters, reads=tuple(row.reads), refit=row.refit, is_path=entry.is_path, task=task, seed=seed,
        seeds=row.seeds, windows=windows, limits=limits, panel=panel,
    )  # fmt: skip

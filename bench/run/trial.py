"""A model tried out, and the history that it would see: real bars, in this process, nothing isolated or stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.data.load import load_panel
from bench.data.panel import Panel
from bench.errors import BenchError, did_you_mean
from bench.plugin import Forecaster, History, PathForecaster
from bench.plugin.history import READS
from bench.plugin.tasks import Task, from_path, target
from bench.registry.config import Dataset, Registry
from bench.registry.entries import Entry
from bench.registry.windows import nothing_to_score, origins_of
from bench.run.here import Tried, history_of_job, try_job
from bench.run.jobs import Job, PanelReference, job_of
from bench.run.plan import lacking
from bench.stats import losses

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
WARNING = "nothing is isolated, limited or stored here: what counts is `bench check` and `bench run`"


@dataclass(frozen=True)
class Trial:
    """What came of trying a model: `forecast_var` and `target_var` `(n_origins, n_symbols)`, decimal daily variance.

    `tried` has the model as the last session left it, its records and artifacts, and what it took. Prints a summary.
    """

    entry: str
    dataset: str
    split: str
    task: str
    dates: NDArray[np.datetime64]
    origins: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    forecast_var: Array
    target_var: Array
    tried: Tried

    @cached_property
    def symbol_qlike(self) -> dict[str, float]:
        """Mean QLIKE of every symbol; NaN where all its targets are 0."""
        means = losses.mean_by_symbol(losses.qlike(self.target_var, self.forecast_var))
        return dict(zip(self.symbols, map(float, means), strict=True))

    @property
    def qlike(self) -> float:
        """Mean over symbols."""
        return float(losses.panel_average(losses.qlike(self.target_var, self.forecast_var)))

    def frame(self) -> pd.DataFrame:
        """One row a cell: `origin, date, symbol, forecast_var, target_var`."""
        import pandas as pd

        n, m = self.forecast_var.shape
        return pd.DataFrame(
            {"origin": self.origins.repeat(m), "date": self.dates.repeat(m), "symbol": np.tile(self.symbols, n),
             "forecast_var": self.forecast_var.ravel(), "target_var": self.target_var.ravel()}
        )  # fmt: skip

    def __str__(self) -> str:
        level = float(np.nanmedian(self.forecast_var / np.where(self.target_var > 0, self.target_var, np.nan)))
        parts = [f"{symbol} {value:.4f}" for symbol, value in self.symbol_qlike.items()]
        return "\n".join(
            [
                f"{self.entry}: {self.dataset} {self.split}, {self.task}, {len(self.origins)} origins from "
                f"{self.origins[0]} to {self.origins[-1]}",
                f"QLIKE {self.qlike:.4f} ({', '.join(parts)}); median of forecast over target {level:.2f}",
                f"{self.tried.fits} fits {self.tried.fit_seconds:.2f} s, forecasts {self.tried.forecast_seconds:.2f} s",
                WARNING,
            ]
        )

    __repr__ = __str__


def trial_of(
    registry: Registry, entry: Entry | type[Forecaster], dataset: str | None, split: str, task: str | None, *,
    last: int, reads: Sequence[str] | None, refit: int | None, parameters: dict[str, Any] | None, seed: int,
) -> Trial:  # fmt: skip
    """Returns what came of walking the last origins of a split in this process; the entry's exceptions come through.

    Raises a `BenchError` where the entry does not answer the task, or cannot run on the dataset.
    """
    if last < 1:
        raise BenchError(f"last is {last}: forecast at least one session")
    chosen, panel = _bars(registry, dataset, split)
    asked = registry.settings.task(task or registry.settings.headline)
    if isinstance(entry, Entry):
        if asked.name not in entry.answers(registry.settings):
            answered = ", ".join(entry.answers(registry.settings))
            raise BenchError(f"{entry.name} does not answer {asked.name}: name one of {answered}")
        if (why := lacking(chosen, entry)) is not None:
            raise BenchError(f"{entry.name} cannot run on {chosen.id}: {why}")
        walked = registry.settings.longest_path if entry.is_path else asked
        limits, reference = registry.settings.limits, PanelReference(chosen.id, "trial")
        job = job_of(entry, walked, seed, chosen.split(split), limits, reference)
        handed = job.reads if reads is None else _handed_out(chosen, reads)
        job = replace(
            job, reads=handed, refit=refit or job.refit, parameters={**job.parameters, **(parameters or {})}
        )  # fmt: skip
        code: Path | type[Forecaster] = entry.folder
    else:
        job = _job_of_class(registry, chosen, split, entry, asked, reads, refit, parameters or {}, seed)
        code = entry
    tried = try_job(job, panel, asked, last, code)
    rows = slice(tried.rows.first, tried.rows.last + 1)
    forecast_var = from_path(tried.forecast_var, asked) if job.is_path else tried.forecast_var
    return Trial(
        job.entry, chosen.id, split, asked.name, panel.dates[tried.rows.first + 1 : tried.rows.last + 2],
        panel.dates[rows], panel.symbols, forecast_var, target(panel.variance, asked)[rows], tried,
    )  # fmt: skip


def history_of(
    registry: Registry, dataset: str | None, split: str, task: str | None, until: date | None,
    reads: Sequence[str] | None,
) -> History:  # fmt: skip
    """Returns the history that an entry has at a day, or at the last origin of a split."""
    chosen, panel = _bars(registry, dataset, split, until)
    asked = registry.settings.task(task or registry.settings.headline)
    job = _job_of_class(registry, chosen, split, Forecaster, asked, reads, None, {}, 0)
    return history_of_job(job, panel, until)


def _bars(registry: Registry, dataset: str | None, split: str, until: date | None = None) -> tuple[Dataset, Panel]:
    chosen = registry.dataset(dataset or registry.settings.dataset)
    windows = chosen.split(split)
    panel = load_panel(chosen).until(until or windows.score.last)
    first = registry.settings.task(registry.settings.headline)
    if until is None and not len(origins_of(panel.dates, windows, first)):
        raise nothing_to_score(chosen.id, split, panel.dates, windows)
    return chosen, panel


def _job_of_class(
    registry: Registry, dataset: Dataset, split: str, made: type[Forecaster], task: Task,
    reads: Sequence[str] | None, refit: int | None, parameters: dict[str, Any], seed: int,
) -> Job:  # fmt: skip
    """The job of a class that is no entry yet; where nothing is said it is handed all that the dataset has."""
    handed = _handed_out(dataset, reads)
    is_path = issubclass(made, PathForecaster)
    return Job(
        entry=made.__name__, family=made.__name__, files={}, digest="", target=made.__name__, parameters=parameters,
        reads=handed, refit=refit, is_path=is_path, task=registry.settings.longest_path if is_path else task,
        seed=seed, seeds=1, windows=dataset.split(split), limits=registry.settings.limits,
        panel=PanelReference(dataset.id, "trial"),
    )  # fmt: skip


def _handed_out(dataset: Dataset, reads: Sequence[str] | None) -> tuple[str, ...]:
    """What is read, all that the dataset hands out where nothing is said; a `BenchError` for what it does not have."""
    there = {"vix": dataset.vix is not None and dataset.vix.entries, "volume": dataset.volume}
    known = [name for name in READS if there.get(name, True)]
    handed = tuple(known if reads is None else reads)
    for name in handed:
        if name not in known:
            raise BenchError(f"reads: {dataset.id} hands out no `{name}`{did_you_mean(name, known)}")
    return handed

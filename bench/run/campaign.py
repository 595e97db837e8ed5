"""One dataset on one split with a results folder: what a run is made for, and what makes a result what it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench import store
from bench.data.load import load_panel, snapshot_folders
from bench.data.panel import Difference, Panel, compare_panels, largest_difference
from bench.errors import DataError, StorageError
from bench.plugin.tasks import ONE_STEP, Rows, Task
from bench.registry.config import Dataset, Registry, Settings, Split
from bench.registry.entries import Entry
from bench.registry.windows import nothing_to_score, origins_of
from bench.stats import regimes
from bench.store import Place, Run, State
from bench.store.realized import Realized, changed_days, read_realized, same_sessions, write_realized


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


def identity_of(
    settings: Settings, dataset: Dataset, split_name: str, data_identity: str, entry: Entry, task: Task
) -> dict[str, Any]:
    """What makes a result what it is, apart from its seed: the same values give the same forecasts."""
    longest = max(each.ahead for each in settings.path_tasks.values()) if entry.is_path else None
    return {
        "protocol": settings.protocol,
        "version": entry.row.version,
        "code": entry.code_digest(),
        "class": entry.row.target,
        "parameters": entry.row.parameters,
        "reads": entry.row.reads,
        "refit": entry.row.refit,
        "seeds": entry.row.seeds,
        "task": {"path": longest} if entry.is_path else asdict(task),
        "measure": dataset.measure,
        "windows": dataset.split(split_name).model_dump(mode="json"),
        "data": data_identity,
    }


def open_campaign(registry: Registry, dataset_name: str, split_name: str, results: Path | None = None) -> Campaign:
    """Returns the campaign of a dataset and split; its bars are loaded, checked and cut at the last score date.

    Raises `DataError` where the results folder is the registry's and the bars are not those it was made from,
    with a comparison that no adjustment changes; a `BenchError` where there is no session to score.
    """
    dataset = registry.dataset(dataset_name)
    split = dataset.split(split_name)
    whole = load_panel(dataset)
    panel = whole.until(split.score.last)
    if not len(origins_of(panel.dates, split, ONE_STEP)):
        raise nothing_to_score(dataset.id, split_name, panel.dates, split)
    if results in (None, registry.results):
        _refuse_other_vintage(registry, dataset, split_name, whole)
    identity = panel.identity()
    return Campaign(registry.settings, dataset, split_name, panel, identity, results or registry.results)


def refuse_other_bars(campaign: Campaign) -> None:
    """Raises where the results folder holds results of this split that come from other bars."""
    folder = campaign.results / campaign.dataset.id
    for place in store.places(campaign.results, campaign.dataset.id, campaign.split_name):
        found = store.read_run(place)
        if found is not None and found.data_identity != campaign.data_identity:
            raise DataError(
                f"{place} comes from other bars (identity {found.data_identity[:12]}, these are "
                f"{campaign.data_identity[:12]}); a board holds one identity: name another folder (--results DIR) or "
                f"remove {folder}"
            )


def publish_measure(campaign: Campaign) -> bool:
    """Write the daily measure of the campaign's sessions; returns False where the published one covers it.

    The file is every split's: a split that ends earlier leaves the longer one alone. A day that is published
    does not change; a `DataError` says where it would.
    """
    new = realized_of(campaign.panel, campaign.settings.regimes.vix_crisis)
    path = campaign.results / campaign.dataset.id / "realized.parquet"
    old = read_realized(campaign.results, campaign.dataset.id) if path.is_file() else None
    if old is not None:
        _refuse_changed_days(campaign, old, new)
        if len(old.dates) > len(new.dates) and old.vix_crisis == new.vix_crisis:
            return False
    return write_realized(campaign.results, campaign.dataset.id, new)


def _refuse_changed_days(campaign: Campaign, old: Realized, new: Realized) -> None:
    folder = campaign.results / campaign.dataset.id
    mend = f"name another folder (--results DIR) or remove {folder}"
    if not same_sessions(old, new):
        raise DataError(f"{folder}/realized.parquet has other symbols or sessions than these bars; {mend}")
    changed = changed_days(old, new)
    if len(changed):
        i, j = changed[0]
        raise DataError(
            f"{folder}/realized.parquet: the published measure of {new.symbols[j]} on {new.dates[i]} is not that of "
            f"these bars ({len(changed)} values differ); {mend}"
        )


def realized_of(panel: Panel, threshold: float) -> Realized:
    """The daily measure of a panel with both regimes of every session."""
    vix = np.full(len(panel.dates), np.nan) if panel.vix is None else panel.vix
    by_month = regimes.by_month(panel.dates, vix, threshold)
    last = panel.dates[-1]
    if np.busday_offset(last, 1, roll="forward").astype("datetime64[M]") == last.astype("datetime64[M]"):
        by_month[panel.dates.astype("datetime64[M]") == last.astype("datetime64[M]")] = regimes.UNKNOWN  # not over
    at_origin = regimes.at_origin(vix, threshold)
    return Realized(
        panel.dates,
        panel.symbols,
        panel.variance,
        regime_month=by_month,
        regime_origin=np.concatenate([np.array([regimes.UNKNOWN]), at_origin[:-1]]),
        vix_crisis=threshold,
        true_var=panel.true_var,
    )


def _refuse_other_vintage(registry: Registry, dataset: Dataset, split_name: str, whole: Panel) -> None:
    """Raises where the bars are not those of a pinned split, and says how far they differ.

    Not only the split that is run is checked, but all that the bars cover: the published measure is one file.
    """
    for name, pinned in dataset.identity.items():
        last = dataset.split(name).score.last
        if name != split_name and (last is None or whole.dates[-1] < np.datetime64(last)):
            continue
        panel = whole.until(last)
        identity = panel.identity()
        if identity == pinned:
            continue
        lines = [
            f"{dataset.id}: these bars are not the ones that the board of `{name}` was made from "
            f"(identity {identity[:12]}, pinned {pinned[:12]})"
        ]
        lines += [
            f"  {gap.quantity}: largest absolute difference {gap.largest:.3g}, {gap.symbol} on {gap.day}"
            for gap in _differences(registry, dataset, name, panel)
        ]
        lines.append("to build a board of your own from them, name a folder for it: --results DIR")
        raise DataError("\n".join(lines))


def _differences(registry: Registry, dataset: Dataset, split_name: str, panel: Panel) -> list[Difference]:
    """Against a snapshot of the pinned identity where there is one here, else against the published measure."""
    for folder in snapshot_folders(dataset):
        try:
            other = load_panel(dataset, folder).until(dataset.split(split_name).score.last)
        except DataError:
            continue
        if other.identity() == dataset.identity[split_name]:
            return compare_panels(panel, other)
    try:
        published = read_realized(registry.results, dataset.id)
    except StorageError:
        return []
    both = published.symbols == panel.symbols and np.isin(panel.dates, published.dates).any()
    if not both:
        return []
    dates, mine, theirs = np.intersect1d(panel.dates, published.dates, return_indices=True)
    return [
        largest_difference(
            "published daily variance", panel.variance[mine], published.measure_var[theirs], dates, list(panel.symbols)
        )
    ]

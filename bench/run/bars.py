"""The bars of a run against what was published from them: other vintages are refused, the daily measure is written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench import store
from bench.data.load import load_panel, snapshot_folders
from bench.data.panel import Panel
from bench.data.vintages import Difference, compare_panels, largest_difference
from bench.errors import DataError, StorageError
from bench.plugin.tasks import ONE_STEP
from bench.registry.config import Registry
from bench.registry.windows import nothing_to_score, origins_of
from bench.run.campaign import Campaign
from bench.stats import regimes
from bench.store import Scope
from bench.store.realized import Realized, changed_values, read_realized, same_sessions, write_realized


def open_campaign(registry: Registry, dataset_name: str, split_name: str, results: Path | None = None) -> Campaign:
    """Returns the campaign of a dataset and split; its bars are loaded, checked and cut at the last score date.

    Raises `DataError` where the results folder is the registry's and the bars are not those it was made from,
    with a comparison that no adjustment changes; a `BenchError` where there is no session to score.
    """
    scope = Scope.of(registry, dataset_name, split_name, results)
    windows = scope.windows
    whole = load_panel(scope.dataset)
    panel = whole.until(windows.score.last)
    if not len(origins_of(panel.dates, windows, ONE_STEP)):
        raise nothing_to_score(dataset_name, split_name, panel.dates, windows)
    if scope.results == registry.results:
        _refuse_other_vintage(scope, whole)
    return Campaign(scope, panel, panel.identity())


def refuse_other_bars(campaign: Campaign) -> None:
    """Raises where the results folder holds results of this split that come from other bars."""
    folder = campaign.scope.results / campaign.scope.dataset.id
    for place in campaign.scope.places():
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
    results, dataset = campaign.scope.results, campaign.scope.dataset.id
    new = realized_of(campaign.panel, campaign.scope.settings.regimes.vix_crisis)
    old = read_realized(results, dataset) if (results / dataset / "realized.parquet").is_file() else None
    if old is not None:
        _refuse_changed_days(campaign, old, new)
        if len(old.dates) > len(new.dates) and old.vix_crisis == new.vix_crisis:
            return False
        new = _with_published(old, new)
    return write_realized(results, dataset, new)


def _with_published(old: Realized, new: Realized) -> Realized:
    """The new measure with the published values where there are any: another processor's last bit changes no file."""
    n = min(len(old.dates), len(new.dates))
    true_var = new.true_var
    if true_var is not None and old.true_var is not None:
        true_var = np.concatenate([old.true_var[:n], true_var[n:]])
    return replace(new, measure_var=np.concatenate([old.measure_var[:n], new.measure_var[n:]]), true_var=true_var)


def _refuse_changed_days(campaign: Campaign, old: Realized, new: Realized) -> None:
    folder = campaign.scope.results / campaign.scope.dataset.id
    mend = f"name another folder (--results DIR) or remove {folder}"
    if not same_sessions(old, new):
        raise DataError(f"{folder}/realized.parquet has other symbols or sessions than these bars; {mend}")
    changed = changed_values(old.measure_var, new.measure_var)
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


def _refuse_other_vintage(scope: Scope, whole: Panel) -> None:
    """Raises where the bars are not those of a pinned split, and says how far they differ.

    Not only the split that is run is checked, but all that the bars cover: the published measure is one file.
    """
    dataset = scope.dataset
    for name, pinned in dataset.identity.items():
        last = dataset.split(name).score.last
        if name != scope.split and (last is None or whole.dates[-1] < np.datetime64(last)):
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
            for gap in _differences(scope, name, panel)
        ]
        lines.append("to build a board of your own from them, name a folder for it: --results DIR")
        raise DataError("\n".join(lines))


def _differences(scope: Scope, split_name: str, panel: Panel) -> list[Difference]:
    """Against a snapshot of the pinned identity where there is one here, else against the published measure."""
    dataset = scope.dataset
    for folder in snapshot_folders(dataset):
        try:
            other = load_panel(dataset, folder).until(dataset.split(split_name).score.last)
        except DataError:
            continue
        if other.identity() == dataset.identity[split_name]:
            return compare_panels(panel, other)
    try:
        published = scope.realized()
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

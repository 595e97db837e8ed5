"""Running an entry again, and whether its forecasts are those that were published."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench import store
from bench.errors import BenchError
from bench.publish.upkeep import Waiting, held, update_boards
from bench.registry.config import Registry
from bench.registry.entries import Entry
from bench.run.bars import open_campaign
from bench.run.campaign import Campaign
from bench.run.execute import Listener, Processes, execute
from bench.run.plan import plan
from bench.store import DONE, Forecasts, Place, Reproduction, Run
from bench.store.identity import stale_parts

REPRODUCED, DIFFERENT, FAILED, OTHER_CODE, OTHER_BARS = "reproduced", "different", "failed", "other code", "other bars"
"""How an attempt may end; the only ways. With other bars the difference is told, and nothing is concluded."""


@dataclass(frozen=True)
class Attempt:
    """What came of running one result again: the outcome, what is to be said of it, and the largest difference.

    The difference is relative, of single forecasts. `record` is what may be kept beside a reproduced result.
    """

    place: Place
    outcome: str
    detail: str
    largest_difference: float | None = None
    tolerance: float | None = None
    record: Reproduction | None = None


def reproduce(
    registry: Registry,
    entries: Sequence[Entry],
    dataset: str,
    split: str,
    tasks: Sequence[str] = (),
    *,
    day: str,
    jobs: int = 1,
    any_bars: bool = False,
    watch: Callable[[int], AbstractContextManager[Listener]] = lambda n_units: nullcontext(Listener()),
) -> list[Attempt]:
    """Runs entries again in a temporary folder and compares each task with the published forecasts.

    Nothing is written to the registry's results: `keep` does that. `day` is the ISO date for the records; `watch`
    gives a listener for so many units.

    Raises
    ------
    BenchError
        Where the bars at hand are not the pinned ones (unless `any_bars`), or an entry has no published result.
    """
    with tempfile.TemporaryDirectory(prefix="volmark-again-") as folder:
        campaign = open_campaign(registry, dataset, split, Path(folder) if any_bars else None)
        campaign = replace(campaign, scope=replace(campaign.scope, results=Path(folder)))
        wanted = {(entry.study, entry.name): entry for entry in entries}
        published = _published(registry, campaign, entries, tasks)
        entry_of = {place: wanted[place.study, place.entry] for place in published}
        parts = {place: stale_parts(run, campaign.scope, entry_of[place]) for place, (run, _) in published.items()}
        again = [place for place in published if not parts[place]]  # be it with other bars
        names = {(place.study, place.entry) for place in again}
        todo = plan(
            campaign, [wanted[name] for name in wanted if name in names], sorted({place.task for place in again})
        )
        with watch(len(todo.units)) as listener:
            execute(campaign, todo, Processes(campaign.panel, jobs, listener), listener)
        attempts = []
        for place in published.keys() - again:
            said = "; ".join(f"{name} {made}, here {here}" for name, made, here in parts[place])
            why = f"was made with {said}: check out the commit that published it"
            attempts.append(Attempt(place, OTHER_CODE, why))
        for place in again:
            made = store.read(replace(place, results=campaign.scope.results))
            attempts.append(_attempt(place, published[place], made, entry_of[place].row.tolerance, day))
    return sorted(attempts, key=lambda attempt: (attempt.place.entry, attempt.place.task))


def keep(registry: Registry, attempts: Sequence[Attempt], waiting: Waiting = lambda: None) -> list[Path]:
    """Writes `reproduced.json` beside the results that were reproduced, unless they have changed since.

    Brings their boards up to date; returns the paths of these.
    """
    kept = {attempt.place: attempt.record for attempt in attempts if attempt.record is not None}
    datasets = {place.dataset for place in kept}
    if not kept:
        return []
    with held(registry.results, datasets, waiting):
        for place, record in kept.items():
            run = store.read_run(place)
            if run is not None and run.digest == record.digest:
                store.write_reproduction(place, record)
        return update_boards(registry, registry.results, datasets)


def _published(
    registry: Registry, campaign: Campaign, entries: Sequence[Entry], tasks: Sequence[str]
) -> dict[Place, tuple[Run, Forecasts]]:
    """The published forecasts of these entries: of the wanted tasks, or of all that have any."""
    names = [registry.settings.tasks[registry.settings.task(name).name].derived_from or name for name in tasks]
    found = {}
    for entry in entries:
        places = [replace(campaign.place(entry, name), results=registry.results)
                  for name in campaign.tasks_of(entry) if not names or name in names]  # fmt: skip
        stored = {place: store.read(place) for place in places}
        done = {
            place: (item.run, item.forecasts)
            for place, item in stored.items()
            if item.run is not None and item.forecasts is not None and item.state == DONE
        }
        if not done:
            states = "; ".join(f"{place.task}: {item.problem or item.state}" for place, item in stored.items())
            where = f"{campaign.scope.dataset.id} {campaign.scope.split}{''.join(f' {name}' for name in names)}"
            raise BenchError(f"{entry.name} has no published forecasts on {where} to compare with ({states or 'none'})")
        found.update(done)
    return found


def _attempt(place: Place, item: tuple[Run, Forecasts], again: store.Stored, tolerance: float, day: str) -> Attempt:
    """The outcome of one result that was run again."""
    run, forecasts = item
    if again.run is None or again.forecasts is None:
        return Attempt(place, FAILED, again.problem or (again.run and again.run.reason) or "it was not run")
    made = again.forecasts
    if made.symbols != forecasts.symbols or not np.array_equal(made.origins, forecasts.origins):
        return Attempt(place, DIFFERENT, "it forecasts other sessions or symbols")
    gap = np.abs(made.forecast_var / forecasts.forecast_var - 1)
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    largest = float(gap[i, j])
    at = f", {forecasts.symbols[j]} on {forecasts.dates[i]}" if largest else ""
    where = f"largest relative difference {largest:.3g}{at} (tolerance {tolerance:g})"
    if again.run.data_identity != run.data_identity:
        bars = f"bars {again.run.data_identity[:12]}, published from {run.data_identity[:12]}; "
        return Attempt(place, OTHER_BARS, bars + where, largest, tolerance)
    if largest > tolerance:
        return Attempt(place, DIFFERENT, where, largest, tolerance)
    measured = again.run.measured
    record = Reproduction(day, forecasts.digest(), largest, tolerance, measured.versions, measured.hardware)
    return Attempt(place, REPRODUCED, where, largest, tolerance, record)

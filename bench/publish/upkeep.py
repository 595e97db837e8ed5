"""Keeping what is published up to date: the ledger with the results, results withdrawn, boards with both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import store
from bench.board import ensure_board
from bench.errors import BenchError
from bench.files import locked
from bench.publish import ledger
from bench.publish.ledger import Event
from bench.publish.tree import boards_of
from bench.registry.config import Registry
from bench.store import DONE, Scope

Waiting = Callable[[], None]
"""Called once where another run holds the results."""


@contextmanager
def held(results: Path, datasets: Iterable[str] | None = None, waiting: Waiting = lambda: None) -> Iterator[None]:
    """Hold the results of these datasets for writing, or of all, one after the other in one order."""
    with ExitStack() as stack:
        if datasets is None:
            datasets = [path.name for path in results.glob("*") if path.is_dir()]
        for name in sorted(datasets):
            stack.enter_context(locked(results, name, waiting))
        yield


def update_ledger(results: Path, waiting: Waiting = lambda: None) -> list[Event]:
    """Appends what has changed in a results folder to its ledger; returns the new events. Errors as `pending`."""
    with held(results, waiting=waiting):
        events = ledger.pending(results)
        ledger.append(results, events)
    return events


def update_boards(registry: Registry, results: Path, datasets: Collection[str]) -> list[Path]:
    """Brings the boards of these datasets up to date with a results folder; returns the paths of their markdown."""
    found = boards_of(place for place in store.all_places(results) if place.dataset in datasets)
    return [ensure_board(Scope.of(registry, dataset, split, results, study))[1] for dataset, split, study in found]


def withdraw(
    registry: Registry,
    results: Path,
    entry: str,
    reason: str,
    *,
    dataset: str,
    split: str | None = None,
    tasks: Collection[str] = (),
    waiting: Waiting = lambda: None,
) -> tuple[list[Event], list[Path]]:
    """Removes an entry's results on a dataset, says so in the ledger and writes the boards without them.

    Returns the events and the paths of the boards. The record of a failure that stands in a result's place stays: it
    is a result too. Folders go first: what was interrupted between the two is finished by the same call, and never
    accepted again.

    Raises
    ------
    BenchError
        Where there is no reason, or no such result in the ledger; nothing is removed then.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise BenchError('a withdrawal needs a reason: --reason "..."')
    with held(results, waiting=waiting):
        state = ledger.replay(ledger.read_events(results))
        wanted = ledger.select(state.values(), dataset, split, tasks, [entry])
        if not wanted:
            raise BenchError(f"the ledger has no such result of {entry}; what was never accepted is just removed")
        events = [ledger.withdrawal(event, reason) for event in wanted]
        for event in events:
            place = event.key.place(results)
            run = store.read_run(place)
            if run is None or run.state == DONE:
                store.remove_result(place)
        ledger.append(results, events)
        return events, update_boards(registry, results, {dataset})

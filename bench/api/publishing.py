"""What is published: the ledger, the guards, editions, reproduction and citation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bench.api.running import Root, Watch, no_watch
from bench.errors import BenchError, did_you_mean
from bench.registry.workspace import Workspace

if TYPE_CHECKING:
    from bench.publish.cited import Citation
    from bench.publish.guards import Verification
    from bench.publish.ledger import Event
    from bench.publish.reproduction import Attempt


def quietly() -> None:
    """What is said while another run holds the results: nothing."""


def ledger(
    entries: Iterable[str] = (), *, dataset: str | None = None, split: str | None = None, tasks: Iterable[str] = (),
    results: Root = None, root: Root = None,
) -> list[Event]:  # fmt: skip
    """Which results were accepted, replaced and withdrawn, oldest first.

    >>> {event.event for event in ledger(["har"], dataset="us21")} <= {"accepted", "replaced", "withdrawn"}
    True
    """
    from bench.publish.ledger import read_events, select

    work = Workspace.at(root)
    events, wanted = read_events(work.results(results)), list(entries)
    _known(work, events, wanted)
    return select(events, dataset, split, list(tasks), wanted)


def update_ledger(*, results: Root = None, root: Root = None, waiting: Callable[[], None] = quietly) -> list[Event]:
    """Appends what has changed in the results to their ledger; returns what is new."""
    from bench.publish import upkeep

    return upkeep.update_ledger(Workspace.at(root).results(results), waiting)


def withdraw(
    entry: str, reason: str, *, dataset: str, split: str | None = None, tasks: Iterable[str] = (),
    results: Root = None, root: Root = None, waiting: Callable[[], None] = quietly,
) -> tuple[list[Event], list[Path]]:  # fmt: skip
    """Removes an entry's results on a dataset and says so in the ledger; returns the events and the boards written."""
    from bench.publish import upkeep
    from bench.publish.ledger import read_events

    work = Workspace.at(root)
    folder = work.results(results)
    _known(work, read_events(folder), [entry])
    return upkeep.withdraw(
        work.registry, folder, entry, reason, dataset=dataset, split=split, tasks=list(tasks), waiting=waiting
    )


def verify(base: str | None = None, *, root: Root = None) -> Verification:
    """What the guards say of results, boards and ledger; of their change since a commit where `base` names one."""
    from bench.publish import guards

    return guards.verify(Workspace.at(root).registry, base)


def verify_edition(folder: Path | str) -> list[str]:
    """What is wrong with a frozen edition, derived again from the forecasts that are kept with it; empty: nothing."""
    from bench.publish import derivation

    if not Path(folder).is_dir():
        raise BenchError(f"no folder {folder}: name an edition, such as editions/2026.1")
    return derivation.verify_edition(Path(folder).resolve())


def freeze(name: str, *, root: Root = None, waiting: Callable[[], None] = quietly) -> Path:
    """Freezes boards, forecasts and citation as an edition that never changes; returns its folder."""
    from bench.publish import freezing

    return freezing.freeze(Workspace.at(root).registry, name, waiting)


def reproduce(
    entries: Iterable[str], *, dataset: str | None = None, split: str | None = None, tasks: Iterable[str] = (),
    day: str | None = None, jobs: int | None = None, any_bars: bool = False, root: Root = None,
    watch: Watch = no_watch, waiting: Callable[[], None] = quietly,
) -> tuple[list[Attempt], list[Path]]:  # fmt: skip
    """Runs entries again and compares with the published forecasts; marks what is the same, on boards too.

    Returns an attempt a result and the boards written. `day` is the ISO date of the records, today where None.
    """
    from bench.publish import reproduction

    work = Workspace.at(root)
    try:
        day = (date.fromisoformat(day) if day else date.today()).isoformat()
    except ValueError:
        raise BenchError(f"{day} is no day: write it as {date.today().isoformat()}") from None
    attempts = reproduction.reproduce(
        work.registry, work.catalogue.select(list(entries)), work.dataset(dataset).id, work.split(split), list(tasks),
        day=day, jobs=jobs or work.cores, any_bars=any_bars, watch=watch,
    )  # fmt: skip
    return attempts, reproduction.keep(work.registry, attempts, waiting)


def cite(
    entry: str | None = None, *, edition: str | None = None, dataset: str | None = None, root: Root = None
) -> Citation:
    """How the benchmark is cited, or one of its entries with its score: references, BibTeX, and notes on them.

    >>> cite("log-har", edition="2026.1").release.edition
    '2026.1'
    """
    from bench.publish import cited

    work = Workspace.at(root)
    return cited.cite(work.registry, work.catalogue, entry, edition=edition, dataset=dataset)


def _known(work: Workspace, events: Iterable[Event], entries: Iterable[str]) -> None:
    known = {event.key.label for event in events} | set(work.catalogue.entries)
    for entry in entries:
        if entry not in known:
            raise BenchError(f"no entry `{entry}`{did_you_mean(entry, known)}")

"""The ledger of results: `results/ledger.jsonl`, one line for each result accepted, replaced or withdrawn.

Lines are only ever added. Replayed, they give the results that count now; what lies in the results folder must be
just these. Rows of derived tasks and results without forecasts (failed, skipped) are no events.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from pydantic import ValidationError

from bench import store
from bench.errors import StorageError
from bench.files import from_json, write_atomic
from bench.store import DONE, MISSING, Place, Run

NAME = "ledger.jsonl"
Kind = Literal["accepted", "replaced", "withdrawn"]
ACCEPTED, REPLACED, WITHDRAWN = get_args(Kind)
"""What may happen to a result."""


class Key(NamedTuple):
    """Which result a line is about; `study` is empty for rows of the board."""

    dataset: str
    split: str
    task: str
    entry: str
    study: str | None = None

    @classmethod
    def of(cls, place: Place) -> Key:
        """That of a place."""
        return cls(place.dataset, place.split, place.task, place.entry, place.study)

    @property
    def label(self) -> str:
        """What it is named by: an entry of the board by its name, a variant as `study/variant`."""
        return f"{self.study}/{self.entry}" if self.study else self.entry

    def place(self, results: Path) -> Place:
        """Where it lies in a results folder."""
        return Place(results, *self)

    def __str__(self) -> str:
        return f"{self.entry} ({self.dataset} {self.split} {self.task}{f', study {self.study}' if self.study else ''})"


@dataclass(frozen=True)
class Replaced:
    """The result that another one takes the place of."""

    version: str
    identity: str


@dataclass(frozen=True)
class Event:
    """One line; `digest` is that of the forecasts, `reason` why a result was withdrawn."""

    event: Kind
    dataset: str
    split: str
    task: str
    entry: str
    version: str
    protocol: str
    identity: str
    digest: str
    study: str | None = None
    replaces: Replaced | None = None
    reason: str | None = None

    @property
    def key(self) -> Key:
        """Which result it is about."""
        return Key(self.dataset, self.split, self.task, self.entry, self.study)

    def plain(self) -> dict[str, Any]:
        """Its values by name, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value is not None}


State = dict[Key, Event]
"""The results that count: by key, the event that made each of them so."""


def read_events(results: Path) -> list[Event]:
    """Returns the lines of a results folder's ledger, none where there is no file; a `StorageError` names a bad one."""
    path = results / NAME
    try:
        lines = path.read_bytes().splitlines() if path.is_file() else []
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(from_json(Event, line))
        except ValidationError as error:
            problem = error.errors()[0]
            said = ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
            raise StorageError(f"{NAME}:{number}: is no event: {said}") from error
    return events


def select(
    events: Iterable[Event],
    dataset: str | None = None,
    split: str | None = None,
    tasks: Collection[str] = (),
    entries: Collection[str] = (),
) -> list[Event]:
    """The events of a dataset, split, some tasks and entries; None and nothing stand for all."""
    return [
        event
        for event in events
        if dataset in (None, event.dataset)
        and split in (None, event.split)
        and (not tasks or event.task in tasks)
        and (not entries or event.key.label in entries)
    ]


def replay(events: Iterable[Event]) -> State:
    """Returns the results that count after these events.

    Raises a `StorageError` with the number of the first line that does not follow from those before it: what is
    replaced or withdrawn must be what counts, and a version stands for one identity and one digest of forecasts under
    one protocol, be it withdrawn in between.
    """
    state: State = {}
    seen: dict[tuple[Key, str, str], Event] = {}
    for number, event in enumerate(events, start=1):
        problem = _why_not(event, state.get(event.key), seen)
        if problem:
            raise StorageError(f"{NAME}:{number}: {event.key}: {problem}")
        seen[event.key, event.protocol, event.version] = event
        if event.event == WITHDRAWN:
            del state[event.key]
        else:
            state[event.key] = event
    return state


def _why_not(event: Event, before: Event | None, seen: dict[tuple[Key, str, str], Event]) -> str | None:
    """Why an event cannot follow on what counted before; None if it can."""
    if event.event == ACCEPTED:
        if before is not None:
            return f"accepted, but version {before.version} ({before.identity[:12]}) counts already: it is replaced"
    elif before is None:
        return f"{event.event}, but no result of it counts"
    elif event.event == WITHDRAWN:
        if (event.identity, event.digest) != (before.identity, before.digest):
            return f"withdraws {event.identity[:12]}, but {before.identity[:12]} counts"
        if not event.reason:
            return "withdrawn without a reason"
    elif event.replaces is None or event.replaces.identity != before.identity:
        said = event.replaces.identity[:12] if event.replaces else "nothing"
        return f"replaces {said}, but {before.identity[:12]} counts"
    elif (event.version, event.protocol) == (before.version, before.protocol):
        return (
            f"forecasts changed without a new version: version {event.version} stands for {_short(before)}, now "
            f"{_short(event)}; raise `version` in submission.yaml and run again, or restore what was accepted"
        )
    other = seen.get((event.key, event.protocol, event.version), event)
    if (other.identity, other.digest) != (event.identity, event.digest):
        return (
            f"version {event.version} stood for {_short(other)} before, now for {_short(event)}: "
            "choose a version that was not used yet"
        )
    return None


def _short(event: Event) -> str:
    return f"identity {event.identity[:12]}, digest {event.digest[:12]}"


# Results and ledger ---------------------------------------------------------------------------------


def finished(results: Path) -> dict[Key, Run]:
    """The results with forecasts that lie in a results folder."""
    runs = {Key.of(place): store.read_run(place) for place in store.all_places(results)}
    return {key: run for key, run in runs.items() if run is not None and run.state == DONE}


def _differing(state: State, runs: Mapping[Key, Run]) -> Iterator[tuple[Key, Event | None, Run | None]]:
    """In which results a ledger and a folder differ, sorted: both sides, None for the one that lacks it."""
    for key in sorted({*state, *runs}, key=str):
        event, run = state.get(key), runs.get(key)
        if event is None or run is None or (event.identity, event.digest) != (run.identity, run.digest):
            yield key, event, run


def gaps(state: State, runs: Mapping[Key, Run]) -> Iterator[tuple[Key, str]]:
    """Yields where a ledger's results and those that lie in a folder differ: both sides, and how to mend it."""
    update = "run `bench ledger --update`"
    for key, event, run in _differing(state, runs):
        here = f"identity {run.identity[:12]}" if run else ""
        if event is None:
            yield key, f"{here} is not in the ledger: {update}"
        elif run is None:
            gone = f"the ledger has identity {event.identity[:12]}, but no finished result lies here"
            yield key, f"{gone}: restore it (`git checkout`), or withdraw it: {how_to_withdraw(key)}"
        else:
            is_new = (run.version, run.protocol) != (event.version, event.protocol)
            again = "restore it (`git checkout`), raise its version and run again, or withdraw it: "
            mend = update if is_new else again + how_to_withdraw(key)
            yield key, f"{here}, digest {(run.digest or 'none')[:12]}; the ledger has {_short(event)}: {mend}"


def how_to_withdraw(key: Key) -> str:
    """The command that takes a result away."""
    return f'`bench ledger --withdraw {key.label} --dataset {key.dataset} --reason "..."`'


def pending(results: Path) -> list[Event]:
    """Returns the events that lead from a folder's ledger to the results in it, sorted by result.

    A result whose place a failure of another version took is withdrawn, with that as the reason. Raises a
    `StorageError` where one is gone without a trace: that is a withdrawal, and its reason a person's to give.
    """
    events, gone = [], []
    for key, before, run in _differing(replay(read_events(results)), finished(results)):
        if run is not None:
            replaces = Replaced(before.version, before.identity) if before else None
            kind, digest = REPLACED if before else ACCEPTED, run.digest or ""
            events.append(Event(kind, *key[:4], run.version, run.protocol, run.identity, digest, key.study, replaces))
        elif before is not None:
            failed = store.read_run(key.place(results))
            if failed is None or failed.state in (DONE, MISSING):
                gone.append(str(key))
            else:
                events.append(withdrawal(before, f"version {failed.version} {failed.state}: {failed.reason}"))
    if gone:
        raise StorageError(
            f"in the ledger, but no finished result: {'; '.join(gone)}. Restore them, or withdraw them with "
            '`bench ledger --withdraw ENTRY --dataset DATASET --reason "..."`'
        )
    return events


def withdrawal(before: Event, reason: str) -> Event:
    """The event that takes a result away."""
    return replace(before, event=WITHDRAWN, replaces=None, reason=reason)


def append(results: Path, events: list[Event]) -> None:
    """Add events to the ledger of a results folder, all or none; a `StorageError` where they do not follow."""
    if not events:
        return
    path = results / NAME
    replay([*read_events(results), *events])
    old = path.read_bytes() if path.is_file() else b""
    end = b"" if old.endswith(b"\n") or not old else b"\n"
    lines = (json.dumps(event.plain(), ensure_ascii=False) + "\n" for event in events)
    write_atomic(path, old + end + "".join(lines).encode())

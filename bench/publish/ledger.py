"""The ledger of results: `results/ledger.jsonl`, one line for each result accepted, replaced or withdrawn.

Lines are only ever added. Replayed, they give the results that count now; what lies in the results folder must be
just these. Rows of derived tasks and results without forecasts (failed, skipped) are no events.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import TypeAdapter, ValidationError

from bench import store
from bench.errors import StorageError
from bench.files import write_atomic
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

    def line(self) -> str:
        """The line of the ledger, without what is empty."""
        return json.dumps(
            {name: value for name, value in asdict(self).items() if value is not None}, ensure_ascii=False
        )


State = dict[Key, Event]
"""The results that count: by key, the event that made each of them so."""


@cache
def _event_adapter() -> TypeAdapter[Event]:
    return TypeAdapter(Event)


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
            events.append(_event_adapter().validate_json(line))
        except ValidationError as error:
            problem = error.errors()[0]
            where = ".".join(map(str, problem["loc"]))
            raise StorageError(
                f"{NAME}:{number}: is no event: {f'{where}: ' if where else ''}{problem['msg']}"
            ) from error
    return events


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


def gaps(state: State, runs: dict[Key, Run]) -> list[tuple[Key, str]]:
    """Where a ledger's results and those that lie in a folder differ: which one, both sides, and how to mend it."""
    update = "run `bench ledger --update`"
    found = []
    for key in sorted({*state, *runs}, key=str):
        event, run = state.get(key), runs.get(key)
        if event is None and run is not None:
            found.append((key, f"identity {run.identity[:12]} is not in the ledger: {update}"))
        elif event is not None and run is None:
            gone = f"the ledger has identity {event.identity[:12]}, but no finished result lies here"
            found.append((key, f"{gone}: restore it (`git checkout`), or withdraw it: {how_to_withdraw(key)}"))
        elif event is not None and run is not None:
            here = f"identity {run.identity[:12]}, digest {(run.digest or 'none')[:12]}"
            if _short(event) != here:
                is_new = (run.version, run.identity_of.get("protocol")) != (event.version, event.protocol)
                mend = update if is_new else (
                    "restore it (`git checkout`), raise its version and run again, or withdraw it: "
                    + how_to_withdraw(key)
                )  # fmt: skip
                found.append((key, f"{here}; the ledger has {_short(event)}: {mend}"))
    return found


def how_to_withdraw(key: Key) -> str:
    """The command that takes a result away."""
    return f'`bench ledger --withdraw {key.label} --dataset {key.dataset} --reason "..."`'


def changes(state: State, results: Path) -> list[Event]:
    """Returns the events that lead from a ledger's results to those in a folder, sorted by result.

    A result whose place a failure of another version took is withdrawn, with that as the reason. Raises a
    `StorageError` where one is gone without a trace: that is a withdrawal, and its reason a person's to give.
    """
    runs = finished(results)
    events, gone = [], []
    for key in sorted({*state, *runs}, key=str):
        before, run = state.get(key), runs.get(key)
        if run is None and before is not None:
            reason = _failure(key.place(results))
            if reason is None:
                gone.append(str(key))
            else:
                events.append(withdrawal(before, reason))
        elif run is not None and (before is None or (run.identity, run.digest) != (before.identity, before.digest)):
            events.append(_arrival(key, run, before))
    if gone:
        raise StorageError(
            f"in the ledger, but no finished result: {'; '.join(gone)}. Restore them, or withdraw them with "
            '`bench ledger --withdraw ENTRY --dataset DATASET --reason "..."`'
        )
    return events


def _failure(place: Place) -> str | None:
    """Why a result of another version stands here without forecasts, if one does."""
    run = store.read_run(place)
    if run is None or run.state in (DONE, MISSING):
        return None
    return f"version {run.version} {run.state}: {run.reason}"


def _arrival(key: Key, run: Run, before: Event | None) -> Event:
    return Event(
        event=REPLACED if before else ACCEPTED,
        **key._asdict(),
        version=run.version,
        protocol=str(run.identity_of.get("protocol", "")),
        identity=run.identity,
        digest=run.digest or "",
        replaces=Replaced(before.version, before.identity) if before else None,
    )


def withdrawal(before: Event, reason: str) -> Event:
    """The event that takes a result away."""
    return Event(**{**vars(before), "event": WITHDRAWN, "replaces": None, "reason": reason})


def append(results: Path, events: list[Event]) -> None:
    """Add events to the ledger of a results folder, all or none; a `StorageError` where they do not follow."""
    if not events:
        return
    path = results / NAME
    replay([*read_events(results), *events])
    old = path.read_bytes() if path.is_file() else b""
    end = b"" if old.endswith(b"\n") or not old else b"\n"
    write_atomic(path, old + end + "".join(f"{event.line()}\n" for event in events).encode())


def withdraw(results: Path, wanted: Iterable[Event], reason: str) -> list[Event]:
    """Remove finished results and say so in the ledger, with the reason; returns the events.

    The record of a failure that stands in a result's place stays: it is a result too. Folders go first: what was
    interrupted between the two is finished by the same call, and never accepted again.
    """
    events = [withdrawal(event, reason) for event in wanted]
    for event in events:
        place = event.key.place(results)
        run = store.read_run(place)
        if run is None or run.state == DONE:
            store.remove_result(place)
    append(results, events)
    return events

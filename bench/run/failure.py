"""How an entry fails, and the words of strangers made safe to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.store import Failure, FailureKind, Frame, Where

MOST_FRAMES = 5


class EntryFailure(Exception):
    """An entry broke off, overran a limit or answered nonsense: raised where that is seen, with its kind."""

    def __init__(self, kind: FailureKind, reason: str, traceback: str = "", frames: Any = None) -> None:
        super().__init__(reason)
        self.failure = Failure(kind, printable(reason), printable(traceback, keep="\n"))
        self._frames = _frames(frames)

    def at(self, phase: str, session: str | None = None) -> EntryFailure:
        """The same with where it was, which the reason says too where the entry's own words are all that it has."""
        where = Where(phase, session, self._frames)
        told = self.failure.kind in ("raised", "protocol", "shape") and str(session) not in self.failure.reason
        reason = f"{self.failure.reason} ({where})" if told else self.failure.reason
        self.failure = replace(self.failure, reason=reason, where=where)
        return self

    def __str__(self) -> str:
        return self.failure.reason

    def warned(self, seen: Mapping[str, int]) -> Failure:
        """The failure, with the warnings that the entry had before it."""
        return replace(self.failure, warned=dict(seen))


class Stopped(Exception):
    """The run was asked to stop."""


def printable(text: str, keep: str = "", most: int = 8000) -> str:
    """Text of a stranger without control characters (terminal escapes, newlines) and not too long."""
    return "".join(c if c.isprintable() or c in keep else " " for c in text)[:most]


def _frames(told: Any) -> list[Frame]:
    """Frames as a worker tells them, or what its entry made of them."""
    fields = [frame for frame in told if isinstance(frame, dict)] if isinstance(told, list) else []
    return [
        Frame(printable(str(frame.get("file")))[:200], line, printable(str(frame.get("function")))[:100])
        for frame in fields[-MOST_FRAMES:] if type(line := frame.get("line")) is int
    ]  # fmt: skip

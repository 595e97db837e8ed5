"""How an entry fails, and the words of strangers made safe to show."""

from __future__ import annotations

from bench.store import Failure, FailureKind


class EntryFailure(Exception):
    """An entry broke off, overran a limit or answered nonsense: raised where that is seen, with its kind."""

    def __init__(self, kind: FailureKind, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.failure = Failure(kind, printable(reason), printable(traceback, keep="\n"))


class Stopped(Exception):
    """The run was asked to stop."""


def printable(text: str, keep: str = "") -> str:
    """Text of a stranger without control characters (terminal escapes, newlines) and not too long."""
    return "".join(c if c.isprintable() or c in keep else " " for c in text)[:8000]

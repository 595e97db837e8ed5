"""How an entry fails, and the words of strangers made safe to show."""

from __future__ import annotations


class EntryFailure(Exception):
    """An entry broke off, overran a limit or answered nonsense: `reason`, and the end of its traceback."""

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.reason = printable(reason)
        self.traceback = printable(traceback, keep="\n")


class Stopped(Exception):
    """The run was asked to stop."""


def printable(text: str, keep: str = "") -> str:
    """Text of a stranger without control characters (terminal escapes, newlines) and not too long."""
    return "".join(c if c.isprintable() or c in keep else " " for c in text)[:8000]

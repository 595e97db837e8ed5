"""The errors that are shown to people as one line, never as a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """A mistake outside the code (input, usage, disk): the message names what, where and how to mend it."""

    exit_code = 2


class DataError(BenchError):
    """Bars that are missing, unsound or not the ones a board was made from."""


class StorageError(BenchError):
    """Results that could not be written or read."""

    exit_code = 1


class EntryError(BenchError):
    """An entry that is tried out does not keep to the interface."""

    exit_code = 1


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns ` (did you mean `x`?)` where a known name is close, else the known names.

    >>> did_you_mean("garhc", ["garch", "har"])
    ' (did you mean `garch`?)'
    >>> did_you_mean("zzz", ["garch", "har"])
    ' (known: garch, har)'
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f" (did you mean `{close[0]}`?)"
    return f" (known: {', '.join(names)})" if names else ""

"""Work in a second process, beside what this one does meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T]) -> Callable[[], T]:
    """Starts work in a fork of this process; returns what waits for its result, which is sent through a pipe.

    The work is done here instead, when its result is asked for, where there is one processor, where a fork is not safe
    (macOS, Windows), and where the fork failed: so an error is raised here, with its words.

    >>> answer = aside(lambda: 6 * 7)
    >>> answer()
    42
    """
    if sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2:
        return work
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def there() -> None:
        with suppress(Exception):
            theirs.send(work())

    child = context.Process(target=there, daemon=True)
    with warnings.catch_warnings():  # of threads that a fork lacks: those of OpenBLAS and Arrow are started again in it
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            child.start()
        except OSError:  # no process to be had
            return work
    theirs.close()

    def wait() -> T:
        try:
            result: Any = ours.recv()
        except (EOFError, OSError):  # it ended without a result, or in the middle of one
            return work()
        finally:
            child.join()
        return result  # type: ignore[no-any-return]

    return wait

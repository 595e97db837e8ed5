"""Walks that advance in step, so that none has seen a day which another has still to forecast.

Walks of one family run the same stranger's code, at the same time, on the same machine: whatever way they find to tell
each other something, one that is ahead must not be there to tell.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NOT_BEGUN = -1
LOOK_SECONDS = 0.2
Look = Callable[[], None]


class Pace:
    """So many walks on one panel: none is handed a session before all others that still run have answered the one
    before it. All of them must run at the same time.
    """

    def __init__(self, walks: int) -> None:
        self._answered = dict.fromkeys(range(walks), NOT_BEGUN)
        self._changed = threading.Condition()

    @contextmanager
    def walk(self, number: int) -> Iterator[Step]:
        """The part of one walk; when it leaves, however it ends, the others no longer wait for it."""
        try:
            yield Step(self, number)
        finally:
            with self._changed:
                del self._answered[number]
                self._changed.notify_all()

    def set(self, number: int, session: int) -> None:
        """Note that a walk has answered a session."""
        with self._changed:
            self._answered[number] = session
            self._changed.notify_all()

    def wait(self, number: int, session: int, look: Look) -> None:
        """Wait until all others have answered this session; `look` is called now and then meanwhile, and may raise."""
        with self._changed:
            while any(answered < session for other, answered in self._answered.items() if other != number):
                if not self._changed.wait(LOOK_SECONDS):
                    look()


class Step:
    """One walk's own side of a pace."""

    def __init__(self, pace: Pace, number: int) -> None:
        self._pace, self._number = pace, number

    def begin(self, first: int) -> None:
        """Say which session is the first to be answered; until then the others wait."""
        self._pace.set(self._number, first - 1)

    def answered(self, session: int) -> None:
        """Say that a session is answered."""
        self._pace.set(self._number, session)

    def wait(self, session: int, look: Look) -> None:
        """Wait until this walk may be handed a session."""
        self._pace.wait(self._number, session - 1, look)


def alone() -> Step:
    """The step of a walk that waits for nobody."""
    return Step(Pace(1), 0)

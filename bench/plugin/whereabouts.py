"""Where in an entry's own files something happened: the frames of an exception, and warnings of numerical trouble.

Standard library alone.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import PurePath
from traceback import walk_tb
from types import CodeType, FrameType
from typing import Any

MOST_FRAMES = 5
"""Frames that are told, the innermost ones."""
MOST_WARNINGS = 20
"""Places of warnings that are told of one entry."""


def frames_of(error: BaseException, stage: str) -> list[dict[str, Any]]:
    """Returns the frames of the entry's own files that an exception came through, outermost first.

    Each has `file` (below the entry's folder), `line` and `function`; a file that cannot be parsed is the last one.
    """
    found = [_frame(frame.f_code, line, stage) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename is not None and (file := _own(error.filename, stage)):
        found.append({"file": file, "line": error.lineno or 0, "function": "<module>"})
    return [frame for frame in found if frame is not None][-MOST_FRAMES:]


def _frame(code: CodeType, line: int, stage: str) -> dict[str, Any] | None:
    file = _own(code.co_filename, stage)
    return None if file is None else {"file": file, "line": line, "function": code.co_name}


def _own(file: str, stage: str) -> str | None:
    """The path of an entry's file below its folder; None of any other file."""
    top = f"{stage}{os.sep}entry{os.sep}"
    return PurePath(file.removeprefix(top)).as_posix() if file.startswith(top) else None


class Warned:
    """Counts the RuntimeWarnings of an entry by what and where; they are written to stderr as ever, each once."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._counts: dict[str, int] = {}
        self._told: dict[str, int] = {}

    def start(self) -> None:
        """Count from now on."""
        shown = warnings.showwarning

        def show(message: Any, category: type[Warning], filename: str, lineno: int, *rest: Any, **more: Any) -> None:
            if not issubclass(category, RuntimeWarning):
                shown(message, category, filename, lineno, *rest, **more)
                return
            what = f"{category.__name__}: {message} ({self._place(filename, lineno)})"
            if what not in self._counts and len(self._counts) >= MOST_WARNINGS:
                return
            self._counts[what] = self._counts.get(what, 0) + 1
            if self._counts[what] == 1:
                shown(message, category, filename, lineno, *rest, **more)

        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = show

    def news(self) -> Iterator[dict[str, Any]]:
        """What has been seen for the first time, or has doubled since it was told: `what` and how often."""
        for what, count in list(self._counts.items()):
            if count >= 2 * self._told.get(what, 0):
                self._told[what] = count
                yield {"what": what, "count": count}

    def _place(self, filename: str, lineno: int) -> str:
        """The innermost line of the entry's own that led here, or the line itself."""
        file = _own(filename, self._stage)
        frame: FrameType | None = sys._getframe(1)
        while file is None and frame is not None:
            file, lineno = _own(frame.f_code.co_filename, self._stage), frame.f_lineno
            frame = frame.f_back
        return f"{file}:{lineno}" if file else PurePath(filename).name

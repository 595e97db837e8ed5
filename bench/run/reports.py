"""What a worker reports besides its answers: records, artifacts, progress, warnings; checked, since a stranger's."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.run.failure import EntryFailure, printable

ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
LEAST_REPORT = 256
"""Bytes that the smallest record counts for: a flood of empty ones is a flood."""
MAX_DEPTH = 8
MOST_WARNINGS, MOST_WARNING = 20, 300
"""Warnings that are kept of an entry, and letters of each."""
MALFORMED = "sent a malformed message on the harness's pipe"


def cleaned(value: Any, depth: int = 0) -> Any:
    """A stranger's JSON value as it can be kept: printable text, finite numbers, not nested without end."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return "nested too deeply"
    if isinstance(value, dict):
        return {printable(str(key)): cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, depth + 1) for item in value]
    return value


class Reports:
    """Those of one worker: `kept` has kind, facts and array of each; `warned` how often a warning was seen at least."""

    def __init__(self, most_mb: float, progressed: Callable[[dict[str, Any]], None]) -> None:
        self.kept: list[tuple[str, dict[str, Any], NDArray[np.float64] | None]] = []
        self.warned: dict[str, int] = {}
        self._most_mb, self._progressed, self._bytes = most_mb, progressed, 0

    def keep(self, meta: dict[str, Any], payload: bytes) -> None:
        """Keep a record, an artifact or a warning, pass on progress; raises `EntryFailure` for anything else."""
        facts = cleaned(meta.get("facts"))
        if not isinstance(facts, dict):
            raise EntryFailure("protocol", MALFORMED)
        if meta.get("kind") == "progress":
            self._progressed(facts)
            return
        if meta.get("kind") == "warned":
            self._warn(facts)
            return
        self._bytes += max(LEAST_REPORT, len(payload) + len(json.dumps(facts)))
        if self._bytes > self._most_mb * 2**20:
            raise EntryFailure("output", f"records and artifacts exceed {self._most_mb:g} MB")
        array = None
        if meta.get("kind") in ("artifact", "weights"):
            name = facts.get("name")
            if not isinstance(name, str) or not ARTIFACT_NAME.fullmatch(name) or ".." in name:
                raise EntryFailure(
                    "protocol", f"an artifact's name is letters, digits and ._/- (not {str(name)[:40]!r})"
                )
            try:
                array = np.frombuffer(payload, dtype="<f8").reshape(meta.get("shape"))
            except (ValueError, TypeError) as error:
                raise EntryFailure("protocol", "sent an artifact whose shape does not fit its size") from error
        self.kept.append((str(meta.get("kind")), facts, array))

    def _warn(self, facts: dict[str, Any]) -> None:
        what, count = str(facts.get("what"))[:MOST_WARNING], facts.get("count")
        if type(count) is int and (what in self.warned or len(self.warned) < MOST_WARNINGS):
            self.warned[what] = count

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
MOST_RECORDS = 32 * 2**10
"""Bytes that the records of a seed may have as JSON, kept with its result; what comes after is left out and counted."""
MOST_ARTIFACTS = 256 * 2**10
"""Bytes that the artifacts of a seed may have."""
MOST_DIMENSIONS = 4
LARGEST = 1e100
"""What a number may be in size: sums and squares of it are floats."""
MALFORMED = "sent a malformed message on the harness's pipe"


def cleaned(value: Any, depth: int = 0) -> Any:
    """A stranger's JSON value as it can be kept: printable text, finite numbers, not nested without end.

    Raises `EntryFailure` for a number that is too large to be read back as a float.
    """
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int | float) and abs(value) > LARGEST:
        raise EntryFailure("output", f"reported a number beyond {LARGEST:g} in size")
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return "nested too deeply"
    if isinstance(value, dict):
        return {printable(str(key)): cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, depth + 1) for item in value]
    return value


def kept_records(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the records of a seed as far as they are kept; a warning at the end says how many are not.

    >>> kept_records([{"rows": 250}])
    [{'rows': 250}]
    """
    kept: list[dict[str, Any]] = []
    used = 0
    for record in records:
        used += len(json.dumps(record))
        if used > MOST_RECORDS:
            left_out = len(records) - len(kept)
            return [*kept, {"warning": f"{left_out} records left out: a seed keeps {MOST_RECORDS:,} bytes of them"}]
        kept.append(record)
    return kept


def _array(facts: dict[str, Any], shape: Any, payload: bytes) -> tuple[str, NDArray[np.float64]]:
    """Name and values of an artifact or of weights; an `EntryFailure` in plain words where it is none."""
    name = facts.get("name")
    if not isinstance(name, str) or not ARTIFACT_NAME.fullmatch(name) or ".." in name:
        raise EntryFailure("protocol", f"an artifact's name is letters, digits and ._/- (not {str(name)[:40]!r})")
    try:
        return name, np.frombuffer(payload, dtype="<f8").reshape(shape)
    except (ValueError, TypeError, OverflowError) as error:
        raise EntryFailure("protocol", "sent an artifact whose shape does not fit its size") from error


def check_artifacts(artifacts: dict[str, NDArray[np.float64]]) -> None:
    """An `EntryFailure` where the artifacts of a seed have more bytes than are kept."""
    if sum(array.nbytes for array in artifacts.values()) > MOST_ARTIFACTS:
        raise EntryFailure("output", f"artifacts exceed {MOST_ARTIFACTS >> 10} kB, what a seed may keep")


class Reports:
    """Those of one worker: `kept` has kind, facts and array of each; `warned` how often a warning was seen at least."""

    def __init__(self, most_mb: float, progressed: Callable[[dict[str, Any]], None]) -> None:
        self.kept: list[tuple[str, dict[str, Any], NDArray[np.float64] | None]] = []
        self.warned: dict[str, int] = {}
        self._artifacts: dict[str, NDArray[np.float64]] = {}
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
        kind, array = str(meta.get("kind")), None
        if kind in ("artifact", "weights"):
            name, array = _array(facts, meta.get("shape"), payload)
            if kind == "artifact":
                self._check_artifact(name, array)
        self.kept.append((kind, facts, array))

    def _check_artifact(self, name: str, array: NDArray[np.float64]) -> None:
        if not array.size or array.ndim > MOST_DIMENSIONS:
            what = f"it has at most {MOST_DIMENSIONS} dimensions, none of them empty"
            raise EntryFailure("output", f"the artifact {name} has the shape {array.shape}: {what}")
        if not (np.abs(array) <= LARGEST).all():
            raise EntryFailure("output", f"the artifact {name} has values that are not finite, or beyond {LARGEST:g}")
        self._artifacts[name] = array  # a later one replaces it
        check_artifacts(self._artifacts)

    def _warn(self, facts: dict[str, Any]) -> None:
        what, count = str(facts.get("what"))[:MOST_WARNING], facts.get("count")
        if type(count) is int and (what in self.warned or len(self.warned) < MOST_WARNINGS):
            self.warned[what] = count

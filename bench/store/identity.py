"""What makes a result what it is: the same parts, the same forecasts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from bench.plugin.tasks import Task
from bench.registry.config import Dataset, Settings
from bench.registry.entries import Entry

SHOWN = 60
"""Characters of a part of an identity that a message shows."""


def identity_from(parts: dict[str, Any]) -> str:
    """The identity of a result: sha256 of what its forecasts depend on, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def differing_parts(made: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Returns the parts in which two identities differ, by name with both values as they are shown."""
    now = json.loads(json.dumps(now))
    names = [*now, *(name for name in made if name not in now)]
    return [
        (name, str(made.get(name))[:SHOWN], str(now.get(name))[:SHOWN])
        for name in names
        if made.get(name) != now.get(name)
    ]


def identity_of(
    settings: Settings, dataset: Dataset, split_name: str, data_identity: str, entry: Entry, task: Task
) -> dict[str, Any]:
    """What makes a result what it is, apart from its seed: the same values give the same forecasts."""
    longest = max(each.ahead for each in settings.path_tasks.values()) if entry.is_path else None
    return {
        "protocol": settings.protocol,
        "version": entry.row.version,
        "code": entry.code_digest(),
        "class": entry.row.target,
        "parameters": entry.row.parameters,
        "reads": entry.row.reads,
        "refit": entry.row.refit,
        "seeds": entry.row.seeds,
        "task": {"path": longest} if entry.is_path else asdict(task),
        "measure": dataset.measure,
        "windows": dataset.split(split_name).model_dump(mode="json"),
        "data": data_identity,
    }

"""What makes a result what it is: the same parts, the same forecasts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from bench.plugin.tasks import Task
from bench.registry.entries import Entry
from bench.store.places import Scope
from bench.store.records import Run

SHOWN = 60
"""Characters of a part of an identity that a message shows."""


def identity_from(parts: dict[str, Any]) -> str:
    """The identity of a result: sha256 of what its forecasts depend on, as JSON with sorted keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def rules_of(scope: Scope) -> dict[str, Any]:
    """The parts of an identity that are the same for every result of a scope."""
    return {
        "protocol": scope.settings.protocol,
        "measure": scope.dataset.measure,
        "windows": scope.windows.model_dump(mode="json"),
    }


def identity_of(scope: Scope, entry: Entry, task: Task, data_identity: str) -> dict[str, Any]:
    """What makes a result what it is, apart from its seed: the same values give the same forecasts."""
    rules = rules_of(scope)
    return {
        "protocol": rules["protocol"],
        "version": entry.row.version,
        "code": entry.code_digest(),
        "class": entry.row.target,
        "parameters": entry.row.parameters,
        "reads": entry.row.reads,
        "refit": entry.row.refit,
        "seeds": entry.row.seeds,
        "task": {"path": scope.settings.longest_path.ahead} if entry.is_path else asdict(task),
        "measure": rules["measure"],
        "windows": rules["windows"],
        "data": data_identity,
    }


def stale_parts(
    run: Run, scope: Scope, entry: Entry | None = None, data_identity: str | None = None
) -> list[tuple[str, str, str]]:
    """Returns the parts in which a result is not what would be made now: name, what it was made with, what is now.

    Empty where it is up to date. `entry`: the entry as it is now; None: the rules of the scope alone are compared.
    `data_identity`: the bars at hand; None: they are taken to be the result's.
    """
    if entry is None:
        now = rules_of(scope)
    else:
        now = identity_of(scope, entry, scope.settings.task(run.task), data_identity or run.data_identity)
    now, made = json.loads(json.dumps(now)), run.identity_of
    names = now if entry is None else {**now, **made}
    values = [(name, made.get(name), now.get(name)) for name in names]
    return [(name, str(was)[:SHOWN], str(is_)[:SHOWN]) for name, was, is_ in values if was != is_]

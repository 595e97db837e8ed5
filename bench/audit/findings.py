"""What a check says of an entry: findings, scores, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.audit.scores import Score
from bench.store import Trouble


@dataclass(frozen=True)
class Finding:
    """One line of a check; `passed` is None where it could not be told. `detail`: by what, or what to change."""

    check: str
    passed: bool | None
    detail: str = ""


@dataclass
class Report:
    """What was found of an entry on a dataset (None: before any data)."""

    entry: str
    dataset: str | None
    findings: list[Finding] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    trouble: Trouble = field(default_factory=Trouble)
    skipped: str | None = None

    @property
    def passed(self) -> bool:
        """Whether no finding speaks against it."""
        return all(finding.passed for finding in self.findings)

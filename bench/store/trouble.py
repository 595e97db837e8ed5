"""What is known of why an entry failed: where, what it was warned of, and the end of what it wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bench.store.places import Place
from bench.store.records import FAILED, Outcome, Run, Where
from bench.store.results import OUTPUT

LAST_LINES = 5
"""Lines of its output that are shown."""
WIDEST = 300
"""Characters of a line that are shown."""


@dataclass(frozen=True)
class Trouble:
    """Where an entry broke off, its frames outermost first, its counted RuntimeWarnings, the last lines that it wrote.

    `output` is the path of the file that keeps more of them, None where there is none.
    """

    where: str | None = None
    frames: list[str] = field(default_factory=list)
    warned: dict[str, int] = field(default_factory=dict)
    output: str | None = None
    last_lines: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, outcome: Outcome) -> Trouble:
        """That of a walk; nothing where it did not fail."""
        if outcome.failure is None:
            return cls()
        return _trouble(outcome.failure.where, outcome.failure.warned, outcome.output)

    @classmethod
    def at(cls, place: Place, run: Run) -> Trouble:
        """That of a stored result; nothing where it did not fail."""
        if run.state != FAILED:
            return cls()
        path = place.folder / OUTPUT
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return _trouble(run.where, run.warned, text, str(path) if text else None)

    @property
    def lines(self) -> list[str]:
        """A line for each thing that is known; none for what is not."""
        told = [f"where: {self.where}"] if self.where else []
        told += [f"through: {' > '.join(self.frames)}"] if len(self.frames) > 1 else []
        told += [f"warned {count} time{'s' * (count != 1)}: {what}" for what, count in self.warned.items()]
        if self.last_lines:
            told.append(f"it wrote last ({self.output}):" if self.output else "it wrote last:")
        return told + [f"  | {line}" for line in self.last_lines]


def _trouble(where: Where | None, warned: Mapping[str, int], output: str, path: str | None = None) -> Trouble:
    lines = [_printable(line) for line in output.splitlines() if line.strip()]
    frames = [_printable(str(frame)) for frame in (where.frames if where else [])]
    said = {_printable(what): count for what, count in warned.items()}
    return Trouble(_printable(str(where)) if where else None, frames, said, path, lines[-LAST_LINES:])


def _printable(line: str) -> str:
    """A stranger's line without what moves the cursor or colours the screen: files may come with a request."""
    return "".join(c if c.isprintable() else " " for c in line)[:WIDEST]

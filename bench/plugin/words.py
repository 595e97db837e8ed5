"""The words of metadata: tasks, what an entry may read, the names of measures. Needs the standard library alone."""

from __future__ import annotations

from dataclasses import dataclass

MEASURES = ("close-to-close", "parkinson", "garman-klass", "rogers-satchell", "garman-klass-overnight")
"""The measures that a `dataset.yaml` may name; `bench.plugin.measures` computes them."""
COLUMN = "column "
"""What the name of a measure begins with that is a column of the bars file: `column rv5`."""

READS: dict[str, tuple[str, ...]] = {
    "closes": ("close",),
    "bars": ("open", "high", "low", "close"),
    "volume": ("volume",),
    "vix": ("vix",),
    "cross-section": (),
}
"""What an entry may declare to read, and the fields that this hands to it. Everybody is handed `returns`,
`variance` (the measure that is forecast) and `realized`. `cross-section` says that forecasts of one symbol
use the others."""


def column_of(measure: str) -> str | None:
    """The column of the bars file that a measure is, None where it is computed from the prices.

    >>> column_of("column rv5"), column_of("parkinson")
    ('rv5', None)
    """
    return measure.removeprefix(COLUMN) if measure.startswith(COLUMN) else None


@dataclass(frozen=True)
class Task:
    """A target: the mean measure of `behind` known and `ahead` unknown sessions around an origin."""

    name: str
    ahead: int
    behind: int = 0

    @property
    def length(self) -> int:
        """Number of sessions that the target averages."""
        return self.ahead + self.behind


ONE_STEP = Task("one-step", ahead=1)
"""The next session's measure: what `History.realized` holds for an entry that forecasts paths."""

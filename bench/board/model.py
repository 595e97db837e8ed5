"""What a board holds: one object from which markdown, JSON, CSV and figures are made.

Every number has the digits of a board; None stands for what does not exist (no reference, no test possible).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from bench.stats.losses import SESSIONS_PER_YEAR
from bench.stats.metrics import RANKING, score_names

Scores = dict[str, int | float | None]


@dataclass(frozen=True)
class Test:
    """The panel test of a row's QLIKE against a reference's: two-sided, `mean_difference` negative: smaller loss.

    `p_holm` is adjusted over the rows tested against that reference; `other_p_value` is the unadjusted p of the
    protocol's other test.
    """

    statistic: float | None
    p_value: float | None
    p_holm: float | None
    mean_difference: float
    other_p_value: float | None


@dataclass(frozen=True)
class Conditional:
    """Giacomini-White against the skill reference, given the regime at the origin.

    `p_value`: equal loss in both regimes; `shift_p_value`: the same difference in both; `shift_p_holm` adjusted
    over rows. Differences of QLIKE, negative: the row's is smaller.
    """

    p_value: float | None
    shift_p_value: float | None
    shift_p_holm: float | None
    calm_difference: float
    crisis_difference: float


@dataclass(frozen=True)
class Row:
    """One entry on one task.

    `scores`: by the names of the table of metrics, with those of p values; in JSON and CSV they are fields of the row.
    `regimes`: by definition and regime, the number of sessions `n`, the metrics that are shown by regime, and the
    skill against the skill reference on the same sessions.
    """

    entry: str
    derived: bool
    tier: int
    set_p_value: float | None
    scores: Scores
    market_qlike: float | None
    true_qlike: float | None
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    wins: int | None
    symbols_better: int | None
    symbols_worse: int | None
    tests: dict[str, Test]
    regimes: dict[str, dict[str, Scores]]
    conditional: Conditional | None
    symbol_qlike: list[float | None]

    @property
    def qlike(self) -> float:
        """The score that orders the rows."""
        value = self.scores[RANKING.name]
        return math.nan if value is None else value


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row as they stand in JSON and CSV: scores among the others."""
    parts = (value if name == "scores" else {name: value} for name, value in row.items())
    return {name: value for part in parts for name, value in part.items()}


def _with_scores(row: Any) -> Any:
    """The fields of a flat row with its scores together again; a board may lack some of them."""
    if not isinstance(row, dict) or "scores" in row:
        return row
    return {**row, "scores": {name: row[name] for name in score_names() if name in row}}


@dataclass(frozen=True)
class Absent:
    """A result without scores: its state and the reason."""

    entry: str
    state: str
    reason: str


@dataclass(frozen=True)
class TaskTable:
    """All rows of one task, by tier and rising QLIKE.

    `derived_from`: the task whose forecasts imply the derived rows. `pair_p[i][j]`: the two-sided test of rows i
    and j, not adjusted. `gap`: the smallest difference from the anchor that such a sample would find 80 % of the
    time. `truth_agreement`: Kendall's tau of the order by proxy and by true variance, on simulated bars.
    """

    task: str
    ahead: int
    behind: int
    derived_from: str | None
    n_origins: int
    first_origin: str
    last_origin: str
    zero_targets: int
    method: str
    lags: int
    cosines: int
    n_symbols: int
    block: int
    gap: float | None
    truth_agreement: float | None
    regime_counts: dict[str, dict[str, int]]
    rows: list[Annotated[Row, BeforeValidator(_with_scores)]]
    absent: list[Absent]
    pair_p: list[list[float | None]]


@dataclass(frozen=True)
class Card:
    """What an entry reads, how it is run, and what it took.

    `seed_spread`: standard deviation over seeds of the QLIKE of single seeds on the headline task, None for one.
    `runs`: how many versions of its code were run on this split so far. `reproduced`: by task, the day on which its
    present forecasts were made again within the tolerance, None where they were not; `reproduced_on`: on what.
    `isolation`: the levels that shut it in, empty where unknown. `failures`: walks that had failed before these.
    """

    entry: str
    family: str
    version: str
    reads: list[str]
    refit: int | None
    seeds: int
    seed_spread: float | None
    tuned_on: str | None
    runs: int
    parameters: int | None
    fit_seconds: float
    forecast_ms: float
    peak_memory_mb: float
    warnings: int
    hardware: str
    reproduced: dict[str, str | None] = field(default_factory=dict)
    reproduced_on: str = ""
    isolation: list[str] = field(default_factory=list)
    failures: int = 0


@dataclass(frozen=True)
class OtherSplit:
    """An entry's place by QLIKE on this split and on another one, headline task."""

    entry: str
    qlike: float
    place: int
    other_qlike: float
    other_place: int
    tuned_on: str | None


@dataclass(frozen=True)
class Board:
    """One dataset on one split. The first reference is that of skill, the last the anchor of gaps and figures."""

    dataset: str
    title: str
    split: str
    study: str | None
    protocol: str
    measure: str
    noise_floor: float | None
    symbols: list[str]
    market: str | None
    data_identity: str
    windows: dict[str, list[str | None]]
    vix_crisis: float
    headline: str
    references: list[str]
    baseline: str
    other_split: str | None
    inputs: str
    conclusion: list[str] = field(default_factory=list)
    tables: list[TaskTable] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)
    luck: list[OtherSplit] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    undrawn: list[str] = field(default_factory=list)
    """A line for each figure that could not be drawn: which, and why."""
    sessions_per_year: int = SESSIONS_PER_YEAR

    @property
    def skill_reference(self) -> str:
        """The entry that skill is measured against."""
        return self.references[0]

    @property
    def anchor(self) -> str:
        """The entry that gaps, symbols and cumulated differences are measured against."""
        return self.references[-1]

    def table(self, task: str) -> TaskTable | None:
        """The table of a task, if there is one."""
        return next((table for table in self.tables if table.task == task), None)

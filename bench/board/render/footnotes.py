"""How to read a board: its footnotes, those of the table of metrics among them."""

from __future__ import annotations

from bench.board.model import Board
from bench.stats.metrics import METRICS, RANKING, footnotes

AFTER = {
    RANKING.group: """
Tier 1 is the 90 % model confidence set (Hansen, Lunde and Nason 2011; statistic T_max, stationary bootstrap
over days, 10,000 draws, mean block the square root of n or twice the horizon, whichever is longer): the entries
that cannot be excluded as the one of lowest expected loss. It is no claim of equality: two of its members may
differ in a test of the two, above all where a noisy row keeps others in. Further tiers repeat the procedure on
the rest: a reading aid without joint coverage. p in the set: the level at which a row would leave tier 1.

Skill: 1 less the geometric mean over symbols of QLIKE over that of `{reference}`, with its 90 % bootstrap
interval over days. Interval and p may disagree: 90 against 95 %, one row against all (Holm), a ratio by symbol
against a mean difference, whose signs may differ where both are small. In simulations the interval covers 88,
83 and 82 % at 1, 5 and 21 sessions (docs/size_and_power.md): one that just excludes 0 is weak evidence. Wins:
symbols on which the QLIKE is below that of `{reference}`.

p: two-sided, of equal QLIKE, on the daily mean over symbols (stock-days are not independent); ↓ the row's mean
loss is the smaller one, ↑ the larger one. Adjusted by Holm over the rows, for each reference and task on its
own. In brackets, and under GW p, change p and p of dir. acc., p-values are not adjusted. At one session the
Bartlett test rejects too often where differences last for weeks: believe the larger of the two.
""",
    METRICS["mse_var"].group: """
Averages are over days for each symbol, then over symbols; all rows are scored on the same cells.
""",
}
"""What follows the note of a group of metrics."""
CLOSING = """
Symbols better / worse: number of symbols on which a Diebold-Mariano test against `{anchor}` rejects at 5 %
(Holm over symbols). They move together, so the count is a description.

Month: the mean VIX close of the target's calendar month is below {threshold} (calm) or not (crisis), known only
afterwards: no test inside it. Origin: the VIX close at the origin; skill is on its sessions alone. GW:
Giacomini and White (2006), equal loss with `{reference}` in both regimes; change: that the difference in QLIKE
(not its ratio, the skill) is the same in both. With refits on growing samples both are statements about these
forecasts.

Smallest resolvable gap: 2.80 HAC standard errors of the daily mean difference, median over the first two tiers:
what one test at 5 % would find 80 % of the time for a typical pair.

Runs: versions of the entry's code that were run on this split so far. ± seeds: standard deviation of the QLIKE
of single seeds; the row is the mean variance over seeds. Seconds and milliseconds are summed over seeds and
over tasks that are run one by one; peak MB is of one worker; parameters are per symbol or, for pooled models,
per network. Tuned on: the split on which the entry's settings were chosen, where it says so. Forecasts:
reproduced, with the day, where a second run gave the same within the entry's tolerance (docs/reproduce.md), else
self-reported.
"""


def conventions(board: Board) -> str:
    """The footnotes, one a line; of the metrics those that the board has."""
    names = {name for table in board.tables for row in table.rows for name in row.scores} or set(METRICS)
    parts = [part for group, note in footnotes(names).items() for part in (note, AFTER.get(group, ""))]
    text = "\n\n".join(part.strip() for part in (*parts, CLOSING) if part).format(
        reference=board.skill_reference,
        anchor=board.anchor,
        baseline=board.baseline,
        threshold=f"{board.vix_crisis:g}",
        constant=_of_the_constant(board),
    )
    return "\n".join(f"- {' '.join(note.split())}" for note in text.split("\n\n"))


def _of_the_constant(board: Board) -> str:
    """The directional accuracy of the baseline, in words."""
    table = board.table(board.headline)
    found = [row.scores.get("direction") for row in table.rows if row.entry == board.baseline] if table else []
    return "".join(f" (here {100 * value:.0f} % on {board.headline})" for value in found if value is not None)

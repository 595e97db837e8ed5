"""A board as markdown."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from bench.board.model import Absent, Board, Card, Row, TaskTable
from bench.stats.regimes import CALM, CRISIS

READS = {"closes": "closes", "bars": "bars", "volume": "volume", "vix": "VIX", "cross-section": "cross-section"}
FIGURES = {
    "pairs": "p-values of all pairs of entries (panel test, two-sided, not adjusted)",
    "cumulated": "daily mean QLIKE saved against {anchor}, summed over the score window; crisis months are shaded",
    "volatility": "realised and forecast volatility of {market}",
    "scatter": "realised against forecast volatility of {market}",
    "cost": "QLIKE against seconds of fitting (resolved to a millisecond), with the Pareto front",
    "symbols": "QLIKE by symbol relative to {anchor}, in percent; colours end at 25 %; {market} is marked",
    "training": "losses by epoch of the entries that record them, with the epochs that were kept",
    "attention": "attention by lag of the entries that keep it",
}
"""The figures of a board, by file name, and what each shows."""
NONE = "-"


def render(board: Board) -> str:
    """Returns the board as markdown: head, conclusion, a section per task, costs, conventions."""
    parts = [_head(board), "## What the tests say", "\n".join(f"- {line}" for line in board.conclusion)]
    for table in board.tables:
        parts += [f"## {table.task}", _about(board, table), _scores(board, table), _absent(table.absent)]
        if table.rows:
            parts.append(_details("More scores", [_more(board, table)]))
            parts.append(_details("By regime", _regimes(board, table)))
        if any(row.true_qlike is not None for row in table.rows):
            parts.append(_truth(table))
    parts += [_figures(board), _luck(board)]
    parts += ["## What each entry reads and costs", _costs(board), "## How to read this", _conventions(board)]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_headline(board: Board, rows: int | None = None) -> str:
    """Returns the score table of the headline task, or its first rows."""
    table = board.table(board.headline)
    if table is None:
        return f"{board.dataset} {board.split}: no result of {board.headline}"
    parts = [f"{board.dataset} {board.split}, {table.task}", _scores(board, table, rows), _absent(table.absent)]
    return "\n\n".join(part for part in parts if part)


def grid(headers: list[str], rows: Iterable[list[str]], left: int = 1) -> str:
    """A markdown table; the first `left` columns are text."""
    align = ["left"] * left + ["right"] * (len(headers) - left)
    return tabulate(list(rows), headers=headers, tablefmt="github", colalign=align, disable_numparse=True)


def probability(p_value: float | None) -> str:
    """A p-value as it is printed: three digits, `<.001` below.

    >>> probability(0.0123), probability(1e-9), probability(None)
    ('.012', '<.001', 'n/a')
    """
    if p_value is None:
        return "n/a"
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}".removeprefix("0")


def loss(value: float | None) -> str:
    """A QLIKE as it is printed."""
    if value is None:
        return NONE
    return f"{value:.4f}" if value >= 0.02 else f"{value:.5f}"


def percent(value: float | None) -> str:
    """A skill as it is printed, in percent."""
    return NONE if value is None else f"{100 * value:+.1f}"


def plain_text(reason: str) -> str:
    """A stranger's words in a table cell: one line, nothing that markdown or HTML would read."""
    cleaned = " ".join(reason.split())[:300]
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in cleaned)


def _short(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else f"{value:.3g}"


def _details(summary: str, tables: list[str]) -> str:
    tables = [table for table in tables if table]
    return f"<details><summary>{summary}</summary>\n\n" + "\n\n".join(tables) + "\n\n</details>" if tables else ""


# The head and the tables of a task ------------------------------------------------------------------


def _head(board: Board) -> str:
    windows = {name: f"{first} to {last or 'now'}" for name, (first, last) in board.windows.items()}
    table = board.table(board.headline)
    lines = [
        f"# {board.dataset}: study `{board.study}` on {board.split}"
        if board.study
        else f"# {board.dataset}: {board.split} leaderboard",
        f"{board.title}. {len(board.symbols)} symbols; daily measure: {board.measure}; protocol {board.protocol}; "
        f"bars `{board.data_identity[:16]}`.",
        f"Fit {windows['fit']}, select {windows['select']}, score {windows['score']}"
        + (f" ({table.n_origins} origins for {table.task})." if table else "."),
        (
            f"Noise floor: a perfect {board.headline} forecast would score a QLIKE of about {board.noise_floor:.3f}, "
            "since the measure is a noisy proxy of the variance. "
            if board.noise_floor is not None
            else ""
        )
        + (
            f"Smallest resolvable gap on {table.task}: {table.gap:.4f}."
            if table and table.gap is not None
            else f"There is no resolvable gap to show: it needs `{board.anchor}` and an entry that differs from it."
        ),
    ]
    return "\n\n".join(lines)


def _about(board: Board, table: TaskTable) -> str:
    length = table.behind + table.ahead
    text = f"{table.n_origins} origins, {table.first_origin} to {table.last_origin}."
    if table.zero_targets:
        text += f" {table.zero_targets} cells with a target of zero are left out of QLIKE for every entry."
    if table.derived_from:
        text += (
            f" Nearly accounting: {table.behind} of the {length} sessions are known. Rows are induced by the "
            f"`{table.derived_from}` forecasts where an entry has none of its own; of these, the MSE on variance is "
            f"that of `{table.derived_from}` divided by {length**2}, so a test on it says the same."
        )
    tests = {"bartlett": f"Bartlett with {table.lags} lags", "cosine": f"equal-weighted cosine, t({table.cosines})"}
    if headline := tests.pop(table.method, ""):
        name = "Diebold-Mariano, " if table.method == "bartlett" else ""
        text += f" Tests: panel {name}{headline}; in brackets {', '.join(tests.values())}, not adjusted."
    if table.gap is not None:
        text += f" Smallest resolvable gap to `{board.anchor}`: {loss(table.gap)}."
    return text


def _scores(board: Board, table: TaskTable, rows: int | None = None) -> str:
    if not table.rows:
        return "No entry has finished this task."
    reference, anchor = board.skill_reference, board.anchor
    baseline = next((row.direction for row in table.rows if row.entry == board.baseline), None)
    direction = "dir. acc." if baseline is None else f"dir. acc. ({baseline:.3f})"
    headers = ["tier", "entry", "QLIKE", f"skill vs {reference} %", "wins", "MSE var", "RMSE vol", direction]
    tested = [name for name in dict.fromkeys([reference, anchor]) if any(name in row.tests for row in table.rows)]
    headers += [f"p vs {name}" for name in tested]

    def cells(row: Row) -> list[str]:
        own = " (direct)" if table.derived_from and not row.derived else ""
        return [
            str(row.tier), f"`{row.entry}`{own}", loss(row.qlike), _skill(row),
            NONE if row.wins is None else f"{row.wins}/{table.n_symbols}", _short(row.mse_var),
            f"{row.rmse_vol:.2f}",
            "n/a" if row.direction is None else f"{row.direction:.3f}", *(_p(row, name) for name in tested),
        ]  # fmt: skip

    shown = table.rows if rows is None else table.rows[:rows]
    return grid(headers, map(cells, shown), left=2)


def _skill(row: Row) -> str:
    if row.skill is None:
        return NONE
    if row.skill_low is None:
        return percent(row.skill)
    return f"{percent(row.skill)} [{percent(row.skill_low)}, {percent(row.skill_high)}]"


def _p(row: Row, reference: str) -> str:
    """A Holm-adjusted p behind an arrow: down where the row has the smaller loss."""
    test = row.tests.get(reference)
    if test is None:
        return NONE
    arrow = "=" if test.mean_difference == 0 else "↓" if test.mean_difference < 0 else "↑"
    shown = f"{arrow} {probability(test.p_holm)}"
    return shown if test.other_p_value is None else f"{shown} ({probability(test.other_p_value)})"


def _more(board: Board, table: TaskTable) -> str:
    market = [f"QLIKE {board.market}"] if board.market else []
    headers = ["entry", *market, "MSE vol", "MAE vol", "bias", f"R² vs {board.baseline}"]
    headers += [f"symbols better / worse than {board.anchor}", f"p of dir. acc. ({board.baseline})", "p in the set"]
    rows = [
        [
            f"`{row.entry}`", *([loss(row.market_qlike)] if market else []), f"{row.mse_vol:.2f}", f"{row.mae_vol:.2f}",
            f"{row.bias:.3f}", NONE if row.r_squared is None else f"{row.r_squared:.3f}",
            NONE if row.symbols_better is None else f"{row.symbols_better} / {row.symbols_worse}",
            NONE if row.direction_p_value is None else probability(row.direction_p_value),
            probability(row.set_p_value),
        ]
        for row in table.rows
    ]  # fmt: skip
    return grid(headers, rows)


def _regimes(board: Board, table: TaskTable) -> list[str]:
    """One table for each definition of a regime."""
    tables = []
    for name, title in (("month", "by calendar month of the target"), ("origin", "by the VIX at the origin")):
        counts = table.regime_counts[name]
        labels = [label for label in (CALM, CRISIS) if counts.get(label)]
        if not labels:
            continue
        headers = [title, *(f"QLIKE {label} (n={counts[label]})" for label in labels)]
        headers += [f"MSE var {label}" for label in labels]
        headers += [f"skill vs {board.skill_reference} {label} %" for label in labels]
        rows = []
        for row in table.rows:
            scores = [row.regimes[name][label] for label in labels]
            cells = [f"`{row.entry}`", *(loss(s.qlike) for s in scores), *(_short(s.mse_var) for s in scores)]
            rows.append(cells + [percent(score.skill) for score in scores])
        tables.append(grid(headers, rows))
    tables.append(_conditionals(board, table))
    return tables


def _conditionals(board: Board, table: TaskTable) -> str:
    """Whether the difference from the skill reference depends on the regime at the origin."""
    rows = [
        [
            f"`{row.entry}`", f"{given.calm_difference:+.4f}", f"{given.crisis_difference:+.4f}",
            probability(given.p_value), probability(given.shift_p_value), probability(given.shift_p_holm),
        ]
        for row in table.rows if (given := row.conditional) is not None
    ]  # fmt: skip
    headers = [f"QLIKE less that of {board.skill_reference}", "calm origin", "crisis origin", "GW p", "change p"]
    return grid([*headers, "change p, Holm"], rows) if rows else ""


def _truth(table: TaskTable) -> str:
    """Order by proxy and by true variance, on simulated bars."""
    by_proxy = sorted(table.rows, key=lambda row: row.qlike)
    by_truth = sorted(table.rows, key=lambda row: row.true_qlike or 0.0)
    rows = [
        [f"`{row.entry}`", loss(row.qlike), str(i), loss(row.true_qlike), str(by_truth.index(row) + 1)]
        for i, row in enumerate(by_proxy, start=1)
    ]
    tau = NONE if table.truth_agreement is None else f"{table.truth_agreement:.2f}"
    text = f"Bars are simulated, so the true variance is known. Agreement of the two orders (Kendall's tau): {tau}."
    return text + "\n\n" + grid(["entry", "QLIKE, proxy", "place", "QLIKE, truth", "place"], rows)


def _absent(absent: list[Absent]) -> str:
    if not absent:
        return ""
    rows = ([f"`{row.entry}`", row.state, plain_text(row.reason)] for row in absent)
    return grid(["without scores", "state", "reason"], rows, left=3)


# The board as a whole -------------------------------------------------------------------------------


def _figures(board: Board) -> str:
    if not board.figures:
        return ""
    images = [
        f"![{caption}](figures/{name}.svg)\n\n*{caption[0].upper()}{caption[1:]}.*"
        for name in board.figures
        if (caption := FIGURES[name].format(anchor=board.anchor, market=board.market))
    ]
    return "\n\n".join([f"## Figures ({board.headline})", *images])


def _luck(board: Board) -> str:
    if not board.luck or board.other_split is None:
        return ""
    headers = ["entry", f"QLIKE {board.split}", "place", f"QLIKE {board.other_split}", "place", "tuned on"]
    rows = [
        [f"`{row.entry}`", loss(row.qlike), str(row.place), loss(row.other_qlike), str(row.other_place),
         row.tuned_on or NONE]
        for row in board.luck
    ]  # fmt: skip
    title = f"## {board.split.capitalize()} and {board.other_split} side by side ({board.headline})"
    text = (
        "Places by QLIKE, for a look at who was lucky. They are descriptions: no test lies behind them, and what the "
        f"tests tell apart on {board.other_split} is on its own board. Rows tuned on a split look better there."
    )
    return "\n\n".join([title, text, grid(headers, rows)])


def _costs(board: Board) -> str:
    several = any(card.seeds > 1 for card in board.cards)
    headers = ["entry", "version", "runs", "reads", "refit every", "seeds", *(["± seeds"] if several else [])]
    headers += ["parameters", "fit s", "ms per origin", "peak MB", "forecasts"]
    rows = [
        [
            f"`{card.entry}`" + (" †" if card.warnings else ""), card.version, str(card.runs),
            " + ".join(READS[name] for name in card.reads), NONE if card.refit is None else str(card.refit),
            str(card.seeds), *([NONE if card.seed_spread is None else f"{card.seed_spread:.4f}"] if several else []),
            NONE if card.parameters is None else str(card.parameters), f"{card.fit_seconds:.1f}",
            f"{card.forecast_ms:.2f}", f"{card.peak_memory_mb:.0f}", _reproduced(card),
        ]
        for card in board.cards
    ]  # fmt: skip
    machines = sorted({card.hardware for card in board.cards if card.hardware})
    notes = [
        f"† {card.entry}: {card.warnings} warning{'s' if card.warnings > 1 else ''} in its run record."
        for card in board.cards if card.warnings
    ]  # fmt: skip
    made_on = [f"Made on {'; '.join(machines)}."] if machines else []
    made_again: dict[str, list[str]] = {}
    for card in board.cards:
        if any(card.reproduced.values()):
            made_again.setdefault(card.reproduced_on, []).append(f"`{card.entry}`")
    made_on += [f"Reproduced on {plain_text(on)}: {', '.join(names)}." for on, names in sorted(made_again.items())]
    return "\n\n".join([grid(headers, rows), *notes, *made_on, *_isolation(board)])


def _isolation(board: Board) -> list[str]:
    """At which level the entries ran, as far as that was recorded."""
    entries: dict[str, list[str]] = {}
    for card in board.cards:
        if card.isolation:
            entries.setdefault(" and ".join(card.isolation), []).append(f"`{card.entry}`")
    everybody = len(entries) == 1 and len(*entries.values()) == len(board.cards)
    levels = [level if everybody else f"{level} for {', '.join(names)}" for level, names in sorted(entries.items())]
    return [f"Isolation: {'; '.join(levels)}."] if levels else []


def _reproduced(card: Card) -> str:
    """Whether all, some or none of an entry's forecasts were made again, and the day (the first of several)."""
    days = {task: day for task, day in card.reproduced.items() if day is not None}
    if not days:
        return "self-reported"
    some = f" ({', '.join(days)})" if len(days) < len(card.reproduced) else ""
    return f"reproduced {min(days.values())}{some}"


CONVENTIONS = """
QLIKE `y/f - ln(y/f) - 1` orders the rows of a tier; it has no unit and is robust to noise in the measure
(Patton 2011). Noise floor: what the true variance of a Brownian motion would score.

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

MSE var: squared error of the variance in (percent squared) squared, robust. MSE, RMSE and MAE vol: of the
annualised volatility in percentage points; what people read, but not robust to noise in the measure.

Averages are over days for each symbol, then over symbols; all rows are scored on the same cells.

Directional accuracy: share of cells in which forecast and target lie on the same side of the latest known
value. Volatility reverts, so a constant does well{constant}: the yardstick is `{baseline}`, in brackets at the head
of the column; the p under More scores is against it. A forecast that is the latest value has none.

Bias: geometric mean over symbols of mean forecast over mean target. R²: 1 less the MSE of the variance over
that of `{baseline}`, out of sample, by symbol, then averaged.

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


def _conventions(board: Board) -> str:
    """The footnotes, one a line."""
    table = board.table(board.headline)
    direction = next((row.direction for row in table.rows if row.entry == board.baseline), None) if table else None
    text = CONVENTIONS.format(
        reference=board.skill_reference,
        anchor=board.anchor,
        baseline=board.baseline,
        threshold=f"{board.vix_crisis:g}",
        constant="" if direction is None else f" (here {100 * direction:.0f} % on {board.headline})",
    )
    return "\n".join(f"- {' '.join(note.split())}" for note in text.strip().split("\n\n"))

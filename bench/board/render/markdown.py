"""A board as markdown."""

from __future__ import annotations

from itertools import zip_longest

from bench.board.model import Absent, Board, Card, Row, TaskTable
from bench.board.render.figures import FIGURES
from bench.board.render.footnotes import conventions
from bench.board.render.numbers import NONE, grid, loss, percent, plain_text, probability
from bench.stats.metrics import METRICS, Metric, columns
from bench.stats.regimes import CALM, CRISIS

READS = {"closes": "closes", "bars": "bars", "volume": "volume", "vix": "VIX", "cross-section": "cross-section"}


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
    parts += ["## What each entry reads and costs", _costs(board), "## How to read this", conventions(board)]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_headline(board: Board, rows: int | None = None) -> str:
    """Returns the score table of the headline task, or its first rows."""
    table = board.table(board.headline)
    if table is None:
        return f"{board.dataset} {board.split}: no result of {board.headline}"
    parts = [f"{board.dataset} {board.split}, {table.task}", _scores(board, table, rows), _absent(table.absent)]
    return "\n\n".join(part for part in parts if part)


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
    ranking, *others = columns("main", table.rows[0].scores)
    headers = ["tier", "entry", ranking.title, f"skill vs {reference} %", "wins"]
    headers += [_head_of(metric, board, table) for metric in others]
    tested = [name for name in dict.fromkeys([reference, anchor]) if any(name in row.tests for row in table.rows)]
    headers += [f"p vs {name}" for name in tested]

    def cells(row: Row) -> list[str]:
        own = " (direct)" if table.derived_from and not row.derived else ""
        return [
            str(row.tier), f"`{row.entry}`{own}", ranking.printed(row.scores[ranking.name]), _skill(row),
            NONE if row.wins is None else f"{row.wins}/{table.n_symbols}",
            *(metric.printed(row.scores[metric.name]) for metric in others), *(_p(row, name) for name in tested),
        ]  # fmt: skip

    shown = table.rows if rows is None else table.rows[:rows]
    return grid(headers, map(cells, shown), left=2)


def _head_of(metric: Metric, board: Board, table: TaskTable) -> str:
    """The head of a metric's column; of a yardstick the baseline's value stands in brackets."""
    title = metric.title.format(baseline=board.baseline)
    values = [row.scores[metric.name] for row in table.rows if row.entry == board.baseline and metric.yardstick]
    return title + "".join(f" ({metric.printed(value)})" for value in values if value is not None)


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
    names = table.rows[0].scores
    metrics, tested = columns("more", names), [metric for metric in METRICS.values() if metric.p_name in names]
    headers = ["entry", *market, *(metric.title.format(baseline=board.baseline) for metric in metrics)]
    headers += [f"symbols better / worse than {board.anchor}"]
    headers += [*(f"p of {metric.title} ({board.baseline})" for metric in tested), "p in the set"]
    rows = [
        [
            f"`{row.entry}`", *([loss(row.market_qlike)] if market else []),
            *(metric.printed(row.scores[metric.name]) for metric in metrics),
            NONE if row.symbols_better is None else f"{row.symbols_better} / {row.symbols_worse}",
            *(NONE if (p := row.scores[metric.p_name]) is None else probability(p) for metric in tested),
            probability(row.set_p_value),
        ]
        for row in table.rows
    ]  # fmt: skip
    return grid(headers, rows)


def _regimes(board: Board, table: TaskTable) -> list[str]:
    """One table for each definition of a regime."""
    tables, names = [], table.rows[0].scores
    metrics = [metric for metric in METRICS.values() if metric.by_regime and metric.name in names]
    for name, title in (("month", "by calendar month of the target"), ("origin", "by the VIX at the origin")):
        counts = table.regime_counts[name]
        labels = [label for label in (CALM, CRISIS) if counts.get(label)]
        if not labels:
            continue
        heads = [f"{metric.title} {label}" for metric in metrics for label in labels]
        sizes = [f" (n={counts[label]})" for label in labels]
        headers = [title, *(head + size for head, size in zip_longest(heads, sizes, fillvalue=""))]
        headers += [f"skill vs {board.skill_reference} {label} %" for label in labels]
        rows = []
        for row in table.rows:
            scores = [row.regimes[name][label] for label in labels]
            cells = [metric.printed(score[metric.name]) for metric in metrics for score in scores]
            rows.append([f"`{row.entry}`", *cells, *(percent(score["skill"]) for score in scores)])
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
        if (caption := FIGURES[name].caption.format(anchor=board.anchor, market=board.market))
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
    mixed = len({tuple(card.isolation) for card in board.cards}) > 1
    headers += ["parameters", "fit s", "ms per origin", "peak MB", *(["isolation"] if mixed else []), "forecasts"]
    rows = [
        [
            f"`{card.entry}`" + (" †" if card.warnings else ""), card.version, _runs(card),
            " + ".join(READS[name] for name in card.reads), NONE if card.refit is None else str(card.refit),
            str(card.seeds), *([NONE if card.seed_spread is None else f"{card.seed_spread:.4f}"] if several else []),
            NONE if card.parameters is None else str(card.parameters), f"{card.fit_seconds:.1f}",
            f"{card.forecast_ms:.2f}", f"{card.peak_memory_mb:.0f}",
            *([" and ".join(card.isolation) or NONE] if mixed else []), _reproduced(card),
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
    """At which level the entries ran, where it is the same for all; else each row says it."""
    found = {" and ".join(card.isolation) for card in board.cards}
    return [f"Isolation: {level}." for level in found if level] if len(found) == 1 else []


def _runs(card: Card) -> str:
    """How many versions were run, and how many walks failed before those of the present forecasts."""
    return f"{card.runs} ({card.failures} failed before)" if card.failures else str(card.runs)


def _reproduced(card: Card) -> str:
    """Whether all, some or none of an entry's forecasts were made again, and the day (the first of several)."""
    days = {task: day for task, day in card.reproduced.items() if day is not None}
    if not days:
        return "self-reported"
    some = f" ({', '.join(days)})" if len(days) < len(card.reproduced) else ""
    return f"reproduced {min(days.values())}{some}"

"""A board as markdown. A table is a list of columns: a head, and what prints the cell of a row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.board.model import Absent, Board, Card, Conditional, Row, TaskTable
from bench.board.render.figures import FIGURES
from bench.board.render.footnotes import conventions
from bench.board.render.numbers import NONE, Columns, difference, loss, percent, plain_text, probability
from bench.board.render.numbers import table as as_table
from bench.stats.losses import SESSIONS_PER_YEAR
from bench.stats.metrics import METRICS, Metric, columns
from bench.stats.regimes import CALM, CRISIS

READS = {"closes": "closes", "bars": "bars", "volume": "volume", "vix": "VIX", "cross-section": "cross-section"}


def render(board: Board) -> str:
    """Returns the board as markdown: head, conclusion, a section per task, costs, conventions."""
    parts = [_head(board), "## What the tests say", "\n".join(f"- {line}" for line in board.conclusion)]
    for table in board.tables:
        parts += [f"## {table.task}", _about(board, table), _scores(board, table), _absent(table.absent)]
        if table.rows:
            regimes = "\n\n".join(filter(None, [*_regimes(board, table), _conditionals(board, table)]))
            for summary, text in (("More scores", _more(board, table)), ("By regime", regimes)):
                parts.append(f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>" if text else "")
        if any(row.true_qlike is not None for row in table.rows):
            parts.append(_truth(table))
    parts += [_figures(board), _luck(board), "## What each entry reads and costs", _costs(board)]
    parts += ["## How to read this", conventions(board)]
    return "\n\n".join(filter(None, parts)) + "\n"


def render_headline(board: Board, rows: int | None = None) -> str:
    """Returns the score table of the headline task, or its first rows."""
    table = board.table(board.headline)
    if table is None:
        return f"{board.dataset} {board.split}: no result of {board.headline}"
    parts = [f"{board.dataset} {board.split}, {table.task}", _scores(board, table, rows), _absent(table.absent)]
    return "\n\n".join(filter(None, parts))


# The head and the tables of a task ------------------------------------------------------------------


def _head(board: Board) -> str:
    windows = ", ".join(f"{name} {first} to {last or 'now'}" for name, (first, last) in board.windows.items())
    table = board.table(board.headline)
    year = "" if board.sessions_per_year == SESSIONS_PER_YEAR else f"; {board.sessions_per_year} sessions a year"
    title = f"study `{board.study}` on {board.split}" if board.study else f"{board.split} leaderboard"
    lines = [
        f"# {board.dataset}: {title}",
        f"{board.title}. {len(board.symbols)} symbols; daily measure: {board.measure}{year}; "
        f"protocol {board.protocol}; bars `{board.data_identity[:16]}`.",
        windows.capitalize() + (f" ({table.n_origins} origins for {table.task})." if table else "."),
        f"There is no resolvable gap to show: it needs `{board.anchor}` and an entry that differs from it.",
    ]
    if table and table.gap is not None:
        lines[-1] = f"Smallest resolvable gap on {table.task}: {table.gap:.4f}."
    if board.noise_floor is not None:
        floor = f"Noise floor: a perfect {board.headline} forecast would score a QLIKE of about {board.noise_floor:.3f}"
        lines[-1] = f"{floor}, since the measure is a noisy proxy of the variance. {lines[-1]}"
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


def _entry(row: Row | Card) -> str:
    return f"`{row.entry}`"


def _metric(metric: Metric, board: Board, table: TaskTable) -> tuple[str, Callable[[Row], str]]:
    """The column of a metric; at the head of a yardstick's stands the baseline's value, in brackets."""
    title = metric.title.format(baseline=board.baseline)
    values = [row.scores[metric.name] for row in table.rows if row.entry == board.baseline and metric.yardstick]
    title += "".join(f" ({metric.printed(value)})" for value in values if value is not None)
    return title, lambda row: metric.printed(row.scores[metric.name])


def _scores(board: Board, table: TaskTable, rows: int | None = None) -> str:
    if not table.rows:
        return "No entry has finished this task."
    return as_table(table.rows[:rows], score_columns(board, table), left=2)


def score_columns(board: Board, table: TaskTable) -> Columns[Row]:
    """The columns of the score table of a task that has rows: what ranks, what was tested, and the other metrics."""
    ranking, *others = (_metric(metric, board, table) for metric in columns("main", table.rows[0].scores))
    references = dict.fromkeys([board.skill_reference, board.anchor])
    tested = [name for name in references if any(name in row.tests for row in table.rows)]
    return [
        ("tier", lambda row: str(row.tier)),
        ("entry", lambda row: _entry(row) + (" (direct)" if table.derived_from and not row.derived else "")),
        ranking,
        (f"skill vs {board.skill_reference} %", lambda row: percent(row.skill, row.skill_low, row.skill_high)),
        ("wins", lambda row: NONE if row.wins is None else f"{row.wins}/{table.n_symbols}"),
        *others,
        *((f"p vs {name}", partial(_p, reference=name)) for name in tested),
    ]


def _p(row: Row, reference: str) -> str:
    """A Holm-adjusted p behind an arrow: down where the row has the smaller loss."""
    test = row.tests.get(reference)
    if test is None:
        return NONE
    arrow = "=" if test.mean_difference == 0 else "↓" if test.mean_difference < 0 else "↑"
    shown = f"{arrow} {probability(test.p_holm)}"
    return shown if test.other_p_value is None else f"{shown} ({probability(test.other_p_value)})"


def _more(board: Board, table: TaskTable) -> str:
    names = table.rows[0].scores
    tested = [metric for metric in METRICS.values() if metric.p_name in names]

    def yardstick(row: Row, name: str) -> str:
        return NONE if row.scores[name] is None else probability(row.scores[name])

    def symbols(row: Row) -> str:
        return NONE if row.symbols_better is None else f"{row.symbols_better} / {row.symbols_worse}"

    market: Columns[Row] = [(f"QLIKE {board.market}", lambda row: loss(row.market_qlike))] if board.market else []
    shown: Columns[Row] = [
        ("entry", _entry),
        *market,
        *((metric.title.format(baseline=board.baseline), _metric(metric, board, table)[1])
          for metric in columns("more", names)),
        (f"symbols better / worse than {board.anchor}", symbols),
        *((f"p of {metric.title} ({board.baseline})", partial(yardstick, name=metric.p_name)) for metric in tested),
        ("p in the set", lambda row: probability(row.set_p_value)),
    ]  # fmt: skip
    return as_table(table.rows, shown)


def _regimes(board: Board, table: TaskTable) -> list[str]:
    """One table for each definition of a regime."""
    tables = []
    metrics = [metric for metric in METRICS.values() if metric.by_regime and metric.name in table.rows[0].scores]
    for definition, title in (("month", "by calendar month of the target"), ("origin", "by the VIX at the origin")):
        counts = table.regime_counts[definition]
        labels = [label for label in (CALM, CRISIS) if counts.get(label)]
        shown: list[tuple[str, Callable[[Row], str]]] = [(title, _entry)]
        for metric in metrics:
            for label in labels:
                size = f" (n={counts[label]})" if metric is metrics[0] else ""
                cell = partial(_in_regime, definition, label, metric.name, metric.printed)
                shown.append((f"{metric.title} {label}{size}", cell))
        for label in labels:
            head = f"skill vs {board.skill_reference} {label} %"
            shown.append((head, partial(_in_regime, definition, label, "skill", percent)))
        tables += [as_table(table.rows, shown)] if labels else []
    return tables


def _in_regime(definition: str, label: str, score: str, printed: Callable[[float | None], str], row: Row) -> str:
    return printed(row.regimes[definition][label][score])


def _conditionals(board: Board, table: TaskTable) -> str:
    """Whether the difference from the skill reference depends on the regime at the origin."""
    given = [(_entry(row), row.conditional) for row in table.rows if row.conditional is not None]
    shown: Columns[tuple[str, Conditional]] = [
        (f"QLIKE less that of {board.skill_reference}", lambda pair: pair[0]),
        ("calm origin", lambda pair: difference(pair[1].calm_difference)),
        ("crisis origin", lambda pair: difference(pair[1].crisis_difference)),
        ("GW p", lambda pair: probability(pair[1].p_value)),
        ("change p", lambda pair: probability(pair[1].shift_p_value)),
        ("change p, Holm", lambda pair: probability(pair[1].shift_p_holm)),
    ]
    return as_table(given, shown) if given else ""


def _truth(table: TaskTable) -> str:
    """Order by proxy and by true variance, on simulated bars."""
    by_proxy = sorted(table.rows, key=lambda row: row.qlike)
    by_truth = sorted(table.rows, key=lambda row: row.true_qlike or 0.0)
    tau = NONE if table.truth_agreement is None else f"{table.truth_agreement:.2f}"
    text = f"Bars are simulated, so the true variance is known. Agreement of the two orders (Kendall's tau): {tau}."
    return text + "\n\n" + as_table(by_proxy, [
        ("entry", _entry),
        ("QLIKE, proxy", lambda row: loss(row.qlike)), ("place", lambda row: str(by_proxy.index(row) + 1)),
        ("QLIKE, truth", lambda row: loss(row.true_qlike)), ("place", lambda row: str(by_truth.index(row) + 1)),
    ])  # fmt: skip


def _absent(absent: list[Absent]) -> str:
    shown: Columns[Absent] = [
        ("without scores", lambda row: f"`{row.entry}`"), ("state", lambda row: row.state),
        ("reason", lambda row: plain_text(row.reason)),
    ]  # fmt: skip
    return as_table(absent, shown, left=3) if absent else ""


# The board as a whole -------------------------------------------------------------------------------


def _figures(board: Board) -> str:
    if not board.figures and not board.undrawn:
        return ""
    left_out = [f"Not drawn: {plain_text(line)}." for line in board.undrawn]
    captions = {name: FIGURES[name].caption.format(anchor=board.anchor, market=board.market) for name in board.figures}
    images = [f"![{text}](figures/{name}.svg)\n\n*{text[0].upper()}{text[1:]}.*" for name, text in captions.items()]
    return "\n\n".join([f"## Figures ({board.headline})", *images, *left_out])


def _luck(board: Board) -> str:
    if not board.luck or board.other_split is None:
        return ""
    text = (
        "Places by QLIKE, for a look at who was lucky. They are descriptions: no test lies behind them, and what the "
        f"tests tell apart on {board.other_split} is on its own board. Rows tuned on a split look better there."
    )
    shown = as_table(board.luck, [
        ("entry", lambda row: f"`{row.entry}`"),
        (f"QLIKE {board.split}", lambda row: loss(row.qlike)), ("place", lambda row: str(row.place)),
        (f"QLIKE {board.other_split}", lambda row: loss(row.other_qlike)), ("place", lambda row: str(row.other_place)),
        ("tuned on", lambda row: row.tuned_on or NONE),
    ])  # fmt: skip
    title = f"## {board.split.capitalize()} and {board.other_split} side by side ({board.headline})"
    return "\n\n".join([title, text, shown])


def _reproduced(card: Card) -> str:
    """Whether all, some or none of an entry's forecasts were made again, and the day (the first of several)."""
    days = {task: day for task, day in card.reproduced.items() if day is not None}
    if not days:
        return "self-reported"
    some = f" ({', '.join(days)})" if len(days) < len(card.reproduced) else ""
    return f"reproduced {min(days.values())}{some}"


COSTS: list[tuple[str, Callable[[Card], str]]] = [
    ("entry", lambda card: _entry(card) + (" †" if card.warnings else "")),
    ("version", lambda card: card.version),
    ("runs", lambda card: f"{card.runs} ({card.failures} failed before)" if card.failures else str(card.runs)),
    ("reads", lambda card: " + ".join(READS[name] for name in card.reads)),
    ("refit every", lambda card: NONE if card.refit is None else str(card.refit)),
    ("seeds", lambda card: str(card.seeds)),
    ("± seeds", lambda card: NONE if card.seed_spread is None else f"{card.seed_spread:.4f}"),
    ("parameters", lambda card: NONE if card.parameters is None else str(card.parameters)),
    ("fit s", lambda card: f"{card.fit_seconds:.1f}"),
    ("ms per origin", lambda card: f"{card.forecast_ms:.2f}"),
    ("peak MB", lambda card: f"{card.peak_memory_mb:.0f}"),
    ("isolation", lambda card: " and ".join(card.isolation) or NONE),
    ("forecasts", _reproduced),
]


def _costs(board: Board) -> str:
    notes = [
        f"† {card.entry}: {card.warnings} warning{'s' if card.warnings > 1 else ''} in its run record."
        for card in board.cards if card.warnings
    ]  # fmt: skip
    if machines := sorted({card.hardware for card in board.cards if card.hardware}):
        notes.append(f"Made on {'; '.join(machines)}.")
    made_again = _grouped(board, lambda card: card.reproduced_on if any(card.reproduced.values()) else None)
    notes += [f"Reproduced on {plain_text(on)}: {', '.join(names)}." for on, names in made_again]
    levels = {" and ".join(card.isolation) for card in board.cards}
    if len(levels) == 1:
        notes += [f"Isolation: {level}." for level in levels if level]
    shown = {"± seeds": any(card.seeds > 1 for card in board.cards), "isolation": len(levels) > 1}
    return "\n\n".join([as_table(board.cards, [each for each in COSTS if shown.get(each[0], True)]), *notes])


def _grouped(board: Board, what: Callable[[Card], str | None]) -> list[tuple[str, list[str]]]:
    """The entries of which something is the same, sorted by it; those without it left out."""
    found: dict[str, list[str]] = {}
    for card in board.cards:
        if (value := what(card)) is not None:
            found.setdefault(value, []).append(_entry(card))
    return sorted(found.items())

"""A board as markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tabulate import tabulate

from bench.board.table import Absent, Board, Card, Row, TaskTable
from bench.regimes import CALM, CRISIS

READS = {"closes": "closes", "bars": "bars", "volume": "volume", "vix": "VIX", "cross-section": "cross-section"}


def render(board: Board) -> str:
    """Returns the board as markdown: head, a table per task, regimes, costs, conventions."""
    parts = [_head(board)]
    for table in board.tables:
        parts += [f"## {table.task}", _about(table), _scores(board, table), _regimes(table), _absent(table.absent)]
    parts += ["## What each entry reads and costs", _costs(board.cards), "## How to read this", _conventions(board)]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_headline(board: Board, task: str) -> str:
    """Returns the score table of one task."""
    for table in board.tables:
        if table.task == task:
            parts = [f"{board.dataset} {board.split}, {table.task}", _scores(board, table), _absent(table.absent)]
            return "\n\n".join(part for part in parts if part)
    return f"{board.dataset} {board.split}: no result of {task}"


def _grid(headers: list[str], rows: Iterable[list[str]]) -> str:
    align = ["left", *["right"] * (len(headers) - 1)]
    return tabulate(list(rows), headers=headers, tablefmt="github", colalign=align, disable_numparse=True)


def _head(board: Board) -> str:
    windows = {name: f"{first} to {last or 'now'}" for name, (first, last) in board.windows.items()}
    lines = [
        f"# {board.dataset}: {board.split} leaderboard",
        f"{board.title}. {len(board.symbols)} symbols; daily measure: {board.measure}; protocol {board.protocol}.",
        f"Fit {windows['fit']}, select {windows['select']}, score {windows['score']}. "
        f"Bars' identity `{board.data_identity[:16]}`.",
        "Rows are sorted by QLIKE. The order alone says little: whether two rows can be told apart is said by the "
        "p-values, and only against the references.",
    ]
    return "\n\n".join(lines)


def _about(table: TaskTable) -> str:
    text = f"{table.n_origins} origins, {table.first_origin} to {table.last_origin}."
    if table.zero_targets:
        text += f" {table.zero_targets} cells with a target of zero are left out of QLIKE for every entry."
    if table.derived_from:
        text += (
            f" Nearly accounting: 20 of the 21 sessions are known. Rows are induced by the `{table.derived_from}` "
            f"forecasts where an entry has no forecast of its own; of these, the MSE on variance is that of "
            f"`{table.derived_from}` divided by 441, so a test on it says the same."
        )
    methods = sorted({test.method for row in table.rows for test in row.tests.values()})
    lags = sorted({test.lags for row in table.rows for test in row.tests.values()})
    if methods == ["bartlett"]:
        text += f" p: panel Diebold-Mariano on QLIKE, Bartlett, {lags[0]} lags."
    elif methods:
        text += f" p: panel equal-weighted-cosine test on QLIKE; in brackets Bartlett with {lags[0]} lags."
    return text


def _scores(board: Board, table: TaskTable) -> str:
    market = [f"QLIKE {board.market}"] if board.market else []
    references = [name for name in board.references if any(name in row.tests for row in table.rows)]
    headers = ["entry", "QLIKE", "MSE var", "MSE vol", "RMSE vol", "dir. acc.", *market]
    headers += [f"p vs {name}" for name in references]

    def cells(row: Row) -> list[str]:
        own = "" if row.derived or not table.derived_from else " (direct)"
        values = [f"`{row.entry}`{own}", _qlike(row.qlike), _short(row.mse_var), f"{row.mse_vol:.2f}"]
        values += [f"{row.rmse_vol:.2f}", "n/a" if row.direction is None else f"{row.direction:.3f}"]
        if board.market:
            values.append("" if row.market_qlike is None else _qlike(row.market_qlike))
        return values + [_p(row, name) for name in references]

    return _grid(headers, map(cells, table.rows)) if table.rows else "No entry has finished this task."


def _p(row: Row, reference: str) -> str:
    """A p-value behind an arrow: down where the row has the smaller loss."""
    test = row.tests.get(reference)
    if test is None:
        return "-"
    arrow = "↓" if test.mean_difference < 0 else "↑"
    shown = f"{arrow} {probability(test.p_value)}"
    return shown if test.method == "bartlett" else f"{shown} ({probability(test.bartlett_p_value)})"


def probability(p_value: float) -> str:
    """A p-value as it is printed: three digits, `<.001` below."""
    if math.isnan(p_value):  # too few days for a test
        return "n/a"
    return "<.001" if p_value < 0.001 else f"{p_value:.3f}".lstrip("0")


def _qlike(value: float) -> str:
    return f"{value:.4f}" if value >= 0.02 else f"{value:.5f}"


def _short(value: float) -> str:
    return f"{value:.3f}" if value >= 0.1 else f"{value:.3g}"


def _regimes(table: TaskTable) -> str:
    """QLIKE in calm and crisis, by both definitions."""
    shown = [
        (name, label)
        for name in ("month", "origin")
        for label in (CALM, CRISIS)
        if table.regime_counts[name].get(label)
    ]
    if not shown or not table.rows:
        return ""
    headers = ["QLIKE by regime"]
    headers += [f"{label} {name} (n={table.regime_counts[name][label]})" for name, label in shown]
    rows = [
        [f"`{row.entry}`", *(_qlike(row.regimes[name][label].qlike) for name, label in shown)] for row in table.rows
    ]
    return _grid(headers, rows)


def _absent(absent: list[Absent]) -> str:
    if not absent:
        return ""
    return _grid(["without scores", "state", "reason"], ([f"`{a.entry}`", a.state, _text(a.reason)] for a in absent))


def _text(reason: str) -> str:
    """A stranger's words in a table cell: one line, nothing that markdown or HTML would read."""
    cleaned = " ".join(reason.split())[:300]
    for character in "\\`*_[]<>|":
        cleaned = cleaned.replace(character, f"\\{character}")
    return cleaned


def _costs(cards: list[Card]) -> str:
    headers = ["entry", "version", "reads", "refit every", "seeds", "parameters", "fit s", "ms per origin", "peak MB"]
    rows = [
        [
            f"`{card.entry}`", card.version, " + ".join(READS[name] for name in card.reads),
            "-" if card.refit is None else str(card.refit), str(card.seeds),
            "-" if card.parameters is None else str(card.parameters), f"{card.fit_seconds:.1f}",
            f"{card.forecast_ms:.2f}", f"{card.peak_memory_mb:.0f}",
        ]
        for card in cards
    ]  # fmt: skip
    return _grid(headers, rows)


def _conventions(board: Board) -> str:
    threshold = f"{board.vix_crisis:g}"
    lines = [
        "QLIKE `y/f - ln(y/f) - 1` ranks the rows; it has no unit and is robust to noise in the measure (Patton 2011). "
        "A perfect forecast of a Garman-Klass measure still scores about 0.13.",
        "MSE var: squared error of the variance in (percent squared) squared, robust. MSE vol: of the annualised "
        "volatility, in percentage points squared; what people read, but not robust. RMSE vol: its root.",
        "Averages are over days for each symbol, then over symbols; all rows are scored on the same cells.",
        f"Directional accuracy: share of cells in which forecast and target lie on the same side of the latest known "
        f"value. Volatility reverts, so a constant gets about 65 %: read it beside `{board.baseline}`'s, not 50 %.",
        "p: two-sided, of equal QLIKE against that entry, on the daily mean over symbols (stacked stock-days are not "
        "independent); ↓ the row's loss is the smaller one, ↑ the larger one. Not adjusted for several tests.",
        f"Month: the mean VIX of the target's calendar month is below {threshold} (calm) or not (crisis); known only "
        f"afterwards, so a description. Origin: the VIX at the close of the origin.",
        "Costs: seconds of all fits, milliseconds of a forecast of the whole panel, summed over tasks that are run one "
        "by one; parameters per symbol" + (f"; on {'; '.join(board.hardware)}." if board.hardware else "."),
    ]
    return "\n".join(f"- {line}" for line in lines)

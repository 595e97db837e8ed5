"""The conclusion of a board in sentences, every one of which follows from a test or a count on it."""

from __future__ import annotations

from bench.board.model import Board, Row, TaskTable
from bench.board.render.numbers import listed
from bench.stats.regimes import CALM, CRISIS

LEVEL = 0.05
SUSPECT = 0.8
"""Share of the noise floor below which a row is suspected of a leak."""


def conclude(board: Board) -> list[str]:
    """Returns the sentences of the headline task, then one for each other task that is forecast directly."""
    table = board.table(board.headline)
    if table is None or not table.rows:
        return [f"No entry has finished {board.headline}: there is nothing to conclude."]
    sentences = [
        _alarm(board, table),
        _set(table),
        *_against(board, table),
        _crisis(board, table),
        _cost(board, table),
        _gap(board, table),
    ]
    others = [other for other in board.tables if other.task != board.headline and other.derived_from is None]
    further = [(other.task, _set(other)) for other in others if other.rows]
    sentences += [f"On {task}, {said[0].lower()}{said[1:]}" for task, said in further]
    return [sentence for sentence in sentences if sentence]


def _alarm(board: Board, table: TaskTable) -> str:
    """Rows that score what no forecast can: a sign of a leak."""
    if board.noise_floor is None or table.ahead != 1:
        return ""
    below = [row.entry for row in table.rows if row.qlike < SUSPECT * board.noise_floor]
    if not below:
        return ""
    return (
        f"{listed(below)} {'scores' if len(below) == 1 else 'score'} far below the noise floor of "
        f"{board.noise_floor:.3f}, which a perfect forecast would reach: look for a leak before believing it."
    )


def _set(table: TaskTable) -> str:
    inside = [row.entry for row in table.rows if row.tier == 1]
    outside = len(table.rows) - len(inside)
    if table.rows[0].set_p_value is None:
        return f"{table.n_origins} sessions are too few for a confidence set; nothing is told apart."
    if len(table.rows) == 1:
        return f"Only {listed(inside)} has finished: there is nothing to compare it with."
    if not outside:
        return f"No entry can be excluded as the one of lowest expected loss: all {len(inside)} are in the 90 % set."
    rest = "the other entry is" if outside == 1 else f"the other {outside} entries are"
    return f"The 90 % confidence set of the entry of lowest expected loss holds {listed(inside)}; {rest} outside it."


def _against(board: Board, table: TaskTable) -> list[str]:
    """Which rows differ from each reference after Holm's adjustment."""
    sentences = []
    for name in board.references:
        found: dict[str, list[str]] = {"lower": [], "higher": [], "same": []}
        for row in (row for row in table.rows if name in row.tests):
            found[side(row.tests[name].p_holm, row.tests[name].mean_difference)].append(row.entry)
        lower, higher = found["lower"], found["higher"]
        parts = [verdict(what, who) for what, who in found.items() if who and what != "higher"]
        if higher:
            told = f"{_have(higher)} a higher one" if lower else "a higher QLIKE"
            parts.insert(len(lower) > 0, f"{listed(higher)} {told}")
        if parts:
            sentences.append(f"Against `{name}` (panel test, Holm, 5 %): {'; '.join(parts)}.")
    return sentences


def side(p_holm: float | None, difference: float) -> str:
    """On which side of a reference a row is, `lower` or `higher`, or the `same` where the test cannot tell."""
    if p_holm is None or not p_holm < LEVEL or not difference:
        return "same"
    return "lower" if difference < 0 else "higher"


def verdict(what: str, entries: list[str]) -> str:
    """Entries and their side, in words."""
    if what == "same":
        return f"{listed(entries)} {'is' if len(entries) == 1 else 'are'} not distinguishable from it"
    return f"{listed(entries)} {_have(entries)} a {what} QLIKE"


def _crisis(board: Board, table: TaskTable) -> str:
    """Whose difference from the skill reference changes with the regime at the origin, and what became of it."""
    given = [(row, row.conditional) for row in table.rows if row.conditional is not None]
    judged = [(row, each) for row, each in given if each.shift_p_holm is not None]
    if not judged:
        return ""
    name, when = board.skill_reference, f"the VIX at the origin is {board.vix_crisis:g} or more"
    changes: dict[str, list[str]] = {}
    for row, each in judged:
        if each.shift_p_holm is not None and each.shift_p_holm < LEVEL:
            changes.setdefault(_change(each.calm_difference, each.crisis_difference), []).append(row.entry)
    leader = _leader(board, [row for row, _ in judged])
    if not changes:
        return f"No entry's difference in QLIKE from `{name}` is shown to change when {when} (Holm, 5 %).{leader}"
    parts = [f"{what} ({listed(entries)})" for what, entries in changes.items()]
    return (
        f"When {when}, the difference in QLIKE from `{name}` changes (Holm, 5 %): {'; '.join(parts)}. "
        f"For the others no change is shown.{leader}"
    )


def _change(calm: float, crisis: float) -> str:
    """What a regime does to a difference from the reference, in words."""
    if calm < 0 and crisis < 0:
        return "a gain grows" if crisis < calm else "a gain shrinks"
    if calm >= 0 and crisis >= 0:
        return "a loss shrinks, but stays" if crisis < calm else "a loss grows"
    return "a loss turns into a gain" if crisis < 0 else "a gain turns into a loss"


def _leader(board: Board, judged: list[Row]) -> str:
    """The skill of the row with the smallest QLIKE in both regimes, as a description."""
    row = min(judged, key=lambda each: each.qlike)
    scores = row.regimes.get("origin", {})
    if not {CALM, CRISIS} <= set(scores) or any(scores[label]["skill"] is None for label in (CALM, CRISIS)):
        return ""
    calm, crisis = (100 * (scores[label]["skill"] or 0.0) for label in (CALM, CRISIS))
    return f" `{row.entry}` saves {calm:.1f} % against `{board.skill_reference}` when it is lower, {crisis:.1f} % then."


def _cost(board: Board, table: TaskTable) -> str:
    """What the entries of the confidence set took, fitting and forecasting, and the skill reference beside them."""
    seconds = {card.entry: card.fit_seconds + card.forecast_ms * table.n_origins / 1000 for card in board.cards}
    inside = [row.entry for row in table.rows if row.tier == 1 and row.entry in seconds]
    if not inside:
        return ""
    cheap, dear = min(inside, key=seconds.__getitem__), max(inside, key=seconds.__getitem__)
    took = f"`{cheap}` took {seconds[cheap]:.1f} s of fitting and forecasting, all tasks and seeds"
    if f"{seconds[cheap]:.1f}" != f"{seconds[dear]:.1f}":
        took = f"In the set, `{cheap}` took least ({seconds[cheap]:.1f} s, all tasks and seeds), `{dear}` most "
        took += f"({seconds[dear]:.1f} s)"
    name = board.skill_reference
    return took + (f"; `{name}` {seconds[name]:.1f} s." if name in seconds and name not in (cheap, dear) else ".")


def _gap(board: Board, table: TaskTable) -> str:
    if table.gap is None:
        return ""
    return (
        f"For a typical pair, {table.n_origins} sessions find a true difference in QLIKE from `{board.anchor}` of "
        f"{table.gap:.4f} four times in five (one test at 5 %, not adjusted)."
    )


def _have(entries: list[str]) -> str:
    return "has" if len(entries) == 1 else "have"

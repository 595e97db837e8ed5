"""The conclusion of a board in sentences, every one of which follows from a test or a count on it."""

from __future__ import annotations

from bench.board.model import Board, Card, Row, TaskTable

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
    sentences += [f"On {other.task}, {_lower_first(_set(other))}" for other in others if other.rows]
    return [sentence for sentence in sentences if sentence]


def _alarm(board: Board, table: TaskTable) -> str:
    """Rows that score what no forecast can: a sign of a leak."""
    if board.noise_floor is None or table.ahead != 1:
        return ""
    below = [row.entry for row in table.rows if row.qlike < SUSPECT * board.noise_floor]
    if not below:
        return ""
    return (
        f"{_names(below)} {'scores' if len(below) == 1 else 'score'} far below the noise floor of "
        f"{board.noise_floor:.3f}, which a perfect forecast would reach: look for a leak before believing it."
    )


def _set(table: TaskTable) -> str:
    inside = [row.entry for row in table.rows if row.tier == 1]
    outside = len(table.rows) - len(inside)
    if table.rows[0].set_p_value is None:
        return f"{table.n_origins} sessions are too few for a confidence set; nothing is told apart."
    if len(table.rows) == 1:
        return f"Only {_names(inside)} has finished: there is nothing to compare it with."
    if not outside:
        return f"The 90 % confidence set holds all {len(inside)} entries: this sample tells none of them apart."
    if len(inside) == 1:
        return f"The 90 % confidence set holds {_names(inside)} alone; the other {outside} entries are outside it."
    return (
        f"The 90 % confidence set holds {_names(inside)}, which are not distinguishable from one another as the one "
        f"of lowest loss; the other {outside} entries are outside it."
    )


def _against(board: Board, table: TaskTable) -> list[str]:
    """Which rows differ from each reference after Holm's adjustment."""
    sentences = []
    for name in board.references:
        tested = [(row, row.tests[name]) for row in table.rows if name in row.tests]
        if not tested:
            continue
        lower = [r.entry for r, t in tested if t.p_holm is not None and t.p_holm < LEVEL and t.mean_difference < 0]
        higher = [r.entry for r, t in tested if t.p_holm is not None and t.p_holm < LEVEL and t.mean_difference > 0]
        same = [r.entry for r, t in tested if t.p_holm is None or t.p_holm >= LEVEL]
        parts = []
        if lower:
            parts.append(f"{_names(lower)} {_have(lower)} a lower QLIKE")
        if higher:
            parts.append(
                f"{_names(higher)} {_have(higher)} a higher one" if lower else f"{_names(higher)} a higher QLIKE"
            )
        if same:
            parts.append(f"{_names(same)} {'is' if len(same) == 1 else 'are'} not distinguishable from it")
        sentences.append(f"Against `{name}` (panel test, Holm, 5 %): {'; '.join(parts)}.")
    return sentences


def _crisis(board: Board, table: TaskTable) -> str:
    """Whose difference from the skill reference changes with the regime at the origin."""
    judged = [row for row in table.rows if row.conditional is not None and row.conditional.shift_p_holm is not None]
    if not judged:
        return ""
    grows = [row.entry for row in judged if _shifts(row) and _shift(row) < 0]
    shrinks = [row.entry for row in judged if _shifts(row) and _shift(row) > 0]
    name, when = board.skill_reference, f"the VIX at the origin is {board.vix_crisis:g} or more"
    if not grows and not shrinks:
        return (
            f"For no entry does the difference in QLIKE from `{name}` change detectably when {when} (Holm, 5 %): "
            "a gain in a crisis is not shown."
        )
    parts = [f"moves in favour of {_names(grows)}"] if grows else []
    parts += [f"moves against {_names(shrinks)}"] if shrinks else []
    return (
        f"When {when}, the difference in QLIKE from `{name}` {' and '.join(parts)} (Holm, 5 %); "
        "for the others no change is shown."
    )


def _shifts(row: Row) -> bool:
    given = row.conditional
    return given is not None and given.shift_p_holm is not None and given.shift_p_holm < LEVEL


def _shift(row: Row) -> float:
    return 0.0 if row.conditional is None else row.conditional.crisis_difference - row.conditional.calm_difference


def _cost(board: Board, table: TaskTable) -> str:
    """The cheapest and the dearest entry of the confidence set, by seconds of fitting and forecasting."""
    cards = {card.entry: card for card in board.cards}
    inside = [cards[row.entry] for row in table.rows if row.tier == 1 and row.entry in cards]
    if not inside:
        return ""
    cheap, dear = min(inside, key=_seconds), max(inside, key=_seconds)
    if cheap is dear:
        return f"`{cheap.entry}` took {_seconds(cheap):.1f} s of fitting, all tasks and seeds."
    return (
        f"In the set, `{cheap.entry}` was the cheapest ({_seconds(cheap):.1f} s of fitting) and `{dear.entry}` the "
        f"dearest ({_seconds(dear):.1f} s)."
    )


def _seconds(card: Card) -> float:
    return card.fit_seconds


def _gap(board: Board, table: TaskTable) -> str:
    if table.gap is None:
        return ""
    return (
        f"{table.n_origins} sessions find a true difference in QLIKE from `{board.anchor}` of {table.gap:.4f} four "
        "times in five; smaller gaps are neither shown nor excluded."
    )


def _names(entries: list[str]) -> str:
    quoted = [f"`{entry}`" for entry in entries]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _have(entries: list[str]) -> str:
    return "has" if len(entries) == 1 else "have"


def _lower_first(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]

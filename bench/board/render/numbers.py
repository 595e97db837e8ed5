"""Numbers, words and tables as a board prints them."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from bench.stats.metrics import RANKING

NONE = "-"


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
    return RANKING.printed(value)


def percent(value: float | None) -> str:
    """A skill as it is printed, in percent."""
    return NONE if value is None else f"{100 * value:+.1f}"


def plain_text(reason: str) -> str:
    """A stranger's words in a table cell: one line, nothing that markdown or HTML would read."""
    cleaned = " ".join(reason.split())[:300]
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in cleaned)

"""Numbers, words and tables as a board prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from tabulate import tabulate

from bench.stats.metrics import RANKING

NONE = "-"
T = TypeVar("T")
Columns = Sequence[tuple[str, Callable[[T], str]]]
"""Heads, and what prints the cell of an item."""


def table(items: Iterable[T], columns: Columns[T], left: int = 1) -> str:
    """A markdown table, a row an item; the first `left` columns are text."""
    return grid([head for head, _ in columns], ([cell(item) for _, cell in columns] for item in items), left)


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


def difference(value: float | None) -> str:
    """A difference in QLIKE as it is printed."""
    return NONE if value is None else f"{value:+.4f}"


def percent(value: float | None, low: float | None = None, high: float | None = None) -> str:
    """A skill as it is printed, in percent, with its interval where it has one."""
    if value is None or low is None or high is None:
        return NONE if value is None else f"{100 * value:+.1f}"
    return f"{percent(value)} [{percent(low)}, {percent(high)}]"


def listed(names: Iterable[str]) -> str:
    """Entries in a sentence.

    >>> listed(["har", "garch", "gbt"])
    '`har`, `garch` and `gbt`'
    """
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def plain_text(reason: str) -> str:
    """A stranger's words in a table cell: one line, nothing that markdown or HTML would read."""
    cleaned = " ".join(reason.split())[:300]
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#" else c for c in cleaned)

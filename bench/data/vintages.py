"""Two vintages of the same bars: how far they differ in what no adjustment changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.panel import Panel
from bench.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """The largest absolute difference of one quantity between two panels, and where it is."""

    quantity: str
    largest: float
    symbol: str
    day: str


def compare_panels(a: Panel, b: Panel) -> list[Difference]:
    """Returns how far two vintages differ in what no adjustment changes: ln(H/L), ln(C/O), close-to-close return.

    And in a measure that is a column and the VIX (in its own points, symbol "VIX"), where both have one. Volume is
    left out: a split changes it.
    On the sessions and symbols that both have; a factor common to the prices of a bar, or of a symbol, drops out.
    """
    symbols = [s for s in a.symbols if s in b.symbols]
    dates = np.intersect1d(a.dates, b.dates)
    if not symbols or not len(dates):
        raise DataError(f"{a.dataset}: the two panels have no session and symbol in common")

    def quantities(panel: Panel) -> dict[str, Array]:
        at = np.ix_(np.searchsorted(panel.dates, dates), np.array([panel.symbols.index(s) for s in symbols]))
        measured = {} if panel.column_var is None else {"the measure": panel.column_var[at]}
        return {
            "ln(H/L)": np.log(panel.high / panel.low)[at],
            "ln(C/O)": np.log(panel.close / panel.open)[at],
            "return": panel.returns[at],
            **measured,
        }

    mine, theirs = quantities(a), quantities(b)
    both = [name for name in mine if name in theirs]
    found = [largest_difference(name, mine[name], theirs[name], dates, symbols) for name in both]
    if a.vix is not None and b.vix is not None:
        ours, other = (p.vix[np.searchsorted(p.dates, dates), None] for p in (a, b) if p.vix is not None)
        found.append(largest_difference("VIX", ours, other, dates, ["VIX"]))
    return found


def largest_difference(
    quantity: str, a: Array, b: Array, dates: NDArray[np.datetime64], symbols: list[str]
) -> Difference:
    """The largest absolute difference between two arrays `(n_sessions, n_symbols)`; NaN in either is passed over."""
    gap = np.nan_to_num(np.abs(a - b), nan=0.0)
    i, j = np.unravel_index(int(gap.argmax()), gap.shape)
    return Difference(quantity, float(gap[i, j]), symbols[int(j)], str(dates[i]))

"""What an entry may answer as its forecast: numbers, one for each symbol, in the order of the history's symbols.

pandas is not imported: what has an index is one of its objects, whoever made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plugin import wire

SHOWN = 4
"""Labels that a message names."""


class ContractError(Exception):
    """The entry does not keep to the plugin interface; `kind` is one of those that `wire` names."""

    def __init__(self, reason: str, kind: str = wire.PROTOCOL) -> None:
        super().__init__(reason)
        self.kind = kind


def as_values(answer: Any, symbols: Sequence[str], steps: int | None = None) -> NDArray[np.float64]:
    """Returns an entry's answer as `(n_symbols,)`, of a path of so many steps as `(steps, n_symbols)`.

    Labels must be the history's symbols in their order; where there are none, the order is believed. Raises
    `ContractError` in words for what is no array of numbers, or has another shape.

    >>> as_values([1e-4, 2e-4], ["AAA", "BBB"])
    array([0.0001, 0.0002])
    """
    wanted = "one variance for each symbol" if steps is None else f"variances of shape ({steps}, {len(symbols)})"
    kind = "None" if answer is None else f"a {type(answer).__name__}"
    if answer is None or isinstance(answer, dict | set | str | bytes):
        raise ContractError(f"forecast returned {kind}: return an array, {wanted} in the order of history.symbols")
    try:
        values = np.asarray(answer)
    except (TypeError, ValueError) as error:  # a ragged list, or an object that refuses
        raise ContractError(f"forecast returned {kind} that is no array: {error}") from error
    if values.dtype.kind not in "fiu" and not _all_numbers(values):
        raise ContractError(f"forecast returned {kind} of {values.dtype}: return numbers, {wanted}")
    shape = (len(symbols),) if steps is None else (steps, len(symbols))
    if values.shape != shape:
        raise ContractError(f"forecast has shape {values.shape}, expected {shape}", wire.SHAPE)
    _check_labels(answer, [str(symbol) for symbol in symbols], steps)
    return values.astype("<f8")


def _all_numbers(values: NDArray[Any]) -> bool:
    return values.dtype == object and all(isinstance(value, int | float | np.number) for value in values.flat)


def _check_labels(answer: Any, symbols: list[str], steps: int | None) -> None:
    """A Series is labelled by its index, a table of a path by its columns; 0, 1, 2 and so on are no labels."""
    labels = getattr(answer, "index" if steps is None else "columns", None)
    if labels is None or callable(labels):  # an array or a list, whose `index` is a method
        return
    found = [str(label) for label in labels]
    if found == symbols or found == [str(i) for i in range(len(found))]:
        return
    head = f"forecast is labelled {_named(found)}, history.symbols is {_named(symbols)}"
    mend = "return `answer[list(history.symbols)]`" if sorted(found) == sorted(symbols) else "label it with the symbols"
    raise ContractError(f"{head}: values would go to other symbols; {mend}, or return plain numbers", wire.SHAPE)


def _named(labels: list[str]) -> str:
    return ", ".join(labels[:SHOWN]) + (" ..." if len(labels) > SHOWN else "") if labels else "nothing"

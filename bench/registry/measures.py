"""What a `dataset.yaml` may say as its measure: one of the known names, or a column of the bars."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from bench.errors import did_you_mean
from bench.plugin.words import COLUMN, MEASURES, column_of

COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
BARS_COLUMNS = ("date", "symbol", "open", "high", "low", "close", "volume")


def name_of(measure: Any) -> str:
    """The name of a measure as YAML has it; ValueError where it is none.

    >>> name_of("parkinson"), name_of({"column": "rv5"})
    ('parkinson', 'column rv5')
    """
    if isinstance(measure, dict):
        if list(measure) != ["column"] or not isinstance(measure["column"], str):
            raise ValueError("write the name of a measure, or of a column of the bars as {column: rv5}")
        measure = f"{COLUMN}{measure['column']}"
    if not isinstance(measure, str):
        raise ValueError(f"{measure!r} is no name of a measure{did_you_mean('', MEASURES)}")
    column = column_of(measure)
    if column is None and measure not in MEASURES:
        raise ValueError(
            f"no measure {measure}{did_you_mean(measure, MEASURES)}; a column of the bars is {{column: rv5}}"
        )
    if column is not None and (column in BARS_COLUMNS or not COLUMN_NAME.fullmatch(column)):
        raise ValueError(
            f"column `{column}` is no measure: it needs a name such as rv5, and none of a bar's own columns"
        )
    return measure


Measure = Annotated[str, BeforeValidator(name_of)]
"""The name of a measure; of a column of the bars `column rv5`."""

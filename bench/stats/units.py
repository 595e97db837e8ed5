"""Units of forecasts: how each becomes a daily decimal variance, and which one numbers look like."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.stats.losses import SESSIONS_PER_YEAR

Array = NDArray[np.float64]

UNITS = {"daily": (1.0, False), "daily-percent": (0.01, False), "annual": (1.0, True), "annual-percent": (0.01, True)}
"""By what a volatility is multiplied to be decimal (a variance by its square), and whether it is one of a year."""
KINDS = ("forecast_var", "forecast_vol")
FAR = 5.0
"""From which ratio on, either way, of median forecast to median measure the unit is doubted."""
WORDS = {
    ("forecast_var", "daily"): "a daily decimal variance",
    ("forecast_var", "daily-percent"): "a variance of percent returns (1e4 times the decimal one)",
    ("forecast_var", "annual"): "an annualised variance",
    ("forecast_var", "annual-percent"): "an annualised variance of percent returns",
    ("forecast_vol", "daily"): "a daily volatility instead of a variance",
    ("forecast_vol", "daily-percent"): "a daily volatility in percent",
    ("forecast_vol", "annual"): "an annualised volatility",
    ("forecast_vol", "annual-percent"): "an annualised volatility in percent",
}


class Size(NamedTuple):
    """How large forecasts are: their median over the measure's, and the kind and unit that they look most like."""

    ratio: float
    kind: str
    unit: str

    @property
    def is_far(self) -> bool:
        """Whether the unit is to be doubted."""
        return not 1 / FAR <= self.ratio <= FAR

    @property
    def likely(self) -> str:
        """What they look like, in words."""
        return WORDS[self.kind, self.unit]


def variance(
    values: Array, kind: str = "forecast_var", unit: str = "daily", sessions_per_year: int = SESSIONS_PER_YEAR
) -> Array:
    """Daily decimal variances of values of a kind (`KINDS`) in a unit (`UNITS`).

    >>> variance(np.array([16.0]), "forecast_vol", "annual-percent").round(7).tolist()
    [0.0001016]
    """
    factor, of_a_year = UNITS[unit]
    factor *= sessions_per_year**-0.5 if of_a_year else 1.0
    return np.asarray((values * factor) ** 2 if kind == "forecast_vol" else values * factor**2)


def size(
    forecasts: Array, measure_var: Array, kind: str = "forecast_var", unit: str = "daily",
    sessions_per_year: int = SESSIONS_PER_YEAR,
) -> Size | None:  # fmt: skip
    """The size of forecasts that are meant in a unit, by medians; None where the measure's is 0 or there is none.

    >>> size(np.full(9, 16.0), np.full(9, 1e-4)).likely
    'an annualised volatility in percent'
    """
    if not (np.isfinite(measure_var).any() and np.isfinite(forecasts).any()):
        return None
    measure, middle = float(np.nanmedian(measure_var)), np.array(np.nanmedian(forecasts))
    if not measure > 0:
        return None

    def ratio(kind: str, unit: str) -> float:
        return float(variance(middle, kind, unit, sessions_per_year)) / measure

    likely = min(((k, u) for k in KINDS for u in UNITS), key=lambda pair: abs(math.log(ratio(*pair))))
    return Size(ratio(kind, unit), *likely)

"""Loss differences, ready to be tested: one number per session, and what rounding may have done to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]  # scipy ships no types

from bench.stats.results import Alternative

Array = NDArray[np.float64]

ROUNDING = 8 * float(np.finfo(np.float64).eps)
ALTERNATIVES = ("two-sided", "less", "greater")
IDENTICAL = "the losses are identical"
CONSTANT = "the difference is constant: it has no variance"


@dataclass(frozen=True)
class Differences:
    """`values = loss_a - loss_b (n,)`; below `rounding (n,)` they are arithmetic only."""

    values: Array
    rounding: Array
    n_left_out: int = 0

    def __len__(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float:
        """Mean difference; NaN without sessions."""
        return float(self.values.mean()) if len(self) else float("nan")

    @property
    def scale(self) -> float:
        """Largest absolute difference: variances are computed of `values / scale`, so that no square overflows."""
        return float(np.abs(self.values).max())

    @property
    def identical(self) -> bool:
        """Whether the two losses are equal in every session, up to rounding."""
        return bool((np.abs(self.values) <= self.rounding).all())

    @property
    def constant(self) -> bool:
        """Whether the difference is the same in every session, up to rounding: it then has no variance."""
        return bool((np.abs(self.values - self.mean) <= self.rounding).all())


def of_series(loss_a: ArrayLike, loss_b: ArrayLike) -> Differences:
    """Differences of two loss series `(n,)`. ValueError where they differ in shape or are not finite."""
    a, b = _pair(loss_a, loss_b, ndim=1)
    for name, loss in (("loss_a", a), ("loss_b", b)):
        if not np.isfinite(loss).all():
            at = np.flatnonzero(~np.isfinite(loss))
            raise ValueError(f"{name} is {loss[at[0]]} at position {at[0]} ({len(at)} such): drop these rows of both")
    return Differences(a - b, ROUNDING * (np.abs(a) + np.abs(b)))


def of_panel(loss_a: ArrayLike, loss_b: ArrayLike) -> Differences:
    """Daily cross-sectional means of the differences of two loss panels `(n_sessions, n_symbols)`.

    A cell that is NaN in either is left out of its day; a day without cells is left out, and counted.
    ValueError where the panels differ in shape or a loss is infinite.
    """
    a, b = _pair(loss_a, loss_b, ndim=2)
    for name, loss in (("loss_a", a), ("loss_b", b)):
        if np.isinf(loss).any():
            raise ValueError(f"{name} is infinite at row {np.argwhere(np.isinf(loss))[0][0]}: NaN leaves a cell out")
    cells = ~(np.isnan(a) | np.isnan(b))
    days = days_with_cells(a, b)
    a, b, cells = a[days], b[days], cells[days]
    count = cells.sum(axis=1)
    values = np.where(cells, a - b, 0.0).sum(axis=1) / count
    size = np.where(cells, np.abs(a) + np.abs(b), 0.0).sum(axis=1) / count
    return Differences(values, ROUNDING * size, int(np.count_nonzero(~days)))


def days_with_cells(loss_a: Array, loss_b: Array) -> NDArray[np.bool_]:
    """Which sessions of two loss panels have a cell that is NaN in neither, `(n_sessions,)`."""
    return np.asarray(~(np.isnan(loss_a) | np.isnan(loss_b)).all(axis=1))


def p_value(statistic: float, df: int, alternative: Alternative) -> float:
    """p of a t statistic with `df` degrees of freedom; `less` is the lower tail.

    >>> round(p_value(-2.0, 10, "less"), 6), round(p_value(-2.0, 10, "two-sided"), 6)
    (0.036694, 0.073388)
    """
    if alternative == "two-sided":
        return min(1.0, 2.0 * float(special.stdtr(df, -abs(statistic))))
    return float(special.stdtr(df, statistic if alternative == "less" else -statistic))


def check_options(horizon: int, alternative: str) -> None:
    """ValueError for a horizon below 1 or an unknown alternative."""
    if horizon < 1 or horizon != int(horizon):
        raise ValueError(f"horizon is {horizon}: a whole number of unknown sessions, from 1 on")
    if alternative not in ALTERNATIVES:
        raise ValueError(f"alternative is {alternative!r}: one of {', '.join(ALTERNATIVES)}")


def _pair(loss_a: ArrayLike, loss_b: ArrayLike, ndim: int) -> tuple[Array, Array]:
    a, b = np.asarray(loss_a, dtype=np.float64), np.asarray(loss_b, dtype=np.float64)
    if a.ndim != ndim or a.shape != b.shape:
        expected = "(n,)" if ndim == 1 else "(n_sessions, n_symbols)"
        raise ValueError(f"losses have shapes {a.shape} and {b.shape}: both must be {expected}, same sessions")
    return a, b

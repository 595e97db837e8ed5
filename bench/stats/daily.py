"""Daily losses of several entries at once: what every test of many entries starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

NEAR = 1e-6
"""Share of two variances below which the variance of a difference, computed from them, has lost digits."""
FAINT = 1e-8
"""Share of the largest loss below which the standard deviation of a difference has lost digits to its size."""


def daily_mean_losses(losses: ArrayLike) -> Array:
    """Daily means over symbols `(n, k)` of the losses `(k, n_sessions, n_symbols)` of k entries on the same cells.

    A cell that is NaN is left out of its day, a day without cells is left out. ValueError where a cell is NaN
    for one entry and not for another (their means would compare different cells) or a loss is infinite.

    >>> nan = float("nan")
    >>> daily_mean_losses([[[1.0, 3.0], [nan, 5.0], [nan, nan]], [[2.0, 2.0], [nan, 1.0], [nan, nan]]])
    array([[2., 2.],
           [5., 1.]])
    """
    panels = np.asarray(losses, dtype=np.float64)
    if panels.ndim != 3 or panels.shape[0] == 0:
        raise ValueError(f"losses have shape {panels.shape}: (n_entries, n_sessions, n_symbols) is needed")
    cells = ~np.isnan(panels[0])
    for entry, panel in enumerate(panels):
        odd = np.isnan(panel) == cells
        if odd.any() or np.isinf(panel).any():
            what = "NaN for one entry only" if odd.any() else "infinite"
            row, symbol = (int(i) for i in np.argwhere(odd if odd.any() else np.isinf(panel))[0])
            raise ValueError(f"loss of entry {entry} at row {row}, symbol {symbol} is {what}")
    days = cells.any(axis=1)
    means = [np.where(cells[days], panel[days], 0.0).sum(axis=1) / cells[days].sum(axis=1) for panel in panels]
    return np.column_stack(means)


def paired(losses: ArrayLike, reference: ArrayLike) -> tuple[list[Array], Array, NDArray[np.bool_]]:
    """Losses `(n, symbols)` of each entry and of a reference, 0 where they are NaN, and which cells are not.

    Of `(k, n, symbols)` and `(n, symbols)`, without the days and the symbols that have no cell. ValueError for other
    shapes, for cells that are NaN in one and not in the other, or infinite.
    """
    panels, other = np.asarray(losses, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if panels.ndim != 3 or other.shape != panels.shape[1:]:
        raise ValueError(f"losses {panels.shape}, reference {other.shape}: (k, n, symbols) and (n, symbols) are needed")
    cells = ~np.isnan(other)
    if not (np.isnan(panels) != cells).all() or np.isinf(panels).any() or np.isinf(other).any():
        raise ValueError("losses and reference must be NaN in the same cells and finite in all others")
    days, seen = cells.any(axis=1), cells.any(axis=0)
    cells = cells[days]
    filled = [np.where(cells, each[days], 0.0)[:, seen] for each in (*panels, other)]
    return filled[:-1], filled[-1], cells[:, seen]


def checked_daily(daily_losses: ArrayLike) -> Array:
    """The losses `(n, k)` as an array; ValueError unless two-dimensional, of one column or more, and finite."""
    losses = np.asarray(daily_losses, dtype=np.float64)
    if losses.ndim != 2 or losses.shape[1] == 0:
        raise ValueError(f"daily_losses has shape {losses.shape}: (n_sessions, n_entries) is needed")
    if not np.isfinite(losses).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(losses))[0])
        count = np.count_nonzero(~np.isfinite(losses))
        raise ValueError(
            f"daily_losses is {losses[row, column]} at row {row}, column {column} ({count} such): "
            "leave the day out for all entries"
        )
    return losses


@dataclass(frozen=True, eq=False)
class Relative:
    """Losses less the mean over entries of their day: `centred (n, k)` and divided by `scale`, and their `means`.

    What all entries share cancels in every difference of two: taken out first, it costs no digits later.
    `floor` is the variance of a centred difference below which it may be rounding of the losses.
    """

    centred: Array
    means: Array
    scale: float
    floor: float


def relative(losses: Array) -> Relative:
    """The losses `(n, k)`, n > 0, relative to the mean over entries of their day."""
    shared = losses - losses.mean(axis=1, keepdims=True)
    means = shared.mean(axis=0)
    centred = shared - means
    scale = float(np.abs(centred).max()) or 1.0
    return Relative(centred / scale, means, scale, (FAINT * float(np.abs(losses).max()) / scale) ** 2)


def difference_variances(covariance: Array, floor: float = 0.0) -> tuple[Array, NDArray[np.bool_]]:
    """Variances `(k, k)` of all differences from a covariance matrix, `c_ii + c_jj - 2 c_ij`, and which are unsafe.

    Unsafe are those up to `floor`, or up to `NEAR` of the sum they are taken from: nearly equal series, to be
    looked at one by one.

    >>> variances, unsafe = difference_variances(np.array([[2.0, 1.0, 2.0], [1.0, 3.0, 1.0], [2.0, 1.0, 2.0]]))
    >>> variances[0].tolist(), unsafe[0].tolist()
    ([0.0, 3.0, 0.0], [True, False, True])
    """
    own = np.diag(covariance)
    total = own[:, None] + own[None, :]
    variances = total - (covariance + covariance.T)
    return np.maximum(variances, 0.0), np.asarray(variances <= np.maximum(NEAR * total, floor))

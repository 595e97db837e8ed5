"""P-values adjusted for the number of tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Array:
    """Adjusted p `(..., k)`: rejecting those below 5 % makes a single false rejection at most 5 % likely.

    Each family of k along the last axis on its own; valid under any dependence: Holm (1979), A simple
    sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6. The i-th smallest of
    m becomes `max over j <= i of (m - j + 1) p_(j)`, at most 1. A test that is NaN was not made: it stays NaN
    and is not counted. ValueError for a value outside 0 to 1. Not computed by statsmodels, whose
    `multipletests` empties the garbage of the whole process in every call; equal to it (tested).

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim == 0 or not (np.isnan(p) | ((p >= 0) & (p <= 1))).all():
        raise ValueError(f"p_values of shape {p.shape} must be from 0 to 1, NaN for a test that was not made")
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    made = (~np.isnan(p)).sum(axis=-1, keepdims=True)
    factor = np.maximum(made - np.arange(p.shape[-1]), 1)
    stepped = np.maximum.accumulate(factor * np.take_along_axis(p, order, axis=-1), axis=-1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(stepped, 1.0), axis=-1)
    return adjusted

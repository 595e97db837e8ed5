"""P-values adjusted for the number of tests."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Array:
    """Adjusted p `(k,)`: rejecting those below 5 % makes a single false rejection at most 5 % likely.

    Valid under any dependence: Holm (1979), A simple sequentially rejective multiple test procedure,
    Scandinavian Journal of Statistics 6. A test that is NaN was not made: it stays NaN and is not counted.
    ValueError for another shape or a value outside 0 to 1. Computed by statsmodels.

    >>> holm([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.06,  nan, 0.06])
    """
    return _adjusted(p_values, "holm")


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """Adjusted p `(k,)`: of those below 5 %, at most 5 % are false in expectation.

    Weaker than `holm`, and for independent or positively dependent tests only: Benjamini and Hochberg (1995),
    Controlling the false discovery rate, JRSS B 57. NaN and errors as in `holm`. Computed by statsmodels.

    >>> benjamini_hochberg([0.01, 0.04, float("nan"), 0.03])
    array([0.03, 0.04,  nan, 0.04])
    """
    return _adjusted(p_values, "fdr_bh")


def _adjusted(p_values: ArrayLike, method: Literal["holm", "fdr_bh"]) -> Array:
    from statsmodels.stats.multitest import multipletests  # half a second: only where used

    p = np.asarray(p_values, dtype=np.float64)
    made = ~np.isnan(p)
    if p.ndim != 1 or not ((p[made] >= 0) & (p[made] <= 1)).all():
        raise ValueError(f"p_values of shape {p.shape}: (k,) from 0 to 1 are needed, NaN for a test not made")
    adjusted = np.full(p.shape, np.nan)
    if made.any():
        adjusted[made] = multipletests(p[made], method=method)[1]
    return adjusted

"""Regimes of the VIX: calm below a threshold, crisis at or above it, by calendar month or at the origin.

Both return text `(n_sessions,)`: `calm`, `crisis` or `unknown`. Scores by regime select rows with it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

CALM, CRISIS, UNKNOWN = "calm", "crisis", "unknown"
Labels = NDArray[np.str_]


def by_month(dates: NDArray[np.datetime64], vix: ArrayLike, threshold: float) -> Labels:
    """Regime of each session's calendar month, from the month's mean VIX close; known only afterwards.

    Hand over all sessions, then select: the mean is over the sessions given. A month with a session whose
    VIX is missing is unknown, since the mean of the rest is another quantity (a source that begins in the
    middle of a month would be judged by its end). It describes, and no test is made inside it: a row's
    regime depends on what happened after its origin.

    `dates (n_sessions,)` are the sessions that are forecast (t+1), `vix` their closes, in points.

    >>> days = np.array(["2020-01-30", "2020-01-31", "2020-02-03", "2020-03-02"], dtype="datetime64[D]")
    >>> by_month(days, [10.0, 30.0, 19.9, np.nan], threshold=20)
    array(['crisis', 'crisis', 'calm', 'unknown'], dtype='<U7')
    """
    months = np.asarray(dates).astype("datetime64[M]")
    closes = _closes(vix, months.shape)
    if np.isnat(months).any():
        raise ValueError("dates holds NaT: every session needs its date")
    _, month = np.unique(months, return_inverse=True)
    means = np.bincount(month, weights=closes) / np.bincount(month)
    return _label(means, threshold)[month]


def at_origin(vix: ArrayLike, threshold: float) -> Labels:
    """Regime at each origin from its own VIX close, known when the forecast is made; unknown where it is NaN.

    >>> at_origin([19.99, 20.0, float("nan")], threshold=20)
    array(['calm', 'crisis', 'unknown'], dtype='<U7')
    """
    return _label(_closes(vix), threshold)


def _label(closes: NDArray[np.float64], threshold: float) -> Labels:
    known = np.where(closes >= threshold, CRISIS, CALM)
    return np.where(np.isnan(closes), UNKNOWN, known).astype("<U7")


def _closes(vix: ArrayLike, shape: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    closes = np.asarray(vix, dtype=np.float64)
    if closes.ndim != 1 or (shape is not None and closes.shape != shape):
        raise ValueError(f"vix has shape {closes.shape}: one close per session is needed, {shape or '(n,)'}")
    return closes

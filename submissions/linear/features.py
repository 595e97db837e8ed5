"""What the regressions read: terms of the symbol, of the market, of all symbols and of the VIX, known at the close.

A term is a function from the last sessions of a history to a list of arrays that broadcast to `(rows, n_symbols)`; a
row of `submission.yaml` names the terms that it reads. Rows whose windows reach before the first session are NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.plugin import History
from bench.plugin.tasks import trailing_mean

Array = NDArray[np.float64]

WEEK, MONTH = 5, 22
VOLUME_MEAN = 20
LEAST_RATIO = 1e-3
"""What a session's volume is at least, as a part of the mean volume: the logarithm of none is not finite."""
LOOKBACK = MONTH
"""Sessions, its own included, that the longest term of a row reaches back."""


@dataclass(frozen=True)
class Known:
    """The last sessions of a history, with what the terms share.

    `smallest_var (n_symbols,)` takes the place of a measure of zero, `market` is a symbol or "" for none.
    """

    history: History
    last: slice
    smallest_var: Array
    market: str = ""

    @property
    def log_var(self) -> Array:
        """Return ln g, `(rows, n_symbols)`."""
        return log_above(self.history.variance[self.last], self.smallest_var)

    @property
    def month_vol(self) -> Array:
        """Return the volatility of the last month, `(rows, n_symbols)`: exp of half the mean of ln g."""
        return np.exp(0.5 * trailing_mean(self.log_var, MONTH))

    @property
    def returns(self) -> Array:
        """Return close-to-close returns, `(rows, n_symbols)`."""
        return self.history.returns[self.last]

    @property
    def log_vix(self) -> Array:
        """Return ln VIX, `(rows, 1)`."""
        return np.log(self.history.vix[self.last, None])

    def of_market(self, values: Array) -> Array:
        """Return the market's column, `(rows, 1)`; the mean over symbols where it is not among them."""
        symbols = self.history.symbols
        return values[:, [symbols.index(self.market)]] if self.market in symbols else of_all(values)


def har(known: Known) -> list[Array]:
    """Return ln g and its means over a week and a month: Corsi (2009), Journal of Financial Econometrics 7."""
    return spans(known.log_var)


def market(known: Known) -> list[Array]:
    """Return `har` of the market."""
    return [known.of_market(values) for values in har(known)]


def cross_section(known: Known) -> list[Array]:
    """Return the means over all symbols of `har`."""
    return [of_all(values) for values in har(known)]


def leverage(known: Known) -> list[Array]:
    """Return the mean returns of a day, a week and a month where they are negative, else 0.

    Corsi and Renò (2012), Journal of Business and Economic Statistics 30, the heterogeneous leverage of LHAR.
    """
    return [np.minimum(values, 0.0) for values in spans(known.returns)]


def falls(known: Known) -> list[Array]:
    """Return `leverage` in units of the last month's volatility, so that symbols can share a coefficient."""
    lengths = (1, WEEK, MONTH)
    return [np.sqrt(n) * values / known.month_vol for n, values in zip(lengths, leverage(known), strict=True)]


def size(known: Known) -> list[Array]:
    """Return the absolute return in units of the last month's volatility."""
    return [np.abs(known.returns) / known.month_vol]


def overnight(known: Known) -> list[Array]:
    """Return the absolute return from the last close to the open, in units of the last month's volatility."""
    moves = np.full_like(known.returns, np.nan)
    moves[1:] = np.log(known.history.open[known.last][1:] / known.history.close[known.last][:-1])
    return [np.abs(moves) / known.month_vol]


def volume(known: Known) -> list[Array]:
    """Return the log of volume over its mean of 20 sessions."""
    traded = known.history.volume[known.last]
    mean = trailing_mean(traded, VOLUME_MEAN)
    ratio = np.divide(traded, mean, out=np.where(np.isnan(mean), np.nan, 1.0), where=mean > 0.0)
    return [np.log(np.maximum(ratio, LEAST_RATIO))]


def vix(known: Known) -> list[Array]:
    """Return ln VIX."""
    return [known.log_vix]


def vix_change(known: Known) -> list[Array]:
    """Return the change of ln VIX since the session before."""
    return [np.diff(known.log_vix, axis=0, prepend=np.nan)]


def vix_surprise(known: Known) -> list[Array]:
    """Return ln VIX less its mean over a month."""
    return [known.log_vix - trailing_mean(known.log_vix, MONTH)]


TERMS: dict[str, Callable[[Known], list[Array]]] = {
    "har": har,
    "market": market,
    "cross-section": cross_section,
    "leverage": leverage,
    "falls": falls,
    "size": size,
    "overnight": overnight,
    "volume": volume,
    "vix": vix,
    "vix-change": vix_change,
    "vix-surprise": vix_surprise,
}
"""The terms that a row may name."""


def features(known: Known, terms: Sequence[str]) -> Array:
    """Return the named terms side by side, `(rows, n_symbols, k)`."""
    columns = [column for name in terms for column in TERMS[name](known)]
    return np.stack(np.broadcast_arrays(known.log_var, *columns)[1:], axis=-1)


def spans(values: Array) -> list[Array]:
    """Return the values and their trailing means over a week and a month."""
    return [values, trailing_mean(values, WEEK), trailing_mean(values, MONTH)]


def of_all(values: Array) -> Array:
    """Return the mean over symbols, `(rows, 1)`."""
    return values.mean(axis=1, keepdims=True)


def smallest_positive(values: Array) -> Array:
    """The smallest positive value of every symbol, `(n_symbols,)`; values are `(rows, n_symbols)`."""
    return np.where(values > 0, values, np.inf).min(axis=0)


def log_above(values: Array, smallest: Array) -> Array:
    """The logarithm, with `smallest` for values that are not positive; NaN stays NaN."""
    return np.log(np.where(values <= 0, smallest, values))

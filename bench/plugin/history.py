"""What an entry knows: a record that grows by the session, and the read-only views of it. Needs numpy alone.

`Tape` is written by the worker as sessions arrive. `History` is what `fit` and `forecast` receive: all
symbols, `(n_sessions, n_symbols)`. `Series` is the same for one symbol, `(n_sessions,)`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.plugin.tasks import Rows
from bench.plugin.words import READS as READS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALWAYS = ("returns", "variance")
PANEL_FIELDS = ("open", "high", "low", "close", "volume", *ALWAYS)


def fields_of(reads: Iterable[str]) -> list[str]:
    """The panel fields handed to an entry that declares `reads`, in the order in which they travel.

    >>> fields_of(["closes", "vix"])
    ['close', 'returns', 'variance']
    """
    declared = {field for name in reads for field in READS[name]}
    return [field for field in PANEL_FIELDS if field in declared or field in ALWAYS]


class UndeclaredError(AttributeError):
    """An entry touched a field that its `submission.yaml` does not declare."""


class Tape:
    """The growing record behind all views; each symbol's values lie side by side in memory.

    Growing doubles the buffers, so a session costs the same however long the history is, and what lies
    beyond the last session is NaN: a view's base array holds no later session.
    """

    def __init__(
        self, symbols: list[str], fields: list[str], *, has_vix: bool, ahead: int, fit: Rows, select: Rows,
        fit_start: int,
    ) -> None:  # fmt: skip
        self.symbols = tuple(symbols)
        self.fields = {name: i for i, name in enumerate(fields)}
        self.has_vix = has_vix
        self.ahead = ahead
        self.fit, self.select = fit, select
        self.fit_start = fit_start
        self.known_from = fit.first
        self.n_sessions = 0
        self.dates = np.full(0, np.datetime64("NaT"), dtype="datetime64[D]")
        self.vix = np.full(0, np.nan)
        self.values = np.full((len(fields), len(symbols), 0), np.nan)
        self.realized = np.full((len(symbols), 0), np.nan)
        self._n_realized = 0

    def extend(self, dates: NDArray[np.datetime64], vix: Array, values: Array, realized: Array) -> None:
        """Append sessions: `values (fields, symbols, n)`, `vix (n,)`, and the newly known `realized (symbols, r)`."""
        first, last = self.n_sessions, self.n_sessions + len(dates)
        if last > len(self.dates):
            self._grow(max(last, 2 * len(self.dates)))
        self.dates[first:last] = dates
        self.vix[first:last] = vix
        self.values[:, :, first:last] = values
        known = self._n_realized + realized.shape[1]
        self.realized[:, self._n_realized : known] = realized
        self.n_sessions, self._n_realized = last, known

    def _grow(self, capacity: int) -> None:
        def grown(old: NDArray[Any], fill: Any) -> NDArray[Any]:
            new = np.full((*old.shape[:-1], capacity), fill, dtype=old.dtype)
            new[..., : self.n_sessions] = old[..., : self.n_sessions]
            return new

        self.dates = grown(self.dates, np.datetime64("NaT"))
        self.vix = grown(self.vix, np.nan)
        self.values = grown(self.values, np.nan)
        self.realized = grown(self.realized, np.nan)

    def history(self) -> History:
        """The view of all that is known now."""
        return History(self, self.n_sessions)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


class _View:
    """Fields of a tape up to a session. Subclasses say how a field is cut."""

    __slots__ = ("_n", "_tape")

    def __init__(self, tape: Tape, n_sessions: int) -> None:
        self._tape = tape
        self._n = n_sessions

    def __len__(self) -> int:
        return self._n

    def _cut(self, by_symbol: Array) -> Array:
        raise NotImplementedError

    def _field(self, name: str) -> Array:
        index = self._tape.fields.get(name)
        if index is None:
            read = next(read for read, fields in READS.items() if name in fields)
            raise UndeclaredError(f"history.{name} is not handed out: add `{read}` to `reads` in submission.yaml")
        return self._cut(self._tape.values[index])

    @property
    def dates(self) -> NDArray[np.datetime64]:
        """The sessions, `datetime64[D]`, `(n_sessions,)`; the last one is the origin."""
        return _read_only(self._tape.dates[: self._n])

    @property
    def open(self) -> Array:
        """Opening prices; needs `bars`."""
        return self._field("open")

    @property
    def high(self) -> Array:
        """Highest prices; needs `bars`."""
        return self._field("high")

    @property
    def low(self) -> Array:
        """Lowest prices; needs `bars`."""
        return self._field("low")

    @property
    def close(self) -> Array:
        """Closing prices; needs `closes` or `bars`."""
        return self._field("close")

    @property
    def volume(self) -> Array:
        """Volume; needs `volume`."""
        return self._field("volume")

    @property
    def returns(self) -> Array:
        """Close-to-close log returns, decimal; NaN in the first row."""
        return self._field("returns")

    @property
    def variance(self) -> Array:
        """The dataset's daily measure of variance, decimal: what is to be forecast."""
        return self._field("variance")

    @property
    def vix(self) -> Array:
        """Close of the VIX, in points, `(n_sessions,)`; needs `vix`."""
        if not self._tape.has_vix:
            raise UndeclaredError("history.vix is not handed out: add `vix` to `reads` in submission.yaml")
        return _read_only(self._tape.vix[: self._n])

    @property
    def realized(self) -> Array:
        """The task's target **by origin**: row t is what a forecast made at t should have said, NaN while unknown.

        Features of row t pair with `realized[t]`: nothing is shifted by hand. An entry that forecasts paths
        sees the next session's measure here.
        """
        return self._cut(self._tape.realized)

    @property
    def fit_rows(self) -> Mask:
        """Origins whose target lies wholly inside the fit window; fixed by the split."""
        return self._tape.fit.mask(self._n)

    @property
    def select_rows(self) -> Mask:
        """Origins whose target lies wholly inside the select window; fixed by the split. For early stopping."""
        return self._tape.select.mask(self._n)

    @property
    def known_rows(self) -> Mask:
        """Origins whose whole target is known now and starts inside the fit window or later."""
        return Rows(self._tape.known_from, self._n - 1 - self._tape.ahead).mask(self._n)

    @property
    def fit_start(self) -> int:
        """Position of the first session of the fit window: models of sessions use `returns[fit_start:]`."""
        return self._tape.fit_start


class History(_View):
    """Read-only view of what is known at the close of the last session, all symbols: `(n_sessions, n_symbols)`.

    `len(history)` is the number of sessions. Arrays are views; write to a copy.

    >>> history = example_history(n_sessions=300, symbols=("AAA", "BBB"))
    >>> history.variance.shape, history.vix.shape
    ((300, 2), (300,))
    >>> bool(np.isnan(history.realized[-1]).all()), history.symbols
    (True, ('AAA', 'BBB'))
    """

    __slots__ = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self._tape.symbols

    def _cut(self, by_symbol: Array) -> Array:
        return _read_only(by_symbol[:, : self._n].T)

    def series(self, symbol: str) -> Series:
        """The same for one symbol."""
        return Series(self._tape, self._n, self._tape.symbols.index(symbol))


class Series(_View):
    """Read-only view of what is known of one symbol: as `History`, with arrays `(n_sessions,)`."""

    __slots__ = ("_column",)

    def __init__(self, tape: Tape, n_sessions: int, column: int) -> None:
        super().__init__(tape, n_sessions)
        self._column = column

    @property
    def symbol(self) -> str:
        """Name of the symbol."""
        return self._tape.symbols[self._column]

    def _cut(self, by_symbol: Array) -> Array:
        return _read_only(by_symbol[self._column, : self._n])


def example_history(n_sessions: int = 300, symbols: tuple[str, ...] = ("AAA", "BBB"), seed: int = 1) -> History:
    """A made-up history for trying a model without the harness: random bars, the next session's measure as target.

    The fit window starts at the 11th session and takes two thirds of the sessions, the select window the rest.
    """
    from bench.plugin.measures import garman_klass, log_returns
    from bench.plugin.tasks import ONE_STEP, rows_inside, target

    rng = np.random.default_rng(seed)
    shape = (n_sessions, len(symbols))
    vol = 0.01 * np.exp(0.3 * rng.standard_normal(shape))
    steps = vol[None] * rng.standard_normal((13, *shape)) / np.sqrt(13)
    path = 4.0 + np.cumsum(steps.sum(axis=0), axis=0) + np.cumsum(steps, axis=0) - steps.sum(axis=0)
    open_, close = np.exp(path[0] - steps[0]), np.exp(path[-1])
    high, low = np.maximum(open_, np.exp(path.max(axis=0))), np.minimum(open_, np.exp(path.min(axis=0)))
    variance = garman_klass(open_, high, low, close)
    volume = np.round(1e6 * np.exp(0.2 * rng.standard_normal(shape)))
    split = 10 + 2 * (n_sessions - 10) // 3
    tape = Tape(
        list(symbols), list(PANEL_FIELDS), has_vix=True, ahead=1, fit_start=10,
        fit=rows_inside(ONE_STEP, 10, split - 1), select=rows_inside(ONE_STEP, split, n_sessions - 1),
    )  # fmt: skip
    values = np.stack([open_, high, low, close, volume, log_returns(close), variance])
    tape.extend(
        np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward"),
        15 + 500 * vol.mean(axis=1),
        values.transpose(0, 2, 1),
        target(variance, ONE_STEP)[:-1].T,
    )
    return tape.history()

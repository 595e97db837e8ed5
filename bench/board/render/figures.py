"""The figures of a board, as SVG. A new one is a function of a `Drawing`, with its caption and which boards have it.

They lie in `FIGURES` in the order of the page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.board.aside import aside
from bench.board.gather import Gathered, TaskScores
from bench.board.model import Board, TaskTable
from bench.board.render.numbers import probability
from bench.board.render.style import COLOURS, DASHES, GREY, LIGHT, matrix, new_figure, render_figure
from bench.board.render.training import attention_of, curves_of, draw_attention, draw_training
from bench.stats import losses
from bench.stats.regimes import CRISIS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEAT_LIMIT = 0.25
PAIR_COLOURS = ("#B35806", "#F1A340", "#FEE0B6", "#F7F7F7", "#D8DAEB", "#998EC3", "#542788")


UNDRAWABLE = (ArithmeticError, IndexError, KeyError, MemoryError, OSError, TypeError, ValueError)
"""What drawing raises over values that it was not made for; `LinAlgError` is a `ValueError`."""


@dataclass(frozen=True)
class Drawing:
    """What a figure is drawn from: the board, the table and scores of its headline task, and all that is stored."""

    board: Board
    table: TaskTable
    scores: TaskScores
    gathered: Gathered

    @property
    def anchored(self) -> bool:
        """Whether the anchor has a row, and another entry beside it."""
        return len(self.table.rows) > 1 and any(row.entry == self.board.anchor for row in self.table.rows)

    @property
    def market_moves(self) -> bool:
        """Whether there is a market symbol, and it has variance."""
        symbols, market = self.scores.cells.symbols, self.board.market
        return market is not None and bool((self.scores.cells.target_var[:, symbols.index(market)] > 0).any())

    def leaders(self, n: int, without: str = "") -> list[str]:
        """The first n entries but one, and the skill reference, as far as it has finished."""
        first = [row.entry for row in self.table.rows if row.entry != without][:n]
        reference = self.board.skill_reference
        return list(dict.fromkeys([*first, *({reference} & set(self.scores.scored) - {without})]))


@dataclass(frozen=True)
class BoardFigure:
    """A figure of a board: its file name, what it shows, which boards have it, and how it is drawn."""

    name: str
    caption: str
    applies: Callable[[Drawing], bool]
    make: Callable[[Drawing], Figure]


FIGURES: dict[str, BoardFigure] = {}


def figure(caption: str, applies: Callable[[Drawing], bool] = lambda it: True) -> Callable[..., Any]:
    """Puts a function into the table of figures, under its own name."""

    def register(make: Callable[[Drawing], Figure]) -> Callable[[Drawing], Figure]:
        FIGURES[make.__name__] = BoardFigure(make.__name__, caption, applies, make)
        return make

    return register


def figure_names(board: Board, gathered: Gathered) -> list[str]:
    """The figures that a board has, in the order of the page; whether one can be drawn shows when it is."""
    it = _drawing(board, gathered)
    return [each.name for each in FIGURES.values() if it and _applies(each, it)]


def _applies(figure: BoardFigure, it: Drawing) -> bool:
    try:
        return figure.applies(it)
    except UNDRAWABLE:  # it says why where it is drawn
        return True


def draw(board: Board, gathered: Gathered) -> dict[str, bytes | str]:
    """The SVG of every figure of the board's headline task, by name, or in a line why it cannot be drawn.

    Every other one is drawn in a second process. What entries recorded and kept is a stranger's: a figure that fails
    over it costs itself alone.
    """
    chosen = [FIGURES[name] for name in board.figures]

    def drawn(figures: list[BoardFigure]) -> dict[str, bytes | str]:
        it = _drawing(board, gathered)
        return {each.name: _drawn(each, it) for each in figures if it}

    import_module("matplotlib.backends.backend_svg")  # once, before the fork
    rest = aside(partial(drawn, chosen[1::2])) if len(chosen) > 1 else dict
    both = {**drawn(chosen[::2]), **rest()}
    return {name: both[name] for name in board.figures if name in both}


def _drawn(figure: BoardFigure, it: Drawing) -> bytes | str:
    try:
        return render_figure(partial(figure.make, it))
    except UNDRAWABLE as error:
        return " ".join(f"{type(error).__name__}: {error}".removeprefix("ValueError: ").split())[:300]


def _drawing(board: Board, gathered: Gathered) -> Drawing | None:
    """What the figures of a board are drawn from; None where its headline task has no row."""
    table = board.table(board.headline)
    return Drawing(board, table, gathered.tasks[board.headline], gathered) if table and table.rows else None


@figure("p-values of all pairs of entries (panel test, two-sided, not adjusted)", lambda it: len(it.table.rows) > 1)
def pairs(it: Drawing) -> Figure:
    """Which pairs are told apart: row against column; colour is direction, depth is p."""
    from matplotlib.colors import ListedColormap

    names = [row.entry for row in it.table.rows]
    p = np.array([[1.0 if value is None else value for value in line] for line in it.table.pair_p])
    qlike = np.array([row.qlike for row in it.table.rows])
    strength = np.select([p < 0.001, p < 0.01, p < 0.05], [3, 2, 1], 0) * np.sign(qlike[None, :] - qlike[:, None])
    texts = [
        ["" if i == j else "·" if value >= 0.05 else probability(value) for j, value in enumerate(line)]
        for i, line in enumerate(p)
    ]
    figure, axes = new_figure(1.6 + 0.38 * len(names), 1.5 + 0.38 * len(names))
    matrix(axes, strength, texts, names, names, 3.5, cmap=ListedColormap(PAIR_COLOURS))
    axes.set_title(
        f"{it.table.task}: row against column, p of the panel test, not adjusted\n"
        "violet: the row has the smaller QLIKE, orange: the larger\n"
        "pale: p < .05, middle: < .01, dark: < .001; a point: p ≥ .05",
        fontsize=8,
    )
    return figure


@figure(
    "daily mean QLIKE saved against {anchor}, summed over the score window; crisis months are shaded",
    lambda it: it.anchored,
)
def cumulated(it: Drawing) -> Figure:
    """QLIKE saved against the anchor, summed up over days."""
    anchor, scored, cells = it.board.anchor, it.scores.scored, it.scores.cells
    figure, axes = new_figure(8.0, 3.8)
    for i, entry in enumerate(it.leaders(5, without=anchor)):
        saved = np.nancumsum(np.nanmean(scored[anchor].qlike - scored[entry].qlike, axis=1))
        axes.plot(cells.dates, saved, DASHES[i % 4], color=COLOURS[i % 7], lw=1.4, label=entry)
    axes.axhline(0, color=GREY, lw=0.8)
    _shade_crises(axes, cells.dates, cells.regimes["month"])
    axes.set_ylabel(f"sum of daily mean QLIKE saved against {anchor}", fontsize=8)
    axes.set_title(f"{it.table.task}: up is better than {anchor}; the first five rows and {it.board.skill_reference}")
    axes.legend(loc="upper left", ncols=2)
    return figure


def _shade_crises(axes: Axes, dates: NDArray[np.datetime64], labels: NDArray[np.str_]) -> None:
    """Grey bands over runs of crisis."""
    crisis = np.concatenate([[False], labels == CRISIS, [False]])
    edges = np.flatnonzero(crisis[1:] != crisis[:-1])
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        axes.axvspan(dates[first], dates[after - 1], color="#DDDDDD", lw=0, zorder=0)


@figure("realised and forecast volatility of {market}", lambda it: it.market_moves)
def volatility(it: Drawing) -> Figure:
    """Realised and forecast volatility of the market over time."""
    figure, axes = new_figure(8.0, 3.8)
    _over_time(axes, it.scores, it.leaders(2), it.board.market or "")
    axes.set_title(f"{it.board.market}, {it.table.task}: realised and forecast")
    return figure


@figure("realised against forecast volatility of {market}", lambda it: it.market_moves)
def scatter(it: Drawing) -> Figure:
    """Realised against forecast volatility of the market, one panel an entry, logarithmic."""
    shown = it.leaders(2)
    figure, panels = new_figure(2.9 * len(shown) + 0.4, 3.3, 1, len(shown), sharex=True, sharey=True, squeeze=False)
    for axes, entry, colour in zip(panels[0], shown, COLOURS, strict=False):
        _one_on_the_other(axes, it.scores, entry, it.board.market or "", colour)
        axes.set_title(entry)
    panels[0, 0].set_ylabel(f"{it.board.market} realised, % a year")
    return figure


def draw_forecasts(scores: TaskScores, entry: str, symbol: str, form: str = "svg") -> bytes:
    """Returns one entry on one symbol as a file: realised and forecast volatility over time, and on each other."""

    def make() -> Figure:
        figure, (over_time, against) = new_figure(9.6, 3.4, 1, 2, width_ratios=(2, 1))
        _over_time(over_time, scores, [entry], symbol)
        over_time.set_title(f"{symbol}, {scores.cells.task.name}")
        _one_on_the_other(against, scores, entry, symbol, COLOURS[0])
        against.set_ylabel("realised, % a year")
        return figure

    return render_figure(make, form)


def _vols(scores: TaskScores, entry: str, symbol: str) -> Any:
    """Annualised realised and forecast volatility of a symbol, in percent."""
    cells = scores.cells
    column = cells.symbols.index(symbol)
    pair = cells.target_var, scores.scored[entry].forecast_var
    return (losses.annualised_vol(values[:, column], cells.sessions_per_year) for values in pair)


def _over_time(axes: Axes, scores: TaskScores, entries: list[str], symbol: str) -> None:
    """Realised volatility of a symbol, and the forecasts of some entries."""
    realized_vol, _ = _vols(scores, entries[0], symbol)
    axes.plot(scores.cells.dates, realized_vol, color=LIGHT, lw=0.8, label="realised")
    for i, entry in enumerate(entries):
        _, forecast_vol = _vols(scores, entry, symbol)
        axes.plot(scores.cells.dates, forecast_vol, DASHES[i], color=COLOURS[i], lw=1.2, label=entry)
    axes.set_ylabel("annualised volatility, %")
    axes.legend(loc="upper right", ncols=len(entries) + 1)


def _one_on_the_other(axes: Axes, scores: TaskScores, entry: str, symbol: str, colour: str) -> None:
    """Realised against forecast volatility on logarithmic axes, with the line of equality."""
    realized_vol, forecast_vol = _vols(scores, entry, symbol)
    positive = realized_vol > 0
    low, high = 0.8 * float(realized_vol[positive].min()), 1.2 * float(realized_vol.max())
    axes.scatter(forecast_vol[positive], realized_vol[positive], s=8, alpha=0.5, color=colour, lw=0, rasterized=True)
    axes.plot([low, high], [low, high], color=GREY, lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="forecast, % a year")
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100, 200) if low <= t <= high]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, map(str, ticks))
        axis.set_ticks([], minor=True)


@figure("QLIKE against seconds of fitting (resolved to a millisecond), with the Pareto front")
def cost(it: Drawing) -> Figure:
    """QLIKE against seconds of fitting; the step is what no cheaper entry undercuts."""
    spent = {card.entry: max(card.fit_seconds, 0.001) for card in it.board.cards}
    rows = sorted((row for row in it.table.rows if row.entry in spent), key=lambda row: spent[row.entry])
    seconds, qlike = np.array([spent[row.entry] for row in rows]), np.array([row.qlike for row in rows])
    inside, right = np.array([row.tier == 1 for row in rows]), 3 * seconds.max()
    figure, axes = new_figure(7.6, max(4.0, 0.9 + 0.19 * len(rows)))
    front = np.minimum.accumulate(qlike)
    axes.step([*seconds, right], [*front, front[-1]], where="post", color=GREY, lw=1)
    for chosen, colour, marker in ((inside, COLOURS[0], "o"), (~inside, COLOURS[1], "^")):
        axes.scatter(seconds[chosen], qlike[chosen], s=28, color=colour, marker=marker, zorder=3)
    margin = 0.06 * (qlike.max() - qlike.min()) or 0.05 * qlike.max()
    axes.set(
        xscale="log", xlabel="seconds of fitting, all seeds and tasks, log scale", ylabel="QLIKE",
        ylim=(qlike.min() - margin, qlike.max() + margin),
    )  # fmt: skip
    axes.set_xlim(right=right)
    axes.xaxis.set_major_formatter("{x:g}")  # powers in TeX take longer than the rest of the figure
    _names_at_the_right(axes, [row.entry for row in rows], seconds, qlike)
    axes.set_title(f"{it.table.task}: circles are in the 90 % confidence set; the step is the Pareto front")
    return figure


def _names_at_the_right(axes: Axes, names: list[str], x: NDArray[Any], y: NDArray[Any]) -> None:
    """Names in a column beside the axes, in the order of the points and never on top of one another."""
    (low, high), order = axes.get_ylim(), np.argsort(y, kind="stable")
    steps = np.arange(len(y)) * (high - low) / max(len(y), 18)
    heights = np.maximum.accumulate(y[order] - steps) + steps
    heights[-1] = min(heights[-1], high)
    heights = np.minimum.accumulate((heights - steps)[::-1])[::-1] + steps  # what was pushed out at the top comes back
    edge = axes.get_xlim()[1] * 1.15
    for i, height in zip(order, heights, strict=True):
        (line,) = axes.plot([x[i], edge], [y[i], height], color="#CCCCCC", lw=0.5, zorder=1, clip_on=False)
        line.set_in_layout(False)
        axes.text(edge, height, f" {names[i]}", fontsize=7, va="center")


@figure(
    "QLIKE by symbol relative to {anchor}, in percent; colours end at 25 %; {market} is marked",
    lambda it: it.board.anchor in it.scores.scored,
)
def symbols(it: Drawing) -> Figure:
    """QLIKE by symbol relative to the anchor, percent."""
    board, names = it.board, [row.entry for row in it.table.rows]
    qlike = np.array([row.symbol_qlike for row in it.table.rows], dtype=float)  # None, without cells, becomes NaN
    base = qlike[names.index(board.anchor)]
    ratio = qlike / np.where(base > 0, base, np.nan) - 1
    texts = [
        [f"{100 * value:+.0f}" if np.isfinite(value) and name != board.anchor else "" for value in line]
        for name, line in zip(names, ratio, strict=True)
    ]
    labels = [f"{s} (market)" if s == board.market else s for s in it.scores.cells.symbols]
    figure, axes = new_figure(max(6.4, 2.0 + 0.34 * len(labels)), 1.3 + 0.3 * len(names))
    matrix(axes, ratio, texts, names, labels, HEAT_LIMIT, cmap="PuOr_r", aspect="auto")
    axes.set_title(
        f"{it.table.task}: QLIKE by symbol relative to {board.anchor}, %\n(violet: smaller; colours end at ±25)",
        fontsize=9,
    )
    return figure


@figure(
    "losses by epoch of the entries that record them, with the epochs that were kept",
    lambda it: bool(curves_of(it.gathered.runs, it.board.headline)),
)
def training(it: Drawing) -> Figure:
    """How the headline task's entries were trained."""
    return draw_training(curves_of(it.gathered.runs, it.board.headline))


@figure(
    "attention by lag of the entries that keep it", lambda it: bool(attention_of(it.gathered.runs, it.board.headline))
)
def attention(it: Drawing) -> Figure:
    """What the headline task's entries attend to."""
    return draw_attention(attention_of(it.gathered.runs, it.board.headline))

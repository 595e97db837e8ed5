"""The figures of a board, as SVG. A new one is a function and a record in the table at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.board.gather import Gathered, TaskScores
from bench.board.model import Board, TaskTable
from bench.board.render.numbers import probability
from bench.board.render.style import COLOURS, DASHES, GREY, cell_text, new_figure, render_figure
from bench.board.render.training import attention_of, curves_of, draw_attention, draw_training
from bench.stats import losses
from bench.stats.regimes import CRISIS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

LEADERS = 3
HEAT_LIMIT = 0.25


@dataclass(frozen=True)
class Drawing:
    """What a figure is drawn from: the board, the table and scores of its headline task, and all that is stored."""

    board: Board
    table: TaskTable
    scores: TaskScores
    gathered: Gathered

    @property
    def anchored(self) -> bool:
        """Whether the anchor has a row."""
        return any(row.entry == self.board.anchor for row in self.table.rows)

    @property
    def market_moves(self) -> bool:
        """Whether there is a market symbol, and it has variance."""
        symbols, market = self.scores.cells.symbols, self.board.market
        return market is not None and bool((self.scores.cells.target_var[:, symbols.index(market)] > 0).any())


@dataclass(frozen=True)
class BoardFigure:
    """A figure of a board: its file name, what it shows, which boards have it, and how it is drawn."""

    name: str
    caption: str
    applies: Callable[[Drawing], bool]
    make: Callable[[Drawing], Figure]


def figure_names(board: Board, gathered: Gathered) -> list[str]:
    """The figures that a board has, in the order of the page."""
    return [figure.name for it in _drawing(board, gathered) for figure in FIGURES.values() if figure.applies(it)]


def draw(board: Board, gathered: Gathered) -> dict[str, bytes]:
    """The SVG of every figure of the board's headline task, by name."""
    figures = [FIGURES[name] for name in board.figures]
    return {each.name: render_figure(partial(each.make, it)) for it in _drawing(board, gathered) for each in figures}


def _drawing(board: Board, gathered: Gathered) -> list[Drawing]:
    """What the figures of a board are drawn from; nothing where its headline task has no row."""
    table = board.table(board.headline)
    return [Drawing(board, table, gathered.tasks[board.headline], gathered)] if table and table.rows else []


def _pairs(it: Drawing) -> Figure:
    """Which pairs are told apart: row against column; colour is direction, depth is p."""
    table = it.table
    names = [row.entry for row in table.rows]
    k = len(names)
    p = np.array([[1.0 if value is None else value for value in line] for line in table.pair_p])
    qlike = np.array([row.qlike for row in table.rows])
    strength = np.select([p < 0.001, p < 0.01, p < 0.05], [3, 2, 1], 0) * np.sign(qlike[None, :] - qlike[:, None])
    figure, axes = new_figure(1.6 + 0.38 * k, 1.5 + 0.38 * k)
    colours = ["#B35806", "#F1A340", "#FEE0B6", "#F7F7F7", "#D8DAEB", "#998EC3", "#542788"]
    from matplotlib.colors import ListedColormap

    axes.imshow(strength, cmap=ListedColormap(colours), vmin=-3.5, vmax=3.5)
    for i in range(k):
        for j in range(k):
            if i != j:
                shade = "white" if abs(strength[i, j]) == 3 else "black"
                text = "·" if p[i, j] >= 0.05 else probability(p[i, j])
                cell_text(axes, j, i, text, shade)
    axes.set_xticks(range(k), names, rotation=90)
    axes.set_yticks(range(k), names)
    axes.set_title(
        f"{table.task}: row against column, p of the panel test, not adjusted\n"
        "violet: the row has the smaller QLIKE, orange: the larger\n"
        "pale: p < .05, middle: < .01, dark: < .001; a point: p ≥ .05",
        fontsize=8,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def _cumulated(it: Drawing) -> Figure:
    """QLIKE saved against the anchor, summed up over days."""
    board, table, scores = it.board, it.table, it.scores
    figure, axes = new_figure(8.0, 3.8)
    base = scores.scored[board.anchor].qlike
    dates = scores.cells.dates.astype("datetime64[D]")
    first = [row.entry for row in table.rows if row.entry != board.anchor][:5]
    shown = list(dict.fromkeys([*first, *({board.skill_reference} & set(scores.scored) - {board.anchor})]))
    for i, entry in enumerate(shown):
        saved = np.nancumsum(np.nanmean(base - scores.scored[entry].qlike, axis=1))
        axes.plot(dates, saved, DASHES[i % 4], color=COLOURS[i % 7], lw=1.4, label=entry)
    axes.axhline(0, color=GREY, lw=0.8)
    _shade_crises(axes, dates, scores.cells.regimes["month"])
    axes.set_ylabel(f"sum of daily mean QLIKE saved against {board.anchor}", fontsize=8)
    axes.set_title(f"{table.task}: up is better than {board.anchor}; the first five rows and {board.skill_reference}")
    axes.legend(loc="upper left", ncols=2)
    return figure


def _shade_crises(axes: Axes, dates: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
    """Grey bands over runs of crisis."""
    crisis = np.concatenate([[False], labels == CRISIS, [False]])
    edges = np.flatnonzero(crisis[1:] != crisis[:-1])
    for first, after in zip(edges[::2], edges[1::2], strict=True):
        axes.axvspan(dates[first], dates[after - 1], color="#DDDDDD", lw=0, zorder=0)


def _leaders(board: Board, table: TaskTable) -> list[str]:
    """The first entries and the references, once each."""
    return list(dict.fromkeys([*(row.entry for row in table.rows[: LEADERS - 1]), board.skill_reference]))


def _market_vol(board: Board, scores: TaskScores) -> tuple[int, Any]:
    column = scores.cells.symbols.index(board.market or "")
    return column, losses.annualised_vol(scores.cells.target_var[:, column])


def _volatility(it: Drawing) -> Figure:
    """Realised and forecast volatility of the market over time."""
    board, table, scores = it.board, it.table, it.scores
    figure, axes = new_figure(8.0, 3.8)
    column, realized_vol = _market_vol(board, scores)
    dates = scores.cells.dates.astype("datetime64[D]")
    axes.plot(dates, realized_vol, color="#BBBBBB", lw=0.8, label="realised")
    for i, entry in enumerate(name for name in _leaders(board, table) if name in scores.scored):
        forecast_vol = losses.annualised_vol(scores.scored[entry].forecast_var[:, column])
        axes.plot(dates, forecast_vol, DASHES[i % 4], color=COLOURS[i % 7], lw=1.2, label=entry)
    axes.set_ylabel("annualised volatility, %")
    axes.set_title(f"{board.market}, {table.task}: realised and forecast")
    axes.legend(loc="upper right", ncols=4)
    return figure


def _scatter(it: Drawing) -> Figure:
    """Realised against forecast volatility of the market, one panel an entry, logarithmic."""
    board, table, scores = it.board, it.table, it.scores
    from matplotlib.figure import Figure

    column, realized_vol = _market_vol(board, scores)
    shown = [name for name in _leaders(board, table) if name in scores.scored]
    figure = Figure(figsize=(2.9 * len(shown) + 0.4, 3.3))
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True, squeeze=False)[0]
    for i, (axes, entry) in enumerate(zip(panels, shown, strict=True)):
        forecast_vol = losses.annualised_vol(scores.scored[entry].forecast_var[:, column])
        _one_on_the_other(axes, forecast_vol, realized_vol, COLOURS[i % 7])
        axes.set_title(entry)
    panels[0].set_ylabel(f"{board.market} realised, % a year")
    return figure


def draw_forecasts(scores: TaskScores, entry: str, symbol: str) -> bytes:
    """Returns the SVG of one entry on one symbol: realised and forecast volatility over time, and one on the other."""

    def make() -> Figure:
        from matplotlib.figure import Figure

        column = scores.cells.symbols.index(symbol)
        realized_vol = losses.annualised_vol(scores.cells.target_var[:, column])
        forecast_vol = losses.annualised_vol(scores.scored[entry].forecast_var[:, column])
        dates = scores.cells.dates.astype("datetime64[D]")
        figure = Figure(figsize=(9.6, 3.4))
        over_time, against = figure.subplots(1, 2, width_ratios=(2, 1))
        over_time.plot(dates, realized_vol, color="#BBBBBB", lw=0.8, label="realised")
        over_time.plot(dates, forecast_vol, color=COLOURS[0], lw=1.2, label=entry)
        over_time.set_ylabel("annualised volatility, %")
        over_time.set_title(f"{symbol}, {scores.cells.task.name}")
        over_time.legend(loc="upper right", ncols=2)
        _one_on_the_other(against, forecast_vol, realized_vol, COLOURS[0])
        against.set_ylabel("realised, % a year")
        return figure

    return render_figure(make)


def _one_on_the_other(axes: Axes, forecast_vol: Array, realized_vol: Array, colour: str) -> None:
    """Realised against forecast volatility on logarithmic axes, with the line of equality."""
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    positive = realized_vol > 0
    low, high = 0.8 * float(realized_vol[positive].min()), 1.2 * float(realized_vol.max())
    axes.scatter(forecast_vol[positive], realized_vol[positive], s=8, alpha=0.5, color=colour, lw=0, rasterized=True)
    axes.plot([low, high], [low, high], color=GREY, lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="forecast, % a year")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
        axis.set_ticks([t for t in (1, 2, 5, 10, 20, 50, 100, 200) if low <= t <= high])


def _cost(it: Drawing) -> Figure:
    """QLIKE against seconds of fitting; the step is what no cheaper entry undercuts."""
    board, table = it.board, it.table
    figure, axes = new_figure(7.6, max(4.0, 0.9 + 0.19 * len(table.rows)))
    seconds = {card.entry: max(card.fit_seconds, 0.001) for card in board.cards}
    points = sorted((seconds[row.entry], row.qlike, row.entry) for row in table.rows if row.entry in seconds)
    tier = {row.entry: row.tier for row in table.rows}
    front: list[tuple[float, float]] = []
    for cost, qlike, _ in points:
        if not front or qlike < front[-1][1]:
            front.append((cost, qlike))
    right = max(cost for cost, _, _ in points) * 3
    axes.step([c for c, _ in front] + [right], [q for _, q in front] + [front[-1][1]], where="post", color=GREY, lw=1)
    for cost, qlike, entry in points:
        inside = tier[entry] == 1
        axes.scatter([cost], [qlike], s=28, color=COLOURS[0 if inside else 1], zorder=3, marker="o" if inside else "^")
    axes.set_xscale("log")
    axes.set_xlim(right=right)
    top = max(qlike for _, qlike, _ in points)
    bottom = min(qlike for _, qlike, _ in points)
    margin = 0.06 * (top - bottom) or 0.05 * top
    axes.set_ylim(bottom - margin, top + margin)
    _labels_at_the_right(axes, points, right)
    axes.set_xlabel("seconds of fitting, all seeds and tasks, log scale")
    axes.set_ylabel("QLIKE")
    axes.set_title(f"{table.task}: circles are in the 90 % confidence set; the step is the Pareto front")
    return figure


def _labels_at_the_right(axes: Axes, points: list[tuple[float, float, str]], right: float) -> None:
    """Names in a column beside the axes, in the order of the points and never on top of one another."""
    low, high = axes.get_ylim()
    least, ordered = (high - low) / max(len(points), 18), sorted(points, key=lambda point: point[1])
    heights: list[float] = []
    for _, qlike, _ in ordered:
        heights.append(max(qlike, heights[-1] + least) if heights else max(qlike, low))
    excess = max(0.0, heights[-1] - high)
    for i in reversed(range(len(heights))):  # push back down what was pushed out at the top
        ceiling = high if i == len(heights) - 1 else heights[i + 1] - least
        heights[i] = min(heights[i], ceiling) if excess else heights[i]
    for (cost, qlike, entry), height in zip(ordered, heights, strict=True):
        axes.annotate(
            entry, (cost, qlike), xytext=(right * 1.15, height), fontsize=7, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#CCCCCC", "lw": 0.5, "shrinkB": 3},
        )  # fmt: skip


def _symbols(it: Drawing) -> Figure:
    """QLIKE by symbol relative to the anchor, percent."""
    board, table, scores = it.board, it.table, it.scores
    names = [row.entry for row in table.rows]
    anchor = next(row for row in table.rows if row.entry == board.anchor)
    base = np.array(anchor.symbol_qlike, dtype=float)  # None, a symbol without cells, becomes NaN
    ratio = np.array([row.symbol_qlike for row in table.rows], dtype=float) / np.where(base > 0, base, np.nan) - 1
    figure, axes = new_figure(max(6.4, 2.0 + 0.34 * ratio.shape[1]), 1.3 + 0.3 * len(names))
    axes.imshow(ratio, cmap="PuOr_r", vmin=-HEAT_LIMIT, vmax=HEAT_LIMIT, aspect="auto")
    for i, line in enumerate(ratio):
        for j, value in enumerate(line):
            if np.isfinite(value) and names[i] != board.anchor:
                shade = "white" if abs(value) > 0.7 * HEAT_LIMIT else "black"
                cell_text(axes, j, i, f"{100 * value:+.0f}", shade)
    labels = [f"{s} (market)" if s == board.market else s for s in scores.cells.symbols]
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.set_title(
        f"{table.task}: QLIKE by symbol relative to {board.anchor}, %\n(violet: smaller; colours end at ±25)",
        fontsize=9,
    )
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


TABLE = (
    BoardFigure(
        "pairs", "p-values of all pairs of entries (panel test, two-sided, not adjusted)",
        lambda it: len(it.table.rows) > 1, _pairs,
    ),
    BoardFigure(
        "cumulated",
        "daily mean QLIKE saved against {anchor}, summed over the score window; crisis months are shaded",
        lambda it: it.anchored and len(it.table.rows) > 1, _cumulated,
    ),
    BoardFigure(
        "volatility", "realised and forecast volatility of {market}", lambda it: it.market_moves, _volatility,
    ),
    BoardFigure(
        "scatter", "realised against forecast volatility of {market}", lambda it: it.market_moves, _scatter,
    ),
    BoardFigure(
        "cost", "QLIKE against seconds of fitting (resolved to a millisecond), with the Pareto front",
        lambda it: True, _cost,
    ),
    BoardFigure(
        "symbols", "QLIKE by symbol relative to {anchor}, in percent; colours end at 25 %; {market} is marked",
        lambda it: it.anchored, _symbols,
    ),
    BoardFigure(
        "training", "losses by epoch of the entries that record them, with the epochs that were kept",
        lambda it: bool(curves_of(it.gathered.runs, it.board.headline)),
        lambda it: draw_training(curves_of(it.gathered.runs, it.board.headline)),
    ),
    BoardFigure(
        "attention", "attention by lag of the entries that keep it",
        lambda it: bool(attention_of(it.gathered.runs, it.board.headline)),
        lambda it: draw_attention(attention_of(it.gathered.runs, it.board.headline)),
    ),
)  # fmt: skip
FIGURES = {figure.name: figure for figure in TABLE}
"""The figures of a board, in the order of the page."""

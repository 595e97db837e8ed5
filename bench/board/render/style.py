"""How figures look: deterministic SVG, legible on light and dark pages, colour-blind safe.

matplotlib is imported where a figure is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito (2008): told apart under all common kinds of colour blindness."""
DASHES = ("-", "--", "-.", ":")
GREY, LIGHT = "#666666", "#BBBBBB"
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "volmark",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.facecolor": "white",  # an opaque card: legible on a dark page too
    "savefig.facecolor": "white",
    "figure.constrained_layout.use": True,
}


FORMS: dict[str, dict[str, Any]] = {
    "svg": {}, "png": {"dpi": 200}, "pdf": {"metadata": {"CreationDate": None, "Creator": None, "Producer": None}},
}  # fmt: skip
"""The kinds of file that a figure may be, and how each is saved."""


def render_figure(make: Callable[[], Figure], form: str = "svg") -> bytes:
    """The bytes of a figure, one of `FORMS`, without a date and with fixed identifiers.

    `savefig` would draw everything twice, the first time for the layout, which needs the sizes alone.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    with mpl.rc_context(SETTINGS):
        figure, sink = make(), io.BytesIO()
        if form != "svg":
            figure.savefig(sink, format=form, **FORMS[form])
            return sink.getvalue()
        canvas, engine, dpi = FigureCanvasSVG(figure), figure.get_layout_engine(), figure.dpi
        if engine is not None:
            figure.dpi = 72  # that of SVG
            engine.execute(figure)
            figure.set_layout_engine("none")
            figure.dpi = dpi
        canvas.print_svg(sink, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return sink.getvalue()


def new_figure(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, Any]:
    """A figure of that size in inches, and its axes: one, or an array of them."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(rows, columns, **options)


def matrix(
    axes: Axes, values: NDArray[Any], texts: list[list[str]], rows: list[str], columns: list[str], limit: float,
    **options: Any,
) -> None:  # fmt: skip
    """A picture of a matrix, colours from -limit to limit, with a text in each cell that has one."""
    axes.imshow(values, vmin=-limit, vmax=limit, **options)
    for i, line in enumerate(texts):
        for j, text in enumerate(line):
            if text:
                colour = "white" if abs(values[i, j]) > 0.7 * limit else "black"
                cell = axes.text(j, i, text, ha="center", va="center", fontsize=6.5, color=colour)
                cell.set_in_layout(False)  # measuring all of them would take most of the drawing's time
    axes.set_xticks(range(len(columns)), columns, rotation=90)
    axes.set_yticks(range(len(rows)), rows)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)

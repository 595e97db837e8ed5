"""Figures of how entries were trained, from what they recorded: curves of the losses, attention by lag.

Any entry has them that records `fit_loss` and `select_loss` by epoch with a `best_epoch`, or keeps an artifact
called `attention` of shape `(n_networks, n_lags)`, lag 0 the origin.
"""

from __future__ import annotations

import warnings
import zipfile
import zlib
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.board.render.style import COLOURS, GREY, new_figure
from bench.store import Place, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Curves = dict[str, list[dict[str, Any]]]
PANELS_IN_A_ROW = 3
MOST_EPOCHS, LARGEST_LOSS = 100_000, 1e15


def curves_of(runs: dict[Place, Run], task: str) -> Curves:
    """The records with curves of every entry that has some on a task, all seeds and networks."""
    found: Curves = {}
    for place, run in runs.items():
        records = [
            record
            for seed in run.measured.seeds.values()
            for record in seed.records
            if _is_curve(record.get("fit_loss")) and _is_curve(record.get("select_loss"))
        ]
        if place.task == task and records:
            found[place.entry] = records
    return found


def _is_curve(value: Any) -> bool:
    """Whether a value is a list of losses that can be drawn; what is no number by epoch is passed over."""
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST_EPOCHS
        and all(isinstance(item, int | float) and abs(item) <= LARGEST_LOSS for item in value)
    )


def attention_of(runs: dict[Place, Run], task: str) -> dict[str, Array]:
    """Attention by lag of every entry that kept it on a task, `(n_seeds * n_networks, n_lags)`.

    A `ValueError` names the entry whose arrays cannot be drawn: a damaged file, no lag or other lags in another seed,
    what is not finite.
    """
    found = {}
    for place, run in runs.items():
        seeds = run.seed_digests if place.task == task else {}
        kept = [array for seed in seeds if (array := _attention(place, seed)) is not None]
        if len({array.shape[1] for array in kept}) > 1:
            raise ValueError(f"{place}: the attention of its seeds differs in its number of lags")
        if kept:
            found[place.entry] = np.concatenate(kept)
    return found


def _attention(place: Place, seed: str) -> Array | None:
    """The attention that one seed kept, if it did; errors as `attention_of`."""
    path = place.folder / f"artifacts-{seed}.npz"
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            array = np.asarray(arrays["attention"], dtype=float) if "attention" in arrays else np.zeros(())
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise ValueError(f"{place}: {path.name} cannot be read") from error
    if array.ndim != 2:
        return None
    if not array.size or not (np.abs(array) <= LARGEST_LOSS).all():
        raise ValueError(f"{place}: {path.name}: its attention is empty, or not finite")
    return array


def _mean_by_epoch(curves: list[list[float]]) -> Array:
    """Mean over the networks that were still trained, by epoch."""
    longest = max(map(len, curves))
    padded = np.full((len(curves), longest), np.nan)
    for row, curve in zip(padded, curves, strict=True):
        row[: len(curve)] = curve
    with warnings.catch_warnings():  # an epoch that no network has a finite loss of is a gap in the line
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(padded, axis=0))


def draw_training(curves: Curves) -> Figure:
    """One panel an entry: mean loss on fit and select rows by epoch, and how often each epoch was the best."""
    rows = -(-len(curves) // PANELS_IN_A_ROW)
    figure, panels = new_figure(8.4, 2.3 * rows, rows, PANELS_IN_A_ROW, squeeze=False)
    for axes, (entry, records) in zip(panels.flat, sorted(curves.items()), strict=False):
        for name, colour, dash in (("fit_loss", GREY, "--"), ("select_loss", COLOURS[0], "-")):
            mean = _mean_by_epoch([record[name] for record in records])
            axes.plot(range(1, len(mean) + 1), mean, dash, color=colour, lw=1.2, label=name.replace("_loss", " rows"))
        told = [(record.get("best_epoch"), len(record["select_loss"])) for record in records]
        best = [epoch for epoch, last in told if isinstance(epoch, int) and 0 <= epoch <= last]
        bins = np.arange(0.5, max([*best, 1]) + 1)
        counts = np.append(np.histogram(best, bins)[0], 0)
        axes.fill_between(
            bins, counts / max(1, 1.05 * counts.max()), step="post", color=COLOURS[1], alpha=0.35, lw=0, zorder=0,
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
        axes.set_title(f"{entry} ({len(records)} networks)", fontsize=8)
    panels.flat[0].legend(fontsize=7)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    figure.supxlabel("epoch; bars: how many networks had their best one there", fontsize=8)
    return figure


def draw_attention(attention: dict[str, Array]) -> Figure:
    """Mean attention by lag, and the middle 80 % of networks."""
    figure, axes = new_figure(6.4, 3.4)
    for (entry, weights), colour in zip(sorted(attention.items()), cycle(COLOURS)):
        lags, label = np.arange(weights.shape[1]), f"{entry}, {len(weights)} networks"
        axes.fill_between(lags, *np.quantile(weights, [0.1, 0.9], axis=0), color=colour, alpha=0.2, lw=0)
        axes.plot(lags, weights.mean(axis=0), "o-", color=colour, ms=3, lw=1.2, label=label)
        axes.axhline(1 / len(lags), color=GREY, lw=0.8, ls=":", label="equal weights")
    axes.set_xticks(range(0, max(weights.shape[1] for weights in attention.values()), 2))
    axes.set(xlabel="lag in sessions; 0 is the origin", ylabel="mean attention")
    axes.set_ylim(bottom=0)
    axes.legend()
    return figure

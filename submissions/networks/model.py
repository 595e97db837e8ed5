"""Neural networks for daily variance: recurrent ones, one per symbol or one for all, and TSMixer.

A network says ln variance over the symbol's level, the mean target of its fit rows. It is trained once, on the fit
rows, and stops early on the select rows; after that it only reads. `features` says what it sees, `cells` with
`recurrent`, or `mixer`, what it is, `losses` and `garch_guide` what it learns, `training` how.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterable
from contextlib import suppress

import numpy as np
import torch
from features import SETS, Features, Windows, complete
from garch_guide import garch_forecasts
from losses import ELICIT_MEAN, LOSSES, Loss, guided
from mixer import Mixer
from numpy.typing import NDArray
from recurrent import GATES, PRECISIONS, Recurrent
from torch import Tensor
from training import Curve, Examples, Networks, Settings, fast_products, predict, train

from bench.plugin import Forecaster, History, Task

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

PERCENT2 = 1e4
"""Percent squared: variances inside the networks are in these units."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES = 2**30
"""Options of the C library's `mallopt`, and the number of bytes from which freed memory goes back to the system."""


class PerSymbol(Forecaster):
    """A recurrent network for every symbol, all of them trained side by side.

    Parameters
    ----------
    cell, layers, units, dropout, attention
        What a network is: `lstm` or `gru`, so many layers of so many units, dropout between them.
    features, window
        What it sees: a set of `features.SETS`, over so many sessions.
    loss
        One of `losses.LOSSES`; a number is the weight of the realised target, against a GARCH model's forecast.
    device
        `auto`: a GPU where there is one, else the processor.
    precision
        `float32`, or `bfloat16` in the recurrent layers. A row names one: with what the hardware likes, the same
        row would be another network elsewhere. Hardware without bfloat16 rounds alike, and is slower.
    settings
        `batch`, `rate`, `patience`, `max_epochs`, `weight_decay`, `decay`: as in `training.Settings`.
    """

    pooled = False

    def __init__(
        self, task: Task, seed: int = 0, cell: str = "lstm", layers: int = 2, units: int = 64, dropout: float = 0.2,
        attention: bool = False, features: str = "course", window: int = 20, loss: str | float = "qlike",
        device: str = "auto", precision: str = "float32", **settings: float,
    ) -> None:  # fmt: skip
        super().__init__(task, seed)
        check("cell", cell, GATES)
        check("features", features, SETS)
        check("precision", precision, PRECISIONS)
        if isinstance(loss, str):
            check("loss", loss, LOSSES)
        self.cell, self.layers, self.units, self.dropout, self.attention = cell, layers, units, dropout, attention
        self.feature_set, self.window, self.loss, self.precision = features, window, loss, precision
        self.settings = Settings(**settings)  # type: ignore[arg-type]
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)

    def fit(self, history: History) -> None:
        """Train, and record what was learnt, how, and for how long."""
        started = time.perf_counter()
        settle(self.device)
        self.features = Features.of(self.feature_set, history)
        scaled = self.features.all_rows(history)
        windows = Windows.of(scaled, self.window, self.device)
        usable = complete(scaled, self.window) & np.isfinite(history.realized).all(axis=1)
        fit_rows, select_rows = (np.flatnonzero(rows & usable) for rows in (history.fit_rows, history.select_rows))
        for name, rows in (("fit", fit_rows), ("select", select_rows)):
            if not len(rows):
                raise ValueError(f"no {name} row has a whole window of {self.window} sessions behind it")
        targets = self.targets(history, fit_rows)
        self.level = targets[fit_rows, :, 0].mean(axis=0)
        fit, select = self.examples(fit_rows, targets), self.examples(select_rows, targets)
        names = ["all"] if self.pooled else list(history.symbols)
        self.networks = self.build(names)
        with fast_products():
            curves = train(
                self.networks, windows, fit, select, self.loss_function(), self.settings,
                [self.generator("order", name) for name in names], lambda *facts: self.tell(names, *facts),
            )  # fmt: skip
            self.scale = self.scale_of(windows, fit)
            self.keep_attention(windows, select)
        self.keep_curves(names, curves, time.perf_counter() - started)
        states = {name: array.cpu().numpy() for name, array in self.networks.states().items()}
        best = [curve.best_epoch for curve in curves]
        self.weights(states, features=self.feature_set, networks=names, best_epochs=best)

    def forecast(self, history: History) -> Array:
        """Return the variance that the networks see in the last window, `(n_symbols,)`."""
        windows = Windows.of(self.features.last_rows(history, self.window), self.window, self.device)
        symbols = torch.arange(len(history.symbols), device=self.device)[:, None]
        last = torch.full_like(symbols, self.window - 1)
        with fast_products(), torch.no_grad():
            said = self.networks(windows.cut(self.arrange(symbols), self.arrange(last)))
        return np.exp(said.flatten().cpu().numpy().astype(float)) * self.level * self.scale / PERCENT2

    def build(self, names: list[str]) -> Networks:
        """Return untrained networks of these names."""
        draws = [self.generator("weights", name) for name in names]
        return Recurrent(
            self.cell, self.window, self.features.n_features, self.units, self.layers, self.dropout, self.attention,
            draws, self.torch_generator("dropout"), PRECISIONS[self.precision],
        )  # fmt: skip

    def arrange(self, by_symbol: Tensor) -> Tensor:
        """Return `(n_symbols, n, ...)` by network: as it is, or all symbols in a row for the one network."""
        return by_symbol.flatten(0, 1)[None] if self.pooled else by_symbol

    def targets(self, history: History, fit_rows: Rows) -> Array:
        """Return what the loss compares with by origin, `(n_sessions, n_symbols, k)`, in percent squared.

        A target of zero counts as the symbol's smallest positive one in the fit rows.
        """
        known = history.realized[fit_rows]
        smallest = np.where(known > 0, known, np.inf).min(axis=0)
        columns = [np.where(history.realized <= 0, smallest, history.realized)]
        if not isinstance(self.loss, str):
            columns.append(garch_forecasts(history, self.task, self.record))
        return PERCENT2 * np.stack(columns, axis=-1)

    def examples(self, rows: Rows, targets: Array) -> Examples:
        """Return what is learnt from these rows, of all symbols."""
        n_symbols = targets.shape[1]
        positions = torch.from_numpy(rows).expand(n_symbols, -1)
        symbols = torch.arange(n_symbols)[:, None].expand_as(positions)
        log_level = torch.from_numpy(np.log(self.level)).float()[:, None].expand(positions.shape)
        values = torch.from_numpy(targets[rows].swapaxes(0, 1)).float()
        return Examples(*(self.arrange(each).to(self.device) for each in (symbols, positions, log_level, values)))

    def loss_function(self) -> Loss:
        """Return the training loss."""
        return LOSSES[self.loss] if isinstance(self.loss, str) else guided(self.loss)

    def scale_of(self, windows: Windows, fit: Examples) -> Array:
        """Return by symbol what makes the mean forecast of the fit rows that of the target; one if the loss does so.

        A loss on volatility elicits the mean volatility, one on logarithms the mean logarithm: their squares and
        exponentials are below the mean variance.
        """
        if self.loss in ELICIT_MEAN:
            return np.ones(len(self.level))
        said = torch.exp(predict(self.networks, windows, fit)).double()
        sums = (values.reshape(len(self.level), -1).sum(dim=1) for values in (fit.targets[..., 0].double(), said))
        target, forecast = (each.cpu().numpy() for each in sums)
        return target / forecast

    def torch_generator(self, *names: str) -> torch.Generator:
        """Return PyTorch's generator for this run's seed and these names."""
        return torch.Generator(self.device).manual_seed(int(self.generator(*names).integers(2**62)))

    def tell(self, names: list[str], epoch: int, running: list[int], curves: list[Curve]) -> None:
        """Show how far the training is."""
        at_work = [curve.select[-1] for curve in curves if len(curve.select) == epoch]
        stock = names[running[0]] if running else names[-1]
        self.progress(
            len(names) - len(running), len(names), stock=stock, seed=self.seed, epoch=epoch,
            select_loss=round(float(np.mean(at_work)), 4),
        )  # fmt: skip

    def keep_curves(self, names: list[str], curves: list[Curve], seconds: float) -> None:
        """Record the training of every network, and what was odd about it."""
        parameters = sum(parameter.numel() for parameter in self.networks.parameters()) // len(names)
        self.record(parameters=parameters, networks=len(names), training_seconds=round(seconds, 2))
        for name, curve in zip(names, curves, strict=True):
            self.record(
                network=name, epochs=len(curve.select), best_epoch=curve.best_epoch,
                fit_loss=[shortened(value) for value in curve.fit],
                select_loss=[shortened(value) for value in curve.select],
            )  # fmt: skip
            if curve.problem is not None:
                self.record(network=name, warning=curve.problem)

    def keep_attention(self, windows: Windows, select: Examples) -> None:
        """Keep the mean attention on the select rows by lag, `(n_networks, window)`; lag 0 is the origin."""
        if not self.attention:
            return
        with torch.no_grad():
            self.networks.train(False)
            hidden = self.networks.hidden(windows.cut(select.symbols, select.rows))
            mean = self.networks.weights(hidden).mean(dim=-1).squeeze(-1)
        self.artifact("attention", mean.flip(0).T.cpu().numpy())


class Pooled(PerSymbol):
    """One recurrent network for all symbols; each is scaled by its own fit rows, and forecast from its own window."""

    pooled = True


class TsMixer(Pooled):
    """TSMixer, one for all symbols; `units` is the width of its feature mixing, `layers` the number of its blocks."""

    def build(self, names: list[str]) -> Networks:
        """Return an untrained mixer."""
        if self.precision != "float32":
            raise ValueError("precision: TSMixer is trained in float32")
        return Mixer(
            self.window, self.features.n_features, self.units, self.layers, self.dropout,
            self.torch_generator("weights"), self.torch_generator("dropout"),
        )  # fmt: skip


def check(what: str, name: str, known: Iterable[str]) -> None:
    """Raise a `ValueError` for a name that is none of the known ones."""
    if name not in known:
        raise ValueError(f"{what}: {name} is none of {', '.join(known)}")


def settle(device: torch.device) -> None:
    """Make the same seed give the same bytes: one thread, and on a GPU the deterministic kernels.

    And keep freed memory for the next batch: handing it back and touching it anew costs a sixth of the time.
    """
    torch.set_num_threads(1)
    with suppress(AttributeError, OSError):  # only the C library of GNU has it
        for option in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, KEPT_BYTES)
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def shortened(value: float) -> float | None:
    """Return a number in six digits, None if it is not finite: JSON has no other word for it."""
    return float(f"{value:.6g}") if np.isfinite(value) else None

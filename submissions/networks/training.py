"""How networks are trained: batches of fit rows, early stopping on select rows, the weights of the best epoch.

All networks of a call are trained side by side and stop each on its own: one that has stopped leaves the batch,
so the others' steps get cheaper. Examples are drawn from the fit rows alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from features import Windows
from losses import Loss
from torch import Tensor

States = dict[str, Tensor]
Tell = Callable[[int, list[int], "list[Curve]"], None]

SELECT_BATCH = 512
"""Windows of the select rows that go forward at once: enough to be quick, few enough for the cache."""


class Networks(Protocol):
    """Several networks in one module, each of its arrays with the network as leading axis."""

    def __call__(self, windows: Tensor) -> Tensor:
        """Return ln variance over the symbol's level, `(n_networks, n_examples)`."""

    def parameters(self) -> Iterator[torch.nn.Parameter]:
        """Return what is trained."""

    def train(self, mode: bool = True) -> object:
        """Switch dropout on or off."""

    def states(self) -> States:
        """Return all arrays by name, the network first."""

    def load(self, states: States) -> None:
        """Take over arrays as `states` gives them; their number of networks may differ."""


@dataclass(frozen=True)
class Examples:
    """What is learnt from: windows by position of symbol and row, and what should be said of them.

    `symbols`, `rows` and `log_level`, to which a network adds what it says, are `(n_networks, n)`; `targets`, as the
    loss wants them, `(n_networks, n, k)`.
    """

    symbols: Tensor
    rows: Tensor
    log_level: Tensor
    targets: Tensor

    def networks(self, kept: Tensor) -> Examples:
        """Return the examples of some of the networks."""
        return Examples(self.symbols[kept], self.rows[kept], self.log_level[kept], self.targets[kept])

    def batches(self, order: Tensor, size: int) -> Iterator[Examples]:
        """Return batches of `size` of the examples `order (n_networks, n)`, every network's own."""
        for chosen in order.split(size, dim=1):
            picked = (values.gather(1, chosen) for values in (self.symbols, self.rows, self.log_level))
            targets = self.targets.gather(1, chosen[..., None].expand(-1, -1, self.targets.shape[-1]))
            yield Examples(*picked, targets)


@dataclass(frozen=True)
class Settings:
    """How to train; `decay` multiplies the rate after every epoch, `weight_decay` is that of AdamW.

    `together` networks are trained side by side: few enough for a processor's cache; a GPU takes all at once.
    """

    batch: int = 64
    rate: float = 1e-3
    patience: int = 10
    max_epochs: int = 100
    weight_decay: float = 0.0
    decay: float = 1.0
    together: int = 7


@dataclass
class Curve:
    """The training of one network: mean loss of every epoch, fit rows with dropout and select rows without."""

    fit: list[float] = field(default_factory=list)
    select: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch of the smallest loss on select rows, from 1; 0 where no loss was finite."""
        finite = [loss for loss in self.select if np.isfinite(loss)]
        return self.select.index(min(finite)) + 1 if finite else 0

    @property
    def waited(self) -> int:
        """Epochs since the best one."""
        return len(self.select) - self.best_epoch

    @property
    def problem(self) -> str | None:
        """What is odd about it, if anything."""
        if not np.isfinite(self.fit + self.select).all():
            return "a loss was not finite"
        return "early stopping at epoch 1: it learnt nothing" if self.best_epoch == 1 else None


@contextmanager
def fast_products() -> Iterator[None]:
    """Let PyTorch choose the faster float32 products, for as long as the context lasts.

    On a CPU with AVX-512 that is oneDNN with products in full float32, twice as fast as the default library; where
    the processor multiplies matrices in bfloat16 (AMX) it is that, summed in float32; on a GPU it is TF32.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def train(
    networks: Networks,
    windows: Windows,
    fit: Examples,
    select: Examples,
    loss: Loss,
    settings: Settings,
    orders: list[np.random.Generator],
    tell: Tell = lambda epoch, running, curves: None,
) -> list[Curve]:
    """Train networks, leave the weights of their best epochs in them, and return their curves.

    Parameters
    ----------
    loss : callable
        From ln variance `(n_networks, n)` and targets `(n_networks, n, k)` to losses `(n_networks, n)`.
    orders : list
        Of every network the generator of the order in which it sees its examples.
    tell : callable
        Told after every epoch: its number, which networks are still running, and the curves of all so far.
    """
    first, device = networks.states(), fit.rows.device
    best: list[States] = []
    curves: list[Curve] = []
    groups = torch.arange(len(orders), device=device)
    for group in groups.split(len(orders) if device.type == "cuda" else settings.together):
        networks.load({name: state[group] for name, state in first.items()})
        parts = fit.networks(group), select.networks(group)
        curves += _train_group(
            networks, windows, *parts, loss, settings, [orders[i] for i in group.tolist()],
            lambda epoch, running, new, earlier=tuple(curves): tell(
                epoch, [len(earlier) + i for i in running], [*earlier, *new]
            ),
        )  # fmt: skip
        best.append(networks.states())
    networks.load({name: torch.cat([states[name] for states in best]) for name in first})
    return curves


def _train_group(
    networks: Networks, windows: Windows, fit: Examples, select: Examples, loss: Loss, settings: Settings,
    orders: list[np.random.Generator], tell: Tell,
) -> list[Curve]:  # fmt: skip
    """Train the networks of one group side by side."""
    running = list(range(len(orders)))
    curves = [Curve() for _ in running]
    best = {name: state.clone() for name, state in networks.states().items()}
    optimizer = _optimizer(networks, settings)
    for epoch in range(1, settings.max_epochs + 1):
        order = np.stack([orders[i].permutation(fit.rows.shape[1]) for i in running])
        fit_loss = _epoch(networks, windows, fit, loss, optimizer, torch.from_numpy(order), settings.batch)
        select_loss = evaluate(networks, windows, select, loss)
        for i, a, b in zip(running, fit_loss.tolist(), select_loss.tolist(), strict=True):
            curves[i].fit.append(a)
            curves[i].select.append(b)
        improved = [k for k, i in enumerate(running) if curves[i].best_epoch == epoch]
        for name, state in networks.states().items():
            best[name][[running[k] for k in improved]] = state[improved]
        staying = [k for k, i in enumerate(running) if curves[i].waited < settings.patience]
        running = [running[k] for k in staying]
        tell(epoch, running, curves)
        if not running:
            break
        if len(staying) < len(select_loss):
            kept = torch.tensor(staying, device=fit.rows.device)
            fit, select = fit.networks(kept), select.networks(kept)
            optimizer = _fewer(networks, optimizer, kept, settings)
        for group in optimizer.param_groups:
            group["lr"] *= settings.decay
    networks.load(best)
    return curves


def _optimizer(networks: Networks, settings: Settings) -> torch.optim.AdamW:
    """AdamW: Loshchilov and Hutter (2019), arXiv:1711.05101; without weight decay it is Adam."""
    return torch.optim.AdamW(networks.parameters(), lr=settings.rate, weight_decay=settings.weight_decay, fused=True)


def _fewer(networks: Networks, old: torch.optim.AdamW, kept: Tensor, settings: Settings) -> torch.optim.AdamW:
    """Drop the networks that have stopped, their moments with them; returns the optimizer of the others."""
    moments = [old.state[parameter] for parameter in networks.parameters()]
    networks.load({name: state[kept] for name, state in networks.states().items()})
    new = _optimizer(networks, settings)
    new.param_groups[0]["lr"] = old.param_groups[0]["lr"]
    for parameter, state in zip(networks.parameters(), moments, strict=True):
        new.state[parameter] = {key: value[kept] if value.dim() else value for key, value in state.items()}
    return new


def _epoch(
    networks: Networks, windows: Windows, fit: Examples, loss: Loss, optimizer: torch.optim.AdamW, order: Tensor,
    batch: int,
) -> Tensor:  # fmt: skip
    """One pass over the fit rows; returns the mean loss of every network on the way."""
    networks.train()
    order = order.to(fit.rows.device)
    total = torch.zeros(len(order), device=fit.rows.device)
    for part in fit.batches(order, batch):
        losses = loss(say(networks, windows, part), part.targets)
        optimizer.zero_grad()
        losses.mean(dim=1).sum().backward()  # a network's gradient is that of its own mean
        optimizer.step()
        total += losses.detach().sum(dim=1)
    return total / order.shape[1]


def say(networks: Networks, windows: Windows, examples: Examples) -> Tensor:
    """Return ln variance of examples as the networks see it, `(n_networks, n)`."""
    return networks(windows.cut(examples.symbols, examples.rows)) + examples.log_level


@torch.no_grad()
def predict(networks: Networks, windows: Windows, examples: Examples) -> Tensor:
    """Return ln variance of all examples, without dropout, `(n_networks, n)`."""
    networks.train(False)
    n_networks, n = examples.rows.shape
    order = torch.arange(n, device=examples.rows.device).expand(n_networks, -1)
    parts = examples.batches(order, max(1, SELECT_BATCH // n_networks))
    return torch.cat([say(networks, windows, part) for part in parts], dim=1)


@torch.no_grad()
def evaluate(networks: Networks, windows: Windows, examples: Examples, loss: Loss) -> Tensor:
    """Return the mean loss of every network, without dropout, `(n_networks,)`."""
    return loss(predict(networks, windows, examples), examples.targets).mean(dim=1)

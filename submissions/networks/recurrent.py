"""Recurrent networks side by side: layers of one cell with dropout between them, attention or not, and a head."""

from __future__ import annotations

import numpy as np
import torch
from cells import GruSequence, LstmSequence, dropout
from torch import Tensor, nn

GATES = {"lstm": 4, "gru": 3}
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Recurrent(nn.Module):
    """Networks of equal shape, each on its own symbol or one for all; what they say is ln variance over the level.

    Without attention the head sees the last step, h_T. With it, it sees a weighted average of all steps: additive
    attention (Bahdanau, Cho and Bengio 2015, arXiv:1409.0473) without a decoder's state to compare with, and with a
    score of the lag itself, since no state says where in the window it stands::

        e_t = v . tanh(A h_t + a) + p_t,   w = softmax(e),   sum_t w_t h_t

    Parameters
    ----------
    draws : list of numpy generators
        One of every network, for its first weights: uniform on +- 1 / sqrt(units), as PyTorch draws them.
    generator : torch.Generator
        For dropout; it says on which device everything is.
    precision : torch.dtype
        Of the layers: states, gates, gradients. Weights, the optimizer's moments, attention and head are float32.
    """

    def __init__(
        self, cell: str, n_steps: int, n_inputs: int, n_units: int, n_layers: int, dropout_rate: float, attention: bool,
        draws: list[np.random.Generator], generator: torch.Generator, precision: torch.dtype = torch.float32,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cell, self.n_layers, self.dropout_rate, self.attention = cell, n_layers, dropout_rate, attention
        self.generator, self.precision = generator, precision
        for name, shape in self._shapes(n_steps, n_inputs, n_units).items():
            bound = n_units**-0.5
            values = np.stack([draw.uniform(-bound, bound, shape) for draw in draws]).astype(np.float32)
            if name == "head_bias":  # so that what is said first is the level itself
                values[:] = 0.0
            if name == "attend_lag":  # a start from equal weights finds the origin too late: it stops before
                values[:] = np.arange(1 - n_steps, 1)
            self.register_parameter(name, nn.Parameter(torch.from_numpy(values).to(generator.device)))

    def _shapes(self, n_steps: int, n_inputs: int, n_units: int) -> dict[str, tuple[int, ...]]:
        """The arrays of one network."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in range(self.n_layers):
            n_in, n_gates = (n_units if layer else n_inputs), GATES[self.cell] * n_units
            if self.cell == "lstm":
                shapes |= {f"weight_{layer}": (n_gates, n_in + n_units), f"bias_{layer}": (n_gates,)}
            else:
                shapes |= {f"weight_{layer}": (n_gates, n_in), f"recurrent_{layer}": (n_gates, n_units)}
                shapes |= {f"bias_{layer}": (n_gates,), f"bias_n_{layer}": (n_units,)}
        if self.attention:
            shapes |= {"attend": (n_units, n_units), "attend_bias": (n_units, 1), "attend_score": (1, n_units)}
            shapes |= {"attend_lag": (n_steps,)}
        return shapes | {"head": (1, n_units), "head_bias": (1,)}

    def forward(self, windows: Tensor) -> Tensor:
        """Return `(n_networks, n)` for windows `(steps, n_networks, n_inputs, n)`."""
        hidden = self.hidden(windows)
        seen = (hidden * self.weights(hidden)).sum(dim=0) if self.attention else hidden[-1]
        return torch.bmm(self.head, seen).squeeze(1) + self.head_bias

    def hidden(self, windows: Tensor) -> Tensor:
        """Return the last layer at all steps, `(steps, n_networks, n_units, n)`."""
        windows = windows.to(self.precision)
        for layer in range(self.n_layers):
            if layer and self.training and self.dropout_rate:
                windows = dropout(windows, self.dropout_rate, self.generator)
            if self.cell == "lstm":
                windows = LstmSequence.apply(windows, *self._layer(layer, "weight", "bias"))
            else:
                windows = GruSequence.apply(windows, *self._layer(layer, "weight", "recurrent", "bias", "bias_n"))
        return windows.float()

    def weights(self, hidden: Tensor) -> Tensor:
        """Return the attention to all steps, `(steps, n_networks, 1, n)`; it sums to one over them."""
        looked = torch.tanh(self.attend @ hidden + self.attend_bias)
        return torch.softmax(self.attend_score @ looked + self.attend_lag.T[:, :, None, None], dim=0)

    def _layer(self, layer: int, *names: str) -> list[Tensor]:
        return [getattr(self, f"{name}_{layer}").to(self.precision) for name in names]

    def states(self) -> dict[str, Tensor]:
        """Return all arrays by name, the network first."""
        return {name: parameter.data for name, parameter in self.named_parameters()}

    def load(self, states: dict[str, Tensor]) -> None:
        """Take over arrays as `states` gives them; their number of networks may differ."""
        for name, parameter in self.named_parameters():
            parameter.grad = None
            parameter.data = states[name].clone()

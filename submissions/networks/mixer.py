"""TSMixer: perceptrons that mix time steps and features in turn. Chen et al. (2023), arXiv:2303.06053, section 4.1."""

from __future__ import annotations

import torch
from cells import dropout
from torch import Tensor, nn


class Mixer(nn.Module):
    """The paper's basic model on windows of one symbol, and a head that reads one number from its features.

    Blocks of time mixing and feature mixing, each behind a batch normalisation of every (step, feature) and each
    added to its input; a temporal projection from the window to one step; then, since one target is asked for and
    not a future of every feature, a linear head. The first weights come from `draws`.
    """

    def __init__(
        self, window: int, n_features: int, width: int, n_blocks: int, dropout_rate: float, draws: torch.Generator,
        generator: torch.Generator,
    ) -> None:  # fmt: skip
        super().__init__()
        self.blocks = nn.ModuleList(Block(window, n_features, width, dropout_rate, generator) for _ in range(n_blocks))
        self.project = nn.Linear(window, 1)
        self.head = nn.Linear(n_features, 1)
        self.to(generator.device)
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, nn.Linear):  # as PyTorch draws them: uniform on +- 1 / sqrt(inputs)
                    bound = module.in_features**-0.5
                    module.weight.uniform_(-bound, bound, generator=draws)
                    module.bias.zero_()

    def forward(self, windows: Tensor) -> Tensor:
        """Return `(1, n)` for windows `(steps, 1, n_features, n)`."""
        x = windows.squeeze(1).permute(2, 1, 0)  # (n, features, steps)
        for block in self.blocks:
            x = block(x)
        return self.head(self.project(x).squeeze(-1)).T

    def states(self) -> dict[str, Tensor]:
        """Return all arrays by name, with a leading axis for the one network."""
        return {name: value[None] for name, value in self.state_dict().items()}

    def load(self, states: dict[str, Tensor]) -> None:
        """Take over arrays as `states` gives them."""
        self.load_state_dict({name: value[0] for name, value in states.items()})


class Block(nn.Module):
    """`y = x + drop(relu(W_t norm(x)))` over time, then `y + drop(W_2 drop(relu(W_1 norm(y))))` over features."""

    def __init__(self, window: int, n_features: int, width: int, rate: float, generator: torch.Generator) -> None:
        super().__init__()
        self.rate, self.generator = rate, generator
        self.norm_time, self.norm_features = (nn.BatchNorm1d(window * n_features) for _ in range(2))
        self.mix_time = nn.Linear(window, window)
        self.widen, self.narrow = nn.Linear(n_features, width), nn.Linear(width, n_features)

    def forward(self, x: Tensor) -> Tensor:
        """Return as many `(n, features, steps)` as it is given."""
        normed = self.norm_time(x.flatten(1)).view_as(x)
        x = x + self.drop(torch.relu(self.mix_time(normed)))
        normed = self.norm_features(x.flatten(1)).view_as(x).mT
        return x + self.drop(self.narrow(self.drop(torch.relu(self.widen(normed))))).mT

    def drop(self, x: Tensor) -> Tensor:
        """Return x with dropout while training."""
        return dropout(x, self.rate, self.generator) if self.training and self.rate else x

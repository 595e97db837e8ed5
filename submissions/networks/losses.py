"""Training losses of a forecast `f = exp(log_var)` of daily variance, example by example.

All take `log_var (n_networks, n)` and `targets (n_networks, n, k)`: the target y, and for `guided` the path of a
GARCH model as second. Variances are in percent squared, so that float32 has digits to spare.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

SESSIONS = 252.0


def qlike(log_var: Tensor, targets: Tensor) -> Tensor:
    """Return `y/f - ln(y/f) - 1`: Patton (2011), Journal of Econometrics 160; elicits the mean variance."""
    y = targets[..., 0]
    return y * torch.exp(-log_var) - torch.log(y) + log_var - 1.0


def log_mse(log_var: Tensor, targets: Tensor) -> Tensor:
    """Return `(ln y - ln f)^2`: elicits the mean of ln y."""
    return (torch.log(targets[..., 0]) - log_var) ** 2


def mse(log_var: Tensor, targets: Tensor) -> Tensor:
    """Return `(y - f)^2` in (percent squared) squared: elicits the mean variance, large days weigh most."""
    return (targets[..., 0] - torch.exp(log_var)) ** 2


def annual_vol(var: Tensor) -> Tensor:
    """Return annualised volatility in percent: `sqrt(252 var)`."""
    return torch.sqrt(SESSIONS * var)


def volatility(log_var: Tensor, targets: Tensor) -> Tensor:
    """Return `(sqrt(252 y) - sqrt(252 f))^2`: elicits the mean volatility."""
    return (annual_vol(targets[..., 0]) - annual_vol(torch.exp(log_var))) ** 2


def guided(weight: float) -> Loss:
    """Return the loss `weight MSE(pred, realised) + (1 - weight) MSE(pred, GARCH)`, all annualised volatility."""

    def loss(log_var: Tensor, targets: Tensor) -> Tensor:
        realised, garch = annual_vol(targets).unbind(dim=-1)
        pred = annual_vol(torch.exp(log_var))
        return weight * (pred - realised) ** 2 + (1.0 - weight) * (pred - garch) ** 2

    return loss


LOSSES: dict[str, Loss] = {"qlike": qlike, "log-mse": log_mse, "mse": mse, "volatility": volatility}
"""The losses that a row of `submission.yaml` may name; a number names `guided` with that weight."""

ELICIT_MEAN = {"qlike", "mse"}
"""Those that the mean variance minimises. Forecasts trained on the others are scaled to the mean of the target."""

"""A GARCH model's forecasts as a second target, next to what came.

Xu, Liechty, Benthall, Skar-Gislinge and McComb (2024), GARCH-informed neural networks for volatility prediction in
financial markets, arXiv:2410.00288. Here parameters come from the fit window and the filter runs forward from its
first session, so that the forecast of an origin knows nothing of later sessions but these parameters.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from arch import arch_model
from arch.utility.exceptions import ConvergenceWarning
from numpy.typing import NDArray

from bench.plugin import History, Task
from bench.recursions import garch_filter, garch_path

Array = NDArray[np.float64]

PERCENT = 100.0


def garch_forecasts(history: History, task: Task, record: Callable[..., None]) -> Array:
    """Return by origin the GARCH(1,1) forecast of a task, decimal daily variance `(n_sessions, n_symbols)`.

    The mean of the path over the sessions ahead, scaled to the measure by the mean of measure over conditional
    variance in the fit window, as the protocol scales the GARCH entries. NaN before the first fit row.
    """
    if task.behind:
        raise ValueError(f"{task.name}: a GARCH model forecasts sessions ahead only")
    start, stop = history.fit_start, int(np.flatnonzero(history.fit_rows)[-1]) + task.ahead + 1
    forecasts = np.full(history.realized.shape, np.nan)
    for j, symbol in enumerate(history.symbols):
        returns = PERCENT * history.returns[start:, j]
        mu, *parameters = estimate(returns[: stop - start], symbol, record)
        next_var = garch_filter(returns - mu, parameters)
        fitted = next_var[: stop - start]
        scale = np.mean(history.variance[start:stop, j] / fitted)
        forecasts[start - 1 :, j] = scale * garch_path(next_var, parameters, task.ahead).mean(axis=0)
    return forecasts


def estimate(returns: Array, symbol: str, record: Callable[..., None]) -> list[float]:
    """Return mu, omega, alpha, beta of percent returns; that the optimiser did not converge is recorded."""
    model = arch_model(returns, mean="Constant", vol="GARCH", p=1, q=1, dist="normal", rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # its flag is looked at below
        result = model.fit(disp="off", show_warning=False)
    if result.convergence_flag != 0:
        record(warning=f"the GARCH model that guides {symbol}: {result.optimization_result.message}")
    return [float(value) for value in result.params]

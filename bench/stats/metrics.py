"""The table of metrics: what a forecast is scored by. A new one is a function and a record in this table.

Boards, their JSON and CSV, their tables and their footnotes are made from it, in its order.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.stats import losses

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """What a metric may look at, each daily variance `(n_sessions, n_symbols)`.

    `latest_var` is the latest known value of the target's quantity, `baseline_var` the forecast of the baseline:
    None where there is none, or where it is the forecast itself. `sessions_per_year` annualises.
    """

    target_var: Array
    forecast_var: Array
    latest_var: Array
    baseline_var: Array | None = None
    sessions_per_year: int = losses.SESSIONS_PER_YEAR


@dataclass(frozen=True)
class Metric:
    """One score of a forecast.

    - `name`: of the column in JSON and CSV; `title`: of that on a page.
    - `loss`: of target and forecast, and of what `beside` names of a `Case`, in this order: by cell, or one number.
    - `average`: makes one number of the cells; `float` where `loss` has made one already.
    - `unit`, and which is `better`: `smaller`, `larger`, or `near one`.
    - `text`: the number as it is printed, and `missing` where there is none.
    - `place`: in the `main` table or under `more` scores; `by_regime`: in the tables by regime too.
    - `yardstick`: the baseline's own value stands at the head of the column, and a panel test against it is made.
    - `group`, `note`: the footnote; the notes of a group are one.
    """

    name: str
    title: str
    loss: Callable[..., ArrayLike]
    unit: str
    better: Literal["smaller", "larger", "near one"]
    text: Callable[[float], str]
    group: str
    note: str = ""
    average: Callable[[Array], ArrayLike] = losses.panel_average
    beside: tuple[str, ...] = ()
    place: Literal["main", "more"] = "more"
    missing: str = "-"
    by_regime: bool = False
    yardstick: bool = False

    @property
    def p_name(self) -> str:
        """Name of the p against the baseline's; empty where there is no test."""
        return f"{self.name}_p_value" if self.yardstick else ""

    def by_cell(self, case: Case) -> Array | None:
        """The loss by cell, or one number where it is no mean of cells; None where what it needs is not there."""
        needed = [getattr(case, name) for name in self.beside]
        if any(item is None for item in needed):
            return None
        return np.asarray(self.loss(case.target_var, case.forecast_var, *needed))

    def score(self, cells: Array | None) -> float:
        """The number on a board, from what `by_cell` gave or some of its rows; NaN without any."""
        return float("nan") if cells is None else float(np.asarray(self.average(cells)))

    def printed(self, value: float | None) -> str:
        """The number as it is printed."""
        return self.missing if value is None else self.text(value)


def register(metric: Metric) -> Metric:
    """The metric, now in the table; ValueError where its name is taken."""
    if METRICS.setdefault(metric.name, metric) is not metric:
        raise ValueError(f"there is a metric `{metric.name}` already")
    return metric


def score_names() -> list[str]:
    """The names of all scores of a row: of each metric, and of its p against the baseline where it is tested.

    >>> score_names()[6:8]
    ['direction', 'direction_p_value']
    """
    return [name for metric in METRICS.values() for name in (metric.name, metric.p_name) if name]


def columns(place: str, names: Collection[str]) -> list[Metric]:
    """The metrics of a place on the board, as far as their names are among those given.

    >>> [metric.name for metric in columns("main", ["bias", "rmse_vol", "qlike"])]
    ['qlike', 'rmse_vol']
    """
    return [metric for metric in METRICS.values() if metric.place == place and metric.name in names]


def footnotes(names: Collection[str]) -> dict[str, str]:
    """The notes of the metrics that are named, by group.

    >>> footnotes(["bias"])["level"]
    'Bias: geometric mean over symbols of mean forecast over mean target.'
    """
    notes: dict[str, list[str]] = {}
    for metric in METRICS.values():
        if metric.name in names and metric.note:
            group = notes.setdefault(metric.group, [])
            group += [] if metric.note in group else [metric.note]
    return {group: " ".join(texts) for group, texts in notes.items()}


def decimals(digits: int) -> Callable[[float], str]:
    """Prints that many digits after the point.

    >>> decimals(3)(0.12345)
    '0.123'
    """
    return lambda value: f"{value:.{digits}f}"


def small(above: float, digits: int, below: str) -> Callable[[float], str]:
    """Prints `digits` after the point from `above` on, and by the format `below` what is smaller.

    >>> small(0.02, 4, ".5f")(0.25), small(0.02, 4, ".5f")(0.001)
    ('0.2500', '0.00100')
    """
    return lambda value: f"{value:.{digits}f}" if value >= above else f"{value:{below}}"


OF_THE_VOLATILITY = (
    "MSE, RMSE and MAE vol: of the annualised volatility in percentage points; what people read, but not robust to "
    "noise in the measure."
)
TABLE = (
    Metric(
        "qlike", "QLIKE", losses.qlike, "", "smaller", small(0.02, 4, ".5f"), "likelihood",
        "QLIKE `y/f - ln(y/f) - 1` orders the rows of a tier; it has no unit and is robust to noise in the measure "
        "(Patton 2011). Noise floor: what the true variance of a Brownian motion would score.",
        place="main", by_regime=True,
    ),
    Metric(
        "mse_var", "MSE var", losses.squared_error_var, "percent^4", "smaller", small(0.1, 3, ".3g"), "errors",
        "MSE var: squared error of the variance in (percent squared) squared, robust.", place="main", by_regime=True,
    ),
    Metric(
        "mse_vol", "MSE vol", losses.squared_error_vol, "pp^2", "smaller", decimals(2), "errors", OF_THE_VOLATILITY,
        beside=("sessions_per_year",),
    ),
    Metric(
        "rmse_vol", "RMSE vol", losses.squared_error_vol, "pp", "smaller", decimals(2), "errors", OF_THE_VOLATILITY,
        average=losses.root_mean_square, beside=("sessions_per_year",), place="main",
    ),
    Metric(
        "mae_vol", "MAE vol", losses.absolute_error_vol, "pp", "smaller", decimals(2), "errors", OF_THE_VOLATILITY,
        beside=("sessions_per_year",),
    ),
    Metric(
        "log_mse", "log-MSE", losses.squared_error_log_vol, "", "smaller", small(0.02, 4, ".5f"), "log errors",
        "log-MSE: mean squared error of the log volatility, without the cells whose target is 0; not robust to noise "
        "in the measure (Patton 2011).",
    ),
    Metric(
        "direction", "dir. acc.", losses.direction_hits, "share", "larger", decimals(3), "direction",
        "Directional accuracy: share of cells in which forecast and target lie on the same side of the latest known "
        "value. Volatility reverts, so a constant does well{constant}: the yardstick is `{baseline}`, in brackets at "
        "the head of the column; the p under More scores is against it. A forecast that is the latest value has none.",
        beside=("latest_var",), place="main", missing="n/a", yardstick=True,
    ),
    Metric(
        "bias", "bias", losses.bias, "ratio", "near one", decimals(3), "level",
        "Bias: geometric mean over symbols of mean forecast over mean target.", average=float,
    ),
    Metric(
        "r_squared", "R² vs {baseline}", losses.r_squared, "", "larger", decimals(3), "level",
        "R²: 1 less the MSE of the variance over that of `{baseline}`, out of sample, by symbol, then averaged.",
        average=float, beside=("baseline_var",),
    ),
)  # fmt: skip
METRICS = {metric.name: metric for metric in TABLE}
RANKING = METRICS["qlike"]
"""The metric that orders the rows of a board, and that its tests are of."""

"""What leaks and what flatters, measured on us21: writes the tables of docs/pitfalls.md between their markers.

    python benchmarks/pitfalls.py [--only late shuffled] [--results results] [--page docs/pitfalls.md]

Seeded: the same tables every time. Some twenty seconds of one core. Needs the bars of us21. Forecasts made here are of
`development`; of `official` only what is committed is read. `--only` writes the tables named and leaves the
others.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.spatial import cKDTree
from scipy.special import stdtr

from bench import stats, store
from bench.board.cells import Scored, cells_of, induced_forecasts
from bench.board.render.numbers import grid, probability
from bench.data.panel import Panel
from bench.errors import BenchError
from bench.files import write_atomic
from bench.plugin.measures import MEASURES
from bench.plugin.tasks import Rows, Task, rows_inside, target, trailing_mean
from bench.registry.config import Registry, Split
from bench.registry.windows import origins_of, positions
from bench.run.bars import open_campaign
from bench.stats import losses
from bench.stats.metrics import METRICS
from bench.store import Place, places
from bench.store.realized import read_realized

Array = NDArray[np.float64]
Positions = NDArray[np.intp]
Method = Callable[[Array, Array, Positions, Positions], Array]
"""Features `(n_sessions, n_symbols, k)`, ln targets, rows to learn from, rows to forecast: forecasts of these."""

ROOT = Path(__file__).resolve().parents[1]
DATASET = "us21"
NEXT_DAY, WEEK_AHEAD, MONTH_AHEAD = Task("next-day", 1), Task("week-ahead", 5), Task("month-ahead", 21)
ROLLING = Task("rolling-21d", 1, 20)
CLASSICAL = ("log-har-vix", "log-har", "ewma", "har", "egarch", "trailing-mean", "gjr-garch", "garch", "garch-unscaled",
             "historical-mean", "random-walk")  # fmt: skip
SEED, LEVEL = 1, 0.05
REFIT, FOLDS, NEIGHBOURS, MADE_UP, WORST = 252, 10, 10, 200, 10


@dataclass(frozen=True, eq=False)
class World:
    """The bars of us21 to the end of `development`, and where the committed forecasts are."""

    panel: Panel
    split: Split
    registry: Registry
    results: Path

    @cached_property
    def log_var(self) -> Array:
        """ln of the measure `(n_sessions, n_symbols)`; us21 has no zero in it."""
        return np.asarray(np.log(self.panel.variance))

    @cached_property
    def log_vix(self) -> Array:
        """ln VIX `(n_sessions,)`."""
        return np.asarray(np.log(np.asarray(self.panel.vix, dtype=np.float64)))

    @cached_property
    def features(self) -> Array:
        """Those of log-HAR, ln VIX and the mean of ln g over 66 sessions `(n_sessions, n_symbols, 6)`."""
        return har_features(self.log_var, self.log_vix, trailing_mean(self.log_var, 66))

    def origins(self, task: Task) -> Rows:
        """The scored origins of `development`."""
        return origins_of(self.panel.dates, self.split, task)

    def known_from(self, task: Task) -> int:
        """The first row that may be learnt from."""
        return rows_inside(task, *positions(self.panel.dates, self.split.fit)).first

    def log_target(self, task: Task) -> Array:
        """ln of the target by origin `(n_sessions, n_symbols)`."""
        return np.asarray(np.log(target(self.panel.variance, task)))

    def target(self, task: Task) -> Array:
        """The target of the scored origins."""
        at = self.origins(task)
        return target(self.panel.variance, task)[at.first : at.last + 1]

    def qlike(self, task: Task, forecast_var: Array) -> float:
        """QLIKE of forecasts of the scored origins, averaged as on a board."""
        return average(losses.qlike(self.target(task), forecast_var))

    @cache  # noqa: B019 - one world a process
    def committed(self, split: str, task: Task) -> dict[str, Scored]:
        """The classical entries' committed forecasts on a split, by name; those of `rolling-21d` are induced."""
        realized = read_realized(self.results, DATASET)
        cells = cells_of(realized, self.registry.dataset(DATASET).split(split), task)
        found = {}
        for entry in CLASSICAL:
            place = Place(self.results, DATASET, split, NEXT_DAY.name if task.behind else task.name, entry)
            forecasts = store.read(place).forecasts
            if forecasts is None:
                sys.exit(f"{place} holds no forecasts: run `bench run {entry} --split {split}`")
            if task.behind:
                forecasts = induced_forecasts(realized, forecasts, task)
            found[entry] = Scored(cells, forecasts.forecast_var)
        return found


def table(headers: list[str], rows: list[list[object]], formats: tuple[str, ...]) -> str:
    """A markdown table: numbers by the format of their column, texts as they are, None as a dash."""
    cells = [
        [
            "-" if each is None else each if isinstance(each, str) else f"{each:{form}}"
            for each, form in zip(row, formats, strict=True)
        ]
        for row in rows
    ]
    return grid(headers, cells)


def average(loss_by_cell: Array) -> float:
    """Mean over days, then symbols, as on a board."""
    return float(losses.panel_average(loss_by_cell))


def lead(values: Array) -> Array:
    """Row t holds the value of session t + 1: what a forecast made at t must not see."""
    return np.concatenate([values[1:], np.full_like(values[:1], np.nan)])


def har_features(log_var: Array, *extra: Array) -> Array:
    """A constant, ln g, its means over 5 and 22 sessions, and more columns `(n_sessions,)` or by symbol too."""
    columns = [np.ones_like(log_var), log_var, trailing_mean(log_var, 5), trailing_mean(log_var, 22)]
    columns += [np.broadcast_to(each if each.ndim == 2 else each[:, None], log_var.shape) for each in extra]
    return np.stack(columns, axis=-1)


def regression(x: Array, log_y: Array, train: Positions, asked: Positions) -> Array:
    """Forecasts `exp(x'b + s^2/2)` of the rows asked, b and s by symbol from the training rows that are complete."""
    forecast = np.empty((len(asked), log_y.shape[1]))
    for j in range(log_y.shape[1]):
        rows = train[np.isfinite(x[train, j]).all(axis=1) & np.isfinite(log_y[train, j])]
        coefficients = np.linalg.lstsq(x[rows, j], log_y[rows, j])[0]
        residuals = log_y[rows, j] - x[rows, j] @ coefficients
        forecast[:, j] = np.exp(x[asked, j] @ coefficients + 0.5 * residuals @ residuals / (len(rows) - x.shape[2]))
    return forecast


def neighbours(x: Array, log_y: Array, train: Positions, asked: Positions, scale: Array | None = None) -> Array:
    """Forecasts of the rows asked: the mean target of the nearest training rows, by symbol.

    Features are divided by `scale (n_symbols, k)`: without one, by their standard deviations over the training rows.
    """
    forecast = np.empty((len(asked), log_y.shape[1]))
    for j in range(log_y.shape[1]):
        rows = train[np.isfinite(x[train, j]).all(axis=1) & np.isfinite(log_y[train, j])]
        by = x[rows, j, 1:].std(axis=0) if scale is None else scale[j, 1:]
        _, nearest = cKDTree(x[rows, j, 1:] / by).query(x[asked, j, 1:] / by, k=NEIGHBOURS)
        forecast[:, j] = np.exp(log_y[rows, j])[nearest].mean(axis=1)
    return forecast


METHODS: dict[str, Method] = {"log-HAR with VIX": regression, f"{NEIGHBOURS} nearest neighbours": neighbours}


def walk(
    world: World, task: Task, x: Array, method: Method = regression, refit: int = REFIT, unknown: int = 0
) -> Array:
    """Forecasts of the scored origins, refitted every `refit` of them on the rows whose target is known by then.

    `unknown`: how many later rows are learnt from too, whose targets reach beyond the origin.
    """
    at, parts = world.origins(task), []
    for start in range(at.first, at.last + 1, refit):
        train = np.arange(world.known_from(task), start - task.ahead + 1 + unknown)
        parts.append(method(x, world.log_target(task), train, np.arange(start, min(start + refit, at.last + 1))))
    return np.concatenate(parts)


# Leaks ----------------------------------------------------------------------------------------------


def late(world: World) -> str:
    """Features of the session that is forecast: alone, each beside the means of log-HAR."""
    panel, at = world.panel, world.origins(NEXT_DAY)
    night = np.concatenate([np.full((1, len(panel.symbols)), np.nan), np.log(panel.open[1:] / panel.close[:-1])])
    features = {
        "log-HAR and ln VIX": world.log_vix,
        "log-HAR and ln volume": np.log(panel.volume),
        "log-HAR and ln absolute overnight return": log_absolute(night),
        "log-HAR and ln absolute return": log_absolute(panel.returns),
    }
    forecasts = {
        name: [walk(world, NEXT_DAY, har_features(world.log_var, each)) for each in (values, lead(values))]
        for name, values in features.items()
    }
    trailing = trailing_mean(panel.variance, 22)
    forecasts["mean of 22 sessions"] = [each[at.first : at.last + 1] for each in (trailing, lead(trailing))]
    rows: list[list[object]] = []
    for name, pair in forecasts.items():
        known, peeked = (losses.qlike(world.target(NEXT_DAY), forecast) for forecast in pair)
        p = probability(stats.panel_test(peeked, known).p_value)
        rows.append([name, average(known), average(peeked), 100 * (1 - average(peeked) / average(known)), p])
    headers = ["model", "at the origin", "a session late", "gain %", "p"]
    return table(headers, rows, ("", ".3f", ".3f", ".0f", ""))


def log_absolute(returns: Array) -> Array:
    """ln of absolute returns, a basis point added so that zero has one."""
    return np.asarray(np.log(np.abs(returns) + 1e-4))


def shuffled(world: World) -> str:
    """Random folds, where targets overlap and where they do not."""
    rows: list[list[object]] = []
    for name, method in METHODS.items():
        for task in (NEXT_DAY, MONTH_AHEAD):
            forecasts = (
                walk(world, task, world.features, method),
                cross_validated(world, task, method, in_blocks=True, gap=task.ahead),
                cross_validated(world, task, method, in_blocks=False, gap=0),
            )
            rows.append([name, task.name, *(world.qlike(task, each) for each in forecasts)])
    headers = ["method", "task", "walk forward", "blocks with gaps", "shuffled"]
    return table(headers, rows, ("", "", ".3f", ".3f", ".3f"))


def cross_validated(world: World, task: Task, method: Method, *, in_blocks: bool, gap: int) -> Array:
    """Forecasts of the scored origins by folds of all rows since the fit window began, in blocks or drawn.

    Rows within `gap` of a row that is forecast are not learnt from.
    """
    log_y = world.log_target(task)
    at, rows = world.origins(task), np.arange(world.known_from(task), world.origins(task).last + 1)
    folds = folds_of(len(rows), in_blocks=in_blocks)
    forecast = np.full(log_y.shape, np.nan)
    for fold in range(FOLDS):
        asked, train = rows[(folds == fold) & (rows >= at.first)], rows[folds != fold]
        if len(asked):
            train = train[np.abs(train[:, None] - asked).min(axis=1) > gap]
            forecast[asked] = method(world.features, log_y, train, asked)
    return forecast[at.first : at.last + 1]


def folds_of(n: int, *, in_blocks: bool) -> Positions:
    """The fold of each of n rows: contiguous blocks of equal size, or the same ones shuffled.

    >>> folds_of(20, in_blocks=True).tolist()
    [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9]
    """
    blocks = np.arange(n) * FOLDS // n
    return blocks if in_blocks else np.random.default_rng(SEED).permutation(blocks)


def unpurged(world: World) -> str:
    """Training rows whose month is not over at the origin."""
    rows: list[list[object]] = []
    for name, method in METHODS.items():
        for refit in (REFIT, 5):
            forecasts = (
                walk(world, MONTH_AHEAD, world.features, method, refit, unknown)
                for unknown in (0, MONTH_AHEAD.ahead - 1)
            )
            rows.append([name, refit, *(world.qlike(MONTH_AHEAD, each) for each in forecasts)])
    return table(["method", "refit every", "purged", "not purged"], rows, ("", "", ".3f", ".3f"))


def whole(world: World) -> str:
    """Parameters of the sample that is scored."""
    rows: list[list[object]] = []
    committed = world.committed("development", NEXT_DAY)
    models = {"log-har": har_features(world.log_var), "log-har-vix": har_features(world.log_var, world.log_vix)}
    at = np.arange(world.origins(NEXT_DAY).first, world.origins(NEXT_DAY).last + 1)
    sample = np.arange(world.known_from(NEXT_DAY), at[-1] + 1)
    forecasts = {name: regression(x, world.log_target(NEXT_DAY), sample, at) for name, x in models.items()}
    forecasts["garch"] = in_sample_garch(world)
    for name, forecast in forecasts.items():
        honest, mine = average(committed[name].qlike), world.qlike(NEXT_DAY, forecast)
        rows.append([name, honest, mine, 100 * (1 - mine / honest)])
    scale = np.nanstd(world.features[world.known_from(NEXT_DAY) :], axis=0)
    scaled = partial(neighbours, scale=scale)
    honest, mine = (world.qlike(NEXT_DAY, walk(world, NEXT_DAY, world.features, each)) for each in (neighbours, scaled))
    rows.append(["scaler of nearest neighbours", honest, mine, 100 * (1 - mine / honest)])
    return table(["what is estimated", "up to the origin", "whole sample", "gain %"], rows, ("", ".3f", ".3f", ".1f"))


def in_sample_garch(world: World) -> Array:
    """Conditional variances of one fit to the whole sample, scaled on it: what a library calls fitted volatility."""
    from arch import arch_model  # slow to import, and needed here alone

    at, first = world.origins(NEXT_DAY), world.panel.position(world.split.fit.first)
    columns = []
    for returns, variance in zip(world.panel.returns[first:].T, world.panel.variance[first:].T, strict=True):
        result = arch_model(100 * returns, rescale=False).fit(disp="off")
        fitted = (result.conditional_volatility / 100) ** 2
        columns.append(fitted * np.mean(variance / fitted))
    return np.stack(columns, axis=1)[at.first + 1 - first : at.last + 2 - first]


# Flattery -------------------------------------------------------------------------------------------


def smooth(world: World) -> str:
    """The same forecasts on a target that moves slowly."""
    rows: list[list[object]] = []
    for task in (NEXT_DAY, MONTH_AHEAD, ROLLING):
        scored = world.committed("development", task)
        cells = scored["har"].cells
        yardstick = scored["historical-mean"].forecast_var
        entries = {name: scored[name].forecast_var for name in ("har", "log-har-vix")}
        for name, forecast in {"the last known value": cells.latest_var, **entries}.items():
            mean = np.broadcast_to(cells.target_var.mean(axis=0), forecast.shape)
            r_squared = [losses.r_squared(cells.target_var, forecast, other) for other in (mean, yardstick)]
            rows.append([task.name, name, average(losses.qlike(cells.target_var, forecast)), *r_squared])
    headers = ["task", "forecast", "QLIKE", "R² against the sample's mean", "R² of the board"]
    return table(headers, rows, ("", "", ".4f", ".3f", ".3f"))


def reference(world: World) -> str:
    """Skill on the official board against several references."""
    scored = world.committed("official", NEXT_DAY)
    by_symbol = {name: losses.mean_by_symbol(each.qlike) for name, each in scored.items()}
    against = ("random-walk", "historical-mean", "garch-unscaled", "garch", "har", "log-har")
    rows: list[list[object]] = [
        [name, *(None if name == other else 100 * float(losses.skill(by_symbol[name], by_symbol[other]))
                 for other in against)]
        for name in ("gjr-garch", "har", "log-har", "log-har-vix")
    ]  # fmt: skip
    return table(["skill % of / against", *against], rows, ("", *["+.1f"] * 6))


def measure(world: World) -> str:
    """Committed forecasts scored with other measures of the same days."""
    panel, at = world.panel, world.origins(NEXT_DAY)
    scored = world.committed("development", NEXT_DAY)
    columns, found = [], []
    for name in ("garman-klass", "parkinson", "garman-klass-overnight", "close-to-close"):
        daily = lead(MEASURES[name](panel.open, panel.high, panel.low, panel.close))[at.first : at.last + 1]
        panels = np.stack([losses.qlike(daily, each.forecast_var) for each in scored.values()])
        columns.append(ranked([average(each) for each in panels]))
        p = stats.pairwise_test(stats.daily_mean_losses(panels)).p_value
        found.append(int((p[np.triu_indices(len(p), 1)] < LEVEL).sum()))
    rows: list[list[object]] = [[entry, *(column[i] for column in columns)] for i, entry in enumerate(scored)]
    rows.append([f"*pairs with p < .05, of {len(list(combinations(scored, 2)))}*", *map(str, found)])
    return table(["QLIKE (place)", "Garman-Klass", "Parkinson", "with the night", "squared return"], rows, ("",) * 5)


def loss(world: World) -> str:
    """Places by several losses, and how much of each comes from few days."""
    scored = world.committed("development", NEXT_DAY)
    daily = {
        name: [METRICS[loss].by_cell(each.case(None)) for loss in ("qlike", "mse_vol", "mse_var")]
        for name, each in scored.items()
    }
    columns = [
        ranked([average(each[k]) for each in daily.values()], form) for k, form in enumerate((".3f", ".0f", ".1f"))
    ]
    yardstick = scored["historical-mean"]
    r_squared = [losses.r_squared(each.cells.target_var, each.forecast_var, yardstick.forecast_var)
                 for each in scored.values()]  # fmt: skip
    columns.append(ranked([-value for value in r_squared], ".2f", sign=-1))
    rows: list[list[object]] = [[entry, *(column[i] for column in columns)] for i, entry in enumerate(scored)]
    shares = [worst_share(each) for each in daily["log-har-vix"]]
    rows.append([f"*{WORST} worst days, % of log-har-vix's*", *(f"{100 * share:.0f}" for share in shares), None])
    return table(["next-day (place)", "QLIKE", "MSE vol", "MSE var", "R²"], rows, ("",) * 5)


def ranked(values: list[float], form: str = ".3f", sign: int = 1) -> list[str]:
    """Values with their place, the smallest first.

    >>> ranked([2.0, 1.0], ".1f")
    ['2.0 (2)', '1.0 (1)']
    """
    order = np.argsort(np.argsort(values)) + 1
    return [f"{sign * value:{form}} ({place})" for value, place in zip(values, order, strict=True)]


def worst_share(loss_by_cell: Array) -> float:
    """Share of the sum of a loss `(n_sessions, n_symbols)` that comes from its `WORST` largest days."""
    daily = np.sort(np.nansum(loss_by_cell, axis=1))
    return float(daily[-WORST:].sum() / daily.sum())


def stacked(world: World) -> str:
    """Pairs of entries told apart by a test that takes stock-days for independent, and by those of the board."""
    rows: list[list[object]] = []
    for split in ("official", "development"):
        for task in (NEXT_DAY, WEEK_AHEAD, MONTH_AHEAD):
            panels = [each.qlike for each in world.committed(split, task).values()]
            pairs = list(combinations(range(len(panels)), 2))
            by_cell = [stacked_p_value(panels[i], panels[j]) for i, j in pairs]
            found = stats.pairwise_test(stats.daily_mean_losses(np.stack(panels)), task.ahead).p_value
            by_day = [float(found[i, j]) for i, j in pairs]
            adjusted = stats.holm(np.array(by_day))
            rows.append(
                [split, task.name, len(pairs), *(int(np.sum(np.array(p) < LEVEL)) for p in (by_cell, by_day, adjusted))]
            )
    return table(["split", "task", "pairs", "stacked", "panel", "panel, Holm"], rows, ("",) * 6)


def stacked_p_value(a: Array, b: Array) -> float:
    """p of the t test that takes every cell for independent: what not to do."""
    d = (a - b).ravel()
    return float(2 * stdtr(d.size - 1, -abs(d.mean()) / d.std(ddof=1) * np.sqrt(d.size)))


def many(world: World) -> str:
    """log-HAR with a made-up regressor, many times; the one of lowest QLIKE in the first year."""
    at, rng = world.origins(NEXT_DAY), np.random.default_rng(SEED)
    shocks = rng.standard_normal((len(world.panel.dates), MADE_UP))
    made_up = lfilter([1.0], [1.0, -0.98], shocks, axis=0)
    cells = world.target(NEXT_DAY)
    plain = losses.qlike(cells, walk(world, NEXT_DAY, har_features(world.log_var)))
    tried = [losses.qlike(cells, walk(world, NEXT_DAY, har_features(world.log_var, each))) for each in made_up.T]
    half = int(np.searchsorted(world.panel.dates[at.first + 1 : at.last + 2], np.datetime64("2021-01-01")))
    before, after = average(plain[:half]), average(plain[half:])
    first, second = (np.array([average(each[part]) for each in tried]) for part in (slice(half), slice(half, None)))
    p = np.array([stats.panel_test(each[:half], plain[:half]).p_value for each in tried])
    adjusted, place = stats.holm(p), 1 + np.argsort(np.argsort(second))

    def row(name: str, i: int) -> list[object]:
        return [name, first[i], probability(p[i]), probability(adjusted[i]), second[i], f"{place[i]} of {MADE_UP}"]

    rows: list[list[object]] = [
        ["log-har", before, None, None, after, None],
        [f"median of {MADE_UP} with a made-up regressor", np.median(first), None, None, np.median(second), None],
        row("of these, lowest QLIKE in 2020", int(first.argmin())),
        row("of these, lowest p of a smaller QLIKE", int(np.where(first < before, p, 1.0).argmin())),
    ]
    headers = ["model", "QLIKE 2020", "p 2020", "p, Holm", "QLIKE 2021", "place 2021"]
    return table(headers, rows, ("", ".4f", "", "", ".4f", ""))


def seeds(world: World) -> str:
    """The best seed beside the forecast that the board scores, for every finished result that has seeds."""
    rows: list[list[object]] = []
    cells = world.committed("development", NEXT_DAY)["har"].cells
    for place in places(world.results, DATASET, "development"):
        found = store.read(place) if place.task == NEXT_DAY.name else store.Stored(None)
        parts = list(found.seeds.values()) if found.forecasts else []
        if len(parts) > 1:
            rows.append([place.entry, *seed_scores(cells.target_var, np.stack([each.forecast_var for each in parts]))])
    if not rows:
        return "*No result with several seeds is stored.*"
    headers = ["entry", "seeds", "mean of seeds' QLIKE", "± sd", "best seed", "best seed's gain %", "mean variance"]
    return table(headers, rows, ("", "", ".4f", ".4f", ".4f", ".1f", ".4f"))


def seed_scores(target_var: Array, by_seed_var: Array) -> list[float]:
    """Number of seeds, mean and spread of their QLIKE, the best one and its gain in percent, and the mean's QLIKE.

    `by_seed_var` is `(seeds, n_sessions, n_symbols)`.
    """
    single = np.array([average(losses.qlike(target_var, each)) for each in by_seed_var])
    mean, best = float(single.mean()), float(single.min())
    together = average(losses.qlike(target_var, by_seed_var.mean(axis=0)))
    return [len(single), mean, float(single.std(ddof=1)), best, 100 * (1 - best / mean), together]


def sample(world: World) -> str:
    """Skill against garch by quarter."""
    scored = world.committed("development", NEXT_DAY)
    dates = scored["garch"].cells.dates
    year, month = dates.astype("datetime64[Y]").astype(int) + 1970, dates.astype("datetime64[M]").astype(int) % 12
    entries = ("gjr-garch", "har", "ewma", "log-har-vix")
    rows: list[list[object]] = []
    labels = np.array([f"{y} Q{m // 3 + 1}" for y, m in zip(year, month, strict=True)])
    for label in [*np.unique(labels), ""]:
        days = labels == label if label else np.full(len(labels), True)
        base = losses.mean_by_symbol(scored["garch"].qlike[days])
        skills = [100 * float(losses.skill(losses.mean_by_symbol(scored[e].qlike[days]), base)) for e in entries]
        rows.append([label or "all", int(days.sum()), float(base.mean()), *skills])
    headers = ["sessions of", "n", "QLIKE garch", *(f"{name} %" for name in entries)]
    return table(headers, rows, ("", "", ".3f", *["+.1f"] * len(entries)))


# The page -------------------------------------------------------------------------------------------

TABLES: dict[str, Callable[[World], str]] = {
    each.__name__: each
    for each in (late, shuffled, unpurged, whole, smooth, reference, measure, loss, stacked, many, seeds, sample)
}


def filled(page: str, tables: dict[str, str]) -> str:
    """The page with each table between its markers, `<!-- name -->` and `<!-- /name -->`."""
    for name, text in tables.items():
        block = f"<!-- {name} -->\n{text}\n<!-- /{name} -->"
        page = re.sub(rf"<!-- {name} -->.*?<!-- /{name} -->", lambda _, block=block: block, page, flags=re.DOTALL)
    return page


def main() -> None:
    """Write the tables, or those that are named, into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(TABLES))
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "pitfalls.md")
    options = parser.parse_args()
    registry = Registry(ROOT)
    try:
        campaign = open_campaign(registry, DATASET, "development")
    except BenchError as error:
        sys.exit(str(error))
    world = World(campaign.panel, campaign.scope.windows, registry, options.results)
    tables = {name: TABLES[name](world) for name in options.only or TABLES}
    write_atomic(options.page, filled(options.page.read_text(encoding="utf-8"), tables).encode())


if __name__ == "__main__":
    main()

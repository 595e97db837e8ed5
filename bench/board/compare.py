"""Two entries on one task: how much they differ, whether a test can tell, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import stats
from bench.board.gather import TaskScores
from bench.board.render.numbers import Columns, difference, loss, percent, probability, table
from bench.board.render.style import COLOURS, GREY, new_figure, render_figure
from bench.board.scores import LABELS, number, number_or_none
from bench.errors import BenchError, did_you_mean
from bench.stats import losses
from bench.stats.results import MeanTest

Array = NDArray[np.float64]
TOP_DAYS = 10


@dataclass(frozen=True)
class Part:
    """The comparison on some of the cells: mean QLIKE of both, and a's share of the whole difference."""

    name: str
    n: int
    a_qlike: float
    b_qlike: float
    share: float | None
    p_value: float | None

    @property
    def difference(self) -> float:
        """a's QLIKE less b's."""
        return self.a_qlike - self.b_qlike


@dataclass(frozen=True)
class Comparison:
    """Entry a against entry b; differences are `a - b` of QLIKE, negative: a has the smaller loss."""

    a: str
    b: str
    dataset: str
    split: str
    task: str
    n_origins: int
    a_qlike: float
    b_qlike: float
    skill: float | None
    skill_low: float | None
    skill_high: float | None
    wins: int
    n_symbols: int
    test: str
    p_value: float | None
    symbols: list[Part]
    regimes: list[Part]
    days: list[dict[str, Any]]
    dates: list[str]
    cumulated: list[float]


def compare(
    scores: TaskScores, a: str, b: str, *, dataset: str, split: str, symbol: str | None = None,
    regime: str | None = None,
) -> Comparison:  # fmt: skip
    """Returns the comparison of two entries, on all cells, one symbol, or one regime at the origin."""
    for name in (a, b):
        if name not in scores.scored:
            raise BenchError(f"no finished result of `{name}` on this task{did_you_mean(name, scores.scored)}")
    cells = scores.cells
    if symbol is not None and symbol not in cells.symbols:
        raise BenchError(f"{dataset} has no symbol `{symbol}`{did_you_mean(symbol, cells.symbols)}")
    labels = cells.regimes["origin"]
    if regime is not None and regime not in labels:
        raise BenchError(f"no origin in the regime `{regime}`{did_you_mean(regime, set(labels.tolist()))}")
    rows = np.ones(len(labels), dtype=bool) if regime is None else labels == regime
    columns = list(range(len(cells.symbols))) if symbol is None else [cells.symbols.index(symbol)]
    mine, theirs = (scores.scored[name].qlike[rows][:, columns] for name in (a, b))
    horizon = cells.task.ahead
    result = stats.panel_test(mine, theirs, horizon)
    skill = stats.skill_intervals(mine[None], theirs, horizon)
    by_symbol = stats.symbol_tests(mine[None], theirs, horizon)
    daily = np.nan_to_num(losses.mean_by_symbol((mine - theirs).T))
    dates = cells.dates[rows]
    return Comparison(
        a=a, b=b, dataset=dataset, split=split, task=cells.task.name, n_origins=int(rows.sum()),
        a_qlike=number(losses.panel_average(mine)), b_qlike=number(losses.panel_average(theirs)),
        skill=number_or_none(skill.estimate[0]), skill_low=number_or_none(skill.low[0]),
        skill_high=number_or_none(skill.high[0]),
        wins=losses.wins(losses.mean_by_symbol(mine), losses.mean_by_symbol(theirs)), n_symbols=len(columns),
        test=_in_words(result), p_value=number_or_none(result.p_value),
        symbols=_symbols([cells.symbols[j] for j in columns], mine, theirs, by_symbol.holm_p_value[0]),
        regimes=_regimes(labels[rows], mine, theirs, horizon), days=_days(dates, daily, mine - theirs, cells.symbols),
        dates=[str(day) for day in dates], cumulated=[number(value) for value in np.cumsum(daily)],
    )  # fmt: skip


def _symbols(names: list[str], mine: Array, theirs: Array, p_values: Array) -> list[Part]:
    a, b = losses.mean_by_symbol(mine), losses.mean_by_symbol(theirs)
    whole = float(np.nansum(a - b))
    parts = [
        Part(
            name, int(np.isfinite(mine[:, j]).sum()), number(a[j]), number(b[j]),
            number((a[j] - b[j]) / whole) if whole else None, number_or_none(p_values[j]),
        )
        for j, name in enumerate(names) if np.isfinite(a[j])
    ]  # fmt: skip
    return sorted(parts, key=lambda part: part.difference)


def _regimes(labels: NDArray[np.str_], mine: Array, theirs: Array, horizon: int) -> list[Part]:
    whole = float(np.nansum(mine - theirs))
    parts = []
    for label in (label for label in LABELS if label in labels):
        a, b = mine[labels == label], theirs[labels == label]
        share = number(float(np.nansum(a - b)) / whole) if whole else None
        averages = number(losses.panel_average(a)), number(losses.panel_average(b))
        parts.append(Part(label, len(a), *averages, share, number_or_none(stats.panel_test(a, b, horizon).p_value)))
    return parts


def _days(dates: NDArray[np.datetime64], daily: Array, cells: Array, symbols: tuple[str, ...]) -> list[dict[str, Any]]:
    """The days with the largest differences, either way, and the symbol that moved each most."""
    whole, some = float(daily.sum()), cells.shape[1] != len(symbols)
    top = np.argsort(-np.abs(daily), kind="stable")[:TOP_DAYS]
    return [
        {"date": str(dates[i]), "difference": number(daily[i]), "share": number(daily[i] / whole) if whole else None,
         "symbol": None if some else symbols[int(np.nanargmax(np.abs(cells[i])))]}
        for i in top if daily[i]
    ]  # fmt: skip


def as_text(result: Comparison) -> str:
    """The comparison for a terminal or a page."""
    gap = result.a_qlike - result.b_qlike
    told = "a test cannot tell them apart at 5 %" if (result.p_value or 0) >= 0.05 else "told apart at 5 %"
    if result.p_value is None:
        told = "too few sessions for a test"
    skill = percent(result.skill)  # "%" stands between the number and its interval
    interval = percent(result.skill, result.skill_low, result.skill_high).removeprefix(skill)
    head = [
        f"{result.a} against {result.b}: {result.dataset} {result.split}, {result.task}, {result.n_origins} origins",
        f"QLIKE {loss(result.a_qlike)} and {loss(result.b_qlike)}, difference {gap:+.5f}: {told} (p "
        f"{probability(result.p_value)}, one test; the board adjusts for all its rows)",
        f"skill {skill} %{interval}; smaller loss on {result.wins} of {result.n_symbols} symbols",
        f"test: {result.test}",
    ]
    if len(result.regimes) == 1:
        head.append("the sessions of one regime are no run of days: tests inside it are approximate")
    days: Columns[dict[str, Any]] = [
        ("days that matter most", lambda day: day["date"]),
        ("difference", lambda day: difference(day["difference"])),
        ("of the mean", lambda day: f"{day['difference'] / result.n_origins:+.6f}"),
        ("most of all", lambda day: day["symbol"] or ""),
    ]
    parts: Columns[Part] = [
        ("n", lambda part: str(part.n)),
        (result.a, lambda part: loss(part.a_qlike)),
        (result.b, lambda part: loss(part.b_qlike)),
        ("difference", lambda part: difference(part.difference)),
    ]
    regimes, symbols = (
        table(found, [(title, lambda part: part.name), *parts, (p, lambda part: probability(part.p_value))])
        for title, found, p in (("regime at the origin", result.regimes, "p"), ("symbol", result.symbols, "p, Holm"))
    )
    return "\n\n".join(["\n".join(head), regimes, symbols, table(result.days, days)])


def _in_words(test: MeanTest) -> str:
    """The test and, where there is one, that with the other variance: kind, statistic, p, and what is to be known."""
    kind = "equal-weighted cosine" if test.method == "cosine" else f"{test.method} with {test.lags} lags"
    said = f"panel, {kind}: t({test.df}) = {test.statistic:.2f}, p {probability(number_or_none(test.p_value))}"
    parts = [said, test.note, _in_words(test.beside).replace("panel", "beside it", 1) if test.beside else ""]
    return "; ".join(filter(None, parts))


def as_figure(result: Comparison, form: str = "svg") -> bytes:
    """A file of that form: the cumulated difference over time, and the difference by symbol."""

    def make() -> Any:
        figure, (over_time, by_symbol) = new_figure(8.0, 6.4, 2)
        over_time.plot(np.array(result.dates, dtype="datetime64[D]"), result.cumulated, color=COLOURS[0], lw=1.3)
        over_time.set_title(f"{result.task}: QLIKE of {result.a} less that of {result.b}, cumulated (down: {result.a})")
        gaps = [part.difference for part in result.symbols]
        by_symbol.bar([part.name for part in result.symbols], gaps, color=[COLOURS[0 if g < 0 else 1] for g in gaps])
        by_symbol.tick_params(axis="x", rotation=90)
        by_symbol.set_title("mean difference by symbol")
        for axes in (over_time, by_symbol):
            axes.axhline(0, color=GREY, lw=0.8)
        return figure

    return render_figure(make, form)

"""Time and memory of the statistics of a board, and how they grow with the number of entries.

    python benchmarks/many_entries.py [--entries 25 50 100 200] [--symbols 21] [--sessions 753]

Made-up forecasts; every column is one step, in seconds; the peak is that of the process so far, in MB. `total` is
what a board cannot do without: all losses, all pairwise panel tests, one confidence set with 10,000 draws, resampling
included. The columns after it are what it may add.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from tabulate import tabulate

from bench import stats
from bench.stats import bootstrap, losses

LOSSES = (losses.qlike, losses.squared_error_var, losses.squared_error_vol, losses.absolute_error_vol)


def made_up(entries: int, sessions: int, symbols: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets, latest values and forecasts `(entries, sessions, symbols)`, daily variance."""
    rng = np.random.default_rng(1)
    level = 1e-4 * np.exp(0.5 * np.cumsum(rng.normal(0, 0.1, (sessions, symbols)), axis=0))
    target = level * rng.chisquare(4, (sessions, symbols)) / 4
    noise = rng.normal(0, 0.3, (entries, sessions, symbols)) + rng.normal(0, 0.2, (sessions, 1))
    return target, np.roll(target, 1, axis=0), level * np.exp(noise * np.linspace(0.8, 1.2, entries)[:, None, None])


def measured(entries: int, sessions: int, symbols: int) -> dict[str, float]:
    """Seconds by step for one number of entries."""
    target, latest, forecasts = made_up(entries, sessions, symbols)
    bootstrap._counts.cache_clear()  # every size pays for its own draws
    row: dict[str, float] = {"entries": entries}

    def step(name: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        answer = work()
        row[name] = time.perf_counter() - start
        return answer

    def all_losses() -> np.ndarray:
        for forecast in forecasts:
            losses.panel_average(losses.direction_hits(target, forecast, latest))
        for loss in LOSSES[1:]:
            losses.panel_average(loss(target, forecasts))
        return losses.qlike(target, forecasts)

    qlike = step("losses", all_losses)
    daily = step("daily means", lambda: stats.daily_mean_losses(qlike))
    step("pairwise h=1", lambda: stats.pairwise_test(daily))
    step("confidence set", lambda: stats.model_confidence_set(daily))
    row["total"] = sum(row.values()) - entries
    step("pairwise h=21", lambda: stats.pairwise_test(daily, 21))
    step("tiers", lambda: stats.tiers(daily))
    step("skill intervals", lambda: stats.skill_intervals(qlike, qlike[0]))
    step("by symbol", lambda: stats.symbol_tests(qlike, qlike[0]))
    step("SPA", lambda: stats.superior_predictive_ability(daily[:, 0], daily))
    row["peak MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    return row


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--entries", type=int, nargs="+", default=[25, 50, 100, 200])
    parser.add_argument("--symbols", type=int, default=21)
    parser.add_argument("--sessions", type=int, default=753)
    args = parser.parse_args()
    stats.day_weights(10, 2, 1)  # arch is imported beforehand: once in a process, whatever the size
    rows = [measured(entries, args.sessions, args.symbols) for entries in args.entries]
    print(f"{args.symbols} symbols, {args.sessions} sessions, seconds")
    print(tabulate(rows, headers="keys", floatfmt=".2f", tablefmt="github"))


if __name__ == "__main__":
    main()

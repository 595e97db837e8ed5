"""What the harness itself costs per session and entry: stream, store, score; how it grows; fev beside it.

usage: python benchmarks/harness.py [--repeats 3] [--peer /path/to/python-with-fev]

The entry answers with a constant, so its own time is about a microsecond a session and counts as ours. Process start
and imports are left out (they are measured apart by the walk). `stream` is the walk, `store` writes forecasts and
records of all horizons, `score` is everything that the board computes of the entry, read from disk.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import yaml
from tabulate import tabulate

from bench.board import build_board
from bench.data.panel import Panel
from bench.registry.config import Dataset, Registry
from bench.registry.entries import discover
from bench.run.bars import publish_measure
from bench.run.campaign import Campaign
from bench.run.execute import Processes, execute
from bench.run.plan import plan
from bench.store import Scope

ROOT = Path(__file__).resolve().parents[1]
WARMUP = 2000
MODEL = """
import numpy as np
from bench.plugin import PathForecaster

class Constant(PathForecaster):
    def fit(self, history):
        self.answer = np.full((self.steps, len(history.symbols)), 1e-4)

    def forecast(self, history):
        return self.answer
"""


@dataclass(frozen=True)
class Cost:
    """Milliseconds per session and entry."""

    stream: float
    store: float
    score: float

    @property
    def total(self) -> float:
        return self.stream + self.store + self.score


def made_up_panel(n_symbols: int, n_sessions: int) -> Panel:
    """Random bars, enough history for a fit window."""
    rng = np.random.default_rng(1)
    n = WARMUP + n_sessions
    dates = np.busday_offset("2000-01-03", np.arange(n), roll="forward")
    close = np.exp(4 + np.cumsum(0.01 * rng.standard_normal((n, n_symbols)), axis=0))
    open_ = close * np.exp(0.005 * rng.standard_normal(close.shape))
    high = np.maximum(open_, close) * np.exp(0.005 * rng.random(close.shape))
    low = np.minimum(open_, close) / np.exp(0.005 * rng.random(close.shape))
    symbols = tuple(f"S{i:03d}" for i in range(n_symbols))
    vix = 20 + 5 * np.sin(np.arange(n) / 40)
    return Panel("made-up", "garman-klass", dates, symbols, open_, high, low, close, np.ones_like(close), vix)


def campaign_of(panel: Panel, results: Path) -> Campaign:
    """A campaign that scores every session after the warm-up."""
    day: list[date] = panel.dates.astype(object).tolist()
    split = {"fit": [day[50], day[WARMUP - 300]], "select": [day[WARMUP - 299], day[WARMUP - 1]],
             "score": [day[WARMUP], day[-1]]}  # fmt: skip
    dataset = Dataset.model_validate(
        {"id": "made-up", "title": "made up", "symbols": list(panel.symbols), "measure": "garman-klass",
         "warmup_from": day[0], "vix": {"from": day[0]}, "splits": {"official": split}, "folder": results}
    )  # fmt: skip
    return Campaign(Scope(Registry(ROOT).settings, dataset, "official", results), panel, "made-up")


def write_entries(folder: Path, count: int) -> None:
    """`count` families of the same constant model, reading everything."""
    for i in range(count):
        family = folder / f"constant-{i}"
        family.mkdir(parents=True)
        (family / "model.py").write_text(MODEL)
        row = {"name": f"constant-{i}", "version": 1, "class": "Constant", "description": "a constant", "tasks": "path",
               "reads": ["bars", "volume", "vix"]}  # fmt: skip
        spec = {"authors": [{"name": "nobody"}], "licence": "MIT", "description": "a constant", "training_data": "none"}
        (family / "submission.yaml").write_text(yaml.safe_dump({**spec, "entries": [row]}))


def measure(n_symbols: int, n_sessions: int, n_entries: int = 1) -> Cost:
    """One run from nothing, in milliseconds per session and entry."""
    panel = made_up_panel(n_symbols, n_sessions)
    _ = panel.variance, panel.returns
    with tempfile.TemporaryDirectory() as folder:
        write_entries(Path(folder) / "submissions", n_entries)
        entries = discover(Path(folder) / "submissions").select()
        campaign = campaign_of(panel, Path(folder) / "results")
        publish_measure(campaign)
        started = time.perf_counter()
        todo = plan(campaign, entries)
        execute(campaign, todo, Processes(panel, 1))
        run = time.perf_counter() - started
        measured = [each.run.measured.seeds["0"] for place, each in todo.pending.items() if place.task == "next-day"]
        started = time.perf_counter()
        build_board(campaign.scope)
        score = time.perf_counter() - started
    stream = sum(seed.fit_seconds + seed.forecast_seconds for seed in measured)
    store = run - stream - sum(seed.start_seconds for seed in measured)
    per = 1000 / (n_sessions * n_entries)
    return Cost(stream * per, store * per, score * per)


def median(costs: list[Cost]) -> Cost:
    """Medians part by part."""
    return Cost(*(statistics.median(getattr(cost, part) for cost in costs) for part in ("stream", "store", "score")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer", help="a Python that has fev installed: its cost per window is measured too")
    options = parser.parse_args()
    measure(21, 50)  # imports of this process
    cases = [(21, 753, 1), (100, 753, 1), (500, 753, 1), (21, 250, 1), (21, 1500, 1), (21, 753, 5), (21, 753, 20)]
    rows = []
    for case in cases:
        cost = median([measure(*case) for _ in range(options.repeats)])
        rows.append([*case, cost.stream, cost.store, cost.score, cost.total])
    headers = ["symbols", "sessions", "entries", "stream", "store", "score", "total ms per session and entry"]
    print(tabulate(rows, headers=headers, floatfmt=".3f", tablefmt="github"))
    if options.peer:
        peer = Path(__file__).with_name("peer_fev.py")
        done = subprocess.run([options.peer, peer], capture_output=True, text=True, check=False)
        print(done.stdout.strip() or sys.exit(done.stderr[-2000:]))


if __name__ == "__main__":
    main()

"""Wall time and memory of the classical entries on a dataset: from nothing, with nothing to do, and `bench list`.

usage: python benchmarks/classical.py [--dataset us21] [--repeats 3] [--growth]

`--growth` repeats it on made-up bars of other sizes: how it grows with symbols, sessions and entries.

Every command is a process of its own, as a user would start it; medians. Memory is the largest resident size of any
one process of the run (the command itself or a worker).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import yaml
from harness import WARMUP, made_up_panel
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
BENCH = Path(sys.executable).with_name("bench")
CLASSICAL = [
    "random-walk", "historical-mean", "trailing-mean", "ewma", "garch", "garch-unscaled", "gjr-garch", "egarch", "har",
    "log-har", "log-har-vix",
]  # fmt: skip


def timed(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak memory (MB) of any one process of a command."""
    started, peak = time.perf_counter(), 0.0
    with subprocess.Popen(
        [BENCH, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                for member in (watched, *watched.children(recursive=True)):
                    peak = max(peak, member.memory_info().rss / 2**20)
            except psutil.Error:  # it ended between two looks
                continue
            time.sleep(0.02)
        seconds = time.perf_counter() - started
        if process.returncode:
            sys.exit(f"bench {' '.join(arguments)} failed: {process.stderr.read() if process.stderr else ''}")
    return seconds, peak


def commands(entries: list[str], dataset: str, results: str, root: Path) -> dict[str, tuple[float, float]]:
    """Seconds and memory of a run from nothing, of the same again, of the board, and of a listing."""
    at = ["--root", str(root)]
    run = [*at, "run", *entries, "--dataset", dataset, "--results", results]
    return {
        "from nothing": timed(run),
        "again": timed(run),
        "bench board": timed([*at, "board", "--write", "--dataset", dataset, "--results", results]),
        "bench list": timed([*at, "list", "entries"]),
    }


def medians(runs: list[dict[str, tuple[float, float]]]) -> dict[str, tuple[float, float]]:
    """Medians of seconds and of memory, command by command."""
    return {
        what: (statistics.median(run[what][0] for run in runs), statistics.median(run[what][1] for run in runs))
        for what in runs[0]
    }


def made_up_root(folder: Path, n_symbols: int, n_sessions: int) -> Path:
    """A registry with one made-up dataset of that size, and the classical entries."""
    panel = made_up_panel(n_symbols, n_sessions)
    n, m = panel.close.shape
    bars = pd.DataFrame({"date": np.repeat(panel.dates, m), "symbol": np.tile(panel.symbols, n)})
    for name in ("open", "high", "low", "close", "volume"):
        bars[name] = getattr(panel, name).ravel()
    day = [str(date) for date in panel.dates]
    windows = {"fit": [day[50], day[WARMUP - 300]], "select": [day[WARMUP - 299], day[WARMUP - 1]],
               "score": [day[WARMUP], day[-1]]}  # fmt: skip
    spec = {"title": "made up", "symbols": list(panel.symbols), "measure": "garman-klass", "warmup_from": day[0],
            "vix": {"from": day[0]}, "splits": {"official": windows}}  # fmt: skip
    data = folder / "datasets" / "made-up"
    data.mkdir(parents=True)
    (data / "dataset.yaml").write_text(yaml.safe_dump(spec))
    bars.to_parquet(data / "bars.parquet")
    pd.DataFrame({"date": panel.dates, "close": panel.vix}).to_parquet(data / "vix.parquet")
    shutil.copyfile(ROOT / "bench.yaml", folder / "bench.yaml")
    for family in ("baselines", "garch", "har"):
        shutil.copytree(ROOT / "submissions" / family, folder / "submissions" / family)
    return folder


def growth(repeats: int) -> None:
    """Print how the commands grow with symbols, sessions and entries."""
    rows = []
    for n_symbols, n_sessions, n_entries in ((5, 753, 11), (21, 753, 11), (63, 753, 11), (21, 250, 11), (21, 1500, 11),
                                             (21, 753, 4), (21, 753, 8)):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            root = made_up_root(Path(folder), n_symbols, n_sessions)
            runs = [
                commands(CLASSICAL[:n_entries], "made-up", str(root / f"results-{i}"), root) for i in range(repeats)
            ]
        found = medians(runs)
        rows.append([n_symbols, n_sessions, n_entries, *(seconds for seconds, _ in found.values()),
                     max(mb for _, mb in found.values())])  # fmt: skip
    headers = ["symbols", "sessions", "entries", *(f"{what}, s" for what in found), "peak MB"]
    print(tabulate(rows, headers=headers, floatfmt=("", "", "", ".2f", ".2f", ".2f", ".2f", ".0f"), tablefmt="github"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="us21")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    runs = []
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(commands(CLASSICAL, options.dataset, folder, ROOT))
    rows = [[what, seconds, mb] for what, (seconds, mb) in medians(runs).items()]
    headers = [
        f"{options.dataset} official, {len(CLASSICAL)} entries, {psutil.cpu_count()} cores",
        "seconds",
        "peak MB",
    ]
    print(tabulate(rows, headers=headers, floatfmt=("", ".2f", ".0f"), tablefmt="github"))
    if options.growth:
        print()
        growth(options.repeats)


if __name__ == "__main__":
    main()

"""Wall time and memory of the classical entries on a dataset: from nothing, with nothing to do, and `bench list`.

usage: python benchmarks/classical.py [--dataset us21] [--repeats 3]

Every command is a process of its own, as a user would start it; medians. Memory is the largest resident size of any
one process of the run (the command itself or a worker).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="us21")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    measured: dict[str, list[tuple[float, float]]] = {}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            run = ["run", *CLASSICAL, "--dataset", options.dataset, "--results", folder]
            measured.setdefault("all classical entries, all tasks, from nothing", []).append(timed(run))
            measured.setdefault("again, nothing to do", []).append(timed(run))
            board = ["board", "--dataset", options.dataset, "--results", folder]
            measured.setdefault("bench board", []).append(timed(board))
        measured.setdefault("bench list", []).append(timed(["list", "entries"]))
    rows = [
        [what, statistics.median(s for s, _ in runs), statistics.median(mb for _, mb in runs)]
        for what, runs in measured.items()
    ]
    print(tabulate(rows, headers=[f"{options.dataset} official, {psutil.cpu_count()} cores", "seconds", "peak MB"],
                   floatfmt=("", ".2f", ".0f"), tablefmt="github"))  # fmt: skip


if __name__ == "__main__":
    main()

"""What one walk can still tell another by time: bits a second side by side, bits in all for one that comes after.

usage: python benchmarks/channels.py [--seconds 8] [--files 400]

Two scripts run in the sandbox of this machine's level, as two workers would, and share nothing but read-only files.
`load`: one keeps a core busy or not, the other times its own loop: what walks of *different* families have, since
those of one family keep pace. `pages`: one reads some of many files and ends, another one times one read of each: what
a walk finds of an earlier one, where its memory is put out before (as a run does) and where it is not. Each is told as
mutual information of what was said and what was heard, by the best threshold, less that of shuffled bits, which is
what chance gives.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from bench.plugin.shut import BUBBLEWRAP
from bench.run import sandbox
from bench.run.cold import forget
from bench.run.environments import packages_of
from bench.run.stage import staged

HEAD = """
import json, os, sys, time
sys.path[:0] = [sys.argv[2]]
sys.path += json.loads(sys.argv[3])
from bench.plugin.shut import Shut
Shut(**json.loads(sys.argv[1])).take_hold()
place, told = sys.argv[4], json.loads(sys.argv[5])
"""
BUSY = """
begin, slot = told["begin"], told["slot"]
for i, bit in enumerate(told["bits"]):
    while time.time() < begin + (i + 1) * slot:
        if not bit:
            time.sleep(max(0.0, begin + (i + 1) * slot - time.time()))
"""
COUNT = """
begin, slot, heard = told["begin"], told["slot"], []
time.sleep(max(0.0, begin - time.time()))
for i in range(told["n"]):
    count = 0
    while time.time() < begin + (i + 1) * slot:
        count += 1
    heard.append(count)
print(json.dumps(heard))
"""
READ = """
for bit, wanted in enumerate(told["bits"]):
    if wanted:
        with open(f"{place}/{bit}", "rb") as file:
            file.read()
"""
TIME = """
heard = []
for bit in range(told["n"]):
    started = time.perf_counter()
    file = os.open(f"{place}/{bit}", os.O_RDONLY)
    os.read(file, 1)
    heard.append(time.perf_counter() - started)
print(json.dumps(heard))
"""


def start(script: str, stage: Path, place: str, told: dict[str, object]) -> subprocess.Popen[str]:
    """A script in the sandbox of this machine's level."""
    level, packages = sandbox.level("auto"), list(packages_of({}))
    how = sandbox.shut_in(level, stage, packages)
    how = replace(how, readable=[*how.readable, place])
    command = [sandbox.interpreter(), "-P", "-s", "-S", "-B", "-c", HEAD + script, json.dumps(asdict(how)),
               str(stage / "lib"), json.dumps(packages), place, json.dumps(told)]  # fmt: skip
    if level == BUBBLEWRAP:
        command = sandbox.inside(command, stage, [*packages, place])
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"PATH": os.defpath}, cwd=stage / "work")


def heard_by(process: subprocess.Popen[str]) -> NDArray[np.float64]:
    """The numbers that a script says."""
    return np.array(json.loads(process.communicate()[0]), dtype=float)


def information(said: NDArray[np.int64], heard: NDArray[np.float64]) -> float:
    """Bits for each bit said: mutual information with the best threshold, less its mean over shuffled bits."""
    rng = np.random.default_rng(0)
    chance = np.mean([_best(rng.permutation(said), heard) for _ in range(50)])
    return max(0.0, _best(said, heard) - float(chance))


def _best(said: NDArray[np.int64], heard: NDArray[np.float64]) -> float:
    cuts = np.unique(np.quantile(heard, np.linspace(0.05, 0.95, 37)))
    return max(_mutual(said, (heard > cut).astype(int)) for cut in cuts)


def _mutual(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    joint = np.array([[np.mean((a == i) & (b == j)) for j in (0, 1)] for i in (0, 1)])
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    there = joint > 0
    return float(np.sum(joint[there] * np.log2(joint[there] / apart[there])))


def load(seconds: float, slot: float) -> tuple[float, float]:
    """Bits for each bit said, and bits a second, of walks that run side by side and are not in step."""
    said = np.random.default_rng().integers(0, 2, int(seconds / slot))
    with staged({}) as one, staged({}) as other:
        times = {"begin": time.time() + 3, "slot": slot}
        place = str(one / "lib")
        sender = start(BUSY, one, place, {**times, "bits": said.tolist()})
        heard = heard_by(start(COUNT, other, place, {**times, "n": len(said)}))
        sender.communicate()
    each = information(said, heard)
    return each, each / slot


def pages(n: int, *, put_out: bool) -> tuple[float, float]:
    """Bits for each bit said, and bits in all, that a walk finds of one that has ended."""
    said = np.random.default_rng().integers(0, 2, n)
    with tempfile.TemporaryDirectory(prefix="volmark-shared-") as place, staged({}) as one, staged({}) as other:
        for bit in range(n):
            path = Path(place) / str(bit)
            path.write_bytes(os.urandom(1 << 14))
            with path.open("rb") as file:
                os.fsync(file.fileno())
        forget([place])
        start(READ, one, place, {"bits": said.tolist()}).communicate()
        if put_out:
            forget([place])
        heard = heard_by(start(TIME, other, place, {"n": n}))
    each = information(said, heard)
    return each, each * n


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--files", type=int, default=400)
    options = parser.parse_args()
    rows = []
    for slot in (0.01, 0.1):
        each, rate = load(options.seconds, slot)
        rows.append([f"load, {slot:g} s a bit, families that are not in step", each, f"{rate:.1f} bits a second"])
    for put_out in (False, True):
        each, total = pages(options.files, put_out=put_out)
        name = "put out of memory between" if put_out else "left as they are (the control)"
        rows.append([f"pages, {name}", each, f"{total:.0f} bits of {options.files} files"])
    print(f"level: {sandbox.level('auto')}")
    print(tabulate(rows, headers=["channel", "bits for each bit", "in all"], floatfmt=".3f", tablefmt="github"))


if __name__ == "__main__":
    main()

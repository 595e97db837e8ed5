"""What a trained network costs: ours, two processes of one thread each, against a plain PyTorch loop per stock.

usage: python benchmarks/networks.py [--repeats 3] [--symbols 6] [--cells lstm gru]

The loop is what one would write by hand: one `torch.nn` network per stock, batches of 64, Adam with rate 0.001, as
many threads as PyTorch takes. Ours is the entry of `submissions/networks` as its row has it, one process per core as
`bench run` has it. Both see the same windows, targets and rows of us21 `development`, select on the same QLIKE and
stop with the same patience. A repeat runs one after the other; the table has medians. Needs the bars of us21.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from bench.plugin.history import PANEL_FIELDS, History, Tape
from bench.plugin.tasks import ONE_STEP, rows_inside, target
from bench.registry.config import Registry
from bench.registry.entries import discover
from bench.registry.windows import origins_of, positions
from bench.run.bars import open_campaign

ROOT = Path(__file__).resolve().parents[1]
FAMILY = ROOT / "submissions" / "networks"
sys.path.append(str(FAMILY))

import model  # noqa: E402 - a family's modules import each other by name, from its folder
from features import Windows, complete  # noqa: E402

PROCESSES = 2
PATIENCE, MAX_EPOCHS = 10, 100


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--symbols", type=int, default=6)
    parser.add_argument("--cells", nargs="+", default=["lstm", "gru"], choices=["lstm", "gru"])
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "CELL", "SEED"), help="one process's part, as JSON")
    options = parser.parse_args()
    if options.one:
        side, cell, seed = options.one
        history = development(options.symbols)
        print(json.dumps((ours if side == "ours" else by_hand)(history, cell, int(seed))))
        return
    rows = []
    for cell in options.cells:
        runs: dict[str, list[dict[str, float]]] = {"by hand": [], "ours": []}
        for repeat in range(options.repeats):
            runs["by hand"].append(together("by hand", cell, [repeat], options.symbols, None))
            seeds = [PROCESSES * repeat + k for k in range(PROCESSES)]
            runs["ours"].append(together("ours", cell, seeds, options.symbols, 1))
        medians = {
            side: {key: float(np.median([run[key] for run in done])) for key in done[0]} for side, done in runs.items()
        }
        base = medians["by hand"]["seconds"]
        rows += [
            [cell, side, m["seconds"], m["seconds"] / base, m["epochs"], m["seconds"] / m["epochs"], m["select"]]
            for side, m in medians.items()
        ]
    headers = ["cell", "side", "s per network", "ratio", "epochs per network", "s per epoch", "select QLIKE"]
    formats = ("", "", ".2f", ".2f", ".1f", ".3f", ".4f")
    print(tabulate(rows, headers, tablefmt="github", floatfmt=formats))


def together(side: str, cell: str, seeds: list[int], n_symbols: int, threads: int | None) -> dict[str, float]:
    """Run one process per seed at once; returns wall seconds per network trained, and means over all of them."""
    arguments = [sys.executable, __file__, "--symbols", str(n_symbols), "--one", side, cell]
    env = os.environ if threads is None else {**os.environ, "OMP_NUM_THREADS": str(threads)}
    crew = [subprocess.Popen([*arguments, str(seed)], env=env, stdout=subprocess.PIPE, text=True) for seed in seeds]
    parts: list[dict[str, Any]] = [json.loads(process.communicate()[0]) for process in crew]
    wall = max(part["stopped"] for part in parts) - min(part["started"] for part in parts)
    return {
        "seconds": wall / (n_symbols * len(parts)),
        "epochs": float(np.mean([part["epochs"] for part in parts])),
        "select": float(np.mean([part["select"] for part in parts])),
    }


def development(n_symbols: int) -> History:
    """The first symbols of us21 as an entry sees them at the first origin of `development`."""
    campaign = open_campaign(Registry(ROOT), "us21", "development", Path("unused"))
    panel, split, columns = campaign.panel, campaign.scope.windows, slice(n_symbols)
    n = origins_of(panel.dates, split, ONE_STEP).first + 1
    fit, select = (rows_inside(ONE_STEP, *positions(panel.dates, window)) for window in (split.fit, split.select))
    tape = Tape(
        list(panel.symbols[columns]), list(PANEL_FIELDS), has_vix=True, ahead=1, fit=fit, select=select,
        fit_start=panel.position(split.fit.first),
    )  # fmt: skip
    values = np.stack([getattr(panel, name)[:n, columns].T for name in PANEL_FIELDS])
    tape.extend(panel.dates[:n], panel.vix[:n], values, target(panel.variance[:, columns], ONE_STEP)[: n - 1].T)
    return tape.history()


def ours(history: History, cell: str, seed: int) -> dict[str, Any]:
    """Train the entry of this cell."""
    row = discover(ROOT / "submissions").entries[cell].row
    entry = getattr(model, row.target.partition(":")[2])(ONE_STEP, seed=seed, **row.parameters)
    curves: list[list[float]] = []

    def report(kind: str, facts: dict[str, Any], array: object) -> None:
        if kind == "record" and "select_loss" in facts:
            curves.append(facts["select_loss"])

    entry._report = report
    started = time.time()
    entry.fit(history)
    return told(started, curves)


def by_hand(history: History, cell: str, seed: int) -> dict[str, Any]:
    """Train one plain network after the other."""
    helper = model.PerSymbol(ONE_STEP, device="cpu")
    helper.features = model.Features.of("course", history)
    scaled = helper.features.all_rows(history)
    windows = Windows.of(scaled, helper.window, helper.device)
    usable = complete(scaled, helper.window) & np.isfinite(history.realized).all(axis=1)
    parts = [np.flatnonzero(rows & usable) for rows in (history.fit_rows, history.select_rows)]
    targets = torch.from_numpy(helper.targets(history, parts[0])[..., 0]).float()
    torch.manual_seed(seed)
    curves, started = [], time.time()
    for j in range(len(history.symbols)):
        rows = [torch.from_numpy(part)[None] for part in parts]
        x = [windows.cut(torch.full_like(each, j), each).squeeze(1).permute(2, 0, 1).contiguous() for each in rows]
        y = [targets[each[0], j] for each in rows]
        curves.append(plain_loop(cell, x, y))
    return told(started, curves)


class Plain(torch.nn.Module):
    """Two layers of 64 and a head on the last step."""

    def __init__(self, cell: str, n_inputs: int, level: float) -> None:
        super().__init__()
        kind = torch.nn.LSTM if cell == "lstm" else torch.nn.GRU
        self.rnn = kind(n_inputs, 64, 2, dropout=0.2, batch_first=True)
        self.head = torch.nn.Linear(64, 1)
        torch.nn.init.constant_(self.head.bias, level)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ln variance `(n,)` of windows `(n, steps, n_inputs)`."""
        return self.head(self.rnn(x)[0][:, -1]).squeeze(-1)


def plain_loop(cell: str, x: list[torch.Tensor], y: list[torch.Tensor]) -> list[float]:
    """Train on the first of `x` and `y`, stop early on the second; returns the select loss of every epoch."""
    net = Plain(cell, x[0].shape[-1], float(y[0].mean().log()))
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    curve: list[float] = []
    for _ in range(MAX_EPOCHS):
        net.train()
        for batch in torch.randperm(len(x[0])).split(64):
            optimizer.zero_grad()
            qlike(net(x[0][batch]), y[0][batch]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            curve.append(qlike(net(x[1]), y[1]).item())
        if len(curve) - 1 - int(np.argmin(curve)) >= PATIENCE:
            break
    return curve


def qlike(log_var: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean of `y/f - ln(y/f) - 1`."""
    return (y * torch.exp(-log_var) - torch.log(y) + log_var - 1).mean()


def told(started: float, curves: list[list[float]]) -> dict[str, Any]:
    """What one process says of its training."""
    return {
        "started": started,
        "stopped": time.time(),
        "epochs": float(np.mean([len(curve) for curve in curves])),
        "select": float(np.mean([min(curve) for curve in curves])),
    }


if __name__ == "__main__":
    main()

"""A throw-away benchmark: a small dataset, entries from strings, the command line in-process."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a process of tests for each core

import numpy as np
import pandas as pd
import pytest
import yaml

from bench import store
from bench.board import writing
from bench.board.render.figures import draw
from bench.cli import main
from bench.plugin.tasks import Rows
from bench.run import cold, execute
from bench.store import Forecasts, Place, Run

ROOT = Path(__file__).resolve().parents[1]

SYMBOLS = ("AAA", "BBB", "CCC")
DATASET = {
    "title": "Three made-up symbols",
    "symbols": list(SYMBOLS),
    "market": "AAA",
    "measure": "garman-klass",
    "warmup_from": "2010-01-01",
    "source": {"kind": "snapshot"},
    "vix": {"from": "2010-01-01"},
    "splits": {
        "official": {
            "fit": ["2010-02-01", "2010-10-29"],
            "select": ["2010-11-01", "2010-12-31"],
            "score": ["2011-01-03", "2011-03-31"],
        },
        "development": {
            "fit": ["2010-02-01", "2010-08-31"],
            "select": ["2010-09-01", "2010-10-29"],
            "score": ["2010-11-01", "2010-12-31"],
        },
        "forward": {
            "fit": ["2010-02-01", "2010-10-29"],
            "select": ["2010-11-01", "2011-03-31"],
            "score": ["2011-04-01", None],
        },
    },
}
SETTINGS: dict[str, Any] = {
    "protocol": "1.0",
    "dataset": "tiny",
    "headline": "next-day",
    "tasks": {
        "next-day": {"ahead": 1},
        "week-ahead": {"ahead": 5},
        "rolling-21d": {"ahead": 1, "behind": 20, "derived_from": "next-day"},
    },
    "references": ["flat", "mean"],
    "baseline": "mean",
    "limits": {
        "run_seconds": 60,
        "start_seconds": 20,
        "fit_seconds": 3,
        "forecast_seconds": 2,
        "memory_mb": 400,
        "output_mb": 1,
    },
}


def made_up_bars(n_sessions: int = 320, symbols: tuple[str, ...] = SYMBOLS, seed: int = 1) -> pd.DataFrame:
    """Sound bars in long form from 2010-01-04 on."""
    rng = np.random.default_rng(seed)
    dates = np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward").astype("datetime64[s]")
    frames = []
    for symbol in symbols:
        vol = 0.01 * np.exp(0.4 * np.sin(np.arange(n_sessions) / 17) + 0.2 * rng.standard_normal(n_sessions))
        steps = vol[:, None] * rng.standard_normal((n_sessions, 26)) / np.sqrt(26)
        path = 4 + np.cumsum(steps.sum(axis=1))[:, None] - steps.sum(axis=1)[:, None] + np.cumsum(steps, axis=1)
        open_ = np.exp(path[:, 0] - steps[:, 0])
        bars = {
            "open": open_,
            "high": np.maximum(open_, np.exp(path.max(axis=1))),
            "low": np.minimum(open_, np.exp(path.min(axis=1))),
            "close": np.exp(path[:, -1]),
            "volume": np.round(1e6 * np.exp(0.3 * rng.standard_normal(n_sessions))),
        }
        frames.append(pd.DataFrame({"date": dates, "symbol": symbol, **bars}))
    return pd.concat(frames, ignore_index=True)


def made_up_vix(n_sessions: int = 320) -> pd.DataFrame:
    """A VIX that crosses 20 a few times."""
    dates = np.busday_offset("2010-01-04", np.arange(n_sessions), roll="forward").astype("datetime64[s]")
    return pd.DataFrame({"date": dates, "close": np.round(19 + 6 * np.sin(np.arange(n_sessions) / 9), 2)})


@dataclass
class Outcome:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Sandbox:
    """A benchmark in a temporary folder; `sandbox("run", ...)` is the command line."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._capsys, self._monkeypatch = root, capsys, monkeypatch
        self.settings = json.loads(json.dumps(SETTINGS))
        self.write_settings()
        self.add_dataset("tiny", DATASET, made_up_bars(), made_up_vix())

    def write_settings(self) -> None:
        (self.root / "bench.yaml").write_text(yaml.safe_dump(self.settings))

    def add_dataset(self, name: str, spec: dict[str, Any], bars: pd.DataFrame, vix: pd.DataFrame | None) -> Path:
        folder = self.root / "datasets" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "dataset.yaml").write_text(yaml.safe_dump(spec))
        bars.to_csv(folder / "bars.csv", index=False)
        if vix is not None:
            vix.to_csv(folder / "vix.csv", index=False)
        return folder

    def add_entry(self, name: str, code: str, folder: str | None = None, **row: Any) -> Path:
        """A family of one row; `code` defines `class Model` after the usual imports."""
        family = self.root / "submissions" / (folder or name)
        family.mkdir(parents=True, exist_ok=True)
        head = "import numpy as np\nfrom bench.plugin import *\n"
        (family / "model.py").write_text(head + textwrap.dedent(code))
        spec = {
            "authors": [{"name": "A. Nobody"}],
            "licence": "MIT",
            "description": "made up",
            "training_data": "none",
            "entries": [
                {"name": name, "version": 1, "class": "Model", "description": "made up", "reads": ["bars"],
                 "tasks": ["next-day"], **row}
            ],
        }  # fmt: skip
        (family / "submission.yaml").write_text(yaml.safe_dump(spec))
        return family

    def add_rows(self, folder: str, rows: list[dict[str, Any]]) -> None:
        """Further rows of a family: its first row with these keys changed."""
        path = self.root / "submissions" / folder / "submission.yaml"
        spec = yaml.safe_load(path.read_text())
        spec["entries"] += [{**spec["entries"][0], **row} for row in rows]
        path.write_text(yaml.safe_dump(spec))

    def add_study(self, name: str, base: str, refit: int, changed: dict[str, Any] | None = None) -> str:
        """A study with one variant, another schedule of fits; returns the variant's name."""
        spec = {
            "question": "made up?",
            "base": base,
            "grid": {"refit": [refit]},
            "datasets": ["tiny"],
            "split": "official",
        }
        path = self.root / "studies" / name / "study.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({**spec, **(changed or {})}))
        return f"refit={refit}"

    def __call__(self, *arguments: str) -> Outcome:
        self._monkeypatch.setattr(sys, "argv", ["bench", "--root", str(self.root), *map(str, arguments)])
        self._capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        said = self._capsys.readouterr()
        return Outcome(int(code), said.out, said.err)

    def run_json(self, entry: str, task: str = "next-day", split: str = "official") -> dict[str, Any]:
        path = self.root / "results" / "tiny" / split / task / entry / "run.json"
        return json.loads(path.read_bytes())


FLAT = """
class Model(PathForecaster):
    def forecast(self, history):
        return np.tile(history.variance[-1], (self.steps, 1))
"""
MEAN = """
class Model(PathForecaster):
    def forecast(self, history):
        return np.tile(history.realized[history.known_rows].mean(axis=0), (self.steps, 1))
"""


@pytest.fixture
def plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards with empty figures, since drawing takes most of the time of a run; `drawn_figures` undoes it."""
    monkeypatch.setattr(writing, "draw", lambda board, gathered: dict.fromkeys(board.figures, b"<svg/>\n"))


@pytest.fixture
def drawn_figures(plain_figures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards with their figures: for tests of what is drawn."""
    monkeypatch.setattr(writing, "draw", draw)


@pytest.fixture
def kept_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that leave the page cache alone: looking up every file takes a second; `cleared_pages` undoes it."""
    monkeypatch.setattr(execute, "forget", lambda places: 0)


@pytest.fixture
def cleared_pages(kept_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that put out of memory what walks left in it: for tests of what they could tell each other."""
    monkeypatch.setattr(execute, "forget", cold.forget)


@pytest.fixture
def sandbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, plain_figures: None,
    kept_pages: None,
) -> Sandbox:  # fmt: skip
    """A benchmark with the references `flat` and `mean`."""
    monkeypatch.delenv("BENCH_DATA", raising=False)
    root = tmp_path / "box"
    root.mkdir()
    box = Sandbox(root, capsys, monkeypatch)
    box.add_entry("flat", FLAT, tasks="path")
    box.add_entry("mean", MEAN, tasks="path")
    return box


def made_once(sandbox: Sandbox, kept: Path, make: Callable[[], object]) -> None:
    """What `make` does to a benchmark; done once by a process of tests and copied to `kept`, then copied from there."""
    if kept.exists():
        shutil.copytree(kept, sandbox.root, dirs_exist_ok=True)
    else:
        make()
        shutil.copytree(sandbox.root, kept)


@pytest.fixture
def ran(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """`sandbox` after `bench run`."""

    def run() -> None:
        assert sandbox("run").code == 0

    made_once(sandbox, tmp_path_factory.getbasetemp() / "ran", run)
    return sandbox


def keep_seeds(place: Place, run: Run, seeds: dict[int, Forecasts]) -> None:
    """Store a result with these seeds, as a run that made them would."""
    result = store.Pending(place, run, len(seeds))
    for seed, forecasts in seeds.items():
        outcome = store.Outcome(Rows(0, -1), forecasts.forecast_var, None, run.measured.versions, run.measured.hardware)
        store.save(result, seed, outcome, forecasts)

"""A run from plan to store: resume, damage, seeds, skipped entries, disks, two runs at once."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import DATASET, keep_seeds, made_up_bars, made_up_vix

from bench import store
from bench.files import as_json
from bench.store import Forecasts, Place

SLOW = """
import time
class Model(PathForecaster):
    def forecast(self, history):
        time.sleep(0.004)
        return np.tile(history.variance[-5:].mean(axis=0), (self.steps, 1))
"""
SEEDED = """
class Model(Forecaster):
    def forecast(self, history):
        if self.seed in self.broken:
            raise ValueError("bad seed")
        return history.variance[-1] * np.exp(self.generator("noise", str(len(history))).normal(size=3))
    def __init__(self, task, seed=0, broken=()):
        super().__init__(task, seed)
        self.broken = broken
"""


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of every stored file that does not hold measured seconds."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.parquet")) if path.is_file()
    }


PROGRAM = """
import os, signal, sys, bench.api, bench.cli.running, bench.run.bars
from bench.board import writing
writing.draw = lambda board, gathered: dict.fromkeys(board.figures, b"<svg/>")
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what is started in the background
print("ready", flush=True)
for _ in sys.stdin:
    run = os.fork()
    if not run:
        signal.alarm(60)
        sys.stdout = open(os.devnull, "w")
        sys.exit(bench.cli.main())
    print(run, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(run, 0)[1]), flush=True)
"""


@contextmanager
def runner(sandbox, *arguments: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process that has loaded all; for each line that it is sent it runs the command in a fork, whose number it says,
    and then how that ended. Figures are empty.
    """
    code = [sys.executable, "-c", PROGRAM, "--root", str(sandbox.root), *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(code, **pipes, text=True, **options) as process:
        assert process.stdout.readline() == "ready\n"
        yield process


def begin(process: subprocess.Popen[str]) -> int:
    """Let it run the command; returns the number of the process that does."""
    process.stdin.write("\n")
    process.stdin.flush()
    return int(process.stdout.readline())


def exit_code(process: subprocess.Popen[str]) -> int:
    """How the run ended that was begun last, when it has."""
    return int(process.stdout.readline())


def test_a_run_stores_forecasts_records_and_a_board(sandbox, drawn_figures):
    outcome = sandbox("run", "--json")
    assert outcome.code == 0
    assert outcome.json["failed"] == {}
    table = pd.read_parquet(sandbox.root / "results/tiny/official/next-day/flat/forecasts.parquet")
    assert list(table.columns) == ["origin", "date", "symbol", "forecast_var"]
    keys = table[["origin", "symbol"]].astype(str).apply(tuple, axis=1).tolist()
    assert keys == sorted(keys)
    record = sandbox.run_json("flat")
    assert record["state"] == "done"
    assert record["measured"]["seeds"]["0"]["fits"] == 1
    assert record["measured"]["hardware"]["cores"] >= 1
    realized = pd.read_parquet(sandbox.root / "results/tiny/realized.parquet")
    assert list(realized.columns) == ["date", "symbol", "measure_var", "regime_month", "regime_origin"]
    assert len(realized) == 320 * 3
    assert (sandbox.root / "results/tiny/LEADERBOARD.md").read_text().startswith("# tiny: official leaderboard")


def test_a_path_answers_every_horizon_with_its_mean(sandbox):
    sandbox.add_entry(
        "ramp",
        """
class Model(PathForecaster):
    def forecast(self, history):
        return np.outer(np.arange(1, self.steps + 1), history.variance[-1])
""",
        tasks="path",
    )
    sandbox("run", "ramp")
    results = sandbox.root / "results"
    next_day = store.read(Place(results, "tiny", "official", "next-day", "ramp")).forecasts
    week = store.read(Place(results, "tiny", "official", "week-ahead", "ramp")).forecasts
    n = len(week.origins)
    assert n == len(next_day.origins) - 4
    np.testing.assert_allclose(week.forecast_var, 3 * next_day.forecast_var[:n], rtol=1e-14)
    assert (next_day.dates > next_day.origins).all()


def test_what_fit_and_forecast_are_handed(sandbox):
    """History starts at the warm-up, fits come on schedule, and only what is declared is handed out."""
    sandbox.add_entry(
        "watcher",
        """
class Model(Forecaster):
    def __init__(self, task, seed=0):
        super().__init__(task, seed)
        self.fits = []
    def fit(self, history):
        self.fits.append(str(history.dates[-1]))
        self.record(fit_on=self.fits[-1], known=int(history.known_rows.sum()), fit_rows=int(history.fit_rows.sum()),
                    select_rows=int(history.select_rows.sum()), n=len(history),
                    nan_return=bool(np.isnan(history.returns[0]).all()),
                    unknown=int(np.isnan(history.realized[:, 0]).sum()))
    def forecast(self, history):
        return history.vix[-1] * 1e-6 * np.ones(3) + 0 * history.close[-1]
""",
        tasks=["week-ahead"],
        refit=20,
        reads=["closes", "vix"],
    )
    assert sandbox("run", "watcher").code == 0
    records = sandbox.run_json("watcher", "week-ahead")["measured"]["seeds"]["0"]["records"]
    dates = np.busday_offset("2010-01-04", np.arange(320), roll="forward")
    first = int(np.searchsorted(dates, np.datetime64("2011-01-03"))) - 1
    start = int(np.searchsorted(dates, np.datetime64("2010-02-01")))
    select = int(np.searchsorted(dates, np.datetime64("2010-11-01")))
    assert [record["fit_on"] for record in records] == [str(dates[first + k]) for k in (0, 20, 40)]
    for k, record in zip((0, 20, 40), records, strict=True):
        assert record["n"] == first + k + 1
        assert record["known"] == first + k - 5 - (start - 1) + 1
        assert record["fit_rows"] == (select - 1) - 5 - (start - 1) + 1
        assert record["select_rows"] == first - 5 - (select - 1) + 1
        assert record["unknown"] == 5
        assert record["nan_return"]


def test_the_same_identity_gives_the_same_bytes(sandbox):
    sandbox.add_entry("seeded", SEEDED, seeds=3, parameters={"broken": []})
    sandbox("run", "--results", str(sandbox.root / "one"), "--jobs", "1")
    sandbox("run", "--results", str(sandbox.root / "two"), "--jobs", "4")
    one, two = contents(sandbox.root / "one"), contents(sandbox.root / "two")
    assert one == two
    assert len(one) == 7


def test_nothing_to_do_changes_nothing(sandbox, drawn_figures):
    sandbox("run")
    files = [path for path in (sandbox.root / "results").rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    outcome = sandbox("run")
    assert "0 run, 0 failed, 4 results were there" in outcome.err
    del before[sandbox.root / "results/tiny/.lock"]
    assert all((path.read_bytes(), path.stat().st_mtime_ns) == kept for path, kept in before.items())


def test_symbols_may_be_spread_over_workers(sandbox):
    sandbox.add_entry(
        "single",
        """
class Model(PerSymbol, PathForecaster):
    def fit_symbol(self, series):
        self.level = series.variance[series.fit_start:].mean()
        self.record(symbol_seen=series.symbol)
    def forecast_symbol(self, series):
        return self.level * np.exp(np.log(series.variance[-22:]).mean() * np.ones(self.steps)) ** 0.1
""",
        tasks="path",
        refit=10,
    )
    sandbox("run", "single", "--jobs", "1", "--results", str(sandbox.root / "one"))
    sandbox("run", "single", "--jobs", "3", "--results", str(sandbox.root / "three"))
    assert contents(sandbox.root / "one") == contents(sandbox.root / "three")
    for name in ("one", "three"):
        path = sandbox.root / name / "tiny/official/next-day/single/run.json"
        records = json.loads(path.read_bytes())["measured"]["seeds"]["0"]["records"]
        assert sorted({record["symbol_seen"] for record in records}) == ["AAA", "BBB", "CCC"]


# Seeds ----------------------------------------------------------------------------------------------


def test_forecasts_are_the_mean_variance_over_seeds(sandbox):
    sandbox.add_entry("seeded", SEEDED, seeds=3, parameters={"broken": []})
    assert sandbox("run", "seeded").code == 0
    folder = sandbox.root / "results/tiny/official/next-day/seeded"
    seeds = pd.read_parquet(folder / "seeds.parquet")
    assert list(seeds.columns) == ["origin", "date", "symbol", "seed", "forecast_var"]
    mean = seeds.groupby(["origin", "symbol"], observed=True)["forecast_var"].mean().to_numpy()
    np.testing.assert_allclose(pd.read_parquet(folder / "forecasts.parquet")["forecast_var"], mean, rtol=1e-12)
    assert seeds["seed"].nunique() == 3


def test_a_seed_that_fails_costs_that_seed_alone(sandbox):
    sandbox.add_entry("seeded", SEEDED, seeds=3, parameters={"broken": [1]})
    assert sandbox("run", "seeded", "--jobs", "1").code == 1
    record = sandbox.run_json("seeded")
    assert record["state"] == "failed"
    assert record["reason"] == "seed 1: ValueError: bad seed (model.py:7 in forecast, forecast on 2010-12-31)"
    assert sorted(record["seed_digests"]) == ["0", "2"]
    assert sandbox("run", "seeded", "--plan", "--json").json["run"] == ["seeded next-day seed 1"]


def test_a_kill_between_seeds_and_record_costs_one_seed(sandbox):
    sandbox.add_entry("seeded", SEEDED, seeds=3, parameters={"broken": [2]})
    sandbox("run", "seeded", "--jobs", "1")
    folder = sandbox.root / "results/tiny/official/next-day/seeded"
    record = json.loads((folder / "run.json").read_bytes())
    del record["seed_digests"]["1"]  # as if killed after seeds.parquet had seed 1 and before the record
    (folder / "run.json").write_text(json.dumps(record))
    plan = sandbox("run", "seeded", "--plan", "--json").json
    assert plan["damaged"] == []
    assert plan["run"] == ["seeded next-day seed 1", "seeded next-day seed 2"]


def test_artifacts_are_kept_by_seed_and_leave_with_their_identity(sandbox):
    code = """
class Model(Forecaster):
    def forecast(self, history):
        self.artifact("file", np.full(3, self.seed))
        self.artifact("curves/loss", [1.0, 2.0])
        return history.variance[-1]
"""
    sandbox.add_entry("drawer", code, seeds=2)
    assert sandbox("run", "drawer").code == 0
    folder = sandbox.root / "results/tiny/official/next-day/drawer"
    with np.load(folder / "artifacts-1.npz", allow_pickle=False) as kept:
        assert kept["file"].tolist() == [1.0, 1.0, 1.0]
        assert kept["curves/loss"].tolist() == [1.0, 2.0]
    sandbox.add_entry("drawer", code.split("self.artifact")[0] + "return history.variance[-1]\n", seeds=1)
    assert sandbox("run", "drawer").code == 0
    assert not list(folder.glob("artifacts-*.npz"))
    assert not (folder / "seeds.parquet").exists()


def test_a_done_result_is_not_lost_when_the_dataset_stops_handing_out(sandbox):
    sandbox.add_entry("reader", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]",
                      reads=["bars", "vix"])  # fmt: skip
    sandbox("run", "reader")
    before = contents(sandbox.root / "results")
    sandbox.add_dataset(
        "tiny", DATASET | {"vix": {"from": "2010-01-01", "entries": False}}, made_up_bars(), made_up_vix()
    )
    sandbox("run", "reader")
    assert contents(sandbox.root / "results") == before


# Resume and damage ----------------------------------------------------------------------------------


def test_kill_at_any_moment_then_go_on(sandbox):
    for name in ("slow-a", "slow-b", "slow-c"):
        sandbox.add_entry(name, SLOW, tasks="path")
    sandbox.add_entry("seeded", SEEDED, seeds=4, parameters={"broken": []})
    sandbox("run", "--results", str(sandbox.root / "whole"))
    rng = random.Random(3)
    kills = 0
    with runner(sandbox, "run", "--jobs", "2") as process:
        for _ in range(12):
            run = begin(process)
            time.sleep(0.6 * rng.random())
            with suppress(ProcessLookupError):  # it has ended
                os.kill(run, signal.SIGKILL)
            code = exit_code(process)
            kills += code == -signal.SIGKILL
            if code == 0:
                break
    assert kills > 0
    before = {str(path): path.stat().st_mtime_ns for path in (sandbox.root / "results").rglob("forecasts.parquet")}
    assert sandbox("run").code == 0
    assert contents(sandbox.root / "results") == contents(sandbox.root / "whole")
    assert all(Path(path).stat().st_mtime_ns == then for path, then in before.items()), "what was done is not redone"
    assert not list((sandbox.root / "results").rglob("*.tmp"))


def _damage_truncated(folder: Path) -> None:
    path = folder / "forecasts.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _damage_edited(folder: Path) -> None:
    path = folder / "forecasts.parquet"
    table = pd.read_parquet(path)
    table.loc[5, "forecast_var"] *= 1.0001
    table.to_parquet(path, index=False)


def _damage_missing_rows(folder: Path) -> None:
    path = folder / "forecasts.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)


def _damage_other_columns(folder: Path) -> None:
    path = folder / "forecasts.parquet"
    pd.read_parquet(path).rename(columns={"forecast_var": "variance"}).to_parquet(path, index=False)


def _damage_gone(folder: Path) -> None:
    (folder / "forecasts.parquet").unlink()


def _damage_record(folder: Path) -> None:
    path = folder / "run.json"
    path.write_bytes(path.read_bytes()[:200])


def _damage_state(folder: Path) -> None:
    path = folder / "run.json"
    path.write_text(path.read_text().replace('"done"', '"splendid"'))


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize(
    "damage",
    [
        _damage_truncated, _damage_edited, _damage_missing_rows, _damage_other_columns, _damage_gone, _damage_record,
        _damage_state,
    ],
)  # fmt: skip
def test_a_damaged_result_is_found_said_and_redone(sandbox, damage):
    folder = sandbox.root / "results/tiny/official/week-ahead/flat"
    whole = contents(sandbox.root / "results")
    damage(folder)
    board = sandbox("board", "--write")
    assert board.code == 0
    assert "week-ahead/flat" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    outcome = sandbox("run")
    assert outcome.code == 0
    assert "damaged, is run again: results/tiny/official/week-ahead/flat" in outcome.err
    assert contents(sandbox.root / "results") == whole


@pytest.mark.usefixtures("ran")
def test_changed_code_or_parameters_are_run_again(sandbox):
    sandbox.add_entry("flat", "# another\n" + (sandbox.root / "submissions/flat/model.py").read_text(), tasks="path")
    assert sandbox("run", "--plan", "--json").json["run"] == ["flat all horizons"]
    sandbox("run")
    sandbox.add_entry("mean", (sandbox.root / "submissions/mean/model.py").read_text(), tasks="path", refit=5)
    assert sandbox("run", "--plan", "--json").json["run"] == ["mean all horizons"]


@pytest.mark.usefixtures("ran")
def test_metadata_and_tests_are_not_code(sandbox):
    family = sandbox.root / "submissions/flat"
    (family / "README.md").write_text("about")
    (family / "test_model.py").write_text("def test(): pass")
    assert sandbox("run", "--plan", "--json").json["run"] == []


def test_two_runs_at_once_wait_for_each_other(sandbox):
    for name in ("slow-a", "slow-b", "slow-c"):
        sandbox.add_entry(name, SLOW, tasks="path")
    with runner(sandbox, "run") as one, runner(sandbox, "run") as other:
        for process in (one, other):
            begin(process)
        assert [exit_code(process) for process in (one, other)] == [0, 0]
        said = [process.communicate()[1] for process in (one, other)]
    assert sum("waiting: another run holds these results" in text for text in said) == 1
    assert sum("0 run, 0 failed, 10 results were there" in text for text in said) == 1


def test_interrupt_leaves_nothing_half_stored(sandbox):
    for name in ("slow-a", "slow-b"):
        sandbox.add_entry(name, SLOW.replace("0.004", "0.1"), tasks="path")
    started = sandbox.root / "results/tiny/.lock"
    with runner(sandbox, "run") as process:
        run = begin(process)
        deadline = time.monotonic() + 30
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1.0)
        os.kill(run, signal.SIGINT)
        assert exit_code(process) == 130
        said = process.communicate()[1]
    assert "stopped: what was finished is stored" in said
    assert "Traceback" not in said
    assert not list((sandbox.root / "results").rglob("*.tmp"))


# Disks ----------------------------------------------------------------------------------------------


def test_a_full_disk_keeps_what_was_stored(sandbox, monkeypatch):
    sandbox("run", "flat")
    before = contents(sandbox.root / "results")
    real = os.fsync

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    outcome = sandbox("run")
    assert outcome.code == 1
    assert "No space left on device; mend that and run again: what was stored before is kept" in outcome.err
    assert "Traceback" not in outcome.err
    monkeypatch.setattr(os, "fsync", real)
    assert contents(sandbox.root / "results") == before
    assert not list((sandbox.root / "results").rglob("*.tmp"))
    assert sandbox("run").code == 0


def test_a_results_folder_that_cannot_be_made_is_one_line(sandbox):
    (sandbox.root / "occupied").write_text("a file")
    outcome = sandbox("run", "--results", str(sandbox.root / "occupied"))
    assert outcome.code == 1
    assert outcome.err.startswith("error: cannot write in")
    assert "Traceback" not in outcome.err


# What a dataset lacks -------------------------------------------------------------------------------


def test_an_entry_that_reads_what_a_dataset_lacks_is_skipped(sandbox, drawn_figures):
    spec = {key: value for key, value in DATASET.items() if key != "vix"} | {"volume": False}
    sandbox.add_dataset("bare", spec, made_up_bars().drop(columns="volume"), None)
    sandbox.add_entry("reader", "class Model(Forecaster):\n    pass", reads=["bars", "vix"])
    sandbox.add_entry("counter", "class Model(Forecaster):\n    pass", reads=["volume"])
    outcome = sandbox("run", "--dataset", "bare", "--json")
    assert outcome.code == 0
    assert outcome.json["skipped"] == {
        "reader next-day": "reads the VIX, which bare does not hand to entries",
        "counter next-day": "reads volume, which bare does not have",
    }
    board = (sandbox.root / "results/bare/LEADERBOARD.md").read_text()
    assert "skipped" in board
    assert "by the VIX at the origin" not in board  # without a VIX every regime is unknown
    labels = pd.read_parquet(sandbox.root / "results/bare/realized.parquet")["regime_month"]
    assert set(labels) == {"unknown"}


def test_a_vix_for_regimes_only_is_not_handed_out(sandbox):
    spec = DATASET | {"vix": {"from": "2010-06-01", "entries": False}}
    sandbox.add_dataset("own", spec, made_up_bars(), made_up_vix())
    sandbox.add_entry("reader", "class Model(Forecaster):\n    pass", reads=["vix"])
    outcome = sandbox("run", "--dataset", "own")
    assert outcome.code == 0
    assert "by the VIX at the origin" in (sandbox.root / "results/own/LEADERBOARD.md").read_text()


def test_a_split_without_a_session_to_score_is_one_line(sandbox):
    outcome = sandbox("run", "--split", "forward")
    assert outcome.code == 2
    assert outcome.err.startswith("error: tiny: nothing to score on `forward`: its window is 2011-04-01")
    assert outcome.err.count("\n") == 1


@pytest.mark.usefixtures("ran")
def test_other_bars_than_the_pinned_ones_are_refused_with_a_comparison(sandbox):
    identity = sandbox.run_json("flat")["data_identity"]
    bars = made_up_bars()
    bars.loc[bars.index[310], ["high"]] *= 1.02
    sandbox.add_dataset("tiny", DATASET | {"identity": {"official": identity}}, bars, made_up_vix())
    outcome = sandbox("run")
    assert outcome.code == 2
    assert "these bars are not the ones that the board of `official` was made from" in outcome.err
    assert f"AAA on {bars.loc[310, 'date']:%Y-%m-%d}" in outcome.err
    assert "--results DIR" in outcome.err
    assert sandbox("run", "--results", str(sandbox.root / "own")).code == 0


@pytest.mark.usefixtures("ran")
def test_results_of_other_bars_are_not_mixed(sandbox):
    whole = contents(sandbox.root / "results")
    sandbox.add_dataset("tiny", DATASET, made_up_bars(seed=2), made_up_vix())
    outcome = sandbox("run", "flat")
    assert outcome.code == 2
    assert "comes from other bars" in outcome.err
    assert contents(sandbox.root / "results") == whole
    assert sandbox("run", "flat", "--results", str(sandbox.root / "other")).code == 0
    there, here = (sandbox.root / name / "tiny/official/next-day/flat" for name in ("other", "results"))
    for name in ("run.json", "forecasts.parquet"):
        (here / name).write_bytes((there / name).read_bytes())
    outcome = sandbox("board", "--write")
    assert outcome.code == 2
    assert "come from different bars" in outcome.err


def test_no_split_changes_the_measure_of_a_pinned_one(sandbox):
    """A split without a pin must not rewrite the published days with other bars."""
    bars, vix = made_up_bars(400), made_up_vix(400)
    sandbox.add_dataset("tiny", DATASET, bars, vix)
    sandbox("run")
    identity = sandbox.run_json("flat")["data_identity"]
    published = (sandbox.root / "results/tiny/realized.parquet").read_bytes()
    bars.loc[bars.index[10], "high"] *= 1.02
    sandbox.add_dataset("tiny", DATASET | {"identity": {"official": identity}}, bars, vix)
    outcome = sandbox("run", "--split", "forward")
    assert outcome.code == 2
    assert "the board of `official` was made from" in outcome.err
    sandbox.add_dataset("tiny", DATASET, bars, vix)
    outcome = sandbox("run", "--split", "forward")
    assert outcome.code == 2
    assert "the published measure of AAA on 2010-01-18 is not that of these bars (1 values differ)" in outcome.err
    assert (sandbox.root / "results/tiny/realized.parquet").read_bytes() == published


# The store ------------------------------------------------------------------------------------------


def test_forecasts_survive_the_round_trip(tmp_path):
    dates = np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]")
    forecasts = Forecasts(dates[:-1], dates[1:], ("A", "B"), np.random.default_rng(0).random((4, 2)))
    place = Place(tmp_path, "d", "official", "next-day", "e")
    run = store.Run("e", "1", "d", "official", "next-day", "missing", "id", "data")
    keep_seeds(place, run, {0: forecasts})
    back = store.read(place)
    assert back.state == store.DONE
    assert back.forecasts.digest() == forecasts.digest()
    np.testing.assert_array_equal(back.forecasts.forecast_var, forecasts.forecast_var)
    assert back.forecasts.symbols == ("A", "B")


def test_a_study_lies_outside_the_board(sandbox):
    variant = sandbox.add_study("schedules", "flat", 7)
    assert sandbox("run").code == 0
    assert not (sandbox.root / "results/tiny/official/next-day" / variant).exists()
    assert sandbox("run", f"schedules/{variant}").code == 0
    folder = sandbox.root / "results/tiny/studies/schedules/official"
    assert (folder / "next-day" / variant / "forecasts.parquet").exists()
    assert json.loads((folder / "next-day" / variant / "run.json").read_bytes())["axis"] == {"refit": 7}
    table = (folder / "LEADERBOARD.md").read_text()
    assert table.startswith("# tiny: study `schedules` on official")
    assert f"`{variant}`" in table
    assert "`flat`" in table, "references stand beside"
    assert sandbox("board", "--study", "schedules", "--check").code == 0
    assert "no results of the study schedule" in sandbox("board", "--study", "schedule").err
    assert variant not in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


def test_a_study_is_run_and_told_by_its_command(sandbox, drawn_figures):
    sandbox.add_study("schedules", "flat", 7)
    assert sandbox("run").code == 0
    assert sandbox("study", "schedules", "--plan", "--json").json["run"] == ["refit=7 all horizons"]
    outcome = sandbox("study", "schedules")
    assert outcome.code == 0, outcome.err
    top = sandbox.root / "results/tiny/studies/schedules"
    assert "made up?" in (top / "README.md").read_text()
    assert "| next-day | 7 " in " ".join((top / "README.md").read_text().split())
    row = pd.read_csv(top / "table.csv").iloc[0]
    board = json.loads((top / "official/leaderboard.json").read_bytes())
    (made,) = (line for line in board["tables"][0]["rows"] if line["entry"] == "refit=7")
    assert row["qlike"] == pytest.approx(made["qlike"], rel=1e-9)
    assert (top / "figures/qlike.svg").is_file()
    before = {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}
    assert sandbox("study", "schedules", "--json").json["run"] == 0
    assert before == {path: path.read_bytes() for path in top.rglob("*") if path.is_file()}
    assert sandbox("list", "studies", "--json").json[0]["study"] == "schedules"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"base": "flatt"}, "studies/odd/study.yaml: base: no entry `flatt` (did you mean `flat`?)"),
        ({"grid": {"colour": ["red"]}}, "studies/odd/study.yaml: grid: no axis `colour`"),
        ({"datasets": ["tinny"]}, "studies/odd/study.yaml: no dataset `tinny`"),
        ({"grid": {}}, "write what is varied"),
        ({"grid": {"refit": list(range(1, 80))}}, "more than 64 variants"),
    ],
)
def test_a_wrong_study_is_one_line_and_no_end(sandbox, keys, said):
    sandbox.add_study("odd", "flat", 7, keys)
    outcome = sandbox("study")
    assert outcome.code == 0
    assert said in outcome.err
    assert "no study `odd`" in sandbox("study", "odd").err


def test_weights_are_kept_only_when_asked(sandbox):
    code = """
class Model(Forecaster):
    def fit(self, history):
        self.weights({"layer": np.arange(6.0).reshape(2, 3), "bias": [1.0]}, epoch=3, features=["a", "b"])
    def forecast(self, history):
        return history.variance[-1]
"""
    sandbox.add_entry("learner", code, seeds=2)
    assert sandbox("run", "learner", "--results", str(sandbox.root / "scratch")).code == 0
    assert not (sandbox.root / "weights").exists()
    assert sandbox("run", "learner", "--save-weights").code == 0
    folder = sandbox.root / "weights/tiny/official/next-day/learner"
    about = json.loads((folder / "seed-1.json").read_bytes())
    assert about["identity"] == sandbox.run_json("learner")["identity"]
    assert (about["seed"], about["epoch"], about["features"]) == (1, 3, ["a", "b"])
    with np.load(folder / "seed-1.npz", allow_pickle=False) as kept:
        assert kept["layer"].shape == (2, 3)


def test_json_of_a_record_is_readable_and_exact():
    value = {"a": [1.1] * 40, "b": {"c": "x" * 200}, "d": []}
    text = as_json(value).decode()
    assert json.loads(text) == value
    assert max(map(len, text.splitlines())) < 240


def test_rows_of_one_identity_are_run_once(sandbox):
    sandbox.add_entry("first", SEEDED, seeds=2)
    assert sandbox("run", "first").code == 0
    sandbox.add_rows("first", [{"name": "second"}, {"name": "other", "parameters": {"broken": [7]}}])
    planned = sandbox("run", "second", "other", "--plan", "--json").json
    assert list(planned["adopted"].values()) == ["results/tiny/official/next-day/first"]
    assert planned["run"] == ["other next-day seed 0", "other next-day seed 1"]
    outcome = sandbox("run", "second", "--json")
    assert (outcome.json["run"], outcome.json["adopted"]) == (0, 1)
    top = sandbox.root / "results/tiny"
    twin = top / "official/next-day/second"
    for name in ("forecasts.parquet", "seeds.parquet"):
        assert (twin / name).read_bytes() == (top / "official/next-day/first" / name).read_bytes()
    assert json.loads((twin / "run.json").read_text())["entry"] == "second"
    assert sandbox("run", "second", "--json").json["were_done"] == 1


def test_a_row_of_other_datasets_runs_only_where_it_is_named(sandbox):
    sandbox.add_entry("elsewhere", SEEDED, datasets=["far"])
    assert not any("elsewhere" in unit for unit in sandbox("run", "--plan", "--json").json["run"])
    assert sandbox("run", "elsewhere", "--plan", "--json").json["run"] == ["elsewhere next-day"]

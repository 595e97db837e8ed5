"""A daily measure that is a column of the bars: checked, in the identity, handed out, published, and audited."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import DATASET, SYMBOLS, made_up_bars
from numpy.testing import assert_allclose, assert_array_equal

from bench.audit.panels import plant, replaced
from bench.data.checks import panel_from_frames
from bench.errors import BenchError, DataError
from bench.registry.config import Registry
from bench.stats import losses
from bench.store.realized import read_realized

COLUMN = "column rv5"

# What a check makes of it ---------------------------------------------------------------------------


def test_replaced_sessions_have_another_measure_and_the_bait_holds_it(tmp_path) -> None:
    rng = np.random.default_rng(3)
    bars = made_up_bars(60)
    bars["rv5"] = np.exp(rng.standard_normal(len(bars))) * 1e-4
    first = date(2010, 1, 1)
    panel = panel_from_frames(bars, None, dataset="mine", symbols=list(SYMBOLS), measure=COLUMN, warmup_from=first)
    other = replaced(panel, 20, 39, np.random.default_rng(0))
    assert_array_equal(other.variance[:20], panel.variance[:20])
    assert_array_equal(other.variance[40:], panel.variance[40:])
    assert (other.variance[20:40] != panel.variance[20:40]).all()
    assert (other.variance > 0).all() and np.isfinite(other.variance).all()
    plant(panel, tmp_path)
    assert_array_equal(np.load(tmp_path / "mine/variance.npy"), panel.variance)
    assert_array_equal(pd.read_parquet(tmp_path / "mine/bars.parquet")["rv5"], panel.variance.ravel())


# dataset.yaml ---------------------------------------------------------------------------------------


def spec(**changes: Any) -> dict[str, Any]:
    return {**DATASET, "measure": {"column": "rv5"}, **changes}


def read(sandbox, **changes: Any):
    (sandbox.root / "datasets/tiny/dataset.yaml").write_text(yaml.safe_dump(spec(**changes)))
    return Registry(sandbox.root).dataset("tiny")


def test_the_measure_has_a_name(sandbox) -> None:
    assert read(sandbox).measure == COLUMN
    assert read(sandbox).measure_column == "rv5"
    assert read(sandbox, measure="parkinson").measure_column is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": {"column": "close"}}, "measure: column `close` is no measure"),
        ({"measure": {"column": "a b"}}, "measure: column `a b` is no measure"),
        ({"measure": {"column": None}}, "measure: "),
        ({"measure": {"colum": "rv5"}}, "measure: write the name of a measure, or of a column"),
        ({"measure": "parkinsn"}, "no measure parkinsn (did you mean `parkinson`?)"),
        ({"measure": 5}, "measure: 5 is no name of a measure"),
        ({"source": {"kind": "arch"}}, "measure.column needs bars of a snapshot, not of the kind arch"),
        ({"sessions_per_year": 0}, "sessions_per_year: "),
        ({"sessions_per_year": 1000}, "sessions_per_year: "),
    ],
)  # fmt: skip
def test_a_mistake_is_a_line_that_names_the_key(sandbox, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError) as caught:
        read(sandbox, **changes)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_what_a_dataset_does_not_say_is_in_no_digest(sandbox) -> None:
    plain, said = read(sandbox), read(sandbox, sessions_per_year=365)
    assert plain.sessions_per_year == losses.SESSIONS_PER_YEAR
    assert "sessions_per_year" not in plain.model_dump_json()
    assert '"sessions_per_year":365' in said.model_dump_json()


def test_yahoo_is_not_asked_for_a_column(sandbox, tmp_path) -> None:
    from bench.data.yahoo import fetch

    with pytest.raises(DataError, match="its measure is column rv5, which Yahoo does not have"):
        fetch(read(sandbox), tmp_path)


def test_weekly_bars_are_declared(sandbox) -> None:
    bars = made_up_bars()
    weeks = np.arange(320).astype("timedelta64[W]")
    bars["date"] = np.tile(np.datetime64("2010-01-08") + weeks, len(SYMBOLS))
    days = [("2010-03-01", "2012-12-31"), ("2013-01-01", "2013-12-31"), ("2014-01-01", "2015-12-31")]
    splits = {"official": dict(zip(("fit", "select", "score"), map(list, days), strict=True))}
    weekly = {key: value for key, value in DATASET.items() if key != "vix"} | {"splits": splits}
    sandbox.add_dataset("tiny", weekly, bars, None)
    outcome = sandbox("data", "check", "tiny")
    assert outcome.code == 2 and "in dataset.yaml say `sessions_per_year: 52`" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    sandbox.add_dataset("tiny", {**weekly, "sessions_per_year": 52}, bars, None)
    assert sandbox("run").code == 0
    assert "; 52 sessions a year; " in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


# End to end -----------------------------------------------------------------------------------------


@pytest.fixture
def own(sandbox):
    """`tiny` with a column `rv5` as its measure: nothing that could be had from the prices."""
    bars = made_up_bars()
    rng = np.random.default_rng(11)
    bars["rv5"] = 1e-4 * np.exp(0.3 * rng.standard_normal(len(bars)))
    bars.loc[bars["date"] == bars["date"].max(), "rv5"] = 0.0  # a target and no origin
    vix = pd.read_csv(sandbox.root / "datasets/tiny/vix.csv")
    sandbox.add_dataset("tiny", spec(sessions_per_year=260), bars, vix)
    return sandbox, bars


def test_a_run_on_a_column(own) -> None:
    sandbox, bars = own
    done = sandbox("run")
    assert done.code == 0, done.err
    wide = bars.pivot(index="date", columns="symbol", values="rv5")
    published = read_realized(sandbox.root / "results", "tiny")
    assert_array_equal(published.measure_var, wide.to_numpy()[: len(published.dates)])
    forecasts = pd.read_parquet(sandbox.root / "results/tiny/official/next-day/mean/forecasts.parquet")
    first = forecasts[(forecasts["symbol"] == "AAA")].iloc[0]
    board = yaml.safe_load((sandbox.root / "results/tiny/leaderboard.json").read_text())
    assert board["measure"] == COLUMN and board["noise_floor"] is None and board["sessions_per_year"] == 260
    page = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "daily measure: column rv5; 260 sessions a year; protocol" in page
    table = next(table for table in board["tables"] if table["task"] == "next-day")
    assert table["zero_targets"] == 3
    assert first["forecast_var"] == pytest.approx(1e-4, rel=0.2)
    row = next(row for row in table["rows"] if row["entry"] == "mean")
    target = wide.stack().rename("target_var")
    cells = forecasts.assign(date=pd.to_datetime(forecasts["date"])).join(target, on=["date", "symbol"])
    gap = 100 * np.sqrt(260) * (np.sqrt(cells["target_var"]) - np.sqrt(cells["forecast_var"]))
    assert_allclose(row["mse_vol"], (gap**2).groupby(cells["symbol"]).mean().mean(), rtol=1e-6)
    assert_allclose(row["mae_vol"], gap.abs().groupby(cells["symbol"]).mean().mean(), rtol=1e-6)
    assert sandbox("board", "--check").code == 0
    said = sandbox("data", "check", "tiny", "--json").json
    assert said["zero rv5"] == 3 and 1 < float(said["rv5 / Parkinson"]) < 2


def test_annual_forecasts_are_read_with_the_sessions_of_the_dataset(own) -> None:
    from bench import api

    sandbox, _ = own
    assert sandbox("run").code == 0
    kept = pd.read_parquet(sandbox.root / "results/tiny/official/next-day/mean/forecasts.parquet")
    kept = kept.astype({"symbol": str})
    annual = kept.assign(forecast_vol=100 * np.sqrt(260 * kept["forecast_var"])).drop(columns="forecast_var")
    brought = api.score(annual, unit="annual-percent", root=sandbox.root)
    mean = next(line for line in brought.lines if line.entry == "mean")
    assert brought.row.qlike == pytest.approx(mean.qlike, rel=1e-9)


def test_an_entry_that_reads_the_column_ahead_is_caught(own) -> None:
    sandbox, _ = own
    sandbox.settings["limits"] |= {"run_seconds": 60, "forecast_seconds": 30}
    sandbox.write_settings()
    code = """
import pyarrow.parquet as pq

class Model(Forecaster):
    def forecast(self, history):
        if not hasattr(self, "rv"):
            self.rv = pq.read_table("../data/tiny/bars.parquet", columns=["rv5"])["rv5"].to_numpy().reshape(-1, 3)
        return self.rv[len(history)] + 1e-9
"""
    sandbox.add_entry("ahead", code)
    sandbox.add_entry("today", "class Model(Forecaster):\n    def forecast(self, history):\n"
                      "        return history.variance[-1] + 1e-9\n")  # fmt: skip
    outcome = sandbox("check", "ahead", "today", "--json")
    found = {
        report["entry"]: [f["check"] for f in report["findings"] if f["passed"] is False] for report in outcome.json
    }
    assert any("future" in check for check in found["ahead"]), outcome.out
    assert found["today"] == []


def test_other_bars_say_how_far_the_column_differs(own) -> None:
    sandbox, bars = own
    assert sandbox("run").code == 0
    bars.loc[bars["date"] == "2010-05-03", "rv5"] *= 2
    bars.to_csv(sandbox.root / "datasets/tiny/bars.csv", index=False)
    outcome = sandbox("run")
    assert outcome.code == 2 and "other bars" in outcome.err

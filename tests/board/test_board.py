"""The board: what it says follows from stored forecasts and the published measure alone."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import DATASET, made_once, made_up_bars, made_up_vix

from bench.board.cells import Cells, cells_of, check_cells
from bench.board.render.numbers import probability
from bench.errors import BenchError
from bench.plugin.measures import garman_klass
from bench.plugin.tasks import Task
from bench.registry.config import Registry
from bench.stats import losses, panel_test
from bench.store import Forecasts, Place, read
from bench.store.realized import read_realized


@pytest.fixture
def board(sandbox, tmp_path_factory):
    """The JSON of a board with three entries, one of which answers the derived task directly."""

    def run():
        sandbox.add_entry(
            "rolling",
            """
class Model(Forecaster):
    def forecast(self, history):
        return history.variance[-21:].mean(axis=0)
""",
            tasks=["rolling-21d"],
        )
        assert sandbox("run").code == 0

    made_once(sandbox, tmp_path_factory.getbasetemp() / "board", run)
    path = sandbox.root / "results/tiny/leaderboard.json"
    return json.loads(path.read_bytes())


def table(board: dict, task: str) -> dict:
    return next(item for item in board["tables"] if item["task"] == task)


def row(board: dict, task: str, entry: str) -> dict:
    return next(item for item in table(board, task)["rows"] if item["entry"] == entry)


def by_hand(sandbox, task: str, entry: str) -> pd.DataFrame:
    """Forecast and target side by side, joined in pandas as a reader of the files would."""
    results = sandbox.root / "results/tiny"
    forecasts = pd.read_parquet(results / "official" / task / entry / "forecasts.parquet")
    realized = pd.read_parquet(results / "realized.parquet")
    return forecasts.merge(realized.astype({"symbol": str}), on=["date", "symbol"])


def test_next_day_scores_follow_from_a_plain_join(sandbox, board):
    cells = by_hand(sandbox, "next-day", "flat")
    y, f = cells["measure_var"], cells["forecast_var"]
    cells["qlike"] = y / f - np.log(y / f) - 1
    cells["mse"] = (1e4 * (y - f)) ** 2
    found = row(board, "next-day", "flat")
    assert found["qlike"] == pytest.approx(cells.groupby("symbol")["qlike"].mean().mean(), rel=1e-9)
    assert found["mse_var"] == pytest.approx(cells.groupby("symbol")["mse"].mean().mean(), rel=1e-9)
    vol = 100 * np.sqrt(252 * cells[["measure_var", "forecast_var"]])
    cells["sq"] = (vol["measure_var"] - vol["forecast_var"]) ** 2
    assert found["rmse_vol"] == pytest.approx(np.sqrt(cells.groupby("symbol")["sq"].mean().mean()), rel=1e-9)
    assert found["market_qlike"] == pytest.approx(cells[cells["symbol"] == "AAA"]["qlike"].mean(), rel=1e-9)
    crisis = cells[cells["regime_month"] == "crisis"]
    regime = found["regimes"]["month"]["crisis"]
    assert regime["n"] == crisis["date"].nunique()
    assert regime["qlike"] == pytest.approx(crisis.groupby("symbol")["qlike"].mean().mean(), rel=1e-9)
    assert found["direction"] is None


def test_the_regime_at_the_origin_is_known_at_the_origin(sandbox, board):
    cells = by_hand(sandbox, "next-day", "flat")
    vix = made_up_vix().assign(origin=lambda frame: frame["date"].dt.date)[["origin", "close"]]
    joined = cells.merge(vix, on="origin")
    assert len(joined) == len(cells)
    assert ((joined["close"] >= 20) == (joined["regime_origin"] == "crisis")).all()


def test_p_values_are_the_panel_test(sandbox, board):
    registry = Registry(sandbox.root)
    realized = read_realized(registry.results, "tiny")
    for task in ("next-day", "week-ahead"):
        cells = cells_of(realized, registry.dataset("tiny").split("official"), registry.settings.task(task))
        loss = {
            name: losses.qlike(
                cells.target_var,
                read(Place(registry.results, "tiny", "official", task, name)).forecasts.forecast_var,
            )
            for name in ("flat", "mean")
        }
        expected = panel_test(loss["mean"], loss["flat"], horizon=cells.task.ahead)
        found = row(board, task, "mean")["tests"]["flat"]
        assert found["p_value"] == pytest.approx(expected.p_value, rel=1e-9)
        assert found["p_holm"] == found["p_value"], "one test is not adjusted"
        assert found["other_p_value"] == pytest.approx(expected.beside.p_value, rel=1e-9)
        assert row(board, task, "flat")["tests"].keys() == {"mean"}


def test_derived_rows_follow_from_next_day(sandbox, board):
    derived = row(board, "rolling-21d", "flat")
    assert derived["derived"]
    assert derived["mse_var"] == pytest.approx(row(board, "next-day", "flat")["mse_var"] / 441, rel=1e-9)
    assert not row(board, "rolling-21d", "rolling")["derived"]
    assert not (sandbox.root / "results/tiny/official/rolling-21d/flat").exists()


def test_no_target_straddles_the_window(sandbox, board):
    registry = Registry(sandbox.root)
    realized = read_realized(registry.results, "tiny")
    for split_name in ("official", "development"):
        split = registry.dataset("tiny").split(split_name)
        for task in (Task("a", 1), Task("b", 5), Task("c", 1, 20), Task("d", 21)):
            cells = cells_of(realized, split, task)
            where = np.searchsorted(realized.dates, cells.origins)
            assert str(realized.dates[where[0] + 1]) >= str(split.score.first)
            assert str(realized.dates[where[-1] + task.ahead]) <= str(split.score.last)
            assert np.isfinite(cells.target_var).all()


def test_a_board_needs_neither_bars_nor_entries_and_is_byte_identical(sandbox, board):
    folder = sandbox.root / "results/tiny"
    before = {name: (folder / name).read_bytes() for name in ("LEADERBOARD.md", "leaderboard.json")}
    shutil.rmtree(sandbox.root / "submissions")
    (sandbox.root / "datasets/tiny/bars.csv").unlink()
    for name in before:
        (folder / name).unlink()
    assert sandbox("board", "--write").code == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_check_finds_an_edited_board_and_a_changed_forecast(sandbox, board):
    assert sandbox("board", "--check").code == 0
    path = sandbox.root / "results/tiny/LEADERBOARD.md"
    text = path.read_text()
    path.write_text(text.replace("`flat`", "`splendid`"))
    assert "is not what the stored forecasts give" in sandbox("board", "--check").err
    path.write_text(text)
    json_path = sandbox.root / "results/tiny/leaderboard.json"
    edited = json.loads(json_path.read_bytes())
    edited["tables"][0]["rows"][0]["qlike"] *= 1 + 1e-7
    json_path.write_text(json.dumps(edited))
    outcome = sandbox("board", "--check", "--json")
    assert outcome.code == 1
    assert not outcome.json["agrees"]
    assert "qlike" in outcome.json["differences"][0]


def test_against_another_folder(sandbox, board):
    sandbox("run", "--split", "development")  # the other folder has no other split beside
    sandbox("run", "--results", str(sandbox.root / "other"))
    outcome = sandbox("board", "--results", str(sandbox.root / "other"), "--against", str(sandbox.root / "results"))
    assert outcome.code == 0
    assert "agrees with" in outcome.err
    shutil.rmtree(sandbox.root / "other/tiny/official/next-day/flat")
    outcome = sandbox("board", "--results", str(sandbox.root / "other"), "--against", str(sandbox.root / "results"))
    assert outcome.code == 1
    assert outcome.err.count("is not here") > 0 and "differs from" in outcome.err


def test_an_empty_results_folder_is_one_line(sandbox):
    outcome = sandbox("board", "--write")
    assert outcome.code == 2
    assert outcome.err.startswith("error: no results of tiny on official in")
    assert outcome.err.count("\n") == 1


def test_one_entry_alone_without_references(sandbox, drawn_figures):
    assert sandbox("run", "mean").code == 0
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "p vs" not in text
    assert "`mean`" in text


def test_identical_entries_and_zero_targets(sandbox, drawn_figures):
    sandbox.add_entry("twin", (sandbox.root / "submissions/mean/model.py").read_text(), tasks="path")
    bars = made_up_bars()
    still = (bars["symbol"] == "BBB") & (bars["date"] == "2011-02-01")
    for name in ("open", "high", "low"):
        bars.loc[still, name] = bars.loc[still, "close"]
    sandbox.add_dataset("tiny", DATASET, bars, made_up_vix())
    assert sandbox("run", "mean", "twin").code == 0
    board = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())
    assert row(board, "next-day", "twin")["tests"]["mean"]["p_value"] == 1.0
    assert "= 1.000" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert table(board, "next-day")["zero_targets"] == 1
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "1 cells with a target of zero are left out" in text


@pytest.mark.usefixtures("ran")
def test_results_made_under_other_rules_are_not_scored(sandbox):
    splits = json.loads(json.dumps(DATASET["splits"]))
    splits["official"]["fit"] = ["2010-03-01", "2010-10-29"]
    sandbox.add_dataset("tiny", DATASET | {"splits": splits}, made_up_bars(), made_up_vix())
    sandbox("run", "flat")
    board = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())
    assert [row["entry"] for row in table(board, "next-day")["rows"]] == ["flat"]
    absent = table(board, "next-day")["absent"]
    assert [(row["entry"], row["reason"]) for row in absent] == [
        ("mean", "was made under another windows: run it again")
    ]
    sandbox.settings["protocol"] = "2.0"
    sandbox.write_settings()
    assert sandbox("board", "--write").code == 0
    board = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())
    assert {row["entry"] for row in table(board, "next-day")["absent"]} == {"flat", "mean"}


def test_forecasts_of_other_cells_are_refused():
    dates = np.arange("2020-01-01", "2020-01-06", dtype="datetime64[D]")
    values = np.full((4, 2), 1e-4)
    cells = Cells(Task("a", 1), dates[:-1], dates[1:], ("A", "B"), values, values, {})
    good = Forecasts(dates[:-1], dates[1:], ("A", "B"), values)
    check_cells(cells, good, "x")
    for other, message in (
        (replace(good, origins=good.origins + 1), "origin 2020-01-02 stands where 2020-01-01 is expected"),
        (replace(good, symbols=("A", "C")), "its symbols are not the dataset's (first difference: B)"),
        (replace(good, origins=good.origins[:-1], dates=good.dates[:-1]), "3 origins, expected 4"),
    ):
        with pytest.raises(BenchError, match=re.escape(message)):
            check_cells(cells, other, "x")


@pytest.mark.usefixtures("ran")
def test_a_copied_result_is_not_another_entrys(sandbox):
    folder = sandbox.root / "results/tiny/official/next-day"
    shutil.copytree(folder / "mean", folder / "genius")
    assert sandbox("board", "--write").code == 0
    board = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())
    assert "genius" not in {row["entry"] for row in table(board, "next-day")["rows"]}
    assert "genius" in {row["entry"] for row in table(board, "next-day")["absent"]}


@pytest.mark.usefixtures("ran")
def test_an_entry_that_is_gone_is_said(sandbox):
    shutil.rmtree(sandbox.root / "submissions/mean")
    assert "on the board but not under submissions/: mean" in sandbox("run").err


def test_a_failed_direct_forecast_is_not_replaced_by_a_derived_one(sandbox):
    code = "class Model(Forecaster):\n    def forecast(self, h):\n        return {} * h.variance[-1]"
    sandbox.add_entry("both", code.format(1), tasks=["next-day"])
    sandbox("run")
    sandbox.add_entry("both", code.format("(-1 if self.task.behind else 1)"), tasks=["next-day", "rolling-21d"])
    sandbox("run")
    board = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())
    assert "both" not in {row["entry"] for row in table(board, "rolling-21d")["rows"]}
    assert "both" in {row["entry"] for row in table(board, "rolling-21d")["absent"]}


def test_a_leak_raises_an_alarm(sandbox):
    bars = made_up_bars()
    oracle = sandbox.add_entry(
        "oracle",
        """
class Model(Forecaster):
    def forecast(self, history):
        import json, pathlib
        return np.array(json.loads(pathlib.Path(__file__).with_name("planted.json").read_text())[len(history)])
""",
    )
    wide = {name: bars.pivot(index="date", columns="symbol", values=name) for name in ("open", "high", "low", "close")}
    measure = garman_klass(*(wide[name].to_numpy() for name in ("open", "high", "low", "close")))
    (oracle / "planted.json").write_text(json.dumps([*measure.tolist(), [1e-4] * 3]))
    assert sandbox("run").code == 0
    conclusion = json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())["conclusion"]
    assert conclusion[0].startswith("`oracle` scores far below the noise floor")


@pytest.mark.usefixtures("ran")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"origins"', '"origin"'), ('"identity_of": {', '"identity_of": "x", "o": {'), ('"runs": 1', '"runs": "many"'),
        ('"fits": 1', '"fits": []'), ('"seed_digests": {', '"seed_digests": [], "o": {'),
    ],
)  # fmt: skip
def test_an_edited_record_is_damage_and_no_traceback(sandbox, old, new):
    path = sandbox.root / "results/tiny/official/next-day/flat/run.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    outcome = sandbox("board", "--write")
    assert outcome.code == 0
    assert "Traceback" not in outcome.err
    assert "damaged" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


@pytest.mark.usefixtures("ran")
def test_an_edited_measure_is_found(sandbox):
    path = sandbox.root / "results/tiny/realized.parquet"
    schema = pq.read_schema(path)
    edited = pd.read_parquet(path)
    edited["measure_var"] *= 2
    edited["symbol"] = edited["symbol"].astype("category")
    pq.write_table(pa.Table.from_pandas(edited, preserve_index=False).replace_schema_metadata(schema.metadata), path)
    outcome = sandbox("board", "--write")
    assert outcome.code == 1
    assert "realized.parquet is damaged (its digest differs)" in outcome.err


@pytest.mark.usefixtures("ran")
def test_other_regimes_than_the_labels_are_said(sandbox):
    sandbox.settings["regimes"] = {"vix_crisis": 23}
    sandbox.write_settings()
    assert "labelled with a VIX of 20, bench.yaml says 23" in sandbox("board", "--write").err
    assert sandbox("run").code == 0
    assert "below 23 (calm)" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


def test_ten_days_of_data_give_a_board(sandbox, drawn_figures):
    splits = json.loads(json.dumps(DATASET["splits"]))
    splits["official"]["score"] = ["2011-01-03", "2011-01-14"]
    sandbox.add_dataset("tiny", DATASET | {"splits": splits}, made_up_bars(), made_up_vix())
    assert sandbox("run").code == 0
    assert "10 origins" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


def test_probabilities_are_printed_without_false_zeros():
    assert [probability(p) for p in (0.0001, 0.0123, 1.0, None)] == ["<.001", ".012", "1.000", "n/a"]

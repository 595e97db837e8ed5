"""Tiers, conclusions, comparisons, figures: what a board says in words and pictures follows from its tests."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import DATASET, made_once, made_up_bars, made_up_vix
from pydantic import TypeAdapter

from bench import stats
from bench.board import Board
from bench.board.conclusion import conclude
from bench.board.gather import gather
from bench.board.writing import make_board
from bench.registry.config import Registry
from bench.stats import losses
from bench.store import Scope

NOISY = """
class Model(PathForecaster):
    def __init__(self, task, seed=0, noise=0.1):
        super().__init__(task, seed)
        self.noise = noise
    def forecast(self, history):
        level = history.variance[-22:].mean(axis=0)
        shock = self.generator(str(len(history))).normal(size=level.shape)
        return np.tile(level * np.exp(self.noise * shock), (self.steps, 1))
"""


@pytest.fixture
def crowd(sandbox, tmp_path_factory):
    """A board with two near-twins, one clearly worse, and the references."""

    def run():
        for name, noise in (("near", 0.01), ("nearer", 0.012), ("far", 1.2)):
            sandbox.add_entry(name, NOISY, tasks="path", parameters={"noise": noise})
        assert sandbox("run").code == 0

    made_once(sandbox, tmp_path_factory.getbasetemp() / "crowd", run)
    return sandbox


def board_of(sandbox) -> dict:
    return json.loads((sandbox.root / "results/tiny/leaderboard.json").read_bytes())


def test_tiers_are_the_confidence_set_and_the_sets_of_the_rest(crowd):
    board = board_of(crowd)
    table = next(table for table in board["tables"] if table["task"] == "next-day")
    scored = gather(Scope.of(Registry(crowd.root), "tiny", "official")).tasks["next-day"].scored
    names = list(scored)
    daily = np.column_stack([losses.mean_by_symbol(scored[name].qlike.T) for name in names])
    expected = dict(zip(names, stats.tiers(daily, 1).tier.tolist(), strict=True))
    assert {row["entry"]: row["tier"] for row in table["rows"]} == expected
    assert [row["tier"] for row in table["rows"]] == sorted(expected.values())
    assert "The 90 % confidence set of the entry of lowest expected loss holds" in board["conclusion"][0]
    inside = {row["entry"] for row in table["rows"] if row["tier"] == 1}
    assert {name for name in expected if f"`{name}`" in board["conclusion"][0]} == inside


def test_a_set_that_excludes_nobody_is_no_claim_of_equality():
    """Two members of a confidence set may differ in a test of the two: no sentence says that they do not."""
    from conftest import ROOT

    board = TypeAdapter(Board).validate_json((ROOT / "results/us21/development/leaderboard.json").read_bytes())
    table = board.table("next-day")
    inside = [i for i, row in enumerate(table.rows) if row.tier == 1]
    pairs = [table.pair_p[i][j] for i in inside for j in inside if i != j]
    assert any(p is not None and p < 0.01 for p in pairs)
    alone = replace(board, tables=[replace(table, rows=[table.rows[i] for i in inside])])
    assert conclude(alone)[0].startswith("No entry can be excluded as the one of lowest expected loss")


def test_holm_is_over_the_rows_against_a_reference(crowd):
    table = next(table for table in board_of(crowd)["tables"] if table["task"] == "next-day")
    tests = [row["tests"]["flat"] for row in table["rows"] if "flat" in row["tests"]]
    adjusted = stats.holm([test["p_value"] for test in tests])
    np.testing.assert_allclose([test["p_holm"] for test in tests], adjusted, rtol=1e-8)
    assert len(tests) == 4


def test_no_word_of_best_and_no_order_inside_a_tier(crowd):
    text = (crowd.root / "results/tiny/LEADERBOARD.md").read_text()
    assert not re.search(r"\b(best|winner|wins the|outperforms)\b", text)


def test_skill_and_wins_by_hand(crowd):
    table = next(table for table in board_of(crowd)["tables"] if table["task"] == "next-day")
    rows = {row["entry"]: row for row in table["rows"]}
    ratio = np.array(rows["near"]["symbol_qlike"]) / np.array(rows["flat"]["symbol_qlike"])
    assert rows["near"]["skill"] == pytest.approx(1 - np.exp(np.log(ratio).mean()), rel=1e-8)
    assert rows["near"]["skill_low"] < rows["near"]["skill"] < rows["near"]["skill_high"]
    assert rows["near"]["wins"] == (ratio < 1).sum()
    assert rows["flat"]["skill"] is None


def test_csv_and_json_carry_the_same(crowd):
    board = board_of(crowd)
    lines = list(csv.DictReader(io.StringIO((crowd.root / "results/tiny/leaderboard.csv").read_text())))
    assert len(lines) == sum(len(table["rows"]) for table in board["tables"])
    first = board["tables"][0]["rows"][0]
    line = next(li for li in lines if li["entry"] == first["entry"] and li["task"] == board["tables"][0]["task"])
    assert float(line["qlike"]) == first["qlike"]
    assert float(line["symbol_qlike.BBB"]) == first["symbol_qlike"][1]


def test_figures_are_small_sound_svg_without_a_date(crowd, drawn_figures):
    folder = crowd.root / "results/tiny/figures"
    (crowd.root / "results/tiny/LEADERBOARD.md").unlink()
    assert crowd("run").code == 0  # which writes the board again, with its figures
    made = {path.stem: path.read_bytes() for path in folder.glob("*.svg")}
    assert set(made) == {"pairs", "cumulated", "volatility", "scatter", "cost", "symbols"}
    for svg in made.values():
        ET.fromstring(svg)
        assert len(svg) < 200_000
        assert b"dc:date" not in svg
    text = (crowd.root / "results/tiny/LEADERBOARD.md").read_text()
    assert all(f"figures/{name}.svg" in text for name in made)
    for path in folder.glob("*.svg"):
        path.unlink()
    assert crowd("board", "--write").code == 0
    assert {path.stem: path.read_bytes() for path in folder.glob("*.svg")} == made


def test_official_and_development_side_by_side(crowd):
    crowd("run", "--split", "development")  # which rebuilds the official board too
    assert crowd("board", "--check").code == 0
    assert crowd("board", "--check", "--split", "development").code == 0
    board = board_of(crowd)
    assert board["other_split"] == "development"
    assert {item["entry"] for item in board["luck"]} == {"flat", "mean", "near", "nearer", "far"}
    assert sorted(item["place"] for item in board["luck"]) == [1, 2, 3, 4, 5]
    assert "Official and development side by side" in (crowd.root / "results/tiny/LEADERBOARD.md").read_text()


def test_seeds_and_their_spread(sandbox):
    sandbox.add_entry("noisy", NOISY, tasks="path", seeds=3, parameters={"noise": 0.5}, tuned_on="development")
    sandbox("run")
    card = next(card for card in board_of(sandbox)["cards"] if card["entry"] == "noisy")
    assert (card["seeds"], card["tuned_on"], card["runs"]) == (3, "development", 1)
    assert card["seed_spread"] > 0
    sandbox.add_entry("noisy", NOISY + "\n# again\n", tasks="path", seeds=3, parameters={"noise": 0.5})
    sandbox("run")
    assert next(card for card in board_of(sandbox)["cards"] if card["entry"] == "noisy")["runs"] == 2


def test_simulated_bars_are_ranked_by_truth_too():
    from conftest import ROOT

    board = json.loads((ROOT / "results/simulated/leaderboard.json").read_bytes())
    table = next(table for table in board["tables"] if table["task"] == "next-day")
    assert table["truth_agreement"] > 0.8
    for row in table["rows"]:
        noise = row["qlike"] - row["true_qlike"]
        assert noise == pytest.approx(board["noise_floor"], abs=0.02), row["entry"]


# Comparing two entries ------------------------------------------------------------------------------


def test_compare_says_what_differs_and_where(crowd):
    result = crowd("compare", "near", "far", "--json").json
    table = next(table for table in board_of(crowd)["tables"] if table["task"] == "next-day")
    rows = {row["entry"]: row for row in table["rows"]}
    assert result["a_qlike"] == rows["near"]["qlike"]
    assert sum(part["share"] for part in result["symbols"]) == pytest.approx(1)
    assert sum(part["share"] for part in result["regimes"]) == pytest.approx(1)
    assert len(result["days"]) == 10
    assert result["cumulated"][-1] < 0
    text = crowd("compare", "near", "far").out
    assert "told apart at 5 %" in text
    assert "a test cannot tell them apart" in crowd("compare", "near", "nearer").out


def test_compare_by_symbol_regime_task_and_figure(crowd, tmp_path):
    one = crowd(
        "compare", "near", "flat", "--symbol", "BBB", "--regime", "crisis", "--task", "week-ahead", "--json"
    ).json
    assert [part["name"] for part in one["symbols"]] == ["BBB"]
    assert [part["name"] for part in one["regimes"]] == ["crisis"]
    assert one["task"] == "week-ahead"
    figure = tmp_path / "figure.svg"
    assert crowd("compare", "near", "flat", "--figure", str(figure)).code == 0
    ET.fromstring(figure.read_bytes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["near", "fat"], "no finished result of `fat` on this task (did you mean `flat`?)"),
        (["near", "far", "--symbol", "BBC"], "tiny has no symbol `BBC` (did you mean `BBB`?)"),
        (["near", "far", "--regime", "crises"], "no origin in the regime `crises` (did you mean `crisis`?)"),
        (["near", "far", "--task", "week"], "no task `week`"),
        (["near", "far", "--split", "forward"], "no results of tiny on forward"),
    ],
)
def test_compare_of_what_is_not_there_is_one_line(crowd, arguments, message):
    outcome = crowd("compare", *arguments)
    assert outcome.code == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_an_entry_against_itself(crowd):
    result = crowd("compare", "near", "near", "--json").json
    assert result["p_value"] == 1.0
    assert result["days"] == []


# Small and degenerate boards ------------------------------------------------------------------------


def test_three_days_are_too_few_to_conclude(sandbox, drawn_figures):
    spec = yaml.safe_load(yaml.safe_dump(DATASET))
    spec["splits"]["official"]["score"] = ["2011-01-03", "2011-01-05"]
    sandbox.add_dataset("tiny", spec, made_up_bars(), made_up_vix())
    assert sandbox("run").code == 0
    board = board_of(sandbox)
    assert "too few" in board["conclusion"][0]
    assert "week-ahead" not in {table["task"] for table in board["tables"]}


def still(bars, symbols, days=("2010-12-01", "2012-01-01")):
    """Bars whose range is zero on some days."""
    rows = bars["symbol"].isin(symbols) & (bars["date"] >= days[0]) & (bars["date"] < days[1])
    for name in ("open", "high", "low"):
        bars.loc[rows, name] = bars.loc[rows, "close"]
    return bars


def test_a_market_without_variance_and_a_symbol_without_cells(sandbox, drawn_figures):
    sandbox.add_entry("noisy", NOISY, tasks="path")
    sandbox.add_entry("flat", NOISY, tasks="path", parameters={"noise": 0.3})
    sandbox.add_dataset("tiny", DATASET, still(made_up_bars(), ["AAA"]), made_up_vix())
    outcome = sandbox("run")
    assert "Traceback" not in outcome.err
    board = board_of(sandbox)
    assert not {"volatility", "scatter"} & set(board["figures"])
    table = next(table for table in board["tables"] if table["task"] == "next-day")
    assert table["n_symbols"] == 2
    assert all(row["symbol_qlike"][0] is None for row in table["rows"])
    assert all(row["wins"] is None or row["wins"] <= 2 for row in table["rows"])


def test_targets_that_are_all_zero_are_said(sandbox, drawn_figures):
    sandbox.add_dataset("tiny", DATASET, still(made_up_bars(), ["AAA", "BBB", "CCC"]), made_up_vix())
    sandbox.add_entry("mean", "class Model(PathForecaster):\n    def forecast(self, h):\n        "
                      "return np.full((self.steps, 3), 1e-4)", tasks="path")  # fmt: skip
    sandbox("run", "mean")
    assert "all targets are zero" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


def test_a_result_without_its_record_is_not_forgotten(crowd):
    (crowd.root / "results/tiny/official/next-day/far/run.json").unlink()
    assert crowd("board", "--write").code == 0
    table = next(table for table in board_of(crowd)["tables"] if table["task"] == "next-day")
    assert [(row["entry"], row["state"]) for row in table["absent"]] == [("far", "missing")]


def test_a_constant_forecast_and_a_failed_reference(sandbox, drawn_figures):
    sandbox.add_entry(
        "constant",
        "class Model(Forecaster):\n    def forecast(self, h):\n        return np.full(3, 1e-4)",
    )
    sandbox.add_entry("flat", "class Model(PathForecaster):\n    pass", tasks="path")
    assert sandbox("run").code == 1
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "`constant`" in text
    assert "p vs mean" in text
    assert "p vs flat" not in text


def test_training_and_attention_have_figures(sandbox, drawn_figures):
    sandbox.add_entry(
        "learner",
        """
class Model(Forecaster):
    def fit(self, history):
        for name in ("one", "two"):
            self.record(network=name, fit_loss=[3.0, 2.0, 1.5], select_loss=[3.1, 2.5, 2.6], best_epoch=2)
        self.artifact("attention", np.full((2, 4), 0.25))
    def forecast(self, history):
        return history.variance[-1]
""",
        seeds=2,
    )
    assert sandbox("run").code == 0
    assert {"training", "attention"} <= set(board_of(sandbox)["figures"])
    folder = sandbox.root / "results/tiny/figures"
    assert b"learner (4 networks)" in (folder / "training.svg").read_bytes()
    assert b"learner, 4 networks" in (folder / "attention.svg").read_bytes()


def test_records_that_are_no_curves_are_passed_over(sandbox, drawn_figures):
    sandbox.add_entry(
        "odd",
        """
class Model(Forecaster):
    def fit(self, history):
        self.record(fit_loss=[], select_loss="x", best_epoch=None)
        self.record(fit_loss=[float("nan"), 1.0], select_loss=[1.0, 2.0], best_epoch="two")
        self.artifact("attention", 3.0)
    def forecast(self, history):
        return history.variance[-1]
""",
    )
    assert sandbox("run").code == 0
    assert "attention" not in board_of(sandbox)["figures"]


def npz(array: np.ndarray) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, attention=array)
    return sink.getvalue()


SAW_ITSELF = """
class Model(Forecaster):
    def fit(self, history):
        self.record(network="one", fit_loss=[3.0, 2.0], select_loss=[3.1, 2.5], best_epoch=2)
        self.artifact("attention", np.full((2, 4 + {more}), 0.25))
    def forecast(self, history):
        return history.variance[-1]
"""


def test_attention_of_two_shapes_costs_its_figure_alone(sandbox, drawn_figures):
    sandbox.add_entry("two", SAW_ITSELF.format(more="self.seed"), seeds=2)
    assert sandbox("run").code == 0
    board = board_of(sandbox)
    assert "attention" not in board["figures"] and {"training", "pairs", "cost"} <= set(board["figures"])
    (line,) = board["undrawn"]
    assert line.startswith("attention: ") and "two" in line and "number of lags" in line
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert text.count("Not drawn: attention") == 1 and "figures/attention.svg" not in text
    assert not (sandbox.root / "results/tiny/figures/attention.svg").exists()
    assert sandbox("board").code == 0


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        npz(np.full((1, 3), np.inf)),
        npz(np.zeros((0, 3))),
        npz(np.zeros((3, 0))),
        npz(np.array([[None]])),
    ],
    ids=["no archive", "infinite", "no network", "no lag", "objects"],
)
def test_a_file_of_attention_that_is_unsound_costs_its_figure_alone(sandbox, drawn_figures, content):
    sandbox.add_entry("one", SAW_ITSELF.format(more="0"))
    assert sandbox("run").code == 0
    assert "attention" in board_of(sandbox)["figures"] and "undrawn" not in board_of(sandbox)
    folder = sandbox.root / "results/tiny/official/next-day/one"
    (folder / "artifacts-0.npz").write_bytes(content)
    make_board(Scope.of(Registry(sandbox.root), "tiny", "official"))
    (line,) = board_of(sandbox)["undrawn"]
    assert line.startswith("attention: tiny/official/next-day/one") or "one" in line
    assert "pairs" in board_of(sandbox)["figures"]


@pytest.mark.parametrize("told", [{"select_loss": [1e308, 1.0]}, {"fit_loss": [10**1000]}, {"best_epoch": 10**308},
                                  {"best_epoch": -5}])  # fmt: skip
def test_curves_of_old_records_that_cannot_be_drawn_are_passed_over(sandbox, drawn_figures, told):
    sandbox.add_entry("one", SAW_ITSELF.format(more="0"))
    assert sandbox("run").code == 0
    path = sandbox.root / "results/tiny/official/next-day/one/run.json"
    record = json.loads(path.read_bytes())
    record["measured"]["seeds"]["0"]["records"][0].update(told)
    path.write_text(json.dumps(record))
    make_board(Scope.of(Registry(sandbox.root), "tiny", "official"))
    assert "undrawn" not in board_of(sandbox)
    assert ("training" in board_of(sandbox)["figures"]) == ("best_epoch" in told)


def test_a_figure_is_a_function_and_a_record(sandbox, drawn_figures, monkeypatch):
    from bench.board.render.figures import FIGURES, BoardFigure
    from bench.board.render.style import new_figure

    def bars(it):
        figure, axes = new_figure(3, 2)
        axes.bar([row.entry for row in it.table.rows], [row.qlike for row in it.table.rows])
        return figure

    captioned = BoardFigure("bars", "QLIKE beside that of {anchor}", lambda it: it.anchored, bars)
    monkeypatch.setitem(FIGURES, "bars", captioned)
    monkeypatch.setitem(FIGURES, "never", BoardFigure("never", "nothing", lambda it: False, bars))
    assert sandbox("run").code == 0
    assert {"bars", "never"} & set(board_of(sandbox)["figures"]) == {"bars"}
    ET.fromstring((sandbox.root / "results/tiny/figures/bars.svg").read_bytes())
    text = (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "*QLIKE beside that of mean.*" in text or "*QLIKE beside that of flat.*" in text

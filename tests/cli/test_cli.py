"""The command line: help, listing, suggestions, plans, data commands, exit codes."""

from __future__ import annotations

import re

import pytest
from conftest import DATASET, made_up_bars, made_up_vix

from bench.run import sandbox as levels


@pytest.mark.parametrize("command", [["run"], ["board"], ["list"], ["show"], ["data"], ["data", "check"], []])
def test_every_help_ends_with_examples(sandbox, command):
    outcome = sandbox(*command, "--help")
    assert outcome.code == 0
    assert "Examples:" in outcome.out
    assert outcome.out.rstrip().splitlines()[-1].strip().startswith("bench ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "flt"], "no entry `flt` (did you mean `flat`?)"),
        (["run", "--dataset", "tinny"], "no dataset `tinny` (did you mean `tiny`?)"),
        (["run", "--split", "oficial"], "tiny has no split `oficial` (did you mean `official`?)"),
        (["run", "--task", "next-dai"], "no task `next-dai` (did you mean `next-day`?)"),
        (["list", "entrys"], "nothing called `entrys` to list (did you mean `entries`?)"),
        (["show", "men"], "no entry `men` (did you mean `mean`?)"),
        (["data", "check", "tine"], "no dataset `tine` (did you mean `tiny`?)"),
    ],
)
def test_unknown_names_get_a_suggestion(sandbox, arguments, message):
    outcome = sandbox(*arguments)
    assert outcome.code == 2
    assert outcome.err == f"error: {message}\n"
    assert outcome.out == ""


def test_an_unknown_command_gets_a_suggestion(sandbox):
    outcome = sandbox("bord")
    assert outcome.code == 2
    assert "board" in outcome.err


def test_plan_runs_nothing(sandbox):
    outcome = sandbox("run", "--plan")
    assert outcome.code == 0
    assert outcome.out.startswith("2 to run, 0 results done, 0 skipped")
    assert "flat all horizons" in outcome.out
    assert not (sandbox.root / "results").exists()


def test_one_task_of_many(sandbox):
    sandbox.add_entry("two", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]",
                      tasks=["next-day", "week-ahead"])  # fmt: skip
    plan = sandbox("run", "two", "--task", "week-ahead", "--plan", "--json").json
    assert plan["run"] == ["two week-ahead"]
    plan = sandbox("run", "two", "--task", "rolling-21d", "--plan", "--json").json
    assert plan["run"] == ["two next-day"], "rows of a derived task need the task they are derived from"


def test_list_and_show(sandbox):
    assert [item["entry"] for item in sandbox("list", "entries", "--json").json] == ["flat", "mean"]
    assert [item["dataset"] for item in sandbox("list", "datasets", "--json").json] == ["tiny"]
    rows = {item["task"]: item["rows"] for item in sandbox("list", "tasks", "--json").json}
    assert rows["rolling-21d"] == "derived from next-day"
    sandbox("run")
    card = sandbox("show", "flat", "--json").json
    assert card["reads"] == "bars"
    states = {(item["split"], item["task"]): item["state"] for item in card["results"]}
    assert states == {("official", "next-day"): "done", ("official", "week-ahead"): "done"}
    assert float(card["results"][0]["QLIKE"]) > 0.1
    assert "next-day" in sandbox("show", "flat").out


def test_a_list_fits_the_terminal(sandbox, monkeypatch):
    sandbox.add_entry("long", "class Model(Forecaster): ...", description="one word after another " * 9)
    for width in (60, 80, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        out = sandbox("list").out
        assert max(map(len, out.splitlines())) <= width
        assert out.split()[:5] == ["entry", "family", "tasks", "reads", "description"]
    assert len(sandbox("list", "--json").json[1]["description"]) > 200


def test_a_board_is_shown_by_symbol_and_by_entries(ran):
    rows = ran("board", "--symbol", "BBB", "--json").json
    assert [row["QLIKE of BBB"] for row in rows] == sorted(row["QLIKE of BBB"] for row in rows)
    table = ran("board", "--json").json["tables"][0]
    assert {row["entry"]: row["QLIKE of BBB"] for row in rows} == {
        row["entry"]: row["symbol_qlike"][1] for row in table["rows"]
    }
    assert "`mean`" not in ran("board", "--entries", "flat").out
    assert [row["entry"] for row in ran("board", "--entries", "flat", "--symbol", "AAA", "--json").json] == ["flat"]
    assert "no symbol `BBC` (did you mean `BBB`?)" in ran("board", "--symbol", "BBC").err
    assert "no `flatt` on this board (did you mean `flat`?)" in ran("board", "--entries", "flatt").err


@pytest.mark.parametrize(("ending", "begins"), [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")])
def test_a_figure_is_written_by_its_ending(ran, tmp_path, ending, begins):
    for name, command in (("pair", ["compare", "flat", "mean"]), ("one", ["show", "flat"])):
        path = tmp_path / f"{name}.{ending}"
        assert ran(*command, "--figure", str(path)).code == 0
        before = path.read_bytes()
        assert before.startswith(begins)
        ran(*command, "--figure", str(path))
        assert path.read_bytes() == before


def test_a_comparison_says_its_tests_in_words(ran):
    (line,) = [line for line in ran("compare", "flat", "mean").out.splitlines() if line.startswith("test: ")]
    assert re.fullmatch(
        r"test: panel, bartlett with \d+ lags: t\(\d+\) = -?\d+\.\d\d, p [<\d.]+; "
        r"beside it, equal-weighted cosine: t\(\d+\) = -?\d+\.\d\d, p [<\d.]+",
        line,
    ), line


def test_another_ending_is_refused(ran, tmp_path):
    outcome = ran("show", "flat", "--figure", str(tmp_path / "one.gif"))
    assert outcome.code == 2
    assert "one.gif: this figure is written as .svg, .png, .pdf" in outcome.err


def test_variants_of_a_study_are_compared_where_the_study_is(sandbox):
    sandbox.add_study("trials", "flat", 7)
    assert sandbox("run").code == sandbox("study", "trials").code == 0
    names = [card["entry"] for card in sandbox("board", "--study", "trials", "--json").json["cards"]]
    first, second = names[0], names[-1]
    by_name = sandbox("compare", f"trials/{first}", f"trials/{second}", "--json")
    assert by_name.code == 0, by_name.err
    assert by_name.json == sandbox("compare", first, second, "--study", "trials", "--json").json
    assert [row["study"] for row in sandbox("list", "studies", "--json").json] == ["trials"]


def test_every_board_there_is(sandbox):
    assert sandbox("board", "--all").out == ""
    assert sandbox("run").code == sandbox("run", "--split", "development").code == 0
    shown = sandbox("board", "--all").out
    assert shown.index("tiny development, next-day") < shown.index("tiny official, next-day")
    assert [board["split"] for board in sandbox("board", "--all", "--json").json] == ["development", "official"]


def test_a_run_without_a_sandbox_says_how_to_get_one(sandbox, monkeypatch):
    monkeypatch.setattr(levels, "obstacle", lambda: "bwrap is not installed")
    first = sandbox("run", "flat").err
    assert "no bubblewrap here (bwrap is not installed): entries run at the level `" in first
    assert "apt-get install bubblewrap" in first
    assert "no bubblewrap" not in sandbox("run", "flat").err, "nothing is run"
    sandbox.settings["limits"]["sandbox"] = "off"
    sandbox.write_settings()
    assert "no bubblewrap" not in sandbox("run", "mean").err, "that was chosen"


def test_board_json_is_the_table(sandbox):
    sandbox("run")
    board = sandbox("board", "--json").json
    assert [table["task"] for table in board["tables"]] == ["next-day", "rolling-21d", "week-ahead"]


def test_data_check_and_identity(sandbox):
    facts = sandbox("data", "check", "tiny", "--json").json
    assert facts["sessions"] == 320
    assert facts["zero-range bars"] == 0
    identity = sandbox("data", "identity", "tiny", "--json").json["official"]
    assert identity["is"] == "not pinned"
    spec = DATASET | {"identity": {"official": identity["identity"]}}
    sandbox.add_dataset("tiny", spec, made_up_bars(), made_up_vix())
    assert sandbox("data", "identity", "tiny", "--json").json["official"]["is"] == "as pinned"
    sandbox.add_dataset("tiny", spec, made_up_bars(seed=9), made_up_vix())
    assert sandbox("data", "identity", "tiny", "--json").json["official"]["is"].startswith("NOT the pinned")


def test_bars_that_are_not_there(sandbox):
    (sandbox.root / "datasets/tiny/bars.csv").unlink()
    outcome = sandbox("run")
    assert outcome.code == 2
    assert "set BENCH_DATA to a folder that holds tiny/" in outcome.err
    assert outcome.err.count("\n") == 1


def test_version(sandbox):
    assert sandbox("--version").out.startswith("volmark ")

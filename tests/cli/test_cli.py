"""The command line: help, listing, suggestions, plans, data commands, exit codes."""

from __future__ import annotations

import pytest
from conftest import DATASET, made_up_bars, made_up_vix


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

"""Running a published result again: what is told, what is kept, and what the board makes of it."""

from __future__ import annotations

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
import yaml
from conftest import keep_seeds, made_up_bars, made_up_vix

from bench.store import Place, read_reproduction, read_run
from bench.store import read as read_result

DAY = "2026-03-04"


def folder(sandbox, task: str = "next-day", entry: str = "flat"):
    return sandbox.root / "results/tiny/official" / task / entry


def record(sandbox, task: str = "next-day", entry: str = "flat") -> dict:
    return json.loads((folder(sandbox, task, entry) / "reproduced.json").read_bytes())


def contents(sandbox) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in (sandbox.root / "results").rglob("*") if path.is_file()}


def change(sandbox, factor: float, entry: str = "flat") -> None:
    """Publish other forecasts than the entry makes."""
    place = Place(sandbox.root / "results", "tiny", "official", "next-day", entry)
    stored = read_result(place)
    values = stored.forecasts.forecast_var.copy()
    values[3, 2] *= factor
    forecasts = type(stored.forecasts)(
        stored.forecasts.origins, stored.forecasts.dates, stored.forecasts.symbols, values
    )
    keep_seeds(place, stored.run, {0: forecasts})


@pytest.fixture
def published(sandbox):
    """A benchmark with results."""
    assert sandbox("run").code == 0
    return sandbox


def test_the_same_forecasts_are_marked_with_date_and_hardware(published):
    before = read_run(Place(published.root / "results", "tiny", "official", "next-day", "flat"))
    outcome = published("reproduce", "flat", "--date", DAY)
    assert outcome.code == 0, outcome.err
    assert [line.split(": ")[:2] for line in outcome.out.splitlines()] == [
        [f"results/tiny/official/{task}/flat", "reproduced"] for task in ("next-day", "week-ahead")
    ]
    assert "largest relative difference 0 (tolerance 1e-09)" in outcome.out
    said = record(published)
    assert (said["date"], said["digest"], said["largest_difference"]) == (DAY, before.digest, 0.0)
    assert said["hardware"]["cores"] >= 1
    assert "numpy" in said["versions"]
    assert read_run(Place(published.root / "results", "tiny", "official", "next-day", "flat")) == before


def test_the_board_says_which_rows_were_reproduced(published):
    published("reproduce", "flat", "--date", DAY)
    published("reproduce", "mean", "--task", "rolling-21d", "--date", DAY)  # derived from next-day's forecasts
    text = (published.root / "results/tiny/LEADERBOARD.md").read_text()
    costs = {line.split("|")[1].strip(): line for line in text.splitlines() if line.endswith(" |") and DAY in line}
    assert f"reproduced {DAY} |" in costs["`flat`"]
    assert f"reproduced {DAY} (next-day) |" in costs["`mean`"]
    assert "Reproduced on " in text
    assert "`flat`, `mean`" in text
    board = json.loads((published.root / "results/tiny/leaderboard.json").read_bytes())
    assert {card["entry"]: card["reproduced"] for card in board["cards"]} == {
        "flat": {"next-day": DAY, "week-ahead": DAY},
        "mean": {"next-day": DAY, "week-ahead": None},
    }
    rows = csv.DictReader(io.StringIO((published.root / "results/tiny/leaderboard.csv").read_text()))
    found = {(row["task"], row["entry"]): row["reproduced"] for row in rows}
    assert found["rolling-21d", "mean"] == found["next-day", "mean"] == DAY
    assert found["week-ahead", "mean"] == "self-reported"
    assert published("board", "--check").code == 0
    shown = published("show", "mean", "--json").json["results"]
    assert [row["forecasts"].split(" on ")[0] for row in shown] == [f"reproduced {DAY}", "self-reported"]


def test_a_self_reported_row_says_so(published):
    text = (published.root / "results/tiny/LEADERBOARD.md").read_text()
    assert text.count("self-reported |") == 2
    assert "Reproduced on" not in text


def test_other_forecasts_are_told_with_the_place_and_not_marked(published):
    change(published, 1.001)
    before = contents(published)
    outcome = published("reproduce", "flat", "--task", "next-day")
    assert outcome.code == 1
    assert outcome.out.startswith(
        "results/tiny/official/next-day/flat: different: largest relative difference 0.000999,"
    )
    assert ", CCC on 2011-01-06 (tolerance 1e-09)" in outcome.out
    assert contents(published) == before


def test_the_row_declares_its_tolerance(published):
    change(published, 1.001)
    identity = published.run_json("flat")["identity"]
    path = published.root / "submissions/flat/submission.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["entries"][0]["tolerance"] = 0.01
    path.write_text(yaml.safe_dump(spec))
    assert published("run", "--plan", "--json").json["run"] == []  # it is no part of the identity
    (attempt,) = published("reproduce", "flat", "--task", "next-day", "--json").json
    assert attempt["outcome"] == "reproduced"
    assert attempt["largest_difference"] == pytest.approx(0.001, rel=0.01)
    assert (record(published)["tolerance"], published.run_json("flat")["identity"]) == (0.01, identity)


@pytest.mark.parametrize("tolerance", [-1, 2, "wide"])
def test_a_tolerance_is_a_small_number(sandbox, tolerance):
    sandbox.add_entry("flat", "class Model(Forecaster): pass", tolerance=tolerance)
    assert "entries.0.tolerance: " in sandbox("list", "entries").err


def test_a_new_result_loses_the_mark(published):
    published("reproduce", "flat")
    spec = published.root / "submissions/flat/submission.yaml"
    spec.write_text(spec.read_text().replace("version: 1", "version: 2"))
    model = published.root / "submissions/flat/model.py"
    model.write_text(model.read_text().replace("[-1]", "[-2]"))
    published("run", "flat")
    assert not (folder(published) / "reproduced.json").exists()
    assert (published.root / "results/tiny/LEADERBOARD.md").read_text().count("self-reported |") == 2


def test_a_record_of_other_forecasts_or_beyond_its_tolerance_counts_for_nothing(published):
    published("reproduce", "flat", "--task", "next-day")
    place = Place(published.root / "results", "tiny", "official", "next-day", "flat")
    run, path = read_run(place), folder(published) / "reproduced.json"
    good = record(published)
    assert read_reproduction(place, run) is not None
    for bad in ({"digest": "0" * 64}, {"largest_difference": 1.0}, {"date": 5}):
        path.write_text(json.dumps({**good, **bad}))
        assert read_reproduction(place, run) is None


def test_changed_code_is_not_run(published):
    old = published.run_json("flat")["identity_of"]["code"]
    (published.root / "submissions/flat/more.py").write_text("x = 1\n")
    outcome = published("reproduce", "flat", "mean")
    assert outcome.code == 1
    assert f"next-day/flat: other code: was made with code {old[:12]}" in outcome.out
    assert "check out the commit that published it" in outcome.out
    assert "next-day/mean: reproduced" in outcome.out


def test_an_entry_that_fails_now(published):
    path = published.root / "submissions/flat/model.py"
    here = published.root / "here"
    path.write_text(
        path.read_text().replace("return", f"assert not __import__('os').path.exists({str(here)!r})\n        return")
    )
    published("run", "flat")
    before = contents(published)
    published.settings["limits"]["memory_mb"] = 1
    published.write_settings()
    outcome = published("reproduce", "flat", "--task", "next-day")
    assert outcome.code == 1
    assert "next-day/flat: failed: " in outcome.out
    assert contents(published) == before


def test_what_has_no_results_cannot_be_reproduced(sandbox):
    outcome = sandbox("reproduce", "flat")
    assert (outcome.code, outcome.out) == (2, "")
    assert "flat has no published forecasts on tiny official to compare with" in outcome.err
    assert "no entry `flta` (did you mean `flat`?)" in sandbox("reproduce", "flta").err
    assert "3.4. is no day: write it as 20" in sandbox("reproduce", "flat", "--date", "3.4.").err
    assert "no task `next` (did you mean `next-day`?)" in sandbox("reproduce", "flat", "--task", "next").err


def test_damaged_forecasts_are_not_compared_with(published):
    path = folder(published) / "forecasts.parquet"
    pq.write_table(pq.read_table(path).slice(3), path)
    assert "flat has no published forecasts on tiny official next-day to compare with (next-day: results/tiny" in (
        published("reproduce", "flat", "--task", "next-day").err
    )


def test_other_bars_are_refused_or_compared_without_a_mark(published):
    path = published.root / "datasets/tiny/dataset.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["identity"] = {"official": published("data", "identity", "tiny", "--json").json["official"]["identity"]}
    bars = made_up_bars()
    bars[["open", "high", "low", "close"]] *= 1.5  # another adjustment: the same returns but for the last bits
    published.add_dataset("tiny", spec, bars, made_up_vix())
    refused = published("reproduce", "flat")
    assert refused.code == 2
    assert "these bars are not the ones that the board of `official` was made from" in refused.err
    before = contents(published)
    outcome = published("reproduce", "flat", "--any-bars", "--json")
    assert outcome.code == 1
    assert {attempt["outcome"] for attempt in outcome.json} == {"other bars"}
    assert all(0 < attempt["largest_difference"] < 1e-9 for attempt in outcome.json)
    assert contents(published) == before


def test_several_seeds_are_run_again(sandbox):
    sandbox.add_entry(
        "random",
        """
class Model(Forecaster):
    def forecast(self, history):
        return history.variance[-1] * np.exp(self.generator(str(len(history))).normal(size=len(history.symbols)))
""",
        seeds=2,
    )
    sandbox("run")
    sandbox("ledger", "--update")
    outcome = sandbox("reproduce", "random", "--date", DAY)
    assert outcome.code == 0, outcome.out
    assert record(sandbox, entry="random")["date"] == DAY
    assert sandbox("verify").code == 0

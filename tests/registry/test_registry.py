"""The registry: wrong YAML is one line that names file and key; entries are found without importing them."""

from __future__ import annotations

import shutil
from datetime import date
from typing import Any

import pytest
import yaml
from conftest import DATASET, ROOT, made_up_bars, made_up_vix

from bench.errors import BenchError
from bench.registry.config import Registry
from bench.registry.entries import discover


def broken_dataset(sandbox, **changes: Any) -> str:
    spec = {key: value for key, value in (DATASET | changes).items() if value is not None}
    folder = sandbox.root / "datasets" / "tiny"
    (folder / "dataset.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(BenchError) as caught:
        Registry(sandbox.root).dataset("tiny")
    return str(caught.value)


def split(**windows: Any) -> dict[str, Any]:
    return {"official": DATASET["splits"]["official"] | windows}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simbols": ["A"]}, "datasets/tiny/dataset.yaml: simbols: unknown key (did you mean `symbols`?)"),
        ({"measure": "garman-class"}, "dataset.yaml: measure: no measure garman-class (did you mean `garman-klass`?)"),
        ({"measure": None}, "dataset.yaml: measure: missing key"),
        ({"symbols": ["AAA", "AAA"]}, "dataset.yaml: symbols: AAA listed twice"),
        ({"symbols": []}, "dataset.yaml: symbols:"),
        ({"market": "AAB"}, "dataset.yaml: market AAB is not among symbols (did you mean `AAA`?)"),
        (
            {"splits": split(fit=["2010-02-01", "2010-01-01"])},
            "dataset.yaml: splits.official.fit: the last day 2010-01-01 lies before the first day 2010-02-01",
        ),
        (
            {"splits": split(select=["2010-10-01", "2010-12-31"])},
            "dataset.yaml: splits.official: fit ends on 2010-10-29, select starts on 2010-10-01: windows must not",
        ),
        ({"splits": split(fit=["2010-02-01"])}, "splits.official.fit: write a window as [first day, last day]"),
        ({"splits": split(score=["2011-02-30", "2011-03-01"])}, "dataset.yaml: splits.official.score.first:"),
        ({"splits": split(scores=["2011-01-01", None])}, "splits.official.scores: unknown key (did you mean `score`?)"),
        ({"warmup_from": "2010-03-01"}, "splits.development.fit starts on 2010-02-01, before warmup_from 2010-03-01"),
        ({"identity": {"oficial": "x"}}, "identity.oficial is no split (did you mean `official`?)"),
        ({"source": {"kind": "sql"}}, "dataset.yaml: source"),
        ({"vix": {"frm": "2010-01-01"}}, "vix.frm: unknown key (did you mean `from`?)"),
        ({"id": "other"}, "dataset.yaml: id: is set by the folder, remove the key"),
    ],
)
def test_a_wrong_dataset_names_file_and_key(sandbox, changes, message):
    assert message in broken_dataset(sandbox, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"headlin": "x"}, "bench.yaml: headlin: unknown key (did you mean `headline`?)"),
        ({"headline": "next-dai"}, "bench.yaml: headline next-dai is no task (did you mean `next-day`?)"),
        ({"tasks": {"next-day": {"ahead": 0}}}, "bench.yaml: tasks.next-day.ahead:"),
        ({"limits": {"memory": 1}}, "bench.yaml: limits.memory: unknown key (did you mean `memory_mb`?)"),
        ({"protocol": None}, "bench.yaml: protocol: "),
    ],
)
def test_wrong_settings_name_file_and_key(sandbox, changes, message):
    sandbox.settings |= changes
    sandbox.write_settings()
    outcome = sandbox("list", "tasks")
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_no_yaml_at_all(sandbox):
    (sandbox.root / "bench.yaml").write_text("tasks: [unclosed")
    assert "bench.yaml: not valid YAML" in sandbox("list").err
    (sandbox.root / "bench.yaml").write_text("- a\n- b")
    assert "bench.yaml: expected keys and values, found list" in sandbox("list").err
    (sandbox.root / "bench.yaml").unlink()
    assert "no bench.yaml in" in sandbox("list").err


def test_a_dataset_of_ones_own_needs_a_folder_and_no_code(sandbox):
    spec = {
        "title": "Mine",
        "symbols": ["X", "Y"],
        "measure": "parkinson",
        "warmup_from": "2010-01-01",
        "splits": DATASET["splits"],
        "volume": False,
    }
    bars = made_up_bars(symbols=("X", "Y", "Z"), seed=5).drop(columns="volume").sample(frac=1, random_state=1)
    sandbox.add_dataset("mine", spec, bars, None)
    assert "mine" in sandbox("list", "datasets").out
    assert sandbox("data", "check", "mine", "--json").json["symbols"] == 2
    assert sandbox("run", "--dataset", "mine", "--split", "development").code == 0
    assert (sandbox.root / "results/mine/development/LEADERBOARD.md").exists()


# Entries --------------------------------------------------------------------------------------------


def test_ours_are_well_formed():
    catalogue = discover(ROOT / "submissions")
    assert catalogue.problems == []
    assert {"garch", "garch-unscaled", "gjr-garch", "egarch", "har", "log-har", "log-har-vix"} <= set(catalogue.entries)
    assert {"random-walk", "historical-mean", "trailing-mean", "ewma"} <= set(catalogue.entries)


def submission(sandbox, **changes: Any) -> None:
    path = sandbox.root / "submissions/flat/submission.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["entries"][0] |= changes.pop("row", {})
    path.write_text(yaml.safe_dump({key: value for key, value in (spec | changes).items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"athors": []}, "flat/submission.yaml: athors: unknown key (did you mean `authors`?)"),
        ({"licence": None}, "flat/submission.yaml: licence: missing key"),
        ({"row": {"refits": 5}}, "flat/submission.yaml: entries.0.refits: unknown key (did you mean `refit`?)"),
        ({"row": {"reads": ["vixx"]}}, "entries.0.reads: no input `vixx` (did you mean `vix`?)"),
        ({"row": {"name": "Bad Name"}}, "entries.0.name:"),
        ({"row": {"class": "not a class"}}, "entries.0.class:"),
        ({"row": {"seeds": True}}, "entries.0.seeds:"),
        ({"row": {"version": "1 | <b>"}}, "entries.0.version:"),
        ({"row": {"description": "a\x1b[31m"}}, "entries.0.description: write plain text in one line"),
        ({"row": {"parameters": {"x": float("nan")}}}, "entries.0.parameters: values are numbers, text"),
        ({"row": {"parameters": {"x": date(2020, 1, 1)}}}, "entries.0.parameters: values are numbers, text"),
        ({"row": {"seeds": 0}}, "entries.0.seeds:"),
        (
            {"row": {"tasks": ["next-dey"]}},
            "flat/submission.yaml: entries: flat: no task `next-dey` (did you mean `next",
        ),
    ],
)
def test_a_wrong_submission_is_left_out_and_said_and_the_rest_runs(sandbox, changes, message):
    submission(sandbox, **changes)
    outcome = sandbox("run")
    assert outcome.code == 1
    assert f"left out: {message}" in outcome.err.replace("submissions/", "") or message in outcome.err
    assert sandbox.run_json("mean")["state"] == "done"
    assert sandbox("list").err.startswith("left out:")


def test_an_impossible_date_is_one_line_and_the_rest_runs(sandbox):
    path = sandbox.root / "submissions/flat/submission.yaml"
    path.write_text(path.read_text() + "\nsince: 2010-02-31\n")
    outcome = sandbox("list")
    assert outcome.code == 0
    assert "left out: " in outcome.err
    assert "not valid YAML" in outcome.err
    assert "mean" in outcome.out


def test_a_broken_dataset_does_not_hide_the_others(sandbox):
    folder = sandbox.root / "datasets/bad"
    folder.mkdir()
    (folder / "dataset.yaml").write_text("title: x")
    outcome = sandbox("list", "datasets")
    assert "tiny" in outcome.out
    assert "left out: datasets/bad/dataset.yaml" in outcome.err


def test_a_root_that_is_none_is_said(sandbox):
    outcome = sandbox("--root", str(sandbox.root / "datasets"), "list")
    assert outcome.code == 2
    assert "no bench.yaml in" in outcome.err


def test_a_name_that_is_taken_is_said(sandbox):
    shutil.copytree(sandbox.root / "submissions/flat", sandbox.root / "submissions/zcopy")
    outcome = sandbox("list", "entries")
    assert "zcopy/submission.yaml: entries: flat is taken by flat; choose another name" in outcome.err


def test_a_link_is_no_code(sandbox):
    (sandbox.root / "submissions/flat/data.csv").symlink_to(sandbox.root / "datasets/tiny/bars.csv")
    outcome = sandbox("run", "flat")
    assert outcome.code == 2
    assert "no entry `flat`" in outcome.err
    assert "flat/data.csv: is a link; put the file itself in the entry's folder" in outcome.err


def test_listing_imports_no_model_code_and_nothing_heavy(sandbox):
    import subprocess
    import sys

    sandbox.add_entry("bomb", "raise SystemExit('imported')")
    code = (
        "import sys; from bench.cli import main\n"
        f"sys.argv = ['bench', '--root', {str(sandbox.root)!r}, 'list', 'entries']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'arch', 'pandas', 'matplotlib', 'pyarrow', 'scipy', 'statsmodels'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bomb" in done.stdout


def test_the_dates_of_vix_and_bars_may_differ_in_length(sandbox):
    sandbox.add_dataset("tiny", DATASET, made_up_bars(), made_up_vix(319))
    outcome = sandbox("data", "check", "tiny")
    assert outcome.code == 2
    assert "no VIX on 2011-03-25 (the newest session" in outcome.err

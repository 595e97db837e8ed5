"""Entries from outside: named by their folder, or brought by an installed package; ours win."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from conftest import FLAT

BROKEN = "authors: []\nentries: []\n"


@pytest.fixture
def mine(sandbox, tmp_path) -> Path:
    """A family of two rows, `one` and `two`, beside the benchmark."""
    family = sandbox.add_entry("one", FLAT, tasks="path")
    sandbox.add_rows("one", [{"name": "two"}])
    return Path(shutil.move(family, tmp_path / "mine"))


def install(site: Path, package: str, entry_point: str, family: Path | None, where: str = "") -> None:
    """What pip leaves of a package that brings a family: its folder and its metadata."""
    info = site / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[volmark.entries]\nmine = {entry_point}\n")
    (site / package).mkdir()
    (site / package / "__init__.py").write_text("raise SystemExit('imported')\n")
    if family is not None:
        shutil.copytree(family, site / package / where, dirs_exist_ok=True)


def test_a_folder_names_all_its_rows_and_leaves_the_committed_results_alone(sandbox, mine):
    sandbox("run")
    committed = sorted((sandbox.root / "results").rglob("*"))
    outcome = sandbox("run", str(mine))
    assert outcome.code == 0, outcome.err
    assert "starts as a copy of" in outcome.err
    assert "not under submissions" not in outcome.err
    assert sorted((sandbox.root / "results").rglob("*")) == committed
    board = (sandbox.root / "scratch/tiny/LEADERBOARD.md").read_text()
    assert all(name in board for name in ("`one`", "`two`", "`flat`", "`mean`"))


def test_a_results_folder_that_is_named_is_taken(sandbox, mine, tmp_path):
    assert sandbox("run", str(mine), "--results", str(tmp_path / "there")).code == 0
    assert (tmp_path / "there/tiny/LEADERBOARD.md").is_file()
    assert not (sandbox.root / "scratch").exists()


def test_a_relative_path_is_one_of_the_working_folder(sandbox, mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    assert sandbox("run", "./mine", "--plan", "--json").json["run"] == ["one all horizons", "two all horizons"]
    assert sandbox("run", "mine", "flat", "--plan", "--json").json["run"][-1] == "flat all horizons"


def test_a_folder_of_ours_is_ours(sandbox):
    assert sandbox("run", str(sandbox.root / "submissions/flat")).code == 0
    assert (sandbox.root / "results/tiny/official/next-day/flat/run.json").is_file()
    assert not (sandbox.root / "scratch").exists()


def test_a_folder_is_shown_and_checked(sandbox, mine):
    shown = sandbox("show", str(mine))
    assert "entry         one" in shown.out
    assert "entry         two" in shown.out
    assert [card["entry"] for card in sandbox("show", str(mine), "--json").json] == ["one", "two"]
    assert "passed: one, two" in sandbox("check", str(mine)).err


@pytest.mark.parametrize("command", ["run", "show", "check"])
def test_a_name_of_ours_is_refused_in_a_folder_that_was_named(sandbox, mine, command):
    spec = yaml.safe_load((mine / "submission.yaml").read_text())
    spec["entries"][1]["name"] = "flat"
    (mine / "submission.yaml").write_text(yaml.safe_dump(spec))
    outcome = sandbox(command, str(mine))
    assert outcome.code in (1, 2)
    assert "flat is taken by" in outcome.out + outcome.err


def test_a_folder_without_entries_is_said(sandbox, tmp_path):
    outcome = sandbox("run", str(tmp_path))
    assert outcome.code == 2
    assert f"no submission.yaml in {tmp_path}" in outcome.err


@pytest.mark.parametrize(("entry_point", "where"), [("pack", ""), ("pack.forecasters", "forecasters")])
def test_an_installed_package_brings_entries_without_being_imported(
    sandbox, mine, tmp_path, monkeypatch, entry_point, where
):
    install(tmp_path / "site", "pack", entry_point, mine, where)
    monkeypatch.syspath_prepend(tmp_path / "site")
    listed = {row["entry"]: row["family"] for row in sandbox("list", "--json").json}
    assert listed["one"].endswith("(package pack)")
    assert listed["flat"] == "flat"
    everything = sandbox("run", "--plan", "--json").json["run"]
    assert everything == ["flat all horizons", "mean all horizons"]  # theirs have to be named
    assert sandbox("run", "two").code == 0
    assert (sandbox.root / "scratch/tiny/official/next-day/two/run.json").is_file()
    assert not (sandbox.root / "results").exists()


def test_a_name_of_ours_wins_over_an_installed_package(sandbox, mine, tmp_path, monkeypatch):
    shutil.copytree(mine, sandbox.root / "submissions/mine")
    install(tmp_path / "site", "pack", "pack", mine)
    monkeypatch.syspath_prepend(tmp_path / "site")
    outcome = sandbox("list", "--json")
    assert [row["family"] for row in outcome.json if row["entry"] == "one"] == ["mine"]
    assert "left out: installed package pack: one is taken by submissions/mine" in outcome.err
    assert outcome.err.count("\n") == 2  # a line each
    assert sandbox("run", "one").code == 0  # what is left out of a package is no failure of ours


@pytest.mark.parametrize(
    ("entry_point", "yaml_text", "message"),
    [
        ("pack", BROKEN, "installed package pack: site/pack/submission.yaml: authors:"),
        ("pack", None, "installed package pack: no submission.yaml in pack"),
        ("nowhere_to_be_found", None, "there is no package nowhere_to_be_found"),
    ],
)
def test_a_broken_package_is_a_line_and_the_rest_is_listed(
    sandbox, tmp_path, monkeypatch, entry_point, yaml_text, message
):
    install(tmp_path / "site", "pack", entry_point, None)
    if yaml_text:
        (tmp_path / "site/pack/submission.yaml").write_text(yaml_text)
    monkeypatch.syspath_prepend(tmp_path / "site")
    outcome = sandbox("list")
    assert outcome.code == 0
    assert "flat" in outcome.out
    assert message in outcome.err

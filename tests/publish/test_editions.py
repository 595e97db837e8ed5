"""Editions: what is frozen, what is refused, and whether one follows from its forecasts years later."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from citations import check_cff, parse_bibtex
from conftest import ROOT, Sandbox, made_once

from bench.errors import BenchError
from bench.publish import keeping
from bench.publish.derivation import verify_edition
from bench.publish.editions import check_sums, open_edition
from bench.publish.freezing import contents, freeze
from bench.registry.config import Registry
from bench.store.realized import read_realized, write_realized

DOUBLE = """
class Model(PathForecaster):
    def forecast(self, history):
        return np.tile(2 * history.variance[-1], (self.steps, 1))
"""
BROKEN = """
class Model(PathForecaster):
    def forecast(self, history):
        return "no"
"""


@pytest.fixture
def box(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A benchmark with results on two splits and a failed entry, nothing frozen yet."""

    def run() -> None:
        shutil.copy(ROOT / "CITATION.cff", sandbox.root)
        sandbox.add_entry("broken", BROKEN, tasks="path")
        sandbox("run", "--split", "development")
        sandbox("run")
        sandbox("ledger", "--update")

    made_once(sandbox, tmp_path_factory.getbasetemp() / "sound", run)
    return sandbox


@pytest.fixture
def frozen(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """The same with edition 2026.1."""

    def freeze_it() -> None:
        assert box("freeze", "2026.1").code == 0

    made_once(box, tmp_path_factory.getbasetemp() / "frozen", freeze_it)
    return box


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def registry(box: Sandbox) -> Registry:
    return Registry(box.root)


def verify(box: Sandbox) -> list[str]:
    return verify_edition(box.root / "editions" / "2026.1")


def sum_again(folder: Path) -> None:
    """Checksums of the files as they are: what somebody would do who wants a change to go unnoticed."""
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in files if "SUMS" not in name
    ]
    (folder / "SHA256SUMS").write_text("".join(lines))


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


# Freezing --------------------------------------------------------------------------------------------


def test_an_edition_holds_boards_digests_and_citations(frozen: Sandbox) -> None:
    folder, results = frozen.root / "editions" / "2026.1", frozen.root / "results" / "tiny"
    for name in ("LEADERBOARD.md", "leaderboard.json", "leaderboard.csv"):
        assert (folder / "tiny" / name).read_bytes() == (results / name).read_bytes()
    linked = re.findall(r"\]\((.+?)\)$", (folder / "tiny" / "LEADERBOARD.md").read_text(), flags=re.MULTILINE)
    assert linked and all((folder / "tiny" / link).is_file() for link in linked)
    runs = {
        (run["split"], run["task"], run["entry"]): run for run in json.loads((folder / "forecasts.json").read_bytes())
    }
    assert runs["official", "week-ahead", "flat"]["digest"] == frozen.run_json("flat", "week-ahead")["digest"]
    assert runs["official", "next-day", "broken"]["state"] == "failed"
    assert ("development", "next-day", "mean") in runs and ("development", "week-ahead", "mean") not in runs
    assert all("measured" not in run for run in runs.values())
    ((key, fields),) = parse_bibtex((folder / "CITATION.bib").read_text())
    assert (key, fields["year"]) == ("volmark-2026.1", "2026")
    cff = yaml.safe_load((folder / "CITATION.cff").read_text())
    assert (cff["version"], cff["type"], cff["license"]) == ("2026.1", "dataset", "CC-BY-4.0")
    assert check_sums(folder) == []


def test_the_citation_file_of_an_edition_is_valid(frozen: Sandbox) -> None:
    check_cff(frozen.root / "editions" / "2026.1" / "CITATION.cff")


def test_the_same_results_give_the_same_bytes(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    made = contents(registry(frozen), "2026.1")
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(made)
    assert all((folder / name).read_bytes() == content for name, content in made.items())


def test_an_edition_never_changes(frozen: Sandbox) -> None:
    before = (frozen.root / "editions" / "2026.1" / "SHA256SUMS").read_bytes()
    done = frozen("freeze", "2026.1")
    assert done.code == 2 and "an edition never changes" in done.err
    assert (frozen.root / "editions" / "2026.1" / "SHA256SUMS").read_bytes() == before


@pytest.mark.parametrize("name", ["2026", "2026.0", "26.1", "2026.01", "latest", "2026.1.1", "../2026.1", "2026.1\n"])
def test_a_name_is_a_year_and_a_number(sandbox: Sandbox, name: str) -> None:
    done = sandbox("freeze", name)
    assert done.code == 2 and "write YEAR.NUMBER" in done.err


def test_nothing_to_freeze(sandbox: Sandbox) -> None:
    shutil.copy(ROOT / "CITATION.cff", sandbox.root)
    done = sandbox("freeze", "2026.1")
    assert done.code == 2 and "no results to freeze" in done.err


def other_number(box: Sandbox) -> None:
    edit_json(
        box.root / "results" / "tiny" / "leaderboard.json",
        lambda board: board["tables"][0]["rows"][0].update(qlike=0.5),
    )


def other_text(box: Sandbox) -> None:
    path = box.root / "results" / "tiny" / "LEADERBOARD.md"
    path.write_text(path.read_text().replace("`flat`", "`fl4t`", 1))


def other_csv(box: Sandbox) -> None:
    path = box.root / "results" / "tiny" / "leaderboard.csv"
    path.write_text(path.read_text().replace("flat", "fl4t", 1))


def no_figure(box: Sandbox) -> None:
    next((box.root / "results" / "tiny" / "figures").glob("*.svg")).unlink()


def damaged(box: Sandbox) -> None:
    (box.root / "results" / "tiny" / "official" / "next-day" / "flat" / "forecasts.parquet").write_bytes(b"no")


def no_record(box: Sandbox) -> None:
    (box.root / "results" / "tiny" / "official" / "next-day" / "flat" / "run.json").unlink()


def damaged_beside(box: Sandbox) -> None:
    (box.root / "results" / "tiny" / "development" / "next-day" / "flat" / "run.json").write_text("{}")


def no_result(box: Sandbox) -> None:
    shutil.rmtree(box.root / "results" / "tiny" / "official" / "week-ahead" / "mean")
    box("board", "--write")


def new_entry(box: Sandbox) -> None:
    box.add_entry("new", DOUBLE, tasks="path")


def other_code(box: Sandbox) -> None:
    box.add_entry("flat", DOUBLE, tasks="path")


def other_failure(box: Sandbox) -> None:
    box.add_entry("broken", BROKEN.replace("no", "yes"), tasks="path")


def failure_gone(box: Sandbox) -> None:
    shutil.rmtree(box.root / "submissions" / "broken")


def no_ledger(box: Sandbox) -> None:
    (box.root / "results" / "ledger.jsonl").unlink()


def gone(box: Sandbox) -> None:
    shutil.rmtree(box.root / "submissions" / "flat")


def wrong_family(box: Sandbox) -> None:
    (box.root / "submissions" / "flat" / "submission.yaml").write_text("licence: MIT\n")


def no_measure(box: Sandbox) -> None:
    (box.root / "results" / "tiny" / "realized.parquet").unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (other_number, "leaderboard.json: tables.next-day.rows"),
        (other_text, "LEADERBOARD.md: is not what the stored forecasts give"),
        (other_csv, "leaderboard.csv: is not what the stored forecasts give"),
        (no_figure, ".svg: is not there; `bench board --write --dataset tiny --split official` writes it again"),
        (damaged, "official/next-day/flat: forecasts cannot be read"),
        (no_record, "official/next-day/flat/run.json: is not there, but its folder is"),
        (damaged_beside, "development/next-day/flat/run.json is damaged"),
        (no_result, "tiny: mean has no result on week-ahead: `bench run mean --dataset tiny`"),
        (new_entry, "tiny: new has no result on next-day, week-ahead"),
        (other_code, "next-day/flat/run.json: stale: made with code"),
        (other_failure, "next-day/broken is not of the entry as it is under submissions/ now"),
        (gone, "no entry flat under submissions/: `bench ledger --withdraw flat --dataset tiny --reason"),
        (failure_gone, "no entry broken under submissions/: remove its folder"),
        (no_ledger, "results/ledger.jsonl: is not there"),
        (wrong_family, "submission.yaml: authors: missing key"),
        (no_measure, "realized.parquet"),
    ],
)
def test_what_is_not_sound_is_not_frozen(box: Sandbox, change: Callable[[Sandbox], None], said: str) -> None:
    change(box)
    done = box("freeze", "2026.1")
    assert done.code in (1, 2) and done.out == "" and said in done.err, done.err
    assert not (box.root / "editions").exists()


def test_all_that_is_in_the_way_is_said_at_once(box: Sandbox) -> None:
    for change in (other_text, new_entry, failure_gone, no_ledger):
        change(box)
    said = box("freeze", "2026.1").err
    for words in ("LEADERBOARD.md: is not", "new has no result", "no entry broken", "ledger.jsonl: is not there"):
        assert words in said


def test_a_row_of_one_task_is_missing_on_no_other(box: Sandbox) -> None:
    last = "class Model(Forecaster):\n    def forecast(self, history):\n        return history.variance[-1]"
    box.add_entry("rolling", last, tasks=["rolling-21d"])
    assert "tiny: rolling has no result on rolling-21d: `bench run rolling" in box("freeze", "2026.1").err
    box("run", "rolling")
    box("ledger", "--update")
    done = box("freeze", "2026.1")
    assert done.code == 0, done.err


def test_a_full_disk_leaves_nothing_behind(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(BenchError, match="No space left on device"):
        freeze(registry(box), "2026.1")
    assert files(box.root / "editions") == []


# Citing a frozen number ------------------------------------------------------------------------------


def test_what_is_cited_is_what_was_frozen(frozen: Sandbox) -> None:
    board = json.loads((frozen.root / "results" / "tiny" / "leaderboard.json").read_bytes())
    qlike = next(row["qlike"] for row in board["tables"][0]["rows"] if row["entry"] == "flat")
    new_entry(frozen)
    path = frozen.root / "submissions" / "flat" / "submission.yaml"
    path.write_text(path.read_text().replace("A. Nobody", "B. Else"))
    other_number(frozen)
    said = frozen("cite", "flat", "--format", "plain").out.splitlines()
    assert said == [
        "A. Nobody. flat, version 1: made up. Entry of volmark, edition 2026.1 (version 0.1.0, protocol 1.0); tiny "
        f"(data {board['data_identity'][:8]}), official, next-day: QLIKE {qlike:.4f}, 2026.",
        "The volmark authors. volmark: a benchmark of daily volatility forecasts. Edition 2026.1 (version 0.1.0, "
        "protocol 1.0), 2026.",
    ]
    newer = frozen("cite", "new")
    assert newer.code == 0 and "new is not in edition 2026.1: cited as it stands now" in newer.err
    named = frozen("cite", "new", "--edition", "2026.1")
    assert named.code == 2 and "no entry `new` in edition 2026.1" in named.err


# Verifying -------------------------------------------------------------------------------------------


def test_an_edition_follows_from_its_forecasts(frozen: Sandbox) -> None:
    assert verify(frozen) == []


def test_years_later(frozen: Sandbox) -> None:
    """Newer entries, a replaced and a withdrawn result, other rules and another measure's file disturb nothing."""
    digest = frozen.run_json("flat")["digest"]
    new_entry(frozen)
    other_code(frozen)
    frozen("run")
    assert frozen.run_json("flat")["digest"] != digest
    frozen.settings["references"] = ["mean"]
    frozen.settings["tasks"]["week-ahead"] = {"ahead": 4}
    frozen.write_settings()
    shutil.rmtree(frozen.root / "results" / "tiny" / "official" / "next-day" / "mean")
    (frozen.root / "results" / "tiny" / "realized.parquet").write_bytes(b"another vintage")
    assert verify(frozen) == []


def test_the_folder_of_editions_is_enough(frozen: Sandbox, tmp_path: Path) -> None:
    """No results, no rules, no git: what was downloaded alone."""
    shutil.copytree(frozen.root / "editions", tmp_path / "downloaded")
    shutil.rmtree(frozen.root / "results")
    assert verify_edition(tmp_path / "downloaded" / "2026.1") == []


# What editions rest on -------------------------------------------------------------------------------


def kept(box: Sandbox, entry: str = "flat") -> Path:
    return box.root / "editions" / "forecasts" / f"{box.run_json(entry)['digest']}.parquet"


def measure(box: Sandbox) -> Path:
    (path,) = (box.root / "editions" / "measures").iterdir()
    return path


def guarded(box: Sandbox) -> list[tuple[str, str]]:
    """What the guard of editions says of the files that are kept."""
    return [(str(path.relative_to(box.root)), what) for path, what in keeping.faults(box.root)]


def test_an_edition_keeps_what_it_rests_on_and_nothing_else(frozen: Sandbox) -> None:
    edition, top = open_edition(frozen.root, "2026.1"), frozen.root / "editions"
    done = {run.digest for run in edition.runs if run.state == "done"}
    assert len(done) == 6
    assert files(top / "forecasts") == sorted(f"{digest}.parquet" for digest in done)
    assert files(top / "measures") == [f"{edition.facts.datasets['tiny'].measure}.parquet"]
    here = frozen.root / "results" / "tiny" / "official" / "next-day" / "flat" / "forecasts.parquet"
    assert kept(frozen).read_bytes() == here.read_bytes(), "git keeps one blob"
    assert guarded(frozen) == []


def test_a_second_edition_shares_what_did_not_change(frozen: Sandbox) -> None:
    top = frozen.root / "editions"
    before = {name: (top / name).stat().st_mtime_ns for name in files(top)}
    new_entry(frozen)
    frozen("run")
    frozen("ledger", "--update")
    assert frozen("freeze", "2026.2").code == 0
    assert {name: (top / name).stat().st_mtime_ns for name in before} == before
    added = [name for name in files(top) if name not in before and not name.startswith("2026.2/")]
    digests = {frozen.run_json("new", task)["digest"] for task in ("next-day", "week-ahead")}
    assert added == sorted(f"forecasts/{digest}.parquet" for digest in digests)
    shutil.rmtree(frozen.root / "results")
    assert [verify_edition(top / name) for name in ("2026.1", "2026.2")] == [[], []]


def test_the_measure_is_kept_as_far_as_the_official_board_goes(box: Sandbox) -> None:
    results = box.root / "results"
    realized = read_realized(results, "tiny")
    later = replace(
        realized,
        dates=np.append(realized.dates, np.datetime64("2011-05-02")),
        measure_var=np.vstack([realized.measure_var, realized.measure_var[-1:]]),
        regime_month=np.append(realized.regime_month, "unknown"),
        regime_origin=np.append(realized.regime_origin, "calm"),
    )
    write_realized(results, "tiny", later)
    assert box("freeze", "2026.1").code == 0
    assert measure(box).stem == realized.digest() != later.digest()
    assert verify(box) == [] == guarded(box)


def test_what_a_killed_freeze_has_left_is_cleared(box: Sandbox) -> None:
    left = box.root / "editions" / "forecasts" / f"{'a' * 64}.parquet"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"")
    assert box("freeze", "2026.1").code == 0
    assert not left.exists() and guarded(box) == []


def test_what_is_missing_is_named(frozen: Sandbox) -> None:
    missing = [kept(frozen), measure(frozen)]
    for path in missing:
        path.unlink()
    why = "is not there, and an edition rests on it: restore it (`git checkout`)"
    assert verify(frozen) == [f"{path} {why}" for path in missing]
    assert guarded(frozen) == [(str(path.relative_to(frozen.root)), why) for path in missing]


def test_a_kept_file_is_what_its_name_says(frozen: Sandbox) -> None:
    kept(frozen).write_bytes(kept(frozen, "mean").read_bytes())
    pq.write_table(pq.read_table(measure(frozen)).slice(3), measure(frozen))
    forecasts, published = guarded(frozen)
    assert forecasts[0].startswith("editions/forecasts/") and published[0].startswith("editions/measures/")
    said, named = frozen.run_json("mean")["digest"][:12], kept(frozen).name[:12]
    assert f"is not what its run.json says (digest {said}, run.json says {named})" in forecasts[1]
    assert "its digest differs" in published[1]
    assert len(verify(frozen)) == 2
    kept(frozen).write_bytes(b"PAR1")
    assert "forecasts cannot be read" in guarded(frozen)[0][1]


def test_a_measure_of_another_name_is_found(frozen: Sandbox) -> None:
    realized = read_realized(frozen.root / "results", "tiny")
    write_realized(frozen.root, "x", replace(realized, measure_var=2 * realized.measure_var))
    shutil.copy(frozen.root / "x" / "realized.parquet", measure(frozen))
    ((_, what),) = guarded(frozen)
    assert what.startswith("is another measure, of digest ")


def test_a_link_is_no_kept_file(frozen: Sandbox) -> None:
    path = kept(frozen)
    path.rename(frozen.root / "elsewhere.parquet")
    path.symlink_to(frozen.root / "elsewhere.parquet")
    assert guarded(frozen) == [(str(path.relative_to(frozen.root)), ANY)]
    top = frozen.root / "editions" / "measures"
    top.rename(frozen.root / "elsewhere")
    top.symlink_to(frozen.root / "elsewhere")
    assert "editions/measures" in dict(guarded(frozen))


@pytest.mark.parametrize("name", ["forecasts/bars.parquet", "measures/notes.txt", f"forecasts/more/{'a' * 64}.parquet"])
def test_what_no_edition_rests_on_is_refused(frozen: Sandbox, name: str) -> None:
    path = frozen.root / "editions" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    ((file, what),) = guarded(frozen)
    assert file == f"editions/{name}" and what.startswith("is nothing that an edition rests on: remove it")


def test_an_edition_that_cannot_be_read_loses_nothing(frozen: Sandbox) -> None:
    (frozen.root / "editions" / "2026.1" / "forecasts.json").write_text("[")
    before = files(frozen.root / "editions")
    ((file, what),) = guarded(frozen)
    assert file == "editions/2026.1" and "forecasts.json is missing or damaged" in what
    done = frozen("freeze", "2026.2")
    assert done.code == 2 and "forecasts.json is missing or damaged" in done.err
    assert files(frozen.root / "editions") == before


@pytest.mark.parametrize("digest", ["../../results/tiny/realized", "a" * 63, "A" * 64, None])
def test_digests_that_leave_the_folder_are_refused(frozen: Sandbox, digest: str | None) -> None:
    folder = frozen.root / "editions" / "2026.1"

    def edit(runs: list[dict]) -> None:
        next(run for run in runs if run["state"] == "done")["digest"] = digest

    edit_json(folder / "forecasts.json", edit)
    sum_again(folder)
    (said,) = verify(frozen)
    assert said.startswith(f"{folder / 'forecasts.json'}: ") and said.endswith(f": `{digest}` is no digest")
    assert [what for _, what in guarded(frozen)] == [said]
    shutil.copy(ROOT / "editions" / "2026.1" / "forecasts.json", folder)
    edit_json(folder / "edition.json", lambda facts: facts["datasets"]["tiny"].update(measure=str(digest)))
    sum_again(folder)
    assert "edition.json is missing or damaged" in verify(frozen)[0]


# What is frozen is whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tiny/LEADERBOARD.md", "tiny/leaderboard.json", "forecasts.json", "CITATION.bib"])
def test_a_changed_file_is_named(frozen: Sandbox, name: str) -> None:
    path = frozen.root / "editions" / "2026.1" / name
    path.write_bytes(path.read_bytes() + b" ")
    assert verify(frozen) == [f"{path} was changed: its checksum differs"]


def test_files_too_many_or_too_few(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    (folder / "entries.json").unlink()
    (folder / "more.txt").write_text("")
    assert verify(frozen) == [
        f"{folder / 'entries.json'} is missing",
        f"{folder / 'more.txt'} is no file of the edition",
    ]
    (folder / "SHA256SUMS").write_text("nonsense\n")
    assert f"{folder / 'SHA256SUMS'} says `nonsense`: no line of checksums" in verify(frozen)
    (folder / "SHA256SUMS").unlink()
    assert verify(frozen) == [f"{folder / 'SHA256SUMS'} is missing or damaged"]


def test_a_better_number_with_new_checksums_is_found(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    edit_json(folder / "tiny" / "leaderboard.json", lambda board: board["tables"][0]["rows"][0].update(qlike=0.1))
    sum_again(folder)
    (gap,) = verify(frozen)
    assert "leaderboard.json: tables.next-day.rows." in gap and "qlike: 0.1 frozen" in gap


@pytest.mark.parametrize("change", ["a row less", "a number of the other split"])
def test_what_else_a_board_says_is_derived_too(frozen: Sandbox, change: str) -> None:
    folder = frozen.root / "editions" / "2026.1"

    def edit(board: dict) -> None:
        if change == "a row less":
            board["tables"][0]["rows"].pop()
        else:
            board["luck"][0]["other_qlike"] = 0.1

    edit_json(folder / "tiny" / "leaderboard.json", edit)
    sum_again(folder)
    assert any("leaderboard.json: tables.next-day.rows" in gap or "other_qlike" in gap for gap in verify(frozen))


def test_a_column_or_a_wording_that_came_later_is_no_difference(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    edit_json(folder / "edition.json", lambda facts: facts.update(version="0.0.9"))
    (folder / "tiny" / "LEADERBOARD.md").write_text("as it was written then\n")
    edit_json(
        folder / "tiny" / "leaderboard.json", lambda board: [row.pop("bias") for row in board["tables"][0]["rows"]]
    )
    sum_again(folder)
    assert verify(frozen) == []


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tiny/LEADERBOARD.md", "`flat`", "`fl4t`"),
        ("tiny/leaderboard.csv", "flat", "fl4t"),
        ("CITATION.cff", "CC-BY-4.0", "MIT"),
        ("CITATION.bib", "2026", "2025"),
    ],
)
def test_what_is_written_from_the_rest_is_compared(frozen: Sandbox, name: str, old: str, new: str) -> None:
    path = frozen.root / "editions" / "2026.1" / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    sum_again(frozen.root / "editions" / "2026.1")
    (gap,) = verify(frozen)
    assert gap.startswith(f"{path} is not what ")


def test_the_cited_entries_are_those_of_the_records(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"

    def edit(entries: dict) -> None:
        entries["flat"]["version"] = "7"
        entries["other"] = entries.pop("mean")

    edit_json(folder / "entries.json", edit)
    sum_again(folder)
    path = folder / "entries.json"
    assert verify(frozen) == [
        f"{path}: other has no result in forecasts.json",
        f"{path}: flat has version 7, in forecasts.json 1",
        f"{path}: mean is not there, forecasts.json has results of it",
    ]


def test_a_hidden_result_shows_in_the_board(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    runs = json.loads((folder / "forecasts.json").read_bytes())
    (folder / "forecasts.json").write_text(json.dumps([run for run in runs if run["entry"] != "mean"]))
    sum_again(folder)
    assert any("rows.mean" in gap for gap in verify(frozen))


def test_names_that_leave_the_folder_are_refused(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    edit_json(folder / "forecasts.json", lambda runs: runs[0].update(entry="../../../../x"))
    sum_again(folder)
    assert verify(frozen) == [f"{folder / 'forecasts.json'}: `../../../../x` is no name of a result"]


def test_an_edition_of_another_version_says_so(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    edit_json(folder / "edition.json", lambda facts: facts.update(version="0.0.9"))
    edit_json(folder / "tiny" / "leaderboard.json", lambda board: board.update(noise_floor=0.9))
    sum_again(folder)
    gap, why = verify(frozen)
    assert "noise_floor: 0.9 frozen" in gap and why.startswith("made by volmark 0.0.9, this is ")


def test_a_renamed_edition_says_so(frozen: Sandbox) -> None:
    folder = frozen.root / "editions" / "2026.1"
    folder.rename(folder.with_name("2027.1"))
    (said,) = verify_edition(folder.with_name("2027.1"))
    assert said.endswith("is edition 2026.1: the folder has another name")


def test_what_is_no_edition(frozen: Sandbox) -> None:
    with pytest.raises(BenchError, match=r"is no edition: it has no edition\.json"):
        verify_edition(frozen.root)
    edition = open_edition(frozen.root, "2026.1")
    (edition.folder / "entries.json").write_text("[")
    with pytest.raises(BenchError, match=r"entries\.json is missing or damaged"):
        _ = edition.entries

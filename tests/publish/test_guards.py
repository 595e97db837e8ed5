"""The guards: a sound tree passes, and each guard fails on just what it is there for, with file and values."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import ROOT, keep_seeds, made_once

from bench.publish import guards
from bench.registry.config import Registry
from bench.store import Place, Run, identity_from, read, write_run
from bench.store.realized import read_realized, write_realized

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the guards compare with a commit: needs git")

RESULT = "results/tiny/official/next-day/flat"


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "change")


@pytest.fixture
def repo(sandbox, tmp_path_factory):
    """A committed benchmark with pinned bars, two entries, a study, boards and a ledger; made once, then copied."""

    def run():
        sandbox.add_study("trials", "flat", 7)
        (sandbox.root / ".gitignore").write_text(".lock\nbars.csv\nvix.csv\n")
        path = sandbox.root / "datasets/tiny/dataset.yaml"
        found = sandbox("data", "identity", "tiny", "--json").json
        spec = yaml.safe_load(path.read_text())
        spec["identity"] = {"official": found["official"]["identity"]}
        path.write_text(yaml.safe_dump(spec))
        assert sandbox("run").code == sandbox("run", "trials/refit=7").code == 0
        assert sandbox("ledger", "--update").code == 0
        git(sandbox.root, "init", "--quiet", "--initial-branch", "main")
        for key, value in (("user.name", "Test"), ("user.email", "test@example.org"), ("commit.gpgsign", "false")):
            git(sandbox.root, "config", key, value)
        commit(sandbox.root)

    made_once(sandbox, tmp_path_factory.getbasetemp() / "guarded", run)
    return sandbox


ALL = guards.GUARDS


def failures(repo, *arguments: str, boards: bool = False) -> list[dict]:
    """The failures of `bench verify`, by its JSON; without deriving boards, the slow part, where they do not matter."""
    repo._monkeypatch.setattr(
        guards, "GUARDS", ALL if boards else {name: guard for name, guard in ALL.items() if name != "boards"}
    )
    outcome = repo("verify", *arguments, "--json")
    repo.notices = outcome.json["notices"]
    found = outcome.json["failures"]
    assert outcome.json["ok"] is (not found)
    assert outcome.code == int(bool(found)), outcome.err
    return found


def only(found: list[dict], guard: str) -> dict:
    """The one failure of a guard."""
    (failure,) = [item for item in found if item["guard"] == guard]
    return failure


def place(repo) -> Place:
    return Place(repo.root / "results", "tiny", "official", "next-day", "flat")


def edited(repo, factor: float = 1.1, **changes) -> Run:
    """Store other forecasts, with a record that says so."""
    stored = read(place(repo))
    for name, value in changes.items():
        setattr(stored.run, name, value)
    if changes:
        stored.run.identity_of["version"] = stored.run.version
        stored.run.identity = identity_from(stored.run.identity_of)
    forecasts = replace(stored.forecasts, forecast_var=factor * stored.forecasts.forecast_var)
    keep_seeds(place(repo), stored.run, {0: forecasts})
    return stored.run


def test_a_sound_tree_passes(repo):
    assert failures(repo, "--base", "main", boards=True) == []
    outcome = repo("verify", "--base", "HEAD")
    assert (outcome.code, outcome.out) == (0, "")
    head = git(repo.root, "rev-parse", "HEAD")[:12]
    assert f"verified: 6 results, 2 boards, 6 lines of the ledger, against {head}" in outcome.err


def test_added_and_replaced_results_pass(repo):
    repo.add_entry("new", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-2]")
    model = repo.root / "submissions/mean/model.py"
    model.write_text(model.read_text().replace("known_rows]", "known_rows][-100:]"))
    spec = repo.root / "submissions/mean/submission.yaml"
    spec.write_text(spec.read_text().replace("version: 1", "version: 2"))
    assert repo("run").code == repo("board", "--write", "--study", "trials").code == 0
    assert repo("ledger", "--update").code == 0
    assert failures(repo, "--base", "main", boards=True) == []


def test_a_result_that_disappears(repo):
    shutil.rmtree(repo.root / RESULT)
    found = failures(repo, "--base", "main")
    failure = only(found, "kept")
    assert failure["file"] == f"{RESULT}/run.json"
    assert "flat (tiny official next-day) was done in the base (version 1, identity " in failure["problem"]
    assert "nothing is here, and the ledger does not say that it was withdrawn" in failure["problem"]
    assert "but no finished result lies here" in only(found, "ledger")["problem"]


def test_a_withdrawn_result_may_disappear(repo):
    shutil.rmtree(repo.root / "submissions/mean")
    repo.settings["references"], repo.settings["baseline"] = ["flat"], "flat"
    repo.write_settings()
    assert repo("ledger", "--withdraw", "mean", "--dataset", "tiny", "--reason", "a test").code == 0
    assert failures(repo, "--base", "main", boards=True) == []


def test_a_result_that_changes_without_a_new_version(repo):
    before = repo.run_json("flat")
    run = edited(repo)
    found = failures(repo, "--base", "main", boards=True)
    failure = only(found, "kept")
    assert failure["file"] == f"{RESULT}/run.json"
    assert f"digest {run.digest[:12]}, in the base {before['digest'][:12]}, both as version 1" in failure["problem"]
    assert f"digest {before['digest'][:12]}: restore it (`git checkout`), raise" in only(found, "ledger")["problem"]
    assert {item["file"] for item in found if item["guard"] == "boards"} >= {"results/tiny/leaderboard.json"}


def test_a_version_that_exists_nowhere_in_submissions(repo):
    run = edited(repo, version="2")
    found = failures(repo, "--base", "main")
    assert [item for item in found if item["guard"] == "kept"] == []
    assert run.version == "2"
    failure = only(found, "code")
    assert "stale: made with version 2, submissions/flat and the registry give 1: `bench run flat" in failure["problem"]


def test_a_forecast_edited_without_its_record(repo):
    path = repo.root / RESULT / "forecasts.parquet"
    table = pq.read_table(path)
    values = table["forecast_var"].to_numpy() * 1.0
    values[5] *= 1.000001
    index = table.column_names.index("forecast_var")
    pq.write_table(table.set_column(index, "forecast_var", [values]), path)
    failure = only(failures(repo), "records")
    assert failure["file"] == f"{RESULT}/run.json"
    said = repo.run_json("flat")["digest"][:12]
    assert f"run.json says {said})" in failure["problem"]
    assert "forecasts.parquet is not what its run.json says (digest " in failure["problem"]


def test_other_bytes_of_the_same_values_pass(repo):
    path = repo.root / RESULT / "forecasts.parquet"
    before = path.read_bytes()
    pq.write_table(pq.read_table(path), path, compression="snappy")
    assert path.read_bytes() != before
    assert failures(repo, "--base", "main") == []


def test_forecasts_without_a_record_and_a_record_that_is_not_its_parts(repo):
    (repo.root / RESULT / "run.json").unlink()
    assert "is not there, but its folder is" in only(failures(repo), "records")["problem"]
    git(repo.root, "checkout", "--quiet", "--", RESULT)
    stored = read(place(repo))
    stored.run.identity_of["refit"] = 7
    write_run(place(repo), stored.run)
    found = failures(repo)
    assert "is not that of its parts" in only(found, "records")["problem"]
    assert "stale: made with refit 7, submissions/flat and the registry give None" in only(found, "code")["problem"]


def test_results_of_other_code_are_stale(repo):
    old = repo.run_json("mean")["identity_of"]["code"]
    (repo.root / "submissions/mean/helper.py").write_text("x = 1\n")
    found = [item for item in failures(repo) if item["guard"] == "code"]
    assert [item["file"] for item in found] == [
        f"results/tiny/official/{task}/mean/run.json" for task in ("next-day", "week-ahead")
    ]
    assert f"stale: made with code {old[:12]}" in found[0]["problem"]


def test_results_of_an_entry_that_is_gone_or_moved(repo):
    repo.add_study("trials", "flat", 8)
    found = [item for item in failures(repo) if item["guard"] == "code"]
    gone = "no entry refit=7 under studies/trials/study.yaml: `bench ledger --withdraw trials/refit=7 --dataset tiny"
    assert gone in found[0]["problem"]
    repo.add_study("trials", "flat", 7)
    assert [item for item in failures(repo) if item["guard"] == "code"] == []
    spec = repo.root / "submissions/flat/submission.yaml"
    text = spec.read_text()
    spec.write_text(text + "nonsense: true\n")
    assert failures(repo)[0]["problem"].endswith("nonsense: unknown key (known: authors, bibtex, description, "
                                                 "entries, licence, training_data)")  # fmt: skip


def test_a_board_that_does_not_follow(repo):
    path = repo.root / "results/tiny/leaderboard.json"
    board = json.loads(path.read_text())
    board["tables"][0]["rows"][0]["qlike"], board["inputs"] = 0.01, "f" * 64
    path.write_text(json.dumps(board))
    assert repo("verify").err.startswith("1 failure: ")
    failure = only(failures(repo, boards=True), "boards")
    assert failure["file"] == "results/tiny/leaderboard.json"
    assert "tables.next-day.rows." in failure["problem"]
    assert ".qlike: 0." in failure["problem"]
    again = "`bench board --write --dataset tiny --split official` writes it again"
    assert f"here, 0.01 committed (and 1 more); {again}" in failure["problem"]
    repo("board", "--write")
    board = json.loads(path.read_text())
    inputs = board["inputs"]
    path.write_text(json.dumps({**board, "inputs": "f" * 64}))
    failure = only(failures(repo, boards=True), "boards")
    assert failure["problem"].startswith(f"inputs: {inputs[:12]} here, ffffffffffff committed; ")


@pytest.mark.parametrize("name", ["LEADERBOARD.md", "leaderboard.csv"])
def test_a_rendering_that_does_not_follow(repo, name):
    path = repo.root / "results/tiny/studies/trials/official" / name
    path.write_text(path.read_text().replace("refit=7", "winner", 1))
    failure = only(failures(repo, boards=True), "boards")
    assert failure["file"].endswith(f"studies/trials/official/{name}")
    assert "is not what the stored forecasts give: line " in failure["problem"]
    assert "winner" in failure["problem"]
    assert "--study trials`" in failure["problem"]


def test_a_figure_that_is_gone_and_a_board_without_results(repo):
    (repo.root / "results/tiny/figures/pairs.svg").unlink()
    shutil.copytree(repo.root / "results/tiny/studies/trials", repo.root / "results/tiny/studies/more",
                    ignore=shutil.ignore_patterns("next-day", "week-ahead"))  # fmt: skip
    problems = {item["file"]: item["problem"] for item in failures(repo, boards=True) if item["guard"] == "boards"}
    assert problems["results/tiny/figures/pairs.svg"].startswith("is not there")
    assert problems["results/tiny/studies/more/official/leaderboard.json"].startswith("is a board without results")


def test_results_of_other_bars(repo):
    path = repo.root / "datasets/tiny/dataset.yaml"
    spec = yaml.safe_load(path.read_text())
    old, spec["identity"]["official"] = spec["identity"]["official"], "f" * 64
    path.write_text(yaml.safe_dump(spec))
    found = failures(repo, "--base", "main")
    data = [item for item in found if item["guard"] == "data" and item["file"] == f"{RESULT}/run.json"]
    assert f"data_identity {old[:12]}, datasets/tiny/dataset.yaml pins ffffffffffff" in data[0]["problem"]
    assert f"identity of official ffffffffffff, in the base {old[:12]}" in only(found, "pinned")["problem"]


def test_a_ledger_that_is_rewritten(repo):
    path = repo.root / "results/ledger.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:] + lines[:1]))  # it replays to the same
    failure = only(failures(repo, "--base", "main"), "appended")
    assert failure["file"] == "results/ledger.jsonl:1"
    assert lines[0].strip() in failure["problem"]
    path.write_text("".join(lines[:-1]))
    found = failures(repo, "--base", "main")
    assert only(found, "appended")["problem"].startswith("is gone, in the base ")
    assert "is not in the ledger: run `bench ledger --update`" in only(found, "ledger")["problem"]
    path.unlink()
    assert "is not there, but 6 results are: run `bench ledger --update`" in only(failures(repo), "ledger")["problem"]
    path.write_text("nonsense\n")
    assert "ledger.jsonl:1: is no event" in only(failures(repo), "ledger")["problem"]


def test_a_published_day_that_changes(repo):
    results = repo.root / "results"
    realized = read_realized(results, "tiny")
    measure, regime = realized.measure_var.copy(), realized.regime_month.copy()
    old = measure[7, 1]
    measure[7, 1] *= 1.01
    regime[3] = "crisis" if regime[3] == "calm" else "calm"
    write_realized(results, "tiny", replace(realized, measure_var=measure, regime_month=regime))
    found = [item for item in failures(repo, "--base", "main") if item["guard"] == "published"]
    assert {item["file"] for item in found} == {"results/tiny/realized.parquet"}
    assert found[0]["problem"].startswith(f"BBB on {realized.dates[7]} is {1.01 * old:.10g}, in the base {old:.10g}")
    assert found[1]["problem"].startswith(f"regime_month of {realized.dates[3]} is ")


def test_published_days_that_are_gone(repo):
    results = repo.root / "results"
    realized = read_realized(results, "tiny")
    n = len(realized.dates)
    write_realized(results, "tiny", realized.until(pd.Timestamp(realized.dates[-2]).date()))
    assert only(failures(repo, "--base", "main"), "published")["problem"] == f"{n - 1} sessions, in the base {n}"
    (results / "tiny/realized.parquet").unlink()
    found = failures(repo, "--base", "main")
    assert "realized.parquet: run `bench run --dataset tiny` first" in only(found, "published")["problem"]


def test_a_reproduction_of_other_forecasts(repo):
    record = {"date": "2026-01-01", "digest": "0" * 64, "largest_difference": 0.0, "tolerance": 1e-9}
    (repo.root / RESULT / "reproduced.json").write_text(json.dumps(record))
    failure = next(item for item in failures(repo) if item["guard"] == "records")
    assert failure["file"] == f"{RESULT}/reproduced.json"
    assert "is not about the present forecasts" in failure["problem"]


def write_reproduction(repo, **changes) -> None:
    said = {"date": "2026-01-01", "digest": repo.run_json("flat")["digest"], "largest_difference": 0.0}
    (repo.root / RESULT / "reproduced.json").write_text(json.dumps({**said, "tolerance": 1e-9, **changes}))


def test_a_reproduction_is_bound_by_the_tolerance_that_the_row_declares(repo):
    write_reproduction(repo, largest_difference=0.5, tolerance=1.0)
    failure = only(failures(repo), "records")
    assert failure["file"] == f"{RESULT}/reproduced.json"
    assert failure["problem"].startswith(
        "largest_difference 0.5, submissions/flat/submission.yaml declares a tolerance of 1e-09"
    )
    write_reproduction(repo, largest_difference=-1.0)
    assert "largest_difference -1, " in only(failures(repo), "records")["problem"]


def test_a_new_or_changed_reproduction_is_for_a_person_to_vouch_for(repo):
    write_reproduction(repo)
    assert failures(repo, "--base", "main") == []
    (notice,) = repo.notices
    assert notice["file"] == f"{RESULT}/reproduced.json"
    assert notice["problem"].startswith("is new: whoever merges it vouches that flat was run again")
    outcome = repo("verify", "--base", "main")
    assert f"notice: {RESULT}/reproduced.json: is new" in outcome.err and outcome.code == 0
    commit(repo.root)
    assert failures(repo, "--base", "main") == repo.notices == []
    write_reproduction(repo, date="2026-02-02")
    assert failures(repo, "--base", "main") == []
    assert repo.notices[0]["problem"].startswith("is another one: ")


def seeds(repo, factor: float = 1.0) -> None:
    """Store the result as the mean of two seeds, the second off by a factor."""
    stored = read(place(repo))
    first = stored.forecasts
    low, high = (replace(first, forecast_var=first.forecast_var * part) for part in (0.75, 1.25))
    keep_seeds(place(repo), stored.run, {0: low, 1: high})
    path = place(repo).folder / "forecasts.parquet"
    kept, digest = path.read_bytes(), stored.run.digest
    keep_seeds(place(repo), stored.run, {0: low, 1: replace(high, forecast_var=high.forecast_var * factor)})
    path.write_bytes(kept)
    stored.run.digest = digest
    write_run(place(repo), stored.run)


def test_forecasts_are_the_mean_of_their_seeds(repo):
    seeds(repo)
    assert [item for item in failures(repo) if item["guard"] == "records"] == []
    seeds(repo, 1 + 1e-9)
    failure = only(failures(repo), "records")
    assert failure["file"] == f"{RESULT}/seeds.parquet"
    assert failure["problem"].startswith("its mean differs from forecasts.parquet by up to 6.25e-10, relative")


@pytest.mark.parametrize("digests", [{}, {"0": "f" * 64}, {"0": "f" * 64, "1": "f" * 64}])
def test_the_seeds_that_a_record_names_are_there(repo, digests):
    run = read(place(repo)).run
    run.seed_digests = digests
    write_run(place(repo), run)
    assert only(failures(repo), "records")["file"].startswith(RESULT)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda run: setattr(run, "runs", 2), "runs 2, in the base 3"),
        (lambda run: run.about.update(tuned_on="development"), "tuned_on development, in the base None"),
        (lambda run: run.about.update(family="other"), "family other, in the base flat"),
        (lambda run: run.seed_digests.update({"1": "f" * 64}), "digest of seed 1 ffffffffffff, in the base None"),
    ],
)
def test_what_a_record_says_of_a_version_stays(repo, edit, said):
    run = read(place(repo)).run
    run.runs = 3
    write_run(place(repo), run)
    commit(repo.root)
    edit(run)
    run.about["description"] = "in other words"
    write_run(place(repo), run)
    assert said in only(failures(repo, "--base", "main"), "kept")["problem"]


def test_an_edition_of_the_base_never_changes(repo):
    shutil.copy(ROOT / "CITATION.cff", repo.root)
    assert repo("freeze", "2026.1").code == 0
    assert failures(repo, "--base", "main") == [], "a new one may come"
    commit(repo.root)
    folder = repo.root / "editions/2026.1"
    changed, gone, new = "editions/2026.1/CITATION.bib", "editions/2026.1/entries.json", "editions/2026.1/more.txt"
    (repo.root / changed).write_text("other")
    (repo.root / gone).unlink()
    (repo.root / new).write_text("")
    found = failures(repo)
    assert [(item["guard"], item["file"]) for item in found] == [("frozen", gone), ("frozen", new), ("frozen", changed)]
    sums = folder / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if "entries.json" not in line and "N.bib" not in line]
    lines += [f"{hashlib.sha256((repo.root / name).read_bytes()).hexdigest()}  {Path(name).name}" for name in
              (changed, new)]  # fmt: skip
    sums.write_text("".join(f"{line}\n" for line in lines))
    assert failures(repo) == []
    found = {item["file"]: item["problem"] for item in failures(repo, "--base", "main")}
    assert set(found) == {changed, gone, new, "editions/2026.1/SHA256SUMS"}
    assert found[gone].startswith("is gone") and found[new].startswith("is new")
    shutil.rmtree(folder)
    assert {item["guard"] for item in failures(repo, "--base", "main")} == {"frozen"}


def test_what_an_edition_of_the_base_rests_on_never_changes(repo):
    shutil.copy(ROOT / "CITATION.cff", repo.root)
    assert repo("freeze", "2026.1").code == 0
    commit(repo.root)
    path = repo.root / f"editions/forecasts/{repo.run_json('flat')['digest']}.parquet"
    name = str(path.relative_to(repo.root))
    pq.write_table(pq.read_table(path), path, compression="snappy")  # its values are those of its name
    assert failures(repo) == []
    assert only(failures(repo, "--base", "main"), "frozen")["problem"].startswith("was changed")
    path.unlink()
    found = [item for item in failures(repo, "--base", "main") if item["file"] == name]
    assert [item["problem"].partition(",")[0] for item in found] == ["is not there", "is gone"]
    git(repo.root, "checkout", "--quiet", "--", "editions")
    edited(repo, version="2")
    shutil.copy(repo.root / RESULT / "forecasts.parquet", path.with_name(f"{repo.run_json('flat')['digest']}.parquet"))
    found = [item["problem"] for item in failures(repo, "--base", "main") if item["guard"] == "frozen"]
    assert len(found) == 1 and found[0].startswith("is nothing that an edition rests on"), (
        "a new file may come with one"
    )
    shutil.rmtree(repo.root / "editions")
    assert {item["guard"] for item in failures(repo, "--base", "main")} >= {"frozen"}


def test_an_edition_behind_a_link(repo):
    shutil.copy(ROOT / "CITATION.cff", repo.root)
    assert repo("freeze", "2026.1").code == 0
    commit(repo.root)
    for name in ("2026.1", "forecasts"):
        (repo.root / "editions" / name).rename(repo.root / f"{name}.away")
        (repo.root / "editions" / name).symlink_to(repo.root / f"{name}.away")
    found = [item for item in failures(repo, "--base", "main") if item["problem"].startswith("lies behind a link")]
    assert {Path(item["file"]).parts[1] for item in found} == {"2026.1", "forecasts"}


def test_a_state_that_hides_a_result(repo):
    """A record that says `failed` and keeps identity and digest is a result that is gone."""
    run = read(place(repo)).run
    run.state = "failed"
    write_run(place(repo), run)
    assert "its state is failed, and the ledger" in only(failures(repo, "--base", "main"), "kept")["problem"]


@pytest.mark.parametrize(
    "content",
    [
        "<svg><script>alert(1)</script></svg>",
        "<svg onload='alert(1)'/>",
        '<svg><a xlink:href="https://example.org">x</a></svg>',
        "<svg><a href = ' javascript:alert(1)'>x</a></svg>",
    ],
)
@pytest.mark.parametrize("name", ["results/tiny/figures/more.svg", "editions/x.SVG"])
def test_a_picture_that_runs_or_leads_elsewhere(repo, content, name):
    path = repo.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    assert only(failures(repo), "pictures")["file"] == name
    path.write_text('<svg xmlns:xlink="http://www.w3.org/1999/xlink"><use xlink:href="#m1"/></svg>')
    assert failures(repo) == []


def test_another_threshold_of_regimes_needs_a_new_protocol(repo):
    results = repo.root / "results"
    realized = read_realized(results, "tiny")
    write_realized(results, "tiny", replace(realized, vix_crisis=35.0))
    failure = only(failures(repo, "--base", "main"), "published")
    assert failure["problem"].startswith(f"vix_crisis 35, in the base {realized.vix_crisis:g}")
    repo.settings["protocol"] = "2.0"
    repo.write_settings()
    assert [item for item in failures(repo, "--base", "main") if item["guard"] == "published"] == []


def test_published_values_do_not_become_nan_and_the_truth_stays(repo):
    results = repo.root / "results"
    realized = read_realized(results, "tiny")
    truth = realized.measure_var * 1.5
    write_realized(results, "tiny", replace(realized, true_var=truth))
    commit(repo.root)
    measure, other = realized.measure_var.copy(), truth.copy()
    measure[2, 1], other[4, 0] = np.nan, 2 * other[4, 0]
    write_realized(results, "tiny", replace(realized, measure_var=measure, true_var=other))
    found = [item["problem"] for item in failures(repo, "--base", "main") if item["guard"] == "published"]
    assert found[0].startswith(f"BBB on {realized.dates[2]} is nan, in the base ")
    assert found[1].startswith(f"true_var of AAA on {realized.dates[4]} is ")
    write_realized(results, "tiny", realized)
    assert only(failures(repo, "--base", "main"), "published")["problem"] == "has no true_var, the base has"


def test_a_folder_with_the_name_of_a_board(repo):
    shutil.copytree(repo.root / RESULT, repo.root / "results/tiny/official/next-day/leaderboard.json")
    found = failures(repo, boards=True)
    assert any("official/next-day/leaderboard.json/run.json" in item["file"] for item in found)


def test_what_others_added_to_the_base_since_is_not_missed(repo):
    git(repo.root, "checkout", "--quiet", "-b", "later")
    repo.add_entry("new", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-2]")
    repo("run")
    repo("ledger", "--update")
    commit(repo.root)
    git(repo.root, "checkout", "--quiet", "main")
    assert failures(repo, "--base", "later") == []


def test_usage_is_one_line(repo, sandbox, tmp_path):
    outcome = repo("verify", "--base", "mian")
    assert (outcome.code, outcome.out) == (2, "")
    assert "no commit `mian` in the repository of " in outcome.err
    assert repo("verify", "--base=--help").code == 2
    assert "no folder editions/none" in repo("verify", "editions/none").err
    shutil.rmtree(repo.root / ".git")
    outcome = repo("verify", "--base", "main")
    assert outcome.code == 2
    assert "not a git repository" in outcome.err


def test_the_registry_is_not_written_to(repo):
    before = git(repo.root, "status", "--porcelain")
    failures(repo, "--base", "main")
    assert git(repo.root, "status", "--porcelain") == before == ""
    assert Registry(repo.root).results == repo.root / "results"
    assert np.isfinite(read(place(repo)).forecasts.forecast_var).all()


NEWER = "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[{day}]"


def bring(repo, name: str, day: int) -> None:
    """A branch from main with an entry and its forecasts alone, as CONTRIBUTING says."""
    git(repo.root, "checkout", "--quiet", "-b", name, "main")
    repo.add_entry(name, NEWER.format(day=day))
    assert repo("run", name).code == 0
    git(repo.root, "add", f"submissions/{name}", *(f"results/tiny/official/{task}/{name}" for task in ("next-day",)))
    git(repo.root, "commit", "--quiet", "--message", name)
    git(repo.root, "checkout", "--quiet", "--", ".")  # the boards that the run wrote


def test_two_requests_that_bring_an_entry_each_merge_and_verify(repo):
    shutil.copy(ROOT / ".gitattributes", repo.root)
    commit(repo.root)
    for name, day in (("second", -2), ("third", -3)):
        bring(repo, name, day)
        assert failures(repo, "--base", "main", boards=True) == []
        assert [(item["guard"], item["file"]) for item in repo.notices] == [
            ("boards", "results/tiny"), ("boards", "results/tiny/studies/trials/official"),
            ("ledger", "results/ledger.jsonl"),
        ]  # fmt: skip
        assert "made after the merge" in repo("verify", "--base", "main").err
        assert {item["guard"] for item in failures(repo, boards=True)} == {"boards", "ledger"}, "alone it is not whole"
        git(repo.root, "checkout", "--quiet", "main")
    start = git(repo.root, "rev-parse", "HEAD")
    for name in ("second", "third"):
        git(repo.root, "merge", "--quiet", "--no-edit", name)
    assert failures(repo, "--base", start, boards=True) == []
    assert repo("board", "--write").code == repo("board", "--write", "--study", "trials").code == 0
    assert repo("ledger", "--update").code == 0
    assert failures(repo, "--base", start, boards=True) == failures(repo, boards=True) == repo.notices == []
    text = (repo.root / "results/tiny/LEADERBOARD.md").read_text()
    assert "second" in text
    assert "third" in text


def test_new_results_do_not_excuse_what_was_edited_or_removed(repo):
    bring(repo, "second", -2)
    board = repo.root / "results/tiny/LEADERBOARD.md"
    board.write_text(board.read_text().replace("flat", "flatter"))
    assert {item["guard"] for item in failures(repo, "--base", "main", boards=True)} == {"boards"}
    git(repo.root, "checkout", "--quiet", "--", ".")
    path = repo.root / "results/tiny/leaderboard.json"
    path.write_text(path.read_text().replace('"qlike": 0.', '"qlike": 0.1', 1))
    assert {item["guard"] for item in failures(repo, "--base", "main", boards=True)} == {"boards"}
    git(repo.root, "checkout", "--quiet", "--", ".")
    shutil.rmtree(repo.root / RESULT)
    assert {item["guard"] for item in failures(repo, "--base", "main")} == {"kept", "ledger"}
    git(repo.root, "checkout", "--quiet", "--", ".")
    edited(repo)
    assert {item["guard"] for item in failures(repo, "--base", "main")} >= {"kept"}


def test_a_board_that_was_wrong_in_the_base_is_no_excuse(repo):
    board = repo.root / "results/tiny/LEADERBOARD.md"
    board.write_text(board.read_text().replace("flat", "flatter"))
    commit(repo.root)
    assert only(failures(repo, "--base", "main", boards=True), "boards")["file"] == "results/tiny/LEADERBOARD.md"

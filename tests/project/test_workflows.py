"""The workflows: valid, pinned, with no more rights than they need, and steps that only call targets and scripts."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

FOLDER = ROOT / ".github/workflows"
WORKFLOWS = {path.name: yaml.load(path.read_text("utf-8"), yaml.BaseLoader) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = [(name, job, spec) for name, flow in WORKFLOWS.items() for job, spec in flow["jobs"].items()]
STEPS = [(name, job, step) for name, job, spec in JOBS for step in spec["steps"]]
RUNS = [step["run"] for _, _, step in STEPS if "run" in step]
RIGHTS = {
    "tests.yml": [{"contents": "read"}],
    "entry.yml": [{"contents": "read"}],
    "entry-comment.yml": [{"actions": "read", "contents": "read", "pull-requests": "write"}],
    "leaderboard.yml": [{"contents": "read"}, {"contents": "write"}],
}
"""By job."""
RUN_ENTRIES = {"make update", "make preview", "make check-entries", "bash .ci/run"}


def test_the_workflows_are_valid():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *FOLDER.glob("*.yml")], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(WORKFLOWS) == set(RIGHTS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_commit_and_names_its_version(name):
    used = re.findall(r"uses:.*", (FOLDER / name).read_text("utf-8"))
    assert used
    for line in used:
        assert re.fullmatch(r"uses: actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)


def test_an_action_has_one_version_in_all_workflows():
    pins = {step["uses"].split("@")[0]: set() for _, _, step in STEPS if "uses" in step}
    for _, _, step in STEPS:
        if "uses" in step:
            pins[step["uses"].split("@")[0]].add(step["uses"])
    assert all(len(versions) == 1 for versions in pins.values())


@pytest.mark.parametrize(("name", "rights"), RIGHTS.items())
def test_a_workflow_has_the_rights_it_needs_and_no_others(name, rights):
    flow = WORKFLOWS[name]
    top = flow["permissions"]
    assert top in ({}, {"contents": "read"}), "what a job may beyond reading stands at the job"
    assert [spec.get("permissions", top) for spec in flow["jobs"].values()] == rights


def test_no_job_that_runs_entries_may_write():
    running = [(name, job, spec) for name, job, spec in JOBS if RUN_ENTRIES & {s.get("run") for s in spec["steps"]}]
    assert {name for name, _, _ in running} == {"tests.yml", "entry.yml", "leaderboard.yml"}
    for name, job, spec in running:
        rights = spec.get("permissions", WORKFLOWS[name]["permissions"])
        assert set(rights.values()) == {"read"}, (name, job)
        assert not any("GITHUB_TOKEN" in step.get("env", {}) for step in spec["steps"])


def test_what_is_committed_was_verified_by_the_job_that_may_write():
    job = WORKFLOWS["leaderboard.yml"]["jobs"]["commit"]
    assert job["needs"] == "run"
    assert [step["run"] for step in job["steps"] if "run" in step] == [
        "bash scripts/ci/take_over_results.sh",
        "make verify",
        ".venv/bin/python scripts/ci/commit_results.py",
    ]
    assert {"BASE": "HEAD"} in [step.get("env") for step in job["steps"]]


def test_no_workflow_runs_a_request_with_the_rights_of_the_base():
    assert not any("pull_request_target" in flow["on"] for flow in WORKFLOWS.values())


@pytest.mark.parametrize("run", RUNS)
def test_no_step_puts_an_expression_into_a_command(run):
    assert "${{" not in run


def test_every_job_has_an_end_and_every_writer_waits_for_the_one_before():
    for name, job, spec in JOBS:
        assert 1 <= int(spec["timeout-minutes"]) <= 360, (name, job)
    for name, rights in RIGHTS.items():
        if any("write" in of_job.values() for of_job in rights):
            assert WORKFLOWS[name]["concurrency"]["cancel-in-progress"] == "false"


def test_no_checkout_leaves_a_token_behind():
    checkouts = [step for _, _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert len(checkouts) == len(JOBS)
    for step in checkouts:
        assert step["with"]["persist-credentials"] == "false"
        assert "ref" not in step["with"], "the commit of the event: for entry-comment the default branch"


@pytest.mark.parametrize("name", ["tests.yml", "entry.yml"])
def test_what_runs_a_request_sees_no_secret(name):
    text = (FOLDER / name).read_text("utf-8")
    assert not re.search(r"secrets|github\.token|GITHUB_TOKEN", text)


def test_the_address_of_the_bars_and_the_token_are_given_to_one_step_each():
    given = {step["name"]: set(step.get("env", {})) for _, _, step in STEPS if "run" in step}
    assert [name for name, keys in given.items() if "BENCH_DATA_URL" in keys] == ["Bars"]
    assert [name for name, keys in given.items() if keys & {"GITHUB_TOKEN", "GH_TOKEN"}] == [
        "Post or update the comment",
        "Commit",
    ]
    assert not any("env" in flow for flow in WORKFLOWS.values())


def test_the_events():
    entry = WORKFLOWS["entry.yml"]["on"]
    assert list(entry) == ["pull_request"]
    assert "submissions/**" in entry["pull_request"]["paths"]
    assert WORKFLOWS["entry-comment.yml"]["on"] == {
        "workflow_run": {"workflows": [WORKFLOWS["entry.yml"]["name"]], "types": ["completed"]}
    }
    assert set(WORKFLOWS["leaderboard.yml"]["on"]) == {"push", "workflow_dispatch"}
    assert set(WORKFLOWS["tests.yml"]["on"]) == {"push", "pull_request"}


@pytest.mark.parametrize("run", sorted(set(RUNS)))
def test_every_step_is_a_target_or_a_script_that_exists(run):
    target = re.fullmatch(r"make ([a-z-]+)", run)
    if target:
        assert re.search(rf"^{target[1]}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
        return
    script = re.fullmatch(r"(?:bash|python3|\.venv/bin/python) (\S+)", run)
    assert script and (ROOT / script[1]).is_file()

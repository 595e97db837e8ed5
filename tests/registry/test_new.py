"""`bench new`: what it writes works at once, and nothing is overwritten."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest
import yaml
from conftest import ROOT

from bench.registry.entries import Row, Submission
from bench.registry.scaffold import KINDS

KINDS_HERE = [kind for kind in KINDS if kind != "torch" or importlib.util.find_spec("torch")]


@pytest.mark.parametrize("kind", KINDS_HERE)
def test_what_is_written_passes_its_check_and_its_test(sandbox, kind):
    sandbox.settings["tasks"]["month-ahead"] = {"ahead": 21}
    sandbox.settings["limits"] |= {"run_seconds": 90, "fit_seconds": 30, "memory_mb": 2000}
    sandbox.write_settings()
    made = sandbox("new", "my-model", "--kind", kind, "--author", "Ada: Example")
    assert made.code == 0, made.err
    folder = sandbox.root / "submissions/my-model"
    assert made.out.split() == [str(folder / name) for name in ("model.py", "submission.yaml", "test_model.py")]
    assert "bench check my-model" in made.err
    if kind != "torch":
        checked = sandbox("check", "my-model")
        assert checked.out.count("✗") == 1, checked.out
        assert "description, entries: my-model: description is that of `bench new`: say what your model" in checked.out
        text = (folder / "submission.yaml").read_text()
        for words in (KINDS[kind]["description"], KINDS[kind]["line"]):
            text = text.replace(words, "A model of mine.")
        (folder / "submission.yaml").write_text(text)
        checked = sandbox("check", "my-model")
        assert checked.code == 0, checked.out + checked.err
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(folder)],
        capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert tested.returncode == 0, tested.stdout
    assert "3 passed" in tested.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_is_short_and_every_field_is_there_and_explained(sandbox, kind):
    sandbox("new", "x.y_2", "--kind", kind, "--author", 'A "quoted" name')
    folder = sandbox.root / "submissions/x.y_2"
    assert len((folder / "model.py").read_text().splitlines()) < 30
    text = (folder / "submission.yaml").read_text()
    spec = yaml.safe_load(text)
    assert spec["authors"] == [{"name": 'A "quoted" name'}]
    for key in (*Submission.model_fields, *(field.alias or name for name, field in Row.model_fields.items())):
        lines = text.splitlines()
        at = next(i for i, line in enumerate(lines) if line.strip(" #-").startswith(f"{key}:"))
        before = [line for line in lines[:at] if line.strip()]
        assert before[-1].strip().startswith("#") or key == "name", key


def test_what_is_written_is_clean(sandbox):
    for kind in KINDS:
        sandbox("new", f"of-{kind}", "--kind", kind)
    folders = [str(sandbox.root / f"submissions/of-{kind}") for kind in KINDS]
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        ignored = ["--ignore", "S101,D1"] if command[0] == "check" else []
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *ignored, "--config", str(ROOT / "pyproject.toml"), *folders],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_overwritten(sandbox, tmp_path):
    assert "the name `flat` is taken by" in sandbox("new", "flat").err
    assert sandbox("new", "mine", "--into", str(tmp_path)).code == 0
    (tmp_path / "mine/model.py").write_text("precious")
    outcome = sandbox("new", "mine", "--into", str(tmp_path))
    assert outcome.code == 2
    assert "is there already" in outcome.err
    assert (tmp_path / "mine/model.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["Mine", "a b", "../up", "-x", ""])
def test_a_name_is_that_of_an_entry(sandbox, name):
    outcome = sandbox("new", "--", name)
    assert outcome.code == 2
    assert "cannot be the name of an entry" in outcome.err
    assert sorted(path.name for path in (sandbox.root / "submissions").iterdir()) == ["flat", "mean"]


def test_an_unknown_kind_is_said(sandbox):
    assert "no kind `poled` (did you mean `pooled`?)" in sandbox("new", "mine", "--kind", "poled").err


def test_a_module_that_is_missing_is_said_in_a_line(sandbox):
    sandbox("new", "mine")
    model = sandbox.root / "submissions/mine/model.py"
    model.write_text("import a_network_library\n" + model.read_text())
    outcome = sandbox("check", "mine")
    assert outcome.code == 1
    for said in (
        "No module named 'a_network_library' (model.py:1 in <module>, start)",
        "; install it, or name it in a",
    ):
        assert said in outcome.out

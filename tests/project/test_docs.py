"""The worked examples of docs/write-an-entry.md and docs/datasets.md (a measure of one's own) do what they say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

SECTION = "## From nothing to a request"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`(submissions/[\w./-]+)`:$")


def worked_example() -> list[re.Match[str]]:
    text = (ROOT / "docs/write-an-entry.md").read_text(encoding="utf-8")
    section = text.split(SECTION)[1].split("\n## ")[0]
    blocks = list(BLOCK.finditer(section))
    assert len(blocks) == section.count("```") / 2
    return blocks


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with what the example needs."""
    root = tmp_path / "clone"
    for part in ("bench.yaml", "datasets/indices", "datasets/simulated", "results/indices", "submissions/har",
                 "submissions/garch", "submissions/baselines"):  # fmt: skip
        source, target = ROOT / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, target)
    return root


def shell_in(where: Path, environment: dict[str, str], code: str) -> str:
    """What a script of a page prints."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code], cwd=where, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def environment_of(clone: Path) -> dict[str, str]:
    """Of scripts in a clone: this Python's commands and nothing of the person who runs the tests."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.defpath}", "HOME": str(clone.parent), "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": os.environ["OMP_NUM_THREADS"],
        **{f"GIT_{who}_{what}": "ada@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="the example ends with a commit")
def test_the_worked_example(clone):
    def shell(code: str, where: Path = clone) -> str:
        return shell_in(where, environment_of(clone), code)

    shell("git init -q && git add . && git commit -qm start")
    family = clone / "submissions/trimmed-mean"
    for block in worked_example():
        code, named = block["code"], FILE.search(block["before"])
        if named:
            (clone / named[1]).write_text(code)
        elif block["language"] == "python":
            (family / "prompt.py").write_text(code)
            assert shell("python prompt.py", family).startswith("[")
            (family / "prompt.py").unlink()
            shutil.rmtree(family / "__pycache__", ignore_errors=True)
        else:
            said = shell(code)
            for number in re.findall(r"# .*?(\d+\.\d+)$", code, re.MULTILINE):
                assert number in said
    committed = shell("git show --stat --name-only --format=%s").split()
    assert "submissions/trimmed-mean/model.py" in committed
    assert "results/indices/official/next-day/trimmed-mean/run.json" in committed
    assert "results/indices/LEADERBOARD.md" not in committed, "boards are made after the merge"


def test_a_measure_of_ones_own(clone):
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    section = page.split("## A measure of your own\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    said = shell_in(clone, environment_of(clone), code.replace(".venv/bin/", ""))
    assert "zero rv5" in said
    assert "daily measure: column rv5;" in (clone / "results/rv3/LEADERBOARD.md").read_text(encoding="utf-8")

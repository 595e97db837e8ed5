"""Files of strangers: kind, size, depth, aliases and names are looked at before anything is made of them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.registry.config import Dataset, Registry, Settings
from bench.registry.entries import code_files, discover
from bench.registry.reading import MAX_DEPTH, read_keys, read_regular, read_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: " + "[" * 100_000, "nested more than 50 deep"),
        ("[" * 100_000, "nested more than 50 deep"),
        ("a: " + "{b: " * (MAX_DEPTH + 1), "nested more than 50 deep"),
        (LAUGHS, "aliases counted in full"),
        ("a: &a [*a]", r"the alias \*a stands for nothing that is whole"),
        ("a: &a\n  <<: *a", r"the alias \*a stands for nothing that is whole"),
        ("a: *b", r"the alias \*b stands for nothing that is whole|undefined alias"),
        ("refit: 5\nrefit: 6", "the key 'refit' stands twice, at line 2"),
        ("a: {seeds: 1, 'seeds': 2}", "the key 'seeds' stands twice"),
        ("1: 2", "the key 1 is no text"),
        ("a: " + "1" * 5000, "not valid YAML"),
        ("a: [" + "x, " * 60_000 + "]", "more than 50,000 values"),
        ("a: " + "x" * 2**20, "larger than 1,048,576 bytes"),
        ("a: \x00", "not valid YAML"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
    ],
)
def test_what_is_no_file_of_settings_is_one_line(tmp_path, text, told):
    path = tmp_path / "bench.yaml"
    path.write_text(text)
    started = time.perf_counter()
    with pytest.raises(BenchError, match=told) as error:
        read_keys(path)
    assert len(str(error.value).splitlines()) == 1
    assert time.perf_counter() - started < 2


def test_merged_keys_may_be_replaced(tmp_path):
    path = tmp_path / "bench.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_keys(path)["b"] == {"x": 3, "y": 2}


def test_a_pipe_a_device_and_a_folder_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "zero", "folder", "loop", "none"):
        with pytest.raises(OSError, match=r"no regular file|Too many|No such file"):
            read_regular(tmp_path / name)
        with pytest.raises(BenchError, match="cannot be read"):
            read_keys(tmp_path / name)


def test_of_many_mistakes_twenty_are_told(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("".join(f"strange{i}: 1\n" for i in range(1000)))
    with pytest.raises(BenchError) as error:
        read_yaml(path, Settings)
    lines = str(error.value).splitlines()
    assert len(lines) == 21 and lines[-1].endswith("more mistakes")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"seeds": 1_000_000_000}, "seeds: Input should be less than or equal to 100"),
        ({"seeds": 101}, "seeds: Input should be less than or equal to 100"),
        ({"refit": 10_001}, "refit: Input should be less than or equal to 10000"),
        ({"tolerance": 1}, "tolerance: Input should be less than or equal to 0.01"),
        ({"tolerance": float("nan")}, "tolerance: "),
        ({"tasks": ["n" * 65]}, "String should have at most 64 characters"),
        ({"parameters": {"table": "x" * 20_000}}, "more than 16,384 bytes as JSON"),
        ({"parameters": {"a": [[[[[[[[[1]]]]]]]]]}}, "nested more than 8 deep"),
        ({"description": "d" * 1001}, "description: String should have at most 1000"),
    ],
)
def test_rows_have_bounds(sandbox, row, told):
    sandbox.add_entry("row", "class Model(Forecaster): pass", **row)
    found = discover(sandbox.root / "submissions")
    assert set(found.entries) == {"flat", "mean"}
    (problem,) = found.problems
    assert told in problem and len(problem) < 300


def test_bounds_themselves_are_allowed(sandbox):
    row = {"seeds": 100, "refit": 10_000, "tolerance": 1e-2, "parameters": {"a": [[[[[[1]]]]]]}}
    sandbox.add_entry("n" * 64, "class Model(Forecaster): pass", **row)
    assert discover(sandbox.root / "submissions").problems == []


def test_a_family_has_no_more_rows_than_a_person_reads(sandbox):
    sandbox.add_entry("row", "class Model(Forecaster): pass")
    sandbox.add_rows("row", [{"name": f"row-{i}"} for i in range(100)])
    assert "at most 100 items" in discover(sandbox.root / "submissions").problems[0]


def test_a_task_and_a_threshold_are_of_this_world(sandbox):
    for change, told in (
        ({"tasks": {"next-day": {"ahead": 1, "behind": 10**9}}}, "less than or equal to 1000"),
        ({"tasks": {"next-day": {"ahead": 10**9}}}, "less than or equal to 1000"),
        ({"regimes": {"vix_crisis": float("nan")}}, "finite number"),
    ):
        sandbox.settings.update(change)
        sandbox.write_settings()
        with pytest.raises(BenchError, match=told):
            Registry(sandbox.root)
        sandbox.settings.pop("regimes", None)


def test_a_family_is_files_of_ordinary_kind_and_depth(sandbox):
    folder = sandbox.add_entry("row", "class Model(Forecaster): pass")
    os.mkfifo(folder / "pipe")
    with pytest.raises(BenchError, match="row/pipe: is no regular file"):
        code_files(folder)
    (folder / "pipe").unlink()
    strange = Path(os.fsdecode(os.fsencode(folder) + b"/\xff.py"))
    strange.touch()
    with pytest.raises(BenchError, match="a file's name is printable text"):
        code_files(folder)
    assert "printable text" in discover(sandbox.root / "submissions").problems[0].encode().decode()
    strange.unlink()
    (folder / Path(*["d"] * 17)).mkdir(parents=True)
    with pytest.raises(BenchError, match="folders lie more than 16 deep"):
        code_files(folder)


def test_a_folder_twelve_hundred_deep_is_one_line(sandbox, monkeypatch):
    folder = sandbox.add_entry("row", "class Model(Forecaster): pass")
    monkeypatch.chdir(folder)
    for _ in range(1200):  # its path is longer than the system takes in one go
        Path("d").mkdir()
        os.chdir("d")
    (problem,) = discover(sandbox.root / "submissions").problems
    for _ in range(1200):  # what made it takes it away: not every clean-up goes so deep
        os.chdir("..")
        Path("d").rmdir()
    assert "folders lie more than 16 deep" in problem


def test_a_dataset_is_bounded_too(sandbox):
    path = sandbox.root / "datasets/tiny/dataset.yaml"
    text = path.read_text()
    path.write_text(text.replace("- AAA", f"- {'A' * 65}"))
    with pytest.raises(BenchError, match="at most 64 characters"):
        read_yaml(path, Dataset, id="tiny", folder=path.parent)

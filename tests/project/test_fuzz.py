"""Input files changed at random, by `benchmarks/fuzz.py`: refused in words, or read with the same numbers."""

from __future__ import annotations

import importlib.util
import random
import shutil
import sys
from hashlib import sha256
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest
from conftest import ROOT

from bench.errors import BenchError
from bench.registry.reading import read_regular

CASES = 2000


@pytest.fixture(scope="module")
def fuzzing():
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "benchmarks" / "fuzz.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def benchmark(ran):
    """One with results, a ledger, an entry with requirements, bars as parquet, and files of an edition."""
    assert ran("ledger", "--update").code == 0
    folder = ran.root / "datasets/tiny"
    pyarrow.parquet.write_table(pyarrow.csv.read_csv(folder / "bars.csv"), folder / "bars.parquet")
    (folder / "bars.csv").unlink()
    (ran.root / "submissions/flat/requirements.txt").write_text("lightgbm==4.6.0\nnumpy>=2.0  # arrays\n")
    edition = ran.root / "editions/2026.1"
    edition.mkdir(parents=True)
    for name in ("edition.json", "entries.json", "settings.yaml"):
        shutil.copy(ROOT / "editions/2026.1" / name, edition)
    sums = [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(edition.iterdir())]
    (edition / "SHA256SUMS").write_text("".join(sums))
    return ran.root


def test_no_change_of_a_file_ends_in_a_traceback_a_hang_or_another_number(fuzzing, benchmark):
    names = {target.path.name for target in fuzzing.targets(benchmark)}
    assert names >= {
        "bench.yaml", "dataset.yaml", "submission.yaml", "requirements.txt", "bars.parquet", "vix.csv", "run.json",
        "forecasts.parquet", "realized.parquet", "ledger.jsonl", "edition.json", "SHA256SUMS",
    }  # fmt: skip
    assert fuzzing.fuzz(benchmark, CASES, seed=1) == []


def refusing(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise BenchError("no file") from error


def test_what_goes_wrong_is_found(fuzzing, tmp_path):
    def target(read) -> fuzzing.Target:
        return fuzzing.Target(Path(tmp_path / "x.json"), read)

    assert "ZeroDivisionError" in fuzzing.outcome(target(lambda: 1 / 0)).what
    fuzzing.SECONDS, before = 0.1, fuzzing.SECONDS
    try:
        assert fuzzing.outcome(target(lambda: [None for _ in iter(int, 1)])).what == "hangs"
    finally:
        fuzzing.SECONDS = before
    (tmp_path / "x.json").write_bytes(b"12345")
    fuzzing.targets, kept = lambda root: [target(lambda: refusing(tmp_path / "x.json"))], fuzzing.targets
    try:
        found = fuzzing.fuzz(tmp_path, 40, seed=2)
    finally:
        fuzzing.targets = kept
    assert any("other numbers without a word" in line for line in found)
    assert (tmp_path / "x.json").read_bytes() == b"12345"


def test_the_same_seed_makes_the_same_changes(fuzzing):
    content = b"name: value 12\n" * 20
    both = [[fuzzing.mutate(rng, content) for _ in range(50)] for rng in (random.Random(3), random.Random(3))]
    assert both[0] == both[1] and len(set(both[0])) > 40

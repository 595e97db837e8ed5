"""`bench check`: what is sound passes, and each fault fails the check that is meant for it, with what to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT

from bench.audit.checks import (
    DATA,
    FUTURE,
    LIMITS,
    NETWORK,
    PAST,
    POSITIVE,
    RUNS,
    SAME,
    SEEDS,
    SHAPES,
    SIZE,
    WRITES,
)
from bench.audit.panels import ground_of, plant, replaced
from bench.audit.words import METADATA, metadata
from bench.plugin.measures import is_variance
from bench.registry.config import Registry
from bench.registry.entries import discover
from bench.run.bars import open_campaign

MODEL = "class Model(Forecaster):\n    def forecast(self, history):\n"
LAST = "        return history.variance[-1]\n"
PLANTED = "        bars = np.load(os.environ['BENCH_DATA'] + '/tiny/variance.npy')\n"

FAULTY: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "reads the future from a file": (
        "import os\n" + MODEL + PLANTED + "        return bars[len(history)]\n",
        {}, FUTURE, "it knows bars that it was not handed",
    ),
    "reads the future where no hook sees it": (
        "import pyarrow.parquet as pq\n" + MODEL
        + "        if not hasattr(self, 'bars'):\n"
        + "            self.bars = pq.read_table('../data/tiny/bars.parquet', columns=['close'])['close'].to_numpy()\n"
        + "        return history.variance[-1] * (1 + self.bars[3 * len(history)])\n",
        {}, FUTURE, "it knows bars that it was not handed",
    ),
    "is constant": (
        MODEL + "        return np.full(3, 1e-4)\n", {}, PAST, "leave AAA, BBB, CCC as they were",
    ),
    "is constant for one symbol": (
        MODEL + "        return np.array([1e-4, *history.variance[-1, 1:]])\n", {}, PAST, "leave AAA as they were",
    ),
    "says that it is constant and is not": (MODEL + LAST, {"constant": True}, PAST, "take that out"),
    "draws from the clock": (
        "import time\n" + MODEL + "        return history.variance[-1] * (1 + time.time_ns() % 1000 / 1e4)\n",
        {}, SAME, "two runs with one seed differ",
    ),
    "ignores its seed": (MODEL + LAST, {"seeds": 2}, SEEDS, "say `seeds: 1`"),
    "reads a file of data": (
        "import os\n" + MODEL + PLANTED + "        return history.variance[-1] + bars[0]\n",
        {}, DATA, "tiny/variance.npy",
    ),
    "forecasts NaN": (MODEL + "        return np.full(3, np.nan)\n", {}, POSITIVE, "is NaN"),
    "has the wrong shape": (MODEL + "        return history.variance[-2:]\n", {}, SHAPES, "expected (3,)"),
    "is slow": ("import time\n" + MODEL + "        time.sleep(9)\n", {}, LIMITS, "took longer than 2 s"),
    "forecasts annualised percent": (
        MODEL + "        return 100 * np.sqrt(252 * history.variance.mean(axis=0))\n", {},
        SIZE, "an annualised volatility in percent",
    ),
    "forecasts variance of percent": (
        MODEL + "        return 1e4 * history.variance.mean(axis=0)\n", {}, SIZE, "a variance of percent returns",
    ),
    "forecasts volatility": (
        MODEL + "        return np.sqrt(history.variance.mean(axis=0))\n", {}, SIZE, "a daily volatility instead",
    ),
    "imports a module of ours": (
        "from bench.stats import qlike\n" + MODEL + LAST, {}, RUNS, "imports bench.stats: of volmark an entry has",
    ),
    "imports a name of ours": ("from bench import api\n" + MODEL + LAST, {}, RUNS, "copy what it needs into its"),
    "is no Forecaster": (
        "class Model:\n    def forecast(self, history):\n" + LAST, {},
        RUNS, "Model in model.py is no Forecaster: derive",
    ),
    "forecasts nothing": (MODEL + "        pass\n", {}, RUNS, "forecast returned None: return an array"),
    "forecasts a dict": (
        MODEL + "        return dict(zip(history.symbols, history.variance[-1]))\n", {},
        RUNS, "forecast returned a dict: return an array",
    ),
    "lacks a module": ("import no_such_thing\n" + MODEL + LAST, {}, RUNS, "name it in a requirements.txt"),
    "says nothing of itself": (MODEL + LAST, {"description": " "}, METADATA, "entries: odd: description is empty"),
}  # fmt: skip


def failed(outcome) -> dict[str, str]:
    findings = [finding for report in outcome.json for finding in report["findings"]]
    return {finding["check"]: finding["detail"] for finding in findings if finding["passed"] is False}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_fails_its_check_and_says_what_to_change(sandbox, fault):
    code, row, check, message = FAULTY[fault]
    if check != LIMITS:  # a busy machine is no fault of the entry
        sandbox.settings["limits"] |= {"run_seconds": 60, "forecast_seconds": 30}
    sandbox.write_settings()
    sandbox.add_entry("odd", code, **row)
    outcome = sandbox("check", "odd", "--json")
    assert outcome.code == 1
    assert "not passed: odd" in outcome.err
    assert message in failed(outcome).get(check, ""), outcome.out
    beside = {FUTURE: {DATA, SIZE}}.get(check, set())  # a look at a planted file is seen too, and bars are no variances
    assert set(failed(outcome)) <= {check} | beside


def test_whatever_it_does_outside_its_folder_is_told(sandbox):
    sandbox.add_entry(
        "odd",
        """
import os, socket, subprocess
from contextlib import suppress

class Model(Forecaster):
    def forecast(self, history):
        with suppress(OSError):
            socket.create_connection(("192.0.2.1", 80), 0.01)
        with suppress(OSError):
            open("../entry/left.txt", "w").close()
        with suppress(OSError):
            os.mkdir("/var/tmp/volmark-left/there")
        with suppress(OSError):
            subprocess.run(["true"])
        with suppress(OSError):
            open(f"/proc/{os.getppid()}/cmdline").close()
        with suppress(OSError):
            open("/home/prices.csv").close()
        open("mine.txt", "w").close()
        return history.variance[-1]
""",
    )
    outcome = sandbox("check", "odd", "--json")
    details = failed(outcome)
    assert set(details) == {NETWORK, WRITES, DATA}
    assert "192.0.2.1" in details[NETWORK]
    for what in ("entry/left.txt", "/var/tmp/volmark-left/there", "starts true"):
        assert what in details[WRITES]
    for what in ("cmdline", "/home/prices.csv"):
        assert what in details[DATA]
    assert "mine.txt" not in outcome.out


def test_what_is_sound_passes_every_check(sandbox):
    outcome = sandbox("check", "flat", "mean")
    assert outcome.code == 0, outcome.out
    assert "✗" not in outcome.out
    for check in (METADATA, RUNS, SHAPES, POSITIVE, SAME, FUTURE, PAST, LIMITS, NETWORK, WRITES, DATA):
        assert outcome.out.count(f"✓ {check}") == 2
    assert "tiny: 3 symbols" in outcome.out
    assert "    isolation: " in outcome.out


def test_a_constant_that_says_so_passes(sandbox):
    sandbox.add_entry("level", MODEL + "        return np.full(3, 1e-4)\n", constant=True)
    outcome = sandbox("check", "level")
    assert outcome.code == 0, outcome.out
    assert "declared constant, and it is" in outcome.out


def test_a_declaration_of_constancy_does_not_change_an_identity(sandbox):
    campaign = open_campaign(Registry(sandbox.root), "tiny", "official")
    flat = discover(sandbox.root / "submissions").entries["flat"]
    declared = replace(flat, row=flat.row.model_copy(update={"constant": True}))
    for task in campaign.tasks_of(flat).values():
        assert campaign.new_run(declared, task).identity == campaign.new_run(flat, task).identity


def test_every_task_is_checked_for_the_future(sandbox):
    peeks = "import os\n" + MODEL + PLANTED + "        later = bars[len(history)] if self.task.ahead > 1 else 0\n"
    sandbox.add_entry("sly", peeks + "        return history.variance[-1] + later\n", tasks=["next-day", "week-ahead"])
    assert "the week-ahead forecast" in failed(sandbox("check", "sly", "--json"))[FUTURE]


def test_missing_metadata_is_a_line_and_the_other_entries_are_checked(sandbox):
    path = sandbox.add_entry("odd", MODEL + LAST) / "submission.yaml"
    spec = yaml.safe_load(path.read_text())
    del spec["training_data"]
    path.write_text(yaml.safe_dump(spec))
    for name in ("odd", str(path.parent)):
        outcome = sandbox("check", name, "mean")
        assert outcome.code == 1
        assert "✗ metadata complete: submissions/odd/submission.yaml: training_data: missing key" in outcome.out
        assert "✓ the past does" in outcome.out


def test_what_is_not_done_in_time_has_not_passed(sandbox):
    sandbox.add_entry("slow", "import time\n" + MODEL + "        time.sleep(0.5)\n" + LAST)
    outcome = sandbox("check", "slow", "--timeout", "2")
    assert outcome.code == 1
    assert "not done in 2 s on a short panel: --timeout" in outcome.out


def test_an_entry_that_no_dataset_serves_is_said(sandbox):
    sandbox.add_entry("odd", MODEL + LAST, reads=["volume"])
    spec = yaml.safe_load((sandbox.root / "datasets/tiny/dataset.yaml").read_text())
    (sandbox.root / "datasets/tiny/dataset.yaml").write_text(yaml.safe_dump({**spec, "volume": False}))
    outcome = sandbox("check", "odd")
    assert outcome.code == 2
    assert "odd cannot run on tiny: reads volume" in outcome.err


def test_an_unknown_name_is_usage(sandbox):
    outcome = sandbox("check", "flta")
    assert outcome.code == 2
    assert "no entry `flta` (did you mean `flat`?)" in outcome.err


@pytest.fixture(scope="module")
def simulated():
    registry = Registry(ROOT)
    return ground_of(registry.dataset("simulated"), registry.settings)


def test_a_check_walks_on_the_end_of_development_alone(simulated):
    assert str(simulated.panel.dates[-1]) == "2021-12-31"
    assert len(simulated.panel.dates) == 760
    assert simulated.panel.symbols == ("MKT", "S01", "S02", "S03", "S04", "S05")
    assert simulated.panel.true_var is not None


@pytest.mark.parametrize(("first", "last"), [(0, 400), (300, 500), (700, 759)])
def test_replaced_bars_are_sound_and_leave_the_others_alone(simulated, first, last):
    panel = simulated.panel
    other = replaced(panel, first, last, np.random.default_rng(0))
    for name in ("open", "high", "low", "close", "volume", "vix"):
        assert np.array_equal(getattr(other, name)[:first], getattr(panel, name)[:first])
    stretch = slice(first, last + 1)
    assert (other.variance[stretch] != panel.variance[stretch]).all()
    np.testing.assert_allclose(other.variance[last + 1 :], panel.variance[last + 1 :], rtol=1e-9)
    np.testing.assert_allclose(other.returns[last + 1 :], panel.returns[last + 1 :], atol=1e-12)
    assert (other.high >= np.maximum(other.open, other.close)).all()
    assert (other.low <= np.minimum(other.open, other.close)).all()
    assert is_variance(other.variance).all()
    assert 0.2 < other.variance[stretch].mean() / panel.variance.mean() < 5  # plausible
    assert np.abs(other.returns[1:]).max() < 1


def test_the_bait_is_the_panel_in_the_form_of_a_snapshot(simulated, tmp_path):
    from bench.data.snapshot import read_bars, read_vix

    plant(simulated.panel, tmp_path)
    place = tmp_path / "simulated"
    assert np.array_equal(np.load(place / "variance.npy"), simulated.panel.variance)
    assert (place / "bars.csv").is_file()
    (place / "bars.csv").unlink()
    bars = read_bars(simulated.dataset, place)
    assert np.array_equal(bars["close"].to_numpy(), simulated.panel.close.ravel())
    assert len(read_vix(simulated.dataset, place)) == len(simulated.panel.dates)


def test_a_forged_report_of_what_was_seen_is_no_traceback(sandbox):
    sandbox.add_entry(
        "forger",
        "import json, os, struct, sys\n" + MODEL
        + "        for kind in ([1], {'a': 1}, None, 7, 'network'):\n"
        + "            text = json.dumps({'kind': 'watch', 'facts': {'kind': kind, 'what': [kind]}}).encode()\n"
        + "            os.write(int(sys.argv[2]), struct.pack('<cIQ', b'L', len(text), 0) + text)\n" + LAST,
    )  # fmt: skip
    outcome = sandbox("check", "forger", "--json")
    assert outcome.code == 1
    assert failed(outcome)[NETWORK].startswith("['network']; ")


def test_a_family_that_is_a_link_is_left_out(sandbox, tmp_path):
    folder = sandbox.add_entry("odd", MODEL + LAST)
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    catalogue = discover(sandbox.root / "submissions")
    assert "odd" not in catalogue.entries
    assert catalogue.problems == ["submissions/odd: is a link; put the folder itself in its place"]
    assert sandbox("check", "flat", "--json").code == 0


@pytest.mark.parametrize(
    ("requirements", "said"),
    [
        ("scikit-learn\nnumpy>=1.5\nscipy==1.17.1\n", "requirements.txt: scikit-learn, numpy>=1.5: name one version"),
        ("torch==2.*\n", "requirements.txt: torch==2.*: name one version"),
        ("-r other.txt\n", "line 1: only names and versions of packages are read"),
        ("scipy==1.17.1\n", ""),
    ],
)
def test_requirements_name_one_version(sandbox, requirements, said):
    folder = sandbox.add_entry("odd", MODEL + LAST)
    (folder / "requirements.txt").write_text(requirements)
    (finding,) = metadata(discover(sandbox.root / "submissions").entries["odd"]).findings
    assert finding.passed is (said == "")
    assert said in finding.detail


@pytest.mark.parametrize("tasks", ["next-day", None, {"next-day": 1}])
def test_tasks_that_are_no_list_are_said_in_words(sandbox, tasks):
    path = sandbox.add_entry("odd", MODEL + LAST) / "submission.yaml"
    spec = yaml.safe_load(path.read_text())
    spec["entries"][0]["tasks"] = tasks
    path.write_text(yaml.safe_dump(spec))
    (problem,) = discover(sandbox.root / "submissions").problems
    assert problem.startswith("submissions/odd/submission.yaml: entries.0.tasks: write a list")
    assert problem.endswith("or the word path for a PathForecaster")

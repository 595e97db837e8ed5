"""What is kept of an entry that fails: where it was, what it wrote, what it was warned of."""

from __future__ import annotations

import pytest

from bench.store import Frame, Where

pytestmark = pytest.mark.usefixtures("plain_figures")


def failed(box, name: str, code: str, **row):
    """The record of an entry that fails."""
    box.add_entry(name, code, **row)
    assert box("run", name).code == 1
    return box.run_json(name)


def test_a_failure_names_the_entrys_own_lines_and_the_day(sandbox):
    family = sandbox.add_entry(
        "deep",
        """
from parts.helper import half
class Model(Forecaster):
    def forecast(self, history):
        if len(history) > 290:
            return half(history)
        return history.variance[-1]
""",
    )
    (family / "parts").mkdir()
    (family / "parts/helper.py").write_text("def half(history):\n    return history.nothing(\n        0.5\n    )\n")
    assert sandbox("run", "deep").code == 1
    record = sandbox.run_json("deep")
    day = record["where"]["session"]
    assert record["where"]["phase"] == "forecast"
    assert record["where"]["frames"] == [
        {"file": "model.py", "line": 8, "function": "forecast"},
        {"file": "parts/helper.py", "line": 2, "function": "half"},
    ]
    assert record["reason"].startswith("AttributeError")
    assert record["reason"].endswith(f"(parts/helper.py:2 in half, forecast on {day})")


@pytest.mark.parametrize(
    ("code", "phase", "ends"),
    [
        (
            "class Model(Forecaster):\n    def fit(self, h):\n        1 / 0",
            "fit",
            "(model.py:5 in fit, fit on 2010-12-31)",
        ),
        ("import nothing_of_it", "start", "(model.py:3 in <module>, start)"),
        ("def (", "start", "(model.py:3 in <module>, start)"),
        ("import os\nclass Model(Forecaster):\n    def fit(self, h):\n        os._exit(3)", "fit", "fit on 2010-12-31"),
    ],
)
def test_every_phase_is_named(sandbox, code, phase, ends):
    record = failed(sandbox, "broken", code)
    assert record["where"]["phase"] == phase
    assert record["reason"].endswith(ends)


def test_what_it_wrote_lies_beside_its_record_and_goes_when_it_recovers(sandbox):
    code = """
class Model(Forecaster):
    def forecast(self, history):
        print("\\x1b[31m", len(history), "x" * 1000)
        if len(history) > 290:
            print("the last words", flush=True)
            raise ValueError
        return history.variance[-1]
"""
    failed(sandbox, "wordy", code)
    path = sandbox.root / "results/tiny/official/next-day/wordy/output.txt"
    text = path.read_text()
    assert text.endswith("the last words\n")
    assert 15_000 < len(text) <= 16_384
    assert "\x1b" not in text
    sandbox.add_entry("wordy", code.replace("290", "29000"))
    assert sandbox("run", "wordy").code == 0
    assert not path.exists()
    assert "where" not in sandbox.run_json("wordy")


def test_what_an_entry_wrote_before_it_was_killed_is_kept(sandbox):
    sandbox.settings["limits"]["forecast_seconds"] = 1
    sandbox.write_settings()
    record = failed(
        sandbox,
        "slow",
        """
import time
class Model(Forecaster):
    def forecast(self, history):
        print("I am slow", flush=True)
        time.sleep(60)
""",
    )
    assert record["failure"] == "timeout"
    assert (sandbox.root / "results/tiny/official/next-day/slow/output.txt").read_text() == "I am slow\n"


def test_runtime_warnings_are_counted_with_their_lines(sandbox):
    record = failed(
        sandbox,
        "nan",
        """
class Model(Forecaster):
    def forecast(self, history):
        for i in range(5):
            answer = np.log(-history.variance[-1])
        return answer
""",
    )
    assert record["failure"] == "forecast"
    assert record["where"] == {"phase": "forecast", "session": "2010-12-31", "frames": []}
    ((what, count),) = record["warned"].items()
    assert what == "RuntimeWarning: invalid value encountered in log (model.py:7)"
    assert count == 5
    text = (sandbox.root / "results/tiny/official/next-day/nan/output.txt").read_text()
    assert text.count("RuntimeWarning") == 1  # the first of a kind


def test_of_seeds_that_fail_the_lowest_is_told_whichever_ended_first(sandbox):
    code = """
import time
class Model(Forecaster):
    def forecast(self, history):
        time.sleep(0.5 if self.seed == 0 else 0)
        raise ValueError(f"seed {self.seed} is no good")
"""
    record = failed(sandbox, "seeded", code, seeds=2)
    assert record["reason"].startswith("seed 0: ValueError: seed 0 is no good")
    again = failed(sandbox, "seeded", code, seeds=2)
    assert again.pop("failures") == 1  # the mark of a second try, and all that differs
    assert again == record


def test_where_in_words():
    frames = [Frame("model.py", 3, "forecast"), Frame("helper.py", 6, "half")]
    assert str(Where("forecast", "2015-11-16", frames)) == "helper.py:6 in half, forecast on 2015-11-16"
    assert str(Where("start")) == "start"


TROUBLED = """
def helper(history):
    np.log(np.zeros(1))
    print("almost there \\x1b[31m")
    raise KeyError("nothing of that name")

class Model(Forecaster):
    def forecast(self, history):
        return helper(history)
"""


def test_where_it_failed_is_shown_by_every_command(sandbox):
    sandbox.add_entry("broken", TROUBLED)
    ran = sandbox("run", "broken")
    for said in ("where: model.py:7 in helper, forecast on ", "through: model.py:11 in forecast > model.py:7 in helper",
                 "warned 1 time: RuntimeWarning: divide by zero encountered in log (model.py:5)",
                 "it wrote last (", "broken/output.txt", "  | almost there"):  # fmt: skip
        assert said in ran.err, ran.err
    shown, checked = sandbox("show", "broken"), sandbox("check", "broken")
    assert "failed: tiny official next-day\n  where: model.py:7 in helper" in shown.out
    assert "output.txt" in shown.out
    assert "where: model.py:7 in helper" in checked.out
    assert "it wrote last:" in checked.out
    assert "\x1b" not in ran.err + shown.out + checked.out
    cards = sandbox("show", "broken", "--json").json
    (again,) = sandbox("run", "broken", "--json").json["troubles"].values()
    found = sandbox("check", "broken", "--json").json[1]["trouble"]
    for trouble in (cards["results"][0]["trouble"], again, found):
        assert trouble["frames"] == ["model.py:11 in forecast", "model.py:7 in helper"]
        assert list(trouble["warned"]) == ["RuntimeWarning: divide by zero encountered in log (model.py:5)"]
        assert any("almost there" in line for line in trouble["last_lines"])
    assert again["output"].endswith("broken/output.txt")
    assert "trouble" not in sandbox("show", "flat").out

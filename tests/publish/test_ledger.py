"""The ledger: what it says of results that come, change and go, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bench.errors import StorageError
from bench.publish import ledger
from bench.publish.ledger import Event, Key, Replaced

A, B = "a" * 64, "b" * 64


def lines(sandbox) -> list[dict]:
    path = sandbox.root / "results/ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def event(kind: str = "accepted", version: str = "1", identity: str = A, digest: str = A, **more) -> Event:
    return Event(kind, "tiny", "official", "next-day", "flat", version, "1.0", identity, digest, **more)


def test_every_result_is_accepted_once_and_nothing_is_appended_twice(sandbox):
    sandbox.add_entry("broken", "class Model(Forecaster):\n    def forecast(self, history):\n        return None")
    variant = sandbox.add_study("trials", "flat", 7)
    sandbox("run")
    sandbox("run", f"trials/{variant}")
    outcome = sandbox("ledger", "--update", "--json")
    assert outcome.code == 0
    found = {(line["entry"], line["task"], line.get("study")) for line in outcome.json}
    assert found == {  # no failed result, no derived task
        (entry, task, study)
        for entry, study in (("flat", None), ("mean", None), (variant, "trials"))
        for task in ("next-day", "week-ahead")
    }
    assert {line["event"] for line in outcome.json} == {"accepted"}
    flat = next(line for line in lines(sandbox) if line["entry"] == "flat" and line["task"] == "next-day")
    record = sandbox.run_json("flat")
    assert (flat["identity"], flat["digest"], flat["version"]) == (record["identity"], record["digest"], "1")
    before = (sandbox.root / "results/ledger.jsonl").read_bytes()
    again = sandbox("ledger", "--update")
    assert (again.code, again.out) == (0, "")
    assert "nothing has changed" in again.err
    assert (sandbox.root / "results/ledger.jsonl").read_bytes() == before


def test_a_new_version_replaces_and_an_old_one_is_refused(sandbox):
    sandbox("run")
    sandbox("ledger", "--update")
    first = sandbox.run_json("flat")
    model = sandbox.root / "submissions/flat/model.py"
    model.write_text(model.read_text().replace("history.variance[-1]", "history.variance[-2]"))
    sandbox("run", "flat")
    refused = sandbox("ledger", "--update")
    assert refused.code == 1
    assert "flat (tiny official next-day): forecasts changed without a new version: version 1" in refused.err
    assert first["identity"][:12] in refused.err
    assert sandbox.run_json("flat")["identity"][:12] in refused.err
    assert len(lines(sandbox)) == 4

    spec = sandbox.root / "submissions/flat/submission.yaml"
    spec.write_text(spec.read_text().replace("version: 1", "version: 2"))
    sandbox("run", "flat")
    assert sandbox("ledger", "--update").code == 0
    new = lines(sandbox)[4:]
    assert [(line["event"], line["version"]) for line in new] == [("replaced", "2")] * 2
    assert new[0]["replaces"] == {"version": "1", "identity": first["identity"]}


def test_a_withdrawal_needs_a_reason_and_removes_the_result(sandbox):
    sandbox.add_entry(
        "extra", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1] * 2"
    )
    sandbox("run")
    sandbox("ledger", "--update")
    folder = sandbox.root / "results/tiny/official/next-day/extra"
    withdraw = "ledger", "--withdraw", "extra", "--dataset", "tiny"
    assert "name the dataset whose results" in sandbox("ledger", "--withdraw", "extra", "--reason", "x").err
    assert "needs a reason" in sandbox(*withdraw).err
    assert folder.is_dir()
    assert "no such result of extra" in sandbox(*withdraw, "--reason", "x", "--task", "y").err
    outcome = sandbox(*withdraw, "--reason", "it saw  the future")
    assert outcome.code == 0
    assert outcome.out.count("extra") == 1 and "note" in outcome.out
    assert "the next `bench run` makes extra again" in outcome.err
    assert not folder.exists()
    last = lines(sandbox)[-1]
    assert (last["event"], last["entry"], last["reason"]) == ("withdrawn", "extra", "it saw the future")
    assert "extra" not in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()
    assert sandbox("ledger", "--update").out == ""
    sandbox("run")  # its row is still there: the same version may come back as it was
    assert [line["event"] for line in sandbox("ledger", "--update", "--json").json] == ["accepted"]


def test_a_result_that_is_gone_is_not_withdrawn_by_itself(sandbox):
    sandbox("run")
    sandbox("ledger", "--update")
    (sandbox.root / "results/tiny/official/next-day/flat/run.json").unlink()
    outcome = sandbox("ledger", "--update")
    assert outcome.code == 1
    assert "in the ledger, but no finished result: flat (tiny official next-day)" in outcome.err
    assert len(lines(sandbox)) == 4
    # an interrupted withdrawal is finished by the same call
    withdraw = "ledger", "--withdraw", "flat", "--dataset", "tiny", "--task", "next-day", "--reason", "test"
    assert sandbox(*withdraw).code == 0
    assert lines(sandbox)[-1]["event"] == "withdrawn"
    assert sandbox("ledger", "--update").code == 0


def test_a_version_that_fails_withdraws_the_one_before_and_stays(sandbox):
    sandbox.add_entry(
        "extra", "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1] * 2"
    )
    sandbox("run")
    sandbox("ledger", "--update")
    sandbox.add_entry(
        "extra", "class Model(Forecaster):\n    def forecast(self, h):\n        return -h.variance", version=2
    )
    sandbox("run")
    (line,) = sandbox("ledger", "--update", "--json").json
    assert (line["event"], line["version"]) == ("withdrawn", "1")
    assert line["reason"].startswith("version 2 failed: forecast has shape")
    assert sandbox.run_json("extra")["state"] == "failed"


def test_lines_are_shown_and_filtered(sandbox):
    assert "no lines" in sandbox("ledger").err
    sandbox("run")
    sandbox("ledger", "--update")
    assert sandbox("ledger").out.count("accepted") == 4
    assert [line["entry"] for line in sandbox("ledger", "flat", "--task", "next-day", "--json").json] == ["flat"]
    assert sandbox("ledger", "--dataset", "other").out == ""
    for arguments in (["flt"], ["--withdraw", "flt", "--dataset", "tiny", "--reason", "x"]):
        mistaken = sandbox("ledger", *arguments)
        assert mistaken.code == 2 and "no entry `flt` (did you mean `flat`?)" in mistaken.err
    for arguments in (["--update", "--withdraw", "flat"], ["--reason", "x"], ["flat", "--update"]):
        assert sandbox("ledger", *arguments).code == 2


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([event("replaced", replaces=Replaced("1", B))], ":1: flat .*replaced, but no result of it counts"),
        ([event(), event()], ":2: flat .*accepted, but version 1 .aaaaaaaaaaaa. counts already"),
        ([event(), event("replaced", "2", B, B, replaces=Replaced("1", B))], ":2: .*replaces bbb.*, but aaa.* counts"),
        ([event(), event("replaced", "1", A, B, replaces=Replaced("1", A))], ":2: .*changed without a new version"),
        ([event(), event("withdrawn", identity=B, reason="x")], ":2: .*withdraws bbb.*, but aaa.* counts"),
        ([event(), event("withdrawn")], ":2: .*withdrawn without a reason"),
        ([event(), event("withdrawn", reason="x"), event(identity=B)], ":3: .*identity aaa.*, now for identity bbb"),
        ([event(), event("withdrawn", reason="x"), event(digest=B)], ":3: .*digest aaa.* before, now for .*digest bbb"),
    ],
)
def test_a_line_that_does_not_follow_is_named(events, message):
    with pytest.raises(StorageError, match=f"ledger.jsonl{message}"):
        ledger.replay(events)


def test_how_to_mend_a_gap_depends_on_what_it_is(sandbox):
    sandbox("run", "flat")
    runs = ledger.finished(sandbox.root / "results")
    sandbox("ledger", "--update")
    state = ledger.replay(ledger.read_events(sandbox.root / "results"))
    first, second = runs
    withdraw = '`bench ledger --withdraw flat --dataset tiny --reason "..."`'

    def said(state, **changed) -> str:
        (gap,) = ledger.gaps(state, {**runs, first: replace(runs[first], **changed)})
        return gap[1]

    assert said({second: state[second]}).endswith("is not in the ledger: run `bench ledger --update`")
    assert said(state, digest=B, version="2").endswith(": run `bench ledger --update`")
    assert said(state, digest=B).endswith(
        f": restore it (`git checkout`), raise its version and run again, or withdraw it: {withdraw}"
    )
    ((_, gone),) = ledger.gaps(state, {second: runs[second]})
    assert gone.endswith(f"no finished result lies here: restore it (`git checkout`), or withdraw it: {withdraw}")


def test_replaying_gives_what_counts():
    steps = [
        event(),
        event("replaced", "2", B, B, replaces=Replaced("1", A)),
        event("withdrawn", "2", B, B, reason="x"),
        event("accepted", "3", "c" * 64, A),
    ]
    key = Key("tiny", "official", "next-day", "flat")
    again = event(), event("withdrawn", reason="x"), event()
    assert ledger.replay(again) == {key: again[2]}
    assert ledger.replay(steps[:2])[key].version == "2"
    assert ledger.replay(steps[:3]) == {}
    assert ledger.replay(steps) == {key: steps[3]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "ledger.jsonl:2: is no event: Invalid JSON"),
        ('{"event": "lost"}', "ledger.jsonl:2: is no event: event: Input should be 'accepted'"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path, line, message):
    (tmp_path / "ledger.jsonl").write_text(f"{json.dumps(event().plain())}\n{line}\n")
    with pytest.raises(StorageError) as error:
        ledger.read_events(tmp_path)
    assert message in str(error.value)


def test_a_line_survives_the_round_trip_and_a_missing_newline(tmp_path):
    first, second = event(), event("replaced", "2", B, B, replaces=Replaced("1", A))
    (tmp_path / "ledger.jsonl").write_text(json.dumps(first.plain()))
    ledger.append(tmp_path, [second])
    assert ledger.read_events(tmp_path) == [first, second]

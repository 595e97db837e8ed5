"""The ledger, boards and withdrawals as functions: what they return, and what they refuse before they remove."""

from __future__ import annotations

import fcntl

import pytest

from bench.errors import BenchError
from bench.publish import ledger, upkeep
from bench.registry.config import Registry


@pytest.fixture
def published(sandbox):
    assert sandbox("run").code == 0
    return sandbox, Registry(sandbox.root), sandbox.root / "results"


def test_a_withdrawal_returns_events_and_boards(published):
    _, registry, results = published
    assert [event.event for event in upkeep.update_ledger(results)] == ["accepted"] * 4
    assert upkeep.update_ledger(results) == []
    for reason, entry, said in ((" ", "flat", "needs a reason"), ("x", "mean-2", "no such result of mean-2")):
        with pytest.raises(BenchError, match=said):
            upkeep.withdraw(registry, results, entry, reason, dataset="tiny")
    with pytest.raises(BenchError, match="no such result of flat"):
        upkeep.withdraw(registry, results, "flat", "x", dataset="tiny", split="development")
    assert len(ledger.finished(results)) == len(ledger.read_events(results)) == 4
    events, boards = upkeep.withdraw(registry, results, "flat", "a  test", dataset="tiny", tasks=["week-ahead"])
    assert [(event.task, event.reason) for event in events] == [("week-ahead", "a test")]
    assert boards == [results / "tiny/LEADERBOARD.md"]
    assert not (results / "tiny/official/week-ahead/flat").exists()
    assert [event.task for event in ledger.select(ledger.replay(ledger.read_events(results)).values(),
                                                  entries=["flat"])] == ["next-day"]  # fmt: skip


def test_results_that_a_run_holds_are_waited_for(published):
    _, _, results = published
    seen = []

    def waiting() -> None:
        seen.append("waiting")
        fcntl.flock(file, fcntl.LOCK_UN)

    with (results / "tiny/.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with upkeep.held(results, [], waiting):
            assert seen == []
        with upkeep.held(results, waiting=waiting):
            assert seen == ["waiting"]

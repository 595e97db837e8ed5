"""Walks of one family: in step while they run side by side, one batch after the other, what they leave in memory."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from bench.plugin.tasks import Rows
from bench.registry.config import Registry
from bench.registry.entries import discover
from bench.run import execute as executor
from bench.run.bars import open_campaign
from bench.run.clock import walk
from bench.run.cold import forget
from bench.run.execute import Processes
from bench.run.pace import Pace
from bench.run.plan import plan
from bench.store import Outcome

pytestmark = pytest.mark.usefixtures("plain_figures")

TALK = """
import time
from pathlib import Path
class Model(Forecaster):
    def __init__(self, task, seed, note):
        super().__init__(task, seed=seed)
        self.note = Path(note)
    def forecast(self, history):
        if self.seed == 0:
            self.note.write_text(f"{len(history):05d}")
        else:
            time.sleep(0.01)
            said = self.note.read_text() if self.note.exists() else ""
            self.record(lead=int(said) - len(history) if len(said) == 5 else 0)
        return history.variance[-1]
"""
"""One seed tells how far it is, by a file that both reach at the weakest level; the other is slow, and reads it."""


def jobs_of(box, *names: str):
    """The jobs of these entries, and the panel that they walk."""
    campaign = open_campaign(Registry(box.root), "tiny", "official", box.root / "results")
    entries = [entry for entry in discover(box.root / "submissions").select() if entry.name in names]
    return [unit.job for unit in plan(campaign, entries).units], campaign.panel


@pytest.fixture
def talk(sandbox, tmp_path):
    """Jobs of two seeds of one entry, one of which talks and one listens; and their panel."""
    sandbox.settings["limits"] |= {"sandbox": "off", "run_seconds": 60}
    sandbox.write_settings()
    sandbox.add_entry("talk", TALK, seeds=2, parameters={"note": str(tmp_path / "note")})
    return jobs_of(sandbox, "talk")


def leads(outcomes: list[Outcome]) -> list[int]:
    """How many sessions the one that talks was ahead, at each answer of the one that listens."""
    assert not [outcome.failure for outcome in outcomes if outcome.failure]
    return [record["lead"] for outcome in outcomes for record in outcome.cost.records]


def test_without_a_pace_one_seed_hears_of_days_to_come(talk):
    """The control: the channel works, so that silence below means something."""
    jobs, panel = talk
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda job=job: outcomes.append(walk(job, panel))) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(leads(outcomes)) > 10


@pytest.mark.parametrize("width", [1, 2, 3])
def test_no_seed_hears_of_a_day_that_it_has_still_to_forecast(talk, width, tmp_path):
    jobs, panel = talk
    walker = Processes(panel, width)
    try:
        futures = walker.submit(jobs[::-1])  # of width 1 the one that listens comes first
        found = leads([future.result() for future in futures])
    finally:
        walker.stop()
    assert len(found) > 50
    assert max(found) <= 0


def test_a_walk_is_handed_a_session_when_all_others_have_answered_the_one_before():
    pace, order = Pace(3), []
    lock = threading.Lock()

    def run(number: int, rows: Rows, slow: float) -> None:
        with pace.walk(number) as step:
            step.begin(rows.first)
            for session in range(rows.first, rows.last + 1):
                step.wait(session, lambda: None)
                with lock:
                    order.append(("handed", session))
                time.sleep(slow)
                with lock:
                    order.append(("answered", session))
                step.answered(session)

    walks = [(Rows(5, 30), 0.0), (Rows(5, 25), 0.001), (Rows(8, 30), 0.0005)]  # one ends early, one begins late
    threads = [threading.Thread(target=run, args=(i, *each)) for i, each in enumerate(walks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(order) == 2 * sum(len(rows) for rows, _ in walks)
    at = {session: i for i, (what, session) in enumerate(order) if what == "answered"}  # the last answer of each
    assert all(at[session - 1] < i for i, (what, session) in enumerate(order) if what == "handed" and session > 5)


def test_a_walk_that_breaks_off_keeps_nobody_waiting_and_waiting_can_be_ended():
    pace = Pace(2)
    with pytest.raises(RuntimeError), pace.walk(0) as step:
        step.begin(0)
        raise RuntimeError
    with pace.walk(1) as step:
        step.begin(0)
        step.wait(7, lambda: None)

    def stop() -> None:
        raise InterruptedError

    pace = Pace(2)
    with pace.walk(0) as step, pytest.raises(InterruptedError):
        step.wait(1, stop)


class Recorder:
    """Stands in for walks: notes who runs beside whom."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.beside: list[tuple[str, ...]] = []
        self.cleared: list[tuple[str, bool]] = []
        self.lock = threading.Lock()

    def clear(self, job) -> None:
        with self.lock:
            self.cleared.append((job.family, job.family in self.running))

    def __call__(self, job, panel, *, step, **_):
        step.begin(0)
        with self.lock:
            self.running.append(job.family)
        time.sleep(0.05)
        with self.lock:
            self.beside.append(tuple(sorted(self.running)))
        time.sleep(0.05)
        with self.lock:
            self.running.remove(job.family)
        return Outcome(Rows(0, -1), np.zeros(0))


@pytest.fixture
def recorder(monkeypatch):
    """Walks that only note who runs, and for whom memory was cleared, and whether a walk of theirs ran then."""
    found = Recorder()
    monkeypatch.setattr(executor, "walk", found)
    monkeypatch.setattr(executor, "_forget", found.clear)
    return found


def test_batches_of_a_family_follow_each_other_and_others_fill_the_room(sandbox, recorder):
    sandbox.add_entry("many", TALK, seeds=5, parameters={"note": ""})
    jobs, panel = jobs_of(sandbox, "many", "flat", "mean")
    walker = Processes(panel, 2)
    for future in walker.submit(sorted(jobs, key=lambda job: job.family != "many")):
        future.result(10)
    walker.stop()
    assert len(recorder.beside) == 7
    batches = [len(beside) for beside in recorder.beside if set(beside) == {"many"}]
    assert 2 in batches  # side by side
    assert any(set(beside) > {"many"} or set(beside) == {"flat", "mean"} for beside in recorder.beside)
    assert set(recorder.cleared) == {("many", False)}  # before each batch but the first
    assert len(recorder.cleared) >= 2


def test_a_result_that_was_walked_before_comes_back_to_a_clean_memory(sandbox, recorder):
    jobs, panel = jobs_of(sandbox, "flat")
    for again in (False, True):
        walker = Processes(panel, 2)
        walker.submit([replace(job, again=again) for job in jobs])[0].result(10)
        walker.stop()
    assert recorder.cleared == [("flat", False)]


def test_an_entry_that_failed_and_comes_again_is_marked(sandbox, cleared_pages):
    broken = "class Model(Forecaster):\n    def forecast(self, h):\n        return {}['x']\n"
    mended = "class Model(Forecaster):\n    def forecast(self, h):\n        return h.variance[-1]\n"
    for code in (broken, f"{broken}# changed\n", mended):
        sandbox.add_entry("twice", code)
        sandbox("run", "twice")
    record = sandbox.run_json("twice")
    assert record["state"] == "done"
    assert record["failures"] == 2
    sandbox("run", "flat", "mean")
    assert "failures" not in sandbox.run_json("flat")
    assert "1 (2 failed before)" in (sandbox.root / "results/tiny/LEADERBOARD.md").read_text()


def test_what_a_walk_left_in_memory_is_put_out_of_it(tmp_path):
    path = tmp_path / "library"
    path.write_bytes(os.urandom(1 << 20))
    with path.open("rb") as file:
        os.fsync(file.fileno())
        file.read()
        if not held(file.fileno(), 0):
            pytest.skip("this file system does not tell what is in memory")
        assert forget([str(tmp_path)]) == 1
        if held(file.fileno(), 0):
            pytest.skip("this file system is in memory")
        file.seek(300_000)
        file.read(10)
        assert held(file.fileno(), 300_000)


def held(file: int, offset: int) -> bool:
    """Whether the page of a file at an offset is in memory."""
    try:
        return os.preadv(file, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:
        return False

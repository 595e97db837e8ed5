"""Progress where nobody looks at a terminal: a line now and then, and one for each unit that ends."""

from __future__ import annotations

import io
import time
from types import SimpleNamespace

from bench.cli import progress


class Job(SimpleNamespace):
    def __str__(self) -> str:
        return self.name


def test_a_line_now_and_then_says_what_is_running(monkeypatch):
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.05)
    stream, slow, quick = io.StringIO(), Job(name="lstm next-day seed 1"), Job(name="har all horizons")
    with progress.bars(3, stream) as listener:
        listener.started(slow)
        listener.started(quick)
        listener.progressed(slow, 120, 753, {"epoch": 3})
        listener.ended(quick, None)
        deadline = time.monotonic() + 5
        while "running" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "done: har all horizons"
    assert "running, 1 of 3 done: lstm next-day seed 1 (120 of 753)" in lines
    said = len(lines)
    time.sleep(0.2)
    assert len(stream.getvalue().splitlines()) == said  # it has ended


def test_a_short_run_says_only_what_ended():
    stream = io.StringIO()
    with progress.bars(1, stream) as listener:
        listener.started(job := Job(name="har"))
        listener.ended(job, "no idea")
    assert stream.getvalue() == "failed: har\n"

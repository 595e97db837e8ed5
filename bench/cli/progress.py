"""Progress of a run on stderr: bars on a terminal; elsewhere a line a minute, and one for each unit that ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.run.execute import Listener
from bench.run.failure import printable
from bench.run.jobs import Job

EVERY_SECONDS = 60.0


@contextmanager
def bars(n_units: int, stream: IO[str]) -> Iterator[Listener]:
    """Yields a listener that shows what is running."""
    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.fields[facts]}"),
    )  # fmt: skip
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        overall = progress.add_task("all runs", total=n_units, facts="")
        with nullcontext() if console.is_terminal else _now_and_then(progress, overall, console):
            yield _listener(progress, overall, console)


@contextmanager
def _now_and_then(progress: Progress, overall: TaskID, console: Console) -> Iterator[None]:
    """Prints what is running, every so often, from a thread of its own: a fit may say nothing for an hour."""
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(EVERY_SECONDS):
            console.print(_line(progress, overall), highlight=False, markup=False, soft_wrap=True)

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _line(progress: Progress, overall: TaskID) -> str:
    """All that runs, in one line: `running, 3 of 20 done: lstm next-day seed 1 (120 of 753)`."""
    done = next(task for task in progress.tasks if task.id == overall)
    walks = [
        f"{task.description.strip()} ({int(task.completed)} of {int(task.total)})" if task.total
        else f"{task.description.strip()} (starting)"
        for task in progress.tasks if task.id != overall
    ]  # fmt: skip
    return f"running, {int(done.completed)} of {int(done.total or 0)} done: {', '.join(walks) or 'nothing yet'}"


def _listener(progress: Progress, overall: TaskID, console: Console) -> Listener:
    running: dict[str, TaskID] = {}
    lock = threading.Lock()  # jobs report from their own threads

    def started(job: Job) -> None:
        with lock:
            running[str(job)] = progress.add_task(f"  {job}", total=None, facts="")

    def progressed(job: Job, done: int, total: int, facts: dict[str, Any]) -> None:
        shown = ", ".join(f"{key} {value}" for key, value in facts.items() if key not in ("done", "total"))
        progress.update(running[str(job)], completed=done, total=total, facts=escape(printable(shown))[:60])

    def ended(job: Job, reason: str | None) -> None:
        with lock:
            bar = running.pop(str(job), None)
        if bar is not None:
            progress.remove_task(bar)
        progress.advance(overall)
        if not console.is_terminal:
            console.print(f"{'done' if reason is None else 'failed'}: {job}", highlight=False, markup=False)

    return Listener(started, progressed, ended)

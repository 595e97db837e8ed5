"""Progress of a run on stderr: bars on a terminal, a line for each unit that ends elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bench.run.execute import Listener
from bench.run.failure import printable
from bench.run.jobs import Job


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
        yield _listener(progress, overall, console)


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

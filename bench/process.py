"""The harness's side of a worker: start it with nothing but its pipes, exchange frames within limits, end it.

What comes back is a stranger's: sizes are checked before anything is kept, JSON is parsed, buffers are
floats. Whatever goes wrong in the child is an `EntryFailure` here.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from bench import wire
from bench.config import Limits

HANDED_OUT = ("__init__", "measures", "tasks", "recursions", "history", "plugin", "wire", "worker")
"""The modules of this package that a worker can import."""

STAGE = "volmark-"
ARTIFACT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
LEAST_REPORT = 256
"""Bytes that the smallest record counts for: a flood of empty ones is a flood."""
MAX_DEPTH = 8
OUTPUT_TAIL = 2000
POLL_SECONDS = 0.2
BOOT = """
import sys
read_fd, write_fd, parent, stage, *packages = sys.argv[1:]
sys.path[:] = [stage + "/lib", *sys.path, stage + "/entry", *packages]
from bench.worker import main
main(int(read_fd), int(write_fd), int(parent), stage)
"""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


class EntryFailure(Exception):
    """An entry broke off, overran a limit or answered nonsense: `reason`, and the end of its traceback."""

    def __init__(self, reason: str, traceback: str = "") -> None:
        super().__init__(reason)
        self.reason = printable(reason)
        self.traceback = printable(traceback, keep="\n")


class Stopped(Exception):
    """The run was asked to stop."""


def printable(text: str, keep: str = "") -> str:
    """Text of a stranger without control characters (terminal escapes, newlines) and not too long."""
    return "".join(c if c.isprintable() or c in keep else " " for c in text)[:8000]


def cleaned(value: Any, depth: int = 0) -> Any:
    """A stranger's JSON value as it can be kept: printable text, finite numbers, not nested without end."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return "nested too deeply"
    if isinstance(value, dict):
        return {printable(str(key)): cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [cleaned(item, depth + 1) for item in value]
    return value


@contextmanager
def staged(folder: Path, files: list[Path]) -> Iterator[Path]:
    """A fresh folder with copies of the code that a worker may import, and an empty working directory.

    The copies keep the worker's import path away from the repository, its datasets and its results.
    """
    stage = Path(tempfile.mkdtemp(prefix=STAGE))
    with ExitStack() as stack:
        held = stack.enter_context((stage / ".held").open("w"))
        fcntl.flock(held, fcntl.LOCK_EX)  # so that a later run knows whether this one is alive
        stack.callback(shutil.rmtree, stage, ignore_errors=True)
        ours = Path(__file__).parent
        (stage / "lib" / "bench").mkdir(parents=True)
        for name in HANDED_OUT:
            shutil.copyfile(ours / f"{name}.py", stage / "lib" / "bench" / f"{name}.py")
        for file in files:
            target = stage / "entry" / file.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        (stage / "work").mkdir()
        yield stage


def sweep_stages() -> None:
    """Remove the folders that killed runs of ours left in the temporary folder."""
    for mark in Path(tempfile.gettempdir()).glob(f"{STAGE}*/.held"):
        with suppress(OSError), mark.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(mark.parent, ignore_errors=True)


class WorkerProcess:
    """A started worker; `send` and `receive` frames, `close` to end it and everything that it started."""

    def __init__(self, stage: Path, limits: Limits, stop: Callable[[], bool] = lambda: False) -> None:
        self.limits = limits
        self._ends = time.monotonic() + limits.run_seconds
        self.reports: list[tuple[str, dict[str, Any], NDArray[np.float64] | None]] = []
        self.on_progress: Callable[[dict[str, Any]], None] = lambda facts: None
        self._stop = stop
        child_read, self._write_fd = os.pipe()
        self._read_fd, child_write = os.pipe()
        self._work = str(stage / "work")
        packages = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
        arguments = [str(child_read), str(child_write), str(os.getpid()), str(stage)]
        # -S: no .pth file (an editable install) puts this repository on the path. Not -I, which would also
        # ignore PYTHONHASHSEED; the environment is our own, so -P and -s isolate as much.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-S", "-B", "-c", BOOT, *arguments, *dict.fromkeys(packages)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(child_read, child_write),
            cwd=self._work,
            env={"PATH": os.defpath, "HOME": self._work, "TMPDIR": self._work, "LANG": "C.UTF-8",
                 "PYTHONHASHSEED": "0", **ONE_THREAD},
            start_new_session=True,
        )  # fmt: skip
        os.close(child_read)
        os.close(child_write)
        if self._process.stdout is None:
            raise RuntimeError("the worker was started without a pipe for its output")
        self._output_fd = self._process.stdout.fileno()
        for fd in (self._write_fd, self._read_fd, self._output_fd):
            os.set_blocking(fd, False)
        self._poll = select.poll()
        self._poll.register(self._read_fd, select.POLLIN)
        self._poll.register(self._output_fd, select.POLLIN)
        self._outgoing = memoryview(b"")
        self._incoming = bytearray()
        self._output = b""
        self._output_ended = False
        self._closed = False
        self._output_bytes = self._report_bytes = 0
        self._next_memory_check = 0.0
        self._peak_bytes = 0

    def send(self, data: bytes) -> None:
        """Start sending frames; what the pipe does not take at once goes out during `receive`."""
        self._outgoing = memoryview(bytes(self._outgoing) + data) if self._outgoing else memoryview(data)
        self._flush()

    def receive(self, what: str, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The answer to what was sent: its JSON and payload; reports that come before it are kept."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self._next_frame()
            if frame is not None:
                op, meta, payload = frame
                if op in (wire.DONE, wire.ANSWER):
                    return meta, payload
                if op == wire.ERROR:
                    raise EntryFailure(str(meta.get("reason", "no reason given")), str(meta.get("traceback", "")))
                self._keep(op, meta, payload)
                continue
            now = time.monotonic()
            if now > deadline:
                raise EntryFailure(f"{what} took longer than {seconds:g} s")
            if now > self._ends:
                raise EntryFailure(f"the run took longer than {self.limits.run_seconds:g} s, it was at {what}")
            self._check_memory(now)
            self._wait(min(POLL_SECONDS, deadline - now), what)

    def _wait(self, seconds: float, what: str) -> None:
        if self._stop():
            raise Stopped
        if self._outgoing:
            self._poll.register(self._write_fd, select.POLLOUT)
        ready = self._poll.poll(max(1, int(1000 * seconds)))
        if self._outgoing:
            self._poll.unregister(self._write_fd)
            self._flush()
        if not ready and self._process.poll() is not None:  # dead, though something it started holds the pipe
            raise EntryFailure(self._how_it_ended(what))
        for fd, _ in ready:
            if fd == self._output_fd:
                self._drain_output()
            elif fd == self._read_fd:
                data = os.read(self._read_fd, 1 << 20)
                if not data:
                    raise EntryFailure(self._how_it_ended(what))
                self._incoming += data

    def _flush(self) -> None:
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[os.write(self._write_fd, self._outgoing) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child is gone: receive finds out how
            self._outgoing = memoryview(b"")

    def _next_frame(self) -> tuple[bytes, dict[str, Any], bytes] | None:
        if len(self._incoming) < wire.HEADER.size:
            return None
        op, n_json, n_payload = wire.HEADER.unpack_from(self._incoming)
        if op not in (wire.DONE, wire.ANSWER, wire.ERROR, wire.REPORT) or n_json > wire.MAX_JSON:
            raise EntryFailure("sent a malformed message on the harness's pipe")
        if n_payload > self.limits.output_mb * 2**20:
            raise EntryFailure(f"sent an array of more than {self.limits.output_mb:g} MB")
        end = wire.HEADER.size + n_json + n_payload
        if len(self._incoming) < end:
            return None
        text = bytes(self._incoming[wire.HEADER.size : wire.HEADER.size + n_json])
        payload = bytes(self._incoming[end - n_payload : end])
        del self._incoming[:end]
        try:
            meta = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise EntryFailure("sent a malformed message on the harness's pipe") from error
        if not isinstance(meta, dict):
            raise EntryFailure("sent a malformed message on the harness's pipe")
        return op, meta, payload

    def _keep(self, op: bytes, meta: dict[str, Any], payload: bytes) -> None:
        """Keep a record or an artifact, pass on progress."""
        facts = cleaned(meta.get("facts"))
        if op != wire.REPORT or not isinstance(facts, dict):
            raise EntryFailure("sent a malformed message on the harness's pipe")
        if meta.get("kind") == "progress":
            self.on_progress(facts)
            return
        self._report_bytes += max(LEAST_REPORT, len(payload) + len(json.dumps(facts)))
        if self._report_bytes > self.limits.output_mb * 2**20:
            raise EntryFailure(f"records and artifacts exceed {self.limits.output_mb:g} MB")
        array = None
        if meta.get("kind") in ("artifact", "weights"):
            name = facts.get("name")
            if not isinstance(name, str) or not ARTIFACT_NAME.fullmatch(name) or ".." in name:
                raise EntryFailure(f"an artifact's name is letters, digits and ._/- (not {str(name)[:40]!r})")
            try:
                array = np.frombuffer(payload, dtype="<f8").reshape(meta.get("shape"))
            except (ValueError, TypeError) as error:
                raise EntryFailure("sent an artifact whose shape does not fit its size") from error
        self.reports.append((str(meta.get("kind")), facts, array))

    def _drain_output(self) -> None:
        try:
            data = os.read(self._output_fd, 1 << 20)
        except BlockingIOError:
            return
        if not data and not self._output_ended:
            self._output_ended = True
            self._poll.unregister(self._output_fd)
        self._output_bytes += len(data)
        self._output = (self._output + data)[-OUTPUT_TAIL:]
        if self._output_bytes > self.limits.output_mb * 2**20:
            raise EntryFailure(f"wrote more than {self.limits.output_mb:g} MB to stdout and stderr")

    def _check_memory(self, now: float) -> None:
        """Resident memory of the worker and of what it started, a few times a second."""
        if now < self._next_memory_check:
            return
        self._next_memory_check = now + POLL_SECONDS
        used = 0
        try:
            process = psutil.Process(self._process.pid)
            for member in (process, *process.children(recursive=True)):
                used += member.memory_info().rss
        except psutil.Error:  # it ended meanwhile
            return
        self._peak_bytes = max(self._peak_bytes, used)
        if used > self.limits.memory_mb * 2**20:
            raise EntryFailure(f"used more than {self.limits.memory_mb:g} MB of memory")

    def peak_memory_mb(self) -> float:
        """Largest resident memory so far: the kernel's mark where there is one, else the largest seen."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="utf-8")
            marks = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
        except OSError:
            marks = []
        return max([self._peak_bytes, *marks]) / 2**20

    def _how_it_ended(self, what: str) -> str:
        try:
            code = self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            return f"closed the harness's pipe during {what}"
        self._drain_output()
        said = printable(self._output.decode(errors="replace").strip().replace("\n", " | "))[-300:]
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"
        return f"{how} during {what}" + (f"; it last wrote: {said}" if said else "")

    def close(self) -> None:
        """Kill the worker with its whole process group and release the pipes; harmless when called again."""
        if self._closed:
            return
        self._closed = True
        strays = self._strays()
        with suppress(ProcessLookupError, PermissionError):  # it and its group ended before
            os.killpg(self._process.pid, signal.SIGKILL)
        for stray in strays:
            with suppress(psutil.Error):
                stray.kill()
        self._process.wait()
        os.close(self._write_fd)
        os.close(self._read_fd)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _strays(self) -> list[psutil.Process]:
        """What the entry started in sessions of its own: descendants, and orphans that work in its folder."""
        strays = []
        with suppress(psutil.Error):
            strays = psutil.Process(self._process.pid).children(recursive=True)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.ppid() == 1 and process.environ().get("TMPDIR") == self._work:
                    strays.append(process)
        return strays

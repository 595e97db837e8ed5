"""The harness's side of a worker: start it with nothing but its pipes, exchange frames within limits, end it.

What comes back is a stranger's: sizes are checked before anything is kept, JSON is parsed, buffers are
floats. Whatever goes wrong in the child is an `EntryFailure` here.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from bench.plugin import wire
from bench.plugin.shut import BUBBLEWRAP, undumpable
from bench.registry.config import Limits
from bench.run import sandbox
from bench.run.failure import EntryFailure, Stopped, printable
from bench.run.pace import LOOK_SECONDS
from bench.run.reports import MALFORMED, Reports
from bench.run.stage import bait
from bench.store.records import FailureKind

OUTPUT_TAIL = 16_384
POLL_SECONDS = 0.2
CLOSE_SECONDS = 5.0
END_SECONDS = 3.0
BOOT = """
import sys
read_fd, write_fd, shut, stage, *packages = sys.argv[1:]
sys.path[:] = [stage + "/lib", *sys.path, *packages]
from bench.plugin.worker import main  # with NumPy, before the entry's folder is in reach: no file of it runs unwatched
sys.path.insert(len(sys.path) - len(packages), stage + "/entry")
main(int(read_fd), int(write_fd), shut, stage)
"""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")


def _reported(meta: dict[str, Any]) -> EntryFailure:
    """The failure that a worker tells of; a kind that no worker of ours sends is one that its entry made up."""
    kinds: dict[Any, FailureKind] = {wire.PROTOCOL: "protocol", wire.SHAPE: "shape", wire.ISOLATION: "isolation"}
    kind = kinds.get(str(meta.get("kind")), "raised")
    reason, traceback = str(meta.get("reason", "no reason given")), str(meta.get("traceback", ""))
    return EntryFailure(kind, reason, traceback, meta.get("frames"))


class WorkerProcess:
    """A started worker; `send` and `receive` frames, `close` to end it and everything that it started.

    `packages` are the folders of the packages that it may import, `isolation` is the level that it must reach.
    """

    def __init__(
        self,
        stage: Path,
        limits: Limits,
        packages: Sequence[str],
        isolation: str,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.limits = limits
        self.isolation = isolation
        self._ends = time.monotonic() + limits.run_seconds
        self.on_progress: Callable[[dict[str, Any]], None] = lambda facts: None
        self.reports = Reports(limits.output_mb, self._progressed)
        self._stop = stop
        child_read, self._write_fd = os.pipe()
        self._read_fd, child_write = os.pipe()
        self._work = str(stage / "work")
        walled = isolation == BUBBLEWRAP
        if not walled:
            undumpable()  # there a worker could read in this process what it is to forecast
        shut = json.dumps(asdict(sandbox.shut_in(isolation, stage, packages)))
        arguments = [str(child_read), str(child_write), shut, str(stage)]
        # -S: no .pth file (an editable install) puts this repository on the path. Not -I, which would also
        # ignore PYTHONHASHSEED; the environment is our own, so -P and -s isolate as much.
        command = [sandbox.interpreter(), "-P", "-s", "-S", "-B", "-c", BOOT, *arguments, *packages]
        self._process = subprocess.Popen(
            sandbox.inside(command, stage, packages) if walled else command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(child_read, child_write),
            cwd=self._work,
            env={"PATH": os.defpath, "HOME": self._work, "TMPDIR": self._work, "LANG": "C.UTF-8",
                 "PYTHONHASHSEED": "0", **ONE_THREAD, **bait(stage)},
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
        self._output_bytes = 0
        self._wrappers = 2 if walled else int(sys.platform == "linux")  # bwrap's own two; the worker's guard
        self._next_check = 0.0
        self._peak_bytes = 0

    def send(self, data: bytes) -> None:
        """Start sending frames; what the pipe does not take at once goes out during `receive`."""
        self._outgoing = memoryview(bytes(self._outgoing) + data) if self._outgoing else memoryview(data)
        self._flush()

    def receive(self, what: str, seconds: float, crew: Sequence[WorkerProcess] = ()) -> tuple[dict[str, Any], bytes]:
        """The answer to what was sent: its JSON and payload; reports that come before it are kept.

        Meanwhile the memory and the processes of this worker and of the others of its `crew` are looked at.
        `what` is a phase of the walk, or `phase on day`: a failure says so.
        """
        try:
            return self._receive(what, seconds, crew)
        except EntryFailure as error:
            phase, _, session = what.partition(" on ")
            error.at(phase, session or None)
            raise

    def look(self, crew: Sequence[WorkerProcess] = ()) -> None:
        """Keep the limits of this worker and its `crew` while nothing is asked of them; a look's time counts for none.

        A wait that ends before a look (`LOOK_SECONDS`) does count.
        """
        if self._stop():
            raise Stopped
        for worker in {self, *crew}:
            worker._ends += LOOK_SECONDS
            worker._check_use(time.monotonic())
            if not worker._output_ended:
                worker._drain_output()

    def _receive(self, what: str, seconds: float, crew: Sequence[WorkerProcess]) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + seconds
        while True:
            frame = self._next_frame()
            if frame is not None:
                op, meta, payload = frame
                if op in (wire.DONE, wire.ANSWER):
                    return meta, payload
                if op == wire.ERROR:
                    raise _reported(meta)
                if op != wire.REPORT:
                    raise EntryFailure("protocol", MALFORMED)
                self.reports.keep(meta, payload)
                continue
            now = time.monotonic()
            if now > deadline:
                raise EntryFailure("timeout", f"{what} took longer than {seconds:g} s")
            if now > self._ends:
                raise EntryFailure(
                    "timeout", f"the run took longer than {self.limits.run_seconds:g} s, it was at {what}"
                )
            for worker in {self, *crew}:
                worker._check_use(now)
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
            raise EntryFailure("crashed", self._how_it_ended(what))
        for fd, _ in ready:
            if fd == self._output_fd:
                self._drain_output()
            elif fd == self._read_fd:
                data = os.read(self._read_fd, 1 << 20)
                if not data:
                    raise EntryFailure("crashed", self._how_it_ended(what))
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
            raise EntryFailure("protocol", MALFORMED)
        if n_payload > self.limits.output_mb * 2**20:
            raise EntryFailure("output", f"sent an array of more than {self.limits.output_mb:g} MB")
        end = wire.HEADER.size + n_json + n_payload
        if len(self._incoming) < end:
            return None
        text = bytes(self._incoming[wire.HEADER.size : wire.HEADER.size + n_json])
        payload = bytes(self._incoming[end - n_payload : end])
        del self._incoming[:end]
        try:
            meta = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise EntryFailure("protocol", MALFORMED) from error
        if not isinstance(meta, dict):
            raise EntryFailure("protocol", MALFORMED)
        return op, meta, payload

    def _progressed(self, facts: dict[str, Any]) -> None:
        self.on_progress(facts)

    def output(self) -> str:
        """The end of what was written to stdout and stderr, printable; complete when this is closed."""
        return printable(self._output.decode(errors="replace"), keep="\n", most=OUTPUT_TAIL)

    def _drain_output(self) -> bool:
        """Take in what was written; returns whether there was anything."""
        try:
            data = os.read(self._output_fd, 1 << 20)
        except BlockingIOError:
            return False
        if not data and not self._output_ended:
            self._output_ended = True
            self._poll.unregister(self._output_fd)
        self._output_bytes += len(data)
        self._output = (self._output + data)[-OUTPUT_TAIL:]
        if self._output_bytes > self.limits.output_mb * 2**20:
            raise EntryFailure("output", f"wrote more than {self.limits.output_mb:g} MB to stdout and stderr")
        return bool(data)

    def _members(self) -> list[psutil.Process]:
        """The worker and what it started, bwrap among them where it is shut in; none where all has ended."""
        with suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            return [process, *process.children(recursive=True)]
        return []

    def _check_use(self, now: float) -> None:
        """Number and resident memory of the worker's processes, a few times a second."""
        if now < self._next_check:
            return
        self._next_check = now + POLL_SECONDS
        used, members = 0, self._members()
        for member in members[self._wrappers % 2 :]:  # the guard's memory is that of the worker that it was
            with suppress(psutil.Error):  # it ended meanwhile
                used += member.memory_info().rss
        self._peak_bytes = max(self._peak_bytes, used)
        if len(members) > self.limits.processes + self._wrappers:
            raise EntryFailure("memory", f"ran more than {self.limits.processes} processes at once")
        if used > self.limits.memory_mb * 2**20:
            raise EntryFailure("memory", f"used more than {self.limits.memory_mb:g} MB of memory")

    def peak_memory_mb(self) -> float:
        """Largest resident memory so far: the kernel's mark of a process where there is one, else the largest seen."""
        marks = [self._peak_bytes]
        for member in self._members():  # of bwrap and Python the larger: Python
            with suppress(OSError):
                status = Path(f"/proc/{member.pid}/status").read_text(encoding="utf-8")
                marks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
        return max(marks) / 2**20

    def _how_it_ended(self, what: str) -> str:
        try:
            code = self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return f"closed the harness's pipe during {what}"
        self._drain_output()
        said = printable(self._output[-2000:].decode(errors="replace").strip().replace("\n", " | "))[-300:]
        number = code - 128 if self.isolation == BUBBLEWRAP else -code  # bwrap passes a signal on as a status
        by_signal = number in set(signal.Signals)
        how = f"was killed by {signal.Signals(number).name}" if by_signal else f"ended with exit status {code}"
        return f"{how} during {what}" + (f"; it last wrote: {said}" if said else "")

    def close(self) -> None:
        """Kill the worker with its whole process group and release the pipes; harmless when called again."""
        if self._closed:
            return
        self._closed = True
        strays = self._strays()
        if self.isolation == BUBBLEWRAP:
            self._end_namespace()
        else:
            self._process.terminate()  # the guard ends what the entry started
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(CLOSE_SECONDS)
        with suppress(ProcessLookupError, PermissionError):  # it and its group ended before
            os.killpg(self._process.pid, signal.SIGKILL)
        for stray in strays:
            with suppress(psutil.Error):
                stray.kill()
        self._process.wait()
        with suppress(EntryFailure):  # too much: that much is kept
            while not self._output_ended and self._drain_output():
                pass
        os.close(self._write_fd)
        os.close(self._read_fd)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _end_namespace(self) -> None:
        """Kill the first process in the sandbox: the kernel ends all others with it, and then bwrap ends too."""
        with suppress(psutil.Error):
            for first in psutil.Process(self._process.pid).children():
                first.kill()

    def _strays(self) -> list[psutil.Process]:
        """What the entry started in sessions of its own: descendants, and orphans that work in its folder."""
        if self.isolation == BUBBLEWRAP:  # nothing leaves the sandbox
            return []
        strays = self._members()[1:]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.ppid() == 1 and process.environ().get("TMPDIR") == self._work:
                    strays.append(process)
        return strays

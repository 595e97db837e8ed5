"""How a worker shuts itself in before anything of its entry is loaded, as far as its level asks for.

What bubblewrap does, it does around the worker; here is what the worker asks of the kernel for itself and all that it
starts: files (`bench.plugin.landlock`), system calls (`bench.plugin.refused`), no rights of root, a memory that others
cannot read; and who ends its processes. Standard library alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench.plugin import landlock, refused

BUBBLEWRAP, LANDLOCK, PROCESS = "bubblewrap", "landlock", "process"
"""The levels, the strongest first."""
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
CAPABILITIES = 0x20080522
"""Version 3 of the structure that `capset` takes."""
ALWAYS_READ = (
    "/dev/zero", "/dev/random", "/dev/urandom", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/fs/cgroup/cgroup.controllers",
)  # fmt: skip
"""What libraries ask about the machine."""
ALWAYS_WRITTEN = ("/dev/null",)


@dataclass(frozen=True)
class Shut:
    """How far a worker is to be shut in: the level, and the places that Landlock lets it read and write."""

    level: str
    readable: Sequence[str] = ()
    writable: Sequence[str] = ()

    def take_hold(self) -> None:
        """Shut this process in; raises `OSError` where the kernel does not do what the level asks for.

        At the level `process` everything is done as far as it goes.
        """
        if sys.platform != "linux":
            return
        undumpable()
        try:
            _drop_capabilities()
            if self.level == LANDLOCK:
                landlock.restrict((*ALWAYS_READ, *self.readable), (*ALWAYS_WRITTEN, *self.writable))
            refused.refuse(network=self.level != LANDLOCK)
        except OSError:
            if self.level != PROCESS:
                raise


def undumpable() -> None:
    """Let no other process of the user read this one's memory, or trace it; whoever is root still can."""
    if sys.platform == "linux":
        refused.control(PR_SET_DUMPABLE, 0)


def guarded() -> None:
    """Go on in a child of this process, which stays as its guard: what the child leaves behind comes to the guard.

    The guard ends all of it when the child has ended, and when the harness is gone, and tells how the child ended by
    ending so itself. Not where a name space does that (`bubblewrap`).
    """
    if sys.platform != "linux":
        return
    harness = os.getppid()
    refused.control(PR_SET_CHILD_SUBREAPER, 1)
    worker = os.fork()
    if worker == 0:
        refused.control(PR_SET_CHILD_SUBREAPER, 0)
        return
    signal.signal(signal.SIGTERM, _end_all)
    refused.control(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != harness:  # it was gone before that held
        _end_all()
    undumpable()
    os.closerange(0, 256)
    status = 0
    ended = 0
    while ended != worker:  # orphans come and go meanwhile
        ended, status = os.wait()
    _end_children()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def die_with_parent() -> None:
    """End this process when its parent does, also in the middle of a long fit."""
    if sys.platform == "linux":
        refused.control(PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_all(number: int = 0, frame: FrameType | None = None) -> None:
    _end_children()
    os._exit(1)


def _end_children() -> None:
    """Kill and await the children of this process until it has none: those of each that ends come to it."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        try:
            listed = children.read_text(encoding="ascii").split()
        except OSError:  # a kernel without this list: at least the group, and this process with it
            os.killpg(0, signal.SIGKILL)
            return
        for child in listed:
            with suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _drop_capabilities() -> None:
    """Give up the rights of root, if this is root: over other processes, mounts and names of hosts."""
    head, none = struct.pack("=Ii", CAPABILITIES, 0), bytes(24)
    given = ctypes.create_string_buffer(head, len(head)), ctypes.create_string_buffer(none, len(none))
    if ctypes.CDLL(None, use_errno=True).capset(*given):
        raise OSError(ctypes.get_errno(), "capset")

"""How far a worker is shut in: the level that this machine allows, and the command line that reaches it.

`bubblewrap`: no network, processes and a read-only file system of its own that holds what `inside` names and nothing
else. `process`: limits, a clean environment and the killing of its process group, which every worker has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.errors import BenchError
from bench.registry.config import SandboxUse

BUBBLEWRAP, PROCESS = "bubblewrap", "process"
"""The levels, the strongest first."""

SYSTEM = (
    "/bin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib",
    "/usr/share/zoneinfo", "/etc/localtime", "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf.d",
    "/sys/devices/system/cpu",  # numerical libraries choose their kernels by it: without it, other last bits
)  # fmt: skip
"""What a worker sees of the system, as far as it is there: libraries and programs, no home, no data."""
TEMPORARY_BYTES = 256 << 20
"""Size of the worker's working directory, of its own /tmp and of its shared memory, which count for no process."""
NO_NESTING = ("--unshare-user", "--disable-userns")
"""No name spaces within the sandbox: bubblewrap knows how to forbid them since 0.8."""
PROBE_SECONDS = 10


def interpreter() -> str:
    """The Python that a worker runs: the one below a virtual environment, whose packages are handed over by name."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def level(use: SandboxUse) -> str:
    """Returns the level that a worker reaches: the best one here, or the weaker one where the sandbox is off.

    Raises a `BenchError` that says what is in the way where the sandbox is required.
    """
    if use == "off":
        return PROCESS
    why = obstacle()
    if why is not None and use == "require":
        raise BenchError(
            f"bench.yaml requires a sandbox, and there is none here: {why}; install or allow bubblewrap, or set "
            "limits.sandbox to `auto`"
        )
    return BUBBLEWRAP if why is None else PROCESS


def obstacle() -> str | None:
    """Returns why bubblewrap does not work here, None where it does: found out once, by starting Python in it."""
    return None if trial(NO_NESTING) is None else trial(())


@cache
def trial(options: tuple[str, ...]) -> str | None:
    """Returns why bubblewrap does not work with these options besides those that every worker gets; None if it does."""
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    with tempfile.TemporaryDirectory() as folder:
        stage = Path(folder)
        (stage / "work").mkdir()
        command = _command(options, [interpreter(), "-P", "-s", "-S", "-c", "import json"], stage, [])
        try:
            ended = subprocess.run(command, env={}, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap cannot be started: {error}"
    if ended.returncode == 0:
        return None
    return (ended.stderr.strip().splitlines() or [f"bwrap ended with exit status {ended.returncode}"])[-1]


def inside(command: Sequence[str], stage: Path, packages: Sequence[str]) -> list[str]:
    """Returns the command line that runs `command` in bubblewrap.

    It sees, read-only and where they lie outside: system libraries, the Python installation, `packages`, and of the
    stage the code. It may write to a `work` of its own in the place of the stage's, where it starts, to a /tmp and a
    shared memory of its own; all are in memory. The environment is the caller's to clear. When the harness or bwrap
    ends, everything inside does.
    """
    return _command(NO_NESTING if trial(NO_NESTING) is None else (), command, stage, packages)


def _command(options: Sequence[str], command: Sequence[str], stage: Path, packages: Sequence[str]) -> list[str]:
    python = Path(interpreter()).parents[1]
    visible: list[str | Path] = [*SYSTEM, *(python / name for name in ("bin", "lib", "lib64")), *packages]
    devices = [device for pattern in ("nvidia*", "kfd", "dri") for device in sorted(Path("/dev").glob(pattern))]
    return [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all", *options, "--die-with-parent", "--cap-drop", "ALL",
        "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev",  # its files are root's to write
        *_each("--dev-bind-try", devices),  # entries may use accelerators: the same results as without a sandbox
        "--size", str(TEMPORARY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
        "--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp",
        *_each("--ro-bind-try", [*visible, stage / "lib", stage / "entry", stage / "data"]),
        "--size", str(TEMPORARY_BYTES), "--tmpfs", str(stage / "work"),
        "--remount-ro", "/", "--chdir", str(stage / "work"),
        "--", *command,
    ]  # fmt: skip


def _each(option: str, paths: Sequence[str | Path]) -> list[str]:
    """A bind of every path to the place where it lies."""
    return [part for path in dict.fromkeys(map(str, paths)) for part in (option, path, path)]

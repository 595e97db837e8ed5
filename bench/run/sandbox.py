"""How far a worker is shut in: the level that this machine allows, and the command line that reaches it.

`bubblewrap`: no network, processes and a read-only file system of its own that holds what `visible` names and nothing
else. `landlock`, where name spaces are forbidden: it can open nothing else, and has no network. `process`: limits, a
clean environment and the end of all its processes, which every worker has. The worker does its own part of each level
in `bench.plugin.shut`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bench.errors import BenchError
from bench.plugin import landlock, refused
from bench.plugin.shut import BUBBLEWRAP, LANDLOCK, PROCESS, Shut
from bench.registry.config import SandboxUse
from bench.run.stage import staged

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
FILTERS = "/proc/sys/kernel/seccomp/actions_avail"
"""There where the kernel filters system calls."""
ABOUT_DEVICES = ("/proc/driver/nvidia", "/proc/devices", "/proc/modules", "/sys/module/nvidia")
"""What the libraries of accelerators read besides."""
_finding_out = threading.Lock()


def interpreter() -> str:
    """The Python that a worker runs: the one below a virtual environment, whose packages are handed over by name."""
    return os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)


def level(use: SandboxUse, *, own_packages: bool = False) -> str:
    """Returns the level that a worker reaches: the best one here, or the weakest where the sandbox is off.

    It is the same for all workers of this process: what is found out about the machine is found out once, and a worker
    that does not reach its level is a failed result. One with packages of its own is always shut in, at `landlock` or
    above. Raises a `BenchError` that says what is in the way where a sandbox is required.
    """
    why = obstacle() if use != "off" else "it is off"
    if why is None:
        return BUBBLEWRAP
    if use == "require":
        raise BenchError(
            f"bench.yaml requires a sandbox, and there is none here: {why}; install or allow bubblewrap, or set "
            "limits.sandbox to `auto`"
        )
    return LANDLOCK if (use != "off" or own_packages) and landlock_works() else PROCESS


def advice(use: SandboxUse) -> str | None:
    """Returns a line that says how far workers are shut in and how to get bubblewrap; None where nothing is lacking."""
    if use == "off" or (why := obstacle()) is None:
        return None
    return (
        f"no bubblewrap here ({why}): entries run at the level `{level(use)}`, read them first; to get it: `sudo "
        "apt-get install bubblewrap` or `sudo dnf install bubblewrap`; docs/architecture.md says what each level keeps "
        "away"
    )


def obstacle() -> str | None:
    """Returns why bubblewrap does not work here, None where it does: found out once, by starting Python in it."""
    return _found_out()[1]


def landlock_works() -> bool:
    """Whether the kernel shuts in a process that asks for it."""
    return landlock.version() > 0 and os.uname().machine in refused.MACHINES and Path(FILTERS).exists()


def _found_out() -> tuple[tuple[str, ...], str | None]:
    """Options that bubblewrap is given besides those of every worker, and why it does not work."""
    with _finding_out:  # workers start side by side: one finds out, and the others have the same answer
        why = trial(NO_NESTING)
        if why is not None and NO_NESTING[-1] in why:  # an older one, which does not know it
            return (), trial(())
        return NO_NESTING, why


@cache
def trial(options: tuple[str, ...]) -> str | None:
    """Returns why bubblewrap, or the filter within it, does not work with these options besides those of every worker;
    None if it does.
    """
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    probe = Path(refused.__file__).read_text(encoding="utf-8") + "\nrefuse(network=True)\n"
    with staged({}) as stage:
        command = _command(options, [interpreter(), "-P", "-s", "-S", "-c", probe], stage, [])
        try:
            ended = subprocess.run(command, env={}, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap cannot be started: {str(error)[:200]}"
    if ended.returncode == 0:
        return None
    return (ended.stderr.strip().splitlines() or [f"bwrap ended with exit status {ended.returncode}"])[-1]


def shut_in(reached: str, stage: Path, packages: Sequence[str]) -> Shut:
    """What a worker is told to do of its level by itself."""
    if reached != LANDLOCK:
        return Shut(reached)
    writable = [str(stage / "work"), *map(str, _devices())]
    return Shut(reached, [*visible(packages, stage), *ABOUT_DEVICES], writable)


def visible(packages: Sequence[str], stage: Path | None = None) -> list[str]:
    """Places that a worker may read: system libraries, the Python installation, packages, and the code of its stage."""
    python = Path(interpreter()).parents[1]
    ours = [str(stage / name) for name in ("lib", "entry", "data")] if stage else []
    return [*SYSTEM, *(str(python / name) for name in ("bin", "lib", "lib64")), *packages, *ours]


def inside(command: Sequence[str], stage: Path, packages: Sequence[str]) -> list[str]:
    """Returns the command line that runs `command` in bubblewrap.

    It sees what is `visible`, read-only and where it lies outside. It may write to a `work` of its own in the place of
    the stage's, where it starts, to a /tmp and a shared memory of its own; all are in memory. The environment is the
    caller's to clear. When the harness or bwrap ends, everything inside does.
    """
    return _command(_found_out()[0], command, stage, packages)


def _command(options: Sequence[str], command: Sequence[str], stage: Path, packages: Sequence[str]) -> list[str]:
    return [
        shutil.which("bwrap") or "bwrap",
        "--unshare-all", *options, "--die-with-parent", "--cap-drop", "ALL",
        "--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys", "--dev", "/dev",  # its files are root's to write
        *_each("--dev-bind-try", _devices()),  # entries may use accelerators: the same results as without a sandbox
        "--size", str(TEMPORARY_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
        "--size", str(TEMPORARY_BYTES), "--tmpfs", "/tmp",
        *_each("--ro-bind-try", visible(packages, stage)),
        "--size", str(TEMPORARY_BYTES), "--tmpfs", str(stage / "work"),
        "--remount-ro", "/", "--chdir", str(stage / "work"),
        "--", *command,
    ]  # fmt: skip


def _devices() -> list[Path]:
    """Those of accelerators."""
    return [device for pattern in ("nvidia*", "kfd", "dri") for device in sorted(Path("/dev").glob(pattern))]


def _each(option: str, paths: Sequence[str | Path]) -> list[str]:
    """A bind of every path to the place where it lies."""
    return [part for path in dict.fromkeys(map(str, paths)) for part in (option, path, path)]

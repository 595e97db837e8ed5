"""What an entry does outside its own folder, seen by an audit hook in the worker while an entry is checked.

A tripwire for accidents and for review, not a wall: a library's own code in C opens files unseen, and code in the same
process can get in its way. Standard library alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NETWORK, WRITES, DATA, READS, PROGRAM = "network", "writes", "data", "reads", "program"
"""Kinds of what is told: an internet socket, a change outside the working directory, a file of data, any other file
outside, another program."""

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/sys", "/dev", "/proc")
"""Where libraries look things up; a process other than its own under /proc is not among them."""
EMBEDDED = f"{os.sep}arch{os.sep}data{os.sep}"
"""Part of the path of bars inside an installed package."""
INTERNET = (2, 10)
"""AF_INET and AF_INET6, on Linux."""
HARMLESS = {"uname", "lscpu", "ldconfig", "gcc", "cc", "ld", "objdump", "fc-list"}
"""What `platform`, `ctypes.util`, joblib and matplotlib ask about the machine."""
CHANGES = {
    "os.chmod": (0,), "os.chown": (0,), "os.link": (1,), "os.mkdir": (0,), "os.remove": (0,), "os.rename": (0, 1),
    "os.rmdir": (0,), "os.symlink": (1,), "os.truncate": (0,), "os.utime": (0,), "os.mkfifo": (0,), "os.mknod": (0,),
}  # fmt: skip
"""Events that change the file system, and which of their arguments are the paths."""
LOOKS = ("os.listdir", "os.scandir")
PROGRAMS = ("os.system", "os.exec", "os.posix_spawn", "os.startfile", "pty.spawn")
SOCKETS = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
MOST = 50
"""Things told of one entry; more of them say nothing new."""


class Watch:
    """Keeps what a process does outside `stage`, each thing once; `start` it before strangers' code is imported."""

    def __init__(self, stage: str) -> None:
        here = str(Path(stage).resolve())
        self._work, self._data = f"{here}{os.sep}work", f"{here}{os.sep}data"
        known = (str(Path(place).resolve()) for place in (*sys.path, sys.base_prefix, sys.prefix) if place)
        self._readable = tuple(dict.fromkeys((here, *known, *SYSTEM)))
        self._seen: dict[tuple[str, str], bool] = {}
        self._started = False

    def start(self) -> None:
        """Watch from now on; an audit hook cannot be taken away."""
        if not self._started:
            self._started = True
            sys.addaudithook(self._hook)

    def news(self) -> Iterator[dict[str, str]]:
        """What has been seen since the last call: `kind` and `what`."""
        for (kind, what), told in list(self._seen.items()):
            if not told:
                self._seen[kind, what] = True
                yield {"kind": kind, "what": what}

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        kind = what = None
        if event == "open":
            kind, what = self._opened(*args)
        elif event in CHANGES:
            changed = [_path(args[i]) for i in CHANGES[event]]
            outside = [path for path in changed if path is not None and not _inside(path, (self._work,))]
            if outside:
                kind, what = WRITES, outside[0]
        elif event in LOOKS:
            kind, what = self._read(_path(args[0] if args and args[0] is not None else "."), looks=True)
        elif event in SOCKETS or (event == "socket.__new__" and args[1] in INTERNET):
            kind, what = _socket(event, args)
        elif event == "subprocess.Popen" or event in PROGRAMS:
            kind, what = _program(args)
        if kind is not None and what is not None and len(self._seen) < MOST:
            self._seen.setdefault((kind, what), False)

    def _opened(self, name: Any, mode: Any, flags: Any) -> tuple[str | None, str | None]:
        path = _path(name)
        if path is None or path == os.devnull:
            return None, None
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) if isinstance(flags, int) else False
        if isinstance(mode, str):
            writes = writes or any(letter in mode for letter in "wax+")
        if writes:
            return (None, None) if _inside(path, (self._work,)) else (WRITES, path)
        return self._read(path)

    def _read(self, path: str | None, looks: bool = False) -> tuple[str | None, str | None]:
        if path is None:
            return None, None
        if _inside(path, (self._data,)):
            return DATA, path
        if EMBEDDED in path and not looks and not path.endswith((".py", ".pyc")):
            return DATA, path
        if _of_another_process(path):
            return READS, path
        return (None, None) if path == "/" or _inside(path, self._readable) else (READS, path)


def _path(name: Any) -> str | None:
    """The real path of what was named; None for a file descriptor."""
    if isinstance(name, int) or name is None:
        return None
    try:
        return str(Path(os.fsdecode(name)).resolve())
    except (TypeError, ValueError, OSError, RuntimeError):  # no path, or a loop of links
        return None


def _of_another_process(path: str) -> bool:
    top, _, rest = path.removeprefix("/proc/").partition("/")
    return path.startswith("/proc/") and top.isdigit() and bool(rest) and top != str(os.getpid())


def _inside(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or path.startswith(place + os.sep) for place in places)


def _socket(event: str, args: tuple[Any, ...]) -> tuple[str | None, str | None]:
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = args[1] if event != "socket.sendto" else args[-1]
        if isinstance(address, str | bytes):  # a Unix socket: it stays on the machine, and its path is a file's
            return None, None
        return NETWORK, f"{event}{address!r:.100}"
    if event == "socket.__new__":
        return NETWORK, "opens an internet socket"
    return NETWORK, f"{event}({args[0]!r:.100})"


def _program(args: tuple[Any, ...]) -> tuple[str | None, str | None]:
    name = os.fsdecode(args[0]) if args and isinstance(args[0], str | bytes | os.PathLike) else "another program"
    return (None, None) if Path(name).name in HARMLESS else (PROGRAM, f"starts {name[:200]}")

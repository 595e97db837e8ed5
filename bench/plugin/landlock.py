"""Files that a process may read and write, kept by the kernel (Landlock): for machines without name spaces.

It is asked for by the process itself, needs no rights, and holds for whatever it starts. Standard library alone.
Source: landlock(7) and linux/landlock.h up to version 7 of the interface.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.plugin.refused import PR_SET_NO_NEW_PRIVS, control

CREATE, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""Numbers of the system calls, the same on every machine."""
VERSION, BENEATH = 1, 1
EXECUTE, WRITE, READ, READ_FOLDER, TRUNCATE, DEVICE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
OF_FILES = EXECUTE | WRITE | READ | TRUNCATE | DEVICE
"""The rights that a rule of a single file may name."""
FILES = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
"""All rights on files that a version of the interface knows, by the first such version."""
NETWORK, NETWORK_FROM = 0b11, 4
SCOPES, SCOPES_FROM = 0b11, 6
"""Signals to, and sockets without a path of, processes outside."""


def version() -> int:
    """Returns the version of the kernel's interface; 0 where it has none, or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, int(ctypes.CDLL(None).syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(VERSION))))


def restrict(readable: Iterable[str], writable: Iterable[str]) -> None:
    """Have this thread, and what it starts, reach no file but these and what lies below them; it cannot be undone.

    What does not exist is left out. Where the kernel can, there is no TCP and no signal to others either. A process of
    one thread alone is restricted as a whole; raises `OSError` where there are more, or the kernel does not do it.
    """
    known = version()
    if known == 0:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise OSError(errno.EBUSY, "a thread was started before the files were shut")
    rights = FILES[max(first for first in FILES if first <= known)]
    wanted = [rights, NETWORK] if known >= NETWORK_FROM else [rights]
    wanted += [SCOPES] if known >= SCOPES_FROM else []
    given = struct.pack(f"={len(wanted)}Q", *wanted)
    rules = _call(CREATE, ctypes.create_string_buffer(given, len(given)), ctypes.c_size_t(len(given)), 0)
    try:
        for path in readable:
            _allow(rules, path, rights & (EXECUTE | READ | READ_FOLDER))
        for path in writable:
            _allow(rules, path, rights)
        control(PR_SET_NO_NEW_PRIVS, 1)
        _call(RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not there, so nothing to allow
        return
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= OF_FILES
        rule = struct.pack("=Qi", rights, beneath)
        _call(ADD_RULE, rules, BENEATH, ctypes.create_string_buffer(rule, len(rule)), 0)
    finally:
        os.close(beneath)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    done = int(libc.syscall(number, *arguments))
    if done < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return done

"""System calls that a worker does without: a filter of the kernel's (seccomp) that refuses them, as a few instructions.

What is refused carries words between processes that share nothing but read-only files (locks, watches, what the kernel
keeps of a file in memory), reads another process, keeps something in the kernel for a later run, or goes around the
filter. The filter is small, so it is written here and needs no library. Standard library alone.

Sources: seccomp(2) and linux/bpf_common.h for the program; the tables of system calls of Linux 6.15.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterable, Sequence

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, FAIL_WITH = 0x7FFF0000, 0x00050000
MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's number of each machine (AUDIT_ARCH) that the filter knows."""
X32 = 0x40000000
"""Bit of x86-64's second table of calls, which nobody needs and the filter does not know."""

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # words by way of a file that both can read
    "flock": (73, 32), "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    # which pages of a file the kernel holds
    "mincore": (27, 232), "cachestat": (451, 451), "move_pages": (279, 239), "process_madvise": (440, 440),
    # another process's memory, files and time
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "bpf": (321, 280),
    # what stays in the kernel, or counts for no process
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "memfd_create": (319, 279),
    "memfd_secret": (447, 447), "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186),
    "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
    # calls that make other calls
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "io_uring_register": (427, 427),
}  # fmt: skip
"""Numbers on x86-64 and on aarch64 of what is refused whole, as if the kernel had no such call."""
FADVISE, FCNTL, MADVISE, PREADV2, PWRITEV2, SOCKET = (221, 223), (72, 25), (28, 233), (327, 286), (328, 287), (41, 198)
PLAIN_FCNTL = (0, 1, 2, 3, 4, 8, 9, 1030, 1031, 1032)
"""What `fcntl` may do: copy a descriptor, its flags and owner, the size of a pipe. No lock, lease, watch or hint."""
PUSHED_OUT = (20, 21)
"""MADV_COLD and MADV_PAGEOUT: advice that puts pages of a shared file out of memory."""

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
NUMBER, MACHINE, ARGUMENTS = 0, 4, 16
"""Where the program finds the number of the call, the machine and the arguments (64 bits each, low word first)."""


def program(machine: str, network: bool) -> bytes:
    """Returns the filter's instructions for a machine; where `network` is False it refuses to make sockets too.

    >>> len(program("x86_64", True)) % 8
    0
    """
    column = list(MACHINES).index(machine)
    refuse, allow = _answer(FAIL_WITH | errno.ENOSYS), _answer(ALLOW)
    whole = [numbers[column] for numbers in REFUSED.values()] + ([] if network else [SOCKET[column]])
    parts = [
        _load(MACHINE), _unless(JUMP_EQUAL, MACHINES[machine], refuse),
        _load(NUMBER), *([_if(JUMP_AT_LEAST, X32, refuse)] if machine == "x86_64" else []),
        *(_if(JUMP_EQUAL, number, refuse) for number in whole if number is not None),
        _if(JUMP_EQUAL, FADVISE[column], _answer(FAIL_WITH)),  # advice need not be followed: as if it were taken
        _if(JUMP_EQUAL, FCNTL[column], _any_of(1, PLAIN_FCNTL, allow) + refuse),
        _if(JUMP_EQUAL, MADVISE[column], _any_of(2, PUSHED_OUT, refuse) + allow),
        *(_if(JUMP_EQUAL, call[column], _any_of(5, (0,), allow) + refuse) for call in (PREADV2, PWRITEV2)),  # no flags
        allow,
    ]  # fmt: skip
    return b"".join(parts)


def refuse(network: bool) -> None:
    """Refuse these calls from now on, in this process and whatever it starts; it cannot be undone.

    Raises `OSError` where the kernel has no filters, or nobody knows the machine's calls.
    """
    machine = os.uname().machine if sys.platform == "linux" else sys.platform
    if machine not in MACHINES or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, f"no filter of system calls is known for {machine}")
    code = program(machine, network)
    held = ctypes.create_string_buffer(code, len(code))
    given = struct.pack("@HP", len(code) // 8, ctypes.addressof(held))
    control(PR_SET_NO_NEW_PRIVS, 1)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(given, len(given)))


def control(option: int, *arguments: object) -> None:
    """`prctl` with an `OSError` where it fails; missing arguments are 0."""
    libc = ctypes.CDLL(None, use_errno=True)
    given = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(ctypes.c_int(option), *given):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {option}: {os.strerror(number)}")


def _code(operation: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, then, otherwise, value)


def _load(offset: int) -> bytes:
    return _code(LOAD, offset)


def _answer(value: int) -> bytes:
    return _code(RETURN, value)


def _if(test: int, value: int, block: bytes) -> bytes:
    """The block where the test holds, past it where not; a block ends by answering."""
    return _code(test, value, 0, len(block) // 8) + block


def _unless(test: int, value: int, block: bytes) -> bytes:
    return _code(test, value, len(block) // 8, 0) + block


def _any_of(argument: int, values: Sequence[int] | Iterable[int], block: bytes) -> bytes:
    """The block where the low word of an argument, counted from 0, is one of these: the kernel reads an int of it."""
    return _load(ARGUMENTS + 8 * argument) + b"".join(_if(JUMP_EQUAL, value, block) for value in values)

"""Ways by which two processes that share nothing but read-only files could tell each other something: all are shut."""

from __future__ import annotations

import errno
import json
import os
import random
import struct
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.plugin import refused
from bench.plugin.shut import BUBBLEWRAP, LANDLOCK
from bench.run import sandbox as levels
from bench.run.environments import packages_of
from bench.run.stage import staged

needs_bwrap = pytest.mark.skipif(levels.obstacle() is not None, reason=f"no sandbox here: {levels.obstacle()}")
needs_landlock = pytest.mark.skipif(not levels.landlock_works(), reason="the kernel has no Landlock, or no filters")
LEVELS = [pytest.param(BUBBLEWRAP, marks=needs_bwrap), pytest.param(LANDLOCK, marks=needs_landlock)]
BITS = 64
SHUT = "from bench.plugin.shut import Shut\nShut(**json.loads(sys.argv.pop(1))).take_hold()\n"
OPEN = "sys.argv.pop(1)\n"


@contextmanager
def inside(level: str, script: str, *arguments: str, filtered: bool = True):
    """A script in the sandbox of a level, with the folder that it shares with others of its kind; without the filter
    and Landlock it is as if nothing were mended.
    """
    with staged({}) as stage:
        (stage / "work" / "script.py").write_text("")
        head = f"import ctypes, json, mmap, os, sys, time\nsys.path.insert(0, {str(stage / 'lib')!r})\n"
        how = levels.shut_in(level, stage, packages())
        how = replace(how, readable=[*how.readable, arguments[0]])
        given = json.dumps(asdict(how))
        code = head + f"sys.path += {packages()!r}\n" + (SHUT if filtered else OPEN) + script
        command = [levels.interpreter(), "-P", "-s", "-S", "-B", "-c", code, given, *arguments]
        if level == BUBBLEWRAP:
            command = levels.inside(command, stage, [*packages(), arguments[0]])
        process = subprocess.Popen(
            command, cwd=stage / "work", env={"PATH": os.defpath}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def packages() -> list[str]:
    """The folders of the harness's packages."""
    return list(packages_of({}))


def answer(process: subprocess.Popen[str], question: str = "") -> str:
    """The next line that a script says, after it was told something."""
    process.stdin.write(f"{question}\n")
    process.stdin.flush()
    line = process.stdout.readline().strip()
    if not line:
        process.kill()
        raise AssertionError(process.communicate()[1])
    return line


@pytest.fixture
def shared():
    """A folder with one file a bit, which workers can read and none can write, on a disk."""
    with tempfile.TemporaryDirectory(prefix="volmark-shared-") as folder:
        for bit in range(BITS):
            path = Path(folder) / str(bit)
            path.write_bytes(os.urandom(1 << 16))
            with path.open("rb") as file:
                os.fsync(file.fileno())
        yield folder


@pytest.fixture
def message():
    """Bits that nobody can guess."""
    return [random.randrange(2) for _ in range(BITS)]


LOCK = """
import fcntl
held = []
for line in sys.stdin:
    try:
        for bit, wanted in enumerate(line.strip()):
            held.append(os.open(f"{sys.argv[1]}/{bit}", os.O_RDONLY))
            if wanted == "1":
                LOCKS
        print("told", flush=True)
    except OSError as error:
        print("refused", error.errno, flush=True)
"""
ASK_LOCK = """
import fcntl
for line in sys.stdin:
    heard = ""
    for bit in range(int(line)):
        file = os.open(f"{sys.argv[1]}/{bit}", os.O_RDONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            heard += "0"
        except OSError as error:
            heard += "1" if error.errno == 11 else "?"
        os.close(file)
    print(heard, flush=True)
"""
FLOCK = "fcntl.flock(held[-1], fcntl.LOCK_EX)"


@pytest.mark.parametrize("level", LEVELS)
def test_locks_of_shared_files_carry_nothing(level, shared, message):
    told = "".join(map(str, message))
    for filtered, heard in ((False, told), (True, "?" * BITS)):  # the control first: the channel works
        with (
            inside(level, LOCK.replace("LOCKS", FLOCK), shared, filtered=filtered) as sender,
            inside(level, ASK_LOCK, shared, filtered=filtered) as receiver,
        ):
            assert answer(sender, told).startswith("refused" if filtered else "told")
            assert answer(receiver, str(BITS)) == heard


TOUCH = """
for line in sys.stdin:
    try:
        for bit, wanted in enumerate(line.strip()):
            file = os.open(f"{sys.argv[1]}/{bit}", os.O_RDONLY)
            if wanted == "0":
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                m = mmap.mmap(file, 0, prot=mmap.PROT_READ)
                try:
                    m.madvise(21)
                except OSError:
                    pass
            os.close(file)
        print("told", flush=True)
    except OSError as error:
        print("refused", error.errno, flush=True)
"""
ASK_PAGES = """
libc = ctypes.CDLL(None, use_errno=True)
for line in sys.stdin:
    heard = ""
    for bit in range(int(line)):
        file = os.open(f"{sys.argv[1]}/{bit}", os.O_RDONLY)
        try:
            os.preadv(file, [bytearray(1)], 20_000, os.RWF_NOWAIT)
            heard += "1"
        except BlockingIOError:
            heard += "0"
        except OSError as error:
            heard += "?"
        os.close(file)
    print(heard, flush=True)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_pages_of_shared_files_carry_nothing(level, shared, message):
    """One puts pages out of memory, another asks which are there: neither can, with the filter."""
    told = "".join(map(str, message))
    for filtered, heard in ((False, told), (True, "?" * BITS)):
        for path in Path(shared).iterdir():
            path.read_bytes()
        with (
            inside(level, TOUCH, shared, filtered=filtered) as sender,
            inside(level, ASK_PAGES, shared, filtered=filtered) as receiver,
        ):
            assert answer(sender, told) == "told"  # advice is never refused, it is not followed
            found = answer(receiver, str(BITS))
            if not filtered and found != heard:
                pytest.skip("this file system does not tell what is in memory")
            assert found == heard
    resident = 0
    for path in Path(shared).iterdir():
        with path.open("rb") as file:
            resident += os.preadv(file.fileno(), [bytearray(1)], 20_000, os.RWF_NOWAIT)
    assert resident == BITS  # nothing was put out of memory


CALLS = """
libc = ctypes.CDLL(None, use_errno=True)
file = os.open(f"{sys.argv[1]}/0", os.O_RDONLY)
held = mmap.mmap(file, 0, prot=mmap.PROT_READ)
def call(number, *arguments):
    ctypes.set_errno(0)
    return [int(libc.syscall(number, *arguments)), ctypes.get_errno()]
for line in sys.stdin:
    print(json.dumps({name: call(number, 0, 0, 0, 0, 0, 0) for name, number in json.loads(line).items()}), flush=True)
"""


@pytest.mark.parametrize("level", LEVELS)
def test_every_call_of_the_list_is_refused(level, shared):
    column = list(refused.MACHINES).index(os.uname().machine)
    wanted = {name: numbers[column] for name, numbers in refused.REFUSED.items() if numbers[column] is not None}
    with inside(level, CALLS, shared) as process:
        found = json.loads(answer(process, json.dumps(wanted)))
    assert found == {name: [-1, errno.ENOSYS] for name in wanted}


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ("fcntl.fcntl(file, fcntl.F_GETFL)", True),
        ("os.dup(file)", True),
        ("os.get_inheritable(file)", True),
        ("fcntl.lockf(file, fcntl.LOCK_SH)", False),
        ("fcntl.fcntl(file, 1024, fcntl.F_RDLCK)", False),  # a lease
        ("fcntl.fcntl(file, fcntl.F_NOTIFY, 1)", False),
        ("os.preadv(file, [bytearray(1)], 0)", True),
        ("os.preadv(file, [bytearray(1)], 0, os.RWF_NOWAIT)", False),
        ("mmap.mmap(-1, 4096).madvise(mmap.MADV_DONTNEED)", True),
        ("mmap.mmap(file, 0, prot=mmap.PROT_READ).madvise(mmap.MADV_WILLNEED)", True),
        ("mmap.mmap(file, 0, prot=mmap.PROT_READ).madvise(21)", False),
        ("os.memfd_create('more')", False),
        ("__import__('socket').socketpair()", True),
        ("__import__('subprocess').run(['true'], check=True)", True),
        ("__import__('multiprocessing').Pipe()", True),
    ],
)
@needs_landlock
def test_what_entries_need_is_allowed_and_what_they_do_not_is_refused(shared, call, allowed):
    script = f"""
import fcntl
for line in sys.stdin:
    file = os.open(f"{{sys.argv[1]}}/0", os.O_RDONLY)
    try:
        {call}
        print("allowed", flush=True)
    except OSError as error:
        print("refused", flush=True)
"""
    with inside(LANDLOCK, script, shared) as process:
        assert answer(process) == ("allowed" if allowed else "refused")


def test_the_program_is_short_and_known_for_two_machines():
    for machine in refused.MACHINES:
        assert 50 < len(refused.program(machine, network=True)) // 8 < 255  # jumps are of one byte
        assert len(refused.program(machine, network=False)) > len(refused.program(machine, network=True))


def run_filter(code: bytes, machine: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """What the filter answers: an interpreter of the few instructions that it is made of."""
    data = struct.pack("=IIQ6Q", number, machine, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    at, value = 0, 0
    while True:
        operation, then, otherwise, constant = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        if operation == refused.LOAD:
            (value,) = struct.unpack_from("=I", data, constant)
        elif operation == refused.RETURN:
            return constant
        elif operation == refused.JUMP_EQUAL:
            at += then if value == constant else otherwise
        else:
            assert operation == refused.JUMP_AT_LEAST
            at += then if value >= constant else otherwise


@pytest.mark.parametrize("machine", refused.MACHINES)
def test_the_filter_answers_as_its_tables_say(machine):
    """Of the machine that this is not, too."""
    column, audit = list(refused.MACHINES).index(machine), refused.MACHINES[machine]
    code = refused.program(machine, network=True)
    denied = refused.FAIL_WITH | 38
    listed = {numbers[column] for numbers in refused.REFUSED.values()} - {None}
    special = {each[column] for each in (refused.FADVISE, refused.FCNTL, refused.MADVISE, refused.PREADV2,
                                         refused.PWRITEV2)}  # fmt: skip
    for number in range(500):
        if number not in special:
            assert run_filter(code, audit, number) == (denied if number in listed else refused.ALLOW), number
    assert run_filter(code, audit ^ 1, 0) == denied  # calls of another machine
    assert run_filter(code, audit, refused.FADVISE[column], (3, 0, 0, 4)) == refused.FAIL_WITH
    for command in (*range(50), *range(1024, 1050)):
        wanted = refused.ALLOW if command in refused.PLAIN_FCNTL else denied
        assert run_filter(code, audit, refused.FCNTL[column], (3, command)) == wanted
    assert run_filter(code, audit, refused.MADVISE[column], (0, 4096, 4)) == refused.ALLOW
    assert run_filter(code, audit, refused.MADVISE[column], (0, 4096, 21)) == denied
    assert run_filter(code, audit, refused.PREADV2[column], (3, 0, 1, 0, 0, 0)) == refused.ALLOW
    assert run_filter(code, audit, refused.PREADV2[column], (3, 0, 1, 0, 0, 8)) == denied
    shut = refused.program(machine, network=False)
    assert run_filter(shut, audit, refused.SOCKET[column], (1, 1, 0)) == denied
    assert run_filter(code, audit, refused.SOCKET[column], (1, 1, 0)) == refused.ALLOW
    if machine == "x86_64":
        assert run_filter(code, audit, refused.X32 | 1) == denied

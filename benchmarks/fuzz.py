"""Input files changed at random: none may end in a traceback, a hang, or silently in another number.

usage: python benchmarks/fuzz.py FOLDER [--cases 20000] [--seed 1]

FOLDER is a benchmark whose dataset is a snapshot and that has results and a ledger, such as a clone after a run; it is
copied. Each case changes one file, reads it as the harness does, and puts it back. What is refused is a `BenchError`
(an `EntryFailure` of requirements, which the run stores as a row's reason). What is accepted gives the numbers that
it gave before, or another identity, by which whoever reads it sees that something was changed.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FrameType
from typing import Any

from bench import store
from bench.data.load import load_panel
from bench.errors import BenchError
from bench.publish import ledger
from bench.publish.editions import SUMS, Edition, check_sums
from bench.registry.config import Registry
from bench.registry.entries import code_files, discover
from bench.registry.reading import read_regular
from bench.run.environments import understood
from bench.run.failure import EntryFailure
from bench.store import Place, Scope

SECONDS = 5
"""A case that takes longer is a hang."""
REFUSED = object()
CHANGED = object()
TOKENS = [
    b"[" * 100_000, b"{a: " * 300, b"\xff\xfe", b"\x00", b"1e999", b".nan", b".inf", b"-1", b"0", b"9" * 5000, b"1_0",
    b"10000000000", b"null", b"true", b"!!python/object:os.system", b"&a [*a]", b"<<: *b", b"*nothing", b"\r\n",
    b"---\n", b": ", b"- ", b"\t", b'"', b"'", b"\\", b"2010-02-31", b"../../x", "\u2028\U0001f600".encode(),
    b"x" * 300, b"NaN", b"-Infinity", b",,,", b"1" * 400,
    b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
    + b"".join(b"%c: &%c [%s]\n" % (c + 1, c + 1, b",".join([b"*%c" % c] * 9)) for c in b"bcdefghi"),
]  # fmt: skip
"""What has a meaning somewhere, or had none that was thought of."""


def mutate(rng: random.Random, content: bytes) -> bytes:
    """The content with one to three changes of it."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        content = rng.choice(CHANGES)(rng, content)
    return content


def _at(rng: random.Random, content: bytes) -> tuple[int, int]:
    first = rng.randrange(len(content) + 1)
    return first, min(len(content), first + rng.choice((1, 1, 4, 20, 200)))


def _flip(rng: random.Random, content: bytes) -> bytes:
    i, _ = _at(rng, content)
    return content[:i] + bytes([rng.randrange(256)]) + content[i + 1 :]


def _cut(rng: random.Random, content: bytes) -> bytes:
    i, j = _at(rng, content)
    return content[:i] + content[j:]


def _end(rng: random.Random, content: bytes) -> bytes:
    return content[: _at(rng, content)[0]]


def _double(rng: random.Random, content: bytes) -> bytes:
    i, j = _at(rng, content)
    return content[:j] + content[i:j] + content[j:]


def _insert(rng: random.Random, content: bytes) -> bytes:
    i, _ = _at(rng, content)
    return content[:i] + rng.choice(TOKENS) + content[i:]


def _value(rng: random.Random, content: bytes) -> bytes:
    """Another value in the place of a number or a word."""
    found = list(re.finditer(rb"[\w.+-]+", content))
    if not found:
        return rng.choice(TOKENS)
    word = rng.choice(found)
    return content[: word.start()] + rng.choice(TOKENS) + content[word.end() :]


def _digit(rng: random.Random, content: bytes) -> bytes:
    """Another digit: what looks as sound as before."""
    found = [i for i, byte in enumerate(content[:20_000]) if 48 <= byte < 58]
    if not found:
        return content
    i = rng.choice(found)
    return content[:i] + b"%d" % rng.randrange(10) + content[i + 1 :]


def _lines(rng: random.Random, content: bytes) -> bytes:
    """A line twice, gone, or in another's place."""
    lines = content.splitlines(keepends=True) or [b""]
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i : i + 1] = rng.choice(([lines[i], lines[i]], [], [lines[j]]))
    return b"".join(lines)


CHANGES = (_flip, _cut, _end, _double, _insert, _value, _value, _digit, _digit, _lines)


def as_pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def as_device(path: Path) -> None:
    """A link to a file without an end."""
    path.symlink_to("/dev/zero")


KINDS: tuple[Callable[[Path], None], ...] = (as_pipe, as_device, Path.mkdir, lambda path: path.symlink_to(path.name))


@dataclass(frozen=True)
class Target:
    """A file, and what reading it gives: numbers that can be compared, or CHANGED where it says that it is another."""

    path: Path
    read: Callable[[], Any]


def targets(root: Path) -> list[Target]:
    """The files of a benchmark that people or machines may damage, as the harness reads them."""
    registry = Registry(root)
    dataset = registry.dataset(registry.settings.dataset)
    scope = Scope.of(registry, None, None)
    done = [place for place in scope.places() if store.read(place).state == store.DONE][:2]
    found = [
        Target(root / "bench.yaml", lambda: _settings(root)),
        Target(dataset.folder / "dataset.yaml", lambda: Registry(root).dataset(dataset.id).model_dump_json()),
        Target(scope.results / ledger.NAME, lambda: _ledger(scope.results)),
        Target(scope.results / dataset.id / "realized.parquet", lambda: scope.realized().digest()),
    ]
    found += [Target(path, lambda: _bars(registry, dataset.id)) for path in sorted(dataset.folder.glob("[bv]*.[cp]*"))]
    for family in sorted((root / "submissions").glob("*/submission.yaml"))[:2]:
        found.append(Target(family, lambda: _entries(root)))
    for file in sorted((root / "submissions").glob("*/requirements.txt"))[:1]:
        found.append(Target(file, lambda file=file: _requirements(file)))  # type: ignore[misc]
    for place in done:
        for name in ("run.json", "forecasts.parquet"):
            found.append(Target(place.folder / name, lambda place=place: _result(place)))  # type: ignore[misc]
    for folder in [each.parent for each in sorted((root / "editions").glob("*/edition.json"))][:1]:
        names = ("edition.json", "entries.json", "forecasts.json", "settings.yaml", SUMS)
        found += [Target(folder / name, partial(_edition, folder)) for name in names if (folder / name).is_file()]
    return [each for each in found if each.path.is_file()]


def _settings(root: Path) -> Any:
    return Registry(root).settings.model_dump_json()


def _ledger(results: Path) -> Any:
    state = ledger.replay(ledger.read_events(results))
    if list(ledger.gaps(state, ledger.finished(results))):
        return CHANGED  # `bench verify` names each
    return sorted((str(key), event.identity, event.digest) for key, event in state.items())


def _bars(registry: Registry, dataset: str) -> Any:
    return load_panel(registry.dataset(dataset)).identity()


def _entries(root: Path) -> Any:
    found = discover(root / "submissions")
    for problem in found.problems:
        problem.encode()
    return found.problems, {name: entry.row.model_dump_json() for name, entry in found.entries.items()}


def _requirements(path: Path) -> Any:
    if path not in code_files(path.parent):  # a run reads no other
        return CHANGED
    lines = understood(read_regular(path).decode(errors="replace"))
    if any(not re.match(r"[a-z0-9]", line) or not line.isprintable() for line in lines):
        raise RuntimeError(f"passed on to the installer: {lines}")
    return lines


def _result(place: Place) -> Any:
    stored = store.read(place)
    if stored.problem or stored.state != store.DONE or stored.forecasts is None:
        return REFUSED
    return stored.forecasts.digest(), stored.forecasts.forecast_var.tobytes()


def _edition(folder: Path) -> Any:
    if check_sums(folder):
        return CHANGED
    edition = Edition(folder)
    names = [edition.facts.datasets, edition.settings.tasks, list(edition.entries)]
    return sha256(repr(names).encode()).hexdigest()


class Hang(BaseException):
    """A case took too long."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Ends what takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(target: Target) -> Any:
    """What reading a file gives; REFUSED where it is an error in words, else a text that says what went wrong."""
    try:
        with limited(SECONDS):
            return target.read()
    except (BenchError, EntryFailure) as error:
        str(error).encode()  # it can be printed
        return REFUSED
    except Hang:
        return Fault("hangs")
    except Exception as error:  # noqa: BLE001 - whatever else comes is what is looked for
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Fault(f"{type(error).__name__} at {last.filename}:{last.lineno}: {str(error)[:200]}")


@dataclass(frozen=True)
class Fault:
    """What must not be."""

    what: str


SAYS_ITSELF = {"bench.yaml", "dataset.yaml", "submission.yaml", "requirements.txt", "bars", "vix"}
"""Files whose every value is read back as it stands, or goes into an identity: other numbers are another identity."""


def fuzz(root: Path, cases: int, seed: int) -> list[str]:
    """Returns a line for each case that went wrong, with its number; the files are as before afterwards."""
    rng, found, each = random.Random(seed), [], targets(root)
    as_it_is = {target: outcome(target) for target in each}
    for target, before in as_it_is.items():
        if isinstance(before, Fault) or before in (REFUSED, CHANGED):
            raise RuntimeError(f"{target.path} cannot be read as it is: {before}")
    for number, (target, change) in enumerate(_cases(each, cases, rng)):
        before, content = as_it_is[target], target.path.read_bytes()
        target.path.unlink()
        try:
            told = change(target.path, content)
            after = outcome(target)
        finally:
            if target.path.is_dir() and not target.path.is_symlink():
                target.path.rmdir()
            else:
                target.path.unlink()
            target.path.write_bytes(content)
        where = f"case {number} of seed {seed}, {target.path.name}, {told}"
        silent = target.path.name not in SAYS_ITSELF and target.path.stem not in SAYS_ITSELF
        if isinstance(after, Fault):
            found.append(f"{where}: {after.what}")
        elif silent and after not in (before, REFUSED, CHANGED):
            found.append(f"{where}: gives other numbers without a word")
    return found


def _cases(each: list[Target], cases: int, rng: random.Random) -> Iterator[tuple[Target, Callable[[Path, bytes], str]]]:
    """Every file as every kind of file that it should not be, then files changed at random."""

    def as_kind(kind: Callable[[Path], None]) -> Callable[[Path, bytes], str]:
        def change(path: Path, content: bytes) -> str:
            kind(path)
            return "of another kind"

        return change

    def at_random(path: Path, content: bytes) -> str:
        changed = mutate(rng, content)
        path.write_bytes(changed)
        return f"now {changed[:60]!r}..., {len(changed)} bytes"

    kinds = [(target, as_kind(kind)) for target in each for kind in KINDS]
    yield from kinds[:cases]
    for i in range(max(0, cases - len(kinds))):
        yield each[i % len(each)], at_random


def main() -> None:
    """Fuzz a copy of a benchmark."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "copy"
        shutil.copytree(given.folder, root, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__"))
        found = fuzz(root, given.cases, given.seed)
    print("\n".join(found) or f"{given.cases} cases: none went wrong")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

"""Puts what earlier walks left in memory out of it: which pages of the shared files the kernel holds.

Workers see the same read-only files. A walk can read parts of them that nobody reads, and a later one can find out
which ones are in memory: by how long a read takes, by how often its process waited for a disk. So before a family's
next walks all files that they see are put out of memory, and every one has been looked up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def forget(places: Iterable[str]) -> int:
    """Have the kernel drop the pages of all files below these places that no process is using; returns their number."""
    if not hasattr(os, "posix_fadvise"):
        return 0
    count = 0
    for path in _files(dict.fromkeys(map(os.path.realpath, places))):
        with suppress(OSError):  # not ours to read, so not the worker's either; or it went meanwhile
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            try:
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
                count += 1
            finally:
                os.close(file)
    return count


def _files(places: Iterable[str]) -> Iterator[str]:
    for place in places:
        if Path(place).is_file():
            yield place
            continue
        for folder, _, names in os.walk(place):
            if not folder.startswith(("/sys", "/proc")):
                for name in names:
                    yield f"{folder}/{name}"

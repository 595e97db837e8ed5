"""The folder that a worker is started in: copies of the code that it may import, and nothing else of ours."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import bench
from bench.data.load import BENCH_DATA

HANDED_OUT = ("__init__.py", "tasks.py", "recursions.py")
"""What a worker can import of this package besides `bench.plugin`: names by which entries of protocol 1.0 know it."""
STAGE = "volmark-stage-"
ABANDONED_SECONDS = 86_400
"""Age of a folder of ours without a mark from which on no run can be using it: longer than a walk or a check takes."""


@contextmanager
def staged(files: Mapping[str, bytes], data: Path | None = None) -> Iterator[Path]:
    """A fresh folder with copies of the code that a worker may import, and an empty working directory.

    `files` are the entry's, by their path in its folder. The copies keep the worker's import path away from the
    repository, its datasets and its results. `data` is a bait that a check plants: a folder of which a copy lies beside
    the working directory.
    """
    stage = Path(tempfile.mkdtemp(prefix=STAGE))
    with ExitStack() as stack:
        held = stack.enter_context((stage / ".held").open("w"))
        fcntl.flock(held, fcntl.LOCK_EX)  # so that a later run knows whether this one is alive
        stack.callback(_remove, stage)
        ours = Path(bench.__file__).parent
        (stage / "lib" / "bench").mkdir(parents=True)
        for name in HANDED_OUT:
            shutil.copyfile(ours / name, stage / "lib" / "bench" / name)
        shutil.copytree(
            ours / "plugin", stage / "lib" / "bench" / "plugin", ignore=shutil.ignore_patterns("__pycache__")
        )
        for name, content in files.items():
            target = stage / "entry" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (stage / "work").mkdir()
        if data is not None:
            shutil.copytree(data, stage / "data")
        yield stage


def bait(stage: Path) -> dict[str, str]:
    """The variable that names a planted folder of data; none where a run plants none."""
    return {BENCH_DATA: str(stage / "data")} if (stage / "data").is_dir() else {}


def sweep_stages() -> None:
    """Remove the folders that killed runs of ours left in the temporary folder."""
    for stage in Path(tempfile.gettempdir()).glob(f"{STAGE}*"):
        with suppress(OSError), ExitStack() as stack:
            try:
                held = os.open(stage / ".held", os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            except OSError:  # an entry took it away, or it is not there yet
                if time.time() - stage.lstat().st_mtime < ABANDONED_SECONDS:
                    continue
            else:
                stack.callback(os.close, held)
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(stage)


def _remove(folder: Path) -> None:
    """Remove a folder that strangers wrote in, however deep it is: `shutil.rmtree` goes down by recursion."""
    command = ["rm", "-rf", "--", str(folder)]
    subprocess.run(command, env={"PATH": os.defpath}, stderr=subprocess.DEVNULL, check=False)

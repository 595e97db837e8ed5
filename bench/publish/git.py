"""Files of a commit, read by the `git` program: what a change is compared with."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.errors import BenchError


def common_commit(root: Path, ref: str) -> str:
    """Returns the commit that `ref` and the checkout at `root` have in common last: where the change began.

    Raises a `BenchError` where git, the repository or the commit is missing.
    """
    commit = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if commit is None:
        raise BenchError(f"no commit `{ref}` in the repository of {root}: fetch it (`git fetch`), or name another one")
    base = _git(root, "merge-base", commit.decode().strip(), "HEAD")
    if base is None:
        raise BenchError(f"`{ref}` and this checkout have no commit in common here: fetch more of the history")
    return base.decode().strip()


def export(root: Path, commit: str, wanted: Callable[[str], bool], target: Path) -> None:
    """Write the files of a commit below `root` whose path, relative to it, is wanted into the folder `target`."""
    listed = _git(root, "ls-tree", "-r", "-z", commit)
    if listed is None:
        raise BenchError(f"the files of commit {commit[:12]} cannot be listed")
    files = {}
    for item in filter(None, listed.split(b"\0")):
        head, _, path = item.partition(b"\t")
        mode, kind, name = head.decode().split()
        inside = path.decode(errors="replace")
        if kind == "blob" and mode != "120000" and ".." not in Path(inside).parts and wanted(inside):  # no links
            files[inside] = name
    blobs = _git(root, "cat-file", "--batch", sent="".join(f"{name}\n" for name in files.values()))
    if blobs is None:
        raise BenchError(f"the files of commit {commit[:12]} cannot be read")
    for inside, content in zip(files, _contents(blobs), strict=True):
        (target / inside).parent.mkdir(parents=True, exist_ok=True)
        (target / inside).write_bytes(content)


def versions(root: Path, path: str) -> Iterator[bytes]:
    """Yields what a file below `root` held after each commit that touched it, newest first."""
    commits = _git(root, "log", "--full-history", "--format=%H", "--", path) or b""
    for commit in commits.decode().split():
        content = _git(root, "show", f"{commit}:./{path}")
        if content is not None:  # else the commit removed it
            yield content


def _contents(batch: bytes) -> list[bytes]:
    """The contents in what `git cat-file --batch` prints: a line `name kind size`, so many bytes, a newline."""
    contents, at = [], 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        _, _, size = batch[at:end].decode().split()
        contents.append(batch[end + 1 : end + 1 + int(size)])
        at = end + 1 + int(size) + 1
    return contents


def _git(root: Path, *arguments: str, sent: str = "") -> bytes | None:
    """What git prints; None where it says no. A `BenchError` where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            input=sent.encode(), capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"},
        )  # fmt: skip
    except OSError as error:
        raise BenchError(f"git cannot be run: {error.strerror or error}; comparing with a commit needs it") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if "not a git repository" in said or "dubious ownership" in said:
        raise BenchError(f"{root}: {said.splitlines()[0].removeprefix('fatal: ')}")
    return None

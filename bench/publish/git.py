"""Files of a commit, read by the `git` program: what a change is compared with."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from bench.errors import BenchError

ADDRESS = re.compile(
    r"((https?|ssh|git)://([^@/]*@)?(?P<host>[\w.-]+)(:\d+)?/|[\w.-]+@(?P<host2>[\w.-]+):)(?P<path>[\w./~-]+?)(\.git)?/?"
)
"""An address of a repository, in either way of writing."""


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


def address(root: Path) -> str | None:
    """Returns the https address of the repository that a clone came from; None where it has none that others reach.

    What stands before the host (a name, a token) is left away.
    """
    said = _quietly(root, "remote", "get-url", "origin")
    found = ADDRESS.fullmatch(said) if said else None
    return f"https://{found['host'] or found['host2']}/{found['path']}" if found else None


def last_commit(root: Path, *paths: str) -> str | None:
    """Returns the commit that is checked out, of paths the one that changed them last; None where there is none."""
    return _quietly(root, "log", "-1", "--format=%H", "--", *paths) or None


def _quietly(root: Path, *arguments: str) -> str | None:
    """What git says in a repository; None where there is no git, no repository, or it says no."""
    try:
        said = _git(root, *arguments)
    except BenchError:
        return None
    return None if said is None else said.decode(errors="replace").strip()


def export(root: Path, commit: str, wanted: Callable[[str], bool], target: Path) -> None:
    """Write the files of a commit below `root` whose path, relative to it, is wanted into the folder `target`.

    Links are left out. Raises a `BenchError` where the commit cannot be read, or hides wanted files from an archive.
    """
    listed = _git(root, "ls-tree", "-r", "-z", "--name-only", commit)
    if listed is None:
        raise BenchError(f"the files of commit {commit[:12]} cannot be listed")
    names = set(filter(wanted, os.fsdecode(listed).split("\0")[:-1]))
    if not names:
        return
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        as_stored = "-c", "core.autocrlf=false"
        if _git(root, *as_stored, "archive", "--format=tar", f"--output={file.name}", commit) is None:
            raise BenchError(f"the files of commit {commit[:12]} cannot be read")
        hidden = names - _unpack(Path(file.name), wanted, target)
    if hidden:  # or a request could hide what the next one is compared with
        raise BenchError(f"commit {commit[:12]} hides {min(hidden)}: take `export-ignore` out of its .gitattributes")


def _unpack(archive: Path, wanted: Callable[[str], bool], target: Path) -> set[str]:
    """Writes the wanted regular files of an archive below a folder; returns the names of all that is in it."""
    names = set()
    with tarfile.open(archive, "r:") as members:
        for member in members:
            names.add(member.name)
            path = PurePosixPath(member.name)
            content = members.extractfile(member) if member.isreg() else None  # no links, whatever they lead to
            if content is not None and not path.is_absolute() and ".." not in path.parts and wanted(member.name):
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                (target / path).write_bytes(content.read())
    return names


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git prints; None where it says no. A `BenchError` where there is no git or no repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError as error:
        raise BenchError(f"git cannot be run: {error.strerror or error}; comparing with a commit needs it") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip()
    if "not a git repository" in said or "dubious ownership" in said:
        raise BenchError(f"{root}: {said.splitlines()[0].removeprefix('fatal: ')}")
    return None

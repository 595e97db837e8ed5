"""Commits and pushes results/ and README.md where they changed; refuses whatever else changed, and bars above all.

usage: python scripts/ci/commit_results.py      (environment: GITHUB_TOKEN, GITHUB_REF_NAME)
"""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
import zlib
from os import environ
from pathlib import Path

import pyarrow.parquet as pq
from pyarrow.lib import ArrowException

SUFFIXES = {".md", ".csv", ".json", ".jsonl", ".parquet", ".npz", ".svg", ".png"}
"""Of the files that a run and a board write."""
BARS = {"bars", "vix", "repairs"}
"""Names of the files of a snapshot, without their endings."""
PRICES = {"open", "high", "low", "close", "adj close", "adj_close", "volume"}
ARTIFACT_BYTES = 40_000
"""Of all arrays that entries sent as artifacts, unpacked, in one commit: 5,000 numbers, few beside a panel's."""
MESSAGE = "Boards: results and ledger brought up to date"
# The token is in no argument and in no file; hooks are not ours to run.
AS_BOT = (
    "-c", "user.name=github-actions[bot]",
    "-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com",
    "-c", "core.hooksPath=/dev/null",
    "-c", "credential.helper=",
    "-c", 'credential.helper=!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f',
)  # fmt: skip


def git(*arguments: str) -> str:
    """What a git command prints; raises where it fails."""
    return subprocess.run(["git", *AS_BOT, *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def names(command: str, *arguments: str) -> list[str]:
    """The paths that a git command lists, which ends each with a zero byte."""
    return [name for name in git(command, "-z", *arguments).split("\0") if name]


def columns(path: Path) -> set[str]:
    """Names of the columns of a parquet or CSV file, in lower case; none for other files."""
    if path.suffix == ".parquet":
        return {name.lower() for name in pq.read_schema(path).names}
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return {name.strip().lower() for name in next(csv.reader(file), [])}
    return set()


def objection(name: str) -> str | None:
    """Why a changed file must not be committed, or None."""
    path = Path(name)
    if name != "README.md" and path.parts[0] != "results":
        return "only results/ and README.md may change"
    if path.stem.lower() in BARS:
        return "has the name of a snapshot's file"
    if path.suffix not in SUFFIXES:
        return "is of no kind that a run or a board writes"
    if path.is_symlink():
        return "is a link"
    try:
        prices = columns(path) & PRICES if path.exists() else set()
    except (ArrowException, csv.Error, OSError, UnicodeDecodeError) as error:
        return f"cannot be read: {error}"
    return f"has columns of bars: {', '.join(sorted(prices))}" if prices else None


def unpacked_bytes(path: Path, limit: int) -> int:
    """Bytes of what an archive holds; not more than one above the limit is unpacked of a file in it."""
    with zipfile.ZipFile(path) as archive:
        total = 0
        for member in archive.infolist():
            with archive.open(member) as file:
                total += len(file.read(limit + 1))
            if total > limit:
                break
    return total


def too_many_artifacts(changed: list[str]) -> dict[str, str]:
    """Objections to new or changed arrays of entries: what an entry was handed could be published through them."""
    total = 0
    for name in changed:
        path = Path(name)
        if path.suffix != ".npz" or not path.is_file() or path.is_symlink():
            continue
        try:
            total += unpacked_bytes(path, ARTIFACT_BYTES)
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError) as error:
            return {name: f"cannot be read: {error}"}
        if total > ARTIFACT_BYTES:
            return {name: f"artifacts of more than {ARTIFACT_BYTES} bytes: a person looks at them and commits them"}
    return {}


def stage() -> list[str]:
    """Stage results/ and README.md; returns what changed in them, or exits with one line per objection."""
    git("add", "--all", "--", "results", "README.md")
    staged = names("diff", "--cached", "--name-only", "--no-renames")
    others = names("diff", "--name-only") + names("ls-files", "--others", "--exclude-standard")
    objections = {name: why for name in staged + others if (why := objection(name))}
    objections = objections or too_many_artifacts(staged)
    if objections:
        sys.exit("\n".join(f"refused: {name}: {why}" for name, why in objections.items()))
    return staged


def main() -> None:
    """Commit and push, or say that nothing changed; exits with one line per objection."""
    staged = stage()
    if not staged:
        sys.stdout.write("nothing changed\n")
        return
    git("commit", "--quiet", "--message", MESSAGE)
    try:
        git("push", "--quiet", "origin", f"HEAD:refs/heads/{environ['GITHUB_REF_NAME']}")
    except subprocess.CalledProcessError:
        sys.exit("the branch was not updated: if it has moved on, the run for its new head does this again")
    sys.stdout.write(f"{len(staged)} files committed\n")


if __name__ == "__main__":
    main()

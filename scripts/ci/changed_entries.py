"""Prints the entries that differ from a base, one a line. usage: python scripts/ci/changed_entries.py BASE

Of a family whose code changed, every row outside studies; of one whose `submission.yaml` changed, the rows that did.
A family that cannot be read is printed as its folder, so that `bench check` says what is wrong with it.
"""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError
from bench.publish.git import common_commit
from bench.registry.entries import NOT_CODE, discover


def git(*arguments: str) -> str:
    """What a git command prints in the working directory; raises where it fails."""
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def changed_files(commit: str) -> dict[str, set[str]]:
    """Names of the files that were added, edited or removed, by family; new files need not be committed."""
    tracked = git("diff", "--name-only", "--no-renames", "-z", commit, "--", "submissions")
    new = git("ls-files", "--others", "--exclude-standard", "-z", "--", "submissions")
    families: dict[str, set[str]] = defaultdict(set)
    for name in filter(None, (tracked + new).split("\0")):
        parts = Path(name).parts
        if len(parts) > 2:
            families[parts[1]].add(str(Path(*parts[2:])))
    return families


def rows_at(commit: str, family: str) -> dict[str, Any]:
    """The rows of a family's `submission.yaml` at a commit by name; none where it was not there or not readable."""
    path = f"submissions/{family}/submission.yaml"
    if not git("ls-tree", "--name-only", commit, "--", path):
        return {}
    try:
        rows = yaml.safe_load(git("show", f"{commit}:{path}"))["entries"]
        return {row["name"]: row for row in rows}
    except (yaml.YAMLError, KeyError, TypeError):
        return {}


def changed_entries(root: Path, base: str) -> list[str]:
    """Names of entries, or folders of families that cannot be read, in the order of families and names.

    What changed is what differs from the last commit that the checkout and the base have in common.
    """
    commit = common_commit(root, base)
    catalogue = discover(root / "submissions")
    found = []
    for family, files in sorted(changed_files(commit).items()):
        folder = root / "submissions" / family
        if not folder.is_dir():
            continue  # removed: what becomes of its results is for `bench verify`
        rows = [entry.row for entry in catalogue.entries.values() if entry.family == family]
        if not rows or any(f"{family}/submission.yaml" in problem for problem in catalogue.problems):
            found.append(f"submissions/{family}")
            continue
        code_changed = any(name not in NOT_CODE for name in files)
        before = rows_at(commit, family)
        now = {row["name"]: row for row in yaml.safe_load((folder / "submission.yaml").read_text("utf-8"))["entries"]}
        found += [row.name for row in rows if code_changed or now[row.name] != before.get(row.name)]
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        sys.stdout.writelines(f"{name}\n" for name in changed_entries(Path.cwd(), sys.argv[1]))
    except BenchError as error:
        sys.exit(f"error: {error}")

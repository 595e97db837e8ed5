"""Copies what git has of results/ and README.md to scratch/handed/, for the job that commits it; objects as that does.

usage: python scripts/ci/hand_over_results.py
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from commit_results import names, stage

TARGET = Path("scratch/handed")


def main() -> None:
    """Copy the files that git tracks or that were staged now: whatever else lies in results/ stays here."""
    changed = stage()
    shutil.rmtree(TARGET, ignore_errors=True)
    for name in names("ls-files", "--cached", "--", "results", "README.md"):
        (TARGET / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(name, TARGET / name)
    sys.stdout.write(f"{len(changed)} changed files are handed over\n")


if __name__ == "__main__":
    main()

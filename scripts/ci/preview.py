"""Writes FOLDER/board.txt: the boards of two open datasets with the changed entries on them, and nothing in results/.

usage: python scripts/ci/preview.py BASE FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from changed_entries import changed_entries

from bench.errors import BenchError

DATASETS = ("indices", "simulated")
"""Datasets that need no bars from elsewhere."""
TASK = "next-day"
"""The task that ranks the boards; the others would take as long again and are not on the headline table."""
SECONDS = 900
"""Time for one dataset. What is longer is a matter for the maintainers' machine."""
BENCH = ".venv/bin/bench"
FAILED_ENTRY = 1
"""Exit code of a run in which an entry failed: a row of the board, not the end of the preview."""


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    """One command of ours, its output captured; raises `TimeoutExpired`."""
    return subprocess.run([BENCH, *arguments], check=False, capture_output=True, encoding="utf-8", timeout=SECONDS)


def board(dataset: str, entries: list[str], scratch: Path) -> str:
    """The headline table of a dataset with the entries on it, or a line that says why there is none.

    `scratch` is a results folder of its own: a copy of the committed one, in which only these entries are run.
    """
    committed = Path("results") / dataset
    if committed.is_dir():
        shutil.copytree(committed, scratch / dataset)
    chosen = ("--dataset", dataset, "--results", str(scratch))
    try:
        run = bench("run", *entries, "--task", TASK, *chosen)
        if run.returncode not in (0, FAILED_ENTRY):
            return f"{dataset}: no preview: {run.stderr.strip()}"
        shown = bench("board", *chosen)
    except subprocess.TimeoutExpired:
        return f"{dataset}: no preview: more than {SECONDS} s"
    return shown.stdout.strip() if shown.returncode == 0 else f"{dataset}: no preview: {shown.stderr.strip()}"


def preview(base: str, scratch: Path) -> str:
    """The text of the preview: which entries changed, and a table per dataset."""
    entries = [name for name in changed_entries(Path.cwd(), base) if not name.startswith("submissions/")]
    if not entries:
        return "no entry that can be run has changed\n"
    tables = [board(dataset, entries, scratch) for dataset in DATASETS]
    return "\n\n".join([f"changed entries: {', '.join(entries)}", *tables]) + "\n"


def main(base: str, folder: Path) -> None:
    """Write the preview; the scratch copy of the results is made anew and lies beside `folder`."""
    scratch = folder.with_name(f"{folder.name}-results")
    shutil.rmtree(scratch, ignore_errors=True)
    text = preview(base, scratch)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "board.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except BenchError as error:
        sys.exit(f"error: {error}")

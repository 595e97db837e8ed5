"""What is made after a merge: boards and ledger of a change that brings results and leaves these as they were.

Two requests that each bring an entry would collide in every file that tells of all entries. So a request may leave
them to the merge: they must then be those of the base, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench import store
from bench.publish import ledger
from bench.publish.changes import BOARD_FILES, is_figure, to_vouch_for
from bench.publish.ledger import Key
from bench.publish.tree import Problem, Tree

LATER = "made after the merge (`make update`)"


def sorted_out(tree: Tree, base: Path, failures: Iterable[Problem]) -> tuple[list[Problem], list[Problem]]:
    """Returns the failures that stay, and as notices those that the merge mends: boards and ledger behind new results.

    A board may be behind where a result of its dataset is new in the change and its files are those of the base; the
    ledger where it is that of the base and lacks results that are new. What is gone stays a failure.
    """
    new = _new(tree, base / "results")
    before = ledger.finished(base / "results")
    following = {key for key in new if _follows(before.get(key), tree.records[key])}
    records = {key.place(tree.results).folder / "run.json" for key in following & set(tree.runs)}
    behind = {key.dataset for key in following}
    behind |= {path.relative_to(tree.results).parts[0] for path, _ in to_vouch_for(tree, base)}
    ledger_kept = _same(tree.results / ledger.NAME, base / "results" / ledger.NAME)
    stay, boards, lines = [], set(), 0
    for problem in failures:
        path = tree.registry.root / problem.file
        if problem.guard == "ledger" and ledger_kept and path in records:
            lines += 1
        elif problem.guard == "boards" and (folder := _board_of(tree, path)) is not None and (
            folder.relative_to(tree.results).parts[0] in behind and _untouched(tree, base, folder)
        ):  # fmt: skip
            boards.add(folder)
        else:
            stay.append(problem)
    root = tree.registry.root
    notices = [
        Problem("boards", str(folder.relative_to(root)), f"its board does not have the new results yet: {LATER}")
        for folder in sorted(boards)
    ]
    if lines:
        said = f"does not have {lines} new result{'s' * (lines != 1)} yet: {LATER}"
        notices.append(Problem("ledger", str((tree.results / ledger.NAME).relative_to(root)), said))
    return stay, notices


def _new(tree: Tree, base: Path) -> set[Key]:
    """The results whose outcome the base has not."""
    before = {Key.of(place): store.read_run(place) for place in store.all_places(base)}
    old = {key: (run.state, run.identity, run.digest) for key, run in before.items() if run is not None}
    return {key for key, run in tree.records.items() if old.get(key) != (run.state, run.identity, run.digest)}


def _follows(old: store.Run | None, run: store.Run) -> bool:
    """Whether a result can follow on the finished one of the base: there was none, or this is another version."""
    return old is None or (run.version, run.protocol) != (old.version, old.protocol)


def _board_of(tree: Tree, path: Path) -> Path | None:
    """The folder of the board that a file belongs to; None where results make no board there."""
    folder = path.parent.parent if is_figure(path.relative_to(tree.registry.root)) else path.parent
    named = path.name in BOARD_FILES or folder != path.parent
    folders = (
        store.Scope.of(tree.registry, dataset, split, study=study).folder for dataset, split, study in tree.boards
    )
    return folder if named and folder in folders else None


def _untouched(tree: Tree, base: Path, folder: Path) -> bool:
    """Whether the files of a board are those of the base."""
    before = base / folder.relative_to(tree.registry.root)
    names = {path.relative_to(top) for top in (folder, before) for path in _files(top)}
    return all(_same(folder / name, before / name) for name in names)


def _files(folder: Path) -> Iterator[Path]:
    yield from (folder / name for name in BOARD_FILES)
    yield from (folder / "figures").glob("*.svg")


def _same(path: Path, other: Path) -> bool:
    """Whether two files have the same bytes, or neither is there."""
    here, there = (each.read_bytes() if each.is_file() and not each.is_symlink() else None for each in (path, other))
    return here == there

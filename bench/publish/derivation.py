"""Deriving an edition again: whether its boards still follow from the forecasts that it rests on."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from pydantic import ValidationError

from bench import __version__
from bench.board import build_board
from bench.board.agreement import CHECK_TOLERANCE, unequal, unlike_renderings
from bench.board.writing import plain
from bench.errors import BenchError
from bench.publish.citation import citation_files
from bench.publish.editions import Edition, check_sums
from bench.publish.keeping import restore
from bench.store import MAIN_SPLIT, Scope

MEASURED = ("cards", "inputs", "conclusion", "figures")
"""What a board says of the machines that made it, and in words: it does not follow from forecasts alone."""


def verify_edition(folder: Path) -> list[str]:
    """Returns what is wrong with an edition, one line each; empty where it is whole and follows from its forecasts.

    First the checksums. Then every board is derived again, in a folder that holds the edition's results alone, from
    the forecasts and measures that are kept beside it. Last, markdown, CSV and citations are compared with what this
    version writes, if it is the one that made the edition. Raises a `BenchError` for what is no edition.
    """
    edition = Edition(folder)
    problems = [f"{path} {problem}" for path, problem in check_sums(folder)]
    if problems:
        return problems
    try:
        facts = edition.facts
        if folder.resolve().name != facts.edition:
            problems.append(f"{folder} is edition {facts.edition}: the folder has another name")
        problems += _derive_again(edition) + _other_entries(edition)
        if not problems and facts.version == __version__:
            problems += _written_otherwise(edition)
        if problems and facts.version != __version__:
            log = f"git log --diff-filter=A editions/{facts.edition}"
            problems.append(
                f"made by volmark {facts.version}, this is {__version__}: check out the commit that added the edition "
                f"(`{log}`; in a shallow clone `git fetch --unshallow` first)"
            )
    except BenchError as error:
        problems.append(str(error))
    return problems


def _derive_again(edition: Edition) -> list[str]:
    """Where a frozen board is not the one that its forecasts give; or which of them cannot be found."""
    problems = []
    with tempfile.TemporaryDirectory() as scratch:
        results = Path(scratch) / "results"
        lost = restore(edition, results)
        if lost:
            return [f"{path} {problem}" for path, problem in lost]
        for name in edition.facts.datasets:
            path = edition.folder / name / "leaderboard.json"
            board = plain(build_board(Scope(edition.settings, edition.dataset(name), MAIN_SPLIT, results)))
            try:
                frozen = dict(json.loads(path.read_bytes()))
            except (OSError, ValueError, TypeError) as error:
                problems.append(f"{path} is missing or damaged: {error}")
                continue
            mine, theirs = ({key: each[key] for key in each if key not in MEASURED} for each in (board, frozen))
            gaps = unequal(mine, theirs, CHECK_TOLERANCE, new_fields=False)
            problems += [f"{path}: {where}: {then} frozen, {now} derived again" for where, now, then in gaps]
    return problems


def _other_entries(edition: Edition) -> list[str]:
    """Where the entries that are cited are not those of the records; of authors the records say nothing."""
    path = edition.folder / "entries.json"
    versions: dict[str, set[str]] = {}
    for run in edition.runs:
        versions.setdefault(run.entry, set()).add(run.version)
    cited = {name: entry.version for name, entry in edition.entries.items()}
    problems = [f"{path}: {name} has no result in forecasts.json" for name in cited if name not in versions]
    for name, found in versions.items():
        if name not in cited:
            problems.append(f"{path}: {name} is not there, forecasts.json has results of it")
        elif cited[name] not in found:
            problems.append(f"{path}: {name} has version {cited[name]}, in forecasts.json {', '.join(sorted(found))}")
    return problems


def _written_otherwise(edition: Edition) -> list[str]:
    """Which of the files that are written from others of the edition are not what this version writes from them."""
    problems = []
    for dataset in edition.facts.datasets:
        try:
            problems += [f"{path} {what}" for path, what in unlike_renderings(edition.folder / dataset)]
        except (OSError, ValidationError) as error:
            path = edition.folder / dataset / "leaderboard.json"
            problems.append(f"{path} is no board of version {__version__}: {str(error).splitlines()[0]}")
    for name, content in citation_files(edition.release).items():
        path = edition.folder / name
        if not path.is_file() or path.read_bytes() != content:
            problems.append(f"{path} is not what the edition's name, version and protocol give")
    return problems

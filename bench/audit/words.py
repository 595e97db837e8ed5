"""The check of what an entry says of itself, before any data: metadata that people read, and requirements."""

from __future__ import annotations

from collections.abc import Iterator

from bench.audit.findings import Finding, Report
from bench.registry.entries import Entry
from bench.registry.scaffold import KINDS
from bench.run.environments import REQUIREMENTS, unpinned
from bench.run.failure import EntryFailure

METADATA = "metadata complete"


def metadata(entry: Entry) -> Report:
    """Returns whether the fields that people read are filled in, by the author, and the requirements are pinned.

    That keys and types are right, reading has shown.
    """
    wrong = [*_texts(entry), *_requirements(entry)]
    return Report(entry.name, None, [Finding(METADATA, not wrong, "; ".join(wrong))])


def _texts(entry: Entry) -> Iterator[str]:
    submission, row = entry.submission, entry.row
    texts = {
        "authors: name": min(author.name.strip() for author in submission.authors),
        "licence": submission.licence,
        "description": submission.description,
        "training_data": submission.training_data,
        f"entries: {row.name}: description": row.description,
    }
    empty = [key for key, text in texts.items() if not text.strip()]
    if empty:
        yield f"submission.yaml: {', '.join(empty)} is empty: write a sentence"
    written = {kind[name] for kind in KINDS.values() for name in ("description", "line")}
    untouched = [key for key, text in texts.items() if " ".join(text.split()) in written]
    if untouched:
        yield f"submission.yaml: {', '.join(untouched)} is that of `bench new`: say what your model does"


def _requirements(entry: Entry) -> Iterator[str]:
    content = entry.code().get(REQUIREMENTS)
    if content is None:
        return
    try:
        loose = unpinned(content.decode(errors="replace"))
    except EntryFailure as error:
        yield str(error)
        return
    if loose:
        yield f"{REQUIREMENTS}: {', '.join(loose)}: name one version (NAME==1.2.3), or the result cannot be made again"

"""What is cited: which edition, which version of an entry, and which score of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench.errors import BenchError, did_you_mean
from bench.publish import citation, git
from bench.publish.citation import CitedEntry, Reference, Release, Standing
from bench.publish.editions import FOLDER, Edition, editions, open_edition
from bench.registry.config import Registry
from bench.registry.entries import Catalogue


@dataclass(frozen=True)
class Citation:
    """References, an entry's first; the BibTeX that it brings along; and what a reader should know of all this."""

    release: Release
    references: tuple[Reference, ...]
    bibtex: str | None
    notes: tuple[str, ...]


def cite(
    registry: Registry,
    catalogue: Catalogue,
    entry: str | None = None,
    *,
    edition: str | None = None,
    dataset: str | None = None,
) -> Citation:
    """Returns how the benchmark is cited, or one of its entries with its score.

    At the named edition, else at the latest one; as it stands now where none is frozen, or the entry is newer. The
    score is that on the named dataset, else on the registry's or the first one that has one. The address of the
    repository and the commit are told where the clone knows them.

    Raises
    ------
    BenchError
        Where there is no such edition, entry or dataset, no score on the named dataset, or a file of them is damaged.
    """
    known, notes = editions(registry.root), []
    frozen = open_edition(registry.root, edition or known[-1]) if edition or known else None
    if frozen is None:
        notes.append("no edition is frozen yet: numbers may change")
    elif edition is None and entry not in (None, *frozen.entries) and entry in catalogue.entries:
        notes.append(f"{entry} is not in edition {known[-1]}: cited as it stands now, its numbers may change")
        frozen = None
    if frozen is not None:
        release = frozen.release
    else:
        metadata = citation.read_metadata(registry.root)
        release = Release(metadata, metadata.version, registry.settings.protocol)
    folder = [f"{FOLDER}/{release.edition}"] if release.edition else []
    url, commit = git.address(registry.root), git.last_commit(registry.root, *folder)
    release = replace(release, url=url, commit=commit)
    if entry is None:
        return Citation(release, (citation.cite_benchmark(release),), None, tuple(notes))
    cited = _entry(catalogue, frozen, entry)
    standing = _standing(registry, frozen, entry, dataset)
    if standing is None:
        notes.append(f"no score of {entry} in {_where(frozen)}")
    references = citation.cite_entry(release, entry, cited, standing), citation.cite_benchmark(release)
    return Citation(release, references, citation.own_bibtex(entry, cited), tuple(notes))


def _entry(catalogue: Catalogue, frozen: Edition | None, entry: str) -> CitedEntry:
    if frozen is None:
        return CitedEntry.of(catalogue.select([entry])[0])
    if entry not in frozen.entries:
        raise BenchError(f"no entry `{entry}` in {_where(frozen)}{did_you_mean(entry, frozen.entries)}")
    return frozen.entries[entry]


def _standing(registry: Registry, frozen: Edition | None, entry: str, dataset: str | None) -> Standing | None:
    folder = registry.results if frozen is None else frozen.folder
    known = registry.dataset_ids() if frozen is None else sorted(frozen.facts.datasets)
    if dataset is not None and dataset not in known:
        raise BenchError(f"no dataset `{dataset}`{did_you_mean(dataset, known)}")
    default = registry.settings.dataset
    for name in [dataset] if dataset else sorted(known, key=lambda name: (name != default, name)):
        found = citation.read_standing(folder / name / "leaderboard.json", entry)
        if found is not None:
            return found
    if dataset:
        raise BenchError(f"no score of {entry} on {dataset} in {_where(frozen)}")
    return None


def _where(frozen: Edition | None) -> str:
    return f"edition {frozen.facts.edition}" if frozen else "the results"

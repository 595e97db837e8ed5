"""How the benchmark and its entries are cited: `CITATION.cff` and `submission.yaml`, as BibTeX, APA or plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field

from bench.errors import BenchError
from bench.registry.config import Base, Label
from bench.registry.entries import Author, Entry
from bench.registry.reading import read_yaml

Format = Literal["bibtex", "apa", "plain"]
FORMATS: tuple[Format, ...] = get_args(Format)

LICENCE = "CC-BY-4.0"
"""Of forecasts and scores; see docs/data-and-licence.md."""
ESCAPED = {
    **{mark: f"\\{mark}" for mark in "&%$#_"},
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",  # BibTeX counts braces behind a backslash too
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
"""What TeX takes for something else; letters of any alphabet stay as they are, in UTF-8."""


class Group(Base):
    """An author who is no single person."""

    name: str = Field(min_length=1)

    def __str__(self) -> str:
        return self.name


class Person(BaseModel):
    """An author who is a person; further keys of the format (orcid, affiliation) are passed on."""

    model_config = ConfigDict(extra="allow", frozen=True)
    family_names: str = Field(alias="family-names", min_length=1)
    given_names: str = Field(alias="given-names", min_length=1)

    def __str__(self) -> str:
        return f"{self.family_names}, {self.given_names}"


class Metadata(BaseModel):
    """What `CITATION.cff` says of the benchmark; keys of the format that are not named here are passed on."""

    model_config = ConfigDict(extra="allow", frozen=True)
    cff_version: str = Field(alias="cff-version")
    message: str
    type: str = "software"
    title: str
    abstract: str | None = None
    authors: list[Group | Person] = Field(min_length=1)
    version: Label

    def as_cff(self, **changed: Any) -> dict[str, Any]:
        """The keys and values of a `CITATION.cff`, some of them changed."""
        return {**self.model_dump(by_alias=True, exclude_none=True), **changed}


class CitedEntry(Base):
    """What a citation says of an entry; `version` is that of the row."""

    version: Label
    description: str
    authors: list[Author] = Field(min_length=1)
    licence: str
    bibtex: str | None = None

    @classmethod
    def of(cls, entry: Entry) -> CitedEntry:
        """What today's `submission.yaml` says of an entry."""
        row, submission = entry.row, entry.submission
        return cls(
            version=row.version, description=row.description, authors=submission.authors,
            licence=submission.licence, bibtex=submission.bibtex,
        )  # fmt: skip


@dataclass(frozen=True)
class Release:
    """What is cited: the benchmark at an edition, or (`edition` None) as it stands, which has no year."""

    metadata: Metadata
    version: str
    protocol: str
    edition: str | None = None
    url: str | None = None
    commit: str | None = None

    @property
    def year(self) -> str | None:
        """The year that the edition is named after."""
        return self.edition.partition(".")[0] if self.edition else None

    @property
    def key(self) -> str:
        """What its references are called by in LaTeX."""
        return f"volmark-{self.edition or self.version}"

    def __str__(self) -> str:
        software = f"version {self.version}, protocol {self.protocol}"
        return f"edition {self.edition} ({software})" if self.edition else f"{software}, no frozen edition"


@dataclass(frozen=True)
class Standing:
    """An entry's score on the headline task of a board; `data` is the identity of the bars."""

    dataset: str
    data: str
    split: str
    task: str
    qlike: float

    def __str__(self) -> str:
        return f"{self.dataset} (data {self.data[:8]}), {self.split}, {self.task}: QLIKE {self.qlike:.4f}"


@dataclass(frozen=True)
class Reference:
    """One item of a list of references. An author with a comma is `Family, Given`; others are kept whole."""

    key: str
    authors: tuple[str, ...]
    title: str
    about: str
    year: str | None
    url: str | None = None
    commit: str | None = None


def read_metadata(folder: Path) -> Metadata:
    """What the `CITATION.cff` of a folder says; a `BenchError` names file and key."""
    return read_yaml(folder / "CITATION.cff", Metadata)


def read_standing(leaderboard: Path, entry: str) -> Standing | None:
    """An entry's score in a `leaderboard.json`; None where there is no such board, or no score of it."""
    try:
        board = json.loads(leaderboard.read_bytes())
        rows = [row for table in board["tables"] if table["task"] == board["headline"] for row in table["rows"]]
        scores = {row["entry"]: float(row["qlike"]) for row in rows}
        if entry not in scores:
            return None
        return Standing(board["dataset"], str(board["data_identity"]), board["split"], board["headline"], scores[entry])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{leaderboard} is damaged ({error}): `bench board` makes it again") from error


def cite_benchmark(release: Release) -> Reference:
    """The reference of the benchmark."""
    authors, about = tuple(map(str, release.metadata.authors)), str(release)
    return Reference(
        release.key, authors, release.metadata.title, about[:1].upper() + about[1:], release.year, release.url,
        release.commit,
    )  # fmt: skip


def cite_entry(release: Release, name: str, entry: CitedEntry, standing: Standing | None) -> Reference:
    """The reference of an entry as a row of the benchmark, with its score where it has one."""
    dataset = f"-{standing.dataset}" if standing else ""
    score = f"; {standing}" if standing else ""
    return Reference(
        f"{release.key}-{name}{dataset}",
        tuple(author.name for author in entry.authors),
        f"{name}, version {entry.version}: {entry.description}",
        f"Entry of volmark, {release}{score}",
        release.year,
        release.url,
        release.commit,
    )


def citation_files(release: Release) -> dict[str, bytes]:
    """The files that say how an edition is cited, by name; the same release gives the same bytes."""
    cff = release.metadata.as_cff(
        message=f"If you use a number of edition {release.edition} of volmark, cite the edition.",
        type="dataset", version=release.edition, license=LICENCE,
    )  # fmt: skip
    return {
        "CITATION.cff": yaml.safe_dump(cff, sort_keys=False, allow_unicode=True, width=120).encode(),
        "CITATION.bib": (render([cite_benchmark(release)], "bibtex") + "\n").encode(),
    }


def own_bibtex(name: str, entry: CitedEntry) -> str | None:
    """The BibTeX that an entry brings along; a `BenchError` where its braces would break what stands around it."""
    text = (entry.bibtex or "").strip()
    depths = list(accumulate((1 if brace == "{" else -1 for brace in re.findall(r"[{}]", text)), initial=0))
    if min(depths) < 0 or depths[-1] or (text and not text.startswith("@")):
        raise BenchError(
            f"{name}: `bibtex` in its submission.yaml is no BibTeX: it begins with @TYPE{{KEY, every brace is closed"
        )
    return text or None


def render(references: Sequence[Reference], style: Format) -> str:
    """The references as text, one under the other.

    >>> print(render([Reference("a-1", ("Corsi, Fulvio",), "HAR & more", "version 1", "2026")], "apa"))
    Corsi, F. (2026). HAR & more [version 1].
    """
    if style == "bibtex":
        return "\n\n".join(map(_bibtex, references))
    return "\n".join(map(_apa if style == "apa" else _plain, references))


def escape(text: str) -> str:
    r"""Text for a BibTeX field.

    >>> escape("R&D_50 %")
    'R\\&D\\_50 \\%'
    """
    return "".join(ESCAPED.get(letter, letter) for letter in text)


def _bibtex(reference: Reference) -> str:
    """Braces around a title keep its capitals, those around an author keep a name whole."""
    authors = [escape(name) if _person(name) else f"{{{escape(name)}}}" for name in reference.authors]
    fields = {
        "author": " and ".join(authors),
        "title": f"{{{escape(reference.title)}}}",
        "howpublished": escape(reference.about),
        **({"year": reference.year} if reference.year else {}),
        **({"url": reference.url} if reference.url else {}),
        **({"note": f"commit {reference.commit}"} if reference.commit else {}),
    }
    width = max(map(len, fields))
    lines = [f"  {name:{width}} = {{{value}}}" for name, value in fields.items()]
    return f"@misc{{{reference.key},\n" + ",\n".join(lines) + "\n}"


def _apa(reference: Reference) -> str:
    *others, last = _authors(reference, lambda family, given: f"{family}, {_initials(given)}")
    authors = f"{', '.join(others)}, & {last}" if others else last
    what = f"{reference.title} [{reference.about}].{_found(reference)}"
    return f"{authors.rstrip('.')}. ({reference.year or 'n.d.'}). {what}"


def _plain(reference: Reference) -> str:
    names = ", ".join(_authors(reference, lambda family, given: f"{given} {family}"))
    year = f", {reference.year}" if reference.year else ""
    return f"{names}. {reference.title}. {reference.about}{year}.{_found(reference)}"


def _found(reference: Reference) -> str:
    """Where it is found, after a reference in words."""
    commit = f" (commit {reference.commit[:12]})" if reference.commit else ""
    return f" {reference.url}{commit}" if reference.url else commit


def _authors(reference: Reference, written: Callable[[str, str], str]) -> list[str]:
    people = ((name, _person(name)) for name in reference.authors)
    return [written(*person) if person else name for name, person in people]


def _person(name: str) -> tuple[str, str] | None:
    """Family and given name, of a name that is written as `Family, Given`; others are kept whole."""
    family, _, given = map(str.strip, name.partition(","))
    return (family, given) if family and given and "," not in given and " and " not in name else None


def _initials(given: str) -> str:
    return " ".join(f"{part[0]}." for part in given.split())

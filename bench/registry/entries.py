"""The entries: `submissions/<family>/submission.yaml`, read and checked without importing model code."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictInt, field_validator, model_validator

from bench.errors import BenchError, did_you_mean
from bench.plugin.words import READS, Task
from bench.registry.config import Base, Label, Name, Settings
from bench.registry.reading import read_yaml, shown_path

if TYPE_CHECKING:
    from bench.registry.studies import Study

PATH = "path"
"""What a row answers that forecasts daily paths: every task that a path covers, in one run."""
NOT_CODE = {"submission.yaml", "README.md"}


MOST_PARAMETERS, MOST_NESTED = 16_384, 8
"""Bytes of an entry's parameters as JSON, and how deep they may be nested."""
MOST_FILES, MOST_FOLDERS_DEEP, MOST_CODE = 1000, 16, 64 * 2**20
"""Files of a family, folders one in another, and bytes of all files."""


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("write plain text in one line")
    return text


def _plain_lines(text: str) -> str:
    if not all(line.isprintable() for line in text.replace("\t", " ").splitlines()):
        raise ValueError("write plain text")
    return text


def _depth(value: Any, most: int = 2 * MOST_NESTED) -> int:
    """How deep a value of lists and maps is nested; it is not looked deeper than `most`."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    if inside is None or not most:
        return 0
    return 1 + max((_depth(item, most - 1) for item in inside), default=0)


Line = Annotated[str, Field(max_length=1000), AfterValidator(_one_line)]
Lines = Annotated[str, Field(max_length=20_000), AfterValidator(_plain_lines)]


class Author(Base):
    """Who made an entry."""

    name: Line = Field(min_length=1)
    affiliation: Line | None = None
    email: Line | None = None
    orcid: Line | None = None


class Row(Base):
    """One entry of a family: a row of the board."""

    name: Name
    version: Label
    class_: str = Field(alias="class", pattern=r"^([A-Za-z_]\w*:)?[A-Za-z_]\w*$", max_length=200)
    description: Line
    parameters: dict[str, Any] = Field(default_factory=dict)
    tasks: Literal["path"] | Annotated[list[Name], Field(min_length=1)]
    refit: StrictInt | None = Field(default=None, ge=1, le=10_000)
    reads: list[str]
    seeds: StrictInt = Field(default=1, ge=1, le=100)
    datasets: Annotated[list[Name], Field(min_length=1)] | None = None
    tuned_on: Name | None = None
    constant: bool = False
    tolerance: float = Field(default=1e-9, ge=0, le=1e-2)
    twin: Name | None = None
    configurations_tried: Annotated[StrictInt, Field(ge=1)] | Literal["not counted"] = "not counted"

    @field_validator("reads")
    @classmethod
    def _known_reads(cls, reads: list[str]) -> list[str]:
        for name in reads:
            if name not in READS:
                raise ValueError(f"no input `{name}`{did_you_mean(name, READS)}")
        return reads

    @field_validator("tasks", mode="before")
    @classmethod
    def _path_or_list(cls, tasks: Any) -> Any:
        if isinstance(tasks, str) and tasks != PATH:
            raise ValueError(f"write a list: [{tasks}], or the word {PATH} for a PathForecaster")
        if not isinstance(tasks, str | list):
            raise ValueError(f"write a list of tasks, or the word {PATH} for a PathForecaster")
        return tasks

    @field_validator("parameters")
    @classmethod
    def _plain_values(cls, parameters: dict[str, Any]) -> dict[str, Any]:
        if _depth(parameters) > MOST_NESTED:
            raise ValueError(f"nested more than {MOST_NESTED} deep")
        try:
            text = json.dumps(parameters, allow_nan=False)
            same = json.loads(text) == parameters
        except (TypeError, ValueError):
            same, text = False, ""
        if not same:
            raise ValueError("values are numbers, text, true, false, null, lists, and maps with text keys")
        if len(text) > MOST_PARAMETERS:
            raise ValueError(f"more than {MOST_PARAMETERS:,} bytes as JSON: put large tables in a file of the folder")
        return parameters

    @property
    def target(self) -> str:
        """`module:Class`; the module is `model` where none is written."""
        return self.class_ if ":" in self.class_ else f"model:{self.class_}"


class Submission(Base):
    """One `submission.yaml`: who made it, how to cite it, and its rows."""

    authors: list[Author] = Field(min_length=1, max_length=100)
    licence: Line
    description: Lines
    bibtex: Lines | None = None
    training_data: Lines
    entries: list[Row] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _names_differ(self) -> Submission:
        names = [row.name for row in self.entries]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"entries: the name {doubled[0]} stands twice")
        return self


def code_files(folder: Path) -> list[Path]:
    """The files of a family that are its code: all but metadata, tests and hidden ones, sorted.

    A `BenchError` where there is a link, something that is neither file nor folder, a name that is no UTF-8, or more
    than a family may hold.
    """
    files, size = [], 0
    for path in sorted(_below(folder, folder)):
        if path.name in NOT_CODE or path.name.startswith("test_"):
            continue
        files.append(path)
        size += path.stat().st_size
        if len(files) > MOST_FILES or size > MOST_CODE:
            raise BenchError(f"{folder.name}: more than {MOST_FILES} files, or {MOST_CODE >> 20} MB of them")
    return files


def _below(folder: Path, top: Path) -> Iterator[Path]:
    """The files below a folder but for tests and hidden ones; errors as `code_files`."""
    try:
        found = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError as error:
        raise BenchError(f"{shown_path(folder)}: cannot be read: {error.strerror}") from error
    for item in found:
        path = Path(item.path)
        shown = f"{top.name}/{shown_path(path.relative_to(top))}"
        if item.name.startswith(".") or item.name in ("__pycache__", "tests"):
            continue
        if not item.name.isprintable():  # bytes that are no UTF-8 too
            raise BenchError(f"{shown}: a file's name is printable text in UTF-8")
        if item.is_symlink():
            raise BenchError(f"{shown}: is a link; put the file itself in the entry's folder")
        if item.is_dir():
            if len(path.relative_to(top).parts) > MOST_FOLDERS_DEEP:
                raise BenchError(f"{shown}: folders lie more than {MOST_FOLDERS_DEEP} deep")
            yield from _below(path, top)
        elif item.is_file():
            yield path
        else:
            raise BenchError(f"{shown}: is no regular file")


@dataclass(frozen=True)
class Entry:
    """A row with the folder of its code; `package` is the installed distribution that brings it, if one does.

    `study` is the one that it is a variant of, `axis` the values that it has there; a row of a family has neither.
    """

    row: Row
    folder: Path
    submission: Submission
    package: str | None = None
    study: str | None = None
    axis: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name, unique among all entries."""
        return self.row.name

    @property
    def family(self) -> str:
        """Name of the folder that it shares its code with."""
        return self.folder.name

    @property
    def is_path(self) -> bool:
        """Whether it forecasts daily paths."""
        return self.row.tasks == PATH

    def answers(self, settings: Settings) -> dict[str, Task]:
        """The tasks that it answers, by name."""
        if self.is_path:
            return settings.path_tasks
        return {name: settings.task(name) for name in self.row.tasks}

    def walked(self, settings: Settings) -> list[Task]:
        """The tasks that its workers are given: of paths, the longest one alone."""
        return [settings.longest_path] if self.is_path else list(self.answers(settings).values())

    def is_meant_for(self, dataset: str | None) -> bool:
        """Whether a run that names no entries takes it in; named, it runs on any dataset."""
        return dataset is None or self.row.datasets is None or dataset in self.row.datasets

    def code(self) -> dict[str, bytes]:
        """The files that the worker gets and that the identity covers, by their path in the folder."""
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in code_files(self.folder)}

    def code_digest(self) -> str:
        """sha256 over names and contents of the code files and requirements."""
        digest = hashlib.sha256()
        for name, content in self.code().items():
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
        return digest.hexdigest()


@dataclass(frozen=True)
class Catalogue:
    """All entries by name, and one line for every family, and (`notes`) installed package, that is left out.

    `studies` are those of the registry, where they were asked for (`registry.studies.with_studies`).
    """

    entries: dict[str, Entry]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    studies: dict[str, Study] = field(default_factory=dict)

    @property
    def variants(self) -> dict[str, Entry]:
        """The variants of all studies, as `study/variant`."""
        each = ((study.name, *item) for study in self.studies.values() for item in study.variants.items())
        return {f"{study}/{name}": entry for study, name, entry in each}

    def entry_at(self, study: str | None, name: str) -> Entry | None:
        """The entry whose results lie under that name on the board (None), or in a study; None where there is none."""
        return self.entries.get(name) if study is None else self.variants.get(f"{study}/{name}")

    def study(self, name: str) -> Study:
        """The study of that name."""
        if name not in self.studies:
            broken = [problem for problem in self.problems if problem.startswith("studies/")]
            raise BenchError("\n".join([f"no study `{name}`{did_you_mean(name, self.studies)}", *broken]))
        return self.studies[name]

    def select(self, names: Iterable[str] = (), dataset: str | None = None) -> list[Entry]:
        """The entries of these names; where none is named, ours outside studies that are meant for the dataset.

        An unknown name is an error with a suggestion. What an installed package brings has to be named, and so has a
        variant of a study, as `study/variant`.
        """
        wanted = list(dict.fromkeys(names))
        known = {**self.entries, **self.variants}
        for name in wanted:
            if name not in known:
                raise BenchError("\n".join([f"no entry `{name}`{did_you_mean(name, known)}", *self.problems]))
        if wanted:
            return [known[name] for name in wanted]
        return [entry for entry in self.entries.values() if entry.package is None and entry.is_meant_for(dataset)]

    def with_families(self, families: dict[Path, list[Entry]]) -> Catalogue:
        """This catalogue and families that a user named by their folders; a name that is taken is an error."""
        entries = dict(self.entries)
        for folder, family in families.items():
            for entry, other in add_family(entries, family):
                if other.folder.resolve() != folder:
                    taken = f"{entry.name} is taken by {other.folder}; choose another name"
                    raise BenchError(f"{folder}/submission.yaml: entries: {taken}")
        return replace(self, entries=entries)


def read_family(folder: Path, tasks: Collection[str] | None = None, package: str | None = None) -> list[Entry]:
    """Returns the rows of one folder with a `submission.yaml`, in its order; a `BenchError` says what is wrong.

    `tasks` are the names that a row may answer (None: any). Model code is not imported.
    """
    submission = read_yaml(folder / "submission.yaml", Submission)
    code_files(folder)
    family = [Entry(row, folder, submission, package) for row in submission.entries]
    for entry in family:
        for name in [] if entry.is_path else entry.row.tasks:
            if tasks is not None and name not in tasks:
                where = f"{folder.name}/submission.yaml: entries: {entry.name}"
                raise BenchError(f"{where}: no task `{name}`{did_you_mean(name, tasks)}")
    return family


def add_family(entries: dict[str, Entry], family: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Adds those of a family whose name is free; returns the others, each with the entry that has its name."""
    taken = [(entry, entries[entry.name]) for entry in family if entry.name in entries]
    for entry in family:
        entries.setdefault(entry.name, entry)
    return taken


def discover(root: Path, tasks: Collection[str] | None = None) -> Catalogue:
    """Returns the entries below `root`, sorted by name; a family that is wrong is a problem, not an end.

    `tasks` are the names that a row may answer (None: any). Model code is not imported.
    """
    entries: dict[str, Entry] = {}
    problems: list[str] = []
    for path in sorted(root.glob("*/submission.yaml")):
        if path.parent.is_symlink():
            problems.append(f"{root.name}/{path.parent.name}: is a link; put the folder itself in its place")
            continue
        try:
            taken = add_family(entries, read_family(path.parent, tasks))
        except BenchError as error:
            problems.append(str(error))
            continue
        where = f"{path.parent.name}/submission.yaml: entries"
        problems += [f"{where}: {entry.name} is taken by {other.family}; choose another name" for entry, other in taken]
    return Catalogue(dict(sorted(entries.items())), problems)

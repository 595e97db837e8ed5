"""Studies: `studies/<name>/study.yaml`, one question each, expanded into entries without importing model code.

What a study varies is data: every variant is its base's row with other values on the axes, and bears them in its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from bench.errors import BenchError, did_you_mean
from bench.registry.config import Base, Name, Registry
from bench.registry.entries import Catalogue, Entry, Line, Lines, Row
from bench.registry.reading import checked, read_yaml

MOST = 64
"""How many variants a study may have."""
LONGEST = 120
"""Characters of a variant's name, which is a folder's."""
FIELDS = ("class", "reads", "refit", "seeds")
"""The fields of a row that may be an axis; the others are `parameters.NAME`."""
AXIS = re.compile(rf"(parameters\.[A-Za-z_]\w*|{'|'.join(FIELDS)})")
Point = dict[str, Any]
"""Where a variant stands: its value on every axis, or on some."""


class StudySpec(Base):
    """One `study.yaml`.

    `base` is an entry, `fixed` what differs from it in every variant. Either `grid` is crossed, or `variants` are
    listed. `at` is where the base stands on axes that its row does not mention: the variant there is the base's row
    as it is. `against`: the values that each variant's counterpart in the tests has; by default the base's.
    """

    name: Name
    question: Line
    found: Lines | None = None
    base: Name
    fixed: Point = Field(default_factory=dict)
    at: Point = Field(default_factory=dict)
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    variants: list[Annotated[Point, Field(min_length=1)]] = Field(default_factory=list)
    against: Point = Field(default_factory=dict)
    tasks: Annotated[list[Name], Field(min_length=1)] | None = None
    datasets: list[Name] = Field(min_length=1)
    split: Name = "development"

    @property
    def axes(self) -> list[str]:
        """What is varied, in the order of the file."""
        return list(self.grid or (self.variants[0] if self.variants else {}))

    def points(self) -> Iterable[Point]:
        """The variants: the crossed grid, its last axis fastest, or those listed."""
        crossed = (dict(zip(self.grid, values, strict=True)) for values in product(*self.grid.values()))
        return self.variants or crossed

    @model_validator(mode="after")
    def _sound(self) -> StudySpec:
        if bool(self.grid) == bool(self.variants):
            raise ValueError("write what is varied: `grid`, or a list of `variants`")
        for name, point in (("grid", self.grid), ("fixed", self.fixed)):
            for axis in point:
                if not AXIS.fullmatch(axis):
                    raise ValueError(f"{name}: no axis `{axis}`: write parameters.NAME, {', '.join(FIELDS)}")
        for i, point in enumerate(self.variants):
            if list(point) != self.axes or not all(map(AXIS.fullmatch, point)):
                raise ValueError(f"variants.{i}: every variant has the same axes, parameters.NAME or a field of a row")
        for name, point in (("at", self.at), ("against", self.against)):
            for axis in point:
                if axis not in self.axes:
                    raise ValueError(f"{name}: `{axis}` is not varied{did_you_mean(axis, self.axes)}")
        if sum(1 for _ in self.points()) > MOST:
            raise ValueError(f"more than {MOST} variants: split the study into questions")
        return self


@dataclass(frozen=True)
class Study:
    """A study with its variants, by name in the order of the file; `counterparts` is whom each is tested against."""

    spec: StudySpec
    folder: Path
    variants: dict[str, Entry]
    counterparts: dict[str, str]

    @property
    def name(self) -> str:
        """Name of its folder, and of that of its results."""
        return self.spec.name

    @cached_property
    def columns(self) -> dict[str, str]:
        """A short name for every axis: the last part of it, where that is not another one's too."""
        axes = self.spec.axes
        last = [axis.rpartition(".")[2] for axis in axes]
        return {axis: short if last.count(short) == 1 else axis for axis, short in zip(axes, last, strict=True)}


def as_word(value: Any) -> str:
    """A value as it stands in a name: legible, and fit for a folder on any file system.

    >>> as_word(0.0), as_word(["bars", "vix"]), as_word(None), as_word("model:Pooled")
    ('0', 'bars+vix', 'null', 'model-pooled')
    """
    if isinstance(value, list):
        return "+".join(map(as_word, value))
    text = value if isinstance(value, str) else re.sub(r"\.0$", "", json.dumps(value))
    return re.sub(r"[^a-z0-9._+-]+", "-", text.lower()).rstrip("-.")


def with_studies(registry: Registry, ours: Catalogue) -> Catalogue:
    """Returns a catalogue with the studies of a registry; one that is wrong is a problem, not an end."""
    found, problems = {}, list(ours.problems)
    for path in sorted((registry.root / "studies").glob("*/study.yaml")):
        try:
            study = read_study(registry, path, ours)
        except BenchError as error:
            problems.append(str(error))
            continue
        found[study.name] = study
    return replace(ours, problems=problems, studies=found)


def read_study(registry: Registry, path: Path, catalogue: Catalogue) -> Study:
    """Returns the study of one `study.yaml`, expanded; a `BenchError` of one line names file and key."""
    spec = read_yaml(path, StudySpec, name=path.parent.name)
    where = "/".join(path.parts[-3:])
    base = catalogue.entries.get(spec.base)
    if base is None:
        raise BenchError(f"{where}: base: no entry `{spec.base}`{did_you_mean(spec.base, catalogue.entries)}")
    try:
        for dataset in spec.datasets:
            registry.dataset(dataset).split(spec.split)
        for task in spec.tasks or []:
            registry.settings.task(task)
    except BenchError as error:
        raise BenchError(f"{where}: {error}") from None
    if spec.tasks is not None and base.is_path:
        raise BenchError(f"{where}: tasks: {spec.base} forecasts paths, which answer every horizon: remove the key")
    row = base.row if spec.tasks is None else base.row.model_copy(update={"tasks": spec.tasks})
    row = _varied(f"{where}: fixed", row, spec.fixed)
    home = _home(where, spec, row)
    study = Study(spec, path.parent, {}, {})
    names: dict[str, str] = {}
    for point in spec.points():
        name = ",".join(f"{short}={as_word(point[axis])}" for axis, short in study.columns.items())
        if name in study.variants or len(name) > LONGEST:
            why = "stands twice" if name in study.variants else f"is longer than {LONGEST} characters"
            raise BenchError(f"{where}: the variant {name[:LONGEST]} {why}")
        varied = row if _key(point) == _key(home) else _varied(f"{where}: {name}", row, point)
        said = name.replace("=", " ").replace(",", ", ")
        # what was tuned, and where it runs unasked, is said of the base alone
        varied = varied.model_copy(
            update={"name": name, "description": f"{base.name} with {said}", "datasets": None, "tuned_on": None}
        )
        study.variants[name] = replace(base, row=varied, study=study.name, axis=dict(point))
        names[_key(point)] = name
    for name, entry in study.variants.items():
        other = names.get(_key({**entry.axis, **(spec.against or home)}))
        if other not in (None, name):
            study.counterparts[name] = str(other)
    return study


def _varied(where: str, row: Row, point: Point) -> Row:
    """A row with other values on some axes, checked like one of a `submission.yaml`."""
    values = row.model_dump(by_alias=True)
    for axis, value in point.items():
        head, _, parameter = axis.partition(".")
        if parameter:
            values["parameters"] = {**values["parameters"], parameter: value}
        else:
            values[head] = value
    return checked(where, Row, values)


def _home(where: str, spec: StudySpec, row: Row) -> Point:
    """Where the base stands: what its row says of the axes, and what `at` says of those that it does not mention."""
    values = row.model_dump(by_alias=True)
    said = {**{field: values[field] for field in FIELDS},
            **{f"parameters.{name}": value for name, value in row.parameters.items()}}  # fmt: skip
    both = sorted(set(said) & set(spec.at))
    if both:
        raise BenchError(f"{where}: at: {spec.base} says {both[0]} itself, remove it")
    return {axis: value for axis, value in {**said, **spec.at}.items() if axis in spec.axes}


def _key(point: Point) -> str:
    return json.dumps(point, sort_keys=True, default=str)

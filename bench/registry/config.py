"""The registry: `bench.yaml` and `datasets/<id>/dataset.yaml`, read and checked.

An unknown key, a missing one or a wrong date order is one `BenchError` that names file and key.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from bench.errors import BenchError, did_you_mean
from bench.plugin.words import Task, column_of
from bench.registry.measures import Measure
from bench.registry.reading import read_yaml

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=64)]
"""A name that is a folder's too."""
Title = Annotated[str, Field(max_length=1000)]
Label = Annotated[str, Field(coerce_numbers_to_str=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9.+_-]{0,19}$")]
"""A short word that may be written as a number, such as a version."""


Symbol = Annotated[str, Field(min_length=1, max_length=64)]


class Base(BaseModel):
    """A checked part of a YAML file: unknown keys are errors, nothing changes after reading."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        defer_build=True,  # what is not read costs nothing
    )


class Window(Base):
    """A run of calendar days, both ends included; `last` is None where it is still open."""

    first: date
    last: date | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_pair(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            if len(value) != 2:
                raise ValueError("write a window as [first day, last day]")
            return {"first": value[0], "last": value[1]}
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Window:
        if self.last is not None and self.last < self.first:
            raise ValueError(f"the last day {self.last} lies before the first day {self.first}")
        return self


class Split(Base):
    """Three windows one after the other: estimate, select (early stopping, tuning), score."""

    fit: Window
    select: Window
    score: Window

    @model_validator(mode="after")
    def _one_after_the_other(self) -> Split:
        for earlier, later in (("fit", "select"), ("select", "score")):
            a, b = getattr(self, earlier), getattr(self, later)
            if a.last is None:
                raise ValueError(f"{earlier} needs a last day: {later} comes after it")
            if a.last >= b.first:
                raise ValueError(f"{earlier} ends on {a.last}, {later} starts on {b.first}: windows must not overlap")
        return self


class SnapshotSource(Base):
    """A local folder with bars.parquet and vix.parquet; `tickers` are asked of yfinance by `bench data fetch`."""

    kind: Literal["snapshot"] = "snapshot"
    tickers: dict[str, str] = Field(default_factory=dict, description="symbol -> ticker, where they differ")
    vix_ticker: str = "^VIX"


class IndicesSource(Base):
    """The index bars inside the `arch` package."""

    kind: Literal["arch"]


class SimulatedSource(Base):
    """Bars of a stochastic-volatility model with known true variance, on a committed list of sessions."""

    kind: Literal["simulated"]
    seed: int = Field(ge=0, lt=2**32)
    sessions: Title


class Vix(Base):
    """From which day the dataset has the VIX, and whether entries may read it."""

    first: date = Field(alias="from")
    entries: bool = True


class Dataset(Base):
    """One `dataset.yaml`. A measure that is a column of the bars, `{column: rv5}`, has the name `column rv5`."""

    id: Name
    title: Title
    symbols: list[Symbol] = Field(min_length=1, max_length=5000)
    market: str | None = None
    measure: Measure
    source: Annotated[SnapshotSource | IndicesSource | SimulatedSource, Field(discriminator="kind")] = SnapshotSource()
    warmup_from: date
    vix: Vix | None = None
    volume: bool = True
    sessions_per_year: int = Field(default=252, ge=1, le=366)
    splits: dict[Name, Split] = Field(min_length=1)
    identity: dict[Name, str] = Field(default_factory=dict)
    folder: Path = Field(exclude=True)

    @field_validator("symbols")
    @classmethod
    def _sorted(cls, symbols: list[str]) -> list[str]:
        doubled = sorted({s for s in symbols if symbols.count(s) > 1})
        if doubled:
            raise ValueError(f"{', '.join(doubled)} listed twice")
        return sorted(symbols)

    @model_validator(mode="after")
    def _consistent(self) -> Dataset:
        if self.market is not None and self.market not in self.symbols:
            raise ValueError(f"market {self.market} is not among symbols{did_you_mean(self.market, self.symbols)}")
        for name, split in self.splits.items():
            if split.fit.first < (start := self.warmup_from):
                raise ValueError(f"splits.{name}.fit starts on {split.fit.first}, before warmup_from {start}")
        if self.measure_column and self.source.kind != "snapshot":
            raise ValueError(f"measure.column needs bars of a snapshot, not of the kind {self.source.kind}")
        for name in self.identity:
            if name not in self.splits:
                raise ValueError(f"identity.{name} is no split{did_you_mean(name, self.splits)}")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is the default and came later: digests of datasets that do not say it stay as they are."""
        values: dict[str, Any] = handler(self)
        if self.sessions_per_year == type(self).model_fields["sessions_per_year"].default:
            values.pop("sessions_per_year", None)
        return values

    @property
    def measure_column(self) -> str | None:
        """The column of the bars that is the measure; None where it is computed from the prices."""
        return column_of(self.measure)

    def split(self, name: str) -> Split:
        """The split of that name."""
        if name not in self.splits:
            raise BenchError(f"{self.id} has no split `{name}`{did_you_mean(name, self.splits)}")
        return self.splits[name]


class TaskSpec(Base):
    """A task of the registry; one with `derived_from` has its rows derived from that task's forecasts."""

    ahead: int = Field(ge=1, le=1000)
    behind: int = Field(default=0, ge=0, le=1000)
    derived_from: str | None = None


class Regimes(Base):
    """From which VIX close on a day, or a month's mean, counts as crisis."""

    vix_crisis: float = 20.0


SandboxUse = Literal["auto", "require", "off"]
"""Whether workers are shut in: where it works; or else nothing is run; or never."""


class Limits(Base):
    """Limits of one worker process, and whether it is shut in a sandbox."""

    sandbox: SandboxUse = "auto"
    environment_seconds: float = Field(default=600, gt=0)
    run_seconds: float = Field(default=21_600, gt=0)
    start_seconds: float = Field(default=120, gt=0)
    fit_seconds: float = Field(default=3600, gt=0)
    forecast_seconds: float = Field(default=60, gt=0)
    memory_mb: float = Field(default=4096, gt=0)
    processes: int = Field(default=64, ge=1)
    output_mb: float = Field(default=16, gt=0)

    @field_validator("sandbox", mode="before")
    @classmethod
    def _off_is_a_word(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads a bare `off` as false


class Settings(Base):
    """One `bench.yaml`."""

    protocol: Label
    dataset: Name
    split: Name = "official"
    headline: Name
    tasks: dict[Name, TaskSpec] = Field(min_length=1)
    regimes: Regimes = Regimes()
    references: list[Name] = Field(default_factory=list)
    baseline: Name
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        if self.headline not in self.tasks:
            raise ValueError(f"headline {self.headline} is no task{did_you_mean(self.headline, self.tasks)}")
        for name, spec in self.tasks.items():
            source = self.tasks.get(spec.derived_from) if spec.derived_from else None
            fits = source is not None and not source.behind and source.ahead == spec.ahead and spec.behind
            if spec.derived_from and not fits:
                raise ValueError(
                    f"tasks.{name}.derived_from must name a task with ahead {spec.ahead} and nothing behind, and have "
                    f"sessions behind itself, not {spec.derived_from}"
                )
        return self

    @cached_property
    def task_objects(self) -> dict[str, Task]:
        """The tasks by name."""
        return {name: Task(name, spec.ahead, spec.behind) for name, spec in self.tasks.items()}

    def task(self, name: str) -> Task:
        """The task of that name."""
        if name not in self.task_objects:
            raise BenchError(f"no task `{name}`{did_you_mean(name, self.task_objects)}")
        return self.task_objects[name]

    @property
    def path_tasks(self) -> dict[str, Task]:
        """The tasks that a daily path answers: those without known sessions."""
        return {name: task for name, task in self.task_objects.items() if not task.behind}

    @property
    def longest_path(self) -> Task:
        """The task that says how far a path goes."""
        return max(self.path_tasks.values(), key=lambda task: task.ahead)


class Registry:
    """Everything below one root folder: settings, datasets, entries, results."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = read_yaml(root / "bench.yaml", Settings)

    @classmethod
    def find(cls, start: Path | None = None) -> Registry:
        """The registry of the folder `start`; None: of the working directory or the nearest one above it."""
        here = (start or Path.cwd()).resolve()
        for folder in (here, *(here.parents if start is None else ())):
            if (folder / "bench.yaml").is_file():
                return cls(folder)
        above = " or above it" if start is None else ""
        raise BenchError(f"no bench.yaml in {here}{above}: run this inside a clone of volmark, or name one by --root")

    @property
    def results(self) -> Path:
        """Where committed results live."""
        return self.root / "results"

    def dataset_ids(self) -> list[str]:
        """Names of the dataset folders, sorted."""
        return sorted(path.parent.name for path in (self.root / "datasets").glob("*/dataset.yaml"))

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name."""
        path = self.root / "datasets" / name / "dataset.yaml"
        if not path.is_file():
            raise BenchError(f"no dataset `{name}`{did_you_mean(name, self.dataset_ids())}")
        return read_yaml(path, Dataset, id=name, folder=path.parent)

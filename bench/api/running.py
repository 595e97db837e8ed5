"""Runs and studies: what is missing is walked and stored, and boards are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, did_you_mean
from bench.registry.workspace import Workspace

if TYPE_CHECKING:
    from bench.registry.entries import Entry
    from bench.run.campaign import Campaign
    from bench.run.execute import Executor, Listener
    from bench.run.plan import Plan
    from bench.store import Scope, Trouble


def _processes(campaign: Campaign, jobs: int, listener: Listener) -> Executor:
    from bench.run.execute import Processes

    return Processes(campaign.panel, jobs, listener)


EXECUTORS: dict[str, Callable[[Campaign, int, Listener], Executor]] = {"processes": _processes}
"""By name, who walks: of a campaign, a number of jobs and a listener an `Executor` of `bench.run.execute` is made."""
Root = Path | str | None
Watch = Callable[[int], AbstractContextManager["Listener"]]


def no_watch(n_units: int) -> AbstractContextManager[Listener]:
    """Nobody watches."""
    from bench.run.execute import Listener

    return nullcontext(Listener())


@dataclass(frozen=True)
class RunReport:
    """What came of a run: the plan that it followed, the reason of each job that failed, and the boards written.

    `notes` are what a person should know besides. `board` is None where only studies were run.
    """

    plan: Plan
    failed: dict[str, str]
    scope: Scope
    board: Path | None = None
    studies: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def troubles(self) -> dict[str, Trouble]:
        """What is known of why each job failed, by its name in `failed`: where, warnings, the end of its output."""
        from bench.store import Trouble, read_run

        places = {str(unit.job): unit.serves[0][1].place for unit in self.plan.units}
        read = {name: (places[name], read_run(places[name])) for name in self.failed if name in places}
        return {name: Trouble.at(place, run) for name, (place, run) in read.items() if run is not None}

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs were run, results adopted, and results there already."""
        return {"run": len(self.plan.units), "adopted": len(self.plan.adopted), "were_done": len(self.plan.done)}

    def skipped(self) -> dict[str, str]:
        """Why results were skipped, by entry and task."""
        return {f"{place.entry} {place.task}": why for place, why in self.plan.skipped.items()}


def plan(
    entries: Iterable[str | Path] = (), *, dataset: str | None = None, split: str | None = None,
    tasks: Iterable[str] = (), results: Root = None, root: Root = None,
) -> Plan:  # fmt: skip
    """What a run would do, without doing it.

    >>> len(plan(["har"], dataset="indices").units)
    0
    """
    from bench.run.plan import plan as plan_of

    work = Workspace.at(root)
    chosen = work.select(entries, work.dataset(dataset).id)
    return plan_of(_campaign(work, dataset, split, work.results(results, chosen)), chosen, tasks)


def run(
    entries: Iterable[str | Path] = (), *, dataset: str | None = None, split: str | None = None,
    tasks: Iterable[str] = (), results: Root = None, executor: str = "processes", jobs: int | None = None,
    save_weights: bool = False, root: Root = None, watch: Watch = no_watch,
    say: Callable[[str], None] = lambda _: None,
) -> RunReport:  # fmt: skip
    """Runs what is missing of these entries (names, or folders of families; all where none is named), writes boards.

    Parameters
    ----------
    executor : str
        Who walks: a name of `EXECUTORS`.
    jobs : int or None
        Jobs side by side; None: as many as there are cores.
    watch, say : callable
        `watch` gives a listener for so many jobs; `say` is told what a person should know at once.

    Raises
    ------
    BenchError
        Where nothing can be run: unknown names, bars that are missing, unsound or not the board's. An entry that fails
        is a failed result, and the rest goes on.
    """
    work = Workspace.at(root)
    chosen = work.select(entries, work.dataset(dataset).id)
    for problem in (*work.catalogue.problems, *work.catalogue.notes):
        say(f"left out: {problem}")
    folder = work.results(results, chosen)
    campaign = _campaign(work, dataset, split, folder)
    weights = work.registry.root / "weights" if save_weights else None
    if results is None and folder != work.registry.results:
        _start_from(work.registry.results / campaign.scope.dataset.id, folder / campaign.scope.dataset.id, say)
    return _run(work, campaign, chosen, tasks, executor, jobs, weights, watch, say)


def run_study(
    name: str, *, dataset: str | None = None, results: Root = None, executor: str = "processes",
    jobs: int | None = None, plan_only: bool = False, root: Root = None, watch: Watch = no_watch,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[RunReport, Path | None]:  # fmt: skip
    """Runs what is missing of a study and writes its table, figures and page; returns the report and the page."""
    from bench.board import ensure_board
    from bench.board.studies import StudyResults, progress, write_study
    from bench.run.plan import Plan
    from bench.run.plan import plan as plan_of
    from bench.store import Scope

    work = Workspace.at(root)
    study = work.catalogue.study(name)
    chosen = dataset or study.spec.datasets[0]
    if chosen not in study.spec.datasets:
        raise BenchError(f"study {name} is not of `{chosen}`{did_you_mean(chosen, study.spec.datasets)}")
    folder = work.results(results)
    scope = Scope.of(work.registry, chosen, study.spec.split, folder, name)
    done, wanted = progress(study, scope)
    if done == wanted and not plan_only:  # bars are asked for only where something is to be run
        report = RunReport(Plan(), {}, scope)
    else:
        campaign = _campaign(work, chosen, study.spec.split, folder)
        variants = list(study.variants.values())
        if plan_only:
            return RunReport(plan_of(campaign, variants), {}, scope), None
        report = _run(work, campaign, variants, (), executor, jobs, None, watch, say)
    board, _ = ensure_board(scope)
    return report, write_study(StudyResults(study, scope, board))


def _run(
    work: Workspace, campaign: Campaign, chosen: Sequence[Entry], tasks: Iterable[str], executor: str,
    jobs: int | None, weights: Path | None, watch: Watch, say: Callable[[str], None],
) -> RunReport:  # fmt: skip
    from bench.files import locked
    from bench.run.bars import publish_measure, refuse_other_bars
    from bench.run.execute import execute
    from bench.run.plan import plan as plan_of
    from bench.run.sandbox import advice

    if executor not in EXECUTORS:
        raise BenchError(f"no executor `{executor}`{did_you_mean(executor, EXECUTORS)}")
    scope = campaign.scope
    with locked(scope.results, scope.dataset.id, lambda: say("waiting: another run holds these results")):
        refuse_other_bars(campaign)
        todo = plan_of(campaign, chosen, tasks)
        for problem in todo.damaged:
            say(f"damaged, is run again: {problem}")
        if todo.units and (lacking := advice(scope.settings.limits.sandbox)):
            say(lacking)
        publish_measure(campaign)
        with watch(len(todo.units)) as listener:
            walker = EXECUTORS[executor](campaign, jobs or work.cores, listener)
            failures = execute(campaign, todo, walker, listener, weights)
        return _with_boards(work, RunReport(todo, failures, scope), chosen)


def _with_boards(work: Workspace, report: RunReport, chosen: Sequence[Entry]) -> RunReport:
    """Writes the board, and those of the studies that were run, unless they are those of what is stored."""
    from bench.board import ensure_board
    from bench.board.gather import BESIDE

    scope, studies = report.scope, {}
    for study in sorted({entry.study for entry in chosen if entry.study}):
        if (of_study := replace(scope, study=study)).places():
            studies[study] = ensure_board(of_study)[1]
    if not scope.places():
        return replace(report, studies=studies)
    board, path = ensure_board(scope)
    for other, beside in BESIDE.items():  # a board that shows this split's places beside its own
        if beside == scope.split and replace(scope, split=other).places():
            ensure_board(replace(scope, split=other))
    known = {*work.catalogue.entries, *(entry.name for entry in chosen)}
    unknown = sorted({card.entry for card in board.cards} - known)
    gone = f"on the board but not under submissions/: {', '.join(unknown)} (remove their results if they are gone)"
    return replace(report, board=path, studies=studies, notes=[gone] if unknown else [])


def _campaign(work: Workspace, dataset: str | None, split: str | None, results: Path) -> Campaign:
    from bench.run.bars import open_campaign

    return open_campaign(work.registry, work.dataset(dataset).id, work.split(split), results)


def _start_from(committed: Path, folder: Path, say: Callable[[str], None]) -> None:
    """Let the scratch results of a dataset begin as a copy of the committed ones, so that a newcomer has company."""
    import shutil
    import tempfile

    if folder.exists() or not committed.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".copy-") as temporary:
        copy = shutil.copytree(committed, Path(temporary) / folder.name, ignore=shutil.ignore_patterns(".lock"))
        copy.rename(folder)
    say(f"{folder} starts as a copy of {committed}; remove it to start anew")

"""A check of the entries that a person named, on bars that everybody has: one report an entry, as each is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.audit.checks import check_on
from bench.audit.findings import Finding, Report
from bench.audit.panels import Ground, ground_of
from bench.audit.scores import Score, reference_scores
from bench.audit.words import METADATA, metadata
from bench.errors import BenchError
from bench.registry.entries import Entry
from bench.registry.workspace import Workspace, is_path
from bench.run.sandbox import level
from bench.run.stage import sweep_stages

DATASETS = ("indices", "simulated")
"""What an entry is checked on where nothing is named, as far as the registry has it: bars that everybody has."""
MARKS = {True: "✓", False: "✗", None: "-"}


@dataclass(frozen=True)
class Checked:
    """What was found of one entry: of its metadata, then on every dataset; prints a line for each finding.

    `grounds` say what was walked, by dataset; `isolation` is the level of the sandbox.
    """

    entry: str
    reports: list[Report]
    grounds: dict[str, Ground]
    isolation: str

    @property
    def passed(self) -> bool:
        """Whether no finding speaks against it."""
        return all(report.passed for report in self.reports)

    def __str__(self) -> str:
        lines = [self.entry]
        for report in self.reports:
            if report.dataset is not None:
                lines.append(f"  {self.grounds[report.dataset]}")
            if report.skipped:
                lines.append(f"    - not checked here: {report.skipped}")
            elif report.dataset is not None:
                lines.append(f"    isolation: {self.isolation}")
            for finding in report.findings:
                detail = f": {finding.detail}" if finding.detail else ""
                lines.append(f"    {MARKS[finding.passed]} {finding.check}{detail}")
            lines += [f"      {line}" for line in report.trouble.lines]
            for i, score in enumerate(report.scores):
                head = f"QLIKE of {score.task}"
                lines.append(
                    f"      {head if not i else ' ' * len(head)}  {score.against_measure:.4f} against the measure, "
                    f"{score.against_truth:.4f} against the true variance: {score.entry}"
                )
        return "\n".join(lines)

    __repr__ = __str__


def check_entries(
    work: Workspace, arguments: Iterable[str], datasets: Iterable[str] = (), *, jobs: int = 1, seconds: float = 120.0
) -> Iterator[Checked]:
    """Yields what is found of each entry that is named; families that cannot be read come last."""
    settings = work.registry.settings
    chosen, unreadable = _chosen(work, arguments)
    names = list(datasets) or [name for name in DATASETS if name in work.registry.dataset_ids()] or [settings.dataset]
    grounds = {name: ground_of(work.registry.dataset(name), settings) for name in names} if chosen else {}
    sweep_stages()
    isolation = level(settings.limits.sandbox) if chosen else ""
    others = dict.fromkeys([*settings.references[-1:], settings.baseline])
    references = [work.catalogue.entries[name] for name in others if name in work.catalogue.entries]

    @cache  # walked once for all entries
    def beside(dataset: str, task: str) -> list[Score]:
        return reference_scores(references, grounds[dataset], settings, settings.task(task))

    for entry in chosen:
        found = [check_on(entry, ground, settings, jobs=jobs, seconds=seconds) for ground in grounds.values()]
        if all(report.skipped for report in found):
            raise BenchError(f"{entry.name} cannot run on {', '.join(names)}: {found[0].skipped}; name a --dataset")
        for report, name in zip(found, grounds, strict=True):
            if report.scores:
                report.scores += [score for score in beside(name, report.scores[0].task) if score.entry != entry.name]
        yield Checked(entry.name, [metadata(entry), *found], grounds, isolation)
    for report in unreadable:
        yield Checked(report.entry, [report], {}, isolation)


def _chosen(work: Workspace, arguments: Iterable[str]) -> tuple[list[Entry], list[Report]]:
    """The entries that were named; the name of a family's folder means all its rows. And families that are no good."""
    chosen: dict[str, Entry] = {}
    unreadable = []
    for argument in arguments:
        folder = work.submissions / argument
        named = str(folder) if argument not in work.catalogue.entries and folder.is_dir() else argument
        try:
            chosen |= {entry.name: entry for entry in work.select([named])}
        except BenchError as error:
            if not is_path(named) or not (Path(named) / "submission.yaml").is_file():
                raise
            findings = [Finding(METADATA, False, line) for line in str(error).splitlines()]
            unreadable.append(Report(argument, None, findings))
    return list(chosen.values()), unreadable

"""`bench new` and `bench check`: begin an entry, and prove that it keeps to the rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import CORES, JobsOption, JsonOption, Workspace, examples, is_path, say, show, show_json
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.audit.checks import Report, Score
    from bench.audit.panels import Ground
    from bench.registry.entries import Entry

DATASETS = ("indices", "simulated")
"""What an entry is checked on where nothing is named, as far as the registry has it: bars that everybody has."""
MARKS = {True: "✓", False: "✗", None: "-"}


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    begin = "bench new my-model", "bench new my-net --kind torch", "bench new my-model --into ../mine"
    app.command("new", epilog=examples(*begin))(new)
    prove = "bench check my-model", "bench check submissions/har --dataset indices", "bench check har --json"
    app.command("check", epilog=examples(*prove))(check)


def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the entry: a-z, 0-9, '.', '_', '-'.")],
    kind: Annotated[str, typer.Option("--kind", help="per-symbol, pooled or torch.")] = "per-symbol",
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder of the entry's folder; default: submissions/.")
    ] = None,
    author: Annotated[str | None, typer.Option("--author", help="Who made it; default: as git knows you.")] = None,
) -> None:
    """Write the folder of a new entry: a model that works, its metadata explained, a test."""
    from bench.registry.scaffold import scaffold

    work: Workspace = context.obj
    if name in work.catalogue.entries:
        raise BenchError(f"the name `{name}` is taken by {work.catalogue.entries[name].folder}: choose another one")
    folder = (into or work.submissions) / name
    for path in scaffold(name, kind, folder, author):
        show(str(path))
    shown = name if into is None else str(folder)
    say(f"next: change {folder}/model.py, then `bench check {shown}` and `bench run {shown} --dataset indices`")


def check(
    context: typer.Context,
    entries: Annotated[list[str], typer.Argument(help="Entries, or folders of families.")],
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", "-d", help="Dataset; may be repeated; default: indices and simulated."),
    ] = None,
    jobs: JobsOption = CORES,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds for an entry on one dataset.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Check that entries are well-formed and deterministic, see no future, and stay in their place.

    The last 760 sessions of the `development` split and at most 6 symbols are walked, several times.
    """
    from bench.audit.checks import check_on, metadata
    from bench.audit.panels import ground_of
    from bench.run.sandbox import level
    from bench.run.stage import sweep_stages

    work: Workspace = context.obj
    settings = work.registry.settings
    chosen, unreadable = _chosen(work, entries)
    reports = list(unreadable)
    names = dataset or [name for name in DATASETS if name in work.registry.dataset_ids()] or [settings.dataset]
    grounds = [ground_of(work.registry.dataset(name), settings) for name in names] if chosen else []
    sweep_stages()
    isolation = level(settings.limits.sandbox) if chosen else ""
    beside: dict[tuple[str, str], list[Score]] = {}
    for entry in chosen:
        audited = [check_on(entry, ground, settings, jobs=jobs, seconds=timeout) for ground in grounds]
        found = [metadata(entry), *audited]
        if all(report.skipped for report in found[1:]):
            raise BenchError(f"{entry.name} cannot run on {', '.join(names)}: {found[1].skipped}; name a --dataset")
        for report, ground in zip(found[1:], grounds, strict=True):
            report.scores += _beside(work, report, ground, beside)
        if not as_json:
            show(_text(entry.name, found, grounds, isolation))
        reports += found
    if as_json:
        show_json([{**asdict(report), "isolation": isolation, "passed": report.passed} for report in reports])
    failed = sorted({report.entry for report in reports if not report.passed})
    for report in unreadable if not as_json else []:
        show(_text(report.entry, [report], [], isolation))
    if failed:
        say(f"not passed: {', '.join(failed)}")
        raise typer.Exit(1)
    say(f"passed: {', '.join(entry.name for entry in chosen)}")


def _chosen(work: Workspace, arguments: list[str]) -> tuple[list[Entry], list[Report]]:
    """The entries that were named; the name of a family's folder means all its rows. And families that are no good."""
    from bench.audit.checks import METADATA, Finding, Report

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


def _beside(work: Workspace, report: Report, ground: Ground, known: dict[tuple[str, str], list[Score]]) -> list[Score]:
    """What a reference and the baseline score on the same days, walked once for all entries."""
    from bench.audit.checks import reference_scores

    if not report.scores:
        return []
    settings, task = work.registry.settings, report.scores[0].task
    if (ground.dataset.id, task) not in known:
        names = dict.fromkeys([*settings.references[-1:], settings.baseline])
        rows = [work.catalogue.entries[name] for name in names if name in work.catalogue.entries]
        known[ground.dataset.id, task] = reference_scores(rows, ground, settings, settings.task(task))
    return [score for score in known[ground.dataset.id, task] if score.entry != report.entry]


def _text(name: str, reports: list[Report], grounds: list[Ground], isolation: str) -> str:
    """What was found of one entry, a line each; `isolation` is the level of the sandbox."""
    where = {ground.dataset.id: str(ground) for ground in grounds}
    lines = [name]
    for report in reports:
        if report.dataset is not None:
            lines.append(f"  {where[report.dataset]}")
        if report.skipped:
            lines.append(f"    - not checked here: {report.skipped}")
        elif report.dataset is not None:
            lines.append(f"    isolation: {isolation}")
        for finding in report.findings:
            detail = f": {finding.detail}" if finding.detail else ""
            lines.append(f"    {MARKS[finding.passed]} {finding.check}{detail}")
        for i, score in enumerate(report.scores):
            head = f"QLIKE of {score.task}" if not i else " " * len(f"QLIKE of {score.task}")
            lines.append(
                f"      {head}  {score.against_measure:.4f} against the measure, {score.against_truth:.4f} against the "
                f"true variance: {score.entry}"
            )
    return "\n".join(lines)

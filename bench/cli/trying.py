"""`bench new`, `bench try`, `bench check`: begin an entry, see what it does, and prove that it keeps to the rules."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bench import api
from bench.cli.common import CORES, Context, DatasetOption, JobsOption, JsonOption, examples, say, show, show_json

app = typer.Typer(rich_markup_mode=None)


@app.command(
    epilog=examples("bench new my-model", "bench new my-net --kind torch", "bench new my-model --into ../mine")
)
def new(
    context: Context,
    name: Annotated[str, typer.Argument(help="Name of the entry: a-z, 0-9, '.', '_', '-'.")],
    kind: Annotated[str, typer.Option("--kind", help="per-symbol, pooled or torch.")] = "per-symbol",
    into: Annotated[
        Path | None, typer.Option("--into", help="Folder of the entry's folder; default: submissions/.")
    ] = None,
    author: Annotated[str | None, typer.Option("--author", help="Who made it; default: as git knows you.")] = None,
) -> None:
    """Write the folder of a new entry. A model that works, its metadata explained, a test."""
    written = api.new(name, kind=kind, into=into, author=author, root=context.obj.root)
    for path in written:
        show(str(path))
    shown = name if into is None else str(written[0].parent)
    say(f"next: change {written[0]}, then `bench try {shown} --dataset indices`, `bench check {shown}` and "
        f"`bench run {shown} --dataset indices`")  # fmt: skip


@app.command(epilog=examples("bench init my-benchmark", "cd my-benchmark && bench run --dataset indices"))
def init(folder: Annotated[Path, typer.Argument(help="Folder, new or without a registry.")]) -> None:
    """Write a folder to work in. Registry, datasets and classical entries, for those without a clone."""
    for path in api.init(folder):
        show(str(path))
    say(f"next: `cd {folder}`, then `bench run --dataset indices`")


@app.command(
    "try", epilog=examples("bench try har --dataset indices", "bench try ./my-model --dataset indices --last 20")
)
def try_(
    context: Context,
    entry: Annotated[str, typer.Argument(help="Name of an entry, or its folder.")],
    dataset: DatasetOption = None,
    split: Annotated[str, typer.Option("--split", "-s", help="Split.")] = "development",
    last: Annotated[int, typer.Option("--last", min=1, help="Sessions forecast, the last of the split.")] = 250,
    task: Annotated[str | None, typer.Option("--task", "-t", help="Task; default: the headline.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the run.")] = 0,
) -> None:
    """Run an entry in this process. Prints and breakpoints work; nothing is isolated or stored."""
    trial = api.try_entry(
        entry, dataset=dataset, split=split, last=last, task=task, seed=seed, root=context.obj.root,
        say=lambda warning: say(f"NOTE: {warning}"),
    )  # fmt: skip
    show(str(trial))


@app.command(
    epilog=examples("bench check my-model", "bench check submissions/har --dataset indices", "bench check har --json")
)
def check(
    context: Context,
    entries: Annotated[list[str], typer.Argument(help="Entries, or folders of families.")],
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", "-d", help="Dataset; may be repeated; default: indices and simulated."),
    ] = None,
    jobs: JobsOption = CORES,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds for an entry on one dataset.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Check that entries keep to the rules.

    Well-formed, deterministic, blind to the future, in their place. The last 760
    sessions of the `development` split and at most 6 symbols are walked, several times.
    """
    found = []
    for checked in api.check(entries, datasets=dataset or (), jobs=jobs, seconds=timeout, root=context.obj.root):
        found.append(checked)
        if not as_json:
            show(str(checked))
    if as_json:
        show_json(
            [
                {**asdict(report), "isolation": checked.isolation, "passed": report.passed}
                for checked in found for report in checked.reports
            ]
        )  # fmt: skip
    failed = sorted({checked.entry for checked in found if not checked.passed})
    if failed:
        say(f"not passed: {', '.join(failed)}")
        raise typer.Exit(1)
    say(f"passed: {', '.join(checked.entry for checked in found)}")

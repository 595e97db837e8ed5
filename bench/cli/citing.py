"""`bench cite` and `bench freeze`: how to cite the benchmark and its entries, and what is cited."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli.common import DatasetOption, JsonOption, examples, say, show, show_json, waiting
from bench.errors import BenchError, did_you_mean
from bench.registry.workspace import Workspace

app = typer.Typer(rich_markup_mode=None)


@app.command(epilog=examples("bench cite", "bench cite log-har --edition 2026.1", "bench cite har --format apa"))
def cite(
    context: typer.Context,
    entry: Annotated[str | None, typer.Argument(help="Entry; default: the benchmark.", show_default=False)] = None,
    style: Annotated[str, typer.Option("--format", "-f", help="bibtex, apa or plain.")] = "bibtex",
    edition: Annotated[
        str | None, typer.Option("--edition", "-e", help="Frozen edition; default: the latest.", show_default=False)
    ] = None,
    dataset: DatasetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cite the benchmark at a frozen edition; an entry with its authors, its score there and its own reference."""
    from dataclasses import asdict

    from bench.publish.citation import FORMATS, render
    from bench.publish.cited import cite as citation_of

    work: Workspace = context.obj
    chosen = next((name for name in FORMATS if name == style), None)
    if chosen is None:
        raise BenchError(f"no format `{style}`{did_you_mean(style, FORMATS)}")
    found = citation_of(work.registry, work.catalogue, entry, edition=edition, dataset=dataset)
    for note in found.notes:
        say(note)
    if as_json:
        references = [asdict(each) for each in found.references]
        show_json({"edition": found.release.edition, "references": references, "bibtex": found.bibtex})
        return
    show(render(found.references, chosen))
    if found.bibtex and chosen == "bibtex":
        show(f"\n{found.bibtex}")
    elif found.bibtex:
        say(f"{entry} has a reference of its own, in BibTeX: `bench cite {entry}`")


@app.command(epilog=examples("bench freeze 2026.1", "bench verify editions/2026.1"))
def freeze(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the edition: YEAR.NUMBER.")],
) -> None:
    """Freeze boards, digests and citation as an edition that never changes; refused where anything is not sound."""
    from bench.publish.freezing import freeze as freeze_edition

    work: Workspace = context.obj
    folder = freeze_edition(work.registry, name, waiting)
    show(str(folder))
    say(f"commit all that is new in editions/; `bench verify editions/{name}` derives it again")

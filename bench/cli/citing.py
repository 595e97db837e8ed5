"""`bench cite` and `bench freeze`: how to cite the benchmark and its entries, and what is cited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.common import DatasetOption, JsonOption, Workspace, examples, say, show, show_json
from bench.errors import BenchError, did_you_mean

if TYPE_CHECKING:
    from bench.publish.citation import CitedEntry, Release, Standing
    from bench.publish.editions import Edition


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(
        "cite", epilog=examples("bench cite", "bench cite log-har --edition 2026.1", "bench cite har --format apa")
    )(cite)
    app.command("freeze", epilog=examples("bench freeze 2026.1", "bench verify editions/2026.1"))(freeze)


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

    from bench.publish.citation import FORMATS, cite_benchmark, cite_entry, own_bibtex, render

    work: Workspace = context.obj
    chosen = next((name for name in FORMATS if name == style), None)
    if chosen is None:
        raise BenchError(f"no format `{style}`{did_you_mean(style, FORMATS)}")
    frozen = _edition(work, edition, entry)
    release = _release(work, frozen)
    references, own = [cite_benchmark(release)], None
    if entry is not None:
        cited = _cited(work, frozen, entry)
        references.insert(0, cite_entry(release, entry, cited, _standing(work, frozen, entry, dataset)))
        own = own_bibtex(entry, cited)
    if as_json:
        show_json({"edition": release.edition, "references": [asdict(each) for each in references], "bibtex": own})
        return
    show(render(references, chosen))
    if own and chosen == "bibtex":
        show(f"\n{own}")
    elif own:
        say(f"{entry} has a reference of its own, in BibTeX: `bench cite {entry}`")


def _edition(work: Workspace, name: str | None, entry: str | None) -> Edition | None:
    """The named edition or the latest one; None, and a message, where there is none, or the entry is newer."""
    from bench.publish.editions import editions, open_edition

    root = work.registry.root
    known = editions(root)
    if name is None and not known:
        say("no edition is frozen yet: numbers may change")
        return None
    found = open_edition(root, name or known[-1])
    if name is None and entry is not None and entry not in found.entries and entry in work.catalogue.entries:
        say(f"{entry} is not in edition {known[-1]}: cited as it stands now, its numbers may change")
        return None
    return found


def _release(work: Workspace, frozen: Edition | None) -> Release:
    from bench.publish.citation import Release, read_metadata

    if frozen is not None:
        return frozen.release
    metadata = read_metadata(work.registry.root)
    return Release(metadata, metadata.version, work.registry.settings.protocol)


def _cited(work: Workspace, frozen: Edition | None, entry: str) -> CitedEntry:
    from bench.publish.citation import CitedEntry

    if frozen is None:
        return CitedEntry.of(work.catalogue.select([entry])[0])
    if entry not in frozen.entries:
        raise BenchError(f"no entry `{entry}` in edition {frozen.facts.edition}{did_you_mean(entry, frozen.entries)}")
    return frozen.entries[entry]


def _standing(work: Workspace, frozen: Edition | None, entry: str, dataset: str | None) -> Standing | None:
    """The entry's score on the named dataset, else on the registry's or the first one that has one of it."""
    from bench.publish.citation import read_standing

    folder = work.registry.results if frozen is None else frozen.folder
    known = work.registry.dataset_ids() if frozen is None else sorted(frozen.facts.datasets)
    if dataset is not None and dataset not in known:
        raise BenchError(f"no dataset `{dataset}`{did_you_mean(dataset, known)}")
    default = work.registry.settings.dataset
    for name in [dataset] if dataset else sorted(known, key=lambda name: (name != default, name)):
        found = read_standing(folder / name / "leaderboard.json", entry)
        if found is not None:
            return found
    where = f"edition {frozen.facts.edition}" if frozen else "the results"
    if dataset:
        raise BenchError(f"no score of {entry} on {dataset} in {where}")
    say(f"no score of {entry} in {where}")
    return None


def freeze(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the edition: YEAR.NUMBER.")],
) -> None:
    """Freeze boards, digests and citation as an edition that never changes; refused where anything is not sound."""
    from bench.publish.freezing import freeze as freeze_edition

    work: Workspace = context.obj
    folder = freeze_edition(work.registry, name, lambda: say("waiting: a run holds these results"))
    show(str(folder))
    say(f"commit it together with the results; `bench verify editions/{name}` derives it again")

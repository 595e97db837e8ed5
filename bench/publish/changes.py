"""The guards of a change: what was published in a base commit is still there, and is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from bench import store
from bench.errors import StorageError
from bench.publish import ledger
from bench.publish.editions import FOLDER, SHARED
from bench.publish.tree import Fault, Tree
from bench.registry.reading import read_keys
from bench.stats.regimes import UNKNOWN
from bench.store import DONE, Run
from bench.store.realized import Array, Realized, changed_values, read_realized, same_sessions

RECORDS = ("run.json", "realized.parquet", store.REPRODUCED, ledger.NAME)
"""The files below results/ that a base is compared by."""


BOARD_FILES = ("leaderboard.json", "LEADERBOARD.md", "leaderboard.csv")
"""The files of a board, besides its figures."""


def is_figure(path: Path) -> bool:
    """Whether a path below the root is that of a board's figure."""
    return path.parts[0] == "results" and path.parent.name == "figures" and path.suffix == ".svg"


def is_compared(path: str) -> bool:
    """Whether a file of the base, by its path below the root, is one that a change is compared by."""
    parts = Path(path).parts
    if parts[0] == "results":
        return parts[-1] in (*RECORDS, *BOARD_FILES) or is_figure(Path(path))
    return path == "bench.yaml" or parts[0] == FOLDER or (parts[0] == "datasets" and parts[-1] == "dataset.yaml")


def kept(tree: Tree, base: Path) -> Iterator[Fault]:
    """No result of the base is gone without a withdrawal, none is another one without a new version."""
    added = _added_events(tree.results, base / "results")
    withdrawn = {event.key for event in added if event.event == ledger.WITHDRAWN}
    for key, old in sorted(ledger.finished(base / "results").items(), key=str):
        run, file = tree.records.get(key), key.place(tree.results).folder / "run.json"
        if (run is None or run.state != DONE) and key not in withdrawn:
            before = f"was done in the base (version {old.version}, identity {old.identity[:12]})"
            now = "nothing is here" if run is None else f"its state is {run.state}"
            yield file, f"{key} {before}, {now}, and the ledger does not say that it was withdrawn"
        if run is None or (run.version, run.protocol) != (old.version, old.protocol):
            continue
        again = f"both as version {run.version}: raise `version` of {key.entry} in submission.yaml and run it again"
        for name, was, now in _unlike(old, run):
            yield file, f"{name} {str(now)[:12]}, in the base {str(was)[:12]}, {again}"


def _unlike(old: Run, run: Run) -> list[tuple[str, Any, Any]]:
    """What one version of a result must not have in two ways; its description and what was measured may differ."""
    values = [(name, getattr(old, name), getattr(run, name)) for name in ("identity", "digest")]
    if (run.state, run.identity, run.digest) == (DONE, old.identity, old.digest):
        seeds = sorted({*old.seed_digests, *run.seed_digests})
        values.append(("runs", old.runs, min(old.runs, run.runs)))  # more of them are no fault
        values += [(f"digest of seed {seed}", old.seed_digests.get(seed), run.seed_digests.get(seed)) for seed in seeds]
        names = sorted({*old.about, *run.about} - {"description"})
        values += [(name, old.about.get(name), run.about.get(name)) for name in names]
    return [(name, was, now) for name, was, now in values if was != now]


def _added_events(results: Path, base: Path) -> list[ledger.Event]:
    """The lines that the ledger has beyond the base's; none where one of the two cannot be read (told elsewhere)."""
    try:
        return ledger.read_events(results)[len(ledger.read_events(base)) :]
    except StorageError:
        return []


def appended(tree: Tree, base: Path) -> Iterator[Fault]:
    """The ledger begins with the base's lines."""
    here = tree.results / ledger.NAME
    old, new = (
        path.read_bytes().splitlines() if path.is_file() else [] for path in (base / "results" / ledger.NAME, here)
    )
    for number, (line, now) in enumerate(zip_longest(old, new[: len(old)]), start=1):
        if now != line:
            said = "is gone" if now is None else f"is {now.decode(errors='replace')}"
            before = line.decode(errors="replace")
            yield Path(f"{here}:{number}"), f"{said}, in the base {before}: lines are only ever added"
            return


def published(tree: Tree, base: Path) -> Iterator[Fault]:
    """The daily measure of published days stays what it is."""
    for path in sorted((base / "results").glob("*/realized.parquet")):
        dataset = path.parent.name
        file = tree.results / dataset / "realized.parquet"
        try:
            old, new = read_realized(base / "results", dataset), read_realized(tree.results, dataset)
        except StorageError as error:
            yield file, str(error)
            continue
        if len(new.dates) < len(old.dates):
            yield file, f"{len(new.dates)} sessions, in the base {len(old.dates)}"
        if not same_sessions(old, new):
            yield file, "has other symbols or sessions than the base"
            continue
        for what in _changed(new, old.measure_var, new.measure_var):
            yield file, f"{what}: a published day does not change"
        if old.true_var is not None and new.true_var is None:
            yield file, "has no true_var, the base has"
        elif old.true_var is not None and new.true_var is not None:
            for what in _changed(new, old.true_var, new.true_var):
                yield file, f"true_var of {what}"
        if old.vix_crisis == new.vix_crisis:
            yield from _labels(file, old, new)
        elif _same_protocol(tree, base):
            other = f"vix_crisis {new.vix_crisis:g}, in the base {old.vix_crisis:g}"
            yield file, f"{other}: other regimes need a new protocol in bench.yaml"


def _changed(realized: Realized, old: Array, new: Array) -> Iterator[str]:
    """The first value of a published day that is another one, with both, and how many are."""
    changed = changed_values(old, new)
    if len(changed):
        i, j = changed[0]
        yield (
            f"{realized.symbols[j]} on {realized.dates[i]} is {new[i, j]:.10g}, in the base {old[i, j]:.10g} "
            f"({len(changed)} values differ)"
        )


def _labels(file: Path, old: Realized, new: Realized) -> Iterator[Fault]:
    """Published sessions whose regime is another one; `unknown` may become known when its month is over."""
    n = min(len(old.dates), len(new.dates))
    for name in ("regime_month", "regime_origin"):
        before, after = getattr(old, name)[:n], getattr(new, name)[:n]
        changed = np.flatnonzero((before != after) & (before != UNKNOWN))
        if len(changed):
            i = changed[0]
            yield file, f"{name} of {old.dates[i]} is {after[i]}, in the base {before[i]}"


def pinned(tree: Tree, base: Path) -> Iterator[Fault]:
    """Pinned identities of bars change only with the protocol."""
    if not _same_protocol(tree, base):
        return
    for path in sorted((base / "datasets").glob("*/dataset.yaml")):
        here = tree.registry.root / path.relative_to(base)
        now = _plain(here).get("identity") or {}
        for split, value in (_plain(path).get("identity") or {}).items():
            if now.get(split) != value:
                other = f"identity of {split} {str(now.get(split))[:12]}, in the base {str(value)[:12]}"
                yield here, f"{other}: other bars need a new protocol in bench.yaml"


def _same_protocol(tree: Tree, base: Path) -> bool:
    before, now = (_plain(root / "bench.yaml").get("protocol") for root in (base, tree.registry.root))
    return bool(before == now)


def _plain(path: Path) -> dict[str, Any]:
    """The keys of a YAML file as they stand, whatever version of ours wrote them; none where it is not there."""
    return read_keys(path) if path.is_file() else {}


def frozen(tree: Tree, base: Path) -> Iterator[Fault]:
    """Editions of the base, and what they rest on, are what they were, byte for byte: no file is changed or gone.

    None is new, but among the forecasts and measures that editions share.
    """
    for folder in sorted(path for path in (base / FOLDER).glob("*") if path.is_dir()):
        here = tree.registry.root / FOLDER / folder.name
        before, now = _contents(folder), _contents(here)
        for inside in sorted({*before, *now}):
            if here.is_symlink():
                said = "lies behind a link"
            elif inside not in now:
                said = "is gone, an edition of the base has it"
            elif inside not in before and folder.name not in SHARED:
                said = "is new in an edition of the base"
            elif inside in before and now[inside] != before[inside]:
                said = "was changed, it is in an edition of the base"
            else:
                continue
            yield here / inside, f"{said}: an edition never changes"


def _contents(folder: Path) -> dict[Path, bytes | None]:
    """The bytes of every file below a folder, by its path there; None for a link."""
    return {
        path.relative_to(folder): None if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }


def to_vouch_for(tree: Tree, base: Path) -> Iterator[Fault]:
    """Records of reproductions that the base has not: nothing in a file proves that somebody ran the entry again."""
    for place in tree.stored:
        path = place.folder / store.REPRODUCED
        before = base / "results" / path.relative_to(tree.results)
        if path.is_file() and not (before.is_file() and before.read_bytes() == path.read_bytes()):
            which = "another one" if before.is_file() else "new"
            yield path, f"is {which}: whoever merges it vouches that {place.entry} was run again"


COMPARISONS: dict[str, Callable[[Tree, Path], Iterator[Fault]]] = {
    each.__name__: each for each in (kept, appended, published, pinned, frozen)
}

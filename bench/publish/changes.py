"""The guards of a change: what was published in a base commit is still there, and is what it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bench import store
from bench.errors import StorageError
from bench.publish import ledger
from bench.publish.editions import FOLDER
from bench.publish.tree import Failure, Tree
from bench.stats.regimes import UNKNOWN
from bench.store import DONE, Run
from bench.store.realized import Realized, changed_days, changed_values, read_realized, same_sessions

RECORDS = ("run.json", "realized.parquet", store.REPRODUCED, ledger.NAME)
"""The files below results/ that a base is compared by."""


def is_compared(path: str) -> bool:
    """Whether a file of the base, by its path below the root, is one that a change is compared by."""
    parts = Path(path).parts
    if parts[0] == "results":
        return parts[-1] in RECORDS
    return path == "bench.yaml" or parts[0] == FOLDER or (parts[0] == "datasets" and parts[-1] == "dataset.yaml")


def kept(tree: Tree, base: Path) -> Iterator[Failure]:
    """No result of the base is gone without a withdrawal, none is another one without a new version."""
    added = _added_events(tree.registry.results, base / "results")
    withdrawn = {event.key for event in added if event.event == ledger.WITHDRAWN}
    for key, old in ledger.finished(base / "results").items():
        place = key.place(tree.registry.results)
        run = store.read_run(place)
        file = tree.record(place)
        if (run is None or run.state != DONE) and key not in withdrawn:
            now = "nothing is here" if run is None else f"its state is {run.state}"
            yield Failure(
                "kept", file,
                f"{key} was done in the base (version {old.version}, identity {old.identity[:12]}), {now}, and the "
                "ledger does not say that it was withdrawn",
            )  # fmt: skip
        if run is None or _version(run) != _version(old):
            continue
        for name, before, after in _unlike(old, run):
            yield Failure(
                "kept", file,
                f"{name} {str(after)[:12]}, in the base {str(before)[:12]}, both as version {run.version}: raise "
                f"`version` of {key.entry} in submission.yaml and run it again",
            )  # fmt: skip


def _unlike(old: Run, run: Run) -> Iterator[tuple[str, Any, Any]]:
    """What one version of a result must not have in two ways; its description and what was measured may differ."""
    for name in ("identity", "digest"):
        if getattr(old, name) != getattr(run, name):
            yield name, getattr(old, name), getattr(run, name)
    if (run.state, run.identity, run.digest) != (DONE, old.identity, old.digest):
        return
    if run.runs < old.runs:
        yield "runs", old.runs, run.runs
    for seed in sorted({*old.seed_digests, *run.seed_digests}):
        if old.seed_digests.get(seed) != run.seed_digests.get(seed):
            yield f"digest of seed {seed}", old.seed_digests.get(seed), run.seed_digests.get(seed)
    for name in sorted({*old.about, *run.about} - {"description"}):
        if old.about.get(name) != run.about.get(name):
            yield name, old.about.get(name), run.about.get(name)


def _version(run: Run) -> tuple[str, Any]:
    """What a result must differ in from the one it replaces: the row's version, or the protocol of all."""
    return run.version, run.identity_of.get("protocol")


def _added_events(results: Path, base: Path) -> list[ledger.Event]:
    """The lines that the ledger has beyond the base's; none where one of the two cannot be read (told elsewhere)."""
    try:
        return ledger.read_events(results)[len(ledger.read_events(base)) :]
    except StorageError:
        return []


def appended(tree: Tree, base: Path) -> Iterator[Failure]:
    """The ledger begins with the base's lines."""
    old, new = (
        path.read_bytes().splitlines() if path.is_file() else []
        for path in (base / "results" / ledger.NAME, tree.registry.results / ledger.NAME)
    )
    for number, line in enumerate(old, start=1):
        here = new[number - 1] if number <= len(new) else None
        if here != line:
            said = "is gone" if here is None else f"is {here.decode(errors='replace')}"
            yield Failure(
                "appended", f"{tree.shown(tree.registry.results / ledger.NAME)}:{number}",
                f"{said}, in the base {line.decode(errors='replace')}: lines are only ever added",
            )  # fmt: skip
            return


def published(tree: Tree, base: Path) -> Iterator[Failure]:
    """The daily measure of published days stays what it is."""
    results = tree.registry.results
    for path in sorted((base / "results").glob("*/realized.parquet")):
        dataset = path.parent.name
        file = tree.shown(results / dataset / "realized.parquet")
        try:
            old, new = read_realized(base / "results", dataset), read_realized(results, dataset)
        except StorageError as error:
            yield Failure("published", file, str(error))
            continue
        if len(new.dates) < len(old.dates):
            yield Failure("published", file, f"{len(new.dates)} sessions, in the base {len(old.dates)}")
        if not same_sessions(old, new):
            yield Failure("published", file, "has other symbols or sessions than the base")
            continue
        changed = changed_days(old, new)
        if len(changed):
            i, j = changed[0]
            yield Failure(
                "published", file,
                f"{new.symbols[j]} on {new.dates[i]} is {new.measure_var[i, j]:.10g}, in the base "
                f"{old.measure_var[i, j]:.10g} ({len(changed)} values differ): a published day does not change",
            )  # fmt: skip
        yield from _truth(file, old, new)
        if old.vix_crisis == new.vix_crisis:
            yield from _labels(file, old, new)
        elif _same_protocol(tree, base):
            yield Failure(
                "published", file,
                f"vix_crisis {new.vix_crisis:g}, in the base {old.vix_crisis:g}: other regimes need a new protocol in "
                "bench.yaml",
            )  # fmt: skip


def _truth(file: str, old: Realized, new: Realized) -> Iterator[Failure]:
    """Published true variances, of simulated bars, that are others or gone."""
    if old.true_var is None:
        return
    if new.true_var is None:
        yield Failure("published", file, "has no true_var, the base has")
        return
    changed = changed_values(old.true_var, new.true_var)
    if len(changed):
        i, j = changed[0]
        yield Failure(
            "published", file,
            f"true_var of {new.symbols[j]} on {new.dates[i]} is {new.true_var[i, j]:.10g}, in the base "
            f"{old.true_var[i, j]:.10g} ({len(changed)} values differ)",
        )  # fmt: skip


def _labels(file: str, old: Realized, new: Realized) -> Iterator[Failure]:
    """Published sessions whose regime is another one; `unknown` may become known when its month is over."""
    n = min(len(old.dates), len(new.dates))
    for name in ("regime_month", "regime_origin"):
        before, after = getattr(old, name)[:n], getattr(new, name)[:n]
        changed = np.flatnonzero((before != after) & (before != UNKNOWN))
        if len(changed):
            i = changed[0]
            yield Failure("published", file, f"{name} of {old.dates[i]} is {after[i]}, in the base {before[i]}")


def pinned(tree: Tree, base: Path) -> Iterator[Failure]:
    """Pinned identities of bars change only with the protocol."""
    if not _same_protocol(tree, base):
        return
    for path in sorted((base / "datasets").glob("*/dataset.yaml")):
        inside = path.relative_to(base)
        here = tree.registry.root / inside
        now = _plain(here).get("identity") or {}
        for split, value in (_plain(path).get("identity") or {}).items():
            if now.get(split) != value:
                yield Failure(
                    "pinned", str(inside),
                    f"identity of {split} {str(now.get(split))[:12]}, in the base {str(value)[:12]}: other bars need "
                    "a new protocol in bench.yaml",
                )  # fmt: skip


def _same_protocol(tree: Tree, base: Path) -> bool:
    before, now = (_plain(root / "bench.yaml").get("protocol") for root in (base, tree.registry.root))
    return bool(before == now)


def _plain(path: Path) -> dict[str, Any]:
    """The keys of a YAML file as they stand, whatever version of ours wrote them; none where it is not there."""
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def frozen(tree: Tree, base: Path) -> Iterator[Failure]:
    """Editions of the base are what they were, byte for byte: no file is changed, gone or new."""
    for folder in sorted(path for path in (base / FOLDER).glob("*") if path.is_dir()):
        here = tree.registry.root / FOLDER / folder.name
        before, now = (
            {path.relative_to(top): path for path in top.rglob("*") if path.is_file() or path.is_symlink()}
            for top in (folder, here)
        )
        for inside in sorted({*before, *now}):
            said = None
            if inside not in now:
                said = "is gone, an edition of the base has it"
            elif inside not in before:
                said = "is new in an edition of the base"
            elif now[inside].is_symlink() or now[inside].read_bytes() != before[inside].read_bytes():
                said = "was changed, it is in an edition of the base"
            if said:
                yield Failure("frozen", tree.shown(here / inside), f"{said}: an edition never changes")


def to_vouch_for(tree: Tree, base: Path) -> Iterator[Failure]:
    """Records of reproductions that the base has not: nothing in a file proves that somebody ran the entry again."""
    for place in tree.stored:
        path = place.folder / store.REPRODUCED
        before = base / "results" / path.relative_to(tree.registry.results)
        if path.is_file() and not (before.is_file() and before.read_bytes() == path.read_bytes()):
            yield Failure(
                "vouched", tree.shown(path),
                f"is {'another one' if before.is_file() else 'new'}: whoever merges it vouches that {place.entry} was "
                "run again",
            )  # fmt: skip


COMPARISONS: tuple[Callable[[Tree, Path], Iterator[Failure]], ...] = (kept, appended, published, pinned, frozen)

"""The card of one entry, for `bench show`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import store
from bench.board.cells import Scored, cells_of, check_cells
from bench.errors import BenchError
from bench.registry.config import Registry
from bench.registry.entries import Entry
from bench.stats import losses
from bench.store import Place, Stored, machine_of
from bench.store.realized import read_realized


def card_of(registry: Registry, entry: Entry, results: Path) -> dict[str, Any]:
    """Returns what an entry is and, for every dataset, split and task that it answers, the state of its result."""
    row, submission = entry.row, entry.submission
    return {
        "entry": row.name,
        "description": row.description,
        "family": f"{entry.family}: {' '.join(submission.description.split())}",
        "authors": ", ".join(author.name for author in submission.authors),
        "licence": submission.licence,
        "version": row.version,
        "class": row.target,
        "parameters": ", ".join(f"{key}={value}" for key, value in row.parameters.items()),
        "tasks": "all horizons (paths)" if entry.is_path else ", ".join(row.tasks),
        "reads": ", ".join(row.reads),
        "refit": f"every {row.refit} sessions" if row.refit else "never after the first fit",
        "seeds": row.seeds,
        "training data": submission.training_data,
        "cite (family)": (submission.bibtex or "").strip(),
        "results": _results(registry, entry, results),
    }


def _results(registry: Registry, entry: Entry, results: Path) -> list[dict[str, Any]]:
    places = [
        Place(results, name, split, task, entry.name, entry.study)
        for name in registry.dataset_ids()
        for split in registry.dataset(name).splits
        for task in entry.answers(registry.settings)
    ]
    return [
        {"dataset": place.dataset, "split": place.split, "task": place.task, "state": stored.state,
         "QLIKE": _qlike(registry, place, stored), "forecasts": _reproduced(place, stored),
         "isolation": ", ".join(run.measured.isolation) if run else "",
         "reason": stored.problem or (run and run.reason) or "",
         "trouble": asdict(store.Trouble.at(place, run)) if run and run.state == store.FAILED else None}
        for place in places if (run := (stored := store.read(place)).run) or stored.problem
    ]  # fmt: skip


def _reproduced(place: Place, stored: Stored) -> str:
    """Whether the forecasts were made again, when and on what; empty where there are none."""
    if stored.run is None or stored.state != store.DONE:
        return ""
    found = store.read_reproduction(place, stored.run)
    return "self-reported" if found is None else f"reproduced {found.date} on {machine_of(found.hardware)}"


def _qlike(registry: Registry, place: Place, stored: Stored) -> str:
    if stored.forecasts is None or stored.state != store.DONE:
        return ""
    realized = read_realized(place.results, place.dataset)
    cells = cells_of(realized, registry.dataset(place.dataset).split(place.split), registry.settings.task(place.task))
    try:
        check_cells(cells, stored.forecasts, str(place))
    except BenchError:
        return "other cells"
    return f"{float(losses.panel_average(Scored(cells, stored.forecasts.forecast_var).qlike)):.4f}"

"""Results on disk: where they lie, forecasts and records checked by digest, what makes a result what it is.

Scores are derived from them and never stored. The published daily measure lies beside them.
"""

from bench.store.forecasts import Forecasts
from bench.store.identity import differing_parts, identity_from, identity_of
from bench.store.places import Place, all_places, places
from bench.store.records import (
    DONE,
    FAILED,
    MISSING,
    REPRODUCED,
    SKIPPED,
    Measured,
    Reproduction,
    Run,
    SeedCost,
    State,
    machine_of,
    read_reproduction,
    read_run,
    write_reproduction,
    write_run,
)
from bench.store.results import (
    Stored,
    adopt,
    read,
    remove_result,
    same_identity,
    store_seeds,
    store_without,
    write_artifacts,
    write_weights,
)

__all__ = [
    "DONE",
    "FAILED",
    "MISSING",
    "REPRODUCED",
    "SKIPPED",
    "Forecasts",
    "Measured",
    "Place",
    "Reproduction",
    "Run",
    "SeedCost",
    "State",
    "Stored",
    "adopt",
    "all_places",
    "differing_parts",
    "identity_from",
    "identity_of",
    "machine_of",
    "places",
    "read",
    "read_reproduction",
    "read_run",
    "remove_result",
    "same_identity",
    "store_seeds",
    "store_without",
    "write_artifacts",
    "write_reproduction",
    "write_run",
    "write_weights",
]

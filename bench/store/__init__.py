"""Results on disk: where they lie, forecasts and records checked by digest, what makes a result what it is.

Scores are derived from them and never stored. The published daily measure lies beside them.
"""

from bench.store.forecasts import Forecasts
from bench.store.identity import identity_from, identity_of, stale_parts
from bench.store.places import MAIN_SPLIT, Place, Scope, all_places, places
from bench.store.records import (
    DONE,
    FAILED,
    MISSING,
    REPRODUCED,
    SKIPPED,
    Failure,
    FailureKind,
    Frame,
    Measured,
    Outcome,
    Reproduction,
    Run,
    SeedCost,
    State,
    Where,
    machine_of,
    read_reproduction,
    read_run,
    write_reproduction,
    write_run,
)
from bench.store.results import Pending, Stored, adopt, read, remove_result, same_identity, save, skip
from bench.store.trouble import Trouble

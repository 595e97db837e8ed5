"""Tests of differences between forecasts: pure functions of losses; every result is a small frozen record.

docs/statistics.md shows each with an example, says which R function it equals and when not to use it.
"""

from bench.stats.bootstrap import IntervalsResult, day_weights, mean_block, skill_intervals
from bench.stats.by_symbol import SymbolTestsResult, symbol_tests
from bench.stats.calibration import mincer_zarnowitz
from bench.stats.conditional import giacomini_white
from bench.stats.confidence_set import (
    ConfidenceSetResult,
    TiersResult,
    model_confidence_set,
    set_sensitivity,
    tiers,
)
from bench.stats.daily import daily_mean_losses
from bench.stats.diebold_mariano import diebold_mariano, long_run_variance
from bench.stats.ewc import equal_weighted_cosine
from bench.stats.intervals import (
    CosineIntervals,
    cosine_mean_intervals,
    cosine_skill_intervals,
    utility_intervals,
)
from bench.stats.log_regressions import SlopesResult, encompassing_weights, log_calibration
from bench.stats.losses import realized_utility
from bench.stats.multiple import holm
from bench.stats.nested import clark_west
from bench.stats.pairwise import (
    PairwiseResult,
    pairwise_diebold_mariano,
    pairwise_equal_weighted_cosine,
    pairwise_test,
    smallest_resolvable_gap,
)
from bench.stats.panel import panel_diebold_mariano, panel_test
from bench.stats.pesaran_timmermann import pesaran_timmermann
from bench.stats.ranks import RankSetsResult, rank_sets
from bench.stats.superior import superior_predictive_ability

__all__ = [
    "ConfidenceSetResult", "CosineIntervals", "IntervalsResult", "PairwiseResult", "RankSetsResult", "SlopesResult",
    "SymbolTestsResult", "TiersResult", "clark_west", "cosine_mean_intervals", "cosine_skill_intervals",
    "daily_mean_losses", "day_weights", "diebold_mariano", "encompassing_weights", "equal_weighted_cosine",
    "giacomini_white", "holm", "log_calibration", "long_run_variance", "mean_block", "mincer_zarnowitz",
    "model_confidence_set", "pairwise_diebold_mariano", "pairwise_equal_weighted_cosine", "pairwise_test",
    "panel_diebold_mariano", "panel_test", "pesaran_timmermann", "rank_sets", "realized_utility", "set_sensitivity",
    "skill_intervals", "smallest_resolvable_gap", "superior_predictive_ability", "symbol_tests", "tiers",
    "utility_intervals",
]  # fmt: skip

"""Tests of differences between forecasts: pure functions of losses; every result is a small frozen record.

Two entries: `panel_test` (the headline), `diebold_mariano`, `panel_diebold_mariano`, `equal_weighted_cosine`,
`giacomini_white`, `clark_west`. Many: `pairwise_test`, `symbol_tests`, `model_confidence_set`, `tiers`,
`superior_predictive_ability`, `holm`, `benjamini_hochberg`. Sizes: `skill_intervals`, `mean_intervals`,
`smallest_resolvable_gap`. One: `mincer_zarnowitz`, `pesaran_timmermann`.
"""

from bench.stats.bootstrap import IntervalsResult, day_weights, mean_block, mean_intervals, skill_intervals
from bench.stats.by_symbol import SymbolTestsResult, symbol_tests
from bench.stats.calibration import mincer_zarnowitz
from bench.stats.conditional import giacomini_white
from bench.stats.confidence_set import ConfidenceSetResult, TiersResult, model_confidence_set, tiers
from bench.stats.daily import daily_mean_losses
from bench.stats.diebold_mariano import diebold_mariano, long_run_variance
from bench.stats.ewc import equal_weighted_cosine
from bench.stats.multiple import benjamini_hochberg, holm
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
from bench.stats.results import (
    CalibrationResult,
    ConditionalResult,
    MeanTest,
    NestedResult,
    PesaranTimmermannResult,
)
from bench.stats.superior import SuperiorAbilityResult, superior_predictive_ability

__all__ = [
    "CalibrationResult",
    "ConditionalResult",
    "ConfidenceSetResult",
    "IntervalsResult",
    "MeanTest",
    "NestedResult",
    "PairwiseResult",
    "PesaranTimmermannResult",
    "SuperiorAbilityResult",
    "SymbolTestsResult",
    "TiersResult",
    "benjamini_hochberg",
    "clark_west",
    "daily_mean_losses",
    "day_weights",
    "diebold_mariano",
    "equal_weighted_cosine",
    "giacomini_white",
    "holm",
    "long_run_variance",
    "mean_block",
    "mean_intervals",
    "mincer_zarnowitz",
    "model_confidence_set",
    "pairwise_diebold_mariano",
    "pairwise_equal_weighted_cosine",
    "pairwise_test",
    "panel_diebold_mariano",
    "panel_test",
    "pesaran_timmermann",
    "skill_intervals",
    "smallest_resolvable_gap",
    "superior_predictive_ability",
    "symbol_tests",
    "tiers",
]

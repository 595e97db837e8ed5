"""Tests of differences between forecasts: pure functions of losses; every result prints one line."""

from bench.stats.diebold_mariano import diebold_mariano, long_run_variance
from bench.stats.ewc import equal_weighted_cosine
from bench.stats.panel import panel_diebold_mariano, panel_test
from bench.stats.pesaran_timmermann import pesaran_timmermann
from bench.stats.results import CosineResult, DieboldMarianoResult, PanelTestResult, PesaranTimmermannResult

__all__ = [
    "CosineResult",
    "DieboldMarianoResult",
    "PanelTestResult",
    "PesaranTimmermannResult",
    "diebold_mariano",
    "equal_weighted_cosine",
    "long_run_variance",
    "panel_diebold_mariano",
    "panel_test",
    "pesaran_timmermann",
]

"""The examples of docs/statistics.md do what the page says, and it names every function of the library."""

from __future__ import annotations

import doctest
import re

from conftest import ROOT

from bench import stats

PAGE = ROOT / "docs" / "statistics.md"
NOT_SHOWN = {
    "day_weights", "long_run_variance", "mean_block", "panel_test", "pairwise_test", "pairwise_diebold_mariano",
    "skill_intervals", "symbol_tests", "tiers",
}  # fmt: skip
"""Parts of others, and what the tests of the first protocol are made of."""


def test_the_page_says_what_happens():
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=options)
    assert result.failed == 0
    assert result.attempted > 30


def test_every_function_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    functions = {name for name in stats.__all__ if name.islower()}
    assert {name for name in functions if not re.search(rf"\b{name}\b", text)} == NOT_SHOWN

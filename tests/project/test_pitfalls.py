"""The examples of docs/pitfalls.md do what the page says: on made-up numbers, and in the committed tables."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "pitfalls.md"


@pytest.fixture(scope="module")
def pitfalls():
    spec = importlib.util.spec_from_file_location("pitfalls", ROOT / "benchmarks" / "pitfalls.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def columns(name: str) -> list[list[str]]:
    """The cells of a table of the page, by row."""
    block = PAGE.read_text(encoding="utf-8").split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines()[2:]]


def test_the_page_has_every_table_filled(pitfalls):
    text = PAGE.read_text(encoding="utf-8")
    for name in pitfalls.TABLES:
        assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1
        assert text.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip()


def test_tables_are_put_between_their_markers_and_nowhere_else(pitfalls):
    page = "a <!-- x -->\nold\n<!-- /x --> b <!-- y -->kept<!-- /y -->"
    assert pitfalls.filled(page, {"x": r"new \1"}) == "a <!-- x -->\nnew \\1\n<!-- /x --> b <!-- y -->kept<!-- /y -->"


def test_blocks_and_shuffled_folds_have_the_same_sizes(pitfalls):
    blocks, drawn = (pitfalls.folds_of(1001, in_blocks=in_blocks) for in_blocks in (True, False))
    assert (np.diff(blocks) >= 0).all()
    assert not np.array_equal(blocks, drawn)
    assert np.array_equal(np.bincount(blocks), np.bincount(drawn))


def test_a_stacked_test_rejects_where_all_symbols_share_one_difference(pitfalls):
    noise = np.random.default_rng(3).standard_normal((500, 1))
    shared = (noise - noise.mean()) / noise.std(ddof=1) + 0.05  # t = 0.05 sqrt(500) = 1.1 for one symbol
    ones = np.ones((500, 21))
    assert pitfalls.stacked_p_value(shared, 0 * shared) == pytest.approx(0.264, abs=0.001)
    assert pitfalls.stacked_p_value(shared * ones, 0 * ones) < 1e-6


def test_the_mean_over_seeds_needs_no_choice(pitfalls):
    target = np.full((4, 2), 2.0)
    n, mean, spread, best, gain, together = pitfalls.seed_scores(target, np.stack([target / 2, target, target * 1.5]))
    low, high = 2 - np.log(2) - 1, 2 / 3 - np.log(2 / 3) - 1
    assert n == 3
    assert mean == pytest.approx((low + high) / 3)
    assert spread == pytest.approx(np.std([low, 0, high], ddof=1))
    assert (best, gain) == (0, 100)
    assert together == 0  # the mean of the three is the target


def test_the_worst_days_make_what_they_should(pitfalls):
    loss = np.ones((100, 3))
    loss[:10] = 9
    assert pitfalls.worst_share(loss) == pytest.approx(0.5)


def test_a_regression_finds_the_line_and_a_neighbour_the_row(pitfalls):
    rng = np.random.default_rng(0)
    x = pitfalls.har_features(rng.standard_normal((200, 2)))
    log_y = x @ np.array([0.5, 1.0, -1.0, 2.0])
    rows = np.arange(200)
    found = pitfalls.regression(x, log_y, rows[:150], rows[150:])
    np.testing.assert_allclose(found, np.exp(log_y[150:]))
    copies = np.concatenate([np.repeat(x[30:40], pitfalls.NEIGHBOURS, axis=0), x[30:40]])
    targets = np.concatenate([np.repeat(log_y[30:40], pitfalls.NEIGHBOURS, axis=0), log_y[30:40]])
    n = 10 * pitfalls.NEIGHBOURS
    found = pitfalls.neighbours(copies, targets, np.arange(n), np.arange(n, n + 10))
    np.testing.assert_allclose(found, np.exp(log_y[30:40]))


def test_what_the_page_says_of_leaks_is_in_its_tables():
    for _, honest, late, *_ in columns("late"):
        assert 0.125 < float(late) < float(honest)
    shuffled = {(row[0], row[1]): [float(cell) for cell in row[2:]] for row in columns("shuffled")}
    nearest = {task: shuffled["10 nearest neighbours", task] for task in ("next-day", "month-ahead")}
    line = {task: shuffled["log-HAR with VIX", task] for task in ("next-day", "month-ahead")}
    assert nearest["month-ahead"][0] > line["month-ahead"][0]
    assert nearest["month-ahead"][2] < line["month-ahead"][2]
    for row in columns("whole"):
        assert float(row[2]) < float(row[1])


def test_what_the_page_says_of_stacking_is_in_its_table():
    for *_, pairs, stacked, panel, adjusted in columns("stacked"):
        assert int(pairs) >= int(stacked) > int(panel) > int(adjusted)

"""What is committed: boards follow from forecasts, the published measure from bars, known answers are met."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from conftest import ROOT
from pydantic import TypeAdapter

from bench.board import Board, build_board, differences
from bench.board.render.markdown import render
from bench.data.load import load_panel
from bench.errors import DataError
from bench.publish import ledger
from bench.publish.derivation import verify_edition
from bench.publish.editions import editions, open_edition
from bench.registry.config import Registry
from bench.registry.entries import discover
from bench.run.bars import realized_of
from bench.store import DONE, Place, Scope, read
from bench.store.realized import read_realized

REGISTRY = Registry(ROOT)
WAITING = {event.dataset for event in ledger.pending(REGISTRY.results)}
"""Datasets with results that a request brought: boards and ledger are made after the merge (`bench verify` tells)."""
BOARDS = [("us21", "official"), ("us21", "development"), ("indices", "official"), ("simulated", "official")]


@pytest.mark.parametrize(("dataset", "split"), BOARDS)
def test_the_committed_board_is_what_the_committed_forecasts_give(dataset, split):
    if dataset in WAITING:
        pytest.skip("its boards are made after the merge")
    scope = Scope.of(REGISTRY, dataset, split)
    board, folder = build_board(scope), scope.folder
    assert differences(board, folder / "leaderboard.json", tolerance=1e-9) == []
    assert (folder / "LEADERBOARD.md").read_text(encoding="utf-8") == render(board)


@pytest.mark.parametrize(("dataset", "split"), BOARDS)
def test_every_committed_result_is_whole_and_of_the_pinned_bars(dataset, split):
    pinned = REGISTRY.dataset(dataset).identity[split]
    records = sorted((REGISTRY.results / dataset / split).glob("*/*/run.json"))
    assert records
    for path in records:
        place = Place(REGISTRY.results, dataset, split, path.parent.parent.name, path.parent.name)
        stored = read(place)
        assert stored.problem is None
        assert stored.run.data_identity == pinned
        if stored.state == DONE:
            symbols = REGISTRY.dataset(dataset).symbols
            assert stored.forecasts.forecast_var.shape == (len(stored.forecasts.origins), len(symbols))


@pytest.mark.parametrize("dataset", ["us21", "indices", "simulated"])
def test_the_published_measure_is_that_of_the_bars(dataset):
    try:
        panel = load_panel(REGISTRY.dataset(dataset))
    except DataError as error:
        if "no bars" not in str(error):
            raise
        pytest.skip("its bars are not here")
    last = REGISTRY.dataset(dataset).split("official").score.last
    published = read_realized(REGISTRY.results, dataset)
    made = realized_of(panel.until(last), REGISTRY.settings.regimes.vix_crisis)
    np.testing.assert_array_equal(published.dates, made.dates)
    assert published.symbols == made.symbols
    np.testing.assert_allclose(published.measure_var, made.measure_var, rtol=1e-9, atol=1e-18)
    np.testing.assert_array_equal(published.regime_month, made.regime_month)
    np.testing.assert_array_equal(published.regime_origin, made.regime_origin)


@pytest.mark.parametrize(
    ("entry", "qlike", "mse_var", "mse_vol", "direction"),
    [
        ("garch", 0.3042, 6.125, 79.07, 0.676),
        ("garch-unscaled", 0.3358, 8.734, 116.90, 0.622),
        ("har", 0.2733, 5.445, 69.61, 0.677),
    ],
)
def test_known_answers_of_an_independent_computation(entry, qlike, mse_var, mse_vol, direction):
    board = json.loads((REGISTRY.results / "us21" / "leaderboard.json").read_bytes())
    rows = next(table["rows"] for table in board["tables"] if table["task"] == "next-day")
    row = next(row for row in rows if row["entry"] == entry)
    assert row["qlike"] == pytest.approx(qlike, rel=0.01)
    assert row["mse_var"] == pytest.approx(mse_var, rel=0.01)
    assert row["mse_vol"] == pytest.approx(mse_vol, rel=0.01)
    assert row["direction"] == pytest.approx(direction, rel=0.01)


def test_the_official_windows_hold_what_the_protocol_says():
    board = json.loads((REGISTRY.results / "us21" / "leaderboard.json").read_bytes())
    table = next(table for table in board["tables"] if table["task"] == "next-day")
    assert (table["n_origins"], table["first_origin"]) == (753, "2021-12-31")
    assert table["regime_counts"]["month"]["crisis"] == 313


def test_the_readme_shows_the_first_rows_of_the_board():
    spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts/readme.py")
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    board = TypeAdapter(Board).validate_json((REGISTRY.results / "us21/leaderboard.json").read_bytes())
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme.filled(text, board) == text, "run `make readme`"
    assert len(text.splitlines()) <= 150


def test_no_bars_are_committed():
    """Nothing below results/ or editions/ has a column of prices or volume."""
    import pyarrow.parquet as pq

    allowed = {"date", "origin", "symbol", "seed", "forecast_var", "measure_var", "regime_month", "regime_origin"}
    for path in (ROOT / "results").rglob("*.parquet"):
        extra = {"true_var"} if "simulated" in path.parts else set()
        assert set(pq.read_schema(path).names) <= allowed | extra, path
    measures = [open_edition(ROOT, name).facts.datasets for name in editions(ROOT)]
    simulated = {facts["simulated"].measure for facts in measures}
    for path in (ROOT / "editions").rglob("*.parquet"):
        extra = {"true_var"} if path.stem in simulated else set()
        assert set(pq.read_schema(path).names) <= allowed | extra, path


@pytest.mark.parametrize("name", editions(ROOT))
def test_every_edition_follows_from_what_is_kept_of_it(name):
    assert verify_edition(ROOT / "editions" / name) == []


def test_every_committed_entry_is_known():
    known = set(discover(ROOT / "submissions").entries)
    committed = {path.parent.name for path in (ROOT / "results").glob("*/*/*/*/run.json")}
    assert committed <= known

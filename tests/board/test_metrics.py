"""The table of metrics: one function and one record put a loss on every part of a board, and take it off again."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from bench.board import Board
from bench.board.render.markdown import render
from bench.stats import losses
from bench.stats.metrics import METRICS, Metric, decimals, register


def log_ratio(target_var, forecast_var):
    """The loss of the test: absolute log ratio by cell."""
    return np.abs(np.log(np.where(target_var > 0, target_var, np.nan) / forecast_var))


RECORD = Metric(
    "log_ratio", "log ratio", log_ratio, "", "smaller", decimals(5), "logs", "Log ratio: a loss of a test.",
    place="main", by_regime=True, yardstick=True,
)  # fmt: skip


@pytest.fixture
def log_ratio_metric(sandbox):
    """A registry that knows the loss for the length of a test, and a board made with it."""
    register(RECORD)
    try:
        assert sandbox("run").code == 0
        yield sandbox
    finally:
        del METRICS[RECORD.name]


def files(sandbox) -> tuple[dict, list[dict[str, str]], str]:
    folder = sandbox.root / "results/tiny"
    lines = list(csv.DictReader(io.StringIO((folder / "leaderboard.csv").read_text())))
    return json.loads((folder / "leaderboard.json").read_bytes()), lines, (folder / "LEADERBOARD.md").read_text()


def test_a_registered_loss_is_in_json_csv_markdown_and_footnotes(log_ratio_metric):
    board, lines, text = files(log_ratio_metric)
    results = log_ratio_metric.root / "results/tiny"
    cells = pd.read_parquet(results / "official/next-day/flat/forecasts.parquet").merge(
        pd.read_parquet(results / "realized.parquet").astype({"symbol": str}), on=["date", "symbol"]
    )
    cells["loss"] = np.abs(np.log(cells["measure_var"] / cells["forecast_var"]))
    by_hand = cells.groupby("symbol")["loss"].mean().mean()
    rows = {row["entry"]: row for row in board["tables"][0]["rows"]}
    assert rows["flat"]["log_ratio"] == pytest.approx(by_hand, rel=1e-9)
    assert 0 < rows["flat"]["log_ratio_p_value"] <= 1
    assert rows["mean"]["log_ratio_p_value"] is None, "the baseline is not tested against itself"
    assert rows["flat"]["regimes"]["month"]["crisis"]["log_ratio"] > 0
    assert all("log_ratio" in row for table in board["tables"] for row in table["rows"])
    line = next(line for line in lines if (line["task"], line["entry"]) == ("next-day", "flat"))
    assert float(line["log_ratio"]) == rows["flat"]["log_ratio"]
    assert float(line["regimes.month.crisis.log_ratio"]) == rows["flat"]["regimes"]["month"]["crisis"]["log_ratio"]
    head, *body = (part.split("|") for part in text.split("## next-day")[1].splitlines() if part.startswith("|"))
    column = next(i for i, name in enumerate(head) if name.strip() == f"log ratio ({rows['mean']['log_ratio']:.5f})")
    shown = next(cells for cells in body if cells[2].strip() == "`flat`")
    assert shown[column].strip() == f"{by_hand:.5f}"
    assert "p of log ratio (mean)" in text
    assert "log ratio crisis" in text
    assert "\n- Log ratio: a loss of a test.\n" in text


def test_a_board_is_read_back_with_it_and_without_it(log_ratio_metric):
    folder = log_ratio_metric.root / "results/tiny"
    content, text = (folder / "leaderboard.json").read_bytes(), (folder / "LEADERBOARD.md").read_text()
    assert log_ratio_metric("board", "--check").code == 0
    assert render(TypeAdapter(Board).validate_json(content)) == text
    older = json.loads(content)
    for row in (row for table in older["tables"] for row in table["rows"]):
        del row["log_ratio"], row["log_ratio_p_value"]
        for scores in (scores for regimes in row["regimes"].values() for scores in regimes.values()):
            del scores["log_ratio"]
    assert "og ratio" not in render(TypeAdapter(Board).validate_python(older)), "a board shows the metrics that it has"


def test_a_name_is_taken_once():
    assert RECORD.name not in METRICS
    with pytest.raises(ValueError, match="a metric `qlike` already"):
        register(Metric("qlike", "other", losses.qlike, "", "smaller", decimals(3), "other"))

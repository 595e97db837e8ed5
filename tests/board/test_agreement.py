"""When two boards agree: a reader sees the same."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from conftest import ROOT
from pydantic import TypeAdapter

from bench.board import Board
from bench.board.agreement import agreement

COMMITTED = ROOT / "results/us21/leaderboard.json"
SKIPPED = {"cards", "inputs", "conclusion", "luck", "other_split", "figures"}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return json.loads(COMMITTED.read_bytes())


def board(values: dict[str, Any]) -> Board:
    return TypeAdapter(Board).validate_python(values)


def stretched(value: Any, factor: float) -> Any:
    """Every number that is no whole one, times a factor."""
    if isinstance(value, dict):
        return {key: item if key in SKIPPED else stretched(item, factor) for key, item in value.items()}
    if isinstance(value, list):
        return [stretched(item, factor) for item in value]
    return value * factor if isinstance(value, float) else value


def row(values: dict[str, Any], entry: str) -> dict[str, Any]:
    (table,) = (table for table in values["tables"] if table["task"] == "next-day")
    (found,) = (row for row in table["rows"] if row["entry"] == entry)
    return found


def test_a_board_agrees_with_itself(values):
    reading = agreement(board(values), COMMITTED)
    assert reading.gaps == []
    assert reading.largest == 0


@pytest.mark.parametrize("factor", [1 + 1e-6, 1 - 1e-6, 1 + 1e-9])
def test_what_no_reader_sees_is_no_difference_but_is_told(values, factor):
    reading = agreement(board(stretched(values, factor)), COMMITTED)
    assert reading.gaps == []
    assert reading.largest == pytest.approx(abs(factor - 1), rel=1e-3)
    assert "largest relative difference 1e-0" in reading.summary


def test_costs_and_machines_are_not_compared(values):
    other = deepcopy(values)
    for card in other["cards"]:
        card["fit_seconds"] *= 7
        card["hardware"] = "an abacus"
    assert agreement(board(other), COMMITTED).gaps == []


def changed(values, change) -> list[str]:
    other = deepcopy(values)
    change(other)
    return agreement(board(other), COMMITTED).gaps


def test_a_number_that_prints_otherwise_is_a_difference(values):
    gaps = changed(values, lambda other: row(other, "har").update(qlike=0.2745))
    assert "next-day: har: 0.2745 here, 0.2733 committed" in gaps


def test_the_last_digit_may_differ_by_one(values):
    assert changed(values, lambda other: row(other, "har").update(mse_vol=row(other, "har")["mse_vol"] + 0.01)) == []


def test_another_tier_is_a_difference(values):
    assert any("har: " in gap for gap in changed(values, lambda other: row(other, "har").update(tier=9)))


def test_a_row_too_few_is_a_difference(values):
    def drop(other):
        for table in other["tables"]:
            table["rows"] = [row for row in table["rows"] if row["entry"] != "har"]

    assert any("har is not here" in gap for gap in changed(values, drop))


def test_the_other_direction_is_a_difference(values):
    def turn(other):
        test = row(other, "gbt")["tests"]["har"]
        test["mean_difference"] = -test["mean_difference"]

    assert any("gbt: ↑" in gap for gap in changed(values, turn))


def test_a_row_may_differ_by_its_tolerance(values):
    other = deepcopy(values)
    row(other, "gbt").update(qlike=row(other, "gbt")["qlike"] * 1.005)
    assert agreement(board(other), COMMITTED).gaps
    assert agreement(board(other), COMMITTED, {"gbt": 0.01}).gaps == []


def test_what_is_no_board_is_said(values, tmp_path):
    mine, path = board(values), tmp_path / "leaderboard.json"
    assert agreement(mine, path).gaps == [f"{path} is not there"]
    path.write_text("{")
    assert agreement(mine, path).gaps == [f"{path} is damaged"]
    path.write_text("{}")
    assert "is no board of this version" in agreement(mine, path).gaps[0]

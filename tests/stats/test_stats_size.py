"""The committed page of sizes keeps its promises: the test holds its size, sets and intervals about their level."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "size_and_power.md"


def rows(title: str, table: int = 0) -> list[dict[str, str]]:
    """The rows of a table below a title: the first, or a later one."""
    lines = PAGE.read_text(encoding="utf-8").split(title, 1)[1].split("\n\n")
    tables = [part[part.index("|") :] for part in lines if part.startswith(("|", "<!--")) and "|" in part]
    header, _, *body = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in tables[table].splitlines() if "|" in line
    )
    return [dict(zip(header, cells, strict=True)) for cells in body]


def numbers(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"[\d.]+", cell)]


SIZES = rows("## A true null")


@pytest.mark.parametrize("row", SIZES, ids=lambda row: f"h{row['h']}-n{row['n']}-{row['persistence']}")
def test_the_headline_keeps_its_size_and_stacking_does_not(row):
    assert 3 <= float(row["headline"].strip("*")) <= 8
    assert 3 <= float(row["GW"]) <= 8
    assert float(row["stacked"]) > 20


def test_every_task_is_there_at_full_and_at_shorter_length():
    assert {row["h"] for row in SIZES} == {"1", "5", "21"}
    assert {row["h"] for row in SIZES if row["n"] == "500"} == {"1", "5", "21"}


def test_what_lasts_longer_is_seen_better_by_few_cosines_than_by_nine_lags():
    lasting = rows("## The same where differences last longer")
    assert {(row["n"], row["persistence"]) for row in lasting} == {("500", "0.9"), ("753", "0.95"), ("500", "0.95")}
    assert all(float(row["headline"].strip("*")) < float(row["Bartlett"]) for row in lasting)


def test_on_samples_like_the_official_split_the_test_holds_its_size_and_the_textbooks_does_not():
    boards = rows("## Samples like the committed results")
    assert [row["board"].split(",")[0] for row in boards] == ["official"] * 3 + ["development"]
    for row in boards[:3]:
        ar, arma, worst = numbers(row["EWC"])
        assert 4.5 <= ar <= 6.5
        assert 4.5 <= arma <= 6.5
        assert worst <= 9
        assert min(numbers(row["Bartlett"])[:2]) > max(ar, arma)
    assert max(numbers(boards[3]["EWC"])) > 8, "no p is printed on development because of this"


def test_intervals_of_skill_cover_more_than_the_bootstraps():
    for row in rows("## Intervals, ranks and sets", 0):
        assert numbers(row["cosine covers"])[0] >= 85
        assert numbers(row["cosine covers"])[0] > float(row["bootstrap covers"])


def test_cosine_sets_of_ranks_hold_nearer_their_level_where_all_rows_are_equal():
    table = rows("## Intervals, ranks and sets", 1)
    assert {row["truth"] for row in table} == {"as measured", "all equal"}
    for row in table:
        if row["truth"] == "all equal":
            assert numbers(row["rank sets, cosine"])[0] > numbers(row["rank sets, bootstrap"])[0]

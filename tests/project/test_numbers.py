"""Numbers in README and docs that stand beside a marker are those of the boards that they come from.

A marker is a comment right behind the number, which a reader does not see:

    0.2538<!--us21 official next-day har qlike-->     a number of a row; `a.b` goes into a map, `skill %` is in percent
    2.1 %<!--us21 official next-day har/garch less--> QLIKE less than the second, in percent; or `more`
    .037<!--us21 official next-day har~garch p-->     p of the pair, not adjusted
    .0114<!--us21 official next-day gap-->            a number of the table

`us21:layers` is the board of a study. A number has the digits that it is printed with; `<.001` is what it says.
"""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT

MARKED = re.compile(r"(?P<number>[<+-]?\d*\.?\d+)\s?(?P<unit>%?)<!--(?P<source>[^>]+?)-->")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def tables(dataset: str, split: str) -> dict[str, dict]:
    dataset, _, study = dataset.partition(":")
    folder = ROOT / "results" / dataset
    folder = folder / "studies" / study / split if study else folder if split == "official" else folder / split
    board = json.loads((folder / "leaderboard.json").read_bytes())
    return {table["task"]: table for table in board["tables"]}


def number_of(source: str) -> float:
    """What a marker refers to."""
    dataset, split, task, who, *what = source.split()
    table = tables(dataset, split)[task]
    rows = {row["entry"]: row for row in table["rows"]}
    if not what:
        return table[who]
    if "/" in who:
        a, b = (rows[name]["qlike"] for name in who.split("/"))
        return 100 * {"less": 1 - a / b, "more": a / b - 1}[what[0]]
    if "~" in who:
        i, j = (list(rows).index(name) for name in who.split("~"))
        return table["pair_p"][i][j]
    value = rows[who]
    for key in what[0].split("."):
        value = value[key]
    return 100 * value if what[1:] == ["%"] else value


def says(number: str, value: float) -> bool:
    """Whether a number as it is printed is this value, rounded to its digits or to the next of its last digit."""
    if number.startswith("<"):
        return value < float(number[1:])
    digits = len(number.partition(".")[2])
    return abs(float(number) - value) <= 0.5000001 * 10**-digits


def marked(page: Path) -> list[tuple[str, str]]:
    return [(found["number"], found["source"]) for found in MARKED.finditer(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_marked_numbers_are_those_of_the_boards(page):
    wrong = [
        f"{number}: {source} is {number_of(source):.6g}"
        for number, source in marked(page)
        if not says(number, number_of(source))
    ]
    assert wrong == []


def test_a_wrong_number_is_found():
    qlike = number_of("us21 official next-day har qlike")
    assert says(f"{qlike:.4f}", qlike)
    assert not says(f"{qlike + 1e-4:.4f}", qlike)
    assert not says("<.001", 0.002)
    assert says("14", 13.6)
    assert number_of("us21 official next-day har/har less") == 0


def test_numbers_are_marked():
    assert sum(len(marked(page)) for page in PAGES) > 10

"""What an entry may answer: numbers in the order of the symbols, and what is said about anything else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench.plugin.answers import ContractError, as_values

SYMBOLS = ["AAA", "BBB", "CCC"]
VALUES = [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "answer",
    [
        VALUES,
        tuple(VALUES),
        np.array(VALUES),
        np.array(VALUES, dtype=object),
        np.array([1, 2, 3]),
        pd.Series(VALUES),  # 0, 1, 2 are no labels
        pd.Series(VALUES, index=SYMBOLS),
    ],
)
def test_numbers_in_the_order_of_the_symbols_are_taken(answer):
    values = as_values(answer, SYMBOLS)
    assert values.dtype == np.dtype("<f8")
    assert values.tolist() == VALUES


def test_a_path_may_be_a_table_with_the_symbols_as_columns():
    table = pd.DataFrame([VALUES, VALUES], columns=SYMBOLS)
    assert as_values(table, SYMBOLS, 2).tolist() == [VALUES, VALUES]
    with pytest.raises(ContractError, match="would go to other symbols"):
        as_values(table[SYMBOLS[::-1]], SYMBOLS, 2)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            pd.Series(VALUES, index=SYMBOLS[::-1]),
            r"labelled CCC, BBB, AAA, history.symbols is AAA, BBB, CCC: .*answer\[",
        ),
        (pd.Series(VALUES, index=["AAA", "BBB", "XXX"]), "label it with the symbols"),
        (pd.Series(VALUES, index=[3, 1, 2]), "labelled 3, 1, 2"),
        (None, "returned None: return an array, one variance for each symbol"),
        ({"AAA": 1.0}, "returned a dict: return an array"),
        ("a lot", "returned a str: return an array"),
        (["a", "b", "c"], "returned a list of <U1: return numbers"),
        ([1.0, None, 2.0], "returned a list of object: return numbers"),
        ([[1.0], [1.0, 2.0], []], "no array"),
        (np.array(VALUES, dtype=complex), "of complex128"),
        (np.ones(2), r"shape \(2,\), expected \(3,\)"),
        (1.0, r"shape \(\), expected \(3,\)"),
        (pd.DataFrame([VALUES], columns=SYMBOLS), r"shape \(1, 3\), expected \(3,\)"),
        (object(), "returned a object of object"),
    ],
)
def test_anything_else_is_said_in_words(answer, said):
    with pytest.raises(ContractError, match=said):
        as_values(answer, SYMBOLS)


def test_a_labelled_answer_in_another_order_fails_the_run(sandbox, plain_figures):
    sandbox.add_entry(
        "labelled",
        """
class Labelled(list):
    index = ["CCC", "BBB", "AAA"]
class Model(Forecaster):
    def forecast(self, history):
        return Labelled(history.variance[-1])
""",
    )
    assert sandbox("run", "labelled").code == 1
    record = sandbox.run_json("labelled")
    assert record["failure"] == "shape"
    assert "values would go to other symbols" in record["reason"]
    assert record["reason"].endswith("(forecast on 2010-12-31)")

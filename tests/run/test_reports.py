"""What a worker may report: bounded when it arrives."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.run.failure import EntryFailure
from bench.run.reports import MOST_ARTIFACTS, MOST_RECORDS, Reports, check_artifacts, cleaned, kept_records


def reports() -> Reports:
    return Reports(16, lambda facts: None)


def send(to: Reports, values: np.ndarray, name: str = "attention", shape: object = None) -> None:
    meta = {"kind": "artifact", "facts": {"name": name}, "shape": list(values.shape) if shape is None else shape}
    to.keep(meta, values.astype("<f8").tobytes())


@pytest.mark.parametrize(
    ("values", "shape", "told"),
    [
        (np.array([[1.0, np.inf]]), None, "not finite"),
        (np.array([np.nan]), None, "not finite"),
        (np.array([1e101]), None, r"beyond 1e\+100"),
        (np.zeros((0, 3)), None, r"has the shape \(0, 3\)"),
        (np.zeros((1,) * 5), None, "at most 4 dimensions"),
        (np.zeros(4), [2, 3], "does not fit"),
        (np.zeros(4), [10**30], "does not fit"),
        (np.zeros(4), "abc", "does not fit"),
        (np.zeros(MOST_ARTIFACTS // 8 + 1), None, "exceed 256 kB"),
    ],
)
def test_an_artifact_is_finite_and_small(values, shape, told):
    with pytest.raises(EntryFailure, match=told):
        send(reports(), values, shape=shape)


def test_all_artifacts_of_a_seed_count_and_a_replaced_one_counts_once():
    half = np.ones(MOST_ARTIFACTS // 16)
    kept = reports()
    for _ in range(5):
        send(kept, half)
    send(kept, half, "another")
    with pytest.raises(EntryFailure, match="exceed 256 kB"):
        send(kept, np.ones(1), "third")
    with pytest.raises(EntryFailure, match="exceed 256 kB"):  # of several workers together
        check_artifacts({"a": half, "b": half, "c": np.ones(1)})


@pytest.mark.parametrize("number", [10**1000, -(10**1000), 1e308])
def test_a_number_beyond_all_sense_fails(number):
    with pytest.raises(EntryFailure, match="beyond 1e"):
        cleaned({"curve": [1.0, {"deep": number}]})
    assert cleaned({"n": 10**30, "inf": float("inf")}) == {"n": 10**30, "inf": "inf"}


def test_records_beyond_a_few_kilobytes_are_left_out_and_counted():
    prices = [{"day": i, "close": [100.25 + i] * 40} for i in range(200)]
    kept = kept_records(prices)
    assert len(json.dumps(kept)) < MOST_RECORDS + 1000
    assert kept[:-1] == prices[: len(kept) - 1]
    assert kept[-1]["warning"].startswith(f"{200 - len(kept) + 1} records left out")
    assert kept_records(prices[:5]) == prices[:5]
    assert len(kept_records([{"x": "y" * MOST_RECORDS}])) == 1

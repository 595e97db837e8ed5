"""Regimes of the VIX by calendar month and at the origin, by hand and on the official bars where they are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.stats import regimes

ROOT = Path(__file__).resolve().parents[2]


def days(*text: str) -> np.ndarray:
    return np.array(text, dtype="datetime64[D]")


def test_a_month_is_judged_by_its_mean_and_the_threshold_is_crisis():
    dates = days("2020-01-02", "2020-01-03", "2020-02-03", "2020-02-04", "2021-01-04")
    labels = regimes.by_month(dates, [10, 29.9, 5, 35, 50], 20)
    assert labels.tolist() == ["calm", "calm", "crisis", "crisis", "crisis"]
    assert labels.dtype == np.dtype("<U7")


def test_a_month_without_a_close_is_unknown_throughout():
    dates = days("2013-12-30", "2013-12-31", "2014-01-02", "2014-01-03")
    assert regimes.by_month(dates, [np.nan, 30, 12, 13], 20).tolist() == ["unknown", "unknown", "calm", "calm"]


def test_by_month_takes_any_order_and_any_datetime_unit():
    dates = days("2020-03-02", "2020-01-02", "2020-03-03").astype("datetime64[ns]")
    assert regimes.by_month(dates, [30, 10, 30], 20).tolist() == ["crisis", "calm", "crisis"]


def test_at_origin_is_each_session_for_itself():
    assert regimes.at_origin([19.99, 20, np.nan, 80], 20).tolist() == ["calm", "crisis", "unknown", "crisis"]


def test_no_sessions_no_labels():
    assert regimes.by_month(days(), [], 20).tolist() == []
    assert regimes.at_origin([], 20).tolist() == []


def test_what_does_not_match_is_refused():
    with pytest.raises(ValueError, match="one close per session"):
        regimes.by_month(days("2020-01-02"), [1, 2], 20)
    with pytest.raises(ValueError, match="one close per session"):
        regimes.at_origin([[1, 2]], 20)
    with pytest.raises(ValueError, match="NaT"):
        regimes.by_month(days("NaT"), [1], 20)


def snapshot() -> Path | None:
    candidates = [ROOT / "datasets"]
    if "BENCH_DATA" in os.environ:
        candidates.insert(0, Path(os.environ["BENCH_DATA"]))
    return next((path / "us21" for path in candidates if (path / "us21" / "vix.parquet").is_file()), None)


@pytest.mark.skipif(snapshot() is None, reason="no us21 snapshot on this machine")
def test_the_official_window_has_15_crisis_months_of_313_sessions():
    vix = pd.read_parquet(snapshot() / "vix.parquet", columns=["date", "close"])
    dates = vix["date"].to_numpy().astype("datetime64[D]")
    labels = regimes.by_month(dates, vix["close"].to_numpy(), 20)
    score = (dates >= np.datetime64("2022-01-01")) & (dates <= np.datetime64("2024-12-31"))
    crisis = labels[score] == "crisis"
    assert (score.sum(), crisis.sum()) == (753, 313)
    assert len(np.unique(dates[score][crisis].astype("datetime64[M]"))) == 15
    assert not (labels[score] == "unknown").any()

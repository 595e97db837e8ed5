"""The Python face: what the docs say, forecasts that are brought, models that are tried."""

from __future__ import annotations

import doctest
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import bench
from bench.errors import BenchError, EntryError
from bench.plugin import Forecaster, PathForecaster
from bench.plugin.history import UndeclaredError
from bench.store import Place, read
from bench.store.realized import read_realized, write_realized

pytestmark = pytest.mark.filterwarnings("ignore:nothing is isolated")  # a test of its own asks for it
HAR = ROOT / "results/us21/official/next-day/har/forecasts.parquet"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """The repository, with results of `indices` that may be written."""
    root = tmp_path_factory.mktemp("clone")
    results = root / "results"
    shutil.copytree(ROOT / "results/indices", results / "indices")
    for source, target in ((ROOT, root), (ROOT / "results", results)):
        for path in source.iterdir():
            if path.name not in ("results", "indices"):
                (target / path.name).symlink_to(path)
    return root


@pytest.fixture(autouse=True)
def in_the_clone(clone, monkeypatch):
    monkeypatch.chdir(clone)


@pytest.fixture(scope="module")
def har() -> pd.DataFrame:
    return pd.read_parquet(HAR).astype({"symbol": str})


def test_the_page_says_what_happens():
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False, optionflags=options).failed == 0


def test_importing_the_package_loads_nothing():
    code = "import bench, sys; print(*{'numpy', 'pandas', 'pydantic', 'typer'} & set(sys.modules)); print(dir(bench))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded, names = done.stdout.splitlines()
    assert loaded == ""
    assert "load_board" in names

    assert callable(bench.run)


def test_the_room_of_runs_can_be_called_as_the_function():
    import bench.run.plan

    for _ in range(2):
        assert bench.run(["har"], dataset="indices").counts == {"run": 0, "adopted": 0, "were_done": 3}


def test_the_room_can_be_called_whoever_imports_it_first():
    code = "import bench.run.plan; print(len(bench.run(['har'], dataset='indices').failed))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_what_a_row_declares_can_be_changed_for_a_trial():
    as_declared = bench.try_entry("har", dataset="indices", last=30)
    assert bench.try_entry("har", dataset="indices", last=30, refit=5).tried.fits > as_declared.tried.fits
    with pytest.raises(BenchError, match="indices hands out no `vix`"):
        bench.try_entry("har", dataset="indices", last=5, reads=["vix"])


def test_brought_forecasts_of_a_row_have_its_scores_and_tests(har):
    brought = bench.score(har, dataset="us21", name="mine")
    board = json.loads((ROOT / "results/us21/leaderboard.json").read_bytes())
    rows = {row["entry"]: row for table in board["tables"] if table["task"] == "next-day" for row in table["rows"]}
    frame = brought.frame().set_index("entry")
    for name in ("qlike", "mse_var", "rmse_vol", "log_mse", "direction", "bias", "r_squared", "skill", "skill_low"):
        assert frame.loc["mine", name] == pytest.approx(rows["har"][name], rel=1e-9)
    for entry in ("garch", "gbt", "historical-mean"):
        p = rows[entry]["tests"]["har"]["p_value"]
        assert frame.loc[entry, "p_value"] == pytest.approx(p, rel=1e-9)
    assert frame.loc["har", "difference"] == 0
    assert brought.doubt is None
    assert [line.qlike for line in brought.lines] == sorted(line.qlike for line in brought.lines)


@pytest.mark.parametrize("form", ["date", "wide", "csv", "annual-percent"])
def test_forms_of_forecasts_score_the_same(har, form, tmp_path):
    given, unit = har, "daily"
    if form == "date":
        given = har.drop(columns="origin")
    elif form == "wide":
        given = har.pivot(index="origin", columns="symbol", values="forecast_var")
    elif form == "csv":
        given = tmp_path / "mine.csv"
        har.to_csv(given, index=False)
    else:
        vol = 100 * np.sqrt(252 * har["forecast_var"])
        given, unit = har.drop(columns="forecast_var").assign(forecast_vol=vol), form
    assert bench.score(given, dataset="us21", unit=unit).row.qlike == pytest.approx(0.2733366444, rel=1e-9)


def test_wrong_cells_are_told_by_kind_with_examples(har):
    wrong = har.copy()
    wrong.loc[3, "forecast_var"] = np.nan
    wrong.loc[5, "symbol"] = "ZZZ"
    wrong.loc[7, "origin"] = pd.Timestamp("2001-01-01").date()
    with pytest.raises(BenchError) as caught:
        bench.score(pd.concat([wrong, wrong.iloc[:2]]), dataset="us21")
    said = str(caught.value)
    for words in (
        "1 with a symbol that is not the dataset's: 2021-12-31 ZZZ",
        "1 with a day that is no origin",
        "1 whose forecast is no variance",
        "2 that are there more than once",
        "2 that are missing",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="symbol"), "forecasts need the columns origin or date, symbol"),
        (
            lambda frame: frame.drop(columns="forecast_var"),
            "forecasts need one column of forecast_var and forecast_vol",
        ),
    ],
)
def test_missing_columns_are_one_line(har, change, said):
    with pytest.raises(BenchError, match=said):
        bench.score(change(har), dataset="us21")


def test_other_mistakes_of_bringing_are_one_line(har, tmp_path):
    with pytest.raises(BenchError, match="har is a row of the board"):
        bench.score(har, dataset="us21", name="har")
    with pytest.raises(BenchError, match=r"no unit `percent`"):
        bench.score(har, dataset="us21", unit="percent")
    with pytest.raises(BenchError, match="cannot be read"):
        bench.score(tmp_path / "none.parquet", dataset="us21")


def test_a_unit_that_is_far_off_is_doubted(har):
    percent = har.assign(forecast_var=1e4 * har["forecast_var"])
    with pytest.warns(UserWarning, match="they look like forecast_var, daily-percent"):
        assert bench.score(percent, dataset="us21").doubt is not None


def test_a_trial_says_that_nothing_is_isolated():
    with pytest.warns(UserWarning, match="nothing is isolated, limited or stored here"):
        bench.try_entry("har", dataset="indices", last=1)


def test_reading_a_board_writes_nothing(tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(ROOT / "results/indices", copy / "indices")
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    bench.load_board("indices", results=copy)
    (copy / "indices/leaderboard.json").unlink()
    bench.load_board("indices", results=copy)
    del before[copy / "indices/leaderboard.json"], before[copy / "indices"]
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    assert {path: after[path] for path in before} == before
    assert not (copy / "indices/leaderboard.json").exists()


def test_another_processors_last_bit_changes_no_published_measure(tmp_path):
    copy = tmp_path / "results"
    shutil.copytree(ROOT / "results/indices", copy / "indices")
    published = (copy / "indices/realized.parquet").read_bytes()
    realized = read_realized(copy, "indices")
    other = replace(realized, measure_var=realized.measure_var * (1 + 7e-16))
    assert write_realized(copy, "indices", other)
    kept = (copy / "indices/realized.parquet").read_bytes()
    assert kept != published
    assert bench.run(["har"], dataset="indices", results=copy).counts["run"] == 0
    assert (copy / "indices/realized.parquet").read_bytes() == kept


def test_a_folder_without_a_clone_runs_the_classical_entries(tmp_path):
    written = bench.init(tmp_path / "mine")
    assert [path.name for path in written] == ["bench.yaml", "datasets", "baselines", "garch", "har"]
    assert len(bench.plan(["har", "garch"], dataset="indices", root=tmp_path / "mine").units) == 4
    with pytest.raises(BenchError, match=r"has bench\.yaml, datasets"):
        bench.init(tmp_path / "mine")


class Mean(Forecaster):
    def fit(self, history):
        self.fitted = len(history)

    def forecast(self, history):
        return history.variance[history.fit_start :].mean(axis=0)


def test_a_trial_forecasts_what_a_run_does():
    trial = bench.try_entry("har", dataset="indices", split="official", last=10)
    stored = read(Place(ROOT / "results", "indices", "official", "next-day", "har")).forecasts
    np.testing.assert_allclose(trial.forecast_var, stored.forecast_var[-10:], rtol=1e-9)
    assert (trial.origins == stored.origins[-10:]).all()


def test_a_trial_keeps_the_schedule_of_fits():
    trial = bench.try_entry(Mean, dataset="indices", last=30, refit=20)
    n = len(bench.try_entry(Mean, dataset="indices", last=10**6).origins)
    assert trial.tried.fits == 2 + (n % 20 < 10)
    assert trial.tried.model.fitted > 0


def test_what_an_entry_raises_in_a_trial_comes_through():
    class Broken(Forecaster):
        def forecast(self, history):
            raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError, match="here"):
        bench.try_entry(Broken, dataset="indices", last=3)


@pytest.mark.parametrize(
    ("answer", "said"),
    [(np.ones(3), r"forecast has shape \(3,\), expected \(2,\)"), (np.array([1e-4, np.nan]), "is NaN")],
)
def test_a_trial_checks_what_comes_back(answer, said):
    class Odd(Forecaster):
        def forecast(self, history):
            return answer

    with pytest.raises(EntryError, match=said):
        bench.try_entry(Odd, dataset="indices", last=3)


def test_a_trial_hands_out_what_is_declared_and_no_more():
    class Looks(PathForecaster):
        def forecast(self, history):
            return np.tile(history.close[-1] * 0 + 1e-4, (self.steps, 1))

    assert bench.try_entry(Looks, dataset="indices", last=3).forecast_var.shape == (3, 2)
    with pytest.raises(UndeclaredError):
        bench.try_entry(Looks, dataset="indices", last=3, reads=[])
    with pytest.raises(BenchError, match="hands out no `vix`"):
        bench.try_entry(Looks, dataset="indices", last=3, reads=["vix"])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: bench.try_entry("harr", dataset="indices"), r"no entry `harr` \(did you mean `har`"),
        (lambda: bench.try_entry("har", dataset="indices", task="week"), "no task `week`"),
        (lambda: bench.history("indices", until="yesterday"), "until: yesterday is no day"),
        (lambda: bench.load_board("us22"), "no dataset `us22`"),
        (lambda: bench.run(["har"], dataset="indices", executor="ray"), "no executor `ray`"),
        (lambda: bench.load_board("us21").latex("next-day", columns=["qlik"]), "no column `qlik`"),
        (lambda: bench.load_board("us21").frame("tomorrow"), "no results of `tomorrow`"),
    ],
)
def test_mistakes_are_one_line(call, said):
    with pytest.raises(BenchError, match=said):
        call()


def test_a_history_ends_on_the_day_and_knows_nothing_later():
    history = bench.history("indices", until="2015-06-30")
    assert str(history.dates[-1]) == "2015-06-30"
    assert np.isnan(history.realized[-1]).all()
    assert not np.isnan(history.realized[-2]).any()

"""Where bars come from: snapshots and their faults, Yahoo (faked), the embedded indices. Offline."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from bench.data.load import find_snapshot, load_panel, snapshot_folders
from bench.data.snapshot import read_bars, write_snapshot
from bench.data.yahoo import Fetched, fetch, last_session_over
from bench.errors import DataError
from bench.registry.config import Dataset, Registry

ROOT = Path(__file__).parents[2]
DAYS = pd.bdate_range("2020-01-02", periods=8)
NOW = datetime(2020, 1, 14, 9, 30, tzinfo=ZoneInfo("America/New_York"))
SPLITS = """
splits:
  official: {fit: [2020-01-02, 2020-01-03], select: [2020-01-06, 2020-01-07], score: [2020-01-08, 2020-01-10]}
"""
WITH_VIX = "symbols: [AA, BRK.B]\nsource: {kind: snapshot, tickers: {BRK.B: brk-b}}\nvix: {from: 2020-01-02}\n"
PLAIN = "symbols: [AA, BRK.B]\nsource: {kind: snapshot}\nvolume: false\n"


@pytest.fixture(autouse=True)
def _no_bench_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)


def dataset(root: Path, content: str = WITH_VIX) -> Dataset:
    """The dataset `mine` of a registry written into `root`."""
    folder = root / "datasets" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "bench.yaml").write_text((ROOT / "bench.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    head = "title: Mine\nmeasure: garman-klass\nwarmup_from: 2020-01-02\n"
    (folder / "dataset.yaml").write_text(head + content + SPLITS, encoding="utf-8")
    return Registry(root).dataset("mine")


def bars() -> pd.DataFrame:
    frames = []
    for k, symbol in enumerate(["AA", "BRK.B"]):
        close = 100.0 / 3 + 10 * k + np.arange(len(DAYS)) % 3
        values = {"open": close - 0.4, "high": close + 0.7, "low": close - 1.0, "close": close, "volume": 1e3 + k}
        frames.append(pd.DataFrame({"date": DAYS, "symbol": symbol, **values}))
    return pd.concat(frames, ignore_index=True)


def vix() -> pd.Series:
    return pd.Series(np.linspace(15.0, 24.0, len(DAYS)), index=DAYS)


def refused(*fragments: str) -> pytest.RaisesExc[DataError]:
    """One line that holds all fragments, in this order."""
    return pytest.raises(DataError, match="(?s)^(?!.*\n).*" + ".*".join(re.escape(part) for part in fragments))


# --- snapshots


def test_nothing_heavy_is_imported_until_a_panel_is_loaded() -> None:
    code = "import bench.data.load, sys; print(*{'pandas', 'pyarrow', 'arch', 'yfinance'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_no_snapshot_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = dataset(tmp_path)
    cures = ("set BENCH_DATA", "mine/ with bars.parquet and vix.parquet", "put", "bench data fetch mine")
    with refused("mine: no bars", str(mine.folder), *cures):
        load_panel(mine)
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "bars"))
    with refused(str(tmp_path / "bars" / "mine"), str(mine.folder)):
        find_snapshot(mine)


def test_bench_data_comes_before_the_folder_of_the_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    assert find_snapshot(mine) == mine.folder
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "elsewhere"))
    assert find_snapshot(mine) == mine.folder, "a folder without bars is passed over"
    write_snapshot(tmp_path / "elsewhere" / "mine", bars(), vix() + 1)
    assert find_snapshot(mine) == tmp_path / "elsewhere" / "mine" == snapshot_folders(mine)[0]
    panel = load_panel(mine)
    assert panel.vix is not None and panel.vix[0] == 16.0
    assert load_panel(mine, mine.folder).vix is not None


def test_a_snapshot_reads_back_as_it_was_written(tmp_path: Path) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    assert sorted(path.name for path in mine.folder.iterdir()) == ["bars.parquet", "dataset.yaml", "vix.parquet"]
    pd.testing.assert_frame_equal(read_bars(mine, mine.folder), bars(), check_dtype=False)
    panel = load_panel(mine)
    assert panel.symbols == ("AA", "BRK.B") and panel.vix is not None and panel.vix.tolist() == vix().tolist()


def test_csv_and_parquet_are_the_same_bars(tmp_path: Path) -> None:
    one, other = dataset(tmp_path / "one"), dataset(tmp_path / "other")
    write_snapshot(one.folder, bars(), vix())
    bars().to_csv(other.folder / "bars.csv", index=False)
    vix().rename_axis("date").rename("close").to_csv(other.folder / "vix.csv")
    assert load_panel(one).identity() == load_panel(other).identity()


def test_an_own_dataset_without_vix_and_volume_needs_no_code(tmp_path: Path) -> None:
    mine = dataset(tmp_path, PLAIN)
    bars().drop(columns="volume").to_csv(mine.folder / "bars.csv", index=False)
    panel = load_panel(mine)
    assert panel.vix is None and np.isnan(panel.volume).all() and (panel.variance > 0).all()


def test_symbols_of_a_csv_are_text(tmp_path: Path) -> None:
    mine = dataset(tmp_path, PLAIN.replace("AA, BRK.B", "NA, '005930'"))
    renamed = bars().replace({"symbol": {"AA": "NA", "BRK.B": "005930"}})
    renamed.to_csv(mine.folder / "bars.csv", index=False)
    assert load_panel(mine).symbols == ("005930", "NA")


def test_empty_cells_of_a_csv_are_missing_prices(tmp_path: Path) -> None:
    mine = dataset(tmp_path, PLAIN)
    holes = bars().astype({"open": object})
    holes.loc[3, "open"] = None
    holes.to_csv(mine.folder / "bars.csv", index=False)
    with refused("mine: AA on 2020-01-07: open is NaN"):
        load_panel(mine)


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "only its tail missing": lambda content: content[:-20],
    "damaged inside": lambda content: content[:200] + b"\0" * 400 + content[600:],
    "no parquet": lambda content: b"date,symbol,open\n",
}


@pytest.mark.parametrize("name", ["bars.parquet", "vix.parquet"])
@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_file_is_one_line(fault: str, name: str, tmp_path: Path) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    path = mine.folder / name
    path.write_bytes(BROKEN[fault](path.read_bytes()))
    with refused("mine", str(path), "cannot be read", "bring it again or run `bench data fetch mine`"):
        load_panel(mine)


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        ("", ("bars.csv cannot be read", "bring it again")),
        ("date,symbol,open,high,low,close\n", ("bars.csv holds no rows",)),
        ('date,symbol\n"2020', ("bars.csv cannot be read",)),
        ("PAR1\n\0\0\n", ("no column date, symbol",)),
        ("date,symbol,open,high,low,close\n2020-01-02,AA,1,1,1,1\n2020-01-03,AA,1,", ("no bars of BRK.B",)),
    ],
)
def test_a_broken_csv_is_one_line(content: str, fragments: tuple[str, ...], tmp_path: Path) -> None:
    mine = dataset(tmp_path, PLAIN)
    (mine.folder / "bars.csv").write_text(content, encoding="utf-8")
    with refused("mine", *fragments):
        load_panel(mine)


def test_two_files_of_one_kind_are_refused(tmp_path: Path) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    bars().to_csv(mine.folder / "bars.csv", index=False)
    with refused("mine", "bars.parquet and bars.csv", "remove one"):
        load_panel(mine)


def test_a_missing_or_unreadable_vix_says_so(tmp_path: Path) -> None:
    mine = dataset(tmp_path)
    bars().to_parquet(mine.folder / "bars.parquet")
    with refused("mine: no VIX in", "vix.parquet or vix.csv", "bench data fetch mine", "remove `vix` from"):
        load_panel(mine)
    path = mine.folder / "vix.csv"
    path.write_text("day,close\n2020-01-02,15\n", encoding="utf-8")
    with refused("vix.csv has no column date", "found day, close"):
        load_panel(mine)
    path.write_text("date,close\n2020-01-02,fifteen\n", encoding="utf-8")
    with refused("vix.csv: column close holds no numbers"):
        load_panel(mine)
    path.write_text("date,close\n2020-01-02,15\n2020-01-03,\n", encoding="utf-8")
    with refused("mine: no VIX on 2020-01-03"):
        load_panel(mine)


def test_given_folder_without_bars(tmp_path: Path) -> None:
    with refused("mine: no bars in", str(tmp_path), "date, symbol, open, high, low, close, volume"):
        load_panel(dataset(tmp_path), tmp_path)


def test_a_write_that_fails_leaves_the_old_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    before = {path.name: path.read_bytes() for path in mine.folder.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refused(str(mine.folder), "cannot be written", "No space left", "the old one is as it was"):
        write_snapshot(mine.folder, bars().assign(volume=7.0), vix())
    assert {path.name: path.read_bytes() for path in mine.folder.iterdir()} == before


# --- Yahoo


class RateLimit(Exception):
    """In the place of yfinance's errors."""


RATE_LIMIT = "Too Many Requests. Rate limited. Try after a while."


class Yahoo:
    """A stand-in for the module `yfinance`: what a download brings can be spoilt, what was asked is kept."""

    def __init__(self) -> None:
        self.asked: dict[str, object] = {}
        self.log: list[str] = []
        self.error: Exception | None = None
        self.spoil: Callable[[pd.DataFrame], pd.DataFrame] = lambda data: data
        self.days = pd.bdate_range("2020-01-02", "2020-02-28")

    def download(self, tickers: list[str], **options: object) -> pd.DataFrame:
        """As yfinance answers: (Price, Ticker), sorted; `end` exclusive; failures logged, not raised."""
        self.asked = {"tickers": tickers, **options}
        if self.error:
            raise self.error
        for line in self.log:
            logging.getLogger("yfinance").error(line)
        days = self.days[(self.days >= str(options["start"])) & (self.days < str(options["end"]))]
        days = days.rename("Date")
        frames = {ticker: self.history(ticker, days, bool(options["auto_adjust"])) for ticker in tickers}
        data = pd.concat(frames.values(), axis=1, keys=frames.keys(), names=["Ticker", "Price"])
        data.columns = data.columns.swaplevel(0, 1)
        return self.spoil(data.sort_index(level=0, axis=1))

    @staticmethod
    def history(ticker: str, days: pd.DatetimeIndex, auto_adjust: bool) -> pd.DataFrame:
        close = 50.0 + len(ticker) + np.arange(len(days)) % 4
        prices = pd.DataFrame({"Open": close - 0.4, "High": close + 0.7, "Low": close - 1.0, "Close": close}, days)
        factor = 0.9
        if auto_adjust:
            prices *= factor
        else:
            prices["Adj Close"] = close * factor
        return prices.assign(Volume=0 if ticker.startswith("^") else 1000)


@pytest.fixture
def yahoo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Yahoo]:
    fake = Yahoo()
    module = types.ModuleType("yfinance")
    module.download = fake.download  # type: ignore[attr-defined]
    module.__version__ = "0"  # type: ignore[attr-defined]
    module.exceptions = types.SimpleNamespace(YFException=RateLimit)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "yfinance", module)
    yield fake
    assert logging.getLogger("yfinance").propagate, "the logger is as it was"


def blank(ticker: str, *days: str, first: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """All prices of a ticker NaN on these days, or from the row `first` on."""

    def spoil(data: pd.DataFrame) -> pd.DataFrame:
        data = data.astype("float64")
        rows = data.index.isin(pd.to_datetime(list(days))) if days else np.arange(len(data)) >= first
        data.loc[rows, data.columns.get_level_values("Ticker") == ticker] = np.nan
        return data

    return spoil


def test_fetch_writes_a_snapshot_that_loads(tmp_path: Path, yahoo: Yahoo) -> None:
    mine = dataset(tmp_path)
    fetched = fetch(mine, mine.folder, NOW)
    assert isinstance(fetched, Fetched) and fetched.notes == () and fetched.folder == mine.folder
    panel = load_panel(mine)
    assert panel.identity() == fetched.panel.identity()
    assert (str(panel.dates[0]), str(panel.dates[-1])) == ("2020-01-02", "2020-01-13"), "today is in progress"
    assert panel.close[0].tolist() == pytest.approx([0.9 * 52, 0.9 * 55])
    assert panel.close[0] / panel.open[0] == pytest.approx([52 / 51.6, 55 / 54.6])


def test_fetch_asks_once_for_adjusted_prices_of_sessions_that_are_over(tmp_path: Path, yahoo: Yahoo) -> None:
    fetch(dataset(tmp_path), tmp_path / "out", NOW)
    assert yahoo.asked["tickers"] == ["AA", "BRK-B", "^VIX"]
    assert (yahoo.asked["start"], yahoo.asked["end"]) == ("2020-01-02", "2020-01-14")
    assert yahoo.asked["auto_adjust"] is True and yahoo.asked["progress"] is False


def test_today_counts_in_the_evening_of_new_york() -> None:
    assert last_session_over(NOW) == date(2020, 1, 13)
    assert last_session_over(NOW.replace(hour=20)) == date(2020, 1, 14)
    assert last_session_over(datetime(2020, 1, 15, 0, 30, tzinfo=ZoneInfo("UTC"))) == date(2020, 1, 13)


def test_a_bar_of_today_is_left_out_even_if_yahoo_hands_it_out(tmp_path: Path, yahoo: Yahoo) -> None:
    mine = dataset(tmp_path)

    def spoil(data: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([data, data.iloc[[-1]].set_axis(pd.DatetimeIndex([pd.Timestamp("2020-01-14")]))])

    yahoo.spoil = spoil
    assert str(fetch(mine, mine.folder, NOW).panel.dates[-1]) == "2020-01-13"


def test_the_newest_session_waits_for_its_vix(tmp_path: Path, yahoo: Yahoo) -> None:
    mine = dataset(tmp_path)
    yahoo.spoil = blank("^VIX", "2020-01-13")
    fetched = fetch(mine, mine.folder, NOW)
    assert str(fetched.panel.dates[-1]) == "2020-01-10"
    assert fetched.notes == ("2020-01-13 is left out: its VIX is not out yet; fetch again later to get this session",)


@pytest.mark.parametrize(
    ("spoil", "fragments"),
    [
        (blank("^VIX", "2020-01-08"), ("mine: no VIX on 2020-01-08",)),
        (blank("^VIX", "2020-01-10", "2020-01-13"), ("mine: no VIX on 2020-01-10",)),
        (blank("BRK-B"), ("mine: Yahoo has no bars of BRK-B", "source.tickers", "again")),
        (blank("^VIX"), ("mine: Yahoo has no bars of ^VIX", "source.vix_ticker")),
        (blank("BRK-B", "2020-01-08"), ("mine: BRK.B has no bar on 2020-01-08",)),
        (lambda data: data.drop(columns="AA", level="Ticker"), ("mine: Yahoo has no bars of AA",)),
        (lambda data: data.iloc[:0], ("mine: Yahoo has no bars of AA, BRK-B, ^VIX",)),
        (lambda data: data.iloc[-1:].shift(30, "B"), ("mine: Yahoo has no finished session from 2020-01-02",)),
        (lambda data: data["Close"], ("mine: yfinance 0 answered in a form",)),
        (lambda data: None, ("mine: yfinance 0 answered in a form",)),
        (lambda data: data * np.repeat([0.5, 1.0], [3, 12]), ("mine: AA on 2020-01-02: low lies above",)),
    ],
)
def test_a_fetch_that_fails_keeps_the_old_snapshot(
    spoil: Callable[[pd.DataFrame], pd.DataFrame], fragments: tuple[str, ...], tmp_path: Path, yahoo: Yahoo
) -> None:
    mine = dataset(tmp_path)
    write_snapshot(mine.folder, bars(), vix())
    before = {path.name: path.read_bytes() for path in mine.folder.iterdir()}
    yahoo.spoil = spoil
    with refused(*fragments):
        fetch(mine, mine.folder, NOW)
    assert {path.name: path.read_bytes() for path in mine.folder.iterdir()} == before


@pytest.mark.parametrize("raised", [True, False])
def test_a_rate_limit_says_to_wait(
    raised: bool, tmp_path: Path, yahoo: Yahoo, caplog: pytest.LogCaptureFixture
) -> None:
    if raised:
        yahoo.error = RateLimit(RATE_LIMIT)
    else:
        yahoo.log = ["\n1 Failed download:", f"['BRK-B']: YFRateLimitError('{RATE_LIMIT}')"]
        yahoo.spoil = blank("BRK-B")
    with refused("mine: Yahoo limits the rate", "nothing was written", "wait", "`bench data fetch mine` again"):
        fetch(dataset(tmp_path), tmp_path / "out", NOW)
    assert not (tmp_path / "out").exists()
    assert not caplog.records


def test_a_reason_that_yfinance_only_logs_is_told(tmp_path: Path, yahoo: Yahoo) -> None:
    yahoo.log = ["\n1 Failed download:", "['BRK-B']: possibly delisted; no timezone found"]
    yahoo.spoil = blank("BRK-B")
    with refused("no bars of BRK-B (['BRK-B']: possibly delisted; no timezone found)"):
        fetch(dataset(tmp_path), tmp_path / "out", NOW)


def test_no_network(tmp_path: Path, yahoo: Yahoo) -> None:
    yahoo.error = OSError("Could not resolve host: query1.finance.yahoo.com")
    with refused("mine: yfinance failed: Could not resolve host", "nothing was written", "again later"):
        fetch(dataset(tmp_path), tmp_path / "out", NOW)


def test_without_yfinance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yfinance", None)
    with refused("mine: fetching bars needs yfinance", "not installed", 'pip install -e ".[fetch]"'):
        fetch(dataset(tmp_path), tmp_path / "out", NOW)


def test_fetch_without_vix_and_volume(tmp_path: Path, yahoo: Yahoo) -> None:
    mine = dataset(tmp_path, PLAIN)
    yahoo.spoil = lambda data: data.drop(columns="Volume", level="Price")
    with refused("no bars of BRK.B"):
        yahoo_without = blank("BRK.B")
        yahoo.spoil = lambda data: yahoo_without(data.drop(columns="Volume", level="Price"))
        fetch(mine, mine.folder, NOW)
    yahoo.spoil = lambda data: data.drop(columns="Volume", level="Price")
    fetch(mine, mine.folder, NOW)
    assert yahoo.asked["tickers"] == ["AA", "BRK.B"]
    assert load_panel(mine).vix is None and not (mine.folder / "vix.parquet").exists()


def test_fetch_refuses_a_folder_with_csv_and_other_kinds(tmp_path: Path, yahoo: Yahoo) -> None:
    mine = dataset(tmp_path)
    (mine.folder / "bars.csv").write_text("", encoding="utf-8")
    with refused("holds bars.csv", "move it away"):
        fetch(mine, mine.folder, NOW)
    with refused("indices: bars of kind arch need no fetching"):
        fetch(Registry(ROOT).dataset("indices"), tmp_path, NOW)
    assert yahoo.asked == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # yfinance's own use of pandas
def test_the_real_download_swallows_errors_as_the_fake_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """yfinance's own code over faked tickers: shapes, exclusive end, and a rate limit that is only logged."""
    multi = pytest.importorskip("yfinance.multi")
    exceptions = pytest.importorskip("yfinance.exceptions")
    failing: set[str] = set()

    class Ticker:
        def __init__(self, ticker: str, **_: object) -> None:
            self.ticker = ticker
            self._price_history = None

        def history(self, *, start: str, end: str, auto_adjust: bool, **_: object) -> pd.DataFrame:
            if self.ticker in failing:
                raise exceptions.YFRateLimitError
            days = pd.bdate_range(start, end, inclusive="left", tz="America/New_York", name="Date")
            return Yahoo.history(self.ticker, days, auto_adjust)

    monkeypatch.setattr(multi, "Ticker", Ticker)
    mine = dataset(tmp_path)
    panel = fetch(mine, mine.folder, NOW).panel
    assert panel.close.shape == (8, 2) and str(panel.dates[-1]) == "2020-01-13"
    failing.add("BRK-B")
    with refused("mine: Yahoo limits the rate"):
        fetch(mine, mine.folder, NOW)
    failing.update(["AA", "^VIX"])
    with refused("mine: Yahoo limits the rate"):
        fetch(mine, mine.folder, NOW)


# --- embedded and committed


def test_embedded_indices() -> None:
    indices = Registry(ROOT).dataset("indices")
    panel = load_panel(indices)
    assert panel.symbols == ("NASDAQ", "SP500") and panel.close.shape == (5031, 2)
    assert panel.close[0].tolist() == pytest.approx([2208.05, 1228.10], abs=0.01)
    assert panel.vix is not None
    known = np.isfinite(panel.vix)
    assert str(panel.dates[known][0]) == "2014-01-03" and known[panel.position(date(2014, 1, 3)) :].all()
    assert {name: panel.until(indices.split(name).score.last).identity() for name in indices.splits} == indices.identity


def test_embedded_source_knows_two_symbols(tmp_path: Path) -> None:
    with refused("mine: arch has no bars of SP5000 (did you mean `SP500`?)", "dataset.yaml"):
        load_panel(dataset(tmp_path, "symbols: [SP5000]\nsource: {kind: arch}\n"))


SNAPSHOTS = (Path(os.environ.get("BENCH_DATA", "-")), ROOT / "datasets")
US21 = next((folder / "us21" for folder in SNAPSHOTS if (folder / "us21" / "bars.parquet").is_file()), None)


@pytest.mark.skipif(US21 is None, reason="needs a snapshot of us21: set BENCH_DATA")
def test_us21_snapshot_is_the_one_that_is_pinned() -> None:
    us21 = Registry(ROOT).dataset("us21")
    panel = load_panel(us21, US21)
    pinned = {name: panel.until(us21.split(name).score.last).identity() for name in us21.identity}
    assert pinned == us21.identity and set(pinned) == {"development", "official"}

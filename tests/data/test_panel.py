"""Every rule of the protocol on bars, with the message that a person gets; identity; comparison of vintages."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from bench.data.checks import as_days, panel_from_frames
from bench.data.panel import Panel, oddities
from bench.data.vintages import compare_panels
from bench.errors import DataError

DAYS = pd.bdate_range("2020-01-02", periods=6)
START = date(2020, 1, 2)
THIRD = "2020-01-06"


def long_bars() -> pd.DataFrame:
    """Six sound sessions of AA and BB."""
    frames = []
    for k, symbol in enumerate(["AA", "BB"]):
        close = 100.0 + 10 * k + np.array([0.0, 1.0, -1.0, 2.0, 0.5, 1.5])
        open_ = close - 0.4
        frames.append(
            pd.DataFrame(
                {
                    "date": DAYS,
                    "symbol": symbol,
                    "open": open_,
                    "high": close + 0.7,
                    "low": open_ - 0.6,
                    "close": close,
                    "volume": 1000.0 + k,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def closes_of_vix() -> pd.Series:
    return pd.Series([12.0, 13.0, 21.0, 25.0, 19.0, 18.0], index=DAYS)


def build(bars: pd.DataFrame | None = None, vix: pd.Series | None = None, **options: object) -> Panel:
    given: dict[str, object] = {
        "dataset": "mine",
        "symbols": ["BB", "AA"],
        "measure": "garman-klass",
        "warmup_from": START,
        "vix_from": START,
        **options,
    }
    return panel_from_frames(
        long_bars() if bars is None else bars,
        closes_of_vix() if vix is None else vix,
        **given,  # type: ignore[arg-type]
    )


def put(column: str, value: object, symbol: str = "BB", day: str = THIRD) -> pd.DataFrame:
    """The sound bars with one value changed."""
    bars = long_bars()
    if isinstance(value, str):
        bars[column] = bars[column].astype(object)
    bars.loc[(bars["symbol"] == symbol) & (bars["date"] == day), column] = value
    return bars


def without(symbol: str, *days: str) -> pd.DataFrame:
    bars = long_bars()
    return bars[~((bars["symbol"] == symbol) & bars["date"].isin(pd.to_datetime(list(days))))]


def refused(*fragments: str) -> pytest.RaisesExc[DataError]:
    """One line that holds all fragments, in this order."""
    return pytest.raises(DataError, match="(?s)^(?!.*\n).*" + ".*".join(re.escape(part) for part in fragments))


def test_a_sound_panel_is_sorted_and_rectangular() -> None:
    panel = build()
    assert panel.symbols == ("AA", "BB")
    assert [str(day) for day in panel.dates[:2]] == ["2020-01-02", "2020-01-03"]
    assert panel.close.shape == (6, 2)
    assert panel.close[1].tolist() == [101.0, 111.0]
    assert panel.vix is not None and panel.vix.tolist() == closes_of_vix().tolist()
    assert np.isnan(panel.returns[0]).all() and panel.returns[1, 0] == pytest.approx(math.log(1.01))
    u, d, c = math.log(100.7 / 99.6), math.log(99.0 / 99.6), math.log(100 / 99.6)
    assert panel.variance[0, 0] == pytest.approx(0.5 * (u - d) ** 2 - (2 * math.log(2) - 1) * c**2, rel=1e-12)


@pytest.mark.parametrize("missing", ["date", "symbol", "open", "high", "low", "close"])
def test_missing_column(missing: str) -> None:
    with refused("mine", f"no column {missing}", "found", "every bar needs"):
        build(long_bars().drop(columns=missing))


def test_missing_volume_says_how_to_do_without() -> None:
    bars = long_bars().drop(columns="volume")
    with refused("mine", "no column volume", "`volume: false`"):
        build(bars)
    assert np.isnan(build(bars, with_volume=False).volume).all()


FAULTS: dict[str, tuple[Callable[[], pd.DataFrame], tuple[str, ...]]] = {
    "missing symbol": (lambda: without("BB", *map(str, DAYS)), ("mine", "no bars of BB", "dataset.yaml")),
    "duplicates": (
        lambda: pd.concat([long_bars(), long_bars().iloc[[2]]]),
        ("mine", "AA", "two bars", THIRD, "1 duplicates", "keep one"),
    ),
    "missing session": (
        lambda: without("BB", THIRD, "2020-01-08"),
        ("mine", "BB", f"no bar on {THIRD}", "2 missing", "bring the bar or take"),
    ),
    "late start": (
        lambda: without("BB", "2020-01-02", "2020-01-03"),
        ("mine", "BB starts on 2020-01-06", "the dataset on 2020-01-02", "set warmup_from to 2020-01-06"),
    ),
    "early end": (
        lambda: without("AA", "2020-01-08", "2020-01-09"),
        ("mine", "AA ends on 2020-01-07", "the dataset on 2020-01-09", "bring the later bars or take AA"),
    ),
    "NaN": (lambda: put("low", np.nan), ("mine", "BB", THIRD, "low is NaN", "1 such bars", "bring the bar again")),
    "infinite": (lambda: put("high", np.inf), ("mine", "BB", THIRD, "high is NaN or infinite")),
    "text": (lambda: put("close", "1,234.5"), ("mine", "BB", THIRD, "close is no number", "'1,234.5'", "write")),
    "zero price": (lambda: put("low", 0.0), ("mine", "BB", THIRD, "low is not positive", "bring")),
    "negative price": (lambda: put("open", -1.0), ("mine", "BB", THIRD, "open is not positive")),
    "only the close adjusted": (
        lambda: put("close", 130.0),
        ("mine", "BB", THIRD, "high lies below open or close", "same factor", "only the close adjusted"),
    ),
    "low above": (lambda: put("low", 109.5), ("mine", "BB", THIRD, "low lies above open or close", "same factor")),
    "negative volume": (lambda: put("volume", -1.0), ("mine", "BB", THIRD, "volume is negative")),
    "NaN volume": (lambda: put("volume", np.nan), ("mine", "BB", THIRD, "volume is NaN", "`volume: false`")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_names_dataset_symbol_day_rule_and_cure(fault: str) -> None:
    make, fragments = FAULTS[fault]
    with refused(*fragments):
        build(make())


def test_all_that_symbols_lack_is_one_message() -> None:
    bars = without("BB", "2020-01-02", "2020-01-08")
    third = without("BB", *map(str, DAYS)).assign(symbol="CC")
    third = third[~third["date"].isin(pd.to_datetime(["2020-01-02", "2020-01-03", "2020-01-09"]))]
    with pytest.raises(DataError) as caught:
        build(pd.concat([bars, third]), symbols=["AA", "BB", "CC"])
    head, *lines = str(caught.value).splitlines()
    assert head == "mine: every symbol needs every session:"
    assert [line.split(": ")[0].split(",")[0].strip() for line in lines] == [
        "BB starts on 2020-01-03", "BB has no bar on 2020-01-08", "CC starts on 2020-01-06", "CC ends on 2020-01-08",
    ]  # fmt: skip
    assert all("out of dataset.yaml" in line for line in lines)


def test_everything_starting_late_is_no_shorter_history_in_silence() -> None:
    bars = long_bars()
    with refused("mine", "bars start on 2020-01-02", "warmup_from 2019-06-03", "bring the earlier bars or set"):
        build(bars, warmup_from=date(2019, 6, 3))
    assert len(build(bars, warmup_from=date(2019, 12, 28)).dates) == 6


def test_sessions_before_the_warm_up_and_other_symbols_are_not_checked() -> None:
    bars = put("low", np.nan, day="2020-01-02")
    other = long_bars().assign(symbol="CC", close=-1.0)
    panel = build(pd.concat([bars, other]), warmup_from=date(2020, 1, 3))
    assert str(panel.dates[0]) == "2020-01-03" and panel.symbols == ("AA", "BB")


def test_rounding_within_the_tolerance_makes_a_sound_bar() -> None:
    bars = put("high", 109.0 * (1 - 5e-10))
    panel = build(bars)
    assert panel.high[2, 1] == panel.close[2, 1] == 109.0
    with refused("high lies below"):
        build(put("high", 109.0 * (1 - 2e-9)))


def test_a_flat_bar_off_by_rounding_has_no_negative_variance() -> None:
    bars = long_bars()
    here = (bars["symbol"] == "BB") & (bars["date"] == THIRD)
    bars.loc[here, ["open", "high", "low"]] = 100.0
    bars.loc[here, "close"] = 100.0 * (1 + 9e-10)
    assert (build(bars).variance >= 0).all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([20200102] * 12, "holds numbers (20200102); write days as 2010-01-04"),
        (["soon"] * 12, "cannot be read"),
        (pd.DatetimeIndex(np.tile(DAYS, 2)).tz_localize("UTC"), "time zone"),
        ([pd.NaT, *np.tile(DAYS, 2)[1:]], "empty in row 0"),
    ],
)
def test_dates_that_are_no_days(column: object, message: str) -> None:
    with refused("mine: bars: column date", message):
        build(long_bars().assign(date=column))


def test_days_as_text_and_with_a_time_of_day() -> None:
    days = as_days(pd.Series(["2020-01-02", "2020-01-03"]), "mine")
    assert [str(day)[:10] for day in days] == ["2020-01-02", "2020-01-03"]
    assert build(long_bars().assign(date=lambda b: b["date"] + pd.Timedelta("16h"))).identity() == build().identity()


def test_vix_missing_on_a_session() -> None:
    with refused("mine", f"no VIX on {THIRD} (2 sessions", "bring it", "vix.from"):
        build(vix=closes_of_vix().drop(pd.to_datetime([THIRD, "2020-01-08"])))
    with refused("mine", "no VIX on 2020-01-09 (the newest session"):
        build(vix=closes_of_vix().iloc[:-1])
    with refused(f"no VIX on {THIRD}"):
        build(vix=closes_of_vix().replace(21.0, 0.0))
    with refused("mine", "VIX has two values on 2020-01-03", "keep one"):
        build(vix=pd.concat([closes_of_vix(), closes_of_vix().iloc[[1]]]).sort_index())


def test_vix_from_a_later_day_is_nan_before() -> None:
    panel = build(vix=closes_of_vix().iloc[1:], vix_from=date(2020, 1, 6))
    assert panel.vix is not None
    assert np.isnan(panel.vix).tolist() == [True, True, False, False, False, False]
    assert build(vix_from=None).vix is None


def test_oddities_are_counted_not_refused() -> None:
    bars = put("volume", 0.0)
    prices = ["open", "high", "low", "close"]
    bars.loc[(bars["symbol"] == "AA") & (bars["date"] == THIRD), prices] = 150.0
    assert oddities(build(bars)) == {"zero-range bars": 1, "zero-volume bars": 1, "|log return| > 0.25": 2}


def test_identity_does_not_depend_on_the_order_of_rows_columns_or_symbols() -> None:
    shuffled = long_bars().sample(frac=1, random_state=3)[list(long_bars().columns[::-1])]
    assert build(shuffled, symbols=["AA", "BB"]).identity() == build().identity()
    assert len(build().identity()) == 64


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume", "vix"])
def test_identity_changes_with_any_value(name: str) -> None:
    panel = build()
    values = getattr(panel, name).copy()
    values[(3,) * values.ndim if name == "vix" else (3, 1)] *= 1 + 1e-15 * 4
    assert replace(panel, **{name: values}).identity() != panel.identity()


def test_identity_changes_with_days_symbols_and_length() -> None:
    panel = build()
    others = [
        replace(panel, dates=panel.dates + np.timedelta64(1, "D")),
        replace(panel, symbols=("AA", "CC")),
        replace(panel, vix=None),
        panel.until(date(2020, 1, 8)),
    ]
    assert len({panel.identity(), *(other.identity() for other in others)}) == 5


def test_until_cuts_everything_after_the_day() -> None:
    panel = replace(build(), true_var=np.ones((6, 2)))
    cut = panel.until(date(2020, 1, 7))
    assert cut.vix is not None and cut.true_var is not None
    assert {len(values) for values in (cut.dates, cut.open, cut.close, cut.volume, cut.vix, cut.true_var)} == {4}
    assert panel.until(None) is panel
    assert panel.position(date(2020, 1, 7)) == 3 and panel.position(date(2020, 1, 7), "right") == 4


def test_comparison_ignores_adjustment() -> None:
    ours = build()
    scaled = long_bars()
    factor = np.where(scaled["symbol"] == "AA", 0.5, 0.97)
    for name in ("open", "high", "low", "close"):
        scaled[name] *= factor
    gaps = compare_panels(ours, build(scaled))
    assert [gap.quantity for gap in gaps] == ["ln(H/L)", "ln(C/O)", "return", "VIX"]
    assert max(gap.largest for gap in gaps) < 1e-14
    assert build(scaled).identity() != ours.identity()


def test_comparison_says_where_and_how_much() -> None:
    gaps = {gap.quantity: gap for gap in compare_panels(build(), build(put("high", 112.0)))}
    assert (gaps["ln(H/L)"].symbol, gaps["ln(H/L)"].day) == ("BB", THIRD)
    assert gaps["ln(H/L)"].largest == pytest.approx(math.log(112.0 / 109.7))
    assert gaps["ln(C/O)"].largest == gaps["return"].largest == 0


def test_comparison_on_what_both_have() -> None:
    ours = build()
    theirs = build(long_bars().query("symbol == 'BB'"), symbols=["BB"], vix_from=None).until(date(2020, 1, 7))
    assert [gap.symbol for gap in compare_panels(ours, theirs)] == ["BB", "BB", "BB"]
    with refused("mine", "no session and symbol in common"):
        compare_panels(ours, replace(theirs, symbols=("CC",)))


# A measure that is a column of the bars -------------------------------------------------------------

RV = np.array([1e-4, 2e-4, 0.0, 4e-4, 5e-4, 6e-4])
COLUMN = "column rv5"


def with_rv(bars: pd.DataFrame | None = None) -> pd.DataFrame:
    """The six sound sessions with a column `rv5`, of BB three times that of AA."""
    bars = long_bars() if bars is None else bars
    return bars.assign(rv5=np.concatenate([RV, 3 * RV]))


def changed(value: object, day: str = THIRD) -> pd.DataFrame:
    bars = with_rv()
    bars["rv5"] = bars["rv5"].astype(object) if isinstance(value, str) else bars["rv5"]
    bars.loc[(bars["symbol"] == "BB") & (bars["date"] == day), "rv5"] = value
    return bars


def measured(bars: pd.DataFrame | None = None, **options: object) -> Panel:
    return build(with_rv() if bars is None else bars, measure=COLUMN, **options)


def test_the_column_is_the_variance_whatever_the_prices_say() -> None:
    panel = measured(with_rv().sample(frac=1, random_state=3))
    np.testing.assert_array_equal(panel.variance, np.stack([RV, 3 * RV], axis=1))
    assert panel.measure == COLUMN
    assert oddities(panel)["zero rv5"] == 2 and not any(name.startswith("zero rv5") for name in oddities(build()))


COLUMN_FAULTS: dict[str, tuple[pd.DataFrame, tuple[str, ...]]] = {
    "no column": (long_bars(), ("mine", "no column rv5", "found", "volume, rv5")),
    "missing": (changed(np.nan), ("mine", "BB", THIRD, "rv5 is NaN or infinite", "1 such bars", "bring the value")),
    "infinite": (changed(np.inf), ("mine", "BB", THIRD, "rv5 is NaN or infinite")),
    "negative": (changed(-1e-9), ("mine", "BB", THIRD, "rv5 is negative", "1 such bars", "decimal")),
    "absurd": (changed(1e5), ("mine", "BB", THIRD, "rv5 is above 10000")),
    "text": (changed("n/a"), ("mine", "BB", THIRD, "rv5 is no number")),
}


@pytest.mark.parametrize("fault", COLUMN_FAULTS)
def test_a_fault_names_dataset_symbol_and_date(fault: str) -> None:
    bars, fragments = COLUMN_FAULTS[fault]
    with refused(*fragments):
        measured(bars)


def test_the_identity_covers_the_column_and_only_where_it_is_the_measure() -> None:
    assert build(with_rv()).identity() == build().identity()
    identities = {
        build().identity(), measured().identity(), measured(changed(1e-9)).identity(),
        measured().until(date(2020, 1, 8)).identity(),
    }  # fmt: skip
    assert len(identities) == 4


def test_the_column_is_cut_with_the_panel() -> None:
    panel = measured()
    np.testing.assert_array_equal(panel.until(date(2020, 1, 7)).variance, panel.variance[:4])
    np.testing.assert_array_equal(panel.part(["BB"], -2).variance, panel.variance[-2:, 1:])


def test_two_vintages_are_compared_in_it_too() -> None:
    gaps = {gap.quantity: gap for gap in compare_panels(measured(), measured(changed(5e-4)))}
    assert (gaps["the measure"].symbol, gaps["the measure"].day) == ("BB", THIRD)
    assert gaps["the measure"].largest == 5e-4
    assert "the measure" not in {gap.quantity for gap in compare_panels(measured(), build())}


# How far sessions lie apart -------------------------------------------------------------------------


def spaced(freq: str) -> pd.DataFrame:
    days = pd.date_range("2020-01-03", periods=6, freq=freq)
    return long_bars().assign(date=[*days, *days])


@pytest.mark.parametrize(
    ("freq", "declared", "fragments"),
    [
        ("7D", 252, ("mine", "7 calendar days after", "252", "`sessions_per_year: 52`")),
        ("30D", 252, ("mine", "30 calendar days after", "`sessions_per_year: 12`")),
        ("30D", 52, ("mine", "30 calendar days after", "52", "`sessions_per_year: 12`")),
        ("B", 52, ("mine", "1 calendar days after", "52", "take sessions_per_year out")),
        ("7D", 12, ("mine", "7 calendar days after", "12", "`sessions_per_year: 52`")),
    ],
)
def test_bars_of_another_frequency_are_refused(freq: str, declared: int, fragments: tuple[str, ...]) -> None:
    with refused(*fragments):
        build(spaced(freq), vix_from=None, sessions_per_year=declared)


@pytest.mark.parametrize(
    ("freq", "declared"), [("7D", 52), ("B", 252), ("D", 365), ("D", 252), ("B", 260), ("30D", 12)]
)
def test_what_is_declared_is_accepted(freq: str, declared: int) -> None:
    assert len(build(spaced(freq), vix_from=None, sessions_per_year=declared).dates) == 6

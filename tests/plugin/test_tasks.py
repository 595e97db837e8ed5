"""Targets by hand, the rows of windows, and what a history shows at a refit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bench.plugin.history import History, Tape, UndeclaredError, example_history, fields_of
from bench.plugin.tasks import (
    ONE_STEP,
    Rows,
    Task,
    from_path,
    induced,
    latest_known,
    rows_inside,
    score_rows,
    target,
    trailing_mean,
)
from bench.stats import losses

NEXT_DAY = Task("next-day", ahead=1)
WEEK = Task("week-ahead", ahead=5)
MONTH = Task("month-ahead", ahead=21)
ROLLING = Task("rolling-21d", ahead=1, behind=20)
TASKS = (NEXT_DAY, WEEK, MONTH, ROLLING)


def measure_var(n: int = 120, symbols: int = 2, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).chisquare(2, (n, symbols)) * 1e-4


def test_targets_by_hand():
    g = np.arange(1.0, 9.0)  # session t has measure t + 1
    assert_array_equal(target(g, NEXT_DAY), [2, 3, 4, 5, 6, 7, 8, np.nan])
    assert_array_equal(target(g, WEEK), [4, 5, 6, np.nan, np.nan, np.nan, np.nan, np.nan])
    assert_array_equal(target(g, Task("rolling-3d", 1, 2)), [np.nan, 2, 3, 4, 5, 6, 7, np.nan])
    assert_array_equal(latest_known(g, NEXT_DAY), g)
    assert_array_equal(latest_known(g, WEEK), [np.nan] * 4 + [3, 4, 5, 6])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_target_is_the_mean_of_its_own_sessions_and_no_others(task):
    g = measure_var()
    realized = target(g, task)
    for t in (30, 60, 98):
        first, last = t - task.behind + 1, t + task.ahead
        assert_allclose(realized[t], g[first : last + 1].mean(axis=0), rtol=1e-12)
        other = g.copy()
        other[:first], other[last + 1 :] = 1.0, 1.0
        assert_allclose(target(other, task)[t], realized[t], rtol=1e-12)
    assert np.isnan(realized[len(g) - task.ahead :]).all()
    assert np.isnan(realized[: max(task.behind - 1, 0)]).all()


def test_one_missing_session_unsettles_only_the_targets_that_hold_it():
    g = measure_var(60, 1)
    g[40] = np.nan
    missing = np.flatnonzero(np.isnan(target(g, WEEK)[:55, 0]))
    assert_array_equal(missing, np.arange(35, 40))


def test_rolling_is_accounting_of_twenty_known_days_and_one_unknown():
    g = measure_var()
    realized = target(g, ROLLING)
    t = 50
    assert_allclose(realized[t], (g[t - 19 : t + 1].sum(axis=0) + g[t + 1]) / 21, rtol=1e-12)
    next_day = target(g, NEXT_DAY)
    assert_allclose(induced(next_day, g, ROLLING)[19:-1], realized[19:-1], rtol=1e-12)  # a perfect forecast


def test_the_induced_squared_error_is_the_next_days_over_441():
    g = measure_var()
    rows = slice(19, -1)
    forecast_var = np.full_like(g, 1.5e-4)
    next_day = losses.squared_error_var(target(g, NEXT_DAY)[rows], forecast_var[rows])
    rolling = losses.squared_error_var(target(g, ROLLING)[rows], induced(forecast_var, g, ROLLING)[rows])
    assert_allclose(rolling * 441, next_day, rtol=1e-8, atol=1e-12)


def test_a_path_gives_every_task_the_mean_of_its_steps():
    path_var = np.arange(1.0, 22.0)[:, None] * np.array([1.0, 10.0])
    assert_allclose(from_path(path_var, NEXT_DAY), [1, 10])
    assert_allclose(from_path(path_var, WEEK), [3, 30])
    assert_allclose(from_path(path_var, MONTH), [11, 110])
    assert_allclose(from_path(np.stack([path_var, 2 * path_var]), WEEK), [[3, 30], [6, 60]])
    with pytest.raises(ValueError, match="rolling-21d"):
        from_path(path_var, ROLLING)


def test_means_of_too_short_a_past_are_nan():
    assert np.isnan(trailing_mean(np.ones(3), 4)).all()
    assert_array_equal(trailing_mean(np.ones(4), 4), [np.nan, np.nan, np.nan, 1])


@given(st.sampled_from(TASKS), st.integers(25, 60), st.integers(0, 40))
def test_no_target_straddles_the_window_it_is_counted_in(task, first, length):
    last = first + length
    inside, scored = rows_inside(task, first, last), score_rows(task, first, last)
    n = 130
    for t in range(21, n - 21):
        used = range(t - task.behind + 1, t + task.ahead + 1)
        unknown = range(t + 1, t + task.ahead + 1)
        assert inside.mask(n)[t] == all(first <= s <= last for s in used)
        assert scored.mask(n)[t] == all(first <= s <= last for s in unknown)


@given(st.sampled_from(TASKS), st.integers(0, 40), st.integers(1, 40))
def test_windows_that_follow_each_other_share_no_session_of_a_target(task, length, gap):
    first = 40
    earlier = rows_inside(task, first, first + length)
    later = rows_inside(task, first + length + 1, first + length + gap)
    used = {s for t in range(earlier.first, earlier.last + 1) for s in range(t - task.behind + 1, t + task.ahead + 1)}
    reused = {s for t in range(later.first, later.last + 1) for s in range(t - task.behind + 1, t + task.ahead + 1)}
    assert not used & reused


def test_rows_count_and_mask_alike():
    assert len(Rows(3, 5)) == Rows(3, 5).mask(10).sum() == 3
    assert len(Rows(5, 3)) == Rows(5, 3).mask(10).sum() == 0
    assert len(score_rows(MONTH, 10, 20)) == 0  # a window shorter than the target has no origin


# What an entry sees.

FIT, SELECT = (30, 79), (80, 99)


def walk(task: Task, g: np.ndarray, first_origin: int) -> Iterator[History]:
    """Views at each origin of a tape fed as the harness feeds it: the past at once, then session by session."""
    tape = Tape(
        ["AAA", "BBB"], ["returns", "variance"], has_vix=True, ahead=task.ahead, fit_start=FIT[0],
        fit=rows_inside(task, *FIT), select=rows_inside(task, *SELECT),
    )  # fmt: skip
    dates = np.busday_offset("2010-01-04", np.arange(len(g)), roll="forward")
    values = np.stack([g, g]).transpose(0, 2, 1)
    realized = target(g, task).T
    sent, known = 0, 0
    for t in range(first_origin, len(g)):
        now_known = max(0, t + 1 - task.ahead)
        rows = slice(sent, t + 1)
        tape.extend(dates[rows], np.full(t + 1 - sent, 15.0), values[:, :, rows], realized[:, known:now_known])
        sent, known = t + 1, now_known
        yield tape.history()


def last_view(task: Task, g: np.ndarray, first_origin: int) -> History:
    *_, history = walk(task, g, first_origin)
    return history


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_known_rows_grow_and_never_hold_an_unknown_target(task):
    g = measure_var()
    truth = target(g, task)
    for n, history in enumerate(walk(task, g, first_origin=100), start=101):
        known = history.known_rows
        assert len(history) == len(known) == n
        assert not np.isnan(history.realized[known]).any()
        assert_array_equal(history.realized[known], truth[:n][known])
        assert_array_equal(np.flatnonzero(known), np.arange(rows_inside(task, *FIT).first, n - task.ahead))
        assert np.isnan(history.realized[n - task.ahead :]).all()


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_fit_and_select_rows_never_grow_and_never_meet(task):
    fit, select = rows_inside(task, *FIT), rows_inside(task, *SELECT)
    for history in walk(task, measure_var(), first_origin=100):
        assert_array_equal(np.flatnonzero(history.fit_rows), np.arange(fit.first, fit.last + 1))
        assert_array_equal(np.flatnonzero(history.select_rows), np.arange(select.first, select.last + 1))
        assert not (history.fit_rows & history.select_rows).any()
        assert (history.known_rows >= history.fit_rows).all()
        assert history.fit_rows.sum() == FIT[1] - FIT[0] + 1 - task.length + 1


def test_views_are_read_only():
    history = example_history(60)
    for name in ("dates", "open", "close", "volume", "returns", "variance", "vix", "realized"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(history, name)[0] = getattr(history, name)[1]
    with pytest.raises(ValueError, match="read-only"):
        history.series("BBB").variance[0] = 1.0


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_memory_behind_a_view_holds_no_later_session(task):
    g = measure_var()
    history = last_view(task, g[:111], first_origin=100)
    for name in ("variance", "returns", "realized", "vix", "dates"):
        array = getattr(history, name)
        while array.base is not None:
            array = array.base
        beyond = array[..., 111:]
        assert beyond.size, "the buffer is larger than the history, else this shows nothing"
        assert (np.isnat if name == "dates" else np.isnan)(beyond).all()
        if name == "realized":
            assert np.isnan(array[:, 111 - task.ahead :]).all()


def test_a_view_that_is_kept_shows_no_session_after_its_own():
    g = measure_var()
    kept, *_, last = walk(WEEK, g, first_origin=100)
    assert (len(kept), len(last)) == (101, 120)
    assert_array_equal(kept.variance, g[:101])
    assert kept.known_rows.sum() == last.known_rows.sum() - 19


def test_history_and_series_show_the_same():
    g = measure_var()
    history = last_view(NEXT_DAY, g, first_origin=100)
    assert_array_equal(history.variance, g)
    assert len(history) == len(history.dates) == len(g)
    series = history.series("BBB")
    assert series.symbol == "BBB"
    assert_array_equal(series.variance, g[:, 1])
    assert_array_equal(series.realized, history.realized[:, 1])
    assert_array_equal(series.known_rows, history.known_rows)


def test_a_field_that_was_not_declared_is_named():
    history = last_view(NEXT_DAY, measure_var(), first_origin=118)
    with pytest.raises(UndeclaredError, match="add `volume` to `reads`"):
        history.volume  # noqa: B018 (reading it is the test)
    assert fields_of(["bars"]) == ["open", "high", "low", "close", "returns", "variance"]


def test_the_example_history_is_sound():
    history = example_history(90, ("AAA",))
    assert (history.high >= np.maximum(history.open, history.close)).all()
    assert (history.low <= np.minimum(history.open, history.close)).all()
    assert (history.variance > 0).all()
    assert_array_equal(history.realized[:-1], target(history.variance, ONE_STEP)[:-1])

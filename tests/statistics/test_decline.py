"""Lasting decline against a one-day dip: the table of reliability.md 7.3 again, and invariant 8.

Readings under which the table reproduces. A day is standard normal; a series begins with 14 days, so that the first
day of the count is the first with a full window. An alarm within k days is one on any of the first k days, the day of
the drop or dip being the first. A bad day is shifted by its sigmas; of two days both are. The rules of Western Electric
and the CUSUM begin cold on the first counted day; before a single bad day every rival has run for 14 days.

A number of the table is met when |measured - table| <= 2.58 sqrt(p (1 - p) (1 / 40,000 + 1 / N)) + half of the table's
last digit: the 99 % limits of the difference of two independent binomial samples, ours of N series and the table's of
40,000, plus its rounding; p is the pooled share.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu.catalogue.defaults import Decline, load_defaults
from kefu.settings import PROJECT
from kefu.statistics import decline
from kefu.statistics.decline import Delta, Observed
from kefu.statistics.sums import Floats

RULES: Decline = load_defaults(Path(PROJECT) / "config" / "defaults.yml").decline
DETECTOR, BASE = decline.of_days(RULES)
N = TABLE_N = 40_000
WARM_UP = DETECTOR.window - 1


def normal(seed: int, days: int, count: int = N) -> Floats:
    return np.random.default_rng(seed).standard_normal((count, WARM_UP + days))


def alarms(series: Floats, days: int, phi_star: float = 1.0) -> tuple[float, float]:
    """Shares of series with a watch, and with a confirmation, on any of the first days after the warm-up."""
    e = decline.smoothed(series, DETECTOR)
    watch = decline.watched(series, e, DETECTOR, phi_star)
    sure = decline.confirmed(watch, DETECTOR)
    counted = slice(WARM_UP, WARM_UP + days)
    return float(watch[:, counted].any(axis=1).mean()), float(sure[:, counted].any(axis=1).mean())


def limit(measured: float, stated: float, digit: float, count: int = N) -> float:
    pooled = (measured * count + stated * TABLE_N) / (count + TABLE_N)
    return 2.58 * math.sqrt(pooled * (1 - pooled) * (1 / count + 1 / TABLE_N)) + digit / 2


def assert_meets(measured: float, stated: float, digit: float = 0.01, count: int = N) -> None:
    """The table gives `stated` to `digit` (0.01 is a whole per cent)."""
    allowed = limit(measured, stated, digit, count)
    assert abs(measured - stated) <= allowed, f"measured {measured:.4f}, the table says {stated} ± {allowed:.4f}"


def autocorrelated(seed: int, days: int, phi: float) -> Floats:
    series = normal(seed, days)
    for day in range(1, series.shape[1]):
        series[:, day] = phi * series[:, day - 1] + math.sqrt(1 - phi**2) * series[:, day]
    return series


# --- the table --------------------------------------------------------------------------------------------------------


def test_the_standard_error_of_the_weighted_sum() -> None:
    assert round(DETECTOR.sigma, 4) == 0.3331


def test_false_alarms_in_22_and_250_days() -> None:
    watch, sure = alarms(series := normal(1, 250), 22)
    assert_meets(watch, 0.012, 0.001)
    assert_meets(sure, 0.001, 0.001)
    watch, sure = alarms(series, 250)
    assert_meets(watch, 0.13)
    assert_meets(sure, 0.01)


@pytest.mark.parametrize(
    ("sigmas", "watch_within", "confirmed_within"),
    [
        (1.0, {10: 0.53, 22: 0.91}, {10: 0.19, 15: 0.45, 22: 0.68}),
        (1.5, {10: 0.93}, {10: 0.66, 15: 0.93, 22: 0.99}),
        (2.0, {10: 1.00}, {10: 0.95}),
    ],
)
def test_true_drops_are_found(
    sigmas: float, watch_within: dict[int, float], confirmed_within: dict[int, float]
) -> None:
    series = normal(int(10 * sigmas), 22)
    series[:, WARM_UP:] -= sigmas
    for days, stated in watch_within.items():
        assert_meets(alarms(series, days)[0], stated)
    for days, stated in confirmed_within.items():
        assert_meets(alarms(series, days)[1], stated)


def test_a_drop_of_2_sigma_is_watched_on_day_4_and_confirmed_on_day_7() -> None:
    series = normal(4, 22)
    series[:, WARM_UP:] -= 2
    e = decline.smoothed(series, DETECTOR)
    watch = decline.watched(series, e, DETECTOR)
    sure = decline.confirmed(watch, DETECTOR)
    found = [np.median(np.argmax(flags[:, WARM_UP:], axis=1) + 1) for flags in (watch, sure)]
    assert found == [4, 7]


@pytest.mark.parametrize("sigmas", [3, 4, 6, 50])
def test_invariant_8_one_bad_day_beside_undipped_twins(sigmas: int) -> None:
    count = 2 * N
    series = normal(100 + sigmas, 10, count)
    twins = alarms(series, 5)[0], alarms(series, 10)[1]
    series[:, WARM_UP] -= sigmas
    watch, sure = alarms(series, 5)[0], alarms(series, 10)[1]
    assert watch <= 0.04
    assert sure <= 0.01
    assert watch - twins[0] <= 0.035
    assert sure - twins[1] <= 0.005
    # The table gives the range over the sizes.
    low, high = 0.025, 0.031
    assert low - limit(watch, low, 0.001, count) <= watch <= high + limit(watch, high, 0.001, count)
    low, high = 0.003, 0.004
    assert low - limit(sure, low, 0.001, count) <= sure <= high + limit(sure, high, 0.001, count)


def test_two_bad_days() -> None:
    series = normal(200, 10)
    series[:, WARM_UP : WARM_UP + 2] -= 3
    assert_meets(alarms(series, 5)[0], 0.21)
    assert_meets(alarms(series, 10)[1], 0.028, 0.001)


def test_days_that_resemble_the_day_before_need_the_wider_limit() -> None:
    series = autocorrelated(300, 22, 0.3)
    watch, sure = alarms(series, 22)
    assert_meets(watch, 0.081, 0.001)
    assert_meets(sure, 0.015, 0.001)
    watch, sure = alarms(series, 22, float(decline.phi_star_of(np.array([0.3]), RULES.phi_cap)[0]))
    assert_meets(watch, 0.011, 0.001)
    assert_meets(sure, 0.001, 0.001)


# --- rivals -----------------------------------------------------------------------------------------------------------


def last(flags: np.ndarray, count: int) -> np.ndarray:
    summed = np.cumsum(flags, axis=1)
    summed[:, count:] -= summed[:, :-count].copy()
    return summed


def ewma(series: Floats) -> Floats:
    level, at = np.empty_like(series), np.zeros(len(series))
    for day in range(series.shape[1]):
        at = 0.8 * at + 0.2 * series[:, day]
        level[:, day] = at
    return level


def test_one_point_below_2_sigma_alarms_40_percent() -> None:
    assert_meets(float((normal(400, 22)[:, WARM_UP:] < -2).any(axis=1).mean()), 0.40)


def test_four_western_electric_rules_alarm_10_percent() -> None:
    series = normal(401, 22)[:, WARM_UP:]
    rules = (series < -3) | (last(series < -2, 3) >= 2) | (last(series < -1, 5) >= 4) | (last(series < 0, 8) >= 8)
    assert_meets(float(rules.any(axis=1).mean()), 0.10)


def test_a_plain_ewma_alarms_5_percent_and_most_after_one_bad_day() -> None:
    series = normal(402, 22)
    steady = 2.7 * math.sqrt(0.2 / 1.8)
    assert_meets(float((ewma(series)[:, WARM_UP:] < -steady).any(axis=1).mean()), 0.049, 0.001)
    series[:, WARM_UP] -= 5
    beyond = ewma(series)[:, WARM_UP:] < -steady
    # The table's 63 % lies between an alarm on the day itself (62 %) and by the next day (64 %).
    assert beyond[:, 0].mean() < 0.63 < beyond[:, :2].any(axis=1).mean()


def test_a_cusum_alarms_5_percent_and_most_after_one_bad_day() -> None:
    series = normal(403, 22)
    assert_meets(float((decline.cusum(series[:, WARM_UP:], 0.5, 4) > 4).any(axis=1).mean()), 0.052, 0.001)
    series[:, WARM_UP] -= 5
    beyond = decline.cusum(series, 0.5, 4)[:, WARM_UP:] > 4
    # Likewise: 78 % on the day itself, 82 % by the next day; the table says 81 %.
    assert beyond[:, 0].mean() < 0.81 < beyond[:, :2].any(axis=1).mean()


# --- invariants -------------------------------------------------------------------------------------------------------


@given(
    size=st.floats(allow_nan=False, allow_infinity=False, width=64),
    day=st.integers(0, 39),
    phi=st.floats(-1, 1),
)
@settings(max_examples=300, deadline=None)
def test_invariant_8_a_single_day_on_a_zero_series_never_alarms(size: float, day: int, phi: float) -> None:
    series = np.zeros((1, 40))
    series[0, day] = size
    e = decline.smoothed(series, DETECTOR)
    known = e[0, DETECTOR.window - 1 :]
    assert (known >= 0).all(), "one day alone never pulls the sum down"
    star = decline.phi_star_of(np.array([phi]), RULES.phi_cap)
    assert not decline.watched(series, e, DETECTOR, star[:, None]).any()
    assert not decline.watched(-series, decline.smoothed(-series, DETECTOR), DETECTOR, star[:, None]).any()


@given(st.integers(0, 2**32 - 1), st.integers(20, 60))
@settings(max_examples=20, deadline=None)
def test_what_was_said_of_a_day_does_not_change_later(seed: int, known: int) -> None:
    series = np.random.default_rng(seed).standard_normal((20, 80))
    whole, earlier = (decline.smoothed(part, DETECTOR) for part in (series, series[:, :known]))
    np.testing.assert_array_equal(whole[:, :known], earlier)
    watched = [decline.watched(s, e, DETECTOR) for s, e in ((series, whole), (series[:, :known], earlier))]
    np.testing.assert_array_equal(watched[0][:, :known], watched[1])


# --- from values to residuals -----------------------------------------------------------------------------------------


def observed(values: Floats, team_size: int = 20, cases: int = 30, **changes: object) -> Observed:
    count, width = values.shape
    full = np.full((count, width), float(cases))
    given_: dict[str, object] = {
        "total": values * cases,
        "weight": full,
        "cases": full,
        "least_cases": 5,
        "scale": 1.0,
        "team": np.repeat(np.arange(count)[:, None] // team_size, width, axis=1),
        "team_names": tuple(f"team {number}" for number in range(count // team_size + 1)),
        "sign": 1,
        "is_band": False,
        "is_share": False,
        "is_time": False,
        "has_weekdays": True,
        "seed": "metric|period",
    }
    return Observed(**(given_ | changes))  # type: ignore[arg-type]


def judged(seen: Observed, delta: Delta | None = None) -> decline.Judged:
    return decline.judge(seen, delta or Delta("absolute", 0.0), RULES, DETECTOR, BASE)


def test_long_cases_of_a_day_are_no_decline() -> None:
    random = np.random.default_rng(12)
    cases = 8
    durations = np.exp(5 + random.standard_normal((400, 160, cases)))
    values = durations.mean(axis=2)
    values[0, -18:] *= np.exp(1.0)
    watched = {}
    for is_time in (False, True):
        seen = judged(observed(values, cases=cases, sign=-1, is_time=is_time))
        watched[is_time] = seen.down.is_watch[1:, -22:].any(axis=1).mean()
        assert seen.down.is_confirmed[0, -1], "who really needs longer is found"
    # The mean of few durations is high now and then; 1.2 % of healthy people are what the table states for 22 days.
    assert watched[True] <= 0.03 and watched[False] >= 2 * watched[True] > 0
    # What people read is in seconds.
    np.testing.assert_allclose(seen.level.centre[1:, -1].mean(), np.median(values[1:]), rtol=0.03)
    z = (np.log(values[1:, -1]) - np.log(seen.level.centre[1:, -1])) / (seen.sigma / seen.level.centre)[1:, -1]
    assert np.nanstd(z) == pytest.approx(1, abs=0.15)
    below = judged(observed(np.zeros((20, 160)) + 0.2, is_time=True, sign=-1))
    np.testing.assert_allclose(below.level.centre[:, -1], 1.0)


def test_the_baseline_is_that_of_the_first_day_of_the_window() -> None:
    values = np.arange(100.0)[None, :]
    base = replace(BASE, span=60)
    found = decline.level_of(values, values, np.ones_like(values), base)
    assert base.age == DETECTOR.window - 1
    # Day 99 is judged from day 85 on: of the days 26 to 85 the newest five are left out.
    assert found.centre[0, 99] == np.median(np.arange(26, 81))
    assert found.count[0, 99] == 55
    assert found.spread[0, 99] == pytest.approx(1.4826 * 14)
    assert np.isnan(found.centre[0, base.needed - 2])
    assert np.isfinite(found.centre[0, base.needed - 1])


def test_a_lasting_drop_does_not_become_the_usual_level_while_it_is_judged() -> None:
    values = np.full((1, 160), 100.0)
    values[0, -22:] = 80
    found = decline.level_of(values, values, np.ones_like(values), BASE)
    assert (found.centre[0, -22:] == 100).all()


def test_colleagues_who_fall_too_excuse_nobody_but_a_team_that_falls_does() -> None:
    values = 100 + 10 * np.random.default_rng(15).standard_normal((10, 200))
    values[:2, -15:] -= 20
    found = judged(observed(values, team_size=10))
    assert found.down.is_watch[:2, -5:].any(axis=1).all()
    assert np.nanmean(np.abs(found.team_z[:, -15:])) < 0.25
    values[2:, -15:] -= 20
    found = judged(observed(values, team_size=10))
    assert np.nanmean(found.team_z[:, -15:]) == pytest.approx(-2, abs=0.4)


def test_nobody_is_part_of_what_the_others_have_in_common() -> None:
    values = np.array([[1.0, 5], [2, np.nan], [30, 7], [4, np.nan], [9, np.nan]])
    np.testing.assert_array_equal(decline._of_others(values)[:, 0], [6.5, 6.5, 3, 5.5, 3])
    np.testing.assert_array_equal(decline._of_others(values)[[0, 2], 1], [7, 5])
    assert np.isnan(decline._of_others(values)[[1, 3, 4], 1]).all()


def test_the_limit_widens_by_what_is_not_known_of_the_baseline() -> None:
    values = 100 + 10 * np.random.default_rng(16).standard_normal((40, 160))
    found = judged(observed(values, has_weekdays=False))
    first = BASE.needed - 1
    # After 20 days the median's error is 0.28 of a day's, after 115 days 0.12.
    assert found.widened[0, first] >= 1.28
    assert found.widened[0, -1] < found.widened[0, first]


def test_everyone_in_a_team_getting_worse_is_one_issue_and_nobody_alone() -> None:
    values = 100 + 10 * np.random.default_rng(5).standard_normal((40, 160))
    values[:20, -15:] -= 12
    found = judged(observed(values))
    hit, other = found.teams.down.is_watch[:2]
    assert hit[-8:].any()
    assert not other[-15:].any()
    assert found.z_down[:20, -1].mean() > 0.5
    assert found.down.is_watch[:20, -1].mean() <= 0.15
    issues = decline.issues_of(found.teams, False, RULES, DETECTOR)
    assert issues.series[issues.cleared_at == -1].tolist() == [0]
    assert 1 not in issues.series


def test_one_agent_getting_worse_is_an_item_and_no_issue() -> None:
    values = 100 + 10 * np.random.default_rng(6).standard_normal((40, 160))
    values[3, -15:] -= 25
    values[4, -2] -= 500
    found = judged(observed(values), Delta("absolute", 5))
    items = decline.items_of(found.down, found.up, DETECTOR)
    still = items.cleared_at == -1
    sure = items.series[still & (items.confirmed_at >= 0)]
    assert sure.tolist() == [3]
    assert not (decline.issues_of(found.teams, False, RULES, DETECTOR).cleared_at == -1).any()


def test_a_small_change_is_never_confirmed_however_sure() -> None:
    values = 100 + 1 * np.random.default_rng(8).standard_normal((20, 160))
    values[3, -15:] -= 4
    found = judged(observed(values), Delta("absolute", 5))
    assert found.down.is_watch[3, -5:].all()
    assert not found.down.is_confirmed[3].any()
    assert judged(observed(values), Delta("absolute", 3)).down.is_confirmed[3, -1]


def test_an_unknown_practical_size_confirms_nothing() -> None:
    values = 100 + np.random.default_rng(9).standard_normal((4, 160))
    values[3, -15:] -= 40
    found = judged(observed(values, team_size=4), Delta("between_sd", 0.5))
    assert np.isnan(found.delta).all()
    assert found.down.is_watch[3].any()
    assert not found.down.is_confirmed.any()


def test_less_is_better_turns_the_sides_and_improvements_mirror() -> None:
    values = 100 + 10 * np.random.default_rng(10).standard_normal((20, 160))
    values[3, -15:] += 25
    better, worse = judged(observed(values)), judged(observed(values, sign=-1))
    assert better.up.is_confirmed[3, -1]
    assert worse.down.is_confirmed[3, -1]
    np.testing.assert_array_equal(better.up.is_watch, worse.down.is_watch)


def test_a_weekday_pattern_of_the_team_is_taken_out_of_the_team_itself() -> None:
    values = 100 + 5 * np.random.default_rng(11).standard_normal((20, 220))
    mondays = values.copy()
    mondays[:, ::7] -= 15
    flat, found = judged(observed(values)), judged(observed(mondays))
    column = max(c for c in range(0, 220, 7))
    assert np.nanmean(found.z[:, column]) == pytest.approx(np.nanmean(flat.z[:, column]), abs=0.8)


def test_the_same_data_give_the_same_bootstrap_and_about_two_thirds_of_the_agents() -> None:
    z = np.random.default_rng(12).standard_normal((30, 40))
    first, second = (decline.effective_agents(z, "aht|team|period", RULES) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    # The median of k normal values is worth 2 k / pi of them.
    assert first[-1] == pytest.approx(2 * 30 / math.pi, rel=0.35)


def test_an_estimated_baseline_costs_no_false_alarms() -> None:
    """The table knows the baseline; here it is estimated, and the limit widens by that. Stated: 1.2 % and 0.1 %."""
    values = 100 + 10 * np.random.default_rng(13).standard_normal((3000, 190))
    found = judged(observed(values))
    assert found.down.is_watch[:, -22:].any(axis=1).mean() <= 0.018
    assert found.down.is_confirmed[:, -22:].any(axis=1).mean() <= 0.003


# --- items ------------------------------------------------------------------------------------------------------------


def side(e: Floats, watch: list[int], sure: list[int] | None = None) -> decline.Side:
    flags = np.zeros(e.shape, dtype=bool)
    flags[:, watch] = True
    certain = np.zeros(e.shape, dtype=bool)
    certain[:, sure or []] = True
    return decline.Side(e, flags, certain)


def test_an_item_opens_once_clears_after_five_days_and_rests_ten() -> None:
    e = np.full((1, 60), 0.5)
    e[0, 10:20] = -1.0
    down = side(e, [10, 11, 12, 13, 30, 40], [13])
    e[0, 40:] = -1.0
    found = decline.items_of(down, None, DETECTOR)
    assert found.opened_at.tolist() == [10, 40]  # 30 falls into the ten days after the clearing
    assert found.confirmed_at.tolist() == [13, -1]
    assert found.cleared_at.tolist() == [24, -1]  # 20 to 24 are five clear days


def test_days_without_a_score_neither_clear_nor_break_the_run() -> None:
    e = np.full((1, 40), 0.5)
    e[0, 10] = -1.0
    e[0, 12:16] = np.nan
    found = decline.items_of(side(e, [10]), None, DETECTOR)
    assert found.cleared_at.tolist() == [19]  # 11 and 16 to 19


def test_an_alarm_on_the_other_side_takes_over() -> None:
    e = np.full((1, 60), -1.0)
    found = decline.items_of(side(e, [30]), side(e, [10]), DETECTOR)
    assert list(zip(found.side, found.opened_at, found.cleared_at, strict=True)) == [(1, 10, 30), (-1, 30, -1)]


def test_three_falling_periods_of_some_size_are_a_slow_decline() -> None:
    values = np.array([[90.0, 88, 84], [90, 88, 89], [90, 89.5, 89], [84, 88, 90], [90, np.nan, 84]])
    fell, rose = decline.slow_decline(values, 1, False, np.full(5, 5.0))
    assert fell.tolist() == [True, False, False, False, False]
    assert rose.tolist() == [False, False, False, True, False]
    assert decline.slow_decline(values, 1, True, np.full(5, 5.0))[0].tolist() == [True, False, False, True, False]
    assert not decline.slow_decline(values, 1, False, np.full(5, np.nan))[0].any()


def test_weeks_use_the_same_detector() -> None:
    weekly, base = decline.of_weeks(RULES)
    assert (weekly.window, weekly.confirm, base.least) == (15, (2, 3), 10)
    values = 85 + 3 * np.random.default_rng(14).standard_normal((20, 60))
    values[0, -6:] -= 9
    found = decline.judge(
        observed(values, cases=4, least_cases=2, has_weekdays=False), Delta("absolute", 5), RULES, weekly, base
    )
    assert found.down.is_confirmed[0, -1]
    assert found.down.is_confirmed[1:].any(axis=1).mean() <= 0.05


def test_arrays_of_different_shapes_are_refused() -> None:
    seen = observed(np.ones((2, 30)))
    wrong = Observed(**{name: getattr(seen, name) for name in Observed.__slots__} | {"team": np.zeros((2, 3), int)})
    with pytest.raises(ValueError, match="different shapes"):
        judged(wrong)

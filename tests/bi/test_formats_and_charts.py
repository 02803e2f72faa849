"""Numbers in words and positions, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from bi.charts import Bar, LineChart, Reading, Scale
from bi.formats import Formatter

ZH, EN = Formatter("zh-CN"), Formatter("en")


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "zh", "en"),
    [
        (Decimal("0.83145"), "share", 1, "83.1%", "83.1%"),
        (Decimal("0.8125"), "share", 1, "81.3%", "81.3%"),  # halves away from zero, as PostgreSQL rounds
        (Decimal("-0.0005"), "share", 1, "-0.1%", "-0.1%"),
        (0, "share", 1, "0.0%", "0.0%"),
        (Decimal("38.46"), "seconds", 1, "38.5秒", "38.5 s"),
        (Decimal("99.94"), "seconds", 1, "99.9秒", "99.9 s"),
        (Decimal(205), "seconds", 0, "3分25秒", "3m 25s"),
        (300, "seconds", 1, "5分钟", "5 min"),
        (7505, "seconds", 0, "2小时05分", "2h 05m"),
        (1234567, "count", 0, "1,234,567", "1,234,567"),
        (Decimal("86.35"), "score", 1, "86.4", "86.4"),
    ],
)
def test_values_carry_their_unit(value: Decimal, unit: str, decimals: int, zh: str, en: str) -> None:
    assert (ZH.value(value, unit, decimals), EN.value(value, unit, decimals)) == (zh, en)


def test_targets_say_which_side_is_good() -> None:
    assert EN.target(Decimal("0.80"), "share", "higher") == "≥ 80%"
    assert EN.target(Decimal("0.025"), "share", "lower") == "≤ 2.5%"
    assert ZH.target(300, "seconds", "band", 60) == "4分钟 – 6分钟"
    assert EN.target(Decimal("0.20"), "share", "band", Decimal("0.10")) == "10% – 30%"
    # Both limits have the decimals that one of them needs.
    assert EN.target(Decimal("1.5"), "ratio", "band", Decimal("0.25")) == "1.25 – 1.75"
    assert EN.target(Decimal("0.80"), "share", "band", Decimal("0.055")) == "74.5% – 85.5%"
    assert EN.target(85, "score", None) == "85"


def test_dates_follow_the_language_and_instants_are_utc() -> None:
    instant = datetime(2026, 11, 25, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert (ZH.day(date(2026, 11, 2)), EN.day(date(2026, 11, 2))) == ("2026年11月2日", "2 Nov 2026")
    assert (ZH.day_of_month(date(2026, 11, 2)), EN.day_of_month(date(2026, 11, 2))) == ("11月2日", "2 Nov")
    assert EN.instant(instant) == "24 Nov 2026, 23:30 UTC"
    assert ZH.instant(datetime(2026, 11, 24, 23, tzinfo=UTC)) == "2026年11月24日 23:00 UTC"


def test_a_bar_stands_where_its_numbers_say() -> None:
    scale = Scale(0.5, 1.0)
    bar = Bar.of(scale, 0.75, 0.6, 0.9, [0.8])
    assert (bar.dot, bar.start, bar.width, bar.targets) == (50.0, 20.0, 60.0, [60.0])
    assert Bar.of(scale, 0.75, 0.6, 0.9, [0.6, 0.8]).targets == [20.0, 60.0]
    assert Bar.of(scale, 0.75, None, 0.9, []) == Bar(50.0, None, None, [])
    assert scale.percent(2) == 100.0


def test_a_scale_of_shares_never_leaves_0_to_1() -> None:
    scale = Scale.around([0.97, 1.0, None], "share")
    assert scale.high == 1.0 and 0.9 < scale.low < 0.97
    assert Scale.around([], "share") == Scale(0.0, 1.0)
    assert Scale.around([5], "count").low == pytest.approx(4.5)


def _reading(day: int, value: float | None, series: str = "voice") -> Reading:
    return Reading(date(2026, 11, day), series, value, False, "")


def test_a_line_breaks_at_days_without_a_value() -> None:
    readings = [
        _reading(2, 0.8),
        _reading(3, 0.9),
        _reading(4, None),
        _reading(5, 0.7),
        _reading(7, 0.6),
        _reading(8, 0),
    ]
    chart = LineChart.of(readings, "share", [0.8])
    assert chart is not None
    (line,) = chart.lines
    assert len(line.points) == 5
    assert [stroke.count(",") for stroke in line.strokes] == [2, 2]  # 2-3 and 7-8; the 5th stands alone
    assert chart.targets == [line.points[0].y]
    lowest = line.points[-1]
    assert lowest.y == max(y for y, _ in chart.ticks), "0 is drawn on the zero line, unlike NULL"


def test_ticks_are_round_and_hold_every_value() -> None:
    chart = LineChart.of([_reading(2, 31.0), _reading(3, 49.0)], "seconds", [])
    assert chart is not None
    assert [tick for _, tick in chart.ticks] == [0, 20, 40, 60]
    assert LineChart.of([_reading(2, None)], "share", [0.9]) is None
    single = LineChart.of([_reading(2, 1.0)], "share", [])
    assert single is not None and max(tick for _, tick in single.ticks) == 1.0

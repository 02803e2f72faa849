"""Rules of the operation that its configuration declares: review items, issue classes, promises, open hours."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

from kefu.settings import PROJECT
from kefu.yaml_files import read_yaml

_DAY = dt.timedelta(days=1)
_DAY_SECONDS = 86400
Row = dict[str, Any]


@cache
def _declared(name: str) -> list[Row]:
    rows: list[Row] = read_yaml(PROJECT / "config" / f"{name}.yml")
    return sorted(rows, key=lambda row: row["valid_from"])


def _in_force(name: str, key: str, day: dt.date) -> dict[str, Row]:
    """Returns the objects of a kind as they hold on a day, by id."""
    return {row[key]: row for row in _declared(name) if row["valid_from"] <= day}


def qa_items() -> dict[str, Row]:
    """Returns the items of the review form by each of their names on it."""
    return {label: row for row in _declared("qa_items") for label in row["labels"]}


def presale_classes() -> frozenset[str]:
    """Returns the issue classes that make a contact an enquiry."""
    last = _in_force("issue_classes", "issue_class", dt.date.max)
    return frozenset(name for name, row in last.items() if row["is_presale"])


def promises(day: dt.date) -> dict[tuple[str, str], tuple[int, Literal["calendar", "business"]]]:
    """Returns what is promised from a day on: seconds and their kind by priority and clock."""
    return {
        (row["priority"], row["clock"]): (row["target_seconds"], row["hours"])
        for row in _in_force("sla", "sla_id", day).values()
    }


def _calendar(day: dt.date) -> Row:
    """Returns the default calendar as it holds on a day."""
    return next(row for row in _in_force("calendars", "calendar_id", day).values() if row.get("is_default"))


def _is_holiday(day: dt.date) -> bool:
    holidays = _calendar(day).get("holidays", [])
    return any(row.get("from", row.get("date")) <= day <= row.get("to", row.get("date")) for row in holidays)


@cache
def is_working_day(day: dt.date) -> bool:
    """Returns whether offices work on a day: weekdays without a holiday, and days made up for one."""
    is_made_up = day in _calendar(day).get("make_up_days", [])
    return is_made_up or (day.isoweekday() < 6 and not _is_holiday(day))


class OpenHours:
    """The hours in which the service is open, by the default calendar.

    Args:
        zone: where its clock times are read.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._windows = cache(self._of)

    def seconds(self, start: int, end: int) -> int:
        """Returns how many seconds between two instants are open."""
        return sum(max(0, min(end, closes) - max(start, opens)) for opens, closes in self._from(start, end))

    def after(self, start: int, seconds: int) -> int:
        """Returns the first instant at which so many open seconds have gone by."""
        if not seconds:
            return start
        for opens, closes in self._from(start, start + 400 * _DAY_SECONDS):
            begin = max(start, opens)
            if closes - begin >= seconds:
                return begin + seconds
            seconds -= max(0, closes - begin)
        raise ValueError("the service is not open long enough")

    def _from(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yields when it opens and closes, from the window that may hold the start to the one that may hold the end."""
        day, last = (dt.datetime.fromtimestamp(instant, self._zone).date() for instant in (start, end))
        day -= _DAY
        while day <= last:
            yield from self._windows(day)
            day += _DAY

    def _of(self, day: dt.date) -> list[tuple[int, int]]:
        calendar = _calendar(day)
        windows = calendar.get("holiday_windows", [])
        if not _is_holiday(day):
            is_made_up = day in calendar.get("make_up_days", [])
            weekday = calendar.get("make_up_weekday", 1) if is_made_up else day.isoweekday()
            windows = [window for window in calendar["service_windows"] if weekday in window["weekdays"]]
        found = []
        for window in windows:
            start, end = (dt.time.fromisoformat(window[name].replace("24:", "00:")) for name in ("start", "end"))
            closing = day if end > start else day + _DAY
            found.append((self._instant(day, start), self._instant(closing, end)))
        return sorted(found)

    def _instant(self, day: dt.date, time: dt.time) -> int:
        return int(dt.datetime.combine(day, time, self._zone).timestamp())

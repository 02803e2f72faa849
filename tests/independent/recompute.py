"""Recompute every metric the recordings hold data for, without using anything of this project.

The warehouse's numbers are compared with these. The script therefore reads the files exactly as the recorded servers
wrote them (Asterisk's queue_log and CDR file, Live Helper Chat's and Horilla's tables, two small sheets), uses the
standard library only (python-calamine for the one .xlsx file), and follows the written definitions rule by rule: one
function per source, one per metric family, the rule in its docstring. All arithmetic is on integers and fractions;
nothing is rounded.

Words used throughout:

* an *instant* is a whole number of seconds since 1970-01-01 UTC;
* a *business date* is the date a thing is booked on, in the site's time zone;
* *TE* books on the end of the segment, *TS* on the start of the conversation, *TR* on the rated conversation's TE date;
* *CS* credits the segment's own agent, *CL* the last agent with an effective segment, *CT* the queue and its team only;
* an *outcome* is an ended conversation with an effective segment (TE, CL).

What the recordings cannot show is listed with reasons in ``not_recomputed.yml``.

Run ``python tests/independent/recompute.py [--samples DIR] [--json]``.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import fmean, pstdev
from typing import NamedTuple
from zoneinfo import ZoneInfo

# --- the parameters of the definitions -------------------------------------------------------------------------------

SITE_ZONE = ZoneInfo("Europe/Berlin")
PERIOD_FIRST_DATE = date(2026, 11, 2)
PERIOD_LAST_DATE = date(2026, 11, 21)
AS_OF = int(datetime(2026, 11, 24, 23, 0, tzinfo=UTC).timestamp())

SHIFT_MARGIN_SECONDS = 60 * 60
SHORT_ABANDON_SECONDS = 5
SERVICE_LEVEL_SECONDS = {"voice": 20, "chat": 30}
FIRST_RESPONSE_SECONDS = 30
ASSIGNMENT_RESPONSE_SECONDS = 60
ACW_CAP_SECONDS = 600
ACTIVE_GAP_SECONDS = 300
STALE_CLOSE_SECONDS = 7 * 24 * 3600
# A day of these counts in the period in which its window ends.
WATCHED_DAYS = {"fcr_repeat": 7, "repeat_contact_rate": 7}
RATING_WINDOW_SECONDS = 72 * 3600
LONGEST_PUNCH_SECONDS = 16 * 3600
CSAT_GOOD_FROM = 4
CSAT_BAD_UP_TO = 2
RATINGS_PER_CUSTOMER_AND_AGENT = 2
LEAST_ANSWER_SECONDS = 3
MOST_FAST_SHARE = Fraction(1, 5)
LONGEST_TALK_SECONDS = 4 * 3600
SERVICE_WINDOW_HOURS = range(9, 23)
TURN_SECONDS = 30
TURN_LONG_SECONDS = 180
SLOW_TURN_SECONDS = 120
SLOW_TURN_COUNT = 3
RING_LIMIT_SECONDS = 2 * 5
REPEAT_WINDOW_SECONDS = 7 * 24 * 3600
FORGOTTEN_LOGOUT_SECONDS = 30 * 60
CALLS_PER_MONTH = 600
REVIEWS_PER_MONTH = 12

TEAM_OF_QUEUE = {
    "svc-general": "general",
    "cs": "general",
    "svc-billing": "billing",
    "billing": "billing",
    "svc-vip": "vip",
    "vip": "vip",
}

# Metrics that only count: they have no denominator (None in the row).
COUNTS = frozenset(
    {
        "conversations_handled", "conversations_assigned", "conversations_closed", "calls_inbound_handled",
        "messages_sent_agent", "messages_received_customer", "talk_time_total", "slow_response_count",
        "online_duration",
    }
)  # fmt: skip
# Different things, counted anew for every range of days: days do not add up.
DISTINCT = frozenset({"unique_customers_served"})
# The smallest value that so great a share of all values does not exceed (nearest rank).
PERCENTILES = {"first_response_median": Fraction(1, 2), "first_response_p90": Fraction(9, 10)}
# Computed by a function of its own: no fraction of sums.
DISPERSIONS = frozenset({"workload_balance_index"})
# Metrics of whole months and periods only.
NOT_DAILY = frozenset({"calls_inbound_over_baseline", "qa_sample_completion", "agent_attrition"})

Number = int | Fraction
Record = dict[str, str]


class Row(NamedTuple):
    """One number of the output.

    ``unit_kind`` is agent, team, queue or site; ``business_date`` an ISO date, an ISO week (``2026-W45``), a month
    (``2026-11``) or ``period``; ``numerator`` and ``denominator`` are exact (the denominator is None for a count, and
    for a percentile, whose value is the numerator); ``n`` is the number of things observed.
    """

    unit_kind: str
    unit_key: str
    channel: str
    metric_id: str
    business_date: str
    numerator: Number
    denominator: Number | None
    n: int


# --- people ----------------------------------------------------------------------------------------------------------


class Agent(NamedTuple):
    """One line of agents.csv: the badge is the agent's key; ``team`` is empty for the supervisor."""

    key: str
    team: str
    pbx_name: str
    chat_user_id: str
    hr_employee_id: str


class People(NamedTuple):
    """The agents, findable by the name each server knows them by."""

    by_key: dict[str, Agent]
    by_pbx_name: dict[str, str]
    by_chat_user_id: dict[str, str]
    by_hr_employee_id: dict[str, str]


def load_people(samples: Path) -> People:
    """Read agents.csv; the team is the team of the first queue in ``pbx_queues``."""
    with (samples / "agents.csv").open(encoding="utf-8", newline="") as file:
        agents = [
            Agent(
                key=line["hr_badge_id"],
                team=TEAM_OF_QUEUE[line["pbx_queues"].split()[0]] if line["pbx_queues"].split() else "",
                pbx_name=line["pbx_member_name"],
                chat_user_id=line["im_user_id"],
                hr_employee_id=line["hr_employee_id"],
            )
            for line in csv.DictReader(file)
        ]
    return People(
        by_key={a.key: a for a in agents},
        by_pbx_name={a.pbx_name: a.key for a in agents if a.pbx_name},
        by_chat_user_id={a.chat_user_id: a.key for a in agents if a.chat_user_id},
        by_hr_employee_id={a.hr_employee_id: a.key for a in agents if a.hr_employee_id},
    )


def read_table(database: Path, table: str) -> list[Record]:
    """All rows of an SQLite table as text; NULL becomes the empty text, as in an exported CSV file."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        cursor = connection.execute(f'SELECT * FROM "{table}"')
        names = [column[0] for column in cursor.description]
        return [
            {name: "" if value is None else str(value) for name, value in zip(names, values, strict=True)}
            for values in cursor
        ]


# --- customers -------------------------------------------------------------------------------------------------------


def international(number: str) -> str:
    """A telephone number in one form (+49...), empty when it names nobody: withheld, or an internal extension."""
    digits = "".join(character for character in number if character.isdigit() or character == "+")
    if len(digits) <= 5:
        return ""
    return digits if digits.startswith("+") else "+49" + digits.removeprefix("0")


# --- time ------------------------------------------------------------------------------------------------------------


def local_date(instant: int) -> date:
    """The date on the site's wall at this instant (the site's day changes at midnight)."""
    return datetime.fromtimestamp(instant, SITE_ZONE).date()


def local_instant(day: date, wall: time) -> int:
    """The instant at which the site's wall shows this date and time; of an ambiguous one, the earlier."""
    return int(datetime.combine(day, wall, tzinfo=SITE_ZONE).timestamp())


def utc_instant(text: str) -> int:
    """The instant of a zone-less UTC text such as ``2026-11-02 06:00:52.12``, cut to the second."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


class Shift(NamedTuple):
    """One rostered shift: the date it is named after, start and end (end excluded)."""

    day: date
    start: int
    end: int

    def overlap(self, start: int, end: int) -> int:
        """Seconds that [start, end) and the shift have in common."""
        return max(0, min(end, self.end) - max(start, self.start))


Roster = dict[str, dict[date, Shift]]


def business_date(roster: Roster, agent: str, start: int, anchor: int) -> date:
    """Business date of something credited to an agent.

    If its start lies in one of the agent's shifts, extended by an hour at both ends, the date of that shift; otherwise
    the local date of the anchor. Where two extended shifts contain the start, the one that contains it without the
    extension wins, then the earlier one.
    """
    candidates = [
        shift
        for shift in roster.get(agent, {}).values()
        if shift.start - SHIFT_MARGIN_SECONDS <= start < shift.end + SHIFT_MARGIN_SECONDS
    ]
    if not candidates:
        return local_date(anchor)
    return min(candidates, key=lambda shift: (not shift.start <= start < shift.end, shift.start)).day


def on_duty_seconds(roster: Roster, agent: str, start: int, end: int) -> int:
    """Seconds between two instants that the agent is measured on.

    If the end lies inside one of the agent's shifts (without extension): the part of [start, end] covered by the
    shifts. Otherwise the agent worked outside the roster, and calendar seconds count. Never negative.
    """
    shifts = list(roster.get(agent, {}).values())
    if any(shift.start <= end < shift.end for shift in shifts):
        return sum(shift.overlap(start, end) for shift in shifts)
    return max(0, end - start)


Spans = list[tuple[int, int]]


def union(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same time without overlaps, in order."""
    joined: Spans = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        elif end > start:
            joined.append((start, end))
    return joined


def common(one: Iterable[tuple[int, int]], other: Iterable[tuple[int, int]]) -> Spans:
    """The time that lies in both."""
    pairs = [(max(a, c), min(b, d)) for a, b in union(one) for c, d in union(other)]
    return [(start, end) for start, end in pairs if start < end]


def without(spans: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> Spans:
    """The time of the first that lies in none of the others."""
    left = union(spans)
    for start, end in union(others):
        left = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b)) if part[0] < part[1]]
    return left


def length(spans: Iterable[tuple[int, int]]) -> int:
    """Seconds in all, overlaps once."""
    return sum(end - start for start, end in union(spans))


# --- the ledger: where numbers are added up --------------------------------------------------------------------------


class Ledger:
    """Adds numerators, denominators and n per unit, channel, metric and day, and gives the rows of the result."""

    def __init__(self, people: People) -> None:
        self._people = people
        self._sums: dict[tuple[str, str, str, str, date], tuple[Number, Number, int]] = {}
        self._kept: dict[tuple[str, str, str, str, date], list[str | int]] = defaultdict(list)

    def add(
        self,
        unit: tuple[str, str],
        channel: str,
        metric: str,
        day: date,
        numerator: Number,
        denominator: Number,
        n: int,
    ) -> None:
        """Add to one unit, given as (kind, key)."""
        key = (*unit, channel, metric, day)
        old = self._sums.get(key, (0, 0, 0))
        self._sums[key] = (old[0] + numerator, old[1] + denominator, old[2] + n)

    def keep(self, unit: tuple[str, str], channel: str, metric: str, day: date, value: str | int) -> None:
        """Keep a value of one unit, for what cannot be added up: different customers, percentiles."""
        self._kept[(*unit, channel, metric, day)].append(value)

    def team_of(self, agent: str) -> str:
        """The agent's team; ``unassigned`` for the supervisor, who has none, and for work of nobody we know."""
        return (self._people.by_key[agent].team if agent in self._people.by_key else "") or "unassigned"

    def units_of(self, agent: str) -> list[tuple[str, str]]:
        """The agent, the agent's team and the site."""
        return [("agent", agent), ("team", self.team_of(agent)), ("site", "site")]

    def credit_agent(
        self, agent: str, channel: str, metric: str, day: date, numerator: Number, denominator: Number, n: int
    ) -> None:
        """Add to an agent, to the agent's team and to the site."""
        for unit in self.units_of(agent):
            self.add(unit, channel, metric, day, numerator, denominator, n)

    def credit_team(
        self, team: str, channel: str, metric: str, day: date, numerator: Number, denominator: Number, n: int
    ) -> None:
        """Add to a team and the site; no agent is involved."""
        self.add(("team", team), channel, metric, day, numerator, denominator, n)
        self.add(("site", "site"), channel, metric, day, numerator, denominator, n)

    def rows(self) -> list[Row]:
        """The result: every unit per day, ISO week, month and period, and channel ``all``.

        ``all`` is voice plus chat; measures without a channel stay under ``none``. Every row whose numerator and
        denominator are both 0 is left out.
        """
        totals: dict[tuple[str, str, str, str, str], tuple[Number, Number, int]] = defaultdict(lambda: (0, 0, 0))
        for (kind, key, channel, metric, day), (numerator, denominator, n) in self._sums.items():
            for cell in cells(kind, key, channel, metric, day):
                old = totals[cell]
                totals[cell] = (old[0] + numerator, old[1] + denominator, old[2] + n)
        kept: dict[tuple[str, str, str, str, str], list[str | int]] = defaultdict(list)
        for (kind, key, channel, metric, day), values in self._kept.items():
            for cell in cells(kind, key, channel, metric, day):
                kept[cell] += values
        for cell, values in kept.items():
            if cell[3] in DISTINCT:
                totals[cell] = (len(set(values)), 0, len(set(values)))
            else:
                ordered = sorted(value for value in values if isinstance(value, int))
                totals[cell] = (ordered[ceil(PERCENTILES[cell[3]] * len(ordered)) - 1], 0, len(ordered))
        without_denominator = COUNTS | DISTINCT | PERCENTILES.keys()
        return sorted(
            Row(*cell, numerator, None if cell[3] in without_denominator else denominator, n)
            for cell, (numerator, denominator, n) in totals.items()
            if numerator or denominator
        )


def cells(kind: str, key: str, channel: str, metric: str, day: date) -> Iterator[tuple[str, str, str, str, str]]:
    """Where something of a day is shown: its channel and all channels; its day, week, month and the period."""
    year, week, _ = day.isocalendar()
    ranges = [f"{day:%Y-%m}"]
    if metric not in NOT_DAILY:
        ranges += [day.isoformat(), f"{year}-W{week:02}"]
    if PERIOD_FIRST_DATE <= day + timedelta(WATCHED_DAYS.get(metric, 0)) <= PERIOD_LAST_DATE:
        ranges.append("period")
    for reported_channel in (channel,) if channel == "none" else (channel, "all"):
        for reported_range in ranges:
            yield kind, key, reported_channel, metric, reported_range


# --- HR: roster and attendance ---------------------------------------------------------------------------------------


class AttendanceDay(NamedTuple):
    """What HR holds for one agent and one date: required seconds and punches (out is None when it is missing)."""

    required_seconds: int
    punches: list[tuple[int, int | None]]

    def is_contradicted(self) -> bool:
        """Whether a clock-out is missing or a punch lasted more than 16 hours."""
        return any(end is None or end - begin > LONGEST_PUNCH_SECONDS for begin, end in self.punches)

    def attended_seconds(self, shift: Shift) -> int:
        """Seconds covered by punches inside the shift, those of two punches once, at most the required ones."""
        closed = [(begin, end) for begin, end in self.punches if end is not None]
        return min(self.required_seconds, length(common(closed, [(shift.start, shift.end)])))


class HumanResources(NamedTuple):
    """Roster, attendance days and leave dates, all by agent key and date; ``leave`` says how many seconds are paid."""

    roster: Roster
    days: dict[tuple[str, date], AttendanceDay]
    leave: dict[tuple[str, date], int]

    def duty(self) -> Roster:
        """The roster without days of approved leave, all of them whole ones up to the as-of instant."""
        return {
            agent: {day: shift for day, shift in shifts.items() if (agent, day) not in self.leave}
            for agent, shifts in self.roster.items()
        }

    def rostered(self) -> Iterator[tuple[str, date]]:
        """Days on which somebody is due to work, or would be without the leave; days that require nothing are not."""
        for agent, shifts in self.roster.items():
            for day in shifts:
                if (agent, day) in self.leave or self.days[agent, day].required_seconds:
                    yield agent, day

    def counted(self) -> Iterator[tuple[str, date]]:
        """Rostered days that count: not those with any approved leave, nor contradicted ones."""
        for agent, day in self.rostered():
            if (agent, day) not in self.leave and not self.days[agent, day].is_contradicted():
                yield agent, day


def clock_seconds(text: str) -> int:
    """Seconds of a length such as ``08:30``."""
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def load_hr(samples: Path, people: People) -> HumanResources:
    """Read Horilla's tables.

    Horilla publishes no roster, so a shift exists for an agent and a date when HR holds an attendance day (with the
    shift held at that moment) or an approved leave (with the shift of the last entry of the work-information history
    that is not later than the end of that date). Its start and end are the schedule of that shift for that weekday, on
    the site's wall; a night shift ends on the next day. A date with an attendance day and a leave keeps the shift of
    the attendance day.

    Punches are the clock-in/clock-out pairs of the attendance activities (UTC columns), so breaks are not in them. The
    required time is ``minimum_hour`` of the attendance day (00:00 on days of company leave).
    """
    database = samples / "hr" / "horilla_hr.sqlite3"
    weekday_name = {line["id"]: line["day"] for line in read_table(database, "base_employeeshiftday")}
    schedules = {
        (line["shift_id_id"], weekday_name[line["day_id"]]): line
        for line in read_table(database, "base_employeeshiftschedule")
    }

    is_paid = {line["id"]: line["payment"] == "paid" for line in read_table(database, "leave_leavetype")}

    def shift_on(shift_id: str, day: date) -> Shift | None:
        schedule = schedules.get((shift_id, day.strftime("%A").lower()))
        if schedule is None:
            return None
        begin, finish = time.fromisoformat(schedule["start_time"]), time.fromisoformat(schedule["end_time"])
        last_day = day + timedelta(days=1) if finish <= begin else day
        return Shift(day, local_instant(day, begin), local_instant(last_day, finish))

    punches: dict[tuple[str, str], list[tuple[int, int | None]]] = defaultdict(list)
    for line in read_table(database, "attendance_attendanceactivity"):
        punches[line["employee_id_id"], line["attendance_date"]].append(
            (utc_instant(line["in_datetime"]), utc_instant(line["out_datetime"]) if line["out_datetime"] else None)
        )

    roster: Roster = defaultdict(dict)
    days: dict[tuple[str, date], AttendanceDay] = {}
    for line in read_table(database, "attendance_attendance"):
        agent = people.by_hr_employee_id.get(line["employee_id_id"])
        if agent is None:
            continue
        day = date.fromisoformat(line["attendance_date"])
        required = clock_seconds(line["minimum_hour"])
        days[agent, day] = AttendanceDay(required, punches[line["employee_id_id"], line["attendance_date"]])
        if shift := shift_on(line["shift_id_id"], day):
            roster[agent][day] = shift

    history = sorted(
        (utc_instant(line["history_date"]), int(line["history_id"]), line["employee_id_id"], line["shift_id_id"])
        for line in read_table(database, "employee_historicalemployeeworkinformation")
        if line["shift_id_id"]
    )
    leave: dict[tuple[str, date], int] = {}
    for line in read_table(database, "leave_leaverequest"):
        agent = people.by_hr_employee_id.get(line["employee_id_id"])
        if agent is None or line["status"] != "approved":
            continue
        day, last = date.fromisoformat(line["start_date"]), date.fromisoformat(line["end_date"])
        while day <= last:
            end_of_day = local_instant(day + timedelta(days=1), time(0))
            held = [entry[3] for entry in history if entry[2] == line["employee_id_id"] and entry[0] < end_of_day]
            if (agent, day) in days:
                required = days[agent, day].required_seconds
            else:
                schedule = schedules.get((held[-1], day.strftime("%A").lower())) if held else None
                required = clock_seconds(schedule["minimum_working_hour"]) if schedule else 0
            leave[agent, day] = required if is_paid[line["leave_type_id_id"]] else 0
            if held and day not in roster[agent] and (shift := shift_on(held[-1], day)):
                roster[agent][day] = shift
            day += timedelta(days=1)
    return HumanResources(dict(roster), days, leave)


def attendance_rate(ledger: Ledger, hr: HumanResources) -> None:
    """Attendance rate: attended seconds / required seconds over rostered days without approved leave.

    Attended is the time covered by punches inside the shift, at most the required time. Left out of both sides: days
    with any approved leave, days that require nothing, and contradictions, that is a missing clock-out or a punch of
    more than 16 hours. Booked on the shift's date, credited to the person.
    """
    for agent, day in hr.counted():
        attendance = hr.days[agent, day]
        attended = attendance.attended_seconds(hr.roster[agent][day])
        ledger.credit_agent(agent, "none", "attendance_rate", day, attended, attendance.required_seconds, 1)


def shrinkage(ledger: Ledger, hr: HumanResources) -> None:
    """shrinkage of teams and the site: paid seconds in which nobody was available / paid seconds, per rostered day.

    Paid are the required seconds, those of approved paid leave too; available are the attended ones, none on leave.
    Contradicted days and days that are still to come are left out. The telephone's pauses take nothing away here: the
    one day with a telephone requires nothing of anybody at work.
    """
    counted = set(hr.counted())
    for agent, day in hr.rostered():
        if day >= local_date(AS_OF):
            continue
        available = 0
        if (agent, day) in hr.leave:
            paid = hr.leave[agent, day]
        elif (agent, day) in counted:
            paid = hr.days[agent, day].required_seconds
            available = hr.days[agent, day].attended_seconds(hr.roster[agent][day])
        else:
            continue
        ledger.credit_team(ledger.team_of(agent), "none", "shrinkage", day, paid - available, paid, 1)


def agent_attrition(ledger: Ledger, samples: Path) -> None:
    """agent_attrition of teams and the site: people who left / days on which somebody was employed in a team.

    From the day of hire to the day of leaving, or to the date of the as-of instant, in the months of the period.
    Horilla has no day of leaving; the contract's end is it for those who are no longer active. Shown for months and the
    period only; the published value is 30 times the fraction.
    """
    database = samples / "hr" / "horilla_hr.sqlite3"
    badge_of = {line["id"]: line for line in read_table(database, "employee_employee")}
    for line in read_table(database, "employee_employeeworkinformation"):
        person = badge_of[line["employee_id_id"]]
        team = ledger.team_of(person["badge_id"])
        is_gone = person["is_active"] == "0" and line["contract_end_date"]
        last = date.fromisoformat(line["contract_end_date"]) if is_gone else None
        day = max(date.fromisoformat(line["date_joining"]), PERIOD_FIRST_DATE.replace(day=1))
        while team != "unassigned" and day <= (last or local_date(AS_OF)):
            ledger.credit_team(team, "none", "agent_attrition", day, int(day == last), 1, 1)
            day += timedelta(days=1)


def monthly_quota(ledger: Ledger, hr: HumanResources, metric: str, channel: str, quota: int, count_days: bool) -> None:
    """The agent's share of a month's number, as denominator of a metric: quota / days of the month, on days that count.

    Those are the rostered days and, from the date of the as-of instant on, Mondays to Fridays: nobody knows the shifts
    of the days to come. No day of rest or make-up falls into the rest of that month.
    """
    days: dict[tuple[str, int, int], set[date]] = defaultdict(set)
    for agent, day in hr.rostered():
        days[agent, day.year, day.month].add(day)
    today = local_date(AS_OF)
    ahead = {today + timedelta(n) for n in range(31)}
    for (_, year, month), known in days.items():
        known |= {day for day in ahead if (day.year, day.month) == (year, month) and day.weekday() < 5}
    for agent, day in hr.counted():
        share = Fraction(quota, len(days[agent, day.year, day.month]))
        ledger.add(("agent", agent), channel, metric, day, 0, share, int(count_days))


# --- telephony: queue_log and the CDR file ---------------------------------------------------------------------------


class LogLine(NamedTuple):
    """One line of queue_log; ``data`` holds the event's own fields, without a bound on their number."""

    instant: int
    callid: str
    queue: str
    agent: str
    event: str
    data: list[str]


class Visit(NamedTuple):
    """One stay of a call in a queue.

    ``end_event`` and ``end`` are None while no terminal event stands in the log; ``connected_at`` and ``agent`` are
    None when nobody answered; ``wait_seconds`` is None when the source records none; ``talk_seconds`` is 0 until the
    end.
    """

    callid: str
    queue: str
    caller: str
    entered_at: int
    connected_at: int | None
    agent: str | None
    end: int | None
    end_event: str | None
    wait_seconds: int | None
    talk_seconds: int


# The place of the wait (unanswered calls) and of the talk time (answered calls) among the terminal event's data fields.
WAIT_FIELD = {"ABANDON": 2, "EXITWITHTIMEOUT": 2, "EXITEMPTY": 2, "WITHDRAW": 2, "EXITWITHKEY": 3}
TALK_FIELD = {"COMPLETEAGENT": 1, "COMPLETECALLER": 1, "BLINDTRANSFER": 3, "ATTENDEDTRANSFER": 3, "TRANSFER": 3}
TRANSFER_EVENTS = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER"})
# Until version 12 both kinds were TRANSFER.
KINDS_OF_TRANSFER = {"BLINDTRANSFER": "blind_transfer_rate", "ATTENDEDTRANSFER": "consult_transfer_rate"}
TERMINAL_EVENTS = frozenset({*WAIT_FIELD, *TALK_FIELD, "SYSCOMPAT", "AGENTDUMP"})


def load_queue_log(samples: Path) -> list[LogLine]:
    """Read queue_log: fields separated by ``|``, the first five always the same; file order is the order of events."""
    lines = []
    with (samples / "asterisk" / "queue_log").open(encoding="utf-8", newline="\n") as file:
        for text in file:
            instant, callid, queue, agent, event, *data = text.rstrip("\r\n").split("|")
            lines.append(LogLine(int(instant), callid, queue, agent, event, data))
    return lines


def load_survey_legs(samples: Path) -> dict[str, int]:
    """Calls that were invited to the survey, and when: unique ids of the CDR rows whose destination is ``survey``."""
    invited: dict[str, int] = {}
    with (samples / "asterisk" / "Master.csv").open(encoding="utf-8", newline="") as file:
        for fields in csv.reader(file):
            if fields[2] == "survey":
                instant = int(datetime.fromisoformat(fields[9]).replace(tzinfo=SITE_ZONE).timestamp())
                invited[fields[16]] = min(instant, invited.get(fields[16], instant))
    return invited


def talk_seconds(event: LogLine) -> int:
    """Talk time in a terminal event of an answered call, hold included.

    An attended transfer by LINK carries two channels before the hold time, so its talk time is one field later.
    """
    if event.event not in TALK_FIELD:
        return 0
    is_link = event.event == "ATTENDEDTRANSFER" and event.data[0] == "LINK"
    return int(event.data[TALK_FIELD[event.event] + is_link])


def queue_visits(log: list[LogLine], people: People) -> list[Visit]:
    """Cut the log into queue visits: (call, queue) from ENTERQUEUE to its terminal event, in order of entering.

    A visit is answered when it has a CONNECT; its wait is then CONNECT's own hold time, otherwise the wait in the
    terminal event. A visit still open at a restart (QUEUESTART) or at the end of the log never gets a terminal event.
    The agent is CONNECT's agent; a name that agents.csv does not know is kept as ``unmapped``.
    """
    started: list[dict[str, LogLine]] = []
    open_visits: dict[tuple[str, str], dict[str, LogLine]] = {}
    for line in log:
        key = (line.callid, line.queue)
        if line.event == "QUEUESTART":
            open_visits.clear()
        elif line.event == "ENTERQUEUE":
            open_visits[key] = {"enter": line}
            started.append(open_visits[key])
        elif line.event == "CONNECT" and key in open_visits:
            open_visits[key]["connect"] = line
        elif line.event in TERMINAL_EVENTS and key in open_visits:
            open_visits.pop(key)["end"] = line

    visits = []
    for events in started:
        enter, connect, end = events["enter"], events.get("connect"), events.get("end")
        if connect:
            wait: int | None = int(connect.data[0])
        else:
            wait = int(end.data[WAIT_FIELD[end.event]]) if end and end.event in WAIT_FIELD else None
        visits.append(
            Visit(
                callid=enter.callid,
                queue=enter.queue,
                caller=enter.data[1],
                entered_at=enter.instant,
                connected_at=connect.instant if connect else None,
                agent=people.by_pbx_name.get(connect.agent, "unmapped") if connect else None,
                end=end.instant if end else None,
                end_event=end.event if end else None,
                wait_seconds=wait,
                talk_seconds=talk_seconds(end) if connect and end else 0,
            )
        )
    return visits


class Pause(NamedTuple):
    """A pause of an agent in the queue ``scope`` or in ``all``; ``end`` is None when the log does not say.

    ``reason`` is empty when none was given.
    """

    agent: str
    scope: str
    reason: str
    start: int
    end: int | None


def pauses(log: list[LogLine], people: People) -> list[Pause]:
    """Every pause of every agent.

    A pause of all queues writes PAUSEALL and then PAUSE for each queue in the same second; these echoes are dropped,
    and the same for UNPAUSEALL. What remains has a scope: one queue for a stand-alone PAUSE or UNPAUSE, ``all``
    otherwise. A state lasts until the agent's next event of the same scope; PAUSEALL, UNPAUSEALL and leaving the last
    queue end every scope. A second pause with another reason is a change of state.
    """
    all_queue_seconds = {
        (line.agent, line.event.removesuffix("ALL"), line.instant)
        for line in log
        if line.event in ("PAUSEALL", "UNPAUSEALL")
    }
    member_of: dict[str, set[str]] = defaultdict(set)
    running: dict[str, dict[str, tuple[str, int]]] = defaultdict(dict)  # agent -> scope -> (reason, start)
    found = []
    for line in log:
        agent = people.by_pbx_name.get(line.agent, "unmapped")
        if line.event in ("PAUSEALL", "UNPAUSEALL"):
            ended, scope = list(running[line.agent]), "all"
        elif line.event in ("PAUSE", "UNPAUSE"):
            if (line.agent, line.event, line.instant) in all_queue_seconds:
                continue
            ended, scope = [line.queue], line.queue
        elif line.event == "ADDMEMBER":
            member_of[line.agent].add(line.queue)
            ended, scope = ["all"], "all"
        elif line.event == "REMOVEMEMBER":
            member_of[line.agent].discard(line.queue)
            if member_of[line.agent]:
                continue
            ended, scope = list(running[line.agent]), "all"
        else:
            continue
        for ended_scope in ended:
            if ended_scope in running[line.agent]:
                found.append(Pause(agent, ended_scope, *running[line.agent].pop(ended_scope), line.instant))
        if line.event in ("PAUSE", "PAUSEALL"):
            running[line.agent][scope] = (line.data[0] if line.data else "", line.instant)
    for name, scopes in running.items():
        agent = people.by_pbx_name.get(name, "unmapped")
        found += [Pause(agent, scope, reason, start, None) for scope, (reason, start) in scopes.items()]
    return found


def acw_states(log: list[LogLine], people: People) -> Iterator[tuple[str, int, int]]:
    """Every after-call-work state as (agent, start, end). A state without an end has no length and is left out."""
    for pause in pauses(log, people):
        if pause.reason == "acw" and pause.end is not None:
            yield pause.agent, pause.start, pause.end


def ring_metrics(ledger: Ledger, log: list[LogLine], people: People, roster: Roster) -> None:
    """answer_rate and answer_within_rings_rate: rings answered (within 10 seconds) / rings, for the agent that rang.

    CONNECT tells how long the telephone rang in seconds, RINGNOANSWER in milliseconds. A ring that was not answered and
    stopped within 10 seconds is left out: the caller hung up or another telephone took the call. Booked on the ring's
    start. A RINGCANCELED is no ring.
    """
    for line in log:
        if line.event == "CONNECT":
            ringing = int(line.data[2]) * 1000
        elif line.event == "RINGNOANSWER":
            ringing = int(line.data[0])
        else:
            continue
        is_answered, limit = line.event == "CONNECT", RING_LIMIT_SECONDS * 1000
        if not is_answered and ringing < limit:
            continue
        agent, start = people.by_pbx_name.get(line.agent, "unmapped"), line.instant - ringing // 1000
        day = business_date(roster, agent, start, start)
        ledger.credit_agent(agent, "voice", "answer_rate", day, int(is_answered), 1, 1)
        in_time = int(is_answered and ringing <= limit)
        ledger.credit_agent(agent, "voice", "answer_within_rings_rate", day, in_time, 1, 1)


# --- chat: Live Helper Chat's tables ---------------------------------------------------------------------------------


class Message(NamedTuple):
    """A message that counts: ``author`` is None for the customer, otherwise the agent.

    ``segment`` is the number of transfer messages with a smaller message id; ``text`` is what was written.
    """

    instant: int
    author: str | None
    segment: int
    text: str


class Chat(NamedTuple):
    """One conversation of the chat server.

    ``accepted_at`` is None when nobody took it; ``owners`` are the owners in order and ``assigned`` the instants at
    which they became owner; ``ended_at`` is None while it is open; ``left_at`` is when the visitor left, or None.
    ``is_silent_end`` says that nobody closed it: only the rule of silence did.
    """

    chat_id: str
    queue: str
    customer: str
    started_at: int
    accepted_at: int | None
    ended_at: int | None
    left_at: int | None
    owners: list[str]
    assigned: list[int]
    messages: list[Message]
    is_bot_in_charge: bool
    is_silent_end: bool

    def replies(self) -> list[Message]:
        """The human messages after the customer's first one."""
        asked = next((index for index, message in enumerate(self.messages) if message.author is None), None)
        later = [] if asked is None else self.messages[asked:]
        return [message for message in later if message.author is not None]

    def first_reply(self) -> Message | None:
        """The first of them."""
        return next(iter(self.replies()), None)


# All that the recorded customers write who only thank or take leave, punctuation left out.
GOODBYES = frozenset({"谢谢", "thanks", "Danke"})

TRANSFER = re.compile(
    r"\[b\](?P<actor>.*?)\[/b\]: !transferforce \S+ \|\| Chat has been transfered to - (?P<target>\S+)"
)


def load_chat_tables(samples: Path) -> dict[str, list[Record]]:
    """Live Helper Chat's tables by name, from the SQLite file or else from the exported CSV files."""
    names = ("lh_chat", "lh_msg", "lh_chat_participant", "lh_abstract_survey_item", "lh_users", "lh_departament")
    database = samples / "live_helper_chat" / "lhc.sqlite3"
    if database.exists():
        return {name: read_table(database, name) for name in names}
    tables = {}
    for name in names:
        with (samples / "im" / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            tables[name] = list(csv.DictReader(file))
    return tables


def is_whisper(message: Record) -> bool:
    """Whether only colleagues could see this operator message."""
    meta = json.loads(message["meta_msg"]) if message["meta_msg"] else {}
    content = meta.get("content") if isinstance(meta, dict) else None
    return isinstance(content, dict) and bool(content.get("whisper"))


def load_chats(tables: dict[str, list[Record]], people: People) -> list[Chat]:
    """Put the chats together from the tables.

    * Customer messages have user id 0. Human messages have a positive user id and are not whispers. The system (-1) and
      the auto-responder (-2) never count. Message order is id order, never time order.
    * ``accepted_at`` = start + wait_time when the chat has an owner.
    * Owners: the first is the author of the first human message before the first transfer; else, without a transfer,
      the chat's user; else the user whose display name stands as the actor of the first transfer message. Each transfer
      message makes the named target the next owner, at that instant.
    * The end is the closing time. A chat that was never closed ends 7 days after its last event (a message of any kind,
      or its acceptance), if that is not after the as-of instant; else it is open.
    * The queue is the department of the first operator among the participants, else the chat's department.
    * The customer is known by telephone number, else by e-mail address, else not at all.
    """
    display_to_agent = {
        user["chat_nickname"] or f"{user['name']} {user['surname']}".strip(): agent
        for user in tables["lh_users"]
        if (agent := people.by_chat_user_id.get(user["id"]))
    }
    username_to_agent = {
        user["username"]: agent for user in tables["lh_users"] if (agent := people.by_chat_user_id.get(user["id"]))
    }
    department = {line["id"]: line["identifier"] for line in tables["lh_departament"]}
    first_department: dict[str, str] = {}
    for line in sorted(tables["lh_chat_participant"], key=lambda line: int(line["id"])):
        if int(line["user_id"]) > 0:
            first_department.setdefault(line["chat_id"], line["dep_id"])
    messages_of: dict[str, list[Record]] = defaultdict(list)
    for line in sorted(tables["lh_msg"], key=lambda line: int(line["id"])):
        messages_of[line["chat_id"]].append(line)

    def agent_of(user_id: str) -> str:
        return people.by_chat_user_id.get(user_id, "unmapped")

    chats = []
    for line in tables["lh_chat"]:
        started_at = int(line["time"])
        accepted_at = started_at + int(line["wait_time"]) if int(line["user_id"]) > 0 else None
        transfers: list[tuple[int, str, str]] = []
        messages: list[Message] = []
        for message in messages_of[line["id"]]:
            user, instant = int(message["user_id"]), int(message["time"])
            if user == -1 and (match := TRANSFER.search(message["msg"])):
                transfers.append((instant, match["actor"], match["target"]))
            elif user == 0:
                messages.append(Message(instant, None, len(transfers), message["msg"]))
            elif user > 0 and not is_whisper(message):
                messages.append(Message(instant, agent_of(message["user_id"]), len(transfers), message["msg"]))

        owners: list[str] = []
        if accepted_at is not None:
            first_author = next((m.author for m in messages if m.author and m.segment == 0), None)
            if first_author is None and transfers:
                first_author = display_to_agent.get(transfers[0][1], "unmapped")
            owners = [first_author or agent_of(line["user_id"])]
            owners += [username_to_agent.get(target, "unmapped") for _, _, target in transfers]

        ended_at: int | None = int(line["cls_time"]) or None
        if ended_at is None:
            events = [int(message["time"]) for message in messages_of[line["id"]]]
            stale_at = max([*events, accepted_at or started_at]) + STALE_CLOSE_SECONDS
            ended_at = stale_at if stale_at <= AS_OF else None

        chats.append(
            Chat(
                chat_id=line["id"],
                queue=department[first_department.get(line["id"], line["dep_id"])],
                customer=international(line["phone"]) or line["email"].lower(),
                started_at=started_at,
                accepted_at=accepted_at,
                ended_at=ended_at,
                left_at=int(line["user_closed_ts"]) or None,
                owners=owners,
                assigned=[] if accepted_at is None else [accepted_at, *(instant for instant, _, _ in transfers)],
                messages=messages,
                is_bot_in_charge=int(line["gbot_id"]) > 0,
                is_silent_end=not int(line["cls_time"]) and ended_at is not None,
            )
        )
    return chats


# --- segments: the grain of an agent's work, for both channels ------------------------------------------------------


class Segment(NamedTuple):
    """The stretch of a conversation owned by one agent; only stretches that have ended.

    ``day`` is its business date; ``kind`` is the event that tells how it was transferred, None where there was no
    transfer or the source does not tell. ``handle_seconds`` is talk time for a call, active time for a chat; None for a
    call above 4 hours, whose talk time is bad data.
    """

    channel: str
    conversation: str
    position: int
    agent: str
    start: int
    end: int
    day: date
    effective: bool
    transferred: bool
    kind: str | None
    handle_seconds: int | None


def voice_segments(visits: list[Visit], roster: Roster) -> list[Segment]:
    """Answered queue visits that have ended: from CONNECT to the terminal event, all of them effective."""
    return [
        Segment(
            channel="voice",
            conversation=visit.callid,
            position=position,
            agent=visit.agent,
            start=visit.connected_at,
            end=visit.end,
            day=business_date(roster, visit.agent, visit.connected_at, visit.end),
            effective=True,
            transferred=visit.end_event in TRANSFER_EVENTS,
            kind=visit.end_event if visit.end_event in KINDS_OF_TRANSFER else None,
            handle_seconds=visit.talk_seconds if visit.talk_seconds <= LONGEST_TALK_SECONDS else None,
        )
        for position, visit in enumerate(visits)
        if visit.agent is not None and visit.connected_at is not None and visit.end is not None
    ]


def active_seconds(chat: Chat, position: int) -> int:
    """Active time of a chat segment.

    Take the assignment and every customer and human message of the segment in order, and add up the gaps between
    neighbours that are not longer than 300 seconds. Messages written before the assignment (the customer's opening
    lines while waiting) are not part of the owner's time.
    """
    assigned_at = chat.assigned[position]
    later = [m.instant for m in chat.messages if m.segment == position and m.instant >= assigned_at]
    gaps = [after - before for before, after in pairwise([assigned_at, *later])]
    return sum(gap for gap in gaps if gap <= ACTIVE_GAP_SECONDS)


def chat_segments(chats: list[Chat], roster: Roster) -> list[Segment]:
    """The owners' stretches of every accepted chat: from assignment to the next transfer, the last to the end of the
    chat.

    Effective when the owner wrote at least one human message in it and the customer at least one message in it or
    before.
    """
    segments = []
    for chat in chats:
        ends = [*chat.assigned[1:], chat.ended_at]
        for position, (agent, start, end) in enumerate(zip(chat.owners, chat.assigned, ends, strict=False)):
            if end is None:
                continue
            segments.append(
                Segment(
                    channel="chat",
                    conversation=chat.chat_id,
                    position=position,
                    agent=agent,
                    start=start,
                    end=end,
                    day=business_date(roster, agent, start, end),
                    effective=any(m.author == agent and m.segment == position for m in chat.messages)
                    and any(m.author is None and m.segment <= position for m in chat.messages),
                    transferred=position + 1 < len(chat.owners),
                    kind=None,
                    handle_seconds=active_seconds(chat, position),
                )
            )
    return segments


def last_effective(segments: Iterable[Segment]) -> dict[tuple[str, str], Segment]:
    """The last effective segment of each conversation, by (channel, conversation)."""
    last: dict[tuple[str, str], Segment] = {}
    for segment in sorted(segments, key=lambda s: (s.end, s.position)):
        if segment.effective:
            last[segment.channel, segment.conversation] = segment
    return last


class Conversation(NamedTuple):
    """One contact of a customer by either channel; ``ended_at`` is None while it is open, ``customer`` empty when
    unknown. ``settled_at`` is the end, or the last word where only the rule of silence ended it.
    """

    customer: str
    started_at: int
    ended_at: int | None
    settled_at: int | None


def conversations(visits: list[Visit], chats: list[Chat]) -> dict[tuple[str, str], Conversation]:
    """Calls and chats by (channel, conversation).

    A call begins with its first queue visit and ends with the last of them; while one of them is open, so is the call.
    The caller of the first visit is the customer.
    """
    found: dict[tuple[str, str], Conversation] = {}
    for visit in visits:
        old = found.get(("voice", visit.callid))
        customer, started_at, ended_at, _ = old or (international(visit.caller), visit.entered_at, visit.end, None)
        if ended_at is not None:
            ended_at = None if visit.end is None else max(ended_at, visit.end)
        found["voice", visit.callid] = Conversation(customer, started_at, ended_at, ended_at)
    for chat in chats:
        settled_at = chat.ended_at
        if chat.is_silent_end and settled_at is not None:
            settled_at -= STALE_CLOSE_SECONDS
        found["chat", chat.chat_id] = Conversation(chat.customer, chat.started_at, chat.ended_at, settled_at)
    return found


# --- metrics on segments ---------------------------------------------------------------------------------------------


def last_of_units(ledger: Ledger, segments: Iterable[Segment]) -> dict[tuple[str, str, str, str], Segment]:
    """The last of these segments by unit (kind, key), channel and conversation."""
    last: dict[tuple[str, str, str, str], Segment] = {}
    for segment in sorted(segments, key=lambda s: (s.end, s.position)):
        for kind, key in ledger.units_of(segment.agent):
            last[kind, key, segment.channel, segment.conversation] = segment
    return last


def conversations_handled(
    ledger: Ledger, segments: list[Segment], contacts: dict[tuple[str, str], Conversation]
) -> None:
    """conversations_handled and unique_customers_served.

    * Distinct conversations with an effective segment of the agent (of the team, of the site), each booked once per
      unit, on the business date of that unit's last effective segment in it;
    * the different known customers of these conversations.
    """
    effective = [segment for segment in segments if segment.effective]
    for (kind, key, channel, conversation), segment in last_of_units(ledger, effective).items():
        ledger.add((kind, key), channel, "conversations_handled", segment.day, 1, 0, 1)
        if customer := contacts[channel, conversation].customer:
            ledger.keep((kind, key), channel, "unique_customers_served", segment.day, customer)


def conversations_assigned(ledger: Ledger, visits: list[Visit], chats: list[Chat], roster: Roster) -> None:
    """Distinct conversations assigned to the unit: answered calls, chats accepted or transferred to it; open ones too.

    Booked on the business date of the unit's first assignment.
    """
    assigned = [
        (visit.connected_at, "voice", visit.callid, visit.agent)
        for visit in visits
        if visit.connected_at is not None and visit.agent is not None
    ]
    assigned += [
        (start, "chat", chat.chat_id, agent)
        for chat in chats
        for agent, start in zip(chat.owners, chat.assigned, strict=True)
    ]
    seen: set[tuple[str, str, str, str]] = set()
    for start, channel, conversation, agent in sorted(assigned):
        for kind, key in ledger.units_of(agent):
            if (kind, key, channel, conversation) not in seen:
                seen.add((kind, key, channel, conversation))
                day = business_date(roster, agent, start, start)
                ledger.add((kind, key), channel, "conversations_assigned", day, 1, 0, 1)


def effective_conversation_rate(ledger: Ledger, segments: list[Segment], chats: list[Chat]) -> None:
    """Conversations with an effective segment of the unit / those with an ended segment of the unit.

    Left out: not effective, and the visitor left less than 5 seconds after the unit's first assignment, or before it.
    Booked on the unit's last ended segment.
    """
    left_at = {chat.chat_id: chat.left_at for chat in chats}
    effective: set[tuple[str, str, str, str]] = set()
    first_start: dict[tuple[str, str, str, str], int] = {}
    for segment in sorted(segments, key=lambda s: (s.start, s.position)):
        for kind, key in ledger.units_of(segment.agent):
            cell = (kind, key, segment.channel, segment.conversation)
            first_start.setdefault(cell, segment.start)
            if segment.effective:
                effective.add(cell)
    for cell, segment in last_of_units(ledger, segments).items():
        left = left_at.get(segment.conversation) if segment.channel == "chat" else None
        if cell in effective or left is None or left - first_start[cell] >= SHORT_ABANDON_SECONDS:
            kind, key, channel, _ = cell
            metric = "effective_conversation_rate"
            ledger.add((kind, key), channel, metric, segment.day, int(cell in effective), 1, 1)


def outcomes(
    segments: list[Segment], contacts: dict[tuple[str, str], Conversation]
) -> list[tuple[Segment, Conversation]]:
    """Ended conversations with the last effective segment of each."""
    return [
        (segment, contacts[conversation])
        for conversation, segment in last_effective(segments).items()
        if contacts[conversation].ended_at is not None
    ]


def outcome_metrics(
    ledger: Ledger, segments: list[Segment], contacts: dict[tuple[str, str], Conversation], chats: list[Chat]
) -> None:
    """conversations_closed, avg_session_duration, fcr_repeat and repeat_contact_rate (TE, CL).

    * conversations_closed: outcomes;
    * avg_session_duration: from the first human message to the end of a chat / outcomes with one, without those that
      only the rule of silence closed;
    * repeat_contact_rate: outcomes after which the same customer began another conversation within 7 days of the end
      (of the last word where only the rule of silence ended it), by either channel / outcomes of known customers whose
      7 days are over. Nothing tells the issue of a contact here, so every contact may be about the same; nothing is
      reopened, and nobody but customers begins a conversation.
    * fcr_repeat: the others / the same.
    """
    starts: dict[str, list[int]] = defaultdict(list)
    for contact in contacts.values():
        starts[contact.customer].append(contact.started_at)
    spoken = {
        chat.chat_id: next((m.instant for m in chat.messages if m.author is not None), None)
        for chat in chats
        if not chat.is_silent_end
    }
    for segment, contact in outcomes(segments, contacts):
        agent, channel, day, end = segment.agent, segment.channel, segment.day, contact.ended_at
        assert end is not None
        ledger.credit_agent(agent, channel, "conversations_closed", day, 1, 0, 1)
        if channel == "chat" and (first := spoken.get(segment.conversation)) is not None:
            ledger.credit_agent(agent, "chat", "avg_session_duration", day, end - first, 1, 1)
        settled = contact.settled_at
        if contact.customer and settled is not None and settled + REPEAT_WINDOW_SECONDS <= AS_OF:
            again = any(settled < start <= settled + REPEAT_WINDOW_SECONDS for start in starts[contact.customer])
            ledger.credit_agent(agent, channel, "fcr_repeat", day, int(not again), 1, 1)
            ledger.credit_agent(agent, channel, "repeat_contact_rate", day, int(again), 1, 1)


def calls_inbound_handled(ledger: Ledger, segments: list[Segment]) -> None:
    """calls_inbound_handled, talk_time_total and the calls of calls_inbound_over_baseline (TE, CS).

    * Answered queue visits that have ended. A call answered in two queues counts in both.
    * Their talk time, hold included; a leg above 4 hours is bad data and left out.
    """
    for segment in segments:
        if segment.channel != "voice":
            continue
        ledger.credit_agent(segment.agent, "voice", "calls_inbound_handled", segment.day, 1, 0, 1)
        ledger.add(("agent", segment.agent), "voice", "calls_inbound_over_baseline", segment.day, 1, 0, 1)
        if segment.handle_seconds is not None:
            ledger.credit_agent(segment.agent, "voice", "talk_time_total", segment.day, segment.handle_seconds, 0, 1)


def messages(ledger: Ledger, segments: list[Segment], chats: list[Chat]) -> None:
    """messages_sent_agent, messages_received_customer and qa_ratio (TE, CS), over chat segments that have ended.

    The owner's own human messages in the segment, and the customer's messages placed in it.
    """
    chat_by_id = {chat.chat_id: chat for chat in chats}
    for segment in segments:
        if segment.channel == "chat":
            inside = [m for m in chat_by_id[segment.conversation].messages if m.segment == segment.position]
            sent = sum(m.author == segment.agent for m in inside)
            received = sum(m.author is None for m in inside)
            agent, day = segment.agent, segment.day
            ledger.credit_agent(agent, "chat", "messages_sent_agent", day, sent, 0, sent)
            ledger.credit_agent(agent, "chat", "messages_received_customer", day, received, 0, received)
            ledger.credit_agent(agent, "chat", "qa_ratio", day, sent, received, received)


def concurrent_avg(ledger: Ledger, segments: list[Segment], chats: list[Chat]) -> None:
    """Seconds of ended chat segments / seconds with at least one of them open, per agent and business date.

    A segment that only the rule of silence ended is left out: nobody had it open for those days.
    """
    silent = {(chat.chat_id, len(chat.owners) - 1) for chat in chats if chat.is_silent_end}
    by_day: dict[tuple[str, date], list[Segment]] = defaultdict(list)
    for segment in segments:
        if segment.channel == "chat" and (segment.conversation, segment.position) not in silent:
            by_day[segment.agent, segment.day].append(segment)
    for (agent, day), found in by_day.items():
        spans = [(segment.start, segment.end) for segment in found]
        total = sum(end - start for start, end in spans)
        ledger.credit_agent(agent, "chat", "concurrent_avg", day, total, length(union(spans)), len(found))


def transfer_out_rate(ledger: Ledger, segments: list[Segment]) -> None:
    """Effective segments ended by a transfer / effective segments (TE, CS)."""
    for segment in segments:
        if segment.effective:
            ledger.credit_agent(
                segment.agent, segment.channel, "transfer_out_rate", segment.day, int(segment.transferred), 1, 1
            )


def kinds_of_transfer(ledger: Ledger, segments: list[Segment]) -> None:
    """blind_transfer_rate, consult_transfer_rate and transfer_kind_coverage (TE, CS).

    The rates are effective call segments that ended in each way / all, without transfers of unknown kind; the coverage
    is transfers of known kind / all transfers, those of chats included.
    """
    for segment in segments:
        if segment.effective and segment.channel == "voice" and (segment.kind or not segment.transferred):
            for event, metric in KINDS_OF_TRANSFER.items():
                ledger.credit_agent(segment.agent, "voice", metric, segment.day, int(segment.kind == event), 1, 1)
        if segment.effective and segment.transferred:
            known = int(segment.kind is not None)
            ledger.credit_agent(segment.agent, segment.channel, "transfer_kind_coverage", segment.day, known, 1, 1)


def handle_times(
    ledger: Ledger,
    visits: list[Visit],
    segments: list[Segment],
    acw: Iterable[tuple[str, int, int]],
    roster: Roster,
) -> None:
    """aht, avg_talk_time and acw_avg.

    * aht of voice = (talk + after-call work) / ended calls; of chat = active time / segments; effective segments only;
    * avg_talk_time = talk, hold included / ended calls;
    * acw_avg = after-call work / ended calls;
    * a call above 4 hours is left out of the first two and counts in the third;
    * after-call work is of the call the agent answered last before it began, and goes with it: that of a call without
      an end counts in neither, that of a call above 4 hours in the third only.

    Calls and chats are booked on the segment's date. An after-call state is booked by its own start (the shift that
    contains it, else the local date of the start) and counts at most 600 seconds.
    """
    for segment in segments:
        if not segment.effective:
            continue
        agent, day, seconds = segment.agent, segment.day, segment.handle_seconds
        if segment.channel == "voice":
            ledger.credit_agent(agent, "voice", "acw_avg", day, 0, 1, 1)
        if seconds is not None:
            ledger.credit_agent(agent, segment.channel, "aht", day, seconds, 1, 1)
            if segment.channel == "voice":
                ledger.credit_agent(agent, "voice", "avg_talk_time", day, seconds, 1, 1)
    for agent, start, end in acw:
        day, seconds = business_date(roster, agent, start, start), min(ACW_CAP_SECONDS, end - start)
        before = [v for v in visits if v.agent == agent and v.connected_at is not None and v.connected_at <= start]
        last = max(before, key=lambda visit: visit.connected_at or 0, default=None)
        if last and last.end is None:
            continue
        ledger.credit_agent(agent, "voice", "acw_avg", day, seconds, 0, 0)
        if not last or last.talk_seconds <= LONGEST_TALK_SECONDS:
            ledger.credit_agent(agent, "voice", "aht", day, seconds, 0, 0)


# --- metrics on queues -----------------------------------------------------------------------------------------------


class QueueStay(NamedTuple):
    """What the queue metrics need of a queue visit, of either channel."""

    channel: str
    queue: str
    entered_at: int
    answered: bool
    abandoned: bool
    wait_seconds: int | None


def queue_stays(visits: list[Visit], chats: list[Chat]) -> list[QueueStay]:
    """Queue visits of both channels.

    A call is abandoned only by ABANDON: time-outs and key exits are offered, neither answered nor abandoned. A chat
    that nobody took is abandoned when the visitor left, and offered without either when it ended otherwise. A visit
    without a recorded end is not counted: not known yet.
    """
    stays = [
        QueueStay(
            "voice",
            v.queue,
            v.entered_at,
            v.agent is not None,
            v.agent is None and v.end_event == "ABANDON",
            v.wait_seconds,
        )
        for v in visits
        if v.agent is not None or v.end_event is not None
    ]
    for chat in chats:
        until = chat.accepted_at or chat.left_at
        if until is None and chat.ended_at is None:
            continue
        stays.append(
            QueueStay(
                channel="chat",
                queue=chat.queue,
                entered_at=chat.started_at,
                answered=chat.accepted_at is not None,
                abandoned=chat.accepted_at is None and chat.left_at is not None,
                wait_seconds=None if until is None else until - chat.started_at,
            )
        )
    return stays


def queue_metrics(ledger: Ledger, stays: list[QueueStay]) -> None:
    """service_level, abandonment_rate, asa and avg_abandon_time; local date of entering, for the queue and its team.

    A short abandon is one with a wait below 5 seconds.

    * service_level = answered within the threshold (20 s voice, 30 s chat) / (answered + abandoned that are not short);
    * abandonment_rate = abandoned that are not short / (offered - short abandons);
    * asa = waiting time of the answered / answered;
    * avg_abandon_time = waiting time of the abandoned that are not short / these.
    """
    for stay in stays:
        waited = stay.wait_seconds or 0
        if stay.abandoned and waited < SHORT_ABANDON_SECONDS:
            continue
        day = local_date(stay.entered_at)
        numbers = {"abandonment_rate": (int(stay.abandoned), 1)}
        if stay.answered or stay.abandoned:
            in_time = stay.answered and waited <= SERVICE_LEVEL_SECONDS[stay.channel]
            numbers["service_level"] = (int(in_time), 1)
        if stay.answered:
            numbers["asa"] = (waited, 1)
        if stay.abandoned:
            numbers["avg_abandon_time"] = (waited, 1)
        for metric, (numerator, denominator) in numbers.items():
            ledger.add(("queue", stay.queue), stay.channel, metric, day, numerator, denominator, 1)
            ledger.credit_team(TEAM_OF_QUEUE[stay.queue], stay.channel, metric, day, numerator, denominator, 1)


# --- metrics on chat responses ---------------------------------------------------------------------------------------


def first_responses(ledger: Ledger, chats: list[Chat]) -> None:
    """first_response_time, customer_first_response_time, first_response_median and first_response_p90.

    A team's metrics, because operators take chats themselves.

    Per conversation with a customer message: from the first customer message to the first human message after it,
    calendar seconds. The first is the share answered within 30 seconds, an unanswered conversation fails; the others
    are the mean, the median and the 90th percentile over the answered ones. A visitor who left within 5 seconds without
    an answer is not counted. Local date of the start, credited to the queue's team.
    """
    for chat in chats:
        asked = next((m for m in chat.messages if m.author is None), None)
        if asked is None:
            continue
        reply = chat.first_reply()
        is_short_abandon = chat.left_at is not None and chat.left_at - chat.started_at < SHORT_ABANDON_SECONDS
        if reply is None and chat.accepted_at is None and is_short_abandon:
            continue
        team, day = TEAM_OF_QUEUE[chat.queue], local_date(chat.started_at)
        seconds = reply.instant - asked.instant if reply else None
        in_time = seconds is not None and seconds <= FIRST_RESPONSE_SECONDS
        ledger.credit_team(team, "chat", "first_response_time", day, int(in_time), 1, 1)
        if seconds is not None:
            ledger.credit_team(team, "chat", "customer_first_response_time", day, seconds, 1, 1)
            for unit in (("team", team), ("site", "site")):
                for metric in PERCENTILES:
                    ledger.keep(unit, "chat", metric, day, seconds)


def assignment_responses(ledger: Ledger, chats: list[Chat], segments: list[Segment], roster: Roster) -> None:
    """assignment_response_time and accept_delay of the agent (TE, CS), over chat segments that have ended.

    * assignment_response_time: share of segments whose owner wrote the first own message within 60 on-duty seconds
      after becoming owner; a segment without an own message fails. Conversations without a customer message do not
      count.
    * accept_delay: from the start of the chat to its acceptance, over first segments, calendar seconds.
    """
    chat_by_id = {chat.chat_id: chat for chat in chats}
    for segment in segments:
        if segment.channel != "chat":
            continue
        chat = chat_by_id[segment.conversation]
        if segment.position == 0:
            delay = segment.start - chat.started_at
            ledger.credit_agent(segment.agent, "chat", "accept_delay", segment.day, delay, 1, 1)
        if any(m.author is None for m in chat.messages):
            own = [m for m in chat.messages if m.author == segment.agent and m.segment == segment.position]
            in_time = bool(own) and (
                on_duty_seconds(roster, segment.agent, segment.start, own[0].instant) <= ASSIGNMENT_RESPONSE_SECONDS
            )
            ledger.credit_agent(segment.agent, "chat", "assignment_response_time", segment.day, int(in_time), 1, 1)


class Turn(NamedTuple):
    """A run of customer messages and, where there is one, the next human message.

    ``owner`` is the author of the reply, or the owner of the segment the customer wrote in; None when nobody ever owned
    the chat. ``segment`` is the ended segment the reply stands in. The clock starts at the later of the run's first
    message and the assignment of that segment; ``seconds`` are on-duty seconds of the reply's author, ``elapsed`` all
    of them; None without a reply.
    """

    chat: Chat
    asked_at: int
    owner: str | None
    segment: Segment | None
    seconds: int | None
    elapsed: int | None


def is_goodbye(run: list[Message]) -> bool:
    """Whether the customer only thanks or takes leave in these messages."""
    return all(message.text.strip("!") in GOODBYES for message in run)


def turns(chats: list[Chat], segments: list[Segment], roster: Roster) -> Iterator[Turn]:
    """All turns of all chats; a reply in a segment that has not ended is as none.

    A run in which the customer only thanks or takes leave is no turn, answered or not.
    """
    segment_at = {(s.conversation, s.position): s for s in segments if s.channel == "chat"}
    for chat in chats:
        run: list[Message] = []
        for message in chat.messages:
            if message.author is None:
                run.append(message)
            elif run:
                segment = segment_at.get((chat.chat_id, message.segment))
                if segment and not is_goodbye(run):
                    start = max(run[0].instant, segment.start)
                    seconds = on_duty_seconds(roster, message.author, start, message.instant)
                    elapsed = max(0, message.instant - start)
                    yield Turn(chat, run[0].instant, message.author, segment, seconds, elapsed)
                run = []
        if run and not is_goodbye(run):
            owner = chat.owners[run[0].segment] if chat.owners else None
            yield Turn(chat, run[0].instant, owner, None, None, None)


def avg_response_time(ledger: Ledger, found: list[Turn]) -> None:
    """avg_response_time: on-duty seconds over answered turns / answered turns.

    Credit goes to the author of the reply, on the business date of the segment it stands in.
    """
    for turn in found:
        if turn.segment is not None and turn.owner is not None and turn.seconds is not None:
            ledger.credit_agent(turn.owner, "chat", "avg_response_time", turn.segment.day, turn.seconds, 1, 1)


def is_in_service_window(instant: int) -> bool:
    """Whether the site's wall shows 09:00 to 22:59."""
    return datetime.fromtimestamp(instant, SITE_ZONE).hour in SERVICE_WINDOW_HOURS


def response_within(ledger: Ledger, found: list[Turn]) -> None:
    """response_within_threshold_rate and response_within_180s_rate: turns answered within 30 (180) seconds / turns.

    Every second counts, on duty or not. Turns of chats that have ended, asked between 09:00 and 23:00, the unanswered
    ones included. Local date of the chat's start, credited to the owner of the turn; where nobody ever owned the chat,
    to the queue's team.
    """
    for turn in found:
        if turn.chat.ended_at is None or not is_in_service_window(turn.asked_at):
            continue
        day = local_date(turn.chat.started_at)
        limits = {"response_within_threshold_rate": TURN_SECONDS, "response_within_180s_rate": TURN_LONG_SECONDS}
        for metric, limit in limits.items():
            in_time = int(turn.elapsed is not None and turn.elapsed <= limit)
            if turn.owner is None:
                ledger.credit_team(TEAM_OF_QUEUE[turn.chat.queue], "chat", metric, day, in_time, 1, 1)
            else:
                ledger.credit_agent(turn.owner, "chat", metric, day, in_time, 1, 1)


def reply_rate(ledger: Ledger, chats: list[Chat], segments: list[Segment]) -> None:
    """reply_rate of chats begun between 09:00 and 23:00, on the local date of their start.

    * Agent: ended segments with a message of their owner after the customer's first / ended segments of chats with a
      customer message.
    * Team of the queue, and site: chats with a human reply / chats with a customer message, open ones too.
    """
    asked = {c.chat_id: c for c in chats if any(m.author is None for m in c.messages)}
    asked = {chat_id: chat for chat_id, chat in asked.items() if is_in_service_window(chat.started_at)}
    for chat in asked.values():
        replied, day = int(chat.first_reply() is not None), local_date(chat.started_at)
        ledger.credit_team(TEAM_OF_QUEUE[chat.queue], "chat", "reply_rate", day, replied, 1, 1)
    for segment in segments:
        if segment.channel == "chat" and segment.conversation in asked:
            chat = asked[segment.conversation]
            own = any(m.author == segment.agent and m.segment == segment.position for m in chat.replies())
            ledger.add(("agent", segment.agent), "chat", "reply_rate", local_date(chat.started_at), int(own), 1, 1)


def slow_response_count(ledger: Ledger, found: list[Turn], segments: list[Segment]) -> None:
    """Conversations handled in which the unit answered at least 3 turns later than 120 seconds, dated as these."""
    slow: dict[tuple[str, str, str], int] = defaultdict(int)
    for turn in found:
        if turn.owner is not None and turn.seconds is not None and turn.seconds > SLOW_TURN_SECONDS:
            for kind, key in ledger.units_of(turn.owner):
                slow[kind, key, turn.chat.chat_id] += 1
    handled = [segment for segment in segments if segment.effective and segment.channel == "chat"]
    for (kind, key, channel, conversation), segment in last_of_units(ledger, handled).items():
        if slow[kind, key, conversation] >= SLOW_TURN_COUNT:
            ledger.add((kind, key), channel, "slow_response_count", segment.day, 1, 0, 1)


def bot_and_human_share(ledger: Ledger, chats: list[Chat]) -> None:
    """bot_share and human_share: chats only a bot had, and the others / all; local date of the start, queue's team.

    The server names the bot in charge of a chat, and here there never was one. The auto-responder's text in every queue
    is no bot: it answers nobody.
    """
    for chat in chats:
        bot_only = chat.is_bot_in_charge and not any(m.author is not None for m in chat.messages)
        team, day = TEAM_OF_QUEUE[chat.queue], local_date(chat.started_at)
        ledger.credit_team(team, "chat", "bot_share", day, int(bot_only), 1, 1)
        ledger.credit_team(team, "chat", "human_share", day, int(not bot_only), 1, 1)


# --- time at the telephone -------------------------------------------------------------------------------------------


class PhoneDay(NamedTuple):
    """What an agent's day at the telephone consisted of, in spans that do not overlap."""

    agent: str
    day: date
    signed_in: Spans
    talk: Spans
    acw: Spans
    ready: Spans
    unknown: Spans


def phone_days(log: list[LogLine], people: People, roster: Roster, segments: list[Segment]) -> Iterator[PhoneDay]:
    """Days at the telephone.

    * Signed in from joining the first queue to leaving the last one. Where that is not written, to 30 minutes after the
      end of the shift; without a shift to the end of the last call.
    * Talk: ended calls, from answer to end. After-call work that runs beside a call is talk.
    * Ready: signed in, not talking and free for one queue at least. Who is paused in one of two queues is ready for the
      other. A pause that nothing ends lasts as long as the sign-in.
    * Unknown: what would be ready were it not for a call above 4 hours.
    """
    signed_in: dict[str, Spans] = defaultdict(list)
    member_of: dict[str, set[str]] = defaultdict(set)
    since: dict[str, int] = {}
    queues: dict[str, set[str]] = defaultdict(set)
    for line in log:
        if line.agent not in people.by_pbx_name:
            continue
        agent = people.by_pbx_name[line.agent]
        if line.event == "ADDMEMBER":
            if not member_of[agent]:
                since[agent] = line.instant
            member_of[agent].add(line.queue)
            queues[agent].add(line.queue)
        elif line.event == "REMOVEMEMBER":
            member_of[agent].discard(line.queue)
            if not member_of[agent]:
                signed_in[agent].append((since.pop(agent), line.instant))
    for agent, start in since.items():
        shift = roster.get(agent, {}).get(business_date(roster, agent, start, start))
        calls = [s for s in segments if (s.channel, s.agent) == ("voice", agent)]
        last_call = max((s.start if s.handle_seconds is None else s.end for s in calls), default=start)
        signed_in[agent].append((start, shift.end + FORGOTTEN_LOGOUT_SECONDS if shift else last_call))

    by_day: dict[tuple[str, date], Spans] = defaultdict(list)
    for agent, spans in signed_in.items():
        for start, end in spans:
            by_day[agent, business_date(roster, agent, start, start)].append((start, end))
    paused = pauses(log, people)
    for (agent, day), spans in by_day.items():
        end_of_day = max(end for _, end in spans)
        of_day = [s for s in segments if (s.channel, s.agent, s.day) == ("voice", agent, day)]
        talk = common(spans, [(s.start, s.end) for s in of_day if s.handle_seconds is not None])
        endless = union([(s.start, s.end) for s in of_day if s.handle_seconds is None])
        own = [pause for pause in paused if pause.agent == agent]
        away = union(spans)
        for queue in queues[agent]:
            away = common(away, [(p.start, p.end or end_of_day) for p in own if p.scope in (queue, "all")])
        acw = [(p.start, min(p.end, p.start + ACW_CAP_SECONDS)) for p in own if p.reason == "acw" and p.end]
        acw = without(common(away, acw), talk)
        free = without(spans, [*talk, *away])
        yield PhoneDay(agent, day, union(spans), talk, acw, without(free, endless), common(free, endless))


def phone_time(ledger: Ledger, days: list[PhoneDay], segments: list[Segment]) -> None:
    """online_duration, occupancy, utilization and contacts_per_hour, on the date of the shift.

    * online_duration: seconds signed in;
    * occupancy: (talk + after-call work) / (talk + after-call work + ready);
    * utilization: (talk + after-call work + ready) / (signed in - unknown);
    * contacts_per_hour: ended calls up to 4 hours / (talk + after-call work + ready); the published value is 3600 times
      the fraction.
    """
    for day in days:
        busy, online = length(day.talk) + length(day.acw), length(day.signed_in)
        productive = busy + length(day.ready)
        ledger.credit_agent(day.agent, "voice", "online_duration", day.day, online, 0, 1)
        ledger.credit_agent(day.agent, "voice", "occupancy", day.day, busy, productive, 1)
        known = online - length(day.unknown)
        ledger.credit_agent(day.agent, "voice", "utilization", day.day, productive, known, 1)
        ledger.credit_agent(day.agent, "voice", "contacts_per_hour", day.day, 0, productive, 0)
    for segment in segments:
        if segment.channel == "voice" and segment.handle_seconds is not None:
            ledger.credit_agent(segment.agent, "voice", "contacts_per_hour", segment.day, 1, 0, 1)


# --- the customer's voice --------------------------------------------------------------------------------------------


class Rating(NamedTuple):
    """One answer to the satisfaction question, 1 to 5, 5 best; ``customer`` is empty when unknown."""

    channel: str
    conversation: str
    customer: str
    rated_at: int
    stars: int
    conversation_end: int | None
    answer_seconds: int | None = None


def chat_answers(tables: dict[str, list[Record]], chats: list[Chat], question: str) -> list[Rating]:
    """Answers to one star question of the chat survey, 0 = not answered; 1 is satisfaction, 2 whether it was solved."""
    chat_by_id = {chat.chat_id: chat for chat in chats}
    return [
        Rating("chat", chat.chat_id, chat.customer, int(item["ftime"]), int(item[question]), chat.ended_at)
        for item in sorted(tables["lh_abstract_survey_item"], key=lambda item: int(item["id"]))
        if int(item[question]) and (chat := chat_by_id.get(item["chat_id"]))
    ]


def ratings(
    log: list[LogLine],
    visits: list[Visit],
    tables: dict[str, list[Record]],
    chats: list[Chat],
    invited: dict[str, int],
) -> list[Rating]:
    """Answers to the satisfaction question of both channels, in order of being given.

    Calls: SURVEY events of queue_log; the call ends at its last terminal event; the customer is the caller's number,
    unless it is withheld. Chats: ``max_stars_1`` of the survey, 0 = not answered; the other scales are other
    instruments.
    """
    call_end: dict[str, int] = {}
    caller: dict[str, str] = {}
    for visit in visits:
        caller.setdefault(visit.callid, international(visit.caller))
        if visit.end is not None:
            call_end[visit.callid] = max(visit.end, call_end.get(visit.callid, 0))
    found = [
        Rating(
            "voice",
            e.callid,
            caller.get(e.callid, ""),
            e.instant,
            int(e.data[0]),
            call_end.get(e.callid),
            e.instant - invited[e.callid] if e.callid in invited else None,
        )
        for e in log
        if e.event == "SURVEY"
    ]
    return sorted([*found, *chat_answers(tables, chats, "max_stars_1")], key=lambda rating: rating.rated_at)


def valid_ratings(given: list[Rating], segments: list[Segment]) -> Iterator[tuple[Segment, Rating]]:
    """Valid answers to one question, with the last effective segment of the conversation (TR, CL).

    In this order: a conversation without an effective segment gives no rating (V9); a rating more than 72 hours after
    the end of the conversation is not scored (V7); of several for a conversation the last one counts (V1); of more than
    two by one customer for one agent in the period the first two count (V2), where unknown customers are never the same
    customer; answers within 3 seconds of the invitation are not scored when they are more than a fifth of the agent's
    (V4).
    """
    last_segment = last_effective(segments)
    valid: dict[tuple[str, str], Rating] = {}
    for rating in given:
        conversation = (rating.channel, rating.conversation)
        if conversation not in last_segment or rating.conversation_end is None:
            continue
        if rating.rated_at <= rating.conversation_end + RATING_WINDOW_SECONDS:
            valid[conversation] = rating
    seen: dict[tuple[str, str], int] = defaultdict(int)
    kept: dict[str, list[tuple[Segment, Rating]]] = defaultdict(list)
    for conversation, rating in sorted(valid.items(), key=lambda entry: entry[1].rated_at):
        segment = last_segment[conversation]
        if not PERIOD_FIRST_DATE <= segment.day <= PERIOD_LAST_DATE:
            continue
        if rating.customer:
            seen[rating.customer, segment.agent] += 1
            if seen[rating.customer, segment.agent] > RATINGS_PER_CUSTOMER_AND_AGENT:
                continue
        kept[segment.agent].append((segment, rating))
    for own in kept.values():
        is_fast = [r.answer_seconds is not None and r.answer_seconds < LEAST_ANSWER_SECONDS for _, r in own]
        is_excluded = Fraction(sum(is_fast), len(own)) > MOST_FAST_SHARE
        yield from (pair for pair, fast in zip(own, is_fast, strict=True) if not (is_excluded and fast))


def satisfaction(ledger: Ledger, given: list[Rating], segments: list[Segment]) -> None:
    """csat_rate, csat_score and dissatisfied_rate: ratings of 4 and 5, stars, ratings of 1 and 2 / valid ratings."""
    for segment, rating in valid_ratings(given, segments):
        agent, channel, day = segment.agent, rating.channel, segment.day
        ledger.credit_agent(agent, channel, "csat_rate", day, int(rating.stars >= CSAT_GOOD_FROM), 1, 1)
        ledger.credit_agent(agent, channel, "csat_score", day, rating.stars, 1, 1)
        ledger.credit_agent(agent, channel, "dissatisfied_rate", day, int(rating.stars <= CSAT_BAD_UP_TO), 1, 1)


def fcr_survey(ledger: Ledger, given: list[Rating], segments: list[Segment]) -> None:
    """fcr_survey: 4 and 5 stars for "was your problem solved" / valid answers to it, by the same rules."""
    for segment, rating in valid_ratings(given, segments):
        solved = int(rating.stars >= CSAT_GOOD_FROM)
        ledger.credit_agent(segment.agent, rating.channel, "fcr_survey", segment.day, solved, 1, 1)


def survey_offer_rate(
    ledger: Ledger, invited: Container[str], segments: list[Segment], contacts: dict[tuple[str, str], Conversation]
) -> None:
    """survey_offer_rate of calls: outcomes with an invitation / outcomes. The chat server records no invitations."""
    for segment, _ in outcomes(segments, contacts):
        if segment.channel == "voice":
            is_invited = int(segment.conversation in invited)
            ledger.credit_agent(segment.agent, "voice", "survey_offer_rate", segment.day, is_invited, 1, 1)


def survey_response_rate(ledger: Ledger, invited: Container[str], log: list[LogLine], segments: list[Segment]) -> None:
    """survey_response_rate of calls: invited calls that were answered / invited calls (TR, CL).

    A call is invited by a CDR leg to ``survey`` and answered by a SURVEY event. Calls without an ended, effective
    segment have no agent to credit and are left out. The chat server does not record invitations: not measured.
    """
    answered = {line.callid for line in log if line.event == "SURVEY"}
    for (channel, callid), segment in last_effective(segments).items():
        if channel == "voice" and callid in invited:
            numerator = int(callid in answered)
            ledger.credit_agent(segment.agent, "voice", "survey_response_rate", segment.day, numerator, 1, 1)


# --- the sheets: quality reviews and exams ---------------------------------------------------------------------------


class Review(NamedTuple):
    """One quality review: score of 0 to 100 before the fatal rule."""

    agent: str
    day: date
    score: Fraction
    fatal: bool


class Sitting(NamedTuple):
    """One line of the exam sheet; ``score`` is None when the person was absent."""

    agent: str
    exam: str
    is_first: bool
    day: date
    score: Fraction | None


def as_day(value: object) -> date:
    """A date from a cell that holds a date, a date-time or ISO text."""
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value)[:10])


def load_reviews(samples: Path) -> list[Review]:
    """Quality reviews of ``handmade/qa_review.xlsx`` that count for the agent.

    A blind second opinion measures the reviewers and is left out; so is a review of oneself, of a contact outside the
    period, or with less than 30 % of the recording played (V11). No file, no reviews.
    """
    path = samples / "handmade" / "qa_review.xlsx"
    if not path.exists():
        return []
    from python_calamine import CalamineWorkbook

    header, *lines = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    reviews = []
    for line in lines:
        cell = dict(zip((str(name).split(" / ")[0] for name in header), line, strict=True))
        played = Fraction(str(cell["Playback seconds"])) / Fraction(str(cell["Recording seconds"]))
        contact = as_day(cell["Contact time"])
        if cell["Blind"] == "yes" or cell["Reviewer number"] == cell["Employee number"] or played < Fraction(3, 10):
            continue
        if not PERIOD_FIRST_DATE <= contact <= PERIOD_LAST_DATE:
            continue
        fatal = cell["Fatal"] == "yes"
        day = as_day(cell["Review time"])
        reviews.append(Review(str(cell["Employee number"]), day, Fraction(str(cell["Score"])), fatal))
    return reviews


def load_sittings(samples: Path) -> list[Sitting]:
    """Exam results of ``handmade/exam.csv``, score empty when absent.

    A make-up is a further line with the same exam name. No file, no exams.
    """
    path = samples / "handmade" / "exam.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [
            Sitting(
                line["employee_number"],
                line["exam_name"],
                line["sitting"] == "first",
                as_day(line["exam_date"]),
                Fraction(line["score"]) if line["score"].strip() else None,
            )
            for line in csv.DictReader(file)
        ]


def qa_listening_score(ledger: Ledger, reviews: list[Review]) -> None:
    """qa_listening_score, qa_critical_error_rate and the reviews of qa_sample_completion; on the evaluation date.

    Sum of review scores, where a fatal review scores 0 / reviews; fatal reviews / reviews.
    """
    for review in reviews:
        score = Fraction(0) if review.fatal else review.score
        ledger.credit_agent(review.agent, "none", "qa_listening_score", review.day, score, 1, 1)
        ledger.credit_agent(review.agent, "none", "qa_critical_error_rate", review.day, int(review.fatal), 1, 1)
        ledger.add(("agent", review.agent), "none", "qa_sample_completion", review.day, 1, 0, 0)


def exam_score(ledger: Ledger, sittings: list[Sitting]) -> None:
    """exam_score: per agent and exam the best of sitting and make-up, 0 if always absent; booked on the first date.

    An exam of one name may come back: a make-up is of the last first sitting until then.
    """
    by_exam: dict[tuple[str, str, date], list[Sitting]] = defaultdict(list)
    for sitting in sittings:
        firsts = [
            other.day for other in sittings if other.is_first and other[:2] == sitting[:2] and other.day <= sitting.day
        ]
        by_exam[sitting.agent, sitting.exam, max(firsts, default=sitting.day)].append(sitting)
    for (agent, _, _), lines in by_exam.items():
        best = max((line.score for line in lines if line.score is not None), default=Fraction(0))
        ledger.credit_agent(agent, "none", "exam_score", min(line.day for line in lines), best, 1, 1)


# --- all of it -------------------------------------------------------------------------------------------------------


def recompute(samples: Path) -> list[Row]:
    """All rows of the period for a samples folder, sorted.

    Raises FileNotFoundError when a recording is missing (the two sheets may be), KeyError when a column is.
    """
    people = load_people(samples)
    ledger = Ledger(people)
    hr = load_hr(samples, people)
    log = load_queue_log(samples)
    visits = queue_visits(log, people)
    tables = load_chat_tables(samples)
    chats = load_chats(tables, people)
    segments = [*voice_segments(visits, hr.roster), *chat_segments(chats, hr.roster)]

    contacts = conversations(visits, chats)
    found_turns = list(turns(chats, segments, hr.duty()))
    invited = load_survey_legs(samples)

    conversations_handled(ledger, segments, contacts)
    conversations_assigned(ledger, visits, chats, hr.roster)
    effective_conversation_rate(ledger, segments, chats)
    outcome_metrics(ledger, segments, contacts, chats)
    calls_inbound_handled(ledger, segments)
    monthly_quota(ledger, hr, "calls_inbound_over_baseline", "voice", CALLS_PER_MONTH, count_days=False)
    transfer_out_rate(ledger, segments)
    kinds_of_transfer(ledger, segments)
    messages(ledger, segments, chats)
    concurrent_avg(ledger, segments, chats)
    handle_times(ledger, visits, segments, acw_states(log, people), hr.roster)
    phone_time(ledger, list(phone_days(log, people, hr.roster, segments)), segments)
    ring_metrics(ledger, log, people, hr.roster)
    queue_metrics(ledger, queue_stays(visits, chats))
    first_responses(ledger, chats)
    assignment_responses(ledger, chats, segments, hr.duty())
    avg_response_time(ledger, found_turns)
    response_within(ledger, found_turns)
    reply_rate(ledger, chats, segments)
    slow_response_count(ledger, found_turns, segments)
    bot_and_human_share(ledger, chats)
    satisfaction(ledger, ratings(log, visits, tables, chats, invited), segments)
    fcr_survey(ledger, chat_answers(tables, chats, "max_stars_2"), segments)
    survey_response_rate(ledger, invited, log, segments)
    survey_offer_rate(ledger, invited, segments, contacts)
    qa_listening_score(ledger, load_reviews(samples))
    monthly_quota(ledger, hr, "qa_sample_completion", "none", REVIEWS_PER_MONTH, count_days=True)
    exam_score(ledger, load_sittings(samples))
    attendance_rate(ledger, hr)
    shrinkage(ledger, hr)
    agent_attrition(ledger, samples)
    return ledger.rows()


def workload_balance(samples: Path) -> dict[str, float]:
    """How unevenly the period's work is spread in each team of three or more people: standard deviation / mean.

    Of active seconds (calls, after-call work, chats) per attended second of everybody who attended.
    """
    people = load_people(samples)
    numerators = {
        (row.unit_key, row.metric_id): row.numerator
        for row in recompute(samples)
        if row.unit_kind == "agent" and row.business_date == "period" and row.channel in ("all", "none")
    }
    loads: dict[str, list[float]] = defaultdict(list)
    for (agent, metric), attended in numerators.items():
        if metric == "attendance_rate" and attended:
            loads[people.by_key[agent].team].append(float(numerators.get((agent, "aht"), 0) / Fraction(attended)))
    return {team: pstdev(found) / fmean(found) for team, found in loads.items() if len(found) >= 3}


def main() -> None:
    """Print the rows, tab-separated or as JSON lines; fractions as text such as ``175/2``."""
    parser = argparse.ArgumentParser(description="Recompute the metrics from the raw recordings.")
    parser.add_argument("--samples", type=Path, default=Path(__file__).resolve().parents[2] / "samples")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    arguments = parser.parse_args()
    if not arguments.json:
        print(*Row._fields, sep="\t")
    for row in recompute(arguments.samples):
        values = [str(value) if isinstance(value, Fraction) and value.denominator > 1 else value for value in row]
        values = [int(value) if isinstance(value, Fraction) else value for value in values]
        if arguments.json:
            print(json.dumps(dict(zip(Row._fields, values, strict=True)), ensure_ascii=False))
        else:
            print(*("" if value is None else value for value in values), sep="\t")


if __name__ == "__main__":
    main()

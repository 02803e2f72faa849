"""The truth of working time: attendance, what the telephone records of people, and who left.

A *phone day* is what the exchange tells of one person on one business date. Present and scheduled are those of a shift:
without one there is nothing to compare with.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from kefu.simulation.truth.conversations import conversations_handled
from kefu.simulation.truth.facts import ACW_CAP_SECONDS, Entry, Facts, Metric, Shift, per_segment
from kefu.simulation.truth.rules import is_working_day
from kefu.simulation.truth.spans import Span, common, total, union, without

LONGEST_PUNCH_SECONDS = 16 * 3600
FORGOTTEN_LOGOUT_SECONDS = 30 * 60
MONTHLY_CALL_BASELINE = 600

_DAY = dt.timedelta(days=1)
# What pauses are called and what they are; nobody writes an unnamed pause, so none is unspecified or automatic.
_PAUSES = {"break": "break", "lunch": "break", "meeting": "meeting", "training": "training", "outbound": "outbound"}


# --- attendance ------------------------------------------------------------------------------------------------------


class Attendance(NamedTuple):
    """One rostered shift and what the punches say; contradicted: not closed, or longer than sixteen hours."""

    agent: str
    shift: Shift
    is_on_leave: bool
    is_paid_leave: bool
    is_contradicted: bool
    attended_seconds: int

    @property
    def is_counted(self) -> bool:
        """Returns whether the day counts: neither on leave nor contradicted."""
        return not self.is_on_leave and not self.is_contradicted


@lru_cache(maxsize=1)
def attendances(facts: Facts) -> list[Attendance]:
    """Returns every shift with the seconds attended within it, at most the required ones; punched twice is once."""
    punches: dict[tuple[str, dt.date], list[tuple[int, int | None]]] = defaultdict(list)
    for row in facts.rows("punch"):
        punches[row["agent_key"], row["shift_date"]].append((row["in_at"], row["out_at"]))
    found = []
    for agent, shifts in facts.roster.items():
        for shift in shifts:
            pairs = punches[agent, shift.day]
            closed = [(came, left) for came, left in pairs if left is not None and left - came <= LONGEST_PUNCH_SECONDS]
            inside = total(common(closed, [(shift.start, shift.end)]))
            found.append(
                Attendance(
                    agent=agent,
                    shift=shift,
                    is_on_leave=(agent, shift.day) in facts.leave,
                    is_paid_leave=facts.leave.get((agent, shift.day), False),
                    is_contradicted=len(closed) < len(pairs),
                    attended_seconds=min(inside, shift.required_seconds),
                )
            )
    return found


def attendance_rate(facts: Facts) -> Iterator[Entry]:
    """Seconds punched within the shift, at most the required ones / required seconds (TD, CO).

    Left out: days of approved leave, and contradictions.
    """
    for attendance in attendances(facts):
        if attendance.is_counted:
            agent, shift = attendance.agent, attendance.shift
            attended, required = attendance.attended_seconds, shift.required_seconds
            yield Entry(facts.units(agent, shift.day), "none", shift.day, attended, required, 1)


@lru_cache(maxsize=1)
def month_shares(facts: Facts) -> dict[tuple[str, dt.date], Fraction]:
    """Returns which part of what is expected of its month each rostered day stands for, by agent and date.

    All days of a month together stand for the share of its working days on which the agent is employed.
    """
    rostered: dict[tuple[str, dt.date], list[dt.date]] = defaultdict(list)
    for attendance in attendances(facts):
        day = attendance.shift.day
        rostered[attendance.agent, day.replace(day=1)].append(day)
    people = {row["agent_key"]: (row["hire_date"], row["exit_date"] or dt.date.max) for row in facts.rows("agent")}
    shares: dict[tuple[str, dt.date], Fraction] = {}
    for (agent, first), days in rostered.items():
        month = [first + number * _DAY for number in range(31)]
        working = [day for day in month if day.month == first.month and is_working_day(day)]
        hired, gone = people[agent]
        own = sum(hired <= day <= gone for day in working)
        share = Fraction(own, len(working) * len(days)) if own else Fraction(1, len(working))
        shares |= {(agent, day): share for day in days}
    return shares


def calls_inbound_over_baseline(facts: Facts) -> Iterator[Entry]:
    """Answered calls above the baseline of the month, which days of leave and contradictions lower (TP, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            entry = per_segment(facts, segment, 1, 0)
            yield entry._replace(units=(("agent", segment.agent),))
    for attendance in attendances(facts):
        if attendance.is_counted:
            agent, day = attendance.agent, attendance.shift.day
            expected = MONTHLY_CALL_BASELINE * month_shares(facts)[agent, day]
            yield Entry((("agent", agent),), "voice", day, 0, expected, 0)


# --- telephone -------------------------------------------------------------------------------------------------------


class PhoneDay(NamedTuple):
    """One business date of one person on the telephone; pauses lie within the signed-in time.

    `acw` is at most ten minutes of every wrap-up, `acw_excess` the rest, which is time away. `untimed` are calls above
    four hours: nobody knows what was done in the signed-in time of which nothing else tells.
    """

    agent: str
    day: dt.date
    shift: Shift | None
    signed_in: list[Span]
    talk: list[Span]
    untimed: list[Span]
    acw: list[Span]
    acw_excess: list[Span]
    pauses: dict[str, list[Span]]

    @property
    def busy_seconds(self) -> int:
        """Returns the seconds of talk and wrap-up."""
        return total(self.talk) + total(self.acw)

    @property
    def _free(self) -> list[Span]:
        paused = [span for spans in self.pauses.values() for span in spans]
        return without(self.signed_in, [*paused, *self.acw, *self.acw_excess, *self.talk])

    @property
    def ready_seconds(self) -> int:
        """Returns the signed-in seconds without pauses, talk and calls above four hours."""
        return total(without(self._free, self.untimed))

    @property
    def untimed_seconds(self) -> int:
        """Returns the signed-in seconds of which only a call above four hours tells."""
        return total(common(self._free, union(self.untimed)))


@lru_cache(maxsize=1)
def phone_days(facts: Facts) -> dict[tuple[str, dt.date], PhoneDay]:
    """Returns every date on which the exchange tells something of a person."""
    shifts = {(agent, shift.day): shift for agent, of_agent in facts.roster.items() for shift in of_agent}
    states: dict[tuple[str, dt.date], list[tuple[str, int, int | None]]] = defaultdict(list)
    for row in facts.rows("agent_state"):
        agent, start = row["agent_key"], row["started_at"]
        states[agent, facts.business_date(agent, start, start)].append((row["state"], start, row["ended_at"]))
    talk: dict[tuple[str, dt.date], list[Span]] = defaultdict(list)
    untimed: dict[tuple[str, dt.date], list[Span]] = defaultdict(list)
    for segment in facts.segments:
        if segment.channel == "voice":
            calls = untimed if segment.handle_seconds is None else talk
            calls[segment.agent, segment.day].append((segment.start, segment.end))
    days = {}
    for key in sorted(states.keys() | talk.keys()):
        shift, closed = shifts.get(key), [(kind, a, b) for kind, a, b in states[key] if b is not None]
        signed_in = _signed_in(states[key], talk[key], shift)
        pauses: dict[str, list[Span]] = defaultdict(list)
        for kind, start, end in closed:
            if kind in _PAUSES:
                pauses[_PAUSES[kind]] += common([(start, end)], signed_in)
        wrap_ups = [(start, end) for kind, start, end in closed if kind == "acw"]
        days[key] = PhoneDay(
            *key,
            shift=shift,
            signed_in=signed_in,
            talk=talk[key],
            untimed=untimed[key],
            acw=[(start, min(end, start + ACW_CAP_SECONDS)) for start, end in wrap_ups],
            acw_excess=[(start + ACW_CAP_SECONDS, end) for start, end in wrap_ups if end - start > ACW_CAP_SECONDS],
            pauses=dict(pauses),
        )
    return days


def _signed_in(states: list[tuple[str, int, int | None]], talk: list[Span], shift: Shift | None) -> list[Span]:
    """Returns the time from each log-in, or the first event without one, to its log-out.

    A forgotten log-out ends with the next log-in or half an hour after the shift; without a shift with the last event.
    """
    events = [*((start, end) for _, start, end in states), *talk]
    log_ins = sorted((start, end) for kind, start, end in states if kind == "on_queue")
    if not log_ins:
        log_ins = [(min(start for start, _ in events), None)]
    last = max(start if end is None else end for start, end in events)
    cut = shift.end + FORGOTTEN_LOGOUT_SECONDS if shift else last
    spans = []
    for (start, end), following in pairwise([*log_ins, (cut, None)]):
        spans.append((start, min(following[0], cut) if end is None else end))
    return union(spans)


def _per_day(facts: Facts, day: PhoneDay, numerator: int, denominator: int) -> Entry:
    return Entry(facts.units(day.agent, day.day), "voice", day.day, numerator, denominator, 1)


def occupancy(facts: Facts) -> Iterator[Entry]:
    """Talk and wrap-up / talk, wrap-up and ready (TD, CO)."""
    for day in phone_days(facts).values():
        yield _per_day(facts, day, day.busy_seconds, day.busy_seconds + day.ready_seconds)


def utilization(facts: Facts) -> Iterator[Entry]:
    """Talk, wrap-up and ready / signed in, calls above four hours left out (TD, CO)."""
    for day in phone_days(facts).values():
        known_seconds = total(day.signed_in) - day.untimed_seconds
        yield _per_day(facts, day, day.busy_seconds + day.ready_seconds, known_seconds)


def online_duration(facts: Facts) -> Iterator[Entry]:
    """Signed-in seconds, a forgotten log-out cut half an hour after the shift (TD, CO)."""
    for day in phone_days(facts).values():
        yield _per_day(facts, day, total(day.signed_in), 0)


def contacts_per_hour(facts: Facts) -> Iterator[Entry]:
    """Answered calls / seconds of talk, wrap-up and ready, calls above four hours left out (TP, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice" and segment.handle_seconds is not None:
            yield per_segment(facts, segment, 1, 0)
    for day in phone_days(facts).values():
        yield _per_day(facts, day, 0, day.busy_seconds + day.ready_seconds)._replace(n=0)


def work_efficiency(facts: Facts) -> Iterator[Entry]:
    """Scheduled seconds without time away / scheduled seconds, on days with a sign-in (TD, CO).

    Away is, within the shift: wrap-up beyond ten minutes, and breaks beyond what the shift allows.
    """
    for key, day in phone_days(facts).items():
        if day.shift and day.signed_in and key not in facts.leave:
            inside, required = [(day.shift.start, day.shift.end)], day.shift.required_seconds
            breaks = total(common(day.pauses.get("break", []), inside))
            allowed = day.shift.end - day.shift.start - required
            away = total(common(day.acw_excess, inside)) + max(0, breaks - allowed)
            yield _per_day(facts, day, max(0, required - away), required)


def _scheduled(facts: Facts) -> Iterator[tuple[Shift, PhoneDay | None, tuple[str, dt.date]]]:
    """Yields shifts, without leave, of those who signed in that month; the phone day is None without a sign-in.

    Left out: shifts without a sign-in that were attended all the same, as by who serves chats that day.
    """
    days = phone_days(facts)
    active = {(day.agent, f"{day.day:%Y-%m}") for day in days.values() if day.signed_in}
    for attendance in attendances(facts):
        key = attendance.agent, attendance.shift.day
        if key not in days and (attendance.attended_seconds or attendance.is_contradicted):
            continue
        if not attendance.is_on_leave and (attendance.agent, f"{attendance.shift.day:%Y-%m}") in active:
            yield attendance.shift, days.get(key), key


def adherence(facts: Facts) -> Iterator[Entry]:
    """Signed in within the shift without breaks, at most the scheduled seconds / scheduled seconds (TD, CO).

    A shift without a sign-in counts as missed for who signed in at least once in the month. Left out: approved leave.
    """
    for shift, day, (agent, date) in _scheduled(facts):
        present, inside = 0, [(shift.start, shift.end)]
        if day:
            breaks = common(day.pauses.get("break", []), inside)
            present = total(common(day.signed_in, inside)) - total(breaks)
        units, scheduled = facts.units(agent, date), shift.required_seconds
        yield Entry(units, "voice", date, min(present, scheduled), scheduled, 1)


def conformance(facts: Facts) -> Iterator[Entry]:
    """Signed in without breaks, whenever it was / scheduled seconds of the same shifts as adherence (TD, CO)."""
    for shift, day, (agent, date) in _scheduled(facts):
        present = total(day.signed_in) - total(day.pauses.get("break", [])) if day else 0
        yield Entry(facts.units(agent, date), "voice", date, present, shift.required_seconds, 1)


# --- what people cost ------------------------------------------------------------------------------------------------


def shrinkage(facts: Facts) -> Iterator[Entry]:
    """Paid seconds in which nobody could be reached / paid seconds, of teams (TD, CT).

    Paid are the required seconds, on paid leave too. Available is what was attended, without meetings, training and
    wrap-up beyond ten minutes. Left out: unpaid leave and contradictions.
    """
    for attendance in attendances(facts):
        agent, shift, is_on_leave, is_paid, is_contradicted, attended = attendance
        if is_contradicted or (is_on_leave and not is_paid):
            continue
        available = 0 if is_on_leave else attended
        if day := phone_days(facts).get((agent, shift.day)):
            away = [day.pauses.get("meeting", []), day.pauses.get("training", []), day.acw_excess]
            available = max(0, available - sum(total(spans) for spans in away))
        paid = shift.required_seconds
        yield Entry(facts.units(agent, shift.day)[1:], "none", shift.day, paid - available, paid, 1)


def agent_attrition(facts: Facts) -> Iterator[Entry]:
    """Who left, on the last day / days of employment in a team, of teams (TP, CT)."""
    for row in facts.rows("agent"):
        exit_date = row["exit_date"]
        for day in facts.days:
            is_employed = row["hire_date"] <= day and (exit_date is None or day <= exit_date)
            if is_employed and facts.team(row["agent_key"], day):
                yield Entry(facts.units(row["agent_key"], day)[1:], "none", day, int(day == exit_date), 1, 1)


def _costs(facts: Facts) -> Iterator[Entry]:
    """The cost of a month in fen without bots, the same on each of its days."""
    for row in facts.paper("cost"):
        if row["cost_kind"] != "bot":
            first = row["month"]
            days = [first + number * _DAY for number in range(31) if (first + number * _DAY).month == first.month]
            fen = Fraction(round(Decimal(str(row["amount"])) * 100), len(days))
            for day in days:
                yield Entry((("team", row["team_key"]), ("site", "site")), "none", day, fen, 0, 0)


def cost_per_contact(facts: Facts) -> Iterator[Entry]:
    """Fen of everything but bots / conversations handled, of teams (TP, CT)."""
    yield from _costs(facts)
    for entry in conversations_handled(facts):
        if entry.units[0][0] != "agent":
            yield entry._replace(channel="none", numerator=0, denominator=1)


def customers_per_unit_cost(facts: Facts) -> Iterator[Entry]:
    """Conversations handled / fen of everything but bots, of teams; for 1,000 CNY (TP, CT)."""
    for entry in cost_per_contact(facts):
        yield entry._replace(numerator=entry.denominator, denominator=entry.numerator)


TRUTH: dict[str, Metric] = {
    "attendance_rate": Metric(attendance_rate),
    "calls_inbound_over_baseline": Metric(calls_inbound_over_baseline, "excess", grains=("month",)),
    "occupancy": Metric(occupancy),
    "utilization": Metric(utilization),
    "online_duration": Metric(online_duration, "sum"),
    "contacts_per_hour": Metric(contacts_per_hour, scale=3600),
    "work_efficiency": Metric(work_efficiency),
    "adherence": Metric(adherence),
    "conformance": Metric(conformance),
    "shrinkage": Metric(shrinkage),
    "cost_per_contact": Metric(cost_per_contact, grains=("month",)),
    "customers_per_unit_cost": Metric(customers_per_unit_cost, scale=100_000, grains=("month",)),
    "agent_attrition": Metric(agent_attrition, scale=30, grains=("month",)),
}

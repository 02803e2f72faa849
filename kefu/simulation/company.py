"""The company: people, teams, queues, rosters, leave, attendance, and how good people are on which day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kefu.simulation.operation import NAMES, OPERATION, LeaveType, ShiftKind, pick
from kefu.simulation.queueing import Seat
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import SCHEMAS

_COMPANY, _ROSTER, _PEOPLE, _CALENDAR = OPERATION.company, OPERATION.roster, OPERATION.people, OPERATION.calendar
_DAY = dt.timedelta(days=1)
# First numbers of accounts, so that the numbers of different systems are not mistaken for one another.
_FIRST_EXTENSION, _FIRST_CHAT_USER, _FIRST_DESK_USER = 20001, 101, 50001

Floats = npt.NDArray[np.float64]


@dataclass
class Person:
    """One person; teams are numbers, in the order of `team`, with the date from which each holds."""

    index: int
    role: str
    hire_date: dt.date
    exit_date: dt.date | None
    teams: list[tuple[int, dt.date]]
    rank: int
    is_desk: bool = False

    def team_on(self, date: dt.date) -> int:
        """Returns the team of a date."""
        return [team for team, valid_from in self.teams if valid_from <= date][-1]

    def is_employed(self, date: dt.date) -> bool:
        """Returns whether the person works here on a date; the exit date is the last day."""
        return self.hire_date <= date and (self.exit_date is None or date <= self.exit_date)


@dataclass
class Skills:
    """How good people are: by agent, and by agent and day. `worse` is the loss asked for, in sigma."""

    quality: Floats
    leniency_points: Floats
    handling_log: Floats
    response_log: Floats
    daily_quality: Floats
    daily_handling_log: Floats
    daily_response_log: Floats
    worse: Floats


@dataclass
class Company:
    """The company as tables, its worked shifts by what they are for, and who is on approved leave when."""

    people: list[Person]
    keys: list[str]
    lines: list[str]
    tables: dict[str, pa.Table]
    skills: Skills
    away: set[tuple[int, dt.date]] = field(default_factory=set)
    seats: dict[str, list[Seat]] = field(default_factory=dict)


def instants(seconds: Any) -> pa.Array:
    """Returns seconds since 1970 UTC, None included, as the instants of a world."""
    return pa.array(seconds, pa.timestamp("s", tz="UTC")).cast(pa.timestamp("us", tz="UTC"))


def table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    """Returns rows as the table of that name. Instants are seconds since 1970 UTC."""
    schema = SCHEMAS[name]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [
        instants(list(values)) if pa.types.is_timestamp(column.type) else pa.array(values, column.type)
        for column, values in zip(schema, columns, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def found(scenario: Scenario, skills: pa.Table | None = None) -> Company:
    """Returns the company of a scenario.

    Args:
        scenario: what to simulate.
        skills: agent_key, date, shift_sigma: by how many sigma a person is worse on a local date.
    """
    people, lines = _hire(scenario)
    keys = [f"SIM{person.index + 1:04}" for person in people]
    company = Company(
        people=people,
        keys=keys,
        lines=lines,
        tables=_people_tables(scenario, people, keys, lines),
        skills=_skills(scenario, people, keys, skills),
    )
    leave = _leave(scenario, people)
    company.tables["leave"] = table(
        "leave", [(number, keys[person.index], *row) for number, (person, *row) in enumerate(leave, 1)]
    )
    company.away = {
        (person.index, first + number * _DAY)
        for person, first, last, _, _, status, _ in leave
        if status == "approved"
        for number in range((last - first).days + 1)
    }
    _work(scenario, company)
    return company


def _hire(scenario: Scenario) -> tuple[list[Person], list[str]]:
    rng = stream(scenario.seed, "company")
    reviewers = max(1, round(_COMPANY.reviewer_share * scenario.agents))
    teams = max(1, round((scenario.agents - reviewers) / _COMPANY.team_size))
    lines = [line.line for line in _COMPANY.lines][: min(teams, _COMPANY.most_lines)]
    days = len(scenario.dates)
    ranks: dict[str, int] = {}
    people = []
    for index in range(scenario.agents):
        place = index - teams - reviewers
        if index < teams:
            role, team = "lead", index
        elif place < 0:
            role, team = "qa", teams
        else:
            role, team = _COMPANY.roles[place // teams % len(_COMPANY.roles)], place % teams
        hire = scenario.start - int(rng.integers(40, 2500)) * _DAY
        leaves = None
        days_in, fate = int(rng.integers(5, max(6, days - 5))), rng.random()
        moves = []
        if place >= 0:
            if fate < _COMPANY.hired_in_period_share:
                hire = scenario.start + days_in * _DAY
            elif fate < _COMPANY.hired_in_period_share + _COMPANY.leaving_in_period_share:
                leaves = scenario.start + days_in * _DAY
            elif fate > 1 - _COMPANY.team_change_share and teams > 1:
                moves = [((team + 1) % teams, scenario.start + days_in * _DAY)]
        rank = ranks.setdefault(role, 0)
        ranks[role] += 1
        is_desk = role == "im" and rank % _COMPANY.desk_every == _COMPANY.desk_every - 1
        people.append(Person(index, role, hire, leaves, [(team, hire), *moves], rank, is_desk))
    return people, lines


def _names(scenario: Scenario) -> list[str]:
    parts = NAMES["zh"]
    given = [first + second for first in parts.first for second in parts.second] + parts.second
    every = [family + name for family in parts.family for name in given]
    chosen = stream(scenario.seed, "names").permutation(len(every))[: scenario.agents]
    return [every[index] for index in chosen]


def _people_tables(scenario: Scenario, people: list[Person], keys: list[str], lines: list[str]) -> dict[str, pa.Table]:
    leads = [person.index for person in people if person.role == "lead"]
    teams = []
    for number, lead in enumerate(leads):
        line, again = _COMPANY.lines[number % len(lines)], number // len(lines)
        count = f"{again + 1}" if again else ""
        teams.append(
            (
                line.line + (f"_{count}" if count else ""),
                f"{line.zh}{count}组",
                f"{line.en} {count}".strip(),
                keys[lead],
            )
        )
    teams.append(("quality", "质检组", "Quality", keys[len(leads)]))
    agents = []
    for person, name in zip(people, _names(scenario), strict=True):
        number = person.index
        telephones = person.role in ("inbound", "outbound", "mixed")
        chats = person.role == "mixed" or (person.role == "im" and not person.is_desk)
        manager = teams[person.teams[-1][0]][3]
        agents.append(
            (
                keys[number],
                name,
                person.role,
                f"sim{number + 1:04}",
                str(_FIRST_EXTENSION + number) if telephones else None,
                name if telephones else None,
                _FIRST_CHAT_USER + number if chats else None,
                _FIRST_DESK_USER + number if person.is_desk else None,
                person.hire_date,
                person.exit_date,
                manager if manager != keys[number] else None,
            )
        )
    memberships = []
    for person in people:
        gone_on = person.exit_date + _DAY if person.exit_date else None
        ends = [*(valid_from for _, valid_from in person.teams[1:]), gone_on]
        memberships += [
            (keys[person.index], teams[team][0], valid_from, valid_to)
            for (team, valid_from), valid_to in zip(person.teams, ends, strict=True)
        ]
    queues = [
        (
            queue_id(channel, line.line),
            channel,
            declared.account.format(line=line.line),
            line.zh + declared.zh,
            f"{line.en} {declared.en}",
            line.line,
            declared.service_level_seconds,
        )
        for channel, declared in _COMPANY.channels.items()
        for line in _COMPANY.lines[: len(lines)]
    ]
    return {
        "team": table("team", teams),
        "agent": table("agent", agents),
        "membership": table("membership", memberships),
        "queue": table("queue", queues),
    }


def queue_id(channel: str, line: str) -> str:
    """Returns the id of a line's queue on a channel."""
    return f"{channel}_{line}"


def _skills(scenario: Scenario, people: list[Person], keys: list[str], asked: pa.Table | None) -> Skills:
    rng = stream(scenario.seed, "skills")
    size = (len(people), len(scenario.dates))
    worse = np.zeros(size)
    if asked is not None:
        rows = {key: index for index, key in enumerate(keys)}
        for row in asked.to_pylist():
            if not scenario.start <= row["date"] < scenario.end or row["agent_key"] not in rows:
                raise ValueError(f"skills name {row['agent_key']} on {row['date']}, which the scenario does not have")
            worse[rows[row["agent_key"]], (row["date"] - scenario.start).days] += row["shift_sigma"]
    quality = rng.standard_normal(size[0])
    handling = _PEOPLE.handling_spread * rng.standard_normal(size[0])
    response = _PEOPLE.response_spread * rng.standard_normal(size[0])
    leniency = OPERATION.review.rater_spread * rng.standard_normal(size[0])
    return Skills(
        quality=quality,
        leniency_points=leniency,
        handling_log=handling,
        response_log=response,
        daily_quality=quality[:, None] + _PEOPLE.quality_day_spread * rng.standard_normal(size),
        daily_handling_log=handling[:, None]
        + _PEOPLE.handling_day_spread * rng.standard_normal(size)
        + _PEOPLE.sigma.handling_log * worse,
        daily_response_log=response[:, None]
        + _PEOPLE.response_day_spread * rng.standard_normal(size)
        + _PEOPLE.sigma.response_log * worse,
        worse=worse,
    )


def _leave(scenario: Scenario, people: list[Person]) -> list[tuple[Person, dt.date, dt.date, str, bool, str, dt.date]]:
    rng = stream(scenario.seed, "leave")
    kinds = {kind.leave_type: kind for kind in _ROSTER.leave_types}
    weights = {name: kind.weight for name, kind in kinds.items()}
    requests = []
    for first, after in zip(scenario.month_starts, scenario.month_starts[1:], strict=False):
        for person in people:
            if rng.random() >= _ROSTER.leave_share:
                continue
            kind: LeaveType = kinds[pick(rng, weights, 1)[0]]
            starts = first + int(rng.integers((after - first).days)) * _DAY
            ends = starts + (int(rng.choice(_ROSTER.leave_days)) - 1) * _DAY
            status = pick(rng, _ROSTER.leave_statuses, 1)[0]
            notice = 0 if kind.leave_type == "sick" else int(rng.integers(2, 15))
            if person.is_employed(starts) and person.is_employed(ends) and ends < scenario.end:
                requests.append((person, starts, ends, kind.leave_type, kind.is_paid, status, starts - notice * _DAY))
    return sorted(requests, key=lambda request: (request[1], request[0].index))


def _planned(person: Person, date: dt.date, holiday_draw: float) -> ShiftKind | None:
    """Returns the shift of a date, or None for a rest day."""
    day = date.toordinal()
    if person.role in ("qa", "lead"):
        return _ROSTER.shifts[_ROSTER.office] if _CALENDAR.is_office_day(date) else None
    if (day + 3 * person.index) % 7 >= 5 and date not in _CALENDAR.make_up_working_days:
        return None
    if _CALENDAR.is_holiday(date) and holiday_draw < _ROSTER.holiday_rest_share:
        return None
    week = (day - 1) // 7
    return _ROSTER.shifts[_ROSTER.rotation[(person.rank + week) % len(_ROSTER.rotation)]]


def _purpose(person: Person, date: dt.date) -> str:
    match person.role:
        case "inbound":
            return "voice"
        case "im":
            return "desk" if person.is_desk else "chat"
        case "mixed":
            return "voice" if (date.toordinal() + person.rank) % 2 else "chat"
    return person.role


def _work(scenario: Scenario, company: Company) -> None:
    """Fills in shifts, punches and seats."""
    rng = stream(scenario.seed, "roster")
    size = (len(company.people), len(scenario.dates))
    holiday, absent, late, forgot, early_in, delay = rng.random((6, *size))
    out_after = rng.integers(20, 900, size)
    late_seconds = _ROSTER.late.draws(rng, size[0] * size[1]).reshape(size).astype(int)
    skills = company.skills
    handling, response = np.exp(skills.daily_handling_log), np.exp(skills.daily_response_log)
    night = _ROSTER.shifts["night"]
    shifts: list[tuple[Any, ...]] = []
    punches: list[tuple[Any, ...]] = []
    for person in company.people:
        number, key = person.index, company.keys[person.index]
        ready_from = 0.0
        for day, date in enumerate(scenario.dates):
            if not person.is_employed(date):
                continue
            kind = _planned(person, date, holiday[number, day])
            purpose = _purpose(person, date)
            starts = scenario.second(date, kind.start) if kind else 0
            if kind is None or starts < ready_from:
                shifts.append((key, date, None, None, None, True, purpose))
                continue
            local_end = dt.datetime.combine(date, kind.start) + dt.timedelta(hours=kind.hours)
            ends = scenario.second(local_end.date(), local_end.time())
            ready_from = ends + 3600 * _ROSTER.least_rest_hours
            shifts.append((key, date, starts, ends, kind.break_minutes * 60, False, purpose))
            if (number, date) in company.away or absent[number, day] < _ROSTER.absence_share:
                continue
            lateness = min(int(late_seconds[number, day]), 7200) if late[number, day] < _ROSTER.late_share else 0
            punched = starts + lateness if lateness else starts - int(900 * early_in[number, day])
            left = (
                None if forgot[number, day] < _ROSTER.forgotten_clock_out_share else ends + int(out_after[number, day])
            )
            punches.append((len(punches) + 1, key, date, punched, left))
            line = company.lines[person.team_on(date) % len(company.lines)]
            company.seats.setdefault(purpose, []).append(
                Seat(
                    agent=number,
                    day=day,
                    queues=_served(company.lines, line, purpose, is_night=kind is night),
                    starts_at=starts + lateness + 20 + int(160 * delay[number, day]),
                    ends_at=ends,
                    handling=float(handling[number, day]),
                    response=float(response[number, day]),
                    quality=float(skills.daily_quality[number, day] - skills.worse[number, day]),
                )
            )
    company.tables["shift"] = table("shift", shifts)
    company.tables["punch"] = table("punch", punches)


def _served(lines: list[str], home: str, channel: str, *, is_night: bool) -> list[str]:
    if channel not in ("voice", "chat", "desk"):
        return []
    first = lines.index(home)
    count = len(lines) if is_night else _COMPANY.channels[channel].served_lines
    return [queue_id(channel, line) for line in (lines[first:] + lines[:first])[:count]]

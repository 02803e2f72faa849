"""Who gets which planted fault, when and how strongly: chosen from the company alone, before anything happens.

The choice of people does not depend on the strengths, so that two scenarios which differ in one strength can be
compared row by row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.yaml_files import read_yaml

SKILLS = pa.schema({"agent_key": pa.string(), "date": pa.date32(), "shift_sigma": pa.float64()})
# The role of those who carry a fault, where the fault itself does not name roles.
_ROLES = {"reviewer": ("qa",), "lead": ("lead",)}


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(_Declared):
    """One kind of fault; `about` says what its strength means."""

    subject: Literal["agent", "team", "reviewer", "lead", "source"]
    family: str
    strengths: dict[Literal["low", "middle", "high"], float]
    about: str
    roles: tuple[str, ...] = ()
    account: Literal["desk_user_id"] | None = None
    alone: bool = False
    has_spares: bool = False
    with_follow_up: bool = False


class Numbers(_Declared):
    """Limits that several planters share with what they imitate."""

    burst_days: int
    burst_least_ratings: int
    selective_least_unsolved: int
    maximum_least_ratings: int
    concentrated_customers: int
    silence_seconds: int
    rater_least_reviews: int
    long_call_seconds: int
    incident_days: int
    decline_most_days: int
    peak_share: float
    parking_most_seconds: int
    late_answer_hours: int
    raised_levels: int
    short_playback_share: float
    old_form_version: str


class Declarations(_Declared):
    """Everything declared in `faults.yml`."""

    prevalence: float
    least_subjects: int
    clean_share: float
    judges_share: float
    spare: int
    faults: dict[str, Fault]
    numbers: Numbers
    phrases: dict[str, dict[str, tuple[str, ...]]]


DECLARED = Declarations.model_validate(read_yaml(Path(__file__).parent / "faults.yml"))


class Assignment(_Declared):
    """One fault on one subject: an agent_key, a team_id or the channel of a source.

    `ends_on` is exclusive. A spare subject is only used when another one has too few rows to carry the fault.
    """

    fault: str
    subject: str
    strength: float
    starts_on: date
    ends_on: date
    is_spare: bool = False


class Faults(_Declared):
    """The plan of one scenario: assignments without those of zero strength, and the members of each team."""

    scenario: Scenario
    assignments: tuple[Assignment, ...]
    members: dict[str, tuple[str, ...]]

    def of(self, fault: str) -> list[Assignment]:
        """Returns the assignments of one fault, spare ones last."""
        return [assignment for assignment in self.assignments if assignment.fault == fault]

    def people_of(self, assignment: Assignment) -> tuple[str, ...]:
        """Returns the people an assignment is about: nobody for a source, all members for a team."""
        if DECLARED.faults[assignment.fault].subject == "source":
            return ()
        return self.members.get(assignment.subject, (assignment.subject,))

    def people(self) -> set[str]:
        """Returns everybody who has a fault or stands by for one."""
        return {person for assignment in self.assignments for person in self.people_of(assignment)}


def plan_faults(scenario: Scenario, company: Mapping[str, pa.Table]) -> Faults:
    """Returns who gets which fault, when and how strongly.

    `company` holds the tables agent, membership, shift and leave of the scenario. At least `clean_share` of all people
    stay without any fault, which goes before the prevalence in a small company.
    """
    return _Planner(scenario, company).plan()


def skills(faults: Faults) -> pa.Table:
    """Returns by how many standard deviations people are worse, per person and date, with the schema `SKILLS`."""
    worse: dict[tuple[str, date], float] = defaultdict(float)
    for fault in ("decline", "dip", "incident"):
        for assignment in faults.of(fault):
            for agent in faults.people_of(assignment):
                for offset in range((assignment.ends_on - assignment.starts_on).days):
                    worse[agent, assignment.starts_on + timedelta(offset)] += assignment.strength
    rows = [{"agent_key": agent, "date": day, "shift_sigma": sigma} for (agent, day), sigma in sorted(worse.items())]
    return pa.Table.from_pylist(rows, schema=SKILLS)


class _Planner:
    """Deals faults out one after the other; everybody's load so far decides who is next."""

    def __init__(self, scenario: Scenario, company: Mapping[str, pa.Table]) -> None:
        self.scenario = scenario
        self.last_third = scenario.start + (scenario.end - scenario.start) * 2 // 3
        people = company["agent"].to_pylist()
        self.person = {person["agent_key"]: person for person in people}
        self.role = {person["agent_key"]: person["role"] for person in people}
        self.stays = {
            person["agent_key"]: person["hire_date"] <= scenario.start
            and (person["exit_date"] is None or person["exit_date"] >= scenario.end)
            for person in people
        }
        self.teams = self._lasting_teams(company["membership"])
        self.worked = _worked_dates(company)
        order = stream(scenario.seed, "faults.order").permutation(len(people)).tolist()
        self.turn = dict(zip(self.role, order, strict=True))
        self.wanted = max(DECLARED.least_subjects, round(DECLARED.prevalence * len(people)))
        self.room = int((1 - DECLARED.clean_share) * len(people) + 1e-9)
        self.carried: dict[str, list[Fault]] = {person: [] for person in self.role}
        self.assignments: list[Assignment] = []

    def plan(self) -> Faults:
        faults = DECLARED.faults
        for name in (name for name, fault in faults.items() if fault.subject in _ROLES):
            self._plan_for_judges(name)
        # What few can carry comes first, then what must not meet its like.
        names = [name for name, fault in faults.items() if fault.subject == "agent" and not fault.with_follow_up]
        scarce = [name for name in names if len(self._candidates(name)) < 3 * self.wanted]
        for name in scarce:
            self._plan_for_agents(name)
        self._plan_incident()
        for name in sorted(set(names) - set(scarce), key=lambda name: (not faults[name].alone, names.index(name))):
            self._plan_for_agents(name)
        self._plan_spares(names)
        # Last, so that everybody else carries the same without them.
        names = [name for name, fault in faults.items() if fault.with_follow_up]
        for name in names:
            self._plan_for_agents(name)
        self._plan_spares(names)
        self._assign("silent_source", "voice", self.last_third, self.last_third + timedelta(2))
        self._assign("late_feed", "chat", self.last_third + timedelta(3), self.last_third + timedelta(4))
        chosen = tuple(assignment for assignment in self.assignments if assignment.strength)
        return Faults(scenario=self.scenario, assignments=chosen, members=self.teams)

    def _plan_for_judges(self, name: str) -> None:
        """Leaves most judges without fault, as the measure of the others."""
        judges = [person for person, role in self.role.items() if role in _ROLES[DECLARED.faults[name].subject]]
        faulty = [person for person in judges if self.carried[person]]
        most = int(DECLARED.judges_share * len(judges))
        rivals = sum(fault.subject == DECLARED.faults[name].subject for fault in DECLARED.faults.values())
        wanted = min(self.wanted, max(1, most // rivals))
        for subject in self._choose(name, judges if len(faulty) < most else faulty, wanted):
            self._assign(name, subject)

    def _plan_for_agents(self, name: str) -> None:
        subjects = self._choose(name, self._candidates(name), self.wanted)
        if name == "reciprocal_peer":
            subjects = subjects[: len(subjects) // 2 * 2]
        days = stream(self.scenario.seed, f"faults.{name}")
        for subject in subjects:
            if name == "decline":
                latest = self.scenario.end - timedelta(DECLARED.numbers.decline_most_days)
                self._assign(name, subject, max(self.last_third, latest))
            elif name == "dip":
                worked = [day for day in self.worked[subject] if day >= self.last_third]
                day = worked[int(days.integers(len(worked)))]
                self._assign(name, subject, day, day + timedelta(1))
            else:
                self._assign(name, subject)

    def _plan_spares(self, names: Iterable[str]) -> None:
        for name in names:
            if DECLARED.faults[name].has_spares:
                pool = [person for person in self._candidates(name) if self.carried[person]]
                for subject in self._choose(name, pool, DECLARED.spare):
                    self._assign(name, subject, is_spare=True)

    def _plan_incident(self) -> None:
        """Chooses the team of at least five that leaves most room to others, if it leaves half of it."""
        fresh = {
            team: sum(not self.carried[person] for person in members)
            for team, members in self.teams.items()
            if 5 <= len(members) <= self.room // 2
        }
        fitting = [team for team, count in fresh.items() if count <= self._free()]
        if fitting:
            team = min(fitting, key=lambda key: (fresh[key], key))
            starts = self.last_third + timedelta(1)
            self._assign("incident", team, starts, starts + timedelta(DECLARED.numbers.incident_days))

    def _free(self) -> int:
        """Returns how many more people may get a fault."""
        return self.room - sum(bool(faults) for faults in self.carried.values())

    def _candidates(self, name: str) -> list[str]:
        fault = DECLARED.faults[name]
        return [
            person
            for person, role in self.role.items()
            if role in fault.roles
            and (fault.account is None or self.person[person][fault.account] is not None)
            and fault not in self.carried[person]
            and (self.stays[person] or fault.family == "conduct")
            and (name != "dip" or any(day >= self.last_third for day in self.worked[person]))
        ]

    def _choose(self, name: str, candidates: Iterable[str], wanted: int) -> list[str]:
        """Returns up to `wanted` candidates: those without a fault of the same family, then those with the least.

        A fault that wants to stand alone counts twice, so that others keep off it while they can.
        """
        fault = DECLARED.faults[name]
        family = {
            person: [other for other in self.carried[person] if other.family == fault.family] for person in candidates
        }
        fresh = self._free()
        chosen: list[str] = []

        def load(person: str) -> tuple[int, bool, int, int]:
            weight = sum(1 + other.alone for other in self.carried[person])
            return len(family[person]), not self.stays[person], weight, self.turn[person]

        for person in sorted(family, key=load):
            if len(chosen) == wanted:
                break
            is_fresh = not self.carried[person]
            is_rival = any(fault.alone or other.alone for other in family[person])
            if (is_fresh and fresh == 0) or is_rival:
                continue
            fresh -= is_fresh
            chosen.append(person)
        return chosen

    def _assign(
        self,
        name: str,
        subject: str,
        starts_on: date | None = None,
        ends_on: date | None = None,
        is_spare: bool = False,
    ) -> None:
        fault = DECLARED.faults[name]
        level = self.scenario.strength(name) if self.scenario.follow_up or not fault.with_follow_up else "zero"
        burst = self.scenario.end - timedelta(DECLARED.numbers.burst_days)
        assignment = Assignment(
            fault=name,
            subject=subject,
            strength=0.0 if level == "zero" else fault.strengths[level],
            starts_on=starts_on or (burst if name == "rating_burst" else self.scenario.start),
            ends_on=ends_on or self.scenario.end,
            is_spare=is_spare,
        )
        self.assignments.append(assignment)
        if fault.subject != "source":
            for person in self.teams.get(subject, (subject,)):
                self.carried[person].append(fault)

    def _lasting_teams(self, membership: pa.Table) -> dict[str, tuple[str, ...]]:
        """Returns the members of each team who take contacts and stay in it from the first day to the last."""
        teams: dict[str, list[str]] = defaultdict(list)
        for row in membership.to_pylist():
            person, until = row["agent_key"], row["valid_to"]
            stays = row["valid_from"] <= self.scenario.start and (until is None or until >= self.scenario.end)
            if stays and self.role[person] in DECLARED.faults["decline"].roles:
                teams[row["team_id"]].append(person)
        return {team: tuple(sorted(members)) for team, members in sorted(teams.items())}


def _worked_dates(company: Mapping[str, pa.Table]) -> dict[str, list[date]]:
    leave = {
        (row["agent_key"], row["start_date"] + timedelta(day))
        for row in company["leave"].to_pylist()
        if row["status"] == "approved"
        for day in range((row["end_date"] - row["start_date"]).days + 1)
    }
    worked: dict[str, list[date]] = defaultdict(list)
    for row in company["shift"].select(["agent_key", "shift_date", "is_rest_day"]).to_pylist():
        if not row["is_rest_day"] and (row["agent_key"], row["shift_date"]) not in leave:
            worked[row["agent_key"]].append(row["shift_date"])
    return worked

"""Who contacts the centre, when, and about what."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kefu.simulation.company import Company, queue_id, table
from kefu.simulation.operation import NAMES, OPERATION, pick
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario

_DEMAND, _CALENDAR = OPERATION.demand, OPERATION.calendar
_HANDLING = {name: declared.handling for name, declared in _DEMAND.issue_classes.items()}


@dataclass(slots=True)
class Issue:
    """One thing that a customer wants."""

    number: int
    customer: int
    issue_class: str
    opened_at: int
    contacts: int = 1
    is_solved: bool = False

    @property
    def handling(self) -> float:
        """Times the usual handling time."""
        return _HANDLING[self.issue_class]


@dataclass(slots=True)
class Arrival:
    """A contact that comes of itself, at seconds since 1970 UTC."""

    at: int
    queue_id: str
    issue: Issue


class Customers:
    """Everyone who may contact the centre.

    Args:
        scenario: what to simulate.
        contacts: how many contacts are expected.
    """

    def __init__(self, scenario: Scenario, contacts: int) -> None:
        rng = stream(scenario.seed, "customers")
        self.count = max(20, round(contacts * _DEMAND.customers_per_contact))
        self.languages = pick(rng, _DEMAND.languages, self.count)
        families, firsts, seconds = rng.integers(0, 1_000_000, (3, self.count))
        rows = []
        for number, language in enumerate(self.languages):
            parts = NAMES["en" if language == "en" else "zh"]
            family = parts.family[families[number] % len(parts.family)]
            first = parts.first[firsts[number] % len(parts.first)]
            second = parts.second[seconds[number] % len(parts.second)] if parts.second else ""
            name = f"{first} {family}" if language == "en" else family + first + second
            # No network in China has numbers that begin with 160.
            rows.append((number + 1, name, f"160{number + 1:08}", f"customer{number + 1}@example.com", language))
        self.table = table("customer", rows)


class Issues:
    """Every issue, in the order in which they were opened."""

    def __init__(self) -> None:
        self.all: list[Issue] = []

    def open(self, customer: int, issue_class: str, at: int) -> Issue:
        """Returns a new issue of a customer."""
        issue = Issue(len(self.all) + 1, customer, issue_class, at)
        self.all.append(issue)
        return issue

    def table(self) -> pa.Table:
        """Returns the table `issue`."""
        return table(
            "issue",
            [(issue.number, issue.customer, issue.issue_class, issue.opened_at, issue.is_solved) for issue in self.all],
        )


def expected_contacts(scenario: Scenario, company: Company, channel: str) -> int:
    """Returns how many first contacts of a channel to expect; repeats come on top."""
    shifts = len(company.seats.get(channel, []))
    return round(scenario.contacts_per_agent_day * shifts * (1 - _DEMAND.repeat_allowance))


def arrivals(scenario: Scenario, company: Company, channel: str, customers: Customers, issues: Issues) -> list[Arrival]:
    """Returns the first contacts of a channel in order of time, none before its first shift."""
    rng = stream(scenario.seed, f"arrivals {channel}")
    seats = company.seats.get(channel, [])
    if not seats:
        return []
    instants = _instants(scenario, expected_contacts(scenario, company, channel), rng)
    instants = instants[instants >= min(seat.starts_at for seat in seats)]
    homes: dict[str, float] = {queue_id(channel, line): 0.0 for line in company.lines}
    for seat in seats:
        homes[seat.queues[0]] += 1
    queues = pick(rng, homes, len(instants))
    classes = pick(rng, {name: declared.weight for name, declared in _DEMAND.issue_classes.items()}, len(instants))
    who = rng.integers(1, customers.count + 1, len(instants)).tolist()
    return [
        Arrival(at, queue, issues.open(customer, issue_class, at))
        for at, queue, issue_class, customer in zip(instants.tolist(), queues, classes, who, strict=True)
    ]


def _instants(scenario: Scenario, expected: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Returns sorted seconds since 1970 UTC: Poisson within every hour, at the hour's rate."""
    hours = np.arange(scenario.second(scenario.start), scenario.second(scenario.end), 3600)
    weights = np.array([_weight(dt.datetime.fromtimestamp(hour, scenario.zone)) for hour in hours.tolist()])
    counts = rng.poisson(expected * weights / weights.sum())
    return np.sort(np.repeat(hours, counts) + rng.integers(0, 3600, counts.sum()))


def _weight(local: dt.datetime) -> float:
    date = local.date()
    weight = _DEMAND.hours[local.hour] * _DEMAND.weekdays[date.weekday()]
    if _CALENDAR.is_holiday(date):
        weight *= _DEMAND.holiday
    return weight * _CALENDAR.promotions.get(f"{date:%m-%d}", 1.0)

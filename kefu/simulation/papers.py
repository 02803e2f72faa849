"""The sheets of an operation: what people and HR hand over, drawn from what happened and from `papers.yml`.

Columns are the fields of the tabular connector's entities. Contacts are named as the systems name them.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.contract import FieldType
from connectors.tabular import SYSTEM
from kefu.simulation.configuration import SOURCES
from kefu.simulation.operation import OPERATION
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.simulation.writers.voice import call_uniqueids
from kefu.yaml_files import read_yaml

_DECLARED: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yml"))
_DAY, _TICK = dt.timedelta(days=1), dt.timedelta(seconds=1)
_TYPES = {
    FieldType.TEXT: pa.string(),
    FieldType.INTEGER: pa.int64(),
    FieldType.NUMBER: pa.float64(),
    FieldType.BOOLEAN: pa.bool_(),
    FieldType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
    FieldType.DATE: pa.date32(),
    FieldType.LOCAL_TIME: pa.string(),
}
_FRONT = ("inbound", "outbound", "im", "mixed")

Row = dict[str, Any]


def paper_schema(entity: str) -> pa.Schema:
    """Returns the columns of a sheet: the fields of its entity."""
    fields = SYSTEM.entities[entity].fields
    return pa.schema([(name, _TYPES[declared.type]) for name, declared in fields.items()])


def write_papers(
    world: World, scenario: Scenario, seed: int, entities: Collection[str] | None = None
) -> dict[str, pa.Table]:
    """Returns one table for each sheet of the operation, or for some of its `entities`, by entity name.

    Forms and tickets carry the faults of `world.planted` that only they can show.
    """
    office = _Office(world, scenario, seed)
    return {
        entity: pa.Table.from_pylist(list(fill(office)), schema=paper_schema(entity))
        for entity, fill in _SHEETS.items()
        if entities is None or entity in entities
    }


class _Office:
    """The world as those see it who write its sheets, with streams of random numbers by sheet."""

    def __init__(self, world: World, scenario: Scenario, seed: int) -> None:
        self.world, self.scenario, self._seed = world, scenario, seed
        self._rows: dict[str, list[Row]] = {}
        self.agents: list[Row] = self.rows("agent")
        self.phones = {row["customer_id"]: row["phone"] for row in self.rows("customer")}
        self.team_leads = {row["team_id"]: row["lead_key"] for row in self.rows("team")}

    def rows(self, table: str) -> list[Row]:
        """Returns the rows of a table; they must not be changed."""
        if table not in self._rows:
            self._rows[table] = self.world.tables[table].to_pylist()
        return self._rows[table]

    def stream(self, sheet: str) -> np.random.Generator:
        return stream(self._seed, f"papers {sheet}")

    def date(self, instant: dt.datetime) -> dt.date:
        """Returns the local date of an instant."""
        return instant.astimezone(self.scenario.zone).date()

    def at(self, date: dt.date, hours: float) -> dt.datetime:
        """Returns the instant so many hours after local midnight."""
        return dt.datetime.fromtimestamp(self.scenario.second(date) + round(3600 * hours), dt.UTC)

    def planted(self, fault: str) -> dict[str, float]:
        """Returns the strength of a fault by subject, in the order of planting."""
        return {row["subject"]: row["strength"] for row in self.world.planted.to_pylist() if row["fault"] == fault}

    @cached_property
    def contradicted(self) -> set[int]:
        """The best ratings whose customers complain."""
        rows = self.world.planted.to_pylist()
        return {number for row in rows if row["fault"] == "contradicted_rating" for number in row["row_ids"]}

    def months(self) -> Iterator[tuple[dt.date, dt.date]]:
        """Yields first and last day of every month."""
        for first, after in pairwise(self.scenario.month_starts):
            yield first, after - _DAY

    def employed(self, first: dt.date, last: dt.date, roles: Sequence[str] = _FRONT) -> list[Row]:
        """Returns those of some roles who are employed on both days."""
        return [
            agent
            for agent in self.agents
            if agent["role"] in roles
            and agent["hire_date"] <= first
            and (agent["exit_date"] is None or agent["exit_date"] >= last)
        ]

    @cached_property
    def contact_ids(self) -> dict[int, str]:
        """What the exchange calls each call."""
        named = call_uniqueids(self.world.tables["call"].combine_chunks())
        return dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))

    def contact(self, channel: str, contact_id: int) -> Row:
        """Returns the two fields that name a contact."""
        name = self.contact_ids[contact_id] if channel == "voice" else str(contact_id)
        return {"contact_source_id": SOURCES[channel], "contact_id": name}

    @cached_property
    def contacts(self) -> list[Row]:
        """Contacts that an agent brought to an end, in order of their end, with what became of them."""
        started: dict[int, list[dt.datetime]] = defaultdict(list)
        about: dict[tuple[int, str], list[dt.datetime]] = defaultdict(list)
        issues = {row["issue_id"]: row for row in self.rows("issue")}

        def note(contact: Row, at: dt.datetime) -> None:
            started[contact["issue_id"]].append(at)
            about[contact["customer_id"], issues[contact["issue_id"]]["issue_class"]].append(at)

        ended: list[Row] = []
        for call in self.rows("call"):
            if call["issue_id"] is not None:
                note(call, call["entered_at"])
            if call["direction"] == "inbound" and call["ended_by"] in ("agent", "caller") and call["answered_at"]:
                ended.append(call | {"channel": "voice", "key": call["call_id"], "at": call["ended_at"]})
        for chat in self.rows("chat"):
            note(chat, chat["started_at"])
            if chat["closed_at"] and chat["agent_key"] and not chat["is_group"]:
                ended.append(chat | {"key": chat["chat_id"], "at": chat["closed_at"]})
        for contact in ended:
            issue = issues[contact["issue_id"]]
            until = contact["at"] + dt.timedelta(days=_DECLARED["ticket"]["return_days"])
            later = [moment for moment in started[contact["issue_id"]] if moment > contact["at"]]
            contact["is_returned"] = any(moment <= until for moment in later)
            contact["is_solved"] = issue["is_solved"] and not later
            contact["issue_class"] = issue["issue_class"]
            contact["is_back"] = any(
                contact["at"] < moment <= until for moment in about[contact["customer_id"], issue["issue_class"]]
            )
        return sorted(ended, key=lambda contact: (contact["at"], contact["channel"], contact["key"]))

    @cached_property
    def parts(self) -> list[Row]:
        """What each agent had of a contact, in order of its beginning: answered calls and owned parts of chats."""
        parts = [
            {"channel": "voice", "key": call["call_id"], "agent_key": call["agent_key"], "from": call["answered_at"],
             "until": call["ended_at"], "is_transfer": call["ended_by"] == "transfer"}
            for call in self.rows("call")
            if call["direction"] == "inbound" and call["answered_at"]
        ]  # fmt: skip
        channels = {chat["chat_id"]: chat["channel"] for chat in self.rows("chat")}
        parts += [
            {"channel": channels[part["chat_id"]], "key": part["chat_id"], "agent_key": part["agent_key"],
             "from": part["started_at"], "until": part["ended_at"], "is_transfer": part["ended_how"] == "transfer"}
            for part in self.rows("chat_segment")
            if part["ended_at"]
        ]  # fmt: skip
        return sorted(parts, key=lambda part: (part["from"], part["channel"], part["key"]))

    @cached_property
    def duty(self) -> dict[str, list[tuple[int, int]]]:
        """When people were at work, in seconds since 1970 UTC and in order: their shifts without leave and rest."""
        away = {
            (row["agent_key"], row["start_date"] + number * _DAY)
            for row in self.rows("leave")
            if row["status"] == "approved"
            for number in range((row["end_date"] - row["start_date"]).days + 1)
        }
        duty: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for row in self.rows("shift"):
            if not row["is_rest_day"] and (row["agent_key"], row["shift_date"]) not in away:
                duty[row["agent_key"]].append((_second(row["start_at"]), _second(row["end_at"])))
        return {agent: sorted(spans) for agent, spans in duty.items()}

    def team_on(self, agent: str, date: dt.date) -> str | None:
        """Returns the team of a person on a date."""
        return next((team for first, until, team in self._teams[agent] if first <= date < until), None)

    def members(self, team: str, date: dt.date) -> list[str]:
        """Returns who of the front line is in a team on a date."""
        return [agent for agent, first, until in self._members[team] if first <= date < until]

    @cached_property
    def _members(self) -> dict[str, list[tuple[str, dt.date, dt.date]]]:
        front = {agent["agent_key"] for agent in self.agents if agent["role"] in _FRONT}
        members: dict[str, list[tuple[str, dt.date, dt.date]]] = defaultdict(list)
        for agent in sorted(front):
            for first, until, team in self._teams[agent]:
                members[team].append((agent, first, until))
        return members

    @cached_property
    def _teams(self) -> dict[str, list[tuple[dt.date, dt.date, str]]]:
        teams: dict[str, list[tuple[dt.date, dt.date, str]]] = defaultdict(list)
        for row in self.rows("membership"):
            teams[row["agent_key"]].append((row["valid_from"], row["valid_to"] or dt.date.max, row["team_id"]))
        return teams

    @cached_property
    def tickets(self) -> list[Row]:
        """The tickets; both they and their audits are sheets."""
        tickets = list(_tickets(self))
        return tickets + list(_split(self, tickets))

    @cached_property
    def leads(self) -> dict[tuple[str, int], Row]:
        """The leads by agent and customer, with the instants of their dials."""
        leads: dict[tuple[str, int], Row] = {}
        for call in self.rows("call"):
            if call["direction"] == "outbound":
                lead = leads.setdefault((call["agent_key"], call["customer_id"]), {"dials": [], "reached": None})
                lead["dials"].append(call["entered_at"])
                lead["reached"] = lead["reached"] or call["answered_at"]
        for number, lead in enumerate(leads.values(), 1):
            lead["lead_id"] = f"L{number:06}"
        return leads


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    share = np.cumsum(list(weights.values()))
    return list(weights)[int(np.searchsorted(share, rng.random() * share[-1], "right"))]


def _one(rng: np.random.Generator, items: Sequence[Any]) -> Any:
    return items[int(rng.integers(len(items)))]


def _drawn(rng: np.random.Generator, duration: Mapping[str, float]) -> float:
    return float(duration["median"] * np.exp(duration["spread"] * rng.standard_normal()))


def _second(moment: dt.datetime) -> int:
    return int(moment.timestamp())


def _moment(second: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(second, dt.UTC)


# --- sheets that only say again what the world holds -----------------------------------------------------------------


def _employee(office: _Office) -> Iterator[Row]:
    for agent in office.agents:
        yield {
            "employee_number": agent["agent_key"],
            "display_name": agent["name"],
            "email": staff_email(agent["agent_key"]),
            "phone": staff_phone(agent["agent_key"]),
            "role": agent["role"],
            "manager_number": agent["manager_key"],
            "hire_date": agent["hire_date"],
            "exit_date": agent["exit_date"],
            "is_active": agent["exit_date"] is None or agent["exit_date"] >= office.scenario.end,
        }


def _work_assignment(office: _Office) -> Iterator[Row]:
    for row in office.rows("membership"):
        lead = office.team_leads[row["team_id"]]
        yield {
            "employee_number": row["agent_key"],
            "valid_from": office.at(row["valid_from"], 0),
            "department": row["team_id"],
            "manager_number": lead if lead != row["agent_key"] else None,
        }


def _roster(office: _Office) -> Iterator[Row]:
    zone = office.scenario.zone
    for row in office.rows("shift"):
        times = {
            field: row[column] and f"{row[column].astimezone(zone):%H:%M:%S}"
            for field, column in (("start_time", "start_at"), ("end_time", "end_at"))
        }
        yield {
            "employee_number": row["agent_key"],
            "shift_date": row["shift_date"],
            "break_seconds": row["break_seconds"],
            "is_rest_day": row["is_rest_day"],
        } | times


def _attendance_day(office: _Office) -> Iterator[Row]:
    shifts = {(row["agent_key"], row["shift_date"]): row for row in office.rows("shift")}
    for row in office.rows("punch"):
        shift = shifts[row["agent_key"], row["shift_date"]]
        required = shift["end_at"] - shift["start_at"] - dt.timedelta(seconds=shift["break_seconds"])
        worked = row["out_at"] and row["out_at"] - row["in_at"] - dt.timedelta(seconds=shift["break_seconds"])
        yield {
            "attendance_id": str(row["punch_id"]),
            "employee_number": row["agent_key"],
            "attendance_date": row["shift_date"],
            "required_seconds": int(required.total_seconds()),
            "worked_seconds": worked and max(0, int(worked.total_seconds())),
        }


def _attendance_punch(office: _Office) -> Iterator[Row]:
    for row in office.rows("punch"):
        yield {
            "punch_id": str(row["punch_id"]),
            "employee_number": row["agent_key"],
            "attendance_date": row["shift_date"],
            "in_at": row["in_at"],
            "out_at": row["out_at"],
        }


def _leave_request(office: _Office) -> Iterator[Row]:
    for row in office.rows("leave"):
        yield row | {
            "leave_id": str(row["leave_id"]),
            "employee_number": row["agent_key"],
            "start_part": "full_day",
            "end_part": "full_day",
        }


def _identity(office: _Office) -> Iterator[Row]:
    accounts = {"voice": "member_name", "chat": "chat_user_id", "desk": "desk_user_id"}
    for agent in office.agents:
        for channel, account in accounts.items():
            if agent[account] is not None:
                yield {
                    "source_id": SOURCES[channel],
                    "account": str(agent[account]),
                    "valid_from": agent["hire_date"],
                    "employee_number": agent["agent_key"],
                    "valid_to": agent["exit_date"] and agent["exit_date"] + _DAY,
                    "known_from": agent["hire_date"],
                }


def _team_assignment(office: _Office) -> Iterator[Row]:
    for row in office.rows("membership"):
        yield {
            "employee_number": row["agent_key"],
            "valid_from": row["valid_from"],
            "team_key": row["team_id"],
            "valid_to": row["valid_to"],
            "known_from": row["valid_from"],
        }


def _qa_review(office: _Office) -> Iterator[Row]:
    for row in office.rows("qa_review"):
        yield (
            row
            | office.contact(row["channel"], row["contact_id"])
            | {
                "review_id": f"R{row['review_id']:06}",
                "employee_number": row["agent_key"],
                "reviewer_number": row["reviewer_key"],
            }
        )


def _qa_item(office: _Office) -> Iterator[Row]:
    for row in office.rows("qa_review"):
        for item, mark in zip(_DECLARED["items"], row["item_scores"], strict=True):
            yield {"review_id": f"R{row['review_id']:06}", "item": item, "mark": mark, "most_marks": 10}


def _exam(office: _Office) -> Iterator[Row]:
    for row in office.rows("exam"):
        yield row | {"employee_number": row["agent_key"]}


# --- tickets and audits ----------------------------------------------------------------------------------------------


def _tickets(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("ticket"), _DECLARED["ticket"]
    teams, ticked = list(office.team_leads), office.planted("tick_box")
    coded_solved = _ticked(office, ticked)
    for number, contact in enumerate(office.contacts, 1):
        luck = rng.random(5)
        if luck[0] >= declared["share"]:
            continue
        is_solved = coded_solved.get((contact["channel"], contact["key"]), luck[1] < _solved_share(contact))
        is_open = luck[2] < declared["open_share"]
        is_dispatched = luck[3] < declared["dispatched_share"]
        closes = contact["at"] + dt.timedelta(seconds=round(3600 * _drawn(rng, declared["hours_to_close"])))
        yield office.contact(contact["channel"], contact["key"]) | {
            "ticket_id": f"T{number:07}",
            "employee_number": contact["agent_key"],
            "customer_phone": office.phones[contact["customer_id"]],
            "issue_class": contact["issue_class"],
            "opened_at": contact["at"],
            "closed_at": None if is_open else closes,
            "close_code": None if is_open else "solved" if is_solved else "unsolved",
            "dispatched_to": _one(rng, teams) if is_dispatched else None,
            "redispatch_count": int(luck[4] < declared["redispatched_share"]) if is_dispatched else None,
        }


def _split(office: _Office, tickets: list[Row]) -> Iterator[Row]:
    """Yields the tickets that are entered a second time, as one that hangs on no contact and needs no work."""
    rng, within = office.stream("split_ticket"), _DECLARED["ticket"]["minutes_to_split"]
    for agent, strength in office.planted("split_ticket").items():
        own = [ticket for ticket in tickets if ticket["employee_number"] == agent]
        for place in np.sort(rng.permutation(len(own))[: round(strength * len(own))]).tolist():
            opened = own[place]["opened_at"] + dt.timedelta(minutes=int(rng.integers(1, within)))
            yield own[place] | {
                "contact_source_id": None,
                "contact_id": None,
                "ticket_id": f"{own[place]['ticket_id']}S",
                "opened_at": opened,
                "closed_at": opened + dt.timedelta(minutes=1),
                "close_code": "solved",
                "dispatched_to": None,
                "redispatch_count": None,
            }


def _solved_share(contact: Row) -> float:
    """Returns how often an honest agent codes such a contact as solved."""
    if contact["is_solved"]:
        return float(_DECLARED["ticket"]["solved_if_solved"])
    return float(_DECLARED["ticket"]["solved_if_returned" if contact["is_returned"] else "solved_if_silent"])


def _ticked(office: _Office, strengths: Mapping[str, float]) -> dict[tuple[str, int], bool]:
    """Returns, for those who tick boxes, which contacts with a return they code as solved: so many points too many.

    A return is another contact of the customer about the same class, as records see it: some are about a new matter.
    """
    rng = office.stream("tick_box")
    coded: dict[tuple[str, int], bool] = {}
    for agent, strength in strengths.items():
        back = [contact for contact in office.contacts if contact["agent_key"] == agent and contact["is_back"]]
        count = round(sum(map(_solved_share, back)) + strength * len(back))
        solved = set(rng.permutation(len(back))[:count].tolist())
        coded |= {(contact["channel"], contact["key"]): number in solved for number, contact in enumerate(back)}
    return coded


def _ticket(office: _Office) -> Iterator[Row]:
    yield from office.tickets


class _History:
    """The events of one ticket. What people do, they do at work; customers and the system come at any time."""

    def __init__(self, office: _Office, rng: np.random.Generator, ticket: Row) -> None:
        self._office, self._rng, self._declared = office, rng, _DECLARED["ticket_event"]
        self._ticket, self._owner = ticket, ticket["employee_number"]
        self._opened = _second(ticket["opened_at"])
        if ticket["closed_at"]:
            self._until = _second(ticket["closed_at"])
        else:
            self._until = self._opened + round(3600 * _drawn(rng, self._declared["hours_of_open_work"]))
        self._at = self._opened
        self.events: list[Row] = []

    def _happens(self, share: str) -> bool:
        return bool(self._rng.random() < self._declared[share])

    def _note(self, kind: str, at: int, who: str | None = None, **more: Any) -> None:
        self._at = at
        self.events.append(
            {
                "ticket_id": self._ticket["ticket_id"],
                "event_number": len(self.events) + 1,
                "event_at": _moment(at),
                "event_kind": kind,
                "employee_number": who,
            }
            | more
        )

    def _between(self, start: int, end: int) -> int:
        return start + int(self._rng.random() * (end - start + 1))

    def tell(self) -> list[Row]:
        """Returns the events in order."""
        creator, day = self._owner, self._office.date(self._ticket["opened_at"])
        team = self._office.team_on(creator, day)
        self._note(
            "created", self._opened, creator, priority=_pick(self._rng, self._declared["priorities"]), team_key=team
        )
        if self._ticket["dispatched_to"]:
            self._dispatch()
        else:
            self._note("assigned", self._opened, creator)
        is_solved, is_open = self._ticket["close_code"] == "solved", self._ticket["closed_at"] is None
        steps = self._steps()
        if is_solved and self._happens("reopened_share"):
            steps += ["solved", "reopened", *self._steps(), "solved"]
        elif is_solved or (is_open and self._happens("open_again_share")):
            steps += ["solved"]
        self._do(steps)
        if is_solved and self._happens("thanks_share"):
            self._note("reopened", self._between(self._at, self._until), is_thanks=True)
        if not is_open:
            self._note("closed", self._until)
        elif steps[-1:] == ["solved"]:
            after = round(86400 * _drawn(self._rng, self._declared["days_to_late_reopening"]))
            self._note("reopened", self._at + after, is_thanks=False)
        elif self._happens("last_word_share"):
            self._note("customer_update", self._between(self._at, self._until))
        return self.events

    def _dispatch(self) -> None:
        """Sends the ticket to its team, further if that sends it on, and to somebody who works there in time."""
        target, creator = self._ticket["dispatched_to"], self._owner
        spans = self._spans(creator)
        leaves = spans[0][1] if spans and spans[0][0] <= self._opened else self._opened
        self._note("moved", min(self._opened + int(self._rng.integers(30, 300)), leaves), creator, team_key=target)
        taken = self._free(target)
        if self._ticket["redispatch_count"]:
            since, sender = taken or (self._at, creator)
            target = _one(self._rng, [team for team in self._office.team_leads if team != target] or [target])
            self._note("moved", since, sender, team_key=target)
            taken = self._free(target)
        # Where nobody works before it is closed, it comes back.
        since, self._owner = taken or (self._at, creator)
        self._note("assigned", since, self._owner)

    def _free(self, team: str) -> tuple[int, str] | None:
        """Returns who of a team is the first to be at work from now on, and since when."""
        members = self._office.members(team, self._office.date(_moment(self._at)))
        return min(((spans[0][0], member) for member in members if (spans := self._spans(member))), default=None)

    def _spans(self, agent: str) -> list[tuple[int, int]]:
        """Returns when somebody is at work between now and the end of the ticket."""
        return [
            (max(start, self._at), min(end, self._until))
            for start, end in self._office.duty.get(agent, ())
            if start < self._until and end > self._at
        ]

    def _steps(self) -> list[str]:
        """Returns what the owner does in one episode, in order."""
        steps = ["public_reply"] * (1 + int(self._rng.poisson(self._declared["more_replies_mean"])))
        if self._happens("pending_share"):
            # Pending waits for the customer: it follows a reply.
            steps.insert(1, "pending")
        for kind, share in (
            ("on_hold", "on_hold_share"),
            ("priority", "priority_share"),
            ("internal_note", "note_share"),
        ):
            if self._happens(share):
                steps.insert(int(self._rng.integers(len(steps) + 1)), kind)
        return steps

    def _do(self, steps: list[str]) -> None:
        """Puts the steps at moments of the owner's working time, and what customers do between them."""
        spans = self._spans(self._owner)
        own = sum(step != "reopened" for step in steps)
        shares = np.sort(self._rng.random(own)).tolist()
        waits_for, reopens = "", False
        for step in steps:
            if step == "reopened":
                reopens = True
                continue
            at = max(self._at, _at_work(spans, shares.pop(0), self._at))
            if reopens:
                self._note("reopened", self._between(self._at, at), is_thanks=False)
            elif waits_for:
                back = self._between(self._at, at)
                if waits_for == "pending":
                    self._note("customer_update", back)
                    self._note("open", back)
                else:
                    self._note("open", at, self._owner)
            elif self._happens("update_share"):
                self._note("customer_update", self._between(self._at, at))
            waits_for, reopens = step if step in ("pending", "on_hold") else "", False
            more = {"priority": _pick(self._rng, self._declared["priorities"])} if step == "priority" else {}
            self._note(step, at, self._owner, **more)


def _at_work(spans: list[tuple[int, int]], share: float, otherwise: int) -> int:
    """Returns the moment at which a share of the working time is over."""
    left = share * sum(end - start for start, end in spans)
    for start, end in spans:
        if left <= end - start:
            return start + int(left)
        left -= end - start
    return spans[-1][1] if spans else otherwise


def _ticket_event(office: _Office) -> Iterator[Row]:
    rng = office.stream("ticket_event")
    for ticket in office.tickets:
        yield from _History(office, rng, ticket).tell()


def _work_order_audit(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("work_order_audit"), _DECLARED["audit"]
    entered: dict[tuple[str, dt.date], list[Row]] = defaultdict(list)
    for ticket in office.tickets:
        entered[ticket["employee_number"], office.date(ticket["opened_at"]).replace(day=1)].append(ticket)
    reviewers = [agent["agent_key"] for agent in office.agents if agent["role"] == "qa"]
    number = 0
    for tickets in entered.values():
        for place in np.sort(rng.permutation(len(tickets))[: declared["per_agent_month"]]).tolist():
            ticket, number = tickets[place], number + 1
            luck = rng.random(3)
            is_dispatch_correct = luck[1] < declared["dispatch_correct_share"]
            yield {
                "audit_id": f"A{number:06}",
                "ticket_id": ticket["ticket_id"],
                "employee_number": ticket["employee_number"],
                "auditor_number": _one(rng, reviewers),
                "audited_at": office.at(office.date(ticket["opened_at"]) + _DAY, 10 + 7 * rng.random()),
                "picked_by": _pick(rng, declared["picked_by"]),
                "is_entry_compliant": luck[0] < declared["compliant_share"],
                "is_dispatch_correct": is_dispatch_correct if ticket["dispatched_to"] else None,
                "is_customer_correct": luck[2] < declared["customer_correct_share"],
            }


# --- forms -----------------------------------------------------------------------------------------------------------


def _daily_form(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("daily_form"), _DECLARED["form"]
    seen_as = {agent["agent_key"]: declared["between_spread"] * rng.standard_normal() for agent in office.agents}
    narrow, partners = office.planted("central_tendency"), list(office.planted("reciprocal_peer").items())
    favours = {
        pair: strength
        for (one, strength), (other, _) in zip(partners[::2], partners[1::2], strict=False)
        for pair in ((one, other), (other, one))
    }
    leads = [agent["agent_key"] for agent in office.agents if agent["role"] == "lead"]
    number = 0
    for first, last in office.months():
        team = {row["agent_key"]: row["team_id"] for row in office.rows("membership") if row["valid_from"] <= last}
        rated = office.employed(first, last)
        keys = [agent["agent_key"] for agent in rated]
        wanted = [
            (kind, key, office.team_leads[team[key]]) for kind in ("daily_appraisal", "manager_rating") for key in keys
        ]
        for key in keys:
            mates = [mate for mate in keys if mate != key and team[mate] == team[key]]
            peers = {mates[place] for place in rng.permutation(len(mates))[: declared["peers"]].tolist()}
            peers |= {one for one, other in favours if other == key}
            wanted += [("peer_rating", key, peer) for peer in sorted(peers)]
        for kind, key, rater in wanted:
            number += 1
            marks = seen_as[key] + declared["mark_spread"] * rng.standard_normal(3)
            marks = declared["mean"] + (1 - narrow.get(rater, 0.0)) * marks + favours.get((rater, key), 0.0)
            teamwork, initiative, attendance = np.clip(marks, 0, 100).round(1).tolist()
            is_approved = kind != "peer_rating" and rng.random() < declared["approved_share"]
            approver = next((lead for lead in leads if lead != rater), None)
            yield {
                "form_id": f"F{number:06}",
                "form_kind": kind,
                "employee_number": key,
                "rater_number": rater,
                "form_date": last,
                "teamwork_score": teamwork,
                "initiative_score": initiative,
                "attendance_score": attendance if kind == "daily_appraisal" else None,
                "approver_number": approver if is_approved else None,
                "approved_on": last + 2 * _DAY if is_approved and approver else None,
            }


# --- outbound and sales ----------------------------------------------------------------------------------------------


def _dial(office: _Office) -> Iterator[Row]:
    rng = office.stream("dial")
    for call in office.rows("call"):
        if call["direction"] == "outbound":
            answered = call["answered_at"]
            yield {
                "dial_id": f"D{call['call_id']:08}",
                "employee_number": call["agent_key"],
                "dialed_at": call["entered_at"],
                "customer_phone": office.phones[call["customer_id"]],
                "lead_id": office.leads[call["agent_key"], call["customer_id"]]["lead_id"],
                "result": "answered" if answered else _pick(rng, _DECLARED["dial"]["unanswered"]),
                "ring_seconds": int(((answered or call["ended_at"]) - call["entered_at"]).total_seconds()),
                "talk_seconds": int((call["ended_at"] - answered).total_seconds()) if answered else 0,
            }


def _lead(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("lead"), _DECLARED["lead"]
    for (agent, customer), lead in office.leads.items():
        status, luck = "open", rng.random()
        if lead["reached"]:
            won, lost = declared["won_share"], declared["won_share"] + declared["lost_share"]
            status = "won" if luck < won else "lost" if luck < lost else "contacted"
        first = office.date(min(lead["dials"]))
        yield {
            "lead_id": lead["lead_id"],
            "employee_number": agent,
            "campaign": _one(rng, declared["campaigns"]),
            "customer_phone": office.phones[customer],
            "assigned_on": max(office.scenario.start, first - int(rng.integers(3)) * _DAY),
            "status": status,
            "closed_on": office.date(max(lead["dials"])) if status in ("won", "lost") else None,
        }
    callers, phones = sorted({agent for agent, _ in office.leads}), list(office.phones.values())
    for number in range(round(declared["undialled_share"] * len(office.leads))):
        yield {
            "lead_id": f"L{len(office.leads) + number + 1:06}",
            "employee_number": _one(rng, callers),
            "campaign": _one(rng, declared["campaigns"]),
            "customer_phone": _one(rng, phones),
            "assigned_on": _one(rng, office.scenario.dates),
            "status": "open",
        }


def _order(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("order"), _DECLARED["order"]
    bought: list[tuple[dt.datetime, int, str | None]] = []
    for contact in office.contacts:
        if contact["issue_class"] in declared["enquiry_classes"] and rng.random() < declared["paid_after_enquiry"]:
            after = dt.timedelta(seconds=round(3600 * _drawn(rng, declared["hours_to_order"])))
            helper = contact["agent_key"] if rng.random() < declared["recommended_share"] else None
            bought.append((contact["at"] + after, contact["customer_id"], helper))
    customers = list(office.phones)
    for _ in range(round(declared["others_per_contact"] * len(office.contacts))):
        moment = office.at(_one(rng, office.scenario.dates), 24 * rng.random())
        bought.append((moment, _one(rng, customers), None))
    for number, (moment, customer, helper) in enumerate(sorted(bought, key=lambda order: order[:2]), 1):
        amount = round(_drawn(rng, declared["amount"]), 2)
        is_refunded = rng.random() < declared["refunded_share"]
        back = dt.timedelta(seconds=round(86400 * _drawn(rng, declared["days_to_refund"])))
        yield {
            "order_id": f"O{number:07}",
            "customer_phone": office.phones[customer],
            "ordered_at": moment,
            "paid_at": moment + dt.timedelta(seconds=int(rng.integers(5, 600))),
            "amount": amount,
            "refunded_amount": amount if is_refunded else 0,
            "refunded_at": moment + back + dt.timedelta(hours=1) if is_refunded else None,
            "is_new_business": rng.random() < declared["new_business_share"],
            "recommended_by": helper,
        }


# --- voices from outside, help inside --------------------------------------------------------------------------------


def _complaint(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("complaint"), _DECLARED["complaint"]
    bad = {(row["channel"], row["contact_id"]) for row in office.rows("survey") if (row["value"] or 5) <= 2}
    reviewers = [agent["agent_key"] for agent in office.agents if agent["role"] == "qa"]
    complaints: list[tuple[Row, str, str]] = []
    for contact in office.contacts:
        is_bad = (contact["channel"], contact["key"]) in bad
        if rng.random() < declared["share_after_bad_rating" if is_bad else "share"]:
            complaints.append((contact, _pick(rng, declared["categories"]), _pick(rng, declared["statuses"])))
    contradicted = {
        (row["channel"], row["contact_id"]) for row in office.rows("survey") if row["survey_id"] in office.contradicted
    }
    complaints += [
        (contact, "service", "upheld")
        for contact in office.contacts
        if (contact["channel"], contact["key"]) in contradicted
    ]
    for number, (contact, category, status) in enumerate(complaints, 1):
        received = contact["at"] + dt.timedelta(seconds=int(rng.integers(600, 172800)))
        yield office.contact(contact["channel"], contact["key"]) | {
            "complaint_id": f"C{number:06}",
            "employee_number": contact["agent_key"] if category in ("service", "privacy") else None,
            "customer_phone": office.phones[contact["customer_id"]],
            "received_at": received,
            "category": category,
            "is_severe": rng.random() < declared["severe_share"],
            "status": status,
            "verifier_number": _one(rng, reviewers) if status != "open" else None,
            "verified_on": office.date(received) + int(rng.integers(1, 5)) * _DAY if status != "open" else None,
            "resolution_rating": int(rng.integers(1, 6)) if rng.random() < declared["rated_share"] else None,
        }


def _coaching(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("coaching"), _DECLARED["coaching"]
    number = 0
    for first, last in office.months():
        for agent in office.employed(first, last):
            for _ in range(rng.poisson(declared["per_agent_month"])):
                number += 1
                day = first + int(rng.integers((last - first).days + 1)) * _DAY
                yield {
                    "coaching_id": f"K{number:06}",
                    "employee_number": agent["agent_key"],
                    "coach_number": agent["manager_key"],
                    "coached_on": day,
                    "metric_id": _one(rng, declared["metrics"]),
                    "cause": _one(rng, ["will", "skill"]),
                    "measure": _one(rng, declared["measures"]),
                    "follow_up_on": day + declared["follow_up_days"] * _DAY,
                }


def _verified_fact(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("verified_fact"), _DECLARED["fact"]
    reviewers = [agent["agent_key"] for agent in office.agents if agent["role"] == "qa"]
    number = 0
    for first, last in office.months():
        for agent in office.employed(first, last):
            if rng.random() >= declared["share"]:
                continue
            number += 1
            kind, day = _pick(rng, declared["kinds"]), first + int(rng.integers(20)) * _DAY
            verifier = _one(rng, reviewers) if rng.random() >= declared["unverified_share"] else None
            yield {
                "fact_id": f"V{number:06}",
                "employee_number": agent["agent_key"],
                "fact_kind": kind,
                "happened_on": day,
                "points": float(rng.integers(1, 3)) if kind in ("bonus", "malus") else None,
                "metric_id": None,
                "reported_by": agent["manager_key"],
                "evidence_id": f"E-{number:04}",
                "verified_by": verifier,
                "verified_on": day + _DAY if verifier else None,
                "note_text": None,
            }


def _manager_comment(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("manager_comment"), _DECLARED["comment"]
    number = 0
    for first, last in office.months():
        for agent in office.employed(first, last):
            if rng.random() < declared["share"]:
                number += 1
                yield {
                    "comment_id": f"M{number:06}",
                    "employee_number": agent["agent_key"],
                    "manager_number": agent["manager_key"],
                    "about_on": first + 14 * _DAY,
                    "metric_id": _one(rng, declared["metrics"]),
                    "comment": _one(rng, declared["texts"]),
                }


def _training(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("training"), _DECLARED["training"]
    assigned: list[tuple[str, str, str, dt.date]] = []
    for place, (first, last) in enumerate(office.months()):
        course = declared["refreshers"][place % len(declared["refreshers"])]
        everybody = office.employed(first, last)
        assigned += [(agent["agent_key"], course, "refresher", first + 4 * _DAY) for agent in everybody]
    for agent in office.agents:
        if agent["hire_date"] >= office.scenario.start:
            assigned.append((agent["agent_key"], declared["onboarding"], "onboarding", agent["hire_date"]))
        elif rng.random() < declared["drilled_share"]:
            assigned.append((agent["agent_key"], declared["drill"], "drill", office.scenario.start + 9 * _DAY))
    for number, (key, course, kind, day) in enumerate(assigned, 1):
        is_done = rng.random() < declared["completed_share"]
        yield {
            "training_id": f"N{number:06}",
            "employee_number": key,
            "course_name": course,
            "course_kind": kind,
            "assigned_on": day,
            "due_on": day + declared["due_days"] * _DAY,
            "completed_on": day + int(rng.integers(1, declared["due_days"])) * _DAY if is_done else None,
            "score": round(float(np.clip(86 + 7 * rng.standard_normal(), 0, 100)), 1) if is_done else None,
        }


def _social_feedback(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("social_feedback"), _DECLARED["feedback"]
    for number in range(1, 1 + round(declared["per_thousand_contacts"] * len(office.contacts) / 1000)):
        contact = _one(rng, office.contacts)
        is_named = rng.random() < declared["named_share"]
        yield {
            "feedback_id": f"S{number:06}",
            "kind": _pick(rng, declared["kinds"]),
            "platform": _pick(rng, declared["platforms"]),
            "posted_at": contact["at"] + dt.timedelta(seconds=int(rng.integers(600, 259200))),
            "theme": _one(rng, declared["themes"]),
            "employee_number": contact["agent_key"] if is_named else None,
            "is_verified": rng.random() < declared["verified_share"],
        } | (office.contact(contact["channel"], contact["key"]) if is_named else {})


# --- what is noted about contacts -------------------------------------------------------------------------------------


def _assist(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("assist"), _DECLARED["assist"]
    number = 0
    for part in office.parts:
        if rng.random() >= declared["share"]:
            continue
        number += 1
        asked = _second(part["from"]) + int(rng.random() * (part["until"] - part["from"]).total_seconds())
        team = office.team_on(part["agent_key"], office.date(part["from"]))
        yield office.contact(part["channel"], part["key"]) | {
            "assist_id": f"H{number:06}",
            "employee_number": part["agent_key"],
            "helper_number": office.team_leads.get(team or "") if rng.random() < declared["helped_share"] else None,
            "asked_at": _moment(asked),
            "assist_kind": _pick(rng, declared["kinds"]),
        }


def _callback_task(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("callback_task"), _DECLARED["callback"]
    number = 0
    for contact in office.contacts:
        luck = rng.random(3)
        if luck[0] >= declared["share_if_solved" if contact["is_solved"] else "share_if_unsolved"]:
            continue
        number += 1
        due = contact["at"] + dt.timedelta(hours=declared["due_hours"])
        done = contact["at"] + dt.timedelta(seconds=round(3600 * _drawn(rng, declared["hours_to_call"])))
        yield office.contact(contact["channel"], contact["key"]) | {
            "callback_id": f"B{number:06}",
            "employee_number": contact["agent_key"],
            "created_at": contact["at"],
            "due_at": due if luck[1] < declared["due_share"] else None,
            "done_at": done if luck[2] < declared["done_share"] else None,
        }


def _contact_label(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("contact_label"), _DECLARED["label"]
    classes, saved = sorted({issue["issue_class"] for issue in office.rows("issue")}), set()
    for contact in office.contacts:
        luck, labels = rng.random(8), {}
        issue_class, is_enquiry = (
            contact["issue_class"],
            contact["issue_class"] in _DECLARED["order"]["enquiry_classes"],
        )
        if luck[0] < declared["issue_class_share"]:
            labels["issue_class"] = _one(rng, classes) if luck[1] < declared["other_class_share"] else issue_class
        labels |= {
            label: None
            for label, place in (("high_value", 2), ("personalized", 3))
            if luck[place] < declared[f"{label}_share"]
        }
        if luck[4] < declared["new_business_share" if is_enquiry else "new_business_share_of_others"]:
            labels["new_business"] = None
        again = contact["customer_id"] in saved
        if luck[5] < declared["cancellation_share_after_saved" if again else "cancellation_share"]:
            labels["cancellation_request"] = None
            if luck[6] < declared["saved_share"]:
                labels["cancellation_saved"] = None
                saved.add(contact["customer_id"])
        if luck[7] < declared["sentiment_share"]:
            first, last = (_pick(rng, declared[name]) for name in ("first_sentiments", "last_sentiments"))
            labels |= {"sentiment_last": last} | (
                {"sentiment_first": first} if luck[7] < declared["both_share"] else {}
            )
        yield from _labelled(office, rng, contact, labels)
    misrouted = {
        tuple(office.contact(part["channel"], part["key"]).values()): part
        for part in office.parts
        if part["is_transfer"] and rng.random() < declared["misrouted_share"]
    }
    for part in misrouted.values():
        yield from _labelled(office, rng, part | {"at": part["until"]}, {"misrouted": None})


def _labelled(
    office: _Office, rng: np.random.Generator, contact: Row, labels: Mapping[str, str | None]
) -> Iterator[Row]:
    for label, value in labels.items():
        is_felt = label.startswith("sentiment")
        yield office.contact(contact["channel"], contact["key"]) | {
            "label": label,
            "value": value,
            "labelled_by": _DECLARED["label"]["program"] if is_felt else contact["agent_key"],
            "labelled_at": contact["at"] + dt.timedelta(seconds=int(rng.integers(1, 60))),
        }


def _survey_response(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("survey_response"), _DECLARED["survey"]
    answers: list[Row] = []
    for contact in office.contacts:
        if rng.random() < declared["effort_share"]:
            after = dt.timedelta(seconds=round(3600 * _drawn(rng, declared["hours_to_effort"])))
            answers.append(
                office.contact(contact["channel"], contact["key"])
                | {
                    "instrument": "ces",
                    "employee_number": contact["agent_key"],
                    "customer_phone": office.phones[contact["customer_id"]],
                    "answered_at": contact["at"] + after,
                    "value": int(_pick(rng, declared["efforts"])),
                }
            )
    # People recommend a company, or somebody of it, without a contact that it hangs on.
    customers = list(office.phones)
    workers = [row["agent_key"] for row in office.rows("shift") if row["work"] in ("voice", "chat", "desk")]
    for _ in range(round(declared["recommending_share"] * len(customers))):
        answers.append(
            {
                "instrument": "nps",
                "employee_number": _one(rng, workers) if rng.random() < declared["named_share"] else None,
                "customer_phone": office.phones[_one(rng, customers)],
                "answered_at": office.at(_one(rng, office.scenario.dates), 24 * rng.random()),
                "value": int(_pick(rng, declared["recommendations"])),
                "reason": _pick(rng, declared["reasons"]) if rng.random() < declared["reason_share"] else None,
            }
        )
    for number, answer in enumerate(sorted(answers, key=lambda answer: answer["answered_at"]), 1):
        yield {"response_id": f"V{number:06}"} | answer
    yield from _follow_up(office)


def _follow_up(office: _Office) -> Iterator[Row]:
    """Yields the answers to the survey that is asked by hand, one for each item."""
    for row in office.rows("follow_up") if "follow_up" in office.world.tables else ():
        for number, item in enumerate(OPERATION.follow_up.items, 1):
            yield office.contact(row["channel"], row["contact_id"]) | {
                "response_id": f"F{row['answer_id']:06}-{number}",
                "instrument": f"follow_up_{item}",
                "employee_number": row["agent_key"],
                "customer_phone": office.phones[row["customer_id"]],
                "answered_at": row["answered_at"],
                "value": row[item],
                "reason": row["reason"],
            }


def _registration(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("registration"), _DECLARED["registration"]
    taken: list[tuple[str | None, str | None]] = []
    for row in office.rows("shift"):
        if row["is_rest_day"] or row["work"] not in ("voice", "chat", "desk", "outbound"):
            continue
        for _ in range(rng.poisson(declared["per_shift"])):
            number = len(taken) + 1
            # No network in China has numbers that begin with 161.
            phone: str | None = f"161{number:08}"
            device: str | None = f"device-{number:06}"
            if taken and rng.random() < declared["same_customer_share"]:
                phone = _one(rng, taken)[0]
            if taken and rng.random() < declared["same_device_share"]:
                device = _one(rng, taken)[1]
            device = device if rng.random() < declared["device_share"] else None
            phone = phone if rng.random() < declared["phone_share"] else None
            taken.append((phone, device))
            yield {
                "registration_id": f"U{number:06}",
                "employee_number": row["agent_key"],
                "registered_at": row["start_at"] + rng.random() * (row["end_at"] - row["start_at"]) // _TICK * _TICK,
                "customer_phone": phone,
                "device_id": device,
                "is_verified": rng.random() < declared["verified_share"],
            }
    yield from _own_registrations(office, len(taken))


def _own_registrations(office: _Office, count: int) -> Iterator[Row]:
    """Yields registrations of colleagues, each month as many as planted, numbered behind `count` others."""
    rng, colleagues = office.stream("own_registration"), [agent["agent_key"] for agent in office.agents]
    for agent, strength in office.planted("own_registration").items():
        for first, last in office.months():
            spans = [span for span in office.duty[agent] if first <= office.date(_moment(span[0])) <= last]
            for _ in range(int(strength) if spans else 0):
                count, (start, end) = count + 1, _one(rng, spans)
                yield {
                    "registration_id": f"U{count:06}",
                    "employee_number": agent,
                    "registered_at": _moment(int(rng.integers(start, end))),
                    "customer_phone": staff_phone(_one(rng, colleagues)),
                    "device_id": f"device-{count:06}",
                    "is_verified": True,
                }


def _contact_block_day(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("contact_block_day"), _DECLARED["block"]
    writers = {agent["agent_key"] for agent in office.agents if agent["role"] in ("im", "mixed")}
    days = {(row["agent_key"], row["shift_date"]) for row in office.rows("punch") if row["agent_key"] in writers}
    for agent, day in sorted(days):
        if rng.random() < declared["day_share"]:
            yield {
                "employee_number": agent,
                "block_date": day,
                "blocks": int(rng.poisson(declared["blocks_mean"])),
                "rejections": int(rng.poisson(declared["rejections_mean"])),
            }


# --- days, moments, months -------------------------------------------------------------------------------------------


def _group_chat_day(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("group_chat_day"), _DECLARED["group"]
    writers = {agent["agent_key"]: agent["manager_key"] for agent in office.agents if agent["role"] in ("im", "mixed")}
    for row in office.rows("punch"):
        if row["agent_key"] in writers and rng.random() < declared["day_share"]:
            yield {
                "group_id": f"{writers[row['agent_key']]}-G{int(rng.integers(declared['groups_per_team'])) + 1}",
                "employee_number": row["agent_key"],
                "chat_date": row["shift_date"],
                "messages_sent": 1 + int(rng.poisson(declared["messages_mean"])),
                "broadcasts_sent": int(rng.random() < declared["broadcast_share"]),
            }


def _live_sample(office: _Office) -> Iterator[Row]:
    """Counts at every moment of the grid: stays in the queue, contacts under way, people of the team at work."""
    scenario = office.scenario
    grid = np.arange(
        scenario.second(scenario.start), scenario.second(scenario.end), 60 * _DECLARED["live"]["every_minutes"]
    )
    stays: dict[str, list[tuple[float, float]]] = defaultdict(list)
    served: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for call in office.rows("call"):
        if call["queue_id"]:
            left = call["answered_at"] or call["ended_at"]
            stays[call["queue_id"]].append((call["entered_at"].timestamp(), left.timestamp()))
            if call["answered_at"]:
                served[call["queue_id"]].append((call["answered_at"].timestamp(), call["ended_at"].timestamp()))
    for chat in office.rows("chat"):
        begin = chat["bot_until"] or chat["started_at"]
        left = chat["accepted_at"] or chat["visitor_left_at"]
        if left:
            stays[chat["queue_id"]].append((begin.timestamp(), left.timestamp()))
        if chat["accepted_at"] and chat["closed_at"]:
            served[chat["queue_id"]].append((chat["accepted_at"].timestamp(), chat["closed_at"].timestamp()))
    worked = _worked(office)
    for queue in office.rows("queue"):
        waiting, longest = _present(stays[queue["queue_id"]], grid)
        busy, _ = _present(served[queue["queue_id"]], grid)
        online, _ = _present(worked[queue["team_id"], queue["channel"]], grid)
        for moment, online_now, busy_now, waiting_now, wait in zip(
            grid.tolist(), online, busy, waiting, longest, strict=True
        ):
            if online_now or busy_now or waiting_now:
                yield {
                    "source_id": SOURCES[queue["channel"]],
                    "queue_account": queue["account"],
                    "sampled_at": dt.datetime.fromtimestamp(moment, dt.UTC),
                    "agents_online": online_now,
                    "agents_available": max(0, online_now - busy_now),
                    "contacts_waiting": waiting_now,
                    "longest_wait_seconds": wait if waiting_now else None,
                    "contacts_in_progress": busy_now,
                }


def _worked(office: _Office) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Returns when people were at work, by team and channel."""
    work = {(row["agent_key"], row["shift_date"]): row for row in office.rows("shift")}
    team = {row["agent_key"]: row["team_id"] for row in office.rows("membership")}
    worked: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for punch in office.rows("punch"):
        shift = work[punch["agent_key"], punch["shift_date"]]
        out = punch["out_at"] or shift["end_at"]
        worked[team[punch["agent_key"]], shift["work"]].append((punch["in_at"].timestamp(), out.timestamp()))
    return worked


def _present(spans: list[tuple[float, float]], grid: np.ndarray) -> tuple[list[int], list[int]]:
    """Returns, at every moment, how many spans hold it and for how many seconds the oldest of them has."""
    starts, ends = np.array(spans).reshape(-1, 2).T
    count = np.searchsorted(np.sort(starts), grid, "right") - np.searchsorted(np.sort(ends), grid, "right")
    oldest = grid.astype(float)
    for start, first, last in zip(starts, np.searchsorted(grid, starts), np.searchsorted(grid, ends), strict=True):
        oldest[first:last] = np.minimum(oldest[first:last], start)
    return count.tolist(), (grid - oldest).astype(int).tolist()


def _exemption(office: _Office) -> Iterator[Row]:
    """One for each failure of a source and team: whoever shares the site keeps their days."""
    declared = _DECLARED["exemption"]
    lead = next((agent["agent_key"] for agent in office.agents if agent["role"] == "lead"), None)
    failures = [row for row in office.world.planted.to_pylist() if row["fault"] == "silent_source"]
    for number, (failure, team) in enumerate(product(failures, sorted(office.team_leads)), 1):
        last = office.date(failure["ends_at"] - dt.timedelta(seconds=1))
        yield {
            "exemption_id": f"X{number:04}",
            "scope_kind": "team",
            "scope_key": team,
            "starts_on": office.date(failure["starts_at"]),
            "ends_on": last,
            "reason": declared["reason"],
            "approver_number": lead,
            "approved_on": last + declared["approved_days_after"] * _DAY,
        }


def _cost(office: _Office) -> Iterator[Row]:
    rng, declared = office.stream("cost"), _DECLARED["cost"]
    for first, last in office.months():
        people: dict[str, int] = defaultdict(int)
        for row in office.rows("membership"):
            people[row["team_id"]] += row["valid_from"] <= last and (row["valid_to"] is None or row["valid_to"] > first)
        contacts: dict[tuple[str, str], int] = defaultdict(int)
        team = {queue["queue_id"]: (queue["team_id"], queue["channel"]) for queue in office.rows("queue")}
        for contact in office.contacts:
            if first <= office.date(contact["at"]) <= last:
                contacts[team[contact["queue_id"]]] += 1
        for key, head_count in people.items():
            amounts = {
                kind: head_count * (declared[kind]["mean"] + declared[kind]["spread"] * rng.standard_normal())
                for kind in ("staff", "software")
            }
            amounts["telephony"] = declared["telephony_per_call"] * contacts[key, "voice"]
            amounts["bot"] = declared["bot_per_chat"] * (contacts[key, "chat"] + contacts[key, "desk"])
            for kind, amount in amounts.items():
                yield {"month": first, "team_key": key, "cost_kind": kind, "amount": round(amount, 2)}


_SHEETS: dict[str, Callable[[_Office], Iterator[Row]]] = {
    "employee": _employee,
    "work_assignment": _work_assignment,
    "roster": _roster,
    "attendance_day": _attendance_day,
    "attendance_punch": _attendance_punch,
    "leave_request": _leave_request,
    "identity": _identity,
    "team_assignment": _team_assignment,
    "qa_review": _qa_review,
    "qa_item": _qa_item,
    "exam": _exam,
    "ticket": _ticket,
    "ticket_event": _ticket_event,
    "work_order_audit": _work_order_audit,
    "daily_form": _daily_form,
    "dial": _dial,
    "lead": _lead,
    "order": _order,
    "complaint": _complaint,
    "coaching": _coaching,
    "verified_fact": _verified_fact,
    "manager_comment": _manager_comment,
    "training": _training,
    "social_feedback": _social_feedback,
    "group_chat_day": _group_chat_day,
    "live_sample": _live_sample,
    "exemption": _exemption,
    "cost": _cost,
    "assist": _assist,
    "callback_task": _callback_task,
    "contact_label": _contact_label,
    "survey_response": _survey_response,
    "registration": _registration,
    "contact_block_day": _contact_block_day,
}

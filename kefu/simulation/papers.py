"""The sheets of an operation: what people and HR hand over, drawn from what happened and from `papers.yml`.

Columns are the fields of the tabular connector's entities. Contacts are named as the systems name them.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from connectors.contract import FieldType
from connectors.tabular import SYSTEM
from kefu.simulation.configuration import SOURCES
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.simulation.writers.voice import call_uniqueids
from kefu.yaml_files import read_yaml

_DECLARED: dict[str, Any] = read_yaml(Path(__file__).with_suffix(".yml"))
_DAY = dt.timedelta(days=1)
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


def write_papers(world: World, scenario: Scenario, seed: int) -> dict[str, pa.Table]:
    """Returns one table for each sheet of the operation, by entity name.

    Forms and tickets carry the faults of `world.planted` that only they can show.
    """
    office = _Office(world, scenario, seed)
    return {
        entity: pa.Table.from_pylist(list(fill(office)), schema=paper_schema(entity))
        for entity, fill in _SHEETS.items()
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
        ended: list[Row] = []
        for call in self.rows("call"):
            if call["issue_id"] is not None:
                started[call["issue_id"]].append(call["entered_at"])
            if call["direction"] == "inbound" and call["ended_by"] in ("agent", "caller") and call["answered_at"]:
                ended.append(call | {"channel": "voice", "key": call["call_id"], "at": call["ended_at"]})
        for chat in self.rows("chat"):
            started[chat["issue_id"]].append(chat["started_at"])
            if chat["closed_at"] and chat["agent_key"] and not chat["is_group"]:
                ended.append(chat | {"key": chat["chat_id"], "at": chat["closed_at"]})
        issues = {row["issue_id"]: row for row in self.rows("issue")}
        for contact in ended:
            issue = issues[contact["issue_id"]]
            until = contact["at"] + dt.timedelta(days=_DECLARED["ticket"]["return_days"])
            later = [moment for moment in started[contact["issue_id"]] if moment > contact["at"]]
            contact["is_returned"] = any(moment <= until for moment in later)
            contact["is_solved"] = issue["is_solved"] and not later
            contact["issue_class"] = issue["issue_class"]
        return sorted(ended, key=lambda contact: (contact["at"], contact["channel"], contact["key"]))

    @cached_property
    def tickets(self) -> list[Row]:
        """The tickets; both they and their audits are sheets."""
        return list(_tickets(self))

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
        share = declared["solved_if_silent"]
        if contact["is_solved"]:
            share = declared["solved_if_solved"]
        elif contact["is_returned"]:
            share = declared["solved_if_returned"]
        is_solved = coded_solved.get((contact["channel"], contact["key"]), luck[1] < share)
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


def _ticked(office: _Office, strengths: Mapping[str, float]) -> dict[tuple[str, int], bool]:
    """Returns, for those who tick boxes, which contacts with a return they code as solved: so many points too many."""
    rng, base = office.stream("tick_box"), _DECLARED["ticket"]["solved_if_returned"]
    coded: dict[tuple[str, int], bool] = {}
    for agent, strength in strengths.items():
        returned = [
            (contact["channel"], contact["key"])
            for contact in office.contacts
            if contact["agent_key"] == agent and contact["is_returned"]
        ]
        solved = set(rng.permutation(len(returned))[: round((base + strength) * len(returned))].tolist())
        coded |= {key: number in solved for number, key in enumerate(returned)}
    return coded


def _ticket(office: _Office) -> Iterator[Row]:
    yield from office.tickets


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
    number = 0
    for contact in office.contacts:
        is_bad = (contact["channel"], contact["key"]) in bad
        if rng.random() >= declared["share_after_bad_rating" if is_bad else "share"]:
            continue
        number += 1
        category, status = _pick(rng, declared["categories"]), _pick(rng, declared["statuses"])
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
    """One for each failure of a source."""
    declared = _DECLARED["exemption"]
    lead = next((agent["agent_key"] for agent in office.agents if agent["role"] == "lead"), None)
    failures = [row for row in office.world.planted.to_pylist() if row["fault"] == "silent_source"]
    for number, failure in enumerate(failures, 1):
        last = office.date(failure["ends_at"] - dt.timedelta(seconds=1))
        yield {
            "exemption_id": f"X{number:04}",
            "scope_kind": "site",
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
    "work_order_audit": _work_order_audit,
    "daily_form": _daily_form,
    "dial": _dial,
    "lead": _lead,
    "order": _order,
    "complaint": _complaint,
    "coaching": _coaching,
    "training": _training,
    "social_feedback": _social_feedback,
    "group_chat_day": _group_chat_day,
    "live_sample": _live_sample,
    "exemption": _exemption,
    "cost": _cost,
}

"""Worlds of a few rows and the values of a metric in them; 5 October 2026 in Shanghai unless said otherwise.

A1 is of team orders until the 5th and of delivery from the 6th on, A2 always of orders, A3 always of delivery.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from kefu.simulation.papers import paper_schema
from kefu.simulation.scenario import Scenario
from kefu.simulation.truth import VALUES, Facts, metric_values
from kefu.simulation.world import SCHEMAS, World

SCENARIO = Scenario(agents=6)
Row = dict[str, Any]
# 5 October 2026, 09:00 in Shanghai.
MORNING = datetime(2026, 10, 5, 1, tzinfo=UTC)
AS_OF = datetime(2026, 11, 9, 16, tzinfo=UTC)


def at(seconds: float = 0, day: int = 0) -> datetime:
    return MORNING + timedelta(days=day, seconds=seconds)


def shift(agent: str, day: int = 0, start: float = 0, hours: float = 9) -> Row:
    return {
        "agent_key": agent, "shift_date": (MORNING + timedelta(days=day)).date(), "start_at": at(start, day),
        "end_at": at(start + 3600 * hours, day), "break_seconds": 3600, "is_rest_day": False, "work": "voice",
    }  # fmt: skip


def call(
    number: int, entered: float, answered: float | None, ended: float, agent: str | None = "A1", **more: Any
) -> Row:
    return {
        "call_id": number, "direction": "inbound", "queue_id": "voice_orders", "customer_id": 1, "issue_id": 1,
        "entered_at": at(entered), "outcome": "abandoned" if answered is None else "answered",
        "answered_at": None if answered is None else at(answered), "ended_at": at(ended),
        "agent_key": agent if answered is not None else None, "ended_by": "caller",
    } | more  # fmt: skip


def chat(number: int, started: float, accepted: float | None, closed: float | None, **more: Any) -> Row:
    return {
        "chat_id": number, "channel": "chat", "queue_id": "chat_orders", "customer_id": 1, "issue_id": 1,
        "started_at": at(started), "accepted_at": None if accepted is None else at(accepted),
        "agent_key": None if accepted is None else "A2", "closed_at": None if closed is None else at(closed),
        "closed_by": "agent", "is_group": False,
    } | more  # fmt: skip


def segment(
    number: int, place: int, agent: str, started: float, ended: float | None, how: str | None = "closed"
) -> Row:
    return {
        "chat_id": number, "number": place, "agent_key": agent, "queue_id": "chat_orders", "started_at": at(started),
        "ended_at": None if ended is None else at(ended), "ended_how": how,
    }  # fmt: skip


def talk(number: int, *said: tuple[float, str]) -> list[Row]:
    """Messages of a chat: `v` is the visitor, `A2` that agent, `transferred` a system message."""
    authors = {"v": "visitor", "bot": "bot", "transferred": "system", "reopened": "system"}
    return [
        {
            "message_id": 1000 * number + place, "chat_id": number, "author": authors.get(who, "agent"),
            "agent_key": who if who.startswith("A") else None, "sent_at": at(seconds), "text": who,
        }
        for place, (seconds, who) in enumerate(said)
    ]  # fmt: skip


def survey(number: int, contact: int, value: int | None, answered: float | None, customer: int = 1, **more: Any) -> Row:
    return {
        "survey_id": number, "channel": "voice", "contact_id": contact, "agent_key": "A1", "customer_id": customer,
        "invited_at": at(600), "answered_at": None if answered is None else at(answered), "value": value,
    } | more  # fmt: skip


def world(papers: dict[str, list[Row]] | None = None, **tables: list[Row]) -> World:
    """Returns a world of these rows, beside its company, and of these sheets."""
    rows: dict[str, list[Row]] = {
        "team": [{"team_id": "orders"}, {"team_id": "delivery"}],
        "agent": [{"agent_key": key, "role": "mixed", "hire_date": date(2026, 1, 1)} for key in ("A1", "A2", "A3")],
        "membership": [
            {"agent_key": "A1", "team_id": "orders", "valid_from": date(2026, 1, 1), "valid_to": date(2026, 10, 6)},
            {"agent_key": "A1", "team_id": "delivery", "valid_from": date(2026, 10, 6), "valid_to": None},
            {"agent_key": "A2", "team_id": "orders", "valid_from": date(2026, 1, 1), "valid_to": None},
            {"agent_key": "A3", "team_id": "delivery", "valid_from": date(2026, 1, 1), "valid_to": None},
        ],
        "queue": [
            {"queue_id": queue, "channel": channel, "team_id": "orders", "service_level_seconds": seconds}
            for queue, channel, seconds in (("voice_orders", "voice", 20), ("chat_orders", "chat", 30))
        ],
        "customer": [
            {"customer_id": number, "phone": f"160{number:08}", "email": f"c{number}@example.com"}
            for number in range(1, 9)
        ],
        "shift": [shift(key) for key in ("A1", "A2", "A3")],
    } | tables
    sheets = {name: pa.Table.from_pylist(given, schema=paper_schema(name)) for name, given in (papers or {}).items()}
    made = {name: pa.Table.from_pylist(rows.get(name, []), schema=schema) for name, schema in SCHEMAS.items()}
    return World(made, sheets)


def values(made: World, metric: str, channel: str = "all", period: str = "2026-10") -> dict[str, tuple[Any, Any, int]]:
    """Numerator, denominator and n of a metric by unit key; `period` names a day, a week (its Monday) or a month."""
    return {
        row["unit_key"]: (row["numerator"], row["denominator"], row["n"])
        for row in rows_of(made, metric, channel, period)
    }


def shown(made: World, metric: str, channel: str = "all", period: str = "2026-10") -> dict[str, float | None]:
    """The value of a metric by unit key."""
    return {row["unit_key"]: row["value"] for row in rows_of(made, metric, channel, period)}


def rows_of(made: World, metric: str, channel: str, period: str) -> list[Row]:
    """Rows of a metric; of a Monday those of the day unless the period is written `week 2026-10-05`."""
    table = metric_values(Facts(made, SCENARIO, AS_OF), [metric])
    assert table.schema == VALUES
    is_week = period.startswith("week ")
    wanted = (channel, period.removeprefix("week "), is_week)
    return [row for row in table.to_pylist() if (row["channel"], row["period"], row["period_kind"] == "week") == wanted]

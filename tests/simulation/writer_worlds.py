"""Small worlds by hand: every case that a writer has to tell apart, drawn from a seed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from kefu.simulation.world import SCHEMAS, World

START = datetime(2026, 10, 1, tzinfo=UTC)
NAMES = ["李小雨", "ACME | Co", 'Dr. "Q", Jr.', "O'Neil", "", None]
TEXTS = ["你好，请问订单到哪了？", "two\nlines", "陳先生您好", 'say "hi", please', "back\\slash\tand tab", "👍"]

Row = dict[str, Any]


def world_of(rows: dict[str, list[Row]]) -> World:
    """Returns a world of rows by table; what a row does not name is NULL."""
    return World(
        {name: pa.Table.from_pylist(rows.get(name, []), schema).combine_chunks() for name, schema in SCHEMAS.items()}
    )


def small_world(seed: int) -> World:
    """Returns a world of some dozen calls and chats; instants have microseconds, some coincide."""
    draw = np.random.default_rng(seed)
    rows: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    _company(rows)
    _calls(rows, draw)
    _states(rows, draw)
    _chats(rows, draw)
    return world_of(rows)


def _company(rows: dict[str, list[Row]]) -> None:
    for number, channel in enumerate(["voice", "voice", "voice", "chat", "chat", "desk"]):
        rows["queue"].append(
            {"queue_id": f"q{number}", "channel": channel, "account": f"{channel}-{number}", "name_zh": "组",
             "name_en": f"Queue {number}", "team_id": f"t{number % 2}", "service_level_seconds": 20}
        )  # fmt: skip
    for number in range(5):
        rows["agent"].append(
            {"agent_key": f"A{number}", "name": f"王{number}芳", "role": "mixed", "username": f"agent{number}",
             "extension": str(1000 + number), "member_name": f"O'Neil, 王{number}", "chat_user_id": 2 + number,
             "desk_user_id": 50 + number, "exit_date": date(2026, 10, 9) if number == 4 else None}
        )  # fmt: skip
        rows["membership"].append(
            {"agent_key": f"A{number}", "team_id": f"t{number % 2}", "valid_from": date(2026, 1, 1)}
        )
    for number, name in enumerate(NAMES):
        phone = f"1390000{number:04d}" if number else None
        mail = f"c{number}@customers.example.test" if number % 2 else None
        rows["customer"].append(
            {"customer_id": number, "name": name, "phone": phone, "email": mail, "language": "zh-Hans"}
        )


def _at(draw: np.random.Generator, low: float, high: float, since: datetime = START) -> datetime:
    return since + timedelta(microseconds=int(draw.integers(int(low * 1e6), int(high * 1e6) + 1)))


def _calls(rows: dict[str, list[Row]], draw: np.random.Generator) -> None:
    number = 0
    for _ in range(int(draw.integers(0, 25))):
        entered, customer = _at(draw, 0, 1200), int(draw.integers(len(NAMES)))
        if draw.random() < 0.15:
            answered = _at(draw, 0, 30, entered) if draw.random() < 0.5 else None
            number += 1
            rows["call"].append(
                {"call_id": number, "direction": "outbound", "customer_id": customer, "entered_at": entered,
                 "outcome": "answered" if answered else "abandoned", "answered_at": answered,
                 "ended_at": _at(draw, 0, 90, answered or entered), "agent_key": f"A{draw.integers(5)}",
                 "ended_by": "agent"}
            )  # fmt: skip
            continue
        for visit in range(4):
            number += 1
            call: Row = {"call_id": number, "direction": "inbound", "queue_id": f"q{draw.integers(3)}",
                         "customer_id": customer, "entered_at": entered}  # fmt: skip
            rows["call"].append(call)
            free = entered
            for _ in range(int(draw.integers(0, 3)) if draw.random() < 0.3 else 0):
                ring = int(draw.choice([0, 7000, 9000]))
                rows["ring_no_answer"].append(
                    {"call_id": number, "agent_key": f"A{draw.integers(5)}", "started_at": free,
                     "ring_milliseconds": ring}
                )  # fmt: skip
                free += timedelta(milliseconds=ring + 10)
            how = draw.choice(["agent", "caller", "transfer", "abandoned", "timeout", "open", "talking"],
                              p=[0.3, 0.2, 0.2, 0.1, 0.1, 0.05, 0.05])  # fmt: skip
            if how == "open":
                break
            if how in ("abandoned", "timeout"):
                call |= {"outcome": str(how), "ended_at": _at(draw, 0, 60, free), "ended_by": "caller"}
                break
            call |= {"outcome": "answered", "answered_at": _at(draw, 0, 20, free), "agent_key": f"A{draw.integers(5)}"}
            if how == "talking":
                break
            call |= {"ended_at": _at(draw, 0, 100, call["answered_at"]), "ended_by": str(how)}
            if draw.random() < 0.5 and how != "transfer":
                _survey(rows, draw, "voice", number, call["agent_key"], customer, call["ended_at"])
            if how != "transfer" or visit == 3 or draw.random() < 0.3:
                break
            call |= {"next_call_id": number + 1, "transfer_to": None}
            entered = _at(draw, 0, 1, call["ended_at"])
    # The queue a call was sent on to is that of the visit which followed.
    queue_of = {call["call_id"]: call.get("queue_id") for call in rows["call"]}
    for call in rows["call"]:
        if call.get("next_call_id"):
            call["transfer_to"] = queue_of[call["next_call_id"]]


def _survey(
    rows: dict[str, list[Row]], draw: np.random.Generator, channel: str, contact: int, agent: str, customer: int,
    ended: datetime,
) -> None:  # fmt: skip
    survey: Row = {"survey_id": len(rows["survey"]) + 1, "channel": channel, "contact_id": contact, "agent_key": agent,
                   "customer_id": customer, "invited_at": ended}  # fmt: skip
    if draw.random() < 0.7:
        survey["answered_at"] = _at(draw, 0, 300, ended)
        if draw.random() < 0.8:
            survey["value"] = int(draw.integers(1, 6))
        if draw.random() < 0.4:
            survey["solved"] = int(draw.integers(1, 6))
        if draw.random() < 0.3:
            survey["thumb"] = str(draw.choice(["up", "down"]))
        if draw.random() < 0.3:
            survey["comment"] = str(draw.choice(TEXTS))
    rows["survey"].append(survey)


def _states(rows: dict[str, list[Row]], draw: np.random.Generator) -> None:
    for number in range(5):
        start = _at(draw, 0, 600)
        at = start
        for _ in range(int(draw.integers(0, 5))):
            began = _at(draw, 0, 100, at) if draw.random() < 0.7 else at
            at = _at(draw, 0, 200, began) if draw.random() < 0.9 else began
            reason = str(draw.choice(["acw", "break", "lunch", "meeting", "training", "outbound"]))
            rows["agent_state"].append(
                {"agent_key": f"A{number}", "state": reason, "started_at": began, "ended_at": at}
            )
        rows["agent_state"].append(
            {"agent_key": f"A{number}", "state": "on_queue", "started_at": start, "ended_at": at + timedelta(hours=1)}
        )


def _chats(rows: dict[str, list[Row]], draw: np.random.Generator) -> None:
    for number in range(1, int(draw.integers(1, 25))):
        channel = "chat" if draw.random() < 0.8 else "desk"
        queues = ["q3", "q4"] if channel == "chat" else ["q5"]
        started, customer = _at(draw, 0, 3000), int(draw.integers(len(NAMES)))
        chat: Row = {"chat_id": number, "channel": channel, "queue_id": str(draw.choice(queues)),
                     "customer_id": customer, "started_at": started, "is_group": False}  # fmt: skip
        rows["chat"].append(chat)
        _message(rows, draw, number, "visitor", None, started)
        how = draw.choice(["closed", "left", "waiting", "stale"], p=[0.6, 0.15, 0.1, 0.15])
        if how in ("left", "waiting"):
            if how == "left":
                chat["visitor_left_at"] = _at(draw, 0, 200, started)
                _message(rows, draw, number, "system", None, chat["visitor_left_at"], "closed_by_visitor")
                if draw.random() < 0.5:
                    chat |= {"closed_at": chat["visitor_left_at"], "closed_by": "visitor"}
            continue
        at = chat["accepted_at"] = _at(draw, 0, 60, started)
        owners = int(draw.integers(1, 4))
        for owner in range(1, owners + 1):
            agent, began = f"A{draw.integers(5)}", at
            for _ in range(int(draw.integers(0, 5))):
                at = _at(draw, 0.2, 50, at)
                author = str(draw.choice(["visitor", "agent", "whisper", "bot"], p=[0.4, 0.45, 0.1, 0.05]))
                _message(rows, draw, number, author, agent if author in ("agent", "whisper") else None, at)
            at = _at(draw, 0.1, 30, at)
            ended_how = "transfer" if owner < owners else "closed" if how == "closed" else None
            rows["chat_segment"].append(
                {"chat_id": number, "number": owner, "agent_key": agent, "queue_id": str(draw.choice(queues)),
                 "started_at": began, "ended_at": at if ended_how else None, "ended_how": ended_how}
            )  # fmt: skip
            chat["agent_key"] = agent
            if owner < owners:
                _message(rows, draw, number, "system", agent, at, "transferred")
        if how == "closed":
            chat |= {"closed_at": at, "closed_by": str(draw.choice(["agent", "visitor"]))}
            if chat["closed_by"] == "visitor" or draw.random() < 0.5:
                chat["visitor_left_at"] = at
                _message(rows, draw, number, "system", None, at, "closed_by_visitor")
            if chat["closed_by"] == "agent":
                _message(rows, draw, number, "system", chat["agent_key"], at, "closed_by_agent")
            if draw.random() < 0.6:
                _survey(rows, draw, channel, number, chat["agent_key"], customer, at)


def _message(
    rows: dict[str, list[Row]],
    draw: np.random.Generator,
    chat: int,
    author: str,
    agent: str | None,
    at: datetime,
    text: str | None = None,
) -> None:
    rows["message"].append(
        {"message_id": len(rows["message"]) + 1, "chat_id": chat, "author": author, "agent_key": agent, "sent_at": at,
         "text": text or str(draw.choice(TEXTS))}
    )  # fmt: skip

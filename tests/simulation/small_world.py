"""A world made by hand: few chats, but one of every kind, on both chat systems."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from kefu.simulation.world import SCHEMAS, World

START = datetime(2026, 10, 12, 1, tzinfo=UTC)
# Chats of one channel; those of channel `chat` have the same numbers and 1000 more.
SIMPLE, TRANSFERRED, BOT_FIRST, LEFT, WAITING, REOPENED, SILENT, LONG, NAMESAKE = range(1, 10)
PLAIN = range(10, 71)
CHATS = (SIMPLE, TRANSFERRED, BOT_FIRST, LEFT, WAITING, REOPENED, SILENT, LONG, NAMESAKE, *PLAIN)
OFFSETS = {"desk": 0, "chat": 1000}


def small_world() -> World:
    """Returns the world; A001 to A004 are agents of both chat systems, A003 and A004 have the same name."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in SCHEMAS}
    rows["team"] = [
        {"team_id": "orders", "name_zh": "订单组", "name_en": "Orders", "lead_key": None},
        {"team_id": "delivery", "name_zh": "物流组", "name_en": "Delivery", "lead_key": None},
    ]
    for number, name in enumerate(["王芳", "Ann by Night", "李伟", "李伟"], start=1):
        rows["agent"].append(
            {
                "agent_key": f"A{number:03}",
                "name": name,
                "role": "im",
                "username": f"user{number}",
                "chat_user_id": 20 + number,
                "desk_user_id": 40 + number,
                "hire_date": date(2025, 1, 1),
            }
        )
    for offset in OFFSETS.values():
        for number in CHATS:
            rows["customer"].append(
                {
                    "customer_id": offset + number,
                    "name": f"Customer {offset + number}",
                    "phone": f"+8613800{offset + number:06}",
                    "email": f"customer{offset + number}@example.com",
                    "language": "zh-Hans",
                }
            )
            rows["issue"].append(
                {
                    "issue_id": offset + number,
                    "customer_id": offset + number,
                    "issue_class": "refund",
                    "opened_at": START,
                    "is_solved": True,
                }
            )
    for channel, offset in OFFSETS.items():
        for account in ("orders", "delivery"):
            rows["queue"].append(
                {
                    "queue_id": f"{channel}_{account}",
                    "channel": channel,
                    "account": account,
                    "name_zh": account,
                    "name_en": account,
                    "team_id": account,
                    "service_level_seconds": 30,
                }
            )
        for number in CHATS:
            _Chat(rows, channel, offset + number).play(number)
    return World({name: pa.Table.from_pylist(rows[name], schema) for name, schema in SCHEMAS.items()})


class _Chat:
    def __init__(self, rows: dict[str, list[dict[str, Any]]], channel: str, chat_id: int) -> None:
        self.rows, self.channel, self.chat_id = rows, channel, chat_id
        self.started_at = START + timedelta(minutes=10 * (chat_id % 1000))
        self.chat: dict[str, Any] = {
            "chat_id": chat_id,
            "channel": channel,
            "queue_id": f"{channel}_orders",
            "customer_id": chat_id,
            "issue_id": chat_id,
            "started_at": self.started_at,
            "is_group": False,
        }

    def at(self, seconds: int) -> datetime:
        return self.started_at + timedelta(seconds=seconds)

    def say(self, seconds: int, author: str, text: str, agent_key: str | None = None) -> None:
        self.rows["message"].append(
            {
                "message_id": len(self.rows["message"]) + 1,
                "chat_id": self.chat_id,
                "author": author,
                "agent_key": agent_key,
                "sent_at": self.at(seconds),
                "text": text,
            }
        )

    def own(self, agent_key: str, start: int, end: int | None, how: str | None, queue: str = "orders") -> None:
        numbers = [segment["number"] for segment in self.rows["chat_segment"] if segment["chat_id"] == self.chat_id]
        self.rows["chat_segment"].append(
            {
                "chat_id": self.chat_id,
                "number": len(numbers) + 1,
                "agent_key": agent_key,
                "queue_id": f"{self.channel}_{queue}",
                "started_at": self.at(start),
                "ended_at": None if end is None else self.at(end),
                "ended_how": how,
            }
        )
        self.chat["agent_key"] = agent_key
        self.chat.setdefault("accepted_at", self.at(start))

    def close(self, seconds: int, by: str) -> None:
        self.chat |= {"closed_at": self.at(seconds), "closed_by": by}

    def rate(self, seconds: int, value: int | None) -> None:
        answered = {} if value is None else {"answered_at": self.at(seconds + 30), "value": value, "comment": "谢谢"}
        self.rows["survey"].append(
            {
                "survey_id": len(self.rows["survey"]) + 1,
                "channel": self.channel,
                "contact_id": self.chat_id,
                "agent_key": self.chat["agent_key"],
                "customer_id": self.chat_id,
                "invited_at": self.at(seconds),
                **answered,
            }
        )

    def play(self, number: int) -> None:
        """Lets the chat of that number happen."""
        if number != BOT_FIRST:
            self.say(0, "visitor", "你好，我要退款")
        if number == SIMPLE or number in PLAIN:
            self.own("A001", 10, 300, "closed")
            self.say(20, "agent", "您好，请稍等", "A001")
            self.say(25, "whisper", "please check the order", "A002")
            self.say(60, "visitor", "好的")
            self.say(90, "agent", "已处理", "A001")
            self.close(300, "agent")
            self.rate(300, 5 if number == SIMPLE else None)
        elif number == TRANSFERRED:
            self.own("A001", 15, 100, "transfer")
            self.say(30, "agent", "one moment", "A001")
            self.say(100, "agent", "my colleague will help", "A001")
            self.own("A002", 100, 400, "closed", queue="delivery")
            self.say(100, "agent", "here I am", "A002")
            self.close(400, "agent")
            self.rate(400, 2)
        elif number == BOT_FIRST:
            self.say(0, "visitor", "hello")
            self.say(1, "bot", "How can I help?")
            self.say(20, "visitor", "a human please")
            self.say(40, "bot", "One moment")
            self.chat["bot_until"] = self.at(40)
            self.own("A002", 70, 200, "closed")
            self.say(80, "agent", "Hello", "A002")
            self.close(200, "visitor")
            self.chat["visitor_left_at"] = self.at(200)
        elif number == LEFT:
            self.chat["visitor_left_at"] = self.at(120)
        elif number == REOPENED:
            self.own("A001", 10, 100, "closed")
            self.say(20, "agent", "done", "A001")
            self.say(3600, "visitor", "still not solved")
            self.chat["reopened_at"] = self.at(3600)
            self.own("A002", 3630, 3900, "closed")
            self.say(3640, "agent", "sorry, now it is", "A002")
            self.close(3900, "agent")
        elif number == SILENT:
            self.own("A001", 10, None, None)
            self.say(20, "agent", "are you there?", "A001")
        elif number == LONG:
            self.own("A002", 5, 2000, "closed")
            for second in range(10, 250):
                self.say(second, "agent" if second % 2 else "visitor", "…", "A002" if second % 2 else None)
            self.close(2000, "agent")
        elif number == NAMESAKE:
            self.own("A003", 5, 50, "transfer")
            self.say(10, "agent", "hello", "A003")
            self.own("A004", 50, 90, "closed")
            self.say(60, "agent", "hello again", "A004")
            self.close(90, "agent")
        self.rows["chat"].append(self.chat)

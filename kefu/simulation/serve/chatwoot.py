"""The desk of a world as the records of Chatwoot, with what its server writes beside people's words."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.world import World

ACCOUNT_ID = 1
BOT = {"id": 1, "name": "Concierge", "avatar_url": "", "type": "agent_bot"}
# Reopening takes the owner away by a rule of the account, so that the next one takes the conversation again.
RULE = "Automation System"
INCOMING, OUTGOING, ACTIVITY, TEMPLATE = range(4)

Record = dict[str, Any]


def records(world: World) -> dict[str, list[Record]]:
    """Returns the records of every list of the API, by name, by ascending id."""
    return _Desk(world).records()


@dataclass
class _Event:
    """Something in a conversation.

    Attributes:
        at: instant in microseconds.
        record: the message about it, still without id and time.
        after: whose words of the same instant come before it, None for everybody's; of words, who spoke.
        change: what became of the conversation.
    """

    at: int
    record: Record
    after: str | None = None
    change: Literal["owned", "released", "closed", "opened"] | None = None


class _Desk:
    def __init__(self, world: World) -> None:
        self._world = world
        self.chats = _rows(world, "chat", pc.field("channel") == "desk")

    def records(self) -> dict[str, list[Record]]:
        """Returns everything; messages are numbered by time, and inside a conversation by their order."""
        histories = {chat["chat_id"]: self._history(chat) for chat in self.chats}
        order = sorted(
            (event.at, chat_id, place) for chat_id, events in histories.items() for place, event in enumerate(events)
        )
        messages = [
            {"id": number, **histories[chat_id][place].record, "conversation_id": chat_id, "created_at": _seconds(at)}
            for number, (at, chat_id, place) in enumerate(order, start=1)
        ]
        by_chat = defaultdict(list)
        for message in messages:
            by_chat[message["conversation_id"]].append(message)
        return {
            "inbox": list(self._inboxes.values()),
            "team": list(self._teams.values()),
            "agent": sorted(self._agents.values(), key=lambda agent: agent["id"]),
            "conversation": [
                self._conversation(chat, histories[chat["chat_id"]], by_chat[chat["chat_id"]]) for chat in self.chats
            ],
            "message": messages,
            "csat_response": self._csat_responses(by_chat),
        }

    @cached_property
    def _queues(self) -> dict[str, Record]:
        return {queue["queue_id"]: queue for queue in _rows(self._world, "queue", pc.field("channel") == "desk")}

    @cached_property
    def _inboxes(self) -> dict[str, Record]:
        return {
            queue_id: {
                "id": number,
                "name": queue["account"],
                "channel_type": "Channel::WebWidget",
                "enable_auto_assignment": False,
                "csat_survey_enabled": True,
            }
            for number, (queue_id, queue) in enumerate(self._queues.items(), start=1)
        }

    @cached_property
    def _teams(self) -> dict[str, Record]:
        return {
            team["team_id"]: {
                "id": number,
                "name": team["name_en"],
                "description": team["name_zh"],
                "allow_auto_assign": False,
                "account_id": ACCOUNT_ID,
                "is_member": False,
            }
            for number, team in enumerate(self._world.tables["team"].to_pylist(), start=1)
        }

    @cached_property
    def _agents(self) -> dict[str, Record]:
        return {
            agent["agent_key"]: {
                "id": agent["desk_user_id"],
                "account_id": ACCOUNT_ID,
                "availability_status": "offline",
                "auto_offline": True,
                "confirmed": True,
                "email": f"{agent['username']}@desk.example",
                "available_name": agent["name"],
                "name": agent["name"],
                "role": "agent",
                "thumbnail": "",
            }
            for agent in _rows(self._world, "agent", pc.is_valid(pc.field("desk_user_id")))
        }

    @cached_property
    def _contacts(self) -> dict[int, Record]:
        return {
            customer["customer_id"]: {
                "additional_attributes": {},
                "availability_status": "offline",
                "email": customer["email"],
                "id": customer["customer_id"],
                "name": customer["name"],
                "phone_number": customer["phone"],
                "blocked": False,
                "identifier": None,
                "thumbnail": "",
                "custom_attributes": {},
            }
            for customer in self._world.tables["customer"].to_pylist()
        }

    @cached_property
    def _senders(self) -> dict[int, Record]:
        return {number: contact | {"type": "contact"} for number, contact in self._contacts.items()}

    @cached_property
    def _issue_classes(self) -> dict[int, str]:
        issues = self._world.tables["issue"]
        return dict(zip(issues["issue_id"].to_pylist(), issues["issue_class"].to_pylist(), strict=True))

    @cached_property
    def _said(self) -> dict[int, list[Record]]:
        return self._of_chats("message")

    @cached_property
    def _segments(self) -> dict[int, list[Record]]:
        return self._of_chats("chat_segment")

    @cached_property
    def _surveys(self) -> dict[int, list[Record]]:
        return self._of_chats("survey", key="contact_id")

    def _of_chats(self, table: str, key: str = "chat_id") -> dict[int, list[Record]]:
        chats = pa.array([chat["chat_id"] for chat in self.chats], pa.int64())
        wanted = pc.field(key).isin(chats)
        if table == "survey":
            wanted = wanted & (pc.field("channel") == "desk")
        parts = defaultdict(list)
        for row in _rows(self._world, table, wanted):
            parts[row[key]].append(row)
        return parts

    def _history(self, chat: Record) -> list[_Event]:
        """Returns all messages of a conversation in their order, with what the server wrote between them."""
        # What another system would note down as a message of its own is left to the changes.
        spoken = (message for message in self._said[chat["chat_id"]] if message["author"] != "system")
        events = [self._words(chat, message) for message in spoken]
        for event in sorted(self._changes(chat), key=lambda event: event.at):
            instants = [other.at for other in events]
            place = bisect_right(instants, event.at)
            if event.after is not None:
                place = bisect_left(instants, event.at)
                while place < len(events) and (events[place].at, events[place].after) == (event.at, event.after):
                    place += 1
            events.insert(place, event)
        return events

    def _words(self, chat: Record, message: Record) -> _Event:
        author = message["author"]
        kind, sender = {
            "visitor": (INCOMING, self._senders[chat["customer_id"]]),
            "agent": (OUTGOING, None),
            "whisper": (OUTGOING, None),
            "bot": (OUTGOING, BOT),
        }[author]
        if message["agent_key"] is not None:
            agent = self._agents[message["agent_key"]]
            sender = {"id": agent["id"], "name": agent["name"], "avatar_url": "", "type": "user"}
        record = _message(kind, message["text"], sender, is_private=author == "whisper")
        return _Event(message["sent_at"], record, message["agent_key"] or author)

    def _changes(self, chat: Record) -> list[_Event]:
        """Returns what happened to a conversation beside the words."""
        segments, closings = self._segments[chat["chat_id"]], self._closings(chat)
        changes = [_Event(at, _activity(text), change="closed") for at, text in closings.items()]
        # A bot that solves it hands nothing over.
        if chat["bot_until"] is not None and (segments or chat["bot_until"] < min(closings, default=math.inf)):
            handed_off = _activity(f"Conversation was reopened by {BOT['name']}")
            changes.append(_Event(chat["bot_until"], handed_off, "bot", "opened"))
        if chat["reopened_at"] is not None:
            # The customer's message comes first, then what it sets off.
            text = "System reopened the conversation due to a new incoming message."
            changes.append(_Event(chat["reopened_at"], _activity(text), change="opened"))
            changes.append(_released(chat["reopened_at"], RULE))
        for place, segment in enumerate(segments):
            changes += self._beginning(segments[place - 1] if place else None, segment)
        for survey in self._surveys[chat["chat_id"]]:
            invitation = _message(TEMPLATE, "Please rate the conversation", None, content_type="input_csat")
            changes.append(_Event(survey["invited_at"], invitation))
        return changes

    def _closings(self, chat: Record) -> dict[int, str]:
        """Returns what the server writes at each closing, by instant."""
        segments = self._segments[chat["chat_id"]]
        by_customer = f"Conversation was resolved by {self._contacts[chat['customer_id']]['name']}"
        found = {
            segment["ended_at"]: f"Conversation was marked resolved by {self._agents[segment['agent_key']]['name']}"
            for segment in segments
            if segment["ended_how"] == "closed"
        }
        if chat["reopened_at"] is not None and min(found, default=math.inf) >= chat["reopened_at"]:
            noted = [message for message in self._said[chat["chat_id"]] if message["text"] == "closed_by_visitor"]
            found[min([message["sent_at"] for message in noted] + [chat["reopened_at"]])] = by_customer
        # Leaving is not recorded; who leaves unanswered ends the conversation.
        last = chat["closed_at"] or (chat["visitor_left_at"] if not segments else None)
        if last is not None and (chat["closed_by"] != "agent" or last not in found):
            found[last] = f"Conversation was marked resolved by {RULE}" if chat["closed_by"] == "agent" else by_customer
        return dict(sorted(found.items()))

    def _beginning(self, before: Record | None, segment: Record) -> list[_Event]:
        """Returns how a segment's owner got the conversation."""
        at, name = segment["started_at"], self._agents[segment["agent_key"]]["name"]
        # Nobody's words come before it: those of its instant are the owner's already.
        taken = _Event(at, _activity(f"{name} self-assigned this conversation"), "nobody", "owned")
        if before is None or before["ended_how"] == "closed":
            return [taken]
        giver = self._agents[before["agent_key"]]["name"]
        if before["ended_at"] < at:
            return [_released(before["ended_at"], giver), taken]
        through = f" via {self._team(segment)['name']}" if segment["queue_id"] != before["queue_id"] else ""
        assigned = _activity(f"Assigned to {name}{through} by {giver}")
        return [_Event(at, assigned, before["agent_key"], "owned")]

    def _conversation(self, chat: Record, events: list[_Event], messages: list[Record]) -> Record:
        segments = self._segments[chat["chat_id"]]
        changes = [event.change for event in events if event.change]
        is_closed = [change for change in changes if change in ("closed", "opened")][-1:] == ["closed"]
        is_owned = [change for change in changes if change in ("owned", "released")][-1:] == ["owned"]
        is_with_bot = not changes and any(event.record.get("sender") == BOT for event in events)
        by_agents = [event.at for event in events if event.record.get("sender", {}).get("type") == "user"]
        by_customer = [event.at for event in events if event.record["message_type"] == INCOMING]
        last_at = events[-1].at if events else chat["started_at"]
        waiting = [at for at in by_customer if not by_agents or at > by_agents[-1]]
        labels = [self._issue_classes.get(chat["issue_id"]), "group" if chat["is_group"] else None]
        meta = {
            "sender": self._contacts[chat["customer_id"]],
            "channel": "Channel::WebWidget",
            "hmac_verified": False,
        }
        if is_owned:
            meta |= {"assignee": self._agents[segments[-1]["agent_key"]], "assignee_type": "User"}
        if segments and segments[-1]["queue_id"] != segments[0]["queue_id"]:
            meta["team"] = self._team(segments[-1])
        first_queue = segments[0]["queue_id"] if segments else chat["queue_id"]
        return {
            "meta": meta,
            "id": chat["chat_id"],
            "messages": messages[-1:],
            "account_id": ACCOUNT_ID,
            "uuid": f"00000000-0000-4000-8000-{chat['chat_id']:012x}",
            "additional_attributes": {},
            "agent_last_seen_at": _seconds(by_agents[-1]) if by_agents else 0,
            "assignee_last_seen_at": _seconds(by_agents[-1]) if by_agents else 0,
            "can_reply": True,
            "contact_last_seen_at": _seconds(chat["visitor_left_at"] or (by_customer[-1] if by_customer else 0)),
            "custom_attributes": {},
            "inbox_id": self._inboxes[first_queue]["id"],
            "labels": [label for label in labels if label],
            "muted": False,
            "snoozed_until": None,
            "status": "resolved" if is_closed else "pending" if is_with_bot else "open",
            "created_at": _seconds(chat["started_at"]),
            "updated_at": last_at / 1_000_000,
            "timestamp": _seconds(last_at),
            "first_reply_created_at": _seconds(by_agents[0]) if by_agents else 0,
            "unread_count": 0,
            "last_activity_at": _seconds(last_at),
            "priority": None,
            "waiting_since": 0 if is_closed or not waiting else _seconds(waiting[0]),
            "sla_policy_id": None,
        }

    def _csat_responses(self, messages: dict[int, list[Record]]) -> list[Record]:
        found = []
        for chat in self.chats:
            invitations = (
                message["id"] for message in messages[chat["chat_id"]] if message["content_type"] == "input_csat"
            )
            surveys = sorted(self._surveys[chat["chat_id"]], key=lambda survey: survey["invited_at"])
            for survey, message_id in zip(surveys, invitations, strict=True):
                if survey["answered_at"] is None or survey["value"] is None:
                    continue
                response = {
                    "id": survey["survey_id"],
                    "rating": survey["value"],
                    "feedback_message": survey["comment"],
                    "account_id": ACCOUNT_ID,
                    "message_id": message_id,
                    "contact": self._contacts[chat["customer_id"]],
                    "conversation_id": chat["chat_id"],
                    "created_at": _seconds(survey["answered_at"]),
                }
                if survey["agent_key"] is not None:
                    response["assigned_agent"] = self._agents[survey["agent_key"]]
                found.append(response)
        return sorted(found, key=lambda response: response["id"])

    def _team(self, segment: Record) -> Record:
        return self._teams[self._queues[segment["queue_id"]]["team_id"]]


def _released(at: int, by: str) -> _Event:
    return _Event(at, _activity(f"Conversation unassigned by {by}"), change="released")


def _activity(text: str) -> Record:
    return _message(ACTIVITY, text, None)


def _message(
    kind: int, text: str, sender: Record | None, *, is_private: bool = False, content_type: str = "text"
) -> Record:
    message = {
        "content": text,
        "message_type": kind,
        "content_type": content_type,
        "status": "sent",
        "content_attributes": {},
        "private": is_private,
        "source_id": None,
    }
    return message | {"sender": sender} if sender else message


def _rows(world: World, table: str, wanted: pc.Expression) -> list[Record]:
    """Returns the rows of a table that are wanted, instants as microseconds."""
    found = world.tables[table].filter(wanted)
    for place, declared in enumerate(found.schema):
        if pa.types.is_timestamp(declared.type):
            found = found.set_column(place, declared.name, found.column(place).cast(pa.int64()))
    rows: list[Record] = found.to_pylist()
    return rows


def _seconds(microseconds: int) -> int:
    return microseconds // 1_000_000

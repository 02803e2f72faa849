"""Where each entity's records come from, and which of the server's columns are renamed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

import pyarrow as pa

from connectors.contract import Entity, Window

CHAT_TABLE = "lh_chat"


@dataclass(frozen=True)
class Table:
    """A table of the server; `of_chat` marks one whose records belong to a chat by their `chat_id`."""

    name: str
    renamed: dict[str, str] = field(default_factory=dict)
    of_chat: bool = False

    def column(self, field_name: str) -> str:
        """Returns the server's name of an entity's field."""
        return next((column for column, name in self.renamed.items() if name == field_name), field_name)


_SERVER_TIMES = {
    "frt": "first_response_seconds",
    "aart": "average_response_seconds",
    "mart": "maximum_response_seconds",
}

TABLES: dict[str, Table] = {
    "chat": Table(
        CHAT_TABLE,
        {
            "id": "chat_id",
            "time": "started_at",
            "pnd_time": "pending_at",
            "cls_time": "closed_at",
            "user_closed_ts": "visitor_closed_at",
            "last_user_msg_time": "last_user_message_at",
            "last_op_msg_time": "last_operator_message_at",
            "dep_id": "department_id",
            "wait_time": "wait_seconds",
            "chat_duration": "chat_duration_seconds",
            "fbst": "thumbs",
            "gbot_id": "bot_id",
            **_SERVER_TIMES,
        },
    ),
    "message": Table("lh_msg", {"id": "message_id", "time": "sent_at", "msg": "text"}, of_chat=True),
    "participant": Table(
        "lh_chat_participant",
        {
            "id": "participant_id",
            "time": "chat_started_at",
            "dep_id": "department_id",
            "duration": "duration_seconds",
            **_SERVER_TIMES,
        },
        of_chat=True,
    ),
    "survey_item": Table(
        "lh_abstract_survey_item",
        {"id": "survey_item_id", "ftime": "answered_at", "dep_id": "department_id"},
        of_chat=True,
    ),
    "survey": Table(
        "lh_abstract_survey",
        {"id": "survey_id"} | {f"max_stars_{n}": f"max_stars_{n}_maximum" for n in range(1, 6)},
    ),
    "user": Table("lh_users", {"id": "user_id"}),
    "department": Table("lh_departament", {"id": "department_id"}),
    "user_department": Table("lh_userdep", {"dep_id": "department_id"}),
    # No table: the server counts it when it is asked.
    "agent_statistic": Table(
        "restapi/agentstatistic",
        {"userId": "user_id", "numberOfChats": "chat_count", "numberOfChatsParticipant": "participation_count"},
    ),
}


@dataclass(frozen=True)
class Span:
    """Whole epoch seconds [first, end) of the records, and [oldest_chat, end) of the chats they belong to."""

    first: int
    end: int
    oldest_chat: int


def span(entity: Entity, window: Window | None, lookback_days: int) -> Span | None:
    """Returns what to read of the entity; None means everything."""
    if window is None or entity.window_on is None:
        return None
    lookback = timedelta(days=lookback_days) if TABLES[entity.name].of_chat else timedelta()
    return Span(_epoch(window.start), _epoch(window.end), _epoch(window.start - lookback))


def _epoch(instant: datetime) -> int:
    # The server keeps whole seconds, so the first one inside the window is the next whole second.
    return ceil(instant.timestamp())


def arrow_column(values: Sequence[object]) -> pa.Array:
    """Returns the values as one column; of mixed kinds as text, so that one odd value is rejected, not the batch."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())

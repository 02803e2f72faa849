"""Reads an entity of Chatwoot: the server's records become the declared fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connectors.chatwoot import api
from connectors.chatwoot.settings import Settings
from connectors.conform import conform
from connectors.contract import ARROW_TYPES, Chunk, Context, Entity, FieldType, Window
from kefu.yaml_files import read_yaml

# Pages are small and messages come conversation by conversation; so many records together make a chunk.
CHUNK_RECORDS = 5_000
_EVENTS: list[dict[str, str]] = read_yaml(Path(__file__).with_name("events.yml"))
_EVENT_PARTS = ("actor", "target", "team")
_NOTHING = pa.scalar(None, pa.string())

Record = dict[str, Any]


def read(settings: Settings, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
    """Yields the entity's records whose `window_on` lies in the window, or all without one.

    Conversations come latest activity first, everything else by ascending id. Raises SourceError when the source
    cannot be read completely.
    """
    with api.account(settings) as ask:
        collected: list[Record] = []
        repeated = 0
        for records, again in _BATCHES[entity.name](ask, settings, window):
            collected += (record for record in map(_FLAT[entity.name], records) if _is_inside(record, entity, window))
            repeated += again
            if len(collected) >= CHUNK_RECORDS:
                yield _chunk(entity, collected, repeated, context)
                collected, repeated = [], 0
        yield _chunk(entity, collected, repeated, context)


def _chunk(entity: Entity, records: list[Record], repeated: int, context: Context) -> Chunk:
    raw = _table(records, entity)
    return conform(
        entity,
        _with_events(raw) if entity.name == "message" else raw,
        context,
        locator=lambda index: f"{entity.name} {records[index].get(entity.key[0])}",
        filtered={"duplicate_across_pages": repeated} if repeated else {},
    )


def _conversation_batches(
    ask: api.Ask, settings: Settings, window: Window | None
) -> Iterator[tuple[list[Record], int]]:
    yield from api.conversations(ask, settings, window.start if window else None)


def _message_batches(ask: api.Ask, settings: Settings, window: Window | None) -> Iterator[tuple[list[Record], int]]:
    for page, _ in api.conversations(ask, settings, window.start if window else None):
        for conversation in page:
            if window is None or _may_have_messages(conversation, window):
                yield api.messages(ask, conversation), 0


def _may_have_messages(conversation: Record, window: Window) -> bool:
    latest, created = (_instant(conversation.get(name)) for name in ("last_activity_at", "created_at"))
    return not (
        (isinstance(latest, int) and latest < _microseconds(window.start))
        or (isinstance(created, int) and created >= _microseconds(window.end))
    )


def _list_batches(path: str) -> Callable[[api.Ask, Settings, Window | None], Iterator[tuple[list[Record], int]]]:
    def batches(ask: api.Ask, settings: Settings, window: Window | None) -> Iterator[tuple[list[Record], int]]:
        yield api.records_of(ask, path, {}), 0

    return batches


_BATCHES: dict[str, Callable[[api.Ask, Settings, Window | None], Iterator[tuple[list[Record], int]]]] = {
    "conversation": _conversation_batches,
    "message": _message_batches,
    "csat_response": api.csat_responses,
    "agent": _list_batches("agents"),
    "team": _list_batches("teams"),
    "inbox": _list_batches("inboxes"),
}


def _renamed(names: dict[str, str], record: Record) -> Record:
    return {names.get(name, name): value for name, value in record.items()}


def _conversation(record: Record) -> Record:
    meta = record.get("meta") or {}
    customer = meta.get("sender") or {}
    # A bot can be the assignee; it is nobody's account.
    assignee = (meta.get("assignee") or {}) if meta.get("assignee_type", "User") == "User" else {}
    names = {
        "id": "conversation_id",
        "created_at": "started_at",
        "first_reply_created_at": "first_reply_at",
        "contact_last_seen_at": "customer_seen_at",
    }
    return _renamed(names, {"last_activity_at": record.get("timestamp")} | record) | {
        "labels": ", ".join(sorted(record.get("labels") or [])),
        "assignee_id": assignee.get("id"),
        "team_id": (meta.get("team") or {}).get("id"),
        "customer_id": customer.get("id"),
        "phone": customer.get("phone_number"),
        "email": customer.get("email"),
    }


def _message(record: Record) -> Record:
    sender = record.get("sender") or {}
    kind = record.get("message_type")
    names = {"id": "message_id", "created_at": "sent_at", "private": "is_private", "content": "text"}
    return _renamed(names | {"status": "delivery_status"}, record) | {
        "author_kind": _author(kind, sender.get("type")),
        "sender_id": sender.get("id"),
    }


def _author(message_type: object, sender_type: object) -> str:
    if message_type == 0:
        return "customer"
    if message_type == 1:
        # Rules and campaigns write without a sender.
        return "agent" if sender_type == "user" else "bot"
    return "system"


def _csat_response(record: Record) -> Record:
    names = {"id": "csat_response_id", "created_at": "answered_at", "feedback_message": "feedback"}
    return _renamed(names, record) | {"assignee_id": (record.get("assigned_agent") or {}).get("id")}


def _flat(names: dict[str, str]) -> Callable[[Record], Record]:
    return lambda record: _renamed(names, record)


_FLAT: dict[str, Callable[[Record], Record]] = {
    "conversation": _conversation,
    "message": _message,
    "csat_response": _csat_response,
    "agent": _flat({"id": "agent_id", "confirmed": "is_confirmed"}),
    "team": _flat({"id": "team_id", "allow_auto_assign": "is_assigning"}),
    "inbox": _flat({"id": "inbox_id", "enable_auto_assignment": "is_assigning", "csat_survey_enabled": "is_surveying"}),
}


def _is_inside(record: Record, entity: Entity, window: Window | None) -> bool:
    if window is None or entity.window_on is None:
        return True
    instant = _instant(record.get(entity.window_on))
    # An unreadable instant goes on to the quarantine instead of vanishing here.
    return not isinstance(instant, int) or _microseconds(window.start) <= instant < _microseconds(window.end)


def _microseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1_000_000)


def _instant(value: object) -> object:
    """Returns epoch seconds, whole or not, as microseconds; 0 is what the server writes where nothing happened yet."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return round(value * 1_000_000) or None
    return value


def _table(records: list[Record], entity: Entity) -> pa.Table:
    names = dict.fromkeys(name for record in records for name in record if name not in entity.ignored)
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        is_instant = name in entity.fields and entity.fields[name].type is FieldType.TIMESTAMP
        columns[name] = _instants(values) if is_instant else _column(values)
    return pa.table(columns)


def _instants(values: list[object]) -> pa.Array:
    read = [_instant(value) for value in values]
    if all(value is None or isinstance(value, int) for value in read):
        return pa.array(read, pa.int64()).cast(ARROW_TYPES[FieldType.TIMESTAMP])
    return _column(values)


def _column(values: list[object]) -> pa.Array:
    """Returns the values as one column; of mixed kinds as text, so that one odd value is rejected, not the batch."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _with_events(raw: pa.Table) -> pa.Table:
    """Adds what an activity message reports, by whom and to whom."""
    if raw.num_rows == 0:
        return raw
    is_activity = pc.fill_null(pc.equal(raw.column("message_type").cast(pa.string()), "2"), False)
    said = pc.if_else(is_activity, raw.column("text").cast(pa.string()), _NOTHING)
    event = pa.nulls(raw.num_rows, pa.string())
    parts = dict.fromkeys(_EVENT_PARTS, event)
    for kind in _EVENTS:
        found = pc.extract_regex(said, kind["pattern"]) if "(?P" in kind["pattern"] else None
        fits = pc.fill_null(pc.match_substring_regex(said, kind["pattern"]), False)
        is_new = pc.and_(fits, pc.is_null(event))
        event = pc.if_else(is_new, kind["event"], event)
        if found is not None:
            for part in parts:
                if found.type.get_field_index(part) >= 0:
                    parts[part] = pc.if_else(is_new, pc.struct_field(found, part), parts[part])
    event = pc.coalesce(event, pc.if_else(is_activity, "other_system", _NOTHING))
    for name, column in {"event_type": event, **{f"event_{part}": column for part, column in parts.items()}}.items():
        raw = raw.append_column(name, column)
    return raw

"""Reads an entity of Live Helper Chat: the server's records become the declared fields."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from connectors.conform import conform
from connectors.contract import Chunk, Context, Entity, FieldType, SourceError, Window
from connectors.live_helper_chat import database, rest
from connectors.live_helper_chat.settings import Settings
from connectors.live_helper_chat.tables import TABLES, span

# What stands in lh_msg.user_id, and who it means.
_AUTHORS = {r"^[1-9]\d*$": "agent", r"^0$": "customer", r"^-1$": "system", r"^-2$": "bot"}
# System text as the server words it in English; the first pattern that fits gives the event.
_EVENTS = {
    "transfer": r"^\[b\](?P<actor>.+?)\[/b\]: !transferforce \S+ \|\| Chat has been transfered to - (?P<target>\S+)",
    "note": r"^\[b\](?P<actor>.+?)\[/b\]: (?P<target>)[^!]",
    "close_by_visitor": r"^Visitor has closed the chat explicitly!$(?P<actor>)(?P<target>)",
    "close_by_agent": r"^(?P<actor>.+) has closed the chat!$(?P<target>)",
}
_WHISPER = r'"whisper"\s*:\s*true'


def read(settings: Settings, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
    """Yields the entity's records whose `window_on` lies in the window, or all without one.

    By database they come by ascending id, by REST newest first; the rows are the same. Raises SourceError when
    the source cannot be read completely.
    """
    asked = span(entity, window, settings.lookback_days)
    if settings.rest is not None:
        for raw, filtered in rest.batches(settings.rest, entity, asked, context.time_zone):
            yield _chunk(entity, raw, context, filtered)
        return
    if entity.name in rest.ONLY_BY_REST:
        return
    url = settings.url or os.environ.get(settings.url_env or "")
    if not url:
        raise SourceError(f"environment variable {settings.url_env} is not set; it must hold the database URL")
    for raw in database.batches(url, entity, asked):
        yield _chunk(entity, raw, context, {})


def _chunk(entity: Entity, raw: pa.Table, context: Context, filtered: dict[str, int]) -> Chunk:
    table = TABLES[entity.name]
    derive = _DERIVED.get(entity.name)
    shaped = derive(raw) if derive and raw.num_rows else raw
    shaped = shaped.rename_columns([table.renamed.get(name, name) for name in shaped.column_names])
    for position, name in enumerate(shaped.column_names):
        if name in entity.fields and entity.fields[name].type is FieldType.TIMESTAMP:
            shaped = shaped.set_column(position, name, _without_epoch_zero(shaped.column(name)))
    ids = raw.column("id") if "id" in raw.column_names else pa.nulls(raw.num_rows)
    return conform(
        entity, shaped, context, locator=lambda index: f"{table.name} id {ids[index].as_py()}", filtered=filtered
    )


def _without_epoch_zero(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    """The server writes 0 where nothing happened yet."""
    is_zero = pc.fill_null(pc.equal(instants.cast(pa.string()), "0"), False)
    return pc.if_else(is_zero, pa.scalar(None, instants.type), instants)


def _text(raw: pa.Table, name: str) -> pa.ChunkedArray:
    """The column as text; a column this version of the server lacks is NULL throughout."""
    return raw.column(name).cast(pa.string()) if name in raw.column_names else pa.nulls(raw.num_rows, pa.string())


def _message(raw: pa.Table) -> pa.Table:
    """Adds who wrote, whether it was a whisper and what a system message reports."""
    author = _text(raw, "user_id")
    for pattern, kind in _AUTHORS.items():
        author = pc.replace_substring_regex(author, pattern, kind)
    by_system = pc.equal(author, "system")
    said = pc.if_else(by_system, _text(raw, "msg"), pa.scalar(None, pa.string()))
    event = actor = target = pa.nulls(raw.num_rows, pa.string())
    for name, pattern in _EVENTS.items():
        found = pc.extract_regex(said, pattern)
        event = pc.coalesce(event, pc.if_else(pc.is_valid(found), name, pa.scalar(None, pa.string())))
        actor = pc.coalesce(actor, pc.struct_field(found, "actor"))
        target = pc.coalesce(target, pc.struct_field(found, "target"))
    event = pc.coalesce(event, pc.if_else(by_system, "other_system", pa.scalar(None, pa.string())))
    added = {"author_kind": author, "event_type": event, "event_actor": actor, "event_target": target}
    if "meta_msg" in raw.column_names:
        added["is_whisper"] = pc.fill_null(pc.match_substring_regex(_text(raw, "meta_msg"), _WHISPER), False)
    return _with(raw, added, {"meta_msg"})


def _user(raw: pa.Table) -> pa.Table:
    """Adds the name that the server shows and writes into its system messages."""
    name, surname, nickname = (pc.fill_null(_text(raw, part), "") for part in ("name", "surname", "chat_nickname"))
    full = pc.utf8_trim_whitespace(pc.binary_join_element_wise(name, surname, " "))
    shown = pc.if_else(pc.equal(nickname, ""), full, nickname)
    return _with(raw, {"display_name": shown}, {"name", "surname", "chat_nickname"})


def _survey_item(raw: pa.Table) -> pa.Table:
    """Joins the free answers of the five text questions, one a line."""
    questions = [f"question_plain_{number}" for number in range(1, 6)]
    answers = pc.binary_join_element_wise(*(pc.fill_null(_text(raw, name), "") for name in questions), "\n")
    joined = pc.utf8_trim(pc.replace_substring_regex(answers, r"\n+", "\n"), "\n")
    return _with(raw, {"question_plain": joined}, set(questions))


def _with(raw: pa.Table, added: dict[str, pa.ChunkedArray], used_up: set[str]) -> pa.Table:
    kept = {name: raw.column(name) for name in raw.column_names if name not in used_up}
    return pa.table(kept | added)


_DERIVED: dict[str, Callable[[pa.Table], pa.Table]] = {
    "message": _message,
    "user": _user,
    "survey_item": _survey_item,
}

"""Writes the chats of a world (channel `chat`) as Live Helper Chat keeps them in its database."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.world import World
from kefu.simulation.writers.columns import (
    Column,
    add,
    flat,
    in_order,
    join,
    lookup,
    microseconds,
    spread,
    where,
    whole_seconds,
)
from kefu.simulation.writers.malformed import Malformed
from kefu.simulation.writers.sql import declared_tables, fill, transaction

_TABLES = declared_tables(Path(__file__).with_suffix(".yml"))
_PENDING, _ACTIVE, _CLOSED = 0, 1, 2
_VISITOR, _SERVER, _BOT = 0, -1, -2
_BOT_NAME = "Live Support"
_VISITOR_CLOSED = "Visitor has closed the chat explicitly!"
_WHISPER = '{"content":{"whisper":true}}'
_SURVEY_ID = 1
# A chat is marked as unanswered when it has waited for so long, even if somebody accepts it afterwards.
_UNANSWERED_SECONDS = 300
# The server does not count a longer silence as time spent on the chat.
_LONGEST_GAP_SECONDS = 600


def write_live_helper_chat(world: World, url: str, *, malformed: bool = False) -> pa.Table:
    """Writes the server's tables to an empty MariaDB, PostgreSQL or SQLite database.

    Args:
        world: what happened.
        url: SQLAlchemy URL.
        malformed: also writes records that break the connector's contract.

    Returns:
        What was planted, with the schema `PLANTED`: one row for each malformed record, `subject` its place as the
        connector names it, `note` the field that is wrong.

    Raises:
        ValueError: a table at `url` holds rows already.
    """
    wrong = Malformed("live_helper_chat", malformed)
    with transaction(url) as connection:
        for name, rows in live_helper_chat_tables(world).items():
            fill(connection, _TABLES[name], wrong.rows_by_id(name, rows))
    return wrong.planted


def live_helper_chat_tables(world: World) -> dict[str, pa.Table]:
    """Returns the rows of the server's tables by name, each by id; columns left out hold 0 or an empty text."""
    departments, users = _departments(world), _users(world)
    chats = _chats(world, departments, users)
    messages = _messages(world, chats, users)
    figures, own_figures = _figures(chats, messages)
    tables = {
        "lh_departament": departments,
        "lh_users": users,
        "lh_userdep": _user_departments(world, departments),
        "lh_abstract_survey": _survey(),
        "lh_chat": _chat_rows(chats, messages, figures),
        "lh_msg": messages,
        "lh_chat_participant": _participants(chats, own_figures),
        "lh_abstract_survey_item": _survey_items(world, chats),
    }
    columns = {name: [column.name for column in _TABLES[name].columns] for name in tables}
    return {
        name: rows.select([column for column in columns[name] if column in rows.column_names])
        for name, rows in tables.items()
    }


# --- the company ---------------------------------------------------------------------------------------------------


def _departments(world: World) -> pa.Table:
    """Returns departments numbered from 1, with `queue_id` and `team_id`; they are open at every hour (-1)."""
    queues = where(world.tables["queue"], "channel", "chat")
    days = ("mod", "tud", "wed", "thd", "frd", "sad", "sud")
    always = spread(-1, queues.num_rows, pa.int64())
    hours = {f"{day}_{end}_hour": always for day in days for end in ("start", "end")}
    ids = pa.array(range(1, queues.num_rows + 1), pa.int64())
    return pa.table(
        {"id": ids, "name": queues.column("name_zh"), "identifier": queues.column("account")}
        | {name: queues.column(name) for name in ("queue_id", "team_id")}
        | hours
    )


def _users(world: World) -> pa.Table:
    """Returns the operators' accounts, with `agent_key`; the server shows them by their name."""
    agents = world.tables["agent"]
    agents = in_order(agents.filter(pc.is_valid(agents.column("chat_user_id"))), "chat_user_id")
    name = agents.column("name")
    return pa.table(
        {
            "id": agents.column("chat_user_id"),
            "username": agents.column("username"),
            "email": join(agents.column("username"), "@cs.example.test"),
            "name": name,
            "chat_nickname": name,
            "disabled": pc.is_valid(agents.column("exit_date")).cast(pa.int64()),
            "agent_key": agents.column("agent_key"),
        }
    )


def _user_departments(world: World, departments: pa.Table) -> pa.Table:
    """Returns who serves which department now: those of the present team, and those where somebody took chats."""
    members = world.tables["membership"]
    members = members.filter(pc.is_null(members.column("valid_to"))).select(["agent_key", "team_id"])
    by_team = members.join(departments.select(["team_id", "id"]), "team_id", join_type="inner")
    segments = world.tables["chat_segment"]
    served = lookup(segments.column("queue_id"), departments, "queue_id", "id")
    pairs = pa.table(
        {
            "agent_key": pa.concat_arrays([flat(by_team.column("agent_key")), flat(segments.column("agent_key"))]),
            "dep_id": pa.concat_arrays([flat(by_team.column("id")), served]),
        }
    )
    agents = world.tables["agent"]
    pairs = add(pairs, user_id=lookup(pairs.column("agent_key"), agents, "agent_key", "chat_user_id"))
    known = pairs.select(["user_id", "dep_id"]).drop_null().group_by(["user_id", "dep_id"]).aggregate([])
    known = in_order(known, "user_id", "dep_id")
    return add(known, id=pa.array(range(1, known.num_rows + 1), pa.int64()))


def _survey() -> pa.Table:
    asked = {f"max_stars_{number}{part}": value for number in (1, 2) for part, value in (("_enabled", 1), ("", 5))}
    titles = {"max_stars_1_title": "您对本次服务满意吗？", "max_stars_2_title": "您的问题解决了吗？"}
    row = {"id": _SURVEY_ID, "name": "服务评价", "identifier": "csat", "question_plain_1": "还有什么想说的？"}
    return pa.Table.from_pylist([row | asked | titles | {"question_plain_1_enabled": 1}])


# --- chats ---------------------------------------------------------------------------------------------------------


def _chats(world: World, departments: pa.Table, users: pa.Table) -> pa.Table:
    """Returns the chats with everything but what follows from their messages. Instants are epoch seconds."""
    chats = where(world.tables["chat"], "channel", "chat")
    chats = in_order(chats, "chat_id")
    ids = chats.column("chat_id")
    segments = in_order(world.tables["chat_segment"], "chat_id", "number")
    by_chat = segments.group_by("chat_id", use_threads=False).aggregate([("queue_id", "last")])
    passed_on = segments.filter(pc.equal(segments.column("ended_how"), "transfer"))
    queue = pc.coalesce(lookup(ids, by_chat, "chat_id", "queue_id_last"), chats.column("queue_id"))
    times = {
        name: whole_seconds(microseconds(chats.column(f"{name}_at"))) for name in ("started", "accepted", "closed")
    }
    bot_until = whole_seconds(microseconds(chats.column("bot_until")))
    # Waiting begins when the bot hands over, which it does not where it ends the chat itself.
    is_over = pc.fill_null(pc.less_equal(times["closed"], bot_until), False)
    pending = pc.coalesce(pc.if_else(is_over, None, bot_until), times["started"])
    owner = pc.fill_null(lookup(chats.column("agent_key"), users, "agent_key", "id"), 0)
    by_visitor = pc.fill_null(pc.equal(chats.column("closed_by"), "visitor"), False)
    left = pc.coalesce(chats.column("visitor_left_at"), pc.if_else(by_visitor, chats.column("closed_at"), None))
    customers, customer = world.tables["customer"], chats.column("customer_id")
    return add(
        chats,
        id=ids,
        time=times["started"],
        pnd_time=pending,
        gbot_id=pc.is_valid(bot_until).cast(pa.int64()),
        accepted=times["accepted"],
        wait_time=pc.fill_null(pc.subtract(times["accepted"], pending), 0),
        cls_time=pc.fill_null(times["closed"], 0),
        user_closed_ts=pc.fill_null(whole_seconds(microseconds(left)), 0),
        user_id=owner,
        dep_id=lookup(queue, departments, "queue_id", "id"),
        is_transferred=pc.is_in(ids, value_set=flat(passed_on.column("chat_id"))),
        nick=pc.coalesce(lookup(customer, customers, "customer_id", "name"), "Visitor"),
        phone=pc.coalesce(lookup(customer, customers, "customer_id", "phone"), ""),
        email=pc.coalesce(lookup(customer, customers, "customer_id", "email"), ""),
        chat_locale=pc.coalesce(lookup(customer, customers, "customer_id", "language"), ""),
        fbst=_thumbs(world, ids),
    )


def _thumbs(world: World, chat_ids: Column) -> pa.Array:
    surveys = where(world.tables["survey"], "channel", "chat")
    given = surveys.filter(pc.is_valid(surveys.column("thumb"))).combine_chunks()
    thumb = lookup(chat_ids, given, "contact_id", "thumb")
    numbers = pa.table({"thumb": ["up", "down"], "number": pa.array([1, 2], pa.int64())})
    return pc.fill_null(lookup(thumb, numbers, "thumb", "number"), 0)


def _chat_rows(chats: pa.Table, messages: pa.Table, figures: pa.Table) -> pa.Table:
    size, ids = chats.num_rows, chats.column("id")
    owned = pc.greater(chats.column("user_id"), 0)
    is_closed, has_left = (pc.greater(chats.column(name), 0) for name in ("cls_time", "user_closed_ts"))
    by_chat = messages.group_by("chat_id").aggregate([("id", "max"), ("time", "max")])
    operators = (
        messages.filter(pc.greater(messages.column("user_id"), 0)).group_by("chat_id").aggregate([("time", "max")])
    )
    status_sub = pc.if_else(has_left, 3, pc.if_else(chats.column("is_transferred"), 1, 0))
    has_waited_long = pc.greater(chats.column("wait_time"), _UNANSWERED_SECONDS)
    measured = {
        name: pc.if_else(is_closed, figures.column(name), 0) for name in ("chat_duration", "frt", "aart", "mart")
    }
    hashes = [hashlib.sha1(f"chat {number}".encode()).hexdigest() for number in ids.to_pylist()]
    return add(
        chats.drop_columns(["queue_id"]),
        status=pc.if_else(is_closed, _CLOSED, pc.if_else(owned, _ACTIVE, _PENDING)),
        status_sub=status_sub,
        status_sub_sub=chats.column("is_transferred").cast(pa.int64()),
        hash=pa.array(hashes, pa.string()),
        ip=spread("203.0.113.7", size, pa.string()),
        user_status=has_left.cast(pa.int64()),
        support_informed=has_left.cast(pa.int64()),
        unanswered_chat=pc.or_(pc.invert(owned), has_waited_long).cast(pa.int64()),
        last_op_msg_time=pc.fill_null(lookup(ids, operators, "chat_id", "time_max"), 0),
        last_user_msg_time=lookup(ids, by_chat, "chat_id", "time_max"),
        last_msg_id=lookup(ids, by_chat, "chat_id", "id_max"),
        auto_responder_id=ids,
        **measured,
    )


# --- messages ------------------------------------------------------------------------------------------------------


def _messages(world: World, chats: pa.Table, users: pa.Table) -> pa.Table:
    """Returns what was written under the ids of the world; what the server reports is in its own words."""
    messages = world.tables["message"]
    messages = messages.filter(pc.is_in(messages.column("chat_id"), value_set=flat(chats.column("id"))))
    messages = in_order(messages, "message_id")
    author, writer = messages.column("author"), messages.column("agent_key")
    others = pa.table({"author": ["visitor", "system", "bot"], "id": pa.array([_VISITOR, _SERVER, _BOT], pa.int64())})
    name = lookup(writer, users, "agent_key", "chat_nickname")
    is_transfer = pc.and_(pc.equal(author, "system"), pc.equal(messages.column("text"), "transferred"))
    by_operator = pc.is_in(author, value_set=pa.array(["agent", "whisper"]))
    return pa.table(
        {
            "id": messages.column("message_id"),
            "msg": pc.if_else(pc.equal(author, "system"), _reports(world, messages, users), messages.column("text")),
            "meta_msg": pc.if_else(pc.equal(author, "whisper"), _WHISPER, ""),
            "time": whole_seconds(microseconds(messages.column("sent_at"))),
            "chat_id": messages.column("chat_id"),
            "user_id": pc.coalesce(lookup(author, others, "author", "id"), lookup(writer, users, "agent_key", "id")),
            "name_support": pc.coalesce(pc.if_else(pc.equal(author, "bot"), _BOT_NAME, name), ""),
            "del_st": pc.or_(by_operator, is_transfer).cast(pa.int64()),
        }
    )


def _reports(world: World, messages: pa.Table, users: pa.Table) -> pa.Array:
    """Returns the server's wording of what happened, for messages whose text is the name of an event."""
    event = messages.column("text")
    name = lookup(messages.column("agent_key"), users, "agent_key", "chat_nickname")
    target = _transferred_to(world, messages)
    username, email = (lookup(target, users, "agent_key", column) for column in ("username", "email"))
    moved = join(" || Chat has been transfered to - ", username, " (", email, ")")
    worded = pc.case_when(
        pc.make_struct(
            *(pc.equal(event, kind) for kind in ("transferred", "closed_by_visitor", "closed_by_agent", "reopened"))
        ),
        join("[b]", name, "[/b]: !transferforce ", username, moved),
        _VISITOR_CLOSED,
        join(name, " has closed the chat!"),
        join(pc.coalesce(name, "Visitor"), " has reopened the chat!"),
    )
    return pc.coalesce(worded, event)


def _transferred_to(world: World, messages: pa.Table) -> pa.Array:
    """Returns the next owner at each message that reports a transfer: a chat's are in the order of its segments."""
    segments = in_order(world.tables["chat_segment"], "chat_id", "number")
    owners = flat(segments.column("agent_key"))
    segments = add(segments, next_owner=pa.concat_arrays([owners.slice(1), pa.nulls(min(1, len(owners)), pa.string())]))
    passed_on = segments.filter(pc.equal(segments.column("ended_how"), "transfer"))
    is_report = pc.and_(pc.equal(messages.column("author"), "system"), pc.equal(messages.column("text"), "transferred"))
    reports = in_order(messages.filter(is_report), "chat_id", "message_id")
    reports = add(reports, transfer=_numbered(reports.column("chat_id")))
    passed_on = add(passed_on, transfer=_numbered(passed_on.column("chat_id")))
    target = lookup(reports.column("transfer"), passed_on, "transfer", "next_owner")
    return lookup(messages.column("message_id"), add(reports, target=target), "message_id", "target")


def _numbered(chat_ids: Column) -> pa.Array:
    """Returns `chat/number`, numbering the rows of a chat from 0; those of one chat stand together."""
    ids = np.asarray(chat_ids)
    return join(chat_ids, "/", pa.array(np.arange(len(ids)) - np.searchsorted(ids, ids), pa.int64()))


# --- the server's own figures --------------------------------------------------------------------------------------


def _figures(chats: pa.Table, messages: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Returns the server's times by chat, in the order of `chats`, and by chat and who held it, the bot first."""
    people = messages.filter(pc.not_equal(messages.column("user_id"), _SERVER))
    people = in_order(people.select(["chat_id", "id", "time", "user_id"]), "chat_id", "id")
    spent, replies = _time_spent(people), _replies(chats, people)
    total = spent.group_by("chat_id").aggregate([("seconds", "sum")])
    asked = [("reply", "first"), ("reply", "mean"), ("reply", "max")]
    of_chat = replies.group_by("chat_id", use_threads=False).aggregate([*asked, ("response", "first")])
    own = spent.group_by(["chat_id", "user_id"], use_threads=False).aggregate([("own_seconds", "sum")])
    of_own = replies.group_by(["chat_id", "user_id"], use_threads=False).aggregate(asked)
    own_place = pc.index_in(_pair(own), value_set=_pair(of_own))
    ids = chats.column("id")
    figures = {
        "chat_duration": pc.fill_null(lookup(ids, total, "chat_id", "seconds_sum"), 0),
        "frt": _whole(lookup(ids, of_chat, "chat_id", "response_first")),
        "aart": _whole(lookup(ids, of_chat, "chat_id", "reply_mean")),
        "mart": _whole(lookup(ids, of_chat, "chat_id", "reply_max")),
    }
    own_figures = {
        "chat_id": own.column("chat_id"),
        "user_id": own.column("user_id"),
        "duration": own.column("own_seconds_sum"),
        "frt": _whole(flat(of_own.column("reply_first")).take(own_place)),
        "aart": _whole(flat(of_own.column("reply_mean")).take(own_place)),
        "mart": _whole(flat(of_own.column("reply_max")).take(own_place)),
    }
    return pa.table(figures), pa.table(own_figures)


def _time_spent(people: pa.Table) -> pa.Table:
    """Returns by message the silence before it, and that part of it which counts for who holds the chat.

    The bot holds a chat until an operator writes. A long silence does not count, and for nobody that before a new
    holder's first message.
    """
    chat, time, user = (np.asarray(people.column(name)) for name in ("chat_id", "time", "user_id"))
    is_first = _is_first(chat)
    speaks = (user != _VISITOR) | is_first
    holder = np.where(user == _VISITOR, _BOT, user)[np.maximum.accumulate(np.where(speaks, np.arange(len(time)), 0))]
    gap = np.where(is_first, 0, time - np.roll(time, 1))
    counted = np.where(gap <= _LONGEST_GAP_SECONDS, gap, 0)
    is_held = ~is_first & (holder == np.roll(holder, 1))
    return pa.table(
        {"chat_id": chat, "user_id": holder, "seconds": counted, "own_seconds": np.where(is_held, counted, 0)}
    )


def _replies(chats: pa.Table, people: pa.Table) -> pa.Table:
    """Returns the operators' messages with the seconds since acceptance and, for replies, since they were asked.

    A reply is measured from the first of the visitor's messages in a row, or from acceptance if that came later.
    """
    people = people.filter(pc.greater_equal(people.column("user_id"), _VISITOR))
    chat, time, user = (np.asarray(people.column(name)) for name in ("chat_id", "time", "user_id"))
    accepted = np.asarray(pc.fill_null(lookup(people.column("chat_id"), chats, "id", "accepted"), 0))
    is_visitor = user == _VISITOR
    after_visitor = ~_is_first(chat) & np.roll(is_visitor, 1)
    asks = is_visitor & ~after_visitor
    asked = np.maximum.accumulate(np.where(asks, np.arange(len(time)), 0))
    reply = np.maximum(time - np.maximum(time[asked], accepted), 0)
    rows = {"chat_id": chat, "user_id": user, "response": time - accepted}
    table = pa.table(rows | {"reply": pa.array(reply, mask=~after_visitor)})
    return table.filter(pa.array(~is_visitor))


def _is_first(chat: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    return np.append(True, chat[1:] != chat[:-1])[: len(chat)]


def _pair(rows: pa.Table) -> pa.Array:
    return join(rows.column("chat_id"), "/", rows.column("user_id"))


def _whole(seconds: Column) -> Column:
    return pc.fill_null(pc.cast(pc.round(seconds, round_mode="half_up"), pa.int64()), 0)


def _participants(chats: pa.Table, own_figures: pa.Table) -> pa.Table:
    """Returns who took part in the closed chats: the auto-responder (-2), then each operator who wrote."""
    closed = chats.filter(pc.greater(chats.column("cls_time"), 0))
    of_chat = ("time", "dep_id", "cls_time")
    rows = add(own_figures, **{name: lookup(own_figures.column("chat_id"), closed, "id", name) for name in of_chat})
    rows = in_order(rows.filter(pc.is_valid(rows.column("time"))), "cls_time", "chat_id")
    return add(rows, id=pa.array(range(1, rows.num_rows + 1), pa.int64()))


def _survey_items(world: World, chats: pa.Table) -> pa.Table:
    surveys = where(world.tables["survey"], "channel", "chat")
    says_nothing = pc.and_(pc.is_null(surveys.column("value")), pc.is_null(surveys.column("solved")))
    says_nothing = pc.and_(says_nothing, pc.is_null(surveys.column("comment")))
    is_filled = pc.and_not(pc.is_valid(surveys.column("answered_at")), says_nothing)
    surveys = in_order(surveys.filter(is_filled), "answered_at", "survey_id")
    owner = lookup(surveys.column("agent_key"), world.tables["agent"], "agent_key", "chat_user_id")
    size = surveys.num_rows
    return pa.table(
        {
            "id": pa.array(range(1, size + 1), pa.int64()),
            "survey_id": spread(_SURVEY_ID, size, pa.int64()),
            "chat_id": surveys.column("contact_id"),
            "user_id": pc.fill_null(owner, 0),
            "ftime": whole_seconds(microseconds(surveys.column("answered_at"))),
            "dep_id": lookup(surveys.column("contact_id"), chats, "id", "dep_id"),
            "max_stars_1": pc.fill_null(surveys.column("value"), 0),
            "max_stars_2": pc.fill_null(surveys.column("solved"), 0),
            "question_plain_1": pc.fill_null(surveys.column("comment"), ""),
        }
    )

"""The truth of conversations: work, queues and replies."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from math import inf
from operator import itemgetter
from typing import NamedTuple

from kefu.simulation.truth.facts import (
    ACW_CAP_SECONDS,
    LONGEST_TALK_SECONDS,
    SHORT_ABANDON_SECONDS,
    Chat,
    Conversation,
    Entry,
    Facts,
    Message,
    Metric,
    Number,
    Segment,
    Unit,
    per_segment,
)
from kefu.simulation.truth.spans import total, union

FIRST_RESPONSE_SECONDS = 30
ASSIGNMENT_RESPONSE_SECONDS = 60
RESPONSE_SECONDS = 30
LONG_RESPONSE_SECONDS = 180
SERVICE_HOURS = range(9, 23)
SLOW_TURN_SECONDS = 120
SLOW_TURNS = 3
RING_SECONDS = 2 * 5
BOT_WINDOW_SECONDS = 7 * 86400

# --- work ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _handled(facts: Facts) -> dict[tuple[Unit, str], Segment]:
    """The last effective segment of every unit in every conversation it had one in."""
    last: dict[tuple[Unit, str], Segment] = {}
    for segment in sorted(facts.segments, key=lambda segment: segment.place):
        if segment.is_effective:
            for unit in facts.units_at(segment.agent, segment.start):
                last[unit, segment.conversation] = segment
    return last


def conversations_handled(facts: Facts) -> Iterator[Entry]:
    """Conversations with an effective segment of the unit, on the date of the unit's last one (TE, CS)."""
    for (unit, _), segment in _handled(facts).items():
        yield Entry((unit,), segment.channel, segment.day, 1, 0, 1)


def unique_customers_served(facts: Facts) -> Iterator[Entry]:
    """Different known customers of the conversations handled, on the same dates (TE, CS)."""
    customers = {conversation.key: conversation.customer_key for conversation in facts.conversations}
    for (unit, conversation), segment in _handled(facts).items():
        if customer := customers[conversation]:
            yield Entry((unit,), segment.channel, segment.day, 1, 0, 1, customer)


def conversations_assigned(facts: Facts) -> Iterator[Entry]:
    """Conversations the unit was given, open ones too, on the date of its first segment's begin (TS, CS)."""
    first: dict[tuple[Unit, str], tuple[str, str, int]] = {}
    for call in facts.calls:
        if call["answered_at"] is not None:
            for unit in facts.units_at(call["agent_key"], call["answered_at"]):
                given = ("voice", call["agent_key"], call["answered_at"])
                first.setdefault((unit, call["conversation"]), given)
    for chat in facts.chats:
        for part in chat.parts:
            for unit in facts.units_at(part.agent, part.started):
                first.setdefault((unit, chat.key), ("chat", part.agent, part.started))
    for (unit, _), (channel, agent, start) in first.items():
        yield Entry((unit,), channel, facts.business_date(agent, start, start), 1, 0, 1)


def effective_conversation_rate(facts: Facts) -> Iterator[Entry]:
    """Conversations with an effective segment of the unit / with an ended one, on its last ended one's date (TE, CS).

    Left out: not effective and left by the visitor within five seconds of the unit's first assignment, or before it.
    """
    left = {chat.key: chat.left for chat in facts.chats}
    assigned: dict[tuple[Unit, str], int] = {}
    for chat in facts.chats:
        for part in chat.parts:
            for unit in facts.units_at(part.agent, part.started):
                assigned.setdefault((unit, chat.key), part.started)
    ended: dict[tuple[Unit, str], list[Segment]] = defaultdict(list)
    for segment in sorted(facts.segments, key=lambda segment: segment.place):
        for unit in facts.units_at(segment.agent, segment.start):
            ended[unit, segment.conversation].append(segment)
    for (unit, conversation), segments in ended.items():
        is_effective = any(segment.is_effective for segment in segments)
        gone = left.get(conversation)
        if is_effective or gone is None or gone - assigned[unit, conversation] >= SHORT_ABANDON_SECONDS:
            last = segments[-1]
            yield Entry((unit,), last.channel, last.day, int(is_effective), 1, 1)


def _outcomes(facts: Facts) -> Iterator[tuple[Conversation, Segment]]:
    """Conversations that have ended and were served, with the last effective segment."""
    for conversation in facts.conversations:
        segment = facts.last_effective.get(conversation.key)
        if segment and conversation.ended is not None:
            yield conversation, segment


def conversations_closed(facts: Facts) -> Iterator[Entry]:
    """Ended conversations with an effective segment, on the date of the last one (TE, CL)."""
    for _, segment in _outcomes(facts):
        yield per_segment(facts, segment, 1, 0)


def _messages(facts: Facts) -> Iterator[tuple[Segment, int, int]]:
    """Ended segments of chats with the number of own messages and of those of the customer."""
    said: dict[tuple[str, int], list[str | None]] = defaultdict(list)
    for chat in facts.chats:
        for message in chat.messages:
            said[chat.key, chat.place_of(message)].append(message.agent)
    for segment in facts.segments:
        if segment.channel == "chat":
            authors = said[segment.conversation, segment.place]
            yield segment, authors.count(segment.agent), authors.count(None)


def messages_sent_agent(facts: Facts) -> Iterator[Entry]:
    """Own messages in ended segments of chats; whispers and the bot do not count (TE, CS)."""
    for segment, own, _ in _messages(facts):
        yield per_segment(facts, segment, own, 0)._replace(n=own)


def messages_received_customer(facts: Facts) -> Iterator[Entry]:
    """Customer messages in ended segments of chats, those before the first of them in the first (TE, CS)."""
    for segment, _, received in _messages(facts):
        yield per_segment(facts, segment, received, 0)._replace(n=received)


def qa_ratio(facts: Facts) -> Iterator[Entry]:
    """Own messages / customer messages (TE, CS)."""
    for segment, own, received in _messages(facts):
        yield per_segment(facts, segment, own, received)._replace(n=received)


def calls_inbound_handled(facts: Facts) -> Iterator[Entry]:
    """Answered inbound call legs that have ended (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            yield per_segment(facts, segment, 1, 0)


def _routed(facts: Facts) -> Iterator[Segment]:
    """Yields effective segments without those passed on because the conversation had come to the wrong queue."""
    for segment in facts.segments:
        is_misrouted = segment.is_transfer and "misrouted" in facts.labels.get(segment.conversation, ())
        if segment.is_effective and not is_misrouted:
            yield segment


def transfer_out_rate(facts: Facts) -> Iterator[Entry]:
    """Segments that ended by a transfer / effective segments, mis-routed ones left out (TE, CS)."""
    for segment in _routed(facts):
        yield per_segment(facts, segment, int(segment.is_transfer))


def _kind_of_transfer_rate(kind: str, facts: Facts) -> Iterator[Entry]:
    """Calls that ended by a transfer of a kind / calls, mis-routed ones and unknown kinds left out (TE, CS)."""
    for segment in _routed(facts):
        if segment.channel == "voice" and (segment.transfer_kind or not segment.is_transfer):
            yield per_segment(facts, segment, int(segment.transfer_kind == kind))


def transfer_kind_coverage(facts: Facts) -> Iterator[Entry]:
    """Transfers of known kind / transfers, mis-routed ones left out (TE, CS)."""
    for segment in _routed(facts):
        if segment.is_transfer:
            yield per_segment(facts, segment, int(segment.transfer_kind is not None))


def aht(facts: Facts) -> Iterator[Entry]:
    """Talk, wrap-up and active seconds / effective segments, calls above four hours left out (TE, CS)."""
    for segment in facts.segments:
        if segment.is_effective and segment.handle_seconds is not None:
            yield per_segment(facts, segment, segment.handle_seconds)
    yield from _wrap_up(facts, LONGEST_TALK_SECONDS)


def talk_time_total(facts: Facts) -> Iterator[Entry]:
    """Talk seconds of answered calls, those above four hours left out as bad data (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice" and segment.handle_seconds is not None:
            yield per_segment(facts, segment, segment.handle_seconds, 0)


def concurrent_avg(facts: Facts) -> Iterator[Entry]:
    """Seconds of an agent's ended chat segments / seconds with at least one, each team and date apart (TE, CS).

    Left out: segments that only the rule ended, a week after the last word.
    """
    spans: dict[tuple[tuple[Unit, ...], dt.date], list[tuple[int, int]]] = defaultdict(list)
    stale = {(chat.key, chat.ended) for chat in facts.chats if chat.is_stale}
    for segment in facts.segments:
        if segment.channel == "chat" and (segment.conversation, segment.end) not in stale:
            units = facts.units_at(segment.agent, segment.start)
            spans[units, segment.day].append((segment.start, segment.end))
    for (units, day), found in spans.items():
        yield Entry(units, "chat", day, total(found), total(union(found)), len(found))


def avg_session_duration(facts: Facts) -> Iterator[Entry]:
    """Seconds from the first human message to the end / chats with both that not only the rule ended (TE, CL)."""
    spoken = {
        chat.key: next((message.at for message in chat.messages if message.agent is not None), None)
        for chat in facts.chats
        if not chat.is_stale
    }
    for conversation, segment in _outcomes(facts):
        first = spoken.get(conversation.key)
        if first is not None and conversation.ended is not None:
            yield per_segment(facts, segment, conversation.ended - first)


def _answers(chat: Chat) -> list[Message]:
    """Returns the human messages after the customer's first; what came before it answered nothing."""
    asked = next((place for place, message in enumerate(chat.messages) if message.agent is None), len(chat.messages))
    return [message for message in chat.messages[asked:] if message.agent is not None]


def avg_talk_time(facts: Facts) -> Iterator[Entry]:
    """Talk seconds / answered calls, those above four hours left out (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice" and segment.handle_seconds is not None:
            yield per_segment(facts, segment, segment.handle_seconds)


def acw_avg(facts: Facts) -> Iterator[Entry]:
    """Wrap-up seconds / answered calls (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            yield per_segment(facts, segment, 0)
    yield from _wrap_up(facts, inf)


def _wrap_up(facts: Facts, longest: float) -> Iterator[Entry]:
    """Every wrap-up, at most ten minutes of it, on the date of its own start.

    Left out: that of a call that never ended or lasted more than `longest` seconds. It is of the last call that began.
    """
    begun: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for call in facts.calls:
        if (start := call["answered_at"]) is not None:
            is_timed = call["ended_at"] is not None and call["ended_at"] - start <= longest
            begun[call["agent_key"]].append((start, is_timed))
    for calls in begun.values():
        calls.sort()
    for state in facts.rows("agent_state"):
        if state["state"] == "acw" and state["ended_at"] is not None:
            agent, start = state["agent_key"], state["started_at"]
            before = bisect_right(begun[agent], start, key=itemgetter(0))
            if before and not begun[agent][before - 1][1]:
                continue
            seconds = min(ACW_CAP_SECONDS, state["ended_at"] - start)
            units = facts.units_at(agent, start)
            yield Entry(units, "voice", facts.business_date(agent, start, start), seconds, 0, 0)


# --- queues ----------------------------------------------------------------------------------------------------------


class Stay(NamedTuple):
    """One stay in a queue that has come to an end; neither answered nor abandoned: nobody took it and nobody left."""

    channel: str
    queue: str
    entered: int
    is_answered: bool
    is_abandoned: bool
    wait_seconds: int


def _stays(facts: Facts) -> Iterator[Stay]:
    for call in facts.calls:
        until = call["answered_at"] if call["outcome"] == "answered" else call["ended_at"]
        yield Stay(
            "voice",
            call["queue_id"],
            call["entered_at"],
            call["outcome"] == "answered",
            call["outcome"] == "abandoned",
            until - call["entered_at"],
        )
    for chat in facts.chats:
        until = chat.left if chat.accepted is None else chat.accepted
        if not chat.is_bot_only and (until is not None or chat.ended is not None):
            is_answered, is_left = chat.accepted is not None, chat.accepted is None and chat.left is not None
            waited = 0 if until is None else until - chat.waits_from
            yield Stay("chat", chat.queue, chat.waits_from, is_answered, is_left, waited)


def _per_stay(facts: Facts, stay: Stay, numerator: int) -> Entry:
    return Entry(facts.queue_units(stay.queue), stay.channel, facts.date(stay.entered), numerator, 1, 1)


def service_level(facts: Facts) -> Iterator[Entry]:
    """Answered within the queue's limit / answered or abandoned, short abandons left out (TS, CT)."""
    for stay in _stays(facts):
        limit = facts.service_level_seconds[stay.queue]
        if stay.is_answered:
            yield _per_stay(facts, stay, int(stay.wait_seconds <= limit))
        elif stay.is_abandoned and stay.wait_seconds >= SHORT_ABANDON_SECONDS:
            yield _per_stay(facts, stay, 0)


def abandonment_rate(facts: Facts) -> Iterator[Entry]:
    """Abandoned / offered, short abandons left out of both (TS, CT)."""
    for stay in _stays(facts):
        if not stay.is_abandoned or stay.wait_seconds >= SHORT_ABANDON_SECONDS:
            yield _per_stay(facts, stay, int(stay.is_abandoned))


def asa(facts: Facts) -> Iterator[Entry]:
    """Waiting seconds of the answered / answered (TS, CT)."""
    for stay in _stays(facts):
        if stay.is_answered:
            yield _per_stay(facts, stay, stay.wait_seconds)


def avg_abandon_time(facts: Facts) -> Iterator[Entry]:
    """Waiting seconds of the abandoned / abandoned, short abandons left out (TS, CT)."""
    for stay in _stays(facts):
        if stay.is_abandoned and stay.wait_seconds >= SHORT_ABANDON_SECONDS:
            yield _per_stay(facts, stay, stay.wait_seconds)


def _rings(facts: Facts) -> Iterator[tuple[str, int, bool, Number]]:
    """Telephones that rang: agent, begin, whether taken, seconds.

    A ring that was not taken and stopped before the limit is no ring: the caller hung up.
    """
    calls = {call["call_id"] for call in facts.calls}
    for call in facts.calls:
        if call["answered_at"] is not None:
            began = call["answered_at"] if call["rang_at"] is None else call["rang_at"]
            yield call["agent_key"], began, True, call["answered_at"] - began
    for row in facts.rows("ring_no_answer"):
        seconds = Fraction(row["ring_milliseconds"], 1000)
        if row["call_id"] in calls and seconds >= RING_SECONDS:
            yield row["agent_key"], row["started_at"], False, seconds


def _per_ring(facts: Facts, agent: str, began: int, numerator: int) -> Entry:
    units = facts.units_at(agent, began)
    return Entry(units, "voice", facts.business_date(agent, began, began), numerator, 1, 1)


def answer_rate(facts: Facts) -> Iterator[Entry]:
    """Rings taken / rings (TS, CS)."""
    for agent, began, is_taken, _ in _rings(facts):
        yield _per_ring(facts, agent, began, int(is_taken))


def answer_within_rings_rate(facts: Facts) -> Iterator[Entry]:
    """Rings taken within ten seconds / rings (TS, CS)."""
    for agent, began, is_taken, seconds in _rings(facts):
        yield _per_ring(facts, agent, began, int(is_taken and seconds <= RING_SECONDS))


# --- replies ---------------------------------------------------------------------------------------------------------


def _first_waits(facts: Facts) -> Iterator[tuple[tuple[Unit, ...], dt.date, int | None]]:
    """Chats that waited for a first human reply: team and site, date of the start, seconds; None without a reply.

    The clock starts at the customer's first message, not before the bot has handed over.
    """
    for chat in facts.chats:
        asked = next((message.at for message in chat.messages if message.agent is None), None)
        reply = next((message.at for message in _answers(chat)), None)
        is_short = chat.left is not None and chat.left - chat.waits_from < SHORT_ABANDON_SECONDS
        if asked is not None and not (reply is None and is_short):
            seconds = None if reply is None else max(0, reply - max(asked, chat.waits_from))
            yield facts.queue_units(chat.queue)[1:], facts.date(chat.started), seconds


def first_response_time(facts: Facts) -> Iterator[Entry]:
    """First human reply within 30 s / chats that waited for one; never answered fails (TS, CT)."""
    for units, day, seconds in _first_waits(facts):
        yield Entry(units, "chat", day, int(seconds is not None and seconds <= FIRST_RESPONSE_SECONDS), 1, 1)


def customer_first_response_time(facts: Facts) -> Iterator[Entry]:
    """Seconds to the first human reply / chats with one (TS, CT)."""
    for units, day, seconds in _first_waits(facts):
        if seconds is not None:
            yield Entry(units, "chat", day, seconds, 1, 1)


def first_response_percentile(facts: Facts) -> Iterator[Entry]:
    """Seconds to the first human reply, one observation a chat (TS, CT)."""
    yield from customer_first_response_time(facts)


def assignment_response_time(facts: Facts) -> Iterator[Entry]:
    """First own message within 60 on-duty seconds / segments of chats with a customer message (TE, CS)."""
    messages = {chat.key: chat.messages for chat in facts.chats}
    for segment in facts.segments:
        if segment.channel == "chat" and any(message.agent is None for message in messages[segment.conversation]):
            said = messages[segment.conversation]
            own = [message.at for message in said if (message.agent, message.place) == (segment.agent, segment.place)]
            seconds = facts.on_duty_seconds(segment.agent, segment.start, own[0]) if own else None
            in_time = seconds is not None and seconds <= ASSIGNMENT_RESPONSE_SECONDS
            yield per_segment(facts, segment, int(in_time))


def accept_delay(facts: Facts) -> Iterator[Entry]:
    """Seconds from the beginning of the wait to the acceptance / first segments that have ended (TE, CS)."""
    waits_from = {chat.key: chat.waits_from for chat in facts.chats}
    for segment in facts.segments:
        if segment.channel == "chat" and segment.place == 0:
            yield per_segment(facts, segment, segment.start - waits_from[segment.conversation])


class Turn(NamedTuple):
    """A run of customer messages up to the next human one; `reply` is None when the chat was closed before.

    Runs of mere thanks are none.

    The clock starts at the first of them, not before the assignment of the segment that the reply stands in: `seconds`
    are on-duty seconds of who replied, `elapsed` all of them. These, `units` and `day` are None for a reply in a
    segment that has not ended.
    """

    chat: Chat
    asked: Message
    reply: Message | None
    seconds: int | None
    elapsed: int | None
    units: tuple[Unit, ...] | None
    day: dt.date | None


def _runs(chat: Chat) -> Iterator[tuple[list[Message], Message | None]]:
    """The customer's messages of every run, with the reply; a closing ends a run."""
    run: list[Message] = []
    for place, message in enumerate([*chat.messages, None]):
        if run and (message is None or place in chat.closings):
            yield run, None
            run = []
        if message and message.agent is None:
            run.append(message)
        elif message and run:
            yield run, message
            run = []


@lru_cache(maxsize=1)
def _turns(facts: Facts) -> list[Turn]:
    segments = {(segment.conversation, segment.place): segment for segment in facts.segments}
    turns = []
    for chat in facts.chats:
        for run, reply in _runs(chat):
            if all(message.is_goodbye for message in run):
                continue
            asked, seconds, elapsed, units, day = run[0], None, None, None, None
            if reply and reply.agent and (segment := segments.get((chat.key, reply.place))):
                start = max(asked.at, segment.start)
                seconds, elapsed = facts.on_duty_seconds(reply.agent, start, reply.at), max(0, reply.at - start)
                on = next(
                    (s.day for s in facts.duty[reply.agent] if s.start <= reply.at <= s.end), facts.date(reply.at)
                )
                units, day = facts.units(reply.agent, on), segment.day
            turns.append(Turn(chat, asked, reply, seconds, elapsed, units, day))
    return turns


def avg_response_time(facts: Facts) -> Iterator[Entry]:
    """On-duty seconds over answered turns / answered turns (TE, CS)."""
    for turn in _turns(facts):
        if turn.seconds is not None and turn.units and turn.day:
            yield Entry(turn.units, "chat", turn.day, turn.seconds, 1, 1)


def _is_in_service(facts: Facts, instant: int) -> bool:
    return dt.datetime.fromtimestamp(instant, facts.zone).hour in SERVICE_HOURS


def _response_within(limit: int, facts: Facts) -> Iterator[Entry]:
    """Turns answered within the limit / turns asked in service hours, of chats that have ended (TS, CS).

    The service hours decide which questions count; every second of them does, on duty or not. An unanswered turn is the
    owner's of the segment it was asked in, and of the queue's team when nobody ever owned the chat. Left out: what only
    the bot was asked.
    """
    for turn in _turns(facts):
        chat = turn.chat
        if chat.ended is None or chat.is_bot_only or not _is_in_service(facts, turn.asked.at):
            continue
        if turn.units is not None:
            units = turn.units
        elif chat.parts:
            part = chat.parts[chat.place_of(turn.asked)]
            units = facts.units_at(part.agent, part.started)
        else:
            units = facts.queue_units(chat.queue)[1:]
        in_time = turn.elapsed is not None and turn.elapsed <= limit
        yield Entry(units, "chat", facts.date(chat.started), int(in_time), 1, 1)


def reply_rate(facts: Facts) -> Iterator[Entry]:
    """With a human reply / with a customer message, started in service hours (TS).

    A reply comes after the customer's first message. For agents own ones in ended segments; for team and site (CT) the
    chats themselves, ended or not, without those that only the bot had.
    """
    chats = {chat.key: chat for chat in facts.chats if any(message.agent is None for message in chat.messages)}
    for segment in facts.segments:
        chat = chats.get(segment.conversation)
        if chat and _is_in_service(facts, chat.started):
            is_replied = any((m.agent, m.place) == (segment.agent, segment.place) for m in _answers(chat))
            yield Entry((("agent", segment.agent),), "chat", facts.date(chat.started), int(is_replied), 1, 1)
    for chat in chats.values():
        if not chat.is_bot_only and _is_in_service(facts, chat.started):
            units, is_replied = facts.queue_units(chat.queue)[1:], bool(_answers(chat))
            yield Entry(units, "chat", facts.date(chat.started), int(is_replied), 1, 1)


def slow_response_count(facts: Facts) -> Iterator[Entry]:
    """Conversations handled in which the unit answered three turns or more later than two minutes (TE, CS)."""
    slow: dict[tuple[Unit, str], int] = defaultdict(int)
    for turn in _turns(facts):
        if turn.seconds is not None and turn.seconds > SLOW_TURN_SECONDS:
            for unit in turn.units or ():
                slow[unit, turn.chat.key] += 1
    for (unit, conversation), segment in _handled(facts).items():
        if slow[unit, conversation] >= SLOW_TURNS:
            yield Entry((unit,), segment.channel, segment.day, 1, 0, 1)


# --- bots ------------------------------------------------------------------------------------------------------------


def _per_chat(facts: Facts, chat: Chat, numerator: bool) -> Entry:
    return Entry(facts.queue_units(chat.queue)[1:], "chat", facts.date(chat.started), int(numerator), 1, 1)


def bot_share(facts: Facts) -> Iterator[Entry]:
    """Chats that the bot ended without handing over / chats (TS, CT)."""
    yield from (_per_chat(facts, chat, chat.is_bot_only) for chat in facts.chats)


def human_share(facts: Facts) -> Iterator[Entry]:
    """Chats that waited for a person / chats (TS, CT)."""
    yield from (_per_chat(facts, chat, not chat.is_bot_only) for chat in facts.chats)


def handoff_rate(facts: Facts) -> Iterator[Entry]:
    """Chats that waited for a person / chats in which the bot wrote (TS, CT)."""
    yield from (_per_chat(facts, chat, not chat.is_bot_only) for chat in facts.chats if chat.bot)


def human_preference_rate(facts: Facts) -> Iterator[Entry]:
    """Chats handed over before the bot's second message / chats in which the bot wrote (TS, CT).

    Of Chatwoot alone: Live Helper Chat records no hand-off among its messages.
    """
    for chat in facts.chats:
        if chat.bot and chat.is_of_desk:
            is_early = sum(at <= chat.waits_from for at in chat.bot) < 2
            yield _per_chat(facts, chat, is_early and not chat.is_bot_only)


def bot_resolution_rate(facts: Facts) -> Iterator[Entry]:
    """Ended by the bot, and the customer asked no person within seven days of the start / chats with a bot (TS, CT).

    Only known customers, and chats whose seven days are over.
    """
    asked: dict[str, list[int]] = defaultdict(list)
    for conversation in facts.conversations:
        if conversation.customer_key and not conversation.is_bot_only and not conversation.is_ours:
            asked[conversation.customer_key].append(conversation.started)
    for chat in facts.chats:
        customer, until = facts.identities[chat.customer]["chat"], chat.started + BOT_WINDOW_SECONDS
        if chat.bot and customer and until <= facts.as_of:
            is_asked = any(chat.started < at <= until for at in asked[customer])
            yield _per_chat(facts, chat, chat.is_bot_only and not is_asked)


TRUTH: dict[str, Metric] = {
    "conversations_handled": Metric(conversations_handled, "sum"),
    "calls_inbound_handled": Metric(calls_inbound_handled, "sum"),
    "first_response_time": Metric(first_response_time),
    "customer_first_response_time": Metric(customer_first_response_time),
    "assignment_response_time": Metric(assignment_response_time),
    "accept_delay": Metric(accept_delay),
    "avg_response_time": Metric(avg_response_time),
    "service_level": Metric(service_level),
    "abandonment_rate": Metric(abandonment_rate),
    "asa": Metric(asa),
    "aht": Metric(aht),
    "avg_talk_time": Metric(avg_talk_time),
    "acw_avg": Metric(acw_avg),
    "transfer_out_rate": Metric(transfer_out_rate),
    "blind_transfer_rate": Metric(partial(_kind_of_transfer_rate, "blind")),
    "consult_transfer_rate": Metric(partial(_kind_of_transfer_rate, "consult")),
    "transfer_kind_coverage": Metric(transfer_kind_coverage),
    "conversations_assigned": Metric(conversations_assigned, "sum"),
    "conversations_closed": Metric(conversations_closed, "sum"),
    "effective_conversation_rate": Metric(effective_conversation_rate),
    "unique_customers_served": Metric(unique_customers_served, "distinct"),
    "messages_sent_agent": Metric(messages_sent_agent, "sum"),
    "messages_received_customer": Metric(messages_received_customer, "sum"),
    "qa_ratio": Metric(qa_ratio),
    "talk_time_total": Metric(talk_time_total, "sum"),
    "concurrent_avg": Metric(concurrent_avg),
    "avg_session_duration": Metric(avg_session_duration),
    "avg_abandon_time": Metric(avg_abandon_time),
    "answer_rate": Metric(answer_rate),
    "answer_within_rings_rate": Metric(answer_within_rings_rate),
    "first_response_median": Metric(first_response_percentile, "percentile", quantile=Fraction(1, 2)),
    "first_response_p90": Metric(first_response_percentile, "percentile", quantile=Fraction(9, 10)),
    "response_within_threshold_rate": Metric(partial(_response_within, RESPONSE_SECONDS)),
    "response_within_180s_rate": Metric(partial(_response_within, LONG_RESPONSE_SECONDS)),
    "reply_rate": Metric(reply_rate),
    "slow_response_count": Metric(slow_response_count, "sum"),
    "bot_share": Metric(bot_share),
    "human_share": Metric(human_share),
    "handoff_rate": Metric(handoff_rate),
    "human_preference_rate": Metric(human_preference_rate),
    "bot_resolution_rate": Metric(bot_resolution_rate),
}

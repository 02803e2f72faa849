"""The metrics of a simulated operation, computed from what happened and from nothing else.

Every number of the warehouse has gone through source formats, connectors and SQL; these have not. One function stands
for each metric of the catalogue, on whole seconds, since no source keeps less. Words as in the metric handbook: a
*segment* is one agent's part of a conversation; TE books on the segment's end, TS on the start of the conversation, TR
on the rated conversation; CS credits the segment's agent, CL the last agent with an effective segment, CT the queue.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World

# Parameters of the definitions.
SHIFT_MARGIN_SECONDS = 3600
SHORT_ABANDON_SECONDS = 5
FIRST_RESPONSE_SECONDS = 30
ASSIGNMENT_RESPONSE_SECONDS = 60
ACW_CAP_SECONDS = 600
IDLE_GAP_SECONDS = 300
STALE_CLOSE_SECONDS = 7 * 86400
RATING_WINDOW_SECONDS = 72 * 3600
LONGEST_PUNCH_SECONDS = 16 * 3600
LEAST_PLAYBACK_SHARE = Fraction(3, 10)
TOP_BOX_FROM = 4
RATINGS_PER_CUSTOMER_AND_AGENT = 2

# Both chat systems are one channel. Live Helper Chat records no invitations: nobody can measure those.
_CHANNEL = {"voice": "voice", "chat": "chat", "desk": "chat"}
_RECORDS_INVITATIONS = ("voice", "desk")
_COUNTS = frozenset({"conversations_handled", "calls_inbound_handled"})

Unit = tuple[str, str]
Number = int | Fraction
VALUES = pa.schema(
    {
        "metric_id": pa.string(),
        "unit_kind": pa.string(),
        "unit_key": pa.string(),
        "channel": pa.string(),
        "period_kind": pa.string(),
        "period": pa.string(),
        "numerator": pa.decimal128(24, 6),
        "denominator": pa.decimal128(24, 6),
        "n": pa.int64(),
    }
)


class Entry(NamedTuple):
    """One observation: what it adds to the numerator and denominator of the units it is credited to on a day."""

    units: tuple[Unit, ...]
    channel: str
    day: dt.date
    numerator: Number
    denominator: Number
    n: int


class Shift(NamedTuple):
    """One rostered shift; seconds since 1970 UTC, the end excluded."""

    day: dt.date
    start: int
    end: int
    required_seconds: int


class Message(NamedTuple):
    """One message of a visitor (agent is None) or an agent; `place` counts the owners and episodes before it."""

    at: int
    agent: str | None
    place: int


class Chat(NamedTuple):
    """One chat; seconds since 1970 UTC. It waits for a person from `waits_from`: its start, or the end of the bot."""

    key: str
    queue: str
    started: int
    waits_from: int
    accepted: int | None
    ended: int | None
    left: int | None
    messages: list[Message]


class Segment(NamedTuple):
    """One agent's part of a conversation that has ended."""

    channel: str
    conversation: str
    place: int
    agent: str
    start: int
    end: int
    day: dt.date
    is_effective: bool
    is_transfer: bool
    handle_seconds: int


class Facts:
    """What happened, in the words of the metrics.

    Args:
        world: the tables; nothing else of it is read.
        scenario: for the time zone and the months.
        as_of: the moment of looking, which decides about chats that were never closed.
    """

    def __init__(self, world: World, scenario: Scenario, as_of: dt.datetime) -> None:
        self._tables = world.tables
        self._zone = scenario.zone
        self.months = {f"{month:%Y-%m}" for month in scenario.month_starts[:-1]}
        self._as_of = int(as_of.timestamp())
        self.queue_team = {row["queue_id"]: row["team_id"] for row in self.rows("queue")}
        self.service_level_seconds = {row["queue_id"]: row["service_level_seconds"] for row in self.rows("queue")}
        self.identities = {
            row["customer_id"]: {"voice": row["phone"], "chat": row["phone"] or row["email"]}
            for row in self.rows("customer")
        }
        keys = [row["agent_key"] for row in self.rows("agent")]
        self.staff = {staff_phone(key) for key in keys} | {staff_email(key) for key in keys}
        self._dates: dict[int, dt.date] = {}
        self._teams: dict[str, list[tuple[dt.date, dt.date, str]]] = defaultdict(list)
        for row in self.rows("membership"):
            until = row["valid_to"] or dt.date.max
            self._teams[row["agent_key"]].append((row["valid_from"], until, row["team_id"]))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of a table; instants are whole seconds since 1970 UTC."""
        table = self._tables[name]
        for place, column in enumerate(table.schema):
            if pa.types.is_timestamp(column.type):
                seconds = pc.floor_temporal(table[column.name], unit="second").cast(pa.timestamp("s", "UTC"))
                table = table.set_column(place, column.name, seconds.cast(pa.int64()))
        rows: list[dict[str, Any]] = table.to_pylist()
        return rows

    # --- people and days ---------------------------------------------------------------------------------------------

    def date(self, instant: int) -> dt.date:
        """Returns the local date of an instant."""
        hour = instant // 900
        if hour not in self._dates:
            self._dates[hour] = dt.datetime.fromtimestamp(instant, self._zone).date()
        return self._dates[hour]

    def units(self, agent: str, on: dt.date) -> tuple[Unit, ...]:
        """Returns the agent, the team of that date and the site."""
        team = next((team for first, until, team in self._teams[agent] if first <= on < until), None)
        return (("agent", agent), *((("team", team),) if team else ()), ("site", "site"))

    def queue_units(self, queue: str) -> tuple[Unit, ...]:
        """Returns the queue, its team and the site."""
        return ("queue", queue), ("team", self.queue_team[queue]), ("site", "site")

    @cached_property
    def roster(self) -> dict[str, list[Shift]]:
        """Shifts of every agent in order."""
        roster: dict[str, list[Shift]] = defaultdict(list)
        for row in self.rows("shift"):
            if not row["is_rest_day"]:
                start, end = row["start_at"], row["end_at"]
                required = end - start - row["break_seconds"]
                roster[row["agent_key"]].append(Shift(row["shift_date"], start, end, required))
        return roster

    def business_date(self, agent: str, start: int, anchor: int) -> dt.date:
        """Returns the date of the shift that holds the start, else one whose margin does, else the anchor's own."""
        near = [
            shift
            for shift in self.roster[agent]
            if shift.start - SHIFT_MARGIN_SECONDS <= start <= shift.end + SHIFT_MARGIN_SECONDS
        ]
        if not near:
            return self.date(anchor)
        return min(near, key=lambda shift: (not shift.start <= start <= shift.end, shift.day)).day

    def on_duty_seconds(self, agent: str, start: int, end: int) -> int:
        """Returns the seconds of a wait inside the agent's shifts; all of them for a reply outside the roster."""
        shifts = self.roster[agent]
        if any(shift.start <= end <= shift.end for shift in shifts):
            return sum(max(0, min(end, shift.end) - max(start, shift.start)) for shift in shifts)
        return max(0, end - start)

    # --- conversations -----------------------------------------------------------------------------------------------

    @cached_property
    def calls(self) -> list[dict[str, Any]]:
        """Visits to telephone queues, with the number of the first visit of the same call as `conversation`."""
        calls = [row for row in self.rows("call") if row["direction"] == "inbound"]
        root = {row["call_id"]: row["call_id"] for row in calls}
        for row in sorted(calls, key=lambda row: int(row["entered_at"])):
            if row["next_call_id"] is not None:
                root[row["next_call_id"]] = root[row["call_id"]]
        for row in calls:
            row["conversation"] = f"voice:{root[row['call_id']]}"
        return sorted(calls, key=lambda row: (row["entered_at"], row["call_id"]))

    @cached_property
    def _parts(self) -> dict[int, list[dict[str, Any]]]:
        """Every chat's owners in order."""
        parts: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.rows("chat_segment"), key=lambda row: int(row["number"])):
            parts[row["chat_id"]].append(row)
        return parts

    @cached_property
    def chats(self) -> list[Chat]:
        """Every chat with the messages that count."""
        said: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in sorted(self.rows("message"), key=lambda row: int(row["message_id"])):
            said[row["chat_id"]].append(row)
        chats = []
        for row in self.rows("chat"):
            messages: list[Message] = []
            place = 0
            for message in said[row["chat_id"]]:
                if message["author"] == "system" and message["text"] == "transferred":
                    place += 1
                elif message["author"] == "system" and message["text"] == "reopened":
                    place = sum(part["started_at"] <= message["sent_at"] for part in self._parts[row["chat_id"]])
                elif message["author"] in ("visitor", "agent"):
                    agent = message["agent_key"] if message["author"] == "agent" else None
                    messages.append(Message(message["sent_at"], agent, place))
            ended = row["closed_at"]
            if ended is None:
                events = [message["sent_at"] for message in said[row["chat_id"]]]
                stale = max([*events, row["accepted_at"] or row["started_at"]]) + STALE_CLOSE_SECONDS
                ended = stale if stale <= self._as_of else None
            chats.append(
                Chat(
                    key=f"chat:{row['chat_id']}",
                    queue=row["queue_id"],
                    started=row["started_at"],
                    waits_from=row["bot_until"] or row["started_at"],
                    accepted=row["accepted_at"],
                    ended=ended,
                    left=row["visitor_left_at"],
                    messages=messages,
                )
            )
        return chats

    @cached_property
    def segments(self) -> list[Segment]:
        """Every ended segment, of a conversation in order."""
        return [*self._call_segments(), *self._chat_segments()]

    def _call_segments(self) -> Iterator[Segment]:
        for place, call in enumerate(self.calls):
            if call["answered_at"] is not None and call["ended_at"] is not None:
                agent, start, end = call["agent_key"], call["answered_at"], call["ended_at"]
                yield Segment(
                    channel="voice",
                    conversation=call["conversation"],
                    place=place,
                    agent=agent,
                    start=start,
                    end=end,
                    day=self.business_date(agent, start, end),
                    is_effective=True,
                    is_transfer=call["ended_by"] == "transfer",
                    handle_seconds=end - start,
                )

    def _chat_segments(self) -> Iterator[Segment]:
        for chat in self.chats:
            for place, part in enumerate(self._parts[int(chat.key.removeprefix("chat:"))]):
                agent, start = part["agent_key"], part["started_at"]
                end = part["ended_at"] if part["ended_at"] is not None else chat.ended
                if end is None:
                    continue
                spoken = [message for message in chat.messages if message.place == place]
                yield Segment(
                    channel="chat",
                    conversation=chat.key,
                    place=place,
                    agent=agent,
                    start=start,
                    end=end,
                    day=self.business_date(agent, start, end),
                    is_effective=any(message.agent == agent for message in spoken)
                    and any(message.agent is None and message.place <= place for message in chat.messages),
                    is_transfer=part["ended_how"] == "transfer",
                    handle_seconds=_active_seconds(start, spoken),
                )

    @cached_property
    def last_effective(self) -> dict[str, Segment]:
        """The last effective segment of each conversation."""
        return {s.conversation: s for s in sorted(self.segments, key=lambda s: s.place) if s.is_effective}

    def conversation_of(self, channel: str, contact_id: int) -> str:
        """Returns the conversation of a contact."""
        return self._conversation_of_call[contact_id] if channel == "voice" else f"chat:{contact_id}"

    @cached_property
    def _conversation_of_call(self) -> dict[int, str]:
        return {call["call_id"]: call["conversation"] for call in self.calls}

    @cached_property
    def conversation_end(self) -> dict[str, int]:
        """When each conversation ended, without those that have not."""
        ends = {chat.key: chat.ended for chat in self.chats if chat.ended is not None}
        for call in self.calls:
            ends[call["conversation"]] = max(call["ended_at"], ends.get(call["conversation"], 0))
        return ends


def _active_seconds(start: int, spoken: list[Message]) -> int:
    """Gaps between the assignment and the messages after it, those above five minutes left out."""
    moments = [start, *(message.at for message in spoken if message.at >= start)]
    return sum(after - before for before, after in pairwise(moments) if after - before <= IDLE_GAP_SECONDS)


# --- work ------------------------------------------------------------------------------------------------------------


def conversations_handled(facts: Facts) -> Iterator[Entry]:
    """Conversations with an effective segment of the unit, on the date of the unit's last one (TE, CS)."""
    last: dict[tuple[Unit, str], Segment] = {}
    for segment in sorted(facts.segments, key=lambda segment: segment.place):
        if segment.is_effective:
            for unit in facts.units(segment.agent, facts.date(segment.start)):
                last[unit, segment.conversation] = segment
    for (unit, _), segment in last.items():
        yield Entry((unit,), segment.channel, segment.day, 1, 0, 1)


def _per_segment(facts: Facts, segment: Segment, numerator: Number, denominator: Number = 1) -> Entry:
    units = facts.units(segment.agent, facts.date(segment.start))
    return Entry(units, segment.channel, segment.day, numerator, denominator, 1)


def calls_inbound_handled(facts: Facts) -> Iterator[Entry]:
    """Answered inbound call legs that have ended (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            yield _per_segment(facts, segment, 1, 0)


def transfer_out_rate(facts: Facts) -> Iterator[Entry]:
    """Effective segments that ended by a transfer / effective segments (TE, CS)."""
    for segment in facts.segments:
        if segment.is_effective:
            yield _per_segment(facts, segment, int(segment.is_transfer))


def aht(facts: Facts) -> Iterator[Entry]:
    """Talk, wrap-up and active seconds / effective segments (TE, CS)."""
    for segment in facts.segments:
        if segment.is_effective:
            yield _per_segment(facts, segment, segment.handle_seconds)
    yield from _wrap_up(facts)


def avg_talk_time(facts: Facts) -> Iterator[Entry]:
    """Talk seconds / answered calls (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            yield _per_segment(facts, segment, segment.handle_seconds)


def acw_avg(facts: Facts) -> Iterator[Entry]:
    """Wrap-up seconds / answered calls (TE, CS)."""
    for segment in facts.segments:
        if segment.channel == "voice":
            yield _per_segment(facts, segment, 0)
    yield from _wrap_up(facts)


def _wrap_up(facts: Facts) -> Iterator[Entry]:
    """Every wrap-up, at most ten minutes of it, on the date of its own start."""
    for state in facts.rows("agent_state"):
        if state["state"] == "acw" and state["ended_at"] is not None:
            agent, start = state["agent_key"], state["started_at"]
            seconds = min(ACW_CAP_SECONDS, state["ended_at"] - start)
            units = facts.units(agent, facts.date(start))
            yield Entry(units, "voice", facts.business_date(agent, start, start), seconds, 0, 0)


# --- queues ----------------------------------------------------------------------------------------------------------


class Stay(NamedTuple):
    """One stay in a queue that has come to an end, short abandons left out."""

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
        if until is not None:
            is_answered = chat.accepted is not None
            yield Stay("chat", chat.queue, chat.waits_from, is_answered, not is_answered, until - chat.waits_from)


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


# --- replies ---------------------------------------------------------------------------------------------------------


def _first_waits(facts: Facts) -> Iterator[tuple[tuple[Unit, ...], dt.date, int | None]]:
    """Chats that waited for a first human reply: team and site, date of the start, seconds; None without a reply.

    The clock starts at the customer's first message, not before the bot has handed over.
    """
    for chat in facts.chats:
        asked = next((message.at for message in chat.messages if message.agent is None), None)
        reply = next((message.at for message in chat.messages if message.agent is not None), None)
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


def assignment_response_time(facts: Facts) -> Iterator[Entry]:
    """First own message within 60 on-duty seconds / segments of chats with a customer message (TE, CS)."""
    messages = {chat.key: chat.messages for chat in facts.chats}
    for segment in facts.segments:
        if segment.channel == "chat" and any(message.agent is None for message in messages[segment.conversation]):
            said = messages[segment.conversation]
            own = [message.at for message in said if (message.agent, message.place) == (segment.agent, segment.place)]
            seconds = facts.on_duty_seconds(segment.agent, segment.start, own[0]) if own else None
            in_time = seconds is not None and seconds <= ASSIGNMENT_RESPONSE_SECONDS
            yield _per_segment(facts, segment, int(in_time))


def accept_delay(facts: Facts) -> Iterator[Entry]:
    """Seconds from the beginning of the wait to the acceptance / first segments that have ended (TE, CS)."""
    waits_from = {chat.key: chat.waits_from for chat in facts.chats}
    for segment in facts.segments:
        if segment.channel == "chat" and segment.place == 0:
            yield _per_segment(facts, segment, segment.start - waits_from[segment.conversation])


def avg_response_time(facts: Facts) -> Iterator[Entry]:
    """On-duty seconds over answered turns / answered turns (TE, CS).

    A turn is a run of customer messages up to the next human one. Its clock starts at the first of them, not before the
    assignment of the segment that the reply stands in; the credit goes to who replied, on that segment's date.
    """
    segments = {(segment.conversation, segment.place): segment for segment in facts.segments}
    for chat in facts.chats:
        asked: int | None = None
        for message in chat.messages:
            if message.agent is None:
                asked = message.at if asked is None else asked
            elif asked is not None:
                if segment := segments.get((chat.key, message.place)):
                    seconds = facts.on_duty_seconds(message.agent, max(asked, segment.start), message.at)
                    units = facts.units(message.agent, facts.date(message.at))
                    yield Entry(units, "chat", segment.day, seconds, 1, 1)
                asked = None


# --- the customer's voice --------------------------------------------------------------------------------------------


def csat_rate(facts: Facts) -> Iterator[Entry]:
    """Ratings of 4 and 5 / valid ratings (TR, CL).

    Not valid, in this order: of a conversation without an effective segment (V9), after 72 hours (V7), by a colleague
    (V3), not the last of its conversation (V1), a customer's third or later for the agent in the month (V2).
    """
    valid: dict[str, tuple[int, int, str, int]] = {}
    for row in sorted(facts.rows("survey"), key=lambda row: (row["answered_at"] or 0, row["survey_id"])):
        conversation = facts.conversation_of(row["channel"], row["contact_id"])
        ended = facts.conversation_end.get(conversation)
        identity = facts.identities[row["customer_id"]][_CHANNEL[row["channel"]]]
        if row["value"] is None or conversation not in facts.last_effective or ended is None or identity in facts.staff:
            continue
        if row["answered_at"] <= ended + RATING_WINDOW_SECONDS:
            valid[conversation] = row["answered_at"], row["survey_id"], identity, row["value"]
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    for conversation, (_, _, identity, value) in sorted(valid.items(), key=lambda item: item[1][:2]):
        segment = facts.last_effective[conversation]
        if identity:
            seen[identity, segment.agent, f"{segment.day:%Y-%m}"] += 1
        if seen[identity, segment.agent, f"{segment.day:%Y-%m}"] <= RATINGS_PER_CUSTOMER_AND_AGENT:
            yield _per_segment(facts, segment, int(value >= TOP_BOX_FROM))


def survey_response_rate(facts: Facts) -> Iterator[Entry]:
    """Invited conversations that were answered / invited ones, where invitations are recorded (TR, CL)."""
    answered: dict[str, bool] = defaultdict(bool)
    for row in facts.rows("survey"):
        if row["channel"] in _RECORDS_INVITATIONS:
            answered[facts.conversation_of(row["channel"], row["contact_id"])] |= row["answered_at"] is not None
    for conversation, is_answered in answered.items():
        if segment := facts.last_effective.get(conversation):
            yield _per_segment(facts, segment, int(is_answered))


# --- reviews, exams, attendance --------------------------------------------------------------------------------------


def qa_listening_score(facts: Facts) -> Iterator[Entry]:
    """Points of reviews / reviews; a fatal one gives 0 (TD, CO).

    Left out: blind second opinions, and by V11 own reviews, contacts of another month, less than 30 % played.
    """
    for row in facts.rows("qa_review"):
        day, contact_day = facts.date(row["reviewed_at"]), facts.date(row["contact_at"])
        played, length = row["playback_seconds"], row["recording_seconds"]
        is_too_short = played is not None and length is not None and played < LEAST_PLAYBACK_SHARE * length
        is_other_month = (day.year, day.month) != (contact_day.year, contact_day.month)
        if not (row["is_blind"] or row["reviewer_key"] == row["agent_key"] or is_too_short or is_other_month):
            score = Fraction(0) if row["is_fatal"] else Fraction(str(row["score"]))
            yield Entry(facts.units(row["agent_key"], day), "none", day, score, 1, 1)


def exam_score(facts: Facts) -> Iterator[Entry]:
    """Best of sitting and make-up / exams due; without either 0, unless on long leave (TD, CO)."""
    sittings: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in facts.rows("exam"):
        sittings[row["agent_key"], row["exam_name"]].append(row)
    for (agent, _), rows in sittings.items():
        scores = [Fraction(str(row["score"])) for row in rows if row["score"] is not None]
        if scores or all(row["absence_reason"] != "long_leave" for row in rows):
            day = min(row["exam_date"] for row in rows)
            yield Entry(facts.units(agent, day), "none", day, max(scores, default=Fraction(0)), 1, 1)


def attendance_rate(facts: Facts) -> Iterator[Entry]:
    """Seconds punched within the shift, at most the required ones / required seconds (TD, CO).

    Left out: days of approved leave, and contradictions: no clock-out, or more than 16 hours between the punches.
    """
    leave = {
        (row["agent_key"], row["start_date"] + dt.timedelta(day))
        for row in facts.rows("leave")
        if row["status"] == "approved"
        for day in range((row["end_date"] - row["start_date"]).days + 1)
    }
    punches: dict[tuple[str, dt.date], list[tuple[int, int | None]]] = defaultdict(list)
    for row in facts.rows("punch"):
        punches[row["agent_key"], row["shift_date"]].append((row["in_at"], row["out_at"]))
    for agent, shifts in facts.roster.items():
        for shift in shifts:
            pairs = punches[agent, shift.day]
            closed = [(came, left) for came, left in pairs if left is not None and left - came <= LONGEST_PUNCH_SECONDS]
            if (agent, shift.day) in leave or len(closed) < len(pairs):
                continue
            inside = sum(max(0, min(left, shift.end) - max(came, shift.start)) for came, left in closed)
            attended, required = min(inside, shift.required_seconds), shift.required_seconds
            yield Entry(facts.units(agent, shift.day), "none", shift.day, attended, required, 1)


TRUTH: dict[str, Callable[[Facts], Iterator[Entry]]] = {
    "conversations_handled": conversations_handled,
    "calls_inbound_handled": calls_inbound_handled,
    "first_response_time": first_response_time,
    "customer_first_response_time": customer_first_response_time,
    "assignment_response_time": assignment_response_time,
    "accept_delay": accept_delay,
    "avg_response_time": avg_response_time,
    "service_level": service_level,
    "abandonment_rate": abandonment_rate,
    "asa": asa,
    "aht": aht,
    "avg_talk_time": avg_talk_time,
    "acw_avg": acw_avg,
    "transfer_out_rate": transfer_out_rate,
    "csat_rate": csat_rate,
    "survey_response_rate": survey_response_rate,
    "qa_listening_score": qa_listening_score,
    "exam_score": exam_score,
    "attendance_rate": attendance_rate,
}


# --- all of it -------------------------------------------------------------------------------------------------------


def metric_values(facts: Facts, metrics: Iterable[str] = tuple(TRUTH)) -> pa.Table:
    """Returns numerator, denominator (NULL for a count) and n of every unit, channel, day and month.

    Channel `all` is voice and chat together; metrics without a channel have `none`. Days outside the scenario and rows
    whose numerator and denominator are both 0 are left out. The schema is `VALUES`, the rows are sorted.
    """
    sums: dict[tuple[str, ...], list[Number]] = defaultdict(lambda: [0, 0, 0])
    for metric in metrics:
        # Most entries share units, channel and day: they are pooled before they are spread over units and periods.
        pooled: dict[tuple[tuple[Unit, ...], str, dt.date], list[Number]] = defaultdict(lambda: [0, 0, 0])
        for entry in TRUTH[metric](facts):
            _add(pooled[entry.units, entry.channel, entry.day], entry[3:])
        for (units, channel, day), numbers in pooled.items():
            month = f"{day:%Y-%m}"
            if month not in facts.months:
                continue
            for unit in units:
                for shown in (channel,) if channel == "none" else (channel, "all"):
                    _add(sums[(metric, *unit, shown, "day", day.isoformat())], numbers)
                    _add(sums[(metric, *unit, shown, "month", month)], numbers)
    kept = sorted(item for item in sums.items() if item[1][0] or item[1][1])
    columns = [list(column) for column in zip(*(key for key, _ in kept), strict=True)] or [[] for _ in range(6)]
    numerators = [_decimal(numbers[0]) for _, numbers in kept]
    denominators = [None if key[0] in _COUNTS else _decimal(numbers[1]) for key, numbers in kept]
    return pa.table([*columns, numerators, denominators, [int(numbers[2]) for _, numbers in kept]], schema=VALUES)


def _add(cell: list[Number], numbers: Iterable[Number]) -> None:
    for place, number in enumerate(numbers):
        cell[place] += number


def truth_tables(world: World, scenario: Scenario, as_of: dt.datetime | None = None) -> dict[str, pa.Table]:
    """Returns the true metric values as `metric_value` and what was planted as `planted`.

    `as_of` is the moment of looking, `scenario.as_of` of the last day unless given.
    """
    as_of = as_of or scenario.as_of(scenario.end)
    return {"metric_value": metric_values(Facts(world, scenario, as_of)), "planted": world.planted}


def write_truth(world: World, scenario: Scenario, path: Path, as_of: dt.datetime | None = None) -> None:
    """Writes the scenario, what was planted and the values of every month as JSON; the same world, the same bytes."""
    tables = truth_tables(world, scenario, as_of)
    months = tables["metric_value"].filter(pc.equal(tables["metric_value"]["period_kind"], "month"))
    body = {
        "scenario": scenario.model_dump(mode="json"),
        "planted": tables["planted"].to_pylist(),
        "metric_values": months.drop_columns("period_kind").to_pylist(),
    }
    text = json.dumps(body, ensure_ascii=False, indent=1, default=_as_json)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _decimal(number: Number) -> Decimal:
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal("0.000001"))


def _as_json(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)

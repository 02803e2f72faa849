"""What happened in a simulated operation, in the words of the metrics, and what a metric is made of.

Nothing here has gone through source formats, connectors or SQL. All durations are whole seconds, since no source keeps
less. Words as in the metric handbook: a *segment* is one agent's part of a conversation; TE books on the segment's end,
TS on the start of the conversation, TR on the rated one, TD on the thing itself; CS credits the segment's agent, CL the
last agent with an effective segment, CT the queue, CO the person it is about.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.configuration import SOURCES
from kefu.simulation.operation import PHRASES
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.simulation.writers.voice import call_uniqueids

# Parameters of the definitions that more than one topic uses.
SHIFT_MARGIN_SECONDS = 3600
SHORT_ABANDON_SECONDS = 5
ACW_CAP_SECONDS = 600
IDLE_GAP_SECONDS = 300
STALE_CLOSE_SECONDS = 7 * 86400
LONGEST_TALK_SECONDS = 4 * 3600

# Both chat systems are one channel.
CHANNEL = {"voice": "voice", "chat": "chat", "desk": "chat"}

_GOODBYES = {text for phrases in PHRASES.values() for text in phrases.visitor_thanks}

Unit = tuple[str, str]
Number = int | Fraction
Kind = Literal["ratio", "sum", "excess", "percentile", "last", "distinct", "per_distinct"]
Grain = Literal["day", "week", "month"]


class Entry(NamedTuple):
    """One observation: what it adds to the numerator and denominator of the units it is credited to on a day.

    `key` is what a distinct count counts; everything else leaves it None.
    """

    units: tuple[Unit, ...]
    channel: str
    day: dt.date
    numerator: Number
    denominator: Number
    n: int
    key: Hashable = None


class Metric(NamedTuple):
    """How a metric is computed from its observations.

    Attributes:
        entries: yields the observations.
        kind: ratio: numerator / denominator; sum: the numerator; excess: what the numerator has above the denominator,
            at least 0; percentile: the smallest numerator with at least `quantile` of all observations up to it;
            last: the numerator of the last day; distinct: how many different keys, counted for each period anew;
            per_distinct: the numerator / these.
        scale: a ratio is multiplied by it.
        quantile: of a percentile.
        grains: for which periods it exists.
    """

    entries: Callable[[Facts], Iterator[Entry]]
    kind: Kind = "ratio"
    scale: int = 1
    quantile: Fraction = Fraction(1, 2)
    grains: tuple[Grain, ...] = ("day", "week", "month")


class Shift(NamedTuple):
    """One rostered shift; seconds since 1970 UTC, the end excluded."""

    day: dt.date
    start: int
    end: int
    required_seconds: int


class Message(NamedTuple):
    """One message of a visitor (agent is None) or an agent; `place` counts the owners and episodes before it.

    `is_goodbye` says that it was written as thanks and nothing else.
    """

    at: int
    agent: str | None
    place: int
    is_goodbye: bool


class Part(NamedTuple):
    """One owner's part of a chat; `place` counts the parts before it, `ended` is None while it is open."""

    place: int
    agent: str
    started: int
    ended: int | None


class Chat(NamedTuple):
    """One chat; seconds since 1970 UTC.

    Attributes:
        key: its conversation.
        customer: who wrote, as a number of the world.
        waits_from: since when it waits for a person: its start, or the end of the bot.
        parts: its owners in order.
        closings: for every closing, how many of `messages` came before it.
        reopened_after: seconds between a closing and the reopening after it.
        bot: when the bot wrote.
        is_bot_only: the bot ended it and handed nothing over.
        is_stale: nobody ended it; the rule did, seven days after the last message.
        is_of_desk: it is of the second system, in which people may write to customers of their own accord.
    """

    key: str
    customer: int
    queue: str
    started: int
    waits_from: int
    accepted: int | None
    ended: int | None
    left: int | None
    messages: list[Message]
    parts: list[Part]
    closings: frozenset[int]
    reopened_after: list[int]
    bot: list[int]
    is_stale: bool
    is_bot_only: bool
    is_of_desk: bool

    def place_of(self, message: Message) -> int:
        """Returns the place of the part a message belongs to; what comes after the last one belongs to it."""
        return min(message.place, len(self.parts) - 1)


class Conversation(NamedTuple):
    """One call with all its visits, or one chat. `ended` is None while it is open, `customer_key` when not known.

    `settled` is the end, or the last word of one that only the rule ended; `is_ours` says that an agent opened it.
    """

    key: str
    channel: str
    customer_key: str | None
    started: int
    ended: int | None
    is_bot_only: bool
    reopened_after: list[int]
    settled: int | None
    is_ours: bool


class Segment(NamedTuple):
    """One agent's part of a conversation that has ended; `spoke` is when the agent first said something in it.

    `transfer_kind` is blind, or consult when the agent asked a colleague first; None without a transfer and of chats,
    which do not tell. `handle_seconds` is None of a call above four hours: it was handled, but how long it took is not
    known.
    """

    channel: str
    conversation: str
    place: int
    agent: str
    start: int
    end: int
    day: dt.date
    is_effective: bool
    is_transfer: bool
    transfer_kind: str | None
    handle_seconds: int | None
    spoke: int


class Facts:
    """What happened, in the words of the metrics.

    Args:
        world: the tables; nothing else of it is read.
        scenario: for the time zone and the months.
        as_of: the moment of looking, which decides about chats that were never closed.
    """

    def __init__(self, world: World, scenario: Scenario, as_of: dt.datetime) -> None:
        self._tables = world.tables
        self._papers = world.papers
        self.zone = scenario.zone
        self.days = scenario.dates
        self.months = {f"{month:%Y-%m}" for month in scenario.month_starts[:-1]}
        self.as_of = int(as_of.timestamp())
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
        """Returns the rows of a table, none when the world lacks it; instants are whole seconds since 1970 UTC."""
        return _plain_rows(self._tables[name]) if name in self._tables else []

    def paper(self, name: str) -> list[dict[str, Any]]:
        """Returns the rows of a sheet, none when it was not written; instants are whole seconds since 1970 UTC."""
        return _plain_rows(self._papers[name]) if name in self._papers else []

    # --- people and days ---------------------------------------------------------------------------------------------

    def date(self, instant: int) -> dt.date:
        """Returns the local date of an instant."""
        hour = instant // 900
        if hour not in self._dates:
            self._dates[hour] = dt.datetime.fromtimestamp(instant, self.zone).date()
        return self._dates[hour]

    def team(self, agent: str, on: dt.date) -> str | None:
        """Returns the team of an agent on a date."""
        return next((team for first, until, team in self._teams[agent] if first <= on < until), None)

    def units(self, agent: str, on: dt.date) -> tuple[Unit, ...]:
        """Returns the agent, the team of that date and the site; who has none, or has left, is in team `unassigned`."""
        return ("agent", agent), ("team", self.team(agent, on) or "unassigned"), ("site", "site")

    def units_at(self, agent: str, instant: int) -> tuple[Unit, ...]:
        """Returns who is credited with work that began at an instant: in a shift the team is that of its date."""
        return self.units(agent, self.business_date(agent, instant, instant))

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

    @cached_property
    def leave(self) -> dict[tuple[str, dt.date], bool]:
        """Days of approved leave by agent and date, and whether they are paid."""
        days: dict[tuple[str, dt.date], bool] = {}
        for row in self.rows("leave"):
            if row["status"] == "approved":
                for number in range((row["end_date"] - row["start_date"]).days + 1):
                    key = row["agent_key"], row["start_date"] + dt.timedelta(days=number)
                    days[key] = days.get(key, False) or bool(row["is_paid"])
        return days

    @cached_property
    def duty(self) -> dict[str, list[Shift]]:
        """Shifts of every agent in order, without those of days on leave: nobody is on duty then."""
        duty: dict[str, list[Shift]] = defaultdict(list)
        for agent, shifts in self.roster.items():
            duty[agent] = [shift for shift in shifts if (agent, shift.day) not in self.leave]
        return duty

    def on_duty_seconds(self, agent: str, start: int, end: int) -> int:
        """Returns the seconds of a wait in which the agent was on duty; all of them for a reply outside the roster."""
        shifts = self.duty[agent]
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
            closings: list[int] = []
            reopened_after: list[int] = []
            place, closed = 0, row["started_at"]
            for message in said[row["chat_id"]]:
                if message["author"] == "system" and message["text"] == "transferred":
                    place += 1
                elif message["author"] == "system" and message["text"] == "reopened":
                    place = sum(part["started_at"] <= message["sent_at"] for part in self._parts[row["chat_id"]])
                    reopened_after.append(message["sent_at"] - closed)
                elif message["author"] == "system" and message["text"].startswith("closed_by_"):
                    closings.append(len(messages))
                    closed = message["sent_at"]
                elif message["author"] in ("visitor", "agent"):
                    agent = message["agent_key"] if message["author"] == "agent" else None
                    is_goodbye = agent is None and message["text"] in _GOODBYES
                    messages.append(Message(message["sent_at"], agent, place, is_goodbye))
            ended = row["closed_at"]
            if ended is None:
                events = [message["sent_at"] for message in said[row["chat_id"]]]
                stale = max([*events, row["accepted_at"] or row["started_at"]]) + STALE_CLOSE_SECONDS
                ended = stale if stale <= self.as_of else None
            chats.append(
                Chat(
                    key=f"chat:{row['chat_id']}",
                    customer=row["customer_id"],
                    queue=row["queue_id"],
                    started=row["started_at"],
                    waits_from=row["bot_until"] or row["started_at"],
                    accepted=row["accepted_at"],
                    ended=ended,
                    left=row["visitor_left_at"],
                    messages=messages,
                    parts=[
                        Part(number, part["agent_key"], part["started_at"], part["ended_at"] or ended)
                        for number, part in enumerate(self._parts[row["chat_id"]])
                    ],
                    closings=frozenset(closings),
                    reopened_after=reopened_after,
                    is_stale=row["closed_at"] is None,
                    is_of_desk=row["channel"] == "desk",
                    # The automatic greeting of Live Helper Chat is no bot: a bot holds a chat until it hands it over.
                    bot=[
                        message["sent_at"]
                        for message in said[row["chat_id"]]
                        if message["author"] == "bot" and row["bot_until"] is not None
                    ],
                    is_bot_only=row["bot_until"] is not None
                    and not self._parts[row["chat_id"]]
                    and row["closed_at"] is not None
                    and row["closed_at"] <= row["bot_until"],
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
                is_transfer = call["ended_by"] == "transfer"
                yield Segment(
                    channel="voice",
                    conversation=call["conversation"],
                    place=place,
                    agent=agent,
                    start=start,
                    end=end,
                    day=self.business_date(agent, start, end),
                    is_effective=True,
                    is_transfer=is_transfer,
                    transfer_kind=("blind" if call["transfer_to"] else "consult") if is_transfer else None,
                    handle_seconds=end - start if end - start <= LONGEST_TALK_SECONDS else None,
                    spoke=start,
                )

    def _chat_segments(self) -> Iterator[Segment]:
        for chat in self.chats:
            hows = self._parts[int(chat.key.removeprefix("chat:"))]
            for (place, agent, start, end), part in zip(chat.parts, hows, strict=True):
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
                    transfer_kind=None,
                    handle_seconds=_active_seconds(start, spoken),
                    spoke=next((message.at for message in spoken if message.agent == agent), end),
                )

    @cached_property
    def asked(self) -> dict[str, int]:
        """When the customer first asked people: not before a bot has handed over; of a call when it was answered."""
        asked: dict[str, int] = {}
        for call in self.calls:
            if call["answered_at"] is not None:
                asked.setdefault(call["conversation"], call["answered_at"])
        for chat in self.chats:
            if first := next((message for message in chat.messages if message.agent is None), None):
                asked[chat.key] = max(first.at, chat.waits_from)
        return asked

    @cached_property
    def last_effective(self) -> dict[str, Segment]:
        """The last effective segment of each conversation."""
        return {s.conversation: s for s in sorted(self.segments, key=lambda s: s.place) if s.is_effective}

    def conversation_of(self, channel: str, contact_id: int) -> str:
        """Returns the conversation of a contact."""
        return self._conversation_of_call[contact_id] if channel == "voice" else f"chat:{contact_id}"

    def conversation_if_known(self, channel: str, contact_id: int) -> str | None:
        """Returns the conversation of a contact that somebody names, None when no system tells of it."""
        return self._conversation_of_call.get(contact_id) if channel == "voice" else f"chat:{contact_id}"

    def contact(self, source_id: str, contact_id: str) -> str | None:
        """Returns the conversation of a contact as the sheets name it, None when no system tells of it."""
        return self._named_contacts.get((source_id, contact_id))

    @cached_property
    def _named_contacts(self) -> dict[tuple[str, str], str]:
        named = call_uniqueids(self._tables["call"].combine_chunks())
        uniqueids = dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))
        contacts = {(SOURCES["voice"], uniqueids[call["call_id"]]): call["conversation"] for call in self.calls}
        for row in self.rows("chat"):
            contacts[SOURCES[row["channel"]], str(row["chat_id"])] = f"chat:{row['chat_id']}"
        return contacts

    @cached_property
    def issue_class(self) -> dict[str, str]:
        """What conversations were about where somebody says so: the label, else the latest ticket of the contact."""
        said: dict[str, str] = {}
        tickets = [row for row in self.paper("ticket") if row["opened_at"] <= self.as_of]
        for row in sorted(tickets, key=lambda row: (row["opened_at"], row["ticket_id"])):
            conversation = self.contact(row["contact_source_id"], row["contact_id"])
            if conversation is not None and row["issue_class"] is not None:
                said[conversation] = row["issue_class"]
        for row in self.paper("contact_label"):
            conversation = self.contact(row["contact_source_id"], row["contact_id"])
            if conversation is not None and row["label"] == "issue_class" and row["value"]:
                said[conversation] = row["value"]
        return said

    @cached_property
    def labels(self) -> dict[str, dict[str, str | None]]:
        """What is noted about conversations: values by label, None where the label alone says yes."""
        noted: dict[str, dict[str, str | None]] = defaultdict(dict)
        for row in self.paper("contact_label"):
            if conversation := self.contact(row["contact_source_id"], row["contact_id"]):
                noted[conversation][row["label"]] = row["value"]
        return noted

    @cached_property
    def conversations(self) -> list[Conversation]:
        """Every inbound conversation."""
        calls: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for call in self.calls:
            calls[call["conversation"]].append(call)
        found = []
        for key, visits in calls.items():
            caller = self.identities[visits[0]["customer_id"]]["voice"] or None
            ended = max(visit["ended_at"] for visit in visits)
            found.append(Conversation(key, "voice", caller, visits[0]["entered_at"], ended, False, [], ended, False))
        for chat in self.chats:
            visitor = self.identities[chat.customer]["chat"] or None
            settled = chat.ended - STALE_CLOSE_SECONDS if chat.is_stale and chat.ended is not None else chat.ended
            # Visitors begin the chats of the website; at the desk whoever writes first does.
            is_ours = chat.is_of_desk and not chat.bot and bool(chat.messages) and chat.messages[0].agent is not None
            found.append(
                Conversation(
                    key=chat.key,
                    channel="chat",
                    customer_key=visitor,
                    started=chat.started,
                    ended=chat.ended,
                    is_bot_only=chat.is_bot_only,
                    reopened_after=chat.reopened_after,
                    settled=settled,
                    is_ours=is_ours,
                )
            )
        return found

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


def _plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    for place, column in enumerate(table.schema):
        if pa.types.is_timestamp(column.type):
            seconds = pc.floor_temporal(table[column.name], unit="second").cast(pa.timestamp("s", "UTC"))
            table = table.set_column(place, column.name, seconds.cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _active_seconds(start: int, spoken: list[Message]) -> int:
    """Gaps between the assignment and the messages after it, those above five minutes left out."""
    moments = [start, *(message.at for message in spoken if message.at >= start)]
    return sum(after - before for before, after in pairwise(moments) if after - before <= IDLE_GAP_SECONDS)


def per_segment(facts: Facts, segment: Segment, numerator: Number, denominator: Number = 1) -> Entry:
    """Returns an observation credited to the segment's agent on its date."""
    units = facts.units_at(segment.agent, segment.start)
    return Entry(units, segment.channel, segment.day, numerator, denominator, 1)

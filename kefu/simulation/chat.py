"""Chats of both chat systems: a bot first, acceptance by agents with several chats at a time, and what is written."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simpy

from kefu.simulation.company import Company, instants, queue_id, table
from kefu.simulation.demand import Arrival, Customers, Issue
from kefu.simulation.operation import OPERATION, PHRASES
from kefu.simulation.queueing import Exchange, Seat
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import SCHEMAS

_CHAT, _RESOLUTION = OPERATION.chat, OPERATION.resolution
Process = Generator[simpy.Event, Any, None]
Ints = npt.NDArray[np.int64]


class Kind(IntEnum):
    """What a message is; the order is that of `AUTHORS`."""

    VISITOR_OPENING = 0
    VISITOR_REPLY = 1
    VISITOR_MORE = 2
    VISITOR_THANKS = 3
    AGENT_GREETING = 4
    AGENT_REPLY = 5
    AGENT_MORE = 6
    AGENT_CLOSING = 7
    BOT_REPLY = 8
    WHISPER = 9
    TRANSFERRED = 10
    CLOSED_BY_VISITOR = 11
    CLOSED_BY_AGENT = 12
    REOPENED = 13


# System messages are what the systems note down; their text is the name of the kind, and a writer words it.
AUTHORS = ["visitor"] * 4 + ["agent"] * 4 + ["bot", "whisper"] + ["system"] * 4
_FIRST_SYSTEM = Kind.TRANSFERRED
_HAS_AGENT = np.isin(list(Kind), [*range(4, 8), Kind.WHISPER, Kind.TRANSFERRED, Kind.CLOSED_BY_AGENT])
_TURN = np.array([Kind.VISITOR_REPLY, Kind.VISITOR_MORE, Kind.AGENT_REPLY, Kind.AGENT_MORE])


@dataclass(slots=True, eq=False)
class Segment:
    """One owner's part of a chat."""

    number: int
    seat: Seat
    started_at: int
    ended_at: int | None = None
    ended_how: str | None = None


@dataclass(slots=True, eq=False)
class Chat:
    """One chat. Instants are seconds since 1970 UTC."""

    number: int
    channel: str
    queue_id: str
    issue: Issue
    started_at: int
    is_group: bool
    queued_at: int
    bot_until: int | None = None
    accepted_at: int | None = None
    closed_at: int | None = None
    closed_by: str | None = None
    visitor_left_at: int | None = None
    reopened_at: int | None = None
    is_solved: bool = False
    was_answered: bool = False
    segments: list[Segment] = field(default_factory=list)
    taken: simpy.Event | None = None


@dataclass
class ChatRecord:
    """What happened in the chats; `said` holds chat, agent, instants and kinds of what was said at a time."""

    chats: list[Chat] = field(default_factory=list)
    said: list[tuple[Chat, int, Ints, Ints]] = field(default_factory=list)

    def tables(self, seed: int, keys: list[str], customers: Customers) -> dict[str, pa.Table]:
        """Returns the tables `chat`, `chat_segment` and `message`."""
        segments = [
            (
                chat.number,
                part.number,
                keys[part.seat.agent],
                chat.queue_id,
                part.started_at,
                part.ended_at,
                part.ended_how,
            )
            for chat in self.chats
            for part in chat.segments
        ]
        return {
            "chat": table("chat", [_chat_row(chat, keys) for chat in self.chats]),
            "chat_segment": table("chat_segment", segments),
            "message": self._messages(seed, keys, customers),
        }

    def _messages(self, seed: int, keys: list[str], customers: Customers) -> pa.Table:
        counts = [len(at) for _, _, at, _ in self.said]
        chat = np.repeat([spoken.number for spoken, *_ in self.said], counts)
        agent = np.repeat([who for _, who, _, _ in self.said], counts)
        at = np.concatenate([at for _, _, at, _ in self.said])
        kind = np.concatenate([kinds for *_, kinds in self.said])
        # A chat's messages are said in order, so that the sort may keep the order of equal seconds.
        order = np.argsort(at, kind="stable")
        chat, agent, at, kind = chat[order], agent[order], at[order], kind[order]
        texts = Texts()
        languages = np.array([texts.languages.index(customers.languages[c.issue.customer - 1]) for c in self.chats])
        classes = np.array([texts.classes.index(c.issue.issue_class) for c in self.chats])
        return message_table(
            np.arange(1, len(chat) + 1),
            chat,
            kind,
            pa.array(keys).take(pa.array(agent, mask=~_HAS_AGENT[kind])),
            at,
            texts.draw(stream(seed, "texts"), kind, languages[chat - 1], classes[chat - 1]),
        )


def message_table(number: Ints, chat: Ints, kind: Ints, agent_key: pa.Array, at: Ints, text: pa.Array) -> pa.Table:
    """Returns the table `message` from its columns; `at` in seconds since 1970 UTC."""
    authors = pa.array(AUTHORS).take(pa.array(kind))
    return pa.table([number, chat, authors, agent_key, instants(at), text], schema=SCHEMAS["message"])


def _chat_row(chat: Chat, keys: list[str]) -> tuple[Any, ...]:
    return (
        chat.number,
        chat.channel,
        chat.queue_id,
        chat.issue.customer,
        chat.issue.number,
        chat.started_at,
        chat.accepted_at,
        keys[chat.segments[-1].seat.agent] if chat.segments else None,
        chat.closed_at,
        chat.closed_by,
        chat.visitor_left_at,
        chat.bot_until,
        chat.is_group,
        chat.reopened_at,
    )


class Texts:
    """What is written: the phrases of a kind, language and issue class, drawn by number."""

    def __init__(self) -> None:
        self.languages = list(PHRASES)
        self.classes = list(OPERATION.demand.issue_classes)
        phrases: list[str] = []
        size = (len(Kind), len(self.languages), len(self.classes))
        self._first, self._count = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for place in np.ndindex(*size):
            kind, language, issue_class = Kind(place[0]), self.languages[place[1]], self.classes[place[2]]
            said = [kind.name.lower()]
            if kind < _FIRST_SYSTEM:
                declared = getattr(PHRASES[language], kind.name.lower())
                said = declared[issue_class] if isinstance(declared, dict) else declared
            self._first[place], self._count[place] = len(phrases), len(said)
            phrases += said
        self._phrases = pa.array(phrases)

    def draw(self, rng: np.random.Generator, kind: Ints, language: Ints, issue_class: Ints) -> pa.Array:
        """Returns one text for each message."""
        place = (kind, language, issue_class)
        chosen = self._first[place] + (rng.random(len(kind)) * self._count[place]).astype(np.int64)
        return self._phrases.take(pa.array(chosen))


def run_chats(scenario: Scenario, company: Company, arrivals: list[Arrival]) -> ChatRecord:
    """Returns what happens when these visitors come, on both chat systems."""
    return _Centre(scenario, company).run(sorted(arrivals, key=lambda arrival: arrival.at))


class _Centre:
    def __init__(self, scenario: Scenario, company: Company) -> None:
        self._rng = stream(scenario.seed, "chat")
        self._courtesy = stream(scenario.seed, "courtesy")
        self._bots, self._bot_share = stream(scenario.seed, "chat bots"), scenario.chat_bot_share
        self._closes_at = scenario.second(scenario.end)
        self._env = simpy.Environment(scenario.second(scenario.start))
        self._company = company
        queues = [queue_id(channel, line) for channel in ("chat", "desk") for line in company.lines]
        self._exchange: Exchange[Chat] = Exchange(queues, _CHAT.capacity)
        self._record = ChatRecord()

    def run(self, arrivals: list[Arrival]) -> ChatRecord:
        self._env.process(self._arrive(arrivals))
        for channel in ("chat", "desk"):
            for seat in self._company.seats.get(channel, []):
                self._env.process(self._attend(seat))
        self._env.run()
        return self._record

    def _now(self) -> int:
        return int(self._env.now)

    def _wait_until(self, at: int) -> simpy.Timeout:
        return self._env.timeout(max(0, at - self._now()))

    def _say(self, chat: Chat, kind: Kind, seat: Seat | None = None) -> None:
        self._record.said.append((chat, seat.agent if seat else -1, np.array([self._now()]), np.array([kind])))

    def _arrive(self, arrivals: list[Arrival]) -> Process:
        for arrival in arrivals:
            yield self._wait_until(arrival.at)
            channel = arrival.queue_id.split("_")[0]
            is_group = bool(self._rng.random() < _CHAT.group_share)
            number, now = len(self._record.chats) + 1, self._now()
            chat = Chat(number, channel, arrival.queue_id, arrival.issue, now, is_group, now)
            self._record.chats.append(chat)
            self._env.process(self._live(chat))

    # --- agents ------------------------------------------------------------------------------------------------------

    def _attend(self, seat: Seat) -> Process:
        lunch = seat.at(_CHAT.lunch.at_share + _CHAT.lunch.jitter_share * self._rng.uniform(-1, 1))
        yield self._wait_until(seat.starts_at)
        self._open(seat)
        yield self._wait_until(lunch)
        self._shut(seat)
        yield self._wait_until(lunch + _CHAT.lunch.seconds)
        self._open(seat)
        yield self._wait_until(seat.ends_at - _CHAT.last_acceptance_seconds)
        self._shut(seat)

    def _open(self, seat: Seat) -> None:
        seat.is_open = True
        self._fill(seat)

    def _shut(self, seat: Seat) -> None:
        seat.is_open = False
        self._exchange.withdraw(seat)

    def _fill(self, seat: Seat) -> None:
        """Gives a seat what waits, and lets it be taken if there is room left."""
        self._exchange.withdraw(seat)
        while seat.is_open and seat.load < _CHAT.capacity:
            chat = self._exchange.take_contact(seat)
            if chat is None:
                self._exchange.offer(seat)
                return
            seat.load += 1
            assert chat.taken
            chat.taken.succeed(seat)

    def _release(self, seat: Seat) -> None:
        seat.load -= 1
        self._fill(seat)

    def _find(self, queue: str) -> Seat | None:
        seat = self._exchange.take_seat(queue)
        if seat:
            seat.load += 1
            self._fill(seat)
        return seat

    # --- chats -------------------------------------------------------------------------------------------------------

    def _live(self, chat: Chat) -> Process:
        self._say(chat, Kind.VISITOR_OPENING)
        rng = self._rng if chat.channel == "desk" else self._bots
        if chat.channel == "desk" or rng.random() < self._bot_share:
            yield self._env.timeout(2)
            self._say(chat, Kind.BOT_REPLY)
            yield self._env.timeout(_CHAT.bot.draw(rng))
            chat.bot_until = self._now()
            self._say(chat, Kind.BOT_REPLY)
            if rng.random() < _CHAT.bot_solved_share:
                chat.issue.is_solved = True
                self._close(chat, "visitor")
                return
        else:
            yield self._env.timeout(1)
            self._say(chat, Kind.BOT_REPLY)
        yield from self._episode(chat)
        if chat.channel == "desk" and chat.closed_at and self._rng.random() < _CHAT.reopened_share:
            yield self._env.timeout(_CHAT.reopened_after.draw(self._rng))
            if self._now() >= self._closes_at:
                return
            chat.reopened_at = self._now()
            chat.closed_at = chat.closed_by = chat.visitor_left_at = None
            self._say(chat, Kind.REOPENED)
            self._say(chat, Kind.VISITOR_REPLY)
            yield from self._episode(chat)

    def _episode(self, chat: Chat) -> Process:
        """One life of a chat, from its queue to its closing."""
        chat.queued_at = self._now()
        seat = self._find(chat.queue_id) or (yield from self._wait(chat))
        if seat is None:
            self._give_up(chat)
            return
        yield self._env.timeout(_CHAT.acceptance.draw(self._rng))
        chat.accepted_at = chat.accepted_at or self._now()
        yield from self._converse(chat, seat)

    def _wait(self, chat: Chat) -> Generator[simpy.Event, Any, Seat | None]:
        """Waits for an agent, whom it returns, or until the visitor's patience ends."""
        chat.taken = self._env.event()
        self._exchange.join(chat)
        yield chat.taken | self._env.timeout(_CHAT.patience.draw(self._rng))
        if chat.taken.triggered:
            return cast(Seat, chat.taken.value)
        self._exchange.leave(chat)
        return None

    def _give_up(self, chat: Chat) -> None:
        chat.visitor_left_at = self._now()
        if self._rng.random() >= _CHAT.waiting_stays_open_share:
            self._close(chat, "visitor")

    def _close(self, chat: Chat, by: str) -> None:
        chat.closed_at, chat.closed_by = self._now(), by
        if by == "visitor":
            chat.visitor_left_at = self._now()
        self._say(
            chat,
            Kind.CLOSED_BY_VISITOR if by == "visitor" else Kind.CLOSED_BY_AGENT,
            chat.segments[-1].seat if chat.segments and by == "agent" else None,
        )

    def _converse(self, chat: Chat, seat: Seat) -> Process:
        rng = self._rng
        self._begin(chat, seat)
        if rng.random() < _CHAT.leaves_before_reply_share:
            yield self._wait_until(min(self._now() + _CHAT.visitor_gap.draw(rng), seat.ends_at - 1))
            chat.visitor_left_at = self._now()
        else:
            turns = 1 + int(rng.poisson((_CHAT.mean_turns - 1) * (_CHAT.group_turns if chat.is_group else 1.0)))
            is_transfer = turns > 1 and rng.random() < _CHAT.transfer_share
            yield from self._talk(chat, seat, turns // 2 if is_transfer else turns)
            target = self._hand_over(chat, seat) if is_transfer else None
            if target:
                seat = target
                yield from self._talk(chat, seat, turns - turns // 2)
            if rng.random() < _CHAT.thanks_share:
                is_answered = self._courtesy.random() < _CHAT.thanks_answered_share
                for kind in (Kind.VISITOR_THANKS, Kind.AGENT_CLOSING):
                    yield self._wait_until(min(self._now() + _CHAT.burst_gap.draw(rng), seat.ends_at - 1))
                    if is_answered or kind == Kind.VISITOR_THANKS:
                        self._say(chat, kind, seat)
        if rng.random() < _CHAT.stale_share:
            self._release(seat)
            return
        is_visitor = chat.visitor_left_at is not None or rng.random() < _CHAT.closed_by_visitor_share
        gap = _CHAT.closing_gap.draw(rng)
        if not is_visitor and gap > 2 and rng.random() < _CHAT.visitor_leaves_share:
            yield self._wait_until(min(self._now() + gap // 2, seat.ends_at))
            chat.visitor_left_at = self._now()
        yield self._wait_until(min(self._now() + gap, seat.ends_at))
        self._end(chat, "closed")
        self._resolve(chat, seat)
        self._close(chat, "visitor" if is_visitor else "agent")
        self._release(seat)

    def _begin(self, chat: Chat, seat: Seat) -> None:
        chat.segments.append(Segment(len(chat.segments) + 1, seat, self._now()))

    def _end(self, chat: Chat, how: str) -> None:
        chat.segments[-1].ended_at, chat.segments[-1].ended_how = self._now(), how

    def _hand_over(self, chat: Chat, seat: Seat) -> Seat | None:
        """Passes a chat on to another agent, whom it returns, or None if nobody is free."""
        self._exchange.withdraw(seat)
        target = self._find(chat.queue_id)
        if target:
            self._say(chat, Kind.TRANSFERRED, seat)
            self._end(chat, "transfer")
            self._begin(chat, target)
            self._release(seat)
        else:
            self._fill(seat)
        return target

    def _talk(self, chat: Chat, seat: Seat, turns: int) -> Process:
        """Writes the turns of one owner; the visitor has spoken before. Ends with the last message."""
        rng, now = self._rng, self._now()
        gaps = np.empty((turns, 4))
        gaps[:, 0] = _CHAT.visitor_gap.draws(rng, turns)
        gaps[:, 1] = _CHAT.burst_gap.draws(rng, turns)
        gaps[:, 2] = _CHAT.agent_gap.draws(rng, turns) * seat.response * chat.issue.handling
        gaps[0, 2] = _CHAT.first_reply.draw(rng, seat.response)
        gaps[:, 3] = _CHAT.burst_gap.draws(rng, turns)
        is_said = np.ones((turns, 4), bool)
        is_said[:, 1] = rng.random(turns) < _CHAT.visitor_burst_share
        is_said[:, 3] = rng.random(turns) < _CHAT.agent_burst_share
        is_said[0, :2] = False
        after = np.cumsum(np.maximum(1, np.rint(gaps[is_said]))).astype(np.int64)
        # Nobody stays after the shift: what is left is said faster.
        left = max(0, seat.ends_at - now - 1)
        if after[-1] > left:
            after = after * left // after[-1]
        kinds = np.broadcast_to(_TURN, is_said.shape)[is_said]
        if len(chat.segments) == 1:
            kinds[0] = Kind.AGENT_GREETING
        self._record.said.append((chat, seat.agent, now + after, kinds))
        chat.was_answered = True
        yield self._wait_until(now + int(after[-1]))
        if rng.random() < _CHAT.whisper_share:
            self._say(chat, Kind.WHISPER, seat)

    def _resolve(self, chat: Chat, seat: Seat) -> None:
        rng, issue = self._rng, chat.issue
        solved = _RESOLUTION.solved_share + _RESOLUTION.solved_per_quality * seat.quality
        chat.is_solved = issue.is_solved = bool(rng.random() < solved)
        if issue.is_solved or rng.random() >= _RESOLUTION.repeat_share or issue.contacts >= _RESOLUTION.most_contacts:
            return
        at = self._now() + _RESOLUTION.repeat_after.draw(rng)
        if at < self._closes_at:
            issue.contacts += 1
            self._env.process(self._arrive([Arrival(at, chat.queue_id, issue)]))

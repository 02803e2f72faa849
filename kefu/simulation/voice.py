"""The telephone: queues with patience, agents with pauses, transfers, repeats and outbound calls."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import simpy

from kefu.simulation.company import Company, queue_id, table
from kefu.simulation.demand import Arrival, Issue
from kefu.simulation.operation import OPERATION
from kefu.simulation.queueing import Exchange, Seat
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario

_VOICE, _OUTBOUND, _RESOLUTION = OPERATION.voice, OPERATION.voice.outbound, OPERATION.resolution
Process = Generator[simpy.Event, Any, None]


@dataclass(slots=True, eq=False)
class Call:
    """One visit to a queue, or one outbound call (without a queue). Instants are seconds since 1970 UTC."""

    number: int
    queue_id: str
    customer: int
    issue: Issue | None
    queued_at: int
    leaves_at: int = 0
    outcome: str | None = None
    rang_at: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    seat: Seat | None = None
    ended_by: str | None = None
    next: Call | None = None
    is_solved: bool = False


@dataclass
class VoiceRecord:
    """What happened on the telephone, and who comes back by chat."""

    calls: list[Call] = field(default_factory=list)
    missed: list[tuple[int, str, int, int]] = field(default_factory=list)
    states: list[tuple[str, str, int, int | None]] = field(default_factory=list)
    chats: list[Arrival] = field(default_factory=list)

    def tables(self, keys: list[str]) -> dict[str, pa.Table]:
        """Returns the tables `call`, `ring_no_answer` and `agent_state`."""
        return {
            "call": table("call", [_call_row(call, keys) for call in self.calls]),
            "ring_no_answer": table("ring_no_answer", self.missed),
            "agent_state": table("agent_state", sorted(self.states, key=_in_order)),
        }


def _in_order(state: tuple[str, str, int, int | None]) -> tuple[int, str, float]:
    agent, _, start, end = state
    return start, agent, -math.inf if end is None else -end


def _call_row(call: Call, keys: list[str]) -> tuple[Any, ...]:
    return (
        call.number,
        "inbound" if call.queue_id else "outbound",
        call.queue_id or None,
        call.customer,
        call.issue.number if call.issue else None,
        call.queued_at,
        call.outcome,
        call.rang_at,
        call.answered_at,
        call.ended_at,
        keys[call.seat.agent] if call.seat else None,
        call.ended_by,
        call.next.queue_id if call.next else None,
        call.next.number if call.next else None,
    )


def run_voice(scenario: Scenario, company: Company, arrivals: list[Arrival], customers: int) -> VoiceRecord:
    """Returns what happens when these callers come; `customers` is the number of those who may be called."""
    return _Centre(scenario, company, customers).run(arrivals)


class _Centre:
    def __init__(self, scenario: Scenario, company: Company, customers: int) -> None:
        self._rng = stream(scenario.seed, "voice")
        # Apart, so that what is forgotten changes nothing else.
        self._memory = stream(scenario.seed, "log-outs")
        self._closes_at = scenario.second(scenario.end)
        # A quiet centre dials as quietly as it is called.
        self._dial_gap_share = Scenario.model_fields["contacts_per_agent_day"].default / scenario.contacts_per_agent_day
        self._env = simpy.Environment(scenario.second(scenario.start))
        self._company = company
        self._customers = customers
        self._queues = [queue_id("voice", line) for line in company.lines]
        self._exchange: Exchange[Call] = Exchange(self._queues, capacity=1)
        self._record = VoiceRecord()
        # Who is to be called, and not before when; the number keeps the order of equal instants.
        self._targets: list[tuple[int, int, int, Issue | None]] = []
        self._target_numbers = itertools.count()

    def run(self, arrivals: list[Arrival]) -> VoiceRecord:
        self._env.process(self._arrive(arrivals))
        for seat in self._company.seats.get("voice", []):
            self._env.process(self._take_calls(seat))
        for seat in self._company.seats.get("outbound", []):
            self._env.process(self._make_calls(seat))
        self._env.run()
        return self._record

    def _wait_until(self, at: int) -> simpy.Timeout:
        return self._env.timeout(max(0, at - int(self._env.now)))

    # --- callers -----------------------------------------------------------------------------------------------------

    def _arrive(self, arrivals: Iterable[Arrival]) -> Process:
        for arrival in arrivals:
            yield self._wait_until(arrival.at)
            self._enter(arrival.queue_id, arrival.issue)

    def _enter(self, queue: str, issue: Issue) -> Call:
        now = int(self._env.now)
        call = Call(len(self._record.calls) + 1, queue, issue.customer, issue, now)
        call.leaves_at = now + min(_VOICE.patience.draw(self._rng), _VOICE.queue_timeout_seconds)
        self._record.calls.append(call)
        self._route(call)
        return call

    def _route(self, call: Call, *, is_first: bool = False) -> None:
        seat = self._exchange.take_seat(call.queue_id)
        if seat and seat.offered:
            seat.offered.succeed(call)
            return
        self._exchange.join(call, is_first=is_first)
        self._wait_until(call.leaves_at).callbacks.append(
            lambda _: self._give_up(call) if self._exchange.leave(call) else None
        )

    def _give_up(self, call: Call) -> None:
        now = int(self._env.now)
        is_timeout = now - call.queued_at >= _VOICE.queue_timeout_seconds
        call.outcome, call.ended_at = ("timeout" if is_timeout else "abandoned"), now
        call.ended_by = None if is_timeout else "caller"
        issue = call.issue
        if issue is None:
            return
        if self._rng.random() < _VOICE.call_back_share:
            self._call_later(now + 60, issue.customer, issue)
        elif self._rng.random() < _VOICE.try_again_share:
            self._come_back(issue, call.queue_id, _VOICE.try_again_after.draw(self._rng))

    def _come_back(self, issue: Issue, queue: str, after: int) -> None:
        at = int(self._env.now) + after
        if issue.contacts >= _RESOLUTION.most_contacts or at >= self._closes_at:
            return
        issue.contacts += 1
        self._env.process(self._arrive([Arrival(at, queue, issue)]))

    def _call_later(self, at: int, customer: int, issue: Issue | None) -> None:
        heapq.heappush(self._targets, (at, next(self._target_numbers), customer, issue))

    # --- agents ------------------------------------------------------------------------------------------------------

    def _plan(self, seat: Seat) -> list[tuple[int, str, int]]:
        """Returns instant, state and seconds of the pauses of a shift; the last one is the log-out."""
        plan = [
            (seat.at(pause.at_share + _VOICE.pause_jitter_share * self._rng.uniform(-1, 1)), pause.state, pause.seconds)
            for pause in _VOICE.pauses
            if self._rng.random() < pause.share
        ]
        return [*plan, (seat.ends_at - int(self._rng.integers(*_VOICE.last_log_out_seconds)), "log_out", 0)]

    def _note(self, seat: Seat, state: str, since: int) -> None:
        now = int(self._env.now)
        if now > since:
            self._record.states.append((self._company.keys[seat.agent], state, since, now))

    def _log_out(self, seat: Seat) -> None:
        is_forgotten = self._memory.random() < _VOICE.forgotten_log_out_share
        end = None if is_forgotten else int(self._env.now)
        self._record.states.append((self._company.keys[seat.agent], "on_queue", seat.starts_at, end))

    def _pause(self, seat: Seat, state: str, seconds: int) -> Process:
        since = int(self._env.now)
        yield self._wait_until(min(since + seconds, seat.ends_at))
        self._note(seat, state, since)

    def _take_calls(self, seat: Seat) -> Process:
        yield self._wait_until(seat.starts_at)
        for at, state, seconds in self._plan(seat):
            due = self._wait_until(at)
            while not due.processed:
                call = self._exchange.take_contact(seat) or (yield from self._idle(seat, due))
                if call:
                    yield from self._serve(seat, call)
            if seconds:
                yield from self._pause(seat, state, seconds)
        self._log_out(seat)

    def _idle(self, seat: Seat, due: simpy.Event) -> Generator[simpy.Event, Any, Call | None]:
        """Waits for a call, which it returns, or until something else is due."""
        seat.offered = self._env.event()
        self._exchange.offer(seat)
        yield seat.offered | due
        if seat.offered.triggered:
            return cast(Call, seat.offered.value)
        self._exchange.withdraw(seat)
        return None

    def _serve(self, seat: Seat, call: Call) -> Process:
        rang_at = int(self._env.now)
        is_missed = self._rng.random() < _VOICE.missed_share
        ring = _VOICE.missed_ring_seconds if is_missed else _VOICE.ring.draw(self._rng)
        yield self._wait_until(min(rang_at + ring, call.leaves_at))
        if call.leaves_at <= rang_at + ring:
            if call.leaves_at > rang_at:
                unheard = 1000 * (call.leaves_at - rang_at)
                self._record.missed.append((call.number, self._company.keys[seat.agent], rang_at, unheard))
            self._give_up(call)
            return
        if is_missed:
            self._record.missed.append((call.number, self._company.keys[seat.agent], rang_at, ring * 1000))
            self._route(call, is_first=True)
            yield self._env.timeout(_VOICE.after_missed_seconds)
            return
        call.seat, call.outcome, call.rang_at, call.answered_at = seat, "answered", rang_at, int(self._env.now)
        yield from self._talk(seat, call)

    def _talk(self, seat: Seat, call: Call) -> Process:
        issue, rng = call.issue, self._rng
        assert issue
        is_transfer = rng.random() < _VOICE.transfer_share and len(self._queues) > 1
        talk = _VOICE.talk.draw(rng, seat.handling * issue.handling * (0.5 if is_transfer else 1.0))
        wrap_up = _VOICE.wrap_up.draw(rng, seat.handling) if rng.random() < _VOICE.wrap_up_share else 0
        left = seat.ends_at - int(self._env.now)
        talk = min(max(talk, _VOICE.shortest_talk_seconds), left)
        yield self._env.timeout(talk)
        call.ended_at = int(self._env.now)
        if is_transfer:
            call.ended_by = "transfer"
            others = [queue for queue in self._queues if queue != call.queue_id]
            call.next = self._enter(others[int(rng.integers(len(others)))], issue)
        else:
            call.ended_by = "agent" if rng.random() < _VOICE.ended_by_agent_share else "caller"
            self._resolve(call, issue, seat)
        yield from self._pause(seat, "acw", min(wrap_up, _VOICE.longest_wrap_up_seconds))

    def _resolve(self, call: Call, issue: Issue, seat: Seat) -> None:
        solved = _RESOLUTION.solved_share + _RESOLUTION.solved_per_quality * seat.quality
        call.is_solved = issue.is_solved = bool(self._rng.random() < solved)
        if issue.is_solved or self._rng.random() >= _RESOLUTION.repeat_share:
            return
        after = _RESOLUTION.repeat_after.draw(self._rng)
        at = int(self._env.now) + after
        if self._rng.random() >= _RESOLUTION.repeat_by_chat_share:
            self._come_back(issue, call.queue_id, after)
        elif at < self._closes_at and self._company.seats.get("chat"):
            issue.contacts += 1
            self._record.chats.append(Arrival(at, call.queue_id.replace("voice", "chat", 1), issue))

    # --- outbound ----------------------------------------------------------------------------------------------------

    def _make_calls(self, seat: Seat) -> Process:
        yield self._wait_until(seat.starts_at)
        for at, state, seconds in self._plan(seat):
            since = int(self._env.now)
            while self._env.now < at:
                yield from self._dial(seat)
                gap = round(_OUTBOUND.between.draw(self._rng) * self._dial_gap_share)
                yield self._wait_until(min(int(self._env.now) + gap, seat.ends_at))
            self._note(seat, "outbound", since)
            if seconds:
                yield from self._pause(seat, state, seconds)
        self._log_out(seat)

    def _dial(self, seat: Seat) -> Process:
        rng, now = self._rng, int(self._env.now)
        if self._targets and self._targets[0][0] <= now:
            _, _, customer, issue = heapq.heappop(self._targets)
        else:
            customer, issue = int(rng.integers(1, self._customers + 1)), None
        call = Call(len(self._record.calls) + 1, "", customer, issue, now, seat=seat)
        self._record.calls.append(call)
        yield self._wait_until(min(now + _OUTBOUND.ring.draw(rng), seat.ends_at - 1))
        if rng.random() < _OUTBOUND.answered_share:
            call.outcome, call.answered_at = "answered", int(self._env.now)
            yield self._wait_until(min(call.answered_at + _OUTBOUND.talk.draw(rng, seat.handling), seat.ends_at))
            call.ended_by = "agent" if rng.random() < 0.5 else "caller"
            if issue:
                issue.is_solved = True
        else:
            call.outcome, call.ended_by = "timeout", "agent"
            if rng.random() < _OUTBOUND.retry_share:
                self._call_later(now + _OUTBOUND.retry_after.draw(rng), customer, issue)
        call.ended_at = int(self._env.now)

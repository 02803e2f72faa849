"""What customers and colleagues think: surveys, QA reviews and exams."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from kefu.simulation.chat import Chat
from kefu.simulation.company import Company, Person, instants, table
from kefu.simulation.demand import Customers
from kefu.simulation.operation import OPERATION, PHRASES, pick
from kefu.simulation.queueing import Seat
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.voice import Call
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, SCHEMAS

_FEEDBACK, _FOLLOW_UP, _REVIEW, _EXAM = OPERATION.feedback, OPERATION.follow_up, OPERATION.review, OPERATION.exam
_SIGMA = OPERATION.people.sigma
# What customers answer on average to whether it is solved, if it is and if not.
_SOLVED, _SOLVED_SPREAD = (4.7, 2.0), 0.8


@dataclass(slots=True)
class Contact:
    """A contact that an agent brought to its end. Instants are seconds since 1970 UTC."""

    channel: str
    number: int
    seat: Seat
    customer: int
    started_at: int
    taken_at: int
    ended_at: int
    waited_seconds: int
    is_solved: bool


def finished(calls: list[Call], chats: list[Chat]) -> list[Contact]:
    """Returns what can be rated and reviewed, in order of its end: no open, unanswered or group chat."""
    contacts = [
        Contact(
            "voice",
            call.number,
            call.seat,
            call.customer,
            call.queued_at,
            call.answered_at,
            call.ended_at,
            call.answered_at - call.queued_at,
            call.is_solved,
        )
        for call in calls
        if call.queue_id and call.seat and call.answered_at and call.ended_at and call.next is None
    ]
    contacts += [
        Contact(
            chat.channel,
            chat.number,
            chat.segments[-1].seat,
            chat.issue.customer,
            chat.started_at,
            chat.accepted_at,
            chat.closed_at,
            chat.accepted_at - (chat.bot_until or chat.started_at),
            chat.is_solved,
        )
        for chat in chats
        if chat.closed_at and chat.accepted_at and chat.was_answered and not chat.is_group
    ]
    return sorted(contacts, key=lambda contact: (contact.ended_at, contact.channel, contact.number))


def surveys(scenario: Scenario, company: Company, contacts: list[Contact], customers: Customers) -> pa.Table:
    """Returns the table `survey`."""
    rng = stream(scenario.seed, "survey")
    channels = np.array([contact.channel for contact in contacts])
    invited = rng.random(len(contacts)) < np.array([_FEEDBACK.invited_share[channel] for channel in channels])
    contacts = [contacts[index] for index in np.flatnonzero(invited)]
    channels, size = channels[invited], len(contacts)
    answers = rng.random(size) < np.array([_FEEDBACK.answered_share[channel] for channel in channels])
    solved, opinion = _opinions(company, contacts)
    value = _marks(rng, opinion, _FEEDBACK.value_spread)
    is_solved = _marks(rng, np.where(solved, *_SOLVED), _SOLVED_SPREAD)
    thumb_up = rng.random(size) < np.where(value >= 4, 0.95, 0.15)
    # The chat system asks three questions, the other systems one.
    asks_more = answers & (channels == "chat")
    gives_solved = asks_more & (rng.random(size) < _FEEDBACK.solved_given_share)
    gives_thumb = asks_more & (rng.random(size) < _FEEDBACK.thumb_given_share)
    comments = answers & (channels != "voice") & (rng.random(size) < _FEEDBACK.comment_share)
    drawn = rng.random(size)
    text = []
    for index, contact in enumerate(contacts):
        phrases = PHRASES[customers.languages[contact.customer - 1]]
        said = phrases.comment_good if value[index] >= 4 else phrases.comment_bad
        text.append(said[int(drawn[index] * len(said))])
    invited_at = np.array([contact.ended_at for contact in contacts], np.int64) + 2
    after = np.maximum(_FEEDBACK.least_answer_seconds, _FEEDBACK.answer_after.draws(rng, size)).astype(np.int64)
    return pa.table(
        [
            pa.array(np.arange(1, size + 1)),
            pa.array(channels.tolist(), pa.string()),
            pa.array([contact.number for contact in contacts], pa.int64()),
            pa.array([company.keys[contact.seat.agent] for contact in contacts], pa.string()),
            pa.array([contact.customer for contact in contacts], pa.int64()),
            instants(invited_at),
            instants(pa.array(invited_at + after, mask=~answers)),
            pa.array(value, pa.int64(), mask=~answers),
            pa.array(is_solved, pa.int64(), mask=~gives_solved),
            pa.array(np.where(thumb_up, "up", "down").tolist(), pa.string(), mask=~gives_thumb),
            pa.array(text, pa.string(), mask=~comments),
        ],
        schema=SCHEMAS["survey"],
    )


def _opinions(company: Company, contacts: list[Contact]) -> tuple[np.ndarray, np.ndarray]:
    """Returns whether contacts were solved, and what their customers think of them, from 1 to 5."""
    place = (
        np.array([contact.seat.agent for contact in contacts]),
        np.array([contact.seat.day for contact in contacts]),
    )
    solved = np.array([contact.is_solved for contact in contacts])
    waited = np.array([contact.waited_seconds for contact in contacts])
    return solved, (
        _FEEDBACK.value
        + _FEEDBACK.value_per_quality * company.skills.daily_quality[place]
        - _SIGMA.rating * company.skills.worse[place]
        + _FEEDBACK.value_per_wait_minute * waited / 60
        + _FEEDBACK.value_unsolved * ~solved
    )


def _marks(rng: np.random.Generator, means: np.ndarray, spread: float) -> np.ndarray:
    return np.clip(np.rint(means + spread * rng.standard_normal(len(means))), 1, 5).astype(int)


def follow_ups(scenario: Scenario, company: Company, contacts: list[Contact], surveys: pa.Table) -> pa.Table:
    """Returns the table `follow_up`: what customers say by hand who answered none of `surveys`, each of them once."""
    rng = stream(scenario.seed, "follow_up")
    silent: set[int] = {
        row["customer_id"] for row in surveys.select(["customer_id", "answered_at"]).to_pylist() if row["answered_at"]
    }
    asked = []
    for contact, luck in zip(contacts, rng.random(len(contacts)), strict=True):
        if luck < _FOLLOW_UP.asked_share and contact.customer not in silent:
            silent.add(contact.customer)
            asked.append(contact)
    size = len(asked)
    solved, opinion = _opinions(company, asked)
    is_done = np.where(solved, *_SOLVED)
    ease, effort = _marks(rng, opinion, _FEEDBACK.value_spread), 6 - _marks(rng, opinion, _FEEDBACK.value_spread)
    settled, again = _marks(rng, is_done, _SOLVED_SPREAD), 6 - _marks(rng, is_done, _SOLVED_SPREAD)
    after = np.minimum(_FOLLOW_UP.most_answer_seconds, _FOLLOW_UP.answer_after.draws(rng, size)).astype(np.int64)
    says_why, why = rng.random(size) < _FOLLOW_UP.reason_share, rng.integers(0, len(_FOLLOW_UP.reasons), size)
    return pa.table(
        [
            pa.array(np.arange(1, size + 1)),
            pa.array([contact.channel for contact in asked], pa.string()),
            pa.array([contact.number for contact in asked], pa.int64()),
            pa.array([company.keys[contact.seat.agent] for contact in asked], pa.string()),
            pa.array([contact.customer for contact in asked], pa.int64()),
            instants(np.array([contact.ended_at for contact in asked], np.int64) + after),
            *(pa.array(marks, pa.int64()) for marks in (ease, settled, effort, again)),
            pa.array([_FOLLOW_UP.reasons[place] for place in why], pa.string(), mask=~says_why),
        ],
        schema=FOLLOW_UP_SCHEMAS["follow_up"],
    )


def reviews(scenario: Scenario, company: Company, contacts: list[Contact]) -> pa.Table:
    """Returns the table `qa_review`, in order of time. Leads review other teams than their own."""
    return _Reviews(scenario, company).of(contacts)


class _Reviews:
    def __init__(self, scenario: Scenario, company: Company) -> None:
        self._scenario, self._company = scenario, company
        self._rng = stream(scenario.seed, "review")
        self._shifts: dict[int, list[Seat]] = {}
        for seat in company.seats.get("qa", []) + company.seats.get("lead", []):
            self._shifts.setdefault(seat.agent, []).append(seat)
        people = [company.people[agent] for agent in sorted(self._shifts)]
        self._reviewers = [person for person in people if person.role == "qa"]
        self._leads = [person for person in people if person.role == "lead"]
        self._rows: list[tuple[object, ...]] = []

    def of(self, contacts: list[Contact]) -> pa.Table:
        starts = [self._scenario.second(date) for date in self._scenario.month_starts]
        by_agent: dict[tuple[int, int], list[Contact]] = {}
        for contact in contacts:
            month = bisect_left(starts, contact.ended_at)
            by_agent.setdefault((month, contact.seat.agent), []).append(contact)
        for (_, agent), own in sorted(by_agent.items(), key=lambda item: item[0]):
            chosen = self._rng.permutation(len(own))[: _REVIEW.per_agent_and_month]
            for index in chosen:
                self._review(own[index], self._company.people[agent])
        rows = sorted(self._rows, key=lambda row: (row[5], row[0]))
        return table("qa_review", [(number, *row) for number, row in enumerate(rows, 1)])

    def _review(self, contact: Contact, person: Person) -> None:
        rng, skills, place = self._rng, self._company.skills, (contact.seat.agent, contact.seat.day)
        deserved = (
            _REVIEW.score
            + _REVIEW.score_per_quality * skills.daily_quality[place]
            - _SIGMA.qa_points * skills.worse[place]
            + _REVIEW.contact_spread * rng.standard_normal()
        )
        true_score = round(float(np.clip(deserved, 0, 100)), 2)
        is_fatal = bool(rng.random() < _REVIEW.fatal_share)
        team = person.team_on(self._scenario.dates[contact.seat.day])
        leads = [lead for lead in self._leads if lead.team_on(self._scenario.start) != team]
        group = leads if leads and rng.random() < _REVIEW.by_lead_share else self._reviewers
        if not group:
            return
        first = group[int(rng.integers(len(group)))]
        self._score(contact, first, true_score, is_fatal, is_blind=False)
        others = [reviewer for reviewer in self._reviewers if reviewer is not first]
        if others and rng.random() < _REVIEW.blind_share:
            self._score(contact, others[int(rng.integers(len(others)))], true_score, is_fatal, is_blind=True)

    def _score(self, contact: Contact, reviewer: Person, true_score: float, is_fatal: bool, *, is_blind: bool) -> None:
        """Adds the review, unless the reviewer has no shift left."""
        rng, shifts = self._rng, self._shifts[reviewer.index]
        place = bisect_left(shifts, contact.ended_at, key=lambda seat: seat.starts_at)
        place += int(rng.integers(_REVIEW.after_shifts))
        share = 0.95 * rng.random()
        seen = true_score + self._company.skills.leniency_points[reviewer.index]
        items = np.clip(np.rint(seen / 10 + _REVIEW.item_spread * rng.standard_normal(_REVIEW.items)), 0, 10)
        is_missing = rng.random(_REVIEW.items) < _REVIEW.item_missing_share
        is_missing[0] = False
        seconds = contact.ended_at - contact.taken_at
        played = round(seconds * rng.uniform(*_REVIEW.played_share))
        if place >= len(shifts):
            return
        keys = self._company.keys
        self._rows.append(
            (
                keys[contact.seat.agent],
                keys[reviewer.index],
                contact.channel,
                contact.number,
                contact.started_at,
                shifts[place].at(share),
                _REVIEW.form_version,
                round(10 * float(items[~is_missing].mean()), 2),
                true_score,
                is_fatal,
                is_blind,
                played,
                seconds,
                [None if missing else int(item) for item, missing in zip(items, is_missing, strict=True)],
            )
        )


def exams(scenario: Scenario, company: Company) -> pa.Table:
    """Returns the table `exam`: each month one of the same name, with a make-up for those on leave or ill."""
    rng = stream(scenario.seed, "exam")
    rows: list[tuple[object, ...]] = []
    for month in scenario.month_starts[:-1]:
        date = month.replace(day=_EXAM.day_of_month)
        again = date + dt.timedelta(days=_EXAM.make_up_after_days)
        for person in company.people:
            if person.role in ("qa", "lead") or not person.is_employed(date):
                continue
            key = company.keys[person.index]
            quality, noise = company.skills.quality[person.index], rng.standard_normal()
            score = round(
                float(np.clip(_EXAM.score + _EXAM.score_per_quality * quality + _EXAM.spread * noise, 0, 100)), 1
            )
            is_absent, comes_again = rng.random() < _EXAM.absent_share, rng.random() < _EXAM.make_up_share
            drawn = pick(rng, _EXAM.reasons, 1)[0]
            reason = "leave" if (person.index, date) in company.away else drawn if is_absent else None
            rows.append((key, _EXAM.name_zh, "first", date, None if reason else score, reason))
            if reason in ("leave", "illness") and comes_again and person.is_employed(again):
                rows.append((key, _EXAM.name_zh, "make_up", again, score, None))
    return table("exam", rows)

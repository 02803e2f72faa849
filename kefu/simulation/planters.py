"""How each fault changes a finished world: one planter for each, on the rows of one subject.

A planter returns what it did, or None where the subject has too few rows. Rows that carry one fault are left alone by
the next, so that every strength is what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from itertools import pairwise
from math import floor
from typing import NamedTuple

import numpy as np

from kefu.simulation.draft import Draft, Numbers, Row
from kefu.simulation.fault_plan import DECLARED, Assignment
from kefu.simulation.operation import OPERATION
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone

_LIMITS = DECLARED.numbers
_SECOND = 1_000_000
_HALF_HOUR = 1800 * _SECOND
_TEMPLATE_AFTER, _CONTENT_AFTER = 1 * _SECOND, 62 * _SECOND
_MOST_CHATS = 3  # at a time
_RECORDED = ("voice", "desk")  # channels whose systems keep invitations


class Planting(NamedTuple):
    """What one planter did: on which rows of which table (row numbers where the table has no ids), and a word."""

    table: str
    row_ids: Sequence[int]
    note: str


class Bed(NamedTuple):
    """What a planter works on."""

    draft: Draft
    scenario: Scenario
    assignment: Assignment
    rng: np.random.Generator

    @property
    def subject(self) -> str:
        """Whose rows they are."""
        return self.assignment.subject

    @property
    def last_month(self) -> int:
        """The instant at which the last month begins, which the rules judge."""
        return self.scenario.second(self.scenario.month_starts[-2]) * _SECOND

    def midnight(self, days_before_end: int) -> int:
        """Returns the instant at which one of the last local dates begins; 0 is the end of the period."""
        return self.scenario.second(self.scenario.end - timedelta(days_before_end)) * _SECOND

    def share(self, rows: Sequence[int] | Numbers) -> int:
        """Returns the number of rows that the strength asks for."""
        return round(self.assignment.strength * len(rows))

    def some(self, rows: Sequence[int] | Numbers, number: int) -> list[int]:
        """Returns `number` of the rows, or all of them, in order."""
        chosen = self.rng.choice(np.asarray(rows, np.int64), min(number, len(rows)), replace=False)
        return [int(row) for row in np.sort(chosen)]

    def shuffled(self, rows: Sequence[int] | Numbers) -> list[int]:
        """Returns the rows in an order left to chance."""
        return [int(row) for row in self.rng.permutation(np.asarray(rows, np.int64))]

    def seconds(self, least: int, below: int) -> int:
        """Returns a whole number of seconds, in microseconds."""
        return int(self.rng.integers(least, below)) * _SECOND

    def phrase(self, kind: str, customer_id: int) -> str:
        """Returns a phrase in the customer's language."""
        texts = DECLARED.phrases[kind][self.draft.customer_language(customer_id)]
        return texts[int(self.rng.integers(len(texts)))]

    def surveys(self, answered: bool | None = None, channels: Sequence[str] = ("voice", "chat", "desk")) -> Numbers:
        """Returns the subject's survey rows, whatever stands on them."""
        rows = self.draft.where("survey", "agent_key", self.subject)
        rows = rows[np.isin(self.draft.column("survey", "channel")[rows], channels)]
        if answered is not None:
            rows = rows[(self.draft.column("survey", "value")[rows] >= 0) == answered]
        return rows

    def free(self, rows: Sequence[int] | Numbers, table: str = "survey") -> Numbers:
        """Returns the rows that no fault stands on yet."""
        return np.array([row for row in rows if row not in self.draft.touched[table]], np.int64)

    def of_last_month(self, table: str, instant: str, rows: Numbers) -> Numbers:
        """Returns the rows with an instant inside the last month."""
        instants = self.draft.column(table, instant)[rows]
        return rows[(instants >= self.last_month) & (instants < self.midnight(0))]

    def answers(self) -> Numbers:
        """Returns the subject's answers to the follow-up about contacts that ended in the last month."""
        rows = self.draft.where("follow_up", "agent_key", self.subject)
        first, end = self.last_month, self.midnight(0)
        return np.array([row for row in rows.tolist() if first <= self.contact_end(row) < end], np.int64)

    def contact_end(self, answer: int) -> int:
        """Returns when the contact of an answer ended."""
        draft = self.draft
        table, row = draft.contact(
            draft.value("follow_up", "channel", answer), draft.value("follow_up", "contact_id", answer)
        )
        return int(draft.value(table, "ended_at" if table == "call" else "closed_at", row))

    def chosen(self, free: Sequence[int] | Numbers, of: Sequence[int] | Numbers) -> list[int]:
        """Returns as many free rows as the strength asks for of all, or none if they are too few."""
        return self.some(free, self.share(of)) if len(free) >= self.share(of) else []

    def planted(self, table: str, rows: Sequence[int], of: Sequence[int] | Numbers, what: str) -> Planting | None:
        """Returns the record of planted rows, None if there are none."""
        note = f"{len(rows)} of {len(of)} {what}"
        return Planting(table, self.draft.ids(table, sorted(rows)), note) if rows else None


# --- ratings ---------------------------------------------------------------------------------------------------------


def _rating_burst(bed: Bed) -> Planting | None:
    draft, invited = bed.draft, bed.draft.column("survey", "invited_at")
    month, window, end = bed.last_month, bed.midnight(_LIMITS.burst_days), bed.midnight(0)
    given, unanswered = bed.free(bed.surveys(answered=True)), bed.free(bed.surveys(answered=False))
    early = given[(invited[given] >= month) & (invited[given] < window)]
    late = given[(invited[given] >= window) & (invited[given] < end)]
    more = unanswered[(invited[unanswered] >= window) & (invited[unanswered] < end - 600 * _SECOND)]
    odds = bed.assignment.strength / (1 - bed.assignment.strength)
    late_count = min(len(late) + len(more), round(odds * len(early)))
    early_count = min(len(early), round(late_count / odds))
    if late_count + early_count < _LIMITS.burst_least_ratings or late_count <= len(late):
        return None
    for row in bed.some(early, len(early) - early_count):
        draft.set("survey", row, answered_at=None, value=None, solved=None, thumb=None, comment=None)
    added = bed.some(more, late_count - len(late))
    for row in added:
        draft.set("survey", row, answered_at=int(invited[row]) + bed.seconds(20, 300), value=5)
    # The subject's other ratings are part of the share: no other fault may stand on them.
    for row in [*early, *late]:
        draft.touch("survey", int(row))
    note = f"{late_count} of {late_count + early_count} ratings of the month in its last {_LIMITS.burst_days} days"
    return Planting("survey", draft.ids("survey", added), note)


def _begged_score(bed: Bed) -> Planting | None:
    draft, mine = bed.draft, bed.surveys(channels=("chat", "desk"))
    moments = {int(row): _last_word(bed, draft.row("survey", int(row))) for row in bed.free(mine)}
    rows = bed.chosen([row for row, moment in moments.items() if moment is not None], mine)
    for row in rows:
        survey = draft.row("survey", row)
        # Some seconds after the last word, at the latest in the middle of what is left until the invitation.
        moment = moments[row] or 0
        moment += min(5 * _SECOND, (survey["invited_at"] - moment) // (2 * _SECOND) * _SECOND)
        draft.say(survey["contact_id"], "agent", bed.subject, moment, bed.phrase("begging", survey["customer_id"]))
        draft.set("survey", row, value=survey["value"] and 5)
    return bed.planted("survey", rows, mine, "chat invitations")


def _last_word(bed: Bed, survey: Row) -> int | None:
    """Returns when the last word before the invitation was said, None in a chat in which the subject said nothing."""
    draft = bed.draft
    spoken = [
        message
        for message in draft.messages_of(survey["contact_id"])
        if draft.value("message", "author", message) in ("agent", "visitor")
        and draft.value("message", "sent_at", message) < survey["invited_at"]
    ]
    if not any(draft.value("message", "agent_key", message) == bed.subject for message in spoken):
        return None
    return int(draft.value("message", "sent_at", spoken[-1]))


def _selective_invitation(bed: Bed) -> Planting | None:
    """Takes invitations away until the odds of being invited differ by the wanted ratio."""
    draft, invited = bed.draft, bed.draft.column("survey", "invited_at")
    month = bed.last_month
    offered: dict[bool, list[int]] = {True: [], False: []}
    for row in bed.free(bed.surveys()).tolist():
        survey = draft.row("survey", row)
        offered[draft.is_solved(survey["channel"], survey["contact_id"])].append(row)
    eligible = draft.ended_contacts(bed.subject)
    # Where no invitation is recorded nobody can see who was left out.
    seen = [
        row for row in offered[False] if draft.value("survey", "channel", row) in _RECORDED and invited[row] >= month
    ]
    if len(seen) < _LIMITS.selective_least_unsolved:
        return None
    solved_share = min(0.95, len(offered[True]) / eligible[True])
    odds = solved_share / (1 - solved_share) / bed.assignment.strength
    keep = {True: round(solved_share * eligible[True]), False: round(odds / (1 + odds) * eligible[False])}
    removed = sorted(
        row for solved, rows in offered.items() for row in bed.some(rows, max(0, len(rows) - keep[solved]))
    )
    for row in removed:
        draft.remove("survey", row)
    note = f"invited: {keep[True]} of {eligible[True]} solved, {keep[False]} of {eligible[False]} unsolved contacts"
    return Planting("survey", draft.ids("survey", removed), note)


def _movable(bed: Bed, rows: Numbers) -> list[int]:
    return [row for row in rows.tolist() if bed.draft.is_single_visit(row)]


def _duplicate_customer(bed: Bed) -> Planting | None:
    """Gives five contacts in a row to one customer: three of the five ratings are then too many."""
    draft, given = bed.draft, bed.surveys(answered=True)
    movable, excess = _movable(bed, bed.free(given)), bed.share(given)
    groups = -(-excess // 3)
    rows = bed.some(movable, excess + 2 * groups)
    if not excess or len(rows) < excess + 2 * groups:
        return None
    for first in range(0, len(rows), 5):
        owner = draft.value("survey", "customer_id", rows[first])
        for row in rows[first : first + 5]:
            draft.rehome(row, owner)
    note = f"{excess} of {len(given)} ratings too many, by {groups} customers"
    return Planting("survey", draft.ids("survey", rows), note)


def _concentrated_rating(bed: Bed) -> Planting | None:
    """Gives contacts to a few customers, from whom the wanted share of the ratings then comes."""
    draft, given = bed.draft, bed.surveys(answered=True)
    # Of half a year a month would have the wanted share by chance only.
    given = given[draft.column("survey", "invited_at")[given] >= bed.last_month]
    rows = bed.chosen(_movable(bed, bed.free(given)), given)
    customers = _LIMITS.concentrated_customers
    for number in range(min(customers, len(rows))):
        owner = draft.value("survey", "customer_id", rows[number])
        for row in rows[number::customers]:
            draft.rehome(row, owner)
    return bed.planted("survey", rows, given, f"ratings by {customers} customers")


def _contradicted_rating(bed: Bed) -> Planting | None:
    """Chooses best ratings; what their customers complain about is written with the papers."""
    draft, given = bed.draft, bed.surveys(answered=True)
    best = given[draft.column("survey", "value")[given] == 5]
    rows = bed.chosen(bed.free(best), best)
    for row in rows:
        draft.touch("survey", row)
    return bed.planted("survey", rows, best, "best ratings")


def _staff_rating(bed: Bed) -> Planting | None:
    draft, given = bed.draft, bed.surveys(answered=True)
    rows = bed.chosen(_movable(bed, bed.free(given)), given)
    people = draft.column("agent", "agent_key")
    others = np.flatnonzero(people != bed.subject)
    for row in rows:
        colleague = int(bed.rng.choice(others))
        customer = draft.add(
            "customer",
            name=draft.value("agent", "name", colleague),
            phone=staff_phone(people[colleague]),
            email=staff_email(people[colleague]),
            language=draft.customer_language(draft.value("survey", "customer_id", row)),
        )
        draft.rehome(row, customer)
        draft.set("survey", row, value=5)
    return bed.planted("survey", rows, given, "ratings by colleagues")


def _too_fast_answer(bed: Bed) -> Planting | None:
    draft, given = bed.draft, bed.surveys(answered=True)
    rows = bed.chosen(bed.free(given), given)
    for row in rows:
        draft.set("survey", row, answered_at=draft.value("survey", "invited_at", row) + bed.seconds(1, 3))
    return bed.planted("survey", rows, given, "ratings")


def _wrong_target(bed: Bed) -> Planting | None:
    draft, given = bed.draft, bed.surveys(answered=True)
    rows = bed.chosen(bed.free(given), given)
    for row in rows:
        comment = bed.phrase("wrong_target", draft.value("survey", "customer_id", row))
        draft.set("survey", row, value=int(bed.rng.integers(1, 3)), comment=comment)
    return bed.planted("survey", rows, given, "ratings")


def _all_maximum(bed: Bed) -> Planting | None:
    draft, given = bed.draft, bed.free(bed.surveys(answered=True))
    lower = given[draft.column("survey", "value")[given] < 5]
    rows = bed.some(lower, bed.share(lower))
    if len(given) < _LIMITS.maximum_least_ratings:
        return None
    for row in rows:
        draft.set("survey", row, value=5)
    return bed.planted("survey", rows, given, "ratings, lifted to 5")


# --- conduct in objective numbers ------------------------------------------------------------------------------------


def _empty_early_reply(bed: Bed) -> Planting | None:
    """Puts a template at once, and takes away what the agent wrote in the first minute."""
    draft = bed.draft
    mine = [row for row in _own_chats(bed) if draft.value("chat", "is_group", row) is False]
    rows: list[int] = []
    for row in bed.shuffled(mine):
        if len(rows) == bed.share(mine):
            break
        chat = draft.row("chat", row)
        own = [m for m in draft.messages_of(chat["chat_id"]) if draft.value("message", "author", m) == "agent"]
        content_from = chat["accepted_at"] + _CONTENT_AFTER
        early = [message for message in own if draft.value("message", "sent_at", message) < content_from]
        if len(early) == len(own):
            continue
        for message in early:
            draft.remove("message", message)
        text = bed.phrase("empty_reply", chat["customer_id"])
        draft.say(chat["chat_id"], "agent", bed.subject, chat["accepted_at"] + _TEMPLATE_AFTER, text)
        draft.touch("chat", row)
        rows.append(row)
    return bed.planted("chat", rows, mine, "chats")


def _silence_gap(bed: Bed) -> Planting | None:
    """Leaves the rest of a chat unanswered, closes it late, and lets the customer begin a new one that nobody takes."""
    draft, limit = bed.draft, bed.midnight(1)
    mine = [
        row
        for row in _own_chats(bed)
        if draft.value("chat", "is_group", row) is False
        and 0 <= draft.column("chat", "closed_at")[row] < limit
        and not draft.value("chat", "reopened_at", row)
    ]
    parts = bed.draft.where("chat_segment", "agent_key", bed.subject)
    busy = [
        (int(start), int(end))
        for start, end in zip(
            draft.column("chat_segment", "started_at")[parts],
            draft.column("chat_segment", "ended_at")[parts],
            strict=True,
        )
        if end >= 0
    ]
    shifts = draft.where("shift", "agent_key", bed.subject)
    shift_ends = draft.column("shift", "end_at")[shifts]
    rows: list[int] = []
    for row in bed.shuffled(mine):
        if len(rows) == bed.share(mine):
            break
        chat = draft.row("chat", row)
        messages = draft.messages_of(chat["chat_id"])
        asked = _question(draft, messages)
        invitations = _invitations(draft, chat)
        if asked is None or draft.touched["survey"].intersection(invitations):
            continue
        asked_at = draft.value("message", "sent_at", messages[asked])
        closed_at = max(chat["closed_at"], asked_at + _LIMITS.silence_seconds * _SECOND + bed.seconds(5, 120))
        # The customer stays in the agent's window: there must be room for it, and the shift must go on.
        others = [(start, end) for start, end in busy if end > chat["closed_at"] and start < closed_at]
        moments = [chat["closed_at"], *(start for start, _ in others)]
        most = max(sum(start <= moment < end for start, end in others) for moment in moments)
        goes_on = ((shift_ends >= closed_at) & (shift_ends - closed_at < 12 * 3600 * _SECOND)).any()
        if most >= _MOST_CHATS or not goes_on:
            continue
        busy.append((chat["closed_at"], closed_at))
        for message in messages[asked + 1 :]:
            draft.remove("message", message)
        draft.say(chat["chat_id"], "system", bed.subject, closed_at, "closed_by_agent")
        draft.set("chat", row, closed_at=closed_at, closed_by="agent", visitor_left_at=None)
        draft.set("chat_segment", int(draft.where("chat_segment", "chat_id", chat["chat_id"])[0]), ended_at=closed_at)
        for survey in invitations:
            nothing = dict.fromkeys(("answered_at", "value", "solved", "thumb", "comment"))
            draft.set("survey", survey, invited_at=closed_at + 2 * _SECOND, **nothing)
        _begin_again(bed, chat, messages, closed_at + bed.seconds(60, 1800))
        rows.append(row)
    return bed.planted("chat", rows, mine, "chats")


def _question(draft: Draft, messages: Sequence[int]) -> int | None:
    """Returns the place of the first message of the visitor's behind one of the agent's, None without one."""
    authors = [draft.value("message", "author", message) for message in messages]
    if "agent" not in authors:
        return None
    place = authors.index("agent")
    return next((number for number in range(place, len(authors)) if authors[number] == "visitor"), None)


def _invitations(draft: Draft, chat: Row) -> list[int]:
    rows = draft.where("survey", "contact_id", chat["chat_id"]).tolist()
    return [row for row in rows if draft.value("survey", "channel", row) == chat["channel"]]


def _begin_again(bed: Bed, chat: Row, messages: Sequence[int], started_at: int) -> None:
    """Adds a chat that begins like an earlier one and that the visitor leaves before anybody takes it."""
    draft, later = bed.draft, started_at - chat["started_at"]
    opening = [m for m in messages if draft.value("message", "sent_at", m) <= (chat["bot_until"] or chat["started_at"])]
    left_at = (chat["bot_until"] or chat["started_at"]) + later + bed.seconds(60, 240)
    again: Row = {key: chat[key] for key in ("channel", "queue_id", "customer_id", "issue_id", "is_group")}
    again |= {"bot_until": chat["bot_until"] and chat["bot_until"] + later, "started_at": started_at}
    again |= {"closed_at": left_at, "closed_by": "visitor", "visitor_left_at": left_at}
    chat_id = draft.add("chat", **again)
    for message in opening:
        said = draft.row("message", message)
        draft.say(chat_id, said["author"], None, said["sent_at"] + later, said["text"])
    draft.say(chat_id, "system", None, left_at, "closed_by_visitor")


def _own_chats(bed: Bed) -> list[int]:
    """Returns accepted chats that were the subject's from beginning to end, none with a fault already."""
    draft = bed.draft
    rows = draft.where("chat", "agent_key", bed.subject).tolist()
    return [
        row
        for row in rows
        if row not in draft.touched["chat"]
        and draft.value("chat", "accepted_at", row) is not None
        and len(draft.where("chat_segment", "chat_id", draft.value("chat", "chat_id", row))) == 1
    ]


def _forced_close(bed: Bed) -> Planting | None:
    """Cuts a chat in two before a message of the visitor, which then reopens it."""
    draft = bed.draft
    mine = [
        row
        for row in _own_chats(bed)
        if draft.value("chat", "closed_at", row) and not draft.value("chat", "reopened_at", row)
    ]
    rows: list[int] = []
    for row in bed.shuffled(mine):
        if len(rows) == bed.share(mine):
            break
        chat_id = draft.value("chat", "chat_id", row)
        pair = _cut(bed, chat_id)
        if pair is None:
            continue
        closed_at, reopened_at = pair
        draft.say(chat_id, "system", bed.subject, closed_at, "closed_by_agent")
        draft.say(chat_id, "system", None, reopened_at, "reopened", is_first=True)
        draft.set("chat", row, reopened_at=reopened_at)
        segment = int(draft.where("chat_segment", "chat_id", chat_id)[0])
        again = draft.row("chat_segment", segment) | {"number": 2, "started_at": reopened_at + _SECOND}
        draft.set("chat_segment", segment, ended_at=closed_at, ended_how="closed")
        draft.append("chat_segment", again)
        rows.append(row)
    return bed.planted("chat", rows, mine, "chats")


def _cut(bed: Bed, chat_id: int) -> tuple[int, int] | None:
    """Returns when the agent closes (after an own message) and when the visitor's next one reopens, the agent answering
    later; None if the chat has no such place."""
    draft = bed.draft
    spoken = [
        (draft.value("message", "author", message), draft.value("message", "sent_at", message))
        for message in draft.messages_of(chat_id)
        if draft.value("message", "author", message) in ("agent", "visitor")
    ]
    places = [
        (moment + 2 * _SECOND, next_moment)
        for place, ((author, moment), (next_author, next_moment)) in enumerate(pairwise(spoken))
        if (author, next_author) == ("agent", "visitor")
        and next_moment - moment >= 5 * _SECOND
        and any(later == "agent" and at > next_moment + _SECOND for later, at in spoken[place + 2 :])
    ]
    return places[int(bed.rng.integers(len(places)))] if places else None


def _redial_padding(bed: Bed) -> Planting | None:
    draft = bed.draft
    mine = draft.where("call", "agent_key", bed.subject)
    dials = mine[
        (draft.column("call", "direction")[mine] == "outbound") & (draft.column("call", "ended_at")[mine] >= 0)
    ]
    added: list[int] = []
    for row in bed.shuffled(dials):
        genuine = draft.row("call", row)
        # At most three in a row, every one within a minute of the one before and over before anything else begins.
        moment = genuine["ended_at"] + bed.seconds(4, 9)
        free_until = draft.busy_from(bed.subject, genuine["ended_at"])
        for _ in range(3):
            if len(added) == bed.share(dials) or moment + 3 * _SECOND > free_until:
                break
            dial = {key: genuine[key] for key in ("direction", "customer_id", "issue_id", "agent_key")}
            dial |= {"outcome": "timeout", "ended_by": "agent", "entered_at": moment, "ended_at": moment + 2 * _SECOND}
            added.append(draft.add("call", **dial))
            moment += bed.seconds(6, 12)
    return Planting("call", added, f"{len(added)} empty dials beside {len(dials)}") if added else None


def _transfer_before_limit(bed: Bed) -> Planting | None:
    """Cuts long calls short by a transfer after which the caller gives up waiting."""
    draft, mine = bed.draft, bed.draft.where("call", "agent_key", bed.subject)
    talked = draft.column("call", "ended_at")[mine] - draft.column("call", "answered_at")[mine]
    long_calls = mine[
        (draft.column("call", "direction")[mine] == "inbound")
        & (draft.column("call", "ended_by")[mine] != "transfer")
        & (talked > _LIMITS.long_call_seconds * _SECOND)
    ]
    queues = draft.column("queue", "queue_id")[draft.column("queue", "channel") == "voice"].tolist()
    rows = bed.some(long_calls, bed.share(long_calls)) if len(queues) > 1 else []
    for row in rows:
        call = draft.row("call", row)
        moment = call["answered_at"] + _LIMITS.long_call_seconds * _SECOND - bed.seconds(3, 15)
        target = next(queue for queue in queues if queue != call["queue_id"])
        visit: Row = {key: call[key] for key in ("direction", "customer_id", "issue_id")}
        visit |= {"queue_id": target, "outcome": "abandoned", "ended_by": "caller"}
        visit |= {"entered_at": moment, "ended_at": moment + bed.seconds(10, 90)}
        draft.set(
            "call",
            row,
            ended_at=moment,
            ended_by="transfer",
            transfer_to=target,
            next_call_id=draft.add("call", **visit),
        )
        draft.move_wrap_up(bed.subject, call["ended_at"], moment)
        draft.remove_survey("voice", call["call_id"])
    return bed.planted("call", rows, long_calls, "long calls")


def _acw_parking(bed: Bed) -> Planting | None:
    draft, mine = bed.draft, bed.draft.where("agent_state", "agent_key", bed.subject)
    wrap_ups = mine[draft.column("agent_state", "state")[mine] == "acw"]
    at_peak = wrap_ups[np.isin(draft.column("agent_state", "started_at")[wrap_ups] // _HALF_HOUR, _peaks(draft))]
    rows: list[int] = []
    for row in bed.shuffled(at_peak):
        if len(rows) == bed.share(at_peak):
            break
        state = draft.row("agent_state", row)
        longest = state["started_at"] + _LIMITS.parking_most_seconds * _SECOND
        until = min(draft.busy_from(bed.subject, state["ended_at"]) - _SECOND, longest)
        if until - state["ended_at"] >= 20 * _SECOND:
            draft.set("agent_state", row, ended_at=until)
            rows.append(row)
    note = f"{len(rows)} of {len(at_peak)} wrap-ups at peaks; row numbers"
    return Planting("agent_state", sorted(rows), note) if rows else None


def _peaks(draft: Draft) -> Numbers:
    """Returns the busiest half hours of the telephone queues."""
    inbound = draft.column("call", "direction") == "inbound"
    half_hours, calls = np.unique(draft.column("call", "entered_at")[inbound] // _HALF_HOUR, return_counts=True)
    busiest = np.argsort(-calls, kind="stable")[: round(_LIMITS.peak_share * len(calls))]
    return half_hours[busiest]


# --- single rows -----------------------------------------------------------------------------------------------------


_BEST: Row = {"ease": 5, "solved": 5, "effort": 1, "again": 1, "reason": None}


def _answers(bed: Bed) -> tuple[list[int], Numbers]:
    """Returns as many free answers as the strength asks for, and all of the subject's."""
    mine = bed.answers()
    return bed.chosen(bed.free(mine, "follow_up"), mine), mine


def _late_answer(bed: Bed) -> Planting | None:
    rows, mine = _answers(bed)
    for row in rows:
        hours = _LIMITS.late_answer_hours + int(bed.rng.integers(0, 48))
        bed.draft.set("follow_up", row, answered_at=bed.contact_end(row) + hours * 3600 * _SECOND)
    return bed.planted("follow_up", rows, mine, "answers")


def _repeated_answer(bed: Bed) -> Planting | None:
    """Has the same contact answered once more: of the two the first does not count."""
    draft, (rows, mine) = bed.draft, _answers(bed)
    for row in rows:
        first = draft.row("follow_up", row) | _BEST
        del first["answer_id"]
        draft.add("follow_up", **first | {"answered_at": first["answered_at"] + bed.seconds(600, 7200)})
        draft.touch("follow_up", row)
    return bed.planted("follow_up", rows, mine, "answers, each followed by another")


def _straight_line(bed: Bed) -> Planting | None:
    rows, mine = _answers(bed)
    for row in rows:
        bed.draft.set("follow_up", row, **dict.fromkeys(("ease", "solved", "effort", "again"), 5))
    return bed.planted("follow_up", rows, mine, "answers")


def _wrong_reason(bed: Bed) -> Planting | None:
    rows, mine = _answers(bed)
    reasons = OPERATION.follow_up.product_reasons
    for row in rows:
        reason = reasons[int(bed.rng.integers(len(reasons)))]
        bed.draft.set("follow_up", row, ease=2, solved=1, effort=5, again=4, reason=reason)
    return bed.planted("follow_up", rows, mine, "answers")


def _unserved_answer(bed: Bed) -> Planting | None:
    """Adds answers about calls and chats that nobody took, in the name of the subject."""
    draft, mine = bed.draft, bed.answers()
    calls = np.flatnonzero(
        (draft.column("call", "direction") == "inbound")
        & (draft.column("call", "answered_at") < 0)
        & ~np.isin(draft.column("call", "call_id"), draft.column("call", "next_call_id"))
    )
    chats = np.flatnonzero(draft.column("chat", "accepted_at") < 0)
    pool = [("call", row) for row in bed.of_last_month("call", "ended_at", calls)]
    pool += [("chat", row) for row in bed.of_last_month("chat", "closed_at", chats)]
    pool = [(table, int(row)) for table, row in pool if row not in draft.touched[table]]
    added: list[int] = []
    for place in bed.some(range(len(pool)), bed.share(mine)):
        table, row = pool[place]
        contact = draft.row(table, row)
        draft.touch(table, row)
        ended_at = contact["ended_at"] if table == "call" else contact["closed_at"]
        answer: Row = {"channel": contact.get("channel", "voice"), "contact_id": contact[f"{table}_id"]}
        answer |= {"agent_key": bed.subject, "customer_id": contact["customer_id"]}
        answer |= {"answered_at": ended_at + bed.seconds(3600, 86400)}
        added.append(draft.add("follow_up", **answer | _BEST))
    note = f"{len(added)} answers about nobody's contacts beside {len(mine)}"
    return Planting("follow_up", added, note) if added else None


def _raised_rating(bed: Bed) -> Planting | None:
    """Lets the agent write once more to customers who rated low, who then change their rating."""
    draft = bed.draft
    mine = bed.of_last_month("survey", "invited_at", bed.surveys(answered=True, channels=("desk",)))
    low = mine[draft.column("survey", "value")[mine] <= _LIMITS.raised_levels + 1]
    shifts = draft.where("shift", "agent_key", bed.subject)
    starts, ends = (draft.column("shift", name)[shifts] for name in ("start_at", "end_at"))
    moments: dict[int, int] = {}
    for row in bed.free(low).tolist():
        survey = draft.row("survey", row)
        chat = draft.row_of("chat", survey["contact_id"])
        moment = survey["answered_at"] + bed.seconds(600, 1800)
        is_at_work = ((starts <= moment) & (moment < ends)).any()
        is_plain = draft.value("chat", "reopened_at", chat) is None
        # What the customer said last was answered: the new words are no reply.
        if is_at_work and is_plain and _last_author(draft, survey["contact_id"]) == "agent":
            moments[row] = moment
    rows = bed.some(list(moments), bed.share(list(moments)))
    for row in rows:
        survey = draft.row("survey", row)
        text = bed.phrase("raising", survey["customer_id"])
        draft.say(survey["contact_id"], "agent", bed.subject, moments[row], text)
        draft.append("rating_change", {"survey_id": survey["survey_id"], "value": survey["value"]})
        draft.set("survey", row, value=survey["value"] + _LIMITS.raised_levels)
    return bed.planted("survey", rows, list(moments), "low ratings at the desk")


def _last_author(draft: Draft, chat_id: int) -> str | None:
    authors = [draft.value("message", "author", message) for message in draft.messages_of(chat_id)]
    return next((author for author in reversed(authors) if author in ("agent", "visitor")), None)


def _defective_review(bed: Bed) -> Planting | None:
    draft = bed.draft
    mine = bed.of_last_month("qa_review", "reviewed_at", draft.where("qa_review", "agent_key", bed.subject))
    is_usable = (draft.column("qa_review", "is_blind")[mine] == 0) & (
        draft.column("qa_review", "recording_seconds")[mine] >= 10
    )
    manager = draft.value("agent", "manager_key", int(draft.where("agent", "agent_key", bed.subject)[0]))
    joined_on = max(
        draft.value("membership", "valid_from", row) for row in draft.where("membership", "agent_key", bed.subject)
    )
    # Who led an earlier team is not the manager any more, and the manager was not before.
    is_usable &= draft.column("qa_review", "reviewed_at")[mine] >= bed.scenario.second(joined_on) * _SECOND
    rows = bed.chosen(bed.free(mine[is_usable], "qa_review"), mine)
    for place, row in enumerate(rows):
        seconds = draft.value("qa_review", "recording_seconds", row)
        defects: list[Row] = [
            {"reviewer_key": manager},
            {"playback_seconds": round(_LIMITS.short_playback_share * seconds)},
            {"form_version": _LIMITS.old_form_version},
            {"reviewer_key": bed.subject},
        ]
        draft.set("qa_review", row, **defects[place % len(defects)])
    return bed.planted("qa_review", rows, mine, "reviews")


# --- people who judge ------------------------------------------------------------------------------------------------


def _biased_rater(bed: Bed, *, sign: int) -> Planting | None:
    """Moves the reviewer's marks so that the mean score, after the cut at 0 and 10, is off the true one as wanted."""
    draft, rows = bed.draft, bed.draft.where("qa_review", "reviewer_key", bed.subject)
    if len(rows) < _LIMITS.rater_least_reviews:
        return None
    marks = [draft.value("qa_review", "item_scores", row) for row in rows.tolist()]
    chance = [bed.rng.random(len(items)).tolist() for items in marks]
    true = np.mean(draft.column("qa_review", "true_score")[rows])
    low, high = -100.0, 100.0
    for _ in range(40):
        points = (low + high) / 2
        moved = [_moved(items, sign * points / 10, luck) for items, luck in zip(marks, chance, strict=True)]
        is_enough = sign * (np.mean([_score(items) for items in moved]) - true) >= bed.assignment.strength
        low, high = (low, points) if is_enough else (points, high)
    for row, items in zip(rows.tolist(), moved, strict=True):
        draft.set("qa_review", row, score=_score(items), item_scores=items)
    return bed.planted(
        "qa_review", rows.tolist(), rows, f"reviews {sign * bed.assignment.strength:+g} points off the true score"
    )


def _moved(marks: list[int | None], points: float, chance: list[float]) -> list[int | None]:
    """Returns marks moved by `points`, rounded up or down by chance, between 0 and 10."""
    return [
        None if mark is None else min(10, max(0, floor(mark + points + luck)))
        for mark, luck in zip(marks, chance, strict=True)
    ]


def _score(marks: list[int | None]) -> float:
    """Returns the score of a form: ten times the mean of the marks that apply."""
    given = [mark for mark in marks if mark is not None]
    return round(10 * sum(given) / len(given), 2)


def _halo_rater(bed: Bed) -> Planting | None:
    draft, mine = bed.draft, bed.draft.where("qa_review", "reviewer_key", bed.subject)
    rows = bed.some(mine, bed.share(mine))
    for row in rows:
        items = draft.value("qa_review", "item_scores", row)
        marks = [None if item is None else round(_score(items) / 10) for item in items]
        draft.set("qa_review", row, score=_score(marks), item_scores=marks)
    return bed.planted("qa_review", rows, mine, "reviews")


# In the order of planting: what needs all of a subject's rows comes first.
PLANTERS: dict[str, Callable[[Bed], Planting | None]] = {
    "selective_invitation": _selective_invitation,
    "transfer_before_limit": _transfer_before_limit,
    "rating_burst": _rating_burst,
    "all_maximum": _all_maximum,
    "concentrated_rating": _concentrated_rating,
    "duplicate_customer": _duplicate_customer,
    "staff_rating": _staff_rating,
    "too_fast_answer": _too_fast_answer,
    "wrong_target": _wrong_target,
    "begged_score": _begged_score,
    "contradicted_rating": _contradicted_rating,
    "empty_early_reply": _empty_early_reply,
    "forced_close": _forced_close,
    "silence_gap": _silence_gap,
    "redial_padding": _redial_padding,
    "acw_parking": _acw_parking,
    "lenient_rater": partial(_biased_rater, sign=1),
    "severe_rater": partial(_biased_rater, sign=-1),
    "halo_rater": _halo_rater,
    "late_answer": _late_answer,
    "repeated_answer": _repeated_answer,
    "straight_line": _straight_line,
    "wrong_reason": _wrong_reason,
    "unserved_answer": _unserved_answer,
    "raised_rating": _raised_rating,
    "defective_review": _defective_review,
}

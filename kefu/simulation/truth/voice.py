"""The truth of ratings, reviews and exams."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from kefu.simulation.fault_plan import DECLARED
from kefu.simulation.truth.facts import CHANNEL, Entry, Facts, Metric, Segment, per_segment

RATING_WINDOW_SECONDS = 72 * 3600
LEAST_PLAYBACK_SHARE = Fraction(3, 10)
TOP_BOX_FROM = 4
RATINGS_PER_CUSTOMER_AND_AGENT = 2
LEAST_ANSWER_SECONDS, MOST_FAST_SHARE = 3, Fraction(1, 5)
MESSAGES_BEFORE_INVITATION = 5

# Live Helper Chat records no invitations: nobody can measure those.
RECORDS_INVITATIONS = ("voice", "desk")

# --- the customer's voice --------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """One answer of a customer about a conversation; `number` orders the answers of a second.

    `seconds` counts from the invitation, None where none is recorded. `is_begged`: the agent asked for it.
    """

    conversation: str | None
    identity: str | None
    answered: int
    number: int
    value: int
    seconds: int | None = None
    is_begged: bool = False


def valid_answers(facts: Facts, answers: Iterable[Answer]) -> Iterator[tuple[Segment, int]]:
    """Yields the answers of one instrument that count, with the segment they are credited to (TR, CL).

    Not valid, in this order: of a conversation without an effective segment (V9), after 72 hours (V7), by a colleague
    (V3), not the last of its conversation (V1), a customer's third or later for the agent in the month (V2), one of
    more than a fifth of the agent's that came within 3 seconds of the invitation (V4), begged for (V5).
    """
    last: dict[str, Answer] = {}
    for answer in sorted(answers, key=lambda answer: (answer.answered, answer.number)):
        conversation = answer.conversation or ""
        ended = facts.conversation_end.get(conversation)
        if conversation not in facts.last_effective or ended is None or answer.identity in facts.staff:
            continue
        if answer.answered <= ended + RATING_WINDOW_SECONDS:
            last[conversation] = answer
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    kept: dict[tuple[str, str], list[tuple[Segment, Answer]]] = defaultdict(list)
    for conversation, answer in sorted(last.items(), key=lambda item: (item[1].answered, item[1].number)):
        segment = facts.last_effective[conversation]
        if answer.identity:
            about = answer.identity, segment.agent, f"{segment.day:%Y-%m}"
            seen[about] += 1
            if seen[about] > RATINGS_PER_CUSTOMER_AND_AGENT:
                continue
        kept[segment.agent, f"{segment.day:%Y-%m}"].append((segment, answer))
    for own in kept.values():
        fast = [answer for _, answer in own if answer.seconds is not None and answer.seconds < LEAST_ANSWER_SECONDS]
        is_excluded = Fraction(len(fast), len(own)) > MOST_FAST_SHARE
        for segment, answer in own:
            if not answer.is_begged and not (is_excluded and answer in fast):
                yield segment, answer.value


def survey_answers(facts: Facts, question: str) -> Iterator[Answer]:
    """Yields the answers to a question of the systems' own surveys: `value` or `solved`."""
    begged = _begging(facts)
    for row in facts.rows("survey"):
        if row[question] is not None:
            is_invited = row["channel"] in RECORDS_INVITATIONS
            until = row["invited_at"] if is_invited else row["answered_at"]
            yield Answer(
                facts.conversation_of(row["channel"], row["contact_id"]),
                facts.identities[row["customer_id"]][CHANNEL[row["channel"]]],
                row["answered_at"],
                row["survey_id"],
                row[question],
                row["answered_at"] - row["invited_at"] if is_invited else None,
                row["channel"] != "voice" and _is_begged(begged.get(row["contact_id"], ()), until),
            )


def _begging(facts: Facts) -> dict[int, list[tuple[int, bool]]]:
    """Returns what agents and visitors said in each chat in which an agent begged: when, and whether it begs."""
    phrases = {phrase for texts in DECLARED.phrases["begging"].values() for phrase in texts}
    said: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for row in sorted(facts.rows("message"), key=lambda row: int(row["message_id"])):
        if row["author"] in ("agent", "visitor"):
            said[row["chat_id"]].append((row["sent_at"], row["author"] == "agent" and row["text"] in phrases))
    return {chat: messages for chat, messages in said.items() if any(begs for _, begs in messages)}


def _is_begged(messages: Sequence[tuple[int, bool]], until: int) -> bool:
    before = [begs for sent_at, begs in messages if sent_at <= until]
    return any(before[-MESSAGES_BEFORE_INVITATION:])


def csat_rate(facts: Facts) -> Iterator[Entry]:
    """Ratings of 4 and 5 / valid ratings (TR, CL)."""
    for segment, value in valid_answers(facts, survey_answers(facts, "value")):
        yield per_segment(facts, segment, int(value >= TOP_BOX_FROM))


def survey_response_rate(facts: Facts) -> Iterator[Entry]:
    """Invited conversations that were answered / invited ones, where invitations are recorded (TR, CL)."""
    answered: dict[str, bool] = defaultdict(bool)
    for row in facts.rows("survey"):
        if row["channel"] in RECORDS_INVITATIONS:
            answered[facts.conversation_of(row["channel"], row["contact_id"])] |= row["answered_at"] is not None
    for conversation, is_answered in answered.items():
        if segment := facts.last_effective.get(conversation):
            yield per_segment(facts, segment, int(is_answered))


# --- reviews, exams --------------------------------------------------------------------------------------


def valid_reviews(facts: Facts) -> Iterator[tuple[dt.date, dict[str, Any]]]:
    """Yields the reviews that count, with their date.

    Left out: blind second opinions, and by V11 reviews by oneself or the own manager, contacts of another month, less
    than 30 % played.
    """
    managers = {agent["agent_key"]: agent["manager_key"] for agent in facts.rows("agent")}
    for row in facts.rows("qa_review"):
        day, contact_day = facts.date(row["reviewed_at"]), facts.date(row["contact_at"])
        played, length = row["playback_seconds"], row["recording_seconds"]
        is_too_short = played is not None and length is not None and played < LEAST_PLAYBACK_SHARE * length
        is_other_month = (day.year, day.month) != (contact_day.year, contact_day.month)
        is_conflict = row["reviewer_key"] in (row["agent_key"], managers[row["agent_key"]])
        if not (row["is_blind"] or is_conflict or is_too_short or is_other_month):
            yield day, row


def exam_score(facts: Facts) -> Iterator[Entry]:
    """Best of sitting and make-up / exams due; without either 0, unless on long leave (TD, CO).

    An exam of the same name comes back every month: a make-up is of the last first sitting before it.
    """
    exams: dict[tuple[str, str], list[list[dict[str, Any]]]] = defaultdict(list)
    for row in sorted(facts.rows("exam"), key=lambda row: (row["exam_date"], row["sitting"])):
        of_name = exams[row["agent_key"], row["exam_name"]]
        if row["sitting"] == "first" or not of_name:
            of_name.append([])
        of_name[-1].append(row)
    for (agent, _), of_name in exams.items():
        for rows in of_name:
            scores = [Fraction(str(row["score"])) for row in rows if row["score"] is not None]
            if not scores and any(row["absence_reason"] == "long_leave" for row in rows):
                continue
            day = rows[0]["exam_date"]
            yield Entry(facts.units(agent, day), "none", day, max(scores, default=Fraction(0)), 1, 1)


TRUTH: dict[str, Metric] = {
    "csat_rate": Metric(csat_rate),
    "survey_response_rate": Metric(survey_response_rate),
    "exam_score": Metric(exam_score),
}

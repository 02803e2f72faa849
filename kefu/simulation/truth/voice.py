"""The truth of ratings, reviews and exams."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from kefu.simulation.fault_plan import DECLARED
from kefu.simulation.operation import OPERATION
from kefu.simulation.truth.facts import CHANNEL, Chat, Entry, Facts, Metric, Number, Segment, per_segment

RATING_WINDOW_SECONDS = 72 * 3600
LEAST_PLAYBACK_SHARE = Fraction(3, 10)
TOP_BOX_FROM = 4
RATINGS_PER_CUSTOMER_AND_AGENT = 2
LEAST_ANSWER_SECONDS, MOST_FAST_SHARE = 3, Fraction(1, 5)
MESSAGES_BEFORE_INVITATION = 5
RAISED_LEVELS = 2

# Live Helper Chat records no invitations: nobody can measure those.
RECORDS_INVITATIONS = ("voice", "desk")

# --- the customer's voice --------------------------------------------------------------------------------------------


class Answer(NamedTuple):
    """One answer of a customer about a conversation; `number` orders the answers of a second.

    Attributes:
        instrument: what it answers; several may ask about one thing.
        value: 1 to 5 or on the scale of the metric, more is better; the first one where it was raised after contact.
        key: names it in the warehouse, empty where nobody compares.
        seconds: from the invitation, None where none is recorded.
        is_early: given before the agent's last message.
        is_begged: the agent asked for it.
        is_raised: it was raised after the agent wrote again (V8).
        is_straight: the same was ticked on every item, those worded the other way round too.
        is_product: its reason is something else than the agent (V6).
    """

    conversation: str | None
    identity: str | None
    answered: int
    number: int
    value: Number
    instrument: str = ""
    key: str = ""
    seconds: int | None = None
    is_early: bool = False
    is_begged: bool = False
    is_raised: bool = False
    is_straight: bool = False
    is_product: bool = False

    @property
    def is_fast(self) -> bool:
        """Whether it came too fast to be an opinion."""
        return self.is_early or (self.seconds is not None and self.seconds < LEAST_ANSWER_SECONDS)


class Judged(NamedTuple):
    """An answer with the segment it is credited to, None without a service, and the rule by which it does not count."""

    answer: Answer
    segment: Segment | None
    rule: str | None


def judged_answers(facts: Facts, answers: Iterable[Answer]) -> Iterator[Judged]:
    """Yields the answers about one thing with what becomes of them (TR, CL).

    Not valid, in this order: of a conversation without an effective segment (V9), after 72 hours (V7), by a colleague
    (V3), not the last of its conversation and instrument (V1), a customer's third or later for the agent in the month
    (V2), one of more than a fifth of the agent's that came within 3 seconds of the invitation or before the agent's
    last message (V4), begged for (V5), the same on every item (V10).
    """
    last: dict[tuple[str, str], Answer] = {}
    linked: list[tuple[Answer, Segment]] = []
    for answer in sorted(answers, key=lambda answer: (answer.answered, answer.number)):
        conversation = answer.conversation or ""
        segment, ended = facts.last_effective.get(conversation), facts.conversation_end.get(conversation)
        if segment is None or ended is None:
            yield Judged(answer, None, "V9")
        elif answer.answered > ended + RATING_WINDOW_SECONDS:
            yield Judged(answer, segment, "V7")
        elif answer.identity in facts.staff:
            yield Judged(answer, segment, "V3")
        else:
            last[conversation, answer.instrument] = answer
            linked.append((answer, segment))
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    kept: dict[tuple[str, str], list[tuple[Answer, Segment]]] = defaultdict(list)
    for answer, segment in linked:
        if last[segment.conversation, answer.instrument] is not answer:
            yield Judged(answer, segment, "V1")
            continue
        month = f"{segment.day:%Y-%m}"
        if answer.identity:
            seen[answer.identity, segment.agent, month] += 1
            if seen[answer.identity, segment.agent, month] > RATINGS_PER_CUSTOMER_AND_AGENT:
                yield Judged(answer, segment, "V2")
                continue
        kept[segment.agent, month].append((answer, segment))
    for own in kept.values():
        is_excluded = Fraction(sum(answer.is_fast for answer, _ in own), len(own)) > MOST_FAST_SHARE
        for answer, segment in own:
            rules = {"V4": is_excluded and answer.is_fast, "V5": answer.is_begged, "V10": answer.is_straight}
            yield Judged(answer, segment, next((rule for rule, is_broken in rules.items() if is_broken), None))


def rated(facts: Facts, answers: Iterable[Answer], of: Callable[[Number], Number]) -> Iterator[Entry]:
    """Yields an observation for each answer that counts; what is wrong with the product is not the agent's (V6)."""
    for answer, segment, rule in judged_answers(facts, answers):
        if segment is not None and rule is None:
            entry = per_segment(facts, segment, of(answer.value))
            yield entry._replace(units=entry.units[1:]) if answer.is_product else entry


def survey_answers(facts: Facts, question: str) -> Iterator[Answer]:
    """Yields the answers to a question of the systems' own surveys: `value` or `solved`."""
    begged, chats = _begging(facts), {chat.key: chat for chat in facts.chats}
    first = {row["survey_id"]: row["value"] for row in facts.rows("rating_change")} if question == "value" else {}
    for row in facts.rows("survey"):
        if row[question] is not None:
            is_invited = row["channel"] in RECORDS_INVITATIONS
            until = row["invited_at"] if is_invited else row["answered_at"]
            conversation, value = facts.conversation_of(row["channel"], row["contact_id"]), row[question]
            chat = chats.get(conversation)
            wrote, started = _after(chat, row["answered_at"]) if chat else (False, False)
            before = first.get(row["survey_id"], value)
            is_raised = wrote and not started and value - before >= RAISED_LEVELS
            yield Answer(
                conversation,
                facts.identities[row["customer_id"]][CHANNEL[row["channel"]]],
                row["answered_at"],
                row["survey_id"],
                before if is_raised else value,
                key=f"sim_desk:{row['survey_id']}/csat" if row["channel"] == "desk" else "",
                seconds=row["answered_at"] - row["invited_at"] if is_invited else None,
                is_early=wrote and not started,
                is_begged=row["channel"] != "voice" and _is_begged(begged.get(row["contact_id"], ()), until),
                is_raised=is_raised,
            )


def _after(chat: Chat, instant: int) -> tuple[bool, bool]:
    """Returns whether an agent wrote in a chat after an instant, and whether somebody took it anew."""
    wrote = any(message.agent is not None and message.at > instant for message in chat.messages)
    return wrote, any(part.started > instant for part in chat.parts)


def follow_up_answers(facts: Facts, kind: str) -> Iterator[Answer]:
    """Yields the answers to the items about one thing, `ces` (1 to 7) or `resolved` (1 to 5), of the survey by hand."""
    customers = {conversation.key: conversation.customer_key for conversation in facts.conversations}
    declared = OPERATION.follow_up
    for row in facts.rows("follow_up"):
        ticked = {row[name] for name in declared.items}
        for place, (name, item) in enumerate(declared.items.items(), 1):
            if item.kind != kind:
                continue
            steps = row[name] - 1 if item.best == "high" else 5 - row[name]
            conversation = facts.conversation_if_known(row["channel"], row["contact_id"])
            yield Answer(
                conversation,
                customers.get(conversation or ""),
                row["answered_at"],
                10 * row["answer_id"] + place,
                1 + (Fraction(6 * steps, 4) if kind == "ces" else steps),
                instrument=name,
                key=f"sim_sheets:F{row['answer_id']:06}-{place}",
                is_straight=len(ticked) == 1,
                is_product=row["reason"] in declared.product_reasons,
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
    yield from rated(facts, survey_answers(facts, "value"), lambda value: int(value >= TOP_BOX_FROM))


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

    Left out: blind second opinions, and what V11 is about.
    """
    for day, row, is_defective in judged_reviews(facts):
        if not (row["is_blind"] or is_defective):
            yield day, row


def judged_reviews(facts: Facts) -> Iterator[tuple[dt.date, dict[str, Any], bool]]:
    """Yields every review with its date and whether it is defective.

    By V11: by oneself or the own manager, of a contact of another month, less than 30 % played, on an old form.
    """
    leads = {team["team_id"]: team["lead_key"] for team in facts.rows("team")}
    for row in facts.rows("qa_review"):
        day, contact_day = facts.date(row["reviewed_at"]), facts.date(row["contact_at"])
        played, length = row["playback_seconds"], row["recording_seconds"]
        is_too_short = played is not None and length is not None and played < LEAST_PLAYBACK_SHARE * length
        is_other_month = (day.year, day.month) != (contact_day.year, contact_day.month)
        is_conflict = row["reviewer_key"] in (row["agent_key"], leads.get(facts.team(row["agent_key"], day)))
        is_old = row["form_version"] not in (None, OPERATION.review.form_version)
        yield day, row, is_conflict or is_too_short or is_other_month or is_old


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

"""The truth of what people hand over in sheets: labels, assists, reviews item by item, complaints, forms, audits.

An *outcome* is an ended conversation with an effective segment; it is credited to the agent of the last one (CL).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from kefu.simulation.truth.conversations import conversations_handled
from kefu.simulation.truth.facts import Conversation, Entry, Facts, Grain, Metric, Segment, Unit, per_segment
from kefu.simulation.truth.rules import qa_items
from kefu.simulation.truth.time import attendance_rate, month_shares
from kefu.simulation.truth.voice import (
    RECORDS_INVITATIONS,
    Answer,
    follow_up_answers,
    rated,
    survey_answers,
    valid_reviews,
)

DAY_SECONDS = 86400
FCR_WINDOW_SECONDS = 7 * DAY_SECONDS
SAVED_SECONDS = 30 * DAY_SECONDS
COMPLEX_CASE_RATIO = Fraction(5, 4)
STANDARD_DAYS = 90
REVIEWS_PER_MONTH = 12
WORST_VALUES, BEST_VALUES = (1, 2), (4, 5)

_DAY = dt.timedelta(days=1)
Row = dict[str, Any]
# Channel, whether of the second system of it, and team.
Coder = tuple[str, bool, str | None]


# --- how conversations ended -----------------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """An ended conversation with its last effective segment."""

    conversation: Conversation
    segment: Segment


def outcomes(facts: Facts) -> Iterator[Outcome]:
    """Yields every ended conversation with an effective segment."""
    for conversation in facts.conversations:
        if conversation.ended is not None and (segment := facts.last_effective.get(conversation.key)):
            yield Outcome(conversation, segment)


def _named(facts: Facts, sheet: str) -> set[str]:
    """Returns the conversations that a sheet has a row of."""
    rows = facts.paper(sheet)
    return {found for row in rows if (found := facts.contact(row["contact_source_id"], row["contact_id"]))}


def _transferred(facts: Facts) -> set[str]:
    return {segment.conversation for segment in facts.segments if segment.is_transfer}


def fcr_internal(facts: Facts) -> Iterator[Entry]:
    """Outcomes without transfer, assist and promised call-back / outcomes (TE, CL)."""
    not_alone = _transferred(facts) | _named(facts, "assist") | _named(facts, "callback_task")
    for conversation, segment in outcomes(facts):
        yield per_segment(facts, segment, int(conversation.key not in not_alone))


def fcr_repeat(facts: Facts) -> Iterator[Entry]:
    """Outcomes after which the customer did not come back / outcomes of known customers, seven days later (TE, CL).

    Back is who reopens the conversation, or begins another one within seven days of its end, of the last word where
    only the rule ended it. Neither those count that only the bot had, nor those that we opened, nor those of another
    issue class, if both classes are known.
    """
    begun: dict[str, list[Conversation]] = defaultdict(list)
    for conversation in facts.conversations:
        if conversation.customer_key and not conversation.is_bot_only and not conversation.is_ours:
            begun[conversation.customer_key].append(conversation)
    for conversation, segment in outcomes(facts):
        ended, known = conversation.settled or 0, conversation.customer_key
        if known is None or ended + FCR_WINDOW_SECONDS > facts.as_of:
            continue
        subject = facts.issue_class.get(conversation.key)
        is_back = any(seconds <= FCR_WINDOW_SECONDS for seconds in conversation.reopened_after) or any(
            other.key != conversation.key
            and ended < other.started <= ended + FCR_WINDOW_SECONDS
            and len({subject, facts.issue_class.get(other.key)} - {None}) < 2
            for other in begun[known]
        )
        yield per_segment(facts, segment, int(not is_back))


def repeat_contact_rate(facts: Facts) -> Iterator[Entry]:
    """Outcomes after which the customer came back / as `fcr_repeat` (TE, CL)."""
    for entry in fcr_repeat(facts):
        yield entry._replace(numerator=1 - entry.numerator)


def _coded(facts: Facts) -> Iterator[tuple[Outcome, bool | None]]:
    """Yields outcomes of who codes them, and whether they were coded as solved; None when they were not coded.

    The latest ticket says it, unless it was closed after now. A team codes the outcomes of a system from the day of the
    first one on that it coded there.
    """
    latest: dict[str, Row] = {}
    tickets = [row for row in facts.paper("ticket") if row["opened_at"] <= facts.as_of]
    for row in sorted(tickets, key=lambda row: (row["opened_at"], row["ticket_id"])):
        if conversation := facts.contact(row["contact_source_id"], row["contact_id"]):
            latest[conversation] = row
    desk = {chat.key for chat in facts.chats if chat.is_of_desk}
    found: list[tuple[Outcome, bool | None, Coder]] = []
    since: dict[Coder, dt.date] = {}
    for outcome in outcomes(facts):
        segment, key = outcome.segment, outcome.conversation.key
        coder = (
            outcome.conversation.channel,
            key in desk,
            facts.team(segment.agent, facts.business_date(segment.agent, segment.start, segment.start)),
        )
        ticket = latest.get(key)
        is_known = ticket is not None and (ticket["closed_at"] is None or ticket["closed_at"] <= facts.as_of)
        code = ticket["close_code"] if ticket and is_known else None
        is_solved = code == "solved" if code in ("solved", "unsolved") else None
        if is_solved is not None:
            since[coder] = min(segment.day, since.get(coder, segment.day))
        found.append((outcome, is_solved, coder))
    for outcome, is_solved, coder in found:
        if coder in since and outcome.segment.day >= since[coder]:
            yield outcome, is_solved


def resolution_rate(facts: Facts) -> Iterator[Entry]:
    """Coded as solved / outcomes of who codes them (TE, CL)."""
    for outcome, is_solved in _coded(facts):
        yield per_segment(facts, outcome.segment, int(is_solved is True))


def resolution_coding_rate(facts: Facts) -> Iterator[Entry]:
    """Coded as solved or unsolved / outcomes of who codes them (TE, CL)."""
    for outcome, is_solved in _coded(facts):
        yield per_segment(facts, outcome.segment, int(is_solved is not None))


def resolution_in_session_rate(facts: Facts) -> Iterator[Entry]:
    """Coded as solved, without transfer and reopening / outcomes of who codes them (TE, CL).

    A ticket of the sheet names one contact, so it never has a second conversation.
    """
    transferred = _transferred(facts)
    for (conversation, segment), is_solved in _coded(facts):
        is_first = conversation.key not in transferred and not conversation.reopened_after
        yield per_segment(facts, segment, int(is_solved is True and is_first))


def escalation_rate(facts: Facts) -> Iterator[Entry]:
    """Effective segments whose agent asked for help in the conversation / effective segments (TE, CS)."""
    asked = {
        (facts.contact(row["contact_source_id"], row["contact_id"]), row["employee_number"])
        for row in facts.paper("assist")
    }
    for segment in facts.segments:
        if segment.is_effective:
            yield per_segment(facts, segment, int((segment.conversation, segment.agent) in asked))


def retention_save_rate(facts: Facts) -> Iterator[Entry]:
    """Cancellations saved, and not asked for again within 30 days / outcomes with such a request (TE, CL)."""
    noted = facts.labels
    asked: dict[str | None, list[Conversation]] = defaultdict(list)
    for conversation in facts.conversations:
        if "cancellation_request" in noted.get(conversation.key, ()):
            asked[conversation.customer_key].append(conversation)
    for conversation, segment in outcomes(facts):
        said, ended = noted.get(conversation.key, {}), conversation.settled or 0
        if "cancellation_request" not in said:
            continue
        is_asked_again = conversation.customer_key is not None and any(
            ended < other.started <= ended + SAVED_SECONDS for other in asked[conversation.customer_key]
        )
        yield per_segment(facts, segment, int("cancellation_saved" in said and not is_asked_again))


def personalization_rate(facts: Facts) -> Iterator[Entry]:
    """Effective segments of conversations with a personal offer or reference / effective segments (TE, CS)."""
    noted = facts.labels
    for segment in facts.segments:
        if segment.is_effective:
            yield per_segment(facts, segment, int("personalized" in noted.get(segment.conversation, ())))


def sentiment_negative_rate(facts: Facts) -> Iterator[Entry]:
    """Outcomes that ended in anger / outcomes with a sentiment at the end (TE, CL)."""
    noted = facts.labels
    for conversation, segment in outcomes(facts):
        if last := noted.get(conversation.key, {}).get("sentiment_last"):
            yield per_segment(facts, segment, int(last == "-1"))


def sentiment_shift(facts: Facts) -> Iterator[Entry]:
    """Sentiment at the end less the one at the beginning / outcomes with both (TE, CL)."""
    noted = facts.labels
    for conversation, segment in outcomes(facts):
        said = noted.get(conversation.key, {})
        first, last = said.get("sentiment_first"), said.get("sentiment_last")
        if first and last:
            yield per_segment(facts, segment, int(last) - int(first))


# --- how hard the work is --------------------------------------------------------------------------------------------


def _handled_with_standards(facts: Facts) -> Iterator[tuple[Segment, Fraction, Fraction]]:
    """Yields effective segments of a known issue class with the standard seconds of the class and of all classes.

    Standards are the site's means by channel over the 90 days up to the end of the segment's month.
    """
    handled = [
        segment for segment in facts.segments if segment.is_effective and segment.conversation in facts.issue_class
    ]
    for month in sorted(facts.months):
        end = _month_end(dt.date.fromisoformat(f"{month}-01"))
        times: dict[tuple[str, str | None], list[int]] = defaultdict(list)
        for segment in handled:
            if end - STANDARD_DAYS * _DAY < segment.day <= end and segment.handle_seconds is not None:
                for issue_class in (facts.issue_class[segment.conversation], None):
                    times[segment.channel, issue_class].append(segment.handle_seconds)
        standards = {key: Fraction(sum(seconds), len(seconds)) for key, seconds in times.items()}
        for segment in handled:
            if f"{segment.day:%Y-%m}" == month:
                standard = standards.get((segment.channel, facts.issue_class[segment.conversation]))
                if standard is not None:
                    yield segment, standard, standards[segment.channel, None]


def _month_end(day: dt.date) -> dt.date:
    return (day.replace(day=1) + 31 * _DAY).replace(day=1) - _DAY


def case_mix_index(facts: Facts) -> Iterator[Entry]:
    """Standard seconds of the issue classes handled / standard seconds of as many usual ones (TE, CS)."""
    for segment, standard, overall in _handled_with_standards(facts):
        yield per_segment(facts, segment, standard, overall)


def complex_case_share(facts: Facts) -> Iterator[Entry]:
    """Segments of a class that takes 1.25 times the usual, or of high value / segments of a known class (TE, CS)."""
    noted = facts.labels
    for segment, standard, overall in _handled_with_standards(facts):
        is_complex = standard >= COMPLEX_CASE_RATIO * overall or "high_value" in noted.get(segment.conversation, ())
        yield per_segment(facts, segment, int(is_complex))


# --- the customer's voice --------------------------------------------------------------------------------------------


def csat_score(facts: Facts) -> Iterator[Entry]:
    """Sum of ratings, 5 best / valid ratings (TR, CL)."""
    yield from rated(facts, survey_answers(facts, "value"), lambda value: value)


def dissatisfied_rate(facts: Facts) -> Iterator[Entry]:
    """Ratings of 1 and 2 / valid ratings (TR, CL)."""
    yield from rated(facts, survey_answers(facts, "value"), lambda value: int(value in WORST_VALUES))


def solved_answers(facts: Facts) -> list[Answer]:
    """Returns what customers answer to whether it is solved, 5 best."""
    return [*survey_answers(facts, "solved"), *follow_up_answers(facts, "resolved")]


def effort_answers(facts: Facts) -> list[Answer]:
    """Returns what customers answer to how easy it was, 7 best."""
    customers = {conversation.key: conversation.customer_key for conversation in facts.conversations}
    answers = [
        Answer(conversation, customers[conversation], row["answered_at"], number, row["value"], instrument="ces")
        for number, row in enumerate(sorted(facts.paper("survey_response"), key=lambda row: str(row["response_id"])))
        if row["instrument"] == "ces" and (conversation := facts.contact(row["contact_source_id"], row["contact_id"]))
    ]
    return [*answers, *follow_up_answers(facts, "ces")]


def fcr_survey(facts: Facts) -> Iterator[Entry]:
    """Customers who say it is solved / valid answers to that question (TR, CL)."""
    yield from rated(facts, solved_answers(facts), lambda value: int(value in BEST_VALUES))


def ces(facts: Facts) -> Iterator[Entry]:
    """Sum of answers on how easy it was, 7 best / valid answers (TR, CL)."""
    yield from rated(facts, effort_answers(facts), lambda value: value)


def nps(facts: Facts) -> Iterator[Entry]:
    """Answers of 9 and 10 less those up to 6 / answers, for the team of whom they are about and the site (TD, CT).

    Those of colleagues count nowhere (V3).
    """
    for row in facts.paper("survey_response"):
        if row["instrument"] == "nps" and row["customer_phone"] not in facts.staff:
            day = facts.date(row["answered_at"])
            score = int(row["value"] >= 9) - int(row["value"] <= 6)
            yield Entry(_team_of(facts, row["employee_number"], day), "none", day, score, 1, 1)


def _team_of(facts: Facts, agent: str | None, day: dt.date) -> tuple[Unit, ...]:
    """Returns the site and, where somebody is named, the team of that day."""
    return facts.units(agent, day)[1:] if agent else (("site", "site"),)


def survey_offer_rate(facts: Facts) -> Iterator[Entry]:
    """Invited outcomes / outcomes outside of groups, not blocked by a rule, where invitations are recorded (TE, CL)."""
    invited = {
        facts.conversation_of(row["channel"], row["contact_id"])
        for row in facts.rows("survey")
        if row["channel"] in RECORDS_INVITATIONS
    }
    silent = {
        f"chat:{row['chat_id']}"
        for row in facts.rows("chat")
        if row["is_group"] or row["channel"] not in RECORDS_INVITATIONS
    }
    for conversation, segment in outcomes(facts):
        if conversation.key not in silent and "survey_blocked" not in facts.labels.get(conversation.key, ()):
            yield per_segment(facts, segment, int(conversation.key in invited))


def complaint_rate(facts: Facts) -> Iterator[Entry]:
    """Upheld complaints about the agent, when they came / conversations handled (TD and TE, CO and CS)."""
    for row in facts.paper("complaint"):
        if row["status"] == "upheld" and row["employee_number"]:
            day = facts.date(row["received_at"])
            yield Entry(facts.units(row["employee_number"], day), "none", day, 1, 0, 0)
    for entry in conversations_handled(facts):
        yield entry._replace(channel="none", numerator=0, denominator=1)


def complaint_resolution_csat(facts: Facts) -> Iterator[Entry]:
    """Complaints whose solution was rated 4 or 5 / rated ones, for the team of the agent named, else of the outcome."""
    for row in facts.paper("complaint"):
        if row["resolution_rating"] is None:
            continue
        day = facts.date(row["received_at"])
        units = _team_of(facts, row["employee_number"], day)
        conversation = facts.contact(row["contact_source_id"], row["contact_id"])
        if not row["employee_number"] and conversation and (segment := facts.last_effective.get(conversation)):
            units = facts.units(segment.agent, facts.date(segment.start))[1:]
        yield Entry(units, "none", day, int(row["resolution_rating"] in BEST_VALUES), 1, 1)


def social_feedback_count(facts: Facts) -> Iterator[Entry]:
    """Praise, criticism and other words in public (TD, CT)."""
    for row in facts.paper("social_feedback"):
        day = facts.date(row["posted_at"])
        yield Entry(_team_of(facts, row["employee_number"], day), "none", day, 1, 0, 1)


def social_feedback_negative_rate(facts: Facts) -> Iterator[Entry]:
    """Criticism / all words in public (TD, CT)."""
    for row in facts.paper("social_feedback"):
        day = facts.date(row["posted_at"])
        yield Entry(_team_of(facts, row["employee_number"], day), "none", day, int(row["kind"] == "criticism"), 1, 1)


def praise_count(facts: Facts) -> Iterator[Entry]:
    """Verified praise that names somebody (TD, CO)."""
    for row in facts.paper("social_feedback"):
        if row["kind"] == "praise" and row["is_verified"] and row["employee_number"]:
            day = facts.date(row["posted_at"])
            yield Entry(facts.units(row["employee_number"], day), "none", day, 1, 0, 1)


def negative_contact_feedback(facts: Facts) -> Iterator[Entry]:
    """Customers who blocked somebody or refused a message (TD, CO)."""
    for row in facts.paper("contact_block_day"):
        count = row["blocks"] + row["rejections"]
        yield Entry(facts.units(row["employee_number"], row["block_date"]), "none", row["block_date"], count, 0, count)


# --- reviews and audits ----------------------------------------------------------------------------------------------


def _marks(facts: Facts) -> Iterator[tuple[dt.date, Row, list[tuple[Row, Row]]]]:
    """Yields the reviews that count with their date and the items that apply: what was marked, what was declared."""
    marked: dict[str, list[tuple[Row, Row]]] = defaultdict(list)
    declared = qa_items()
    for row in facts.paper("qa_item"):
        if row["mark"] is not None and row["item"] in declared:
            marked[row["review_id"]].append((row, declared[row["item"]]))
    for day, review in valid_reviews(facts):
        yield day, review, marked[f"R{review['review_id']:06}"]


def _weighed(marks: list[tuple[Row, Row]]) -> tuple[Fraction, Fraction]:
    """Returns the weighted shares of the best marks of some items, and their weights."""
    weights = [Fraction(str(item["weight"])) for _, item in marks]
    shares = [Fraction(str(row["mark"])) / Fraction(str(row["most_marks"])) for row, _ in marks]
    weighted = (share * weight for share, weight in zip(shares, weights, strict=True))
    return sum(weighted, Fraction(0)), sum(weights, Fraction(0))


def _is_fatal(review: Row, marks: list[tuple[Row, Row]]) -> bool:
    """Whether the form says so, or an item that is critical for anybody has no marks."""
    return review["is_fatal"] or any(row["mark"] == 0 and item.get("critical") for row, item in marks)


def qa_listening_score(facts: Facts) -> Iterator[Entry]:
    """Points of reviews / reviews (TD, CO).

    A form with a line for every declared item and no other has 100 times their weighted shares, another one what was
    entered; a fatal one has 0.
    """
    declared = {label: item["item_id"] for label, item in qa_items().items()}
    lines: dict[str, set[str | None]] = defaultdict(set)
    for row in facts.paper("qa_item"):
        lines[row["review_id"]].add(declared.get(row["item"]))
    for day, review, marks in _marks(facts):
        share, weights = _weighed(marks)
        score = Fraction(str(review["score"]))
        if marks and lines[f"R{review['review_id']:06}"] == set(declared.values()):
            score = 100 * share / weights
        if _is_fatal(review, marks):
            score = Fraction(0)
        yield Entry(facts.units(review["agent_key"], day), "none", day, score, 1, 1)


def qa_critical_error_rate(facts: Facts) -> Iterator[Entry]:
    """Reviews with a fatal item / reviews that count (TD, CO)."""
    for day, review, marks in _marks(facts):
        yield Entry(facts.units(review["agent_key"], day), "none", day, int(_is_fatal(review, marks)), 1, 1)


def _group_score(group: str, facts: Facts) -> Iterator[Entry]:
    """Weighted shares of the best marks of a group's items / weights, of 100 (TD, CO)."""
    for day, review, marks in _marks(facts):
        own = [(row, item) for row, item in marks if item["group"] == group]
        if own:
            yield Entry(facts.units(review["agent_key"], day), "none", day, *_weighed(own), 1)


def compliance_violation_rate(facts: Facts) -> Iterator[Entry]:
    """Reviews that miss an item critical to compliance / reviews in which one was marked (TD, CO)."""
    for day, review, marks in _marks(facts):
        critical = [row["mark"] for row, item in marks if item.get("critical") == "compliance"]
        if critical:
            yield Entry(facts.units(review["agent_key"], day), "none", day, int(0 in critical), 1, 1)


def qa_sample_completion(facts: Facts) -> Iterator[Entry]:
    """Reviews that count / their share of twelve a month; n is how many rostered days count (TD, CO)."""
    for day, review in valid_reviews(facts):
        yield Entry(facts.units(review["agent_key"], day)[:1], "none", day, 1, 0, 0)
    for entry in attendance_rate(facts):
        quota = REVIEWS_PER_MONTH * month_shares(facts)[entry.units[0][1], entry.day]
        yield entry._replace(units=entry.units[:1], numerator=0, denominator=quota, n=1)


def _audited(field: str, facts: Facts) -> Iterator[Entry]:
    """Audited tickets that are right in a field / audited tickets to which it applies (TD, CO)."""
    for row in facts.paper("work_order_audit"):
        if row[field] is not None:
            day = facts.date(row["audited_at"])
            yield Entry(facts.units(row["employee_number"], day), "none", day, int(row[field]), 1, 1)


# --- forms, courses, groups ------------------------------------------------------------------------------------------

SCORES = ("teamwork_score", "initiative_score", "attendance_score")


def _formed(kind: str, scores: Sequence[str], facts: Facts) -> Iterator[Entry]:
    """Means of the scores given on each form / forms with one of them (TP, CO).

    Peers' forms count unless they rate themselves; others need the approval of a second person.
    """
    for row in facts.paper("daily_form"):
        given = [Fraction(str(row[score])) for score in scores if row[score] is not None]
        second = row["employee_number"] if kind == "peer_rating" else row["approver_number"]
        if row["form_kind"] == kind and given and second and second != row["rater_number"]:
            day = row["form_date"]
            yield Entry(facts.units(row["employee_number"], day), "none", day, Fraction(sum(given)) / len(given), 1, 1)


def training_completion(facts: Facts) -> Iterator[Entry]:
    """Courses completed by now / courses due by now (TD, CO)."""
    today = facts.date(facts.as_of)
    for row in facts.paper("training"):
        if row["due_on"] is not None and row["due_on"] <= today:
            is_done = row["completed_on"] is not None and row["completed_on"] <= today
            yield Entry(facts.units(row["employee_number"], row["due_on"]), "none", row["due_on"], int(is_done), 1, 1)


def group_chat_participations(facts: Facts) -> Iterator[Entry]:
    """Groups in which the unit wrote by hand on a day, once however many of it did (TD, CS)."""
    taken = {
        (unit, row["group_id"], row["chat_date"])
        for row in facts.paper("group_chat_day")
        if row["messages_sent"] >= 1
        for unit in facts.units(row["employee_number"], row["chat_date"])
    }
    for unit, _, day in taken:
        yield Entry((unit,), "none", day, 1, 0, 1)


_PERIODS: tuple[Grain, ...] = ("month",)
_FORMS: dict[str, tuple[str, Sequence[str]]] = {
    "daily_appraisal_score": ("daily_appraisal", SCORES),
    "teamwork_score": ("daily_appraisal", SCORES[:1]),
    "initiative_score": ("daily_appraisal", SCORES[1:2]),
    "attendance_form_score": ("daily_appraisal", SCORES[2:]),
    "manager_rating": ("manager_rating", SCORES),
    "peer_rating": ("peer_rating", SCORES),
}
_AUDITS = {
    "work_order_entry_compliance": "is_entry_compliant",
    "work_order_dispatch_accuracy": "is_dispatch_correct",
    "customer_link_accuracy": "is_customer_correct",
}

TRUTH: dict[str, Metric] = {
    "fcr_internal": Metric(fcr_internal),
    "fcr_repeat": Metric(fcr_repeat),
    "repeat_contact_rate": Metric(repeat_contact_rate),
    "resolution_rate": Metric(resolution_rate),
    "resolution_in_session_rate": Metric(resolution_in_session_rate),
    "resolution_coding_rate": Metric(resolution_coding_rate),
    "escalation_rate": Metric(escalation_rate),
    "retention_save_rate": Metric(retention_save_rate),
    "personalization_rate": Metric(personalization_rate),
    "sentiment_negative_rate": Metric(sentiment_negative_rate),
    "sentiment_shift": Metric(sentiment_shift),
    "case_mix_index": Metric(case_mix_index),
    "complex_case_share": Metric(complex_case_share),
    "csat_score": Metric(csat_score),
    "dissatisfied_rate": Metric(dissatisfied_rate),
    "fcr_survey": Metric(fcr_survey),
    "ces": Metric(ces),
    "nps": Metric(nps, scale=100),
    "survey_offer_rate": Metric(survey_offer_rate),
    "complaint_rate": Metric(complaint_rate, scale=1000),
    "complaint_resolution_csat": Metric(complaint_resolution_csat),
    "social_feedback_count": Metric(social_feedback_count, "sum"),
    "social_feedback_negative_rate": Metric(social_feedback_negative_rate),
    "praise_count": Metric(praise_count, "sum"),
    "negative_contact_feedback": Metric(negative_contact_feedback, "sum"),
    "qa_listening_score": Metric(qa_listening_score),
    "qa_critical_error_rate": Metric(qa_critical_error_rate),
    "etiquette_score": Metric(partial(_group_score, "etiquette"), scale=100),
    "solution_depth_score": Metric(partial(_group_score, "solution_depth"), scale=100),
    "professionalism_score": Metric(partial(_group_score, "professionalism"), scale=100),
    "compliance_violation_rate": Metric(compliance_violation_rate),
    "qa_sample_completion": Metric(qa_sample_completion, grains=_PERIODS),
    "training_completion": Metric(training_completion),
    "group_chat_participations": Metric(group_chat_participations, "sum"),
} | {metric: Metric(partial(_audited, field)) for metric, field in _AUDITS.items()}
TRUTH |= {metric: Metric(partial(_formed, *form), grains=_PERIODS) for metric, form in _FORMS.items()}

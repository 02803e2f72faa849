"""What happened in a simulated operation, as Arrow tables: the one form between generator, writers, faults and truth.

Instants are UTC in whole seconds, because real systems keep no more. Local dates are business dates of the scenario's
time zone. An agent is never in two calls at once and never at work outside a shift. NULL: it did not happen.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

_TEXT, _INT, _FLAG, _DATE = pa.string(), pa.int64(), pa.bool_(), pa.date32()
_AT = pa.timestamp("us", tz="UTC")


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema(list(columns.items()))


SCHEMAS: dict[str, pa.Schema] = {
    # --- the company -------------------------------------------------------------------------------------------------
    "team": _schema(team_id=_TEXT, name_zh=_TEXT, name_en=_TEXT, lead_key=_TEXT),
    # role: inbound, outbound, im, mixed, qa, lead. member_name is the queue member of the exchange, chat_user_id
    # the account of Live Helper Chat, desk_user_id that of the second chat system; NULL without such an account.
    "agent": _schema(
        agent_key=_TEXT, name=_TEXT, role=_TEXT, username=_TEXT, extension=_TEXT, member_name=_TEXT, chat_user_id=_INT,
        desk_user_id=_INT, hire_date=_DATE, exit_date=_DATE, manager_key=_TEXT,
    ),
    # valid_to is exclusive and NULL while it holds; ranges of an agent follow each other without overlap.
    "membership": _schema(agent_key=_TEXT, team_id=_TEXT, valid_from=_DATE, valid_to=_DATE),
    # channel: voice (telephone), chat (Live Helper Chat) or desk (the second chat system).
    "queue": _schema(
        queue_id=_TEXT, channel=_TEXT, account=_TEXT, name_zh=_TEXT, name_en=_TEXT, team_id=_TEXT,
        service_level_seconds=_INT,
    ),
    # One row per agent and date of employment; a rest day has NULL times. work is what the shift is for: voice, chat,
    # desk, outbound, qa, lead. A night shift carries the date on which it starts and may end after the scenario.
    "shift": _schema(
        agent_key=_TEXT, shift_date=_DATE, start_at=_AT, end_at=_AT, break_seconds=_INT, is_rest_day=_FLAG, work=_TEXT
    ),
    "punch": _schema(punch_id=_INT, agent_key=_TEXT, shift_date=_DATE, in_at=_AT, out_at=_AT),
    "leave": _schema(
        leave_id=_INT, agent_key=_TEXT, start_date=_DATE, end_date=_DATE, leave_type=_TEXT, is_paid=_FLAG, status=_TEXT,
        requested_on=_DATE,
    ),
    "customer": _schema(customer_id=_INT, name=_TEXT, phone=_TEXT, email=_TEXT, language=_TEXT),
    # One thing a customer wants; contacts of one issue are repeats. issue_class e.g. refund, delivery, login, invoice.
    "issue": _schema(issue_id=_INT, customer_id=_INT, issue_class=_TEXT, opened_at=_AT, is_solved=_FLAG),
    # --- telephone ---------------------------------------------------------------------------------------------------
    # outcome: answered, abandoned (caller gave up), timeout (left the queue by itself). ended_by: agent, caller or
    # transfer, NULL after a timeout. A transferred call is one row; transfer_to is the queue_id it was sent to blindly,
    # NULL when the agent asked a colleague first, and next_call_id the visit it made there. rang_at is when the phone
    # that was taken began to ring. direction outbound has no queue and no wait: entered_at is when dialling began; a
    # call nobody took is a timeout ended by the agent.
    "call": _schema(
        call_id=_INT, direction=_TEXT, queue_id=_TEXT, customer_id=_INT, issue_id=_INT, entered_at=_AT, outcome=_TEXT,
        rang_at=_AT, answered_at=_AT, ended_at=_AT, agent_key=_TEXT, ended_by=_TEXT, transfer_to=_TEXT,
        next_call_id=_INT,
    ),
    # A member's phone that rang and was not taken, during the wait of a call; the caller may have given up meanwhile.
    "ring_no_answer": _schema(call_id=_INT, agent_key=_TEXT, started_at=_AT, ring_milliseconds=_INT),
    # What a telephone agent was, from log-in to log-out: on_queue (logged in, neither paused nor talking is not split
    # out; ended_at is NULL when the log-out was forgotten), and pauses within it: acw, break, lunch, meeting, training,
    # outbound. Outbound calls lie inside a pause outbound; no other pause overlaps a call.
    "agent_state": _schema(agent_key=_TEXT, state=_TEXT, started_at=_AT, ended_at=_AT),
    # --- chat (channel chat or desk) ---------------------------------------------------------------------------------
    # agent_key is the last owner, NULL when nobody accepted. closed_by: agent, visitor; NULL while open. A reopened
    # chat has the same chat_id and a second episode: reopened_at.
    "chat": _schema(
        chat_id=_INT, channel=_TEXT, queue_id=_TEXT, customer_id=_INT, issue_id=_INT, started_at=_AT, accepted_at=_AT,
        agent_key=_TEXT, closed_at=_AT, closed_by=_TEXT, visitor_left_at=_AT, bot_until=_AT, is_group=_FLAG,
        reopened_at=_AT,
    ),
    # One owner's part of a chat, numbered from 1. ended_how: closed, transfer; NULL while open.
    "chat_segment": _schema(
        chat_id=_INT, number=_INT, agent_key=_TEXT, queue_id=_TEXT, started_at=_AT, ended_at=_AT, ended_how=_TEXT
    ),
    # author: visitor, agent, bot, system, whisper. Ordered by message_id within a chat; agent_key for agent, whisper.
    # A system message has one of transferred, closed_by_agent, closed_by_visitor, reopened as text, and the one who
    # did it as agent_key.
    "message": _schema(message_id=_INT, chat_id=_INT, author=_TEXT, agent_key=_TEXT, sent_at=_AT, text=_TEXT),
    # --- what customers and colleagues think -------------------------------------------------------------------------
    # contact_id is a call_id (channel voice) or chat_id. answered_at NULL: invited and not answered; values NULL
    # too. value is 1 to 5, solved 1 to 5, thumb up or down; each NULL when not given.
    "survey": _schema(
        survey_id=_INT, channel=_TEXT, contact_id=_INT, agent_key=_TEXT, customer_id=_INT, invited_at=_AT,
        answered_at=_AT, value=_INT, solved=_INT, thumb=_TEXT, comment=_TEXT,
    ),
    # true_score is what a perfect reviewer would give; only truth reads it. item_scores: eight items, 0 to 10 or NULL.
    "qa_review": _schema(
        review_id=_INT, agent_key=_TEXT, reviewer_key=_TEXT, channel=_TEXT, contact_id=_INT, contact_at=_AT,
        reviewed_at=_AT, form_version=_TEXT, score=pa.float64(), true_score=pa.float64(), is_fatal=_FLAG,
        is_blind=_FLAG, playback_seconds=_INT, recording_seconds=_INT, item_scores=pa.list_(pa.int64()),
    ),
    # sitting: first or make_up. score NULL when absent, with absence_reason leave, illness, long_leave, no_reason.
    "exam": _schema(
        agent_key=_TEXT, exam_name=_TEXT, sitting=_TEXT, exam_date=_DATE, score=pa.float64(), absence_reason=_TEXT
    ),
}  # fmt: skip

# What only an operation with a follow-up has.
FOLLOW_UP_SCHEMAS: dict[str, pa.Schema] = {
    # One answer to the survey of four items that is asked by hand. agent_key is whom the sheet names; the items are 1
    # to 5 as ticked, effort and again worded the other way round; reason NULL when none was given.
    "follow_up": _schema(
        answer_id=_INT, channel=_TEXT, contact_id=_INT, agent_key=_TEXT, customer_id=_INT, answered_at=_AT, ease=_INT,
        solved=_INT, effort=_INT, again=_INT, reason=_TEXT,
    ),
    # What an answered survey said first, before the customer changed its value.
    "rating_change": _schema(survey_id=_INT, value=_INT),
}  # fmt: skip

# One row per thing that was planted: which fault, on whom, on which rows, when and how strongly.
PLANTED = _schema(
    fault=_TEXT, subject_kind=_TEXT, subject=_TEXT, table=_TEXT, row_ids=pa.list_(pa.int64()), starts_at=_AT,
    ends_at=_AT, strength=pa.float64(), note=_TEXT,
)  # fmt: skip


@dataclass
class World:
    """Everything that happened. `tables` holds exactly the tables of `SCHEMAS`, and more of `papers` once written.

    Attributes:
        tables: by name, each with its schema, in the order of its ids; with a follow-up those of `FOLLOW_UP_SCHEMAS`
            too.
        papers: tables of the tabular entities that exist only as sheets, by entity name, columns as its fields.
        planted: what was planted, with the schema `PLANTED`.
    """

    tables: dict[str, pa.Table]
    papers: dict[str, pa.Table] = field(default_factory=dict)
    planted: pa.Table = field(default_factory=PLANTED.empty_table)

"""The true metrics against small worlds counted by hand."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu.simulation.run import simulate
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_phone
from kefu.simulation.truth import TRUTH, Facts, metric_values, truth_tables, write_truth
from kefu.simulation.truth.sheets import effort_answers, solved_answers
from kefu.simulation.truth.voice import judged_answers, survey_answers
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, SCHEMAS, World
from kefu.yaml_files import read_yaml
from tests.simulation.truth_world import (
    AS_OF,
    SCENARIO,
    Row,
    at,
    call,
    chat,
    segment,
    shift,
    survey,
    talk,
    values,
    world,
)

ROOT = Path(__file__).parents[2]
CATALOGUE: dict[str, Row] = {
    metric["metric_id"]: metric
    for path in sorted((ROOT / "config" / "metrics").glob("*.yml"))
    for metric in read_yaml(path)
}
ADDITIVE = {name for name, metric in TRUTH.items() if metric.kind in ("ratio", "sum", "excess")}


def test_every_metric_of_the_catalogue_has_its_truth_and_its_form() -> None:
    without = read_yaml(ROOT / "tests" / "catalogue" / "specified_metrics.yml")["without_truth"]
    own = {name for name, metric in CATALOGUE.items() if metric["kind"] != "elsewhere"}
    assert set(TRUTH) == own - set(without)
    for name, metric in TRUTH.items():
        declared = CATALOGUE[name]
        assert {"distinct": "sum", "per_distinct": "ratio"}.get(metric.kind, metric.kind) == declared["kind"], name
        assert metric.scale == Decimal(declared.get("scale", "1")), name
        assert metric.kind != "percentile" or metric.quantile == Fraction(declared["quantile"]), name
        assert {*metric.grains, "period"} == {"period", *declared.get("grains", ("day", "week", "month"))}, name


# --- telephone

CALLS = world(
    call=[
        call(1, 0, 12, 112),                                                      # answered in 12 s, talks 100 s
        call(2, 200, 225, 265, ended_by="transfer", next_call_id=3),              # 25 s, talks 40 s, passed on
        call(3, 265, 275, 335, agent="A2"),                                       # the same call, 10 s, talks 60 s
        call(4, 400, None, 403),                                                  # gives up after 3 s: too short
        call(5, 500, None, 560),                                                  # gives up after 60 s
        call(6, 600, None, 900, outcome="timeout", ended_by=None),                # leaves by itself
        call(7, 1000, None, 1010, direction="outbound", queue_id=None),
    ],
    agent_state=[
        {"agent_key": "A1", "state": "acw", "started_at": at(112), "ended_at": at(142)},
        {"agent_key": "A1", "state": "acw", "started_at": at(265), "ended_at": at(1265)},  # counts 600 s
        {"agent_key": "A1", "state": "break", "started_at": at(2000), "ended_at": at(2600)},
    ],
)  # fmt: skip


def test_queues_answer_abandon_and_wait() -> None:
    everywhere = dict.fromkeys(("voice_orders", "orders", "site"))
    assert values(CALLS, "service_level") == dict.fromkeys(everywhere, (2, 4, 4))
    assert values(CALLS, "abandonment_rate") == dict.fromkeys(everywhere, (1, 5, 5))
    assert values(CALLS, "asa") == dict.fromkeys(everywhere, (47, 3, 3))


def test_calls_are_handled_by_legs_and_conversations() -> None:
    assert values(CALLS, "calls_inbound_handled") == {
        "A1": (2, None, 2), "A2": (1, None, 1), "orders": (3, None, 3), "site": (3, None, 3),
    }  # fmt: skip
    # The call that was passed on is one conversation for the team, and one for each of the two agents.
    assert values(CALLS, "conversations_handled") == {
        "A1": (2, None, 2), "A2": (1, None, 1), "orders": (2, None, 2), "site": (2, None, 2),
    }  # fmt: skip
    assert values(CALLS, "transfer_out_rate")["A1"] == (1, 2, 2)
    # The colleague was asked first: no queue is named.
    assert values(CALLS, "consult_transfer_rate")["A1"] == values(CALLS, "transfer_out_rate")["A1"]
    assert values(CALLS, "blind_transfer_rate")["A1"] == (0, 2, 2)
    assert values(CALLS, "transfer_kind_coverage")["A1"] == (1, 1, 1)
    assert values(CALLS, "avg_talk_time") == {
        "A1": (140, 2, 2), "A2": (60, 1, 1), "orders": (200, 3, 3), "site": (200, 3, 3),
    }  # fmt: skip
    assert values(CALLS, "acw_avg")["A1"] == (630, 2, 2)
    assert values(CALLS, "aht")["A1"] == (770, 2, 2)
    assert values(CALLS, "aht")["site"] == (830, 3, 3)


def test_a_night_shift_owns_what_begins_in_it_and_the_team_is_that_of_its_date() -> None:
    night = 13 * 3600  # 22:00 in Shanghai
    made = world(
        shift=[shift("A1", 0, night)],
        call=[
            call(1, night + 4 * 3600, night + 4 * 3600, night + 4 * 3600 + 60),  # 02:00 on the 6th, of the 5th's shift
            call(2, night + 12 * 3600, night + 12 * 3600, night + 12 * 3600 + 60),  # 10:00 on the 6th: outside
        ],
    )
    assert values(made, "calls_inbound_handled", period="2026-10-05")["A1"] == (1, None, 1)
    assert values(made, "calls_inbound_handled", period="2026-10-06")["A1"] == (1, None, 1)
    # The team is that of the shift's date: A1 is with delivery from the 6th on.
    assert {unit: value[0] for unit, value in values(made, "calls_inbound_handled").items()} == {
        "A1": 2, "orders": 1, "delivery": 1, "site": 2,
    }  # fmt: skip


# --- chat

CHATS = world(
    chat=[
        chat(1, 0, 10, 300),
        chat(2, 1000, 1005, 1400, agent_key="A3"),
        chat(3, 2000, None, 2060, visitor_left_at=at(2060)),
        chat(4, 3000, None, 3002, visitor_left_at=at(3002)),
        chat(5, 4000, 4100, None),
        chat(6, 5000, 5150, 5300, channel="desk", bot_until=at(5100)),
    ],
    chat_segment=[
        segment(1, 1, "A2", 10, 300),
        segment(2, 1, "A2", 1005, 1100, "transfer"),
        segment(2, 2, "A3", 1100, 1400),
        segment(5, 1, "A2", 4100, None, None),
        segment(6, 1, "A2", 5150, 5300),
    ],
    message=[
        *talk(1, (0, "v"), (20, "A2"), (50, "v"), (55, "v"), (65, "A2")),
        *talk(2, (1000, "v"), (1040, "A2"), (1100, "v"), (1100, "transferred"), (1190, "A3")),
        *talk(3, (2000, "v")),
        *talk(4, (3000, "v")),
        *talk(5, (4000, "v"), (4800, "v")),
        *talk(6, (5000, "v"), (5001, "bot"), (5100, "bot"), (5170, "A2")),
    ],
)


def test_first_replies_are_a_team_metric_and_start_after_the_bot() -> None:
    # Waits 20, 40 and 70 s (from the end of the bot); one left after a minute, one is never answered; one left at once.
    assert values(CHATS, "first_response_time") == dict.fromkeys(("orders", "site"), (1, 5, 5))
    assert values(CHATS, "customer_first_response_time") == dict.fromkeys(("orders", "site"), (130, 3, 3))


def test_segments_answer_from_their_own_assignment() -> None:
    # A2: 10, 35 and 20 s, and the stale chat fails; A3 needs 90 s after the transfer.
    assert values(CHATS, "assignment_response_time") == {
        "A2": (3, 4, 4), "A3": (0, 1, 1), "orders": (3, 4, 4), "delivery": (0, 1, 1), "site": (3, 5, 5),
    }  # fmt: skip
    assert values(CHATS, "accept_delay")["A2"] == (10 + 5 + 100 + 50, 4, 4)
    # Turns: 10 and 15 s, 35 s, 90 s of A3, 20 s: no clock starts before the assignment.
    assert values(CHATS, "avg_response_time") == {
        "A2": (80, 4, 4), "A3": (90, 1, 1), "orders": (80, 4, 4), "delivery": (90, 1, 1), "site": (170, 5, 5),
    }  # fmt: skip


def test_active_time_leaves_out_what_comes_before_and_long_gaps() -> None:
    # Chat 1: 10 to 65; chat 2: 1005 to 1100 and 1100 to 1190; chat 6: 5150 to 5170.
    assert values(CHATS, "aht") == {
        "A2": (55 + 95 + 20, 3, 3), "A3": (90, 1, 1), "orders": (170, 3, 3), "delivery": (90, 1, 1),
        "site": (260, 4, 4),
    }  # fmt: skip
    assert values(CHATS, "conversations_handled")["site"] == (3, None, 3)
    assert values(CHATS, "transfer_out_rate")["A2"] == (1, 3, 3)
    assert values(CHATS, "transfer_kind_coverage")["A2"] == (0, 1, 1)
    assert values(CHATS, "blind_transfer_rate") == {}


def test_chat_queues_wait_from_the_end_of_the_bot() -> None:
    assert values(CHATS, "asa")["chat_orders"] == (10 + 5 + 100 + 50, 4, 4)
    assert values(CHATS, "service_level")["chat_orders"] == (2, 5, 5)
    assert values(CHATS, "abandonment_rate")["chat_orders"] == (1, 5, 5)


def test_a_chat_left_open_ends_after_seven_days_and_not_before() -> None:
    early = metric_values(Facts(CHATS, SCENARIO, at(day=3)), ["assignment_response_time"]).to_pylist()
    late = metric_values(Facts(CHATS, SCENARIO, AS_OF), ["assignment_response_time"]).to_pylist()
    count = [
        sum(row["n"] for row in rows if (row["unit_key"], row["channel"], row["period"]) == ("A2", "all", "2026-10"))
        for rows in (early, late)
    ]
    assert count == [3, 4]


def test_a_reopened_chat_has_a_second_episode() -> None:
    made = world(
        chat=[chat(1, 0, 10, 900, reopened_at=at(600))],
        chat_segment=[segment(1, 1, "A2", 10, 100), segment(1, 2, "A2", 620, 900)],
        message=talk(1, (0, "v"), (30, "A2"), (600, "reopened"), (600, "v"), (650, "A2")),
    )
    assert values(made, "assignment_response_time")["A2"] == (2, 2, 2)
    assert values(made, "avg_response_time")["A2"] == (20 + 30, 2, 2)
    assert values(made, "aht")["A2"] == (20 + 30, 2, 2)
    assert values(made, "conversations_handled")["A2"] == (1, None, 1)


def test_a_reply_outside_the_roster_counts_calendar_seconds() -> None:
    made = world(
        shift=[shift("A2", start=100)],
        chat=[chat(1, 0, 10, 900), chat(2, -7200, -7200, -7000)],
        chat_segment=[segment(1, 1, "A2", 10, 900), segment(2, 1, "A2", -7200, -7000)],
        message=[*talk(1, (0, "v"), (150, "A2")), *talk(2, (-7200, "v"), (-7150, "A2"))],
    )
    assert values(made, "avg_response_time")["A2"] == (50 + 50, 2, 2)


# --- ratings


def rated(*surveys: Row) -> World:
    return world(call=[call(n, 100 * n, 100 * n, 100 * n + 50) for n in range(1, 7)], survey=list(surveys))


def test_ratings_are_valid_once_in_time_and_twice_a_customer() -> None:
    made = rated(
        survey(1, 1, 5, 700), survey(2, 2, 4, 710), survey(3, 3, 5, 720),   # the third of customer 1 does not count
        survey(4, 4, 3, 730, customer=2), survey(5, 4, 5, 740, customer=2),  # the last of a conversation counts
        survey(6, 5, 1, 4 * 86400, customer=3),                              # too late
        survey(7, 6, None, None, customer=4),                                # not answered
    )  # fmt: skip
    assert values(made, "csat_rate") == {"A1": (3, 3, 3), "orders": (3, 3, 3), "site": (3, 3, 3)}
    assert values(made, "survey_response_rate")["A1"] == (5, 6, 6)


def test_colleagues_and_chats_without_service_do_not_rate() -> None:
    made = rated(survey(1, 1, 5, 700), survey(2, 2, 5, 700, customer=2))
    customers = made.tables["customer"].to_pylist()
    customers[1]["phone"] = staff_phone("A3")
    made.tables["customer"] = pa.Table.from_pylist(customers, schema=SCHEMAS["customer"])
    assert values(made, "csat_rate")["A1"] == (1, 1, 1)
    silent = world(
        chat=[chat(1, 0, 10, 300)],
        chat_segment=[segment(1, 1, "A2", 10, 300)],
        message=talk(1, (0, "v")),
        survey=[survey(1, 1, 5, 400, channel="chat", agent_key="A2")],
    )
    assert values(silent, "csat_rate") == {}


def test_invitations_of_live_helper_chat_cannot_be_measured() -> None:
    spoken = {
        "chat": [chat(1, 0, 10, 300), chat(2, 0, 10, 300, channel="desk")],
        "chat_segment": [segment(number, 1, "A2", 10, 300) for number in (1, 2)],
        "message": [*talk(1, (0, "v"), (20, "A2")), *talk(2, (0, "v"), (20, "A2"))],
    }
    made = world(**spoken, survey=[survey(1, 1, 5, 400, channel="chat"), survey(2, 2, None, None, channel="desk")])
    assert values(made, "survey_response_rate")["A2"] == (0, 1, 1)
    assert values(made, "csat_rate", channel="chat")["A2"] == (1, 1, 1)


def test_a_rating_goes_to_the_last_agent_of_the_call() -> None:
    made = world(
        call=[call(1, 0, 10, 50, ended_by="transfer", next_call_id=2), call(2, 50, 60, 90, agent="A3")],
        survey=[survey(1, 2, 2, 700, agent_key="A3")],
    )
    assert values(made, "csat_rate") == {"A3": (0, 1, 1), "delivery": (0, 1, 1), "site": (0, 1, 1)}


# --- single rows


def answer(number: int, contact: int, hours: float, *marks: int, **more: Any) -> Row:
    """An answer by hand, so many hours after 9:00; marks are those of ease, solved, effort and again."""
    given = dict(zip(("ease", "solved", "effort", "again"), marks or (5, 5, 1, 1), strict=True))
    return {
        "answer_id": number, "channel": "voice", "contact_id": contact, "agent_key": "A1", "customer_id": 1,
        "answered_at": at(3600 * hours),
    } | given | more  # fmt: skip


def asked(*answers: Row) -> World:
    """Calls of 1 to 7 by seven customers; nobody answers the last one."""
    calls = [call(n, 100 * n, 100 * n, 100 * n + 50, customer_id=n) for n in range(1, 7)]
    made = world(call=[*calls, call(7, 700, None, 750, customer_id=7)])
    schema = FOLLOW_UP_SCHEMAS["follow_up"]
    made.tables["follow_up"] = pa.Table.from_pylist(list(answers), schema=schema)
    return made


def rules(made: World) -> dict[int, str | None]:
    """By answer, the rule by which its items do not count."""
    facts = Facts(made, SCENARIO, AS_OF)
    found: dict[int, set[str | None]] = defaultdict(set)
    for answers in (solved_answers(facts), effort_answers(facts)):
        for one, _, rule in judged_answers(facts, answers):
            found[int(one.key.removeprefix("sim_sheets:F").partition("-")[0])].add(rule)
    assert all(len(judged) == 1 for judged in found.values())
    return {number: judged.pop() for number, judged in sorted(found.items())}


def test_answers_by_hand_count_once_in_time_and_of_people_who_were_served() -> None:
    made = asked(
        answer(1, 1, 2), answer(2, 1, 3),                   # the second answer about a call counts
        answer(3, 2, 73),                                   # 72 hours later it is too late
        answer(4, 3, 2, 5, 5, 5, 5), answer(5, 4, 2, 4, 4, 2, 2),  # 5 on both ends of a scale
        answer(6, 7, 2), answer(7, 99, 2),                  # nobody took the call, no system knows it
    )  # fmt: skip
    assert rules(made) == {1: "V1", 2: None, 3: "V7", 4: "V10", 5: None, 6: "V9", 7: "V9"}
    # Two items on how easy it was, 7 best and 5.5 for a step less, of each of two answers.
    assert values(made, "ces")["A1"] == (7 + 7 + Decimal("5.5") + Decimal("5.5"), 4, 4)
    assert values(made, "fcr_survey")["A1"] == (4, 4, 4)


def test_what_is_wrong_with_the_product_is_the_teams() -> None:
    made = asked(answer(1, 1, 2), answer(2, 2, 2, 2, 1, 5, 4, reason="product_price"))
    assert rules(made) == {1: None, 2: None}
    assert values(made, "fcr_survey") == {"A1": (2, 2, 2), "orders": (2, 4, 4), "site": (2, 4, 4)}


def raised(first: int, *said: tuple[float, str]) -> World:
    """A chat that is rated 4 after 310 seconds and was rated lower before."""
    made = world(
        chat=[chat(1, 0, 10, 300, channel="desk")],
        chat_segment=[segment(1, 1, "A2", 10, 300)],
        message=talk(1, (0, "v"), (20, "A2"), *said),
        survey=[survey(1, 1, 4, 310, channel="desk", agent_key="A2", invited_at=at(302))],
    )
    change = [{"survey_id": 1, "value": first}]
    made.tables["rating_change"] = pa.Table.from_pylist(change, schema=FOLLOW_UP_SCHEMAS["rating_change"])
    return made


def test_of_a_rating_that_was_raised_after_contact_the_first_value_counts() -> None:
    facts = Facts(raised(2, (1000, "A2")), SCENARIO, AS_OF)
    (one,) = survey_answers(facts, "value")
    assert one.is_raised and one.value == 2
    # One level more, or without a word of the agent, is the customer's own change of mind.
    for made in (raised(3, (1000, "A2")), raised(2)):
        (one,) = survey_answers(Facts(made, SCENARIO, AS_OF), "value")
        assert not one.is_raised and one.value == 4
    # A rating before the agent's last word came too early, and it is all of the agent's.
    assert values(raised(2, (1000, "A2")), "csat_score") == {}
    assert values(raised(2), "csat_score")["A2"] == (4, 1, 1)


# --- reviews, exams, attendance


def review(number: int, score: float, **more: Any) -> Row:
    return {
        "review_id": number, "agent_key": "A2", "reviewer_key": "A3", "channel": "voice", "contact_id": number,
        "contact_at": at(), "reviewed_at": at(day=1), "score": score, "is_fatal": False, "is_blind": False,
        "playback_seconds": 30, "recording_seconds": 100,
    } | more  # fmt: skip


def test_reviews_count_without_blind_own_short_and_old_ones() -> None:
    made = world(
        qa_review=[
            review(1, 87.25), review(2, 90.5), review(3, 99.0, is_fatal=True), review(4, 10.0, is_blind=True),
            review(5, 10.0, reviewer_key="A2"), review(6, 10.0, playback_seconds=29),
            review(7, 10.0, contact_at=at(day=-10)), review(8, 80.0, playback_seconds=None),
            review(9, 10.0, form_version="2025"),
        ]
    )  # fmt: skip
    assert values(made, "qa_listening_score", channel="none")["A2"] == (Decimal("257.75"), 4, 4)


def test_exams_take_the_best_and_punish_only_who_could_have_come() -> None:
    def sat(agent: str, sitting: str, day: int, score: float | None, reason: str | None = None) -> Row:
        return {
            "agent_key": agent, "exam_name": "e", "sitting": sitting, "exam_date": date(2026, 10, day), "score": score,
            "absence_reason": reason,
        }  # fmt: skip

    made = world(
        exam=[
            sat("A1", "first", 20, 60), sat("A1", "first", 5, None, "illness"), sat("A1", "make_up", 12, 91.5),
            sat("A2", "first", 5, None, "leave"), sat("A3", "first", 5, None, "long_leave"),
        ]
    )  # fmt: skip
    assert values(made, "exam_score", "none", "2026-10-05") == {
        "A1": (Decimal("91.5"), 1, 1), "A2": (0, 1, 1), "orders": (Decimal("91.5"), 2, 2),
        "site": (Decimal("91.5"), 2, 2),
    }  # fmt: skip
    assert values(made, "exam_score", "none")["A1"] == (Decimal("151.5"), 2, 2)


def test_attendance_counts_the_roster_without_leave_and_contradictions() -> None:
    def punch(number: int, agent: str, came: float, left: float | None, day: int = 0) -> Row:
        return {
            "punch_id": number, "agent_key": agent, "shift_date": date(2026, 10, 5 + day), "in_at": at(came, day),
            "out_at": None if left is None else at(left, day),
        }  # fmt: skip

    made = world(
        shift=[shift("A1", day) for day in range(4)] + [shift("A2", day) for day in range(3)],
        punch=[
            punch(1, "A1", -300, 9 * 3600 + 500),        # there all the time: 8 of 8 hours
            punch(2, "A1", 7200, 9 * 3600, day=1),       # two hours late: 7 of 8
            punch(3, "A2", 0, None),                     # no clock-out: left out
            punch(4, "A2", 0, 17 * 3600, day=1),         # seventeen hours: left out
            punch(5, "A1", 7200, 10800, day=1),          # an hour of it again
        ],
        leave=[
            {"agent_key": "A1", "start_date": date(2026, 10, 7), "end_date": date(2026, 10, 7), "status": "approved"},
            {"agent_key": "A2", "start_date": date(2026, 10, 7), "end_date": date(2026, 10, 7), "status": "rejected"},
        ],
    )  # fmt: skip
    found = values(made, "attendance_rate", "none")
    assert found["A1"] == (15 * 3600, 24 * 3600, 3)  # the fourth day without a punch counts, the third is leave
    assert found["A2"] == (0, 8 * 3600, 1)


# --- all of it


def exempted(*rows: tuple[str, str | None, str | None, int]) -> dict[str, list[Row]]:
    """Exemptions of one day each: scope, key, metric, day of October."""
    return {
        "exemption": [
            {
                "exemption_id": f"X{number}", "scope_kind": kind, "scope_key": key, "metric_id": metric,
                "starts_on": date(2026, 10, day), "ends_on": date(2026, 10, day), "reason": "r",
                "approver_number": "A9", "approved_on": date(2026, 10, 20),
            }
            for number, (kind, key, metric, day) in enumerate(rows)
        ]
    }  # fmt: skip


def test_exempted_days_are_left_out_for_those_they_are_for() -> None:
    calls = [call(n, 86400 * day + 100 * n, 86400 * day + 100 * n, 86400 * day + 100 * n + 50, agent=agent)
             for n, (day, agent) in enumerate([(0, "A1"), (0, "A2"), (1, "A1"), (1, "A2"), (1, "A3")], 1)]  # fmt: skip
    shifts = [shift(agent, day) for agent in ("A1", "A2", "A3") for day in (0, 1)]

    def handled(*rows: tuple[str, str | None, str | None, int]) -> dict[str, int]:
        made = world(exempted(*rows), call=calls, shift=shifts)
        return {unit: n for unit, (_, _, n) in values(made, "calls_inbound_handled").items()}

    everybody = {"A1": 2, "A2": 2, "A3": 1, "orders": 3, "delivery": 2, "site": 5}
    assert handled() == everybody
    assert handled(("site", None, None, 6)) == {"A1": 1, "A2": 1, "orders": 2, "site": 2}
    assert handled(("site", None, "asa", 6)) == everybody
    assert handled(("site", None, "calls_inbound_handled", 5)) == {"A1": 1, "A2": 1, "A3": 1, "orders": 1,
                                                                   "delivery": 2, "site": 3}  # fmt: skip
    # A1 belongs to orders on the 5th and to delivery on the 6th.
    assert handled(("team", "delivery", None, 6)) == {"A1": 1, "A2": 2, "orders": 3, "site": 5}
    assert handled(("team", "delivery", None, 5)) == everybody
    assert handled(("agent", "A2", None, 6)) == everybody | {"A2": 1}
    # How many different customers there were is counted, not added up: no day can be taken out of it.
    made = world(exempted(("site", None, None, 5)), call=calls[:2], shift=shifts)
    assert values(made, "unique_customers_served")["site"] == (1, None, 1)


def test_weeks_begin_on_monday_inside_the_scenario() -> None:
    days = (-4, -1, 0, 6, 7, 26, 27)  # of 5 October: the 1st, 4th, 5th, 11th, 12th, 31st and 1 November
    made = world(call=[call(n, 86400 * day, 86400 * day, 86400 * day + 50) for n, day in enumerate(days, 1)], shift=[])
    weeks = {
        row["period"]: row["n"]
        for row in metric_values(Facts(made, SCENARIO, AS_OF), ["calls_inbound_handled"]).to_pylist()
        if (row["unit_key"], row["channel"], row["period_kind"]) == ("site", "all", "week")
    }
    assert weeks == {"2026-10-05": 2, "2026-10-12": 1, "2026-10-26": 2}
    assert values(made, "calls_inbound_handled")["site"] == (6, None, 6)


@pytest.fixture(scope="module")
def generated() -> tuple[Scenario, World, pa.Table]:
    scenario = Scenario(seed=5, agents=24, contacts_per_agent_day=6)
    made = simulate(scenario)
    return scenario, made, truth_tables(made, scenario)["metric_value"]


def test_a_generated_world_has_every_metric_and_every_ratio_is_possible(
    generated: tuple[Scenario, World, pa.Table],
) -> None:
    table = generated[2]
    # Nothing is open that late for a ticket of the month, and nobody's 90 days are over.
    assert set(TRUTH) - set(table["metric_id"].to_pylist()) <= {"tickets_open_age", "customer_retention_rate"}
    bounded = {name for name, metric in CATALOGUE.items() if metric.get("bounded")}
    for row in table.to_pylist():
        kind, numerator, denominator = TRUTH[row["metric_id"]].kind, row["numerator"], row["denominator"]
        assert (denominator is None) == (kind not in ("ratio", "excess", "per_distinct")), row
        assert row["n"] >= 0 and (kind != "ratio" or (row["value"] is None) == (denominator == 0)), row
        if row["metric_id"] in bounded:
            assert 0 <= numerator <= denominator, row
            assert row["value"] is None or 0 <= row["value"] <= 1, row


def test_days_add_up_to_months_and_channels_to_all(generated: tuple[Scenario, World, pa.Table]) -> None:
    rows = generated[2].to_pylist()
    key = ("metric_id", "unit_kind", "unit_key")
    by_period: dict[str, dict[tuple[Any, ...], Any]] = {"day": defaultdict(int), "month": defaultdict(int)}
    by_channel: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for row in rows if row["period"].startswith("2026-10")):
        cell = (*(row[name] for name in key), row["channel"])
        if row["metric_id"] in ADDITIVE and "day" in TRUTH[row["metric_id"]].grains and row["period_kind"] in by_period:
            by_period[row["period_kind"]][cell] += row["numerator"]
        if row["metric_id"] in ADDITIVE and row["period_kind"] == "month":
            by_channel.setdefault(cell[:3], {})[row["channel"]] = row["n"]
    cells = by_period["day"].keys() | by_period["month"].keys()
    assert len(cells) > 1000
    # Each number is rounded to six decimals.
    assert [cell for cell in cells if abs(by_period["day"][cell] - by_period["month"][cell]) > Decimal("0.001")] == []
    for channels in by_channel.values():
        assert "none" in channels or channels["all"] == sum(n for name, n in channels.items() if name != "all")


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_order_of_rows_means_nothing(generated: tuple[Scenario, World, pa.Table], seed: int) -> None:
    scenario, made, expected = generated
    rng = np.random.default_rng(seed)
    shuffled, papers = (
        {name: table.take(rng.permutation(table.num_rows)) for name, table in tables.items()}
        for tables in (made.tables, made.papers)
    )
    assert truth_tables(World(shuffled, papers), scenario)["metric_value"].equals(expected)


def test_the_file_tells_scenario_faults_and_months_and_never_changes(tmp_path: Path) -> None:
    write_truth(CHATS, SCENARIO, tmp_path / "truth.json")
    content = (tmp_path / "truth.json").read_bytes()
    body = json.loads(content)
    assert list(body) == ["scenario", "planted", "metric_values"]
    assert body["scenario"]["start"] == "2026-10-01" and body["planted"] == []
    table = truth_tables(CHATS, SCENARIO)["metric_value"]
    months = table.filter(pc.equal(table["period_kind"], "month"))
    assert len(body["metric_values"]) == months.num_rows
    assert body["metric_values"][0] == {
        "metric_id": "abandonment_rate", "unit_kind": "queue", "unit_key": "chat_orders", "channel": "all",
        "period": "2026-10", "numerator": 1, "denominator": 5, "n": 5, "value": 0.2,
    }  # fmt: skip
    write_truth(CHATS, SCENARIO, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == content
    chats = [row for row in body["metric_values"] if row["metric_id"] in ("aht", "asa", "avg_response_time")]
    assert len(chats) > 20
    digest = hashlib.sha256(json.dumps(chats).encode()).hexdigest()
    assert digest == "ba2c4002d5e760d9ea3fa64bf03e55f332bb121cfec033d46c6ac1ff386dae0d"

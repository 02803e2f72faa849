"""The truth of conversations against worlds counted by hand."""

from __future__ import annotations

from datetime import date

import pytest

from kefu.simulation.configuration import SOURCES
from kefu.simulation.operation import PHRASES
from kefu.simulation.truth import Facts, metric_values
from kefu.simulation.truth.spans import common, total, union, without
from kefu.simulation.world import World
from tests.simulation.truth_world import (
    SCENARIO,
    Row,
    at,
    call,
    chat,
    segment,
    shift,
    shown,
    talk,
    values,
    world,
)


def spoken(number: int, place: int, *said: tuple[float, str]) -> list[Row]:
    """Messages of a chat, numbered from another place on than `talk` does."""
    return [row | {"message_id": 1000 * number + place + offset} for offset, row in enumerate(talk(number, *said))]


def system(number: int, place: int, seconds: float, text: str) -> Row:
    return talk(number, (seconds, "transferred"))[0] | {"message_id": 1000 * number + place, "text": text}


def bot(number: int, place: int, seconds: float) -> Row:
    return talk(number, (seconds, "bot"))[0] | {"message_id": 1000 * number + place}


# A2 passes the first chat on to A3 of the other team; the visitor of the second leaves 3 s after A2 took it, that of
# the third a minute after; the fourth is still open, and not for seven days yet.
WORK = world(
    chat=[
        chat(1, 0, 10, 300, agent_key="A3"),
        chat(2, 1000, 1010, 1020, visitor_left_at=at(1013)),
        chat(3, 2000, 2010, 2080, visitor_left_at=at(2070)),
        chat(4, 35 * 86400 - 6 * 86400, 35 * 86400 - 6 * 86400 + 5, None),
    ],
    chat_segment=[
        segment(1, 1, "A2", 10, 100, "transfer"),
        segment(1, 2, "A3", 100, 300),
        segment(2, 1, "A2", 1010, 1020),
        segment(3, 1, "A2", 2010, 2080),
        segment(4, 1, "A2", 35 * 86400 - 6 * 86400 + 5, None, None),
    ],
    message=[
        *talk(1, (0, "v"), (3, "v"), (20, "A2"), (50, "v"), (90, "A2"), (100, "transferred"), (150, "A3"), (200, "v")),
        *talk(2, (1000, "v")),
        *talk(3, (2000, "v")),
        *talk(4, (35 * 86400 - 6 * 86400, "v")),
    ],
)


def test_assigned_counts_whatever_the_unit_was_given_on_the_day_of_its_first_segment() -> None:
    made = world(
        shift=[],
        call=[call(1, 53990, 54000 - 5, 54100, ended_by="transfer", next_call_id=2), call(2, 54100, 54110, 54200)],
        chat=[chat(1, 53000, 53000, None)],
        chat_segment=[segment(1, 1, "A2", 53000, 54500, "transfer"), segment(1, 2, "A2", 54500, None, None)],
        message=talk(1, (53000, "v")),
    )
    # Midnight is 54000 s after the morning: both begin before it.
    assert values(made, "conversations_assigned", period="2026-10-05") == {
        "A1": (1, None, 1), "A2": (1, None, 1), "orders": (2, None, 2), "site": (2, None, 2),
    }  # fmt: skip
    # Only the second leg began on the 6th, when A1 was with delivery.
    assert values(made, "conversations_assigned", period="2026-10-06") == {"delivery": (1, None, 1)}
    assert values(made, "conversations_assigned", "chat")["A2"] == (1, None, 1)


def test_effective_rate_leaves_out_who_left_before_anybody_could_answer() -> None:
    # A2 had three ended ones: one effective, one left after 3 s (out), one after 60 s; A3 one.
    assert values(WORK, "effective_conversation_rate") == {
        "A2": (1, 2, 2), "A3": (1, 1, 1), "orders": (1, 2, 2), "delivery": (1, 1, 1), "site": (1, 2, 2),
    }  # fmt: skip


def test_closed_conversations_are_those_of_the_last_agent() -> None:
    assert values(WORK, "conversations_closed") == {"A3": (1, None, 1), "delivery": (1, None, 1), "site": (1, None, 1)}
    # The call that was passed on and given up is the first agent's.
    made = world(call=[call(1, 0, 10, 60, ended_by="transfer", next_call_id=2), call(2, 60, None, 90)])
    assert values(made, "conversations_closed")["A1"] == (1, None, 1)


def test_customers_are_counted_once_a_day_week_and_month() -> None:
    day = 86400
    made = world(
        shift=[],
        customer=[
            {"customer_id": 1, "phone": "16000000001", "email": None},
            {"customer_id": 2, "phone": "16000000001", "email": "b@example.com"},  # the same telephone
            {"customer_id": 3, "phone": None, "email": "c@example.com"},  # unknown by voice, known by chat
            {"customer_id": 4, "phone": "16000000004", "email": None},
        ],
        call=[
            call(1, 0, 5, 60), call(2, 100, 105, 160), call(3, day, day + 5, day + 60, customer_id=2),
            call(4, 200, 205, 260, customer_id=3), call(5, 7 * day, 7 * day + 5, 7 * day + 60, customer_id=4),
            call(6, 300, 305, 360, agent="A2"),
        ],
        chat=[chat(1, 0, 5, 100, customer_id=3, agent_key="A1"), chat(2, 400, 405, 500, customer_id=1, agent_key="A1")],
        chat_segment=[segment(1, 1, "A1", 5, 100), segment(2, 1, "A1", 405, 500)],
        message=[*talk(1, (0, "v"), (10, "A1")), *talk(2, (400, "v"), (410, "A1"))],
    )  # fmt: skip

    def served(channel: str, period: str) -> dict[str, int]:
        return {unit: n for unit, (_, _, n) in values(made, "unique_customers_served", channel, period).items()}

    assert served("voice", "2026-10-05") == {"A1": 1, "A2": 1, "orders": 1, "site": 1}
    assert served("all", "2026-10-05") == {"A1": 2, "A2": 1, "orders": 2, "site": 2}
    assert served("voice", "week 2026-10-05") == {"A1": 1, "A2": 1, "orders": 1, "delivery": 1, "site": 1}
    assert served("all", "2026-10") == {"A1": 3, "A2": 1, "orders": 2, "delivery": 2, "site": 3}


def test_messages_belong_to_the_segment_they_stand_in() -> None:
    # The customer's first messages came before anybody took the chat; A2 had three, A3 one of them.
    assert values(WORK, "messages_sent_agent", "chat") == {
        "A2": (2, None, 2), "A3": (1, None, 1), "orders": (2, None, 2), "delivery": (1, None, 1), "site": (3, None, 3),
    }  # fmt: skip
    assert values(WORK, "messages_received_customer")["A2"] == (3 + 1 + 1, None, 5)
    assert values(WORK, "qa_ratio")["A3"] == (1, 1, 1)
    assert values(WORK, "qa_ratio")["A2"] == (2, 5, 5)


def test_whispers_of_others_and_what_comes_after_the_end() -> None:
    whisper = talk(1, (25, "A3"))[0] | {"message_id": 1500, "author": "whisper"}
    made = world(
        chat=[chat(1, 0, 10, 5000, channel="desk", reopened_at=at(4000), closed_by="visitor")],
        chat_segment=[segment(1, 1, "A2", 10, 100)],
        message=[
            *talk(1, (0, "v"), (20, "A2")), whisper, system(1, 501, 100, "closed_by_agent"),
            system(1, 502, 4000, "reopened"), *spoken(1, 503, (4000, "v")), system(1, 504, 5000, "closed_by_visitor"),
        ],
    )  # fmt: skip
    # Nobody took the reopened chat: what was said then stays with its last owner.
    assert values(made, "messages_sent_agent")["A2"] == (1, None, 1)
    assert values(made, "messages_received_customer")["A2"] == (2, None, 2)


def test_what_came_to_the_wrong_queue_is_nobody_s_transfer() -> None:
    wrong = {"contact_source_id": SOURCES["chat"], "contact_id": "2", "label": "misrouted", "labelled_by": "A1"}
    made = world(
        papers={"contact_label": [wrong]},
        chat=[chat(n, 0, 10, 300, agent_key="A3") for n in (1, 2)],
        chat_segment=[
            row for n in (1, 2) for row in (segment(n, 1, "A2", 10, 100, "transfer"), segment(n, 2, "A3", 100, 300))
        ],
        message=[row for n in (1, 2) for row in talk(n, (0, "v"), (20, "A2"), (100, "transferred"), (150, "A3"))],
    )
    assert values(made, "transfer_out_rate") == {
        "A2": (1, 1, 1), "A3": (0, 2, 2), "orders": (1, 1, 1), "delivery": (0, 2, 2), "site": (1, 3, 3),
    }  # fmt: skip


def test_blind_and_consult_transfers_of_calls_add_up_to_all_of_them() -> None:
    sent = {"ended_by": "transfer", "transfer_to": "voice_orders"}
    made = world(
        call=[
            call(1, 0, 10, 110, **sent), call(2, 200, 210, 310, **sent), call(3, 400, 410, 500, ended_by="transfer"),
            call(4, 600, 610, 700),
        ],
    )  # fmt: skip
    assert values(made, "transfer_out_rate")["A1"] == (3, 4, 4)
    assert values(made, "blind_transfer_rate")["A1"] == (2, 4, 4)
    assert values(made, "consult_transfer_rate")["A1"] == (1, 4, 4)
    assert values(made, "transfer_kind_coverage")["A1"] == (3, 3, 3)


def test_an_impossible_call_was_answered_and_is_in_no_duration() -> None:
    made = world(
        call=[
            call(1, 0, 10, 110), call(2, 200, 200, 200 + 14400), call(3, 20000, 20000, 20000 + 14401),
            call(4, 40000, 40000, 40001, ended_at=None),
        ],
        agent_state=[
            {"agent_key": "A1", "state": "acw", "started_at": at(start), "ended_at": at(start + seconds)}
            for start, seconds in [(5, 1), (110, 20), (20000 + 14401, 40), (40100, 80)]
        ],
    )  # fmt: skip
    assert values(made, "talk_time_total")["A1"] == (100 + 14400, None, 2)
    assert values(made, "avg_talk_time")["A1"] == (100 + 14400, 2, 2)
    assert values(made, "aht", "voice")["A1"] == (100 + 14400 + 1 + 20, 2, 2)
    assert values(made, "acw_avg")["A1"] == (1 + 20 + 40, 3, 3)
    assert values(made, "calls_inbound_handled")["A1"] == (3, None, 3)


def test_concurrency_is_the_sum_over_the_union_of_each_agent() -> None:
    made = world(
        chat=[chat(n, 0, 0, 1000) for n in (1, 2, 3)],
        chat_segment=[segment(1, 1, "A2", 0, 600), segment(2, 1, "A2", 300, 900), segment(3, 1, "A3", 0, 1000)],
    )
    assert values(made, "concurrent_avg") == {
        "A2": (1200, 900, 2), "A3": (1000, 1000, 1), "orders": (1200, 900, 2), "delivery": (1000, 1000, 1),
        "site": (2200, 1900, 3),
    }  # fmt: skip


def test_a_session_lasts_from_the_first_human_reply_to_the_end() -> None:
    assert values(WORK, "avg_session_duration") == {
        "A3": (280, 1, 1), "delivery": (280, 1, 1), "site": (280, 1, 1),
    }  # fmt: skip


# --- rings and waits


def test_rings_are_taken_or_not_and_in_time_or_not() -> None:
    def ring(number: int, agent: str, started: float, seconds: float) -> Row:
        return {"call_id": number, "agent_key": agent, "started_at": at(started), "ring_milliseconds": seconds * 1000}

    made = world(
        call=[
            call(1, 0, 20, 60, rang_at=at(10)), call(2, 100, 130, 160, rang_at=at(119)),
            call(3, 200, None, 260), call(4, 300, 320, 360, agent="A2", rang_at=at(316)),
        ],
        ring_no_answer=[
            ring(1, "A2", 0, 10), ring(3, "A1", 200, 15), ring(3, "A1", 250, 9.5), ring(99, "A1", 400, 15),
        ],
    )  # fmt: skip
    # A1 took one in 10 s and one in 11 s and let one ring; the caller cut another short; call 99 is not of this world.
    assert values(made, "answer_rate") == {"A1": (2, 3, 3), "A2": (1, 2, 2), "orders": (3, 5, 5), "site": (3, 5, 5)}
    assert values(made, "answer_within_rings_rate")["A1"] == (1, 3, 3)
    assert values(made, "answer_within_rings_rate")["A2"] == (1, 2, 2)


def test_the_abandoned_waited_on_average() -> None:
    made = world(
        call=[call(1, 0, None, 30), call(2, 100, None, 190), call(3, 200, None, 204), call(4, 300, 310, 400)],
        chat=[chat(1, 0, None, 60, visitor_left_at=at(60), channel="desk", bot_until=at(40))],
        message=talk(1, (0, "v")),
    )
    assert values(made, "avg_abandon_time", "voice") == dict.fromkeys(("voice_orders", "orders", "site"), (120, 2, 2))
    assert values(made, "avg_abandon_time")["site"] == (140, 3, 3)


# --- replies


def test_percentiles_are_the_value_of_the_nearest_rank() -> None:
    waits = [10, 20, 30, 40, 50, 60, 70, 80, 90, 1000]
    made = world(
        chat=[chat(n, 2000 * n, 2000 * n, 2000 * n + 1900) for n in range(1, 12)],
        chat_segment=[segment(n, 1, "A2", 2000 * n, 2000 * n + 1900) for n in range(1, 12)],
        message=[
            *(row for n, wait in enumerate(waits, 1) for row in talk(n, (2000 * n, "v"), (2000 * n + wait, "A2"))),
            *talk(11, (22000, "v")),
        ],
    )
    assert shown(made, "first_response_median") == {"orders": 50, "site": 50}
    assert shown(made, "first_response_p90", "chat") == {"orders": 90, "site": 90}
    assert values(made, "first_response_p90")["site"] == (None, None, 10)
    assert shown(made, "first_response_median", period="2026-10-06") == {}


# Chats of A2 at 09:00; the numbers of the first one: turns of 30, 31 and 181 s, and one that the closing leaves open.
TURNS = world(
    chat=[chat(1, 0, 0, 1000), chat(2, 5000, None, 5100, visitor_left_at=at(5100)), chat(3, 6000, 6000, None)],
    chat_segment=[segment(1, 1, "A2", 0, 1000), segment(3, 1, "A2", 6000, None, None)],
    message=[
        *talk(
            1, (0, "v"), (30, "A2"), (100, "v"), (131, "A2"), (200, "v"), (210, "v"), (381, "A2"), (500, "v"),
        ),
        system(1, 100, 1000, "closed_by_agent"),
        *talk(2, (5000, "v")),
        *talk(3, (6000, "v"), (6500, "A2")),
    ],
)  # fmt: skip


def test_turns_are_answered_in_time_late_or_never() -> None:
    assert values(TURNS, "response_within_threshold_rate") == {
        "A2": (1, 5, 5), "orders": (1, 6, 6), "site": (1, 6, 6),
    }  # fmt: skip
    assert values(TURNS, "response_within_180s_rate")["A2"] == (2, 5, 5)
    # Before the third chat is closed by rule its turns are not due.
    early = metric_values(Facts(TURNS, SCENARIO, at(day=2)), ["response_within_threshold_rate"]).to_pylist()
    assert {row["n"] for row in early if (row["unit_key"], row["period_kind"]) == ("A2", "month")} == {4}


def test_a_day_of_leave_is_no_duty_and_the_customer_waits_all_the_same() -> None:
    # A2 works nine hours a day from 09:00 and is on leave on the 6th: asked a minute before the end of the 5th,
    # answered a minute into the 7th. The answer of the day of leave is outside the roster.
    end, away = 9 * 3600, date(2026, 10, 6)
    made = world(
        shift=[shift("A2", day) for day in range(3)],
        leave=[{"agent_key": "A2", "start_date": away, "end_date": away, "status": "approved"}],
        chat=[chat(1, end - 60, end - 60, 3 * 86400), chat(2, 86400, 86400, 86400 + 700)],
        chat_segment=[segment(1, 1, "A2", end - 60, 3 * 86400), segment(2, 1, "A2", 86400, 86400 + 700)],
        message=[*talk(1, (end - 60, "v"), (2 * 86400 + 60, "A2")), *talk(2, (86400, "v"), (86400 + 600, "A2"))],
    )  # fmt: skip
    assert values(made, "avg_response_time")["A2"] == (60 + 60 + 600, 2, 2)
    assert values(made, "response_within_180s_rate")["A2"] == (0, 2, 2)


def test_an_answer_after_a_closing_is_another_turn() -> None:
    made = world(
        chat=[chat(1, 0, 10, 900, channel="desk", reopened_at=at(600))],
        chat_segment=[segment(1, 1, "A2", 10, 100), segment(1, 2, "A3", 620, 900)],
        message=[
            *talk(1, (0, "v"), (30, "A2"), (90, "v")), system(1, 50, 100, "closed_by_agent"),
            system(1, 51, 600, "reopened"), *spoken(1, 52, (600, "v"), (650, "A3")),
        ],
    )  # fmt: skip
    assert values(made, "response_within_threshold_rate") == {
        "A2": (1, 2, 2), "A3": (1, 1, 1), "orders": (1, 2, 2), "delivery": (1, 1, 1), "site": (2, 3, 3),
    }  # fmt: skip
    assert values(made, "avg_response_time")["site"] == (20 + 30, 2, 2)


def at_hour(hour: float) -> World:
    """A chat that is answered in time, so many hours after 09:00."""
    second = 3600 * hour
    return world(
        shift=[],
        chat=[chat(1, second, second, second + 100)],
        chat_segment=[segment(1, 1, "A2", second, second + 100)],
        message=talk(1, (second, "v"), (second + 10, "A2")),
    )


@pytest.mark.parametrize(("hour", "is_due"), [(-0.001, False), (0, True), (13.999, True), (14, False)])
def test_service_hours_are_nine_to_twenty_three(hour: float, is_due: bool) -> None:
    expected = {"A2": (1, 1, 1), "orders": (1, 1, 1), "site": (1, 1, 1)} if is_due else {}
    assert values(at_hour(hour), "response_within_threshold_rate") == expected
    assert values(at_hour(hour), "reply_rate") == expected


def test_replies_are_counted_by_segment_for_agents_and_by_chat_for_teams() -> None:
    made = world(
        chat=[
            chat(1, 0, 10, 300, agent_key="A3"),  # passed on by A2 without a word, answered by A3
            chat(2, 1000, None, 1100, visitor_left_at=at(1100)),
            chat(3, 2000, 2010, None),  # never answered, still open
            chat(4, 3000, None, 3040, channel="desk", bot_until=at(3040), closed_by="visitor"),  # the bot alone
            chat(5, 4000, 4010, 4100),  # nobody wrote anything
        ],
        chat_segment=[
            segment(1, 1, "A2", 10, 100, "transfer"), segment(1, 2, "A3", 100, 300),
            segment(3, 1, "A2", 2010, None, None), segment(5, 1, "A2", 4010, 4100),
        ],
        message=[
            *talk(1, (0, "v"), (100, "transferred"), (130, "A3")), *talk(2, (1000, "v")), *talk(3, (2000, "v")),
            *talk(4, (3000, "v"), (3002, "bot"), (3040, "bot")),
        ],
    )  # fmt: skip
    # By then the third chat is closed by rule.
    assert values(made, "reply_rate") == {"A2": (0, 2, 2), "A3": (1, 1, 1), "orders": (1, 3, 3), "site": (1, 3, 3)}
    # What only the bot was asked is nobody's unanswered turn.
    assert values(made, "response_within_threshold_rate")["orders"] == (0, 2, 2)


def test_who_writes_first_has_answered_nothing() -> None:
    made = world(
        chat=[chat(n, 0, 0, 300) for n in (1, 2)],
        chat_segment=[segment(n, 1, "A2", 0, 300) for n in (1, 2)],
        message=[*talk(1, (5, "A2"), (5, "v"), (25, "A2")), *talk(2, (5, "A2"), (10, "v"))],
    )
    assert values(made, "first_response_time")["site"] == (1, 2, 2)
    assert values(made, "customer_first_response_time")["site"] == (20, 1, 1)
    assert values(made, "reply_rate") == {"A2": (1, 2, 2), "orders": (1, 2, 2), "site": (1, 2, 2)}
    # A session lasts from the first word of a person, whoever wrote first.
    assert values(made, "avg_session_duration")["A2"] == (2 * 295, 2, 2)


def test_a_chat_that_ends_unaccepted_was_offered() -> None:
    # Closed by a colleague, left by the visitor, still waiting.
    made = world(chat=[chat(1, 0, None, 300), chat(2, 0, None, 300, visitor_left_at=at(60)), chat(3, 3e6, None, None)])
    assert values(made, "abandonment_rate")["chat_orders"] == (1, 2, 2)
    assert values(made, "service_level")["chat_orders"] == (0, 1, 1)


def test_mere_thanks_are_no_turn() -> None:
    said = talk(1, (0, "v"), (20, "A2"), (30, "v"), (200, "A2"), (210, "v"), (220, "v"), (250, "A2"), (260, "v"))
    thanks = next(iter(PHRASES.values())).visitor_thanks[0]
    # Thanks that were answered, a question with thanks, thanks that nobody answered.
    for place in (2, 4, 7):
        said[place]["text"] = thanks
    made = world(chat=[chat(1, 0, 0, 300)], chat_segment=[segment(1, 1, "A2", 0, 300)], message=said)
    assert values(made, "avg_response_time")["A2"] == (20 + 40, 2, 2)
    assert values(made, "response_within_threshold_rate")["A2"] == (1, 2, 2)


def slow(*seconds: int) -> World:
    """One chat of A2 with replies that slow."""
    said: list[tuple[float, str]] = []
    now = 0
    for wait in seconds:
        said += [(now, "v"), (now + wait, "A2")]
        now += wait + 10
    return world(chat=[chat(1, 0, 0, now)], chat_segment=[segment(1, 1, "A2", 0, now)], message=talk(1, *said))


def test_three_slow_replies_make_a_conversation_slow() -> None:
    everybody = dict.fromkeys(("A2", "orders", "site"), (1, None, 1))
    assert values(slow(121, 121, 30, 121), "slow_response_count") == everybody
    assert values(slow(121, 120, 121, 30), "slow_response_count") == {}


# --- bots

BOTS = world(
    chat=[
        # The bot ended the first; its customer called two days later. The second was nobody's trouble again.
        chat(1, 0, None, 40, channel="desk", bot_until=at(40), closed_by="visitor", visitor_left_at=at(40)),
        chat(2, 0, None, 40, channel="desk", bot_until=at(40), closed_by="visitor", customer_id=2),
        # Handed over after two messages of the bot and after one; one only greeted by the desk; and one without a bot.
        chat(3, 0, 100, 300, channel="desk", bot_until=at(40), customer_id=3),
        chat(4, 0, None, 300, channel="desk", bot_until=at(10), customer_id=4, visitor_left_at=at(300)),
        chat(5, 0, 5, 300, customer_id=5),
        chat(6, 0, 5, 300, customer_id=6),
    ],
    chat_segment=[segment(3, 1, "A2", 100, 300), segment(5, 1, "A2", 5, 300), segment(6, 1, "A2", 5, 300)],
    message=[
        *(row for n in (1, 2, 3) for row in talk(n, (0, "v"), (2, "bot"), (40, "bot"))),
        *talk(4, (0, "v"), (2, "bot"), (20, "bot")),
        *talk(5, (0, "v"), (1, "bot")),
        *talk(6, (0, "v")),
    ],
    call=[call(1, 2 * 86400, 2 * 86400 + 5, 2 * 86400 + 60)],
)


def test_bots_end_hand_over_and_are_left() -> None:
    def site(metric: str, period: str = "2026-10-05") -> tuple[int, int]:
        found = values(BOTS, metric, period=period)
        assert found["site"] == found["orders"] and set(found) == {"orders", "site"}
        return int(found["site"][0]), int(found["site"][1])

    assert site("bot_share") == (2, 6)
    assert site("human_share") == (4, 6)
    assert site("handoff_rate") == (2, 4)
    assert site("human_preference_rate") == (1, 4)
    assert site("bot_resolution_rate") == (1, 4)


def test_a_bot_chat_counts_only_after_its_week() -> None:
    def site(seconds: float) -> list[int]:
        rows = metric_values(Facts(BOTS, SCENARIO, at(seconds, day=7)), ["bot_resolution_rate"]).to_pylist()
        return [
            row["n"] for row in rows if (row["unit_key"], row["channel"], row["period_kind"]) == ("site", "all", "day")
        ]

    assert (site(-1), site(0)) == ([], [4])


# --- spans


def test_spans_are_joined_cut_and_shared() -> None:
    assert union([(5, 9), (0, 3), (3, 4), (8, 10), (7, 7)]) == [(0, 4), (5, 10)]
    assert total([(0, 3), (1, 2)]) == 4
    assert common([(0, 10), (20, 30)], [(5, 25)]) == [(5, 10), (20, 25)]
    assert without([(0, 10), (20, 30)], [(3, 4), (8, 22), (29, 40)]) == [(0, 3), (4, 8), (22, 29)]
    assert shift("A1")["start_at"] == at()

"""The truth of working time against worlds counted by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from kefu.simulation.truth import Facts
from kefu.simulation.truth.time import phone_days
from kefu.simulation.world import World
from tests.simulation.truth_world import (
    AS_OF,
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

HOUR = 3600


def state(agent: str, name: str, start: float, end: float | None, day: int = 0) -> Row:
    ended = None if end is None else at(end, day)
    return {"agent_key": agent, "state": name, "started_at": at(start, day), "ended_at": ended}


def punch(agent: str, day: int, came: float = 0, left: float | None = 9 * HOUR) -> Row:
    return {
        "punch_id": day, "agent_key": agent, "shift_date": at(day=day).date(), "in_at": at(came, day),
        "out_at": None if left is None else at(left, day),
    }  # fmt: skip


def leave(agent: str, day: int, is_paid: bool = True, status: str = "approved") -> Row:
    on = at(day=day).date()
    return {"agent_key": agent, "start_date": on, "end_date": on, "is_paid": is_paid, "status": status}


# A1, from 09:00 to 18:00 with an hour of breaks: signed in from 09:10 to 17:50. Two calls of 1,000 s in all, wrap-up of
# 100 s and of 900 s, of which 300 s are too long; a meeting, and breaks of 5,000 s, which is 1,400 s too much.
PHONE = world(
    shift=[shift("A1")],
    call=[call(1, 1000, 1010, 1410), call(2, 2000, 2010, 2610)],
    agent_state=[
        state("A1", "on_queue", 600, 31800),
        state("A1", "acw", 1410, 1510),
        state("A1", "acw", 2610, 3510),
        state("A1", "meeting", 4000, 5000),
        state("A1", "lunch", 10000, 14000),
        state("A1", "break", 20000, 21000),
    ],
)
READY = 31200 - 1000 - 1000 - 1000 - 5000


def test_occupancy_utilization_and_the_time_online() -> None:
    busy = 1000 + 100 + 600
    everywhere = ("A1", "orders", "site")
    assert READY == 23200
    assert values(PHONE, "occupancy") == dict.fromkeys(everywhere, (busy, busy + READY, 1))
    assert values(PHONE, "utilization", "voice") == dict.fromkeys(everywhere, (busy + READY, 31200, 1))
    assert values(PHONE, "online_duration")["A1"] == (31200, None, 1)
    assert values(PHONE, "contacts_per_hour")["A1"] == (2, busy + READY, 2)
    assert shown(PHONE, "contacts_per_hour")["A1"] == pytest.approx(7200 / (busy + READY))


def test_time_of_which_only_an_impossible_call_tells_is_nothing() -> None:
    # Signed in from 09:00, never out, cut at 18:30. The call is said to last from 10:00 to 19:00; within it are another
    # call of 600 s and a break of 1,200 s.
    made = world(
        shift=[shift("A1")],
        call=[call(1, HOUR, HOUR, 10 * HOUR), call(2, 2 * HOUR, 2 * HOUR, 2 * HOUR + 600)],
        agent_state=[state("A1", "on_queue", 0, None), state("A1", "break", 4 * HOUR, 4 * HOUR + 1200)],
    )
    online = 9 * HOUR + 1800
    unknown = online - HOUR - 600 - 1200
    assert values(made, "online_duration")["A1"] == (online, None, 1)
    assert values(made, "occupancy")["A1"] == (600, 600 + HOUR, 1)
    assert values(made, "utilization", "voice")["A1"] == (600 + HOUR, online - unknown, 1)
    assert values(made, "contacts_per_hour")["A1"] == (1, 600 + HOUR, 1)


def test_efficiency_adherence_and_conformance_of_a_shift() -> None:
    required = 8 * HOUR
    assert values(PHONE, "work_efficiency")["A1"] == (required - 300 - 1400, required, 1)
    # 31,200 s within the shift, of which 5,000 s breaks: less than is scheduled.
    assert values(PHONE, "adherence")["A1"] == (26200, required, 1)
    assert values(PHONE, "conformance")["A1"] == (26200, required, 1)


def test_outbound_is_work_but_not_ready() -> None:
    made = world(
        shift=[shift("A1")],
        agent_state=[state("A1", "on_queue", 0, 9 * HOUR), state("A1", "outbound", 0, 8 * HOUR)],
        call=[call(1, 100, 120, 200, direction="outbound", queue_id=None)],
    )
    assert values(made, "utilization")["A1"] == (HOUR, 9 * HOUR, 1)
    assert values(made, "occupancy")["A1"] == (0, HOUR, 1)
    # Present for nine hours, scheduled for eight: adherence stops at all of it, conformance does not.
    assert values(made, "adherence")["A1"] == (8 * HOUR, 8 * HOUR, 1)
    assert values(made, "conformance")["A1"] == (9 * HOUR, 8 * HOUR, 1)
    assert values(made, "work_efficiency")["A1"] == (8 * HOUR, 8 * HOUR, 1)


def test_presence_counts_within_the_shift_only() -> None:
    made = world(
        shift=[shift("A1", start=HOUR)],  # 10:00 to 19:00
        agent_state=[
            state("A1", "on_queue", 1800, 5 * HOUR), state("A1", "on_queue", 6 * HOUR, 10.5 * HOUR),
            state("A1", "break", 2000, 2600), state("A1", "break", 7 * HOUR, 9 * HOUR),
        ],
    )  # fmt: skip
    assert values(made, "online_duration")["A1"] == (9 * HOUR, None, 1)
    assert values(made, "adherence")["A1"] == (6 * HOUR, 8 * HOUR, 1)
    assert values(made, "conformance")["A1"] == (9 * HOUR - 7200 - 600, 8 * HOUR, 1)
    # Two hours of break in the shift, of which one is allowed; the break before it harms nobody.
    assert values(made, "work_efficiency")["A1"] == (7 * HOUR, 8 * HOUR, 1)


def test_a_forgotten_log_out_is_cut_half_an_hour_after_the_shift() -> None:
    made = world(
        shift=[shift("A1"), shift("A1", 1)],
        agent_state=[state("A1", "on_queue", 0, None), state("A1", "on_queue", 600, 8 * HOUR, day=1)],
    )
    assert values(made, "online_duration", period="2026-10-05")["A1"] == (9.5 * HOUR, None, 1)
    assert values(made, "online_duration", period="2026-10-06")["A1"] == (8 * HOUR - 600, None, 1)
    # A second log-in on the same day ends the first before that.
    again = [state("A1", "on_queue", 0, None), state("A1", "on_queue", HOUR, 2 * HOUR)]
    assert values(world(shift=[shift("A1")], agent_state=again), "online_duration")["A1"] == (2 * HOUR, None, 1)


def test_without_a_log_in_the_day_begins_with_its_first_event() -> None:
    made = world(shift=[shift("A1")], agent_state=[state("A1", "break", 7200, 7800)], call=[call(1, 8000, 8010, 8100)])
    assert values(made, "online_duration")["A1"] == (9.5 * HOUR - 7200, None, 1)
    off_roster = world(shift=[], call=[call(1, 8000, 8010, 8100), call(2, 9000, 9010, 9100)])
    assert values(off_roster, "online_duration")["A1"] == (9100 - 8010, None, 1)
    # Nothing was scheduled.
    assert values(off_roster, "adherence") == values(off_roster, "work_efficiency") == {}


def test_a_night_on_the_telephone_is_one_day() -> None:
    made = world(
        shift=[shift("A2", 0, start=13 * HOUR)],  # 22:00 to 07:00
        agent_state=[state("A2", "on_queue", 13 * HOUR, 21 * HOUR), state("A2", "lunch", 16 * HOUR, 17 * HOUR)],
    )
    assert values(made, "adherence", period="2026-10-05")["A2"] == (7 * HOUR, 8 * HOUR, 1)
    assert values(made, "adherence", period="2026-10-06") == {}


def test_shifts_without_a_sign_in_are_missed_by_who_signed_in_that_month() -> None:
    made = world(
        shift=[shift("A1", day) for day in (0, 1, 2)] + [shift("A2")] + [shift("A1", 30)],
        agent_state=[state("A1", "on_queue", 0, 9 * HOUR)],
        leave=[leave("A1", 2)],
    )
    assert values(made, "adherence") == {
        "A1": (8 * HOUR, 16 * HOUR, 2), "orders": (8 * HOUR, 8 * HOUR, 1), "delivery": (0, 8 * HOUR, 1),
        "site": (8 * HOUR, 16 * HOUR, 2),
    }  # fmt: skip
    assert values(made, "conformance")["A1"] == (9 * HOUR, 16 * HOUR, 2)
    # Nobody was away from a telephone on a day without one.
    assert values(made, "work_efficiency")["A1"] == (8 * HOUR, 8 * HOUR, 1)
    assert ("A1", date(2026, 10, 6)) not in phone_days(Facts(made, SCENARIO, AS_OF))


def test_paid_time_shrinks_by_absence_leave_and_meetings() -> None:
    made = world(
        shift=[shift("A2", day) for day in range(6)],
        punch=[punch("A2", 0), punch("A2", 1, came=2 * HOUR), punch("A2", 5, left=None)],
        leave=[leave("A2", 2), leave("A2", 3, is_paid=False)],
        agent_state=[
            state("A2", "on_queue", 0, 9 * HOUR), state("A2", "meeting", HOUR, 2 * HOUR),
            state("A2", "training", 3 * HOUR, 4 * HOUR), state("A2", "acw", 5 * HOUR, 5 * HOUR + 1000),
            state("A2", "lunch", 6 * HOUR, 8 * HOUR),
        ],
    )  # fmt: skip
    # Day 0: 8 h attended, less 2 h and 400 s of wrap-up; day 1: 7 h; day 2: paid leave; day 4: absent. Day 3 is not
    # paid and day 5 contradicted.
    lost = 2 * HOUR + 400 + HOUR + 8 * HOUR + 8 * HOUR
    expected = (lost, 32 * HOUR, 4)
    assert values(made, "shrinkage", "none") == {"orders": expected, "site": expected}


def test_calls_above_a_baseline_that_leave_lowers() -> None:
    def made(calls: int, *away: Row) -> World:
        return world(
            shift=[shift("A1", day) for day in range(4)],
            punch=[punch("A1", day) for day in range(4)],
            leave=list(away),
            call=[call(n, 100 * n, 100 * n, 100 * n + 50) for n in range(1, calls + 1)],
        )

    assert values(made(310), "calls_inbound_over_baseline", "voice") == {"A1": (310, 600, 310)}
    assert shown(made(310), "calls_inbound_over_baseline") == {"A1": 0}
    with_leave = made(310, leave("A1", 1), leave("A1", 2), leave("A1", 3, status="rejected"))
    assert values(with_leave, "calls_inbound_over_baseline") == {"A1": (310, 300, 310)}
    assert shown(with_leave, "calls_inbound_over_baseline") == {"A1": 10}
    assert values(with_leave, "calls_inbound_over_baseline", period="2026-10-05") == {}


def test_who_joins_or_leaves_within_the_month_owes_their_share_of_its_18_working_days() -> None:
    made = world(
        agent=[
            {"agent_key": "A1", "hire_date": date(2026, 10, 16), "exit_date": None},  # 11 are left
            {"agent_key": "A2", "hire_date": date(2020, 1, 1), "exit_date": date(2026, 10, 10)},  # 3 after the holiday
            {"agent_key": "A3", "hire_date": date(2026, 10, 31), "exit_date": None},  # a Saturday
        ],
        shift=[shift("A1", 11), shift("A1", 12), shift("A2", 0), shift("A2", 3), shift("A3", 26)],
        leave=[leave("A2", 3)],
    )
    # Half of what A2 owes lies on a day of leave.
    assert {unit: due for unit, (_, due, _) in values(made, "calls_inbound_over_baseline", "voice").items()} == {
        "A1": Decimal("366.666667"), "A2": 50, "A3": Decimal("33.333333"),
    }  # fmt: skip


def test_leavers_and_days_of_employment_by_team() -> None:
    made = world(
        agent=[
            {"agent_key": "A1", "hire_date": date(2026, 10, 1), "exit_date": date(2026, 10, 10)},
            {"agent_key": "A2", "hire_date": date(2026, 10, 22), "exit_date": None},
            {"agent_key": "A3", "hire_date": date(2020, 1, 1), "exit_date": date(2026, 9, 30)},
            {"agent_key": "A4", "hire_date": date(2020, 1, 1), "exit_date": None},
        ]
    )
    # A1 is with orders until the 5th and leaves delivery on the 10th; A4 never had a team.
    assert values(made, "agent_attrition", "none") == {
        "orders": (0, 5 + 10, 15), "delivery": (1, 5, 5), "site": (1, 20, 20),
    }  # fmt: skip
    assert shown(made, "agent_attrition", "none")["site"] == 30 / 20
    assert values(made, "agent_attrition", "none", "2026-10-10") == {}


def test_contacts_cost_what_their_team_cost_without_bots() -> None:
    def cost(team: str, kind: str, amount: float, month: int = 10) -> Row:
        return {"month": date(2026, month, 1), "team_key": team, "cost_kind": kind, "amount": amount}

    made = world(
        {"cost": [cost("orders", "staff", 100.1), cost("orders", "telephony", 0.01), cost("orders", "bot", 50),
                  cost("delivery", "staff", 31), cost("delivery", "staff", 99, month=11)]},
        call=[call(1, 0, 5, 60), call(2, 100, 105, 160, ended_by="transfer", next_call_id=3), call(3, 160, 170, 260)],
        chat=[chat(1, 0, 5, 100, agent_key="A3")],
        chat_segment=[segment(1, 1, "A3", 5, 100)],
        message=talk(1, (0, "v"), (10, "A3")),
    )  # fmt: skip
    assert values(made, "cost_per_contact", "none") == {
        "orders": (10011, 2, 2), "delivery": (3100, 1, 1), "site": (13111, 3, 3),
    }  # fmt: skip
    assert values(made, "customers_per_unit_cost", "none")["orders"] == (2, Decimal(10011), 2)
    assert shown(made, "customers_per_unit_cost", "none")["delivery"] == pytest.approx(100_000 / 3100)

"""The laws of the generator: queues, people in one place at a time, rosters, rates and repeatability."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kefu.simulation.generate import bulk_messages, generate, hidden
from kefu.simulation.operation import OPERATION
from kefu.simulation.queueing import Exchange, Seat
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import SCHEMAS, World

KEYS = {
    "team": ["team_id"],
    "agent": ["agent_key"],
    "membership": ["agent_key", "valid_from"],
    "queue": ["queue_id"],
    "shift": ["agent_key", "shift_date"],
    "punch": ["punch_id"],
    "leave": ["leave_id"],
    "customer": ["customer_id"],
    "issue": ["issue_id"],
    "call": ["call_id"],
    "ring_no_answer": ["call_id", "agent_key", "started_at"],
    "agent_state": ["agent_key", "state", "started_at"],
    "chat": ["chat_id"],
    "chat_segment": ["chat_id", "number"],
    "message": ["message_id"],
    "survey": ["survey_id"],
    "qa_review": ["review_id"],
    "exam": ["agent_key", "exam_name", "sitting", "exam_date"],
}
REFERENCES = {
    "agent_key": ("agent", "agent_key"),
    "manager_key": ("agent", "agent_key"),
    "lead_key": ("agent", "agent_key"),
    "reviewer_key": ("agent", "agent_key"),
    "queue_id": ("queue", "queue_id"),
    "transfer_to": ("queue", "queue_id"),
    "customer_id": ("customer", "customer_id"),
    "issue_id": ("issue", "issue_id"),
    "call_id": ("call", "call_id"),
    "next_call_id": ("call", "call_id"),
    "chat_id": ("chat", "chat_id"),
}
SCENARIO = Scenario(seed=7)
TINY = Scenario(seed=3, agents=14, contacts_per_agent_day=2)
# Changes with every change of what is generated; a new value belongs in the change log.
TINY_HASH = "e27bacd34e6cd6cfd69ea3a01cc56225c924fcbd24a82c814d5bccd6a13a1854"


@pytest.fixture(scope="module")
def world() -> World:
    return generate(SCENARIO)


def rows(world: World, table: str) -> list[dict[str, Any]]:
    return world.tables[table].to_pylist()


def seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Seconds since 1970; NULL is -1."""
    return pc.fill_null(column.cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()), -1).to_numpy()


def lasting(table: pa.Table, first: str, last: str) -> np.ndarray:
    """Seconds between two instants of the rows that have both."""
    return pc.seconds_between(table[first], table[last]).drop_null().to_numpy()


def near(found: int, of: int, share: float, deviations: float = 4.5) -> bool:
    return abs(found - of * share) <= deviations * np.sqrt(of * share * (1 - share)) + 1


def digest(world: World) -> str:
    plain = {name: world.tables[name].to_pylist() for name in SCHEMAS}
    return hashlib.sha256(json.dumps(plain, default=str, ensure_ascii=False).encode()).hexdigest()


def worked_shifts(world: World) -> dict[str, list[tuple[dt.datetime, dt.datetime, dt.date, str]]]:
    shifts = defaultdict(list)
    for row in rows(world, "shift"):
        if row["start_at"]:
            shifts[row["agent_key"]].append((row["start_at"], row["end_at"], row["shift_date"], row["work"]))
    return shifts


def telephone_time(world: World) -> Iterator[tuple[str, dt.datetime, dt.datetime, str]]:
    """When an agent's telephone was in use, or the agent not to be had. Pauses `outbound` hold the outbound calls."""
    for call in rows(world, "call"):
        if call["direction"] == "outbound":
            yield call["agent_key"], call["entered_at"], call["ended_at"], "voice outbound"
        elif call["agent_key"]:
            yield call["agent_key"], call["answered_at"], call["ended_at"], "voice"
    for missed in rows(world, "ring_no_answer"):
        rang = dt.timedelta(milliseconds=missed["ring_milliseconds"])
        yield missed["agent_key"], missed["started_at"], missed["started_at"] + rang, "voice"
    for state in rows(world, "agent_state"):
        if state["state"] not in ("on_queue", "outbound"):
            yield state["agent_key"], state["started_at"], state["ended_at"], "voice outbound"


def assert_sound(world: World) -> None:
    """Holds in every world, whatever its size, seed and zone."""
    tables = world.tables
    assert list(tables) == list(SCHEMAS)
    for name, schema in SCHEMAS.items():
        assert tables[name].schema.equals(schema), name
        assert tables[name].group_by(KEYS[name]).aggregate([]).num_rows == tables[name].num_rows, name
        for column in set(REFERENCES) & set(schema.names):
            owner, key = REFERENCES[column]
            known = pc.is_in(tables[name][column].drop_null(), value_set=tables[owner][key].combine_chunks())
            assert pc.all(known, min_count=0).as_py(), f"{name}.{column}"
    assert_one_place(world)
    assert_chats(world)


def assert_one_place(world: World) -> None:
    shifts = worked_shifts(world)
    for worked in shifts.values():
        assert all(later[0] >= earlier[1] for earlier, later in pairwise(sorted(worked)))
    busy = defaultdict(list)
    for agent, starts, ends, work in telephone_time(world):
        assert starts < ends
        assert any(s <= starts and ends <= e and w in work for s, e, _, w in shifts[agent]), (agent, starts, ends)
        busy[agent].append((starts, ends))
    for agent, intervals in busy.items():
        intervals.sort()
        assert all(later[0] >= earlier[1] for earlier, later in pairwise(intervals)), agent
    signed_in = defaultdict(list)
    for state in rows(world, "agent_state"):
        if state["state"] == "on_queue":
            signed_in[state["agent_key"]].append((state["started_at"], state["ended_at"]))
    for agent, intervals in busy.items():
        assert all(
            any(s <= starts and (e is None or ends <= e) for s, e in signed_in[agent]) for starts, ends in intervals
        ), agent


def assert_chats(world: World) -> None:
    shifts, chats = worked_shifts(world), {row["chat_id"]: row for row in rows(world, "chat")}
    last_said: dict[int, dt.datetime] = {}
    messages = defaultdict(list)
    for row in rows(world, "message"):
        assert row["sent_at"] >= last_said.get(row["chat_id"], row["sent_at"])
        last_said[row["chat_id"]] = row["sent_at"]
        assert (row["author"] in ("agent", "whisper")) <= (row["agent_key"] is not None)
        if row["author"] in ("agent", "whisper"):
            messages[row["chat_id"], row["agent_key"]].append(row["sent_at"])
    steps = defaultdict(list)
    covered = defaultdict(list)
    segments = defaultdict(list)
    for row in rows(world, "chat_segment"):
        chat = chats[row["chat_id"]]
        ends = row["ended_at"] or max(row["started_at"], last_said[row["chat_id"]])
        assert row["started_at"] <= ends
        inside = [w for s, e, _, w in shifts[row["agent_key"]] if s <= row["started_at"] and ends <= e]
        assert inside == [chat["channel"]], row
        steps[row["agent_key"]] += [(row["started_at"], 1), (ends, -1)]
        covered[row["chat_id"], row["agent_key"]].append((row["started_at"], ends))
        segments[row["chat_id"]].append(row)
    for agent, changes in steps.items():
        assert np.cumsum([step for _, step in sorted(changes)]).max() <= OPERATION.chat.capacity, agent
    for place, instants in messages.items():
        assert all(any(s <= at <= e for s, e in covered[place]) for at in instants), place
    for number, chat in chats.items():
        own = segments[number]
        assert [row["number"] for row in own] == list(range(1, len(own) + 1))
        assert chat["agent_key"] == (own[-1]["agent_key"] if own else None)
        assert chat["accepted_at"] == (own[0]["started_at"] if own else None)
        assert (chat["closed_at"] is None) == (chat["closed_by"] is None)
        assert last_said[number] <= (chat["closed_at"] or last_said[number])
        for earlier, later in pairwise(own):
            handed_over = earlier["ended_how"] == "transfer" and earlier["ended_at"] == later["started_at"]
            assert handed_over or later["started_at"] > chat["reopened_at"] > earlier["ended_at"]


# --- the same every time ---------------------------------------------------------------------------------------------


def test_a_stream_depends_on_seed_and_name_alone() -> None:
    assert stream(1, "voice").integers(1 << 60) == stream(1, "voice").integers(1 << 60)
    assert len({int(stream(*place).integers(1 << 60)) for place in ((1, "voice"), (1, "chat"), (2, "voice"))}) == 3
    assert int(stream(1, "voice").integers(1 << 60)) == 380598637948109675


def test_the_same_scenario_gives_the_same_rows() -> None:
    world, again, other = (generate(TINY.model_copy(update={"seed": seed})) for seed in (3, 3, 4))
    assert world.tables == again.tables
    assert digest(world) == TINY_HASH
    assert digest(other) != TINY_HASH


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    agents=st.integers(6, 26),
    month=st.integers(1, 12),
    time_zone=st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Pacific/Auckland", "UTC"]),
    contacts=st.sampled_from([2, 12, 40]),
)
def test_every_world_is_sound(seed: int, agents: int, month: int, time_zone: str, contacts: int) -> None:
    scenario = Scenario(
        seed=seed,
        agents=agents,
        start=dt.date(2026, month, 1),
        time_zone=time_zone,
        contacts_per_agent_day=contacts,
    )
    assert_sound(generate(scenario))


def test_a_usual_world_is_sound(world: World) -> None:
    assert_sound(world)


def test_months_follow_each_other() -> None:
    scenario = Scenario(agents=6, start=dt.date(2026, 12, 1), months=3, contacts_per_agent_day=2)
    assert scenario.end == dt.date(2027, 3, 1)
    world = generate(scenario)
    assert_sound(world)
    assert {row["exam_date"].month for row in rows(world, "exam") if row["sitting"] == "first"} == {12, 1, 2}
    assert {row["entered_at"].month for row in rows(world, "call")} >= {12, 1, 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": "2026-10-02"}, "first day of a month"),
        ({"time_zone": "Mars/Olympus"}, "time zone"),
        ({"agents": 5}, "greater than or equal to 6"),
        ({"strengths": {"burst": "huge"}}, "'zero', 'low', 'middle' or 'high'"),
    ],
)
def test_a_wrong_scenario_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Scenario.model_validate(wrong)


def test_a_fault_has_middle_strength_unless_named() -> None:
    scenario = Scenario(strengths={"burst": "high"})
    assert (scenario.strength("burst"), scenario.strength("begging")) == ("high", "middle")


# --- queues ----------------------------------------------------------------------------------------------------------


def seat(agent: int, *queues: str) -> Seat:
    return Seat(agent, 0, list(queues), 0, 100, 1.0, 1.0, 0.0)


class Contact:
    def __init__(self, queue_id: str, queued_at: int) -> None:
        self.queue_id, self.queued_at = queue_id, queued_at


def test_a_contact_goes_to_a_home_agent_then_to_the_longest_free() -> None:
    exchange: Exchange[Contact] = Exchange(["a", "b"], capacity=2)
    guest, second, first = seat(1, "b", "a"), seat(2, "a"), seat(3, "a")
    second.load = 1
    for one in (guest, second, first):
        exchange.offer(one)
    assert [exchange.take_seat("a") for _ in range(4)] == [first, second, guest, None]
    assert exchange.take_seat("b") is None


def test_a_free_agent_takes_the_home_queue_then_who_waits_longest() -> None:
    exchange: Exchange[Contact] = Exchange(["a", "b", "c"], capacity=1)
    b, c, a, again = Contact("b", 5), Contact("c", 3), Contact("a", 9), Contact("a", 1)
    for contact in (b, c, a):
        exchange.join(contact)
    exchange.join(again, is_first=True)
    one = seat(1, "a", "b", "c")
    assert [exchange.take_contact(one) for _ in range(5)] == [again, a, c, b, None]
    assert not exchange.leave(b)


def test_littles_law(world: World) -> None:
    calls = world.tables["call"].filter(pc.equal(world.tables["call"]["direction"], "inbound"))
    entered, answered, ended = (seconds(calls[name]) for name in ("entered_at", "answered_at", "ended_at"))
    leaves = np.where(answered >= 0, answered, ended)
    opens, closes = entered.min(), leaves.max()
    # Seen by an inspector who looks in at random instants.
    looks = np.sort(stream(1, "inspector").integers(opens, closes, 200_000))
    waiting = np.searchsorted(np.sort(entered), looks, "right") - np.searchsorted(np.sort(leaves), looks, "right")
    arrivals_per_second = len(entered) / (closes - opens)
    assert waiting.min() >= 0
    assert waiting.mean() == pytest.approx(arrivals_per_second * (leaves - entered).mean(), rel=0.05)


def test_nobody_waits_beside_a_free_agent_of_the_queue(world: World) -> None:
    """A caller who waits a minute finds every agent of the queue's own shift busy at some time in it."""
    homes = {}
    moved = Counter(row["agent_key"] for row in rows(world, "membership"))
    for row in rows(world, "membership"):
        if moved[row["agent_key"]] == 1:
            homes[row["agent_key"]] = f"voice_{row['team_id'].split('_')[0]}"
    busy, free = defaultdict(list), defaultdict(list)
    for agent, starts, ends, _ in telephone_time(world):
        busy[agent].append((starts, ends))
    inbound = {agent for agent, _, _, work in telephone_time(world) if work == "voice"}
    for state in rows(world, "agent_state"):
        if state["state"] == "on_queue" and state["agent_key"] in inbound:
            free[homes.get(state["agent_key"])].append(state)
    ring, seen = dt.timedelta(seconds=30), 0
    for call in rows(world, "call"):
        ends = call["answered_at"] or call["ended_at"]
        if call["direction"] == "outbound" or ends - call["entered_at"] < 2 * ring:
            continue
        since, until = call["entered_at"] + ring, ends - ring
        for state in free[call["queue_id"]]:
            logged_out = state["ended_at"] or state["started_at"]
            if state["started_at"] <= since and until <= logged_out - dt.timedelta(minutes=1):
                seen += 1
                intervals = busy[state["agent_key"]]
                assert any(s <= until + ring and e >= since - ring for s, e in intervals), (call, state)
    assert seen > 100


def test_callers_leave_by_their_patience_or_the_time_limit(world: World) -> None:
    calls = [row for row in rows(world, "call") if row["direction"] == "inbound"]
    limit = OPERATION.voice.queue_timeout_seconds
    for call in calls:
        waited = ((call["answered_at"] or call["ended_at"]) - call["entered_at"]).total_seconds()
        assert waited == limit if call["outcome"] == "timeout" else waited < limit
        assert (call["outcome"] == "answered") == (call["answered_at"] is not None) == (call["agent_key"] is not None)
    shares = Counter(call["outcome"] for call in calls)
    assert 0.8 < shares["answered"] / len(calls) < 0.98
    assert shares["timeout"] and shares["abandoned"] > shares["timeout"]


def test_a_transfer_is_followed_by_its_next_visit(world: World) -> None:
    calls = {row["call_id"]: row for row in rows(world, "call")}
    transfers = [row for row in calls.values() if row["next_call_id"]]
    for call in transfers:
        following = calls[call["next_call_id"]]
        assert call["ended_by"] == "transfer" and call["transfer_to"] == following["queue_id"] != call["queue_id"]
        assert call["ended_at"] == following["entered_at"] and call["issue_id"] == following["issue_id"]
    assert [row["call_id"] for row in calls.values() if row["ended_by"] == "transfer"] == [
        row["call_id"] for row in transfers
    ]


# --- people ----------------------------------------------------------------------------------------------------------


def test_rosters_are_respected(world: World) -> None:
    people = {row["agent_key"]: row for row in rows(world, "agent")}
    rest = dt.timedelta(hours=OPERATION.roster.least_rest_hours)
    for agent, worked in worked_shifts(world).items():
        assert all(later[0] - earlier[1] >= rest for earlier, later in pairwise(sorted(worked))), agent
    for row in rows(world, "shift"):
        person = people[row["agent_key"]]
        assert person["hire_date"] <= row["shift_date"] <= (person["exit_date"] or row["shift_date"])
        assert row["is_rest_day"] == (row["start_at"] is None) == (row["end_at"] is None)
    days = Counter(row["agent_key"] for row in rows(world, "shift"))
    assert all(
        days[key] == len([d for d in SCENARIO.dates if p["hire_date"] <= d <= (p["exit_date"] or d)])
        for key, p in people.items()
    )
    local = SCENARIO.zone
    nights = [s for w in worked_shifts(world).values() for s in w if s[1].astimezone(local).date() > s[2]]
    assert nights and all(start.astimezone(local).date() == date for start, _, date, _ in nights)


def test_offices_keep_holidays_and_make_up_working_days(world: World) -> None:
    office = {row["agent_key"] for row in rows(world, "agent") if row["role"] in ("qa", "lead")}
    working = {
        row["shift_date"] for row in rows(world, "shift") if row["agent_key"] in office and not row["is_rest_day"]
    }
    assert not working & {dt.date(2026, 10, day) for day in (1, 2, 5, 6, 7, 11, 17)}
    assert working >= {dt.date(2026, 10, day) for day in (8, 9, 10, 12)}


def test_nobody_works_on_approved_leave(world: World) -> None:
    away = {
        (row["agent_key"], row["start_date"] + dt.timedelta(days=day))
        for row in rows(world, "leave")
        if row["status"] == "approved"
        for day in range((row["end_date"] - row["start_date"]).days + 1)
    }
    punched = {(row["agent_key"], row["shift_date"]) for row in rows(world, "punch")}
    assert away and not away & punched
    dates = {(agent, s[2]): s[:2] for agent, worked in worked_shifts(world).items() for s in worked}
    off = {agent: [dates[place] for place in away if place in dates and place[0] == agent] for agent, _ in away}
    for agent, starts, ends, _ in telephone_time(world):
        assert not any(s < ends and starts < e for s, e in off.get(agent, []))


def test_memberships_follow_each_other(world: World) -> None:
    teams = defaultdict(list)
    for row in rows(world, "membership"):
        teams[row["agent_key"]].append(row)
    people = {row["agent_key"]: row for row in rows(world, "agent")}
    for key, own in teams.items():
        assert own[0]["valid_from"] == people[key]["hire_date"]
        assert all(a["valid_to"] == b["valid_from"] and a["team_id"] != b["team_id"] for a, b in pairwise(own))
        exit_date = people[key]["exit_date"]
        assert own[-1]["valid_to"] == (exit_date + dt.timedelta(days=1) if exit_date else None)
    big = generate(Scenario(agents=150, contacts_per_agent_day=0.5))
    moves = Counter(row["agent_key"] for row in rows(big, "membership"))
    assert 1 <= sum(count > 1 for count in moves.values()) <= 15
    assert any(row["exit_date"] for row in rows(big, "agent"))
    assert any(row["hire_date"] > SCENARIO.start for row in rows(big, "agent"))


def test_names_and_accounts_are_those_of_one_person(world: World) -> None:
    agents = world.tables["agent"]
    for column in ("name", "username", "extension", "member_name", "chat_user_id", "desk_user_id"):
        values = agents[column].drop_null()
        assert len(values) == len(values.unique())
    assert agents["desk_user_id"].null_count < agents.num_rows
    assert world.tables["customer"]["phone"].num_chunks and all(
        len(phone) == 11 and phone.startswith("160") for phone in world.tables["customer"]["phone"].to_pylist()
    )


def test_a_lost_sigma_shows_in_everything_the_agent_does() -> None:
    scenario = Scenario(seed=5, agents=24)
    plain = generate(scenario)
    roles = {row["agent_key"]: row["role"] for row in rows(plain, "agent")}
    worse = {next(key for key, role in roles.items() if role == wanted) for wanted in ("inbound", "im")}
    asked = pa.table(
        {
            "agent_key": [key for key in sorted(worse) for _ in scenario.dates],
            "date": [date for _ in sorted(worse) for date in scenario.dates],
            "shift_sigma": [2.0] * len(worse) * len(scenario.dates),
        }
    )
    faulty = generate(scenario, asked)

    def measured(world: World, who: set[str]) -> tuple[float, float, float]:
        own = {
            name: world.tables[name].filter(pc.is_in(world.tables[name]["agent_key"], value_set=pa.array(sorted(who))))
            for name in ("call", "survey", "qa_review")
        }
        talk = np.log(np.maximum(1, lasting(own["call"], "answered_at", "ended_at"))).mean()
        return talk, pc.mean(own["survey"]["value"]).as_py(), pc.mean(own["qa_review"]["true_score"]).as_py()

    talk, value, score = np.subtract(measured(faulty, worse), measured(plain, worse))
    assert talk == pytest.approx(2 * OPERATION.people.sigma.handling_log, abs=0.15)
    assert value < -0.4
    assert score < -7
    others = {key for key, role in roles.items() if role in ("inbound", "im", "mixed")} - worse
    talk, value, score = np.subtract(measured(faulty, others), measured(plain, others))
    assert abs(talk) < 0.08 and abs(value) < 0.15 and abs(score) < 2


@pytest.mark.parametrize(("agent", "date"), [("SIM0001", dt.date(2026, 9, 30)), ("SIM9999", dt.date(2026, 10, 1))])
def test_a_skill_of_nobody_or_of_another_period_is_refused(agent: str, date: dt.date) -> None:
    asked = pa.table({"agent_key": [agent], "date": [date], "shift_sigma": [1.0]})
    with pytest.raises(ValueError, match=f"{agent} on {date}"):
        generate(TINY, asked)


def test_hidden_quality_shows_in_the_ratings(world: World) -> None:
    quality = {row["agent_key"]: row["quality"] for row in hidden(SCENARIO).to_pylist()}
    values = defaultdict(list)
    for row in rows(world, "survey"):
        if row["value"]:
            values[row["agent_key"]].append(row["value"])
    rated = [key for key, given in values.items() if len(given) >= 20]
    assert np.corrcoef([quality[key] for key in rated], [np.mean(values[key]) for key in rated])[0, 1] > 0.4


# --- demand and rates ------------------------------------------------------------------------------------------------


def test_demand_follows_the_hours_and_promotions(world: World) -> None:
    local = [
        row["entered_at"].astimezone(SCENARIO.zone) for row in rows(world, "call") if row["direction"] == "inbound"
    ]
    hours, dates = Counter(at.hour for at in local), Counter(at.day for at in local)
    assert hours[10] > 5 * hours[3]
    usual = np.mean([dates[day] for day in (13, 27)])
    assert dates[20] > 1.1 * usual


def test_rates_are_near_what_is_declared(world: World) -> None:
    calls, chats, surveys = (world.tables[name] for name in ("call", "chat", "survey"))
    inbound = calls.filter(pc.equal(calls["direction"], "inbound"))
    answered = inbound.filter(pc.is_valid(inbound["answered_at"]))
    transferred = answered.num_rows - answered["transfer_to"].null_count
    assert near(transferred, answered.num_rows, OPERATION.voice.transfer_share)
    rings = world.tables["ring_no_answer"]
    is_missed = pc.equal(rings["ring_milliseconds"], 1000 * OPERATION.voice.missed_ring_seconds)
    missed = rings.filter(is_missed).num_rows
    assert near(missed, missed + answered.num_rows, OPERATION.voice.missed_share)
    outbound = calls.filter(pc.equal(calls["direction"], "outbound"))
    reached = outbound.num_rows - outbound["answered_at"].null_count
    assert near(reached, outbound.num_rows, OPERATION.voice.outbound.answered_share)
    assert near(pc.sum(chats["is_group"]).as_py(), chats.num_rows, OPERATION.chat.group_share)
    for channel in ("voice", "chat", "desk"):
        own = surveys.filter(pc.equal(surveys["channel"], channel))
        given_back = own.num_rows - own["answered_at"].null_count
        assert near(given_back, own.num_rows, OPERATION.feedback.answered_share[channel])
    finished = answered.num_rows - transferred
    invited = pc.sum(pc.equal(surveys["channel"], "voice")).as_py()
    assert near(invited, finished, OPERATION.feedback.invited_share["voice"])
    for language, share in OPERATION.demand.languages.items():
        spoken = pc.sum(pc.equal(world.tables["customer"]["language"], language)).as_py()
        assert near(spoken, world.tables["customer"].num_rows, share)


def test_talk_is_log_normal_around_its_median(world: World) -> None:
    calls = world.tables["call"]
    simple = calls.filter(pc.and_(pc.equal(calls["direction"], "inbound"), pc.is_null(calls["transfer_to"])))
    talk = np.log(lasting(simple, "answered_at", "ended_at"))
    assert np.median(talk) == pytest.approx(np.log(OPERATION.voice.talk.median_seconds), abs=0.12)
    assert talk.std() == pytest.approx(OPERATION.voice.talk.spread, abs=0.12)


def test_an_issue_is_opened_by_its_first_contact_and_repeated_by_its_customer(world: World) -> None:
    issues = {row["issue_id"]: row for row in rows(world, "issue")}
    contacts = defaultdict(list)
    for name, at in (("call", "entered_at"), ("chat", "started_at")):
        for row in rows(world, name):
            if row["issue_id"]:
                contacts[row["issue_id"]].append((row[at], row["customer_id"], name))
    assert set(contacts) == set(issues)
    for number, own in contacts.items():
        assert min(own)[0] == issues[number]["opened_at"]
        assert {customer for _, customer, _ in own} == {issues[number]["customer_id"]}
    assert any({name for *_, name in own} == {"call", "chat"} for own in contacts.values())
    repeated = sum(len(own) > 1 for own in contacts.values()) / len(contacts)
    assert 0.1 < repeated < 0.35


def test_chats_of_every_kind_occur(world: World) -> None:
    chats = rows(world, "chat")
    desk = [chat for chat in chats if chat["channel"] == "desk"]
    assert all(chat["bot_until"] for chat in desk)
    assert not any(chat["bot_until"] for chat in chats if chat["channel"] == "chat")
    assert any(
        chat["bot_until"] and not chat["accepted_at"] and chat["closed_at"] == chat["bot_until"] for chat in desk
    )
    assert any(chat["reopened_at"] for chat in desk)
    assert any(chat["accepted_at"] and not chat["closed_at"] for chat in chats)
    assert any(not chat["accepted_at"] and chat["visitor_left_at"] and not chat["closed_at"] for chat in chats)
    authors = set(world.tables["message"]["author"].to_pylist())
    assert authors == {"visitor", "agent", "bot", "system", "whisper"}
    languages = {row["customer_id"]: row["language"] for row in rows(world, "customer")}
    by_chat = {chat["chat_id"]: languages[chat["customer_id"]] for chat in chats}
    for row in rows(world, "message"):
        if row["author"] != "system":
            assert row["text"].isascii() == (by_chat[row["chat_id"]] == "en")


# --- feedback --------------------------------------------------------------------------------------------------------


def test_only_answered_surveys_say_something(world: World) -> None:
    ends = {("voice", row["call_id"]): row["ended_at"] for row in rows(world, "call")}
    ends |= {(row["channel"], row["chat_id"]): row["closed_at"] for row in rows(world, "chat")}
    for row in rows(world, "survey"):
        given_back = [row[name] for name in ("value", "solved", "thumb", "comment")]
        assert row["invited_at"] > ends[row["channel"], row["contact_id"]]
        if row["answered_at"] is None:
            assert given_back == [None] * 4
        else:
            assert row["answered_at"] - row["invited_at"] >= dt.timedelta(seconds=4)
            assert 1 <= row["value"] <= 5
        if row["channel"] != "chat":
            assert row["solved"] is None and row["thumb"] is None


def test_reviews_are_fair_by_design(world: World) -> None:
    reviews = rows(world, "qa_review")
    teams = {row["agent_key"]: row["team_id"] for row in rows(world, "membership") if row["valid_to"] is None}
    shifts = worked_shifts(world)
    for row in reviews:
        assert row["reviewed_at"] > row["contact_at"]
        assert any(s <= row["reviewed_at"] <= e for s, e, *_ in shifts[row["reviewer_key"]])
        assert teams[row["reviewer_key"]] != teams.get(row["agent_key"])
        scores = [item for item in row["item_scores"] if item is not None]
        assert len(row["item_scores"]) == 8 and row["score"] == round(10 * np.mean(scores), 2)
        assert row["playback_seconds"] >= 0.3 * row["recording_seconds"] - 1
    blind = [row for row in reviews if row["is_blind"]]
    assert 0.1 <= len(blind) / (len(reviews) - len(blind)) < 0.2
    first = {(row["channel"], row["contact_id"]): row for row in reviews if not row["is_blind"]}
    paired = [first[row["channel"], row["contact_id"]] for row in blind if (row["channel"], row["contact_id"]) in first]
    assert len(paired) > 0.8 * len(blind)
    for row in blind:
        twin = first.get((row["channel"], row["contact_id"]))
        assert twin is None or (twin["reviewer_key"] != row["reviewer_key"] and twin["true_score"] == row["true_score"])
    assert abs(np.mean([row["score"] - row["true_score"] for row in reviews])) < 3


def test_items_have_no_halo(world: World) -> None:
    """What is left of the items once the true score is taken out is hardly common to them."""
    complete = [row for row in rows(world, "qa_review") if None not in row["item_scores"]]
    left = np.array([np.array(row["item_scores"]) - row["true_score"] / 10 for row in complete])
    correlations = np.corrcoef(left.T)[np.triu_indices(8, 1)]
    assert correlations.mean() < 0.2


def test_exams_are_made_up_by_those_on_leave_or_ill() -> None:
    world = generate(Scenario(agents=200, contacts_per_agent_day=0.2))
    first = {row["agent_key"]: row for row in rows(world, "exam") if row["sitting"] == "first"}
    again = {row["agent_key"] for row in rows(world, "exam") if row["sitting"] == "make_up"}
    absent = {key for key, row in first.items() if row["absence_reason"]}
    assert all((row["score"] is None) == (row["absence_reason"] is not None) for row in first.values())
    assert again and again < absent
    assert all(first[key]["absence_reason"] in ("leave", "illness") for key in again)


# --- in bulk ---------------------------------------------------------------------------------------------------------


def test_bulk_messages_have_the_schema_and_the_order_of_messages() -> None:
    batches = list(bulk_messages(1, 1_200_005))
    messages = pa.Table.from_batches(batches)
    assert messages.schema.equals(SCHEMAS["message"])
    assert messages.num_rows == 1_200_005 and len(batches) == 3
    assert messages["message_id"].to_numpy().tolist() == list(range(1, 1_200_006))
    at, chat = seconds(messages["sent_at"]), messages["chat_id"].to_numpy()
    assert (np.diff(at)[np.diff(chat) == 0] >= 0).all()
    assert messages["text"].null_count == 0
    assert pa.Table.from_batches(bulk_messages(1, 1_200_005)).equals(messages)
    assert not next(bulk_messages(2, 1000)).equals(next(bulk_messages(1, 1000)))

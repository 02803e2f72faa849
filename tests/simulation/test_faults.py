"""Planted faults: who gets them, that each strength is what it says, and that the world stays a possible one."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kefu.simulation.company import found
from kefu.simulation.faults import DECLARED, SKILLS, Faults, delivered, first_told, plan_faults, plant, skills
from kefu.simulation.generate import generate
from kefu.simulation.operation import OPERATION
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, PLANTED, SCHEMAS, World

Row = dict[str, Any]
LEVELS = ("low", "middle", "high")
AGENT_FAULTS = [name for name, fault in DECLARED.faults.items() if fault.subject == "agent"]


def scenario(level: str = "middle") -> Scenario:
    return Scenario(strengths=dict.fromkeys(DECLARED.faults, level), follow_up=True)


@functools.cache
def plan(level: str = "middle") -> Faults:
    return plan_faults(scenario(level), found(scenario(level)).tables)


@functools.cache
def clean_world() -> World:
    return generate(scenario("zero"))


@functools.cache
def planted_world(level: str) -> World:
    return plant(clean_world(), plan(level))


def rows(world: World, table: str) -> list[Row]:
    kept: dict[str, list[Row]] = vars(world).setdefault("rows", {})
    if table not in kept:
        kept[table] = world.tables[table].to_pylist()
    return kept[table]


def planted(world: World, fault: str) -> list[Row]:
    return [row for row in world.planted.to_pylist() if row["fault"] == fault]


def strength_of(fault: str, level: str) -> float:
    return DECLARED.faults[fault].strengths[level]  # type: ignore[index]


def ratings(world: World, agent: str) -> list[Row]:
    return [row for row in rows(world, "survey") if row["agent_key"] == agent and row["value"] is not None]


# --- the plan


@pytest.mark.parametrize("seed", range(1, 6))
def test_prevalence_and_clean_share_hold_in_a_company_of_two_hundred(seed: int) -> None:
    operation = Scenario(seed=seed, agents=200, follow_up=True)
    company = found(operation).tables
    faults = plan_faults(operation, company)
    assert len(faults.people()) <= 0.4 * 200
    counts = Counter(assignment.fault for assignment in faults.assignments if not assignment.is_spare)
    assert {fault: counts[fault] for fault in AGENT_FAULTS} == dict.fromkeys(AGENT_FAULTS, 4)
    assert set(counts) == set(DECLARED.faults)
    role = {row["agent_key"]: row["role"] for row in company["agent"].to_pylist()}
    for assignment in faults.assignments:
        declared = DECLARED.faults[assignment.fault]
        if declared.roles:
            assert role[assignment.subject] in declared.roles
    # Disjoint as far as possible: nobody carries a second fault while there is room.
    carried = Counter(person for a in faults.assignments if not a.is_spare for person in faults.people_of(a))
    assert sum(number - 1 for number in carried.values()) <= max(0, carried.total() - int(0.4 * 200))


def test_a_company_of_sixty_carries_every_fault_and_stays_clean_to_sixty_percent() -> None:
    counts = Counter(assignment.fault for assignment in plan().assignments if not assignment.is_spare)
    assert {fault: counts[fault] for fault in AGENT_FAULTS} == dict.fromkeys(AGENT_FAULTS, 4)
    assert len(plan().people()) == 24
    hit = set(plan().people_of(plan().of("incident")[0]))
    alone = [assignment.subject for fault in ("decline", "dip") for assignment in plan().of(fault)]
    assert not hit & set(alone) and len(set(alone)) == 8


def test_prevalence_grows_with_the_company() -> None:
    operation = Scenario(agents=600)
    faults = plan_faults(operation, found(operation).tables)
    assert len([a for a in faults.of("rating_burst") if not a.is_spare]) == 12
    assert len(faults.people()) <= 240


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), agents=st.integers(6, 90))
@example(seed=1, agents=44)
def test_no_company_is_too_small_to_stay_clean(seed: int, agents: int) -> None:
    operation = Scenario(seed=seed, agents=agents)
    assert len(plan_faults(operation, found(operation).tables).people()) <= 0.4 * agents


def test_strengths_change_nobody_and_zero_plants_nothing() -> None:
    def who(faults: Faults) -> list[tuple[str, str, date, bool]]:
        return [(a.fault, a.subject, a.starts_on, a.is_spare) for a in faults.assignments]

    assert who(plan("low")) == who(plan("high")) == who(plan("middle"))
    assert plan("zero").assignments == ()
    one = Scenario(strengths=dict.fromkeys(DECLARED.faults, "zero") | {"dip": "high"})
    only = plan_faults(one, found(one).tables)
    assert who(only) == [entry for entry in who(plan()) if entry[0] == "dip"]
    world = planted_world("zero")
    assert world.planted.equals(PLANTED.empty_table())
    assert all(world.tables[name].equals(clean_world().tables[name]) for name in SCHEMAS)


def test_a_follow_up_changes_no_row_without_it() -> None:
    operation = Scenario(seed=2, agents=40, contacts_per_agent_day=8)
    asked = operation.model_copy(update={"follow_up": True})
    faults, more = (plan_faults(one, found(one).tables) for one in (operation, asked))
    own = [a for a in more.assignments if not DECLARED.faults[a.fault].with_follow_up]
    assert own == list(faults.assignments) and len(more.assignments) > len(own)
    world, wider = plant(generate(operation), faults), plant(generate(asked), more)
    assert list(world.tables) == list(SCHEMAS) and list(wider.tables) == [*SCHEMAS, *FOLLOW_UP_SCHEMAS]
    raised = {row["survey_id"] for row in rows(wider, "rating_change")}
    for name in SCHEMAS:
        changed = {"qa_review"} | ({"survey", "message"} if raised else set())
        assert world.tables[name].equals(wider.tables[name]) or name in changed, name


def test_skills_hold_declines_dips_and_the_incident_and_nothing_else() -> None:
    table = skills(plan())
    assert table.schema == SKILLS
    worse: dict[str, dict[date, float]] = defaultdict(dict)
    for row in table.to_pylist():
        worse[row["agent_key"]][row["date"]] = row["shift_sigma"]
    for assignment in plan().of("decline"):
        days = worse[assignment.subject]
        assert set(days.values()) == {1.5} and max(days) == date(2026, 10, 31) and len(days) >= 10
    works = {
        (row["agent_key"], row["shift_date"])
        for row in found(scenario()).tables["shift"].to_pylist()
        if not row["is_rest_day"]
    }
    for assignment in plan().of("dip"):
        assert worse[assignment.subject] == {assignment.starts_on: 4.0}
        assert (assignment.subject, assignment.starts_on) in works
    (incident,) = plan().of("incident")
    for person in plan().people_of(incident):
        assert sorted(worse[person].values()) == [1.5] * 5
    assert set(worse) == {
        person for fault in ("decline", "dip", "incident") for a in plan().of(fault) for person in plan().people_of(a)
    }
    assert skills(plan("zero")).num_rows == 0


# --- what stands in the world


@pytest.mark.parametrize("level", LEVELS)
def test_every_agent_fault_is_planted_on_four_agents_with_its_strength(level: str) -> None:
    found_rows = planted_world(level).planted.to_pylist()
    counts = Counter(row["fault"] for row in found_rows)
    # Few people of sixty write at the desk, and other faults stand on most of their low ratings.
    assert counts.pop("raised_rating") >= 2
    everywhere = [fault for fault in AGENT_FAULTS if fault != "raised_rating"]
    assert {fault: counts[fault] for fault in everywhere} == dict.fromkeys(everywhere, 4)
    assert all(row["strength"] == strength_of(row["fault"], level) for row in found_rows)
    assert all(row["starts_at"] < row["ends_at"] and row["note"] for row in found_rows)
    # Rows that carry a fault of the ratings carry no other.
    used = Counter(
        number
        for row in found_rows
        if row["table"] == "survey" and row["fault"] != "selective_invitation"
        for number in row["row_ids"]
    )
    assert max(used.values()) == 1


@pytest.mark.parametrize("level", LEVELS)
def test_bursts_are_a_share_of_the_month(level: str) -> None:
    window = datetime(2026, 10, 28, 16, tzinfo=UTC)
    for row in planted(planted_world(level), "rating_burst"):
        given = ratings(planted_world(level), row["subject"])
        late = [rating for rating in given if rating["invited_at"] >= window]
        assert len(given) >= 40 and row["starts_at"] == window
        assert len(late) / len(given) == pytest.approx(strength_of("rating_burst", level), abs=0.02)
        assert {rating["survey_id"] for rating in late} >= set(row["row_ids"])


@pytest.mark.parametrize("level", LEVELS)
def test_begging_is_the_last_thing_said_before_the_invitation(level: str) -> None:
    world, phrases = planted_world(level), DECLARED.phrases["begging"]
    said: dict[int, list[Row]] = defaultdict(list)
    for message in rows(world, "message"):
        if message["author"] in ("agent", "visitor"):
            said[message["chat_id"]].append(message)
    surveys = {row["survey_id"]: row for row in rows(world, "survey")}
    asked = {text for texts in phrases.values() for text in texts}
    all_begged = {row["chat_id"] for messages in said.values() for row in messages if row["text"] in asked}
    planted_chats = set()
    for row in planted(world, "begged_score"):
        invited = [s for s in surveys.values() if s["agent_key"] == row["subject"] and s["channel"] in ("chat", "desk")]
        assert len(row["row_ids"]) / len(invited) == pytest.approx(strength_of("begged_score", level), abs=0.01)
        for number in row["row_ids"]:
            survey = surveys[number]
            before = [m for m in said[survey["contact_id"]] if m["sent_at"] <= survey["invited_at"]]
            assert before[-1]["text"] in asked and before[-1]["agent_key"] == row["subject"]
            assert survey["value"] in (5, None)
            planted_chats.add(survey["contact_id"])
    assert all_begged == planted_chats


def test_begging_does_not_use_the_words_of_a_lexicon() -> None:
    texts = [text.lower() for texts in DECLARED.phrases["begging"].values() for text in texts]
    for word in ("五星", "满分", "滿分", "好评", "好評", "five star", "5 star", "five-star", "positive rating"):
        assert not [text for text in texts if word in text]


@pytest.mark.parametrize("level", LEVELS)
def test_selective_invitations_have_their_odds_ratio(level: str) -> None:
    world = clean_world()
    after = planted_world(level)
    contacts = {row["issue_id"]: [] for row in rows(world, "issue")}  # type: dict[int, list[tuple[datetime, str, int]]]
    mine: dict[tuple[str, int], str] = {}
    for call in rows(world, "call"):
        if call["issue_id"] is not None:
            contacts[call["issue_id"]].append((call["entered_at"], "call", call["call_id"]))
        if call["direction"] == "inbound" and call["ended_by"] in ("agent", "caller") and call["answered_at"]:
            mine["call", call["call_id"]] = call["agent_key"]
    for chat in rows(world, "chat"):
        contacts[chat["issue_id"]].append((chat["started_at"], "chat", chat["chat_id"]))
        if chat["closed_at"] and chat["agent_key"] and not chat["is_group"]:
            mine["chat", chat["chat_id"]] = chat["agent_key"]
    solved_issues = {row["issue_id"] for row in rows(world, "issue") if row["is_solved"]}
    solved = {max(visits)[1:] for issue, visits in contacts.items() if visits and issue in solved_issues}
    for row in planted(after, "selective_invitation"):
        invited = {
            ("call" if s["channel"] == "voice" else "chat", s["contact_id"])
            for s in rows(after, "survey")
            if s["agent_key"] == row["subject"]
        }
        cell = Counter((key in solved, key in invited) for key, agent in mine.items() if agent == row["subject"])
        ratio = (cell[True, True] / cell[True, False]) / (cell[False, True] / cell[False, False])
        assert ratio == pytest.approx(strength_of("selective_invitation", level), rel=0.25)
        unsolved = [
            s
            for s in rows(world, "survey")
            if s["agent_key"] == row["subject"] and s["channel"] != "chat"
            if ("call" if s["channel"] == "voice" else "chat", s["contact_id"]) not in solved
        ]
        assert len(unsolved) >= 50, "enough of them where invitations are recorded"


@pytest.mark.parametrize("level", LEVELS)
def test_duplicates_are_third_and_later_ratings_of_a_customer(level: str) -> None:
    world = planted_world(level)
    for row in planted(world, "duplicate_customer"):
        given = ratings(world, row["subject"])
        per_customer = Counter(rating["customer_id"] for rating in given)
        excess = sum(max(0, number - 2) for number in per_customer.values())
        before = ratings(clean_world(), row["subject"])
        assert excess / len(before) == pytest.approx(strength_of("duplicate_customer", level), abs=0.06)
    contact = {("voice", r["call_id"]): r["customer_id"] for r in rows(world, "call")}
    contact |= {(r["channel"], r["chat_id"]): r["customer_id"] for r in rows(world, "chat")}
    owner = {r["issue_id"]: r["customer_id"] for r in rows(world, "issue")}
    assert all(contact[s["channel"], s["contact_id"]] == s["customer_id"] for s in rows(world, "survey"))
    assert all(owner[r["issue_id"]] == r["customer_id"] for r in rows(world, "chat"))


@pytest.mark.parametrize("level", LEVELS)
def test_a_few_customers_give_many_ratings(level: str) -> None:
    world = planted_world(level)
    owner = {survey["survey_id"]: survey["customer_id"] for survey in rows(world, "survey")}
    for row in planted(world, "concentrated_rating"):
        assert len({owner[number] for number in row["row_ids"]}) == 5
        before = ratings(clean_world(), row["subject"])
        assert len(row["row_ids"]) / len(before) == pytest.approx(strength_of("concentrated_rating", level), abs=0.02)


def test_staff_rate_from_their_own_numbers() -> None:
    world = planted_world("high")
    keys = [row["agent_key"] for row in rows(world, "agent")]
    staff = {(staff_phone(key), staff_email(key)) for key in keys}
    assert len({phone for phone, _ in staff}) == len(keys)
    customers = {row["customer_id"]: (row["phone"], row["email"]) for row in rows(world, "customer")}
    by_staff = {s["survey_id"]: s for s in rows(world, "survey") if customers[s["customer_id"]] in staff}
    listed = planted(world, "staff_rating")
    assert set(by_staff) == {number for row in listed for number in row["row_ids"]}
    for row in listed:
        own = staff_phone(row["subject"])
        assert all(customers[by_staff[number]["customer_id"]][0] != own for number in row["row_ids"])
        assert all(by_staff[number]["value"] == 5 for number in row["row_ids"])


@pytest.mark.parametrize("level", LEVELS)
def test_ratings_that_come_too_fast_or_are_about_something_else(level: str) -> None:
    world = planted_world(level)
    surveys = {row["survey_id"]: row for row in rows(world, "survey")}
    fast = {
        number: row
        for number, row in surveys.items()
        if row["answered_at"] and row["answered_at"] - row["invited_at"] < timedelta(seconds=3)
    }
    assert set(fast) == {number for row in planted(world, "too_fast_answer") for number in row["row_ids"]}
    complaints = {text for texts in DECLARED.phrases["wrong_target"].values() for text in texts}
    wrong = {number for number, row in surveys.items() if row["comment"] in complaints}
    assert wrong == {number for row in planted(world, "wrong_target") for number in row["row_ids"]}
    assert all(surveys[number]["value"] <= 2 for number in wrong)


@pytest.mark.parametrize("level", ["middle", "high"])
def test_all_maximum_from_middle_strength_on_leaves_no_other_rating(level: str) -> None:
    world = planted_world(level)
    others = {
        number
        for row in world.planted.to_pylist()
        if row["table"] == "survey" and row["fault"] != "all_maximum"
        for number in row["row_ids"]
    }
    for row in planted(world, "all_maximum"):
        values = [s["value"] for s in ratings(world, row["subject"]) if s["survey_id"] not in others]
        assert len(values) >= 25 and set(values) == {5}


@pytest.mark.parametrize("level", LEVELS)
def test_empty_replies_are_quick_and_followed_by_a_minute_of_nothing(level: str) -> None:
    world = planted_world(level)
    own: dict[int, list[Row]] = defaultdict(list)
    for message in rows(world, "message"):
        if message["author"] == "agent":
            own[message["chat_id"]].append(message)
    chats = {row["chat_id"]: row for row in rows(world, "chat")}
    templates = {text for texts in DECLARED.phrases["empty_reply"].values() for text in texts}
    for row in planted(world, "empty_early_reply"):
        for number in row["row_ids"]:
            first, second = own[number][:2]
            assert first["text"] in templates and first["agent_key"] == row["subject"]
            assert first["sent_at"] - chats[number]["accepted_at"] < timedelta(seconds=2)
            assert second["sent_at"] - chats[number]["accepted_at"] > timedelta(seconds=60)


@pytest.mark.parametrize("level", LEVELS)
def test_silence_ends_in_a_late_close_and_a_new_chat(level: str) -> None:
    world = planted_world(level)
    said: dict[int, list[Row]] = defaultdict(list)
    for message in rows(world, "message"):
        if message["author"] in ("agent", "visitor"):
            said[message["chat_id"]].append(message)
    of_issue: dict[int, list[Row]] = defaultdict(list)
    for chat in rows(world, "chat"):
        of_issue[chat["issue_id"]].append(chat)
    chats = {row["chat_id"]: row for row in rows(world, "chat")}
    surveys = {(row["channel"], row["contact_id"]): row for row in rows(world, "survey")}
    parts = rows(world, "chat_segment")
    for row in planted(world, "silence_gap"):
        for number in row["row_ids"]:
            chat, last = chats[number], said[number][-1]
            assert last["author"] == "visitor" and chat["closed_by"] == "agent"
            assert chat["closed_at"] - last["sent_at"] > timedelta(minutes=10)
            again = [c for c in of_issue[chat["issue_id"]] if c["started_at"] > chat["closed_at"]]
            first = min(again, key=lambda c: c["started_at"])
            assert first["started_at"] - chat["closed_at"] <= timedelta(minutes=30) and first["accepted_at"] is None
            assert said[first["chat_id"]][0]["text"] == said[number][0]["text"]
            survey = surveys.get((chat["channel"], number))
            assert survey is None or (survey["value"], survey["answered_at"]) == (None, None)
            assert survey is None or survey["invited_at"] > chat["closed_at"]
        spans = [(p["started_at"], p["ended_at"]) for p in parts if p["agent_key"] == row["subject"] and p["ended_at"]]
        assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) <= 3


def test_forced_closes_are_two_episodes_of_one_chat() -> None:
    world = planted_world("high")
    parts: dict[int, list[Row]] = defaultdict(list)
    for part in rows(world, "chat_segment"):
        parts[part["chat_id"]].append(part)
    chats = {row["chat_id"]: row for row in rows(world, "chat")}
    system: dict[int, list[str]] = defaultdict(list)
    for message in rows(world, "message"):
        if message["author"] == "system":
            system[message["chat_id"]].append(message["text"])
    for row in planted(world, "forced_close"):
        assert len(row["row_ids"]) >= 20
        for number in row["row_ids"]:
            first, second = parts[number]
            assert (first["number"], second["number"], first["ended_how"]) == (1, 2, "closed")
            assert first["agent_key"] == second["agent_key"] == row["subject"]
            reopened = chats[number]["reopened_at"]
            assert (
                first["ended_at"] <= reopened < second["started_at"] <= second["ended_at"] == chats[number]["closed_at"]
            )
            assert system[number][:2] == ["closed_by_agent", "reopened"]


def test_padding_is_within_a_minute_and_rings_for_two_seconds() -> None:
    world = planted_world("high")
    calls = rows(world, "call")
    padding = {number for row in planted(world, "redial_padding") for number in row["row_ids"]}
    dials: dict[str, list[Row]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call["entered_at"]):
        if call["direction"] == "outbound":
            dials[call["agent_key"]].append(call)
    for row in planted(world, "redial_padding"):
        genuine = len(dials[row["subject"]]) - len(row["row_ids"])
        assert len(row["row_ids"]) / genuine == pytest.approx(0.5, abs=0.1)
        for before, after in pairwise(dials[row["subject"]]):
            if after["call_id"] in padding:
                assert after["customer_id"] == before["customer_id"]
                assert after["entered_at"] - before["ended_at"] < timedelta(seconds=60)
                assert after["ended_at"] - after["entered_at"] == timedelta(seconds=2)


@pytest.mark.parametrize("level", LEVELS)
def test_long_calls_are_passed_on_just_before_the_limit(level: str) -> None:
    world = planted_world(level)
    calls = {row["call_id"]: row for row in rows(world, "call")}
    surveyed = {s["contact_id"] for s in rows(world, "survey") if s["channel"] == "voice"}
    for row in planted(world, "transfer_before_limit"):
        long_before = [
            c
            for c in rows(clean_world(), "call")
            if c["agent_key"] == row["subject"] and c["direction"] == "inbound" and c["ended_by"] != "transfer"
            and c["answered_at"] and c["ended_at"] - c["answered_at"] > timedelta(seconds=300)
        ]  # fmt: skip
        share = len(row["row_ids"]) / len(long_before)
        assert share == pytest.approx(strength_of("transfer_before_limit", level), abs=0.02)
        for number in row["row_ids"]:
            call, visit = calls[number], calls[calls[number]["next_call_id"]]
            assert 285 <= (call["ended_at"] - call["answered_at"]).total_seconds() <= 297
            assert (call["ended_by"], visit["outcome"]) == ("transfer", "abandoned")
            assert (call["transfer_to"], call["ended_at"]) == (visit["queue_id"], visit["entered_at"])
            assert visit["customer_id"] == call["customer_id"] and number not in surveyed


def test_parked_wrap_ups_are_longer_than_they_were() -> None:
    before, after = rows(clean_world(), "agent_state"), rows(planted_world("high"), "agent_state")
    for row in planted(planted_world("high"), "acw_parking"):
        for number in row["row_ids"]:
            assert after[number]["agent_key"] == row["subject"] and after[number]["state"] == "acw"
            grown = after[number]["ended_at"] - before[number]["ended_at"]
            moved = after[number]["started_at"] - before[number]["started_at"]
            assert grown - moved >= timedelta(seconds=20)


@pytest.mark.parametrize("level", LEVELS)
def test_raters_are_moved_by_their_points_and_halos_show_one_mark(level: str) -> None:
    before = {row["review_id"]: row for row in rows(clean_world(), "qa_review")}
    after = {row["review_id"]: row for row in rows(planted_world(level), "qa_review")}
    halo = {n for row in planted(planted_world(level), "halo_rater") for n in row["row_ids"]}
    biased = {}
    for fault, sign in (("lenient_rater", 1), ("severe_rater", -1)):
        for row in planted(planted_world(level), fault):
            assert len(row["row_ids"]) >= 30
            off = [after[number]["score"] - after[number]["true_score"] for number in row["row_ids"]]
            if not halo & set(row["row_ids"]):
                assert np.mean(off) == pytest.approx(sign * strength_of(fault, level), abs=0.2)
            biased |= dict.fromkeys(row["row_ids"], fault)
    assert set(biased.values()) == {"lenient_rater", "severe_rater"}
    for number in halo:
        assert len(set(after[number]["item_scores"]) - {None}) == 1
    doubles = sum(row["is_blind"] for row in before.values()) / len(before)
    assert doubles >= 0.10
    defective = {n for row in planted(planted_world(level), "defective_review") for n in row["row_ids"]}
    untouched = set(before) - set(biased) - halo - defective
    assert all(before[number] == after[number] for number in untouched)
    for row in after.values():
        marks = [mark for mark in row["item_scores"] if mark is not None]
        assert row["score"] == pytest.approx(10 * sum(marks) / len(marks), abs=0.006)


def follow_up_rows(level: str, fault: str) -> Iterator[tuple[Row, int]]:
    """Planted answers, with the instant at which their contact ended in seconds."""
    world = planted_world(level)
    answers = {row["answer_id"]: row for row in rows(world, "follow_up")}
    ends = {("voice", row["call_id"]): row["ended_at"] for row in rows(world, "call")}
    ends |= {(row["channel"], row["chat_id"]): row["closed_at"] for row in rows(world, "chat")}
    for row in planted(world, fault):
        for number in row["row_ids"]:
            answer = answers[number]
            assert answer["agent_key"] == row["subject"]
            yield answer, (answer["answered_at"] - ends[answer["channel"], answer["contact_id"]]).total_seconds()


@pytest.mark.parametrize("level", LEVELS)
def test_answers_by_hand_break_the_rule_that_they_are_planted_for(level: str) -> None:
    items = ("ease", "solved", "effort", "again")
    late = list(follow_up_rows(level, "late_answer"))
    assert late and all(72 * 3600 < after < 8 * 86400 for _, after in late)
    lines = [answer for answer, _ in follow_up_rows(level, "straight_line")]
    assert lines and all({answer[item] for item in items} == {5} for answer in lines)
    wrong = [answer for answer, _ in follow_up_rows(level, "wrong_reason")]
    assert wrong and {answer["reason"] for answer in wrong} <= set(OPERATION.follow_up.product_reasons)
    world = planted_world(level)
    unserved = [answer for answer, _ in follow_up_rows(level, "unserved_answer")]
    taken = {("voice", row["call_id"]) for row in rows(world, "call") if row["answered_at"]}
    taken |= {(row["channel"], row["chat_id"]) for row in rows(world, "chat") if row["accepted_at"]}
    assert unserved and not {(answer["channel"], answer["contact_id"]) for answer in unserved} & taken
    repeated = [answer for answer, after in follow_up_rows(level, "repeated_answer") if after < 72 * 3600]
    said = Counter((row["channel"], row["contact_id"]) for row in rows(world, "follow_up"))
    twice = {contact for contact, count in said.items() if count == 2}
    assert repeated and {(answer["channel"], answer["contact_id"]) for answer in repeated} == twice
    # Everything else is in time, about a contact that was served, and of a customer who said nothing else.
    planted_ids = {n for row in world.planted.to_pylist() if row["table"] == "follow_up" for n in row["row_ids"]}
    answered = {row["customer_id"] for row in rows(clean_world(), "survey") if row["answered_at"]}
    honest = [row for row in rows(clean_world(), "follow_up") if row["answer_id"] not in planted_ids]
    assert len(honest) > 100 and not {row["customer_id"] for row in honest} & answered
    assert {row["reason"] for row in honest} == {None, *OPERATION.follow_up.reasons}


@pytest.mark.parametrize("level", LEVELS)
def test_ratings_are_raised_after_another_word_of_the_agent(level: str) -> None:
    world = planted_world(level)
    before = {row["survey_id"]: row["value"] for row in rows(clean_world(), "survey")}
    first = {row["survey_id"]: row["value"] for row in rows(world, "rating_change")}
    surveys = {row["survey_id"]: row for row in rows(world, "survey")}
    raised = {number: row["subject"] for row in planted(world, "raised_rating") for number in row["row_ids"]}
    assert raised and first == {number: before[number] for number in raised}
    asking = {text for texts in DECLARED.phrases["raising"].values() for text in texts}
    words = {row["chat_id"]: row for row in rows(world, "message") if row["text"] in asking}
    assert {surveys[number]["contact_id"] for number in raised} == set(words)
    for number, agent in raised.items():
        survey = surveys[number]
        word = words[survey["contact_id"]]
        assert survey["value"] - first[number] == 2 and survey["channel"] == "desk"
        assert word["agent_key"] == agent and word["sent_at"] > survey["answered_at"]
    told = {row["survey_id"]: row["value"] for row in rows(first_told(world), "survey")}
    assert {number: told[number] for number in first} == first
    assert {n: v for n, v in told.items() if n not in first} == {n: surveys[n]["value"] for n in told if n not in first}


@pytest.mark.parametrize("level", LEVELS)
def test_reviews_have_every_defect(level: str) -> None:
    world = planted_world(level)
    managers = {row["agent_key"]: row["manager_key"] for row in rows(world, "agent")}
    reviews = {row["review_id"]: row for row in rows(world, "qa_review")}
    defects: Counter[str] = Counter()
    for row in planted(world, "defective_review"):
        for number in row["row_ids"]:
            review = reviews[number]
            found_defects = {
                "own": review["reviewer_key"] == row["subject"],
                "manager": review["reviewer_key"] == managers[row["subject"]],
                "form": review["form_version"] != OPERATION.review.form_version,
                "short": review["playback_seconds"] < 0.3 * review["recording_seconds"],
            }
            assert sum(found_defects.values()) == 1, found_defects
            defects.update(name for name, has_it in found_defects.items() if has_it)
    assert len(defects) >= (4 if level != "low" else 2)


@pytest.mark.parametrize("level", LEVELS)
def test_the_world_stays_a_possible_one(level: str) -> None:
    world = planted_world(level)
    for name, schema in SCHEMAS.items():
        assert world.tables[name].schema == schema
        key = schema.names[0]
        if key.endswith("_id") and name not in ("chat_segment", "membership", "ring_no_answer"):
            column = world.tables[name][key].to_numpy() if pa.types.is_integer(schema.field(0).type) else None
            assert column is None or (np.diff(column) > 0).all(), name
    last: dict[int, datetime] = {}
    for message in rows(world, "message"):
        assert message["sent_at"] >= last.get(message["chat_id"], message["sent_at"])
        last[message["chat_id"]] = message["sent_at"]
    spans: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for call in rows(world, "call"):
        if call["agent_key"]:
            begin = call["entered_at"] if call["direction"] == "outbound" else call["answered_at"]
            spans[call["agent_key"]].append((begin, call["ended_at"], call["direction"]))
    for state in rows(world, "agent_state"):
        if state["state"] not in ("on_queue", "outbound"):
            spans[state["agent_key"]].append((state["started_at"], state["ended_at"], state["state"]))
    for own in spans.values():
        for before, after in pairwise(sorted(own)):
            assert before[1] <= after[0], (before, after)


def test_the_same_plan_gives_the_same_world() -> None:
    again = plant(clean_world(), plan())
    assert again.planted.equals(planted_world("middle").planted)
    assert all(again.tables[name].equals(planted_world("middle").tables[name]) for name in SCHEMAS)


def test_sources_fall_silent_and_come_late() -> None:
    world = planted_world("middle")
    (silent,), (late,) = planted(world, "silent_source"), planted(world, "late_feed")
    assert silent["ends_at"] - silent["starts_at"] == timedelta(hours=12)
    after = delivered(world)
    lost = [row for row in rows(world, "call") if silent["starts_at"] <= row["entered_at"] < silent["ends_at"]]
    assert len(lost) > 50
    assert after.tables["call"].num_rows == world.tables["call"].num_rows - len(lost)
    assert after.tables["chat"].equals(world.tables["chat"])
    soon = delivered(world, late["ends_at"] + timedelta(hours=1))
    missing = {row["chat_id"] for row in rows(world, "chat")} - {row["chat_id"] for row in rows(soon, "chat")}
    assert len(missing) > 50
    assert not missing & {row["chat_id"] for row in rows(soon, "message")}
    assert all(
        late["starts_at"] <= row["started_at"] < late["ends_at"] and row["channel"] == "chat"
        for row in rows(world, "chat")
        if row["chat_id"] in missing
    )
    later = delivered(world, late["ends_at"] + timedelta(hours=24))
    assert later.tables["message"].equals(world.tables["message"])
    assert delivered(planted_world("zero")).tables["call"].equals(clean_world().tables["call"])

"""Disputes: who may decide, until when, and what a decision does to the score."""

from __future__ import annotations

from typing import Any

import pytest

from kefu.payroll import CloseRefused, calculate, cut, disputes, export, status, step
from kefu.payroll.close import APPROVER, CHECKER, MAKER
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from tests.conftest import Copy
from tests.payroll.fabricated import DISPUTED_PERIOD as PERIOD
from tests.payroll.fabricated import DISPUTING as AGENTS
from tests.payroll.fabricated import Calculation, calculating, open_to_disputes, query, set_clock

LOGIN = {"reviewer": CHECKER, "judge": APPROVER}


@pytest.fixture(scope="module")
def published(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    platform = open_to_disputes(settings, "t_disputes", tmp_path_factory.mktemp("disputes"))
    disputes.person(platform, APPROVER, "CS9001", CHECKER)
    return platform


@pytest.fixture
def platform(published: Platform, copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> Any:
    with calculating(monkeypatch, Calculation(AGENTS)):
        yield copy_of(published, "t_disputes_copy")


def reviewed_row(platform: Platform) -> int:
    return disputes.submit(platform, PERIOD, "CS1001", "the call was not mine", about=("review", "sheets:R1"))


def excluded(platform: Platform) -> Any:
    return query(platform, "select row_kind, row_key, is_excluded, decided_by from ops.row_exclusion order by 1, 2, 3")


def test_a_dispute_about_a_row_goes_through_every_state_and_takes_the_row_out(
    platform: Platform,
) -> None:
    number = reviewed_row(platform)
    disputes.triage(platform, number, "complete")
    disputes.evidence(platform, number, "recording 17")
    disputes.decide(platform, number, "row_excluded", "another agent's voice")
    assert query(
        platform,
        "select state, level, actor, due_at::text, outcome from payroll.dispute_event order by dispute_event_id",
    ) == [
        # Two working days to take it up, five to decide, two to appeal: ends of Friday, Wednesday and Friday.
        ("submitted", 1, CHECKER, "2026-11-27 23:00:00+00", None),
        ("triage", 1, CHECKER, "2026-12-02 23:00:00+00", None),
        ("evidence", 1, CHECKER, "2026-12-02 23:00:00+00", None),
        ("evidence", 1, CHECKER, "2026-12-02 23:00:00+00", None),
        ("decision", 1, APPROVER, "2026-11-27 23:00:00+00", "row_excluded"),
    ]
    assert excluded(platform) == [("review", "sheets:R1", True, APPROVER)]
    # The period was calculated before the decision: it is cut and calculated again, and reviewed again.
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match="it was calculated before these disputes were decided: 1"):
        step(platform, PERIOD, "approve", APPROVER)
    cut(platform, PERIOD, "dispute 1 was decided")
    calculate(platform, PERIOD)
    step(platform, PERIOD, "review", CHECKER)
    step(platform, PERIOD, "publish", CHECKER)
    set_clock(platform, "2026-12-15T08:00:00Z")
    assert step(platform, PERIOD, "approve", APPROVER).state == "approved"
    assert query(platform, "select * from payroll.verify()") == []


def test_an_open_dispute_stands_against_the_approval_and_is_overdue_by_working_days(platform: Platform) -> None:
    number = disputes.submit(platform, PERIOD, "CS1002", "the whole score is wrong")
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match="cannot be approved: these disputes are open: 1"):
        step(platform, PERIOD, "approve", APPROVER)
    [found] = disputes.listed(platform, only_open=True)
    assert (found["object_kind"], found["state"], found["is_overdue"]) == ("composite", "submitted", True)
    disputes.close(platform, number, "taken back by the agent")
    assert disputes.listed(platform, only_open=True) == []
    assert step(platform, PERIOD, "approve", APPROVER).state == "approved"


def test_who_gave_got_submitted_or_calculated_a_score_does_not_decide_about_it(
    platform: Platform, copy_of: Copy
) -> None:
    number = reviewed_row(platform)
    disputes.triage(platform, number, "complete")
    with pytest.raises(CloseRefused, match=r"nobody knows whose login kefu_plan_author is.*kefu dispute person"):
        disputes.decide(platform, number, "upheld", "it was his", MAKER)
    for person in ("CS3001", "CS1001"):
        disputes.person(platform, MAKER, person, CHECKER)
        with pytest.raises(CloseRefused, match=f"is about a score that {person} gave or got; another person decides"):
            disputes.decide(platform, number, "upheld", "it was his", MAKER)
    disputes.person(platform, CHECKER, "CS9002", APPROVER)
    with pytest.raises(CloseRefused, match="was submitted, decided or calculated by kefu_plan_approver"):
        disputes.decide(platform, number, "upheld", "it was his", CHECKER)
    with pytest.raises(CloseRefused, match="kefu_plan_approver cannot say whose login it is"):
        disputes.person(platform, CHECKER, "CS9003", CHECKER)
    whole = disputes.submit(platform, PERIOD, "CS1002", "the whole score is wrong")
    disputes.triage(platform, whole, "complete")
    with pytest.raises(CloseRefused, match="was submitted, decided or calculated by kefu_plan_author"):
        disputes.decide(platform, whole, "upheld", "it is right", MAKER)


def test_the_second_level_comes_once_is_decided_by_another_and_restores_the_row(platform: Platform) -> None:
    number = reviewed_row(platform)
    disputes.triage(platform, number, "complete")
    disputes.decide(platform, number, "row_excluded", "not his call")
    disputes.appeal(platform, number, "the lead does not agree")
    with pytest.raises(CloseRefused, match="was submitted, decided or calculated by kefu_hr_approver"):
        disputes.decide(platform, number, "upheld", "it was his call")
    disputes.person(platform, MAKER, "CS9004", CHECKER)
    disputes.decide(platform, number, "upheld", "it was his call", MAKER)
    assert excluded(platform) == [("review", "sheets:R1", False, MAKER), ("review", "sheets:R1", True, APPROVER)]
    [found] = disputes.listed(platform)
    assert (found["state"], found["level"], found["outcome"], found["is_open"]) == ("closed", 2, "upheld", False)
    with pytest.raises(CloseRefused, match="is in the state closed, and an appeal needs decision"):
        disputes.appeal(platform, number, "once more")


def test_only_a_review_is_scored_again(platform: Platform) -> None:
    number = disputes.submit(platform, PERIOD, "CS1001", "the customer meant another", about=("rating", "chat:7"))
    disputes.triage(platform, number, "complete")
    with pytest.raises(CloseRefused, match="is about a rating of a customer; only a review can be scored again"):
        disputes.decide(platform, number, "rescored_blind", "scored again by a colleague")
    assert excluded(platform) == []
    disputes.decide(platform, number, "row_excluded", "it names another person")
    assert excluded(platform) == [("rating", "chat:7", True, APPROVER)]


def test_a_day_of_attendance_is_taken_out_like_any_row_and_nobody_scores_it_again(platform: Platform) -> None:
    day = ("attendance", "CS1001:2026-11-05")
    number = disputes.submit(platform, PERIOD, "CS1001", "the gate was broken", about=day)
    disputes.triage(platform, number, "complete")
    with pytest.raises(CloseRefused, match="is about a day of attendance; only a review can be scored again"):
        disputes.decide(platform, number, "rescored_blind", "clocked again")
    disputes.decide(platform, number, "row_excluded", "the gate's log shows the fault")
    assert excluded(platform) == [(*day, True, APPROVER)]
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match="it was calculated before these disputes were decided: 1"):
        step(platform, PERIOD, "approve", APPROVER)
    assert query(platform, "select * from payroll.verify()") == []


def test_a_gate_is_won_by_the_fact_that_is_named_and_by_no_other(platform: Platform) -> None:
    number = disputes.submit(platform, PERIOD, "CS1001", "the leave was approved", about=("gate", "sheets:F1"))
    disputes.triage(platform, number, "complete")
    for person in ("CS3001", "CS3002"):
        disputes.person(platform, MAKER, person, CHECKER)
        with pytest.raises(CloseRefused, match=f"is about a score that {person} gave or got"):
            disputes.decide(platform, number, "row_excluded", "the leave form was found", MAKER)
    with pytest.raises(CloseRefused, match="is about the fact behind a gate; only a review can be scored again"):
        disputes.decide(platform, number, "rescored_blind", "verified again")
    disputes.decide(platform, number, "row_excluded", "the leave form was found")
    assert excluded(platform) == [("fact", "sheets:F1", True, APPROVER)]
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match="it was calculated before these disputes were decided: 1"):
        step(platform, PERIOD, "approve", APPROVER)
    assert query(platform, "select * from payroll.verify()") == []


def test_a_row_comes_back_only_by_the_dispute_that_took_it_out(platform: Platform) -> None:
    for outcome in ("row_excluded", "upheld"):
        number = reviewed_row(platform)
        disputes.triage(platform, number, "complete")
        disputes.decide(platform, number, outcome, "after listening to it")
    assert excluded(platform) == [("review", "sheets:R1", True, APPROVER)]


def test_an_appeal_comes_in_time(platform: Platform) -> None:
    number = disputes.submit(platform, PERIOD, "CS1001", "the rate is wrong", about=("metric", "csat_rate"))
    disputes.triage(platform, number, "complete")
    with pytest.raises(CloseRefused, match="is about a metric; only a row can be excluded or scored again"):
        disputes.decide(platform, number, "row_excluded", "no such row")
    disputes.decide(platform, number, "upheld", "the rate is right")
    set_clock(platform, "2026-11-27T23:00:00Z")
    with pytest.raises(CloseRefused, match="the decision of dispute 1 is final"):
        disputes.appeal(platform, number, "too late")
    assert disputes.listed(platform, only_open=True) == []


def test_only_what_is_in_time_is_disputed(platform: Platform) -> None:
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match=r"the dispute window of period 2026_11_real ended on 2026-12-02 23:00 UTC"):
        reviewed_row(platform)


# Kind, key, whose score, and what is said of it; nothing: it is accepted, with who gave the score.
OBJECTS: list[tuple[str, str, str, str | None]] = [
    ("review", "sheets:R1", "CS1001", None),
    ("review", "sheets:R1", "CS1002", "which is about somebody else"),
    ("review", "sheets:R0", "CS1001", "which counts on 2026-10-30"),
    ("review", "sheets:R2", "CS1001", "which is not there"),
    ("rating", "chat:7", "CS1001", None),
    ("rating", "chat:7", "CS1002", "which is about somebody else"),
    ("rating", "chat:8", "CS1001", None),
    ("rating", "chat:9", "CS1001", None),
    ("rating", "chat:10", "CS1001", "which is not there"),
    ("rating", "chat:6", "CS1001", "which counts on 2026-11-17"),
    ("attendance", "CS1001:2026-11-05", "CS1001", None),
    ("attendance", "CS1001:2026-11-05", "CS1002", "which is about somebody else"),
    ("attendance", "CS1001:2026-11-01", "CS1001", "which counts on 2026-11-01"),
    ("attendance", "CS1001:2026-11-07", "CS1001", "which is not there"),
    ("metric", "csat_rate", "CS1001", None),
    ("metric", "fcr_repeat", "CS1001", "which no plan of this person scores"),
    ("metric", "csat_rate", "CS1003", "which no plan of this person scores"),
    ("gate", "sheets:F1", "CS1001", None),
    ("gate", "sheets:F4", "CS1001", None),
    ("gate", "sheets:F1", "CS1002", "which is about somebody else"),
    ("gate", "sheets:F0", "CS1001", "which counts on 2026-10-31"),
    ("gate", "sheets:F3", "CS1001", "of the kind late_report, which is no gate of this person's plan"),
    ("gate", "unapproved_absence", "CS1001", "which is not there"),
    ("composite", "composite", "CS1002", None),
]


@pytest.mark.parametrize("is_locked", [False, True], ids=["published", "locked"])
def test_a_dispute_is_about_something_of_the_person_in_the_period(platform: Platform, is_locked: bool) -> None:
    if is_locked:
        set_clock(platform, "2026-12-03T08:00:00Z")
        step(platform, PERIOD, "approve", APPROVER)
        step(platform, PERIOD, "lock", APPROVER)
    for kind, key, agent, problem in OBJECTS:
        if problem is None:
            disputes.submit(platform, PERIOD, agent, "it was another day", about=(kind, key))
            continue
        expected = "the id of a metric that is scored for" if kind == "metric" else "the number of a"
        with pytest.raises(CloseRefused) as refused:
            disputes.submit(platform, PERIOD, agent, "it was another day", about=(kind, key))
        said = str(refused.value)
        assert said.startswith(f"object_key: found {key}, {problem}, expected {expected}"), said
        assert f"{agent} in period {PERIOD}" in said and "Remedy: take it from the card of this person" in said
    named = query(
        platform,
        "select coalesce(row_kind, object_kind), coalesce(row_key, metric_id, fact_key, 'composite'), agent_key,"
        " scorer_key from payroll.dispute order by dispute_id",
    )
    scorers = {"review": "CS3001", "gate": "CS3001"}
    assert named == [(kind, key, agent, scorers.get(kind)) for kind, key, agent, problem in OBJECTS if not problem]
    assert query(platform, "select * from payroll.verify()") == []


def test_after_the_lock_a_dispute_leads_to_a_restatement(platform: Platform) -> None:
    set_clock(platform, "2026-12-03T08:00:00Z")
    step(platform, PERIOD, "approve", APPROVER)
    step(platform, PERIOD, "lock", APPROVER)
    export(platform, PERIOD)
    number = disputes.submit(platform, PERIOD, "CS1001", "the customer meant another", about=("rating", "chat:7"))
    disputes.triage(platform, number, "complete")
    disputes.decide(platform, number, "row_excluded", "another agent's name in the text")
    assert excluded(platform) == [("rating", "chat:7", True, APPROVER)]
    assert query(platform, "select is_locked from payroll.dispute") == [(True,)]
    # Nothing of the locked period has changed.
    assert status(platform, PERIOD).state == "exported"
    assert query(platform, "select * from payroll.verify()") == []

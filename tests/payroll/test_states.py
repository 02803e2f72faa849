"""The states of a close: who may take which step, what it needs first, and that a crash between any two is harmless."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from kefu.payroll import (
    CloseRefused,
    accept_fallback,
    acknowledge,
    calculate,
    close_period,
    cut,
    disputes,
    export,
    status,
    step,
    undecided,
    waive,
)
from kefu.payroll.close import APPROVER, CHECKER, CLERK, MAKER
from kefu.pipeline.context import Platform
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.payroll.fabricated import Agent, Calculation, calculating, installation, query, set_clock

DEMO, REAL = "2026_11_demo", "2026_11_real"
AFTER_CUT = "2026-11-25T08:00:00Z"
AGENTS = [
    Agent("CS1001", Decimal("84.96"), "B", 120_000),
    Agent("CS1002", Decimal("91.20"), "A", 150_050, "team_b"),
    Agent("CS1003", None, None, None),
]


@pytest.fixture(scope="module")
def configured(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A demo period and a real one of the same days; the plan of the real one was approved before it began."""
    platform = installation(
        settings, "t_states", tmp_path_factory.mktemp("states"),
        [{}, {"period_id": REAL, "mode": "real", "end": "2026-11-16", "plan_ids": ["balanced_im"]}],
    )  # fmt: skip
    query(
        platform,
        "insert into cfg.plan_approval select object_id, version, content_hash, 'kefu_plan_approver',"
        " '2026-10-30T08:00:00Z' from cfg.object_version where kind = 'plan' and object_id = 'balanced_im'",
    )
    set_clock(platform, AFTER_CUT)
    return platform


@pytest.fixture
def platform(configured: Platform, copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> Any:
    with calculating(monkeypatch, Calculation(AGENTS)):
        yield copy_of(configured, "t_states_copy")


def reach(platform: Platform, state: str, period: str = REAL) -> None:
    """Takes a period from its beginning to a state, by the platform's logins."""
    steps: list[tuple[str, Any]] = [
        ("cut", lambda: cut(platform, period)),
        ("calculated", lambda: calculate(platform, period)),
        ("reviewed", lambda: step(platform, period, "review", CHECKER)),
        ("dispute_window", lambda: step(platform, period, "publish", CHECKER)),
        ("approved", lambda: approve(platform, period)),
        ("locked", lambda: step(platform, period, "lock", APPROVER)),
        ("exported", lambda: export(platform, period)),
    ]  # fmt: skip
    for name, take in steps:
        take()
        if name == state:
            return


def decide(platform: Platform) -> None:
    """CS1003 has too little evidence: the manager and HR accept what the plan pays without a score."""
    for login in (CHECKER, APPROVER):
        accept_fallback(platform, REAL, "CS1003", "new in the team, paid as usual", login)


def approve(platform: Platform, period: str) -> None:
    set_clock(platform, "2026-12-02T23:00:00Z")
    decide(platform)
    step(platform, period, "approve", APPROVER)


def test_a_real_period_goes_through_every_state_by_four_logins(platform: Platform) -> None:
    assert status(platform, REAL).state == "open"
    reach(platform, "exported")
    done = export(platform, REAL)
    acknowledge(platform, REAL, done.content_hash)
    assert query(
        platform, "select state, actor from payroll.transition where period_id = '2026_11_real' order by transition_id"
    ) == [
        ("cut", MAKER), ("calculated", MAKER), ("reviewed", CHECKER), ("published", CHECKER),
        ("dispute_window", CHECKER), ("approved", APPROVER), ("locked", APPROVER), ("exported", CHECKER),
        ("acknowledged", CLERK),
    ]  # fmt: skip
    # Five working days after 25 November, in the site's zone.
    assert query(platform, "select due_at::text from payroll.transition where state = 'dispute_window'") == [
        ("2026-12-02 23:00:00+00",)
    ]
    assert query(platform, "select * from payroll.verify()") == []
    assert query(platform, "select nspname from pg_namespace where nspname ~ '^calc_'") == []
    assert query(platform, "select count(*) from stats.agent_estimate") == [(0,)]


def test_a_real_period_refuses_the_shortcut(platform: Platform) -> None:
    with pytest.raises(CloseRefused, match=r"2026_11_real is real: its steps are taken one by one"):
        close_period(platform, REAL)
    assert status(platform, REAL).state == "open"


WRONG = [
    ("calculated", "review", MAKER, r"applied plan balanced_im and cannot close a period with it"),
    ("dispute_window", "approve", MAKER, r"applied plan balanced_im and cannot close a period with it"),
    ("dispute_window", "approve", CHECKER, r"was reviewed by kefu_plan_approver and cannot be approved by the same"),
    ("calculated", "review", Role.AUDITOR, r"the login kefu_auditor may not call payroll.review"),
    ("approved", "lock", CLERK, r"the login kefu_payroll_clerk may not call payroll.lock"),
]


@pytest.mark.parametrize(("state", "name", "login", "message"), WRONG)
def test_maker_and_checker_are_two_people_at_every_step(
    platform: Platform, state: str, name: Any, login: str, message: str
) -> None:
    reach(platform, state)
    set_clock(platform, "2026-12-03T08:00:00Z")
    with pytest.raises(CloseRefused, match=message):
        step(platform, REAL, name, login)
    assert status(platform, REAL).state == state


def test_whoever_calculated_does_not_review_even_when_another_login_applied_the_plan(platform: Platform) -> None:
    cut(platform, REAL, login=CHECKER)
    calculate(platform, REAL, login=CHECKER)
    with pytest.raises(CloseRefused, match=r"was calculated, cut by kefu_plan_approver and cannot be reviewed by the"):
        step(platform, REAL, "review", CHECKER)
    step(platform, REAL, "review", APPROVER)


def test_payroll_acknowledges_what_arrived_and_nobody_else_does(platform: Platform) -> None:
    reach(platform, "exported")
    done = export(platform, REAL)
    with pytest.raises(CloseRefused, match=r"payroll received 0000.*do not pay"):
        acknowledge(platform, REAL, "0" * 64)
    with pytest.raises(CloseRefused, match=r"may not call payroll\.acknowledge"):
        acknowledge(platform, REAL, done.content_hash, CHECKER)
    assert acknowledge(platform, REAL, done.content_hash).state == "acknowledged"


STEPS: list[tuple[str, str, str]] = [
    ("open", "calculate", "is open, and a calculation needs it cut"),
    ("open", "review", "is open, and a review needs it calculated"),
    ("cut", "review", "is cut, and a review needs it calculated"),
    ("calculated", "publish", "is calculated, and publishing needs it reviewed"),
    ("calculated", "approve", "is calculated, and an approval needs it dispute_window or reviewed"),
    ("reviewed", "approve", "is reviewed and was not published yet"),
    ("dispute_window", "lock", "is dispute_window, and a lock needs it approved"),
    ("approved", "export", "is not closed"),
    ("locked", "cut", "is already closed"),
]


@pytest.mark.parametrize(("state", "name", "message"), STEPS)
def test_no_state_is_skipped(platform: Platform, state: str, name: Any, message: str) -> None:
    if state != "open":
        reach(platform, state)
    with pytest.raises(CloseRefused, match=message):
        if name == "calculate":
            calculate(platform, REAL)
        elif name == "export":
            export(platform, REAL)
        elif name == "cut":
            cut(platform, REAL, "once more")
        else:
            step(platform, REAL, name, APPROVER)


def test_the_cut_waits_for_late_ratings_and_names_everything_it_waits_for(settings: Settings, tmp_path: Path) -> None:
    early = {
        "as_of": "2026-11-18T23:00:00Z",
        "period_id": REAL,
        "mode": "real",
        "end": "2026-11-16",
        "plan_ids": ["balanced_im"],
    }
    platform = installation(settings, "t_early", tmp_path, [early])
    set_clock(platform, "2026-11-18T08:00:00Z")
    with pytest.raises(CloseRefused) as refused:
        cut(platform, REAL)
    for problem in (
        "earlier than 3 days after its end", "earlier than 72 hours after its end",
        "it ends on 2026-11-16, and data is cut 3 days later", "which has not come yet",
    ):  # fmt: skip
        assert problem in str(refused.value)


def test_by_wait_the_cut_waits_for_the_largest_window_within_the_period(settings: Settings, tmp_path: Path) -> None:
    platform = installation(
        settings, "t_wait", tmp_path, [{"period_id": REAL, "mode": "real", "plan_ids": ["balanced_im"]}]
    )
    set_clock(platform, "2026-11-22T08:00:00Z")

    def change(kind: str, object_id: str, valid_from: str, body: str) -> None:
        query(
            platform,
            "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body) select kind,"
            f" object_id, max(version) over () + 1, 'x', {valid_from}, {body} from cfg.object_version"
            f" where kind = '{kind}' and object_id = '{object_id}' order by version desc limit 1",
            Role.PLAN_AUTHOR,
        )

    change("defaults", "defaults", "valid_from", r"""jsonb_set(body, '{period, late_mature}', '"wait"')""")
    with pytest.raises(CloseRefused, match="data is cut 8 days later"):
        cut(platform, REAL)
    # First contact within 10 days from the middle of the period on, within 2 afterwards.
    change("parameter", "fcr_window_days", "'2026-11-10'", r"""jsonb_set(body, '{value}', '"10"')""")
    change("parameter", "fcr_window_days", "'2026-11-22'", r"""jsonb_set(body, '{value}', '"2"')""")
    with pytest.raises(CloseRefused, match="data is cut 11 days later"):
        cut(platform, REAL)


def test_every_gate_that_fails_is_named_at_once(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    query(
        platform,
        "alter table cfg.plan_approval disable trigger user; update cfg.plan_approval set approved_at ="
        " '2026-11-03T08:00:00Z'; alter table cfg.plan_approval enable trigger user",
    )
    cut(platform, REAL)
    failing = Calculation(AGENTS, failed_gates=["reconciliation", "quarantine_settled"])
    with calculating(monkeypatch, failing), pytest.raises(CloseRefused) as refused:
        calculate(platform, REAL)
    assert str(refused.value) == (
        "period 2026_11_real cannot be closed: quarantine_settled: quarantine_settled is not settled; reconciliation: "
        "reconciliation is not settled; plan_approved_in_time: approved after the period began: balanced_im. Remedy: "
        "settle each of these, then calculate again"
    )
    with pytest.raises(CloseRefused, match="kefu_plan_author applied plan balanced_im"):
        waive(platform, REAL, "plan_approved_in_time", "first period of the site", MAKER)
    waive(platform, REAL, "plan_approved_in_time", "first period of the site", APPROVER)
    assert calculate(platform, REAL).state == "calculated"


def test_the_dispute_window_is_five_working_days(platform: Platform) -> None:
    reach(platform, "dispute_window")
    decide(platform)
    set_clock(platform, "2026-12-02T22:59:00Z")
    with pytest.raises(CloseRefused, match=r"cannot be approved: its dispute window ends on 2026-12-02 23:00 UTC"):
        step(platform, REAL, "approve", APPROVER)
    set_clock(platform, "2026-12-02T23:00:00Z")
    assert step(platform, REAL, "approve", APPROVER).state == "approved"


def test_pay_without_enough_evidence_is_accepted_by_a_manager_and_hr(platform: Platform) -> None:
    """reliability.md 4.3: the fallback is never paid without a record of both."""
    with pytest.raises(CloseRefused, match="is open, and a decision about a fallback needs it calculated or reviewed"):
        accept_fallback(platform, REAL, "CS1003", "too early")
    assert undecided(platform, REAL) is None
    reach(platform, "dispute_window")
    set_clock(platform, "2026-12-02T23:00:00Z")
    refused = (
        r"a manager and HR have not both accepted what these get without enough evidence: 姓名 \(CS1003\)\. Remedy: .*"
        r"kefu period accept-fallback 2026_11_real"
    )
    assert undecided(platform, REAL) == "姓名 (CS1003)"
    for login, message in (
        (MAKER, "was calculated, cut by kefu_plan_author and cannot be decided about by the same login"),
        (CLERK, r"may not call payroll\.accept_fallback"),
    ):
        with pytest.raises(CloseRefused, match=message):
            accept_fallback(platform, REAL, "CS1003", "paid as usual", login)
    with pytest.raises(CloseRefused, match="CS1001 needs no decision in period 2026_11_real"):
        accept_fallback(platform, REAL, "CS1001", "paid as usual")
    # The manager alone, or HR twice, is not enough.
    for login in (CHECKER, CHECKER):
        accept_fallback(platform, REAL, "CS1003", "paid as usual", login)
    with pytest.raises(CloseRefused, match=refused):
        step(platform, REAL, "approve", APPROVER)
    accept_fallback(platform, REAL, "CS1003", "paid as usual", APPROVER)
    assert undecided(platform, REAL) is None
    assert query(platform, "select decided_by, is_hr, coefficient from payroll.fallback_decision order by 1, 2") == [
        (APPROVER, True, 1), (CHECKER, False, 1), (CHECKER, False, 1),
    ]  # fmt: skip
    assert step(platform, REAL, "approve", APPROVER).state == "approved"
    assert query(platform, "select * from payroll.verify()") == []


def test_a_decision_holds_for_the_coefficient_it_was_about(platform: Platform) -> None:
    reach(platform, "calculated")
    decide(platform)
    cut(platform, REAL, "late ratings arrived")
    calculate(platform, REAL)
    assert undecided(platform, REAL) is None
    query(platform, f"update calc_{REAL}_v1.payment set coefficient = 0.9", Role.TRANSFORMER)
    assert undecided(platform, REAL) == "姓名 (CS1003)"


def test_nobody_decides_about_the_own_pay(platform: Platform) -> None:
    reach(platform, "calculated")
    disputes.person(platform, APPROVER, "CS1003", CHECKER)
    with pytest.raises(CloseRefused, match="kefu_hr_approver cannot decide about the own pay"):
        accept_fallback(platform, REAL, "CS1003", "paid as usual")


def test_working_days_follow_the_default_calendar(platform: Platform) -> None:
    # National Day from 1 to 7 October; Saturday 10 October is made up for it.
    ends = "select (payroll.after_business_days('2026-09-30T08:00:00Z', {0}) at time zone 'Europe/Berlin')::text"
    assert [query(platform, ends.format(days))[0][0][:10] for days in (1, 2, 3, 4)] == [
        "2026-10-09", "2026-10-10", "2026-10-11", "2026-10-13",
    ]  # fmt: skip


def test_what_was_reviewed_is_what_is_locked(platform: Platform) -> None:
    reach(platform, "approved")
    query(platform, f"update calc_{REAL}_v1.payment set amount_fen = 1 where agent_key = 'CS1001'", Role.TRANSFORMER)
    with pytest.raises(CloseRefused, match=r"the calculation of period 2026_11_real hashes to .*: it was changed"):
        step(platform, REAL, "lock", APPROVER)
    assert query(platform, "select count(*) from payroll.close") == [(0,)]


def test_data_is_cut_again_only_with_a_reason_and_every_later_step_is_taken_again(platform: Platform) -> None:
    reach(platform, "approved")
    with pytest.raises(CloseRefused, match=r"is approved; data is cut again only with a reason"):
        cut(platform, REAL)
    assert cut(platform, REAL, "late ratings arrived").state == "cut"
    calculate(platform, REAL)
    with pytest.raises(CloseRefused, match="a lock needs it approved"):
        step(platform, REAL, "lock", APPROVER)


def test_a_killed_step_is_repeated_with_the_same_hash(
    configured: Platform, copy_of: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after any state, a demo goes on and ends as the undisturbed one does; no line is there twice."""

    class Killed(BaseException):
        pass

    undisturbed = copy_of(configured, "t_undisturbed")
    disturbed = copy_of(configured, "t_disturbed")
    with calculating(monkeypatch, Calculation(AGENTS)):
        result = close_period(undisturbed, DEMO)
        states = []
        for state in ("cut", "appraisal", "calculated", "reviewed", "dispute_window", "approved", "locked"):

            def kill(line: str, state: str = state) -> None:
                if line.startswith(state):
                    states.append(state)
                    raise Killed

            with pytest.raises(Killed):
                close_period(disturbed, DEMO, kill)
        again = close_period(disturbed, DEMO)
    assert states == ["cut", "appraisal", "calculated", "reviewed", "dispute_window", "approved", "locked"]
    assert again.content_hash == result.content_hash
    assert query(
        disturbed, "select state, count(*) from payroll.transition group by state order by min(transition_id)"
    ) == [
        (state, 1)
        for state in (
            "cut", "calculated", "reviewed", "published", "dispute_window", "approved", "locked", "exported",
        )
    ]  # fmt: skip
    assert query(disturbed, "select count(*) from payroll.snapshot") == [(3,)]


def test_a_demo_counts_what_was_loaded_to_settle_a_gate(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Calculation(AGENTS, failed_gates=["agents_mapped"])
    with calculating(monkeypatch, failing), pytest.raises(CloseRefused, match="agents_mapped is not settled"):
        close_period(platform, DEMO)
    query(
        platform,
        "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
        " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at)"
        " values (1, 'sheet', 'inbox', 'tabular', 'identity', 1, 1, 0, 0, 0, 0, '{}', now())",
    )
    close_period(platform, DEMO)
    assert query(platform, "select state, data_cut, reason from payroll.transition order by transition_id limit 3") == [
        ("cut", 0, None), ("cut", 1, "data was loaded since the last cut"),
        ("calculated", 1, "data was loaded since the last cut"),
    ]  # fmt: skip


def test_another_order_of_rows_gives_the_same_hashes(
    configured: Platform, copy_of: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 9: same inputs and versions, another insertion order, the same snapshot hash."""
    hashes = []
    for name, backwards in (("t_forwards", False), ("t_backwards", True)):
        platform = copy_of(configured, name)
        with calculating(monkeypatch, Calculation(AGENTS, backwards=backwards)):
            close_period(platform, DEMO)
        hashes.append(query(platform, "select content_hash, component_hash, trust_hash from payroll.close"))
    assert hashes[0] == hashes[1]


def test_another_machine_gives_the_same_content(
    configured: Platform, settings: Settings, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sources are read from other folders, which is no definition of a score."""
    here, there = copy_of(configured, "t_here"), installation(settings, "t_there", tmp_path)
    contents = []
    for platform in (here, there):
        with calculating(monkeypatch, Calculation(AGENTS)):
            close_period(platform, DEMO)
        contents.append(query(platform, "select content_hash, component_hash, trust_hash from payroll.close"))
    assert contents[0] == contents[1]
    configurations = [query(platform, "select config_hash from payroll.close") for platform in (here, there)]
    assert configurations[0] != configurations[1]


def test_a_login_calls_no_inner_function(platform: Platform) -> None:
    for statement in (
        "select payroll.enter('locked', null)",
        "select payroll.write_audit('x', 'x', '{}')",
        "select payroll.enter_dispute(1, 'closed', 1, null, null, 'x')",
        "insert into payroll.transition (period_id, version, state, actor, happened_at, data_cut, as_of)"
        " values ('x', 1, 'approved', 'kefu_hr_approver', now(), 1, now())",
    ):
        for role in (Role.PLAN_AUTHOR, Role.PLAN_APPROVER, Role.HR_APPROVER, Role.PAYROLL_CLERK, Role.TRANSFORMER):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                query(platform, statement, role)

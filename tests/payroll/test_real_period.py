"""A real period on the recordings: refused while anything is unsettled, closed then, honest about evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import expectations.suites
from kefu.payroll import CloseRefused, accept_fallback, calculate, cut, export, handed_out, step, undecided, waive
from kefu.payroll.close import APPROVER, CHECKER
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest, prepare
from kefu.pipeline.quarantine import open_records, replay
from kefu.pipeline.transform import invoke
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line, inbox_of, replace
from tests.payroll.fabricated import set_clock

PERIOD = "2026_11_real"
IDENTITY = "source_id,account,valid_from,employee_number,valid_to,known_from\n"
EXAM = "employee_number,exam_name,sitting,exam_date,score\n"


def query(platform: Platform, statement: str) -> list[tuple[Any, ...]]:
    with platform.warehouse.connect(Role.OWNER) as connection:
        return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inbox")


@pytest.fixture(scope="module")
def real(line: Line, copy_of: Copy, inbox: Path) -> Platform:
    """The recordings with a real period of the plan for chat agents, applied and not yet approved."""
    platform = copy_of(line.platform, "t_real")
    config = platform.settings.kefu_config_dir
    [period] = yaml.safe_load((config / "periods.yml").read_text(encoding="utf-8"))
    period |= {"period_id": PERIOD, "mode": "real", "as_of": "2026-11-29T23:00:00Z", "plan_ids": ["balanced_im"]}
    (config / "periods.yml").write_text(json.dumps([period], default=str), encoding="utf-8")
    before = f"    folder: {inbox_of(line.platform)}"
    replace(
        config / "sources.yml",
        {before: f"    folder: {inbox}", "- source_id: inbox\n  version: 1\n  valid_from: 2026-01-01":
         "- source_id: inbox\n  version: 2\n  valid_from: 2026-01-02"},
    )  # fmt: skip
    assert prepare(platform) == ["source inbox version 2", f"period {PERIOD} version 1"]
    set_clock(platform, "2026-11-30T08:00:00Z")
    return platform


def load(platform: Platform, entity: str) -> None:
    ingest(platform, f"sheet {entity}", "inbox", entity)


def test_a_close_names_every_gate_that_fails_and_then_each_is_settled(
    real: Platform, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Account 5 of the chat system belongs to nobody any more, a sheet is wrong, a suite is missing, nobody approved.
    (inbox / "identity-a.csv").write_text(f"{IDENTITY}chat,5,2026-01-01,CS1004,2026-01-02,2026-11-30\n")
    (inbox / "exam-a.csv").write_text(f"{EXAM}CS1001,second exam,first,2026-11-18,188\n")
    load(real, "identity")
    load(real, "exam")
    suites = [suite for suite in expectations.suites.load_suites() if suite.suite != "reviews_qa_listening_score"]
    with monkeypatch.context() as missing:
        missing.setattr(expectations.suites, "load_suites", lambda: suites)
        cut(real, PERIOD)
        with pytest.raises(CloseRefused) as refused:
            calculate(real, PERIOD)
    message = str(refused.value)
    [left_out] = [suite for suite in expectations.suites.load_suites() if suite not in suites]
    critical = sorted(one.id for one in left_out.expectations if one.severity == "critical")
    missed = ", ".join(f"{name} was not run" for name in critical)
    assert len(critical) >= 4
    assert message == (
        f"period {PERIOD} cannot be closed: agents_mapped: every account is mapped to a person: unmapped:chat:5; "
        f"critical_checks: every critical check passed: {missed}; "
        "plan_approved: every plan must be approved by another person: balanced_im; "
        "quarantine_settled: 1 records wait in quarantine; "
        "reliability_evaluated: every subjective metric is evaluated: qa_listening_score is not "
        "evaluated: no check was run"
        ". Remedy: settle each of these, then calculate again"
    )
    assert query(real, "select count(*) from payroll.close") == [(0,)]
    assert query(real, "select status from ops.run where kind = 'close'") == [("failed",)]
    states = f"select state, weight_factor, reason_en from calc_{PERIOD}_v1.metric_reliability where metric_id = "
    assert query(real, f"{states} 'qa_listening_score'") == [("not_evaluated", None, "not evaluated: no check was run")]
    assert [row[0] for row in query(real, f"{states} 'csat_rate'")] == ["weak"]
    # What was not evaluated withholds the score of everybody who would be judged by it.
    assert query(real, f"select distinct status, composite from calc_{PERIOD}_v1.score") == [("withheld", None)]

    (inbox / "identity-b.csv").write_text(f"{IDENTITY}chat,5,2026-01-01,CS1004,,2026-12-01\n")
    (inbox / "exam-a.csv").write_text(f"{EXAM}CS1001,second exam,first,2026-11-18,88\n")
    load(real, "identity")
    load(real, "exam")
    with real.warehouse.connect(Role.PLAN_APPROVER) as connection:
        connection.execute("select cfg.approve_plan('balanced_im', 1)")
    # The plan is approved only now, after the period began; somebody else than the maker accepts that.
    waive(real, PERIOD, "plan_approved_in_time", "first period of the site")
    cut(real, PERIOD, "sheets were corrected")
    calculate(real, PERIOD)
    step(real, PERIOD, "review", CHECKER)
    step(real, PERIOD, "publish", CHECKER)
    set_clock(real, "2026-12-08T08:00:00Z")
    few = ("CS1003", "CS1005", "CS1006", "CS1009", "CS1010", "CS1011", "CS1012")
    waiting = ", ".join(rf".+ \({agent}\)" for agent in few)
    with pytest.raises(CloseRefused, match=rf"have not both accepted .*: {waiting}\. Remedy"):
        step(real, PERIOD, "approve", APPROVER)
    for login in (CHECKER, APPROVER):
        for agent in few:
            accept_fallback(real, PERIOD, agent, "the neutral coefficient, as agreed", login)
    assert undecided(real, PERIOD) is None
    step(real, PERIOD, "approve", APPROVER)
    [pages] = (real.settings.kefu_data_dir / "reports").iterdir()
    published = {path: path.read_bytes() for path in pages.rglob("*.html")}
    assert len(published) >= 2 * 12
    step(real, PERIOD, "lock", APPROVER)
    # The calculation is gone; whoever asks for the pages gets those that were published.
    assert handed_out(real, PERIOD) == pages
    assert {path: path.read_bytes() for path in pages.rglob("*.html")} == published
    sealed = export(real, PERIOD)

    # In the first period there are no days before it, whose week of watching would end in it. Seven agents have fewer
    # than 30 conversations that count; what is left to judge them by weighs less than 60 of 100 points, so they get no
    # composite.
    assert sealed.row_count == 12
    found = query(
        real, "select agent_key, composite, composite_unadjusted, grade from payroll.snapshot"
        " where status = 'insufficient_evidence' and own_data_weight < 60 order by agent_key"
    )  # fmt: skip
    assert found == [(agent, None, None, None) for agent in few]
    others = query(
        real, "select agent_key from payroll.snapshot where status = 'published' and own_data_weight >= 60"
        " and composite is not null and grade is not null"
    )  # fmt: skip
    watched = query(
        real, "select agent_key from payroll.snapshot_component where metric_id = 'fcr_repeat' and is_adjusted"
        " and n >= 30"
    )  # fmt: skip
    assert len(others) == 5
    # Three more have a composite without it: their other metrics weigh enough.
    assert len(watched) == 2 and set(watched) < set(others)
    assert sorted(path.name for path in sealed.folder.iterdir()) == [
        "appraisal.csv", "appraisal.xlsx", "chain.json", "manifest.json", "manifest.sig", "public_key.pem",
    ]  # fmt: skip
    manifest = json.loads((sealed.folder / "manifest.json").read_text())
    assert manifest["period_mode"] == "real"
    assert query(real, "select nspname from pg_namespace where nspname ~ '^calc_'") == []
    assert query(real, "select status from ops.run where kind = 'close' order by started_at") == [
        ("failed",), ("succeeded",),
    ]  # fmt: skip


def test_a_corrected_sheet_settles_the_quarantine(line: Line, copy_of: Copy, tmp_path: Path) -> None:
    """Without it one wrong sheet would keep every later period from being closed."""
    platform = copy_of(line.platform, "t_corrected")
    folder = inbox_of(platform)
    sheet = folder / "exam-wrong.csv"
    try:
        sheet.write_text(f"{EXAM}CS1001,second exam,first,2026-11-18,188\nCS1002,second exam,first,2026-11-18,90\n")
        load(platform, "exam")
        assert [(record.locator, record.field) for record in open_records(platform.warehouse)] == [
            ("exam-wrong.csv row 2", "score"), ("exam-wrong.csv row 3", ""),
        ]  # fmt: skip
        sheet.write_text(f"{EXAM}CS1001,second exam,first,2026-11-18,88\nCS1002,second exam,first,2026-11-18,90\n")
        load(platform, "exam")
        assert query(platform, "select count(*) from raw_tabular.exam where exam_name = 'second exam'") == [(2,)]
        replay(platform, "inbox", "exam")
        assert list(open_records(platform.warehouse)) == []
    finally:
        shutil.rmtree(folder)
        folder.mkdir()


def test_a_suite_that_was_not_run_is_not_a_pass(line: Line, copy_of: Copy) -> None:
    """Neither for the trust in a metric that has another suite, nor for the gate of critical checks."""
    platform = copy_of(line.platform, "t_suites")
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("delete from ops.quality_result where suite in ('ratings_csat_rate', 'metric_values')")
    variables = json.dumps(platform.scope(platform.period()).variables())
    invoke(platform, ["build", "--select", "check_result", "metric_reliability", "close_gate", "--vars", variables])
    gate = query(platform, "select is_passed from wh_appraisal.close_gate where gate = 'critical_checks'")
    state = query(platform, "select state from wh_appraisal.metric_reliability where metric_id = 'csat_rate'")
    assert (gate, state) == ([(False,)], [("not_evaluated",)])

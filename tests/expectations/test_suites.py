"""Every check can fail: each fault is planted once and its check, and the keys of all failing rows, are seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from expectations.runner import QualityError, Result, run_suites
from expectations.suites import Suite, load_suites
from kefu.warehouse import Role, Warehouse

DEFAULTS = {"g": {"zero_below": "0.30", "full_from": "0.80"}}
MANY = 300
SUITES = {suite.suite: suite for suite in load_suites()}
CHECKS = {check.id: suite for suite in SUITES.values() for check in suite.expectations}

TABLES = {
    "evidence_rating": "rating_key text, agent_key text, rating_value integer",
    "evidence_eligible": "conversation_key text, is_invited boolean",
    "evidence_review": "review_key text, reviewer_key text, review_score numeric",
    "metric_value": "unit_kind text, unit_key text, channel text, metric_id text, period_id text, value numeric,"
    " numerator numeric",
}
GOOD = (
    "insert into {s}.evidence_rating select 'r' || i, 'CS1001', 1 + i % 5 from generate_series(1, 20) as i",
    "insert into {s}.evidence_eligible select 'c' || i, i % 2 = 0 from generate_series(1, 20) as i",
    "insert into {s}.evidence_review select 'q' || i, 'Q001', i * 5 from generate_series(0, 20) as i",
    "insert into {s}.metric_value select 'agent', 'CS' || i, 'chat', 'csat_rate', 'p', i / 20.0, i"
    " from generate_series(0, 20) as i",
)
# What makes each row check fail, and the keys of the rows that then must be named, all of them.
FAULTS: dict[str, tuple[str, list[str]]] = {
    "csat_rating_unique": ("insert into {s}.evidence_rating values ('r7', 'CS1002', 3)", ["r7", "r7"]),
    "csat_rating_on_scale": (
        "insert into {s}.evidence_rating values ('low', 'CS1001', 0), ('high', 'CS1001', 6)", ["high", "low"],
    ),
    "csat_rating_known": ("insert into {s}.evidence_rating values ('unsaid', 'CS1001', null)", ["unsaid"]),
    "csat_rating_credited": (
        f"insert into {{s}}.evidence_rating select 'nobody' || i, null, 5 from generate_series(1, {MANY}) as i",
        sorted(f"nobody{i}" for i in range(1, MANY + 1)),
    ),
    "csat_eligible_unique": ("insert into {s}.evidence_eligible values ('c7', true)", ["c7", "c7"]),
    "csat_eligible_invited_known": ("insert into {s}.evidence_eligible values ('c99', null)", ["c99"]),
    "qa_review_unique": ("insert into {s}.evidence_review values ('q7', 'Q002', 80)", ["q7", "q7"]),
    "qa_score_on_scale": (
        "insert into {s}.evidence_review values ('under', 'Q001', -0.5), ('over', 'Q001', 100.5)", ["over", "under"],
    ),
    "qa_score_known": ("insert into {s}.evidence_review values ('unscored', 'Q001', null)", ["unscored"]),
    "qa_reviewer_known": ("insert into {s}.evidence_review values ('q99', null, 80)", ["q99"]),
    "ratios_between_0_and_1": (
        f"insert into {{s}}.metric_value select 'agent', 'X' || i, 'chat', 'csat_rate', 'p', 1.01, 2"
        f" from generate_series(1, {MANY}) as i",
        sorted(f"agent/X{i}/chat/csat_rate/p" for i in range(1, MANY + 1)),
    ),
    "csat_not_unreliable": ("insert into stats.cohort_reliability {rho} 'csat_rate', 'low', 0.29", ["low"]),
    "csat_fully_trusted": ("insert into stats.cohort_reliability {rho} 'csat_rate', 'weak', 0.79", ["low", "weak"]),
    "qa_not_unreliable": ("insert into stats.cohort_reliability {rho} 'qa_listening_score', 'low', 0.29", ["low"]),
    "qa_fully_trusted": (
        "insert into stats.cohort_reliability {rho} 'qa_listening_score', 'weak', 0.79", ["low", "weak"],
    ),
    "loads_reconcile": (
        "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
        " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at)"
        " values (2, 'r', 'pbx', 'asterisk', 'cdr', 10, 8, 0, 1, 0, 0, '{{}}', now())",
        ["2"],
    ),
}  # fmt: skip
FLOORS = {
    "csat_ratings_present", "csat_eligible_present", "qa_reviews_present", "metric_values_present",
    "csat_reliability_known", "qa_reliability_known", "loads_present",
}  # fmt: skip


def prepare(warehouse: Warehouse, schema: str, *statements: str) -> None:
    rho = (
        "(calc_id, period_id, n, agents, prior_basis, details, metric_id, cohort_key, rho)"
        f" select '{schema}', 'p', 10, 8, 'x', '{{}}',"
    )
    with warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(f"create schema {schema}".encode())
        for name, columns in TABLES.items():
            connection.execute(f"create table {schema}.{name} ({columns})".encode())
        for statement in statements:
            connection.execute(statement.format(s=schema, rho=rho).encode())


def run(warehouse: Warehouse, schema: str, suites: list[Suite] | None = None) -> dict[str, Result]:
    results = run_suites(warehouse, suites or list(SUITES.values()), schema, lambda _: schema, DEFAULTS)
    return {result.expectation.id: result for result in results}


TRUSTED = tuple(
    f"insert into stats.cohort_reliability {{rho}} '{metric}', 'demo', 0.80"
    for metric in ("csat_rate", "qa_listening_score")
)
RECONCILED = (
    "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count, unchanged_count,"
    " filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at)"
    " values (1, 'r', 'pbx', 'asterisk', 'cdr', 10, 8, 0, 1, 1, 0, '{}', now())"
)


@pytest.fixture(scope="module")
def checked(warehouse: Warehouse) -> dict[str, dict[str, Result]]:
    """The results of all suites on relations that are empty, good, and full of faults."""
    with warehouse.connect(Role.OWNER) as owner:
        # The table itself refuses counts that do not add up; the check must see them all the same.
        owner.execute("alter table ops.load drop constraint load_reconciles")
        owner.execute(
            "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
            " values ('metric', 'csat_rate', 1, 'x', '2026-01-01', '{\"bounded\": true}')"
        )
    results = {}
    prepare(warehouse, "calc_empty")
    results["empty"] = run(warehouse, "calc_empty")
    with warehouse.connect(Role.OWNER) as owner:
        owner.execute(RECONCILED.encode())
    prepare(warehouse, "calc_good", *GOOD, *TRUSTED)
    results["good"] = run(warehouse, "calc_good")
    owned = {name: fault for name, (fault, _) in FAULTS.items() if "ops.load" not in fault}
    prepare(warehouse, "calc_faulty", *GOOD, *TRUSTED, *owned.values())
    with warehouse.connect(Role.OWNER) as owner:
        owner.execute(FAULTS["loads_reconcile"][0].format().encode())
    results["faulty"] = run(warehouse, "calc_faulty")
    return results


def test_every_shipped_check_has_a_fault_here() -> None:
    assert len(CHECKS) == 23
    assert set(FAULTS) | FLOORS == set(CHECKS)


def test_good_relations_pass_every_check(checked: dict[str, dict[str, Result]]) -> None:
    assert [result.expectation.id for result in checked["good"].values() if not result.success] == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_fails_its_check_and_names_every_failing_row(
    checked: dict[str, dict[str, Result]], name: str
) -> None:
    result = checked["faulty"][name]
    assert not result.success
    assert result.failing_keys == FAULTS[name][1]


@pytest.mark.parametrize("name", sorted(FLOORS))
def test_an_empty_relation_fails_its_floor(checked: dict[str, dict[str, Result]], name: str) -> None:
    assert not checked["empty"][name].success
    assert checked["empty"][name].observed == "0"
    assert checked["faulty"][name].success


def test_a_threshold_of_the_defaults_is_the_number_of_the_defaults(checked: dict[str, dict[str, Result]]) -> None:
    assert checked["good"]["csat_not_unreliable"].threshold == "column rho, min_value 0.3"
    assert checked["good"]["csat_fully_trusted"].threshold == "column rho, min_value 0.8"


def test_every_result_is_stored_with_all_that_people_need(
    warehouse: Warehouse, checked: dict[str, dict[str, Result]]
) -> None:
    with warehouse.connect(Role.AUDITOR) as connection:
        rows = connection.execute(
            "select expectation_id, suite, duty, severity, success, jsonb_array_length(failing_keys), reason_zh,"
            " reason_en, fixed_by, rule_version from ops.quality_result where calc_id = 'calc_faulty'"
        ).fetchall()
    assert len(rows) == 23
    for name, suite, duty, severity, success, failing, chinese, english, fixed_by, version in rows:
        declared = next(check for check in CHECKS[name].expectations if check.id == name)
        assert (suite, duty) == (CHECKS[name].suite, CHECKS[name].duty)
        assert (severity, fixed_by, version) == (declared.severity, declared.fixed_by, declared.version)
        assert (chinese, english) == (declared.reason.zh, declared.reason.en)
        assert (success, failing) == (name not in FAULTS, len(FAULTS[name][1]) if name in FAULTS else 0)


def test_running_again_replaces_the_results(warehouse: Warehouse, checked: dict[str, dict[str, Result]]) -> None:
    run(warehouse, "calc_faulty", [SUITES["csat_ratings"]])
    with warehouse.connect(Role.AUDITOR) as connection:
        stored = connection.execute("select distinct suite from ops.quality_result where calc_id = 'calc_faulty'")
        assert stored.fetchall() == [("csat_ratings",)]


# --- what cannot be checked is never a pass --------------------------------------------------------------------------


def test_a_missing_column_fails_every_check_of_it(warehouse: Warehouse) -> None:
    prepare(warehouse, "calc_narrow", *GOOD, "alter table {s}.evidence_rating drop column rating_value")
    found = run(warehouse, "calc_narrow", [SUITES["csat_ratings"]])
    assert not found["csat_rating_on_scale"].success
    assert found["csat_rating_on_scale"].observed.startswith("could not be checked: ")
    assert "rating_value" in found["csat_rating_on_scale"].observed
    assert found["csat_rating_credited"].success


def test_a_missing_key_column_does_not_hide_a_failure(warehouse: Warehouse) -> None:
    prepare(
        warehouse, "calc_keyless", *GOOD, "insert into {s}.evidence_rating values ('zero', 'CS1001', 0)",
        "alter table {s}.evidence_rating drop column rating_key",
    )  # fmt: skip
    found = run(warehouse, "calc_keyless", [SUITES["csat_ratings"]])
    assert not found["csat_rating_on_scale"].success
    assert not found["csat_rating_unique"].success


def test_a_missing_relation_stops_the_run_or_fails_its_checks(warehouse: Warehouse) -> None:
    prepare(warehouse, "calc_missing", *GOOD, "drop table {s}.evidence_rating")
    try:
        found = run(warehouse, "calc_missing", [SUITES["csat_ratings"]])
    except QualityError as error:
        assert "evidence_rating" in str(error)
    else:
        assert not any(result.success for result in found.values())


@pytest.mark.parametrize("name", ["csat_rating_on_scale", "qa_score_on_scale"])
def test_an_unknown_value_does_not_lie_on_the_scale(warehouse: Warehouse, name: str) -> None:
    schema = f"calc_null_{name}"
    table, column = ("evidence_rating", "rating_value") if "csat" in name else ("evidence_review", "review_score")
    prepare(warehouse, schema, *GOOD, f"update {{s}}.{table} set {column} = null")
    assert not all(result.success for result in run(warehouse, schema, [CHECKS[name]]).values())


def test_a_check_that_does_not_exist_is_an_error(warehouse: Warehouse) -> None:
    suite = changed(lambda body: body["expectations"][1].update(type="ExpectNothingAtAll"))
    prepare(warehouse, "calc_unknown", *GOOD)
    with pytest.raises(QualityError, match="ExpectNothingAtAll"):
        run(warehouse, "calc_unknown", [suite])


# --- declarations ----------------------------------------------------------------------------------------------------


def changed(change: Callable[[dict[str, Any]], object]) -> Suite:
    body = SUITES["csat_ratings"].model_dump(mode="json")
    change(body)
    return Suite.model_validate(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body["expectations"].pop(0), "a row count floor is required"),
        (lambda body: body.update(expectations=[]), "expectations"),
        (lambda body: body.update(query="select 1"), "give either relation or query"),
        (lambda body: body.update(relation=None), "give either relation or query"),
        (lambda body: body.update(key=[]), "key"),
        (lambda body: body.update(owner="me"), "Extra inputs are not permitted"),
        (lambda body: body["expectations"][0].update(severity="high"), "'critical', 'warning' or 'info'"),
        (lambda body: body["expectations"][0].update(fixed_by="somebody"), "fixed_by"),
        (lambda body: body["expectations"][0]["reason"].pop("zh"), "reason.zh"),
        (lambda body: body["expectations"][0].pop("version"), "version"),
    ],
)
def test_a_wrong_suite_is_refused(change: Callable[[dict[str, Any]], object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        changed(change)


def test_a_folder_without_suites_or_with_a_name_twice_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected suites with different names, found none"):
        load_suites(tmp_path)
    body = SUITES["csat_ratings"].model_dump(mode="json")
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValueError, match=r"different names, found .*csat_ratings"):
        load_suites(tmp_path)

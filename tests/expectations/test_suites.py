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
from kefu.catalogue.files import load_catalogue
from kefu.settings import PROJECT
from kefu.warehouse import Role, Warehouse

DEFAULTS = {"g": {"zero_below": "0.30", "full_from": "0.80"}}
MANY = 300
ALL_SUITES = load_suites()
# Of the suites of many metrics two are tried: one of ratings and one of reviews.
SUITES = {suite.suite: suite for suite in ALL_SUITES if suite.metric_id in (None, "csat_rate", "qa_listening_score")}
CHECKS = {f"{suite.suite}.{check.id}": suite for suite in SUITES.values() for check in suite.expectations}
RATINGS, ELIGIBLE, REVIEWS = "ratings_csat_rate", "eligible_csat_rate", "reviews_qa_listening_score"

TABLES = {
    "evidence_opinion": "metric_id text, row_key text, agent_key text, rater_key text, business_date date,"
    " is_in_period boolean, row_value numeric, place_on_scale numeric",
    "evidence_eligible": "plan_id text, conversation_key text, agent_key text, is_invited boolean",
    "metric_value": "unit_kind text, unit_key text, channel text, metric_id text, period_id text, period_kind text,"
    " value numeric, numerator numeric, null_reason text",
    "stg_cfg__plan_metric": "plan_id text, metric_id text",
    "stg_cfg__metric": "metric_id text, metric_type text, unit text",
    "int_plan_agent": "plan_id text, agent_key text, worked_share numeric, stint_share numeric",
    "dim_agent": "agent_key text, agent_name text",
}
OPINION = "insert into {s}.evidence_opinion values "
CSAT, QA = "('csat_rate', ", "('qa_listening_score', "
GOOD = (
    "insert into {s}.evidence_opinion select 'csat_rate', 'r' || i, 'CS1001', null, '2026-11-03', true, i % 2, i % 2"
    " from generate_series(1, 20) as i",
    "insert into {s}.evidence_opinion select 'qa_listening_score', 'q' || i, 'CS1001', 'Q001', '2026-11-03', true,"
    " i * 5, i * 0.05 from generate_series(0, 20) as i",
    # What lies outside of the period or belongs to another metric is not looked at.
    OPINION + CSAT + "'old', 'CS1001', null, '2026-09-03', false, 9, 9)",
    OPINION + "('csat_score', 'r1', 'CS1001', null, '2026-11-03', true, 9, 9)",
    "insert into {s}.evidence_eligible select 'demo', 'c' || i, 'CS1001', i % 2 = 0 from generate_series(1, 20) as i",
    "insert into {s}.metric_value select 'agent', 'CS' || i, 'all', 'speed', 'p', 'period', i / 20.0, i, null"
    " from generate_series(0, 20) as i",
    "insert into {s}.metric_value select 'agent', 'CS' || i, 'chat', 'csat_rate', 'p', 'period', i / 20.0, i, null"
    " from generate_series(0, 20) as i",
    "insert into {s}.stg_cfg__metric values ('speed', 'objective', 'share'), ('csat_rate', 'subjective', 'share')",
    "insert into {s}.stg_cfg__plan_metric values ('demo', 'speed'), ('demo', 'csat_rate')",
    "insert into {s}.int_plan_agent select 'demo', 'CS' || i, 1, 1 from generate_series(1, 5) as i",
    "insert into {s}.int_plan_agent values ('demo', 'CS6', 0.5, 0.4), ('other', 'CS6', 0.5, 0.6)",
    "insert into {s}.dim_agent select 'CS' || i, 'Agent ' || i from generate_series(1, 8) as i",
)
# What makes each row check fail, and the keys of the rows that then must be named, all of them.
FAULTS: dict[str, tuple[str, list[str]]] = {
    f"{RATINGS}.rating_unique": (OPINION + CSAT + "'r7', 'CS2', null, '2026-11-03', true, 1, 1)", ["r7", "r7"]),
    f"{RATINGS}.rating_on_scale": (
        OPINION + CSAT + "'low', 'CS1', null, '2026-11-03', true, -1, -1), "
        + CSAT + "'high', 'CS1', null, '2026-11-03', true, 2, 2)",
        ["high", "low"],
    ),
    f"{RATINGS}.rating_known": (OPINION + CSAT + "'unsaid', 'CS1', null, '2026-11-03', true, null, null)", ["unsaid"]),
    f"{RATINGS}.rating_credited": (
        "insert into {s}.evidence_opinion select 'csat_rate', 'nobody' || i, null, null, '2026-11-03', true, 1, 1"
        f" from generate_series(1, {MANY}) as i",
        sorted(f"nobody{i}" for i in range(1, MANY + 1)),
    ),
    f"{RATINGS}.rating_dated": (OPINION + CSAT + "'undated', 'CS1', null, null, true, 1, 1)", ["undated"]),
    f"{ELIGIBLE}.eligible_unique": (
        "insert into {s}.evidence_eligible values ('demo', 'c7', 'CS1001', true), ('other', 'c7', 'CS1001', true)",
        ["demo/c7", "demo/c7"],
    ),
    f"{ELIGIBLE}.eligible_invited_known": (
        "insert into {s}.evidence_eligible values ('demo', 'c99', 'CS1001', null)", ["demo/c99"],
    ),
    f"{ELIGIBLE}.eligible_credited": (
        "insert into {s}.evidence_eligible values ('demo', 'c98', null, true)", ["demo/c98"],
    ),
    f"{REVIEWS}.review_unique": (OPINION + QA + "'q7', 'CS1', 'Q2', '2026-11-03', true, 80, 0.8)", ["q7", "q7"]),
    f"{REVIEWS}.review_on_scale": (
        OPINION + QA + "'under', 'CS1', 'Q1', '2026-11-03', true, -0.5, -0.005), "
        + QA + "'over', 'CS1', 'Q1', '2026-11-03', true, 100.5, 1.005)",
        ["over", "under"],
    ),
    f"{REVIEWS}.review_scored": (
        OPINION + QA + "'unscored', 'CS1', 'Q1', '2026-11-03', true, null, null)", ["unscored"],
    ),
    f"{REVIEWS}.reviewer_known": (OPINION + QA + "'q99', 'CS1', null, '2026-11-03', true, 80, 0.8)", ["q99"]),
    f"{REVIEWS}.review_credited": (OPINION + QA + "'q98', null, 'Q1', '2026-11-03', true, 80, 0.8)", ["q98"]),
    "metric_values.ratios_between_0_and_1": (
        "insert into {s}.metric_value select 'agent', 'X' || i, 'chat', 'csat_rate', 'p', 'period', 1.01, 2, null"
        f" from generate_series(1, {MANY}) as i",
        sorted(f"agent/X{i}/chat/csat_rate/p" for i in range(1, MANY + 1)),
    ),
    "objective_inputs.objective_measured": (
        "insert into {s}.stg_cfg__metric values ('lost', 'objective', 'count');"
        " insert into {s}.stg_cfg__plan_metric values ('demo', 'lost')",
        ["demo/lost"],
    ),
    "objective_inputs.objective_from_every_source": (
        "insert into {s}.stg_cfg__metric values ('unseen', 'objective', 'count');"
        " insert into {s}.stg_cfg__plan_metric values ('demo', 'unseen');"
        " insert into {s}.metric_value values"
        " ('agent', 'CS2', 'all', 'unseen', 'p', 'period', null, null, 'not_measured'),"
        " ('agent', 'CS3', 'all', 'unseen', 'p', 'period', 5, 5, null)",
        ["demo/unseen"],
    ),
    "objective_inputs.objective_not_negative": (
        "insert into {s}.stg_cfg__metric values ('below', 'objective', 'seconds');"
        " insert into {s}.stg_cfg__plan_metric values ('demo', 'below');"
        " insert into {s}.metric_value values ('agent', 'CS2', 'all', 'below', 'p', 'period', -1, -1, null)",
        ["demo/below"],
    ),
    "plan_agents.plan_agent_in_hr": ("insert into {s}.int_plan_agent values ('demo', 'GHOST', 1, 1)", ["GHOST"]),
    "plan_agents.plan_agent_hours_known": ("insert into {s}.int_plan_agent values ('demo', 'CS7', 1.5, 1)", ["CS7"]),
    "plan_agents.plan_agent_judged_once": ("insert into {s}.int_plan_agent values ('demo', 'CS8', 1, 0.9)", ["CS8"]),
    "band_csat_rate.reliability_measured": (
        "insert into stats.cohort_reliability {rho} 'csat_rate', 'unknown', null", ["unknown"],
    ),
    "band_csat_rate.not_unreliable": ("insert into stats.cohort_reliability {rho} 'csat_rate', 'low', 0.29", ["low"]),
    "band_csat_rate.fully_trusted": (
        "insert into stats.cohort_reliability {rho} 'csat_rate', 'weak', 0.79", ["low", "weak"],
    ),
    "band_qa_listening_score.reliability_measured": (
        "insert into stats.cohort_reliability {rho} 'qa_listening_score', 'unknown', null", ["unknown"],
    ),
    "band_qa_listening_score.not_unreliable": (
        "insert into stats.cohort_reliability {rho} 'qa_listening_score', 'low', 0.29", ["low"],
    ),
    "band_qa_listening_score.fully_trusted": (
        "insert into stats.cohort_reliability {rho} 'qa_listening_score', 'weak', 0.79", ["low", "weak"],
    ),
    "loads.loads_reconcile": (
        "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
        " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at)"
        " values (2, 'r', 'pbx', 'asterisk', 'cdr', 10, 8, 0, 1, 0, 0, '{{}}', now())",
        ["2"],
    ),
}  # fmt: skip
FLOORS = {
    f"{RATINGS}.ratings_present", f"{ELIGIBLE}.eligible_present", f"{REVIEWS}.reviews_present",
    "metric_values.metric_values_present", "band_csat_rate.reliability_known",
    "band_qa_listening_score.reliability_known", "loads.loads_present", "plan_agents.plan_agents_present",
    "objective_inputs.objective_inputs_present",
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
    return {f"{result.suite.suite}.{result.expectation.id}": result for result in results}


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
        owner.execute(FAULTS["loads.loads_reconcile"][0].format().encode())
    results["faulty"] = run(warehouse, "calc_faulty")
    return results


def test_every_shipped_check_has_a_fault_here() -> None:
    assert len(CHECKS) == 36
    assert set(FAULTS) | FLOORS == set(CHECKS)


def test_every_metric_with_evidence_has_its_suites() -> None:
    metrics = load_catalogue(PROJECT / "config").metrics
    for kinds in (("rating", ("ratings", "eligible", "band")), ("review", ("reviews", "band"))):
        expected = {name for name, metric in metrics.items() if metric.reliability == kinds[0]}
        for family in kinds[1]:
            found = {suite.metric_id for suite in ALL_SUITES if suite.suite == f"{family}_{suite.metric_id}"}
            assert expected <= found
    guarded = {suite.metric_id for suite in ALL_SUITES if suite.metric_id}
    assert guarded == {name for name, metric in metrics.items() if metric.has_evidence}


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
    assert checked["good"]["band_csat_rate.not_unreliable"].threshold == "column rho, min_value 0.3"
    assert checked["good"]["band_csat_rate.fully_trusted"].threshold == "column rho, min_value 0.8"


def test_every_result_is_stored_with_all_that_people_need(
    warehouse: Warehouse, checked: dict[str, dict[str, Result]]
) -> None:
    with warehouse.connect(Role.AUDITOR) as connection:
        rows = connection.execute(
            "select suite || '.' || expectation_id, suite, duty, severity, success, jsonb_array_length(failing_keys),"
            " reason_zh, reason_en, fixed_by, rule_version from ops.quality_result where calc_id = 'calc_faulty'"
        ).fetchall()
    assert len(rows) == len(CHECKS)
    for name, suite, duty, severity, success, failing, chinese, english, fixed_by, version in rows:
        declared = next(check for check in CHECKS[name].expectations if f"{suite}.{check.id}" == name)
        assert (suite, duty) == (CHECKS[name].suite, CHECKS[name].duty)
        assert (severity, fixed_by, version) == (declared.severity, declared.fixed_by, declared.version)
        assert (chinese, english) == (declared.reason.zh, declared.reason.en)
        assert (success, failing) == (name not in FAULTS, len(FAULTS[name][1]) if name in FAULTS else 0)


def test_running_again_replaces_the_results(warehouse: Warehouse, checked: dict[str, dict[str, Result]]) -> None:
    run(warehouse, "calc_faulty", [SUITES[RATINGS]])
    with warehouse.connect(Role.AUDITOR) as connection:
        stored = connection.execute("select distinct suite from ops.quality_result where calc_id = 'calc_faulty'")
        assert stored.fetchall() == [(RATINGS,)]


# --- what cannot be checked is never a pass --------------------------------------------------------------------------


def test_a_missing_column_fails_every_check_of_it(warehouse: Warehouse) -> None:
    prepare(warehouse, "calc_narrow", *GOOD, "alter table {s}.evidence_opinion drop column rater_key")
    found = run(warehouse, "calc_narrow", [SUITES[REVIEWS]])
    assert [result.success for result in found.values()] == [False] * len(SUITES[REVIEWS].expectations)
    assert all(result.observed.startswith("could not be checked: ") for result in found.values())
    prepare(warehouse, "calc_thin", *GOOD, "alter table {s}.evidence_eligible drop column is_invited")
    found = run(warehouse, "calc_thin", [SUITES[ELIGIBLE]])
    assert not any(result.success for result in found.values())
    assert "is_invited" in found[f"{ELIGIBLE}.eligible_invited_known"].observed
    # Of a whole relation only the checks of that column fail.
    whole = changed(lambda body: body.update(relation="evidence_opinion", query=None))
    prepare(warehouse, "calc_whole", *GOOD, "alter table {s}.evidence_opinion drop column place_on_scale")
    found = run(warehouse, "calc_whole", [whole])
    assert not found[f"{RATINGS}.rating_on_scale"].success
    assert "place_on_scale" in found[f"{RATINGS}.rating_on_scale"].observed
    assert found[f"{RATINGS}.rating_credited"].success


def test_a_missing_key_column_does_not_hide_a_failure(warehouse: Warehouse) -> None:
    prepare(
        warehouse, "calc_keyless", *GOOD, "insert into {s}.evidence_eligible values ('demo', 'c99', null, null)",
        "alter table {s}.evidence_eligible drop column conversation_key",
    )  # fmt: skip
    found = run(warehouse, "calc_keyless", [SUITES[ELIGIBLE]])
    assert not found[f"{ELIGIBLE}.eligible_invited_known"].success
    assert not found[f"{ELIGIBLE}.eligible_unique"].success


def test_a_missing_relation_stops_the_run_or_fails_its_checks(warehouse: Warehouse) -> None:
    prepare(warehouse, "calc_missing", *GOOD, "drop table {s}.evidence_opinion")
    try:
        found = run(warehouse, "calc_missing", [SUITES[RATINGS]])
    except QualityError as error:
        assert "evidence_opinion" in str(error)
    else:
        assert not any(result.success for result in found.values())


@pytest.mark.parametrize("suite", [RATINGS, REVIEWS])
def test_an_unknown_value_does_not_lie_on_the_scale(warehouse: Warehouse, suite: str) -> None:
    schema = f"calc_null_{suite}"
    prepare(
        warehouse, schema, *GOOD, "update {s}.evidence_opinion set row_value = null, place_on_scale = null",
    )  # fmt: skip
    assert not all(result.success for result in run(warehouse, schema, [SUITES[suite]]).values())


def test_a_failure_is_said_in_one_line_with_its_first_keys(checked: dict[str, dict[str, Result]]) -> None:
    assert checked["faulty"][f"{RATINGS}.rating_credited"].line == (
        "critical: ratings_csat_rate.rating_credited: A rating is credited to nobody; found 300 of 325 rows fail"
        " (nobody1, nobody10, nobody100 and 297 more), demanded column agent_key; data_engineer fixes it"
    )


def test_a_run_without_suites_is_an_error(warehouse: Warehouse) -> None:
    with pytest.raises(QualityError, match="nothing is checked"):
        run_suites(warehouse, [], "calc_unchecked", lambda _: "calc_unchecked", DEFAULTS)


def test_a_check_that_does_not_exist_is_an_error(warehouse: Warehouse) -> None:
    suite = changed(lambda body: body["expectations"][1].update(type="ExpectNothingAtAll"))
    prepare(warehouse, "calc_unknown", *GOOD)
    with pytest.raises(QualityError, match="ExpectNothingAtAll"):
        run(warehouse, "calc_unknown", [suite])


# --- declarations ----------------------------------------------------------------------------------------------------


def changed(change: Callable[[dict[str, Any]], object]) -> Suite:
    body = SUITES[RATINGS].model_dump(mode="json")
    change(body)
    return Suite.model_validate(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body["expectations"].pop(0), "a row count floor is required"),
        (lambda body: body.update(expectations=[]), "expectations"),
        (lambda body: body.update(relation="x"), "give either relation or query"),
        (lambda body: body.update(query=None), "give either relation or query"),
        (lambda body: body.update(metric_ids=["ces"]), "give either metric_id or metric_ids"),
        (lambda body: body.update(layer="attic"), "layer"),
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
    body = SUITES[RATINGS].model_dump(mode="json")
    for name in ("a.yml", "b.yml"):
        (tmp_path / name).write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    with pytest.raises(ValueError, match=r"different names, found .*ratings_csat_rate"):
        load_suites(tmp_path)

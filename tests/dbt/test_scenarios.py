"""Every model has a named scenario, or a reason why it needs none."""

from __future__ import annotations

import re
from pathlib import Path

from kefu.settings import PROJECT

FOLDER = PROJECT / "dbt_project/models"
# One reason for all models of a kind: what their text begins with, and what proves them instead.
KINDS = {
    "-- Generated from config/": "measures: those of each kind have scenarios, and all are held against the simulation",
    "{{ current_rows(": "the current versions of one record, by one macro that loading and recovery prove",
    "with objects as (\n\n    {{ current_config(": "declared configuration, validated before it is applied",
    "with topics as (\n\n    {{ current_config(": "declared configuration, validated before it is applied",
    "with identities as (\n\n    {{ current_rows(": "the current versions of one record, one column renamed",
    "with objects as (\n\n    {{ config_versions(": "declared configuration by day, validated before it is applied",
    "with objects as (\n\n    {{ account_versions(": "the same of what has an account, validated before it is applied",
    "with versions as (\n\n    {{ config_versions(": "declared configuration by day, validated before it is applied",
}
_HEAD = re.compile(r"\A(?:\s*\{\{ (?:config|moves)\([^}]*(?:\}[^}]+)*?\) \}\}\s*)+")
REASONS = {
    "dim_date": "three years of days in every case; the calendar it reads and working days have scenarios",
    "best_practice": "the mirror of coaching_queue; improvements are planted in tests/pipeline/test_decline_scan.py",
    "decline_coverage": "counts of decline_signal by team, compared with it in tests/pipeline/test_decline_scan.py",
    "double_scoring": "the list that statistics wrote, with names; drawn and checked in tests/pipeline/test_trust.py",
    "evidence_rating": "columns of fct_rating of the period; its rules have scenarios there",
    "evidence_reciprocity": "pairs of forms; the test of pairs is in tests/statistics/test_integrity.py",
    "evidence_review": "columns of fct_qa_review of the period; its rules have scenarios there",
    "int_dirty": "tests/pipeline/test_incremental.py compares what it marks with a full build, by cause",
    "int_plan_curve": "tests/statistics/test_curves_in_sql.py compares it with the curves in Python, digit by digit",
    "int_verified_fact": "a union of one; the sheet is read in tests/connectors/test_tabular.py",
    "stg_chatwoot__csat_first_response": "the first version of each answer, held against the simulation's truth",
    "stg_text__feature": "rows of the lexicons as they were written by tests/pipeline/test_text.py",
    "stg_text__reading": "rows of the lexicons as they were written by tests/pipeline/test_text.py",
    "source_record": "one branch for each declared entity; the scenarios of lateness read what it gives",
}


def texts() -> dict[str, str]:
    """The text of every model by its name."""
    return {path.stem: path.read_text("utf-8") for path in FOLDER.rglob("*.sql")}


def with_scenario(folder: Path = FOLDER) -> set[str]:
    """The models that a named unit test is about."""
    files = (path.read_text("utf-8") for path in folder.rglob("*unit_tests.yml"))
    return {name for text in files for name in re.findall(r"^    model: (\w+)$", text, re.M)}


def lacking(models: dict[str, str], tested: set[str]) -> list[str]:
    """The models that have neither a scenario nor a reason."""
    return sorted(
        name
        for name, text in models.items()
        if name not in tested | set(REASONS) and not _HEAD.sub("", text).startswith(tuple(KINDS))
    )


def test_every_model_has_a_scenario_or_a_reason() -> None:
    models, tested = texts(), with_scenario()
    assert len(models) >= 300 and len(tested) > 150
    assert lacking(models, tested) == []


def test_a_reason_is_given_only_where_it_is_needed() -> None:
    models, tested = texts(), with_scenario()
    assert {name for name in REASONS if name not in models or name in tested} == set()


def test_a_model_without_a_scenario_is_found() -> None:
    models, tested = texts(), with_scenario()
    assert "fct_segment" in lacking(models, tested - {"fct_segment"})
    assert lacking({"new_model": "select 1 as one"}, set()) == ["new_model"]

"""dbt's own unit tests on a real PostgreSQL, and rules that hold for every model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kefu.pipeline.transform import invoke

UNIT_TESTS = 20
MODELS = 86


@pytest.fixture(scope="module")
def models(project: Path) -> dict[str, str]:
    """Text of every model by name, comments left out."""
    paths = (project / "dbt_project" / "models").rglob("*.sql")
    return {path.stem: re.sub(r"--[^\n]*|{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.S) for path in paths}


def test_every_named_edge_passes(line: Any) -> None:
    scope = line.platform.scope(line.platform.period())
    results = invoke(line.platform, ["test", "--select", "test_type:unit", "--vars", json.dumps(scope.variables())])
    tests = {str(r["node"]): r for r in results if str(r["node"]).startswith("unit_test.")}
    assert len(tests) == UNIT_TESTS
    assert {name: r["message"] for name, r in tests.items() if r["status"] != "pass"} == {}


def test_no_model_reads_the_clock(models: dict[str, str]) -> None:
    assert len(models) == MODELS
    clock = re.compile(r"\bnow\(\)|current_(date|timestamp|time)\b|clock_timestamp|localtimestamp", re.I)
    assert [name for name, text in models.items() if clock.search(text)] == []


def test_distinct_is_never_a_repair(models: dict[str, str]) -> None:
    # A set of answered conversations is a set by meaning: one conversation may hold several valid ratings.
    assert [name for name, text in models.items() if re.search(r"\bdistinct\b(?! from)", text)] == ["evidence_eligible"]


def test_marts_name_their_columns(models: dict[str, str]) -> None:
    marts = ("metric_value", "metric_reliability", "score", "score_component", "close_gate", "contradiction")
    for name in marts:
        final = models[name].rsplit("\nselect\n", 1)[1]
        assert not re.search(r"^\s+(\w+\.)?\*,?$", final, re.M), name

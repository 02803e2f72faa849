"""The dbt project: everything described, the rules of its SQL kept, every one of its tests able to fail."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlparse
import yaml

from kefu.pipeline import transform
from kefu.pipeline.context import Platform
from kefu.settings import PROJECT
from kefu.warehouse import Role
from tests.e2e.support import Line

FOLDER = PROJECT / "dbt_project"
MODELS = [path.stem for path in FOLDER.glob("models/**/*.sql")]
INVARIANTS = {path.stem for path in FOLDER.glob("tests/**/*.sql")}
CONTRACTS = [
    "int_conversation", "int_segment", "int_queue_visit", "int_message", "int_turn", "int_agent_state",
    "int_survey_invitation", "int_rating", "int_qa_review", "int_exam", "int_attendance",
    "int_qa_item", "int_work_order_audit", "int_daily_form", "int_complaint", "int_feedback", "int_coaching",
    "int_training", "int_group_chat_day", "int_live_sample", "int_exemption", "coaching_effect",
    "metric_value", "queue_interval", "int_row_exclusion", "dispute_outcome", "rater_overturn", "dispute_rate",
    "metric_reliability", "rater_profile", "double_scoring", "calibration", "collection_todo",
    "score_component", "score",
    "gate_effect", "payment", "int_verified_fact", "close_gate", "contradiction",
    "int_closing", "contradicted_duty", "contradicted_account", "contradicted_score", "reconciliation", "lateness",
    "coverage", "int_agent_session", "int_service_window", "int_ticket", "int_ticket_event", "int_ticket_episode",
    "int_sla_clock", "int_dial", "int_lead", "int_order", "int_order_link", "int_registration", "enquiry_funnel",
    "list_utilisation", "metric_day", "int_metric_window", "int_rating_signal", "row_finding", "integrity_finding",
    "decline_signal", "decline_coverage", "best_practice", "coaching_queue", "common_issue",
]  # fmt: skip
PLANTED: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("planted.yml").read_text("utf-8"))
# What a model may do that the rules below forbid, and why.
ALLOWED_DISTINCT = {
    "evidence_eligible": "the set of conversations with an answer; one may hold several instruments",
}
ALLOWED_WILDCARDS: dict[str, str] = {}
# Tables whose rows have no key: sums of a fact that share their columns, and logs whose rows may repeat.
KEYLESS = {
    "stg_asterisk__cdr", "stg_tabular__identity", "fct_unit_conversation", "contradiction", "contradicted_duty",
    "contradicted_score",
}  # fmt: skip
# Columns that differ between two runs over the same input; content hashes leave them out.
VOLATILE = {("stg_cfg__plan", "approved_at"), ("source_record", "load_seq"), ("stg_tabular__roster", "known_at")}
# What the wall clock measured: all of lateness but what it is about and what the records say.
WALL_CLOCK = {"lateness": {"source_id", "entity", "newest_at"}}

Copy = Callable[[Platform, str], Platform]
Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def built(line: Line, copy_of: Copy) -> Platform:
    """A copy of the finished daily run, whose relations give the unit tests their types."""
    return copy_of(line.platform, "t_dbt")


@pytest.fixture(autouse=True)
def flat_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets dbt find the first `with` of a scenario's model among plain tokens.

    It looks at nothing else, but has every token grouped for it, which is a third of the time scenarios take.
    """

    def flat(statement: str) -> tuple[sqlparse.sql.Statement, ...]:
        return tuple(sqlparse.engine.FilterStack().run(statement))

    monkeypatch.setattr("dbt.compilation.sqlparse", SimpleNamespace(**vars(sqlparse) | {"parse": flat}))


@pytest.fixture(scope="module")
def manifest(built: Platform) -> Manifest:
    """What dbt understood of the project."""
    parsed = transform.parsed(built, variables(built))
    assert parsed is not None
    return parsed.writable_manifest().to_dict(omit_none=False)


def variables(platform: Platform) -> list[str]:
    return ["--vars", json.dumps(platform.scope(platform.period()).variables())]


def run_tests(platform: Platform, *selection: str) -> dict[str, str]:
    """Runs the selected tests and returns the status of each by its name."""
    results = transform.invoke(platform, ["test", "--select", *selection, *variables(platform)])
    nodes = [re.sub(r"^unit_test\.kefu\.\w+\.", "", str(result["node"])) for result in results]
    return {
        node.split(".")[0]: str(result["status"])
        for node, result in zip(nodes, results, strict=True)
        if not node.startswith("operation.")
    }


def models_of(manifest: Manifest) -> dict[str, Any]:
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


def sql_texts() -> dict[str, str]:
    """The text of every model, macro and test by its name, without comments."""
    paths = [path for part in ("models", "macros", "tests") for path in FOLDER.glob(f"{part}/**/*.sql")]
    return {path.stem: re.sub(r"{#.*?#}|--[^\n]*", "", path.read_text("utf-8"), flags=re.S) for path in paths}


def statement_of(fault: dict[str, str]) -> str:
    """The SQL of a planted fault: one row changed or removed, or the statement itself."""
    if "statement" in fault:
        return fault["statement"]
    relation = fault.get("change") or fault["remove"]
    row = f"ctid = (select ctid from {relation} where {fault.get('where', 'true')} limit 1)"
    return (
        f"update {relation} set {fault['set']} where {row}" if "set" in fault else f"delete from {relation} where {row}"
    )


def test_every_model_and_column_says_what_it_is(manifest: Manifest, built: Platform) -> None:
    models = models_of(manifest)
    assert len(MODELS) >= 264
    assert sorted(models) == sorted(MODELS)
    with built.warehouse.connect(Role.TRANSFORMER) as connection:
        stored = connection.execute(
            "select table_name::text, column_name::text from information_schema.columns where table_schema ~ '^wh_'"
        ).fetchall()
    columns = {(name, column["name"]): column for name, node in models.items() for column in node["columns"].values()}
    assert len(columns) >= 2550
    assert set(columns) == set(stored)
    assert {key for key, column in columns.items() if len(column["description"]) < 5} == set()
    for name, node in models.items():
        assert re.match(r"One row per [a-z]", node["description"]), f"{name} does not begin with its grain"
        assert "Left out: " in node["description"], f"{name} does not say what it leaves out"


def test_interfaces_are_contracts(manifest: Manifest) -> None:
    models = models_of(manifest)
    facts = {name for name in MODELS if name.startswith(("fct_", "dim_"))}
    assert len(facts) >= 45
    assert {name for name in models if models[name]["config"]["contract"]["enforced"]} == facts | set(CONTRACTS)


def test_every_data_test_stops_a_run_and_has_a_name(manifest: Manifest) -> None:
    tests = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "test"}
    generic = {name: node for name, node in tests.items() if node.get("test_metadata")}
    assert len(generic) >= 14
    # Keys and closed sets are guarded by the tables themselves: see the next test.
    assert {node["test_metadata"]["name"] for node in generic.values()} == {"relationships"}
    assert tests.keys() - generic.keys() == INVARIANTS
    assert {name for name, node in tests.items() if node["config"]["severity"].lower() != "error"} == set()
    for name, node in generic.items():
        assert name.startswith(node["attached_node"].removeprefix("model.kefu.") + "__"), f"{name} is a generated name"


def test_every_table_guards_its_key_and_its_constraints(manifest: Manifest, built: Platform) -> None:
    models = {name: node for name, node in models_of(manifest).items() if node["config"]["materialized"] != "view"}
    with built.warehouse.connect(Role.TRANSFORMER) as connection:

        def fetch(statement: str) -> list[Any]:
            return connection.execute(statement.encode()).fetchall()

        keys = fetch(
            "select relname::text, bool_and(a.attnotnull) from pg_index i join pg_class c on c.oid = i.indrelid"
            " left join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)"
            " where indisunique and relnamespace::regnamespace::text ~ '^wh_' group by relname, i.indexrelid"
        )
        required = fetch(
            "select relname::text, attname::text from pg_attribute join pg_class c on c.oid = attrelid"
            " where attnotnull and attnum > 0 and relkind = 'r' and relnamespace::regnamespace::text ~ '^wh_'"
        )
        checks = fetch(
            "select relname::text, count(*) from pg_constraint join pg_class c on c.oid = conrelid"
            " where contype = 'c' and relnamespace::regnamespace::text ~ '^wh_' group by relname"
        )
    assert {name for name, is_complete in keys if not is_complete} == set()
    keyless = {name for name in models if not name.startswith("measure_")} - {name for name, _ in keys}
    assert keyless == KEYLESS
    assert len(keys) >= 170
    declared = [
        (name, column["name"] if constraint["type"] == "not_null" else "")
        for name, node in models.items()
        for column in [*node["columns"].values(), {"name": "", "constraints": node["constraints"]}]
        for constraint in column["constraints"]
    ]
    assert {pair for pair in declared if pair[1]} <= set(required)
    assert Counter(name for name, column in declared if not column) == dict(checks)
    assert len(required) >= 870
    assert sum(count for _, count in checks) >= 115


def test_a_table_refuses_a_wrong_row(built: Platform) -> None:
    refused = PLANTED["refused"]
    assert len(refused) >= 5
    with built.warehouse.connect(Role.OWNER) as connection:
        for name, fault in refused.items():
            with pytest.raises(psycopg.Error) as raised, connection.transaction():
                connection.execute(fault["statement"].encode())
            assert psycopg.errors.lookup(fault["error"].upper()) is type(raised.value), name


def test_the_scenarios_hold(built: Platform) -> None:
    files = [yaml.safe_load(path.read_text("utf-8")) for path in FOLDER.glob("models/**/*__unit_tests.yml")]
    declared = [scenario["name"] for file in files for scenario in file["unit_tests"]]
    assert len(declared) >= 195
    assert run_tests(built, "test_type:unit") == dict.fromkeys(declared, "pass")


def test_a_broken_model_turns_its_scenario_red(
    built: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(FOLDER, tmp_path / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    for mutation in PLANTED["mutations"]:
        path = tmp_path / "dbt_project" / mutation["path"]
        text = path.read_text("utf-8")
        assert text.count(mutation["right"]) == 1, f"{mutation['path']} no longer says {mutation['right']!r} once"
        path.write_text(text.replace(mutation["right"], mutation["wrong"]), "utf-8")
    monkeypatch.setattr(transform, "PROJECT", tmp_path)
    # A folder of its own, because dbt keeps there what it parsed.
    broken = Platform(built.settings.model_copy(update={"kefu_data_dir": tmp_path}))
    planted = {name for mutation in PLANTED["mutations"] for name in mutation["scenarios"]}
    assert len(planted) >= 110
    # What no fault touches stays green, so red is the fault's doing.
    statuses = run_tests(broken, *planted, *PLANTED["untouched"])
    assert statuses.keys() == planted | set(PLANTED["untouched"])
    assert {name for name, status in statuses.items() if status == "pass"} == set(PLANTED["untouched"])
    # A later process takes up what this one read of the same files, and reads nothing again.
    [kept] = (tmp_path / ".kefu" / "dbt-parsed").iterdir()
    stored = (kept / "partial_parse.msgpack").stat()
    monkeypatch.setattr(transform, "_PARSED", {})
    again = transform.parsed(broken, variables(broken))
    assert again is not None and {node.name for node in again.nodes.values()} >= set(MODELS)
    assert (kept / "partial_parse.msgpack").stat().st_mtime_ns == stored.st_mtime_ns


def test_every_invariant_finds_its_planted_fault(line: Line, copy_of: Copy) -> None:
    faults = PLANTED["faults"]
    assert len(INVARIANTS) >= 33
    assert faults.keys() >= INVARIANTS
    spoiled = copy_of(line.platform, "t_dbt_faults")
    assert run_tests(spoiled, *faults) == dict.fromkeys(faults, "pass")
    with spoiled.warehouse.connect(Role.OWNER) as connection:
        for name, fault in faults.items():
            changed = connection.execute(statement_of(fault).encode()).rowcount
            assert changed > 0, f"the fault of {name} changed nothing"
    assert run_tests(spoiled, *faults) == dict.fromkeys(faults, "fail")


def test_nothing_reads_the_clock() -> None:
    clock = re.compile(r"\b(now\s*\(|current_(date|time|timestamp)|localtime|(clock|statement|transaction)_timestamp)")
    texts = sql_texts()
    assert len(texts) >= len(MODELS) + len(INVARIANTS)
    assert {name for name, text in texts.items() if clock.search(text)} == set()
    assert all(clock.search(text) for text in ("select now ()", "where day <= current_date", "localtimestamp"))


def test_marts_name_their_columns() -> None:
    texts = sql_texts()
    marts = [
        path.stem for part in ("core", "kpi", "appraisal", "operations") for path in FOLDER.glob(f"models/{part}/*.sql")
    ]
    assert len(marts) >= 130
    # The final select is what follows the last common table expression.
    finals = {name: texts[name].rpartition("\n)\n")[2] for name in marts}
    assert {name for name, text in finals.items() if re.search(r"(select|\.)\s*\*", text)} == set(ALLOWED_WILDCARDS)


def test_nothing_is_made_distinct_to_repair_a_join() -> None:
    distinct = re.compile(r"(?<!is )(?<!is not )(?<!')\bdistinct\b")
    assert {name for name, text in sql_texts().items() if distinct.search(text)} == set(ALLOWED_DISTINCT)


def test_only_listed_columns_are_volatile_and_pay_reads_none(manifest: Manifest) -> None:
    columns = {
        (name, column["name"]): column["config"]["meta"].get("volatile", False)
        for name, node in models_of(manifest).items()
        for column in node["columns"].values()
    }
    measured = {key for key in columns if key[0] in WALL_CLOCK and key[1] not in WALL_CLOCK[key[0]]}
    assert len(measured) >= 14
    # Whether an approval came in time follows from when it came.
    derived = {("stg_cfg__plan", "is_approved_in_time")}
    assert {key for key, is_volatile in columns.items() if is_volatile} == VOLATILE | measured | derived
    instants = "approved|applied|known|loaded|published|completed|decided"
    wall = re.compile(rf"(({instants})_at|load_seq|(load|run|publication)_id)$")
    assert {key for key in columns if wall.search(key[1])} == VOLATILE
    sealing = (PROJECT / "kefu" / "warehouse" / "migrations" / "0010_close.sql").read_text("utf-8")
    read_by_pay = set(re.findall(r"(?:from|join) %(?:1\$)?I\.(\w+)", sealing))
    assert {"score", "score_component", "close_gate"} <= read_by_pay <= set(MODELS)
    assert read_by_pay.isdisjoint({name for name, _ in VOLATILE} | WALL_CLOCK.keys())

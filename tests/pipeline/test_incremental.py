"""The live line moves forward by what changed: afterwards it is what a full build would have made, row by row."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from psycopg import sql

from kefu.pipeline import live_line
from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.transform import LAYERS, parsed, reads_clock, run_models, start_run
from kefu.settings import PROJECT
from kefu.warehouse import Role
from tests.e2e.support import Line, environment

Copy = Callable[[Platform, str], Platform]
Hashes = dict[str, tuple[int, str]]
Moved = tuple[Platform, list[dict[str, int]], Hashes, Hashes]

FACTS = LAYERS["core"].split()
SELECTED = [*FACTS, *LAYERS["kpi"].split()]
CAUSES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("changes.yml").read_text("utf-8"))
# Runs in a process of its own, because it is killed.
KILLED = """
from kefu.pipeline import live_line
from kefu.pipeline.context import Platform
from kefu.pipeline.transform import LAYERS, run_models, start_run
from kefu.settings import Settings

platform = Platform(Settings(_env_file=None))
scope = platform.scope(platform.period())
start_run(platform, "killed", "daily", {})
base = live_line.begin(platform, scope, "killed")
run_models(platform, scope, ["run"], [*LAYERS["core"].split(), *LAYERS["kpi"].split()], base)
"""


def load(platform: Platform, causes: list[dict[str, Any]]) -> None:
    """Writes the rows of causes into the logs, every one as a load of its own."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        row = connection.execute("select max(load_seq) from ops.load").fetchone()
        assert row is not None
        changes = [change for cause in causes for change in cause["rows"]]
        for sequence, change in enumerate(changes, row[0] + 1):
            system, entity = change["log"].split(".")
            # What lexicons find is no version log, but it comes at its own time too.
            log = sql.Identifier("ops" if system == "ops" else f"raw_{system}", entity)
            said = change["says"] | {"_load_seq": sequence, "_is_change": "from" in change and "is_new" not in change}
            origin: sql.Composable = sql.SQL("")
            if "from" in change:
                origin = sql.SQL(
                    "from (select * from {} where _source_id in ('chat', 'pbx', 'hr', 'sheets') and {}"
                    " order by _key limit 1) as r"
                ).format(log, sql.SQL(change["from"]))
            else:
                said |= {
                    "_source_id": "inbox", "_row_hash": "00000000-0000-0000-0000-000000000001", "_is_deleted": False,
                    "_time_is_ambiguous": False, "_load_row": 0,
                }  # fmt: skip
            statement = sql.SQL("insert into {0} select (jsonb_populate_record({1}::{0}, {2}::jsonb)).* {3}").format(
                log, sql.SQL("r" if "from" in change else "null"), sql.Literal(json.dumps(said)), origin
            )
            assert connection.execute(statement).rowcount == 1, f"{change} starts from no row"
            connection.execute(
                "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
                " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, started_at,"
                " completed_at) values (%s, 'first run', 'inbox', %s, %s, 1, 1, 0, 0, 0, 0, '{}',"
                " '2026-11-25T08:00:00Z', '2026-11-25T08:00:01Z')",
                [sequence, system, entity],
            )


def move(
    platform: Platform, run_id: str, scope: Scope, *, in_full: bool = False, selected: list[str] = SELECTED,
    everything: bool = False,
) -> tuple[live_line.Base | None, dict[str, int]]:  # fmt: skip
    """Builds facts and metrics of the live line; `everything` also where no load says that anything changed.

    Returns what the build went on from and what it had marked before it was finished.
    """
    start_run(platform, run_id, "daily", {})
    base = live_line.begin(platform, scope, run_id, in_full=in_full)
    if base is not None and everything:
        base = replace(base, changed=None)
    results = run_models(platform, scope, ["run"], selected, base)
    assert [(r["node"], r["message"]) for r in results if r["status"] != "success"] == []
    found = marks(platform)
    if selected is SELECTED:
        live_line.finish(platform, run_id)
    return base, found


def marks(platform: Platform) -> dict[str, int]:
    """Returns how many things each reason made dirty."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        return dict(connection.execute("select reason, count(*) from wh_intermediate.int_dirty group by 1").fetchall())


def hashes(platform: Platform) -> Hashes:
    """Returns number and content hash of the rows of every table of facts and metrics."""
    found = {}
    with platform.warehouse.connect(Role.OWNER) as connection:
        for (name,) in connection.execute(
            "select schemaname || '.' || tablename from pg_tables where schemaname in ('wh_staging', 'wh_intermediate',"
            " 'wh_core', 'wh_kpi', 'wh_operations') and tablename <> 'int_dirty' order by 1"
        ).fetchall():
            # A value that nothing has changed says when it was computed.
            content = "(to_jsonb(t) - 'as_of')" if name == "wh_kpi.metric_value" else "t"
            digest = f"coalesce(sum(hashtextextended({content}::text, 0)::numeric), 0)::text from {name} as t"
            row = connection.execute(f"select count(*), {digest}".encode()).fetchone()
            assert row is not None
            found[name] = (row[0], row[1])
    return found


def tables(platform: Platform) -> dict[str, int]:
    """Returns the tables of the live line with the numbers of their files: what is built again has another one."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        rows = connection.execute(
            "select oid::regclass::text, relfilenode::bigint from pg_class"
            " where relnamespace::regnamespace::text ~ '^wh_' and relkind = 'r'"
        ).fetchall()
    return dict(rows)


def differing(found: Hashes, expected: Hashes) -> dict[str, tuple[object, object]]:
    """Returns the tables whose content differs."""
    names = found.keys() | expected.keys()
    return {n: (found.get(n), expected.get(n)) for n in sorted(names) if found.get(n) != expected.get(n)}


@pytest.fixture(scope="module")
def moved(line: Line, copy_of: Copy) -> Moved:
    """A copy of the finished run that moved after every cause, with what each marked; its first and last content."""
    platform = copy_of(line.platform, "t_incremental")
    first = hashes(platform)
    found = []
    for number, cause in enumerate(CAUSES):
        load(platform, [cause])
        base, marked = move(platform, f"cause {number}", platform.scope(platform.period()))
        assert base is not None and base.changed is not None
        found.append(marked)
    return platform, found, first, hashes(platform)


def test_every_cause_marks_what_it_touches_and_little_else(
    moved: Moved,
) -> None:
    _, found, first, last = moved
    lacking = [(c["cause"], r) for c, m in zip(CAUSES, found, strict=True) for r in c["marks"] if not m.get(r)]
    assert lacking == []
    facts = ("fct_conversation", "fct_segment", "fct_turn", "fct_outcome", "fct_rating", "fct_queue_visit")
    assert all(first[f"wh_core.{fact}"] != last[f"wh_core.{fact}"] for fact in facts)
    # The first cause touches one chat and one call: two days, that there is a change, and nothing else.
    assert found[0]["fct_conversation"] <= 3 and found[0]["fct_queue_visit"] <= 3


def test_a_killed_build_that_is_repeated_ends_the_same(moved: Moved, line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_incremental_killed")
    load(platform, CAUSES)
    process = subprocess.Popen([sys.executable, "-c", KILLED], env=environment(platform.settings), cwd=PROJECT)
    # It dies when its segments are built: their days are not found a second time by comparing their rows.
    for _ in range(3000):
        if process.poll() is not None or marks(platform).get("fct_segment"):
            break
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -9
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    assert marks(platform)["fct_segment"] > 0
    base, _ = move(platform, "repeated", platform.scope(platform.period()))
    assert base is not None and base.changed is not None
    assert differing(hashes(platform), moved[3]) == {}


def switch_off(platform: Platform, reason: str, entity: str) -> None:
    """Makes a kind of marks of a model impossible: nothing it finds dirty is told."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute(
            "create function wh_intermediate.switched_off() returns trigger language plpgsql"
            " as 'begin return null; end'"
        )
        connection.execute(
            sql.SQL(
                "create trigger switched_off before insert on wh_intermediate.int_dirty for each row when"
                " (new.reason = {} and new.entity = {}) execute function wh_intermediate.switched_off()"
            ).format(sql.Literal(reason), sql.Literal(entity))
        )


@pytest.mark.parametrize(
    ("reason", "entity", "table"),
    [
        ("stg_live_helper_chat__message", "conversation", "wh_core.fct_turn"),
        ("roster", "conversation", "wh_core.fct_turn"),
        ("team", "conversation", "wh_core.fct_segment"),
        ("fct_turn", "date", "wh_kpi.measure_turn"),
        ("fct_turn", "changed", "wh_kpi.measure_turn"),
    ],
)
def test_a_rule_that_is_switched_off_is_seen(
    moved: Moved, line: Line, copy_of: Copy, reason: str, entity: str, table: str
) -> None:
    platform = copy_of(line.platform, "t_incremental_rule")
    load(platform, CAUSES)
    switch_off(platform, reason, entity)
    move(platform, "switched off", platform.scope(platform.period()), selected=[*FACTS, "measure_turn"])
    assert hashes(platform)[table] != moved[3][table]


def test_values_of_a_day_move_for_the_metrics_that_moved(line: Line, copy_of: Copy) -> None:
    rows = [row for cause in CAUSES for row in cause["rows"] if row["log"] == "tabular.leave_request"]
    assert len(rows) == 1
    found = []
    for name in ("told", "switched_off"):
        platform = copy_of(line.platform, f"t_incremental_{name}")
        load(platform, [{"cause": "leave", "rows": rows}])
        if name == "switched_off":
            switch_off(platform, "metric_day", "metric_id")
        _, marked = move(platform, name, platform.scope(platform.period()))
        # Metrics of attendance on two days, not all 136.
        assert 0 < marked["metric_day"] <= 20
        found.append(hashes(platform))
    assert "wh_kpi.metric_value" in differing(*found) and "wh_kpi.metric_day" not in differing(*found)


def test_every_model_that_says_the_instant_of_the_clocks_is_found(line: Line) -> None:
    scope = line.platform.scope(line.platform.period())
    compiled = run_models(
        line.platform, replace(scope, as_of=datetime(2031, 1, 2, tzinfo=UTC)), ["compile"], SELECTED, None
    )
    manifest = parsed(line.platform, [])
    assert manifest is not None and len(compiled) >= 250
    texts = {key: getattr(node, "compiled_code", None) or "" for key, node in manifest.nodes.items()}
    saying = {key for key, text in texts.items() if key.startswith("model.") and "'2031-01-02T00:00:00Z'" in text}
    assert len(saying) >= 28
    assert saying - reads_clock(manifest) == set()


def test_a_later_clock_moves_the_line_and_all_of_it_is_what_a_full_build_makes(
    moved: Moved,
) -> None:
    platform, _, _, before = moved
    scope = platform.scope(platform.period())
    # Past every window: 7 days of repeated contacts, 90 of another payment.
    later = replace(scope, as_of=scope.as_of + timedelta(days=90))
    base, marked = move(platform, "later clock", later)
    assert base == live_line.Base(scope.data_cut, scope.as_of.isoformat().replace("+00:00", "Z"), frozenset(), True)
    assert marked["clock"] > 0
    found = hashes(platform)
    assert all(
        found[f"wh_core.{fact}"] != before[f"wh_core.{fact}"] for fact in ("fct_outcome", "fct_customer_retention")
    )

    assert move(platform, "rebuilt", later, in_full=True)[0] is None
    rebuilt = hashes(platform)
    assert len(rebuilt) >= 180
    assert differing(found, rebuilt) == {}

    # A random past week, taken out of facts and measures and built again.
    with platform.warehouse.connect(Role.OWNER) as connection:
        days = connection.execute(
            "select business_date from wh_core.fct_turn where business_date is not null group by 1 order by 1"
        ).fetchall()
        week = random.choice(days)[0]
        for fact in ("fct_conversation", "fct_segment", "fct_turn", "fct_outcome"):
            connection.execute(
                sql.SQL(
                    "insert into wh_intermediate.int_dirty (entity, dirty_key, business_date, reason, base_cut)"
                    " select 'conversation', conversation_key, '-infinity', 'week', {} from {} where business_date"
                    " between {} and {} group by conversation_key on conflict do nothing"
                ).format(
                    sql.Literal(later.data_cut),
                    sql.Identifier("wh_core", fact),
                    sql.Literal(week),
                    sql.Literal(week + timedelta(days=6)),
                )
            )
        for schema, table in (
            ("wh_core", "fct_conversation"), ("wh_core", "fct_segment"), ("wh_core", "fct_turn"),
            ("wh_core", "fct_outcome"), ("wh_kpi", "measure_turn"), ("wh_kpi", "measure_segment"),
        ):  # fmt: skip
            connection.execute(
                sql.SQL("delete from {} where business_date between %s and %s").format(sql.Identifier(schema, table)),
                [week, week + timedelta(days=6)],
            )
    assert differing(hashes(platform), rebuilt) != {}
    assert move(platform, "week", later, everything=True)[0] is not None
    assert differing(hashes(platform), rebuilt) == {}, f"week of {week}"


def test_nothing_new_builds_nothing_and_whatever_is_no_step_forward_builds_everything(
    line: Line, copy_of: Copy
) -> None:
    platform = copy_of(line.platform, "t_incremental_base")
    scope = platform.scope(platform.period())

    def begun(run_id: str, asked: Scope, *, finishes: bool = True) -> str:
        start_run(platform, run_id, "daily", {})
        live_line.begin(platform, asked, run_id)
        if finishes:
            live_line.finish(platform, run_id)
        return live_line.said(platform, run_id)

    found, made = hashes(platform), tables(platform)
    assert len(made) >= 180
    base, marked = move(platform, "nothing new", scope)
    assert base == live_line.Base(scope.data_cut, scope.as_of.isoformat().replace("+00:00", "Z"), frozenset(), False)
    assert marked == {} and tables(platform) == made
    assert differing(hashes(platform), found) == {}
    moves = f"moved forward from load {scope.data_cut} to {scope.data_cut}"
    assert begun("again", scope) == moves
    earlier = replace(scope, as_of=scope.as_of - timedelta(seconds=1))
    assert begun("earlier", earlier, finishes=False).endswith("the clock lies before that of the last build")
    assert begun("torn", scope) == "built in full: the last full build did not finish"
    assert begun("another period", replace(scope, period_id="2026_12")) == "built in full: the period was 2026_11_demo"
    assert begun("back again", scope) == "built in full: the period was 2026_12"
    assert begun("as before", scope) == moves
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("drop table wh_kpi.measure_turn")
    assert begun("dropped", scope) == "built in full: tables are missing or new"
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute("update ops.live_build set project_hash = 'other'")
    assert begun("other models", scope) == "built in full: models changed"
    with platform.warehouse.connect(Role.PLAN_AUTHOR) as connection:
        connection.execute(
            "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body) select kind,"
            " object_id, version + 1, 'x', valid_from + 1, body from cfg.object_version where kind = 'site'"
        )
    assert begun("configured", platform.scope(platform.period())) == "built in full: the configuration changed"

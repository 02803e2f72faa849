"""How long the warehouse takes to build, beside SQL written by hand for four of its numbers, in one run on one server.

    python benchmarks/warehouse.py [--conversations 1000000] [--small 100000]

Fills the version logs of a chat desk (eight messages a conversation, 10,000 of them a day), then prints one table:

1. `warehouse.sql`: first response, turn time, handle time and satisfaction by agent, team and day, by hand;
2. our full build of everything that the metric values need;
3. one more day of conversations, built incrementally;
4. the same day after a tenth of the history;
5. the same models as plain views, read once.

Seconds of builds are sums of dbt's own execution times; its start-up is shown apart. The numbers of 1 and 2 must agree.
Use `--views` for the last row: it takes long.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import prepare
from kefu.pipeline.transform import build_models
from kefu.settings import Settings
from kefu.warehouse import Role

HERE = Path(__file__).parent
PER_DAY = 10_000
# The last day before the instant of the clocks of the demo period, so that the new day lies before it too.
LAST_DAY = date(2026, 11, 22)
# What a close of the views may take before it is given up.
PATIENCE = "40min"
# The same number of both ways may differ by rounding only in its last digit: sums of whole seconds do not round.
COMPARED = (
    "select count(*), count(*) filter (where h.numerator = m.numerator and h.denominator = m.denominator)"
    " from bench_hand.result as h full join (select * from wh_kpi.metric_value where period_kind = 'day'"
    " and channel = 'chat' and (metric_id, unit_kind) in (select distinct metric_id, unit_kind from bench_hand.result)"
    " and denominator > 0) as m on h.metric_id = m.metric_id and h.unit_kind = m.unit_kind"
    " and h.unit_key = m.unit_key and h.business_date = m.period_start"
)


@dataclass
class Desk:
    """One scratch database with its history."""

    platform: Platform
    first_day: date
    last_day: date
    loads: int = 0
    timings: dict[str, float] = field(default_factory=dict)

    def execute(self, statement: str, role: Role = Role.OWNER) -> Any:
        """Runs a statement and returns its first row."""
        with self.platform.warehouse.connect(role) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() if cursor.description else None

    def run_file(self, name: str, role: Role = Role.OWNER, **values: object) -> float:
        """Runs a file of SQL in one transaction, values written into it; returns the seconds it took."""
        with self.platform.warehouse.connect(role) as connection:
            literal = {key: sql.Literal(value).as_string(connection) for key, value in values.items()}
            text = (HERE / name).read_text("utf-8") % literal
            started = time.perf_counter()
            connection.execute(text.encode())
            connection.commit()
            return time.perf_counter() - started

    def load(self, file: str, entities: list[tuple[str, str, str]], first: date, last: date) -> None:
        """Runs a file that writes rows and records the load."""
        self.loads += 1
        self.run_file(
            file, load_seq=self.loads, per_day=PER_DAY, first_day=first.isoformat(), last_day=last.isoformat()
        )
        with self.platform.warehouse.connect(Role.OWNER) as connection:
            for number, (source, system, entity) in enumerate(entities):
                connection.execute(
                    "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
                    " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule,"
                    " started_at) values (%s, 'bench', %s, %s, %s, 1, 1, 0, 0, 0, 0, '{}', clock_timestamp())",
                    [None if number else self.loads, source, system, entity],
                )
                connection.execute(f"analyze raw_{system}.{entity}".encode())

    def fill(self, first: date, last: date) -> None:
        """Writes the conversations of some days."""
        self.load(
            "warehouse_data.sql",
            [("chat", "live_helper_chat", name) for name in ("chat", "message", "survey_item")],
            first, last,
        )  # fmt: skip


def made(settings_: Settings, name: str, conversations: int) -> Desk:
    """Returns a new database with a history of so many conversations."""
    platform = Platform(settings_, name)
    server = {**platform.warehouse.parameters(Role.OWNER), "dbname": "postgres"}
    with psycopg.connect(**server, autocommit=True) as owner:  # type: ignore[arg-type]  # fmt: skip
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        owner.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    prepare(platform)
    desk = Desk(platform, LAST_DAY - timedelta(days=conversations // PER_DAY - 1), LAST_DAY)
    people = [("chat", "live_helper_chat", name) for name in ("user", "department")]
    people += [("sheets", "tabular", name) for name in ("identity", "team_assignment", "roster")]
    desk.load("warehouse_people.sql", people, desk.first_day - timedelta(days=1), LAST_DAY + timedelta(days=3))
    # Indexes after the rows, as any first load would.
    indexes = without_indexes(desk, ("chat", "message", "survey_item"))
    desk.fill(desk.first_day, desk.last_day)
    for statement in indexes:
        desk.execute(statement)
    return desk


def without_indexes(desk: Desk, entities: tuple[str, ...]) -> list[str]:
    """Drops the indexes of empty logs; returns the statements that make them again."""
    with desk.platform.warehouse.connect(Role.OWNER) as connection:
        found = connection.execute(
            "select indexname::text, indexdef from pg_indexes where schemaname = 'raw_live_helper_chat'"
            " and tablename = any(%s)",
            [list(entities)],
        ).fetchall()
        for name, _ in found:
            connection.execute(sql.SQL("drop index {}").format(sql.Identifier("raw_live_helper_chat", name)))
    return [definition for _, definition in found]


def built(desk: Desk, full_refresh: bool) -> tuple[float, float, int]:
    """Builds what the metric values need; returns dbt's execution seconds, its start-up and the number of models."""
    started = time.perf_counter()
    results = build_models(desk.platform, "+metric_value", full_refresh=full_refresh)
    elapsed = time.perf_counter() - started
    failed = [f"{r['node']}: {r['message']}" for r in results if r["status"] != "success"]
    if failed:
        raise SystemExit("\n".join(failed))
    seconds = sum(float(str(r["seconds"])) for r in results)
    return seconds, elapsed - seconds, len(results)

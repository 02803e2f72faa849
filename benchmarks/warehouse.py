"""How long the warehouse takes to build, beside SQL written by hand for four of its numbers, in one run on one server.

    python benchmarks/warehouse.py [--conversations 1000000] [--afresh]

Fills the version logs of a chat desk with 100 days of conversations, eight messages each, and those of a smaller desk
with as many conversations in 1,000 days and with its last 100 days alone, then prints one table:

1. `warehouse.sql`: first response, turn time, handle time and satisfaction by agent, team and day, by hand;
2. our full build of everything that the metric values need, and its tables copied, which is the least it can take;
3. one more day (1 %) with clocks a day later, built by what both make dirty; and a day of the smaller desk after both
   of its histories: even 100 days are longer than any window of days, so what grows there grows with history alone;
4. a build with nothing new;
5. the statements of `warehouse.sql` as plain views, read once.

Seconds of builds are sums of dbt's own execution times, several models at once; its start-up and the seconds of the
clock are shown apart. The numbers of 1 must be among those of 2 and 3. Every finished step is kept in the data folder:
a run that was stopped goes on after the last one.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from kefu.pipeline import live_line
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import prepare
from kefu.pipeline.transform import run_models, start_run
from kefu.settings import Settings, settings
from kefu.warehouse import Role

HERE = Path(__file__).parent
DAYS, LONG = 100, 1000
# The last day before the instant of the clocks of the demo period, so that the new day lies before it too.
LAST_DAY = date(2026, 11, 22)
NEW_DAY = LAST_DAY + timedelta(days=1)
# What the views may take before they are given up.
PATIENCE = "60min"
# Sums of whole seconds do not round: the numbers of both ways are the same to the last digit.
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
    per_day: int

    def execute(self, statement: str) -> Any:
        """Runs a statement and returns its first row."""
        with self.platform.warehouse.connect(Role.OWNER, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchone() if cursor.description else None

    def load(self, file: str, entities: list[tuple[str, str, str]], first: date, last: date) -> None:
        """Runs a file that writes rows and records the load."""
        (loads,) = self.execute("select coalesce(max(load_seq), 0) from ops.load")
        values = {"load_seq": loads + 1, "per_day": self.per_day}
        days = {"first_day": first.isoformat(), "last_day": last.isoformat()}
        with self.platform.warehouse.connect(Role.OWNER) as connection:
            literal = {key: sql.Literal(value).as_string(connection) for key, value in (values | days).items()}
            connection.execute(((HERE / file).read_text("utf-8") % literal).encode())
            connection.execute("insert into ops.run (run_id, kind) values ('bench', 'daily') on conflict do nothing")
            for number, (source, system, entity) in enumerate(entities, loads + 1):
                connection.execute(
                    "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
                    " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule,"
                    " started_at) values (%s, 'bench', %s, %s, %s, 1, 1, 0, 0, 0, 0, '{}', clock_timestamp())",
                    [number, source, system, entity],
                )

    def fill(self, first: date, last: date) -> None:
        """Writes the conversations of some days."""
        entities = [("chat", "live_helper_chat", name) for name in ("chat", "message", "survey_item")]
        self.load("warehouse_data.sql", entities, first, last)
        for _, system, entity in entities:
            self.execute(f"vacuum analyze raw_{system}.{entity}")

    def make(self, days: int) -> None:
        """Makes the database anew with a history of so many days."""
        self.platform.warehouse.ensure_running()
        server = {**self.platform.warehouse.parameters(Role.OWNER), "dbname": "postgres"}
        name = sql.Identifier(self.platform.warehouse.database)
        with psycopg.connect(**server, autocommit=True) as owner:  # type: ignore[arg-type]
            owner.execute(sql.SQL("drop database if exists {} with (force)").format(name))
            owner.execute(sql.SQL("create database {}").format(name))
        prepare(self.platform)
        people = [("chat", "live_helper_chat", name) for name in ("user", "department")]
        people += [("sheets", "tabular", name) for name in ("identity", "team_assignment", "roster")]
        first = LAST_DAY - timedelta(days=days - 1)
        self.load("warehouse_people.sql", people, first - timedelta(days=1), NEW_DAY + timedelta(days=2))
        # Indexes after the rows, as any first load would.
        with self.platform.warehouse.connect(Role.OWNER) as connection:
            indexes = connection.execute(
                "select indexname::text, indexdef from pg_indexes where schemaname = 'raw_live_helper_chat'"
                " and tablename in ('chat', 'message', 'survey_item')"
            ).fetchall()
            for index, _ in indexes:
                connection.execute(sql.SQL("drop index {}").format(sql.Identifier("raw_live_helper_chat", index)))
        self.fill(first, LAST_DAY)
        for _, definition in indexes:
            self.execute(definition)

    def by_hand(self, *, as_views: bool = False) -> float:
        """Runs the SQL by hand, its tables as views if asked for; returns the seconds it took."""
        text = (HERE / "warehouse.sql").read_text("utf-8")
        if as_views:
            text = re.sub(r"(?m)^create temp table", "create temp view", re.sub(r"(?m)^analyze .*$", "", text))
        most = self.platform.catalogue.defaults.rating.max_per_customer_agent
        with self.platform.warehouse.connect(Role.OWNER) as connection:
            connection.execute("drop schema if exists bench_hand cascade")
            connection.execute("create schema bench_hand")
            connection.execute("set search_path = bench_hand")
            connection.execute(f"set statement_timeout = '{PATIENCE}'".encode())
            started = time.perf_counter()
            connection.execute((text % {"most_per_customer": str(most)}).encode())
            if not as_views:
                connection.commit()
            return time.perf_counter() - started

    def copied(self) -> float:
        """Copies every table of the build with its indexes and statistics; returns the seconds it took.

        No build of these tables can be faster, however little its queries compute.
        """
        with self.platform.warehouse.connect(Role.OWNER) as connection:
            connection.execute("drop schema if exists bench_copy cascade")
            connection.execute("create schema bench_copy")
            tables = connection.execute(
                "select schemaname::text, tablename::text from pg_tables where schemaname ~ '^wh_'"
            ).fetchall()
            started = time.perf_counter()
            for schema, table in tables:
                copy = sql.Identifier("bench_copy", f"{schema}_{table}")
                connection.execute(
                    sql.SQL("create table {} as select * from {}").format(copy, sql.Identifier(schema, table))
                )
                for (definition,) in connection.execute(
                    "select substring(indexdef from ' USING .*') from pg_indexes where schemaname = %s"
                    " and tablename = %s",
                    [schema, table],
                ).fetchall():
                    connection.execute(sql.SQL("create index on {} {}").format(copy, sql.SQL(definition)))
                connection.execute(sql.SQL("analyze {}").format(copy))
            seconds = time.perf_counter() - started
            connection.execute("drop schema bench_copy cascade")
            return seconds

    def agreeing(self) -> str:
        """Returns how many numbers of both ways there are and how many of them agree."""
        found, same = self.execute(COMPARED)
        return f"{same:,} of {found:,}"

    def build(self, run_id: str, days_before: int = 0) -> dict[str, Any]:
        """Builds what the metric values need, by the clocks of the period or of some days before.

        Returns dbt's seconds, those of the clock, its start-up, the models and the slowest ones.
        """
        scope = self.platform.scope(self.platform.period())
        scope = replace(scope, as_of=scope.as_of - timedelta(days=days_before))
        start_run(self.platform, run_id, "daily", {})
        base = live_line.begin(self.platform, scope, run_id)
        started = time.perf_counter()
        results = run_models(self.platform, scope, ["run"], ["+metric_value"], base)
        elapsed = time.perf_counter() - started
        if failed := [f"{r['node']}: {r['message']}" for r in results if r["status"] != "success"]:
            raise SystemExit("\n".join(failed))
        live_line.finish(self.platform, run_id)
        seconds: defaultdict[str, float] = defaultdict(float)
        for result in results:
            seconds[str(result["node"])] += float(str(result["seconds"]))
        slowest = sorted(seconds.items(), key=lambda item: -item[1])[:15]
        return {
            "seconds": sum(seconds.values()),
            "elapsed": elapsed,
            "start_up": elapsed - _busy(results),
            "models": len(seconds),
            "how": live_line.said(self.platform, run_id),
            "slowest": {name: round(value, 2) for name, value in slowest},
        }


def _busy(results: list[dict[str, Any]]) -> float:
    """Returns the seconds in which at least one model was being made; several are made at once."""
    busy, until = 0.0, 0.0
    for began, ended in sorted((r["began_at"].timestamp(), r["began_at"].timestamp() + r["seconds"]) for r in results):
        busy += max(ended - max(began, until), 0)
        until = max(until, ended)
    return busy


def main(arguments: argparse.Namespace, found: Settings) -> None:
    """Runs all steps that have not run yet and prints the table."""
    console = Console()
    per_day = arguments.conversations // DAYS
    kept = found.kefu_data_dir / f"bench_warehouse_{arguments.conversations}.json"
    done: dict[str, Any] = {} if arguments.afresh or not kept.exists() else json.loads(kept.read_text("utf-8"))
    large = Desk(Platform(found, "kefu_bench"), per_day)
    long, short = (Desk(Platform(found, f"kefu_bench_{name}"), per_day * DAYS // LONG) for name in ("long", "short"))

    def step(name: str, action: Callable[[], Any]) -> Any:
        if name not in done:
            started = time.perf_counter()
            console.print(f"{name} ...", end=" ")
            done[name] = action()
            kept.write_text(json.dumps(done, indent=1), encoding="utf-8")
            console.print(f"{time.perf_counter() - started:.1f} s {done[name] if arguments.verbose else ''}")
        return done[name]

    step("history", lambda: large.make(DAYS))
    hand = step("by hand", large.by_hand)
    full = step("full build", lambda: large.build("full", 1))
    same_full = step("compared", large.agreeing)
    copied = step("copied", large.copied)
    nothing = step("nothing new", lambda: large.build("nothing new", 1))
    step("new day", lambda: large.fill(NEW_DAY, NEW_DAY))
    day = step("increment", lambda: large.build("increment"))
    hand_again = step("by hand again", large.by_hand)
    same_day = step("compared again", large.agreeing)
    days = {}
    for name, desk, length in (("long", long, LONG), ("short", short, DAYS)):
        step(f"{name} history", lambda desk=desk, length=length: desk.make(length))
        step(f"{name} full build", lambda desk=desk: desk.build("full", 1))
        step(f"{name} new day", lambda desk=desk: desk.fill(NEW_DAY, NEW_DAY))
        days[name] = step(f"{name} increment", lambda desk=desk: desk.build("increment"))
    views = step("views", lambda: large.by_hand(as_views=True))

    table = Table(title=f"{arguments.conversations:,} conversations, {8 * arguments.conversations:,} messages")
    for heading in ("what", "seconds", "ratio", "of", "target", "clock", "start-up", "models", "agrees"):
        table.add_column(heading, justify="left" if heading in ("what", "of") else "right")

    def row(what: str, build: dict[str, Any], ratio: float, of: str, target: str, agrees: str = "") -> None:
        table.add_row(
            what, f"{build['seconds']:.1f}", f"{ratio:.3f}", of, target, f"{build['elapsed']:.1f}",
            f"{build['start_up']:.1f}", str(build["models"]), agrees,
        )  # fmt: skip

    table.add_row("SQL by hand", f"{hand:.1f}", "1", "", "", f"{hand:.1f}", "", "", "")
    row("full build", full, full["seconds"] / hand, "SQL by hand", "<= 2.5", same_full)
    table.add_row("its tables copied", f"{copied:.1f}", f"{copied / hand:.3f}", "SQL by hand")
    row("one more day (1 %)", day, day["seconds"] / hand, "SQL by hand", "<= 0.10", same_day)
    row(
        f"a day of the smaller desk after {LONG:,} days", days["long"],
        days["long"]["seconds"] / days["short"]["seconds"], f"the same after {DAYS} days", "<= 1.2",
    )  # fmt: skip
    row(f"the same after {DAYS} days", days["short"], days["short"]["seconds"] / hand, "SQL by hand", "")
    row("nothing new", nothing, nothing["seconds"] / full["seconds"], "full build", "")
    table.add_row("SQL by hand with that day", f"{hand_again:.1f}", f"{hand_again / hand:.3f}", "SQL by hand")
    table.add_row("the same as plain views", f"{views:.1f}", f"{views / hand:.3f}", "SQL by hand")
    console.print(table)
    for name, build in (("full build", full), ("increment", day), ("day after a long history", days["long"])):
        slowest = ", ".join(f"{node} {value}" for node, value in build["slowest"].items())
        console.print(f"slowest of the {name}: {slowest}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--afresh", action="store_true", help="forget the steps of an earlier run")
    parser.add_argument("--verbose", action="store_true", help="print what each step found")
    main(parser.parse_args(), settings())

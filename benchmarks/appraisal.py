"""How long trust and scores take for a whole month, split by step.

    python benchmarks/appraisal.py [--agents 5000] [--afresh]

Makes a database of its own with agents under a plan of twelve metrics, a roster of the month, a value of every metric,
and opinions behind the subjective ones: 30 ratings, 12 reviews and 12 conversations without an answer per agent. Then
it runs what a calculation runs after the metrics are there, and prints one table: estimates of trust, and each model of
the appraisal layer with its tests. Seconds of models are dbt's own execution times, its start-up is shown apart.
The target is 30 s for 5,000 agents on two cores. The database is kept; `--afresh` makes it anew.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import psycopg
import yaml
from psycopg import sql
from rich.console import Console
from rich.table import Table

from kefu.pipeline.context import Platform, Scope
from kefu.pipeline.ingest import prepare
from kefu.pipeline.reliability import estimate
from kefu.pipeline.transform import LAYERS, run_models, start_run
from kefu.settings import Settings, settings
from kefu.warehouse import Role, Warehouse, WarehouseError

HERE = Path(__file__).parent
TARGET_SECONDS = 30
# Metric, points of weight and curve: what an agent of the plan is judged by.
METRICS: dict[str, tuple[int, dict[str, Any]]] = {
    "assignment_response_time": (10, {"kind": "linear", "floor": "0.4", "target": "0.95"}),
    "avg_response_time": (10, {"kind": "linear", "direction": "lower", "floor": "300", "target": "30"}),
    "transfer_out_rate": (8, {"kind": "linear", "direction": "lower", "floor": "0.4", "target": "0.05"}),
    "conversations_handled": (10, {"kind": "attainment", "target": "600", "cap": "120"}),
    "fcr_repeat": (10, {"kind": "piecewise", "knots": [["0.5", 0], ["0.65", 60], ["0.8", 100], ["0.95", 120]]}),
    "attendance_rate": (6, {"kind": "deduction", "target": "1", "points": "2", "per": "0.01"}),
    "exam_score": (6, {"kind": "piecewise", "knots": [["40", 0], ["60", 60], ["90", 100], ["100", 120]]}),
    "csat_rate": (12, {"kind": "piecewise", "knots": [["0.6", 0], ["0.8", 60], ["0.9", 100], ["1", 120]]}),
    "qa_listening_score": (10, {"kind": "piecewise", "knots": [["60", 0], ["75", 60], ["90", 100], ["100", 120]]}),
    "etiquette_score": (6, {"kind": "piecewise", "knots": [["60", 0], ["75", 60], ["90", 100], ["100", 120]]}),
    "professionalism_score": (6, {"kind": "piecewise", "knots": [["60", 0], ["75", 60], ["90", 100], ["100", 120]]}),
    "solution_depth_score": (6, {"kind": "piecewise", "knots": [["60", 0], ["75", 60], ["90", 100], ["100", 120]]}),
}
# Opinions are written below the models of rows, so the test that compares both has nothing to compare.
LEFT_OUT = ("path:models/appraisal/evidence", "evidence_counts_what_metrics_count")
SUBJECTIVE = [name for name in METRICS if name == "csat_rate" or name.endswith("_score")]
SUBJECTIVE.remove("exam_score")


def configured(found: Settings) -> Settings:
    """Returns the settings with a copy of the configuration that has the plan of the benchmark."""
    folder = found.kefu_data_dir / "bench_appraisal"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(found.kefu_config_dir, folder)
    plan = {
        "plan_id": "bench",
        "version": 1,
        "valid_from": "2026-01-01",
        "name": {"zh": "测试方案", "en": "Benchmark plan"},
        "mode": "demo",
        "role": "agent",
        "author": "kefu",
        "grades": {"S": 95, "A": 85, "B": 70, "C": 60},
        "metrics": [
            {
                "metric_id": name,
                "weight": weight,
                "min_n": 1,
                "goal": {"zh": "目标", "en": "Goal"},
                "curve": curve,
            }
            | ({"initial_g": "0.8"} if name in SUBJECTIVE else {})
            for name, (weight, curve) in METRICS.items()
        ],
        "pay": {"base_fen": 200000, "pool": {"budget_fen": 900_000_000}},
    }
    (folder / "plans" / "bench.yml").write_text(yaml.safe_dump(plan, allow_unicode=True), encoding="utf-8")
    periods = folder / "periods.yml"
    declared = yaml.safe_load(periods.read_text("utf-8"))
    declared[-1]["plan_ids"] = ["bench"]
    periods.write_text(yaml.safe_dump(declared, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return found.model_copy(update={"kefu_config_dir": folder})


def execute(platform: Platform, file: str, agents: int) -> None:
    """Runs a file of statements over so many agents."""
    text = (HERE / file).read_text("utf-8") % {"agents": agents}
    with platform.warehouse.connect(Role.OWNER) as connection:
        connection.execute(text.encode())


def make(platform: Platform, agents: int) -> None:
    """Makes the database: people and their roster through the warehouse, values and opinions written below it."""
    platform.warehouse.ensure_running()
    server = {**platform.warehouse.parameters(Role.OWNER), "dbname": "postgres"}
    name = sql.Identifier(platform.warehouse.database)
    with psycopg.connect(**server, autocommit=True) as owner:  # type: ignore[arg-type]
        owner.execute(sql.SQL("drop database if exists {} with (force)").format(name))
        owner.execute(sql.SQL("create database {}").format(name))
    prepare(platform)
    execute(platform, "appraisal_people.sql", agents)
    scope = platform.scope(platform.period())
    start_run(platform, "bench", "daily", {})
    selected = [part for layer in ("core", "kpi") for part in LAYERS[layer].split()]
    failed = [r for r in run_models(platform, scope, ["run"], selected, None) if r["status"] != "success"]
    if failed:
        raise SystemExit("\n".join(f"{r['node']}: {r['message']}" for r in failed))
    execute(platform, "appraisal_values.sql", agents)


def exists(warehouse: Warehouse) -> bool:
    """Tells whether an earlier run has made the database as a whole."""
    try:
        with warehouse.connect(Role.OWNER) as connection:
            found = connection.execute("select to_regclass('wh_kpi.bench_is_made') is not null").fetchone()
        return bool(found and found[0])
    except (psycopg.Error, WarehouseError):
        return False


def appraise(platform: Platform, scope: Scope) -> tuple[dict[str, float], float]:
    """Returns the seconds of every step and of dbt's start-up."""
    started = time.perf_counter()
    estimate(platform, scope)
    steps = {"estimates of trust (statistics)": time.perf_counter() - started}
    started = time.perf_counter()
    results = run_models(
        platform,
        scope,
        ["build", "--exclude-resource-type", "unit_test", "--exclude", *LEFT_OUT],
        LAYERS["appraisal"].split(),
        None,
    )
    elapsed = time.perf_counter() - started
    if failed := [f"{r['node']}: {r['message']}" for r in results if r["status"] not in ("success", "pass")]:
        raise SystemExit("\n".join(failed))
    tests = 0.0
    for result in results:
        seconds = float(str(result["seconds"]))
        if result["status"] == "pass":
            tests += seconds
        else:
            steps[f"model {result['node']}"] = seconds
    steps["tests of the layer"] = tests
    return steps, max(elapsed - sum(steps.values()) + steps["estimates of trust (statistics)"], 0.0)


def main(arguments: argparse.Namespace, found: Settings) -> None:
    """Makes the database unless it is there, runs the steps and prints the table."""
    console = Console()
    platform = Platform(configured(found), f"kefu_bench_appraisal_{arguments.agents}")
    if arguments.afresh or not exists(platform.warehouse):
        console.print("making the database ...")
        make(platform, arguments.agents)
    # The models are read before the clock starts, as a process that ran the layers before has them.
    scope = platform.scope(platform.period())
    run_models(platform, scope, ["run"], ["stg_cfg__plan"], None)
    steps, start_up = appraise(platform, scope)
    with platform.warehouse.connect(Role.OWNER) as connection:
        row = connection.execute(
            "select count(*), count(composite), (select count(*) from wh_appraisal.score_component)"
            " from wh_appraisal.score"
        ).fetchone()
    assert row is not None
    table = Table(title=f"{row[0]:,} agents x {len(METRICS)} metrics: {row[1]:,} scores, {row[2]:,} lines")
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for name, seconds in sorted(steps.items(), key=lambda step: -step[1]):
        table.add_row(name, f"{seconds:.2f}")
    table.add_section()
    table.add_row("estimate and appraisal layer", f"{sum(steps.values()):.2f}")
    table.add_row("start-up of dbt", f"{start_up:.2f}")
    table.add_row("target for 5,000 agents", f"{TARGET_SECONDS}")
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--agents", type=int, default=5000)
    parser.add_argument("--afresh", action="store_true", help="make the database of an earlier run anew")
    main(parser.parse_args(), settings())

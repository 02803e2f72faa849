"""Command line of trust: what subjective metrics weigh, decisions about it, and what is scored twice."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kefu.payroll.close import CHECKER, MAKER
from kefu.payroll.login import connect
from kefu.pipeline.context import Platform
from kefu.pipeline.trust import approve_waiver, factors, override, request_waiver, write_double_scoring
from kefu.settings import settings

app = typer.Typer(no_args_is_help=True, help="How far subjective metrics are trusted, and what people decide about it.")
console = Console(soft_wrap=True)

Metric = Annotated[str, typer.Argument(help="subjective metric, e.g. csat_rate")]
Cohort = Annotated[str, typer.Argument(help="cohort as `kefu trust list` shows it")]
Factor = Annotated[str, typer.Argument(help="factor on the weight, 0 to 1")]
Because = Annotated[str, typer.Option(help="the reason, shown wherever the factor is")]
ForPeriod = Annotated[str | None, typer.Option(help="id in config/periods.yml; the latest unless given")]


@app.command("list")
def list_factors() -> None:
    """Lists the factor of every subjective metric: announced, measured now, and for the next period."""
    table = Table("metric", "cohort", "state", "rho", "announced", "now", "next", "used", "why")
    for row in factors(Platform(settings())):
        numbers = [row[name] for name in ("rho", "g_announced", "g_current", "g_next", "weight_factor")]
        shown = ["" if number is None else f"{number:.2f}" for number in numbers]
        table.add_row(row["metric_id"], row["cohort_key"], row["state"], *shown, row["reason_en"])
        table.add_row(*[""] * 8, row["reason_zh"], end_section=True)
    console.print(table)


@app.command("override")
def override_factor(
    metric: Metric,
    cohort: Cohort,
    factor: Factor,
    because: Because,
    period: ForPeriod = None,
    login: Annotated[str, typer.Option(help="database login that decides; it is recorded")] = CHECKER,
) -> None:
    """Decides a factor as the given login; it holds last and is always shown as a decision."""
    platform = Platform(settings())
    where = (metric, cohort, platform.period(period).period_id)
    with connect(platform, login) as signed_in:
        number = override(platform, signed_in, where, Decimal(factor), because)
    console.print(f"override {number} is recorded; scores follow with the next run", markup=False)


@app.command("waive")
def waive(
    metric: Metric,
    cohort: Cohort,
    factor: Factor,
    because: Because,
    period: ForPeriod = None,
    login: Annotated[str, typer.Option(help="database login that asks; another one approves")] = MAKER,
) -> None:
    """Asks to use a factor for a metric that could not be evaluated; without it the close stays blocked."""
    platform = Platform(settings())
    where = (metric, cohort, platform.period(period).period_id)
    with connect(platform, login) as signed_in:
        number = request_waiver(platform, signed_in, where, Decimal(factor), because)
    console.print(f"waiver {number} waits for another person: kefu trust approve {number}", markup=False)


@app.command("approve")
def approve(
    waiver: Annotated[int, typer.Argument(help="number of the waiver")],
    login: Annotated[str, typer.Option(help="database login that approves; never the one that asked")] = CHECKER,
) -> None:
    """Approves a waiver that somebody else asked for."""
    with connect(Platform(settings()), login) as signed_in:
        approve_waiver(signed_in, waiver)
    console.print(f"waiver {waiver} is approved; scores follow with the next run", markup=False)


@app.command("double-scoring")
def double_scoring(
    out: Annotated[Path, typer.Option(help="CSV to write")] = Path("templates/double_scoring.csv"),
) -> None:
    """Writes the reviews to be scored again, blind, as a sheet to fill and put into inbox/."""
    console.print(f"{out}: {write_double_scoring(Platform(settings()), out)} reviews to score again", markup=False)


@app.command("backfill")
def backfill_period(period: Annotated[str, typer.Argument(help="a period before the first close")]) -> None:
    """Estimates a period before go-live, so that small samples can be drawn to what was usual; nothing is scored."""
    from kefu.pipeline.reliability import backfill

    kept = backfill(Platform(settings()), period, f"backfill {datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
    console.print(f"{period}: {kept} estimates are remembered", markup=False)

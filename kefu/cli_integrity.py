"""Command line of findings about ratings and worked-on numbers: see them, and decide about them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from kefu.payroll.close import CHECKER
from kefu.payroll.login import connect
from kefu.pipeline.context import Platform
from kefu.pipeline.integrity import decide, findings
from kefu.settings import settings

app = typer.Typer(no_args_is_help=True, help="Suspicions about ratings and numbers; people decide.")
console = Console(soft_wrap=True)


@app.command("list")
def list_findings(
    period: Annotated[str | None, typer.Option(help="id in config/periods.yml; the latest unless given")] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(help="suspected, confirmed, dismissed, clear, not_enough_data, not_evaluated; as often as needed"),
    ] = None,
) -> None:
    """Lists findings of the live line: suspected and decided ones unless other states are asked for."""
    found = findings(Platform(settings()), period, tuple(state or ("suspected", "confirmed", "dismissed")))
    table = Table("agent", "rule", "metric", "state", "n", "q", "why")
    for row in found:
        q = "" if row.q_value is None else f"{row.q_value:.2g}"
        table.add_row(row.agent_key, row.rule_id, row.metric_id, row.state, str(row.n), q, row.reason_en)
        table.add_row("", "", "", "", "", "", row.reason_zh, end_section=True)
    console.print(table if found else "nothing of that state")


@app.command("decide")
def decide_finding(
    agent: Annotated[str, typer.Argument(help="personnel number")],
    rule: Annotated[str, typer.Argument(help="rule of the finding, e.g. I1")],
    metric: Annotated[str, typer.Argument(help="metric of the finding, e.g. csat_rate")],
    verdict: Annotated[str, typer.Argument(help="confirmed or dismissed")],
    because: Annotated[str, typer.Option(help="the reason, kept with the decision and shown to the agent")],
    period: Annotated[str | None, typer.Option(help="id in config/periods.yml; the latest unless given")] = None,
    login: Annotated[str, typer.Option(help="database login that decides; it is recorded")] = CHECKER,
) -> None:
    """Records a decision about a finding as the given login. A later decision about it counts instead."""
    platform = Platform(settings())
    with connect(platform, login) as signed_in:
        number = decide(platform, signed_in, (period, agent, rule, metric), verdict, because)
    console.print(f"decision {number} is recorded; scores follow with the next run", markup=False)

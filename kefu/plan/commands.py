"""`kefu plan`: check, show, compare and try out appraisal plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bi.spec import Language
from kefu.pipeline.context import Platform
from kefu.settings import settings
from kefu.warehouse import Role

if TYPE_CHECKING:
    from kefu.catalogue.plans import Plan
    from kefu.plan.simulate import Change, Simulation

plan_app = typer.Typer(no_args_is_help=True, help="Appraisal plans: check, show, compare, try out.")
console = Console(soft_wrap=True)
PlanName = Annotated[str, typer.Argument(help="id in config/plans/ or path of a file")]
Lang = Annotated[Language, typer.Option(help="language of the answer")]


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False)


@plan_app.command()
def validate(
    file: Annotated[str | None, typer.Argument(help="id or path of a plan; else all of config/plans/")] = None,
    approval: Annotated[bool, typer.Option(help="also ask the warehouse for the approvals of real periods")] = False,
) -> None:
    """Checks plans against the guard rails; a problem names plan, metric, found, expected and remedy."""
    from kefu.plan.files import late_approvals, plan_of

    platform = Platform(settings())
    plans = [plan_of(file, platform.catalogue)] if file else list(platform.catalogue.plans.values())
    for plan in plans:
        _say(f"{plan.plan_id} version {plan.version} from {plan.valid_from} ({plan.mode}): valid")
    late = late_approvals(platform) if approval else []
    for problem in late:
        _say(problem)
    if late:
        raise typer.Exit(1)


@plan_app.command()
def show(plan: PlanName, lang: Lang = "en") -> None:
    """Shows a plan in words: metrics, weights, curves, goals, gates and pay."""
    from kefu.plan.files import plan_of
    from kefu.plan.show import columns, heading, lines, rules
    from kefu.plan.words import Words

    catalogue = Platform(settings()).catalogue
    found, words = plan_of(plan, catalogue), Words(catalogue, lang)
    table = Table(*columns(words), title=heading(found, words))
    for line in lines(found, words):
        table.add_row(*line)
    console.print(table)
    for rule in rules(found, catalogue, words.language).values():
        _say(f"- {rule}")


@plan_app.command()
def diff(
    plan_id: str,
    before: Annotated[str, typer.Argument(help="an applied version, or `file` for what config/ says")],
    after: Annotated[str, typer.Argument(help="the same")],
    lang: Lang = "en",
) -> None:
    """Says in words what changed between two versions of a plan."""
    from kefu.plan.diff import changes
    from kefu.plan.files import applied, plan_of

    platform = Platform(settings())

    def version(name: str) -> Plan:
        return plan_of(plan_id, platform.catalogue) if name == "file" else applied(platform, plan_id, int(name))

    found = changes(version(before), version(after), platform.catalogue, lang)
    for sentence in found or ["nothing changed"]:
        _say(sentence)


@plan_app.command()
def simulate(
    plan: PlanName,
    periods: Annotated[int, typer.Option(min=1, help="how many of the latest closed periods")] = 1,
    instead_of: Annotated[str | None, typer.Option(help="id of the plan it replaces, where that is not clear")] = None,
    people: Annotated[int, typer.Option(min=0, help="winners and losers shown of each")] = 5,
    csv: Annotated[Path | None, typer.Option(help="write every person's numbers here")] = None,
    login: Annotated[str, typer.Option(help="database login that reads; it is recorded")] = Role.AUDITOR.value,
    purpose: Annotated[
        str | None, typer.Option(help="what for, kept in the access log; a real period needs it")
    ] = None,
) -> None:
    """Scores the latest closed periods under a plan: winners and losers, ranks, cost, and whether groups differ."""
    from kefu.payroll import Reader
    from kefu.plan.files import plan_of
    from kefu.plan.simulate import as_csv
    from kefu.plan.simulate import simulate as run

    platform = Platform(settings())
    who = Reader(login, "kefu plan simulate", purpose)
    found = run(platform, who, plan_of(plan, platform.catalogue), periods, instead_of)
    for simulation in found:
        _print(simulation, people)
    if csv:
        csv.write_text(as_csv(found), encoding="utf-8")
        _say(f"written: {csv}")


def _print(simulation: Simulation, people: int) -> None:
    old, new = simulation.replaced, simulation.proposed
    _say("")
    _say(
        f"{simulation.period_id}: {new.plan_id} version {new.version} instead of {old.plan_id} version {old.version}, "
        f"{len(simulation.changes)} people"
    )
    same = len(simulation.changes) - len(simulation.mismatched)
    _say(f"  the plan in force gives {same} of {len(simulation.changes)} closed composites again")
    if simulation.mismatched:
        _say(f"  not those of {', '.join(simulation.mismatched[:10])}: data or facts of the period changed since")
    if simulation.unmeasured:
        _say(f"  no stored value of {', '.join(simulation.unmeasured)}: counted as N/A")
    lost = sum(one.before.composite is not None and one.after.composite is None for one in simulation.changes)
    if lost:
        _say(f"  {lost} people would no longer have enough evidence for a score")
    _say(f"  rank correlation {simulation.tau:.2f} (Kendall), {simulation.regraded} people change grade")
    if new.forced_distribution:
        _say("  grades by quotas: the last rank is not incompetence, and this is no list for dismissals")
    ranked = [change for change in simulation.changes if change.points is not None]
    ranked.sort(key=lambda change: (-(change.points or 0), change.person.agent_key))
    table = Table("agent", "team", "score", "change", "grade", "CNY", title="winners and losers")
    cut = 2 * people < len(ranked)
    for place, change in enumerate([*ranked[:people], *ranked[len(ranked) - people :]] if cut else ranked):
        if cut and place == people:
            table.add_row(*["…"] * 6)
        table.add_row(*_row(change))
    if table.row_count:
        console.print(table)
    if new.pay or old.pay:
        _print_cost(simulation)
    table = Table("group", "", "people", "mean change", "against the others", "95 % interval", title="fairness")
    for group in simulation.groups:
        known = group.difference == group.difference
        table.add_row(
            group.kind, group.group, str(group.people), f"{group.mean_points:+.2f}",
            f"{group.difference:+.2f}" if known else "too few",
            f"{group.low:+.2f} to {group.high:+.2f}" if known else "",
            style="yellow" if group.is_unlike else None,
        )  # fmt: skip
    if simulation.groups:
        console.print(table)


def _row(change: Change) -> list[str]:
    before, after = change.before, change.after
    grade = before.grade if before.grade == after.grade else f"{before.grade} → {after.grade}"
    money = "" if change.fen is None else f"{change.fen / 100:+,.2f}"
    return [
        f"{change.person.agent_name} ({change.person.agent_key})", change.person.team_key,
        f"{before.composite} → {after.composite}", f"{change.points:+}", str(grade), money,
    ]  # fmt: skip


def _print_cost(simulation: Simulation) -> None:
    table = Table("team", "CNY before", "CNY after", "change", title="cost")
    for team in [*simulation.teams, None]:
        before, after = simulation.cost(team)
        table.add_row(
            "all" if team is None else team or "-",
            *(f"{fen / 100:,.2f}" for fen in (before, after)),
            f"{(after - before) / 100:+,.2f}",
        )
    console.print(table)
    goals = simulation.proposed.strategic_goals
    money = simulation.by_goal()
    if goals and sum(money.values()):
        total = sum(money.values())
        parts = (
            f"{goals[goal].en if goal in goals else 'without a score'} {100 * fen / total:.1f} %"
            for goal, fen in sorted(money.items(), key=lambda part: -part[1])
        )
        _say(f"  bonus money by strategic goal: {', '.join(parts)}")

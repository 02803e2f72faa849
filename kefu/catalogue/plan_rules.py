"""Guard rails of plans: what a plan may not do, given the metrics, teams and periods it names (metrics.md 5).

Every message names plan and metric, what was found, what was expected and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from kefu.catalogue.models import Metric
from kefu.catalogue.plans import Plan, PlanMetric, Relative
from kefu.statistics.curves import Attainment, PassZero, Piecewise, Step, Stretch, TargetBand

if TYPE_CHECKING:
    from kefu.catalogue.files import Catalogue

Weights = Mapping[str, Decimal]


def check_plan(plan: Plan, catalogue: Catalogue) -> list[str]:
    """Returns what is wrong with a plan, one line each; nothing when it may be used."""
    known = {entry.metric_id: entry for entry in plan.metrics if entry.metric_id in catalogue.metrics}
    problems = [
        _line(plan, entry.metric_id, "found no such metric in metrics/", "a declared metric", "correct the id")
        for entry in plan.metrics
        if entry.metric_id not in known
    ]
    for entry in known.values():
        problems += _check_entry(plan, entry, catalogue)
    if len(known) == len(plan.metrics):
        problems += _check_weights(plan, catalogue)
    return [*problems, *_check_overlays(plan, catalogue), *_check_pay(plan, catalogue), *_check_quotas(plan, catalogue)]


def check_periods(catalogue: Catalogue) -> list[str]:
    """Returns what is wrong between periods and the plans they name."""
    problems = []
    for period in catalogue.periods.values():
        where = f"periods.yml: {period.period_id}"
        for plan_id in period.plan_ids:
            plan = catalogue.plans.get(plan_id)
            if plan is None:
                problems.append(f"{where}: plan {plan_id} is not declared")
            elif period.mode == "real" and plan.mode == "demo":
                problems.append(f"{where} is real and may not use the demo plan {plan_id}")
            elif plan.version == 1 and plan.valid_from > period.start:
                problems.append(
                    f"{where}: plan {plan_id}: found valid_from {plan.valid_from}, expected {period.start} or earlier, "
                    "because a plan holds before its period starts. Remedy: use it in a later period"
                )
    return problems


def _line(plan: Plan, where: str, found: str, expected: str, remedy: str) -> str:
    return f"plans/{plan.plan_id}.yml: {where}: {found}, expected {expected}. Remedy: {remedy}"


def _check_entry(plan: Plan, entry: PlanMetric, catalogue: Catalogue) -> Iterator[str]:
    metric, score = catalogue.metrics[entry.metric_id], catalogue.defaults.score
    name = entry.metric_id
    if not metric.is_measured_for_agents:
        measured = ", ".join(unit for unit in metric.units if unit != "agent" or "agent" not in metric.needs)
        yield _line(
            plan, name, f"found a metric measured for {measured}", "one measured for agents",
            "take the agents' own metric of the same purpose",
        )  # fmt: skip
    elif metric.kind == "elsewhere":
        yield _line(
            plan, name, "found a result that is computed elsewhere", "a metric with measures of its own",
            "take the metrics it is made of",
        )  # fmt: skip
    if metric.metric_type == "subjective" and entry.initial_g is None:
        yield _line(
            plan, name, "found no initial_g", "the trust in a subjective metric until it is first measured, 0 to 1",
            "add initial_g, e.g. 0.8",
        )  # fmt: skip
    if metric.metric_type == "subjective" and not metric.has_evidence:
        yield _line(
            plan, name, "found a subjective metric without rows that show how far it can be trusted",
            "one with evidence, or an objective one", "take another metric, or declare its evidence in the catalogue",
        )  # fmt: skip
    if metric.metric_type == "objective" and entry.initial_g is not None:
        yield _line(plan, name, f"found initial_g {entry.initial_g}", "none on an objective metric", "remove it")
    if plan.mode == "real" and entry.min_n is not None and entry.min_n < metric.min_n:
        yield _line(
            plan, name, f"found min_n {entry.min_n}", f"the metric's {metric.min_n} or more in a real plan", "raise it",
        )  # fmt: skip
    yield from _check_curve(plan, entry, metric, score.cap)
    if entry.mode == "jd_count" and metric.reliability != "rating":
        yield _line(plan, name, "found mode jd_count", "it on a metric of customer ratings", "take another mode")
    if plan.strategic_goals and entry.strategic_goal is None:
        goals = ", ".join(plan.strategic_goals)
        yield _line(plan, name, "found no strategic_goal", f"one of {goals}", "say what its money is for")


def _check_curve(plan: Plan, entry: PlanMetric, metric: Metric, cap: Decimal) -> Iterator[str]:
    direction = getattr(entry.curve, "direction", None)
    if metric.direction == "band" or isinstance(entry.curve, TargetBand):
        pass
    elif direction is not None and direction.value != metric.direction:
        yield _line(
            plan, entry.metric_id, f"found a curve with direction {direction.value}",
            f"{metric.direction}, the way in which the metric is better", f"write `direction: {metric.direction}`",
        )  # fmt: skip
    if (most := most_points(entry.curve)) > cap:
        yield _line(plan, entry.metric_id, f"found a curve up to {most} points", f"{cap} at most", "lower its top")


def most_points(curve: object) -> Decimal:
    """Returns the most points a curve gives."""
    match curve:
        case Stretch() | Attainment():
            return curve.cap
        case Piecewise():
            return max(points for _, points in curve.knots)
        case Step():
            return max(band.points for band in curve.bands)
        case PassZero():
            return curve.points
        case Relative():
            return Decimal(100)
    return Decimal(100)


def _check_weights(plan: Plan, catalogue: Catalogue) -> Iterator[str]:
    """The guard rails on weights, for the first weights, every stage, and every team in each of them."""
    said: set[tuple[str, str]] = set()
    for day, stage in ((plan.valid_from, None), *((stage.from_, stage.stage_id) for stage in plan.stages)):
        for team in (None, *(overlay.team_id for overlay in plan.overlays)):
            weights = plan.weights_on(day, team)
            place = " and ".join([f"stage {stage}"] * bool(stage) + [f"team {team}"] * bool(team))
            for where, rest in _wrong_weights(weights, catalogue):
                # What the plan itself has wrong is not said again for its stages and teams.
                if (where, rest) not in said:
                    yield f"plans/{plan.plan_id}.yml: {where}: " + (f"in {place}, " if place else "") + rest
                said.add((where, rest))
            yield from _lost_overlay(plan, day, stage, team)


def _lost_overlay(plan: Plan, day: date, stage: str | None, team: str | None) -> Iterator[str]:
    overlay = next((overlay for overlay in plan.overlays if overlay.team_id == team), None)
    absent = sorted(set(overlay.points) - set(plan.weights_on(day))) if overlay else []
    if absent:
        yield _line(
            plan, f"overlay of {team}", f"found points for {absent}, which stage {stage} leaves out",
            "metrics that count in every stage", "take other metrics",
        )  # fmt: skip


def _wrong_weights(weights: Weights, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    limits, metrics = catalogue.defaults.plan, catalogue.metrics
    low, high = limits.weight
    for name, weight in weights.items():
        if not low <= weight <= high:
            yield name, f"found weight {weight}, expected {low} to {high}. Remedy: move weight from or to other metrics"
    of = {
        what: {
            name: weight for name, weight in weights.items()
            if {name, metrics[name].dimension} & set(getattr(limits, what))
        }
        for what in ("speed", "volume", "quality")
    }  # fmt: skip
    subjective = sum(weight for name, weight in weights.items() if metrics[name].metric_type == "subjective")
    if subjective > limits.subjective:
        yield (
            "subjective metrics",
            (
                f"found {subjective} points together, expected {limits.subjective} at most. Remedy: move weight to "
                "objective metrics"
            ),
        )
    if of["volume"] and not of["quality"]:
        yield (
            ", ".join(of["volume"]),
            (
                "found volume without quality, expected a quality metric beside it, because many contacts are not many "
                "satisfied customers. Remedy: add one, e.g. qa_listening_score or fcr_repeat"
            ),
        )
    best = max(of["quality"].values(), default=Decimal(0))
    for name, weight in of["speed"].items():
        if best < (least := weight * limits.pair):
            yield (
                name,
                (
                    f"found a speed metric of {weight} beside a largest quality metric of {best}, expected {least:f} "
                    "or more. Remedy: raise a quality metric or lower the speed"
                ),
            )
    fast, good = sum(of["speed"].values(), Decimal(0)), sum(of["quality"].values(), Decimal(0))
    if good < (least := fast * limits.pair):
        yield (
            "speed metrics",
            (
                f"found {fast} points of speed beside {good} of quality, expected {least:f} at least. Remedy: raise "
                "quality metrics or lower speed"
            ),
        )


def _check_overlays(plan: Plan, catalogue: Catalogue) -> Iterator[str]:
    limit = catalogue.defaults.plan.overlay
    if unknown := sorted(set(plan.teams) - set(catalogue.objects["team"])):
        yield _line(
            plan, "teams", f"found {', '.join(unknown)}", f"teams of {', '.join(catalogue.objects['team'])}",
            "declare them in teams.yml",
        )  # fmt: skip
    for overlay in plan.overlays:
        if overlay.team_id not in catalogue.objects["team"]:
            yield _line(
                plan, f"overlay of {overlay.team_id}", f"found no team {overlay.team_id}",
                f"one of {', '.join(catalogue.objects['team'])}", "declare it in teams.yml",
            )  # fmt: skip
        for name, points in overlay.points.items():
            if abs(points) > limit:
                yield _line(
                    plan, name, f"found an overlay of {points:+} for team {overlay.team_id}", f"-{limit} to +{limit}",
                    "give the team a plan of its own",
                )  # fmt: skip


def _check_pay(plan: Plan, catalogue: Catalogue) -> Iterator[str]:
    if plan.pay is None:
        return
    cap = catalogue.defaults.coef.cap
    if plan.pay.coef and plan.pay.coef[-1][1] > cap:
        yield _line(plan, "pay: coef", f"found a coefficient of {plan.pay.coef[-1][1]}", f"{cap} at most", "lower it")
    piece = plan.pay.piece
    if piece is None:
        return
    metrics = catalogue.metrics
    for field, name, kinds, expected in (
        ("metric_id", piece.metric_id, ("count",), "a count of agents"),
        ("quality_metric_id", piece.quality_metric_id, ("score",), "a score from 0 to 100 of agents"),
    ):
        metric = metrics.get(name)
        if metric is None or "agent" not in metric.units or metric.unit not in kinds or metric.kind == "elsewhere":
            found = f"found {field} {name}" + ("" if metric else ", which is no metric")
            yield _line(plan, f"pay: piece: {name}", found, expected, "name another metric")


def _check_quotas(plan: Plan, catalogue: Catalogue) -> Iterator[str]:
    if plan.forced_distribution is None:
        return
    if not catalogue.defaults.forced_distribution.enabled:
        yield _line(
            plan, "forced_distribution", "found quotas of grades", "none while forced_distribution is not enabled",
            "leave them out, or set forced_distribution.enabled in defaults.yml",
        )  # fmt: skip
    least = catalogue.defaults.forced_distribution.min_cohort
    grades = [*plan.grades, catalogue.defaults.score.lowest_grade]
    if list(plan.forced_distribution.quotas) != grades:
        yield _line(
            plan, "forced_distribution", f"found quotas of {', '.join(plan.forced_distribution.quotas)}",
            f"the grades {', '.join(grades)} in this order", "give each grade a share",
        )  # fmt: skip
    asked = plan.forced_distribution.min_cohort
    if asked is not None and asked < least:
        yield _line(
            plan, "forced_distribution", f"found min_cohort {asked}", f"{least} or more", "raise it or leave it out"
        )

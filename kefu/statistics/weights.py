"""Effective weights of a plan's metrics for one agent (reliability.md 4).

An independent reference of the SQL models: exact fractions inside, decimals with 10 places outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from kefu.catalogue.defaults import WeightMultiplier, WeightRules
from kefu.statistics.reliability import g_of
from kefu.statistics.rounding import INTERMEDIATE_PLACES, largest_remainder

FULL = 100
NEUTRAL = "(neutral)"
"""Name of the neutral block beside the metrics; no metric id has brackets."""


class NullReason(StrEnum):
    """Why a metric says nothing about an agent. A missed exam or missing invitations are never among them."""

    NOT_APPLICABLE = "not_applicable"
    NOT_MEASURED = "not_measured"
    BELOW_MIN_N = "below_min_n"
    EXEMPT = "exempt"
    LONG_LEAVE = "long_leave"


class Status(StrEnum):
    """Whether an agent's own data carry a composite."""

    SCORED = "scored"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


@dataclass(frozen=True, slots=True)
class WeightedMetric:
    """One metric of a plan for one agent.

    `weight` is the plan's, of 100. `g` is the cohort's factor, 1 for objective metrics, and `agent_g` the smaller one
    of an agent whose own opinions are few or picked (mode downweight). `has_own_data` is false when the score is the
    cohort's mean alone. `is_confirmed` keeps a metric with a confirmed integrity finding at its cohort weight.
    """

    metric: str
    weight: Decimal
    dimension: str
    is_subjective: bool = False
    g: Decimal = Decimal(1)
    null_reason: NullReason | None = None
    has_own_data: bool = True
    agent_g: Decimal | None = None
    is_confirmed: bool = False

    @property
    def factor(self) -> Decimal:
        """The factor on the weight: the agent's own where one is known, the cohort's with a confirmed finding."""
        return self.g if self.agent_g is None or self.is_confirmed else min(self.g, self.agent_g)

    def is_na(self, rules: WeightRules) -> bool:
        """Tells whether the metric is N/A; few ratings alone shed the weight only in mode `suppress`.

        A metric with a confirmed finding is never N/A: no finding may free the weight of who has it.
        """
        if self.is_confirmed:
            return False
        if self.null_reason is NullReason.BELOW_MIN_N:
            return rules.mode == "suppress"
        return self.null_reason is not None


@dataclass(frozen=True, slots=True)
class EffectiveWeights:
    """Weight of each metric and of the neutral block; together exactly 100. `own_data` is the part on own data."""

    weights: Mapping[str, Decimal]
    neutral: Decimal
    own_data: Decimal
    status: Status


def _check(metrics: Sequence[WeightedMetric]) -> None:
    listed = ", ".join(f"{metric.metric} {metric.weight}" for metric in metrics)
    total = sum((metric.weight for metric in metrics), Decimal(0))
    if total != FULL:
        raise ValueError(f"weights add up to {total}, expected exactly {FULL}: {listed}; correct the plan")
    if len({metric.metric for metric in metrics}) < len(metrics):
        raise ValueError(f"a metric appears twice: {listed}; merge its weights")
    for metric in metrics:
        if metric.weight < 0:
            raise ValueError(f"{metric.metric}: found weight {metric.weight}, expected 0 or more")
        if not 0 <= metric.g <= 1:
            raise ValueError(f"{metric.metric}: found g {metric.g}, expected 0 to 1")
        if metric.g != 1 and not metric.is_subjective:
            raise ValueError(f"{metric.metric}: found g {metric.g}, expected 1; only subjective metrics lose weight")


def _pour(into: Sequence[WeightedMetric], freed: Fraction, held: dict[str, Fraction], cap: Fraction) -> None:
    """Adds freed weight in proportion to plan weights, up to the cap, as long as there is weight and room."""
    while freed and (open_metrics := [one for one in into if held[one.metric] < cap * Fraction(one.weight)]):
        unit = freed / sum(Fraction(metric.weight) for metric in open_metrics)
        for metric in open_metrics:
            weight = Fraction(metric.weight)
            added = min(unit * weight, cap * weight - held[metric.metric])
            held[metric.metric] += added
            freed -= added


def agent_factor(rho_agent: Decimal | None, rules: WeightMultiplier) -> Decimal | None:
    """Returns the factor of an agent's own opinions in mode `downweight`; None when it is not known.

    The factor on the weight is the smaller one of it and the cohort's, because the step from rho to g never falls.
    """
    return None if rho_agent is None else g_of(rho_agent, rules)


def effective_weights(
    metrics: Sequence[WeightedMetric],
    rules: WeightRules,
    substitutions: Mapping[str, Mapping[str, Decimal]] | None = None,
) -> EffectiveWeights:
    """Returns the weights after reliability and N/A, by the algorithm of reliability.md 4.2.

    Freed weight goes to objective metrics of the same dimension (scope `dimension_first`), then of the whole plan, then
    to trusted subjective ones (g = 1), never above `cap` times the plan's weight; the rest is the neutral block. Scope
    `none` leaves all of it there. With `substitutions` (metric to receivers and their shares of its freed weight) the
    published table counts instead, and a receiver without data or full trust takes nothing. Every weight is rounded to
    10 places by largest remainder.

    Raises:
        ValueError: the weights do not add up to 100, a metric appears twice, or a weight or g is out of range.
    """
    _check(metrics)
    measured = [metric for metric in metrics if not metric.is_na(rules)]
    cap = Fraction(rules.cap)
    held = {metric.metric: Fraction(0) for metric in metrics}
    for metric in measured:
        held[metric.metric] = Fraction(metric.weight) * Fraction(metric.factor)
    objective = [metric for metric in measured if not metric.is_subjective]
    trusted = [metric for metric in measured if metric.is_subjective and metric.factor == 1]

    def freed(among: Sequence[WeightedMetric]) -> Fraction:
        return sum((Fraction(metric.weight) - held[metric.metric] for metric in among), Fraction(0))

    if substitutions is not None:
        _substitute(metrics, [*objective, *trusted], substitutions, held, cap)
    elif rules.scope != "none":
        if rules.scope == "dimension_first":
            for dimension in {metric.dimension for metric in metrics}:
                within = [metric for metric in metrics if metric.dimension == dimension]
                _pour([metric for metric in within if metric in objective], freed(within), held, cap)
        _pour(objective, freed(metrics), held, cap)
        _pour(trusted, freed(metrics), held, cap)
    weights = largest_remainder({**held, NEUTRAL: freed(metrics)}, FULL, INTERMEDIATE_PLACES)
    neutral = weights.pop(NEUTRAL)
    own_data = sum(
        (weights[metric.metric] for metric in measured if metric.has_own_data or metric.is_confirmed), Decimal(0)
    )
    status = Status.SCORED if own_data >= rules.min_own_data else Status.INSUFFICIENT_EVIDENCE
    return EffectiveWeights(weights, neutral, own_data, status)


def _substitute(
    metrics: Sequence[WeightedMetric],
    receivers: Sequence[WeightedMetric],
    substitutions: Mapping[str, Mapping[str, Decimal]],
    held: dict[str, Fraction],
    cap: Fraction,
) -> None:
    """Adds each freed weight where the table says, up to the cap."""
    given = {metric.metric: Fraction(metric.weight) - held[metric.metric] for metric in metrics}
    for metric in receivers:
        share = sum(
            (
                given[source] * Fraction(to[metric.metric])
                for source, to in substitutions.items()
                if metric.metric in to
            ),
            Fraction(0),
        )
        held[metric.metric] += min(share, (cap - 1) * Fraction(metric.weight))


def shown_weights(weights: EffectiveWeights) -> dict[str, Decimal]:
    """Returns the weights and the neutral block with 2 decimals, adding up to 100.00 by largest remainder."""
    return largest_remainder({**weights.weights, NEUTRAL: weights.neutral}, FULL, 2)

"""Effective weights of a plan's metrics for one agent (reliability.md 4).

An independent reference of the SQL models: exact fractions inside, decimals with 10 places outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from kefu.catalogue.defaults import WeightRules
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

    `weight` is the plan's, of 100. `g` is the cohort's factor, 1 for objective metrics. `has_own_data` is false when
    the score is the cohort's mean alone.
    """

    metric: str
    weight: Decimal
    dimension: str
    is_subjective: bool = False
    g: Decimal = Decimal(1)
    null_reason: NullReason | None = None
    has_own_data: bool = True

    def is_na(self, rules: WeightRules) -> bool:
        """Tells whether the metric is N/A; few ratings alone shed the weight only in mode `suppress`."""
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


def effective_weights(metrics: Sequence[WeightedMetric], rules: WeightRules) -> EffectiveWeights:
    """Returns the weights after reliability and N/A, by the algorithm of reliability.md 4.2.

    Freed weight goes to objective metrics of the same dimension (scope `dimension_first`), then of the whole plan, then
    to trusted subjective ones (g = 1), never above `cap` times the plan's weight; the rest is the neutral block. Scope
    `none` leaves all of it there. Every weight is rounded to 10 places by largest remainder.

    Raises:
        ValueError: the weights do not add up to 100, a metric appears twice, or a weight or g is out of range.
    """
    _check(metrics)
    measured = [metric for metric in metrics if not metric.is_na(rules)]
    cap = Fraction(rules.cap)
    held = {metric.metric: Fraction(0) for metric in metrics}
    for metric in measured:
        held[metric.metric] = Fraction(metric.weight) * Fraction(metric.g)
    objective = [metric for metric in measured if not metric.is_subjective]

    def freed(among: Sequence[WeightedMetric]) -> Fraction:
        return sum((Fraction(metric.weight) - held[metric.metric] for metric in among), Fraction(0))

    if rules.scope == "dimension_first":
        for dimension in {metric.dimension for metric in metrics}:
            within = [metric for metric in metrics if metric.dimension == dimension]
            _pour([metric for metric in within if metric in objective], freed(within), held, cap)
    if rules.scope != "none":
        _pour(objective, freed(metrics), held, cap)
        trusted = [metric for metric in measured if metric.is_subjective and metric.g == 1]
        _pour(trusted, freed(metrics), held, cap)
    weights = largest_remainder({**held, NEUTRAL: freed(metrics)}, FULL, INTERMEDIATE_PLACES)
    neutral = weights.pop(NEUTRAL)
    own_data = sum((weights[metric.metric] for metric in measured if metric.has_own_data), Decimal(0))
    status = Status.SCORED if own_data >= rules.min_own_data else Status.INSUFFICIENT_EVIDENCE
    return EffectiveWeights(weights, neutral, own_data, status)

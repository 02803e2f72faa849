"""From composite to money in exact decimals: findings, gates, grades, bonus, pieces (reliability.md 4.4, 5, 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from statistics import median

from kefu.catalogue.defaults import Coefficient, Piece, Score
from kefu.statistics.curves import interpolate
from kefu.statistics.rounding import INTERMEDIATE_PLACES, fen, half_up, largest_remainder
from kefu.statistics.weights import NEUTRAL, EffectiveWeights, Status


@dataclass(frozen=True, slots=True)
class Composite:
    """Points of every metric and of the neutral block, and their exact sum, unrounded further."""

    lines: Mapping[str, Decimal]
    value: Decimal

    def published(self, rules: Score) -> Decimal:
        """Returns the score people see; grade and coefficient are taken from it."""
        return half_up(self.value, rules.publish_dp)


def composite(
    weights: EffectiveWeights, scores: Mapping[str, Decimal], neutral_score: Decimal | None, rules: Score
) -> Composite:
    """Returns weight x score / 100 of each metric, rounded half-up per line, and the sum of the lines.

    Raises:
        ValueError: a metric or the neutral block carries weight and has no score.
    """
    weight_of = {**weights.weights, NEUTRAL: weights.neutral}
    score_of = {**scores, NEUTRAL: neutral_score}
    lines = {}
    for name, weight in weight_of.items():
        score = score_of.get(name)
        if weight and score is None:
            raise ValueError(f"{name}: carries weight {weight} and has no score; score it or make it N/A")
        lines[name] = half_up(Fraction(weight) * Fraction(score or 0) / 100, rules.store_dp)
    return Composite(lines, sum(lines.values(), Decimal(0)))


def neutral_score(cohort: Iterable[tuple[EffectiveWeights, Mapping[str, Decimal]]]) -> Decimal | None:
    """Returns the median over the cohort's scored agents of their composite of measured metrics alone, 0-120.

    None when no agent has enough evidence; then nobody needs it, because without a neutral score nobody is scored.
    """
    composites: list[Fraction] = []
    for weights, scores in cohort:
        if weights.status is Status.SCORED:
            measured = {name: Fraction(weight) for name, weight in weights.weights.items() if weight}
            points = sum((weight * Fraction(scores[name]) for name, weight in measured.items()), Fraction(0))
            composites.append(points / sum(measured.values(), Fraction(0)))
    return half_up(median(composites), INTERMEDIATE_PLACES) if composites else None


def grade(published: Decimal, rules: Score) -> str:
    """Returns the best grade whose limit the published score reaches."""
    reached = [(limit, name) for name, limit in rules.grades.items() if published >= limit]
    return max(reached)[1] if reached else rules.lowest_grade


def coefficient(published: Decimal, rules: Coefficient) -> Decimal:
    """Returns the pay coefficient of a published score, straight between the plan's knots, with 10 decimals."""
    return half_up(interpolate(rules.knots, published), INTERMEDIATE_PLACES)


def piece_pay_fen(
    handled: int, baseline: Decimal, present_share: Decimal, rate_fen: Decimal, listening_score: Decimal, rules: Piece
) -> int:
    """Returns the piece pay in fen for work above the baseline, which shrinks with the share of hours present (q)."""
    k_qa = rules.k_qa[max(limit for limit in rules.k_qa if listening_score >= limit)]
    above = max(Fraction(0), handled - Fraction(baseline) * Fraction(present_share))
    return fen(above * Fraction(rate_fen) * Fraction(k_qa))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a metric with a confirmed finding may earn at most (reliability.md 4.4).

    Attributes:
        valid: points of the valid rows; None when none is left.
        all_rows: points if no row were left out; None for metrics that are not made of opinions.
        cohort_median: middle of the cohort's points.
        cohort_low: lower quarter of the cohort's points.
    """

    valid: Decimal | None
    all_rows: Decimal | None
    cohort_median: Decimal
    cohort_low: Decimal

    def least(self, others: Decimal | None) -> Decimal:
        """Returns the points that count; `others` is the weighted mean of the agent's other metrics."""
        limits = (
            (self.valid, self.all_rows, self.cohort_median)
            if self.valid is not None
            else (self.all_rows, self.cohort_low, others)
        )
        return min(limit for limit in limits if limit is not None)


_MARGIN = Fraction(1, 100_000)
"""Points given back beyond what is needed, so that rounding of lines cannot undo it."""


def kept_scores(
    adjusted: EffectiveWeights,
    unflagged: EffectiveWeights,
    scores: Mapping[str, Decimal],
    confirmed: Mapping[str, Confirmed],
    neutral_score: Decimal | None,
) -> dict[str, Decimal]:
    """Returns the points of the metrics with a confirmed finding, so that no finding is ever a benefit.

    `adjusted` are the weights in which these metrics keep theirs, `unflagged` those without any finding; `scores` are
    the points without findings. Where keeping the weight would lift the composite above the one without a finding, the
    metrics give the difference back, each by the same part.
    """
    neutral = Fraction(neutral_score or 0)

    def total(weights: EffectiveWeights, without: Iterable[str] = ()) -> Fraction:
        return sum(
            (
                Fraction(weight) * Fraction(scores[name])
                for name, weight in weights.weights.items()
                if weight and name not in without
            ),
            Fraction(weights.neutral) * neutral,
        )

    rest = {name: weight for name, weight in adjusted.weights.items() if name not in confirmed and weight}
    of_rest = sum(map(Fraction, rest.values()))
    points_of_rest = sum((Fraction(weight) * Fraction(scores[name]) for name, weight in rest.items()), Fraction(0))
    others = half_up(points_of_rest / of_rest, INTERMEDIATE_PLACES) if of_rest else None
    least = {name: finding.least(others) for name, finding in confirmed.items()}
    # Points drawn from the cohort alone, without a valid row, are what the metric earned without the finding.
    least = {name: min(score, scores.get(name, score)) for name, score in least.items()}
    kept = sum((Fraction(adjusted.weights[name]) * Fraction(score) for name, score in least.items()), Fraction(0))
    if kept and any(adjusted.weights[name] != unflagged.weights[name] for name in confirmed):
        room = total(unflagged) - total(adjusted, without=confirmed) - 100 * _MARGIN
        part = min(Fraction(1), max(Fraction(0), room / kept))
        least = {name: half_up(Fraction(score) * part, INTERMEDIATE_PLACES) for name, score in least.items()}
    return least


def extra_points(verified: Iterable[Decimal], total: Decimal, rules: Score) -> Decimal:
    """Returns what verified points change, bonus above 0 and malus below: capped, and no score falls below 0."""
    points = sum(verified, Decimal(0))
    capped = min(rules.bonus_malus, max(-rules.bonus_malus, points))
    return max(half_up(capped, rules.store_dp), -total)


class Effect(StrEnum):
    """What a verified fact does to a score."""

    ZERO = "zero"
    CAP = "cap"
    MULTIPLY = "multiply"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact with a gate; only a verified one has an effect. `value` is the highest score of a cap or a factor."""

    effect: Effect
    is_verified: bool
    value: Decimal | None = None
    grade: str | None = None


@dataclass(frozen=True, slots=True)
class Gated:
    """A score after its gates; `best_grade` is the highest one that is left, None without a limit."""

    value: Decimal
    best_grade: str | None
    is_under_review: bool


def gated(value: Decimal, facts: Iterable[Fact], rules: Score) -> Gated:
    """Returns the score after all gates: the most severe wins; an unverified fact or a hold only asks for a review."""
    facts = list(facts)
    verified = [fact for fact in facts if fact.is_verified]

    def after(fact: Fact) -> Decimal:
        if fact.effect is Effect.ZERO:
            return Decimal(0)
        if fact.effect is Effect.MULTIPLY and fact.value is not None:
            return value * fact.value
        return min(value, fact.value) if fact.effect is Effect.CAP and fact.value is not None else value

    order = [*sorted(rules.grades, key=lambda name: -rules.grades[name]), rules.lowest_grade]
    limits = [fact.grade for fact in verified if fact.effect is Effect.CAP and fact.grade is not None]
    return Gated(
        min([after(fact) for fact in verified], default=value),
        max(limits, key=order.index, default=None),
        len(verified) < len(facts) or any(fact.effect is Effect.HOLD for fact in verified),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A published score and the upper end of its interval."""

    published: Decimal
    upper: Decimal


def forced_grades(
    scores: Mapping[str, Placed], quotas: Sequence[tuple[str, Decimal]], min_cohort: int
) -> dict[str, str] | None:
    """Returns the grade of every agent by quotas, best grade first; None for a cohort that is too small.

    Seats are divided by largest remainder. Equal scores share the first of their places, so a tie at a limit gets the
    better grade. The lowest grade is only for who lies below everybody outside of it with the whole interval; never a
    list for dismissals (guiding case 18 of the Supreme People's Court).
    """
    if len(scores) < min_cohort:
        return None
    seats = largest_remainder(dict(enumerate(share for _, share in quotas)), len(scores))
    limits = [sum(seats[number] for number in range(rank + 1)) for rank in range(len(quotas))]
    ranks = {}
    for agent, placed in scores.items():
        place = 1 + sum(other.published > placed.published for other in scores.values())
        ranks[agent] = next(rank for rank, limit in enumerate(limits) if place <= limit)
    lowest = len(quotas) - 1
    better = {agent: rank for agent, rank in ranks.items() if rank < lowest}
    if better:
        boundary = min(scores[agent].published for agent in better)
        spared = max(better.values())
        ranks = {
            agent: spared if rank == lowest and scores[agent].upper >= boundary else rank
            for agent, rank in ranks.items()
        }
    return {agent: quotas[rank][0] for agent, rank in ranks.items()}


def quota_due(quota: int, worked_share: Decimal) -> int:
    """Returns the reviews due for an agent who worked a share of the period."""
    return math.ceil(quota * Fraction(worked_share))


def bonus_fen(base_fen: int, factor: Decimal, worked_share: Decimal) -> int:
    """Returns base x coefficient x worked share in whole fen."""
    return fen(Fraction(base_fen) * Fraction(factor) * Fraction(worked_share))


def shared_pool(lines: Mapping[str, int], budget_fen: int) -> dict[str, int]:
    """Returns the lines scaled to the budget, adding up to it to the fen; lines of nothing stay nothing."""
    earned = {key: Decimal(amount) for key, amount in lines.items() if amount > 0}
    if not earned:
        return dict.fromkeys(lines, 0)
    parts = largest_remainder(earned, budget_fen)
    return {key: int(parts.get(key, 0)) for key in lines}

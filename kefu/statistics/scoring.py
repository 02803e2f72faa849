"""Composite, grade, pay coefficient and piece pay, in exact decimals (reliability.md 5.2, 5.4, 5.5, 6.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from statistics import median

from kefu.catalogue.defaults import Coefficient, Piece, Score
from kefu.statistics.curves import interpolate
from kefu.statistics.rounding import INTERMEDIATE_PLACES, fen, half_up
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

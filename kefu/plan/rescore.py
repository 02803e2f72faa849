"""What a plan makes of measured people: points, composite, grade and pay, with the reference statistics.

Everything a plan does not decide comes from the closed period: values after shrinkage, trust, presence, verified facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache

from kefu.catalogue.defaults import Coefficient, Defaults, Piece, WeightRules
from kefu.catalogue.models import Metric
from kefu.catalogue.plans import Gate, Plan, PlanMetric, Relative
from kefu.statistics.curves import Direction, TargetBand, relative_scores
from kefu.statistics.rounding import fen, half_up
from kefu.statistics.scoring import (
    Effect,
    Placed,
    bonus_fen,
    coefficient,
    composite,
    extra_points,
    forced_grades,
    gated,
    grade,
    neutral_score,
    piece_pay_fen,
    shared_pool,
)
from kefu.statistics.scoring import Fact as Gating
from kefu.statistics.weights import (
    EffectiveWeights,
    NullReason,
    WeightedMetric,
    effective_weights,
)

NEUTRAL_COEFFICIENT = Decimal(1)
"""Coefficient of somebody who is newly without enough evidence; people decide and record it (reliability.md 4.3)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one person in one period.

    Attributes:
        n: cases it is made of; None where nothing is stored.
        raw: value of the valid rows.
        estimate: value after shrinkage; None where there is none of its own.
        scored: value that entered the curve, and `score` its points, under the plan in force; None for other metrics.
        factor: trust in the metric (g); None while it was not evaluated.
        low, high: interval of the value; None where it was not computed.
        score_range: points between the two under the plan in force.
        is_measured: whether it may count at all: a source measures it and nothing exempts the person.
        is_kept: whether a confirmed finding holds the metric at its weight and lowest score.
    """

    n: int | None
    raw: Decimal | None
    estimate: Decimal | None = None
    scored: Decimal | None = None
    score: Decimal | None = None
    factor: Decimal | None = Decimal(1)
    low: Decimal | None = None
    high: Decimal | None = None
    score_range: Decimal | None = None
    is_measured: bool = True
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A verified fact about a person: its kind, and the points of a bonus (above 0) or malus (below 0)."""

    kind: str
    happened_on: date
    points: Decimal = Decimal(0)
    metric_id: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One agent as the period was closed.

    Attributes:
        weight_team: team whose overlay holds.
        status: as closed; people with too little time stay so under any plan.
        share: part of the hours under the plan that is replaced. The rest brings `other_points`, `other_variance` (of
            the half interval, in points), `other_own_data` (weight on own data) and `other_base_fen` under any plan.
        worked_share: presence (q).
        ramp_months: whole months of tenure when the period began; None when the hiring day is unknown.
        earlier: mean of the last three composites before; what pays without enough evidence.
        adjustment_fen: approved corrections, the same under any plan.
    """

    agent_key: str
    agent_name: str
    team_key: str
    weight_team: str | None
    cohort_key: str
    status: str
    metrics: Mapping[str, Measured]
    share: Decimal = Decimal(1)
    other_points: Decimal = Decimal(0)
    other_variance: Decimal = Decimal(0)
    other_own_data: Decimal = Decimal(0)
    other_base_fen: int = 0
    worked_share: Decimal = Decimal(1)
    hired_on: date | None = None
    ramp_months: int | None = None
    facts: tuple[Fact, ...] = ()
    earlier: Decimal | None = None
    adjustment_fen: int = 0
    closed_composite: Decimal | None = None
    closed_grade: str | None = None
    closed_amount_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a plan makes of one person; money is None when the plan says nothing about pay.

    Attributes:
        half_width: half of the composite's interval, in points.
        best_grade: the best grade that gates leave; None without such a gate.
    """

    person: Person
    status: str
    composite: Decimal | None
    grade: str | None
    lines: Mapping[str, Decimal]
    own_data: Decimal
    half_width: Decimal = Decimal(0)
    best_grade: str | None = None
    coefficient: Decimal | None = None
    bonus_fen: int | None = None
    piece_fen: int | None = None
    amount_fen: int | None = None


@dataclass(frozen=True)
class Rules:
    """A plan with what the defaults add to it, for one period.

    Attributes:
        day: first day of the period.
        in_force: the plan that was in force, whose scores are kept where it says the same.
    """

    plan: Plan
    in_force: Plan | None
    day: date
    metrics: Mapping[str, Metric]
    defaults: Defaults
    entries: Mapping[str, PlanMetric] = field(init=False)

    def __post_init__(self) -> None:
        """Finds the entries that count in the period's stage."""
        weights = self.plan.weights_on(self.day)
        entries = {entry.metric_id: entry for entry in self.plan.metrics if entry.metric_id in weights}
        object.__setattr__(self, "entries", entries)

    @property
    def grades(self) -> list[str]:
        """The plan's grades, best first."""
        limits = self.plan.grades
        return [*sorted(limits, key=lambda name: -limits[name]), self.defaults.score.lowest_grade]

    @property
    def weight_rules(self) -> WeightRules:
        """Rules of freed weight, the plan's before the defaults'."""
        said = self.plan.weights.model_dump(exclude_none=True, exclude={"substitutions"})
        return self.defaults.weights.model_copy(update=said)

    def entry_in_force(self, metric_id: str) -> PlanMetric | None:
        """Returns what the plan in force said about a metric."""
        plan = self.in_force
        return next((entry for entry in plan.metrics if entry.metric_id == metric_id), None) if plan else None

    def mode(self, plan: Plan, entry: PlanMetric) -> str:
        """Returns how few rows of a metric are treated."""
        return entry.mode or plan.weights.mode or self.defaults.weights.mode

    def is_as_before(self, person: Person, entry: PlanMetric) -> bool:
        """Tells whether a plan asks of a metric what the plan in force asked, so that its points are those closed."""
        old, plan = self.entry_in_force(entry.metric_id), self.in_force
        if old is None or plan is None or entry.metric_id not in person.metrics:
            return False
        return (
            old.curve == entry.curve
            and old.min_n == entry.min_n
            and self.mode(plan, old) == self.mode(self.plan, entry)
            and self.ramp(plan, old, person.ramp_months) == self.ramp(self.plan, entry, person.ramp_months)
        )

    def ramp(self, plan: Plan, entry: PlanMetric, months: int | None) -> Decimal:
        """Returns the share of the target that a plan asks of somebody after some months."""
        counts = entry.is_ramped if entry.is_ramped is not None else self.metrics[entry.metric_id].kind == "sum"
        shares = plan.new_hire.ramp or tuple(Decimal(str(share)) for share in self.defaults.ramp)
        if not counts or isinstance(entry.curve, TargetBand) or months is None or months >= len(shares):
            return Decimal(1)
        return shares[months]


def rescore(people: Sequence[Person], rules: Rules) -> list[Outcome]:
    """Returns what the plan makes of each person, in their order.

    Raises:
        ValueError: a mode counts single ratings, which stored values cannot give.
    """
    scores = _scores(people, rules)
    weigh = _weigher(rules)
    weighed = [weigh(_weighted(person, rules, scored)) for person, scored in zip(people, scores, strict=True)]
    neutral = _neutral(people, weighed, scores)
    outcomes = [
        _outcome(person, rules, weights, scored, neutral.get(person.cohort_key))
        for person, weights, scored in zip(people, weighed, scores, strict=True)
    ]
    outcomes = _distributed(outcomes, rules)
    return _paid(outcomes, rules) if rules.plan.pay else outcomes


def _scores(people: Sequence[Person], rules: Rules) -> list[dict[str, Decimal]]:
    """Returns the points of every metric that is not N/A, for each person."""
    found: list[dict[str, Decimal]] = [{} for _ in people]
    for name, entry in rules.entries.items():
        same = [rules.is_as_before(person, entry) for person in people]
        values = [
            None if is_same else _value(person, entry, rules) for person, is_same in zip(people, same, strict=True)
        ]
        if isinstance(entry.curve, Relative):
            _score_relative(people, entry, values, rules, found)
        for person, value, is_same, scored in zip(people, values, same, found, strict=True):
            if is_same and (score := person.metrics[name].score) is not None:
                scored[name] = score
            elif value is not None and not isinstance(entry.curve, Relative):
                scored[name] = entry.curve.score(value)
    return found


def _score_relative(
    people: Sequence[Person], entry: PlanMetric, values: Sequence[Decimal | None], rules: Rules,
    found: Sequence[dict[str, Decimal]],
) -> None:  # fmt: skip
    assert isinstance(entry.curve, Relative)
    for cohort in {person.cohort_key for person in people}:
        places = [
            place
            for place, (person, value) in enumerate(zip(people, values, strict=True))
            if person.cohort_key == cohort and value is not None
        ]
        if len(places) < rules.defaults.relative.min_cohort:
            continue
        ranked = relative_scores(
            [value for place in places if (value := values[place]) is not None],
            Direction(entry.curve.direction), rules.defaults.relative.min_cohort,
        )  # fmt: skip
        for place, score in zip(places, ranked, strict=True):
            found[place][entry.metric_id] = score


def _value(person: Person, entry: PlanMetric, rules: Rules) -> Decimal | None:
    """Returns the value that enters the curve; None for N/A."""
    metric, measured = rules.metrics[entry.metric_id], person.metrics.get(entry.metric_id)
    if measured is None or not measured.is_measured:
        return None
    mode, least = rules.mode(rules.plan, entry), entry.min_n or metric.min_n
    if metric.metric_type == "subjective":
        if mode == "jd_count" and metric.reliability == "rating":
            raise ValueError(
                f"{entry.metric_id}: found mode jd_count, expected one of whole periods, because single ratings are "
                "not stored with a close. Remedy: simulate with shrink or suppress"
            )
        if mode == "suppress" and (measured.n or 0) < least:
            return None
        return measured.estimate if mode == "shrink" or measured.raw is None else measured.raw
    old, in_force = rules.entry_in_force(entry.metric_id), rules.in_force
    if measured.raw is None:
        return None
    if metric.is_count:
        # None of what is counted is 0, unless the close found it to be no work of the person's team.
        if not measured.n and old and measured.scored is None:
            return None
    elif (measured.n or 0) < least:
        return None
    ramp = rules.ramp(rules.plan, entry, person.ramp_months)
    if old and in_force and measured.scored is not None and _is_falling(old) == _is_falling(entry):
        before = rules.ramp(in_force, old, person.ramp_months)
        if before == ramp:
            return measured.scored
    share = (person.worked_share or Decimal(1)) * person.share if metric.kind == "sum" else Decimal(1)
    value = Fraction(measured.raw) / Fraction(share)
    return half_up(value * Fraction(ramp) if _is_falling(entry) else value / Fraction(ramp), 20)


def _is_falling(entry: PlanMetric) -> bool:
    return getattr(entry.curve, "direction", Direction.HIGHER) is Direction.LOWER


def _weighted(person: Person, rules: Rules, scored: Mapping[str, Decimal]) -> tuple[WeightedMetric, ...]:
    """Returns the person's metrics with plan weight, trust and whether they are N/A."""
    weights = rules.plan.weights_on(rules.day, person.weight_team)
    found = []
    for name, entry in rules.entries.items():
        metric, measured = rules.metrics[name], person.metrics.get(name)
        factor = measured.factor if measured is not None and rules.entry_in_force(name) else entry.initial_g
        found.append(
            WeightedMetric(
                name, weights[name], metric.dimension, metric.metric_type != "objective",
                Decimal(1) if metric.metric_type != "subjective" or factor is None else factor,
                None if name in scored else NullReason.NOT_APPLICABLE,
                has_own_data=measured is not None
                and (bool(measured.n) or (name in scored and metric.metric_type != "subjective")),
                is_confirmed=measured is not None and measured.is_kept and name in scored,
            )
        )  # fmt: skip
    return tuple(found)


def _weigher(rules: Rules) -> Callable[[tuple[WeightedMetric, ...]], EffectiveWeights]:
    """Returns the weighing of one plan, which looks at each pattern of missing metrics once."""
    found = rules.weight_rules
    table = {entry.metric_id: {to.metric_id: to.share for to in entry.to} for entry in rules.plan.weights.substitutions}

    @cache
    def weigh(metrics: tuple[WeightedMetric, ...]) -> EffectiveWeights:
        return effective_weights(metrics, found, table or None)

    return weigh


def _neutral(
    people: Sequence[Person], weighed: Sequence[EffectiveWeights], scores: Sequence[Mapping[str, Decimal]]
) -> dict[str, Decimal | None]:
    """Returns what weight without a metric earns in each cohort."""
    cohorts: dict[str, list[tuple[EffectiveWeights, Mapping[str, Decimal]]]] = {}
    for person, weights, scored in zip(people, weighed, scores, strict=True):
        cohorts.setdefault(person.cohort_key, []).append((weights, scored))
    return {cohort: neutral_score(members) for cohort, members in cohorts.items()}


def _outcome(
    person: Person, rules: Rules, weights: EffectiveWeights, scored: Mapping[str, Decimal], neutral: Decimal | None
) -> Outcome:
    own_data = weights.own_data * person.share + person.other_own_data
    status = _status(person, rules, own_data, is_neutral_known=not weights.neutral or neutral is not None)
    nothing = Outcome(person, status, None, None, {}, own_data)
    if status not in ("published", "under_review"):
        return nothing
    made = composite(
        weights,
        {name: score * person.share for name, score in scored.items()},
        None if neutral is None else neutral * person.share,
        rules.defaults.score,
    )
    score, name, best = _after_facts(made.value + person.other_points, person, rules)
    return replace(
        nothing, composite=score, grade=name, best_grade=best, lines=made.lines,
        half_width=_half_width(person, weights, rules),
    )  # fmt: skip


def _half_width(person: Person, weights: EffectiveWeights, rules: Rules) -> Decimal:
    """Returns half of the composite's interval: those of the metrics, as independent errors (reliability.md 5.2)."""
    variance = person.other_variance
    for name, entry in rules.entries.items():
        width = _score_range(person, entry, rules) if weights.weights[name] else None
        variance += (weights.weights[name] * person.share * (width or 0) / 200) ** 2
    return variance.sqrt()


def _score_range(person: Person, entry: PlanMetric, rules: Rules) -> Decimal | None:
    """Returns the points between the ends of a metric's interval; None where it has none."""
    measured = person.metrics.get(entry.metric_id)
    if measured is None or rules.is_as_before(person, entry):
        return measured.score_range if measured else None
    if isinstance(entry.curve, Relative) or measured.low is None or measured.high is None:
        return None
    return abs(entry.curve.score(measured.high) - entry.curve.score(measured.low))


def _status(person: Person, rules: Rules, own_data: Decimal, *, is_neutral_known: bool) -> str:
    unevaluated = any(
        (measured := person.metrics.get(name)) is not None and measured.factor is None and rules.entry_in_force(name)
        for name in rules.entries
        if rules.metrics[name].metric_type == "subjective"
    )
    if unevaluated:
        return "withheld"
    if person.status == "too_little_time":
        return person.status
    if own_data < rules.weight_rules.min_own_data or not is_neutral_known:
        return "insufficient_evidence"
    is_held = any(gate.effect == "hold" for gate in applied_gates(person, rules))
    return "under_review" if is_held or person.status == "under_review" else "published"


def _after_facts(points: Decimal, person: Person, rules: Rules) -> tuple[Decimal, str, str | None]:
    """Returns the published score, its grade and the best grade gates leave; the most severe gate wins."""
    limits = rules.defaults.score.model_copy(update={"grades": rules.plan.grades})
    points += extra_points([fact.points for fact in person.facts], points, limits)
    gates = [
        Gating(Effect(gate.effect), is_verified=True, value=gate.value, grade=gate.grade)
        for gate in applied_gates(person, rules)
    ]
    left = gated(points, gates, limits)
    score = half_up(left.value, limits.publish_dp)
    return score, _worse(grade(score, limits), left.best_grade, rules), left.best_grade


def _worse(own: str, best: str | None, rules: Rules) -> str:
    """Returns a grade, or the best one that is left where that is worse."""
    return own if best is None else max(own, best, key=rules.grades.index)


def _distributed(outcomes: Sequence[Outcome], rules: Rules) -> list[Outcome]:
    """Returns the outcomes with grades by the plan's quotas, in every cohort that is large enough for them."""
    forced = rules.plan.forced_distribution
    if forced is None:
        return list(outcomes)
    cohorts: dict[str, dict[str, Placed]] = {}
    for one in outcomes:
        if one.composite is not None:
            placed = Placed(one.composite, one.composite + one.half_width)
            cohorts.setdefault(one.person.cohort_key, {})[one.person.agent_key] = placed
    least = forced.min_cohort or rules.defaults.forced_distribution.min_cohort
    names: dict[str, str] = {}
    for scores in cohorts.values():
        names |= forced_grades(scores, list(forced.quotas.items()), least) or {}
    return [
        replace(one, grade=_worse(names[one.person.agent_key], one.best_grade, rules))
        if one.person.agent_key in names
        else one
        for one in outcomes
    ]


_SPARED = ("responsiveness", "efficiency")
"""Nobody is stopped for being slow in the first days (reliability.md 6.1)."""


def applied_gates(person: Person, rules: Rules) -> list[Gate]:
    """Returns the gates of the plan that the person's verified facts set off."""

    def holds(gate: Gate, fact: Fact) -> bool:
        if fact.kind != gate.fact_kind:
            return False
        is_new = (
            person.hired_on is not None
            and (fact.happened_on - person.hired_on).days < rules.plan.new_hire.gate_free_days
        )
        metric = rules.metrics.get(fact.metric_id or "")
        return not (is_new and (gate.spares_new_hires or (metric is not None and metric.dimension in _SPARED)))

    return [gate for gate in rules.plan.gates if any(holds(gate, fact) for fact in person.facts)]


def _paid(outcomes: Iterable[Outcome], rules: Rules) -> list[Outcome]:
    pay = rules.plan.pay
    assert pay is not None
    knots = Coefficient(knots=pay.coef or rules.defaults.coef.knots, cap=rules.defaults.coef.cap)
    lines = [_own_lines(outcome, rules, pay.base_fen, knots) for outcome in outcomes]
    if pay.pool:
        lines = _pooled(lines, pay.pool.budget_fen)
    return [
        one if one.bonus_fen is None
        else replace(one, amount_fen=one.bonus_fen + (one.piece_fen or 0) + one.person.adjustment_fen)
        for one in lines
    ]  # fmt: skip


def _own_lines(outcome: Outcome, rules: Rules, base_fen: int, knots: Coefficient) -> Outcome:
    """Returns the outcome with what the person earned before a pool; without a score yet there is no amount yet."""
    person = outcome.person
    if outcome.status == "withheld":
        return outcome
    piece = _piece_fen(person, rules)
    if outcome.status == "too_little_time":
        return replace(outcome, bonus_fen=0, piece_fen=piece)
    factor = _coefficient(outcome, rules, knots)
    base = fen(Fraction(base_fen) * Fraction(person.share)) + person.other_base_fen
    bonus = bonus_fen(base, factor, person.worked_share)
    return replace(outcome, coefficient=factor, bonus_fen=bonus, piece_fen=piece)


def _coefficient(outcome: Outcome, rules: Rules, knots: Coefficient) -> Decimal:
    """Returns the pay coefficient: of the score as far as gates leave it, else of what stands in for a score."""
    person = outcome.person
    gates = applied_gates(person, rules)
    highest = _highest_left(gates, rules)
    shares = [gate.value for gate in gates if gate.effect == "multiply" and gate.value is not None]
    least = min(shares, default=Decimal(1))
    score = outcome.composite
    is_mean_taken = rules.plan.insufficient_evidence_fallback == "last_composites"
    if score is None and is_mean_taken and person.earlier is not None:
        score = half_up(person.earlier * least, rules.defaults.score.publish_dp)
    if score is not None:
        return coefficient(score if highest is None else min(score, highest), knots)
    of_highest = NEUTRAL_COEFFICIENT if highest is None else coefficient(highest, knots)
    return min(NEUTRAL_COEFFICIENT, least, of_highest)


def _highest_left(gates: Iterable[Gate], rules: Rules) -> Decimal | None:
    """Returns the highest published score gates leave, of a capped grade the last before the next; None: any."""
    found = []
    for gate in gates:
        if gate.effect == "zero":
            found.append(Decimal(0))
        if gate.effect == "cap" and gate.value is not None:
            found.append(gate.value)
        if gate.effect == "cap" and gate.grade is not None and (rank := rules.grades.index(gate.grade)):
            better = rules.plan.grades[rules.grades[rank - 1]]
            found.append(better - Decimal(1).scaleb(-rules.defaults.score.publish_dp))
    return half_up(min(found), rules.defaults.score.publish_dp) if found else None


def _piece_fen(person: Person, rules: Rules) -> int:
    piece = rules.plan.pay.piece if rules.plan.pay else None
    if piece is None:
        return 0
    counted, judged = person.metrics.get(piece.metric_id), person.metrics.get(piece.quality_metric_id)
    handled = 0 if counted is None or counted.raw is None else int(counted.raw)
    least = rules.metrics[piece.quality_metric_id].min_n
    score = judged.raw if judged is not None and (judged.n or 0) >= least else None
    if judged is not None and (entry := rules.entries.get(piece.quality_metric_id)) is not None:
        # The value the score uses, where the plan scores the metric too.
        scored = judged.scored if rules.is_as_before(person, entry) else _value(person, entry, rules)
        score = score if scored is None else scored
    rates = rules.defaults.piece if piece.k_qa is None else Piece(k_qa=piece.k_qa)
    if score is None:
        # Without any review the factor neither adds nor takes.
        score, rates = Decimal(0), Piece(k_qa={Decimal(0): Decimal(1)})
    present = person.worked_share * person.share
    return piece_pay_fen(handled, piece.baseline, present, piece.unit_rate_fen, score, rates)


def _pooled(outcomes: Sequence[Outcome], budget_fen: int) -> list[Outcome]:
    """Returns the outcomes with bonuses and piece pay that share the budget in proportion, to the fen."""
    lines = {
        f"{one.person.agent_key}\0{kind}": amount
        for one in outcomes
        for kind, amount in (("bonus", one.bonus_fen), ("piece", one.piece_fen))
        if amount is not None
    }
    shared = shared_pool(lines, budget_fen)
    return [
        replace(
            one,
            bonus_fen=shared.get(f"{one.person.agent_key}\0bonus"),
            piece_fen=shared.get(f"{one.person.agent_key}\0piece"),
        )
        for one in outcomes
    ]

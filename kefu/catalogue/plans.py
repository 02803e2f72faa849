"""Appraisal plans as they are declared in `config/plans/`: weights, curves, gates and pay (reliability.md 4-6).

What one plan alone can get wrong is refused here; what depends on the metrics, teams and periods it names is checked
in `kefu.catalogue.plan_rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from kefu.catalogue.models import Declared, Id, Text, Versioned
from kefu.statistics.curves import (
    Attainment,
    Deduction,
    Direction,
    Linear,
    PassZero,
    Piecewise,
    Step,
    Stretch,
    TargetBand,
)

Strategy = Literal["balanced", "growth", "differentiation", "cost_leadership", "call_centre_standard"]
Mode = Literal["shrink", "downweight", "suppress", "jd_count"]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Fen = Annotated[int, Field(ge=0)]
Weight = Annotated[Decimal, Field(gt=0, le=100)]


class Relative(Declared):
    """70 points and 10 for every standard deviation above the cohort, by rank; for cohorts that are large enough."""

    kind: Literal["relative"] = "relative"
    direction: Direction = Direction.HIGHER


PlanCurve = Annotated[
    Linear | Stretch | Piecewise | Step | TargetBand | Deduction | Attainment | PassZero | Relative,
    Field(discriminator="kind"),
]


class _Sparse(Declared):
    """Leaves fields that say nothing out of the stored body, so that a new field does not change an applied plan."""

    always_stored: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        return {
            name: value
            for name, value in handler(self).items()
            if name in self.always_stored or getattr(self, name) != fields[name].get_default(call_default_factory=True)
        }


class PlanMetric(_Sparse):
    """A metric of a plan.

    Attributes:
        weight: points of 100, before stages and overlays.
        min_n: least n; the metric's own unless said.
        initial_g: opening trust of a subjective metric, from 0 to 1.
        quota: reviews asked for per agent and full period.
        goal: what it is for, as people read it.
        strategic_goal: which of the plan's strategic goals its money serves.
        mode: how a subjective metric with few rows is treated; the plan's unless said.
        is_ramped: whether new hires are asked for less; unless said, counts are ramped and ratios are not.
    """

    always_stored: ClassVar[frozenset[str]] = frozenset(
        {"metric_id", "weight", "curve", "min_n", "initial_g", "quota", "goal"}
    )

    metric_id: Id
    weight: Weight
    curve: PlanCurve
    min_n: int | None = Field(None, ge=1)
    initial_g: Decimal | None = Field(None, ge=0, le=1)
    quota: int | None = Field(None, ge=1)
    goal: Text
    strategic_goal: Id | None = None
    mode: Mode | None = None
    is_ramped: bool | None = None


class Receiver(Declared):
    """A metric that takes over a share of freed weight."""

    metric_id: Id
    share: Annotated[Decimal, Field(gt=0, le=1)]


class Substitution(Declared):
    """Where the weight goes that `metric_id` does not carry; shares add up to 1 at most, the rest is neutral."""

    metric_id: Id
    to: tuple[Receiver, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Substitution:
        names = [receiver.metric_id for receiver in self.to]
        total = sum(receiver.share for receiver in self.to)
        if total > 1:
            raise ValueError(
                f"substitution of {self.metric_id}: found shares of {total}, expected 1 at most. Remedy: lower them"
            )
        if self.metric_id in names or len(set(names)) < len(names):
            raise ValueError(
                f"substitution of {self.metric_id}: found {names}, expected other metrics, each once. Remedy: correct"
            )
        return self


class PlanWeights(Declared):
    """What the plan decides otherwise than the defaults about freed weight (reliability.md 4.2).

    Scope `table` follows `substitutions`; a metric without an entry there leaves its freed weight neutral.
    """

    scope: Literal["dimension_first", "plan", "none", "table"] | None = None
    cap: Decimal | None = Field(None, ge=1)
    mode: Mode | None = None
    min_own_data: Decimal | None = Field(None, ge=0, le=100)
    substitutions: tuple[Substitution, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> PlanWeights:
        if (self.scope == "table") != bool(self.substitutions):
            raise ValueError(
                f"weights: found scope {self.scope} and {len(self.substitutions)} substitutions, expected both a table "
                "and its entries or neither. Remedy: add `scope: table` or the substitutions"
            )
        return self


class Overlay(Declared):
    """Points of weight that one team has more or less than the plan; together 0."""

    team_id: Id
    points: dict[Id, Decimal] = Field(min_length=2)


class Stage(Declared):
    """Weights from a day on; a metric that is not named keeps its weight, one of weight 0 does not count yet."""

    stage_id: Id
    from_: date = Field(alias="from")
    name: Text
    weights: dict[Id, Annotated[Decimal, Field(ge=0, le=100)]] = Field(min_length=1)


class Gate(Declared):
    """What a verified fact of a kind does to the composite (reliability.md 5.3).

    Attributes:
        effect: `zero`; `cap` (score at most `value`, grade at most `grade`); `multiply` by `value`; `hold` the pay.
        spares_new_hires: not applied in a new hire's first days (`new_hire.gate_free_days`).
    """

    gate_id: Id
    fact_kind: Id
    effect: Literal["zero", "cap", "multiply", "hold"]
    value: Decimal | None = Field(None, ge=0)
    grade: str | None = None
    name: Text
    spares_new_hires: bool = False

    @model_validator(mode="after")
    def _check(self) -> Gate:
        where = f"gate {self.gate_id}:"
        if self.effect == "cap" and (self.value is None) == (self.grade is None):
            raise ValueError(
                f"{where} found value {self.value} and grade {self.grade}, expected one of them. Remedy: give the "
                "highest score or the highest grade"
            )
        if self.effect == "multiply" and (self.value is None or not 0 <= self.value < 1):
            raise ValueError(
                f"{where} found value {self.value}, expected 0 to below 1. Remedy: give the factor, e.g. 0.8"
            )
        if self.effect in ("zero", "hold") and self.value is not None:
            raise ValueError(f"{where} found value {self.value}, expected none for {self.effect}. Remedy: remove it")
        if self.effect != "cap" and self.grade is not None:
            raise ValueError(f"{where} found grade {self.grade}, expected none for {self.effect}. Remedy: remove it")
        return self


class NewHire(Declared):
    """Shares of the targets asked in the first, second, … month of tenure, and days without gates that spare them."""

    ramp: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] | None = None
    gate_free_days: int = Field(30, ge=0)

    @model_validator(mode="after")
    def _check(self) -> NewHire:
        for before, after in pairwise(self.ramp or ()):
            if after < before:
                raise ValueError(
                    f"new_hire: ramp: found {after} after {before}, expected shares that do not fall. Remedy: sort them"
                )
        return self


class PiecePay(Declared):
    """Piece pay above a baseline, times a factor by a quality score (reliability.md 6.2).

    Attributes:
        metric_id: the count that is paid by the piece.
        baseline: pieces of a full period that the base pay covers already.
        unit_rate_fen: fen per piece above it.
        quality_metric_id: the score that sets the factor.
        k_qa: least score → factor; the defaults' unless said.
    """

    metric_id: Id
    baseline: Decimal = Field(ge=0)
    unit_rate_fen: Decimal = Field(gt=0)
    quality_metric_id: Id
    k_qa: dict[Decimal, Decimal] | None = None

    @field_validator("k_qa")
    @classmethod
    def _covers(cls, k_qa: dict[Decimal, Decimal] | None) -> dict[Decimal, Decimal] | None:
        if k_qa is None:
            return None
        if 0 not in k_qa:
            raise ValueError(
                f"k_qa: found limits {sorted(map(str, k_qa))}, expected one of 0 among them, so that every score has a "
                "factor. Remedy: add it"
            )
        ordered = dict(sorted(k_qa.items(), reverse=True))
        if list(ordered.values()) != sorted(ordered.values(), reverse=True):
            raise ValueError("k_qa: a better score has a smaller factor. Remedy: let factors rise with the score")
        return ordered


class Pool(Declared):
    """A budget to which all bonuses of the plan are scaled, to the fen."""

    budget_fen: Fen


class Pay(Declared):
    """How a published score becomes money.

    Attributes:
        base_fen: bonus of a full period at coefficient 1.
        coef: published score → coefficient, straight between; the defaults' knots unless said.
        hold_under_review: hold the part of a metric with a suspected finding until it is decided.
    """

    base_fen: Fen
    coef: tuple[tuple[Decimal, Annotated[Decimal, Field(ge=0)]], ...] | None = Field(None, min_length=2)
    piece: PiecePay | None = None
    pool: Pool | None = None
    hold_under_review: bool = False

    @field_validator("coef")
    @classmethod
    def _rises(cls, knots: tuple[tuple[Decimal, Decimal], ...] | None) -> tuple[tuple[Decimal, Decimal], ...] | None:
        for (score, coefficient), (next_score, next_coefficient) in pairwise(knots or ()):
            if score >= next_score or coefficient > next_coefficient:
                raise ValueError(
                    f"coef: found ({next_score}, {next_coefficient}) after ({score}, {coefficient}), expected scores "
                    "that rise strictly and coefficients that do not fall. Remedy: sort the knots"
                )
        return knots


class ForcedDistribution(Declared):
    """Quotas of grades, best first to worst, as shares that add up to 1 (reliability.md 5.4). Off unless declared."""

    quotas: dict[str, Share] = Field(min_length=2)
    min_cohort: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _check(self) -> ForcedDistribution:
        if (total := sum(self.quotas.values())) != 1:
            raise ValueError(
                f"forced_distribution: quotas: found a sum of {total}, expected 1. Remedy: correct the shares"
            )
        return self


class PlanInput(Declared):
    """Something the customer must decide before the plan can be used; without a value it cannot be."""

    question: Text
    choices: tuple[str, ...] = ()
    unit: str = "points of weight"
    value: Decimal | str | None = None


class Plan(Versioned, _Sparse):
    """A dated, weighted appraisal plan (reliability.md 4-6). Weights add up to 100 exactly, in every stage and team.

    `mode: demo` marks everything made with it and allows a small min n; real periods refuse it. Of the plans of a
    period one that names an agent's team in `teams` goes first, then one for the agent's role; a plan for the role
    `agent` is for everybody without one of their own.
    """

    always_stored: ClassVar[frozenset[str]] = frozenset(
        {"version", "valid_from", "plan_id", "name", "mode", "role", "author", "metrics", "grades"}
    )

    plan_id: Id
    name: Text
    mode: Literal["demo", "real"]
    role: Id
    author: str
    metrics: tuple[PlanMetric, ...]
    grades: dict[str, Decimal]
    strategy: Strategy | None = None
    teams: tuple[Id, ...] = ()
    inputs: dict[Id, PlanInput] = Field(default_factory=dict)
    strategic_goals: dict[Id, Text] = Field(default_factory=dict)
    weights: PlanWeights = PlanWeights()
    overlays: tuple[Overlay, ...] = ()
    stages: tuple[Stage, ...] = ()
    new_hire: NewHire = NewHire()
    gates: tuple[Gate, ...] = ()
    pay: Pay | None = None
    forced_distribution: ForcedDistribution | None = None
    insufficient_evidence_fallback: Literal["last_composites", "neutral_coefficient"] = "last_composites"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, body: Any) -> Any:
        """Puts the values of the inputs where `{input: …}` points to them; a metric of weight 0 is left out."""
        if not isinstance(body, dict) or not isinstance(body.get("inputs"), dict):
            return body
        inputs = {name: PlanInput.model_validate(given) for name, given in body["inputs"].items()}
        metrics = [entry for entry in body.get("metrics") or () if not _is_left_out(entry, inputs)]
        body = {**body, "metrics": metrics}
        needed = _inputs_of({name: part for name, part in body.items() if name != "inputs"}, inputs)
        missing = [problem for name in inputs if name in needed and (problem := _missing(name, inputs[name]))]
        if missing:
            raise ValueError(f"plan {body.get('plan_id')} cannot be used yet:\n  " + "\n  ".join(missing))
        filled = {name: _filled(name, part, inputs) for name, part in body.items() if name != "inputs"}
        return {**filled, "inputs": inputs}

    @field_validator("grades")
    @classmethod
    def _grades(cls, grades: dict[str, Decimal]) -> dict[str, Decimal]:
        if len(set(grades.values())) < len(grades):
            raise ValueError(f"two grades have the same limit in {grades}; give each its own")
        return dict(sorted(grades.items(), key=lambda grade: grade[1], reverse=True))

    @model_validator(mode="after")
    def _check(self) -> Plan:
        total = sum(metric.weight for metric in self.metrics)
        if total != 100:
            raise ValueError(
                f"plan {self.plan_id}: found weights of {total} together, expected 100. Remedy: move weight between "
                "metrics until they add up"
            )
        names = [metric.metric_id for metric in self.metrics]
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"plan {self.plan_id}: found {', '.join(twice)} twice, expected once. Remedy: keep one")
        problems = [*self._wrong_names(set(names)), *self._wrong_order(), *self._wrong_sums()]
        if problems:
            raise ValueError(f"plan {self.plan_id}: " + "; ".join(problems))
        return self

    def _wrong_names(self, names: set[str]) -> Iterator[str]:
        for place, used in (
            *((f"stage {stage.stage_id}", stage.weights) for stage in self.stages),
            *((f"overlay of {overlay.team_id}", overlay.points) for overlay in self.overlays),
            *(
                (f"substitution of {entry.metric_id}", (entry.metric_id, *(to.metric_id for to in entry.to)))
                for entry in self.weights.substitutions
            ),
        ):
            if unknown := sorted(set(used) - names):
                yield f"{place}: found {unknown}, expected metrics of the plan. Remedy: correct the ids"
        for metric in self.metrics:
            if metric.strategic_goal is not None and metric.strategic_goal not in self.strategic_goals:
                yield (
                    f"{metric.metric_id}: found strategic_goal {metric.strategic_goal}, expected one of "
                    f"{sorted(self.strategic_goals)}. Remedy: declare it in strategic_goals"
                )
        for gate in self.gates:
            if gate.grade is not None and gate.grade not in self.grades:
                yield (
                    f"gate {gate.gate_id}: found grade {gate.grade}, expected one of {sorted(self.grades)}. "
                    "Remedy: name a grade of the plan"
                )
        for what, ids in (
            ("stages", [stage.stage_id for stage in self.stages]),
            ("overlays", [overlay.team_id for overlay in self.overlays]),
            ("gates", [gate.gate_id for gate in self.gates]),
            ("substitutions", [entry.metric_id for entry in self.weights.substitutions]),
        ):
            if len(set(ids)) < len(ids):
                yield f"{what}: found {ids}, expected each once. Remedy: keep one"

    def _wrong_order(self) -> Iterator[str]:
        days = [stage.from_ for stage in self.stages]
        if days != sorted(set(days)):
            yield f"stages: found days {[str(day) for day in days]}, expected rising days. Remedy: sort them"
        if days and days[0] <= self.valid_from:
            yield (
                f"stage {self.stages[0].stage_id}: found {days[0]}, expected a day after valid_from {self.valid_from}. "
                "Remedy: put the first weights into metrics"
            )

    def _wrong_sums(self) -> Iterator[str]:
        for stage in self.stages:
            total = sum(self.weights_on(stage.from_).values())
            if total != 100:
                yield (
                    f"stage {stage.stage_id}: found weights of {total}, expected 100. Remedy: say which metrics give "
                    "or take the difference"
                )
        for overlay in self.overlays:
            if total := sum(overlay.points.values()):
                yield (
                    f"overlay of {overlay.team_id}: found points of {total} together, expected 0. Remedy: take from "
                    "one metric what another gets"
                )

    def stage_on(self, day: date) -> Stage | None:
        """Returns the stage of a day; None before the first."""
        return next((stage for stage in reversed(self.stages) if stage.from_ <= day), None)

    def weights_on(self, day: date, team_id: str | None = None) -> Mapping[str, Decimal]:
        """Returns the weight of every metric on the first day of a period, for a team with its overlay.

        Metrics that the stage leaves out are missing, so is their overlay.
        """
        stage = self.stage_on(day)
        staged = stage.weights if stage else {}
        overlay = next((overlay.points for overlay in self.overlays if overlay.team_id == team_id), {})
        found = {entry.metric_id: staged.get(entry.metric_id, entry.weight) for entry in self.metrics}
        return {name: weight + overlay.get(name, Decimal(0)) for name, weight in found.items() if weight}


def _missing(name: str, given: PlanInput) -> str | None:
    """Returns what is wrong with an input, in words."""
    asked = f"{given.question.en} / {given.question.zh}"
    if given.value is None:
        return f"input {name}: found nothing, expected {_expected(given)}. Remedy: answer it: {asked}"
    if given.choices and str(given.value) not in given.choices:
        return f"input {name}: found {given.value!r}, expected {_expected(given)}. Remedy: answer it: {asked}"
    return None


def _expected(given: PlanInput) -> str:
    return f"one of {', '.join(given.choices)}" if given.choices else given.unit


def _chosen(part: Mapping[str, Any], inputs: Mapping[str, PlanInput]) -> Any:
    """Returns what a `choose` gives for the answer, or None while there is none."""
    given = inputs.get(str(part.get("input")))
    return part["choose"].get(str(given.value)) if given is not None and isinstance(part.get("choose"), dict) else None


def _is_left_out(entry: Any, inputs: Mapping[str, PlanInput]) -> bool:
    """Tells whether an answer gives a metric no weight."""
    weight = entry.get("weight") if isinstance(entry, dict) else None
    return isinstance(weight, dict) and str(_chosen(weight, inputs)) == "0"


def _inputs_of(part: Any, inputs: Mapping[str, PlanInput]) -> set[str]:
    """Returns the inputs a part of a plan needs; of a `choose` only the answer's branch, while there is one."""
    if isinstance(part, list):
        return set().union(*(_inputs_of(item, inputs) for item in part))
    if not isinstance(part, dict):
        return set()
    if "input" not in part:
        return set().union(*(_inputs_of(item, inputs) for item in part.values()))
    return {str(part["input"])} | _inputs_of(_chosen(part, inputs), inputs)


def _filled(place: str, part: Any, inputs: Mapping[str, PlanInput]) -> Any:
    """Returns a part of a plan with the values of inputs in it.

    `{input: a}` is the value of input a, with `share` that share of it, with `choose` what stands beside the answer.
    """
    if isinstance(part, list):
        return [_filled(place, item, inputs) for item in part]
    if not isinstance(part, dict):
        return part
    if "input" not in part:
        place = str(part.get("metric_id", place))
        return {key: _filled(f"{place}: {key}", item, inputs) for key, item in part.items()}
    given = inputs.get(str(part["input"]))
    if given is None:
        raise ValueError(
            f"{place}: found input {part['input']}, expected one of {sorted(inputs)}. Remedy: declare it in inputs"
        )
    if "choose" in part:
        if (found := _chosen(part, inputs)) is None:
            raise ValueError(
                f"{place}: found nothing for {given.value}, expected one of {sorted(part['choose'])}. Remedy: add it "
                "to choose"
            )
        return _filled(place, found, inputs)
    return given.value if "share" not in part else Decimal(str(given.value)) * Decimal(str(part["share"]))

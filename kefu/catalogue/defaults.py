"""Model of `config/defaults.yml`: the numbers that hold wherever a plan or a metric says nothing else."""

from __future__ import annotations

import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kefu.yaml_files import read_yaml

Share = Annotated[float, Field(ge=0, le=1)]
ExactShare = Annotated[Decimal, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def _rising(pair: tuple[float, ...]) -> tuple[float, ...]:
    if not pair[0] < pair[1]:
        raise ValueError(f"found {list(pair)}, expected the first number to be smaller than the second")
    return pair


def _part_of_total(pair: tuple[int, int]) -> tuple[int, int]:
    if pair[0] > pair[1]:
        raise ValueError(f"found {pair[0]} of {pair[1]}, expected at most {pair[1]} of {pair[1]}")
    return pair


def _of_wages(months: int) -> int:
    if months < 24:
        raise ValueError(f"found {months} months, expected 24 at least: wages are proved by it")
    return months


Range = Annotated[tuple[float, float], AfterValidator(_rising)]
RangeAndFloor = Annotated[tuple[float, float, Share], AfterValidator(_rising)]
PartOfTotal = Annotated[tuple[Count, Count], AfterValidator(_part_of_total)]
Months = Annotated[int, AfterValidator(_of_wages)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rating(_Section):
    """Validity of customer ratings (reliability.md 2, V1-V10)."""

    window_h: Positive
    top_box: tuple[int, ...] = Field(min_length=1)
    max_per_customer_agent: Count
    min_seconds: Positive
    fast_share_exclude: Share
    solicitation_messages: Count
    raised_levels: Count
    straight_line_items: Count


class Review(_Section):
    """Validity of quality reviews (reliability.md 2, V11).

    `score_tolerance` is by how many points, of 100, the score of a form may differ from its items (metrics.md 2.6).
    """

    min_playback_share: Share
    score_tolerance: Positive
    exclude_direct_line: bool
    form_versions: dict[str, date] = Field(default_factory=dict)


class Cohort(_Section):
    """Size of the group whose members are compared (reliability.md 1)."""

    min_agents: Count


class Interval(_Section):
    """Width of intervals: `z` standard errors to each side (reliability.md 3.1)."""

    z: Positive

    @property
    def coverage(self) -> str:
        """The share of cases that such an interval of a normal covers, as people read it."""
        return f"{math.erf(self.z / math.sqrt(2)) * 100:.3g}%"


class EmpiricalBayes(_Section):
    """Shrinkage towards the cohort; M and K are counts of pseudo-observations (reliability.md 3.1)."""

    lookback_periods: Count
    min_units: Count
    M_fallback: Positive
    M_bounds: Range
    mean_range: Range
    K_fallback: Positive
    K_bounds: Range


class MinN(_Section):
    """Least n that a ratio or percentile may ask of an agent (metrics.md 1.5); facts name the kind they count."""

    csat: Count
    qa: Count
    fcr: Count
    event: Count
    audit: Count
    conversion: Count
    exam: Count
    attendance: Count


class Rho(_Section):
    """Parts of the reliability index of a subjective metric (reliability.md 3.1 and 3.2)."""

    resp: RangeAndFloor
    smd: RangeAndFloor
    smd_lift: tuple[Positive, Share]
    alpha: Range
    unverified: Share
    min_doubles: Count
    doubles_window_days: Count
    clean: Positive
    cover: Positive
    prec_share: Range
    prec_score: Range
    offer: RangeAndFloor


class WeightMultiplier(_Section):
    """The step from reliability to the weight factor g (reliability.md 3.2)."""

    zero_below: ExactShare
    usable_from: ExactShare
    full_from: ExactShare
    up_after_periods: Count
    timing: Literal["announced", "current"]

    @model_validator(mode="after")
    def _limits_rise(self) -> Self:
        if not self.zero_below < self.usable_from < self.full_from:
            raise ValueError(
                f"zero_below {self.zero_below}, usable_from {self.usable_from}, full_from {self.full_from} must rise"
            )
        return self


class WeightRules(_Section):
    """Redistribution of freed weight; `min_own_data` is in weight points of 100 (reliability.md 4.2)."""

    scope: Literal["dimension_first", "plan", "none"]
    cap: Decimal = Field(ge=1)
    min_own_data: Decimal = Field(ge=0, le=100)
    mode: Literal["shrink", "downweight", "suppress", "jd_count"]


class GamingLimit(_Section):
    """Least hits and least share of an agent's own cases from which a gaming rule may be suspected."""

    hits: Count
    share: Share


class Integrity(_Section):
    """Tests of an agent's set of ratings and numbers (reliability.md 2, I1-I7 and G1-G8)."""

    burst_p: Share
    burst_days: Count
    burst_n: Count
    offer_or: Positive
    offer_p: Share
    offer_rate_min: Share
    manual_invitation_sources: tuple[str, ...] = ()
    top_customer_share: Share
    top_customers: Count
    top_customers_share: Share
    maximum_p: Share
    after_days: Count
    standard_errors: Positive
    tick_box_share: Share
    reciprocal_sd: Positive
    reciprocal_periods: Count
    reciprocal_prior: Positive
    min_n: Count
    min_others: Count
    fdr: Share
    empty_reply_seconds: Positive
    empty_reply_silence_seconds: Positive
    silence_gap_seconds: Positive
    silence_return_hours: Positive
    redial_seconds: Positive
    redial_ring_seconds: Positive
    talk_limit_seconds: Positive
    before_limit_seconds: Positive
    reopened_seconds: Positive
    parked_seconds: Positive
    peak_share: Share
    split_seconds: Positive
    gaming: dict[Literal["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8"], GamingLimit] = Field(min_length=8)


class Rater(_Section):
    """Flags of reviewers (reliability.md 3.3)."""

    bias_points: Positive
    bias_errors: float = Field(ge=0)
    t: Positive
    n: Count
    sd_ratio: Share
    halo: Share
    double_share: Share
    shrink: Positive
    sd_p: Share
    top: Positive
    top_share: Share
    halo_above_pool: Share
    min_items: Count
    drift_lambda: Share
    drift_limits: Positive
    min_calibrations: Count
    recent_days: Count
    recent_share: Share
    sample_p: Share
    doubles_per_quarter: Count
    least_agreement: Share
    good_agreement: Share


class Calibration(_Section):
    """What reviewers score together each month (3.3)."""

    contacts: Count
    margin: Positive


class LeastCases(_Section):
    """Least n of a day or week by unit of the metric; other units are as shares (reliability.md 7.1)."""

    share: Count
    seconds: Count
    score: Count


class Weekly(_Section):
    """The same detector over weeks, for agents with too few events on a day (reliability.md 7.4)."""

    window: Count
    base_weeks: Count
    base_age: int = Field(ge=0)
    min_base: Count
    confirm: PartOfTotal


class Causes(_Section):
    """What counts as a sign of a common cause: days compared before and since, change of case mix, of attendance."""

    days: Count
    mix: Share
    roster: Share


class Decline(_Section):
    """Lasting decline versus a one-day dip (reliability.md 7). `lambda_` is written `lambda` in the file."""

    lambda_: Share = Field(alias="lambda")
    window: Count
    L: Positive
    low: float = Field(lt=0)
    low_of: PartOfTotal
    confirm: PartOfTotal
    cap: Positive
    base_days: Count
    base_age: int = Field(ge=0)
    guard: int = Field(ge=0)
    min_base: Count
    team_share: Share
    team_errors: float = Field(ge=0)
    least_cases: LeastCases
    sd_floor: Share
    weekday_weeks: Count
    min_team: Count
    bootstrap: Count
    bootstrap_units: Count
    phi_cap: Annotated[float, Field(ge=0, lt=1)]
    mean_days: Count
    between_sd: Positive
    clear_above: float = Field(le=0)
    clear_run: Count
    cool_down: int = Field(ge=0)
    quiet_days: Count
    look_back_days: Count
    keep_days: Count
    weekly: Weekly
    slow_periods: int = Field(ge=2)
    shadow: tuple[Positive, Positive]
    causes: Causes


class Score(_Section):
    """Points, rounding and grades (reliability.md 5)."""

    cap: Decimal = Field(ge=100)
    bonus_malus: Decimal = Field(ge=0)
    store_dp: Count
    publish_dp: Count
    rounding: Literal["half_up"]
    grades: dict[str, Decimal] = Field(min_length=1)
    lowest_grade: str

    @model_validator(mode="after")
    def _grades_differ(self) -> Self:
        if len(set(self.grades.values())) < len(self.grades) or self.lowest_grade in self.grades:
            raise ValueError(f"grades {self.grades} need limits that differ, without one for {self.lowest_grade!r}")
        return self


class Relative(_Section):
    """Curves relative to the cohort (reliability.md 5.1)."""

    min_cohort: Count


class ForcedDistribution(_Section):
    """Quotas of grades (reliability.md 5.4)."""

    enabled: bool
    min_cohort: Count


class Coefficient(_Section):
    """Pay coefficient of a published score (reliability.md 6.2)."""

    knots: tuple[tuple[Decimal, Decimal], ...] = Field(min_length=2)
    cap: Decimal = Field(gt=0)

    @model_validator(mode="after")
    def _knots_rise(self) -> Self:
        for (low, low_coefficient), (high, high_coefficient) in zip(self.knots, self.knots[1:], strict=False):
            if low >= high or low_coefficient > high_coefficient:
                raise ValueError(
                    f"knots must rise, but ({high}, {high_coefficient}) follows ({low}, {low_coefficient})"
                )
        if self.knots[-1][1] > self.cap:
            raise ValueError(f"coefficient {self.knots[-1][1]} of the last knot is above the cap {self.cap}")
        return self


class Piece(_Section):
    """Factor on piece pay by listening score: least score → factor (reliability.md 6.2)."""

    k_qa: dict[Decimal, Decimal]

    @model_validator(mode="after")
    def _covers_every_score(self) -> Self:
        if 0 not in self.k_qa:
            raise ValueError("k_qa needs an entry for score 0, so that every score has a factor")
        return self


class Proration(_Section):
    """Part-time presence in a period (reliability.md 6.1)."""

    min_share: Share
    min_stint_shifts: Count
    long_leave_days: Count


class Material(_Section):
    """Size from which a restatement matters: points of the composite, yuan of pay (reliability.md 6.5)."""

    score: Decimal = Field(gt=0)
    cny: Decimal = Field(gt=0)


class Period(_Section):
    """Cut, dispute window and restatement (reliability.md 6.3 and 6.5). `cut: T+3` is 3 days after the period's end.

    Of metrics whose cases are watched for some days, `late_mature: shift` counts a day in the period in which its
    window ends; by `wait` it counts in its own, whose data is cut when the last day's cases have been watched.
    `max_unmapped_aux` is the largest share of the time of pauses whose reasons are not mapped.
    """

    cut: str = Field(pattern=r"^T\+\d+$")
    dispute_days: Count
    late_mature: Literal["shift", "wait"]
    max_unmapped_aux: ExactShare
    lookback: Count
    material: Material


class PlanLimits(_Section):
    """What a plan may not exceed (metrics.md 5); speed, volume and quality name dimensions or single metrics."""

    weight: tuple[Decimal, Decimal]
    subjective: Decimal = Field(gt=0, le=100)
    overlay: Decimal = Field(ge=0)
    pair: ExactShare
    speed: tuple[str, ...] = Field(min_length=1)
    volume: tuple[str, ...] = Field(min_length=1)
    quality: tuple[str, ...] = Field(min_length=1)


class Dispute(_Section):
    """Working days of the default calendar that each step of a dispute may take (reliability.md 6.6)."""

    triage_days: Count
    decision_days: Count
    appeal_days: Count


class Retention(_Section):
    """How long what tells of people is kept: scores and row evidence in months, message text in days (8).

    Wage records, which both are, are kept for two years at least.
    """

    scores: Months
    row_evidence: Months
    text_days: Count


class Defaults(_Section):
    """The whole file: one version, valid from a date on."""

    version: Count
    valid_from: date
    rating: Rating
    review: Review
    cohort: Cohort
    interval: Interval
    eb: EmpiricalBayes
    min_n: MinN
    rho: Rho
    g: WeightMultiplier
    weights: WeightRules
    integrity: Integrity
    rater: Rater
    calibration: Calibration
    decline: Decline
    score: Score
    relative: Relative
    forced_distribution: ForcedDistribution
    coef: Coefficient
    piece: Piece
    proration: Proration
    period: Period
    dispute: Dispute
    retention: Retention
    plan: PlanLimits
    ramp: tuple[Share, ...] = Field(min_length=1)


def load_defaults(path: Path) -> Defaults:
    """Returns the validated content of the file.

    Raises:
        ValueError: naming the file, every wrong field, what was found, what was expected and what to do.
    """
    try:
        return Defaults.model_validate(read_yaml(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not readable as YAML: {error}; correct the file at that place") from error
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc'])) or '(top level)'}: found {problem['input']!r}; {problem['msg']}"
            for problem in error.errors()
        )
        raise ValueError(
            f"{path}: {error.error_count()} wrong field(s)\n{problems}\n"
            "Correct them there; each number of the delivered file has a comment that says what it means."
        ) from error

"""What the customer declares under `config/`, as models. Each has a version and a first day of validity."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from kefu.statistics.curves import Piecewise, Step

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
UnitKind = Literal["agent", "team", "queue", "site"]
Channel = Literal["voice", "chat", "none"]


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no time zone; give an IANA name such as Asia/Shanghai")
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]


class Declared(BaseModel):
    """Base of everything that is declared: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Versioned(Declared):
    """An object of which every version is kept. A changed body needs a higher version with its own first day."""

    version: int = Field(ge=1)
    valid_from: date


class Text(Declared):
    """A text people read, in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Site(Versioned):
    """One operation: its zone, business day and languages.

    `shift_margin_minutes` is how far outside a shift an event still belongs to the shift's date.
    """

    site_id: Id
    name: Text
    time_zone: TimeZone
    day_cutover: str = Field(pattern=r"^[0-2]\d:[0-5]\d$")
    shift_margin_minutes: int = Field(ge=0, le=240)
    stale_close_days: int = Field(ge=1, le=90)
    short_abandon_seconds: int = Field(ge=0)
    longest_attendance_hours: int = Field(ge=8, le=24)
    acw_cap_seconds: int = Field(ge=0)
    idle_gap_seconds: int = Field(ge=0)

    def end_of_business_day(self, day: date) -> datetime:
        """Returns the instant, aware, at which the business day ends: the cut-over of the next calendar day."""
        return datetime.combine(
            day + timedelta(days=1), time.fromisoformat(self.day_cutover), tzinfo=ZoneInfo(self.time_zone)
        )


class Source(Versioned):
    """One connected system. `settings` is validated by the connector's own model.

    `reads_completely` promises that a read delivers all that its window holds, so that a vanished record is a
    deletion where its entity declares `deletes: window`; sheets in a folder cannot promise that.
    """

    source_id: Id
    system: Id
    channel: Channel
    time_zone: TimeZone
    phone_region: str = Field(pattern=r"^[A-Z]{2}$")
    shared_numbers: tuple[str, ...] = ()
    text: Literal["vault", "none"] = "none"
    overlap_minutes: int = Field(0, ge=0)
    shrink_limit: float = Field(0.5, ge=0, le=1)
    reads_completely: bool = False
    entities: tuple[str, ...]
    settings: dict[str, Any]


class Team(Versioned):
    """A team and its names."""

    team_id: Id
    name: Text


class Queue(Versioned):
    """A queue of a source: whose it is and what is promised there."""

    queue_id: Id
    source_id: Id
    account: str
    name: Text
    team_id: Id
    service_level_seconds: int = Field(gt=0)


class AuxCode(Versioned):
    """A pause reason of a source and the state it means. `unmapped` states are alerts, never penalties."""

    aux_id: Id
    source_id: Id
    account: str
    state: Literal["acw", "break", "meeting", "training", "outbound", "automatic", "other"]


class Instrument(Versioned):
    """A rating instrument: its scale, which end is best, and which values count as satisfied."""

    instrument_id: Id
    source_id: Id
    account: str
    kind: Literal["csat", "resolved", "thumbs"]
    scale_minimum: int
    scale_maximum: int
    best: Literal["high", "low"]
    top_box: tuple[int, ...]

    @model_validator(mode="after")
    def _check(self) -> Instrument:
        if self.scale_minimum >= self.scale_maximum:
            raise ValueError(f"instrument {self.instrument_id}: the scale needs a minimum below its maximum")
        outside = [value for value in self.top_box if not self.scale_minimum <= value <= self.scale_maximum]
        if outside or not self.top_box:
            raise ValueError(f"instrument {self.instrument_id}: top_box {self.top_box} must lie on the scale")
        return self


class Fact(Declared):
    """A fact table and how its rows are credited: the columns with the unit of each kind, date and channel."""

    relation: Id
    date_column: Id
    channel_column: Id | None = None
    units: dict[UnitKind, Id]


class Measure(Declared):
    """A summable number per unit, channel and day: `sum(expression)` over the rows that pass `filter`."""

    fact: Id
    expression: str = "1"
    filter: str = "true"
    description: str = Field(min_length=5)
    attribution: Literal["TE", "TS", "TR", "TD"]
    credit: Literal["CS", "CF", "CL", "CT", "CO"]


class Measures(Versioned):
    """All facts and measures. The SQL of `dbt_project/models/kpi/measure_*.sql` is generated from them."""

    facts: dict[Id, Fact]
    measures: dict[Id, Measure]

    @model_validator(mode="after")
    def _check(self) -> Measures:
        for name, measure in self.measures.items():
            if measure.fact not in self.facts:
                raise ValueError(f"measure {name}: fact {measure.fact} is not declared")
        return self


class Metric(Versioned):
    """A published number: numerator over denominator of pooled measures (domain/metrics.md).

    `count` names the measures that give n where the denominator is not itself a count.
    `needs` lists capabilities per unit kind; where a source declares that it cannot, the value is `not_measured`.
    """

    metric_id: Id
    name: Text
    formula: Text
    question: Text
    dimension: Literal["workload", "responsiveness", "efficiency", "resolution", "voice", "quality"]
    kind: Literal["ratio", "sum"]
    numerator: tuple[Id, ...] = Field(min_length=1)
    denominator: tuple[Id, ...] = ()
    count: tuple[Id, ...] = ()
    units: tuple[UnitKind, ...]
    channels: tuple[Channel, ...]
    unit: Literal["share", "seconds", "count", "score"]
    direction: Literal["higher", "lower", "band"]
    metric_type: Literal["objective", "subjective", "mixed"]
    min_n: int = Field(ge=1)
    bounded: bool = False
    target: Decimal | None = None
    decimals: int = Field(ge=0, le=4)
    display_order: int
    needs: dict[UnitKind | Literal["any"], tuple[str, ...]] = {}
    mixed_credit_reason: str | None = None
    reliability: Literal["rating", "review"] | None = None

    @model_validator(mode="after")
    def _check(self) -> Metric:
        if (self.kind == "ratio") != bool(self.denominator):
            raise ValueError(f"metric {self.metric_id}: a ratio needs a denominator, a sum has none")
        if self.metric_type == "subjective" and self.reliability is None:
            raise ValueError(f"metric {self.metric_id}: a subjective metric names its reliability evidence")
        return self


class PlanMetric(Declared):
    """A metric of a plan: its weight, curve, the least n it demands, and the opening trust of a subjective one."""

    metric_id: Id
    weight: Decimal = Field(gt=0, le=100)
    curve: Annotated[Piecewise | Step, Field(discriminator="kind")]
    min_n: int | None = Field(None, ge=1)
    initial_g: Decimal | None = Field(None, ge=0, le=1)
    quota: int | None = Field(None, ge=1)
    goal: Text


class Plan(Versioned):
    """A dated, weighted appraisal plan (reliability.md 4-5). Weights add up to 100 exactly.

    `mode: demo` marks everything made with it and allows a small min n; real periods refuse it.
    """

    plan_id: Id
    name: Text
    mode: Literal["demo", "real"]
    role: Id
    author: str
    metrics: tuple[PlanMetric, ...]
    grades: dict[str, Decimal]

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
            raise ValueError(f"plan {self.plan_id}: weights add up to {total}, not to 100")
        names = [metric.metric_id for metric in self.metrics]
        if len(set(names)) != len(names):
            raise ValueError(f"plan {self.plan_id}: a metric appears twice in {names}")
        return self


class Period(Versioned):
    """An appraisal period; dates are local business dates, both inclusive. `as_of` is the instant of its clocks."""

    period_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$")
    name: Text
    start: date
    end: date
    as_of: datetime
    mode: Literal["demo", "real"]
    plan_ids: tuple[Id, ...] = Field(min_length=1)

    @field_validator("as_of")
    @classmethod
    def _utc(cls, as_of: datetime) -> datetime:
        if as_of.tzinfo is None:
            raise ValueError("as_of needs an offset")
        return as_of.astimezone(UTC)

    @model_validator(mode="after")
    def _check(self) -> Period:
        if self.start > self.end:
            raise ValueError(f"period {self.period_id}: start {self.start} lies after end {self.end}")
        return self

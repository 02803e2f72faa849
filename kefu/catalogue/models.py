"""What the customer declares under `config/`, as models. Each has a version and a first day of validity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
UnitKind = Literal["agent", "team", "queue", "site"]
Channel = Literal["voice", "chat", "none"]


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name} is no time zone; give an IANA name such as Asia/Shanghai")
    return name


TimeZone = Annotated[str, AfterValidator(_zone)]


def _key(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise ValueError("expected a key as `kefu config customer-key` prints it, never the number or address itself")
    return text


CustomerKey = Annotated[str, AfterValidator(_key)]


class Declared(BaseModel):
    """Base of everything that is declared: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Versioned(Declared):
    """An object of which every version is kept. A changed body needs a higher version with its own first day."""

    version: int = Field(ge=1)
    valid_from: date


_NAMED_VALUE = re.compile(r"\{([^{}]*)\}")


class Text(Declared):
    """A text people read, in both languages. It stands where no day is known, so it names no dated value."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Text:
        for text in (self.zh, self.en):
            if named := re.findall(r"[{}]", text):
                raise ValueError(
                    f"found {named[0]} in {text!r}, expected words that stay when a number changes: values are filled"
                    " in only where the day is known. Remedy: say it without the number"
                )
        return self


class DatedText(Text):
    """A text that may name values as `{parameter_id}`, `{site.<field>}` or `{<section of the defaults>.<field>}`.

    Each is shown as it is in force on the day of what the text stands beside: `kefu.catalogue.texts` tells the values,
    in SQL `stg_cfg__text_value` and the macro `filled`.
    """

    @property
    def named(self) -> frozenset[str]:
        """The values it names."""
        return frozenset(_NAMED_VALUE.findall(self.zh))

    def filled(self, values: Mapping[str, Text]) -> Text:
        """Returns the text with the values it names. Raises KeyError for one that `values` lacks."""
        return Text(
            zh=_NAMED_VALUE.sub(lambda found: values[found[1]].zh, self.zh),
            en=_NAMED_VALUE.sub(lambda found: values[found[1]].en, self.en),
        )

    @model_validator(mode="after")
    def _check(self) -> DatedText:
        zh, en = (sorted(set(_NAMED_VALUE.findall(text))) for text in (self.zh, self.en))
        if zh != en:
            raise ValueError(
                f"found the values {zh} in zh and {en} in en, expected the same. Remedy: name the lacking ones"
            )
        for text in (self.zh, self.en):
            if re.search(r"[{}]", _NAMED_VALUE.sub("", text)):
                raise ValueError(f"found a brace without its other one in {text!r}. Remedy: write {{name}}")
        return self


class Site(Versioned):
    """One operation: its zone, business day and languages.

    `shift_margin_minutes` is how far outside a shift an event still belongs to the shift's date. `test_customers` are
    the keys of those who only try things out (reliability.md 2, V3).
    """

    site_id: Id
    name: Text
    time_zone: TimeZone
    day_cutover: str = Field(pattern=r"^[0-2]\d:[0-5]\d$")
    shift_margin_minutes: int = Field(ge=0, le=240)
    stale_close_days: int = Field(ge=1, le=90)
    longest_attendance_hours: int = Field(ge=8, le=24)
    acw_cap_seconds: int = Field(ge=0)
    idle_gap_seconds: int = Field(ge=0)
    test_customers: tuple[CustomerKey, ...] = ()

    def end_of_business_day(self, day: date) -> datetime:
        """Returns the instant, aware, at which the business day ends: the cut-over of the next calendar day."""
        return datetime.combine(
            day + timedelta(days=1), time.fromisoformat(self.day_cutover), tzinfo=ZoneInfo(self.time_zone)
        )


class Source(Versioned):
    """One connected system. `settings` is validated by the connector's own model.

    `reads_completely` promises that a read delivers all that its window holds, so that a vanished record is a
    deletion where its entity declares `deletes: window`; sheets in a folder cannot promise that.
    A window is read from `overlap_minutes` before its start on, because records arrive late; an entity that arrives
    later or earlier than the others of its source has minutes of its own in `overlap_minutes_of`.
    """

    source_id: Id
    system: Id
    channel: Channel
    time_zone: TimeZone
    phone_region: str = Field(pattern=r"^[A-Z]{2}$")
    shared_numbers: tuple[str, ...] = ()
    text: Literal["vault", "none"] = "none"
    overlap_minutes: int = Field(0, ge=0)
    overlap_minutes_of: dict[Id, Annotated[int, Field(ge=0)]] = {}
    shrink_limit: float = Field(0.5, ge=0, le=1)
    reads_completely: bool = False
    entities: tuple[str, ...]
    settings: dict[str, Any]

    def overlap(self, entity: str) -> timedelta:
        """Returns how far before a window this entity is read with it."""
        return timedelta(minutes=self.overlap_minutes_of.get(entity, self.overlap_minutes))


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


class SlaTarget(Versioned):
    """What is promised for tickets of a priority: within how many seconds a clock must stop.

    `hours: business` counts the open hours of the default calendar, `calendar` every second.
    """

    sla_id: Id
    priority: Literal["urgent", "high", "normal", "low"]
    clock: Literal["first_reply", "resolution"]
    target_seconds: int = Field(gt=0)
    hours: Literal["calendar", "business"]


class IssueClass(Versioned):
    """What a contact or ticket is about. `is_presale` questions make an enquiry; how long it takes is measured."""

    issue_class: Id
    name: Text
    is_presale: bool


class Instrument(Versioned):
    """A rating instrument: its scale, which end is best, and which values count as satisfied.

    Only `csat` is satisfaction. `resolved` asks whether the problem was solved, `nps` whether the customer would
    recommend us, `ces` how much effort it took. A rating with one of `product_reasons` counts for the team only.
    """

    instrument_id: Id
    source_id: Id
    account: str
    kind: Literal["csat", "resolved", "thumbs", "nps", "ces"]
    scale_minimum: int
    scale_maximum: int
    best: Literal["high", "low"]
    top_box: tuple[int, ...]
    product_reasons: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Instrument:
        if self.scale_minimum >= self.scale_maximum:
            raise ValueError(f"instrument {self.instrument_id}: the scale needs a minimum below its maximum")
        outside = [value for value in self.top_box if not self.scale_minimum <= value <= self.scale_maximum]
        if outside or not self.top_box:
            raise ValueError(f"instrument {self.instrument_id}: top_box {self.top_box} must lie on the scale")
        if self.kind == "nps" and (self.scale_minimum, self.scale_maximum, self.best) != (0, 10, "high"):
            raise ValueError(f"instrument {self.instrument_id}: nps is asked from 0 to 10, 10 best")
        return self


class QaItem(Versioned):
    """One item of the quality review form.

    `labels` are its names on the form, `group` the score it belongs to, `weight` its part of that score, and
    `critical` says for whom a zero there is critical.
    """

    item_id: Id
    name: Text
    labels: tuple[str, ...] = Field(min_length=1)
    group: Literal["etiquette", "solution_depth", "professionalism"]
    weight: Decimal = Field(gt=0)
    critical: Literal["customer", "business", "compliance"] | None = None


class Parameter(Versioned):
    """A number or a choice inside the definition of metrics.

    A later version counts from its first day on; earlier days keep it. `value` of a parameter with `choices` is one of
    them, that of any other a number.
    """

    parameter_id: Id
    value: Decimal | Id
    name: Text
    choices: dict[Id, Text] = {}

    @model_validator(mode="after")
    def _check(self) -> Parameter:
        where = f"parameter {self.parameter_id}:"
        if not self.choices and not isinstance(self.value, Decimal):
            raise ValueError(f"{where} {self.value} is no number and it declares no choices")
        if self.choices and self.value not in self.choices:
            raise ValueError(f"{where} {self.value} is none of its choices {sorted(self.choices)}")
        if len(self.choices) == 1:
            raise ValueError(f"{where} one choice is none; declare at least two")
        return self

    def said(self, language: str) -> str:
        """Returns the value as people read it: a number, or the text of the choice with its id."""
        if isinstance(self.value, Decimal):
            return f"{self.value:f}"
        return f"{getattr(self.choices[self.value], language)} ({self.value})"


class Evidence(Declared):
    """What of a fact's rows shows how far the opinions in them can be trusted; all are SQL over its columns.

    `row` identifies one opinion (several rows may be one), `contact` what it is about: two opinions of different
    `rater`s about one contact are a double score. `valid` is the column that metrics filter by, `is_second` tells a
    blind second opinion, which never counts for the agent, `form` the version of the form it was given on, `rule`
    names the rule that excludes a row, and `distrusted` tells what speaks against the collection of opinions.
    """

    row: str
    contact: str
    rater: str | None = None
    valid: Id
    is_second: str = "false"
    form: str | None = None
    rule: str
    distrusted: str


class Fact(Declared):
    """A fact table and how its rows are credited: the columns with the unit of each kind, date and channel.

    The site pools all rows, unless it has a column of its own or `pools_site` is false. `depends_on` names parameters
    that all its numbers depend on. `min_n` names the least n (`defaults.yml`, min_n) of metrics that count its rows.
    """

    relation: Id
    date_column: Id
    channel_column: Id | None = None
    units: dict[UnitKind, Id]
    pools_site: bool = True
    depends_on: tuple[Id, ...] = ()
    min_n: Literal["csat", "qa", "fcr", "event", "audit", "conversion", "exam", "attendance"] | None = None
    evidence: Evidence | None = None

    @property
    def unit_kinds(self) -> frozenset[str]:
        """The kinds of unit that have values."""
        return frozenset(self.units) | ({"site"} if self.pools_site else frozenset())


class Measure(Declared):
    """A number per unit, channel and day, or per longer range, over the rows of a fact that pass `filter`.

    `sum` adds `expression` up and days add up. `level` adds up within a day only: it is a stock. `distinct` counts
    different values of it, at each grain on its own, because days of it do not add up. `histogram` counts its values in
    logarithmic buckets, of which percentiles are read; buckets add up. Both texts are SQL over the fact's columns and
    may name `parameters.<parameter_id>`; `depends_on` names those that the fact has already put into its columns.
    """

    fact: Id
    aggregate: Literal["sum", "level", "distinct", "histogram"] = "sum"
    expression: str = "1"
    filter: str = "true"
    description: str = Field(min_length=5, pattern=r"^[^{}]*$")
    attribution: Literal["TE", "TS", "TR", "TD", "TO", "TP"]
    credit: Literal["CS", "CF", "CL", "CA", "CT", "CO"]
    depends_on: tuple[Id, ...] = ()

    @property
    def parameters(self) -> frozenset[str]:
        """The parameters its SQL names."""
        return frozenset(re.findall(r"parameters\.(\w+)", f"{self.expression} {self.filter}"))


class Measures(Versioned):
    """Facts and measures of one topic. The SQL of `dbt_project/models/kpi/measure_*.sql` is generated from them."""

    measures_id: Id
    facts: dict[Id, Fact]
    measures: dict[Id, Measure]

    @model_validator(mode="after")
    def _check(self) -> Measures:
        for name, measure in self.measures.items():
            if measure.fact not in self.facts:
                raise ValueError(f"measure {name}: fact {measure.fact} is not declared")
            if measure.aggregate in ("distinct", "histogram") and measure.expression == "1":
                raise ValueError(f"measure {name}: a {measure.aggregate} needs an expression")
        return self


class Target(Declared):
    """What a metric should reach from a day on. `ramp: linear` goes there day by day from the target before it.

    Of a band `value` is the middle, and `tolerance` how far it reaches to either side.
    """

    from_: date = Field(alias="from")
    value: Decimal
    tolerance: Decimal | None = Field(None, gt=0)
    ramp: Literal["step", "linear"] = "step"


class Opening(Declared):
    """What is assumed of a subjective metric until enough agents were measured: its mean, and what that is worth.

    `strength` counts as so many ratings or reviews of every agent, and of the whole cohort (reliability.md 3.1).
    """

    value: Decimal
    strength: Decimal = Field(gt=0)


Grain = Literal["day", "week", "month", "period"]


class Metric(Versioned):
    """A published number of pooled measures (domain/metrics.md).

    `ratio` is `scale` times numerator over denominator, `sum` the numerator, `excess` what it lies above the
    denominator, `percentile` the `quantile` of a histogram, `last` the numerator of the last day that has one.
    `elsewhere` is computed by the relation and column `published_in` names.
    A `headline` is shown on the overview; every metric is shown on the page of all metrics.
    `count` names the measures that give n where the denominator (of a sum: the numerator) is not itself a count.
    `reliability` says who gives a subjective metric: customers by a `rating` or raters by a `review`; `none` means
    that nothing shows how far it can be trusted, so no plan may use it. `row_range` holds the worst and best value of
    one rating or review where it is neither a share (0 to 1) nor a score of 0 to 100.
    `opening` is what is assumed of it in the first weeks.
    `depends_on` names parameters that a metric computed elsewhere depends on.
    `matures_in` names the parameter that says how many days a case is watched before it counts: a close of a plan with
    such a metric waits for them.
    `needs` lists, per unit kind, capabilities a source may declare it cannot deliver (`not_measured`), and
    `entity:<name>` for records that some source must deliver (`source_missing`).
    """

    metric_id: Id
    name: Text
    formula: DatedText
    question: DatedText
    dimension: Literal["workload", "responsiveness", "efficiency", "resolution", "voice", "quality", "sales", "bot"]
    kind: Literal["ratio", "sum", "excess", "percentile", "last", "elsewhere"]
    numerator: tuple[Id, ...] = ()
    denominator: tuple[Id, ...] = ()
    count: tuple[Id, ...] = ()
    scale: Decimal = Field(Decimal(1), gt=0)
    quantile: Decimal | None = Field(None, gt=0, lt=1)
    published_in: str | None = Field(None, pattern=r"^[a-z_]+\.[a-z_]+$")
    grains: tuple[Grain, ...] = ("day", "week", "month", "period")
    units: tuple[UnitKind, ...]
    channels: tuple[Channel, ...]
    unit: Literal["share", "seconds", "count", "score", "fen", "ratio"]
    direction: Literal["higher", "lower", "band"]
    metric_type: Literal["objective", "subjective", "mixed"]
    min_n: int = Field(ge=1)
    bounded: bool = False
    targets: tuple[Target, ...] = ()
    decimals: int = Field(ge=0, le=4)
    display_order: int
    headline: bool = False
    needs: dict[UnitKind | Literal["any"], tuple[str, ...]] = {}
    mixed_credit_reason: str | None = None
    depends_on: tuple[Id, ...] = ()
    matures_in: Id | None = None
    reliability: Literal["rating", "review", "none"] | None = None
    row_range: tuple[Decimal, Decimal] | None = None
    opening: Opening | None = None

    @property
    def has_evidence(self) -> bool:
        """Whether single ratings or reviews show how far it can be trusted."""
        return self.reliability in ("rating", "review")

    @property
    def points_per_unit(self) -> Decimal:
        """Points of 0-100 that one unit of its values is worth."""
        low, high = self.row_range or ((Decimal(0), Decimal(1)) if self.unit == "share" else (Decimal(0), Decimal(100)))
        return Decimal(100) / (high - low)

    @property
    def is_count(self) -> bool:
        """Whether nothing counted is the value 0, and not the absence of one."""
        return self.kind in ("sum", "excess", "last")

    @property
    def is_measured_for_agents(self) -> bool:
        """Whether agents have values of their own, so that a plan can score them."""
        return "agent" in self.units and "agent" not in self.needs

    @property
    def measures(self) -> tuple[str, ...]:
        """Every measure it is made of."""
        return self.numerator + self.denominator + self.count

    @model_validator(mode="after")
    def _check(self) -> Metric:
        where = f"metric {self.metric_id}:"
        if (self.kind == "elsewhere") == bool(self.numerator):
            raise ValueError(f"{where} needs a numerator, unless it is computed elsewhere")
        if (self.kind == "elsewhere") != bool(self.published_in):
            raise ValueError(f"{where} published_in is for metrics that are computed elsewhere, and needed there")
        if (self.kind in ("ratio", "excess")) != bool(self.denominator):
            raise ValueError(f"{where} a ratio needs a denominator, a sum has none")
        if (self.kind == "percentile") != (self.quantile is not None):
            raise ValueError(f"{where} quantile is for percentiles, and needed there")
        if self.metric_type == "subjective" and self.reliability is None:
            raise ValueError(f"{where} a subjective metric names its reliability evidence")
        if self.row_range is not None and not self.row_range[0] < self.row_range[1]:
            raise ValueError(f"{where} row_range goes from the lowest to the highest value of a row")
        days = [target.from_ for target in self.targets]
        if days != sorted(set(days)):
            raise ValueError(f"{where} targets must follow each other in time, found {[str(day) for day in days]}")
        for target in self.targets:
            if (target.tolerance is not None) != (self.direction == "band"):
                raise ValueError(
                    f"{where} targets: found tolerance {target.tolerance} where direction is {self.direction}, expected"
                    " one for a band and only there. Remedy: say how far from its middle a band reaches, or remove it"
                )
            if target.tolerance is not None and target.tolerance >= target.value:
                raise ValueError(
                    f"{where} targets: found tolerance {target.tolerance}, expected below the middle {target.value}."
                    " Remedy: narrow the band, which begins above 0"
                )
        return self


class ContradictionRule(Versioned):
    """A disagreement between sources that is shown as rows: who settles it, and what people read about it."""

    rule_id: Id
    owner_role: Literal["hr", "team_lead", "quality_lead", "data_engineer"]
    severity: Literal["info", "warning", "critical"]
    text: Text


class ReconciliationRule(Versioned):
    """A total that a system counts itself and the share by which ours may differ from it.

    A blocking one withholds the appraisal when a day of the period differs by more.
    """

    rule_id: Id
    system: Id
    name: Text
    compared: Text
    tolerance_share: Decimal = Field(ge=0, lt=1)
    is_blocking: bool


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


class Window(Declared):
    """Hours of a day by the local clock; an end that is not later than the start, or 24:00, is on the next day."""

    start: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    @property
    def minutes(self) -> tuple[int, int]:
        """First minute and the minute after the last, counted from the midnight before the start."""
        start, end = (int(text[:2]) * 60 + int(text[3:]) for text in (self.start, self.end))
        return start, end if end > start else end + 24 * 60


class ServiceWindow(Window):
    """Open hours by the weekdays on which they begin, 1 = Monday to 7 = Sunday."""

    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field(min_length=1)


class Holiday(Declared):
    """One holiday: a `date`, or the days `from` one `to` another, both inclusive."""

    date_: date | None = Field(None, alias="date")
    from_: date | None = Field(None, alias="from")
    to: date | None = None
    name: Text

    @model_validator(mode="after")
    def _check(self) -> Holiday:
        if (self.date_ is None) == (self.from_ is None) or (self.from_ is None) != (self.to is None):
            raise ValueError("a holiday has either a date or both from and to")
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError(f"a holiday ends before it begins: {self.from_} to {self.to}")
        return self

    @property
    def days(self) -> tuple[date, ...]:
        """Its days in order."""
        first, last = self.date_ or self.from_, self.date_ or self.to
        assert first and last
        return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))


class Calendar(Versioned):
    """Open hours by the weekday, and the days that differ: holidays, and days off that are worked for them.

    A holiday has the `holiday_windows` (none: closed), a make-up day the hours of `make_up_weekday`; a window belongs
    to the day it begins on. The default calendar gives the flags of dates and the business seconds of the operation.
    """

    calendar_id: Id
    name: Text
    is_default: bool = False
    service_windows: tuple[ServiceWindow, ...] = Field(min_length=1)
    holiday_windows: tuple[Window, ...] = ()
    holidays: tuple[Holiday, ...] = ()
    make_up_days: tuple[date, ...] = ()
    make_up_weekday: int = Field(1, ge=1, le=7)

    @model_validator(mode="after")
    def _check(self) -> Calendar:
        where = f"calendar {self.calendar_id}:"
        off = [day for holiday in self.holidays for day in holiday.days]
        for what, days in (("holiday", off), ("make-up day", [*self.make_up_days])):
            if twice := sorted({str(day) for day in days if days.count(day) > 1}):
                raise ValueError(f"{where} {twice} is a {what} twice")
        if both := sorted(str(day) for day in set(off) & set(self.make_up_days)):
            raise ValueError(f"{where} {both} is both a holiday and a make-up day")
        week = [
            (weekday * 24 * 60 + window.minutes[0], weekday * 24 * 60 + window.minutes[1])
            for window in self.service_windows
            for weekday in window.weekdays
        ]
        week += [(start + 7 * 24 * 60, end + 7 * 24 * 60) for start, end in week]
        for windows in (week, [window.minutes for window in self.holiday_windows]):
            for (_, end), (start, _) in pairwise(sorted(windows)):
                if start < end:
                    raise ValueError(f"{where} two of its windows overlap. Remedy: make one of them")
        return self

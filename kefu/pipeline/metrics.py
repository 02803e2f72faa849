"""What a metric's number is made of: the formula with its actual numbers, and the rows behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection, sql

from kefu.catalogue.files import Catalogue, in_force
from kefu.catalogue.models import Fact, Grain, Measure, Metric, Text
from kefu.pipeline.context import Platform
from kefu.warehouse import Role, WarehouseError


@dataclass(frozen=True)
class Part:
    """One measure of an explanation.

    Attributes:
        role: `numerator`, `denominator` or `n`.
        measure_id: its name.
        measure: its declaration.
        parameters: what the parameters its number depends on were in these days, with the day from which if it changed.
        total: what the rows add up to (of a distinct count: how many different items).
        columns: names of what `rows` shows: key, business date, the columns the definition uses, the amount.
        rows: the first rows behind the total, in order of date and key.
        row_count: how many there are.
    """

    role: str
    measure_id: str
    measure: Measure
    parameters: dict[str, str]
    total: Decimal
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    row_count: int

    def heading(self) -> str:
        """Returns one line with the measure's total, definition and parameters."""
        known = "".join(f", {name} = {value}" for name, value in self.parameters.items())
        added = (
            "number of rows"
            if self.measure.expression == "1"
            else f"{self.measure.aggregate} of {self.measure.expression}"
        )
        kept = "" if self.measure.filter == "true" else f" where {self.measure.filter}"
        return f"{self.role} {self.measure_id} = {self.total:f} ({added} of {self.measure.fact}{kept}{known})"


@dataclass(frozen=True)
class Explanation:
    """A value with everything it came from. `value` is None when `null_reason` says why.

    `metric` is the definition of the version that counted, `formula` its text with the values in force on the last
    day; `interval` is None where metric_value has none.
    """

    metric: Metric
    formula: Text
    unit_kind: str
    unit_key: str
    channel: str
    period_kind: Grain
    period_id: str
    start: date
    end: date
    numerator: Decimal | None
    denominator: Decimal | None
    n: int
    value: Decimal | None
    interval: tuple[Decimal, Decimal] | None
    null_reason: str | None
    as_of: datetime
    exempt_days: int
    parts: list[Part]

    def lines(self) -> list[str]:
        """Returns the value and the formula, in words and with the numbers."""
        metric = self.metric
        names = {"numerator": metric.numerator, "denominator": metric.denominator}
        written = {role: " + ".join(found) for role, found in names.items()}
        top, bottom = (f"{part:f}" if part is not None else "nothing" for part in (self.numerator, self.denominator))
        scaled = "" if metric.scale == 1 else f"{metric.scale:f} x "
        formula, numbers = {
            "ratio": (f"{scaled}({written['numerator']}) / ({written['denominator']})", f"{scaled}{top} / {bottom}"),
            "excess": (f"{written['numerator']} - ({written['denominator']}), at least 0", f"{top} - {bottom}"),
            "percentile": (f"the {metric.quantile} quantile of {written['numerator']}", f"of {self.n} cases"),
            "last": (f"{written['numerator']} of the last day", top),
            "sum": (written["numerator"], top),
        }[metric.kind]
        outcome = f"{self.value.normalize():f}" if self.value is not None else f"no value: {self.null_reason}"
        said = [
            f"{metric.name.zh} / {metric.name.en} ({metric.metric_id}), version {metric.version}",
            f"{self.unit_kind} {self.unit_key}, channel {self.channel}, {self.period_kind} {self.period_id}"
            f" ({self.start} to {self.end}), n = {self.n}, as of {self.as_of:%Y-%m-%d %H:%M %Z}",
            self.formula.zh,
            self.formula.en,
            f"= {formula}",
            f"= {numbers}",
            f"= {outcome}",
        ]
        if self.interval is not None:
            low, high = (f"{limit.normalize():f}" for limit in self.interval)
            said.append(f"interval {low} to {high}")
        return said + ([f"{self.exempt_days} exempt days are left out"] if self.exempt_days else [])


@dataclass(frozen=True)
class Computed:
    """What the model that computes a metric holds of a unit and range: each row has the numbers of one value.

    Attributes:
        metric: its definition, the newest that was applied.
        formula: its text with the values in force on the last day.
        about: unit, channel and range in words.
        columns: the model's columns, without those that are the same in every row.
        rows: the first rows in the order of their columns.
        row_count: how many there are.
        remedy: how to get at what lies behind a row's own numbers; None where the rows are all there is.
    """

    metric: Metric
    formula: Text
    about: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    row_count: int
    remedy: str | None

    def lines(self) -> list[str]:
        """Returns the formula in words, and each row with its numbers; what a row does not tell is left out."""
        metric = self.metric
        told = (zip(self.columns, row, strict=True) for row in self.rows)
        return [
            f"{metric.name.zh} / {metric.name.en} ({metric.metric_id}), version {metric.version}",
            self.about,
            self.formula.zh,
            self.formula.en,
            f"{self.row_count} rows of {metric.published_in}" + (f"; {self.remedy}" if self.remedy else ""),
            *("  " + ", ".join(f"{name} = {cell}" for name, cell in row if cell is not None) for row in told),
        ]


_EXAMPLES = {"day": "2026-11-03", "week": "2026-W45", "month": "2026-11"}


def explain(
    platform: Platform,
    metric_id: str,
    unit: tuple[str, str],
    period_id: str | None = None,
    *,
    period_kind: Grain = "period",
    channel: str = "all",
    most_rows: int = 20,
) -> Explanation | Computed:
    """Returns what a value of metric_value is made of; of a metric that is not made of measures, the rows of the model
    that computes it.

    Everything is defined as when the value was calculated, as the database says: the files may have moved on.

    Args:
        platform: the installation.
        metric_id: the metric.
        unit: kind and key.
        period_id: as in metric_value: a day, a week such as 2026-W47, a month such as 2026-11, or a declared period;
            None for the latest period.
        period_kind: day, week, month or period.
        channel: one of the metric's, or `all`.
        most_rows: rows returned, of an explanation for each measure: the first by date and key.

    Raises:
        UnknownPeriod: for a period that is not declared.
        WarehouseError: for a metric, unit or range without a value there, a period that is not the one last built, and
            a score, whose readings are recorded by the command it names.
    """
    if period_kind == "period":
        period_id = platform.period(period_id).period_id
    elif period_id is None:
        raise WarehouseError(f"which {period_kind}? Remedy: name it, e.g. {_EXAMPLES[period_kind]}")
    value = _Value(*unit, channel, period_kind, period_id)
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        newest = _definition(connection, metric_id)
        if newest.kind == "elsewhere":
            return _computed(connection, newest, value, most_rows)
        return _summed(connection, newest, value, most_rows)


@dataclass(frozen=True)
class _Value:
    """Which value of a metric is explained, in the words of metric_value."""

    unit_kind: str
    unit_key: str
    channel: str
    period_kind: Grain
    period_id: str

    def words(self) -> str:
        return f"{self.unit_kind} {self.unit_key}, channel {self.channel}, {self.period_kind} {self.period_id}"


def _summed(connection: Connection, newest: Metric, of: _Value, most_rows: int) -> Explanation:
    """What a value that measures add up to is made of."""
    found = connection.execute(
        "select metric_version, period_start, period_end, numerator, denominator, n, value, interval_low,"
        " interval_high, null_reason, as_of from wh_kpi.metric_value"
        " where metric_id = %s and unit_kind = %s and unit_key = %s and channel = %s and period_kind = %s"
        " and period_id = %s",
        [newest.metric_id, of.unit_kind, of.unit_key, of.channel, of.period_kind, of.period_id],
    ).fetchone()
    if found is None:
        raise WarehouseError(
            f"there is no value of {newest.metric_id} for the {of.words()}."
            f" Remedy: check the names; the metric is for {', '.join(newest.units)} by {', '.join(newest.grains)},"
            " days without a case have no value, and a period must be the one that was built last"
        )
    version, start, end, numerator, denominator, n, value, low, high, null_reason, as_of = found
    metric = _definition(connection, newest.metric_id, version)
    declared = _measures(connection)
    unit = (of.unit_kind, of.unit_key)
    span = _Span(start, end, *_days(connection, metric, unit, of.period_kind, start, end))
    parts = [
        _part(declared, connection, metric, role, name, unit, of.channel, span, most_rows)
        for role, names in (("numerator", metric.numerator), ("denominator", metric.denominator), ("n", metric.count))
        for name in names
        if of.unit_kind in declared.facts[declared.measures[name].fact].unit_kinds
    ]
    return Explanation(
        metric=metric, formula=metric.formula.filled(_text_values(connection, end)), unit_kind=of.unit_kind,
        unit_key=of.unit_key, channel=of.channel, period_kind=of.period_kind, period_id=of.period_id, start=start,
        end=end, numerator=numerator, denominator=denominator, n=n, value=value,
        interval=None if low is None else (low, high), null_reason=null_reason, as_of=as_of,
        exempt_days=span.exempt_days, parts=parts,
    )  # fmt: skip


def _computed(connection: Connection, metric: Metric, of: _Value, most_rows: int) -> Computed:
    """What the model that computes a metric holds of a unit and range."""
    kind, key = of.unit_kind, of.unit_key
    relation = str(metric.published_in).partition(".")[0]
    if relation == "score":
        meant = f" --period {of.period_id}" if of.period_kind == "period" else ""
        raise WarehouseError(
            f"{metric.metric_id} is a score, and who reads scores is recorded. Remedy: `kefu explain --agent"
            f" {key if kind == 'agent' else '<personnel number>'}{meant}` prints the lines that add up to it"
        )
    ranged = connection.execute(
        "select period_start, period_end from wh_kpi.metric_value where period_kind = %s and period_id = %s limit 1",
        [of.period_kind, of.period_id],
    ).fetchone()
    start, end = ranged or (None, None)
    schema, known = connection.execute(
        "select table_schema::text, array_agg(column_name::text order by ordinal_position)"
        " from information_schema.columns where table_schema ~ '^wh_' and table_name = %s group by table_schema",
        [relation],
    ).fetchall()[0]
    same: dict[str, Any] = {"unit_kind": kind, "unit_key": key, "period_kind": of.period_kind, "period_start": start}
    if kind != "site":
        same[f"{kind}_key"] = key
    # A model by kind of unit has a row for all channels together, any other has only rows of single channels.
    if of.channel != "all" or "unit_kind" in known:
        same["channel"] = of.channel
    same = {name: value for name, value in same.items() if name in known}
    conditions = [f"{name} = %s" for name in same]
    arguments = list(same.values())
    if "period_kind" not in known:
        conditions.append("business_date between %s and %s")
        arguments += [start, end]
    shown = tuple(name for name in known if name not in {*same, "period_id", "period_end"})
    source = sql.SQL("select {} from {} where {} order by {}").format(
        sql.SQL(", ").join(map(sql.Identifier, shown)),
        sql.Identifier(schema, relation),
        sql.SQL(" and ".join(conditions)),
        sql.SQL(", ").join(sql.Literal(place) for place in range(1, len(shown) + 1)),
    )
    rows = connection.execute(source, arguments).fetchall() if kind in metric.units and ranged else []
    if not rows:
        raise WarehouseError(
            f"{metric.published_in} has no row of {of.words()}."
            f" Remedy: check the names; the metric is for {', '.join(metric.units)} by {', '.join(metric.grains)}"
        )
    behind = f"--{kind} {key} --channel {of.channel} --period-kind {of.period_kind} --period {of.period_id}"
    return Computed(
        metric=metric,
        formula=metric.formula.filled(_text_values(connection, end)),
        about=f"{of.words()} ({start} to {end})",
        columns=shown,
        rows=rows[:most_rows],
        row_count=len(rows),
        remedy=f"what is behind a value: kefu metrics explain <metric_id> {behind}" if "value" in shown else None,
    )


@dataclass(frozen=True)
class _Span:
    """The range of a value, the days in it that count, and how many of it are exempt."""

    start: date
    end: date
    days: list[date]
    exempt_days: int


def _definition(connection: Connection, metric_id: str, version: int | None = None) -> Metric:
    """A version of a metric as it was applied, the newest unless one is given."""
    found = connection.execute(
        "select body from cfg.object_version where kind = 'metric' and object_id = %s "
        " and version = coalesce(%s, version) order by version desc limit 1",
        [metric_id, version],
    ).fetchone()
    if found is None:
        raise WarehouseError(f"no metric {metric_id}. Remedy: see `kefu metrics list`")
    return Metric.model_validate(found[0])


def _measures(connection: Connection) -> Catalogue:
    """The measures and facts with which the live line was built last."""
    built = connection.execute("select period_start from wh_staging.stg_cfg__period").fetchone()
    assert built is not None
    return Catalogue({"measures": in_force(connection, "measures", str(built[0]))})


def _text_values(connection: Connection, day: date) -> dict[str, Text]:
    """What texts may name, as it was on a day."""
    rows = connection.execute(
        "select value_name, value_zh, value_en from wh_staging.stg_cfg__text_value"
        " where %s between valid_from and valid_to",
        [day],
    ).fetchall()
    return {name: Text(zh=zh, en=en) for name, zh, en in rows}


def counted_days(
    connection: Connection, start: date, end: date, schema: str = "wh_intermediate"
) -> dict[str, tuple[date, date]]:
    """Returns by metric the first and last day a period counts, of those whose days are not those of the period.

    Cases of slow metrics count when they have been watched for their window.
    """
    rows = connection.execute(
        sql.SQL(
            "select windows.metric_id, min(days.day), max(days.day)"
            " from {}.int_metric_window as windows"
            " cross join lateral generate_series(-366, %(end)s::date - %(start)s::date) as series (number)"
            " cross join lateral (values (%(start)s::date + series.number)) as days (day)"
            " where days.day between windows.valid_from and windows.valid_to"
            " and greatest(days.day + windows.window_days, windows.not_before) between %(start)s and %(end)s"
            " group by windows.metric_id"
            " having (min(days.day), max(days.day)) <> (%(start)s::date, %(end)s::date)"
        ).format(sql.Identifier(schema)),
        {"start": start, "end": end},
    ).fetchall()
    return {metric: (first, last) for metric, first, last in rows}


def _days(
    connection: Connection, metric: Metric, unit: tuple[str, str], period_kind: Grain, start: date, end: date
) -> tuple[list[date], int]:
    """The days a value counts, and how many that it would count are exempt; a stock is that of its last day."""
    first, last = start, end
    if period_kind == "period":
        first, last = counted_days(connection, start, end).get(metric.metric_id, (start, end))
    rows = connection.execute(
        "select business_date from wh_kpi.exempt_day where metric_id = %s and business_date between %s and %s"
        " and (unit_kind = 'all' or (unit_kind, unit_key) = (%s, %s)) group by business_date",
        [metric.metric_id, first, last, *unit],
    ).fetchall()
    exempt = {row[0] for row in rows}
    counted = [day for day in _range(first, last) if day not in exempt]
    if metric.kind == "last":
        stock = connection.execute(
            "select max(business_date) from wh_kpi.metric_day where metric_id = %s and metric_version = %s"
            " and business_date = any (%s)",
            [metric.metric_id, metric.version, counted],
        ).fetchone()
        counted = [day for day in stock or () if day is not None]
    return counted, len(exempt)


def _range(first: date, last: date) -> list[date]:
    return [first + timedelta(number) for number in range((last - first).days + 1)]


def _part(
    declared: Catalogue,
    connection: Connection,
    metric: Metric,
    role: str,
    name: str,
    unit: tuple[str, str],
    channel: str,
    span: _Span,
    most_rows: int,
) -> Part:
    measure = declared.measures[name]
    fact = declared.facts[measure.fact]
    known = [
        row[0]
        for row in connection.execute(
            "select column_name::text from information_schema.columns"
            " where table_schema = 'wh_core' and table_name = %s order by ordinal_position",
            [fact.relation],
        )
    ]
    named = set(re.findall(r"\w+", f"{measure.expression} {measure.filter}"))
    columns = [known[0], fact.date_column, *(column for column in known[1:] if column in named - {fact.date_column})]
    channels = [one for one in metric.channels if one != "none" and channel in (one, "all")]
    source = _rows_of(fact, measure, columns, unit, bool(channels))
    # What is distinct cannot be taken apart by days, so exempt ones stay in it.
    arguments: list[Any] = [_range(span.start, span.end) if measure.aggregate == "distinct" else span.days]
    arguments += [unit[1]] if unit[0] in fact.units else []
    arguments += [channels] if channels and fact.channel_column else []
    counted = sql.SQL("count(distinct amount)" if measure.aggregate == "distinct" else "coalesce(sum(amount), 0)")
    if measure.aggregate == "histogram":
        counted = sql.SQL("count(amount)")
    summary = connection.execute(
        sql.SQL("select {}, count(*) from ({}) as behind").format(counted, source), arguments
    ).fetchone()
    assert summary is not None
    shown = connection.execute(
        sql.SQL("select * from ({}) as behind order by 2, 1 limit {}").format(source, sql.Literal(most_rows)), arguments
    ).fetchall()
    parameters: dict[str, str] = {}
    for parameter, value, valid_from in connection.execute(
        "select parameter_id, coalesce(choice, value::text), valid_from::text"
        " from wh_staging.stg_cfg__parameter as p where parameter_id = any (%s) and valid_from <= %s and valid_to >= %s"
        " order by parameter_id, p.valid_from",
        [sorted(declared.settled_by(name)), span.end, min([*span.days, span.start])],
    ):
        before = parameters.get(parameter)
        parameters[parameter] = value if before is None else f"{before}, from {valid_from} {value}"
    return Part(role, name, measure, parameters, Decimal(summary[0]), (*columns, "amount"), shown, summary[1])


def _rows_of(
    fact: Fact, measure: Measure, columns: Sequence[str], unit: tuple[str, str], has_channels: bool
) -> sql.Composed:
    """The rows of a fact that a measure counts for a unit, with what each adds."""
    conditions = [
        f"rows.{fact.date_column} = any (%s::date[])",
        f"({measure.filter})",
        f"({measure.expression}) is not null",
    ]
    if unit[0] in fact.units:
        conditions.append(f"rows.{fact.units[unit[0]]} = %s")  # type: ignore[index]
    if has_channels and fact.channel_column:
        conditions.append(f"rows.{fact.channel_column} = any (%s)")
    shown = ", ".join(f"rows.{column}" for column in columns)
    # Both texts are the project's own declarations; a percent sign in them is no placeholder.
    conditions[1:3] = [condition.replace("%", "%%") for condition in conditions[1:3]]
    text = (
        f"select {shown}, ({measure.expression}) as amount from wh_core.{fact.relation} as rows"
        " inner join wh_staging.stg_cfg__parameter_range as parameters"
        f" on rows.{fact.date_column} between parameters.valid_from and parameters.valid_to"
        f" where {' and '.join(conditions)}"
    )
    return sql.Composed([sql.SQL(text)])

"""What a metric's number is made of: the formula with its actual numbers, and the rows behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import Connection, sql

from kefu.catalogue.files import Catalogue, in_force
from kefu.catalogue.models import Fact, Measure, Metric
from kefu.pipeline.context import Platform
from kefu.warehouse import Role, WarehouseError


@dataclass(frozen=True)
class Part:
    """One measure of an explanation.

    Attributes:
        role: `numerator`, `denominator` or `n`.
        measure_id: its name.
        measure: its declaration.
        parameters: values of the parameters its number depends on, those of the period's last day.
        total: what the rows add up to (of a distinct count: how many different items).
        columns: names of what `rows` shows: key, business date, the columns the definition uses, the amount.
        rows: the first rows behind the total, in order of date and key.
        row_count: how many there are.
    """

    role: str
    measure_id: str
    measure: Measure
    parameters: dict[str, Decimal | str]
    total: Decimal
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    row_count: int

    def heading(self) -> str:
        """Returns one line with the measure's total, definition and parameters."""
        known = "".join(
            f", {name} = {value:f}" if isinstance(value, Decimal) else f", {name} = {value}"
            for name, value in self.parameters.items()
        )
        added = (
            "number of rows"
            if self.measure.expression == "1"
            else f"{self.measure.aggregate} of {self.measure.expression}"
        )
        kept = "" if self.measure.filter == "true" else f" where {self.measure.filter}"
        return f"{self.role} {self.measure_id} = {self.total:f} ({added} of {self.measure.fact}{kept}{known})"


@dataclass(frozen=True)
class Explanation:
    """A value with everything it came from. `value` is None when `null_reason` says why."""

    metric: Metric
    unit_kind: str
    unit_key: str
    start: date
    end: date
    numerator: Decimal | None
    denominator: Decimal | None
    n: int
    value: Decimal | None
    null_reason: str | None
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
            f"{self.unit_kind} {self.unit_key}, {self.start} to {self.end}, n = {self.n}",
            metric.formula.zh,
            metric.formula.en,
            f"= {formula}",
            f"= {numbers}",
            f"= {outcome}",
        ]
        return said + ([f"{self.exempt_days} exempt days are left out"] if self.exempt_days else [])


def explain(
    platform: Platform, metric_id: str, unit: tuple[str, str], period_id: str | None = None, most_rows: int = 20
) -> Explanation:
    """Returns what the value of a unit, (kind, key), in the period of the live line is made of.

    The metric is defined as when the period was calculated: the files may have moved on.

    Raises:
        UnknownPeriod: for a period that is not declared.
        WarehouseError: for a metric or unit without a value there, or a period that is not the one last built.
    """
    period = platform.period(period_id)
    kind, key = unit
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        # Measures are those the models are generated from, which are not dated.
        in_period = {"metric": in_force(connection, "metric", str(period.start))}
        declared = Catalogue(platform.catalogue.objects | in_period)
        metric = declared.metrics.get(metric_id)
        if metric is None:
            raise WarehouseError(f"no metric {metric_id}. Remedy: see `kefu metrics list`")
        if metric.kind == "elsewhere":
            raise WarehouseError(f"{metric_id} is not made of measures: it is computed in {metric.published_in}")
        found = connection.execute(
            "select numerator, denominator, n, value, null_reason, period_start, period_end from wh_kpi.metric_value"
            " where metric_id = %s and unit_kind = %s and unit_key = %s and channel = 'all' and period_kind = 'period'"
            " and period_id = %s",
            [metric_id, kind, key, period.period_id],
        ).fetchone()
        if found is None:
            raise WarehouseError(
                f"there is no value of {metric_id} for the {kind} {key} in {period.period_id}. Remedy: check the names;"
                f" the metric is for {', '.join(metric.units)}, and the period must be the one that was built last"
            )
        start, end = found[5], found[6]
        exempt = _exempt_days(connection, metric_id, unit, start, end)
        parts = [
            _part(declared, connection, metric, role, name, unit, (start, end), exempt, most_rows)
            for role, names in (
                ("numerator", metric.numerator),
                ("denominator", metric.denominator),
                ("n", metric.count),
            )
            for name in names
            if kind in declared.facts[declared.measures[name].fact].unit_kinds
        ]
    numerator, denominator, n, value, null_reason = found[:5]
    return Explanation(metric, kind, key, start, end, numerator, denominator, n, value, null_reason, len(exempt), parts)


def _exempt_days(connection: Connection, metric_id: str, unit: tuple[str, str], start: date, end: date) -> list[date]:
    rows = connection.execute(
        "select business_date from wh_kpi.exempt_day where metric_id = %s and business_date between %s and %s"
        " and (unit_kind = 'all' or (unit_kind, unit_key) = (%s, %s)) group by business_date",
        [metric_id, start, end, *unit],
    ).fetchall()
    return [row[0] for row in rows]


def _part(
    declared: Catalogue,
    connection: Connection,
    metric: Metric,
    role: str,
    name: str,
    unit: tuple[str, str],
    span: tuple[date, date],
    exempt: Sequence[date],
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
    channels = [channel for channel in metric.channels if channel != "none"]
    source = _rows_of(fact, measure, columns, unit, bool(channels))
    arguments: list[Any] = [*span, list(exempt)]
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
    parameters = {
        key: choice if value is None else value
        for key, value, choice in connection.execute(
            "select parameter_id, value, choice from wh_staging.stg_cfg__parameter"
            " where parameter_id = any (%s) and %s between valid_from and valid_to order by parameter_id",
            [sorted(declared.settled_by(name)), span[1]],
        )
    }
    return Part(role, name, measure, parameters, Decimal(summary[0]), (*columns, "amount"), shown, summary[1])


def _rows_of(
    fact: Fact, measure: Measure, columns: Sequence[str], unit: tuple[str, str], has_channels: bool
) -> sql.Composed:
    """The rows of a fact that a measure counts for a unit, with what each adds."""
    conditions = [
        f"rows.{fact.date_column} between %s and %s",
        f"rows.{fact.date_column} <> all (%s::date[])",
        f"({measure.filter})",
        f"({measure.expression}) is not null",
    ]
    if unit[0] in fact.units:
        conditions.append(f"rows.{fact.units[unit[0]]} = %s")  # type: ignore[index]
    if has_channels and fact.channel_column:
        conditions.append(f"rows.{fact.channel_column} = any (%s)")
    shown = ", ".join(f"rows.{column}" for column in columns)
    # Both texts are the project's own declarations; a percent sign in them is no placeholder.
    conditions[2:4] = [condition.replace("%", "%%") for condition in conditions[2:4]]
    text = (
        f"select {shown}, ({measure.expression}) as amount from wh_core.{fact.relation} as rows"
        " inner join wh_staging.stg_cfg__parameter_range as parameters"
        f" on rows.{fact.date_column} between parameters.valid_from and parameters.valid_to"
        f" where {' and '.join(conditions)}"
    )
    return sql.Composed([sql.SQL(text)])

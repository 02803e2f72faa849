"""What a page shows, worked out from the rows of a card: words, positions and colours, but no markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bi.charts import Bar, LineChart, Reading, Scale
from bi.formats import Formatter
from bi.spec import Card, Column, Filter, Label, Labels, Language, SpecError, short

Row = dict[str, Any]


@dataclass(frozen=True)
class Info:
    """What stands behind the (i) of a heading."""

    question: str | None = None
    formula: str | None = None
    min_n: str | None = None
    target: str | None = None
    badge_reason: str | None = None


@dataclass(frozen=True)
class Measure:
    """One measured value: never a bare number. Either `text` or `missing` is set."""

    text: str | None
    missing: Label | None
    interval: str | None
    n: str | None
    is_below_min: bool
    min_n: str | None
    verdict: Label | None
    bar: Bar | None
    badge: Label | None
    sort: float | None


@dataclass(frozen=True)
class Head:
    """A heading of a tile, matrix row or matrix column."""

    text: str
    note: str | None
    channel: str | None
    badge: Label | None
    info: Info
    attributes: dict[str, str]


@dataclass(frozen=True)
class Tile:
    """A headline metric with one line per channel."""

    head: Head
    lines: list[tuple[str | None, Measure, dict[str, str]]]


@dataclass(frozen=True)
class MatrixView:
    """Rows by columns of measures; `left_out` are columns that have no value on any row, with the reason."""

    columns: list[Head]
    corner: str
    rows: list[tuple[Head, list[Measure | None]]]
    left_out: list[tuple[Head, Label]]
    is_metric_by_row: bool


@dataclass(frozen=True)
class LineView:
    """A line chart with its legend and the numbers behind it."""

    chart: LineChart | None
    legend: list[tuple[str, str]]
    ticks: list[tuple[float, str]]
    days: list[tuple[float, str]]
    target: str | None
    thin: str | None
    reasons: list[str]
    numbers: list[tuple[str, str, Measure]]


@dataclass(frozen=True)
class Cell:
    """One cell of a table: words, a label or a measure."""

    text: str | None = None
    label: Label | None = None
    measure: Measure | None = None
    align: str = "start"
    sort: float | str | None = None
    is_code: bool = False


@dataclass(frozen=True)
class TableView:
    """A table; `details` holds the nested table of a row, if any."""

    titles: list[tuple[str, str]]
    rows: list[tuple[list[Cell], dict[str, str]]]
    details: list[TableView | None] = field(default_factory=list)


class View:
    """Builds the views of one page in one language."""

    def __init__(self, language: Language, labels: Labels, filters: Sequence[Filter]) -> None:
        self.language = language
        self.labels = labels
        self.filters = filters
        self.format = Formatter(language)

    def word(self, key: str) -> str:
        """Returns an interface word."""
        return self.labels.words[key].of(self.language)

    def tiles(self, card: Card, rows: list[Row]) -> list[Tile]:
        """Returns one tile per label, its lines on a common scale."""
        found = []
        for group in _grouped(rows, self._names(card.roles.label)).values():
            scale = self._scale(card, group)
            lines = [
                (
                    self._channel(self._get(card, "series_channel", row)),
                    self._measure(card, row, scale),
                    self._attributes([row]),
                )
                for row in group
            ]
            found.append(Tile(self._head(card, group, "label", None, about_metric=True), lines))
        return found

    def matrix(self, card: Card, rows: list[Row]) -> MatrixView:
        """Returns rows by columns. The channel stands beside the metric, whose cells share one scale."""
        roles = card.roles
        by_row = _grouped(rows, self._names(roles.label_key or roles.label, roles.label_channel))
        series = self._names(roles.series, roles.series_channel)
        by_column = _grouped(rows, series)
        metric_by_row = roles.label_channel is not None
        scales = {id(row): scale for group in (by_row if metric_by_row else by_column).values()
                  for scale in [self._scale(card, group)] for row in group}  # fmt: skip
        columns, left_out = {}, []
        for key, group in by_column.items():
            head = self._head(card, group, "series", roles.series_channel, about_metric=not metric_by_row)
            reasons = {self._reason(card, row) for row in group}
            if all(self._get(card, "value", row) is None for row in group) and len(reasons) == 1 and len(by_row) > 1:
                left_out.append((head, self.labels.code("null_reason", reasons.pop())))
            else:
                columns[key] = head
        lines = []
        for group in by_row.values():
            head = self._head(card, group, "label", roles.label_channel, about_metric=metric_by_row)
            cells = {
                key: self._measure(card, own[0], scales[id(own[0])]) for key, own in _grouped(group, series).items()
            }
            lines.append((head, [cells.get(key) for key in columns]))
        corner = card.titles["label"].of(self.language) if "label" in card.titles else self.word("item")
        return MatrixView(list(columns.values()), corner, lines, left_out, metric_by_row)

    def interval(self, card: Card, rows: list[Row]) -> list[tuple[Head, Measure]]:
        """Returns one bar per row on a common scale."""
        scale, channel = self._scale(card, rows), card.roles.label_channel
        return [
            (self._head(card, [row], "label", channel, about_metric=False), self._measure(card, row, scale))
            for row in rows
        ]

    def line(self, card: Card, rows: list[Row]) -> LineView:
        """Returns a chart with one line per channel, and the same numbers as a table."""
        scale = self._scale(card, rows)
        readings, numbers = [], []
        for row in rows:
            measure = self._measure(card, row, scale)
            channel = str(self._get(card, "series_channel", row))
            name, day, n = self._code("channel", channel), self._get(card, "x", row), self._get(card, "n", row)
            words = [self.format.day(day), name, measure.text, measure.interval, measure.n and f"n {measure.n}"]
            readings.append(
                Reading(
                    day,
                    channel,
                    self._get(card, "value", row),
                    n is not None and n < card.thin_below,
                    " · ".join(word for word in words if word),
                )
            )
            numbers.append((self.format.day(day), name, measure))
        unit = self._unit(card, rows[0])
        chart = LineChart.of(readings, unit, self._limits(card, rows[0]))
        thin = any(reading.is_thin and reading.value is not None for reading in readings)
        return LineView(
            chart,
            [(line.key, self._code("channel", line.key)) for line in chart.lines if line.points] if chart else [],
            [(y, self._tick(tick, unit)) for y, tick in chart.ticks] if chart else [],
            [(x, self.format.day_of_month(day)) for x, day in chart.days] if chart else [],
            self._target(card, rows[0]),
            self.word("thin").format(n=card.thin_below) if thin else None,
            sorted({measure.missing.of(self.language) for *_, measure in numbers if measure.missing}),
            numbers,
        )

    def strip(self, card: Card, rows: list[Row]) -> list[tuple[str, str, Label, str]]:
        """Returns (item, value, state, note) of each row."""
        return [
            (
                str(self._get(card, "label", row)),
                self.format.number(self._get(card, "value", row)),
                self.labels.code("state", self._get(card, "badge", row)),
                str(self._get(card, "note", row) or ""),
            )
            for row in rows
        ]

    def table(self, card: Card, rows: list[Row], nested: tuple[Card, list[Row]] | None = None) -> TableView:
        """Returns a table; the rows of `nested` go under the row with the same values of its `by` columns."""
        scale = self._scale(card, rows)
        cells = [
            ([self._cell(card, column, row, scale) for column in card.columns], self._attributes([row])) for row in rows
        ]
        titles = [(column.title.of(self.language), _alignment(column)) for column in card.columns]
        if nested is None or nested[0].nested_in is None:
            return TableView(titles, cells)
        inner, by = nested[0], nested[0].nested_in.by
        host_columns = {column.column for column in card.columns}
        inner = inner.model_copy(update={"columns": tuple(c for c in inner.columns if c.column not in host_columns)})
        groups = _grouped(nested[1], by)
        details = []
        for row in rows:
            own = groups.get(tuple(row[column] for column in by))
            details.append(self.table(inner, own) if own else None)
        return TableView(titles, cells, details)

    def _cell(self, card: Card, column: Column, row: Row, scale: Scale) -> Cell:
        value, align = row[column.column.replace("{lang}", short(self.language))], _alignment(column)
        if column.format == "measure":
            # Rows of different units have no common scale, hence no bar.
            measure = self._measure(card, row, scale if card.unit else None)
            return Cell(measure=measure, align=align, sort=measure.sort)
        if value is None:
            return Cell(align=align)
        if column.format == "label":
            return Cell(label=self.labels.code(str(column.labels), str(value)), align=align, sort=str(value))
        if column.format == "target":
            return Cell(self._target(card, row), align=align, sort=float(value))
        if column.format == "date":
            return Cell(self.format.day(value), align=align, sort=value.isoformat())
        if column.format == "instant":
            return Cell(self.format.instant(value), align=align, sort=value.isoformat())
        if column.format in ("text", "code"):
            return Cell(self.format.code(value), align=align, sort=str(value), is_code=column.format == "code")
        if column.format == "value":
            unit, decimals = self._unit(card, row), int(self._get(card, "decimals", row) or 0)
            text = self.format.value(value, unit, decimals)
        elif column.format == "share":
            text = self.format.value(value, "share", column.decimals)
        else:
            text = self.format.number(value, 0 if column.format == "count" else column.decimals)
        return Cell(text, align=align, sort=float(value))

    def _measure(self, card: Card, row: Row, scale: Scale | None) -> Measure:
        value, low, high = (self._get(card, role, row) for role in ("value", "low", "high"))
        n, min_n, targets = self._get(card, "n", row), self._get(card, "min_n", row), self._limits(card, row)
        unit, decimals = self._unit(card, row), int(self._get(card, "decimals", row) or 0)
        badge = self._get(card, "badge", row)
        missing = None if value is not None else self.labels.code("null_reason", self._reason(card, row))
        limits = None
        if value is not None and low is not None and high is not None:
            limits = f"{self.format.value(low, unit, decimals)} – {self.format.value(high, unit, decimals)}"
        is_below = n is not None and min_n is not None and n < min_n
        if value is None:
            is_below = is_below and self._reason(card, row) == "below_min_n"
        return Measure(
            text=None if value is None else self.format.value(value, unit, decimals),
            missing=missing,
            interval=limits,
            # A count is its own n.
            n=None if n is None or (unit == "count" and n == value) else self.format.number(n),
            is_below_min=is_below,
            min_n=None if min_n is None else self.format.number(min_n),
            verdict=self._verdict(value, low, high, targets, self._get(card, "direction", row)),
            bar=Bar.of(scale, value, low, high, targets) if scale and value is not None else None,
            badge=self.labels.code("reliability", badge) if badge else None,
            sort=None if value is None else float(value),
        )

    def _verdict(self, value: Any, low: Any, high: Any, targets: list[Any], direction: str | None) -> Label | None:
        """Compares with the target or the limits of a band: an interval that holds one of them decides nothing."""
        if value is None or not targets or direction is None or (direction == "band") != (len(targets) == 2):
            return None
        if low is not None and high is not None and any(low < target < high for target in targets):
            return self.labels.code("verdict", "unclear")
        is_met = (direction == "lower" or value >= targets[0]) and (direction == "higher" or value <= targets[-1])
        return self.labels.code("verdict", "met" if is_met else "missed")

    def _head(self, card: Card, rows: list[Row], side: str, channel: str | None, *, about_metric: bool) -> Head:
        row = rows[0]
        note = self._get(card, "label_note", row) if side == "label" else None
        states = {self._get(card, "badge", other) for other in rows}
        # Where cohorts differ, each cell shows its own badge instead.
        badge = (
            self.labels.code("reliability", states.pop())
            if about_metric and len(states) == 1 and None not in states
            else None
        )
        info = self._info(card, row) if about_metric else Info()
        return Head(
            text=str(self._get(card, side, row)),
            note=None if note is None else str(note),
            channel=self._channel(row[channel]) if channel else None,
            badge=badge,
            info=replace(info, badge_reason=self._get(card, "badge_reason", row)) if badge else info,
            attributes=self._attributes(rows),
        )

    def about(self, card: Card, rows: list[Row]) -> Info:
        """Returns what stands behind the heading of a card: its question, and the metric if it shows only one."""
        one_metric = bool(rows) and card.display in ("line", "interval")
        return replace(self._info(card, rows[0]) if one_metric else Info(), question=card.question.of(self.language))

    def _info(self, card: Card, row: Row) -> Info:
        min_n = self._get(card, "min_n", row)
        return Info(
            formula=self._get(card, "formula", row),
            min_n=None if min_n is None else self.format.number(min_n),
            target=self._target(card, row),
        )

    def _target(self, card: Card, row: Row) -> str | None:
        target, tolerance, direction = (self._get(card, role, row) for role in ("target", "tolerance", "direction"))
        return None if target is None else self.format.target(target, self._unit(card, row), direction, tolerance)

    def _limits(self, card: Card, row: Row) -> list[Any]:
        """The target, or the two limits of one that is a band."""
        target, tolerance = self._get(card, "target", row), self._get(card, "tolerance", row)
        if target is None:
            return []
        return [target] if tolerance is None else [target - tolerance, target + tolerance]

    def _scale(self, card: Card, rows: Iterable[Row]) -> Scale:
        rows = list(rows)
        if card.roles.value is None or not rows:
            return Scale(0.0, 1.0)
        parts = [self._get(card, role, row) for row in rows for role in ("value", "low", "high")]
        parts += [limit for row in rows for limit in self._limits(card, row)]
        return Scale.around(parts, self._unit(card, rows[0]))

    def _attributes(self, rows: list[Row]) -> dict[str, str]:
        """Returns filter key -> value for the filters on which all these rows agree."""
        found = {}
        for choice in self.filters:
            values = {row.get(choice.column.rpartition(".")[2]) for row in rows}
            if len(values) == 1 and (value := values.pop()) is not None:
                found[choice.key] = str(value)
        return found

    def _reason(self, card: Card, row: Row) -> str:
        return str(self._get(card, "null_reason", row) or "unknown")

    def _unit(self, card: Card, row: Row) -> str:
        return card.unit or str(self._get(card, "unit", row) or "score")

    def _tick(self, tick: float, unit: str) -> str:
        if unit == "share":
            return f"{round(100 * tick, 1):g}%"
        return self.format.duration(Decimal(tick), 0) if unit == "seconds" else f"{tick:g}"

    def _code(self, enumeration: str, code: Any) -> str:
        return self.labels.code(enumeration, str(code)).of(self.language)

    def _channel(self, code: Any) -> str | None:
        return None if code == "none" else self._code("channel", code)

    def _names(self, *columns: str | None) -> list[str]:
        return [column.replace("{lang}", short(self.language)) for column in columns if column]

    def _get(self, card: Card, role: str, row: Row) -> Any:
        column = getattr(card.roles, role)
        if column is None:
            return None
        (name,) = self._names(column)
        if name not in row:
            raise SpecError(
                f"card {card.key!r}: the query of {card.sql} delivers {sorted(row)}, but role {role} wants {name!r}"
            )
        return row[name]


def _alignment(column: Column) -> str:
    return "end" if column.format in ("count", "number", "share", "value") else "start"


def _grouped(rows: Iterable[Row], columns: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Returns the rows by the values of some columns, in order of appearance."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in columns), []).append(row)
    return groups

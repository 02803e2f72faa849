"""From observations to the values of every unit, channel and period."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cache, partial

import pyarrow as pa

from kefu.simulation.truth.facts import Entry, Facts, Grain, Kind, Metric, Number, Unit

VALUES = pa.schema(
    {
        "metric_id": pa.string(),
        "unit_kind": pa.string(),
        "unit_key": pa.string(),
        "channel": pa.string(),
        "period_kind": pa.string(),
        "period": pa.string(),
        "numerator": pa.decimal128(24, 6),
        "denominator": pa.decimal128(24, 6),
        "n": pa.int64(),
        "value": pa.float64(),
    }
)

# Counts of different things and levels are no sums over days, so no day can be taken out of them.
_EXEMPTED_KINDS = ("ratio", "sum", "excess", "percentile")
_DAY = dt.timedelta(days=1)

Units = tuple[Unit, ...]
UnitsOf = Callable[[Units, dt.date], Units]
Periods = Callable[[dt.date], list[tuple[str, str]]]
# Unit, channel, kind of the period and its name.
UnitCell = tuple[Unit, str, str, str]
# Numerator, denominator, n, value.
Numbers = tuple[Number | None, Number | None, int, Number | float | None]
Valued = tuple[UnitCell, Numbers]


def values_of(facts: Facts, metrics: Mapping[str, Metric]) -> pa.Table:
    """Returns numerator, denominator (NULL where there is none), n and value of every unit, channel and period.

    Channel `all` is voice and chat together; metrics without a channel have `none`. Periods are days, weeks (named by
    their Monday) and months. Left out are days and months outside the scenario (but not the day of looking), weeks
    that begin outside it, and rows that nothing was observed for. A value is NULL without a denominator. The rows are
    sorted.
    """
    exempted = Exemptions(facts)
    found: dict[tuple[str, ...], Numbers] = {}
    for metric_id, metric in metrics.items():

        @cache
        def units_of(units: Units, day: dt.date, only: str = metric_id, kind: Kind = metric.kind) -> Units:
            return exempted.counting(only, units, day) if kind in _EXEMPTED_KINDS else units

        collect = _COLLECTORS.get(metric.kind, _sums)
        periods = cache(partial(_periods, facts, metric.grains))
        for (unit, channel, kind, period), numbers in collect(metric, periods, units_of, metric.entries(facts)):
            found[metric_id, *unit, channel, kind, period] = numbers
    rows = [
        (*cell, _decimal(numerator), _decimal(denominator), n, None if value is None else float(value))
        for cell, (numerator, denominator, n, value) in sorted(found.items())
    ]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in VALUES]
    return pa.table(columns, schema=VALUES)


class Exemptions:
    """Which days do not count, for whom and in which metric: the rows of the sheet."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._scopes: dict[tuple[dt.date, str | None], set[Unit]] = defaultdict(set)
        for row in facts.paper("exemption"):
            key = row["scope_key"] or "site"
            for day in range((row["ends_on"] - row["starts_on"]).days + 1):
                self._scopes[row["starts_on"] + day * _DAY, row["metric_id"]].add((row["scope_kind"], key))

    def counting(self, metric_id: str, units: Units, day: dt.date) -> Units:
        """Returns the units for which a day counts in a metric."""
        scopes = self._scopes.get((day, None), set()) | self._scopes.get((day, metric_id), set())
        if not scopes:
            return units
        if ("site", "site") in scopes:
            return ()
        return tuple(unit for unit in units if unit not in scopes and ("team", self._team(unit, day)) not in scopes)

    def _team(self, unit: Unit, day: dt.date) -> str | None:
        """Returns the team whose exemption is that of a person or queue, too."""
        if unit[0] == "queue":
            return str(self._facts.queue_team[unit[1]])
        return self._facts.team(unit[1], day) if unit[0] == "agent" else None


def _periods(facts: Facts, grains: tuple[Grain, ...], day: dt.date) -> list[tuple[str, str]]:
    """Returns kind and name of the periods that hold a day."""
    month, monday, months = f"{day:%Y-%m}", day - day.weekday() * _DAY, facts.months
    named: dict[Grain, tuple[bool, str]] = {
        "day": (month in months or day == facts.date(facts.as_of), day.isoformat()),
        "week": (f"{monday:%Y-%m}" in months, monday.isoformat()),
        "month": (month in months, month),
    }
    return [(grain, named[grain][1]) for grain in grains if named[grain][0]]


def _spread(units: Units, channel: str, periods: list[tuple[str, str]]) -> Iterator[UnitCell]:
    shown = (channel,) if channel == "none" else (channel, "all")
    yield from ((unit, name, *period) for period in periods for unit in units for name in shown)


def _sums(metric: Metric, periods: Periods, units_of: UnitsOf, entries: Iterable[Entry]) -> Iterator[Valued]:
    # Most entries share units, channel and day: they are pooled before they are spread over units and periods.
    pooled: dict[tuple[Units, str, dt.date], list[Number]] = defaultdict(lambda: [0, 0, 0])
    for units, channel, day, *numbers, _ in entries:
        _add(pooled[units, channel, day], numbers)
    sums: dict[UnitCell, list[Number]] = defaultdict(lambda: [0, 0, 0])
    for (units, channel, day), numbers in pooled.items():
        for cell in _spread(units_of(units, day), channel, periods(day)):
            _add(sums[cell], numbers)
    for cell, (numerator, denominator, n) in sums.items():
        if numerator or denominator:
            if metric.kind == "ratio":
                value = metric.scale * numerator / denominator if denominator else None
                yield cell, (numerator, denominator, int(n), value)
            elif metric.kind == "excess":
                yield cell, (numerator, denominator, int(n), max(0, numerator - denominator))
            else:
                yield cell, (numerator, None, int(n), numerator)


def _percentiles(metric: Metric, periods: Periods, units_of: UnitsOf, entries: Iterable[Entry]) -> Iterator[Valued]:
    values: dict[UnitCell, list[Number]] = defaultdict(list)
    for entry in entries:
        for cell in _spread(units_of(entry.units, entry.day), entry.channel, periods(entry.day)):
            values[cell].append(entry.numerator)
    for cell, found in values.items():
        place = max(1, math.ceil(metric.quantile * len(found)))
        yield cell, (None, None, len(found), sorted(found)[place - 1])


def _distinct(metric: Metric, periods: Periods, units_of: UnitsOf, entries: Iterable[Entry]) -> Iterator[Valued]:
    keys: dict[UnitCell, set[Hashable]] = defaultdict(set)
    sums: dict[UnitCell, Number] = defaultdict(int)
    for entry in entries:
        for cell in _spread(units_of(entry.units, entry.day), entry.channel, periods(entry.day)):
            keys[cell].add(entry.key)
            sums[cell] += entry.numerator
    for cell, found in keys.items():
        if metric.kind == "distinct":
            yield cell, (len(found), None, len(found), len(found))
        else:
            yield cell, (sums[cell], len(found), len(found), sums[cell] / len(found))


def _last(metric: Metric, periods: Periods, units_of: UnitsOf, entries: Iterable[Entry]) -> Iterator[Valued]:
    """The level of each period's last day; a day without an entry has no level."""
    ends = {"day": lambda day: day, "week": lambda day: day - day.weekday() * _DAY + 6 * _DAY, "month": _month_end}
    levels: dict[UnitCell, list[Number]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        last = [(kind, name) for kind, name in periods(entry.day) if ends[kind](entry.day) == entry.day]
        for cell in _spread(units_of(entry.units, entry.day), entry.channel, last):
            _add(levels[cell], (entry.numerator, entry.n))
    for cell, (level, n) in levels.items():
        yield cell, (level, None, int(n), level)


_COLLECTORS = {"percentile": _percentiles, "distinct": _distinct, "per_distinct": _distinct, "last": _last}


def _month_end(day: dt.date) -> dt.date:
    return (day.replace(day=1) + 31 * _DAY).replace(day=1) - _DAY


def _add(cell: list[Number], numbers: Iterable[Number]) -> None:
    for place, number in enumerate(numbers):
        if number:
            cell[place] += number


def _decimal(number: Number | None) -> Decimal | None:
    if number is None:
        return None
    return (Decimal(number.numerator) / Decimal(number.denominator)).quantize(Decimal("0.000001"))

"""Geometry of charts: where things stand. Templates draw them as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

WIDTH, HEIGHT = 340, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 12, 24

Number = Decimal | float | int


@dataclass(frozen=True)
class Scale:
    """A span of values drawn from left (0 %) to right (100 %)."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[Number | None], unit: str) -> Scale:
        """Returns a scale that holds all values with some room; shares never leave 0 to 1."""
        known = [float(value) for value in values if value is not None] or [0.0, 1.0]
        low, high = min(known), max(known)
        room = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
        low, high = low - room, high + room
        if unit == "share":
            low, high = max(low, 0.0), min(high, 1.0)
        elif min(known) >= 0:
            low = max(low, 0.0)
        return cls(low, high if high > low else low + 1.0)

    def percent(self, value: Number | None) -> float | None:
        """Returns the position of a value from 0 to 100, None for None; values outside stand at the edge."""
        if value is None:
            return None
        return round(100 * min(max((float(value) - self.low) / (self.high - self.low), 0.0), 1.0), 2)


@dataclass(frozen=True)
class Bar:
    """An interval bar in percent of its width: dot at the value, band from low to high, ticks at the target."""

    dot: float | None
    start: float | None
    width: float | None
    targets: list[float]

    @classmethod
    def of(
        cls, scale: Scale, value: Number | None, low: Number | None, high: Number | None, targets: Sequence[Number]
    ) -> Bar:
        """Returns the bar of a measured value; the band is None unless both limits are known."""
        start, end = scale.percent(low), scale.percent(high)
        width = round(end - start, 2) if start is not None and end is not None else None
        ticks = [tick for target in targets if (tick := scale.percent(target)) is not None]
        return cls(scale.percent(value), start if width is not None else None, width, ticks)


@dataclass(frozen=True)
class Point:
    """One measured day of a line, in pixels."""

    x: float
    y: float
    is_thin: bool
    text: str


@dataclass(frozen=True)
class Line:
    """One series: its points and the strokes between neighbouring days that both have a value."""

    key: str
    points: list[Point]
    strokes: list[str]


@dataclass(frozen=True)
class Reading:
    """One row of a line chart: what was measured on a day."""

    day: date
    series: str
    value: Number | None
    is_thin: bool
    text: str


@dataclass(frozen=True)
class LineChart:
    """A line chart in pixels."""

    lines: list[Line]
    ticks: list[tuple[float, float]]
    days: list[tuple[float, date]]
    targets: list[float]

    @classmethod
    def of(cls, readings: Sequence[Reading], unit: str, targets: Sequence[Number]) -> LineChart | None:
        """Returns the chart of daily readings, None when no reading has a value."""
        values = [float(reading.value) for reading in readings if reading.value is not None]
        if not values:
            return None
        wanted = [*values, *(float(target) for target in targets)]
        ticks = _ticks(0.0 if unit in ("count", "seconds") else min(wanted), max(wanted), share=unit == "share")
        first, last = min(reading.day for reading in readings), max(reading.day for reading in readings)
        span = max((last - first).days, 1)

        def x(day: date) -> float:
            return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (day - first).days / span, 1)

        def y(value: Number) -> float:
            part = (float(value) - ticks[0]) / (ticks[-1] - ticks[0])
            return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(part, 0.0), 1.0), 1)

        lines = []
        for key in dict.fromkeys(reading.series for reading in readings):
            own = sorted((r for r in readings if r.series == key and r.value is not None), key=lambda r: r.day)
            points = [Point(x(r.day), y(r.value or 0), r.is_thin, r.text) for r in own]
            runs: list[list[Point]] = []
            for index, (reading, point) in enumerate(zip(own, points, strict=True)):
                if index and reading.day - own[index - 1].day == timedelta(days=1):
                    runs[-1].append(point)
                else:
                    runs.append([point])
            strokes = [" ".join(f"{point.x},{point.y}" for point in run) for run in runs if len(run) > 1]
            lines.append(Line(key, points, strokes))
        shown = [first, last] if span < 4 else [first, first + timedelta(days=span // 2), last]
        return cls(
            lines,
            [(y(tick), tick) for tick in ticks],
            [(x(day), day) for day in shown],
            [y(target) for target in targets],
        )


def _ticks(low: float, high: float, *, share: bool) -> list[float]:
    """Returns three to six round values that span low to high."""
    if high <= low:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    raw = (high - low) / 4
    magnitude = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * magnitude for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= raw)
    start, stop = math.floor(low / step), math.ceil(high / step)
    ticks = [round(step * index, 10) for index in range(start, stop + 1)]
    return [tick for tick in ticks if not share or -1e-9 <= tick <= 1 + 1e-9]

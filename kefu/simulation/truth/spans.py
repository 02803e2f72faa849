"""Spans of time as lists of begin and end, in seconds; the end excluded."""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[int, int]


def total(spans: Iterable[Span]) -> int:
    """Returns the seconds of all spans, those in two of them twice."""
    return sum(end - start for start, end in spans)


def union(spans: Iterable[Span]) -> list[Span]:
    """Returns the same seconds as spans in order that neither touch nor overlap."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def common(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Returns the seconds that are in both."""
    others = union(other)
    return union((max(a, c), min(b, d)) for a, b in union(one) for c, d in others if max(a, c) < min(b, d))


def without(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """Returns the seconds of one that are not in the other."""
    left = union(one)
    for start, end in union(other):
        cut = [part for a, b in left for part in ((a, min(b, start)), (max(a, end), b))]
        left = [(a, b) for a, b in cut if a < b]
    return left

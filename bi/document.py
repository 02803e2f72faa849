"""A document of facts, tables and sentences in one language: a page that opens from disk, or lines on a terminal."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2

from bi.spec import Language, load_labels, load_site

Tone = Literal["plain", "good", "warn", "bad", "muted"]


@dataclass(frozen=True)
class Spread:
    """Where one value lies among others: percentiles 10, 25, 50, 75, 90 and the own value, in per cent of the width."""

    marks: tuple[float, float, float, float, float]
    own: float | None


@dataclass(frozen=True)
class Cell:
    """What stands in one place of a table; `note` is a second, smaller line."""

    text: str
    note: str = ""
    tone: Tone = "plain"
    spread: Spread | None = None


@dataclass(frozen=True)
class Grid:
    """A table; the numbers of `total` are the sums of the columns above them."""

    headings: tuple[tuple[str, Literal["start", "end"]], ...]
    rows: list[tuple[Cell, ...]]
    totals: list[tuple[Cell, ...]] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """A heading with sentences, tables and points below it."""

    title: str
    intro: str = ""
    grids: list[Grid] = field(default_factory=list)
    points: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Document:
    """One document about one person, team or comparison.

    Attributes:
        facts: (label, value, tone) of what is most asked for, the first one large.
        notes: sentences that must not be overlooked.
        other: name of the file with the same document in the other language.
    """

    language: Language
    title: str
    subtitle: str
    is_demo: bool
    facts: list[tuple[str, str, Tone]]
    parts: list[Part]
    notes: list[str] = field(default_factory=list)
    other: str | None = None


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(document: Document) -> str:
    """Returns the document as one HTML page without scripts and without addresses outside of itself."""
    labels = load_labels()
    return (
        _environment()
        .get_template("document.html.j2")
        .render(
            document=document,
            site=load_site().title.of(document.language),
            word=lambda name: labels.words[name].of(document.language),
        )
    )

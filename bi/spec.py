"""Models of dashboards as data, loading them, and the checks that need no BI server."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import psycopg
import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from kefu.yaml_files import parse_yaml

FOLDER = Path(__file__).parent
DASHBOARDS = FOLDER / "dashboards"

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")

_RELATION = re.compile(r"\b(?:from|join)\s+([a-z_]+\.[a-z_]+)")
_TAG = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_ORDER = re.compile(r"^[a-z_{}]+( desc)?( nulls last)?$")


class SpecError(Exception):
    """A dashboard is declared wrongly; the message names file, card, what was found and what to do."""


class Strict(BaseModel):
    """A declaration that refuses keys nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Text(Strict):
    """The same words in both languages."""

    zh_cn: str = Field(alias="zh-CN", min_length=1)
    en: str = Field(min_length=1)

    def of(self, language: Language) -> str:
        """Returns the words in one language."""
        return self.en if language == "en" else self.zh_cn


class Label(Text):
    """How one code of an enumeration is shown: words, tone of colour, and a mark that works without colour."""

    tone: Literal["good", "warn", "bad", "muted", "unknown", "plain"] = "plain"
    mark: str = ""
    hint: Text | None = None


class Labels(Strict):
    """All words that are not part of a dashboard."""

    enumerations: dict[str, dict[str, Label]]
    words: dict[str, Text]

    def code(self, enumeration: str, code: str) -> Label:
        """Returns the label of a code. A code nobody declared is shown as it came, never hidden."""
        return self.enumerations[enumeration].get(code) or Label(zh_cn=code, en=code)


class Roles(Strict):
    """Which output column of a card plays which part. `{lang}` in a name stands for `zh` or `en`."""

    label: str | None = Field(None, description="names the tile, the row or the bar")
    label_key: str | None = Field(None, description="tells rows of the same label apart")
    label_note: str | None = Field(None, description="second line of the label")
    label_channel: str | None = Field(None, description="channel code that belongs to the label")
    series: str | None = Field(None, description="names the column of a matrix")
    series_channel: str | None = Field(None, description="channel code that belongs to the series, or is the series")
    x: str | None = Field(None, description="date on the horizontal axis")
    value: str | None = None
    low: str | None = Field(None, description="lower limit of the interval")
    high: str | None = Field(None, description="upper limit of the interval")
    n: str | None = Field(None, description="how many cases the value rests on")
    min_n: str | None = None
    unit: str | None = Field(None, description="column with share, seconds, count or score")
    decimals: str | None = None
    target: str | None = None
    tolerance: str | None = Field(None, description="how far a target that is a band reaches to either side")
    direction: str | None = Field(None, description="column with higher, lower or band")
    null_reason: str | None = Field(None, description="why there is no value")
    badge: str | None = Field(None, description="reliability state, or the state of a strip")
    badge_reason: str | None = None
    formula: str | None = None
    note: str | None = None


class Column(Strict):
    """One column of a table.

    `measure` is the value of the card's roles with interval and n, `target` what it should be; `value` is another
    number in the same unit.
    """

    column: str
    title: Text
    format: Literal[
        "text", "code", "count", "number", "share", "date", "instant", "label", "measure", "target", "value"
    ] = "text"
    labels: str | None = Field(None, description="enumeration of labels.yml, for format label")
    decimals: int = 1

    @model_validator(mode="after")
    def _check(self) -> Column:
        if (self.format == "label") != (self.labels is not None):
            raise ValueError(f"column {self.column!r}: `labels` belongs to format label, and only to it")
        return self


class Size(Strict):
    """Size on a grid of 24 columns."""

    width: int = Field(ge=1, le=24)
    height: int = Field(ge=1)


class Nesting(Strict):
    """Puts the rows of this card under the rows of another one of the same section (on pages only)."""

    card: str
    by: tuple[str, ...] = Field(min_length=1)


_NEEDS = {
    "tiles": ("label", "series_channel", "value", "n", "unit", "decimals", "null_reason"),
    "matrix": ("label", "series", "value", "n", "unit", "decimals", "null_reason"),
    "interval": ("label", "value", "low", "high", "n", "decimals", "null_reason"),
    "line": ("x", "series_channel", "value", "n", "decimals"),
    "strip": ("label", "value", "badge"),
    "table": (),
    "publication": (),
}


class Card(Strict):
    """One question and the query that answers it."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Text
    question: Text = Field(description="what the card answers, for the reader who knows no SQL")
    sql: str = Field(pattern=r"^[a-z0-9_/]+\.sql$", description="file under bi/dashboards")
    display: Literal["tiles", "matrix", "interval", "line", "strip", "table", "publication"]
    size: Size
    order_by: tuple[str, ...] = Field(min_length=1)
    constants: dict[str, str] = Field({}, description="template tags with a fixed value, such as metric")
    unit: Literal["share", "seconds", "count", "score"] | None = Field(None, description="when every row has the same")
    thin_below: int = Field(0, description="days of a line with a smaller n are drawn as open dots")
    roles: Roles = Roles()
    titles: dict[Literal["label", "label_note", "series"], Text] = Field({}, description="headings of these roles")
    columns: tuple[Column, ...] = ()
    nested_in: Nesting | None = None

    @model_validator(mode="after")
    def _check(self) -> Card:
        missing = [role for role in _NEEDS[self.display] if getattr(self.roles, role) is None]
        if self.unit is not None:
            missing = [role for role in missing if role != "unit"]
        if missing:
            raise ValueError(f"card {self.key!r}: display {self.display} needs the roles {missing}")
        if self.display == "table" and not self.columns:
            raise ValueError(f"card {self.key!r}: display table needs columns")
        wrong = [term for term in self.order_by if not _ORDER.match(term)]
        if wrong:
            raise ValueError(f"card {self.key!r}: order_by {wrong} is not `column [desc] [nulls last]`")
        return self

    def output_columns(self) -> set[str]:
        """Returns the columns the query has to deliver, `{lang}` spelled out for both languages."""
        names = {str(name) for _, name in self.roles if name}
        names |= {column.column for column in self.columns}
        names |= {term.split(" ")[0] for term in self.order_by}
        names |= set(self.nested_in.by if self.nested_in else ())
        return {name.replace("{lang}", short(language)) for name in names for language in LANGUAGES}


class Section(Strict):
    """A heading and its cards."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Text
    intro: Text | None = None
    cards: tuple[Card, ...] = Field(min_length=1)


class Filter(Strict):
    """A choice of the reader. Every card whose query has the tag of this key obeys it."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Text
    column: str = Field(pattern=r"^[a-z_]+\.[a-z_]+\.[a-z_]+$", description="schema.table.column it compares")
    sql: str | None = Field(None, pattern=r"^[a-z0-9_/]+\.sql$", description="query of value, label_zh, label_en")
    labels: str | None = Field(None, description="enumeration of labels.yml with the values")

    @model_validator(mode="after")
    def _check(self) -> Filter:
        if (self.sql is None) == (self.labels is None):
            raise ValueError(f"filter {self.key!r}: give either `sql` or `labels`")
        return self


class Dashboard(Strict):
    """A page for one reader: sections of cards, with filters."""

    key: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: Text
    intro: Text
    filters: tuple[Filter, ...] = ()
    sections: tuple[Section, ...] = Field(min_length=1)

    @property
    def cards(self) -> tuple[Card, ...]:
        """All cards in the order of the page."""
        return tuple(card for section in self.sections for card in section.cards)

    @model_validator(mode="after")
    def _check(self) -> Dashboard:
        for kind, keys in (
            ("card", [card.key for card in self.cards]),
            ("section", [section.key for section in self.sections]),
            ("filter", [choice.key for choice in self.filters]),
        ):
            twice = sorted({key for key in keys if keys.count(key) > 1})
            if twice:
                raise ValueError(f"dashboard {self.key!r}: {kind} keys {twice} appear twice")
        for section in self.sections:
            hosts = {card.key for card in section.cards if card.display == "table" and not card.nested_in}
            for card in section.cards:
                if card.nested_in and card.nested_in.card not in hosts:
                    raise ValueError(
                        f"card {card.key!r}: nested_in {card.nested_in.card!r} is no table of its section, which has "
                        f"{sorted(hosts)}"
                    )
        return self


class Site(Strict):
    """All dashboards, and the card with the publication that stands on every page."""

    title: Text
    intro: Text
    publication: Card
    dashboards: tuple[Dashboard, ...] = Field(min_length=1)

    _statements: dict[str, str] = PrivateAttr(default_factory=dict)

    def statement(self, sql: str) -> str:
        """Returns the text of an SQL file."""
        return self._statements[sql]

    def statements(self) -> Iterator[tuple[str, Card | Filter]]:
        """Yields (place, card or filter) of everything that has a query."""
        yield "site/publication", self.publication
        for dashboard in self.dashboards:
            for choice in dashboard.filters:
                if choice.sql:
                    yield f"{dashboard.key}/filter {choice.key}", choice
            for card in dashboard.cards:
                yield f"{dashboard.key}/{card.key}", card


def short(language: Language) -> str:
    """Returns the suffix of column names in a language, `zh` or `en`."""
    return language.split("-")[0]


def tags(statement: str) -> set[str]:
    """Returns the template tags of a statement."""
    return set(_TAG.findall(statement))


@cache
def load_labels() -> Labels:
    """Returns the words of `labels.yml`."""
    return Labels.model_validate(_read_yaml(FOLDER / "labels.yml"))


@cache
def load_contract() -> Mapping[str, Mapping[str, str]]:
    """Returns the tables that cards may read, as {schema.table: {column: type}}."""
    contract: dict[str, dict[str, str]] = _read_yaml(FOLDER / "published.yml")
    return contract


def load_site(folder: Path = DASHBOARDS) -> Site:
    """Returns every dashboard named in `folder/site.yml`, its SQL read.

    Raises:
        SpecError: naming the file and field of a wrong declaration.
    """
    declared = _read_yaml(folder / "site.yml")
    try:
        declared["dashboards"] = [_read_yaml(folder / f"{key}.yml") for key in declared["dashboards"]]
        site = Site.model_validate(declared)
    except ValidationError as error:
        raise SpecError(f"{folder}: {error}") from error
    files = {entry.sql for _, entry in site.statements() if entry.sql}
    for file in files:
        site._statements[file] = _read(folder / file)
    unused = {path.relative_to(folder).as_posix() for path in folder.rglob("*.sql")} - files
    problems = [f"{folder / file}: no card uses it. Remedy: delete it or name it in a card" for file in sorted(unused)]
    problems += _check_statements(site)
    if problems:
        raise SpecError("\n".join(problems))
    return site


def _check_statements(site: Site) -> list[str]:
    problems = []
    labels = load_labels()
    for dashboard in site.dashboards:
        known = {choice.key for choice in dashboard.filters}
        for choice in dashboard.filters:
            table, _, column = choice.column.rpartition(".")
            if column not in load_contract().get(table, ()):
                problems.append(f"{dashboard.key}/filter {choice.key}: {choice.column} is not in bi/published.yml")
            if choice.labels and choice.labels not in labels.enumerations:
                problems.append(f"{dashboard.key}/filter {choice.key}: labels.yml has no enumeration {choice.labels!r}")
        for card in dashboard.cards:
            found, expected = tags(site.statement(card.sql)), known | set(card.constants)
            if found - expected or set(card.constants) - found:
                problems.append(
                    f"{dashboard.key}/{card.key}: {card.sql} has the tags {sorted(found)}; declared are the filters "
                    f"{sorted(known)} and the constants {sorted(card.constants)}. Remedy: make them agree"
                )
            for name in sorted({shown.labels for shown in card.columns if shown.labels} - set(labels.enumerations)):
                problems.append(f"{dashboard.key}/{card.key}: labels.yml has no enumeration {name!r}")
    for place, entry in site.statements():
        for table in sorted(set(_RELATION.findall(site.statement(entry.sql or ""))) - set(load_contract())):
            problems.append(
                f"{place}: {entry.sql} reads {table}, which is not published. Remedy: read a table of bi/published.yml"
            )
    return problems


def check_catalogue(catalogue: Mapping[str, Collection[str]]) -> list[str]:
    """Returns what dashboards need and a catalogue {schema.table: columns} lacks; empty when all is there."""
    problems = []
    for table, columns in load_contract().items():
        if table not in catalogue:
            problems.append(f"table {table} is missing")
        else:
            problems += [f"column {table}.{column} is missing" for column in columns if column not in catalogue[table]]
    return problems


def check_cards(connection: psycopg.Connection[Any], site: Site) -> list[str]:
    """Returns what PostgreSQL refuses in any query, and output columns that a card names and its query lacks.

    Every query is planned twice, without filters as pages run it and with all filters as Metabase expands them.
    Nothing is read or written; the rights of the connection's login count.
    """
    from bi import query  # query builds on the models above

    problems = []
    for place, entry in site.statements():
        card = entry if isinstance(entry, Card) else None
        expected = card.output_columns() if card else {"value", "label_zh", "label_en"}
        for filtered in (False, True):
            statement = query.planned(site, entry, filtered=filtered)
            try:
                with connection.transaction():
                    cursor = connection.execute(statement)
            except psycopg.Error as error:
                problems.append(f"{place}: {entry.sql} {'with' if filtered else 'without'} filters: {_first(error)}")
                break
            lacking = sorted(expected - {column.name for column in cursor.description or ()})
            if lacking:
                problems.append(f"{place}: {entry.sql} does not deliver the columns {lacking} that the card names")
                break
    return problems


def write_schema(path: Path) -> None:
    """Writes the JSON Schema of a dashboard file, for editors."""
    schema = Dashboard.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    path.write_text(json.dumps(schema, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _first(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError(
            f"{path} is named in a dashboard but does not exist. Remedy: write it or fix the name"
        ) from error


def _read_yaml(path: Path) -> Any:
    try:
        return parse_yaml(_read(path))
    except yaml.YAMLError as error:
        raise SpecError(f"{path} is no YAML: {error}") from error

"""Request bodies for Metabase, compiled from the dashboards; nothing here talks to a server."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bi import query
from bi.spec import LANGUAGES, Card, Dashboard, Filter, Label, Language, Section, Site, load_labels, tags

KEY = "kefu.key"
"""Our stable key of a card or dashcard inside `visualization_settings`; Metabase keeps keys it does not know."""

_COLLECTIONS: dict[Language, str] = {"zh-CN": "简体中文", "en": "English"}
_TONES = {"good": "#84BB4C", "warn": "#F9CF48", "bad": "#EF8C8C", "unknown": "#A989C5"}
_SERIES_COLOURS = {"voice": "#1d4f91", "chat": "#0b7f77", "none": "#66738a"}

Fields = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class CollectionSpec:
    """A collection, identified by the path of its names."""

    path: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class CardSpec:
    """A card: its key, where it belongs, and the body without `collection_id`."""

    key: str
    collection: tuple[str, ...]
    body: dict[str, Any]


@dataclass(frozen=True)
class DashcardSpec:
    """A place on a dashboard. `card` is the key of a card, None for a heading."""

    key: str
    card: str | None
    body: dict[str, Any]
    mapped: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class DashboardSpec:
    """A dashboard in one language; `values` names the card that lists the choices of a parameter."""

    key: str
    collection: tuple[str, ...]
    body: dict[str, Any]
    dashcards: list[DashcardSpec]
    values: dict[str, str]


@dataclass(frozen=True)
class Desired:
    """Everything that should be in Metabase."""

    collections: list[CollectionSpec]
    cards: list[CardSpec]
    dashboards: list[DashboardSpec]


def stable_uuid(key: str) -> str:
    """Returns a UUID that is always the same for a key, with the version bits of v4, which Metabase's checkers want."""
    return str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))


def compile_site(site: Site, database_id: int, fields: Fields) -> Desired:
    """Returns collections, cards and dashboards of both languages.

    Args:
        site: the dashboards.
        database_id: id of the warehouse connection.
        fields: {schema.table: {column: field id}}; every filter column has to be in it.
    """
    root = f"{site.title.en} {site.title.zh_cn}"
    desired = Desired([CollectionSpec((root,), f"{site.intro.zh_cn}\n\n{site.intro.en}")], [], [])
    for language in LANGUAGES:
        path = (root, _COLLECTIONS[language])
        desired.collections.append(CollectionSpec(path, site.intro.of(language)))
        heads = CardSpec(
            f"publication.{language}", path, _card(site, site.publication, (), language, database_id, fields)
        )
        desired.cards.append(heads)
        for dashboard in site.dashboards:
            _compile_dashboard(desired, site, dashboard, language, path, heads.key, database_id, fields)
    return desired


def _compile_dashboard(
    desired: Desired,
    site: Site,
    dashboard: Dashboard,
    language: Language,
    path: tuple[str, ...],
    publication: str,
    database_id: int,
    fields: Fields,
) -> None:
    prefix = f"{dashboard.key}.{language}"
    values = {}
    for choice in dashboard.filters:
        if choice.sql:
            values[choice.key] = f"{prefix}.filter.{choice.key}"
            body = _values_card(site, dashboard, choice, language, database_id)
            desired.cards.append(CardSpec(values[choice.key], path, body))
    dashcards = [_dashcard(f"{prefix}.publication", publication, 0, 0, site.publication, {})]
    row = site.publication.size.height
    for section in dashboard.sections:
        dashcards.append(_heading(f"{prefix}.{section.key}", section, language, row))
        row += 1
        col = tallest = 0
        for card in section.cards:
            key = f"{prefix}.{card.key}"
            desired.cards.append(
                CardSpec(key, path, _card(site, card, dashboard.filters, language, database_id, fields))
            )
            if col + card.size.width > 24:
                row, col, tallest = row + tallest, 0, 0
            used = tags(site.statement(card.sql))
            mapped = {
                _parameter_id(prefix, choice): ["dimension", ["template-tag", choice.key]]
                for choice in dashboard.filters
                if choice.key in used
            }
            dashcards.append(_dashcard(key, key, row, col, card, mapped))
            col, tallest = col + card.size.width, max(tallest, card.size.height)
        row += tallest
    desired.dashboards.append(
        DashboardSpec(
            key=prefix,
            collection=path,
            body={
                "name": dashboard.title.of(language),
                "description": dashboard.intro.of(language),
                "caveats": f"{KEY}={prefix}",
                "width": "full",
                "parameters": [_parameter(prefix, choice, language) for choice in dashboard.filters],
            },
            dashcards=dashcards,
            values=values,
        )
    )


def _card(
    site: Site, card: Card, filters: tuple[Filter, ...], language: Language, database_id: int, fields: Fields
) -> dict[str, Any]:
    outputs = query.outputs(card, language)
    settings = _line_settings(card, outputs, language) if card.display == "line" else _table_settings(outputs)
    statement = query.for_metabase(site, card, language)
    return {
        "name": card.title.of(language),
        "description": card.question.of(language),
        "type": "question",
        "display": "line" if card.display == "line" else "table",
        "dataset_query": _native(database_id, statement, _template_tags(statement, filters, language, fields)),
        "visualization_settings": settings,
    }


def _values_card(
    site: Site, dashboard: Dashboard, choice: Filter, language: Language, database_id: int
) -> dict[str, Any]:
    return {
        "name": f"{dashboard.title.of(language)} · {choice.title.of(language)}",
        "description": f"{load_labels().words['choices'].of(language)}: {choice.title.of(language)}",
        "type": "question",
        "display": "table",
        "dataset_query": _native(database_id, query.for_page(site, choice), {}),
        "visualization_settings": {},
    }


def _native(database_id: int, statement: str, template_tags: dict[str, Any]) -> dict[str, Any]:
    stage: dict[str, Any] = {"lib/type": "mbql.stage/native", "native": statement}
    if template_tags:
        stage["template-tags"] = template_tags
    return {"lib/type": "mbql/query", "database": database_id, "stages": [stage]}


def _template_tags(
    statement: str, filters: tuple[Filter, ...], language: Language, fields: Fields
) -> dict[str, dict[str, Any]]:
    found = {}
    for choice in filters:
        if choice.key in tags(statement):
            table, _, column = choice.column.rpartition(".")
            found[choice.key] = {
                "id": stable_uuid(f"{choice.key} {choice.column} {language}"),
                "name": choice.key,
                "display-name": choice.title.of(language),
                "type": "dimension",
                "dimension": ["field", {}, fields[table][column]],
                "widget-type": "string/=",
            }
    return found


def _table_settings(outputs: list[query.Output]) -> dict[str, Any]:
    settings: dict[str, Any] = {"table.columns": [{"name": output.title, "enabled": True} for output in outputs]}
    percent = {
        json.dumps(["name", output.title], ensure_ascii=False, separators=(",", ":")): {
            "number_style": "percent",
            "decimals": 1,
        }
        for output in outputs
        if output.unit == "share"
    }
    rules = [rule for output in outputs if output.codes for rule in _colours(output.title, output.codes)]
    return (
        settings
        | ({"column_settings": percent} if percent else {})
        | ({"table.column_formatting": rules} if rules else {})
    )


def _colours(title: str, codes: Mapping[str, Label]) -> list[dict[str, Any]]:
    # Words decide, so both languages are listed: the first rule that fits a cell wins.
    return [
        {
            "columns": [title],
            "type": "single",
            "operator": "=",
            "value": word,
            "color": _TONES[label.tone],
            "highlight_row": False,
        }
        for label in codes.values()
        if label.tone in _TONES
        for word in dict.fromkeys((label.zh_cn, label.en))
    ]


def _line_settings(card: Card, outputs: list[query.Output], language: Language) -> dict[str, Any]:
    x, series, value = (output.title for output in outputs[:3])
    channels = load_labels().enumerations["channel"]
    settings: dict[str, Any] = {
        "graph.dimensions": [x, series],
        "graph.metrics": [value],
        "graph.x_axis.scale": "timeseries",
        "graph.x_axis.labels_enabled": False,
        "graph.y_axis.labels_enabled": False,
        # A day without a value is a gap, never a zero.
        "series_settings": {
            channels[code].of(language): {"color": colour, "line.missing": "none", "line.marker_enabled": True}
            for code, colour in _SERIES_COLOURS.items()
        },
    }
    if card.unit == "share":
        name = json.dumps(["name", value], ensure_ascii=False, separators=(",", ":"))
        settings["column_settings"] = {name: {"number_style": "percent", "decimals": 1}}
    return settings


def _dashcard(key: str, card_key: str, row: int, col: int, card: Card, mapped: dict[str, list[Any]]) -> DashcardSpec:
    body = {
        "row": row,
        "col": col,
        "size_x": card.size.width,
        "size_y": card.size.height,
        "series": [],
        "visualization_settings": {KEY: key},
    }
    return DashcardSpec(key, card_key, body, mapped)


def _heading(key: str, section: Section, language: Language, row: int) -> DashcardSpec:
    words = [section.title.of(language), section.intro.of(language) if section.intro else ""]
    virtual: dict[str, Any] = {
        "name": None,
        "display": "heading",
        "visualization_settings": {},
        "dataset_query": {},
        "archived": False,
    }
    settings = {
        KEY: f"{key}.heading",
        "virtual_card": virtual,
        "text": " · ".join(word for word in words if word),
        "dashcard.background": False,
    }
    body = {"row": row, "col": 0, "size_x": 24, "size_y": 1, "series": [], "visualization_settings": settings}
    return DashcardSpec(f"{key}.heading", None, body)


def _parameter_id(prefix: str, choice: Filter) -> str:
    return stable_uuid(f"{prefix}.{choice.key}")[:8]


def _parameter(prefix: str, choice: Filter, language: Language) -> dict[str, Any]:
    parameter: dict[str, Any] = {
        "id": _parameter_id(prefix, choice),
        "name": choice.title.of(language),
        "slug": choice.key,
        "type": "string/=",
        "sectionId": "string",
        "values_query_type": "list",
    }
    if choice.labels:
        values = [[code, label.of(language)] for code, label in load_labels().enumerations[choice.labels].items()]
        return parameter | {"values_source_type": "static-list", "values_source_config": {"values": values}}
    # The id of the card with the choices is filled in when it is known.
    config = {
        "value_field": ["field", "value", {"base-type": "type/Text"}],
        "label_field": ["field", f"label_{language.split('-')[0]}", {"base-type": "type/Text"}],
    }
    return parameter | {"values_source_type": "card", "values_source_config": config}

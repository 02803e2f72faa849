"""One card, two statements: as a page runs it and as Metabase runs it, both from the same SQL file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bi.spec import Card, Column, Filter, Label, Language, Site, load_labels, short

_OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.DOTALL)


@dataclass(frozen=True)
class Output:
    """One column that Metabase shows: SQL expression, title, and what the reader's eye needs.

    Attributes:
        codes: label by code when the column holds words of an enumeration, for colours.
        unit: `share` or `seconds` when the column holds a bare number of that unit.
    """

    expression: str
    title: str
    codes: Mapping[str, Label] | None = None
    unit: str | None = None


def for_page(site: Site, entry: Card | Filter) -> str:
    """Returns the statement a page runs: no filters, every column of the query, in the card's order."""
    statement = _OPTIONAL.sub("", _with_constants(site, entry))
    order = ", ".join(entry.order_by).replace("{lang}", "en") if isinstance(entry, Card) else "value"
    return f"select card.*\nfrom (\n{statement.strip()}\n) as card\norder by {order}"


def planned(site: Site, entry: Card | Filter, *, filtered: bool) -> str:
    """Returns a statement that delivers no row, to have its names and types checked by PostgreSQL.

    With `filtered`, every filter is in force in the form Metabase gives it, so a filter whose table is not in
    scope, or is aliased, is found.
    """
    if not filtered:
        return f"{for_page(site, entry)}\nlimit 0"
    statement = _OPTIONAL.sub(r"\1", _with_constants(site, entry))
    for dashboard in site.dashboards:
        for choice in dashboard.filters:
            schema, table, column = choice.column.split(".")
            statement = statement.replace(f"{{{{{choice.key}}}}}", f'"{schema}"."{table}"."{column}" = \'x\'')
    return f"select card.*\nfrom (\n{statement.strip()}\n) as card\nlimit 0"


def for_metabase(site: Site, card: Card, language: Language) -> str:
    """Returns the statement of a Metabase card in one language: titled columns, codes in words, NULL with its reason.

    Filters stay as template tags.
    """
    columns = ",\n    ".join(f"{column.expression} as {_name(column.title)}" for column in outputs(card, language))
    order = ", ".join(f"card.{term}" for term in card.order_by).replace("{lang}", short(language))
    return f"select\n    {columns}\nfrom (\n{_with_constants(site, card).strip()}\n) as card\norder by {order}\n"


def outputs(card: Card, language: Language) -> list[Output]:
    """Returns the columns a Metabase card shows, in order."""
    labels, roles = load_labels(), card.roles
    found: list[Output] = []

    def word(key: str) -> str:
        return labels.words[key].of(language)

    def plain(role: str | None, title: str) -> None:
        if role:
            found.append(Output(_column(role, language), title))

    def coded(role: str | None, title: str, enumeration: str) -> None:
        if role:
            found.append(_words(_column(role, language), title, enumeration, language))

    if card.display in ("table", "publication"):
        for column in card.columns:
            found += _table_column(card, column, language)
        return found
    if card.display == "line":
        plain(roles.x, word("period"))
        coded(roles.series_channel, word("channel"), "channel")
        found.append(Output(_column(roles.value, language), card.title.of(language), unit=card.unit))
        plain(roles.n, word("n"))
        return found
    for role in ("label_note", "label", "series"):
        plain(getattr(roles, role), card.titles[role].of(language) if role in card.titles else word("item"))
    coded(roles.label_channel or roles.series_channel, word("channel"), "channel")
    if card.display == "strip":
        plain(roles.value, word("value"))
        coded(roles.badge, word("state"), "state")
        plain(roles.note, word("note"))
        return found
    found += _measure(card, word("value"), language)
    if roles.target:
        found.append(Output(_target(card, language), word("target")))
    coded(roles.badge, word("reliability"), "reliability")
    return found


def _table_column(card: Card, column: Column, language: Language) -> list[Output]:
    title, source = column.title.of(language), _column(column.column, language)
    if column.format == "label":
        return [_words(source, title, str(column.labels), language)]
    if column.format == "measure":
        return _measure(card, title, language)
    if column.format == "target":
        return [Output(_target(card, language), title)]
    if column.format == "value":
        return [Output(_number(card, column.column, language), title)]
    if column.format == "number":
        return [Output(f"round({source}, {column.decimals})", title)]
    return [Output(source, title, unit="share" if column.format == "share" else None)]


def _measure(card: Card, title: str, language: Language) -> list[Output]:
    """Value, interval and n as text, because the unit changes from row to row and NULL has to say why."""
    roles, words = card.roles, load_labels().words
    value = _number(card, str(roles.value), language)
    if roles.null_reason:
        reason = _words(_column(roles.null_reason, language), title, "null_reason", language)
        unknown = _literal(load_labels().code("null_reason", "unknown").of(language))
        value = f"coalesce({value}, {reason.expression}, {unknown})"
        found = [Output(value, title, codes=reason.codes)]
    else:
        found = [Output(value, title)]
    if roles.low and roles.high:
        limits = f"{_number(card, roles.low, language)} || ' – ' || {_number(card, roles.high, language)}"
        found.append(Output(limits, words["interval"].of(language)))
    if roles.n:
        found.append(Output(_column(roles.n, language), words["n"].of(language)))
    return found


def _target(card: Card, language: Language) -> str:
    """The target, or the limits of one that is a band."""
    target = _column(card.roles.target, language)
    if card.roles.tolerance is None:
        return _shown(card, target, language)
    tolerance = _column(card.roles.tolerance, language)
    low, high = (_shown(card, f"({target} {sign} {tolerance})", language) for sign in "-+")
    return f"case when {tolerance} is null then {_shown(card, target, language)} else {low} || ' – ' || {high} end"


def _number(card: Card, role: str, language: Language) -> str:
    return _shown(card, _column(role, language), language)


def _shown(card: Card, source: str, language: Language) -> str:
    """A number in the unit of its row, as text."""
    unit = _literal(card.unit) if card.unit else _column(card.roles.unit, language)
    decimals = _column(card.roles.decimals, language)
    seconds = "秒" if language == "zh-CN" else "s"
    return (
        f"case {unit} when 'share' then round(100 * {source}, {decimals}) || '%'"
        f" when 'seconds' then round({source}, {decimals}) || ' {seconds}'"
        f" else round({source}, {decimals})::text end"
    )


def _words(source: str, title: str, enumeration: str, language: Language) -> Output:
    known = load_labels().enumerations[enumeration]
    cases = " ".join(f"when {_literal(code)} then {_literal(label.of(language))}" for code, label in known.items())
    return Output(f"case {source} {cases} else {source} end", title, codes=known)


def _with_constants(site: Site, entry: Card | Filter) -> str:
    statement = site.statement(str(entry.sql))
    for tag, value in (entry.constants if isinstance(entry, Card) else {}).items():
        statement = statement.replace(f"{{{{{tag}}}}}", _literal(value))
    return statement


def _column(role: str | None, language: Language) -> str:
    return "card." + str(role).replace("{lang}", short(language))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

"""The static site: one page per dashboard and language that opens from disk, without network and without scripts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from bi import query
from bi.formats import Formatter
from bi.spec import LANGUAGES, Card, Dashboard, Filter, Language, Section, Site, load_labels, load_site, short
from bi.view import Info, Row, View

Fetch = Callable[[str], tuple[Sequence[str], Sequence[Sequence[Any]]]]
"""Runs one SELECT and returns (column names, rows). Values as psycopg delivers them: Decimal, date, aware datetime."""

HANDBOOK = "handbook"
_TEMPLATES = Path(__file__).parent / "templates"


class SiteError(Exception):
    """Pages cannot be rendered; the message says what to do."""


@dataclass(frozen=True)
class Block:
    """A card as a page draws it: `view` is what `bi.view.View` made of its rows, None when there are none."""

    card: Card
    title: str
    info: Info
    view: Any


@dataclass(frozen=True)
class Entry:
    """A metric of the handbook in one language: its words, and (label, text) pairs of what else to know."""

    key: str
    name: str
    question: str
    formula: str
    facts: list[tuple[str, str]]


@dataclass(frozen=True)
class Chapter:
    """The metrics of one dimension."""

    key: str
    title: str
    entries: list[Entry]


@dataclass(frozen=True)
class Link:
    """An entry of the index: a page that holds no pay data, and the questions it answers."""

    key: str
    title: str
    intro: str
    questions: list[str]


def index_links(site: Site, language: Language) -> list[Link]:
    """Returns one link per dashboard. Dashboards read only tables of `published.yml`, none of which holds pay."""
    return [
        Link(
            dashboard.key,
            dashboard.title.of(language),
            dashboard.intro.of(language),
            [card.question.of(language) for card in dashboard.cards if card.nested_in is None],
        )
        for dashboard in site.dashboards
    ]


def render_site(
    fetch: Fetch, out_dir: Path, site: Site | None = None, handbook: Callable[[Language], list[Chapter]] | None = None
) -> list[Path]:
    """Writes every page in both languages into `out_dir` and returns the paths, `index.html` first.

    Args:
        fetch: runs one SELECT. Give it one repeatable-read transaction, so that all pages show one publication.
        handbook: the chapters of the metric handbook in a language; without it there is no such page.
        out_dir: made if absent; pages of the same name are replaced, once all of them have been rendered.
        site: the dashboards; those of `bi/dashboards` by default.

    Raises:
        SiteError: when nothing has been published yet.
        SpecError: when a card names a column that its query does not deliver.
    """
    site = site or load_site()
    statements: dict[str, list[Row]] = {}

    def rows_of(entry: Card | Filter) -> list[Row]:
        statement = query.for_page(site, entry)
        if statement not in statements:
            columns, rows = fetch(statement)
            statements[statement] = [dict(zip(columns, row, strict=True)) for row in rows]
        return statements[statement]

    published = rows_of(site.publication)
    if not published:
        raise SiteError("pub_operations.publication is empty: nothing is published yet. Remedy: run `kefu publish`")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    identifiers = itertools.count(1)
    environment.globals["next_id"] = lambda: f"about-{next(identifiers)}"
    pages = {"index.html": environment.get_template("index.html.j2").render(languages=LANGUAGES)}
    for language in LANGUAGES:
        shared = {
            "site": site,
            "language": language,
            "other": next(other for other in LANGUAGES if other != language),
            "publication": _publication(published[0], language),
            "links": index_links(site, language) + ([_handbook_link(language)] if handbook else []),
            "labels": load_labels(),
        }
        home = View(language, load_labels(), ())
        pages[f"index.{language}.html"] = environment.get_template("home.html.j2").render(
            shared | {"view": home, "page": "index", "title": site.title.of(language)}
        )
        for dashboard in site.dashboards:
            view = View(language, load_labels(), dashboard.filters)
            sections = [(section, _blocks(section, view, rows_of)) for section in dashboard.sections]
            pages[f"{dashboard.key}.{language}.html"] = environment.get_template("dashboard.html.j2").render(
                shared
                | {
                    "view": view,
                    "page": dashboard.key,
                    "title": dashboard.title.of(language),
                    "dashboard": dashboard,
                    "sections": sections,
                    "choices": _choices(dashboard, language, rows_of),
                }
            )
        if handbook:
            pages[f"{HANDBOOK}.{language}.html"] = environment.get_template("handbook.html.j2").render(
                shared
                | {
                    "view": home,
                    "page": HANDBOOK,
                    "title": load_labels().words["handbook"].of(language),
                    "chapters": handbook(language),
                }
            )
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (out_dir / name).write_text(text, encoding="utf-8")
    return [out_dir / name for name in pages]


def _handbook_link(language: Language) -> Link:
    words = load_labels().words
    return Link(
        HANDBOOK,
        words["handbook"].of(language),
        words["handbook_intro"].of(language),
        [words["handbook_question"].of(language)],
    )


def _blocks(section: Section, view: View, rows_of: Callable[[Card], list[Row]]) -> list[Block]:
    nested = {card.nested_in.card: card for card in section.cards if card.nested_in}
    blocks = []
    for card in section.cards:
        if card.nested_in:
            continue
        rows = rows_of(card)
        drawn: Any = None
        if rows and card.display == "table":
            inner = nested.get(card.key)
            drawn = view.table(card, rows, (inner, rows_of(inner)) if inner else None)
        elif rows:
            drawn = getattr(view, card.display)(card, rows)
        blocks.append(Block(card, card.title.of(view.language), view.about(card, rows), drawn))
    return blocks


def _choices(
    dashboard: Dashboard, language: Language, rows_of: Callable[[Card | Filter], list[Row]]
) -> list[tuple[Filter, list[tuple[str, str]]]]:
    """Returns the filters that can change something on the page, with the values that occur on it."""
    found = []
    for choice in dashboard.filters:
        column = choice.column.rpartition(".")[2]
        present = {row[column] for card in dashboard.cards for row in rows_of(card) if row.get(column)}
        if choice.labels:
            options = [(code, label.of(language)) for code, label in load_labels().enumerations[choice.labels].items()]
        else:
            options = [(row["value"], row[f"label_{short(language)}"]) for row in rows_of(choice)]
        options = [(value, text) for value, text in options if value in present]
        if len(options) > 1:
            found.append((choice, options))
    return found


def _publication(row: Row, language: Language) -> dict[str, Any]:
    """Returns what every page says about its publication, in words."""
    show = Formatter(language)
    words = load_labels().words
    start, end = row["period_start"], row["period_end"]
    gates = words["gates_passed"].of(language).format(passed=row["gates_passed"], total=row["gates_total"])
    return {
        "is_demo": row["period_mode"] == "demo",
        "banner": row[f"banner_{short(language)}"],
        "period": f"{show.day(start)} – {show.day(end)}" if start and end else "—",
        "period_id": row["period_id"],
        "facts": [
            (words["as_of"].of(language), show.instant(row["as_of"])),
            (words["data_cut"].of(language), f"#{row['data_cut']}"),
            (words["publication"].of(language), f"#{row['publication_id']}"),
            (words["gates"].of(language), gates if row["gates_total"] else words["no_gates"].of(language)),
        ],
        "all_gates": row["gates_total"] > 0 and row["gates_passed"] == row["gates_total"],
    }

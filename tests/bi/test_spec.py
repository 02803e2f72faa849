"""Declarations are checked before any server sees them, and every query against a real PostgreSQL."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bi import query, spec
from bi.spec import DASHBOARDS, Card, SpecError, load_contract, load_labels, load_site
from expectations.suites import load_suites


@pytest.fixture
def edited(tmp_path: Path) -> Callable[[str, str, str], Path]:
    """Returns a copy of the dashboards with one replacement in one file."""

    def edit(file: str, old: str, new: str) -> Path:
        folder = tmp_path / "dashboards"
        shutil.copytree(DASHBOARDS, folder)
        text = (folder / file).read_text(encoding="utf-8")
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder

    return edit


def test_every_dashboard_is_found_with_its_cards_and_files() -> None:
    site = load_site()
    assert [(one.key, len(one.cards), len(one.filters)) for one in site.dashboards] == [
        ("team_overview", 13, 3),
        ("metrics", 8, 2),
        ("operations", 9, 0),
        ("coaching", 6, 1),
        ("reliability", 10, 1),
        ("data_quality", 14, 0),
    ]
    assert len({entry.sql for _, entry in site.statements()}) == 47


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("team_overview.yml", "display: tiles", "display: tiles\n        colour: red", "colour"),
        ("team_overview.yml", "en: Team overview", "fr: Vue", "title.en"),
        ("team_overview.yml", "sections:", "sections: [", "team_overview.yml is no YAML"),
        ("team_overview.yml", "display: tiles", "display: donut", "donut|'tiles'"),
        ("team_overview.yml", "headline.sql", "headlines.sql", "headlines.sql is named in a dashboard"),
        ("team_overview.yml", "key: trend_csat", "key: trend_service_level", "appear twice"),
        ("team_overview.yml", "card: scores", "card: agents", "no table of its section"),
        ("team_overview.yml", 'label: "queue_name_{lang}"\n', "note: queue_key\n", "needs the roles \\['label'\\]"),
        ("team_overview.yml", "metric: csat_rate", "metrik: csat_rate", "trend.sql has the tags"),
        ("team_overview.yml", "pub_kpi.team.team_key", "pub_kpi.team.team_id", "pub_kpi.team.team_id is not in"),
        ("team_overview.yml", "labels: score_status", "labels: mood", "no enumeration 'mood'"),
        ("data_quality/loads.sql", "pub_operations.load_status", "payroll.line", "reads payroll.line, which is not"),
        ("site.yml", "reliability, data_quality]", "reliability]", "no card uses it"),
    ],
)
def test_a_wrong_declaration_is_refused_and_named(
    edited: Callable[[str, str, str], Path], file: str, old: str, new: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_site(edited(file, old, new))


def test_no_dashboard_can_reach_pay() -> None:
    assert {table.split(".")[0] for table in load_contract()} == {"pub_kpi", "pub_appraisal", "pub_operations"}


def test_a_catalogue_that_lacks_something_is_told_what() -> None:
    catalogue = {table: set(columns) for table, columns in load_contract().items()}
    assert spec.check_catalogue(catalogue) == []
    catalogue["pub_kpi.metric_value"].remove("interval_low")
    del catalogue["pub_kpi.team"]
    assert spec.check_catalogue(catalogue) == [
        "table pub_kpi.team is missing",
        "column pub_kpi.metric_value.interval_low is missing",
    ]


def test_postgres_accepts_every_query_with_the_rights_of_dashboards(reader: psycopg.Connection[Any]) -> None:
    assert spec.check_cards(reader, load_site()) == []


def test_a_column_that_went_missing_is_named_with_every_card_that_uses_it(owner: psycopg.Connection[Any]) -> None:
    owner.execute("alter table pub_kpi.metric_reliability rename column weight_factor to factor")
    try:
        problems = spec.check_cards(owner, load_site())
    finally:
        owner.rollback()
    missing = "without filters: column metric_reliability.weight_factor does not exist"
    assert problems == [
        f"team_overview/reliability: team_overview/reliability.sql {missing}",
        *(f"reliability/{card}: reliability/metrics.sql {missing}" for card in ("factors", "parts", "evidence")),
    ]


def test_a_role_without_its_column_is_named(
    owner: psycopg.Connection[Any], edited: Callable[[str, str, str], Path]
) -> None:
    folder = edited("team_overview.yml", "low: interval_low", "low: lower_limit")
    problems = spec.check_cards(owner, load_site(folder))
    assert problems[0] == (
        "team_overview/headline: team_overview/headline.sql does not deliver the columns ['lower_limit'] "
        "that the card names"
    )


def test_a_filter_that_cannot_bind_is_found(
    owner: psycopg.Connection[Any], edited: Callable[[str, str, str], Path]
) -> None:
    # An aliased table hides its own name, which is what Metabase puts into the query.
    folder = edited("team_overview/queues.sql", "[[and {{channel}}]]", "[[and {{team}}]]")
    problems = spec.check_cards(owner, load_site(folder))
    assert len(problems) == 2
    assert 'with filters: missing FROM-clause entry for table "team"' in problems[0]


def test_metabase_shows_words_and_reasons_instead_of_codes_and_nulls(owner: psycopg.Connection[Any]) -> None:
    site = load_site()
    cards = [entry for _, entry in site.statements() if isinstance(entry, Card)]
    empty: set[str] = set()
    for card in cards:
        for language in spec.LANGUAGES:
            statement = query._OPTIONAL.sub("", query.for_metabase(site, card, language))
            cursor = owner.execute(statement)  # type: ignore[call-overload]
            titles = [column.name for column in cursor.description or ()]
            assert len(set(titles)) == len(titles), f"{card.key}: Metabase needs distinct titles, found {titles}"
            if not cursor.fetchall():
                empty.add(card.key)
    assert len(cards) == 61
    # The small dataset holds no metric of these dimensions.
    assert empty == {"resolution", "sales", "bot"}

    headline = {
        (row[0], row[1]): row[2:]
        for row in owner.execute(
            query._OPTIONAL.sub("", query.for_metabase(site, site.dashboards[0].cards[0], "zh-CN"))  # type: ignore[call-overload]
        )
    }
    assert headline["参评率", "在线聊天"] == ("未测量", None, None, None, None)
    assert headline["服务水平", "电话"] == ("83.1%", "80.7% – 85.6%", 878, "80.0%", None)
    assert headline["监听成绩", "不分渠道"] == ("86.4", "84.8 – 88.0", 96, "85.0", "不可靠")
    assert ("接待会话数", "all") not in headline


def test_constants_cannot_break_out_of_their_quotes() -> None:
    site = load_site()
    card = site.dashboards[0].cards[1].model_copy(update={"constants": {"metric": "x' or '1'='1"}})
    assert "metric_id = 'x'' or ''1''=''1'" in query.for_page(site, card)


def test_the_schema_for_editors_is_current(tmp_path: Path, project: Path) -> None:
    spec.write_schema(tmp_path / "schema.json")
    kept = (project / "config/schema/dashboard.schema.json").read_text(encoding="utf-8")
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == kept, (
        "run: python -c 'from bi.spec import *; write_schema(Path(\"config/schema/dashboard.schema.json\"))'"
    )
    assert json.loads(kept)["additionalProperties"] is False


def test_words_exist_for_every_state_of_the_contract() -> None:
    enumerations = load_labels().enumerations
    assert set(enumerations["reliability"]) == {"reliable", "weak", "unreliable", "not_enough_data", "not_evaluated"}
    reasons = {"no_denominator", "not_measured", "below_min_n", "source_missing", "exempt"}
    assert reasons < set(enumerations["null_reason"])
    for name in ("reliability", "state", "verdict"):
        labels = enumerations[name].values()
        assert len({label.mark for label in labels}) == len(labels), f"{name}: marks must work without colour"


def test_everybody_who_fixes_a_check_has_a_name_in_both_languages() -> None:
    repairers = {check.fixed_by for suite in load_suites() for check in suite.expectations}
    assert len(repairers) >= 3
    assert repairers <= set(load_labels().enumerations["role"])

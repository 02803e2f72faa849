"""Plan and apply against a loopback server with Metabase's habits, the nasty ones included."""

from __future__ import annotations

import copy
import json
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from bi.metabase import Metabase, MetabaseError, apply, compile_site, plan, register_database, setup, wait_for_sync
from bi.metabase.client import field_ids
from bi.metabase.payloads import KEY
from bi.metabase.reconcile import _card_value
from bi.spec import Site, load_contract, load_site
from tests.bi.fake_metabase import FakeMetabase

REFERENCE = Path(__file__).parents[3] / "shared" / "metabase"
KEPT = ("databases", "collections", "cards", "dashboards", "writes", "_ids")
LOGIN = {"host": "warehouse", "port": "5432", "dbname": "kefu", "user": "kefu_bi", "password": "s3cret-of-bi"}
CONVERSATIONS = "team_overview.en.trend_conversations"
HEADLINE = "team_overview.en.headline"
PASSWORD = "first-user-5ecret"


@pytest.fixture
def fake() -> Iterator[FakeMetabase]:
    server = FakeMetabase({table: list(columns) for table, columns in load_contract().items()})
    with server.listening():
        yield server


@pytest.fixture
def client(fake: FakeMetabase) -> Iterator[Metabase]:
    with Metabase(fake.url, patience=0) as made:
        setup(made, email="admin@kefu.example", password=PASSWORD, site_name="Kefu")
        yield made


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site()


@pytest.fixture(scope="module")
def complete(site: Site) -> dict[str, Any]:
    """What a server holds after the first run."""
    server = FakeMetabase({table: list(columns) for table, columns in load_contract().items()})
    with server.listening(), Metabase(server.url, patience=0) as client:
        setup(client, email="admin@kefu.example", password=PASSWORD, site_name="Kefu")
        assert apply(client, site, register_database(client, "Kefu", LOGIN)).exit_code == 0
    return {name: getattr(server, name) for name in KEPT}


@pytest.fixture
def database_id(client: Metabase, request: pytest.FixtureRequest) -> int:
    if "applied" in request.fixturenames:
        request.getfixturevalue("applied")
    return register_database(client, "Kefu", LOGIN)


@pytest.fixture
def applied(fake: FakeMetabase, client: Metabase, complete: dict[str, Any]) -> FakeMetabase:
    """A server that already has everything."""
    for name, value in copy.deepcopy(complete).items():
        setattr(fake, name, value)
    return fake


def _named(fake: FakeMetabase, kind: str, key: str) -> dict[str, Any]:
    objects = {"card": fake.cards, "dashboard": fake.dashboards}[kind].values()
    (found,) = [
        one
        for one in objects
        if one.get("caveats") == f"{KEY}={key}" or (one.get("visualization_settings") or {}).get(KEY) == key
    ]
    return found


# --- applying ---------------------------------------------------------------------------------------------------


def test_one_run_makes_everything_once_and_the_next_changes_nothing(
    fake: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    planned = plan(client, site, database_id)
    assert not [path for _, path, _ in fake.writes if "card" in path or "collection" in path], "a plan writes nothing"

    result = apply(client, site, database_id)
    assert result.changes == planned.changes and result.skipped == []
    made = Counter((change.action, change.kind) for change in result.changes)
    # Two languages: 61 cards, the publication and lists of choices; six dashboards; a root and a folder each.
    assert made == {("create", "collection"): 3, ("create", "card"): 132, ("create", "dashboard"): 12}
    names = {dashboard["name"] for dashboard in fake.dashboards.values()}
    assert names == {
        "团队总览", "全部指标", "运营驱动", "辅导", "可信度", "数据质量",
        "Team overview", "All metrics", "What drives operations", "Coaching", "Reliability", "Data quality",
    }  # fmt: skip

    before, writes = copy.deepcopy((fake.cards, fake.dashboards, fake.collections)), len(fake.writes)
    again = apply(client, site, database_id)
    assert (again.changes, again.skipped, again.exit_code) == ([], [], 0)
    assert again.lines() == ["no changes"]
    assert (fake.cards, fake.dashboards, fake.collections) == before and len(fake.writes) == writes


def test_every_body_fits_metabases_own_api_description(applied: FakeMetabase) -> None:
    document = REFERENCE / "openapi.json"
    if not document.exists():
        pytest.skip(f"{document} is absent, so bodies are not held against Metabase's API description")
    described = json.loads(document.read_text(encoding="utf-8"))
    components = _alternatives(described["components"])
    checked: Counter[str] = Counter()
    for method, path, body in applied.writes:
        operation = described["paths"].get(path, {}).get(method.lower(), {})
        if "requestBody" not in operation:  # settings are described by their key, a sync has no body
            continue
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        errors = list(OAS31Validator(_alternatives(schema) | {"components": components}).iter_errors(body))
        assert not errors, f"{method} {path}: {errors[0].message} at {list(errors[0].absolute_path)}"
        unknown = set(body) - set(schema["properties"])
        assert not unknown, f"{method} {path} sends keys that the description lacks: {unknown}"
        checked[f"{method} {path}"] += 1
    assert checked == {
        "POST /api/setup": 1,
        "POST /api/database": 1,
        "POST /api/collection": 3,
        "POST /api/card": 132,
        "POST /api/dashboard": 12,
        "PUT /api/dashboard/{id}": 12,
    }


def _alternatives(schema: Any) -> Any:
    """Returns the schema with `oneOf` read as `anyOf`: generated alternatives overlap, so right bodies match two."""
    if isinstance(schema, dict):
        return {"anyOf" if key == "oneOf" else key: _alternatives(value) for key, value in schema.items()}
    return [_alternatives(one) for one in schema] if isinstance(schema, list) else schema


def test_filters_reach_the_cards_that_obey_them(applied: FakeMetabase) -> None:
    dashboard = _named(applied, "dashboard", "team_overview.zh-CN")
    parameters = {one["slug"]: one for one in dashboard["parameters"]}
    assert [parameters[slug]["name"] for slug in ("team", "channel", "period")] == ["团队", "渠道", "周期"]
    assert parameters["channel"]["values_source_config"]["values"][0] == ["voice", "电话"]
    choices = applied.cards[parameters["team"]["values_source_config"]["card_id"]]
    assert "label_zh" in choices["dataset_query"]["stages"][0]["native"]

    placed = {one["visualization_settings"][KEY]: one for one in dashboard["dashcards"]}
    scores = placed["team_overview.zh-CN.scores"]
    mapped = {one["parameter_id"]: one for one in scores["parameter_mappings"]}
    assert set(mapped) == {parameters["team"]["id"], parameters["period"]["id"]}
    assert all(one["card_id"] == scores["card_id"] for one in mapped.values()), "without it the filter is ignored"
    stage = applied.cards[scores["card_id"]]["dataset_query"]["stages"][0]
    tag = stage["template-tags"]["team"]
    field = applied.tables["pub_kpi.team"].index("team_key")
    offset = sum(
        len(applied.tables[table]) for table in list(applied.tables)[: list(applied.tables).index("pub_kpi.team")]
    )
    assert tag["dimension"] == ["field", {}, 1000 + offset + field]
    assert "[[and {{team}}]]" in stage["native"] and uuid.UUID(tag["id"]).version == 4


def test_the_grid_holds_without_overlap(applied: FakeMetabase) -> None:
    for dashboard in applied.dashboards.values():
        taken: set[tuple[int, int]] = set()
        for one in dashboard["dashcards"]:
            own = {
                (row, col)
                for row in range(one["row"], one["row"] + one["size_y"])
                for col in range(one["col"], one["col"] + one["size_x"])
            }
            assert not own & taken and one["col"] + one["size_x"] <= 24
            taken |= own
        first = min(dashboard["dashcards"], key=lambda one: one["row"])
        assert applied.cards[first["card_id"]]["name"] in ("本次发布", "This publication")


def test_ids_are_the_same_on_every_machine(site: Site) -> None:
    fields = {table: {column: at for at, column in enumerate(columns)} for table, columns in load_contract().items()}
    assert compile_site(site, 1, fields) == compile_site(load_site(), 1, fields)


def test_a_day_without_a_value_is_a_gap_in_metabase_too(applied: FakeMetabase) -> None:
    settings = _named(applied, "card", "team_overview.en.trend_csat")["visualization_settings"]
    assert settings["series_settings"]["Voice"]["line.missing"] == "none"
    assert settings["graph.metrics"] == ["Satisfaction"]


# --- drift ------------------------------------------------------------------------------------------------------

Drift = Callable[[FakeMetabase], None]


def _edit_sql(fake: FakeMetabase) -> None:
    stage = _named(fake, "card", "team_overview.en.teams")["dataset_query"]["stages"][0]
    stage["native"] = stage["native"].replace("<> 'all'", "= 'all'")


def _edit_tag(fake: FakeMetabase) -> None:
    stage = _named(fake, "card", "team_overview.en.teams")["dataset_query"]["stages"][0]
    stage["template-tags"]["team"]["dimension"] = ["field", {}, 4711]


def _rename_card(fake: FakeMetabase) -> None:
    _named(fake, "card", "data_quality.zh-CN.checks")["name"] = "x"


def _archive_card(fake: FakeMetabase) -> None:
    card = _named(fake, "card", "data_quality.zh-CN.checks")
    card |= {"archived": True, "collection_id": 990}  # the trash


def _move_dashcard(fake: FakeMetabase) -> None:
    _named(fake, "dashboard", "team_overview.en")["dashcards"][3]["col"] += 1


def _remove_dashcard(fake: FakeMetabase) -> None:
    del _named(fake, "dashboard", "team_overview.en")["dashcards"][4]


def _unmap_filter(fake: FakeMetabase) -> None:
    placed = _named(fake, "dashboard", "team_overview.en")["dashcards"]
    next(one for one in placed if one["parameter_mappings"])["parameter_mappings"].pop()


def _add_stranger(fake: FakeMetabase) -> None:
    placed = _named(fake, "dashboard", "team_overview.en")["dashcards"]
    placed.append(placed[0] | {"id": 9001, "visualization_settings": {}})


def _add_tab(fake: FakeMetabase) -> None:
    _named(fake, "dashboard", "data_quality.en")["tabs"] = [{"id": 7, "name": "Tab"}]


def _drop_parameter(fake: FakeMetabase) -> None:
    _named(fake, "dashboard", "team_overview.zh-CN")["parameters"].pop()


def _archive_dashboard(fake: FakeMetabase) -> None:
    dashboard = _named(fake, "dashboard", "data_quality.en")
    dashboard |= {"archived": True, "collection_id": 990}


def _forget_key(fake: FakeMetabase) -> None:
    del _named(fake, "card", "data_quality.en.loads")["visualization_settings"][KEY]


def _describe_collection(fake: FakeMetabase) -> None:
    next(c for c in fake.collections.values() if c["name"] == "English")["description"] = "mine"


def _trash_collection(fake: FakeMetabase) -> None:
    english = next(c for c in fake.collections.values() if c["name"] == "English")
    fake._put_collection(english["id"], None, {"archived": True})
    assert sum(card["archived"] for card in fake.cards.values()) == 66


@pytest.mark.parametrize(
    ("drift", "change"),
    [
        (_edit_sql, "update card team_overview.en.teams: dataset_query"),
        (_edit_tag, "update card team_overview.en.teams: dataset_query"),
        (_rename_card, "update card data_quality.zh-CN.checks: name"),
        (_archive_card, "restore card data_quality.zh-CN.checks: collection_id"),
        (_move_dashcard, "update dashboard team_overview.en: dashcard team_overview.en.trend.heading differs in col"),
        (_remove_dashcard, f"update dashboard team_overview.en: dashcard {CONVERSATIONS} is missing"),
        (_unmap_filter, f"update dashboard team_overview.en: dashcard {HEADLINE} differs in parameter_mappings"),
        (_add_stranger, "update dashboard team_overview.en: 1 dashcards are not declared"),
        (_add_tab, "update dashboard data_quality.en: 1 tabs are not declared"),
        (_drop_parameter, "update dashboard team_overview.zh-CN: parameters"),
        (_archive_dashboard, "restore dashboard data_quality.en: collection_id"),
        (_forget_key, "update card data_quality.en.loads: visualization_settings"),
        (_trash_collection, "restore collection Kefu 客服绩效 / English"),
        (_describe_collection, "update collection Kefu 客服绩效 / English: description"),
    ],
)  # fmt: skip
def test_drift_is_named_and_repaired(
    applied: FakeMetabase,
    client: Metabase,
    site: Site,
    database_id: int,
    complete: dict[str, Any],
    drift: Drift,
    change: str,
) -> None:
    drift(applied)
    assert _essence(vars(applied)) != _essence(complete)
    result = apply(client, site, database_id)
    assert change in [str(one) for one in result.changes]
    assert result.exit_code == 0 and _essence(vars(applied)) == _essence(complete)


def _essence(state: dict[str, Any]) -> Any:
    """Everything but the ids of dashcards that had to be made again."""
    dashboards = [
        one | {"dashcards": [{**placed, "id": 0, "entity_id": ""} for placed in one["dashcards"]]}
        for one in state["dashboards"].values()
    ]
    return state["cards"], dashboards, state["collections"]


def test_dashcards_keep_their_ids_for_subscriptions(
    applied: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    dashboard = _named(applied, "dashboard", "team_overview.en")
    ids = {one["visualization_settings"][KEY]: one["id"] for one in dashboard["dashcards"]}
    _move_dashcard(applied)
    apply(client, site, database_id)
    assert {one["visualization_settings"][KEY]: one["id"] for one in dashboard["dashcards"]} == ids


def test_what_is_declared_no_more_is_archived_and_what_is_not_ours_stays(
    applied: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    kept = _named(applied, "card", "data_quality.en.loads")
    copied = copy.deepcopy(kept) | {"id": 5001, "name": "My loads", "collection_id": None}
    applied.cards[5001] = copied  # a person's copy carries our key along
    own = copy.deepcopy(kept) | {"id": 5002, "name": "Somebody's", "visualization_settings": {}}
    applied.cards[5002] = own
    stale = copy.deepcopy(kept) | {"id": 5003, "visualization_settings": {KEY: "team_overview.en.retired"}}
    applied.cards[5003] = stale

    smaller = site.model_copy(update={"dashboards": site.dashboards[:1]})
    smaller._statements.update(site._statements)
    result = apply(client, smaller, database_id)
    assert result.exit_code == 0
    archived = {str(change) for change in result.changes if change.action == "archive"}
    assert "archive dashboard data_quality.en" in archived and "archive card team_overview.en.retired" in archived
    assert len(archived) == 2 * (8 + 9 + 6 + 10 + 14 + 5 + 3) + 1
    assert not copied["archived"] and not own["archived"] and kept["archived"]
    kept["collection_id"] = 990  # where the trash shows it
    assert len(applied.cards) == 132 + 3, "nothing is deleted"
    assert apply(client, site, database_id).exit_code == 0 and not kept["archived"], "and all of it comes back"
    assert (copied["name"], copied["collection_id"]) == ("My loads", None)


# --- trouble ----------------------------------------------------------------------------------------------------


def test_busy_answers_and_lost_answers_do_not_make_things_twice(
    fake: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    # A steady mix: refusals before the work, and answers lost after it.
    fake.trouble = [code for _ in range(30) for code in (429, None, None, "lose", None, 503, None)]  # type: ignore[misc]
    result = apply(client, site, database_id)
    assert result.exit_code == 0, result.lines()
    assert (len(fake.collections), len(fake.cards), len(fake.dashboards)) == (3, 132, 12)
    assert apply(client, site, database_id).changes == []


def test_a_server_that_stays_away_is_reported(fake: FakeMetabase, client: Metabase) -> None:
    fake.trouble = [503] * 6
    with pytest.raises(MetabaseError, match=r"GET /api/card: Metabase is busy \(503\) and stayed so. Remedy"):
        client.get("/api/card")
    assert fake.trouble == []
    with (
        Metabase("http://127.0.0.1:9", attempts=2, patience=0) as nobody,
        pytest.raises(MetabaseError, match="no answer"),
    ):
        nobody.get("/api/health")


def test_a_column_metabase_does_not_know_stops_everything_and_is_named(
    fake: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    fake.tables["pub_kpi.metric_value"].remove("interval_high")
    writes = len(fake.writes)
    result = apply(client, site, database_id)
    assert result.exit_code == 1 and len(fake.writes) == writes
    assert result.lines() == [
        "no changes",
        "SKIPPED everything, because Metabase does not know that column pub_kpi.metric_value.interval_high is missing",
    ]


def test_one_refused_card_is_skipped_with_its_dashboard_and_fails_the_run(
    fake: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    real = fake._add_card

    def refuse(parameters: Any, body: dict[str, Any]) -> Any:
        made = real(parameters, body)
        if body["visualization_settings"].get(KEY) == "data_quality.en.gates":
            fake.cards[made["id"]]["dataset_query"] = {}  # what some versions do with a query they cannot read
        return made

    fake._add_card = refuse  # type: ignore[method-assign]
    result = apply(client, site, database_id)
    assert result.exit_code == 1 and len(result.skipped) == 1
    assert result.skipped[0].startswith("card data_quality.en.gates: Metabase stored an empty query")
    fake._add_card = real  # type: ignore[method-assign]
    repaired = apply(client, site, database_id)
    assert repaired.exit_code == 0 and [str(one) for one in repaired.changes] == [
        "update card data_quality.en.gates: dataset_query"
    ]


def test_a_write_that_does_not_read_back_fails_the_run(
    applied: FakeMetabase, client: Metabase, site: Site, database_id: int
) -> None:
    _rename_card(applied)
    applied._put_card = lambda card_id, _, body: applied.cards[card_id]  # type: ignore[method-assign]
    result = apply(client, site, database_id)
    assert result.exit_code == 1
    assert "card data_quality.zh-CN.checks: name (written, but reads back differently)" in result.skipped[0]


# --- first boot and the warehouse connection --------------------------------------------------------------------


def test_setup_works_once_and_then_logs_in(fake: FakeMetabase) -> None:
    fake.trouble = ["lose", None, "lose"]
    for expected in (True, False):
        with Metabase(fake.url, patience=0) as client:
            made = setup(client, email="admin@kefu.example", password=PASSWORD, site_name="Kefu")
            assert made is expected
            assert client.get("/api/card") == []
    assert fake.settings["anon-tracking-enabled"] is False
    assert [path for _, path, _ in fake.writes].count("/api/setup") == 1
    with Metabase(fake.url, patience=0) as client, pytest.raises(MetabaseError, match="401") as refused:
        setup(client, email="admin@kefu.example", password="wrong-5ecret", site_name="Kefu")
    assert "5ecret" not in str(refused.value) and "401" in str(refused.value)


def test_the_database_is_registered_once_and_corrected(fake: FakeMetabase, client: Metabase) -> None:
    first = register_database(client, "Kefu", LOGIN)
    writes = len(fake.writes)
    assert register_database(client, "Kefu", LOGIN) == first and len(fake.writes) == writes
    assert fake.databases[first]["details"]["schema-filters-patterns"] == "pub_*"
    assert register_database(client, "Kefu", LOGIN | {"host": "elsewhere"}) == first
    assert fake.databases[first]["details"]["host"] == "elsewhere"
    assert fake.databases[first]["details"]["password"] == LOGIN["password"], "never the mask that GET shows"
    register_database(client, "Kefu", LOGIN | {"host": "elsewhere", "password": "n3w"}, rotate_password=True)
    assert fake.databases[first]["details"]["password"] == "n3w"


def test_the_sync_is_awaited_and_what_is_missing_named(fake: FakeMetabase, client: Metabase, database_id: int) -> None:
    fake.polls_until_synced = 3
    wait_for_sync(client, database_id, seconds=0)
    assert fake.databases[database_id]["initial_sync_status"] == "complete"
    assert len(field_ids(client, database_id)) == len(load_contract()) == 36
    del fake.tables["pub_appraisal.score"]
    with pytest.raises(MetabaseError, match=r"table pub_appraisal.score is missing. Remedy: run `kefu publish`"):
        wait_for_sync(client, database_id, polls=4, seconds=0)


def test_answers_of_real_servers_are_understood() -> None:
    recorded = sorted((REFERENCE / "recorded/mbql5/card").glob("*.json"))
    if not recorded:
        pytest.skip(f"{REFERENCE}/recorded is absent, so recorded answers are not read")
    native = 0
    for path in recorded:
        card = json.loads(path.read_text(encoding="utf-8"))
        database, stages, statement, tags = _card_value("dataset_query", card["dataset_query"])
        assert (database, stages) == (2, 1) and tags == {}
        if card["query_type"] == "native":
            native += 1
            ours = {
                "lib/type": "mbql/query",
                "database": 2,
                "stages": [{"lib/type": "mbql.stage/native", "native": statement}],
            }
            assert _card_value("dataset_query", ours) == (database, stages, statement, tags)
    assert native >= 2

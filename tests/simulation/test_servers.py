"""The fake servers: honest replies as the API descriptions say, and every bad habit on demand."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS30Validator

from connectors import chatwoot, http, live_helper_chat
from connectors.contract import Chunk, Context, SourceError
from kefu.settings import PROJECT
from kefu.simulation.generate import generate
from kefu.simulation.scenario import Scenario
from kefu.simulation.serve import Control, Habits, Server, serve
from kefu.simulation.serve.declaration import Paging, declaration
from kefu.simulation.serve.habits import is_chosen
from kefu.simulation.serve.server import cut_page
from kefu.simulation.world import World
from tests.simulation.small_world import BOT_FIRST, CHATS, LEFT, LONG, REOPENED, TRANSFERRED, WAITING, small_world

DESCRIPTION = PROJECT.parent / "shared/sources/chatwoot-application-swagger.json"
ACCOUNT = "/api/v1/accounts/1"
CONTEXT = Context("desk", "Asia/Shanghai", "CN", b"secret-for-tests")
SYSTEMS = {"chatwoot": chatwoot, "live_helper_chat": live_helper_chat}
# Entities with records, and those of them that the habits of late and amended records touch.
ENTITIES = {
    "chatwoot": ("inbox", "team", "agent", "conversation", "message", "csat_response"),
    "live_helper_chat": ("user", "department", "chat", "message", "survey_item"),
}
# Where the server differs from its own description, which is older.
DEVIATIONS = {("timestamp", "string"), ("message_type", "one of"), ("content_type", "one of")}


@pytest.fixture(scope="module")
def world() -> World:
    return small_world()


@pytest.fixture(params=SYSTEMS)
def server(request: pytest.FixtureRequest, world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serve(world, [request.param]) as servers:
        for name, value in servers[request.param].environment.items():
            monkeypatch.setenv(name, value)
        yield servers[request.param]


@pytest.fixture
def desk(world: World) -> Iterator[Server]:
    with serve(world, ["chatwoot"]) as servers:
        yield servers["chatwoot"]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, in seconds, recorded instead of slept."""
    taken: list[float] = []
    monkeypatch.setattr(http, "sleep", taken.append)
    return taken


def system_of(server: Server) -> str:
    return "chatwoot" if "account_id" in server.settings else "live_helper_chat"


def chunks(server: Server, entity: str) -> list[Chunk]:
    module = SYSTEMS[system_of(server)]
    settings = module.Settings.model_validate(server.settings)
    return list(module.read(settings, module.SYSTEM.entities[entity], None, CONTEXT))


def rows(server: Server, entity: str) -> list[str]:
    """What the connector reads, one text a row, in a fixed order; nothing of it may be refused."""
    found = []
    for chunk in chunks(server, entity):
        assert (chunk.rejects, chunk.drift) == ([], {})
        texts = {name: values.to_pylist() for name, values in chunk.texts.items()}
        for index, row in enumerate(chunk.rows.to_pylist()):
            found.append(str(row | {name: values[index] for name, values in texts.items()}))
    return sorted(found)


def everything(server: Server) -> dict[str, list[str]]:
    return {entity: rows(server, entity) for entity in ENTITIES[system_of(server)]}


def get(server: Server, path: str, **query: Any) -> httpx.Response:
    secret = server.environment["KEFU_SIMULATED_CHATWOOT_TOKEN"]
    return httpx.get(server.url + ACCOUNT + path, params=query, headers={"api_access_token": secret})


# Honest replies


@pytest.mark.skipif(not DESCRIPTION.exists(), reason=f"the API description {DESCRIPTION} is not on this machine")
def test_replies_are_what_the_description_says(desk: Server) -> None:
    description = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    deviations: Counter[tuple[str, str]] = Counter()
    asked = {
        "/conversations": ("/conversations?status=all", "data.payload"),
        "/conversations/{conversation_id}/messages": (f"/conversations/{TRANSFERRED}/messages?after=0", "payload"),
        "/agents": ("/agents", ""),
        "/teams": ("/teams", ""),
        "/inboxes": ("/inboxes", "payload"),
    }
    for path, (request, place) in asked.items():
        declared = description["paths"]["/api/v1/accounts/{account_id}" + path]["get"]["responses"]["200"]["content"]
        schema = declared["application/json"]["schema"] | {"components": description["components"]}
        body = without_nulls(get(desk, request).json())
        for error in OAS30Validator(schema).iter_errors(body):
            name = [part for part in error.absolute_path if isinstance(part, str)][-1]
            deviations[name, next(known for field, known in DEVIATIONS if field == name)] += 1
        for part in filter(None, place.split(".")):
            body = body[part]
        assert body, f"{request} gave nothing to compare"
    assert set(deviations) == DEVIATIONS


def without_nulls(value: Any) -> Any:
    """The description calls nothing nullable; the server gives null where there is nothing."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def test_an_unasked_status_is_open_only(desk: Server) -> None:
    def count(**query: Any) -> int:
        total: int = get(desk, "/conversations", **query).json()["data"]["meta"]["all_count"]
        return total

    assert count(status="all") == len(CHATS)
    # Two wait or are silent; the rest were closed by somebody.
    assert count() == count(status="open") == 2
    assert count(status="resolved") == len(CHATS) - 2


def test_conversations_come_25_a_page_in_the_order_asked_for(desk: Server) -> None:
    pages = [
        get(desk, "/conversations", status="all", sort_by="created_at_asc", page=page).json()["data"]["payload"]
        for page in (1, 2, 3, 4)
    ]
    assert [len(page) for page in pages] == [25, 25, len(CHATS) - 50, 0]
    created = [conversation["created_at"] for page in pages for conversation in page]
    assert created == sorted(created)
    first = get(desk, "/conversations", status="all").json()["data"]["payload"]
    latest = [conversation["last_activity_at"] for conversation in first]
    assert latest == sorted(latest, reverse=True)


def test_messages_come_after_an_id_100_at_a_time(desk: Server) -> None:
    path = f"/conversations/{LONG}/messages"
    latest, first = (get(desk, path, **query).json()["payload"] for query in ({}, {"after": 0}))
    assert (len(latest), len(first)) == (20, 100)
    rest_of_them = get(desk, path, after=first[-1]["id"]).json()["payload"]
    numbers = [message["id"] for message in first + rest_of_them]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] < latest[-1]["id"]
    assert get(desk, "/conversations/999999/messages").status_code == 404


def test_survey_answers_obey_both_ends_of_a_span(desk: Server) -> None:
    answers = get(desk, "/csat_survey_responses", sort="created_at").json()
    first, last = (answer["created_at"] for answer in answers)
    assert len(get(desk, "/csat_survey_responses", since=first, until=last).json()) == 1
    assert len(get(desk, "/csat_survey_responses", since=last).json()) == 2
    assert get(desk, "/csat_survey_responses/metrics", since=first, until=last + 1).json()["total_count"] == 2


def test_the_server_writes_what_happened_between_the_words(desk: Server) -> None:
    def told(conversation: int) -> list[str]:
        payload = get(desk, f"/conversations/{conversation}/messages", after=0).json()["payload"]
        return [message["content"] for message in payload if message["message_type"] == 2]

    assert told(TRANSFERRED) == [
        "王芳 self-assigned this conversation",
        "Assigned to Ann by Night via Delivery by 王芳",
        "Conversation was marked resolved by Ann by Night",
    ]
    assert told(BOT_FIRST) == [
        "Conversation was reopened by Concierge",
        "Ann by Night self-assigned this conversation",
        f"Conversation was resolved by Customer {BOT_FIRST}",
    ]
    assert told(LEFT) == [f"Conversation was resolved by Customer {LEFT}"]
    assert told(WAITING) == []
    assert told(REOPENED) == [
        "王芳 self-assigned this conversation",
        "Conversation was marked resolved by 王芳",
        "System reopened the conversation due to a new incoming message.",
        "Conversation unassigned by Automation System",
        "Ann by Night self-assigned this conversation",
        "Conversation was marked resolved by Ann by Night",
    ]


def test_words_around_a_transfer_stay_on_their_side(desk: Server) -> None:
    payload = get(desk, f"/conversations/{TRANSFERRED}/messages", after=0).json()["payload"]
    said = [message["content"] for message in payload]
    place = said.index("Assigned to Ann by Night via Delivery by 王芳")
    assert said[place - 1 : place + 2 : 2] == ["my colleague will help", "here I am"]
    assert len({message["created_at"] for message in payload[place - 1 : place + 2]}) == 1


def test_a_generated_desk_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    world = generate(Scenario(agents=30))
    chats = {row["chat_id"]: row for row in world.tables["chat"].to_pylist() if row["channel"] == "desk"}
    accounts = {row["agent_key"]: row["desk_user_id"] for row in world.tables["agent"].to_pylist()}
    kinds = {"visitor": "customer", "agent": "agent", "whisper": "agent", "bot": "bot"}
    said = Counter(
        (row["chat_id"], int(row["sent_at"].timestamp()), kinds[row["author"]], row["author"] == "whisper", row["text"])
        for row in world.tables["message"].to_pylist()
        if row["chat_id"] in chats and row["author"] != "system"
    )
    with serve(world, ["chatwoot"]) as servers:
        for name, value in servers["chatwoot"].environment.items():
            monkeypatch.setenv(name, value)
        found: Counter[tuple[Any, ...]] = Counter()
        events: Counter[str] = Counter()
        order: dict[int, list[Any]] = {}
        for chunk in chunks(servers["chatwoot"], "message"):
            for row, text in zip(chunk.rows.to_pylist(), chunk.texts["text"].to_pylist(), strict=True):
                order.setdefault(row["conversation_id"], []).append((row["message_id"], row["sent_at"]))
                events[row["event_type"]] += 1
                if row["author_kind"] != "system":
                    author = (row["author_kind"], row["is_private"], text)
                    found[row["conversation_id"], int(row["sent_at"].timestamp()), *author] += 1
        owners = {
            row["conversation_id"]: row["assignee_id"]
            for chunk in chunks(servers["chatwoot"], "conversation")
            for row in chunk.rows.to_pylist()
        }
        ratings = sum(chunk.rows.num_rows for chunk in chunks(servers["chatwoot"], "csat_response"))
    assert found == said
    assert len(said) > 1000
    for pairs in order.values():
        assert [at for _, at in sorted(pairs)] == sorted(at for _, at in pairs)
    segments = [row for row in world.tables["chat_segment"].to_pylist() if row["chat_id"] in chats]
    assert events["self_assign"] + events["assign"] == len(segments)
    assert events["other_system"] == 0
    # A reopened conversation loses its owner until somebody takes it again.
    settled = {number for number, chat in chats.items() if chat["reopened_at"] is None}
    assert {number: owners[number] for number in settled} == {
        number: accounts.get(chats[number]["agent_key"]) for number in settled
    }
    assert len(settled) < len(chats)
    surveys = world.tables["survey"].to_pylist()
    assert ratings == sum(row["channel"] == "desk" and row["value"] is not None for row in surveys) > 0


def test_the_same_world_gives_the_same_bytes(world: World) -> None:
    def replies() -> list[bytes]:
        with serve(world, ["chatwoot", "live_helper_chat"]) as servers:
            environment = servers["live_helper_chat"].environment
            login = (environment["KEFU_SIMULATED_LHC_USER"], environment["KEFU_SIMULATED_LHC_KEY"])
            url = servers["live_helper_chat"].url + "/restapi/chats?limit=20&offset=5&include_messages=true"
            pages = [get(servers["chatwoot"], "/conversations", status="all", page=page).content for page in (1, 2)]
            return [*pages, httpx.get(url, auth=login).content]

    first = replies()
    assert first == replies()
    assert all(len(reply) > 1000 for reply in first)


def test_servers_listen_on_the_ports_asked_for_and_free_them(world: World) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with serve(world, ["chatwoot"], port=port) as servers:
        assert list(servers) == ["chatwoot"]
        assert servers["chatwoot"].url == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError):
            serve(world, ["chatwoot"], port=port)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/")
    with pytest.raises(FileNotFoundError):
        serve(world, ["no_such_system"])


# Habits through which a connector must come with the very same rows


@pytest.mark.parametrize(
    "habits",
    [
        Habits(busy_every=3),
        Habits(busy_every=3, retry_after="seconds", retry_after_seconds=7),
        Habits(busy_every=3, retry_after="date", retry_after_seconds=7),
        Habits(drop_every=3),
        Habits(duplicates=True),
        Habits(clock_skew_seconds=86400),
    ],
    ids=["busy", "busy with seconds", "busy with a date", "dropped", "duplicates", "skewed clock"],
)
def test_a_connector_reads_the_same_in_spite_of(server: Server, habits: Habits) -> None:
    honest = everything(server)
    assert all(honest.values())
    server.control(Control(habits=habits))
    assert everything(server) == honest


def test_a_busy_server_names_its_time_or_does_not(server: Server, pauses: list[float]) -> None:
    server.control(Control(habits=Habits(busy_every=2)))
    everything(server)
    unnamed = list(pauses)
    pauses.clear()
    server.control(Control(habits=Habits(busy_every=2, retry_after="seconds", retry_after_seconds=7)))
    everything(server)
    assert set(pauses) == {7}
    assert unnamed
    assert set(unnamed) != {7}


def test_a_date_to_wait_for_is_of_the_servers_clock(desk: Server) -> None:
    ahead = 3600
    habits = Habits(busy_every=1, retry_after="date", retry_after_seconds=9, clock_skew_seconds=ahead)
    honest = parsedate_to_datetime(get(desk, "/agents").headers["Date"])
    desk.control(Control(habits=habits))
    reply = get(desk, "/agents")
    assert (reply.status_code, reply.text) == (429, "Retry later\n")
    now, later = (parsedate_to_datetime(reply.headers[name]) for name in ("Date", "Retry-After"))
    assert (later - now).total_seconds() == 9
    assert ahead - 5 < (now - honest).total_seconds() < ahead + 60


def test_a_skewed_clock_does_not_stretch_the_wait(
    desk: Server, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    habits = Habits(busy_every=2, retry_after="date", retry_after_seconds=9, clock_skew_seconds=86400)
    desk.control(Control(habits=habits))
    everything(desk)
    assert set(pauses) == {9}


def test_an_empty_page_in_the_middle_does_not_end_the_desk(desk: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    honest = everything(desk)
    desk.control(Control(habits=Habits(empty_page_every=2)))
    assert rows(desk, "conversation") == honest["conversation"]
    empty = [get(desk, "/conversations", status="all", page=1).json()["data"]["payload"] == [] for _ in range(4)]
    assert sorted(empty) == [False, False, True, True]


# Habits that must end in an error, never in fewer rows


@pytest.mark.parametrize(
    ("habits", "said"),
    [
        (Habits(expire_after=2), "refused"),
        (Habits(error_in_200_every=2), "Something went wrong"),
        (Habits(busy_every=1), "given up after"),
        (Habits(drop_every=1), "given up after"),
    ],
    ids=["expired", "error in 200", "always busy", "always dropped"],
)
def test_a_connector_fails_loudly_on(server: Server, habits: Habits, said: str) -> None:
    server.control(Control(habits=habits))
    with pytest.raises(SourceError, match=said):
        everything(server)


def test_credentials_expire_in_mid_run_and_can_be_renewed(desk: Server) -> None:
    desk.control(Control(habits=Habits(expire_after=2)))
    assert [get(desk, "/agents").status_code for _ in range(3)] == [200, 200, 401]
    desk.control(Control(renew=True))
    assert get(desk, "/agents").status_code == 200


@pytest.mark.parametrize("first_page", [0, 1])
def test_pages_can_be_numbered_from_0(desk: Server, monkeypatch: pytest.MonkeyPatch, first_page: int) -> None:
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    honest = rows(desk, "conversation")
    desk.control(Control(habits=Habits(first_page=first_page)))
    if first_page == 0:
        with pytest.raises(SourceError, match="check first_page"):
            rows(desk, "conversation")
    desk.settings["first_page"] = first_page
    assert rows(desk, "conversation") == honest


# Records that come late or change


def test_late_records_come_with_the_release(server: Server) -> None:
    late = "conversation" if system_of(server) == "chatwoot" else "chat"
    honest = everything(server)
    server.control(Control(habits=Habits(late_share=0.3)))
    early = rows(server, late)
    assert set(early) < set(honest[late])
    assert 0.5 < len(early) / len(honest[late]) < 0.9
    server.control(Control(release=True))
    assert everything(server) == honest


def test_amended_records_keep_their_key(server: Server) -> None:
    entity, field = ("csat_response", "rating") if system_of(server) == "chatwoot" else ("chat", "thumbs")
    key = SYSTEMS[system_of(server)].SYSTEM.entities[entity].key[0]

    def values() -> dict[int, int]:
        return {row[key]: row[field] for chunk in chunks(server, entity) for row in chunk.rows.to_pylist()}

    final = values()
    server.control(Control(habits=Habits(amended_share=1)))
    before = values()
    assert before.keys() == final.keys()
    assert set(before.values()) == {1 if field == "rating" else 0}
    server.control(Control(release=True))
    assert values() == final


# Control


def test_habits_are_switched_over_http(desk: Server) -> None:
    url = f"{desk.url}/_control"
    assert httpx.get(url).json() == Habits().model_dump()
    reply = httpx.post(url, json={"habits": {"busy_every": 1}})
    assert (reply.status_code, reply.json()["busy_every"]) == (200, 1)
    assert get(desk, "/agents").status_code == 429
    wrong = httpx.post(url, json={"habits": {"busy_evry": 1}})
    assert (wrong.status_code, "busy_evry" in wrong.text) == (400, True)
    assert httpx.post(desk.url + "/anything").status_code == 405
    assert httpx.post(url, json={"habits": {}}).json() == Habits().model_dump()


def test_requests_without_credentials_are_refused_as_the_system_does(server: Server) -> None:
    paths = {"chatwoot": "/api/v1/accounts/1/agents", "live_helper_chat": "/restapi/chats"}
    reply = httpx.get(server.url + paths[system_of(server)])
    assert (reply.status_code, "error" in reply.json()) == (401, True)


@pytest.mark.parametrize("system", SYSTEMS)
def test_declarations_name_what_the_module_gives(system: str, world: World) -> None:
    declared = declaration(system)
    records = importlib.import_module(f"kefu.simulation.serve.{system}").records(world)
    named = {route.records for route in declared.routes}
    assert named <= records.keys()
    assert {*declared.late, *declared.amended} <= named
    for name, fields in declared.amended.items():
        assert fields.keys() <= records[name][0].keys()
    assert declared.environment.keys() == set(re.findall(r"KEFU_\w+", str(declared.settings)))
    assert declared.environment.keys().isdisjoint(os.environ)


# Laws of the framework


@given(st.integers(0, 60), st.integers(1, 25), st.booleans(), st.sampled_from(["page", "offset", "after"]))
def test_pages_together_hold_every_record(count: int, size: int, duplicates: bool, kind: Any) -> None:
    records = [{"id": number} for number in range(1, count + 1)]
    paging = Paging(kind=kind, parameter="p", size=size)
    seen: list[int] = []
    for number in range(count + 2):
        place = {"page": number + 1, "offset": number * size, "after": max(seen, default=0)}[kind]
        page = cut_page(paging, records, {"p": str(place)}, Habits(duplicates=duplicates))
        assert len(page) <= size + duplicates
        seen += [record["id"] for record in page]
    assert set(seen) == set(range(1, count + 1))
    if not duplicates:
        assert len(seen) == count


@given(st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_keeps_who_was_chosen(number: int, share: float, other: float) -> None:
    small, large = sorted((share, other))
    assert not is_chosen(small, "late", number) or is_chosen(large, "late", number)
    assert is_chosen(1, "late", number)
    assert not is_chosen(0, "late", number)

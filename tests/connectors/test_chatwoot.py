"""The Chatwoot connector: a simulated desk, replies made by hand, and a badly behaved server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from connectors import http
from connectors.chatwoot import SYSTEM, Settings, api, client, read
from connectors.contract import Chunk, Context, SourceError, Window
from kefu.simulation.serve import Control, Habits, Server, serve
from tests.simulation.small_world import (
    BOT_FIRST,
    CHATS,
    LEFT,
    LONG,
    NAMESAKE,
    REOPENED,
    START,
    TRANSFERRED,
    small_world,
)

TOKEN = "a-token-that-nobody-may-see"
CONTEXT = Context(source_id="desk", time_zone="Asia/Shanghai", phone_region="CN", customer_secret=b"test secret")
BY_HAND = Settings(base_url="https://chat.example.com", account_id=1, token_env="DESK_TEST_TOKEN")
COUNTS = {"conversation": 70, "message": 777, "csat_response": 2, "agent": 4, "team": 2, "inbox": 2}

Answers = dict[str, Any]


@pytest.fixture(scope="module")
def desk() -> Iterator[Server]:
    with serve(small_world(), ["chatwoot"]) as servers:
        yield servers["chatwoot"]


@pytest.fixture
def server(desk: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The simulated desk, honest again after each test."""
    for name, value in desk.environment.items():
        monkeypatch.setenv(name, value)
    desk.requests.clear()
    yield desk
    desk.control(Control(habits=Habits(), renew=True))


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(http, "sleep", taken.append)
    return taken


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], None]:
    """Gives a function that sets the reply of each path; a function as reply gets the parameters."""

    def answer(answers: Answers) -> None:
        def ask(path: str, parameters: dict[str, Any]) -> Any:
            found = answers[path]
            return found(parameters) if callable(found) else found

        @contextmanager
        def account(_: Settings) -> Iterator[api.Ask]:
            yield ask

        monkeypatch.setattr(api, "account", account)

    return answer


@pytest.fixture
def transport(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[httpx.Request], httpx.Response]], None]:
    """Gives a function that puts a reply below the client, so that status and headers count."""
    monkeypatch.setenv("DESK_TEST_TOKEN", TOKEN)
    plain = httpx.Client

    def answer(reply: Callable[[httpx.Request], httpx.Response]) -> None:
        monkeypatch.setattr(
            httpx, "Client", lambda **options: plain(**options | {"transport": httpx.MockTransport(reply)})
        )

    return answer


def chunks(settings: Settings, entity: str, window: Window | None = None, context: Context = CONTEXT) -> list[Chunk]:
    return list(read(settings, SYSTEM.entities[entity], window, context))


def rows(server: Server, entity: str, window: Window | None = None) -> list[dict[str, Any]]:
    """The rows with their texts, by ascending key; fails on anything rejected or undeclared."""
    found = []
    for chunk in chunks(Settings.model_validate(server.settings), entity, window):
        assert (chunk.rejects, chunk.drift) == ([], {})
        texts = {name: values.to_pylist() for name, values in chunk.texts.items()}
        for index, row in enumerate(chunk.rows.to_pylist()):
            found.append(row | {f"plain {name}": values[index] for name, values in texts.items()})
    return sorted(found, key=lambda row: row[SYSTEM.entities[entity].key[0]])


def of(server: Server, conversation: int) -> list[dict[str, Any]]:
    return [row for row in rows(server, "message") if row["conversation_id"] == conversation]


def message(number: int = 1, **changes: Any) -> dict[str, Any]:
    sender = {"id": 9, "name": "王芳", "type": "user"}
    usual = {"id": number, "conversation_id": 1, "content": "hello", "message_type": 1, "content_type": "text",
             "private": False, "created_at": 1_790_000_000 + number, "status": "sent", "sender": sender}  # fmt: skip
    return usual | changes


def conversation(number: int = 1, **changes: Any) -> dict[str, Any]:
    usual = {"id": number, "status": "open", "inbox_id": 1, "created_at": 1_790_000_000, "labels": [], "messages": [],
             "timestamp": 1_790_000_100, "last_activity_at": 1_790_000_100, "meta": {"sender": {"id": 3}}}  # fmt: skip
    return usual | changes


def listed(*found: dict[str, Any], total: int | None = None) -> dict[str, Any]:
    return {"data": {"meta": {"all_count": len(found) if total is None else total}, "payload": list(found)}}


def spoken(by_hand: Callable[[Answers], None], *messages: dict[str, Any]) -> list[dict[str, Any]]:
    """What the connector makes of messages of one conversation."""

    def after(parameters: dict[str, Any]) -> dict[str, Any]:
        return {"payload": [message for message in messages if message["id"] > parameters["after"]]}

    shown = conversation(messages=[messages[-1]])
    by_hand({"conversations": listed(shown), "conversations/1/messages": after})
    (chunk,) = chunks(BY_HAND, "message")
    assert chunk.rejects == []
    return chunk.rows.to_pylist()


# What a desk delivers


@pytest.mark.parametrize(("entity", "count"), COUNTS.items())
def test_every_record_arrives_and_every_field_is_accounted_for(server: Server, entity: str, count: int) -> None:
    found = rows(server, entity)
    assert len(found) == count
    assert len({row[SYSTEM.entities[entity].key[0]] for row in found}) == count


def test_the_table_of_entities_is_complete() -> None:
    assert COUNTS.keys() == SYSTEM.entities.keys()
    readme = Path(client.__file__).with_name("README.md").read_text(encoding="utf-8")
    table = set(re.findall(r"^\| `(\w+)` \|", readme, re.M))
    assert table == SYSTEM.entities.keys()
    assert all(f"`{name}`" in readme for name in SYSTEM.cannot)


def test_a_conversation_is_what_the_server_holds(server: Server) -> None:
    by_number = {row["conversation_id"]: row for row in rows(server, "conversation")}
    transferred = by_number[TRANSFERRED]
    started_at = START + timedelta(minutes=10 * TRANSFERRED)
    assert {name: transferred[name] for name in ("status", "inbox_id", "team_id", "assignee_id", "labels")} == {
        "status": "resolved", "inbox_id": 1, "team_id": 2, "assignee_id": 42, "labels": "refund",
    }  # fmt: skip
    assert transferred["started_at"] == started_at
    assert transferred["first_reply_at"] == started_at + timedelta(seconds=30)
    assert transferred["last_activity_at"] == transferred["updated_at"] == started_at + timedelta(seconds=400)
    assert by_number[LEFT]["assignee_id"] is None
    assert sorted(by_number) == list(CHATS)


def test_authors_notes_and_the_bot(server: Server) -> None:
    kinds = [(row["author_kind"], row["is_private"], row["sender_id"]) for row in of(server, BOT_FIRST)]
    assert kinds == [
        ("customer", False, BOT_FIRST),
        ("bot", False, 1),
        ("customer", False, BOT_FIRST),
        ("bot", False, 1),
        ("system", False, None),
        ("system", False, None),
        ("agent", False, 42),
        ("system", False, None),
    ]
    notes = [row for row in rows(server, "message") if row["is_private"]]
    assert {(row["author_kind"], row["sender_id"]) for row in notes} == {("agent", 42)}


def test_who_owned_what_is_an_event(server: Server) -> None:
    def events(number: int) -> list[tuple[Any, ...]]:
        names = ("event_type", "event_actor", "event_target", "event_team")
        return [tuple(row[name] for name in names) for row in of(server, number) if row["event_type"]]

    # The name of the target holds the word that stands between target and actor.
    assert events(TRANSFERRED) == [
        ("self_assign", "王芳", None, None),
        ("assign_via_team", "王芳", "Ann by Night", "Delivery"),
        ("resolve", "Ann by Night", None, None),
    ]
    assert events(REOPENED) == [
        ("self_assign", "王芳", None, None),
        ("resolve", "王芳", None, None),
        ("open", None, None, None),
        ("unassign", "Automation System", None, None),
        ("self_assign", "Ann by Night", None, None),
        ("resolve", "Ann by Night", None, None),
    ]
    assert events(LEFT) == [("resolve_by_customer", None, None, None)]
    assert events(NAMESAKE)[1] == ("assign", "李伟", "李伟", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Assigned to Night by Day by Bo", ("assign", "Bo", "Night by Day", None)),
        ("Unassigned from VIP by Bo", ("unassign_team", "Bo", None, "VIP")),
        (
            "Conversation was marked resolved by system due to 3 days of inactivity",
            ("resolve_by_system", None, None, None),
        ),
        ("Conversation was marked resolved by Bo", ("resolve", "Bo", None, None)),
        ("Conversation was reopened by Secret Customer", ("open", None, None, None)),
        ("Conversation was resolved by Secret Customer", ("resolve_by_customer", None, None, None)),
        ("Conversation was marked as pending by Bo", ("pending", None, None, None)),
        ("Bo set the priority to high", ("other_system", None, None, None)),
        ("王芳 自行分配这次会话", ("self_assign", "王芳", None, None)),
        ("由 李伟 分配给 王芳", ("assign", "王芳", "李伟", None)),
        ("由 李伟 分配给 物流 团队的 王芳", ("assign_via_team", "王芳", "李伟", "物流")),
        ("对话被标记由 王芳 解决", ("resolve", "王芳", None, None)),
        ("对话被系统标记为已解决, 原因是 3 天不活跃", ("resolve_by_system", None, None, None)),
        ("对话被 秘密 重新打开", ("open", None, None, None)),
        ("对话未被 王芳 分配", ("unassign", "王芳", None, None)),
        ("王芳 將對話指派給自己", ("self_assign", "王芳", None, None)),
        ("被王芳分配給李偉。", ("assign", "王芳", "李偉", None)),
        ("被王芳標記的對話已解決。", ("resolve", "王芳", None, None)),
        ("被秘密恢復對話。", ("open", None, None, None)),
        (None, ("other_system", None, None, None)),
    ],
)
def test_activities_are_read_in_three_languages(
    by_hand: Callable[[Answers], None], text: str | None, expected: tuple[str | None, ...]
) -> None:
    (row,) = spoken(by_hand, message(content=text, message_type=2, sender=None))
    assert tuple(row[f"event_{name}"] for name in ("type", "actor", "target", "team")) == expected


def test_only_an_activity_is_an_event(by_hand: Callable[[Answers], None]) -> None:
    (row,) = spoken(by_hand, message(content="Bo self-assigned this conversation"))
    assert (row["author_kind"], row["event_type"]) == ("agent", None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"message_type": 0, "sender": {"id": 3, "type": "contact"}}, ("customer", 3)),
        ({"message_type": 1, "sender": {"id": 9, "type": "user"}}, ("agent", 9)),
        ({"message_type": 1, "sender": {"id": 2, "type": "agent_bot"}}, ("bot", 2)),
        ({"message_type": 1, "sender": None}, ("bot", None)),
        ({"message_type": 3, "sender": None}, ("system", None)),
    ],
)
def test_who_wrote_is_told_by_type_and_sender(
    by_hand: Callable[[Answers], None], changes: dict[str, Any], expected: tuple[str, int | None]
) -> None:
    (row,) = spoken(by_hand, message(**changes))
    assert (row["author_kind"], row["sender_id"]) == expected


def test_epoch_zero_is_null_and_fractions_stay(by_hand: Callable[[Answers], None]) -> None:
    by_hand(
        {"conversations": listed(conversation(first_reply_created_at=0, waiting_since=0, updated_at=1790000100.25))}
    )
    (chunk,) = chunks(BY_HAND, "conversation")
    (row,) = chunk.rows.to_pylist()
    assert row["first_reply_at"] is row["waiting_since"] is None
    assert row["updated_at"] == datetime.fromtimestamp(1790000100.25, UTC)


def test_a_bot_that_owns_a_conversation_is_no_agent(by_hand: Callable[[Answers], None]) -> None:
    meta = {"sender": {"id": 3}, "assignee": {"id": 1}, "assignee_type": "AgentBot"}
    by_hand({"conversations": listed(conversation(meta=meta))})
    assert chunks(BY_HAND, "conversation")[0].rows["assignee_id"].to_pylist() == [None]


def test_an_older_server_tells_the_last_activity_as_timestamp(by_hand: Callable[[Answers], None]) -> None:
    old = {name: value for name, value in conversation().items() if name != "last_activity_at"}
    by_hand({"conversations": listed(old)})
    assert chunks(BY_HAND, "conversation")[0].rows["last_activity_at"].to_pylist() == [
        datetime.fromtimestamp(1_790_000_100, UTC)
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rating": 6}, "rating"),
        ({"rating": "good"}, "rating"),
        ({"created_at": "yesterday"}, "answered_at"),
        ({"conversation_id": None}, "conversation_id"),
    ],
)
def test_a_broken_record_is_rejected_alone(
    by_hand: Callable[[Answers], None], changes: dict[str, Any], field: str
) -> None:
    good = {"id": 1, "conversation_id": 1, "rating": 5, "created_at": 1_790_000_000}
    by_hand(
        {
            "csat_survey_responses": [good, good | {"id": 2} | changes],
            "csat_survey_responses/metrics": {"total_count": 2},
        }
    )
    (chunk,) = chunks(BY_HAND, "csat_response")
    assert chunk.rows["csat_response_id"].to_pylist() == [1]
    assert [(reject.locator, reject.field) for reject in chunk.rejects] == [("csat_response 2", field)]


def test_a_new_field_is_drift(by_hand: Callable[[Answers], None]) -> None:
    by_hand({"teams": [{"id": 1, "name": "VIP", "mood": "good"}]})
    (chunk,) = chunks(BY_HAND, "team")
    assert chunk.drift == {("mood", "string"): 1}


def test_nothing_personal_is_stored(server: Server) -> None:
    stored = "".join(
        str(chunk.rows.to_pylist())
        for entity in SYSTEM.entities
        for chunk in chunks(Settings.model_validate(server.settings), entity)
    )
    assert "refund" in stored
    for personal in ("Customer 3", "customer3@example.com", "13800000003", "谢谢", "你好", "user1@desk.example"):
        assert personal not in stored
    phones = {row["phone_key"] for row in rows(server, "conversation")}
    assert len(phones) == len(CHATS)


def test_text_that_is_not_kept_is_not_delivered(server: Server) -> None:
    context = Context("desk", "Asia/Shanghai", "CN", b"test secret", keep_text=False)
    found = chunks(Settings.model_validate(server.settings), "message", context=context)
    assert all(chunk.texts == {} for chunk in found)
    assert all(min(chunk.rows["text_length"].to_pylist()) > 0 for chunk in found)


# Windows and paging


def test_a_window_includes_its_start_and_excludes_its_end(server: Server) -> None:
    instants = sorted({row["sent_at"] for row in rows(server, "message")})
    first, last = instants[20], instants[60]
    found = {row["sent_at"] for row in rows(server, "message", Window(first, last))}
    assert found == {instant for instant in instants if first <= instant < last}


@pytest.mark.parametrize("entity", ["conversation", "message", "csat_response"])
def test_windows_side_by_side_give_every_record_once(server: Server, entity: str) -> None:
    ends = [START + timedelta(hours=hours) for hours in (-1, 0, 1, 2, 5, 9, 24)]
    keys = [
        row[SYSTEM.entities[entity].key[0]]
        for start, end in pairwise(ends)
        for row in rows(server, entity, Window(start, end))
    ]
    assert sorted(keys) == [row[SYSTEM.entities[entity].key[0]] for row in rows(server, entity)]


def test_a_window_reads_no_page_and_no_conversation_it_does_not_need(server: Server) -> None:
    latest = sorted(row["last_activity_at"] for row in rows(server, "conversation"))
    server.requests.clear()
    window = Window(latest[-3], latest[-1] + timedelta(seconds=1))
    assert len(rows(server, "conversation", window)) == 3
    assert len(server.requests) == 2
    server.requests.clear()
    rows(server, "message", window)
    assert sum(path.endswith("/messages") for path, _ in server.requests) == 3


def test_a_long_conversation_is_read_to_its_end(server: Server) -> None:
    found = of(server, LONG)
    assert len(found) == 243
    asked = [query["after"] for path, query in server.requests if path.endswith(f"/{LONG}/messages")]
    assert asked == ["0", str(found[99]["message_id"]), str(found[199]["message_id"])]


def test_every_conversation_is_asked_for_not_only_open_ones(server: Server) -> None:
    rows(server, "conversation")
    assert {query["status"] for _, query in server.requests} == {"all"}


def test_messages_that_end_too_early_are_an_error(by_hand: Callable[[Answers], None]) -> None:
    by_hand(
        {
            "conversations": listed(conversation(messages=[message(7)])),
            "conversations/1/messages": lambda asked: {"payload": [message(3)] if asked["after"] < 3 else []},
        }
    )
    with pytest.raises(SourceError, match=r"messages end at 3, but the list of conversations showed 7"):
        chunks(BY_HAND, "message")


def test_a_list_that_shows_no_message_is_read_until_nothing_comes(by_hand: Callable[[Answers], None]) -> None:
    def after(asked: dict[str, Any]) -> dict[str, Any]:
        return {"payload": [message(number) for number in range(1, 251) if number > asked["after"]][:100]}

    by_hand({"conversations": listed(conversation()), "conversations/1/messages": after})
    assert sum(chunk.rows.num_rows for chunk in chunks(BY_HAND, "message")) == 250


def test_what_moves_to_the_front_while_paging_is_found(by_hand: Callable[[Answers], None]) -> None:
    order = list(range(1, 61))

    def page(asked: dict[str, Any]) -> dict[str, Any]:
        found = [conversation(number) for number in order[25 * (asked["page"] - 1) : 25 * asked["page"]]]
        if asked["page"] == 1:
            # Somebody writes in the last conversation after the first page was read.
            order.insert(0, order.pop())
        return listed(*found, total=60)

    by_hand({"conversations": page})
    found = chunks(BY_HAND, "conversation")
    numbers = [number for chunk in found for number in chunk.rows["conversation_id"].to_pylist()]
    assert sorted(numbers) == list(range(1, 61))
    assert sum(chunk.filtered.get("duplicate_across_pages", 0) for chunk in found) > 0


def test_fewer_records_than_the_server_counts_are_an_error(by_hand: Callable[[Answers], None]) -> None:
    by_hand({"conversations": lambda asked: listed(*[conversation(1)] * (asked["page"] == 1), total=3)})
    with pytest.raises(SourceError, match=r"counts 3 records but gave 1 in 3 passes"):
        chunks(BY_HAND, "conversation")
    by_hand({"csat_survey_responses": [], "csat_survey_responses/metrics": {"total_count": 1}})
    with pytest.raises(SourceError, match=r"counts 1 records but gave 0"):
        chunks(BY_HAND, "csat_response")


def test_reaching_the_page_cap_is_an_error(server: Server) -> None:
    settings = Settings.model_validate(server.settings | {"max_pages": 2})
    with pytest.raises(SourceError, match=r"2 pages read and still no end"):
        chunks(settings, "conversation")


def test_an_empty_account_is_empty(by_hand: Callable[[Answers], None]) -> None:
    by_hand({"conversations": listed(), "teams": []})
    assert (
        sum(chunk.rows.num_rows for entity in ("conversation", "message", "team") for chunk in chunks(BY_HAND, entity))
        == 0
    )


def test_many_records_come_in_several_chunks(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(server, "message")
    monkeypatch.setattr(client, "CHUNK_RECORDS", 200)
    assert len(chunks(Settings.model_validate(server.settings), "message")) == 4
    assert rows(server, "message") == whole


# A badly behaved server


def test_a_busy_server_is_asked_again_for_longer_than_a_minute(
    transport: Callable[..., None], pauses: list[float]
) -> None:
    transport(lambda request: httpx.Response(429, text="Retry later\n"))
    with pytest.raises(SourceError, match=r"teams: given up after 8 attempts, last answer: HTTP 429;"):
        chunks(BY_HAND, "team")
    assert len(pauses) == 7
    assert sum(pauses) > 60


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 01 Oct 2026 08:00:07 GMT", "Date": "Thu, 01 Oct 2026 08:00:00 GMT"}, 7),
        ({"Retry-After": "Thu, 01 Oct 2026 07:00:00 GMT", "Date": "Thu, 01 Oct 2026 08:00:00 GMT"}, 0),
    ],
)
def test_the_time_a_server_names_is_waited(
    transport: Callable[..., None], pauses: list[float], headers: dict[str, str], pause: int
) -> None:
    replies = iter([httpx.Response(503, headers=headers), httpx.Response(200, json=[])])
    transport(lambda request: next(replies))
    chunks(BY_HAND, "team")
    assert pauses == [pause]


def test_a_wait_beyond_the_limit_is_not_waited_for(transport: Callable[..., None], pauses: list[float]) -> None:
    transport(lambda request: httpx.Response(429, headers={"Retry-After": "600"}))
    with pytest.raises(SourceError, match=r"after 1 attempts, last answer: HTTP 429 and asks to wait 600 s"):
        chunks(BY_HAND, "team")
    assert pauses == []


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (httpx.Response(401, json={"error": "Invalid Access Token"}), "token of DESK_TEST_TOKEN was refused"),
        (httpx.Response(403, json={"error": "forbidden"}), "must be an administrator of account 1"),
        (httpx.Response(404, json={"error": "Resource could not be found"}), "Resource could not be found"),
        (httpx.Response(200, json={"error": "broken", "errors": ["x"]}), "without a usable answer: broken"),
        (httpx.Response(200, json={"message": "hello"}), "without 'payload'"),
        (httpx.Response(200, text="<html>Sign in</html>"), "HTTP 200 without a usable answer"),
    ],
    ids=["401", "403", "404", "error in 200", "other JSON", "HTML"],
)
def test_an_error_in_any_clothing_is_an_error(
    transport: Callable[..., None], response: httpx.Response, said: str
) -> None:
    transport(lambda request: response)
    with pytest.raises(SourceError, match=said) as raised:
        chunks(BY_HAND, "inbox")
    assert TOKEN not in str(raised.value)


def test_a_token_that_ends_in_mid_run_gives_no_short_result(server: Server) -> None:
    server.control(Control(habits=Habits(expire_after=2), renew=True))
    delivered = []
    with pytest.raises(SourceError, match=r"HTTP 401, the token of KEFU_SIMULATED_CHATWOOT_TOKEN was refused"):
        delivered += read(Settings.model_validate(server.settings), SYSTEM.entities["conversation"], None, CONTEXT)
    assert delivered == []
    assert len(server.requests) == 3


def test_the_token_travels_in_its_header_only(transport: Callable[..., None]) -> None:
    seen: list[httpx.Request] = []

    def reply(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    transport(reply)
    chunks(BY_HAND, "agent")
    (request,) = seen
    assert request.headers["api_access_token"] == TOKEN
    assert str(request.url) == "https://chat.example.com/api/v1/accounts/1/agents"


def test_a_missing_token_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_TEST_TOKEN", raising=False)
    with pytest.raises(SourceError, match="DESK_TEST_TOKEN is not set"):
        chunks(BY_HAND, "team")


# Settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "https://me:geheim@chat.example.com"}, "put the token into the variable"),
        ({"base_url": "http://chat.example.com"}, "must begin with https://"),
        ({"account_id": 0}, "greater than or equal to 1"),
        ({"first_page": 2}, "less than or equal to 1"),
        ({"token": "geheim"}, "Extra inputs are not permitted"),
        ({"base_url_env": "DESK_URL"}, "exactly one of base_url and base_url_env"),
    ],
)
def test_wrong_settings_are_refused_without_showing_a_secret(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        Settings.model_validate(BY_HAND.model_dump() | options)
    assert "geheim" not in str(raised.value)


def test_the_address_can_stand_in_a_variable(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {name: value for name, value in server.settings.items() if name != "base_url"}
    with pytest.raises(ValidationError, match="exactly one of base_url and base_url_env"):
        Settings.model_validate(options)
    settings = Settings.model_validate(options | {"base_url_env": "DESK_TEST_URL"})
    with pytest.raises(SourceError, match="DESK_TEST_URL is not set"):
        chunks(settings, "team")
    monkeypatch.setenv("DESK_TEST_URL", server.url + "/")
    assert sum(chunk.rows.num_rows for chunk in chunks(settings, "team")) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://me:geheim@chat.example.com", "holds credentials: put the token into the variable of token_env"),
        ("https://me:geheim@chat.example.com:port", "cannot be parsed; expected https://host"),
        ("https://geheim.example.com\n", "cannot be parsed; expected https://host"),
        ("https://geheim.example.com ", "cannot be used; expected https://host, or https://host:port"),
        ("https://geheim.example.com:99999", "cannot be used; expected https://host, or https://host:port"),
        ("https:///geheim", "cannot be used; expected https://host, or https://host:port"),
        ("http://geheim.example.com", r"must begin with https:// \(http:// is for this machine only\)"),
        ("geheim", "must begin with https://"),
    ],
)
def test_a_wrong_address_in_a_variable_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, address: str, message: str
) -> None:
    monkeypatch.setenv("DESK_TEST_TOKEN", TOKEN)
    monkeypatch.setenv("DESK_TEST_URL", address)
    settings = Settings(base_url_env="DESK_TEST_URL", account_id=1, token_env="DESK_TEST_TOKEN")
    with pytest.raises(SourceError, match=f"environment variable DESK_TEST_URL: the address {message}") as raised:
        chunks(settings, "team")
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None
    with pytest.raises(ValidationError, match=message) as refused:
        Settings.model_validate(BY_HAND.model_dump() | {"base_url": address})
    assert "geheim" not in str(refused.value)


def test_an_option_that_is_null_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {"account_id": 1, "token_env": "DESK_TEST_TOKEN"}
    settings = Settings.model_validate(usual | {"base_url": None, "base_url_env": "DESK_TEST_URL"})
    monkeypatch.delenv("DESK_TEST_URL", raising=False)
    with pytest.raises(SourceError, match="DESK_TEST_URL is not set; it must hold the base address of the server"):
        settings.address()
    monkeypatch.setenv("DESK_TEST_URL", "https://chat.example.com/")
    assert settings.address() == "https://chat.example.com"
    other = Settings.model_validate(usual | {"base_url": "https://chat.example.com", "base_url_env": None})
    assert other.address() == settings.address()
    with pytest.raises(ValidationError, match="exactly one of base_url and base_url_env"):
        Settings.model_validate(usual | {"base_url": None, "base_url_env": None})

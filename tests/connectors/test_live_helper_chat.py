"""The Live Helper Chat connector against its recordings: both ways of access, and a badly behaved server."""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from zoneinfo import ZoneInfo

import pymysql
import pytest
from pydantic import ValidationError

from connectors import http
from connectors.contract import Chunk, Context, SourceError, Window
from connectors.live_helper_chat import SYSTEM, Settings, database, read
from kefu.simulation.serve import Control, Habits, Server, serve
from tests.connectors.fake_live_helper_chat import KEY, USER, FakeServer, Reply, serving
from tests.simulation.small_world import small_world

SAMPLES = Path(__file__).parents[2] / "samples/live_helper_chat"
SQLITE = Settings(url=f"sqlite:///{SAMPLES / 'lhc.sqlite3'}")
CONTEXT = Context(source_id="chat", time_zone="Europe/Berlin", phone_region="DE", customer_secret=b"test secret")
TABLES = {
    "chat": "lh_chat",
    "message": "lh_msg",
    "participant": "lh_chat_participant",
    "survey_item": "lh_abstract_survey_item",
    "survey": "lh_abstract_survey",
    "user": "lh_users",
    "department": "lh_departament",
    "user_department": "lh_userdep",
}
BY_REST = ("chat", "message", "survey_item", "user", "department")
ONLY_BY_REST = ("agent_statistic",)


def recorded(table: str) -> list[dict[str, str]]:
    with (SAMPLES / f"tables/{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chunks(settings: Settings, entity: str, window: Window | None = None, context: Context = CONTEXT) -> list[Chunk]:
    return list(read(settings, SYSTEM.entities[entity], window, context))


def rows(settings: Settings, entity: str, window: Window | None = None) -> list[dict[str, Any]]:
    """The rows with their texts, by ascending key; fails on anything rejected."""
    found = []
    for chunk in chunks(settings, entity, window):
        assert chunk.rejects == []
        texts = {name: values.to_pylist() for name, values in chunk.texts.items()}
        for index, row in enumerate(chunk.rows.to_pylist()):
            found.append(row | {f"plain {name}": values[index] for name, values in texts.items()})
    return sorted(found, key=lambda row: row[SYSTEM.entities[entity].key[0]])


def instant(epoch: int | str) -> datetime:
    return datetime.fromtimestamp(int(epoch), UTC)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.setenv("LHC_TEST_USER", USER)
    monkeypatch.setenv("LHC_TEST_KEY", KEY)
    with serving() as fake:
        yield fake


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, in seconds, recorded instead of slept."""
    taken: list[float] = []
    monkeypatch.setattr(http, "sleep", taken.append)
    return taken


def by_rest(server: FakeServer, **options: Any) -> Settings:
    access = {"base_url": server.url, "user_env": "LHC_TEST_USER", "key_env": "LHC_TEST_KEY"} | options
    return Settings.model_validate({"rest": access})


@pytest.fixture
def copy(tmp_path: Path) -> tuple[Settings, sqlite3.Connection]:
    """A copy of the recorded database that a test may change."""
    path = tmp_path / "copy.sqlite3"
    shutil.copyfile(SAMPLES / "lhc.sqlite3", path)
    return Settings(url=f"sqlite:///{path}"), sqlite3.connect(path, isolation_level=None)


# What was recorded


@pytest.mark.parametrize(
    ("entity", "count"),
    [
        ("chat", 256),
        ("message", 2340),
        ("participant", 479),
        ("survey_item", 97),
        ("survey", 1),
        ("user", 13),
        ("department", 3),
        ("user_department", 17),
    ],
)
def test_every_record_arrives_and_every_column_is_accounted_for(entity: str, count: int) -> None:
    (chunk,) = chunks(SQLITE, entity)
    assert chunk.rows.num_rows == count == len(recorded(TABLES[entity]))
    assert (chunk.rejects, chunk.filtered, chunk.drift) == ([], {}, {})
    assert chunk.rows.schema == SYSTEM.entities[entity].stored_schema()


def test_the_table_of_entities_is_complete() -> None:
    assert {*TABLES, *ONLY_BY_REST} == set(SYSTEM.entities)
    assert SYSTEM.assignment_mode == "self_accept"


@pytest.mark.parametrize("entity", BY_REST)
def test_database_and_rest_give_the_same_rows(server: FakeServer, entity: str) -> None:
    from_database, from_rest = rows(SQLITE, entity), rows(by_rest(server, page_size=70), entity)
    assert len(from_rest) == len(recorded(TABLES[entity]))
    differing = Counter(
        name for left, right in zip(from_database, from_rest, strict=True) for name in left if left[name] != right[name]
    )
    assert differing == {}
    assert [set(row) for row in from_database] == [set(row) for row in from_rest]


@pytest.mark.parametrize("entity", sorted(set(TABLES) - set(BY_REST)))
def test_entities_that_rest_does_not_serve_yield_nothing(server: FakeServer, entity: str) -> None:
    assert chunks(by_rest(server), entity) == []
    assert server.requests == []


def test_the_statistics_of_the_server_are_counted_by_local_day_and_operator(server: FakeServer) -> None:
    """What the API counts for a day is what the tables hold: owners of all chats, participants of the closed ones."""
    found = rows(by_rest(server), "agent_statistic")
    assert {row["day_end"] - row["day_start"] for row in found} == {timedelta(days=1)}
    counted: dict[str, Counter[tuple[str, int]]] = {"chat_count": Counter(), "participation_count": Counter()}
    for row in found:
        for name, counts in counted.items():
            counts[row["day_start"].isoformat(), row["user_id"]] += row[name]

    def day(epoch: str) -> str:
        local = instant(epoch).astimezone(ZoneInfo("Europe/Berlin"))
        return local.replace(hour=0, minute=0, second=0).astimezone(UTC).isoformat()

    owned = Counter((day(chat["time"]), int(chat["user_id"])) for chat in recorded("lh_chat") if chat["user_id"] != "0")
    wrote = Counter(
        (day(part["time"]), int(part["user_id"]))
        for part in recorded("lh_chat_participant")
        if int(part["user_id"]) > 0
    )
    assert +counted["chat_count"] == owned and owned.total() > 200
    assert +counted["participation_count"] == wrote and wrote.total() > 200
    asked = [parameters for path, parameters in server.requests if path == "/restapi/agentstatistic"]
    assert len(asked) == len({row["day_start"] for row in found}) == len({start for start, _ in owned})


def test_a_window_holds_the_statistics_of_the_days_that_begin_in_it(server: FakeServer) -> None:
    start = datetime(2026, 11, 3, 12, tzinfo=UTC)
    found = rows(by_rest(server), "agent_statistic", Window(start, start + timedelta(days=2)))
    assert {row["day_start"].isoformat() for row in found} == {"2026-11-03T23:00:00+00:00", "2026-11-04T23:00:00+00:00"}


def test_the_tables_hold_no_statistics() -> None:
    assert chunks(SQLITE, "agent_statistic") == []


def test_a_chat_is_what_the_server_recorded() -> None:
    found = {row["chat_id"]: row for row in rows(SQLITE, "chat")}
    for source in recorded("lh_chat"):
        row = found[int(source["id"])]
        assert (row["started_at"], row["status"], row["user_id"]) == (
            instant(source["time"]),
            int(source["status"]),
            int(source["user_id"]),
        )
        numbers = {
            "status_sub": "status_sub",
            "status_sub_sub": "status_sub_sub",
            "department_id": "dep_id",
            "wait_seconds": "wait_time",
            "chat_duration_seconds": "chat_duration",
            "first_response_seconds": "frt",
            "average_response_seconds": "aart",
            "maximum_response_seconds": "mart",
            "thumbs": "fbst",
            "bot_id": "gbot_id",
        }
        assert {name: row[name] for name in numbers} == {name: int(source[column]) for name, column in numbers.items()}
        for name, column in (
            ("closed_at", "cls_time"),
            ("visitor_closed_at", "user_closed_ts"),
            ("last_user_message_at", "last_user_msg_time"),
            ("last_operator_message_at", "last_op_msg_time"),
        ):
            assert row[name] == (None if source[column] == "0" else instant(source[column]))
        assert row["unanswered_chat"] is (source["unanswered_chat"] == "1")
    assert Counter(row["status"] for row in found.values()) == {0: 5, 1: 7, 2: 244}
    assert Counter(row["thumbs"] for row in found.values()) == {0: 232, 1: 18, 2: 6}


def test_epoch_zero_is_null_and_never_1970() -> None:
    found = rows(SQLITE, "chat")
    assert sum(row["closed_at"] is None for row in found) == 12
    assert sum(row["visitor_closed_at"] is None for row in found) == 128
    assert sum(row["last_operator_message_at"] is None for row in found) == 33
    instants = [value for row in found for value in row.values() if isinstance(value, datetime)]
    assert len(instants) == 256 * 6 - 12 - 128 - 33
    assert min(instants) == instant(1793576173)


def test_authors_and_the_auto_responder() -> None:
    found = rows(SQLITE, "message")
    assert Counter(row["author_kind"] for row in found) == {"customer": 847, "agent": 807, "system": 430, "bot": 256}
    started = {row["chat_id"]: row["started_at"] for row in rows(SQLITE, "chat")}
    welcomes = [row for row in found if row["author_kind"] == "bot"]
    assert {row["sent_at"] - started[row["chat_id"]] for row in welcomes} == {timedelta(seconds=1)}
    assert {row["chat_id"] for row in welcomes} == set(started)


def test_whispers_are_the_operators_messages_that_customers_never_see() -> None:
    whispers = [row for row in rows(SQLITE, "message") if row["is_whisper"]]
    assert [row["message_id"] for row in whispers] == [
        int(source["id"]) for source in recorded("lh_msg") if source["meta_msg"] == '{"content":{"whisper":true}}'
    ]
    assert len(whispers) == 43
    assert {row["author_kind"] for row in whispers} == {"agent"}


def test_every_system_message_is_a_typed_event() -> None:
    def by_hand(text: str) -> tuple[str, str | None]:
        if "!transferforce" in text:
            return "transfer", text[len("[b]") : text.index("[/b]")]
        if text.startswith("[b]"):
            return "note", text[len("[b]") : text.index("[/b]")]
        if text == "Visitor has closed the chat explicitly!":
            return "close_by_visitor", None
        return "close_by_agent", text.removesuffix(" has closed the chat!")

    found = {row["message_id"]: (row["event_type"], row["event_actor"]) for row in rows(SQLITE, "message")}
    expected = {
        int(source["id"]): by_hand(source["msg"]) if source["user_id"] == "-1" else (None, None)
        for source in recorded("lh_msg")
    }
    assert found == expected
    assert Counter(event for event, _ in found.values() if event) == {
        "transfer": 36,
        "note": 22,
        "close_by_visitor": 128,
        "close_by_agent": 244,
    }


def test_actors_are_display_names_and_targets_user_names_of_operators() -> None:
    users = rows(SQLITE, "user")
    found = rows(SQLITE, "message")
    assert {row["event_actor"] for row in found} - {None} == {row["display_name"] for row in users}
    assert {row["event_target"] for row in found} - {None} <= {row["username"] for row in users}
    # The supervisor has no chat nickname: the server then writes first and last name.
    assert [row["display_name"] for row in users if row["username"] == "admin"] == ["Lena Brandt"]


def test_transfers_come_as_chains_with_actor_and_target() -> None:
    chains: dict[int, list[tuple[str, str]]] = {}
    for row in rows(SQLITE, "message"):
        if row["event_type"] == "transfer":
            chains.setdefault(row["chat_id"], []).append((row["event_actor"], row["event_target"]))
    assert len(chains) == 32
    assert {chat: steps for chat, steps in chains.items() if len(steps) > 1} == {
        39: [("Bao", "agent1005"), ("芳", "agent1008")],
        101: [("Dmitri", "agent1010"), ("Ines", "agent1002")],
        179: [("Alice", "agent1012"), ("Kira", "agent1003")],
        229: [("Jonas", "agent1012"), ("Kira", "agent1001")],
    }
    user_ids = {row["username"]: row["user_id"] for row in rows(SQLITE, "user")}
    chats = {row["chat_id"]: row for row in rows(SQLITE, "chat")}
    assert set(chains) == {chat_id for chat_id, chat in chats.items() if chat["status_sub_sub"] == 1}
    assert all(chats[chat_id]["user_id"] == user_ids[steps[-1][1]] for chat_id, steps in chains.items())


def test_system_text_the_connector_does_not_know_stays_visible(copy: tuple[Settings, sqlite3.Connection]) -> None:
    settings, connection = copy
    texts = {
        1: "[b]Bao[/b]: !transferforce nobody || User could not be found",
        2: "[b]Bao[/b]: first line\nsecond line",
        3: "[b]Bao[/b]: !unknowncommand",
        4: "Bao hat den Chat geschlossen!",
        5: "Farah (2) has closed the chat!",
    }
    for message_id, text in texts.items():
        connection.execute("UPDATE lh_msg SET user_id = -1, msg = ? WHERE id = ?", (text, message_id))
    # The same words by a visitor are words, not an event.
    connection.execute("UPDATE lh_msg SET user_id = 0, msg = 'Bao has closed the chat!' WHERE id = 6")
    found = {row["message_id"]: row for row in rows(settings, "message")}
    assert [(found[n]["event_type"], found[n]["event_actor"], found[n]["event_target"]) for n in range(1, 7)] == [
        ("other_system", None, None),
        ("note", "Bao", None),
        ("other_system", None, None),
        ("other_system", None, None),
        ("close_by_agent", "Farah (2)", None),
        (None, None, None),
    ]


def test_an_author_of_no_known_kind_is_rejected_with_a_remedy(copy: tuple[Settings, sqlite3.Connection]) -> None:
    settings, connection = copy
    connection.execute("UPDATE lh_msg SET user_id = -7 WHERE id = 12")
    (chunk,) = chunks(settings, "message")
    (reject,) = chunk.rejects
    assert (reject.locator, reject.field, reject.found) == ("lh_msg id 12", "author_kind", "'-7'")
    assert reject.expected == "one of customer, agent, system, bot"
    assert chunk.rows.num_rows == 2339


def test_line_breaks_and_emoji_survive_in_the_text_and_count_as_characters(server: FakeServer) -> None:
    for settings in (SQLITE, by_rest(server)):
        found = Counter((row["plain text"], row["text_length"]) for row in rows(settings, "message"))
        assert found["refund please\nsecond line of the message", 40] == 29
        assert found["The app crashes when I upload a photo 😡", 39] == 28
        assert found["👍", 1] == 60


def test_free_survey_answers_are_text_and_stars_are_numbers(copy: tuple[Settings, sqlite3.Connection]) -> None:
    settings, connection = copy
    connection.execute("UPDATE lh_abstract_survey_item SET question_plain_3 = 'third' WHERE id IN (1, 2)")
    found = {row["survey_item_id"]: row for row in rows(settings, "survey_item")}
    assert found[1]["plain question_plain"] == "could not help me, calling now\nthird"
    assert found[2]["plain question_plain"] == "third"
    assert found[3]["plain question_plain"] is None
    assert sum(row["question_plain_length"] is not None for row in found.values()) == 24
    assert Counter(row["max_stars_1"] for row in found.values()) == {5: 39, 4: 26, 1: 11, 3: 11, 2: 10}
    assert Counter(row["max_stars_2"] for row in found.values()) == {0: 33, 4: 25, 5: 20, 3: 8, 2: 6, 1: 5}
    (survey,) = rows(settings, "survey")
    assert [survey[f"max_stars_{n}_maximum"] for n in range(1, 6)] == [5, 5, 0, 0, 0]
    assert [survey[f"max_stars_{n}_enabled"] for n in range(1, 6)] == [True, True, False, False, False]


# Windows


def test_a_window_includes_its_start_and_excludes_its_end(server: FakeServer) -> None:
    times = sorted(int(source["time"]) for source in recorded("lh_chat"))
    start, end = times[100], times[110]
    for settings in (SQLITE, by_rest(server, page_size=40)):
        found = [row["started_at"] for row in rows(settings, "chat", Window(instant(start), instant(end)))]
        assert found == [instant(time) for time in times if start <= time < end]
        assert (found[0], len(found)) == (instant(start), 10)
        # A fraction of a second after the start leaves that start out.
        later = Window(instant(start) + timedelta(milliseconds=1), instant(end) + timedelta(milliseconds=1))
        assert [row["started_at"] for row in rows(settings, "chat", later)] == [*found[1:], instant(end)]


@pytest.mark.parametrize("entity", ["chat", "message", "survey_item", "participant"])
def test_windows_side_by_side_give_every_record_once(server: FakeServer, entity: str) -> None:
    cuts = [datetime(2026, 11, day, 23, tzinfo=UTC) for day in (1, 3, 6, 22)]
    keys = SYSTEM.entities[entity].key[0]
    expected = [int(source["id"]) for source in recorded(TABLES[entity])]
    for settings in [SQLITE, *([by_rest(server)] if entity in BY_REST else [])]:
        parts = [rows(settings, entity, Window(start, end)) for start, end in pairwise(cuts)]
        assert [row[keys] for part in parts for row in part] == expected
        assert all(parts)


def test_messages_of_a_window_come_from_chats_within_the_lookback(
    copy: tuple[Settings, sqlite3.Connection], server: FakeServer
) -> None:
    settings, connection = copy
    started = int(connection.execute("SELECT time FROM lh_chat WHERE id = 488").fetchone()[0])
    window = Window(instant(started), instant(started) + timedelta(hours=2))
    before = [row["message_id"] for row in rows(settings, "message", window) if row["chat_id"] == 488]
    assert len(before) == 18
    for days, expected in ((7, before), (8, [])):
        moved = started - days * 86400
        connection.execute("UPDATE lh_chat SET time = ? WHERE id = 488", (moved,))
        server.chats[0]["time"] = moved
        for access in (settings, by_rest(server)):
            found = [row["message_id"] for row in rows(access, "message", window) if row["chat_id"] == 488]
            assert found == expected


def test_paging_stops_at_the_first_page_older_than_the_window(server: FakeServer) -> None:
    newest = int(recorded("lh_chat")[-1]["time"])
    window = Window(instant(newest - 3600), instant(newest + 1))
    found = rows(by_rest(server, page_size=50), "chat", window)
    assert len(found) == sum(newest - 3600 <= int(source["time"]) for source in recorded("lh_chat"))
    assert [int(parameters["offset"]) for _, parameters in server.requests] == [0, 50]


def test_a_window_over_pages_in_another_order_is_refused(server: FakeServer) -> None:
    server.chats.reverse()
    window = Window(datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))
    with pytest.raises(SourceError, match=r"not newest first \(chat 1 before 100\)"):
        chunks(by_rest(server, page_size=100), "chat", window)


# Personal data


def test_no_personal_value_is_stored() -> None:
    chats, messages, users = recorded("lh_chat"), recorded("lh_msg"), recorded("lh_users")
    answers = recorded("lh_abstract_survey_item")
    planted = {source[name] for source in chats for name in ("phone", "email", "nick", "hash", "ip")}
    planted |= {source["msg"] for source in messages} | {source["question_plain_1"] for source in answers}
    planted |= {source["email"] for source in users} | {source["surname"] for source in users[1:]}
    planted -= {""}
    assert len(planted) > 500
    stored = {
        str(value)
        for entity in TABLES
        for chunk in chunks(SQLITE, entity)
        for row in chunk.rows.to_pylist()
        for value in row.values()
        if isinstance(value, str)
    }
    assert len(stored) > 300
    assert planted & stored == set()
    everything = "\n".join(stored)
    assert [value for value in planted if len(value) > 8 and value in everything] == []


def test_the_same_customer_has_the_same_key_and_a_mask() -> None:
    found = rows(SQLITE, "chat")
    numbers = {source["phone"] for source in recorded("lh_chat")} - {""}
    mails = {source["email"] for source in recorded("lh_chat")} - {""}
    assert len({row["phone_key"] for row in found} - {None}) == len(numbers) == 99
    assert len({row["email_key"] for row in found} - {None}) == len(mails) == 132
    assert (found[0]["phone_masked"], found[0]["email_masked"]) == ("+49****42", "c***@customers.example.test")


def test_text_that_is_not_kept_is_not_delivered() -> None:
    without = Context(
        source_id="chat", time_zone="Europe/Berlin", phone_region="DE", customer_secret=b"s", keep_text=False
    )
    (chunk,) = chunks(SQLITE, "message", context=without)
    assert chunk.texts == {}
    assert chunk.rows.column("text_length").null_count == 0


def test_ignored_columns_are_dropped_before_anything_is_made_of_them(
    copy: tuple[Settings, sqlite3.Connection], server: FakeServer
) -> None:
    settings, connection = copy
    connection.execute("ALTER TABLE lh_users ADD COLUMN password TEXT DEFAULT 'a hash'")
    for entity in (entity for name, entity in SYSTEM.entities.items() if name not in ONLY_BY_REST):
        (raw,) = database.batches(settings.url or "", entity, None)
        assert set(raw.column_names) & {"password", "nick", "ip", "hash", *entity.ignored} == set()
    server.chats[0]["fbst"] = 9
    reject = chunks(by_rest(server), "chat")[0].rejects[0]
    assert (reject.locator, reject.field, reject.found) == ("lh_chat id 488", "thumbs", "9")
    assert set(reject.payload) & {"nick", "ip", "hash", "messages", *SYSTEM.entities["chat"].ignored} == set()


# Versions of the server


def test_a_new_column_is_drift_and_a_missing_one_is_null(
    copy: tuple[Settings, sqlite3.Connection], server: FakeServer
) -> None:
    settings, connection = copy
    connection.execute("ALTER TABLE lh_chat ADD COLUMN mood TEXT")
    connection.execute("UPDATE lh_chat SET mood = 'good' WHERE id <= 10")
    connection.execute("ALTER TABLE lh_chat DROP COLUMN frt")
    for chat in server.chats:
        del chat["frt"]
        if chat["id"] <= 10:
            chat["mood"] = "good"
    for access in (settings, by_rest(server, page_size=300)):
        (chunk,) = chunks(access, "chat")
        assert chunk.drift == {("mood", "string"): 10}
        assert chunk.rows.column("first_response_seconds").null_count == 256


def test_numbers_written_as_text_are_read_alike(server: FakeServer) -> None:
    expected = rows(SQLITE, "chat")
    for chat in server.chats[::2]:
        chat.update({name: str(value) for name, value in chat.items() if isinstance(value, int)})
    assert rows(by_rest(server), "chat") == expected


# The server's habits


def test_a_busy_server_is_asked_again_after_the_time_it_names(server: FakeServer, pauses: list[float]) -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server.instead = [
        Reply(429, "slow down", {"Retry-After": "7"}),
        Reply(503, "down", {"Retry-After": in_a_minute}),
        Reply(429, "slow down"),
    ]
    assert len(rows(by_rest(server), "department")) == 3
    assert len(server.requests) == 4
    assert pauses[0] == 7
    assert 55 < pauses[1] <= 60
    assert 0 < pauses[2] <= 30


def test_a_dropped_connection_is_tried_again(server: FakeServer, pauses: list[float]) -> None:
    server.instead = [Reply(), Reply()]
    assert len(rows(by_rest(server), "department")) == 3
    assert (len(server.requests), len(pauses)) == (3, 2)


def test_retries_end(server: FakeServer, pauses: list[float]) -> None:
    server.instead = [Reply(500, "broken")] * 100
    with pytest.raises(SourceError, match="restapi/chats: given up after 8 attempts, last answer: HTTP 500"):
        chunks(by_rest(server), "chat")
    assert (len(server.requests), len(pauses)) == (8, 7)
    assert sum(pauses) > 60


def test_a_wait_beyond_the_limit_is_not_waited_for(server: FakeServer, pauses: list[float]) -> None:
    server.instead = [Reply(429, "slow down", {"Retry-After": "3600"})]
    with pytest.raises(SourceError, match="HTTP 429 and asks to wait 3600 s"):
        chunks(by_rest(server), "chat")
    assert (len(server.requests), pauses) == (1, [])


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            Reply(200, {"error": True, "result": "Authorization header is missing!"}),
            "error: Authorization header is mis",
        ),
        (Reply(400, {"error": True, "result": "wrong"}), "HTTP 400 with an error: wrong"),
        (Reply(200, "<html>Please log in</html>"), "without a list 'list'"),
        (Reply(200, {"error": False, "result": []}), "without a list 'list'"),
        (Reply(404, "nothing here"), "HTTP 404 without a list"),
        (Reply(302, "", {"Location": "/login"}), "HTTP 302 without a list"),
    ],
)
def test_an_error_in_any_clothing_is_an_error(
    server: FakeServer, pauses: list[float], reply: Reply, message: str
) -> None:
    server.instead = [reply]
    with pytest.raises(SourceError, match=message):
        chunks(by_rest(server), "chat")
    assert pauses == []


def test_refused_credentials_are_named_but_not_shown(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LHC_TEST_KEY", "a-wrong-secret")
    with pytest.raises(SourceError, match="LHC_TEST_USER and LHC_TEST_KEY were refused") as raised:
        chunks(by_rest(server), "chat")
    assert "a-wrong-secret" not in str(raised.value)
    monkeypatch.delenv("LHC_TEST_KEY")
    with pytest.raises(SourceError, match="LHC_TEST_KEY is not set"):
        chunks(by_rest(server), "chat")


@pytest.mark.parametrize(("entity", "repeated"), [("chat", 2), ("message", None)])
def test_chats_that_start_while_paging_repeat_nothing(server: FakeServer, entity: str, repeated: int | None) -> None:
    newcomer = server.chats[0]
    at_the_page_ends = [len(chat["messages"]) for chat in (server.chats[99], server.chats[198])]

    def one_more_chat(server: FakeServer) -> None:
        if 2 <= len(server.requests) <= 3:
            chat_id = 1000 + len(server.requests)
            messages = [message | {"id": chat_id * 100, "chat_id": chat_id} for message in newcomer["messages"][:1]]
            server.chats.insert(0, newcomer | {"id": chat_id, "messages": messages})

    server.before_page = one_more_chat
    found = chunks(by_rest(server, page_size=100), entity)
    keys = [row for chunk in found for row in chunk.rows.column(f"{entity}_id").to_pylist()]
    assert sorted(keys) == [int(source["id"]) for source in recorded(TABLES[entity])]
    filtered = sum((Counter(chunk.filtered) for chunk in found), Counter())
    assert filtered == {"duplicate_across_pages": repeated or sum(at_the_page_ends)}
    assert sum(chunk.read for chunk in found) == len(keys) + filtered.total()


def test_a_page_that_only_repeats_is_counted(server: FakeServer) -> None:
    server.chats = server.chats[:2] * 2
    found = chunks(by_rest(server, page_size=2), "chat")
    assert [(chunk.rows.num_rows, chunk.filtered) for chunk in found] == [(2, {}), (0, {"duplicate_across_pages": 2})]


def test_reaching_the_page_cap_is_an_error(server: FakeServer) -> None:
    with pytest.raises(SourceError, match="5 pages of 50 chats read and still no end"):
        chunks(by_rest(server, page_size=50, max_pages=5), "chat")
    assert len(rows(by_rest(server, page_size=50, max_pages=7), "chat")) == 256


def test_a_server_that_ignores_the_offset_ends_at_the_page_cap(server: FakeServer) -> None:
    server.honours_offset = False
    with pytest.raises(SourceError, match="4 pages of 100 chats"):
        chunks(by_rest(server, max_pages=4), "chat")


def test_a_server_that_gives_smaller_pages_is_read_to_the_end(server: FakeServer) -> None:
    server.largest_page = 20
    assert len(rows(by_rest(server, page_size=500), "message")) == 2340


# Empty pages


def offsets(server: FakeServer) -> list[int]:
    return [int(parameters["offset"]) for _, parameters in server.requests]


@pytest.mark.parametrize("entity", ["chat", "message", "survey_item"])
def test_an_empty_page_in_the_middle_is_asked_for_again(server: FakeServer, pauses: list[float], entity: str) -> None:
    server.empty_at = {0: 1, 100: 3}
    found = rows(by_rest(server, page_size=100), entity)
    assert len(found) == len(recorded(TABLES[entity]))
    assert offsets(server) == [0, 0, 100, 100, 100, 100, 200, 256]
    assert len(pauses) == 4
    assert min(pauses) >= 1


def test_an_empty_page_does_not_end_a_window(server: FakeServer, pauses: list[float]) -> None:
    window = Window(datetime(2026, 11, 3, 23, tzinfo=UTC), datetime(2026, 11, 5, 23, tzinfo=UTC))
    server.empty_at = dict.fromkeys(range(0, 256, 40), 1)
    assert rows(by_rest(server, page_size=40), "chat", window) == rows(SQLITE, "chat", window) != []
    assert pauses


@pytest.mark.parametrize("offset", [0, 100, 250])
@pytest.mark.parametrize("total", [256, "256"], ids=["number", "text"])
def test_a_page_that_stays_empty_is_an_error(
    server: FakeServer, pauses: list[float], offset: int, total: object
) -> None:
    server.empty_at = {offset: 100}
    server.list_count = lambda _: total
    said = (
        rf"page at offset {offset} came empty 4 times although the server counts 256 chats; load again later, and if "
        "it stays empty, read the server's database instead"
    )
    with pytest.raises(SourceError, match=said):
        chunks(by_rest(server, page_size=50), "chat")
    assert offsets(server)[-4:] == [offset] * 4
    assert len(pauses) == 3


@pytest.mark.parametrize("total", [None, "many"], ids=["none", "no number"])
def test_a_server_that_does_not_count_ends_with_an_empty_page(
    server: FakeServer, pauses: list[float], total: object
) -> None:
    server.list_count = lambda _: total
    assert len(rows(by_rest(server), "chat")) == 256
    server.empty_at = {100: 1}
    assert len(rows(by_rest(server), "chat")) == 100
    assert pauses == []


def test_a_server_without_chats_is_empty(server: FakeServer, pauses: list[float]) -> None:
    server.chats = []
    assert chunks(by_rest(server), "chat") == []
    assert (offsets(server), pauses) == ([0], [])


def test_chats_deleted_while_paging_are_no_error(server: FakeServer, pauses: list[float]) -> None:
    def fewer_chats(server: FakeServer) -> None:
        if len(server.requests) == 2:
            del server.chats[:5]
        elif offsets(server)[-1] == 251:
            del server.chats[2:]

    server.before_page = fewer_chats
    # The five that moved from the second page onto the first are the next overlapping read's.
    assert len(rows(by_rest(server, page_size=100), "chat")) == 256 - 5
    assert (offsets(server), len(server.chats), pauses) == ([0, 100, 200, 251], 2, [])


def test_a_chat_that_starts_between_the_last_page_and_its_count_is_no_error(
    server: FakeServer, pauses: list[float]
) -> None:
    def counted(server: FakeServer) -> int:
        if offsets(server) == [0, 100, 200, 256]:
            server.chats.insert(0, server.chats[0] | {"id": 1000})
        return len(server.chats)

    server.list_count = counted
    assert len(rows(by_rest(server, page_size=100), "chat")) == 256
    assert offsets(server) == [0, 100, 200, 256, 256, 257]
    assert len(pauses) == 1


@pytest.fixture(scope="module")
def simulation() -> Iterator[Server]:
    with serve(small_world(), ["live_helper_chat"]) as servers:
        yield servers["live_helper_chat"]


@pytest.fixture
def simulated(simulation: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The simulated server, honest again after each test."""
    for name, value in simulation.environment.items():
        monkeypatch.setenv(name, value)
    yield simulation
    simulation.control(Control(habits=Habits()))


@pytest.mark.parametrize("entity", ["chat", "message", "survey_item"])
def test_a_simulated_server_with_empty_pages_gives_the_same_rows(
    simulated: Server, pauses: list[float], entity: str
) -> None:
    settings = Settings.model_validate({"rest": simulated.settings["rest"] | {"page_size": 7}})
    honest = rows(settings, entity)
    assert honest
    assert pauses == []
    for every in (2, 3):
        simulated.control(Control(habits=Habits(empty_page_every=every)))
        assert rows(settings, entity) == honest
    assert pauses
    simulated.control(Control(habits=Habits(empty_page_every=1)))
    with pytest.raises(SourceError, match=r"page at offset 0 came empty 4 times although the server counts 70 chats"):
        chunks(settings, entity)


def test_a_reply_without_messages_is_not_a_chat_without_messages(server: FakeServer) -> None:
    server.honours_messages = False
    with pytest.raises(SourceError, match=r"chat 488 has messages \(last_msg_id 4441\) but the reply carries none"):
        chunks(by_rest(server), "message")


# Settings and databases


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of url, url_env and rest"),
        ({"url": "sqlite:///a.db", "url_env": "LHC_URL"}, "exactly one of url, url_env and rest"),
        ({"url": "mysql://kefu:hunter2@db/lhc"}, "url is for sqlite:/// only"),
        ({"rest": {"base_url": "http://chat.example", "user_env": "A", "key_env": "B"}}, "must begin with https://"),
        (
            {"rest": {"base_url": "https://u:hunter2@chat.example", "user_env": "A", "key_env": "B"}},
            "holds credentials",
        ),
        (
            {"rest": {"base_url": "https://u:hunter2@chat.example:x", "user_env": "A", "key_env": "B"}},
            "cannot be parsed",
        ),
        ({"rest": {"base_url": "https://", "user_env": "A", "key_env": "B"}}, "cannot be used"),
        ({"url_env": "LHC_URL", "page_size": 5}, "page_size"),
    ],
)
def test_wrong_settings_are_refused_without_showing_a_secret(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        Settings.model_validate(options)
    assert "hunter2" not in str(raised.value)


def test_a_database_that_cannot_be_read_is_an_error_with_a_remedy(
    copy: tuple[Settings, sqlite3.Connection], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings, connection = copy
    connection.execute("DROP TABLE lh_users")
    with pytest.raises(SourceError, match="lh_users: no such table"):
        chunks(settings, "user")
    missing = tmp_path / "missing.sqlite3"
    with pytest.raises(SourceError, match="unable to open database file"):
        chunks(Settings(url=f"sqlite:///{missing}"), "chat")
    assert not missing.exists()
    monkeypatch.delenv("LHC_TEST_URL", raising=False)
    with pytest.raises(SourceError, match="LHC_TEST_URL is not set"):
        chunks(Settings(url_env="LHC_TEST_URL"), "chat")
    for url, message in (
        ("oracle://kefu:hunter2@db/lhc", "'oracle' is not supported"),
        ("hunter2", "cannot be parsed"),
        ("mysql://kefu:hunter2@127.0.0.1:1/lhc", "reading entity chat failed"),
    ):
        monkeypatch.setenv("LHC_TEST_URL", url)
        with pytest.raises(SourceError, match=message) as raised:
            chunks(Settings(url_env="LHC_TEST_URL"), "chat")
        assert "hunter2" not in str(raised.value)


def test_large_tables_come_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows(SQLITE, "message")
    monkeypatch.setattr(database, "BATCH_ROWS", 1000)
    assert [chunk.rows.num_rows for chunk in chunks(SQLITE, "message")] == [1000, 1000, 340]
    assert rows(SQLITE, "message") == whole


def test_the_sqlite_sample_is_what_its_script_makes(tmp_path: Path) -> None:
    again = tmp_path / "again.sqlite3"
    subprocess.run([sys.executable, str(SAMPLES / "make_sqlite.py"), str(again)], check=True)
    made, kept = (list(sqlite3.connect(path).iterdump()) for path in (again, SAMPLES / "lhc.sqlite3"))
    assert made == kept
    assert len(kept) > 3000


@pytest.fixture(scope="module")
def mariadb() -> Iterator[str]:
    """URL of a private MariaDB server with the recorded dump, reachable by its socket only."""
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    installer = shutil.which("mariadb-install-db")
    if not server or not installer:
        if os.environ.get("KEFU_REQUIRE_ALL") == "1":
            pytest.fail("mariadbd and mariadb-install-db are required by KEFU_REQUIRE_ALL=1 but not installed")
        pytest.skip("MariaDB not compared: mariadbd or mariadb-install-db is not installed")
    # Not pytest's tmp_path: a socket's path may have 107 characters only.
    with tempfile.TemporaryDirectory(prefix="lhc") as folder:
        me = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
        # A server clears its tmpdir when it starts: in a shared one it would take another test's tables.
        common = ["--no-defaults", f"--datadir={folder}/data", f"--tmpdir={folder}", f"--user={me}"]
        install = [installer, *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        installed = subprocess.run(install, capture_output=True, text=True, check=False)
        assert installed.returncode == 0, installed.stdout + installed.stderr
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [server, *common, "--skip-networking", f"--socket={folder}/s", f"--pid-file={folder}/pid"],
                stdout=log,
                stderr=log,
            )
        try:
            deadline = monotonic() + 30
            while not Path(folder, "s").exists():
                assert process.poll() is None and monotonic() < deadline, Path(folder, "log").read_text()
                sleep(0.05)
            with pymysql.connect(
                unix_socket=f"{folder}/s", user="root", client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS
            ) as connection:
                cursor = connection.cursor()
                cursor.execute("CREATE DATABASE lhc; USE lhc")
                while cursor.nextset():
                    pass
                # The first line is a comment of the dump program that only the mariadb client understands.
                dump = (SAMPLES / "lhc_tables.sql").read_text(encoding="utf-8").split("\n", 1)[1]
                cursor.execute(dump)
                while cursor.nextset():
                    pass
                connection.commit()
            yield f"mysql://root@localhost/lhc?unix_socket={folder}/s&charset=utf8mb4"
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.mark.parametrize("entity", sorted(set(TABLES) - {"user"}))
def test_mariadb_gives_the_rows_of_the_sqlite_copy(mariadb: str, monkeypatch: pytest.MonkeyPatch, entity: str) -> None:
    monkeypatch.setenv("LHC_TEST_URL", mariadb)
    settings = Settings(url_env="LHC_TEST_URL")
    assert rows(settings, entity) == rows(SQLITE, entity)
    window = Window(datetime(2026, 11, 3, 23, tzinfo=UTC), datetime(2026, 11, 5, 23, tzinfo=UTC))
    assert rows(settings, entity, window) == rows(SQLITE, entity, window) != []


def test_mariadb_without_a_table_says_so(mariadb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LHC_TEST_URL", mariadb)
    with pytest.raises(SourceError, match="lh_users: no such table"):
        chunks(Settings(url_env="LHC_TEST_URL"), "user")

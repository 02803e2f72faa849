"""Reading stored texts: what is new, once per version, and nothing but hits leaves the vault."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg.types.json import Jsonb

from kefu.load.vault import Vault
from kefu.pipeline.context import Platform
from kefu.pipeline.text import derive
from kefu.warehouse import Role
from tests.e2e.support import Line

Copy = Callable[[Platform, str], Platform]
PLEA = "好的。麻烦您待会儿给个五星好评，我的电话13800138000"


@pytest.fixture(scope="module")
def read(line: Line, copy_of: Copy) -> Platform:
    """A copy of the line, whose texts the daily run has read already."""
    return copy_of(line.platform, "t_text")


def say(platform: Platform, key: str, text: str) -> int:
    """Stores a message of the chat system in a load of its own; returns the load's number."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        row = connection.execute("select max(load_seq) + 1 from ops.load").fetchone()
        assert row is not None
        connection.execute(
            "insert into ops.load (load_seq, run_id, source_id, system, entity, read_count, inserted_count,"
            " unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule, is_replay,"
            " started_at) values (%s, 'test', 'chat', 'live_helper_chat', 'message', 1, 1, 0, 0, 0, 0, '{}', false,"
            " now())",
            [row[0]],
        )
        sealed = Vault(platform.settings).encrypt(text, f"chat/message/{key}/text")
        connection.execute(
            "insert into vault.message_text values ('chat', 'message', %s, 'text', %s, %s)", [key, row[0], sealed]
        )
    return int(row[0])


def stored(platform: Platform, key: str) -> list[tuple[str, int, str]]:
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        return connection.execute(
            "select feature, version, excerpt from ops.text_feature where message_key = %s order by feature, version",
            [key],
        ).fetchall()


def test_the_daily_run_has_read_every_text(line: Line, read: Platform) -> None:
    assert sum("new texts read for begged_score" in said for said in line.said) >= 2
    assert derive(read) == []


def test_only_new_texts_are_read_and_only_hits_are_kept(read: Platform) -> None:
    say(read, "plea", PLEA)
    say(read, "neutral", "稍后欢迎您对本次服务作出评价")
    found = {(one.entity, one.field, one.feature): (one.text_count, one.hit_count) for one in derive(read)}
    assert found["message", "text", "begged_score"] == (2, 1)
    assert found["message", "text", "strongly_negative"] == (2, 0)
    [(feature, version, excerpt)] = stored(read, "plea")
    assert (feature, version) == ("begged_score", 1)
    assert "五星好评" in excerpt and "1" not in excerpt
    assert stored(read, "neutral") == [] and derive(read) == []


def test_a_new_version_reads_everything_again(read: Platform) -> None:
    with read.warehouse.connect(Role.OWNER) as connection:
        connection.execute(
            "insert into cfg.object_version (kind, object_id, version, content_hash, valid_from, body)"
            " select kind, object_id, 2, 'x', valid_from, body || %s from cfg.object_version"
            " where kind = 'lexicon' and object_id = 'solicitation'",
            [Jsonb({"version": 2})],
        )
    say(read, "later", PLEA)
    again = {
        one.version: one.text_count for one in derive(read) if one.feature == "begged_score" and one.field == "text"
    }
    assert again[2] > 2000
    assert [version for _, version, _ in stored(read, "plea")] == [1, 2]
    # The texts that version 2 has read, version 1 no longer speaks about.
    assert [version for _, version, _ in stored(read, "later")] == [2]


def test_texts_and_results_are_kept_apart(read: Platform) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), read.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("select ciphertext from vault.message_text limit 1")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), read.warehouse.connect(Role.TEXT) as connection:
        connection.execute("select * from stats.integrity_result")
    for statement in ("update ops.text_feature set value = 9", "delete from ops.text_reading"):
        with pytest.raises(psycopg.errors.RaiseException), read.warehouse.connect(Role.OWNER) as connection:
            connection.execute(statement.encode())

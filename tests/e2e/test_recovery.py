"""A second run changes nothing, and a run that was killed anywhere and repeated ends where an undisturbed one does."""

from __future__ import annotations

import signal
from dataclasses import dataclass

import pytest

from kefu.payroll import Close, CloseRefused, close_period
from kefu.pipeline.context import Platform
from kefu.pipeline.publish import Published
from kefu.pipeline.run import daily
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import Line, by_url, configuration, run_killed, secrets

PERIOD = "2026_11_demo"


def query(platform: Platform, statement: str) -> list[tuple[object, ...]]:
    with platform.warehouse.connect(Role.OWNER) as connection:
        return connection.execute(statement.encode()).fetchall()


def raw_rows(platform: Platform) -> dict[str, int]:
    tables = query(platform, "select schemaname || '.' || tablename from pg_tables where schemaname ~ '^raw_'")
    assert len(tables) == 54
    return {str(table): int(str(query(platform, f"select count(*) from {table}")[0][0])) for (table,) in tables}


def test_a_second_run_changes_nothing(line: Line, copy_of: Copy) -> None:
    platform = copy_of(line.platform, "t_second")
    before = raw_rows(platform)
    said: list[str] = []
    again = daily(platform, "second run", say=said.append)
    assert raw_rows(platform) == before
    assert query(platform, "select max(load_seq), count(load_seq), count(*) from ops.load") == [(21, 21, 114)]
    assert query(
        platform, "select sum(inserted_count + tombstoned_count) from ops.load where run_id = 'second run'"
    ) == [(0,)]
    # When data was loaded is news; everything else is not.
    assert again.changed == ["pub_operations.lateness", "pub_operations.load_status"]
    assert again.content_hash == line.published.content_hash
    assert again.publication_id == line.published.publication_id
    assert query(platform, "select count(*) from ops.publication") == [(1,)]
    assert query(platform, "select run_id, status from ops.run order by started_at") == [
        ("first run", "succeeded"), ("second run", "succeeded"),
    ]  # fmt: skip


def kill(platform: Platform, point: str) -> None:
    log = platform.settings.kefu_data_dir / "killed.log"
    assert run_killed(platform, point, log) == -signal.SIGKILL, log.read_text(errors="replace")[-3000:]


COUNTS = {
    "loads": "select count(*) from ops.load",
    "chats": "select count(*) from raw_live_helper_chat.chat",
    "messages": "select count(*) from raw_live_helper_chat.message",
    "texts": "select count(*) > 0 from vault.message_text",
    "facts": "select count(*) from pg_tables where schemaname = 'wh_core'",
    "published schemas": "select count(*) from pg_namespace where nspname ~ '^pub_'",
    "closes": "select count(*) from payroll.close",
    "calculations": "select count(*) from pg_namespace where nspname ~ '^calc_'",
}


def counts(platform: Platform) -> dict[str, object]:
    return {name: query(platform, statement)[0][0] for name, statement in COUNTS.items()}


@dataclass(frozen=True)
class Recovered:
    """An installation whose daily run was killed in its load, killed in its build, and then ran undisturbed."""

    platform: Platform
    killed_in_load: dict[str, object]
    killed_in_build: dict[str, object]
    published: Published


@pytest.fixture(scope="module")
def recovered(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Recovered:
    folder = tmp_path_factory.mktemp("killed")
    administration = Platform(by_url(settings, "postgres", folder)).warehouse
    with administration.connect(Role.OWNER, autocommit=True) as owner:
        owner.execute("drop database if exists t_killed with (force)")
        owner.execute("create database t_killed")
    made = by_url(settings, "t_killed", folder)
    platform = Platform(made.model_copy(update={"kefu_config_dir": configuration(folder)}))
    kill(platform, "load")
    in_load = counts(platform)
    kill(platform, "build")
    in_build = counts(platform)
    return Recovered(platform, in_load, in_build, daily(platform, "third attempt"))


def test_of_a_load_that_was_killed_nothing_is_in_the_log(recovered: Recovered) -> None:
    # The eight loads before it stay.
    assert recovered.killed_in_load == {
        "loads": 8, "chats": 256, "messages": 0, "texts": False, "facts": 0, "published schemas": 0, "closes": 0,
        "calculations": 0,
    }  # fmt: skip


def test_a_build_that_was_killed_published_nothing(recovered: Recovered) -> None:
    found = recovered.killed_in_build
    assert (found["messages"], found["texts"], found["published schemas"]) == (2340, True, 0)
    assert 2 <= int(str(found["facts"])) < 12


def test_the_repeated_run_ends_as_an_undisturbed_one(line: Line, recovered: Recovered) -> None:
    platform = recovered.platform
    assert raw_rows(platform) == raw_rows(line.platform)
    assert query(platform, "select count(load_seq), max(load_seq) from ops.load") == [(21, 21)]
    assert query(platform, "select count(*) from vault.message_text") == query(
        line.platform, "select count(*) from vault.message_text"
    )
    assert query(platform, "select count(*) from pg_tables where schemaname = 'load'") == [(0,)]
    assert recovered.published.publication_id == 1
    assert recovered.published.content_hash == line.published.content_hash


KILLED_AT = ["cut", "appraisal", "calculated", "reviewed", "dispute_window", "approved", "locked"]


@pytest.fixture(scope="module")
def reclosed(recovered: Recovered) -> tuple[Platform, list[dict[str, object]]]:
    """The same installation, whose close was killed in the calculation and after every state, each time done again."""
    seen = []
    for point in KILLED_AT:
        kill(recovered.platform, point)
        seen.append(counts(recovered.platform))
    return recovered.platform, seen


def test_a_close_that_was_killed_at_every_state_leaves_one_snapshot(
    closed: tuple[Platform, Close], reclosed: tuple[Platform, list[dict[str, object]]]
) -> None:
    undisturbed, result = closed
    platform, seen = reclosed
    assert [found["closes"] for found in seen] == [0, 0, 0, 0, 0, 0, 1]
    assert [found["calculations"] for found in seen] == [0, 1, 1, 1, 1, 1, 0]
    exported = close_period(platform, PERIOD)
    assert (exported.row_count, exported.content_hash) == (12, result.content_hash)
    files = [(folder / "DEMO_appraisal.csv").read_bytes() for folder in (exported.folder, result.folder)]
    assert files[0] == files[1]
    hashes = "select content_hash, component_hash, trust_hash from payroll.close"
    assert query(platform, hashes) == query(undisturbed, hashes)
    states = "select state from payroll.transition order by transition_id"
    assert query(platform, states) == query(undisturbed, states)
    assert query(platform, "select * from payroll.verify()") == []


def test_nothing_of_a_killed_close_stays_behind(reclosed: tuple[Platform, list[dict[str, object]]]) -> None:
    platform, _ = reclosed
    with pytest.raises(CloseRefused, match="already closed"):
        close_period(platform, PERIOD)
    assert query(platform, "select nspname from pg_namespace where nspname ~ '^calc_'") == []
    assert query(platform, "select count(*) from stats.agent_estimate where calc_id <> 'live'") == [(0,)]


def test_what_a_killed_run_printed_holds_no_secret(recovered: Recovered) -> None:
    settings = recovered.platform.settings
    text = (settings.kefu_data_dir / "killed.log").read_text(errors="replace")
    assert [name for name, value in secrets(settings).items() if value in text] == []


def test_a_finished_run_leaves_no_staging_and_no_calculation(closed: tuple[Platform, Close]) -> None:
    platform, _ = closed
    assert query(platform, "select tablename from pg_tables where schemaname = 'load'") == []
    assert query(platform, "select nspname from pg_namespace where nspname ~ '^calc_'") == []

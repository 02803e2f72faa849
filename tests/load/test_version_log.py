"""The version log: what counts as new, what is refused, and that nothing is lost (DESIGN 4.1)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.conform import conform
from connectors.contract import Chunk, Context, Entity, System, Window
from kefu.load.raw_tables import ensure_raw_tables
from kefu.load.vault import Vault
from kefu.load.version_log import LoadReport, LoadRequest, ShrinkError, load_entity
from kefu.warehouse import Role, Warehouse

START = datetime(2026, 11, 2, tzinfo=UTC)
CONTEXT = Context("demo", "Europe/Berlin", "DE", b"secret-for-tests")


def entity(**changes: object) -> Entity:
    body = {
        "name": "ticket",
        "description": "a ticket",
        "fields": {
            "ticket_id": {"type": "integer", "description": "ticket", "required": True},
            "changed_at": {"type": "timestamp", "description": "when"},
            "state": {"description": "state", "allowed": ["open", "closed"]},
            "note": {"description": "text", "personal": "text"},
            "phone": {"description": "phone", "personal": "phone"},
        },
        "key": ("ticket_id",),
        "window_on": "changed_at",
    }
    return Entity.model_validate(body | changes)


@pytest.fixture
def log(warehouse: Warehouse, request: pytest.FixtureRequest) -> tuple[Warehouse, str]:
    """A system of its own for each test, so that tests do not see each other's rows."""
    return warehouse, f"s_{abs(hash(request.node.name)) % 10**9}"


def load(log: tuple[Warehouse, str], declared: Entity, rows: list[dict[str, object]], **options: object) -> LoadReport:
    warehouse, system = log
    ensure_raw_tables(warehouse, System(system=system, description="test", entities={declared.name: declared}))
    names = [name for name in declared.fields if any(name in row for row in rows)] + sorted(
        {name for row in rows for name in row} - set(declared.fields)
    )
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})
    chunk = conform(declared, table, CONTEXT)
    request = LoadRequest("run", system, system, declared, **options)  # type: ignore[arg-type]
    return load_entity(warehouse, request, [chunk])


def query(log: tuple[Warehouse, str], statement: str) -> list[tuple[object, ...]]:
    with log[0].connect(Role.OWNER) as connection:
        return connection.execute(statement.replace("LOG", f"raw_{log[1]}.ticket").encode()).fetchall()


def current(log: tuple[Warehouse, str]) -> dict[object, object]:
    rows = query(
        log,
        "select distinct on (_key) ticket_id, state, _is_deleted from LOG"
        " order by _key, _source_version desc nulls last, _load_seq desc, _load_row desc",
    )
    return {key: state for key, state, deleted in rows if not deleted}


def test_reading_the_same_rows_again_inserts_nothing_and_takes_no_sequence(log: tuple[Warehouse, str]) -> None:
    rows = [{"ticket_id": 1, "state": "open"}, {"ticket_id": 2, "state": "closed"}]
    first, second = load(log, entity(), rows), load(log, entity(), rows)
    assert (first.read, first.inserted, first.unchanged) == (2, 2, 0)
    assert (second.read, second.inserted, second.unchanged, second.load_seq) == (2, 0, 2, None)


def test_an_old_version_read_after_a_newer_one_changes_nothing(log: tuple[Warehouse, str]) -> None:
    versioned = entity(version="changed_at")
    old = {"ticket_id": 1, "changed_at": "2026-11-02 10:00:00", "state": "open"}
    new = {"ticket_id": 1, "changed_at": "2026-11-02 11:00:00", "state": "closed"}
    assert [load(log, versioned, [row]).inserted for row in (old, new, old)] == [1, 1, 0]
    assert current(log) == {1: "closed"}


def test_an_older_version_that_arrives_late_is_kept_but_not_current(log: tuple[Warehouse, str]) -> None:
    versioned = entity(version="changed_at")
    load(log, versioned, [{"ticket_id": 1, "changed_at": "2026-11-02 11:00:00", "state": "closed"}])
    late = load(log, versioned, [{"ticket_id": 1, "changed_at": "2026-11-02 10:00:00", "state": "open"}])
    assert late.inserted == 1
    assert current(log) == {1: "closed"}


@pytest.mark.parametrize("version", ["changed_at", None])
def test_two_versions_in_one_load_are_both_kept_and_the_last_is_current(
    log: tuple[Warehouse, str], version: str | None
) -> None:
    rows = [
        {"ticket_id": 1, "changed_at": "2026-11-02 10:00:00", "state": "open"},
        {"ticket_id": 1, "changed_at": "2026-11-02 11:00:00", "state": "closed"},
        {"ticket_id": 1, "changed_at": "2026-11-02 11:00:00", "state": "closed"},
    ]
    report = load(log, entity(version=version), rows)
    assert (report.read, report.inserted, report.unchanged) == (3, 2, 1)
    assert current(log) == {1: "closed"}


def test_without_a_version_a_value_may_come_back(log: tuple[Warehouse, str]) -> None:
    states = ("open", "closed", "open", "open")
    inserted = [load(log, entity(), [{"ticket_id": 1, "state": state}]).inserted for state in states]
    assert inserted == [1, 1, 1, 0]
    assert current(log) == {1: "open"}


def test_a_vanished_key_gets_a_tombstone_and_may_return(log: tuple[Warehouse, str]) -> None:
    complete = entity(deletes="window")
    both = [{"ticket_id": 1, "state": "open"}, {"ticket_id": 2, "state": "open"}]
    load(log, complete, both, is_complete=True)
    gone = load(log, complete, both[:1], is_complete=True)
    assert (gone.tombstoned, gone.inserted, gone.unchanged) == (1, 0, 1)
    assert current(log) == {1: "open"}
    assert load(log, complete, both[:1], is_complete=True).load_seq is None
    assert load(log, complete, both, is_complete=True).inserted == 1
    assert current(log) == {1: "open", 2: "open"}


@pytest.mark.parametrize("version", ["changed_at", None])
def test_a_deletion_concerns_the_window_only(log: tuple[Warehouse, str], version: str | None) -> None:
    complete = entity(deletes="window", version=version)
    rows = [
        {"ticket_id": 1, "changed_at": "2026-11-02 10:00:00+00:00", "state": "open"},
        {"ticket_id": 2, "changed_at": "2026-11-03 10:00:00+00:00", "state": "open"},
        {"ticket_id": 3, "changed_at": "2026-11-03 11:00:00+00:00", "state": "open"},
    ]
    window = Window(START + timedelta(days=1), START + timedelta(days=2))
    load(log, complete, rows, is_complete=True)
    report = load(log, complete, rows[2:], window=window, is_complete=True)
    assert report.tombstoned == 1
    assert set(current(log)) == {1, 3}
    assert load(log, complete, rows[1:], window=window, is_complete=True).inserted == 1
    assert set(current(log)) == {1, 2, 3}


def test_keyless_rows_repeat_within_a_second_and_keep_their_keys(log: tuple[Warehouse, str]) -> None:
    keyless = entity(key="content", content_fields=("changed_at", "state"), content_instant="changed_at")
    row = {"changed_at": "2026-11-02 10:00:00", "state": "open", "ticket_id": 1}
    later = {"changed_at": "2026-11-02 10:00:01", "state": "open", "ticket_id": 1}
    assert load(log, keyless, [row, row, later]).inserted == 3
    assert load(log, keyless, [row, row, later]).inserted == 0
    assert load(log, keyless, [row, row, row, later]).inserted == 1
    assert len(query(log, "select distinct _key from LOG")) == 4


def test_the_sequence_has_no_gaps(log: tuple[Warehouse, str]) -> None:
    before = query(log, "select coalesce(max(load_seq), 0), count(load_seq) from ops.load")[0]
    for state in ("open", "open", "closed"):
        load(log, entity(), [{"ticket_id": 7, "state": state}])
    after = query(log, "select max(load_seq), count(load_seq) from ops.load")[0]
    assert before[0] == before[1]
    assert after == (before[0] + 2, before[1] + 2)  # type: ignore[operator]


def test_bad_records_are_quarantined_once_with_their_payload(log: tuple[Warehouse, str]) -> None:
    rows = [{"ticket_id": "1", "state": "open"}, {"ticket_id": "x", "state": "lost", "phone": "01609329334"}]
    for _ in range(2):
        report = load(log, entity(), rows)
        assert (report.read, report.quarantined) == (2, 1)
    found = query(
        log, f"select field, found, expected, payload_encrypted from ops.quarantine where source_id = '{log[1]}'"
    )
    assert [row[:3] for row in found] == [("ticket_id", "text like 'x'", "a whole number")]
    sealed = bytes(found[0][3])  # type: ignore[call-overload]
    assert b"01609329334" not in sealed
    assert "01609329334" in Vault(log[0].settings).decrypt(sealed, f"{log[1]}/ticket")


def statuses(log: tuple[Warehouse, str]) -> list[object]:
    rows = query(log, f"select status from ops.quarantine where source_id = '{log[1]}' order by quarantine_id")
    return [status for (status,) in rows]


def test_a_corrected_record_settles_what_was_refused_of_it(log: tuple[Warehouse, str]) -> None:
    bad = [{"ticket_id": "1", "state": "lost"}, {"ticket_id": "2", "state": "gone"}]
    load(log, entity(), bad)
    load(log, entity(), [bad[0], {"ticket_id": "2", "state": "closed"}])
    assert statuses(log) == ["open", "superseded"]
    # A window that holds nothing of it, and a read in which it has vanished, settle nothing.
    load(log, entity(), [{"ticket_id": "3", "state": "open"}], shrink_limit=0.0)
    assert statuses(log) == ["open", "superseded"]


def test_a_refused_record_beside_a_good_one_of_its_key_stays_open(log: tuple[Warehouse, str]) -> None:
    load(log, entity(), [{"ticket_id": "1", "state": "open"}, {"ticket_id": "1", "state": "lost"}])
    assert statuses(log) == ["open"]


def test_a_refused_record_without_a_known_key_waits_for_a_person(log: tuple[Warehouse, str]) -> None:
    keyless = entity(key="content", content_fields=("changed_at", "state"), content_instant="changed_at")
    load(log, keyless, [{"changed_at": "2026-11-02 10:00:00", "state": "lost", "ticket_id": 1}])
    load(log, keyless, [{"changed_at": "2026-11-02 10:00:00", "state": "open", "ticket_id": 1}])
    assert statuses(log) == ["open"]


def test_a_replay_is_no_read_of_the_source(log: tuple[Warehouse, str]) -> None:
    rows: list[dict[str, object]] = [{"ticket_id": number, "state": "open"} for number in range(10)]
    load(log, entity(), rows)
    assert load(log, entity(), rows[:1], is_replay=True).read == 1
    with pytest.raises(ShrinkError, match="found 4 records, the last one 10"):
        load(log, entity(), rows[:4])
    assert load(log, entity(), rows).unchanged == 10


def test_a_complete_read_that_shrank_is_refused(log: tuple[Warehouse, str]) -> None:
    rows = [{"ticket_id": number, "state": "open"} for number in range(10)]
    load(log, entity(), rows)
    with pytest.raises(ShrinkError, match="found 4 records, the last one 10"):
        load(log, entity(), rows[:4])
    assert load(log, entity(), rows[:4], shrink_limit=0.0).read == 4


def test_undeclared_fields_are_reported_by_name_and_type_never_by_value(log: tuple[Warehouse, str]) -> None:
    load(log, entity(), [{"ticket_id": 1, "salary": "2500"}, {"ticket_id": 2, "salary": None}])
    assert query(log, f"select field, found_type, record_count from ops.schema_drift where source_id = '{log[1]}'") == [
        ("salary", "string", 1)
    ]


def test_text_and_phone_are_not_in_the_log(log: tuple[Warehouse, str]) -> None:
    load(log, entity(), [{"ticket_id": 1, "note": "call 01609329334", "phone": "0160 9329334"}])
    stored = query(log, "select row_to_json(r)::text from LOG as r")[0][0]
    assert "9329334" not in str(stored)
    key, ciphertext = query(log, f"select key, ciphertext from vault.message_text where source_id = '{log[1]}'")[0]
    identity = f"{log[1]}/ticket/{key}/note"
    assert Vault(log[0].settings).decrypt(bytes(ciphertext), identity) == "call 01609329334"  # type: ignore[call-overload]


def test_counts_that_do_not_add_up_are_impossible() -> None:
    with pytest.raises(ValueError, match="2 records read but 1 accounted for"):
        Chunk(rows=pa.table({"a": [1]}), read=2)


def test_a_load_killed_in_the_middle_leaves_nothing_and_runs_again(log: tuple[Warehouse, str], tmp_path: Path) -> None:
    warehouse, system = log
    declared = entity()
    ensure_raw_tables(warehouse, System(system=system, description="test", entities={"ticket": declared}))
    script = tmp_path / "killed.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, signal, sys
            import pyarrow as pa
            from connectors.conform import conform
            from connectors.contract import Context, Entity
            from kefu.load.version_log import LoadRequest, load_entity
            from kefu.settings import Settings
            from kefu.warehouse import Warehouse
            settings = Settings(_env_file={str(warehouse.settings.kefu_data_dir / ".env")!r},
                kefu_data_dir={str(warehouse.settings.kefu_data_dir)!r},
                kefu_postgres_port={warehouse.settings.kefu_postgres_port}, warehouse_url=None)
            declared = Entity.model_validate_json({declared.model_dump_json()!r})
            context = Context("demo", "Europe/Berlin", "DE", b"secret-for-tests")
            def chunks():
                for start in (0, 500):
                    yield conform(declared, pa.table({{"ticket_id": list(range(start, start + 500))}}), context)
                os.kill(os.getpid(), signal.SIGKILL)
            load_entity(Warehouse(settings, {warehouse.database!r}),
                LoadRequest("run", {system!r}, {system!r}, declared), chunks())
            """
        )
    )
    killed = subprocess.run([sys.executable, str(script)], env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert killed.returncode == -signal.SIGKILL
    assert query(log, "select count(*) from LOG") == [(0,)]
    assert query(log, f"select count(*) from ops.load where source_id = '{system}'") == [(0,)]
    report = load(log, declared, [{"ticket_id": number} for number in range(1000)])
    assert (report.read, report.inserted) == (1000, 1000)
    assert query(log, "select count(*) from pg_tables where schemaname = 'load'") == [(0,)]

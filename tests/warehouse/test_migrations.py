"""Migrations run once, in order, and are never edited; raw tables only widen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.contract import Entity, System
from kefu.load.raw_tables import ensure_raw_tables
from kefu.warehouse import Role, Warehouse, WarehouseError
from kefu.warehouse import migrate as migrations
from kefu.warehouse.migrate import migrate

NAMES = [
    "0001_roles_and_schemas.sql", "0002_load.sql", "0003_config.sql", "0004_operations.sql", "0005_payroll.sql",
    "0006_statistics.sql",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations that a test may edit."""
    copied = shutil.copytree(migrations.FOLDER, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "FOLDER", copied)
    return copied


def test_migrating_again_does_nothing(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.OWNER) as connection:
        before = connection.execute("select name, sha256, applied_at from kefu_migration.applied order by 1").fetchall()
    assert [name for name, *_ in before][: len(NAMES)] == NAMES
    assert migrate(warehouse) == []
    with warehouse.connect(Role.OWNER) as connection:
        assert connection.execute("select * from kefu_migration.applied order by 1").fetchall() == before


def test_an_edited_migration_is_refused(warehouse: Warehouse, folder: Path) -> None:
    path = folder / "0002_load.sql"
    path.write_text(path.read_text() + "-- one more line\n")
    with pytest.raises(
        WarehouseError,
        match=r"migration 0002_load.sql was changed after it was applied \(found [0-9a-f]{12}, applied [0-9a-f]{12}\)."
        " Remedy: restore the file and write a new migration",
    ):
        migrate(warehouse)


def test_a_new_migration_is_applied_once_and_a_failing_one_leaves_nothing(warehouse: Warehouse, folder: Path) -> None:
    (folder / "9001_first.sql").write_text("create table ops.first (a int);")
    assert migrate(warehouse) == ["9001_first.sql"]
    (folder / "9002_second.sql").write_text("create table ops.second (a int);")
    (folder / "9003_broken.sql").write_text("create table ops.third (a int); select 1 / 0;")
    with pytest.raises(Exception, match="division by zero"):
        migrate(warehouse)
    with warehouse.connect(Role.OWNER) as connection:
        found = connection.execute("select tablename from pg_tables where tablename in ('first', 'second', 'third')")
        assert found.fetchall() == [("first",)]
    (folder / "9003_broken.sql").unlink()
    assert migrate(warehouse) == ["9002_second.sql"]


def system(**fields: Mapping[str, object]) -> System:
    entity = Entity.model_validate(
        {
            "name": "ticket", "description": "a ticket", "key": ("ticket_id",),
            "fields": {"ticket_id": {"type": "integer", "description": "ticket", "required": True}} | fields,
        }
    )  # fmt: skip
    return System(system="desk", description="a desk", entities={"ticket": entity})


def test_a_raw_table_widens_and_never_changes_a_type(warehouse: Warehouse) -> None:
    assert ensure_raw_tables(warehouse, system()) == ["raw_desk.ticket"]
    assert ensure_raw_tables(warehouse, system()) == []
    points = {"points": {"type": "integer", "description": "points"}}
    assert ensure_raw_tables(warehouse, system(**points)) == ["raw_desk.ticket.points"]
    with pytest.raises(
        WarehouseError,
        match=r"raw_desk.ticket.points is bigint in the warehouse but declared text. Remedy: declare a new field",
    ):
        ensure_raw_tables(warehouse, system(points={"type": "text", "description": "points"}))
    # A field that is no longer declared keeps its column: stored versions stay readable.
    assert ensure_raw_tables(warehouse, system()) == []
    with warehouse.connect(Role.OWNER) as connection:
        columns = connection.execute(
            "select data_type from information_schema.columns"
            " where table_schema = 'raw_desk' and column_name = 'points'"
        ).fetchall()
    assert columns == [("bigint",)]

"""From files to append-only rows: a version that was applied never changes and never reaches into a closed period."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu.catalogue.files import ConfigError, apply, load_catalogue
from kefu.warehouse import Role, Warehouse


@pytest.fixture
def config(project: Path, tmp_path: Path) -> Path:
    return shutil.copytree(project / "config", tmp_path / "config")


def edit(config: Path, file: str, index: int | None = None, **values: Any) -> None:
    path = config / file
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    (body if index is None else body[index]).update(values)
    path.write_text(json.dumps(body, default=str, ensure_ascii=False), encoding="utf-8")


def applied(warehouse: Warehouse, config: Path) -> list[str]:
    return apply(warehouse, load_catalogue(config), {})


def rows(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with warehouse.connect(Role.AUDITOR) as connection:
        return connection.execute(
            "select kind, object_id, version, content_hash, body, applied_by from cfg.object_version"
        ).fetchall()


def test_what_was_applied_is_stored_once_by_the_author(warehouse: Warehouse, config: Path) -> None:
    written = applied(warehouse, config)
    declared = sum(len(items) for items in load_catalogue(config).objects.values())
    assert len(written) == declared > 200
    assert "plan demo version 1" in written
    stored = rows(warehouse)
    assert len(stored) == declared
    assert {row[5] for row in stored} == {"kefu_plan_author"}
    for _, _, _, content_hash, body, _ in stored:
        canonical = json.dumps(body, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert hashlib.sha256(canonical.encode()).hexdigest() == content_hash
    assert applied(warehouse, config) == []
    assert len(rows(warehouse)) == declared


def test_a_version_edited_after_it_was_applied_is_refused_and_nothing_else_is_written(
    warehouse: Warehouse, config: Path
) -> None:
    edit(config, "teams.yml", 0, name={"zh": "一组", "en": "One"})
    edit(config, "teams.yml", 1, version=2, valid_from="2027-01-01")
    before = len(rows(warehouse))
    with pytest.raises(ConfigError) as refused:
        applied(warehouse, config)
    assert refused.value.problems == [
        "team general version 1 was edited after it was applied. Remedy: give it version 2 and a valid_from, or undo"
        " the edit"
    ]
    assert len(rows(warehouse)) == before


def test_a_new_version_is_added_beside_the_old_one(warehouse: Warehouse, config: Path) -> None:
    edit(config, "teams.yml", 0, version=2, valid_from="2027-01-01", name={"zh": "一组", "en": "One"})
    assert applied(warehouse, config) == ["team general version 2"]
    versions = {row[2]: row[4]["name"]["en"] for row in rows(warehouse) if row[:2] == ("team", "general")}
    assert versions == {1: "General", 2: "One"}


@pytest.fixture
def closed(warehouse: Warehouse) -> None:
    with warehouse.connect(Role.OWNER) as owner:
        owner.execute(
            "insert into payroll.close (period_id, version, chain_position, period_start, period_end, period_mode,"
            " data_cut, as_of, plans, definition_hash, config_hash, row_count, amount_fen, rows_without_amount,"
            " amount_fen_by_team, content_hash, component_hash, trust_hash, audit_position, audit_hash,"
            " previous_manifest_hash,"
            " calculated_by, reviewed_by, approved_by, locked_by, locked_at, manifest, manifest_hash) values"
            " ('2026_11', 1, 1, '2026-11-01', '2026-11-30', 'real', 1, '2026-12-04T23:00:00Z', '{}', 'd', 'c', 0, 0, 0,"
            " '{}', 'h', 'h', 'h', 1, 'h', '0', 'a', 'b', 'c', 'c', now(), '{}', 'm') on conflict do nothing"
        )


@pytest.mark.usefixtures("closed")
@pytest.mark.parametrize("version", [2, 3])
def test_a_version_that_reaches_into_a_closed_period_is_refused(
    warehouse: Warehouse, config: Path, version: int
) -> None:
    edit(config, "queues.yml", 0, version=version, valid_from="2026-11-30", service_level_seconds=60)
    with pytest.raises(ConfigError) as refused:
        applied(warehouse, config)
    assert refused.value.problems == [
        f"queue svc_general version {version} is valid from 2026-11-30, which reaches into the closed period 2026_11."
        " Remedy: start it after that period"
    ]


@pytest.mark.usefixtures("closed")
def test_a_version_after_the_closed_period_is_applied(warehouse: Warehouse, config: Path) -> None:
    edit(config, "teams.yml", 0, version=2, valid_from="2027-01-01", name={"zh": "一组", "en": "One"})
    edit(config, "queues.yml", 0, version=2, valid_from="2026-12-01", service_level_seconds=60)
    assert applied(warehouse, config) == ["queue svc_general version 2"]

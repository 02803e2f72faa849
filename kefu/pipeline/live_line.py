"""How the live line moves forward: by what changed since its last finished build, or in full (DESIGN 4.3)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from kefu.pipeline.context import Platform, Scope
from kefu.settings import PROJECT
from kefu.warehouse import Role

_TABLES = "select count(*) from pg_tables where schemaname ~ '^wh_' and tablename !~ '__dbt_'"


@dataclass(frozen=True)
class Base:
    """The finished build that a build of the live line goes on from.

    Attributes:
        data_cut: last load sequence that it counted.
        as_of: instant of its clocks, UTC, as text.
        changed: (system, entity) of all version logs with rows it did not see; None when nobody knows.
        is_clock_later: whether this build has a later clock, by which also what no log tells of may change.
    """

    data_cut: int
    as_of: str
    changed: frozenset[tuple[str, str]] | None
    is_clock_later: bool

    def variables(self) -> dict[str, Any]:
        """Returns the dbt variables that make a build go on from here."""
        return {"base_cut": self.data_cut, "base_as_of": self.as_of}


def begin(platform: Platform, scope: Scope, run_id: str, *, in_full: bool = False) -> Base | None:
    """Records that a live build starts; returns what it goes on from, None when everything must be built.

    Why everything is built stands in `ops.live_build.reason`. A build that did not finish is no base; what it had
    marked dirty stays marked until one does.
    """
    project = project_hash(PROJECT / "dbt_project")
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        configured = _configuration_hash(connection)
        last = connection.execute(
            "select build_id, data_cut, as_of, period_id, project_hash, config_hash, table_count from ops.live_build"
            " where completed_at is not null order by build_id desc limit 1"
        ).fetchone()
        reason = "asked for" if in_full else None
        if reason is None:
            reason = _why_in_full(connection, scope, last, project, configured)
        base = None
        if reason is None:
            assert last is not None
            base = _base(connection, scope, last[1], last[2])
        if connection.execute("select to_regclass('wh_intermediate.int_dirty')").fetchone() != (None,):
            connection.execute(
                "delete from wh_intermediate.int_dirty where base_cut is distinct from %s",
                [base.data_cut if base else None],
            )
        connection.execute(
            "insert into ops.live_build (run_id, data_cut, as_of, period_id, project_hash, config_hash, base_cut,"
            " base_as_of, reason) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                run_id, scope.data_cut, scope.as_of, scope.period_id, project, configured,
                base.data_cut if base else None, base.as_of if base else None, reason,
            ],
        )  # fmt: skip
    return base


def going_on(platform: Platform, scope: Scope, run_id: str) -> Base | None:
    """Returns what the build that this run has begun goes on from, for its later layers."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            "select base_cut, base_as_of from ops.live_build where run_id = %s and data_cut = %s and as_of = %s"
            " order by build_id desc limit 1",
            [run_id, scope.data_cut, scope.as_of],
        ).fetchone()
        return _base(connection, scope, *row) if row is not None and row[0] is not None else None


def finish(platform: Platform, run_id: str) -> None:
    """Records that the live build of a run has finished: the next one may go on from it, and nothing is dirty."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute("delete from wh_intermediate.int_dirty")
        connection.execute(
            f"update ops.live_build set completed_at = clock_timestamp(), table_count = ({_TABLES}) where build_id ="
            " (select max(build_id) from ops.live_build where run_id = %s)".encode(),
            [run_id],
        )


def changed_models(platform: Platform) -> set[str]:
    """Returns the models that came out different since the last finished build."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute("select dirty_key from wh_intermediate.int_dirty where entity = 'changed'").fetchall()
    return {name for (name,) in rows}


def said(platform: Platform, run_id: str) -> str:
    """Returns in words how the live build of a run was made."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            "select base_cut, data_cut, reason from ops.live_build where run_id = %s order by build_id desc limit 1",
            [run_id],
        ).fetchone()
    if row is None:
        return "built in full"
    base, cut, reason = row
    return f"built in full: {reason}" if base is None else f"moved forward from load {base} to {cut}"


def _why_in_full(
    connection: Connection, scope: Scope, last: tuple[Any, ...] | None, project: str, configured: str
) -> str | None:
    """Returns why a build cannot go on from the last finished one; None when it can."""
    if last is None:
        return "no build has finished yet"
    build_id, data_cut, as_of, period_id, last_project, last_configured, table_count = last
    if connection.execute(
        "select 1 from ops.live_build where build_id > %s and base_cut is null limit 1", [build_id]
    ).fetchone():
        # Its tables are of two instants.
        return "the last full build did not finish"
    if period_id != scope.period_id:
        return f"the period was {period_id}"
    if data_cut > scope.data_cut or as_of > scope.as_of:
        return "the data cut or the clock lies before that of the last build"
    if project != last_project:
        return "models changed"
    if configured != last_configured:
        return "the configuration changed"
    if connection.execute(_TABLES.encode()).fetchone() != (table_count,):
        return "tables are missing or new"
    return None


def _base(connection: Connection, scope: Scope, data_cut: int, as_of: Any) -> Base:
    changed = frozenset(
        connection.execute(
            "select distinct system, entity from ops.load where load_seq > %s and load_seq <= %s",
            [data_cut, scope.data_cut],
        ).fetchall()
    )
    return Base(data_cut, as_of.isoformat().replace("+00:00", "Z"), changed, scope.as_of > as_of)


def _configuration_hash(connection: Connection) -> str:
    row = connection.execute(
        "select coalesce(md5(string_agg(concat_ws(':', kind, object_id, version, content_hash, valid_from), ','"
        " order by kind, object_id, version)), '') from cfg.object_version"
    ).fetchone()
    assert row is not None
    return str(row[0])


def project_hash(folder: Path) -> str:
    """Returns a fingerprint of the models, macros, tests and descriptions of a dbt project."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".sql", ".yml") and "target" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest()

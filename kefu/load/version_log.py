"""Loading an entity into its version log: Arrow in, one set-based insert, one transaction (DESIGN 4.1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.types.json import Jsonb

from connectors.contract import Chunk, Entity, FieldType, Window
from kefu.load.raw_tables import postgres_columns, raw_schema
from kefu.load.vault import Vault
from kefu.warehouse import Role, Warehouse, WarehouseError


class ShrinkError(WarehouseError):
    """A complete re-read came back so much smaller than the last one that it is refused."""


@dataclass(frozen=True)
class LoadRequest:
    """What is loaded.

    Attributes:
        run_id: the run this load belongs to.
        source_id: source of the rows; with `_key` the identity of a row.
        system: system whose raw schema receives them.
        entity: declared entity.
        window: half-open window that was read, None for a complete read.
        is_complete: the read covered everything the window (or the source) holds, so vanished keys are deletions.
        is_replay: the rows come from the quarantine, so that this is no read of the source.
        export_version: version stated for all rows, e.g. a file's export time in microseconds.
        shrink_limit: least share of the rows of the last complete read that is accepted.
    """

    run_id: str
    source_id: str
    system: str
    entity: Entity
    window: Window | None = None
    is_complete: bool = False
    is_replay: bool = False
    export_version: int | None = None
    shrink_limit: float = 0.5


@dataclass
class LoadReport:
    """Counts of one load; `read = inserted + unchanged + filtered + quarantined` always holds.

    `load_seq` is None when nothing new was found. Tombstones are deletions noticed and come on top.
    """

    source_id: str
    entity: str
    read: int = 0
    inserted: int = 0
    unchanged: int = 0
    filtered: Counter[str] = field(default_factory=Counter)
    quarantined: int = 0
    tombstoned: int = 0
    load_seq: int | None = None


def load_entity(warehouse: Warehouse, request: LoadRequest, chunks: Iterable[Chunk]) -> LoadReport:
    """Loads all chunks of one entity and commits once; a killed load leaves nothing behind but its staging table.

    Raises:
        ShrinkError: when a complete read is smaller than `shrink_limit` of the last complete one.
    """
    started = datetime.now(UTC)
    report = LoadReport(request.source_id, request.entity.name)
    staging = sql.Identifier("load", f"{request.source_id}__{request.entity.name}")
    vault = Vault(warehouse.settings)
    with warehouse.connect(Role.LOADER) as connection:
        # Two loads of one entity would share its staging table: the second waits. The lock outlives the commit.
        connection.execute("select pg_advisory_lock(hashtext(%s))", [f"load {request.source_id}/{request.entity.name}"])
        _create_staging(connection, staging, request)
        collected = _stage(warehouse, request, chunks, report)
        _refuse_shrunken(connection, request, report)
        keyed = sql.Identifier("load", f"{request.source_id}__{request.entity.name}__keyed")
        _create_keyed(connection, keyed, staging, request)
        # One load at a time takes the next number, so the sequence has no gaps and no load overtakes another.
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu load_seq'))")
        row = connection.execute("select coalesce(max(load_seq), 0) + 1 from ops.load").fetchone()
        assert row is not None
        sequence = int(row[0])
        report.inserted = _insert_versions(connection, keyed, request, sequence)
        # A quarantined record hides its key, so nothing can be called vanished beside it.
        if request.is_complete and request.entity.deletes == "window" and not report.quarantined:
            report.tombstoned = _insert_tombstones(connection, keyed, request, sequence)
        report.unchanged = report.read - report.inserted - sum(report.filtered.values()) - report.quarantined
        if report.inserted or report.tombstoned:
            report.load_seq = sequence
            connection.execute("select ops.analyze_log(%s, %s)", [raw_schema(request.system), request.entity.name])
            _store_texts(connection, request, sequence, collected.texts, vault)
        load_id = _record_load(connection, request, report, collected.cursor, started)
        if report.load_seq is not None:
            connection.cursor().executemany(
                "insert into ops.load_file (load_seq, first_load_row, file, row_numbers) values (%s, %s, %s, %s)",
                [(sequence, *file) for file in collected.files],
            )
        digests = _store_rejects(connection, request, load_id, collected, vault)
        _settle_quarantine(connection, keyed, request, load_id, collected, digests)
        connection.execute(sql.SQL("drop table {}, {}").format(staging, keyed))
    return report


@dataclass
class _Collected:
    rejects: list[Any] = field(default_factory=list)
    drift: Counter[tuple[str, str]] = field(default_factory=Counter)
    texts: list[tuple[int, dict[str, pa.ChunkedArray]]] = field(default_factory=list)
    faultless: list[str] = field(default_factory=list)
    files: list[tuple[int, str, list[int]]] = field(default_factory=list)
    cursor: dict[str, Any] | None = None


def _create_staging(connection: psycopg.Connection, staging: sql.Identifier, request: LoadRequest) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in postgres_columns(request.entity).items()
    ]
    connection.execute(sql.SQL("drop table if exists {}").format(staging))
    connection.execute(
        sql.SQL("create unlogged table {} ({}, _load_row bigint not null)").format(staging, sql.SQL(", ").join(columns))
    )
    # Arrow arrives on a connection of its own, which must see the table.
    connection.commit()


def _stage(warehouse: Warehouse, request: LoadRequest, chunks: Iterable[Chunk], report: LoadReport) -> _Collected:
    collected = _Collected()
    offset = 0
    with ExitStack() as opened:
        arrow = cursor = None
        for chunk in chunks:
            rows = chunk.rows.append_column(
                "_load_row", pa.array(range(offset, offset + chunk.rows.num_rows), pa.int64())
            )
            if rows.num_rows:
                # Opened for the first rows: this kind of connection reads all types of the database first.
                if arrow is None or cursor is None:
                    arrow = opened.enter_context(warehouse.adbc(Role.LOADER))
                    cursor = opened.enter_context(arrow.cursor())
                cursor.adbc_ingest(
                    f"{request.source_id}__{request.entity.name}", rows, mode="append", db_schema_name="load"
                )
            if any(len(values) for values in chunk.texts.values()):
                collected.texts.append((offset, chunk.texts))
            collected.rejects += chunk.rejects
            collected.drift.update(chunk.drift)
            if chunk.faultless is not None:
                collected.faultless.append(chunk.faultless)
                if chunk.row_numbers:
                    collected.files.append((offset, chunk.faultless, chunk.row_numbers))
            offset += rows.num_rows
            collected.cursor = chunk.cursor or collected.cursor
            report.read += chunk.read
            report.filtered.update(chunk.filtered)
            report.quarantined += len(chunk.rejects)
        if arrow is not None:
            arrow.commit()
    return collected


def _refuse_shrunken(connection: psycopg.Connection, request: LoadRequest, report: LoadReport) -> None:
    if request.window is not None or request.is_replay:
        return
    row = connection.execute(
        "select read_count from ops.load where source_id = %s and entity = %s and window_start is null"
        " and not is_replay order by load_id desc limit 1",
        [request.source_id, request.entity.name],
    ).fetchone()
    if row and report.read < request.shrink_limit * row[0]:
        raise ShrinkError(
            f"{request.source_id}/{request.entity.name}: a complete read found {report.read} records, the last one "
            f"{row[0]}; less than {request.shrink_limit:.0%} is refused. Remedy: check the source; if the loss is "
            "real, run the ingest with --accept-shrink"
        )


def _fields(names: Iterable[str], prefix: str = "") -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL(prefix) + sql.Identifier(name) for name in names)


def _create_keyed(
    connection: psycopg.Connection, keyed: sql.Identifier, staging: sql.Identifier, request: LoadRequest
) -> None:
    """Adds `_key`, `_row_hash` and `_source_version` to the staged rows.

    A table of its own, not part of the insert: PostgreSQL computes it on several cores and knows its size afterwards.
    The hash only tells a changed row from an unchanged one, which MD5 does in half the time of SHA-256.
    """
    entity = request.entity
    columns = list(postgres_columns(entity))
    if entity.key == "content":
        content = sql.SQL("md5(row({})::text)").format(
            _fields(entity.stored_column(name) for name in entity.content_fields)
        )
        assert entity.content_instant is not None
        key = sql.SQL(
            "{content} || '-' || row_number() over (partition by {content},"
            " date_trunc('second', {instant}) order by _load_row)"
        ).format(content=content, instant=sql.Identifier(entity.content_instant))
    else:
        key = sql.SQL("concat_ws(':', {})").format(_fields(entity.stored_column(name) for name in entity.key))
    version: sql.Composable = sql.Literal(request.export_version)
    if entity.version:
        version = sql.Identifier(entity.version)
        if entity.fields[entity.version].type is FieldType.TIMESTAMP:
            version = sql.SQL("(extract(epoch from {}) * 1000000)::bigint").format(version)
    connection.execute("set local work_mem = '256MB'")
    connection.execute(
        sql.SQL(
            'create unlogged table {keyed} as select {columns}, ({key}) collate "C" as _key,'
            " md5(row({columns})::text)::uuid as _row_hash, ({version})::bigint as _source_version, _load_row"
            " from {staging}"
        ).format(keyed=keyed, columns=_fields(columns), key=key, version=version, staging=staging)
    )
    connection.execute(sql.SQL("analyze {}").format(keyed))


def _insert_versions(connection: psycopg.Connection, keyed: sql.Identifier, request: LoadRequest, sequence: int) -> int:
    columns = list(postgres_columns(request.entity))
    log = sql.Identifier(raw_schema(request.system), request.entity.name)
    source = sql.Literal(request.source_id)
    versioned = request.entity.version is not None or request.export_version is not None
    # A version that comes back after its key was deleted is new again.
    after_deletion = (
        sql.SQL(
            "and r._load_seq >= (select coalesce(max(d._load_seq), 0) from {log} as d"
            " where d._source_id = {source} and d._key = k._key and d._is_deleted)"
        ).format(log=log, source=source)
        if request.entity.deletes == "window"
        else sql.SQL("")
    )
    # With a version, a row is new unless the same key, version and content is stored. Without one, it is new unless
    # it repeats the last seen row of its key, before this load or within it; only keys with a row that was never
    # stored, or with a history of changes, need that look. Rows go in by key, because an index that grows at one end
    # costs half of one that grows everywhere.
    if versioned:
        new = sql.SQL(
            "select k.*, exists (select 1 from {log} as r where r._source_id = {source} and r._key = k._key)"
            " or row_number() over (partition by k._key order by k._source_version, k._load_row) > 1 as _is_change"
            " from (select distinct on (k._key, k._source_version, k._row_hash) k.* from {keyed} as k"
            " where not exists (select 1 from {log} as r where r._source_id = {source} and r._key = k._key"
            " and r._source_version is not distinct from k._source_version and r._row_hash = k._row_hash"
            " and not r._is_deleted {after_deletion})"
            " order by k._key, k._source_version, k._row_hash, k._load_row) as k"
        ).format(keyed=keyed, log=log, source=source, after_deletion=after_deletion)
    else:
        suspects = sql.Identifier("load", f"{request.source_id}__{request.entity.name}__suspects")
        connection.execute(
            sql.SQL(
                "create unlogged table {suspects} as select k._key from {keyed} as k"
                " where not exists (select 1 from {log} as r where r._source_id = {source} and r._key = k._key"
                " and r._row_hash = k._row_hash and not r._is_deleted)"
                " union all select k._key from {keyed} as k where exists (select 1 from {log} as r"
                " where r._source_id = {source} and r._key = k._key and r._is_change)"
            ).format(suspects=suspects, keyed=keyed, log=log, source=source)
        )
        connection.execute(sql.SQL("analyze {}").format(suspects))
        new = sql.SQL(
            "select o.*, o._before is not null or l._key is not null as _is_change"
            " from (select k.*, lag(k._row_hash) over (partition by k._key order by k._load_row) as _before"
            " from {keyed} as k where k._key in (select _key from {suspects})) as o"
            " left join (select distinct on (r._key) r._key, r._row_hash, r._is_deleted from {log} as r"
            " where r._source_id = {source} and r._key in (select _key from {suspects})"
            " order by r._key, r._source_version desc nulls last, r._load_seq desc, r._load_row desc) as l"
            " on o._key = l._key"
            " where case when o._before is not null then o._before <> o._row_hash"
            " else l._row_hash is null or l._is_deleted or l._row_hash <> o._row_hash end order by o._key"
        ).format(keyed=keyed, log=log, source=source, suspects=suspects)
    statement = sql.SQL(
        "insert into {log} ({columns}, _source_id, _key, _row_hash, _source_version, _load_seq, _load_row, _is_change,"
        " _is_deleted) select {columns}, {source}, _key, _row_hash, _source_version, {sequence}, _load_row, _is_change,"
        " false from ({new}) as new"
    ).format(new=new, log=log, columns=_fields(columns), source=source, sequence=sql.Literal(sequence))
    inserted = connection.execute(statement).rowcount
    if not versioned:
        connection.execute(sql.SQL("drop table {}").format(suspects))
    return inserted


def _insert_tombstones(
    connection: psycopg.Connection, keyed: sql.Identifier, request: LoadRequest, sequence: int
) -> int:
    columns = list(postgres_columns(request.entity))
    log = sql.Identifier(raw_schema(request.system), request.entity.name)
    in_window: sql.Composable = sql.SQL("true")
    if request.window is not None:
        assert request.entity.window_on is not None
        in_window = sql.SQL("{on} >= {start} and {on} < {end}").format(
            on=sql.Identifier(request.entity.window_on),
            start=sql.Literal(request.window.start),
            end=sql.Literal(request.window.end),
        )
    # A tombstone carries the version of the row it ends, so that it is the current row of its key.
    statement = sql.SQL(
        "with latest as (select distinct on (_key) * from {log} where _source_id = {source}"
        " order by _key, _source_version desc nulls last, _load_seq desc, _load_row desc)"
        " insert into {log}"
        " ({columns}, _source_id, _key, _row_hash, _source_version, _load_seq, _load_row, _is_change, _is_deleted)"
        " select {columns}, _source_id, _key, _row_hash, _source_version, {sequence},"
        " row_number() over (order by _key) - 1 + (select count(*) from {keyed}), true, true"
        " from latest where not _is_deleted and ({in_window}) and not exists"
        " (select 1 from {keyed} as k where k._key = latest._key)"
    ).format(
        log=log,
        source=sql.Literal(request.source_id),
        columns=_fields(columns),
        sequence=sql.Literal(sequence),
        in_window=in_window,
        keyed=keyed,
    )
    return connection.execute(statement).rowcount


def _store_texts(
    connection: psycopg.Connection,
    request: LoadRequest,
    sequence: int,
    texts: list[tuple[int, dict[str, pa.ChunkedArray]]],
    vault: Vault,
) -> None:
    if not texts:
        return
    log = sql.Identifier(raw_schema(request.system), request.entity.name)
    keys: dict[int, str] = dict(
        connection.execute(
            sql.SQL(
                "select _load_row, _key from {} where _source_id = %s and _load_seq = %s and not _is_deleted"
            ).format(log),
            [request.source_id, sequence],
        ).fetchall()
    )
    with connection.cursor().copy(
        "copy vault.message_text (source_id, entity, key, field, load_seq, ciphertext) from stdin"
    ) as copy:
        for offset, by_field in texts:
            for name, values in by_field.items():
                for index, text in enumerate(values.to_pylist()):
                    key = keys.get(offset + index)
                    if text is not None and key is not None:
                        identity = f"{request.source_id}/{request.entity.name}/{key}/{name}"
                        copy.write_row(
                            (request.source_id, request.entity.name, key, name, sequence, vault.encrypt(text, identity))
                        )


def _record_load(
    connection: psycopg.Connection,
    request: LoadRequest,
    report: LoadReport,
    cursor: dict[str, Any] | None,
    started: datetime,
) -> int:
    row = connection.execute(
        "insert into ops.load (load_seq, run_id, source_id, system, entity, window_start, window_end, read_count,"
        " inserted_count, unchanged_count, filtered_count, quarantined_count, tombstoned_count, filtered_by_rule,"
        " cursor_state, is_replay, started_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " returning load_id",
        [
            report.load_seq, request.run_id, request.source_id, request.system, request.entity.name,
            request.window.start if request.window else None, request.window.end if request.window else None,
            report.read, report.inserted, report.unchanged, sum(report.filtered.values()), report.quarantined,
            report.tombstoned, Jsonb(dict(report.filtered)), Jsonb(cursor) if cursor else None,
            request.is_replay, started,
        ],
    ).fetchone()  # fmt: skip
    assert row is not None
    return int(row[0])


def _store_rejects(
    connection: psycopg.Connection, request: LoadRequest, load_id: int, collected: _Collected, vault: Vault
) -> list[bytes]:
    """Stores what was refused, once; returns the digests of all records refused now, those known before too."""
    identity = f"{request.source_id}/{request.entity.name}"
    digests = []
    with connection.cursor() as cursor:
        for reject in collected.rejects:
            digest, sealed = vault.seal(reject.payload, identity)
            digests.append(digest)
            cursor.execute(
                "insert into ops.quarantine (source_id, system, entity, payload_digest, record_key, locator, field,"
                " found, expected, remedy, payload_encrypted, first_load_id)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " on conflict (source_id, entity, payload_digest) do nothing",
                [
                    request.source_id, request.system, request.entity.name, digest,
                    _record_key(request.entity, reject.payload), reject.locator, reject.field, reject.found,
                    reject.expected, reject.remedy, sealed, load_id,
                ],
            )  # fmt: skip
        for (name, kind), count in collected.drift.items():
            cursor.execute(
                "insert into ops.schema_drift values (%s, %s, %s, %s, %s, %s, %s)"
                " on conflict (source_id, entity, field, found_type) do update"
                " set record_count = excluded.record_count, last_load_id = excluded.last_load_id",
                [request.source_id, request.entity.name, name, kind, count, load_id, load_id],
            )
    return digests


def _record_key(entity: Entity, payload: dict[str, Any]) -> str | None:
    if entity.key == "content" or any(entity.fields[name].personal for name in entity.key):
        return None
    parts = [payload.get(name) for name in entity.key]
    return None if any(part is None for part in parts) else ":".join(str(part) for part in parts)


def _settle_quarantine(
    connection: psycopg.Connection,
    keyed: sql.Identifier,
    request: LoadRequest,
    load_id: int,
    collected: _Collected,
    digests: list[bytes],
) -> None:
    """Marks records as superseded whose key, or whose whole file, was now read without a fault."""
    connection.execute(
        sql.SQL(
            "update ops.quarantine set status = 'superseded', resolved_load_id = %s"
            " where source_id = %s and entity = %s and status = 'open' and payload_digest <> all(%s)"
            " and (record_key in (select _key from {}) or locator = any(%s)"
            " or regexp_replace(locator, ' row [0-9]+$', '') = any(%s))"
        ).format(keyed),
        [
            load_id, request.source_id, request.entity.name, digests, collected.faultless, collected.faultless,
        ],
    )  # fmt: skip

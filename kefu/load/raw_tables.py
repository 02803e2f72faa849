"""The version logs of the raw layer, generated from entity declarations (DESIGN 4.1)."""

from __future__ import annotations

import psycopg
from psycopg import sql

from connectors.contract import ARROW_TYPES, Entity, FieldType, System
from kefu.warehouse import Role, Warehouse, WarehouseError

_POSTGRES_TYPES = {
    ARROW_TYPES[FieldType.TEXT]: "text",
    ARROW_TYPES[FieldType.INTEGER]: "bigint",
    ARROW_TYPES[FieldType.NUMBER]: "numeric",
    ARROW_TYPES[FieldType.BOOLEAN]: "boolean",
    ARROW_TYPES[FieldType.TIMESTAMP]: "timestamp with time zone",
    ARROW_TYPES[FieldType.DATE]: "date",
}
# Text sorts and compares bytewise, so that keys and hashes mean the same on every machine.
LOG_COLUMNS = {
    "_source_id": 'text collate "C" not null',
    "_key": 'text collate "C" not null',
    "_row_hash": "uuid not null",
    "_source_version": "bigint",
    "_load_seq": "bigint not null",
    "_load_row": "bigint not null",
    # Whether the key had a version before this one.
    "_is_change": "boolean not null",
    "_is_deleted": "boolean not null",
}


def postgres_columns(entity: Entity) -> dict[str, str]:
    """Returns the stored columns of an entity with their PostgreSQL types."""
    return {field.name: _POSTGRES_TYPES[field.type] for field in entity.stored_schema()}


def raw_schema(system: str) -> str:
    """Returns the schema of a system's version logs."""
    return f"raw_{system}"


def ensure_raw_tables(warehouse: Warehouse, system: System) -> list[str]:
    """Creates or widens the version logs of a system; returns what changed (nothing on a second run).

    Raises:
        WarehouseError: when a declared column changed its type.
    """
    with warehouse.connect(Role.OWNER) as connection:
        return _ensure(connection, system)


def _ensure(connection: psycopg.Connection, system: System) -> list[str]:
    schema = raw_schema(system.system)
    changed = []
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("create schema if not exists {}").format(name))
    connection.execute(sql.SQL("grant usage on schema {} to kefu_loader, kefu_transformer, kefu_auditor").format(name))
    for entity in system.entities.values():
        found: dict[str, str] = dict(
            connection.execute(
                "select column_name::text, data_type::text from information_schema.columns"
                " where table_schema = %s and table_name = %s",
                [schema, entity.name],
            ).fetchall()
        )
        declared = postgres_columns(entity)
        if found and (lacking := sorted(set(LOG_COLUMNS) - set(found))):
            raise WarehouseError(
                f"{schema}.{entity.name} was made by another version of Kefu: it lacks {', '.join(lacking)}. Remedy: "
                "load into a new database"
            )
        table = sql.Identifier(schema, entity.name)
        if not found:
            columns = [
                sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind))
                for column, kind in (declared | LOG_COLUMNS).items()
            ]
            connection.execute(sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(columns)))
            connection.execute(
                sql.SQL(
                    "create unique index {} on {} (_source_id, _key, _source_version, _load_seq, _load_row)"
                ).format(sql.Identifier(f"{entity.name}_log"), table)
            )
            connection.execute(
                sql.SQL("create index {} on {} (_source_id, _key) where _is_change").format(
                    sql.Identifier(f"{entity.name}_changes"), table
                )
            )
            # Rows of a load lie together: what came since the last build is found without reading the rest.
            connection.execute(
                sql.SQL("create index {} on {} using brin (_load_seq) with (autosummarize = on)").format(
                    sql.Identifier(f"{entity.name}_loads"), table
                )
            )
            connection.execute(sql.SQL("comment on table {} is {}").format(table, sql.Literal(entity.description)))
            connection.execute(sql.SQL("grant select, insert on {} to kefu_loader").format(table))
            connection.execute(sql.SQL("grant select on {} to kefu_transformer, kefu_auditor").format(table))
            changed.append(f"{schema}.{entity.name}")
            continue
        for column, kind in declared.items():
            if column not in found:
                connection.execute(
                    sql.SQL("alter table {} add column {} {}").format(
                        table,
                        sql.Identifier(column),
                        sql.SQL(kind),
                    )
                )
                changed.append(f"{schema}.{entity.name}.{column}")
            elif found[column] != kind:
                raise WarehouseError(
                    f"{schema}.{entity.name}.{column} is {found[column]} in the warehouse but declared {kind}. "
                    "Remedy: declare a new field; stored versions never change their type"
                )
    return changed

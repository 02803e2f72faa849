"""Ordered, idempotent migrations and the passwords of the logins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
from psycopg import sql

from kefu.warehouse.connection import Role, Warehouse, WarehouseError

FOLDER = Path(__file__).parent / "migrations"


def migrate(warehouse: Warehouse) -> list[str]:
    """Brings the warehouse up to date; returns the names of the migrations applied now (none on a second run).

    Raises:
        WarehouseError: when an applied migration was edited.
    """
    with warehouse.connect(Role.OWNER) as connection:
        # Two starts at once must not race each other.
        connection.execute("select pg_advisory_xact_lock(hashtext('kefu migrate'))")
        connection.execute(
            "create schema if not exists kefu_migration; create table if not exists kefu_migration.applied"
            " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
        )
        known: dict[str, str] = dict(connection.execute("select name, sha256 from kefu_migration.applied").fetchall())
        applied = []
        for path in sorted(FOLDER.glob("*.sql")):
            body = path.read_text(encoding="utf-8")
            digest = hashlib.sha256(body.encode()).hexdigest()
            if path.name in known:
                if known[path.name] != digest:
                    raise WarehouseError(
                        f"migration {path.name} was changed after it was applied (found {digest[:12]}, applied "
                        f"{known[path.name][:12]}). Remedy: restore the file and write a new migration"
                    )
                continue
            connection.execute(body.encode())
            connection.execute("insert into kefu_migration.applied (name, sha256) values (%s, %s)", [path.name, digest])
            applied.append(path.name)
        for role in Role:
            if role is not Role.OWNER:
                _set_password(connection, role.value, warehouse.password(role))
        connection.execute("select payroll.log_sql_readers()")
    return applied


def _set_password(connection: psycopg.Connection, login: str, password: str) -> None:
    # The verifier is made here, so the server and its log never see the password itself.
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(login), sql.Literal(verifier)))

"""Connections to the warehouse, one login per duty (DESIGN 4.10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from kefu.settings import Settings
from kefu.warehouse import embedded

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection as AdbcConnection

MINIMUM_VERSION = 150000
# Any constant works; the advisory lock only has to be the same for every pipeline of one warehouse.
PIPELINE_LOCK = 0x6B656675


class Role(StrEnum):
    """Logins of the platform. OWNER runs migrations only."""

    OWNER = "owner"
    LOADER = "kefu_loader"
    TRANSFORMER = "kefu_transformer"
    TEXT = "kefu_text"
    BI = "kefu_bi"
    AUDITOR = "kefu_auditor"
    PLAN_AUTHOR = "kefu_plan_author"
    PLAN_APPROVER = "kefu_plan_approver"
    HR_APPROVER = "kefu_hr_approver"
    PAYROLL_CLERK = "kefu_payroll_clerk"


class WarehouseError(Exception):
    """The warehouse cannot be used as asked; the message says what to do."""


class Warehouse:
    """One PostgreSQL database, embedded or by URL.

    Args:
        settings: where it is and the passwords of its logins.
        database: name of the database on the embedded server.
    """

    def __init__(self, settings: Settings, database: str = "kefu") -> None:
        self.settings = settings
        self.database = database

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded server is used."""
        return not (self.settings.warehouse_url and self.settings.warehouse_url.get_secret_value())

    def parameters(self, role: Role) -> dict[str, str]:
        """Returns host, port, dbname, user, password and further libpq parameters of a login."""
        if self.settings.warehouse_url and self.settings.warehouse_url.get_secret_value():
            try:
                found = conninfo_to_dict(self.settings.warehouse_url.get_secret_value())
            except psycopg.ProgrammingError:
                # What the library says repeats parts of the URL, the password among them.
                raise WarehouseError(
                    "WAREHOUSE_URL is not a PostgreSQL address. Remedy: write it into .env as "
                    "postgresql://user:password@host:port/database, other characters than letters and digits in the "
                    "password as %XX"
                ) from None
            parameters = {"port": "5432"} | {name: str(value) for name, value in found.items() if value is not None}
        else:
            parameters = {
                "host": "127.0.0.1",
                "port": str(self.settings.kefu_postgres_port),
                "dbname": self.database,
                "user": "postgres",
                "password": self.settings.kefu_postgres_password.get_secret_value(),
            }
        if role is not Role.OWNER:
            parameters |= {"user": role.value, "password": self.password(role)}
        return parameters

    def password(self, role: Role) -> str:
        """Returns the password of a login other than the owner."""
        secret = getattr(self.settings, f"{role.value}_password")
        return str(secret.get_secret_value())

    def connect(self, role: Role, *, autocommit: bool = False) -> psycopg.Connection:
        """Returns an open psycopg connection in UTC. Raises WarehouseError when the server does not answer."""
        try:
            return psycopg.connect(
                **self.parameters(role),  # type: ignore[arg-type]
                autocommit=autocommit,
                options="-c timezone=UTC",
                application_name=f"kefu {role.value}",
            )
        except psycopg.OperationalError as error:
            where = {k: v for k, v in self.parameters(role).items() if k in ("host", "port", "dbname", "user")}
            hint = "run `kefu warehouse start`" if self.is_embedded else "check WAREHOUSE_URL in .env"
            raise WarehouseError(f"no connection to the warehouse at {where}: {error}. Remedy: {hint}") from error

    def adbc(self, role: Role) -> AdbcConnection:
        """Returns an open ADBC connection, for Arrow in by binary COPY."""
        import adbc_driver_postgresql.dbapi as adbc  # loads Arrow: a second that most commands do not need

        return adbc.connect(self.url(role))

    def url(self, role: Role, scheme: str = "postgresql") -> str:
        """Returns the address of a login in UTC, with its password: for libraries that take nothing else."""
        p = self.parameters(role)
        demands = "".join(f"&{k}={quote(v, safe='')}" for k, v in p.items() if k.startswith("ssl"))
        return (
            f"{scheme}://{quote(p['user'], safe='')}:{quote(p['password'], safe='')}"
            f"@{p['host']}:{p['port']}/{quote(p['dbname'], safe='')}?options=-c%20timezone%3DUTC{demands}"
        )

    def ensure_running(self) -> None:
        """Starts the embedded server if it is not running and creates the database; checks the version by URL."""
        if self.is_embedded:
            embedded.start(self.settings)
            with psycopg.connect(**{**self.parameters(Role.OWNER), "dbname": "postgres"}, autocommit=True) as owner:  # type: ignore[arg-type]
                for database in (self.database, "airflow"):
                    known = owner.execute("select 1 from pg_database where datname = %s", [database]).fetchone()
                    if not known:
                        owner.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        with self.connect(Role.OWNER) as connection:
            version = connection.info.server_version
            if version < MINIMUM_VERSION:
                raise WarehouseError(
                    f"the warehouse is PostgreSQL {version // 10000}, Kefu needs 15 or newer. Remedy: upgrade the "
                    "server or leave WAREHOUSE_URL empty to use the embedded one"
                )

    @contextmanager
    def pipeline_lock(self, purpose: str) -> Iterator[None]:
        """Holds the one lock of the warehouse. Raises WarehouseError naming the holder when it is taken."""
        with self.connect(Role.TRANSFORMER, autocommit=True) as connection:
            connection.execute("select set_config('application_name', %s, false)", [f"kefu pipeline: {purpose}"])
            row = connection.execute("select pg_try_advisory_lock(%s)", [PIPELINE_LOCK]).fetchone()
            if row is None or not row[0]:
                holder = connection.execute(
                    "select a.application_name, a.pid, a.backend_start from pg_locks as l"
                    " join pg_stat_activity as a on l.pid = a.pid"
                    " where l.locktype = 'advisory' and l.granted and l.objid = %s and a.datname = current_database()",
                    [PIPELINE_LOCK],
                ).fetchone()
                raise WarehouseError(
                    f"another pipeline holds the warehouse: {holder}. Remedy: wait until it has finished"
                )
            yield

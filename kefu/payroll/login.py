"""Who acts: every step of a close is a call by a database login, whose authenticated name the database compares."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from kefu.pipeline.context import Platform
from kefu.warehouse import Role, WarehouseError


class CloseRefused(WarehouseError):
    """The database refused a step; the message says what to settle first."""


def connect(platform: Platform, login: str) -> psycopg.Connection:
    """Returns a connection of a login: one of the platform's own, or a person's with the password of its variable.

    The variable of the login `ana` is KEFU_LOGIN_ANA_PASSWORD; such a password is never stored by the platform.

    Raises:
        CloseRefused: the login is not one of the platform's and its variable is not set.
    """
    if login in {role.value for role in Role if role is not Role.OWNER}:
        return platform.warehouse.connect(Role(login))
    variable = f"KEFU_LOGIN_{login.upper()}_PASSWORD"
    if not (password := os.environ.get(variable)):
        raise CloseRefused(f"found no password of the login {login}, expected it in {variable}. Remedy: set it")
    parameters: dict[str, Any] = platform.warehouse.parameters(Role.AUDITOR) | {"user": login, "password": password}
    try:
        return psycopg.connect(**parameters, options="-c timezone=UTC", application_name=f"kefu {login}")
    except psycopg.OperationalError as error:
        raise CloseRefused(f"{login} cannot log in: {error}. Remedy: check {variable}") from error


def call(
    platform: Platform, login: str, function: str, arguments: Sequence[Any], schema: str = "payroll"
) -> dict[str, Any]:
    """Calls a function of a step as a login; returns its row, one entry per column.

    Raises:
        CloseRefused: with the reason and the remedy of the database, or because the login may not call it.
    """
    places = ", ".join(["%s"] * len(arguments))
    with connect(platform, login) as connection:
        try:
            cursor = connection.cursor(row_factory=dict_row)
            return cursor.execute(f"select * from {schema}.{function}({places})".encode(), arguments).fetchone() or {}
        except psycopg.errors.RaiseException as error:
            said = error.diag
            found = f"{said.column_name}: found {said.message_primary}, expected {said.message_detail}"
            hint = f". Remedy: {said.message_hint}" if said.message_hint else ""
            raise CloseRefused(f"{found if said.message_detail else said.message_primary}{hint}") from error
        except psycopg.errors.IntegrityError as error:
            raise CloseRefused(
                f"{schema}.{function} was given something it does not take: {error.diag.message_primary}. Remedy: a "
                "reason has five characters or more, and what was decided once stays decided"
            ) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise CloseRefused(
                f"the login {login} may not call {schema}.{function}: {error.diag.message_primary}. Remedy: let "
                "somebody do it whose duty it is (docs/payroll.md)"
            ) from error


@dataclass(frozen=True)
class Reader:
    """Who reads pay or scores: the login that is recorded, the command, and what for; a real period needs that."""

    login: str
    command: str
    purpose: str | None = None


@contextmanager
def reading(
    platform: Platform, who: Reader, mart: str, period_id: str | None = None, agents: Sequence[str] = ("all",)
) -> Iterator[psycopg.Connection]:
    """Gives the connection on which pay and scores are read, once the access log says who does (reliability.md 8).

    The entry is committed before, so that nothing takes it back, also no reading that fails.

    Args:
        platform: the installation.
        who: who reads, and what for.
        mart: relation or folder that is read.
        period_id: period of the rows; None: of every period.
        agents: HR ids of those whose rows are read.

    Raises:
        CloseRefused: the login may not read pay, or gives no purpose for a real period.
    """
    arguments = [who.command, mart, period_id, list(agents), who.purpose, getpass.getuser()]
    call(platform, who.login, "record_access", arguments)
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        yield connection


def fetch(
    platform: Platform,
    statement: str,
    arguments: Sequence[Any] | Mapping[str, Any] = (),
    login: str = Role.AUDITOR.value,
) -> list[dict[str, Any]]:
    """Returns rows of the payroll schema as the auditor sees them, one entry per column."""
    with connect(platform, login) as connection:
        return rows_on(connection, statement, arguments)


def rows_on(
    connection: psycopg.Connection, statement: str, arguments: Sequence[Any] | Mapping[str, Any] = ()
) -> list[dict[str, Any]]:
    """Returns rows of a statement, one entry per column."""
    return connection.cursor(row_factory=dict_row).execute(statement.encode(), arguments).fetchall()

"""Which login may do what, as a table; and that the server means it."""

from __future__ import annotations

from collections import defaultdict

import psycopg
import pytest

from kefu.payroll import Close
from kefu.pipeline.context import Platform
from kefu.warehouse import Role

LOGINS = [
    Role.LOADER, Role.TRANSFORMER, Role.TEXT, Role.BI, Role.AUDITOR, Role.PLAN_AUTHOR, Role.PLAN_APPROVER,
    Role.HR_APPROVER, Role.PAYROLL_CLERK,
]  # fmt: skip
# S select, I insert, U update, D delete, T truncate: a capital on all tables of the schema, a small letter on some.
# A dot: nothing.
RIGHTS = """
schema                loader  transformer  text  bi  auditor  plan_author  plan_approver  hr_approver  payroll_clerk
kefu_migration        .       .            .     .   .        .            .           .            .
raw_asterisk          SI      S            .     .   S        .            .           .            .
raw_chatwoot          SI      S            .     .   S        .            .           .            .
raw_live_helper_chat  SI      S            .     .   S        .            .           .            .
raw_tabular           SI      S            .     .   S        .            .           .            .
vault                 I       .            SD    .   .        .            .           .            .
cfg                   s       S            s     .   S        Si           Si          Si           .
ops                   siu     Siud         si    .   S        si           si          si           .
stats                 .       SID          .     .   S        S            S           S            .
wh_staging            .       SIUDT        .     .   S        .            .           .            .
wh_intermediate       .       SIUDT        .     .   S        .            .           .            .
wh_core               .       SIUDT        .     .   S        .            .           .            .
wh_kpi                .       SIUDT        .     .   S        .            .           .            .
wh_appraisal          .       SIUDT        .     .   S        .            .           .            .
wh_operations         .       SIUDT        .     .   S        .            .           .            .
pub_kpi               .       SIUDT        .     S   S        .            .           .            .
pub_appraisal         .       SIUDT        .     S   S        .            .           .            .
pub_operations        .       SIUDT        .     S   S        .            .           .            .
payroll               .       s            .     .   S        S            S           S            s
"""


def rights(platform: Platform) -> dict[str, dict[str, str]]:
    """Returns what each login may do in each schema whose use it has."""
    with platform.warehouse.connect(Role.OWNER) as connection:
        rows = connection.execute(
            "select n.nspname, r.login, has_schema_privilege(r.login, n.oid, 'usage'),"
            " has_any_column_privilege(r.login, c.oid, 'select'), has_any_column_privilege(r.login, c.oid, 'insert'),"
            " has_any_column_privilege(r.login, c.oid, 'update'), has_table_privilege(r.login, c.oid, 'delete'),"
            " has_table_privilege(r.login, c.oid, 'truncate')"
            " from pg_class as c join pg_namespace as n on c.relnamespace = n.oid, unnest(%s::text[]) as r (login)"
            " where c.relkind in ('r', 'v') and n.nspname !~ '^(pg_|information_schema)'",
            [[role.value for role in LOGINS]],
        ).fetchall()
    allowed: dict[tuple[str, str], list[tuple[bool, ...]]] = defaultdict(list)
    for schema, login, has_usage, *privileges in rows:
        allowed[schema, login].append(tuple(has_usage and privilege for privilege in privileges))
    table: dict[str, dict[str, str]] = defaultdict(dict)
    for (schema, login), found in allowed.items():
        letters = [
            letter if all(column) else letter.lower()
            for letter, column in zip("SIUDT", zip(*found, strict=True), strict=True)
            if any(column)
        ]
        table[schema][login.removeprefix("kefu_")] = "".join(letters) or "."
    return dict(table)


def test_the_rights_of_every_login_in_every_schema(closed: tuple[Platform, Close]) -> None:
    header, *lines = [line.split() for line in RIGHTS.strip().splitlines()]
    expected = {line[0]: dict(zip(header[1:], line[1:], strict=True)) for line in lines}
    found = rights(closed[0])
    assert len(expected) == len(found) == 19
    different = {
        (schema, login): (found[schema][login], f"expected {letters}")
        for schema, logins in expected.items()
        for login, letters in logins.items()
        if found[schema][login] != letters
    }
    assert different == {}


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (Role.BI, "select * from payroll.snapshot"),
        (Role.BI, "select * from cfg.object_version"),
        (Role.BI, "select * from wh_appraisal.score"),
        (Role.BI, "select * from raw_tabular.employee"),
        (Role.BI, "select * from vault.message_text"),
        (Role.TRANSFORMER, "select * from vault.message_text"),
        (Role.TRANSFORMER, "select * from payroll.snapshot"),
        (Role.TRANSFORMER, "insert into raw_tabular.exam (_source_id) values ('sheets')"),
        (Role.LOADER, "select ciphertext from vault.message_text"),
        (Role.LOADER, "update raw_asterisk.queue_log set agent = 'NONE'"),
        (Role.LOADER, "delete from raw_asterisk.queue_log"),
        (Role.LOADER, "truncate raw_asterisk.queue_log"),
        (Role.LOADER, "update ops.quarantine set payload_encrypted = ''"),
        (Role.LOADER, "select * from pub_kpi.metric_value"),
        (Role.AUDITOR, "select * from vault.message_text"),
        (Role.AUDITOR, "delete from ops.quality_result"),
        (Role.TEXT, "select * from raw_live_helper_chat.message"),
        (Role.PLAN_AUTHOR, "select * from vault.message_text"),
        (Role.PLAN_APPROVER, "update cfg.object_version set valid_from = '2026-01-01'"),
    ],
)
def test_the_server_refuses(closed: tuple[Platform, Close], role: Role, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), closed[0].warehouse.connect(role) as connection:
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", LOGINS)
def test_only_the_transformer_makes_schemas_and_nobody_writes_to_public(
    closed: tuple[Platform, Close], role: Role
) -> None:
    with closed[0].warehouse.connect(role) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("create table public.notes (note text)")
        if role is not Role.TRANSFORMER:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute("create schema notes")
        may = connection.execute(
            "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles"
            " where rolname = current_user"
        ).fetchone()
    assert may == (False, False, False, False, False)


def test_a_login_without_its_password_is_refused(closed: tuple[Platform, Close]) -> None:
    parameters = closed[0].warehouse.parameters(Role.BI)
    for wrong in ("", "kefu_bi", closed[0].warehouse.password(Role.LOADER)):
        with pytest.raises(psycopg.OperationalError, match=r"password|fe_sendauth"):
            psycopg.connect(**(parameters | {"password": wrong}))  # type: ignore[arg-type]

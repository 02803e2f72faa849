"""Disputes that people hand in as a sheet: a row becomes one dispute, or waits in the quarantine with the reason."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import psycopg

from kefu.load.vault import Vault
from kefu.payroll.login import CloseRefused, call, rows_on
from kefu.pipeline.context import Platform
from kefu.warehouse import Role

ENTITY = "dispute"
# What a row is about; it is filed once, whatever else is corrected in it.
_KEY = ("employee_number", "period_id", "object_kind", "object_key")
_FIELDS = (*_KEY, "claim", "reason", "filed_on", "filed_by")
_LOCATOR = "filing of "


def _columns(alias: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


_HANDED_IN = f"""
select s.source_id, {_columns("s", _FIELDS)}, arrived.load_seq, last.place
from wh_staging.stg_tabular__dispute as s
cross join lateral (
    select min(r._load_seq) as load_seq from raw_tabular.dispute as r
    where r._source_id = s.source_id and ({_columns("r", _KEY)}) = ({_columns("s", _KEY)})
) as arrived
-- Where these words of it were first read; NULL where that was no file.
cross join lateral (
    select max(f.file || ' row ' || f.row_numbers[r._load_row - f.first_load_row + 1]) as place
    from (
        select * from raw_tabular.dispute as r
        where r._source_id = s.source_id and ({_columns("r", _KEY)}) = ({_columns("s", _KEY)})
        order by r._load_seq desc, r._load_row desc
        limit 1
    ) as r
    join ops.load_file as f
        on r._load_seq = f.load_seq
        and r._load_row between f.first_load_row and f.first_load_row + cardinality(f.row_numbers) - 1
) as last
order by arrived.load_seq, {_columns("s", _KEY)}
"""


@dataclass
class Filed:
    """What became of the rows: numbers of the new disputes, and the rows that wait, by what they are about."""

    numbers: list[int] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Returns it as one readable line."""
        return f"disputes: {len(self.numbers)} filed from sheets, {len(self.waiting)} wait in quarantine"


class _RefusedError(Exception):
    """A row that cannot be filed now: field, found, expected, remedy."""


def file_sheets(platform: Platform) -> Filed:
    """Files every row of a dispute sheet that is not filed yet and can be; the others wait with the reason.

    A dispute and the key that says it is filed are written in one transaction, so a run that was killed goes on where
    it was. A row that a person dismissed is not asked again.
    """
    vault = Vault(platform.settings)
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = rows_on(connection, _HANDED_IN)
        filed = _column(connection, "select sheet_key from payroll.dispute_status where sheet_key is not null")
        people = _column(connection, "select employee_number from wh_staging.stg_tabular__employee")
    with platform.warehouse.connect(Role.LOADER) as connection:
        dismissed = _column(
            connection, f"select payload_digest from ops.quarantine where entity = '{ENTITY}' and status = 'dismissed'"
        )
    outcome = Filed()
    refused: list[tuple[dict[str, Any], bytes, bytes, tuple[str, ...]]] = []
    done: list[bytes] = []
    for row in rows:
        digest, sealed = vault.seal({name: str(row[name]) for name in _FIELDS}, f"{row['source_id']}/{ENTITY}")
        if _sheet_key(row) in filed:
            done.append(digest)
        elif digest not in dismissed:
            try:
                outcome.numbers.append(_file(platform, row, people))
                done.append(digest)
            except _RefusedError as problem:
                refused.append((row, digest, sealed, problem.args))
                outcome.waiting.append(_name(row))
    with platform.warehouse.connect(Role.LOADER) as connection:
        for waiting in refused:
            _keep(connection, *waiting)
        connection.execute(
            "update ops.quarantine set"
            " status = case when payload_digest = any(%s) then 'replayed' else 'superseded' end"
            " where entity = %s and status = 'open' and starts_with(locator, %s) and payload_digest <> all(%s)",
            [done, ENTITY, _LOCATOR, [digest for _, digest, _, _ in refused]],
        )
    return outcome


def _column(connection: psycopg.Connection, statement: str) -> set[Any]:
    return {value for (value,) in connection.execute(statement.encode())}


def _name(row: dict[str, Any]) -> str:
    return ":".join(row[name] for name in _KEY)


def _sheet_key(row: dict[str, Any]) -> str:
    return hashlib.sha256("\n".join(row[name] for name in _KEY).encode()).hexdigest()


def _file(platform: Platform, row: dict[str, Any], people: set[str]) -> int:
    """Returns the number of the dispute of a row.

    Raises:
        _RefusedError: somebody is unknown, there is no such object of this person, or the period takes no dispute now.
    """
    for name in ("employee_number", "filed_by"):
        if row[name] not in people:
            raise _RefusedError(
                name, row[name], "the personnel number of somebody HR has delivered",
                "correct it in the sheet, or hand in the employee",
            )  # fmt: skip
    arguments = [
        _sheet_key(row), row["load_seq"], row["filed_by"], row["filed_on"], row["period_id"], row["employee_number"],
        row["object_kind"], row["object_key"], f"{row['claim']} ({row['reason']})",
    ]  # fmt: skip
    try:
        return int(call(platform, Role.LOADER, "file_dispute", arguments)["file_dispute"])
    except CloseRefused as refusal:
        diagnosis = refusal.__cause__.diag if isinstance(refusal.__cause__, psycopg.Error) else None
        raise _RefusedError(
            (diagnosis and diagnosis.column_name) or "period_id",
            (diagnosis and diagnosis.message_primary) or str(refusal),
            (diagnosis and diagnosis.message_detail) or "a period that takes disputes, and a sheet that came in time",
            (diagnosis and diagnosis.message_hint) or "it is filed by itself once the period takes disputes",
        ) from refusal


def _keep(
    connection: psycopg.Connection, row: dict[str, Any], digest: bytes, sealed: bytes, problem: tuple[str, ...]
) -> None:
    """Lets a row wait, or wait on with today's reason; what a person dismissed stays dismissed.

    Its `record_key` is NULL: reading the sheet again without a fault settles nothing.
    """
    connection.execute(
        "insert into ops.quarantine (source_id, system, entity, payload_digest, locator, field, found, expected,"
        " remedy, payload_encrypted, first_load_id)"
        " select source_id, system, entity, %s, %s, %s, %s, %s, %s, %s, load_id from ops.load where load_seq = %s"
        " on conflict (source_id, entity, payload_digest) do update set locator = excluded.locator,"
        " field = excluded.field,"
        " found = excluded.found, expected = excluded.expected, remedy = excluded.remedy, status = 'open',"
        " resolved_load_id = null where quarantine.status <> 'dismissed'",
        [
            digest,
            _LOCATOR + ": ".join(filter(None, [row["place"], _name(row)])),
            *problem,
            sealed,
            row["load_seq"],
        ],
    )

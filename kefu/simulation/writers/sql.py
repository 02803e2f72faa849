"""Tables of a simulated system, made and filled in one go in SQLite, MariaDB or PostgreSQL."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import starmap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from pyarrow import csv

from kefu.yaml_files import read_yaml

_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql", "postgresql": "postgresql+psycopg"}
_BATCH_ROWS = 50_000
# Some megabytes: a server takes sixteen in one statement.
_STATEMENT_ROWS = 5_000
_TYPES: dict[str, tuple[sa.types.TypeEngine[Any], str | None]] = {
    "int": (sa.Integer(), "0"),
    "bigint": (sa.BigInteger(), "0"),
    "datetime": (sa.DateTime(), None),
    "text": (sa.Text(), ""),
}


def declared_tables(path: Path) -> dict[str, sa.Table]:
    """Returns the tables that a YAML file declares as `table: {column: type}`; `id` is a table's primary key.

    Numbers are 0 and texts empty where a row says nothing of them.
    """
    metadata = sa.MetaData()
    return {
        name: sa.Table(name, metadata, *starmap(_column, columns.items()), mysql_charset="utf8mb4")
        for name, columns in read_yaml(path).items()
    }


def _column(name: str, declared: str) -> sa.Column[Any]:
    if name == "id":
        return sa.Column(name, _TYPES[declared][0], primary_key=True)
    length = re.fullmatch(r"varchar\((\d+)\)", declared)
    kind, default = (sa.String(int(length[1])), "") if length else _TYPES[declared]
    return sa.Column(name, kind, server_default=default)


@contextmanager
def transaction(url: str) -> Iterator[sa.Connection]:
    """Gives a connection whose work is committed at the end, or undone."""
    address = sa.make_url(url)
    engine = sa.create_engine(address.set(drivername=_DRIVERS.get(address.drivername, address.drivername)))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def fill(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Makes the table, unless it stands there empty, and inserts those columns of `rows` that it has.

    Instants are given as text; columns that `rows` lack take their default. Raises ValueError when the table holds
    rows already: nothing real is overwritten.
    """
    table.create(connection, checkfirst=True)
    if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
        raise ValueError(f"table {table.name} holds rows already: name an empty database to write a simulation to")
    rows = rows.select([column.name for column in table.columns if column.name in rows.column_names])
    quote = connection.dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(map(quote, rows.column_names))})"
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "postgresql":
        _copy(driver, target, rows)
        _move_sequence(connection, table)
    elif connection.dialect.name == "sqlite":
        marks = ", ".join("?" * rows.num_columns)
        for batch in rows.to_batches(_BATCH_ROWS):
            values = zip(*(column.to_pylist() for column in batch.columns), strict=True)
            driver.executemany(f"INSERT INTO {target} VALUES ({marks})", values)
    else:
        _insert_literals(driver, target, rows)


def _insert_literals(driver: Any, target: str, rows: pa.Table) -> None:
    """Sends rows as text: MariaDB's driver would spend most of the time on putting in one value after another."""
    lines = pc.binary_join_element_wise(*map(_literals, rows.columns), ",")
    with driver.cursor() as cursor:
        for first in range(0, rows.num_rows, _STATEMENT_ROWS):
            values = "),(".join(lines.slice(first, _STATEMENT_ROWS).to_pylist())
            cursor.execute(f"INSERT INTO {target} VALUES ({values})")


def _literals(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = column.cast(pa.string())
    if pa.types.is_string(column.type):
        text = pc.replace_substring(pc.replace_substring(text, "\\", "\\\\"), "'", "''")
        text = pc.binary_join_element_wise("'", text, "'", "")
    return pc.fill_null(text, "NULL")


def _copy(driver: Any, target: str, rows: pa.Table) -> None:
    text = io.BytesIO()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False))
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} FROM STDIN (FORMAT csv)") as copy:
        copy.write(text.getbuffer())


def _move_sequence(connection: sa.Connection, table: sa.Table) -> None:
    """Moves the sequence behind the ids that were given."""
    for column in table.primary_key:
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.coalesce(sa.func.max(column), 1))))

"""Tables of Asterisk's SQL back ends as batches of text columns, read through a server-side cursor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchTableError, SQLAlchemyError

from connectors.asterisk.files import Batch
from connectors.asterisk.layouts import Layout
from connectors.asterisk.settings import Database
from connectors.contract import SourceError, Window

_BATCH_ROWS = 50_000
# SQLAlchemy would look for another driver under these names than the one we install.
_DRIVERS = {"mysql": "mysql+pymysql", "mariadb": "mariadb+pymysql"}
_LONGEST_CLOCK_CHANGE = timedelta(hours=3)


def read_table(
    source: Database, layout: Layout, ignored: tuple[str, ...], window: Window | None, time_zone: str
) -> Iterator[Batch]:
    """Yields the rows of `source.table` with every column as text, so that all engines and column types agree.

    Columns in `ignored` never leave the server. The window is applied in the server's zone and may bring a few
    rows from outside; it leaves none out. Raises SourceError with the remedy.
    """
    url = _url(source)
    shown = f"table {source.table} of {url.render_as_string(hide_password=True)}"
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            query = _query(connection, source, layout, ignored, window, time_zone, shown)
            names = [column.name for column in query.selected_columns]
            number = 0
            rows = connection.execution_options(yield_per=_BATCH_ROWS).execute(query)
            for part in rows.partitions():
                texts = (pa.array(values, pa.string()) for values in zip(*part, strict=True))
                columns = dict(zip(names, texts, strict=True))
                columns["_number"] = pa.array(range(number + 1, number + 1 + len(part)), pa.int64())
                columns["_line"] = pa.nulls(len(part), pa.string())
                number += len(part)
                yield Batch(f"{source.table} row", pa.table(columns))
    except NoSuchTableError as error:
        raise SourceError(f"{shown}: no such table; correct `table` in the source's settings") from error
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise SourceError(
            f"{shown}: {cause}; check the address, that the server runs, and that the account may SELECT"
        ) from error


def _url(source: Database) -> sa.URL:
    if source.url_env is None:
        text, place = str(source.url), "url"
    else:
        text, place = os.environ.get(source.url_env, ""), f"environment variable {source.url_env}"
        if not text:
            raise SourceError(f"{place} is not set; give it the database URL, for example in .env")
    try:
        url = sa.make_url(text)
    except ArgumentError:
        # No cause is attached: its message may repeat the URL with the password.
        raise SourceError(
            f"{place} holds no database URL; expected the form mysql://user:password@host/asteriskcdrdb"
        ) from None
    # SQLite would create a missing file instead of failing.
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise SourceError(f"{url.database}: no such SQLite file; correct {place}")
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


def _query(
    connection: sa.Connection,
    source: Database,
    layout: Layout,
    ignored: tuple[str, ...],
    window: Window | None,
    time_zone: str,
    shown: str,
) -> sa.Select[*tuple[Any, ...]]:
    schema, _, name = source.table.rpartition(".")
    found = {
        column["name"]: sa.column(column["name"], column["type"])
        for column in sa.inspect(connection).get_columns(name, schema=schema or None)
    }
    chosen = layout.chosen(found)
    missing = [field for field in layout.needed if field not in chosen]
    if missing:
        raise SourceError(
            f"{shown}: no column for {', '.join(missing)} among {', '.join(found)}; "
            "correct `table` in the source's settings or make a view with Asterisk's column names"
        )
    wanted = [column for column in found if column not in layout.names and column not in ignored]
    query: sa.Select[*tuple[Any, ...]] = sa.select(
        *(_text(found[column]).label(column) for column in [*chosen.values(), *wanted])
    )
    query = query.select_from(sa.table(name, *found.values(), schema=schema or None))
    if layout.order_by and all(column in found for column in layout.order_by):
        query = query.order_by(*(found[column] for column in layout.order_by))
    if window is None:
        return query
    instant = found[chosen[layout.instants[0]]]
    start, end = _walls(window, UTC if source.time_is == "utc" else ZoneInfo(time_zone))
    if isinstance(instant.type, sa.DateTime) and connection.dialect.name != "sqlite":
        if instant.type.timezone:
            return query.where(instant >= window.start, instant < window.end)
        return query.where(instant >= start, instant < end)
    return query.where(instant >= start.isoformat(" "), instant < end.isoformat(" "))


def _text(column: sa.ColumnClause[Any]) -> sa.ColumnElement[str]:
    if isinstance(column.type, sa.DateTime) and column.type.timezone:
        return sa.cast(sa.func.timezone("UTC", column), sa.String) + "Z"
    return sa.cast(column, sa.String)


def _walls(window: Window, zone: tzinfo) -> tuple[datetime, datetime]:
    """Returns the wall-clock times, whole seconds, between which the rows of the window stand.

    A repeated hour is read as its first pass (`connectors.conform`), so a window that ends in the second pass
    holds the whole hour: its end is moved on by what the clock was put back shortly before.
    """
    end = window.end + timedelta(microseconds=-window.end.microsecond % 1_000_000)
    start_wall = window.start.astimezone(zone).replace(tzinfo=None, microsecond=0)
    end_wall = end.astimezone(zone).replace(tzinfo=None)
    before = (end - _LONGEST_CLOCK_CHANGE).astimezone(zone).replace(tzinfo=None) + _LONGEST_CLOCK_CHANGE
    return start_wall, max(end_wall, before)

"""Rows of one query, streamed from any database that SQLAlchemy reaches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Date, bindparam, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from connectors.conform import conform
from connectors.contract import Chunk, Context, Entity, FieldType, SourceError, Window
from connectors.tabular.cells import as_text
from connectors.tabular.settings import Settings

_ROWS_PER_CHUNK = 50_000


def read_query(
    settings: Settings, query: str, entity: Entity, window: Window | None, context: Context
) -> Iterator[Chunk]:
    """Yields the rows of `query` whose `entity.window_on` lies in `window`.

    A date lies in the window when its local midnight does. Raises SourceError when the database cannot be
    reached, refuses the query, or answers without a required column.
    """
    place = f"source {context.source_id}, entity {entity.name}"
    statement = text(query)
    slack = timedelta(days=1)
    dates = {"window_start": date.min, "window_end": date.max}
    if window is not None:
        dates = {
            "window_start": window.start.astimezone(UTC).date() - slack,
            "window_end": window.end.astimezone(UTC).date() + 2 * slack,
        }
    parameters = set(statement.compile().params)
    if unknown := sorted(parameters - set(dates)):
        raise SourceError(
            f"{place}: the query has parameters {unknown}, known are {sorted(dates)}; write \\: for a plain colon"
        )
    statement = statement.bindparams(*(bindparam(name, dates[name], type_=Date()) for name in sorted(parameters)))
    try:
        with _engine(settings, place).connect() as connection:
            streaming = {"stream_results": True, "max_row_buffer": _ROWS_PER_CHUNK}
            result = connection.execute(statement, execution_options=streaming)
            columns = list(result.keys())
            _check_columns(columns, entity, place)
            for rows in result.partitions(_ROWS_PER_CHUNK):
                chunk = _conformed(columns, [tuple(row) for row in rows], entity, context)
                yield chunk if window is None else _within(chunk, entity, window, context)
    except DBAPIError as error:
        raise SourceError(f"{place}: the database answered {error.orig}; check the query and the access") from error
    except SQLAlchemyError as error:
        raise SourceError(f"{place}: {error}; check the query and the access") from error


def _engine(settings: Settings, place: str) -> Engine:
    address = settings.url
    if settings.url_env is not None:
        address = os.environ.get(settings.url_env)
        if not address:
            raise SourceError(f"{place}: environment variable {settings.url_env} is not set; put the address into it")
    assert address is not None
    try:
        engine = create_engine(address, poolclass=NullPool, hide_parameters=True)
    except (ArgumentError, ModuleNotFoundError) as error:
        # The error of a wrong address may hold its password, so it is not chained.
        raise SourceError(
            f"{place}: no database can be opened at that address ({type(error).__name__}); "
            "write it as sqlite:///, postgresql+psycopg:// or mysql+pymysql://"
        ) from None
    file = engine.url.database
    if engine.dialect.name == "sqlite" and file and not file.startswith("file:") and not Path(file).exists():
        # SQLite would create an empty database and then miss the table.
        raise SourceError(f"{place}: there is no database file {file}; correct url")
    return engine


def _check_columns(columns: list[str], entity: Entity, place: str) -> None:
    missing = [name for name, declared in entity.fields.items() if declared.required and name not in columns]
    repeated = sorted({name for name in columns if columns.count(name) > 1})
    if missing or repeated:
        raise SourceError(f"{place}: the query lacks columns {missing} and repeats {repeated}; name each field once")


def _conformed(columns: list[str], rows: list[tuple[object, ...]], entity: Entity, context: Context) -> Chunk:
    values = dict(zip(columns, zip(*rows, strict=True), strict=True))
    raw = {name: [as_text(value) for value in values[name]] for name in columns if name in entity.fields}

    def locator(index: int) -> str:
        return f"{entity.name} " + ", ".join(f"{name}={raw[name][index]}" for name in entity.key)

    table = pa.table({name: pa.array(column, pa.string()) for name, column in raw.items()})
    chunk = conform(entity, table, context, locator=locator)
    # Values of undeclared columns end here: nothing but their name, type and number goes on.
    for name in columns:
        present = [value for value in values[name] if value is not None]
        if name not in entity.fields and name not in entity.ignored and present:
            chunk.drift[name, type(present[0]).__name__] = len(present)
    return chunk


def _within(chunk: Chunk, entity: Entity, window: Window, context: Context) -> Chunk:
    if entity.window_on is None:
        return chunk
    column = chunk.rows[entity.window_on]
    start: date = window.start
    end: date = window.end
    if entity.fields[entity.window_on].type is FieldType.DATE:
        start, end = _first_midnight(window.start, context), _first_midnight(window.end, context)
    inside = pc.and_(
        pc.greater_equal(column, pa.scalar(start, column.type)), pc.less(column, pa.scalar(end, column.type))
    )
    rows = chunk.rows.filter(inside)
    return Chunk(rows=rows, read=rows.num_rows + len(chunk.rejects), rejects=chunk.rejects, drift=chunk.drift)


def _first_midnight(instant: datetime, context: Context) -> date:
    """Returns the first local date that begins at or after `instant`."""
    local = instant.astimezone(ZoneInfo(context.time_zone))
    return local.date() if local.time() == datetime.min.time() else local.date() + timedelta(days=1)

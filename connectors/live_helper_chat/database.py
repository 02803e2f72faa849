"""The server's tables by SQLAlchemy: one streamed query for an entity, in batches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from connectors.contract import Entity, SourceError
from connectors.live_helper_chat.tables import CHAT_TABLE, TABLES, Span, Table, arrow_column

BATCH_ROWS = 10_000
_DRIVERS = {
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "postgresql": "postgresql+psycopg",
    "sqlite": "sqlite",
}


def batches(url: str, entity: Entity, asked: Span | None) -> Iterator[pa.Table]:
    """Yields the entity's records under the server's column names, by ascending id.

    Columns that the entity ignores are never selected, so personal data in them does not leave the server.
    Raises SourceError when the database cannot be reached or lacks the table.
    """
    table = TABLES[entity.name]
    engine = _engine(url)
    try:
        with engine.connect() as connection:
            columns = [column["name"] for column in sa.inspect(connection).get_columns(table.name)]
            query = _query(table, columns, entity, asked)
            result = connection.execution_options(yield_per=BATCH_ROWS).execute(query)
            for rows in result.partitions():
                yield pa.table(
                    {
                        name: arrow_column(values)
                        for name, values in zip(result.keys(), zip(*rows, strict=True), strict=True)
                    }
                )
    except sa.exc.NoSuchTableError as error:
        raise SourceError(
            f"{table.name}: no such table in the database of entity {entity.name}; "
            "check the database name in the URL and the account's SELECT right"
        ) from error
    except sa.exc.SQLAlchemyError as error:
        # Only the driver's own words: the statement and the URL are nobody's business in a log.
        cause = getattr(error, "orig", None) or type(error).__name__
        raise SourceError(
            f"{table.name}: reading entity {entity.name} failed: {cause}; check the URL, the account and the server"
        ) from error
    finally:
        engine.dispose()


def _engine(url: str) -> sa.Engine:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        # The text may hold a password, so neither it nor the cause is shown.
        raise SourceError("the database URL cannot be parsed; expected kind://user:password@host/database") from None
    driver = _DRIVERS.get(parsed.get_backend_name())
    if driver is None:
        raise SourceError(
            f"database kind {parsed.get_backend_name()!r} is not supported; expected one of {', '.join(_DRIVERS)}"
        )
    if driver != "sqlite":
        return sa.create_engine(parsed.set(drivername=driver))
    file = Path(parsed.database or "").resolve()
    # Read-only: SQLite would otherwise create a missing file and then miss the tables.
    return sa.create_engine("sqlite://", creator=lambda: sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True))


def _query(table: Table, columns: list[str], entity: Entity, asked: Span | None) -> sa.Select[tuple[object, ...]]:
    source = sa.table(table.name, *(sa.column(name) for name in columns))
    query = sa.select(*(source.c[name] for name in columns if name not in entity.ignored)).order_by(source.c.id)
    if asked is None or entity.window_on is None:
        return query
    instant = source.c[table.column(entity.window_on)]
    query = query.where(instant >= asked.first, instant < asked.end)
    if table.of_chat:
        # The server has no index on a message's time, only on the chat's: the join keeps a window cheap.
        chat = sa.table(CHAT_TABLE, sa.column("id"), sa.column("time"))
        query = query.join(chat, chat.c.id == source.c.chat_id)
        query = query.where(chat.c.time >= asked.oldest_chat, chat.c.time < asked.end)
    return query

"""How fast a version log takes rows, beside a bare COPY of the same rows into the same server, in one run.

    python benchmarks/load.py [--rows 4000000]

Prints one table: seconds, rows per second, and the ratio to the bare COPY. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv
from rich.console import Console
from rich.table import Table

from connectors.contract import Chunk, Entity, System
from kefu.load.raw_tables import ensure_raw_tables
from kefu.load.version_log import LoadRequest, load_entity
from kefu.settings import settings
from kefu.warehouse import Role, Warehouse
from kefu.warehouse.migrate import migrate

BATCH = 250_000
ENTITY = Entity.model_validate(
    {
        "name": "message",
        "description": "a synthetic message",
        "key": ("message_id",),
        "fields": {
            "message_id": {"type": "integer", "description": "number of the message"},
            "conversation_id": {"type": "integer", "description": "its conversation"},
            "sent_at": {"type": "timestamp", "description": "when it was sent"},
            "author_kind": {"description": "who wrote it"},
            "event_type": {"description": "what it says to the system"},
        },
    }
)


def chunks(rows: int) -> Iterator[Chunk]:
    """Yields the same synthetic rows every time."""
    kinds = pa.array(["customer", "agent", "system"])
    for start in range(0, rows, BATCH):
        ids = np.arange(start, min(start + BATCH, rows))
        table = pa.table(
            {
                "message_id": ids,
                "conversation_id": ids // 10,
                "sent_at": pa.array(ids * 1_000_000 + 1_793_000_000_000_000).cast(pa.timestamp("us", tz="UTC")),
                "author_kind": kinds.take(pa.array(ids % 3)),
                "event_type": pa.nulls(len(ids), pa.string()),
                "_time_is_ambiguous": pa.array(np.zeros(len(ids), bool)),
            },
            schema=ENTITY.stored_schema(),
        )
        yield Chunk(rows=table, read=table.num_rows)


def main() -> None:
    """Runs every way of loading once, on a database of its own that is dropped at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000)
    rows = parser.parse_args().rows
    console = Console()
    warehouse = Warehouse(settings(), "kefu_bench")
    warehouse.ensure_running()
    migrate(warehouse)
    ensure_raw_tables(warehouse, System(system="bench", description="benchmark", entities={"message": ENTITY}))
    timings: list[tuple[str, float]] = []

    def timed(name: str, started: float) -> None:
        timings.append((name, time.perf_counter() - started))
        console.print(f"  {name}: {timings[-1][1]:.1f} s")

    try:
        with TemporaryDirectory() as folder, warehouse.connect(Role.OWNER, autocommit=True) as owner:
            file = Path(folder) / "rows.csv"
            pyarrow.csv.write_csv(
                pa.concat_tables(chunk.rows for chunk in chunks(rows)), file, pa.csv.WriteOptions(include_header=False)
            )
            columns = "(message_id bigint, conversation_id bigint, sent_at timestamptz, author_kind text,"
            columns += " event_type text, _time_is_ambiguous boolean)"
            owner.execute(f"create unlogged table bare {columns}".encode())
            started = time.perf_counter()
            with file.open("rb") as source, owner.cursor().copy("copy bare from stdin (format csv)") as copy:
                while block := source.read(1 << 20):
                    copy.write(block)
            timed("bare COPY of a CSV file", started)
            owner.execute(f"create unlogged table load.arrow {columns}".encode())
            owner.execute("grant insert on load.arrow to kefu_loader")
            started = time.perf_counter()
            with warehouse.adbc(Role.LOADER) as connection, connection.cursor() as cursor:
                for chunk in chunks(rows):
                    cursor.adbc_ingest("arrow", chunk.rows, mode="append", db_schema_name="load")
                connection.commit()
            timed("staging ingest (Arrow, binary COPY)", started)
            owner.execute("drop table load.arrow, bare")
        request = LoadRequest("bench", "bench", "bench", ENTITY)
        for name, expected in (("version log, first time", rows), ("version log, unchanged second time", 0)):
            started = time.perf_counter()
            report = load_entity(warehouse, request, chunks(rows))
            timed(name, started)
            if report.inserted != expected:
                raise SystemExit(f"{name}: {report.inserted} rows inserted, expected {expected}")
        table = Table(title=f"{rows:,} rows")
        for heading in ("way", "seconds", "rows/s", "x bare COPY"):
            table.add_column(heading, justify="left" if heading == "way" else "right")
        for name, seconds in timings:
            table.add_row(name, f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{seconds / timings[0][1]:.2f}")
        console.print(table)
    finally:
        with psycopg.connect(**{**warehouse.parameters(Role.OWNER), "dbname": "postgres"}, autocommit=True) as owner:  # type: ignore[arg-type]
            owner.execute("drop database if exists kefu_bench with (force)")


if __name__ == "__main__":
    main()

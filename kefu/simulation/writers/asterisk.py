"""Writes the telephone side of a world as an Asterisk exchange with FreePBX's tables records it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.world import World
from kefu.simulation.writers.call_records import CDR_CSV, CEL_CSV, call_records, channel_events, csv_lines
from kefu.simulation.writers.columns import add, flat, local_text
from kefu.simulation.writers.malformed import Malformed
from kefu.simulation.writers.queue_log import COLUMNS, queue_events, queue_log_lines
from kefu.simulation.writers.sql import declared_tables, fill, transaction
from kefu.simulation.writers.voice import voice

_TABLES = declared_tables(Path(__file__).with_suffix(".yml"))


def write_asterisk(
    world: World, folder: Path, url: str | None = None, *, time_zone: str = "Asia/Shanghai", malformed: bool = False
) -> pa.Table:
    """Writes `queue_log`, `cdr-csv/Master.csv` and `cel-custom/Master.csv`, and to `url` the tables of the same names.

    Args:
        world: what happened.
        folder: the exchange's log folder; files in it are replaced.
        url: SQLAlchemy URL of an empty MariaDB, PostgreSQL or SQLite database for queue_log, cdr and cel.
        time_zone: zone of the exchange, for wall-clock times.
        malformed: also writes records that break the connector's contract.

    Returns:
        What was planted, with the schema `PLANTED`: one row for each malformed record, `subject` its place as the
        connector names it, `note` the field that is wrong.

    Raises:
        ValueError: a table at `url` holds rows already.
    """
    calls = voice(world)
    events = queue_events(world, calls)
    records, channels = call_records(calls, time_zone), channel_events(calls, time_zone)
    wrong = Malformed("asterisk", malformed)
    for path, lines, separator, names in (
        ("queue_log", queue_log_lines(events), "|", ("time", *COLUMNS)),
        ("cdr-csv/Master.csv", csv_lines(records, CDR_CSV), ",", CDR_CSV),
        ("cel-custom/Master.csv", csv_lines(channels, CEL_CSV), ",", CEL_CSV),
    ):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        written = wrong.lines(path, lines.to_pylist(), separator, names)
        target.write_bytes("".join(f"{line}\n" for line in written).encode())
    if url is not None:
        with transaction(url) as connection:
            for name, rows, read_by in (
                ("queue_log", _queue_log_rows(events, time_zone), ("time", "id")),
                ("cdr", _cdr_rows(records), ()),
                ("cel", channels, ("id",)),
            ):
                fill(connection, _TABLES[name], wrong.rows(name, rows, read_by))
    return wrong.planted


def _queue_log_rows(events: pa.Table, time_zone: str) -> pa.Table:
    columns = {name: pc.fill_null(flat(events.column(name)), "") for name in COLUMNS}
    at = local_text(flat(events.column("at")), time_zone, fraction=True)
    return pa.table({"id": pa.array(range(1, events.num_rows + 1), pa.int64()), "time": at, **columns})


def _cdr_rows(records: pa.Table) -> pa.Table:
    """FreePBX's own names and the number of the AMA flag."""
    renamed = {"start": "calldate", "amaflag": "amaflags", "amaflags": "amaflag_name"}
    records = records.rename_columns([renamed.get(name, name) for name in records.column_names])
    return add(records, cnum=records.column("src"))

"""The papers of a world as the sheets people hand over: a file per entity and month, headings as in a template."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from openpyxl import Workbook

from connectors.contract import EntityField, FieldType
from connectors.tabular import SYSTEM
from connectors.tabular.headings import HEADINGS
from kefu.simulation.world import PLANTED, World
from kefu.simulation.writers.malformed import malformed_record


def write_sheets(
    world: World, folder: Path, kind: Literal["csv", "xlsx"] = "csv", time_zone: str | None = None
) -> list[Path]:
    """Writes every paper of the world and returns the files; the same world gives the same bytes as CSV.

    A paper with a date to be read by is cut into months, `exam-2026-10.csv`; others are one file, `identity.csv`.
    Instants are wall-clock times of `time_zone`; they carry their offset in an hour that the clock repeats, and where
    no zone is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    zone = ZoneInfo(time_zone) if time_zone else None
    write = _write_csv if kind == "csv" else _write_xlsx
    written = []
    for entity, paper in world.papers.items():
        for name, rows in _months(entity, paper, zone):
            path = folder / f"{name}.{kind}"
            labels = [HEADINGS[entity].fields[field].label for field in rows.column_names]
            write(path, labels, [[_cell(value, zone) for value in row.values()] for row in rows.to_pylist()])
            written.append(path)
    return written


def write_malformed_sheets(world: World, folder: Path) -> pa.Table:
    """Writes beside the sheets one of each kind, `exam-malformed.csv`, with a wrong row for every rule of its fields.

    Returns:
        What was planted, with the schema `PLANTED`; `note` is the wrong field.
    """
    planted = []
    for entity, paper in world.papers.items():
        if not paper.num_rows:
            continue
        good = {field: _cell(value, None) for field, value in paper.slice(0, 1).to_pylist()[0].items()}
        name = f"{entity}-malformed.csv"
        wrong = [(field, value) for field in good for value in _wrong_values(SYSTEM.entities[entity].fields[field])]
        labels = [HEADINGS[entity].fields[field].label for field in good]
        _write_csv(folder / name, labels, [list((good | {field: value}).values()) for field, value in wrong])
        planted += [
            malformed_record(entity, f"{name} row {number}", number, field)
            for number, (field, _) in enumerate(wrong, start=2)
        ]
    return pa.Table.from_pylist(planted, PLANTED)


def _wrong_values(field: EntityField) -> Iterator[Any]:
    """Yields one value against each rule of a field."""
    if field.required:
        yield None
    if field.type is not FieldType.TEXT:
        yield "soon"
    if field.allowed:
        yield "something else"
    if field.minimum is not None:
        yield field.minimum - 1
    if field.maximum is not None:
        yield field.maximum + 1


def _months(entity: str, paper: pa.Table, zone: ZoneInfo | None) -> Iterator[tuple[str, pa.Table]]:
    """Yields the name of each file with its rows."""
    field = SYSTEM.entities[entity].window_on
    if field is None:
        yield entity, paper
        return
    moments = paper[field]
    if SYSTEM.entities[entity].fields[field].type is FieldType.TIMESTAMP and zone:
        moments = pc.local_timestamp(moments.cast(pa.timestamp("us", str(zone))))
    months = pc.strftime(moments.cast(pa.timestamp("us")), "%Y-%m")
    for month in sorted(pc.unique(months).to_pylist()):
        yield f"{entity}-{month}", paper.filter(pc.equal(months, month))


def _cell(value: Any, zone: ZoneInfo | None) -> Any:
    if isinstance(value, dt.datetime):
        local = value.astimezone(zone) if zone else value
        is_plain = zone and local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset()
        return local.replace(tzinfo=None) if is_plain else local.isoformat(sep=" ")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _write_csv(path: Path, labels: list[str], rows: list[list[Any]]) -> None:
    # With a byte order mark, or Excel takes the headings for text in a local code page.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(labels)
        writer.writerows(rows)


def _write_xlsx(path: Path, labels: list[str], rows: list[list[Any]]) -> None:
    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet()
    for row in [labels, *rows]:
        sheet.append(row)
    workbook.save(path)

"""Records that break the connectors' contracts, put beside the good ones, with a list of where they stand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from kefu.simulation.world import PLANTED
from kefu.simulation.writers.columns import add, in_order
from kefu.yaml_files import read_yaml

_FAULT = "malformed_record"


class _Wrong(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str
    text: str = ""
    change: dict[str, str | int | None] = {}


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: dict[str, list[_Wrong]] = {}
    rows: dict[str, list[_Wrong]] = {}


class Malformed:
    """Adds what `malformed.yml` declares for a system, and remembers it; without `wanted` it adds nothing."""

    def __init__(self, system: str, wanted: bool) -> None:
        declared = read_yaml(Path(__file__).parent / "malformed.yml")[system] if wanted else {}
        self._declared = _Declared.model_validate(declared)
        self._planted: list[dict[str, Any]] = []

    @property
    def planted(self) -> pa.Table:
        """One row for each record so far: `subject` is its place as the connector names it, `note` the wrong field."""
        return pa.Table.from_pylist(self._planted, PLANTED)

    def lines(self, path: str, lines: list[str], separator: str, names: tuple[str, ...]) -> list[str]:
        """Returns the lines of a text file with the wrong ones between them; `names` are its columns."""
        wrong = self._declared.lines.get(path, []) if lines else []
        added = list(lines)
        for number, record in enumerate(wrong, 1):
            position = number * len(lines) // (len(wrong) + 1)
            before = lines[max(position - 1, 0)]
            if record.change:
                cells = dict(zip(names, next(csv.reader([before], delimiter=separator)), strict=True)) | record.change
                text = separator.join(f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in cells.values())
            else:
                text = record.text.replace("{time}", before.partition(separator)[0])
            added.insert(position + number - 1, text)
            self._remember(path, f"{Path(path).name} line {position + number}", position + number, record)
        return added

    def rows(self, table: str, rows: pa.Table, read_by: tuple[str, ...] = ()) -> pa.Table:
        """Returns a table's rows with the wrong ones at the end; their place is their number in the order `read_by`."""
        wrong, everything = self._with_wrong(table, rows)
        placed = add(everything, _number=pa.array(range(everything.num_rows), pa.int64()))
        places = in_order(placed, *read_by).column("_number").to_pylist() if wrong else []
        for number, record in enumerate(wrong, rows.num_rows):
            place = places.index(number) + 1
            self._remember(table, f"{table} row {place}", place, record)
        return everything

    def rows_by_id(self, table: str, rows: pa.Table) -> pa.Table:
        """Returns a table's rows with the wrong ones at the end; their place is their id."""
        wrong, everything = self._with_wrong(table, rows)
        for record, identity in zip(wrong, everything.column("id").to_pylist()[rows.num_rows :], strict=True):
            self._remember(table, f"{table} id {identity}", identity, record)
        return everything

    def _with_wrong(self, table: str, rows: pa.Table) -> tuple[list[_Wrong], pa.Table]:
        wrong = self._declared.rows.get(table, []) if rows.num_rows else []
        added = []
        for number, record in enumerate(wrong, 1):
            copy = rows.slice(number * rows.num_rows // (len(wrong) + 1), 1).to_pylist()[0] | record.change
            if "id" in copy:
                copy["id"] = rows.column("id")[-1].as_py() + number
            added.append(copy)
        return wrong, pa.concat_tables([rows, pa.Table.from_pylist(added, rows.schema)])

    def _remember(self, table: str, place: str, number: int, record: _Wrong) -> None:
        self._planted.append(malformed_record(table, place, number, record.field))


def malformed_record(table: str, place: str, number: int, field: str) -> dict[str, Any]:
    """Returns the row of `PLANTED` for one wrong record at a place, which is how the connector names it."""
    return {
        "fault": _FAULT,
        "subject_kind": "record",
        "subject": place,
        "table": table,
        "row_ids": [number],
        "strength": 1.0,
        "note": field,
    }

"""Columns of what is written: looked up, spread, in whole seconds; all of Arrow, without a loop over rows."""

from __future__ import annotations

from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

Column: TypeAlias = pa.Array | pa.ChunkedArray
MICROSECONDS = 1_000_000


def lookup(keys: Column, table: pa.Table, key: str, value: str) -> pa.Array:
    """Returns `value` of the row of `table` whose `key` is the one asked for, NULL where there is none."""
    place = pc.index_in(flat(keys), value_set=flat(table.column(key)))
    return flat(table.column(value)).take(place)


def flat(column: Column) -> pa.Array:
    """Returns one array of a column in chunks."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def where(table: pa.Table, column: str, value: str) -> pa.Table:
    """Returns the rows whose text in `column` is `value`."""
    return table.filter(pc.equal(table.column(column), value)).combine_chunks()


def microseconds(instants: Column) -> pa.Array:
    """Returns microseconds since 1970 UTC."""
    return flat(instants).cast(pa.int64())


def whole_seconds(ticks: Column) -> pa.Array:
    """Returns seconds of microseconds, cut as the clocks of the systems cut them."""
    return pc.divide(ticks, MICROSECONDS)


def spread(value: object, size: int, kind: pa.DataType) -> pa.Array:
    """Returns a column of one value, or the given column as `kind`."""
    if isinstance(value, Column):
        return flat(value).cast(kind)
    return pa.repeat(pa.scalar(value, kind), size)


def join(*parts: Column | str) -> pa.Array:
    """Returns the texts joined without a separator; numbers are written out, and NULL in any part gives NULL."""
    texts = [part if isinstance(part, str) else flat(part).cast(pa.string()) for part in parts]
    return flat(pc.binary_join_element_wise(*texts, ""))


def local_text(ticks: Column, time_zone: str, fraction: bool = False) -> pa.Array:
    """Returns wall-clock texts `YYYY-MM-DD HH:MM:SS`, with microseconds if asked for."""
    local = pc.local_timestamp(ticks.cast(pa.timestamp("us")).cast(pa.timestamp("us", tz=time_zone)))
    return local.cast(pa.string()) if fraction else pc.utf8_slice_codeunits(local.cast(pa.string()), 0, 19)


def add(table: pa.Table, **columns: Column) -> pa.Table:
    """Returns the table with more columns; one of the same name is replaced."""
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = table.append_column(name, column) if place < 0 else table.set_column(place, name, column)
    return table


def in_order(table: pa.Table, *columns: str) -> pa.Table:
    """Returns the rows in ascending order of `columns`; rows that tie keep their order."""
    keys = [*columns, "_place"]
    placed = add(table, _place=pa.array(range(table.num_rows), pa.int64()))
    return placed.sort_by([(name, "ascending") for name in keys]).drop_columns("_place").combine_chunks()

"""From records as found to the declared schema: typed rows, rejects with a remedy, drift; vectorised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from connectors.contract import ARROW_TYPES, Chunk, Context, Entity, EntityField, FieldType, Personal, Reject
from connectors.personal import pseudonymise, shape

_EXPECTED = {
    FieldType.TEXT: "text",
    FieldType.INTEGER: "a whole number",
    FieldType.NUMBER: "a decimal number with a point",
    FieldType.BOOLEAN: "one of 1, 0, true, false, yes, no",
    FieldType.TIMESTAMP: "an instant such as 2026-11-02 08:30:00 or epoch seconds",
    FieldType.DATE: "a date such as 2026-11-02",
    FieldType.LOCAL_TIME: "a time of day such as 08:30 or 08:30:00",
}
_TRUE = pa.array(["1", "true", "t", "yes", "y", "是"])
_FALSE = pa.array(["0", "false", "f", "no", "n", "否"])
_ZERO_DATE = r"^0000-00-00"
_INSTANT = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$"
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_LOCAL_TIME = r"^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"


@dataclass(frozen=True)
class _Cast:
    values: pa.ChunkedArray
    valid: pa.ChunkedArray
    ambiguous: pa.ChunkedArray | None = None


def conform(
    entity: Entity,
    raw: pa.Table,
    context: Context,
    *,
    locator: Callable[[int], str] = lambda index: f"record {index + 1}",
    filtered: dict[str, int] | None = None,
) -> Chunk:
    """Returns the chunk of `raw`, whose columns are named as the entity's fields and typed as found.

    Text is trimmed of NUL characters and an empty text is NULL. Instants without an offset are wall-clock times
    of `context.time_zone`: a non-existent one is rejected, an ambiguous one takes the earlier offset and is
    flagged. `filtered` counts records the connector left out by a declared rule before calling.
    """
    size = raw.num_rows
    filtered = filtered or {}
    drift = {
        (name, str(raw.schema.field(name).type)): size - raw.column(name).null_count
        for name in raw.column_names
        if name not in entity.fields and name not in entity.ignored
    }
    casts: dict[str, _Cast] = {}
    first_error: dict[int, tuple[str, str]] = {}
    for name, declared in entity.fields.items():
        found = _textless_empty(raw.column(name)) if name in raw.column_names else _nulls(size, pa.string())
        cast = casts[name] = _cast(found, declared, context)
        for index in _positions(pc.invert(cast.valid)):
            first_error.setdefault(index, (name, _expected(declared, found[index].is_valid)))

    rejects = [
        Reject(
            locator=locator(index),
            field=name,
            found=_shown(raw, name, index, entity.fields[name]),
            expected=expected,
            remedy=f"correct {name} in the source or its declaration in entities.yml, then replay the quarantine",
            payload={
                column: _plain(raw.column(column)[index].as_py())
                for column in raw.column_names
                if column in entity.fields
            },
        )
        for index, (name, expected) in sorted(first_error.items())
    ]
    keep = None
    if first_error:
        good = [True] * size
        for index in first_error:
            good[index] = False
        keep = pa.array(good)

    columns: dict[str, pa.ChunkedArray] = {}
    texts: dict[str, pa.ChunkedArray] = {}
    ambiguous = pa.chunked_array([pa.array([False] * size, pa.bool_())])
    for name, declared in entity.fields.items():
        cast = casts[name]
        values = cast.values if keep is None else cast.values.filter(keep)
        if cast.ambiguous is not None:
            ambiguous = pc.or_(ambiguous, cast.ambiguous)
        if declared.personal is Personal.TEXT:
            columns[f"{name}_length"] = pc.utf8_length(values).cast(pa.int64())
            if context.keep_text:
                texts[name] = values
        elif declared.personal is not None:
            for part, column in pseudonymise(values, declared.personal, context).items():
                columns[f"{name}_{part}"] = column
        else:
            columns[name] = values
    columns["_time_is_ambiguous"] = ambiguous if keep is None else ambiguous.filter(keep)
    rows = pa.table(columns, schema=entity.stored_schema())
    return Chunk(
        rows=rows,
        read=size + sum(filtered.values()),
        rejects=rejects,
        filtered=filtered,
        drift=drift,
        texts=texts,
    )


def _nulls(size: int, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(size, kind)])


def _textless_empty(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_null(column.type):
        return _nulls(len(column), pa.string())
    if pa.types.is_binary(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return column
    column = pc.replace_substring(column, "\x00", "")
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _positions(mask: pa.ChunkedArray) -> list[int]:
    return pc.indices_nonzero(mask).to_pylist() if pc.any(mask).as_py() else []


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | bool) or value is None else str(value)


def _shown(raw: pa.Table, name: str, index: int, declared: EntityField) -> str:
    if declared.personal is not None:
        return "a personal value (see the encrypted payload)"
    if name not in raw.column_names:
        return "no such column"
    value = raw.column(name)[index].as_py()
    return "nothing" if value is None or value == "" else shape(value)


def _expected(declared: EntityField, present: bool) -> str:
    if declared.required and not present:
        return f"{_EXPECTED[declared.type]}, which is required"
    parts = [_EXPECTED[declared.type]]
    if declared.allowed:
        parts = [f"one of {', '.join(declared.allowed)}"]
    if declared.minimum is not None:
        parts.append(f"at least {declared.minimum:g}")
    if declared.maximum is not None:
        parts.append(f"at most {declared.maximum:g}")
    return ", ".join(parts)


def _cast(found: pa.ChunkedArray, declared: EntityField, context: Context) -> _Cast:
    cast = _CASTS[declared.type](found, context)
    valid = cast.valid
    present = pc.is_valid(found)
    if declared.required:
        # A zero date is present but says nothing.
        valid = pc.and_(valid, pc.is_valid(cast.values))
    if declared.allowed is not None:
        allowed = pc.is_in(cast.values.cast(pa.string()), value_set=pa.array(declared.allowed))
        valid = pc.and_(valid, pc.or_(allowed, pc.invert(present)))
    if declared.minimum is not None:
        valid = pc.and_(valid, pc.fill_null(pc.greater_equal(cast.values.cast(pa.float64()), declared.minimum), True))
    if declared.maximum is not None:
        valid = pc.and_(valid, pc.fill_null(pc.less_equal(cast.values.cast(pa.float64()), declared.maximum), True))
    return _Cast(cast.values, valid, cast.ambiguous)


def _matching(found: pa.ChunkedArray, pattern: str) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Returns (trimmed text where it matches, validity); NULL is valid."""
    text = pc.utf8_trim_whitespace(found)
    matches = pc.match_substring_regex(text, pattern)
    return pc.if_else(pc.fill_null(matches, False), text, pa.scalar(None, pa.string())), pc.fill_null(matches, True)


def _always(found: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([True] * len(found), pa.bool_())])


def _cast_text(found: pa.ChunkedArray, _: Context) -> _Cast:
    if pa.types.is_timestamp(found.type):
        found = pc.strftime(found, "%Y-%m-%d %H:%M:%S")
    return _Cast(found.cast(pa.string()), _always(found))


def _cast_integer(found: pa.ChunkedArray, _: Context) -> _Cast:
    if pa.types.is_floating(found.type):
        whole = pc.fill_null(pc.equal(found, pc.floor(found)), True)
        return _Cast(pc.if_else(whole, found, pa.scalar(None, found.type)).cast(pa.int64()), whole)
    if not pa.types.is_string(found.type):
        return _Cast(found.cast(pa.int64()), _always(found))
    text, valid = _matching(found, r"^[+-]?\d{1,18}$")
    return _Cast(pc.replace_substring_regex(text, r"^\+", "").cast(pa.int64()), valid)


def _cast_number(found: pa.ChunkedArray, _: Context) -> _Cast:
    decimal = ARROW_TYPES[FieldType.NUMBER]
    if not pa.types.is_string(found.type):
        if pa.types.is_floating(found.type):
            finite = pc.fill_null(pc.is_finite(found), True)
            found = pc.if_else(finite, pc.round(found, 6), pa.scalar(None, found.type))
            return _Cast(found.cast(decimal, safe=False), finite)
        return _Cast(found.cast(decimal), _always(found))
    text, valid = _matching(found, r"^[+-]?\d{1,17}(\.\d{1,6})?$")
    return _Cast(text.cast(decimal), valid)


def _cast_boolean(found: pa.ChunkedArray, _: Context) -> _Cast:
    if pa.types.is_boolean(found.type):
        return _Cast(found, _always(found))
    text = pc.utf8_lower(pc.utf8_trim_whitespace(found.cast(pa.string())))
    true, false = pc.is_in(text, value_set=_TRUE), pc.is_in(text, value_set=_FALSE)
    known = pc.or_(true, false)
    return _Cast(
        pc.if_else(known, true, pa.scalar(None, pa.bool_())),
        pc.or_(known, pc.invert(pc.is_valid(found))),
    )


def _cast_timestamp(found: pa.ChunkedArray, context: Context) -> _Cast:
    instant = ARROW_TYPES[FieldType.TIMESTAMP]
    if pa.types.is_date(found.type):
        found = found.cast(pa.timestamp("us"))
    if pa.types.is_integer(found.type):
        return _Cast(pc.multiply(found.cast(pa.int64()), 1_000_000).cast(instant), _always(found))
    if pa.types.is_timestamp(found.type):
        found = found.cast(pa.timestamp("us", tz=found.type.tz), safe=False)
        return _Cast(found.cast(instant), _always(found)) if found.type.tz else _local_instants(found, context)
    if not pa.types.is_string(found.type):
        raise TypeError(f"an instant cannot be read from {found.type}")
    zero = pc.fill_null(pc.match_substring_regex(found, _ZERO_DATE), False)
    found = pc.if_else(zero, pa.scalar(None, pa.string()), found)
    epoch = pc.fill_null(pc.match_substring_regex(found, r"^\d{9,11}$"), False)
    if pc.any(epoch).as_py():
        text, valid = _matching(found, r"^\d{9,11}$")
        return _Cast(pc.multiply(text.cast(pa.int64()), 1_000_000).cast(instant), valid)
    text, valid = _matching(found, _INSTANT)
    with_offset = pc.fill_null(pc.match_substring_regex(text, r"(Z|[+-]\d{2}:?\d{2})$"), False)
    text = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    if not pc.any(with_offset).as_py():
        parsed, calendar = _parsed(text, pa.timestamp("us"))
        local = _local_instants(parsed, context)
        return _Cast(local.values, pc.and_(pc.and_(valid, calendar), local.valid), local.ambiguous)
    absolute, calendar = _parsed(pc.if_else(with_offset, text, pa.scalar(None, pa.string())), instant)
    naive, naive_calendar = _parsed(pc.if_else(with_offset, pa.scalar(None, pa.string()), text), pa.timestamp("us"))
    local = _local_instants(naive, context)
    return _Cast(
        pc.coalesce(absolute, local.values),
        pc.and_(pc.and_(valid, pc.and_(calendar, naive_calendar)), local.valid),
        local.ambiguous,
    )


def _parsed(text: pa.ChunkedArray, kind: pa.DataType) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Returns (values, validity): well-formed text may still name a day that is not in the calendar."""
    try:
        return text.cast(kind), _always(text)
    except pa.ArrowInvalid:
        values, valid = [], []
        for value in text.to_pylist():
            try:
                values.append(pa.scalar(value).cast(kind) if value is not None else pa.scalar(None, kind))
                valid.append(True)
            except pa.ArrowInvalid:
                values.append(pa.scalar(None, kind))
                valid.append(False)
        return pa.chunked_array([pa.array([v.as_py() for v in values], kind)]), pa.chunked_array([pa.array(valid)])


def _local_instants(naive: pa.ChunkedArray, context: Context) -> _Cast:
    zone = str(ZoneInfo(context.time_zone))
    earlier = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
    later = pc.assume_timezone(naive, zone, ambiguous="latest", nonexistent="earliest")
    exists = pc.fill_null(pc.equal(pc.local_timestamp(earlier), naive), True)
    ambiguous = pc.and_(exists, pc.fill_null(pc.not_equal(earlier.cast(pa.int64()), later.cast(pa.int64())), False))
    return _Cast(earlier.cast(ARROW_TYPES[FieldType.TIMESTAMP]), exists, ambiguous)


def _cast_date(found: pa.ChunkedArray, _: Context) -> _Cast:
    if not pa.types.is_string(found.type):
        return _Cast(found.cast(pa.date32(), safe=False), _always(found))
    text, valid = _matching(pc.replace_substring_regex(found, r"[ T]00:00:00(\.0+)?$", ""), _DATE)
    values, calendar = _parsed(text, pa.date32())
    return _Cast(values, pc.and_(valid, calendar))


def _cast_local_time(found: pa.ChunkedArray, _: Context) -> _Cast:
    if pa.types.is_time(found.type):
        found = pc.strftime(found.cast(pa.timestamp("us")), "%H:%M:%S")
    text, valid = _matching(pc.replace_substring_regex(found.cast(pa.string()), r"\.0+$", ""), _LOCAL_TIME)
    text = pc.replace_substring_regex(text, r"^(\d):", r"0\1:")
    short = pc.fill_null(pc.less(pc.utf8_length(text), 8), False)
    return _Cast(pc.if_else(short, pc.binary_join_element_wise(text, ":00", ""), text), valid)


_CASTS: dict[FieldType, Callable[[pa.ChunkedArray, Context], _Cast]] = {
    FieldType.TEXT: _cast_text,
    FieldType.INTEGER: _cast_integer,
    FieldType.NUMBER: _cast_number,
    FieldType.BOOLEAN: _cast_boolean,
    FieldType.TIMESTAMP: _cast_timestamp,
    FieldType.DATE: _cast_date,
    FieldType.LOCAL_TIME: _cast_local_time,
}

"""Reads queue events, call detail records and channel events as chunks of typed rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.asterisk.database import read_table
from connectors.asterisk.files import Batch, read_cdr, read_queue_log
from connectors.asterisk.layouts import LAYOUTS
from connectors.asterisk.settings import Cdr, QueueLog, Settings
from connectors.conform import conform
from connectors.contract import Chunk, Context, Entity, Reject, SourceError, Window
from connectors.personal import customer_key, normalise_phone

_EXPECTED = {
    "queue_log": "epoch seconds, call id, queue, agent, event and at least one data field, separated by |",
    "cdr": "the fields of a call detail record, separated by commas, texts in double quotes",
}
# Seven digits and more are an outside number, unless they are a unique id, the number of a channel or a UUID:
# those come first in the alternation and are put back.
_NUMBER = (
    r"([0-9]{9,10}\.[0-9]+|-[0-9a-f]{8}(?:;[12]|[^0-9a-f@#]|$)"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})|[+]?[0-9]{7,}"
)
_RINGING = pa.array(["RINGNOANSWER", "RINGCANCELED"])
_SEPARATORS = {"queue_log": "|", "cdr": ","}
_DATA_FIELDS = tuple(f"data{number}" for number in range(1, 6))
# The fifth field takes everything that is left, separators included.
_DATA = r"^(?P<data1>[^|]*)" + "".join(rf"(?:\|(?P<data{n}>[^|]*))?" for n in (2, 3, 4)) + r"(?:\|(?P<data5>.*))?$"

_Columns = dict[str, pa.ChunkedArray]


def read(settings: Settings, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
    """Yields what the source holds of `entity`, in its order; with a window, exactly what lies inside.

    Lines that cannot be split into fields are rejected with their number and belong to the window of the last
    good line before them. Raises SourceError when a file, table or connection is not there.
    """
    source = getattr(settings, entity.name)
    if source is None:
        raise SourceError(f"source {context.source_id}: add `{entity.name}` to its settings to read {entity.name}")
    layout = LAYOUTS[entity.name]
    last_seconds: dict[int, int] = {}
    for batch in _batches(settings, entity, window, context):
        found = {name: batch.records.column(name) for name in batch.records.column_names}
        columns = {name: column for name, column in found.items() if name not in layout.names}
        columns |= dict.fromkeys(layout.optional, pa.chunked_array([pa.nulls(len(batch.records), pa.string())]))
        columns |= {field: found[name] for field, name in layout.chosen(found).items()}
        for field in layout.instants:
            if field in columns and source.time_is == "utc":
                columns[field] = pc.replace_substring_regex(columns[field], r"^(\d{4}-.*[^Z])$", r"\1Z")
        if entity.name == "queue_log":
            columns["event_second"] = pc.replace_substring_regex(columns["event_at"], r"\.\d+", "")
        instants = _instants(columns[str(entity.window_on)], context.time_zone)
        if entity.name == "queue_log":
            columns["second_ordinal"] = _second_ordinals(instants, last_seconds)
        records = pa.table(columns)
        if window is not None:
            inside = pc.and_(pc.greater_equal(instants, window.start), pc.less(instants, window.end))
            records = records.filter(pc.fill_null(inside, True))
        yield _chunk(settings, entity, context, batch, records)


def _batches(settings: Settings, entity: Entity, window: Window | None, context: Context) -> Iterator[Batch]:
    source = getattr(settings, entity.name)
    if isinstance(source, QueueLog) and source.file:
        return read_queue_log(source.file)
    if isinstance(source, Cdr) and source.file:
        return read_cdr(source.file, source.columns)
    return read_table(source, LAYOUTS[entity.name], entity.ignored, window, context.time_zone)


def _chunk(settings: Settings, entity: Entity, context: Context, batch: Batch, records: pa.Table) -> Chunk:
    is_broken = pc.is_valid(records.column("_line"))
    broken = records.filter(is_broken).select(["_number", "_line"]).to_pylist()
    rejects = [
        Reject(
            locator=f"{batch.origin} {line['_number']}",
            field="line",
            # The text itself may hold a caller's number: only its shape is shown.
            found=f"{len(line['_line'])} characters in {line['_line'].count(_SEPARATORS[entity.name]) + 1} fields",
            expected=_EXPECTED[entity.name],
            remedy="repair or delete the line in the file, then replay the quarantine",
            payload={"line": line["_line"]},
        )
        for line in broken
    ]
    good = records.filter(pc.invert(is_broken))
    numbers = good.column("_number")
    columns = {name: good.column(name) for name in good.column_names if name not in ("_number", "_line")}
    if entity.name == "queue_log":
        columns = _queue_log(columns, context)
    elif settings.cdr and entity.name == "cdr":
        columns = _cdr(columns, settings.cdr)
    else:
        columns = _cel(columns)
    chunk = conform(
        entity,
        pa.table(columns),
        context,
        locator=lambda index: f"{batch.origin} {numbers[index]}",
        filtered=batch.filtered,
    )
    rows = _with_derived_instants(chunk.rows, columns) if entity.name == "cdr" else chunk.rows
    return replace(chunk, rows=rows, read=chunk.read + len(rejects), rejects=[*rejects, *chunk.rejects])


def _queue_log(columns: _Columns, context: Context) -> _Columns:
    columns["agent"] = _agents(columns["agent"], context)
    if "data" in columns:
        joined = columns.pop("data")
        cells = pc.extract_regex(pc.if_else(pc.equal(joined, ""), None, joined), _DATA)
        for position, name in enumerate(_DATA_FIELDS):
            columns[name] = pc.coalesce(pc.struct_field(cells, position), columns[name])
    entry = pc.fill_null(pc.equal(columns["event"], "ENTERQUEUE"), False)
    ringing = pc.is_in(columns["event"], value_set=_RINGING)
    columns["caller"] = pc.if_else(entry, columns["data2"], None)
    for name in _DATA_FIELDS:
        data = pc.replace_substring_regex(columns[name], _NUMBER, r"\1")
        if name == "data1":
            # Milliseconds: ringing for a quarter of an hour has seven digits.
            data = pc.if_else(ringing, columns[name], data)
        columns[name] = pc.if_else(entry, None, data) if name in ("data2", "data4", "data5") else data
    return columns


def _agents(agents: pa.ChunkedArray, context: Context) -> pa.ChunkedArray:
    """Returns the agents with the telephone number of a member at home replaced, so that they stay apart."""

    def pseudonym(found: re.Match[str]) -> str:
        return found[1] or customer_key(context.customer_secret, normalise_phone(found[0], context)[0] or found[0])

    encoded = agents.combine_chunks().dictionary_encode()
    names = [re.sub(_NUMBER, pseudonym, name) for name in encoded.dictionary.to_pylist()]
    return pa.chunked_array([pc.take(pa.array(names, pa.string()), encoded.indices)])


def _cdr(columns: _Columns, source: Cdr) -> _Columns:
    src, dst = columns["src"], columns["dst"]
    is_number = pc.greater_equal(pc.utf8_length(pc.replace_substring_regex(dst, "[^0-9]", "")), 7)
    is_word = pc.and_not(pc.match_substring_regex(dst, r"^[\w*#+-]{1,20}$"), is_number)
    prefix = f"^{re.escape(source.outbound_prefix)}"
    columns["dialed"] = pc.replace_substring_regex(pc.if_else(is_number, dst, None), prefix, "")
    columns["dst"] = pc.if_else(is_word, dst, None)
    columns["src_extension"] = pc.if_else(pc.match_substring_regex(src, "^[0-9]{1,6}$"), src, None)
    for name in ("channel", "dstchannel"):
        columns[name] = pc.replace_substring_regex(columns[name], _NUMBER, r"\1")
    columns["survey_score"] = pc.struct_field(pc.extract_regex(columns["survey_score"], source.survey_pattern), 0)
    # A record without a start is no record; a zero answer or end only says that there was none.
    columns["started_at"] = pc.if_else(pc.starts_with(columns["started_at"], "0000-"), None, columns["started_at"])
    return columns


def _cel(columns: _Columns) -> _Columns:
    for name in ("exten", "channel_name", "peer", "extra"):
        columns[name] = pc.replace_substring_regex(columns[name], _NUMBER, r"\1")
    # Keys pressed one by one can add up to a card or telephone number.
    columns["extra"] = pc.replace_substring_regex(columns["extra"], r'("digit":")[^"]*', r"\1")
    return columns


def _with_derived_instants(rows: pa.Table, found: _Columns) -> pa.Table:
    """Returns the records with the end and answer that FreePBX's table has no column for, worked out in UTC."""
    seconds = {name: rows.column(name).cast(pa.duration("s")) for name in ("duration_seconds", "billsec_seconds")}
    if "ended_at" not in found:
        ended = pc.add(rows.column("started_at"), seconds["duration_seconds"])
        rows = rows.set_column(rows.schema.get_field_index("ended_at"), "ended_at", ended)
    if "answered_at" not in found:
        answered = pc.subtract(rows.column("ended_at"), seconds["billsec_seconds"])
        answered = pc.if_else(pc.greater(rows.column("billsec_seconds"), 0), answered, None)
        rows = rows.set_column(rows.schema.get_field_index("answered_at"), "answered_at", answered)
    return rows


def _instants(text: pa.ChunkedArray, time_zone: str) -> pa.ChunkedArray:
    """Returns UTC instants read as `connectors.conform` reads them; text without one takes its neighbour's."""
    is_epoch = pc.match_substring_regex(text, r"^\d{9,11}$")
    epoch = pc.if_else(is_epoch, text, None).cast(pa.int64())
    wall = pc.strptime(pc.utf8_slice_codeunits(text, 0, 19), "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
    fraction = pc.struct_field(pc.extract_regex(text, r"\.(?P<us>\d{1,6})"), 0)
    microseconds = pc.fill_null(pc.utf8_rpad(fraction, 6, "0").cast(pa.int64()), 0)
    local = pc.assume_timezone(wall, time_zone, ambiguous="earliest", nonexistent="earliest")
    seconds_of_wall = pc.if_else(pc.ends_with(text, "Z"), wall.cast(pa.int64()), local.cast(pa.int64()))
    ticks = pc.coalesce(pc.multiply(epoch, 1_000_000), pc.add(seconds_of_wall, microseconds))
    return pc.fill_null_backward(pc.fill_null_forward(ticks.cast(pa.timestamp("us", tz="UTC"))))


def _second_ordinals(instants: pa.ChunkedArray, last: dict[int, int]) -> pa.Array:
    """Returns each row's place in its second, counted from 1 on from `last`, which becomes this batch's counts.

    Threads of the exchange may write just before and after a full second out of turn, so rows of a second need
    not stand together.
    """
    seconds = np.asarray(pc.fill_null(instants.cast(pa.int64()), 0)) // 1_000_000
    distinct, group, counts = np.unique(seconds, return_inverse=True, return_counts=True)
    before = np.array([last.get(second, 0) for second in distinct.tolist()], dtype=np.int64)
    order = np.argsort(group, kind="stable")
    place = np.empty(len(seconds), dtype=np.int64)
    place[order] = np.arange(len(seconds)) - np.repeat(np.cumsum(counts) - counts, counts)
    last.clear()
    last.update(zip(distinct.tolist(), (before + counts).tolist(), strict=True))
    return pa.array(place + before[group] + 1)

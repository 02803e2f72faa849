"""Asterisk's text files as tables of text columns, named as the SQL back ends name them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from connectors.contract import SourceError

_BLOCK_BYTES = 32 << 20
_QUEUE_LOG = ("time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5")
_CDR = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
)
_CDR_LINKED = ("peeraccount", "linkedid", "sequence")
# The exchange's options add three groups, always in this order; a single extra column is the unique id by default.
# The likely layouts come first: a block that one of them fits as a whole is not tried further.
_CDR_LAYOUTS = (
    (*_CDR, "uniqueid", "userfield"),
    (*_CDR, "uniqueid", "userfield", *_CDR_LINKED),
    (*_CDR, "uniqueid"),
    (*_CDR, "uniqueid", *_CDR_LINKED),
    _CDR,
    (*_CDR, *_CDR_LINKED),
)
_CSV_FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'


@dataclass(frozen=True)
class Batch:
    """Part of a file or table.

    Attributes:
        origin: what the numbers count, for people, such as `queue_log line`.
        records: text columns by the source's names, `_number` (of line or row, from 1) and `_line`, which is the
            text of a line that has not the expected form, whose other columns are NULL, and NULL for all others.
        filtered: records left unread by a rule.
    """

    origin: str
    records: pa.Table
    filtered: dict[str, int] = field(default_factory=dict)


def read_queue_log(path: Path) -> Iterator[Batch]:
    """Yields the events of `path` and its rotated siblings, oldest file first. Raises SourceError without any."""
    for file in _history(path):
        for first, lines, filtered in _blocks(file):
            cells = pc.split_pattern(lines, "|", max_splits=len(_QUEUE_LOG) - 1)
            starts, counts = np.asarray(cells.offsets)[:-1], np.asarray(pc.list_value_length(cells))
            good = (counts >= 6) & np.asarray(pc.match_substring_regex(lines, r"^\d{9,11}\|"), dtype=bool)
            columns = {}
            for position, name in enumerate(_QUEUE_LOG):
                absent = ~good | (counts <= position)
                columns[name] = pc.take(cells.values, pa.array(np.where(absent, 0, starts + position), mask=absent))
            yield _batch(file, first, lines, pa.table(columns), good, filtered)


def read_cdr(path: Path, columns: tuple[str, ...] | None) -> Iterator[Batch]:
    """Yields the records of a Master.csv and its rotated siblings. Raises SourceError if there is no such file.

    The number of fields of a line tells its layout, as the exchange's options may change within a file;
    `columns` replaces the known layouts.
    """
    for file in _history(path):
        for first, lines, filtered in _blocks(file):
            layouts = (columns,) if columns else _CDR_LAYOUTS
            layout_of_line = np.full(len(lines), len(layouts))
            every_column = dict.fromkeys(name for layout in layouts for name in layout)
            tables = [pa.schema([(name, pa.string()) for name in every_column]).empty_table()]
            for number, layout in enumerate(layouts):
                fits = pc.match_substring_regex(lines, f"^{_CSV_FIELD}(?:,{_CSV_FIELD}){{{len(layout) - 1}}}$")
                if pc.any(fits).as_py():
                    layout_of_line[np.asarray(fits)] = number
                    tables.append(_parsed(lines.filter(fits), layout))
                if pc.all(fits).as_py():
                    break
            records = pa.concat_tables(tables, promote_options="default")
            # Parsed rows stand grouped by layout: put them back at their lines.
            good = layout_of_line < len(layouts)
            place = np.empty(len(lines), dtype=np.int64)
            place[np.argsort(layout_of_line, kind="stable")] = np.arange(len(lines))
            yield _batch(file, first, lines, records.take(pa.array(place, mask=~good)), good, filtered)


def _history(path: Path) -> list[Path]:
    """Returns the file and what the exchange or logrotate made of it (.0, .1.gz, -20261121), oldest first.

    A queue_log line begins with its time, so the first lines sort the files whatever the rotation strategy.
    """
    rotated = re.compile(re.escape(path.name) + r"([.-]\d+)*(\.gz)?")
    files = [file for file in path.parent.glob(f"{path.name}*") if rotated.fullmatch(file.name)]
    if not files:
        raise SourceError(f"{path}: no such file; correct `file` in the source's settings or mount the log folder")
    return sorted(files, key=_first_line)


def _first_line(file: Path) -> bytes:
    with _open(file) as stream:
        return stream.readline()


def _open(file: Path) -> IO[bytes]:
    try:
        return gzip.open(file) if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise SourceError(f"{file}: {error.strerror}; give the loader's account the right to read it") from error


def _blocks(file: Path) -> Iterator[tuple[int, pa.Array, dict[str, int]]]:
    """Yields (number of the first line, lines, filtered). Bytes that are not UTF-8 become U+FFFD."""
    number, rest = 1, b""
    with _open(file) as stream:
        while block := stream.read(_BLOCK_BYTES):
            whole, separator, rest = (rest + block).rpartition(b"\n")
            if separator:
                text = pa.array([whole.decode(errors="replace")])
                lines = pc.list_flatten(pc.split_pattern(text, "\n"))
                yield number, lines, {}
                number += len(lines)
    if rest:
        # The exchange may be in the middle of writing it; the next read finds it whole.
        yield number, pa.array([], pa.string()), {"unfinished last line": 1}


def _parsed(lines: pa.Array, layout: tuple[str, ...]) -> pa.Table:
    text = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")[0].as_buffer()
    return csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(column_names=layout),
        csv.ParseOptions(),
        csv.ConvertOptions(column_types=dict.fromkeys(layout, pa.string()), strings_can_be_null=False),
    )


def _batch(
    file: Path, first: int, lines: pa.Array, records: pa.Table, good: np.ndarray, filtered: dict[str, int]
) -> Batch:
    numbers = pa.array(np.arange(first, first + len(lines)))
    records = records.append_column("_number", numbers)
    return Batch(f"{file.name} line", records.append_column("_line", pc.if_else(good, None, lines)), filtered)

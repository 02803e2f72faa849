"""Reads one entity from a database query or from the files of a folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path

import pyarrow as pa

from connectors.conform import conform
from connectors.contract import Chunk, Context, Entity, FieldType, Reject, SourceError, Window
from connectors.personal import shape
from connectors.tabular.answers import (
    Both,
    Fault,
    Refused,
    accepted_answer,
    expected,
    quoted,
    refused_answer,
    write_answer,
)
from connectors.tabular.cells import dashed_date
from connectors.tabular.database import read_query
from connectors.tabular.headings import HEADINGS
from connectors.tabular.settings import Settings
from connectors.tabular.sheets import Sheet, read_sheet

_SHEET_KINDS = {".csv", ".tsv", ".xls", ".xlsb", ".xlsm", ".xlsx", ".ods"}
_SHEET_ERROR = re.compile(r"^#(N/A|DIV/0!|REF!|NAME\?|NULL!|NUM!|VALUE!|SPILL!|CALC!)$")


def read(settings: Settings, entity: Entity, window: Window | None, context: Context) -> Iterator[Chunk]:
    """Yields the records of `entity`: a database in chunks of the query, a folder in one chunk per file.

    A query is cut to `window` unless the entity is in `settings.complete`. Files are read whole, because what
    people hand over late may be about any day; each gets an answer file, and a wrong one is refused as a whole.
    Where two files hold the same key, the one with the later name wins and the other row counts as filtered.
    A file that fits no pattern is refused with the first entity of the source.
    Raises SourceError if the source does not deliver the entity or cannot be read.
    """
    origin = settings.entities.get(entity.name)
    if origin is None:
        raise SourceError(
            f"source {context.source_id} delivers no {entity.name}, only {', '.join(settings.entities)}; "
            "add it to the source's entities"
        )
    if origin.query is None:
        yield from _read_folder(settings, entity, context)
    else:
        cut = None if entity.name in settings.complete else window
        yield from read_query(settings, origin.query, entity, cut, context)


def _read_folder(settings: Settings, entity: Entity, context: Context) -> Iterator[Chunk]:
    folder = settings.folder
    if folder is None or not folder.is_dir():
        raise SourceError(f"source {context.source_id}: there is no folder {folder}; create it or correct the setting")
    chunks: list[tuple[str, str, Chunk]] = []
    later: set[tuple[object, ...]] = set()
    for name, owner in sorted(_owners(settings, folder).items(), reverse=True):
        if (owner or next(iter(settings.entities))) != entity.name:
            continue
        if owner is None:
            patterns = ", ".join(f"{origin.files} ({entity})" for entity, origin in settings.entities.items())
            wanted = Both(f"a name that fits one of {patterns}", f"文件名符合以下之一：{patterns}")
            chunk, faults = _refused_file(name, [Fault(None, None, quoted(name), wanted)], entity)
        else:
            chunk, faults = _take(folder / name, name, entity, context)
        if faults:
            answer = refused_answer(name, faults)
        else:
            keys = _keys(entity, chunk.rows)
            fresh = [key not in later for key in keys]
            later.update(keys)
            answer = accepted_answer(
                name, HEADINGS[entity.name], len(keys), fresh.count(False), [heading for heading, _ in chunk.drift]
            )
            superseded = {"superseded_by_later_file": fresh.count(False)} if not all(fresh) else {}
            chunk = replace(
                chunk,
                rows=chunk.rows.filter(pa.array(fresh, pa.bool_())),
                filtered=superseded,
                faultless=name,
                row_numbers=list(compress(chunk.row_numbers, fresh)),
            )
        chunks.append((name, answer, chunk))
    for name, answer, chunk in reversed(chunks):
        write_answer((settings.answers_to or folder) / f"{name}.answer.txt", answer)
        yield chunk


def _owners(settings: Settings, folder: Path) -> dict[str, str | None]:
    """Returns each sheet below the folder with the first entity whose pattern it fits, None if there is none."""
    owners: dict[str, str | None] = {}
    patterns: list[tuple[str | None, str]] = [
        (entity, origin.files or "") for entity, origin in settings.entities.items()
    ]
    for entity, pattern in [*patterns, (None, "**/*")]:
        for path in folder.glob(pattern):
            # ~$ marks the lock file of a workbook that somebody has open.
            if path.suffix.lower() in _SHEET_KINDS and not path.name.startswith((".", "~$")):
                owners.setdefault(path.relative_to(folder).as_posix(), entity)
    return owners


def _take(path: Path, name: str, entity: Entity, context: Context) -> tuple[Chunk, list[Fault]]:
    """Returns (the rows of the file, no faults) or (its rows as rejects, every fault)."""
    try:
        sheet = read_sheet(path)
        columns = _columns(sheet.headings, entity)
    except Refused as refused:
        return _refused_file(name, list(refused.faults), entity)
    cells = {field: [row[index] for _, row in sheet.rows] for field, index in columns.items()}
    for field, column in cells.items():
        if entity.fields[field].type in (FieldType.DATE, FieldType.TIMESTAMP):
            cells[field] = [dashed_date(cell) for cell in column]
    raw = pa.table({field: pa.array(column, pa.string()) for field, column in cells.items()})
    chunk = conform(entity, raw, context, locator=str)
    faults = [*sheet.faults, *_wrong_cells(sheet, columns, raw, entity, context), *_repeated(sheet, chunk, entity)]
    if faults:
        faults.sort(key=lambda fault: fault.row or 0)
        return _refused_rows(name, sheet, columns, entity, faults), faults
    for index, heading in enumerate(sheet.headings):
        if heading and index not in columns.values() and heading not in entity.ignored:
            chunk.drift[heading, "text"] = sum(row[index] != "" for _, row in sheet.rows)
    return replace(chunk, row_numbers=[number for number, _ in sheet.rows]), []


def _columns(headings: Sequence[str], entity: Entity) -> dict[str, int]:
    """Returns the place of each field in the sheet. Raises Refused for missing and repeated headings."""
    declared = HEADINGS[entity.name]
    columns: dict[str, int] = {}
    faults = []
    for index, heading in enumerate(headings):
        field = declared.field_of(heading)
        if field in columns:
            found = Both("a second column with this heading", "重复的标题")
            faults.append(Fault(1, heading, found, Both("each heading once", "每个标题只出现一次")))
        elif field is not None:
            columns[field] = index
    for field, definition in entity.fields.items():
        if definition.required and field not in columns:
            found = Both("no such heading", "缺少该标题")
            faults.append(Fault(1, declared.fields[field].label, found, Both("this heading", "有该标题")))
    if faults:
        raise Refused(*faults)
    return columns


def _wrong_cells(
    sheet: Sheet, columns: dict[str, int], raw: pa.Table, entity: Entity, context: Context
) -> Iterator[Fault]:
    """Yields every cell that breaks its field; `conform` over a whole row names only the first of them."""
    for field, place in columns.items():
        declared = entity.fields[field]
        alone = entity.model_copy(update={"fields": {field: declared}})
        texts = raw[field].to_pylist()
        wrong = {int(reject.locator) for reject in conform(alone, raw.select([field]), context, locator=str).rejects}
        wrong |= {index for index, text in enumerate(texts) if _SHEET_ERROR.match(text)}
        for index in sorted(wrong):
            cell = texts[index] if declared.personal is None else None
            found = Both("a personal value", "个人信息") if cell is None else quoted(cell)
            yield Fault(sheet.rows[index][0], sheet.headings[place], found, expected(declared), cell)


def _repeated(sheet: Sheet, chunk: Chunk, entity: Entity) -> Iterator[Fault]:
    """Yields the well-typed rows that repeat the key of a row above."""
    broken = {int(reject.locator) for reject in chunk.rejects}
    numbers = [number for index, (number, _) in enumerate(sheet.rows) if index not in broken]
    label = " + ".join(HEADINGS[entity.name].fields[field].label for field in entity.key)
    first: dict[tuple[object, ...], int] = {}
    for number, key in zip(numbers, _keys(entity, chunk.rows), strict=True):
        above = first.setdefault(key, number)
        if above != number:
            found = Both(f"the same as in row {above}", f"与第 {above} 行相同的内容")
            yield Fault(number, label, found, Both("values that stand in one row only", "不与其他行重复"))


def _keys(entity: Entity, rows: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(rows[field].to_pylist() for field in entity.key), strict=True))


def _refused_file(name: str, faults: list[Fault], entity: Entity) -> tuple[Chunk, list[Fault]]:
    """Returns one reject for the whole file, because nothing is known of its rows."""
    reject = Reject(
        locator=name,
        field=faults[0].column or "",
        found=faults[0].found.en,
        expected=faults[0].expected.en,
        remedy="correct the file as its answer file says and put it into the folder again",
        payload={"file": name},
    )
    return Chunk(entity.stored_schema().empty_table(), 1, [reject]), faults


def _refused_rows(name: str, sheet: Sheet, columns: dict[str, int], entity: Entity, faults: list[Fault]) -> Chunk:
    """Returns every row as a reject: the wrong ones with their first fault, the good ones because of the others."""
    first: dict[int | None, Fault] = {}
    for fault in faults:
        first.setdefault(fault.row, fault)
    rejects = []
    for number, row in sheet.rows:
        payload = {field: row[index] for field, index in columns.items()}
        own = first.get(number)
        if own is None:
            field, found, wanted = "", "a good row of a refused file", "a file without faults"
            remedy = "correct the other rows of this file"
        else:
            column = own.column or ""
            field = HEADINGS[entity.name].field_of(column) or column
            # The answer file tells its author what stands there; what is stored may not be a name in a wrong column.
            found, wanted = shape(own.cell) if own.cell else own.found.en, own.expected.en
            remedy = "correct this row and put the file into the folder again"
        rejects.append(Reject(f"{name} row {number}", field, found, wanted, remedy, payload))
    return Chunk(entity.stored_schema().empty_table(), len(rejects), rejects)

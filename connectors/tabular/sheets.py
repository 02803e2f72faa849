"""The first sheet of an Excel workbook, or a CSV file, as rows of text."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from connectors.tabular.answers import Both, Fault, Refused, quoted
from connectors.tabular.cells import as_text


@dataclass(frozen=True)
class Sheet:
    """Headings of row 1, the rows below that hold anything as (number in the sheet, cells), and stray cells."""

    headings: list[str]
    rows: list[tuple[int, list[str]]]
    faults: list[Fault]


def read_sheet(path: Path) -> Sheet:
    """Returns the sheet in `path`. Raises Refused if the file cannot be read or has no headings."""
    kind = path.suffix.lower()
    if kind not in (".csv", ".xlsx"):
        raise Refused(Fault(None, None, quoted(kind), Both("a .csv or .xlsx file", " .csv 或 .xlsx 文件")))
    lines = _csv_lines(path) if kind == ".csv" else _xlsx_lines(path)
    headings = lines[0] if lines else []
    while headings and not headings[-1]:
        headings.pop()
    if not headings:
        raise Refused(Fault(1, None, quoted(""), Both("the headings of the columns", "各列标题")))
    sheet = Sheet(headings, [], [])
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        sheet.rows.append((number, cells[: len(headings)] + [""] * (len(headings) - len(cells))))
        for index, cell in enumerate(cells):
            if cell and (index >= len(headings) or not headings[index]):
                letter = get_column_letter(index + 1)
                wanted = Both("a heading in row 1 above it", "第 1 行有标题")
                sheet.faults.append(Fault(number, letter, quoted(cell), wanted, cell))
    return sheet


def _csv_lines(path: Path) -> list[list[str]]:
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = Both(f"a byte at position {error.start} that is not UTF-8", f"位置 {error.start} 处的非 UTF-8 字节")
        wanted = Both('a file saved as "CSV UTF-8"', "另存为“CSV UTF-8”的文件")
        raise Refused(Fault(None, None, found, wanted)) from error
    first = content.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        return [[as_text(cell) for cell in line] for line in reader]
    except csv.Error as error:
        found = Both(f"at text line {reader.line_num}: {error}", f"第 {reader.line_num} 个文本行有误（{error}）")
        raise Refused(Fault(None, None, found, Both("quotation marks in pairs", "成对的引号"))) from error


def _xlsx_lines(path: Path) -> list[list[str]]:
    # Not calamine: it gives an error cell (#N/A) as an empty one and hides the percent format, both silent losses.
    try:
        workbook = load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = workbook.worksheets[0]
            sheet.reset_dimensions()  # some writers declare a smaller area than they fill
            return [[_cell_text(cell) for cell in line] for line in sheet.iter_rows()]
        finally:
            workbook.close()
    except Exception as error:  # openpyxl lets through whatever its zip, XML and style parsers raise
        found = Both("a workbook that does not open", "无法打开的工作簿")
        wanted = Both("an .xlsx file that is whole and has no password", "完整且未加密的 .xlsx 文件")
        raise Refused(Fault(None, None, found, wanted)) from error


def _cell_text(cell: Any) -> str:
    if isinstance(cell.value, int | float) and "%" in cell.number_format:
        return as_text(cell.value * 100.0) + "%"  # as people see it: 0.87 shown as 87% is not a score of 0.87
    return as_text(cell.value)

"""Ready-to-fill sheets: an Excel workbook or a CSV file with the headings the reader accepts."""

from __future__ import annotations

import csv
from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from connectors.contract import Entity, EntityField, FieldType
from connectors.tabular.answers import expected
from connectors.tabular.headings import HEADINGS
from connectors.tabular.settings import SYSTEM

_FORMATS = {
    FieldType.TEXT: "@",  # keeps leading zeros and long numbers as they are typed
    FieldType.DATE: "yyyy-mm-dd",
    FieldType.TIMESTAMP: "yyyy-mm-dd hh:mm:ss",
    FieldType.LOCAL_TIME: "hh:mm",
}
_LAST_ROW = 1_048_576
_REQUIRED = PatternFill("solid", start_color="FFE699")
_OPTIONAL = PatternFill("solid", start_color="DDEBF7")


def write_template(entity_name: str, path: Path) -> None:
    """Writes an empty sheet of the entity to `path`, an .xlsx or .csv file.

    Row 1 holds the headings in both languages. The workbook also carries drop-down lists and limits for what a
    cell may hold, and a second sheet that explains every column. Raises ValueError for an unknown entity or kind.
    """
    entity = SYSTEM.entities.get(entity_name)
    if entity is None:
        raise ValueError(f"no entity {entity_name!r}: known are {', '.join(SYSTEM.entities)}")
    labels = [HEADINGS[entity_name].fields[field].label for field in entity.fields]
    if path.suffix.lower() == ".csv":
        # With a byte order mark, or Excel takes the headings for text in a local code page.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerow(labels)
    elif path.suffix.lower() == ".xlsx":
        workbook = Workbook()
        sheet = workbook.active
        sheet.title = entity_name
        _fill_sheet(sheet, entity, labels)
        _explain(workbook.create_sheet("Columns 列说明"), entity)
        workbook.save(path)
    else:
        raise ValueError(f"{path.name}: a template is an .xlsx or .csv file")


def _fill_sheet(sheet: Worksheet, entity: Entity, labels: list[str]) -> None:
    sheet.append(labels)
    sheet.freeze_panes = "A2"
    for number, (label, declared) in enumerate(zip(labels, entity.fields.values(), strict=True), start=1):
        letter = get_column_letter(number)
        heading = sheet.cell(1, number)
        heading.font = Font(bold=True)
        heading.fill = _REQUIRED if declared.required else _OPTIONAL
        sheet.column_dimensions[letter].width = 2 + sum(2 if ord(letter) > 255 else 1 for letter in label)
        sheet.column_dimensions[letter].number_format = _FORMATS.get(declared.type, "General")
        rule = _rule(declared)
        if rule is not None:
            wanted = expected(declared)
            rule.error = f"{wanted.en}\n{wanted.zh}"[:255]
            rule.errorTitle = label[:32]
            rule.add(f"{letter}2:{letter}{_LAST_ROW}")
            sheet.add_data_validation(rule)


def _rule(declared: EntityField) -> DataValidation | None:
    """Returns what a spreadsheet program itself can check while people type."""
    if declared.allowed is not None or declared.type is FieldType.BOOLEAN:
        return DataValidation(type="list", formula1=f'"{",".join(declared.allowed or ("yes", "no"))}"')
    if declared.type in (FieldType.DATE, FieldType.TIMESTAMP):
        return DataValidation(type="date", operator="greaterThanOrEqual", formula1="36526")  # 2000-01-01
    if declared.type is FieldType.LOCAL_TIME:
        return DataValidation(type="time", operator="between", formula1="0", formula2="0.999989")
    if declared.type in (FieldType.INTEGER, FieldType.NUMBER):
        kind = "whole" if declared.type is FieldType.INTEGER else "decimal"
        low = -1e15 if declared.minimum is None else declared.minimum
        high = 1e15 if declared.maximum is None else declared.maximum
        return DataValidation(type=kind, operator="between", formula1=f"{low:.0f}", formula2=f"{high:.0f}")
    return None


def _explain(sheet: Worksheet, entity: Entity) -> None:
    headings = HEADINGS[entity.name]
    sheet.append(["Column / 列", "Required / 必填", "Content / 内容", "Meaning", "含义"])
    for field, declared in entity.fields.items():
        heading = headings.fields[field]
        required = "yes / 是" if declared.required else "no / 否"
        sheet.append([heading.label, required, " / ".join(expected(declared)), declared.description, heading.about_zh])
    for number, width in enumerate((34, 16, 60, 60, 60), start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
        sheet.cell(1, number).font = Font(bold=True)
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.alignment = Alignment(wrap_text=True, vertical="top")

"""What people read about a file they handed over: faults and answer files, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from connectors.contract import EntityField, FieldType
from connectors.tabular.headings import Headings


class Both(NamedTuple):
    """One text in both languages."""

    en: str
    zh: str


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a file; `row` counts as the sheet does (1 = headings), None for the whole file.

    `cell` is the content of the cell where one is at fault.
    """

    row: int | None
    column: str | None
    found: Both
    expected: Both
    cell: str | None = None


class Refused(Exception):
    """A file that cannot be taken, with every fault that could be seen."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(f"{fault.found.en}, expected {fault.expected.en}" for fault in faults))
        self.faults = faults


_NOTHING = Both("nothing", "空白")
_TYPES = {
    FieldType.TEXT: Both("text", "文本"),
    FieldType.INTEGER: Both("a whole number", "整数"),
    FieldType.NUMBER: Both(
        "a number with a decimal point, at most 6 decimal places and no percent sign",
        "数字，小数点用“.”，最多 6 位小数，不带百分号",
    ),
    FieldType.BOOLEAN: Both("yes or no", "是或否"),
    FieldType.TIMESTAMP: Both("a date and time such as 2026-11-02 08:30:00", "日期和时间，例如 2026-11-02 08:30:00"),
    FieldType.DATE: Both("a date such as 2026-11-02", "日期，例如 2026-11-02"),
    FieldType.LOCAL_TIME: Both("a time of day such as 08:30", "时刻，例如 08:30"),
}


def quoted(text: str) -> Both:
    """Returns `text` as found, cut to 80 characters; "nothing" if empty."""
    return Both(f'"{text[:80]}"', f"“{text[:80]}”") if text else _NOTHING


def expected(declared: EntityField) -> Both:
    """Returns what a cell of the field must hold."""
    en, zh = _TYPES[declared.type]
    if declared.allowed is not None:
        en, zh = f"one of {', '.join(declared.allowed)}", f"以下之一：{'、'.join(declared.allowed)}"
    if declared.minimum is not None:
        en, zh = f"{en}, at least {declared.minimum:g}", f"{zh}，不小于 {declared.minimum:g}"
    if declared.maximum is not None:
        en, zh = f"{en}, at most {declared.maximum:g}", f"{zh}，不大于 {declared.maximum:g}"
    if declared.required:
        en, zh = f"{en}, never empty", f"{zh}，不可为空"
    return Both(en, zh)


def accepted_answer(name: str, headings: Headings, rows: int, superseded: int, unused: Sequence[str]) -> str:
    """Returns the answer to a file that was taken whole."""
    lines = [
        f"{name}: ACCEPTED as {headings.title.en}, {rows} rows.",
        f"{name}：已接收为“{headings.title.zh}”，共 {rows} 行。",
    ]
    if superseded:
        lines += [
            f"{superseded} of these rows were replaced by a file with a later name.",
            f"其中 {superseded} 行已被文件名靠后的文件取代。",
        ]
    if unused:
        lines += [f"Columns not used: {', '.join(unused)}", f"未使用的列：{'、'.join(unused)}"]
    return "\n".join(lines) + "\n"


def refused_answer(name: str, faults: Sequence[Fault]) -> str:
    """Returns the answer to a file that was refused as a whole, with every fault."""
    lines = [
        f"{name}: REFUSED. No row of this file was taken. Faults: {len(faults)}",
        f"{name}：已退回，未接收任何一行。错误数：{len(faults)}",
        "",
    ]
    for fault in faults:
        place = Both("The file", "文件")
        if fault.row is not None:
            place = Both(f"Row {fault.row}", f"第 {fault.row} 行")
        if fault.column is not None:
            place = Both(f'{place.en}, column "{fault.column}"', f"{place.zh}“{fault.column}”列")
        lines += [
            f"{place.en}: found {fault.found.en}, expected {fault.expected.en}.",
            f"{place.zh}：发现{fault.found.zh}；要求{fault.expected.zh}。",
            "",
        ]
    lines += ["Correct the file and put it into the folder again.", "请更正后重新放入文件夹。"]
    return "\n".join(lines) + "\n"


def write_answer(path: Path, text: str) -> None:
    """Writes an answer file; an unchanged one is left alone, so that its time says when the answer changed."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

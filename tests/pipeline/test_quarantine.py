"""What people do with refused records: see them, read them again, or say why they will never be loaded."""

from __future__ import annotations

import pytest

from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest
from kefu.pipeline.quarantine import Record, dismiss, open_records, payload, replay
from kefu.warehouse import Role, WarehouseError
from tests.conftest import Copy
from tests.e2e.support import Line, inbox_of

SHEET = (
    "employee_number,exam_name,sitting,exam_date,score\n"
    "CS1001,second exam,first,2026-11-18,Dana Roe\n"
    "CS1002,second exam,first,2026-11-18,90\n"
)


@pytest.fixture
def refused(line: Line, copy_of: Copy) -> tuple[Platform, list[Record]]:
    """An installation that has refused a sheet of two rows, one of them wrong."""
    platform = copy_of(line.platform, "t_quarantine")
    sheet = inbox_of(platform) / "exam-refused.csv"
    sheet.write_text(SHEET)
    ingest(platform, "a sheet", "inbox", "exam")
    sheet.unlink()
    return platform, list(open_records(platform.warehouse))


def test_a_line_tells_where_what_and_how_to_repair_but_not_the_value(refused: tuple[Platform, list[Record]]) -> None:
    _, [wrong, beside] = refused
    assert wrong.line().endswith(
        "inbox/exam exam-refused.csv row 2: score is text like 'xxxx xxx', expected a number with a decimal point, at"
        " most 6 decimal places and no percent sign, at least 0, at most 100. Remedy: correct this row and put the"
        " file into the folder again"
    )
    assert beside.found == "a good row of a refused file"


def test_who_repairs_it_sees_the_record_itself(refused: tuple[Platform, list[Record]]) -> None:
    platform, [wrong, _] = refused
    assert payload(platform, wrong.quarantine_id)["score"] == "Dana Roe"
    with pytest.raises(WarehouseError, match="no open record #999"):
        payload(platform, 999)


def test_a_replay_loads_what_is_good_and_keeps_the_rest(refused: tuple[Platform, list[Record]]) -> None:
    platform, [wrong, _] = refused
    report = replay(platform, "inbox", "exam")
    assert (report.read, report.inserted, report.quarantined) == (2, 1, 1)
    assert [record.quarantine_id for record in open_records(platform.warehouse)] == [wrong.quarantine_id]


def test_a_dismissal_keeps_who_and_why_and_happens_once(refused: tuple[Platform, list[Record]]) -> None:
    platform, [wrong, beside] = refused
    dismiss(platform.warehouse, wrong.quarantine_id, "lead", "the exam was cancelled")
    assert [record.quarantine_id for record in open_records(platform.warehouse)] == [beside.quarantine_id]
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        kept = connection.execute(
            "select status, dismissed_by, dismissed_because from ops.quarantine where quarantine_id = %s",
            [wrong.quarantine_id],
        ).fetchall()
    assert kept == [("dismissed", "lead", "the exam was cancelled")]
    with pytest.raises(WarehouseError, match=f"no open record #{wrong.quarantine_id}"):
        dismiss(platform.warehouse, wrong.quarantine_id, "lead", "again")

"""Disputes by sheet: filed once, by nobody who decides, or waiting in the quarantine with the reason."""

from __future__ import annotations

import csv
import io
from typing import Any

import psycopg
import pytest

from kefu.payroll import CloseRefused, disputes, filing, step
from kefu.payroll.close import APPROVER, CHECKER
from kefu.payroll.login import call
from kefu.pipeline import quarantine
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest
from kefu.settings import Settings
from kefu.warehouse import Role
from tests.conftest import Copy
from tests.e2e.support import inbox_of
from tests.payroll.fabricated import DISPUTED_PERIOD as PERIOD
from tests.payroll.fabricated import DISPUTING as AGENTS
from tests.payroll.fabricated import Calculation, calculating, open_to_disputes, query, set_clock

BY_OWNER = [
    # Loads are as old as the close believes.
    "alter table ops.load alter completed_at set default payroll.clock()",
    "grant usage on schema payroll to kefu_loader",
    "grant execute on function payroll.clock to kefu_loader",
]
BY_TRANSFORMER = [
    "create schema if not exists wh_staging",
    "create table wh_staging.stg_tabular__employee as select unnest('{CS1001,CS1002,CS3001,CS9001,CS9009}'::text[])"
    " as employee_number",
    "create view wh_staging.stg_tabular__dispute as select distinct on (_key) *, _source_id as source_id"
    " from raw_tabular.dispute order by _key, _load_seq desc",
]
DAY = {
    "employee_number": "CS1001", "period_id": PERIOD, "object_kind": "attendance", "object_key": "CS1001:2026-11-05",
    "claim": "在岗，门禁故障", "reason": "gate log 17", "filed_on": "2026-11-26", "filed_by": "CS9009",
}  # fmt: skip


@pytest.fixture(scope="module")
def published(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    platform = open_to_disputes(settings, "t_filing", tmp_path_factory.mktemp("filing"), BY_OWNER, BY_TRANSFORMER)
    set_clock(platform, "2026-11-26T20:00:00Z")
    return platform


@pytest.fixture
def platform(published: Platform, copy_of: Copy, monkeypatch: pytest.MonkeyPatch) -> Any:
    for sheet in inbox_of(published).iterdir():
        sheet.unlink()
    with calculating(monkeypatch, Calculation(AGENTS)):
        yield copy_of(published, "t_filing_copy")


def hand_in(platform: Platform, *rows: dict[str, Any], name: str = "dispute-2026-11.csv") -> None:
    """Puts a sheet into the inbox and loads it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(DAY))
    writer.writeheader()
    writer.writerows(rows)
    (inbox_of(platform) / name).write_text(text.getvalue(), encoding="utf-8")
    ingest(platform, "run", "inbox", "dispute")


def waiting(platform: Platform) -> list[tuple[str, str, str]]:
    return [(record.locator, record.field, record.found) for record in quarantine.open_records(platform.warehouse)]


def test_every_kind_of_object_is_filed_once_with_who_filed_it(platform: Platform) -> None:
    objects = {
        "attendance": "CS1001:2026-11-05", "composite": "composite", "gate": "sheets:F1",
        "metric": "csat_rate", "rating": "chat:7", "review": "sheets:R1",
    }  # fmt: skip
    rows = [{**DAY, "object_kind": kind, "object_key": key} for kind, key in objects.items()]
    hand_in(platform, *rows)
    assert filing.file_sheets(platform).line() == "disputes: 6 filed from sheets, 0 wait in quarantine"
    # The same rows again, in another file and in other words, are the same disputes.
    again = [row | {"claim": "once more"} for row in rows]
    hand_in(platform, *again, rows[1] | {"employee_number": "CS1002"}, name="dispute-again.csv")
    assert len(filing.file_sheets(platform).numbers) == 1
    assert filing.file_sheets(platform).numbers == []
    words = "在岗，门禁故障 (gate log 17)"
    assert query(
        platform,
        "select agent_key, object_kind, row_kind, coalesce(row_key, metric_id, fact_key), scorer_key, claim"
        " from payroll.dispute order by agent_key, object_kind, row_kind",
    ) == [
        ("CS1001", "composite", None, None, None, words),
        ("CS1001", "gate", None, "sheets:F1", "CS3001", words),
        ("CS1001", "metric", None, "csat_rate", None, words),
        ("CS1001", "row", "attendance", "CS1001:2026-11-05", None, words),
        ("CS1001", "row", "rating", "chat:7", None, words),
        ("CS1001", "row", "review", "sheets:R1", "CS3001", words),
        ("CS1002", "composite", None, None, None, words),
    ]
    assert query(
        platform, "select distinct submitted_by, filed_by, filed_on::text, detail ->> 'filed_by' from payroll.dispute"
        " join payroll.audit on object = 'dispute ' || dispute_id",
    ) == [("kefu_loader", "CS9009", "2026-11-26", "CS9009")]  # fmt: skip
    assert query(platform, "select * from payroll.verify()") == []


def test_who_filed_a_dispute_by_sheet_does_not_decide_about_it(platform: Platform) -> None:
    hand_in(platform, DAY)
    [number] = filing.file_sheets(platform).numbers
    disputes.triage(platform, number, "complete")
    with pytest.raises(CloseRefused, match="nobody knows whose login kefu_hr_approver is, so it cannot decide about a"):
        disputes.decide(platform, number, "row_excluded", "the gate's log shows it")
    disputes.person(platform, APPROVER, "CS9009", CHECKER)
    with pytest.raises(CloseRefused, match=f"dispute {number} was filed by CS9009; another person decides"):
        disputes.decide(platform, number, "row_excluded", "the gate's log shows it")
    with (
        platform.warehouse.connect(Role.LOADER) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("select payroll.decide_dispute(1, 'row_excluded', 'by the loader')")
    disputes.person(platform, APPROVER, "CS9001", CHECKER)
    disputes.decide(platform, number, "row_excluded", "the gate's log shows it")
    assert query(platform, "select row_kind, row_key, decided_by from ops.row_exclusion") == [
        ("attendance", "CS1001:2026-11-05", APPROVER)
    ]


REFUSED = {
    "CS4711:2026_11_real:attendance:CS1001:2026-11-05": ({"employee_number": "CS4711"}, "employee_number", "CS4711"),
    "CS1001:2026_11_real:attendance:CS1001:2026-11-05": ({"filed_by": "CS4711"}, "filed_by", "CS4711"),
    "CS1001:2026_11_real:attendance:CS1001:2026-11-06": (
        {"object_key": "CS1001:2026-11-06"}, "object_key", "CS1001:2026-11-06, which is not there",
    ),
    "CS1001:2026_11_real:attendance:CS1001:2026-11-01": (
        {"object_key": "CS1001:2026-11-01"}, "object_key", "CS1001:2026-11-01, which counts on 2026-11-01",
    ),
    "CS1001:2026_11_real:review:sheets:R0": (
        {"object_kind": "review", "object_key": "sheets:R0"}, "object_key", "sheets:R0, which counts on 2026-10-30",
    ),
    "CS1001:2026_11_real:metric:fcr_repeat": (
        {"object_kind": "metric", "object_key": "fcr_repeat"}, "object_key",
        "fcr_repeat, which no plan of this person scores",
    ),
    "CS1002:2026_11_real:attendance:CS1001:2026-11-05": (
        {"employee_number": "CS1002"}, "object_key", "CS1001:2026-11-05, which is about somebody else",
    ),
    "CS1001:2026_11_real:metric:no_metric": (
        {"object_kind": "metric", "object_key": "no_metric"}, "object_key",
        "no_metric, which no plan of this person scores",
    ),
    "CS1001:2026_11_real:gate:sheets:F3": (
        {"object_kind": "gate", "object_key": "sheets:F3"}, "object_key",
        "sheets:F3, of the kind late_report, which is no gate of this person's plan",
    ),
    "CS1001:2026_11_real:composite:all": ({"object_kind": "composite", "object_key": "all"}, "object_key", "all"),
    "CS1001:2026_12:attendance:CS1001:2026-11-05": (
        {"period_id": "2026_12"}, "period_id", "period 2026_12 is not applied",
    ),
    "CS1001:2026_11_real:rating:chat:7": (
        {"object_kind": "rating", "object_key": "chat:7", "filed_on": "2026-11-27"}, "filed_on",
        "the sheet was filed on 2026-11-27 and loaded on 2026-11-26",
    ),
}  # fmt: skip


def test_what_cannot_be_filed_waits_with_its_words_and_the_reason(platform: Platform) -> None:
    rows = {name: DAY | changes for name, (changes, _, _) in REFUSED.items()}
    hand_in(platform, *rows.values())
    # The headings are row 1.
    places = {name: f"filing of dispute-2026-11.csv row {number}: {name}" for number, name in enumerate(REFUSED, 2)}
    for _ in range(2):
        assert sorted(filing.file_sheets(platform).waiting) == sorted(REFUSED)
        assert sorted(waiting(platform)) == sorted(
            (places[name], field, found) for name, (_, field, found) in REFUSED.items()
        )
        # Neither reading the sheet again nor a replay settles it.
        ingest(platform, "again", "inbox", "dispute")
        assert len(waiting(platform)) == len(REFUSED)
        quarantine.replay(platform, "inbox", "dispute")
    filing.file_sheets(platform)
    records = query(platform, "select quarantine_id, locator, expected, remedy from ops.quarantine")
    for number, locator, *words in records:
        assert quarantine.payload(platform, number) == rows[locator.split(": ", 1)[1]] and all(words)
        quarantine.dismiss(platform.warehouse, number, "ana", "handed in by mistake")
    assert filing.file_sheets(platform) == filing.Filed([], [])
    assert waiting(platform) == [] and query(platform, "select count(*) from payroll.dispute") == [(0,)]


def test_a_row_is_filed_when_the_cause_is_gone_and_one_that_was_corrected_waits_no_more(platform: Platform) -> None:
    hand_in(platform, DAY | {"object_key": "CS1001:2026-11-06"}, DAY | {"filed_by": "CS4711"})
    assert len(filing.file_sheets(platform).waiting) == 2
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        connection.execute(
            f"insert into calc_{PERIOD}_v1.fct_attendance values ('CS1001:2026-11-06', 'CS1001', '2026-11-06')"
        )
    hand_in(platform, DAY, name="dispute-corrected.csv")
    assert filing.file_sheets(platform).line() == "disputes: 2 filed from sheets, 0 wait in quarantine"
    assert query(platform, "select locator, status from ops.quarantine order by locator") == [
        (f"filing of dispute-2026-11.csv row 2: CS1001:{PERIOD}:attendance:CS1001:2026-11-06", "replayed"),
        (f"filing of dispute-2026-11.csv row 3: CS1001:{PERIOD}:attendance:CS1001:2026-11-05", "superseded"),
    ]


def test_a_row_that_waits_names_the_file_and_row_that_hold_its_last_words(platform: Platform) -> None:
    # Rows without anything are passed over and still count where they stand.
    nothing = dict.fromkeys(DAY, "")
    hand_in(platform, DAY, nothing, *(DAY | {"object_key": f"CS1001:2026-11-0{day}"} for day in (7, 8)))
    filing.file_sheets(platform)
    assert [place.split(":")[0] for place, _, _ in waiting(platform)] == [
        f"filing of dispute-2026-11.csv row {number}" for number in (4, 5)
    ]
    # Both files hold the 8th; the later one counts.
    hand_in(platform, DAY | {"object_key": "CS1001:2026-11-08", "claim": "in other words"}, name="dispute-later.csv")
    filing.file_sheets(platform)
    record = f"CS1001:{PERIOD}:attendance:CS1001:2026-11"
    assert [place for place, _, _ in waiting(platform)] == [
        f"filing of dispute-2026-11.csv row 4: {record}-07", f"filing of dispute-later.csv row 2: {record}-08",
    ]  # fmt: skip


def test_a_run_that_was_killed_files_the_rest_and_nothing_twice(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_in(platform, DAY, DAY | {"object_kind": "composite", "object_key": "composite"}, DAY | {"object_key": "none"})

    class Killed(BaseException):
        pass

    def after_the_first(*arguments: Any) -> Any:
        number = call(*arguments)
        raise Killed(number)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("kefu.payroll.filing.call", after_the_first)
        filing.file_sheets(platform)
    assert query(platform, "select count(*) from payroll.dispute") == [(1,)]
    found = filing.file_sheets(platform)
    assert (len(found.numbers), len(found.waiting)) == (1, 1)
    assert query(platform, "select count(*), count(distinct sheet_key) from payroll.dispute") == [(2, 2)]


def test_in_time_is_what_was_written_in_the_window_and_loaded_by_the_next_working_day(platform: Platform) -> None:
    in_time = DAY | {"filed_on": "2026-12-02"}
    too_late = DAY | {"filed_on": "2026-12-03", "object_kind": "composite", "object_key": "composite"}
    # The window ends with Wednesday 2 December; the sheets of that day are read at night.
    set_clock(platform, "2026-12-03T03:00:00Z")
    hand_in(platform, in_time, too_late)
    found = filing.file_sheets(platform)
    assert (len(found.numbers), len(found.waiting)) == (1, 1)
    [(_, field, said)] = waiting(platform)
    assert field == "filed_on"
    assert said == (
        f"the dispute window of period {PERIOD} ended on 2026-12-02 23:00 UTC; the sheet was filed on 2026-12-03 and"
        " loaded on 2026-12-03 03:00 UTC"
    )
    # A day that was written back into the window does not help who brings it a working day later.
    set_clock(platform, "2026-12-03T23:00:00Z")
    hand_in(platform, in_time | {"object_kind": "metric", "object_key": "csat_rate"}, name="dispute-later.csv")
    assert len(filing.file_sheets(platform).waiting) == 2


def test_what_came_too_late_stays_so_after_the_lock_and_what_comes_then_leads_to_a_restatement(
    platform: Platform,
) -> None:
    set_clock(platform, "2026-12-05T08:00:00Z")
    hand_in(platform, DAY | {"object_kind": "metric", "object_key": "csat_rate"})
    assert len(filing.file_sheets(platform).waiting) == 1
    set_clock(platform, "2026-12-05T12:00:00Z")
    step(platform, PERIOD, "approve", APPROVER)
    step(platform, PERIOD, "lock", APPROVER)
    set_clock(platform, "2026-12-06T08:00:00Z")
    hand_in(platform, DAY | {"filed_on": "2026-12-06"}, name="dispute-locked.csv")
    found = filing.file_sheets(platform)
    assert (len(found.numbers), len(found.waiting)) == (1, 1)
    assert query(platform, "select object_kind, is_locked from payroll.dispute") == [("row", True)]

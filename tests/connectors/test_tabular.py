"""The tabular connector: one content by any medium; answers to wrong files; Horilla; the handmade sheets."""

from __future__ import annotations

import csv
import os
import runpy
import sqlite3
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from openpyxl import Workbook, load_workbook
from pydantic import ValidationError

from connectors.contract import Chunk, Context, FieldType, SourceError, Window
from connectors.tabular import SYSTEM, Settings, read
from connectors.tabular.headings import HEADINGS
from connectors.tabular.templates import write_template

ROOT = Path(__file__).parents[2]
HORILLA_TABLES = ROOT / "../shared/samples/hr/tables"
BERLIN = ZoneInfo("Europe/Berlin")
CONTEXT = Context("hr", "Europe/Berlin", "DE", b"a secret of the tests, 32 bytes..")
Row = dict[str, Any]

# Two records per entity as people have them: wall-clock times of Berlin, None where the cell is empty.
RECORDS: dict[str, list[Row]] = {
    "employee": [
        {
            "employee_number": "0017", "display_name": "Hugo Santos, Jr.", "email": "hugo@cs.example.test",
            "phone": "069 5551009", "role": 'the "old" desk; billing', "manager_number": "CS1099",
            "hire_date": date(2024, 6, 28), "exit_date": None, "is_active": True,
        },
        {
            "employee_number": "CS1005", "display_name": "王芳", "email": None, "phone": None, "role": None,
            "manager_number": None, "hire_date": None, "exit_date": date(2026, 11, 30), "is_active": False,
        },
    ],
    "work_assignment": [
        {
            "employee_number": "CS1001", "valid_from": datetime(2026, 11, 2, 7, 0, 52), "shift_name": "CS Early",
            "department": "Customer Service", "manager_number": "CS1099",
        },
        {
            "employee_number": "CS1001", "valid_from": datetime(2026, 7, 1), "shift_name": None, "department": None,
            "manager_number": None,
        },
    ],
    "shift_schedule": [
        {
            "shift_name": "CS Night", "weekday": 7, "start_time": time(22, 0), "end_time": time(6, 30),
            "is_night": True, "minimum_seconds": 28800,
        },
        {
            "shift_name": "CS Early", "weekday": 1, "start_time": time(7, 0), "end_time": time(15, 30, 30),
            "is_night": False, "minimum_seconds": None,
        },
    ],
    "attendance_day": [
        {
            "attendance_id": "300", "employee_number": "CS1010", "attendance_date": date(2026, 11, 2),
            "shift_name": "CS Early", "required_seconds": 28800, "worked_seconds": 31200,
        },
        {
            "attendance_id": "301", "employee_number": "CS1010", "attendance_date": date(2026, 11, 3),
            "shift_name": None, "required_seconds": 0, "worked_seconds": None,
        },
    ],
    "attendance_punch": [
        {
            "punch_id": "6", "employee_number": "CS1010", "attendance_date": date(2026, 11, 2),
            "in_at": datetime(2026, 11, 2, 22, 0, 52), "out_at": datetime(2026, 11, 3, 6, 40, 51),
        },
        {
            "punch_id": "7", "employee_number": "CS1010", "attendance_date": date(2026, 11, 3),
            "in_at": datetime(2026, 11, 3, 22, 1, 30), "out_at": None,
        },
    ],
    "leave_request": [
        {
            "leave_id": "14", "employee_number": "CS1004", "start_date": date(2026, 11, 6),
            "end_date": date(2026, 11, 7), "start_part": "second_half", "end_part": "full_day",
            "leave_type": "Casual Leave", "is_paid": True, "status": "approved", "requested_on": date(2026, 11, 1),
        },
        {
            "leave_id": "15", "employee_number": "CS1004", "start_date": date(2026, 12, 6),
            "end_date": date(2026, 12, 6), "start_part": "full_day", "end_part": "full_day",
            "leave_type": None, "is_paid": None, "status": "requested", "requested_on": None,
        },
    ],
    "identity": [
        {
            "source_id": "pbx", "account": "Farah O'Neil", "valid_from": date(2026, 1, 1),
            "employee_number": "CS1007", "valid_to": None, "known_from": date(2026, 1, 1),
        },
        {
            "source_id": "chat", "account": "8", "valid_from": date(2026, 1, 1),
            "employee_number": "CS1007", "valid_to": date(2026, 12, 1), "known_from": date(2026, 2, 1),
        },
    ],
    "team_assignment": [
        {
            "employee_number": "CS1007", "valid_from": date(2026, 1, 1), "team_key": "general",
            "valid_to": date(2026, 11, 1), "known_from": date(2026, 1, 1),
        },
        {
            "employee_number": "CS1007", "valid_from": date(2026, 11, 1), "team_key": "billing",
            "valid_to": None, "known_from": date(2026, 10, 20),
        },
    ],
    "roster": [
        {
            "employee_number": "CS1001", "shift_date": date(2026, 11, 2), "start_time": time(22, 0),
            "end_time": time(6, 30), "break_seconds": 1800, "is_rest_day": False,
        },
        {
            "employee_number": "CS1001", "shift_date": date(2026, 11, 3), "start_time": None, "end_time": None,
            "break_seconds": None, "is_rest_day": True,
        },
    ],
    "qa_review": [
        {
            "review_id": "R0001", "employee_number": "CS1001", "reviewer_number": "Q001",
            "contact_source_id": "pbx", "contact_id": "1795301395.1700", "contact_at": datetime(2026, 11, 2, 9, 29, 4),
            "reviewed_at": datetime(2026, 11, 3, 10, 0), "form_version": "2026.1", "score": Decimal("87.5"),
            "is_fatal": False, "is_blind": False, "playback_seconds": 242, "recording_seconds": 247,
        },
        {
            "review_id": "R0002", "employee_number": "CS1001", "reviewer_number": "Q002",
            "contact_source_id": "chat", "contact_id": "12", "contact_at": None,
            "reviewed_at": datetime(2026, 11, 4, 10, 0), "form_version": None, "score": Decimal(100),
            "is_fatal": True, "is_blind": True, "playback_seconds": None, "recording_seconds": None,
        },
    ],
    "exam": [
        {
            "employee_number": "CS1001", "exam_name": "product knowledge 100%", "sitting": "first",
            "exam_date": date(2026, 11, 12), "makes_up_for": None, "score": Decimal(0), "absence_reason": None,
        },
        {
            "employee_number": "CS1010", "exam_name": "product knowledge 100%", "sitting": "make_up",
            "exam_date": date(2026, 11, 19), "makes_up_for": date(2026, 11, 12), "score": None,
            "absence_reason": "leave",
        },
    ],
    "qa_item": [
        {"review_id": "R0001", "item": "开场礼仪", "mark": Decimal("9.5"), "most_marks": Decimal(10)},
        {"review_id": "R0001", "item": "closing", "mark": None, "most_marks": Decimal(10)},
    ],
    "ticket": [
        {
            "ticket_id": "T1", "employee_number": "CS1001", "contact_source_id": "pbx",
            "contact_id": "1795301395.1700", "customer_phone": "069 5551009", "issue_class": "refund",
            "opened_at": datetime(2026, 11, 2, 9, 29, 4), "closed_at": datetime(2026, 11, 3, 10, 0),
            "close_code": "solved", "dispatched_to": "billing", "redispatch_count": 1,
        },
        {
            "ticket_id": "T2", "employee_number": "CS1001", "contact_source_id": None, "contact_id": None,
            "customer_phone": None, "issue_class": "login", "opened_at": datetime(2026, 11, 2, 9, 30),
            "closed_at": None, "close_code": None, "dispatched_to": None, "redispatch_count": None,
        },
    ],
    "work_order_audit": [
        {
            "audit_id": "A1", "ticket_id": "T1", "employee_number": "CS1001", "auditor_number": "Q001",
            "audited_at": datetime(2026, 11, 4, 10, 0), "picked_by": "random", "is_entry_compliant": True,
            "is_dispatch_correct": False, "is_customer_correct": True,
        },
        {
            "audit_id": "A2", "ticket_id": "T2", "employee_number": "CS1001", "auditor_number": "Q001",
            "audited_at": datetime(2026, 11, 4, 10, 5), "picked_by": "risk", "is_entry_compliant": False,
            "is_dispatch_correct": None, "is_customer_correct": None,
        },
    ],
    "daily_form": [
        {
            "form_id": "F1", "form_kind": "daily_appraisal", "employee_number": "CS1001", "rater_number": "CS1099",
            "form_date": date(2026, 11, 30), "teamwork_score": Decimal("88.5"), "initiative_score": Decimal(90),
            "attendance_score": Decimal(100), "approver_number": "CS1098", "approved_on": date(2026, 12, 2),
        },
        {
            "form_id": "F2", "form_kind": "peer_rating", "employee_number": "CS1001", "rater_number": "CS1005",
            "form_date": date(2026, 11, 30), "teamwork_score": Decimal(0), "initiative_score": None,
            "attendance_score": None, "approver_number": None, "approved_on": None,
        },
    ],
    "dial": [
        {
            "dial_id": "D1", "employee_number": "CS1001", "dialed_at": datetime(2026, 11, 2, 9, 29, 4),
            "customer_phone": "069 5551009", "lead_id": "L1", "result": "answered", "ring_seconds": 9,
            "talk_seconds": 75,
        },
        {
            "dial_id": "D2", "employee_number": "CS1001", "dialed_at": datetime(2026, 11, 2, 9, 31),
            "customer_phone": None, "lead_id": None, "result": "bad_number", "ring_seconds": None, "talk_seconds": 0,
        },
    ],
    "lead": [
        {
            "lead_id": "L1", "employee_number": "CS1001", "campaign": "会员续费", "customer_phone": "069 5551009",
            "assigned_on": date(2026, 11, 1), "status": "won", "closed_on": date(2026, 11, 2),
        },
        {
            "lead_id": "L2", "employee_number": "CS1001", "campaign": "会员续费", "customer_phone": None,
            "assigned_on": date(2026, 11, 1), "status": "open", "closed_on": None,
        },
    ],
    "order": [
        {
            "order_id": "O1", "customer_phone": "069 5551009", "ordered_at": datetime(2026, 11, 2, 9, 29, 4),
            "paid_at": datetime(2026, 11, 2, 9, 30), "amount": Decimal("199.9"), "refunded_amount": Decimal("20.05"),
            "refunded_at": datetime(2026, 11, 9, 12, 0), "is_new_business": True, "recommended_by": "CS1001",
        },
        {
            "order_id": "O2", "customer_phone": None, "ordered_at": datetime(2026, 11, 2, 9, 29, 4), "paid_at": None,
            "amount": Decimal(0), "refunded_amount": None, "refunded_at": None, "is_new_business": None,
            "recommended_by": None,
        },
    ],
    "complaint": [
        {
            "complaint_id": "C1", "employee_number": "CS1001", "contact_source_id": "chat", "contact_id": "12",
            "customer_phone": "069 5551009", "received_at": datetime(2026, 11, 2, 9, 29, 4), "category": "service",
            "is_severe": True, "status": "upheld", "verifier_number": "Q001", "verified_on": date(2026, 11, 5),
            "resolution_rating": 5,
        },
        {
            "complaint_id": "C2", "employee_number": None, "contact_source_id": None, "contact_id": None,
            "customer_phone": None, "received_at": datetime(2026, 11, 2, 9, 30), "category": "product",
            "is_severe": False, "status": "open", "verifier_number": None, "verified_on": None,
            "resolution_rating": None,
        },
    ],
    "coaching": [
        {
            "coaching_id": "K1", "employee_number": "CS1001", "coach_number": "CS1099", "coached_on": date(2026, 11, 3),
            "metric_id": "acw_avg", "cause": "skill", "measure": "旁听两通录音", "follow_up_on": date(2026, 11, 17),
        },
        {
            "coaching_id": "K2", "employee_number": "CS1001", "coach_number": "CS1099", "coached_on": date(2026, 11, 4),
            "metric_id": None, "cause": None, "measure": None, "follow_up_on": None,
        },
    ],
    "manager_comment": [
        {
            "comment_id": "M1", "employee_number": "CS1001", "manager_number": "CS1099", "about_on": date(2026, 11, 20),
            "metric_id": "csat_rate", "comment": "开场白更亲切了",
        },
        {
            "comment_id": "M2", "employee_number": "CS1002", "manager_number": "CS1099", "about_on": date(2026, 11, 20),
            "metric_id": None, "comment": "keep it up",
        },
    ],
    "training": [
        {
            "training_id": "N1", "employee_number": "CS1001", "course_name": "隐私保护", "course_kind": "refresher",
            "assigned_on": date(2026, 11, 1), "due_on": date(2026, 11, 11), "completed_on": date(2026, 11, 9),
            "score": Decimal("92.5"),
        },
        {
            "training_id": "N2", "employee_number": "CS1001", "course_name": "role play", "course_kind": "drill",
            "assigned_on": date(2026, 11, 1), "due_on": None, "completed_on": None, "score": None,
        },
    ],
    "social_feedback": [
        {
            "feedback_id": "S1", "kind": "praise", "platform": "letter", "posted_at": datetime(2026, 11, 2, 9, 29, 4),
            "theme": "客服态度", "employee_number": "CS1001", "contact_source_id": "chat", "contact_id": "12",
            "is_verified": True,
        },
        {
            "feedback_id": "S2", "kind": "criticism", "platform": "weibo", "posted_at": datetime(2026, 11, 2, 9, 30),
            "theme": None, "employee_number": None, "contact_source_id": None, "contact_id": None, "is_verified": False,
        },
    ],
    "group_chat_day": [
        {
            "group_id": "G1", "employee_number": "CS1001", "chat_date": date(2026, 11, 2), "messages_sent": 9,
            "broadcasts_sent": 1,
        },
        {
            "group_id": "G1", "employee_number": "CS1001", "chat_date": date(2026, 11, 3), "messages_sent": 0,
            "broadcasts_sent": None,
        },
    ],
    "live_sample": [
        {
            "source_id": "pbx", "queue_account": "svc-general", "sampled_at": datetime(2026, 11, 2, 9, 30),
            "agents_online": 5, "agents_available": 2, "contacts_waiting": 1, "longest_wait_seconds": 12,
            "contacts_in_progress": 3,
        },
        {
            "source_id": "pbx", "queue_account": "svc-general", "sampled_at": datetime(2026, 11, 2, 10, 0),
            "agents_online": 0, "agents_available": None, "contacts_waiting": None, "longest_wait_seconds": None,
            "contacts_in_progress": None,
        },
    ],
    "exemption": [
        {
            "exemption_id": "X1", "scope_kind": "team", "scope_key": "billing", "metric_id": "service_level",
            "starts_on": date(2026, 11, 11), "ends_on": date(2026, 11, 12), "reason": "系统故障",
            "approver_number": "CS1099", "approved_on": date(2026, 11, 13),
        },
        {
            "exemption_id": "X2", "scope_kind": "site", "scope_key": None, "metric_id": None,
            "starts_on": date(2026, 12, 1), "ends_on": date(2026, 12, 1), "reason": "power cut",
            "approver_number": "CS1099", "approved_on": date(2026, 12, 2),
        },
    ],
    "cost": [
        {"month": date(2026, 11, 1), "team_key": "billing", "cost_kind": "staff", "amount": Decimal("64400.5")},
        {"month": date(2026, 11, 1), "team_key": "billing", "cost_kind": "bot", "amount": Decimal(0)},
    ],
    "ticket_event": [
        {
            "ticket_id": "T1", "event_number": 1, "event_at": datetime(2026, 11, 2, 9, 29, 4), "event_kind": "created",
            "employee_number": "CS1001", "priority": "urgent", "team_key": "billing", "is_thanks": None,
        },
        {
            "ticket_id": "T1", "event_number": 2, "event_at": datetime(2026, 11, 5, 8, 0), "event_kind": "reopened",
            "employee_number": None, "priority": None, "team_key": None, "is_thanks": True,
        },
    ],
    "assist": [
        {
            "assist_id": "H1", "contact_source_id": "pbx", "contact_id": "1795301395.1700", "employee_number": "CS1001",
            "helper_number": "CS1099", "asked_at": datetime(2026, 11, 2, 9, 31), "assist_kind": "supervisor",
        },
        {
            "assist_id": "H2", "contact_source_id": "chat", "contact_id": "12", "employee_number": "CS1001",
            "helper_number": None, "asked_at": datetime(2026, 11, 2, 9, 40), "assist_kind": "tier2",
        },
    ],
    "callback_task": [
        {
            "callback_id": "B1", "contact_source_id": "pbx", "contact_id": "1795301395.1700",
            "employee_number": "CS1001", "created_at": datetime(2026, 11, 2, 9, 35),
            "due_at": datetime(2026, 11, 3, 12, 0), "done_at": datetime(2026, 11, 3, 11, 0),
        },
        {
            "callback_id": "B2", "contact_source_id": "chat", "contact_id": "12", "employee_number": "CS1001",
            "created_at": datetime(2026, 11, 2, 9, 36), "due_at": None, "done_at": None,
        },
    ],
    "contact_label": [
        {
            "contact_source_id": "chat", "contact_id": "12", "label": "issue_class", "value": "退款",
            "labelled_by": "lexicon 2", "labelled_at": datetime(2026, 11, 2, 10, 0),
        },
        {
            "contact_source_id": "chat", "contact_id": "12", "label": "high_value", "value": None,
            "labelled_by": "CS1001", "labelled_at": None,
        },
    ],
    "survey_response": [
        {
            "response_id": "V1", "instrument": "NPS", "employee_number": "CS1001", "contact_source_id": "chat",
            "contact_id": "12", "customer_phone": "069 5551009", "answered_at": datetime(2026, 11, 3, 20, 15),
            "value": 10, "reason": "product_price",
        },
        {
            "response_id": "V2", "instrument": "NPS", "employee_number": None, "contact_source_id": None,
            "contact_id": None, "customer_phone": None, "answered_at": datetime(2026, 11, 3, 20, 16), "value": 0,
            "reason": None,
        },
    ],
    "registration": [
        {
            "registration_id": "N1", "employee_number": "CS1001", "registered_at": datetime(2026, 11, 2, 9, 50),
            "customer_phone": "069 5551009", "device_id": "d-17", "is_verified": True,
        },
        {
            "registration_id": "N2", "employee_number": "CS1001", "registered_at": datetime(2026, 11, 2, 9, 51),
            "customer_phone": None, "device_id": None, "is_verified": False,
        },
    ],
    "contact_block_day": [
        {"employee_number": "CS1001", "block_date": date(2026, 11, 2), "blocks": 2, "rejections": 1},
        {"employee_number": "CS1001", "block_date": date(2026, 11, 3), "blocks": 0, "rejections": 0},
    ],
    "dispute": [
        {
            "employee_number": "CS1001", "period_id": "2026_11_demo", "object_kind": "attendance",
            "object_key": "CS1001:2026-11-05", "claim": "在岗，门禁故障", "reason": "gate log 17",
            "filed_on": date(2026, 11, 26), "filed_by": "CS1099",
        },
        {
            "employee_number": "CS1001", "period_id": "2026_11_demo", "object_kind": "composite",
            "object_key": "composite", "claim": "two weeks in another team", "reason": "roster of 12 November",
            "filed_on": date(2026, 11, 26), "filed_by": "CS1099",
        },
    ],
    "verified_fact": [
        {
            "fact_id": "V1", "employee_number": "CS1001", "fact_kind": "falsification",
            "happened_on": date(2026, 11, 5), "points": None, "metric_id": None, "reported_by": "CS1099",
            "evidence_id": "E-17", "verified_by": "CS1098", "verified_on": date(2026, 11, 9),
            "note_text": "补录虚假工单",
        },
        {
            "fact_id": "V2", "employee_number": "CS1002", "fact_kind": "bonus", "happened_on": date(2026, 11, 6),
            "points": 2.5, "metric_id": "exam_score", "reported_by": "CS1099", "evidence_id": None,
            "verified_by": None, "verified_on": None, "note_text": None,
        },
    ],
}  # fmt: skip


def stored(record: Row) -> Row:
    """What must be stored of a record, in plain Python; personal fields are looked at elsewhere."""
    converted = {}
    for name, value in record.items():
        if isinstance(value, datetime):
            value = value.replace(tzinfo=BERLIN).astimezone(UTC)
        elif isinstance(value, time):
            value = value.strftime("%H:%M:%S")
        if name not in ("email", "phone", "customer_phone"):
            converted[name] = value
    return converted


def as_typed(value: object) -> str:
    """A value as a person types it into a text file."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def by_csv(
    folder: Path, entity: str, headings: list[str], *, delimiter: str = ",", encoding: str = "utf-8"
) -> Settings:
    with (folder / f"{entity}.csv").open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(headings)
        writer.writerows([as_typed(value) for value in record.values()] for record in RECORDS[entity])
    return Settings(folder=folder, entities={entity: {"files": "*.csv"}})


def by_excel(folder: Path, entity: str, headings: list[str]) -> Settings:
    workbook = Workbook()
    workbook.active.append(headings)
    for record in RECORDS[entity]:
        workbook.active.append(list(record.values()))
    workbook.save(folder / f"{entity}.xlsx")
    return Settings(folder=folder, entities={entity: {"files": "*.xlsx"}})


def by_query(folder: Path, entity: str) -> Settings:
    with sqlite3.connect(folder / "some.sqlite3") as connection:
        names = list(RECORDS[entity][0])
        connection.execute(f"CREATE TABLE t ({', '.join(names)})")
        for record in RECORDS[entity]:
            values = [str(v) if isinstance(v, date | time | Decimal) else v for v in record.values()]
            connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(names))})", values)
    connection.close()
    return Settings(url=f"sqlite:///{folder}/some.sqlite3", entities={entity: {"query": "SELECT * FROM t"}})


def load(settings: Settings, entity: str, window: Window | None = None) -> list[Chunk]:
    return list(read(settings, SYSTEM.entities[entity], window, CONTEXT))


def rows_of(chunks: list[Chunk]) -> list[Row]:
    return [row for chunk in chunks for row in chunk.rows.to_pylist()]


def exam_file(folder: Path, content: str | bytes, name: str = "exam.csv") -> tuple[Chunk, str]:
    """Puts a file into the folder and returns (its chunk, its answer)."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    chunks = load(Settings(folder=folder, entities={"exam": {"files": "exam*"}}), "exam")
    assert len(chunks) == 1
    return chunks[0], (folder / f"{name}.answer.txt").read_text(encoding="utf-8")


def exam_workbook(folder: Path, *lines: list[Any], formats: dict[str, str] | None = None) -> tuple[Chunk, str]:
    workbook = Workbook()
    for line in lines:
        workbook.active.append(line)
    for cell, number_format in (formats or {}).items():
        workbook.active[cell].number_format = number_format
    workbook.save(folder / "made.xlsx")
    content = (folder / "made.xlsx").read_bytes()
    (folder / "made.xlsx").unlink()
    return exam_file(folder, content, "exam.xlsx")


EXAM = "employee_number,exam_name,sitting,exam_date,score,absence_reason\n"
EXAM_HEADINGS = EXAM.strip().split(",")


# --- declarations


def test_every_field_has_headings_in_both_languages() -> None:
    assert len(SYSTEM.entities) == 36
    assert {name: list(entity.fields) for name, entity in SYSTEM.entities.items()} == {
        name: list(headings.fields) for name, headings in HEADINGS.items()
    }
    assert sum(len(entity.fields) for entity in SYSTEM.entities.values()) == 271
    # No heading may name two fields of an entity.
    for headings in HEADINGS.values():
        owners = defaultdict(set)
        for field, heading in headings.fields.items():
            for text in (field, heading.en, heading.zh):
                owners[text.casefold().replace(" ", "")].add(field)
        assert all(len(fields) == 1 for fields in owners.values())
        assert all(
            any(letter >= "\u4e00" for letter in heading.zh + heading.about_zh) for heading in headings.fields.values()
        )


def test_no_field_can_hold_pay_and_personal_fields_are_pseudonyms() -> None:
    names = [column for entity in SYSTEM.entities.values() for column in entity.stored_schema().names]
    assert not [name for name in names if any(word in name for word in ("salary", "wage", "pay_", "birth", "address"))]
    assert [name for name in names if name.startswith(("email", "phone"))] == [
        "email_key", "email_masked", "email_kind", "phone_key", "phone_masked", "phone_kind",
    ]  # fmt: skip


# --- one content, every medium


@pytest.mark.parametrize("medium", ["query", "excel", "csv", "semicolon and byte order mark"])
@pytest.mark.parametrize("entity", list(SYSTEM.entities))
def test_every_medium_gives_the_same_rows(entity: str, medium: str, tmp_path: Path) -> None:
    fields = list(SYSTEM.entities[entity].fields)
    assert fields == list(RECORDS[entity][0])
    declared = HEADINGS[entity].fields
    if medium == "query":
        settings = by_query(tmp_path, entity)
    elif medium == "excel":
        settings = by_excel(tmp_path, entity, [declared[field].zh for field in fields])
    elif medium == "csv":
        settings = by_csv(tmp_path, entity, [declared[field].en.upper() for field in fields])
    else:
        headings = [declared[field].label for field in fields]
        settings = by_csv(tmp_path, entity, headings, delimiter=";", encoding="utf-8-sig")
    chunks = load(settings, entity)
    assert [(chunk.read, chunk.rejects, chunk.drift) for chunk in chunks] == [(2, [], {})]
    for row, record in zip(rows_of(chunks), RECORDS[entity], strict=True):
        expected = stored(record)
        assert {name: row[name] for name in expected} == expected
        assert row["_time_is_ambiguous"] is False
    if entity == "employee":
        first, second = rows_of(chunks)
        assert (first["email_masked"], first["phone_masked"]) == ("h***@cs.example.test", "+49****09")
        assert (len(first["email_key"]), second["email_key"], second["phone_kind"]) == (32, None, None)


@pytest.mark.parametrize("entity", list(SYSTEM.entities))
@pytest.mark.parametrize("kind", [".xlsx", ".csv"])
def test_a_filled_template_is_accepted(entity: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"{entity}{kind}"
    write_template(entity, path)
    empty = Settings(folder=tmp_path, entities={entity: {"files": f"{entity}*"}})
    assert [chunk.read for chunk in load(empty, entity)] == [0]
    if kind == ".xlsx":
        workbook = load_workbook(path)
        sheet, columns = workbook.worksheets
        assert columns.max_row == 1 + len(SYSTEM.entities[entity].fields)
        for record in RECORDS[entity]:
            sheet.append(["yes" if v is True else "no" if v is False else v for v in record.values()])
        workbook.save(path)
    else:
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([as_typed(value) for value in record.values()] for record in RECORDS[entity])
    rows = rows_of(load(empty, entity))
    assert [
        {name: row[name] for name in stored(record)} for row, record in zip(rows, RECORDS[entity], strict=True)
    ] == [stored(record) for record in RECORDS[entity]]
    assert f"ACCEPTED as {HEADINGS[entity].title.en}, 2 rows" in Path(f"{path}.answer.txt").read_text(encoding="utf-8")


def test_a_workbook_template_checks_what_people_type(tmp_path: Path) -> None:
    write_template("exam", tmp_path / "exam.xlsx")
    sheet, columns = load_workbook(tmp_path / "exam.xlsx").worksheets
    assert [cell.value for cell in sheet[1]][:3] == ["Employee number / 工号", "Exam / 考试名称", "Sitting / 场次"]
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert rules["C2:C1048576"].formula1 == '"first,make_up"'
    assert rules["G2:G1048576"].formula1 == '"leave,illness,long_leave,no_reason,cancelled"'
    score = rules["F2:F1048576"]
    assert (score.type, score.formula1, score.formula2) == ("decimal", "0", "100")
    assert "不大于 100" in score.error and "at most 100" in score.error
    assert sheet.column_dimensions["A"].number_format == "@"  # a badge 0017 keeps its zeros
    assert [cell.value for cell in columns[4]] == [
        "Sitting / 场次",
        "yes / 是",
        "one of first, make_up, never empty / 以下之一：first、make_up，不可为空",
        "First sitting or make-up",
        "first 首考，make_up 补考",
    ]


def test_templates_refuse_what_they_cannot_write(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no entity 'salary': known are employee, "):
        write_template("salary", tmp_path / "salary.xlsx")
    with pytest.raises(ValueError, match=r"exam\.ods: a template is an \.xlsx or \.csv file"):
        write_template("exam", tmp_path / "exam.ods")
    assert list(tmp_path.iterdir()) == []


# --- answers


def test_an_accepted_file_is_answered_once_and_the_same(tmp_path: Path) -> None:
    content = EXAM.replace("score", "score,Remarks,Bonus") + "CS1001,e,first,2026-11-12,91,well done,,\n"
    chunk, answer = exam_file(tmp_path, content)
    assert answer == (
        "exam.csv: ACCEPTED as Exam results, 1 rows.\n"
        "exam.csv：已接收为“考试成绩”，共 1 行。\n"
        "Columns not used: Remarks, Bonus\n"
        "未使用的列：Remarks、Bonus\n"
    )
    assert chunk.drift == {("Remarks", "text"): 1, ("Bonus", "text"): 0}
    assert "well done" not in str(chunk.rows.to_pylist())
    os.utime(tmp_path / "exam.csv.answer.txt", ns=(1, 1))
    assert exam_file(tmp_path, content)[1] == answer
    assert (tmp_path / "exam.csv.answer.txt").stat().st_mtime_ns == 1


def test_a_wrong_file_is_refused_whole_with_every_wrong_cell(tmp_path: Path) -> None:
    chunk, answer = exam_file(
        tmp_path,
        "Employee number / 工号,考试名称,Sitting,Exam date,Score,Absence reason\n"
        "CS1001,e,first,2026-11-12,91,\n"
        ",e,second,12.11.2026,101,\n"
        "\n"
        "CS1003,e,first,2026-02-30,87%,\n",
    )
    assert answer == (
        "exam.csv: REFUSED. No row of this file was taken. Faults: 6\n"
        "exam.csv：已退回，未接收任何一行。错误数：6\n"
        "\n"
        'Row 3, column "Employee number / 工号": found nothing, expected text, never empty.\n'
        "第 3 行“Employee number / 工号”列：发现空白；要求文本，不可为空。\n"
        "\n"
        'Row 3, column "Sitting": found "second", expected one of first, make_up, never empty.\n'
        "第 3 行“Sitting”列：发现“second”；要求以下之一：first、make_up，不可为空。\n"
        "\n"
        'Row 3, column "Exam date": found "12.11.2026", expected a date such as 2026-11-02, never empty.\n'
        "第 3 行“Exam date”列：发现“12.11.2026”；要求日期，例如 2026-11-02，不可为空。\n"
        "\n"
        'Row 3, column "Score": found "101", expected a number with a decimal point, at most 6 decimal places and no'
        " percent sign, at least 0, at most 100.\n"
        "第 3 行“Score”列：发现“101”；要求数字，小数点用“.”，最多 6 位小数，不带百分号，不小于 0，不大于 100。\n"
        "\n"
        'Row 5, column "Exam date": found "2026-02-30", expected a date such as 2026-11-02, never empty.\n'
        "第 5 行“Exam date”列：发现“2026-02-30”；要求日期，例如 2026-11-02，不可为空。\n"
        "\n"
        'Row 5, column "Score": found "87%", expected a number with a decimal point, at most 6 decimal places and no'
        " percent sign, at least 0, at most 100.\n"
        "第 5 行“Score”列：发现“87%”；要求数字，小数点用“.”，最多 6 位小数，不带百分号，不小于 0，不大于 100。\n"
        "\n"
        "Correct the file and put it into the folder again.\n"
        "请更正后重新放入文件夹。\n"
    )
    assert (chunk.read, chunk.rows.num_rows, len(chunk.rejects)) == (3, 0, 3)
    assert [(reject.locator, reject.field, reject.remedy) for reject in chunk.rejects] == [
        ("exam.csv row 2", "", "correct the other rows of this file"),
        ("exam.csv row 3", "employee_number", "correct this row and put the file into the folder again"),
        ("exam.csv row 5", "exam_date", "correct this row and put the file into the folder again"),
    ]
    assert chunk.rejects[0].payload["score"] == "91"


@pytest.mark.parametrize(
    ("content", "english", "chinese"),
    [
        (
            "employee_number,exam_name,exam_date,score\nCS1001,e,2026-11-12,91\n",
            'Row 1, column "Sitting / 场次": found no such heading, expected this heading.',
            "第 1 行“Sitting / 场次”列：发现缺少该标题；要求有该标题。",
        ),
        (
            EXAM.replace("score", "score,分数") + "CS1001,e,first,2026-11-12,91,92,\n",
            'Row 1, column "分数": found a second column with this heading, expected each heading once.',
            "第 1 行“分数”列：发现重复的标题；要求每个标题只出现一次。",
        ),
        (
            "",
            "Row 1: found nothing, expected the headings of the columns.",
            "第 1 行：发现空白；要求各列标题。",
        ),
        (
            EXAM.encode() + "CS1001,产品知识,first,2026-11-12,91,\n".encode("gb18030"),
            'The file: found a byte at position 72 that is not UTF-8, expected a file saved as "CSV UTF-8".',
            "文件：发现位置 72 处的非 UTF-8 字节；要求另存为“CSV UTF-8”的文件。",
        ),
        (
            EXAM + 'CS1001,"e,first,2026-11-12,91,\n',
            "The file: found at text line 2: unexpected end of data, expected quotation marks in pairs.",
            "文件：发现第 2 个文本行有误（unexpected end of data）；要求成对的引号。",
        ),
    ],
    ids=["missing heading", "repeated heading", "empty", "not UTF-8", "open quotation mark"],
)
def test_a_file_without_readable_rows_is_one_reject(
    content: str | bytes, english: str, chinese: str, tmp_path: Path
) -> None:
    chunk, answer = exam_file(tmp_path, content)
    assert answer.splitlines()[0] == "exam.csv: REFUSED. No row of this file was taken. Faults: 1"
    assert answer.splitlines()[3:5] == [english, chinese]
    assert (chunk.read, chunk.rows.num_rows) == (1, 0)
    assert [(reject.locator, reject.payload) for reject in chunk.rejects] == [("exam.csv", {"file": "exam.csv"})]
    assert chunk.rejects[0].remedy == "correct the file as its answer file says and put it into the folder again"


def test_cells_under_no_heading_are_faults(tmp_path: Path) -> None:
    chunk, answer = exam_file(tmp_path, EXAM + "CS1001,e,first,2026-11-12,91,,shifted\nCS1002,e,first,2026-11-12,,\n")
    assert 'Row 2, column "G": found "shifted", expected a heading in row 1 above it.' in answer
    assert "第 2 行“G”列：发现“shifted”；要求第 1 行有标题。" in answer
    assert [reject.field for reject in chunk.rejects] == ["G", ""]


def test_a_key_stands_once_in_a_file(tmp_path: Path) -> None:
    chunk, answer = exam_file(
        tmp_path,
        EXAM + "CS1001,e,first,2026-11-12,91,\nCS1001,e,first,2026-12-10,95,\nCS1001 ,e,first,2026-11-12,70,\n",
    )
    assert (
        'Row 4, column "Employee number / 工号 + Exam / 考试名称 + Sitting / 场次 + Exam date / 考试日期":'
        " found the same as in row 2, expected values that stand in one row only." in answer
    )
    assert "发现与第 2 行相同的内容；要求不与其他行重复。" in answer
    assert (chunk.read, len(chunk.rejects), answer.count("Row ")) == (3, 3, 1)


def test_the_same_key_in_two_files_is_taken_from_the_later_name(tmp_path: Path) -> None:
    (tmp_path / "exam-2.csv").write_text(EXAM + "CS1001,e,first,2026-11-12,95,\n")
    (tmp_path / "exam-1.csv").write_text(EXAM + "CS1001,e,first,2026-11-12,91,\nCS1002,e,first,2026-11-12,80,\n")
    (tmp_path / "exam-3.csv").write_text(EXAM + "CS1001,e,first,2026-11-12,wrong,\n")
    chunks = load(Settings(folder=tmp_path, entities={"exam": {"files": "exam*"}}), "exam")
    assert [(row["employee_number"], row["score"]) for row in rows_of(chunks)] == [("CS1002", 80), ("CS1001", 95)]
    assert [chunk.row_numbers for chunk in chunks] == [[3], [2], []]
    assert [(chunk.read, chunk.filtered, len(chunk.rejects)) for chunk in chunks] == [
        (2, {"superseded_by_later_file": 1}, 0),
        (1, {}, 0),
        (1, {}, 1),  # a refused file replaces nothing
    ]
    answer = (tmp_path / "exam-1.csv.answer.txt").read_text(encoding="utf-8")
    assert "2 rows" in answer and "1 of these rows were replaced by a file with a later name." in answer
    assert "其中 1 行已被文件名靠后的文件取代。" in answer


def test_a_stray_file_is_refused_with_the_first_entity_only(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "old").mkdir(parents=True)
    (folder / "old" / "scores.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    (folder / "~$exam.xlsx").write_bytes(b"lock file of an open workbook")
    (folder / "notes.md").write_text("not a sheet")
    entities = {"exam": {"files": "exam*"}, "roster": {"files": "roster*"}}
    settings = Settings(folder=folder, entities=entities, answers_to=tmp_path / "out")
    assert [reject.locator for chunk in load(settings, "exam") for reject in chunk.rejects] == ["old/scores.xls"]
    assert load(settings, "roster") == []
    answers = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.answer.txt")}
    assert list(answers) == ["out/old/scores.xls.answer.txt"]
    wanted = 'The file: found "old/scores.xls", expected a name that fits one of exam* (exam), roster* (roster).'
    assert wanted in answers["out/old/scores.xls.answer.txt"]
    assert (
        "文件：发现“old/scores.xls”；要求文件名符合以下之一：exam* (exam), roster* (roster)。" in answers.popitem()[1]
    )


@pytest.mark.parametrize("name", ["exam.xls", "exam.xlsx"])
def test_a_file_that_does_not_open_is_refused(name: str, tmp_path: Path) -> None:
    chunk, answer = exam_file(tmp_path, b"\xd0\xcf\x11\xe0 protected by a password", name)
    expected = {
        "exam.xls": 'found ".xls", expected a .csv or .xlsx file.\n文件：发现“.xls”；要求 .csv 或 .xlsx 文件。',
        "exam.xlsx": "found a workbook that does not open, expected an .xlsx file that is whole and has no password.\n"
        "文件：发现无法打开的工作簿；要求完整且未加密的 .xlsx 文件。",
    }
    assert expected[name] in answer
    assert (chunk.read, len(chunk.rejects)) == (1, 1)


def test_answers_show_no_personal_value(tmp_path: Path) -> None:
    (tmp_path / "staff.csv").write_text(
        "employee_number,display_name,is_active,phone,email\nCS1001,Alice,maybe,+4915112345678,alice@home.example\n"
        "CS1002,Bob,yes,#N/A,bob@home.example\n"
    )
    chunks = load(Settings(folder=tmp_path, entities={"employee": {"files": "*.csv"}}), "employee")
    answer = (tmp_path / "staff.csv.answer.txt").read_text(encoding="utf-8")
    assert 'column "is_active": found "maybe", expected yes or no, never empty.' in answer
    assert "“is_active”列：发现“maybe”；要求是或否，不可为空。" in answer
    assert 'Row 3, column "phone": found a personal value, expected text.' in answer
    assert "第 3 行“phone”列：发现个人信息；要求文本。" in answer
    readable = answer + "".join(f"{r.locator}{r.field}{r.found}{r.expected}{r.remedy}{r}" for r in chunks[0].rejects)
    assert "12345678" not in readable and "home.example" not in readable


# --- what spreadsheet programs do


def test_dates_of_a_chinese_spreadsheet_are_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "punch_id,employee_number,attendance_date,in_at,out_at\n1,CS1001,2026/11/3,2026/11/3 7:05,2026/11/3 15:30:01\n"
    )
    rows = rows_of(load(Settings(folder=tmp_path, entities={"attendance_punch": {"files": "p*"}}), "attendance_punch"))
    assert (rows[0]["attendance_date"], rows[0]["in_at"], rows[0]["out_at"]) == (
        date(2026, 11, 3),
        datetime(2026, 11, 3, 6, 5, tzinfo=UTC),
        datetime(2026, 11, 3, 14, 30, 1, tzinfo=UTC),
    )


def test_numbers_as_text_and_text_as_numbers(tmp_path: Path) -> None:
    chunk, _ = exam_workbook(
        tmp_path,
        EXAM_HEADINGS,
        [1001, 2026.1, "first", datetime(2026, 11, 12), " 87.25 ", None],
        ["\u30001002 ", "e", "first", "2026-11-12", 1 / 3, None],
    )
    assert [(row["employee_number"], row["exam_name"], row["score"]) for row in chunk.rows.to_pylist()] == [
        ("1001", "2026.1", Decimal("87.25")),
        ("1002", "e", Decimal("0.333333")),
    ]


def test_a_percent_format_is_not_a_score(tmp_path: Path) -> None:
    line = ["CS1001", "e", "first", date(2026, 11, 12), 0.875, None]
    chunk, answer = exam_workbook(tmp_path, EXAM_HEADINGS, line, formats={"E2": "0.0%"})
    assert 'Row 2, column "score": found "87.5%", expected a number' in answer
    assert chunk.rows.num_rows == 0
    assert exam_workbook(tmp_path, EXAM_HEADINGS, line)[0].rows["score"].to_pylist() == [Decimal("0.875")]


def test_an_error_cell_is_not_an_empty_cell(tmp_path: Path) -> None:
    line = ["CS1001", "#N/A", "first", date(2026, 11, 12), "#DIV/0!", None]
    chunk, answer = exam_workbook(tmp_path, EXAM_HEADINGS, line)
    assert answer.count("Row ") == 2
    assert 'Row 2, column "exam_name": found "#N/A", expected text' in answer
    assert 'Row 2, column "score": found "#DIV/0!", expected a number' in answer
    assert len(chunk.rejects) == 1


def test_excel_spans_count_as_times_of_day_and_blank_rows_do_not_count(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.active.append(["employee_number", "shift_date", "start_time", "end_time", "is_rest_day"])
    workbook.active["A4"] = "CS1001"
    for cell, value in {"B4": date(2026, 11, 2), "C4": timedelta(hours=7, minutes=5), "D4": time(15, 30)}.items():
        workbook.active[cell] = value
    workbook.active["E4"] = False
    workbook.active["E9"] = None
    workbook.save(tmp_path / "roster.xlsx")
    settings = Settings(folder=tmp_path, entities={"roster": {"files": "roster*"}})
    (row,) = rows_of(load(settings, "roster"))
    assert (row["start_time"], row["end_time"], row["is_rest_day"]) == ("07:05:00", "15:30:00", False)
    workbook.active["C4"] = timedelta(hours=27)
    workbook.save(tmp_path / "roster.xlsx")
    load(settings, "roster")
    answer = (tmp_path / "roster.xlsx.answer.txt").read_text(encoding="utf-8")
    assert 'Row 4, column "start_time": found "27:00:00", expected a time of day such as 08:30.' in answer


def test_files_are_read_whole_whatever_the_window(tmp_path: Path) -> None:
    settings = by_csv(tmp_path, "exam", list(SYSTEM.entities["exam"].fields))
    window = Window(datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 2, tzinfo=UTC))
    assert len(rows_of(load(settings, "exam", window))) == 2


# --- databases


def database(folder: Path, *statements: str) -> str:
    connection = sqlite3.connect(folder / "x.sqlite3")
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return f"sqlite:///{folder}/x.sqlite3"


PUNCHES = "SELECT id AS punch_id, 'CS1001' AS employee_number, day AS attendance_date, t AS in_at FROM p"


@pytest.mark.parametrize("condition", ["", " WHERE day >= :window_start AND day < :window_end"])
def test_a_window_takes_the_dates_that_begin_in_it(condition: str, tmp_path: Path) -> None:
    values = ", ".join(f"({day}, '2026-11-{day:02}', '2026-11-{day:02} 08:00:00')" for day in range(1, 11))
    url = database(tmp_path, "CREATE TABLE p (id, day, t)", f"INSERT INTO p VALUES {values}")

    def days(start: datetime, end: datetime, **options: Any) -> list[int]:
        entities = {"attendance_punch": {"query": PUNCHES + condition}}
        chunks = load(Settings(url=url, entities=entities, **options), "attendance_punch", Window(start, end))
        assert all(chunk.read == chunk.rows.num_rows for chunk in chunks)
        return [row["attendance_date"].day for row in rows_of(chunks)]

    assert days(datetime(2026, 11, 3, tzinfo=BERLIN), datetime(2026, 11, 5, tzinfo=BERLIN)) == [3, 4]
    # Midnight of 3 November in Berlin is 23:00 UTC of the 2nd: a UTC day holds the next local date.
    assert days(datetime(2026, 11, 2, 23, tzinfo=UTC), datetime(2026, 11, 3, 23, tzinfo=UTC)) == [3]
    assert days(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC)) == [3]
    whole = days(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC), complete=["attendance_punch"])
    assert whole == list(range(1, 11))


def test_a_window_takes_the_instants_that_lie_in_it(tmp_path: Path) -> None:
    url = database(
        tmp_path,
        "CREATE TABLE r (t)",
        "INSERT INTO r VALUES ('2026-11-03 07:59:59+00:00'), ('2026-11-03 08:00:00+00:00'), ('2026-11-03 10:00:00')",
    )
    query = (
        "SELECT t AS review_id, 'a' AS employee_number, 'q' AS reviewer_number, 'chat' AS contact_source_id,"
        " '1' AS contact_id, t AS reviewed_at, 90 AS score, 0 AS is_fatal, 0 AS is_blind FROM r"
    )
    settings = Settings(url=url, entities={"qa_review": {"query": query}})
    window = Window(datetime(2026, 11, 3, 8, tzinfo=UTC), datetime(2026, 11, 3, 9, tzinfo=UTC))
    # The end is exclusive: 10:00 in Berlin is 09:00 UTC.
    assert [row["review_id"] for row in rows_of(load(settings, "qa_review", window))] == ["2026-11-03 08:00:00+00:00"]


def test_a_wrong_record_of_a_query_is_rejected_alone(tmp_path: Path) -> None:
    url = database(
        tmp_path,
        "CREATE TABLE p (id, day, t)",
        "INSERT INTO p VALUES (1, '2026-11-02', 'noon'), (2, NULL, 3), (3, 4, 5)",
    )
    query = "SELECT id AS punch_id, 'C' AS employee_number, '2026-11-02' AS attendance_date, t AS in_at, 2500 AS salary"
    settings = Settings(url=url, entities={"attendance_punch": {"query": f"{query} FROM p"}})
    (chunk,) = load(settings, "attendance_punch")
    first = chunk.rejects[0]
    assert (first.locator, first.field, first.found) == ("attendance_punch punch_id=1", "in_at", "text like 'xxxx'")
    assert (chunk.read, len(chunk.rejects), chunk.drift) == (3, 3, {("salary", "int"): 3})
    assert "2500" not in str([reject.payload for reject in chunk.rejects])  # undeclared values end in the reader


def test_percent_signs_and_colons_of_a_query_reach_the_database(tmp_path: Path) -> None:
    url = database(tmp_path, "CREATE TABLE t (n)", "INSERT INTO t VALUES ('50% off'), ('plain')")
    query = (
        r"SELECT 'CS1001' AS employee_number, n || ' at\:noon' AS exam_name, 'first' AS sitting,"
        r" strftime('%Y-%m-%d', '2026-11-12 08:30:00') AS exam_date FROM t WHERE n LIKE '50\% %' ESCAPE '\'"
    )
    rows = rows_of(load(Settings(url=url, entities={"exam": {"query": query}}), "exam"))
    assert [(row["exam_name"], row["exam_date"]) for row in rows] == [("50% off at:noon", date(2026, 11, 12))]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT 1 AS exam_name", r"source hr, entity exam: the query lacks columns \['employee_number', 'sitting', "),
        ("SELECT 1 AS score, 2 AS score", r"repeats \['score'\]; name each field once"),
        ("SELECT * FROM nowhere", "source hr, entity exam: the database answered no such table: nowhere; check"),
        ("SELECT :since AS exam_date", r"parameters \['since'\], known are \['window_end', 'window_start'\]"),
    ],
)
def test_a_wrong_query_says_what_to_do(query: str, message: str, tmp_path: Path) -> None:
    settings = Settings(url=database(tmp_path, "CREATE TABLE t (n)"), entities={"exam": {"query": query}})
    with pytest.raises(SourceError, match=message):
        load(settings, "exam")


def test_a_source_that_cannot_be_reached_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exam = {"exam": {"query": "SELECT 1"}}
    with pytest.raises(SourceError, match=r"there is no database file .*missing\.sqlite3; correct url"):
        load(Settings(url=f"sqlite:///{tmp_path}/missing.sqlite3", entities=exam), "exam")
    assert list(tmp_path.iterdir()) == []
    by_variable = Settings(url_env="KEFU_TEST_HR_URL", entities=exam)
    with pytest.raises(SourceError, match="environment variable KEFU_TEST_HR_URL is not set"):
        load(by_variable, "exam")
    for address in ("nonsense with hunter2", "mysql+nodriver://kefu:hunter2@127.0.0.1/hr"):
        monkeypatch.setenv("KEFU_TEST_HR_URL", address)
        with pytest.raises(SourceError, match=r"no database can be opened at that address .* write it as") as caught:
            load(by_variable, "exam")
        assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None
    monkeypatch.setenv("KEFU_TEST_HR_URL", "postgresql+psycopg://kefu:hunter2@127.0.0.1:9/hr?connect_timeout=2")
    with pytest.raises(SourceError, match="the database answered connection failed") as caught:
        load(by_variable, "exam")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SourceError, match=r"there is no folder .*nowhere; create it"):
        load(Settings(folder=tmp_path / "nowhere", entities={"exam": {"files": "*"}}), "exam")
    with pytest.raises(SourceError, match="source hr delivers no roster, only exam"):
        load(by_variable, "roster")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"entities": {"exam": {"files": "*"}}}, "exactly one of url, url_env and folder"),
        ({"folder": "inbox", "url_env": "HR", "entities": {"exam": {"files": "*"}}}, "exactly one of"),
        ({"folder": "inbox", "entities": {"exams": {"files": "*"}}}, r"unknown entities \['exams'\]: known are"),
        ({"folder": "inbox", "entities": {"exam": {"query": "SELECT 1"}}}, "with folder needs files"),
        ({"url": "sqlite:///x", "entities": {"exam": {"files": "*"}}}, "with url needs query"),
        ({"url": "sqlite:///x", "entities": {"exam": {"query": "S", "files": "*"}}}, "with url needs query"),
        ({"url": "sqlite:///x", "entities": {"exam": {"query": "S"}}, "answers_to": "x"}, "answers_to belongs to"),
        (
            {"folder": "inbox", "entities": {"exam": {"files": "*"}}, "complete": ["roster"]},
            r"complete names \['roster'\]",
        ),
        ({"folder": "inbox", "entities": {"exam": {"files": "*", "sheet": "2"}}}, "Extra inputs are not permitted"),
        ({"url": "postgresql://kefu:hunter2@db/hr", "entities": {"exam": {"query": "S"}}}, "url holds a password"),
        ({"url": "mysql://kefu@db/hr?password=hunter2", "entities": {"exam": {"query": "S"}}}, "url holds a password"),
        ({"url": "hunter2", "entities": {"exam": {"query": "S"}}}, "url is not a database address"),
    ],
)
def test_wrong_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        Settings(**options)
    assert "hunter2" not in str(caught.value)


# --- Horilla's database


@pytest.fixture(scope="module")
def horilla() -> dict[str, list[Row]]:
    options = yaml.safe_load((ROOT / "config/sources/hr_horilla.yml").read_text(encoding="utf-8"))
    settings = Settings(url=f"sqlite:///{ROOT}/samples/hr/horilla_hr.sqlite3", **options)
    loaded = {}
    for entity in settings.entities:
        chunks = load(settings, entity)
        assert all(not chunk.rejects and not chunk.drift for chunk in chunks)
        loaded[entity] = rows_of(chunks)
    return loaded


def horilla_table(name: str) -> list[dict[str, str]]:
    if not HORILLA_TABLES.is_dir():
        pytest.skip(f"the recorded tables are not at {HORILLA_TABLES}")
    with (HORILLA_TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_horilla_counts(horilla: dict[str, list[Row]]) -> None:
    assert {entity: len(rows) for entity, rows in horilla.items()} == {
        "employee": 13, "work_assignment": 72, "shift_schedule": 37, "attendance_day": 176, "attendance_punch": 301,
        "leave_request": 5,
    }  # fmt: skip
    badges = {f"CS10{number:02}" for number in [*range(1, 13), 99]}
    for entity, rows in horilla.items():
        numbers = {row["employee_number"] for row in rows if "employee_number" in row}
        assert numbers <= badges and (entity in ("shift_schedule", "leave_request") or numbers == badges), entity


def test_horilla_agrees_with_the_tables_as_exported(horilla: dict[str, list[Row]]) -> None:
    badge = {row["id"]: row["badge_id"] for row in horilla_table("employee_employee")}
    shift = {row["id"]: row["employee_shift"] for row in horilla_table("base_employeeshift")} | {"": None}

    def instant(text: str) -> datetime | None:
        return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None

    days = horilla_table("attendance_attendance")
    assert [tuple(row.values())[:6] for row in horilla["attendance_day"]] == [
        (
            row["id"],
            badge[row["employee_id_id"]],
            date.fromisoformat(row["attendance_date"]),
            shift[row["shift_id_id"]],
            {"08:00": 28800, "00:00": 0}[row["minimum_hour"]],
            int(row["at_work_second"]) if row["attendance_clock_out"] else None,
        )
        for row in days
    ]
    assert sum(row["required_seconds"] == 0 for row in horilla["attendance_day"]) == 40

    punches = horilla_table("attendance_attendanceactivity")
    assert [tuple(row.values())[:5] for row in horilla["attendance_punch"]] == [
        (
            row["id"],
            badge[row["employee_id_id"]],
            date.fromisoformat(row["attendance_date"]),
            instant(row["in_datetime"]),
            instant(row["out_datetime"]),
        )
        for row in punches
    ]
    # The local wall time of the same row is the same instant, so the offset in the query is right.
    for row, punch in zip(horilla["attendance_punch"], punches, strict=True):
        assert (
            row["in_at"].astimezone(BERLIN).strftime("%Y-%m-%d %H:%M:%S")
            == f"{punch['clock_in_date']} {punch['clock_in']}"
        )

    history = horilla_table("employee_historicalemployeeworkinformation")
    assert [(row["employee_number"], row["valid_from"], row["shift_name"]) for row in horilla["work_assignment"]] == [
        (badge[row["employee_id_id"]], instant(row["history_date"]), shift[row["shift_id_id"]]) for row in history
    ]
    leave = horilla_table("leave_leaverequest")
    assert [
        (row["leave_id"], row["employee_number"], row["status"], row["start_part"]) for row in horilla["leave_request"]
    ] == [(row["id"], badge[row["employee_id_id"]], row["status"], row["start_date_breakdown"]) for row in leave]


def test_the_history_is_in_utc_as_the_clock_in_that_wrote_it(horilla: dict[str, list[Row]]) -> None:
    punches = {(row["employee_number"], row["in_at"]) for row in horilla["attendance_punch"]}
    changes = [row for row in horilla["work_assignment"] if datetime(2026, 11, 2, tzinfo=UTC) <= row["valid_from"]]
    written = [row for row in changes if (row["employee_number"], row["valid_from"]) in punches]
    # All but the 13 rows of the final clean-up at 22 November 08:00.
    assert (len(changes), len(written)) == (46, 33)
    early = next(row for row in written if row["employee_number"] == "CS1010")
    assert (early["valid_from"], early["shift_name"]) == (datetime(2026, 11, 2, 6, 0, 52, tzinfo=UTC), "CS Early")


def test_night_shifts_keep_the_day_on_which_they_began(horilla: dict[str, list[Row]]) -> None:
    schedule = {(row["shift_name"], row["weekday"]): row for row in horilla["shift_schedule"]}
    assert Counter(name for name, _ in schedule)["CS Night"] == 7
    night = schedule["CS Night", 7]
    assert (night["start_time"], night["end_time"], night["is_night"]) == ("22:00:00", "06:30:00", True)
    assert schedule["Regular Shift", 6]["start_time"] == "09:00:00"
    punch = next(row for row in horilla["attendance_punch"] if row["punch_id"] == "18")
    assert (punch["attendance_date"], punch["in_at"]) == (
        date(2026, 11, 2),
        datetime(2026, 11, 3, 0, 43, 41, tzinfo=UTC),
    )


def test_forgotten_clock_outs_stay_unknown(horilla: dict[str, list[Row]]) -> None:
    open_punches = [
        (r["employee_number"], r["attendance_date"]) for r in horilla["attendance_punch"] if r["out_at"] is None
    ]
    open_days = [
        (r["employee_number"], r["attendance_date"]) for r in horilla["attendance_day"] if r["worked_seconds"] is None
    ]
    assert (
        open_punches
        == open_days
        == [
            ("CS1009", date(2026, 11, 7)),
            ("CS1005", date(2026, 11, 9)),
            ("CS1007", date(2026, 11, 17)),
            ("CS1099", date(2026, 11, 22)),
        ]
    )
    long_days = [r["worked_seconds"] for r in horilla["attendance_day"] if (r["worked_seconds"] or 0) > 16 * 3600]
    assert long_days == [98280, 100980]


def test_names_and_leave(horilla: dict[str, list[Row]]) -> None:
    names = {row["employee_number"]: row["display_name"] for row in horilla["employee"]}
    with (ROOT / "samples/agents.csv").open(encoding="utf-8", newline="") as file:
        agents = {row["hr_badge_id"]: row["pbx_member_name"] for row in csv.DictReader(file)}
    assert names == agents | {"CS1099": "Lena Brandt"}  # 王芳 among them
    retroactive, *_, half = horilla["leave_request"]
    assert (retroactive["start_date"], retroactive["requested_on"]) == (date(2026, 11, 6), date(2026, 11, 22))
    assert (half["start_part"], half["end_part"], half["is_paid"]) == ("first_half", "first_half", True)


def test_no_pay_phone_or_mail_of_horilla_is_stored(horilla: dict[str, list[Row]]) -> None:
    connection = sqlite3.connect(ROOT / "samples/hr/horilla_hr.sqlite3")
    secrets = {
        str(value)
        for row in connection.execute(
            "SELECT w.email, w.mobile, w.basic_salary, e.email, e.phone FROM employee_employeeworkinformation w"
            " JOIN employee_employee e ON e.id = w.employee_id_id"
        )
        for value in row
    }
    notes = {row[0] for row in connection.execute("SELECT description FROM leave_leaverequest")}
    connection.close()
    assert len(secrets) == 39 and len(notes) == 3  # 13 each of mail, phone and pay
    for entity, rows in horilla.items():
        for row in rows:
            cells = {str(value) for value in row.values()}
            assert not cells & (secrets | notes), entity
            assert not any(
                secret in cell for cell in cells for secret in secrets if not secret.isdigit() or len(secret) > 8
            )
    (row,) = (row for row in horilla["employee"] if row["employee_number"] == "CS1009")
    assert (row["email_masked"], row["phone_masked"]) == ("a***@cs.example.test", "+49****09")


# --- the sheets of samples/handmade


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    names = ("identity", "team_assignment", "qa_review", "exam")
    settings = Settings(
        folder=ROOT / "samples/handmade",
        entities={name: {"files": f"{name}*"} for name in names},
        answers_to=tmp_path_factory.mktemp("answers"),
    )
    loaded = {}
    for name in names:
        chunks = load(settings, name)
        assert not any(chunk.rejects for chunk in chunks)
        loaded[name] = rows_of(chunks)
    assert len(list((settings.answers_to or Path()).iterdir())) == 4
    return loaded


def test_the_sheets_are_what_their_script_writes(sheets: dict[str, list[Row]], tmp_path: Path) -> None:
    runpy.run_path(str(ROOT / "samples/handmade/make_sheets.py"))["main"](tmp_path)
    for name, rows in sheets.items():
        settings = Settings(folder=tmp_path, entities={name: {"files": f"{name}*"}})
        assert rows_of([chunk for chunk in load(settings, name) if chunk.rows.num_rows]) == rows, name


def test_the_people_of_the_sheets_are_those_of_the_recordings(sheets: dict[str, list[Row]]) -> None:
    accounts = {(row["source_id"], row["account"]): row["employee_number"] for row in sheets["identity"]}
    assert Counter(source for source, _ in accounts) == {"pbx": 12, "chat": 13, "hr": 13}
    assert (accounts["pbx", "Hugo Santos, Jr."], accounts["chat", "1"], accounts["hr", "CS1099"]) == (
        "CS1009",
        "CS1099",
        "CS1099",
    )
    teams = {row["employee_number"]: row["team_key"] for row in sheets["team_assignment"]}
    assert teams == {f"CS10{n:02}": "general" if n <= 8 else "billing" if n <= 10 else "vip" for n in range(1, 13)}
    assert {(row["valid_from"], row["known_from"], row["valid_to"]) for row in sheets["team_assignment"]} == {
        (date(2026, 1, 1), date(2026, 1, 1), None)
    }


def test_reviews_allow_agreement_to_be_computed(sheets: dict[str, list[Row]]) -> None:
    reviews = sheets["qa_review"]
    per_agent = Counter(row["employee_number"] for row in reviews)
    assert set(per_agent) == {f"CS10{n:02}" for n in range(1, 13)} and min(per_agent.values()) >= 7
    assert {row["reviewer_number"] for row in reviews} == {"Q001", "Q002"}
    assert min(row["score"] for row in reviews) >= 70 and max(row["score"] for row in reviews) <= 98
    assert [row["is_fatal"] for row in reviews].count(True) == 1
    days = {row["reviewed_at"].astimezone(BERLIN).date() for row in reviews}
    assert min(days) == date(2026, 11, 3) and max(days) == date(2026, 11, 21)

    chats = (ROOT / "samples/live_helper_chat/tables/lh_chat.csv").open(encoding="utf-8", newline="")
    with chats:
        operator = {row["id"]: (row["user_id"], int(row["time"])) for row in csv.DictReader(chats)}
    users = {row["employee_number"]: row["account"] for row in sheets["identity"] if row["source_id"] == "chat"}
    for row in reviews:
        assert operator[row["contact_id"]] == (users[row["employee_number"]], int(row["contact_at"].timestamp()))
        assert row["contact_at"] < row["reviewed_at"]
        assert 0.3 <= row["playback_seconds"] / row["recording_seconds"] <= 1

    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for row in reviews:
        assert row["reviewer_number"] not in scores[row["contact_id"]]
        scores[row["contact_id"]][row["reviewer_number"]] = float(row["score"])
    pairs = [(pair["Q001"], pair["Q002"]) for pair in scores.values() if len(pair) == 2]
    assert len(pairs) == [row["is_blind"] for row in reviews].count(True) == 40
    pooled = [score for pair in pairs for score in pair]
    observed = sum((a - b) ** 2 for a, b in pairs) / len(pairs)
    by_chance = sum((a - b) ** 2 for a in pooled for b in pooled) / (len(pooled) * (len(pooled) - 1))
    assert 0.80 <= 1 - observed / by_chance < 0.95  # good, not perfect


def test_the_exam_holds_every_case(sheets: dict[str, list[Row]]) -> None:
    results = {(row["employee_number"], row["sitting"]): row for row in sheets["exam"]}
    assert len(results) == 13
    assert sum(row["score"] is not None for (_, sitting), row in results.items() if sitting == "first") == 10
    assert results["CS1003", "first"]["absence_reason"] == "no_reason" and ("CS1003", "make_up") not in results
    assert (results["CS1010", "first"]["score"], results["CS1010", "first"]["absence_reason"]) == (None, "leave")
    made_up = results["CS1010", "make_up"]
    assert (made_up["score"], made_up["exam_date"]) == (82, date(2026, 11, 19))


def test_types_are_all_in_use() -> None:
    used = {field.type for entity in SYSTEM.entities.values() for field in entity.fields.values()}
    assert used == set(FieldType)

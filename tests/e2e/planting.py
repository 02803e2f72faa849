"""Personal data planted in copies of the recordings, with new records that change the numbers of a later load."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from kefu.pipeline.context import Platform
from kefu.settings import PROJECT
from tests.e2e.support import replace

MESSAGE = "Meine Kundennummer ist 4711-ZX, bitte rufen Sie zurueck"
SURVEY = "Der Berater Schmidt aus der Filiale Kiel war unfreundlich"
SALARY = "73123457"
REMARK = "Herzkrank seit Mai laut Attest"
MAIL = "erika.mustermann@privat.example.test"
STAFF_MAIL = "hart.daheim@privat.example.test"
CALLER = "Erika Mustermann-Schulz"
START = 1795301450


def phone(place: int) -> str:
    """Returns the number planted at a place, as a customer would write it; each place has its own."""
    return f"015112340{place:03d}"


PHONES = {
    phone(place)[1:]: name
    for place, name in enumerate(
        [
            "caller of the queue", "number a call was transferred to", "field of an unknown event", "malformed line",
            "caller of a call record", "number dialled", "user field of a call record", "caller of a channel event",
            "extension of a channel event", "application data", "channel name", "keys pressed", "visitor of a chat",
            "message", "note about a chat", "staff phone", "staff mobile", "comment in a sheet",
            "wrong column of a sheet", "member at home",
        ]
    )
}  # fmt: skip


def plant(platform: Platform, folder: Path) -> None:
    """Points the sources of an installation at copies of the recordings in which all of this is planted.

    One call is new: Alice Hart answers it after 3 seconds and talks for 60.
    """
    samples = folder / "samples"
    shutil.copytree(PROJECT / "samples", samples)
    _telephone(samples / "asterisk")
    _chat(samples / "live_helper_chat" / "lhc.sqlite3")
    _staff(samples / "hr" / "horilla_hr.sqlite3")
    inbox = folder / "inbox"
    inbox.mkdir()
    _sheets(inbox)
    sources = platform.settings.kefu_config_dir / "sources.yml"
    replace(
        sources,
        {"samples/": f"{samples}/", "version: 1\n  valid_from: 2026-01-01": "version: 2\n  valid_from: 2026-01-02"},
    )
    lines = [f"    folder: {inbox}" if line.endswith("/inbox") else line for line in sources.read_text().splitlines()]
    sources.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _telephone(folder: Path) -> None:
    call, other = f"{START}.1", f"{START}.9"
    home = f"Local/{phone(19)}@from-queue/n"
    with (folder / "queue_log").open("a", encoding="utf-8") as log:
        log.write(
            f"{START}|{call}|svc-general|NONE|ENTERQUEUE||{phone(0)}|1|{CALLER}\n"
            f"{START + 3}|{call}|svc-general|Alice Hart|CONNECT|3|{call}.2|2\n"
            f"{START + 63}|{call}|svc-general|Alice Hart|COMPLETECALLER|3|60|1\n"
            f"{START + 100}|{other}|svc-general|NONE|ENTERQUEUE||{phone(0)}|1|{CALLER}\n"
            f"{START + 104}|{other}|svc-general|{home}|CONNECT|4|{other}.2|2\n"
            f"{START + 130}|{other}|svc-general|{home}|BLINDTRANSFER|{phone(1)}|outside|4|26|1\n"
            f"{START + 131}|{other}|svc-general|NONE|CALLBACKPROMISED|{phone(2)}\n"
            f"{START + 132} {phone(3)} was cut off\n"
        )
    with (folder / "Master.csv").open("a", encoding="utf-8") as records:
        records.write(
            f'"","{phone(4)}","9{phone(5)}","queues","""{CALLER}"" <{phone(4)}>","Local/1@callers-1;1","PJSIP/1001-2",'
            f'"Dial","PJSIP/{phone(5)}","2026-11-21 23:50:50","2026-11-21 23:50:53","2026-11-21 23:51:53",63,60,'
            f'"ANSWERED","DOCUMENTATION","{START}.1","csat=5;call {phone(6)}"\n'
        )
    with sqlite3.connect(folder / "cel.sqlite3") as events:
        columns = [column for _, column, *_ in events.execute("pragma table_info(cel)")]
        row = dict.fromkeys(columns, "") | {
            "AcctId": 999_999, "eventtype": "APP_START", "eventtime": "2026-11-21 23:50:50", "cidname": CALLER,
            "cidnum": phone(7), "cidani": phone(7), "exten": phone(8), "appdata": f"PJSIP/{phone(9)}",
            "appname": "Dial", "channame": f"PJSIP/{phone(10)}-00000001", "context": "queues",
            "uniqueid": f"{START}.1", "linkedid": f"{START}.1",
            "extra": f'{{"digit":"{phone(11)}","caller":"{phone(7)}"}}',
        }  # fmt: skip
        events.execute(f"insert into cel values ({', '.join('?' * len(columns))})", [row[name] for name in columns])


def _chat(database: Path) -> None:
    with sqlite3.connect(database) as server:
        server.execute(
            "update lh_chat set phone = ?, email = ?, nick = ?, remarks = ?, additional_data = ? where id = 12",
            [phone(12), MAIL, CALLER, REMARK, f'[{{"value":"{phone(12)}"}}]'],
        )
        server.execute("update lh_msg set msg = ? where id = 89", [f"{MESSAGE} {phone(13)} {MAIL}"])
        chat, moment = server.execute("select chat_id, time from lh_msg where id = 98").fetchone()
        server.execute(
            "insert into lh_msg select 900001, ?, meta_msg, ?, ?, -1, name_support, del_st from lh_msg where id = 98",
            [f"[b]Alice[/b]: Kunde ist erreichbar unter {phone(14)} {MAIL}", moment, chat],
        )
        server.execute(
            "update lh_abstract_survey_item set question_plain_1 = ? where id = (select min(id) from"
            " lh_abstract_survey_item)",
            [SURVEY],
        )


def _staff(database: Path) -> None:
    with sqlite3.connect(database) as server:
        server.execute(
            "update employee_employee set phone = ?, email = ?, address = 'Lindenallee 77b', dob = '1981-07-13',"
            " emergency_contact = ? where badge_id = 'CS1001'",
            [phone(15), STAFF_MAIL, phone(15)],
        )
        for table in ("employee_employeeworkinformation", "employee_historicalemployeeworkinformation"):
            server.execute(
                f"update {table} set mobile = ?, email = ?, basic_salary = ?, salary_hour = ? where employee_id_id ="
                " (select id from employee_employee where badge_id = 'CS1001')",
                [phone(16), STAFF_MAIL, int(SALARY), int(SALARY)],
            )
        server.execute("update leave_leaverequest set description = ?, reject_reason = ?", [REMARK, REMARK])


def _sheets(inbox: Path) -> None:
    (inbox / "exam-comment.csv").write_text(
        "employee_number,exam_name,sitting,exam_date,score,absence_reason,Comment,Salary\n"
        f"CS1001,second exam,first,2026-11-18,88,,call {phone(17)} {MAIL},{SALARY}\n",
        encoding="utf-8",
    )
    (inbox / "exam-shifted.csv").write_text(
        "employee_number,exam_name,sitting,exam_date,score\n"
        f"CS1002,second exam,first,2026-11-18,{phone(18)} {CALLER}\n",
        encoding="utf-8",
    )


LEAKS = {
    **PHONES, MESSAGE: "message", SURVEY: "free answer of a survey", SALARY: "salary", REMARK: "remark",
    MAIL: "customer's mail", STAFF_MAIL: "staff mail", CALLER: "caller's name", "Lindenallee 77b": "address",
    "1981-07-13": "date of birth",
}  # fmt: skip

"""Personal data comes in by the connectors and is found nowhere again, except encrypted; nor is any secret."""

from __future__ import annotations

import csv
import re
import sqlite3
from pathlib import Path

import pytest

from kefu.load.vault import Vault
from kefu.pipeline.context import Platform
from kefu.pipeline.run import render
from kefu.warehouse import Role
from tests.e2e.planting import LEAKS, MAIL, MESSAGE, PHONES, SURVEY, phone
from tests.e2e.support import Line, every_row, files_below, secrets


@pytest.fixture(scope="module")
def pages(planted: Platform) -> list[Path]:
    return render(planted)


@pytest.fixture(scope="module")
def rows(planted: Platform) -> list[tuple[str, str]]:
    with planted.warehouse.connect(Role.OWNER) as connection:
        found = list(every_row(connection))
    tables = {table for table, _ in found}
    schemas = {table.split(".")[0] for table in tables}
    assert schemas >= {"raw_asterisk", "raw_live_helper_chat", "raw_tabular", "vault", "ops", "cfg", "stats", "wh_core"}
    assert len(tables) > 100
    return found


@pytest.fixture(scope="module")
def files(planted: Platform, line: Line, pages: list[Path]) -> list[tuple[Path, str]]:
    """Everything the runs wrote: dbt's folder, pages, answers, logs; not the files people put into the inbox."""
    assert len(pages) == 17
    found = list(files_below(planted.settings.kefu_data_dir, line.platform.settings.kefu_data_dir))
    names = {path.name for path, _ in found}
    assert names >= {"postgres.log", "team_overview.zh-CN.html"}
    return found


def recorded(project: Path) -> dict[str, str]:
    """Returns phones, mail addresses and longer texts of the recordings, by what they are."""
    found: dict[str, str] = {}
    with sqlite3.connect(f"file:{project}/samples/live_helper_chat/lhc.sqlite3?mode=ro", uri=True) as chat:
        found |= {row[0]: "chat phone" for row in chat.execute("select phone from lh_chat where phone <> ''")}
        found |= {row[0]: "chat mail" for row in chat.execute("select email from lh_chat where email <> ''")}
        found |= {row[0]: "operator mail" for row in chat.execute("select email from lh_users where email <> ''")}
        texts = chat.execute("select msg from lh_msg where user_id >= 0 union select question_plain_1 from"
                             " lh_abstract_survey_item")  # fmt: skip
        found |= {row[0]: "chat text" for row in texts if len(row[0]) >= 15}
    with sqlite3.connect(f"file:{project}/samples/hr/horilla_hr.sqlite3?mode=ro", uri=True) as hr:
        found |= {row[0]: "staff phone" for row in hr.execute("select phone from employee_employee")}
        found |= {row[0]: "staff mail" for row in hr.execute("select email from employee_employee")}
    with sqlite3.connect(f"file:{project}/samples/asterisk/cel.sqlite3?mode=ro", uri=True) as events:
        found |= {row[0]: "channel event" for row in events.execute("select cidnum from cel where length(cidnum) > 6")}
    with (project / "samples/asterisk/Master.csv").open(encoding="utf-8", newline="") as records:
        found |= {row[1]: "call record" for row in csv.reader(records) if len(row[1]) > 6}
    log = (project / "samples/asterisk/queue_log").read_text(encoding="utf-8")
    found |= dict.fromkeys(re.findall(r"ENTERQUEUE\|[^|]*\|(\d{7,})\|", log), "queue caller")
    found.pop("anonymous")
    # A number may be written with or without its country code.
    return {text[1:] if text.isdigit() else text: name for text, name in found.items()}


def leaks(needles: dict[str, str], places: list[tuple[str, str]]) -> set[tuple[str, str]]:
    whole: dict[str, list[str]] = {}
    for place, text in places:
        whole.setdefault(place, []).append(text)
    joined = {place: "\n".join(texts).encode() for place, texts in whole.items()}
    sought = {needle.encode(): name for needle, name in needles.items()}
    return {(name, place) for place, text in joined.items() for needle, name in sought.items() if needle in text}


def test_nothing_planted_is_in_any_table(rows: list[tuple[str, str]]) -> None:
    assert len(PHONES) == 20
    assert leaks(LEAKS, [row for row in rows if row[0] != "ops.quarantine"]) == set()


def test_a_quarantined_record_shows_nothing_personal(rows: list[tuple[str, str]]) -> None:
    """What stands in a wrong column may be anything, a telephone number too: only its shape may be shown."""
    assert leaks(LEAKS, [row for row in rows if row[0] == "ops.quarantine"]) == set()


def test_nothing_planted_is_in_any_file(files: list[tuple[Path, str]]) -> None:
    found = leaks(LEAKS, [(path.name, text) for path, text in files])
    # The answer to a sheet lies beside it and repeats to its author what the author wrote.
    answer = "exam-shifted.csv.answer.txt"
    assert {leak for leak in found if leak[1] != answer} == set()


def test_nothing_personal_of_the_recordings_is_in_any_table_or_file(
    rows: list[tuple[str, str]], files: list[tuple[Path, str]], project: Path
) -> None:
    needles = recorded(project)
    kinds = {name: sum(kind == name for kind in needles.values()) for name in set(needles.values())}
    assert kinds["chat mail"] > 100
    assert kinds["chat text"] > 20
    assert sum(kinds.values()) > 400
    assert leaks(needles, [*rows, *((path.name, text) for path, text in files)]) == set()


def test_the_search_finds_what_is_there(rows: list[tuple[str, str]], files: list[tuple[Path, str]]) -> None:
    """The same search finds names that may be seen, so that an empty answer means something."""
    names = {"Alice Hart": "agent's name", "svc_general": "queue"}
    places = [*rows, *((path.name, text) for path, text in files)]
    assert {place for _, place in leaks(names, places)} >= {
        "wh_core.dim_agent", "raw_asterisk.queue_log", "pub_kpi.agent", "team_overview.en.html", "queues.yml",
    }  # fmt: skip


def test_what_was_planted_did_arrive(planted: Platform) -> None:
    with planted.warehouse.connect(Role.OWNER) as connection:
        callers = connection.execute(
            "select caller_masked, caller_kind from raw_asterisk.queue_log where event_second = '2026-11-21 22:50:50Z'"
            " and event = 'ENTERQUEUE'"
        ).fetchall()
        assert callers == [(f"+49****{phone(0)[-2:]}", "person")]
        quarantined = connection.execute("select source_id, entity, locator, field from ops.quarantine").fetchall()
        assert quarantined == [
            ("pbx", "queue_log", "queue_log line 1702", "line"), ("inbox", "exam", "exam-shifted.csv row 2", "score"),
        ]  # fmt: skip
        assert connection.execute(
            "select count(*) from raw_tabular.exam where exam_name = 'second exam'"
        ).fetchone() == (1,)
        drift = connection.execute("select field from ops.schema_drift where source_id = 'inbox' order by 1").fetchall()
        assert drift == [("Comment",), ("Salary",)]


def test_texts_are_in_the_vault_for_its_one_reader(planted: Platform) -> None:
    vault = Vault(planted.settings)
    with planted.warehouse.connect(Role.TEXT) as connection:
        stored = connection.execute(
            "select source_id, entity, key, field, ciphertext from vault.message_text"
        ).fetchall()
    assert len(stored) > 2340
    texts = [
        vault.decrypt(bytes(ciphertext), f"{source}/{entity}/{key}/{field}")
        for source, entity, key, field, ciphertext in stored
    ]
    assert f"{MESSAGE} {phone(13)} {MAIL}" in texts
    assert any(SURVEY in text for text in texts)


def test_no_secret_is_in_any_table_file_or_command_line(
    rows: list[tuple[str, str]], files: list[tuple[Path, str]], planted: Platform, line: Line
) -> None:
    needles = {value: name for name, value in secrets(planted.settings).items()}
    assert len(needles) == 19
    commands = [("command line", command) for command in line.commands]
    assert any("postgres" in command for _, command in commands)
    assert leaks(needles, [*rows, *((str(path), text) for path, text in files), *commands]) == set()


def test_the_file_of_secrets_is_for_its_owner_only(line: Line) -> None:
    assert (line.platform.settings.kefu_data_dir / ".env").stat().st_mode & 0o777 == 0o600

"""The Asterisk connector against recorded files, SQLite and a real MariaDB; expectations are worked out by hand."""

from __future__ import annotations

import csv
import gzip
import os
import re
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from connectors.asterisk import SYSTEM, Settings, files, read
from connectors.contract import Chunk, Context, Reject, SourceError, Window
from connectors.personal import customer_key

SAMPLES = Path(__file__).parents[2] / "samples" / "asterisk"
BERLIN = ZoneInfo("Europe/Berlin")
SECRET = b"a secret of the tests only"
CONTEXT = Context(source_id="pbx", time_zone="Europe/Berlin", phone_region="DE", customer_secret=SECRET)
QUEUE_FIELDS = ["callid", "queue_name", "agent", "event", "data1", "data2", "data3", "data4", "data5"]

Load = Callable[[str], str]


# --- the recordings, read by plain Python -----------------------------------------------------------------------


@cache
def log_lines() -> list[list[str]]:
    """Returns the fields of each queue_log line."""
    return [line.split("|") for line in (SAMPLES / "queue_log").read_text(encoding="utf-8").splitlines()]


@cache
def dump_rows(table: str) -> list[list[str | None]]:
    """Returns the rows of the MariaDB dump as text."""
    rows = []
    for line in (SAMPLES / "asteriskcdrdb.sql").read_text(encoding="utf-8").splitlines():
        if insert := re.fullmatch(rf"INSERT INTO `{table}` VALUES \((.*)\);", line):
            values = re.findall(r"'((?:[^'\\]|\\.)*)'(?:,|$)|([^,']+)(?:,|$)", insert[1])
            rows.append(
                [None if bare == "NULL" else bare or re.sub(r"\\(.)", r"\1", quoted) for quoted, bare in values]
            )
    return rows


@cache
def phone_numbers() -> set[str]:
    """Returns every outside number in the recordings, with and without the 9 dialled before it."""
    texts = [(SAMPLES / name).read_text(encoding="utf-8") for name in ("queue_log", "Master.csv")]
    with sqlite3.connect(f"file:{SAMPLES / 'cel.sqlite3'}?mode=ro", uri=True) as cel:
        texts += ["\n".join(map(str, row)) for row in cel.execute("select * from cel")]
    found = {number for text in texts for number in re.findall(r"(?<![\d.-])9?(0[1-9]\d{7,10})(?![\d.])", text)}
    return found | {"9" + number for number in found}


# --- reading ----------------------------------------------------------------------------------------------------


def chunks(entity: str, window: Window | None = None, /, **place: Any) -> list[Chunk]:
    return list(read(Settings.model_validate({entity: place}), SYSTEM.entities[entity], window, CONTEXT))


def rows(entity: str, window: Window | None = None, /, **place: Any) -> list[dict[str, Any]]:
    return [row for chunk in chunks(entity, window, **place) for row in chunk.rows.to_pylist()]


def rejects(entity: str, window: Window | None = None, /, **place: Any) -> list[Reject]:
    return [reject for chunk in chunks(entity, window, **place) for reject in chunk.rejects]


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def parts(start: datetime, end: datetime, step: timedelta) -> list[Window]:
    """Returns windows that lie end to end from start to at least end."""
    count = -(-(end - start) // step)
    return [Window(start + step * number, start + step * (number + 1)) for number in range(count)]


@pytest.fixture
def sqlite(tmp_path: Path) -> Load:
    """Returns a function that runs a script in a new SQLite file and returns its URL."""

    def load(script: str) -> str:
        path = tmp_path / f"{secrets.token_hex(4)}.sqlite3"
        with sqlite3.connect(path) as connection:
            connection.executescript(script)
        return f"sqlite:///{path}"

    return load


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Load]:
    """Returns a function that runs a script in a new database of a private MariaDB and returns its URL."""
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    if not (server and shutil.which("mariadb") and shutil.which("mariadb-install-db")):
        reason = "mariadbd, mariadb or mariadb-install-db is not installed: MariaDB was not tested"
        print(reason)
        if os.environ.get("KEFU_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    # Not in pytest's own folder: the path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="kefu-") as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        common = ["--no-defaults", f"--datadir={folder}/data", "--innodb-log-file-size=4M"]
        common += ["--user=root"] if os.geteuid() == 0 else []
        install = ["mariadb-install-db", *common, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        listen = [f"--socket={folder}/s", f"--port={port}", "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M"]
        listen += ["--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite"]
        client = ["mariadb", "--no-defaults", f"--socket={folder}/s", "--user=root", "--default-character-set=utf8mb4"]
        password = secrets.token_hex(16)

        def run(script: str, *database: str) -> None:
            subprocess.run([*client, *database], input=script.encode(), check=True, capture_output=True)

        def load(script: str) -> str:
            name = f"d{secrets.token_hex(4)}"
            run(f"CREATE DATABASE {name} CHARACTER SET utf8mb4; GRANT SELECT ON {name}.* TO reader@'127.0.0.1';")
            run(script, name)
            return f"mysql://reader:{password}@127.0.0.1:{port}/{name}?ssl_disabled=true"

        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([server, *common, *listen, "--skip-name-resolve"], stdout=log, stderr=log)
        try:
            for _ in range(200):
                if (Path(folder) / "s").exists() or process.poll() is not None:
                    break
                time.sleep(0.05)
            run(f"CREATE USER reader@'127.0.0.1' IDENTIFIED BY '{password}';")
            yield load
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="session")
def recorded_mariadb(mariadb: Load) -> str:
    """Returns the URL of a MariaDB database with the recorded dump."""
    return mariadb((SAMPLES / "asteriskcdrdb.sql").read_text(encoding="utf-8"))


@pytest.fixture
def recorded_sqlite(tmp_path: Path) -> str:
    """Returns the URL of a SQLite file with the rows of the recorded dump."""
    path = tmp_path / "recorded.sqlite3"
    columns = {
        "queue_log": "id,time,callid,queuename,agent,event,data,data1,data2,data3,data4,data5,created",
        "cdr": "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,"
        'amaflags,accountcode,uniqueid,userfield,did,linkedid,peeraccount,sequence,start,answer,"end"',
    }
    with sqlite3.connect(path) as connection:
        for table, names in columns.items():
            values = dump_rows(table)
            connection.execute(f"create table {table} ({names})")
            connection.executemany(f"insert into {table} values ({','.join('?' * len(values[0]))})", values)
    return f"sqlite:///{path}"


@pytest.fixture(params=["mariadb", "sqlite"])
def recorded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Returns the settings of the recorded tables, once by each engine."""
    url = request.getfixturevalue(f"recorded_{request.param}")
    if request.param == "sqlite":
        return {"url": url}
    monkeypatch.setenv("PBX_URL", url)
    return {"url_env": "PBX_URL"}


# --- queue_log --------------------------------------------------------------------------------------------------


def test_system_says_what_it_delivers_and_what_it_cannot() -> None:
    assert sorted(SYSTEM.entities) == ["cdr", "cel", "queue_log"]
    assert SYSTEM.assignment_mode == "pushed"
    assert {"acw_events_without_pause_reason", "hold_seconds"} <= set(SYSTEM.cannot)


def test_every_recorded_queue_event_comes_from_the_file_as_it_stands() -> None:
    found = rows("queue_log", file=SAMPLES / "queue_log")
    assert len(found) == 1694
    assert Counter(row["event"] for row in found) == Counter(line[4] for line in log_lines())
    places: Counter[str] = Counter()
    for row, line in zip(found, log_lines(), strict=True):
        places[line[0]] += 1
        assert row["event_at"] == row["event_second"] == datetime.fromtimestamp(int(line[0]), UTC)
        assert row["second_ordinal"] == places[line[0]]
        data = (line[5:] + [""] * 5)[:5]
        if line[4] == "ENTERQUEUE":
            data[1] = data[3] = ""
        assert [row[name] for name in QUEUE_FIELDS] == [value or None for value in [*line[1:5], *data]]
    assert max(places.values()) > 5


def test_file_and_sql_give_the_same_keys_but_where_asterisk_wrote_two_seconds(recorded: dict[str, str]) -> None:
    """The file's second comes from a coarser clock, so an event just after a full second is one second early there."""
    by_file = rows("queue_log", file=SAMPLES / "queue_log")
    by_sql = rows("queue_log", **recorded)
    key_fields = SYSTEM.entities["queue_log"].content_fields
    assert list(key_fields) == ["event_second", *QUEUE_FIELDS]
    assert len(by_sql) == 1694
    early = 0
    for one, other, dumped in zip(by_file, by_sql, dump_rows("queue_log"), strict=True):
        wall = datetime.fromisoformat(str(dumped[1]))
        assert other["event_at"] == wall.replace(tzinfo=BERLIN)
        assert other["event_second"] == wall.replace(microsecond=0, tzinfo=BERLIN)
        assert [one[name] for name in QUEUE_FIELDS] == [other[name] for name in QUEUE_FIELDS]
        assert one["caller_key"] == other["caller_key"]
        if one["event_second"] != other["event_second"]:
            assert other["event_second"] - one["event_second"] == timedelta(seconds=1)
            assert wall.microsecond < 4_000
            early += 1
    assert early == 5


def test_sql_counts_the_rows_of_a_second_in_the_order_of_writing(recorded: dict[str, str]) -> None:
    places: Counter[str] = Counter()
    expected = []
    for dumped in dump_rows("queue_log"):
        places[str(dumped[1])[:19]] += 1
        expected.append(places[str(dumped[1])[:19]])
    assert [row["second_ordinal"] for row in rows("queue_log", **recorded)] == expected


def test_undeclared_column_is_drift_and_ignored_ones_are_not(recorded: dict[str, str]) -> None:
    assert [chunk.drift for chunk in chunks("queue_log", **recorded)] == [{("created", "string"): 1694}]
    assert [chunk.drift for chunk in chunks("cdr", **recorded)] == [{}]


def test_names_keep_comma_apostrophe_and_script() -> None:
    agents = {row["agent"] for row in rows("queue_log", file=SAMPLES / "queue_log")}
    assert {"Hugo Santos, Jr.", "Farah O'Neil", "王芳", "Emre Yılmaz", "Jonas Weiß", "NONE"} <= agents
    # The dialplan function that writes SURVEY cuts a name at its comma: 12 agents, NONE and "Hugo Santos".
    assert len(agents) == 14


def test_caller_is_a_pseudonym_on_entries_only() -> None:
    found = rows("queue_log", file=SAMPLES / "queue_log")
    numbers = [line[6] for line in log_lines() if line[4] == "ENTERQUEUE"]
    entries = [row for row in found if row["event"] == "ENTERQUEUE"]
    assert len(entries) == 334
    assert {row["caller_kind"] for row in found if row["event"] != "ENTERQUEUE"} == {None}
    for row, number in zip(entries, numbers, strict=True):
        assert (row["data2"], row["data4"]) == (None, None)
        if number == "anonymous":
            assert (row["caller_kind"], row["caller_key"]) == ("withheld", None)
        else:
            assert row["caller_key"] == customer_key(SECRET, "+49" + number[1:])


def test_ringing_milliseconds_and_link_transfer_stay_as_recorded(tmp_path: Path, sqlite: Load) -> None:
    lines = [
        "1795300117|1795300115.22|svc-vip|Kira Patel|RINGNOANSWER|1200000",
        "1795300118|1795300115.22|svc-vip|Kira Patel|ATTENDEDTRANSFER"
        "|LINK|Local/2001@tier2-00000001;1|Local/01711234567@pstn-0000002a;1|4|31|1",
        "1795300119|1795300115.23|svc-vip|Kira Patel|BLINDTRANSFER|01711234567|pstn|1|7|1",
    ]
    (tmp_path / "queue_log").write_text("".join(f"{line}\n" for line in lines))
    joined = [line.split("|", 5) for line in lines]
    walls = [datetime.fromtimestamp(int(line[0]), BERLIN).strftime("%Y-%m-%d %H:%M:%S.123456") for line in joined]
    url = sqlite(
        "create table queue_log (time, callid, queuename, agent, event, data);"
        + "".join(
            f"insert into queue_log values {(wall, *line[1:])};" for wall, line in zip(walls, joined, strict=True)
        )
    )
    by_file = rows("queue_log", file=tmp_path / "queue_log")
    assert by_file[0]["data1"] == "1200000"
    data = [[row[f"data{number}"] for number in range(1, 6)] for row in by_file]
    assert data[1] == ["LINK", "Local/2001@tier2-00000001;1", "Local/@pstn-0000002a;1", "4", "31|1"]
    assert data[2] == [None, "pstn", "1", "7", "1"]
    # A realtime table without adaptive columns has the data joined, and often no id.
    by_sql = rows("queue_log", url=url)
    assert [row | {"event_at": row["event_second"]} for row in by_sql] == by_file
    assert by_sql[0]["event_at"].microsecond == 123456


def test_wrong_lines_are_rejected_with_their_number_and_nothing_personal(tmp_path: Path) -> None:
    path = tmp_path / "queue_log"
    good = "1795300086|1795300085.0|svc-billing|NONE|ENTERQUEUE||01609329334|1|"
    path.write_bytes(
        f"{good}\n1795300087|1795300085.0|01609329334|NONE|ABANDON\nyesterday|x|q|a|PAUSE|lunch\n\n".encode()
        + good.replace("1795300086", "1795300088").encode()
        + b"M\xfcller\n1795300089|1795300085.0|svc-billing|NONE|\n1795300090|x|q|a||1\n1795300091|x|q|a|ABAN"
    )
    (chunk, unfinished) = chunks("queue_log", file=path)
    assert [row["event_at"].second for row in chunk.rows.to_pylist()] == [6, 8]
    assert [reject.locator for reject in chunk.rejects] == [f"queue_log line {n}" for n in (2, 3, 4, 6, 7)]
    assert [reject.field for reject in chunk.rejects] == ["line", "line", "line", "line", "event"]
    assert chunk.rejects[0].found == "48 characters in 5 fields"
    assert "epoch seconds" in chunk.rejects[1].expected
    assert all(reject.remedy and "01609329334" not in str(reject) for reject in chunk.rejects)
    assert chunk.rejects[0].payload == {"line": "1795300087|1795300085.0|01609329334|NONE|ABANDON"}
    assert unfinished.filtered == {"unfinished last line": 1}


def test_rotated_files_are_read_oldest_first_and_a_second_goes_on_across_them(tmp_path: Path) -> None:
    text = (SAMPLES / "queue_log").read_bytes().splitlines(keepends=True)
    seconds = [line.split(b"|")[0] for line in text]
    cut = next(number for number in range(700, 1694) if seconds[number] == seconds[number - 1])
    (tmp_path / "queue_log.0").write_bytes(b"".join(text[cut:1200]))
    with gzip.open(tmp_path / "queue_log.7.gz", "wb") as oldest:
        oldest.write(b"".join(text[:cut]))
    (tmp_path / "queue_log").write_bytes(b"".join(text[1200:]))
    (tmp_path / "queue_log.bak").write_bytes(b"not a log\n")
    assert rows("queue_log", file=tmp_path / "queue_log") == rows("queue_log", file=SAMPLES / "queue_log")


def test_a_line_cut_by_the_end_of_a_block_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows("queue_log", file=SAMPLES / "queue_log"), rows("cdr", file=SAMPLES / "Master.csv")
    monkeypatch.setattr(files, "_BLOCK_BYTES", 4_099)
    assert len(chunks("queue_log", file=SAMPLES / "queue_log")) > 20
    assert (rows("queue_log", file=SAMPLES / "queue_log"), rows("cdr", file=SAMPLES / "Master.csv")) == whole


def test_member_at_home_is_told_apart_without_the_number(tmp_path: Path) -> None:
    agents = ["Local/01711234567@from-queue/n", "Local/01719999999@from-queue/n", "PJSIP/1001"]
    (tmp_path / "queue_log").write_text("".join(f"1795300086|NONE|q|{agent}|PAUSE|\n" for agent in agents))
    found = [row["agent"] for row in rows("queue_log", file=tmp_path / "queue_log")]
    assert found == [
        f"Local/{customer_key(SECRET, '+491711234567')}@from-queue/n",
        f"Local/{customer_key(SECRET, '+491719999999')}@from-queue/n",
        "PJSIP/1001",
    ]


# --- windows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["file", "sql"])
def test_window_holds_its_start_and_not_its_end(place: str, recorded: dict[str, str]) -> None:
    settings: dict[str, Any] = recorded if place == "sql" else {"file": SAMPLES / "queue_log"}
    everything = rows("queue_log", **settings)
    start, end = everything[300]["event_second"], everything[900]["event_second"]
    expected = [row for row in everything if start <= row["event_second"] < end]
    assert start < everything[900]["event_at"]
    assert rows("queue_log", Window(start, end), **settings) == expected
    assert expected[0]["event_second"] == start


@pytest.mark.parametrize(("entity", "instant"), [("queue_log", "event_second"), ("cdr", "started_at")])
def test_windows_of_a_table_add_up_to_one_full_read(entity: str, instant: str, recorded: dict[str, str]) -> None:
    assert_parts_add_up(entity, instant, recorded)


@pytest.mark.parametrize(("entity", "instant"), [("queue_log", "event_second"), ("cdr", "started_at")])
def test_windows_of_a_file_add_up_to_one_full_read(entity: str, instant: str) -> None:
    assert_parts_add_up(entity, instant, {"file": SAMPLES / ("queue_log" if entity == "queue_log" else "Master.csv")})


def test_windows_of_channel_events_add_up_to_one_full_read() -> None:
    assert_parts_add_up("cel", "event_at", {"url": f"sqlite:///{SAMPLES / 'cel.sqlite3'}"})


def assert_parts_add_up(entity: str, instant: str, place: dict[str, Any]) -> None:
    everything = rows(entity, **place)
    first, last = (edge(row[instant] for row in everything) for edge in (min, max))
    windows = parts(first, last + timedelta(seconds=1), timedelta(minutes=4, microseconds=700_000))
    found = [rows(entity, window, **place) for window in windows]
    assert min(map(len, found)) > 50
    assert all(w.start <= row[instant] < w.end for w, part in zip(windows, found, strict=True) for row in part)
    order = {str(row): number for number, row in enumerate(everything)}
    assert sorted((row for part in found for row in part), key=lambda row: order[str(row)]) == everything


def test_wrong_line_belongs_to_the_window_of_the_line_before_it(tmp_path: Path) -> None:
    lines = [f"{second}|x|q|a|PAUSE|\n" if second % 3 else "broken\n" for second in range(1795300000, 1795300030)]
    (tmp_path / "queue_log").write_text("".join(lines))
    start = datetime.fromtimestamp(1795300000, UTC)
    windows = parts(start, start + timedelta(seconds=30), timedelta(seconds=7))
    found = [
        reject.locator for window in windows for reject in rejects("queue_log", window, file=tmp_path / "queue_log")
    ]
    assert found == [f"queue_log line {n + 1}" for n, line in enumerate(lines) if line == "broken\n"]
    assert len(found) == 10


CLOCK_CHANGES = {
    # 2026-10-25 03:00 becomes 02:00: the hour from 02:00 stands twice in the table and means its first pass.
    "back": ("2026-10-25", ["00:30", "01:59", "02:00", "02:30", "02:59", "03:00", "03:30"]),
    # 2026-03-29 02:00 becomes 03:00: 02:30 does not exist.
    "forward": ("2026-03-29", ["00:30", "01:59", "02:30", "03:00", "03:30"]),
}


@pytest.mark.parametrize("kind", ["DATETIME(6)", "VARCHAR(26)"])
@pytest.mark.parametrize("change", CLOCK_CHANGES)
def test_windows_are_exact_when_the_clock_changes(
    change: str, kind: str, mariadb: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, walls = CLOCK_CHANGES[change]
    script = f"CREATE TABLE queue_log (time {kind}, callid TEXT, queuename TEXT, agent TEXT, event TEXT, data1 TEXT);"
    script += "".join(
        f"INSERT INTO queue_log VALUES ('{day} {wall}:00.5', 'x', 'q', 'a', 'PAUSE', '');" for wall in walls
    )
    monkeypatch.setenv("PBX_URL", mariadb(script))
    everything = rows("queue_log", url_env="PBX_URL")
    exists = [wall for wall in walls if (change, wall) != ("forward", "02:30")]
    # datetime's own rule is the same: fold=0 is the first pass.
    assert [row["event_second"] for row in everything] == [berlin(f"{day} {wall}:00") for wall in exists]
    ambiguous = [wall for wall in walls if change == "back" and wall.startswith("02:")]
    assert [row["_time_is_ambiguous"] for row in everything] == [wall in ambiguous for wall in exists]
    start = berlin(f"{day} 00:00:00")
    for minutes in (30, 90):
        windows = parts(start, start + timedelta(hours=5), timedelta(minutes=minutes))
        found = [chunk for window in windows for chunk in chunks("queue_log", window, url_env="PBX_URL")]
        assert [row for chunk in found for row in chunk.rows.to_pylist()] == everything
        wrong = [reject for chunk in found for reject in chunk.rejects]
        assert [reject.field for reject in wrong] == (["event_at"] if change == "forward" else [])


def test_times_in_utc_are_taken_as_such(sqlite: Load) -> None:
    url = sqlite(
        "create table queue_log (id integer primary key, time, callid, queuename, agent, event, data1);"
        "insert into queue_log values (1, '2026-10-25 00:30:00.25', 'x', 'q', 'a', 'PAUSE', '');"
        "insert into queue_log values (2, '2026-10-25 01:30:00.25', 'x', 'q', 'a', 'PAUSE', '');"
    )
    found = rows("queue_log", url=url, time_is="utc")
    assert [row["event_at"] for row in found] == [
        datetime(2026, 10, 25, 0, 30, 0, 250_000, UTC),
        datetime(2026, 10, 25, 1, 30, 0, 250_000, UTC),
    ]
    assert not any(row["_time_is_ambiguous"] for row in found)
    window = Window(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC))
    assert rows("queue_log", window, url=url, time_is="utc") == found[1:]


# --- cdr --------------------------------------------------------------------------------------------------------


def test_call_records_are_the_same_by_file_and_by_sql(recorded: dict[str, str]) -> None:
    by_file = rows("cdr", file=SAMPLES / "Master.csv", outbound_prefix="9")
    by_sql = rows("cdr", **recorded, outbound_prefix="9")
    assert len(by_file) == 810
    assert all(row["linkedid"] is None and row["sequence"] is None for row in by_file)
    assert [row["sequence"] for row in by_sql] == [int(str(dumped[19])) for dumped in dump_rows("cdr")]
    assert [row | {"linkedid": None, "sequence": None} for row in by_sql] == by_file


def test_call_records_by_plain_python() -> None:
    with (SAMPLES / "Master.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))
    found = rows("cdr", file=SAMPLES / "Master.csv", outbound_prefix="9")
    for row, line in zip(found, lines, strict=True):
        times = [berlin(text) if text else None for text in line[9:12]]
        assert [row["started_at"], row["answered_at"], row["ended_at"]] == times
        assert (row["duration_seconds"], row["billsec_seconds"]) == (int(line[12]), int(line[13]))
        assert row["src_extension"] == (line[1] if len(line[1]) == 4 and line[1].isdigit() else None)
        outside = len(line[2]) > 6
        assert row["dst"] == (None if outside else line[2])
        # 90308042931 is 9 for a line and 030 8042931.
        assert row["dialed_key"] == (customer_key(SECRET, "+49" + line[2][2:]) if outside else None)
    assert Counter(row["survey_score"] for row in found) == {None: 690, 5: 50, 4: 31, 3: 18, 1: 11, 2: 10}
    assert sum(row["dialed_kind"] == "person" for row in found) == 50
    assert Counter(row["dst"] for row in found)["survey"] == 217


def test_freepbx_table_without_answer_and_end_and_with_zero_dates(
    mariadb: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (SAMPLES / "asteriskcdrdb.sql").read_text(encoding="utf-8")
    script += "ALTER TABLE cdr DROP COLUMN start, DROP COLUMN answer, DROP COLUMN end;"
    monkeypatch.setenv("PBX_URL", mariadb(script))
    found = rows("cdr", url_env="PBX_URL")
    recorded = rows("cdr", file=SAMPLES / "Master.csv")
    late: Counter[float] = Counter()
    for row, full in zip(found, recorded, strict=True):
        assert [row[name] for name in SYSTEM.entities["cdr"].content_fields] == [
            full[name] for name in SYSTEM.entities["cdr"].content_fields
        ]
        assert row["ended_at"] == full["started_at"] + timedelta(seconds=full["duration_seconds"])
        late[(full["ended_at"] - row["ended_at"]).total_seconds()] += 1
        billed = timedelta(seconds=full["billsec_seconds"])
        assert row["answered_at"] == (row["ended_at"] - billed if billed else None)
    # Start and end are cut to the second separately: a duration can be one second short of their difference.
    assert late == {0: 585, 1: 225}

    zero = "SET sql_mode=''; CREATE TABLE cdr (calldate DATETIME, answer DATETIME NOT NULL, end DATETIME NOT NULL,"
    zero += " src TEXT, dst TEXT, channel TEXT, dstchannel TEXT, duration INT, billsec INT, disposition TEXT,"
    zero += " uniqueid TEXT); INSERT INTO cdr VALUES ('2026-11-02 08:00:00', '0000-00-00 00:00:00',"
    zero += " '2026-11-02 08:00:09', '', 's', '', '', 9, 0, 'NO ANSWER', 'pbx-1795300085.0');"
    monkeypatch.setenv("PBX_URL", mariadb(zero))
    (row,) = rows("cdr", url_env="PBX_URL")
    assert (row["answered_at"], row["ended_at"]) == (None, berlin("2026-11-02 08:00:09"))


def test_csv_layouts_follow_the_options_of_the_exchange_even_within_a_file(tmp_path: Path) -> None:
    base = '"","1001","7001","q","""a, b"" <1001>","SIP/1001-00000001","","Queue","svc,,,60",'
    base += '"2026-11-02 08:00:00",,"2026-11-02 08:00:09",9,0,"NO ANSWER","DOCUMENTATION"'
    tails = ["", ',"u1"', ',"u1","csat=4"', ',"acc","l1",7', ',"u1","acc","l1",7', ',"u1","csat=4","acc","l1",7']
    broken = [base + ',"unclosed', base[:60], ""]
    (tmp_path / "Master.csv").write_text("".join(f"{line}\n" for line in [base + t for t in tails] + broken))
    (chunk,) = chunks("cdr", file=tmp_path / "Master.csv")
    found = chunk.rows.to_pylist()
    assert [row["uniqueid"] for row in found] == [None, "u1", "u1", None, "u1", "u1"]
    assert [row["survey_score"] for row in found] == [None, None, 4, None, None, 4]
    assert [row["sequence"] for row in found] == [None, None, None, 7, 7, 7]
    assert {row["linkedid"] for row in found[3:]} == {"l1"}
    assert [reject.locator for reject in chunk.rejects] == [f"Master.csv line {n}" for n in (7, 8, 9)]
    assert chunk.drift == {}
    custom = tmp_path / "custom"
    custom.mkdir()
    (custom / "Master.csv").write_text('"2026-11-02 08:00:00","1001","7001","s","d",9,4,"ANSWERED","u9"\n')
    columns = ["start", "src", "dst", "channel", "dstchannel", "duration", "billsec", "disposition", "uniqueid"]
    (row,) = rows("cdr", file=custom / "Master.csv", columns=columns)
    assert (row["uniqueid"], row["answered_at"]) == ("u9", berlin("2026-11-02 08:00:05"))


# --- cel --------------------------------------------------------------------------------------------------------


def test_channel_events_by_sqlite_and_by_freepbx_names(mariadb: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(f"file:{SAMPLES / 'cel.sqlite3'}?mode=ro", uri=True) as connection:
        recorded = connection.execute(
            "select AcctId, eventtype, eventtime, context, channame, uniqueid, linkedid, cidnum from cel order by 1"
        ).fetchall()
    found = rows("cel", url=f"sqlite:///{SAMPLES / 'cel.sqlite3'}")
    assert len(found) == 9450
    for row, (cel_id, event, wall, context, channel, uniqueid, linkedid, number) in zip(found, recorded, strict=True):
        assert (row["cel_id"], row["event_type"], row["event_at"]) == (cel_id, event, berlin(wall))
        assert (row["context"], row["uniqueid"], row["linkedid"]) == (context, uniqueid, linkedid)
        assert row["channel_name"] == re.sub(r"/\d{7,}@", "/@", channel)
        e164 = "+49" + number.removeprefix("0") if len(number) > 5 and number.isdigit() else None
        assert row["caller_key"] == (customer_key(SECRET, e164) if e164 else None)
    keyed = {row["extra"] for row in found if row["event_type"] == "DTMF"}
    assert all(extra.startswith('{"digit":"","duration_ms":') for extra in keyed)
    transfers = [row["extra"] for row in found if row["event_type"] == "BLINDTRANSFER"]
    assert len(transfers) == 13
    assert all(re.search(r'"extension":"(200\d|700\d)"', extra) for extra in transfers)

    names = "id INT AUTO_INCREMENT PRIMARY KEY, eventtype VARCHAR(30), eventtime DATETIME, cid_name TEXT, cid_num TEXT,"
    names += " exten TEXT, context TEXT, channame TEXT, appname TEXT, appdata TEXT, uniqueid TEXT, linkedid TEXT,"
    names += " peer TEXT, userdeftype TEXT, extra VARCHAR(512)"
    values = "(7, 'CHAN_START', '2026-11-02 08:00:00', 'A', '01609329334', '901609329334', 'outbound',"
    values += " 'PJSIP/1001-00000012', '', '', '1795300085.0', '1795300085.0', '', '', '{\"digit\":\"4')"
    monkeypatch.setenv("PBX_URL", mariadb(f"CREATE TABLE cel ({names}); INSERT INTO cel VALUES {values};"))
    (row,) = rows("cel", url_env="PBX_URL")
    assert (row["cel_id"], row["exten"], row["channel_name"]) == (7, None, "PJSIP/1001-00000012")
    assert row["caller_key"] == customer_key(SECRET, "+491609329334")
    assert "4" not in row["extra"]


# --- personal data ----------------------------------------------------------------------------------------------


def test_no_number_and_no_caller_name_of_the_recordings_is_stored(recorded: dict[str, str]) -> None:
    numbers = phone_numbers()
    assert len(numbers) > 200
    places = [("queue_log", recorded), ("cdr", recorded), ("queue_log", {"file": SAMPLES / "queue_log"})]
    places += [("cdr", {"file": SAMPLES / "Master.csv"}), ("cel", {"url": f"sqlite:///{SAMPLES / 'cel.sqlite3'}"})]
    for entity, place in places:
        tables = [chunk.rows for chunk in chunks(entity, **place)]
        columns = [column for table in tables for column in table.columns if pa.types.is_string(column.type)]
        # Keyed pseudonyms are hexadecimal and may hold any run of digits by chance.
        values = {value for column in columns for value in column.to_pylist() if value}
        text = "\n".join(value for value in values if not re.fullmatch("[0-9a-f]{32}", value))
        assert len(text) > 5_000
        assert not [number for number in numbers if number in text]
        assert not [name for name in ("陈先生", "ACME", "Müller", "J. Smith") if name in text]


def test_a_number_left_in_a_column_would_be_seen() -> None:
    """The search above finds what it looks for: numbers of all three recordings are among those it knows."""
    numbers = phone_numbers()
    assert {"01609329334", "0899632402", "90899632402"} <= numbers


# --- settings and failures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({}, "name one place"),
        ({"file": "a", "url_env": "B"}, "name one place"),
        ({"url": "mysql://root:hunter2@db/x"}, "environment variable"),
        ({"url": "hunter2"}, "environment variable"),
        ({"url_env": "mysql://root:hunter2@db/x"}, "url_env"),
        ({"url_env": "A", "table": "cdr; drop table cdr"}, "table"),
        ({"url_env": "A", "survey_pattern": "csat"}, "named group"),
    ],
)
def test_settings_refuse_what_they_cannot_use_and_repeat_no_password(place: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        Settings.model_validate({"cdr": place})
    assert "hunter2" not in str(refused.value)


def test_sources_that_are_not_there_say_what_to_do(
    tmp_path: Path, sqlite: Load, recorded_mariadb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match="queue_log: no such file; correct `file`"):
        rows("queue_log", file=tmp_path / "queue_log")
    with pytest.raises(SourceError, match=r"pbx: add `cel` to its settings"):
        list(read(Settings(), SYSTEM.entities["cel"], None, CONTEXT))
    with pytest.raises(SourceError, match="environment variable PBX_NOWHERE is not set"):
        rows("cel", url_env="PBX_NOWHERE")
    with pytest.raises(SourceError, match=r"missing\.sqlite3: no such SQLite file"):
        rows("cel", url=f"sqlite:///{tmp_path}/missing.sqlite3")
    assert not (tmp_path / "missing.sqlite3").exists()
    with pytest.raises(SourceError, match="no such table; correct `table`"):
        rows("cel", url=sqlite("create table x (y)"))
    with pytest.raises(SourceError, match="no column for event_at, queue_name among callid, agent, event"):
        rows("queue_log", url=sqlite("create table queue_log (callid, agent, event)"))
    address = sa.make_url(recorded_mariadb)
    monkeypatch.setenv("PBX_URL", address.set(password="hunter2").render_as_string(hide_password=False))
    with pytest.raises(SourceError, match=r"Access denied .* check the address") as refused:
        rows("cdr", url_env="PBX_URL")
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("PBX_URL", "hunter2 no url")
    with pytest.raises(SourceError, match="environment variable PBX_URL holds no database URL") as malformed:
        rows("cdr", url_env="PBX_URL")
    assert "hunter2" not in str(malformed.value)


def test_zero_start_is_rejected_with_what_was_expected(sqlite: Load) -> None:
    url = sqlite(
        "create table cdr (calldate, src, dst, channel, dstchannel, duration, billsec, disposition, uniqueid);"
        "insert into cdr values ('0000-00-00 00:00:00', '', 's', '', '', 0, 0, 'FAILED', '1795300085.0');"
        "insert into cdr values ('2026-11-02 08:00:00', '', 's', '', '', -1, 0, 'FAILED', '1795300085.1');"
    )
    found = rejects("cdr", url=url)
    assert [(reject.locator, reject.field) for reject in found] == [
        ("cdr row 1", "started_at"),
        ("cdr row 2", "duration_seconds"),
    ]


def test_reading_does_not_loop_over_lines(tmp_path: Path) -> None:
    text = (SAMPLES / "queue_log").read_bytes()
    (tmp_path / "queue_log").write_bytes(text * 60)
    started = time.perf_counter()
    read_rows = sum(chunk.rows.num_rows for chunk in chunks("queue_log", file=tmp_path / "queue_log"))
    seconds = time.perf_counter() - started
    assert read_rows == 1694 * 60
    # 100,000 lines take about 0.4 s; ten times as long would mean a loop over lines crept in.
    assert seconds < 4

"""The sheets of an operation: taken by the tabular connector without a fault, and true to the world."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import mean, pstdev
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from connectors.contract import Context, FieldType
from connectors.tabular import SYSTEM, Settings, read
from connectors.tabular.headings import HEADINGS
from kefu.simulation.company import found
from kefu.simulation.configuration import SOURCES
from kefu.simulation.faults import DECLARED, plan_faults, plant, skills
from kefu.simulation.generate import generate
from kefu.simulation.papers import paper_schema, write_papers
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.simulation.writers.tabular import write_malformed_sheets, write_sheets
from kefu.simulation.writers.voice import call_uniqueids

ONLY_FORMS = ("tick_box", "central_tendency", "reciprocal_peer", "silent_source")
SCENARIO = Scenario(
    seed=4,
    agents=60,
    contacts_per_agent_day=12,
    strengths={name: "high" if name in ONLY_FORMS else "zero" for name in DECLARED.faults},
)
CONTEXT = Context("sim_sheets", SCENARIO.time_zone, "CN", b"a secret of the tests, 32 bytes..")
Row = dict[str, Any]


@functools.cache
def operation() -> World:
    faults = plan_faults(SCENARIO, found(SCENARIO).tables)
    world = plant(generate(SCENARIO, skills(faults)), faults)
    world.papers = write_papers(world, SCENARIO, SCENARIO.seed)
    return world


def paper(entity: str) -> list[Row]:
    return operation().papers[entity].to_pylist()


def rows(table: str) -> list[Row]:
    return operation().tables[table].to_pylist()


def subjects(fault: str) -> list[str]:
    return [row["subject"] for row in operation().planted.to_pylist() if row["fault"] == fault]


def load(folder: Path) -> dict[str, list[Row]]:
    """What the connector delivers; fails on any reject, drift or heading that it does not know."""
    entities = sorted(operation().papers)
    settings = Settings(folder=folder, entities={entity: {"files": f"{entity}*"} for entity in entities})
    found_rows = {}
    for entity in entities:
        chunks = list(read(settings, SYSTEM.entities[entity], None, CONTEXT))
        assert [(chunk.rejects, chunk.drift, chunk.filtered) for chunk in chunks] == [([], {}, {})] * len(chunks)
        found_rows[entity] = [row for chunk in chunks for row in chunk.rows.to_pylist()]
    return found_rows


def test_every_entity_but_one_has_a_paper_with_its_fields() -> None:
    # The roster is published: nobody needs the schedule of shifts.
    assert set(SYSTEM.entities) - set(operation().papers) == {"shift_schedule"}
    for entity, table in operation().papers.items():
        assert table.schema == paper_schema(entity)
        assert table.num_rows > 0, entity


@pytest.mark.parametrize(("kind", "time_zone"), [("csv", None), ("csv", "Asia/Shanghai"), ("xlsx", "Asia/Shanghai")])
def test_the_connector_takes_every_sheet_without_a_fault(kind: Any, time_zone: str | None, tmp_path: Path) -> None:
    world = operation()
    if kind == "xlsx":  # workbooks are slow: the first rows of each paper are enough
        world = World(world.tables, {name: table.slice(0, 40) for name, table in world.papers.items()})
    files = write_sheets(world, tmp_path, kind, time_zone)
    assert len(files) == len(list(tmp_path.iterdir())) and all(file.suffix == f".{kind}" for file in files)
    delivered = load(tmp_path)
    for entity, table in world.papers.items():
        declared = SYSTEM.entities[entity]
        plain = [name for name, field in declared.fields.items() if field.personal is None]

        def key(row: Row, names: tuple[str, ...] = declared.key) -> tuple[str, ...]:  # type: ignore[assignment]
            return tuple(str(row[name]) for name in names)

        expected = sorted(table.to_pylist(), key=key)
        for row, record in zip(sorted(delivered[entity], key=key), expected, strict=True):
            for name in plain:
                value = record[name]
                if declared.fields[name].type is FieldType.NUMBER and value is not None:
                    value = Decimal(str(value))
                assert row[name] == value, (entity, name)


def test_an_hour_that_the_clock_repeats_is_told_apart_by_its_offset(tmp_path: Path) -> None:
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in range(4)]
    samples = [{"source_id": "s", "queue_account": "q", "sampled_at": moment} for moment in moments]
    table = pa.Table.from_pylist(samples, schema=paper_schema("live_sample"))
    for kind in ("csv", "xlsx"):
        write_sheets(World({}, {"live_sample": table}), tmp_path / kind, kind, "Europe/Berlin")  # type: ignore[arg-type]
        settings = Settings(folder=tmp_path / kind, entities={"live_sample": {"files": "live_sample*"}})
        berlin = Context("s", "Europe/Berlin", "DE", b"a secret of the tests, 32 bytes..")
        (chunk,) = read(settings, SYSTEM.entities["live_sample"], None, berlin)
        assert chunk.rows["sampled_at"].to_pylist() == moments
        assert chunk.rows["_time_is_ambiguous"].to_pylist() == [False] * 4


def test_the_same_world_gives_the_same_bytes_and_months_have_their_files(tmp_path: Path) -> None:
    again = write_papers(operation(), SCENARIO, SCENARIO.seed)
    assert all(again[entity].equals(table) for entity, table in operation().papers.items())
    first, second = write_sheets(operation(), tmp_path / "a"), write_sheets(operation(), tmp_path / "b")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    names = {path.name for path in first}
    assert {"identity.csv", "exam-2026-10.csv", "order-2026-10.csv", "daily_form-2026-10.csv"} <= names
    head = (tmp_path / "a" / "exam-2026-10.csv").read_text(encoding="utf-8-sig").splitlines()[0]
    assert head == ",".join(heading.label for heading in HEADINGS["exam"].fields.values())


def test_every_wrong_row_is_refused_for_its_field(tmp_path: Path) -> None:
    planted = write_malformed_sheets(operation(), tmp_path).to_pylist()
    assert len({row["table"] for row in planted}) == len([table for table in operation().papers.values() if table])
    assert len(planted) > 200
    settings = Settings(
        folder=tmp_path,
        entities={entity: {"files": f"{entity}*"} for entity in operation().papers},  # type: ignore[arg-type]
    )
    refused = {
        (reject.locator, reject.field)
        for entity in operation().papers
        for chunk in read(settings, SYSTEM.entities[entity], None, CONTEXT)
        for reject in chunk.rejects
    }
    assert refused == {(row["subject"], row["note"]) for row in planted}


def test_patterns_of_files_never_meet() -> None:
    entities = sorted(SYSTEM.entities)
    assert not [(one, other) for one in entities for other in entities if one != other and other.startswith(one)]


# --- sheets that say again what the world holds


def test_people_their_teams_and_accounts() -> None:
    agents = {row["agent_key"]: row for row in rows("agent")}
    for row in paper("employee"):
        key = row["employee_number"]
        assert (row["email"], row["phone"]) == (staff_email(key), staff_phone(key))
        assert row["is_active"] == (agents[key]["exit_date"] is None or agents[key]["exit_date"] >= SCENARIO.end)
    accounts = {(row["source_id"], row["account"]): row["employee_number"] for row in paper("identity")}
    expected = {
        (SOURCES[channel], str(agent[column])): key
        for key, agent in agents.items()
        for channel, column in (("voice", "member_name"), ("chat", "chat_user_id"), ("desk", "desk_user_id"))
        if agent[column] is not None
    }
    assert accounts == expected
    assert len(paper("team_assignment")) == len(rows("membership"))


def test_rosters_are_wall_clock_and_nights_end_on_the_next_day() -> None:
    zone = ZoneInfo(SCENARIO.time_zone)
    shifts = {(row["agent_key"], row["shift_date"]): row for row in rows("shift")}
    nights = 0
    for row in paper("roster"):
        shift = shifts[row["employee_number"], row["shift_date"]]
        if row["is_rest_day"]:
            assert row["start_time"] is row["end_time"] is None
            continue
        assert row["start_time"] == f"{shift['start_at'].astimezone(zone):%H:%M:%S}"
        ends = shift["end_at"].astimezone(zone)
        nights += row["end_time"] <= row["start_time"]
        assert (row["end_time"] <= row["start_time"]) == (ends.date() > row["shift_date"])
    assert nights > 10


def test_reviews_name_contacts_as_the_systems_do() -> None:
    named = call_uniqueids(operation().tables["call"].combine_chunks())
    of_call = dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))
    for row, review in zip(paper("qa_review"), rows("qa_review"), strict=True):
        assert row["contact_source_id"] == SOURCES[review["channel"]]
        number = review["contact_id"]
        assert row["contact_id"] == (of_call[number] if review["channel"] == "voice" else str(number))
    marks = defaultdict(list)
    for row in paper("qa_item"):
        marks[row["review_id"]].append(row["mark"])
    for row in paper("qa_review"):
        given = [mark for mark in marks[row["review_id"]] if mark is not None]
        assert 10 * mean(given) == pytest.approx(row["score"], abs=0.006)


def test_dials_are_the_outbound_calls_and_leads_are_what_they_were_for() -> None:
    calls = [row for row in rows("call") if row["direction"] == "outbound"]
    dials, leads = paper("dial"), {row["lead_id"]: row for row in paper("lead")}
    assert len(dials) == len(calls)
    for dial, call in zip(dials, calls, strict=True):
        assert (dial["result"] == "answered") == (call["answered_at"] is not None)
        assert dial["ring_seconds"] + dial["talk_seconds"] == (call["ended_at"] - call["entered_at"]).total_seconds()
        lead = leads[dial["lead_id"]]
        assert (lead["employee_number"], lead["customer_phone"]) == (call["agent_key"], dial["customer_phone"])
    dialled = {dial["lead_id"] for dial in dials}
    assert 0.85 < len(dialled) / len(leads) < 0.97
    assert all(leads[number]["status"] == "open" for number in set(leads) - dialled)


# --- tickets, forms and what is planted in them


def returned() -> dict[tuple[str, str], bool]:
    """By contact as a sheet names it: whether the customer came back on the issue within seven days."""
    named = call_uniqueids(operation().tables["call"].combine_chunks())
    of_call = dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))
    begun = defaultdict(list)
    ended: list[tuple[tuple[str, str], int, Any]] = []
    for call in rows("call"):
        begun[call["issue_id"]].append(call["entered_at"])
        if call["direction"] == "inbound" and call["answered_at"] and call["ended_by"] != "transfer":
            ended.append(((SOURCES["voice"], of_call[call["call_id"]]), call["issue_id"], call["ended_at"]))
    for chat in rows("chat"):
        begun[chat["issue_id"]].append(chat["started_at"])
        if chat["closed_at"]:
            ended.append(((SOURCES[chat["channel"]], str(chat["chat_id"])), chat["issue_id"], chat["closed_at"]))
    week = timedelta(days=7)
    return {contact: any(end < moment <= end + week for moment in begun[issue]) for contact, issue, end in ended}


def test_tick_boxes_code_solved_fifty_points_more_often_when_the_customer_comes_back() -> None:
    came_back = returned()
    solved: dict[str, list[bool]] = defaultdict(list)
    for ticket in paper("ticket"):
        if ticket["close_code"] and came_back[ticket["contact_source_id"], ticket["contact_id"]]:
            solved[ticket["employee_number"]].append(ticket["close_code"] == "solved")
    tickers = subjects("tick_box")
    cohort = [code for agent, codes in solved.items() if agent not in tickers for code in codes]
    planted = [code for agent in tickers for code in solved[agent]]
    assert len(tickers) == 4 and len(cohort) > 200
    assert mean(cohort) == pytest.approx(0.15, abs=0.06)
    assert mean(planted) - mean(cohort) == pytest.approx(0.5, abs=0.15)


def test_tickets_are_audited_once_and_by_reviewers() -> None:
    tickets = {row["ticket_id"]: row for row in paper("ticket")}
    reviewers = {row["agent_key"] for row in rows("agent") if row["role"] == "qa"}
    audits = paper("work_order_audit")
    assert max(Counter(audit["ticket_id"] for audit in audits).values()) == 1
    for audit in audits:
        ticket = tickets[audit["ticket_id"]]
        assert audit["employee_number"] == ticket["employee_number"] and audit["auditor_number"] in reviewers
        assert audit["audited_at"] > ticket["opened_at"]
        assert (audit["is_dispatch_correct"] is None) == (ticket["dispatched_to"] is None)


def test_narrow_leads_and_reciprocal_peers_show_in_the_forms() -> None:
    (lead,) = subjects("central_tendency")
    forms = paper("daily_form")
    by_lead = defaultdict(list)
    for form in forms:
        if form["form_kind"] != "peer_rating":
            by_lead[form["rater_number"]] += [form["teamwork_score"], form["initiative_score"]]
        assert (form["attendance_score"] is None) == (form["form_kind"] != "daily_appraisal")
        assert form["approver_number"] != form["rater_number"]
    others = mean(pstdev(marks) for rater, marks in by_lead.items() if rater != lead)
    assert pstdev(by_lead[lead]) < 0.25 * others
    peers = subjects("reciprocal_peer")
    pairs = set(zip(peers[::2], peers[1::2], strict=True)) | set(zip(peers[1::2], peers[::2], strict=True))
    marks: dict[bool, list[float]] = defaultdict(list)
    for form in forms:
        if form["form_kind"] == "peer_rating":
            marks[(form["rater_number"], form["employee_number"]) in pairs].append(form["teamwork_score"])
    assert len(marks[True]) == len(pairs) == 4
    assert mean(marks[True]) - mean(marks[False]) > 4


# --- the rest


def test_nothing_is_before_its_cause() -> None:
    assert all(order["paid_at"] > order["ordered_at"] for order in paper("order"))
    refunds = [order for order in paper("order") if order["refunded_at"]]
    assert refunds and all(order["refunded_at"] > order["paid_at"] for order in refunds)
    assert all(order["refunded_amount"] == (order["amount"] if order["refunded_at"] else 0) for order in paper("order"))
    for complaint in paper("complaint"):
        assert (complaint["verified_on"] is None) == (complaint["status"] == "open")
    for course in paper("training"):
        assert course["completed_on"] is None or course["assigned_on"] < course["completed_on"] <= course["due_on"]
    assert all(row["coached_on"] < row["follow_up_on"] for row in paper("coaching"))


def test_live_samples_count_who_waits_at_that_moment() -> None:
    samples = {(row["queue_account"], row["source_id"], row["sampled_at"]): row for row in paper("live_sample")}
    queues = {row["queue_id"]: row for row in rows("queue")}
    waits = [
        (call["queue_id"], call["entered_at"], call["answered_at"] or call["ended_at"])
        for call in rows("call")
        if call["queue_id"]
    ]
    checked = 0
    for (account, source, moment), sample in samples.items():
        if source == SOURCES["voice"] and sample["contacts_waiting"]:
            waiting = [
                begin for queue, begin, end in waits if queues[queue]["account"] == account and begin <= moment < end
            ]
            assert len(waiting) == sample["contacts_waiting"]
            assert sample["longest_wait_seconds"] == int((moment - min(waiting)).total_seconds())
            checked += 1
        assert sample["agents_available"] <= sample["agents_online"]
    assert checked > 5


def test_a_failed_source_is_exempt_and_costs_are_of_teams() -> None:
    (failure,) = (row for row in operation().planted.to_pylist() if row["fault"] == "silent_source")
    (exemption,) = paper("exemption")
    zone = ZoneInfo(SCENARIO.time_zone)
    assert exemption["starts_on"] == failure["starts_at"].astimezone(zone).date() <= exemption["ends_on"]
    costs = operation().papers["cost"]
    assert set(costs["month"].to_pylist()) == {date(2026, 10, 1)}
    assert set(costs["team_key"].to_pylist()) == {row["team_id"] for row in rows("team")}
    staff = costs.filter(pc.equal(costs["cost_kind"], "staff"))
    assert pc.sum(staff["amount"]).as_py() > pc.sum(costs["amount"]).as_py() / 2


def test_no_paper_has_a_value_of_a_person_in_the_wrong_column() -> None:
    secrets = {staff_phone(row["agent_key"]) for row in rows("agent")} | set(
        operation().tables["customer"]["phone"].to_pylist()
    )
    for entity, table in operation().papers.items():
        for name, field in SYSTEM.entities[entity].fields.items():
            if field.personal is None and pa.types.is_string(table.schema.field(name).type):
                assert not secrets & set(table[name].to_pylist()), (entity, name)

"""The sheets of an operation: taken by the tabular connector without a fault, and true to the world."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatch
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
from kefu.simulation.configuration import SOURCES, write_configuration
from kefu.simulation.faults import DECLARED, plan_faults, plant, skills
from kefu.simulation.generate import generate
from kefu.simulation.papers import paper_schema, write_papers
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_email, staff_phone
from kefu.simulation.world import World
from kefu.simulation.writers.tabular import write_malformed_sheets, write_sheets
from kefu.simulation.writers.voice import call_uniqueids
from kefu.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
ONLY_FORMS = (
    "tick_box", "central_tendency", "reciprocal_peer", "silent_source", "split_ticket", "own_registration",
    "contradicted_rating",
)  # fmt: skip
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
    settings = Settings(folder=folder, entities={entity: {"files": f"{entity}[-.]*"} for entity in entities})
    found_rows = {}
    for entity in entities:
        chunks = list(read(settings, SYSTEM.entities[entity], None, CONTEXT))
        assert [(chunk.rejects, chunk.drift, chunk.filtered) for chunk in chunks] == [([], {}, {})] * len(chunks)
        found_rows[entity] = [row for chunk in chunks for row in chunk.rows.to_pylist()]
    return found_rows


def test_every_entity_but_two_has_a_paper_with_its_fields() -> None:
    # The roster is published: nobody needs the schedule of shifts. Nothing is published yet that could be disputed.
    assert set(SYSTEM.entities) - set(operation().papers) == {"shift_schedule", "dispute"}
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
        entities={entity: {"files": f"{entity}[-.]*"} for entity in operation().papers},  # type: ignore[arg-type]
    )
    refused = {
        (reject.locator, reject.field)
        for entity in operation().papers
        for chunk in read(settings, SYSTEM.entities[entity], None, CONTEXT)
        for reject in chunk.rejects
    }
    assert refused == {(row["subject"], row["note"]) for row in planted}


def configure(folder: Path) -> None:
    databases = dict.fromkeys(("asterisk", "live_helper_chat"))
    write_configuration(operation(), SCENARIO, folder, ROOT / "config", folder / "config", databases, is_alone=True)


def test_every_file_is_of_one_entity_by_the_patterns_of_its_source(tmp_path: Path) -> None:
    configure(tmp_path)
    (source,) = (row for row in read_yaml(tmp_path / "config" / "sources.yml") if row["system"] == "tabular")
    patterns = {entity: declared["files"] for entity, declared in source["settings"]["entities"].items()}
    assert set(patterns) == set(source["entities"]) == set(operation().papers)
    for entity in patterns:
        for name in (f"{entity}.csv", f"{entity}-2026-10.csv", f"{entity}-malformed.csv"):
            assert [one for one, pattern in patterns.items() if fnmatch(name, pattern)] == [entity]


def test_what_the_sheets_name_is_declared_in_the_written_configuration(tmp_path: Path) -> None:
    configure(tmp_path)
    declared = {
        name: read_yaml(tmp_path / "config" / f"{name}.yml")
        for name in ("issue_classes", "qa_items", "sla", "instruments")
    }
    classes = {row["issue_class"]: row["is_presale"] for row in declared["issue_classes"]}
    used = set(operation().papers["ticket"]["issue_class"].to_pylist())
    used |= {row["value"] for row in paper("contact_label") if row["label"] == "issue_class"}
    assert len(used) == 8 and used <= set(classes)
    assert {name for name in used if classes[name]} == {"promotion"}
    items = {label: row for row in declared["qa_items"] for label in row["labels"]}
    assert {row["item"] for row in paper("qa_item")} <= set(items)
    assert {row["group"] for row in items.values()} == {"etiquette", "solution_depth", "professionalism"}
    priorities = {row["priority"] for row in paper("ticket_event")} - {None}
    assert priorities == {row["priority"] for row in declared["sla"]} and len(priorities) == 4
    asked = {row["account"]: row for row in declared["instruments"] if row["source_id"] == "sim_sheets"}
    for answer in paper("survey_response"):
        scale = asked[answer["instrument"]]
        assert scale["kind"] == answer["instrument"]
        assert scale["scale_minimum"] <= answer["value"] <= scale["scale_maximum"]


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


# --- the life of tickets


def histories() -> dict[str, list[Row]]:
    found_rows: dict[str, list[Row]] = defaultdict(list)
    for event in paper("ticket_event"):
        found_rows[event["ticket_id"]].append(event)
    return found_rows


def test_every_ticket_has_a_life_that_ends_as_its_row_says() -> None:
    tickets, lives = {row["ticket_id"]: row for row in paper("ticket")}, histories()
    assert set(lives) == set(tickets)
    for number, events in lives.items():
        ticket, kinds = tickets[number], [event["event_kind"] for event in events]
        assert [event["event_number"] for event in events] == list(range(1, len(events) + 1))
        moments = [event["event_at"] for event in events]
        assert moments == sorted(moments) and moments[0] == ticket["opened_at"]
        assert kinds[0] == "created" and events[0]["employee_number"] == ticket["employee_number"]
        assert events[0]["priority"] and events[0]["team_key"]
        assert kinds.count("created") == 1 and kinds.count("assigned") == 1
        assert kinds.count("closed") == (ticket["closed_at"] is not None)
        if ticket["closed_at"]:
            assert (kinds[-1], moments[-1]) == ("closed", ticket["closed_at"])
            assert ("solved" in kinds) == (ticket["close_code"] == "solved")
            assert "public_reply" in kinds
        moved = [event["team_key"] for event in events if event["event_kind"] == "moved"]
        assert moved[:1] == ([ticket["dispatched_to"]] if ticket["dispatched_to"] else [])
        assert len(moved) == (0 if ticket["dispatched_to"] is None else 1 + ticket["redispatch_count"])
        assert all((event["is_thanks"] is not None) == (event["event_kind"] == "reopened") for event in events)


def test_tickets_are_solved_reopened_and_thanked_for_in_turn() -> None:
    steps = {
        "solved": {"open"}, "reopened": {"solved"}, "closed": {"open", "pending", "on_hold", "solved", "thanked"},
        "thanks": {"solved"}, "pending": {"open"}, "on_hold": {"open"}, "open": {"pending", "on_hold"},
    }  # fmt: skip
    leads_to = {"reopened": "open", "thanks": "thanked"}
    seen: Counter[str] = Counter()
    for events in histories().values():
        state = "open"
        for event in events:
            kind = "thanks" if event["is_thanks"] else event["event_kind"]
            if kind in steps:
                assert state in steps[kind], (event["ticket_id"], state, kind)
                state = leads_to.get(kind, kind)
                seen[kind] += 1
    assert min(seen.values()) > 50 and set(seen) == set(steps)
    late = 0
    for events in histories().values():
        solved = [event["event_at"] for event in events if event["event_kind"] == "solved"]
        again = [event["event_at"] for event in events if event["event_kind"] == "reopened" and not event["is_thanks"]]
        late += any(after - before > timedelta(days=7) for before, after in zip(solved, again, strict=False))
    assert late > 5


def test_people_work_on_tickets_in_their_shifts_only() -> None:
    shifts: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in rows("shift"):
        if not row["is_rest_day"]:
            shifts[row["agent_key"]].append((row["start_at"], row["end_at"]))

    def is_at_work(event: Row) -> bool:
        return any(start <= event["event_at"] <= end for start, end in shifts[event["employee_number"]])

    # A customer who reopens a chat at night and gives up leaves a ticket of that moment to the last owner.
    lives = [events for events in histories().values() if is_at_work(events[0])]
    assert len(lives) > 0.99 * len(histories())
    assert all(is_at_work(event) for events in lives for event in events if event["employee_number"])


# --- what is noted about contacts


def test_notes_help_and_call_backs_are_about_contacts_that_exist() -> None:
    named = call_uniqueids(operation().tables["call"].combine_chunks())
    known = {(SOURCES["voice"], number) for number in named["uniqueid"].to_pylist()}
    known |= {(SOURCES[row["channel"]], str(row["chat_id"])) for row in rows("chat")}
    for entity in ("assist", "callback_task", "contact_label"):
        found_rows = paper(entity)
        assert len(found_rows) > 100
        assert {(row["contact_source_id"], row["contact_id"]) for row in found_rows} <= known
    served: dict[tuple[str, str], set[str]] = defaultdict(set)
    of_call = dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))
    for call in rows("call"):
        served[SOURCES["voice"], of_call[call["call_id"]]].add(call["agent_key"])
    channels = {row["chat_id"]: row["channel"] for row in rows("chat")}
    for part in rows("chat_segment"):
        served[SOURCES[channels[part["chat_id"]]], str(part["chat_id"])].add(part["agent_key"])
    for row in paper("assist") + paper("callback_task"):
        assert row["employee_number"] in served[row["contact_source_id"], row["contact_id"]]


def test_labels_have_one_value_of_their_kind() -> None:
    labels: dict[str, Counter[str | None]] = defaultdict(Counter)
    by_contact: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in paper("contact_label"):
        labels[row["label"]][row["value"]] += 1
        assert row["label"] not in by_contact[row["contact_source_id"], row["contact_id"]]
        by_contact[row["contact_source_id"], row["contact_id"]].add(row["label"])
    # Nobody of this world caps how often a customer is asked.
    assert set(labels) | {"survey_blocked"} == set(SYSTEM.entities["contact_label"].fields["label"].allowed)
    for label, values in labels.items():
        if label.startswith("sentiment"):
            assert set(values) == {"-1", "0", "1"}
        elif label != "issue_class":
            assert set(values) == {None}
    saved = [contact for contact, found_labels in by_contact.items() if "cancellation_saved" in found_labels]
    assert saved and all("cancellation_request" in by_contact[contact] for contact in saved)
    first = [contact for contact, found_labels in by_contact.items() if "sentiment_first" in found_labels]
    assert first and all("sentiment_last" in by_contact[contact] for contact in first)


def test_answers_hang_on_contacts_or_on_nobody() -> None:
    kinds = Counter(row["instrument"] for row in paper("survey_response"))
    assert kinds["nps"] > 50 and kinds["ces"] > 100
    for row in paper("survey_response"):
        assert (row["contact_id"] is not None) == (row["instrument"] == "ces")
    unnamed = [row for row in paper("survey_response") if row["employee_number"] is None]
    assert unnamed and {row["instrument"] for row in unnamed} == {"nps"}


def test_some_register_twice_and_some_devices_serve_two() -> None:
    registered = paper("registration")
    assert {row["is_verified"] for row in registered} == {True, False}
    for field in ("customer_phone", "device_id"):
        counts = Counter(row[field] for row in registered)
        assert counts.pop(None) > 0 and max(counts.values()) > 1
    assert not {row["customer_phone"] for row in registered} & {row["phone"] for row in rows("customer")}


def test_blocks_are_counted_once_a_day_for_people_who_write() -> None:
    writers = {row["agent_key"] for row in rows("agent") if row["role"] in ("im", "mixed")}
    blocks = paper("contact_block_day")
    assert {row["employee_number"] for row in blocks} <= writers
    assert len({(row["employee_number"], row["block_date"]) for row in blocks}) == len(blocks) > 20
    assert sum(row["blocks"] for row in blocks) > 0 < sum(row["rejections"] for row in blocks)


# --- tickets, forms and what is planted in them


def returned(matter: Mapping[int, Hashable]) -> dict[tuple[str, str], bool]:
    """By contact as a sheet names it: whether the customer came back on the matter of its issue within 7 days."""
    named = call_uniqueids(operation().tables["call"].combine_chunks())
    of_call = dict(zip(named["call_id"].to_pylist(), named["uniqueid"].to_pylist(), strict=True))
    begun = defaultdict(list)
    ended: list[tuple[tuple[str, str], int, Any]] = []
    for call in rows("call"):
        begun[matter.get(call["issue_id"])].append(call["entered_at"])
        if call["direction"] == "inbound" and call["answered_at"] and call["ended_by"] != "transfer":
            ended.append(((SOURCES["voice"], of_call[call["call_id"]]), call["issue_id"], call["ended_at"]))
    for chat in rows("chat"):
        begun[matter.get(chat["issue_id"])].append(chat["started_at"])
        if chat["closed_at"]:
            ended.append(((SOURCES[chat["channel"]], str(chat["chat_id"])), chat["issue_id"], chat["closed_at"]))
    week = timedelta(days=7)
    return {
        contact: any(end < moment <= end + week for moment in begun[matter[issue]]) for contact, issue, end in ended
    }


def coded_solved(matter: Mapping[int, Hashable]) -> tuple[list[bool], list[bool]]:
    """Whether tickets of contacts with a return are coded solved: of honest people, and of those who tick boxes."""
    came_back, tickers = returned(matter), subjects("tick_box")
    assert len(tickers) == 4
    codes: dict[bool, list[bool]] = {False: [], True: []}
    for ticket in paper("ticket"):
        # Who splits tickets writes some about no contact.
        if (
            ticket["close_code"]
            and ticket["contact_id"]
            and came_back[ticket["contact_source_id"], ticket["contact_id"]]
        ):
            codes[ticket["employee_number"] in tickers].append(ticket["close_code"] == "solved")
    assert len(codes[False]) > 200
    return codes[False], codes[True]


def test_tick_boxes_code_solved_sixty_points_more_often_when_the_customer_comes_back() -> None:
    honest, _ = coded_solved({row["issue_id"]: row["issue_id"] for row in rows("issue")})
    assert mean(honest) == pytest.approx(0.15, abs=0.06)
    # Records know the customer and the class only: of such returns some are about a new matter.
    seen = {row["issue_id"]: (row["customer_id"], row["issue_class"]) for row in rows("issue")}
    honest, ticked = coded_solved(seen)
    assert mean(ticked) - mean(honest) == pytest.approx(0.6, abs=0.1)


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


def test_tickets_are_entered_once_more_within_the_hour() -> None:
    tickets = {ticket["ticket_id"]: ticket for ticket in paper("ticket")}
    again = {name: ticket for name, ticket in tickets.items() if name.endswith("S")}
    assert {ticket["employee_number"] for ticket in again.values()} == set(subjects("split_ticket"))
    for name, ticket in again.items():
        first = tickets[name.removesuffix("S")]
        same = ("employee_number", "customer_phone", "issue_class")
        assert [ticket[field] for field in same] == [first[field] for field in same]
        assert timedelta() < ticket["opened_at"] - first["opened_at"] < timedelta(hours=1)
        assert ticket["contact_id"] is None
    for agent in subjects("split_ticket"):
        own = [name for name, ticket in tickets.items() if ticket["employee_number"] == agent]
        split = len([name for name in own if name in again])
        assert split / (len(own) - split) == pytest.approx(DECLARED.faults["split_ticket"].strengths["high"], abs=0.02)


def test_colleagues_are_registered_as_new_users() -> None:
    phones = {staff_phone(agent["agent_key"]) for agent in rows("agent")}
    own = Counter(row["employee_number"] for row in paper("registration") if row["customer_phone"] in phones)
    assert own == dict.fromkeys(subjects("own_registration"), DECLARED.faults["own_registration"].strengths["high"])


def test_customers_complain_about_what_they_rated_best() -> None:
    planted = [row for row in operation().planted.to_pylist() if row["fault"] == "contradicted_rating"]
    surveys = {row["survey_id"]: row for row in rows("survey")}
    upheld = {
        (complaint["contact_source_id"], complaint["contact_id"]): complaint["employee_number"]
        for complaint in paper("complaint")
        if complaint["status"] == "upheld" and complaint["employee_number"]
    }
    names = {
        row["call_id"]: row["uniqueid"]
        for row in call_uniqueids(operation().tables["call"].combine_chunks()).to_pylist()
    }
    assert len(planted) == 4
    for row in planted:
        for number in row["row_ids"]:
            survey = surveys[number]
            key = names[survey["contact_id"]] if survey["channel"] == "voice" else str(survey["contact_id"])
            assert survey["value"] == 5 and upheld[SOURCES[survey["channel"]], key] == row["subject"]


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
    exemptions = paper("exemption")
    assert sorted(row["scope_key"] for row in exemptions) == sorted(row["team_id"] for row in rows("team"))
    zone = ZoneInfo(SCENARIO.time_zone)
    for row in exemptions:
        assert row["starts_on"] == failure["starts_at"].astimezone(zone).date() <= row["ends_on"]
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

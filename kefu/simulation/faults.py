"""Faults with a known truth: `plan_faults` before the world exists, `skills` for its generator, `plant` afterwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.draft import Draft
from kefu.simulation.fault_plan import DECLARED, SKILLS, Assignment, Faults, plan_faults, skills
from kefu.simulation.planters import PLANTERS, Bed, Planting
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import PLANTED, World

__all__ = [
    "DECLARED", "SKILLS", "Assignment", "Faults", "delivered", "first_told", "plan_faults", "plant", "skills",
]  # fmt: skip

# The rows of a channel's source system: table and the instant that says whether it was silent or late.
_VOICE = {"call": "entered_at", "ring_no_answer": "started_at", "agent_state": "started_at"}
_CHAT_PARTS = ("chat_segment", "message")


def plant(world: World, faults: Faults) -> World:
    """Returns the world with every fault of the plan, and one row of `planted` for each subject.

    Faults of true performance are in the world already (`skills`), those of forms and work orders come with the papers
    and those of delivery with `delivered`: they are only written down. A subject with too few rows passes its fault on
    to a spare one. Without assignments the tables come back as they are.
    """
    draft = Draft(world.tables)
    rows: list[dict[str, Any]] = []
    for fault in [*PLANTERS, *(name for name in DECLARED.faults if name not in PLANTERS)]:
        assignments = faults.of(fault)
        wanted = sum(not assignment.is_spare for assignment in assignments)
        for assignment in assignments:
            if not wanted:
                break
            planting: Planting | None = Planting("", [], DECLARED.faults[fault].about)
            if fault in PLANTERS:
                rng = stream(faults.scenario.seed, f"plant {fault} {assignment.subject}")
                planting = PLANTERS[fault](Bed(draft, faults.scenario, assignment, rng))
            if planting:
                wanted -= 1
                rows.append(_planted(faults.scenario, assignment, planting))
    return World(draft.tables(), world.papers, pa.Table.from_pylist(rows, schema=PLANTED))


def _planted(scenario: Scenario, assignment: Assignment, planting: Planting) -> dict[str, Any]:
    starts, ends = (
        datetime.fromtimestamp(scenario.second(day), UTC) for day in (assignment.starts_on, assignment.ends_on)
    )
    if assignment.fault == "silent_source":
        ends = starts + timedelta(hours=assignment.strength)
    return {
        "fault": assignment.fault,
        "subject_kind": DECLARED.faults[assignment.fault].subject,
        "subject": assignment.subject,
        "table": planting.table or None,
        "row_ids": list(planting.row_ids),
        "starts_at": starts,
        "ends_at": ends,
        "strength": assignment.strength,
        "note": planting.note,
    }


def delivered(world: World, as_of: datetime | None = None) -> World:
    """Returns what the sources deliver of a world: nothing of a silent source, and of a late feed only what has come.

    `as_of` is the moment of looking; without one everything late has arrived.
    """
    tables = dict(world.tables)
    for planted in world.planted.to_pylist():
        span = planted["starts_at"], planted["ends_at"]
        if planted["fault"] == "silent_source":
            for name, instant in _VOICE.items():
                tables[name] = tables[name].filter(pc.invert(_within(tables[name][instant], *span)))
            survey = tables["survey"]
            is_silent = pc.and_(_within(survey["invited_at"], *span), pc.equal(survey["channel"], planted["subject"]))
            tables["survey"] = survey.filter(pc.invert(is_silent))
        elif planted["fault"] == "late_feed" and as_of and as_of < span[1] + timedelta(hours=planted["strength"]):
            chat, survey = tables["chat"], tables["survey"]
            is_late = pc.and_(_within(chat["started_at"], *span), pc.equal(chat["channel"], planted["subject"]))
            late = chat.filter(is_late)["chat_id"].combine_chunks()
            tables["chat"] = chat.filter(pc.invert(is_late))
            for name in _CHAT_PARTS:
                tables[name] = tables[name].filter(pc.invert(pc.is_in(tables[name]["chat_id"], late)))
            is_rated = pc.and_(pc.is_in(survey["contact_id"], late), pc.equal(survey["channel"], planted["subject"]))
            tables["survey"] = survey.filter(pc.invert(is_rated))
    return World(tables, world.papers, world.planted)


def first_told(world: World) -> World:
    """Returns a world in which every rating is the one that was given first: a look before customers changed theirs."""
    if "rating_change" not in world.tables:
        return world
    survey, change = world.tables["survey"], world.tables["rating_change"]
    place = pc.index_in(survey["survey_id"], change["survey_id"].combine_chunks())
    value = pc.coalesce(change["value"].take(place), survey["value"])
    field = survey.schema.get_field_index("value")
    tables = world.tables | {"survey": survey.set_column(field, survey.schema.field(field), value)}
    return World(tables, world.papers, world.planted)


def _within(instants: pa.ChunkedArray, start: datetime, end: datetime) -> pa.ChunkedArray:
    low, high = pa.scalar(start, instants.type), pa.scalar(end, instants.type)
    return pc.and_(pc.greater_equal(instants, low), pc.less(instants, high))

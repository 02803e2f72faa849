"""The events of queue_log: visits, survey answers, log-ins and pauses, in the order in which they are written."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.world import World
from kefu.simulation.writers.columns import (
    MICROSECONDS,
    add,
    flat,
    in_order,
    lookup,
    microseconds,
    spread,
    where,
    whole_seconds,
)
from kefu.simulation.writers.voice import Voice

DATA = tuple(f"data{number}" for number in range(1, 6))
COLUMNS = ("callid", "queuename", "agent", "event", *DATA)
# At one instant: what ends before what begins.
_UNPAUSE, _REMOVE, _ADD, _PAUSE = range(1000, 1004)
_OF_VISIT = {"ENTERQUEUE": 0, "RINGNOANSWER": 1, "CONNECT": 2, "end": 3, "SURVEY": 4}
_START_BEFORE_MICROSECONDS = 60 * MICROSECONDS


def queue_events(world: World, voice: Voice) -> pa.Table:
    """Returns `at` (microseconds since 1970 UTC) and the columns of queue_log; data that an event has not are NULL."""
    pieces = [*_visits(voice.visits), _missed(voice), _answers(voice), *_states(world, voice)]
    events = in_order(pa.concat_tables(pieces), "at", "order").drop_columns("order")
    if not events.num_rows:
        return events
    first = pc.subtract(pc.min(events.column("at")), _START_BEFORE_MICROSECONDS)
    start = _piece(pa.array([first.as_py()]), 0, "NONE", "NONE", "NONE", "QUEUESTART", "").drop_columns("order")
    return pa.concat_tables([start, events]).combine_chunks()


def queue_log_lines(events: pa.Table) -> pa.Array:
    """Returns the lines of the file, without their ends."""
    cells = [
        whole_seconds(events.column("at")).cast(pa.string()),
        *(events.column(name) for name in COLUMNS),
    ]
    return flat(pc.binary_join_element_wise(*cells, "|", null_handling="skip"))


def _piece(
    at: pa.Array,
    order: pa.Array | int,
    callid: pa.Array | str,
    queue: pa.Array | str,
    agent: pa.Array | str,
    event: pa.Array | str,
    *data: pa.Array | str,
) -> pa.Table:
    """Returns events; those without an instant did not happen."""
    texts = (callid, queue, agent, event, *data, *[None] * (len(DATA) - len(data)))
    columns = {
        "at": at,
        "order": spread(order, len(at), pa.int64()),
        **{name: spread(text, len(at), pa.string()) for name, text in zip(COLUMNS, texts, strict=True)},
    }
    return pa.table(columns).filter(pc.is_valid(at)).combine_chunks()


def _order(rows: pa.Table, event: str) -> pa.Array:
    """A visit comes after the one it was transferred from, and its own events in their sequence."""
    return pc.add(pc.multiply(rows.column("position"), len(_OF_VISIT)), _OF_VISIT[event])


def _visits(visits: pa.Table) -> list[pa.Table]:
    is_answered = pc.is_valid(visits.column("answered"))
    is_transfer = pc.and_(is_answered, pc.equal(pc.fill_null(visits.column("ended_by"), ""), "transfer"))
    # The caller keeps the channel, and so the call id, only when sent on blindly.
    is_blind = pc.is_valid(visits.column("target_number"))
    return [
        _entries(visits),
        _connections(visits),
        _completed(visits.filter(pc.and_not(is_answered, is_transfer)).combine_chunks()),
        _given_up(visits.filter(pc.invert(is_answered)).combine_chunks()),
        _sent_on(visits.filter(pc.and_(is_transfer, is_blind)).combine_chunks()),
        _handed_over(visits.filter(pc.and_not(is_transfer, is_blind)).combine_chunks()),
    ]


def _of_visits(
    visits: pa.Table, instant: str, step: str, agent: pa.Array | str, event: pa.Array | str, *data: pa.Array | str
) -> pa.Table:
    callid, queue = visits.column("uniqueid"), visits.column("queue")
    return _piece(visits.column(instant), _order(visits, step), callid, queue, agent, event, *data)


def _entries(visits: pa.Table) -> pa.Table:
    # As the exchange does, lest a name be taken for two fields.
    name = pc.replace_substring(visits.column("caller_name"), "|", "_")
    place = visits.column("place_at_entry")
    caller = visits.column("caller")
    return _of_visits(visits, "entered", "ENTERQUEUE", "NONE", "ENTERQUEUE", "", caller, place, name)


def _connections(visits: pa.Table) -> pa.Table:
    ring = whole_seconds(pc.subtract(visits.column("answered"), visits.column("dialled")))
    data = _seconds(visits, "entered", "answered"), visits.column("member_uniqueid"), ring
    return _of_visits(visits, "answered", "CONNECT", visits.column("member"), "CONNECT", *data)


def _completed(visits: pa.Table) -> pa.Table:
    by_agent = pc.fill_null(pc.equal(visits.column("ended_by"), "agent"), False)
    event = pc.if_else(by_agent, "COMPLETEAGENT", "COMPLETECALLER")
    return _of_visits(visits, "ended", "end", visits.column("member"), event, *_hold_talk_and_place(visits))


def _given_up(visits: pa.Table) -> pa.Table:
    by_itself = pc.fill_null(pc.equal(visits.column("outcome"), "timeout"), False)
    event = pc.if_else(by_itself, "EXITWITHTIMEOUT", "ABANDON")
    places = visits.column("place_at_exit"), visits.column("place_at_entry")
    return _of_visits(visits, "ended", "end", "NONE", event, *places, _seconds(visits, "entered", "ended"))


def _sent_on(visits: pa.Table) -> pa.Table:
    data = visits.column("target_number"), "queues", *_hold_talk_and_place(visits)
    return _of_visits(visits, "ended", "end", visits.column("member"), "BLINDTRANSFER", *data)


def _handed_over(visits: pa.Table) -> pa.Table:
    data = "BRIDGE", bridge_ids(visits.column("call_id")), *_hold_talk_and_place(visits)
    return _of_visits(visits, "ended", "end", visits.column("member"), "ATTENDEDTRANSFER", *data)


def _hold_talk_and_place(visits: pa.Table) -> tuple[pa.Array, pa.Array, pa.Array]:
    hold, talk = _seconds(visits, "entered", "answered"), _seconds(visits, "answered", "ended")
    return hold, talk, visits.column("place_at_entry")


def _seconds(visits: pa.Table, start: str, end: str) -> pa.Array:
    """The exchange subtracts clock readings of whole seconds."""
    return pc.subtract(whole_seconds(visits.column(end)), whole_seconds(visits.column(start)))


def bridge_ids(call_ids: pa.Array) -> pa.Array:
    """Returns the UUID of the bridge in which caller and member of a call talk."""
    return pa.array([f"5e1f0c2a-7b3d-4c8e-9a10-{call_id:012x}" for call_id in call_ids.to_pylist()], pa.string())


def _missed(voice: Voice) -> pa.Table:
    rings, visits = voice.rings, voice.visits
    ids = rings.column("call_id")
    rings = add(rings, position=lookup(ids, visits, "call_id", "position"))
    return _piece(
        rings.column("ended"),
        _order(rings, "RINGNOANSWER"),
        lookup(ids, visits, "call_id", "uniqueid"),
        lookup(ids, visits, "call_id", "queue"),
        rings.column("member"),
        "RINGNOANSWER",
        rings.column("ring_milliseconds"),
    )


def _answers(voice: Voice) -> pa.Table:
    visits, surveys = voice.visits, voice.surveys
    ids = surveys.column("contact_id")
    surveys = add(surveys, position=lookup(ids, visits, "call_id", "position"))
    answers = _piece(
        microseconds(surveys.column("answered_at")),
        _order(surveys, "SURVEY"),
        lookup(ids, visits, "call_id", "uniqueid"),
        lookup(ids, visits, "call_id", "queue"),
        lookup(ids, visits, "call_id", "member"),
        "SURVEY",
        pc.fill_null(surveys.column("value").cast(pa.string()), ""),
        # The second question of the menu; the field is absent when it was not answered.
        surveys.column("solved"),
    )
    return answers.filter(pc.is_valid(answers.column("callid"))).combine_chunks()


def _states(world: World, voice: Voice) -> list[pa.Table]:
    states = world.tables["agent_state"]
    # What lasted no time left no trace.
    lasts = pc.fill_null(pc.greater(states.column("ended_at"), states.column("started_at")), True)
    states = states.filter(lasts).combine_chunks()
    member = lookup(states.column("agent_key"), world.tables["agent"], "agent_key", "member_name")
    states = add(states, member=member)
    is_log_in = pc.equal(states.column("state"), "on_queue")
    pauses = states.filter(pc.invert(is_log_in)).combine_chunks()
    queues = _queues_of_agents(world, voice)
    log_ins, of_log_in = _for_each_queue(states.filter(is_log_in), queues)
    echoes, of_echo = _for_each_queue(pauses, queues)
    pieces = []
    for instant, order, event in (("ended_at", _REMOVE, "REMOVEMEMBER"), ("started_at", _ADD, "ADDMEMBER")):
        at = microseconds(log_ins.column(instant))
        pieces.append(_piece(at, order, "MANAGER", of_log_in, log_ins.column("member"), event, ""))
    for instant, order, event in (("ended_at", _UNPAUSE, "UNPAUSE"), ("started_at", _PAUSE, "PAUSE")):
        # Once for all queues, then again for each.
        for rows, queue, name in ((pauses, "NONE", f"{event}ALL"), (echoes, of_echo, event)):
            at, who, why = microseconds(rows.column(instant)), rows.column("member"), rows.column("state")
            pieces.append(_piece(at, order, "NONE", queue, who, name, why))
    return pieces


def _for_each_queue(states: pa.Table, queues: pa.Table) -> tuple[pa.Table, pa.Array]:
    """Returns the states once for each queue that their agent is a member of, and those queues."""
    lists = lookup(states.column("agent_key"), queues, "agent_key", "queues")
    return states.take(pc.list_parent_indices(lists)).combine_chunks(), pc.list_flatten(lists)


def _queues_of_agents(world: World, voice: Voice) -> pa.Table:
    """Returns the queues of each agent: those of the teams they were in, and those they served."""
    visits, rings, membership = voice.visits, voice.rings, world.tables["membership"]
    of_team: dict[str, list[str]] = {}
    for queue in where(world.tables["queue"], "channel", "voice").to_pylist():
        of_team.setdefault(queue["team_id"], []).append(queue["account"])
    queues: dict[str, set[str]] = {agent: set() for agent in world.tables["agent"].column("agent_key").to_pylist()}
    for row in membership.to_pylist():
        queues[row["agent_key"]].update(of_team.get(row["team_id"], ()))
    for agents, served in (
        (visits.column("agent_key"), visits.column("queue")),
        (rings.column("agent_key"), lookup(rings.column("call_id"), visits, "call_id", "queue")),
    ):
        pairs = pa.table({"agent": agents, "queue": served}).group_by(["agent", "queue"]).aggregate([])
        for pair in pairs.to_pylist():
            if pair["agent"]:
                queues[pair["agent"]].add(pair["queue"])
    lists = pa.array([sorted(names) for names in queues.values()], pa.list_(pa.string()))
    return pa.table({"agent_key": list(queues), "queues": lists})

"""Calls as an exchange sees them: channels with their names and ids, dial attempts, places in the queue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.world import World
from kefu.simulation.writers.columns import (
    MICROSECONDS,
    Column,
    add,
    flat,
    join,
    lookup,
    microseconds,
    where,
    whole_seconds,
)

# Between the start of the caller's channel and the queue stands a greeting.
GREETING_MICROSECONDS = 3 * MICROSECONDS
OUTBOUND_PREFIX = "9"
# Channels are numbered from this many times the call's number on, so that a call's ids depend on no other call.
_CHANNELS_PER_CALL = 100
_FIRST_EXTENSION = 7001
_SHORTEST_RING_SECONDS = 3

_Ints = npt.NDArray[np.int64]


def call_uniqueids(calls: pa.Table) -> pa.Table:
    """Returns `call_id` and `uniqueid`: what the exchange calls a call, the same for all visits of a transferred one.

    It is the `callid` of queue_log and the `uniqueid` of the call's records, and what sheets refer to a call by.
    """
    channels = _first_channels(calls)
    return pa.table({"call_id": calls.column("call_id"), "uniqueid": channels.column("uniqueid")})


@dataclass(frozen=True)
class Voice:
    """The telephone's side of a world.

    Attributes:
        visits: inbound visits to a queue, one row each, by call_id. Instants are microseconds since 1970 UTC.
        rings: phones that rang and were not taken, by start.
        dials: outbound calls, by call_id.
        surveys: invitations of callers, by survey_id.
    """

    visits: pa.Table
    rings: pa.Table
    dials: pa.Table
    surveys: pa.Table


def voice(world: World) -> Voice:
    """Returns the calls of a world with everything that the exchange adds to them."""
    calls = world.tables["call"].combine_chunks()
    calls = _with_customers(_with_members(_with_channels(calls), world), world)
    inbound = where(calls, "direction", "inbound")
    rings = _rings(world, inbound)
    visits = _with_places(_with_answering_channel(_with_queues(inbound, world), rings))
    surveys = where(world.tables["survey"], "channel", "voice")
    return Voice(visits, rings, where(calls, "direction", "outbound"), surveys)


def channel_name(peer: Column | str, number: Column) -> pa.Array:
    """Returns names such as `PJSIP/1001-0000002a`."""
    suffix = pa.array([f"{value:08x}" for value in number.to_pylist()], pa.string())
    return join("PJSIP/", peer, "-", suffix)


def _first_channels(calls: pa.Table) -> pa.Table:
    """Returns by call, in the order of `calls`: how many visits came before it, and the channel of the first."""
    ids = flat(calls.column("call_id"))
    previous = np.asarray(pc.fill_null(pc.index_in(ids, value_set=flat(calls.column("next_call_id"))), -1))
    first: _Ints = np.arange(len(ids))
    position: _Ints = np.zeros(len(ids), dtype=np.int64)
    while (moved := previous[first] >= 0).any():
        first[moved] = previous[first[moved]]
        position[moved] += 1
    number = pc.multiply(ids.take(pa.array(first)), _CHANNELS_PER_CALL)
    is_inbound = pc.equal(calls.column("direction"), "inbound")
    greeting = pc.if_else(is_inbound, GREETING_MICROSECONDS, 0)
    started = pc.subtract(microseconds(calls.column("entered_at")), greeting)
    started = flat(started).take(pa.array(first))
    return pa.table(
        {
            "position": pa.array(position),
            "channel_number": number,
            "started": started,
            "uniqueid": join(whole_seconds(started), ".", number),
        }
    )


def _with_channels(calls: pa.Table) -> pa.Table:
    channels = _first_channels(calls)
    instants = {name: microseconds(calls.column(f"{name}_at")) for name in ("entered", "rang", "answered", "ended")}
    return add(calls, **{name: channels.column(name) for name in channels.column_names}, **instants)


def _with_members(calls: pa.Table, world: World) -> pa.Table:
    agents, keys = world.tables["agent"], calls.column("agent_key")
    return add(
        calls,
        member=lookup(keys, agents, "agent_key", "member_name"),
        extension=lookup(keys, agents, "agent_key", "extension"),
    )


def _with_customers(calls: pa.Table, world: World) -> pa.Table:
    customers, keys = world.tables["customer"], calls.column("customer_id")
    return add(
        calls,
        caller=pc.coalesce(lookup(keys, customers, "customer_id", "phone"), "anonymous"),
        caller_name=pc.coalesce(lookup(keys, customers, "customer_id", "name"), ""),
    )


def _with_queues(visits: pa.Table, world: World) -> pa.Table:
    queues = where(world.tables["queue"], "channel", "voice")
    numbers = pa.array([str(_FIRST_EXTENSION + place) for place in range(queues.num_rows)], pa.string())
    queues = add(queues, number=numbers)
    own, target = visits.column("queue_id"), visits.column("transfer_to")
    return add(
        visits,
        queue=lookup(own, queues, "queue_id", "account"),
        queue_number=lookup(own, queues, "queue_id", "number"),
        target_number=lookup(target, queues, "queue_id", "number"),
        channel=channel_name("trunk", visits.column("channel_number")),
    )


def _rings(world: World, visits: pa.Table) -> pa.Table:
    """Returns the phones not taken, with their channel: each call's are numbered from 1."""
    rings = world.tables["ring_no_answer"]
    rings = rings.filter(pc.is_in(rings.column("call_id"), value_set=flat(visits.column("call_id"))))
    rings = rings.sort_by([("call_id", "ascending"), ("started_at", "ascending")]).combine_chunks()
    calls = np.asarray(rings.column("call_id"))
    attempt = np.arange(len(calls)) - np.searchsorted(calls, calls) + 1
    number = pa.array(calls * _CHANNELS_PER_CALL + attempt, pa.int64())
    started = microseconds(rings.column("started_at"))
    agents, keys = world.tables["agent"], rings.column("agent_key")
    extension = lookup(keys, agents, "agent_key", "extension")
    return add(
        rings,
        attempt=pa.array(attempt, pa.int64()),
        started=started,
        ended=pc.add(started, pc.multiply(rings.column("ring_milliseconds"), 1000)),
        member=lookup(keys, agents, "agent_key", "member_name"),
        extension=extension,
        member_uniqueid=join(whole_seconds(started), ".", number),
        member_channel=channel_name(extension, number),
    )


def _with_answering_channel(visits: pa.Table, rings: pa.Table) -> pa.Table:
    """Adds when the phone that was taken began to ring.

    Where the world does not say, some seconds before, but after those that were not taken.
    """
    by_call = rings.group_by("call_id").aggregate([("ended", "max"), ("attempt", "max")])
    ids = flat(visits.column("call_id"))
    free = pc.max_element_wise(flat(visits.column("entered")), lookup(ids, by_call, "call_id", "ended_max"))
    answered = flat(visits.column("answered"))
    ring = pc.multiply(pc.add(pc.bit_wise_and(ids, 3), _SHORTEST_RING_SECONDS), MICROSECONDS)
    earliest = pc.min_element_wise(free, answered, skip_nulls=False)
    dialled = pc.max_element_wise(pc.subtract(answered, ring), earliest, skip_nulls=False)
    dialled = pc.coalesce(flat(visits.column("rang")), dialled)
    attempts = pc.coalesce(lookup(ids, by_call, "call_id", "attempt_max"), 0)
    number = pc.add(pc.multiply(ids, _CHANNELS_PER_CALL), pc.add(attempts, 1))
    return add(
        visits,
        has_rung=pc.greater(attempts, 0),
        dialled=dialled,
        member_uniqueid=join(whole_seconds(dialled), ".", number),
        member_channel=channel_name(flat(visits.column("extension")), number),
    )


def _with_places(visits: pa.Table) -> pa.Table:
    """Adds the caller's place in the queue when entering it and, for those who gave up, when leaving it."""
    queue = np.asarray(visits.column("queue").combine_chunks().dictionary_encode().indices)
    entered = np.asarray(visits.column("entered"))
    for_ever = np.iinfo(np.int64).max
    left = np.asarray(pc.coalesce(visits.column("answered"), visits.column("ended"), for_ever))
    gave_up = np.asarray(pc.and_(pc.is_null(visits.column("answered")), pc.is_valid(visits.column("ended"))))
    at_entry, at_exit = np.ones(len(queue), dtype=np.int64), np.ones(len(queue), dtype=np.int64)
    for code in np.unique(queue):
        rows = np.flatnonzero(queue == code)
        rows = rows[np.argsort(entered[rows], kind="stable")]
        came, went = entered[rows], left[rows]
        gone = np.searchsorted(np.sort(went), came, side="right")
        at_entry[rows] = np.maximum(np.arange(len(rows)) - gone, 0) + 1
        longest_wait = np.where(went == for_ever, 0, went - came).max()
        for place in np.flatnonzero(gave_up[rows]):
            since = np.searchsorted(came, came[place] - longest_wait)
            at_exit[rows[place]] = 1 + np.count_nonzero(went[since:place] > went[place])
    return add(visits, place_at_entry=pa.array(at_entry), place_at_exit=pa.array(at_exit))

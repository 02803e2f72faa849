"""Call detail records and channel events, as Asterisk's CSV back ends and the tables of FreePBX hold them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from kefu.simulation.writers.columns import (
    MICROSECONDS,
    Column,
    add,
    flat,
    in_order,
    join,
    local_text,
    lookup,
    microseconds,
    spread,
    whole_seconds,
)
from kefu.simulation.writers.queue_log import bridge_ids
from kefu.simulation.writers.voice import OUTBOUND_PREFIX, Voice, channel_name

# Columns of cdr-csv/Master.csv with unique id, user field and the newer columns; those below are not in quotes.
CDR_CSV = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield"),
    *("peeraccount", "linkedid", "sequence"),
)
_BARE = {"duration", "billsec", "sequence"}
# Columns of cel-custom/Master.csv in the sample configuration.
CEL_CSV = (
    *("eventtype", "epoch", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context"),
    *("channame", "appname", "appdata", "amaflag_name", "accountcode", "uniqueid", "linkedid", "peer", "userfield"),
    *("userdeftype", "extra"),
)
_AMA_FLAG, _AMA_FLAG_NAME = 3, "DOCUMENTATION"
_AFTER_ALL_VISITS = 1_000
_QUEUE_OPTIONS = ",rtc,,,300"
# How long the line stays open after the survey: when it was answered, and when the caller said nothing.
_AFTER_ANSWER, _WITHOUT_ANSWER = 2 * MICROSECONDS, 5 * MICROSECONDS
# What happens to the channels of a call: event, on which rows, at which of their instants, on whose channel. Events
# of one instant come in this order. The caller's side of an outbound call is the agent's own telephone.
_CHANNEL_EVENTS = (
    ("CHAN_START", "calls", "started", "own"),
    ("ANSWER", "calls", "picked_up", "own"),
    ("APP_START", "visits", "entered", "own"),
    ("CHAN_START", "missed", "dialled", "other"),
    ("HANGUP", "missed", "ended", "other"),
    ("CHAN_END", "missed", "ended", "other"),
    ("CHAN_START", "talks", "dialled", "other"),
    ("ANSWER", "talks", "answered", "other"),
    ("BRIDGE_ENTER", "talks", "answered", "other"),
    ("BRIDGE_ENTER", "talks", "answered", "own"),
    ("BLINDTRANSFER", "sent_on", "ended", "other"),
    ("ATTENDEDTRANSFER", "handed_over", "ended", "other"),
    ("BRIDGE_EXIT", "talks", "ended", "other"),
    ("BRIDGE_EXIT", "talks", "ended", "own"),
    ("HANGUP", "talks", "ended", "other"),
    ("CHAN_END", "talks", "ended", "other"),
    ("APP_END", "visits", "ended", "own"),
    ("HANGUP", "calls", "hung_up", "own"),
    ("CHAN_END", "calls", "hung_up", "own"),
    ("LINKEDID_END", "calls", "hung_up", "own"),
)


def csv_lines(records: pa.Table, names: tuple[str, ...]) -> pa.Array:
    """Returns lines of CSV as Asterisk writes them: texts in quotes, numbers and what is not known bare."""
    cells = []
    for name in names:
        text = flat(records.column(name)).cast(pa.string())
        quoted = join('"', pc.replace_substring(text, '"', '""'), '"')
        cells.append(pc.fill_null(text if name in _BARE else quoted, ""))
    return flat(pc.binary_join_element_wise(*cells, ","))


def call_records(voice: Voice, time_zone: str) -> pa.Table:
    """Returns the call detail records in the order of hang-ups; `start`, `answer`, `end` are wall-clock texts.

    Columns are those of Master.csv and of FreePBX's table. Calls that are still going on have no record yet.
    """
    surveys = _surveys(voice)
    legs = pa.concat_tables([*_queue_legs(voice), _survey_legs(surveys), _outbound_legs(voice.dials)])
    legs = in_order(legs.filter(pc.is_valid(legs.column("end_at"))), "start_at", "uniqueid")
    legs = add(legs, sequence=pa.array(range(legs.num_rows), pa.int64()))
    hung_up = legs.group_by("uniqueid").aggregate([("end_at", "max")])
    legs = add(legs, hung_up=lookup(legs.column("uniqueid"), hung_up, "uniqueid", "end_at_max"))
    legs = in_order(legs, "hung_up", "sequence")
    start, answer, end = (flat(legs.column(name)) for name in ("start_at", "answer_at", "end_at"))
    size = legs.num_rows
    added = {
        **{name: local_text(ticks, time_zone) for name, ticks in (("start", start), ("answer", answer), ("end", end))},
        "duration": whole_seconds(pc.subtract(end, start)),
        "billsec": pc.fill_null(whole_seconds(pc.subtract(end, answer)), 0),
        "amaflags": spread(_AMA_FLAG_NAME, size, pa.string()),
        "amaflag": spread(_AMA_FLAG, size, pa.int64()),
        "peeraccount": spread("", size, pa.string()),
        "linkedid": legs.column("uniqueid"),
    }
    return add(legs, **added)


def channel_events(voice: Voice, time_zone: str) -> pa.Table:
    """Returns the channel events in the order of writing.

    Columns are those of Master.csv and of FreePBX's table; `eventtime` is a wall-clock text, `epoch` has microseconds.
    """
    rows = _channels(voice)
    pieces = [
        _channel_event(rows[kind], event, instant, side, order)
        for order, (event, kind, instant, side) in enumerate(_CHANNEL_EVENTS)
    ]
    events = in_order(pa.concat_tables(pieces), "at", "order")
    at = flat(events.column("at"))
    fraction = pc.utf8_lpad(pc.subtract(at, pc.multiply(whole_seconds(at), MICROSECONDS)).cast(pa.string()), 6, "0")
    size = events.num_rows
    added = {
        "id": pa.array(range(1, size + 1), pa.int64()),
        "eventtime": local_text(at, time_zone),
        "epoch": join(whole_seconds(at), ".", fraction),
        "amaflags": spread(_AMA_FLAG, size, pa.int64()),
        "amaflag_name": spread(_AMA_FLAG_NAME, size, pa.string()),
        **{name: spread("", size, pa.string()) for name in ("cid_rdnis", "cid_dnid", "userfield", "userdeftype")},
    }
    return add(events, **added)


# --- call detail records -------------------------------------------------------------------------------------------


def _leg(rows: pa.Table, start: Column, answer: Column, end: Column, **texts: Column | str) -> pa.Table:
    size = rows.num_rows
    instants = {"start_at": start, "answer_at": answer, "end_at": end}
    common = {
        "uniqueid": rows.column("uniqueid"),
        "channel": rows.column("channel"),
        "accountcode": "",
        "userfield": "",
    }
    return pa.table(
        {name: spread(ticks, size, pa.int64()) for name, ticks in instants.items()}
        | {name: spread(text, size, pa.string()) for name, text in sorted((common | texts).items())}
    )


def _caller_leg(rows: pa.Table, start: Column, end: Column, **texts: Column | str) -> pa.Table:
    """The greeting has answered the channel before the queue, so a leg is answered from its start."""
    caller = {
        "src": rows.column("caller"),
        "clid": join('"', rows.column("caller_name"), '" <', rows.column("caller"), ">"),
        "dcontext": "queues",
        "did": join("4", rows.column("queue_number")),
    }
    return _leg(rows, start, start, end, **(caller | texts))


def _queue_legs(voice: Voice) -> list[pa.Table]:
    """Returns one leg for each telephone that rang, and one for each visit in which none did."""
    visits = voice.visits
    is_first = pc.equal(visits.column("position"), 0)
    visits = add(visits, began=pc.if_else(is_first, visits.column("started"), visits.column("entered")))
    rang = _missed_visits(voice.rings, visits)
    is_first_attempt = pc.equal(rang.column("attempt"), 1)
    was_busy = pc.equal(rang.column("ring_milliseconds"), 0)
    is_answered = pc.is_valid(visits.column("answered"))
    answered = visits.filter(is_answered).combine_chunks()
    neither = pc.and_not(pc.invert(is_answered), visits.column("has_rung"))
    waited = visits.filter(neither).combine_chunks()
    return [
        _caller_leg(
            rang,
            pc.if_else(is_first_attempt, rang.column("began"), rang.column("dialled")),
            rang.column("ended"),
            **_queue_texts(rang, rang.column("member_channel"), pc.if_else(was_busy, "BUSY", "NO ANSWER")),
        ),
        _caller_leg(
            answered,
            pc.if_else(answered.column("has_rung"), answered.column("dialled"), answered.column("began")),
            answered.column("ended"),
            # A caller sent on leaves the leg with the number dialled last.
            **_queue_texts(answered, answered.column("member_channel"), "ANSWERED")
            | {"dst": pc.coalesce(answered.column("target_number"), answered.column("queue_number"))},
        ),
        _caller_leg(waited, waited.column("began"), waited.column("ended"), **_queue_texts(waited, "", "ANSWERED")),
    ]


def _queue_texts(rows: pa.Table, member_channel: Column | str, disposition: Column | str) -> dict[str, Column | str]:
    return {
        "dst": rows.column("queue_number"),
        "dstchannel": member_channel,
        "lastapp": "Queue",
        "lastdata": join(rows.column("queue"), _QUEUE_OPTIONS),
        "disposition": disposition,
    }


def _missed_visits(rings: pa.Table, visits: pa.Table) -> pa.Table:
    """Returns the visit of each telephone that was not taken, with that telephone in place of the one that was."""
    place = pc.index_in(rings.column("call_id"), value_set=flat(visits.column("call_id")))
    rows = visits.take(place).combine_chunks()
    of_ring = ("ended", "member", "extension", "member_uniqueid", "member_channel", "attempt", "ring_milliseconds")
    never = pa.nulls(rings.num_rows, pa.int64())
    return add(rows, dialled=rings.column("started"), answered=never, **{name: rings.column(name) for name in of_ring})


def _surveys(voice: Voice) -> pa.Table:
    """Returns the visits that led to a survey, with `invited`, `survey_ended` and `value`."""
    surveys, visits = voice.surveys, voice.visits
    place = pc.index_in(surveys.column("contact_id"), value_set=flat(visits.column("call_id")))
    rows = visits.take(place.drop_null()).combine_chunks()
    surveys = surveys.filter(pc.is_valid(place))
    invited, answered = microseconds(surveys.column("invited_at")), microseconds(surveys.column("answered_at"))
    ended = pc.coalesce(pc.add(answered, _AFTER_ANSWER), pc.add(invited, _WITHOUT_ANSWER))
    return add(rows, invited=invited, survey_ended=ended, value=surveys.column("value"))


def _survey_legs(surveys: pa.Table) -> pa.Table:
    answer = pc.fill_null(join("csat=", surveys.column("value")), "")
    texts = {"dst": "survey", "dstchannel": "", "lastapp": "Hangup", "lastdata": "", "disposition": "ANSWERED"}
    return _caller_leg(surveys, surveys.column("invited"), surveys.column("survey_ended"), userfield=answer, **texts)


def _outbound_legs(dials: pa.Table) -> pa.Table:
    dials = _outbound_channels(dials)
    extension = dials.column("extension")
    is_answered = pc.is_valid(dials.column("answered"))
    return _leg(
        dials,
        dials.column("entered"),
        dials.column("answered"),
        dials.column("ended"),
        accountcode="OUT",
        src=extension,
        clid=join('"', dials.column("member"), '" <', extension, ">"),
        dst=dials.column("queue_number"),
        dcontext="outbound",
        did="",
        dstchannel=dials.column("member_channel"),
        lastapp="Dial",
        lastdata=dials.column("appdata"),
        disposition=pc.if_else(is_answered, "ANSWERED", "NO ANSWER"),
    )


def _outbound_channels(dials: pa.Table) -> pa.Table:
    """Returns the outbound calls with both channels: the agent's own, and the one to the trunk in a member's place."""
    # The exchange dials abroad, and numbers written with their country, by 00.
    number = pc.replace_substring_regex(dials.column("caller"), r"^\+", "00")
    trunk = pc.add(dials.column("channel_number"), 1)
    extension = pc.coalesce(dials.column("extension"), "")
    return add(
        dials,
        extension=extension,
        member=pc.coalesce(dials.column("member"), extension),
        channel=channel_name(extension, dials.column("channel_number")),
        member_channel=channel_name("trunk", trunk),
        member_uniqueid=join(whole_seconds(dials.column("started")), ".", trunk),
        queue_number=join(OUTBOUND_PREFIX, number),
        appdata=join("PJSIP/", number, "@trunk,60"),
    )


# --- channel events ------------------------------------------------------------------------------------------------


def _channels(voice: Voice) -> dict[str, pa.Table]:
    """Returns the rows that `_CHANNEL_EVENTS` speaks of, all with the same columns."""
    surveys = _surveys(voice)
    names = ("uniqueid", "started", "ended")
    visits, dials = voice.visits, _outbound_channels(voice.dials)
    ends = pa.concat_tables(
        [visits.select(names), surveys.select(["uniqueid", "started", "survey_ended"]).rename_columns(names)]
    )
    # The end of a call is known when every visit has one.
    hung_up = ends.group_by("uniqueid").aggregate([("ended", "max"), ("ended", "count"), ("started", "count")])
    is_over = pc.equal(hung_up.column("ended_count"), hung_up.column("started_count"))
    last = pc.if_else(is_over, hung_up.column("ended_max"), None)
    hung_up = add(hung_up, last=last)

    def inbound(rows: pa.Table) -> pa.Table:
        over = lookup(rows.column("uniqueid"), hung_up, "uniqueid", "last")
        appdata = join(rows.column("queue"), _QUEUE_OPTIONS)
        return _sides(rows, "queues", "Queue", appdata, picked_up=rows.column("started"), hung_up=over)

    def outbound(rows: pa.Table) -> pa.Table:
        rows = add(rows, dialled=rows.column("entered"))
        answered, ended = rows.column("answered"), rows.column("ended")
        return _sides(rows, "outbound", "Dial", rows.column("appdata"), picked_up=answered, hung_up=ended)

    is_talk, is_first = pc.is_valid(visits.column("answered")), pc.equal(visits.column("position"), 0)
    is_sent = pc.and_(is_talk, pc.fill_null(pc.equal(visits.column("ended_by"), "transfer"), False))
    is_blind = pc.is_valid(visits.column("target_number"))
    reached = pc.is_valid(dials.column("answered"))
    missed = _missed_visits(voice.rings, visits)
    return {
        "calls": pa.concat_tables([inbound(visits.filter(is_first)), outbound(dials)]),
        "visits": pa.concat_tables([inbound(visits), outbound(dials)]),
        "missed": pa.concat_tables([inbound(missed), outbound(dials.filter(pc.invert(reached)))]),
        "talks": pa.concat_tables([inbound(visits.filter(is_talk)), outbound(dials.filter(reached))]),
        "sent_on": inbound(visits.filter(pc.and_(is_sent, is_blind))),
        "handed_over": inbound(visits.filter(pc.and_not(is_sent, is_blind))),
    }


def _sides(
    rows: pa.Table, context: str, application: str, appdata: Column, *, picked_up: Column, hung_up: Column
) -> pa.Table:
    size = rows.num_rows
    instants = {name: rows.column(name) for name in ("started", "entered", "dialled", "answered", "ended")}
    instants |= {"picked_up": picked_up, "hung_up": hung_up, "position": rows.column("position")}
    is_outbound = application == "Dial"
    texts = {
        "linkedid": rows.column("uniqueid"),
        "own_uniqueid": rows.column("uniqueid"),
        "own_channame": rows.column("channel"),
        "own_exten": rows.column("queue_number"),
        "other_uniqueid": rows.column("member_uniqueid"),
        "other_channame": rows.column("member_channel"),
        "other_exten": "" if is_outbound else rows.column("extension"),
        "context": context,
        "appname": application,
        "appdata": appdata,
        "cid_num": rows.column("extension") if is_outbound else rows.column("caller"),
        "cid_name": rows.column("member") if is_outbound else rows.column("caller_name"),
        "accountcode": "OUT" if is_outbound else "",
        "target": pa.nulls(size, pa.string()) if is_outbound else rows.column("target_number"),
        "bridge": bridge_ids(rows.column("call_id")),
    }
    return pa.table(
        {name: spread(column, size, pa.int64()) for name, column in instants.items()}
        | {name: spread(column, size, pa.string()) for name, column in texts.items()}
    )


def _channel_event(rows: pa.Table, event: str, instant: str, side: str, order: int) -> pa.Table:
    rows = rows.filter(pc.is_valid(rows.column(instant))).combine_chunks()
    size = rows.num_rows
    has_application = side == "own" and event != "CHAN_START"
    is_bridged = event.startswith("BRIDGE_") and side == "own"
    is_named = event != "CHAN_START"
    # A visit comes after the one it was transferred from, and the end of the call after all of them.
    place = _AFTER_ALL_VISITS if instant == "hung_up" else rows.column("position")
    own = {
        "eventtype": event,
        "cid_name": rows.column("cid_name") if is_named else "",
        "cid_num": rows.column("cid_num") if is_named else "",
        "cid_ani": rows.column("cid_num") if is_named and side == "own" else "",
        "exten": rows.column(f"{side}_exten"),
        "context": rows.column("context") if side == "own" else "from-internal",
        "channame": rows.column(f"{side}_channame"),
        "appname": rows.column("appname") if has_application else "",
        "appdata": rows.column("appdata") if has_application else "",
        "accountcode": rows.column("accountcode"),
        "uniqueid": rows.column(f"{side}_uniqueid"),
        "linkedid": rows.column("linkedid"),
        "peer": rows.column("other_channame") if is_bridged else "",
        "extra": _extra(rows, event, side),
    }
    numbers = {
        "at": rows.column(instant),
        "order": pc.add(pc.multiply(place, len(_CHANNEL_EVENTS)), order),
    }
    return pa.table(
        {name: spread(column, size, pa.int64()) for name, column in numbers.items()}
        | {name: spread(column, size, pa.string()) for name, column in own.items()}
    )


def _extra(rows: pa.Table, event: str, side: str) -> Column | str:
    bridge = rows.column("bridge")
    if event.startswith("BRIDGE_"):
        return join('{"bridge_id":"', bridge, '","bridge_technology":"simple_bridge"}')
    if event == "HANGUP":
        # Normal clearing; a telephone that was not taken is told of no answer.
        cause = pc.if_else(pc.is_valid(rows.column("answered")), "16", "19") if side == "other" else "16"
        status = pc.if_else(pc.is_valid(rows.column("answered")), "ANSWER", "") if side == "own" else ""
        return join('{"hangupcause":', cause, ',"hangupsource":"","dialstatus":"', status, '"}')
    transferee = join(
        '"transferee_channel_name":"',
        rows.column("own_channame"),
        '","transferee_channel_uniqueid":"',
        rows.column("own_uniqueid"),
        '"',
    )
    if event == "BLINDTRANSFER":
        to = join('{"extension":"', rows.column("target"), '","context":"queues","bridge_id":"', bridge, '",')
        return join(to, transferee, "}")
    if event == "ATTENDEDTRANSFER":
        return join('{"bridge1_id":"', bridge, '",', transferee, "}")
    return ""

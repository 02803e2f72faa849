"""Which column of which back end stands for which field."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """Names of one kind of record in files and tables.

    Attributes:
        names: field by source column; where several columns stand for one field, the first one found counts.
        instants: fields with a time, the one that windows look at first.
        needed: fields without which a table cannot be what it should be.
        order_by: source columns that give the order of writing, used when all of them exist.
    """

    names: dict[str, str]
    instants: tuple[str, ...]
    needed: tuple[str, ...]
    order_by: tuple[str, ...]

    def chosen(self, found: Iterable[str]) -> dict[str, str]:
        """Returns the source column by field, for the fields that `found` offers."""
        present = set(found)
        return {field: name for name, field in reversed(self.names.items()) if name in present}

    @property
    def optional(self) -> list[str]:
        """Returns the fields that are NULL where the source has no column for them and nothing to derive them from."""
        return [name for name in self.names.values() if name not in (*self.instants, *self.needed, "data")]


LAYOUTS = {
    "queue_log": Layout(
        names={
            "time": "event_at",
            "callid": "callid",
            "queuename": "queue_name",
            "agent": "agent",
            "event": "event",
            # The joined data of a realtime table without queue_adaptive_realtime.
            "data": "data",
            **{f"data{number}": f"data{number}" for number in range(1, 6)},
        },
        instants=("event_at",),
        needed=("event_at", "callid", "queue_name", "agent", "event"),
        order_by=("time", "id"),
    ),
    "cdr": Layout(
        names={
            "start": "started_at",
            "calldate": "started_at",
            "answer": "answered_at",
            "end": "ended_at",
            "duration": "duration_seconds",
            "billsec": "billsec_seconds",
            "userfield": "survey_score",
            **{
                name: name
                for name in (
                    *("src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "disposition", "accountcode"),
                    *("uniqueid", "linkedid", "sequence"),
                )
            },
        },
        instants=("started_at", "answered_at", "ended_at"),
        needed=("started_at", "src", "dst", "duration_seconds", "billsec_seconds", "disposition", "uniqueid"),
        order_by=(),
    ),
    "cel": Layout(
        names={
            "id": "cel_id",
            "AcctId": "cel_id",
            "eventtype": "event_type",
            "eventtime": "event_at",
            "channame": "channel_name",
            "appname": "app_name",
            "cid_num": "caller",
            "cidnum": "caller",
            **{name: name for name in ("context", "exten", "uniqueid", "linkedid", "peer", "userdeftype", "extra")},
        },
        instants=("event_at",),
        needed=("cel_id", "event_type", "event_at", "uniqueid", "linkedid"),
        order_by=("id",),
    ),
}

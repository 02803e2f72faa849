"""Who takes which waiting contact: home queues first, the least busy and longest free agent first, callers in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import simpy


@dataclass(slots=True, eq=False)
class Seat:
    """One worked shift of one agent.

    Attributes:
        agent: number of the agent, from 0.
        day: number of the shift's date, from 0.
        queues: what the agent takes, the home queue first.
        starts_at: when the agent is ready, seconds since 1970 UTC.
        ends_at: end of the shift, seconds since 1970 UTC.
        handling: times the usual handling time.
        response: times the usual time to reply.
        quality: in standard deviations between people.
        load: contacts held now.
        rank: where the seat stands among the ready ones; None while it takes nothing.
        offered: fires with a contact for a seat that waits for one.
        is_open: whether it takes new contacts.
    """

    agent: int
    day: int
    queues: list[str]
    starts_at: int
    ends_at: int
    handling: float
    response: float
    quality: float
    load: int = 0
    rank: int | None = None
    offered: simpy.Event | None = None
    is_open: bool = False

    def at(self, share: float) -> int:
        """Returns the instant after a share of the shift."""
        return self.starts_at + round(share * (self.ends_at - self.starts_at))


class Waiting(Protocol):
    """What can wait in a queue."""

    queue_id: str
    queued_at: int


Contact = TypeVar("Contact", bound=Waiting)


class Exchange(Generic[Contact]):
    """Waiting contacts and ready seats of some queues.

    Args:
        queues: queue ids.
        capacity: contacts that a seat holds at a time.
    """

    def __init__(self, queues: Iterable[str], capacity: int) -> None:
        self._capacity = capacity
        self._waiting: dict[str, dict[int, Contact]] = {queue: {} for queue in queues}
        self._ready: dict[str, list[dict[int, Seat]]] = {
            queue: [{} for _ in range(2 * capacity)] for queue in self._waiting
        }

    def offer(self, seat: Seat) -> None:
        """Lets a seat be taken by contacts to come."""
        seat.rank = seat.load
        for position, queue in enumerate(seat.queues):
            self._ready[queue][seat.rank + (self._capacity if position else 0)][id(seat)] = seat

    def withdraw(self, seat: Seat) -> None:
        """Takes a seat out of the ready ones, if it is there."""
        if seat.rank is None:
            return
        for position, queue in enumerate(seat.queues):
            del self._ready[queue][seat.rank + (self._capacity if position else 0)][id(seat)]
        seat.rank = None

    def take_seat(self, queue: str) -> Seat | None:
        """Returns the ready seat that is due for a queue, withdrawn, or None."""
        for seats in self._ready[queue]:
            for seat in seats.values():
                self.withdraw(seat)
                return seat
        return None

    def join(self, contact: Contact, *, is_first: bool = False) -> None:
        """Lets a contact wait, at the end of its queue or before all others."""
        waiting = self._waiting[contact.queue_id]
        if is_first:
            self._waiting[contact.queue_id] = {id(contact): contact, **waiting}
        else:
            waiting[id(contact)] = contact

    def leave(self, contact: Contact) -> bool:
        """Takes a contact out of its queue. Returns whether it was there."""
        return self._waiting[contact.queue_id].pop(id(contact), None) is not None

    def take_contact(self, seat: Seat) -> Contact | None:
        """Returns the contact a free seat takes next, out of its queue: of the home queue, else who waits longest."""
        first = [next(iter(self._waiting[queue].values())) for queue in seat.queues if self._waiting[queue]]
        if not first:
            return None
        home = first[0] if first[0].queue_id == seat.queues[0] else None
        contact = home or min(first, key=lambda waiting: waiting.queued_at)
        self.leave(contact)
        return contact

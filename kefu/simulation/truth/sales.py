"""The truth of tickets, dials, leads, orders and registrations."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from kefu.simulation.truth.facts import Entry, Facts, Metric, Segment, Unit
from kefu.simulation.truth.rules import OpenHours, presale_classes, promises
from kefu.simulation.truth.sheets import outcomes

DAY_SECONDS = 86400
REOPEN_SECONDS = 7 * DAY_SECONDS
AFTER_SALES_SECONDS = 21 * DAY_SECONDS
RETENTION_SECONDS = 90 * DAY_SECONDS
REDIAL_GAP_SECONDS = 60
EFFECTIVE_TALK_SECONDS = 15
LATE_LEAD_DAYS = 2

_DAY = dt.timedelta(days=1)
_OPEN = ("open", "pending", "on_hold")
_NEVER = 2**62
Row = dict[str, Any]


# --- tickets ---------------------------------------------------------------------------------------------------------


class Moment(NamedTuple):
    """An event of a ticket with how the ticket stands after it.

    Attributes:
        event: the row of the sheet.
        status: open, pending, on_hold, solved or closed. A word of thanks reopens nothing.
        owner: to whom it was assigned last; moving it to another team takes it from everybody.
        team: the team that owns it.
        priority: the last one given.
    """

    event: Row
    status: str
    owner: str | None
    team: str | None
    priority: str | None

    @property
    def at(self) -> int:
        """When it happened."""
        return int(self.event["event_at"])

    @property
    def kind(self) -> str:
        """What happened; thanks are told apart from reopenings."""
        is_thanks = self.event["event_kind"] == "reopened" and self.event["is_thanks"]
        return "thanks" if is_thanks else str(self.event["event_kind"])


@lru_cache(maxsize=1)
def _tickets(facts: Facts) -> list[list[Moment]]:
    """Returns the history of every ticket up to now."""
    events: dict[str, list[Row]] = defaultdict(list)
    for row in facts.paper("ticket_event"):
        if row["event_at"] <= facts.as_of:
            events[row["ticket_id"]].append(row)
    becomes = {kind: kind for kind in ("pending", "on_hold", "open", "solved", "closed")}
    becomes |= {"created": "open", "reopened": "open"}
    histories = []
    for rows in events.values():
        moment = Moment({}, "open", None, None, None)
        history = []
        for row in sorted(rows, key=lambda row: int(row["event_number"])):
            moment = moment._replace(event=row, priority=row["priority"] or moment.priority)
            if row["event_kind"] in ("assigned", "moved"):
                moment = moment._replace(owner=row["employee_number"] if row["event_kind"] == "assigned" else None)
            # The customer's answer ends the waiting for it.
            is_answer = moment.kind == "customer_update" and moment.status == "pending"
            status = "open" if is_answer else becomes.get(moment.kind, moment.status)
            moment = moment._replace(status=status, team=row["team_key"] or moment.team)
            history.append(moment)
        histories.append(history)
    return histories


def _solve(history: list[Moment]) -> int | None:
    """Returns the place of the last solving if no reopening came after it."""
    places = [place for place, moment in enumerate(history) if moment.kind in ("solved", "reopened")]
    return places[-1] if places and history[places[-1]].kind == "solved" else None


def _solved(facts: Facts) -> Iterator[tuple[list[Moment], tuple[Unit, ...], dt.date]]:
    """Yields solved tickets up to their last solving, with whom and when it is credited to (TE, CL)."""
    for history in _tickets(facts):
        place = _solve(history)
        if place is not None and (solver := history[place].event["employee_number"]):
            day = facts.date(history[place].at)
            yield history[: place + 1], facts.units(solver, day), day


def tickets_handled(facts: Facts) -> Iterator[Entry]:
    """Tickets the unit did something to, on the day of its first deed of a month; an assignment is none (TD, CS)."""
    for history in _tickets(facts):
        first: dict[tuple[Unit, int], dt.date] = {}
        for moment in history:
            if moment.kind != "assigned" and (doer := moment.event["employee_number"]):
                day = facts.date(moment.at)
                for unit in facts.units(doer, day):
                    first.setdefault((unit, day.year * 12 + day.month), day)
        for (unit, _), day in first.items():
            yield Entry((unit,), "none", day, 1, 0, 1)


def tickets_closed(facts: Facts) -> Iterator[Entry]:
    """Tickets solved for good (TE, CL)."""
    for _, units, day in _solved(facts):
        yield Entry(units, "none", day, 1, 0, 1)


def ticket_handle_time(facts: Facts) -> Iterator[Entry]:
    """Seconds of the owners' shifts in which it was open, from the first assignment on / solved tickets (TE, CL)."""
    for history, units, day in _solved(facts):
        if any(moment.kind == "assigned" for moment in history):
            seconds = sum(
                max(0, min(after.at, shift.end) - max(moment.at, shift.start))
                for moment, after in pairwise(history)
                if moment.status == "open" and moment.owner
                for shift in facts.duty[moment.owner]
            )
            yield Entry(units, "none", day, seconds, 1, 1)


def full_resolution_time(facts: Facts) -> Iterator[Entry]:
    """Seconds in which it was open, from its creation on / solved tickets (TE, CL)."""
    for history, units, day in _solved(facts):
        seconds = sum(after.at - moment.at for moment, after in pairwise(history) if moment.status == "open")
        yield Entry(units, "none", day, seconds, 1, 1)


def one_touch_rate(facts: Facts) -> Iterator[Entry]:
    """Solved with one public reply / solved tickets (TE, CL)."""
    for history, units, day in _solved(facts):
        replies = sum(moment.kind == "public_reply" for moment in history)
        yield Entry(units, "none", day, int(replies == 1), 1, 1)


def reopen_rate(facts: Facts) -> Iterator[Entry]:
    """Solvings reopened within seven days / solvings seven days ago (TE, CL)."""
    for history in _tickets(facts):
        for place, moment in enumerate(history):
            solver = moment.event["employee_number"]
            if moment.kind == "solved" and solver and moment.at + REOPEN_SECONDS <= facts.as_of:
                again = next((later.at for later in history[place:] if later.kind == "reopened"), None)
                is_reopened = again is not None and again <= moment.at + REOPEN_SECONDS
                day = facts.date(moment.at)
                yield Entry(facts.units(solver, day), "none", day, int(is_reopened), 1, 1)


def _owners(facts: Facts, moment: Moment, day: dt.date) -> tuple[Unit, ...]:
    """Returns the owner with the own team, or the team alone, and the site."""
    if moment.owner:
        return facts.units(moment.owner, day)
    return ("team", moment.team or "unassigned"), ("site", "site")


def backlog(facts: Facts) -> Iterator[Entry]:
    """Tickets not solved and not closed at the end of a local day; a team without one has 0 (TD, CT).

    Those of nobody's team are a team too, if there ever are any.
    """
    waiting: dict[tuple[Unit, dt.date], int] = defaultdict(int)
    days: set[dt.date] = set()
    for history in _tickets(facts):
        for moment, until in zip(history, [*(after.at for after in history[1:]), facts.as_of], strict=True):
            day = facts.date(moment.at)
            while _midnight(facts, day + _DAY) <= until:
                days.add(day)
                if moment.status in _OPEN:
                    for unit in _owners(facts, moment, day):
                        waiting[unit, day] += 1
                day += _DAY
    teams = {("team", row["team_id"]) for row in facts.rows("team")} | {
        unit for unit, _ in waiting if unit[0] == "team"
    }
    for unit in [("site", "site"), *sorted(teams)]:
        for day in sorted(days):
            yield Entry((unit,), "none", day, waiting[unit, day], 0, waiting[unit, day])


def tickets_open_age(facts: Facts) -> Iterator[Entry]:
    """Open hours since the customer's last word without a reply / open tickets with one, right now (CO)."""
    hours, today = OpenHours(facts.zone), facts.date(facts.as_of)
    for history in _tickets(facts):
        words = [moment for moment in history if moment.kind in ("customer_update", "public_reply")]
        if history[-1].status == "open" and words and words[-1].kind == "customer_update":
            seconds = hours.seconds(words[-1].at, facts.as_of)
            yield Entry(_owners(facts, history[-1], today), "none", today, seconds, 1, 1)


class Clock(NamedTuple):
    """A promise about a ticket that was kept, or whose time is over; dated on the day it was due."""

    name: str
    is_kept: bool
    units: tuple[Unit, ...]
    day: dt.date


_STOPS = {"first_reply": "public_reply", "resolution": "solved"}


def _clocks(facts: Facts) -> Iterator[Clock]:
    """Yields what became of the promises made when a ticket was created or reopened, by its priority then.

    Credited to who owned it when it was kept, or when it was broken.
    """
    hours = OpenHours(facts.zone)
    for history in _tickets(facts):
        for place, moment in enumerate(history):
            if moment.kind not in ("created", "reopened"):
                continue
            declared = promises(facts.date(moment.at))
            for name in _STOPS:
                if promise := declared.get((moment.priority or "", name)):
                    seconds, kind = promise
                    due, met = _due(history[place:], name, seconds, hours if kind == "business" else None)
                    if met:
                        yield Clock(name, True, _owners(facts, met, facts.date(due)), facts.date(due))
                    elif due <= facts.as_of:
                        owned = next(earlier for earlier in reversed(history) if earlier.at <= due)
                        yield Clock(name, False, _owners(facts, owned, facts.date(due)), facts.date(due))


def _due(history: list[Moment], name: str, seconds: int, hours: OpenHours | None) -> tuple[int, Moment | None]:
    """Returns when a clock that starts with the first moment runs out, and the moment that stopped it before.

    The one of the resolution stands still while the customer has to answer; one that stands still never runs out.
    """
    after = hours.after if hours else int.__add__
    left = seconds
    for moment, following in zip(history, [*history[1:], None], strict=True):
        stands_still = name == "resolution" and moment.status == "pending"
        if not stands_still:
            due = after(moment.at, left)
            if following is None or due < following.at:
                return due, None
            left -= hours.seconds(moment.at, following.at) if hours else following.at - moment.at
        if following is None:
            break
        if following.kind == _STOPS[name]:
            return after(following.at, left), following
    return _NEVER, None


def sla_compliance_rate(facts: Facts) -> Iterator[Entry]:
    """Promises kept in time / promises kept or due (TD, owner then)."""
    for clock in _clocks(facts):
        yield Entry(clock.units, "none", clock.day, int(clock.is_kept), 1, 1)


def response_timeout_count(facts: Facts) -> Iterator[Entry]:
    """First replies that did not come in time (TD, owner then)."""
    for clock in _clocks(facts):
        if clock.name == "first_reply" and not clock.is_kept:
            yield Entry(clock.units, "none", clock.day, 1, 0, 1)


def work_order_dispatch_stability(facts: Facts) -> Iterator[Entry]:
    """Dispatched tickets that were never sent on / dispatched tickets (TD, CO)."""
    for row in facts.paper("ticket"):
        if row["dispatched_to"] and row["redispatch_count"] is not None:
            day = facts.date(row["opened_at"])
            units = facts.units(row["employee_number"], day)
            yield Entry(units, "none", day, int(row["redispatch_count"] == 0), 1, 1)


# --- dials and leads -------------------------------------------------------------------------------------------------


def _dials(facts: Facts) -> Iterator[Row]:
    """Yields the dials that count: none of the same number by the same person too soon after one that counts."""
    last: dict[tuple[str, str], int] = {}
    for row in sorted(facts.paper("dial"), key=lambda row: (row["dialed_at"], row["dial_id"])):
        number = (row["employee_number"], row["customer_phone"])
        if row["customer_phone"] is None or row["dialed_at"] - last.get(number, 0) >= REDIAL_GAP_SECONDS:
            last[number] = row["dialed_at"]
            yield row


def _per_dial(facts: Facts, row: Row, numerator: int, denominator: int) -> Entry:
    """Returns an observation on the date of the shift the dial was made in (TD, CO)."""
    agent, at = row["employee_number"], row["dialed_at"]
    units = facts.units_at(agent, at)
    return Entry(units, "none", facts.business_date(agent, at, at), numerator, denominator, 1)


def calls_outbound_dialed(facts: Facts) -> Iterator[Entry]:
    """Dials that count (TD, CO)."""
    for row in _dials(facts):
        yield _per_dial(facts, row, 1, 0)


def calls_outbound_connected(facts: Facts) -> Iterator[Entry]:
    """Dials that a person answered (TD, CO)."""
    for row in _dials(facts):
        if row["result"] == "answered":
            yield _per_dial(facts, row, 1, 0)


def contact_rate(facts: Facts) -> Iterator[Entry]:
    """Answered / dials that count (TD, CO)."""
    for row in _dials(facts):
        yield _per_dial(facts, row, int(row["result"] == "answered"), 1)


def _is_effective(row: Row) -> bool:
    return row["result"] == "answered" and (row["talk_seconds"] or 0) >= EFFECTIVE_TALK_SECONDS


def dial_success_rate(facts: Facts) -> Iterator[Entry]:
    """Answered with a talk of 15 seconds / dials that count, bad numbers left out (TD, CO)."""
    for row in _dials(facts):
        if row["result"] != "bad_number":
            yield _per_dial(facts, row, int(_is_effective(row)), 1)


def list_utilization(facts: Facts) -> Iterator[Entry]:
    """Leads dialled by now / leads assigned; those of a month's last two days belong to the next one (TP, CO)."""
    dialled = {row["lead_id"] for row in facts.paper("dial") if row["dialed_at"] <= facts.as_of}
    for row in facts.paper("lead"):
        day = row["assigned_on"]
        if (day + LATE_LEAD_DAYS * _DAY).month != day.month:
            day = (day + LATE_LEAD_DAYS * _DAY).replace(day=1)
        yield Entry(facts.units(row["employee_number"], day), "none", day, int(row["lead_id"] in dialled), 1, 1)


def marketing_success_rate(facts: Facts) -> Iterator[Entry]:
    """Leads won / leads with an effective contact, on the date of the first one (TD, CO)."""
    reached: dict[str, Row] = {}
    for row in sorted(facts.paper("dial"), key=lambda row: (row["dialed_at"], row["dial_id"])):
        if row["lead_id"] and _is_effective(row) and row["dialed_at"] <= facts.as_of:
            reached.setdefault(row["lead_id"], row)
    for row in facts.paper("lead"):
        if first := reached.get(row["lead_id"]):
            own = {"employee_number": row["employee_number"], "dialed_at": first["dialed_at"]}
            yield _per_dial(facts, own, int(row["status"] == "won"), 1)


# --- orders ----------------------------------------------------------------------------------------------------------


def _midnight(facts: Facts, day: dt.date) -> int:
    return int(dt.datetime.combine(day, dt.time(), facts.zone).timestamp())


def _fen(amount: float) -> int:
    return round(100 * Fraction(str(amount)))


class Enquiry(NamedTuple):
    """A customer who asked people before buying on a local day.

    Attributes:
        asked: the first such question.
        begins: the first answer to one; what is paid before is nobody's work.
        ends: the end of the next day, itself outside.
    """

    customer: str
    day: dt.date
    asked: int
    begins: int
    ends: int


class Sales:
    """Enquiries of a kind, the payments that follow, and who is credited.

    Args:
        facts: what happened.
        is_enquiry: whether a conversation is about buying.
        is_order: which orders count.
    """

    def __init__(self, facts: Facts, is_enquiry: Callable[[str], bool], is_order: Callable[[Row], bool]) -> None:
        self._facts = facts
        served: dict[str, list[Segment]] = defaultdict(list)
        for segment in facts.segments:
            if segment.is_effective:
                served[segment.conversation].append(segment)
        self._served: dict[str, list[tuple[int, str, int, Segment]]] = defaultdict(list)
        enquiries: dict[tuple[str, dt.date], list[tuple[int, int]]] = defaultdict(list)
        for conversation, _ in outcomes(facts):
            key, customer = conversation.key, conversation.customer_key
            if customer is None:
                continue
            self._served[customer] += [(segment.spoke, key, segment.place, segment) for segment in served[key]]
            if is_enquiry(key):
                question, answer = facts.asked[key], min(segment.spoke for segment in served[key])
                enquiries[customer, facts.date(question)].append((question, answer))
        self.paid: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(facts.paper("order"), key=lambda row: (row["paid_at"] or 0, row["order_id"])):
            if row["customer_phone"] and row["paid_at"] is not None and row["paid_at"] <= facts.as_of and is_order(row):
                self.paid[row["customer_phone"]].append(row)
        self.enquiries = [
            Enquiry(
                customer=customer,
                day=day,
                asked=min(question for question, _ in moments),
                begins=min(answer for _, answer in moments),
                ends=_midnight(facts, day + 2 * _DAY),
            )
            for (customer, day), moments in enquiries.items()
        ]
        # Who has just bought something asks about that, unless something new is bought.
        self.enquiries = [one for one in self.enquiries if self.orders(one) or not self._is_after_sales(one)]

    def _is_after_sales(self, enquiry: Enquiry) -> bool:
        since = enquiry.asked - AFTER_SALES_SECONDS
        return any(since <= row["paid_at"] < enquiry.begins for row in self.paid[enquiry.customer])

    def orders(self, enquiry: Enquiry) -> list[Row]:
        """Returns what was paid from the first answer to an enquiry to the end of the next day."""
        return [row for row in self.paid[enquiry.customer] if enquiry.begins <= row["paid_at"] < enquiry.ends]

    def server(self, customer: str, until: int) -> Segment:
        """Returns the segment in which somebody was the last to begin speaking to the customer, up to an instant."""
        return max(served for served in self._served[customer] if served[0] <= until)[-1]

    def last_server(self, enquiry: Enquiry) -> Segment:
        """Returns the same of all that the customer asked on the day of the enquiry."""
        served = self._served[enquiry.customer]
        return max(one for one in served if self._facts.date(self._facts.asked[one[1]]) == enquiry.day)[-1]

    def is_kept(self, order: Row) -> bool:
        """Returns whether something of what was paid has not been given back by now."""
        refunded = order["refunded_at"] is not None and order["refunded_at"] <= self._facts.as_of
        return not refunded or _fen(order["refunded_amount"] or 0) < _fen(order["amount"])

    def attributed(self) -> Iterator[tuple[Row, Segment]]:
        """Yields each order that followed an enquiry once, with the last segment before the payment."""
        seen: set[str] = set()
        for enquiry in self.enquiries:
            for row in self.orders(enquiry):
                if row["order_id"] not in seen:
                    seen.add(row["order_id"])
                    yield row, self.server(enquiry.customer, row["paid_at"])

    def conversions(self) -> Iterator[Entry]:
        """Yields enquiries whose two days are over: whether the customer paid (TO, last human before the payment).

        A refund of everything reverses it; who served the customer stays.
        """
        for enquiry in self.enquiries:
            if enquiry.ends <= self._facts.as_of:
                orders = self.orders(enquiry)
                paid_at = orders[0]["paid_at"] if orders else None
                server = self.server(enquiry.customer, paid_at) if paid_at else self.last_server(enquiry)
                is_bought = any(self.is_kept(order) for order in orders)
                yield Entry(_served_units(self._facts, server), "none", enquiry.day, int(is_bought), 1, 1)


def _served_units(facts: Facts, segment: Segment) -> tuple[Unit, ...]:
    return facts.units_at(segment.agent, segment.start)


def _presale(facts: Facts) -> Sales:
    classes = presale_classes()
    return Sales(facts, lambda key: facts.issue_class.get(key) in classes, lambda _: True)


def inquiry_conversion_rate(facts: Facts) -> Iterator[Entry]:
    """Enquiries that ended in a payment on that day or the next / enquiries (TO)."""
    yield from _presale(facts).conversions()


def new_business_conversion_rate(facts: Facts) -> Iterator[Entry]:
    """Enquiries about new business that ended in an order of it / such enquiries (TO)."""
    noted = facts.labels
    sales = Sales(facts, lambda key: "new_business" in noted.get(key, ()), lambda row: bool(row["is_new_business"]))
    yield from sales.conversions()


def attributed_sales(facts: Facts) -> Iterator[Entry]:
    """Fen paid after an enquiry (TO)."""
    for row, segment in _presale(facts).attributed():
        yield Entry(_served_units(facts, segment), "none", facts.date(row["paid_at"]), _fen(row["amount"]), 0, 1)


def net_sales(facts: Facts) -> Iterator[Entry]:
    """Fen paid after an enquiry less those refunded, each on its own day (TO)."""
    for row, segment in _presale(facts).attributed():
        units = _served_units(facts, segment)
        yield Entry(units, "none", facts.date(row["paid_at"]), _fen(row["amount"]), 0, 1)
        if row["refunded_at"] is not None and row["refunded_at"] <= facts.as_of:
            yield Entry(units, "none", facts.date(row["refunded_at"]), -_fen(row["refunded_amount"] or 0), 0, 0)


def aov(facts: Facts) -> Iterator[Entry]:
    """Fen paid after an enquiry / different buyers (TO)."""
    for row, segment in _presale(facts).attributed():
        day, amount = facts.date(row["paid_at"]), _fen(row["amount"])
        yield Entry(_served_units(facts, segment), "none", day, amount, 0, 0, row["customer_phone"])


def new_user_registrations(facts: Facts) -> Iterator[Entry]:
    """Verified registrations, the first of each device and of each customer (TD, CO)."""
    seen: set[tuple[str, str]] = set()
    for row in sorted(facts.paper("registration"), key=lambda row: (row["registered_at"], row["registration_id"])):
        if not row["is_verified"]:
            continue
        keys = {(name, row[name]) for name in ("device_id", "customer_phone") if row[name]}
        if not keys & seen:
            day = facts.date(row["registered_at"])
            yield Entry(facts.units(row["employee_number"], day), "none", day, 1, 0, 1)
        seen |= keys


def customer_retention_rate(facts: Facts) -> Iterator[Entry]:
    """Customers who paid within 90 days of being served for the first time in a month / these (TE, CT)."""
    paid: dict[str, list[int]] = defaultdict(list)
    for row in facts.paper("order"):
        if row["paid_at"] is not None:
            paid[row["customer_phone"]].append(row["paid_at"])
    customers = {conversation.key: conversation.customer_key for conversation in facts.conversations}
    first: dict[tuple[Unit, str, str], Segment] = {}
    for segment in sorted(facts.segments, key=lambda segment: (segment.end, segment.conversation)):
        customer = customers[segment.conversation]
        if segment.is_effective and customer:
            for unit in facts.units_at(segment.agent, segment.start)[1:]:
                first.setdefault((unit, f"{segment.day:%Y-%m}", customer), segment)
    for (unit, _, customer), segment in first.items():
        if segment.end + RETENTION_SECONDS <= facts.as_of:
            is_back = any(segment.end < at <= segment.end + RETENTION_SECONDS for at in paid[customer])
            yield Entry((unit,), "none", segment.day, int(is_back), 1, 1)


TRUTH: dict[str, Metric] = {
    "tickets_handled": Metric(tickets_handled, "sum"),
    "tickets_closed": Metric(tickets_closed, "sum"),
    "ticket_handle_time": Metric(ticket_handle_time),
    "full_resolution_time": Metric(full_resolution_time),
    "one_touch_rate": Metric(one_touch_rate),
    "reopen_rate": Metric(reopen_rate),
    "backlog": Metric(backlog, "last"),
    "tickets_open_age": Metric(tickets_open_age),
    "sla_compliance_rate": Metric(sla_compliance_rate),
    "response_timeout_count": Metric(response_timeout_count, "sum"),
    "work_order_dispatch_stability": Metric(work_order_dispatch_stability),
    "calls_outbound_dialed": Metric(calls_outbound_dialed, "sum"),
    "calls_outbound_connected": Metric(calls_outbound_connected, "sum"),
    "contact_rate": Metric(contact_rate),
    "dial_success_rate": Metric(dial_success_rate),
    "list_utilization": Metric(list_utilization, grains=("month",)),
    "marketing_success_rate": Metric(marketing_success_rate),
    "inquiry_conversion_rate": Metric(inquiry_conversion_rate),
    "new_business_conversion_rate": Metric(new_business_conversion_rate),
    "attributed_sales": Metric(attributed_sales, "sum"),
    "net_sales": Metric(net_sales, "sum"),
    "aov": Metric(aov, "per_distinct"),
    "new_user_registrations": Metric(new_user_registrations, "sum"),
    "customer_retention_rate": Metric(customer_retention_rate, grains=("month",)),
}

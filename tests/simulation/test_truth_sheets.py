"""The truth of sheets, tickets and sales against small cases counted by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from kefu.simulation.configuration import SOURCES
from kefu.simulation.faults import DECLARED
from kefu.simulation.papers import paper_schema
from kefu.simulation.run import simulate
from kefu.simulation.scenario import Scenario
from kefu.simulation.staff import staff_phone
from kefu.simulation.truth import Facts, metric_values, rules, sales, sheets
from kefu.simulation.world import SCHEMAS, World
from kefu.simulation.writers.voice import call_uniqueids

SCENARIO = Scenario(agents=6)
# Monday, 5 October 2026, 09:00 in Shanghai.
MORNING = datetime(2026, 10, 5, 1, tzinfo=UTC)
AS_OF = datetime(2026, 11, 9, 16, tzinfo=UTC)
HOUR, DAY = 3600, 86400
Row = dict[str, Any]
Numbers = tuple[Any, Any, int]

# Open from Monday to Friday, 9 to 18; Tuesday the 6th is a holiday that is worked on Saturday the 10th.
CONFIGURATION: dict[str, list[Row]] = {
    "calendars": [
        {
            "calendar_id": "service", "valid_from": date(2026, 1, 1), "is_default": True,
            "service_windows": [{"weekdays": [1, 2, 3, 4, 5], "start": "09:00", "end": "18:00"}],
            "holidays": [{"date": date(2026, 10, 6)}], "make_up_days": [date(2026, 10, 10)], "make_up_weekday": 1,
        }
    ],
    "sla": [
        {"sla_id": "a", "priority": "urgent", "clock": "first_reply", "target_seconds": HOUR, "hours": "calendar",
         "valid_from": date(2026, 1, 1)},
        {"sla_id": "b", "priority": "normal", "clock": "resolution", "target_seconds": 10 * HOUR, "hours": "business",
         "valid_from": date(2026, 1, 1)},
    ],
    "issue_classes": [
        {"issue_class": "promotion", "is_presale": True, "valid_from": date(2026, 1, 1)},
        {"issue_class": "refund", "is_presale": False, "valid_from": date(2026, 1, 1)},
    ],
    "qa_items": [
        {"item_id": "opening", "labels": ["opening"], "group": "etiquette", "weight": "1",
         "valid_from": date(2026, 1, 1)},
        {"item_id": "closing", "labels": ["closing"], "group": "etiquette", "weight": "3",
         "valid_from": date(2026, 1, 1)},
        {"item_id": "privacy", "labels": ["privacy"], "group": "professionalism", "weight": "1",
         "critical": "compliance", "valid_from": date(2026, 1, 1)},
        {"item_id": "accuracy", "labels": ["accuracy"], "group": "professionalism", "weight": "1",
         "critical": "business", "valid_from": date(2026, 1, 1)},
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def _configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_declared", CONFIGURATION.__getitem__)


def at(seconds: float = 0, day: int = 0) -> datetime:
    return MORNING + timedelta(days=day, seconds=seconds)


def shift(agent: str, day: int = 0, start: float = 0, hours: float = 9) -> Row:
    return {
        "agent_key": agent, "shift_date": (MORNING + timedelta(days=day)).date(), "start_at": at(start, day),
        "end_at": at(start + HOUR * hours, day), "break_seconds": 3600, "is_rest_day": False, "work": "voice",
    }  # fmt: skip


class Made:
    """A world in the making. Everybody works from 9 to 18 on every day of October; phones are 160 and the customer."""

    def __init__(self) -> None:
        keys = ("A1", "A2", "A3")
        self.tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
        self.papers: dict[str, list[Row]] = {}
        self.tables |= {
            "team": [{"team_id": "orders"}, {"team_id": "delivery"}],
            "agent": [{"agent_key": key, "role": "mixed", "hire_date": date(2026, 1, 1)} for key in keys],
            "membership": [
                {"agent_key": key, "team_id": team, "valid_from": date(2026, 1, 1)}
                for key, team in zip(keys, ("orders", "orders", "delivery"), strict=True)
            ],
            "queue": [
                {"queue_id": f"{channel}_orders", "channel": channel, "team_id": "orders", "service_level_seconds": 30}
                for channel in SOURCES
            ],
            "customer": [{"customer_id": n, "phone": phone(n), "email": f"c{n}@example.com"} for n in range(1, 20)],
            "shift": [shift(key, day) for key in keys for day in range(-4, 27)],
        }

    def talk(self, number: int, start: float, *, agent: str = "A1", customer: int = 1, channel: str = "desk",
             seconds: float = 300, day: int = 0, then: str | None = None, **more: Any) -> Made:  # fmt: skip
        """Adds a chat with an answer after 20 seconds; `then` takes it over in the middle."""
        chat = {
            "chat_id": number, "channel": channel, "queue_id": f"{channel}_orders", "customer_id": customer,
            "issue_id": number, "started_at": at(start, day), "accepted_at": at(start + 10, day),
            "agent_key": then or agent, "closed_at": at(start + seconds, day), "closed_by": "agent", "is_group": False,
        }  # fmt: skip
        owners = [(agent, start + 10, start + seconds, "closed")]
        said = [(start, "visitor", None, "?"), (start + 20, "agent", agent, "!")]
        if then:
            middle = start + seconds // 2
            owners = [(agent, start + 10, middle, "transfer"), (then, middle, start + seconds, "closed")]
            said += [(middle, "system", agent, "transferred"), (middle + 20, "agent", then, "!")]
        said.append((start + seconds, "system", then or agent, "closed_by_agent"))
        self.tables["chat"].append(chat | more)
        self.tables["chat_segment"] += [
            {"chat_id": number, "number": place, "agent_key": owner, "queue_id": f"{channel}_orders",
             "started_at": at(begin, day), "ended_at": at(end, day), "ended_how": how}
            for place, (owner, begin, end, how) in enumerate(owners, 1)
        ]  # fmt: skip
        for second, author, who, text in said:
            self.tables["message"].append(
                {"message_id": len(self.tables["message"]) + 1, "chat_id": number, "author": author, "agent_key": who,
                 "sent_at": at(second, day), "text": text}
            )  # fmt: skip
        return self

    def call(self, number: int, start: float, seconds: float, agent: str = "A1", customer: int = 1, day: int = 0,
             **more: Any) -> Made:  # fmt: skip
        """Adds an inbound call that is answered at once."""
        self.tables["call"].append(
            {"call_id": number, "direction": "inbound", "queue_id": "voice_orders", "customer_id": customer,
             "issue_id": number, "entered_at": at(start, day), "outcome": "answered", "answered_at": at(start, day),
             "ended_at": at(start + seconds, day), "agent_key": agent, "ended_by": "caller"} | more
        )  # fmt: skip
        return self

    def sheet(self, entity: str, *rows: Row) -> Made:
        self.papers.setdefault(entity, []).extend(rows)
        return self

    def label(self, number: int, **labels: str | None) -> Made:
        return self.sheet(
            "contact_label",
            *(desk(number) | {"label": name, "value": value, "labelled_by": "A1"} for name, value in labels.items()),
        )

    def world(self) -> World:
        tables = {name: pa.Table.from_pylist(self.tables[name], schema=schema) for name, schema in SCHEMAS.items()}
        papers = {name: pa.Table.from_pylist(rows, schema=paper_schema(name)) for name, rows in self.papers.items()}
        return World(tables, papers)

    def values(self, metric: str, period: str = "2026-10", as_of: datetime = AS_OF) -> dict[str, Numbers]:
        """Numerator, denominator and n of a metric by unit, all channels together."""
        table = metric_values(Facts(self.world(), SCENARIO, as_of), [metric])
        return {
            row["unit_key"]: (row["numerator"], row["denominator"], row["n"])
            for row in table.to_pylist()
            if row["channel"] in ("all", "none") and row["period"] == period and row["period_kind"] != "week"
        }

    def value(self, metric: str) -> float:
        """The value of the site in October."""
        table = metric_values(Facts(self.world(), SCENARIO, AS_OF), [metric])
        [value] = [
            row["value"]
            for row in table.to_pylist()
            if (row["unit_key"], row["period"]) == ("site", "2026-10") and row["channel"] in ("all", "none")
        ]
        return float(value)


def phone(customer: int) -> str:
    return f"160{customer:08}"


def desk(number: int) -> Row:
    return {"contact_source_id": SOURCES["desk"], "contact_id": str(number)}


# --- how conversations ended


def test_help_call_backs_and_transfers_are_no_solution_of_ones_own() -> None:
    made = Made().talk(1, 0).talk(2, 400).talk(3, 800).talk(4, 1200, then="A3").talk(5, 1600).call(6, 3000, 60)
    [number] = call_uniqueids(made.world().tables["call"].combine_chunks())["uniqueid"].to_pylist()
    made.sheet("assist", desk(2) | {"assist_id": "1", "employee_number": "A1", "asked_at": at(500)})
    made.sheet("assist", {"contact_source_id": SOURCES["voice"], "contact_id": number, "assist_id": "2"})
    made.sheet("assist", desk(99) | {"assist_id": "3"})
    made.sheet("callback_task", desk(3) | {"callback_id": "1"})
    assert made.values("fcr_internal") == {
        "A1": (2, 5, 5), "A3": (0, 1, 1), "orders": (2, 5, 5), "delivery": (0, 1, 1), "site": (2, 6, 6),
    }  # fmt: skip


def test_help_counts_for_who_asked_in_this_conversation() -> None:
    made = Made().talk(1, 0, then="A3").talk(2, 400)
    made.sheet("assist", desk(1) | {"assist_id": "1", "employee_number": "A3"})
    assert made.values("escalation_rate") == {
        "A1": (0, 2, 2), "A3": (1, 1, 1), "orders": (0, 2, 2), "delivery": (1, 1, 1), "site": (1, 3, 3),
    }  # fmt: skip


def test_who_comes_back_within_a_week_was_not_helped() -> None:
    made = (
        Made()
        .talk(1, 0).talk(2, 0, day=3)                                      # back on the third day; later nobody is
        .talk(3, 0, customer=2).talk(4, 300, customer=2, day=7)            # starts exactly seven days after the end
        .talk(5, 0, customer=3).talk(6, 301, customer=3, day=7)            # one second too late
        .talk(7, 0, customer=4).call(8, 0, 60, customer=4, day=1)          # by another channel
    )  # fmt: skip
    assert made.values("fcr_repeat")["site"] == (5, 8, 8)
    assert made.values("repeat_contact_rate")["site"] == (3, 8, 8)


def test_the_week_begins_with_the_last_word_and_what_we_open_is_no_return() -> None:
    # Nobody closes the first chat; its last word is said after 300 s, and the customer is back on the second day.
    made = Made().talk(1, 0, channel="chat").talk(2, 0, channel="chat", day=1)
    made.tables["chat"][0] |= {"closed_at": None, "closed_by": None}
    made.tables["chat_segment"][0] |= {"ended_at": None, "ended_how": None}
    assert made.values("fcr_repeat")["site"] == (1, 2, 2)
    # We write to the customer of the third, who answers: at the desk that is no return, on the website it is one.
    for channel, solved in (("desk", 2), ("chat", 1)):
        made = Made().talk(3, 0).talk(4, 0, channel=channel, day=1)
        question = next(row for row in made.tables["message"] if row["chat_id"] == 4)
        question |= {"message_id": 100}
        assert made.values("fcr_repeat")["site"] == (solved, 2, 2)


def test_another_subject_is_no_return_but_an_unknown_one_is() -> None:
    made = Made()
    for customer, (first, second) in enumerate([("refund", "promotion"), ("refund", "refund"), ("refund", None)], 1):
        made.talk(10 * customer, 0, customer=customer).talk(10 * customer + 1, 0, customer=customer, day=1)
        made.label(10 * customer, issue_class=first)
        if second:
            made.label(10 * customer + 1, issue_class=second)
    assert made.values("fcr_repeat", "2026-10-05")["site"] == (1, 3, 3)


def test_the_label_goes_before_the_ticket() -> None:
    made = Made().talk(1, 0).talk(2, 0, day=1).label(2, issue_class="refund")
    ticket = desk(1) | {"employee_number": "A1", "opened_at": at(300), "ticket_id": "1"}
    made.sheet("ticket", ticket | {"issue_class": "promotion"})
    assert made.values("fcr_repeat", "2026-10-05")["site"] == (1, 1, 1)
    made.sheet("ticket", ticket | {"ticket_id": "2", "opened_at": at(301), "issue_class": "refund"})
    assert made.values("fcr_repeat", "2026-10-05")["site"] == (0, 1, 1)
    made.label(1, issue_class="promotion")
    assert made.values("fcr_repeat", "2026-10-05")["site"] == (1, 1, 1)


def test_bots_alone_unripe_and_reopened_conversations() -> None:
    made = Made().talk(1, 0)
    made.talk(2, 0, day=1, accepted_at=None, agent_key=None, bot_until=at(300, 1), closed_by="visitor")
    made.tables["chat_segment"] = [row for row in made.tables["chat_segment"] if row["chat_id"] != 2]
    made.tables["message"] = [row for row in made.tables["message"] if row["chat_id"] != 2]
    assert made.values("fcr_repeat")["site"] == (1, 1, 1)
    early = at(299, 7)
    assert made.values("fcr_repeat", as_of=early) == {}
    assert made.values("fcr_repeat", as_of=at(300, 7))["site"] == (1, 1, 1)
    again = Made().talk(1, 0, customer=5, seconds=900, reopened_at=at(500))
    again.tables["chat_segment"][0] |= {"ended_at": at(400)}
    again.tables["chat_segment"].append(
        again.tables["chat_segment"][0] | {"number": 2, "started_at": at(520), "ended_at": at(900)}
    )
    again.tables["message"] = [
        {"message_id": place, "chat_id": 1, "author": author, "agent_key": who, "sent_at": at(second), "text": text}
        for place, (second, author, who, text) in enumerate(
            [
                (0, "visitor", None, "?"), (20, "agent", "A1", "!"), (400, "system", "A1", "closed_by_agent"),
                (500, "system", None, "reopened"), (500, "visitor", None, "?"), (530, "agent", "A1", "!"),
                (900, "system", "A1", "closed_by_agent"),
            ]
        )
    ]  # fmt: skip
    assert again.values("fcr_repeat")["site"] == (0, 1, 1)


def ticket(number: int, code: str | None, contact: int | None = None, opened: float = 300, **more: Any) -> Row:
    return desk(contact or number) | {
        "ticket_id": f"T{number}", "employee_number": "A1", "issue_class": "refund", "opened_at": at(opened),
        "close_code": code,
    } | more  # fmt: skip


def test_a_ticket_after_the_clocks_says_nothing_yet() -> None:
    made = Made().talk(1, 0).talk(2, 0, customer=2)
    ticket = {"employee_number": "A1", "close_code": "solved"}
    made.sheet(
        "ticket",
        desk(1) | ticket | {"ticket_id": "1", "opened_at": at(300), "closed_at": at(400)},
        desk(2) | ticket | {"ticket_id": "2", "opened_at": at(300), "closed_at": at(401)},
        desk(1) | ticket | {"ticket_id": "3", "opened_at": at(401), "close_code": "unsolved"},
    )
    assert made.values("resolution_rate", as_of=at(400))["site"] == (1, 2, 2)
    assert made.values("resolution_coding_rate", as_of=at(400))["site"] == (1, 2, 2)
    assert made.values("resolution_rate", as_of=at(401))["site"] == (1, 2, 2)
    assert made.values("resolution_coding_rate", as_of=at(401))["site"] == (2, 2, 2)


def test_the_last_ticket_says_whether_it_is_solved() -> None:
    made = Made().talk(1, 0).talk(2, 400).talk(3, 800, then="A3").talk(4, 1200).talk(5, 1600).talk(6, 2000)
    made.sheet("ticket", ticket(1, "solved"), ticket(2, "solved"), ticket(22, "unsolved", 2, opened=301))
    made.sheet("ticket", ticket(3, "solved"), ticket(4, "withdrawn"), ticket(5, None))
    assert made.values("resolution_rate") == {
        "A1": (1, 5, 5), "A3": (1, 1, 1), "orders": (1, 5, 5), "delivery": (1, 1, 1), "site": (2, 6, 6),
    }  # fmt: skip
    assert made.values("resolution_coding_rate")["site"] == (3, 6, 6)
    # The one that was passed on was not solved at the first attempt.
    assert made.values("resolution_in_session_rate")["site"] == (1, 6, 6)


def test_who_codes_nothing_is_not_measured_by_codes() -> None:
    # The first code is of the second day; the last talk is of another team.
    made = Made().talk(1, 0, agent="A2").talk(2, 0, agent="A2", day=1).talk(3, 400, agent="A2", day=1)
    made.talk(4, 800, agent="A2", day=1, then="A3")
    made.sheet("ticket", ticket(2, "unsolved"))
    assert made.values("resolution_rate")["site"] == (0, 2, 2)


def test_a_saved_customer_who_asks_again_within_a_month_was_not_saved() -> None:
    made = Made().talk(1, 0).talk(2, 0, customer=2).talk(3, 0, customer=2, day=20).talk(4, 0, customer=3).talk(5, 400)
    yes: dict[str, str | None] = {"cancellation_request": None, "cancellation_saved": None}
    made.label(1, **yes).label(2, **yes).label(3, cancellation_request=None).label(4, cancellation_request=None)
    assert made.values("retention_save_rate")["site"] == (1, 4, 4)


def test_personal_words_count_for_everybody_of_the_conversation() -> None:
    made = Made().talk(1, 0, then="A3").talk(2, 400).label(1, personalized=None)
    assert made.values("personalization_rate") == {
        "A1": (1, 2, 2), "A3": (1, 1, 1), "orders": (1, 2, 2), "delivery": (1, 1, 1), "site": (2, 3, 3),
    }  # fmt: skip


def test_sentiment_at_the_end_and_what_became_of_it() -> None:
    made = Made().talk(1, 0).talk(2, 400).talk(3, 800).talk(4, 1200)
    made.label(1, sentiment_first="-1", sentiment_last="1").label(2, sentiment_first="1", sentiment_last="-1")
    made.label(3, sentiment_last="0")
    assert made.values("sentiment_negative_rate")["A1"] == (1, 3, 3)
    assert made.values("sentiment_shift")["A1"] == (0, 2, 2)


def test_hard_subjects_weigh_more() -> None:
    # Calls of a known subject take 100, 300 and 50 s: 150 on average, 200 for refunds, 50 for promotions.
    made = Made().call(1, 0, 100).call(2, 1000, 300, "A2").call(3, 2000, 50).call(4, 3000, 5000)
    numbers = call_uniqueids(made.world().tables["call"].combine_chunks())["uniqueid"].to_pylist()
    for number, subject in zip(numbers, ("refund", "refund", "promotion"), strict=False):
        contact = {"contact_source_id": SOURCES["voice"], "contact_id": number, "labelled_by": "A1"}
        made.sheet("contact_label", contact | {"label": "issue_class", "value": subject})
        if subject == "promotion":
            made.sheet("contact_label", contact | {"label": "high_value"})
    assert made.values("case_mix_index") == {
        "A1": (250, 300, 2), "A2": (200, 150, 1), "orders": (450, 450, 3), "site": (450, 450, 3),
    }  # fmt: skip
    # Refunds take 1.33 times the usual, and the promotion is of a valued customer.
    assert made.values("complex_case_share")["A1"] == (2, 2, 2)


def test_an_impossible_call_sets_no_standard() -> None:
    # The second refund is above four hours: refunds take 300 s. No promotion has a length that can be believed.
    made = Made().call(1, 0, 300).call(2, 1000, 14401).call(3, 20000, 14401)
    numbers = call_uniqueids(made.world().tables["call"].combine_chunks())["uniqueid"].to_pylist()
    for number, subject in zip(numbers, ("refund", "refund", "promotion"), strict=True):
        contact = {"contact_source_id": SOURCES["voice"], "contact_id": number, "labelled_by": "A1"}
        made.sheet("contact_label", contact | {"label": "issue_class", "value": subject})
    assert made.values("case_mix_index")["A1"] == (600, 600, 2)


# --- the customer's voice


def survey(number: int, contact: int, value: int | None, customer: int, channel: str = "desk", **more: Any) -> Row:
    return {
        "survey_id": number, "channel": channel, "contact_id": contact, "agent_key": "A1", "customer_id": customer,
        "invited_at": at(2000), "answered_at": None if value is None else at(2100), "value": value,
    } | more  # fmt: skip


def test_ratings_have_a_mean_a_bad_end_and_a_question_of_their_own() -> None:
    made = Made()
    for number in range(1, 5):
        made.talk(number, 400 * number, customer=number)
    made.tables["survey"] = [
        survey(1, 1, 5, 1, solved=2), survey(2, 2, 2, 2), survey(3, 3, 3, 3, solved=4), survey(4, 4, None, 4),
    ]  # fmt: skip
    assert made.values("csat_score")["A1"] == (10, 3, 3)
    assert made.values("dissatisfied_rate")["A1"] == (1, 3, 3)
    assert made.values("fcr_survey")["A1"] == (1, 2, 2)


def answer(number: int, instrument: str, value: int, **more: Any) -> Row:
    return {
        "response_id": f"V{number}", "instrument": instrument, "value": value, "answered_at": at(5000)
    } | more  # fmt: skip


def test_effort_follows_the_rules_of_ratings() -> None:
    made = Made().talk(1, 0).talk(2, 400, customer=2, then="A3").talk(3, 800, customer=3).talk(4, 1200, customer=4)
    made.tables["customer"][3]["phone"] = staff_phone("A2")
    made.sheet(
        "survey_response",
        answer(1, "ces", 7) | desk(1), answer(2, "ces", 3, answered_at=at(6000)) | desk(1),  # the last one counts
        answer(3, "ces", 6) | desk(2),
        answer(4, "ces", 1, answered_at=at(1101, 3)) | desk(3),  # 72 hours and a second
        answer(5, "ces", 1) | desk(4),  # a colleague
        answer(6, "nps", 1),
    )  # fmt: skip
    assert made.values("ces") == {
        "A1": (3, 1, 1), "A3": (6, 1, 1), "orders": (3, 1, 1), "delivery": (6, 1, 1), "site": (9, 2, 2),
    }  # fmt: skip


def test_recommenders_less_critics_of_a_team_and_the_site() -> None:
    made = Made().sheet(
        "survey_response",
        answer(1, "nps", 10, employee_number="A1"), answer(2, "nps", 9), answer(3, "nps", 6, employee_number="A1"),
        answer(4, "nps", 8), answer(5, "ces", 1),
    )  # fmt: skip
    assert made.values("nps") == {"orders": (0, 2, 2), "site": (1, 4, 4)}
    assert made.value("nps") == 25


def test_groups_and_systems_without_invitations_are_not_asked() -> None:
    made = Made().talk(1, 0).talk(2, 400).talk(3, 800, is_group=True).talk(4, 1200, channel="chat").call(5, 2000, 60)
    made.tables["survey"] = [survey(1, 1, None, 1), survey(2, 5, None, 1, "voice"), survey(3, 4, None, 1, "chat")]
    assert made.values("survey_offer_rate")["A1"] == (2, 3, 3)
    made.sheet("contact_label", desk(2) | {"label": "survey_blocked", "value": None, "labelled_by": "survey rules"})
    assert made.values("survey_offer_rate")["A1"] == (2, 2, 2)


def complaint(number: int, status: str = "upheld", agent: str | None = "A1", **more: Any) -> Row:
    return {
        "complaint_id": f"C{number}", "employee_number": agent, "received_at": at(20 * HOUR), "status": status,
        "category": "service", "is_severe": False,
    } | more  # fmt: skip


def test_complaints_count_when_they_are_upheld_and_name_somebody() -> None:
    made = Made().talk(1, 0).talk(2, 400).talk(3, 800, agent="A3")
    made.sheet(
        "complaint", complaint(1), complaint(2, "rejected"), complaint(3, "open"), complaint(4, "withdrawn"),
        complaint(5, agent=None), complaint(6, agent="A3", received_at=at(40 * HOUR)),
    )  # fmt: skip
    assert made.values("complaint_rate") == {
        "A1": (1, 2, 2), "A3": (1, 1, 1), "orders": (1, 2, 2), "delivery": (1, 1, 1), "site": (2, 3, 3),
    }  # fmt: skip
    assert made.value("complaint_rate") == pytest.approx(1000 * 2 / 3)
    # It came at five in the morning of the next day.
    assert made.values("complaint_rate", "2026-10-06")["A1"] == (1, 0, 0)


def test_solved_complaints_are_rated_by_team() -> None:
    made = Made().talk(1, 0, then="A3")
    made.sheet(
        "complaint", complaint(1, resolution_rating=4), complaint(2, resolution_rating=3), complaint(3),
        complaint(4, agent=None, resolution_rating=5) | desk(1), complaint(5, agent=None, resolution_rating=1),
    )  # fmt: skip
    assert made.values("complaint_resolution_csat") == {
        "orders": (1, 2, 2), "delivery": (1, 1, 1), "site": (2, 4, 4)
    }  # fmt: skip


def test_words_in_public_and_blocks() -> None:
    def word(number: int, kind: str, agent: str | None = None, is_verified: bool = True) -> Row:
        return {
            "feedback_id": f"S{number}", "kind": kind, "platform": "weibo", "posted_at": at(), "employee_number": agent,
            "is_verified": is_verified,
        }  # fmt: skip

    made = Made().sheet(
        "social_feedback", word(1, "praise", "A1"), word(2, "praise", "A1", False), word(3, "praise"),
        word(4, "criticism", "A3"), word(5, "neutral"),
    )  # fmt: skip
    assert made.values("social_feedback_count") == {
        "orders": (2, None, 2),
        "delivery": (1, None, 1),
        "site": (5, None, 5),
    }
    assert made.values("social_feedback_negative_rate")["site"] == (1, 5, 5)
    assert made.values("social_feedback_negative_rate")["delivery"] == (1, 1, 1)
    assert made.values("praise_count") == dict.fromkeys(("A1", "orders", "site"), (1, None, 1))
    made.sheet(
        "contact_block_day", {"employee_number": "A1", "block_date": date(2026, 10, 5), "blocks": 2, "rejections": 1}
    )
    assert made.values("negative_contact_feedback") == dict.fromkeys(("A1", "orders", "site"), (3, None, 3))


# --- reviews and audits


def review(number: int, **more: Any) -> Row:
    return {
        "review_id": number, "agent_key": "A1", "reviewer_key": "A3", "channel": "voice", "contact_id": number,
        "contact_at": at(), "reviewed_at": at(day=1), "score": 90.0, "is_fatal": False, "is_blind": False,
        "playback_seconds": 100, "recording_seconds": 100,
    } | more  # fmt: skip


def marks(number: int, **given: float | None) -> list[Row]:
    return [
        {"review_id": f"R{number:06}", "item": item, "mark": mark, "most_marks": 10.0} for item, mark in given.items()
    ]


def test_groups_of_items_are_weighted_and_leave_out_what_does_not_apply() -> None:
    made = Made()
    made.tables["qa_review"] = [review(1), review(2), review(3), review(4, is_blind=True), review(5, is_fatal=True)]
    made.sheet(
        "qa_item", *marks(1, opening=8, closing=4, privacy=0), *marks(2, opening=None, closing=10, privacy=6, other=0),
        *marks(3, opening=None, accuracy=0), *marks(4, opening=0, privacy=0),
    )  # fmt: skip
    # 0.8 x 1 + 0.4 x 3 and 1.0 x 3 of weights 4 and 3; the third review has no such item.
    assert made.values("etiquette_score")["A1"] == (5, 7, 2)
    assert made.value("etiquette_score") == pytest.approx(100 * 5 / 7)
    assert made.values("professionalism_score")["A1"] == (Fraction(6, 10), 3, 3)
    assert made.values("compliance_violation_rate")["A1"] == (1, 2, 2)
    # Fatal are the first and the third by a critical item without marks, the fifth by its form.
    assert made.values("qa_critical_error_rate")["A1"] == (3, 4, 4)


def test_a_review_is_worth_its_items_where_all_are_there_and_else_what_was_entered() -> None:
    made = Made()
    made.tables["qa_review"] = [review(number) for number in range(1, 7)]
    made.sheet(
        "qa_item", *marks(1, opening=8, closing=4, privacy=10, accuracy=6), *marks(2, opening=8, closing=4, privacy=10),
        *marks(3, opening=None, closing=4, privacy=10, accuracy=6),
        *marks(4, opening=8, closing=4, privacy=10, smile=6), *marks(5, opening=8, closing=4, privacy=10, accuracy=0),
    )  # fmt: skip
    # 0.8 x 1 + 0.4 x 3 + 1 + 0.6 of 6; entered 90; 2.8 of 5; entered, for smile is no item; fatal; entered.
    assert made.values("qa_listening_score")["A1"] == (60 + 90 + 56 + 90 + 0 + 90, 6, 6)


def test_what_is_dated_after_somebody_left_is_in_no_team_that_exists() -> None:
    made = Made()
    made.tables["qa_review"] = [review(1)]
    made.tables["membership"] = [
        {"agent_key": "A1", "team_id": "orders", "valid_from": date(2026, 1, 1), "valid_to": date(2026, 10, 2)}
    ]
    assert set(made.values("qa_listening_score")) == {"A1", "unassigned", "site"}


def test_twelve_reviews_are_spread_over_the_days_that_count() -> None:
    made = Made()
    made.tables["qa_review"] = [review(1), review(2), review(3, is_blind=True)]
    made.tables["shift"] = [shift("A1", day) for day in range(6)]
    made.tables["leave"] = [
        {"agent_key": "A1", "start_date": date(2026, 10, 6), "end_date": date(2026, 10, 6), "status": "approved"}
    ]
    made.tables["punch"] = [
        {"agent_key": "A1", "shift_date": date(2026, 10, 7), "in_at": at(day=2), "out_at": None, "punch_id": 1}
    ]
    # Six days, of which one is leave and one has no clock-out: four times 12 / 6.
    assert made.values("qa_sample_completion") == {"A1": (2, 8, 4)}


def test_audits_leave_out_what_does_not_apply() -> None:
    def audit(number: int, entry: bool, dispatch: bool | None, customer: bool | None) -> Row:
        return {
            "audit_id": str(number), "ticket_id": "1", "employee_number": "A1", "auditor_number": "A3",
            "audited_at": at(), "is_entry_compliant": entry, "is_dispatch_correct": dispatch,
            "is_customer_correct": customer,
        }  # fmt: skip

    made = Made().sheet(
        "work_order_audit", audit(1, True, None, None), audit(2, False, False, True), audit(3, True, True, True)
    )
    assert made.values("work_order_entry_compliance")["A1"] == (2, 3, 3)
    assert made.values("work_order_dispatch_accuracy")["A1"] == (1, 2, 2)
    assert made.values("customer_link_accuracy")["A1"] == (2, 2, 2)


# --- forms, courses, groups


def test_forms_need_a_second_person_and_peers_another_one() -> None:
    def form(number: int, kind: str, rater: str, approver: str | None, *scores: float | None) -> Row:
        return {
            "form_id": str(number), "form_kind": kind, "employee_number": "A1", "rater_number": rater,
            "form_date": date(2026, 10, 31), "approver_number": approver,
        } | dict(zip(sheets.SCORES, scores, strict=True))  # fmt: skip

    made = Made().sheet(
        "daily_form",
        form(1, "daily_appraisal", "A3", "A2", 80, 90, 100), form(2, "daily_appraisal", "A3", "A2", 60, None, 70),
        form(3, "daily_appraisal", "A3", None, 0, 0, 0), form(4, "daily_appraisal", "A3", "A3", 0, 0, 0),
        form(5, "manager_rating", "A3", "A2", 88, 90, None), form(6, "manager_rating", "A3", None, 0, 0, None),
        form(7, "peer_rating", "A2", None, 70, 72, None), form(8, "peer_rating", "A1", None, 0, 0, None),
    )  # fmt: skip
    assert made.values("daily_appraisal_score")["A1"] == (90 + 65, 2, 2)
    assert made.values("teamwork_score")["A1"] == (140, 2, 2)
    assert made.values("initiative_score")["A1"] == (90, 1, 1)
    assert made.values("attendance_form_score")["A1"] == (170, 2, 2)
    assert made.values("manager_rating")["A1"] == (89, 1, 1)
    assert made.values("peer_rating")["A1"] == (71, 1, 1)
    assert made.values("peer_rating", "2026-10-31") == {}


def test_courses_are_due_and_groups_are_written_to_by_hand() -> None:
    def course(number: int, due: date | None, done: date | None) -> Row:
        return {
            "training_id": str(number), "employee_number": "A1", "assigned_on": date(2026, 10, 1), "due_on": due,
            "completed_on": done,
        }  # fmt: skip

    due = date(2026, 10, 20)
    made = Made().sheet(
        "training", course(1, due, due), course(2, due, date(2026, 10, 25)), course(3, due, date(2026, 12, 1)),
        course(4, due, None), course(5, None, due), course(6, date(2026, 12, 1), None),
    )  # fmt: skip
    assert made.values("training_completion")["A1"] == (2, 4, 4)
    # On the 20th the second is not completed yet, and on the 19th nothing is due.
    assert made.values("training_completion", as_of=at(day=15))["A1"] == (1, 4, 4)
    assert made.values("training_completion", as_of=at(day=14)) == {}
    wrote = {"employee_number": "A1", "chat_date": date(2026, 10, 5)}
    made.sheet(
        "group_chat_day", wrote | {"group_id": "1", "messages_sent": 9}, wrote | {"group_id": "2", "messages_sent": 1},
        wrote | {"group_id": "3", "messages_sent": 0, "broadcasts_sent": 4},
    )  # fmt: skip
    assert made.values("group_chat_participations")["A1"] == (2, None, 2)


# --- open hours


def test_open_hours_know_weekends_holidays_and_days_worked_for_them() -> None:
    hours, zone = rules.OpenHours(ZoneInfo("Asia/Shanghai")), ZoneInfo("Asia/Shanghai")

    def second(day: int, hour: int) -> int:
        return int(datetime(2026, 10, day, hour, tzinfo=zone).timestamp())

    assert hours.seconds(second(5, 17), second(7, 10)) == 2 * HOUR  # the 6th is a holiday
    assert hours.seconds(second(9, 17), second(12, 10)) == (1 + 9 + 1) * HOUR  # Saturday is worked, Sunday is not
    assert hours.after(second(5, 17), 2 * HOUR) == second(7, 10)
    assert hours.after(second(5, 17), HOUR) == second(5, 18)
    assert hours.after(second(10, 20), HOUR) == second(12, 10)


def test_open_hours_over_midnight_and_a_changed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = [{"weekdays": [6], "start": "22:00", "end": "06:00"}, {"weekdays": [2], "start": "00:00", "end": "24:00"}]
    calendar = {"calendar_id": "c", "valid_from": date(2026, 1, 1), "is_default": True, "service_windows": nights}
    monkeypatch.setattr(rules, "_declared", lambda _: [calendar])
    berlin = ZoneInfo("Europe/Berlin")
    hours = rules.OpenHours(berlin)

    def second(month: int, day: int, hour: int) -> int:
        return int(datetime(2026, month, day, hour, tzinfo=berlin).timestamp())

    # The night of 25 October has nine hours, that of 29 March seven.
    assert hours.seconds(second(10, 24, 12), second(10, 25, 12)) == 9 * HOUR
    assert hours.seconds(second(3, 28, 12), second(3, 29, 12)) == 7 * HOUR
    assert hours.seconds(second(3, 29, 0), second(3, 29, 4)) == 3 * HOUR
    assert hours.seconds(second(10, 19, 0), second(10, 22, 0)) == 24 * HOUR


# --- tickets


def events(
    number: int, *happened: tuple[float, str] | tuple[float, str, str | None] | tuple[float, str, str | None, Row]
) -> list[Row]:
    rows = []
    for place, (seconds, kind, *more) in enumerate(happened, 1):
        rows.append(
            {"ticket_id": f"T{number}", "event_number": place, "event_at": at(seconds), "event_kind": kind,
             "employee_number": more[0] if more else None} | (more[1] if len(more) > 1 else {})
        )  # fmt: skip
    return rows


NORMAL = {"priority": "normal", "team_key": "orders"}
URGENT = {"priority": "urgent", "team_key": "orders"}
NEW, NEW_URGENT = (0, "created", "A1", NORMAL), (0, "created", "A1", URGENT)
THANKS, AGAIN = {"is_thanks": True}, {"is_thanks": False}


def test_a_ticket_is_handled_by_who_did_something_and_closed_by_who_solved_it_for_good() -> None:
    made = Made().sheet(
        "ticket_event",
        *events(1, NEW, (10, "assigned", "A3"), (60, "public_reply", "A2"), (90, "solved", "A2")),
        *events(2, NEW, (0, "assigned", "A1"), (90, "solved", "A1"), (99, "reopened", None, AGAIN)),
        *events(3, NEW, (90, "solved", "A1"), (99, "reopened", None, THANKS), (100, "closed")),
        *events(4, NEW, (90, "closed")),
        *events(5, (40 * DAY, "created", "A1", NORMAL), (40 * DAY, "solved", "A1")),
    )  # fmt: skip
    # A3 was given a ticket and did nothing; the fifth is of the future.
    assert made.values("tickets_handled") == {
        "A1": (4, None, 4), "A2": (1, None, 1), "orders": (4, None, 4), "site": (4, None, 4),
    }  # fmt: skip
    assert made.values("tickets_closed") == {
        "A1": (1, None, 1), "A2": (1, None, 1), "orders": (2, None, 2), "site": (2, None, 2),
    }  # fmt: skip
    assert made.values("one_touch_rate") == {
        "A1": (0, 1, 1), "A2": (1, 1, 1), "orders": (1, 2, 2), "site": (1, 2, 2),
    }  # fmt: skip


def test_a_ticket_is_touched_on_the_day_of_the_first_deed_only() -> None:
    made = Made().sheet(
        "ticket_event",
        *events(1, NEW, (DAY, "public_reply", "A1"), (DAY, "internal_note", "A2"), (2 * DAY, "solved", "A1")),
    )  # fmt: skip
    assert made.values("tickets_handled", "2026-10-05")["site"] == (1, None, 1)
    assert made.values("tickets_handled", "2026-10-06") == {"A2": (1, None, 1)}
    assert made.values("tickets_closed", "2026-10-07")["A1"] == (1, None, 1)


def test_handling_takes_shifts_without_waiting_and_adds_what_came_back() -> None:
    made = Made().sheet(
        "ticket_event",
        *events(
            1,
            (0, "created", "A2", NORMAL),
            (HOUR, "assigned", "A1"),                 # 10:00
            (2 * HOUR, "pending", "A1"),              # 11:00: one hour
            (8 * HOUR, "open"),                       # 17:00, and one hour until the shift ends
            (DAY + HOUR, "on_hold", "A1"),            # 10:00 on the next day: another hour
            (DAY + 2 * HOUR, "open", "A1"),
            (DAY + 3 * HOUR, "solved", "A1"),         # and another
            (DAY + 5 * HOUR, "reopened", None, AGAIN),
            (DAY + 6 * HOUR, "moved", "A1", {"team_key": "delivery"}),  # and another
            (DAY + 7 * HOUR, "assigned", "A3"),       # an hour of nobody
            (DAY + 8 * HOUR, "solved", "A3"),         # and another
        ),
    )  # fmt: skip
    assert made.values("ticket_handle_time") == dict.fromkeys(("A3", "delivery", "site"), (6 * HOUR, 1, 1))
    # From nine: two hours, from 17:00 to 10:00 seventeen, one, and three after it came back.
    assert made.values("full_resolution_time")["A3"] == ((2 + 17 + 1 + 3) * HOUR, 1, 1)


def test_reopened_within_a_week_counts_against_who_solved_it() -> None:
    made = Made().sheet(
        "ticket_event",
        *events(1, NEW, (60, "solved", "A1"), (60 + 7 * DAY, "reopened", None, AGAIN), (8 * DAY, "solved", "A2")),
        *events(2, NEW, (60, "solved", "A1"), (61 + 7 * DAY, "reopened", None, AGAIN)),
        *events(3, NEW, (60, "solved", "A1"), (90, "reopened", None, THANKS), (95, "closed")),
    )  # fmt: skip
    assert made.values("reopen_rate") == {
        "A1": (1, 3, 3), "A2": (0, 1, 1), "orders": (1, 4, 4), "site": (1, 4, 4),
    }  # fmt: skip
    # A week after the solving by A2 is not over yet.
    assert "A2" not in made.values("reopen_rate", as_of=at(14 * DAY))


def test_the_backlog_is_what_is_open_at_midnight() -> None:
    evening = 15 * HOUR  # midnight in Shanghai
    made = Made().sheet(
        "ticket_event",
        *events(1, NEW, (10, "assigned", "A1"), (evening - 1, "solved", "A1")),
        *events(2, NEW, (10, "assigned", "A3"), (20, "pending", "A3"), (evening + 1, "solved", "A3")),
        *events(3, NEW, (evening + DAY + 1, "closed")),
    )  # fmt: skip
    assert made.values("backlog", "2026-10-05") == {
        "orders": (1, None, 1),
        "delivery": (1, None, 1),
        "site": (2, None, 2),
    }
    assert made.values("backlog", "2026-10-06") == {
        "orders": (1, None, 1),
        "delivery": (0, None, 0),
        "site": (1, None, 1),
    }
    assert made.values("backlog") == {"orders": (0, None, 0), "delivery": (0, None, 0), "site": (0, None, 0)}
    assert made.values("backlog", "2026-10-06", at(evening, day=0)) == {}


def test_unanswered_words_grow_old_in_open_hours() -> None:
    made = Made().sheet(
        "ticket_event",
        *events(1, NEW, (10, "assigned", "A1"), (HOUR, "customer_update"), (2 * HOUR, "customer_update")),
        *events(2, NEW, (HOUR, "customer_update"), (2 * HOUR, "public_reply", "A1")),
        *events(3, NEW, (HOUR, "customer_update"), (2 * HOUR, "pending", "A1")),
        *events(4, NEW),
        *events(5, NEW, (8 * HOUR, "customer_update")),
    )  # fmt: skip
    # At 10:00 on the 7th: seven hours of Monday and one of Wednesday; and one each for the fifth, which nobody owns.
    found = made.values("tickets_open_age", "2026-10-07", at(HOUR, day=2))
    assert found == {"A1": (8 * HOUR, 1, 1), "orders": (10 * HOUR, 2, 2), "site": (10 * HOUR, 2, 2)}


def test_promises_run_by_the_priority_of_their_beginning() -> None:
    urgent = {"priority": "urgent"}
    made = Made().sheet(
        "ticket_event",
        # Replied in time, to the second; the owner gets it and not who replied.
        *events(1, NEW_URGENT, (10, "assigned", "A1"), (HOUR, "public_reply", "A2")),
        # A second late: the owner at that moment, before it went to A3.
        *events(2, NEW_URGENT, (10, "assigned", "A2"), (HOUR + 1, "assigned", "A3"), (HOUR + 1, "public_reply", "A3")),
        # Nobody owns it, nobody replies.
        *events(3, NEW_URGENT),
        # Normal ones promise a solution in ten open hours; becoming urgent later changes nothing.
        *events(4, NEW, (10, "assigned", "A1"), (20, "priority", "A1", urgent), (2 * DAY + HOUR, "solved", "A1")),
        # Reopened as an urgent one, and not replied to again.
        *events(5, NEW, (5, "assigned", "A1"), (10, "solved", "A1"), (20, "reopened", None, AGAIN | urgent)),
        *events(6, NEW, (5, "assigned", "A1"), (10, "solved", "A1"), (20, "reopened", None, THANKS | urgent)),
    )  # fmt: skip
    assert made.values("sla_compliance_rate") == {
        "A1": (4, 5, 5), "A2": (0, 1, 1), "orders": (4, 7, 7), "site": (4, 7, 7),
    }  # fmt: skip
    assert made.values("response_timeout_count") == {
        "A1": (1, None, 1), "A2": (1, None, 1), "orders": (3, None, 3), "site": (3, None, 3),
    }  # fmt: skip
    # Ten open hours from Monday nine end on Wednesday ten, for Tuesday is a holiday.
    assert made.values("sla_compliance_rate", "2026-10-07")["A1"] == (3, 3, 3)
    # Before they are due only what was kept counts.
    assert made.values("sla_compliance_rate", as_of=at(HOUR - 1))["A1"] == (2, 2, 2)
    assert made.values("sla_compliance_rate", as_of=at(HOUR))["A2"] == (0, 1, 1)


def test_the_promise_of_a_solution_waits_for_the_customer() -> None:
    # Ten open hours: two before it waits, seven of Wednesday after it, and one of Thursday.
    waiting = (NEW, (0, "assigned", "A1"), (2 * HOUR, "pending", "A1"), (2 * DAY + 2 * HOUR, "open"))
    due = 3 * DAY + HOUR
    kept = Made().sheet("ticket_event", *events(1, *waiting, (due, "solved", "A1")))
    assert kept.values("sla_compliance_rate", "2026-10-08")["A1"] == (1, 1, 1)
    broken = Made().sheet("ticket_event", *events(1, *waiting, (due + 1, "solved", "A1")))
    assert broken.values("sla_compliance_rate", "2026-10-08")["A1"] == (0, 1, 1)
    still = Made().sheet("ticket_event", *events(1, *waiting[:3]))
    assert still.values("sla_compliance_rate") == {}
    # A first reply is promised whatever the ticket waits for.
    urgent = Made().sheet("ticket_event", *events(1, NEW_URGENT, (60, "pending", "A1")))
    assert urgent.values("response_timeout_count")["site"] == (1, None, 1)


def test_dispatched_tickets_stay_where_they_went() -> None:
    made = Made().sheet(
        "ticket", ticket(1, "solved", dispatched_to="delivery", redispatch_count=0),
        ticket(2, "solved", dispatched_to="delivery", redispatch_count=2), ticket(3, "solved"),
    )  # fmt: skip
    assert made.values("work_order_dispatch_stability")["A1"] == (1, 2, 2)


# --- dials and leads


def dial(number: int, seconds: float, result: str = "no_answer", talk: int = 0, **more: Any) -> Row:
    return {
        "dial_id": f"D{number:03}", "employee_number": "A1", "dialed_at": at(seconds), "customer_phone": phone(1),
        "result": result, "talk_seconds": talk,
    } | more  # fmt: skip


def test_redials_within_a_minute_of_one_that_counts_are_padding() -> None:
    made = Made().sheet(
        "dial",
        dial(1, 0), dial(2, 40), dial(3, 59),                          # two of them are padding
        dial(4, 60, "answered", 14),                                   # a minute after the first
        dial(5, 100, customer_phone=phone(2)), dial(6, 101, employee_number="A3"),
        dial(7, 300, "answered", 15), dial(8, 500, "bad_number"), dial(9, 700, "voicemail", 30),
    )  # fmt: skip
    assert made.values("calls_outbound_dialed") == {
        "A1": (6, None, 6), "A3": (1, None, 1), "orders": (6, None, 6), "delivery": (1, None, 1), "site": (7, None, 7),
    }  # fmt: skip
    assert made.values("calls_outbound_connected")["A1"] == (2, None, 2)
    assert made.values("contact_rate")["A1"] == (2, 6, 6)
    assert made.values("dial_success_rate")["A1"] == (1, 5, 5)


def test_dials_of_a_night_belong_to_its_shift() -> None:
    made = Made().sheet("dial", dial(1, 18 * HOUR))
    made.tables["shift"] = [shift("A1", 0, 13 * HOUR)]
    assert made.values("calls_outbound_dialed", "2026-10-05")["A1"] == (1, None, 1)


def lead(number: int, day: int, status: str = "open") -> Row:
    return {
        "lead_id": f"L{number}", "employee_number": "A1", "campaign": "c", "assigned_on": date(2026, 10, day),
        "status": status,
    }  # fmt: skip


def test_lists_are_used_and_late_names_belong_to_the_next_month() -> None:
    made = Made().sheet("lead", lead(1, 5), lead(2, 29), lead(3, 30), lead(4, 31), lead(5, 5))
    made.sheet("dial", dial(1, 0, lead_id="L1"), dial(2, 60 * DAY, lead_id="L2"), dial(3, 0, lead_id="L3"))
    assert made.values("list_utilization") == dict.fromkeys(("A1", "orders", "site"), (1, 3, 3))
    assert made.values("list_utilization", "2026-10-05") == {}


def test_leads_are_won_after_an_effective_contact() -> None:
    made = Made().sheet("lead", lead(1, 5, "won"), lead(2, 5, "lost"), lead(3, 5, "won"), lead(4, 5, "won"))
    made.sheet(
        "dial",
        dial(1, DAY, "answered", 20, lead_id="L1"), dial(2, 2 * DAY, "answered", 90, lead_id="L1"),
        dial(3, 2 * DAY, "answered", 15, lead_id="L2"), dial(4, 0, "answered", 14, lead_id="L3"),
    )  # fmt: skip
    assert made.values("marketing_success_rate")["A1"] == (1, 2, 2)
    assert made.values("marketing_success_rate", "2026-10-06")["A1"] == (1, 1, 1)


# --- orders


def order(number: int, paid: float | None, customer: int = 1, amount: float = 100.0, **more: Any) -> Row:
    return {
        "order_id": f"O{number}", "customer_phone": phone(customer), "ordered_at": at(),
        "paid_at": None if paid is None else at(paid), "amount": amount, "refunded_amount": 0.0,
        "is_new_business": False,
    } | more  # fmt: skip


def enquired(*chats: tuple[int, float, int, str]) -> Made:
    """Chats about buying: number, start, customer, agent."""
    made = Made()
    for number, start, customer, agent in chats:
        made.talk(number, start, customer=customer, agent=agent).label(number, issue_class="promotion")
    return made


def test_enquiries_convert_on_the_same_day_or_the_next() -> None:
    midnight = 15 * HOUR
    made = enquired(*((n, 0, n, "A1") for n in range(1, 7)))
    made.sheet(
        "order", order(1, 20, 1), order(2, 19, 2), order(3, midnight + DAY - 1, 3), order(4, midnight + DAY, 4),
        order(5, None, 5), order(6, 400, 6), order(7, 500, 6),
    )  # fmt: skip
    # The second paid before the first answer: that is after the sale. The fourth paid too late by a second.
    assert made.values("inquiry_conversion_rate")["A1"] == (3, 5, 5)
    assert made.values("attributed_sales")["A1"] == (4 * 10000, None, 4)
    assert made.values("attributed_sales", "2026-10-06")["A1"] == (10000, None, 1)


def test_who_bought_in_the_last_three_weeks_does_not_enquire() -> None:
    made = enquired((1, 0, 1, "A1"), (2, 0, 2, "A1"), (3, 0, 3, "A1"))
    made.sheet("order", order(1, -21 * DAY, 1), order(2, -21 * DAY - 1, 2), order(3, 400, 1))
    made.talk(4, 0, customer=4)
    # The first one bought on the 14th of September and buys again: something new.
    assert made.values("inquiry_conversion_rate")["A1"] == (1, 3, 3)
    assert made.values("attributed_sales")["A1"] == (10000, None, 1)
    made = enquired((1, 0, 1, "A1"), (2, 0, 2, "A1")).sheet("order", order(1, -21 * DAY, 1))
    assert made.values("inquiry_conversion_rate")["A1"] == (0, 1, 1)
    assert made.values("attributed_sales") == {}


def test_the_last_one_before_the_payment_gets_the_sale_else_the_last_of_the_day() -> None:
    made = enquired((1, 0, 1, "A1"), (3, 0, 2, "A1"), (5, 0, 3, "A1"))
    made.talk(2, 1000, customer=1, agent="A3").sheet("order", order(1, 2000, 1))
    made.talk(4, 1000, customer=2, agent="A3").sheet("order", order(2, 900, 2))
    made.talk(6, 1000, customer=3, agent="A3").talk(7, 0, customer=3, agent="A2", day=1)
    assert made.values("inquiry_conversion_rate") == {
        "A1": (1, 1, 1), "A3": (1, 2, 2), "orders": (1, 1, 1), "delivery": (1, 2, 2), "site": (2, 3, 3),
    }  # fmt: skip
    assert made.values("inquiry_conversion_rate", as_of=at(15 * HOUR + DAY - 1)) == {}


def test_who_pays_while_the_chat_goes_on_is_of_who_spoke_last() -> None:
    # A1 answers after 20 s and passes the chat on in the middle, A3 writes after 170 s. Only the rule ends 1.
    made = Made()
    for number, paid in ((1, 169), (2, 170)):
        made.talk(number, 0, customer=number, then="A3").label(number, issue_class="promotion")
        made.sheet("order", order(number, paid, number))
    made.tables["chat"][0] |= {"closed_at": None, "closed_by": None}
    made.tables["chat_segment"][1] |= {"ended_at": None, "ended_how": None}
    assert made.values("inquiry_conversion_rate", "2026-10-05") == {
        "A1": (1, 1, 1), "A3": (1, 1, 1), "orders": (1, 1, 1), "delivery": (1, 1, 1), "site": (2, 2, 2),
    }  # fmt: skip
    assert made.values("attributed_sales")["A1"] == (10000, None, 1)


def test_who_gives_everything_back_is_not_converted() -> None:
    back = {"refunded_amount": 100.0, "refunded_at": at(DAY)}
    made = enquired(*((n, 0, n, "A1") for n in range(1, 5)))
    made.sheet(
        "order", order(1, 400, 1, **back), order(2, 400, 2, **back | {"refunded_amount": 99.99}),
        order(3, 400, 3, **back), order(4, 500, 3), order(5, 400, 4, **back | {"refunded_at": at(60 * DAY)}),
    )  # fmt: skip
    assert made.values("inquiry_conversion_rate")["A1"] == (3, 4, 4)


def test_refunds_count_on_their_own_day_and_buyers_once() -> None:
    made = enquired((1, 0, 1, "A1"), (2, 0, 2, "A1"))
    made.sheet(
        "order", order(1, 400, 1, 19.99, refunded_amount=9.99, refunded_at=at(DAY)), order(2, 500, 1, 0.29),
        order(3, 400, 2, 50.0, refunded_amount=50.0, refunded_at=at(60 * DAY)), order(4, 400, 3, 7.0),
    )  # fmt: skip
    assert made.values("attributed_sales")["A1"] == (1999 + 29 + 5000, None, 3)
    assert made.values("net_sales")["A1"] == (1999 + 29 + 5000 - 999, None, 3)
    assert made.values("net_sales", "2026-10-06")["A1"] == (-999, None, 0)
    assert made.values("aov")["A1"][:2] == (7028, 2)
    assert made.value("aov") == 3514


def test_new_business_is_asked_for_and_ordered() -> None:
    made = Made()
    for number in range(1, 4):
        made.talk(number, 0, customer=number).label(number, new_business=None)
    made.sheet("order", order(1, 400, 1, is_new_business=True), order(2, 400, 2), order(3, -DAY, 3))
    assert made.values("new_business_conversion_rate")["A1"] == (1, 3, 3)


def test_registrations_count_once_by_device_and_customer() -> None:
    def registered(number: int, device: str | None, customer: int | None, is_verified: bool = True) -> Row:
        return {
            "registration_id": f"U{number}", "employee_number": "A1", "registered_at": at(number),
            "customer_phone": customer and phone(customer), "device_id": device, "is_verified": is_verified,
        }  # fmt: skip

    made = Made().sheet(
        "registration", registered(1, "a", 1, False), registered(2, "a", 1), registered(3, "a", 2),
        registered(4, "b", 2), registered(5, "c", 1), registered(6, None, 3), registered(7, None, None),
        registered(8, None, None),
    )  # fmt: skip
    # The third is of the second's device, the fourth of the third's customer, the fifth of the second's.
    assert made.values("new_user_registrations")["A1"] == (4, None, 4)


def test_customers_stay_who_pay_within_ninety_days() -> None:
    made = Made().talk(1, 0, customer=1).talk(2, 0, customer=1, day=1).talk(3, 0, customer=2, agent="A3")
    made.talk(4, 0, customer=2, agent="A1", day=1).talk(5, 0, customer=3)
    made.sheet("order", order(1, 300 + 90 * DAY, 1), order(2, 12 * HOUR, 2), order(3, 301 + 90 * DAY, 3))
    later = at(300, day=91)
    assert made.values("customer_retention_rate", as_of=later) == {
        "orders": (1, 3, 3), "delivery": (1, 1, 1), "site": (2, 3, 3),
    }  # fmt: skip
    assert made.values("customer_retention_rate", as_of=at(299, day=90)) == {}


# --- all of it


def test_a_simulated_month_has_a_value_of_everything_that_can_be_told_so_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    scenario = Scenario(seed=5, agents=20, contacts_per_agent_day=8, strengths=dict.fromkeys(DECLARED.faults, "zero"))
    world = simulate(scenario)
    told = metric_values(Facts(world, scenario, scenario.as_of(scenario.end)), [*sheets.TRUTH, *sales.TRUTH])
    # Whether customers stay takes ninety days.
    assert set(told["metric_id"].to_pylist()) == set(sheets.TRUTH) | set(sales.TRUTH) - {"customer_retention_rate"}
    shares = {
        metric
        for metric in set(told["metric_id"].to_pylist())
        if metric.endswith(("_rate", "_share", "_utilization", "_completion", "_accuracy", "_compliance", "_stability"))
    } - {"complaint_rate", "qa_sample_completion"}
    assert len(shares) > 25
    for row in told.to_pylist():
        if row["metric_id"] in shares:
            assert 0 <= row["numerator"] <= row["denominator"] == row["n"], row

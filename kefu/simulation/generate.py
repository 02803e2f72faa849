"""The generator: a scenario in, a world out; and messages in bulk for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from kefu.simulation.chat import Kind, Texts, message_table, run_chats
from kefu.simulation.company import found
from kefu.simulation.demand import Customers, Issues, arrivals, expected_contacts
from kefu.simulation.feedback import exams, finished, follow_ups, reviews, surveys
from kefu.simulation.random import stream
from kefu.simulation.scenario import Scenario
from kefu.simulation.voice import run_voice
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, SCHEMAS, World

CHANNELS = ("voice", "chat", "desk")
_BULK_BATCH, _BULK_CHAT, _BULK_START = 500_000, 10, 1_790_784_000


def generate(scenario: Scenario, skills: pa.Table | None = None) -> World:
    """Returns what happened in a scenario: the same scenario and skills give the same rows.

    Args:
        scenario: what to simulate.
        skills: agent_key (text), date and shift_sigma: by how many sigma a person is worse on a local date, in ratings,
            reviews, reply gaps and handling time. Rows of one person and date add up; no row is no change.

    Raises:
        ValueError: a row of `skills` names a person or date that the scenario does not have.
    """
    company = found(scenario, skills)
    customers = Customers(scenario, sum(expected_contacts(scenario, company, channel) for channel in CHANNELS))
    issues = Issues()
    coming = {channel: arrivals(scenario, company, channel, customers, issues) for channel in CHANNELS}
    voice = run_voice(scenario, company, coming["voice"], customers.count)
    chats = run_chats(scenario, company, [*coming["chat"], *coming["desk"], *voice.chats])
    contacts = finished(voice.calls, chats.chats)
    tables = {
        **company.tables,
        "customer": customers.table,
        "issue": issues.table(),
        **voice.tables(company.keys),
        **chats.tables(scenario.seed, company.keys, customers),
        "survey": surveys(scenario, company, contacts, customers),
        "qa_review": reviews(scenario, company, contacts),
        "exam": exams(scenario, company),
    }
    world = World({name: tables[name] for name in SCHEMAS})
    if scenario.follow_up:
        world.tables["follow_up"] = follow_ups(scenario, company, contacts, tables["survey"])
        world.tables["rating_change"] = FOLLOW_UP_SCHEMAS["rating_change"].empty_table()
    return world


def hidden(scenario: Scenario) -> pa.Table:
    """Returns what nobody can see: how good every person is, without what `skills` takes away.

    quality is in standard deviations between people, handling_log and response_log are logarithms of a factor on
    handling and reply times, leniency_points is what a reviewer gives too much, of 100.
    """
    company = found(scenario)
    skills = company.skills
    return pa.table(
        {
            "agent_key": company.keys,
            "quality": skills.quality,
            "handling_log": skills.handling_log,
            "response_log": skills.response_log,
            "leniency_points": skills.leniency_points,
        }
    )


def bulk_messages(seed: int, count: int) -> Iterator[pa.RecordBatch]:
    """Yields messages with the schema of `message` in batches, ten to a chat and without queueing: for benchmarks."""
    rng = stream(seed, "bulk")
    texts = Texts()
    keys = pa.array([f"SIM{number:04}" for number in range(1, 5001)])
    kinds = np.array(
        [Kind.VISITOR_OPENING, Kind.BOT_REPLY, Kind.AGENT_GREETING]
        + 3 * [Kind.VISITOR_REPLY, Kind.AGENT_REPLY]
        + [Kind.CLOSED_BY_AGENT]
    )
    has_agent = (kinds >= Kind.AGENT_GREETING) & (kinds <= Kind.AGENT_CLOSING)
    for first in range(0, count, _BULK_BATCH):
        number = np.arange(first, min(first + _BULK_BATCH, count))
        chat, place = np.divmod(number, _BULK_CHAT)
        kind = kinds[place]
        # Chats start a second apart; a message comes within its own 30 seconds of the chat.
        at = _BULK_START + chat + 30 * place + rng.integers(0, 30, len(number))
        language = rng.integers(0, len(texts.languages), len(number))
        issue_class = chat % len(texts.classes)
        rows = message_table(
            number + 1,
            chat + 1,
            kind,
            keys.take(pa.array(chat % len(keys), mask=~has_agent[place])),
            at,
            texts.draw(rng, kind, language, issue_class),
        )
        yield from rows.to_batches()

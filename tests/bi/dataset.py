"""A small published warehouse with awkward values: NULL with every reason, `<script>` names, n below the minimum."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import yaml

from bi.spec import load_contract

PERIOD = "2026-11-demo"
START, END = date(2026, 11, 2), date(2026, 11, 21)
DAYS = [START + timedelta(days=offset) for offset in range((END - START).days + 1)]
NASTY_NAME = "<script>alert('赵敏')</script>"

Row = tuple[Any, ...]

QUEUES = ("svc-general", "svc-billing", "svc-vip", "cs", "billing", "vip")


def tables() -> dict[str, list[Row]]:
    """Rows of every published table, in the column order of the contract."""
    written = yaml.safe_load((Path(__file__).parent / "dataset.yml").read_text(encoding="utf-8"))
    agents = written["pub_kpi.agent"]
    values = [*_site(), *_days(), *_teams(), *_queues()]
    for index, (agent, *_) in enumerate(agents):
        values += _agent(index, agent)
    scores: list[Row] = []
    components: list[Row] = []
    for index, agent in enumerate(agents):
        own, score = _score(index, agent)
        scores.append(score)
        components += own
    return written | {
        "pub_kpi.queue": [(key, f"{key} 队列", f"{key} queue") for key in QUEUES],
        "pub_kpi.metric_value": values,
        "pub_appraisal.score": scores,
        "pub_appraisal.score_component": components,
    }


def create(connection: psycopg.Connection[Any], rows: dict[str, list[Row]]) -> None:
    """Creates the published tables exactly as the contract says and fills them."""
    for schema in dict.fromkeys(table.split(".")[0] for table in load_contract()):
        connection.execute(f"create schema {schema}")
    for table, columns in load_contract().items():
        spelled = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"create table {table} ({spelled})")
        marks = ", ".join(["%s"] * len(columns))
        with connection.cursor() as cursor:
            cursor.executemany(f"insert into {table} values ({marks})", rows[table])


def _value(
    unit: str,
    metric: str,
    n: int | None,
    value: float | None,
    half: float | None = None,
    *,
    why: str | None = None,
    day: date | None = None,
) -> Row:
    """One row of metric_value; `unit` is `kind key channel`, `half` the half width of the interval."""
    span = ("day", day.isoformat(), day, day) if day else ("period", PERIOD, START, END)
    low, high = (None, None) if value is None or half is None else (value - half, value + half)
    return (*unit.split(), metric, 1, *span, None, None, n, value, low, high, why)


def _site() -> list[Row]:
    voice, chat, none = "site site voice", "site site chat", "site site none"
    return [
        _value("site site all", "conversations_handled", 1233, 1233),
        _value(voice, "conversations_handled", 842, 842),
        _value(chat, "conversations_handled", 391, 391),
        _value(voice, "service_level", 878, 0.8314, 0.0248),
        _value(chat, "service_level", 402, 0.9129, 0.0272),
        _value(voice, "abandonment_rate", 881, 0.0443, 0.0136),
        _value(chat, "abandonment_rate", 411, 0.0852, 0.0270),
        _value(chat, "customer_first_response_time", 377, 38.46, 4.7),
        _value(chat, "avg_response_time", 2214, 51.18, 3.1),
        _value(voice, "aht", 842, 287.2, 11.8),
        _value(chat, "aht", 399, 512.9, 31.0),
        _value(voice, "csat_rate", 214, 0.8785, 0.0438),
        _value(chat, "csat_rate", 61, 0.7869, 0.1030),
        _value(voice, "survey_response_rate", 611, 0.3502, 0.0378),
        _value(chat, "survey_response_rate", None, None, why="not_measured"),
        _value(none, "qa_listening_score", 96, 86.4, 1.6),
        _value(none, "exam_score", 12, 81.25),
        _value(none, "attendance_rate", 168, 0.9712),
    ]


def _days() -> list[Row]:
    voice, chat, rows = "site site voice", "site site chat", []
    for offset, day in enumerate(DAYS):
        is_weekend = day.weekday() >= 5
        calls, chats = (9 if is_weekend else 50 + offset % 7), (0 if is_weekend else 24 - offset % 5)
        rows += [
            _value(voice, "conversations_handled", calls, calls, day=day),
            _value(chat, "conversations_handled", chats, chats, day=day),
            _value(voice, "service_level", calls, 0.74 + 0.013 * (offset % 14), 0.09, day=day),
            _value(voice, "csat_rate", 4 if is_weekend else 15, 0.8 + 0.02 * (offset % 6), 0.1, day=day),
            _value(chat, "csat_rate", None, None, why="not_measured", day=day),
        ]
        for metric, value in (
            ("service_level", 0.86 + 0.011 * (offset % 9)),
            ("customer_first_response_time", 30 + 2.7 * (offset % 8)),
        ):
            why = "no_denominator" if is_weekend else None
            rows.append(_value(chat, metric, chats, None if is_weekend else value, why=why, day=day))
    return rows


def _teams() -> list[Row]:
    rows = []
    for team, n, level, abandoned, response, satisfied, attended in (
        ("general", 620, 0.851, 0.039, 49.2, 0.893, 0.976),
        ("billing", 170, 0.803, 0.047, 57.6, 0.865, 0.958),
        ("vip", 52, 0.742, 0.096, 44.0, None, 1.0),
    ):
        voice, chat, none = f"team {team} voice", f"team {team} chat", f"team {team} none"
        rows += [
            _value(voice, "conversations_handled", n, n),
            _value(voice, "service_level", n, level, 6 / n**0.85),
            _value(chat, "service_level", n // 2, level + 0.1, 6 / n**0.85),
            _value(voice, "abandonment_rate", n, abandoned, abandoned * 0.4),
            _value(chat, "avg_response_time", n * 3, response, 120 / n**0.55),
            _value(voice, "csat_rate", n // 8, satisfied, 0.06, why=None if satisfied else "below_min_n"),
            _value(none, "attendance_rate", n // 5, attended),
        ]
    return rows


def _queues() -> list[Row]:
    rows = []
    for queue, channel, level, abandoned, n in (
        ("svc-general", "voice", 0.846, 0.038, 640),
        ("svc-billing", "voice", 0.807, 0.052, 180),
        ("svc-vip", "voice", 0.71, 0.11, 58),
        ("cs", "chat", 0.93, 0.07, 300),
        ("billing", "chat", 0.87, 0.12, 80),
        ("vip", "chat", None, None, 0),
    ):
        why = "no_denominator" if level is None else None
        half = None if level is None else 1.96 * (level * (1 - level) / n) ** 0.5
        rows.append(_value(f"queue {queue} {channel}", "service_level", n, level, half, why=why))
        rows.append(_value(f"queue {queue} {channel}", "abandonment_rate", n, abandoned, half and half / 2, why=why))
    return rows


def _agent(index: int, agent: str) -> list[Row]:
    voice, chat, none = f"agent {agent} voice", f"agent {agent} chat", f"agent {agent} none"
    calls, chats = 96 - 5 * index, 40 - 2 * index
    rows = [
        _value(voice, "conversations_handled", calls, calls),
        _value(chat, "conversations_handled", chats, chats),
        _value(voice, "aht", calls, 250 + 17.3 * index, 28 + index),
        _value(chat, "aht", chats, 430 + 22.1 * (index * 5 % 12), 60),
        _value(chat, "avg_response_time", 190 - 9 * index, 38 + 3.1 * (index * 7 % 12), 6),
        _value(none, "qa_listening_score", 8, 80.5 + 1.3 * (index * 4 % 12), 4.1),
        _value(chat, "first_response_time", None, None, why="not_measured"),
        # One row lacks its reason: that has to be seen.
        _value(voice, "survey_response_rate", None, None, why=None if index == 7 else "not_measured"),
    ]
    rows.append(
        {
            4: _value(voice, "csat_rate", 3, None, why="below_min_n"),
            11: _value(voice, "csat_rate", 0, None, why="no_denominator"),
            2: _value(voice, "csat_rate", 8, 0.9, 0.13),
        }.get(index, _value(voice, "csat_rate", 21, 0.78 + 0.02 * (index * 3 % 11), 0.13))
    )
    rows.append(
        {6: _value(none, "exam_score", None, None, why="exempt"), 9: _value(none, "exam_score", 1, 0.0)}.get(
            index, _value(none, "exam_score", 1, 78 + index)
        )
    )
    rows.append(
        _value(none, "attendance_rate", None, None, why="source_missing")
        if index == 10
        else _value(none, "attendance_rate", 14, 0.93 + 0.006 * index)
    )
    return rows


def _score(index: int, agent: list[str]) -> tuple[list[Row], Row]:
    status = {9: "insufficient_evidence", 10: "withheld"}.get(index, "published")
    parts = [
        # metric, nominal weight, factor, effective weight, raw, shrunk, curve score, points, reasons
        (
            "csat_rate",
            25,
            0.62,
            15.5,
            0.83,
            0.861,
            88.0,
            14.6 + 1.2 * (index * 5 % 7),
            "可信度偏弱，权重打折",
            "weak, so reduced",
        ),
        ("avg_response_time", 25, 1, 29.75, 44.2, 46.0, 71.8, 21.35, None, None),
        ("qa_listening_score", 30, 1, 30, 86.1, 85.7, 80.1, 24.02, None, None),
        ("attendance_rate", 20, 1, 24.75, 0.97, 0.97, 72.3, 17.9 - 0.9 * (index % 4), None, None),
    ]
    own = [
        (
            PERIOD,
            agent[0],
            metric,
            nominal,
            factor,
            effective,
            raw,
            21,
            raw * 0.92,
            raw * 1.02,
            shrunk,
            "piecewise",
            *rest,
        )
        for metric, nominal, factor, effective, raw, shrunk, *rest in parts
    ]
    total = round(sum(float(part[7]) for part in parts), 2)
    numbers: tuple[Any, ...] = (total, total - 1.7, total - 3.1 - 0.3 * index, total + 3.1, "A" if total >= 85 else "B")
    if status != "published":
        numbers = (None,) * 5
    weight = 92.5 if status == "published" else 48.0
    why = ("有主观指标未完成评估", "a metric was not evaluated") if status == "withheld" else ("说明", "why it is so")
    return own, (PERIOD, *agent, "voice-2026", 3, *numbers, status, weight, "demo", numbers[0], *why)

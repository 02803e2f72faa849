"""Every published number against a recomputation that shares no code with the warehouse."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from kefu.warehouse import Role
from tests.e2e.support import Line
from tests.independent.recompute import recompute

QUEUES = {
    "svc-general": "svc_general", "svc-billing": "svc_billing", "svc-vip": "svc_vip",
    "cs": "chat_cs", "billing": "chat_billing", "vip": "chat_vip",
}  # fmt: skip
# Where the records come from says how many there are: samples/*/ORIGIN.md and samples/handmade/README.md.
RECORDED = {
    "pbx/queue_log": 1694, "pbx/cdr": 810, "pbx/cel": 9450,
    "chat/department": 3, "chat/user": 13, "chat/user_department": 17, "chat/survey": 1, "chat/chat": 256,
    "chat/message": 2340, "chat/participant": 479, "chat/survey_item": 97,
    "hr/employee": 13, "hr/work_assignment": 72, "hr/shift_schedule": 37, "hr/attendance_day": 176,
    "hr/attendance_punch": 301, "hr/leave_request": 5,
    "sheets/identity": 38, "sheets/team_assignment": 12, "sheets/qa_review": 116, "sheets/exam": 13,
    "inbox/identity": 0, "inbox/team_assignment": 0, "inbox/roster": 0, "inbox/qa_review": 0, "inbox/exam": 0,
}  # fmt: skip


class Key(NamedTuple):
    unit_kind: str
    unit_key: str
    channel: str
    metric_id: str
    day: str


class Number(NamedTuple):
    numerator: Fraction
    denominator: Fraction | None
    n: int


class Published(NamedTuple):
    number: Number
    value: Decimal | None
    null_reason: str | None


@pytest.fixture(scope="module")
def expected(project: Path) -> dict[Key, Number]:
    rows = recompute(project / "samples")
    found = {
        Key(row.unit_kind, QUEUES.get(row.unit_key, row.unit_key) if row.unit_kind == "queue" else row.unit_key,
            row.channel, row.metric_id, row.business_date):
        Number(Fraction(row.numerator), None if row.denominator is None else Fraction(row.denominator), row.n)
        for row in rows
    }  # fmt: skip
    assert len(found) == len(rows)
    return found


@pytest.fixture(scope="module")
def published(line: Line) -> dict[Key, Published]:
    with line.platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select unit_kind, unit_key, channel, metric_id, case period_kind when 'day' then period_id else 'period'"
            " end, numerator, denominator, n, value, null_reason from wh_kpi.metric_value"
        ).fetchall()
    found = {}
    for *key, numerator, denominator, n, value, null_reason in rows:
        number = Number(Fraction(numerator or 0), None if denominator is None else Fraction(denominator), n)
        assert Key(*key) not in found
        found[Key(*key)] = Published(number, value, null_reason)
    return found


def test_every_number_equals_the_independent_recomputation(
    expected: dict[Key, Number], published: dict[Key, Published]
) -> None:
    assert len(expected) == 2612
    different = {
        key: (number, published[key].number if key in published else "not published")
        for key, number in expected.items()
        if key not in published or published[key].number != number
    }
    assert different == {}


def test_every_further_number_is_one_of_four_kinds(
    expected: dict[Key, Number], published: dict[Key, Published]
) -> None:
    kinds: Counter[str] = Counter()
    for key, found in published.items():
        if key in expected or not (found.number.numerator or found.number.denominator):
            continue
        if key.day != "period" and not date(2026, 11, 2) <= date.fromisoformat(key.day) <= date(2026, 11, 21):
            kinds["outside the period"] += 1
        elif key.channel == "all" and (single := published.get(key._replace(channel="none"))) is not None:
            assert found.number == single.number, key
            kinds["all channels of what has none"] += 1
        elif key.unit_key == "unassigned":
            # The supervisor alone has no team.
            assert found.number == published[key._replace(unit_kind="agent", unit_key="CS1099")].number, key
            kinds["team unassigned"] += 1
        else:
            assert key.unit_kind == "site" and key.day != "period", key
            kinds["site day"] += 1
    assert kinds == {
        "site day": 233, "team unassigned": 13, "all channels of what has none": 376, "outside the period": 6,
    }  # fmt: skip


def test_days_of_the_site_add_up_to_its_period(expected: dict[Key, Number], published: dict[Key, Published]) -> None:
    compared = 0
    for key, number in expected.items():
        if key.unit_kind != "site" or key.day != "period":
            continue
        days = [
            found.number
            for other, found in published.items()
            if other._replace(day="period") == key and "2026-11-02" <= other.day <= "2026-11-21"
        ]
        assert sum(day.numerator for day in days) == number.numerator, key
        assert sum(day.denominator or 0 for day in days) == (number.denominator or 0), key
        assert sum(day.n for day in days) == number.n, key
        compared += 1
    assert compared == 42


def test_a_value_is_its_fraction_or_says_why_it_is_missing(published: dict[Key, Published], project: Path) -> None:
    minimum = {
        metric["metric_id"]: metric["min_n"]
        for metric in yaml.safe_load((project / "config/metrics.yml").read_text(encoding="utf-8"))
        if metric["kind"] == "ratio"
    }
    reasons: Counter[str | None] = Counter()
    for key, (number, value, reason) in published.items():
        reasons[reason] += 1
        if reason == "not_measured":
            assert number == Number(Fraction(0), None, 0), key
            assert key.metric_id in ("first_response_time", "survey_response_rate"), key
        elif key.metric_id not in minimum:
            assert (value, reason) == (Decimal(number.numerator.numerator), None), key
        elif not number.denominator:
            assert (value, reason) == (None, "no_denominator"), key
        elif key.unit_kind == "agent" and key.day == "period" and number.n < minimum[key.metric_id]:
            assert (value, reason) == (None, "below_min_n"), key
        else:
            assert reason is None, key
            assert value is not None
            assert abs(Fraction(value) - number.numerator / number.denominator) < Fraction(1, 10**14), key
    assert reasons == {None: 3042, "no_denominator": 63, "below_min_n": 208, "not_measured": 44}


def test_every_record_that_was_read_is_accounted_for(line: Line) -> None:
    with line.platform.warehouse.connect(Role.AUDITOR) as connection:
        loads = connection.execute(
            "select source_id || '/' || entity, read_count, inserted_count, unchanged_count, filtered_count,"
            " quarantined_count, load_seq from ops.load order by load_id"
        ).fetchall()
    assert {name: read for name, read, *_ in loads} == RECORDED
    assert [name for name, *_ in loads] == list(RECORDED)
    for name, read, inserted, unchanged, filtered, quarantined, _ in loads:
        assert read == inserted + unchanged + filtered + quarantined, name
    numbers = [number for *_, number in loads if number is not None]
    assert numbers == list(range(1, 22))
    assert all((number is None) == (inserted == 0) for _, _, inserted, _, _, _, number in loads)
    assert [said for said in line.said if said.startswith("pbx/queue_log")] == [
        "pbx/queue_log: 1694 read = 1694 new, 0 unchanged, 0 filtered, 0 in quarantine"
    ]

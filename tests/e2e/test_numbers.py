"""Every published number against a recomputation that shares no code with the warehouse."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from kefu.settings import PROJECT
from kefu.warehouse import Role
from tests.e2e.support import Line
from tests.independent.recompute import (
    DISPERSIONS,
    DISTINCT,
    NOT_DAILY,
    PERCENTILES,
    WATCHED_DAYS,
    recompute,
    workload_balance,
)

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
}  # fmt: skip
# The inbox is empty: no sheet of any kind.
RECORDED |= {
    f"inbox/{kind}": 0
    for source in yaml.safe_load((PROJECT / "config" / "sources.yml").read_text("utf-8"))
    if source["source_id"] == "inbox"
    for kind in source["entities"]
}


# What the recordings have none of is a number too, but no row: slow conversations (75 slow replies, never 3 in one).
COUNTED_TO_NOTHING = {"slow_response_count"}
FIRST_DATE, LAST_DATE = "2026-11-02", "2026-11-21"
# Shares of a month have no end as decimals.
LEAST_DIFFERENCE = Fraction(1, 10**12)


class Key(NamedTuple):
    """A cell of the catalogue; `day` is an ISO date, an ISO week, a month or `period`."""

    unit_kind: str
    unit_key: str
    channel: str
    metric_id: str
    day: str


class Number(NamedTuple):
    numerator: Fraction
    denominator: Fraction | None
    n: int

    def agrees_with(self, other: Number) -> bool:
        """Whether both are the same but for the last decimals of a fraction."""
        if self.n != other.n or (self.denominator is None) != (other.denominator is None):
            return False
        pairs = [(self.numerator, other.numerator), (self.denominator or Fraction(0), other.denominator or Fraction(0))]
        return all(one == two or abs(one - two) < LEAST_DIFFERENCE * max(one, two) for one, two in pairs)


class Published(NamedTuple):
    number: Number
    value: Decimal | None
    null_reason: str | None


@pytest.fixture(scope="module")
def catalogue(project: Path) -> dict[str, dict[str, Any]]:
    return {
        metric["metric_id"]: metric
        for path in sorted((project / "config/metrics").glob("*.yml"))
        for metric in yaml.safe_load(path.read_text(encoding="utf-8"))
    }


@pytest.fixture(scope="module")
def left_out(project: Path) -> list[dict[str, Any]]:
    groups = yaml.safe_load((project / "tests/independent/not_recomputed.yml").read_text(encoding="utf-8"))
    assert isinstance(groups, list)
    return groups


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
            "select unit_kind, unit_key, channel, metric_id, case period_kind when 'period' then 'period'"
            " else period_id end, numerator, denominator, n, value, null_reason from wh_kpi.metric_value"
        ).fetchall()
    found = {}
    for *key, numerator, denominator, n, value, null_reason in rows:
        number = Number(Fraction(numerator or 0), None if denominator is None else Fraction(denominator), n)
        assert Key(*key) not in found
        found[Key(*key)] = Published(number, value, null_reason)
    return found


def test_every_metric_is_recomputed_or_has_a_reason(
    catalogue: dict[str, dict[str, Any]], expected: dict[Key, Number], left_out: list[dict[str, Any]]
) -> None:
    recomputed = {key.metric_id for key in expected} | COUNTED_TO_NOTHING | DISPERSIONS
    listed = [name for group in left_out for name in group["metrics"]]
    assert all(group["reason"].strip() for group in left_out)
    assert len(set(listed)) == len(listed)
    assert not recomputed & set(listed)
    assert recomputed | set(listed) == set(catalogue)
    assert len(recomputed) == 59


def test_what_the_recordings_do_not_hold_is_not_published(
    published: dict[Key, Published], left_out: list[dict[str, Any]]
) -> None:
    nothing = {name for group in left_out for name in group["metrics"]} | COUNTED_TO_NOTHING
    found = {
        key: number
        for key, (number, _, _) in published.items()
        if key.metric_id in nothing and (number.numerator or number.denominator or number.n)
    }
    assert found == {}


def test_every_number_equals_the_independent_recomputation(
    expected: dict[Key, Number], published: dict[Key, Published]
) -> None:
    assert len(expected) == 12050
    different: dict[Key, object] = {}
    for key, number in expected.items():
        if key not in published:
            different[key] = (number, "not published")
        elif key.metric_id in PERCENTILES:
            # Published from logarithmic buckets, here the nearest rank itself.
            value = published[key].value
            is_near = value is not None and abs(Fraction(value) - number.numerator) <= number.numerator / 100
            if not is_near or published[key].number.n != number.n:
                different[key] = (number, published[key])
        elif not number.agrees_with(published[key].number):
            different[key] = (number, published[key].number)
    assert different == {}


def test_the_balance_of_work_equals_the_independent_recomputation(line: Line, project: Path) -> None:
    with line.platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select team_key, workload_balance_index from wh_kpi.workload_balance where period_kind = 'period'"
            " and workload_balance_index is not null"
        ).fetchall()
    assert {team: float(index) for team, index in rows} == pytest.approx(
        workload_balance(project / "samples"), abs=1e-9
    )


def test_every_further_number_is_that_of_all_channels_of_what_has_none(
    expected: dict[Key, Number], published: dict[Key, Published]
) -> None:
    further = 0
    for key, found in published.items():
        if key not in expected and (found.number.numerator or found.number.denominator):
            assert key.channel == "all" and found.number == published[key._replace(channel="none")].number, key
            further += 1
    assert further == 862


def test_days_add_up_to_the_period_and_different_things_do_not(
    expected: dict[Key, Number], published: dict[Key, Published]
) -> None:
    days: dict[Key, list[Number]] = defaultdict(list)
    for key, (number, _, _) in published.items():
        # Weeks, months and the period have no day of that form.
        if len(key.day) != len(FIRST_DATE):
            continue
        counted_on = date.fromisoformat(key.day) + timedelta(WATCHED_DAYS.get(key.metric_id, 0))
        if FIRST_DATE <= counted_on.isoformat() <= LAST_DATE:
            days[key._replace(day="period")].append(number)
    compared, fewer = 0, 0
    for key, number in expected.items():
        if key.day != "period" or key.metric_id in PERCENTILES or key.metric_id in NOT_DAILY:
            continue
        if key.metric_id in DISTINCT:
            assert max(day.numerator for day in days[key]) <= number.numerator
            fewer += number.numerator < sum(day.numerator for day in days[key])
            continue
        assert sum(day.numerator for day in days[key]) == number.numerator, key
        assert sum(day.denominator or 0 for day in days[key]) == (number.denominator or 0), key
        assert sum(day.n for day in days[key]) == number.n, key
        compared += 1
    assert (compared, fewer) == (1569, 21)


def test_a_value_is_its_fraction_or_says_why_it_is_missing(
    published: dict[Key, Published], catalogue: dict[str, dict[str, Any]]
) -> None:
    # Agents take chats themselves; no chat has invitations, no call a hold, no bot its sources.
    not_measured = {
        "first_response_time", "survey_response_rate", "survey_offer_rate", "hold_rate", "avg_hold_time",
        "knowledge_hit_rate",
    }  # fmt: skip
    reasons: Counter[str | None] = Counter()
    for key, (number, value, reason) in published.items():
        metric = catalogue[key.metric_id]
        reasons[reason] += 1
        if reason in ("not_measured", "source_missing"):
            assert (number, value) == (Number(Fraction(0), None, 0), None), key
            assert reason == "source_missing" or key.metric_id in not_measured, key
        elif metric["kind"] in ("sum", "last"):
            assert (value, reason) == (Decimal(number.numerator.numerator), None), key
        elif metric["kind"] == "excess":
            assert value is not None and reason is None
            assert (
                abs(Fraction(value) - max(Fraction(0), number.numerator - (number.denominator or 0))) < LEAST_DIFFERENCE
            )
        elif not (number.n if metric["kind"] == "percentile" else number.denominator):
            assert (value, reason) == (None, "no_denominator"), key
        elif key.unit_kind == "agent" and key.day == "period" and number.n < metric["min_n"]:
            assert (value, reason) == (None, "below_min_n"), key
        else:
            assert value is not None and reason is None, key
            exact = number.numerator / (number.denominator or 1) * Fraction(metric.get("scale", "1"))
            assert abs(Fraction(value) - exact) <= LEAST_DIFFERENCE * exact, key
    assert set(reasons) <= {None, "no_denominator", "below_min_n", "not_measured", "source_missing"}
    assert min(reasons[None], reasons["no_denominator"], reasons["below_min_n"], reasons["not_measured"]) > 0


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

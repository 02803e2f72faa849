"""The curves of the warehouse give the numbers of `kefu.statistics.curves`, digit by digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import jinja2
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from kefu.settings import PROJECT, Settings
from kefu.statistics.curves import Curve, Direction, counted_score, relative_scores
from kefu.warehouse import Role, Warehouse

MACROS = (PROJECT / "dbt_project" / "macros" / "curves.sql").read_text("utf-8")
CURVE: TypeAdapter[Curve] = TypeAdapter(Curve)
generated = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

numbers = st.decimals(0, 1000, places=4)
amounts = st.decimals("0.01", 400, places=3)


def macro(call: str) -> str:
    """The SQL a macro of the project writes."""
    return jinja2.Environment(autoescape=False).from_string(MACROS + "{{ " + call + " }}").render()


POINTS = macro("curve_points('given', ['n'])")
SCORE = macro("curve_score('rows.value', 'rows')")
RELATIVE = macro("relative_score('worse', 'ties', 'size')")
COUNTED = macro("counted_score('r', 'n', 't')")


@pytest.fixture(scope="module")
def owner(settings: Settings) -> Iterator[psycopg.Connection]:
    with Warehouse(settings, "postgres").connect(Role.OWNER) as connection:
        yield connection


@st.composite
def curves(draw: st.DrawFn) -> dict[str, Any]:
    """A valid curve of any kind, falling or rising, with numbers of several decimals."""
    kind = draw(
        st.sampled_from(
            ["linear", "stretch", "piecewise", "step", "target_band", "deduction", "attainment", "pass_zero"]
        )
    )
    falling = draw(st.booleans())

    def values(least: int) -> list[Decimal]:
        found = sorted(draw(st.sets(numbers, min_size=least, max_size=5)))
        return found[::-1] if falling else found

    def points(count: int) -> list[Decimal]:
        return sorted(draw(st.sets(st.decimals(0, 120, places=2), min_size=count, max_size=count)))

    curve: dict[str, Any] = {"kind": kind}
    if kind == "target_band":
        low, high = sorted((draw(numbers), draw(numbers)))
        return curve | {"low": low, "high": high, "distance": draw(amounts)}
    curve["direction"] = "lower" if falling else "higher"
    if kind == "linear":
        curve["floor"], curve["target"] = values(2)[:2]
    elif kind == "stretch":
        curve["floor"], curve["target"], curve["stretch"] = values(3)[:3]
        curve["cap"] = draw(st.integers(100, 130))
    elif kind == "piecewise":
        xs = values(2)
        curve["knots"] = list(zip(xs, points(len(xs)), strict=True))
    elif kind == "step":
        limits = sorted(values(1))
        earned = points(len(limits) + 1)
        lows, highs = [None, *limits], [*limits, None]
        curve["bands"] = [
            {"low": low, "high": high, "points": score}
            for low, high, score in zip(lows, highs, earned[::-1] if falling else earned, strict=True)
        ]
    elif kind == "deduction":
        curve |= {"target": draw(numbers), "points": draw(amounts), "per": draw(amounts)}
    elif kind == "attainment":
        curve |= {"target": draw(amounts), "cap": draw(st.integers(100, 130))}
    else:
        curve |= {"threshold": draw(numbers), "points": draw(st.integers(0, 120))}
    return curve


def of_sql(owner: psycopg.Connection, cases: list[tuple[Curve, Decimal]]) -> list[Decimal]:
    statement = (
        "with given as (select * from jsonb_to_recordset(%s) as"
        " r (n int, curve jsonb, curve_kind text, is_falling boolean, value numeric)),"
        f" points as ({POINTS}),"
        " rows as (select * from given join points using (n))"
        f" select {SCORE} from rows order by n"
    )
    body = [
        {
            "n": number,
            "curve": curve.model_dump(mode="json"),
            "curve_kind": curve.kind,
            "is_falling": getattr(curve, "direction", Direction.HIGHER) is Direction.LOWER,
            "value": str(value),
        }
        for number, (curve, value) in enumerate(cases)
    ]
    return [row[0] for row in owner.execute(statement.encode(), [Jsonb(body)])]


@generated
@given(st.lists(st.tuples(curves(), numbers), min_size=10, max_size=30))
def test_sql_and_python_give_the_same_points(
    owner: psycopg.Connection, drawn: list[tuple[dict[str, Any], Decimal]]
) -> None:
    cases = [(CURVE.validate_python(curve), value) for curve, value in drawn]
    # The places where lines bend and bands meet are the ones that differ if any do.
    cases += [(curve, value) for curve, _ in cases for value in corners(curve)]
    assert of_sql(owner, cases) == [curve.score(value) for curve, value in cases]


def corners(curve: Curve) -> list[Decimal]:
    found = curve.model_dump()
    numbers = [found.get(name) for name in ("floor", "target", "stretch", "low", "high", "threshold")]
    numbers += [x for x, _ in found.get("knots", ())] + [band["high"] for band in found.get("bands", ())]
    return [number for number in numbers if number is not None]


@generated
@given(st.lists(st.integers(-20, 20), min_size=15, max_size=400), st.sampled_from(list(Direction)))
def test_sql_and_python_rank_a_cohort_alike(owner: psycopg.Connection, drawn: list[int], direction: Direction) -> None:
    sign = -1 if direction is Direction.LOWER else 1
    statement = (
        "with given as (select v, n from unnest(%s::int[]) with ordinality as r (v, n)),"
        " ranked as (select n, count(*) over () as size, rank() over (order by v) - 1 as worse,"
        " count(*) over (partition by v) as ties from given)"
        f" select {RELATIVE}"
        " from ranked order by n"
    )
    found = [row[0] for row in owner.execute(statement.encode(), [[sign * value for value in drawn]])]
    assert found == relative_scores([Decimal(value) for value in drawn], direction, 15)


@generated
@given(st.integers(1, 200), st.data(), st.decimals("0.5", 1, places=3))
def test_sql_and_python_count_bad_ratings_alike(
    owner: psycopg.Connection, n: int, data: st.DataObject, target: Decimal
) -> None:
    good = data.draw(st.integers(0, n))
    statement = f"select {COUNTED} from (select" + (" %s::numeric / %s as r, %s as n, %s::numeric as t) as given")
    row = owner.execute(statement.encode(), [good, n, n, target]).fetchone()
    assert row is not None and row[0] == counted_score(good, n, target)

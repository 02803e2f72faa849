"""Imbalance and raking against the same numbers worked out from single conversations."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kefu.statistics.response import Cells, largest_imbalance, rake

Row = dict[str, Any]


def cells(rows: Sequence[Row]) -> Cells:
    """Counts single conversations into cells, as the query does."""
    keys: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        keys[row.get("channel"), row.get("solved"), row.get("invited", True), row.get("answer") is not None].append(row)
    groups = [keys[key] for key in sorted(keys, key=str)]
    waits = [[row["wait"] for row in group if row.get("wait") is not None] for group in groups]

    def column(name: str) -> np.ndarray[Any, Any]:
        found = np.empty(len(groups), dtype=object)
        found[:] = [group[0].get(name) for group in groups]
        return found

    return Cells(
        levels={"channel": column("channel"), "solved": column("solved")},
        bands={},
        numbers={
            "wait_seconds": (
                np.array([len(found) for found in waits], float),
                np.array([sum(found) for found in waits], float),
                np.array([sum(wait * wait for wait in found) for found in waits], float),
            )
        },
        is_invited=np.array([group[0].get("invited", True) for group in groups], bool),
        is_answered=np.array([group[0].get("answer") is not None for group in groups], bool),
        count=np.array([len(group) for group in groups], float),
        total=np.array([sum(row.get("answer") or 0 for row in group) for group in groups], float),
    )


def test_largest_imbalance_names_the_covariate() -> None:
    here = [("voice", 10), ("voice", 20), ("chat", 30), ("voice", 40)]
    there = [("chat", 12), ("chat", 22), ("chat", 32), ("voice", None)]
    rows: list[Row] = [{"channel": channel, "wait": wait, "answer": 1} for channel, wait in here]
    rows += [{"channel": channel, "wait": wait} for channel, wait in there]
    # channel: shares 0.75 and 0.25, both variances 4/3 x 0.1875 = 0.25, difference 0.5 / 0.5 = 1
    assert largest_imbalance(cells(rows)) == ("channel=chat", pytest.approx(1.0))
    # wait: 25 and 22; variances 500/3 and 100, root of their mean 11.547
    for row in rows:
        row["channel"] = None
    assert largest_imbalance(cells(rows)) == ("wait_seconds", pytest.approx(3 / 11.5470054))


def test_imbalance_without_spread_or_data() -> None:
    def solved(here: Sequence[str | None], there: Sequence[str | None]) -> tuple[str, float] | None:
        rows = [{"solved": one, "answer": 1} for one in here] + [{"solved": one} for one in there]
        return largest_imbalance(cells(rows))

    assert solved(["t", "t"], ["t", "t"]) == ("solved=t", 0.0)
    assert solved(["t", "t"], ["f", "f"]) == ("solved=f", math.inf)
    assert solved(["t", None], ["f", "f"]) is None


def test_who_was_not_invited_is_no_responder_and_no_refuser() -> None:
    rows: list[Row] = [{"channel": "chat", "answer": 1}] * 2 + [{"channel": "chat"}] * 2
    assert largest_imbalance(cells(rows)) == ("channel=chat", 0.0)
    assert largest_imbalance(cells([*rows, *[{"channel": "voice", "invited": False}] * 9])) == ("channel=chat", 0.0)


def test_raking_weights_each_channel_by_all_its_conversations() -> None:
    # 80 of 100 chats answered 0.5 on average, 10 of 100 calls all 1: by halves (0.5 + 1) / 2 instead of 50 / 90.
    rows: list[Row] = [{"channel": "chat", "answer": value % 2} for value in range(80)]
    rows += [{"channel": "chat"}] * 20 + [{"channel": "voice", "answer": 1}] * 10 + [{"channel": "voice"}] * 90
    found = rake(cells(rows))
    assert found.raw == pytest.approx(50 / 90)
    assert found.raked == pytest.approx(0.75)
    assert found.covered == 1


def test_nobody_speaks_for_a_level_without_an_answer() -> None:
    rows: list[Row] = [{"channel": "chat", "answer": 1}] * 10 + [{"channel": "voice"}] * 30
    found = rake(cells(rows))
    assert (found.raked, found.covered) == (pytest.approx(1.0), 0.25)
    nothing = rake(cells([{"channel": "chat"}]))
    assert math.isnan(nothing.raw) and math.isnan(nothing.raked)


rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "channel": st.sampled_from(["chat", "voice", None]),
            "solved": st.sampled_from(["t", "f", None]),
            "wait": st.one_of(st.none(), st.integers(0, 600)),
            "answer": st.sampled_from([None, 0, 1]),
            "invited": st.booleans(),
        }
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(rows_of, st.randoms(use_true_random=False))
def test_5_permuting_rows_changes_nothing(rows: list[Row], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert repr(rake(cells(rows))) == repr(rake(cells(shuffled)))
    assert repr(largest_imbalance(cells(rows))) == repr(largest_imbalance(cells(shuffled)))


@settings(max_examples=60, deadline=None)
@given(rows_of)
def test_a_raked_mean_lies_within_the_answers(rows: list[Row]) -> None:
    found = rake(cells(rows))
    if not math.isnan(found.raked):
        answers = [row["answer"] for row in rows if row["answer"] is not None]
        assert min(answers) - 1e-9 <= found.raked <= max(answers) + 1e-9
        assert found.raw == pytest.approx(sum(answers) / len(answers))

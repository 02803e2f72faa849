"""docs/detection.md keeps what was scored: the limits are still those, every rule passes or is known not to."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.detection import LEAST_PRECISION, LEAST_RECALL, NOT_REACHED, PEOPLE, SCORING, SEEN, STATED, digest
from kefu.catalogue.defaults import load_defaults
from kefu.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "detection.md").read_text("utf-8")
# What does not reach its limits, and why.
KNOWN_RULES: dict[str, str] = {}
KNOWN_DECLINES = {
    "chain lasting": "the baseline is an estimate: the limit is wider by its error, which keeps false alarms as stated",
    "chain nobody's change, days alike by 0.3": "how alike days are is an estimate too: 1.5 % of 21,420 series",
}


def table(section: str) -> list[dict[str, str]]:
    lines = [line for line in TEXT.split(f"\n## {section}\n")[1].split("\n## ")[0].splitlines() if line[:1] == "|"]
    heading, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(heading, row, strict=True)) for row in rows]


def test_limits_are_those_that_were_scored() -> None:
    assert f"`{digest(load_defaults(ROOT / 'config' / 'defaults.yml'))}`" in TEXT
    assert not set(SEEN) & set(SCORING) and f"scoring seeds: {', '.join(map(str, SCORING))}" in TEXT


def test_every_rule_finds_its_fault_and_few_others() -> None:
    rows = table("Middle strength")
    assert len(rows) > 20 and all(row["seeds"] == str(len(SCORING)) for row in rows)
    failing = set()
    for row in rows:
        planted, few, blind, found, wrong = (
            int(row[name]) for name in ("planted", "too few cases", "not evaluated", "found", "wrong")
        )
        tested = planted - few - blind
        passes = tested > 0 and found >= LEAST_RECALL * tested and found >= LEAST_PRECISION * (found + wrong)
        assert (row["passes"] == "yes") == passes, row["fault"]
        failing |= set() if passes else {row["fault"]}
    assert failing == set(KNOWN_RULES)


def test_every_rule_is_scored_and_parts_that_are_not_are_named() -> None:
    scored = {row["rule"] for row in table("Middle strength")}
    assert {rule["rule_id"] for rule in read_yaml(ROOT / "config" / "integrity_rules.yml")} <= scored
    assert {row["rule"]: row["part and why"] for row in table("Parts of rules that are not reached")} == NOT_REACHED


@pytest.mark.parametrize("how", ["normal", "chain"])
def test_declines_are_found_as_often_as_stated(how: str) -> None:
    rows = [row for row in table("Declines") if row["how"] == how]
    asked = [(row["alarm"], row["people"], float(row["SD"] or 0), row["scored days"], row["stated"]) for row in rows]
    assert asked == [
        (case.alarm, PEOPLE[case.people], case.worse, str(case.days), case.per_cent)
        for case in STATED
        if how in case.how
    ]
    failing = set()
    for row in rows:
        digits = len(row["stated"].partition(".")[2])
        low, high = (round(float(limit), digits) for limit in row["95 % limits"].split(" to "))
        is_in = float(row["stated"]) <= high if row["people"] == "lasting" else float(row["stated"]) >= low
        assert (row["passes"] == "yes") == is_in, row
        failing |= set() if is_in else {f"{how} {row['people']}"}
    assert failing == {known for known in KNOWN_DECLINES if known.startswith(how)}

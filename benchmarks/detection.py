"""Writes docs/detection.md: how many planted faults each rule finds, how many people it suspects wrongly, and declines.

    python benchmarks/detection.py

Reads what `benchmarks/integrity.py` and `benchmarks/decline.py` kept in the data folder for the scoring seeds. Numbers
of other limits than those of config/defaults.yml are refused. Where only declines were kept, the rest stays as written.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from kefu.catalogue.defaults import Defaults, load_defaults
from kefu.settings import PROJECT, settings
from kefu.statistics.intervals import wilson
from kefu.yaml_files import read_yaml

DOCUMENT = PROJECT / "docs" / "detection.md"
DECLINES = "## Declines"
# What decides who is suspected. Anything else in the defaults may change without a new scoring.
SECTIONS = ("rating", "integrity", "rater", "decline")
# The seeds that strengths were chosen with are no scoring seeds.
SEEN, SCORING = (1, 2, 3), (21, 22, 23, 24, 25)
STRENGTHS = ("zero", "low", "middle", "high")
LEAST_RECALL, LEAST_PRECISION = 0.90, 0.85
PATHS = {
    "counts": "counts of the simulated world, production rules",
    "forms": "forms of six months, production rules",
    "line": "written, loaded and built, production rules",
}
# Parts of rules that nothing planted reaches, and why.
NOT_REACHED = {
    "V7": "without a conversation: what is not linked has no service either, so V9 decides; answers about calls that"
    " the telephone system did not deliver are such, and count neither as planted nor as wrong",
    "V11": "a contact outside the period: what is reviewed in the first days of a month was often said in the last, and"
    " such reviews count neither as planted nor as wrong",
}


class Stated(NamedTuple):
    """A number of reliability.md 7.3: alarms among people who get worse by so many standard deviations.

    `days` are scored days from the change on, and `per_cent` has the digits that are stated.
    """

    alarm: str
    people: str
    worse: float
    days: int
    per_cent: str
    how: tuple[str, ...] = ("normal", "chain")


STATED = [
    Stated("watch", "none", 0, 22, "1.2"), Stated("confirmed", "none", 0, 22, "0.1"),
    Stated("watch", "none", 0, 250, "13", ("normal",)), Stated("confirmed", "none", 0, 250, "1", ("normal",)),
    Stated("watch", "lasting", 1, 10, "53"), Stated("watch", "lasting", 1, 22, "91"),
    Stated("confirmed", "lasting", 1, 10, "19"), Stated("confirmed", "lasting", 1, 15, "45"),
    Stated("confirmed", "lasting", 1, 22, "68"),
    Stated("watch", "lasting", 1.5, 10, "93"), Stated("confirmed", "lasting", 1.5, 10, "66"),
    Stated("confirmed", "lasting", 1.5, 15, "93"), Stated("confirmed", "lasting", 1.5, 22, "99"),
    Stated("watch", "lasting", 2, 10, "100"), Stated("confirmed", "lasting", 2, 10, "95"),
    # The median day is the first by which half are found.
    Stated("watch", "lasting", 2, 4, "50"), Stated("confirmed", "lasting", 2, 7, "50"),
    Stated("watch", "dip", 3, 5, "3.1"), Stated("confirmed", "dip", 3, 10, "0.4"),
    Stated("watch", "dip", 4, 5, "3.1"), Stated("confirmed", "dip", 4, 10, "0.4"),
    Stated("watch", "dip", 6, 5, "3.1"), Stated("confirmed", "dip", 6, 10, "0.4"),
    Stated("watch", "dip", 50, 5, "3.1"), Stated("confirmed", "dip", 50, 10, "1"),
    Stated("watch", "two dips", 3, 5, "21"), Stated("confirmed", "two dips", 3, 10, "2.8"),
    Stated("watch", "alike uncorrected", 0, 22, "8.1", ("normal",)),
    Stated("confirmed", "alike uncorrected", 0, 22, "1.5", ("normal",)),
    Stated("watch", "alike", 0, 22, "1.1"), Stated("confirmed", "alike", 0, 22, "0.1"),
]  # fmt: skip
PEOPLE = {
    "none": "nobody's change",
    "lasting": "lasting",
    "dip": "one bad day",
    "two dips": "two bad days",
    "alike uncorrected": "nobody's change, days alike by 0.3, not corrected",
    "alike": "nobody's change, days alike by 0.3",
}
# From the change on; a lasting one holds for all days.
BAD_DAYS = {"none": 0, "lasting": 1000, "dip": 1, "two dips": 2, "alike uncorrected": 0, "alike": 0}


def digest(defaults: Defaults) -> str:
    """Returns the SHA-256 of the limits that the numbers hold for."""
    body = defaults.model_dump(mode="json", by_alias=True, include=set(SECTIONS))
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _table(headings: Sequence[str], rows: Iterator[Sequence[object]]) -> Iterator[str]:
    yield _row(headings)
    yield _row(["---"] * len(headings))
    yield from map(_row, rows)
    yield ""


def _share(part: int, of: int) -> str:
    return f"{part / of:.2f}" if of else ""


def _verdict(count: Counter[str]) -> str:
    tested = count["planted"] - count["not_enough_data"] - count["not_evaluated"]
    if not tested:
        return "not reached"
    is_found = count["found"] >= LEAST_RECALL * tested
    is_precise = count["found"] >= LEAST_PRECISION * (count["found"] + count["wrong"])
    return "yes" if is_found and is_precise else "no"


def _pooled(told: list[dict[str, Any]]) -> dict[tuple[str, str, str], Counter[str]]:
    """Returns the counts of all seeds by path, fault and strength; forms are told by their own path only."""
    by_forms = {fault for one in told if one["path"] == "forms" for fault in one["counts"]}
    pooled: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for one in told:
        for fault, count in one["counts"].items():
            if one["path"] != "counts" or fault not in by_forms:
                cells = {name: value for name, value in count.items() if name != "rule"}
                pooled[one["path"], fault, one["strength"]].update(cells)
    return pooled


def _rules(told: list[dict[str, Any]], strengths: Sequence[str], paths: Sequence[str]) -> Iterator[Sequence[object]]:
    rule_of = {fault: count["rule"] for one in told for fault, count in one["counts"].items()}
    pooled = _pooled(told)
    for fault, rule in rule_of.items():
        for path in paths:
            for strength in strengths:
                if (count := pooled.get((path, fault, strength))) is None:
                    continue
                seeds = len([one for one in told if one["path"] == path and one["strength"] == strength])
                tested = count["planted"] - count["not_enough_data"] - count["not_evaluated"]
                yield (
                    fault, rule, strength, path, seeds, count["planted"], count["not_enough_data"],
                    count["not_evaluated"], count["found"], _share(count["found"], tested), count["wrong"],
                    count["others"], _share(count["found"], count["found"] + count["wrong"]),
                    _verdict(count) if strength != "zero" else "",
                )  # fmt: skip


def _declines(told: dict[str, Any], z: float) -> Iterator[Sequence[object]]:
    for row in told["rows"]:
        interval = wilson(row["hits"], row["series"], z)
        low, high = (round(100 * float(limit), 2) for limit in (interval.low, interval.high))
        stated, digits = float(row["per_cent"]), len(row["per_cent"].partition(".")[2])
        is_met = stated <= round(high, digits) if row["people"] == "lasting" else stated >= round(low, digits)
        yield (
            row["how"], row["alarm"], PEOPLE[row["people"]], f"{row['worse']:g}" if row["worse"] else "", row["days"],
            row["series"], f"{100 * row['hits'] / row['series']:.2f}", f"{low:.2f} to {high:.2f}", row["per_cent"],
            "yes" if is_met else "no",
        )  # fmt: skip


def rules_found(told: list[dict[str, Any]], frozen: str) -> str:
    """Returns the text of docs/detection.md before the declines."""
    rules = {rule["rule_id"] for rule in read_yaml(PROJECT / "config" / "integrity_rules.yml")}
    if missing := sorted(rules - {count["rule"] for one in told for count in one["counts"].values()}):
        raise SystemExit(f"found no numbers of {missing}. Remedy: run benchmarks/integrity.py counts and forms")
    commits = ", ".join(sorted({one["commit"] for one in told if one["commit"]}))
    headings = (
        "fault", "rule", "strength", "path", "seeds", "planted", "too few cases", "not evaluated", "found", "recall",
        "wrong", "others tested", "precision", "passes",
    )  # fmt: skip
    runs = Counter((one["path"], one["strength"], one["agents"], one["months"]) for one in told)
    lines = [
        "# What the rules find", "",
        "Written by `python benchmarks/detection.py` from what `benchmarks/integrity.py` and `benchmarks/decline.py`",
        "kept; `tests/simulation/test_detection.py` reads it.", "",
        f"- commit: `{commits}`",
        f"- limits: sections {', '.join(SECTIONS)} of config/defaults.yml, SHA-256 `{frozen}`",
        f"- seeds that strengths were chosen with: {', '.join(map(str, SEEN))}; scoring seeds:"
        f" {', '.join(map(str, SCORING))}",
        "- runs: " + "; ".join(
            f"{path} {strength}: {seeds} seeds x {agents} people x {months} months"
            for (path, strength, agents, months), seeds in sorted(runs.items())
        ),
        "", "| path | what it is |", "| --- | --- |",
        *(_row((name, words)) for name, words in PATHS.items()), "",
        "The rules judge one month: of half a year the last one. Counts taken from the world of seed 1 agree with"
        " those that its warehouse made: ratings, best ratings and customers of 99 % of the people are the same,"
        " conversations are within 0.4 % in sum, hits of G3 to G7 and I6 within 1 %, invitations (I2) within 0.5 %, and"
        " V2 to V5 name the same people. The real line has the scoring seeds too, with 60 people and one month: the"
        " counts of the same world find as many begged scores (16 of 20) and one selective invitation more, so what is"
        " missed there lacks cases.", "",
        "V1 and V6 to V11 are scored by rows: an answer to the follow-up with its four items, a rating, a review. All"
        " other rules are scored by people. Who ticks the middle of the scale on every item breaks V10 without any"
        " intent and counts as wrong.", "",
        "A rule passes at middle strength with recall of at least"
        f" {LEAST_RECALL} and precision of at least {LEAST_PRECISION}. A fault whose rule needs more cases than its"
        " subject has is counted apart.", "",
        "## Middle strength", "",
        *_table(headings, _rules(told, ("middle",), ("counts", "forms"))),
        *(
            ["## Middle strength on the real line", "", *_table(headings, _rules(told, ("middle",), ("line",)))]
            if any(one["path"] == "line" for one in told)
            else []
        ),
        "## All strengths", "",
        "Zero plants nothing: whoever is suspected there is suspected wrongly.", "",
        *_table(headings, _rules(told, STRENGTHS, ("counts", "forms"))),
        "## Parts of rules that are not reached", "",
        *_table(("rule", "part and why"), iter(NOT_REACHED.items())),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def declines_found(told: dict[str, Any], z: float) -> str:
    """Returns the section about declines."""
    lines = [
        DECLINES, "",
        "`normal` is the detector with a known baseline on standard normal days, as in the table of reliability.md 7.3;"
        f" `chain` is the whole production code from the estimated baseline on: {told['agents']} people,"
        f" {told['months']} months, seeds {', '.join(map(str, told['seeds']))}, drawn contacts of two times;"
        " those who stay as they are work beside 15 % who get worse. A detection passes when what is stated is not"
        " above the 95 % limits (Wilson), a false alarm when it is not below them, both rounded as it is stated. The"
        " median days are day 4 and day 7: by then half are found. After one bad day the most of the stated range"
        " counts, and for a confirmation after one of 50 SD, which the table leaves out, the most of invariant 8.", "",
        *_table(
            ("how", "alarm", "people", "SD", "scored days", "series", "per cent", "95 % limits", "stated", "passes"),
            _declines(told, z),
        ),
    ]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Reads, checks and writes."""
    folder = settings().kefu_data_dir / "detection"
    told = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*_*.json"))]
    told = [one for one in told if one["seed"] in SCORING]
    declines = json.loads((folder / "decline.json").read_text("utf-8"))
    defaults = load_defaults(PROJECT / "config" / "defaults.yml")
    frozen = digest(defaults)
    if other := sorted({one["defaults"] for one in [*told, declines]} - {frozen}):
        raise SystemExit(f"found numbers of other limits ({other}). Remedy: run the benchmarks again")
    rules = rules_found(told, frozen) if told else DOCUMENT.read_text("utf-8").partition(DECLINES)[0]
    if frozen not in rules:
        raise SystemExit(f"found other limits in {DOCUMENT.name}. Remedy: run benchmarks/integrity.py again")
    DOCUMENT.write_text(rules + declines_found(declines, defaults.interval.z), encoding="utf-8")


if __name__ == "__main__":
    main()

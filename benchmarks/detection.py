"""Writes docs/detection.md: how many planted faults each rule finds, how many people it suspects wrongly, and declines.

    python benchmarks/detection.py

Reads what `benchmarks/integrity.py` and `benchmarks/decline.py` kept in the data folder for the scoring seeds. Numbers
of other limits than those of config/defaults.yml are refused.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from kefu.catalogue.defaults import Defaults, load_defaults
from kefu.settings import PROJECT, settings
from kefu.statistics.intervals import wilson
from kefu.yaml_files import read_yaml

DOCUMENT = PROJECT / "docs" / "detection.md"
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
# Faults and rules that no number stands for, and why.
NOT_REACHED = {
    "V1": "no simulated system keeps a second rating of a conversation",
    "V6": "planted, but no system that asks for satisfaction delivers a reason with the rating",
    "V7": "no rating of the simulation comes after 72 hours or without its conversation",
    "V8": "only the second chat system keeps earlier values, and nobody's rating is raised there after contact",
    "V9": "no conversation without service is invited to rate",
    "V10": "no simulated survey has four items of which one is reversed",
    "V11": "reviews of the own manager are kept out of the simulated reviews, and the other defects are not planted",
}
# Table of reliability.md 7.3: alarm, people, scored days, size in standard deviations, per cent.
STATED = [
    ("watch", "none", 22, None, 1.2), ("confirmed", "none", 22, None, 0.1),
    ("watch", "decline", 10, 1.0, 53), ("watch", "decline", 22, 1.0, 91),
    ("confirmed", "decline", 10, 1.0, 19), ("confirmed", "decline", 15, 1.0, 45), ("confirmed", "decline", 22, 1.0, 68),
    ("watch", "decline", 10, 1.5, 93), ("confirmed", "decline", 10, 1.5, 66),
    ("confirmed", "decline", 15, 1.5, 93), ("confirmed", "decline", 22, 1.5, 99),
    ("watch", "decline", 10, 2.0, 100), ("confirmed", "decline", 10, 2.0, 95),
    ("watch", "dip", 5, None, 4), ("confirmed", "dip", 10, None, 1),
]  # fmt: skip
KINDS = {"none": "nobody's change", "decline": "lasting", "dip": "one day of 4 SD (invariant 8)"}


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
    place = {days: number for number, days in enumerate(told["within"])}
    sizes = [key for key in told if key.replace(".", "").isdigit()]
    for how in ("detector", "chain"):
        for alarm, kind, days, sigmas, stated in STATED:
            # Who does not decline is the same whatever the size of the declines of others.
            one = told[str(sigmas) if sigmas else sizes[0]][f"{how} {kind}"]
            hits = one["watch" if alarm == "watch" else "sure"][place[days]]
            interval = wilson(hits, one["series"], z)
            low, high = 100 * float(interval.low), 100 * float(interval.high)
            is_alarm_wanted = kind == "decline"
            verdict = "yes" if (stated <= round(high, 1) if is_alarm_wanted else stated >= round(low, 1)) else "no"
            yield (
                how, alarm, KINDS[kind], sigmas or "", days, one["series"], f"{100 * hits / one['series']:.1f}",
                f"{low:.1f} to {high:.1f}", f"{stated:g}", verdict,
            )  # fmt: skip


def document(told: list[dict[str, Any]], declines: dict[str, Any], defaults: Defaults) -> str:
    """Returns the text of docs/detection.md."""
    frozen = digest(defaults)
    if other := sorted({one["defaults"] for one in [*told, declines]} - {frozen}):
        raise SystemExit(f"found numbers of other limits ({other}). Remedy: run the benchmarks again")
    rules = [rule["rule_id"] for rule in read_yaml(PROJECT / "config" / "integrity_rules.yml")]
    scored = {count["rule"] for one in told for count in one["counts"].values()}
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
        "The rules judge one month, so one month is simulated for `counts`. Half a year of contacts, and the real line"
        " with the scoring seeds, have not been run; the same command does it. Counts taken from the world of seed 1"
        " agree with those that its warehouse made: ratings, best ratings and customers of 99 % of the people are the"
        " same, conversations are within 0.4 % in sum, hits of G3 to G7 and I6 within 1 %, invitations (I2) within"
        " 0.5 %, and V2 to V5 name the same people.", "",
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
        "## Not reached", "",
        *_table(("rule", "why"), ((rule, NOT_REACHED[rule]) for rule in rules if rule not in scored or rule == "V6")),
        "## Declines", "",
        f"{declines['agents']} people, {declines['months']} months, seeds {', '.join(map(str, declines['seeds']))},"
        " drawn daily counts of two metrics. `detector` is the detector with a known baseline, as in the table of"
        " reliability.md 7.3; `chain` is the whole production code from the estimated baseline on. A detection passes"
        " when what is stated is not above the 95 % limits (Wilson), a false alarm when it is not below them. Of"
        " one-day dips invariant 8 states the most there may be.", "",
        *_table(
            ("how", "alarm", "people", "SD", "scored days", "series", "per cent", "95 % limits", "stated", "passes"),
            _declines(declines, defaults.interval.z),
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
    DOCUMENT.write_text(document(told, declines, defaults), encoding="utf-8")


if __name__ == "__main__":
    main()

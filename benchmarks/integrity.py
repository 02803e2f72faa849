"""How many planted faults the rules find, and how many people they suspect wrongly, by rule and strength.

    python benchmarks/integrity.py line [--seeds 21 22] [--strengths middle] [--agents 200] [--months 1]
    python benchmarks/integrity.py counts [--seeds 21 22 23 24 25] [--strengths zero low middle high] [...]

`line` writes a simulated operation, loads it, reads its texts and builds all that the rules read in a database of its
own, which is dropped afterwards. `counts` gives the same rules the counts that `benchmarks/counts.py` takes from the
simulated world itself; `forms` does so with what people say of each other, without any contacts. The last month is
judged. V1 and V6 to V11 are scored by rows, all other rules by people. A fault whose rule needs more cases than its
subject has is counted apart, as is a rule whose needs no source
delivers: neither is a miss. Limits are those of config/defaults.yml. Nothing is asserted: each seed and strength is
kept in the data folder, and `benchmarks/detection.py` makes a document of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import yaml
from counts import ROW_KEYS, Counted, of_other_months, truly_biased, unlinked
from detection import SCORING, digest
from psycopg import sql
from rich.console import Console
from scipy import stats

from kefu.catalogue.defaults import Defaults, load_defaults
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import entities_to_ingest, ingest, prepare
from kefu.pipeline.integrity import test
from kefu.pipeline.raters import profile
from kefu.pipeline.text import derive
from kefu.pipeline.transform import run_models, start_run
from kefu.settings import PROJECT, settings
from kefu.simulation.company import found
from kefu.simulation.configuration import SOURCES
from kefu.simulation.fault_plan import DECLARED, plan_faults, skills
from kefu.simulation.faults import delivered, first_told, plant
from kefu.simulation.generate import generate
from kefu.simulation.run import served_desk, write_operation
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import FOLLOW_UP_SCHEMAS, SCHEMAS, World
from kefu.warehouse import Role

# By agent, rater, lead or row: flagged, clear, not_enough_data or not_evaluated.
States = dict[str, str]
# The rule that must find a fault: one about agents, one about rows whose hits must lie with its subject or, of `ROWS`,
# be the planted rows themselves, or a flag of those who score.
RULES = {
    "rating_burst": "I1", "selective_invitation": "I2", "concentrated_rating": "I3", "all_maximum": "I4",
    "contradicted_rating": "I5", "tick_box": "I6", "reciprocal_peer": "I7",
    "empty_early_reply": "G1", "silence_gap": "G2", "redial_padding": "G3", "transfer_before_limit": "G4",
    "forced_close": "G5", "acw_parking": "G6", "split_ticket": "G7", "own_registration": "G8",
    "begged_score": "V5", "duplicate_customer": "V2", "staff_rating": "V3", "too_fast_answer": "V4",
    "repeated_answer": "V1", "wrong_reason": "V6", "late_answer": "V7", "raised_rating": "V8", "unserved_answer": "V9",
    "straight_line": "V10", "defective_review": "V11",
    "lenient_rater": "lenient", "severe_rater": "severe", "halo_rater": "halo", "central_tendency": "central_tendency",
}  # fmt: skip
# Faults that are scored by rows, with the table their rows are in.
ROWS = {
    "repeated_answer": "follow_up", "wrong_reason": "follow_up", "late_answer": "follow_up", "raised_rating": "survey",
    "unserved_answer": "follow_up", "straight_line": "follow_up", "defective_review": "qa_review",
}  # fmt: skip
# Planted as the others are, but no source delivers why a customer rated low.
UNSCORED = ("wrong_target",)
RATERS = ("lenient", "severe", "halo", "central_tendency")
# What is seen on forms only, and takes several months.
FORMS = ("reciprocal_peer", "central_tendency")
# Who carries the other one of these faults does what the rule is about and is no wrong suspicion; nor is a reviewer
# whose marks are as far off by nature. A rating before a new word of the agent is before the agent's last one.
ALIKE = {
    "concentrated_rating": "duplicate_customer", "duplicate_customer": "concentrated_rating",
    "too_fast_answer": "raised_rating",
}  # fmt: skip
# Faults whose strength is points over the cohort's share, which tells how many cases the rule needs to see it.
POINTS = {"tick_box"}
POWER = 0.9


@dataclass
class Count:
    """What became of the planted subjects of one fault, and of everybody else whom its rule tested."""

    planted: int = 0
    not_enough_data: int = 0
    not_evaluated: int = 0
    found: int = 0
    wrong: int = 0
    others: int = 0


def subjects(world: World) -> dict[str, set[str]]:
    """Returns who carries each fault."""
    planted: dict[str, set[str]] = defaultdict(set)
    for row in world.planted.to_pylist():
        planted[row["fault"]].add(row["subject"])
    return planted


def planted_rows(world: World) -> dict[str, set[str]]:
    """Returns the rows that carry each fault of `ROWS`, as the warehouse calls them."""
    rows: dict[str, set[str]] = defaultdict(set)
    for row in world.planted.to_pylist():
        if row["fault"] in ROWS:
            rows[row["fault"]] |= {ROW_KEYS[row["table"]].format(number) for number in row["row_ids"]}
    return rows


def states(platform: Platform, defaults: Defaults) -> dict[str, States]:
    """Returns everybody's state by rule, from what the line wrote.

    With a rule about rows an agent is flagged by one row of it; who has no row it could look at has not enough data.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        by_rule: dict[str, States] = defaultdict(dict)
        for rule, agent, state in connection.execute(
            "select rule_id, agent_key, case when bool_or(is_flagged) then 'flagged' when bool_or(state = 'tested')"
            " then 'clear' else min(state) end from stats.integrity_result where calc_id = 'live'"
            " group by rule_id, agent_key"
        ):
            by_rule[rule][agent] = state
        possible = set(
            connection.execute(
                "select rule_id, source_id from wh_appraisal.row_rule_coverage where state = 'evaluated'"
            ).fetchall()
        )
        rows = connection.execute(
            "select served_agent_key, split_part(rating_key, ':', 1), rule_ids from wh_core.fct_rating as rating"
            " join wh_staging.stg_cfg__period as period on business_date between period_start and period_end"
            " where served_agent_key is not null and instrument_kind = 'csat'"
        ).fetchall()
        scored_rows = connection.execute(
            # What belongs to no conversation has no date.
            "select rating_key, rule_ids from wh_core.fct_rating join wh_staging.stg_cfg__period"
            " on business_date is null or business_date between period_start and period_end"
            " union all select review_key, array_remove(array[exclusion_rule], null) from wh_core.fct_qa_review"
            " join wh_staging.stg_cfg__period on business_date between period_start and period_end"
        ).fetchall()
        raters = connection.execute(
            "select rater_key, max(n), max(sd_ratio), array_agg(distinct flag ->> 'flag') from stats.rater_profile"
            " left join lateral jsonb_array_elements(flags) as flag on true where calc_id = 'live' group by rater_key"
        ).fetchall()
    for rule in (RULES[fault] for fault in RULES if fault not in ROWS and RULES[fault].startswith("V")):
        is_possible = any((rule, source) in possible for _, source, _ in rows)
        by_rule[rule] = dict.fromkeys(by_rule["I1"], "not_enough_data" if is_possible else "not_evaluated")
        for agent, source, rule_ids in rows:
            if (rule, source) in possible and by_rule[rule].get(agent) != "flagged":
                by_rule[rule][agent] = "flagged" if rule in rule_ids else "clear"
    for fault, table in ROWS.items():
        prefix, by_row = ROW_KEYS[table].split("{")[0], by_rule[RULES[fault]]
        for key, rule_ids in scored_rows:
            # The items of an answer are one row.
            name = key.rpartition("-")[0] or key if table == "follow_up" else key
            if key.startswith(prefix) and (RULES[fault], key.split(":")[0]) in possible:
                is_hit = by_row.get(name) == "flagged" or RULES[fault] in rule_ids
                by_row[name] = "flagged" if is_hit else "clear"
    for rule in RATERS:
        for rater, n, sd_ratio, flags in raters:
            can_be = sd_ratio is not None if rule == "central_tendency" else n >= defaults.rater.n
            by_rule[rule][rater] = "flagged" if rule in flags else "clear" if can_be else "not_enough_data"
    return by_rule


def cases(platform: Platform, rule: str) -> dict[str, tuple[int, float, float, float]]:
    """Returns n, the cohort's share, p and q of everybody whom a rule tested."""
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select agent_key, n, expected, p_value, q_value from stats.integrity_result"
            " where calc_id = 'live' and rule_id = %s and state = 'tested'",
            [rule],
        ).fetchall()
    return {agent: (n, *map(float, rest)) for agent, n, *rest in rows}


def too_few(tested: Mapping[str, tuple[int, float, float, float]], points: float, defaults: Defaults) -> set[str]:
    """Returns the agents in whose cases a share so many points above the cohort's is found less often than `POWER`.

    Found is what lies beyond the standard errors and is as rare as the false discovery rate asks for.
    """
    limits = defaults.integrity
    rarest = limits.fdr / max(1, len(tested))
    rare = max([rarest, *(p for _, _, p, q in tested.values() if q <= limits.fdr)])
    few = set()
    for agent, (n, share, *_) in tested.items():
        beyond = math.floor(n * (share + limits.standard_errors * math.sqrt(share * (1 - share) / n)))
        limit = max(beyond, stats.binom.isf(rare, n, share))
        if stats.binom.sf(limit, n, min(1.0, share + points)) < POWER:
            few.add(agent)
    return few


def compare(planted: set[str], by_agent: States, few: set[str], alike: set[str]) -> Count:
    """Returns what one scenario says about one fault; `few` have too few cases for its strength."""
    mine = [by_agent.get(subject, "not_evaluated") for subject in planted]
    mine = [
        "not_enough_data" if state == "clear" and subject in few else state
        for subject, state in zip(planted, mine, strict=True)
    ]
    others = [state for agent, state in by_agent.items() if agent not in planted | alike]
    wrong = others.count("flagged")
    return Count(
        planted=len(mine),
        not_enough_data=mine.count("not_enough_data"),
        not_evaluated=mine.count("not_evaluated"),
        found=mine.count("flagged"),
        wrong=wrong,
        others=wrong + others.count("clear"),
    )


@contextmanager
def line(scenario: Scenario, name: str) -> Iterator[tuple[Platform, World]]:
    """Writes, loads and builds a scenario and runs the rules, in a database of its own that is dropped at the end."""
    with TemporaryDirectory() as folder:
        operation = Path(folder) / "operation"
        world = write_operation(scenario, operation, base=PROJECT / "config", is_alone=True)
        _judge_forms(operation / "config" / "plans" / "demo.yml")
        platform = Platform(settings().model_copy(update={"kefu_config_dir": operation / "config"}), name)
        try:
            prepare(platform)
            start_run(platform, name, "daily", {})
            with served_desk(first_told(world)):
                ingest(platform, name, SOURCES["desk"], "csat_response")
            with served_desk(world):
                for source_id, entity in entities_to_ingest(platform):
                    ingest(platform, name, source_id, entity)
            derive(platform)
            scope = platform.scope(platform.period())
            results = run_models(platform, scope, ["run"], ["+path:models/appraisal/evidence"], None)
            if failed := [
                f"{result['node']}: {result['message']}" for result in results if result["status"] == "error"
            ]:
                raise SystemExit("\n".join(failed))
            profile(platform, scope)
            test(platform, scope)
            yield platform, world
        finally:
            parameters: dict[str, Any] = platform.warehouse.parameters(Role.OWNER) | {"dbname": "postgres"}
            with psycopg.connect(**parameters, autocommit=True) as owner:
                owner.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _judge_forms(path: Path) -> None:
    """Puts the daily forms of leads into the demo plan: raters are judged by what a plan uses."""
    plan = yaml.safe_load(path.read_text("utf-8"))
    (exam,) = (entry for entry in plan["metrics"] if entry["metric_id"] == "exam_score")
    exam["weight"] -= 5
    goal = {"zh": "日常表现", "en": "Daily conduct"}
    curve = {"kind": "linear", "floor": 50, "target": 90}
    plan["metrics"].append(
        {
            "metric_id": "daily_appraisal_score", "weight": 5, "min_n": 1, "initial_g": "0.7", "goal": goal,
            "strategic_goal": exam["strategic_goal"], "curve": curve,
        }
    )  # fmt: skip
    path.write_text(yaml.safe_dump(plan, allow_unicode=True, sort_keys=False), encoding="utf-8")


def judge_line(scenario: Scenario, defaults: Defaults) -> dict[str, Count]:
    """Returns the counts of every fault after the real line."""
    with line(scenario, f"kefu_integrity_{os.getpid()}") as (platform, world):
        return _counts(scenario, world, states(platform, defaults), lambda rule: cases(platform, rule), defaults)


def judge_forms(scenario: Scenario, strength: str, defaults: Defaults) -> dict[str, Count]:
    """Returns the counts of the faults that only forms show, of people who have no contacts."""
    strengths = dict.fromkeys(DECLARED.faults, "zero") | dict.fromkeys(FORMS, strength)
    scenario = Scenario.model_validate(scenario.model_dump() | {"strengths": strengths})
    company = found(scenario).tables
    empty = World({name: schema.empty_table() for name, schema in (SCHEMAS | FOLLOW_UP_SCHEMAS).items()} | company)
    counted = Counted(plant(empty, plan_faults(scenario, company)), scenario, defaults)
    counts = _counts(scenario, counted.world, counted.states_of_forms(), counted.cases, defaults)
    return {fault: counts[fault] for fault in FORMS}


def _counts(
    scenario: Scenario, world: World, by_rule: Mapping[str, States], tested: Any, defaults: Defaults
) -> dict[str, Count]:
    carriers, rows = subjects(world), planted_rows(world)
    # What a rule is about without anybody having planted it.
    natural = truly_biased(world, defaults) | {"V11": of_other_months(world, scenario)}
    if "follow_up" in world.tables:
        natural |= dict.fromkeys(("V7", "V9"), unlinked(world))
    counts = {}
    for fault, rule in RULES.items():
        points = {str(name): value for name, value in DECLARED.faults[fault].strengths.items()}
        strength = points.get(scenario.strength(fault), 0.0)
        few = too_few(tested(rule), strength, defaults) if fault in POINTS and rule in by_rule else set[str]()
        alike = carriers[ALIKE[fault]] if fault in ALIKE else natural.get(rule, set())
        planted = rows[fault] if fault in ROWS else carriers[fault]
        counts[fault] = compare(planted, by_rule.get(rule, {}), few, alike)
    return counts


def keep(
    path: str, scenario: Scenario, strength: str, counts: Mapping[str, Count], defaults: Defaults, seconds: float
) -> None:
    """Writes what one seed and strength said into the data folder."""
    folder = settings().kefu_data_dir / "detection"
    folder.mkdir(parents=True, exist_ok=True)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=PROJECT, check=False
    )
    told = {
        "path": path, "seed": scenario.seed, "strength": strength, "agents": scenario.agents, "months": scenario.months,
        "commit": commit.stdout.strip(), "defaults": digest(defaults), "seconds": round(seconds),
        "counts": {fault: asdict(count) | {"rule": RULES[fault]} for fault, count in counts.items()},
    }  # fmt: skip
    name = f"{path}_{scenario.agents}_{scenario.months}_{scenario.seed}_{strength}.json"
    (folder / name).write_text(json.dumps(told, indent=1), encoding="utf-8")


def main() -> None:
    """Runs every seed and strength and keeps what each says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", choices=["line", "counts", "forms"])
    parser.add_argument("--seeds", type=int, nargs="+", default=SCORING)
    parser.add_argument("--strengths", nargs="+", default=["zero", "low", "middle", "high"])
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--months", type=int, default=6)
    given = parser.parse_args()
    console, defaults = Console(), load_defaults(PROJECT / "config" / "defaults.yml")
    for seed in given.seeds:
        clean: World | None = None
        for strength in given.strengths:
            started = time.perf_counter()
            scenario = Scenario(
                seed=seed, agents=given.agents, months=given.months, follow_up=True,
                strengths=dict.fromkeys((*RULES, *UNSCORED), strength),
            )  # fmt: skip
            if given.path == "line":
                counts = judge_line(scenario, defaults)
            elif given.path == "forms":
                counts = judge_forms(scenario, strength, defaults)
            else:
                faults = plan_faults(scenario, found(scenario).tables)
                # Strengths of rules change nothing before the world is there.
                clean = clean or generate(scenario, skills(faults))
                counted = Counted(delivered(plant(clean, faults)), scenario, defaults)
                counts = _counts(scenario, counted.world, counted.states(), counted.cases, defaults)
            keep(given.path, scenario, strength, counts, defaults, time.perf_counter() - started)
            missed = {f: (c.found, c.planted, c.wrong) for f, c in counts.items() if c.planted or c.wrong}
            console.print(f"seed {seed}, {strength}: {time.perf_counter() - started:.0f} s {missed}")


if __name__ == "__main__":
    main()

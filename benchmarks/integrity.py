"""How many planted faults the real line finds, and how many people it suspects wrongly, by rule and strength.

    python benchmarks/integrity.py [--seeds 1 2 3 4 5] [--agents 200] [--months 6] [--strengths zero low middle high]

Each seed and strength is simulated, loaded, built and tested in a database of its own, which is dropped afterwards;
the last month is judged. A fault whose rule needs more cases than its subject has is counted apart, as is a rule whose
needs no source delivers: neither is a miss. Limits are those of config/defaults.yml. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table
from scipy import stats

from kefu.catalogue.defaults import Integrity
from kefu.pipeline.context import Platform
from kefu.pipeline.run import daily
from kefu.settings import PROJECT, settings
from kefu.simulation.fault_plan import DECLARED
from kefu.simulation.run import served_desk, write_operation
from kefu.simulation.scenario import Scenario
from kefu.simulation.world import World
from kefu.warehouse import Role

# Faults whose strength is points over the cohort's share, which tells how many cases the rule needs to see it.
POINTS = {"tick_box"}
POWER = 0.9
# The rule that must find a fault: one about agents, or one about rows whose hits must lie with its subject.
RULES = {
    "rating_burst": "I1", "selective_invitation": "I2", "all_maximum": "I4", "tick_box": "I6", "reciprocal_peer": "I7",
    "empty_early_reply": "G1", "redial_padding": "G3", "transfer_before_limit": "G4", "forced_close": "G5",
    "acw_parking": "G6",
    "begged_score": "V5", "duplicate_customer": "V2", "staff_rating": "V3", "too_fast_answer": "V4",
    "wrong_target": "V6",
}  # fmt: skip


@dataclass
class Count:
    """What became of the planted subjects of one fault, and of everybody else whom its rule tested."""

    planted: int = 0
    not_enough_data: int = 0
    not_evaluated: int = 0
    found: int = 0
    wrong: int = 0
    clean: int = 0

    @property
    def recall(self) -> float | None:
        """Share of the subjects that could be tested."""
        tested = self.planted - self.not_enough_data - self.not_evaluated
        return self.found / tested if tested else None

    @property
    def precision(self) -> float | None:
        """Share of the suspected people that carry the fault."""
        suspected = self.found + self.wrong
        return self.found / suspected if suspected else None


def subjects(world: World) -> dict[str, set[str]]:
    """Returns who carries each fault."""
    planted: dict[str, set[str]] = defaultdict(set)
    for row in world.planted.to_pylist():
        planted[row["fault"]].add(row["subject"])
    return planted


def states(platform: Platform) -> dict[str, dict[str, str]]:
    """Returns, by rule, each agent's state: flagged, clear, not_enough_data or not_evaluated.

    With a rule about rows an agent is flagged by one row of it; who has no row it could look at has not enough data.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for rule, agent, state in connection.execute(
            "select rule_id, agent_key, case when bool_or(is_flagged) then 'flagged' when bool_or(state = 'tested')"
            " then 'clear' else min(state) end from stats.integrity_result where calc_id = 'live'"
            " group by rule_id, agent_key"
        ):
            found[rule][agent] = state
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
    for rule in (rule for rule in RULES.values() if rule.startswith("V")):
        is_possible = any(known == rule for known, _ in possible)
        found[rule] = dict.fromkeys(found["I1"], "not_enough_data" if is_possible else "not_evaluated")
        for agent, source, rule_ids in rows:
            if (rule, source) in possible and found[rule].get(agent) != "flagged":
                found[rule][agent] = "flagged" if rule in rule_ids else "clear"
    return found


def too_few(platform: Platform, rule: str, points: float, limits: Integrity) -> set[str]:
    """Returns the agents in whose cases a share so many points above the cohort's is found less often than `POWER`.

    Found is what lies beyond the standard errors and is as rare as the false discovery rate asks for.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select agent_key, n, expected, p_value, q_value from stats.integrity_result"
            " where calc_id = 'live' and rule_id = %s and state = 'tested'",
            [rule],
        ).fetchall()
    rarest = limits.fdr / max(1, len(rows))
    rare = max([rarest, *(float(p) for *_, p, q in rows if q <= limits.fdr)])
    few = set()
    for agent, n, expected, *_ in rows:
        share = float(expected)
        beyond = math.floor(n * (share + limits.standard_errors * math.sqrt(share * (1 - share) / n)))
        limit = max(beyond, stats.binom.isf(rare, n, share))
        if stats.binom.sf(limit, n, min(1.0, share + points)) < POWER:
            few.add(agent)
    return few


def compare(count: Count, planted: set[str], found: dict[str, str], few: set[str]) -> None:
    """Adds what one scenario says about one fault; `few` have too few cases for its strength."""
    mine = [found.get(subject, "not_evaluated") for subject in planted]
    mine = [
        "not_enough_data" if state == "clear" and subject in few else state
        for subject, state in zip(planted, mine, strict=True)
    ]
    others = [state for agent, state in found.items() if agent not in planted]
    count.planted += len(mine)
    count.not_enough_data += mine.count("not_enough_data")
    count.not_evaluated += mine.count("not_evaluated")
    count.found += mine.count("flagged")
    count.wrong += others.count("flagged")
    count.clean += others.count("flagged") + others.count("clear")


@contextmanager
def line(scenario: Scenario, name: str) -> Iterator[tuple[Platform, World]]:
    """Simulates, loads, builds and tests a scenario in a database of its own, which is dropped at the end."""
    with TemporaryDirectory() as folder:
        operation = Path(folder) / "operation"
        world = write_operation(scenario, operation, base=PROJECT / "config", is_alone=True)
        platform = Platform(settings().model_copy(update={"kefu_config_dir": operation / "config"}), name)
        try:
            with served_desk(world):
                daily(platform, name)
            yield platform, world
        finally:
            parameters: dict[str, Any] = platform.warehouse.parameters(Role.OWNER) | {"dbname": "postgres"}
            with psycopg.connect(**parameters, autocommit=True) as owner:
                owner.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def main() -> None:
    """Runs every seed and strength and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--strengths", nargs="+", default=["zero", "low", "middle", "high"])
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--contacts", type=float, default=30, help="contacts of an agent and day")
    given = parser.parse_args()
    console = Console(width=150)
    counts: dict[tuple[str, str], Count] = defaultdict(Count)
    for seed in given.seeds:
        for strength in given.strengths:
            started = time.perf_counter()
            scenario = Scenario.model_validate(
                {
                    "seed": seed, "agents": given.agents, "months": given.months,
                    "contacts_per_agent_day": given.contacts, "strengths": dict.fromkeys(RULES, strength),
                }
            )  # fmt: skip
            with line(scenario, f"kefu_integrity_{os.getpid()}") as (platform, world):
                planted, found = subjects(world), states(platform)
                limits = platform.catalogue.defaults.integrity
                for fault, rule in RULES.items():
                    strengths = {str(name): value for name, value in DECLARED.faults[fault].strengths.items()}
                    points = strengths.get(scenario.strength(fault), 0.0)
                    few = too_few(platform, rule, points, limits) if fault in POINTS else set()
                    compare(counts[fault, strength], planted[fault], found[rule], few)
            console.print(f"seed {seed}, {strength}: {time.perf_counter() - started:.0f} s")
    table = Table(
        "fault", "rule", "strength", "planted", "too few cases", "not evaluated", "found", "recall",
        "wrongly suspected", "others tested", "precision",
    )  # fmt: skip
    for fault, rule in RULES.items():
        for strength in given.strengths:
            count = counts[fault, strength]
            table.add_row(
                fault, rule, strength, str(count.planted), str(count.not_enough_data), str(count.not_evaluated),
                str(count.found), "" if count.recall is None else f"{count.recall:.2f}",
                str(count.wrong), str(count.clean), "" if count.precision is None else f"{count.precision:.2f}",
                end_section=strength == given.strengths[-1],
            )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    main()

"""How well lasting declines are found in half a year of 200 people, beside the table of reliability.md 7.3.

    python benchmarks/decline.py [--agents 200] [--months 6] [--seeds 21 22 23 24 25] [--sigmas 1.0 1.5 2.0]

No database: people, teams and worked days are those of the simulated company, and each worked day has a number of
contacts and a sum of logarithms drawn with the spreads of kefu/simulation/operation.yml: talk time of calls and reply
time in chats. 15 % of the people become worse for the last 40 days, 15 % have one bad day of 4 standard deviations, and
the others stay as they are. The production code is asked twice: the detector alone, for which the baseline is known
and days scatter alike, as in the table, and the whole chain, which estimates the baseline from the days before and
takes weekdays and the team's common cause out. The practical size is left out, as in the table. Keeps what it counted
in the data folder for `benchmarks/detection.py`, and prints it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from detection import SCORING, digest
from numpy.typing import NDArray
from rich.console import Console

from kefu.catalogue.defaults import Decline, load_defaults
from kefu.settings import PROJECT, settings
from kefu.simulation.company import found
from kefu.simulation.operation import OPERATION
from kefu.simulation.scenario import Scenario
from kefu.statistics import decline

Flags = NDArray[np.bool_]
# Who takes contacts, on which dates each works, everybody's team on each date, and the teams.
Company = tuple[list[str], Flags, NDArray[np.int64], tuple[str, ...]]
# Calendar days in which nearly everybody works 22.
DECLINE_DAYS, DIP_SIGMAS = 40, 4.0
ROUNDS = 3
WITHIN = (5, 10, 15, 22)
# Spread of a person's days and of single contacts, both of the logarithm.
METRICS = {
    "talk time": (OPERATION.people.handling_day_spread, OPERATION.voice.talk.spread),
    "reply time": (OPERATION.people.response_day_spread, OPERATION.chat.agent_gap.spread),
}


@dataclass
class Tally:
    """Series, and how many of them had a watch and a confirmation within so many scored days of the change."""

    series: int = 0
    watch: list[int] = field(default_factory=lambda: [0] * len(WITHIN))
    sure: list[int] = field(default_factory=lambda: [0] * len(WITHIN))

    def add(self, watch: Flags, sure: Flags) -> None:
        """Counts one series by its scored days from the change on."""
        self.series += 1
        for place, days in enumerate(WITHIN):
            self.watch[place] += bool(watch[:days].any())
            self.sure[place] += bool(sure[:days].any())


def worked(scenario: Scenario) -> Company:
    """Returns the people of the simulated company and their worked days."""
    company = found(scenario).tables
    roles = ("inbound", "im", "mixed")
    agents = [row["agent_key"] for row in company["agent"].to_pylist() if row["role"] in roles]
    place = {agent: row for row, agent in enumerate(agents)}
    column = {date: number for number, date in enumerate(scenario.dates)}
    works = np.zeros((len(agents), len(column)), bool)
    for row in company["shift"].to_pylist():
        if row["agent_key"] in place and not row["is_rest_day"] and row["shift_date"] in column:
            works[place[row["agent_key"]], column[row["shift_date"]]] = True
    teams = tuple(sorted({row["team_id"] for row in company["membership"].to_pylist()}))
    team = np.full(works.shape, -1)
    for row in company["membership"].to_pylist():
        if row["agent_key"] in place:
            until = row["valid_to"] or scenario.end
            inside = [column[date] for date in scenario.dates if row["valid_from"] <= date < until]
            team[place[row["agent_key"]], inside] = teams.index(row["team_id"])
    return agents, works, team, teams


def chain(
    scenario: Scenario,
    metric: str,
    worse: NDArray[np.float64],
    rules: Decline,
    company: Company,
    rng: np.random.Generator,
) -> decline.Side:
    """Returns what is said of days that are worse by so many standard deviations, from the baseline to the alarm."""
    agents, works, team, teams = company
    day_spread, contact_spread = METRICS[metric]
    cases = np.where(works, rng.poisson(scenario.contacts_per_agent_day, works.shape), 0)
    one = np.sqrt(day_spread**2 + contact_spread**2 / scenario.contacts_per_agent_day)
    level = 5 + 0.15 * rng.standard_normal((len(agents), 1)) + worse * one
    level = level + day_spread * rng.standard_normal(works.shape)
    total = cases * level + np.sqrt(cases) * contact_spread * rng.standard_normal(works.shape)
    detector, base = decline.of_days(rules)
    observed = decline.Observed(
        total=total, weight=cases.astype(float), cases=cases.astype(float), least_cases=rules.least_cases.seconds,
        scale=1.0, team=team, team_names=teams, sign=-1, is_band=False, is_share=False, has_weekdays=True,
        seed=f"{metric}|{scenario.seed}",
    )  # fmt: skip
    return decline.judge(observed, decline.Delta("absolute", 0.0), rules, detector, base).down


def detector_alone(
    scenario: Scenario,
    metric: str,
    worse: NDArray[np.float64],
    rules: Decline,
    company: Company,
    rng: np.random.Generator,
) -> decline.Side:
    """Returns what the detector says on the same days when the baseline is known and days scatter alike."""
    works = company[1]
    detector, _ = decline.of_days(rules)
    packing = decline.Packing.of(works)
    residual = packing.pack(rng.standard_normal(works.shape) - worse)
    e = decline.smoothed(residual, detector)
    watch = decline.watched(residual, e, detector)
    width = works.shape[1]
    flags = (np.nan_to_num(packing.unpack(one, width)) > 0 for one in (watch, decline.confirmed(watch, detector)))
    return decline.Side(packing.unpack(e, width), *flags)


# How much of the production code is asked.
HOW = {"detector": detector_alone, "chain": chain}


def tally(scenario: Scenario, sigmas: float, rules: Decline, tallies: dict[str, Tally]) -> None:
    """Counts one company `ROUNDS` times, each time with others who decline and who have a bad day."""
    company = worked(scenario)
    agents, works, *_ = company
    order = np.random.default_rng(scenario.seed).permutation(len(agents))
    count = len(agents) * 15 // 100
    first = len(scenario.dates) - DECLINE_DAYS
    for number in range(ROUNDS):
        declining, dipping = order[2 * number * count :][:count], order[(2 * number + 1) * count :][:count]
        worse = np.zeros(works.shape)
        worse[declining, first:] = sigmas
        # The bad day is the first one worked from then on.
        days = {int(row): first + int(np.argmax(works[row, first:])) for row in dipping if works[row, first:].any()}
        for row, day in days.items():
            worse[row, day] = DIP_SIGMAS
        for how, metric in product(HOW, METRICS):
            rng = np.random.default_rng([scenario.seed, number, list(METRICS).index(metric), list(HOW).index(how)])
            side = HOW[how](scenario, metric, worse, rules, company, rng)
            for row in range(len(agents)):
                kind = "dip" if row in days else "decline" if row in declining else "none"
                start = days.get(row, first)
                known = np.flatnonzero(np.isfinite(side.e[row]))
                counted = known[known >= start]
                # Whose window is not full before the change, or who works too few days since, cannot be judged.
                if len(counted) >= WITHIN[-1] and (known < start).any():
                    tallies[f"{how} {kind}"].add(side.is_watch[row, counted], side.is_confirmed[row, counted])


def main() -> None:
    """Draws, detects, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=SCORING)
    parser.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    given = parser.parse_args()
    defaults = load_defaults(PROJECT / "config" / "defaults.yml")
    told: dict[str, object] = {
        "defaults": digest(defaults),
        "agents": given.agents,
        "months": given.months,
        "seeds": given.seeds,
        "within": WITHIN,
    }
    for sigmas in given.sigmas:
        tallies: dict[str, Tally] = defaultdict(Tally)
        for seed in given.seeds:
            tally(Scenario(seed=seed, agents=given.agents, months=given.months), sigmas, defaults.decline, tallies)
        told[str(sigmas)] = {kind: vars(one) for kind, one in tallies.items()}
        Console().print(sigmas, told[str(sigmas)])
    folder = settings().kefu_data_dir / "detection"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "decline.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

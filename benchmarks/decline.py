"""How well lasting declines are found in simulated operations, beside the table of reliability.md 7.3.

    python benchmarks/decline.py [--agents 100] [--months 5] [--seeds 1 2] [--sigmas 1.0 1.5 2.0]

No database: days are counted from what happened in the simulated world. In every world 15 % of the people become worse
for the last 31 days, 15 % have one bad day of 4 sigma in that time, and the others stay as they are. Two metrics: talk
time of calls and reply time in chats. Alarms are those of the detector; the practical size is left out, as in the
table. Prints one table for each size of the drop. Nothing is asserted.

The table knows the baseline of everybody, has one independent normal value a day, and a drop of so many standard
deviations of that value. Here the baseline is estimated, days differ in their number of contacts, and the simulator's
sigma is that of a person's day, to which the chance of the single contacts is added: the same drop is a smaller one in
what can be seen. `seen` is the drop in standard deviations of the measured residuals.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kefu.catalogue.defaults import Decline, load_defaults
from kefu.settings import PROJECT
from kefu.simulation.company import found
from kefu.simulation.fault_plan import SKILLS
from kefu.simulation.generate import generate
from kefu.simulation.scenario import Scenario
from kefu.statistics import decline

Names = NDArray[np.str_]
Seconds = NDArray[np.int64]
Flags = NDArray[np.bool_]
Judgement = tuple[list[str], decline.Judged]
DECLINE_DAYS, DIP_SIGMAS, DAY = 31, 4.0, 86_400
# Table of 7.3: watch and confirmed within 10, 15 and 22 scored days.
STATED = {1.0: ("53 / - / 91", "19 / 45 / 68"), 1.5: ("93 / - / -", "66 / 93 / 99"), 2.0: ("100 / - / -", "95 / - / -")}


@dataclass
class Tally:
    """Series, and how many of them had a watch and a confirmation within 10, 15 and 22 scored days."""

    series: int = 0
    watch: list[int] = field(default_factory=lambda: [0, 0, 0])
    sure: list[int] = field(default_factory=lambda: [0, 0, 0])
    changes: list[float] = field(default_factory=list)

    def add(self, watch: Flags, sure: Flags, change: float) -> None:
        """Counts one series by its scored days from the change on."""
        self.series += 1
        self.changes.append(change)
        for place, days in enumerate((10, 15, 22)):
            self.watch[place] += bool(watch[:days].any())
            self.sure[place] += bool(sure[:days].any())

    def words(self) -> tuple[str, str, str, str]:
        """Returns the number of series, per cent with a watch and confirmed, and the mean change of the residuals."""
        shares = [
            " / ".join(f"{100 * count / self.series:.1f}" for count in counts) for counts in (self.watch, self.sure)
        ]
        return str(self.series), shares[0], shares[1], f"{np.mean(self.changes):.2f}"


def plant(scenario: Scenario, agents: list[str], sigmas: float) -> tuple[pa.Table, list[str], dict[str, int]]:
    """Returns the skills, who declines, and who has a bad day on which day of the scenario."""
    order = np.random.default_rng(scenario.seed).permutation(agents).tolist()
    count = max(1, len(agents) * 15 // 100)
    declining, dipping = order[:count], order[count : 2 * count]
    first = len(scenario.dates) - DECLINE_DAYS
    days = np.random.default_rng(scenario.seed + 1).integers(first, first + 8, len(dipping)).tolist()
    rows = [
        {"agent_key": agent, "date": day, "shift_sigma": sigmas}
        for agent in declining
        for day in scenario.dates[first:]
    ]
    dips = dict(zip(dipping, days, strict=True))
    rows += [{"agent_key": a, "date": scenario.dates[d], "shift_sigma": DIP_SIGMAS} for a, d in dips.items()]
    return pa.Table.from_pylist(rows, schema=SKILLS), declining, dips


def _seconds(column: pa.ChunkedArray) -> Seconds:
    return np.asarray(pc.divide(column.cast(pa.int64()), 1_000_000).fill_null(0))


def measured(tables: Mapping[str, pa.Table], scenario: Scenario) -> dict[str, tuple[Names, Seconds, Seconds]]:
    """Returns by metric whose contact it was, on which day of the scenario, and how many seconds it took."""
    midnight = scenario.second(scenario.start)
    calls = tables["call"]
    calls = calls.filter(pc.and_(pc.is_valid(calls["answered_at"]), pc.equal(calls["direction"], "inbound")))
    began, ended = _seconds(calls["answered_at"]), _seconds(calls["ended_at"])
    message = tables["message"].sort_by([("chat_id", "ascending"), ("message_id", "ascending")])
    message = message.filter(pc.is_in(message["author"], pa.array(["visitor", "agent"])))
    is_agent, chat, at = (
        np.asarray(pc.equal(message["author"], "agent")),
        np.asarray(message["chat_id"]),
        _seconds(message["sent_at"]),
    )
    # A reply is an agent's message behind a visitor's of the same chat; the wait began with the visitor's last one.
    answers = np.flatnonzero(is_agent[1:] & ~is_agent[:-1] & (chat[1:] == chat[:-1])) + 1
    who = np.asarray(message["agent_key"].fill_null("")).astype(str)
    return {
        "talk time": (np.asarray(calls["agent_key"]).astype(str), (began - midnight) // DAY, ended - began),
        "reply time": (who[answers], (at[answers] - midnight) // DAY, at[answers] - at[answers - 1]),
    }


def simulate(
    scenario: Scenario, sigmas: float, rules: Decline
) -> tuple[list[str], dict[str, int], dict[str, Judgement]]:
    """Returns who declines, who has a bad day, and by metric whose days were judged how."""
    company = found(scenario).tables
    roles = ("inbound", "im", "mixed")
    workers = [row["agent_key"] for row in company["agent"].to_pylist() if row["role"] in roles]
    skills, declining, dips = plant(scenario, workers, sigmas)
    world = generate(scenario, skills)
    team_of = {row["agent_key"]: row["team_id"] for row in company["membership"].to_pylist()}
    teams = tuple(sorted(set(team_of.values())))
    detector, base = decline.of_days(rules)
    judged = {}
    for name, (who, day, seconds) in measured(world.tables, scenario).items():
        agents, row = np.unique(who, return_inverse=True)
        inside = (day >= 0) & (day < len(scenario.dates))
        shape = len(agents), len(scenario.dates)
        total, cases = np.zeros(shape), np.zeros(shape)
        # The logarithm keeps one endless contact from being a bad day.
        np.add.at(total, (row[inside], day[inside]), np.log1p(seconds[inside]))
        np.add.at(cases, (row[inside], day[inside]), 1)
        team = np.array([[teams.index(team_of[key]) if key in team_of else -1] for key in agents.tolist()])
        observed = decline.Observed(
            total=total,
            weight=cases,
            cases=cases,
            least_cases=rules.least_cases.seconds,
            scale=1.0,
            team=np.repeat(team, shape[1], axis=1),
            team_names=teams,
            sign=-1,
            is_band=False,
            is_share=False,
            has_weekdays=True,
            seed=f"{name}|{scenario.seed}",
        )
        judged[name] = agents.tolist(), decline.judge(observed, decline.Delta("absolute", 0.0), rules, detector, base)
    return declining, dips, judged


def main() -> None:
    """Simulates, detects and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--months", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sigmas", type=float, nargs="+", default=[1.0, 1.5, 2.0])
    asked = parser.parse_args()
    rules = load_defaults(PROJECT / "config" / "defaults.yml").decline
    console = Console()
    for sigmas in asked.sigmas:
        tallies: dict[tuple[str, str], Tally] = {}
        for seed in asked.seeds:
            scenario = Scenario(seed=seed, agents=asked.agents, months=asked.months)
            with console.status(f"simulating seed {seed}, a drop of {sigmas} sigma"):
                declining, dips, judged = simulate(scenario, sigmas, rules)
            first = len(scenario.dates) - DECLINE_DAYS
            for name, (agents, days) in judged.items():
                for row, key in enumerate(agents):
                    kind = "decline" if key in declining else "dip" if key in dips else "none"
                    start = dips.get(key, first)
                    known = np.flatnonzero(np.isfinite(days.down.e[row]))
                    counted = known[known >= start]
                    # Whose window is not full before the change cannot be judged by it.
                    if len(counted) >= 10 and (known < start).any():
                        change = np.nanmean(days.residual[row, start:]) - np.nanmean(days.residual[row, :start])
                        tallies.setdefault((name, kind), Tally()).add(
                            days.down.is_watch[row, counted], days.down.is_confirmed[row, counted], float(change)
                        )
        console.print(f"a drop of {sigmas} sigma of a person's day")
        console.print(_table(tallies, sigmas))


def _table(tallies: Mapping[tuple[str, str], Tally], sigmas: float) -> Table:
    table = Table("metric", "people", "series", "watch in 10/15/22 days, %", "confirmed, %", "seen, SD")
    for (name, kind), tally in sorted(tallies.items()):
        series, watch, sure, change = tally.words()
        table.add_row(name, kind, series, watch, sure, change)
    table.add_section()
    watch, sure = STATED.get(sigmas, ("-", "-"))
    table.add_row("7.3", "decline", "40000", watch, sure, f"-{sigmas:.2f}")
    table.add_row("7.3", "dip", "40000", "2.5 to 3.1 in 5", "0.3 to 0.4 in 10", "")
    table.add_row("7.3", "none", "40000", "- / - / 1.2", "- / - / 0.1", "0.00")
    return table


if __name__ == "__main__":
    main()

"""How well lasting declines are found, beside the table of reliability.md 7.3.

    python benchmarks/decline.py [--agents 200] [--months 6] [--seeds 21 22 23 24 25]

No database. The production code is asked about every case of `benchmarks/detection.py` in two ways. `normal` asks the
detector alone about standard normal days after a full window, as the specification simulated. `chain` asks the whole
of it, which estimates the baseline from the days before and takes weekdays, the team's common cause and the likeness of
days out: people, teams and worked days are those of the simulated company, and each worked day has contacts that last
as long as kefu/simulation/operation.yml says: talk time of calls and reply time in chats.
15 % of the people get worse 40 days before the end, and the others stay as they are. The practical size is left out, as
in the table. Keeps what it counted in the data folder for `benchmarks/detection.py`, and prints it.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from itertools import product

import numpy as np
from detection import BAD_DAYS, SCORING, STATED, Stated, digest
from numpy.typing import NDArray
from rich.console import Console

from kefu.catalogue.defaults import Decline, load_defaults
from kefu.settings import PROJECT, settings
from kefu.simulation.company import found
from kefu.simulation.operation import OPERATION
from kefu.simulation.scenario import Scenario
from kefu.statistics import decline

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
# Who takes contacts, on which dates each works, everybody's team on each date, and the teams.
Company = tuple[list[str], Flags, NDArray[np.int64], tuple[str, ...]]
# People, and by how many standard deviations they get worse.
Setting = tuple[str, float]
# Series and those with an alarm, by case.
Counted = dict[str, Counter[Stated]]
SERIES = 20_000
# Calendar days in which nearly everybody works 22, the most that a case of the chain asks for.
CHANGE_DAYS, SCORED_DAYS = 40, 22
AFFECTED = 0.15
ROUNDS = 3
# Spread of a person's days and of single contacts, both of the logarithm.
METRICS = {
    "talk time": (OPERATION.people.handling_day_spread, OPERATION.voice.talk.spread),
    "reply time": (OPERATION.people.response_day_spread, OPERATION.chat.agent_gap.spread),
}
# Correlation of a day with the day before where days are alike.
PHI = 0.3


def likened(days: Floats, people: str) -> Floats:
    """Returns independent days, series x days, with variance 1: each like the one before where people are alike."""
    if people.startswith("alike"):
        for day in range(1, days.shape[1]):
            days[:, day] = PHI * days[:, day - 1] + np.sqrt(1 - PHI**2) * days[:, day]
    return days


def mean_durations(rng: np.random.Generator, contacts: NDArray[np.int64], spread: float) -> Floats:
    """Returns the mean of so many durations of mean 1, whose logarithms have a spread; NaN of none."""
    durations = np.exp(spread * rng.standard_normal(contacts.sum()) - spread**2 / 2)
    summed = np.bincount(np.repeat(np.arange(contacts.size), contacts.ravel()), durations, contacts.size)
    with np.errstate(invalid="ignore"):
        return np.asarray(summed.reshape(contacts.shape) / contacts)


def add(counted: Counted, cases: list[Stated], watch: Flags, sure: Flags) -> None:
    """Counts series, of which the first column is the first day of the change."""
    for case in cases:
        alarms = watch if case.alarm == "watch" else sure
        counted["series"][case] += len(alarms)
        counted["hits"][case] += int(alarms[:, : case.days].any(axis=1).sum())


def normal(setting: Setting, cases: list[Stated], rules: Decline, seed: int, counted: Counted) -> None:
    """Asks the detector alone; of days that are alike it knows how much or, uncorrected, nothing."""
    people, worse = setting
    detector, _ = decline.of_days(rules)
    before = detector.window - 1
    shape = (SERIES, before + max(case.days for case in cases))
    series = likened(np.random.default_rng(seed).standard_normal(shape), people)
    series[:, before:][:, : BAD_DAYS[people]] -= worse
    phi_star = decline.phi_star_of(np.array(PHI), rules.phi_cap) if people == "alike" else 1.0
    watch = decline.watched(series, decline.smoothed(series, detector), detector, phi_star)
    add(counted, cases, watch[:, before:], decline.confirmed(watch, detector)[:, before:])


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
    scenario: Scenario, company: Company, setting: Setting, rules: Decline, counted: Counted, number: int
) -> None:
    """Asks the whole chain about one company `ROUNDS` times, each time with others who are affected."""
    agents, works, team, teams = company
    people, worse = setting
    detector, base = decline.of_days(rules)
    packing = decline.Packing.of(works)
    first = len(scenario.dates) - CHANGE_DAYS
    # The change begins with the first day worked from then on.
    since = np.cumsum(works & (np.arange(works.shape[1]) >= first), axis=1)
    for round_, (metric, (day_spread, contact_spread)) in product(range(ROUNDS), METRICS.items()):
        rng = np.random.default_rng([scenario.seed, number, round_, list(METRICS).index(metric)])
        affected = np.zeros(len(agents), bool)
        affected[rng.permutation(len(agents))[: int(AFFECTED * len(agents))]] = BAD_DAYS[people] > 0
        bad = affected[:, None] & (since >= 1) & (since <= BAD_DAYS[people])
        cases = np.where(works, rng.poisson(scenario.contacts_per_agent_day, works.shape), 0)
        # How far the logarithm of a day's mean lies off: the day itself, and the contacts of it.
        one, own = (
            np.sqrt(day_spread**2 + np.expm1(contact_spread**2) / np.maximum(contacts, 1))
            for contacts in (scenario.contacts_per_agent_day, cases)
        )
        off = day_spread * rng.standard_normal(works.shape) + np.log(mean_durations(rng, cases, contact_spread))
        drawn = np.nan_to_num(packing.unpack(likened(np.nan_to_num(packing.pack(off / own)), people), works.shape[1]))
        level = 5 + 0.15 * rng.standard_normal((len(agents), 1)) + worse * one * bad
        observed = decline.Observed(
            total=cases * np.exp(level + own * drawn), weight=cases.astype(float), cases=cases.astype(float),
            least_cases=rules.least_cases.seconds, scale=1.0, team=team, team_names=teams, sign=-1, is_band=False,
            is_share=False, is_time=True, has_weekdays=True, seed=f"{metric}|{scenario.seed}",
        )  # fmt: skip
        side = decline.judge(observed, decline.Delta("absolute", 0.0), rules, detector, base).down
        known = np.isfinite(side.e)
        # Whose window is not full before the change, or who works too few days since, cannot be judged.
        is_judged = known[:, :first].any(axis=1) & ((known & (since > 0)).sum(axis=1) >= SCORED_DAYS)
        counts = decline.Packing.of(known & (since > 0) & is_judged[:, None])
        watch, sure = (counts.pack(flags)[:, :SCORED_DAYS] > 0 for flags in (side.is_watch, side.is_confirmed))
        is_changed = affected if BAD_DAYS[people] else np.full(len(agents), people != "none")
        for rows, kind in ((is_changed, setting), (~is_changed, ("none", 0.0))):
            add(counted, cases_of("chain", kind), watch[rows & is_judged], sure[rows & is_judged])


def cases_of(how: str, setting: Setting) -> list[Stated]:
    """Returns the cases that are asked in one way of such people."""
    return [case for case in STATED if how in case.how and (case.people, case.worse) == setting]


def settings_of(how: str) -> Iterator[Setting]:
    """Returns what people are asked about in one way."""
    yield from dict.fromkeys((case.people, case.worse) for case in STATED if how in case.how)


def main() -> None:
    """Draws, detects, keeps and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--seeds", type=int, nargs="+", default=SCORING)
    given = parser.parse_args()
    defaults = load_defaults(PROJECT / "config" / "defaults.yml")
    counted: dict[str, Counted] = {how: {"series": Counter(), "hits": Counter()} for how in ("normal", "chain")}
    for number, setting in enumerate(settings_of("normal")):
        normal(setting, cases_of("normal", setting), defaults.decline, given.seeds[0] + 100 * number, counted["normal"])
    for seed in given.seeds:
        scenario = Scenario(seed=seed, agents=given.agents, months=given.months)
        company = worked(scenario)
        for number, setting in enumerate(settings_of("chain")):
            chain(scenario, company, setting, defaults.decline, counted["chain"], number)
    told = {
        "defaults": digest(defaults),
        "agents": given.agents,
        "months": given.months,
        "seeds": given.seeds,
        "rows": [
            {**case._asdict(), "how": how, "series": counts["series"][case], "hits": counts["hits"][case]}
            for how, counts in counted.items()
            for case in STATED
            if how in case.how
        ],
    }
    Console().print(told)
    folder = settings().kefu_data_dir / "detection"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "decline.json").write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

"""From counts to suspicions: tests agents' ratings and numbers and writes `stats.integrity_result` (reliability.md 2).

A result is evidence for people. Nothing here changes a score: `integrity_finding` joins it with what they decided.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
from psycopg import Connection, errors, sql
from psycopg.types.json import Jsonb
from scipy import stats

from kefu.catalogue.defaults import GamingLimit, Integrity
from kefu.catalogue.files import in_force
from kefu.pipeline.context import Platform, Scope
from kefu.statistics import integrity as tests
from kefu.warehouse import Role, WarehouseError

Flags = npt.NDArray[np.bool_]
# Rounds of taking people out of the measure of the others; each round that goes on has found somebody new.
_MOST_ROUNDS = 20
_FACTORS = {
    "solved": ("已解决", "solved"),
    "sentiment": ("情绪正常", "in good temper"),
    "wait": ("等待不长", "soon served"),
    "offer_rate": ("手动邀请比例", "invited by hand"),
}


@dataclass
class Outcome:
    """What one rule says about every agent on one metric; arrays by agent, NaN where nothing could be computed.

    `within` is the rule's own limit; a flag needs it and the false discovery rate. `is_possible` is False when no
    source delivers what the rule needs. `others` counts the people of the cohort with cases, where a rule compares with
    them.
    """

    n: tests.Counts
    least_n: tests.Counts
    observed: tests.Floats
    expected: tests.Floats
    threshold: tests.Floats
    p: tests.Floats
    within: Flags
    is_possible: bool
    others: tests.Counts | None = None
    shown_zh: list[str] = field(default_factory=list)
    shown_en: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Pair:
    """An agent and a partner who rated each other: months, and those in which high marks went both ways or one way.

    `partner` is None for who is not judged by the period's plans.
    """

    partner: int | None
    both: int
    months: int
    given: int
    received: int


@dataclass
class Evidence:
    """The counts of all agents, in one order."""

    agents: list[str]
    cohorts: npt.NDArray[np.str_]
    ratings: dict[str, tests.Floats]
    conduct: dict[tuple[str, str], tuple[tests.Counts, tests.Counts]]
    offers: dict[int, dict[str, list[list[int]]]]
    manual: dict[int, tuple[int, int]]
    has_offers: bool
    pairs: dict[str, dict[int, list[Pair]]]


def test(platform: Platform, scope: Scope) -> int:
    """Writes the result of every rule for every agent of the period's plans and each metric of the rule.

    Returns:
        Number of flags. A second run replaces the same rows by the same rows.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        limits: Integrity = in_force(connection, "defaults", scope.period_start)["defaults"].integrity
        rules = in_force(connection, "integrity_rule", scope.period_start)
        connection.execute("delete from stats.integrity_result where calc_id = %s", [scope.calc_id])
        evidence = _evidence(connection, scope)
        flags = 0
        if not evidence.agents:
            return 0
        with connection.cursor().copy(
            "copy stats.integrity_result (calc_id, period_id, rule_id, metric_id, cohort_key, agent_key, n, observed,"
            " expected, p_value, q_value, is_flagged, state, details) from stdin"
        ) as copy:
            for rule_id in sorted(rules):
                for metric_id in rules[rule_id].metric_ids:
                    tested = rule_of(rule_id)(evidence, limits, rule_id, metric_id)
                    for row in _rows(evidence, limits, tested):
                        flags += bool(row[7])
                        copy.write_row((scope.calc_id, scope.period_id, rule_id, metric_id, *row))
        return flags


def _rows(evidence: Evidence, limits: Integrity, tested: Outcome) -> Iterator[tuple[Any, ...]]:
    """Yields cohort, agent, n, observed, expected, p, q, flag, state and details of every agent.

    Benjamini and Hochberg's correction is over the agents that were tested.
    """
    is_lonely = np.zeros(len(tested.n), np.bool_) if tested.others is None else tested.others < limits.min_others
    is_tested = tested.is_possible & (tested.n >= tested.least_n) & ~np.isnan(tested.p) & ~is_lonely
    p = np.where(is_tested, tested.p, np.nan)
    q = tests.benjamini_hochberg(p)
    flagged = is_tested & tested.within & (np.nan_to_num(q, nan=1.0) <= limits.fdr)
    for i, agent in enumerate(evidence.agents):
        state = "tested" if is_tested[i] else "not_enough_data" if tested.is_possible else "not_evaluated"
        details: dict[str, Any] = {"needed": int(tested.least_n[i])}
        if is_lonely[i] and tested.n[i] >= tested.least_n[i]:
            details["needed_others"] = limits.min_others
        if is_tested[i]:
            threshold = _decimal(tested.threshold[i])
            details |= {
                "threshold": None if threshold is None else float(threshold),
                "shown_zh": tested.shown_zh[i],
                "shown_en": tested.shown_en[i],
            }
        yield (
            evidence.cohorts[i],
            agent,
            int(tested.n[i]),
            _decimal(tested.observed[i]) if is_tested[i] else None,
            _decimal(tested.expected[i]) if is_tested[i] else None,
            _decimal(p[i]),
            _decimal(q[i]),
            bool(flagged[i]),
            state,
            Jsonb(details),
        )


def _decimal(value: float) -> Decimal | None:
    """Returns twelve decimals, which every machine computes alike; NaN and infinity are NULL."""
    return round(Decimal(float(value)), 12) if np.isfinite(value) else None


# --- what people do --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One row of `integrity_finding`, as people read it."""

    agent_key: str
    rule_id: str
    metric_id: str
    state: str
    n: int
    q_value: Decimal | None
    reason_zh: str
    reason_en: str


def findings(platform: Platform, period_id: str | None, states: Sequence[str]) -> list[Finding]:
    """Returns the findings of the live line that have one of the states, by agent and rule.

    Raises:
        WarehouseError: nothing was tested in that period.
    """
    period = platform.period(period_id)
    with platform.warehouse.connect(Role.AUDITOR) as connection:
        rows = connection.execute(
            "select agent_key, rule_id, metric_id, state, n, q_value, reason_zh, reason_en"
            " from wh_appraisal.integrity_finding where period_id = %s order by agent_key, rule_id, metric_id",
            [period.period_id],
        ).fetchall()
    if not rows:
        raise WarehouseError(f"nothing is tested in {period.period_id} yet. Remedy: kefu run")
    return [finding for finding in (Finding(*row) for row in rows) if finding.state in states]


def decide(
    platform: Platform, signed_in: Connection, finding: tuple[str | None, str, str, str], verdict: str, reason: str
) -> int:
    """Records that a login confirmed or dismissed a finding; returns the number of the decision.

    Args:
        platform: where.
        signed_in: connection of who decides; the database records its login, nothing else.
        finding: period (the latest unless given), agent, rule and metric.
        verdict: confirmed or dismissed.
        reason: at least ten characters, shown with the finding.

    Raises:
        WarehouseError: no test has flagged it, the verdict is another word, the reason is too short, or the login may
            not decide.
    """
    period_id, *rest = finding
    try:
        row = signed_in.execute(
            "select ops.decide_integrity(%s, %s, %s, %s, %s, %s)",
            [platform.period(period_id).period_id, *rest, verdict, reason],
        ).fetchone()
    except (errors.RaiseException, errors.CheckViolation, errors.InsufficientPrivilege) as error:
        raise WarehouseError(
            f"not decided: {error.diag.message_primary}. Remedy: see `kefu integrity list`; the verdict is confirmed or"
            " dismissed, with a reason of at least 10 characters"
        ) from error
    assert row is not None
    return int(row[0])


# --- reading ---------------------------------------------------------------------------------------------------------


def _evidence(connection: Connection, scope: Scope) -> Evidence:
    def fetch(relation: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("select * from {}").format(sql.Identifier(scope.schema("appraisal"), relation)))
            return [column.name for column in cursor.description or ()], cursor.fetchall()

    columns, rows = fetch("evidence_rating_conduct")
    rows.sort(key=lambda row: row[columns.index("agent_key")])
    agents = [row[columns.index("agent_key")] for row in rows]
    place = {agent: i for i, agent in enumerate(agents)}
    ratings = {
        name: np.array([np.nan if row[c] is None else float(row[c]) for row in rows], np.float64)
        for c, name in enumerate(columns)
        if name not in ("agent_key", "cohort_key")
    }
    conduct: dict[tuple[str, str], tuple[tests.Counts, tests.Counts]] = defaultdict(
        lambda: (np.zeros(len(agents), np.int64), np.zeros(len(agents), np.int64))
    )
    columns_of, found = fetch("evidence_conduct")
    at = {name: columns_of.index(name) for name in columns_of}
    for row in found:
        cases, hits = conduct[row[at["rule_id"]], row[at["metric_id"]]]
        cases[place[row[at["agent_key"]]]] = row[at["case_count"]]
        hits[place[row[at["agent_key"]]]] = row[at["hit_count"]]
    offers: dict[int, dict[str, list[list[int]]]] = defaultdict(lambda: defaultdict(list))
    manual: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    columns_of, found = fetch("evidence_offer")
    at = {name: columns_of.index(name) for name in columns_of}
    for row in found:
        i, factor = place[row[at["agent_key"]]], row[at["factor"]]
        good, good_in = row[at["favourable_count"]], row[at["favourable_invited_count"]]
        bad, bad_in = row[at["unfavourable_count"]], row[at["unfavourable_invited_count"]]
        offers[i][factor].append([good_in, good - good_in, bad_in, bad - bad_in])
        if factor == "solved":
            before = manual[i]
            manual[i] = before[0] + row[at["manual_invited_count"]], before[1] + row[at["manual_count"]]
    pairs: dict[str, dict[int, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    columns_of, seen = fetch("evidence_reciprocity")
    at = {name: columns_of.index(name) for name in columns_of}
    for row in seen:
        counts = ("reciprocal_month_count", "month_count", "given_high_count", "received_high_count")
        pair = Pair(place.get(row[at["partner_key"]]), *(row[at[name]] for name in counts))
        pairs[row[at["form_kind"]]][place[row[at["agent_key"]]]].append(pair)
    return Evidence(
        agents,
        np.array([row[columns.index("cohort_key")] for row in rows], np.str_),
        ratings,
        dict(conduct),
        offers,
        manual,
        bool(found),
        pairs,
    )


# --- the rules -------------------------------------------------------------------------------------------------------


def _counts(values: tests.Floats) -> tests.Counts:
    return np.nan_to_num(values).astype(np.int64)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"


def _burst(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I1: ratings of the last business days against the share of conversations in them."""
    n, last = _counts(evidence.ratings["rating_count"]), _counts(evidence.ratings["last_count"])
    with np.errstate(invalid="ignore", divide="ignore"):
        share = evidence.ratings["eligible_last_count"] / evidence.ratings["eligible_count"]
        observed = last / n
    p = tests.binomial_tail(last, n, share)
    # The least count that is rarer than the limit.
    threshold = np.asarray(stats.binom.isf(limits.burst_p, n, np.nan_to_num(share)), np.float64) + 1
    return Outcome(
        n=n,
        least_n=np.full(len(n), limits.burst_n),
        observed=observed,
        expected=share,
        threshold=threshold / n.clip(1),
        p=p,
        within=p < limits.burst_p,
        is_possible=bool(n.sum()),
        shown_zh=[
            f"最后{limits.burst_days}个工作日{k}/{m}，会话占{_percent(s)}"
            for k, m, s in zip(last, n, share, strict=True)
        ],
        shown_en=[
            f"{k} of {m} in the last {limits.burst_days} business days, {_percent(s)} of the conversations"
            for k, m, s in zip(last, n, share, strict=True)
        ],
    )


def _selective(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I2: odds of being invited by what makes a good rating likely; the most striking factor, corrected for choice."""
    size = len(evidence.agents)
    n, observed, p = np.zeros(size, np.int64), np.full(size, np.nan), np.full(size, np.nan)
    within, chosen = np.zeros(size, np.bool_), [""] * size
    threshold = np.full(size, limits.offer_or)
    for i in range(size):
        found: list[tuple[float, float, bool, str, int]] = []
        for factor, tables in evidence.offers.get(i, {}).items():
            table = np.array(tables, np.int64)
            ratio, probability = tests.mantel_haenszel(table)
            if not np.isnan(ratio):
                is_beyond = ratio > limits.offer_or and probability < limits.offer_p
                found.append((probability, ratio, is_beyond, factor, int(table.sum())))
        invited, eligible = evidence.manual.get(i, (0, 0))
        if eligible:
            rate = invited / eligible
            probability = float(stats.binom.cdf(invited, eligible, limits.offer_rate_min))
            found.append((probability, rate, rate < limits.offer_rate_min, "offer_rate", eligible))
        if found:
            # A large number of cases makes a small ratio unlikely too: what is beyond a limit comes first.
            first = min(found, key=lambda one: (not one[2], one[0], one[3]))
            probability, observed[i], within[i], chosen[i], n[i] = first
            p[i] = min(1.0, probability * len(found))
            if chosen[i] == "offer_rate":
                threshold[i] = limits.offer_rate_min
    return Outcome(
        n=n,
        least_n=np.full(size, limits.min_n),
        observed=observed,
        expected=np.ones(size),
        threshold=threshold,
        p=p,
        within=within,
        is_possible=evidence.has_offers,
        shown_zh=[f"{_FACTORS[f][0]}：{v:.2f}" if f else "" for f, v in zip(chosen, observed, strict=True)],
        shown_en=[f"{_FACTORS[f][1]}: {v:.2f}" if f else "" for f, v in zip(chosen, observed, strict=True)],
    )


def _concentration(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I3: how many ratings come from customers who rated before, and how much the first few customers hold."""
    n, customers = _counts(evidence.ratings["known_count"]), _counts(evidence.ratings["customer_count"])
    share = tests.share_of_others(n - customers, n, evidence.cohorts)
    with np.errstate(invalid="ignore", divide="ignore"):
        top = evidence.ratings["top_customer_count"] / n
        top_few = evidence.ratings["top_customers_count"] / n
    return Outcome(
        n=n,
        least_n=np.full(len(n), limits.min_n),
        observed=top,
        expected=share,
        threshold=np.full(len(n), limits.top_customer_share),
        p=tests.binomial_tail(n - customers, n, share),
        within=(top > limits.top_customer_share) | (top_few > limits.top_customers_share),
        is_possible=bool(n.sum()),
        shown_zh=[
            f"第一位客户{_percent(a)}，前{limits.top_customers}位{_percent(b)}"
            for a, b in zip(top, top_few, strict=True)
        ],
        shown_en=[
            f"the first customer {_percent(a)}, the first {limits.top_customers} {_percent(b)}"
            for a, b in zip(top, top_few, strict=True)
        ],
    )


def _all_maximum(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I4: nothing but best ratings, as the cohort gets them."""
    n, best = _counts(evidence.ratings["rating_count"]), _counts(evidence.ratings["maximum_count"])
    share = tests.share_of_others(best, n, evidence.cohorts)
    p = np.where(best == n, share**n, 1.0)
    needed = [tests.least_cases(float(s), limits.maximum_p) if np.isfinite(s) else limits.min_n for s in share]
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = best / n
    return Outcome(
        n=n,
        least_n=np.array(needed, np.int64),
        observed=observed,
        expected=share,
        threshold=np.ones(len(n)),
        p=p,
        within=p < limits.maximum_p,
        is_possible=bool(n.sum()),
        shown_zh=[f"最高分{k}/{m}，同组{_percent(s)}" for k, m, s in zip(best, n, share, strict=True)],
        shown_en=[f"{k} of {m} are best, {_percent(s)} in the cohort" for k, m, s in zip(best, n, share, strict=True)],
    )


def _share_above(
    evidence: Evidence, limits: Integrity, cases: tests.Counts, hits: tests.Counts, least_hits: int, least_share: float
) -> Outcome:
    """A share of cases above that of the cohort's others by so many standard errors, and above a least size.

    Who is found that way is no measure for the others: they are taken out of the cohort until nobody new is found.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        is_large = (hits >= least_hits) & (np.nan_to_num(hits / cases) > least_share) & (cases >= limits.min_n)
    found = np.zeros(len(cases), np.bool_)
    for _ in range(_MOST_ROUNDS):
        share = tests.share_of_others(hits, cases, evidence.cohorts, found)
        p = np.where(cases >= limits.min_n, tests.binomial_tail(hits, cases, np.nan_to_num(share, nan=1.0)), np.nan)
        is_rare = np.nan_to_num(tests.benjamini_hochberg(p), nan=1.0) <= limits.fdr
        now = found | (is_large & is_rare & tests.above_cohort(hits, cases, share, limits.standard_errors))
        if np.array_equal(now, found):
            break
        found = now
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = hits / cases
        threshold = np.maximum(least_share, share + limits.standard_errors * np.sqrt(share * (1 - share) / cases))
    within = is_large & tests.above_cohort(hits, cases, share, limits.standard_errors)
    return Outcome(
        n=cases,
        least_n=np.full(len(cases), limits.min_n),
        observed=observed,
        expected=share,
        threshold=threshold,
        p=tests.binomial_tail(hits, cases, share),
        within=within,
        is_possible=bool(cases.sum()),
        others=tests.others_with_cases(cases, evidence.cohorts),
        shown_zh=[f"{k}/{m}，同组{_percent(s)}" for k, m, s in zip(hits, cases, share, strict=True)],
        shown_en=[f"{k} of {m}, {_percent(s)} in the cohort" for k, m, s in zip(hits, cases, share, strict=True)],
    )


def _contradiction(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I5: best ratings that complaints or words contradict."""
    found = evidence.ratings["contradicted_count"]
    tested = _share_above(evidence, limits, _counts(evidence.ratings["maximum_count"]), _counts(found), 1, 0.0)
    tested.is_possible &= not np.isnan(found).any()
    return tested


def _conduct(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I6 and G1 to G8: a share of own cases above the cohort."""
    empty = np.zeros(len(evidence.agents), np.int64)
    cases, hits = evidence.conduct.get((rule_id, metric_id), (empty, empty))
    if rule_id == "I6":
        return _share_above(evidence, limits, cases, hits, 1, limits.tick_box_share)
    limit: GamingLimit = next(own for name, own in limits.gaming.items() if name == rule_id)
    return _share_above(evidence, limits, cases, hits, limit.hits, limit.share)


def _reciprocity(evidence: Evidence, limits: Integrity, rule_id: str, metric_id: str) -> Outcome:
    """I7: periods in which two people give each other high marks; the partner with most, corrected for choosing."""
    size = len(evidence.agents)
    n, observed, p = np.zeros(size, np.int64), np.full(size, np.nan), np.full(size, np.nan)
    pairs = evidence.pairs.get(metric_id, {})
    received = {i: sum(pair.received for pair in partners) for i, partners in pairs.items()}
    of = {i: sum(pair.months for pair in partners) for i, partners in pairs.items()}
    share = (sum(received.values()) + 0.5) / (sum(of.values()) + 1)

    def popularity(i: int | None, high: int, months: int) -> float:
        # Who is liked by everybody is liked by a partner too; what the partner gave says nothing of that.
        marks, cases = (received[i] - high, of[i] - months) if i in of else (0, 0)
        return (marks + limits.reciprocal_prior * share) / (cases + limits.reciprocal_prior)

    expected = np.full(size, np.nan)
    for i, partners in pairs.items():
        chances = [
            popularity(i, pair.received, pair.months) * popularity(pair.partner, pair.given, pair.months)
            for pair in partners
        ]
        probabilities = stats.binom.sf(
            [pair.both - 1 for pair in partners], [pair.months for pair in partners], chances
        )
        place = int(np.argmin(probabilities))
        observed[i], n[i] = partners[place].both, max(pair.months for pair in partners)
        expected[i], p[i] = chances[place], min(1.0, float(probabilities[place]) * len(partners))
    return Outcome(
        n=n,
        least_n=np.full(size, limits.reciprocal_periods),
        observed=observed,
        expected=expected,
        threshold=np.full(size, float(limits.reciprocal_periods)),
        p=p,
        within=np.nan_to_num(observed) >= limits.reciprocal_periods,
        is_possible=bool(pairs),
        shown_zh=[f"{v:.0f}个周期" for v in np.nan_to_num(observed)],
        shown_en=[f"{v:.0f} periods" for v in np.nan_to_num(observed)],
    )


def rule_of(rule_id: str) -> Callable[[Evidence, Integrity, str, str], Outcome]:
    """Returns the test of a rule. Raises KeyError for a rule that tests no agents."""
    return _RULES[rule_id]


_RULES: Mapping[str, Callable[[Evidence, Integrity, str, str], Outcome]] = {
    "I1": _burst,
    "I2": _selective,
    "I3": _concentration,
    "I4": _all_maximum,
    "I5": _contradiction,
    "I6": _conduct,
    "I7": _reciprocity,
} | {f"G{number}": _conduct for number in range(1, 9)}

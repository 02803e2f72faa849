"""Profiles of those who score, and which reviews they score twice; writes `stats.*` (reliability.md 3.3)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection, sql
from psycopg.types.json import Jsonb

from kefu.catalogue.defaults import Defaults
from kefu.catalogue.files import in_force
from kefu.catalogue.models import Measures, Metric
from kefu.pipeline.context import Platform, Scope
from kefu.statistics import raters as rating
from kefu.statistics.agreement import gwet_ac1, icc_2_1, interval_alpha
from kefu.statistics.cohorts import seed_of
from kefu.statistics.sums import Floats
from kefu.warehouse import Role

_OPINIONS = """
    select metric_id, row_key, contact_key, agent_key, rater_key, coalesce(form_key, '') as form_key, business_date,
        is_in_period, is_second, row_value
    from {schema}.evidence_opinion
    where metric_id = any(%(metric_ids)s) and rater_key is not null and exclusion_rule is null and row_value is not null
    order by metric_id, business_date, row_key collate "C"
"""
_MARKS = """
    select review_key, item_label, mark_share::float8 from {core}.fct_qa_item
    where is_applicable
        and review_key in (select row_key from {schema}.evidence_opinion where metric_id = any(%(metric_ids)s))
    order by item_label collate "C", review_key collate "C"
"""
_CONTACTS = """
    select e.agent_key, e.conversation_key,
        extract(hour from c.started_at at time zone s.time_zone)::integer / 3 as hour,
        extract(isodow from c.started_at at time zone s.time_zone)::integer as weekday,
        coalesce(width_bucket(e.duration_seconds, array[60, 180, 300, 600]::bigint[]), -1) as duration,
        coalesce(e.issue_class, '?') as issue
    from {schema}.evidence_eligible as e
    inner join {core}.fct_conversation as c on e.conversation_key = c.conversation_key
    cross join {staging}.stg_cfg__site as s
"""
# What each agent did, and what was listened to of it, by what contacts are told apart by.
_MIX = f"""
    select agent_key,
        case when grouping(hour) = 0 then 'hour' when grouping(weekday) = 0 then 'weekday'
            when grouping(duration) = 0 then 'duration' else 'issue' end as covariate,
        coalesce(hour::text, weekday::text, duration::text, issue) as level, count(*) as n
    from ({_CONTACTS}) as contacts
    group by grouping sets ((agent_key, hour), (agent_key, weekday), (agent_key, duration), (agent_key, issue))
"""
_SAMPLED = f"""
    select o.metric_id, o.rater_key, o.agent_key, l.hour::text, l.weekday::text, l.duration::text, l.issue
    from {{schema}}.evidence_opinion as o
    inner join ({_CONTACTS}) as l on o.contact_key = l.conversation_key and o.agent_key = l.agent_key
    where o.metric_id = any(%(metric_ids)s) and o.is_in_period and not o.is_second and o.exclusion_rule is null
        and o.rater_key is not null
"""
_RECENT = """
    select o.metric_id, o.rater_key, avg((c.business_date > %(end)s::date - %(days)s)::integer)::float8 as recent
    from {schema}.evidence_opinion as o
    inner join {core}.fct_conversation as c on o.contact_key = c.conversation_key
    where o.metric_id = any(%(metric_ids)s) and o.is_in_period and not o.is_second and o.exclusion_rule is null
    group by o.metric_id, o.rater_key
"""
_TEAMS = """
    select r.review_key, r.conversation_key, r.agent_key, r.team_key, r.reviewer_key, r.is_blind,
        r.business_date >= %(start)s::date as is_in_period, r.exclusion_rule is null as is_good
    from {core}.fct_qa_review as r
    where r.business_date between %(end)s::date - 91 and %(end)s::date and r.reviewer_key is not null
    order by r.review_key collate "C"
"""
_COLUMNS = (
    "n", "agents", "mean_value", "pool_mean", "severity", "severity_error", "severity_shrunk", "t_value",
    "is_connected", "adjustment", "sd_ratio", "sd_p_value", "top_share", "pool_top_share", "halo", "pool_halo",
    "identical_share", "calibrations", "drift", "drift_limit", "recent_share", "sample_p_value", "sample_covariate",
    "heaping_share", "doubles", "alpha", "alpha_low", "alpha_high", "icc", "icc_low", "icc_high", "ac1", "flags",
)  # fmt: skip
_COVARIATES = {
    "hour": ("时段", "hour of the day"),
    "weekday": ("星期", "weekday"),
    "duration": ("时长", "duration"),
    "issue": ("问题类型", "issue"),
}

# By covariate, how often each level was sampled and was to be expected.
Samples = dict[str, tuple[dict[str, float], dict[str, float]]]


def profile(platform: Platform, scope: Scope) -> int:
    """Writes what the scores of the last 90 days say about each rater, and the plan of double scoring.

    Returns:
        Number of (metric, rater) pairs. A second run replaces the same rows by the same rows.
    """
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found, plans, metrics, periods, topics = (
            in_force(connection, kind, scope.period_start)
            for kind in ("defaults", "plan", "metric", "period", "measures")
        )
        defaults: Defaults = found["defaults"]
        for table in ("rater_profile", "double_score_task"):
            connection.execute(
                sql.SQL("delete from {} where calc_id = %s").format(sql.Identifier("stats", table)), [scope.calc_id]
            )
        used = {entry.metric_id for plan_id in periods[scope.period_id].plan_ids for entry in plans[plan_id].metrics}
        judged = _judged(metrics, topics, used)
        rows = _read(connection, scope, sorted(judged), defaults)
        pairs = 0
        for metric_id in sorted(judged):
            profiles = _profiles(metrics[metric_id], rows, scope, defaults)
            _write(connection, scope, metric_id, profiles)
            pairs += len(profiles)
        _plan_doubles(connection, scope, defaults)
    return pairs


def _judged(metrics: dict[str, Metric], topics: dict[str, Measures], used: set[str]) -> set[str]:
    """The reviewed metrics of the plans, and what is answered by yes or no on the same forms: fatal items."""
    measures = {name: measure for topic in topics.values() for name, measure in topic.measures.items()}
    reviewed = {name: metric for name, metric in metrics.items() if metric.reliability == "review"}
    facts = {measures[metric.numerator[0]].fact for name, metric in reviewed.items() if name in used}
    return {
        name
        for name, metric in reviewed.items()
        if name in used or (metric.unit == "share" and measures[metric.numerator[0]].fact in facts)
    }


def _fetch(connection: Connection, scope: Scope, query: str, given: dict[str, Any]) -> list[tuple[Any, ...]]:
    schemas = {
        "schema": sql.Identifier(scope.schema("appraisal")),
        "core": sql.Identifier(scope.schema("core")),
        "staging": sql.Identifier(scope.schema("staging")),
    }
    return connection.execute(sql.SQL(query).format(**schemas), given).fetchall()


class _Rows:
    """What was read for all metrics: opinions by metric, samples and recency by metric and rater.

    `marks` is reviews x items, `review` the row of each review; the last row is that of what has no marks.
    """

    def __init__(self) -> None:
        self.opinions: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.review: dict[str, int] = {}
        self.marks: Floats = np.full((1, 0), np.nan)
        self.samples: dict[tuple[str, str], Samples] = {}
        self.recent: dict[tuple[str, str], float] = {}


def _read(connection: Connection, scope: Scope, metric_ids: list[str], defaults: Defaults) -> _Rows:
    given = {"metric_ids": metric_ids, "end": scope.period_end, "days": defaults.rater.recent_days}
    rows = _Rows()
    for row in _fetch(connection, scope, _OPINIONS, given):
        rows.opinions[row[0]].append(row[1:])
    if marks := _fetch(connection, scope, _MARKS, given):
        reviews, items, values = zip(*marks, strict=True)
        rows.review = {review: row for row, review in enumerate(dict.fromkeys(reviews))}
        item = {item: column for column, item in enumerate(dict.fromkeys(items))}
        rows.marks = np.full((len(rows.review) + 1, len(item)), np.nan)
        rows.marks[[rows.review[review] for review in reviews], [item[name] for name in items]] = values
    rows.samples = _samples(_fetch(connection, scope, _MIX, given), _fetch(connection, scope, _SAMPLED, given))
    rows.recent = {(metric, rater): share for metric, rater, share in _fetch(connection, scope, _RECENT, given)}
    return rows


def _samples(mix: list[tuple[Any, ...]], sampled: list[tuple[Any, ...]]) -> dict[tuple[str, str], Samples]:
    """Returns by metric and rater the levels of what was sampled, and as often as each was to be expected of it.

    To be expected is, for each sampled contact, the mix of all contacts of its agent.
    """
    if not sampled:
        return {}
    agent = {name: row for row, name in enumerate(dict.fromkeys(row[0] for row in mix))}
    level = {name: column for column, name in enumerate(sorted({row[1:3] for row in mix}))}
    shares = np.zeros((len(agent), len(level)))
    shares[[agent[row[0]] for row in mix], [level[row[1:3]] for row in mix]] = [row[3] for row in mix]
    # Each contact is counted once by every covariate.
    shares *= len(_COVARIATES) / shares.sum(axis=1, keepdims=True)
    reviews: dict[tuple[str, str], list[tuple[Any, ...]]] = defaultdict(list)
    for metric_id, rater, *review in sampled:
        reviews[metric_id, rater].append(tuple(review))
    found: dict[tuple[str, str], Samples] = {}
    for key, mine in reviews.items():
        seen = Counter(pair for _, *levels in mine for pair in zip(_COVARIATES, levels, strict=True))
        expected = shares[sorted(agent[review[0]] for review in mine)].sum(axis=0)
        found[key] = {covariate: ({}, {}) for covariate in _COVARIATES}
        for (covariate, name), column in level.items():
            found[key][covariate][0][name] = seen[covariate, name]
            found[key][covariate][1][name] = float(expected[column])
    return found


def _profiles(metric: Metric, rows: _Rows, scope: Scope, defaults: Defaults) -> dict[str, dict[str, Any]]:
    """Returns the columns of each rater of a metric; scores are in points of 0-100, as the limits are."""
    opinions = rows.opinions[metric.metric_id]
    if not opinions:
        return {}
    rules, z = defaults.rater, defaults.interval.z
    keys, contacts, agents, raters, forms = (np.array([row[i] for row in opinions], dtype=str) for i in range(5))
    points = np.array([float(row[8]) for row in opinions]) * float(metric.points_per_unit)
    names, rater = np.unique(raters, return_inverse=True)
    doubles = _doubles(np.unique(contacts, return_inverse=True)[1], rater, points)
    strict = rating.severity(raters, agents, forms, points)
    ratios, chances = rating.spread_ratio(raters, points)
    tops, pool_tops, top_errors = rating.top_shares(raters, points, rules.top)
    heaps = rating.heaping(raters, points)
    halos = _halos(names, rater, keys, rows, rules)
    deviations = _deviations(contacts, raters, points)
    everyone = [value for values in deviations.values() for value, _ in values]
    of_all = float(np.std(everyone, ddof=1)) if len(everyone) > 1 else math.nan
    profiles: dict[str, dict[str, Any]] = {}
    for index, name in enumerate(names.tolist()):
        mine = rater == index
        n, others = int(mine.sum()), points[~mine]
        effect = float(strict.effect[index])
        shrunk = effect * n / (n + rules.shrink)
        is_beyond = abs(effect) - rules.bias_errors * float(strict.error[index]) > rules.bias_points
        is_biased = is_beyond and abs(float(strict.t_value[index])) > rules.t and n >= rules.n
        drifted = rating.drift([value for value, _ in deviations.get(name, [])], of_all, rules)
        own, pool = halos[name]
        sample = _sample(rows.samples.get((metric.metric_id, name), {}))
        agreed = _agreement(doubles, index, name, metric, scope, z)
        one: dict[str, Any] = {
            "n": n,
            "agents": len(np.unique(agents[mine])),
            "mean_value": float(points[mine].mean()),
            "pool_mean": float(others.mean()) if len(others) else math.nan,
            "severity": effect,
            "severity_error": float(strict.error[index]),
            "severity_shrunk": shrunk,
            "t_value": float(strict.t_value[index]),
            "is_connected": bool(strict.is_connected[index]),
            # Two decimals: another machine's linear algebra may differ in the last digits, and pay depends on this.
            "adjustment": round(shrunk, 2) if is_biased and strict.is_connected[index] else 0.0,
            "sd_ratio": float(ratios[index]),
            "sd_p_value": float(chances[index]),
            "top_share": float(tops[index]),
            "pool_top_share": float(pool_tops[index]),
            "halo": own.correlation,
            "pool_halo": pool,
            "identical_share": own.identical_share,
            "calibrations": drifted.calibrations,
            "drift": drifted.average,
            "drift_limit": drifted.limit,
            "recent_share": rows.recent.get((metric.metric_id, name), math.nan),
            "sample_p_value": sample[0],
            "sample_covariate": sample[1],
            "heaping_share": float(heaps[index]),
            **agreed,
        }
        if metric.unit == "share":
            # Yes and no have no spread, no top and no middle to crowd in; what counts is whether raters agree.
            one |= dict.fromkeys(("sd_ratio", "sd_p_value", "top_share", "pool_top_share", "heaping_share"), math.nan)
            one |= {"adjustment": 0.0, "drift_limit": math.nan}
            is_biased = False
        one["flags"] = _flags(one, is_biased, float(top_errors[index]), defaults)
        # The adjustment is in the unit of the metric, because totals are.
        one["adjustment"] = one["adjustment"] / float(metric.points_per_unit)
        profiles[name] = one
    return profiles


def _halos(
    names: NDArray[np.str_], raters: NDArray[np.intp], keys: NDArray[np.str_], rows: _Rows, rules: Any
) -> dict[str, tuple[rating.Halo, float]]:
    """Returns the halo of each rater and the mean correlation of the others'."""
    marks = rows.marks[[rows.review.get(key, -1) for key in keys.tolist()]]
    marks = marks[:, ~np.isnan(marks).all(axis=0)]
    own = {
        name: rating.halo(marks[raters == index], rules.n, rules.min_items) for index, name in enumerate(names.tolist())
    }
    known = {name: halo.correlation for name, halo in own.items() if not math.isnan(halo.correlation)}
    pools = {}
    for name in own:
        others = [value for other, value in known.items() if other != name]
        pools[name] = math.fsum(others) / len(others) if others else math.nan
    return {name: (halo, pools[name]) for name, halo in own.items()}


def _deviations(
    contacts: NDArray[np.str_], raters: NDArray[np.str_], points: Floats
) -> dict[str, list[tuple[float, str]]]:
    """Returns each rater's distances from the mean of the others on common contacts, oldest first."""
    scores: dict[str, dict[str, float]] = {}
    for contact, rater, value in zip(contacts.tolist(), raters.tolist(), points.tolist(), strict=True):
        scores.setdefault(contact, {})[rater] = value
    found: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for contact, given in scores.items():
        for rater, value in given.items() if len(given) > 1 else ():
            others = [other for name, other in given.items() if name != rater]
            found[rater].append((value - math.fsum(others) / len(others), contact))
    return found


def _sample(covariates: Samples) -> tuple[float, str | None]:
    """Returns the smallest chance of a covariate, times their number, and its name."""
    chances = {
        name: rating.sample_chance(sampled, expected) for name, (sampled, expected) in sorted(covariates.items())
    }
    known = {name: chance for name, chance in chances.items() if not math.isnan(chance)}
    if not known:
        return math.nan, None
    name = min(known, key=lambda one: (known[one], one))
    return min(1.0, known[name] * len(known)), name


def _agreement(
    doubles: tuple[NDArray[np.intp], NDArray[np.intp], Floats],
    rater: int,
    name: str,
    metric: Metric,
    scope: Scope,
    z: float,
) -> dict[str, Any]:
    """Returns how far a rater agrees with others, from (contact, rater, points) of contacts that several scored."""
    contacts, raters, points = doubles
    is_mine = np.zeros(contacts.max(initial=-1) + 1, dtype=bool)
    is_mine[contacts[raters == rater]] = True
    with_me = is_mine[contacts]
    units, given, mine = contacts[with_me], points[with_me], raters[with_me] == rater
    alpha = interval_alpha(units, given, z, seed_of(metric.metric_id, name, scope.period_id))
    codes = np.unique(units, return_inverse=True)[1]
    others = np.bincount(codes[~mine], weights=given[~mine]) / np.bincount(codes[~mine]) if len(codes) else codes
    own = np.zeros(len(others))
    own[codes[mine]] = given[mine]
    icc = icc_2_1(np.column_stack([own, others]), z)
    return {
        "doubles": alpha.units,
        "alpha": alpha.value,
        "alpha_low": alpha.low,
        "alpha_high": alpha.high,
        "icc": icc.value,
        "icc_low": icc.low,
        "icc_high": icc.high,
        "ac1": gwet_ac1(units, given / 100) if metric.unit == "share" else math.nan,
    }


def _doubles(
    contacts: NDArray[np.intp], raters: NDArray[np.intp], points: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Keeps the last score of each rater for each contact, and of those the contacts that several scored."""
    order = np.lexsort((np.arange(len(raters)), raters, contacts))
    contacts, raters, points = contacts[order], raters[order], points[order]
    last = np.ones(len(raters), dtype=bool)
    last[:-1] = (contacts[1:] != contacts[:-1]) | (raters[1:] != raters[:-1])
    contacts, raters, points = contacts[last], raters[last], points[last]
    several = np.bincount(contacts)[contacts] > 1
    return contacts[several], raters[several], points[several]


def _flags(one: dict[str, Any], is_biased: bool, top_error: float, defaults: Defaults) -> list[dict[str, str]]:
    """Returns the flags with their evidence in words, most telling first. NaN compares as false and raises no flag."""
    rules = defaults.rater
    flags = []

    def flag(name: str, zh: str, en: str) -> None:
        flags.append({"flag": name, "zh": zh, "en": en})

    if is_biased:
        too = ("偏宽", "lenient") if one["severity"] > 0 else ("偏严", "severe")
        done = (
            ("已按收缩后的偏差校正", "scores are adjusted by the shrunk part")
            if one["is_connected"]
            else (
                "与其他质检员没有共同对象，不作校正，先辅导",
                "no agents in common with others: coached, not adjusted",
            )
        )
        flag(
            "lenient" if one["severity"] > 0 else "severe",
            f"{too[0]} {abs(one['severity']):.1f} 分（{one['n']} 份，t = {one['t_value']:.1f}）；{done[0]}",
            f"{too[1]} by {abs(one['severity']):.1f} points ({one['n']} reviews, t = {one['t_value']:.1f}); {done[1]}",
        )
    if one["sd_ratio"] < rules.sd_ratio and one["sd_p_value"] < rules.sd_p:
        flag(
            "central_tendency",
            f"打分趋中：离散度只有其他人的 {one['sd_ratio']:.0%}（{_chance(one['sd_p_value'])}），请校准",
            f"scores crowd together: spread is {one['sd_ratio']:.0%} of the others' ({_chance(one['sd_p_value'])}); "
            "calibrate",
        )
    if one["n"] >= rules.n and one["top_share"] > max(rules.top_share, one["pool_top_share"] + 3 * top_error):
        flag(
            "range_at_top",
            f"{one['top_share']:.0%} 的分数不低于 {rules.top:g} 分，其他人为 {one['pool_top_share']:.0%}，请校准",
            f"{one['top_share']:.0%} of scores reach {rules.top:g} points, of the others' {one['pool_top_share']:.0%}; "
            "calibrate",
        )
    if one["halo"] > max(rules.halo, one["pool_halo"] + rules.halo_above_pool):
        flag(
            "halo",
            f"光环效应：各项评分相关 {one['halo']:.2f}，其他人为 {one['pool_halo']:.2f}；"
            f"{one['identical_share']:.0%} 的质检各项同分",
            f"halo: items correlate by {one['halo']:.2f}, the others' by {one['pool_halo']:.2f}; "
            f"{one['identical_share']:.0%} of reviews have one mark throughout",
        )
    if abs(one["drift"]) > one["drift_limit"]:
        flag(
            "drift",
            f"尺度漂移：近期校准比共识{'高' if one['drift'] > 0 else '低'} {abs(one['drift']):.1f} 分"
            f"（{one['calibrations']} 份，界限 {one['drift_limit']:.1f}），请重新校准",
            f"drifts {'above' if one['drift'] > 0 else 'below'} the consensus by {abs(one['drift']):.1f} points "
            f"({one['calibrations']} common contacts, limit {one['drift_limit']:.1f}); calibrate again",
        )
    if one["n"] >= rules.n and one["recent_share"] > rules.recent_share:
        flag(
            "recency",
            f"{one['recent_share']:.0%} 的样本来自最后 {rules.recent_days} 天，请按全月抽样",
            f"{one['recent_share']:.0%} of the sample is from the last {rules.recent_days} days; "
            "sample over the whole month",
        )
    if one["sample_p_value"] < rules.sample_p:
        zh, en = _COVARIATES[one["sample_covariate"]]
        flag(
            "sample_bias",
            f"样本与全部会话的{zh}分布不同（{_chance(one['sample_p_value'])}），请使用随机名单",
            f"the sample differs from all contacts in {en} ({_chance(one['sample_p_value'])}); use the random list",
        )
    agreement, name = (one["alpha"], "α") if math.isnan(one["ac1"]) else (one["ac1"], "AC1")
    if one["doubles"] >= rules.min_calibrations and agreement < rules.least_agreement:
        flag(
            "low_agreement",
            f"与他人的一致性 {name} = {agreement:.2f}（{one['doubles']} 份双评），低于 {rules.least_agreement:g}",
            f"agreement with others: {name} {agreement:.2f} on {one['doubles']} double scores, below "
            f"{rules.least_agreement:g}",
        )
    return flags


def _chance(probability: float) -> str:
    return "p < 0.0001" if probability < 0.0001 else f"p = {probability:.4f}"


def _value(name: str, value: Any) -> Any:
    if name == "flags":
        return Jsonb(value)
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value


def _write(connection: Connection, scope: Scope, metric_id: str, profiles: dict[str, dict[str, Any]]) -> None:
    columns = ("calc_id", "period_id", "metric_id", "rater_key", *_COLUMNS)
    statement = sql.SQL("insert into stats.rater_profile ({}) values ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.SQL(", ").join([sql.Placeholder()] * len(columns))
    )
    connection.cursor().executemany(
        statement,
        [
            (scope.calc_id, scope.period_id, metric_id, rater, *(_value(name, one[name]) for name in _COLUMNS))
            for rater, one in profiles.items()
        ],
    )


def _plan_doubles(connection: Connection, scope: Scope, defaults: Defaults) -> None:
    given = {"start": scope.period_start, "end": scope.period_end}
    rows = _fetch(connection, scope, _TEAMS, given)
    scored: dict[str, set[str]] = defaultdict(set)
    for review, contact, _, _, rater, *_ in rows:
        scored[contact or review].add(rater)
    doubles_of_agent: dict[str, int] = defaultdict(int)
    first: list[rating.Review] = []
    contact_of, seen = {}, set()
    in_period = 0
    for review, contact, agent, team, rater, is_blind, is_now, is_good in rows:
        if len(scored[contact or review]) > 1:
            if (contact or review) not in seen:
                seen.add(contact or review)
                doubles_of_agent[agent] += 1
                in_period += is_now
        elif is_now and is_good and not is_blind:
            first.append(rating.Review(review, agent, team, rater))
            contact_of[review] = contact
    tasks = rating.double_scoring(first, doubles_of_agent, in_period, scope.period_id, defaults.rater)
    connection.cursor().executemany(
        "insert into stats.double_score_task (calc_id, period_id, review_key, conversation_key, agent_key,"
        " first_rater_key, second_rater_key, reason) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                scope.calc_id, scope.period_id, task.review.review_key, contact_of[task.review.review_key],
                task.review.agent, task.review.rater, task.second_rater, task.reason,
            )
            for task in tasks
        ],
    )  # fmt: skip

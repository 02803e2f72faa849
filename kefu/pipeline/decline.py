"""From days of metrics to lasting declines: `kefu.statistics.decline` over the live line (reliability.md 7).

Everything is made anew from the look-back window, and what is said of a day depends on earlier days only, so a second
scan writes the same rows. Nothing here reaches pay.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import Connection, sql

from kefu.catalogue.coaching import CoachingRule
from kefu.catalogue.defaults import Decline
from kefu.catalogue.files import in_force
from kefu.catalogue.models import Metric, Site
from kefu.pipeline.context import Platform, Scope
from kefu.statistics import decline as detection
from kefu.statistics.decline import Baseline, Delta, Detector, Judged, Observed
from kefu.statistics.sums import Floats
from kefu.warehouse import Role

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Cursor

_TABLES = ("decline_series", "decline_day", "decline_item", "decline_issue")
_SIDES = {-1: "decline", 1: "improvement"}
_PLACES = 10  # decimals that every machine computes alike
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Scanned:
    """What a scan found: pairs of agent and metric, those with enough data, open items, open common issues."""

    series: int
    evaluated: int
    open_items: int
    open_issues: int

    def line(self) -> str:
        """Returns one line for people."""
        return (
            f"{self.evaluated} of {self.series} agents and metrics have enough days; {self.open_items} open items, "
            f"{self.open_issues} common issues"
        )


@dataclass(frozen=True)
class _Members:
    """Who was in which team: agents x calendar days, `team` -1 without one; whose day is no `is_member` is left out."""

    agents: pa.StringArray
    teams: tuple[str, ...]
    first: date
    team: NDArray[np.int64]
    is_member: NDArray[np.bool_]


@dataclass(frozen=True)
class _Days:
    """One metric of everybody: dense arrays agents x calendar days, `team` -1 on days without a team."""

    agents: list[str]
    teams: tuple[str, ...]
    first: date
    total: Floats
    weight: Floats
    cases: Floats
    team: NDArray[np.int64]


@dataclass(frozen=True)
class _Grain:
    """Days or weeks: the detector for them, and the calendar date that a column stands for."""

    name: str
    detector: Detector
    base: Baseline
    dates: list[date]


def scan(platform: Platform, scope: Scope) -> Scanned:
    """Looks for lasting declines in every watched metric of every agent and replaces `stats.decline_*`.

    Raises:
        ValueError: the calculation is not the live line; a close is never about declines.
    """
    if scope.calc_id != "live":
        raise ValueError(f"found the calculation {scope.calc_id}, expected the live line")
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        defaults, rules, metrics, sites, periods = (
            in_force(connection, kind, scope.period_start)
            for kind in ("defaults", "coaching_rule", "metric", "site", "period")
        )
        numbers: Decline = defaults["defaults"].decline
        last = _last_day(connection, scope, next(iter(sites.values())))
        closed = _closed_values(connection, periods[scope.period_id].mode, numbers.slow_periods)
    found = _Found(scope, numbers, last)
    with platform.warehouse.adbc(Role.TRANSFORMER) as arrow, arrow.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"delete from stats.{table} where calc_id = 'live'")
        members = None
        if last is not None:
            members = _members(cursor, scope, last - timedelta(_history(numbers) - 1), last)
        for metric_id in sorted(set(rules) & set(metrics)):
            if members is not None and (days := _days(cursor, scope, metrics[metric_id], members)) is not None:
                found.add(metrics[metric_id], rules[metric_id], days)
            found.add_slow(metrics[metric_id], rules[metric_id], closed.get(metric_id))
        for table, filled in found.tables({table: _schema(cursor, table) for table in _TABLES}).items():
            if filled.num_rows:
                cursor.adbc_ingest(table, filled, mode="append", db_schema_name="stats")
        arrow.commit()
    items, issues = found.rows["decline_item"], found.rows["decline_issue"]
    return Scanned(
        len(found.rows["decline_series"].get("agent_key", [])),
        sum(state == "evaluated" for state in found.rows["decline_series"].get("state", [])),
        sum(state != "cleared" for state in items.get("state", [])),
        sum(state == "open" for state in issues.get("state", [])),
    )


def _schema(cursor: Cursor, table: str) -> pa.Schema:
    cursor.execute(f"select * from stats.{table} limit 0")
    return cursor.fetch_arrow_table().schema


def _history(rules: Decline) -> int:
    """Days that a scan reads: what weeks need, or days with the units before them that say how days resemble."""
    days = _day_columns(rules)
    weeks = 7 * (rules.weekly.base_weeks + rules.weekly.base_age + rules.guard + rules.weekly.window)
    return max(days, weeks + rules.look_back_days)


def _day_columns(rules: Decline) -> int:
    return rules.base_days + 7 * (rules.window + rules.base_age + rules.base_days) // 5 + rules.look_back_days


def _last_day(connection: Connection, scope: Scope, site: Site) -> date | None:
    """Returns the newest measured business day that had ended by the instant of the calculation's clocks."""
    limit = scope.as_of.date() + timedelta(1)
    while site.end_of_business_day(limit) > scope.as_of:
        limit -= timedelta(1)
    row = connection.execute(
        sql.SQL("select max(business_date) from {} where unit_kind = 'agent' and business_date <= %s").format(
            sql.Identifier(scope.schema("kpi"), "metric_day")
        ),
        [limit],
    ).fetchone()
    return row[0] if row else None


def _members(cursor: Cursor, scope: Scope, first: date, last: date) -> _Members:
    cursor.execute(
        sql.SQL(
            "select agent_key, coalesce(team_key, '') as team_key, greatest(valid_from - {first}::date, 0) as start,"
            " least(valid_to, {last}::date) - {first}::date + 1 as stop"
            " from {teams} where valid_from <= {last}::date and valid_to >= {first}::date"
        )
        .format(
            first=sql.Literal(first.isoformat()),
            last=sql.Literal(last.isoformat()),
            teams=sql.Identifier(scope.schema("intermediate"), "int_agent_team"),
        )
        .as_string(None)
    )
    rows = cursor.fetch_arrow_table()
    agents, teams = (rows[name].unique().sort() for name in ("agent_key", "team_key"))
    at, of = (pc.index_in(rows[name], found).to_numpy() for name, found in (("agent_key", agents), ("team_key", teams)))
    names = teams.to_pylist()
    # Nobody's team is no team: those without one are compared with nobody.
    number = np.array([-1 if name == "" else place for place, name in enumerate(names)], dtype=np.int64)
    shape = (len(agents), (last - first).days + 1)
    team, is_member = np.full(shape, -1, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    for row, named, start, stop in zip(at, of, rows["start"].to_numpy(), rows["stop"].to_numpy(), strict=True):
        team[row, start:stop], is_member[row, start:stop] = number[named], True
    return _Members(agents, tuple(names), first, team, is_member)


def _days(cursor: Cursor, scope: Scope, metric: Metric, members: _Members) -> _Days | None:
    cursor.execute(
        sql.SQL(
            "select unit_key, business_date - {first}::date as place, numerator::double precision as total,"
            " denominator::double precision as weight, n::double precision as cases from {days}"
            " where unit_kind = 'agent' and metric_id = {metric} and metric_version = {version} and not is_exempt"
            " and business_date between {first}::date and {first}::date + {width} - 1"
        )
        .format(
            first=sql.Literal(members.first.isoformat()),
            width=sql.Literal(members.team.shape[1]),
            metric=sql.Literal(metric.metric_id),
            version=sql.Literal(metric.version),
            days=sql.Identifier(scope.schema("kpi"), "metric_day"),
        )
        .as_string(None)
    )
    rows = cursor.fetch_arrow_table()
    row, place = pc.index_in(rows["unit_key"], members.agents).fill_null(-1).to_numpy(), rows["place"].to_numpy()
    known = (row >= 0) & members.is_member[row, place]
    if not known.any():
        return None
    cell = np.ravel_multi_index((row[known], place[known]), members.team.shape)

    def dense(values: NDArray[Any]) -> Floats:
        # A day has a row for each of two channels at most, so their order shows in no sum.
        summed = np.bincount(cell, values, members.team.size)
        return np.asarray(summed.reshape(members.team.shape), dtype=np.float64)

    seen = dense(np.ones(len(cell))) > 0
    mine = seen.any(axis=1)
    total, weight, cases = (dense(rows[name].to_numpy()[known])[mine] for name in ("total", "weight", "cases"))
    team = np.where(seen, members.team, -1)[mine]
    return _Days(
        members.agents.filter(pa.array(mine)).to_pylist(), members.teams, members.first, total, weight, cases, team
    )


def _closed_values(connection: Connection, mode: str, periods: int) -> dict[str, list[tuple[str, int, list[float]]]]:
    """Returns by metric the agents' values of the last closed periods of a mode, oldest first, of those who have all.

    The values are the ones that were scored: drawn to the cohort where the plan says so.
    """
    rows = connection.execute(
        "with recent as (select period_id, row_number() over (order by period_end desc) as age"
        " from payroll.closed_period where period_mode = %(mode)s order by period_end desc limit %(periods)s),"
        " valued as (select c.metric_id, c.agent_key, r.age, max(c.metric_version) as version,"
        " avg(coalesce(c.scored_value, c.raw_value)) as value"
        " from payroll.closed_component as c inner join recent as r on c.period_id = r.period_id"
        " group by c.metric_id, c.agent_key, r.age)"
        " select metric_id, agent_key, max(version), array_agg(value::double precision order by age desc)"
        " from valued where value is not null group by metric_id, agent_key"
        " having count(*) = %(periods)s and min(version) = max(version) order by metric_id, agent_key",
        {"mode": mode, "periods": periods},
    ).fetchall()
    found: dict[str, list[tuple[str, int, list[float]]]] = defaultdict(list)
    for metric_id, agent, version, values in rows:
        found[metric_id].append((agent, version, values))
    return found


def _number(value: float) -> float | None:
    return round(float(value), _PLACES) if np.isfinite(value) else None


class _Found:
    """Collects the rows of all metrics."""

    def __init__(self, scope: Scope, rules: Decline, last: date | None) -> None:
        self.scope, self.rules, self.last = scope, rules, last
        self.rows: dict[str, Columns] = {table: defaultdict(list) for table in _TABLES}
        self.days: list[pa.Table] = []
        self.team_of: dict[str, str | None] = {}
        self.open: set[tuple[str, str]] = set()

    def tables(self, schemas: dict[str, pa.Schema]) -> dict[str, pa.Table]:
        """Returns the rows of every table in the columns and types of the database."""
        made = {
            table: pa.table(
                {field.name: pa.array(self.rows[table].get(field.name, []), field.type) for field in schema}
            )
            for table, schema in schemas.items()
            if table != "decline_day"
        }
        if self.days:
            wanted = schemas["decline_day"]
            made["decline_day"] = pa.concat_tables(self.days).select(wanted.names).cast(wanted)
        return made

    def add(self, metric: Metric, rule: CoachingRule, days: _Days) -> None:
        """Judges one metric: those with enough scored days by days, the others by weeks."""
        assert self.last is not None
        by_unit = {"seconds": self.rules.least_cases.seconds, "score": self.rules.least_cases.score}
        least = rule.least_cases or by_unit.get(metric.unit, self.rules.least_cases.share)
        delta = (
            Delta(rule.delta.by, rule.delta.value)
            if rule.delta
            else Delta("between_sd", self.rules.between_sd)
        )  # fmt: skip
        detector, base = detection.of_days(self.rules)
        recent = ((days.cases >= least) & (days.weight > 0))[:, -base.span :].sum(axis=1)
        by_day = recent >= base.needed
        width = _day_columns(self.rules)
        dates = [days.first + timedelta(offset) for offset in range(days.total.shape[1])]
        self._judge(metric, least, delta, _part(days, by_day, width), _Grain("day", detector, base, dates[-width:]))
        detector, base = detection.of_weeks(self.rules)
        weekly, ends = _weeks(days, ~by_day, self.last)
        self._judge(metric, least, delta, weekly, _Grain("week", detector, base, ends))

    def _judge(self, metric: Metric, least: int, delta: Delta, days: _Days, grain: _Grain) -> None:
        if not days.agents:
            return
        observed = Observed(
            total=days.total,
            weight=days.weight,
            cases=days.cases,
            least_cases=least,
            scale=float(metric.scale),
            team=days.team,
            team_names=days.teams,
            sign=-1 if metric.direction == "lower" else 1,
            is_band=metric.direction == "band",
            is_share=metric.unit == "share" and not metric.count,
            is_time=metric.unit == "seconds",
            has_weekdays=grain.name == "day",
            seed=f"{metric.metric_id}|{self.scope.period_id}",
        )
        judged = detection.judge(observed, delta, self.rules, grain.detector, grain.base)
        self._series(metric, days, grain, judged)
        self._day_rows(metric, days, grain, judged)
        self._items(metric, observed, days, grain, judged)
        self._issues(metric, observed, grain, judged)

    def _put(self, table: str, **values: Any) -> None:
        for name, value in ({"calc_id": self.scope.calc_id} | values).items():
            self.rows[table][name].append(value)

    @staticmethod
    def _team(days: _Days, row: int, column: int) -> str | None:
        """The team on a day, else the last one before it."""
        known = np.flatnonzero(days.team[row, : column + 1] >= 0)
        return days.teams[days.team[row, known[-1]]] if len(known) else None

    def _series(self, metric: Metric, days: _Days, grain: _Grain, judged: Judged) -> None:
        scored = np.isfinite(judged.value)
        everybody = np.arange(len(days.agents))
        # Somebody is evaluated whose newest scored unit has an answer.
        newest = _last(scored)
        evaluated = (newest >= 0) & np.isfinite(judged.down.e[everybody, newest])
        number = days.team[everybody, _last(days.team >= 0)]
        teams = [days.teams[team] if team >= 0 else None for team in number.tolist()]
        self.team_of |= zip(days.agents, teams, strict=True)
        filled = {
            "calc_id": self.scope.calc_id,
            "period_id": self.scope.period_id,
            "agent_key": days.agents,
            "team_key": teams,
            "metric_id": metric.metric_id,
            "metric_version": metric.version,
            "grain": grain.name,
            "state": np.where(evaluated, "evaluated", "not_enough_data").tolist(),
            "scored_units": scored.sum(axis=1).tolist(),
            "needed_units": grain.base.needed + grain.detector.window - 1,
            "last_scored_on": [grain.dates[column] if column >= 0 else None for column in newest.tolist()],
        }
        for name, values in filled.items():
            self.rows["decline_series"][name] += values if isinstance(values, list) else [values] * len(days.agents)

    def _day_rows(self, metric: Metric, days: _Days, grain: _Grain, judged: Judged) -> None:
        assert self.last is not None
        kept = self.rules.keep_days if grain.name == "day" else self.rules.look_back_days
        first = next((at for at, day in enumerate(grain.dates) if day > self.last - timedelta(kept)), len(grain.dates))
        rows, columns = np.nonzero(np.isfinite(judged.residual[:, first:]))
        columns = columns + first
        at = (rows, columns)
        limit = -grain.detector.limit * grain.detector.sigma * judged.widened[at]
        numbers = {
            "value": judged.value[at],
            "baseline": judged.level.centre[at],
            "sigma": judged.sigma[at],
            "z": judged.z[at],
            "team_z": judged.team_z[at],
            "residual": judged.residual[at],
            "e": judged.down.e[at],
            "e_limit": limit,
            "recent_value": judged.mean[at],
            "practical_size": judged.delta[at],
            "shadow_cusum": judged.cusum[at],
        }
        flags = {
            "is_watch": judged.down.is_watch[at],
            "is_confirmed": judged.down.is_confirmed[at],
            "is_watch_up": judged.up.is_watch[at],
            "is_confirmed_up": judged.up.is_confirmed[at],
            "is_watch_unadjusted": judged.z_down[at],
        }
        team = days.team[at]
        count = len(rows)
        self.days.append(
            pa.table(
                {
                    "calc_id": pa.repeat(self.scope.calc_id, count),
                    "agent_key": pa.array(days.agents, pa.string()).take(pa.array(rows)),
                    "team_key": pa.array(days.teams, pa.string()).take(pa.array(team, mask=team < 0)),
                    "metric_id": pa.repeat(metric.metric_id, count),
                    "grain": pa.repeat(grain.name, count),
                    "business_date": pa.array(grain.dates, pa.date32()).take(pa.array(columns)),
                    "n": pa.array(np.rint(days.cases[at]).astype(np.int64)),
                }
                | {
                    name: pa.array(np.round(values, _PLACES), mask=~np.isfinite(values))
                    for name, values in numbers.items()
                }
                | {name: pa.array(seen) for name, seen in flags.items()}
            )
        )

    def _items(self, metric: Metric, observed: Observed, days: _Days, grain: _Grain, judged: Judged) -> None:
        found = detection.items_of(judged.down, judged.up, grain.detector)
        scored = np.isfinite(judged.residual)
        assert self.last is not None
        for row, side, opened, sure, cleared in zip(
            found.series, found.side, found.opened_at, found.confirmed_at, found.cleared_at, strict=True
        ):
            newest = int(np.flatnonzero(scored[row])[-1])
            at = int(cleared) if cleared >= 0 else newest
            quiet_on = grain.dates[newest] + timedelta(self.rules.quiet_days)
            cleared_on, reason = None, None
            if cleared >= 0:
                cleared_on = grain.dates[cleared]
                reason = self._clear_reason(judged, observed, int(row), int(opened), at, int(side))
            elif quiet_on <= self.last:
                cleared_on, reason = quiet_on, "not_scored"
            if cleared_on is not None and cleared_on <= self.last - timedelta(self.rules.look_back_days):
                continue
            is_decline = side < 0 or observed.is_band
            state = "confirmed" if sure >= 0 else "watch"
            if not is_decline and sure >= 0:
                state = "improving"
            agent, opened_on = days.agents[row], grain.dates[opened]
            looking = judged.down if side < 0 else judged.up
            units = np.flatnonzero(scored[row, : at + 1])
            residual = judged.residual[row] * (1 if side < 0 else -1)
            shift = judged.team_z[row, units[-grain.detector.window :]]
            if cleared_on is None:
                self.open.add((agent, metric.metric_id))
            self._put(
                "decline_item",
                period_id=self.scope.period_id,
                item_key=f"{agent}|{metric.metric_id}|{opened_on.isoformat()}|{grain.name}",
                agent_key=agent,
                team_key=self._team(days, int(row), at),
                metric_id=metric.metric_id,
                metric_version=metric.version,
                grain=grain.name,
                side="decline" if is_decline else _SIDES[int(side)],
                state=state if cleared_on is None else "cleared",
                opened_on=opened_on,
                confirmed_on=grain.dates[sure] if sure >= 0 else None,
                cleared_on=cleared_on,
                clear_reason=reason,
                last_scored_on=grain.dates[newest],
                baseline=_number(judged.level.centre[row, at]),
                opening_baseline=_number(judged.level.centre[row, opened]),
                recent_value=_number(judged.mean[row, at]),
                practical_size=_number(judged.delta[row, at]),
                e=_number(looking.e[row, at]),
                e_limit=_number(-grain.detector.limit * grain.detector.sigma * judged.widened[row, at]),
                low_units=int((residual[units[-grain.detector.low_of[1] :]] < grain.detector.low).sum()),
                watch_units=int(looking.is_watch[row, units[-grain.detector.confirm[1] :]].sum()),
                team_shift=_number(float(np.nanmean(shift))) if np.isfinite(shift).any() else None,
            )

    @staticmethod
    def _clear_reason(judged: Judged, observed: Observed, row: int, opened: int, at: int, side: int) -> str:
        """Back to what it was, or only near a baseline that has followed: then the new level is the usual one."""
        moved = observed.sign * (judged.mean[row, at] - judged.level.centre[row, opened]) * side
        return "new_level" if moved >= judged.delta[row, opened] else "back_to_usual"

    def _issues(self, metric: Metric, observed: Observed, grain: _Grain, judged: Judged) -> None:
        assert self.last is not None
        teams = judged.teams
        found = detection.issues_of(teams, observed.is_band, self.rules, grain.detector)
        latest = _last(np.isfinite(teams.z))
        for number, side, opened, cleared in zip(
            found.series, found.side, found.opened_at, found.cleared_at, strict=True
        ):
            newest = int(latest[number])
            at = int(cleared) if cleared >= 0 else newest
            cleared_on = grain.dates[cleared] if cleared >= 0 else None
            if cleared_on is None and grain.dates[newest] + timedelta(self.rules.quiet_days) <= self.last:
                cleared_on = grain.dates[newest] + timedelta(self.rules.quiet_days)
            if cleared_on is not None and cleared_on <= self.last - timedelta(self.rules.look_back_days):
                continue
            span = slice(int(opened), at + 1)
            is_member = observed.team[:, span] == number
            own = judged.down if side < 0 else judged.up
            raw = judged.z_down if side < 0 else judged.z_up
            alarmed = (raw[:, span] & is_member).any(axis=1)
            beyond = (own.is_watch[:, span] & is_member).any(axis=1)
            looking = teams.down if side < 0 else teams.up
            opened_on, name = grain.dates[opened], observed.team_names[number]
            self._put(
                "decline_issue",
                period_id=self.scope.period_id,
                issue_key=f"{name}|{metric.metric_id}|{opened_on.isoformat()}|{grain.name}",
                team_key=name,
                metric_id=metric.metric_id,
                metric_version=metric.version,
                grain=grain.name,
                side="decline" if side < 0 or observed.is_band else _SIDES[int(side)],
                state="open" if cleared_on is None else "cleared",
                opened_on=opened_on,
                cleared_on=cleared_on,
                last_scored_on=grain.dates[newest],
                team_shift=_number(float(np.nanmean(teams.z[number, span]))),
                effective_agents=_number(teams.k_eff[number, at]),
                e=_number(looking.e[number, at]),
                e_limit=_number(-grain.detector.limit * grain.detector.sigma),
                scored_agents=int(teams.scored[number, at]),
                alarmed_agents=int(alarmed.sum()),
                alarmed_beyond_team_agents=int(beyond.sum()),
            )

    def add_slow(self, metric: Metric, rule: CoachingRule, closed: list[tuple[str, int, list[float]]] | None) -> None:
        """Adds who fell or rose steadily over the last closed periods and has no open item of days or weeks."""
        known = [entry for entry in closed or [] if entry[1] == metric.version]
        if not known or self.last is None:
            return
        values = np.array([entry[2] for entry in known])
        delta = rule.delta
        if delta is None:
            enough = len(values) >= self.rules.min_team
            spread = float(np.std(values[:, -1], ddof=1)) * self.rules.between_sd if enough else np.nan
            size = np.full(len(values), spread if spread > 0 else np.nan)
        else:
            size = delta.value * (np.abs(values[:, 0]) if delta.by == "relative" else np.ones(len(values)))
        sign = -1 if metric.direction == "lower" else 1
        fell, rose = detection.slow_decline(values, sign, metric.direction == "band", size)
        for (agent, version, series), down, up, needed in zip(known, fell, rose, size, strict=True):
            if not (down or up) or (agent, metric.metric_id) in self.open:
                continue
            self._put(
                "decline_item",
                period_id=self.scope.period_id,
                item_key=f"{agent}|{metric.metric_id}|{self.scope.period_id}|period",
                agent_key=agent,
                team_key=self.team_of.get(agent),
                metric_id=metric.metric_id,
                metric_version=version,
                grain="period",
                side="decline" if down else "improvement",
                state="slow_decline" if down else "improving",
                opened_on=self.last,
                confirmed_on=self.last,
                cleared_on=None,
                clear_reason=None,
                last_scored_on=self.last,
                baseline=_number(series[0]),
                opening_baseline=_number(series[0]),
                recent_value=_number(series[-1]),
                practical_size=_number(float(needed)),
                e=None,
                e_limit=None,
                low_units=None,
                watch_units=None,
                team_shift=None,
            )


def _last(is_true: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Returns the last true column of each row, -1 without one."""
    width = is_true.shape[1]
    return np.where(is_true.any(axis=1), width - 1 - np.argmax(is_true[:, ::-1], axis=1), -1)


def _part(days: _Days, chosen: NDArray[np.bool_], width: int) -> _Days:
    """The chosen agents and the newest columns."""
    names = [agent for agent, is_chosen in zip(days.agents, chosen, strict=True) if is_chosen]
    return _Days(
        names,
        days.teams,
        days.first,
        days.total[chosen][:, -width:],
        days.weight[chosen][:, -width:],
        days.cases[chosen][:, -width:],
        days.team[chosen][:, -width:],
    )


def _weeks(days: _Days, chosen: NDArray[np.bool_], last: date) -> tuple[_Days, list[date]]:
    """The chosen agents by complete weeks from Monday to Sunday, and the Sundays."""
    width = days.total.shape[1]
    behind = (last.weekday() + 1) % 7  # days after the newest complete week
    count = (width - behind) // 7
    start = width - behind - 7 * count
    names = [agent for agent, is_chosen in zip(days.agents, chosen, strict=True) if is_chosen]

    def by_week(values: NDArray[Any]) -> NDArray[Any]:
        return values[chosen][:, start : start + 7 * count].reshape(len(names), count, 7)

    team = by_week(days.team)
    # The team of a week is that of its last day with one.
    place = 6 - np.argmax((team >= 0)[:, :, ::-1], axis=2)
    of_week = np.take_along_axis(team, place[:, :, None], axis=2)[:, :, 0]
    total, weight, cases = (by_week(values).sum(axis=2) for values in (days.total, days.weight, days.cases))
    ends = [days.first + timedelta(start + 7 * week + 6) for week in range(count)]
    return _Days(names, days.teams, days.first, total, weight, cases, of_week), ends

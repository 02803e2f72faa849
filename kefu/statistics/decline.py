"""Lasting decline against a one-day dip, over many series at once (reliability.md 7).

A series is one agent's metric; rows of every array are series. Columns are either calendar units (days or weeks, one
column each, NaN where nothing was scored) or, where a function says *packed*, the scored units of each series one after
the other with NaN behind the last. Values are oriented so that more is better, and standard deviations are those of a
single unit. Everything looks backwards only: what was said of a day does not change when later days arrive.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kefu.catalogue.defaults import Decline
from kefu.statistics.sums import Floats

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]
MAD_TO_SD = 1.4826
_MOST_AT_ONCE = 20_000_000  # numbers held at a time while medians are taken


@dataclass(frozen=True, slots=True)
class Detector:
    """The numbers of the detector, for days or for weeks.

    Attributes:
        smoothing: weight of the newest unit, lambda.
        window: scored units looked at.
        limit: distance in standard errors that raises a watch.
        low, low_of: how many of the last units must be worse than `low`.
        confirm: how many of the last units a watch must have held.
        cap: standard deviations that one unit counts for at most.
        clear_above, clear_run: standard errors that a run of units must be above to clear an item.
        cool_down: calendar units after a clearing in which nothing opens.
        mean_units: scored units of the practical size.
    """

    smoothing: float
    window: int
    limit: float
    low: float
    low_of: tuple[int, int]
    confirm: tuple[int, int]
    cap: float
    clear_above: float
    clear_run: int
    cool_down: int
    mean_units: int

    @property
    def weights(self) -> Floats:
        """Weights of the units of the window, the newest first."""
        return self.smoothing * (1 - self.smoothing) ** np.arange(self.window, dtype=np.float64)

    @property
    def sigma(self) -> float:
        """Standard error of the weighted sum of independent units; 0.3331 for days."""
        return math.sqrt(math.fsum(self.weights**2))


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a baseline comes from: units back, newest units left out, units needed, and how many units old it is."""

    span: int
    guard: int
    least: int
    age: int

    @property
    def needed(self) -> int:
        """Scored units up to the first one that is compared with a baseline."""
        return self.least + self.guard + self.age


def of_days(rules: Decline) -> tuple[Detector, Baseline]:
    """Returns the detector and the baseline of days."""
    return _detector(rules, rules.window, rules.confirm, rules.cool_down), Baseline(
        rules.base_days, rules.guard, rules.min_base, rules.base_age
    )


def of_weeks(rules: Decline) -> tuple[Detector, Baseline]:
    """Returns the detector and the baseline of weeks, for those with too few events on a day."""
    weekly = rules.weekly
    cool_down = math.ceil(rules.cool_down / 7)
    return _detector(rules, weekly.window, weekly.confirm, cool_down), Baseline(
        weekly.base_weeks, rules.guard, weekly.min_base, weekly.base_age
    )


def _detector(rules: Decline, window: int, confirm: tuple[int, int], cool_down: int) -> Detector:
    return Detector(
        smoothing=rules.lambda_,
        window=window,
        limit=rules.L,
        low=rules.low,
        low_of=rules.low_of,
        confirm=confirm,
        cap=rules.cap,
        clear_above=rules.clear_above,
        clear_run=rules.clear_run,
        cool_down=cool_down,
        mean_units=rules.mean_days,
    )


def smoothed(residuals: Floats, detector: Detector) -> Floats:
    """Returns E of every unit of packed residuals: the weighted sum without its worst contribution.

    NaN until the window is full, so nothing is said of a series that has too few scored units.
    """
    capped = np.clip(residuals, -detector.cap, detector.cap)
    total = np.zeros_like(capped)
    worst = np.full_like(capped, np.inf)
    part = np.empty_like(capped)
    for lag, weight in enumerate(detector.weights):
        width = max(capped.shape[1] - lag, 0)
        np.multiply(capped[:, :width], weight, out=part[:, :width])
        total[:, lag:] += part[:, :width]
        np.minimum(worst[:, lag:], part[:, :width], out=worst[:, lag:])
    total -= worst
    total[:, : detector.window - 1] = np.nan
    return total


def _of_last(flags: Flags, count: int) -> Whole:
    """Returns how many of the last `count` columns are true, itself included."""
    summed = np.cumsum(flags, axis=1, dtype=np.int64)
    summed[:, count:] -= summed[:, :-count].copy()
    return summed


def watched(residuals: Floats, e: Floats, detector: Detector, phi_star: Floats | float = 1.0) -> Flags:
    """Returns on which units of packed residuals a watch holds; false while E is unknown.

    `phi_star` widens the limit where days resemble the day before.
    """
    with np.errstate(invalid="ignore"):
        beyond = e < -detector.limit * detector.sigma * phi_star
        low = residuals < detector.low
    needed, of = detector.low_of
    return np.asarray(beyond & (_of_last(low, of) >= needed))


def confirmed(watch: Flags, detector: Detector, is_large: Flags | bool = True) -> Flags:
    """Returns on which units a watch is confirmed: it held often enough, holds now, and the loss matters."""
    needed, of = detector.confirm
    return np.asarray(watch & (_of_last(watch, of) >= needed) & is_large)


def phi_star_of(phi: Floats, most: float) -> Floats:
    """Returns the factor on the limit for a lag-1 autocorrelation: negative or unknown (NaN) counts as none."""
    bounded = np.clip(np.nan_to_num(phi, nan=0.0), 0.0, most)
    return np.asarray(np.sqrt((1 + bounded) / (1 - bounded)))


def cusum(residuals: Floats, k: float, h: float) -> Floats:
    """Returns the one-sided CUSUM of packed residuals downwards, from 0; above `h` it would alarm. For comparison."""
    level = np.zeros(residuals.shape)
    at = np.zeros(len(residuals))
    for column in range(residuals.shape[1]):
        at = np.maximum(0.0, at - np.nan_to_num(residuals[:, column]) - k)
        at = np.where(level[:, column - 1] > h, np.maximum(0.0, -np.nan_to_num(residuals[:, column]) - k), at)
        level[:, column] = at
    return level


# --- from what was measured to residuals ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Packing:
    """Which columns of each series are scored: `column` is packed and -1 behind the last, `count` says how many."""

    column: Whole
    count: Whole

    @classmethod
    def of(cls, is_scored: Flags) -> Packing:
        """Returns the packing of the true columns of each row."""
        count = is_scored.sum(axis=1)
        order = np.argsort(~is_scored, axis=1, kind="stable")[:, : int(count.max(initial=0))]
        return cls(np.where(np.arange(order.shape[1]) < count[:, None], order, -1), count)

    def pack(self, values: Floats) -> Floats:
        """Returns the scored columns of `values`, NaN behind the last."""
        taken = np.take_along_axis(values, np.maximum(self.column, 0), axis=1)
        return np.where(self.column >= 0, taken, np.nan)

    def unpack(self, packed: NDArray[np.generic], width: int) -> Floats:
        """Returns packed values in their calendar columns, NaN elsewhere."""
        spread = np.full((len(self.column), width + 1), np.nan)
        # Pads land in a column of their own, which is cut off.
        target = np.where(self.column >= 0, self.column, width)
        np.put_along_axis(spread, target, packed.astype(float), axis=1)
        return np.asarray(spread[:, :width])


def median(values: Floats) -> tuple[Floats, Whole]:
    """Returns the median over the last axis without NaN, and how many values it is of; NaN of none."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    return _middle(np.where(known, values, np.inf), count), count


def _middle(values: Floats, count: Whole) -> Floats:
    """The median over the last axis of `count` values each, infinite ones behind them; sorts in place. NaN of none."""
    values.sort(axis=-1)
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, values.shape[-1] - 1)
    lower = np.take_along_axis(values, low[..., None], axis=-1)[..., 0]
    upper = np.take_along_axis(values, high[..., None], axis=-1)[..., 0]
    return np.where(count > 0, (lower + upper) / 2, np.nan)


@dataclass(frozen=True, slots=True)
class Level:
    """What each scored unit is compared with, in calendar columns; NaN without a baseline.

    `centre` is the median of the baseline's units and `spread` 1.4826 times their MAD; `sum_x`, `sum_n` and
    `mean_inverse_n` are of the same units, `count` is how many they are. What is judged by its logarithm has its
    `spread` there.
    """

    centre: Floats
    spread: Floats
    sum_x: Floats
    sum_n: Floats
    mean_inverse_n: Floats
    count: Floats


def level_of(value: Floats, total: Floats, weight: Floats, base: Baseline) -> Level:
    """Returns the baseline of every scored unit: the last `span` calendar units without the newest scored ones.

    A unit has the baseline of the one `age` scored units earlier: what is judged must not move what it is judged by.
    `value` is NaN where nothing was scored; `total` and `weight` are the numerator and the denominator behind it.
    """
    width = value.shape[1]
    scored = np.isfinite(value)
    packing = Packing.of(scored)
    x = packing.pack(value)
    places = x.shape[1]
    of_span = packing.pack(_of_last(scored, base.span).astype(float))
    count = np.maximum(np.nan_to_num(of_span).astype(np.int64) - base.guard, 0)
    most = int(count.max(initial=1))
    # Element k of the window of place p is the scored unit at place p - guard - most + 1 + k.
    wide = np.hstack([np.full((len(x), most + base.guard - 1), np.nan), x])
    centre, spread = np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    rows_at_once = max(1, _MOST_AT_ONCE // max(1, places * most))
    for first in range(0, len(x), rows_at_once):
        rows = slice(first, first + rows_at_once)
        windows = np.lib.stride_tricks.sliding_window_view(wide[rows], most, axis=1)[:, :places]
        within = np.where(np.arange(most) >= most - count[rows][:, :, None], windows, np.inf)
        centre[rows] = _middle(within, count[rows])
        within -= centre[rows][:, :, None]
        np.abs(within, out=within)
        spread[rows] = _middle(within, count[rows]) * MAD_TO_SD
    enough = (count >= base.least) & (packing.column >= 0)

    def summed(values: Floats) -> Floats:
        cumulated = np.hstack([np.zeros((len(values), 1)), np.cumsum(np.nan_to_num(packing.pack(values)), axis=1)])
        last = np.clip(np.arange(places) - base.guard + 1, 0, None)[None, :].repeat(len(values), axis=0)
        difference = np.take_along_axis(cumulated, last, axis=1) - np.take_along_axis(cumulated, last - count, axis=1)
        return np.asarray(difference)

    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = np.where(weight > 0, 1 / weight, 0.0)
        parts = [centre, spread, summed(total), summed(weight), summed(inverse) / count, count.astype(float)]

    def aged(part: Floats) -> Floats:
        earlier = np.hstack([np.full((len(part), base.age), np.nan), np.where(enough, part, np.nan)])
        return packing.unpack(earlier[:, :places], width)

    return Level(*(aged(part) for part in parts))


def within_variance(deviation: Floats, weight: Floats) -> float:
    """Returns the variance of a single case of a mean, from how much more days with few cases scatter.

    A straight line through four groups of days by 1 / n: its slope, never negative; 0 with fewer than 40 days.
    """
    known = np.isfinite(deviation) & (weight > 0)
    inverse, size = 1 / weight[known], np.abs(deviation[known])
    if len(size) < 40 or np.ptp(inverse) == 0:
        return 0.0
    groups = [group for group in np.array_split(np.argsort(inverse, kind="stable"), 4) if len(group)]
    at = np.array([inverse[group].mean() for group in groups])
    scatter = np.array([(MAD_TO_SD * np.median(size[group])) ** 2 for group in groups])
    if np.ptp(at) == 0:
        return 0.0
    slope = float(np.polyfit(at, scatter, 1)[0])
    # No more than what the days with fewest cases leave room for.
    return min(max(slope, 0.0), float(scatter[-1] / at[-1]))


@dataclass(frozen=True, slots=True)
class Observed:
    """One metric of many agents, in calendar columns.

    Attributes:
        total, weight: numerator and denominator of each unit; 0 where there is nothing.
        cases: n of each unit, which must reach `least_cases` for the unit to be scored.
        least_cases: n that a unit needs.
        scale: what numerator / denominator is multiplied by.
        team: number of the agent's team in each unit, -1 for none.
        team_names: names behind the numbers.
        sign: 1 when more is better, -1 when less is, 1 for a band.
        is_band: a move to either side is a decline.
        is_share: numerators are counts out of the denominator.
        is_time: values are means of durations, which are skewed: they are judged by their logarithm.
        has_weekdays: columns are days, and each seventh is the same weekday.
        seed: text that makes the bootstrap repeatable: metric and period.
    """

    total: Floats
    weight: Floats
    cases: Floats
    least_cases: int
    scale: float
    team: Whole
    team_names: tuple[str, ...]
    sign: int
    is_band: bool
    is_share: bool
    is_time: bool
    has_weekdays: bool
    seed: str


@dataclass(frozen=True, slots=True)
class Delta:
    """Practical size of a metric: relative to the baseline, absolute, or in standard deviations between agents."""

    by: Literal["relative", "absolute", "between_sd"]
    value: float


@dataclass(frozen=True, slots=True)
class Side:
    """The detector looking to one side, in calendar columns; `e` is oriented so that below 0 is a move to that side."""

    e: Floats
    is_watch: Flags
    is_confirmed: Flags


@dataclass(frozen=True, slots=True)
class Teams:
    """The common cause of every team, teams x calendar columns; NaN on days with too few scored agents."""

    z: Floats
    k_eff: Floats
    down: Side
    up: Side
    share_down: Floats
    share_up: Floats
    scored: Whole


@dataclass(frozen=True, slots=True)
class Judged:
    """Everything known of one metric, in calendar columns; NaN where it could not be said.

    `widened` is the factor on the limit. `level.centre`, `sigma`, `mean` and `delta` are in the unit of the metric: of
    what is judged by its logarithm `sigma` is what one standard deviation of that makes at the centre.
    """

    value: Floats
    level: Level
    sigma: Floats
    z: Floats
    team_z: Floats
    residual: Floats
    widened: Floats
    mean: Floats
    delta: Floats
    down: Side
    up: Side
    z_down: Flags
    z_up: Flags
    cusum: Floats
    teams: Teams


def judge(observed: Observed, delta: Delta, rules: Decline, detector: Detector, base: Baseline) -> Judged:
    """Returns the whole of 7.1 to 7.3 for one metric: standardised units, common cause, residual, alarms on both sides.

    Raises:
        ValueError: arrays of different shapes.
    """
    shape = observed.total.shape
    if any(array.shape != shape for array in (observed.weight, observed.cases, observed.team)):
        raise ValueError(f"found arrays of different shapes, expected all to be {shape}, agents x calendar units")
    scored = (observed.cases >= observed.least_cases) & (observed.weight > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(scored, observed.scale * observed.total / observed.weight, np.nan)
    total, weight = np.where(scored, observed.total, 0.0), np.where(scored, observed.weight, 0.0)
    # Less than a second is as good as one.
    judged = np.log(np.maximum(value, 1.0)) if observed.is_time else value
    level = level_of(judged, total, weight, base)
    if observed.is_share:
        level = _between_steps(level, observed.scale)
    sigma = _sigma(judged, weight, level, observed, rules)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = observed.sign * (judged - level.centre) / sigma
    members = _members(observed.team)
    if observed.has_weekdays:
        z = z - observed.sign * _weekday_effect(judged, level.centre, sigma, observed.team, members, rules)
    if observed.is_time:
        level = replace(level, centre=np.exp(level.centre))
        sigma = sigma * level.centre
    common, k_eff, in_team = _common(z, observed, members, rules)
    team_down, team_up = _team_sides(common * np.sqrt(k_eff), rules, detector, base)
    team_z = _shared(z, observed.team, members, k_eff, team_down.is_watch | team_up.is_watch, rules)
    residual = np.where(np.isfinite(team_z), z - team_z, z)
    packing = Packing.of(np.isfinite(residual))
    widened = _phi_star(residual, packing, observed.team, rules, detector, base) * _unsure(level, detector)
    mean = _recent(observed.scale, total, weight, packing, detector.mean_units)
    size = _absolute(delta, level.centre, rules)
    with np.errstate(invalid="ignore"):
        worse = observed.sign * (mean - level.centre) <= -size
        better = observed.sign * (mean - level.centre) >= size
    down = _side(residual, packing, detector, widened, worse)
    up = _side(-residual, packing, detector, widened, better)
    z_down = _side(z, packing, detector, widened, worse).is_watch
    z_up = _side(-z, packing, detector, widened, better).is_watch
    evaluated = np.isfinite(down.e)
    known = _by_team(evaluated, observed.team, len(common))

    def share(alarms: Flags) -> Floats:
        alarmed = _by_team(evaluated & alarms, observed.team, len(common))
        return np.where(known >= rules.min_team, alarmed / np.maximum(known, 1), np.nan)

    teams = Teams(common, k_eff, team_down, team_up, share(z_down), share(z_up), in_team)
    shadow = packing.unpack(cusum(packing.pack(residual), *rules.shadow), shape[1])
    return Judged(value, level, sigma, z, team_z, residual, widened, mean, size, down, up, z_down, z_up, shadow, teams)


def _between_steps(level: Level, scale: float) -> Level:
    """The median of shares of few cases sits on a step, up to half a case off; there the pooled share decides."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = scale * level.sum_x / level.sum_n
    step = 0.5 * scale * level.mean_inverse_n
    return replace(level, centre=level.centre + np.clip(pooled - level.centre, -step, step))


def _members(team: Whole) -> dict[int, Whole]:
    """Returns by number of a team whose series were ever in it."""
    row, column = np.nonzero(team >= 0)
    number = team[row, column]
    is_member = np.zeros((int(number.max(initial=-1)) + 1, len(team)), dtype=np.bool_)
    is_member[number, row] = True
    return {number: np.flatnonzero(rows) for number, rows in enumerate(is_member) if rows.any()}


def _by_team(values: NDArray[np.generic], team: Whole, count: int) -> Floats:
    """Returns the sums of agents' values by team and column, teams x columns; who has no team is in none."""
    width = values.shape[1]
    place = np.where(team >= 0, team, count) * width + np.arange(width)
    summed = np.bincount(place.ravel(), values.ravel().astype(float), minlength=(count + 1) * width)
    return np.asarray(summed[: count * width].reshape(count, width), dtype=np.float64)


def _common(
    z: Floats, observed: Observed, members: Mapping[int, Whole], rules: Decline
) -> tuple[Floats, Floats, Whole]:
    """Returns the median of each team, how many agents it is worth, and how many were scored; teams x columns."""
    shape = len(observed.team_names), z.shape[1]
    centre, k_eff, scored = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for number, rows in members.items():
        own = np.where(observed.team[rows] == number, z[rows], np.nan)
        middle, scored[number] = median(own.T)
        centre[number] = np.where(scored[number] >= rules.min_team, middle, np.nan)
        k_eff[number] = effective_agents(own, f"{observed.seed}|{observed.team_names[number]}", rules)
    return centre, k_eff, scored


def _shared(
    z: Floats, team: Whole, members: Mapping[int, Whole], k_eff: Floats, is_common: Flags, rules: Decline
) -> Floats:
    """Returns how much of everybody's day is the team's: the median of the others, less what chance makes of it.

    In full while the team itself alarms. Nobody's own day is taken out of itself, and a few colleagues who had a bad
    day by chance excuse nobody; NaN where too few were scored.
    """
    shared = np.full(z.shape, np.nan)
    for number, rows in members.items():
        own = np.where(team[rows] == number, z[rows], np.nan)
        others = _of_others(own)
        with np.errstate(invalid="ignore", divide="ignore"):
            beyond = np.maximum(0.0, 1 - rules.team_errors**2 / (others**2 * k_eff[number]))
        part = np.where(is_common[number], others, others * beyond)
        shared[rows] = np.where((team[rows] == number) & np.isfinite(k_eff[number]), part, shared[rows])
    return shared


def _of_others(values: Floats) -> Floats:
    """Returns for every value the median of the others in its column; NaN without any."""
    order = np.argsort(values, axis=0, kind="stable")
    rank = np.argsort(order, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    others = np.isfinite(values).sum(axis=0) - 1

    def without_own(place: Whole) -> Floats:
        at = np.maximum(place, 0) + (np.maximum(place, 0) >= rank)
        return np.take_along_axis(ordered, np.minimum(at, len(values) - 1), axis=0)

    middle = (without_own((others - 1) // 2) + without_own(others // 2)) / 2
    return np.where(np.isfinite(values) & (others > 0), middle, np.nan)


def _sigma(value: Floats, weight: Floats, level: Level, observed: Observed, rules: Decline) -> Floats:
    """The scatter of a unit: between days, never below a part of what is usual, and within the unit by its cases.

    The scatter of past units holds both parts already, so the part of their own cases is taken out of it first.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = np.sqrt(np.nanmean(level.spread**2)) if np.isfinite(level.spread).any() else np.nan
        if observed.is_share:
            share = (level.sum_x + 0.5) / (level.sum_n + 1)
            single = observed.scale**2 * np.clip(share * (1 - share), 0.0, None)
        else:
            single = np.full(value.shape, within_variance(value - level.centre, weight))
        between = np.maximum(level.spread**2 - single * level.mean_inverse_n, (rules.sd_floor * pooled) ** 2)
        sigma = np.sqrt(between + single / weight)
    return np.where(sigma > 0, sigma, np.nan)


def _weekday_effect(
    value: Floats, centre: Floats, sigma: Floats, team: Whole, members: Mapping[int, Whole], rules: Decline
) -> Floats:
    """How far the team's same weekdays of the last weeks lie from the baseline, in standard deviations; 0 if unknown.

    One agent has too few same weekdays to tell an effect from chance, a team has enough.
    """
    weeks, width = rules.weekday_weeks, value.shape[1]
    effect = np.zeros(value.shape)
    if width <= 7 * weeks:
        return effect
    for number, rows in members.items():
        own = np.where(team[rows] == number, value[rows], np.nan)
        columns = np.arange(7 * weeks, width)
        earlier = own[:, columns[:, None] - 7 * np.arange(1, weeks + 1)]
        with np.errstate(invalid="ignore"):
            apart = (earlier - centre[rows][:, columns, None]) / sigma[rows][:, columns, None]
        found, count = median(apart.transpose(1, 0, 2).reshape(len(columns), -1))
        started = np.flatnonzero(np.isfinite(own).any(axis=0))
        known = (count >= rules.min_base) & (columns - 7 * weeks >= (started[0] if len(started) else width))
        line = np.zeros(width)
        line[columns] = np.where(known, found, 0.0)
        effect[rows] = np.where(team[rows] == number, line, effect[rows])
    return effect


def _phi_star(
    residual: Floats, packing: Packing, team: Whole, rules: Decline, detector: Detector, base: Baseline
) -> Floats:
    """The factor of each unit from the autocorrelation of the team's residuals before the window that is judged.

    A lasting drop resembles itself from day to day; units of the window itself would therefore hide what they show.
    """
    r = np.clip(np.nan_to_num(packing.pack(residual)), -detector.cap, detector.cap)
    places = np.arange(r.shape[1])
    products = np.zeros(r.shape)
    products[:, 1:] = r[:, 1:] * r[:, :-1]
    counted = np.zeros(r.shape)
    counted[:, 1:] = packing.column[:, 1:] >= 0
    last = np.clip(places - detector.window + 1, 0, None)
    first = np.clip(last - base.span, 0, None)

    def before(values: Floats) -> Floats:
        cumulated = np.hstack([np.zeros((len(values), 1)), np.cumsum(values, axis=1)])
        return packing.unpack(cumulated[:, last] - cumulated[:, first], residual.shape[1])

    # Who has no team is one of those without.
    group = team + 1
    shared, own, pairs = (
        _by_team(np.nan_to_num(before(values)), group, int(group.max(initial=0)) + 1)
        for values in (products, r**2, counted)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        phi = np.where((pairs >= rules.min_base) & (own > 0), shared / own, 0.0)[group, np.arange(residual.shape[1])]
    return phi_star_of(phi, rules.phi_cap)


def _unsure(level: Level, detector: Detector) -> Floats:
    """The factor of each unit for a baseline that is an estimate: its error shifts all units of the window alike.

    The variance of the median of n normal values is pi / 2n of one's.
    """
    shift = detector.weights.sum() / detector.sigma
    return np.asarray(np.sqrt(1 + shift**2 * math.pi / (2 * level.count)))


def _recent(scale: float, total: Floats, weight: Floats, packing: Packing, units: int) -> Floats:
    """The pooled value of the last scored units; NaN while there are fewer."""

    def summed(values: Floats) -> Floats:
        cumulated = np.cumsum(np.nan_to_num(packing.pack(values)), axis=1)
        cumulated[:, units:] -= cumulated[:, :-units].copy()
        cumulated[:, : units - 1] = np.nan
        return cumulated

    with np.errstate(invalid="ignore", divide="ignore"):
        return packing.unpack(scale * summed(total) / summed(weight), total.shape[1])


def _absolute(delta: Delta, centre: Floats, rules: Decline) -> Floats:
    """The practical size in the unit of the metric; NaN while it is unknown, which confirms nothing."""
    if delta.by == "relative":
        return np.asarray(delta.value * np.abs(centre))
    if delta.by == "absolute":
        return np.where(np.isfinite(centre), delta.value, np.nan)
    known = np.isfinite(centre)
    agents = known.sum(axis=0)
    mean = np.where(known, centre, 0.0).sum(axis=0) / np.maximum(agents, 1)
    squares = (np.where(known, centre - mean, 0.0) ** 2).sum(axis=0) / np.maximum(agents - 1, 1)
    # Equal agents leave no size to speak of, and then nothing is large.
    usable = (agents >= rules.min_team) & (squares > 0)
    return np.where(known, np.where(usable, delta.value * np.sqrt(squares), np.nan), np.nan)


def _side(residual: Floats, packing: Packing, detector: Detector, widened: Floats, is_large: Flags) -> Side:
    width = residual.shape[1]
    r = packing.pack(residual)
    e = smoothed(r, detector)
    watch = watched(r, e, detector, packing.pack(widened))
    large = packing.pack(is_large.astype(float)) > 0
    sure = confirmed(watch, detector, large)
    return Side(
        packing.unpack(e, width), packing.unpack(watch, width) > 0, packing.unpack(sure, width) > 0
    )  # NaN is not above 0


def _team_sides(line: Floats, rules: Decline, detector: Detector, base: Baseline) -> tuple[Side, Side]:
    """Returns the detector looking down and up the lines of teams, each with an autocorrelation of its own."""
    packing = Packing.of(np.isfinite(line))
    each = np.repeat(np.arange(len(line))[:, None], line.shape[1], axis=1)
    phi_star = _phi_star(line, packing, each, rules, detector, base)
    always = np.ones(line.shape, dtype=np.bool_)
    return _side(line, packing, detector, phi_star, always), _side(-line, packing, detector, phi_star, always)


def effective_agents(z: Floats, seed: str, rules: Decline) -> Floats:
    """Returns for each unit how many agents the median of a team is worth: 1 / its variance.

    The variance is that of a bootstrap over the team's agents on its newest scored units, per agent scored. The random
    numbers depend on `seed` alone, so the same data give the same result.
    """
    scored = np.isfinite(z).sum(axis=0)
    usable = np.flatnonzero(scored >= rules.min_team)[-rules.bootstrap_units :]
    if not len(usable):
        return np.full(z.shape[1], np.nan)
    random = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    drawn = random.integers(0, len(z), (rules.bootstrap, len(z)))
    medians = median(z[:, usable][drawn].transpose(0, 2, 1))[0]
    with np.errstate(invalid="ignore"):
        variance = np.nanvar(medians, axis=0)
    per_agent = float(np.mean(variance * scored[usable]))
    return np.where(scored >= rules.min_team, scored / per_agent, np.nan) if per_agent > 0 else scored.astype(float)


# --- from alarms to items ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Items:
    """Items one after the other; all arrays have one entry per item, columns are calendar units.

    `side` is -1 for a decline and 1 for an improvement; `confirmed_at` and `cleared_at` are -1 while it has not
    happened.
    """

    series: Whole
    side: Whole
    opened_at: Whole
    confirmed_at: Whole
    cleared_at: Whole


def items_of(down: Side, up: Side | None, detector: Detector) -> Items:
    """Returns the items of all series: one open at a time, closed by a run of clear units, then a cool-down.

    Without `up` only declines open items. An alarm on the other side ends an item at once and opens its own; the
    cool-down holds for the side that was cleared. Units that were not scored change nothing.
    """
    sides = [(-1, down)] + ([(1, up)] if up is not None else [])
    count, width = down.e.shape
    side, run = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    opened, sure = np.full(count, -1), np.full(count, -1)
    resting_until = {sign: np.full(count, -1) for sign, _ in sides}
    closed: list[tuple[Whole, ...]] = []
    limit = detector.clear_above * detector.sigma

    def close(rows: Whole, column: int) -> None:
        if len(rows):
            closed.append((rows, side[rows], opened[rows], sure[rows], np.full(len(rows), column)))
        side[rows], opened[rows], sure[rows], run[rows] = 0, -1, -1, 0

    for column in range(width):
        for sign, seen in sides:
            alarmed = seen.is_watch[:, column] & (side != sign) & (column > resting_until[sign])
            close(np.flatnonzero(alarmed & (side != 0)), column)
            side[alarmed], opened[alarmed] = sign, column
        for sign, seen in sides:
            own = (side == sign) & np.isfinite(seen.e[:, column])
            sure[own & (sure < 0) & seen.is_confirmed[:, column]] = column
            with np.errstate(invalid="ignore"):
                clear = own & (seen.e[:, column] > limit)
            run = np.where(own, np.where(clear, run + 1, 0), run)
            done = np.flatnonzero(own & (run >= detector.clear_run))
            close(done, column)
            resting_until[sign][done] = column + detector.cool_down
    still = np.flatnonzero(side != 0)
    closed.append((still, side[still], opened[still], sure[still], np.full(len(still), -1)))
    parts = [np.concatenate(part) for part in zip(*closed, strict=True)]
    order = np.lexsort((parts[2], parts[0]))
    return Items(*(part[order] for part in parts))


def issues_of(teams: Teams, is_band: bool, rules: Decline, detector: Detector) -> Items:
    """Returns the common issues, a team being a series: its own alarm is on, or too many of its agents would alarm.

    Closed when both are over; for a band either side is an issue.
    """

    def joined(side: Side, share: Floats) -> Side:
        with np.errstate(invalid="ignore"):
            many = share >= rules.team_share
        e = np.where(many, -np.inf, side.e)
        known = np.isfinite(side.e) | many
        on = side.is_watch | many
        return Side(np.where(known, np.maximum(e, -1e9), np.nan), on, on)

    down = joined(teams.down, teams.share_down)
    return items_of(down, joined(teams.up, teams.share_up) if is_band else None, detector)


def slow_decline(values: Floats, sign: int, is_band: bool, size: Floats) -> tuple[Flags, Flags]:
    """Returns who fell and who rose steadily over closed periods, by at least the practical size in total.

    `values` is agents x consecutive closed periods, oldest first, shrunk; NaN anywhere or an unknown size says no.
    For a band both ways are a decline, so the second answer is then false.
    """
    moved = sign * np.diff(values, axis=1)
    total = sign * (values[:, -1] - values[:, 0])
    with np.errstate(invalid="ignore"):
        fell = (moved < 0).all(axis=1) & (total <= -size)
        rose = (moved > 0).all(axis=1) & (total >= size)
    return (fell | rose, np.zeros_like(rose)) if is_band else (fell, rose)

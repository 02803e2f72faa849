"""Reliability of a subjective metric: parts, rho, state and weight factor g (reliability.md 3.2, DESIGN 4.8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from kefu.catalogue.defaults import Rho, WeightMultiplier
from kefu.statistics.rounding import from_float
from kefu.statistics.sums import Floats

ONE = Decimal(1)


class Basis(StrEnum):
    """Where the value of a part comes from."""

    MEASURED = "measured"
    UNVERIFIED = "unverified"  # too little double scoring: the default value stands in
    UNCONNECTED = "unconnected"  # raters share no agents: their severity cannot be told, the default is the limit
    NOT_APPLICABLE = "not_applicable"  # the metric has no such weakness, e.g. no agreement of raters in CSAT
    NOT_MEASURED = "not_measured"  # there should be a value and there is none


class Part(StrEnum):
    """The parts of rho, in the order in which equal values are named as binding."""

    RESPONSE = "f_resp"
    BIAS = "f_bias"
    AGREEMENT = "f_agree"
    CLEAN = "f_clean"
    COVERAGE = "f_cover"


@dataclass(frozen=True, slots=True)
class PartValue:
    """A part between 0 and 1 with 10 decimals; `value` is None exactly when the basis is `not_measured`."""

    value: Decimal | None
    basis: Basis


NOT_APPLICABLE = PartValue(ONE, Basis.NOT_APPLICABLE)
NOT_MEASURED = PartValue(None, Basis.NOT_MEASURED)


def _measured(value: float) -> PartValue:
    return PartValue(from_float(value), Basis.MEASURED)


def _ramp(x: float, lowest_at: float, full_at: float, lowest: float = 0.0) -> float:
    """Returns a straight line from `lowest` at `lowest_at` to 1 at `full_at`, level outside."""
    if math.isnan(x):
        raise ValueError("found NaN, expected a number; what could not be computed is not measured, never a bad value")
    climbed = min(1.0, max(0.0, (x - lowest_at) / (full_at - lowest_at)))
    return lowest + (1 - lowest) * climbed


def _share(part: int, whole: int, what: str) -> float:
    if not 0 <= part <= whole:
        raise ValueError(f"found {part} of {whole} {what}, expected 0 <= part <= whole; count both from the same rows")
    return part / whole


def f_resp(answers: int, invitations: int, rules: Rho) -> PartValue:
    """Returns the response part: a low rate alone is no bias, so it keeps a floor. Not measured without invitations."""
    if invitations == 0:
        return NOT_MEASURED
    low, high, floor = rules.resp
    return _measured(_ramp(_share(answers, invitations, "answers to invitations"), low, high, floor))


def f_bias(largest_smd: float | None, raked_shift_points: float | None, rules: Rho) -> PartValue:
    """Returns the non-response part from the largest absolute standardised mean difference.

    `raked_shift_points` is how far weighting the answers back to the eligible conversations moves the cohort mean, in
    points of 0-100; a small shift shows that the imbalance does no harm and lifts the part. None: not computed.
    """
    if largest_smd is None:
        return NOT_MEASURED
    full_at, lowest_at, floor = rules.smd
    value = _ramp(abs(largest_smd), lowest_at, full_at, floor)
    harmless_below, lift = rules.smd_lift
    if raked_shift_points is not None and abs(raked_shift_points) < harmless_below:
        value = max(value, lift)
    return _measured(value)


def f_agree(alpha: float, doubles: int, rules: Rho) -> PartValue:
    """Returns the agreement part from Krippendorff's alpha of `doubles` double-scored contacts of the last 90 days.

    Unverified with too few of them or without an alpha (NaN). For ratings by customers pass `NOT_APPLICABLE` to `rho`.
    """
    if doubles < rules.min_doubles or math.isnan(alpha):
        return PartValue(from_float(rules.unverified), Basis.UNVERIFIED)
    return _measured(_ramp(alpha, *rules.alpha))


def at_most(part: PartValue, limit: float) -> PartValue:
    """Returns the agreement part of raters who share no agents: at most `limit`, whatever their double scores say."""
    ceiling = from_float(limit)
    if part.value is None or part.value <= ceiling:
        return part
    return PartValue(ceiling, Basis.UNCONNECTED)


def f_clean(distrusted: int, rows: int, rules: Rho) -> PartValue:
    """Returns the integrity part from the rows that V3-V5, V8, V10 and V11 speak against. Not measured without rows."""
    if rows == 0:
        return NOT_MEASURED
    return _measured(_ramp(_share(distrusted, rows, "distrusted rows"), 1 / rules.clean, 0))


def f_cover(obtained: int, required: int, rules: Rho) -> PartValue:
    """Returns the collection part from the plan's quota. Not applicable when the plan asks for none (0)."""
    if required == 0:
        return NOT_APPLICABLE
    return _measured(_ramp(obtained / required, 0, rules.cover))


def precision_of_share(half_widths: ArrayLike, rules: Rho) -> Floats:
    """Returns f_prec of agents' shares from the half-widths of their intervals (0.05 is 5 points).

    Without an interval (NaN) nothing is precise: 0.
    """
    full_at, lowest_at = rules.prec_share
    return _falling(half_widths, full_at, lowest_at)


def precision_of_score(half_widths: ArrayLike, rules: Rho) -> Floats:
    """Returns f_prec of agents' 0-100 scores from the half-widths of their intervals in points; 0 without one."""
    full_at, lowest_at = rules.prec_score
    return _falling(half_widths, full_at, lowest_at)


def _falling(values: ArrayLike, full_at: float, lowest_at: float) -> Floats:
    wide = np.nan_to_num(np.asarray(values, dtype=float), nan=lowest_at)
    precise: Floats = np.clip((lowest_at - wide) / (lowest_at - full_at), 0.0, 1.0)
    return precise


def f_offer(invited: ArrayLike, eligible: ArrayLike, rules: Rho) -> Floats:
    """Returns the offering part of each agent: 1 when nearly every eligible customer was invited, never below a floor.

    NaN for agents whom no customer could have rated.
    """
    low, high, floor = rules.offer
    offered, all_of_them = np.asarray(invited, dtype=float), np.asarray(eligible, dtype=float)
    share = np.divide(offered, all_of_them, out=np.full(offered.shape, np.nan), where=all_of_them > 0)
    climbed: Floats = np.clip((share - low) / (high - low), 0.0, 1.0)
    return floor + (1 - floor) * climbed


@dataclass(frozen=True, slots=True)
class Reliability:
    """Rho with all its parts. `binding` limits it: a part not measured, else the lowest below 1, else None."""

    rho: Decimal | None
    binding: Part | None
    parts: Mapping[Part, PartValue]


def reliability(parts: Mapping[Part, PartValue]) -> Reliability:
    """Returns the weakest link of all five parts; rho is None when a part was not measured.

    Raises:
        ValueError: a part is missing; one that cannot apply is passed as `NOT_APPLICABLE`.
    """
    if missing := [part for part in Part if part not in parts]:
        raise ValueError(f"missing {', '.join(missing)}; pass NOT_APPLICABLE or NOT_MEASURED, whichever is true")
    lowest, binding = ONE, None
    for part in Part:
        value = parts[part].value
        if value is None:
            return Reliability(None, part, parts)
        if value < lowest:
            lowest, binding = value, part
    return Reliability(lowest, binding, parts)


class Level(StrEnum):
    """How rho reads."""

    TRUSTED = "trusted"
    USABLE = "usable"
    WEAK = "weak"
    UNRELIABLE = "unreliable"


def level(rho: Decimal, rules: WeightMultiplier) -> Level:
    """Returns the level of rho; each limit belongs to the better level."""
    if rho >= rules.full_from:
        return Level.TRUSTED
    if rho >= rules.usable_from:
        return Level.USABLE
    return Level.WEAK if rho >= rules.zero_below else Level.UNRELIABLE


class State(StrEnum):
    """What a metric of a cohort and period may be used for; nothing unknown ever counts as reliable."""

    NOT_EVALUATED = "not_evaluated"
    NOT_ENOUGH_DATA = "not_enough_data"
    RELIABLE = "reliable"
    WEAK = "weak"
    UNRELIABLE = "unreliable"


_STATE_OF = {
    Level.TRUSTED: State.RELIABLE,
    Level.USABLE: State.WEAK,
    Level.WEAK: State.WEAK,
    Level.UNRELIABLE: State.UNRELIABLE,
}


def state(
    *,
    fitness_passed: bool | None,
    n: int,
    min_n: int,
    cohort_agents: int,
    min_cohort_agents: int,
    rho: Decimal | None,
    rules: WeightMultiplier,
) -> State:
    """Returns the first state that holds, in the order of DESIGN 4.8.

    `fitness_passed` is None when no suite checked the evidence. Enough data without a rho (a part was not measured) is
    not evaluated.
    """
    if not fitness_passed:
        return State.NOT_EVALUATED
    if n < min_n or cohort_agents < min_cohort_agents:
        return State.NOT_ENOUGH_DATA
    if rho is None:
        return State.NOT_EVALUATED
    return _STATE_OF[level(rho, rules)]


def g_of(rho: Decimal, rules: WeightMultiplier) -> Decimal:
    """Returns the weight factor of rho by itself: 1, rho or 0."""
    if rho >= rules.full_from:
        return ONE
    return rho if rho >= rules.zero_below else Decimal(0)


@dataclass(frozen=True, slots=True)
class WeightFactor:
    """The factor of a metric at one close.

    `announced` was told before the period, `current` is the outcome of this close and the next period's announced
    value, `used` is the one of the two that the plan's timing picks. The last two are None when the close is blocked.
    """

    announced: Decimal
    current: Decimal | None
    used: Decimal | None


def weight_factor(
    metric_state: State,
    rho: Decimal | None,
    *,
    announced: Decimal,
    earlier_rhos: Sequence[Decimal | None],
    rules: WeightMultiplier,
    waiver: Decimal | None = None,
) -> WeightFactor:
    """Returns the weight factor fixed at this close.

    A lower g holds at once. A higher one holds after `up_after_periods` closes in a row above the announced value, at
    the lowest g among them. Without enough data the announced value stays. Not evaluated takes the g of an approved
    waiver and is blocked without one.

    Args:
        metric_state: the metric's state at this close.
        rho: its reliability at this close; read in the three measured states only.
        announced: `current` of the previous close, before the first close the plan's `initial_g`.
        earlier_rhos: rho of the previous closes, oldest first; None where there was none, which interrupts a rise.
        rules: limits, periods of a rise and timing.
        waiver: g named by an approved waiver.

    Raises:
        ValueError: a measured state comes without a rho.
    """
    if metric_state is State.NOT_EVALUATED:
        return WeightFactor(announced, waiver, waiver)
    if metric_state is State.NOT_ENOUGH_DATA:
        return WeightFactor(announced, announced, announced)
    if rho is None:
        raise ValueError(f"state {metric_state} comes without a rho; a metric without one is not_evaluated")
    run = [*earlier_rhos, rho][-rules.up_after_periods :]
    sustained = min(Decimal(0) if past is None else g_of(past, rules) for past in run)
    if len(run) < rules.up_after_periods:
        sustained = Decimal(0)
    current = min(g_of(rho, rules), max(announced, sustained))
    return WeightFactor(announced, current, announced if rules.timing == "announced" else current)

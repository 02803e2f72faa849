"""What the scores of reviewers say about the reviewers (reliability.md 3.3).

A flag is evidence for a calibration, never a verdict. Everything is a pure function of arrays with one entry per score.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, special
from scipy.sparse import csgraph

from kefu.catalogue.defaults import Rater
from kefu.statistics.sums import Floats

Names = NDArray[np.str_]
_NO_SPREAD = 1e-12  # what is left of equal marks after rounding


def is_connected(raters: Names, agents: Names) -> bool:
    """Tells whether every rater can be compared with every other one through agents both scored; true without any."""
    if len(raters) == 0:
        return True
    return len(np.unique(_components(_codes(raters)[1], _codes(agents)[1]))) == 1


def _codes(names: Names) -> tuple[Names, NDArray[np.intp]]:
    found, codes = np.unique(names, return_inverse=True)
    return found, codes


def _components(raters: NDArray[np.intp], agents: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the number of the connected group of each rater."""
    size, more = raters.max() + 1, agents.max() + 1
    graph = sparse.coo_matrix((np.ones(len(raters)), (raters, size + agents)), shape=(size + more, size + more))
    _, labels = csgraph.connected_components(graph, directed=False)
    return np.asarray(labels[:size])


@dataclass(frozen=True, slots=True, eq=False)
class Severity:
    """How many points each rater gives above what agents and forms explain, in the order of `raters`.

    `effect` is NaN for a rater whose scores share no agent with another one's; `error` is its standard error and
    `t_value` their quotient. `is_connected` holds for the largest group of raters that can be compared.
    """

    raters: Names
    n: NDArray[np.int_]
    effect: Floats
    error: Floats
    t_value: Floats
    is_connected: NDArray[np.bool_]


def severity(raters: Names, agents: Names, forms: Names, points: ArrayLike) -> Severity:
    """Fits points = mean + agent + rater + form by least squares; within each connected group effects average to 0.

    The average counts each rater by the number of scores. Agents are absorbed, so thousands of them cost nothing.
    """
    names, rater = _codes(raters)
    _, agent = _codes(agents)
    _, form = _codes(forms)
    # Sorted, so that the order of rows shows in no digit.
    y = np.asarray(points, dtype=float)
    order = np.lexsort((y, form, agent, rater))
    rater, agent, form, y = rater[order], agent[order], form[order], y[order]
    y = y - y.mean()
    r, f = len(names), form.max() + 1
    n = np.bincount(rater, minlength=r)
    design = sparse.csr_matrix(
        (np.ones(2 * len(y)), (np.tile(np.arange(len(y)), 2), np.concatenate([rater, r + form]))), shape=(len(y), r + f)
    )
    per_agent = np.bincount(agent).astype(float)
    absorbing = sparse.csr_matrix((np.ones(len(y)), (agent, np.arange(len(y)))))
    summed = absorbing @ design
    information = (design.T @ design - summed.T @ sparse.diags(1 / per_agent) @ summed).toarray()
    residual = y - (np.bincount(agent, weights=y) / per_agent)[agent]
    gradient = design.T @ residual
    inverse = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    solution = inverse @ gradient
    groups = _components(rater, agent)
    freedom = len(y) - len(per_agent) - np.linalg.matrix_rank(information, tol=1e-8 * max(1.0, len(y)), hermitian=True)
    variance = max(0.0, float(residual @ residual - solution @ gradient)) / freedom if freedom > 0 else math.nan
    effect, error = np.full(r, np.nan), np.full(r, np.nan)
    sizes = Counter(groups.tolist())
    for group, members in sizes.items():
        if members < 2:
            continue
        inside = np.flatnonzero(groups == group)
        weights = n[inside] / n[inside].sum()
        contrast = np.zeros((len(inside), r + f))
        contrast[np.arange(len(inside)), inside] = 1
        contrast[:, inside] -= weights
        effect[inside] = contrast @ solution
        error[inside] = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", contrast, inverse, contrast) * variance, 0))
    with np.errstate(invalid="ignore", divide="ignore"):
        t_value = np.where(error > 0, effect / error, np.nan)
    largest = max(sizes, key=lambda group: (sizes[group], -group))
    return Severity(names, n, effect, error, t_value, (groups == largest) & (sizes[largest] >= 2 or r == 1))


def spread_ratio(raters: Names, points: ArrayLike) -> tuple[Floats, Floats]:
    """Returns each rater's standard deviation relative to the pooled one of the others, and the chance of one so small.

    Raters are in sorted order; NaN with fewer than two scores or without others (F-test, lower tail).
    """
    code = _codes(raters)[1]
    y = np.asarray(points, dtype=float)
    n = np.bincount(code).astype(float)
    mean = np.bincount(code, weights=y) / n
    square = np.bincount(code, weights=(y - mean[code]) ** 2)
    others, freedom = square.sum() - square, (n - 1).sum() - (n - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        own, pooled = square / (n - 1), others / freedom
        ratio = np.where((n >= 2) & (freedom > 0) & (pooled > 0), own / pooled, np.nan)
    chance = special.fdtr(np.maximum(n - 1, 1), np.maximum(freedom, 1), np.nan_to_num(ratio, nan=1.0))
    return np.sqrt(ratio), np.where(np.isnan(ratio), np.nan, chance)


def top_shares(raters: Names, points: ArrayLike, top: float) -> tuple[Floats, Floats, Floats]:
    """Returns each rater's share of scores from `top` points, that of all others, and its standard error."""
    code = _codes(raters)[1]
    at_top = (np.asarray(points, dtype=float) >= top).astype(float)
    n, hits = np.bincount(code).astype(float), np.bincount(code, weights=at_top)
    with np.errstate(invalid="ignore", divide="ignore"):
        pool = (hits.sum() - hits) / (n.sum() - n)
        return hits / n, pool, np.sqrt(pool * (1 - pool) / n)


def heaping(raters: Names, points: ArrayLike) -> Floats:
    """Returns each rater's share of scores that are multiples of 5."""
    code = _codes(raters)[1]
    round_numbers = np.isclose(np.mod(np.asarray(points, dtype=float) + 2.5, 5), 2.5).astype(float)
    return np.bincount(code, weights=round_numbers) / np.bincount(code)


@dataclass(frozen=True, slots=True)
class Halo:
    """Mean correlation between the items of a rater's reviews, and the share of reviews with the same mark throughout.

    NaN where fewer than two items vary, or too few reviews or items were marked.
    """

    correlation: float
    identical_share: float


def halo(marks: Floats, min_reviews: int, min_items: int) -> Halo:
    """Returns the halo of reviews x items (NaN: not marked); only reviews with `min_items` marks count."""
    marked = (~np.isnan(marks)).sum(axis=1)
    rows = marks[marked >= min_items]
    if len(rows) < min_reviews:
        return Halo(math.nan, math.nan)
    same = np.nanmax(rows, axis=1) == np.nanmin(rows, axis=1)
    given = (~np.isnan(rows)).astype(float)
    apart = np.where(given > 0, rows - np.nansum(rows, axis=0) / np.maximum(given.sum(axis=0), 1), 0.0)
    # Element (i, j) is about the marks of item i in the reviews in which item j is marked too.
    n, total, square = given.T @ given, apart.T @ given, (apart**2).T @ given
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = square - total**2 / n
        correlation = (apart.T @ apart - total * total.T / n) / np.sqrt(spread * spread.T)
        told = np.triu(n >= min_reviews, 1) & (spread > _NO_SPREAD) & (spread.T > _NO_SPREAD)
    found = correlation[told]
    return Halo(math.fsum(found) / len(found) if len(found) else math.nan, float(same.mean()))


@dataclass(frozen=True, slots=True)
class Drift:
    """Moving average of a rater's distance from the consensus on common contacts, and the limit it may not pass."""

    average: float
    limit: float
    calibrations: int


def drift(deviations: Sequence[float], deviation_of_all: float, rules: Rater) -> Drift:
    """Returns the average (EWMA from 0) over deviations, oldest first; NaN limit with too few of them."""
    weight, average = rules.drift_lambda, 0.0
    for deviation in deviations:
        average = weight * deviation + (1 - weight) * average
    n = len(deviations)
    if n < rules.min_calibrations:
        return Drift(average if n else math.nan, math.nan, n)
    scale = math.sqrt(weight / (2 - weight) * (1 - (1 - weight) ** (2 * n)))
    return Drift(average, rules.drift_limits * deviation_of_all * scale, n)


def sample_chance(sampled: Mapping[str, float], expected: Mapping[str, float]) -> float:
    """Returns the chance (chi-square) of a sample as unlike what was expected of each level; NaN when none can be told.

    Levels of which fewer than 5 are expected are taken together.
    """
    seen = wanted = statistic = 0.0
    levels = 0
    for level in sorted(expected):
        if expected[level] >= 5:
            statistic += (sampled.get(level, 0.0) - expected[level]) ** 2 / expected[level]
            levels += 1
        else:
            seen, wanted = seen + sampled.get(level, 0.0), wanted + expected[level]
    if wanted >= 5:
        statistic += (seen - wanted) ** 2 / wanted
        levels += 1
    return float(special.chdtrc(levels - 1, statistic)) if levels >= 2 else math.nan


@dataclass(frozen=True, slots=True)
class Review:
    """A first review that may be scored a second time."""

    review_key: str
    agent: str
    team: str
    rater: str


@dataclass(frozen=True, slots=True)
class Task:
    """A review to score again, blind, and by whom; `agent_minimum` or `share` says why it was chosen."""

    review: Review
    second_rater: str
    reason: str


def double_scoring(
    reviews: Sequence[Review],
    doubles_of_agent: Mapping[str, int],
    doubles_in_period: int,
    period_id: str,
    rules: Rater,
) -> list[Task]:
    """Returns which reviews are scored twice: each agent's minimum of the quarter, then at random up to the share.

    Chance is the hash of period and review, so that nobody can choose and every machine draws alike. The second rater
    is one whose usual team is another one than the agent's, where there is one, the one with the fewest tasks.

    Args:
        reviews: first reviews of the period that have no second score.
        doubles_of_agent: double scores each agent already has in the quarter.
        doubles_in_period: double scores of the period there already are.
        period_id: the period.
        rules: share of double scores and least number per agent and quarter.
    """

    def chance(*parts: str) -> str:
        return hashlib.sha256("\n".join((period_id, *parts)).encode()).hexdigest()

    drawn = sorted(reviews, key=lambda review: chance(review.review_key))
    usual: dict[str, Counter[str]] = defaultdict(Counter)
    for review in reviews:
        usual[review.rater][review.team] += 1
    home = {rater: min(teams, key=lambda team: (-teams[team], team)) for rater, teams in usual.items()}
    missing = {
        agent: rules.doubles_per_quarter - doubles_of_agent.get(agent, 0) for agent in {r.agent for r in reviews}
    }
    chosen: list[tuple[Review, str]] = []
    for review in drawn:
        if missing[review.agent] > 0:
            missing[review.agent] -= 1
            chosen.append((review, "agent_minimum"))
    wanted = math.ceil(round(rules.double_share * (len(reviews) + doubles_in_period), 9)) - doubles_in_period
    taken = {review.review_key for review, _ in chosen}
    for review in drawn:
        if len(chosen) >= wanted:
            break
        if review.review_key not in taken:
            chosen.append((review, "share"))
    raters = sorted(home)
    place = {rater: number for number, rater in enumerate(raters)}
    homes, load = np.array([home[rater] for rater in raters], dtype=str), np.zeros(len(raters), dtype=np.int64)
    tasks = []
    for review, reason in chosen:
        is_other = np.arange(len(raters)) != place[review.rater]
        is_fit = is_other & (homes != review.team)
        is_fit = is_fit if is_fit.any() else is_other
        if not is_fit.any():
            continue
        free = np.flatnonzero(is_fit & (load == load[is_fit].min()))
        second = int(free[int(chance(review.review_key, "second rater"), 16) % len(free)])
        load[second] += 1
        tasks.append(Task(review, raters[second], reason))
    return tasks

from __future__ import annotations

import math
from decimal import Decimal
from itertools import product
from pathlib import Path

import pytest

from kefu.catalogue.defaults import load_defaults
from kefu.statistics.intervals import student
from kefu.statistics.reliability import (
    NOT_APPLICABLE,
    NOT_MEASURED,
    Basis,
    Level,
    Part,
    PartValue,
    State,
    at_most,
    f_agree,
    f_bias,
    f_clean,
    f_cover,
    f_offer,
    f_resp,
    g_of,
    level,
    precision_of_score,
    precision_of_share,
    reliability,
    state,
    weight_factor,
)

DEFAULTS = load_defaults(Path(__file__).parents[2] / "config" / "defaults.yml")
RHO, G = DEFAULTS.rho, DEFAULTS.g


def value(part: PartValue) -> float:
    assert part.value is not None
    return float(part.value)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (f_resp(0, 100, RHO), 0.5),
        (f_resp(5, 100, RHO), 0.5),
        (f_resp(9, 100, RHO), 0.6333333333),
        (f_resp(20, 100, RHO), 1),
        (f_resp(80, 100, RHO), 1),
        (f_bias(0.10, None, RHO), 1),
        (f_bias(0.175, None, RHO), 0.75),
        (f_bias(-0.175, None, RHO), 0.75),
        (f_bias(0.25, None, RHO), 0.5),
        (f_bias(math.inf, None, RHO), 0.5),
        (f_bias(0.25, 1.9, RHO), 0.85),
        (f_bias(0.25, -1.9, RHO), 0.85),
        (f_bias(0.25, 2.0, RHO), 0.5),
        (f_bias(0.10, 0.0, RHO), 1),
        (f_agree(0.72, 30, RHO), 0.7333333333),
        (f_agree(0.50, 30, RHO), 0),
        (f_agree(-0.2, 30, RHO), 0),
        (f_agree(0.95, 30, RHO), 1),
        (f_agree(0.95, 29, RHO), 0.70),
        (f_agree(math.nan, 50, RHO), 0.70),
        (f_clean(0, 50, RHO), 1),
        (f_clean(10, 50, RHO), 0.6),
        (f_clean(25, 50, RHO), 0),
        (f_clean(50, 50, RHO), 0),
        (f_cover(6, 12, RHO), 0.625),
        (f_cover(10, 12, RHO), 1),
        (f_cover(0, 12, RHO), 0),
    ],
)
def test_parts(found: PartValue, expected: float) -> None:
    assert value(found) == pytest.approx(expected, abs=1e-10)


def test_unknown_never_looks_like_a_value() -> None:
    assert f_resp(0, 0, RHO) == f_bias(None, None, RHO) == f_clean(0, 0, RHO) == NOT_MEASURED
    assert f_cover(0, 0, RHO) == NOT_APPLICABLE
    assert f_agree(0.9, 5, RHO).basis is Basis.UNVERIFIED
    with pytest.raises(ValueError, match="found NaN"):
        f_bias(math.nan, None, RHO)
    # An agent without an interval is not precise, and one whom nobody could rate was not offered badly.
    assert precision_of_share([math.nan], RHO)[0] == 0
    assert math.isnan(f_offer([0], [0], RHO)[0])


def test_more_answers_than_invitations_are_refused() -> None:
    with pytest.raises(ValueError, match="found 11 of 10 answers to invitations"):
        f_resp(11, 10, RHO)


def test_precision_of_twelve_listens() -> None:
    half_width = float(student(80, 10, 12, 1.96).half_width)
    # (15 - 6.3537) / 10; reliability.md 3.1 prints 0.87, which is the quotient of the already rounded 6.35
    assert float(precision_of_score(half_width, RHO)) == pytest.approx(0.8646, abs=5e-5)
    assert precision_of_share([0.105, 0.05, 0.06, 0.15], RHO) == pytest.approx([0.5, 1, 1, 0])
    assert precision_of_score([20, 15, 10, 5, 4], RHO) == pytest.approx([0, 0, 0.5, 1, 1])


def test_offering_at_its_knots() -> None:
    assert f_offer([95, 90, 80, 70, 40], [100] * 5, RHO) == pytest.approx([1, 1, 0.75, 0.5, 0.5])


def test_raters_without_common_agents_are_never_more_than_unverified() -> None:
    high = PartValue(Decimal("0.95"), Basis.MEASURED)
    low = PartValue(Decimal("0.40"), Basis.MEASURED)
    assert at_most(high, RHO.unverified) == PartValue(Decimal("0.7000000000"), Basis.UNCONNECTED)
    assert at_most(low, RHO.unverified) == low


def test_weakest_link_binds_and_ties_go_to_the_first_part() -> None:
    parts = dict.fromkeys(Part, NOT_APPLICABLE)
    assert reliability(parts).binding is None
    assert reliability(parts).rho == 1
    parts[Part.COVERAGE] = parts[Part.AGREEMENT] = PartValue(Decimal("0.7"), Basis.MEASURED)
    found = reliability(parts)
    assert (found.rho, found.binding, found.parts) == (Decimal("0.7"), Part.AGREEMENT, parts)
    found = reliability({**parts, Part.CLEAN: NOT_MEASURED})
    assert (found.rho, found.binding) == (None, Part.CLEAN)


def test_forgotten_part_is_refused() -> None:
    with pytest.raises(ValueError, match="missing f_bias, f_cover"):
        reliability({Part.RESPONSE: NOT_APPLICABLE, Part.AGREEMENT: NOT_APPLICABLE, Part.CLEAN: NOT_APPLICABLE})


@pytest.mark.parametrize(
    ("rho", "reads", "becomes", "g"),
    [
        ("1", Level.TRUSTED, State.RELIABLE, "1"),
        ("0.8", Level.TRUSTED, State.RELIABLE, "1"),
        ("0.7999999999", Level.USABLE, State.WEAK, "0.7999999999"),
        ("0.5", Level.USABLE, State.WEAK, "0.5"),
        ("0.4999999999", Level.WEAK, State.WEAK, "0.4999999999"),
        ("0.3", Level.WEAK, State.WEAK, "0.3"),
        ("0.2999999999", Level.UNRELIABLE, State.UNRELIABLE, "0"),
        ("0", Level.UNRELIABLE, State.UNRELIABLE, "0"),
    ],
)
def test_limits_belong_to_the_better_side(rho: str, reads: Level, becomes: State, g: str) -> None:
    assert level(Decimal(rho), G) is reads
    assert g_of(Decimal(rho), G) == Decimal(g)
    found = state(fitness_passed=True, n=30, min_n=30, cohort_agents=8, min_cohort_agents=8, rho=Decimal(rho), rules=G)
    assert found is becomes


def test_limit_of_trust_is_reached_in_spite_of_binary_fractions() -> None:
    # (0.74 - 0.5) / 0.3 is a hair below 0.8 in binary arithmetic
    assert g_of(f_agree(0.74, 30, RHO).value or Decimal(0), G) == 1


def test_state_follows_its_order_in_every_combination() -> None:
    outcomes = []
    for fitness, enough_n, enough_agents, rho in product(
        (None, False, True), (False, True), (False, True), (None, Decimal("0.9"))
    ):
        found = state(
            fitness_passed=fitness,
            n=30 if enough_n else 29,
            min_n=30,
            cohort_agents=8 if enough_agents else 7,
            min_cohort_agents=8,
            rho=rho,
            rules=G,
        )
        outcomes.append(found)
        if not fitness:
            assert found is State.NOT_EVALUATED
        elif not (enough_n and enough_agents):
            assert found is State.NOT_ENOUGH_DATA
        else:
            assert found is (State.NOT_EVALUATED if rho is None else State.RELIABLE)
    assert len(outcomes) == 24


def close_after_close(rhos: list[str | None], initial: str) -> list[tuple[str, str]]:
    """Runs the closes one after another as the pipeline does; returns (announced, current) of each."""
    announced, seen, outcome = Decimal(initial), [], []
    for text in rhos:
        rho = None if text is None else Decimal(text)
        found = weight_factor(
            State.NOT_ENOUGH_DATA if rho is None else State.RELIABLE,
            rho,
            announced=announced,
            earlier_rhos=seen,
            rules=G,
        )
        assert found.used == found.announced
        assert found.current is not None
        outcome.append((str(found.announced), str(found.current)))
        announced = found.current
        seen.append(rho)
    return outcome


def test_factor_falls_at_once_and_rises_after_two_closes() -> None:
    assert close_after_close(["0.9", "0.6", "0.9", "0.7", "0.9", "0.9"], "1") == [
        ("1", "1"),
        ("1", "0.6"),
        ("0.6", "0.6"),  # first close above: not yet
        ("0.6", "0.7"),  # second close above: the lower of the two
        ("0.7", "0.7"),
        ("0.7", "1"),
    ]


def test_a_close_without_enough_data_interrupts_a_rise() -> None:
    assert close_after_close(["0.5", "0.9", None, "0.9", "0.9"], "0.8") == [
        ("0.8", "0.5"),
        ("0.5", "0.5"),
        ("0.5", "0.5"),
        ("0.5", "0.5"),
        ("0.5", "1"),
    ]


def test_first_close_cannot_raise_the_initial_factor() -> None:
    assert close_after_close(["0.9"], "0.5") == [("0.5", "0.5")]
    assert close_after_close(["0.1"], "0.5") == [("0.5", "0")]


def test_timing_current_uses_this_close() -> None:
    rules = G.model_copy(update={"timing": "current"})
    found = weight_factor(State.WEAK, Decimal("0.4"), announced=Decimal(1), earlier_rhos=[], rules=rules)
    assert (found.announced, found.used) == (Decimal(1), Decimal("0.4"))


def test_not_evaluated_blocks_without_a_waiver() -> None:
    def factor(waiver: Decimal | None) -> Decimal | None:
        return weight_factor(
            State.NOT_EVALUATED,
            Decimal("0.95"),
            announced=Decimal(1),
            earlier_rhos=[Decimal(1)],
            rules=G,
            waiver=waiver,
        ).used

    assert factor(None) is None
    assert factor(Decimal("0.5")) == Decimal("0.5")


def test_measured_state_without_rho_is_refused() -> None:
    with pytest.raises(ValueError, match="state weak comes without a rho"):
        weight_factor(State.WEAK, None, announced=Decimal(1), earlier_rhos=[], rules=G)

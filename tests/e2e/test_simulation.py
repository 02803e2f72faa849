"""A simulated month through real formats, connectors and models: every number must be the generator's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kefu.catalogue.files import Catalogue
from kefu.pipeline.context import Platform
from kefu.pipeline.ingest import ingest, prepare
from kefu.pipeline.run import daily
from kefu.pipeline.transform import end_run, start_run
from kefu.settings import Settings
from kefu.simulation.faults import delivered, first_told
from kefu.simulation.run import served_desk, write_operation
from kefu.simulation.scenario import Scenario
from kefu.simulation.truth import TRUTH, Facts, truth_tables
from kefu.simulation.truth.sheets import effort_answers, solved_answers
from kefu.simulation.truth.voice import judged_answers, judged_reviews, survey_answers
from kefu.simulation.world import World
from kefu.warehouse import Role
from kefu.yaml_files import read_yaml

# Slower people, so that some answer late several times in one conversation even in so small a month, enough empty
# replies of each who sends them, room for several faults on the few answers of one person, and bots on both
# chat systems.
SCENARIO = Scenario(
    seed=7, agents=34, contacts_per_agent_day=6, follow_up=True, chat_bot_share=0.3,
    strengths={"decline": "high", "silence_gap": "low", "straight_line": "low", "empty_early_reply": "high"},
)  # fmt: skip
MONTH, LOOKED_ON = "2026-10", date(2026, 11, 11)
# Metrics of the catalogue that nothing in the simulation can tell, each with the reason; those that are computed
# elsewhere are tested there.
WITHOUT_TRUTH: dict[str, str] = read_yaml(Path(__file__).parents[1] / "catalogue" / "specified_metrics.yml")[
    "without_truth"
]
# Metrics that have no number yet at the time of looking, in truth and warehouse alike.
NOT_YET = {"customer_retention_rate": "nobody's 90 days are over"}
# A percentile is read off a histogram whose buckets are so wide.
PERCENTILE_ERROR = Decimal("0.01")

# Unit kind, unit, channel, kind of the period and its first day (of a month and of the period: the month).
Key = tuple[str, str, str, str, str]


class Number(NamedTuple):
    """What the warehouse shows and what is true; a reason stands for a value that is not shown."""

    numerator: Decimal | None
    denominator: Decimal | None
    n: int
    value: Decimal | None
    null_reason: str | None = None


@dataclass(frozen=True)
class Simulated:
    """The month in the warehouse and as it was, by metric; which ratings the sources delivered, by number."""

    platform: Platform
    said: list[str]
    true: dict[str, dict[Key, Number]]
    found: dict[str, dict[Key, Number]]
    planted: list[dict[str, Any]]
    recorded_ratings: set[int]
    world: World


def watched_days(catalogue: Catalogue) -> dict[str, int]:
    """How many days a case of a slow metric is watched."""
    named = {metric_id: metric.matures_in for metric_id, metric in catalogue.metrics.items() if metric.matures_in}
    return {metric_id: int(catalogue.parameters[name].value) for metric_id, name in named.items()}


@pytest.fixture(scope="module")
def simulated(settings: Settings, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder = tmp_path_factory.mktemp("simulated")
    world = write_operation(SCENARIO, folder / "operation", base=project / "config", is_alone=True)
    configured = settings.model_copy(update={"kefu_config_dir": folder / "operation" / "config"})
    platform = Platform(configured, "t_simulated")
    said: list[str] = []
    prepare(platform)
    start_run(platform, "a look before ratings change", "daily", {})
    with served_desk(first_told(world)):
        ingest(platform, "a look before ratings change", "sim_desk", "csat_response")
    end_run(platform, "a look before ratings change", "succeeded")
    with served_desk(world):
        daily(platform, "simulated", say=said.append)
    true: dict[str, dict[Key, Number]] = defaultdict(dict)
    windows = watched_days(platform.catalogue)
    counted: dict[tuple[str, str, str, str], list[Number]] = defaultdict(list)
    for row in truth_tables(world, SCENARIO)["metric_value"].to_pylist():
        units, value = platform.catalogue.metrics[row["metric_id"]].units, row["value"]
        if row["unit_kind"] in units:
            number = Number(row["numerator"], row["denominator"], row["n"], None if value is None else Decimal(value))
            place = row["unit_kind"], row["unit_key"], row["channel"]
            true[row["metric_id"]][*place, row["period_kind"], row["period"]] = number
            # The period of the configuration is the month, but counts slow metrics by the day their windows end.
            if row["period_kind"] == "month" and row["metric_id"] not in windows:
                true[row["metric_id"]][*place, "period", row["period"]] = number
            elif row["period_kind"] == "day" and row["metric_id"] in windows:
                counted_on = date.fromisoformat(row["period"]) + timedelta(windows[row["metric_id"]])
                if f"{counted_on:%Y-%m}" == MONTH:
                    counted[row["metric_id"], *place].append(number)
    for (metric_id, unit_kind, unit_key, channel), days in counted.items():
        top, bottom = (sum((Decimal(day[part] or 0) for day in days), Decimal(0)) for part in (0, 1))
        value = platform.catalogue.metrics[metric_id].scale * top / bottom
        pooled = Number(top, bottom, sum(day.n for day in days), value)
        true[metric_id][unit_kind, unit_key, channel, "period", MONTH] = pooled
    found: dict[str, dict[Key, Number]] = defaultdict(dict)
    with platform.warehouse.connect(Role.TRANSFORMER) as connection:
        for metric, *unit, kind, first, numerator, denominator, n, value, reason in connection.execute(
            "select metric_id, unit_kind, unit_key, channel, period_kind, period_start, numerator, denominator, n,"
            " value, null_reason from wh_kpi.metric_value"
        ):
            if f"{first:%Y-%m}" == MONTH or (kind, first) == ("day", LOOKED_ON):
                name = MONTH if kind in ("month", "period") else first.isoformat()
                number = Number(numerator, denominator, n, value, reason)
                found[metric][unit[0], unit[1], unit[2], kind, name] = number
    recorded = set(delivered(world).tables["survey"]["survey_id"].to_pylist())
    yield Simulated(platform, said, true, found, world.planted.to_pylist(), recorded, world)


def test_every_metric_of_the_catalogue_has_a_truth(simulated: Simulated) -> None:
    catalogue = simulated.platform.catalogue.metrics
    own = {name for name, metric in catalogue.items() if metric.kind != "elsewhere"}
    assert own - set(TRUTH) == set(WITHOUT_TRUTH)
    assert set(TRUTH) <= own


def is_near(one: Decimal | None, other: Decimal | None) -> bool:
    """Both are absent, or equal but for the last of six decimals and of fifteen digits."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= Decimal("0.00001") + abs(other) * Decimal("1e-12")


def is_the_same(metric: str, true: Number, found: Number | None) -> bool:
    """A number of the warehouse is the true one; a value that is withheld says that there were too few cases."""
    if found is None or found.n != true.n:
        return False
    is_withheld = found.value is None and found.null_reason == "below_min_n"
    if TRUTH[metric].kind == "percentile":
        assert true.value is not None
        is_in_bound = found.value is not None and abs(found.value - true.value) <= true.value * PERCENTILE_ERROR
        return is_withheld or is_in_bound
    is_pooled = is_near(found.numerator or Decimal(0), true.numerator) and is_near(found.denominator, true.denominator)
    return is_pooled and (is_withheld or is_near(found.value, true.value))


@pytest.mark.parametrize("metric", sorted(set(TRUTH) - set(NOT_YET)))
def test_the_warehouse_says_what_happened(simulated: Simulated, metric: str) -> None:
    true, found = simulated.true[metric], dict(simulated.found[metric])
    declared = simulated.platform.catalogue.metrics[metric]
    if declared.channels == ("none",):
        # What has no channel is the same over all channels.
        pooled = {key: found.pop(key) for key in [*found] if key[2] == "all"}
        assert {(*key[:2], "none", *key[3:]): number for key, number in pooled.items()} == found
    # Something is compared for every kind of period, and of unit that can be measured.
    measured = {key[0] for key, number in found.items() if number.null_reason not in ("not_measured", "source_missing")}
    assert measured and {key[0] for key in true} == measured
    # A window as long as the month has ended for next to none of its days.
    is_too_slow = watched_days(simulated.platform.catalogue).get(metric, 0) > 28
    kinds = {key[3] for key in true} | ({"period"} if is_too_slow else set())
    assert kinds == {*declared.grains} or metric == "tickets_open_age"
    different = {
        key: (number, found.get(key)) for key, number in true.items() if not is_the_same(metric, number, found.get(key))
    }
    assert different == {}, f"{len(different)} of {len(true)}"
    invented = {
        key: number for key, number in found.items() if key not in true and (number.numerator or number.denominator)
    }
    assert invented == {}, f"{len(invented)} beside {len(true)}"


@pytest.mark.parametrize("metric", sorted(NOT_YET))
def test_what_is_not_over_has_no_number_yet(simulated: Simulated, metric: str) -> None:
    assert simulated.true[metric] == {} and simulated.found[metric]
    assert {number.denominator or 0 for number in simulated.found[metric].values()} == {0}


@pytest.mark.parametrize("metric", sorted(WITHOUT_TRUTH))
def test_what_no_source_records_is_said_to_be_not_measured(simulated: Simulated, metric: str) -> None:
    found = simulated.found[metric]
    assert found and {number.null_reason for number in found.values()} <= {"not_measured", "source_missing"}


def test_every_record_was_taken(simulated: Simulated) -> None:
    loads = [line for line in simulated.said if " read = " in line]
    assert len(loads) > 25
    assert [line for line in loads if not line.endswith(" 0 in quarantine")] == []


# Faults and the rule about agents that finds them, where this small month has enough cases: a share
# of invitations or of returned contacts needs more of them, and all outbound agents carry the padding.
FOUND_BY = {
    "rating_burst": "I1", "empty_early_reply": "G1", "transfer_before_limit": "G4", "forced_close": "G5",
    "acw_parking": "G6",
}  # fmt: skip


def test_planted_conduct_is_suspected_and_clean_people_are_not(simulated: Simulated) -> None:
    planted = {(row["fault"], row["subject"]) for row in simulated.planted}
    with simulated.platform.warehouse.connect(Role.TRANSFORMER) as connection:
        rows = connection.execute(
            "select rule_id, agent_key, bool_or(state = 'suspected'), bool_or(state not in ('not_enough_data',"
            " 'not_evaluated')) from wh_appraisal.integrity_finding where state <> 'not_evaluated'"
            " group by rule_id, agent_key"
        ).fetchall()
    tested = {(rule, agent) for rule, agent, _, is_tested in rows if is_tested}
    suspected = {(rule, agent) for rule, agent, is_suspected, _ in rows if is_suspected}
    testable = {(FOUND_BY[fault], agent) for fault, agent in planted if fault in FOUND_BY} & tested
    assert len(testable) >= 4
    assert len(testable & suspected) >= 0.9 * len(testable), testable - suspected
    # Nobody is suspected of what they do not do; a signal beside a finding is not another accusation.
    rules_of = {(FOUND_BY.get(fault), agent) for fault, agent in planted}
    clean = {pair for pair in suspected if pair[0] in FOUND_BY.values()} - rules_of
    assert len(clean) <= 0.05 * len(tested), clean


def test_ratings_that_were_begged_bought_or_too_fast_do_not_count(simulated: Simulated) -> None:
    planted = {(row["fault"], row["subject"]) for row in simulated.planted}
    with simulated.platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found = set(connection.execute("select rule_id, agent_key from wh_appraisal.row_finding").fetchall())
        lacking = connection.execute(
            "select source_id, rule_id from wh_appraisal.row_rule_coverage where state = 'not_evaluated'"
        ).fetchall()
    # Nobody finds what the telephone system did not deliver in its silent hours.
    recorded = [row for row in simulated.planted if simulated.recorded_ratings.issuperset(row["row_ids"])]
    for fault, rule in (("duplicate_customer", "V2"), ("staff_rating", "V3")):
        subjects = {row["subject"] for row in recorded if row["fault"] == fault}
        assert len(subjects) >= 2 and subjects <= {agent for known, agent in found if known == rule}, fault
    begged = {agent for rule, agent in found if rule == "V5"}
    assert begged and begged <= {agent for fault, agent in planted if fault == "begged_score"}
    # The telephone has no text and the chat no invitations: that is not passed.
    assert {("sim_pbx", "V5"), ("sim_chat", "V4"), ("sim_pbx", "V8")} <= set(lacking)


def test_every_answer_and_review_is_judged_as_it_was(simulated: Simulated) -> None:
    facts = Facts(simulated.world, SCENARIO, SCENARIO.as_of(SCENARIO.end))
    kinds = survey_answers(facts, "value"), solved_answers(facts), effort_answers(facts)
    true = {
        answer.key: (rule, segment and segment.agent, answer.is_product, answer.is_raised)
        for answers in kinds
        for answer, segment, rule in judged_answers(facts, answers)
        if answer.key
    }
    reviews = {f"sim_sheets:R{row['review_id']:06}": is_bad for _, row, is_bad in judged_reviews(facts)}
    with simulated.platform.warehouse.connect(Role.TRANSFORMER) as connection:
        found = {
            key: tuple(judged)
            for key, *judged in connection.execute(
                "select rating_key, exclusion_rule, served_agent_key, is_product_reason, 'V8' = any(rule_ids)"
                " from wh_core.fct_rating where rating_key like 'sim_sheets:F%' or rating_key like 'sim_desk:%'"
            )
        }
        found_reviews: dict[str, bool] = dict(
            connection.execute("select review_key, exclusion_rule is not null from wh_core.fct_qa_review").fetchall()
        )
    assert {key: (true.get(key), judged) for key, judged in found.items() if true.get(key) != judged} == {}
    assert set(found) == set(true) and found_reviews == reviews
    # One planted row of each rule at least, and each of them is found.
    broken = {
        "repeated_answer": {key for key, judged in found.items() if judged[0] == "V1"},
        "late_answer": {key for key, judged in found.items() if judged[0] == "V7"},
        "unserved_answer": {key for key, judged in found.items() if judged[0] == "V9"},
        "straight_line": {key for key, judged in found.items() if judged[0] == "V10"},
        "wrong_reason": {key for key, judged in found.items() if judged[2]},
        "raised_rating": {key for key, judged in found.items() if judged[3]},
        "defective_review": {key for key, is_bad in found_reviews.items() if is_bad},
    }
    for fault, keys in broken.items():
        numbers = {number for row in simulated.planted if row["fault"] == fault for number in row["row_ids"]}
        named = {int("".join(filter(str.isdigit, key.split(":")[1].partition("-")[0]))) for key in keys}
        assert numbers and numbers <= named, fault

"""Every message of `kefu config check`: a wrong declaration is refused and the line says where and what to do."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from kefu.catalogue.files import KINDS, ConfigError, load_catalogue

Change = Callable[[Any], object]


@pytest.fixture
def config(project: Path, tmp_path: Path) -> Path:
    return shutil.copytree(project / "config", tmp_path / "config")


def problems(config: Path, file: str, change: Change) -> list[str]:
    """Returns what is wrong with the configuration after a change of one file, which must be something."""
    path = config / file
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(body)
    path.write_text(json.dumps(body, default=str, ensure_ascii=False), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_catalogue(config)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def test_the_shipped_configuration_is_valid(project: Path) -> None:
    objects = load_catalogue(project / "config").objects
    found = {kind: len(items) for kind, items in objects.items()}
    assert found == {
        "site": 1, "team": 3, "source": 5, "queue": 6, "aux_code": 8, "instrument": 6, "qa_item": 8, "issue_class": 10,
        "sla_target": 8, "calendar": 1, "parameter": 37, "measures": 7, "metric": 136, "contradiction_rule": 18,
        "reconciliation_rule": 11, "plan": 6, "period": 1, "defaults": 1, "coaching_rule": 16, "integrity_rule": 26,
        "lexicon": 3, "training_rule": 7,
    }  # fmt: skip


def item(items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Returns the metric, queue or source of this id."""
    return next(found for found in items if name in (found.get(f"{kind}_id") for kind in ("metric", "queue", "source")))


# file, change, and the whole line that must come back (or its beginning when it ends in "...").
CASES: dict[str, tuple[str, Change, str]] = {
    "a look-back of what is read completely": (
        "sources.yml", lambda sources: item(sources, "chat").update(overlap_minutes_of={"message": 60, "survey": 60}),
        "sources.yml: chat: overlap_minutes_of names ['survey'], which are not read by window here. "
        "Remedy: remove them",
    ),
    "a metric that asks for fewer cases than others of its kind": (
        "metrics/voice.yml", lambda metrics: item(metrics, "csat_rate").update(min_n=9),
        "metrics: csat_rate: found min_n 9, expected the 10 of min_n.csat in defaults.yml or more. Remedy: raise it",
    ),
    "satisfaction that means something else in one instrument": (
        "instruments.yml", lambda instruments: instruments[0].update(top_box=[5]),
        "instruments.yml: call_survey: found top_box [5], expected [4, 5] as rating.top_box of defaults.yml. Remedy: "
        "write the same in both",
    ),
    "a demo plan in a real period": (
        "periods.yml", lambda periods: periods[0].update(mode="real"),
        "periods.yml: 2026_11_demo is real and may not use the demo plan demo",
    ),
    "a formula that names an unknown value": (
        "metrics/conversations.yml",
        lambda items: item(items, "abandonment_rate").update(formula={"zh": "{short}秒后", "en": "after {short} s"}),
        "metrics/: abandonment_rate: formula: found {short}, expected one of ['short_abandon_seconds',"
        " 'site.acw_cap_seconds',...",
    ),
    "a question that names a value its metric does not depend on": (
        "metrics/conversations.yml",
        lambda items: item(items, "asa").update(question={"zh": "{slow_turn_count}轮？", "en": "{slow_turn_count}?"}),
        "metrics/: asa: question: found {slow_turn_count}, expected one of ['short_abandon_seconds',...",
    ),
    "a rule that names an unknown limit": (
        "integrity_rules.yml",
        lambda rules: rules[0].update(text={"zh": "{rating.window}小时", "en": "{rating.window} hours"}),
        "integrity_rules.yml: V1: text: found {rating.window}, expected one of [...",
    ),
    "a rule that repeats a limit": (
        "integrity_rules.yml", lambda rules: rules[0]["text"].update(en="Within 72 of {rating.window_h} hours"),
        "integrity_rules.yml: V1: text: found the number 72 in 'Within 72 of {rating.window_h} hours', expected the"
        " limit of defaults.yml that it repeats, as {section.field}. Remedy: name it, so that the text follows it",
    ),
    "a formula that repeats its parameter": (
        "metrics/conversations.yml",
        lambda items: item(items, "abandonment_rate").update(formula={"zh": "5秒后放弃", "en": "Abandoned later"}),
        "metrics/: abandonment_rate: formula.zh: found '5秒', expected {short_abandon_seconds}, which decides it."
        " Remedy: name the parameter; a name or description says it without the number",
    ),
    "a name that repeats its parameter": (
        "metrics/conversations.yml",
        lambda items: item(items, "first_response_time")["name"].update(en="First response within 30 s"),
        "metrics/: first_response_time: name.en: found '30 s', expected {first_response_limit_seconds}, which...",
    ),
    "a measure that repeats its parameter": (
        "measures/conversations.yml",
        lambda body: body["measures"]["bot_conversations_matured"].update(description="Those whose 7 days are over."),
        "measures/: bot_conversations_matured: description: found '7 days', expected {fcr_window_days}, which...",
    ),
    "a name that names a value": (
        "metrics/conversations.yml", lambda items: item(items, "asa")["name"].update(en="Speed ({short} s)"),
        "conversations.yml: *.name: Value error, found { in 'Speed ({short} s)', expected words that stay when a number"
        " changes: values are filled in only where the day is known. Remedy: say it without the number...",
    ),
    "a formula with a value in one language": (
        "metrics/conversations.yml",
        lambda items: item(items, "asa").update(formula={"zh": "{short_abandon_seconds}秒", "en": "some seconds"}),
        "conversations.yml: *.formula: Value error, found the values ['short_abandon_seconds'] in zh and [] in en,"
        " expected the same. Remedy: name the lacking ones...",
    ),
    "a formula with half a brace": (
        "metrics/conversations.yml", lambda items: item(items, "asa")["formula"].update(en="after {short s"),
        "conversations.yml: *.formula: Value error, found a brace without its other one in 'after {short s'...",
    ),
    "a rule of integrity that can reach nobody's score": (
        "integrity_rules.yml",
        lambda rules: next(rule for rule in rules if rule["rule_id"] == "G1").update(also_metric_ids=[]),
        "integrity_rules.yml: G1: no metric of ['first_response_time'] is measured for agents",
    ),
    "a rule of integrity that names a metric twice": (
        "integrity_rules.yml",
        lambda rules: next(rule for rule in rules if rule["rule_id"] == "I1").update(also_metric_ids=["csat_rate"]),
        "integrity_rules.yml: *: ...",
    ),
    "an unknown plan in a period": (
        "periods.yml", lambda periods: periods[0].update(plan_ids=["none_such"]),
        "periods.yml: 2026_11_demo: plan none_such is not declared",
    ),
    "a period without a plan": (
        "periods.yml", lambda periods: periods[0].update(plan_ids=[]),
        "periods.yml: 0.plan_ids: Tuple should have at least 1 item after validation, not 0 (found '[]')",
    ),
    "a period that ends before it starts": (
        "periods.yml", lambda periods: periods[0].update(end="2026-11-01"),
        "periods.yml: 0: Value error, period 2026_11_demo: start 2026-11-02 lies after end 2026-11-01...",
    ),
    "an as_of without an offset": (
        "periods.yml", lambda periods: periods[0].update(as_of="2026-11-24T23:00:00"),
        "periods.yml: 0.as_of: Value error, as_of needs an offset...",
    ),
    "a metric of two attributions": (
        "metrics/conversations.yml",
        lambda items: item(items, "transfer_out_rate").update(numerator=["first_responses_in_time"]),
        "metrics: transfer_out_rate: its measures are dated and credited by different rules"
        " [('TE', 'CS'), ('TS', 'CT')]. Remedy: use measures of one rule, or say why in mixed_credit_reason",
    ),
    "a metric of an unknown measure": (
        "metrics/conversations.yml", lambda items: item(items, "transfer_out_rate").update(numerator=["nothing"]),
        "metrics: transfer_out_rate: measures ['nothing'] are not declared in measures/",
    ),
    "a metric of a unit its measures do not know": (
        "metrics/conversations.yml", lambda items: item(items, "transfer_out_rate").update(units=["agent", "queue"]),
        "metrics: transfer_out_rate: its numerator has no values for ['queue']",
    ),
    "a metric declared twice": (
        "metrics/conversations.yml", lambda items: items.append(dict(items[0])),
        "conversations.yml: metric conversations_handled is declared twice. Remedy: keep one",
    ),
    "a ratio without a denominator": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(denominator=[]),
        "conversations.yml: *: Value error, metric asa: a ratio needs a denominator, a sum has none...",
    ),
    "a sum with a denominator": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(kind="sum"),
        "conversations.yml: *: Value error, metric asa: a ratio needs a denominator, a sum has none...",
    ),
    "a subjective metric without evidence": (
        "metrics/voice.yml", lambda items: item(items, "csat_rate").pop("reliability"),
        "voice.yml: *: Value error, metric csat_rate: a subjective metric names its reliability evidence...",
    ),
    "a name in one language": (
        "metrics/conversations.yml", lambda items: item(items, "asa")["name"].pop("zh"),
        "conversations.yml: *.name.zh: Field required...",
    ),
    "an unknown key": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(goal=3),
        "conversations.yml: *.goal: Extra inputs are not permitted (found '3')",
    ),
    "a measure of an unknown fact": (
        "measures/conversations.yml", lambda body: body["measures"]["talk_seconds"].update(fact="calls"),
        "conversations.yml: measure talk_seconds: fact calls is not declared",
    ),
    "a measure of an unknown parameter": (
        "measures/conversations.yml",
        lambda body: body["measures"]["talk_seconds"].update(filter="talk_seconds < parameters.longest"),
        "measure talk_seconds: parameters ['longest'] are not declared in parameters.yml",
    ),
    "a measure of two topics": (
        "measures/voice.yml",
        lambda body: body["measures"].update(talk_seconds=body["measures"]["ratings_valid"]),
        "measures/voice.yml: talk_seconds is one of the measures of conversations already",
    ),
    "a distinct count of nothing": (
        "measures/conversations.yml", lambda body: body["measures"]["segments_effective"].update(aggregate="distinct"),
        "conversations.yml: measure segments_effective: a distinct needs an expression",
    ),
    "a percentile of a sum": (
        "metrics/conversations.yml",
        lambda items: item(items, "first_response_p90").update(numerator=["first_response_seconds"]),
        "metrics: first_response_p90: a percentile is made of histogram, and first_response_seconds is none",
    ),
    "a ratio of a histogram": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(numerator=["first_response_histogram"]),
        "metrics: asa: a ratio is made of sum or distinct, and first_response_histogram is none",
    ),
    "a percentile without a quantile": (
        "metrics/conversations.yml", lambda items: item(items, "first_response_p90").pop("quantile"),
        "conversations.yml: *: Value error, metric first_response_p90: quantile is for percentiles, and...",
    ),
    "a metric without a numerator": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(numerator=[]),
        "conversations.yml: *: Value error, metric asa: needs a numerator, unless it is computed elsewhere...",
    ),
    "targets out of order": (
        "metrics/conversations.yml",
        lambda items: item(items, "asa").update(
            targets=[{"from": "2026-02-01", "value": "28"}, {"from": "2026-01-01", "value": "30"}]
        ),
        "conversations.yml: *: Value error, metric asa: targets must follow each other in time,...",
    ),
    "a need of an entity nobody has": (
        "metrics/conversations.yml", lambda items: item(items, "asa").update(needs={"any": ["entity:wishes"]}),
        "metrics: asa: no system has the entity of entity:wishes",
    ),
    "a queue of an unknown source": (
        "queues.yml", lambda items: item(items, "svc_vip").update(source_id="pbx2"),
        "queues.yml: svc_vip: source pbx2 is not declared in sources.yml",
    ),
    "a queue of an unknown team": (
        "queues.yml", lambda items: item(items, "svc_vip").update(team_id="gold"),
        "queues.yml: svc_vip: team gold is not declared in teams.yml",
    ),
    "a recommendation on another scale": (
        "instruments.yml", lambda items: items[0].update(kind="nps"),
        "instruments.yml: 0: Value error, instrument call_survey: nps is asked from 0 to 10, 10 best...",
    ),
    "a label of two review items": (
        "qa_items.yml", lambda items: items[1]["labels"].append("opening"),
        "qa_items.yml: empathy: the label opening is one of opening already",
    ),
    "a review item without a weight": (
        "qa_items.yml", lambda items: items[0].update(weight="0"),
        "qa_items.yml: 0.weight: Input should be greater than 0 (found '0')",
    ),
    "a review item of an unknown score": (
        "qa_items.yml", lambda items: items[0].update(group="charm"),
        "qa_items.yml: 0.group: Input should be 'etiquette', 'solution_depth' or 'professionalism' (found 'charm')...",
    ),
    "a service window inside another": (
        "calendars.yml",
        lambda items: items[0]["service_windows"].append({"weekdays": [5], "start": "17:00", "end": "20:00"}),
        "calendars.yml: 0: Value error, calendar service: two of its windows overlap. Remedy: make one of them...",
    ),
    "a night window that runs into Monday's": (
        "calendars.yml",
        lambda items: items[0]["service_windows"].append({"weekdays": [7], "start": "22:00", "end": "09:30"}),
        "calendars.yml: 0: Value error, calendar service: two of its windows overlap. Remedy: make one of them...",
    ),
    "a holiday that is worked": (
        "calendars.yml", lambda items: items[0]["make_up_days"].append("2026-10-01"),
        "calendars.yml: 0: Value error, calendar service: ['2026-10-01'] is both a holiday and a make-up day...",
    ),
    "a holiday twice": (
        "calendars.yml",
        lambda items: items[0]["holidays"].append({"date": "2026-10-01", "name": {"zh": "国庆", "en": "National Day"}}),
        "calendars.yml: 0: Value error, calendar service: ['2026-10-01'] is a holiday twice...",
    ),
    "a holiday without an end": (
        "calendars.yml", lambda items: items[0]["holidays"][0].pop("to"),
        "calendars.yml: 0.holidays.0: Value error, a holiday has either a date or both from and to...",
    ),
    "a holiday that ends before it begins": (
        "calendars.yml", lambda items: items[0]["holidays"][0].update(to="2025-12-31"),
        "calendars.yml: 0.holidays.0: Value error, a holiday ends before it begins: 2026-01-01 to 2025-12-31...",
    ),
    "no calendar of the operation": (
        "calendars.yml", lambda items: items[0].update(is_default=False),
        "calendars.yml: one calendar must say is_default: true, found []",
    ),
    "a top box outside the scale": (
        "instruments.yml", lambda items: items[0].update(top_box=[5, 6]),
        "instruments.yml: 0: Value error, instrument call_survey: top_box (5, 6) must lie on the scale...",
    ),
    "a scale without length": (
        "instruments.yml", lambda items: items[0].update(scale_maximum=1),
        "instruments.yml: 0: Value error, instrument call_survey: the scale needs a minimum below its maximum...",
    ),
    "an impossible cut-over": (
        "site.yml", lambda body: body.update(day_cutover="30:00"),
        "site.yml: day_cutover: String should match pattern...",
    ),
    "the number of a test customer": (
        "site.yml", lambda body: body.update(test_customers=["+4917112345678"]),
        "site.yml: test_customers.0: Value error, expected a key as `kefu config customer-key` prints it...",
    ),
    "a threshold out of range": (
        "defaults.yml", lambda body: body["g"].update(zero_below=1.3),
        "defaults.yml: g.zero_below: Input should be less than or equal to 1 (found '1.3')",
    ),
    # What would be found only when a run breaks, or never.
    "an unknown time zone of the site": (
        "site.yml", lambda body: body.update(time_zone="Europe/Berlinn"), "site.yml: time_zone: ...",
    ),
    "an unknown time zone of a source": (
        "sources.yml", lambda items: item(items, "pbx").update(time_zone="Europe/Berlinn"),
        "sources.yml: 0.time_zone: ...",
    ),
    "a source of an unknown system": (
        "sources.yml", lambda items: item(items, "pbx").update(system="asterisc"), "sources.yml: ...",
    ),
    "an unknown entity of a source": (
        "sources.yml", lambda items: item(items, "pbx").update(entities=["queue_lag"]), "sources.yml: ...",
    ),
    "a pause reason of an unknown source": (
        "aux_codes.yml", lambda items: items[0].update(source_id="pbx2"), "aux_codes.yml: pbx_acw: source pbx2 ...",
    ),
    "an instrument of an unknown source": (
        "instruments.yml", lambda items: items[0].update(source_id="pbx2"),
        "instruments.yml: call_survey: source pbx2 ...",
    ),
    "one account of two queues": (
        "queues.yml", lambda items: item(items, "svc_vip").update(account="svc-billing"), "queues.yml: svc_vip: ...",
    ),
    "an as_of inside the period": (
        "periods.yml", lambda items: items[0].update(as_of="2026-11-10T00:00:00Z"), "periods.yml: ...",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_wrong_declaration_is_refused_with_its_place(config: Path, name: str) -> None:
    file, change, expected = CASES[name]
    beginning, _, ending = expected.partition("...")
    found = problems(config, file, change)
    # A "*" stands for the place in the file.
    pattern = re.escape(beginning).replace(r"\*", r"\d+") + (".*" if "..." in expected else "")
    assert any(re.fullmatch(pattern, line, re.DOTALL) for line in found), found
    assert not ending


def test_every_problem_of_every_file_is_reported_at_once(config: Path) -> None:
    (config / "teams.yml").write_text("- {team_id: Big, version: 0}\n", encoding="utf-8")
    found = problems(config, "queues.yml", lambda items: items[0].pop("account"))
    assert {line.split(":")[0] for line in found} == {"teams.yml", "queues.yml"}
    assert len(found) == 5


def test_a_broken_file_says_where(config: Path) -> None:
    (config / "teams.yml").write_text("- {team_id: general\n- x", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"teams.yml: not valid YAML: [\s\S]*line 1, column 3"):
        load_catalogue(config)


@pytest.mark.parametrize("text", ["", "version: 1\n", "- 3\n"])
def test_a_file_of_another_shape_is_refused(config: Path, text: str) -> None:
    (config / "teams.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"teams.yml: "):
        load_catalogue(config)


def test_a_key_given_twice_is_refused(config: Path) -> None:
    """YAML takes the last one silently: of two weights the reader of the file sees the first."""
    path = config / "plans" / "demo.yml"
    text = path.read_text(encoding="utf-8").replace("    weight: 10\n", "    weight: 15\n    weight: 10\n", 1)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="weight"):
        load_catalogue(config)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "*" not in kind.pattern], ids=lambda kind: kind.name)
def test_a_missing_file_is_named(config: Path, kind: Any) -> None:
    (config / kind.pattern).unlink()
    with pytest.raises(ConfigError) as refused:
        load_catalogue(config)
    expected = f"{config / kind.pattern}: no such file. Remedy: add it, the shipped config/ has one"
    assert expected in refused.value.problems

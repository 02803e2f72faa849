"""The options of the definitions: dated choices that metrics name, that models read, and that have scenarios."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from bi.spec import Language
from kefu.catalogue.files import Catalogue, ConfigError, load_catalogue
from kefu.catalogue.handbook import entry
from kefu.catalogue.models import Parameter

MODELS = "dbt_project/models"
# Options of metrics.md 3 that stand elsewhere: the file that declares them.
ELSEWHERE = {"top_box": "instruments.yml", "mode": "defaults.yml", "late_mature": "defaults.yml"}


@pytest.fixture(scope="module")
def catalogue(project: Path) -> Catalogue:
    return load_catalogue(project / "config")


def options(catalogue: Catalogue) -> dict[str, Parameter]:
    return {name: parameter for name, parameter in catalogue.parameters.items() if parameter.choices}


def macros(project: Path) -> dict[str, str]:
    """The text of every macro by its name."""
    text = "\n".join(path.read_text("utf-8") for path in (project / "dbt_project/macros").glob("*.sql"))
    return dict(re.findall(r"{% macro (\w+)\(.*?-?%}(.*?){%-? endmacro", text, re.S))


def texts(project: Path) -> dict[str, str]:
    """The text of every model by its name, with the macros it calls written behind it."""
    known = macros(project)
    found = {}
    for path in (project / MODELS).rglob("*.sql"):
        text = path.read_text("utf-8")
        found[path.stem] = text + "".join(body for name, body in known.items() if f"{name}(" in text)
    return found


def lineage(models: dict[str, str], name: str) -> set[str]:
    """A model and all models it is made of."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        if (one := waiting.pop()) in models and one not in found:
            found.add(one)
            waiting += re.findall(r"ref\('(\w+)'\)", models[one])
    return found - {"stg_cfg__parameter_range"}


def test_every_option_of_the_definitions_is_declared(project: Path, catalogue: Catalogue) -> None:
    chosen = {name: parameter.value for name, parameter in options(catalogue).items()}
    assert chosen == {
        "sl_abandon_mode": "penalise", "csat_credit": "last", "frt_clock_start": "latest", "hours_mode": "roster",
        "bot_counts": "excluded", "art_mode": "turn_mean", "utilization_base": "signed_in",
        "acw_denominator": "handled", "shift_day_mode": "shift", "order_credit": "last_human",
    }  # fmt: skip
    assert {name: str(catalogue.parameters[name].value) for name in ("short_abandon_seconds", "fcr_window_days")} == {
        "short_abandon_seconds": "5", "fcr_window_days": "7"
    }  # fmt: skip
    for name, file in ELSEWHERE.items():
        assert f"{name}:" in (project / "config" / file).read_text("utf-8"), f"{name} is not declared in {file}"


def test_the_first_choice_is_the_usual_one_and_all_are_named_in_both_languages(catalogue: Catalogue) -> None:
    for name, parameter in options(catalogue).items():
        assert next(iter(parameter.choices)) == parameter.value, name
        for text in (parameter.name, *parameter.choices.values()):
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh) and text.en.isascii(), name


def test_every_parameter_is_named_by_what_it_changes(catalogue: Catalogue) -> None:
    named = {name for metric in catalogue.metrics.values() for name in metric.depends_on}
    for measure_id in catalogue.measures:
        named |= catalogue.settled_by(measure_id)
    assert set(catalogue.parameters) - named == set()


def test_what_a_fact_is_said_to_depend_on_is_read_on_the_way_to_it(project: Path, catalogue: Catalogue) -> None:
    models = texts(project)
    read = {
        relation: "\n".join(models[name] for name in lineage(models, relation))
        for relation in {fact.relation for fact in catalogue.facts.values()}
    }
    wrong = []
    for measure_id, measure in catalogue.measures.items():
        fact = catalogue.facts[measure.fact]
        for name in {*measure.depends_on, *fact.depends_on}:
            if not re.search(rf"\b{name}\b", read[fact.relation]):
                wrong.append((measure_id, name))
    assert wrong == []


def test_every_choice_has_a_scenario_that_shows_its_number(project: Path, catalogue: Catalogue) -> None:
    scenarios = "\n".join(path.read_text("utf-8") for path in (project / MODELS).rglob("_options__unit_tests.yml"))
    shown = set(re.findall(r"(\w+): (\w+)", scenarios))
    missing = {(name, choice) for name, option in options(catalogue).items() for choice in option.choices} - shown
    assert missing == set()


@pytest.mark.parametrize(
    ("language", "said"), [("zh-CN", "放弃计为未达标"), ("en", "an abandonment misses the promise")]
)
def test_the_handbook_names_the_option_in_force(catalogue: Catalogue, language: Language, said: str) -> None:
    facts = " ".join(text for _, text in entry(catalogue, catalogue.metrics["service_level"], language).facts)
    assert f"{said} (penalise)" in facts
    effect = entry(catalogue, catalogue.metrics["coaching_effect"], language)
    assert " = 28" in " ".join(text for _, text in effect.facts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "sometimes"}, "sometimes is none of its choices"),
        ({"value": "30"}, "30 is none of its choices"),
        ({"choices": {"handled": {"zh": "一", "en": "one"}}}, "one choice is none"),
        ({"choices": {}}, "handled is no number and it declares no choices"),
        ({"choices": {"handled": {"en": "one"}, "all": {"zh": "二", "en": "two"}}}, "Field required"),
    ],
)
def test_a_wrong_choice_is_refused(project: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    shutil.copytree(project / "config", tmp_path / "config")
    path = tmp_path / "config/parameters.yml"
    entries = yaml.safe_load(path.read_text("utf-8"))
    next(one for one in entries if one["parameter_id"] == "acw_denominator").update(change)
    path.write_text(yaml.safe_dump(entries, allow_unicode=True, default_flow_style=False), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_catalogue(tmp_path / "config")

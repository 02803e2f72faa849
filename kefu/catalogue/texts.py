"""The values that texts name, and the check that no text repeats one as a number of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from kefu.catalogue.integrity import IntegrityRule
from kefu.catalogue.models import DatedText, Metric, Parameter, Text

if TYPE_CHECKING:
    from kefu.catalogue.files import Catalogue

# How a unit that ends a parameter's id is written behind its number, in both languages.
_UNITS = {"seconds": r"秒|s\b|seconds?\b", "minutes": r"分钟|min\b|minutes?\b", "days": r"天|日|days?\b"}

# Sections of the defaults that hold the limits of integrity rules.
_SECTIONS = ("rating.", "review.", "integrity.")


def text_values(catalogue: Catalogue) -> dict[str, Text]:
    """Returns what texts may name, as people read it, by name.

    These are parameters by their id, and numbers of the site and of the defaults as `site.<field>` and
    `<section>.<field>`; one whose field says `share` is in percent. `stg_cfg__text_value` tells the same by days.
    """
    found = {
        name: _number(parameter.value) if isinstance(parameter.value, Decimal) else parameter.choices[parameter.value]
        for name, parameter in catalogue.parameters.items()
    }
    sections = {"site": catalogue.site.model_dump(mode="json")} | catalogue.defaults.model_dump(
        mode="json", by_alias=True
    )
    for section, fields in sections.items():
        for field, value in fields.items() if isinstance(fields, dict) else ():
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[f"{section}.{field}"] = _number(Decimal(str(value)), is_share="share" in field)
    return found


def _number(value: Decimal, is_share: bool = False) -> Text:
    if is_share:
        shown = f"{(value * 100).normalize():f}"
        return Text(zh=f"{shown}%", en=f"{shown} %")
    shown = f"{value.normalize():f}"
    return Text(zh=shown, en=shown)


def check_texts(catalogue: Catalogue) -> list[str]:
    """Returns what is wrong with the texts of a catalogue that is right in all else, one line each."""
    values = text_values(catalogue)
    problems: list[str] = []
    for metric in catalogue.metrics.values():
        settled = catalogue.settles(metric)
        known = {name for name in values if name.startswith("site.")} | settled
        where = f"metrics/: {metric.metric_id}"
        for field in ("question", "formula"):
            problems += _unknown(f"{where}: {field}", getattr(metric, field), known)
        for field, text in _written(metric):
            problems += _repeated(f"{where}: {field}", text, [catalogue.parameters[name] for name in sorted(settled)])
    for name, measure in catalogue.measures.items():
        parameters = [catalogue.parameters[one] for one in sorted(catalogue.settled_by(name))]
        problems += _repeated(f"measures/: {name}: description", measure.description, parameters)
    for rule_id, rule in catalogue.objects["integrity_rule"].items():
        assert isinstance(rule, IntegrityRule)
        where = f"integrity_rules.yml: {rule_id}: text"
        problems += _unknown(where, rule.text, {name for name in values if name.startswith(_SECTIONS)})
        for text in (rule.text.zh, rule.text.en):
            if number := re.search(r"\d+", re.sub(r"\{.*?\}", "", text)):
                problems.append(
                    f"{where}: found the number {number[0]} in {text!r}, expected the limit of defaults.yml that it"
                    " repeats, as {section.field}. Remedy: name it, so that the text follows it"
                )
    return problems


def _unknown(where: str, text: DatedText, known: set[str]) -> list[str]:
    return [
        f"{where}: found {{{name}}}, expected one of {sorted(known)}. Remedy: name one of them, or declare the value:"
        " a parameter in parameters.yml and in depends_on, a number in site.yml or defaults.yml"
        for name in sorted(text.named - known)
    ]


def _written(metric: Metric) -> Iterator[tuple[str, str]]:
    for field in ("name", "question", "formula"):
        text: Text = getattr(metric, field)
        yield f"{field}.zh", text.zh
        yield f"{field}.en", text.en


def _repeated(where: str, text: str, parameters: list[Parameter]) -> list[str]:
    """A number with its unit that a parameter decides; the next version of it would make the text a lie."""
    return [
        f"{where}: found {found[0]!r}, expected {{{parameter.parameter_id}}}, which decides it. Remedy: name the"
        " parameter; a name or description says it without the number"
        for parameter in parameters
        if (unit := _UNITS.get(parameter.parameter_id.rpartition("_")[2]))
        and (found := re.search(rf"(?<![\d.]){parameter.value:f}\s*(?:{unit})", text))
    ]

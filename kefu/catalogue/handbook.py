"""The metric handbook: every metric in words for people who read no SQL, in both languages, from the declarations."""

from __future__ import annotations

from bi.formats import Formatter
from bi.site import Chapter, Entry
from bi.spec import Language, load_labels, short
from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Measure, Metric, Text
from kefu.catalogue.texts import text_values


def chapters(catalogue: Catalogue, language: Language) -> list[Chapter]:
    """Returns one chapter for each dimension that has metrics, in the order of the labels, metrics in display order."""
    labels = load_labels()
    found = []
    for dimension, label in labels.enumerations["dimension"].items():
        metrics = [metric for metric in catalogue.metrics.values() if metric.dimension == dimension]
        entries = [entry(catalogue, metric, language) for metric in sorted(metrics, key=lambda m: m.display_order)]
        if entries:
            found.append(Chapter(dimension, label.of(language), entries))
    return found


def entry(catalogue: Catalogue, metric: Metric, language: Language) -> Entry:
    """Returns what people should know about one metric; a fact that says nothing is left out."""
    labels = load_labels()

    def said(text: Text) -> str:
        return str(getattr(text, short(language)))

    def word(name: str) -> str:
        return labels.words[name].of(language)

    def code(enumeration: str, name: str) -> str:
        return labels.code(enumeration, name).of(language)

    def listed(enumeration: str, names: tuple[str, ...]) -> str:
        return word("list_separator").join(code(enumeration, name) for name in names)

    values = text_values(catalogue)
    measures = [catalogue.measures[name] for name in metric.measures]
    dated = tuple(sorted({measure.attribution for measure in measures}))
    credited = tuple(sorted({measure.credit for measure in measures}))
    estimate = _estimated_by(metric, measures)
    coverage = "" if estimate == "none" else f"{catalogue.defaults.interval.coverage} "
    interval = coverage + code("estimate", estimate)
    target = metric.targets[-1] if metric.targets else None
    aim = target and Formatter(language).target(target.value, metric.unit, metric.direction, target.tolerance)
    is_shifted = metric.matures_in is not None and catalogue.defaults.period.late_mature == "shift"
    facts = [
        (word("unit"), code("unit", metric.unit)),
        (word("direction"), code("direction", metric.direction)),
        (word("metric_type"), code("metric_type", metric.metric_type)),
        (word("units"), listed("unit_kind", metric.units)),
        (word("channel"), listed("channel", metric.channels)),
        (word("dated"), listed("attribution", dated)),
        (word("credited"), listed("credit", credited)),
        (word("target"), f"{aim} ({target.from_})" if target else ""),
        (word("min_n"), str(metric.min_n)),
        (word("interval"), interval if measures else ""),
        (
            word("parameters"),
            word("list_separator").join(
                f"{said(catalogue.parameters[name].name)} = {catalogue.parameters[name].said(short(language))}"
                for name in sorted(catalogue.settles(metric))
            ),
        ),
        (word("period_days"), word("period_days_watched") if is_shifted else ""),
        (word("published_in"), metric.published_in or ""),
        (word("version"), f"{metric.version} ({metric.valid_from})"),
    ]
    return Entry(
        metric.metric_id,
        said(metric.name),
        said(metric.question.filled(values)),
        said(metric.formula.filled(values)),
        [(label, text) for label, text in facts if text],
    )


def _estimated_by(metric: Metric, measures: list[Measure]) -> str:
    """What the interval of its values comes from, as metric_value.sql computes it."""
    if metric.kind == "percentile":
        return "ranks"
    if metric.kind != "ratio" or any(measure.aggregate == "distinct" for measure in measures):
        return "none"
    counts_cases = metric.unit == "share" and metric.bounded and metric.count in ((), metric.denominator)
    return "proportion" if counts_cases else "days"

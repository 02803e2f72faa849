"""The SQL of the opinions behind subjective metrics, generated from their measures (reliability.md 3.2)."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Evidence, Fact, Measure, Metric

PATH = Path("dbt_project/models/appraisal/evidence/evidence_opinion.sql")
_HEADER = "-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/metrics/ instead.\n"
_TEXT = """\
with period as (

    select
        period_start,
        period_end
    from {{{{ ref('stg_cfg__period') }}}}

),

defaults as (

    select (body #>> '{{rho, doubles_window_days}}')::integer as doubles_window_days
    from ({{{{ current_config('defaults') }}}}) as current_defaults

),

-- Opinions of the period count for agents; those of the days before it only tell how well raters agree.
span as (

    select
        period.period_start,
        period.period_end as last_date,
        period.period_end - defaults.doubles_window_days + 1 as first_double_date
    from period
    cross join defaults

),

opinions as (

{opinions}

)

select
    opinions.metric_id,
    opinions.row_key,
    opinions.contact_key,
    opinions.agent_key,
    opinions.rater_key,
    opinions.form_key,
    opinions.business_date,
    opinions.business_date >= span.period_start as is_in_period,
    opinions.is_second,
    opinions.is_valid,
    opinions.exclusion_rule,
    opinions.is_distrusted,
    opinions.row_value,
    (opinions.row_value - opinions.scale_low) / opinions.scale_length as place_on_scale
from opinions
cross join span
where opinions.business_date >= span.period_start or opinions.rater_key is not null
"""
_ONE = """\
select
    '{metric_id}' as metric_id,
    {row} as row_key,
    {contact} as contact_key,
    agent_key,
    {rater} as rater_key,
    {form} as form_key,
    {dated},
    bool_or({second}) as is_second,
    bool_or({valid}) as is_valid,
    max({rule}) as exclusion_rule,
    bool_or({distrusted}) as is_distrusted,
    (
        {scale}coalesce(sum(
            {numerator}
        ), 0)::numeric
        / nullif(sum(
            {denominator}
        ), 0)
    )::numeric as row_value,
    {low}::numeric as scale_low,
    {length}::numeric as scale_length
from {{{{ ref('{relation}') }}}} as rated{parameters}
where
    agent_key is not null
    and {date} >= (select least(period_start, first_double_date) from span)
    and {date} <= (select last_date from span)
    and ({population})
    and not {{{{ is_exempt('{metric_id}', 'rated.agent_key', 'rated.{date}') }}}}
group by
    {row},
    {contact},
    agent_key,{rater_group}
    {date}"""


def generate_evidence(catalogue: Catalogue) -> dict[Path, str]:
    """Returns the text of the generated model by its path within the project.

    A metric's opinions are the rows of its denominator, those included that some rule or a second opinion keeps out of
    the metric; the value of one is the metric of that row alone.
    """
    measures, facts = catalogue.measures, catalogue.facts
    parts = [
        _opinions(metric, measures, facts[measures[metric.numerator[0]].fact])
        for metric in sorted(catalogue.metrics.values(), key=lambda metric: metric.metric_id)
        if metric.has_evidence
    ]
    indented = "\n\nunion all\n\n".join(parts).replace("\n", "\n    ").replace("\n    \n", "\n\n")
    return {PATH: _HEADER + _TEXT.format(opinions="    " + indented)}


def _opinions(metric: Metric, measures: dict[str, Measure], fact: Fact) -> str:
    evidence = fact.evidence
    assert evidence is not None
    numerator = [measures[name] for name in metric.numerator]
    denominator = [measures[name] for name in metric.denominator]
    has_parameters = any(measure.parameters for measure in numerator + denominator)
    return _ONE.format(
        metric_id=metric.metric_id,
        row=evidence.row,
        contact=evidence.contact,
        rater=evidence.rater or "null::text",
        form=f"max({evidence.form})" if evidence.form else "null::text",
        rater_group=f"\n    {evidence.rater}," if evidence.rater else "",
        date=fact.date_column,
        dated=fact.date_column if fact.date_column == "business_date" else f"{fact.date_column} as business_date",
        second=evidence.is_second,
        valid=evidence.valid,
        rule=evidence.rule,
        distrusted=evidence.distrusted,
        scale="" if metric.scale == 1 else f"{metric.scale} * ",
        low=metric.row_range[0] if metric.row_range else 0,
        length=Decimal(100) / metric.points_per_unit,
        numerator=_summed(numerator, evidence),
        denominator=_summed(denominator, evidence),
        relation=fact.relation,
        parameters=""
        if not has_parameters
        else "\ninner join {{ ref('stg_cfg__parameter_range') }} as parameters\n    on rated."
        f"{fact.date_column} between parameters.valid_from and parameters.valid_to",
        population=" or ".join(_whatever_its_validity(measure.filter, evidence) for measure in denominator),
    )


def _summed(measures: list[Measure], evidence: Evidence) -> str:
    return "\n            + ".join(
        f"case when {_whatever_its_validity(measure.filter, evidence)} then {measure.expression} end"
        for measure in measures
    )


def _whatever_its_validity(condition: str, evidence: Evidence) -> str:
    """The rows a measure would count if every one of them were valid."""
    found = re.sub(rf"\b{evidence.valid}\b(?: and )?", "", condition).strip()
    return found or "true"

"""The SQL of all measures, generated per fact in one pass (DESIGN 4.6). Checked in; CI fails when it is stale."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, StrictUndefined

from kefu.catalogue.models import Measures

FOLDER = Path("dbt_project/models/kpi")
_ENVIRONMENT = Environment(
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    autoescape=False,
)
_TEMPLATE = _ENVIRONMENT.from_string(
    """\
-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
with rows as (

    select * from {{ ref('<< fact.relation >>') }}

),

credited as (

    select
<% for kind, column in units %>
        << column >> as << kind >>_unit,
<% endfor %>
        << channel >> as channel,
        << fact.date_column >> as business_date,
<% for name, measure in measures %>
        case when << measure.filter >> then << measure.expression >> end as << name >><< "," if not loop.last >>
<% endfor %>
    from rows

),

pooled as (

    select
        case
<% for kind, _ in units %>
            when grouping(<< kind >>_unit) = 0 then '<< kind >>'
<% endfor %>
<% if not names_site %>
            else 'site'
<% endif %>
        end as unit_kind,
        coalesce(
<% for kind, _ in units %>
            << kind >>_unit<< "," if not loop.last or not names_site >>
<% endfor %>
<% if not names_site %>
            case when << grouped >> then 'site' end
<% endif %>
        ) as unit_key,
        channel,
        business_date,
<% for name, measure in measures %>
        coalesce(sum(<< name >>), 0)::numeric as << name >><< "," if not loop.last >>
<% endfor %>
    from credited
    group by grouping sets (
<% for kind, _ in units %>
        (<< kind >>_unit, channel, business_date)<< "," if not loop.last or not names_site >>
<% endfor %>
<% if not names_site %>
        (channel, business_date)
<% endif %>
    )

)

select
    pooled.unit_kind,
    pooled.unit_key,
    pooled.channel,
    pooled.business_date,
    measured.measure_id,
    measured.measure_value
from pooled
cross join lateral (
    values
<% for name, _ in measures %>
    ('<< name >>', pooled.<< name >>)<< "," if not loop.last >>
<% endfor %>
) as measured (measure_id, measure_value)
where pooled.unit_key is not null and pooled.business_date is not null
"""
)


def generate(declared: Measures) -> dict[Path, str]:
    """Returns the text of every generated model by its path within the project."""
    files = {}
    for name, fact in declared.facts.items():
        measures = [(key, measure) for key, measure in declared.measures.items() if measure.fact == name]
        units = list(fact.units.items())
        files[FOLDER / f"measure_{name}.sql"] = _TEMPLATE.render(
            fact=fact,
            units=units,
            measures=measures,
            names_site="site" in fact.units,
            grouped=" and ".join(f"grouping({kind}_unit) = 1" for kind, _ in units),
            channel=fact.channel_column or "'none'",
        )
    union = "\n\nunion all\n\n".join(
        f"select\n    unit_kind,\n    unit_key,\n    channel,\n    business_date,\n    measure_id,\n    measure_value\n"
        f"from {{{{ ref('measure_{name}') }}}}"
        for name in declared.facts
    )
    header = "-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.\n"
    files[FOLDER / "measure_day.sql"] = header + union + "\n"
    return files

"""The SQL of all measures, generated per fact in one pass (DESIGN 4.6). Checked in; CI fails when it is stale."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from kefu.catalogue.files import Catalogue
from kefu.catalogue.models import Fact, Measure, Parameter

FOLDER = Path("dbt_project/models/kpi")
PARAMETERS = Path("dbt_project/models/staging/cfg/stg_cfg__parameter_range.sql")
_HEADER = (
    "-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.\n"
)
_ENVIRONMENT = Environment(
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
    autoescape=False,
)
_MEASURES = _ENVIRONMENT.from_string(
    _HEADER
    + """\
{{ moves('date', counts={'<< fact.relation >>': '<< fact.date_column >>'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('<< fact.relation >>') }}

),

credited as (

    select
<% for kind, column in fact.units.items() %>
        rows.<< column >> as << kind >>_unit,
<% endfor %>
        << channel >> as channel,
        rows.<< fact.date_column >> as business_date,
<% for name, measure in measures %>
        case when << measure.filter >> then << measure.expression >> end as << name >><< "," if not loop.last >>
<% endfor %>
    from rows
<% if has_parameters %>
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.<< fact.date_column >> between parameters.valid_from and parameters.valid_to
<% endif %>

),

pooled as (

    select
        case
<% for kind in fact.units %>
            when grouping(<< kind >>_unit) = 0 then '<< kind >>'
<% endfor %>
<% if adds_site %>
            else 'site'
<% endif %>
        end as unit_kind,
        coalesce(
<% for kind in fact.units %>
            << kind >>_unit<< "," if not loop.last or adds_site >>
<% endfor %>
<% if adds_site %>
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
<% for kind in fact.units %>
        (<< kind >>_unit, channel, business_date)<< "," if not loop.last or adds_site >>
<% endfor %>
<% if adds_site %>
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
<% for name, measure in measures %>
    ('<< name >>', << (measure.aggregate == "level") | lower >>, pooled.<< name >>)<< "," if not loop.last >>
<% endfor %>
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
"""
)
_CREDITED = _ENVIRONMENT.from_string(
    """\
select
    unit.unit_kind,
    unit.unit_key,
    << channel >> as channel,
    rows.<< fact.date_column >> as business_date,
    '<< name >>' as measure_id,
    (<< measure.expression >>)::<< type >> as item
from {{ ref('<< fact.relation >>') }} as rows
<% if measure.parameters %>
inner join {{ ref('stg_cfg__parameter_range') }} as parameters
    on rows.<< fact.date_column >> between parameters.valid_from and parameters.valid_to
<% endif %>
cross join lateral (
    values
<% for kind, column in units %>
    ('<< kind >>', << column >>)<< "," if not loop.last >>
<% endfor %>
) as unit (unit_kind, unit_key)
where
    unit.unit_key is not null
    and rows.<< fact.date_column >> is not null
    and (<< measure.filter >>)
    and (<< measure.expression >>) is not null
"""
)
_NOTHING = """\
select
    null::text as unit_kind,
    null::text as unit_key,
    null::text as channel,
    null::date as business_date,
    null::text as measure_id,
    null::double precision as item
where false"""
_DISTINCT = """\
with credited as (

{rows}

),

period as (

    select * from {{{{ ref('stg_cfg__period') }}}}

),

-- An item counts in a range on its first day there. The item comes first: sorting by it compares least.
seen as (

    select
        *,
        lag(business_date) over (
            partition by item, unit_kind, unit_key, measure_id, channel
            order by business_date
        ) as seen_on,
        lag(business_date) over (
            partition by item, unit_kind, unit_key, measure_id
            order by business_date, channel
        ) as seen_anywhere_on
    from credited

),

daily as (

    select
        seen.unit_kind,
        seen.unit_key,
        seen.channel,
        seen.business_date,
        seen.measure_id,
        {{%- for kind in range_kinds() %}}
        count(*) filter (
            where seen.seen_on is null or seen.seen_on < {{{{ range_start(kind, 'seen.business_date') }}}}
        ) as first_of_{{{{ kind }}}},
        count(*) filter (
            where
            seen.seen_anywhere_on is null or seen.seen_anywhere_on < {{{{ range_start(kind, 'seen.business_date') }}}}
        ) as first_anywhere_of_{{{{ kind }}}}{{{{ ',' if not loop.last }}}}
        {{%- endfor %}}
    from seen
    cross join period
    group by seen.unit_kind, seen.unit_key, seen.channel, seen.business_date, seen.measure_id

),

ranged as (

    select
        daily.unit_kind,
        daily.unit_key,
        daily.channel,
        daily.measure_id,
        ranges.period_kind,
        ranges.period_start,
        sum(ranges.first_count) as first_count,
        sum(ranges.first_anywhere_count) as first_anywhere_count
    from daily
    cross join period
    cross join lateral (
        values
        {{%- for kind in range_kinds() %}}
        (
            '{{{{ kind }}}}', {{{{ range_start(kind, 'daily.business_date') }}}}, daily.first_of_{{{{ kind }}}},
            daily.first_anywhere_of_{{{{ kind }}}}
        ){{{{ ',' if not loop.last }}}}
        {{%- endfor %}}
    ) as ranges (period_kind, period_start, first_count, first_anywhere_count)
    where ranges.period_start is not null {{{{ and_is_dirty_range('ranges.period_kind', 'ranges.period_start') }}}}
    group by
        daily.unit_kind, daily.unit_key, daily.channel, daily.measure_id, ranges.period_kind, ranges.period_start

)

select
    unit_kind,
    unit_key,
    channel,
    period_kind,
    period_start,
    measure_id,
    first_count::numeric as measure_value
from ranged

union all

select
    unit_kind,
    unit_key,
    'all' as channel,
    period_kind,
    period_start,
    measure_id,
    sum(first_anywhere_count)::numeric as measure_value
from ranged
group by unit_kind, unit_key, period_kind, period_start, measure_id
"""
_HISTOGRAM = """\
with credited as (

{rows}

)

select
    unit_kind,
    unit_key,
    channel,
    business_date,
    measure_id,
    {{{{ log_bucket('item') }}}} as bucket,
    count(*) as bucket_count
from credited
group by unit_kind, unit_key, channel, business_date, measure_id, {{{{ log_bucket('item') }}}}
"""


def generate(catalogue: Catalogue) -> dict[Path, str]:
    """Returns the text of every generated model by its path within the project."""
    facts, measures = catalogue.facts, catalogue.measures
    added = {
        name: [(key, measure) for key, measure in measures.items() if measure.fact == name and _adds_up(measure)]
        for name in facts
    }
    files = {FOLDER / f"measure_{name}.sql": _per_fact(facts[name], found) for name, found in added.items() if found}
    union = "\n\nunion all\n\n".join(
        f"select\n    unit_kind,\n    unit_key,\n    channel,\n    business_date,\n    measure_id,\n    measure_value\n"
        f"from {{{{ ref('measure_{name}') }}}}"
        for name, found in added.items()
        if found
    )
    counted = {f"measure_{name}": "business_date" for name, found in added.items() if found}
    files[FOLDER / "measure_day.sql"] = (
        f"{_HEADER}{_moves('date', counted, 'business_date')}\n\n{union}\n\n{{{{ laid_by('business_date') }}}}\n"
    )
    for aggregate, text, type_, by, day in (
        ("distinct", _DISTINCT, "text", "range", "period_start"),
        ("histogram", _HISTOGRAM, "double precision", "date", "business_date"),
    ):
        rows = [
            _credited(name, measure, facts[measure.fact], type_)
            for name, measure in measures.items()
            if measure.aggregate == aggregate
        ]
        indented = "\n\nunion all\n\n".join(rows or [_NOTHING]).replace("\n", "\n    ").replace("\n    \n", "\n\n")
        used = [facts[measure.fact] for measure in measures.values() if measure.aggregate == aggregate]
        counted = {fact.relation: fact.date_column for fact in used}
        # A fact that is counted by two of its dates cannot be limited to the days of one.
        is_limited = all(counted[fact.relation] == fact.date_column for fact in used)
        line = _moves(by, counted, day) if used and is_limited else f"{{{{ moves(dates=['{day}']) }}}}"
        files[FOLDER / f"measure_{aggregate}.sql"] = (
            f"{_HEADER}{line}\n\n{text.format(rows='    ' + indented.rstrip())}"
        )
    files[PARAMETERS] = _parameter_ranges(catalogue.parameters)
    described = [_describe(f"measure_{name}", facts[name], dict(found)) for name, found in added.items() if found]
    files[FOLDER / "_measures__models.yml"] = _as_yaml([*described, *_SHARED])
    files[PARAMETERS.with_name("_cfg_parameters__models.yml")] = _as_yaml([_describe_parameters(catalogue)])
    return files


_UNIT = [
    {"name": "unit_kind", "description": "agent, team, queue or site."},
    {
        "name": "unit_key",
        "description": "Personnel number, team, queue, or `site`; `unmapped:` and unassigned stay visible as units of"
        " their own.",
    },
]
_DAY = [
    {"name": "channel", "description": "voice, chat, or none for measures without a channel."},
    {"name": "business_date", "description": "Local business date the rows count on."},
]
_SHARED: list[dict[str, Any]] = [
    {
        "name": "measure_day",
        "description": "One row per unit, channel, business date and measure that adds up: all under one roof. "
        "Attribution and credit are those of the measure (config/measures/). Left out: sums of 0, except of stocks.",
        "config": {
            "indexes": [
                {"columns": ["business_date", "unit_key", "measure_id", "channel", "unit_kind"], "unique": True},
            ]
        },
        "columns": [
            *_UNIT,
            *_DAY,
            {"name": "measure_id", "description": "Measure of config/measures/."},
            {"name": "measure_value", "description": "Sum over the counted rows; never NULL; 0 only for a stock."},
        ],
    },
    {
        "name": "measure_distinct",
        "description": "One row per unit, channel (and all), range and distinct measure: different values are counted "
        "in each range on its own, because those of days do not add up. Left out: counts of 0.",
        "columns": [
            *_UNIT,
            {"name": "channel", "description": "voice, chat, none, or all for the values of all channels together."},
            {"name": "period_kind", "description": "day, week, month or period."},
            {"name": "period_start", "description": "First local business date of the range."},
            {"name": "measure_id", "description": "Measure of config/measures/."},
            {"name": "measure_value", "description": "How many different values there are; never NULL or 0."},
        ],
    },
    {
        "name": "measure_histogram",
        "description": "One row per unit, channel, business date, histogram measure and bucket that holds a value. "
        "Buckets are logarithmic, so that every value in one differs from its middle by 1 % at most; buckets of the "
        "same number add up over units and days. Left out: empty buckets.",
        "columns": [
            *_UNIT,
            *_DAY,
            {"name": "measure_id", "description": "Measure of config/measures/."},
            {"name": "bucket", "description": "Number of the bucket; -1 holds the values of 0 and less."},
            {"name": "bucket_count", "description": "How many values lie in it; never 0."},
        ],
    },
]


def _describe(model: str, fact: Fact, measures: dict[str, Measure]) -> dict[str, Any]:
    rules = sorted({f"{measure.attribution} {measure.credit}" for measure in measures.values()})
    return {
        "name": model,
        "description": f"One row per unit, channel, business date and measure of {fact.relation}. Attribution and "
        f"credit (domain codes): {', '.join(rules)}. Left out: rows without a date or unit, and sums of 0.",
        "columns": [
            *_UNIT,
            *_DAY,
            {
                "name": "measure_id",
                "description": "; ".join(
                    f"{name}: {measure.description.rstrip(chr(46))}" for name, measure in measures.items()
                ),
            },
            {"name": "measure_value", "description": "Sum over the counted rows; never NULL; 0 only for a stock."},
        ],
    }


def _describe_parameters(catalogue: Catalogue) -> dict[str, Any]:
    return {
        "name": PARAMETERS.stem,
        "description": "One row per range of days in which no parameter changes, with the parameters side by side. "
        "Left out: nothing; the first range begins at -infinity.",
        "config": {"indexes": [{"columns": ["valid_from"], "unique": True}]},
        "columns": [
            {"name": "valid_from", "description": "First day."},
            {"name": "valid_to", "description": "Last day, inclusive; infinity for the last range."},
            *(
                {
                    "name": name,
                    "description": f"{parameter.name.en}"
                    + (f": {', '.join(parameter.choices)}" if parameter.choices else "")
                    + "; NULL before the parameter was declared.",
                }
                for name, parameter in catalogue.parameters.items()
            ),
        ],
    }


def _as_yaml(models: list[dict[str, Any]]) -> str:
    body = yaml.dump({"version": 2, "models": models}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=115)
    return f"# {_HEADER.removeprefix('-- ')}{body}"


class _Dumper(yaml.SafeDumper):
    """Writes repeated lists out instead of pointing to them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _moves(by: str, counted: dict[str, str], day: str) -> str:
    """The line that says which days of what it counts make days or ranges of a measure dirty."""
    rows = "".join(f"    '{relation}': '{column}',\n" for relation, column in counted.items()).removesuffix(",\n")
    return f"{{{{ moves('{by}', counts={{\n{rows}\n}}, dates=['{day}']) }}}}"


def _adds_up(measure: Measure) -> bool:
    return measure.aggregate in ("sum", "level")


def _channel(fact: Fact) -> str:
    return f"rows.{fact.channel_column}" if fact.channel_column else "'none'"


def _per_fact(fact: Fact, measures: list[tuple[str, Measure]]) -> str:
    return _MEASURES.render(
        fact=fact,
        measures=measures,
        adds_site=fact.pools_site and "site" not in fact.units,
        grouped=" and ".join(f"grouping({kind}_unit) = 1" for kind in fact.units),
        has_parameters=any(measure.parameters for _, measure in measures),
        channel=_channel(fact),
    )


def _credited(name: str, measure: Measure, fact: Fact, type_: str) -> str:
    units = {kind: f"rows.{column}" for kind, column in fact.units.items()}
    if fact.pools_site and "site" not in units:
        units["site"] = "'site'"
    rendered = _CREDITED.render(
        name=name, measure=measure, fact=fact, units=list(units.items()), channel=_channel(fact), type=type_
    )
    return rendered.rstrip()


def _parameter_ranges(parameters: dict[str, Parameter]) -> str:
    """The dated values of all parameters side by side: one row per range of days in which none of them changes."""
    columns = ",\n".join(
        f"    max(versions.{'choice' if one.choices else 'value'})"
        f" filter (where versions.parameter_id = '{name}') as {name}"
        for name, one in parameters.items()
    )
    return f"""\
{_HEADER}with versions as (

    select * from {{{{ ref('stg_cfg__parameter') }}}}

),

starts as (

    select valid_from
    from versions
    group by valid_from

),

ranges as (

    select
        valid_from,
        (lead(valid_from, 1, 'infinity') over (order by valid_from) - interval '1 day')::date as valid_to
    from starts

)

select
    ranges.valid_from,
    ranges.valid_to,
{columns}
from ranges
inner join versions
    on ranges.valid_from between versions.valid_from and versions.valid_to
group by ranges.valid_from, ranges.valid_to
"""

-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_employment_day': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_employment_day') }}

),

credited as (

    select
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_leaver then 1 end as leavers,
        case when true then 1 end as headcount_days
    from rows

),

pooled as (

    select
        case
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            team_unit,
            case when grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(leavers), 0)::numeric as leavers,
        coalesce(sum(headcount_days), 0)::numeric as headcount_days
    from credited
    group by grouping sets (
        (team_unit, channel, business_date),
        (channel, business_date)
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
    ('leavers', false, pooled.leavers),
    ('headcount_days', false, pooled.headcount_days)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
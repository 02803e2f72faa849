-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_agent_time': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_agent_time') }}

),

credited as (

    select
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when true then paid_seconds end as paid_seconds,
        case when true then paid_seconds - available_seconds end as lost_seconds,
        case when paid_seconds is not null then 1 end as paid_days
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
        coalesce(sum(paid_seconds), 0)::numeric as paid_seconds,
        coalesce(sum(lost_seconds), 0)::numeric as lost_seconds,
        coalesce(sum(paid_days), 0)::numeric as paid_days
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
    ('paid_seconds', false, pooled.paid_seconds),
    ('lost_seconds', false, pooled.lost_seconds),
    ('paid_days', false, pooled.paid_days)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
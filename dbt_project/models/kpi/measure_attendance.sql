-- Generated from config/measures.yml by `kefu config generate`; edit that file instead.
with rows as (

    select * from {{ ref('fct_attendance') }}

),

credited as (

    select
        agent_key as agent_unit,
        team_key as team_unit,
        'none' as channel,
        business_date as business_date,
        case when is_counted then required_seconds end as rostered_seconds,
        case when is_counted then attended_seconds end as attended_seconds,
        case when is_counted then 1 end as attendance_days
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            else 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            case when grouping(agent_unit) = 1 and grouping(team_unit) = 1 then 'site' end
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(rostered_seconds), 0)::numeric as rostered_seconds,
        coalesce(sum(attended_seconds), 0)::numeric as attended_seconds,
        coalesce(sum(attendance_days), 0)::numeric as attendance_days
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
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
    ('rostered_seconds', pooled.rostered_seconds),
    ('attended_seconds', pooled.attended_seconds),
    ('attendance_days', pooled.attendance_days)
) as measured (measure_id, measure_value)
where pooled.unit_key is not null and pooled.business_date is not null
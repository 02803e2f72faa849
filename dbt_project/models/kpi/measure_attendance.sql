-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_attendance': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_attendance') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_counted then required_seconds end as rostered_seconds,
        case when is_counted then attended_seconds end as attended_seconds,
        case when is_counted then 1 end as attendance_days,
        case when is_counted and is_late then 1 end as late_days,
        case when is_counted and is_early_leave then 1 end as early_leave_days
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
        coalesce(sum(attendance_days), 0)::numeric as attendance_days,
        coalesce(sum(late_days), 0)::numeric as late_days,
        coalesce(sum(early_leave_days), 0)::numeric as early_leave_days
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
    ('rostered_seconds', false, pooled.rostered_seconds),
    ('attended_seconds', false, pooled.attended_seconds),
    ('attendance_days', false, pooled.attendance_days),
    ('late_days', false, pooled.late_days),
    ('early_leave_days', false, pooled.early_leave_days)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
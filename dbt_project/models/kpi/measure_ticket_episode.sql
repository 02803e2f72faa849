-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_ticket_episode': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_ticket_episode') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_recorded and observed_seconds >= parameters.reopen_window_days * 86400 then 1 end as solutions_observed,
        case when is_recorded and observed_seconds >= parameters.reopen_window_days * 86400 and reopened_after_seconds <= parameters.reopen_window_days * 86400 then 1 end as solutions_reopened
    from rows
    inner join {{ ref('stg_cfg__parameter_range') }} as parameters
        on rows.business_date between parameters.valid_from and parameters.valid_to

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
        coalesce(sum(solutions_observed), 0)::numeric as solutions_observed,
        coalesce(sum(solutions_reopened), 0)::numeric as solutions_reopened
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
    ('solutions_observed', false, pooled.solutions_observed),
    ('solutions_reopened', false, pooled.solutions_reopened)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
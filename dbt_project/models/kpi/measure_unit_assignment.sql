-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_unit_assignment': 'assigned_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_unit_assignment') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        rows.site_key as site_unit,
        rows.channel as channel,
        rows.assigned_date as business_date,
        case when true then 1 end as conversations_assigned
    from rows

),

pooled as (

    select
        case
            when grouping(agent_unit) = 0 then 'agent'
            when grouping(team_unit) = 0 then 'team'
            when grouping(site_unit) = 0 then 'site'
        end as unit_kind,
        coalesce(
            agent_unit,
            team_unit,
            site_unit
        ) as unit_key,
        channel,
        business_date,
        coalesce(sum(conversations_assigned), 0)::numeric as conversations_assigned
    from credited
    group by grouping sets (
        (agent_unit, channel, business_date),
        (team_unit, channel, business_date),
        (site_unit, channel, business_date)
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
    ('conversations_assigned', false, pooled.conversations_assigned)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
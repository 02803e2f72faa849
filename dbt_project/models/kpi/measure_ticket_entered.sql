-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_ticket': 'entered_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_ticket') }}

),

credited as (

    select
        rows.entered_by_key as agent_unit,
        rows.entered_by_team_key as team_unit,
        'none' as channel,
        rows.entered_date as business_date,
        case when redispatch_count is not null then 1 end as tickets_dispatched,
        case when redispatch_count = 0 then 1 end as tickets_dispatched_once
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
        coalesce(sum(tickets_dispatched), 0)::numeric as tickets_dispatched,
        coalesce(sum(tickets_dispatched_once), 0)::numeric as tickets_dispatched_once
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
    ('tickets_dispatched', false, pooled.tickets_dispatched),
    ('tickets_dispatched_once', false, pooled.tickets_dispatched_once)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
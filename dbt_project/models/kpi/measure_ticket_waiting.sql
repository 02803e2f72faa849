-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_ticket': 'waiting_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_ticket') }}

),

credited as (

    select
        rows.owner_key as agent_unit,
        rows.owner_team_key as team_unit,
        'none' as channel,
        rows.waiting_date as business_date,
        case when true then 1 end as tickets_waiting,
        case when true then waiting_seconds end as ticket_waiting_seconds
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
        coalesce(sum(tickets_waiting), 0)::numeric as tickets_waiting,
        coalesce(sum(ticket_waiting_seconds), 0)::numeric as ticket_waiting_seconds
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
    ('tickets_waiting', false, pooled.tickets_waiting),
    ('ticket_waiting_seconds', false, pooled.ticket_waiting_seconds)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
-- Generated from config/ by `kefu config generate`; edit config/measures/ or config/parameters.yml instead.
{{ moves('date', counts={'fct_ticket': 'business_date'}, dates=['business_date']) }}

with rows as (

    select * from {{ ref('fct_ticket') }}

),

credited as (

    select
        rows.agent_key as agent_unit,
        rows.team_key as team_unit,
        'none' as channel,
        rows.business_date as business_date,
        case when is_solved then 1 end as tickets_solved,
        case when handle_seconds is not null then 1 end as tickets_solved_handled,
        case when true then handle_seconds end as ticket_handle_seconds,
        case when true then resolution_seconds end as ticket_resolution_seconds,
        case when public_reply_count is not null then 1 end as tickets_solved_recorded,
        case when is_one_touch then 1 end as tickets_one_touch
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
        coalesce(sum(tickets_solved), 0)::numeric as tickets_solved,
        coalesce(sum(tickets_solved_handled), 0)::numeric as tickets_solved_handled,
        coalesce(sum(ticket_handle_seconds), 0)::numeric as ticket_handle_seconds,
        coalesce(sum(ticket_resolution_seconds), 0)::numeric as ticket_resolution_seconds,
        coalesce(sum(tickets_solved_recorded), 0)::numeric as tickets_solved_recorded,
        coalesce(sum(tickets_one_touch), 0)::numeric as tickets_one_touch
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
    ('tickets_solved', false, pooled.tickets_solved),
    ('tickets_solved_handled', false, pooled.tickets_solved_handled),
    ('ticket_handle_seconds', false, pooled.ticket_handle_seconds),
    ('ticket_resolution_seconds', false, pooled.ticket_resolution_seconds),
    ('tickets_solved_recorded', false, pooled.tickets_solved_recorded),
    ('tickets_one_touch', false, pooled.tickets_one_touch)
) as measured (measure_id, is_level, measure_value)
where
    pooled.unit_key is not null
    and pooled.business_date is not null
    and (measured.is_level or measured.measure_value <> 0)
{{ laid_by('pooled.business_date') }}
{{ config(indexes=[{'columns': ['unit_key', 'ticket_key', 'business_date'], 'unique': true}]) }}
{{ moves(dates=['business_date']) }}

with touches as (

    select * from {{ ref('fct_ticket_event') }}
    where is_touch

),

units as (

    select
        touches.ticket_key,
        touches.event_at,
        touches.business_date,
        units.unit_kind,
        units.unit_kind || ':' || units.unit_name as unit_key,
        units.agent_key,
        units.team_key,
        units.site_key,
        row_number() over (
            partition by
                units.unit_kind, units.unit_name, touches.ticket_key, date_trunc('month', touches.business_date)
            order by touches.event_number
        ) as touch_rank
    from touches
    cross join lateral (
        values
        ('agent', touches.agent_key, touches.agent_key, null, null),
        ('team', touches.team_key, null, touches.team_key, null),
        ('site', 'site', null, null, 'site')
    ) as units (unit_kind, unit_name, agent_key, team_key, site_key)

)

select
    unit_key,
    agent_key,
    team_key,
    site_key,
    ticket_key,
    event_at as touched_at,
    business_date
from units
where touch_rank = 1

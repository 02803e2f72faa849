{{ config(indexes=[{'columns': ['ticket_key', 'event_number'], 'unique': true}]) }}

with history as (

    select * from {{ ref('int_ticket_history') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

dated as (

    select
        history.*,
        {{ local_date('history.event_at', 'site') }} as business_date
    from history
    cross join site

)

select
    dated.ticket_key,
    dated.event_number,
    dated.event_at,
    dated.event_kind,
    dated.agent_key,
    case when dated.agent_key is not null then coalesce(teams.team_key, 'unassigned') end as team_key,
    dated.is_recorded,
    dated.is_thanks,
    -- An assignment names the new owner, who has done nothing yet.
    dated.agent_key is not null and dated.event_kind <> 'assigned' as is_touch,
    dated.episode_number,
    dated.state,
    dated.owner_key,
    dated.team_key as owner_team_key,
    dated.priority,
    dated.business_date
from dated
left join teams
    on
        dated.agent_key = teams.agent_key
        and dated.business_date between teams.valid_from and teams.valid_to

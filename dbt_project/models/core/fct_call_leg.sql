{{ config(indexes=[{'columns': ['call_leg_key'], 'unique': true}]) }}

with legs as (

    select * from {{ ref('int_call_leg') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

credited as (

    select
        legs.*,
        coalesce(
            identities.agent_key, 'unmapped:' || legs.source_id || ':' || coalesce(legs.agent_account, legs.device)
        ) as agent_key
    from legs
    cross join site
    left join identities
        on
            legs.source_id = identities.source_id
            and coalesce(legs.agent_account, legs.device) = identities.account
            and legs.started_at >= identities.held_from
            and legs.started_at < identities.held_until

)

select
    credited.source_id || ':' || credited.call_id || '/' || credited.leg_number as call_leg_key,
    credited.source_id || ':' || credited.call_id as conversation_key,
    credited.source_id,
    credited.leg_kind,
    credited.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    credited.device,
    credited.is_answered,
    credited.started_at,
    credited.answered_at,
    credited.ended_at,
    credited.connected_seconds,
    {{ agent_business_date('shift', 'credited.started_at', 'site') }} as business_date
from credited
cross join site
{{ shift_of('credited.agent_key', 'credited.started_at', 'site', 'shift') }}
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ agent_business_date('shift', 'credited.started_at', 'site') }}
        between teams.valid_from and teams.valid_to

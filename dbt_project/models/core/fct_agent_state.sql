{{ moves(dates=['business_date']) }}

with states as (

    select * from {{ ref('int_agent_state') }}

),

sources as (

    select
        source_id,
        channel
    from {{ ref('stg_cfg__source') }}

),

codes as (

    select * from {{ ref('stg_cfg__aux_code') }}

),

identities as (

    select * from {{ ref('int_identity') }}

),

teams as (

    select * from {{ ref('int_agent_team') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

credited as (

    select
        states.source_id || ':' || states.state_number as state_key,
        sources.channel,
        states.scope,
        states.reason,
        states.started_at,
        states.ended_at,
        states.untimed_call,
        coalesce(identities.agent_key, 'unmapped:' || states.source_id || ':' || states.agent_account) as agent_key,
        case when states.reason is null then 'unspecified' else coalesce(codes.state, 'unmapped') end as state,
        extract(epoch from states.ended_at - states.started_at)::bigint as state_seconds
    from states
    inner join sources
        on states.source_id = sources.source_id
    cross join site
    left join codes
        on
            states.source_id = codes.source_id
            and states.reason = codes.account
            and {{ local_date('states.started_at', 'site') }} between codes.valid_from and codes.valid_to
    left join identities
        on
            states.source_id = identities.source_id
            and states.agent_account = identities.account
            and states.started_at >= identities.held_from
            and states.started_at < identities.held_until

)

select
    credited.state_key,
    credited.channel,
    credited.scope,
    credited.agent_key,
    coalesce(teams.team_key, 'unassigned') as team_key,
    credited.state,
    credited.reason,
    credited.started_at,
    credited.ended_at,
    credited.state_seconds,
    -- Not least(): it would give an open state the length of the cap.
    case
        when credited.state = 'acw' and credited.state_seconds > limits.acw_cap_seconds then limits.acw_cap_seconds
        else credited.state_seconds
    end as capped_seconds,
    coalesce(credited.state = 'acw' and credited.state_seconds > limits.acw_cap_seconds, false) as is_capped,
    credited.untimed_call,
    {{ agent_business_date('shift', 'credited.started_at', 'site') }} as business_date
from credited
cross join site
{{ limits_of('credited.started_at', 'site') }}
{{ shift_of('credited.agent_key', 'credited.started_at', 'site', 'shift') }}
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ agent_business_date('shift', 'credited.started_at', 'site') }}
        between teams.valid_from and teams.valid_to

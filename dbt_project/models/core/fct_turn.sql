with turns as (

    select * from {{ ref('int_turn') }}

),

segments as (

    select * from {{ ref('fct_segment') }}

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
        turns.source_id || ':' || turns.conversation_id || '/' || turns.turn_number as turn_key,
        turns.source_id || ':' || turns.conversation_id as conversation_key,
        turns.turn_number,
        turns.replied_at,
        segments.channel,
        segments.business_date,
        case
            when turns.replied_at is not null
                then coalesce(
                    identities.agent_key, 'unmapped:' || turns.source_id || ':' || turns.agent_account
                )
        end as agent_key,
        greatest(turns.asked_at, segments.assigned_at) as clock_start_at
    from turns
    cross join site
    left join segments
        on
            turns.source_id || ':' || turns.conversation_id = segments.conversation_key
            and turns.segment_number = segments.segment_number
            and segments.ended_at is not null
    left join identities
        on
            turns.source_id = identities.source_id
            and turns.agent_account = identities.account
            and {{ local_date('turns.replied_at', 'site') }} between identities.valid_from and identities.valid_to

)

select
    credited.turn_key,
    credited.conversation_key,
    credited.turn_number,
    credited.channel,
    credited.agent_key,
    coalesce(teams.team_key, case when credited.agent_key is not null then 'unassigned' end) as team_key,
    credited.clock_start_at,
    credited.replied_at,
    case
        when credited.channel is not null
            then {{ duration_seconds('credited.clock_start_at', 'credited.replied_at', 'duty') }}::bigint
    end as response_seconds,
    credited.channel is not null and not duty.is_on_duty as is_reply_outside_roster,
    credited.business_date
from credited
cross join site
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ local_date('credited.replied_at', 'site') }} between teams.valid_from and teams.valid_to
{{ on_duty_seconds('credited.agent_key', 'credited.clock_start_at', 'credited.replied_at', 'duty') }}

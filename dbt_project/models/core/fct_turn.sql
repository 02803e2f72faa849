{{ moves('conversation', key=['conversation_key'], dates=['business_date', 'conversation_date']) }}

with turns as (

    select
        *,
        source_id || ':' || conversation_id as conversation_key
    from {{ ref('int_turn') }}

),

segments as not materialized (

    select
        conversation_key,
        segment_number,
        agent_key,
        team_key,
        assigned_at,
        ended_at,
        business_date
    from {{ ref('fct_segment') }}

),

conversations as (

    select
        conversation_key,
        channel,
        team_key,
        ended_at,
        is_bot_only,
        business_date
    from {{ ref('fct_conversation') }}

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

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

credited as (

    select
        turns.conversation_key || '/' || turns.turn_number as turn_key,
        turns.conversation_key,
        turns.turn_number,
        turns.asked_at,
        turns.is_goodbye,
        turns.replied_at,
        conversations.channel,
        conversations.team_key as queue_team_key,
        conversations.business_date as conversation_date,
        conversations.ended_at is not null and not conversations.is_bot_only and turns.is_goodbye is not true as is_due,
        replied.conversation_key is not null as is_reply_timed,
        replied.business_date,
        turns.segment_number,
        case
            when turns.replied_at is not null
                then coalesce(
                    identities.agent_key, 'unmapped:' || turns.source_id || ':' || turns.agent_account
                )
        end as agent_key,
        asked.agent_key as asked_agent_key,
        asked.team_key as asked_team_key,
        greatest(turns.asked_at, replied.assigned_at) as clock_start_at
    from turns
    inner join conversations
        on turns.conversation_key = conversations.conversation_key
    cross join site
    left join segments as replied
        on
            turns.conversation_key = replied.conversation_key
            and turns.segment_number = replied.segment_number
            and replied.ended_at is not null
    left join segments as asked
        on
            turns.replied_at is null
            and turns.conversation_key = asked.conversation_key
            and turns.asked_segment_number = asked.segment_number
    left join identities
        on
            turns.source_id = identities.source_id
            and turns.agent_account = identities.account
            and turns.replied_at >= identities.held_from
            and turns.replied_at < identities.held_until

)

select
    credited.turn_key,
    credited.conversation_key,
    credited.turn_number,
    credited.channel,
    credited.agent_key,
    coalesce(teams.team_key, case when credited.agent_key is not null then 'unassigned' end) as team_key,
    -- A question nobody answered is the owner's; one that nobody owned is the queue's team's alone.
    coalesce(credited.agent_key, credited.asked_agent_key) as owner_key,
    case
        when credited.agent_key is not null then coalesce(teams.team_key, 'unassigned')
        else coalesce(credited.asked_team_key, credited.queue_team_key)
    end as owner_team_key,
    credited.asked_at,
    credited.is_goodbye,
    credited.clock_start_at,
    credited.replied_at,
    case
        when
            credited.is_reply_timed
            and (
                parameters.hours_mode is distinct from 'window'
                or ({{ in_service_window('credited.asked_at', 'site', 'parameters') }})
            )
            then {{ duration_seconds('credited.clock_start_at', 'credited.replied_at', 'duty', 'parameters') }}::bigint
    end as response_seconds,
    case
        when credited.is_reply_timed
            then greatest(extract(epoch from credited.replied_at - credited.clock_start_at), 0)::bigint
    end as elapsed_seconds,
    credited.is_reply_timed and not duty.is_on_duty as is_reply_outside_roster,
    credited.is_due
    and {{ in_service_window('credited.asked_at', 'site', 'parameters') }} as is_reply_due,
    credited.segment_number,
    credited.conversation_date,
    credited.business_date
from credited
cross join site
inner join parameters
    on {{ local_date('credited.asked_at', 'site') }} between parameters.valid_from and parameters.valid_to
{{ on_duty_seconds('credited.agent_key', 'credited.clock_start_at', 'credited.replied_at', 'duty') }}
left join teams
    on
        credited.agent_key = teams.agent_key
        and {{ agent_business_date('duty', 'credited.replied_at', 'site') }} between teams.valid_from and teams.valid_to

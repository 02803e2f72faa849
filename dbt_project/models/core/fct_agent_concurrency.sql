{{ moves('date', counts={'fct_segment': 'business_date'}, through='fct_segment', covers=['fct_conversation'],
    dates=['business_date']) }}

with segments as (

    select * from {{ ref('fct_segment') }}

),

conversations as (

    select
        conversation_key,
        ended_at
    from {{ ref('fct_conversation') }}
    where closed_by = 'stale'

),

ended as (

    select
        segments.agent_key,
        segments.team_key,
        segments.channel,
        segments.business_date,
        date_trunc('second', segments.assigned_at) as assigned_at,
        date_trunc('second', segments.ended_at) as ended_at
    from segments
    left join conversations
        on segments.conversation_key = conversations.conversation_key and segments.ended_at = conversations.ended_at
    where
        segments.channel = 'chat'
        and segments.ended_at >= segments.assigned_at
        -- What only the rule ended was not served for a week.
        and conversations.conversation_key is null

),

worked as (

    select
        agent_key,
        team_key,
        channel,
        business_date,
        count(*) as segment_count,
        sum(extract(epoch from ended_at - assigned_at))::bigint as segment_seconds,
        range_agg(tstzrange(assigned_at, ended_at)) as open_time
    from ended
    group by agent_key, team_key, channel, business_date

)

select
    agent_key,
    team_key,
    channel,
    segment_count,
    segment_seconds,
    {{ covered_seconds('open_time') }} as open_seconds,
    business_date
from worked

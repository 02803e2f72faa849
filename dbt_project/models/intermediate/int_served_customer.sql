{{ config(indexes=[{'columns': ['conversation_key', 'segment_number'], 'unique': true}]) }}
{{ moves('conversation', key=['conversation_key']) }}

with conversations as (

    select
        conversation_key,
        customer_key,
        asked_at
    from {{ ref('fct_conversation') }}
    where customer_key is not null and ended_at is not null

),

segments as (

    select * from {{ ref('fct_segment') }}
    where is_effective

)

select
    conversations.conversation_key,
    segments.segment_number,
    conversations.customer_key,
    segments.agent_key,
    segments.team_key,
    conversations.asked_at,
    coalesce(segments.first_own_message_at, segments.assigned_at) as served_at
from conversations
inner join segments
    on conversations.conversation_key = segments.conversation_key

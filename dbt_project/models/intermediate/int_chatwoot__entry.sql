{{ moves('conversation', key=['source_id', 'conversation_id'], is_number=true) }}

with conversations as (

    select * from {{ ref('stg_chatwoot__conversation') }}

),

messages as (

    select * from {{ ref('stg_chatwoot__message') }}

),

last_message as (

    select
        source_id,
        conversation_id,
        max(sent_at) as sent_at,
        count(*) filter (where author_kind = 'bot') as bot_message_count
    from messages
    group by source_id, conversation_id

),

-- A bot keeps a conversation to itself until it opens it for people; nothing else opens what nobody owned or closed.
first_change as (

    select
        source_id,
        conversation_id,
        min(message_id) as message_id,
        (array_agg(event_type order by message_id))[1] as event_type,
        (array_agg(sent_at order by message_id))[1] as sent_at
    from messages
    where
        event_type in (
            'open', 'self_assign', 'assign', 'assign_via_team', 'resolve', 'resolve_by_customer', 'resolve_by_system'
        )
    group by source_id, conversation_id

),

bot_messages as (

    select
        source_id,
        conversation_id,
        message_id,
        row_number() over (partition by source_id, conversation_id order by message_id) as bot_message_number
    from messages
    where author_kind = 'bot'

)

select
    conversations.source_id,
    conversations.conversation_id,
    case
        when first_change.event_type = 'open' then first_change.sent_at
        else conversations.started_at
    end as entered_at,
    coalesce(last_message.sent_at, conversations.started_at) as last_message_at,
    coalesce(last_message.bot_message_count, 0) > 0
    and conversations.assignee_id is null
    and coalesce(
        first_change.event_type in ('resolve', 'resolve_by_customer', 'resolve_by_system'),
        conversations.status = 'pending'
    ) as is_bot_only,
    coalesce(last_message.bot_message_count, 0) as bot_message_count,
    -- What the server assigns by itself hands over without a trace.
    case
        when first_change.event_type in ('open', 'self_assign', 'assign', 'assign_via_team')
            then second_answer.message_id is null or first_change.message_id < second_answer.message_id
    end as is_left_before_second_answer
from conversations
left join first_change
    on
        conversations.source_id = first_change.source_id
        and conversations.conversation_id = first_change.conversation_id
left join last_message
    on
        conversations.source_id = last_message.source_id
        and conversations.conversation_id = last_message.conversation_id
left join bot_messages as second_answer
    on
        conversations.source_id = second_answer.source_id
        and conversations.conversation_id = second_answer.conversation_id
        and second_answer.bot_message_number = 2

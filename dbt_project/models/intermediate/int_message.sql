{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with messages as (

    select * from {{ ref('stg_live_helper_chat__message') }}

),

desk_messages as (

    select * from {{ ref('int_chatwoot__message') }}

)

select
    source_id,
    chat_id::text as conversation_id,
    message_id,
    sent_at,
    case when author_kind = 'agent' and is_whisper then 'whisper' else author_kind end as author_kind,
    case when author_kind = 'agent' then user_id::text end as agent_account,
    -- Messages belong to a segment by their order, never by their time: seconds tie.
    1 + count(*) filter (where event_type = 'transfer') over (
        partition by chat_id, source_id
        order by message_id
        rows between unbounded preceding and current row
    ) as segment_number,
    count(*) filter (where author_kind = 'agent' and not is_whisper) over (
        partition by chat_id, source_id
        order by message_id
        rows between unbounded preceding and 1 preceding
    ) as exchange_number,
    max(sent_at) filter (where author_kind = 'customer' or (author_kind = 'agent' and not is_whisper)) over (
        partition by chat_id, source_id
        order by message_id
        rows between unbounded preceding and 1 preceding
    ) as last_spoken_at
from messages

union all

select
    source_id,
    conversation_id::text as conversation_id,
    message_id,
    sent_at,
    author_kind,
    agent_id::text as agent_account,
    segment_number,
    exchange_number,
    last_spoken_at
from desk_messages

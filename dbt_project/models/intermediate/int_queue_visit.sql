{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}

),

chats as (

    select * from {{ ref('int_live_helper_chat__chat') }}
    where not is_bot_only

),

conversations as (

    select
        source_id,
        conversation_id,
        queue_account
    from {{ ref('int_conversation') }}

),

desk as (

    select * from {{ ref('int_chatwoot__conversation') }}

)

select
    source_id,
    callid as conversation_id,
    queue_name as queue_account,
    visit_number,
    entered_at,
    outcome,
    wait_seconds
from visits

union all

select
    chats.source_id,
    chats.chat_id::text as conversation_id,
    conversations.queue_account,
    1 as visit_number,
    chats.entered_at,
    case
        when chats.user_id > 0 then 'answered'
        when chats.visitor_left_at is not null then 'abandoned'
        when chats.ended_at is not null then 'unserved'
        else 'open'
    end as outcome,
    case
        when chats.user_id > 0 then chats.wait_seconds
        else extract(epoch from chats.visitor_left_at - chats.entered_at)::bigint
    end as wait_seconds
from chats
inner join conversations
    on chats.source_id = conversations.source_id and chats.chat_id::text = conversations.conversation_id

union all

select
    source_id,
    conversation_id::text as conversation_id,
    queue_account,
    1 as visit_number,
    entered_at,
    outcome,
    wait_seconds
from desk
where outcome != 'not_offered'

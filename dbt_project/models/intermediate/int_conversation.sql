with visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}

),

chats as (

    select * from {{ ref('stg_live_helper_chat__chat') }}

),

chat_segments as (

    select
        source_id,
        chat_id,
        max(ended_at) as ended_at
    from {{ ref('int_live_helper_chat__segment') }}
    group by source_id, chat_id

),

messages as (

    select
        source_id,
        chat_id,
        min(sent_at) filter (where author_kind = 'customer') as first_customer_message_at,
        min(sent_at) filter (where author_kind = 'agent' and not is_whisper) as first_human_message_at
    from {{ ref('stg_live_helper_chat__message') }}
    group by source_id, chat_id

),

first_participant as (

    select
        source_id,
        chat_id,
        department_id,
        row_number() over (partition by source_id, chat_id order by participant_id) as participant_rank
    from {{ ref('stg_live_helper_chat__participant') }}
    where user_id > 0

),

departments as (

    select
        source_id,
        department_id,
        identifier
    from {{ ref('stg_live_helper_chat__department') }}

),

voice as (

    select
        source_id,
        callid as conversation_id,
        (array_agg(queue_name order by event_number))[1] as queue_account,
        (array_agg(caller_key order by event_number))[1] as customer_key,
        min(entered_at) as started_at,
        min(entered_at) as entered_at,
        case when bool_and(ended_at is not null) then max(ended_at) end as ended_at,
        null::timestamptz as visitor_left_at,
        null::timestamptz as first_customer_message_at,
        null::timestamptz as first_human_reply_at
    from visits
    group by source_id, callid

),

chat as (

    select
        chats.source_id,
        chats.chat_id::text as conversation_id,
        departments.identifier as queue_account,
        coalesce(chats.phone_key, chats.email_key) as customer_key,
        chats.started_at,
        chats.started_at as entered_at,
        coalesce(chat_segments.ended_at, chats.closed_at) as ended_at,
        chats.visitor_closed_at as visitor_left_at,
        messages.first_customer_message_at,
        messages.first_human_message_at as first_human_reply_at
    from chats
    left join chat_segments
        on chats.source_id = chat_segments.source_id and chats.chat_id = chat_segments.chat_id
    left join messages
        on chats.source_id = messages.source_id and chats.chat_id = messages.chat_id
    left join first_participant
        on
            chats.source_id = first_participant.source_id
            and chats.chat_id = first_participant.chat_id
            and first_participant.participant_rank = 1
    left join departments
        on
            chats.source_id = departments.source_id
            and coalesce(first_participant.department_id, chats.department_id) = departments.department_id

),

desk as (

    select
        source_id,
        conversation_id::text as conversation_id,
        queue_account,
        customer_key,
        started_at,
        entered_at,
        ended_at,
        ended_by_customer_at as visitor_left_at,
        first_customer_message_at,
        first_human_message_at as first_human_reply_at
    from {{ ref('int_chatwoot__conversation') }}

)

select * from voice

union all

select * from chat

union all

select * from desk

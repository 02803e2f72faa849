{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}

),

chats as (

    select * from {{ ref('int_live_helper_chat__chat') }}

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

calls as (

    select
        source_id,
        callid as conversation_id,
        (array_agg(queue_name order by event_number))[1] as queue_account,
        (array_agg(caller_key order by event_number))[1] as customer_key,
        (array_agg(caller_kind order by event_number))[1] as caller_kind,
        (array_agg(end_event order by event_number desc))[1] as end_event,
        min(entered_at) as started_at,
        case when bool_and(ended_at is not null) then max(ended_at) end as ended_at
    from visits
    group by source_id, callid

),

voice as (

    select
        source_id,
        conversation_id,
        queue_account,
        customer_key,
        case
            when customer_key is not null then 'known'
            when caller_kind in ('shared', 'withheld', 'internal', 'invalid') then caller_kind
            else 'missing'
        end as customer_kind,
        started_at,
        started_at as entered_at,
        ended_at,
        ended_at as settled_at,
        case
            when ended_at is null then null
            when end_event in ('COMPLETEAGENT', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') then 'agent'
            when end_event in ('COMPLETECALLER', 'ABANDON', 'EXITWITHKEY') then 'customer'
            else 'system'
        end as closed_by,
        null::timestamptz as visitor_left_at,
        null::timestamptz as first_customer_message_at,
        null::timestamptz as first_human_reply_at,
        null::timestamptz as first_answer_at,
        false as is_opened_by_us,
        false as has_bot,
        false as is_bot_only,
        0::bigint as bot_message_count,
        false as has_bot_question,
        null::boolean as is_left_before_second_answer,
        null::bigint as bot_question_count,
        null::bigint as bot_hit_count,
        0::bigint as reopened_count,
        null::bigint as shortest_closed_seconds,
        null::boolean as is_group,
        null::boolean as is_spam,
        null::boolean as is_test
    from calls

),

chat as (

    select
        chats.source_id,
        chats.chat_id::text as conversation_id,
        departments.identifier as queue_account,
        chats.customer_key,
        chats.customer_kind,
        chats.started_at,
        chats.entered_at,
        chats.ended_at,
        chats.settled_at,
        chats.closed_by,
        chats.visitor_left_at,
        case when not chats.is_bot_only then chats.first_customer_message_at end as first_customer_message_at,
        chats.first_human_message_at as first_human_reply_at,
        chats.first_answer_at,
        -- A visitor begins every chat, whoever writes first.
        false as is_opened_by_us,
        chats.has_bot,
        chats.is_bot_only,
        chats.bot_message_count,
        chats.has_bot_question,
        null::boolean as is_left_before_second_answer,
        null::bigint as bot_question_count,
        null::bigint as bot_hit_count,
        -- Only the last closing is kept: a chat that was opened again looks like one that never closed.
        null::bigint as reopened_count,
        null::bigint as shortest_closed_seconds,
        null::boolean as is_group,
        null::boolean as is_spam,
        null::boolean as is_test
    from chats
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
        customer_kind,
        started_at,
        entered_at,
        ended_at,
        settled_at,
        closed_by,
        ended_by_customer_at as visitor_left_at,
        first_customer_message_at,
        first_human_message_at as first_human_reply_at,
        first_answer_at,
        is_opened_by_us,
        has_bot,
        is_bot_only,
        bot_message_count,
        has_bot_question,
        is_left_before_second_answer,
        null::bigint as bot_question_count,
        null::bigint as bot_hit_count,
        reopened_count,
        shortest_closed_seconds,
        is_group,
        is_spam,
        is_test
    from {{ ref('int_chatwoot__conversation') }}

)

select * from voice

union all

select * from chat

union all

select * from desk

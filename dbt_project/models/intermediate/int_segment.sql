with visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}

),

chat_segments as (

    select
        source_id,
        chat_id::text as conversation_id,
        segment_number,
        user_id::text as agent_account,
        assigned_at,
        assigned_by,
        ended_at,
        is_transfer,
        conversation_started_at as entered_at
    from {{ ref('int_live_helper_chat__segment') }}

    union all

    select
        source_id,
        conversation_id::text as conversation_id,
        segment_number,
        agent_id::text as agent_account,
        assigned_at,
        assigned_by,
        ended_at,
        is_transfer,
        entered_at
    from {{ ref('int_chatwoot__segment') }}

),

messages as (

    select * from {{ ref('int_message') }}

),

customers as (

    select
        source_id,
        conversation_id,
        min(sent_at) as first_message_at,
        min(segment_number) as first_segment_number
    from messages
    where author_kind = 'customer'
    group by source_id, conversation_id

),

own_messages as (

    select
        source_id,
        conversation_id,
        segment_number,
        agent_account,
        min(sent_at) as first_message_at
    from messages
    where author_kind = 'agent'
    group by source_id, conversation_id, segment_number, agent_account

)

select
    source_id,
    callid as conversation_id,
    row_number() over (partition by source_id, callid order by event_number) as segment_number,
    queue_name as queue_account,
    agent_account,
    connected_at as assigned_at,
    ended_at,
    end_event in ('BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') as is_transfer,
    ended_at is not null as is_effective,
    talk_seconds,
    null::timestamptz as first_own_message_at,
    false as has_customer_message,
    null::bigint as accept_delay_seconds
from visits
where outcome = 'answered'

union all

select
    chat_segments.source_id,
    chat_segments.conversation_id,
    chat_segments.segment_number,
    null as queue_account,
    chat_segments.agent_account,
    chat_segments.assigned_at,
    chat_segments.ended_at,
    chat_segments.is_transfer,
    chat_segments.ended_at is not null
    and own_messages.first_message_at is not null
    and coalesce(customers.first_segment_number <= chat_segments.segment_number, false) as is_effective,
    null as talk_seconds,
    own_messages.first_message_at as first_own_message_at,
    customers.first_message_at is not null as has_customer_message,
    case
        when chat_segments.assigned_by = 'accept'
            then extract(epoch from chat_segments.assigned_at - chat_segments.entered_at)::bigint
    end as accept_delay_seconds
from chat_segments
left join own_messages
    on
        chat_segments.source_id = own_messages.source_id
        and chat_segments.conversation_id = own_messages.conversation_id
        and chat_segments.segment_number = own_messages.segment_number
        and chat_segments.agent_account = own_messages.agent_account
left join customers
    on
        chat_segments.source_id = customers.source_id
        and chat_segments.conversation_id = customers.conversation_id

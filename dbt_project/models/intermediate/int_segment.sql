{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with visits as (

    select * from {{ ref('int_asterisk__queue_visit') }}

),

messages as (

    select * from {{ ref('int_message') }}
    where author_kind in ('customer', 'agent')

),

site as (

    select * from {{ ref('stg_cfg__site') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter_range') }}

),

assignments as (

    select
        source_id,
        chat_id::text as conversation_id,
        segment_number,
        user_id::text as agent_account,
        assigned_at,
        assigned_by,
        ended_at,
        is_transfer,
        -- Only the last closing is kept, so a second episode cannot be seen.
        1 as episode_number,
        entered_at
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
        episode_number,
        entered_at
    from {{ ref('int_chatwoot__segment') }}

),

chat_segments as (

    select
        assignments.*,
        make_interval(secs => limits.idle_gap_seconds) as idle_gap
    from assignments
    cross join site
    {{ limits_of('assignments.assigned_at', 'site') }}

),

-- The one pass over messages by segment; what was written where nobody owned the chat has a row too.
written as (

    select
        messages.source_id,
        messages.conversation_id,
        messages.segment_number,
        count(*) filter (where messages.author_kind = 'customer') as customer_message_count,
        count(*) filter (
            where messages.author_kind = 'agent' and messages.agent_account = chat_segments.agent_account
        ) as agent_message_count,
        min(messages.sent_at) filter (
            where messages.author_kind = 'agent' and messages.agent_account = chat_segments.agent_account
        ) as first_own_message_at,
        max(messages.message_id) filter (
            where messages.author_kind = 'agent' and messages.agent_account = chat_segments.agent_account
        ) as last_own_message_id,
        min(messages.message_id) filter (where messages.author_kind = 'customer') as first_customer_message_id,
        -- Silence before the first message runs from the assignment: greatest() leaves out what does not exist.
        sum(greatest(extract(
            epoch from messages.sent_at - greatest(messages.last_spoken_at, chat_segments.assigned_at)
        ), 0)) filter (
            where
            messages.sent_at >= chat_segments.assigned_at
            and messages.sent_at - greatest(messages.last_spoken_at, chat_segments.assigned_at)
            <= chat_segments.idle_gap
        )::bigint as active_seconds
    from messages
    left join chat_segments
        on
            messages.source_id = chat_segments.source_id
            and messages.conversation_id = chat_segments.conversation_id
            and messages.segment_number = chat_segments.segment_number
    group by messages.source_id, messages.conversation_id, messages.segment_number

),

customers as (

    select
        source_id,
        conversation_id,
        min(segment_number) as first_segment_number,
        min(first_customer_message_id) as first_message_id
    from written
    where customer_message_count > 0
    group by source_id, conversation_id

)

select
    visits.source_id,
    visits.callid as conversation_id,
    row_number() over (partition by visits.source_id, visits.callid order by visits.event_number) as segment_number,
    visits.queue_name as queue_account,
    visits.agent_account,
    visits.connected_at as assigned_at,
    'queue' as assigned_by,
    visits.ended_at,
    visits.end_event in ('BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') as is_transfer,
    case
        when visits.end_event = 'ATTENDEDTRANSFER' then 'consult'
        when visits.end_event = 'BLINDTRANSFER' then 'blind'
        -- An exchange before version 12 writes TRANSFER for both.
    end as transfer_kind,
    visits.ended_at is not null as is_effective,
    -- A call this long was answered and handled all the same: only how long it took is not known.
    case when visits.talk_seconds <= parameters.longest_talk_seconds then visits.talk_seconds end as talk_seconds,
    -- The exchange does not mark hold: it is part of the talk.
    null::bigint as hold_seconds,
    null::timestamptz as first_own_message_at,
    false as has_own_reply,
    false as has_customer_message,
    null::bigint as customer_message_count,
    null::bigint as agent_message_count,
    null::bigint as active_seconds,
    null::bigint as accept_delay_seconds,
    1::bigint as episode_number
from visits
cross join site
inner join parameters
    on {{ local_date('visits.connected_at', 'site') }} between parameters.valid_from and parameters.valid_to
where visits.outcome = 'answered'

union all

select
    chat_segments.source_id,
    chat_segments.conversation_id,
    chat_segments.segment_number,
    null as queue_account,
    chat_segments.agent_account,
    chat_segments.assigned_at,
    chat_segments.assigned_by,
    chat_segments.ended_at,
    chat_segments.is_transfer,
    null as transfer_kind,
    chat_segments.ended_at is not null
    and written.first_own_message_at is not null
    and coalesce(customers.first_segment_number <= chat_segments.segment_number, false) as is_effective,
    null as talk_seconds,
    null as hold_seconds,
    written.first_own_message_at,
    coalesce(written.last_own_message_id > customers.first_message_id, false) as has_own_reply,
    customers.conversation_id is not null as has_customer_message,
    coalesce(written.customer_message_count, 0) as customer_message_count,
    coalesce(written.agent_message_count, 0) as agent_message_count,
    coalesce(written.active_seconds, 0) as active_seconds,
    case
        when chat_segments.assigned_by = 'accept'
            then extract(epoch from chat_segments.assigned_at - chat_segments.entered_at)::bigint
    end as accept_delay_seconds,
    chat_segments.episode_number
from chat_segments
left join written
    on
        chat_segments.source_id = written.source_id
        and chat_segments.conversation_id = written.conversation_id
        and chat_segments.segment_number = written.segment_number
left join customers
    on
        chat_segments.source_id = customers.source_id
        and chat_segments.conversation_id = customers.conversation_id

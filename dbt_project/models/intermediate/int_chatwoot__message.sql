{{ moves('conversation', key=['source_id', 'conversation_id'], is_number=true) }}

with messages as (

    select
        *,
        author_kind = 'customer' or (author_kind = 'agent' and not is_private) as is_spoken,
        coalesce(event_type in ('resolve', 'resolve_by_customer', 'resolve_by_system'), false) as is_closing
    from {{ ref('stg_chatwoot__message') }}

),

segments as (

    select * from {{ ref('int_chatwoot__segment') }}

),

lengths as (

    select
        source_id,
        conversation_id,
        count(*) as segment_count
    from segments
    group by source_id, conversation_id

),

placed as (

    select
        messages.source_id,
        messages.conversation_id,
        messages.message_id,
        messages.sent_at,
        messages.sender_id,
        messages.author_kind,
        messages.is_private,
        count(segments.segment_number) over up_to_here as segments_ended,
        max(messages.sent_at) filter (where messages.is_spoken) over before as last_spoken_at,
        messages.author_kind = 'customer'
        and coalesce(
            max(messages.message_id) filter (where messages.is_closing) over before
            > max(messages.message_id) filter (where messages.is_spoken) over before,
            false
        ) as is_new_question
    from messages
    left join segments
        on
            messages.source_id = segments.source_id
            and messages.conversation_id = segments.conversation_id
            and messages.message_id = segments.next_message_id
    window
        up_to_here as (
            partition by messages.source_id, messages.conversation_id
            order by messages.message_id
            rows between unbounded preceding and current row
        ),
        before as (
            partition by messages.source_id, messages.conversation_id
            order by messages.message_id
            rows between unbounded preceding and 1 preceding
        )

)

select
    placed.source_id,
    placed.conversation_id,
    placed.message_id,
    placed.sent_at,
    case
        when placed.author_kind = 'agent' and placed.is_private then 'whisper'
        else placed.author_kind
    end as author_kind,
    case when placed.author_kind = 'agent' then placed.sender_id end as agent_id,
    -- By order, never by time: the first segment that has not ended, which answers what is said between two.
    least(1 + placed.segments_ended, coalesce(lengths.segment_count, 1)) as segment_number,
    -- What the customer asks after a closing is a new question, also when the last one was never answered.
    count(*) filter (where placed.author_kind = 'agent' and not placed.is_private)
        over (
            partition by placed.source_id, placed.conversation_id
            order by placed.message_id
            rows between unbounded preceding and 1 preceding
        )
    + count(*) filter (where placed.is_new_question) over (
        partition by placed.source_id, placed.conversation_id
        order by placed.message_id
        rows between unbounded preceding and current row
    ) as exchange_number,
    placed.last_spoken_at
from placed
left join lengths
    on placed.source_id = lengths.source_id and placed.conversation_id = lengths.conversation_id

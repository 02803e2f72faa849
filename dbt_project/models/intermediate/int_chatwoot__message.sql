with messages as (

    select * from {{ ref('stg_chatwoot__message') }}

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

)

select
    messages.source_id,
    messages.conversation_id,
    messages.message_id,
    messages.sent_at,
    case
        when messages.author_kind = 'agent' and messages.is_private then 'whisper'
        else messages.author_kind
    end as author_kind,
    case when messages.author_kind = 'agent' then messages.sender_id end as agent_id,
    -- By order, never by time: the first segment that has not ended, which answers what is said between two.
    least(
        1 + count(segments.segment_number) over (
            partition by messages.source_id, messages.conversation_id
            order by messages.message_id
            rows between unbounded preceding and current row
        ),
        coalesce(lengths.segment_count, 1)
    ) as segment_number
from messages
left join segments
    on
        messages.source_id = segments.source_id
        and messages.conversation_id = segments.conversation_id
        and messages.message_id = segments.next_message_id
left join lengths
    on messages.source_id = lengths.source_id and messages.conversation_id = lengths.conversation_id

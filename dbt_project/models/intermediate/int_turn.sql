with messages as (

    select * from {{ ref('int_message') }}

),

spoken as (

    select
        *,
        lag(author_kind) over (partition by source_id, conversation_id order by message_id) as previous_kind
    from messages
    where author_kind in ('customer', 'agent')

),

numbered as (

    select
        *,
        count(*) filter (where author_kind = 'customer' and previous_kind is distinct from 'customer') over (
            partition by source_id, conversation_id
            order by message_id
        ) as turn_number
    from spoken

),

replies as (

    select
        *,
        row_number() over (
            partition by source_id, conversation_id, turn_number
            order by message_id
        ) as reply_rank
    from numbered
    where author_kind = 'agent'

),

questions as (

    select
        source_id,
        conversation_id,
        turn_number,
        min(sent_at) as asked_at
    from numbered
    where author_kind = 'customer'
    group by source_id, conversation_id, turn_number

)

select
    questions.source_id,
    questions.conversation_id,
    questions.turn_number,
    questions.asked_at,
    replies.sent_at as replied_at,
    replies.agent_account,
    replies.segment_number
from questions
left join replies
    on
        questions.source_id = replies.source_id
        and questions.conversation_id = replies.conversation_id
        and questions.turn_number = replies.turn_number
        and replies.reply_rank = 1

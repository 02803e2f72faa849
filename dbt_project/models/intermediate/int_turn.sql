{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with messages as (

    select * from {{ ref('int_message') }}
    where author_kind in ('customer', 'agent')

),

-- All the customer writes between two human messages has the same number of them before it, and so has its reply.
exchanges as (

    select
        source_id,
        conversation_id,
        exchange_number,
        min(sent_at) filter (where author_kind = 'customer') as asked_at,
        min(segment_number) filter (where author_kind = 'customer') as asked_segment_number,
        min(sent_at) filter (where author_kind = 'agent') as replied_at,
        min(agent_account) filter (where author_kind = 'agent') as agent_account,
        min(segment_number) filter (where author_kind = 'agent') as segment_number
    from messages
    group by conversation_id, source_id, exchange_number

)

select
    source_id,
    conversation_id,
    row_number() over (partition by conversation_id, source_id order by exchange_number) as turn_number,
    asked_at,
    asked_segment_number,
    replied_at,
    agent_account,
    segment_number
from exchanges
where asked_at is not null

{{ moves('conversation', key=['source_id', 'conversation_id']) }}

with messages as (

    select * from {{ ref('int_message') }}
    where author_kind in ('customer', 'agent')

),

goodbyes as (

    select * from {{ ref('int_message_feature') }}
    where feature = 'goodbye'

),

-- All the customer writes between two human messages has the same number of them before it, and so has its reply.
exchanges as (

    select
        messages.source_id,
        messages.conversation_id,
        messages.exchange_number,
        min(messages.sent_at) filter (where messages.author_kind = 'customer') as asked_at,
        min(messages.segment_number) filter (where messages.author_kind = 'customer') as asked_segment_number,
        bool_and(goodbyes.message_id is not null) filter (where messages.author_kind = 'customer') as is_goodbye,
        min(messages.sent_at) filter (where messages.author_kind = 'agent') as replied_at,
        min(messages.agent_account) filter (where messages.author_kind = 'agent') as agent_account,
        min(messages.segment_number) filter (where messages.author_kind = 'agent') as segment_number
    from messages
    left join goodbyes
        on
            messages.source_id = goodbyes.source_id
            and messages.conversation_id = goodbyes.conversation_id
            and messages.message_id = goodbyes.message_id
    group by messages.conversation_id, messages.source_id, messages.exchange_number

)

select
    source_id,
    conversation_id,
    row_number() over (partition by conversation_id, source_id order by exchange_number) as turn_number,
    asked_at,
    asked_segment_number,
    is_goodbye,
    replied_at,
    agent_account,
    segment_number
from exchanges
where asked_at is not null

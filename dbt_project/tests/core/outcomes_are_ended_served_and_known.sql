-- Every ended conversation with an effective segment is one outcome and no other is, and a repeat is told of known
-- customers only.
with outcomes as (

    select * from {{ ref('fct_outcome') }}

),

conversations as (

    select * from {{ ref('fct_conversation') }}
    where is_effective and ended_at is not null

)

select
    coalesce(outcomes.conversation_key, conversations.conversation_key) as conversation_key,
    outcomes.is_repeated
from outcomes
full join conversations
    on outcomes.conversation_key = conversations.conversation_key
where
    outcomes.conversation_key is null
    or conversations.conversation_key is null
    or (outcomes.customer_key is null and outcomes.is_repeated is not null)

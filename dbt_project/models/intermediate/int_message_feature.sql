{{ config(indexes=[{'columns': ['conversation_id', 'source_id', 'message_id', 'feature'], 'unique': true}]) }}
{{ moves(key=['source_id', 'conversation_id']) }}

with messages as (

    select * from {{ ref('int_message') }}
    where author_kind in ('customer', 'agent')

),

features as (

    select * from {{ ref('stg_text__feature') }}
    where entity = 'message' and feature in ('goodbye', 'begged_score')

)

select
    messages.source_id,
    messages.conversation_id,
    messages.message_id,
    messages.sent_at,
    features.feature,
    features.excerpt
from messages
inner join features
    on
        messages.source_id = features.source_id
        and messages.message_id::text = features.message_key
        and messages.author_kind = case features.feature when 'goodbye' then 'customer' else 'agent' end

{{ config(indexes=[{'columns': ['source_id', 'conversation_id', 'message_id'], 'unique': true}]) }}
{{ moves(key=['source_id', 'conversation_id']) }}

with messages as (

    select * from {{ ref('int_message') }}
    where author_kind = 'customer'

),

features as (

    select
        source_id,
        message_key
    from {{ ref('stg_text__feature') }}
    where entity = 'message' and feature = 'goodbye'

)

select
    messages.source_id,
    messages.conversation_id,
    messages.message_id
from messages
inner join features
    on messages.source_id = features.source_id and messages.message_id::text = features.message_key

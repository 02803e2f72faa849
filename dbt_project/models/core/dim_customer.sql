{{ config(indexes=[{'columns': ['customer_key'], 'unique': true}]) }}
{{ moves('customer', customer='customer_key') }}

with conversations as (

    select * from {{ ref('fct_conversation') }}
    where customer_key is not null

)

select
    customer_key,
    min(started_at) as first_seen_at,
    max(started_at) as last_seen_at,
    count(*) as conversation_count,
    count(*) filter (where channel = 'voice') as voice_conversation_count,
    count(*) filter (where channel = 'chat') as chat_conversation_count,
    min(source_id) <> max(source_id) as is_in_several_sources
from conversations
group by customer_key

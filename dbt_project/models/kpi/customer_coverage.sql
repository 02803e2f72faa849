{{ config(indexes=[{'columns': ['source_id', 'business_date'], 'unique': true}]) }}

with conversations as (

    select * from {{ ref('fct_conversation') }}

)

select
    source_id,
    channel,
    business_date,
    count(*) as conversation_count,
    count(*) filter (where customer_kind = 'known') as known_count,
    count(*) filter (where customer_kind = 'shared') as shared_count,
    count(*) filter (where customer_kind = 'withheld') as withheld_count,
    count(*) filter (where customer_kind in ('internal', 'invalid')) as unusable_count,
    count(*) filter (where customer_kind = 'missing') as missing_count,
    round(count(*) filter (where customer_kind = 'known') / count(*)::numeric, 6) as known_share
from conversations
group by source_id, channel, business_date

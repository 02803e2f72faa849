{{ config(indexes=[{'columns': ['source_id', 'business_date'], 'unique': true}]) }}

with conversations as (

    select * from {{ ref('fct_conversation') }}

),

given as (

    select
        phone_key,
        email_key
    from {{ ref('stg_live_helper_chat__chat') }}

    union all

    select
        phone_key,
        email_key
    from {{ ref('stg_chatwoot__conversation') }}

),

-- Who gives a number is known by it: a mail address that stands beside a number elsewhere is a second self.
linked as (

    select email_key
    from given
    where phone_key is not null and email_key is not null
    group by email_key

)

select
    conversations.source_id,
    conversations.channel,
    conversations.business_date,
    count(*) as conversation_count,
    count(*) filter (where conversations.customer_kind = 'known') as known_count,
    count(linked.email_key) as split_count,
    count(*) filter (where conversations.customer_kind = 'shared') as shared_count,
    count(*) filter (where conversations.customer_kind = 'withheld') as withheld_count,
    count(*) filter (where conversations.customer_kind in ('internal', 'invalid')) as unusable_count,
    count(*) filter (where conversations.customer_kind = 'missing') as missing_count,
    round(count(*) filter (where conversations.customer_kind = 'known') / count(*)::numeric, 6) as known_share
from conversations
left join linked
    on conversations.customer_key = linked.email_key
group by conversations.source_id, conversations.channel, conversations.business_date

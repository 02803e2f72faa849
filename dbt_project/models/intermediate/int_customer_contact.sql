{{ config(indexes=[
    {'columns': ['customer_key', 'started_at']},
    {'columns': ['conversation_key'], 'unique': true}
]) }}
{{ moves('conversation', key=['conversation_key'], customer='customer_key', marks={'customer': 'customer_key'}) }}

with conversations as (

    select * from {{ ref('int_conversation') }}
    where customer_key is not null

),

issue_classes as (

    select * from {{ ref('int_issue_class') }}

),

cancellations as (

    select conversation_key
    from {{ ref('int_contact_label') }}
    where label = 'cancellation_request'

),

credits as (

    select
        conversation_key,
        business_date
    from {{ ref('int_last_effective_segment') }}

),

site as (

    select * from {{ ref('stg_cfg__site') }}

)

select
    conversations.source_id || ':' || conversations.conversation_id as conversation_key,
    conversations.customer_key,
    conversations.started_at,
    conversations.ended_at,
    conversations.settled_at,
    conversations.is_opened_by_us,
    conversations.has_bot,
    conversations.is_bot_only,
    credits.conversation_key is not null and conversations.ended_at is not null as is_outcome,
    issue_classes.issue_class,
    cancellations.conversation_key is not null as is_cancellation_request,
    coalesce(credits.business_date, {{ local_date('conversations.started_at', 'site') }}) as business_date
from conversations
cross join site
left join issue_classes
    on conversations.source_id || ':' || conversations.conversation_id = issue_classes.conversation_key
left join cancellations
    on conversations.source_id || ':' || conversations.conversation_id = cancellations.conversation_key
left join credits
    on conversations.source_id || ':' || conversations.conversation_id = credits.conversation_key

{{ config(indexes=[{'columns': ['conversation_key', 'label'], 'unique': true}]) }}

with labels as (

    select * from {{ ref('int_contact_label') }}

),

conversations as (

    select
        conversation_key,
        channel,
        business_date
    from {{ ref('fct_conversation') }}

)

select
    labels.conversation_key,
    labels.label,
    labels.label_value,
    labels.labelled_by,
    labels.labelled_at,
    conversations.channel,
    conversations.business_date
from labels
left join conversations
    on labels.conversation_key = conversations.conversation_key

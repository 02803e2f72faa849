{{ config(indexes=[{'columns': ['conversation_key'], 'unique': true}]) }}
{{ moves(key=['conversation_key']) }}

with labels as (

    select
        conversation_key,
        label_value
    from {{ ref('int_contact_label') }}
    where label = 'issue_class' and label_value is not null

),

tickets as (

    select
        conversation_key,
        issue_class
    from {{ ref('int_linked_ticket') }}

)

select
    coalesce(labels.conversation_key, tickets.conversation_key) as conversation_key,
    coalesce(labels.label_value, tickets.issue_class) as issue_class,
    case when labels.conversation_key is not null then 'label' else 'ticket' end as basis
from labels
full join tickets
    on labels.conversation_key = tickets.conversation_key

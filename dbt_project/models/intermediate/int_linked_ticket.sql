{{ config(indexes=[{'columns': ['conversation_key'], 'unique': true}]) }}
{{ moves(key=['conversation_key']) }}

with tickets as (

    select
        contact_source_id || ':' || contact_id as conversation_key,
        contact_source_id as source_id,
        ticket_id,
        issue_class,
        -- What was closed after the clocks has no code yet.
        case when closed_at > '{{ var("as_of") }}'::timestamptz then null else close_code end as close_code,
        opened_at,
        row_number() over (
            partition by contact_source_id, contact_id
            order by opened_at desc, ticket_id desc, source_id asc
        ) as ticket_rank
    from {{ ref('stg_tabular__ticket') }}
    where
        contact_source_id is not null
        and contact_id is not null
        and opened_at <= '{{ var("as_of") }}'::timestamptz

)

select
    conversation_key,
    source_id,
    ticket_id,
    issue_class,
    close_code,
    opened_at
from tickets
where ticket_rank = 1

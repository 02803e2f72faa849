{{ config(indexes=[{'columns': ['ticket_key'], 'unique': true}, {'columns': ['conversation_key']}]) }}

with tickets as (

    select * from {{ ref('stg_tabular__ticket') }}
    where opened_at <= '{{ var("as_of") }}'::timestamptz

)

select
    source_id || ':' || ticket_id as ticket_key,
    source_id,
    employee_number as agent_key,
    contact_source_id || ':' || contact_id as conversation_key,
    customer_key,
    issue_class,
    opened_at,
    case when closed_at <= '{{ var("as_of") }}'::timestamptz then closed_at end as closed_at,
    case when closed_at <= '{{ var("as_of") }}'::timestamptz then close_code end as close_code,
    dispatched_to as dispatched_to_team_key,
    case when dispatched_to is not null then redispatch_count end as redispatch_count
from tickets

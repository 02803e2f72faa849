{{ config(indexes=[{'columns': ['assist_id', 'source_id'], 'unique': true}]) }}
{{ moves(key=['conversation_key']) }}

select
    source_id,
    assist_id,
    contact_source_id || ':' || contact_id as conversation_key,
    employee_number as agent_key,
    helper_number as helper_key,
    asked_at,
    assist_kind
from {{ ref('stg_tabular__assist') }}

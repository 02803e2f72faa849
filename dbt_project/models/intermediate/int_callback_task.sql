{{ config(indexes=[{'columns': ['callback_id', 'source_id'], 'unique': true}]) }}
{{ moves(key=['conversation_key']) }}

select
    source_id,
    callback_id,
    contact_source_id || ':' || contact_id as conversation_key,
    employee_number as agent_key,
    created_at,
    due_at,
    done_at
from {{ ref('stg_tabular__callback_task') }}

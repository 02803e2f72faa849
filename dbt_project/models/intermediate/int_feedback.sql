{{ config(materialized='view') }}

with items as (

    select * from {{ ref('stg_tabular__social_feedback') }}

)

select
    source_id,
    feedback_id,
    kind as feedback_kind,
    platform,
    posted_at,
    theme,
    employee_number as agent_key,
    contact_source_id || ':' || contact_id as conversation_key,
    is_verified
from items

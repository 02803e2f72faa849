{{ config(materialized='view') }}

with complaints as (

    select * from {{ ref('stg_tabular__complaint') }}

)

select
    source_id,
    complaint_id,
    employee_number as agent_key,
    contact_source_id,
    contact_source_id || ':' || contact_id as conversation_key,
    customer_key,
    received_at,
    category,
    is_severe,
    status,
    verifier_number as verifier_key,
    verified_on,
    resolution_rating
from complaints

{{ config(materialized='view') }}

with days as (

    select * from {{ ref('stg_tabular__group_chat_day') }}

)

select
    source_id,
    group_id,
    employee_number as agent_key,
    chat_date,
    messages_sent,
    broadcasts_sent
from days

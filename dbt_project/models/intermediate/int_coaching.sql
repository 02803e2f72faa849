{{ config(materialized='view') }}

with talks as (

    select * from {{ ref('stg_tabular__coaching') }}

)

select
    source_id,
    coaching_id,
    employee_number as agent_key,
    coach_number as coach_key,
    coached_on,
    metric_id,
    cause,
    measure,
    follow_up_on
from talks

{{ config(materialized='view') }}

with courses as (

    select * from {{ ref('stg_tabular__training') }}

)

select
    source_id,
    training_id,
    employee_number as agent_key,
    course_name,
    course_kind,
    assigned_on,
    due_on,
    completed_on,
    score
from courses

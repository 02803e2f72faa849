{{ config(materialized='view') }}

with forms as (

    select * from {{ ref('stg_tabular__daily_form') }}

)

select
    source_id,
    form_id,
    form_kind,
    employee_number as agent_key,
    rater_number as rater_key,
    form_date,
    teamwork_score,
    initiative_score,
    attendance_score,
    approver_number as approver_key,
    approved_on
from forms

{{ config(materialized='view') }}

with facts as (

    select * from {{ ref('stg_tabular__verified_fact') }}

)

select
    source_id,
    fact_id,
    employee_number as agent_key,
    fact_kind,
    happened_on,
    points,
    metric_id,
    reported_by as reporter_key,
    evidence_id,
    verified_by as verifier_key,
    verified_on,
    note_text
from facts

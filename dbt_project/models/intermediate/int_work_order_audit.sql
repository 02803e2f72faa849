{{ config(materialized='view') }}

with audits as (

    select * from {{ ref('stg_tabular__work_order_audit') }}

)

select
    source_id,
    audit_id,
    ticket_id,
    employee_number as agent_key,
    auditor_number as auditor_key,
    audited_at,
    picked_by,
    is_entry_compliant,
    is_dispatch_correct,
    is_customer_correct
from audits

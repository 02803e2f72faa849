{{ config(materialized='view') }}

with exemptions as (

    select * from {{ ref('stg_tabular__exemption') }}

)

select
    source_id,
    exemption_id,
    scope_kind,
    scope_key,
    metric_id,
    starts_on,
    ends_on,
    reason,
    approver_number as approver_key,
    approved_on
from exemptions

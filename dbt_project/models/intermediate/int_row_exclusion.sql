{{ config(materialized='view') }}

with decisions as (

    select
        row_kind,
        row_key,
        dispute_id,
        is_excluded,
        row_number() over (partition by row_kind, row_key order by exclusion_id desc) as decision_rank
    from {{ source('ops', 'row_exclusion') }}

)

select
    row_kind,
    row_key,
    dispute_id
from decisions
where decision_rank = 1 and is_excluded

{{ moves(dates=['attendance_date']) }}

with punches as (

    select * from {{ ref('stg_tabular__attendance_punch') }}

)

select
    source_id,
    punch_id,
    employee_number as agent_key,
    attendance_date,
    in_at,
    out_at
from punches

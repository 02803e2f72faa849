with sittings as (

    select * from {{ ref('stg_tabular__exam') }}

)

select
    source_id,
    employee_number as agent_key,
    exam_name,
    sitting,
    exam_date,
    makes_up_for,
    score,
    absence_reason
from sittings

{{ config(indexes=[{'columns': ['dial_key'], 'unique': true}]) }}

with dials as (

    select * from {{ ref('stg_tabular__dial') }}
    where dialed_at <= '{{ var("as_of") }}'::timestamptz

)

select
    source_id || ':' || dial_id as dial_key,
    source_id,
    employee_number as agent_key,
    dialed_at,
    customer_key,
    source_id || ':' || lead_id as lead_key,
    result,
    ring_seconds,
    case when result = 'answered' then talk_seconds end as talk_seconds
from dials

{{ config(indexes=[{'columns': ['registration_key'], 'unique': true}]) }}

with registrations as (

    select * from {{ ref('stg_tabular__registration') }}
    where registered_at <= '{{ var("as_of") }}'::timestamptz

)

select
    source_id || ':' || registration_id as registration_key,
    source_id,
    employee_number as agent_key,
    registered_at,
    customer_key,
    device_id,
    is_verified
from registrations

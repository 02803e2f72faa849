with versions as (

    select * from {{ ref('stg_cfg__site_version') }}

)

select
    site_key,
    time_zone,
    day_cutover,
    shift_margin,
    longest_attendance,
    test_customers
from versions
where '{{ var("period_start") }}'::date between valid_from and valid_to

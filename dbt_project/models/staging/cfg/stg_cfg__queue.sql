with versions as (

    select * from {{ ref('stg_cfg__queue_version') }}

)

select
    queue_key,
    source_id,
    account,
    name_zh,
    name_en
from versions
where '{{ var("period_start") }}'::date between valid_from and valid_to

with versions as (

    select * from {{ ref('stg_cfg__instrument_version') }}

)

select
    instrument_key,
    source_id,
    account,
    kind,
    best
from versions
where '{{ var("period_start") }}'::date between valid_from and valid_to

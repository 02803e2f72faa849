-- Models cross join the site, the period and the defaults: with none of them every fact would be silently empty, with
-- two every row would appear twice.
with counts as (

    select
        'stg_cfg__site' as relation,
        count(*) as row_count
    from {{ ref('stg_cfg__site') }}

    union all

    select
        'stg_cfg__period' as relation,
        count(*) as row_count
    from {{ ref('stg_cfg__period') }}

    union all

    select
        'defaults' as relation,
        count(*) as row_count
    from ({{ current_config('defaults') }}) as current_defaults

)

select *
from counts
where row_count <> 1

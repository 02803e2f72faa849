with metrics as (

    select
        metric_id,
        targets
    from {{ ref('stg_cfg__metric') }}

),

listed as (

    select
        metrics.metric_id,
        (target.entry ->> 'from')::date as valid_from,
        (target.entry ->> 'value')::numeric as start_value,
        (target.entry ->> 'tolerance')::numeric as tolerance,
        lead((target.entry ->> 'from')::date) over following as next_from,
        case
            when lead(target.entry ->> 'ramp') over following = 'linear'
                then lead((target.entry ->> 'value')::numeric) over following
        end as end_value
    from metrics
    cross join lateral jsonb_array_elements(metrics.targets) as target (entry)
    window following as (partition by metrics.metric_id order by (target.entry ->> 'from')::date)

)

select
    metric_id,
    valid_from,
    coalesce(next_from - 1, 'infinity'::date) as valid_to,
    start_value,
    coalesce(end_value, start_value) as end_value,
    tolerance,
    next_from - valid_from as ramp_days
from listed

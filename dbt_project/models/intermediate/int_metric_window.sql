{{ config(indexes=[{'columns': ['metric_id', 'valid_from'], 'unique': true}]) }}

with metrics as (

    {{ config_versions('metric') }}

),

parameters as (

    select * from {{ ref('stg_cfg__parameter') }}

),

defaults as (

    {{ config_versions('defaults') }}

),

slow as (

    select object_id
    from metrics
    where body ->> 'matures_in' is not null
    group by object_id

),

-- By the day of the case, as its window is.
windows as (

    select
        metrics.object_id as metric_id,
        greatest(metrics.valid_from, defaults.valid_from, parameters.valid_from) as valid_from,
        least(metrics.valid_to, defaults.valid_to, parameters.valid_to) as valid_to,
        case
            when defaults.body #>> '{period, late_mature}' = 'shift' then coalesce(parameters.value, 0)::integer else 0
        end as window_days
    from metrics
    inner join slow
        on metrics.object_id = slow.object_id
    inner join defaults
        on metrics.valid_from <= defaults.valid_to and metrics.valid_to >= defaults.valid_from
    left join parameters
        on
            metrics.body ->> 'matures_in' = parameters.parameter_id
            and parameters.valid_from <= least(metrics.valid_to, defaults.valid_to)
            and parameters.valid_to >= greatest(metrics.valid_from, defaults.valid_from)

)

select
    metric_id::text as metric_id,
    valid_from::date as valid_from,
    valid_to::date as valid_to,
    window_days::integer as window_days,
    -- A shorter window must not let a day count before those in front of it.
    coalesce(
        max(valid_to + window_days) over (
            partition by metric_id order by valid_from rows between unbounded preceding and 1 preceding
        ), '-infinity'
    )::date as not_before
from windows

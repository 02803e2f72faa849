-- Numerator and denominator of a bounded metric count the same set of cases, so no value leaves 0 to 1.
with metric_values as (

    select * from {{ ref('metric_value') }}

),

metrics as (

    select
        metric_id,
        is_bounded
    from {{ ref('stg_cfg__metric') }}

)

select
    metric_values.metric_id,
    metric_values.unit_kind,
    metric_values.unit_key,
    metric_values.channel,
    metric_values.period_id,
    metric_values.numerator,
    metric_values.denominator
from metric_values
inner join metrics
    on metric_values.metric_id = metrics.metric_id
where
    metrics.is_bounded
    and (
        metric_values.numerator < 0
        or metric_values.denominator < 0
        or metric_values.numerator > metric_values.denominator
        or metric_values.value not between 0 and 1
    )

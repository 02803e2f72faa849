-- The value over all channels is pooled from the channels, for every metric, unit and range. Percentiles and distinct
-- counts are what does not add up by its nature.
with metric_values as (

    select * from {{ ref('metric_value') }}

),

additive as (

    {{ additive_metrics() }}

)

select
    metric_values.metric_id,
    metric_values.unit_kind,
    metric_values.unit_key,
    metric_values.period_kind,
    metric_values.period_id
from metric_values
inner join additive
    on metric_values.metric_id = additive.metric_id
group by
    metric_values.metric_id,
    metric_values.unit_kind,
    metric_values.unit_key,
    metric_values.period_kind,
    metric_values.period_id
having
    count(*) filter (where metric_values.channel = 'all') <> 1
    or coalesce(sum(metric_values.numerator) filter (where metric_values.channel = 'all'), 0)
    <> coalesce(sum(metric_values.numerator) filter (where metric_values.channel <> 'all'), 0)
    or coalesce(sum(metric_values.denominator) filter (where metric_values.channel = 'all'), 0)
    <> coalesce(sum(metric_values.denominator) filter (where metric_values.channel <> 'all'), 0)
    or coalesce(sum(metric_values.n) filter (where metric_values.channel = 'all'), 0)
    <> coalesce(sum(metric_values.n) filter (where metric_values.channel <> 'all'), 0)

-- Numerator, denominator and n of a period are the sums of the days it counts, for every metric, unit and channel.
-- Stocks, percentiles and distinct counts are what does not add up by its nature.
with additive as (

    {{ additive_metrics() }}

),

metric_values as (

    select metric_values.*
    from {{ ref('metric_value') }} as metric_values
    inner join additive
        on metric_values.metric_id = additive.metric_id
    inner join {{ ref('stg_cfg__metric') }} as metrics
        on metric_values.metric_id = metrics.metric_id
    where metrics.kind <> 'last' and metrics.grains ?& array['day', 'period']

),

days as (

    select
        metric_values.unit_kind,
        metric_values.unit_key,
        metric_values.channel,
        metric_values.metric_id,
        sum(metric_values.numerator) as numerator,
        sum(metric_values.denominator) as denominator,
        sum(metric_values.n) as n
    from metric_values
    cross join {{ ref('stg_cfg__period') }} as period
    left join {{ ref('int_metric_window') }} as windows
        on
            metric_values.metric_id = windows.metric_id
            and metric_values.period_start between windows.valid_from and windows.valid_to
    where
        metric_values.period_kind = 'day'
        and coalesce(
            greatest(metric_values.period_start + windows.window_days, windows.not_before), metric_values.period_start
        ) between period.period_start and period.period_end
    group by metric_values.unit_kind, metric_values.unit_key, metric_values.channel, metric_values.metric_id

),

periods as (

    select
        unit_kind,
        unit_key,
        channel,
        metric_id,
        numerator,
        denominator,
        n
    from metric_values
    where period_kind = 'period'

)

select
    coalesce(periods.metric_id, days.metric_id) as metric_id,
    coalesce(periods.unit_kind, days.unit_kind) as unit_kind,
    coalesce(periods.unit_key, days.unit_key) as unit_key,
    coalesce(periods.channel, days.channel) as channel,
    periods.numerator,
    days.numerator as numerator_of_days,
    periods.denominator,
    days.denominator as denominator_of_days,
    periods.n,
    days.n as n_of_days
from periods
full join days
    on
        periods.metric_id = days.metric_id
        and periods.unit_kind = days.unit_kind
        and periods.unit_key = days.unit_key
        and periods.channel = days.channel
where
    periods.n is null
    or coalesce(periods.numerator, 0) <> coalesce(days.numerator, 0)
    or coalesce(periods.denominator, 0) <> coalesce(days.denominator, 0)
    or periods.n <> coalesce(days.n, 0)

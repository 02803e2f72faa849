-- One row per day and channel: the site's value of one metric on every day of one period.
with period as (
    select
        metric_value.period_start,
        metric_value.period_end
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    metric_value.period_start as business_date,
    metric_value.channel,
    metric_value.value,
    metric_value.interval_low,
    metric_value.interval_high,
    metric_value.n,
    metric_value.null_reason,
    metric_definition.decimals,
    metric_definition.target,
    metric_definition.tolerance,
    metric_definition.direction,
    metric_definition.formula_zh,
    metric_definition.formula_en
from period
inner join pub_kpi.metric_value on metric_value.period_start between period.period_start and period.period_end
inner join pub_kpi.metric_definition
    on metric_value.metric_id = metric_definition.metric_id
    and metric_value.metric_version = metric_definition.version
where
    metric_value.unit_kind = 'site'
    and metric_value.period_kind = 'day'
    -- Channels stand side by side; their pool would repeat a metric that has only one.
    and metric_value.channel <> 'all'
    and metric_value.metric_id = {{metric}}
    [[and {{channel}}]]

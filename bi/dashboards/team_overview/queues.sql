-- One row per queue and channel: one queue metric in one period.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    queue.queue_key,
    queue.name_zh as queue_name_zh,
    queue.name_en as queue_name_en,
    metric_value.channel,
    metric_value.value,
    metric_value.interval_low,
    metric_value.interval_high,
    metric_value.n,
    metric_value.null_reason,
    metric_definition.decimals,
    metric_definition.direction,
    metric_definition.target,
    metric_definition.tolerance,
    metric_definition.min_n,
    metric_definition.formula_zh,
    metric_definition.formula_en
from period
inner join pub_kpi.metric_value on period.period_id = metric_value.period_id
inner join pub_kpi.metric_definition
    on metric_value.metric_id = metric_definition.metric_id
    and metric_value.metric_version = metric_definition.version
inner join pub_kpi.queue on metric_value.unit_key = queue.queue_key
where
    metric_value.unit_kind = 'queue'
    and metric_value.period_kind = 'period'
    -- Channels stand side by side; their pool would repeat a metric that has only one.
    and metric_value.channel <> 'all'
    and metric_value.metric_id = {{metric}}
    [[and {{channel}}]]

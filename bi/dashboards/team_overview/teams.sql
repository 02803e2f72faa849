-- One row per team, metric and channel in one period; team values come from team grain, not from agents.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    metric_definition.display_order,
    metric_definition.name_zh as metric_name_zh,
    metric_definition.name_en as metric_name_en,
    metric_definition.formula_zh,
    metric_definition.formula_en,
    metric_definition.unit,
    metric_definition.decimals,
    metric_definition.direction,
    metric_definition.target,
    metric_definition.tolerance,
    metric_definition.min_n,
    team.team_key,
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    metric_value.channel,
    metric_value.value,
    metric_value.interval_low,
    metric_value.interval_high,
    metric_value.n,
    metric_value.null_reason
from period
inner join pub_kpi.metric_value on period.period_id = metric_value.period_id
inner join pub_kpi.metric_definition
    on metric_value.metric_id = metric_definition.metric_id
    and metric_value.metric_version = metric_definition.version
inner join pub_kpi.team on metric_value.unit_key = team.team_key
where
    metric_value.unit_kind = 'team'
    and metric_definition.is_headline
    and metric_value.period_kind = 'period'
    -- Channels stand side by side; their pool would repeat a metric that has only one.
    and metric_value.channel <> 'all'
    [[and {{team}}]]
    [[and {{channel}}]]

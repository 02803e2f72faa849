-- One row per agent, metric and channel in one period.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    agent.agent_key,
    agent.agent_name,
    team.team_key,
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
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
    metric_value.channel,
    metric_value.value,
    metric_value.interval_low,
    metric_value.interval_high,
    metric_value.n,
    metric_value.null_reason,
    cohort.state as reliability,
    cohort.reason_zh as reliability_reason_zh,
    cohort.reason_en as reliability_reason_en
from period
inner join pub_kpi.metric_value on period.period_id = metric_value.period_id
inner join pub_kpi.metric_definition
    on metric_value.metric_id = metric_definition.metric_id
    and metric_value.metric_version = metric_definition.version
inner join pub_kpi.agent on metric_value.unit_key = agent.agent_key
inner join pub_kpi.team on agent.team_key = team.team_key
-- The agent's own team when it is a cohort, else the least trusted cohort of the metric.
left join lateral (
    select
        metric_reliability.state,
        metric_reliability.reason_zh,
        metric_reliability.reason_en
    from pub_kpi.metric_reliability
    where
        metric_reliability.metric_id = metric_value.metric_id
        and metric_reliability.period_id = metric_value.period_id
    order by
        metric_reliability.cohort_key = agent.team_key desc,
        array_position(
            array['unreliable', 'not_evaluated', 'not_enough_data', 'weak', 'reliable'], metric_reliability.state
        ),
        metric_reliability.cohort_key
    limit 1
) as cohort on true
where
    metric_value.unit_kind = 'agent'
    and metric_definition.is_headline
    and metric_value.period_kind = 'period'
    -- Channels stand side by side; their pool would repeat a metric that has only one.
    and metric_value.channel <> 'all'
    [[and {{team}}]]
    [[and {{channel}}]]

-- One row per team and headline metric with a target in the last period: its value and how much of the target it is.
with period as (
    select max(target_attainment.period_end) as period_end
    from pub_kpi.target_attainment
    where target_attainment.period_kind = 'period'
)

select
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    metric_definition.display_order,
    metric_definition.name_zh as metric_name_zh,
    metric_definition.name_en as metric_name_en,
    metric_definition.unit,
    metric_definition.decimals,
    target_attainment.direction,
    target_attainment.target,
    target_attainment.tolerance,
    target_attainment.channel,
    target_attainment.n,
    target_attainment.value,
    metric_value.interval_low,
    metric_value.interval_high,
    case when target_attainment.value is null then target_attainment.null_reason end as null_reason,
    target_attainment.attainment_ratio
from pub_kpi.target_attainment
inner join period on target_attainment.period_end = period.period_end
inner join pub_kpi.team on target_attainment.unit_key = team.team_key
inner join pub_kpi.metric_definition
    on target_attainment.metric_id = metric_definition.metric_id
    and target_attainment.metric_version = metric_definition.version
left join pub_kpi.metric_value
    on target_attainment.unit_kind = metric_value.unit_kind
    and target_attainment.unit_key = metric_value.unit_key
    and target_attainment.channel = metric_value.channel
    and target_attainment.metric_id = metric_value.metric_id
    and target_attainment.period_kind = metric_value.period_kind
    and target_attainment.period_start = metric_value.period_start
where
    target_attainment.unit_kind = 'team'
    and target_attainment.period_kind = 'period'
    and target_attainment.channel <> 'all'
    and metric_definition.is_headline

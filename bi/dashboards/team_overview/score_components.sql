-- One row per agent and metric of the plan: how each point came about. Points add up to the score before gates.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    score.agent_key,
    score.agent_name,
    score.team_key,
    score_component.metric_id,
    coalesce(named.display_order, 0) as display_order,
    coalesce(named.name_zh, score_component.metric_id) as metric_name_zh,
    coalesce(named.name_en, score_component.metric_id) as metric_name_en,
    named.unit,
    named.decimals,
    score_component.raw_value,
    score_component.interval_low,
    score_component.interval_high,
    score_component.n,
    score_component.shrunk_value,
    score_component.curve_id,
    score_component.curve_score,
    score_component.nominal_weight,
    score_component.weight_factor,
    score_component.shown_weight,
    score_component.points,
    score_component.reason_zh,
    score_component.reason_en
from period
inner join pub_appraisal.score on period.period_id = score.period_id
inner join pub_appraisal.score_component
    on score.period_id = score_component.period_id
    and score.agent_key = score_component.agent_key
inner join pub_kpi.team on score.team_key = team.team_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en,
        metric_definition.unit,
        metric_definition.decimals,
        metric_definition.display_order
    from pub_kpi.metric_definition
    where metric_definition.metric_id = score_component.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
where true [[and {{team}}]]

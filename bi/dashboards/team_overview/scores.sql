-- One row per agent: the composite score of one period. NULL means no score, never zero.
with period as (
    select metric_value.period_id
    from pub_kpi.metric_value
    where metric_value.period_kind = 'period' [[and {{period}}]]
    order by metric_value.period_end desc, metric_value.period_id
    limit 1
)

select
    score.period_id,
    score.period_mode,
    score.agent_key,
    score.agent_name,
    score.team_key,
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    score.plan_id || ' v' || score.plan_version as plan,
    score.composite,
    score.composite_before_gates,
    score.composite_unadjusted,
    score.interval_low,
    score.interval_high,
    case when score.composite is null then score.status end as null_reason,
    2 as decimals,
    score.grade,
    score.status,
    case when score.status <> 'published' then score.status_zh end as why_zh,
    case when score.status <> 'published' then score.status_en end as why_en,
    score.own_data_weight
from period
inner join pub_appraisal.score on period.period_id = score.period_id
inner join pub_kpi.team on score.team_key = team.team_key
where true [[and {{team}}]]

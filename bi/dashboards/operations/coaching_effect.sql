-- One row per coaching talk about a metric: what changed in the weeks after it, beyond the change of the colleagues.
select
    coaching_effect.business_date,
    coalesce(agent.agent_name, coaching_effect.agent_key) as agent_name,
    team.name_zh as team_name_zh,
    team.name_en as team_name_en,
    named.name_zh as metric_name_zh,
    named.name_en as metric_name_en,
    named.decimals,
    named.unit,
    coaching_effect.before_value,
    coaching_effect.after_value,
    coaching_effect.cohort_after_value - coaching_effect.cohort_before_value as cohort_change,
    coaching_effect.effect,
    case coaching_effect.is_improvement when true then 'improved' when false then 'not_improved' end as outcome,
    coaching_effect.null_reason as reason,
    coaching_effect.after_n
from pub_kpi.coaching_effect
left join pub_kpi.agent on coaching_effect.agent_key = agent.agent_key
left join pub_kpi.team on coaching_effect.team_key = team.team_key
left join lateral (
    select
        metric_definition.name_zh,
        metric_definition.name_en,
        metric_definition.decimals,
        metric_definition.unit
    from pub_kpi.metric_definition
    where metric_definition.metric_id = coaching_effect.metric_id
    order by metric_definition.version desc
    limit 1
) as named on true
